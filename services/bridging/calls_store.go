package bridging

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// callListed is one call of a list, as its row has it.
type callListed struct {
	ID, Journey, Team, State string
	DueAt                    time.Time
	On                       string
	Try                      int
	Late                     bool
	Minutes                  int
	Channel                  string
	Caller, ClaimMark        string
	ClaimUntil               *time.Time
	Ended                    bool
	LastAt                   *time.Time
	LastOutcome              string
}

// ofTheirs bounds a statement over call c to what p may see: teams of the journey's organisation, and callers whose
// organisation rings, a partner's while its agreement is in force. It takes the first three arguments.
const ofTheirs = `(c.organisation = any($1) or c.team = $2 and c.ended_at is null and may_ring($2, $3::date))`

func theirs(p principal.Principal, today calendar.Day) []any {
	return []any{scopeOf(p).Organisations, p.Organisation, today.String()}
}

// callsWanted is a page of the open calls that fall due on a local day or before, after a place in the list; or one
// call by its id, open or not.
//
// A caller who said when they work sees those of their hours, those that are theirs, and any whose time has come
// (hours, now, zone); everybody else sees all.
type callsWanted struct {
	id, day string
	today   calendar.Day
	hours   *callerRow
	now     time.Time
	zone    string
	after   time.Time
	afterID string
	limit   int
}

// which are the condition of the calls wanted, and what it takes.
func (w callsWanted) which(p principal.Principal) (condition string, args []any) {
	if w.id != "" {
		return `c.id = $4::uuid and ` + ofTheirs, append(theirs(p, w.today), w.id)
	}
	hours := w.hours
	if hours == nil {
		hours = &callerRow{}
	}
	return `c.ended_at is null and c.on_day <= $4::date and ` + ofTheirs +
			` and ($6 = '' or (c.due_at, c.id::text) > ($5, $6))
			and ($7::int[] is null or c.caller = $10 or c.due_at <= $11 or extract(dow from c.due_at at time zone $12)::int = any($7)
				and extract(hour from c.due_at at time zone $12) >= $8 and extract(hour from c.due_at at time zone $12) < $9)`,
		append(theirs(p, w.today), w.day, w.after, w.afterID, hours.Days, hours.FromHour, hours.ToHour, p.Mark(), w.now,
			w.zone)
}

// listCalls queues the calls wanted, the soonest first.
func listCalls(q flow.Queuer, p principal.Principal, w callsWanted, each func(callListed)) {
	condition, args := w.which(p)
	args = append(args, w.limit)
	q.Queue(`select c.id::text, c.journey::text, c.team, c.state, c.due_at, c.on_day::text, c.try, c.late, p.minutes,
			coalesce(s.known->'agreed'->>'channel', ''), c.caller, c.claim_mark, c.claim_until, c.ended_at is not null,
			(select (t->>'at')::timestamptz from jsonb_array_elements(s.known->'tries') t
			where t->>'outcome' <> 'not-made' order by t->>'at' desc limit 1),
			coalesce((select t->>'outcome' from jsonb_array_elements(s.known->'tries') t
			where t->>'outcome' <> 'not-made' order by t->>'at' desc limit 1), '')
		from call c join plan p on p.id = c.plan join journey_state s on s.journey = c.journey
		where `+condition+` order by c.due_at, c.id::text limit $`+strconv.Itoa(len(args)),
		args...).Query(func(rows pgx.Rows) error {
		var c callListed
		_, err := pgx.ForEachRow(rows, []any{&c.ID, &c.Journey, &c.Team, &c.State, &c.DueAt, &c.On, &c.Try, &c.Late,
			&c.Minutes, &c.Channel, &c.Caller,
			&c.ClaimMark, &c.ClaimUntil, &c.Ended, &c.LastAt, &c.LastOutcome}, func() error {
			each(c)
			c.ClaimUntil, c.LastAt = nil, nil
			return nil
		})
		return err
	})
}

// callFound is where a call is, and how it stands.
type callFound struct {
	journey, plan, state string
	due, scheduled       time.Time
	ended                bool
}

// findCall queues where a call of p's is: one of their organisation or team, or one that they rang for themselves. Who
// has just hung up says what became of it, even where the person's yes to their organisation ended meanwhile.
func findCall(q flow.Queuer, p principal.Principal, id string, today calendar.Day, each func(callFound)) {
	q.Queue(`select c.journey::text, c.plan::text, c.state, c.due_at, c.scheduled_at, c.ended_at is not null from call c
		where (c.organisation = any($1) or c.team = $2 and may_ring($2, $3::date)
			or exists (select from rang r where r.call = c.id and r.team = $2 and r.mark = $5)) and c.id = $4::uuid`,
		append(theirs(p, today), id, p.Mark())...).Query(func(rows pgx.Rows) error {
		var c callFound
		_, err := pgx.ForEachRow(rows, []any{&c.journey, &c.plan, &c.state, &c.due, &c.scheduled, &c.ended},
			func() error { each(c); return nil })
		return err
	})
}

// storeClaim queues who rings, until when; and counts it, once for each try.
func storeClaim(q flow.Queuer, c Call, now time.Time) {
	q.Queue(`update call set claim_of = $2, claim_mark = $3, claim_until = $4 where id = $1`, c.ID, c.Claim.Of,
		c.Claim.Mark, c.Claim.Until)
	q.Queue(`insert into rang (call, try, team, mark, at) values ($1, $2, $3, $4, $5) on conflict (call, try) do update
		set mark = excluded.mark, at = excluded.at
		where rang.mark <> excluded.mark`, c.ID, c.Try, c.Claim.Of, c.Claim.Mark, now)
}

// loadOf queues how many calls somebody has made since a time, and how many a day they agreed to.
func loadOf(q flow.Queuer, p principal.Principal, since time.Time, made, most *int) {
	q.Queue(`select count(distinct call) from rang where mark = $1 and at >= $2`, p.Mark(),
		since).QueryRow(func(row pgx.Row) error { return row.Scan(made) })
	q.Queue(`select coalesce((select most from caller where organisation = $1 and mark = $2), $3)`, p.Organisation,
		p.Mark(), mostCalls).
		QueryRow(func(row pgx.Row) error { return row.Scan(most) })
}

// callerRow is what is kept of somebody who makes calls.
type callerRow struct {
	Days             []int32
	FromHour, ToHour int
	Most             int
	Channel, Address string
	AwayUntil        string
	HasCalendar      bool // which is still read
	Kept             bool // they said something of themselves
}

// readCaller queues what is kept of p as a caller, on a day.
func readCaller(q flow.Queuer, p principal.Principal, today calendar.Day, into *callerRow) {
	*into = callerRow{Days: []int32{1, 2, 3, 4, 5}, FromHour: 9, ToHour: 17, Most: mostCalls}
	q.Queue(`select days, from_hour, to_hour, most, channel, address, coalesce(away_until::text, ''),
			calendar is not null and coalesce(calendar_until >= $3::date and may_ring(organisation, $3::date), false)
		from caller where organisation = $1 and mark = $2`, p.Organisation, p.Mark(),
		today.String()).Query(func(rows pgx.Rows) error {
		var days []int32
		_, err := pgx.ForEachRow(rows, []any{&days, &into.FromHour, &into.ToHour, &into.Most, &into.Channel,
			&into.Address, &into.AwayUntil, &into.HasCalendar},
			func() error { into.Days, into.Kept = days, true; return nil })
		return err
	})
}

// saveCaller queues it.
func saveCaller(q flow.Queuer, p principal.Principal, c callerRow) {
	q.Queue(`insert into caller (organisation, mark, days, from_hour, to_hour, most, channel, address, away_until)
		values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, '')::date)
		on conflict (organisation, mark) do update set days = excluded.days, from_hour = excluded.from_hour, to_hour =
		excluded.to_hour, most = excluded.most,
			channel = excluded.channel, address = excluded.address, away_until = excluded.away_until`,
		p.Organisation, p.Mark(), c.Days, c.FromHour, c.ToHour, c.Most, c.Channel, c.Address, c.AwayUntil)
}

// lastCallOf queues the reading of the last day for which p has an open call; 0 where there is none.
func lastCallOf(q flow.Queuer, p principal.Principal, into *calendar.Day) {
	q.Queue(`select coalesce(max(on_day) - '1970-01-01'::date, 0) from call where ended_at is null and team = $1
		and (caller = $2 or claim_mark = $2)`, p.Organisation, p.Mark()).QueryRow(func(row pgx.Row) error {
		var day int32
		err := row.Scan(&day)
		*into = calendar.Day(day)
		return err
	})
}

// forgetCaller queues that p is reminded by nothing, and makes no call however far ahead.
func forgetCaller(q flow.Queuer, p principal.Principal) {
	q.Queue(`update caller set channel = '', address = '', away_until = '9999-12-31' where organisation = $1 and mark = $2`,
		p.Organisation, p.Mark())
	q.Queue(`update plan set caller = '' where caller = $2 and team = $1`, p.Organisation, p.Mark())
}

// findPlan queues the locking of a journey that p may plan calls for, where there is one.
func findPlan(q flow.Queuer, p principal.Principal, journey string, each func()) {
	q.Queue(`select journey from journey_state s where journey = $4::uuid and ($1 or organisation = any($2) or $3 <> ''
		and person = $3)`,
		append(scopeOf(p).Args(), journey)...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			each()
		}
		return rows.Err()
	})
}

// saveReminders queues what was done about calls, for one statement each: how far reminding about them has come and
// when it goes on, and which are late, of which nothing more fires.
func saveReminders(q flow.Queuer, ids []string, stages []int32, next []time.Time, late []string) {
	if len(ids) > 0 {
		q.Queue(`update timer t set stage = n.stage, act_at = n.next
			from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as n(call, stage, next)
			where t.call = n.call`, ids, stages, next)
	}
	if len(late) > 0 {
		endTimers(q, late)
		q.Queue(`update call set late = true where id = any($1::uuid[])`, late)
	}
}

// duePlans queues the journeys whose plans are to be looked at.
func duePlans(q flow.Queuer, today string, limit int, aside []string, each func(journey string)) {
	q.Queue(`select journey::text from plan where look_on <= $1::date and ended_at is null
		and journey <> all($3::text[]::uuid[]) order by look_on, journey
		limit $2`, today, limit, aside).Query(func(rows pgx.Rows) error {
		var journey string
		_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { each(journey); return nil })
		return err
	})
}
