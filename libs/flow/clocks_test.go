package flow_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/pg"
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
			eventually(t, "it is told", 15*time.Second, func() bool {
				err := answerer.Ready()
				return err != nil && strings.Contains(err.Error(), "clock")
			})
			if got := count(t, answerer.pool, `select count(*) from letter`); got != 0 {
				t.Fatalf("%d events were buried by a wrong clock", got)
			}
			wrong.by.Store(0)
			effectsAre(t, answerer, 1, 30*time.Second)
			wrong.by.Store(int64(leap))
			eventually(t, "it is told again", 15*time.Second, func() bool { return answerer.Ready() != nil })
			asker.ask(t, "two", "hello")
			wrong.by.Store(0)
			effectsAre(t, answerer, 2, 30*time.Second)
			if got := count(t, answerer.pool, `select count(*) from dead_letter`); got != 0 {
				t.Fatalf("%d events were buried", got)
			}
		})
	}
}
