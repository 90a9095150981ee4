package fault

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// servedWithin is how long a new discharge may take to its offer while the stream is being rebuilt.
const servedWithin = 2 * time.Second

// TestNewDischargeIsServedWhileTheStreamIsRebuilt deletes the stream of a system with a past, and sends discharges
// while every service publishes that past again: the offer of a new one stands in time. FOOTBRIDGE_PAST_EVENTS says
// how many events the past has.
func TestNewDischargeIsServedWhileTheStreamIsRebuilt(t *testing.T) {
	s, book := newStand(t), newLogbook()
	pool := s.admin()
	past := number(t, "FOOTBRIDGE_PAST_EVENTS", 20_000)
	for have := 0; have < past; have = outboxed(t, pool) {
		report(t, s, book, min(1000, max(50, (past-have)/5)))
	}
	if found, err := settled(t.Context(), pool, book, 3*time.Minute); err != nil || len(found) > 0 {
		t.Fatalf("before: %v\n%s", err, found)
	}
	events := outboxed(t, pool)
	deleted := time.Now()
	deleteStream(t, s)
	h := &hospital{stand: s, book: book, name: "REBUILD", resends: true}
	defer h.hangUp()
	var worst time.Duration
	var taken []string
	for is := rebuilding(t, s, pool); is; {
		took := served(t, s, h, pool)
		if is = rebuilding(t, s, pool); is { // else it may have been served after the rebuild
			worst, taken = max(worst, took), append(taken, took.Round(time.Millisecond).String())
		}
	}
	t.Logf("%d past events; rebuilt within %.1f s; %d new discharges served meanwhile, offers after %v", events, time.Since(deleted).Seconds(), len(taken), taken)
	if len(taken) == 0 {
		t.Error("no discharge was served while the stream was being rebuilt; is the past too short?")
	}
	if worst > servedWithin {
		t.Errorf("a new discharge waited %v for its offer, at most %v is promised", worst, servedWithin)
	}
	if found, err := settled(t.Context(), pool, book, 2*time.Minute); err != nil || len(found) > 0 {
		t.Errorf("afterwards: %v\n%s", err, found)
	}
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
		if err := pool.QueryRow(t.Context(), `select count(*) from `+pgx.Identifier{service, "outbox"}.Sanitize()).Scan(&n); err != nil {
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
		if err := pool.QueryRow(t.Context(), `select created from `+pgx.Identifier{service, "outbox_stream"}.Sanitize()).Scan(&created); err != nil {
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
		err := pool.QueryRow(ctx, `select exists (select from intake.visit v join followup.offer o on o.journey = v.journey
			where v.organisation = $1 and v.number = $2 and o.ended_at is null)`, organisation, m.visit).Scan(&there)
		return err == nil && there
	})
	if err != nil {
		t.Error(fmt.Errorf("no offer for a new discharge: %w", err))
	}
	return time.Since(began)
}
