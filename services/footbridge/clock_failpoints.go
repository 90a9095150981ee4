//go:build failpoints

package main

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"footbridge/libs/clock"
)

// systemClock is the machine's clock, or another for a test: by FOOTBRIDGE_CLOCK_OFFSET moved for a whole test system;
// by the file FOOTBRIDGE_CLOCK_STEERED one that shows the instant in there and hardly goes on until that changes; by
// the file FOOTBRIDGE_CLOCK_FILE wrong by what stands in there for this process alone, as if somebody set its
// machine's clock while it runs. Only builds with failpoints have it: a release cannot be told another time.
var systemClock = sync.OnceValue(func() clock.Clock {
	offset, err := time.ParseDuration(os.Getenv("FOOTBRIDGE_CLOCK_OFFSET"))
	if steered := os.Getenv("FOOTBRIDGE_CLOCK_STEERED"); steered != "" {
		return steeredBy(steered)
	}
	if err != nil {
		return clock.Real()
	}
	shifted := &leaping{}
	shifted.Set(offset)
	if file := os.Getenv("FOOTBRIDGE_CLOCK_FILE"); file != "" {
		shifted.read(file)
		go func() {
			for range time.Tick(50 * time.Millisecond) {
				shifted.read(file)
			}
		}()
	}
	return shifted
})

// leaping is a clock that can be set wrong.
type leaping struct {
	clock.Shifted
	wrong atomic.Int64
}

// Now is the time by the wrong clock.
func (l *leaping) Now() time.Time { return l.Shifted.Now().Add(time.Duration(l.wrong.Load())) }

// Machine is what the wrong clock of the machine shows.
func (l *leaping) Machine() time.Time {
	return l.Shifted.Machine().Add(time.Duration(l.wrong.Load()))
}

func (l *leaping) read(file string) {
	text, _ := os.ReadFile(file) // none: the clock is right
	by, _ := time.ParseDuration(strings.TrimSpace(string(text)))
	l.wrong.Store(int64(by))
}

// steered is a clock that a test holds, by a file.
type steered struct {
	*clock.Held
	shown string
}

// steeredBy is a clock that follows a file, an instant and a number: the clock is set whenever it changes. When all
// that waits for a time has looked since, the same text is put into a file beside it whose name ends in .settled.
func steeredBy(file string) clock.Clock {
	s := &steered{Held: clock.NewHeld(startsAt(file))}
	s.follow(file)
	go func() {
		for range time.Tick(2 * time.Millisecond) {
			s.follow(file)
		}
	}()
	return s
}

// startsAt is the instant that a file holds; the machine's where it holds none.
func startsAt(file string) time.Time {
	text, _ := os.ReadFile(file)
	if at, err := instantIn(text); err == nil {
		return at
	}
	return time.Now()
}

func instantIn(text []byte) (time.Time, error) {
	written, _, _ := strings.Cut(string(text), " ")
	return time.Parse(time.RFC3339Nano, written)
}

func (s *steered) follow(file string) {
	text, _ := os.ReadFile(file)
	at, err := instantIn(text)
	switch {
	case err != nil:
		return
	case string(text) != s.shown:
		s.shown = string(text)
		s.MoveTo(at)
	case s.Settled():
		if settled, _ := os.ReadFile(file + ".settled"); string(settled) != s.shown {
			_ = os.WriteFile(file+".settled", text, 0o600)
		}
	}
}
