package flow

import (
	"context"
	"fmt"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// clocksApart is by how much this process's clock and the database's may differ before nothing is decided by either:
// not what is too old or from the future, nor what may be dropped.
const clocksApart = time.Hour

// quietFor is for how long a stream may be silent before retention goes no further by the clock alone: a clock that has
// leapt, of the whole machine, looks like a long silence.
const quietFor = 48 * time.Hour

// clockEvery is how often the clocks are compared.
const clockEvery = 5 * time.Second

// machineNow is the time of the machine's own clock: without the offset that the processes of a test system share.
func (f *Flow) machineNow() time.Time {
	return clock.Machine(f.cfg.Clock).Now()
}

// agreed is a moment at which this process's clock and the database's agreed, by the one and by the process's monotonic
// clock, which nobody sets.
type agreed struct{ wall, at time.Time }

// ClockRight says whether this process's clock may be believed: it agreed with the database's when it was last
// compared, and has not leapt since. Otherwise the error counts as infrastructure. No transaction begins without it: a
// clock that is ahead would fire what is not due, and one that is behind would hold back what is.
func (f *Flow) ClockRight() error {
	if last := f.agreed.Load(); last != nil && !f.clockWrong.Load() {
		leapt := f.machineNow().Sub(last.wall) - time.Since(last.at)
		if leapt.Abs() < clocksApart {
			return nil
		}
		f.reportClock(fmt.Errorf("this process's clock has leapt by %v; nothing is applied, fired or dropped until "+
			"it agrees with the database's", leapt.Round(time.Minute)))
	}
	if f.clockWrong.Load() {
		return fmt.Errorf("%w: this process's clock is wrong", pg.ErrNotNow)
	}
	return nil
}

func (f *Flow) reportClock(err error) {
	if !f.clockWrong.Swap(true) {
		f.cfg.Log.Error("a clock is wrong", "error", err, keyRunbook, "clock.md")
	}
	f.faults.set("clock", err)
}

// compareClocks sets this process's clock against the database's. Where they are apart, no transaction begins, nothing
// is dropped, and the process says that it is not ready, until somebody has set the clock right.
func (f *Flow) compareClocks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	mine, at := f.machineNow(), time.Now()
	there, err := pg.ServerTime(ctx, f.cfg.Pool)
	if err != nil {
		return // the database's trouble, which others tell
	}
	apart := mine.Sub(there)
	if apart.Abs() < clocksApart {
		if f.clockWrong.Load() && f.makePartitions(ctx) != nil { // those that were made were for other days
			return
		}
		f.agreed.Store(&agreed{mine, at})
		f.clockWrong.Store(false)
		f.faults.clear("clock")
		return
	}
	f.reportClock(fmt.Errorf("this process's clock and the database's are %v apart; nothing is applied, fired or "+
		"dropped until they agree", apart.Round(time.Minute)))
}

func (f *Flow) keepClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		f.compareClocks(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// retentionNow is the time from which retention counts back: the clock's, but no later than quietFor after the stream's
// newest message; ok is false where the clock is wrong or the newest message is not known.
func (f *Flow) retentionNow() (now time.Time, ok bool) {
	newest := time.Duration(f.newest.Load()) // since 1970, by the broker's clock
	if f.clockWrong.Load() || newest == 0 {
		return time.Time{}, false
	}
	silent := f.machineNow().Sub(time.Unix(0, 0).Add(newest))
	now = f.cfg.Clock.Now()
	if silent > quietFor {
		f.cfg.Log.Warn("the stream's newest message is old: a long silence, or a clock that has leapt; nothing more "+
			"is dropped until something is said",
			"error", silent.Round(time.Minute).String(), keyRunbook, "clock.md")
		now = now.Add(quietFor - silent)
	}
	return now, true
}
