package traces

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this service.
func Migrations() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return files
}

const table = "fragment"

// makeDays makes the days in which what comes in may have begun: yesterday to tomorrow.
func makeDays(ctx context.Context, pool *pgxpool.Pool, now time.Time) error {
	return pg.EnsureDayPartitions(ctx, pool, table, pg.ByUUIDv7, now.AddDate(0, 0, -1), now.AddDate(0, 0, 1))
}

// daysKept are the days that are there, and what each takes on disk.
func daysKept(ctx context.Context, pool *pgxpool.Pool) ([]day, error) {
	rows, err := pool.Query(ctx, `select to_date(right(c.relname, 8), 'YYYYMMDD'), pg_total_relation_size(c.oid)
		from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'fragment'::regclass`)
	if err != nil {
		return nil, fmt.Errorf("measuring traces: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d day, err error) {
		err = row.Scan(&d.at, &d.bytes)
		return d, err
	})
}

func dropDays(ctx context.Context, pool *pgxpool.Pool, keepFrom time.Time) error {
	_, err := pg.DropDayPartitionsBefore(ctx, pool, table, pg.ByUUIDv7, keepFrom)
	return err
}

// insertFragments adds rows; one that is there already is the same.
func insertFragments(ctx context.Context, pool *pgxpool.Pool, fragments []fragment) error {
	if len(fragments) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	for _, f := range fragments {
		if f.Journeys == nil {
			f.Journeys = []string{}
		}
		batch.Queue(`insert into fragment (id, trace, service, works, micros, failed, spans, journeys, otlp)
			values ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`, f.ID, f.Trace, f.Service,
			f.Works, f.Micros, f.Failed, f.Spans, f.Journeys, f.OTLP)
	}
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("keeping %d traces: %w", len(fragments), err)
	}
	return nil
}

// Search is what is looked for. From is included, To is not.
type Search struct {
	From, To time.Time
	// Service, Work and Journey are "" where they may be any.
	Service, Work, Journey string
	// Least is how long it took at least.
	Least time.Duration
	// Failed leaves out what did not fail.
	Failed bool
	// Before is the id of a row before which to go on; "" to begin with the latest.
	Before string
}

// Found is one row that was found.
type Found struct {
	// ID orders what was found, the latest last.
	ID string `json:"id"`
	// Trace names the trace, in hexadecimal.
	Trace   string `json:"trace"`
	Service string `json:"service"`
	// Work is the kind of work that was looked for, or that took the longest of this service's in the trace.
	Work string `json:"work"`
	// At is when it began.
	At time.Time `json:"at"`
	// Micros is for how many microseconds it lasted.
	Micros int64 `json:"micros"`
	// Failed says that a piece of this service's work failed.
	Failed bool `json:"failed"`
	// Spans is how many pieces of work this service did.
	Spans int `json:"spans"`
	// Journeys are those that the work was for.
	Journeys []string `json:"journeys"`
}

// Three ways to the same columns: by the service and the time, by the time, and by the journey. Each leaves out what
// was not asked for first, and then stops at so many. The order names the table: `id` alone would be the text that is
// answered with, for which no index is in order.
const (
	searchOfService = `select id::text, encode(trace, 'hex'), service, coalesce(nullif($4, ''), works[1]),
			coalesce(micros[array_position(works, $4)], micros[1]), failed, spans, journeys
		from fragment where service = $1 and id >= $2::uuid and id < $3::uuid and ($4 = '' or $4 = any(works))
			and ($5 = 0 or coalesce(micros[array_position(works, $4)], micros[1]) >= $5) and (failed or not $6)
		order by fragment.id desc limit $7`
	searchOfAll = `select id::text, encode(trace, 'hex'), service, coalesce(nullif($3, ''), works[1]),
			coalesce(micros[array_position(works, $3)], micros[1]), failed, spans, journeys
		from fragment where id >= $1::uuid and id < $2::uuid and ($3 = '' or $3 = any(works))
			and ($4 = 0 or coalesce(micros[array_position(works, $3)], micros[1]) >= $4) and (failed or not $5)
		order by fragment.id desc limit $6`
	searchOfJourney = `with own as materialized (select * from fragment where journeys @> array[$1::text])
		select id::text, encode(trace, 'hex'), service, coalesce(nullif($4, ''), works[1]),
			coalesce(micros[array_position(works, $4)], micros[1]), failed, spans, journeys
		from own where id >= $2::uuid and id < $3::uuid and ($4 = '' or $4 = any(works))
			and ($5 = 0 or coalesce(micros[array_position(works, $4)], micros[1]) >= $5) and (failed or not $6)
			and ($8 = '' or service = $8)
		order by own.id desc limit $7`
)

// search finds at most so many rows, the latest first, for an operator.
func search(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, s Search, most int) ([]Found, error) {
	if p.Role != string(schemas.Operator) {
		return nil, errNotForThem
	}
	to := pg.UUIDFloor(s.To)
	if s.Before != "" {
		to = s.Before
	}
	from, least := pg.UUIDFloor(s.From), s.Least.Microseconds()
	var found []Found
	ask := func(by asking, statement string, args ...any) (err error) {
		rows, err := by.Query(ctx, statement, args...)
		if err == nil {
			found, err = pgx.CollectRows(rows, scanFound)
		}
		return err
	}
	var err error
	switch {
	case s.Journey != "":
		err = ask(pool, searchOfJourney, s.Journey, from, to, s.Work, least, s.Failed, most, s.Service)
	case s.Service != "":
		err = inOrder(ctx, pool, func(tx pgx.Tx) error {
			return ask(tx, searchOfService, s.Service, from, to, s.Work, least, s.Failed, most)
		})
	default:
		err = inOrder(ctx, pool, func(tx pgx.Tx) error {
			return ask(tx, searchOfAll, from, to, s.Work, least, s.Failed, most)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("searching traces: %w", err)
	}
	for i := range found {
		found[i].At, _ = clock.IDTime(found[i].ID)
	}
	return found, nil
}

// asking is a pool or a transaction.
type asking interface {
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

func scanFound(row pgx.CollectableRow) (f Found, err error) {
	err = row.Scan(&f.ID, &f.Trace, &f.Service, &f.Work, &f.Micros, &f.Failed, &f.Spans, &f.Journeys)
	return f, err
}

// inOrder has a statement walk the index from the latest row back until it has enough: a plan that is made for any
// times might gather all rows of the time to sort them.
func inOrder(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select set_config('enable_bitmapscan', 'off', true),
			set_config('enable_sort', 'off', true)`); err != nil {
			return err
		}
		return do(tx)
	})
}

// maxRows is how many rows one waterfall is made of at most.
const maxRows = 2000

// errNotForThem is that somebody who is no operator would have read.
var errNotForThem = errors.New("traces are read by operators alone")

// spansOfTraces are the packed spans of some traces, the earliest first, for an operator.
func spansOfTraces(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, traces [][]byte) ([][]byte, error) {
	if p.Role != string(schemas.Operator) {
		return nil, errNotForThem
	}
	rows, err := pool.Query(ctx, `select otlp from fragment where trace = any($1::bytea[]) order by id limit $2`,
		traces, maxRows+1)
	if err != nil {
		return nil, fmt.Errorf("reading spans: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

// tracesOfJourney are the traces that name a journey, the earliest first, for an operator.
func tracesOfJourney(ctx context.Context, pool *pgxpool.Pool, p principal.Principal, journey string) ([][]byte, error) {
	if p.Role != string(schemas.Operator) {
		return nil, errNotForThem
	}
	rows, err := pool.Query(ctx, `with own as materialized (select id, trace from fragment
			where journeys @> array[$1::text])
		select trace from own group by trace order by min(id::text) limit $2`, journey, maxRows+1)
	if err != nil {
		return nil, fmt.Errorf("finding the traces of a journey: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}
