package flow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// park puts an event that could not be applied aside, with the reason, to be tried again. Its inbox row is made in
// the same transaction: a redelivery is a duplicate, and only the retry applies it.
func (f *Flow) park(event Event, payload []byte, reason error) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	f.cfg.Log.Error("an event could not be applied and is parked", "footbridge.event.type", event.Type, "footbridge.event.id", event.ID, "footbridge.journey", event.Subject, keyRunbook, "dead-letters.md", "error", firstLine(reason))
	f.metrics.parkings.Add(ctx, 1)
	return f.Do(ctx, func(tx *Tx) error {
		tx.Queue(`insert into inbox (id) values ($1) on conflict do nothing`, event.ID)
		tx.Queue(`insert into parked (event_id, type, journey, payload, reason, tries, next_try_at, parked_at)
			values ($1, $2, $3, $4, $5, 0, $6, $7) on conflict do nothing`,
			event.ID, event.Type, event.Subject, string(payload), firstLine(reason), tx.Now.Add(f.cfg.ParkDelay), tx.Now)
		return nil
	})
}

// bury makes dead letters of messages that no try can make good.
func (f *Flow) bury(refused []refusal) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	return f.Do(ctx, func(tx *Tx) error {
		for _, r := range refused {
			f.cfg.Log.Error("a message is a dead letter", "footbridge.event.type", r.event.Type, keyRunbook, "dead-letters.md", "error", r.reason)
			tx.Queue(`insert into dead_letter (event_id, type, journey, payload, reason, since) values ($1, $2, $3, $4, $5, $6)
				on conflict do nothing`, r.event.ID, r.event.Type, r.event.Subject, strings.ToValidUTF8(string(r.body), "\uFFFD"), r.reason, tx.Now)
		}
		return nil
	})
}

// retryParked tries parked events again when their time has come, one at a time.
func (f *Flow) retryParked(ctx context.Context) {
	f.loop(ctx, "parked", time.Second, nil, func() (bool, error) { return f.retryOne(ctx) })
}

func (f *Flow) retryOne(ctx context.Context) (again bool, err error) {
	var id, payload string
	var tries int
	err = f.cfg.Pool.QueryRow(ctx, `select event_id::text, payload, tries from parked where next_try_at <= $1 order by next_try_at limit 1`,
		f.cfg.Clock.Now()).Scan(&id, &payload, &tries)
	if err == pgx.ErrNoRows {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for parked events: %w", err)
	}
	event, err := Unmarshal([]byte(payload))
	if err == nil {
		err = f.applyParked(event)
	}
	if err == nil {
		return true, nil
	}
	if isTrouble(err) {
		return false, err
	}
	return true, f.tryLater(ctx, id, tries+1, err)
}

// applyParked applies a parked event and takes it off the list, in one transaction; unless another process has.
func (f *Flow) applyParked(event Event) error {
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	ctx, span := f.startBatch(ctx, "retry", []Event{event})
	defer span.End()
	return f.Do(ctx, func(tx *Tx) error {
		mine := false
		tx.Queue(`delete from parked where event_id = $1 returning true`, event.ID).Query(func(rows pgx.Rows) error {
			mine = rows.Next()
			return nil
		})
		decide, err := guarded(func() func([]Event) error { return f.cfg.Handle(tx, []Event{event}) })
		if err != nil {
			return err
		}
		if err := tx.Flush(); err != nil || !mine {
			return err
		}
		result, err := guarded(func() error { return decide([]Event{event}) })
		if err != nil {
			return err
		}
		return result
	})
}

// tryLater puts the next try off, twice as long each time; after the last, the event is a dead letter.
func (f *Flow) tryLater(ctx context.Context, id string, tries int, reason error) error {
	now := f.cfg.Clock.Now()
	if tries >= f.cfg.ParkTries {
		_, err := f.cfg.Pool.Exec(ctx, `with given_up as (delete from parked where event_id = $1 returning *)
			insert into dead_letter (event_id, type, journey, payload, reason, since)
			select event_id, type, journey, payload, $2, parked_at from given_up on conflict do nothing`, id, firstLine(reason))
		f.cfg.Log.Error("an event could not be applied after the last try and is a dead letter", "footbridge.event.id", id, keyRunbook, "dead-letters.md", "error", firstLine(reason))
		return err
	}
	_, err := f.cfg.Pool.Exec(ctx, `update parked set tries = $2, next_try_at = $3, reason = $4 where event_id = $1`,
		id, tries, now.Add(f.cfg.ParkDelay<<tries), firstLine(reason))
	return err
}

// firstLine keeps stacks out of tables and logs.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
