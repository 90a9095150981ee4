package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/flow"
)

func affected(count *int64) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		*count = tag.RowsAffected()
		return nil
	}
}

// behind queues endpoints that have not taken all of their partner's log, with a lock that nobody else holds, longest
// unserved first. What comes for one that rests stays in the log meanwhile.
func behind(q flow.Queuer, limit int, now time.Time, each func(subscription string)) {
	q.Queue(`select s.id::text from subscription s join partner p on p.id = s.partner
		where s.state = 'active' and s.taken < p.last and s.next_at <= $3
			and (select count(*) from (select from outgoing o where o.subscription = s.id and o.state = 'waiting'
			limit $2) w) < $2
		order by s.taken - p.last limit $1 for no key update of s skip locked`, limit, mostWaiting, now).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { each(id); return nil })
			return err
		})
}

// takeOut queues that endpoints, which are locked, take the next events of their partners' logs.
func takeOut(q flow.Queuer, ids []string, limit int, now time.Time) {
	q.Queue(`with next as materialized (
			select s.id as subscription, s.types, s.areas, e.* from subscription s cross join lateral (
				select id as event, partner, position, journey, offer, type, area, withheld from partner_event
				where partner = s.partner and position > s.taken order by position limit $2) e
			where s.id = any($1::uuid[])
		), moved as (
			update subscription s set taken = m.upto from (select subscription, max(position) as upto from next
			group by subscription) m where s.id = m.subscription
		)
		insert into outgoing (event, subscription, partner, position, journey, offer, type, state, first_at, due_at)
		select event, subscription, partner, position, journey, offer, type, 'waiting', $3, $3 from next
		where (types = '{}' or type = any(types) or withheld) and (areas = '{}' or area = '' or area = any(areas))
		on conflict (event, subscription) do nothing`, ids, limit, now)
}

// addTest queues a test for an endpoint: about nobody, in no log.
func addTest(q flow.Queuer, s subscription, event string, body []byte, now time.Time) {
	q.Queue(`insert into outgoing (event, subscription, partner, position, journey, offer, type, body, state, first_at,
		due_at)
		values ($1::text::uuid, $2::text::uuid, $3::text::uuid, 0, $1::text::uuid, $1::text::uuid, $4, $5, 'waiting',
		$6, $6)`,
		event, s.ID, s.Partner, string(testType), body, now)
}

// parcel is one event on its way to one endpoint, as an attempt.
type parcel struct {
	Attempt, Event, Subscription, Journey, Offer string

	Partner             string // whose log it is of
	URL                 string
	Key, Secret, Former []byte // of the endpoint
	Position            int64
	Number              int
	First               time.Time // when it was first due
	// until when the attempt is under way: its result counts under it alone
	Lease   time.Time
	Body    []byte
	Failing *time.Time // since when nothing has come through to the endpoint; nil while something does
	Shaky   bool
}

// claim queues the events whose turn it is, each with the lease of an attempt: to each endpoint so many at a time as
// its width is, less what is under way to it; where there are more than the limit, those first whose endpoint would
// have the fewest under way. Of a journey the one with the lowest position that waits goes alone. shaky are endpoints
// that failed or were slow last time, or that have taken nothing yet: they have a share of their own, one event at a
// time, so that they keep nobody else waiting. The body of an event that was not given out before is read from the
// note that it is: had it been withheld meanwhile, what stands in its place goes out.
func claim(q flow.Queuer, shaky bool, under map[string]int, width, limit int, now, leased time.Time,
	each func(parcel)) {
	var ids []string
	var counts []int
	for id, count := range under {
		ids, counts = append(ids, id), append(counts, count)
	}
	q.Queue(`with mine as materialized (
			select o.event, o.subscription from subscription s
			left join unnest($6::uuid[], $7::integer[]) as u(id, many) on u.id = s.id
			cross join lateral (
				select w.*, coalesce(u.many, 0) + row_number() over (order by w.due_at, w.position) as nth from (
					select event, subscription, due_at, position from outgoing o
					where o.subscription = s.id and o.state = 'waiting' and o.due_at <= $1 and (o.leased is null
					or o.leased < $1)
						and not exists (select from outgoing b where b.subscription = o.subscription
						and b.journey = o.journey and b.state = 'waiting'
							and b.position < o.position)
					order by o.due_at, o.position limit greatest(0, $4 - coalesce(u.many, 0))
					for no key update skip locked) w) o
			where s.state = 'active' and s.next_at <= $1 and (s.failures > 0 or s.slow) = $3
			order by o.nth, o.due_at, s.id limit $5
		), taken as (
			update outgoing o set leased = $2, tries = tries + 1 from mine m where o.event = m.event
			and o.subscription = m.subscription
			returning o.event, o.subscription, o.partner, o.journey, o.offer, o.position, o.tries, o.first_at, o.body
		), fresh as (
			select e.id from partner_event e where e.id in (select event from taken) and e.given_at is null
			order by e.partner, e.position for no key update
		), given as (
			update partner_event e set given_at = $1 from fresh f where e.id = f.id returning e.id, e.body
		)
		select t.event::text, t.subscription::text, t.partner::text, t.journey::text, t.offer::text, t.position,
		t.tries, t.first_at,
			coalesce(t.body, g.body, e.body), s.url, s.key, s.secret, case when s.former_until > $1 then s.former
			end, s.failing_at
		from taken t join subscription s on s.id = t.subscription left join given g on g.id = t.event left
		join partner_event e on e.id = t.event`, now, leased, shaky, width, limit, ids, counts).
		Query(func(rows pgx.Rows) error {
			var p parcel
			_, err := pgx.ForEachRow(rows, []any{&p.Event, &p.Subscription, &p.Partner, &p.Journey, &p.Offer,
				&p.Position,
				&p.Number, &p.First, &p.Body, &p.URL, &p.Key, &p.Secret,
				&p.Former, &p.Failing}, func() error {
				p.Shaky = shaky
				each(p)
				p.Body, p.Key, p.Secret, p.Former = nil, nil, nil, nil // the next row has its own
				return nil
			})
			return err
		})
}

// noteAttempts queues attempts that are about to be made.
func noteAttempts(q flow.Queuer, parcels []parcel, now time.Time) {
	var ids, events, subscriptions []string
	var numbers []int
	for _, p := range parcels {
		ids, events, subscriptions, numbers = append(ids, p.Attempt), append(events, p.Event),
			append(subscriptions, p.Subscription), append(numbers, p.Number)
	}
	q.Queue(`insert into attempt (id, event, subscription, number, at)
		select id, event, subscription, number, $5 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[]) as
		t(id, event, subscription, number)`,
		ids, events, subscriptions, numbers, now)
}

// result is what became of an attempt.
type result struct {
	parcel
	Status  int
	Outcome string
	Slow    bool
	// DueAt is when it is tried again; zero where it is not.
	DueAt time.Time
	// State is how the event stands with the endpoint now.
	State string
	// Rest is until when the endpoint gets nothing, zero where it may go on; Off why it gets nothing any more.
	Rest time.Time
	Off  string

	after, took time.Duration // what it asked us to wait for; how long it took to answer
}

// saveResults queues what became of attempts. The answer of an attempt that counts no more, since its lease ended or
// the event was asked for again, changes nothing of the event.
func saveResults(q flow.Queuer, results []result, now time.Time) {
	var r struct {
		attempts, events, subscriptions, outcomes, states []string
		statuses                                          []int
		due                                               []*time.Time
		leases                                            []time.Time
	}
	for _, one := range results {
		r.attempts, r.events, r.subscriptions = append(r.attempts, one.Attempt), append(r.events, one.Event),
			append(r.subscriptions, one.Subscription)
		r.outcomes, r.states, r.statuses = append(r.outcomes, one.Outcome), append(r.states, one.State),
			append(r.statuses, one.Status)
		var due *time.Time
		if !one.DueAt.IsZero() {
			due = &one.DueAt
		}
		r.due, r.leases = append(r.due, due), append(r.leases, one.Lease)
	}
	q.Queue(`update attempt a set ended_at = $1::timestamptz, status = n.status, outcome = n.outcome
		from unnest($2::uuid[], $3::integer[], $4::text[]) as n(id, status, outcome) where a.id = n.id`, now,
		r.attempts, r.statuses, r.outcomes)
	q.Queue(`update outgoing o set state = n.state, leased = null, due_at = coalesce(n.due_at, o.due_at),
			ended_at = case when n.state = 'waiting' then null else $1::timestamptz end
		from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[]) as n(event, subscription,
		state, due_at, leased)
		where o.event = n.event and o.subscription = n.subscription and o.leased = n.leased`, now, r.events,
		r.subscriptions, r.states, r.due, r.leases)
}

// standing is how an endpoint stands after some attempts, the last of them.
type standing struct {
	ID, Off      string
	Through, Bad int // attempts that came through, and that did not after the last that did
	Slow         bool
	Rest         time.Time
}

// saveStandings queues how endpoints stand.
func saveStandings(q flow.Queuer, all []standing, now time.Time) {
	var ids, offs []string
	var through, bad []int
	var slow []bool
	var rest []*time.Time
	for _, s := range all {
		ids, offs, through, bad, slow = append(ids, s.ID), append(offs, s.Off), append(through, s.Through),
			append(bad, s.Bad), append(slow, s.Slow)
		var until *time.Time
		if !s.Rest.IsZero() {
			until = &s.Rest
		}
		rest = append(rest, until)
	}
	q.Queue(`update subscription s set
			failures = case when n.through > 0 then n.bad else s.failures + n.bad end, slow = n.slow,
			failing_at = case when n.bad = 0 and n.through > 0 then null when n.bad > 0 and (n.through > 0
			or s.failing_at is null) then $1::timestamptz else s.failing_at end,
			next_at = coalesce(n.rest, s.next_at),
			state = case when n.off = 'gone' and s.state = 'active' or n.off = 'silent' and s.state = 'active'
			and s.failing_at <= $8 then 'off' else s.state end,
			because = case when n.off = 'gone' and s.state = 'active' or n.off = 'silent' and s.state = 'active'
			and s.failing_at <= $8 then n.off else s.because end
		from (select * from unnest($2::uuid[], $3::text[], $4::integer[], $5::integer[], $6::boolean[],
		$7::timestamptz[])
			as t(id, off, through, bad, slow, rest) order by id) n where s.id = n.id`, now, ids, offs, through, bad,
		slow, rest, now.Add(-silentFor))
}

// newEndpoints queues endpoints that have not said yet that they want anything, whose time has come, each with a lease.
func newEndpoints(q flow.Queuer, limit int, now, leased time.Time, each func(subscription)) {
	q.Queue(`update subscription s set next_at = $2 from (select id from subscription where state = 'pending'
		and next_at <= $1 order by next_at limit $3
			for no key update skip locked) n where s.id = n.id
		returning s.id::text, s.partner::text, s.url, s.types, s.areas, s.state, s.because, s.secret, s.former,
		s.former_until,
		s.taken, s.failures, s.slow, s.failing_at,
			s.next_at, s.created_at, s.version, s.key`, now, leased, limit).Query(collectSubscriptions(each))
}

// saveHandshake queues whether an endpoint has said that it wants to get events. It counts as slow until it has taken
// one.
func saveHandshake(q flow.Queuer, id string, agreed bool, because string, again time.Time) {
	q.Queue(`update subscription set state = case when $2 then 'active' else state end, because = $3, failures = case
		when $2 then 0 else failures + 1 end,
		failing_at = null, slow = true, next_at = $4 where id = $1::text::uuid and state = 'pending'`, id, agreed,
		because, again)
}

// waitedFor queues those of some offers that somebody waits for to come to their partners, of what came to a log: what
// came to a referrer has not come to the partner.
func waitedFor(q flow.Queuer, offers, logs []string, each func(offer, journey string)) {
	q.Queue(`select distinct o.id::text, o.journey::text from offer o
		join unnest($1::uuid[], $2::uuid[]) as n(offer, log) on n.offer = o.id and n.log = o.partner
		where o.tell_by is not null`, offers, logs).
		Query(func(rows pgx.Rows) error { return rowsOf(rows, each) })
}
