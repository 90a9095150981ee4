package bridging

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/ics"
	"footbridge/libs/principal"
)

// calendars are those of callers: a journey's code and when a call is planned.
func (a api) calendars() ics.Calendars {
	return ics.Calendars{Flow: a.flow, Zone: a.zone, Path: "/api/calls.ics", Outside: a.url, Name: "Calls",
		What: "when you make calls", Keep: saveCalendar, Read: calendarOf,
		While: fmt.Sprintf(", as long as you come here, signed in, once in %d days", ics.Seen)}
}

// saveCalendar queues by which token p's calendar is read up to a day, as its hash; by none where that is empty.
func saveCalendar(q flow.Queuer, p principal.Principal, hash string, until calendar.Day) {
	if hash == "" { // whoever keeps nothing here goes on keeping nothing
		q.Queue(`update caller set calendar = null, calendar_until = $3::date where organisation = $1 and mark = $2`,
			p.Organisation, p.Mark(), until.String())
		return
	}
	q.Queue(`insert into caller (organisation, mark, calendar, calendar_until, seen_on)
		values ($1, $2, $3, $4::date, $5::date)
		on conflict (organisation, mark) do update set calendar = excluded.calendar,
			calendar_until = excluded.calendar_until, seen_on = excluded.seen_on`, p.Organisation, p.Mark(), hash,
		until.String(), (until - ics.Lasts).String())
}

// seeCaller queues that p was here on a day, signed in: their calendar is read for some days more.
func seeCaller(q flow.Queuer, p principal.Principal, today calendar.Day) {
	q.Queue(`update caller set seen_on = $3::date where organisation = $1 and mark = $2 and calendar is not null
		and seen_on < $3::date`, p.Organisation, p.Mark(), today.String())
}

// calendarOf queues the calls of whoever has a token, from a day to another: open ones, and those that were cancelled.
// It gives nil once where the token is somebody's, whatever they have.
func calendarOf(q flow.Queuer, hash string, from, until calendar.Day, now time.Time, each func(*ics.Entry)) {
	q.Queue(`select coalesce(c.id::text, ''), coalesce(c.journey::text, ''), coalesce(c.sequence, 0),
		coalesce(c.ended_at, c.scheduled_at, $4), coalesce(c.due_at, $4),
			coalesce(c.minutes, 0), coalesce(c.state = 'cancelled', false)
		from caller k left join lateral (
			select o.id, o.journey, o.sequence, o.ended_at, o.scheduled_at, o.due_at, p.minutes, o.state from call o
			join plan p on p.id = o.plan
			where o.team = k.organisation and o.caller = k.mark and o.caller <> '' and o.ended_at is null
			and o.on_day between $2::date and $3::date
			union all
			select o.id, o.journey, o.sequence, o.ended_at, o.scheduled_at, o.due_at, p.minutes, o.state from call o
			join plan p on p.id = o.plan
			where o.team = k.organisation and o.caller = k.mark and o.caller <> '' and o.state = 'cancelled'
			and o.on_day between $2::date and $3::date
		) c on true where k.calendar = $1 and k.calendar_until >= $2::date and k.seen_on >= $2::date - $5::int
			and may_ring(k.organisation, $2::date) order by c.due_at, c.id`, hash,
		from.String(), until.String(), now, ics.Seen).Query(func(rows pgx.Rows) error {
		var e ics.Entry
		var id, journey string
		var minutes int
		_, err := pgx.ForEachRow(rows, []any{&id, &journey, &e.Sequence, &e.Changed, &e.Start, &minutes, &e.Cancelled},
			func() error {
				if id == "" {
					each(nil)
					return nil
				}
				one := e
				one.ID, one.Alias, one.End = id, ics.Code(journey), e.Start.Add(time.Duration(minutes)*time.Minute)
				each(&one)
				return nil
			})
		return err
	})
}
