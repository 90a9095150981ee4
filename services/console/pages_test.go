package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestEveryRoleCanBeChosenInDevelopment: by somebody at a made-up organisation, who begins on a page that is there. A
// guest is whoever does not sign in, and the page leads them on.
func TestEveryRoleCanBeChosenInDevelopment(t *testing.T) {
	t.Parallel()
	f := start(t)
	choices := DevChoices(Partner{ID: peersID, Name: "Northgate Peers"})
	for _, role := range schemas.Roles() {
		if role == schemas.Guest || role == schemas.OfferLink { // neither signs in
			continue
		}
		i := slices.IndexFunc(choices, func(c Choice) bool { return c.Principal.Role == string(role) })
		if i < 0 || !choices[i].Principal.Valid() || choices[i].Name == "" || choices[i].About == "" {
			t.Errorf("nobody can be chosen who is %s", role)
			continue
		}
		w := f.ask(t, "GET", "/", nil, choices[i].Principal)
		if to := w.Header().Get("Location"); w.Code == http.StatusSeeOther {
			w = f.ask(t, "GET", to, nil, choices[i].Principal)
		}
		if w.Code != http.StatusOK || roleNames[string(role)] == "" {
			t.Errorf("%s begins with %d, as %q", role, w.Code, roleNames[string(role)])
		}
	}
	ids := map[string]bool{}
	for _, c := range choices {
		if ids[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		ids[c.ID] = true
	}
	if page := f.page(t, "/sign-in", principal.Principal{}); !strings.Contains(page, `href="/get-support"`) {
		t.Error("a guest is not led on")
	}
}

// TestEachKindOfStepShowsWhatToDoOrWhoDoesIt: to each role that sees steps, whether or not all that its requests need
// is known, a step's page has a form, or somebody takes it on, or it says who does it and where. No button reads as if
// it had been done.
func TestEachKindOfStepShowsWhatToDoOrWhoDoesIt(t *testing.T) {
	t.Parallel()
	f := start(t)
	about := schemas.StepAbout{IDs: map[string]string{}, Facts: schemas.FactNames()}
	for _, what := range []string{"journey", "step", "person", "other", "offer", "partner", "question", "call", "help",
		"service", "facility", "message", "search"} {
		about.IDs[what] = firstID
	}
	for _, kind := range schemas.StepKinds() {
		for _, p := range []principal.Principal{nurse, guide, clinician, opera} {
			for name, known := range map[string]schemas.StepAbout{"all": about, "nothing": {IDs: map[string]string{}}} {
				one := step{ID: stepID, Kind: kind.Kind, Words: kind.Words, Owner: "team:elsewhere", State: "open",
					Until: kind.Until, Journey: firstID, Actions: kind.Actions(schemas.Role(p.Role), known)}
				f.services.one = &one
				page := f.page(t, "/steps/"+stepID, p)
				line := f.lineOf(one)
				forms, said := strings.Count(page, `name="action"`), whoDoes(kind, one, p.Role)
				own := one.ownPage().Path
				shown := forms == len(one.Actions) && forms > 0 ||
					one.doneElsewhere() && strings.Contains(page, `href="`+own+`"`) && line.Path == own ||
					len(one.Actions) == 0 && strings.Contains(page, said)
				if !shown || line.Button == "" || line.Path == "" {
					t.Errorf("%s, to %s knowing %s: %d forms of %d, %q", kind.Kind, p.Role, name, forms,
						len(one.Actions), line.Button)
				}
			}
		}
		someone := slices.ContainsFunc([]principal.Principal{nurse, guide, clinician},
			func(p principal.Principal) bool {
				return len(kind.Actions(schemas.Role(p.Role), about)) > 0
			})
		if !someone && kind.Where == "" {
			t.Errorf("%s: nobody can record anything, and it does not say what to do", kind.Kind)
		}
	}
}

// TestWhoAPersonIsIsShownForAReasonAlone: it goes on in a header, the page is kept nowhere, and neither title nor
// address says who it is.
func TestWhoAPersonIsIsShownForAReasonAlone(t *testing.T) {
	t.Parallel()
	f := start(t)
	path := "/journeys/" + firstID + "/who"
	for _, who := range []principal.Principal{nurse, guide, clinician} {
		if page := f.page(t, path, who); strings.Contains(page, "Examplewood") ||
			!strings.Contains(page, "Why do you look?") {
			t.Errorf("%s is shown who it is unasked", who.Role)
		}
		for _, none := range []string{"", "x", "test test test", "about 07700 900123 again"} {
			if w := f.ask(t, "POST", path, url.Values{"why": {none}}, who); w.Code != http.StatusUnprocessableEntity ||
				strings.Contains(w.Body.String(), "Examplewood") {
				t.Errorf("for %q answered %d", none, w.Code)
			}
		}
		w := f.ask(t, "POST", path, url.Values{"why": {"to agree on a time with them"}}, who)
		page := w.Body.String()
		if w.Code != http.StatusOK || f.services.reason != "to agree on a time with them" ||
			!strings.Contains(page, "Rowan Examplewood") || !strings.Contains(page, "07700 900123") {
			t.Errorf("%s: answered %d for %q", who.Role, w.Code, f.services.reason)
		}
		if title, _, _ := strings.Cut(page, "</title>"); strings.Contains(title, "Rowan") ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the title or the browser keeps it: %v", who.Role, w.Header())
		}
		if looked := strings.Contains(page, "Who has looked"); looked != (who.Role != clinician.Role) {
			t.Errorf("%s: who has looked is shown: %v", who.Role, looked)
		}
	}
	if w := f.ask(t, "GET", "/journeys/"+secondID+"/who", nil, nurse); w.Code != http.StatusNotFound {
		t.Errorf("of others' journeys one is asked why: %d", w.Code)
	}
	if page := f.ask(t, "POST", "/look", url.Values{"number": {firstID}, "why": {"they are on our ward tonight"}},
		heals).Body.String(); !strings.Contains(page, "Rowan Examplewood") ||
		f.services.reason != "they are on our ward tonight" {
		t.Errorf("staff who treat them, for %q", f.services.reason)
	}
}

// TestHelpIsAskedForFromEverywhere: from journey, step, offer and call; the answer says who was told and that it is no
// ambulance, and where it could not be kept, that nobody was told.
func TestHelpIsAskedForFromEverywhere(t *testing.T) {
	t.Parallel()
	f := start(t)
	for path, who := range map[string]principal.Principal{"/journeys/" + firstID: nurse, "/steps/" + stepID: nurse,
		"/offers/" + offerID: peer, "/calls/" + callID: ring} {
		page := f.page(t, path, who)
		for _, words := range []string{"Help is needed now", "worried about somebody’s safety", `href="tel:999"`} {
			if !strings.Contains(page, words) {
				t.Errorf("%s does not say %q", path, words)
			}
		}
	}
	for path, who := range map[string]principal.Principal{"/journeys/" + firstID + "/help": heals,
		"/offers/" + offerID + "/help": peer, "/calls/" + callID + "/help": ring} {
		f.services.changes, f.services.refuse = nil, nil
		w := f.ask(t, "POST", path, url.Values{"kind": {"safety"}, "knows": {"no"}, "step": {stepID}, "request": {"k"}},
			who)
		want := change{"/api" + path, "k", `{"kind":"safety","personKnows":"no","step":"` + stepID + `"}`}
		if page := w.Body.String(); w.Code != http.StatusOK || len(f.services.changes) != 1 ||
			f.services.changes[0] != want || !strings.Contains(page, "does not call an ambulance") ||
			!strings.Contains(page, "On-call-lead") && !strings.Contains(page, "On call lead") {
			t.Errorf("%s: answered %d, sent %+v: %s", path, w.Code, f.services.changes, page)
		}
		f.services.refuse = httpx.NewProblem(http.StatusServiceUnavailable, "No.")
		if w := f.ask(t, "POST", path, url.Values{}, who); w.Code != http.StatusServiceUnavailable ||
			!strings.Contains(w.Body.String(), "nobody was told") ||
			!strings.Contains(w.Body.String(), `href="tel:999"`) {
			t.Errorf("%s: what could not be kept is answered with %d", path, w.Code)
		}
	}
	f.services.refuse = nil
	if page := f.page(t, "/help/"+helpID, guide); !strings.Contains(page, "Take this on") {
		t.Error("the page that those on call are led to does not let them take it on")
	}
}

// TestACallShowsWhomItIsToToWhoeverRingsAlone: from the press until the outcome, also where something was left out; and
// nothing where the record does not show it.
func TestACallShowsWhomItIsToToWhoeverRingsAlone(t *testing.T) {
	t.Parallel()
	f := start(t)
	path := "/calls/" + callID
	whole := func(w string) bool {
		return strings.Contains(w, "07700 900123") && strings.Contains(w, "Rowan Examplewood") &&
			strings.Contains(w, "Ask for the person by the name")
	}
	if page := f.page(t, path, ring); strings.Contains(page, "07700") || strings.Contains(page, "Rowan") ||
		strings.Contains(page, `href="/journeys/`) {
		t.Error("a call shows whom it is to before somebody rings, or leads a caller to a journey")
	}
	if w := f.ask(t, "POST", path, url.Values{"do": {"ring"}}, ring); w.Code != http.StatusOK ||
		!whole(w.Body.String()) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("to whoever rings: %d %s", w.Code, w.Body)
	}
	lacking := callAnswers()
	lacking.Del("a1.outcome")
	if w := f.ask(t, "POST", path, lacking, ring); w.Code != http.StatusUnprocessableEntity || !whole(w.Body.String()) {
		t.Errorf("where something is left out name and number are gone: %d", w.Code)
	}
	f.services.changes = nil
	w := f.ask(t, "POST", path, callAnswers(), ring)
	if want := (change{"/api" + path + "/outcome", "k3",
		`{"answer":"same","outcome":"reached"}`}); w.Code != http.StatusOK ||
		strings.Contains(w.Body.String(), "07700") || len(f.services.changes) != 1 || f.services.changes[0] != want {
		t.Errorf("the outcome: %d, sent %+v", w.Code, f.services.changes)
	}
	f.services.hidden = true
	if page := f.ask(t, "POST", path, url.Values{"do": {"ring"}}, ring).Body.String(); strings.Contains(page,
		"07700") || !strings.Contains(page, "nobody is to be rung") {
		t.Error("what the record does not show is shown, or it is not said")
	}
	f.services.refuse = httpx.NewProblem(http.StatusConflict, "Somebody else rings now.")
	if w := f.ask(t, "POST", path, url.Values{"do": {"ring"}}, ring); w.Code != http.StatusConflict ||
		!strings.Contains(w.Body.String(), `<a href="#call">Somebody else rings now.`) {
		t.Errorf("a call that another makes: %d", w.Code)
	}
}

// TestAPartnerAnswersItsOffers: by one press where there is no place, by code otherwise; who the person is is shown
// once it has taken them on, by a press.
func TestAPartnerAnswersItsOffers(t *testing.T) {
	t.Parallel()
	f := start(t)
	path := "/offers/" + offerID
	page := f.page(t, path, peer)
	for _, words := range []string{"Say yes: take them on", "We have no place at present",
		"Somebody here may know the person", "It is too far away", "25-64", "hospital team&#39;s own follow-up"} {
		if !strings.Contains(page, words) {
			t.Errorf("the offer does not say %q", words)
		}
	}
	if strings.Contains(page, "Show who the person is") {
		t.Error("before it is taken on the partner is offered to look")
	}
	w := f.ask(t, "POST", path, url.Values{"action": {"a2"}, "does": {"/api" + path + "/decline"}, "request": {"k"}},
		peer)
	if want := (change{"/api" + path + "/decline", "k", `{"code":"no-place"}`}); w.Code != http.StatusSeeOther ||
		len(f.services.changes) != 1 || f.services.changes[0] != want {
		t.Errorf("answered %d, sent %+v", w.Code, f.services.changes)
	}
	if w := f.ask(t, "POST", path, url.Values{"do": {"who"}}, peer); strings.Contains(w.Body.String(), "Examplewood") {
		t.Error("who the person is is shown before the offer is taken on")
	}
	f.services.offer = "offer-accepted.json"
	if page := f.page(t, path, peer); strings.Contains(page, "Examplewood") ||
		!strings.Contains(page, "Show who the person is") || !strings.Contains(page, "Record the time you agreed on") {
		t.Error("an offer that was taken on shows the person unasked, or does not lead on")
	}
	if page := f.ask(t, "POST", path, url.Values{"do": {"who"}}, peer).Body.String(); !strings.Contains(page,
		"Rowan Examplewood") {
		t.Error("the partner is not shown who it has taken on")
	}
}

// TestAPartnerChangesItsTimes: what stands there is in the form, and what is taken out is sent as taken out.
func TestAPartnerChangesItsTimes(t *testing.T) {
	t.Parallel()
	f := start(t)
	path := "/partners/" + peersID
	page := f.page(t, path, peer)
	for _, words := range []string{`value="24"`, `value="2027"`, `name="a1.works" type="checkbox" value="fri" checked`,
		`value="peers@northgate.example"`, "2 people now"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not hold %q", words)
		}
	}
	for name, tc := range map[string]struct {
		action, what string
		filled       url.Values
		want         string
	}{
		"a holiday more": {"a2", "holidays", url.Values{"a2.holidays-1-from-day": {"1"},
			"a2.holidays-1-from-month": {"4"}, "a2.holidays-1-from-year": {"2026"}, "a2.holidays-1-until-day": {"5"},
			"a2.holidays-1-until-month": {"4"}, "a2.holidays-1-until-year": {"2026"}},
			`{"holidays":[{"from":"2026-04-01","until":"2026-04-05"}]}`},
		"no holiday":      {"a2", "holidays", url.Values{}, `{"holidays":[]}`},
		"the pause ended": {"a3", "pause", url.Values{}, `{"until":""}`},
		"places": {"a1", "capacity", url.Values{"a1.weekly": {"4"}, "a1.atMost": {"0"}, "a1.works": {"mon", "sat"},
			"a1.languages": {"en, cy"}},
			`{"atMost":0,"channels":[],"languages":["en","cy"],"weekly":4,"workerGenders":[],"works":["mon","sat"]}`},
	} {
		f.services.changes = nil
		tc.filled.Set("action", tc.action)
		tc.filled.Set("does", "/api"+path+"/"+tc.what)
		tc.filled.Set("request", "k")
		w := f.ask(t, "POST", path, tc.filled, peer)
		if want := (change{"/api" + path + "/" + tc.what, "k", tc.want}); w.Code != http.StatusSeeOther ||
			len(f.services.changes) != 1 || f.services.changes[0] != want {
			t.Errorf("%s: answered %d, sent %+v", name, w.Code, f.services.changes)
		}
	}
	w := f.ask(t, "POST", path, url.Values{"action": {"a1"}, "does": {"/api" + path + "/capacity"},
		"a1.weekly": {"many"}, "a1.atMost": {"0"}, "a1.works": {"mon"}}, peer)
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Write a whole number") {
		t.Errorf("a number in words is answered with %d", w.Code)
	}
}

// TestARefusalSpeaksInTheWordsOfTheForm: nobody who fills one in knows the members of a request.
func TestARefusalSpeaksInTheWordsOfTheForm(t *testing.T) {
	t.Parallel()
	kind, _ := schemas.StepKindOf("partner-arranges")
	action := kind.Actions(schemas.Navigator, schemas.StepAbout{IDs: map[string]string{"offer": offerID}})[0]
	for detail, want := range map[string]string{
		"Name when it begins (startsAt), with an offset.": "Name when it begins, with an offset.",
		"/startsAt is missing: write a time":              "‘When’ is missing: write a time",
		"startsAt is missing":                             "‘When’ is missing",
	} {
		if got := inWords(detail, action); got != want {
			t.Errorf("%q becomes %q", detail, got)
		}
	}
}
