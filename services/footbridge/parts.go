package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/console"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/gateway"
	"footbridge/services/gateway/workers"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/threshold/criteria"
)

// process is the services of this process, and what they show to one another.
type process struct {
	*platform
	runner   *service.Runner
	verifier *principal.Verifier
	exposed  sync.Mutex
	handlers map[string]http.Handler // of the services that run here; under exposed
	sessions *gateway.Sessions
}

func newProcess(p *platform, runner *service.Runner) (*process, error) {
	verifier, err := p.cfg.verifier()
	if err != nil {
		return nil, err
	}
	return &process{platform: p, runner: runner, verifier: verifier, handlers: map[string]http.Handler{}}, nil
}

// add puts a service into the order of starting.
func (p *process) add(name string) {
	start := map[string]func(context.Context, *service.Health) error{
		schemas.Intake: p.runIntake, schemas.Threshold: p.runThreshold, schemas.Followup: p.runFollowup,
		schemas.Bridging: p.runBridging, schemas.Journey: p.runJourney, schemas.Delivery: p.runDelivery,
		schemas.Gateway: p.runGateway, schemas.Console: p.runConsole,
		schemas.Traces: p.runTraces,
	}[name]
	p.runner.Add(name, start)
}

// flowOf makes a service's flow: its own database login, its own NATS user.
func (p *process) flowOf(ctx context.Context, name string, pool *pgxpool.Pool, tune func(*flow.Config)) (*flow.Flow,
	error) {
	conn, err := p.connect(ctx, name)
	if err != nil {
		return nil, err
	}
	events, _ := p.cfg.streams()
	t := p.telemetry[name]
	cfg := flow.Config{
		Service: name, Pool: pool, Bus: conn, Stream: events, Clock: p.clock, Log: t.Log, Tracer: t.Tracer("flow"),
		Meter: t.Meter("flow"), RebuildRate: p.cfg.RebuildRate,
	}
	tune(&cfg)
	return flow.New(ctx, cfg)
}

func (p *process) runThreshold(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, threshold.Name)
	if err != nil {
		return err
	}
	set, err := p.cfg.directory()
	if err != nil {
		return err
	}
	evaluator, err := threshold.New(ctx, threshold.Config{Pool: pool, Directory: set, Now: p.clock.Now(),
		Organisation: p.cfg.Organisation, Log: p.telemetry[threshold.Name].Log})
	if err != nil {
		return err
	}
	f, err := p.flowOf(ctx, threshold.Name, pool, func(c *flow.Config) {
		c.Subjects, c.Handle, c.Due = threshold.Subjects(), evaluator.Handle, evaluator.Due()
	})
	if err != nil {
		return err
	}
	return p.serveFlow(ctx, h, p.figuresOf(threshold.Name, f, pool, nil),
		func(mux *httpx.Mux) error { return evaluator.Routes(mux, f, pool, p.clock) })
}

func (p *process) runFollowup(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, followup.Name)
	if err != nil {
		return err
	}
	partners, err := p.partners()
	if err != nil {
		return err
	}
	residents, err := p.cfg.residents()
	if err != nil {
		return err
	}
	s, err := followup.New(ctx, followup.Config{Meter: p.telemetry[followup.Name].Meter("followup"), Pool: pool,
		Partners: partners, Residents: residents,
		Invented: p.cfg.development, URL: p.cfg.outside()})
	if err != nil {
		return err
	}
	f, err := p.flowOf(ctx, followup.Name, pool, func(c *flow.Config) {
		c.Subjects, c.Handle, c.Due = followup.Subjects(), s.Handle, s.Due()
	})
	if err != nil {
		return err
	}
	return p.serveFlow(ctx, h, p.figuresOf(followup.Name, f, pool, nil),
		func(mux *httpx.Mux) error { return s.Routes(mux, f, pool, p.clock) })
}

// partners are the third-sector services of the directory that give follow-up sessions.
func (p *process) partners() ([]followup.PartnerConfig, error) {
	set, err := p.cfg.directory()
	if err != nil {
		return nil, err
	}
	week, err := followup.Week([]string{"mon", "tue", "wed", "thu", "fri"})
	if err != nil {
		return nil, err
	}
	var partners []followup.PartnerConfig
	var agreement *followup.Span
	if p.cfg.development { // everybody here is made up; elsewhere a navigator records it
		today := calendar.DayOf(p.clock.Now(), time.UTC)
		agreement = &followup.Span{First: today - 1, Last: today + madeUpAgreement}
	}
	for i, doc := range set.Documents() {
		if doc.Kind != peerFollowUp || doc.Sector != criteria.ThirdSector {
			continue
		}
		id, err := p.cfg.opaque("partner " + doc.Service.ID)
		if err != nil {
			return nil, err
		}
		held := ""
		if agreement != nil {
			held = p.cfg.Organisation
		}
		partners = append(partners, followup.PartnerConfig{Organisation: doc.Service.Organization.ID, HeldBy: held,
			Partner: followup.Partner{
				ID: uuidOf(id), Service: doc.Service.ID, Name: doc.Service.Name, Works: week, Rank: i + 1,
				Agreement: agreement,
			}})
	}
	return partners, nil
}

// madeUpAgreement is for how many days partners that are made up have an agreement.
const madeUpAgreement = 5 * 365

// peerFollowUp is the directory's kind of the services that give follow-up sessions.
const peerFollowUp = "peer-follow-up"

// uuidOf writes 32 hexadecimal digits as a random uuid: a partner's id tells nothing about the partner.
func uuidOf(digits string) string {
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:32])
}

func (p *process) runBridging(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, bridging.Name)
	if err != nil {
		return err
	}
	t := p.telemetry[bridging.Name]
	sender, err := p.cfg.notifier(t.Log)
	if err != nil {
		return err
	}
	s, err := bridging.New(bridging.Config{Meter: t.Meter("bridging"), Clock: p.clock, Log: t.Log,
		Host: p.cfg.Organisation, Notify: sender,
		Numbers: p.cfg.CrisisLines,
		URL:     p.cfg.outside()})
	if err != nil {
		return err
	}
	if err := showWaiting(t.Meter("help"), pool, p.clock); err != nil {
		return err
	}
	f, err := p.flowOf(ctx, bridging.Name, pool, func(c *flow.Config) {
		c.Subjects, c.Handle, c.Due = bridging.Subjects(), s.Handle, s.Due()
	})
	if err != nil {
		return err
	}
	return p.serveFlow(ctx, h, p.figuresOf(bridging.Name, f, pool, bridging.Figures(pool)),
		func(mux *httpx.Mux) error { return s.Routes(mux, f, pool) })
}

func (p *process) runJourney(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, journey.Name)
	if err != nil {
		return err
	}
	p.watched.Store(pool)
	s, err := journey.New(journey.Config{Owners: p.cfg.owners()})
	if err != nil {
		return err
	}
	meter := p.telemetry[journey.Name].Meter("sentinel")
	if err := errors.Join(showSentinel(meter, pool, p.clock), showVoid(meter, pool, p.clock)); err != nil {
		return err
	}
	f, err := p.flowOf(ctx, journey.Name, pool, func(c *flow.Config) {
		c.Subjects, c.Handle, c.Due = journey.Subjects(), s.Handle, s.Due()
	})
	if err != nil {
		return err
	}
	return p.serveFlow(ctx, h, p.figuresOf(journey.Name, f, pool, journey.Figures(pool)),
		func(mux *httpx.Mux) error { return s.Routes(mux, f, pool, p.clock) })
}

func (p *process) runDelivery(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, delivery.Name)
	if err != nil {
		return err
	}
	allow, err := p.cfg.outwardAllow()
	if err != nil {
		return err
	}
	cfg := delivery.Config{Allow: allow, Plain: p.cfg.development, Origin: p.cfg.origin(),
		Log: p.telemetry[delivery.Name].Log}
	if err := p.mailFor(ctx, &cfg); err != nil {
		return err
	}
	if cfg.Broker, err = p.brokerFor(ctx); err != nil {
		return err
	}
	if err := p.textsFor(&cfg); err != nil {
		return err
	}
	returns, err := p.cfg.mailReturns(ctx)
	if err != nil {
		return err
	}
	if cfg.Vault, err = vault.OpenFile(p.cfg.wrappingOf(delivery.Name).Path); errors.Is(err, fs.ErrNotExist) {
		cfg.Log.Warn("nothing is sent to partners' endpoints: the key that wraps theirs is not there")
	} else if err != nil {
		return err
	}
	s, err := delivery.New(cfg)
	if err != nil {
		return err
	}
	f, err := p.flowOf(ctx, delivery.Name, pool, func(c *flow.Config) {
		c.Subjects, c.Handle, c.Due, c.ByDay = delivery.Subjects(), s.Handle, s.Due(), delivery.ByDay()
	})
	if err != nil {
		return err
	}
	s.Attach(f)
	return p.serveFlowWith(ctx, h, p.figuresOf(delivery.Name, f, pool, delivery.Figures(pool, cfg.Broker.Partners)),
		func(mux *httpx.Mux) error { return s.Routes(mux, pool) },
		func(ctx context.Context) error {
			mailed := make(chan error, 1)
			go func() { mailed <- s.RunMail(ctx, returns) }()
			return errors.Join(s.Run(ctx), <-mailed)
		}, nil)
}

// brokerFor is where the logs of the partners go that take their events from the broker; nothing where none does.
func (p *process) brokerFor(ctx context.Context) (b delivery.Broker, err error) {
	readers, err := p.cfg.natsPartners()
	if err != nil || len(readers) == 0 {
		return b, err
	}
	b.Partners = slices.Sorted(maps.Keys(readers))
	_, b.Stream = p.cfg.streams()
	b.Conn, err = p.connect(ctx, delivery.Name)
	return b, err
}

func (p *process) runIntake(ctx context.Context, h *service.Health) error {
	pool, err := p.pool(ctx, intake.Name)
	if err != nil {
		return err
	}
	keys, err := p.cfg.openVault()
	if err != nil {
		return err
	}
	t := p.telemetry[intake.Name]
	senders, err := p.cfg.loadProfiles()
	if err != nil {
		return err
	}
	secure, err := p.cfg.mllpTLS()
	if err != nil {
		return err
	}
	limits, err := p.cfg.mllpLimits()
	if err != nil {
		return err
	}
	taken, err := limiter("mllp", limits, t)
	if err != nil {
		return err
	}
	agreed, err := p.cfg.agreed()
	if err != nil {
		return err
	}
	s, err := intake.New(intake.Config{Pool: pool, Host: p.cfg.Organisation, Agreed: agreed, Vault: keys,
		Clock: p.clock, Log: t.Log, Tracer: t.Tracer("intake"), Meter: t.Meter("intake"),
		Profiles: senders, TLS: secure, Peers: taken, NoEndAfter: p.cfg.NoEndAfter, WardReview: p.cfg.WardReview,
		KeepReceipts: p.cfg.KeepReceipts, KeepLedger: p.cfg.KeepLedger})
	if err != nil {
		return err
	}
	f, err := p.flowOf(ctx, intake.Name, pool, func(c *flow.Config) { *c = s.FlowConfig(*c) })
	if err != nil {
		return err
	}
	if err := s.Attach(ctx, f); err != nil {
		return err
	}
	listener, err := service.Listen(ctx, p.cfg.MLLPAddr)
	if err != nil {
		return fmt.Errorf("FOOTBRIDGE_MLLP_ADDR: %w", err)
	}
	return p.serveFlowWith(ctx, h, p.figuresOf(intake.Name, f, pool, s.Figures), s.Routes,
		func(ctx context.Context) error { return s.Run(ctx, listener) }, s.Ready)
}

// routing adds a service's paths to mux. An error names what the route table promises and the service does not serve.
type routing func(mux *httpx.Mux) error

// noRoutes is the routing of a service that answers nothing over HTTP.
func noRoutes(name string) routing {
	return func(mux *httpx.Mux) error {
		return httpx.Register(mux, schemas.RoutesOf(name), nil, principal.Guard)
	}
}

func (p *process) serveFlow(ctx context.Context, h *service.Health, source *operations.Source, routes routing) error {
	return p.serveFlowWith(ctx, h, source, routes, nil, nil)
}

// serveFlowWith runs a service's flow, its doors and its HTTP paths until ctx ends. The doors stop first: what they
// have taken is still exchanged. A path that is promised and not served ends it before anything is exchanged.
func (p *process) serveFlowWith(ctx context.Context, h *service.Health, source *operations.Source, routes routing,
	doors func(context.Context) error, ready func() error) error {
	f := source.Flow
	serve, err := p.expose(ctx, source.Service, withFigures(source, routes))
	if err != nil {
		return err
	}
	flowing, stopFlow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFlow()
	ended := make(chan error, 3)
	go func() { ended <- f.Run(flowing) }()
	open := []func(context.Context) error{keeping(source, doors)}
	if serve != nil {
		open = append(open, serve)
	}
	shut := make(chan error, len(open))
	for _, door := range open {
		go func() { shut <- door(ctx) }()
	}
	if ready == nil {
		ready = func() error { return nil }
	}
	go watch(flowing, h, func() error { return errors.Join(ready(), f.Ready()) })
	<-ctx.Done()
	var failures []error
	for range open {
		failures = append(failures, <-shut)
	}
	stopFlow()
	return errors.Join(append(failures, <-ended)...)
}

// expose makes a service's HTTP paths: handed to the gateway in this process, or listened for on the service's own
// port where the gateway is elsewhere. A service without paths has nothing to serve.
func (p *process) expose(ctx context.Context, name string, routes routing) (serve func(context.Context) error,
	err error) {
	t := p.telemetry[name]
	mux := httpx.NewMux(httpx.Options{Log: t.Log, Tracers: t.TracerProvider(), Meters: t.MeterProvider(),
		Clock: p.clock, TrustCaller: true})
	mux.Use(principal.Require(principal.Signed(p.verifier, name, p.clock)))
	if err := routes(mux); err != nil {
		return nil, fmt.Errorf("serving the paths of %s: %w", name, err)
	}
	if len(schemas.RoutesOf(name)) == 0 {
		return nil, nil
	}
	return p.publish(ctx, name, mux)
}

func (p *process) publish(ctx context.Context, name string, handler http.Handler) (serve func(context.Context) error,
	err error) {
	if p.gatewayIsHere() {
		p.exposed.Lock()
		p.handlers[name] = handler
		p.exposed.Unlock()
		return nil, nil
	}
	addr := p.cfg.Addrs.of(name)
	listener, err := service.Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_%s_ADDR: %w", strings.ToUpper(name), err)
	}
	return func(ctx context.Context) error { return p.serveHTTP(ctx, name, handler, listener) }, nil
}

// serveHTTP answers on a listener, within the limits of what its callers may take.
func (p *process) serveHTTP(ctx context.Context, name string, handler http.Handler, ln net.Listener) error {
	limits, err := p.cfg.httpLimits()
	if err != nil {
		return err
	}
	taken, err := limiter("http", limits, p.telemetry[name])
	if err != nil {
		return err
	}
	srv := httpx.NewServer(handler)
	return httpx.Serve(ctx, srv, httpx.Bound(srv, ln, taken), drainTime)
}

func (p *process) gatewayIsHere() bool { return p.telemetry[schemas.Gateway] != nil }

// backends are the services as the gateway and the console reach them.
func (p *process) backends() (map[string]http.Handler, error) {
	backends := map[string]http.Handler{}
	transport := gateway.Transport()
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		name := route.Service
		if backends[name] != nil || name == schemas.Gateway {
			continue
		}
		p.exposed.Lock()
		here, ok := p.handlers[name]
		p.exposed.Unlock()
		if ok {
			backends[name] = here
			continue
		}
		addr := p.cfg.Addrs.of(name)
		if addr == "" {
			return nil, fmt.Errorf("the route table promises %s of %s, which no address leads to: give it one in addrs",
				route.Mux(), name)
		}
		backends[name] = gateway.Remote(&url.URL{Scheme: "http", Host: addr}, transport)
	}
	return backends, nil
}

func (p *process) runConsole(ctx context.Context, h *service.Health) error {
	backends, err := p.backends()
	if err != nil {
		return err
	}
	t := p.telemetry[schemas.Console]
	signer, err := p.cfg.signer(schemas.Console)
	if err != nil {
		return err
	}
	cfg := console.Config{Backends: backends, Verifier: p.verifier, Signer: signer, Clock: p.clock, Log: t.Log,
		Tracers: t.TracerProvider(), Meters: t.MeterProvider(), Advocate: p.cfg.Advocate}
	if cfg.Partners, err = p.partnerNames(); err != nil {
		return err
	}
	ways, err := p.cfg.ways()
	if err != nil {
		return err
	}
	cfg.Ways = ways.now
	if p.cfg.development && len(ways.now()) == 0 {
		cfg.SignIn = &console.SignIn{Choices: console.DevChoices(cfg.Partners...)}
	}
	c, err := console.New(cfg)
	if err != nil {
		return err
	}
	serve, err := p.publish(ctx, schemas.Console, c.Handler())
	if err != nil {
		return err
	}
	h.Ready()
	if serve != nil {
		return serve(ctx)
	}
	<-ctx.Done()
	return nil
}

// partnerNames are the partners as the console names them.
func (p *process) partnerNames() (names []console.Partner, err error) {
	partners, err := p.partners()
	for _, partner := range partners {
		names = append(names, console.Partner{ID: partner.ID, Name: partner.Name})
	}
	return names, err
}

func (p *process) runGateway(ctx context.Context, h *service.Health) error {
	backends, err := p.backends()
	if err != nil {
		return err
	}
	pool, err := p.pool(ctx, schemas.Gateway)
	if err != nil {
		return err
	}
	if p.sessions, err = gateway.NewSessions(pool, p.clock, p.cfg.secureCookies()); err != nil {
		return err
	}
	providers, err := p.staffSignIn()
	if err != nil {
		return err
	}
	p.sessions.From(providers)
	source, err := p.principals()
	if err != nil {
		return err
	}
	shared, err := p.cfg.sharedAddresses()
	if err != nil {
		return err
	}
	signer, err := p.cfg.signer(schemas.Gateway)
	if err != nil {
		return err
	}
	signIn, err := p.signIn()
	if err != nil {
		return err
	}
	t := p.telemetry[schemas.Gateway]
	named, err := p.workers(pool, backends, signer)
	if err != nil {
		return err
	}
	assets, err := console.AssetsAt()
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Config{
		Asset: assets, Sessions: p.sessions, SignIn: signIn, Workers: named, Providers: providers,
		Backends: backends, Pages: console.Routes(), Signer: signer, Source: source, SignInPath: "/sign-in",
		GuestsOf: p.cfg.Organisation, Shared: shared, Clock: p.clock, Rates: p.cfg.rates,
		Log: t.Log, Tracers: t.TracerProvider(), Meters: t.MeterProvider(),
	})
	if err != nil {
		return err
	}
	listener, err := service.Listen(ctx, p.cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("FOOTBRIDGE_HTTP_ADDR: %w", err)
	}
	h.Ready()
	if named != nil {
		defer beside(ctx, func(ctx context.Context) { _ = named.Run(ctx) })()
	}
	if providers != nil {
		defer beside(ctx, func(ctx context.Context) { _ = providers.Run(ctx, h.Note) })()
	}
	return p.serveHTTP(ctx, schemas.Gateway, g.Handler(), listener)
}

// beside runs something beside what is served; what it returns stops it and waits.
func beside(ctx context.Context, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); run(ctx) }()
	return func() { cancel(); <-ended }
}

// workers are the named workers of partners, whose mails delivery sends; nil, with a warning, where the key that wraps
// theirs is not there.
func (p *process) workers(pool *pgxpool.Pool, backends map[string]http.Handler,
	signer *principal.Signer) (*workers.Workers, error) {
	log := p.telemetry[schemas.Gateway].Log
	seal, err := vault.OpenFile(p.cfg.wrappingOf(schemas.Gateway).Path)
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("partners' workers cannot sign in: the key that wraps theirs is not there")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return workers.New(workers.Config{Pool: pool, Clock: p.clock, Vault: seal, Log: log,
		URL: p.cfg.outside(), Mail: gateway.MailBy(backends[schemas.Delivery], signer, p.clock),
		SignedOff: gateway.SignOffBy(backends, signer, p.clock)})
}

// signIn takes the choices of development's sign-in page; elsewhere nobody chooses who they are.
func (p *process) signIn() (func(string) (principal.Principal, bool), error) {
	if ways, err := p.cfg.ways(); err != nil || !p.cfg.development || len(ways.now()) > 0 {
		return nil, err
	}
	partners, err := p.partnerNames()
	if err != nil {
		return nil, err
	}
	return func(choice string) (principal.Principal, bool) {
		for _, c := range console.DevChoices(partners...) {
			if c.ID == choice {
				return c.Principal, true
			}
		}
		return principal.Principal{}, false
	}, nil
}

// agreed are the organisations that send people here: those that are configured, and those that a token is for.
func (c *Config) agreed() ([]string, error) {
	if c.Tokens == "" {
		return c.Agreed, nil
	}
	tokens, err := principal.LoadTokens(systemClock(), c.Tokens)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_TOKENS_FILE: %w", err)
	}
	return append(tokens.Organisations(), c.Agreed...), nil
}
