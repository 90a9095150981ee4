package journey

import (
	"context"
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

// delivered applies events at a time, straight to the handler, as a bus does that remembers no delivery.
func delivered(t testing.TB, s *Service, pool *pgxpool.Pool, at time.Time, events []flow.Event) (emitted []flow.Emission) {
	t.Helper()
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		reads, writes := &pgx.Batch{}, &pgx.Batch{}
		records := load(reads, journeysOf(events))
		if err := tx.SendBatch(ctx, reads).Close(); err != nil {
			return err
		}
		var err error
		if emitted, err = s.apply(writes, at, records, events); err != nil {
			return err
		}
		return tx.SendBatch(ctx, writes).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return emitted
}

// rowsOf are all rows of a journey, and of a message, as they are stored.
func rowsOf(t testing.TB, pool *pgxpool.Pool, journey string) string {
	t.Helper()
	return testkit.Rows(t, pool, journey, "journey where t.id = $1::uuid", "step where t.journey = $1::uuid or t.about = $1::uuid::text", "timeline_entry where t.journey = $1::uuid",
		"turn where t.journey = $1::uuid")
}

// commanded does what people and time do to a journey: steps are done, tried and handed on, it is held, released, closed and
// reopened, and what is overdue gains owners.
func commanded(t testing.TB, rt *rapid.T, s *Service, pool *pgxpool.Pool, journey string, at time.Time) {
	t.Helper()
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		records := map[string]*record{}
		reads, batch := &pgx.Batch{}, &pgx.Batch{}
		lock(reads, []string{journey}, records)
		if err := tx.SendBatch(ctx, reads).Close(); err != nil {
			return err
		}
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
				next := &NextWish{Kind: "ring-back", Owner: teamLiaison, DueAt: at.Add(time.Hour)}
				if rapid.Bool().Draw(rt, "next") {
					next = nil
				}
				if step.Kind != stepReviewHold && !step.endsByRecord() {
					if err := w.done(r, step.ID, next, navigatorOf("RXX")); err != nil {
						return err
					}
				}
			case 1:
				w.noAnswer(r, step.ID, false, navigatorOf("RXX"))
			}
		}
		if len(w.records) == 0 {
			w.records = append(w.records, r)
		}
		w.records = w.records[:1]
		if err := w.store(batch); err != nil {
			return err
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnEventThatComesAgainChangesNothing: in any order, one to three times, together or alone, after every command and every
// timer, after a closing and a reopening: what has been applied writes no row and emits nothing when it comes again.
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
			before := rowsOf(t, pool, journey)
			emitted := delivered(t, s, pool, at.Add(30*time.Hour), again)
			if after := rowsOf(t, pool, journey); after != before || len(emitted) > 0 {
				rt.Fatalf("%s come again, and emit %+v; the rows were\n%s\nand are\n%s", typesOfEvents(again), emitted, before, after)
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

// TestEachTypeThatComesAgainChangesNothing: of every type that is subscribed to, its example, twice, the second time beside
// another event of the journey that is new.
func TestEachTypeThatComesAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	for i, typ := range schemas.HeardBy(Name) {
		subject := clock.NewRandomID()
		e, err := flow.Unmarshal(schemas.ExampleJSON(typ))
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Subject = clock.NewOrderedID(now, i), subject
		delivered(t, s, pool, now, []flow.Event{e})
		before := rowsOf(t, pool, subject)
		emitted := delivered(t, s, pool, now.Add(50*time.Hour), []flow.Event{e, e})
		if after := rowsOf(t, pool, subject); after != before || len(emitted) > 0 {
			t.Errorf("%s comes again, and emits %d events; the rows were\n%s\nand are\n%s", typ, len(emitted), before, after)
		}
		if before == "" {
			t.Error(fmt.Sprint(typ, ": nothing is stored of it"))
		}
	}
}
