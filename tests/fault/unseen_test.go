package fault

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// What stops work for over a minute must be told by readiness. lookEvery is how often that is looked at; a process has
// so many looks to tell after the minute.
const (
	standsStill = flow.StillFor
	lookEvery   = 2 * time.Second
	graceLooks  = 4
)

// stops counts what stood still for over a minute, and of that what nothing told.
type stops struct {
	long, unseen int
	told         []string // of those unseen: what and when
	standing     map[string]*standstill
}

// standstill is one kind of work since it last moved.
type standstill struct {
	mark      string
	since     time.Time
	invisible int // looks beyond the minute at which nobody told of it
	counted   bool
	missed    bool
}

// look judges one kind of work: mark changes whenever it moves, waits says whether anything waits for it, and seen
// whether its processes say that they do not work.
func (s *stops) look(now time.Time, what, mark string, waits bool, seen func() bool) {
	at := s.standing[what]
	if at == nil || at.mark != mark || !waits {
		s.standing[what] = &standstill{mark: mark, since: now}
		return
	}
	if now.Sub(at.since) <= standsStill {
		return
	}
	if !at.counted {
		at.counted = true
		s.long++
	}
	if seen() {
		at.invisible = 0
		return
	}
	if at.invisible++; at.invisible > graceLooks && !at.missed {
		at.missed = true
		s.unseen++
		s.told = append(s.told, fmt.Sprintf("unseen: %s since %s", what, at.since.Format(time.TimeOnly)))
	}
}

// watchStops looks at all work of the stand until ctx ends: whether each durable delivers, whether what was committed
// is published, whether senders are answered. The function it returns gives what was found, once it has ended.
func (s *stand) watchStops(ctx context.Context, book *logbook) func() *stops {
	all, done := &stops{standing: map[string]*standstill{}}, make(chan struct{})
	go func() {
		defer close(done)
		last := map[string]string{}
		for ; ctx.Err() == nil; pause(ctx, lookEvery) {
			s.lookForStops(ctx, all, last, book)
		}
	}()
	return func() *stops { <-done; return all }
}

// lookForStops looks once. last are the marks of what was last seen on the broker, which stand while it does not
// answer.
func (s *stand) lookForStops(ctx context.Context, all *stops, last map[string]string, book *logbook) {
	looking, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if conn, err := s.owner(looking); err == nil {
		defer conn.Close()
		if stream, err := conn.JS.Stream(looking, events.Name); err == nil {
			last["published"] = fmt.Sprint(stream.CachedInfo().Created, stream.CachedInfo().State.LastSeq)
			for _, service := range s.hears {
				if consumer, err := stream.Consumer(looking, service); err == nil {
					last[service] = markOf(consumer.CachedInfo())
				}
			}
		}
	}
	if ctx.Err() != nil {
		return
	}
	now, acked := time.Now(), book.count()
	for _, service := range s.hears {
		all.look(now, service+" applies nothing", last[service], !strings.HasSuffix(last[service], nothingWaits),
			s.tells(service))
	}
	all.look(now, "nothing is published", last["published"], true, s.tells(stateful...))
	all.look(now, "nobody is answered", fmt.Sprint(acked), true, s.tells(schemas.Intake, schemas.Gateway))
}

const nothingWaits = " waits 0"

// markOf changes with each delivery and acknowledgement.
func markOf(info *jetstream.ConsumerInfo) string {
	return fmt.Sprintf("%v %d %d waits %d", info.Created, info.Delivered.Consumer, info.AckFloor.Consumer,
		min(1, info.NumPending+uint64(info.NumAckPending)))
}

// tells says whether any process of these services is not ready, or does not answer.
func (s *stand) tells(of ...string) func() bool {
	return func() bool {
		for _, service := range of {
			for number := 1; number <= 2; number++ {
				if !s.procs[fmt.Sprintf("%s/%d", service, number)].isReady() {
					return true
				}
			}
		}
		return false
	}
}

// TestAStopThatNothingTellsIsCounted: over a minute and untold is unseen; told, short, or with nothing that waits is
// not.
func TestAStopThatNothingTellsIsCounted(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		what               string
		lasts              time.Duration
		waits              bool
		toldAfter          time.Duration
		wantLong, wantMiss int
	}{
		{"a durable that is paused, told in time", 5 * time.Minute, true, 62 * time.Second, 1, 0},
		{"one that nobody tells", 5 * time.Minute, true, time.Hour, 1, 1},
		{"one that is told late", 5 * time.Minute, true, 2 * time.Minute, 1, 1},
		{"a short one", 50 * time.Second, true, time.Hour, 0, 0},
		{"a quiet night", 5 * time.Minute, false, time.Hour, 0, 0},
	} {
		all := &stops{standing: map[string]*standstill{}}
		for after := time.Duration(0); after < c.lasts; after += lookEvery {
			all.look(now.Add(after), "x", "same", c.waits, func() bool { return after >= c.toldAfter })
		}
		all.look(now.Add(c.lasts), "x", "moved", true, func() bool { return false })
		if all.long != c.wantLong || all.unseen != c.wantMiss {
			t.Errorf("%s: %d long, %d unseen; want %d and %d", c.what, all.long, all.unseen, c.wantLong, c.wantMiss)
		}
	}
}
