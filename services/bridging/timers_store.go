package bridging

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// timerCount is how many timers of a kind fire in one hour.
type timerCount struct {
	Kind  string    `json:"kind"`
	Hour  time.Time `json:"hour"`
	Count int       `json:"count"`
	// Late are those whose time has passed.
	Late int `json:"late,omitempty"`
}

// countTimers queues what fires until a time, by kind and hour, of what p may see. Each kind reads a stretch of its own
// partial index.
func countTimers(q flow.Queuer, p principal.Principal, now, until time.Time, today, last string, each func(timerCount)) {
	scope := scopeOf(p)
	q.Queue(`with fires (kind, at) as (
			select case when reminded = 0 then 'call-reminder' else 'call-due' end, act_at from call where act_at <= $2 and ($3 or organisation = any($4))
			union all
			select 'help', look_at from help where look_at <= $2 and ($3 or coalesce(of_organisation, asked_by) = any($4))
			union all
			select 'page', p.next_at from page p join rota r on r.id = p.rota where p.next_at <= $2 and ($3 or r.organisation = any($4))
			union all
			select 'plan', look_on::timestamp at time zone 'Europe/London' from plan where look_on <= $6::date and ended_at is null and ($3 or organisation = any($4))
		)
		select kind, date_trunc('hour', greatest(at, $1::timestamptz)), count(*), count(*) filter (where at < $1 and (kind <> 'plan' or (at at time zone 'Europe/London')::date < $5::date))
		from fires group by 1, 2 order by 2, 1`, now, until, scope.All, scope.Organisations, today, last).Query(func(rows pgx.Rows) error {
		var c timerCount
		_, err := pgx.ForEachRow(rows, []any{&c.Kind, &c.Hour, &c.Count, &c.Late}, func() error { each(c); return nil })
		return err
	})
}
