package flow

import (
	"slices"
	"testing"
	"time"
)

func TestALaterConnectionProvesNothingAboutAnEarlierOne(t *testing.T) {
	t.Parallel()
	tr := newTracker(1, 0)
	tr.allocate(3, time.Now())
	before := position{seq: 100, id: "before", epoch: 0}
	// The broker came back without its last messages and gave their sequences out again.
	after := position{seq: 120, id: "after", epoch: 1}
	tr.acknowledged(1, before)
	tr.acknowledged(2, position{seq: 90, id: "a duplicate", epoch: 1})
	tr.acknowledged(3, after)
	if got := tr.positions(); !slices.Equal(got, []position{before, after}) {
		t.Fatalf("to be looked for: %v, want %v and %v", got, before, after)
	}
	tr.looked([]position{before, after})
	if got := tr.positions(); !slices.Equal(got, []position{after}) {
		t.Fatalf("after a look that found them: %v, want %v", got, after)
	}
	tr.rewind()
	if prefix, unsettled, _ := tr.state(); prefix != 0 || unsettled != 3 || len(tr.positions()) != 0 {
		t.Fatalf("after a rewind: prefix %d, %d unsettled, %v to be looked for", prefix, unsettled, tr.positions())
	}
}

// A broker that lost power has lost what it had not synced; while it is away, time passes and nobody can look.
func TestNothingIsSafelyPublishedThatNoLookHasFound(t *testing.T) {
	t.Parallel()
	const lag = 5 * time.Minute
	start := time.Now()
	tr := newTracker(1, 0)
	tr.allocate(2, start)
	tr.acknowledged(1, position{seq: 1, id: "one"})
	if floor := tr.beat(start, start, lag); floor != 0 {
		t.Fatalf("at once: %d is taken for safe, want 0", floor)
	}
	if floor := tr.beat(start.Add(time.Hour), start, lag); floor != 0 {
		t.Fatalf("an hour without a look: %d is taken for safe, want 0", floor)
	}
	tr.acknowledged(2, position{seq: 2, id: "two"})
	tr.beat(start.Add(time.Hour), start.Add(lag), lag)
	if floor := tr.beat(start.Add(time.Hour), start.Add(lag), lag); floor != 1 {
		t.Fatalf("a look %v after the first acknowledgement: %d is safe, want 1", lag, floor)
	}
	tr.rewind()
	if prefix, unsettled, _ := tr.state(); prefix != 1 || unsettled != 1 {
		t.Fatalf("after a rewind: prefix %d, %d unsettled; want 1 and 1", prefix, unsettled)
	}
}
