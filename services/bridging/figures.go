package bridging

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"footbridge/libs/clock"
)

// figures count what bridging promises, once a transaction has committed, and carry nothing of a person.
type figures struct{ voice metric.Float64Histogram }

// voiceBounds are in seconds; the promise is 72 hours.
var voiceBounds = []float64{3600, 6 * 3600, 12 * 3600, 24 * 3600, 48 * 3600, 72 * 3600, 96 * 3600, 7 * 86400,
	14 * 86400,
	30 * 86400}

func newFigures(meter metric.Meter) (*figures, error) {
	if meter == nil {
		meter = metricnoop.NewMeterProvider().Meter("")
	}
	voice, err := meter.Float64Histogram("footbridge.voice.after", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(voiceBounds...), metric.WithDescription("time from a journey's first "+
			"event until somebody first spoke with the person in a call"))
	return &figures{voice}, err
}

// spoke is what a call counts in which the person was spoken with, when it has committed: the first such call alone.
func (f *figures) spoke(r *record, at time.Time) func() {
	began, known := clock.IDTime(r.Correlation)
	spokenWith := func(t Try) bool { return t.Outcome == OutcomeReached || t.Outcome == OutcomeHelp }
	if f == nil || !known || slices.ContainsFunc(r.State.Tries, func(t Try) bool {
		return spokenWith(t) && (t.Call != r.entered.Call || !t.At.Equal(at))
	}) {
		return nil
	}
	return func() { f.voice.Record(context.Background(), max(0, at.Sub(began).Seconds())) }
}
