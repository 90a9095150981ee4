package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// record is a journey's row.
type record struct {
	flow.Row[JourneyState]
	untold []string // offers of which it was said in this transaction that something did not come
}

var store = flow.Store[JourneyState, record]{Row: func(r *record) *flow.Row[JourneyState] { return &r.Row }}

// entry is one event for a partner's log, with its id. TellBy is until when it has to have come to a partner that has
// an endpoint for it; nil where its offer says so, or its partner did it itself.
type entry struct {
	Telling
	ID, Journey string
	TellBy      *time.Time
	News        *schemas.ReferralNewsData // to a referrer; nil to a partner
}

// envelope is a CloudEvent 1.0 as a partner gets it. sequence is its position in the partner's log.
type envelope struct {
	SpecVersion string                   `json:"specversion"`
	ID          string                   `json:"id"`
	Source      string                   `json:"source"`
	Type        schemas.Type             `json:"type"`
	Subject     string                   `json:"subject"`
	Time        time.Time                `json:"time"`
	Schema      string                   `json:"dataschema"`
	Ref         string                   `json:"dataref"`
	Sequence    string                   `json:"sequence"`
	ContentType string                   `json:"datacontenttype"`
	Data        schemas.PartnerOfferData `json:"data"`
}

// referralEvent is a CloudEvent 1.0 as a referrer gets it. sequence is its position in its organisation's log.
type referralEvent struct {
	SpecVersion string                   `json:"specversion"`
	ID          string                   `json:"id"`
	Source      string                   `json:"source"`
	Type        schemas.Type             `json:"type"`
	Subject     string                   `json:"subject"`
	Time        time.Time                `json:"time"`
	Schema      string                   `json:"dataschema"`
	Sequence    string                   `json:"sequence"`
	ContentType string                   `json:"datacontenttype"`
	Data        schemas.ReferralNewsData `json:"data"`
}

// event is what leaves, without its position.
func (e entry) event(at time.Time) any {
	if e.News != nil {
		return referralEvent{"1.0", e.ID, schemas.PartnerSource, e.Type, e.Journey, at,
			schemas.ReferralSchema, hole, "application/json", *e.News}
	}
	return envelope{"1.0", e.ID, schemas.PartnerSource, e.Type, e.Offer, at, schemas.PartnerSchema,
		"/api/offers/" + e.Offer, hole, "application/json", e.Data}
}

// hole is where the position goes into an event, which is known once the partner's row is locked.
const hole = "\x1a"

// body writes an event as it will leave, in two parts: what comes before its position, and what comes after.
func (e entry) body(at time.Time) (before, after string, err error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e.event(at)); err != nil {
		return "", "", err
	}
	escaped := []byte(`\u001a`)
	first, rest, found := bytes.Cut(bytes.TrimSpace(text.Bytes()), escaped)
	if !found || bytes.Contains(rest, escaped) {
		return "", "", fmt.Errorf("writing event %s for a partner: there is no place for its position", e.ID)
	}
	return string(first), string(rest), nil
}

// appendEvents queues events at the end of their partners' logs. Partners are locked in the order of their ids; a
// position is given out under its partner's row, so that positions have no gap and are in the order of commits.
func appendEvents(q flow.Queuer, entries []entry, at time.Time) error {
	if len(entries) == 0 {
		return nil
	}
	var c struct {
		partners, ids, journeys, offers, types, areas, before, after []string
		asks, byYes                                                  []bool
		places                                                       []int
		by                                                           []*time.Time
	}
	for i, e := range entries {
		before, after, err := e.body(at)
		if err != nil {
			return err
		}
		c.partners, c.ids, c.journeys, c.offers = append(c.partners, e.Partner), append(c.ids, e.ID),
			append(c.journeys, e.Journey), append(c.offers, e.Offer)
		c.types, c.before, c.after = append(c.types, string(e.Type)), append(c.before, before), append(c.after, after)
		c.areas = append(c.areas, e.Area)
		c.byYes = append(c.byYes, e.News != nil && schemas.ByYes(e.News.State))
		c.asks, c.places, c.by = append(c.asks, e.Asks), append(c.places, i), append(c.by, e.TellBy)
	}
	q.Queue(`with n as materialized (
			select partner, id, journey, offer, type, area, before, after, asks, by_yes, tell_by,
				row_number() over (partition by partner order by place) as nth, count(*) over (partition by partner) as
				many
			from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
			$8::boolean[], $9::integer[], $11::timestamptz[], $13::text[], $14::boolean[])
				as t(partner, id, journey, offer, type, before, after, asks, place, tell_by, area, by_yes)
		), locked as (
			insert into partner as p (id, last) select partner, count(*) from n group by partner order by partner
			on conflict (id) do update set last = p.last + excluded.last returning id, last
		), placed as (
			select n.*, l.last - n.many + n.nth as position from n join locked l on l.id = n.partner
		)
		insert into partner_event (id, partner, position, journey, offer, type, area, by_yes, body, asks, at, tell_by)
		select id, partner, position, journey, offer, type, area, by_yes,
			convert_to(before || lpad(position::text, 16, '0') || after, 'UTF8'), asks, $10,
			case when exists (select from subscription s where s.partner = placed.partner and s.state <> 'ended'
				and (s.types = '{}' or placed.type = any(s.types))
				and (s.areas = '{}' or placed.area = '' or placed.area = any(s.areas)))
			or exists (select from notice m where m.partner = placed.partner and m.by = 'email' and not m.digest
				and (placed.asks or placed.type = any($12))) then tell_by end from placed`,
		c.partners, c.ids, c.journeys, c.offers, c.types, c.before, c.after, c.asks, c.places, at, c.by,
		mailedChanges(), c.areas, c.byYes)
	return nil
}

// withholdEvents queues that what asks for something about these offers and was not given out yet is not given out: its
// place in the log keeps its id and position, and says that something was taken back.
func withholdEvents(q flow.Queuer, offers []string) {
	if len(offers) == 0 {
		return
	}
	q.Queue(`with taken as materialized (
			select id from partner_event where offer = any($1::uuid[]) and given_at is null and asks
			order by partner, position for no key update
		)
		update partner_event e set type = $2, asks = false, withheld = true,
			body = convert_to((convert_from(body, 'UTF8')::jsonb || jsonb_build_object('type', $2::text,
				'data', jsonb_build_object('offer', offer::text, 'state', $3::text)))::text, 'UTF8')
		from taken t where e.id = t.id and e.given_at is null`, offers, string(schemas.OfferWithheld),
		schemas.StateOver)
}

// withholdNews queues that what referrers may not be told any more, and was not given out yet, is not given out.
func withholdNews(q flow.Queuer, all []unsaid) {
	if len(all) == 0 {
		return
	}
	var offers, logs []string
	var whole []bool
	for _, one := range all {
		offers, logs, whole = append(offers, one.offer), append(logs, one.log), append(whole, one.all)
	}
	q.Queue(`with taken as materialized (
			select e.id from partner_event e join unnest($1::uuid[], $2::uuid[], $3::boolean[]) as n(offer, log, whole)
				on e.offer = n.offer and e.partner = n.log and (n.whole or e.by_yes)
			where e.given_at is null and not e.withheld order by e.partner, e.position for no key update of e
		)
		update partner_event e set type = $4, withheld = true,
			body = convert_to((convert_from(body, 'UTF8')::jsonb || jsonb_build_object('type', $4::text,
				'data', jsonb_build_object('referral', journey::text, 'state', $5::text)))::text, 'UTF8')
		from taken t where e.id = t.id and e.given_at is null`, offers, logs, whole, string(schemas.ReferralWithheld),
		schemas.NewsWithheld)
}

// offerRow says by when an offer has to have come to its partner; nil where it has, or nothing is asked any more.
type offerRow struct {
	ID, Journey, Partner string
	ToldAt               time.Time
	TellBy               *time.Time
}

// saveOffers queues how offers stand; until when one has to have come is not put off by what is told of it later.
func saveOffers(q flow.Queuer, offers []offerRow) {
	if len(offers) == 0 {
		return
	}
	var ids, journeys, partners []string
	var told []time.Time
	var by []*time.Time
	for _, o := range offers {
		ids, journeys, partners = append(ids, o.ID), append(journeys, o.Journey), append(partners, o.Partner)
		told, by = append(told, o.ToldAt), append(by, o.TellBy)
	}
	q.Queue(`insert into offer as o (id, journey, partner, told_at, tell_by)
		select id, journey, partner, told_at, tell_by from unnest($1::uuid[], $2::uuid[], $3::uuid[],
		$4::timestamptz[], $5::timestamptz[])
			as n(id, journey, partner, told_at, tell_by) order by id
		on conflict (id) do update set tell_by = case when excluded.tell_by is null then null
		else coalesce(o.tell_by, excluded.tell_by) end`,
		ids, journeys, partners, told, by)
}

// untoldOffers queues the finding of offers that have not come to their partners in time, the longest ago first; aside
// are journeys that are left out.
func untoldOffers(q flow.Queuer, now time.Time, limit int, aside []string, each func(offer, journey string)) {
	q.Queue(`select id::text, journey::text from offer where tell_by <= $1 and not journey::text = any($3)
		order by tell_by, id limit $2`, now, limit, aside).
		Query(func(rows pgx.Rows) error { return rowsOf(rows, each) })
}

// toldOffers queues that nobody waits any more for these offers to come.
func toldOffers(q flow.Queuer, ids []string) {
	q.Queue(`update offer set tell_by = null where id = any($1::uuid[]) and tell_by is not null`, ids)
}

// lateEvents queues the finding of events whose time to come to their partners is over, the longest ago first, with
// whether each has come: by an endpoint, or by the feed or the stream; aside are journeys that are left out.
func lateEvents(q flow.Queuer, now time.Time, limit int, aside []string, each func(event, offer, journey string,
	came bool)) {
	q.Queue(`select e.id::text, e.offer::text, e.journey::text, e.withheld or p.taken >= e.position
			or exists (select from outgoing o where o.event = e.id and o.state = 'delivered')
			or exists (select from mail m where m.event = e.id and m.state <> 'waiting' and m.outcome <> $4)
		from partner_event e join partner p on p.id = e.partner
		where e.tell_by <= $1 and not e.journey::text = any($3) order by e.tell_by, e.id limit $2`, now, limit, aside,
		mailLeft).
		Query(func(rows pgx.Rows) error {
			var event, offer, journey string
			var came bool
			_, err := pgx.ForEachRow(rows, []any{&event, &offer, &journey, &came}, func() error {
				each(event, offer, journey, came)
				return nil
			})
			return err
		})
}

// lookedAt queues that nobody waits any more for these events to come.
func lookedAt(q flow.Queuer, events []string) {
	q.Queue(`update partner_event set tell_by = null where id = any($1::uuid[]) and tell_by is not null`, events)
}
