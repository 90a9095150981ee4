//go:build failpoints

package main

import (
	"os"
	"strings"
	"sync/atomic"
	"time"

	"footbridge/libs/clock"
)

// systemClock is the machine's clock, moved by FOOTBRIDGE_CLOCK_OFFSET for a whole test system, and by what stands in
// the file FOOTBRIDGE_CLOCK_FILE for this process alone, as if somebody set its machine's clock while it runs. Only
// builds with failpoints have it: a release cannot be told another time.
func systemClock() clock.Clock {
	offset, err := time.ParseDuration(os.Getenv("FOOTBRIDGE_CLOCK_OFFSET"))
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
}

// leaping is a clock that can be set wrong; its Offset is what the whole system knows of.
type leaping struct {
	clock.Shifted
	wrong atomic.Int64
}

// Now is the time by the wrong clock.
func (l *leaping) Now() time.Time { return l.Shifted.Now().Add(time.Duration(l.wrong.Load())) }

func (l *leaping) read(file string) {
	text, _ := os.ReadFile(file) // none: the clock is right
	by, _ := time.ParseDuration(strings.TrimSpace(string(text)))
	l.wrong.Store(int64(by))
}
