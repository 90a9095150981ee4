package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/services/gateway"
	"footbridge/services/traces"
)

// allowedAttributes are the keys that may leave a process on spans and in logs.
func allowedAttributes() []string {
	return append(slices.Clone(schemas.AllowedAttributes), platformAttributes...)
}

// handSpansOver has the spans of this process handed over to traces, in the process or at its address, as the first of
// those that run here, a service or the sentinel. A process without one, such as a command, hands none over.
func (p *platform) handSpansOver() error {
	if p.cfg.NoTraces || !slices.ContainsFunc(p.names, schemas.IsTraced) {
		return nil
	}
	take := p.keepSpans
	if !slices.Contains(p.names, schemas.Traces) {
		signer, err := p.cfg.signer(p.names[0])
		if err != nil {
			return err
		}
		take = func(ctx context.Context, spans []*tracepb.ResourceSpans) error {
			return p.sendSpans(ctx, spans, signer)
		}
	}
	p.handOver = telemetry.NewHandOver(telemetry.HandOverConfig{Take: take, LinkKey: schemas.AttrJourney})
	return nil
}

// errNotYet is that traces has not started in this process.
var errNotYet = fmt.Errorf("traces has not started")

// keepSpans hands spans over to the traces of this process.
func (p *platform) keepSpans(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	keeper := p.keeper.Load()
	if keeper == nil {
		return errNotYet
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	return keeper.Take(ctx, spans)
}

// handOverTime bounds one handing over.
const handOverTime = 10 * time.Second

// sendSpans hands spans over to the traces of another process.
func (p *platform) sendSpans(ctx context.Context, spans []*tracepb.ResourceSpans, signer *principal.Signer) error {
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	r, err := telemetry.ExportRequest(ctx, "http://"+p.cfg.Addrs.Traces, spans)
	if err != nil {
		return fmt.Errorf("%w: %w", telemetry.ErrRefused, err)
	}
	own := principal.Principal{Organisation: p.names[0], Role: string(schemas.ServiceItself), Subject: p.names[0]}
	signed, err := signer.Sign(own, schemas.Traces, p.clock.Now())
	if err != nil {
		return err
	}
	r.Header.Set(principal.Header, signed)
	answer, err := ownSystem.Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode/100 == 2:
		return nil
	case answer.StatusCode == http.StatusBadRequest, answer.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: answered with %d", telemetry.ErrRefused, answer.StatusCode)
	default:
		return fmt.Errorf("traces answered with %d", answer.StatusCode)
	}
}

// lastSpans hands over what has gathered, as long as ctx lasts, and ends that.
func (p *platform) lastSpans(ctx context.Context) {
	if p.handOver == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = p.handOver.ForceFlush(ctx) // what is not taken by then is dropped
	p.handOver.Close()
}

// showHandedOver makes counters of what became of this process's spans.
func (p *platform) showHandedOver() error {
	if p.handOver == nil {
		return nil
	}
	_, err := p.telemetry["footbridge"].Meter("traces").Int64ObservableCounter("footbridge.traces.spans",
		metric.WithDescription("spans of this process, by what became of them: handed over to traces; left out, since "+
			"more was done than is kept; dropped, since traces did not take them in time; refused"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			counts := p.handOver.Counts()
			for outcome, n := range map[string]int64{"handed": counts.Handed, "left": counts.Left,
				"dropped": counts.Dropped, "refused": counts.Refused} {
				o.Observe(n, metric.WithAttributes(attribute.String(schemas.AttrOutcome, outcome)))
			}
			return nil
		}))
	return err
}

// runTraces keeps the spans of all processes. It is ready whether or not its database is there: nothing waits for it.
func (p *process) runTraces(ctx context.Context, h *service.Health) error {
	t := p.telemetry[schemas.Traces]
	s, err := traces.New(traces.Config{Clock: clock.Machine(p.clock), Log: t.Log, Keep: p.cfg.KeepTraces,
		Bytes: p.cfg.TracesBytes, Pages: slices.Concat(console.Routes(), gateway.Routes())})
	if err != nil {
		return fmt.Errorf("FOOTBRIDGE_KEEP_TRACES, FOOTBRIDGE_TRACES_BYTES: %w", err)
	}
	mux := httpx.NewMux(httpx.Options{Log: t.Log, Meters: t.MeterProvider(), Clock: p.clock, TrustCaller: true})
	mux.Use(principal.Require(principal.Signed(p.verifier, schemas.Traces, p.clock)))
	if err := s.Routes(mux); err != nil {
		return err
	}
	serve, err := p.publishTraces(ctx, mux)
	if err != nil {
		return err
	}
	defer beside(context.WithoutCancel(ctx), func(running context.Context) {
		s.Run(running, p.openTraces, h.Note)
	})()
	p.keeper.Store(s)
	h.Ready()
	err = serve(ctx)
	if p.handOver != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = p.handOver.ForceFlush(last) // before its database is let go of
	}
	return err
}

// checkTraces looks whether spans can be kept. Nothing else waits for that, so that it is worth a note and no more.
func (c *Config) checkTraces(ctx context.Context) (note string, err error) {
	if c.NoTraces {
		return "FOOTBRIDGE_NO_TRACES is set: this process hands none over", nil
	}
	if c.DatabaseURLs[schemas.Traces] == "" && c.DatabaseURL == "" && len(c.DatabaseURLs) > 0 {
		return "no database is named for them (FOOTBRIDGE_TRACES_DATABASE_URL); this process keeps none", nil
	}
	urls, err := c.findDatabases(ctx, []string{schemas.Traces})
	if err != nil {
		return "", err
	}
	pending, err := pendingOf(ctx, urls[schemas.Traces], migrationsOf(schemas.Traces))
	switch {
	case err != nil:
		return "they are not kept: " + withoutSQL(err).Error(), nil
	case pending != "":
		return "they are not kept: " + pending + "; footbridge migrate applies them", nil
	}
	return "", nil
}

// publishTraces hands the service's paths to the gateway where that is in this process, and listens on the port of
// traces where any service runs in another: those hand their spans over there.
func (p *process) publishTraces(ctx context.Context, handler http.Handler) (serve func(context.Context) error,
	err error) {
	if p.gatewayIsHere() {
		p.handlers[schemas.Traces] = handler
	}
	if len(p.names) == len(serviceNames()) {
		return func(ctx context.Context) error { <-ctx.Done(); return nil }, nil
	}
	listener, err := service.Listen(ctx, p.cfg.Addrs.Traces)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_TRACES_ADDR: %w", err)
	}
	return func(ctx context.Context) error { return p.serveHTTP(ctx, schemas.Traces, handler, listener) }, nil
}

// openTraces brings the schema of traces to this build's version and opens its database. Whatever is wrong with it, it
// is tried again: no other service waits.
func (p *platform) openTraces(ctx context.Context) (*pgxpool.Pool, error) {
	urls, err := p.cfg.findDatabases(ctx, []string{schemas.Traces})
	if err != nil {
		return nil, err
	}
	own := migrationsOf(schemas.Traces)
	if p.cfg.DatabaseURLs[schemas.Traces] != "" { // perhaps elsewhere than that of the others
		err = awaitMigrated(ctx, urls[schemas.Traces], own)
	} else {
		err = p.cfg.migrateAll(ctx, urls, []pg.Service{own})
	}
	if err != nil {
		return nil, err
	}
	pool, err := pg.Open(ctx, urls[schemas.Traces], pg.OpenConfig{Service: schemas.Traces,
		MaxConns: min(p.cfg.Connections, 4), AllowUnsafeCommit: true})
	if err != nil {
		return nil, fmt.Errorf("opening the database of traces: %w", err)
	}
	return pool, nil
}
