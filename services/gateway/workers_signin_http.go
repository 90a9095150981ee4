package gateway

import (
	"bytes"
	"errors"
	"html/template"
	"image/png"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/services/gateway/workers"
)

// The pages by which a partner's named worker signs in: an address, the link that is mailed to it, a second factor.
// They stand by themselves, as whoever sees them is nobody yet. None needs scripts but a passkey's button.

// pendingLasts is how long a browser holds what it was given for its link.
const pendingLasts = 10 * time.Minute

// pending is the cookie of a browser between link and second factor, and shortly after it.
func (g *Gateway) pending(value string, maxAge time.Duration) *http.Cookie {
	c := g.config.Sessions.cookie(value, int(maxAge.Seconds()))
	c.Name = g.pendingName()
	return c
}

func (g *Gateway) pendingName() string { return g.config.Sessions.name + "-on-the-way" }

func (g *Gateway) pendingOf(r *http.Request) string {
	cookie, err := r.Cookie(g.pendingName())
	if err != nil {
		return ""
	}
	return cookie.Value
}

// forWorkers answers only where workers can sign in.
func (g *Gateway) forWorkers(h httpx.Handler) httpx.Handler {
	return g.signingIn(g.config.Workers != nil, "Signing in of partners' workers is not set up here.", h)
}

// knocked is what a sign-in page shows.
type knocked struct {
	Title, Step, Wrong, Token string
	Ways                      workers.Ways
	Here                      bool   // passkeys can be used at this address
	Options                   string // what a passkey is to sign
	Secret                    string // of an authenticator that can be added
	Added                     string
	Keys                      []knockedKey
}

// knockedKey is one passkey, and when it was added.
type knockedKey struct{ ID, At string }

// knockPage answers with a page of signing in.
func (g *Gateway) knockPage(w http.ResponseWriter, status int, v knocked) error {
	var page bytes.Buffer
	if err := g.frames.knock.Execute(&page, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the caller has gone; nobody is left to tell
	return nil
}

func (g *Gateway) showKnock(w http.ResponseWriter, _ *http.Request) error {
	return g.knockPage(w, http.StatusOK, knocked{Title: "Sign in as a partner’s worker", Step: "ask"})
}

// knock takes an address. What is answered, and how, is the same whoever's it is.
func (g *Gateway) knock(w http.ResponseWriter, r *http.Request) error {
	if err := g.knocks.Check(r); err != nil {
		return err
	}
	if err := g.config.Workers.Ask(r.Context(), r.PostFormValue("mail"), g.addressOf(r)); err != nil {
		return cannotSay.problem(err)
	}
	return g.knockPage(w, http.StatusOK, knocked{Title: "Look in your mailbox", Step: "asked"})
}

// showLink shows a button, whatever the token: programs that look at links in mails press none.
func (g *Gateway) showLink(w http.ResponseWriter, r *http.Request) error {
	return g.knockPage(w, http.StatusOK, knocked{Title: "Go on signing in", Step: "link", Token: r.PathValue("token")})
}

func (g *Gateway) useLink(w http.ResponseWriter, r *http.Request) error {
	pending, err := g.config.Workers.Open(r.Context(), r.PathValue("token"))
	if errors.Is(err, workers.ErrOver) {
		if err := g.knocks.Check(r); err != nil { // guesses only: a right link is never turned away
			return err
		}
		return g.over(w)
	}
	if err != nil {
		return cannotSay.problem(err)
	}
	http.SetCookie(w, g.pending(pending, pendingLasts))
	http.Redirect(w, r, "/sign-in/second", http.StatusSeeOther)
	return nil
}

// over is the one page for a link or a sign-in that does not work any more, or never did.
func (g *Gateway) over(w http.ResponseWriter) error {
	return g.knockPage(w, http.StatusOK, knocked{Title: "This sign-in does not work any more", Step: "over"})
}

func (g *Gateway) showSecond(w http.ResponseWriter, r *http.Request) error {
	return g.second(w, r, http.StatusOK, "")
}

func (g *Gateway) second(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	ways, err := g.config.Workers.Ways(r.Context(), g.pendingOf(r))
	if errors.Is(err, workers.ErrOver) {
		return g.over(w)
	}
	if err != nil {
		return cannotSay.problem(err)
	}
	if ways.Proved {
		http.Redirect(w, r, "/sign-in/keys", http.StatusSeeOther)
		return nil
	}
	v := knocked{Title: "Show that it is you", Step: "second", Wrong: wrong, Ways: ways}
	if v.Here = g.config.Workers.Passkeys(r.Host); v.Here && ways.Passkeys > 0 {
		options, err := g.config.Workers.Challenge(r.Context(), g.pendingOf(r))
		if err != nil {
			return cannotSay.problem(err)
		}
		v.Options = string(options)
	}
	return g.knockPage(w, status, v)
}

// takeSecond takes a second factor, and begins a session where it is right.
func (g *Gateway) takeSecond(w http.ResponseWriter, r *http.Request) error {
	var session *http.Cookie
	begin := func(tx pgx.Tx, p principal.Principal) (err error) {
		session, err = g.config.Sessions.beginIn(r, tx, p, nil)
		return err
	}
	prove := func() (bool, error) {
		if signed := r.PostFormValue("signed"); signed != "" {
			return g.config.Workers.Passkey(r.Context(), g.pendingOf(r), []byte(signed), begin)
		}
		return g.config.Workers.Code(r.Context(), g.pendingOf(r), r.PostFormValue("code"), begin)
	}
	ready, err := prove()
	switch {
	case errors.Is(err, workers.ErrWrong):
		return g.second(w, r, http.StatusUnprocessableEntity, "This was not right. Look at it, and try again")
	case errors.Is(err, workers.ErrOver):
		return g.over(w)
	case err != nil:
		return cannotSay.problem(err)
	}
	http.SetCookie(w, session)
	http.SetCookie(w, g.pending(g.pendingOf(r), pendingLasts)) // for changing one's own keys
	next := "/offers"
	if !ready {
		next = "/sign-in/keys"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (g *Gateway) showKeys(w http.ResponseWriter, r *http.Request) error {
	return g.ownKeys(w, r, http.StatusOK, "", r.URL.Query().Get("added"))
}

// ownKeys shows somebody's own keys, shortly after they signed in.
func (g *Gateway) ownKeys(w http.ResponseWriter, r *http.Request, status int, wrong, added string) error {
	pending := g.pendingOf(r)
	ways, err := g.config.Workers.Ways(r.Context(), pending)
	if errors.Is(err, workers.ErrOver) || err == nil && !ways.Proved {
		return g.knockPage(w, http.StatusOK, knocked{Title: "Sign in again to change your keys", Step: "again"})
	}
	if err != nil {
		return cannotSay.problem(err)
	}
	v := knocked{Title: "Your keys", Step: "keys", Wrong: wrong, Ways: ways, Added: addedWords[added],
		Here: g.config.Workers.Passkeys(r.Host)}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return err
	}
	for _, key := range ways.Added {
		v.Keys = append(v.Keys, knockedKey{key.ID, key.At.In(zone).Format("2 January 2006, 15:04")})
	}
	if v.Here {
		options, err := g.config.Workers.Challenge(r.Context(), pending)
		if err != nil {
			return cannotSay.problem(err)
		}
		v.Options = string(options)
	}
	if !ways.Authenticator {
		key, err := g.config.Workers.Authenticator(r.Context(), pending)
		if err != nil {
			return cannotSay.problem(err)
		}
		v.Secret = key.Secret()
	}
	return g.knockPage(w, status, v)
}

// addedWords say what was just done with one's keys.
var addedWords = map[string]string{
	"passkey":       "Your passkey is added. Add a second one on another device if you can: one may be lost.",
	"authenticator": "Your authenticator is added. You will be asked for its six digits.",
	"removed":       "It is removed.",
}

// changeKeys adds or removes one of one's own keys.
func (g *Gateway) changeKeys(w http.ResponseWriter, r *http.Request) error {
	all, ctx, pending, what := g.config.Workers, r.Context(), g.pendingOf(r), ""
	var err error
	switch r.PostFormValue("do") {
	case "passkey":
		what, err = "passkey", all.AddPasskey(ctx, pending, []byte(r.PostFormValue("made")))
	case "authenticator":
		what, err = "authenticator", all.AddAuthenticator(ctx, pending, r.PostFormValue("code"))
	case "drop-authenticator":
		what, err = "removed", all.DropAuthenticator(ctx, pending)
	case "drop-passkey":
		what, err = "removed", all.DropPasskey(ctx, pending, r.PostFormValue("key"))
	default:
		err = workers.ErrWrong
	}
	switch {
	case errors.Is(err, workers.ErrOver):
		return g.ownKeys(w, r, http.StatusOK, "", "")
	case errors.Is(err, workers.ErrWrong):
		return g.ownKeys(w, r, http.StatusUnprocessableEntity, "This was not right, and nothing was changed. Try again",
			"")
	case err != nil:
		return cannotSay.problem(err)
	}
	http.Redirect(w, r, "/sign-in/keys?added="+what, http.StatusSeeOther)
	return nil
}

// showSecret is the picture that an authenticator reads the secret from.
func (g *Gateway) showSecret(w http.ResponseWriter, r *http.Request) error {
	key, err := g.config.Workers.Authenticator(r.Context(), g.pendingOf(r))
	if errors.Is(err, workers.ErrOver) {
		return httpx.NewProblem(http.StatusNotFound, "There is no such picture any more. Sign in again.")
	}
	if err != nil {
		return cannotSay.problem(err)
	}
	picture, err := key.Image(240, 240)
	if err != nil {
		return errors.New("drawing the secret of an authenticator")
	}
	w.Header().Set("Content-Type", "image/png")
	return png.Encode(w, picture)
}

var knockPages = template.Must(template.Must(standing.Clone()).Parse(
	`{{define "title"}}{{if .Wrong}}Error: {{end}}{{.Title}}{{end}}
{{define "head"}}{{if .Options}}<script type="module" src="{{asset "passkey.js"}}"></script>
{{end}}{{end}}
{{define "content"}}
{{with .Wrong}}<div class="nhsuk-error-summary"><div role="alert"><h2 class="nhsuk-error-summary__title">There is a problem</h2><div class="nhsuk-error-summary__body"><ul class="nhsuk-list nhsuk-error-summary__list"><li><a href="#code">{{.}}</a></li></ul></div></div></div>
{{end}}<h1>{{.Title}}</h1>
{{if eq .Step "ask"}}
<p>For those who work at an organisation that gives follow-up sessions. We mail you a link, and then ask for your passkey, your authenticator, or a code that was told to you by telephone.</p>
<form action="/sign-in/worker" method="post" novalidate>
<div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="mail">Your e-mail address at work</label>
<input class="nhsuk-input" id="mail" name="mail" type="email" autocomplete="email" spellcheck="false"></div>
<button class="nhsuk-button">Mail me a link</button>
</form>
{{else if eq .Step "asked"}}
<p>If this is the address of somebody who signs in here, a link is on its way. It works once, for 15 minutes. At most three are sent in that time.</p>
<p>Nothing there after some minutes? Look among unwanted mail, or ask the colleague or navigator who added you which address they wrote down.</p>
{{else if eq .Step "link"}}
<p>Press the button to go on. Next you will be asked for your passkey, your authenticator, or a code that was told to you.</p>
<form action="/sign-in/link/{{.Token}}" method="post"><button class="nhsuk-button">Go on signing in</button></form>
<p>You did not ask for a link? Close this page: without your second proof nobody comes in.</p>
{{else if eq .Step "over"}}
<p>The link may have been used already, may be older than 15 minutes, or a code was wrong too often. That is quickly put right.</p>
<p><a class="nhsuk-button" href="/sign-in/worker">Ask for a new link</a></p>
<p>You have lost your passkey or authenticator? Ring a colleague who signs in here, or the navigator: they ring you back at the number that was recorded, and tell you a code.</p>
{{else if eq .Step "again"}}
<p>Keys can be added and removed in the ten minutes after signing in, so that nobody does it at a screen that you left.</p>
<p><a class="nhsuk-button" href="/sign-in/worker">Ask for a new link</a></p>
{{else if eq .Step "second"}}
{{if .Options}}<form action="/sign-in/second" method="post" data-passkey="get" data-options="{{.Options}}" hidden><input type="hidden" name="signed">
<button class="nhsuk-button">Use my passkey</button><p data-passkey-failed hidden role="alert">The passkey was not read. Try again, or use a code.</p></form>
{{else if and .Ways.Passkeys (not .Here)}}<p>Your passkey works under the usual address of this site alone.</p>
{{end}}<form action="/sign-in/second" method="post" novalidate>
<div class="nhsuk-form-group{{if .Wrong}} nhsuk-form-group--error{{end}}"><label class="nhsuk-label nhsuk-label--s" for="code">{{if .Ways.Authenticator}}The six digits of your authenticator, or a code that was told to you{{else}}The code that was told to you by telephone{{end}}</label>
{{with .Wrong}}<span class="nhsuk-error-message" id="code-error"><span class="nhsuk-u-visually-hidden">Error:</span> {{.}}</span>
{{end}}<input class="nhsuk-input nhsuk-input--width-10" id="code" name="code" type="text" autocomplete="one-time-code" spellcheck="false" autocapitalize="none"{{if .Wrong}} aria-describedby="code-error"{{end}}></div>
<button class="nhsuk-button{{if .Options}} nhsuk-button--secondary{{end}}">Sign in</button>
</form>
<p>You have neither? Ring a colleague who signs in here, or the navigator: they ring you back at the number that was recorded, and tell you a code.</p>
{{else if eq .Step "keys"}}
{{with .Added}}<p role="status"><strong>{{.}}</strong></p>
{{end}}<p>You are signed in. With a passkey or an authenticator nobody need ring you with a code next time.</p>
{{if .Options}}<form action="/sign-in/keys" method="post" data-passkey="create" data-options="{{.Options}}" hidden><input type="hidden" name="do" value="passkey"><input type="hidden" name="made">
<h2>A passkey</h2><p>Your telephone, computer or security key keeps it, and you unlock it as you unlock that.</p>
<button class="nhsuk-button">Add a passkey on this device</button><p data-passkey-failed hidden role="alert">The passkey was not added. Try again, or add an authenticator.</p></form>
{{end}}{{if .Keys}}<h2>Your passkeys</h2><ul class="nhsuk-list nhsuk-list--border">{{range .Keys}}<li>Added on {{.At}}
<form action="/sign-in/keys" method="post"><input type="hidden" name="do" value="drop-passkey"><input type="hidden" name="key" value="{{.ID}}"><button class="nhsuk-button nhsuk-button--secondary">Remove it<span class="nhsuk-u-visually-hidden">: the passkey added on {{.At}}</span></button></form></li>{{end}}</ul>
{{end}}<h2>An authenticator</h2>
{{if .Secret}}<p>An app, or a password manager, that shows six digits. Have it read this picture, or type what stands below it.</p>
<p><img src="/sign-in/authenticator.png" width="240" height="240" alt="The same as what stands below, for an app to read"></p>
<p>Key: <code class="fb-long">{{.Secret}}</code></p>
<form action="/sign-in/keys" method="post" novalidate><input type="hidden" name="do" value="authenticator">
<div class="nhsuk-form-group{{if .Wrong}} nhsuk-form-group--error{{end}}"><label class="nhsuk-label nhsuk-label--s" for="code">The six digits that it shows now</label>
{{with .Wrong}}<span class="nhsuk-error-message" id="code-error"><span class="nhsuk-u-visually-hidden">Error:</span> {{.}}</span>
{{end}}<input class="nhsuk-input nhsuk-input--width-10" id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code"{{if .Wrong}} aria-describedby="code-error"{{end}}></div>
<button class="nhsuk-button">Add this authenticator</button></form>
{{else}}<p>You have one.</p>
<form action="/sign-in/keys" method="post"><input type="hidden" name="do" value="drop-authenticator"><button class="nhsuk-button nhsuk-button--secondary">Remove my authenticator</button></form>
{{end}}<p><a class="nhsuk-button nhsuk-button--secondary" href="/offers">Go to your offers</a></p>
{{end}}
{{end}}`))
