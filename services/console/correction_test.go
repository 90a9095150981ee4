package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// correcting is the page of a correction, and the form that gives a name and a birth date other than those known.
func (f *fixture) correcting(t *testing.T) (at, key string, filled url.Values) {
	t.Helper()
	f.services.actions = schemas.JourneyActions(schemas.SendingTeam, firstID, "open")
	key = f.keyOf(t, "/correction")
	return "/journeys/" + firstID + "/record", key, url.Values{"request": {"k"}, "action": {key},
		"does": {"/api/journeys/" + firstID + "/correction"}, key + ".familyName": {"Examplewoods"},
		key + ".birthDate-day": {"28"}, key + ".birthDate-month": {"3"}, key + ".birthDate-year": {"1990"},
		key + ".reason": {"it stands so on their letter"}}
}

// TestACorrectionShowsWhatWasThereAndWhatWillBe: nothing is changed before both were seen side by side; each leads back
// to its question with everything that was entered, and what is left out is not among them.
func TestACorrectionShowsWhatWasThereAndWhatWillBe(t *testing.T) {
	t.Parallel()
	f := start(t)
	at, key, filled := f.correcting(t)
	w := f.ask(t, "POST", at, filled, nurse)
	if w.Code != http.StatusOK || len(f.services.changes) > 0 {
		t.Fatalf("answered %d, sent on %+v", w.Code, f.services.changes)
	}
	page := w.Body.String()
	says(t, page, "Check what will change", "Was: Examplewood<", "Will be: <strong>Examplewoods</strong>",
		"Was: "+dayWords("1990-03-27"), "<strong>"+dayWords("1990-03-28"), "it stands so on their letter",
		`formaction="`+at+"#"+key+".familyName", `formaction="`+at+"#"+key+".birthDate-day", "Correct it")
	if strings.Contains(page, "Given names") || f.services.reason != lookToCorrect {
		t.Errorf("it shows what stays, or looks for the reason %q", f.services.reason)
	}
	filled.Set("change", "yes")
	page = f.ask(t, "POST", at, filled, nurse).Body.String()
	says(t, page, `value="Examplewoods"`, `value="28"`, "it stands so on their letter")
	filled.Del("change")
	filled.Set("checked", "yes")
	if w := f.ask(t, "POST", at, filled, nurse); w.Code != http.StatusSeeOther || len(f.services.changes) != 1 ||
		f.services.changes[0].Key != "k" {
		t.Errorf("answered %d, sent on %+v", w.Code, f.services.changes)
	}
}

// TestACorrectionThatChangesNothingOrCannotBeComparedKeepsWhatWasEntered, and is not sent.
func TestACorrectionThatChangesNothingOrCannotBeComparedKeepsWhatWasEntered(t *testing.T) {
	t.Parallel()
	f := start(t)
	at, key, filled := f.correcting(t)
	f.services.unknown = httpx.NewProblem(http.StatusServiceUnavailable, "Later.")
	w := f.ask(t, "POST", at, filled, nurse)
	says(t, w.Body.String(), "This could not be shown just now", `value="Examplewoods"`, `value="28"`)
	f.services.unknown = nil
	filled.Set(key+".familyName", "Examplewood")
	filled.Set(key+".birthDate-day", "27")
	w = f.ask(t, "POST", at, filled, nurse)
	says(t, w.Body.String(), "Nothing would be different", `value="Examplewood"`, `value="27"`)
	if w.Code != http.StatusUnprocessableEntity || len(f.services.changes) > 0 {
		t.Errorf("answered %d, sent on %+v", w.Code, f.services.changes)
	}
}
