package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"footbridge/libs/telemetry"
)

const link = "example.story"

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func start(t testing.TB, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	if c.Service == "" {
		c.Service = "alpha"
	}
	if c.Getenv == nil {
		c.Getenv = env()
	}
	if c.Output == nil {
		c.Output = io.Discard
	}
	c.AllowedAttributes = append(c.AllowedAttributes, link)
	got, err := telemetry.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Shutdown(context.Background()) })
	return got
}

// kept is what was handed over.
type kept struct {
	*telemetry.HandOver

	mu   sync.Mutex
	sent tracepb.TracesData
}

func store(t testing.TB) *kept { return storeHalved(t, 0) }

func storeHalved(t testing.TB, halved int) *kept {
	t.Helper()
	k := &kept{}
	k.HandOver = telemetry.NewHandOver(telemetry.HandOverConfig{LinkKey: link, Halved: halved, Every: time.Hour,
		Over: time.Hour,
		Take: func(_ context.Context, spans []*tracepb.ResourceSpans) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.sent.ResourceSpans = append(k.sent.ResourceSpans, spans...)
			return nil
		}})
	t.Cleanup(k.Close)
	return k
}

// Linked are the spans of a value of the link key; of "", all.
func (k *kept) Linked(value string) []telemetry.Span {
	_ = k.ForceFlush(context.Background())
	k.mu.Lock()
	defer k.mu.Unlock()
	return telemetry.SpansOf(&k.sent, link, value, nil)
}

// Trace are those of one trace.
func (k *kept) Trace(id string) []telemetry.Span {
	return slices.DeleteFunc(k.Linked(""), func(s telemetry.Span) bool { return s.TraceID != id })
}

func TestOnlyAllowedAttributesLeaveOnASpan(t *testing.T) {
	t.Parallel()
	spans := store(t)
	var log bytes.Buffer
	tel := start(t, telemetry.Config{HandOver: spans.HandOver, Output: &log})
	ctx, caused := tel.Tracer("x").Start(context.Background(), "cause")
	caused.End()
	_, span := tel.Tracer("x").Start(ctx, "work", trace.WithLinks(trace.Link{SpanContext: caused.SpanContext(),
		Attributes: []attribute.KeyValue{attribute.String(link, "j1"), attribute.String("name", "Alice")}}))
	span.SetAttributes(attribute.String(link, "j1"), attribute.String("person", "Alice"),
		attribute.String("http.route", "/x"))
	span.AddEvent("seen", trace.WithAttributes(attribute.String("text", "Alice")))
	span.RecordError(errors.New("Alice is known already"))
	span.SetStatus(codes.Error, "Alice is known already")
	span.End()
	shown, err := json.Marshal(spans.Linked("j1"))
	if err != nil || strings.Contains(string(shown), "Alice") || !strings.Contains(string(shown), "http.route") ||
		!strings.Contains(string(shown), `"failed":true`) {
		t.Errorf("got %s, %v", shown, err)
	}
	if strings.Count(log.String(), `"attribute.key":"person"`) != 1 || strings.Contains(log.String(), "Alice") {
		t.Errorf("the dropped key is not named once: %s", log.String())
	}
}

func TestOnlyAllowedAttributesLeaveByOTLP(t *testing.T) {
	t.Parallel()
	received := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/base/v1/traces" {
			received <- body
		}
	}))
	t.Cleanup(collector.Close)
	tel := start(t, telemetry.Config{Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL+"/base/",
		"OTEL_METRICS_EXPORTER", "none", "OTEL_LOGS_EXPORTER", "none")})
	_, span := tel.Tracer("x").Start(context.Background(), "work")
	span.SetAttributes(attribute.String(link, "j1"), attribute.String("person", "Alice"))
	span.SetStatus(codes.Error, "Alice")
	span.RecordError(errors.New("Alice"))
	span.End()
	if err := tel.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	body := <-received
	var sent tracepb.TracesData
	if err := proto.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("Alice")) || !bytes.Contains(body, []byte("j1")) ||
		!bytes.Contains(body, []byte("alpha")) {
		t.Errorf("got %v", &sent)
	}
}

func TestALogLineCarriesTheTraceAndOnlyAllowedAttributes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tel := start(t, telemetry.Config{Output: &log, AllowedAttributes: []string{"rows", "http.status", "when", "who",
		"card"},
		Scrub: func(text string) string { return strings.ReplaceAll(text, "Alice", "*****") }})
	ctx, span := tel.Tracer("x").Start(context.Background(), "work")
	defer span.End()
	card := struct{ Name string }{"Alice"}
	tel.Log.With("person", "Alice").WithGroup("http").With("status", 200, "body", "Alice").WithGroup("deep").
		InfoContext(ctx, "something happened", "x", "Alice")
	tel.Log.InfoContext(ctx, "again", "rows", 3, "card", card, "error", fmt.Errorf("reading %w", errors.New("Alice")),
		slog.Group("http", "status", 201, "agent", "Alice"), "when", time.Minute, "who", valuer{})
	if strings.Contains(log.String(), "Alice") {
		t.Error(log.String())
	}
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	if l := lines[0]; l["trace_id"] != span.SpanContext().TraceID().String() || l["http.status"] != 200.0 ||
		l["person"] != telemetry.NotAllowed || l["service"] != "alpha" || l["http.deep.x"] != telemetry.NotAllowed {
		t.Errorf("got %v", l)
	}
	if l := lines[1]; l["rows"] != 3.0 || l["card"] != telemetry.NotAllowed || l["error"] != "reading *****" ||
		l["http.status"] != 201.0 || l["who"] != "redacted" {
		t.Errorf("got %v", l)
	}
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("redacted") }

func TestLogsLeaveByOTLPOnceFiltered(t *testing.T) {
	t.Parallel()
	received := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- body
	}))
	t.Cleanup(collector.Close)
	tel := start(t, telemetry.Config{Getenv: env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", collector.URL+"/v1/logs"),
		AllowedAttributes: []string{"rows"}})
	tel.Log.Debug("not at this level")
	tel.Log.Info("something happened", "rows", 3, "person", "Alice")
	if err := tel.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if body := <-received; !bytes.Contains(body, []byte("something happened")) ||
		bytes.Contains(body, []byte("Alice")) || bytes.Contains(body, []byte("this level")) {
		t.Errorf("got %q", body)
	}
}

func TestServicesOfOneProcessShareOneMetricsPage(t *testing.T) {
	t.Parallel()
	var services []*telemetry.Telemetry
	for _, name := range []string{"alpha", "beta"} {
		tel := start(t, telemetry.Config{Service: name, AllowedAttributes: []string{"outcome"}})
		counter, err := tel.Meter("x").Int64Counter("messages", metric.WithDescription("messages"))
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"Alice", "Bob"} {
			counter.Add(context.Background(), 1, metric.WithAttributes(attribute.String("outcome", "raised"),
				attribute.String("person", who)))
		}
		took, err := tel.Meter("x").Float64Histogram("took", metric.WithExplicitBucketBoundaries(0.25, 0.75))
		if err != nil {
			t.Fatal(err)
		}
		took.Record(context.Background(), 0.5)
		services = append(services, tel)
	}
	w := httptest.NewRecorder()
	telemetry.MetricsHandler(services...).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`messages_total{outcome="raised",service_name="alpha"} 2`,
		`messages_total{outcome="raised",service_name="beta"} 2`,
		`took_bucket{service_name="alpha",le="0.75"} 1`, "go_goroutines"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if w.Code != 200 || strings.Contains(w.Body.String(), "Alice") || strings.Contains(w.Body.String(), `le="10"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestSamplingIsByTheStandardVariables(t *testing.T) {
	t.Parallel()
	sampled := func(c telemetry.Config, ctx context.Context) bool {
		_, span := start(t, c).Tracer("x").Start(ctx, "work")
		defer span.End()
		return span.SpanContext().IsSampled()
	}
	parent := telemetry.ContextFrom(context.Background(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "")
	for name, c := range map[string]struct {
		config telemetry.Config
		ctx    context.Context
		want   bool
	}{
		"all by default": {telemetry.Config{}, context.Background(), true},
		"none by ratio": {telemetry.Config{Getenv: env("OTEL_TRACES_SAMPLER_ARG", "0")},
			context.Background(), false},
		"what the parent says": {telemetry.Config{Getenv: env("OTEL_TRACES_SAMPLER_ARG", "0")}, parent, true},
		"never, whatever parent": {telemetry.Config{Getenv: env("OTEL_TRACES_SAMPLER", "always_off")}, parent,
			false},
		"nothing when switched off": {telemetry.Config{Getenv: env("OTEL_SDK_DISABLED", "true")}, parent, false},
	} {
		if got := sampled(c.config, c.ctx); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, bad := range [][]string{{"OTEL_TRACES_SAMPLER_ARG", "2"}, {"OTEL_TRACES_SAMPLER", "jaeger_remote"},
		{"OTEL_TRACES_EXPORTER", "zipkin"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_METRICS_EXPORTER", "prometheus"},
		{"OTEL_LOGS_EXPORTER", "console"}} {
		if _, err := telemetry.Start(context.Background(), telemetry.Config{Service: "x", Output: io.Discard,
			Getenv: env(bad...)}); err == nil || !strings.Contains(err.Error(), "; use ") &&
			!strings.Contains(err.Error(), "use otlp") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestACollectorThatIsAwayIsSaidAndCostsNothingElse(t *testing.T) {
	t.Parallel()
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
	}))
	t.Cleanup(collector.Close)
	var log bytes.Buffer
	tel := start(t, telemetry.Config{Output: &log, Getenv: env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)})
	for range 3 {
		_, span := tel.Tracer("x").Start(context.Background(), "work")
		span.End()
		if err := tel.Flush(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "telemetry could not be exported"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

func TestTraceContextSurvivesTheWire(t *testing.T) {
	t.Parallel()
	tel := start(t, telemetry.Config{})
	ctx, span := tel.Tracer("x").Start(context.Background(), "work")
	defer span.End()
	parent, state := telemetry.InjectTraceParent(ctx)
	got := trace.SpanContextFromContext(telemetry.ContextFrom(context.Background(), parent, state))
	if got.TraceID() != span.SpanContext().TraceID() || got.SpanID() != span.SpanContext().SpanID() ||
		!got.IsSampled() || !got.IsRemote() {
		t.Errorf("%s became %v", parent, got)
	}
	if l, ok := telemetry.LinkFrom(parent, attribute.String(link, "j1")); !ok ||
		l.SpanContext.SpanID() != span.SpanContext().SpanID() || len(l.Attributes) != 1 {
		t.Errorf("got %v", l)
	}
	if parent, state := telemetry.InjectTraceParent(context.Background()); parent != "" || state != "" {
		t.Errorf("outside of a span: %q %q", parent, state)
	}
	with := telemetry.ContextFrom(context.Background(), parent, "vendor=1")
	if _, state := telemetry.InjectTraceParent(with); state != "vendor=1" {
		t.Errorf("tracestate became %q", state)
	}
	for _, bad := range []string{"", "x", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more"} {
		if _, ok := telemetry.LinkFrom(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, ok := telemetry.LinkFrom("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"); !ok {
		t.Error("a later version was refused")
	}
}

func FuzzTraceParent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b")
	f.Fuzz(func(t *testing.T, parent, state string) {
		ctx := telemetry.ContextFrom(context.Background(), parent, state)
		again, _ := telemetry.InjectTraceParent(ctx)
		if again != "" && again[2:53] != parent[2:53] {
			t.Errorf("%q became %q", parent, again)
		}
	})
}

func packed(t *testing.T, text []byte) io.Reader {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}
