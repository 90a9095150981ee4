package flow

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attribute keys on spans and metrics. They carry ids and counts only; the closed list is in schemas.
const (
	keyJourney    = attribute.Key("footbridge.journey")
	keyEventType  = attribute.Key("footbridge.event.type")
	keyBatchSize  = attribute.Key("messaging.batch.message_count")
	keyApplied    = attribute.Key("footbridge.applied")
	maxLinks      = 64
	traceParent   = "traceparent"
	traceState    = "tracestate"
	spanNameBatch = "flow "
)

// keyRunbook names, on a log line, the page in docs/runbooks that says what to do about it.
const keyRunbook = "footbridge.runbook"

// instruments are this flow's metrics: throughput, the age of the oldest unpublished and unprocessed event, what is
// parked and what is dead.
type instruments struct {
	flow                                           *Flow
	applied, duplicates, published, swept, rebuilt metric.Int64Counter
	parkings, refused                              metric.Int64Counter
	waiting, parked, dead                          atomic.Int64
	behind                                         atomic.Int64 // age in nanoseconds of the oldest event of the last batch
}

func newInstruments(f *Flow) (*instruments, error) {
	m := &instruments{flow: f}
	var failures []error
	counter := func(name, meaning string) metric.Int64Counter {
		c, err := f.cfg.Meter.Int64Counter(name, metric.WithDescription(meaning))
		failures = append(failures, err)
		return c
	}
	m.applied = counter("footbridge.flow.applied", "events applied")
	m.duplicates = counter("footbridge.flow.duplicates", "deliveries of events applied before")
	m.published = counter("footbridge.flow.published", "events acknowledged by the broker")
	m.swept = counter("footbridge.flow.swept", "events published again from the outbox")
	m.rebuilt = counter("footbridge.flow.rebuilt", "events published by rebuilding the stream")
	m.refused = counter("footbridge.flow.refused", "tries to publish an event that the broker does not take, such as one above its limit")
	m.parkings = counter("footbridge.flow.parkings", "events put aside because they could not be applied")
	gauge := func(name, meaning string, read func() float64) {
		_, err := f.cfg.Meter.Float64ObservableGauge(name, metric.WithDescription(meaning),
			metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error { o.Observe(read()); return nil }))
		failures = append(failures, err)
	}
	gauge("footbridge.flow.unpublished.age", "seconds since the oldest event not acknowledged by the broker was committed", f.unpublishedAge)
	gauge("footbridge.flow.unprocessed.age", "seconds from when the oldest event of the last batch was said until it was taken up; 0 when none waits", f.unprocessedAge)
	gauge("footbridge.flow.waiting", "events the durable consumer has not handed out yet", func() float64 { return float64(m.waiting.Load()) })
	gauge("footbridge.flow.parked", "events waiting for another try", func() float64 { return float64(m.parked.Load()) })
	gauge("footbridge.flow.dead", "dead letters; each counts as the void", func() float64 { return float64(m.dead.Load()) })
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("making the metrics of flow: %w", err)
	}
	return m, nil
}

func (f *Flow) unpublishedAge() float64 {
	writer := f.writer.Load()
	if writer == nil {
		return 0
	}
	_, unsettled, oldest := writer.state()
	if unsettled == 0 {
		return 0
	}
	return time.Since(oldest).Seconds()
}

func (f *Flow) unprocessedAge() float64 {
	if f.metrics.waiting.Load() == 0 {
		return 0
	}
	return time.Duration(f.metrics.behind.Load()).Seconds()
}

// count reads how many events are parked and dead.
func (m *instruments) count(ctx context.Context) error {
	var parked, dead int64
	err := m.flow.cfg.Pool.QueryRow(ctx, `select (select count(*) from parked), (select count(*) from dead_letter)`).Scan(&parked, &dead)
	if err != nil {
		return fmt.Errorf("counting parked events: %w", err)
	}
	m.parked.Store(parked)
	m.dead.Store(dead)
	return nil
}

func (f *Flow) countApplied(ctx context.Context, span trace.Span, arrived, applied int, err error) {
	if err != nil {
		span.SetStatus(codes.Error, firstLine(err))
		return
	}
	span.SetAttributes(keyApplied.Int(applied))
	f.metrics.applied.Add(ctx, int64(applied))
	if arrived > applied {
		f.metrics.duplicates.Add(ctx, int64(arrived-applied))
	}
}

// traceContext is the W3C trace context as the events of a transaction carry it.
type traceContext struct{ parent, state string }

var propagator = propagation.TraceContext{}

func traceContextOf(ctx context.Context) traceContext {
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	return traceContext{carrier[traceParent], carrier[traceState]}
}

// spanContextOf reads what an event carries.
func spanContextOf(e Event) trace.SpanContext {
	ctx := propagator.Extract(context.Background(), propagation.MapCarrier{traceParent: e.TraceParent, traceState: e.TraceState})
	return trace.SpanContextFromContext(ctx)
}

// startBatch starts the one span of a batch. A batch of one goes on with its event's trace; a larger one begins a
// trace of its own with a link to each event that led to it, up to maxLinks, so that a journey can be followed
// through many linked traces.
func (f *Flow) startBatch(ctx context.Context, what string, events []Event) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(keyBatchSize.Int(len(events)))}
	if len(events) == 1 {
		parent := spanContextOf(events[0])
		options = append(options, trace.WithAttributes(keyJourney.String(events[0].Subject), keyEventType.String(events[0].Type)))
		return f.cfg.Tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), spanNameBatch+what, options...)
	}
	var links []trace.Link
	for _, e := range events[:min(len(events), maxLinks)] {
		if sc := spanContextOf(e); sc.IsSampled() {
			links = append(links, trace.Link{SpanContext: sc, Attributes: []attribute.KeyValue{keyJourney.String(e.Subject), keyEventType.String(e.Type)}})
		}
	}
	return f.cfg.Tracer.Start(ctx, spanNameBatch+what, append(options, trace.WithLinks(links...))...)
}
