package fault

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// servedWithin is the part of a rebuild that a new discharge may take to its offer meanwhile: one that waits behind the
// past takes about all of it, however busy the machine is. One of a few tries must keep it.
const (
	servedWithin = 0.5
	tries        = 3
)

// TestNewDischargeIsServedWhileTheStreamIsRebuilt deletes the stream of a system with a past, and sends discharges
// while every service publishes that past again: the offer of a new one stands in time. FOOTBRIDGE_PAST_EVENTS says
// how many events the past has.
func TestNewDischargeIsServedWhileTheStreamIsRebuilt(t *testing.T) {
	s, book := newStand(t), newLogbook()
	pool := s.admin()
	past := number(t, "FOOTBRIDGE_PAST_EVENTS", 5000)
	for have := 0; have < past; have = outboxed(t, pool) {
		report(t, s, book, min(1000, max(50, (past-have)/5)))
	}
	if found, err := s.settled(t.Context(), pool, book, 3*time.Minute); err != nil || len(found) > 0 {
		t.Fatalf("before: %v\n%s", err, found)
	}
	kept := false
	for try := 0; try < tries && !kept; try++ {
		kept = serveWhileRebuilding(t, s, book, pool)
	}
	if !kept {
		t.Errorf("in none of %d rebuilds had every new discharge its offer within %.0f%% of the rebuild", tries,
			100*servedWithin)
	}
	if found, err := s.settled(t.Context(), pool, book, 2*time.Minute); err != nil || len(found) > 0 {
		t.Errorf("afterwards: %v\n%s", err, found)
	}
}

// serveWhileRebuilding deletes the stream and says whether every discharge sent until it was rebuilt had its offer in
// time, and at least one before the rebuild ended.
func serveWhileRebuilding(t *testing.T, s *stand, book *logbook, pool *pgxpool.Pool) bool {
	t.Helper()
	past, deleted := outboxed(t, pool), time.Now()
	deleteStream(t, s)
	h := &hospital{stand: s, book: book, name: "REBUILD", resends: true}
	defer h.hangUp()
	var taken []time.Duration
	var slowest time.Duration
	for is := rebuilding(t, s, pool); is; {
		took := served(t, s, h, pool)
		slowest = max(slowest, took)
		if is = rebuilding(t, s, pool); is { // else it may have been served after the rebuild
			taken = append(taken, took.Round(time.Millisecond))
		}
	}
	if len(taken) == 0 {
		t.Log("the stream was rebuilt before a discharge could be sent")
		return false
	}
	rebuilt := time.Since(deleted)
	first := taken[0]
	slices.Sort(taken)
	t.Logf("%d past events, rebuilt within %.1f s; %d new discharges meanwhile: the first had its offer after %v, "+
		"half of them after %v, the slowest after %v",
		past, rebuilt.Seconds(), len(taken), first, taken[len(taken)/2], slowest.Round(time.Millisecond))
	return slowest.Seconds() <= servedWithin*rebuilt.Seconds()
}

func deleteStream(t *testing.T, s *stand) {
	t.Helper()
	conn, err := s.owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.JS.DeleteStream(t.Context(), events.Name); err != nil {
		t.Fatal(err)
	}
}

// outboxed counts the events of all services.
func outboxed(t *testing.T, pool *pgxpool.Pool) (events int) {
	t.Helper()
	for _, service := range stateful {
		var n int
		if err := pool.QueryRow(t.Context(), `select count(*) from `+pgx.Identifier{service,
			"outbox"}.Sanitize()).Scan(&n); err != nil {
			t.Fatal(err)
		}
		events += n
	}
	return events
}

// rebuilding says whether some service has not finished publishing its past into the stream that there is now.
func rebuilding(t *testing.T, s *stand, pool *pgxpool.Pool) bool {
	t.Helper()
	conn, err := s.owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.JS.Stream(t.Context(), events.Name)
	if err != nil {
		return true // nobody has made it again yet
	}
	for _, service := range stateful {
		var created string
		if err := pool.QueryRow(t.Context(), `select created from `+pgx.Identifier{service,
			"outbox_stream"}.Sanitize()).Scan(&created); err != nil {
			t.Fatal(err)
		}
		if created != stream.CachedInfo().Created.UTC().Format(time.RFC3339Nano) {
			return true
		}
	}
	return false
}

// served sends one discharge and returns how long its offer took.
func served(t *testing.T, s *stand, h *hospital, pool *pgxpool.Pool) time.Duration {
	t.Helper()
	began := time.Now()
	m := visitMessages(h.name, s.now(), false)[0]
	h.book.sending(m.visit)
	for !h.send(t.Context(), m) {
		pause(t.Context(), 20*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := until(ctx, 10*time.Millisecond, func() bool {
		var there bool
		err := pool.QueryRow(ctx, `select exists (select from intake.visit v join followup.offer o
			on o.journey = v.journey
			where v.organisation = $1 and v.number = $2 and o.ended_at is null)`, organisation, m.visit).Scan(&there)
		return err == nil && there
	})
	if err != nil {
		t.Error(fmt.Errorf("no offer for a new discharge: %w", err))
	}
	return time.Since(began)
}
