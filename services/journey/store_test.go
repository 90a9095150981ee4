package journey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

var now = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func migrated() pg.Service {
	return pg.Service{Name: Name, Migrations: []pg.MigrationSet{
		{Name: "flow", FS: flow.Migrations()}, {Name: Name, FS: Migrations()}}}
}

func started(t *testing.T) (*Service, *testkit.DB, *pgxpool.Pool) {
	t.Helper()
	db := testkit.Database(t, migrated())
	s, err := New(Config{Owners: someOwners})
	if err != nil {
		t.Fatal(err)
	}
	return s, db, db.Pool(Name)
}

// applyBatch applies a batch now, and again where another transaction made a row of it first, as flow does.
func applyBatch(s *Service, pool *pgxpool.Pool, events []flow.Event) (emitted []flow.Emission, err error) {
	if emitted, err = applyAt(s, pool, now, events); pg.IsUnique(err, "journey_pkey") {
		return applyBatch(s, pool, events)
	}
	return emitted, err
}

// applyAt applies a batch at a time, straight to the handler.
func applyAt(s *Service, pool *pgxpool.Pool, at time.Time, events []flow.Event) (emitted []flow.Emission, err error) {
	var records map[string]*record
	err = testkit.TwoTrips(pool, func(reads *pgx.Batch) { records = load(reads, journeysOf(events)) },
		func(writes *pgx.Batch) (err error) {
			emitted, err = s.apply(writes, at, records, events)
			return err
		})
	return emitted, err
}

func tellerOf(journey string) *teller {
	return tellerFrom(journey, newTeller().at)
}

// withIDs gives events ids of their own, as UUIDs are on the bus.
func withIDs(events []flow.Event) []flow.Event {
	for i := range events {
		events[i].ID = clock.NewID(events[i].Time)
	}
	return events
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mustApply(t *testing.T, s *Service, pool *pgxpool.Pool, events []flow.Event) []flow.Emission {
	t.Helper()
	emitted, err := applyBatch(s, pool, events)
	if err != nil {
		t.Fatal(err)
	}
	return emitted
}

const (
	openWithoutStep = `select count(*) from journey j where state = 'open' and not exists (
		select from step s where s.id = j.holding_step and s.journey = j.id and s.state = 'open')`
	openSteps1 = `select count(*) from step where state = 'open' and kind = $1 and owner = $2 and due_at = $3
		and first_due_at = $3 and organisation = 'RXX'`
)

func TestABatchOfJourneysIsStoredAndReadBack(t *testing.T) {
	t.Parallel()
	s, db, pool := started(t)
	batches := make([][]flow.Event, 5)
	for range 200 {
		journey := tellerOf(clock.NewID(now))
		journey.discharge()
		journey.consent(true, "follow-up")
		journey.offer(false)
		journey.sent()
		journey.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
		for i, e := range withIDs(journey.events) {
			batches[i] = append(batches[i], e)
		}
	}
	nextDay := time.Date(2026, 11, 3, 17, 0, 0, 0, time.UTC)
	for i, want := range []struct {
		kind, owner string
		due         time.Time
	}{{stepAskThePerson, teamLiaison, time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)},
		{stepArrange, "navigator:duty", nextDay},
		{stepTellPartner, "navigator:duty", nextDay},
		{stepPartnerAnswers, "partner:pa", time.Date(2026, 11, 4, 17, 0, 0, 0, time.UTC)},
		{stepAfterCancelled, teamLiaison, nextDay}} {
		emitted := mustApply(t, s, pool, batches[i])
		if (len(emitted) == 200) != (i == 0) {
			t.Errorf("batch %d emitted %d events", i, len(emitted))
		}
		if got := count(t, pool, openSteps1, want.kind, want.owner, want.due); got != 200 {
			t.Errorf("after batch %d: %d steps %s of %s", i, got, want.kind, want.owner)
		}
		if got := count(t, pool, `select count(*) from step where state = 'open'`); got != 200 {
			t.Errorf("after batch %d: %d open steps", i, got)
		}
		if got := count(t, pool, openWithoutStep); got != 0 {
			t.Errorf("after batch %d: %d journeys without a step", i, got)
		}
	}
	mustApply(t, s, pool, batches[3]) // again: nothing is added
	if got := count(t, pool, `select count(*) from timeline_entry`); got != 1000 {
		t.Errorf("%d lines for 1000 events", got)
	}
	if got := count(t, db.Pool(pg.Sentinel),
		`select count(*) from journey.held where state = 'journey-open'`); got != 200 {
		t.Errorf("the sentinel sees %d journeys", got)
	}
}

func TestTheDatabaseRefusesAnOpenJourneyWithoutAStep(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey, other := tellerOf(clock.NewID(now)), tellerOf(clock.NewID(now))
	journey.discharge()
	other.discharge()
	mustApply(t, s, pool, append(withIDs(journey.events), withIDs(other.events)...))
	ctx := context.Background()
	for name, tc := range map[string]struct {
		sql     string
		refused func(error) bool
	}{
		"its step done, nothing else": {`update step set state = 'done', closed_at = due_at, look_at = null
			where journey = $1`,
			func(err error) bool { return pg.IsForeignKey(err, "journey_is_held") }},
		"its step deleted": {`delete from step where journey = $1`,
			func(err error) bool { return strings.Contains(err.Error(), "42501") }},
		"no holding step": {`update journey set holding_step = null where id = $1`,
			func(err error) bool { return pg.IsCheck(err, "open_journey_has_a_step") }},
		"held by another journey's step": {`update journey j set holding_step = s.id from step s where j.id = $1
			and s.journey <> $1`,
			func(err error) bool { return pg.IsForeignKey(err, "journey_is_held") }},
		"held by a step that is not there": {`update journey set holding_step = gen_random_uuid() where id = $1`,
			func(err error) bool { return pg.IsForeignKey(err, "journey_is_held") }},
		"a step without an owner": {`update step set owner = '' where journey = $1`,
			func(err error) bool { return pg.IsCheck(err) }},
		"a new journey that is open and has no step": {`insert into journey (id, organisation, person, state, version,
			known, correlation, arrived_at)
			select gen_random_uuid(), '', '', 'open', 0, '{}', '', arrived_at from journey where id = $1`,
			func(err error) bool { return pg.IsCheck(err, "open_journey_has_a_step") }},
	} {
		if _, err := pool.Exec(ctx, tc.sql, journey.journey); err == nil || !tc.refused(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := count(t, pool, openWithoutStep); got != 0 {
		t.Errorf("%d journeys without a step", got)
	}
}

// twoStepJourneys makes n journeys with two open steps each, which end by somebody's word, and returns the ids of both.
func twoStepJourneys(t *testing.T, s *Service, pool *pgxpool.Pool, n int) (firsts, seconds []string) {
	t.Helper()
	var events []flow.Event
	for range n {
		journey := tellerOf(clock.NewID(now))
		journey.discharge("left-before-assessment")
		journey.consent(false, "follow-up")
		journey.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: "o", Appointment: "a",
			RingBy: new(now.Add(time.Hour))})
		events = append(events, withIDs(journey.events)...)
	}
	for chunk := range slices.Chunk(events, 600) { // three of each
		mustApply(t, s, pool, chunk)
	}
	return stepIDs(t, pool, stepRingPartner), stepIDs(t, pool, stepCheck)
}

func stepIDs(t *testing.T, pool *pgxpool.Pool, kind string) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), `select id::text from step where kind = $1 and state = 'open'
		order by journey`, kind)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestTheDatabaseAloneHoldsAgainstTwoWhoCloseOneStepEach goes around our own locks: each client closes a step in a
// transaction of its own, moving the hold to the other step without looking. One of the two must be refused.
func TestTheDatabaseAloneHoldsAgainstTwoWhoCloseOneStepEach(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	firsts, seconds := twoStepJourneys(t, s, pool, 400)
	ctx := context.Background()
	closeOne := func(step, other string) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			batch.Queue(`update journey set holding_step = $2 where holding_step = $1`, step, other)
			batch.Queue(`update step set state = 'done', closed_at = due_at, look_at = null where id = $1`, step)
			return tx.SendBatch(ctx, batch).Close()
		})
	}
	var refused [2]int
	var wg sync.WaitGroup
	for side, steps := range [][2][]string{{firsts, seconds}, {seconds, firsts}} {
		wg.Go(func() {
			for i := range steps[0] {
				if err := closeOne(steps[0][i], steps[1][i]); err != nil {
					refused[side]++
				}
			}
		})
	}
	wg.Wait()
	if got := count(t, pool, openWithoutStep); got != 0 {
		t.Errorf("%d of 400 journeys are left without a step", got)
	}
	if open := count(t, pool, `select count(*) from step where state = 'open'`); open != 400 ||
		refused[0]+refused[1] != 400 {
		t.Errorf("%d steps are open; %v refusals", open, refused)
	}
}

func TestAJourneyThatArrivesWithoutItsBeginningIsHeldUntilItComes(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey := tellerOf(clock.NewID(now))
	journey.discharge()
	journey.consent(true, "follow-up")
	journey.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
	events := withIDs(journey.events)
	mustApply(t, s, pool, events[2:])
	if got := count(t, pool, `select count(*) from step where state = 'open' and kind = 'find-the-beginning'
		and owner = 'navigator:duty' and organisation = ''`); got != 1 {
		t.Error("nobody looks for the beginning")
	}
	emitted := mustApply(t, s, pool, events[:2])
	if len(emitted) != 1 || emitted[0].Type != string(schemas.JourneyOpened) {
		t.Errorf("emitted %+v", emitted)
	}
	if got := count(t, pool, `select count(*) from step where state = 'open' and kind = 'decide-after-cancellation'
		and organisation = 'RXX'`); got != 1 {
		t.Error("the cancellation that came first has been forgotten, or belongs to nobody")
	}
	if got := count(t, pool,
		`select count(*) from step where state = 'replaced' and kind = 'find-the-beginning'`); got != 1 {
		t.Error("the beginning did not replace the step that looked for it")
	}
}

func TestTwoReplicasThatHearHalvesOfAJourneyAtOnceConverge(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	var halves [2][]flow.Event
	for i := range 300 {
		journey := tellerOf(clock.NewID(now))
		journey.discharge()
		journey.consent(true, "follow-up")
		journey.offer(false)
		journey.consent(false, "bridging")
		for n, e := range withIDs(journey.events) {
			halves[(i+n)%2] = append(halves[(i+n)%2], e)
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range halves {
		wg.Go(func() {
			for chunk := range slices.Chunk(halves[i], 32) {
				if _, err := applyBatch(s, pool, chunk); err != nil {
					errs[i] = err
				}
			}
		})
	}
	wg.Wait()
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if got := count(t, pool, `select count(distinct journey) from step where state = 'open'
		and kind = 'tell-the-partner'`); got != 300 {
		t.Errorf("%d of 300 journeys know that nobody has been told", got)
	}
	if got := count(t, pool, `select count(*) from step where state = 'open'`); got != 300 {
		t.Errorf("%d steps are open", got)
	}
}

func TestAMessageThatWasSetAsideIsAStepUntilItIsReleased(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	due := time.Date(2026, 11, 2, 14, 0, 0, 0, time.UTC)
	about := func() (quarantined, released flow.Event) {
		message := tellerOf(clock.NewID(now))
		message.say(schemas.MessageQuarantined, schemas.MessageQuarantinedData{Organisation: "RXX", DueAt: due})
		message.say(schemas.MessageReleased, schemas.MessageReleasedData{})
		events := withIDs(message.events)
		return events[0], events[1]
	}
	waiting, _ := about()
	inOrder, after := about()
	early, before := about()
	together, both := about()
	mustApply(t, s, pool, []flow.Event{waiting, inOrder, before, together, both})
	mustApply(t, s, pool, []flow.Event{after, early, waiting})
	if got := count(t, pool, `select count(*) from step where state = 'open' and kind = 'read-the-message'
		and about = $1 and owner = 'navigator:duty'
		and due_at = $2 and organisation = 'RXX' and journey is null`, waiting.Subject, due); got != 1 {
		t.Error("the message that waits has no step")
	}
	if open, all := count(t, pool, `select count(*) from step where state = 'open'`), count(t, pool, `select count(*)
		from step`); open != 1 || all != 4 {
		t.Errorf("%d of %d steps are open, want 1 of 4", open, all)
	}
	if got := count(t, pool, `select count(*) from journey`); got != 0 {
		t.Errorf("%d journeys were opened for messages", got)
	}
}

func TestOverdueStepsGainOwnersInTheDatabase(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	for range 10 {
		journey := tellerOf(clock.NewID(now))
		journey.discharge("left-before-assessment")
		journey.consent(false, "follow-up")
		mustApply(t, s, pool, withIDs(journey.events))
	}
	ctx := context.Background()
	look := func(at time.Time) (taken int) {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			var steps []Step
			reads, writes := &pgx.Batch{}, &pgx.Batch{}
			dueSteps(reads, at, 100, []string{}, func(found []Step) { steps = found })
			if err := tx.SendBatch(ctx, reads).Close(); err != nil {
				return err
			}
			taken = len(steps)
			if err := s.escalate(writes, at, steps); err != nil {
				return err
			}
			return tx.SendBatch(ctx, writes).Close()
		})
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	due := time.Date(2026, 11, 3, 17, 0, 0, 0, time.UTC)
	for i, want := range []int{0, 10, 0, 10, 0} {
		at := []time.Time{due.Add(-time.Second), due, due.Add(time.Hour), due.Add(grace),
			due.Add(30 * 24 * time.Hour)}[i]
		if got := look(at); got != want {
			t.Errorf("look %d took %d steps, want %d", i, got, want)
		}
	}
	if got := count(t, pool, `select count(*) from step where state = 'open' and owner = 'team:liaison'
		and first_due_at = $1 and due_at = $1
		and added_owners @> '{navigator:duty,navigator:deputy,team:out-of-hours}'`, due); got != 10 {
		t.Errorf("%d steps have all three added and keep owner and promise", got)
	}
}

// TestSearchesToBeReviewedAreAStepOfTheWorkList: for a navigator, who records there what they found; done with the
// review, in whatever order the two are heard.
func TestSearchesToBeReviewedAreAStepOfTheWorkList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	due := w.c.Now().Add(7 * 24 * time.Hour).Truncate(time.Second)
	about := func() []flow.Event {
		search := tellerOf(clock.NewID(now))
		search.say(schemas.SearchReviewNeeded, schemas.SearchReviewNeededData{Organisation: "RXX", DueAt: due})
		search.say(schemas.SearchReviewed, schemas.SearchReviewedData{})
		return withIDs(search.events)
	}
	first, second := about(), about()
	mustApply(t, w.Service, w.pool, []flow.Event{first[0], second[1]})
	mustApply(t, w.Service, w.pool, []flow.Event{second[0]})
	list := w.desk("").Items
	if len(list) != 1 || list[0].Kind != stepReviewSearches || !list[0].DueAt.Equal(due) || len(list[0].Actions) != 1 ||
		list[0].Actions[0].Path != "/api/people/searches/review" ||
		list[0].Actions[0].Fields[0].Value != first[0].Subject {
		t.Errorf("the list is %+v", list)
	}
	w.as(schemas.SendingTeam, "RXX", "nurse")
	if list := w.desk("").Items; len(list) != 1 || len(list[0].Actions) != 0 {
		t.Errorf("to a nurse it is %+v", list)
	}
	w.as(schemas.Navigator, "RYY", "n")
	if list := w.desk("").Items; len(list) != 0 {
		t.Errorf("another organisation has %+v", list)
	}
	w.as(schemas.Navigator, "RXX", "n")
	mustApply(t, w.Service, w.pool, []flow.Event{first[1]})
	if list := w.desk("").Items; len(list) != 0 {
		t.Errorf("once reviewed it is %+v", list)
	}
}

// TestAMillionMoreJourneysDoNotMatter is about plans: with the indexes there are, nothing the batch reads scans.
func TestBatchesReadByIndex(t *testing.T) {
	t.Parallel()
	s, db, pool := started(t)
	twoStepJourneys(t, s, pool, 2000)
	ctx := context.Background()
	if _, err := db.Admin().Exec(ctx, `analyze`); err != nil {
		t.Fatal(err)
	}
	ids := stepIDs(t, pool, stepCheck)[:5]
	for name, sql := range map[string]string{
		"journeys": selectRecord + ` where id = any($1::uuid[]) order by journey.id for update`,
		"steps":    selectStep + ` where journey = any($1::uuid[]) and state <> 'replaced'`,
	} {
		rows, err := pool.Query(ctx, `explain `+strings.Replace(sql, "$1",
			fmt.Sprintf("'{%s}'", strings.Join(ids, ",")), 1))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") {
			t.Errorf("%s are read by a scan:\n%s", name, text)
		}
	}
}

// TestHeldJourneysAreReadByTheirOwnIndexFromTheFirstRow is about a look that is taken each second, by a plan that was
// made while nothing was stored: it went through all journeys that were not closed.
func TestHeldJourneysAreReadByTheirOwnIndexFromTheFirstRow(t *testing.T) {
	t.Parallel()
	_, _, pool := started(t)
	plan := testkit.Plan(t, pool, selectTogether, `int, uuid[]`, `100, '{}'`)
	if held := strings.Count(plan, "using journey_held"); held+strings.Count(plan, "on journey_held") != 3 ||
		strings.Contains(plan, "journey_live") || strings.Contains(plan, "journey_pkey") {
		t.Errorf("not by what is asked for:\n%s", plan)
	}
}

// TestListsReadStretchesOfAnIndex is about plans: a page for each kind of caller. How much work they are with 20,000
// journeys and more is compared in tests/load.
func TestListsReadStretchesOfAnIndex(t *testing.T) {
	t.Parallel()
	s, db, pool := started(t)
	twoStepJourneys(t, s, pool, 500)
	ctx := context.Background()
	if _, err := db.Admin().Exec(ctx, `analyze`); err != nil {
		t.Fatal(err)
	}
	for name, scope := range map[string]schemas.Scope{"an operator": {All: true, Organisations: []string{}},
		"a navigator": {Organisations: []string{"RXX", ""}},
		"a person":    {Organisations: []string{}, Person: "p"}} {
		source, table, values := whose(scope, toDo)
		steps := stepsInStretch
		if scope.Person != "" {
			steps = stepsByKey
		}
		closedSource, closedTable, _ := whose(scope, done)
		for sql, args := range map[string][]any{
			listPage(source, table, steps):        {values, now, clock.LowestID, endOfTime, 50, 1.0},
			closedPage(closedSource, closedTable): {values, endOfTime, clock.HighestID, 50},
		} {
			rows, err := pool.Query(ctx, `explain `+sql, args...)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan on journey") ||
				strings.Contains(text, "Seq Scan on step") ||
				(scope.Person != "") != strings.Contains(text, "journey_person") {
				t.Errorf("%s: read by a scan:\n%s", name, text)
			}
		}
	}
}
