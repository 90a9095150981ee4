package intake

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/principal"
)

// storeCallGrant queues who rings, or that a call has an outcome; what is older than what is known changes nothing.
func storeCallGrant(q queuer, c callChange) {
	until := c.until
	if until.IsZero() {
		until = time.Unix(0, 0)
	}
	q.Queue(`insert into call_grant (call, journey, organisation, holder, until, claimed, ended) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (call) do update set
			organisation = case when excluded.claimed > call_grant.claimed then excluded.organisation else call_grant.organisation end,
			holder = case when excluded.claimed > call_grant.claimed then excluded.holder else call_grant.holder end,
			until = case when excluded.claimed > call_grant.claimed then excluded.until else call_grant.until end,
			claimed = greatest(call_grant.claimed, excluded.claimed), ended = greatest(call_grant.ended, excluded.ended)
		where excluded.claimed > call_grant.claimed or excluded.ended > call_grant.ended`,
		c.call, c.journey, c.organisation, c.holder, until, c.claimed, c.ended)
}

// findCallGrant queues the journey of a call that p rings now.
func findCallGrant(q queuer, p principal.Principal, call string, now time.Time, each func(journey string)) {
	q.Queue(`select journey::text from call_grant where call = $1::uuid and organisation = $2 and holder = $3 and claimed > ended and until > $4`,
		call, p.Organisation, p.Mark(), now).Query(func(rows pgx.Rows) error {
		var journey string
		_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { each(journey); return nil })
		return err
	})
}
