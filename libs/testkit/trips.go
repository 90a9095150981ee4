package testkit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// TwoTrips does in one transaction what flow does with a batch of events: what read queues in one round trip, then,
// once that is there, what decide queues in the next. An error of either undoes both.
func TwoTrips(pool *pgxpool.Pool, read func(*pgx.Batch), decide func(*pgx.Batch) error) error {
	ctx := context.Background()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		reads, writes := &pgx.Batch{}, &pgx.Batch{}
		read(reads)
		if err := tx.SendBatch(ctx, reads).Close(); err != nil {
			return err
		}
		if err := decide(writes); err != nil {
			return err
		}
		return tx.SendBatch(ctx, writes).Close()
	})
}

// Changes says what something changed that must change nothing, or "": it wrote a row again, even with the same values,
// or emitted events, of which do returns the number. rows are those that it could have written; see Rows.
func Changes(rows func() string, do func() (emitted int)) string {
	before := rows()
	emitted := do()
	if after := rows(); after != before || emitted > 0 {
		return fmt.Sprintf("%d events are emitted; the rows were\n%s\nand are\n%s", emitted, before, after)
	}
	return ""
}
