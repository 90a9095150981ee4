package flow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"footbridge/libs/flow"
	"footbridge/libs/testkit"

	"footbridge/libs/bus"
)

// TestADurableThatIsPausedIsSeen: figures are read from the broker, not written on progress; readiness names the cause.
func TestADurableThatIsPausedIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker := w.start("asker", nil, nil)
	reader := sdkmetric.NewManualReader()
	w.tune = func(c *flow.Config) { c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("flow") }
	answerer := w.startAnswerer()
	asker.ask(t, "j0", "hello")
	effectsAre(t, answerer, 1)
	conn := testkit.Connect(t, bus.Config{URL: w.server.URL(), Name: "somebody"})
	if _, err := conn.JS.PauseConsumer(t.Context(), testStream.Name, "answerer",
		time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "j1", "hello")
	asker.ask(t, "j2", "hello")
	testkit.Eventually(t, "readiness names the pause", func() bool {
		err := answerer.Ready()
		return err != nil && strings.Contains(err.Error(), "paused")
	})
	testkit.Eventually(t, "what waits is counted",
		func() bool { return gauge(t, reader, "footbridge.flow.waiting") == 2 })
	first := gauge(t, reader, "footbridge.flow.unprocessed.age")
	testkit.Eventually(t, "the oldest grows older",
		func() bool { return gauge(t, reader, "footbridge.flow.unprocessed.age") > first+1 })
	if _, err := conn.JS.ResumeConsumer(t.Context(), testStream.Name, "answerer"); err != nil {
		t.Fatal(err)
	}
	effectsAre(t, answerer, 3)
	testkit.Eventually(t, "readiness comes back", func() bool { return answerer.Ready() == nil })
	testkit.Eventually(t, "nothing waits",
		func() bool { return gauge(t, reader, "footbridge.flow.unprocessed.age") == 0 })
}

// TestADurableThatIsNotOursIsSeen: somebody has given it other subjects.
func TestADurableThatIsNotOursIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.startAnswerer()
	conn := testkit.Connect(t, bus.Config{URL: w.server.URL(), Name: "somebody"})
	testkit.Eventually(t, "its durable", func() bool {
		_, err := conn.JS.Consumer(t.Context(), testStream.Name, "answerer")
		return err == nil
	})
	if _, err := conn.JS.UpdateConsumer(t.Context(), testStream.Name, jetstream.ConsumerConfig{Durable: "answerer",
		AckPolicy:      jetstream.AckExplicitPolicy,
		FilterSubjects: []string{"footbridge.nothing"}, AckWait: 10 * time.Second, MaxDeliver: -1}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "readiness names it", func() bool {
		err := answerer.Ready()
		return err != nil && strings.Contains(err.Error(), "not ours")
	})
}

func gauge(t *testing.T, reader *sdkmetric.ManualReader, name string) float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if points, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == name && len(points.DataPoints) > 0 {
				return points.DataPoints[0].Value
			}
		}
	}
	t.Fatalf("no gauge %q", name)
	return 0
}
