package followup

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// record is a journey's row with its open offer.
type record struct {
	flow.Row[JourneyState]
	Status Status
	Open   *Offer
}

var store = flow.Store[JourneyState, record]{
	Row: func(r *record) *flow.Row[JourneyState] { return &r.Row },
	New: func() *record { return &record{Status: Waiting} },
	Columns: []flow.Column[record]{
		flow.Col("organisation", "text", func(r *record) string { return r.State.Sender }),
		flow.Col("person", "text", func(r *record) string { return r.State.Person }),
		flow.Col("status", "text", func(r *record) string { return string(r.Status) }),
	},
	Select: "s.status",
	Into:   func(r *record) []any { return []any{&r.Status} },
	Read: func(q flow.Queuer, journeys []string, records map[string]*record) {
		q.Queue(`select id::text, journey::text, organisation, person, partner::text, visit, left_on::text, first_day::text,
				last_day::text, late, answer_by, consent, state
			from offer where journey = any($1::uuid[]) and ended_at is null`, journeys).
			Query(func(rows pgx.Rows) error { return scanOffers(rows, records) })
	},
}

func scanOffers(rows pgx.Rows, records map[string]*record) error {
	var o Offer
	var left, first, last string
	into := []any{&o.ID, &o.Journey, &o.Organisation, &o.Person, &o.Partner, &o.Visit, &left, &first, &last,
		&o.Window.Late, &o.AnswerBy, &o.Consent, &o.State}
	_, err := pgx.ForEachRow(rows, into, func() error {
		loaded := o
		for day, text := range map[*calendar.Day]string{&loaded.LeftOn: left, &loaded.Window.First: first, &loaded.Window.Last: last} {
			var err error
			if *day, err = calendar.ParseDay(text); err != nil {
				return fmt.Errorf("reading offer %s: %w", o.ID, err)
			}
		}
		if r, ok := records[o.Journey]; ok {
			r.Open = &loaded
		}
		return nil
	})
	return err
}

// endOffers queues that offers no longer stand. It comes before raiseOffers: one offer stands for a journey.
func endOffers(q flow.Queuer, offers []Offer, at time.Time) {
	if len(offers) == 0 {
		return
	}
	var ids, states, because []string
	for _, o := range offers {
		ids, states, because = append(ids, o.ID), append(states, o.State), append(because, o.Because)
	}
	q.Queue(`update offer o set state = n.state, because = n.because, ended_at = $4
		from unnest($1::uuid[], $2::text[], $3::text[]) as n(id, state, because) where o.id = n.id`,
		ids, states, because, at)
}

// renewConsents queues that the consent recorded on offers that stand has changed.
func renewConsents(q flow.Queuer, offers []Offer) {
	if len(offers) == 0 {
		return
	}
	var ids, consents []string
	for _, o := range offers {
		ids, consents = append(ids, o.ID), append(consents, o.Consent)
	}
	q.Queue(`update offer o set consent = n.consent from unnest($1::uuid[], $2::text[]) as n(id, consent)
		where o.id = n.id`, ids, consents)
}

// renewWindows queues that offers that stand have another window.
func renewWindows(q flow.Queuer, offers []Offer) {
	if len(offers) == 0 {
		return
	}
	var ids, lefts, firsts, lasts, consents []string
	var lates []bool
	var answers []time.Time
	for _, o := range offers {
		ids, lefts, firsts, lasts = append(ids, o.ID), append(lefts, o.LeftOn.String()), append(firsts, o.Window.First.String()), append(lasts, o.Window.Last.String())
		lates, answers, consents = append(lates, o.Window.Late), append(answers, o.AnswerBy), append(consents, o.Consent)
	}
	q.Queue(`update offer o set left_on = n.left_on::date, first_day = n.first_day::date, last_day = n.last_day::date, late = n.late,
			answer_by = n.answer_by, consent = n.consent
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::text[])
			as n(id, left_on, first_day, last_day, late, answer_by, consent)
		where o.id = n.id`, ids, lefts, firsts, lasts, lates, answers, consents)
}

// raiseOffers queues new offers.
func raiseOffers(q flow.Queuer, offers []Offer, at time.Time) {
	if len(offers) == 0 {
		return
	}
	var c struct {
		ids, journeys, organisations, people, partners, visits, lefts, firsts, lasts, consents []string
		lates                                                                                  []bool
		answers                                                                                []time.Time
	}
	for _, o := range offers {
		c.ids, c.journeys, c.organisations = append(c.ids, o.ID), append(c.journeys, o.Journey), append(c.organisations, o.Organisation)
		c.people, c.partners, c.visits = append(c.people, o.Person), append(c.partners, o.Partner), append(c.visits, o.Visit)
		c.lefts, c.firsts, c.lasts = append(c.lefts, o.LeftOn.String()), append(c.firsts, o.Window.First.String()), append(c.lasts, o.Window.Last.String())
		c.lates, c.answers, c.consents = append(c.lates, o.Window.Late), append(c.answers, o.AnswerBy), append(c.consents, o.Consent)
	}
	q.Queue(`insert into offer (id, journey, organisation, person, partner, visit, left_on, first_day, last_day, late,
			answer_by, consent, state, raised_at, because)
		select id, journey, organisation, person, partner, visit, left_on::date, first_day::date, last_day::date, late,
			answer_by, consent, 'raised', $13, ''
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::boolean[], $11::timestamptz[], $12::text[])
			as n(id, journey, organisation, person, partner, visit, left_on, first_day, last_day, late, answer_by, consent)`,
		c.ids, c.journeys, c.organisations, c.people, c.partners, c.visits, c.lefts, c.firsts, c.lasts, c.lates, c.answers, c.consents, at)
}

// keepPartners queues that these are partners. One that is gone from the list keeps its row, for its offers; New
// matches against its configuration only.
func keepPartners(q flow.Queuer, partners []Partner, organisations map[string]string) {
	partners = slices.SortedFunc(slices.Values(partners), func(a, b Partner) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range partners {
		q.Queue(`insert into partner (id, organisation, service, name, works, rank) values ($1::text::uuid, $2, $3, $4, $5, $6)
			on conflict (id) do update set organisation = excluded.organisation, service = excluded.service,
				name = excluded.name, works = excluded.works, rank = excluded.rank`,
			p.ID, organisations[p.ID], p.Service, p.Name, p.Works[:], p.Rank)
	}
}
