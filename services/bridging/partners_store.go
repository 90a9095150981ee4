package bridging

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// keepPartners queues how partners stand; what is older than what is known changes nothing.
func keepPartners(q flow.Queuer, events []flow.Event) error {
	for _, e := range events {
		d, err := flow.Decode[schemas.PartnerChangedData](e)
		if err != nil {
			return err
		}
		p := termsOf(d)
		away := []string{}
		for _, s := range p.away {
			away = append(away, s.first.String(), s.last.String())
		}
		q.Queue(`insert into partner (id, said, first_day, last_day, paused, away, live, invented)
			values ($1::text::uuid, $2, $3::text::date, $4::text::date, $5::text::date, $6::text[]::date[], $7, $8)
			on conflict (id) do update set said = excluded.said, first_day = excluded.first_day,
				last_day = excluded.last_day, paused = excluded.paused, away = excluded.away, live = excluded.live,
				invented = excluded.invented
			where partner.said < excluded.said`, p.id, flow.ReadSequence(e.Sequence), dateOf(p.first), dateOf(p.last),
			dateOf(p.paused), away, append([]string{}, p.live...), p.invented)
	}
	return nil
}

// dateOf is a day as the database reads it, nil for none.
func dateOf(day calendar.Day) *string {
	if day == 0 {
		return nil
	}
	text := day.String()
	return &text
}

// loadPartners queues the reading of how every partner stands, whoever asks: it decides what they may see.
func loadPartners(q flow.Queuer, _ principal.Principal, into *partners) {
	*into = partners{}
	q.Queue(`select id::text, first_day, last_day, paused, away, live, invented from partner`).
		Query(func(rows pgx.Rows) error {
			var p partnerTerms
			var first, last, paused *time.Time
			var away []time.Time
			_, err := pgx.ForEachRow(rows, []any{&p.id, &first, &last, &paused, &away, &p.live, &p.invented},
				func() error {
					one := p
					one.first, one.last, one.paused = dayOrNone(first), dayOrNone(last), dayOrNone(paused)
					one.away = nil
					for i := 0; i+1 < len(away); i += 2 {
						one.away = append(one.away, span{dayOrNone(&away[i]), dayOrNone(&away[i+1])})
					}
					(*into)[one.id] = one
					p.live, away = nil, nil
					return nil
				})
			return err
		})
}

func dayOrNone(date *time.Time) calendar.Day {
	if date == nil {
		return 0
	}
	return calendar.DayOf(*date, time.UTC)
}

// plansToGiveOn queues the journeys whose calls are with a partner that may not ring any more on a day or is away when
// they are due, and those that nobody may ring of whom a partner may that the person said yes to.
func plansToGiveOn(q flow.Queuer, today string, limit int, postponed []string, each func(journey string)) {
	q.Queue(`select journey::text from plan p where ended_at is null and team <> organisation
			and journey <> all($3::text[]::uuid[]) and not (may_ring(team, $1::date) and `+liveFor+`)
		union select journey::text from plan p where ended_at is null and because = 'nobody-rings'
			and journey <> all($3::text[]::uuid[]) and exists (select from partner t where `+mayBeTaken+`
			and $1::date between t.first_day and t.last_day and coalesce(t.paused < $1::date, true)
			and (t.invented or p.organisation = any(t.live)) and not gone_long(t.away, $1::date))
		union select c.journey::text from partner t, generate_series(1, cardinality(t.away), 2) i, call c
			where c.team = t.id::text and c.ended_at is null and c.journey <> all($3::text[]::uuid[])
			and c.on_day between greatest(t.away[i], $1::date) and t.away[i + 1]
			and c.due_at between greatest(t.away[i], $1::date) - 1 and t.away[i + 1] + 2
		order by 1 limit $2`, today, limit, postponed).Query(func(rows pgx.Rows) error {
		var journey string
		_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { each(journey); return nil })
		return err
	})
}

// liveFor says whether outward sending is on for the organisation of plan p, where its team is a partner, and that the
// partner is not away for long.
const liveFor = `not exists (select from partner t where t.id::text = p.team
	and (gone_long(t.away, $1::date) or not (t.invented or p.organisation = any(t.live))))`

// mayBeTaken says whether partner t is one whom the person's yes lets ring for plan p, of those that teamOf asks: by
// its name, or, where the yes is to any, as it was agreed with them.
const mayBeTaken = `(t.id::text = any(p.callers) or p.callers = '{}' and t.id::text =
		(select s.known #>> '{agreed,team}' from journey_state s where s.journey = p.journey))
	and not t.id::text = any(p.not_callers) and not '` + schemas.Everybody + `' = any(p.not_callers)`
