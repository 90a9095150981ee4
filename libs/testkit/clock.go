package testkit

import (
	"time"

	"footbridge/libs/clock"
)

// ClockFrom is a clock that shows at now and runs on from there: for a test whose dates are written down, so that
// what it starts lives on the days it writes about, whatever day the machine has.
func ClockFrom(at time.Time) clock.Clock {
	c := &clock.Shifted{}
	c.Set(time.Until(at))
	return c
}
