//go:build failpoints

package main

import (
	"os"
	"time"

	"footbridge/libs/clock"
)

// systemClock is the machine's clock, moved by FOOTBRIDGE_CLOCK_OFFSET. Only builds with failpoints have it: a
// release cannot be told another time.
func systemClock() clock.Clock {
	offset, err := time.ParseDuration(os.Getenv("FOOTBRIDGE_CLOCK_OFFSET"))
	if err != nil {
		return clock.Real()
	}
	shifted := &clock.Shifted{}
	shifted.Set(offset)
	return shifted
}
