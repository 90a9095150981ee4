package followup

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// figures count what followup promises. They are counted once a transaction has committed, and carry nothing of a
// person or a partner.
type figures struct {
	offered metric.Float64Histogram
	kept    metric.Int64Counter
}

// offeredBounds are in seconds; the promise is 5. What was agreed to days later is beyond the last.
var offeredBounds = []float64{0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 600, 3600, 86400}

func newFigures(meter metric.Meter) (*figures, error) {
	if meter == nil {
		meter = metricnoop.NewMeterProvider().Meter("")
	}
	var f figures
	var errs [2]error
	f.offered, errs[0] = meter.Float64Histogram("footbridge.offer.after", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(offeredBounds...), metric.WithDescription("time from a journey's first "+
			"event, which is written as its sender is acknowledged, until an offer is prepared"))
	f.kept, errs[1] = meter.Int64Counter("footbridge.session.kept", metric.WithDescription("sessions that took place, "+
		"by whether they did in the window: inside, early, late"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, when := range []string{insideWindow, beforeWindow, afterWindow} { // there from the start: a rate sees growth
		f.add(when, 0)
	}
	return &f, nil
}

// Where a session fell in the window.
const (
	insideWindow = "inside"
	beforeWindow = "early"
	afterWindow  = "late"
)

func (f *figures) add(when string, n int64) {
	f.kept.Add(context.Background(), n, metric.WithAttributes(attribute.String(schemas.AttrOutcome, when)))
}

// prepared is what an offer's event counts when it has committed, given the id of the journey's first event.
func (f *figures) prepared(first string, now time.Time) func() {
	began, known := clock.IDTime(first)
	if f == nil || !known {
		return nil
	}
	return func() { f.offered.Record(context.Background(), max(0, now.Sub(began).Seconds())) }
}

// took is what a session that took place counts when that has committed.
func (f *figures) took(o *Offer) func() {
	if f == nil || o.Session == nil {
		return nil
	}
	when := insideWindow
	switch day := o.Session.Day; {
	case day < o.Window.First:
		when = beforeWindow
	case day > o.Window.Last:
		when = afterWindow
	}
	return func() { f.add(when, 1) }
}
