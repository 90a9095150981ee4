package telemetry

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Span is one piece of work as it is shown: where, what, when, how long, and what it came from.
type Span struct {
	// TraceID is the trace's, in hexadecimal.
	TraceID string `json:"trace_id"`
	// SpanID is its own within the trace.
	SpanID string `json:"span_id"`
	// ParentID is the span that it is part of.
	ParentID string `json:"parent_id,omitempty"`
	// Service did it.
	Service string `json:"service"`
	// Name is the kind of work.
	Name string `json:"name"`
	// Kind is internal, server, client, producer or consumer.
	Kind string `json:"kind"`
	// Start is when it began.
	Start time.Time `json:"start"`
	// Duration is how long it took, in nanoseconds.
	Duration time.Duration `json:"duration_ns"`
	// Failed says that it failed.
	Failed bool `json:"failed,omitempty"`
	// Attributes are codes, ids and counts by name.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Links are what led to it.
	Links []SpanLink `json:"links,omitempty"`
}

// SpanLink points to a span, usually of another trace, that led to this one.
type SpanLink struct {
	// TraceID is the trace that it points to, in hexadecimal.
	TraceID string `json:"trace_id"`
	// SpanID is the span of that trace.
	SpanID string `json:"span_id"`
	// Attributes say for what, such as which journey.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// assembly puts spans together that came in parts: by trace, and by the values of the link key that they name.
type assembly struct {
	key     attribute.Key
	allowed *allowed
	all     []*record
	byTrace map[trace.TraceID]*traceSpans
	byValue map[string]map[trace.TraceID]struct{}
}

type record struct {
	trace         trace.TraceID
	id, parent    trace.SpanID
	service, name string
	kind          trace.SpanKind
	failed        bool
	start, end    int64 // nanoseconds since 1970
	attributes    []attribute.KeyValue
	links         []sdktrace.Link
}

// traceSpans are the spans of one trace, by arrival.
type traceSpans struct{ spans []*record }

func newAssembly(linkKey string, allowedKeys []string) *assembly {
	return &assembly{key: attribute.Key(linkKey), allowed: newAllowed(append([]string{linkKey}, allowedKeys...), nil),
		byTrace: map[trace.TraceID]*traceSpans{}, byValue: map[string]map[trace.TraceID]struct{}{}}
}

func (s *assembly) add(records ...*record) {
	for _, r := range records {
		s.all = append(s.all, r)
		t := s.byTrace[r.trace]
		if t == nil {
			t = &traceSpans{}
			s.byTrace[r.trace] = t
		}
		t.spans = append(t.spans, r)
		s.index(r)
	}
}

// index files a span's trace under each value that it or one of its links names.
func (s *assembly) index(r *record) {
	file := func(value string) {
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

func (s *assembly) eachValue(attributes []attribute.KeyValue, do func(string)) {
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

// everything returns every span, by start.
func (s *assembly) everything() []Span {
	var spans []Span
	for _, r := range s.all {
		spans = append(spans, s.show(r, ""))
	}
	return sorted(spans)
}

// linked returns the spans of all traces that name value under the link key, or are linked to as value's, by start.
// A batch's trace serves many values at once: what is only another value's is left out, and other values' links are
// cut off the spans that remain.
func (s *assembly) linked(value string) []Span {
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

func (s *assembly) about(attributes []attribute.KeyValue, value string) concern {
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
func (s *assembly) of(t *traceSpans, value string) []*record {
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

func (s *assembly) spanAbout(r *record, value string) concern {
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
func (s *assembly) show(r *record, value string) Span {
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

func (s *assembly) showAttributes(attributes []attribute.KeyValue, value string) map[string]string {
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
