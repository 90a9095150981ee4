package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"footbridge/libs/httpx"
	"footbridge/libs/telemetry"
)

func names(spans []telemetry.Span) []string {
	var got []string
	for _, s := range spans {
		got = append(got, s.Name)
	}
	return got
}

func TestAStoryIsFoundAcrossTracesAndServices(t *testing.T) {
	t.Parallel()
	spans := store(t)
	alpha := start(t, telemetry.Config{Service: "alpha", HandOver: spans.HandOver}).Tracer("x")
	follow := start(t, telemetry.Config{Service: "beta", HandOver: spans.HandOver}).Tracer("x")
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	work := func(ctx context.Context, tracer trace.Tracer, name string,
		options ...trace.SpanStartOption) context.Context {
		at = at.Add(time.Millisecond)
		ctx, span := tracer.Start(ctx, name, append(options, trace.WithTimestamp(at))...)
		span.End(trace.WithTimestamp(at.Add(500 * time.Microsecond)))
		return ctx
	}
	story := func(id string) trace.SpanStartOption { return trace.WithAttributes(attribute.String(link, id)) }

	door := work(context.Background(), alpha, "door") // names no story: it is known only later
	one := work(door, alpha, "message of j1", story("j1"))
	two := work(work(context.Background(), alpha, "door of j2"), alpha, "message of j2", story("j2"))
	parentOne, _ := telemetry.InjectTraceParent(one)
	parentTwo, _ := telemetry.InjectTraceParent(two)
	linkOne, _ := telemetry.LinkFrom(parentOne, attribute.String(link, "j1"))
	linkTwo, _ := telemetry.LinkFrom(parentTwo, attribute.String(link, "j2"))
	batch := work(context.Background(), follow, "batch", trace.WithLinks(linkOne, linkTwo))
	work(batch, follow, "commit")
	parcel := work(batch, follow, "parcel for j2", story("j2"))
	work(parcel, follow, "letter for j2")
	at = at.Add(14 * 24 * time.Hour)
	work(context.Background(), follow, "expire j1", story("j1"))

	got := spans.Linked("j1")
	want := []string{"door", "message of j1", "batch", "commit", "expire j1"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("got %v, want %v", names(got), want)
	}
	if len(got[2].Links) != 1 || got[2].Links[0].Attributes[link] != "j1" {
		t.Errorf("another story's link is shown: %v", got[2].Links)
	}
	if all := spans.Trace(got[2].TraceID); len(all) != 4 || len(all[0].Links) != 2 {
		t.Errorf("the whole trace has %v", names(all))
	}
	if len(spans.Trace("no id")) > 0 || spans.Linked("j3") != nil {
		t.Error("something was found under what is not there")
	}
	t.Run("drawn for a terminal", func(t *testing.T) {
		for i := range got { // span ids are random and not drawn; all else is fixed
			got[i].Failed = got[i].Name == "commit"
		}
		var drawn strings.Builder
		if err := telemetry.WriteWaterfall(&drawn, got, 100); err != nil {
			t.Fatal(err)
		}
		golden(t, "waterfall.txt", drawn.String())
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%v; with UPDATE_GOLDEN=1 the file is written anew; got\n%s", err, got)
	}
}

func TestSpansOfAnotherProcessAreTakenIn(t *testing.T) {
	t.Parallel()
	var sent tracepb.TracesData
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := telemetry.ReadExport(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		sent.ResourceSpans = append(sent.ResourceSpans, got.ResourceSpans...)
	}))
	t.Cleanup(server.Close)

	tel := start(t, telemetry.Config{Service: "gamma", Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL,
		"OTEL_METRICS_EXPORTER", "none", "OTEL_LOGS_EXPORTER", "none"), AllowedAttributes: []string{"foreign"}})
	ctx, outer := tel.Tracer("x").Start(context.Background(), "outer", trace.WithSpanKind(trace.SpanKindConsumer))
	parent, _ := telemetry.InjectTraceParent(ctx)
	l, _ := telemetry.LinkFrom(parent, attribute.String(link, "j1"))
	_, inner := tel.Tracer("x").Start(ctx, "inner", trace.WithLinks(l),
		trace.WithAttributes(attribute.StringSlice(link, []string{"j1", "j2"}), attribute.String("foreign", "x"),
			attribute.Int("http.response.status_code", 202)))
	inner.End()
	outer.End()
	if err := tel.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := telemetry.SpansOf(&sent, link, "j1", nil)
	if !slices.Equal(names(got), []string{"outer", "inner"}) {
		t.Fatalf("got %v", names(got))
	}
	if o, i := got[0], got[1]; o.Service != "gamma" || o.Kind != "consumer" || i.ParentID != o.SpanID ||
		len(i.Links) != 1 ||
		i.Attributes["http.response.status_code"] != "202" || i.Attributes[link] != "j1" || i.Duration < 0 {
		t.Errorf("got %+v", got)
	}
	if _, foreign := got[1].Attributes["foreign"]; foreign {
		t.Error("an attribute that is not on the store's list was taken in")
	}
}

func TestTheReceiverRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	export, err := proto.Marshal(&tracepb.TracesData{
		ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{
			{TraceId: bytes.Repeat([]byte{1}, 16), SpanId: bytes.Repeat([]byte{1}, 8), Name: "whole",
				Attributes: []*commonpb.KeyValue{{Key: link,
					Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "j1"}}}}},
			{TraceId: []byte{1}, SpanId: []byte{1}, Name: "with a broken id"},
		}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind, encoding string
		body                 io.Reader
		status               int
	}{
		{"plain", "application/x-protobuf", "", bytes.NewReader(export), 200},
		{"packed", "application/x-protobuf", "gzip", packed(t, export), 200},
		{"JSON", "application/json", "", strings.NewReader("{}"), 415},
		{"noise", "application/x-protobuf", "", strings.NewReader("\xff\xff\xff"), 400},
		{"said to be packed", "application/x-protobuf", "gzip", bytes.NewReader(export), 400},
		{"a bomb", "application/x-protobuf", "gzip", packed(t, make([]byte, 17<<20)), 413},
	} {
		r := httptest.NewRequest("POST", telemetry.ReceiverPath, c.body)
		r.Header.Set("Content-Type", c.kind)
		r.Header.Set("Content-Encoding", c.encoding)
		w := httptest.NewRecorder()
		sent, err := telemetry.ReadExport(w, r)
		var problem *httpx.Problem
		switch {
		case errors.As(err, &problem) && problem.Status != c.status, err == nil && c.status != 200:
			t.Errorf("%s: got %v", c.name, err)
		case err == nil && len(telemetry.SpansOf(sent, link, "j1", nil)) != 1:
			t.Errorf("%s: %v is taken in", c.name, sent)
		}
	}
}

func TestACircleOfLinksIsDrawn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	spans := []telemetry.Span{
		{TraceID: "a", SpanID: "1", Name: "one", Start: now, Links: []telemetry.SpanLink{{TraceID: "b", SpanID: "2"}}},
		{TraceID: "b", SpanID: "2", Name: "two", Start: now, Links: []telemetry.SpanLink{{TraceID: "a", SpanID: "1"}}},
	}
	for _, width := range []int{0, 40, 200} {
		if err := telemetry.WriteWaterfall(io.Discard, spans, width); err != nil {
			t.Error(err)
		}
	}
	var none strings.Builder
	if err := telemetry.WriteWaterfall(&none, nil, 80); err != nil || !strings.Contains(none.String(), "no spans") {
		t.Errorf("got %q, %v", none.String(), err)
	}
}

func BenchmarkSpan(b *testing.B) {
	for name, c := range map[string]telemetry.Config{
		"kept in the process": {HandOver: store(b).HandOver},
		"not sampled":         {Getenv: env("OTEL_TRACES_SAMPLER_ARG", "0"), HandOver: store(b).HandOver},
		"not kept":            {},
	} {
		b.Run(name, func(b *testing.B) {
			tracer := start(b, c).Tracer("x")
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_, span := tracer.Start(ctx, "work", trace.WithAttributes(attribute.String(link, "j1")))
				span.End()
			}
		})
	}
}

func BenchmarkInjectAndLink(b *testing.B) {
	ctx, span := start(b, telemetry.Config{}).Tracer("x").Start(context.Background(), "work")
	defer span.End()
	b.ReportAllocs()
	for b.Loop() {
		parent, _ := telemetry.InjectTraceParent(ctx)
		if _, ok := telemetry.LinkFrom(parent); !ok {
			b.Fatal(parent)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	tel := start(b, telemetry.Config{AllowedAttributes: []string{"rows"}})
	ctx, span := tel.Tracer("x").Start(context.Background(), "work")
	defer span.End()
	b.ReportAllocs()
	for b.Loop() {
		tel.Log.InfoContext(ctx, "something happened", "rows", 3, "http.route", "/x")
	}
}
