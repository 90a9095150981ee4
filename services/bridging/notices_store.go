package bridging

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// callersOf queues those of teams who make calls, in the order of their marks.
func callersOf(q flow.Queuer, teams []string, each func(Caller)) {
	q.Queue(`select organisation, mark, days, from_hour, to_hour, most, channel, coalesce(away_until -
		'1970-01-01'::date, 0) from caller
		where organisation = any($1) order by organisation, mark`, teams).Query(func(rows pgx.Rows) error {
		var c Caller
		var days []int32
		var away int32
		_, err := pgx.ForEachRow(rows, []any{&c.Team, &c.Mark, &days, &c.FromHour, &c.ToHour, &c.Most, &c.Channel,
			&away}, func() error {
			one := c
			one.Days, one.AwayUntil = calendar.Weekdays{}, calendar.Day(away)
			for _, day := range days {
				one.Days[day] = true
			}
			days = nil
			each(one)
			return nil
		})
		return err
	})
}

// dueCalls queues calls about which something is to be done now: their caller is reminded, or they are late.
func dueCalls(q flow.Queuer, now time.Time, limit int, aside []string, each func(callOpen)) {
	q.Queue(`select c.id::text, c.team, c.caller, c.due_at, c.sequence, t.stage from timer t join call c
		on c.id = t.call
		where t.act_at <= $1 and t.call <> all($3::text[]::uuid[]) order by t.act_at limit $2
		for update of t skip locked`, now, limit, aside).
		Query(func(rows pgx.Rows) error { return scanOpen(rows, each) })
}

func scanOpen(rows pgx.Rows, each func(callOpen)) error {
	var c callOpen
	_, err := pgx.ForEachRow(rows, []any{&c.id, &c.team, &c.caller, &c.due, &c.sequence, &c.stage},
		func() error { each(c); return nil })
	return err
}

// storeNotices queues what callers are to be told, each once.
func storeNotices(q flow.Queuer, all []Notice, now time.Time) {
	if len(all) == 0 {
		return
	}
	var ids, kinds, calls, teams, marks []string
	var due, from []time.Time
	for _, n := range all {
		ids, kinds, calls, teams, marks = append(ids, n.ID), append(kinds, n.Kind), append(calls, n.Call),
			append(teams, n.Team), append(marks, n.Mark)
		due, from = append(due, n.DueAt), append(from, n.From)
	}
	q.Queue(`insert into notice (id, kind, call, due_at, team, mark, state, at, next_at)
		select id, kind, call, due_at, team, mark, 'waiting', $8, next_at
		from unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::timestamptz[])
		as n(id, kind, call, due_at, team, mark, next_at)
		on conflict do nothing`, ids, kinds, calls, due, teams, marks, from, now)
}

// noticeWaiting is a notice that is due to be handed over, with where to.
type noticeWaiting struct {
	id, kind, channel, address string
	due                        time.Time
	tries                      int
	holds                      bool // it is still true, and still theirs
}

// dueNotices queues those that nobody has handed over so far. One about a call that has ended, moved or is another's
// now, or to somebody who is away or takes no messages, is over.
func dueNotices(q flow.Queuer, now time.Time, today string, limit int, each func(noticeWaiting)) {
	q.Queue(`select n.id, n.kind, coalesce(k.channel, ''), coalesce(k.address, ''), n.due_at, n.tries,
			c.ended_at is null and c.due_at = n.due_at and c.caller in ('', n.mark) and coalesce(k.channel, '') <> ''
			and coalesce(k.away_until < $2::date, true)
				and (n.kind <> 'ahead' or n.due_at > $1) and c.team = n.team and may_ring(n.team, $2::date)
		from notice n join call c on c.id = n.call left join caller k on k.organisation = n.team and k.mark = n.mark
		where n.next_at <= $1 order by n.next_at, n.id limit $3 for update of n skip locked`, now, today,
		limit).Query(func(rows pgx.Rows) error {
		var n noticeWaiting
		_, err := pgx.ForEachRow(rows, []any{&n.id, &n.kind, &n.channel, &n.address, &n.due, &n.tries, &n.holds},
			func() error { each(n); return nil })
		return err
	})
}

// saveNotice queues how one went.
func saveNotice(q flow.Queuer, id, state string, tries int, next *time.Time, now time.Time) {
	q.Queue(`update notice set state = $2, tries = $3, next_at = $4, told_at = case
		when $2 = 'told' then $5::timestamptz end where id = $1`, id, state, tries, next, now)
}

// markChannel queues whether anything could be handed over by a channel.
func markChannel(q flow.Queuer, channel string, took bool, now time.Time) {
	if took {
		q.Queue(`delete from channel_down where channel = $1`, channel)
		return
	}
	q.Queue(`insert into channel_down (channel, since) values ($1, $2) on conflict do nothing`, channel, now)
}

// alarmChannels queues which channels somebody is to be alarmed about now, and that they were.
func alarmChannels(q flow.Queuer, now time.Time, each func(channel string, since time.Time)) {
	q.Queue(`update channel_down set alarmed_at = $1 where since <= $2 and coalesce(alarmed_at <= $3, true)
		returning channel, since`,
		now, now.Add(-downFor), now.Add(-alarmAgain)).Query(func(rows pgx.Rows) error { return scanDown(rows, each) })
}

// channelsDown queues by which channels nothing can be handed over at present.
func channelsDown(q flow.Queuer, _ principal.Principal, each func(channel string, since time.Time)) {
	q.Queue(`select channel, since from channel_down order by channel`).Query(
		func(rows pgx.Rows) error { return scanDown(rows, each) })
}

func scanDown(rows pgx.Rows, each func(channel string, since time.Time)) error {
	var channel string
	var since time.Time
	_, err := pgx.ForEachRow(rows, []any{&channel, &since}, func() error { each(channel, since); return nil })
	return err
}

// lockCallsOf queues the open calls of somebody, until a day, that others are to make.
func lockCallsOf(q flow.Queuer, p principal.Principal, until string, each func(callOpen)) {
	q.Queue(`select id::text, team, $2, due_at, sequence, 0 from call
		where ended_at is null and team = $1 and (caller = $2 or claim_mark = $2) and on_day <= $3::date
		order by due_at, id for update`, p.Organisation, p.Mark(), until).
		Query(func(rows pgx.Rows) error { return scanOpen(rows, each) })
}

// loadsOf queues how many open calls of a team's next days each of its callers has, by mark and day.
func loadsOf(q flow.Queuer, team, until string, load map[string]int) {
	q.Queue(`select caller || '/' || on_day, count(*) from call where team = $1 and caller <> '' and ended_at is null
		and on_day <= $2::date group by 1`, team, until).
		Query(func(rows pgx.Rows) error {
			var key string
			var n int
			_, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error { load[key] = n; return nil })
			return err
		})
}

// giveCalls queues who makes calls now; nobody in particular where that is empty.
func giveCalls(q flow.Queuer, given map[string]string) {
	var ids, marks []string
	for _, id := range slices.Sorted(maps.Keys(given)) {
		ids, marks = append(ids, id), append(marks, given[id])
	}
	q.Queue(`update call c set caller = n.mark, claim_of = '', claim_mark = '', claim_until = null
		from unnest($1::uuid[], $2::text[]) as n(id, mark) where c.id = n.id`, ids, marks)
}

// keepCaller queues that the calls of a plan are for who reached the person: the next, where they work then and have
// room.
func keepCaller(q flow.Queuer, plan, mark, zone string) {
	q.Queue(`update plan set caller = $2 where id = $1::uuid and caller <> $2`, plan, mark)
	q.Queue(`update call set caller = '' where plan = $1::uuid and ended_at is null and caller not in ('', $2)`, plan,
		mark)
	giveToSame(q, []string{plan}, zone)
}

// giveToSame queues that the open calls of plans are for who reached their persons last, where they work at that hour
// of the zone, are not away and have room that day. Who never said of themselves works as usual.
func giveToSame(q flow.Queuer, plans []string, zone string) {
	if len(plans) == 0 {
		return
	}
	q.Queue(`update call c set caller = case when
				coalesce(extract(dow from c.due_at at time zone $2)::int = any(k.days), extract(dow
				from c.due_at at time zone $2) between 1 and 5)
				and extract(hour from c.due_at at time zone $2) >= coalesce(k.from_hour, 9) and extract(hour
				from c.due_at at time zone $2) < coalesce(k.to_hour, 17)
				and coalesce(k.away_until < c.on_day, true)
				and (select count(*) from call o where o.team = c.team and o.caller = p.caller and o.on_day = c.on_day
				and o.ended_at is null and o.id <> c.id) < coalesce(k.most, 12)
			then p.caller else '' end
		from plan p left join caller k on k.mark = p.caller and k.organisation = p.team
		where c.plan = p.id and c.ended_at is null and p.caller <> '' and p.id = any($1::uuid[])`, plans, zone)
}
