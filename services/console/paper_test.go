package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"footbridge/libs/httpx"
)

func letterAnswers() url.Values {
	return url.Values{"do": {"next"}, "kind": {"letter"}, "number": {"01632 960001"}, "checked": {"yes"},
		"request": {"k4"}}
}

func codeAnswers() url.Values {
	return url.Values{"do": {"page"}, "word": {"blue kettle"}, "wanted": {"yes"}, "safe": {"yes"}, "request": {"k5"}}
}

// printed is what is on the paper.
func printed(t *testing.T, page string) string {
	t.Helper()
	_, paper, found := strings.Cut(page, `<div class="fb-paper`)
	if !found {
		t.Fatalf("nothing is printed: %s", page)
	}
	paper, _, _ = strings.Cut(paper, "</div>")
	return paper
}

// What is on the paper names nobody, no hospital and no reason; it says the step, the day and the number, and it is
// kept who printed it before it is shown.
func TestWhatIsPrintedIsNeutralAndKept(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", letterAnswers(), nurse)
	letter := printed(t, w.Body.String())
	plain := strings.Replace(letter, "the hospital team's own follow-up", "", 1)
	if found := tellsWhatFor.FindString(plain); found != "" || strings.Contains(plain, firstID) {
		t.Errorf("the letter says %q: %s", found, letter)
	}
	for _, words := range []string{"01632 960001", "by ", "999", "116 123", "This is separate from the hospital team"} {
		if !strings.Contains(letter, words) {
			t.Errorf("the letter lacks %q: %s", words, letter)
		}
	}
	if len(f.services.changes) != 1 || f.services.changes[0] != (change{"/api/journeys/" + firstID + "/letter", "k4",
		`{"kind":"letter"}`}) {
		t.Errorf("kept %q", f.services.changes)
	}
	f.services.refuse = httpx.NewProblem(http.StatusServiceUnavailable, "down")
	if w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", letterAnswers(), nurse); w.Code == http.StatusOK ||
		strings.Contains(w.Body.String(), "fb-paper") {
		t.Errorf("what could not be kept is shown to be printed: %d", w.Code)
	}
	for _, missing := range []string{"kind", "number", "checked"} {
		f := start(t)
		entered := letterAnswers()
		entered.Del(missing)
		w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", entered, nurse)
		if w.Code != http.StatusUnprocessableEntity || len(f.services.changes) > 0 {
			t.Errorf("without %s: %d, %q", missing, w.Code, f.services.changes)
		}
	}
}

func TestACodeIsOnThePaperAndItsWordIsNot(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", codeAnswers(), nurse)
	if slip := printed(t, w.Body.String()); !strings.Contains(slip, "7K2M-4XQ9-W8TB") ||
		strings.Contains(w.Body.String(), "kettle") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("printed %s", w.Body)
	}
	if len(f.services.changes) != 1 ||
		f.services.changes[0].Body != `{"word":"blue kettle","wanted":true,"safeToHave":true}` {
		t.Errorf("sent %q", f.services.changes)
	}
	for _, missing := range []string{"word", "wanted", "safe"} {
		f := start(t)
		entered := codeAnswers()
		entered.Del(missing)
		w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", entered, nurse)
		if w.Code != http.StatusUnprocessableEntity || len(f.services.changes) > 0 {
			t.Errorf("without %s: %d, %q", missing, w.Code, f.services.changes)
		}
	}
	f.services.refuse = httpx.NewProblem(http.StatusConflict,
		"First a young people's clinician records who may be asked.")
	if w := f.ask(t, "POST", "/journeys/"+firstID+"/paper", codeAnswers(), nurse); w.Code != http.StatusConflict ||
		!strings.Contains(w.Body.String(), "clinician records who may be asked") {
		t.Errorf("a refusal is shown as %d %s", w.Code, w.Body)
	}
}
