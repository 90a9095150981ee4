package gateway

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/workers"
)

// workersView is the page of a partner's workers.
type workersView struct {
	Partner, Name, Path string
	Own                 bool
	Lines               []workerLine
	Left                []workerLine
	Told                *toldLine
	Wrong, Done         string
	Entered             workers.NewWorker
	MayAdd              bool
	Field, Mark         string
	Separate            string // on a partner's view, from what its sessions are separate
}

type workerLine struct {
	ID, Name, Mail, Phone, Keys, Seen, Code string
	Self                                    bool
	May                                     map[string]bool
	Deeds                                   []string
}

type toldLine struct{ Name, Phone, Code, Until string }

func (g *Gateway) showWorkers(w http.ResponseWriter, r *http.Request) error {
	p, id, seen, err := g.ofPartner(r)
	if err != nil {
		return err
	}
	return g.workersPage(w, r, p, id, seen, http.StatusOK, workersView{Done: workersDone[r.URL.Query().Get("said")]})
}

var workersDone = map[string]string{
	"mail":  "The address is changed. They are signed out everywhere, and sign in again by the new one.",
	"ended": "They are signed out everywhere, and cannot sign in any more.",
}

func (g *Gateway) workersPage(w http.ResponseWriter, r *http.Request, p principal.Principal, id string,
	seen partnerSeen, status int, v workersView) error {
	all, verdict, err := g.config.Workers.List(r.Context(), p, id)
	if err == nil {
		err = asked(verdict)
	}
	if err != nil {
		return err
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return err
	}
	v.Partner, v.Name, v.Path, v.Own = id, seen.Name, "/partners/"+id+"/workers", p.Role == string(schemas.Partner)
	v.Field, v.Mark = schemas.OpenedAs, p.Mark()
	if v.Own {
		v.Separate = schemas.SeparateFrom("")
	}
	v.MayAdd = v.Own || !slices.ContainsFunc(all, func(w workers.Worker) bool {
		return w.EndedAt == nil && (w.Authenticator || w.Passkeys > 0)
	})
	for _, one := range all {
		line := lineOf(one, p, zone)
		if one.EndedAt != nil {
			v.Left = append(v.Left, line)
			continue
		}
		v.Lines = append(v.Lines, line)
		if v.Told != nil && v.Told.Name == one.ID {
			v.Told.Name, v.Told.Phone = one.Name, one.Phone
		}
	}
	var page bytes.Buffer
	if err := g.frames.workers.Execute(&page, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the caller has gone; nobody is left to tell
	return nil
}

func lineOf(one workers.Worker, p principal.Principal, zone *time.Location) workerLine {
	words := func(t time.Time) string { return t.In(zone).Format("Monday 2 January 2006, 15:04") }
	line := workerLine{ID: one.ID, Name: one.Name, Mail: one.Mail, Phone: one.Phone, Self: one.ID == p.Subject,
		Seen: "Not in the last 90 days", May: map[string]bool{}}
	for _, may := range one.May {
		line.May[may] = true
	}
	switch {
	case one.Passkeys > 0 && one.Authenticator:
		line.Keys = "Passkey and authenticator"
	case one.Passkeys > 0:
		line.Keys = "Passkey"
	case one.Authenticator:
		line.Keys = "Authenticator"
	default:
		line.Keys = "None yet: each sign-in takes a code that is told to them"
	}
	if one.SignedInAt != nil {
		line.Seen = words(*one.SignedInAt)
	}
	if one.CodeUntil != nil {
		line.Code = words(*one.CodeUntil)
	}
	for _, deed := range one.Deeds[:min(len(one.Deeds), 10)] {
		line.Deeds = append(line.Deeds, words(deed.At)+": "+deedWords[deed.What])
	}
	return line
}

// deedWords are what was done about a worker.
var deedWords = map[string]string{"added": "added", "code-given": "a code was given, to be told to them",
	"key-lost": "their keys were ended, and a code was given", "mail-changed": "their address was changed",
	"ended": "they left", "signed-in": "signed in", "passkey-added": "added a passkey",
	"authenticator-added": "added an authenticator", "key-removed": "removed a key of theirs"}

// changeWorkers does what a form of the page says. A code is shown in the answer to it alone.
func (g *Gateway) changeWorkers(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return httpx.NewProblem(http.StatusBadRequest,
			"The form could not be read. Go back and send it again.").Because(err)
	}
	p, id, seen, err := g.ofPartner(r)
	if err != nil {
		return err
	}
	var v workersView
	said, told := "", workers.Told{}
	worker := r.PostFormValue("worker")
	switch r.PostFormValue("do") {
	case "add":
		v.Entered = workers.NewWorker{Name: r.PostFormValue("name"), Mail: r.PostFormValue("mail"),
			Phone: r.PostFormValue("phone")}
		told, err = g.add(r, v.Entered)
	case "code":
		told, err = g.code(r, worker, false)
	case "lost":
		told, err = g.code(r, worker, true)
	case "mail":
		said, err = "mail", g.setMail(r, worker, r.PostFormValue("mail"))
	case "end":
		said, err = "ended", g.leave(r, worker)
	default:
		err = httpx.NewProblem(http.StatusUnprocessableEntity, "Choose what is to be done.")
	}
	var problem *httpx.Problem
	if errors.As(err, &problem) && problem.Status < 500 && problem.Status != http.StatusNotFound {
		v.Wrong = problem.Detail
		return g.workersPage(w, r, p, id, seen, problem.Status, v)
	}
	if err != nil {
		return err
	}
	if said != "" {
		http.Redirect(w, r, "/partners/"+id+"/workers?said="+said, http.StatusSeeOther)
		return nil
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return err
	}
	v = workersView{Told: &toldLine{Name: told.Worker, Code: told.Code,
		Until: told.Until.In(zone).Format("Monday 2 January, 15:04")}}
	return g.workersPage(w, r, p, id, seen, http.StatusOK, v)
}

var workersTemplate = template.Must(template.Must(standing.Clone()).Parse(
	`{{define "title"}}{{if .Wrong}}Error: {{end}}People who sign in{{end}}
{{define "mark"}}<input type="hidden" name="{{.Field}}" value="{{.Mark}}">{{end}}
{{define "content"}}
<p><a href="/partners/{{.Partner}}">{{if .Own}}Your organisation{{else}}The partner organisation{{end}}</a></p>
{{with .Wrong}}<div class="nhsuk-error-summary"><div role="alert"><h2 class="nhsuk-error-summary__title">There is a problem</h2><div class="nhsuk-error-summary__body"><p>{{.}}</p></div></div></div>
{{end}}{{with .Done}}<div class="nhsuk-notification-banner nhsuk-notification-banner--success" role="alert" aria-labelledby="said"><div class="nhsuk-notification-banner__header"><h2 class="nhsuk-notification-banner__title" id="said">Saved</h2></div><div class="nhsuk-notification-banner__content"><p class="nhsuk-notification-banner__heading">{{.}}</p></div></div>
{{end}}<h1>People who sign in</h1>
<p class="nhsuk-lede-text">{{.Name}}</p>
{{with .Separate}}<p class="fb-separate">{{.}}</p>{{end}}
{{with .Told}}<section class="nhsuk-inset-text" id="told" aria-labelledby="told-heading"><h2 id="told-heading">Tell {{.Name}} this code</h2>
<p><strong class="fb-code" id="told-code">{{.Code}}</strong></p>
<p>Ring them at the number that was recorded{{with .Phone}}, {{.}}{{end}}. Not by mail: whoever reads their mail must not have it. It works once, until {{.Until}}, and is shown now alone.</p></section>
{{end}}
{{$page := .}}
{{range .Lines}}
<section class="fb-worker" aria-labelledby="w-{{.ID}}">
<h2 id="w-{{.ID}}">{{.Name}}{{if .Self}} (you){{end}}</h2>
<dl class="fb-facts fb-facts--wide"><div><dt>E-mail</dt><dd class="fb-long">{{.Mail}}</dd></div><div><dt>Number</dt><dd>{{.Phone}}</dd></div><div><dt>Keys</dt><dd>{{.Keys}}</dd></div><div><dt>Last in</dt><dd>{{.Seen}}</dd></div>{{with .Code}}<div><dt>Code</dt><dd>Works until {{.}}</dd></div>{{end}}</dl>
<details class="nhsuk-details"><summary class="nhsuk-details__summary"><span class="nhsuk-details__summary-text">Change something<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></span></summary><div class="nhsuk-details__text">
{{if .May.code}}<form action="{{$page.Path}}" method="post">{{template "mark" $page}}<input type="hidden" name="do" value="code"><input type="hidden" name="worker" value="{{.ID}}"><p>They have their mailbox and not their key at hand: a code, to tell them by telephone.</p><button class="nhsuk-button nhsuk-button--secondary">Give a code<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></button></form>
<form action="{{$page.Path}}" method="post">{{template "mark" $page}}<input type="hidden" name="do" value="lost"><input type="hidden" name="worker" value="{{.ID}}"><p>Their key is lost or was taken: their keys open nothing any more, they are signed out everywhere, and you have a code to tell them.</p><button class="nhsuk-button nhsuk-button--warning">End their keys<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></button></form>
{{end}}{{if .May.mail}}<form action="{{$page.Path}}" method="post" novalidate>{{template "mark" $page}}<input type="hidden" name="do" value="mail"><input type="hidden" name="worker" value="{{.ID}}"><p>Somebody else may read their mailbox, or their address is another one now: links that were sent open nothing any more, and they are signed out everywhere.</p>
<div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="mail-{{.ID}}">Their new address<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></label><input class="nhsuk-input" id="mail-{{.ID}}" name="mail" type="email" autocomplete="off" spellcheck="false"></div>
<button class="nhsuk-button nhsuk-button--secondary">Change the address<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></button></form>
{{end}}{{if .Self}}<p>A code or another address for yourself: ask a colleague or the navigator. To change your keys, <a href="/sign-in/worker">sign in again</a>.</p>
{{end}}{{if .May.end}}<form action="{{$page.Path}}" method="post">{{template "mark" $page}}<input type="hidden" name="do" value="end"><input type="hidden" name="worker" value="{{.ID}}"><p>They do not work here any more: they are signed out everywhere and cannot sign in again. Hand their offers on first, or hand them back.</p><button class="nhsuk-button nhsuk-button--warning">They have left<span class="nhsuk-u-visually-hidden">: {{.Name}}</span></button></form>
{{end}}{{with .Deeds}}<p>Lately:</p><ul>{{range .}}<li>{{.}}</li>{{end}}</ul>{{end}}
</div></details>
</section>
{{else}}<p>Nobody can sign in here yet.</p>
{{end}}
{{if .MayAdd}}
<h2 id="add">Add somebody</h2>
<form action="{{.Path}}" method="post" novalidate autocomplete="off">{{template "mark" .}}<input type="hidden" name="do" value="add">
<div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="name">Their name</label><input class="nhsuk-input" id="name" name="name" type="text" value="{{.Entered.Name}}" autocomplete="off"></div>
<div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="mail">Their own e-mail address at work</label><div class="nhsuk-hint" id="mail-hint">Not one that several people read.</div><input class="nhsuk-input" id="mail" name="mail" type="email" value="{{.Entered.Mail}}" autocomplete="off" spellcheck="false" aria-describedby="mail-hint"></div>
<div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="phone">The number at which they can be rung</label><div class="nhsuk-hint" id="phone-hint">As the agreement has it: by this number they are known again when a key is lost.</div><input class="nhsuk-input" id="phone" name="phone" type="tel" value="{{.Entered.Phone}}" autocomplete="off" aria-describedby="phone-hint"></div>
<button class="nhsuk-button">Add them</button></form>
{{else}}<p>Somebody of this partner can sign in. Its own workers add further ones.</p>
{{end}}
{{if .Left}}<h2>Who has left</h2><ul>{{range .Left}}<li>{{.Name}}</li>{{end}}</ul>{{end}}
{{end}}`))
