package traces

import (
	"maps"
	"net/http"
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"footbridge/libs/clock"
	"footbridge/libs/ics"
	"footbridge/schemas"
)

// sieve lets through of a span what may be kept. Processes filter what leaves them; this is for what comes from
// elsewhere, or from a process that does not.
type sieve struct {
	keys map[string]bool
	work *schemas.Work
}

// libraryKeys are attributes that libraries set beside those of schemas.
var libraryKeys = []string{"exception.type", "code.function.name", "db.operation.batch.size", "db.collection.name",
	"messaging.message.body.size", "footbridge.applied"}

func newSieve(pages []schemas.Route) *sieve {
	signedOff := schemas.Route{Method: http.MethodPost, Pattern: ics.OffPath}
	s := &sieve{map[string]bool{}, schemas.NewWork(append(slices.Clone(pages), signedOff))}
	for _, key := range slices.Concat(schemas.AllowedOnSpans(), libraryKeys) {
		s.keys[key] = true
	}
	return s
}

// listed are the keys that may be shown.
func (s *sieve) listed() []string { return slices.Sorted(maps.Keys(s.keys)) }

// unknown stands for a service that is none.
const unknown = "unknown"

// processName is what is no service's own in a process: the beginning and the end.
const processName = "footbridge"

func (s *sieve) service(group *tracepb.ResourceSpans) string {
	for _, kv := range group.GetResource().GetAttributes() {
		name := kv.GetValue().GetStringValue()
		if kv.GetKey() == schemas.AttrServiceName && (name == processName || schemas.IsTraced(name)) {
			return name
		}
	}
	return unknown
}

// span takes away what may not be kept: attributes of other names or with values that cannot be theirs, events but for
// exceptions (of which the kind stays), the text of the status, what a caller's tracing system wrote of its own
// (tracestate), and a name that is of no known work.
func (s *sieve) span(span *tracepb.Span) {
	if !s.work.Knows(span.GetName()) {
		span.Name = schemas.OtherWork
	}
	span.Attributes = s.attributes(span.Attributes)
	span.Events = slices.DeleteFunc(span.Events, func(e *tracepb.Span_Event) bool { return e.GetName() != "exception" })
	for _, event := range span.Events {
		event.Attributes = s.attributes(event.Attributes)
	}
	for _, link := range span.Links {
		link.Attributes, link.TraceState = s.attributes(link.Attributes), ""
	}
	span.TraceState = ""
	if span.Status != nil {
		span.Status.Message = ""
	}
}

func (s *sieve) attributes(all []*commonpb.KeyValue) []*commonpb.KeyValue {
	return slices.DeleteFunc(all, func(kv *commonpb.KeyValue) bool {
		if !s.keys[kv.GetKey()] {
			return true
		}
		switch value := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			return !s.may(kv.GetKey(), value.StringValue)
		case *commonpb.AnyValue_ArrayValue:
			return slices.ContainsFunc(value.ArrayValue.GetValues(), func(one *commonpb.AnyValue) bool {
				_, text := one.GetValue().(*commonpb.AnyValue_StringValue)
				return !text || !s.may(kv.GetKey(), one.GetStringValue())
			})
		case *commonpb.AnyValue_BytesValue, *commonpb.AnyValue_KvlistValue:
			return true
		}
		return false
	})
}

// longest is how many bytes a value has at most: codes and ids are short.
const longest = 128

// may says whether an attribute may have this value.
func (s *sieve) may(key, value string) bool {
	switch key {
	case schemas.AttrJourney, schemas.AttrEventID, schemas.AttrMessage:
		return clock.IsID(value)
	case schemas.AttrEventType:
		return s.work.KnowsType(value)
	case schemas.AttrHTTPRoute:
		return s.work.KnowsRoute(value)
	}
	return len(value) <= longest
}
