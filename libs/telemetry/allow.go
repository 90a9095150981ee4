package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// StandardAttributes may always leave: keys of the OpenTelemetry conventions whose values are set by libraries or
// constants and say nothing about anyone. Paths, queries, full URLs, addresses of clients, statements and messages
// of exceptions are left out on purpose.
var StandardAttributes = []string{
	"service", "service.name", "service.version", "service.instance.id", "component", "components",
	"component.waits_for", "signal",
	"error", "error.type", "exception.type", "panic", "stack", "code.function.name",
	"http.request.method", "http.response.status_code", "http.route", "url.scheme", "network.protocol.version",
	"db.system.name", "db.operation.name", "db.operation.batch.size", "db.response.status_code", "db.collection.name",
	"messaging.system", "messaging.operation.name", "messaging.operation.type", "messaging.destination.name",
	"messaging.consumer.group.name", "messaging.batch.message_count", "messaging.message.id",
	"messaging.message.body.size",
	"trace_id", "span_id", "attribute.key",
}

// allowed is a service's allow-list. A key it does not hold is dropped, and named in the log the first time.
type allowed struct {
	keys  map[string]struct{}
	scrub func(string) string
	log   *slog.Logger

	mu       sync.Mutex
	reported map[string]struct{}
}

// maxReported bounds how many keys are named, in case somebody makes keys from values.
const maxReported = 100

func newAllowed(keys []string, scrub func(string) string) *allowed {
	a := &allowed{keys: map[string]struct{}{}, scrub: scrub, reported: map[string]struct{}{}}
	for _, list := range [][]string{StandardAttributes, keys} {
		for _, key := range list {
			a.keys[key] = struct{}{}
		}
	}
	return a
}

func (a *allowed) has(key string) bool {
	_, ok := a.keys[key]
	return ok
}

// attribute is the filter in the form of the metrics SDK.
func (a *allowed) attribute(kv attribute.KeyValue) bool { return a.has(string(kv.Key)) }

// report names a dropped key in the log once, so that whoever added it finds it.
func (a *allowed) report(key string) {
	a.mu.Lock()
	_, told := a.reported[key]
	if told || len(a.reported) >= maxReported {
		a.mu.Unlock()
		return
	}
	a.reported[key] = struct{}{}
	a.mu.Unlock()
	if a.log != nil {
		a.log.Warn("an attribute is not on the allow-list and was dropped", "attribute.key", key)
	}
}

// keep returns the attributes that may leave; the same slice when that is all of them.
func (a *allowed) keep(attributes []attribute.KeyValue) []attribute.KeyValue {
	for i, kv := range attributes {
		if a.attribute(kv) {
			continue
		}
		kept := append([]attribute.KeyValue(nil), attributes[:i]...)
		for _, kv := range attributes[i:] {
			if a.attribute(kv) {
				kept = append(kept, kv)
			} else {
				a.report(string(kv.Key))
			}
		}
		return kept
	}
	return attributes
}

// filterProcessor gives finished spans on with only what may leave.
type filterProcessor struct {
	allowed *allowed
	next    []sdktrace.SpanProcessor
}

func (f *filterProcessor) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	for _, next := range f.next {
		next.OnStart(ctx, s)
	}
}

func (f *filterProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	s = f.allowed.filter(s)
	for _, next := range f.next {
		next.OnEnd(s)
	}
}

func (f *filterProcessor) Shutdown(ctx context.Context) error {
	return each(ctx, collect(f.next, func(p sdktrace.SpanProcessor) func(context.Context) error { return p.Shutdown }))
}

func (f *filterProcessor) ForceFlush(ctx context.Context) error {
	return each(ctx, collect(f.next,
		func(p sdktrace.SpanProcessor) func(context.Context) error { return p.ForceFlush }))
}

func collect[T, U any](from []T, f func(T) U) []U {
	into := make([]U, 0, len(from))
	for _, t := range from {
		into = append(into, f(t))
	}
	return into
}

// filteredSpan is a span with some of it taken away.
type filteredSpan struct {
	sdktrace.ReadOnlySpan
	attributes []attribute.KeyValue
	events     []sdktrace.Event
	links      []sdktrace.Link
}

func (s *filteredSpan) Attributes() []attribute.KeyValue { return s.attributes }
func (s *filteredSpan) Events() []sdktrace.Event         { return s.events }
func (s *filteredSpan) Links() []sdktrace.Link           { return s.links }

// Status keeps the code. Its description is an error's text, which may quote anything.
func (s *filteredSpan) Status() sdktrace.Status {
	return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code}
}

func (a *allowed) filter(s sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	f := filteredSpan{ReadOnlySpan: s, attributes: a.keep(s.Attributes()), events: s.Events(), links: s.Links()}
	changed := len(f.attributes) != len(s.Attributes()) || s.Status().Description != ""
	for i, event := range f.events {
		if kept := a.keep(event.Attributes); len(kept) != len(event.Attributes) {
			changed = true
			f.events = copied(f.events, s.Events())
			f.events[i].Attributes = kept
		}
	}
	for i, link := range f.links {
		if kept := a.keep(link.Attributes); len(kept) != len(link.Attributes) {
			changed = true
			f.links = copied(f.links, s.Links())
			f.links[i].Attributes = kept
		}
	}
	if !changed {
		return s
	}
	return &f
}

// copied returns list, or a copy of it while it still is the original.
func copied[T any](list, original []T) []T {
	if &list[0] == &original[0] {
		return append([]T(nil), original...)
	}
	return list
}
