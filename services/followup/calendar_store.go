package followup

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/ics"
	"footbridge/libs/principal"
)

// calendars are those of partners' workers: an offer's code and when its session is.
func (a api) calendars() ics.Calendars {
	return ics.Calendars{Flow: a.flow, Zone: a.zone, Path: "/api/sessions.ics", Outside: a.url, Name: "Sessions",
		What: "when your organisation has sessions", Keep: saveCalendar, Read: calendarOf}
}

// saveCalendar queues by which token p's calendar is read up to a day, as its hash; by none where that is empty.
func saveCalendar(q flow.Queuer, p principal.Principal, hash string, until calendar.Day) {
	if hash == "" { // whoever keeps nothing here goes on keeping nothing
		q.Queue(`update calendar set token = null, until = $3::date where partner = $1 and mark = $2`, p.Organisation,
			p.Mark(), until.String())
		return
	}
	q.Queue(`insert into calendar (partner, mark, token, until) values ($1, $2, $3, $4::date)
		on conflict (partner, mark) do update set token = excluded.token, until = excluded.until`, p.Organisation,
		p.Mark(), hash, until.String())
}

// calendarOf queues the sessions of the partner whose worker has a token, from a day to another: those that are booked,
// and those that were called off, by whoever or whatever. It gives nil once where the token is somebody's, whatever
// there is. Without an agreement in force on the first day a token is nobody's.
func calendarOf(q flow.Queuer, hash string, from, until calendar.Day, now time.Time, each func(*ics.Entry)) {
	q.Queue(`select coalesce(a.id::text, ''), coalesce(a.offer::text, ''), coalesce(a.ended_at, a.booked_at, $4),
			coalesce(a.starts_at, $4), coalesce(a.minutes, 0), coalesce(a.state = 'cancelled', false)
		from calendar k left join lateral (
			select s.id, s.offer, s.ended_at, s.booked_at, s.starts_at, s.minutes, s.state
			from appointment s join offer o on o.id = s.offer
			where s.on_day between $2::date and $3::date and s.state in ('booked', 'cancelled')
			and o.partner::text = k.partner
		) a on true where k.token = $1 and k.until >= $2::date and exists (select from partner p where p.id::text = k.partner
			and $2::date between p.agreement_from and p.agreement_until) order by a.starts_at, a.id`, hash, from.String(),
		until.String(), now).Query(func(rows pgx.Rows) error {
		var e ics.Entry
		var id, offer string
		var minutes int
		_, err := pgx.ForEachRow(rows, []any{&id, &offer, &e.Changed, &e.Start, &minutes, &e.Cancelled}, func() error {
			if id == "" {
				each(nil)
				return nil
			}
			one := e
			one.ID, one.Alias, one.End = id, ics.Code(offer), e.Start.Add(time.Duration(minutes)*time.Minute)
			if e.Cancelled {
				one.Sequence = 1 // another time is another session
			}
			each(&one)
			return nil
		})
		return err
	})
}
