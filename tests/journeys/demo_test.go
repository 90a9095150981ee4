package journeys

import (
	"strings"
	"testing"

	"footbridge/libs/testkit"
	"footbridge/tests/system"
)

// TestTheDemoTellsTheWholeStory runs the demo as a newcomer does, and reads what it prints: from the hospital's
// messages to the closing. It ends with another code than 0 where any of it did not happen.
func TestTheDemoTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := map[string]string{"FOOTBRIDGE_STATE_DIR": folder, "FOOTBRIDGE_DATABASE_CONNECTIONS": "5"}
	for _, listener := range []string{"HTTP", "MLLP", "OPS", "NATS"} {
		settings["FOOTBRIDGE_"+listener+"_ADDR"] = testkit.FreeAddr(t)
	}
	out, code := system.Run(t, folder, settings, "demo", "--exit")
	if code != 0 {
		t.Fatalf("it ended with %d:\n%s", code, out)
	}
	rest := out
	for _, line := range []string{"ADT^A03", "discharge.recorded.v1", "offer.raised.v1", "before they say yes",
		"consent.given.v1", "offer.sent.v1",
		"threshold.gap-found.v1", "bridging.started.v1", "offer.passed-on.v1", "offer.sent.v1", "offer.accepted.v1",
		"appointment.booked.v1",
		"call.reached.v1", "help.requested.v1", "help.acknowledged.v1", ", day 9", "appointment.kept.v1",
		"followup.completed.v1",
		"journey.closed.v1", "Where to look next"} {
		before, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("it does not tell of %s after:\n%s\nbut:\n%s", line, out[:len(out)-len(rest)], before)
		}
		rest = after
	}
	for _, never := range []string{"Robin", "9990000107", "07700900123"} {
		if strings.Contains(out, never) {
			t.Errorf("it prints who the person is: %s", never)
		}
	}
}
