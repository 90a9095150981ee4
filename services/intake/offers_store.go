package intake

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
)

func storeExhausted(q queuer, exhausted map[string]int64) {
	journeys := slices.Sorted(maps.Keys(exhausted))
	if len(journeys) == 0 {
		return
	}
	var at []int64
	for _, journey := range journeys {
		at = append(at, exhausted[journey])
	}
	q.Queue(`select 1 from journey where id = any($1::uuid[]) order by id for update`, journeys)
	q.Queue(`update journey j set exhausted = t.at from unnest($1::uuid[], $2::bigint[]) as t(id, at) where j.id = t.id and j.exhausted < t.at`, journeys, at)
}

const offerColumns = `id::text, journey::text, partner, accepted, accepted_at, coalesce(agreement_until::text, ''), agreed, ended, coalesce(completed_on::text, '')`

func scanOffers(rows pgx.Rows, each func(Offer)) error {
	var o Offer
	var at *time.Time
	_, err := pgx.ForEachRow(rows, []any{&o.ID, &o.Journey, &o.Partner, &o.Accepted, &at, &o.AgreementUntil, &o.Agreed, &o.Ended, &o.CompletedOn}, func() error {
		one := o
		if one.AcceptedAt = (time.Time{}); at != nil {
			one.AcceptedAt = at.UTC()
		}
		each(one)
		return nil
	})
	return err
}

func lockOffers(tx *flow.Tx, all []offerSaid) (map[string]*Offer, error) {
	var journeys, ids []string
	for _, said := range all {
		journeys, ids = append(journeys, said.Journey), append(ids, said.ID)
	}
	known := map[string]*Offer{}
	tx.Queue(`select 1 from journey where id = any($1::uuid[]) order by id for update`, journeys)
	tx.Queue(`select `+offerColumns+` from partner_offer where id = any($1::uuid[]) order by id for update`, ids).Query(func(rows pgx.Rows) error {
		return scanOffers(rows, func(o Offer) { known[o.ID] = &o })
	})
	return known, tx.Flush()
}

func storeOffer(q queuer, o Offer) {
	var at *time.Time
	if o.Accepted > 0 {
		at = &o.AcceptedAt
	}
	q.Queue(`insert into partner_offer (id, journey, partner, accepted, accepted_at, agreement_until, agreed, ended, completed_on)
		values ($1, $2, $3, $4, $5, nullif($6, '')::date, $7, $8, nullif($9, '')::date)
		on conflict (id) do update set partner = excluded.partner, accepted = excluded.accepted, accepted_at = excluded.accepted_at,
			agreement_until = excluded.agreement_until, agreed = excluded.agreed, ended = excluded.ended, completed_on = excluded.completed_on`,
		o.ID, o.Journey, o.Partner, o.Accepted, at, o.AgreementUntil, o.Agreed, o.Ended, o.CompletedOn)
}

// loadOffers reads, under the journey's lock, what decides whether a partner may read: its offers and how the journey and
// the person stand now.
func (sub *subjectOf) loadOffers(tx *flow.Tx) (standing Standing, offers []Offer, err error) {
	var closed *time.Time
	tx.Queue(`select state, closed_at, exhausted from journey where id = $1::uuid for update`, sub.Journey).
		QueryRow(func(row pgx.Row) error { return row.Scan(&standing.State, &closed, &standing.Exhausted) })
	tx.Queue(`select not exists (select 1 from visit where journey = $1::uuid and not coalesce(withdrawn, false))`, sub.Journey).
		QueryRow(func(row pgx.Row) error { return row.Scan(&standing.Cancelled) })
	tx.Queue(`select `+offerColumns+` from partner_offer where journey = $1::uuid order by id`, sub.Journey).Query(func(rows pgx.Rows) error {
		return scanOffers(rows, func(o Offer) { offers = append(offers, o) })
	})
	if err := tx.Flush(); err != nil {
		return Standing{}, nil, err
	}
	if closed != nil {
		standing.ClosedAt = *closed
	}
	standing.Stopped, standing.Waits = sub.Stopped, sub.waits
	return standing, offers, nil
}

// partnersOwn is the id under which a partner knows the person: it is made at the first look, and tells nobody else anything.
func (sub *subjectOf) partnersOwn(tx *flow.Tx, partner string) (id string, err error) {
	tx.Queue(`insert into partner_person (partner, person, id) values ($1, $2, gen_random_uuid()) on conflict do nothing`, partner, sub.Person)
	tx.Queue(`select id::text from partner_person where partner = $1 and person = $2::uuid`, partner, sub.Person).
		QueryRow(func(row pgx.Row) error { return row.Scan(&id) })
	return id, tx.Flush()
}

// storeClosings queues when journeys were last closed.
func storeClosings(q queuer, closed []closing) {
	newest := map[string]time.Time{}
	for _, c := range closed {
		if c.at.After(newest[c.id]) {
			newest[c.id] = c.at
		}
	}
	if len(newest) == 0 {
		return
	}
	journeys := slices.Sorted(maps.Keys(newest))
	var at []time.Time
	for _, journey := range journeys {
		at = append(at, newest[journey])
	}
	q.Queue(`select 1 from journey where id = any($1::uuid[]) order by id for update`, journeys)
	q.Queue(`update journey j set closed_at = t.at from unnest($1::uuid[], $2::timestamptz[]) as t(id, at)
		where j.id = t.id and (j.closed_at is null or j.closed_at < t.at)`, journeys, at)
}
