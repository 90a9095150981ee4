package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"footbridge/libs/pg"
)

// partitionsAhead is for how many days partitions stand ready: longer than anybody will be away at a time.
const partitionsAhead = 8

// makePartitions makes the day partitions that will be needed, by the system's clock.
func (f *Flow) makePartitions(ctx context.Context) error {
	now := f.cfg.Clock.Now()
	for table := range f.byDay() {
		if err := pg.EnsureDayPartitions(ctx, f.cfg.Pool, table, pg.ByUUIDv7, now.AddDate(0, 0, -1),
			now.AddDate(0, 0, partitionsAhead)); err != nil {
			return fmt.Errorf("making partitions of %s: %w", table, err)
		}
	}
	return nil
}

// byDay are the tables that are partitioned by day, with the days each is kept.
func (f *Flow) byDay() map[string]int {
	all := map[string]int{"outbox": f.cfg.KeepOutbox}
	maps.Copy(all, f.cfg.ByDay)
	return all
}

// keepRetention makes partitions ahead, each minute and on each new day, and drops those that have been kept for long
// enough, once a minute however often a test moves its clock.
func (f *Flow) keepRetention(ctx context.Context) {
	const often = time.Minute - time.Second
	var made, last, day time.Time
	f.loop(ctx, "retention", time.Minute, nil, func() (left, error) {
		if today := f.cfg.Clock.Now().Truncate(24 * time.Hour); !today.Equal(day) || time.Since(made) > often {
			if err := f.makePartitions(ctx); err != nil {
				return nothing, err
			}
			made, day = time.Now(), today
		}
		now, ok := f.retentionNow()
		if !ok || time.Since(last) < often {
			return nothing, nil
		}
		last = time.Now()
		for table, keep := range f.byDay() {
			if _, err := pg.DropDayPartitionsBefore(ctx, f.cfg.Pool, table, pg.ByUUIDv7,
				now.AddDate(0, 0, -keep)); f.mayStay(err) != nil {
				return nothing, fmt.Errorf("dropping old partitions of %s: %w", table, err)
			}
		}
		return nothing, nil
	})
}

// mayStay tells of days that the database refused to drop, because something of them is not settled, and goes on.
func (f *Flow) mayStay(err error) error {
	if errors.Is(err, pg.ErrUnresolved) {
		f.cfg.Log.Error("old days are kept, because something of them is not settled", "error", err, keyRunbook,
			"broker.md")
		return nil
	}
	return err
}
