package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// themselves is whoever has the page of the first journey's person open.
var themselves = principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: stepID,
	Team: schemas.OwnPageOf(firstID)}

// tellsWhatFor are words by which somebody who looks over a shoulder would learn what it is about.
var tellsWhatFor = regexp.MustCompile(`(?i)A&amp;E|A&E|emergency dep|self-harm|mental health team|session|follow-up|` +
	`liaison|RXX|psych|crisis|referr|discharge|counsel|therap`)

func TestTheFirstViewSaysTheNextStepAndItsDayAlone(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, path := range []string{"/y"} {
		page := f.page(t, path, themselves)
		_, main, _ := strings.Cut(page, "<main")
		main, _, _ = strings.Cut(main, "</main>")
		said := strings.Replace(main, schemas.SeparateFrom(""), "", 1)
		said = strings.Replace(strings.ReplaceAll(said, "&#39;", "'"), schemas.SeparateFrom(""), "", 1)
		said = strings.ReplaceAll(said, "NHS mental health line", "")
		if found := tellsWhatFor.FindString(said); found != "" {
			t.Errorf("the first view says %q", found)
		}
		if !regexp.MustCompile(`by (Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day \d`).MatchString(main) {
			t.Errorf("the first view names no day: %s", main)
		}
	}
	for _, k := range append(schemas.StepKinds(), schemas.StepKind{Kind: "ring-mrs-jones"}) {
		words := personStep(k.Kind)
		if words.Short == "" || words.Words == "" || tellsWhatFor.MatchString(words.Short) ||
			strings.Contains(words.Words, "jones") || strings.Contains(words.Short, "jones") {
			t.Errorf("%s is told as %+v", k.Kind, words)
		}
	}
}

// Every view of the person's is neutral, kept by nobody, left at one press, and says from what it is separate.
func TestEveryViewOfThePersonIsKeptByNobodyAndLeftAtOnePress(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.services.answerConsent()
	for name, w := range map[string]interface {
		Header() http.Header
	}{"code": f.ask(t, "GET", "/y", nil, principal.Principal{}), "next": f.ask(t, "GET", "/y", nil, themselves),
		"more": f.ask(t, "GET", "/y/more", nil, themselves)} {
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept by a browser", name)
		}
	}
	pages := start(t).pages(t)
	for name, page := range pages {
		if !strings.HasPrefix(name, "person-") {
			continue
		}
		title := regexp.MustCompile(`<title>([^<]*)</title>`).FindStringSubmatch(page)[1]
		if tellsWhatFor.MatchString(title) || !strings.Contains(page, `href="/y/leave"`) {
			t.Errorf("%s is called %q, or cannot be left", name, title)
		}
		for _, hidden := range []string{"Examplewood", "Rowan", "/sign-out", "/sessions", firstID} {
			if strings.Contains(page, hidden) {
				t.Errorf("%s shows %q", name, hidden)
			}
		}
		if !strings.Contains(page, "116 123") {
			t.Errorf("%s has no numbers", name)
		}
		asks := name == "person-code" || name == "person-tried"
		if !asks && !isSeparate.MatchString(strings.ReplaceAll(page, "&#39;", "'")) {
			t.Errorf("%s does not say from what it is separate", name)
		}
	}
}

func TestWhatThePersonSaysGoesByTheRequestsOfEverybody(t *testing.T) {
	t.Parallel()
	base := "/api/journeys/" + firstID
	for name, tc := range map[string]struct {
		form url.Values
		path string
		body string
	}{
		"no to an organisation": {url.Values{"do": {"no"}, "to": {"follow-up " + peersID}}, base + "/consent",
			`{"answers":[{"organisation":"` + peersID +
				`","purpose":"follow-up","state":"withdrawn"}],"how":"written"}`},
		"no to calls": {url.Values{"do": {"no"}, "to": {"bridging "}}, base + "/consent",
			`{"answers":[{"organisation":"","purpose":"bridging","state":"declined"}],"how":"written"}`},
		"hours": {url.Values{"do": {"suits"}, "hours": {"weekend-daytime"}, "talk": {"text", "phone"}},
			base + "/preferences", `{"channels":["phone","text"],"hours":["weekend-daytime"]}`},
		"a number": {url.Values{"do": {"contact"}, "channel": {"text"}, "value": {"07700 900777"}}, base + "/contact",
			`{"channels":[{"channel":"text","value":"07700 900777"}]}`},
		"words": {url.Values{"do": {"words"}, "words": {"I would like\nto meet"}}, base + "/summary",
			`{"words":"I would like\nto meet"}`},
		"stop": {url.Values{"do": {"stop"}}, base + "/own-page", `{"stop":true}`},
		"on":   {url.Values{"do": {"reopen"}}, base + "/reopen", `{}`},
	} {
		f := start(t)
		f.services.answerConsent()
		tc.form.Set("request", "k1")
		w := f.ask(t, "POST", "/y", tc.form, themselves)
		if w.Code != http.StatusSeeOther && name != "stop" || len(f.services.changes) != 1 ||
			f.services.changes[0] != (change{tc.path, "k1", tc.body}) ||
			f.services.asked.Subject != themselves.Subject {
			t.Errorf("%s: %d, sent %q", name, w.Code, f.services.changes)
		}
		if where := w.Header().Get("Location"); strings.Contains(where, "0770") || strings.Contains(where, "meet") {
			t.Errorf("%s leads to %s", name, where)
		}
	}
	for name, form := range map[string]url.Values{"no to nothing": {"do": {"no"}},
		"a yes": {"do": {"no"}, "to": {"follow-up someone"}}, "no hours": {"do": {"suits"}},
		"no number": {"do": {"contact"}, "channel": {"phone"}}, "no words": {"do": {"words"}},
		"nothing that there is": {"do": {"close"}}} {
		f := start(t)
		f.services.answerConsent()
		if w := f.ask(t, "POST", "/y", form, themselves); w.Code/100 != 4 || len(f.services.changes) > 0 {
			t.Errorf("%s: %d, sent %q", name, w.Code, f.services.changes)
		}
	}
}

// A session that is over does nothing, and nobody is told that help is on its way which is not.
func TestWithoutASessionNothingIsDoneAndHelpIsNotPromised(t *testing.T) {
	t.Parallel()
	f := start(t)
	var seen []string
	for _, who := range []principal.Principal{{}, nurse, {Organisation: "self", Role: string(schemas.Person),
		Subject: stepID}} {
		w := f.ask(t, "POST", "/y", url.Values{"do": {"no"}, "to": {"bridging "}}, who)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), codeTitle) {
			t.Errorf("%v is answered %d", who, w.Code)
		}
		if !who.Valid() {
			seen = append(seen, w.Body.String())
		}
		help := f.ask(t, "POST", "/y", url.Values{"do": {"help"}}, who)
		if help.Code != http.StatusUnprocessableEntity || !strings.Contains(help.Body.String(), "nobody was told") ||
			!strings.Contains(help.Body.String(), "tel:999") {
			t.Errorf("%v asks for help without a session: %d", who, help.Code)
		}
	}
	if len(f.services.changes) > 0 {
		t.Errorf("sent %q", f.services.changes)
	}
	if slices.ContainsFunc(seen, func(page string) bool { return page != seen[0] }) {
		t.Error("what does not open looks different from time to time")
	}
	f.services.refuse = httpx.NewProblem(http.StatusServiceUnavailable, "down")
	broken := f.ask(t, "POST", "/y", url.Values{"do": {"close"}}, themselves).Body.String()
	if !strings.Contains(broken, `href="/y/leave"`) || strings.Contains(broken, "/sign-out") {
		t.Errorf("what could not be done is said on %s", broken)
	}
	help := f.ask(t, "POST", "/y", url.Values{"do": {"help"}}, themselves)
	if help.Code != http.StatusServiceUnavailable || !strings.Contains(help.Body.String(), "nobody was told") {
		t.Errorf("help that could not be kept is answered %d %s", help.Code, help.Body)
	}
}
