// Package httpx is how services speak HTTP: handlers that return errors, errors that are RFC 9457 problems, bodies
// with a limit, lists with cursors, versions as ETags, and requests that may be sent twice.
//
// In comes a net/http request; out goes an answer that a caller can act on. Promises:
//   - every refusal is application/problem+json, with a detail that says what to do next and an instance that finds
//     the request again in log and trace;
//   - nothing of the inside leaves: an error that is not a *Problem, or a panic, answers 500 without its text;
//   - a body is never read beyond its limit, nor before its content type is known to be right;
//   - spans and metrics carry the route's pattern, never the path, the query, an address or a header.
//
// It does not know who is asking (package principal does) and stores nothing: flow.DoOnce keeps the requests that are
// done once.
package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"footbridge/libs/clock"
)

// Handler answers a request or returns why it did not. A *Problem (wrapped or not) is written as it is; any other
// error is logged and answered as a 500 that says nothing about it. After an error nothing may have been written.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Options are what a Mux needs from its service. All may be left zero.
type Options struct {
	Log     *slog.Logger
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
	Clock   clock.Clock
	// TrustCaller continues the caller's trace and request id. Set it only behind a door of our own: an outsider
	// could otherwise choose both. Without it a trace begins here, linked to the caller's.
	TrustCaller bool
}

// Mux routes requests by the patterns of http.ServeMux ("POST /api/orders/{id}/confirm"). Make one with NewMux.
type Mux struct {
	routes  *http.ServeMux
	log     *slog.Logger
	tracer  trace.Tracer
	took    metric.Float64Histogram
	clock   clock.Clock
	trusted bool
	around  []func(Handler) Handler
}

// NewMux returns a Mux without routes.
func NewMux(o Options) *Mux {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tracers == nil {
		o.Tracers = tracenoop.NewTracerProvider()
	}
	if o.Meters == nil {
		o.Meters = metricnoop.NewMeterProvider()
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	const scope = "footbridge/libs/httpx"
	took, err := o.Meters.Meter(scope).Float64Histogram("http.server.request.duration",
		metric.WithUnit("s"), metric.WithDescription("How long requests took, by route."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	if err != nil {
		o.Log.Error("a metric could not be made", "error", err)
		took = metricnoop.Float64Histogram{}
	}
	return &Mux{routes: http.NewServeMux(), log: o.Log, tracer: o.Tracers.Tracer(scope), took: took,
		clock: o.Clock, trusted: o.TrustCaller}
}

// Use puts something around every route added after it, the first one outermost.
func (m *Mux) Use(around ...func(Handler) Handler) { m.around = append(m.around, around...) }

// Handle adds a route. It panics, as http.ServeMux does, when the pattern is malformed or clashes with another.
func (m *Mux) Handle(pattern string, h Handler) {
	for _, around := range slices.Backward(m.around) {
		h = around(h)
	}
	m.routes.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answerOf(w)
		answer.matched = true
		m.serve(answer, r, h)
	}))
}

// HandleHTTP adds a route for a handler that writes its errors itself.
func (m *Mux) HandleHTTP(pattern string, h http.Handler) {
	m.Handle(pattern, func(w http.ResponseWriter, r *http.Request) error { h.ServeHTTP(w, r); return nil })
}

// ServeHTTP answers with the route's handler, or with a problem: 404 for an unknown path, 405 (with Allow) for an
// unknown method.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := m.requestID(r)
	w.Header().Set("X-Request-Id", id)
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
	answer := &answer{ResponseWriter: w}
	m.routes.ServeHTTP(answer, r)
	if answer.refused != 0 {
		answer.matched = true
		WriteProblem(answer, r, unrouted(answer.refused, w.Header().Get("Allow")))
	}
}

func unrouted(status int, allow string) *Problem {
	if status == http.StatusMethodNotAllowed {
		return NewProblem(status, "This path does not take this method. Use one of: %s.", allow)
	}
	return NewProblem(status, "Nothing is served under this path. Compare it with /openapi.json.")
}

// serve runs one handler within its span and turns what it returns, or its panic, into an answer.
func (m *Mux) serve(w *answer, r *http.Request, h Handler) {
	began := time.Now() // a duration, not a time of day: the system's clock may be shifted
	method, route := methodAndRoute(r)
	ctx, span := m.begin(r, method+" "+route)
	r = r.WithContext(ctx)
	end := sync.OnceFunc(func() { m.end(ctx, span, method, route, w.code(), time.Since(began)) })
	w.streaming = end
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				span.End()
				panic(p)
			}
			m.log.ErrorContext(ctx, "request handler panicked", "http.route", route, "panic", panicKind(p), "stack",
				string(debug.Stack()))
			m.fail(w, r, NewProblem(http.StatusInternalServerError, detail500))
		}
		end()
	}()
	if err := h(w, r); err != nil {
		problem := m.problemOf(ctx, err, route)
		m.fail(w, r, problem)
	}
}

func (m *Mux) fail(w *answer, r *http.Request, p *Problem) {
	if w.status != 0 {
		return // the answer has begun; all that is left is the log
	}
	WriteProblem(w, r, p)
}

func (m *Mux) begin(r *http.Request, name string) (context.Context, trace.Span) {
	ctx := r.Context()
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	remote := propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	if m.trusted {
		ctx = remote
	} else if caller := trace.SpanContextFromContext(remote); caller.IsRemote() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: caller}))
	}
	return m.tracer.Start(ctx, name, options...)
}

func (m *Mux) end(ctx context.Context, span trace.Span, method, route string, status int, took time.Duration) {
	attributes := []attribute.KeyValue{attribute.String("http.request.method", method),
		attribute.String("http.route", route), attribute.Int("http.response.status_code", status)}
	if status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attributes...)
	span.End()
	m.took.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
}

// methodAndRoute names the request without its path: a method of the standard ones, and the pattern without method
// and host.
func methodAndRoute(r *http.Request) (method, route string) {
	method = r.Method
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "_OTHER"
	}
	_, route, found := strings.Cut(r.Pattern, " ")
	if !found {
		route = r.Pattern
	}
	return method, strings.TrimSpace(route)
}

type requestKey struct{}

// RequestID returns the id of the request that ctx belongs to, a UUID, or "" outside of one. It is in the answer's
// X-Request-Id and in a problem's instance.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

func (m *Mux) requestID(r *http.Request) string {
	if given := r.Header.Get("X-Request-Id"); m.trusted && clock.IsID(given) {
		return given
	}
	return clock.NewID(m.clock.Now())
}

// answer remembers what was written and keeps back the plain text that http.ServeMux answers when no route matched.
type answer struct {
	http.ResponseWriter
	matched bool
	status  int
	refused int
	// streaming is called when a stream of events has begun: that is what took time; it then stands for as long as
	// somebody reads, and is not slow by that.
	streaming func()
}

func answerOf(w http.ResponseWriter) *answer {
	if a, ok := w.(*answer); ok {
		return a
	}
	return &answer{ResponseWriter: w}
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.matched && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		a.refused = status
		return
	}
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
	if a.streaming != nil && strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream") {
		a.streaming()
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.refused != 0 && !a.matched {
		return len(p), nil
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
