package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// endpoint returns where a signal (TRACES, METRICS, LOGS) is sent, "" for nowhere. Headers, certificates, timeouts
// and compression are read from OTEL_EXPORTER_OTLP_* by the exporters themselves.
func endpoint(getenv func(string) string, signal string) (string, error) {
	if disabled, _ := strconv.ParseBool(getenv("OTEL_SDK_DISABLED")); disabled {
		return "", nil
	}
	switch name := "OTEL_" + signal + "_EXPORTER"; getenv(name) {
	case "", "otlp":
	case "none":
		return "", nil
	default:
		return "", fmt.Errorf("%s: %q is not offered; use otlp or none (Prometheus is always served on /metrics)", name,
			getenv(name))
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := getenv(name); protocol != "" && protocol != "http/protobuf" {
			return "", fmt.Errorf("%s: %q is not offered; use http/protobuf, usually port 4318", name, protocol)
		}
	}
	if own := getenv("OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"); own != "" {
		return own, nil
	}
	if base := getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); base != "" {
		return strings.TrimRight(base, "/") + "/v1/" + strings.ToLower(signal), nil
	}
	return "", nil
}

// samplerOf reads OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; without the first it is parentbased_traceidratio.
func samplerOf(c Config) (sdktrace.Sampler, error) {
	if disabled, _ := strconv.ParseBool(c.Getenv("OTEL_SDK_DISABLED")); disabled {
		return sdktrace.NeverSample(), nil
	}
	ratio := c.SampleRatio
	if arg := c.Getenv("OTEL_TRACES_SAMPLER_ARG"); arg != "" {
		given, err := strconv.ParseFloat(arg, 64)
		if err != nil || given < 0 || given > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is not a ratio from 0 to 1; use for example 0.1", arg)
		}
		ratio = given
	}
	switch name := c.Getenv("OTEL_TRACES_SAMPLER"); name {
	case "", "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is not offered; use parentbased_traceidratio with "+
			"OTEL_TRACES_SAMPLER_ARG", name)
	}
}

func traceExporter(ctx context.Context, getenv func(string) string, log *slog.Logger) (sdktrace.SpanExporter, error) {
	url, err := endpoint(getenv, "TRACES")
	if url == "" || err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return nil, fmt.Errorf("starting the export of traces: %w", err)
	}
	return &loggedSpans{exporter, complaint{log: log, signal: "traces"}}, nil
}

func metricExporter(ctx context.Context, getenv func(string) string, log *slog.Logger) (sdkmetric.Exporter, error) {
	url, err := endpoint(getenv, "METRICS")
	if url == "" || err != nil {
		return nil, err
	}
	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(url))
	if err != nil {
		return nil, fmt.Errorf("starting the export of metrics: %w", err)
	}
	return &loggedMetrics{exporter, complaint{log: log, signal: "metrics"}}, nil
}

func logExporter(ctx context.Context, getenv func(string) string, local *slog.Logger) (sdklog.Exporter, error) {
	url, err := endpoint(getenv, "LOGS")
	if url == "" || err != nil {
		return nil, err
	}
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(url))
	if err != nil {
		return nil, fmt.Errorf("starting the export of logs: %w", err)
	}
	return &loggedLogs{exporter, complaint{log: local, signal: "logs"}}, nil
}

// complaint logs that an export failed, at most once a minute, in place of the SDK's global error handler.
type complaint struct {
	log    *slog.Logger
	signal string
	next   atomic.Int64
}

func (c *complaint) about(err error) {
	if err == nil {
		return
	}
	now := time.Now()
	if next := c.next.Load(); now.UnixNano() >= next && c.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano()) {
		c.log.Warn("telemetry could not be exported and is lost", "signal", c.signal, "error", err)
	}
}

type loggedSpans struct {
	sdktrace.SpanExporter
	complaint complaint
}

func (e *loggedSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.complaint.about(e.SpanExporter.ExportSpans(ctx, spans))
	return nil
}

type loggedMetrics struct {
	sdkmetric.Exporter
	complaint complaint
}

func (e *loggedMetrics) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	e.complaint.about(e.Exporter.Export(ctx, metrics))
	return nil
}

type loggedLogs struct {
	sdklog.Exporter
	complaint complaint
}

func (e *loggedLogs) Export(ctx context.Context, records []sdklog.Record) error {
	e.complaint.about(e.Exporter.Export(ctx, records))
	return nil
}
