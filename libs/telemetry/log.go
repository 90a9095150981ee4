package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// NotAllowed stands in a log for a value that may not leave.
const NotAllowed = "[not allowed]"

func (t *Telemetry) startLogs(ctx context.Context, c Config, res *resource.Resource, allowed *allowed) error {
	options := &slog.HandlerOptions{Level: c.Level}
	var local slog.Handler = slog.NewJSONHandler(c.Output, options)
	if c.Text {
		local = slog.NewTextHandler(c.Output, options)
	}
	local = local.WithAttrs([]slog.Attr{slog.String("service", c.Service)})
	out := local
	exporter, err := logExporter(ctx, c.Getenv, slog.New(&allowHandler{next: local, allowed: allowed}))
	if err != nil {
		return err
	}
	if exporter != nil {
		provider := sdklog.NewLoggerProvider(sdklog.WithResource(res),
			sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
		t.stops = append(t.stops, provider.Shutdown)
		t.flushes = append(t.flushes, provider.ForceFlush)
		out = slog.NewMultiHandler(local,
			atLeast{c.Level, otelslog.NewHandler(c.Service, otelslog.WithLoggerProvider(provider))})
	}
	t.Log = slog.New(&allowHandler{next: out, allowed: allowed})
	return nil
}

// atLeast holds back what is below the level; otelslog has none of its own.
type atLeast struct {
	level slog.Leveler
	slog.Handler
}

func (h atLeast) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.level, h.Handler.WithAttrs(attrs)}
}

// allowHandler gives on records whose attributes are on the allow-list, flat (a group's name becomes part of the
// key), with the trace they belong to.
type allowHandler struct {
	next    slog.Handler
	allowed *allowed
	prefix  string // the open groups, each with a dot
}

func (h *allowHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *allowHandler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		clean.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	record.Attrs(func(attr slog.Attr) bool {
		clean.AddAttrs(h.clean(h.prefix, attr, nil)...)
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h *allowHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var clean []slog.Attr
	for _, attr := range attrs {
		clean = h.clean(h.prefix, attr, clean)
	}
	return &allowHandler{next: h.next.WithAttrs(clean), allowed: h.allowed, prefix: h.prefix}
}

func (h *allowHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &allowHandler{next: h.next, allowed: h.allowed, prefix: h.prefix + name + "."}
}

// clean appends attr to into, with its groups opened and its value as it may be shown.
func (h *allowHandler) clean(prefix string, attr slog.Attr, into []slog.Attr) []slog.Attr {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, member := range value.Group() {
			into = h.clean(prefix, member, into)
		}
		return into
	}
	if attr.Key == "" && value.Any() == nil {
		return into
	}
	key := prefix + attr.Key
	if !h.allowed.has(key) {
		return append(into, slog.String(key, NotAllowed))
	}
	return append(into, slog.Attr{Key: key, Value: h.plain(value)})
}

// plain shows single values, errors and what has a String method of its own. A struct, map or list could carry
// anything, whatever its key, and is not shown.
func (h *allowHandler) plain(value slog.Value) slog.Value {
	if value.Kind() != slog.KindAny {
		return value
	}
	switch v := value.Any().(type) {
	case nil:
		return value
	case error:
		return slog.StringValue(h.scrubbed(v.Error()))
	case time.Time, time.Duration:
		return value
	case fmt.Stringer:
		return slog.StringValue(v.String())
	default:
		return slog.StringValue(NotAllowed)
	}
}

func (h *allowHandler) scrubbed(text string) string {
	if h.allowed.scrub == nil {
		return text
	}
	return h.allowed.scrub(text)
}
