package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
)

// DeadLetter is a message that could not be applied after the last try. It counts as the void until it is redriven or
// dismissed.
type DeadLetter struct {
	ID      string    `json:"id" db:"event_id"`
	Type    string    `json:"type" db:"type"`
	Journey string    `json:"journey" db:"journey"`
	Reason  string    `json:"reason" db:"reason"`
	Since   time.Time `json:"since" db:"since"`
	// Payload is what arrived, byte for byte.
	Payload []byte `json:"-" db:"payload"`
}

// DeadLetters returns a service's dead letters, oldest first.
func DeadLetters(ctx context.Context, pool *pgxpool.Pool) ([]DeadLetter, error) {
	rows, err := pool.Query(ctx, `select event_id::text as event_id, type, journey, reason, since, payload from letter
		where state = 'dead' order by since, event_id`)
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[DeadLetter])
}

// Redrive puts dead letters back in line to be tried at once, with a fresh count of tries; all of them where no id is
// named. It returns how many. However late: an event that has been applied changes nothing when it is applied again.
func Redrive(ctx context.Context, pool *pgxpool.Pool, now time.Time, ids ...string) (int64, error) {
	tag, err := pool.Exec(ctx, `update letter set state = 'waiting', tries = 0, next_try_at = $2
		where state = 'dead' and (coalesce(cardinality($1::text[]), 0) = 0 or event_id::text = any($1::text[]))`, ids,
		now)
	if err != nil {
		return 0, fmt.Errorf("redriving dead letters: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Dismiss says of dead letters that a human has seen to them otherwise; it returns how many. Such an event is never
// applied, should it come again: a letter is never deleted.
func Dismiss(ctx context.Context, pool *pgxpool.Pool, ids ...string) (int64, error) {
	tag, err := pool.Exec(ctx, `update letter set state = 'dismissed' where state = 'dead'
		and event_id::text = any($1::text[])`, ids)
	if err != nil {
		return 0, fmt.Errorf("dismissing dead letters: %w", err)
	}
	return tag.RowsAffected(), nil
}

// CountParked returns how many events of a service wait for another try.
func CountParked(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	var n int
	if err := pool.QueryRow(ctx, `select count(*) from letter where state = 'waiting'`).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting parked events: %w", err)
	}
	return n, nil
}

// CountTooLarge returns how many events of a service were committed that the broker does not take, given the most bytes
// that it takes: its limit was lowered, or an older release left them.
func CountTooLarge(ctx context.Context, pool *pgxpool.Pool, most int) (int, error) {
	var n int
	err := pool.QueryRow(ctx, `select count(*) from outbox_writer w join outbox o on o.writer = w.id
		and o.n > w.synced_upto
		where octet_length(o.payload) > $1`, most-outgoing{}.size()-len(clock.NewRandomID())).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting events that the broker does not take: %w", err)
	}
	return n, nil
}
