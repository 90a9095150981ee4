package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"footbridge/libs/httpx"
)

var london, _ = time.LoadLocation("Europe/London")

const heldID = "019cac6b-9e60-7000-a568-92bbebbf6c60"

func TestAMessageSetAsideIsDecidedByWhoeverIsSignedIn(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/messages/"+heldID, guide)
	for _, words := range []string{"says that somebody left, but not when", "Say when the person left.",
		"Nothing follows from it.", "Read by", "8 hours ago", "Past its time", "V000451", "Release it", "Dismiss it",
		"Show whom it is about"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	w := f.ask(t, "POST", "/messages/"+heldID+"/release", url.Values{"request": {"k1"}, "left-day": {"2"},
		"left-month": {"3"}, "left-year": {"2026"}, "left-at": {"02:30"}, "visit": {"V9"},
		"area": {"E06000027"}, "gender": {"woman"}, "assessment": {"done"}}, guide)
	want := change{"/api/messages/" + heldID + "/release", "k1",
		`{"facts":{"areaResidence":"E06000027","gender":"woman","assessment":"done"},"leftAt":"2026-03-02T02:30:00Z","visit":"V9"}`}
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/messages/"+heldID+"?said=release" ||
		f.services.changes[0] != want || f.services.asked != guide {
		t.Fatalf("answered %d, sent %+v as %v", w.Code, f.services.changes, f.services.asked)
	}
	f.ask(t, "POST", "/messages/"+heldID+"/dismiss", url.Values{"request": {"k2"}}, guide)
	if got := f.services.changes[1]; got != (change{"/api/messages/" + heldID + "/dismiss", "k2", ""}) {
		t.Errorf("sent %+v", got)
	}
	if page := f.page(t, "/messages/"+heldID+"?said=dismiss", guide); !strings.Contains(page,
		"Thank you. It has ended") {
		t.Error("the page that follows does not say what was done")
	}
	if page := f.page(t, "/messages/"+heldID, opera); strings.Contains(page, "/dismiss") ||
		!strings.Contains(page, "/release") {
		t.Error("an operator may release, and not dismiss")
	}
}

func TestWhoAMessageIsAboutIsAskedForWithAReasonAndNeverInAnAddress(t *testing.T) {
	t.Parallel()
	f := start(t)
	if page := f.page(t, "/messages/"+heldID, guide); strings.Contains(page, "Examplewood") {
		t.Fatal("shown without a reason")
	}
	w := f.ask(t, "POST", "/messages/"+heldID+"/who", url.Values{"why": {" "}}, guide)
	if w.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(w.Body.String(), `<a href="#why">Write in a few words`) {
		t.Errorf("without a reason: %d", w.Code)
	}
	w = f.ask(t, "POST", "/messages/"+heldID+"/who", url.Values{"why": {"to find the visit"}}, guide)
	if page := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(page, "Rowan Examplewood") ||
		!strings.Contains(page, "999 (not verified)") || f.services.reason != "to find the visit" {
		t.Errorf("with a reason: %d %q", w.Code, f.services.reason)
	}
}

func TestADecisionThatCannotBeCarriedOutIsSaidAndWhatWasPutInStays(t *testing.T) {
	t.Parallel()
	f := start(t)
	for status, words := range undecidedWords {
		f.services.refuse = httpx.NewProblem(status, "No: no-end-time.")
		w := f.ask(t, "POST", "/messages/"+heldID+"/release", url.Values{"request": {"k"}, "visit": {"V9"}}, guide)
		if page := w.Body.String(); w.Code != status || !strings.Contains(page, `<a href="#decide">`+words) ||
			!strings.Contains(page, `value="V9"`) {
			t.Errorf("%d: answered %d", status, w.Code)
		}
	}
	f.services.refuse = nil
	for claim, wrong := range map[string]url.Values{"left": {"left-day": {"2"}}, "area": {"area": {"B14 7QH"}},
		"left-at": {"left-day": {"2"}, "left-month": {"3"}, "left-year": {"2026"}}} {
		if w := f.ask(t, "POST", "/messages/"+heldID+"/release", wrong,
			guide); w.Code != http.StatusUnprocessableEntity ||
			!strings.Contains(w.Body.String(), "<details class=\"nhsuk-details\" open") {
			t.Errorf("%s: answered %d", claim, w.Code)
		}
	}
}

func TestWhatWaitsComesFirstByItsDueTime(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/messages", guide)
	first, second := strings.Index(page, "Nothing has come from this sender"),
		strings.Index(page, "does not name the visits")
	if first < 0 || second < first || !strings.Contains(page, "1 is past its time") ||
		!strings.Contains(page, `href="/messages/`+heldID+`"`) {
		t.Errorf("the one due sooner stands at %d, the later at %d", first, second)
	}
	if page := f.page(t, "/messages?outcome=all", guide); !strings.Contains(page, "Began a journey") {
		t.Error("what does not wait is not listed with the rest")
	}
}

func TestOnlyWhatIsOfferedForAMessageIsShown(t *testing.T) {
	t.Parallel()
	alarm := message{Outcome: "quarantined", Can: []remedy{{Do: "dismiss", Words: "The sender has been asked."}}}
	if v := viewQuarantined(alarm, guide.Role, now, london); v.Release != "" || v.Dismiss == "" {
		t.Errorf("an alarm is shown as %+v", v)
	}
	if v := viewQuarantined(alarm, opera.Role, now, london); v.Dismiss != "" {
		t.Error("an operator may not dismiss")
	}
	question := message{Outcome: "quarantined",
		Can: []remedy{{Do: "release", With: []string{"facts"}, Words: "Its journey begins."}}}
	for _, s := range viewQuarantined(question, guide.Role, now, london).Form.Sections {
		for _, q := range s.Questions {
			if q.Name == "left" || q.Name == "visit" {
				t.Errorf("%s is asked for, and would not be taken", q.Name)
			}
		}
	}
	settled := message{Outcome: "quarantined", SettledAt: &now, Can: question.Can}
	if v := viewQuarantined(settled, guide.Role, now, london); v.Release != "" || v.Waiting {
		t.Errorf("what was settled is shown as %+v", v)
	}
}
