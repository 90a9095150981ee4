package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// firstLife is when incarnations begin to be counted, in seconds.
var firstLife = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Restored says that a service's schema has been restored from a backup, alone or with others: what it says from now on
// is later than whatever it had said after the backup, and when it runs next it hears everything again that the stream
// holds. The incarnation is the time, so that two restores of one backup are two lives; it only rises, whatever the
// clock says. A process that still runs goes on as a new writer.
func Restored(ctx context.Context, pool *pgxpool.Pool, now time.Time) (incarnation int64, err error) {
	err = pool.QueryRow(ctx, `with life as (update incarnation set number = greatest(number + 1, $1), anew = true
		returning number),
		closed as (update outbox_writer set closed = true)
		select number from life`, int64(now.Sub(firstLife).Seconds())).Scan(&incarnation)
	if err != nil {
		return 0, fmt.Errorf("beginning another life of the schema: %w", err)
	}
	return incarnation, nil
}

// mustResubscribe says whether this service is to give up its durable, because its schema has been restored.
func (f *Flow) mustResubscribe(ctx context.Context) (anew bool, err error) {
	if err := f.cfg.Pool.QueryRow(ctx, `select anew from incarnation`).Scan(&anew); err != nil {
		return false, fmt.Errorf("asking whether the schema has been restored: %w", err)
	}
	return anew, nil
}

// resubscribed notes that the durable has been given up: whoever makes it again begins at the start of the stream.
func (f *Flow) resubscribed(ctx context.Context) error {
	if _, err := f.cfg.Pool.Exec(ctx, `update incarnation set anew = false where anew`); err != nil {
		return fmt.Errorf("noting that everything is heard again: %w", err)
	}
	return nil
}
