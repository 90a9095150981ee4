package bridging

import (
	"slices"
	"testing"
	"time"

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
func comesAgain(t testing.TB, s *Service, pool *pgxpool.Pool, journey string, at time.Time, events []flow.Event) string {
	t.Helper()
	return testkit.Changes(func() string { return rowsOf(t, pool, journey) }, func() int { return len(delivered(t, s, pool, at, events)) })
}

func rowsOf(t testing.TB, pool *pgxpool.Pool, journey string) string {
	t.Helper()
	return testkit.Rows(t, pool, journey, "journey_state where t.journey = $1::uuid", "plan where t.journey = $1::uuid", "call where t.journey = $1::uuid")
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, together or alone, days later, after a
// closing and a reopening: what has been applied writes no row and emits nothing when it comes again.
func TestAnEventThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	rapid.Check(t, func(rt *rapid.T) {
		journey := clock.NewRandomID()
		arrival := rapid.Permutation(story(rt)).Draw(rt, "arrival")
		for i := range arrival {
			arrival[i].Subject, arrival[i].ID = journey, clock.NewID(now)
		}
		for done, at := 0, now; done < len(arrival); at = at.Add(time.Duration(rapid.IntRange(1, 100).Draw(rt, "hours")) * time.Hour) {
			n := rapid.IntRange(1, len(arrival)-done).Draw(rt, "batch")
			delivered(t, s, pool, at, arrival[done:done+n])
			done += n
			again := rapid.SliceOfN(rapid.SampledFrom(slices.Clone(arrival[:done])), 1, 3*done).Draw(rt, "again")
			if changes := comesAgain(t, s, pool, journey, at.Add(30*24*time.Hour), again); changes != "" {
				rt.Fatalf("%d events come again: %s", len(again), changes)
			}
		}
	})
}

// TestEachTypeThatComesAgainChangesNothing: of every type that is subscribed to, its example.
func TestEachTypeThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	for _, typ := range schemas.HeardBy(Name) {
		e, err := flow.Unmarshal(schemas.ExampleJSON(typ))
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Subject = clock.NewID(now), clock.NewRandomID()
		delivered(t, s, pool, now, []flow.Event{e})
		if changes := comesAgain(t, s, pool, e.Subject, now.Add(50*time.Hour), []flow.Event{e, e}); changes != "" {
			t.Errorf("%s comes again: %s", typ, changes)
		}
	}
}
