package gateway

import (
	"bytes"
	"context"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// A form says for whom its page was made. Two people may share a screen, and a tab stays open when somebody else signs
// in: what one has filled in must not be sent in the other's name unseen. And whatever a form is refused for, what was
// entered is given back to be sent again: a browser's way back often has it no more.

// sent is the form of a request, for whoever has to refuse it.
type sent struct {
	form url.Values
	as   string // the mark of whoever it would be sent as now; empty: as it was opened

	frames *frames // of the pages that it may be refused with
}

type sentKey struct{}

// withSent makes room for a request's form.
func (g *Gateway) withSent(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), sentKey{}, &sent{frames: g.frames}))
}

func sentOf(r *http.Request) *sent {
	if s, ok := r.Context().Value(sentKey{}).(*sent); ok {
		return s
	}
	return &sent{frames: plainFrames}
}

// readForm reads the form of a page's request, which is from one of our pages, and leaves the body to be read once
// more. What is no form, or too long for one, is left to whoever reads it next.
func readForm(route schemas.Route, r *http.Request) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Method != http.MethodPost || route.Public ||
		!isPage(route) || r.ContentLength > formBody {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, formBody+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	form, wrong := url.ParseQuery(string(body))
	if err == nil && wrong == nil && len(body) <= formBody {
		sentOf(r).form = form
	}
}

// isPage says whether a route is one of a person's pages rather than of programs.
func isPage(route schemas.Route) bool {
	return route.Service == schemas.Console ||
		slices.ContainsFunc(signingRoutes, func(own schemas.Route) bool { return own.Mux() == route.Mux() })
}

// openedAsAnother says that a form was opened as somebody else than who sends it. Guests are nobody in particular.
func openedAsAnother(route schemas.Route, r *http.Request, p principal.Principal) bool {
	s := sentOf(r)
	if s.form == nil || slices.Equal(route.Roles, guests) || s.form.Get(schemas.OpenedAs) == p.Mark() {
		return false
	}
	s.as = p.Mark()
	return true
}

// kept is a form that was refused, to be sent again.
type kept struct {
	Action  string
	Fields  []field
	Entered []string // what somebody wrote or chose, to be seen
	Changed bool     // it would be sent as somebody else than who opened it
}

type field struct{ Name, Value string }

// keep gives a refused form back; nil where there is none, or where sending it again is of no use.
func keep(r *http.Request, p *httpx.Problem) *kept {
	s := sentOf(r)
	again := p.Status >= 500 || p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests ||
		p.Type == problemPrefix+formOfAnother.name
	if s.form == nil || !again {
		return nil
	}
	k := &kept{Action: r.URL.RequestURI(), Changed: s.as != ""}
	for _, name := range slices.Sorted(maps.Keys(s.form)) {
		for _, value := range s.form[name] {
			if name == schemas.OpenedAs && s.as != "" {
				continue
			}
			k.Fields = append(k.Fields, field{name, value})
			if name != schemas.OpenedAs && name != "request" && strings.TrimSpace(value) != "" {
				k.Entered = append(k.Entered, value)
			}
		}
	}
	if s.as != "" {
		k.Fields = append(k.Fields, field{schemas.OpenedAs, s.as})
	}
	return k
}
