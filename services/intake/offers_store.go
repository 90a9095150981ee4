package intake

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/intake/record"
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
	q.Queue(`update journey j set exhausted = t.at from unnest($1::uuid[], $2::bigint[]) as t(id, at) where j.id = t.id
		and j.exhausted < t.at`, journeys, at)
}

const offerColumns = `id::text, journey::text, partner, accepted, turn, coalesce(agreement_until::text, ''), agreed, ended, coalesce(completed_on::text, '')`

func scanOffers(rows pgx.Rows, each func(record.Offer)) error {
	var o record.Offer
	_, err := pgx.ForEachRow(rows, []any{&o.ID, &o.Journey, &o.Partner, &o.Accepted, &o.Transition, &o.AgreementUntil,
		&o.Agreed, &o.Ended, &o.CompletedOn}, func() error {
		each(o)
		return nil
	})
	return err
}

func lockOffers(tx *flow.Tx, all []offerChange) (map[string]*record.Offer, error) {
	var journeys, ids []string
	for _, said := range all {
		journeys, ids = append(journeys, said.Journey), append(ids, said.ID)
	}
	known := map[string]*record.Offer{}
	tx.Queue(`select 1 from journey where id = any($1::uuid[]) order by id for update`, journeys)
	tx.Queue(`select `+offerColumns+` from partner_offer where id = any($1::uuid[]) order by id for update`,
		ids).Query(func(rows pgx.Rows) error {
		return scanOffers(rows, func(o record.Offer) { known[o.ID] = &o })
	})
	return known, tx.Flush()
}

func storeOffer(q queuer, o record.Offer) {
	q.Queue(`insert into partner_offer (id, journey, partner, accepted, turn, agreement_until, agreed, ended,
		completed_on)
		values ($1, $2, $3, $4, $5, nullif($6, '')::date, $7, $8, nullif($9, '')::date)
		on conflict (id) do update set partner = excluded.partner, accepted = excluded.accepted, turn = excluded.turn,
			agreement_until = excluded.agreement_until, agreed = excluded.agreed, ended = excluded.ended, completed_on
			= excluded.completed_on`,
		o.ID, o.Journey, o.Partner, o.Accepted, o.Transition, o.AgreementUntil, o.Agreed, o.Ended, o.CompletedOn)
}

// storePartnerTerms queues from when until when a partner may be told anything; what is older than what is known
// changes nothing.
func storePartnerTerms(q queuer, at int64, d schemas.PartnerChangedData) {
	q.Queue(`insert into partner_terms (partner, said, first_day, last_day)
		values ($1, $2, nullif($3, '')::date, nullif($4, '')::date)
		on conflict (partner) do update set said = excluded.said, first_day = excluded.first_day,
			last_day = excluded.last_day where partner_terms.said < excluded.said`, d.Partner, at, d.AgreementFrom,
		d.AgreementUntil)
}

// loadOffers reads, under the journey's lock, what decides whether a partner may read: its offers, the agreements
// with them and with the organisation that asks, and how the journey and the person stand now.
func (sub *subjectOf) loadOffers(tx *flow.Tx, organisation string) (standing record.AccessState,
	offers []record.Offer, err error) {
	tx.Queue(`select state, closed_turn, answered_upto, exhausted from journey where id = $1::uuid for update`,
		sub.Journey).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&standing.State, &standing.ClosedTransition, &standing.AnsweredUpTo, &standing.Exhausted)
		})
	standing.Yes = map[string]int64{}
	tx.Queue(`select towards, told from yes_told where journey = $1::uuid`,
		sub.Journey).Query(func(rows pgx.Rows) error {
		var towards string
		var told int64
		_, err := pgx.ForEachRow(rows, []any{&towards, &told},
			func() error { standing.Yes[towards] = told; return nil })
		return err
	})
	tx.Queue(`select not exists (select 1 from visit where journey = $1::uuid and not coalesce(withdrawn, false))`,
		sub.Journey).
		QueryRow(func(row pgx.Row) error { return row.Scan(&standing.Cancelled) })
	tx.Queue(`select `+offerColumns+` from partner_offer where journey = $1::uuid order by id`,
		sub.Journey).Query(func(rows pgx.Rows) error {
		return scanOffers(rows, func(o record.Offer) { offers = append(offers, o) })
	})
	standing.Agreements = map[string]record.Agreement{}
	tx.Queue(`select partner, coalesce(first_day::text, ''), coalesce(last_day::text, '') from partner_terms
		where partner = $2 or partner in (select partner from partner_offer where journey = $1::uuid)`, sub.Journey,
		organisation).Query(func(rows pgx.Rows) error {
		var partner string
		var a record.Agreement
		_, err := pgx.ForEachRow(rows, []any{&partner, &a.First, &a.Last},
			func() error { standing.Agreements[partner] = a; return nil })
		return err
	})
	if err := tx.Flush(); err != nil {
		return record.AccessState{}, nil, err
	}
	standing.Stopped, standing.Waits = sub.Stopped, sub.waits
	return standing, offers, nil
}

// shownBy are the journey's offers by which a partner looks at who the person is for the first time; from now on it is
// not. The journey is locked.
func (sub *subjectOf) shownBy(tx *flow.Tx, partner string) (offers []string, err error) {
	tx.Queue(`update partner_offer set shown = true where journey = $1::uuid and partner = $2 and accepted > 0
		and not ended and not shown returning id::text`, sub.Journey, partner).
		Query(func(rows pgx.Rows) (err error) {
			offers, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	return offers, tx.Flush()
}

// partnersOwn is the id under which a partner knows the person: it is made at the first look, and tells nobody else
// anything.
func (sub *subjectOf) partnersOwn(tx *flow.Tx, partner string) (id string, err error) {
	tx.Queue(`insert into partner_person (partner, person, id) values ($1, $2, gen_random_uuid())
		on conflict do nothing`, partner, sub.Person)
	tx.Queue(`select id::text from partner_person where partner = $1 and person = $2::uuid`, partner, sub.Person).
		QueryRow(func(row pgx.Row) error { return row.Scan(&id) })
	return id, tx.Flush()
}

// storeClosings queues what was closed, and the answers that were known then: the greatest of each counts, in whatever
// order they are heard.
func storeClosings(q queuer, closed map[string]closing) {
	journeys := slices.Sorted(maps.Keys(closed))
	if len(journeys) == 0 {
		return
	}
	var turns, answered []int64
	for _, journey := range journeys {
		turns, answered = append(turns, closed[journey].turn), append(answered, closed[journey].answeredUpTo)
	}
	q.Queue(`select 1 from journey where id = any($1::uuid[]) order by id for update`, journeys)
	q.Queue(`update journey j set closed_turn = greatest(closed_turn, t.turn), answered_upto = greatest(answered_upto,
		t.answered)
		from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as t(id, turn, answered)
		where j.id = t.id and (closed_turn < t.turn or answered_upto < t.answered)`, journeys, turns, answered)
}

// yesTold is with which sequence a yes to follow-up was told last, by journey and whom it is to.
type yesTold map[[2]string]int64

// note keeps that an event is told, if it is such a yes.
func (y yesTold) note(kind schemas.Type, journey string, sequence int64, data any) {
	d, ok := data.(schemas.ConsentData)
	if kept, is := data.(*schemas.ConsentData); is {
		d, ok = *kept, true
	}
	if !ok || kind != schemas.ConsentGiven || !slices.Contains(d.Purposes, schemas.PurposeFollowUp) {
		return
	}
	to := [2]string{journey, d.Organisation}
	y[to] = max(y[to], sequence)
}

// store queues what was noted; an earlier word changes nothing.
func (y yesTold) store(q queuer) {
	if len(y) == 0 {
		return
	}
	var journeys, towards []string
	var told []int64
	for _, to := range slices.SortedFunc(maps.Keys(y), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		journeys, towards, told = append(journeys, to[0]), append(towards, to[1]), append(told, y[to])
	}
	q.Queue(`insert into yes_told (journey, towards, told) select journey, towards, told
		from unnest($1::uuid[], $2::text[], $3::bigint[]) as t(journey, towards, told)
		on conflict (journey, towards) do update set told = excluded.told where yes_told.told < excluded.told`,
		journeys, towards, told)
}
