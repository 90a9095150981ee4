package bridging

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/schemas"
)

func dayOf(t testing.TB, text string) calendar.Day {
	t.Helper()
	day, err := calendar.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

func TestTheRhythmCountsFromTheFirstDayAgreed(t *testing.T) {
	t.Parallel()
	monthly := Agreement{Monthly: true}
	day := dayOf(t, "2026-01-31")
	for _, want := range []string{"2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"} {
		if day = monthly.next(dayOf(t, "2026-01-31"), day); day.String() != want {
			t.Fatalf("a month later: %s, not %s", day, want)
		}
	}
	for _, tc := range []struct {
		a                  Agreement
		anchor, base, want string
	}{
		{Agreement{}, "2026-11-03", "2026-11-03", "2026-11-17"},
		{Agreement{}, "2026-11-03", "2026-12-14", "2026-12-15"},
		{Agreement{EveryDays: 7}, "2026-11-03", "2027-03-01", "2027-03-02"},
		{Agreement{}, "2026-11-20", "2026-11-03", "2026-11-20"},
		{monthly, "2026-01-31", "2027-02-27", "2027-02-28"}, {monthly, "2026-11-30", "2026-11-30", "2026-12-30"},
	} {
		if got := tc.a.next(dayOf(t, tc.anchor), dayOf(t, tc.base)).String(); got != tc.want {
			t.Errorf("%+v from %s after %s: %s, not %s", tc.a, tc.anchor, tc.base, got, tc.want)
		}
	}
}

// Calls are only ever placed inside the person's hours, on no bank holiday of their nation and on no day on which
// somebody else is in touch; an hour that the clocks skip is none.
func TestACallIsOnlyEverPlacedWhereItMayBe(t *testing.T) {
	t.Parallel()
	zone := london(t)
	rapid.Check(t, func(rt *rapid.T) {
		a := Agreement{Minutes: rapid.SampledFrom([]int{5, 10, 30}).Draw(rt, "minutes"),
			Nation: rapid.SampledFrom([]string{"", "scotland", "northern-ireland"}).Draw(rt, "nation")}
		for range rapid.IntRange(0, 3).Draw(rt, "windows") {
			from := rapid.IntRange(0, 22).Draw(rt, "from")
			a.Windows = append(a.Windows, Window{Days: rapid.SliceOfNDistinct(rapid.SampledFrom(dayNames), 1, 7,
				rapid.ID[string]).Draw(rt, "days"), FromHour: from, ToHour: rapid.IntRange(from+1, 24).Draw(rt, "to")})
		}
		from := dayOf(t, "2026-02-01") + calendar.Day(rapid.IntRange(0, 700).Draw(rt, "day"))
		busy := map[calendar.Day]bool{from + calendar.Day(rapid.IntRange(0, 8).Draw(rt, "busy")): true}
		on, at, ok := a.place(clock.NewRandomID(), from, rapid.IntRange(1, 3).Draw(rt, "try"), busy, zone)
		if !ok {
			rt.Fatalf("nowhere for %+v from %s", a, from)
		}
		if on < from || busy[on] || calendar.Of(a.Nation).Is(on) || calendar.DayOf(at, zone) != on || !a.may(at, zone) {
			rt.Fatalf("%+v from %s: on %s at %s", a, from, on, at.In(zone))
		}
	})
}

// active is a journey of RXX with a plan that runs, at the time of its call, and the call.
func (d *desk) active(at time.Time) (journey, call string, due time.Time) {
	d.t.Helper()
	journey, _ = d.begun()
	if err := d.pool.QueryRow(d.t.Context(),
		`select id::text, due_at from call where journey = $1 and ended_at is null`, journey).Scan(&call,
		&due); err != nil {
		d.t.Fatal(err)
	}
	d.at(due)
	d.as(schemas.Caller, "RXX", "caller")
	return journey, call, due
}

func (d *desk) outcome(call, body string) outcomeShown {
	d.t.Helper()
	got, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome", body)
	if status != http.StatusOK {
		d.t.Fatalf("%s: %d %s", body, status, text)
	}
	return got
}

func TestWhoRingsIsSettledWhenTheNameIsShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	path := "/api/calls/" + call + "/claim"
	d.at(due.Add(-16 * time.Minute))
	if _, status, _ := do[claimShown](d, "POST", path, ""); status != http.StatusConflict {
		t.Errorf("16 minutes before: %d", status)
	}
	d.at(due.Add(-14 * time.Minute))
	allowed, claims := (Agreement{}).may(due.Add(-14*time.Minute), d.zone), 2
	if _, status, _ := do[claimShown](d, "POST", path, ""); (status == http.StatusOK) != allowed {
		t.Errorf("14 minutes before, which the person's hours allow (%v): %d", allowed, status)
	}
	if allowed {
		claims++
	}
	d.at(due)
	got, status, text := do[claimShown](d, "POST", path, "")
	if status != http.StatusOK || !strings.Contains(strings.Join(got.Script, " "), "stays between you") ||
		got.Person != "/api/calls/"+call+"/person" {
		t.Fatalf("%d %s", status, text)
	}
	if _, status, _ := do[claimShown](d, "POST", path, ""); status != http.StatusOK {
		t.Errorf("the same caller again: %d", status)
	}
	d.as(schemas.Caller, "RXX", "another")
	if _, status, _ := do[claimShown](d, "POST", path, ""); status != http.StatusConflict {
		t.Errorf("another caller: %d", status)
	}
	d.as(schemas.Caller, "RZZ", "caller")
	if _, status, _ := do[claimShown](d, "POST", path, ""); status != http.StatusNotFound {
		t.Errorf("another team: %d", status)
	}
	d.as(schemas.Caller, "RXX", "caller")
	d.outcome(call, `{"outcome":"reached","answer":"same"}`)
	if _, status, text := do[claimShown](d, "POST", path, ""); status != http.StatusConflict ||
		!strings.Contains(text, "over") {
		t.Errorf("after the outcome: %d %s", status, text)
	}
	types, _ := d.emitted(journey)
	if n := len(slices.DeleteFunc(slices.Clone(types),
		func(typ schemas.Type) bool { return typ != schemas.CallClaimed })); n != claims {
		t.Errorf("claimed %d times, of %v", n, types)
	}
}

// Two replicas never let two callers ring one person.
func TestTwoCallersAtOnceAreOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, call, _ := d.active(now)
	var both sync.WaitGroup
	won := make(chan int, 8)
	for i := range 8 {
		both.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.srv.URL+"/api/calls/"+call+"/claim",
				nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set(asHeader, fmt.Sprintf("caller-%d", i))
			res, err := d.srv.Client().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			won <- res.StatusCode
		})
	}
	both.Wait()
	close(won)
	ok := 0
	for status := range won {
		if status == http.StatusOK {
			ok++
		}
	}
	if ok != 1 {
		t.Errorf("%d callers may ring", ok)
	}
}

func TestACallThatNobodyAnsweredIsTriedTwiceMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	first := d.outcome(call, `{"outcome":"unanswered"}`)
	if first.Next == nil || first.Next.Call != call || first.Next.Try != 2 ||
		!first.Next.DueAt.After(due.Add(12*time.Hour)) || first.Next.DueAt.After(due.Add(72*time.Hour)) {
		t.Fatalf("after the first: %+v", first.Next)
	}
	if first.Next.DueAt.In(d.zone).Format("15:04") == due.In(d.zone).Format("15:04") {
		t.Error("the second try is at the same hour")
	}
	d.at(first.Next.DueAt)
	second := d.outcome(call, `{"outcome":"left-the-agreed-message"}`)
	if second.Next == nil || second.Next.Call != call || second.Next.Try != 3 {
		t.Fatalf("after the second: %+v", second.Next)
	}
	d.at(second.Next.DueAt)
	third := d.outcome(call, `{"outcome":"unanswered"}`)
	if third.State != OutcomeUnanswered || third.Next == nil || third.Next.Call == call || third.Next.Try != 1 {
		t.Fatalf("after the third: %+v", third)
	}
	_, last := d.emitted(journey)
	if strings.Contains(string(last[schemas.CallUnanswered]), "navigator") {
		t.Errorf("one call unanswered is a navigator's: %s", last[schemas.CallUnanswered])
	}
	next := third.Next.Call
	for range 3 { // the next call too
		var at time.Time
		if err := d.pool.QueryRow(t.Context(), `select due_at from call where id = $1`, next).Scan(&at); err != nil {
			t.Fatal(err)
		}
		d.at(at)
		d.outcome(next, `{"outcome":"unanswered"}`)
	}
	types, last := d.emitted(journey)
	if !strings.Contains(string(last[schemas.CallUnanswered]), `"navigator":true`) ||
		slices.Contains(types, schemas.BridgingEnded) || slices.Contains(types, schemas.BridgingPaused) {
		t.Errorf("two in a row: %s, %v", last[schemas.CallUnanswered], types)
	}
	if n := count(t, d.pool, `select count(*) from call where journey = $1 and ended_at is null`, journey); n != 1 {
		t.Errorf("%d calls are ahead after two in a row", n)
	}
}

func TestEachOutcomeHasItsLadder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bodies []string // one after another, each at the time of what is ahead
		state  State
		why    string
		typ    schemas.Type
		says   string
	}{
		"reached": {[]string{`{"outcome":"reached","answer":"better"}`}, Active, "", schemas.CallReached,
			`"answer":"better"`},
		"not made, ours": {[]string{`{"outcome":"not-made","reason":"caller-ill"}`}, Active, "",
			schemas.CallNotMade, `"reason":"caller-ill"`},
		"a wrong number": {[]string{`{"outcome":"wrong-number"}`}, Paused, becauseChannel, schemas.CallUnanswered,
			`"navigator":true`},
		"somebody else, once": {[]string{`{"outcome":"someone-else-answered"}`}, Active, "", schemas.CallOtherPerson,
			`"call"`},
		"somebody else, twice": {[]string{`{"outcome":"someone-else-answered"}`, `{"outcome":"someone-else-answered"}`},
			Paused, becauseChannel, schemas.CallOtherPerson, `"navigator":true`},
		"another says stop": {[]string{`{"outcome":"asked-to-stop","by":"somebody-else"}`}, Paused,
			becauseAskedToStop, schemas.AskedToStop, `"by":"somebody-else"`},
		"the person says stop": {[]string{`{"outcome":"asked-to-stop","by":"person"}`}, Ended, becausePerson,
			schemas.AskedToStop, `"by":"person"`},
		"help is needed": {[]string{`{"outcome":"help-needed-now"}`}, Active, "", schemas.HelpRequested,
			`"kind":"needed-now"`},
		"worse": {[]string{`{"outcome":"reached","answer":"worse"}`}, Active, "", schemas.HelpRequested,
			`"kind":"worse"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			journey, call, _ := d.active(now)
			var said time.Time
			for _, body := range tc.bodies {
				said = d.c.Now()
				shown := d.outcome(call, body)
				if shown.Next != nil {
					d.at(shown.Next.DueAt)
				}
			}
			var state, why string
			if err := d.pool.QueryRow(t.Context(), `select state, because from plan where journey = $1`,
				journey).Scan(&state, &why); err != nil {
				t.Fatal(err)
			}
			_, last := d.emitted(journey)
			if State(state) != tc.state || why != tc.why || !strings.Contains(string(last[tc.typ]), tc.says) {
				t.Errorf("%s because %q; %s says %s", state, why, tc.typ, last[tc.typ])
			}
			wait := map[string]time.Duration{"help is needed": 30 * time.Minute, "worse": 4 * time.Hour}[name]
			if wait > 0 {
				var help schemas.HelpRequestedData
				err := json.Unmarshal(last[tc.typ], &help)
				if late := help.DueAt.Sub(said.Add(wait)).Abs(); err != nil || late > time.Minute {
					t.Errorf("at %s help is asked for by %s (%v), want within %s", said, help.DueAt, err, wait)
				}
			}
			ahead := count(t, d.pool, `select count(*) from call where journey = $1 and ended_at is null`, journey)
			if want := map[bool]int{true: 1, false: 0}[tc.state == Active]; ahead != want {
				t.Errorf("%d calls are ahead", ahead)
			}
		})
	}
}

// TestWhoRangSaysWhatBecameOfItWhateverTheYesIsNow: between ringing and writing it down, the person's yes to the
// caller's organisation may end. What the caller has heard is not refused for that; of a call that they never rang
// they see nothing.
func TestWhoRangSaysWhatBecameOfItWhateverTheYesIsNow(t *testing.T) {
	t.Parallel()
	for rang, want := range map[bool]int{true: http.StatusOK, false: http.StatusNotFound} {
		d := newDesk(t, Config{})
		journey, call, due := d.active(now)
		if rang {
			if _, status, text := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", ""); status != http.StatusOK {
				t.Fatalf("claiming: %d %s", status, text)
			}
		}
		d.hears(journey, due, schemas.ConsentDeclined,
			schemas.ConsentData{Purposes: []string{"bridging"}, Organisation: "RXX"})
		for _, body := range []string{`{"outcome":"reached","answer":"worse"}`, `{"outcome":"someone-else-answered"}`} {
			if _, status, text := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome", body); status != want {
				t.Errorf("rang: %v; %s: %d %s", rang, body, status, text)
			}
		}
	}
}

// hears is that intake says something about a journey at a time, later than all else.
func (d *desk) hears(journey string, at time.Time, typ schemas.Type, data any) {
	d.t.Helper()
	s := &teller{said: map[string]int64{"intake": d.next()}}
	s.say("intake", typ, data)
	s.events[0].Subject, s.events[0].Time = journey, at
	d.apply(s.events...)
}

// next is a sequence above all that were said so far.
func (d *desk) next() int64 {
	d.sequence += 100
	return d.sequence
}

// What pauses or ends calls is lifted by what the person says alone, as it was recorded with whoever records it: a
// stop by their answer, a number by how they may be reached. Anything said before it lifts nothing, however late it
// arrives.
func TestWhatPausedACallIsLiftedByThePersonsAnswer(t *testing.T) {
	t.Parallel()
	yes := func(d *desk, journey string, at time.Time) {
		d.hears(journey, at, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	}
	parted := func(d *desk, journey string, at time.Time) { // two records are joined, and taken apart again
		d.hears(journey, at, schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{"bridging"},
			AsBefore: true})
		d.hears(journey, at, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}, AsBefore: true})
	}
	reached := func(d *desk, journey string, at time.Time) {
		d.hears(journey, at, schemas.PreferencesChanged, schemas.PreferencesChangedData{Reachable: true,
			Questions: []string{}})
	}
	for name, tc := range map[string]struct {
		outcome string
		lift    func(d *desk, journey string, at time.Time)
		lifted  bool
	}{
		"another said stop, a yes":   {`{"outcome":"asked-to-stop","by":"somebody-else"}`, yes, true},
		"another said stop, contact": {`{"outcome":"asked-to-stop","by":"somebody-else"}`, reached, false},
		"another said stop, parted":  {`{"outcome":"asked-to-stop","by":"somebody-else"}`, parted, false},
		"they said stop, a yes":      {`{"outcome":"asked-to-stop","by":"person"}`, yes, true},
		"they said stop, parted":     {`{"outcome":"asked-to-stop","by":"person"}`, parted, false},
		"they said stop, contact":    {`{"outcome":"asked-to-stop","by":"person"}`, reached, false},
		"a wrong number, contact":    {`{"outcome":"wrong-number"}`, reached, true},
		"a wrong number, a yes":      {`{"outcome":"wrong-number"}`, yes, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			journey, call, due := d.active(now)
			d.outcome(call, tc.outcome)
			active := func() bool {
				return count(t, d.pool, `select count(*) from plan where journey = $1 and state = 'active'`,
					journey) == 1
			}
			tc.lift(d, journey, due.Add(-time.Minute)) // it was said before, and arrives now
			if active() {
				t.Error("what was said before lifts what was said since")
			}
			tc.lift(d, journey, due.Add(time.Hour))
			if active() != tc.lifted {
				t.Errorf("the plan goes on: %v", active())
			}
		})
	}
}

// An outcome that is written down days later, of a time before the newest, undoes nothing.
func TestAnOlderOutcomeNeverUndoesANewer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	d.at(due.Add(time.Hour))
	d.outcome(call, `{"outcome":"reached","answer":"same"}`)
	before := count(t, d.pool, `select extract(epoch from due_at)::int from call where journey = $1
		and ended_at is null`, journey)
	d.at(due.Add(3 * 24 * time.Hour))
	late := d.outcome(call, fmt.Sprintf(`{"outcome":"unanswered","happenedAt":%q}`, due.Format(time.RFC3339)))
	after := count(t, d.pool,
		`select extract(epoch from due_at)::int from call where journey = $1 and ended_at is null`, journey)
	if late.State != OutcomeReached || before != after || count(t, d.pool, `select count(*) from call where id = $1
		and state = 'reached'`, call) != 1 {
		t.Errorf("%+v; the next call %d, then %d", late, before, after)
	}
	if n := count(t, d.pool, `select jsonb_array_length(known->'tries') from journey_state where journey = $1`,
		journey); n != 2 {
		t.Errorf("%d tries are kept", n)
	}
	for _, wrong := range []string{`{"outcome":"hung-up"}`, `{"outcome":"reached"}`, `{"outcome":"not-made"}`,
		`{"outcome":"asked-to-stop"}`,
		fmt.Sprintf(`{"outcome":"unanswered","happenedAt":%q}`, due.Add(30*24*time.Hour).Format(time.RFC3339)),
		fmt.Sprintf(`{"outcome":"unanswered","happenedAt":%q}`, due.Add(-60*24*time.Hour).Format(time.RFC3339))} {
		if _, status, _ := do[outcomeShown](d, "POST", "/api/calls/"+call+"/outcome",
			wrong); status != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, status)
		}
	}
}

func TestNoSecondPlannedContactOnADay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	d.at(now)
	s := &teller{}
	on := calendar.DayOf(due, d.zone)
	s.say("followup", schemas.AppointmentBooked, schemas.AppointmentBookedData{Appointment: "a", On: on.String()})
	s.say("followup", schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Appointment: "a"})
	for i := range s.events {
		s.events[i].Subject = journey
	}
	d.apply(s.events[0])
	if n := count(t, d.pool, `select count(*) from call where id = $1 and on_day > $2::date and sequence = 1
		and ended_at is null`, call, on.String()); n != 1 {
		t.Error("the call stays on the day of a session")
	}
	d.apply(s.events[1])
	if n := count(t, d.pool, `select count(*) from call where id = $1 and on_day = $2::date and sequence = 2`, call,
		on.String()); n != 1 {
		t.Error("the call does not come back to its day once the session is cancelled")
	}
}

func TestAfterALongStopWhatWasMissedIsOneCallMarkedLate(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	d.at(due.Add(100 * 24 * time.Hour))
	d.due("calls")
	d.due("plans")
	if n := count(t, d.pool, `select count(*) from call where journey = $1 and ended_at is null and late`,
		journey); n != 1 {
		t.Errorf("%d calls are ahead and late", n)
	}
	got, status, text := do[struct{ Items []callShown }](d, "GET", "/api/calls", "")
	if status != http.StatusOK || len(got.Items) != 1 || !got.Items[0].Late || got.Items[0].Call != call {
		t.Fatalf("the list: %d %s", status, text)
	}
	one, status, text := do[callShown](d, "GET", "/api/calls/"+call, "")
	if status != http.StatusOK || one.Call != call || one.Over || len(one.Actions) != 1 {
		t.Fatalf("one call: %d %s", status, text)
	}
	at := due.Add(100 * 24 * time.Hour)
	for !(Agreement{}).may(at, d.zone) {
		at = at.Add(time.Hour)
	}
	d.at(at)
	shown := d.outcome(call, `{"outcome":"reached","answer":"did-not-say"}`)
	if shown.Next == nil || !shown.Next.DueAt.After(at) || shown.Next.DueAt.After(at.Add(20*24*time.Hour)) {
		t.Errorf("the rhythm does not go on from today: %+v", shown.Next)
	}
	if _, status, _ := do[callShown](d, "GET", "/api/calls/"+call, ""); status != http.StatusNotFound {
		t.Errorf("to a caller a call that is over is answered with %d", status)
	}
	d.as(schemas.Navigator, "RXX", "a-navigator")
	if one, status, text := do[callShown](d, "GET", "/api/calls/"+call, ""); status != http.StatusOK || !one.Over ||
		slices.Contains(one.May, "claim") {
		t.Errorf("a call that is over: %d %s", status, text)
	}
	d.as(schemas.Caller, "RZZ", "another")
	if _, status, _ := do[callShown](d, "GET", "/api/calls/"+call, ""); status != http.StatusNotFound {
		t.Errorf("to callers of others it is answered with %d", status)
	}
}

func TestCallersAreRemindedADayAheadAndWhenDue(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	journey, call, due := d.active(now)
	if _, status, text := do[callerShown](d, "PUT", "/api/callers/me", `{"channel":"webhook","address":"`+p.URL+
		`/caller","most":2,"days":`+everyDay+`,"fromHour":0,"toHour":24}`); status != http.StatusOK {
		t.Fatal(status, text)
	}
	next := d.outcome(call, `{"outcome":"reached","answer":"same"}`).Next
	for _, step := range []struct {
		at   time.Time
		want int
	}{{due.Add(time.Hour), 0}, {next.DueAt.Add(-23 * time.Hour), 1}, {next.DueAt.Add(-time.Hour), 0},
		{next.DueAt.Add(time.Minute), 1}, {next.DueAt.Add(3 * time.Hour), 1}, {next.DueAt.Add(30 * time.Hour), 0}} {
		d.at(step.at)
		d.due("calls")
		d.due("notices")
		if got := p.paged(); len(got) != step.want {
			t.Errorf("at %s: %v", step.at, got)
		}
	}
	for _, body := range p.bodies {
		if strings.Contains(body, journey) || strings.Contains(body, call) {
			t.Errorf("a reminder says %s", body)
		}
	}
	d.at(next.DueAt)
	handed, status, text := do[struct{ HandedOn []string }](d, "POST", "/api/callers/me/away", `{}`)
	if status != http.StatusOK || !slices.Equal(handed.HandedOn, []string{next.Call}) {
		t.Errorf("a caller who is ill hands on: %d %s", status, text)
	}
	d.as(schemas.Caller, "RXX", "another")
	if _, status, text := do[claimShown](d, "POST", "/api/calls/"+next.Call+"/claim", ""); status != http.StatusOK {
		t.Errorf("another caller: %d %s", status, text)
	}
}

func TestACallerMakesNoMoreCallsADayThanAgreed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, call, due := d.active(now)
	do[callerShown](d, "PUT", "/api/callers/me", `{"most":1}`)
	if _, err := d.pool.Exec(t.Context(), `insert into call (id, plan, journey, organisation, due_at, on_day, state,
		scheduled_at, ended_at, team)
		select gen_random_uuid(), plan, journey, organisation, due_at, on_day, 'reached', scheduled_at, due_at, team
		from call where id = $1`, call); err != nil {
		t.Fatal(err)
	}
	if _, err := d.pool.Exec(t.Context(), `insert into rang (call, try, team, mark, at) select id, 1, team, $2, $3
		from call where id <> $1`, call, d.who.Mark(), due.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, status, text := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", ""); status != http.StatusConflict ||
		!strings.Contains(text, "agreed to") {
		t.Errorf("%d %s", status, text)
	}
}

func TestAPlanFollowsWhatThePersonAgreed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, _ := d.begun()
	d.as(schemas.SendingTeam, "RXX", "nurse")
	path := "/api/journeys/" + journey + "/plan"
	agree := func(body string) planShown {
		t.Helper()
		got, status, text := do[planShown](d, "POST", path, body)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, status, text)
		}
		return got
	}
	weekly := agree(
		`{"everyDays":7,"windows":[{"days":["sat"],"fromHour":18,"toHour":21}],"channel":"text","minutes":20}`)
	if local := weekly.Next.DueAt.In(d.zone); local.Weekday() != time.Saturday || local.Hour() < 18 ||
		weekly.EveryDays != 7 || weekly.Minutes != 20 {
		t.Errorf("weekly on Saturday evenings: %+v", weekly.Next)
	}
	monthly := agree(`{"monthly":true}`)
	if monthly.Agreed.Channel != "text" || len(monthly.Agreed.Windows) != 1 || monthly.Next.Call != weekly.Next.Call ||
		monthly.Next.DueAt.Before(now.AddDate(0, 1, 0)) {
		t.Errorf("each month; what was left out stays: %+v", monthly)
	}
	paused := agree(`{"pausedUntil":"2026-12-24"}`)
	if paused.State != Paused || paused.Next != nil || paused.LookOn != "2026-12-24" {
		t.Errorf("paused: %+v", paused)
	}
	d.at(now.AddDate(0, 1, 25))
	d.due("plans")
	goes, _, _ := do[planShown](d, "GET", path, "")
	if goes.State != Active || goes.Next == nil {
		t.Errorf("after the pause: %+v", goes)
	}
	d.at(now.AddDate(0, 7, 0))
	d.due("plans")
	d.due("plans")
	types, _ := d.emitted(journey)
	if n := len(slices.DeleteFunc(slices.Clone(types),
		func(typ schemas.Type) bool { return typ != schemas.BridgingReview })); n != 1 {
		t.Errorf("after half a year somebody is asked %d times: %v", n, types)
	}
	for _, wrong := range []string{`{"everyDays":0}`, `{"minutes":90}`, `{"pausedUntil":"soon"}`,
		`{"channel":"letter"}`, `{"nation":"france"}`, `{"windows":[{"days":["mon"],"fromHour":9,"toHour":9}]}`,
		`{"firstOn":"2020-01-01"}`, `{"unanswered":"police"}`} {
		if _, status, _ := do[planShown](d, "POST", path, wrong); status != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, status)
		}
	}
	d.as(schemas.SendingTeam, "RZZ", "nurse")
	if _, status, _ := do[planShown](d, "GET", path, ""); status != http.StatusNotFound {
		t.Errorf("another organisation: %d", status)
	}
}

func TestWhatWillFireIsShownByHour(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, _, due := d.active(now)
	type timersAnswer struct{ Items []timerCount }
	d.as(schemas.Operator, "RXX", "operator")
	d.at(due.Add(-30 * time.Hour))
	got, status, text := do[timersAnswer](d, "GET", "/api/timers?hours=12", "")
	if status != http.StatusOK || len(got.Items) != 1 || got.Items[0].Kind != "call-reminder" ||
		got.Items[0].Count != 1 || got.Items[0].Late != 0 {
		t.Errorf("six hours before the reminder: %d %s", status, text)
	}
	d.at(due.Add(time.Hour))
	if late, _, text := do[timersAnswer](d, "GET", "/api/timers", ""); len(late.Items) != 1 || late.Items[0].Late != 1 {
		t.Errorf("with a reminder that has not fired: %s", text)
	}
	d.as(schemas.Navigator, "RZZ", "navigator")
	if other, _, text := do[timersAnswer](d, "GET", "/api/timers", ""); len(other.Items) != 0 {
		t.Errorf("another organisation's: %s", text)
	}
	if _, status, _ := do[timersAnswer](d, "GET", "/api/timers?hours=0", ""); status != http.StatusBadRequest {
		t.Errorf("no hours: %d", status)
	}
}

// After a stop, what is late goes out over a time, evenly, the oldest first; none of it is put off beyond its call,
// what is past its time is late at once, and what is to come stays.
func TestWhatIsLateIsSpreadAndNoPromiseBroken(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	later := now.Add(24 * time.Hour)
	d.at(later)
	minutes := func(n int) time.Time { return later.Add(time.Duration(n) * time.Minute) }
	for _, row := range []struct{ act, due int }{{-500, -400}, {-300, -100}, {-200, -30}, {-60, 10}, {-50, 600},
		{30, 700}} {
		journey, _ := d.begun()
		if _, err := d.pool.Exec(t.Context(), `with moved as (update call
			set due_at = $3::timestamptz, on_day = ($3::timestamptz)::date where journey = $1 returning id)
			update timer set act_at = $2 where call in (select id from moved)`, journey, minutes(row.act),
			minutes(row.due)); err != nil {
			t.Fatal(err)
		}
	}
	d.as(schemas.Operator, "RXX", "operator")
	for _, wrong := range []string{`{}`, `{"minutes":0}`, `{"minutes":9999}`} {
		if _, status, _ := do[spreadShown](d, "POST", "/api/timers/spread", wrong); status != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, status)
		}
	}
	d.at(later) // the clock runs on while the test does
	got, status, text := do[spreadShown](d, "POST", "/api/timers/spread", `{"minutes":100}`)
	if status != http.StatusOK || got.Calls != 5 {
		t.Fatalf("%d %s", status, text)
	}
	rows, err := d.pool.Query(t.Context(), `select extract(epoch from act_at - $1)::int / 60, late from timer t
		join call c on c.id = t.call order by due_at`, later)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var fires []string
	for rows.Next() {
		var minute int
		var late bool
		if err := rows.Scan(&minute, &late); err != nil {
			t.Fatal(err)
		}
		fires = append(fires, fmt.Sprint(minute, " ", late))
	}
	want := []string{"0 true", "20 false", "40 false", "10 false", "80 false", "30 false"}
	for i, fire := range fires {
		var minute, wanted int
		var late, wantedLate bool
		fmt.Sscan(fire, &minute, &late)
		fmt.Sscan(want[i], &wanted, &wantedLate)
		if late != wantedLate || minute < wanted-2 || minute > wanted+2 {
			t.Errorf("the %dth fires after %s, want %s", i, fire, want[i])
		}
	}
}

// A call that we did not make is ours to make good: it stays the call ahead, on the next day that the person's hours
// allow.
func TestACallThatWeDidNotMakeIsMadeOnTheNextDayAllowed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	_, call, on := d.active(now)
	shown := d.outcome(call, `{"outcome":"not-made","reason":"no-caller"}`)
	if shown.Next == nil || shown.Next.Call != call || shown.Next.Try != 1 {
		t.Fatalf("what follows is %+v", shown.Next)
	}
	if days := calendar.DayOf(shown.Next.DueAt, d.Service.zone) - calendar.DayOf(on, d.Service.zone); days < 1 ||
		days > 4 {
		t.Errorf("it is made %d days later", days)
	}
	d.at(shown.Next.DueAt)
	if shown = d.outcome(call, `{"outcome":"unanswered"}`); shown.Next == nil || shown.Next.Call != call ||
		shown.Next.Try != 2 {
		t.Errorf("one that was not made counts as a try: %+v", shown.Next)
	}
}

// On the day of a session that somebody else has planned nobody rings: not for a call that was left from the day before
// either.
func TestACallLeftFromTheDayBeforeIsNotMadeOnTheDayOfASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey, call, due := d.active(now)
	next := due.AddDate(0, 0, 1)
	d.hears(journey, d.c.Now(), schemas.AppointmentBooked, schemas.AppointmentBookedData{Appointment: "session",
		On: calendar.DayOf(next, d.zone).String()})
	d.at(next)
	d.as(schemas.Caller, "RXX", "caller")
	_, status, text := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", "")
	if status != http.StatusConflict || !strings.Contains(text, "in touch with the person today") {
		t.Errorf("on the day of the session: %d %s", status, text)
	}
	d.hears(journey, d.c.Now(), schemas.AppointmentCancelled,
		schemas.AppointmentCancelledData{Appointment: "session"})
	if _, status, text = do[claimShown](d, "POST", "/api/calls/"+call+"/claim", ""); status != http.StatusOK {
		t.Errorf("once it is called off: %d %s", status, text)
	}
}
