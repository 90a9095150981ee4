package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// readNotice queues how a partner wants to be told, and whether it has a log: one of a partner, which tells it of
// offers, and not one of what an organisation is told of those it referred. A partner reads itself alone.
func readNotice(q flow.Queuer, who principal.Principal, partner string, locked bool, into *notice, hasLog *bool) {
	lock := ""
	if locked {
		lock = " for no key update"
	}
	q.Queue(`select coalesce((select type <> all($2) from partner_event where partner = $1::text::uuid
		order by position limit 1), false)`, partner, newsTypes()).
		QueryRow(func(row pgx.Row) error { return row.Scan(hasLog) })
	q.Queue(`select partner::text, by, address, digest, trouble, trouble_at, version from notice
		where partner = $1::text::uuid and ($2 or partner::text = $3)`+lock, partner,
		schemas.Role(who.Role) != schemas.Partner, who.Organisation).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&into.Partner, &into.By, &into.To, &into.Digest, &into.Trouble,
				&into.TroubleAt, &into.Version}, func() error { return nil })
			return err
		})
}

// newsTypes are the types that are in the logs of those who referred, and in no partner's.
func newsTypes() []string {
	return []string{string(schemas.ReferralUpdated), string(schemas.ReferralWithheld)}
}

// saveNotice queues how a partner is told from now on. One that begins with mail is mailed what has not come to it yet.
func saveNotice(q flow.Queuer, _ principal.Principal, n notice, now time.Time) {
	q.Queue(`with open as (
			select coalesce((select min(e.position) - 1 from partner_event e join offer o on o.id = e.offer
				where e.partner = $1::text::uuid and e.asks and o.tell_by is not null),
				(select last from partner where id = $1::text::uuid), 0) as upto
		)
		insert into notice as n (partner, by, address, digest, taken, changed_at, version, referrer)
		select $1::text::uuid, $2, $3, $4, upto, $5, 1, $6 from open
		on conflict (partner) do update set by = excluded.by, address = excluded.address, digest = excluded.digest,
			addressed = n.addressed + case when n.address = excluded.address then 0 else 1 end,
			taken = case when n.by = 'email' then n.taken else excluded.taken end, trouble = '', trouble_at = null,
			changed_at = excluded.changed_at, version = n.version + 1`, n.Partner, n.By, n.To, n.Digest, now, n.Referrer)
}

// mailAgain queues that what came back, or was refused, goes to a partner's new address, with the ids it had.
func mailAgain(q flow.Queuer, partner string, now time.Time) {
	q.Queue(`update mail set state = 'waiting', tries = 0, first_at = $2::timestamptz, due_at = $2::timestamptz,
		leased = null, ended_at = null, outcome = '', away_at = null where partner = $1::text::uuid and kind <> 'digest'
			and (state in ('refused', 'returned') or state = 'withheld' and outcome = $3)
			and first_at > $2::timestamptz - interval '14 days'`, partner, now, mailLeft)
	q.Queue(`update mail set due_at = $2 where partner = $1::text::uuid and state = 'waiting' and kind <> 'digest'
		and leased is null`, partner, now)
}

// mailsOf queues the last mails of a partner, newest first.
func mailsOf(q flow.Queuer, who principal.Principal, partner string, limit int, each func(mailShown)) {
	q.Queue(`select id::text, coalesce(sent_at, ended_at, first_at), kind, case when away_at is not null then 'away'
			else state end, tries, case when state = 'waiting' then due_at end
		from mail where partner = $1::text::uuid and ($2 or partner::text = $3) order by id desc limit $4`, partner,
		schemas.Role(who.Role) != schemas.Partner, who.Organisation, limit).
		Query(func(rows pgx.Rows) error {
			var m mailShown
			_, err := pgx.ForEachRow(rows, []any{&m.ID, &m.At, &m.Kind, &m.State, &m.Tries, &m.Next}, func() error {
				each(m)
				return nil
			})
			return err
		})
}

// behindMails queues partners that are told by mail whose log has not all been looked at, under locks that nobody else
// holds.
func behindMails(q flow.Queuer, limit int, aside []string, each func(n notice, last int64)) {
	q.Queue(`select n.partner::text, n.digest, p.last from notice n join partner p on p.id = n.partner
		where n.by = 'email' and n.taken < p.last and not n.partner::text = any($2) order by n.partner limit $1
		for no key update of n skip locked`, limit, aside).
		Query(func(rows pgx.Rows) error {
			var n notice
			var last int64
			_, err := pgx.ForEachRow(rows, []any{&n.Partner, &n.Digest, &last}, func() error {
				each(n, last)
				return nil
			})
			return err
		})
}

// addMails queues a mail for each event, after what was looked at before, that is one to mail: what asks for something,
// unless a digest says so, and changes.
func addMails(q flow.Queuer, n notice, limit int, changes []string, now time.Time) {
	q.Queue(`with next as materialized (
			select e.* from notice n cross join lateral (select id, partner, position, journey, offer, type, asks,
				withheld from partner_event where partner = n.partner and position > n.taken order by position
				limit $2) e where n.partner = $1::text::uuid
		), moved as (
			update notice set taken = m.upto from (select max(position) as upto from next) m
			where partner = $1::text::uuid and m.upto is not null
		)
		insert into mail (id, partner, kind, event, position, journey, offer, type, state, first_at, due_at)
		select id, partner, case when asks then 'asks' else 'changed' end, id, position, journey, offer, type,
			'waiting', $4, $4
		from next where not withheld and (asks and not $5 or type = any($3))
		on conflict (id) do nothing`, n.Partner, limit, changes, now, n.Digest)
}

// addDigest queues that a partner's next digest is about what has come since, unless one waits already. Whether its
// offers come is looked at after it has gone.
func addDigest(q flow.Queuer, partner, id string, due time.Time, within time.Duration) {
	q.Queue(`insert into mail (id, partner, kind, position, type, state, first_at, due_at)
		select $2::text::uuid, n.partner, 'digest', n.taken, '', 'waiting', $3, $3 from notice n
		where n.partner = $1::text::uuid and exists (select from partner_event e where e.partner = n.partner
				and e.position > n.taken and (e.asks or e.type = $4))
			and not exists (select from mail m where m.partner = n.partner and m.kind = 'digest'
				and m.state = 'waiting' and m.tries = 0)`, partner, id, due, string(schemas.ReferralUpdated))
	q.Queue(`update offer o set tell_by = $2 from (select distinct e.offer from partner_event e join notice n
			on n.partner = e.partner and e.position > n.taken where n.partner = $1::text::uuid and e.asks
			order by e.offer) e
		where o.id = e.offer and o.tell_by is not null and o.tell_by < $2`, partner, due.Add(within))
}

// askedSince queues the offers of a partner of which something was asked after a position of its log.
func askedSince(q flow.Queuer, partner string, position int64, each func(about)) {
	q.Queue(`select distinct offer::text, journey::text from partner_event where partner = $1::text::uuid
		and position > $2 and (asks or type = $3) and not withheld order by 1`, partner, position,
		string(schemas.ReferralUpdated)).
		Query(func(rows pgx.Rows) error {
			return rowsOf(rows, func(offer, journey string) { each(about{offer, journey}) })
		})
}

// claimMails queues the mails that are due to partners who want them, each with the lease of an attempt; none while
// mail rests. While it has just failed one goes alone, to see whether it works again.
func claimMails(q flow.Queuer, limit int, aside []string, now, leased time.Time, each func(letter)) {
	q.Queue(`with mine as materialized (
			select m.id, n.address, n.addressed, n.referrer from mail m join notice n on n.partner = m.partner and n.by = 'email'
			where m.state = 'waiting' and m.due_at <= $1 and (m.leased is null or m.leased < $1)
				and not m.id::text = any($4) and not exists (select from mail_channel where rests > $1)
			order by m.due_at, m.id limit case when (select failures from mail_channel) > 0 then 1 else $3::integer end
			for no key update of m skip locked
		)
		update mail m set leased = $2, tries = m.tries + 1, addressed = t.addressed from mine t where m.id = t.id
		returning m.id::text, m.partner::text, m.kind, coalesce(m.journey::text, ''), coalesce(m.offer::text, ''),
			m.type, coalesce(m.event::text, ''), m.position, m.tries, m.first_at, t.addressed, t.address, t.referrer,
			coalesce((select e.withheld from partner_event e where e.id = m.event), false),
			m.kind = 'changed' and exists (select from mail b where b.partner = m.partner and b.offer = m.offer
				and b.id <> m.id and b.tries > 0 and (b.state in ('sent', 'returned')
				or b.state = 'waiting' and b.leased is not null))`, now, leased, limit, aside).
		Query(func(rows pgx.Rows) error { return collectLetters(rows, each) })
}

func collectLetters(rows pgx.Rows, each func(letter)) error {
	var l letter
	var typ string
	_, err := pgx.ForEachRow(rows, []any{&l.ID, &l.Partner, &l.Kind, &l.Journey, &l.Offer, &typ, &l.Event, &l.Position,
		&l.Number, &l.First, &l.Addressed, &l.To, &l.Referrer, &l.Withheld, &l.Told}, func() error {
		l.Type = schemas.Type(typ)
		each(l)
		return nil
	})
	return err
}

// noteGiven queues that events are given out: from then on each keeps its bytes.
func noteGiven(q flow.Queuer, events []string, now time.Time) {
	q.Queue(`with fresh as materialized (select id from partner_event where id = any($1::uuid[]) and given_at is null
			order by partner, position for no key update)
		update partner_event e set given_at = $2 from fresh f where e.id = f.id`, events, now)
}

// endMails queues that mails do not go any more.
func endMails(q flow.Queuer, ids []string, state string, now time.Time) {
	q.Queue(`update mail set state = $2, ended_at = $3, leased = null where id = any($1::uuid[])
		and state = 'waiting'`, ids, state, now)
}

// saveMail queues what came of an attempt; counts is whether it was the last one, and the mail still waited for it.
func saveMail(q flow.Queuer, l letter, r mailResult, now time.Time, counts *bool) {
	var due *time.Time
	if !r.Due.IsZero() {
		due = &r.Due
	}
	q.Queue(`update mail set state = $3, outcome = $4, code = $5, enhanced = $6, leased = null,
			due_at = coalesce($7, due_at), sent_at = case when $3 = 'sent' then $8::timestamptz else sent_at end,
			ended_at = case when $3 = 'waiting' then null else $8 end
		where id = $1::text::uuid and state = 'waiting' and leased = $2 returning true`, l.ID, l.Lease, r.State,
		r.Outcome, r.Code, r.Enhanced, due, now).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{counts}, func() error { return nil })
			return err
		})
}

// noteTrouble queues what came back from a partner's address, where it is still the one it was sent to.
func noteTrouble(q flow.Queuer, partner string, addressed int, trouble string, now time.Time) {
	q.Queue(`update notice set trouble = $3, trouble_at = $4 where partner = $1::text::uuid and addressed = $2`,
		partner,
		addressed, trouble, now)
}

// returnMail queues that a mail that was sent has come back from where it went last; each gives it, once.
func returnMail(q flow.Queuer, id string, addressed int, status string, now time.Time, each func(letter)) {
	q.Queue(`update mail m set state = 'returned', outcome = 'returned', enhanced = $2, ended_at = $3, leased = null
		where id = $1::text::uuid and addressed = $4 and tries > 0 and state in ('sent', 'waiting')
		returning id::text, partner::text, kind, coalesce(journey::text, ''), coalesce(offer::text, ''), type,
			coalesce(event::text, ''), position, tries, first_at, addressed, '',
			(select referrer from notice n where n.partner = m.partner), false, false`, id, status, now,
		addressed).
		Query(func(rows pgx.Rows) error { return collectLetters(rows, each) })
}

// awayMail queues that the mailbox a mail went to last has answered it by itself; each gives the mail, once.
func awayMail(q flow.Queuer, id string, addressed int, now time.Time, each func(letter)) {
	q.Queue(`update mail m set away_at = $2 where id = $1::text::uuid and addressed = $3 and tries > 0
		and away_at is null
		returning id::text, partner::text, kind, coalesce(journey::text, ''), coalesce(offer::text, ''), type,
			coalesce(event::text, ''), position, tries, first_at, addressed, '',
			(select referrer from notice n where n.partner = m.partner), false, false`, id, now, addressed).
		Query(func(rows pgx.Rows) error { return collectLetters(rows, each) })
}

// channelRests queues that mail rests a while, longer each time it fails, until it works again.
func channelRests(q flow.Queuer, because string, now time.Time, most time.Duration, failures *int) {
	q.Queue(`update mail_channel set failures = failures + 1, because = $1, since = coalesce(since, $2),
			rests = $2::timestamptz + least(interval '30 seconds' * power(2, least(failures, 10)), $3::interval)
		returning failures`, because, now, most).
		QueryRow(func(row pgx.Row) error { return row.Scan(failures) })
}

// channelWorks queues that mail can be sent.
func channelWorks(q flow.Queuer) {
	q.Queue(`update mail_channel set failures = 0, because = '', since = null, refuses = ''
		where failures > 0 or refuses <> ''`)
}

// noteRefusal queues that a domain refused a mail for reasons of its own; another says whether another one did so
// before, and nothing was taken since.
func noteRefusal(q flow.Queuer, domain string, another *bool) {
	q.Queue(`update mail_channel c set refuses = $1 from mail_channel before where c.one and before.one
		returning before.refuses <> '' and before.refuses <> $1`, domain).
		QueryRow(func(row pgx.Row) error { return row.Scan(another) })
}

// mailsLeft queues the end of mails that wait for partners who are not told by e-mail any more, and are not on their
// way.
func mailsLeft(q flow.Queuer, limit int, aside []string, now time.Time, each func()) {
	q.Queue(`with over as materialized (
			select m.id from mail m where m.state = 'waiting' and (m.leased is null or m.leased < $2)
				and not exists (select from notice n where n.partner = m.partner and n.by = 'email')
				and not m.id::text = any($3) order by m.id limit $1 for no key update of m skip locked
		)
		update mail m set state = 'withheld', outcome = $4, ended_at = $2, leased = null from over o where m.id = o.id
		returning true`, limit, now, aside, mailLeft).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{new(bool)}, func() error { each(); return nil })
			return err
		})
}

// ringBy queues until when a human at the partner has to have acted on offers that were mailed.
func ringBy(q flow.Queuer, offers []string, at time.Time) {
	q.Queue(`update offer set tell_by = $2 where id = any($1::uuid[])`, offers, at)
}

// saveAlerts queues that somebody is to be told that something about offers did not come to their partners.
func saveAlerts(q flow.Queuer, ids, journeys, offers []string, now time.Time) {
	q.Queue(`insert into alert (id, journey, offer, at, due_at) select id, journey, offer, $4, $4
		from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as t(id, journey, offer)`, ids, journeys, offers, now)
}

// dueAlerts queues the alerts that nobody has been told of so far.
func dueAlerts(q flow.Queuer, limit int, now time.Time, each func(id string, tries int)) {
	q.Queue(`select id::text, tries from alert where due_at <= $2 order by due_at limit $1
		for no key update skip locked`, limit, now).
		Query(func(rows pgx.Rows) error {
			var id string
			var tries int
			_, err := pgx.ForEachRow(rows, []any{&id, &tries}, func() error { each(id, tries); return nil })
			return err
		})
}

// saveAlerted queues that somebody has been told, or when it is tried again.
func saveAlerted(q flow.Queuer, ids []string, again *time.Time, now time.Time) {
	q.Queue(`update alert set tries = tries + 1, due_at = $2, told_at = case when $2::timestamptz is null
		then $3::timestamptz end where id = any($1::uuid[])`, ids, again, now)
}

// mailsOwn queues which of some mails are a partner's own.
func mailsOwn(q flow.Queuer, who principal.Principal, ids []string, each func(id string)) {
	q.Queue(`select id::text from mail where partner::text = $1 and id = any($2::uuid[])`, who.Organisation, ids).
		Query(func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { each(id); return nil })
			return err
		})
}
