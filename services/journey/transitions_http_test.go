package journey

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/schemas"
)

const closingInError = `{"reason": "entered-in-error", "told": "nobody", "wayBack": "none"}`

func (w *world) holding() string {
	return `{"place": "ward", "heldBy": "ward-team", "reviewOn": "` + w.c.Now().AddDate(0, 0,
		1).In(w.zone).Format(time.DateOnly) + `"}`
}

func TestAJourneyIsHeldReleasedClosedAndReopenedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	path := "/api/journeys/" + journey
	for _, tc := range []struct {
		transition, body, state string
		may                     []string
		step                    string
	}{
		{"/hold", w.holding(), "held", []string{"release", "hold", "close"}, stepReviewHold},
		{"/release", "", "open", []string{"hold", "close"}, stepAskThePerson},
		{"/hold", w.holding(), "held", []string{"release", "hold", "close"}, stepReviewHold},
		{"/close", closingInError, "closed", []string{"reopen"}, ""},
		{"/reopen", "{}", "open", []string{"hold", "close"}, stepAskThePerson},
	} {
		got, status := ask[changedShown](w, "POST", path+tc.transition, tc.body)
		if status != 200 || got.State != tc.state || !slices.Equal(got.May, tc.may) {
			t.Fatalf("%s: %d %+v", tc.transition, status, got)
		}
		shown, _ := ask[journeyShown](w, "GET", path, "")
		if (tc.step == "") != (len(shown.Steps) == 0) || tc.step != "" &&
			(len(shown.Steps) != 1 || shown.Steps[0].Kind != tc.step) {
			t.Errorf("%s: steps %+v", tc.transition, shown.Steps)
		}
		if (shown.OnHold != nil) != (tc.state == "held") || (shown.Closed != nil) != (tc.state == "closed") ||
			!slices.Equal(shown.May, tc.may) {
			t.Errorf("%s: held %v, closed %v, may %v", tc.transition, shown.OnHold, shown.Closed, shown.May)
		}
		if last := shown.Timeline[len(shown.Timeline)-1]; last.Sentence != schemas.Sentence(last.Type) ||
			last.Sentence == "" {
			t.Errorf("%s: the last line is %+v", tc.transition, last)
		}
	}
	if got := count(t, w.pool, `select count(*) from turn where journey = $1 and decided_by = 'navigator@RXX/someone'`,
		journey); got != 5 {
		t.Errorf("%d turns are kept with who decided", got)
	}
	if got := count(t, w.pool, `select count(*) from outbox
		where subject ~ 'journey.(held|released|closed|reopened)[.]'`); got != 5 {
		t.Errorf("%d events were given out", got)
	}
}

func TestWhoMayTurnAJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	for name, tc := range map[string]struct {
		role                  schemas.Role
		organisation, subject string
		close, reopen         int
		may                   []string
	}{
		"the sending team":     {schemas.SendingTeam, "RXX", "s", 200, 200, []string{"reopen"}},
		"the navigator":        {schemas.Navigator, "RXX", "s", 200, 200, []string{"reopen"}},
		"the person":           {schemas.Person, "x", "p", 403, 200, []string{"reopen"}},
		"somebody else":        {schemas.Person, "x", "q", 403, 404, nil},
		"another hospital":     {schemas.SendingTeam, "RYY", "s", 404, 404, nil},
		"treating staff":       {schemas.TreatingStaff, "RXX", "s", 403, 403, nil},
		"a partner":            {schemas.Partner, "RXX", "s", 403, 403, nil},
		"an operator":          {schemas.Operator, "ops", "s", 403, 403, nil},
		"a hospital's machine": {schemas.System, "RXX", "s", 403, 403, nil},
	} {
		w.as(tc.role, tc.organisation, tc.subject)
		closed, status := ask[changedShown](w, "POST", "/api/journeys/"+journey+"/close", closingInError)
		if status != tc.close || status == 200 && !slices.Equal(closed.May, tc.may) {
			t.Errorf("%s closing: %d, may %v", name, status, closed.May)
		}
		if status != 200 { // somebody who may, closes it
			w.as(schemas.Navigator, "RXX", "n")
			ask[changedShown](w, "POST", "/api/journeys/"+journey+"/close", closingInError)
			w.as(tc.role, tc.organisation, tc.subject)
		}
		if _, status := ask[changedShown](w, "POST", "/api/journeys/"+journey+"/reopen", ""); status != tc.reopen {
			t.Errorf("%s reopening: %d", name, status)
		}
		w.as(schemas.Navigator, "RXX", "n")
		ask[any](w, "POST", "/api/journeys/"+journey+"/reopen", "")
	}
}

func TestATurnIsDoneOnceAndOnWhatTheCallerSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	path := "/api/journeys/" + journey
	seen := w.tagOf(path)
	if _, status := ask[any](w, "POST", path+"/hold", w.holding(), "If-Match", seen); status != 200 {
		t.Fatalf("with the tag that was read: %d", status)
	}
	if _, status := ask[any](w, "POST", path+"/close", closingInError, "If-Match", seen); status != 412 {
		t.Errorf("with a tag from before: %d", status)
	}
	for range 2 {
		if got, status := ask[changedShown](w, "POST", path+"/close", closingInError, "Idempotency-Key",
			"k"); status != 200 || got.State != "closed" {
			t.Errorf("got %d %+v", status, got)
		}
	}
	if got := count(t, w.pool, `select count(*) from turn where state = 'closed'`); got != 1 {
		t.Errorf("closed %d times", got)
	}
	problem, status := ask[httpx.Problem](w, "POST", path+"/close", closingInError, "Idempotency-Key", "k2")
	if status != 409 || !strings.Contains(problem.Detail, "/reopen") {
		t.Errorf("closing again: %d %s", status, problem.Detail)
	}
	if _, status := ask[any](w, "POST", path+"/close",
		`{"reason": "entered-in-error", "words": "free text"}`); status != 400 {
		t.Errorf("words that have no place here: %d", status)
	}
	if _, status := ask[any](w, "POST", "/api/journeys/"+clock.NewID(w.c.Now())+"/close",
		closingInError); status != 404 {
		t.Errorf("no such journey: %d", status)
	}
}

func (w *world) tagOf(path string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.srv.URL+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.srv.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.Header.Get("ETag")
}

func TestClosedJourneysAreListedToBeFoundAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var closed []string
	for range 3 {
		journey, _ := w.oneJourney()
		if _, status := ask[any](w, "POST", "/api/journeys/"+journey+"/close", closingInError); status != 200 {
			t.Fatal(status)
		}
		closed = append([]string{journey}, closed...)
	}
	open, _ := w.oneJourney()
	var found []string
	for cursor := ""; ; {
		page, status := ask[listAnswer](w, "GET", "/api/journeys?state=closed&limit=2"+cursor, "")
		if status != 200 {
			t.Fatal(status)
		}
		for _, j := range page.Items {
			if found = append(found, j.Journey); j.Closed == nil || j.Closed.Reason != "entered-in-error" ||
				j.Next != nil {
				t.Errorf("got %+v", j)
			}
		}
		if page.Next == nil {
			break
		}
		cursor = "&cursor=" + *page.Next
	}
	if !slices.Equal(found, closed) {
		t.Errorf("got %v, want %v", found, closed)
	}
	if all, _ := ask[listAnswer](w, "GET", "/api/journeys", ""); len(all.Items) != 1 || all.Items[0].Journey != open {
		t.Errorf("what has something to be done: %+v", all.Items)
	}
	if _, status := ask[any](w, "GET", "/api/journeys?state=lost", ""); status != 400 {
		t.Errorf("another state: %d", status)
	}
	w.as(schemas.SendingTeam, "RYY", "s")
	if page, _ := ask[listAnswer](w, "GET", "/api/journeys?state=closed", ""); len(page.Items) != 0 {
		t.Errorf("another hospital sees %+v", page.Items)
	}
}

// TestARowThatDoesNotDecodeKeepsNoOtherFromTheLists: what is shown of it is what its columns say.
func TestARowThatDoesNotDecodeKeepsNoOtherFromTheLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		journey, _ := w.oneJourney()
		if _, status := ask[any](w, "POST", "/api/journeys/"+journey+"/close", closingInError); status != 200 {
			t.Fatal(status)
		}
		w.oneJourney()
		if _, err := w.pool.Exec(t.Context(), `update journey set known = '"unreadable"'
			where id in (select min(id::text)::uuid from journey group by state)`); err != nil {
			t.Fatal(err)
		}
	}
	closed, status := ask[listAnswer](w, "GET", "/api/journeys?state=closed", "")
	if status != 200 || len(closed.Items) != 2 {
		t.Fatalf("closed: %d %+v", status, closed.Items)
	}
	for _, j := range closed.Items {
		if j.Closed == nil || j.Closed.Reason != "entered-in-error" || j.Closed.At.IsZero() {
			t.Errorf("got %+v", j.Closed)
		}
	}
	if open, status := ask[listAnswer](w, "GET", "/api/journeys", ""); status != 200 || len(open.Items) != 2 {
		t.Errorf("open: %d %+v", status, open.Items)
	}
}

func TestTheDatabaseHoldsAHeldJourneyToAStepAndAClosedOneToAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	ask[any](w, "POST", "/api/journeys/"+journey+"/hold", w.holding())
	for what, tc := range map[string]struct {
		sql     string
		refused func(error) bool
	}{
		"held without a step": {`update journey set holding_step = null where id = $1`,
			func(err error) bool { return pg.IsCheck(err, "held_journey_has_a_step") }},
		"its review done": {`update step set state = 'done', closed_at = due_at, look_at = null where journey = $1
			and state = 'open'`, func(err error) bool { return pg.IsForeignKey(err, "journey_is_held") }},
		"closed by nobody": {`update journey set state = 'closed', holding_step = null where id = $1`,
			func(err error) bool { return pg.IsCheck(err, "closed_journey_says_why") }},
		"open, and closed": {`update journey set closed_at = arrived_at, closed_for = 'moved' where id = $1`,
			func(err error) bool { return pg.IsCheck(err, "closed_journey_says_why") }},
	} {
		if _, err := w.pool.Exec(t.Context(), tc.sql, journey); err == nil || !tc.refused(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnOverdueReviewOfAHoldRisesAndIsFoundByTheSentinel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	ask[any](w, "POST", "/api/journeys/"+journey+"/hold", w.holding())
	s := w.sentinel()
	w.look(s, 0)
	w.c.Set(72 * time.Hour)
	w.look(s, 1)
	void, _ := ask[listAnswer](w, "GET", "/api/journeys?void=true", "")
	if len(void.Items) != 1 || void.Items[0].State != "held" || void.Items[0].Next.Kind != stepReviewHold {
		t.Errorf("got %+v", void.Items)
	}
}
