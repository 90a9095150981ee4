package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"footbridge/schemas"
)

// keyOf is the key of the form of the example's journey that sends to a path's last part.
func (f *fixture) keyOf(t *testing.T, last string) string {
	t.Helper()
	for i, a := range schemas.JourneyActions(schemas.SendingTeam, firstID, "open") {
		if strings.HasSuffix(a.Path, last) {
			return keyOf(i)
		}
	}
	t.Fatalf("there is no %s", last)
	return ""
}

// TestEverythingThatMayBeRecordedHasAForm: to each role and in each state of a journey, every action leads from the
// journey's page to a form of its own, in which nothing is chosen beforehand and no code or field name is asked for.
func TestEverythingThatMayBeRecordedHasAForm(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Partners = []Partner{{ID: peersID, Name: "Northgate Peers"}} })
	seen := map[string]bool{}
	for _, state := range []string{"open", "held", "closed"} {
		for _, p := range []struct {
			role schemas.Role
			who  int
		}{{schemas.SendingTeam, 0}, {schemas.Navigator, 1}, {schemas.YoungPeoplesClinician, 2}} {
			who := DevChoices()[p.who].Principal
			f.services.actions = schemas.JourneyActions(p.role, firstID, state)
			whole := f.page(t, "/journeys/"+firstID, who)
			for i, a := range f.services.actions {
				seen[a.Path[strings.LastIndex(a.Path, "/")+1:]] = true
				way := "/journeys/" + firstID + "/record?do=" + keyOf(i)
				if !strings.Contains(whole, `href="`+way+`"`) {
					t.Errorf("%s, %s: the journey does not lead to %q", p.role, state, a.Words)
				}
				page := f.page(t, way, who)
				if strings.Count(page, `name="action"`) != 1 ||
					!strings.Contains(page, "<h1 id=\"next\" tabindex=\"-1\">"+
						strings.ReplaceAll(a.Words, "'", "&#39;")) {
					t.Errorf("%s, %s: %q has no form of its own", p.role, state, a.Words)
				}
				if main := page[strings.Index(page, "<main"):]; strings.Contains(main, " checked") ||
					strings.Contains(main, " selected") || strings.Contains(main, "Such as team:") {
					t.Errorf("%s, %s: %q chooses for somebody, or asks for a code", p.role, state, a.Words)
				}
			}
		}
	}
	for _, what := range []string{"consent", "contact", "preferences", "facts", "first-contact", "summary",
		"assessment",
		"retold", "asked", "override", "hold", "release", "close", "reopen"} {
		if !seen[what] {
			t.Errorf("nobody can record %s", what)
		}
	}
}

// TestWhatLeavesTheHospitalIsLookedAtOnceMore: nothing is sent before it was looked at, going back keeps what was
// entered, and a no, by which nothing leaves, is sent at once.
func TestWhatLeavesTheHospitalIsLookedAtOnceMore(t *testing.T) {
	t.Parallel()
	f := start(t)
	filled := url.Values{"request": {"k"}, "action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
		"a1.answers.0.state": {"given"}, "a1.how": {"spoken"}}
	w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse)
	page := w.Body.String()
	if w.Code != http.StatusOK || len(f.services.changes) > 0 {
		t.Fatalf("answered %d, sent on %+v", w.Code, f.services.changes)
	}
	for _, words := range []string{"Check your answers", "<dd class=\"nhsuk-summary-list__value\">They said so</dd>",
		`name="request" value="k"`, `name="a1.how" value="spoken"`, "can read who the person is"} {
		if !strings.Contains(page, words) {
			t.Errorf("it is not looked at with %q", words)
		}
	}
	filled.Set("change", "yes")
	if page := f.ask(t, "POST", "/steps/"+stepID, filled, nurse).Body.String(); !strings.Contains(page,
		`value="given" checked`) || len(f.services.changes) > 0 {
		t.Error("going back loses what was entered, or sends it")
	}
	filled.Del("change")
	filled.Set("checked", "yes")
	if w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse); w.Code != http.StatusSeeOther ||
		len(f.services.changes) != 1 || f.services.changes[0].Key != "k" {
		t.Errorf("answered %d, sent on %+v", w.Code, f.services.changes)
	}
	filled.Del("checked")
	filled.Set("a1.answers.0.state", "declined")
	if w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse); w.Code != http.StatusSeeOther {
		t.Errorf("a no is answered with %d", w.Code)
	}
}

// TestWhoeverWasSlowerSeesWhatHasChangedAndLosesNothing: a form of a thing that stands otherwise by now is shown again
// with what was entered; one whose action is gone shows what was entered, and where it can be recorded instead.
func TestWhoeverWasSlowerSeesWhatHasChangedAndLosesNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	filled := url.Values{"request": {"k"}, "action": {"a1"}, "does": {"/api/journeys/" + firstID + "/consent"},
		"stood": {"0123456789abcdef"}, "opened": {"2026-03-02T02:41:01Z"}, "a1.how": {"written"},
		"a1.answers.0.state": {"declined"}}
	w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse)
	page := w.Body.String()
	for _, words := range []string{"Somebody else has recorded something", `value="written" checked`,
		"What has changed since you opened this", "We looked at the services near you"} {
		if w.Code != http.StatusConflict || !strings.Contains(page, words) {
			t.Errorf("answered %d without %q", w.Code, words)
		}
	}
	if strings.Contains(page, "You left hospital, and we") {
		t.Error("what was there before is told as new")
	}
	filled.Set("does", "/api/journeys/"+firstID+"/facts")
	page = f.ask(t, "POST", "/steps/"+stepID, filled, nurse).Body.String()
	for _, words := range []string{"Somebody else was faster", "What you had entered", "<li>In writing</li>",
		"<li>No</li>"} {
		if !strings.Contains(page, words) {
			t.Errorf("it does not say %q", words)
		}
	}
	if len(f.services.changes) > 0 {
		t.Errorf("sent on %+v", f.services.changes)
	}
	fresh := f.page(t, "/steps/"+stepID, nurse)
	_, mark, _ := strings.Cut(fresh, `name="stood" value="`)
	filled.Set("does", "/api/journeys/"+firstID+"/consent")
	filled.Set("stood", mark[:strings.Index(mark, `"`)])
	if w := f.ask(t, "POST", "/steps/"+stepID, filled, nurse); w.Code != http.StatusSeeOther {
		t.Errorf("a form of how it stands is answered with %d", w.Code)
	}
}
