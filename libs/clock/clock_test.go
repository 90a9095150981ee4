package clock_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
)

func TestAnIDTellsItsInstantToTheMillisecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 29, 1, 30, 0, 123_456_789, time.UTC)
	for _, id := range []string{clock.NewID(at), clock.NewOrderedID(at, 7)} {
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(
			id) {
			t.Errorf("%s is not a UUIDv7", id)
		}
		if got, ok := clock.IDTime(id); !ok || !got.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("id of %v tells %v, %v", at, got, ok)
		}
	}
}

func TestIDsOfOneMillisecondKeepTheirOrder(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var ids []string
	for place := range 4096 {
		ids = append(ids, clock.NewOrderedID(now, place))
	}
	if !slices.IsSorted(ids) {
		t.Error("the ids do not sort by place")
	}
}

func TestWhatIsNoUUIDv7HasNoInstant(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "7", clock.NewRandomID(), "01a1f861-e306-7e4c-9d0b",
		"zza1f861-e306-7e4c-9d0b-a24aa21c640b"} {
		if at, ok := clock.IDTime(id); ok {
			t.Errorf("%q tells %v", id, at)
		}
	}
}

func TestAShiftedClockRunsAhead(t *testing.T) {
	t.Parallel()
	var c clock.Shifted
	c.Set(40 * 24 * time.Hour)
	if ahead := time.Until(c.Now()); ahead < 40*24*time.Hour-time.Minute || ahead > 40*24*time.Hour+time.Minute {
		t.Errorf("the clock is %v ahead, want 40 days", ahead)
	}
}

func TestAMovedClockIsSettledWhenAllThatFollowItHaveLooked(t *testing.T) {
	t.Parallel()
	var c clock.Shifted
	first, second := c.Follow(), c.Follow()
	c.Set(time.Hour)
	moved := first.Look()
	first.Looked()
	if c.Settled() {
		t.Error("the second has not looked")
	}
	second.Leave()
	if !c.Settled() {
		t.Error("who has left is waited for")
	}
	second = c.Follow()
	second.Look()
	c.Set(2 * time.Hour)
	select {
	case <-moved:
	default:
		t.Error("who waits is not told that the clock was moved")
	}
	second.Looked() // what it looked at was the time before
	if c.Settled() {
		t.Error("a look that began before the clock was moved counts")
	}
	for _, f := range []*clock.Follower{first, second, nil} {
		f.Look()
		f.Looked()
	}
	if !c.Settled() {
		t.Error("all have looked")
	}
}

func TestAMovedClockTellsWhetherALookFoundSomething(t *testing.T) {
	t.Parallel()
	var c clock.Shifted
	one, other := c.Follow(), c.Follow()
	before := c.Found()
	for _, f := range []*clock.Follower{one, other, nil} {
		f.Look()
		f.Looked()
	}
	if c.Found() != before {
		t.Error("looks that found nothing count")
	}
	other.Look()
	other.Found()
	if other.Looked(); c.Found() == before {
		t.Error("a look that found something does not count")
	}
	if (*clock.Follower)(nil).Found(); c.Found() != before+1 {
		t.Error("who follows a clock that nobody moves counts")
	}
}

func TestIDsMadeInTurnSortInThatTurn(t *testing.T) {
	moment := time.Date(2031, 2, 3, 4, 5, 6, 7_000, time.UTC)
	for _, step := range []time.Duration{0, time.Nanosecond, time.Microsecond, time.Second} {
		last := ""
		for i := range 1000 {
			id := clock.NewID(moment.Add(time.Duration(i) * step))
			if id <= last {
				t.Fatalf("%v apart: %s came after %s", step, id, last)
			}
			last = id
		}
		moment = moment.Add(time.Hour)
	}
}

func TestAnIDIsAUUIDInLowerCase(t *testing.T) {
	t.Parallel()
	for _, id := range []string{clock.NewRandomID(), clock.NewID(time.UnixMilli(1))} {
		if !clock.IsID(id) {
			t.Errorf("%s is none", id)
		}
		for _, wrong := range []string{"", id[1:], id + "0", strings.ToUpper("a" + id[1:]),
			strings.ReplaceAll(id, "-", "0"), "-" + id[1:], "g" + id[1:], id[:35] + "\n"} {
			if clock.IsID(wrong) {
				t.Errorf("%q is one", wrong)
			}
		}
	}
}

func TestTheFloorOfAnInstantIsAtOrBelowItsIDs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 8_999_999, time.UTC)
	if floor, id := clock.FloorID(now), clock.NewID(now); !clock.IsID(floor) || floor > id ||
		clock.FloorID(now.Add(time.Millisecond)) <= id {
		t.Errorf("%s is no floor of %s", floor, id)
	}
}
