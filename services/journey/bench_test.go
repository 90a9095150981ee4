package journey

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// BenchmarkUnits applies the events of the unit of work (a discharge with both consents, decided, offered and with a
// call scheduled) in batches of 256, as they arrive in a backlog: two round trips a batch, without inbox and outbox.
// It reports units per second.
func BenchmarkUnits(b *testing.B) {
	db := testkit.Database(b, migrated())
	pool, err := pg.Open(context.Background(), db.URL(Name)+"&enable_seqscan=off&jit=off",
		pg.OpenConfig{Service: Name, MaxConns: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	s := &Service{owners: someOwners, zone: london(b)}
	for b.Loop() {
		b.StopTimer()
		batches := make([][]flow.Event, 3)
		for range 256 {
			j := tellerOf(clock.NewID(now))
			j.discharge()
			j.consent(true, "follow-up", "bridging")
			j.say(schemas.PathwayDecided, schemas.PathwayDecidedData{Waits: []string{"svc"}})
			j.offer(false)
			j.say(schemas.BridgingStarted, schemas.BridgingStartedData{Plan: "pl"})
			j.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c", Plan: "pl", DueAt: now.AddDate(0, 0, 14)})
			events := withIDs(j.events)
			batches[0], batches[1], batches[2] = append(batches[0], events[:2]...), append(batches[1], events[2:3]...),
				append(batches[2], events[3:]...)
		}
		b.StartTimer()
		for _, batch := range batches {
			if err := inTransaction(s, pool, batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "units/s")
}

func inTransaction(s *Service, pool interface {
	Begin(context.Context) (pgx.Tx, error)
}, batch []flow.Event) error {
	return pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
		reads, writes := &pgx.Batch{}, &pgx.Batch{}
		records := load(reads, journeysOf(batch))
		if err := tx.SendBatch(context.Background(), reads).Close(); err != nil {
			return err
		}
		if _, err := s.apply(writes, now, records, batch); err != nil {
			return err
		}
		return tx.SendBatch(context.Background(), writes).Close()
	})
}
