package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// logState is how far a partner's log goes: its incarnation, its last position, and the first that is kept (0: nothing
// is).
type logState struct{ Incarnation, Last, First int64 }

// readLog queues how far the asking partner's log goes.
func readLog(q flow.Queuer, who principal.Principal, into *logState) {
	q.Queue(`select (select number from incarnation), coalesce((select last from partner where id::text = $1), 0),
			coalesce((select position from partner_event where partner::text = $1 and partner = $1::text::uuid
			order by position limit 1), 0)`, who.Organisation).
		QueryRow(func(row pgx.Row) error { return row.Scan(&into.Incarnation, &into.Last, &into.First) })
}

// logged is an event of a partner's log.
type logged struct {
	Position int64
	ID       string
	Type     string
	Body     []byte
}

// giveOut queues the next events of the asking partner's log after a position, in order, and notes that they are given
// out: from then on each keeps its bytes.
func giveOut(q flow.Queuer, who principal.Principal, after int64, limit int, now time.Time, each func(logged)) {
	q.Queue(`with next as materialized (
			select id from partner_event where partner = $1::text::uuid and position > $2 order by position
			limit $3 for no key update
		)
		update partner_event e set given_at = $4 from next where e.id = next.id and e.given_at is null`,
		who.Organisation, after, limit, now)
	q.Queue(`select position, id::text, type, body from partner_event where partner = $1::text::uuid and position > $2
		and given_at is not null
		order by position limit $3`, who.Organisation, after, limit).
		Query(func(rows pgx.Rows) error {
			var l logged
			_, err := pgx.ForEachRow(rows, []any{&l.Position, &l.ID, &l.Type, &l.Body}, func() error {
				each(logged{l.Position, l.ID, l.Type, append([]byte{}, l.Body...)})
				return nil
			})
			return err
		})
}

// given is one thing that a partner was told.
type given struct {
	Position int64     `json:"position"`
	Type     string    `json:"type"`
	Offer    string    `json:"offer"`
	GivenAt  time.Time `json:"givenAt"`
}

// givenTo queues what the asking partner was told before a position, the newest first. What has not been given out is
// not in it: it may be taken back yet.
func givenTo(q flow.Queuer, who principal.Principal, before int64, limit int, into *[]given) {
	q.Queue(`select position, type, offer::text, given_at from partner_event where partner = $1::text::uuid and
		position < $2 and given_at is not null order by position desc limit $3`, who.Organisation, before, limit).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[given])
			return err
		})
}

// toldPartners queues what the partners of these offers were told of them before an event, the newest first, by members
// and by the ways that it is known to have come. Who may read it, mayRead has said. A digest is of all that was there
// when it went.
func toldPartners(q flow.Queuer, _ principal.Principal, of map[string]*Offer, before string, limit int,
	each func(partnerTold)) {
	var offers, partners []string
	for id, o := range of {
		if o.Partner != "" {
			offers, partners = append(offers, id), append(partners, o.Partner)
		}
	}
	q.Queue(`select e.id::text, e.partner::text, e.offer::text, e.type, e.given_at,
			array(select jsonb_object_keys(convert_from(e.body, 'UTF8')::jsonb -> 'data') order by 1),
			array_remove(array[
				case when exists (select from mail m where m.event = e.id and m.sent_at is not null)
					or exists (select from mail m where m.partner = e.partner and m.kind = 'digest'
						and m.position < e.position and m.sent_at >= e.at) then 'email' end,
				case when exists (select from broker_cursor b where b.partner = e.partner
					and b.acknowledged >= e.position) then 'broker' end,
				case when exists (select from partner p where p.id = e.partner and p.taken >= e.position)
					then 'feed' end,
				case when exists (select from outgoing o where o.event = e.id and o.state = 'delivered')
					then 'webhook' end], null)
		from partner_event e join unnest($1::uuid[], $2::uuid[]) as n(offer, partner)
			on e.offer = n.offer and e.partner = n.partner -- what referrers were told of it is not among it
		where e.given_at is not null and e.id < $3::text::uuid order by e.id desc limit $4`, offers, partners, before,
		limit).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one partnerTold, err error) {
				err = row.Scan(&one.id, &one.Partner, &one.Offer, &one.Type, &one.GivenAt, &one.Shows, &one.Ways)
				return one, err
			})
			for _, one := range all {
				each(one)
			}
			return err
		})
}

// takenBy queues that the asking partner has everything up to a position. It comes after the events of the log, which
// whoever writes to the log locks before the partner.
func takenBy(q flow.Queuer, who principal.Principal, position int64) {
	q.Queue(`update partner set taken = $2 where id::text = $1 and taken < $2`, who.Organisation, position)
}

// takenUpTo queues the offers that the asking partner has taken by having come to a position, and that had not come to
// it yet.
func takenUpTo(q flow.Queuer, who principal.Principal, position int64, each func(offer, journey string)) {
	q.Queue(`select distinct o.id::text, o.journey::text from offer o join partner_event e on e.offer = o.id
		and e.partner = o.partner
		where o.partner = $1::text::uuid and o.tell_by is not null and e.position <= $2 and e.asks
		and e.given_at is not null`, who.Organisation, position).
		Query(func(rows pgx.Rows) error { return rowsOf(rows, each) })
}
