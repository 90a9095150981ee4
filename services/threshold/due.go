package threshold

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Due are the loops over what is looked at again though nobody has said anything: because a day has come on which
// something changes, and because the criteria are others than they were.
func (e *Evaluator) Due() []flow.Due {
	return []flow.Due{
		{Name: "a-day-has-come", Every: time.Second, Limit: 256, Run: e.reevaluateDays},
		{Name: "criteria-have-changed", Every: time.Second, Limit: 256, Run: e.reevaluate},
	}
}

// reevaluateDays looks at journeys on the day on which a door of theirs may stand otherwise.
func (e *Evaluator) reevaluateDays(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	records := map[string]*record{}
	loadDue(tx, tx.Now, limit, records)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	_, err := e.reevaluateSome(tx, records)
	return len(records), err
}

// reevaluateSome decides journeys again and keeps and says only what differs from before. A door that is open stays so.
func (e *Evaluator) reevaluateSome(tx *flow.Tx, records map[string]*record) (changed int64, err error) {
	for _, r := range records {
		r.keep = ifChanged
	}
	err = e.handler().Command(tx, slices.Collect(maps.Values(records))...)
	for _, r := range records {
		if r.changed {
			changed++
		}
	}
	return changed, err
}

// reevaluate goes through all journeys after a change of criteria, in batches, once: its place is kept in the database,
// so that a restart goes on where it was. Only the set that runs is looked at, and by one process at a time.
func (e *Evaluator) reevaluate(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
	var a again
	lockAgain(tx, e.directory.Hash, &a)
	if err := tx.Flush(); err != nil || !a.stands {
		return 0, err
	}
	records := map[string]*record{}
	loadAfter(tx, a.After, limit, records)
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	changed, err := e.reevaluateSome(tx, records)
	if err != nil {
		return 0, err
	}
	if len(records) > 0 {
		last := slices.Max(slices.Collect(maps.Keys(records)))
		a.After = &last
	}
	a.LookedAt, a.Changed = a.LookedAt+int64(len(records)), a.Changed+changed
	done := len(records) < limit
	saveAgain(tx, a, done, tx.Now)
	tx.AfterCommit(func() { e.progress(ctx, a, done, tx.Now) })
	return len(records), nil
}

func (e *Evaluator) progress(ctx context.Context, a again, done bool, now time.Time) {
	message := "looking anew at journeys under other criteria"
	if done {
		message = "looked anew at every journey under other criteria"
	}
	e.log.LogAttrs(ctx, slog.LevelInfo, message, slog.Int64(schemas.AttrCount, a.LookedAt),
		slog.Int64(schemas.AttrTaken, a.Changed),
		slog.Float64(schemas.AttrDuration, now.Sub(a.Since).Seconds()))
}
