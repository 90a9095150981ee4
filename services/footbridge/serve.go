package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/pg/private"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/journey"
)

// drainTime is how long each component may take to finish what is under way when the process stops.
const drainTime = 15 * time.Second

// sentinelName is the NATS user and the telemetry name of the watcher.
const sentinelName = schemas.SentinelKey

type serveFlags struct {
	Only []string `env:"ONLY" placeholder:"SERVICE,…" help:"the services this process runs, comma between; empty: all"`
}

type devFlags struct {
	serveFlags
	OIDC     bool   `env:"OIDC" help:"have people sign in by an identity provider with made-up people, which runs in the process, instead of choosing who they are"`
	OIDCAddr string `env:"OIDC_ADDR" placeholder:"HOST:PORT" default:"127.0.0.1:8089" as:"hostport" help:"where that provider listens"`
}

// serve runs services against the configured NATS and PostgreSQL.
func serve(ctx context.Context, args []string) error {
	o, err := loadAlone[serveFlags](args)
	if err != nil {
		return shown(err)
	}
	names, err := chosen(o.Own.Only)
	if err != nil {
		return err
	}
	if err := cmp.Or(o.check(names...), o.checkFree(ctx, names...)); err != nil {
		return err
	}
	if err := o.checkKeys(names); err != nil {
		return err
	}
	return run(ctx, &o.Config, names, nil)
}

// collectAt lets the heap grow to four times what is in use before it is collected: a service holds some ten MiB, and
// most of what a batch needs is garbage a moment later (docs/performance.md). GOGC, where set, decides instead.
const collectAt = 300

// run builds the process, starts it and works until it is told to stop. extra, where given, adds what comes after
// the services.
func run(ctx context.Context, cfg *Config, names []string, extra func(*process)) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	p, err := newPlatform(ctx, cfg, names)
	if err != nil {
		return err
	}
	defer p.close()
	runner := service.NewRunner(p.log, drainTime)
	proc, err := newProcess(p, runner)
	if err != nil {
		return err
	}
	ops := service.NewOps(cfg.OpsAddr, runner, p.metrics())
	if ops.Peers, err = p.opsLimiter(); err != nil {
		return err
	}
	if slices.Contains(names, schemas.Journey) {
		ops.Handle("GET /heartbeat", p.showHeartbeat())
	}
	if cfg.PProf {
		ops.Handle("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
		ops.Handle("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	}
	runner.Add("operations", ops.Run)
	if cfg.development && cfg.DatabaseURL == "" && len(cfg.DatabaseURLs) == 0 {
		runner.Add("postgresql", p.runPostgres)
	}
	if cfg.development && cfg.NATSURL == "" {
		runner.Add("broker", p.runBroker)
	}
	runner.AddStep("migrations", p.migrate)
	if cfg.keepsStreams(names) {
		runner.Add("streams", p.keepStreams)
	}
	for _, name := range serviceNames() {
		if slices.Contains(names, name) {
			proc.add(name)
		}
	}
	switch watches, why := cfg.watches(names); {
	case watches:
		runner.Add(sentinelName, p.runSentinel)
	case slices.Contains(names, schemas.Journey):
		p.log.Warn("no sentinel runs in this process: journeys that nobody holds are found only where another runs",
			"because", why, schemas.AttrRunbook, "sentinel.md")
	}
	switch both := slices.Contains(names, schemas.Journey) && slices.Contains(names, schemas.Intake); {
	case cfg.FallbackDir != "" && both:
		runner.Add("fallback list", p.runFallback)
	case cfg.FallbackDir != "":
		p.log.Warn("no list for when the system is down is written here: it takes a process of journey and intake",
			schemas.AttrRunbook, "fallback-list.md")
	}
	if extra != nil {
		extra(proc)
	}
	return runner.Run(ctx)
}

// watches says whether this process runs the sentinel beside journey: unless told otherwise or where it has no login
// for it. By its lease one of several looks at a time.
func (c *Config) watches(names []string) (watches bool, why string) {
	switch {
	case !slices.Contains(names, schemas.Journey):
		return false, ""
	case c.NoSentinel:
		return false, "FOOTBRIDGE_NO_SENTINEL is set"
	case !c.development && c.DatabaseURL == "" && c.DatabaseURLs[pg.Sentinel] == "":
		return false, "FOOTBRIDGE_SENTINEL_DATABASE_URL is not set"
	}
	return true, ""
}

// dev runs all services with an embedded NATS and a private PostgreSQL.
func dev(ctx context.Context, args []string) error {
	o, err := loadAlone[devFlags](args)
	if err != nil {
		return shown(err)
	}
	names, err := chosen(o.Own.Only)
	if err != nil {
		return err
	}
	o.development, o.LogText = true, true
	if o.Own.OIDC {
		if err := o.makeUp(ctx, o.Own.OIDCAddr); err != nil {
			return err
		}
	}
	if err := cmp.Or(o.check(names...), o.checkFree(ctx, names...)); err != nil {
		return err
	}
	if err := o.makeKeys(); err != nil {
		return err
	}
	return run(ctx, &o.Config, names, func(p *process) {
		if o.madeUp != nil {
			p.runner.Add("identity provider", func(ctx context.Context, h *service.Health) error {
				return o.madeUp.run(ctx, h, o.outside())
			})
		}
		p.runner.Add("welcome", func(ctx context.Context, h *service.Health) error {
			fmt.Printf("\nFootbridge is running.\n  console      http://%s\n  HL7 v2       mllp://%s\n  operations   "+
				"http://%s\n  state        %s\n%sCtrl-C stops it; what it knows is kept.\n\n",
				o.HTTPAddr, o.MLLPAddr, o.OpsAddr, o.StateDir, o.databaseElsewhere())
			h.Ready()
			<-ctx.Done()
			return nil
		})
	})
}

func (p *platform) runPostgres(ctx context.Context, h *service.Health) error {
	server, err := private.Launch(ctx, private.LaunchConfig{Dir: filepath.Join(p.cfg.StateDir, "postgres"), Log: p.log,
		Durable: p.cfg.simulation == "", TCP: true, // of a simulation nothing is kept
		Settings: map[string]string{"shared_buffers": "256MB", "max_wal_size": "2GB", "max_connections": "200"}})
	if err != nil {
		return err
	}
	h.Ready()
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return server.Stop(ctx)
	}
	select {
	case <-ctx.Done():
		return stop()
	case <-server.Done():
		return errors.New("PostgreSQL has ended by itself; its log is in the state directory")
	}
}

func (p *platform) runBroker(ctx context.Context, h *service.Health) error {
	server, err := p.cfg.startBroker()
	if err != nil {
		return err
	}
	h.Ready()
	<-ctx.Done()
	p.disconnect() // nothing uses them any more: a broker that goes before them would be told as one that was lost
	server.Stop()
	return nil
}

// databaseElsewhere is a line that says where the private database's files are when they could not be kept in the state
// directory: whoever deletes that has not deleted them.
func (c *Config) databaseElsewhere() string {
	elsewhere, err := os.Readlink(filepath.Join(c.StateDir, "postgres", "server"))
	if err != nil || c.DatabaseURL != "" || len(c.DatabaseURLs) > 0 {
		return ""
	}
	return fmt.Sprintf("  database     %s (PostgreSQL's own user may not enter the state directory; delete both to "+
		"begin again)\n", elsewhere)
}

func (c *Config) startBroker() (*bus.Server, error) {
	users, err := c.brokerUsers()
	if err != nil {
		return nil, err
	}
	host, port, err := splitAddr(c.NATSAddr)
	if err != nil {
		return nil, err
	}
	return bus.StartServer(bus.ServerConfig{StoreDir: filepath.Join(c.StateDir, "nats"), Host: host, Port: port,
		Users: users})
}

// broker runs the embedded NATS alone.
func broker(ctx context.Context, args []string) error {
	o, err := loadAlone[struct{}](args)
	if err != nil {
		return shown(err)
	}
	if err := checkBind("NATS_ADDR", o.NATSAddr, false, true, o.AllowOpen); err != nil {
		return service.Usage{Err: err}
	}
	server, err := o.startBroker()
	if err != nil {
		return err
	}
	fmt.Println("NATS listens at", server.URL())
	<-ctx.Done()
	server.Stop()
	return nil
}

// sentinel is the watcher as a process of its own.
func sentinel(ctx context.Context, args []string) error {
	o, err := loadAlone[struct{}](args)
	if err != nil {
		return shown(err)
	}
	if err := cmp.Or(o.check(sentinelName), o.checkFree(ctx, sentinelName)); err != nil {
		return err
	}
	p, err := newPlatform(ctx, &o.Config, []string{sentinelName})
	if err != nil {
		return err
	}
	defer p.close()
	runner, err := p.operated(func(ops *service.Ops) { ops.Handle("GET /heartbeat", p.showHeartbeat()) })
	if err != nil {
		return err
	}
	runner.AddStep("migrations", p.migrate)
	runner.Add(sentinelName, p.runSentinel)
	return runner.Run(ctx)
}

// operated is a runner with the operations port alone, for a process that serves nobody else.
func (p *platform) operated(more ...func(*service.Ops)) (*service.Runner, error) {
	runner := service.NewRunner(p.log, drainTime)
	ops := service.NewOps(p.cfg.OpsAddr, runner, p.metrics())
	for _, add := range more {
		add(ops)
	}
	var err error
	if ops.Peers, err = p.opsLimiter(); err != nil {
		return nil, err
	}
	runner.Add("operations", ops.Run)
	return runner, nil
}

// runSentinel watches over the views `held` of all services with a login that sees nothing else.
func (p *platform) runSentinel(ctx context.Context, h *service.Health) error {
	if p.telemetry[sentinelName] == nil {
		p.telemetry[sentinelName] = p.telemetry["footbridge"]
	}
	pool, err := p.pool(ctx, journey.Name)
	if err != nil {
		return err
	}
	p.watched.Store(pool)
	held, err := pg.Open(ctx, p.urls[pg.Sentinel], pg.OpenConfig{ByIndex: true, MaxConns: 2, Wait: 30 * time.Second})
	if err != nil {
		return fmt.Errorf("opening the sentinel's database login: %w", err)
	}
	p.pools = append(p.pools, held)
	conn, err := p.connect(ctx, sentinelName)
	if err != nil {
		return err
	}
	t := p.telemetry[sentinelName]
	events, _ := p.cfg.streams()
	f, err := flow.New(ctx, flow.Config{Service: journey.Name, Pool: pool, Bus: conn, Stream: events, Clock: p.clock,
		Log: t.Log, Tracer: t.Tracer("flow"), Meter: t.Meter("flow")})
	if err != nil {
		return err
	}
	watcher, err := journey.NewSentinel(journey.SentinelConfig{
		Owners: p.cfg.owners(), Clock: p.clock, Log: t.Log, Tracer: t.Tracer("sentinel"), Flow: f, Pool: pool,
		OnHold: held, Services: stateful(),
		Every: p.cfg.SentinelGap, Decide: p.cfg.Settle,
	})
	if err != nil {
		return err
	}
	beat, err := p.cfg.heartbeat()
	if err != nil {
		return err
	}
	watcher.LookedEverywhere = beat.looked
	flowing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended, beaten := make(chan error, 1), make(chan struct{})
	go func() { ended <- f.Run(flowing) }()
	go func() { defer close(beaten); beat.run(flowing, t.Log) }()
	h.Ready()
	err = watcher.Run(ctx)
	stop()
	<-beaten
	return errors.Join(err, <-ended)
}

// watch keeps a component's readiness true.
func watch(ctx context.Context, h *service.Health, why func() error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := why(); err != nil {
			h.Unready(err.Error())
		} else {
			h.Ready()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// principals says who is asking: a system by its token, a command by its key, a person by the session they began.
func (p *process) principals() (principal.Source, error) {
	tokens, err := principal.NewTokens(p.clock, nil)
	if p.cfg.Tokens != "" {
		tokens, err = principal.LoadTokens(p.clock, p.cfg.Tokens)
	}
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_TOKENS_FILE: %w", err)
	}
	return principal.FirstOf(tokens.Source(), principal.Commanded(p.verifier, schemas.Gateway, p.clock),
		p.sessions.Source()), nil
}
