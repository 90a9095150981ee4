package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DeadLetter is an event that could not be applied after the last try. It counts as the void until it is redriven.
type DeadLetter struct {
	ID      string    `json:"id" db:"event_id"`
	Type    string    `json:"type" db:"type"`
	Journey string    `json:"journey" db:"journey"`
	Reason  string    `json:"reason" db:"reason"`
	Since   time.Time `json:"since" db:"since"`
	Payload string    `json:"-" db:"payload"`
}

// DeadLetters returns a service's dead letters, oldest first.
func DeadLetters(ctx context.Context, pool *pgxpool.Pool) ([]DeadLetter, error) {
	rows, err := pool.Query(ctx, `select event_id::text as event_id, type, journey, reason, since, payload from dead_letter order by since, event_id`)
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[DeadLetter])
}

// Redrive puts dead letters back in line to be tried at once, with a fresh count of tries; all of them where no
// id is named. It returns how many.
func Redrive(ctx context.Context, pool *pgxpool.Pool, now time.Time, ids ...string) (int64, error) {
	tag, err := pool.Exec(ctx, `with again as (
			delete from dead_letter where coalesce(cardinality($1::uuid[]), 0) = 0 or event_id = any($1::uuid[]) returning *)
		insert into parked (event_id, type, journey, payload, reason, tries, next_try_at, parked_at)
		select event_id, type, journey, payload, reason, 0, $2, since from again on conflict do nothing`, ids, now)
	if err != nil {
		return 0, fmt.Errorf("redriving dead letters: %w", err)
	}
	return tag.RowsAffected(), nil
}

// CountParked returns how many events of a service wait for another try.
func CountParked(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	var n int
	if err := pool.QueryRow(ctx, `select count(*) from parked`).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting parked events: %w", err)
	}
	return n, nil
}
