package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// rebuild publishes what this service has ever said and still remembers, because the stream no longer holds it:
// first what is not acknowledged, then the last hour, then all that is older, oldest first, slowly enough that new
// events still pass. Readers have seen most of it, and what they have seen changes nothing.
//
// One process of a service does it, while others go on; when it is killed, the next look begins again. known is what
// was remembered of the stream when the reason was seen. Where that is otherwise by now, another process has rebuilt
// the stream meanwhile, or somebody has asked for a rebuild: the next look says what is missing then.
func (f *Flow) rebuild(ctx context.Context, info *jetstream.StreamInfo, known streamState, why string) error {
	conn, err := f.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("rebuilding the stream: %w", err)
	}
	defer conn.Release()
	mine, err := f.lockRebuild(ctx, conn)
	if err != nil {
		return err
	}
	if mine {
		defer f.unlockRebuild(ctx, conn)
		now, err := f.readStreamState(ctx)
		if err != nil {
			return fmt.Errorf("rebuilding the stream: %w", err)
		}
		mine = now == known
	}
	if !mine {
		f.cfg.Log.Debug("another process sees to the rebuild", "because", why)
		return nil
	}
	f.cfg.Log.Warn("rebuilding the stream from the outbox", "because", why, keyRunbook, "stream-rebuild.md")
	for _, t := range f.trackers() {
		if err := f.sweep(ctx, t); err != nil {
			return fmt.Errorf("rebuilding the stream: %w", err)
		}
	}
	hourAgo := f.cfg.Clock.Now().Add(-time.Hour)
	end, err := f.lastOutboxed(ctx)
	if err != nil {
		return err
	}
	var last furthest
	total, err := f.republish(f.life, pg.UUIDFloor(hourAgo), successor(end), &last)
	if err != nil {
		return err
	}
	older, err := f.republish(f.life, clock.LowestID, pg.UUIDFloor(hourAgo), &last)
	if err != nil {
		return err
	}
	f.cfg.Log.Info("rebuilt the stream", "events", total+older)
	return f.rememberRebuilt(f.life, createdOf(info), firstOf(info), last.position())
}

// lastOutboxed is where a rebuild ends: what commits from now on is published into the stream that there is now by
// whoever commits it. Without an end, a rebuild would go on for as long as events are said.
func (f *Flow) lastOutboxed(ctx context.Context) (id string, err error) {
	err = f.cfg.Pool.QueryRow(ctx, `select id::text from outbox order by id desc limit 1`).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return clock.LowestID, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the outbox: %w", err)
	}
	return id, nil
}

// furthest is the last message that a rebuild has published.
type furthest struct {
	mu sync.Mutex
	at position
}

func (f *furthest) acknowledged(_ int64, at position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.seq > f.at.seq {
		f.at = at
	}
}

func (f *furthest) position() position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// lockRebuild begins a transaction that keeps other processes of the service from rebuilding until it ends, by a lock
// that no other login can take.
func (f *Flow) lockRebuild(ctx context.Context, conn *pgxpool.Conn) (mine bool, err error) {
	_, err = conn.Exec(ctx,
		`begin; set local idle_in_transaction_session_timeout = 0; lock table outbox_stream in share update exclusive mode nowait`)
	if err == nil {
		return true, nil
	}
	f.unlockRebuild(ctx, conn)
	if pg.IsLockNotAvailable(err) {
		return false, nil
	}
	return false, fmt.Errorf("rebuilding the stream: %w", err)
}

func (f *Flow) unlockRebuild(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, `rollback`); err != nil {
		_ = conn.Conn().Close(ctx) // the lock goes with the connection
	}
}

// republish publishes the events with ids in [from, to) in order, at most RebuildRate a second, and says how far
// it is.
func (f *Flow) republish(ctx context.Context, from, to string, last *furthest) (count int, err error) {
	const page = 200
	pace := time.NewTicker(page * time.Second / time.Duration(f.cfg.RebuildRate))
	defer pace.Stop()
	for {
		events, err := f.readOutbox(ctx, `select n, id::text, subject, payload from outbox where id >= $1 and id < $2
			order by id limit $3`, from, to, page)
		if err != nil {
			return count, fmt.Errorf("reading the outbox: %w", err)
		}
		if len(events) == 0 {
			return count, nil
		}
		if err := f.publishPage(ctx, events, last.acknowledged, func(int64) {}); err != nil {
			return count, fmt.Errorf("rebuilding the stream: %w", err)
		}
		if count/10_000 < (count+len(events))/10_000 {
			f.cfg.Log.Info("rebuilding the stream", "published", count+len(events))
		}
		count += len(events)
		f.metrics.rebuilt.Add(ctx, int64(len(events)))
		from = successor(events[len(events)-1].id)
		select {
		case <-ctx.Done():
			return count, context.Cause(ctx)
		case <-pace.C:
		}
	}
}

// successor returns the smallest uuid greater than id.
func successor(id string) string {
	digits := []byte(id)
	for i := len(digits) - 1; i >= 0; i-- {
		switch d := digits[i]; {
		case d == '-':
			continue
		case d == 'f':
			digits[i] = '0'
			continue
		case d == '9':
			digits[i] = 'a'
		default:
			digits[i] = d + 1
		}
		return string(digits)
	}
	return id
}
