package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// TestASearchIsAPageThatSaysWhatNextHoweverMuchIsFound: one, many and none; by a press, with nothing of it in an
// address, and for whoever treats somebody a journey leads to why they look.
func TestASearchIsAPageThatSaysWhatNextHoweverMuchIsFound(t *testing.T) {
	t.Parallel()
	f := start(t)
	one := foundLine{Journey: firstID, State: "open", BeganAt: now}
	two := foundLine{Journey: secondID, State: "closed", BeganAt: now.Add(-24 * time.Hour)}
	name := url.Values{"family": {"Examplewood"}, "born-day": {"1"}, "born-month": {"4"}, "born-year": {"1990"},
		"why": {"they rang and ask who will call"}}
	for _, tc := range []struct {
		name  string
		who   principal.Principal
		found []foundLine
		says  []string
	}{
		{"none", nurse, nil, []string{"Nothing was found that you may see", `href="/refer"`}},
		{"one", nurse, []foundLine{one}, []string{"One journey was found", `href="/journeys/` + firstID,
			codeOf(firstID)}},
		{"many", guide, []foundLine{one, two}, []string{"2 journeys were found", "Compare the day", "Closed", "Open"}},
		{"one, to whoever treats them", heals, []foundLine{one}, []string{`name="number" value="` + firstID,
			"Say why you look"}},
		{"none, to whoever treats them", heals, nil, []string{"Nothing was found", `href="/look"`}},
	} {
		f.services.found, f.services.changes = tc.found, nil
		w := f.ask(t, "POST", "/search", name, tc.who)
		page := w.Body.String()
		for _, words := range tc.says {
			if !strings.Contains(page, words) {
				t.Errorf("%s: the page does not say %q", tc.name, words)
			}
		}
		want := change{"/api/people/search", "they rang and ask who will call",
			`{"familyName":"Examplewood","birthDate":"1990-04-01"}`}
		if w.Code != http.StatusOK || len(f.services.changes) != 1 || f.services.changes[0] != want {
			t.Errorf("%s: answered %d, sent %+v", tc.name, w.Code, f.services.changes)
		}
		if title, _, _ := strings.Cut(page, "</title>"); strings.Contains(title, "Examplewood") ||
			len(tc.found) > 0 && strings.Contains(page, "Examplewood") {
			t.Errorf("%s: what was looked for stays on the screen", tc.name)
		}
	}
	number := f.ask(t, "POST", "/look", url.Values{"number": {firstID}}, heals)
	if page := number.Body.String(); number.Code != http.StatusOK || strings.Contains(page, "There is a problem") ||
		!strings.Contains(page, firstID) {
		t.Errorf("from a search to why somebody looks: %d", number.Code)
	}
	for name, wrong := range map[string]url.Values{"nothing": {}, "a name alone": {"family": {"Examplewood"}},
		"two ways": {"code": {"1A2B-3C4D"}, "visit": {"V1"}}, "no reason": {"nhs": {"9990000018"}}} {
		f.services.changes = nil
		w := f.ask(t, "POST", "/search", wrong, nurse)
		if w.Code != http.StatusUnprocessableEntity || len(f.services.changes) > 0 {
			t.Errorf("%s: answered %d, sent %+v", name, w.Code, f.services.changes)
		}
		for _, typed := range wrong {
			if !strings.Contains(w.Body.String(), `value="`+typed[0]+`"`) {
				t.Errorf("%s: what was typed is lost", name)
			}
		}
	}
}

// TestNothingTypedIsLostWhereALookOrASearchCannotBeAnswered: whatever the service says, the form is shown again with
// what was typed, and what to do.
func TestNothingTypedIsLostWhereALookOrASearchCannotBeAnswered(t *testing.T) {
	t.Parallel()
	f := start(t)
	const why = "they are on our ward tonight"
	for _, tc := range []struct {
		path   string
		who    principal.Principal
		filled url.Values
	}{
		{"/look", heals, url.Values{"number": {firstID}, "why": {why}}},
		{"/journeys/" + firstID + "/who", clinician, url.Values{"why": {why}}},
		{"/search", nurse, url.Values{"nhs": {"9990000018"}, "why": {why}}},
	} {
		for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests,
			http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable} {
			f.services.unread = httpx.NewProblem(status, "It is not open just now.")
			w := f.ask(t, "POST", tc.path, tc.filled, tc.who)
			page := w.Body.String()
			if w.Code != status || !strings.Contains(page, "There is a problem") {
				t.Errorf("%s: %d is answered with %d", tc.path, status, w.Code)
			}
			for _, typed := range tc.filled {
				if !strings.Contains(page, `value="`+typed[0]+`"`) {
					t.Errorf("%s, %d: what was typed is lost", tc.path, status)
				}
			}
		}
	}
}

// TestSearchesAreReviewedByAnother: the newest of another's that is shown is what a review goes up to.
func TestSearchesAreReviewedByAnother(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/searches", guide)
	for _, words := range []string{"A family name and date of birth", "they rang and asked", "somebody else reviews",
		`name="upto" value="` + secondID} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	for _, wrong := range []url.Values{{}, {"finding": {"passed-on"}},
		{"finding": {"in-order"}, "to": {"line-manager"}}} {
		if w := f.ask(t, "POST", "/searches", wrong, guide); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v is answered with %d", wrong, w.Code)
		}
	}
	f.services.changes = nil
	w := f.ask(t, "POST", "/searches", url.Values{"upto": {firstID}, "finding": {"passed-on"}, "request": {"k"},
		"to": {"privacy-officer"}}, guide)
	want := change{"/api/people/searches/review", "k", `{"finding":"passed-on","passedTo":"privacy-officer","upTo":"` +
		firstID + `"}`}
	if w.Code != http.StatusSeeOther || len(f.services.changes) != 1 || f.services.changes[0] != want {
		t.Errorf("answered %d, sent %+v", w.Code, f.services.changes)
	}
}

// Nobody need copy a number to look: the page leads to searching, and what is found there leads to looking.
func TestLookingNeedsNoNumberToBeCopied(t *testing.T) {
	t.Parallel()
	f := start(t)
	if page := f.page(t, "/look", heals); !strings.Contains(page, `href="/search"`) ||
		!strings.Contains(page, `name="number"`) {
		t.Errorf("looking takes a number alone, or none: %s", page)
	}
	f.services.found = []foundLine{{Journey: firstID, State: "open", BeganAt: now}}
	page := f.ask(t, "POST", "/search", url.Values{"code": {"EBBF-6C5F"}}, heals).Body.String()
	if !strings.Contains(page, `action="/look"`) || !strings.Contains(page, `name="number" value="`+firstID+`"`) {
		t.Errorf("what is found does not lead to looking: %s", page)
	}
}
