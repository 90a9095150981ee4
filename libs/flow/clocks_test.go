package flow_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// leaping is a machine's clock that somebody has set wrong.
type leaping struct{ by atomic.Int64 }

func (l *leaping) Now() time.Time { return time.Now().UTC().Add(time.Duration(l.by.Load())) }

const day = 24 * time.Hour

// TestAWrongClockAppliesAndDropsNothingAndIsTold leaps ahead and back, at the start and while running.
func TestAWrongClockAppliesAndDropsNothingAndIsTold(t *testing.T) {
	t.Parallel()
	for _, leap := range []time.Duration{60 * day, 100 * day, -100 * day} {
		t.Run(leap.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			asker := w.start("asker", nil, nil)
			wrong := &leaping{}
			wrong.by.Store(int64(leap))
			w.tune = func(c *flow.Config) { c.Clock = wrong }
			answerer := w.startAnswerer()
			old := time.Now().Add(-50 * day)
			if err := pg.EnsureDayPartitions(t.Context(), answerer.pool, "outbox", pg.ByUUIDv7, old, old); err != nil {
				t.Fatal(err)
			}
			asker.ask(t, "one", "hello")
			testkit.Eventually(t, "it is told", func() bool {
				err := answerer.Ready()
				return err != nil && strings.Contains(err.Error(), "clock")
			})
			if got := count(t, answerer.pool, `select count(*) from letter`); got != 0 {
				t.Fatalf("%d events were buried by a wrong clock", got)
			}
			wrong.by.Store(0)
			effectsAre(t, answerer, 1)
			wrong.by.Store(int64(leap))
			testkit.Eventually(t, "it is told again", func() bool { return answerer.Ready() != nil })
			asker.ask(t, "two", "hello")
			wrong.by.Store(0)
			effectsAre(t, answerer, 2)
			if got := count(t, answerer.pool, `select count(*) from dead_letter`); got != 0 {
				t.Fatalf("%d events were buried", got)
			}
		})
	}
}

// TestNothingBeginsOnceAClockHasLeapt: what a transaction decides by its time is not decided by a wrong one, from the
// moment of the leap on, and not only once the clocks have been compared again.
func TestNothingBeginsOnceAClockHasLeapt(t *testing.T) {
	t.Parallel()
	for _, leap := range []time.Duration{2 * time.Hour, 60 * day, -2 * time.Hour, -60 * day} {
		t.Run(leap.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			clock, fired := &leaping{}, make(chan time.Time, 1000)
			w.tune = func(c *flow.Config) {
				c.Clock = clock
				c.Due = []flow.Due{{Name: "fires", Every: time.Hour, Limit: 1,
					Run: func(_ context.Context, tx *flow.Tx, _ int) (int, error) {
						fired <- tx.Now
						return 0, nil
					}}}
			}
			asker := w.start("asker", nil, nil)
			testkit.Eventually(t, "it fires", func() bool { return len(fired) > 0 })
			clock.by.Store(int64(leap))
			asker.Wake("fires")
			if err := asker.Do(t.Context(), func(*flow.Tx) error { return nil }); !pg.IsInfrastructure(err) {
				t.Errorf("a transaction by the wrong clock: %v", err)
			}
			if err := asker.Ready(); err == nil || !strings.Contains(err.Error(), "clock") {
				t.Errorf("readiness says: %v", err)
			}
			clock.by.Store(0)
			testkit.Eventually(t, "it goes on",
				func() bool { return asker.Do(t.Context(), func(*flow.Tx) error { return nil }) == nil })
			before := len(fired)
			asker.Wake("fires")
			testkit.Eventually(t, "it fires again", func() bool { return len(fired) > before })
			for len(fired) > 0 {
				if by := time.Since(<-fired).Abs(); by > time.Hour {
					t.Errorf("fired by a clock that is %v off", by)
				}
			}
		})
	}
}

// TestNothingIsBuriedInTheMomentOfALeap: events arrive while a clock leaps back and ahead again and again; each is
// applied once, and none is a dead letter, before the clocks have been compared and after.
func TestNothingIsBuriedInTheMomentOfALeap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, wrong := w.start("asker", nil, nil), &leaping{}
	w.tune = func(c *flow.Config) { c.Clock = wrong }
	answerer := w.startAnswerer()
	asker.ask(t, "first", "hello")
	effectsAre(t, answerer, 1)
	for n, leap := range []time.Duration{-100 * day, 60 * day, -60 * day} {
		wrong.by.Store(int64(leap))
		for range 5 {
			asker.ask(t, "moment", "hello")
		}
		testkit.Eventually(t, "it is told", func() bool { return answerer.Ready() != nil })
		wrong.by.Store(0)
		effectsAre(t, answerer, 1+5*(n+1))
	}
	if got := count(t, answerer.pool, `select count(*) from letter`); got != 0 {
		t.Errorf("%d events were put aside", got)
	}
}

// TestManyDaysThatPassAtOnceFindTheirPartitions: the clock that all processes of a test system share moves on by three
// weeks, further than partitions are made ahead; whoever commits first makes what is missing.
func TestManyDaysThatPassAtOnceFindTheirPartitions(t *testing.T) {
	t.Parallel()
	shared := &clock.Shifted{}
	w := newWorld(t)
	w.tune = func(c *flow.Config) { c.Clock = shared }
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	asker.ask(t, "one", "hello")
	effectsAre(t, answerer, 1)
	shared.Set(21 * day)
	asker.ask(t, "two", "hello")
	effectsAre(t, answerer, 2)
}
