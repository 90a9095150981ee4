package gateway

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"footbridge/libs/httpx"
)

// answering turns a refusal into a page where a person looks at it with a browser. Programs get the problem.
func (g *Gateway) answering(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r = g.withSent(r)
		err := next(w, r)
		var problem *httpx.Problem
		if errors.As(err, &problem) && isFHIR(r.URL.Path) {
			if problem.Status >= 500 {
				g.config.Log.ErrorContext(r.Context(), "request could not be answered", "error", err)
			}
			refuse(w, r, problem)
			return nil
		}
		if problem == nil || !wantsPage(r.Header.Get("Accept")) {
			return err
		}
		if problem.Status >= 500 {
			g.config.Log.ErrorContext(r.Context(), "request could not be answered", "error", err)
		}
		if problem.Status == http.StatusUnauthorized && g.config.SignInPath != "" &&
			(r.Method == http.MethodGet || r.Method == http.MethodHead) {
			http.Redirect(w, r, signIn(g.config.SignInPath, r, problem), http.StatusSeeOther)
			return nil
		}
		refuse(w, r, problem)
		return nil
	}
}

// signIn is the sign-in page's address with the way back, where there is one to go back to, and with why somebody who
// was signed in is asked again.
func signIn(path string, r *http.Request, why *httpx.Problem) string {
	query := url.Values{}
	if r.URL.Path != "/" {
		query.Set("next", r.URL.RequestURI())
	}
	for _, k := range []kind{signedOut, idleTooLong, shiftOver, notVouched} {
		if why.Type == problemPrefix+k.name {
			query.Set("because", k.name)
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// refuse answers with a problem, as a page to a browser.
func refuse(w http.ResponseWriter, r *http.Request, p *httpx.Problem) {
	if isFHIR(r.URL.Path) {
		refuseFHIR(w, r, p)
		return
	}
	if !wantsPage(r.Header.Get("Accept")) {
		httpx.WriteProblem(w, r, p)
		return
	}
	header := w.Header()
	for name, values := range p.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Del("Content-Length")
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	view := struct {
		Title, Words, Detail, Request string
		SignIn                        bool
		Kept                          *kept
	}{titleOf(p.Status), wordsOf(p.Status), p.Detail, httpx.RequestID(r.Context()), p.Status == http.StatusUnauthorized,
		keep(r, p)}
	if strings.HasPrefix(p.Type, problemPrefix) { // its words are for people
		view.Title, view.Words = p.Title, p.Detail
	}
	_ = sentOf(r).frames.refused.Execute(w, view) // the caller has gone; nobody is left to tell
}

func titleOf(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "Page not found"
	case status == http.StatusForbidden:
		return "This page is not open to you"
	case status == http.StatusTooManyRequests:
		return "Please wait a moment"
	case status >= 500:
		return "Sorry, something is not working"
	default:
		return "Sorry, this could not be done"
	}
}

// wordsOf are for a person; a problem's own detail is for whoever wrote the program that asked.
func wordsOf(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "Check the address, or go back to the start."
	case status == http.StatusTooManyRequests:
		return "Many people are asking at once. Please go back, wait a minute and send it again. If you need help " +
			"now, the numbers below are open at any hour."
	case status >= 500:
		return "Nothing you did is wrong. Please try again in a minute. If it goes on, tell whoever runs Footbridge " +
			"for you and give them the number below."
	default:
		return ""
	}
}

var page = template.Must(template.Must(standing.Clone()).Parse(
	`{{define "title"}}{{.Title}}{{end}}{{define "content"}}<h1>{{.Title}}</h1>
{{with .Words}}<p>{{.}}</p>
{{else}}<p>{{.Detail}}</p>
{{end}}{{with .Kept}}<p>{{if .Changed}}Sign in as before in <a href="/sign-in" target="_blank" rel="noopener">another tab</a> if it is to go in that name.{{else if $.SignIn}}What you entered is kept on this page. <a href="/sign-in" target="_blank" rel="noopener">Sign in, in another tab</a>, then come back here and send it again.{{else}}What you entered is kept on this page.{{end}}</p>
<form action="{{.Action}}" method="post">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button class="nhsuk-button">{{if .Changed}}Send it as who I am now{{else}}Send it again{{end}}</button>
</form>
{{with .Entered}}<details class="nhsuk-details"><summary class="nhsuk-details__summary"><span class="nhsuk-details__summary-text">What was entered</span></summary><div class="nhsuk-details__text"><ul>{{range .}}<li>{{.}}</li>{{end}}</ul></div></details>
{{end}}{{end}}{{with .Request}}<p class="fb-quiet">Number of this request: <code>{{.}}</code></p>
{{end}}{{if and .SignIn (not .Kept)}}<p><a href="/sign-in">Sign in</a></p>
{{end}}
{{end}}`))

// frames are the gateway's own pages, with the addresses of the files that they load.
type frames struct{ refused, signIn, sessions, knock, workers *template.Template }

// framesOf has the pages find their files by at.
func framesOf(at func(name string) string) *frames {
	with := func(t *template.Template) *template.Template {
		return template.Must(t.Clone()).Funcs(template.FuncMap{"asset": at})
	}
	return &frames{with(page), with(signInPages), with(sessionsPage), with(knockPages), with(workersTemplate)}
}

// unversioned is where a file of any version is.
func unversioned(name string) string { return "/assets/" + name }

// plainFrames are for what is refused without a gateway before it.
var plainFrames = framesOf(unversioned)

// standing is the frame of the gateway's own pages. It stands by itself: it has to be there when the console is not.
var standing = template.Must(template.New("page").Funcs(template.FuncMap{"asset": unversioned}).Parse(`<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{template "title" .}} – Footbridge</title>
<link rel="stylesheet" href="{{asset "nhsuk-frontend.css"}}">
<link rel="stylesheet" href="{{asset "console.css"}}">
{{block "head" .}}{{end}}</head>
<body>
<header class="nhsuk-header"><div class="nhsuk-header__container nhsuk-width-container"><div class="nhsuk-header__service"><a class="nhsuk-header__service-name fb-brand" href="/">Footbridge</a></div></div></header>
<div class="nhsuk-width-container">
<main class="nhsuk-main-wrapper" id="maincontent">
{{template "content" .}}<p><a href="/">Go to the start</a></p>
</main>
</div>
<footer class="nhsuk-footer fb-footer"><div class="nhsuk-width-container">
<h2 class="nhsuk-heading-s">If someone needs help now</h2>
<ul class="fb-help"><li>Emergency <a href="tel:999">999</a></li><li>NHS mental health line <a href="tel:111">111</a> option 2</li><li>Samaritans <a href="tel:116123">116 123</a></li><li>Text SHOUT to <a href="sms:85258">85258</a></li></ul>
</div></footer>
</body>
</html>
`))
