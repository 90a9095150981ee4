package journey

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Figures are the operators' figures of journeys and steps, of what a principal may see, and of the sentinel.
func Figures(pool *pgxpool.Pool) operations.More {
	return func(ctx context.Context, who principal.Principal, now time.Time) ([]operations.Reading, error) {
		scope := scopeOf(who)
		none := operations.Reading{Name: operations.WithoutStep}
		away := 0
		late := operations.Reading{Name: operations.StepsLate}
		found := operations.Reading{Name: operations.VoidFound}
		batch := &pgx.Batch{}
		countVoid(batch, scope, now, &none.Value, &none.Since, &away)
		source, _, values := whose(scope, toDo)
		batch.Queue(`select coalesce(sum(n), 0)::float8, min(first) from `+source+` as o(name) cross join lateral (
				select count(*) as n, min(due_at) as first from step where organisation = o.name and state = 'open'
					and due_at < $2 and $1::text[] is not null) as late`, values, now).QueryRow(func(row pgx.Row) error {
			return row.Scan(&late.Value, &late.Since)
		})
		batch.Queue(`select count(*), max(found_at) from finding where found_at > $1`,
			now.Add(-24*time.Hour)).QueryRow(func(row pgx.Row) error { return row.Scan(&found.Value, &found.Since) })
		if err := pool.SendBatch(ctx, batch).Close(); err != nil {
			return nil, fmt.Errorf("reading figures of journeys: %w", err)
		}
		if away > 0 {
			none.Why = fmt.Sprintf("Of these %d since this system was stopped, when their time passed.", away)
		}
		w, err := readWatch(ctx, pool)
		if err != nil {
			return []operations.Reading{none, late, found}, err
		}
		return append([]operations.Reading{none, late, found}, w.figures(now)...), nil
	}
}

// countVoid queues how many journeys of a scope have no next step in time, when the first of their steps was due, and
// how many of them passed their time while this system was stopped.
func countVoid(batch *pgx.Batch, scope schemas.Scope, now time.Time, n *float64, first **time.Time, away *int) {
	source, table, values := whose(scope, toDo)
	batch.Queue(`with gone as materialized (select since, until from away)
		select coalesce(sum(n), 0)::float8, min(first), coalesce(sum(away), 0)::int from `+source+` as o(name)
		cross join lateral (
			select count(*) as n, min(holding_due) as first, count(*) filter (where exists (select from gone g
				where holding_due + make_interval(secs => $3) between g.since and g.until)) as away
			from `+table+` and `+toDo+` and holding_due < $2 and $1::text[] is not null) as late`, values,
		now.Add(-grace), grace.Seconds()).QueryRow(func(row pgx.Row) error { return row.Scan(n, first, away) })
}

// Void is how many journeys have no next step in time, of all organisations.
type Void struct {
	Journeys int
	// Since is when the first of them passed its time and its grace; zero where there is none.
	Since time.Time
}

// VoidAt reads it, as the operators' figure is read.
func VoidAt(ctx context.Context, pool *pgxpool.Pool, now time.Time) (v Void, err error) {
	var n float64
	var first *time.Time
	var away int
	batch := &pgx.Batch{}
	countVoid(batch, schemas.ScopeOf(schemas.Operator, "", ""), now, &n, &first, &away)
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return v, fmt.Errorf("counting journeys without a next step in time: %w", err)
	}
	if v.Journeys = int(n); first != nil {
		v.Since = first.Add(grace)
	}
	return v, nil
}

// figures say whether a sentinel watches, and when it last looked everywhere.
func (w watch) figures(now time.Time) []operations.Reading {
	away := operations.Reading{Name: operations.SentinelAway}
	until := w.heldUntil(now)
	if until.IsZero() { // none ever looked, or by a wrong clock
		away.Value, away.Why = endOfLease.Seconds(), "None has looked yet."
	} else if until.Before(now) {
		away.Value, away.Since = now.Sub(until).Seconds(), &until
	}
	if err := w.amiss(now); err != nil {
		away.Why = err.Error()
	}
	return []operations.Reading{away, {Name: operations.SentinelBlind, Since: w.looked,
		Value: operations.SecondsSince(w.looked, now)}}
}

// endOfLease stands for how long nobody has looked where nobody ever did.
const endOfLease = leaseAtMost
