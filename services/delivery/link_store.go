package delivery

import (
	"time"

	"footbridge/libs/flow"
)

// saveLink queues a new link.
func saveLink(q flow.Queuer, hash []byte, offer, partner string, now, until time.Time) {
	q.Queue(`insert into link (token, offer, partner, made_at, until) values ($1, $2::text::uuid, $3::text::uuid, $4, $5)`,
		hash, offer, partner, now, until)
}
