package flow_test

import (
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// TestFiguresAreReadWhileAFlowIsBeingMade: somebody reads them all the time, from the moment at which there are any.
func TestFiguresAreReadWhileAFlowIsBeingMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("flow")
	ended, stop := make(chan error, 1), make(chan struct{})
	go func() {
		for {
			var read metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &read); err != nil {
				ended <- err
				return
			}
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
		}
	}()
	conn := testkit.Connect(t, bus.Config{URL: w.server.URL(), Name: "answerer"})
	testkit.Keep(t, conn, testStream, flow.Durable(testStream.Name, "answerer", nil))
	if _, err := flow.New(t.Context(), flow.Config{Service: "answerer", Pool: w.db.Pool("answerer"), Bus: conn,
		Stream: testStream, Clock: clock.Real(), Meter: meter, Handle: answer}); err != nil {
		t.Fatal(err)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
