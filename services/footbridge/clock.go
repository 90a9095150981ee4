//go:build !failpoints

package main

import "footbridge/libs/clock"

// systemClock is the machine's clock.
func systemClock() clock.Clock { return clock.Real() }
