package flow

import (
	"context"
	"time"
)

// runDue runs a due loop: each Every, at once after Wake, and again at once while there is more than a batch.
func (f *Flow) runDue(ctx context.Context, due Due) {
	f.loop(ctx, due.Name, due.Every, f.wake[due.Name], func() (bool, error) {
		life, cancel := context.WithTimeout(f.life, batchTime)
		defer cancel()
		life, span := f.startBatch(life, "due "+due.Name, nil)
		taken := 0
		err := f.Do(life, func(tx *Tx) (err error) {
			taken, err = due.Run(life, tx, due.Limit)
			return err
		})
		if taken > 0 || err != nil {
			span.End() // a look that finds nothing is not worth a span
		}
		return taken >= due.Limit && due.Limit > 0, err
	})
}

// loop calls once each period, on every wake, and again at once while it says so. An error is waited out.
func (f *Flow) loop(ctx context.Context, name string, every time.Duration, wake <-chan struct{}, once func() (again bool, err error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		again, err := once()
		if err != nil && ctx.Err() == nil {
			f.faults.set(name, err)
			f.cfg.Log.Warn("what falls due could not be done; trying again", "loop", name, "error", firstLine(err))
		} else if err == nil {
			f.faults.clear(name)
		}
		if again && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-tick.C:
		}
	}
}
