package httpx

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// IdempotencyMigrations is the goose migration set of the table idempotency, in the folder migrations, for a service
// that takes Idempotency-Key: another pg.MigrationSet beside its own.
//
//go:embed migrations/*.sql
var IdempotencyMigrations embed.FS

// The statements, for callers that queue theirs. In one transaction: claim; if it affected no row, find and answer
// from that; else do the work and remember. Claim and find must be two statements: only the second one sees what
// the first one waited for.
const (
	// IdempotencyClaim takes principal, route, key, body hash, now, and the time before which rows no longer count.
	// It waits for another transaction with the same key, and affects one row when the request is new.
	IdempotencyClaim = `insert into idempotency (principal, route, key, body_hash, at)
values ($1, $2, $3, $4, $5)
on conflict (principal, route, key) do update
set body_hash = excluded.body_hash, at = excluded.at, status = null, answer = null
where idempotency.at < $6`
	// IdempotencyFind takes principal, route and key; it gives body_hash, status, answer, at.
	IdempotencyFind = `select body_hash, status, answer, at from idempotency
where principal = $1 and route = $2 and key = $3`
	// IdempotencyRemember takes principal, route, key, status and answer.
	IdempotencyRemember = `update idempotency set status = $4, answer = $5
where principal = $1 and route = $2 and key = $3`
	// IdempotencyForget takes the time before which rows no longer count and how many to delete at once.
	IdempotencyForget = `delete from idempotency where ctid in (
select ctid from idempotency where at < $1 order by at limit $2 for update skip locked)`
)

// Querier is the part of pgx.Tx that is needed.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ClaimArgs are the arguments of IdempotencyClaim.
func (i *Idempotency) ClaimArgs(now time.Time) []any {
	return []any{i.Principal, i.Route, i.Key, i.BodyHash[:], now, now.Add(-KeepIdempotency)}
}

// KeyArgs are the arguments of IdempotencyFind, and the first three of IdempotencyRemember.
func (i *Idempotency) KeyArgs() []any { return []any{i.Principal, i.Route, i.Key} }

// Claim begins a request in the transaction of its effect. It returns nil when the request is new: do it, then call
// Remember before the commit. It returns the answer given before when it is a repetition: write that and change
// nothing. The same key with another body is a 409 *Problem. A nil *Idempotency claims nothing.
//
// Two equal requests at once: the second waits in here until the first has committed or rolled back.
func (i *Idempotency) Claim(ctx context.Context, tx Querier, now time.Time) (*Remembered, error) {
	if i == nil {
		return nil, nil
	}
	tag, err := tx.Exec(ctx, IdempotencyClaim, i.ClaimArgs(now)...)
	if err != nil {
		return nil, fmt.Errorf("claiming idempotency key: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil, nil
	}
	return i.Found(tx.QueryRow(ctx, IdempotencyFind, i.KeyArgs()...))
}

// Found reads the row of IdempotencyFind after a claim that affected nothing.
func (i *Idempotency) Found(row pgx.Row) (*Remembered, error) {
	var hash []byte
	var status *int
	var before Remembered
	if err := row.Scan(&hash, &status, &before.Answer, &before.At); err != nil {
		return nil, fmt.Errorf("reading what was answered under an idempotency key: %w", err)
	}
	if err := i.Same(hash); err != nil {
		return nil, err
	}
	if status == nil {
		return nil, errors.New("reading what was answered under an idempotency key: committed without an answer; call Remember before the commit")
	}
	before.Status = *status
	return &before, nil
}

// Remember keeps the answer with the effect. A nil *Idempotency remembers nothing.
func (i *Idempotency) Remember(ctx context.Context, tx Querier, status int, answer []byte) error {
	if i == nil {
		return nil
	}
	tag, err := tx.Exec(ctx, IdempotencyRemember, i.Principal, i.Route, i.Key, status, answer)
	if err != nil {
		return fmt.Errorf("remembering an answer: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return errors.New("remembering an answer: its key was not claimed in this transaction")
	}
	return nil
}
