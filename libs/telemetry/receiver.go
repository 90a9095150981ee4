package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"footbridge/libs/httpx"
)

// ReceiverPath is where spans are taken in.
const ReceiverPath = "/v1/traces"

// maxExport bounds one export, unpacked.
const maxExport = 16 << 20

// ReadExport reads spans that another process sends by OTLP/HTTP: protobuf, gzip or not, at most 16 MiB unpacked. An
// error is an httpx.Problem.
func ReadExport(w http.ResponseWriter, r *http.Request) (*tracepb.TracesData, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != exportType {
		return nil, httpx.NewProblem(http.StatusUnsupportedMediaType, "Send application/x-protobuf "+
			"(OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf).")
	}
	body, err := unpacked(w, r)
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return nil, httpx.NewProblem(http.StatusRequestEntityTooLarge, "Send smaller batches.")
	}
	var sent tracepb.TracesData // on the wire the same as an ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil {
		return nil, httpx.NewProblem(http.StatusBadRequest, "The body is not an OTLP export.")
	}
	return &sent, nil
}

const exportType = "application/x-protobuf"

// ExportRequest is a request that ReadExport reads.
func ExportRequest(ctx context.Context, base string, spans []*tracepb.ResourceSpans) (*http.Request, error) {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return nil, fmt.Errorf("packing spans: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+ReceiverPath, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("handing spans over: %w", err)
	}
	r.Header.Set("Content-Type", exportType)
	return r, nil
}

// SpansOf puts received spans together: all of them, or where a value of linkKey is given what concerns it alone.
// Attributes that are neither allowed nor standard are left out.
func SpansOf(sent *tracepb.TracesData, linkKey, value string, allowed []string) []Span {
	s := newAssembly(linkKey, allowed)
	s.add(s.received(sent)...)
	if value != "" {
		return s.linked(value)
	}
	return s.everything()
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

func (s *assembly) received(sent *tracepb.TracesData) []*record {
	var records []*record
	for _, group := range sent.GetResourceSpans() {
		service := "unknown"
		for _, kv := range group.GetResource().GetAttributes() {
			if kv.GetKey() == "service.name" {
				service = kv.GetValue().GetStringValue()
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

func (s *assembly) recordOf(service string, span *tracepb.Span) *record {
	r := &record{trace: trace.TraceID(span.GetTraceId()), id: trace.SpanID(span.GetSpanId()), service: service,
		name: span.GetName(), kind: trace.SpanKind(span.GetKind()), start: int64(span.GetStartTimeUnixNano()),
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

func (s *assembly) attributesOf(sent []*commonpb.KeyValue) []attribute.KeyValue {
	var attributes []attribute.KeyValue
	for _, kv := range sent {
		if !s.allowed.has(kv.GetKey()) {
			continue
		}
		key := attribute.Key(kv.GetKey())
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
