package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attribute keys on spans and metrics. They carry ids and counts only; the closed list is in schemas.
const (
	keyJourney   = attribute.Key("footbridge.journey")
	keyEventType = attribute.Key("footbridge.event.type")
	keyBatchSize = attribute.Key("messaging.batch.message_count")
	keyApplied   = attribute.Key("footbridge.applied")
	maxLinks     = 64
	traceParent  = "traceparent"
	traceState   = "tracestate"
	// how long the oldest event of a batch had waited when the batch began, and how long the batch took to have what it
	// is about locked and read, and to write and commit: milliseconds
	keyWaitedQueue  = attribute.Key("footbridge.waited.queue")
	keyWaitedLock   = attribute.Key("footbridge.waited.lock")
	keyWaitedCommit = attribute.Key("footbridge.waited.commit")
)

// keyRunbook names, on a log line, the page in docs/runbooks that says what to do about it.
const keyRunbook = "footbridge.runbook"

// instruments are this flow's metrics: throughput, the age of the oldest unpublished and unprocessed event, what is
// parked and what is dead.
type instruments struct {
	flow                               *Flow
	applied, published, swept, rebuilt metric.Int64Counter
	parkings, refused                  metric.Int64Counter
}

// backlog is what database and broker say when a figure is read: never what progress wrote down, which cannot show
// standing still.
type backlog struct {
	mu           sync.Mutex
	read         time.Time
	waiting      float64
	oldest       time.Time // when the oldest event was published that waits or is under way; zero: none
	parked, dead float64
	failed       float64 // 1: the last reading failed
}

func newInstruments(f *Flow) (*instruments, error) {
	m := &instruments{flow: f}
	var failures []error
	counter := func(name, meaning string) metric.Int64Counter {
		c, err := f.cfg.Meter.Int64Counter(name, metric.WithDescription(meaning))
		failures = append(failures, err)
		if err == nil {
			c.Add(context.Background(), 0) // it is there from the start: a rate sees no growth in what appears as 1
		}
		return c
	}
	m.applied = counter("footbridge.flow.applied", "events given to the handler; one that comes again counts again, "+
		"and changes nothing")
	m.published = counter("footbridge.flow.published", "events acknowledged by the broker")
	m.swept = counter("footbridge.flow.swept", "events published again from the outbox")
	m.rebuilt = counter("footbridge.flow.rebuilt", "events published by rebuilding the stream")
	m.refused = counter("footbridge.flow.refused", "tries to publish an event that the broker does not take, such as "+
		"one above its limit")
	m.parkings = counter("footbridge.flow.parkings", "events put aside because they could not be applied")
	gauge := func(name, meaning string, read func() float64) {
		_, err := f.cfg.Meter.Float64ObservableGauge(name, metric.WithDescription(meaning),
			metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
				o.Observe(read())
				return nil
			}))
		failures = append(failures, err)
	}
	gauge("footbridge.flow.unpublished.age", "seconds since the oldest event not acknowledged by the broker was "+
		"committed", f.unpublishedAge)
	read := func(of func(*backlog) float64) func() float64 {
		return func() float64 { return of(f.backlogNow()) }
	}
	gauge("footbridge.flow.unprocessed.age", "seconds since the oldest event was published that waits for this "+
		"service or is under way in it; 0 when there is none", read(func(s *backlog) float64 {
		if s.oldest.IsZero() {
			return 0
		}
		return time.Since(s.oldest).Seconds()
	}))
	gauge("footbridge.flow.waiting", "events the durable consumer has not handed out, or that are not acknowledged",
		read(func(s *backlog) float64 { return s.waiting }))
	gauge("footbridge.flow.parked", "events waiting for another try",
		read(func(s *backlog) float64 { return s.parked }))
	gauge("footbridge.flow.dead", "dead letters; each counts as the void",
		read(func(s *backlog) float64 { return s.dead }))
	gauge("footbridge.flow.unread", "1 where database or broker did not answer when these figures were read, so that "+
		"they are older", read(func(s *backlog) float64 { return s.failed }))
	gauge("footbridge.flow.aside", "rows that fell due, could not be done, and are left out for a while",
		func() float64 {
			rows := 0
			for _, loop := range f.postponed {
				rows += loop.count()
			}
			return float64(rows)
		})
	gauge("footbridge.flow.ready", "1 where nothing stands in the way of the work, as readiness says", func() float64 {
		if f.Ready() != nil {
			return 0
		}
		return 1
	})
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("making the metrics of flow: %w", err)
	}
	return m, nil
}

// unpublishedAge is of the writer of this process and of those that it has taken over.
func (f *Flow) unpublishedAge() float64 {
	age := 0.0
	for _, t := range f.trackers() {
		if _, unsettled, oldest := t.state(); unsettled > 0 && !oldest.IsZero() {
			age = max(age, time.Since(oldest).Seconds())
		}
	}
	return age
}

// backlogNow reads what waits, once for all gauges of a reading. Where that fails, what was read last stands: an age
// then goes on growing, and unread says why.
func (f *Flow) backlogNow() *backlog {
	s := &f.seen
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) < 500*time.Millisecond {
		return s
	}
	ctx, cancel := context.WithTimeout(f.life, 3*time.Second)
	defer cancel()
	s.failed = 0
	if err := errors.Join(f.readLetters(ctx, s), f.readWaiting(ctx, s)); err != nil {
		s.failed = 1
		f.cfg.Log.Debug("reading what waits", "error", err)
	}
	s.read = time.Now()
	return s
}

func (f *Flow) readLetters(ctx context.Context, s *backlog) error {
	var parked, dead float64
	err := f.cfg.Pool.QueryRow(ctx,
		`select (select count(*) from parked), (select count(*) from dead_letter)`).Scan(&parked, &dead)
	if err != nil {
		return fmt.Errorf("counting parked events: %w", err)
	}
	s.parked, s.dead = parked, dead
	return nil
}

// readWaiting asks the broker what the durable has before it. A durable that is gone has everything before it.
func (f *Flow) readWaiting(ctx context.Context, s *backlog) error {
	if f.cfg.Handle == nil {
		return nil
	}
	asked := time.Now()
	consumer, err := f.cfg.Bus.JS.Consumer(ctx, f.cfg.Stream.Name, f.cfg.Service)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.waiting, s.oldest = 1, f.ages.after(0)
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the durable: %w", err)
	}
	info := consumer.CachedInfo()
	waiting := int(info.NumPending) + info.NumAckPending
	s.waiting, s.oldest = float64(waiting), time.Time{}
	if waiting == 0 {
		f.ages.emptied(asked)
		return nil
	}
	done := info.AckFloor.Stream
	if info.NumAckPending == 0 {
		done = info.Delivered.Stream
	}
	s.oldest = f.ages.after(done)
	return nil
}

func (f *Flow) countApplied(ctx context.Context, span trace.Span, applied int, err error) {
	if failed(span, err) {
		return
	}
	span.SetAttributes(keyApplied.Int(applied))
	f.metrics.applied.Add(ctx, int64(applied))
}

// failed says on a span that the work failed, where it did.
func failed(span trace.Span, err error) bool {
	if err != nil {
		span.SetStatus(codes.Error, firstLine(err))
	}
	return err != nil
}

// course is when the steps of a batch were over, by this machine; zero for those that were not come to.
type course struct{ began, locked, decided, ended time.Time }

// waits are where the time of a batch went: how long the oldest of its events had waited when it began, how long what
// it is about took to be locked and read, and how long it took to be written and committed. now is the system's time at
// the end.
func (c course) waits(events []Event, now time.Time) (queue, lock, commit time.Duration) {
	oldest := slices.MinFunc(events, func(a, b Event) int { return a.Time.Compare(b.Time) }).Time
	queue = max(0, now.Sub(oldest)-c.ended.Sub(c.began))
	if c.locked.IsZero() {
		return queue, 0, 0
	}
	return queue, c.locked.Sub(c.began), c.ended.Sub(c.decided)
}

// showWaits says on a span where the time of a batch went. Nothing is said of what was not come to.
func (f *Flow) showWaits(span trace.Span, events []Event, c course) {
	if !span.IsRecording() {
		return
	}
	queue, lock, commit := c.waits(events, f.cfg.Clock.Now())
	span.SetAttributes(keyWaitedQueue.Int64(queue.Milliseconds()))
	if !c.locked.IsZero() {
		span.SetAttributes(keyWaitedLock.Int64(lock.Milliseconds()), keyWaitedCommit.Int64(commit.Milliseconds()))
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
	ctx := propagator.Extract(context.Background(), propagation.MapCarrier{traceParent: e.TraceParent,
		traceState: e.TraceState})
	return trace.SpanContextFromContext(ctx)
}

// startBatch starts the one span of a batch. A batch of one goes on with its event's trace; a larger one begins a
// trace of its own with a link to each event that led to it, up to maxLinks, so that a journey can be followed
// through many linked traces.
func (f *Flow) startBatch(ctx context.Context, what string, events []Event) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(keyBatchSize.Int(len(events)))}
	if len(events) == 1 {
		parent := spanContextOf(events[0])
		options = append(options, trace.WithAttributes(keyJourney.String(events[0].Subject),
			keyEventType.String(events[0].Type)))
		return f.cfg.Tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), workOf(what, events), options...)
	}
	var links []trace.Link
	for _, e := range events[:min(len(events), maxLinks)] {
		if sc := spanContextOf(e); sc.IsSampled() {
			links = append(links, trace.Link{SpanContext: sc,
				Attributes: []attribute.KeyValue{keyJourney.String(e.Subject), keyEventType.String(e.Type)}})
		}
	}
	return f.cfg.Tracer.Start(ctx, workOf(what, events), append(options, trace.WithLinks(links...))...)
}

// workOf names the work of a batch, as a span's name: "apply offer.raised", or "apply events of several types". A type
// is one of a closed list.
func workOf(what string, events []Event) string {
	if len(events) == 0 {
		return what
	}
	for _, e := range events {
		if e.Type != events[0].Type {
			return what + " events of several types"
		}
	}
	name := strings.TrimPrefix(events[0].Type, typePrefix)
	if major := strings.LastIndex(name, ".v"); major > 0 {
		name = name[:major]
	}
	return what + " " + name
}

// typePrefix begins the type of every event of ours.
const typePrefix = "care.footbridge."
