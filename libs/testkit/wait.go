package testkit

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what must become true before it fails. It is no claim about speed: a busy
// machine of two cores may be ten times slower than an idle one, and a test that passes never waits that long.
const Patience = 2 * time.Minute

// Eventually waits until the condition holds, looking every ten milliseconds; after Patience the test fails, naming
// what it waited for.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(Patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, Patience)
		case <-tick.C:
		}
	}
}
