package delivery

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// saveLink queues a new link.
func saveLink(q flow.Queuer, hash []byte, offer, partner string, now, until time.Time) {
	q.Queue(`insert into link (token, offer, partner, made_at, until)
		values ($1, $2::text::uuid, $3::text::uuid, $4, $5)`, hash, offer, partner, now, until)
}

// readLink queues which offer a link opens, for the gateway; nothing is found where it is unknown, or does not open
// anything any more.
func readLink(q flow.Queuer, _ principal.Principal, hash []byte, now time.Time, into *schemas.LinkOpened) {
	q.Queue(`select offer::text, partner::text from link where token = $1 and until > $2`, hash, now).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&into.Offer, &into.Partner}, func() error { return nil })
			return err
		})
}

// forgetLinks queues the end of links that have opened nothing for a while.
func forgetLinks(q flow.Queuer, before time.Time, limit int, each func()) {
	q.Queue(`delete from link where token in (select token from link where until <= $1 order by until limit $2)
		returning token`, before, limit).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{new([]byte)}, func() error { each(); return nil })
			return err
		})
}
