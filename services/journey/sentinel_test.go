package journey

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

func (w *world) sentinel() *Sentinel {
	w.t.Helper()
	s, err := NewSentinel(SentinelConfig{Owners: someOwners, Clock: w.c, Flow: w.flow, Pool: w.pool,
		OnHold: w.db.Pool(pg.Sentinel), Services: []string{"other", Name}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) look(s *Sentinel, want int) {
	w.t.Helper()
	if found, err := s.Round(w.t.Context()); err != nil || found != want {
		w.t.Errorf("found %d (%v), want %d", found, err, want)
	}
}

// holds makes the other service hold something since some minutes ago.
func (w *world) holds(journey, state string, minutes int) {
	w.t.Helper()
	since := w.c.Now().Add(-time.Duration(minutes) * time.Minute)
	if _, err := w.db.Pool("other").Exec(w.t.Context(), `insert into thing values ($1, $2, $3)`, journey, state,
		since); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) voids() []flow.Event {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `select payload from outbox
		where subject like 'footbridge.journey.in-void.%' order by id`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var events []flow.Event
	for rows.Next() {
		var payload string
		if err := rows.Scan(&payload); err != nil {
			w.t.Fatal(err)
		}
		e, err := flow.Unmarshal([]byte(payload))
		if err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestTheSentinelFindsWhatNoEventTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	fine, _ := w.oneJourney()
	unknown, young, failed, message := clock.NewID(w.c.Now()), clock.NewID(w.c.Now()), clock.NewID(w.c.Now()),
		clock.NewID(w.c.Now())
	w.holds(fine, "offer-raised", 60)
	w.holds(unknown, "offer-raised", 60)
	w.holds(young, "offer-raised", 1)
	w.holds(failed, "dead-letter", 60)
	w.holds(message, "message-quarantined", 60)
	w.look(s, 3)
	w.look(s, 0) // each is found once
	for journey, kind := range map[string]string{unknown: stepFindWhatIsLost, failed: stepMendWhatFailed} {
		shown, status := ask[journeyShown](w, "GET", "/api/journeys/"+journey, "")
		if status != 200 || len(shown.Steps) != 1 || shown.Steps[0].Kind != kind ||
			shown.Steps[0].Owner != "navigator:duty" {
			t.Errorf("%s: got %d %+v", kind, status, shown)
		}
	}
	if got := count(t, w.pool, `select count(*) from step where about = $1 and kind = 'read-the-message'
		and state = 'open'`, message); got != 1 {
		t.Error("the message has no step")
	}
	voids := w.voids()
	reasons := map[string]string{}
	for _, e := range voids {
		d, err := flow.Decode[schemas.JourneyInVoidData](e)
		if err != nil {
			t.Fatal(err)
		}
		if faults := schemas.Validate(d); len(faults) > 0 {
			t.Errorf("%v", faults)
		}
		reasons[e.Subject] = d.Reason
	}
	if len(voids) != 3 || reasons[unknown] != "not-opened" || reasons[failed] != "dead-letter" ||
		reasons[message] != "no-step" {
		t.Errorf("said %v", reasons)
	}
}

func TestTheSentinelTakesOverWhatIsOverduePastItsGraceOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	journey, _ := w.oneJourney()
	w.look(s, 0)
	w.c.Set(72 * time.Hour)
	w.look(s, 1)
	w.c.Set(720 * time.Hour)
	w.look(s, 0) // what the sentinel opened is escalated, not found again
	shown, _ := ask[journeyShown](w, "GET", "/api/journeys/"+journey, "")
	kinds := map[string]bool{}
	for _, step := range shown.Steps {
		kinds[step.Kind] = true
	}
	if len(shown.Steps) != 2 || !kinds[stepAskThePerson] || !kinds[stepTakeOver] {
		t.Errorf("the first owner stays answerable, and a navigator takes over: %+v", shown.Steps)
	}
}

// TestAStepThatOneOfItsAddedOwnersTookOnIsHeld: whoever was added and has taken a step on holds it, and those whom that
// released are not missing.
func TestAStepThatOneOfItsAddedOwnersTookOnIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	journey, step := w.oneJourney()
	w.c.Set(72 * time.Hour)
	// At its time, and then past its grace, as whoever looks next: it is everybody's.
	testkit.Eventually(t, "whoever is there out of hours is added", func() bool {
		if err := w.flow.Do(t.Context(), func(tx *flow.Tx) error {
			_, err := w.addOwners(t.Context(), tx, 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		shown, _ := ask[journeyShown](w, "GET", "/api/journeys/"+journey, "")
		return len(shown.Steps) == 1 && slices.Contains(shown.Steps[0].AlsoOwners, someOwners.OutOfHours)
	})
	w.look(s, 1)
	w.as(schemas.Navigator, "RXX", "n")
	for _, owner := range []string{someOwners.Navigator, someOwners.OutOfHours} { // who releases the navigator
		w.who.Team = owner
		got, status := ask[stepsAnswer](w, "POST", "/api/steps/"+step+"/acknowledge", `{"owner": "`+owner+`"}`)
		if status != 200 || got.Steps[0].Owner != owner {
			t.Fatalf("%s takes it on: %d %+v", owner, status, got)
		}
	}
	w.look(s, 0)
}

func TestAfterALongStopOneTakeOverAJourneyAndTheLeapIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	w.oneJourney()
	journey := w.today(clock.NewID(w.c.Now()))
	journey.discharge()
	journey.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age"}})
	journey.say(schemas.GapFound, schemas.GapFoundData{})
	w.publish(withIDs(journey.events))
	w.eventually(1, `select count(*) from step where kind = 'bridge-the-gap' and state = 'open'`)
	w.look(s, 0)
	w.c.Set(72 * time.Hour)
	w.look(s, 2)
	w.look(s, 0)
	w.eventually(1,
		`select count(*) from step where kind = 'take-over' and state = 'open' and journey = $1::text::uuid`,
		journey.journey)
	late, _ := ask[httpx.List[journeyListed]](w, "GET", "/api/journeys?void=true", "")
	if len(late.Items) != 2 || !late.Items[0].OverdueSinceAway || !late.Items[1].OverdueSinceAway {
		t.Errorf("the leap is not told as what it is: %+v, away %d", late.Items, count(t, w.pool, `select count(*)
			from away`))
	}
}

func TestTheBeginningArrivingLateJoinsWhatTheSentinelOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey := w.today(clock.NewID(w.c.Now()))
	w.holds(journey.journey, "raised", 60)
	w.look(w.sentinel(), 1)
	journey.discharge()
	w.publish(withIDs(journey.events))
	w.eventually(1, `select count(*) from step where kind = 'ask-the-person' and state = 'open'
		and organisation = 'RXX'`)
	w.eventually(1, `select count(*) from step where kind = 'find-what-is-lost' and state = 'open'
		and organisation = 'RXX'`)
}

func TestTheSentinelAndAFirstEventAtOnceMakeOneJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, journey := w.sentinel(), clock.NewID(w.c.Now())
	w.holds(journey, "raised", 60)
	tx, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), `insert into journey (id, organisation, person, state, version, known, correlation,
		arrived_at, closed_at, closed_for)
		values ($1, 'RXX', 'p', 'closed', 0, json_build_object('closed', json_build_object('reason', 'moved', 'when',
		$2::timestamptz)), 'first', $2, $2, 'moved')`,
		journey, w.c.Now())
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan error, 1)
	go func() {
		found, err := s.Round(t.Context())
		if found != 1 && err == nil {
			err = fmt.Errorf("found %d", found)
		}
		looked <- err
	}()
	for waiting := false; !waiting; {
		if err := w.db.Admin().QueryRow(t.Context(), `select exists (select from pg_stat_activity
			where datname = current_database()
			and usename like '%journey%' and wait_event_type = 'Lock')`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-looked; err != nil {
		t.Error(err)
	}
	if got := count(t, w.pool, `select count(*) from step s join journey j on j.id = s.journey where j.id = $1
		and j.correlation = 'first'`, journey); got != 1 {
		t.Errorf("%d steps on the journey that was there first", got)
	}
}

func TestAClosedJourneyAccountsForItsDischargeAndNotForAnOffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorded, offered, justNow := clock.NewID(w.c.Now()), clock.NewID(w.c.Now()), clock.NewID(w.c.Now())
	for journey, ago := range map[string]time.Duration{recorded: time.Hour, offered: time.Hour, justNow: time.Minute} {
		_, err := w.pool.Exec(t.Context(), `insert into journey (id, organisation, person, state, version, known,
			correlation, arrived_at, closed_at, closed_for)
			values ($1, 'RXX', 'p', 'closed', 0, json_build_object('closed', json_build_object('reason', 'moved',
			'when', $2::timestamptz)), '', $2, $2, 'moved')`,
			journey, w.c.Now().Add(-ago))
		if err != nil {
			t.Fatal(err)
		}
	}
	w.holds(recorded, "discharge-recorded", 60)
	w.holds(offered, "offer-raised", 60)
	w.holds(justNow, "offer-raised", 60) // its offer is being withdrawn
	w.look(w.sentinel(), 1)
	if got := count(t, w.pool, `select count(*) from step where journey = $1 and kind = 'find-what-is-lost'`,
		offered); got != 1 {
		t.Error("an offer stands on a closed journey and nobody is told")
	}
}

func TestOneSentinelLooksAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.sentinel(), w.sentinel()
	w.holds(clock.NewID(w.c.Now()), "raised", 60)
	w.look(first, 1)
	w.holds(clock.NewID(w.c.Now()), "raised", 60)
	w.look(second, 0)
	w.c.Set(time.Hour) // the first has not renewed its lease
	w.look(second, 1)
	w.look(first, 0)
}

func TestAServiceThatCannotBeReadHidesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	s.cfg.Services = []string{"missing", "other"}
	w.holds(clock.NewID(w.c.Now()), "raised", 60)
	if found, err := s.Round(w.t.Context()); found != 1 || err == nil {
		t.Errorf("found %d, %v", found, err)
	}
}

func TestTheSentinelRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	w.holds(clock.NewID(w.c.Now()), "raised", 60)
	ctx, cancel := context.WithCancel(t.Context())
	var found int
	s.Looked = func(n int, err error) {
		found = n
		cancel()
	}
	if err := s.Run(ctx); err != nil || found != 1 {
		t.Errorf("found %d, ended with %v", found, err)
	}
}

func TestOneJourneyThatCannotBeReadKeepsNoOtherFromBeingFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	broken, _ := w.oneJourney()
	if _, err := w.db.Admin().Exec(t.Context(), `update journey.journey set known = '[]' where id = $1`,
		broken); err != nil {
		t.Fatal(err)
	}
	w.holds(broken, "dead-letter", 60)
	for range 5 {
		w.holds(clock.NewID(w.c.Now()), "offer-raised", 60)
	}
	w.look(s, 6)
	w.look(s, 0)
	var steps int
	err := w.pool.QueryRow(t.Context(), `select count(*) from step where about like '%' || $1 || '%'
		and owner = 'navigator:duty' and state = 'open'`, broken).Scan(&steps)
	if err != nil || steps != 1 {
		t.Errorf("the broken journey has %d steps beside it (%v), want 1 with the navigator", steps, err)
	}
}

// TestAJourneyThatCannotBeReadIsFoundByLooking: nobody has held it, and no event has met it.
func TestAJourneyThatCannotBeReadIsFoundByLooking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken, _ := w.oneJourney()
	if _, err := w.db.Admin().Exec(t.Context(), `update journey.journey set known = '[]' where id = $1`,
		broken); err != nil {
		t.Fatal(err)
	}
	s := w.sentinel()
	w.look(s, 1)
	w.look(s, 0)
	var steps int
	err := w.pool.QueryRow(t.Context(), `select count(*) from step where about like '%' || $1 || '%'
		and owner = 'navigator:duty' and state = 'open'`, broken).Scan(&steps)
	if err != nil || steps != 1 {
		t.Errorf("the journey has %d steps beside it (%v), want 1 with the navigator", steps, err)
	}
}

// TestALeaseByAWrongClockIsNobodys: one sentinel looked with a clock 60 days ahead, and is no more.
func TestALeaseByAWrongClockIsNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.pool.Exec(t.Context(), `update sentinel_lease set holder = 'gone', until = $1`,
		w.c.Now().AddDate(0, 0, 60)); err != nil {
		t.Fatal(err)
	}
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now()); err == nil {
		t.Error("nobody looks for 60 days, and nothing was said")
	}
	w.look(w.sentinel(), 0)
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now()); err != nil {
		t.Errorf("after another has looked: %v", err)
	}
}

func TestASentinelThatDoesNotLookIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now()); err == nil {
		t.Error("nobody has ever looked, and nothing was said")
	}
	w.look(w.sentinel(), 0)
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now()); err != nil {
		t.Error(err)
	}
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now().Add(time.Hour)); err == nil {
		t.Error("nobody has looked for an hour, and nothing was said")
	}
}

// TestAHeartbeatIsGivenOnlyByWhoeverLookedEverywhere: by the one that holds the lease, where nothing kept it from
// looking.
func TestAHeartbeatIsGivenOnlyByWhoeverLookedEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	looks, waits := w.sentinel(), w.sentinel()
	beats, others := 0, 0
	looks.LookedEverywhere = func(time.Time) { beats++ }
	waits.LookedEverywhere = func(time.Time) { others++ }
	if at, err := LookedAt(t.Context(), w.pool, w.c.Now()); err != nil || !at.IsZero() {
		t.Errorf("before anybody looked: %v, %v", at, err)
	}
	w.look(looks, 0)
	w.look(waits, 0)
	at, err := LookedAt(t.Context(), w.pool, w.c.Now())
	if err != nil || at.IsZero() || beats != 1 || others != 0 {
		t.Errorf("after a look: %d beats, %d of who does not hold the lease, %v, %v", beats, others, at, err)
	}
	looks.cfg.Services = []string{"missing", "other"}
	if _, err := looks.Round(t.Context()); err == nil || beats != 1 {
		t.Errorf("a service could not be read, %v, and there are %d beats", err, beats)
	}
	if still, err := LookedAt(t.Context(), w.pool, w.c.Now()); err != nil || !still.Equal(at) {
		t.Errorf("it says that it looked at %v, %v", still, err)
	}
	w.c.Set(2 * time.Hour)
	if _, err := looks.Round(t.Context()); err == nil {
		t.Error("a service cannot be read and nothing is said")
	}
	if err := CheckSentinel(t.Context(), w.pool, w.c.Now()); err == nil {
		t.Error("for two hours it could not look everywhere, and nobody is told")
	}
}

// TestTheSentinelLooksWhenAClockIsMoved: in a simulated place hours pass in moments, and it looks at each.
func TestTheSentinelLooksWhenAClockIsMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sentinel()
	moved := &clock.Shifted{}
	s.cfg.Clock, s.cfg.Every = moved, time.Hour
	looks := make(chan struct{}, 10)
	s.Looked = func(_ int, err error) {
		if err != nil {
			t.Error(err)
		}
		looks <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-looks
	for n := range 3 {
		moved.Set(time.Duration(n+1) * 2 * time.Hour)
		<-looks
	}
	testkit.Eventually(t, "the sentinel has looked", moved.Settled)
	cancel()
	if err := <-ended; err != nil || len(looks) > 0 {
		t.Errorf("it ended with %v, and looked %d times more", err, len(looks))
	}
}
