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
	"footbridge/services/gateway/signin"
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
	Provider                          string // by which somebody came in; empty: otherwise
	Who, SID                          []byte
	Claims                            map[string]any
	Renew                             []byte
	CheckedAt                         *time.Time
	SignedOut                         bool // at the provider, since
}

// signedOutThere is SQL that says of a session s whether its provider has said that it is over.
const signedOutThere = `exists (select from signed_out o where o.at >= s.since and (o.sid = s.sid or
	o.who = s.who and (o.sid is null or s.sid is null)))`

func (s session) principal() principal.Principal {
	return principal.Principal{Organisation: s.Organisation, Role: s.Role, Subject: s.Subject, Team: s.Team}
}

// beginner is a database, or a transaction in it.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// beginSession stores a session, ends the one that the browser came with, and forgets those that ended long ago.
func beginSession(ctx context.Context, db beginner, hash, former []byte, id, device string,
	p principal.Principal, from vouched, now, ends, forget time.Time) error {
	var since *time.Time
	if from.Provider != "" {
		since = &from.Since
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`update session set ended_at = $2 where hash = $1 and ended_at is null`, former, now)
		batch.Queue(`delete from session where ends_at < $1`, forget)
		batch.Queue(`insert into session (hash, id, organisation, role, subject, began_at, seen_at, ends_at, device,
			team, provider, who, sid, since, claims, renew, checked_at)
			values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $6)`,
			hash, id, p.Organisation, p.Role, p.Subject, now, ends, device, p.Team, from.Provider, from.Who, from.SID,
			since, from.Claims, from.renew)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// sessionOf finds the session of a browser, and nothing but that one: it is how a principal is found at all.
func sessionOf(ctx context.Context, pool *pgxpool.Pool, hash []byte) (s session, found bool, err error) {
	rows, err := pool.Query(ctx, `select organisation, role, subject, team, seen_at, ends_at, ended_at, provider, who,
		sid, claims, renew, checked_at, `+signedOutThere+` from session s where hash = $1`, hash)
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

// ofPerson is SQL of the sessions of whoever $1, $2 and $3 are the organisation, role and subject of. A provider's
// subject is one person, in whatever role they came in.
const ofPerson = `(organisation = $1 and role = $2 or provider <> '') and subject = $3`

// sessionsOf are the sessions of one person that still hold, the latest first.
func sessionsOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, here []byte, now time.Time,
	idle time.Duration) ([]listed, error) {
	rows, err := pool.Query(ctx, `select id::text, device, began_at, seen_at, ends_at, hash = $4 from session s
		where `+ofPerson+` and ended_at is null and ends_at > $5 and seen_at > $6
		and not `+signedOutThere+` order by began_at desc, id`,
		p.Organisation, p.Role, p.Subject, here, now, now.Add(-idle))
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[listed])
}

// endSessionOf ends one session of one person, and says whether it is theirs; here, whether it is the one that asks.
func endSessionOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, id string, asking []byte,
	now time.Time) (theirs, here bool, err error) {
	err = pool.QueryRow(ctx, `update session set ended_at = coalesce(ended_at, $5) where id = $4 and `+ofPerson+`
		returning hash = $6`,
		p.Organisation, p.Role, p.Subject, id, now, asking).Scan(&here)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, here, err
}

// endSessionsOf ends every session of one person.
func endSessionsOf(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, now time.Time) (int64, error) {
	tag, err := pool.Exec(ctx, `update session set ended_at = $4 where `+ofPerson+`
		and ended_at is null and ends_at > $4`,
		p.Organisation, p.Role, p.Subject, now)
	return tag.RowsAffected(), err
}

// claimCheck has one of the requests of a session ask the provider whether it still vouches: the one that finds when
// that was done last as it was read.
func claimCheck(ctx context.Context, pool *pgxpool.Pool, hash []byte, last, now time.Time) (mine bool, err error) {
	tag, err := pool.Exec(ctx, `update session set checked_at = $3 where hash = $1 and checked_at = $2
		and ended_at is null`, hash, last, now)
	return tag.RowsAffected() == 1, err
}

// storeCheck keeps what the provider answered.
func storeCheck(ctx context.Context, pool *pgxpool.Pool, hash []byte, claims map[string]any, renew []byte) error {
	_, err := pool.Exec(ctx, `update session set claims = $2, renew = $3 where hash = $1`, hash, claims, renew)
	return err
}

// attemptRow is a browser that came back from a provider.
type attemptRow struct {
	Provider, Next string
	Person         []byte
}

// beginAttempt stores that a browser leaves for a provider, and forgets those that never came back.
func beginAttempt(ctx context.Context, pool *pgxpool.Pool, secret []byte, provider, next string,
	now, forget time.Time) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`delete from attempt where asked_at < $1`, forget)
		batch.Queue(`insert into attempt (secret, provider, next, asked_at) values ($1, $2, $3, $4)`, secret, provider,
			next, now)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// useAttempt takes the one answer of an attempt: a second one, or one of another provider, finds nothing.
func useAttempt(ctx context.Context, pool *pgxpool.Pool, secret []byte, provider string, now, oldest time.Time) (
	next string, found bool, err error) {
	err = pool.QueryRow(ctx, `update attempt set used_at = $3 where secret = $1 and provider = $2 and used_at is null
		and asked_at >= $4 returning next`, secret, provider, now, oldest).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return next, err == nil, err
}

// keepPerson keeps who came back until they have chosen who they are here.
func keepPerson(ctx context.Context, pool *pgxpool.Pool, secret, person []byte) error {
	_, err := pool.Exec(ctx, `update attempt set person = $2 where secret = $1`, secret, person)
	return err
}

// personOf is who came back by an attempt and has not chosen yet.
func personOf(ctx context.Context, pool *pgxpool.Pool, secret []byte, oldest time.Time) (row attemptRow, found bool,
	err error) {
	rows, err := pool.Query(ctx, `select provider, next, person from attempt where secret = $1 and person is not null
		and asked_at >= $2`, secret, oldest)
	if err != nil {
		return row, false, err
	}
	row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[attemptRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// endAttempt ends an attempt by a choice, once.
func endAttempt(ctx context.Context, tx pgx.Tx, secret []byte) (mine bool, err error) {
	tag, err := tx.Exec(ctx, `delete from attempt where secret = $1 and person is not null`, secret)
	return tag.RowsAffected() == 1, err
}

// storeSignedOut keeps a provider's word that somebody has signed out there, once; it is needed until no session that
// began before it can hold any more.
func storeSignedOut(ctx context.Context, pool *pgxpool.Pool, out signin.SignedOut, until time.Time) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`delete from signed_out where until < $1`, out.At)
		batch.Queue(`insert into signed_out (id, who, sid, at, until) values ($1, $2, $3, $4, $5)
			on conflict (id) do nothing`, out.ID, out.Who, out.SID, out.At, until)
		return tx.SendBatch(ctx, batch).Close()
	})
}
