package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The page of the person. Code and word go to intake, which keeps them as keyed hashes, and what it answers is a
// session for this path alone. What does not open, and what is nobody's any more, is passed on as nobody's: the
// console shows one and the same page for a wrong, an ended and a stopped code.

const (
	// ownForm is how long a form of that page may be, in bytes.
	ownForm = 16 << 10
	// ownLeave ends a session and leads away.
	ownLeave = schemas.OwnPath + "/leave"
	// leaveTo is a page that anybody might be looking at.
	leaveTo = "https://www.bbc.co.uk/weather"
	// selfOrganisation is the organisation of a person who acts for themselves.
	selfOrganisation = "self"
)

// passOwn is pass for the page of the person. Cookies and tokens of anybody else are not looked at.
func (g *Gateway) passOwn(route schemas.Route) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := g.unknown.Check(r); err != nil {
			return err
		}
		if err := g.crossing.Check(r); err != nil {
			return otherSite.problem(err)
		}
		if route.Pattern == ownLeave {
			return g.leaveOwn(w, r)
		}
		form, err := g.readOwn(w, r)
		if err != nil {
			return err
		}
		if form.Has("code") || form.Has("word") {
			return g.openOwn(w, r, route, form)
		}
		p, err := g.holderOf(r)
		if err != nil {
			return cannotOpen(err)
		}
		if r.Method != http.MethodGet && p.Valid() && form.Get(schemas.OpenedAs) != p.Mark() {
			p = principal.Principal{} // the form is of somebody else's page: it does nothing in this one's name
		}
		return g.passAs(w, r, route, p)
	}
}

// readOwn reads a form of the page, and leaves it to be read once more.
func (g *Gateway) readOwn(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ownForm))
	if err != nil {
		return nil, tooLarge(ownForm)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return url.Values{}, nil // it says nothing
	}
	return form, nil
}

// openOwn tries a code and a word. What was tried goes no further than to who keeps the codes.
func (g *Gateway) openOwn(w http.ResponseWriter, r *http.Request, route schemas.Route, form url.Values) error {
	if err := g.tries.Check(r); err != nil {
		return err
	}
	if err := g.allTries.Check(r); err != nil {
		return err
	}
	var opened schemas.OwnPageOpened
	found, err := g.askIntake(r.Context(), "/api/own-page/open",
		schemas.OwnPageTried{Code: form.Get("code"), Word: form.Get("word")}, &opened)
	if err != nil {
		return cannotOpen(err)
	}
	if !found {
		r.Body, r.ContentLength = http.NoBody, 0
		return g.passAs(w, r, route, principal.Principal{})
	}
	http.SetCookie(w, g.ownCookie(opened.Session, 0))
	http.Redirect(w, r, schemas.OwnPath, http.StatusSeeOther)
	return nil
}

// holderOf is the person whose page this browser has open, or nobody.
func (g *Gateway) holderOf(r *http.Request) (principal.Principal, error) {
	cookie, err := r.Cookie(g.ownCookie("", 0).Name)
	if err != nil || cookie.Value == "" {
		return principal.Principal{}, nil
	}
	var holder schemas.OwnPageHolder
	found, err := g.askIntake(r.Context(), "/api/own-page/session", schemas.OwnPageOpened{Session: cookie.Value},
		&holder)
	if err != nil || !found {
		return principal.Principal{}, err
	}
	return principal.Principal{Organisation: selfOrganisation, Role: string(schemas.Person), Subject: holder.Person,
		Team: schemas.OwnPageOf(holder.Journey)}, nil
}

// leaveOwn ends the session and leads away, whether or not the end could be stored: the browser has it no more.
func (g *Gateway) leaveOwn(w http.ResponseWriter, r *http.Request) error {
	if cookie, err := r.Cookie(g.ownCookie("", 0).Name); err == nil && cookie.Value != "" {
		if _, err := g.askIntake(r.Context(), "/api/own-page/leave", schemas.OwnPageOpened{Session: cookie.Value},
			nil); err != nil {
			g.config.Log.WarnContext(r.Context(), "a session of a person's page could not be ended", "error", err)
		}
	}
	http.SetCookie(w, g.ownCookie("", -1))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, leaveTo, http.StatusSeeOther)
	return nil
}

// ownCookie holds a session of the page, and is sent to its path alone, from its own pages alone. The browser forgets
// it when it is closed.
func (g *Gateway) ownCookie(value string, maxAge int) *http.Cookie {
	c := &http.Cookie{Name: "footbridge-y", Value: value, Path: schemas.OwnPath, MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteStrictMode}
	if g.config.Sessions != nil && g.config.Sessions.secure {
		c.Name, c.Secure = "__Secure-footbridge-y", true
	}
	return c
}

func cannotOpen(err error) error {
	p := httpx.NewProblem(http.StatusServiceUnavailable, "").Because(err)
	p.Header = http.Header{"Retry-After": {"60"}}
	return p
}

// itself is the gateway as it asks a service whose something is.
var itself = principal.Principal{Organisation: Name, Role: string(schemas.ServiceItself), Subject: Name}

// askIntake asks intake as this service itself. found is false where there is nothing.
func (g *Gateway) askIntake(ctx context.Context, path string, body, into any) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Timeout)
	defer cancel()
	status, err := g.exchange(ctx, itself, schemas.Intake, http.MethodPost, path, body, into)
	switch {
	case err != nil:
		return false, fmt.Errorf("asking intake: %w", err)
	case status == http.StatusNotFound:
		return false, nil
	case status >= 300:
		return false, fmt.Errorf("asking intake: it answered %d", status)
	}
	return true, nil
}
