package telemetry

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const traceParentLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// InjectTraceParent returns the W3C traceparent and tracestate of the span in ctx; both empty outside of one.
func InjectTraceParent(ctx context.Context) (traceparent, tracestate string) {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsValid() {
		return "", ""
	}
	id, span := s.TraceID(), s.SpanID()
	var text [traceParentLength]byte
	copy(text[:], "00-")
	hex.Encode(text[3:35], id[:])
	text[35] = '-'
	hex.Encode(text[36:52], span[:])
	copy(text[52:], "-00")
	if s.IsSampled() {
		text[54] = '1'
	}
	return string(text[:]), s.TraceState().String()
}

// ContextFrom returns ctx with the span that a traceparent names as its remote parent; ctx itself when traceparent
// is empty or malformed, so that a new trace begins.
func ContextFrom(ctx context.Context, traceparent, tracestate string) context.Context {
	s, ok := parse(traceparent, tracestate)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, s)
}

// LinkFrom returns a link to the span that a traceparent names, with attributes such as the id that its trace is
// found by; false when traceparent is empty or malformed.
func LinkFrom(traceparent string, attributes ...attribute.KeyValue) (trace.Link, bool) {
	s, ok := parse(traceparent, "")
	return trace.Link{SpanContext: s, Attributes: attributes}, ok
}

// parse reads version 00, and later versions by their first four fields, as the W3C recommendation says. A tracestate
// that cannot be read is left out; the trace goes on.
func parse(traceparent, tracestate string) (trace.SpanContext, bool) {
	t := traceparent
	if len(t) < traceParentLength || t[2] != '-' || t[35] != '-' || t[52] != '-' ||
		t[:2] == "ff" || (t[:2] == "00" && len(t) != traceParentLength) ||
		(len(t) > traceParentLength && t[55] != '-') {
		return trace.SpanContext{}, false
	}
	var c trace.SpanContextConfig
	var version, flags [1]byte
	if !lowerHex(version[:], t[:2]) || !lowerHex(c.TraceID[:], t[3:35]) || !lowerHex(c.SpanID[:], t[36:52]) ||
		!lowerHex(flags[:], t[53:55]) {
		return trace.SpanContext{}, false
	}
	c.TraceFlags = trace.TraceFlags(flags[0]) & trace.FlagsSampled
	c.Remote = true
	if tracestate != "" {
		if state, err := trace.ParseTraceState(tracestate); err == nil {
			c.TraceState = state
		}
	}
	s := trace.NewSpanContext(c)
	return s, s.IsValid()
}

func lowerHex(into []byte, text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(into, []byte(text))
	return err == nil
}
