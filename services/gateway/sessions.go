package gateway

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// mine are the sessions of whoever asks.
func (g *Gateway) mine(r *http.Request) ([]listed, principal.Principal, error) {
	p, err := principal.Need(r.Context())
	if err != nil {
		return nil, p, err
	}
	if g.config.Sessions == nil {
		return nil, p, httpx.NewProblem(http.StatusNotFound, "Nobody signs in here.")
	}
	list, err := g.config.Sessions.List(r, p)
	if err != nil {
		return nil, p, cannotSay.problem(err)
	}
	return list, p, nil
}

// listSessions answers all at once: one person has few.
func (g *Gateway) listSessions(w http.ResponseWriter, r *http.Request) error {
	list, _, err := g.mine(r)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(list, len(list), func(listed) []string { return nil }))
}

// endSession ends one session of whoever asks. Ended twice, it is ended once.
func (g *Gateway) endSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := g.endOne(w, r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (g *Gateway) endFromPage(w http.ResponseWriter, r *http.Request) error {
	here, err := g.endOne(w, r)
	if err != nil {
		return err
	}
	next := "/sessions"
	if here {
		next = "/sign-in?because=" + signedOut.name
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (g *Gateway) endOne(w http.ResponseWriter, r *http.Request) (here bool, err error) {
	p, err := principal.Need(r.Context())
	if err != nil {
		return false, err
	}
	missing := httpx.NewProblem(http.StatusNotFound, "None of your sessions has this id. GET /api/sessions lists them.")
	id, ok := httpx.PathID(r, "id")
	if g.config.Sessions == nil || !ok {
		return false, missing
	}
	theirs, here, err := g.config.Sessions.EndOne(w, r, p, id)
	if err != nil {
		return false, cannotSay.problem(err)
	}
	if !theirs {
		return false, missing
	}
	return here, g.forgetAll(r, p)
}

type sessionLine struct {
	ID, Device, Began, Seen, Ends string
	Here                          bool
}

// showSessions shows somebody where they are signed in. It is the gateway's page, since nobody else knows of sessions.
func (g *Gateway) showSessions(w http.ResponseWriter, r *http.Request) error {
	list, p, err := g.mine(r)
	if err != nil {
		return err
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return err
	}
	words := func(t time.Time) string { return t.In(zone).Format("Monday 2 January, 15:04") }
	view := struct {
		Lines       []sessionLine
		Field, Mark string
	}{nil, schemas.OpenedAs, p.Mark()}
	for _, one := range list {
		device := one.Device
		if device == "" {
			device = "A browser"
		}
		view.Lines = append(view.Lines, sessionLine{one.ID, device, words(one.BeganAt), words(one.SeenAt),
			words(one.EndsAt), one.Here})
	}
	var page bytes.Buffer
	if err := g.frames.sessions.Execute(&page, view); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page.Bytes()) // the caller has gone; nobody is left to tell
	return nil
}

// deviceOf names the browser and the system of a User-Agent, by which a person knows their own device again. Anything
// else in it is left out: it could tell people apart.
func deviceOf(agent string) string {
	name := func(known [][2]string) string {
		for _, one := range known {
			if strings.Contains(agent, one[0]) {
				return one[1]
			}
		}
		return ""
	}
	browser := name([][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}})
	system := name([][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"},
		{"Mac OS X", "a Mac"}, {"CrOS", "a Chromebook"}, {"Linux", "Linux"}})
	switch {
	case browser == "":
		return ""
	case system == "":
		return browser
	}
	return browser + " on " + system
}

var sessionsPage = template.Must(
	template.Must(standing.Clone()).Parse(`{{define "title"}}Where you are signed in{{end}}{{define "content"}}
<h1>Where you are signed in</h1>
<p>If one of these is not you, or is on a device that others use, end it. What was recorded there is kept.</p>
<ul class="nhsuk-list nhsuk-list--border">
{{range .Lines}}<li>
<p><strong>{{.Device}}</strong>{{if .Here}} – this is the one you are looking at{{end}}<br>
Since {{.Began}}. Last used {{.Seen}}. Ends at the latest on {{.Ends}}, and earlier after 30 minutes without use.</p>
<form action="/sessions/{{.ID}}/end" method="post">
<input type="hidden" name="{{$.Field}}" value="{{$.Mark}}">
<button class="nhsuk-button nhsuk-button--secondary">{{if .Here}}Sign out here{{else}}End this one{{end}}<span class="nhsuk-u-visually-hidden">: {{.Device}}, since {{.Began}}</span></button>
</form>
</li>
{{else}}<li>Nowhere: you have asked with a token.</li>
{{end}}</ul>
<form action="/sign-out/all" method="post">
<input type="hidden" name="{{.Field}}" value="{{.Mark}}">
<button class="nhsuk-button">Sign out everywhere</button>
</form>
{{end}}`))
