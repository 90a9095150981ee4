package journey

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// delivered applies events at a time, as a bus does that remembers no delivery.
func delivered(t testing.TB, s *Service, pool *pgxpool.Pool, at time.Time, events []flow.Event) []flow.Emission {
	t.Helper()
	emitted, err := applyAt(s, pool, at, events)
	if err != nil {
		t.Fatal(err)
	}
	return emitted
}

// comesAgain says what events about a journey change that come again, or "".
func comesAgain(t testing.TB, s *Service, pool *pgxpool.Pool, journey string, at time.Time,
	events []flow.Event) string {
	t.Helper()
	return testkit.Changes(func() string { return rowsOf(t, pool, journey) },
		func() int { return len(delivered(t, s, pool, at, events)) })
}

// rowsOf are all rows of a journey, and of a message, as they are stored.
func rowsOf(t testing.TB, pool *pgxpool.Pool, journey string) string {
	t.Helper()
	return testkit.Rows(t, pool, journey, "journey where t.id = $1::uuid",
		"step where t.journey = $1::uuid or t.about = $1::uuid::text", "timeline_entry where t.journey = $1::uuid",
		"turn where t.journey = $1::uuid")
}

// commanded does what people and time do to a journey: steps are done, tried and handed on, it is held, released,
// closed and reopened, and what is overdue gains owners.
func commanded(t testing.TB, rt *rapid.T, s *Service, pool *pgxpool.Pool, journey string, at time.Time) {
	t.Helper()
	records := map[string]*record{}
	err := testkit.TwoTrips(pool, func(reads *pgx.Batch) { lock(reads, []string{journey}, records) },
		func(batch *pgx.Batch) error {
			r := records[journey]
			if r == nil {
				return nil
			}
			w := writes{owners: s.owners, zone: s.zone, now: at}
			turnSomehow(rt, &w, r)
			if rapid.Bool().Draw(rt, "overdue") {
				open := openOnes(r.Steps)
				if err := s.escalate(batch, at, open); err != nil {
					return err
				}
			}
			for _, step := range openOnes(r.Steps) {
				switch rapid.IntRange(0, 3).Draw(rt, "step") {
				case 0:
					said := aWord(at)
					if rapid.Bool().Draw(rt, "next") {
						said.Next = nil
					}
					if by, ok := whoEnds(step); ok {
						_ = w.done(r, step.ID, said, by) // what is refused changes nothing
					}
				case 1:
					_ = w.noAnswer(r, step.ID, navigatorOf("RXX"))
				}
			}
			if len(w.records) == 0 {
				w.records = append(w.records, r)
			}
			w.records = w.records[:1]
			return w.store(batch)
		})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, together or alone, after every command and
// every timer, after a closing and a reopening: what has been applied writes no row and emits nothing when it comes
// again.
func TestAnEventThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	rapid.Check(t, func(rt *rapid.T) {
		journey := clock.NewRandomID()
		events := story(rt)
		for i := range events {
			events[i].Subject, events[i].ID = journey, clock.NewID(events[i].Time)
		}
		arrival := rapid.Permutation(events).Draw(rt, "arrival")
		at := slices.MaxFunc(events, func(a, b flow.Event) int { return a.Time.Compare(b.Time) }).Time
		for done := 0; done < len(arrival); {
			n := rapid.IntRange(1, len(arrival)-done).Draw(rt, "batch")
			at = at.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "hours")) * time.Hour)
			delivered(t, s, pool, at, arrival[done:done+n])
			done += n
			for i := range rapid.IntRange(0, 2).Draw(rt, "commands") {
				commanded(t, rt, s, pool, journey, at.Add(time.Duration(i+1)*time.Minute))
			}
			again := rapid.SliceOfN(rapid.SampledFrom(arrival[:done]), 1, 3*done).Draw(rt, "again")
			if changes := comesAgain(t, s, pool, journey, at.Add(30*time.Hour), again); changes != "" {
				rt.Fatalf("%s come again: %s", typesOfEvents(again), changes)
			}
		}
	})
}

func typesOfEvents(events []flow.Event) (types []string) {
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

// TestEachTypeThatComesAgainChangesNothing: of every type that is subscribed to, its example, twice, the second time
// beside another event of the journey that is new.
func TestEachTypeThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	for i, typ := range schemas.SubscribedBy(Name) {
		subject := clock.NewRandomID()
		e, err := flow.Unmarshal(schemas.ExampleJSON(typ))
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Subject = clock.NewOrderedID(now, i), subject
		delivered(t, s, pool, now, []flow.Event{e})
		stored := rowsOf(t, pool, subject)
		if changes := comesAgain(t, s, pool, subject, now.Add(50*time.Hour), []flow.Event{e, e}); changes != "" {
			t.Errorf("%s comes again: %s", typ, changes)
		}
		if stored == "" {
			t.Error(fmt.Sprint(typ, ": nothing is stored of it"))
		}
	}
}
