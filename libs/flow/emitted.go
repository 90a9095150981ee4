package flow

import (
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
)

// Emitted is an event that a service has given out, as a page names it.
type Emitted struct {
	ID   string    `json:"id"`
	Type string    `json:"type"`
	At   time.Time `json:"at"`
}

// mostEmitted bounds what EmittedAbout returns.
const mostEmitted = 50

// EmittedAbout reads which events this service has given out about some journeys between two instants, to the
// millisecond, in their order. What is no longer kept in the outbox is not among them.
func (t *Tx) EmittedAbout(journeys []string, from, to time.Time) (all []Emitted, err error) {
	t.Queue(`select id::text, payload::json->>'type' from outbox
		where id >= $1::uuid and id < $2::uuid and "right"(subject, 36) = any($3) order by id limit $4`,
		clock.FloorID(from), clock.FloorID(to), journeys, mostEmitted).
		Query(func(rows pgx.Rows) error {
			var one Emitted
			_, err := pgx.ForEachRow(rows, []any{&one.ID, &one.Type}, func() error {
				one.At, _ = clock.IDTime(one.ID)
				all = append(all, one)
				return nil
			})
			return err
		})
	return all, t.Flush()
}
