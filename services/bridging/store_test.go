package bridging

import (
	"context"
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

var now = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

func started(t *testing.T) (*Service, *testkit.DB, *pgxpool.Pool) {
	t.Helper()
	db := testkit.Database(t, pg.Service{Name: Name,
		Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()}, {Name: Name, FS: Migrations()}}})
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, db, db.Pool(Name)
}

// applyBatch applies a batch now.
func applyBatch(s *Service, pool *pgxpool.Pool, events []flow.Event) ([]flow.Emission, error) {
	return shape(s, pool).Deliver(now, events...)
}

// said is a journey's story up to a plan that is active.
func said(journey string) *teller {
	s := &teller{}
	s.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: clock.NewRandomID(),
		Organisation: "RXX", Visit: "v"})
	s.say("threshold", schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: []string{"svc-w", "svc-a"}})
	s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	s.say("intake", schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
	s.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: clock.NewRandomID(),
		Organisation: "RXX", Visit: "v"})
	s.say("intake", schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{"bridging"}})
	for i := range s.events {
		s.events[i].Subject = journey
	}
	return s
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABatchOfPlansIsStoredAndReadBack(t *testing.T) {
	t.Parallel()
	s, db, pool := started(t)
	batches := make([][]flow.Event, 6)
	for range 200 {
		for i, e := range said(clock.NewID(now)).events {
			batches[i] = append(batches[i], e)
		}
	}
	wanted := []struct{ emitted, active, scheduled int }{{0, 0, 0}, {200, 0, 0}, {400, 200, 200}, {200, 0, 0},
		{400, 200, 200}, {200, 0, 0}}
	for i, want := range wanted {
		emitted, err := applyBatch(s, pool, batches[i])
		if err != nil {
			t.Fatal(err)
		}
		active := count(t, pool, `select count(*) from plan where state = 'active' and started_at = $1
			and waiting_on = '{svc-a,svc-w}'`, now)
		scheduled := count(t, pool, `select count(*) from call where state = 'scheduled' and on_day = '2026-11-17'
			and organisation = 'RXX'`)
		if len(emitted) != want.emitted || active != want.active || scheduled != want.scheduled {
			t.Errorf("after batch %d: %d emitted, %d active, %d calls; want %+v", i, len(emitted), active, scheduled,
				want)
		}
		for _, e := range emitted {
			if faults := schemas.Validate(e.Data); len(faults) > 0 {
				t.Errorf("%s: %v", e.Type, faults)
			}
		}
		if i == 2 && count(t, db.Pool(pg.Sentinel),
			`select count(*) from bridging.held where state = 'plan-active'`) != 200 {
			t.Error("the sentinel does not see what bridging holds")
		}
	}
	if got := count(t, pool, `select count(*) from plan where state = 'ended' and because = 'person' and ended_at = $1`,
		now); got != 200 {
		t.Errorf("%d plans have ended", got)
	}
}

func TestALoadedPlanIsTheOneThatWasStored(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey, other := clock.NewID(now), clock.NewID(now)
	if _, err := applyBatch(s, pool, append(said(journey).events[:3:3], said(other).events[:2]...)); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]State{journey: Active, other: Proposed} {
		p := shape(s, pool).Load(t, id).Plan
		if p == nil || p.State != want || !slices.Equal(p.WaitingOn, []string{"svc-a", "svc-w"}) || p.EveryDays != 14 ||
			p.Minutes != 10 ||
			p.Started != (want == Active) || (p.Call != nil) != (want == Active) {
			t.Errorf("%s: got %+v", want, p)
		}
	}
}

// TestWhatStandsIsReadByItsOwnIndexFromTheFirstRow is about plans that PostgreSQL makes while nothing is stored, and
// keeps.
func TestWhatStandsIsReadByItsOwnIndexFromTheFirstRow(t *testing.T) {
	t.Parallel()
	_, _, pool := started(t)
	text := testkit.Plan(t, pool, standingPlans, `text[]`, `'{}'`)
	if !strings.Contains(text, "plan_stands") || !strings.Contains(text, "call_stands") ||
		strings.Count(text, "Index Cond") != 2 || strings.Contains(text, "Filter") {
		t.Errorf("not by what is asked for:\n%s", text)
	}
}

func TestTwoReplicasThatHearHalvesOfAJourneyAtOnceOpenOnePlan(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	var halves [2][]flow.Event
	for i := range 400 {
		events := said(clock.NewID(now)).events
		halves[i%2] = append(halves[i%2], events[0])
		halves[1-i%2] = append(halves[1-i%2], events[1], events[2])
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range halves {
		wg.Go(func() {
			for chunk := range slices.Chunk(halves[i], 25) {
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
	if plans, calls := count(t, pool, `select count(*) from plan where state = 'active'`), count(t, pool, `select
		count(*) from call`); plans != 400 || calls != 400 {
		t.Errorf("%d plans, %d calls for 400 journeys", plans, calls)
	}
}

func TestTheDatabaseRefusesASecondPlanAndASecondCall(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	journey := clock.NewID(now)
	if _, err := applyBatch(s, pool, said(journey).events[:3]); err != nil {
		t.Fatal(err)
	}
	batch := &pgx.Batch{}
	if err := openPlans(batch, []Plan{{ID: clock.NewID(now), Journey: journey, State: Proposed, EveryDays: 14,
		Minutes: 10}}, now); err != nil {
		t.Fatal(err)
	}
	if err := pool.SendBatch(context.Background(), batch).Close(); !pg.IsUnique(err, "plan_stands") {
		t.Errorf("a second plan: %v", err)
	}
	var plan string
	if err := pool.QueryRow(context.Background(), `select id::text from plan`).Scan(&plan); err != nil {
		t.Fatal(err)
	}
	batch = &pgx.Batch{}
	scheduleCalls(batch, []Call{{ID: clock.NewID(now), Plan: plan, Journey: journey, DueAt: now}}, now)
	if err := pool.SendBatch(context.Background(), batch).Close(); !pg.IsUnique(err, "call_stands") {
		t.Errorf("a second call: %v", err)
	}
}

func TestAPlanOfAPlacedJourneyIsThatOrganisations(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	var story teller
	story.say("intake", schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
		Visit: "v"})
	story.say("threshold", schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: []string{"svc-w"}})
	story.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})
	story.say("intake", schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RYY"})
	for _, batch := range [][]flow.Event{story.events[:3], story.events[3:]} {
		if _, err := applyBatch(s, pool, batch); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(t, pool, `select count(*) from plan p join call c on c.plan = p.id where p.organisation = 'RYY'
		and c.organisation = 'RYY'`); got != 1 {
		t.Error("the plan or its call is still the organisation's that the journey was before")
	}
}
