package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// signingRoutes are the gateway's own part of signing in and out; the page that asks who is there is the console's.
var signingRoutes = []schemas.Route{
	{Method: "POST", Pattern: "/sign-in", Service: schemas.Gateway, Public: true, Meaning: "Signs in, in development."},
	{Method: "POST", Pattern: "/sign-out", Service: schemas.Gateway, Public: true,
		Meaning: "Signs out: the session ends here."},
	{Method: "POST", Pattern: "/sign-out/all", Service: schemas.Gateway,
		Meaning: "Ends every session of whoever asks, on every device.", Roles: signedInRoles},
	{Method: "GET", Pattern: "/sessions", Service: schemas.Gateway, Meaning: "Where whoever asks is signed in.",
		Roles: signedInRoles},
	{Method: "POST", Pattern: "/sessions/{id}/end", Service: schemas.Gateway, Meaning: "Ends one of them.",
		Roles: signedInRoles},
	{Method: "GET", Pattern: "/sign-in/worker", Service: schemas.Gateway, Public: true,
		Meaning: "Asks a partner's worker for their address."},
	{Method: "POST", Pattern: "/sign-in/worker", Service: schemas.Gateway, Public: true,
		Meaning: "Mails a link to a worker's address; answers alike whoever's it is."},
	{Method: "GET", Pattern: "/sign-in/link/{token}", Service: schemas.Gateway, Public: true,
		Meaning: "Shows a button, whatever the token."},
	{Method: "POST", Pattern: "/sign-in/link/{token}", Service: schemas.Gateway, Public: true,
		Meaning: "Uses a link, once."},
	{Method: "GET", Pattern: "/sign-in/second", Service: schemas.Gateway, Public: true,
		Meaning: "Asks for a second factor."},
	{Method: "POST", Pattern: "/sign-in/second", Service: schemas.Gateway, Public: true,
		Meaning: "Takes it, and begins a session."},
	{Method: "GET", Pattern: "/sign-in/keys", Service: schemas.Gateway, Public: true,
		Meaning: "A worker's own keys, shortly after signing in."},
	{Method: "POST", Pattern: "/sign-in/keys", Service: schemas.Gateway, Public: true,
		Meaning: "Adds or removes one of them."},
	{Method: "GET", Pattern: "/sign-in/authenticator.png", Service: schemas.Gateway, Public: true,
		Meaning: "What an authenticator reads that is being added."},
	{Method: "GET", Pattern: "/partners/{id}/workers", Service: schemas.Gateway, Meaning: "A partner's workers.",
		Roles: managing},
	{Method: "POST", Pattern: "/partners/{id}/workers", Service: schemas.Gateway, Roles: managing,
		Meaning: "Adds a worker, gives one a code, changes their address, or ends them."},
}

// SigningRoutes are the routes of signing in and out.
func SigningRoutes() []schemas.Route { return slices.Concat(signingRoutes, providerRoutes) }

// managing see to the workers of partners.
var managing = []schemas.Role{schemas.Navigator, schemas.Partner}

// signedInRoles are those who can be signed in with a browser.
var signedInRoles = []schemas.Role{schemas.SendingTeam, schemas.Navigator, schemas.TreatingStaff,
	schemas.YoungPeoplesClinician, schemas.Caller, schemas.Partner,
	schemas.Operator, schemas.Commissioner, schemas.Person}

// signIn begins a session of whoever was chosen. A session that the browser came with ends.
func (g *Gateway) signIn(w http.ResponseWriter, r *http.Request) error {
	if g.config.SignIn == nil || g.config.Sessions == nil {
		return httpx.NewProblem(http.StatusNotFound, "Signing in here is for development only.")
	}
	if err := r.ParseForm(); err != nil {
		return httpx.NewProblem(http.StatusBadRequest,
			"The form could not be read. Go back and send it again.").Because(err)
	}
	next := ownPath(r.PostFormValue("next"))
	p, known := g.config.SignIn(r.PostFormValue("who"))
	if !known {
		http.Redirect(w, r, g.config.SignInPath+"?"+url.Values{"next": {next}, "who": {"nobody"}}.Encode(),
			http.StatusSeeOther)
		return nil
	}
	if err := g.config.Sessions.Begin(w, r, p); err != nil {
		return cannotSay.problem(fmt.Errorf("signing in: %w", err))
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// signOut ends the session of this browser. Where that could not be stored it is not said to be done.
func (g *Gateway) signOut(w http.ResponseWriter, r *http.Request) error {
	next, by := "/sign-in", ""
	if g.config.Sessions != nil {
		var err error
		if by, err = g.config.Sessions.providerOf(r); err != nil {
			return cannotSay.problem(err)
		}
		if err := g.config.Sessions.End(w, r); err != nil {
			return cannotSay.problem(err)
		}
	}
	if g.config.Workers != nil && g.pendingOf(r) != "" {
		if err := g.config.Workers.Forget(r.Context(), g.pendingOf(r)); err != nil {
			return cannotSay.problem(err)
		}
		http.SetCookie(w, g.pending("", -time.Second))
	}
	if by != "" && g.config.Providers != nil && g.config.Providers.LeaveTo(r.Context(), by) != "" {
		next += "?" + url.Values{"because": {signedOut.name}, "by": {by}}.Encode()
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// signOutEverywhere ends every session of whoever asks.
func (g *Gateway) signOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if g.config.Sessions == nil {
		return httpx.NewProblem(http.StatusNotFound, "Nobody signs in here.")
	}
	if err := g.forgetAll(r, p); err != nil { // first: without a session nobody comes back to try again
		return err
	}
	if _, err := g.config.Sessions.EndAll(r.Context(), p); err != nil {
		return cannotSay.problem(err)
	}
	return g.signOut(w, r)
}

// forgetAll ends the sign-ins of whoever asks beside the sessions that they led to, on whatever device.
func (g *Gateway) forgetAll(r *http.Request, p principal.Principal) error {
	if g.config.Workers == nil {
		return nil
	}
	if err := g.config.Workers.ForgetAll(r.Context(), p); err != nil {
		return cannotSay.problem(err)
	}
	return nil
}

// ownPath is where to go after signing in: a path of this site, else the start. Anything that a browser could read
// as another site is not taken.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
