package flow_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// told counts log lines by what they say.
type told struct {
	slog.Handler
	mu    sync.Mutex
	lines map[string]int
}

func (l *told) Enabled(context.Context, slog.Level) bool { return true }

func (l *told) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Message]++
	return nil
}

func (l *told) times(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[message]
}

// TestTwoProcessesRebuildAPurgedStreamOnce: both see that it was purged, and both wait until the broker has forgotten
// the ids of what was there. Whoever is second finds it rebuilt, and publishes nothing again.
func TestTwoProcessesRebuildAPurgedStreamOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log, reader := &told{Handler: slog.DiscardHandler, lines: map[string]int{}}, sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("flow")
	w.tune = func(c *flow.Config) { c.Log, c.Meter = slog.New(log), meter }
	asker := w.start("asker", nil, nil)
	w.start("asker", nil, nil)
	for i := range 50 {
		asker.ask(t, fmt.Sprintf("j%d", i), "hello")
	}
	js := w.admin()
	testkit.Eventually(t, "published, to a stream that is known", func() bool {
		return messages(t, js) == 50 && count(t, asker.pool, `select count(*) from outbox_stream`) == 1
	})
	stream, err := js.Stream(t.Context(), testStream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	const begins = "rebuilding the stream from the outbox"
	testkit.Eventually(t, "both have seen to it", func() bool {
		return log.times(begins)+log.times("another process sees to the rebuild") >= 2 &&
			count(t, asker.pool, `select count(*) from outbox_stream where rebuilt_seq > 0`) == 1
	})
	if got := log.times(begins); got != 1 {
		t.Errorf("the stream was rebuilt %d times", got)
	}
	if got := counter(t, reader, "footbridge.flow.rebuilt"); got != 50 {
		t.Errorf("rebuilding published %d events, want 50", got)
	}
}

func counter(t *testing.T, reader *sdkmetric.ManualReader, name string) (sum int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if points, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, point := range points.DataPoints {
					sum += point.Value
				}
			}
		}
	}
	return sum
}
