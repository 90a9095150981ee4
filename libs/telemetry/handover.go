package telemetry

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// ErrRefused says that the taker of spans will not have a batch however often it comes: it is dropped and counted.
var ErrRefused = errors.New("the spans were refused")

// HandOverConfig says where a process hands its spans over. Take is needed.
type HandOverConfig struct {
	// Take takes a batch in. An error other than ErrRefused means later: the batch is offered again, and what comes
	// meanwhile waits in the queue until that is full.
	Take func(ctx context.Context, spans []*tracepb.ResourceSpans) error
	// LinkKey is the attribute, of spans or of their links, by whose value traces belong together: the same values are
	// kept by every process.
	LinkKey string
	// Queue is how many spans wait at most (8,192); PerSecond how many spans and links a second are kept before fewer
	// values are (2,000); Slow from when on a span is kept whatever it is about (1 second).
	Queue, PerSecond int
	Slow             time.Duration
	// Every is how often what has gathered is handed over (1 second).
	Every time.Duration
	// Over is for how long is counted before it is seen whether fewer values must be kept (1 second).
	Over time.Duration
	// Halved is how often the values that are kept are halved from the beginning (0).
	Halved int
}

// HandOver hands the spans of a process over in batches, beside the work and never in its way: what finds the queue
// full is dropped and counted.
//
// Where more is done in a second than PerSecond, it keeps the spans of half as many values of the link key, then of a
// quarter, and so on: those whose hash begins with so many zeros. Every process keeps the same ones, so that what is
// kept of a value is whole. Spans that are about no value go by their trace. What failed or was slow is kept too, as
// long as a second holds no more than twice PerSecond.
type HandOver struct {
	cfg   HandOverConfig
	key   attribute.Key
	queue chan sdktrace.ReadOnlySpan
	flush chan chan struct{}
	halve atomic.Int32 // how many times the values that are kept were halved
	kept  atomic.Int64 // spans and links of this second

	dropped, refused, left, handed atomic.Int64

	stop context.CancelFunc
	once sync.Once
	done chan struct{}
}

// NewHandOver starts handing over; Close ends it.
func NewHandOver(cfg HandOverConfig) *HandOver {
	cfg.Queue, cfg.PerSecond = cmp.Or(cfg.Queue, 8192), cmp.Or(cfg.PerSecond, 2000)
	cfg.Slow = cmp.Or(cfg.Slow, time.Second)
	cfg.Every, cfg.Over = cmp.Or(cfg.Every, time.Second), cmp.Or(cfg.Over, time.Second)
	ctx, stop := context.WithCancel(context.Background())
	h := &HandOver{cfg: cfg, key: attribute.Key(cfg.LinkKey), queue: make(chan sdktrace.ReadOnlySpan, cfg.Queue),
		flush: make(chan chan struct{}), stop: stop, done: make(chan struct{})}
	h.halve.Store(int32(cfg.Halved))
	go h.run(ctx)
	return h
}

// HandedOver is what became of the spans of a process so far.
type HandedOver struct {
	// Handed were taken; Dropped found the queue full, or the process ended; Refused were not wanted; Left were left
	// out since more was done than is kept.
	Handed, Dropped, Refused, Left int64
}

// Counts says what became of the spans so far.
func (h *HandOver) Counts() HandedOver {
	return HandedOver{Handed: h.handed.Load(), Dropped: h.dropped.Load(), Refused: h.refused.Load(),
		Left: h.left.Load()}
}

// OnStart implements sdktrace.SpanProcessor.
func (h *HandOver) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues a span that is to be kept; it never waits.
func (h *HandOver) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	s, weight := h.choose(s)
	if s == nil {
		h.left.Add(1)
		return
	}
	select {
	case h.queue <- s:
		h.kept.Add(int64(weight))
	default:
		h.dropped.Add(1)
	}
}

// Shutdown implements sdktrace.SpanProcessor. One taker serves several services: Close ends it.
func (h *HandOver) Shutdown(ctx context.Context) error { return h.ForceFlush(ctx) }

// ForceFlush hands over what is queued.
func (h *HandOver) ForceFlush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case h.flush <- flushed:
	case <-h.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-flushed:
		return nil
	case <-h.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the handing over; what was not taken by then is dropped. Spans that end later are dropped too.
func (h *HandOver) Close() {
	h.once.Do(h.stop)
	<-h.done
}

// choose returns the span, with the links only that are kept, and its weight; nil where it is left out.
func (h *HandOver) choose(s sdktrace.ReadOnlySpan) (sdktrace.ReadOnlySpan, int) {
	halved := int(h.halve.Load())
	if halved == 0 {
		return s, 1 + len(s.Links())
	}
	notable := s.Status().Code == codes.Error || s.EndTime().Sub(s.StartTime()) >= h.cfg.Slow
	if notable && h.kept.Load() >= 2*int64(h.cfg.PerSecond) {
		notable = false
	}
	links := s.Links()
	about, mine := h.about(s.Attributes(), halved)
	var chosen []sdktrace.Link
	for _, link := range links {
		named, kept := h.about(link.Attributes, halved)
		about, mine = about || named, mine || kept
		if kept || !named {
			chosen = append(chosen, link)
		}
	}
	if !about {
		id := s.SpanContext().TraceID()
		mine = keeps(id[:], halved)
	}
	if !mine && !notable {
		return nil, 0
	}
	if len(chosen) < len(links) {
		s = &filteredSpan{ReadOnlySpan: s, attributes: s.Attributes(), events: s.Events(), links: chosen}
	}
	return s, 1 + len(chosen)
}

// about says whether attributes name a value of the link key, and whether it is one that is kept.
func (h *HandOver) about(attributes []attribute.KeyValue, halved int) (named, kept bool) {
	for _, kv := range attributes {
		if kv.Key != h.key {
			continue
		}
		switch kv.Value.Type() {
		case attribute.STRING:
			named, kept = true, kept || keeps([]byte(kv.Value.AsString()), halved)
		case attribute.STRINGSLICE:
			for _, value := range kv.Value.AsStringSlice() {
				named, kept = true, kept || keeps([]byte(value), halved)
			}
		}
	}
	return named, kept
}

// keeps says whether a value is among those that are kept after so many halvings: FNV-1a of 64 bits, mixed, begins with
// as many zeros.
func keeps(value []byte, halved int) bool {
	hash := uint64(14695981039346656037)
	for _, b := range value {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	hash ^= hash >> 33
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	return hash>>(64-halved) == 0 // a shift by 64 gives 0: nothing is halved
}

// batchSpans is how many spans are handed over at once.
const batchSpans = 512

func (h *HandOver) run(ctx context.Context) {
	defer close(h.done)
	exporter := otlptrace.NewUnstarted(taker{h})
	tick := time.NewTicker(h.cfg.Every)
	defer tick.Stop()
	var batch []sdktrace.ReadOnlySpan
	hand := func() {
		if len(batch) > 0 {
			_ = exporter.ExportSpans(ctx, batch) // taker has counted
		}
		batch = batch[:0]
	}
	drain := func() {
		for len(h.queue) > 0 {
			if batch = append(batch, <-h.queue); len(batch) == batchSpans {
				hand()
			}
		}
		hand()
	}
	second := time.Now()
	for {
		select {
		case <-ctx.Done():
			h.dropped.Add(int64(len(h.queue) + len(batch)))
			return
		case s := <-h.queue:
			if batch = append(batch, s); len(batch) == batchSpans {
				hand()
			}
		case flushed := <-h.flush:
			drain()
			close(flushed)
		case <-tick.C:
			hand()
		}
		if now := time.Now(); now.Sub(second) >= h.cfg.Over {
			h.adjust(now.Sub(second))
			second = now
		}
	}
}

// adjust keeps fewer values where more was kept in the time that passed than may be, and more where it was far less.
func (h *HandOver) adjust(passed time.Duration) {
	rate := float64(h.kept.Swap(0)) / passed.Seconds()
	h.halve.Store(int32(halvings(int(h.halve.Load()), rate, h.cfg.PerSecond)))
}

// mostHalved is how often values are halved at most: one of a million is kept.
const mostHalved = 20

// halvings is how often the values that are kept are to be halved, where they were so often and made so many spans and
// links a second. Between a quarter of the most and the most it stays, so that it does not swing.
func halvings(now int, rate float64, most int) int {
	switch {
	case rate > float64(most):
		return min(now+1, mostHalved)
	case rate < float64(most)/4:
		return max(now-1, 0)
	}
	return now
}

// taker is the client of the exporter that turns spans into OTLP.
type taker struct{ h *HandOver }

func (taker) Start(context.Context) error { return nil }
func (taker) Stop(context.Context) error  { return nil }

// UploadTraces offers a batch until it is taken, refused, or the process ends.
func (t taker) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	n := int64(0)
	for _, group := range spans {
		for _, scope := range group.GetScopeSpans() {
			n += int64(len(scope.GetSpans()))
		}
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := t.h.cfg.Take(ctx, spans)
		switch {
		case err == nil:
			t.h.handed.Add(n)
			return nil
		case errors.Is(err, ErrRefused):
			t.h.refused.Add(n)
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			t.h.dropped.Add(n)
			return err
		case <-timer.C:
		}
	}
}
