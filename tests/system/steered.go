package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// Steered is a system whose clock a test holds: it shows the instant that it was moved to, and hardly goes on until it
// is moved again. Its processes are built with failpoints; a release cannot be told another time.
type Steered struct {
	*System
	file     string
	held     atomic.Pointer[time.Time]
	moves    int
	bus      *nats.Subscription
	received map[string]bool
}

// Now is what the clock was last moved to.
func (s *Steered) Now() time.Time { return *s.held.Load() }

// StartAt starts the program at an instant, with further settings ("NAME=value").
func StartAt(t testing.TB, at time.Time, settings ...string) *Steered {
	t.Helper()
	program, err := steeredBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Steered{file: filepath.Join(dir, "clock"), received: map[string]bool{}}
	s.set(t, at)
	s.System = start(t, &System{t: t, StateDir: dir, clock: s,
		// the sentinel looks by the wall clock: what it finds would hang on how long a move takes
		own: append(settings, "FOOTBRIDGE_NO_SENTINEL=true", "FOOTBRIDGE_CLOCK_STEERED="+s.file)}, program)
	if s.bus, err = s.System.bus.NATS.SubscribeSync("footbridge.>"); err != nil {
		t.Fatal(err)
	}
	if err := s.bus.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	return s
}

// set puts an instant into the file that the program follows, under another number each time.
func (s *Steered) set(t testing.TB, at time.Time) {
	t.Helper()
	s.held.Store(&at)
	s.moves++
	next := s.file + ".next"
	if err := os.WriteFile(next, []byte(s.text()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, s.file); err != nil {
		t.Fatal(err)
	}
}

func (s *Steered) text() string {
	return fmt.Sprintf("%s %d", s.Now().UTC().Format(time.RFC3339Nano), s.moves)
}

// MoveTo moves the clock, and returns when all that follows from it has happened.
func (s *Steered) MoveTo(at time.Time) {
	s.t.Helper()
	if at.Before(s.Now()) {
		s.t.Fatalf("the clock shows %v and cannot go back to %v", s.Now(), at)
	}
	s.set(s.t, at)
	s.Settle()
}

// Settle waits until nothing is under way and nothing falls due at the time that the clock shows: all that waits for a
// time has looked, all that was written has been applied, and a further look finds nothing.
func (s *Steered) Settle() {
	s.t.Helper()
	for {
		s.Resolve()
		before, err := s.written()
		if err != nil {
			s.t.Fatal(err)
		}
		s.set(s.t, s.Now())
		asked := time.Now()
		Eventually(s.t, func() error {
			text, err := os.ReadFile(s.file + ".settled")
			if err == nil && string(text) == s.text() {
				return nil
			}
			if time.Since(asked) > askAgain { // a look that failed is done again
				s.set(s.t, s.Now())
				asked = time.Now()
			}
			return errors.New("not everything has looked at the clock")
		})
		s.Resolve()
		if after, err := s.written(); err == nil && after == before {
			return
		}
	}
}

// askAgain is after how long whatever has not looked at the clock is asked to again.
const askAgain = 5 * time.Second

// News are the events that were published since it was last asked, each once.
func (s *Steered) News() (all []flow.Event) {
	s.t.Helper()
	if err := s.System.bus.NATS.FlushTimeout(testkit.Patience); err != nil {
		s.t.Fatal(err)
	}
	for {
		waiting, _, err := s.bus.Pending()
		if err != nil {
			s.t.Fatal(err)
		}
		if waiting == 0 {
			return all
		}
		msg, err := s.bus.NextMsg(Patience)
		if err != nil {
			s.t.Fatal(err)
		}
		if e, err := flow.Unmarshal(msg.Data); err == nil && !s.received[e.ID] {
			s.received[e.ID] = true
			all = append(all, e)
		}
	}
}
