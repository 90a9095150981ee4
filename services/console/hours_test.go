package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whoever makes calls sees their hours, changes them with what stands there in the form, says that they are away and
// reads who makes each of their calls, and makes a calendar whose address is on that page alone.
func TestACallerChangesTheirHoursAndSaysThatTheyAreAway(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := f.page(t, "/hours", ring)
	for _, words := range []string{"From 9:00 until 17:00", "2 made today, of 8 at most", `value="8"`,
		`value="thu" checked`, "You have none", "Say that you are ill or away",
		"By email, a day ahead and when a call is due: team@trust.example", `value="email" checked`} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not hold %q", words)
		}
	}
	for name, tc := range map[string]struct {
		does   string
		filled url.Values
		sent   string
		status int
		says   string
	}{
		"other hours": {"", url.Values{"action": {"a2"}, "a2.days": {"mon", "sat"}, "a2.fromHour": {"17"},
			"a2.toHour": {"21"}, "a2.most": {"4"}, "a2.channel": {"none"}},
			`{"address":"","channel":"none","days":["mon","sat"],"fromHour":17,"most":4,"toHour":21}`,
			http.StatusSeeOther, ""},
		"another way to be reminded": {"", url.Values{"action": {"a2"}, "a2.days": {"mon"}, "a2.fromHour": {"17"},
			"a2.toHour": {"21"}, "a2.most": {"4"}, "a2.channel": {"webhook"},
			"a2.address": {"https://paging.example/1"}},
			`{"address":"https://paging.example/1","channel":"webhook","days":["mon"],"fromHour":17,"most":4,"toHour":21}`,
			http.StatusSeeOther, ""},
		"away today": {"/away", url.Values{"action": {"a1"}}, `{}`, http.StatusOK,
			"a colleague makes it"},
		"away until a day": {"/away", url.Values{"action": {"a1"}, "a1.until-day": {"9"}, "a1.until-month": {"3"},
			"a1.until-year": {"2026"}}, `{"until":"2026-03-09"}`, http.StatusOK, "Get well soon"},
		"a calendar": {"/calendar", url.Values{"action": {"a3"}}, `{}`, http.StatusOK,
			"https://footbridge.example/api/calls.ics?token=NOTASECRET"},
	} {
		f.services.changes = nil
		tc.filled.Set("does", "/api/callers/me"+tc.does)
		tc.filled.Set("request", "k")
		w := f.ask(t, "POST", "/hours", tc.filled, ring)
		if want := (change{"/api/callers/me" + tc.does, "k", tc.sent}); w.Code != tc.status ||
			len(f.services.changes) != 1 || f.services.changes[0] != want ||
			!strings.Contains(w.Body.String(), tc.says) {
			t.Errorf("%s: answered %d, sent %+v: %s", name, w.Code, f.services.changes, w.Body)
		}
	}
	if strings.Contains(f.page(t, "/hours", ring), "NOTASECRET") {
		t.Error("the address is shown again")
	}
}

// A partner's worker makes a calendar of their own on the calendar's page, and ends it.
func TestAPartnersWorkerMakesTheirOwnCalendar(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tc := range []struct {
		action, does string
		status       int
		says         string
	}{{"a1", "/api/workers/me/calendar", http.StatusOK, "NOTASECRET"},
		{"a2", "/api/workers/me/calendar/revoke", http.StatusSeeOther, ""}} {
		w := f.ask(t, "POST", "/calendar", url.Values{"action": {tc.action}, "does": {tc.does}, "request": {"k"}}, peer)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.says) {
			t.Errorf("%s: answered %d %s", tc.does, w.Code, w.Body)
		}
	}
}
