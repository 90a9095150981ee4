package gateway

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/principal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this service.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// session is a row: who signed in, and until when that holds.
type session struct {
	Organisation, Role, Subject, Team string
	SeenAt, EndsAt                    time.Time
	EndedAt                           *time.Time
}

func (s session) principal() principal.Principal {
	return principal.Principal{Organisation: s.Organisation, Role: s.Role, Subject: s.Subject, Team: s.Team}
}

// beginner is a database, or a transaction in it.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// beginSession stores a session, ends the one that the browser came with, and forgets those that ended long ago.
func beginSession(ctx context.Context, db beginner, hash, former []byte, id, device string,
	p principal.Principal, now, ends, forget time.Time) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`update session set ended_at = $2 where hash = $1 and ended_at is null`, former, now)
		batch.Queue(`delete from session where ends_at < $1`, forget)
		batch.Queue(`insert into session (hash, id, organisation, role, subject, began_at, seen_at, ends_at, device,
			team) values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)`,
			hash, id, p.Organisation, p.Role, p.Subject, now, ends, device, p.Team)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// sessionOf finds the session of a browser, and nothing but that one: it is how a principal is found at all.
func sessionOf(ctx context.Context, pool *pgxpool.Pool, hash []byte) (s session, found bool, err error) {
	rows, err := pool.Query(ctx, `select organisation, role, subject, team, seen_at, ends_at, ended_at from session
		where hash = $1`, hash)
	if err != nil {
		return session{}, false, fmt.Errorf("reading a session: %w", err)
	}
	s, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[session])
	if errors.Is(err, pgx.ErrNoRows) {
		return session{}, false, nil
	}
	if err != nil {
		return session{}, false, fmt.Errorf("reading a session: %w", err)
	}
	return s, true, nil
}

func touchSession(ctx context.Context, pool *pgxpool.Pool, hash []byte, now time.Time) error {
	_, err := pool.Exec(ctx, `update session set seen_at = $2 where hash = $1 and seen_at < $2 and ended_at is null`,
		hash, now)
	return err
}

func endSession(ctx context.Context, pool *pgxpool.Pool, hash []byte, now time.Time) error {
	_, err := pool.Exec(ctx, `update session set ended_at = $2 where hash = $1 and ended_at is null`, hash, now)
	return err
}

// listed is a session as its own person sees it.
type listed struct {
	ID      string    `json:"id"`
	Device  string    `json:"device,omitempty"`
	BeganAt time.Time `json:"beganAt"`
	SeenAt  time.Time `json:"seenAt"` // to the minute
	EndsAt  time.Time `json:"endsAt"` // whatever is done meanwhile
	Here    bool      `json:"here"`   // this is the one that asks
}

// sessionsOf are the sessions of one principal that still hold, the latest first.
func sessionsOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, here []byte, now time.Time,
	idle time.Duration) ([]listed, error) {
	rows, err := pool.Query(ctx, `select id::text, device, began_at, seen_at, ends_at, hash = $4 from session
		where organisation = $1 and role = $2 and subject = $3 and ended_at is null and ends_at > $5 and seen_at > $6
		order by began_at desc, id`,
		p.Organisation, p.Role, p.Subject, here, now, now.Add(-idle))
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[listed])
}

// endSessionOf ends one session of one principal, and says whether it is theirs; here, whether it is the one that asks.
func endSessionOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, id string, asking []byte,
	now time.Time) (theirs, here bool, err error) {
	err = pool.QueryRow(ctx, `update session set ended_at = coalesce(ended_at, $5) where id = $4 and organisation = $1
		and role = $2 and subject = $3 returning hash = $6`,
		p.Organisation, p.Role, p.Subject, id, now, asking).Scan(&here)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, here, err
}

// endSessionsOf ends every session of one principal.
func endSessionsOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, now time.Time) (int64, error) {
	tag, err := pool.Exec(ctx, `update session set ended_at = $4 where organisation = $1 and role = $2 and subject = $3
		and ended_at is null and ends_at > $4`,
		p.Organisation, p.Role, p.Subject, now)
	return tag.RowsAffected(), err
}
