// Package flowtest holds what every service that has flow's shape is tested by: events are delivered straight to its
// handler on a real database, as by a bus that remembers no delivery, and one that comes again must change nothing.
package flowtest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// Service is a service under test.
type Service[K, R any] struct {
	Handler flow.Handler[K, R]
	Pool    *pgxpool.Pool
	// Tables are those whose rows belong to a journey by a column of that name; journey_state is always one.
	Tables []string
}

// Deliver applies a batch at a time, and again where another transaction made a row of it first, as flow does.
func (s Service[K, R]) Deliver(at time.Time, events ...flow.Event) (emitted []flow.Emission, err error) {
	var records map[string]*R
	err = testkit.TwoTrips(s.Pool,
		func(reads *pgx.Batch) { records = s.Handler.Load(reads, events) },
		func(writes *pgx.Batch) (err error) {
			emitted, err = s.Handler.Apply(writes, at, records, events)
			return err
		})
	if pg.IsUnique(err, "journey_state_pkey") {
		return s.Deliver(at, events...)
	}
	return emitted, err
}

// Load reads the record of a journey; one that is not known is empty.
func (s Service[K, R]) Load(t testing.TB, journey string) *R {
	t.Helper()
	var records map[string]*R
	err := testkit.TwoTrips(s.Pool, func(reads *pgx.Batch) { records = s.Handler.Store.Load(reads, []string{journey}) },
		func(*pgx.Batch) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return records[journey]
}

// comesAgain says what events about a journey change that come again, or "".
func (s Service[K, R]) comesAgain(t testing.TB, journey string, at time.Time, events []flow.Event) string {
	t.Helper()
	sources := []string{"journey_state where t.journey = $1::uuid"}
	for _, table := range s.Tables {
		sources = append(sources, table+" where t.journey = $1::uuid")
	}
	return testkit.Changes(
		func() string { return testkit.Rows(t, s.Pool, journey, sources...) },
		func() int { return len(s.deliver(t, at, events)) })
}

func (s Service[K, R]) deliver(t testing.TB, at time.Time, events []flow.Event) []flow.Emission {
	t.Helper()
	emitted, err := s.Deliver(at, events...)
	if err != nil {
		t.Fatal(err)
	}
	return emitted
}

// AgainChangesNothing: the events of a story, in any order, one to three times, together or alone, days later: what has
// been applied writes no row and emits nothing when it comes again. command, where it is not nil, does what people and
// the time do to the journey between two deliveries.
func (s Service[K, R]) AgainChangesNothing(t *testing.T, now time.Time, story func(*rapid.T) []flow.Event,
	command func(rt *rapid.T, at time.Time, journey string)) {
	rapid.Check(t, func(rt *rapid.T) {
		journey := clock.NewRandomID()
		arrival := rapid.Permutation(story(rt)).Draw(rt, "arrival")
		for i := range arrival {
			arrival[i].Subject, arrival[i].ID = journey, clock.NewID(now)
		}
		for done, at := 0, now; done < len(arrival); at = at.Add(time.Duration(rapid.IntRange(1, 100).Draw(rt,
			"hours")) * time.Hour) {
			n := rapid.IntRange(1, len(arrival)-done).Draw(rt, "batch")
			s.deliver(t, at, arrival[done:done+n])
			done += n
			for command != nil && rapid.Bool().Draw(rt, "command") {
				command(rt, at.Add(time.Minute), journey)
			}
			again := rapid.SliceOfN(rapid.SampledFrom(slices.Clone(arrival[:done])), 1, 3*done).Draw(rt, "again")
			if changes := s.comesAgain(t, journey, at.Add(30*24*time.Hour), again); changes != "" {
				rt.Fatalf("%d events come again: %s", len(again), changes)
			}
		}
	})
}

// Examples are those of some types.
func Examples[T ~string](types []T, example func(T) []byte) [][]byte {
	var all [][]byte
	for _, t := range types {
		all = append(all, example(t))
	}
	return all
}

// Names are types as texts.
func Names[T ~string](types []T) []string {
	var names []string
	for _, t := range types {
		names = append(names, string(t))
	}
	return names
}

// EachAgainChangesNothing: the same of each event alone, such as the example of each type that is subscribed to.
func (s Service[K, R]) EachAgainChangesNothing(t *testing.T, now time.Time, examples [][]byte) {
	for _, example := range examples {
		e, err := flow.Unmarshal(example)
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Subject = clock.NewID(now), clock.NewRandomID()
		s.deliver(t, now, []flow.Event{e})
		if changes := s.comesAgain(t, e.Subject, now.Add(50*time.Hour), []flow.Event{e, e}); changes != "" {
			t.Errorf("%s comes again: %s", e.Type, changes)
		}
	}
}

// Understands: every type that is subscribed to has its line, whose data may leave out anything, and no other has one.
func (s Service[K, R]) Understands(t *testing.T, types []string) {
	for _, typ := range types {
		e := flow.Event{Type: typ, Data: []byte(`{}`)}
		rows, stateless := s.Handler.Rows[typ]
		if stateless {
			if err := rows(&pgx.Batch{}, []flow.Event{e}); err != nil {
				t.Error(err)
			}
			continue
		}
		if err := s.Handler.Subscriptions.Apply(new(K), e); err != nil {
			t.Error(err)
		}
	}
	for _, typ := range slices.Concat(slices.Collect(maps.Keys(s.Handler.Subscriptions)),
		slices.Collect(maps.Keys(s.Handler.Rows))) {
		if !slices.Contains(types, typ) {
			t.Errorf("%s has a line, and is not subscribed to", typ)
		}
	}
	if err := s.Handler.Subscriptions.Apply(new(K), flow.Event{ID: "e", Type: "none.of.these"}); err == nil {
		t.Error("a type that is not subscribed to was taken")
	}
}
