package bridging

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// Whoever must not know rings nobody and sees nothing of it: their calls are somebody else's, whatever was agreed or
// said yes to before.
func TestAnOrganisationThatMustNotKnowRingsNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	terms := d.agreed(60)
	d.stands(1, terms)
	partner := terms.Partner
	journey, call, due := d.active(now)
	d.as(schemas.Navigator, "RXX", "navigator")
	if _, status, text := do[planShown](d, "POST", "/api/journeys/"+journey+"/plan",
		`{"team":"`+partner+`"}`); status != http.StatusOK {
		t.Fatalf("the team: %d %s", status, text)
	}
	d.at(due)
	d.as(schemas.Partner, partner, "peer")
	list := func() int {
		d.t.Helper()
		got, status, text := do[struct{ Items []callShown }](d, "GET", "/api/calls", "")
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		return len(got.Items)
	}
	if list() != 1 {
		t.Fatal("the partner's callers do not see their call")
	}
	s := &teller{said: map[string]int64{"intake": 20}}
	s.say("intake", schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{partner}})
	s.events[0].Subject = journey
	d.apply(s.events...)
	if list() != 0 {
		t.Error("an organisation that must not know lists the call")
	}
	if _, status, _ := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", ""); status != http.StatusNotFound {
		t.Errorf("it claims the call: %d", status)
	}
	d.as(schemas.Caller, "RXX", "caller")
	if list() != 1 {
		t.Error("the call is nobody's")
	}
	s.say("intake", schemas.PreferencesChanged,
		schemas.PreferencesChangedData{MustNotKnow: []string{schemas.Everybody, "RXX"}})
	s.events[1].Subject = journey
	d.apply(s.events[1:]...)
	if list() != 1 {
		t.Error("the journey's own organisation lost the call")
	}
}

// A request whose answer was lost is sent again, and counts once.
func TestAnOutcomeThatIsSentAgainCountsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	first, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome", `{"outcome":"unanswered"}`,
		"Idempotency-Key", "tried-once")
	if status != http.StatusOK || first.Next == nil || first.Next.Try != 2 {
		t.Fatalf("%d %s", status, text)
	}
	d.at(due.Add(time.Minute))
	again, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome", `{"outcome":"unanswered"}`,
		"Idempotency-Key", "tried-once")
	if status != http.StatusOK || again.Next == nil || again.Next.Try != 2 {
		t.Errorf("sent again: %d %s", status, text)
	}
	types, _ := d.emitted(journey)
	if n := len(slices.DeleteFunc(types,
		func(typ schemas.Type) bool { return typ != schemas.CallUnanswered })); n != 1 {
		t.Errorf("said %d times", n)
	}
	p := newPager(t)
	d = newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead")
	_, call, due = d.active(now)
	for i := range 2 {
		d.at(due.Add(time.Duration(i) * time.Minute))
		if got, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome",
			`{"outcome":"help-needed-now"}`, "Idempotency-Key", "help"); status != http.StatusOK || got.Help == nil {
			t.Errorf("%d %s", status, text)
		}
	}
	if pages := p.paged(); len(pages) != 1 {
		t.Errorf("one outcome paged %v", pages)
	}
}

// An id is the same in capitals.
func TestAnIdInCapitalsIsTheSame(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, _ := d.active(now)
	if _, status, text := do[claimShown](d, "POST", "/api/calls/"+strings.ToUpper(call)+"/claim",
		""); status != http.StatusOK {
		t.Errorf("claiming: %d %s", status, text)
	}
	got := d.outcome(strings.ToUpper(call), `{"outcome":"reached","answer":"same"}`)
	if got.Call != call || got.State != OutcomeReached || got.Next == nil || got.Next.Call == call {
		t.Errorf("%+v", got)
	}
	if _, last := d.emitted(journey); !strings.Contains(string(last[schemas.CallReached]), call) {
		t.Errorf("%s", last[schemas.CallReached])
	}
	d.as(schemas.Navigator, "RXX", "navigator")
	if got, status, text := do[planShown](d, "GET", "/api/journeys/"+strings.ToUpper(journey)+"/plan",
		""); status != http.StatusOK || got.State != Active {
		t.Errorf("the plan: %d %s", status, text)
	}
}

// What became of a call happened after it was planned, and not before.
func TestACallWasNotMadeBeforeItWasPlanned(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, call, due := d.active(now)
	for when, want := range map[time.Time]int{now.AddDate(0, 0, -20): http.StatusBadRequest,
		now.Add(-time.Hour):  http.StatusBadRequest,
		due.AddDate(0, 0, 1): http.StatusBadRequest, due.Add(-time.Minute): http.StatusOK} {
		body := fmt.Sprintf(`{"outcome":"unanswered","happenedAt":%q}`, when.Format(time.RFC3339))
		if _, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome", body); status != want {
			t.Errorf("%s: %d %s", when, status, text)
		}
	}
}

// Help is told of also where what is known of its journey cannot be read.
func TestHelpIsToldOfAlsoWhereTheJourneyCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.onCall(p, "1:lead", "2:manager")
	journey, _ := d.begun()
	var known string
	if err := d.pool.QueryRow(t.Context(), `select known::text from journey_state where journey = $1`,
		journey).Scan(&known); err != nil {
		t.Fatal(err)
	}
	if _, err := d.pool.Exec(t.Context(), `update journey_state set known = '{"visits": 7}' where journey = $1`,
		journey); err != nil {
		t.Fatal(err)
	}
	d.as(schemas.SendingTeam, "RXX", "nurse")
	got, status, text := do[helpShown](d, "POST", "/api/journeys/"+journey+"/help", "")
	if status != http.StatusCreated || len(got.Told) != 1 || !slices.Equal(p.paged(), []string{"/lead"}) {
		t.Errorf("asked: %d %s", status, text)
	}
	d.at(now.Add(31 * time.Minute))
	d.due("help-waits")
	d.due("pages")
	if pages := p.paged(); !slices.Equal(pages, []string{"/manager"}) {
		t.Errorf("after half an hour: %v", pages)
	}
	if got, status, text := do[helpShown](d, "POST", "/api/help/"+got.Help+"/acknowledge",
		""); status != http.StatusOK || got.Acknowledged == nil {
		t.Errorf("taking it on: %d %s", status, text)
	}
	if n := count(t, d.pool, `select count(*) from help where taken_at is null`); n != 0 {
		t.Errorf("%d are not taken on", n)
	}
	if _, err := d.pool.Exec(t.Context(), `update journey_state set known = $2::text::jsonb where journey = $1`,
		journey, known); err != nil {
		t.Fatal(err)
	}
	d.at(now.Add(42 * time.Minute))
	d.due("help-waits")
	types, _ := d.emitted(journey)
	if !slices.Contains(types, schemas.HelpRequested) || !slices.Contains(types, schemas.HelpAcknowledged) {
		t.Errorf("once the journey can be read again: %v", types)
	}
}

// A rota on which nobody is at this hour is passed: the next that has somebody is asked.
func TestARotaWithNobodyOnItNowIsPassed(t *testing.T) {
	t.Parallel()
	s := &Service{zone: london(t), host: "RHOST"}
	at := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) // a Saturday
	days := func(names ...string) (o OnCall) { o.Days, _ = weekOf(names); return o }
	office, always := days("mon", "tue"), days(dayNames...)
	office.Organisation, office.FromHour, office.ToHour = "RXX", 9, 17
	always.Organisation, always.FromHour, always.ToHour = "RHOST", 0, 24
	rotas := map[string][]OnCall{"RXX": {office}, "RHOST": {always}}
	if got := s.rotaAbout(&Help{Of: "RXX", By: "RYY"}, rotas, at); len(got) != 1 || got[0].Organisation != "RHOST" {
		t.Errorf("at night: %+v", got)
	}
	if got := s.rotaAbout(&Help{Of: "RXX"}, map[string][]OnCall{"RXX": {office}}, at); len(got) != 1 {
		t.Errorf("nobody anywhere: %+v", got)
	}
}

// What is sent again as it stands is no other rhythm: calls stay where they are.
func TestARhythmThatIsSaidAgainMovesNoCall(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, _, due := d.active(now)
	d.as(schemas.Navigator, "RXX", "navigator")
	d.at(due.AddDate(0, 0, -3))
	for _, body := range []string{`{"everyDays":14}`, `{"everyDays":14,"monthly":false,"minutes":10}`} {
		got, status, text := do[planShown](d, "POST", "/api/journeys/"+journey+"/plan", body)
		if status != http.StatusOK || got.Next == nil || !got.Next.DueAt.Equal(due) || got.Agreed.From != "" {
			t.Errorf("%s: %d %s, the call was on %s", body, status, text, due)
		}
	}
}

// What cannot be stored is refused with words.
func TestACallersAddressHoldsNoControlCharacters(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	d.as(schemas.Caller, "RXX", "caller")
	for _, address := range []string{`a\u0000b`, `a\u0007b`, `a\r\nBcc: x`} {
		if _, status, text := do[callerShown](d, "PUT", "/api/callers/me", `{"channel":"webhook","address":"`+address+
			`"}`); status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", address, status, text)
		}
	}
}

// Whoever asked for help and was heard by nobody is found by the sentinel, whatever it was asked from.
func TestHelpThatNobodyTookOnIsHeld(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	d.as(schemas.Partner, "8c4bba9e", "peer")
	unknown := clock.NewRandomID()
	got, status, text := do[helpShown](d, "POST", "/api/journeys/"+unknown+"/help", "")
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	if n := count(t, d.pool, `select count(*) from held where journey = $1 and state = 'help'`, unknown); n != 1 {
		t.Errorf("it is held %d times", n)
	}
	d.as(schemas.Navigator, "8c4bba9e", "navigator")
	if _, status, text := do[helpShown](d, "POST", "/api/help/"+got.Help+"/acknowledge", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if n := count(t, d.pool, `select count(*) from held where journey = $1`, unknown); n != 0 {
		t.Errorf("taken on, and held %d times", n)
	}
}
