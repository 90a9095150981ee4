package telemetry

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Span is one piece of work as it is shown: where, what, when, how long, and what it came from.
type Span struct {
	TraceID    string            `json:"trace_id"`
	SpanID     string            `json:"span_id"`
	ParentID   string            `json:"parent_id,omitempty"`
	Service    string            `json:"service"`
	Name       string            `json:"name"`
	Kind       string            `json:"kind"`
	Start      time.Time         `json:"start"`
	Duration   time.Duration     `json:"duration_ns"`
	Failed     bool              `json:"failed,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Links      []SpanLink        `json:"links,omitempty"`
}

// SpanLink points to a span, usually of another trace, that led to this one.
type SpanLink struct {
	TraceID    string            `json:"trace_id"`
	SpanID     string            `json:"span_id"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// StoreConfig bounds a SpanStore.
type StoreConfig struct {
	// LinkKey is the attribute, of spans or of their links, by whose value traces belong together over weeks.
	LinkKey string
	// Most is how many spans and links are kept, counted together (200,000); MaxAge for how long (24 hours).
	Most   int
	MaxAge time.Duration
	// Allowed is the allow-list for spans that other processes send in, beside LinkKey and StandardAttributes.
	Allowed []string
	// Now is time.Now unless a test says otherwise.
	Now func() time.Time
}

// SpanStore keeps the latest spans in memory, for a machine without a collector. It forgets the oldest first, and
// all with the process.
type SpanStore struct {
	key     attribute.Key
	most    int
	maxAge  time.Duration
	now     func() time.Time
	allowed *allowed

	mu      sync.Mutex
	queue   []*record // by arrival; the first live one is at head
	head    int
	weight  int
	byTrace map[trace.TraceID]*traceSpans
	byValue map[string]map[trace.TraceID]struct{}
	names   map[string]string
}

type record struct {
	trace         trace.TraceID
	id, parent    trace.SpanID
	service, name string
	kind          trace.SpanKind
	failed        bool
	start, end    int64 // nanoseconds since 1970
	arrived       int64
	attributes    []attribute.KeyValue
	links         []sdktrace.Link
}

// traceSpans are the spans of one trace by arrival, and the values of the link key that they name.
type traceSpans struct {
	spans  []*record
	values map[string]struct{}
}

// NewSpanStore makes an empty store.
func NewSpanStore(c StoreConfig) *SpanStore {
	if c.Most == 0 {
		c.Most = 200_000
	}
	if c.MaxAge == 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &SpanStore{key: attribute.Key(c.LinkKey), most: c.Most, maxAge: c.MaxAge, now: c.Now,
		allowed: newAllowed(append([]string{c.LinkKey}, c.Allowed...), nil),
		byTrace: map[trace.TraceID]*traceSpans{}, byValue: map[string]map[trace.TraceID]struct{}{},
		names: map[string]string{}}
}

// Len is how many spans are kept.
func (s *SpanStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) - s.head
}

type storeProcessor struct{ store *SpanStore }

func (p storeProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (p storeProcessor) Shutdown(context.Context) error                  { return nil }
func (p storeProcessor) ForceFlush(context.Context) error                { return nil }
func (p storeProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	service, _ := s.Resource().Set().Value("service.name")
	p.store.add(&record{trace: s.SpanContext().TraceID(), id: s.SpanContext().SpanID(), parent: s.Parent().SpanID(),
		service: service.AsString(), name: s.Name(), kind: s.SpanKind(), failed: s.Status().Code == codes.Error,
		start: s.StartTime().UnixNano(), end: s.EndTime().UnixNano(), attributes: s.Attributes(), links: s.Links()})
}

func (s *SpanStore) add(records ...*record) {
	now := s.now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		r.arrived = now
		s.queue = append(s.queue, r)
		s.weight += 1 + len(r.links)
		t := s.byTrace[r.trace]
		if t == nil {
			t = &traceSpans{}
			s.byTrace[r.trace] = t
		}
		t.spans = append(t.spans, r)
		s.index(t, r)
	}
	s.evict(now)
}

// index files a span's trace under each value that it or one of its links names.
func (s *SpanStore) index(t *traceSpans, r *record) {
	file := func(value string) {
		if t.values == nil {
			t.values = map[string]struct{}{}
		}
		t.values[value] = struct{}{}
		if s.byValue[value] == nil {
			s.byValue[value] = map[trace.TraceID]struct{}{}
		}
		s.byValue[value][r.trace] = struct{}{}
	}
	s.eachValue(r.attributes, file)
	for _, link := range r.links {
		s.eachValue(link.Attributes, file)
	}
}

func (s *SpanStore) eachValue(attributes []attribute.KeyValue, do func(string)) {
	for _, kv := range attributes {
		if kv.Key != s.key {
			continue
		}
		switch kv.Value.Type() {
		case attribute.STRING:
			do(kv.Value.AsString())
		case attribute.STRINGSLICE:
			for _, value := range kv.Value.AsStringSlice() {
				do(value)
			}
		}
	}
}

func (s *SpanStore) evict(now int64) {
	oldest := now - int64(s.maxAge)
	for s.head < len(s.queue) && (s.weight > s.most || s.queue[s.head].arrived < oldest) {
		s.forget(s.queue[s.head])
		s.queue[s.head] = nil
		s.head++
	}
	if s.head > 1024 && s.head > len(s.queue)/2 {
		s.queue = append(make([]*record, 0, len(s.queue)), s.queue[s.head:]...)
		s.head = 0
	}
}

// forget removes the oldest span; it is the first of its trace, since both are in order of arrival.
func (s *SpanStore) forget(r *record) {
	s.weight -= 1 + len(r.links)
	t := s.byTrace[r.trace]
	t.spans[0] = nil
	t.spans = t.spans[1:]
	if len(t.spans) > 0 {
		return
	}
	delete(s.byTrace, r.trace)
	for value := range t.values {
		delete(s.byValue[value], r.trace)
		if len(s.byValue[value]) == 0 {
			delete(s.byValue, value)
		}
	}
}

// Trace returns the spans of a trace, given by its id in hexadecimal, by start.
func (s *SpanStore) Trace(id string) []Span {
	var key trace.TraceID
	if n, err := hex.Decode(key[:], []byte(strings.ToLower(id[:min(len(id), 32)]))); err != nil || n != len(key) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict(s.now().UnixNano())
	t := s.byTrace[key]
	if t == nil {
		return nil
	}
	var spans []Span
	for _, r := range t.spans {
		spans = append(spans, s.show(r, ""))
	}
	return sorted(spans)
}

// Linked returns the spans of all traces that name value under the link key, or are linked to as value's, by start.
// A batch's trace serves many values at once: what is only another value's is left out, and other values' links are
// cut off the spans that remain.
func (s *SpanStore) Linked(value string) []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict(s.now().UnixNano())
	seen := map[trace.TraceID]bool{}
	var open []trace.TraceID
	for id := range s.byValue[value] {
		open = append(open, id)
	}
	var spans []Span
	for len(open) > 0 {
		id := open[0]
		open = open[1:]
		t := s.byTrace[id]
		if seen[id] || t == nil {
			continue
		}
		seen[id] = true
		for _, r := range s.of(t, value) {
			spans = append(spans, s.show(r, value))
			for _, link := range r.links {
				if s.about(link.Attributes, value) == mine {
					open = append(open, link.SpanContext.TraceID())
				}
			}
		}
	}
	return sorted(spans)
}

// concern is whether attributes name a value, only others, or none.
type concern int

const (
	nobodys concern = iota
	mine
	others
)

func (s *SpanStore) about(attributes []attribute.KeyValue, value string) concern {
	found := nobodys
	s.eachValue(attributes, func(named string) {
		if named == value {
			found = mine
		} else if found == nobodys {
			found = others
		}
	})
	return found
}

// of returns the spans of a trace but for those that name only other values, and what lies below them.
func (s *SpanStore) of(t *traceSpans, value string) []*record {
	byID := make(map[trace.SpanID]*record, len(t.spans))
	for _, r := range t.spans {
		byID[r.id] = r
	}
	return slices.DeleteFunc(slices.Clone(t.spans), func(r *record) bool {
		for depth := 0; r != nil && depth < len(t.spans); depth++ {
			if c := s.spanAbout(r, value); c != nobodys {
				return c == others
			}
			r = byID[r.parent]
		}
		return false
	})
}

func (s *SpanStore) spanAbout(r *record, value string) concern {
	found := s.about(r.attributes, value)
	for _, link := range r.links {
		if c := s.about(link.Attributes, value); c == mine || (found == nobodys && c == others) {
			found = c
		}
		if found == mine {
			break
		}
	}
	return found
}

// show makes a Span of a record; with a value, without the links and values of others.
func (s *SpanStore) show(r *record, value string) Span {
	span := Span{TraceID: r.trace.String(), SpanID: r.id.String(), Service: r.service, Name: r.name,
		Kind:  r.kind.String(),
		Start: time.Unix(0, r.start).UTC(), Duration: time.Duration(r.end - r.start), Failed: r.failed,
		Attributes: s.showAttributes(r.attributes, value)}
	if r.parent.IsValid() {
		span.ParentID = r.parent.String()
	}
	for _, link := range r.links {
		if value != "" && s.about(link.Attributes, value) == others {
			continue
		}
		span.Links = append(span.Links, SpanLink{TraceID: link.SpanContext.TraceID().String(),
			SpanID: link.SpanContext.SpanID().String(), Attributes: s.showAttributes(link.Attributes, value)})
	}
	return span
}

func (s *SpanStore) showAttributes(attributes []attribute.KeyValue, value string) map[string]string {
	if len(attributes) == 0 {
		return nil
	}
	shown := make(map[string]string, len(attributes))
	for _, kv := range attributes {
		shown[string(kv.Key)] = kv.Value.String()
		if value != "" && kv.Key == s.key {
			shown[string(kv.Key)] = value
		}
	}
	return shown
}

func sorted(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.SpanID, b.SpanID))
	})
	return spans
}
