package flow

import (
	"testing"
	"time"
)

func TestItIsSaidWhereTheTimeOfABatchWent(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	after := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	events := []Event{{Time: after(-40)}, {Time: after(-250)}, {Time: after(-90)}}
	for name, c := range map[string]struct {
		run                 course
		now                 time.Time
		queue, lock, commit int
	}{
		"all of it":                  {course{began, after(30), after(32), after(100)}, after(100), 250, 30, 68},
		"it failed before the locks": {course{began: began, ended: after(12)}, after(12), 250, 0, 0},
		"the system's clock is behind the machine's": {course{began, after(1), after(2), after(3)}, after(-5000), 0, 1,
			1},
		"the system's clock is ahead": {course{began, after(1), after(2), after(3)}, after(60_003), 60_250, 1, 1},
	} {
		queue, lock, commit := c.run.waits(events, c.now)
		if queue.Milliseconds() != int64(c.queue) || lock.Milliseconds() != int64(c.lock) ||
			commit.Milliseconds() != int64(c.commit) {
			t.Errorf("%s: waited %v in the queue, %v for locks, %v for the commit", name, queue, lock, commit)
		}
	}
}
