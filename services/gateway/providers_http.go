package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/httpx"
	"footbridge/schemas"
	"footbridge/services/gateway/signin"
)

// Signing in by an identity provider: a browser leaves with a secret of its own for each attempt, so that five tabs may
// sign in at once, and what comes back is taken once, by that browser, from that provider. It is then somebody, chooses
// who they are here where that is several, or is told whom to ask.

// attemptLasts is how long somebody may take at the provider, and to choose.
const attemptLasts = 15 * time.Minute

// providerRoutes are the gateway's own part of signing in by a provider.
var providerRoutes = []schemas.Route{
	{Method: "GET", Pattern: "/sign-in/with/{provider}", Service: schemas.Gateway, Public: true,
		Meaning: "Leads to an identity provider to sign in."},
	{Method: "GET", Pattern: "/sign-in/from/{provider}", Service: schemas.Gateway, Public: true,
		Meaning: "Takes an identity provider's answer, once."},
	{Method: "GET", Pattern: "/sign-in/role", Service: schemas.Gateway, Public: true,
		Meaning: "Asks who somebody is here that may be several."},
	{Method: "POST", Pattern: "/sign-in/role", Service: schemas.Gateway, Public: true,
		Meaning: "Takes the choice, and begins a session."},
	{Method: "GET", Pattern: "/sign-in/leave/{provider}", Service: schemas.Gateway, Public: true,
		Meaning: "Leads to an identity provider to sign out there too."},
	{Method: "POST", Pattern: "/sign-in/ended/{provider}", Service: schemas.Gateway, Public: true,
		Meaning: "Takes an identity provider's word that somebody signed out there (back-channel logout)."},
}

// forProviders answers only where people sign in by providers.
func (g *Gateway) forProviders(h httpx.Handler) httpx.Handler {
	return g.signingIn(g.config.Providers != nil, "Signing in by an identity provider is not set up here.", h)
}

// signingIn takes the requests of a way to sign in, where that is set up here: small, kept by nobody, and forms of this
// site alone.
func (g *Gateway) signingIn(setUp bool, otherwise string, h httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !setUp || g.config.Sessions == nil {
			return httpx.NewProblem(http.StatusNotFound, otherwise)
		}
		r.Body = http.MaxBytesReader(w, r.Body, formBody)
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			return h(w, r)
		}
		if err := g.crossing.Check(r); err != nil {
			return otherSite.problem(err)
		}
		if err := r.ParseForm(); err != nil {
			return httpx.NewProblem(http.StatusBadRequest,
				"The form could not be read. Go back and send it again.").Because(err)
		}
		return h(w, r)
	}
}

// attemptCookie holds the secret of one attempt; its name has the attempt's short name, so that each tab has its own.
func (g *Gateway) attemptCookie(short, secret string, lasts time.Duration) *http.Cookie {
	c := g.config.Sessions.cookie(secret, int(lasts.Seconds()))
	c.Name = g.config.Sessions.name + "-to-" + short
	return c
}

// shortOf names an attempt among those of one browser.
func shortOf(state string) string { return state[:min(8, len(state))] }

// attemptOf is the secret of the attempt that a request is of, by its short name.
func (g *Gateway) attemptOf(r *http.Request, short string) string {
	cookie, err := r.Cookie(g.attemptCookie(short, "", 0).Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// toProvider leads to a provider. It changes nothing but for this browser, which another site may have sent here: it
// comes back as whoever is signed in at the provider, and sees so.
func (g *Gateway) toProvider(w http.ResponseWriter, r *http.Request) error {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	secret := base64.RawURLEncoding.EncodeToString(random)
	provider := r.PathValue("provider")
	to, err := g.config.Providers.Leave(r.Context(), provider, secret)
	if err != nil {
		return g.notSignedIn(w, r, provider, err)
	}
	now := g.config.Sessions.clock.Now()
	if err := beginAttempt(r.Context(), g.config.Sessions.pool, hashOf(secret), provider,
		ownPath(r.URL.Query().Get("next")), now, now.Add(-time.Hour)); err != nil {
		return cannotSay.problem(err)
	}
	http.SetCookie(w, g.attemptCookie(shortOf(signin.State(secret)), secret, attemptLasts))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// fromProvider takes a provider's answer. The attempt is used up first: whatever comes of it, it is not taken again.
func (g *Gateway) fromProvider(w http.ResponseWriter, r *http.Request) error {
	provider, answer, sessions := r.PathValue("provider"), r.URL.Query(), g.config.Sessions
	short := shortOf(answer.Get("state"))
	secret := g.attemptOf(r, short)
	if secret == "" || answer.Get("state") != signin.State(secret) {
		return g.signInPage(w, http.StatusBadRequest, signInOver)
	}
	now := sessions.clock.Now()
	next, found, err := useAttempt(r.Context(), sessions.pool, hashOf(secret), provider, now, now.Add(-attemptLasts))
	if err != nil {
		return cannotSay.problem(err)
	}
	if !found {
		return g.signInPage(w, http.StatusBadRequest, signInOver)
	}
	http.SetCookie(w, g.attemptCookie(short, "", -time.Second))
	person, err := g.config.Providers.Return(r.Context(), provider, secret, answer)
	if err != nil {
		return g.notSignedIn(w, r, provider, err)
	}
	d, err := g.config.Providers.Decide(provider, person.Claims)
	switch {
	case err != nil:
		return g.notSignedIn(w, r, provider, err)
	case len(d.Choices) == 0:
		return g.nobodyHere(w, r, provider, d)
	case len(d.Choices) > 1:
		return g.askRole(w, r, short, secret, person)
	}
	cookie, err := sessions.beginIn(r, sessions.pool, as(d, d.Choices[0]), &person)
	if err != nil {
		return cannotSay.problem(err)
	}
	return begun(w, r, cookie, next)
}

// begun gives a browser its session and leads it on.
func begun(w http.ResponseWriter, r *http.Request, session *http.Cookie, next string) error {
	http.SetCookie(w, session)
	http.Redirect(w, r, ownPath(next), http.StatusSeeOther)
	return nil
}

// askRole keeps who came back, sealed under what their browser holds, until they have chosen.
func (g *Gateway) askRole(w http.ResponseWriter, r *http.Request, short, secret string, person signin.Person) error {
	text, err := json.Marshal(person)
	if err != nil {
		return err
	}
	sealed, err := sealUnder(secret, text)
	if err != nil {
		return err
	}
	if err := keepPerson(r.Context(), g.config.Sessions.pool, hashOf(secret), sealed); err != nil {
		return cannotSay.problem(err)
	}
	http.SetCookie(w, g.attemptCookie(short, secret, attemptLasts))
	http.Redirect(w, r, "/sign-in/role?"+url.Values{"of": {short}}.Encode(), http.StatusSeeOther)
	return nil
}

// choosing is somebody who came back and is to choose who they are here.
type choosing struct {
	secret, next string
	person       signin.Person
	decision     signin.Decision
}

// choosingOf finds them by what their browser holds; nil where there is nobody, any more.
func (g *Gateway) choosingOf(ctx context.Context, secret string) (*choosing, error) {
	if secret == "" {
		return nil, nil
	}
	row, found, err := personOf(ctx, g.config.Sessions.pool, hashOf(secret),
		g.config.Sessions.clock.Now().Add(-attemptLasts))
	if err != nil {
		return nil, cannotSay.problem(err)
	}
	if !found {
		return nil, nil
	}
	text, err := openUnder(secret, row.Person)
	if err != nil {
		return nil, nil
	}
	c := &choosing{secret: secret, next: row.Next}
	if err := json.Unmarshal(text, &c.person); err != nil {
		return nil, err
	}
	if c.decision, err = g.config.Providers.Decide(row.Provider, c.person.Claims); err != nil {
		return nil, nil // the provider was taken away meanwhile
	}
	return c, nil
}

func (g *Gateway) showRoles(w http.ResponseWriter, r *http.Request) error {
	return g.roles(w, r, r.URL.Query().Get("of"), http.StatusOK, "")
}

func (g *Gateway) roles(w http.ResponseWriter, r *http.Request, short string, status int, wrong string) error {
	c, err := g.choosingOf(r.Context(), g.attemptOf(r, short))
	if err != nil {
		return err
	}
	if c == nil {
		return g.signInPage(w, http.StatusBadRequest, signInOver)
	}
	return g.signInPage(w, status, signInView{Title: "Who are you here today?", Step: "role", Of: short, Wrong: wrong,
		Choices: c.decision.Choices})
}

// takeRole begins a session of whom somebody chose to be, if the mapping lets them at this moment.
func (g *Gateway) takeRole(w http.ResponseWriter, r *http.Request) error {
	short := r.PostFormValue("of")
	c, err := g.choosingOf(r.Context(), g.attemptOf(r, short))
	if err != nil {
		return err
	}
	if c == nil {
		return g.signInPage(w, http.StatusBadRequest, signInOver)
	}
	i := slices.IndexFunc(c.decision.Choices, func(one signin.Choice) bool {
		return one.Key() == r.PostFormValue("who")
	})
	if i < 0 {
		return g.roles(w, r, short, http.StatusUnprocessableEntity, "Choose who you are here today")
	}
	var session *http.Cookie
	mine := false
	err = pgx.BeginFunc(r.Context(), g.config.Sessions.pool, func(tx pgx.Tx) (err error) {
		if mine, err = endAttempt(r.Context(), tx, hashOf(c.secret)); err != nil || !mine {
			return err
		}
		session, err = g.config.Sessions.beginIn(r, tx, as(c.decision, c.decision.Choices[i]), &c.person)
		return err
	})
	if err != nil {
		return cannotSay.problem(err)
	}
	if !mine {
		return g.signInPage(w, http.StatusBadRequest, signInOver)
	}
	http.SetCookie(w, g.attemptCookie(short, "", -time.Second))
	return begun(w, r, session, c.next)
}

// leaveProvider leads somebody who has signed out here to where they sign out at the provider, if it has such a place.
func (g *Gateway) leaveProvider(w http.ResponseWriter, r *http.Request) error {
	to := g.config.Providers.LeaveTo(r.Context(), r.PathValue("provider"))
	if to == "" {
		to = "/sign-in"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// endedThere takes a provider's word that somebody has signed out there. Of nobody who is signed in here, and said
// twice, it is answered alike: what matters is that nobody is.
func (g *Gateway) endedThere(w http.ResponseWriter, r *http.Request) error {
	out, err := g.config.Providers.LoggedOut(r.Context(), r.PathValue("provider"), r.PostFormValue("logout_token"))
	switch {
	case errors.Is(err, signin.ErrDown):
		p := httpx.NewProblem(http.StatusServiceUnavailable, "Your keys cannot be fetched just now, so that the "+
			"logout token was not looked at. Send it again in a minute.").Because(err)
		p.Header = http.Header{"Retry-After": {"60"}}
		return p
	case errors.Is(err, signin.ErrUnknownProvider):
		return httpx.NewProblem(http.StatusNotFound, "No identity provider has this address.")
	case err != nil:
		return httpx.NewProblem(http.StatusBadRequest, "This is not a logout token of this provider for this client, "+
			"of the last five minutes.").Because(err)
	}
	if err := storeSignedOut(r.Context(), g.config.Sessions.pool, out, out.At.Add(2*sessionLasts)); err != nil {
		return cannotSay.problem(err)
	}
	g.config.Sessions.ended.ring()
	w.WriteHeader(http.StatusOK)
	return nil
}

// nobodyHere tells somebody who is known at the provider, and not here, whom to ask. What was looked at is logged for
// whoever is asked, without any value of theirs.
func (g *Gateway) nobodyHere(w http.ResponseWriter, r *http.Request, provider string, d signin.Decision) error {
	g.config.Log.WarnContext(r.Context(), "somebody signed in at an identity provider and is nobody here",
		schemas.AttrProvider, provider, schemas.AttrRequest, httpx.RequestID(r.Context()),
		schemas.AttrReason, strings.Join(d.Why, "; "))
	v := signInView{Title: "You cannot use Footbridge yet", Step: "nobody", Ask: g.config.Providers.Mapping().Ask,
		Number: httpx.RequestID(r.Context()), LeftOut: len(d.LeftOut) > 0, Provider: provider,
		Leaves: g.config.Providers.LeaveTo(r.Context(), provider) != ""}
	return g.signInPage(w, http.StatusForbidden, v)
}

// notSignedIn says why somebody did not come in.
func (g *Gateway) notSignedIn(w http.ResponseWriter, r *http.Request, provider string, err error) error {
	g.config.Log.WarnContext(r.Context(), "a sign-in by an identity provider did not succeed",
		schemas.AttrProvider, provider, schemas.AttrRequest, httpx.RequestID(r.Context()), schemas.AttrError, err)
	v := signInView{Number: httpx.RequestID(r.Context()), Provider: provider, Ask: g.config.Providers.Mapping().Ask}
	switch {
	case errors.Is(err, signin.ErrUnknownProvider):
		return httpx.NewProblem(http.StatusNotFound, "No identity provider has this address.")
	case errors.Is(err, signin.ErrDown):
		v.Title, v.Step = "Signing in does not work just now", "down"
		w.Header().Set("Retry-After", "30")
		return g.signInPage(w, http.StatusServiceUnavailable, v)
	case errors.Is(err, signin.ErrAssurance):
		v.Title, v.Step = "Please sign in in a stronger way", "weak"
		return g.signInPage(w, http.StatusForbidden, v)
	}
	v.Title, v.Step = "You are not signed in", "refused"
	return g.signInPage(w, http.StatusForbidden, v)
}

// signInView is what a page of signing in by a provider shows.
type signInView struct {
	Title, Step, Of, Wrong, Provider, Ask, Number string
	Choices                                       []signin.Choice
	LeftOut, Leaves                               bool
}

var signInOver = signInView{Title: "This sign-in does not work any more", Step: "over"}

func (g *Gateway) signInPage(w http.ResponseWriter, status int, v signInView) error {
	var page bytes.Buffer
	if err := g.frames.signIn.Execute(&page, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the caller has gone; nobody is left to tell
	return nil
}

var signInPages = template.Must(template.Must(standing.Clone()).Parse(
	`{{define "title"}}{{if .Wrong}}Error: {{end}}{{.Title}}{{end}}
{{define "content"}}
{{with .Wrong}}<div class="nhsuk-error-summary"><div role="alert"><h2 class="nhsuk-error-summary__title">There is a problem</h2><div class="nhsuk-error-summary__body"><ul class="nhsuk-list nhsuk-error-summary__list"><li><a href="#who-1">{{.}}</a></li></ul></div></div></div>
{{end}}{{if eq .Step "role"}}
<form action="/sign-in/role" method="post" novalidate>
<input type="hidden" name="of" value="{{.Of}}">
<div class="nhsuk-form-group{{if .Wrong}} nhsuk-form-group--error{{end}}">
<fieldset class="nhsuk-fieldset" aria-describedby="who-hint{{if .Wrong}} who-error{{end}}">
<legend class="nhsuk-fieldset__legend nhsuk-fieldset__legend--l"><h1 class="nhsuk-fieldset__heading">{{.Title}}</h1></legend>
<div class="nhsuk-hint" id="who-hint">What you see and do follows from this. It stands at the top of every page. To change it, sign out and in again.</div>
{{with .Wrong}}<span class="nhsuk-error-message" id="who-error"><span class="nhsuk-u-visually-hidden">Error:</span> {{.}}</span>
{{end}}<div class="nhsuk-radios">
{{range $i, $c := .Choices}}<div class="nhsuk-radios__item"><input class="nhsuk-radios__input" id="who-{{if eq $i 0}}1{{else}}{{$c.Rule}}-{{$i}}{{end}}" name="who" type="radio" value="{{$c.Key}}"><label class="nhsuk-label nhsuk-radios__label" for="who-{{if eq $i 0}}1{{else}}{{$c.Rule}}-{{$i}}{{end}}">{{$c.Name}}, {{$c.Organisation}}{{with $c.Team}} ({{.}}){{end}}</label></div>
{{end}}</div></fieldset></div>
<button class="nhsuk-button">Continue</button>
</form>
{{else}}<h1>{{.Title}}</h1>
{{if eq .Step "over"}}
<p>It may have been used already, begun in another browser, or taken longer than 15 minutes. Nothing was changed. That is quickly put right.</p>
<p><a class="nhsuk-button" href="/sign-in">Sign in again</a></p>
{{else if eq .Step "nobody"}}
<p>Your own sign-in worked. It has not been said yet what you do in Footbridge, so nothing can be shown to you.</p>
{{if .LeftOut}}<p>Your sign-in has so many groups that they were left out, so we could not look. Please pass that on too.</p>
{{end}}{{if .Ask}}<p>Please ask {{.Ask}} to give you access.</p>
{{else}}<p>Please ask your team’s lead, or whoever runs Footbridge for you, to give you access.</p>
{{end}}<p>Is somebody with you now who needs support? <a href="/get-support">Support can be asked for here</a>, without signing in.</p>
{{else if eq .Step "down"}}
<p>The service that says who you are does not answer. Nothing you did is wrong. Please wait a minute and try again; whoever is signed in already can go on working.</p>
<p><a class="nhsuk-button" href="/sign-in">Try again</a></p>
<p>Is it urgent? Ring your navigator, or the colleague on duty. {{with .Ask}}If it goes on, tell {{.}}.{{else}}If it goes on, tell whoever runs Footbridge for you.{{end}}</p>
{{else if eq .Step "weak"}}
<p>Footbridge holds what people in distress have said, so it asks for a stronger sign-in than the one you used: a smartcard, a passkey or a second proof, by what your organisation has agreed.</p>
<p><a class="nhsuk-button" href="/sign-in">Sign in again</a></p>
<p>You have none of these? {{with .Ask}}Ask {{.}}.{{else}}Ask whoever gives out accounts in your organisation.{{end}}</p>
{{else}}
<p>The sign-in was cancelled, or its answer could not be trusted, so nobody was signed in. Nothing was changed.</p>
<p><a class="nhsuk-button" href="/sign-in">Sign in again</a></p>
{{with .Ask}}<p>If it goes on, ask {{.}}.</p>
{{end}}{{end}}{{if .Leaves}}<p><a href="/sign-in/leave/{{.Provider}}">Sign out there, to sign in as somebody else</a></p>
{{end}}{{with .Number}}<p class="fb-quiet">Number of this request: <code>{{.}}</code></p>
{{end}}{{end}}
{{end}}`))
