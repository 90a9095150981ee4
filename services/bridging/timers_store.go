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
func countTimers(q flow.Queuer, p principal.Principal, now, until time.Time, today, last string,
	each func(timerCount)) {
	scope := scopeOf(p)
	q.Queue(`with fires (kind, at) as (
			select case when t.stage = 0 then 'call-reminder' else 'call-due' end, t.act_at from timer t join call c
			on c.id = t.call
				where t.act_at <= $2 and ($3 or c.organisation = any($4))
			union all
			select 'help', look_at from help where look_at <= $2 and ($3
			or coalesce(of_organisation, asked_by) = any($4))
			union all
			select 'page', p.next_at from page p join rota r on r.id = p.rota where p.next_at <= $2 and ($3
			or r.organisation = any($4))
			union all
			select 'notice', n.next_at from notice n join call c on c.id = n.call where n.next_at <= $2 and ($3
			or c.organisation = any($4))
			union all
			select 'plan', look_on::timestamp at time zone 'Europe/London' from plan where look_on <= $6::date
			and ended_at is null and ($3 or organisation = any($4))
		)
		select kind, date_trunc('hour', greatest(at, $1::timestamptz)), count(*), count(*) filter (where at < $1
		and (kind <> 'plan' or (at at time zone 'Europe/London')::date < $5::date))
		from fires group by 1, 2 order by 2, 1`, now, until, scope.All, scope.Organisations, today,
		last).Query(func(rows pgx.Rows) error {
		var c timerCount
		_, err := pgx.ForEachRow(rows, []any{&c.Kind, &c.Hour, &c.Count, &c.Late}, func() error { each(c); return nil })
		return err
	})
}

// spreadTimers queues that what is late among the reminders of calls is done over a time, evenly, the oldest first,
// and that calls past their time are marked late at once. None of it is put off beyond its call, or beyond when the
// call is late.
func spreadTimers(q flow.Queuer, _ principal.Principal, now time.Time, over, late time.Duration,
	each func(calls, notices int)) {
	q.Queue(`select from timer where act_at < $1 order by call for update`, now)
	q.Queue(`update call set late = true from timer t where t.call = call.id and t.act_at < $1
		and call.due_at + $2::interval < $1`, now, late)
	q.Queue(`with reminders as (
			select t.call, c.due_at, row_number() over (order by t.act_at, t.call) as n, count(*) over () as m
			from timer t join call c on c.id = t.call where t.act_at < $1
		), calls as (
			update timer t set act_at = $1 + least($2::interval * ((r.n - 1)::float8 / r.m),
					case when r.due_at > $1 then r.due_at - $1 when r.due_at + $3::interval > $1 then r.due_at +
					$3::interval - $1 else $2::interval end)
			from reminders r where r.call = t.call returning 1
		), waiting as (
			select id, row_number() over (order by next_at, id) as n, count(*) over () as m from notice
			where next_at < $1
		), notices as (
			update notice t set next_at = $1 + least($2::interval * ((w.n - 1)::float8 / w.m), greatest(t.due_at - $1,
			interval '0'))
			from waiting w where w.id = t.id returning 1
		)
		select (select count(*) from calls), (select count(*) from notices)`, now, over,
		late).QueryRow(func(row pgx.Row) error {
		var calls, notices int
		if err := row.Scan(&calls, &notices); err != nil {
			return err
		}
		each(calls, notices)
		return nil
	})
}
