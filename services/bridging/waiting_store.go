package bridging

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/schemas"
)

// Waiting is what nobody on call has seen to: for whoever looks after the system. It says nothing about anybody.
type Waiting struct {
	// Help is how many requests for help nobody has taken on, HelpDue by when the first of them was to be.
	Help    int
	HelpDue time.Time
	// Channels are those by which nothing can be handed over, ChannelDown since when for the longest.
	Channels    []string
	ChannelDown time.Time
}

// WaitingNow reads it from bridging's database, with no regard for what any process remembers.
func WaitingNow(ctx context.Context, pool *pgxpool.Pool) (w Waiting, err error) {
	batch := &pgx.Batch{}
	queueWaiting(batch, true, nil, &w)
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return Waiting{}, fmt.Errorf("reading who waits for help: %w", err)
	}
	return w, nil
}

// queueWaiting queues the same, of some organisations or all.
func queueWaiting(batch *pgx.Batch, all bool, organisations []string, w *Waiting) {
	batch.Queue(`select count(*), min(at + case when kind = $1 then $2::interval else $3::interval end) from help
		where taken_at is null and ($4 or coalesce(of_organisation, asked_by) = any($5))`, schemas.HelpWorse,
		worseWait, helpWait, all, organisations).QueryRow(func(row pgx.Row) error {
		var due *time.Time
		err := row.Scan(&w.Help, &due)
		if due != nil {
			w.HelpDue = *due
		}
		return err
	})
	batch.Queue(`select channel, since from channel_down order by since, channel`).Query(func(rows pgx.Rows) error {
		return scanDown(rows, func(channel string, since time.Time) {
			if w.Channels = append(w.Channels, channel); len(w.Channels) == 1 {
				w.ChannelDown = since
			}
		})
	})
}
