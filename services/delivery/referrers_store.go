package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
)

// untoldOf queues the journeys of whose news the organisation of a log was not told by mail.
func untoldOf(q flow.Queuer, log string, each func(journey string)) {
	q.Queue(`select journey::text from untold_referrer where partner = $1::text::uuid and mended_by is null order by 1`,
		log).Query(func(rows pgx.Rows) error { return journeysOf(rows, each) })
}

// mendedBy queues the journeys whose news a mail was taken to have brought.
func mendedBy(q flow.Queuer, mail string, each func(journey string)) {
	q.Queue(`select journey::text from untold_referrer where mended_by = $1::text::uuid order by 1`, mail).
		Query(func(rows pgx.Rows) error { return journeysOf(rows, each) })
}

// saveUntold queues that the organisation of a log was not told of journeys, whose locks are held.
func saveUntold(q flow.Queuer, log string, journeys []string, now time.Time) {
	q.Queue(`insert into untold_referrer (partner, journey, since)
		select $1::text::uuid, journey, $3 from unnest($2::uuid[]) as j(journey) order by journey
		on conflict (partner, journey) do update set since = excluded.since, mended_by = null`, log, journeys, now)
}

// mendUntold queues that a mail was taken which says that there is news of journeys, whose locks are held; each gives
// those of which it was not said before.
func mendUntold(q flow.Queuer, log string, journeys []string, mail string, each func(journey string)) {
	q.Queue(`update untold_referrer set mended_by = $3::text::uuid where partner = $1::text::uuid
		and journey = any($2::uuid[]) and mended_by is null returning journey::text`, log, journeys, mail).
		Query(func(rows pgx.Rows) error { return journeysOf(rows, each) })
}

func journeysOf(rows pgx.Rows, each func(journey string)) error {
	var journey string
	_, err := pgx.ForEachRow(rows, []any{&journey}, func() error { each(journey); return nil })
	return err
}
