package bridging

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/operations"
	"footbridge/libs/principal"
)

// lateBy is by how much a timer has to be past its time to count as late: each is looked at every second.
const lateBy = time.Minute

// Figures are the operators' figures of help, channels and timers, of what a principal may see.
func Figures(pool *pgxpool.Pool) operations.More {
	return func(ctx context.Context, who principal.Principal, now time.Time) ([]operations.Reading, error) {
		scope, w := scopeOf(who), Waiting{}
		late := operations.Reading{Name: operations.TimersLate}
		ahead := operations.Reading{Name: operations.TimersAhead}
		batch := &pgx.Batch{}
		queueWaiting(batch, scope.All, scope.Organisations, &w)
		for _, one := range []struct {
			into     *operations.Reading
			from, to time.Time
		}{{&late, time.Time{}, now.Add(-lateBy)}, {&ahead, now, now.Add(time.Hour)}} {
			batch.Queue(`select count(*), min(at) from (
					select act_at as at from timer where act_at > $1 and act_at <= $2
					union all select look_at from help where look_at > $1 and look_at <= $2
					union all select next_at from page where next_at > $1 and next_at <= $2
					union all select next_at from notice where next_at > $1 and next_at <= $2) as fires`, one.from,
				one.to).QueryRow(func(row pgx.Row) error { return row.Scan(&one.into.Value, &one.into.Since) })
		}
		if err := pool.SendBatch(ctx, batch).Close(); err != nil {
			return nil, fmt.Errorf("reading figures of calls and help: %w", err)
		}
		down := operations.Reading{Name: operations.ChannelDown, Why: strings.Join(w.Channels, ", ")}
		overdue := operations.Reading{Name: operations.HelpOverdue}
		down.Value, down.Since = sinceThen(w.ChannelDown, now)
		overdue.Value, overdue.Since = sinceThen(w.HelpDue, now)
		return []operations.Reading{{Name: operations.HelpWaiting, Value: float64(w.Help)}, overdue, down, late,
			ahead}, nil
	}
}

// sinceThen is for how many seconds a time has been past, and that time; nothing where there is none.
func sinceThen(at, now time.Time) (seconds float64, since *time.Time) {
	if at.IsZero() {
		return 0, nil
	}
	return operations.SecondsSince(&at, now), &at
}
