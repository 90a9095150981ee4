package journey

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/operations"
	"footbridge/libs/principal"
)

// Figures are the operators' figures of journeys and steps, of what a principal may see, and of the sentinel.
func Figures(pool *pgxpool.Pool) operations.More {
	return func(ctx context.Context, who principal.Principal, now time.Time) ([]operations.Reading, error) {
		scope := scopeOf(who)
		none := operations.Reading{Name: operations.WithoutStep}
		late := operations.Reading{Name: operations.StepsLate}
		found := operations.Reading{Name: operations.VoidFound}
		batch := &pgx.Batch{}
		source, table, values := whose(scope, toDo)
		batch.Queue(`with gone as materialized (select since, until from away)
			select coalesce(sum(n), 0)::float8, min(first), coalesce(sum(away), 0)::int from `+source+` as o(name)
			cross join lateral (
				select count(*) as n, min(holding_due) as first, count(*) filter (where exists (select from gone g
					where holding_due + make_interval(secs => $3) between g.since and g.until)) as away
				from `+table+` and `+toDo+` and holding_due < $2 and $1::text[] is not null) as late`, values,
			now.Add(-grace), grace.Seconds()).QueryRow(func(row pgx.Row) error {
			var away int
			err := row.Scan(&none.Value, &none.Since, &away)
			if away > 0 {
				none.Why = fmt.Sprintf("Of these %d since this system was stopped, when their time passed.", away)
			}
			return err
		})
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
		w, err := readWatch(ctx, pool)
		if err != nil {
			return []operations.Reading{none, late, found}, err
		}
		return append([]operations.Reading{none, late, found}, w.figures(now)...), nil
	}
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
	blind := operations.Reading{Name: operations.SentinelBlind, Since: w.looked}
	if w.looked != nil {
		blind.Value = max(0, now.Sub(*w.looked).Seconds())
	}
	return []operations.Reading{away, blind}
}

// endOfLease stands for how long nobody has looked where nobody ever did.
const endOfLease = leaseAtMost
