package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/calendar"
)

// Breaker breaks something of the system while it works, in one of the Breaks. Luck is from 0 to 99: of several of a
// kind it says which. What is broken comes back by itself, or the system mends it.
type Breaker interface {
	Break(ctx context.Context, how string, luck int) error
}

// Breaks are the ways in which chaos breaks something of the system.
var Breaks = []string{StreamDeleted, DurableDeleted, DurablePaused, DatabaseKilled, DatabasePaused, ConnectionsEnded}

// What is broken: the stream of events is deleted, a reader's durable is deleted or paused, a process of the database
// is killed (so that all of it goes down and recovers) or stands still for a while, all connections of a service to the
// database end.
const (
	StreamDeleted    = "stream-deleted"
	DurableDeleted   = "durable-deleted"
	DurablePaused    = "durable-paused"
	DatabaseKilled   = "database-killed"
	DatabasePaused   = "database-paused"
	ConnectionsEnded = "connections-ended"
)

// Of a hundred hours in which somebody works something is broken in breaksOf; of a hundred messages doubledOf come
// twice, and of unansweredOf the answer is lost, so that they are sent again.
const breaksOf, doubledOf, unansweredOf = 8, 5, 5

// leap is by how many days the clock jumps, once, in the middle of a run of more than leapFrom days.
const leap, leapFrom = 20, 25

// testMark is the comment on the database of a system that is there to be broken.
const testMark = "footbridge: a test system, which may be broken"

// ErrNoTest is returned where a system is not marked as a test.
var ErrNoTest = errors.New("this system is not marked as a test: nothing of it is broken on purpose")

// MarkAsTest marks a system as a test, by its database. Whoever made it for that alone may.
func MarkAsTest(ctx context.Context, db *pgxpool.Pool) error {
	return comment(ctx, db, testMark)
}

// CheckTest returns ErrNoTest unless a system is marked as a test.
func CheckTest(ctx context.Context, db *pgxpool.Pool) error {
	mark, err := commented(ctx, db)
	if err == nil && mark != testMark {
		err = ErrNoTest
	}
	return err
}

// breaks breaks something, once in a while.
func (r *run) breaks(ctx context.Context) error {
	if r.cfg.Breaker == nil || r.world.luck("breaks", r.now.Unix()) >= breaksOf {
		return nil
	}
	how := Breaks[r.world.luck("what breaks", r.now.Unix())%len(Breaks)]
	r.report.Broken[how]++
	r.log.write(line{At: r.now, Kind: "broken", About: how})
	if err := r.cfg.Breaker.Break(ctx, how, r.world.luck("which breaks", r.now.Unix())); err != nil {
		return fmt.Errorf("breaking (%s): %w", how, err)
	}
	return nil
}

// leaps says by how many days the clock jumps before the nth.
func (r *run) leaps(n int) calendar.Day {
	if r.cfg.Breaker == nil || r.cfg.Scenario.days <= leapFrom || n != (r.cfg.Scenario.days-leap)/2 {
		return 0
	}
	r.report.Broken["clock-jumped"]++
	return leap
}

// patience is how long a read is tried again that fails because something is broken.
const patience = time.Minute

// patiently reads; where something is broken on purpose, again until it works.
func (r *run) patiently(ctx context.Context, read func() error) error {
	for began := time.Now(); ; {
		err := read()
		if err == nil || r.cfg.Breaker == nil || time.Since(began) > patience || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
