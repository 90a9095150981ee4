package followup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
)

// queuer is the part of flow.Tx that the store uses: statements queued here go in the caller's next round trip.
type queuer interface {
	Queue(sql string, args ...any) *flow.Query
}

// record is a journey's row with its open offer, locked by the transaction that loaded it.
type record struct {
	Journey     string
	Status      Status
	Version     int64
	Known       Known
	Correlation string
	Open        *Offer
	fresh       bool // has no row yet
}

// load queues the locking of journeys, in id order, and fills the map that it returns when the round trip is done.
// A journey that is not known yet gets a fresh record: of two transactions that hear of it first at the same time, the
// second cannot store its row and is done again. Event handlers act for the system itself, so no principal narrows what
// they see.
func load(q queuer, journeys []string) map[string]*record {
	records := make(map[string]*record, len(journeys))
	if len(journeys) == 0 {
		return records
	}
	for _, journey := range journeys {
		records[journey] = &record{Journey: journey, Status: Waiting, fresh: true}
	}
	q.Queue(`select journey::text, status, version, known::text, correlation
		from journey_state where journey = any($1::uuid[]) order by journey_state.journey for update`, journeys).
		Query(func(rows pgx.Rows) error { return scanRecords(rows, records) })
	q.Queue(`select id::text, journey::text, organisation, person, partner::text, visit, left_on::text, first_day::text,
			last_day::text, late, answer_by, consent, state
		from offer where journey = any($1::uuid[]) and ended_at is null`, journeys).
		Query(func(rows pgx.Rows) error { return scanOffers(rows, records) })
	return records
}

func scanRecords(rows pgx.Rows, records map[string]*record) error {
	var r record
	var known string
	_, err := pgx.ForEachRow(rows, []any{&r.Journey, &r.Status, &r.Version, &known, &r.Correlation}, func() error {
		loaded := r
		if err := json.Unmarshal([]byte(known), &loaded.Known); err != nil {
			return fmt.Errorf("reading what is known of journey %s: %w", r.Journey, err)
		}
		records[r.Journey] = &loaded
		return nil
	})
	return err
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

// saveRecords queues the new state of journeys.
func saveRecords(q queuer, records []*record) error {
	if len(records) == 0 {
		return nil
	}
	var c struct {
		journeys, organisations, people, statuses, known, correlations []string
		versions                                                       []int64
		fresh                                                          []bool
	}
	for _, r := range records {
		known, err := json.Marshal(r.Known)
		if err != nil {
			return fmt.Errorf("writing what is known of journey %s: %w", r.Journey, err)
		}
		c.journeys, c.organisations, c.people = append(c.journeys, r.Journey), append(c.organisations, r.Known.Sender), append(c.people, r.Known.Person)
		c.statuses, c.known = append(c.statuses, string(r.Status)), append(c.known, string(known))
		c.versions, c.correlations = append(c.versions, r.Version), append(c.correlations, r.Correlation)
		c.fresh = append(c.fresh, r.fresh)
	}
	q.Queue(`with n as materialized (
			select journey, organisation, person, status, version, known::jsonb, correlation, fresh
			from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bool[])
				as t(journey, organisation, person, status, version, known, correlation, fresh)
		), added as (
			insert into journey_state (journey, organisation, person, status, version, known, correlation)
			select journey, organisation, person, status, version, known, correlation from n where fresh
		)
		update journey_state s
		set organisation = n.organisation, person = n.person, status = n.status, version = n.version, known = n.known, correlation = n.correlation
		from n where s.journey = n.journey and not n.fresh`,
		c.journeys, c.organisations, c.people, c.statuses, c.versions, c.known, c.correlations, c.fresh)
	return nil
}

// endOffers queues that offers no longer stand. It comes before raiseOffers: one offer stands for a journey.
func endOffers(q queuer, offers []Offer, at time.Time) {
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
func renewConsents(q queuer, offers []Offer) {
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
func renewWindows(q queuer, offers []Offer) {
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
func raiseOffers(q queuer, offers []Offer, at time.Time) {
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
func keepPartners(q queuer, partners []Partner, organisations map[string]string) {
	partners = slices.SortedFunc(slices.Values(partners), func(a, b Partner) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range partners {
		q.Queue(`insert into partner (id, organisation, service, name, works, rank) values ($1::text::uuid, $2, $3, $4, $5, $6)
			on conflict (id) do update set organisation = excluded.organisation, service = excluded.service,
				name = excluded.name, works = excluded.works, rank = excluded.rank`,
			p.ID, organisations[p.ID], p.Service, p.Name, p.Works[:], p.Rank)
	}
}
