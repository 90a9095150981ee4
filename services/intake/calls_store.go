package intake

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
)

// storeCallGrant queues who rings, or that a call has an outcome; what is older than what is known changes nothing.
func storeCallGrant(q queuer, c callChange) {
	until := c.until
	if until.IsZero() {
		until = time.Unix(0, 0)
	}
	q.Queue(`insert into call_grant (call, journey, organisation, holder, until, claimed, ended)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (call) do update set
			organisation = case when excluded.claimed > call_grant.claimed then excluded.organisation
			else call_grant.organisation end,
			holder = case when excluded.claimed > call_grant.claimed then excluded.holder else call_grant.holder end,
			until = case when excluded.claimed > call_grant.claimed then excluded.until else call_grant.until end,
			claimed = greatest(call_grant.claimed, excluded.claimed), ended = greatest(call_grant.ended, excluded.ended)
		where excluded.claimed > call_grant.claimed or excluded.ended > call_grant.ended`,
		c.call, c.journey, c.organisation, c.holder, until, c.claimed, c.ended)
}

// findCallGrant queues the journey of a call that p rings now.
func findCallGrant(q queuer, p principal.Principal, call string, now time.Time, each func(journey string)) {
	q.Queue(`select journey::text from call_grant where call = $1::uuid and organisation = $2 and holder = $3
		and claimed > ended and until > $4`,
		call, p.Organisation, p.Mark(), now).Query(func(rows pgx.Rows) error {
		var journey string
		_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { each(journey); return nil })
		return err
	})
}

// storeSaidOnCall queues that something was said on the telephone, once.
func storeSaidOnCall(q queuer, said saidOnCall) {
	q.Queue(`insert into said_on_call (journey, sequence, what, said_at) values ($1, $2, $3, $4) on conflict do nothing`, said.journey, said.sequence, said.what, said.at)
}

// endSaidOnCall queues that the person's record is in line with it.
func endSaidOnCall(tx *flow.Tx, said saidOnCall) {
	tx.Queue(`update said_on_call set applied_at = $3 where journey = $1 and sequence = $2`, said.journey,
		said.sequence, tx.Now)
}

// lockSaidOnCalls reads the oldest that no record has been brought in line with, in the order in which persons are
// locked.
func lockSaidOnCalls(tx *flow.Tx, limit int) (all []saidOnCall, err error) {
	tx.Queue(`select c.journey::text, coalesce(j.person::text, ''), c.sequence, c.what, c.said_at from said_on_call c
		left join journey j on j.id = c.journey
		where c.applied_at is null and c.journey <> all($2::uuid[])
		order by c.said_at, c.journey, c.sequence limit $1 for update of c skip locked`, limit,
		tx.Postponed()).Query(func(rows pgx.Rows) error {
		var one saidOnCall
		_, err := pgx.ForEachRow(rows, []any{&one.journey, &one.person, &one.sequence, &one.what, &one.at},
			func() error {
				tx.Attempt(one.journey)
				all = append(all, one)
				return nil
			})
		return err
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b saidOnCall) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.journey, b.journey),
			cmp.Compare(a.sequence, b.sequence))
	})
	return all, nil
}
