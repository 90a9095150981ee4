package flow_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// What is done, tried again and done by time has a span that says the work, where the time went, and whether it failed.
func TestSpansSayTheWorkTheWaitsAndTheFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder := tracetest.NewSpanRecorder()
	w.tune = func(c *flow.Config) {
		c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("flow")
		c.Due = []flow.Due{{Name: "broken", Every: time.Hour, Limit: 1,
			Run: func(context.Context, *flow.Tx, int) (int, error) { return 0, errors.New("it is broken") }}}
	}
	asker := w.start("asker", nil, nil)
	w.startAnswerer()
	asker.ask(t, clock.NewID(time.Now()), "hello")
	asker.ask(t, clock.NewID(time.Now()), "poison")
	ended := func(name string, status codes.Code, keys ...string) func() bool {
		return func() bool {
			return slices.ContainsFunc(recorder.Ended(), func(s sdktrace.ReadOnlySpan) bool {
				if s.Name() != name || s.Status().Code != status {
					return false
				}
				for _, key := range keys {
					if !slices.ContainsFunc(s.Attributes(), func(kv attribute.KeyValue) bool {
						return string(kv.Key) == key && kv.Value.AsInt64() >= 0
					}) {
						return false
					}
				}
				return true
			})
		}
	}
	testkit.Eventually(t, "what was applied says where it waited", ended("apply thing.asked", codes.Unset,
		"footbridge.waited.queue", "footbridge.waited.lock", "footbridge.waited.commit"))
	testkit.Eventually(t, "what could not be applied says so", ended("apply thing.asked", codes.Error))
	testkit.Eventually(t, "and so it does when it is tried again", ended("retry thing.asked", codes.Error))
	testkit.Eventually(t, "a loop that fails says so", ended("due broken", codes.Error))
}
