package bus_test

import (
	"strings"
	"testing"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/testkit"
)

// TestADurableThatStandsStillOrIsPausedIsSaid: on a real broker, what nobody takes is said once it has waited for so
// long, and neither before nor after it was acknowledged.
func TestADurableThatStandsStillOrIsPausedIsSaid(t *testing.T) {
	t.Parallel()
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL()})
	ctx := t.Context()
	if _, err := conn.EnsureStream(ctx, bus.Stream{Name: "EVENTS", Subjects: []string{"e.>"}, MaxBytes: -1,
		Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	d := bus.Durable{Stream: "EVENTS", Name: "reader", Filters: []string{"e.one", "e.two"}, AckWait: time.Minute,
		MaxAckPending: 10}
	reader, err := conn.EnsureDurable(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	says := func(doing string, err error, want string) {
		t.Helper()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doing, err, want)
		}
	}
	says("nothing waits", conn.CheckMoving(ctx, d, 0), "")
	says("it is not paused", conn.CheckPaused(ctx, d), "")
	for _, subject := range []string{"e.other", "e.two"} {
		if _, err := conn.JS.Publish(ctx, subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	says("one waits", conn.CheckMoving(ctx, d, 0), `1 events wait for the durable consumer "reader"`)
	says("it has not waited for long", conn.CheckMoving(ctx, d, time.Hour), "")
	message, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	says("it is out and not acknowledged", conn.CheckMoving(ctx, d, 0), "none is acknowledged")
	if err := message.DoubleAck(ctx); err != nil {
		t.Fatal(err)
	}
	says("it is acknowledged", conn.CheckMoving(ctx, d, 0), "")
	if err := conn.PauseDurable(ctx, "EVENTS", "reader", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	says("it is paused", conn.CheckPaused(ctx, d), "is paused for another")
}
