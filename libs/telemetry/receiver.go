package telemetry

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"footbridge/libs/httpx"
)

// Where a process with a SpanStore takes spans in and shows them.
const (
	ReceiverPath = "/v1/traces"
	QueryPath    = "/debug/traces"
)

// maxExport bounds one export, unpacked.
const maxExport = 16 << 20

// Receiver takes in spans of other processes by OTLP/HTTP: POST, protobuf, gzip or not, at most 16 MiB unpacked.
// Attributes not on the store's allow-list are dropped here too, since anyone may have sent them.
func (s *SpanStore) Receiver() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-protobuf" {
			http.Error(w, "send application/x-protobuf (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)",
				http.StatusUnsupportedMediaType)
			return
		}
		body, err := unpacked(w, r)
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			http.Error(w, "send smaller batches", http.StatusRequestEntityTooLarge)
			return
		}
		var sent tracepb.TracesData // on the wire the same as an ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil {
			http.Error(w, "the body is not an OTLP export", http.StatusBadRequest)
			return
		}
		s.add(s.received(&sent)...)
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty body is an empty response message
	})
}

func unpacked(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(w, r.Body, maxExport)
	if r.Header.Get("Content-Encoding") != "gzip" {
		return httpx.ReadAll(r, body)
	}
	unzip, err := gzip.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("unpacking export: %w", err)
	}
	return httpx.ReadAll(r, http.MaxBytesReader(w, unzip, maxExport))
}

func (s *SpanStore) received(sent *tracepb.TracesData) []*record {
	var records []*record
	for _, group := range sent.GetResourceSpans() {
		service := "unknown"
		for _, kv := range group.GetResource().GetAttributes() {
			if kv.GetKey() == "service.name" {
				service = s.intern(kv.GetValue().GetStringValue())
			}
		}
		for _, scope := range group.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				if len(span.GetTraceId()) == 16 && len(span.GetSpanId()) == 8 {
					records = append(records, s.recordOf(service, span))
				}
			}
		}
	}
	return records
}

func (s *SpanStore) recordOf(service string, span *tracepb.Span) *record {
	r := &record{trace: trace.TraceID(span.GetTraceId()), id: trace.SpanID(span.GetSpanId()), service: service,
		name: s.intern(span.GetName()), kind: trace.SpanKind(span.GetKind()), start: int64(span.GetStartTimeUnixNano()),
		end: int64(span.GetEndTimeUnixNano()), failed: span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		attributes: s.attributesOf(span.GetAttributes())}
	if len(span.GetParentSpanId()) == 8 {
		r.parent = trace.SpanID(span.GetParentSpanId())
	}
	for _, link := range span.GetLinks() {
		if len(link.GetTraceId()) != 16 || len(link.GetSpanId()) != 8 {
			continue
		}
		context := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(link.GetTraceId()),
			SpanID: trace.SpanID(link.GetSpanId())})
		r.links = append(r.links, sdktrace.Link{SpanContext: context, Attributes: s.attributesOf(link.GetAttributes())})
	}
	return r
}

func (s *SpanStore) attributesOf(sent []*commonpb.KeyValue) []attribute.KeyValue {
	var attributes []attribute.KeyValue
	for _, kv := range sent {
		if !s.allowed.has(kv.GetKey()) {
			continue
		}
		key := attribute.Key(s.intern(kv.GetKey()))
		switch value := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			attributes = append(attributes, key.String(value.StringValue))
		case *commonpb.AnyValue_IntValue:
			attributes = append(attributes, key.Int64(value.IntValue))
		case *commonpb.AnyValue_DoubleValue:
			attributes = append(attributes, key.Float64(value.DoubleValue))
		case *commonpb.AnyValue_BoolValue:
			attributes = append(attributes, key.Bool(value.BoolValue))
		case *commonpb.AnyValue_ArrayValue:
			var list []string
			for _, entry := range value.ArrayValue.GetValues() {
				list = append(list, entry.GetStringValue())
			}
			attributes = append(attributes, key.StringSlice(list))
		}
	}
	return attributes
}

// intern keeps one copy of names that come again and again.
func (s *SpanStore) intern(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, ok := s.names[name]; ok {
		return kept
	}
	if len(s.names) < 10_000 {
		s.names[name] = name
	}
	return name
}

type answer struct {
	Spans []Span `json:"spans"`
}

// Query shows spans as JSON, {"spans": [...]} by start: ?linked=VALUE for all traces of a value of the link key,
// ?trace=ID for one trace. With &format=text it is a waterfall.
func (s *SpanStore) Query() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		var spans []Span
		switch {
		case query.Get("linked") != "":
			spans = s.Linked(query.Get("linked"))
		case query.Get("trace") != "":
			spans = s.Trace(query.Get("trace"))
		default:
			http.Error(w, "say which: ?linked=VALUE or ?trace=ID", http.StatusBadRequest)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if query.Get("format") == "text" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_ = WriteWaterfall(w, spans, 120) // the asker has gone; nobody is left to tell
			return
		}
		if spans == nil {
			spans = []Span{}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer{spans}) // likewise
	})
}

// FetchLinked asks the process whose operations listener is at base ("http://127.0.0.1:9090") for the spans of a
// value of the link key.
func FetchLinked(ctx context.Context, client *http.Client, base, value string) ([]Span, error) {
	address := strings.TrimRight(base, "/") + QueryPath + "?linked=" + url.QueryEscape(value)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s for spans: %w", base, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s for spans: %w; is the process running there?", base, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s for spans: it answered %s; spans are kept only where no collector is "+
			"configured", base, response.Status)
	}
	var got answer
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return nil, fmt.Errorf("reading spans of %s: %w", base, err)
	}
	return got.Spans, nil
}
