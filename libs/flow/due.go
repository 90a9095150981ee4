package flow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// runDue runs a due loop: each Every, at once after Wake, and again at once while there is more than a batch. A batch
// that fails is done again row by row, so that one row stops only itself.
func (f *Flow) runDue(ctx context.Context, due Due) {
	f.loop(ctx, due.Name, due.Every, f.wake[due.Name], func() (left, error) {
		taken, _, err := f.doDue(due, due.Limit)
		if err == nil || isInfrastructure(err) || due.Limit < 2 {
			switch {
			case taken >= due.Limit && due.Limit > 0:
				return more, err
			case taken > 0:
				return done, err
			}
			return nothing, err
		}
		return f.doSingly(ctx, due, err)
	})
}

// doDue does a batch in one transaction, and says which rows it had taken where it fails.
func (f *Flow) doDue(due Due, limit int) (taken int, rows []string, err error) {
	life, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	life, span := f.startBatch(life, "due "+due.Name, nil)
	err = f.Do(life, func(tx *Tx) error {
		tx.postponed = f.postponed[due.Name].rows(tx.Now)
		result, panicked := guarded(func() (err error) {
			taken, err = due.Run(life, tx, limit)
			return err
		})
		tx.idle = taken == 0
		rows = tx.attempted
		return errors.Join(panicked, result)
	})
	if failed(span, err) || taken > 0 {
		span.End() // a look that finds nothing is not worth a span
	}
	return taken, rows, err
}

// doSingly does a batch that failed row by row, and sets those aside that fail alone. It returns an error where the
// loop does not name its rows, where database or broker are in trouble, and where nothing at all could be done.
func (f *Flow) doSingly(ctx context.Context, due Due, why error) (left, error) {
	did, failed := 0, 0
	for try := 1; did+failed < due.Limit && ctx.Err() == nil; try++ {
		taken, rows, err := f.doDue(due, 1)
		switch {
		case err == nil && taken == 0:
			return nothing, nil
		case err == nil:
			did, try = did+1, 0
		case isInfrastructure(err) || len(rows) == 0:
			return nothing, err
		case pg.IsUnique(err) && try < uniqueTries:
		default:
			failed, try = failed+1, 0
			f.postponed[due.Name].put(rows, f.cfg.Clock.Now().Add(postponedFor))
			f.cfg.Log.Error("a row that fell due could not be done and is set aside; the others go on", "loop",
				due.Name,
				keyRunbook, "rows-aside.md", "error", strings.Join(rows, ", ")+": "+firstLine(err))
		}
	}
	if did == 0 && failed > 1 {
		return nothing, why
	}
	return more, nil
}

// postponedFor is for how long a row that could not be done is left out before it is tried again.
const postponedFor = 10 * time.Minute

// postponed is what a due loop leaves out for a while. It is kept in memory: another process tries each row itself.
type postponed struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (a *postponed) put(rows []string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, row := range rows {
		a.until[row] = until
	}
}

// rows are those that are left out now. One whose time has come is tried again.
func (a *postponed) rows(now time.Time) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.until, func(_ string, until time.Time) bool { return !now.Before(until) })
	return slices.Sorted(maps.Keys(a.until))
}

func (a *postponed) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.until)
}

// retryAfter is how soon a loop is tried again that could not do its work: a process is not ready before it could, and
// the trouble may have been over in a second, while the loop's own period is ten minutes.
const retryAfter = 2 * time.Second

// left is what a loop has found, and whether there is more of it.
type left int

const (
	nothing left = iota // was due
	done                // all that was due
	more                // is due: it looks again at once
)

// loop calls once each period, on every wake, and again at once while it says so; where a test moves its clock, at once
// too. An error is waited out.
func (f *Flow) loop(ctx context.Context, name string, every time.Duration, wake <-chan struct{},
	once func() (left, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	follower := clock.FollowerOf(f.cfg.Clock)
	defer follower.Leave()
	for ctx.Err() == nil {
		moved := follower.Look()
		before := f.circumstances(follower)
		found, err := once()
		if err != nil && ctx.Err() == nil {
			f.faults.set(name, err)
			f.cfg.Log.Warn("what falls due could not be done; trying again", "loop", name, "error", firstLine(err))
		} else if err == nil {
			f.faults.clear(name)
		}
		if found != nothing {
			follower.Found()
		}
		if found != nothing || err != nil {
			before = circumstances{}
		}
		if found == more && err == nil {
			continue
		}
		var retry <-chan time.Time
		if err == nil {
			follower.Looked()
		} else {
			retry = time.After(min(every, retryAfter))
		}
		for same := true; same; {
			same = false
			select {
			case <-ctx.Done():
			case <-moved:
				moved = follower.Look()
				now := f.circumstances(follower)
				if every >= time.Minute {
					now.commits = before.commits // what is looked for so seldom is soon enough at the next instant
				}
				if same = before.instant > 0 && now == before; same {
					follower.Looked() // it would find nothing again
				}
			case <-wake:
			case <-tick.C:
			case <-retry:
			}
		}
	}
}

// circumstances are what the result of a look hangs on, where a clock that a test holds says so: the instant that it
// shows, and how much the service has committed.
type circumstances struct {
	instant int
	commits uint64
}

func (f *Flow) circumstances(follower *clock.Follower) circumstances {
	return circumstances{follower.Instant(), f.commits.Load()}
}
