// Package telemetry gives a service its traces, metrics and logs by OpenTelemetry, so that one line in the log leads
// to everything that happened around it, and nothing that identifies a person leaves by accident.
//
// In come spans, measurements and log records; out they go by OTLP when the standard OTEL_* variables name a
// collector, to /metrics always, and spans by a HandOver to whoever keeps them in the installation. Promises:
//   - an attribute whose key is not on the service's allow-list leaves neither on a span, nor on a metric, nor in a
//     log; status texts and exception messages of spans never leave, since errors quote what they failed on;
//   - several services live in one process, each under its own service.name: no global is read or set;
//   - a collector that is away costs spans, never requests; that is logged, once a minute at most.
//
// It cannot look into the names of spans and the constant messages of logs: those are written as constants.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says what a service's telemetry is like. Only Service is needed.
type Config struct {
	// Service is the service.name, Version the service.version of everything that leaves. OTEL_SERVICE_NAME does not
	// change it, since a process holds several services; OTEL_RESOURCE_ATTRIBUTES adds to it.
	Service, Version string

	// AllowedAttributes are the keys that may leave, beside those in StandardAttributes. In logs a group's name and a
	// dot stand before the key.
	AllowedAttributes []string

	// Scrub goes over the text of errors before they are logged, e.g. to mask what looks like an identifier.
	Scrub func(string) string

	// HandOver hands spans over to whoever keeps them in the installation; nil hands none.
	HandOver *HandOver

	// SampleRatio is the part of new traces that is recorded when OTEL_TRACES_SAMPLER and _ARG say nothing: above 0
	// and up to 1; zero records all.
	SampleRatio float64

	// Level is the least level logged (Info), Output where to (standard error), as JSON or, for a terminal, as text.
	Level  slog.Leveler
	Output io.Writer
	Text   bool

	// Getenv is os.Getenv unless a test says otherwise.
	Getenv func(string) string
}

// Telemetry is what a service measures with.
type Telemetry struct {
	// Log drops what is not allowed and adds trace and span id. Use its …Context methods.
	Log *slog.Logger

	tracers  *sdktrace.TracerProvider
	meters   *sdkmetric.MeterProvider
	registry *prometheus.Registry
	stops    []func(context.Context) error
	flushes  []func(context.Context) error
}

// Start sets up the telemetry of one service. It fails when an OTEL_* variable asks for what is not offered, and
// not when a collector does not answer.
func Start(ctx context.Context, c Config) (*Telemetry, error) {
	c = withDefaults(c)
	res := resource.NewSchemaless(attribute.String("service.name", c.Service),
		attribute.String("service.version", c.Version))
	t := &Telemetry{}
	allowed := newAllowed(c.AllowedAttributes, c.Scrub)
	if err := t.startLogs(ctx, c, res, allowed); err != nil {
		return nil, err
	}
	allowed.log = t.Log
	if err := t.startTraces(ctx, c, res, allowed); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	if err := t.startMetrics(ctx, c, res, allowed); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

func withDefaults(c Config) Config {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Output == nil {
		c.Output = os.Stderr
	}
	if c.Level == nil {
		c.Level = slog.LevelInfo
	}
	if c.SampleRatio == 0 {
		c.SampleRatio = 1
	}
	return c
}

func (t *Telemetry) startTraces(ctx context.Context, c Config, res *resource.Resource, allowed *allowed) error {
	sampler, err := samplerOf(c)
	if err != nil {
		return err
	}
	filter := &filterProcessor{allowed: allowed}
	if c.HandOver != nil {
		filter.next = append(filter.next, c.HandOver)
	}
	exporter, err := traceExporter(ctx, c.Getenv, t.Log)
	if err != nil {
		return err
	}
	if exporter != nil {
		filter.next = append(filter.next, sdktrace.NewBatchSpanProcessor(exporter, queueOf(c.Getenv)...))
	}
	limits := sdktrace.NewSpanLimits()
	limits.LinkCountLimit = max(limits.LinkCountLimit, 1024) // a batch links to each event that caused it
	t.tracers = sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithResource(res),
		sdktrace.WithSpanProcessor(filter), sdktrace.WithRawSpanLimits(limits))
	t.stops = append(t.stops, t.tracers.Shutdown)
	t.flushes = append(t.flushes, t.tracers.ForceFlush)
	return nil
}

// queueOf is how many spans wait for a collector: more than the usual 2,048, which a second of load fills, unless
// OTEL_BSP_MAX_QUEUE_SIZE says how many.
func queueOf(getenv func(string) string) []sdktrace.BatchSpanProcessorOption {
	if getenv("OTEL_BSP_MAX_QUEUE_SIZE") != "" {
		return nil
	}
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(1 << 14)}
}

func (t *Telemetry) startMetrics(ctx context.Context, c Config, res *resource.Resource, allowed *allowed) error {
	t.registry = prometheus.NewRegistry()
	pull, err := promexporter.New(promexporter.WithRegisterer(t.registry), promexporter.WithoutTargetInfo(),
		promexporter.WithoutScopeInfo(),
		promexporter.WithResourceAsConstantLabels(attribute.NewAllowKeysFilter("service.name")))
	if err != nil {
		return fmt.Errorf("starting metrics of %s: %w", c.Service, err)
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithReader(pull),
		sdkmetric.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "*"},
			sdkmetric.Stream{AttributeFilter: allowed.attribute}))}
	push, err := metricExporter(ctx, c.Getenv, t.Log)
	if err != nil {
		return err
	}
	if push != nil {
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(push)))
	}
	t.meters = sdkmetric.NewMeterProvider(options...)
	t.stops = append(t.stops, t.meters.Shutdown)
	t.flushes = append(t.flushes, t.meters.ForceFlush)
	return nil
}

// TracerProvider makes the service's tracers.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// MeterProvider makes the service's meters.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// Tracer is TracerProvider().Tracer for the package named.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.tracers.Tracer(name) }

// Meter is MeterProvider().Meter for the package named.
func (t *Telemetry) Meter(name string) metric.Meter { return t.meters.Meter(name) }

// MetricsHandler serves the metrics of several services of one process, told apart by the label service_name, and
// those of the Go runtime and the process once.
func MetricsHandler(services ...*Telemetry) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gatherers := prometheus.Gatherers{process}
	for _, t := range services {
		gatherers = append(gatherers, t.registry)
	}
	return promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Flush sends what is waiting to the collector, as long as ctx lasts.
func (t *Telemetry) Flush(ctx context.Context) error { return each(ctx, t.flushes) }

// Shutdown flushes and ends; call it when nothing is measured any more. The log goes on to its output.
func (t *Telemetry) Shutdown(ctx context.Context) error { return each(ctx, t.stops) }

func each(ctx context.Context, do []func(context.Context) error) error {
	var errs []error
	for _, f := range do {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}
