// Package gateway is the one public listener: it knows who is asking, refuses what the route table does not allow,
// and hands the rest to the service that serves the path.
//
// In come requests of people (a session cookie), of hospitals' systems (a bearer token or a client certificate) and
// of anybody for the public paths; out go the services' answers, and the descriptions of the whole HTTP surface:
// /openapi.json, /asyncapi.json and /schemas/{type}.json. It hears and says no events, and keeps one table: who is
// signed in. Subscriptions and deliveries come later. Promises:
//   - a path that is not in the route table reaches no service, and neither does a role that the table does not name;
//   - who is asking is told to a service in the signed header of package principal alone: credentials, cookies and
//     whatever a caller put into that header stop here;
//   - a service that runs in this process verifies that header just as one behind the network does;
//   - staff sign in by an identity provider, and are whom one file says by their claims, now: whoever is mapped
//     otherwise, disabled or signed out there has no session here any more;
//   - signing out ends a session here, on every replica: what a browser, or whoever copied its cookie, sends
//     afterwards is nobody's. A session that nothing is done with ends after 30 minutes, and every one after 12 hours;
//   - a link in a mail is somebody's who may answer one offer, whoever is signed in; its token goes to delivery, which
//     says what it opens, and no further; whoever guesses is to wait, and keeps no link out that is right, unless one
//     address asks more often than any unknown caller may;
//   - the page of the person is opened by a code and a word alone, by a cookie of its own that no other path sees, and
//     intake says at each request whose it is: what it stops is stopped at once, and whoever is signed in on the same
//     device is not asked;
//   - every refusal is a problem that says what to do next, or a page that says so to a person with a browser;
//   - spans, metrics and logs carry the route's pattern, never the path.
//
// It decides who may ask at all. What they then see is the service's decision, by the principal.
package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/signin"
	"footbridge/services/gateway/workers"
)

// Name is the service's.
const Name = schemas.Gateway

// Config is what the gateway needs. Backends, Signer and Source must be given.
type Config struct {
	// Backends serve the paths of each service, by its name in schemas: Remote for one behind the network, its own
	// handler where it runs in this process. A service that is missing here is answered for with 503.
	Backends map[string]http.Handler
	// Pages are routes beside schemas.Routes, those of the console.
	Pages []schemas.Route
	// Signer signs the principal for the services.
	Signer *principal.Signer
	// Source finds who is asking. Put tokens and certificates before the session.
	Source principal.Source
	// Sessions are those that signing out ends; nil where nobody signs in.
	Sessions *Sessions
	// Workers are the named workers of partners, who sign in here; nil where they cannot. They need Sessions.
	Workers *workers.Workers
	// Providers are those by which staff sign in; nil where they cannot. They need Sessions, which take their word too.
	Providers *signin.SignIn
	// SignIn says who a choice of the sign-in page is, in development; nil where nobody can choose who they are.
	SignIn func(choice string) (principal.Principal, bool)
	// SignInPath is where a browser without a session is sent; empty sends it nowhere.
	SignInPath string
	// TrustedOrigins are further origins whose pages may send forms and scripts' requests here.
	TrustedOrigins []string
	// Timeout bounds each request; 0 is 30 s.
	Timeout time.Duration
	// Watch is how soon a stream ends whose reader may not read it any more, where that was decided elsewhere; 0 is 5
	// s.
	Watch time.Duration
	// Asset is where the console's files of this version are; nil: where those of any version are.
	Asset func(name string) string
	// Rates bound how many requests a second one caller may send; zero values are DefaultRates.
	Rates Rates
	// Shared are addresses of proxies and load balancers of ours: behind them callers are told apart by the last
	// address in X-Forwarded-For, which such a proxy has set itself.
	Shared []netip.Prefix
	// GuestsOf is the organisation that people turn to who have not said who they are; empty lets no guest in.
	GuestsOf string

	Clock   clock.Clock
	Log     *slog.Logger
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
}

// Rates are requests a second of one caller, with bursts of twice as many. Each replica counts for itself.
type Rates struct {
	// Systems send by the thousand after an outage of theirs.
	Systems float64
	// People are those with a session or a token of their own.
	People float64
	// Unknown are callers of public paths, by their address.
	Unknown float64
	// Guests ask for support without saying who they are: by their address, and all of them together. Each becomes
	// something that a human reads.
	Guests, AllGuests float64
	// Knocks are links that are asked for, or guessed, to sign in as a partner's worker, by address.
	Knocks float64
	// Codes of people's own pages are tried: by one address, and by all together.
	Codes, AllCodes float64
}

// DefaultRates leave a hospital room to catch up and a person never has to wait. A guest asks once; a hostel, a ward
// or a mobile network may be behind one address, so that ten may come at once, and then one in ten seconds.
var DefaultRates = Rates{Systems: 5000, People: 50, Unknown: 50, Guests: 0.1, AllGuests: 1, Knocks: 0.1,
	Codes: 0.1, AllCodes: 20}

// guestsAtOnce is how many guests of one address may come at once, and everyGuest how many of all.
const guestsAtOnce, everyGuest = 10, 60

// knocksAtOnce is how many links one address may ask for, or guess, at once: a partner's team may be behind one.
const knocksAtOnce = 20

// guessesAtOnce is how many links of one address may open nothing before it is to wait, and guessesASecond how many
// more then may.
const guessesAtOnce, guessesASecond = 20, 0.1

// codesAtOnce is how many codes one address may try at once, and everyCode how many all may.
const codesAtOnce, everyCode = 10, 200

// Gateway is the public listener's handler.
type Gateway struct {
	config   Config
	frames   *frames
	mux      *httpx.Mux
	known    *http.ServeMux // patterns without methods: tells an unknown path from an unknown method
	methods  map[string][]string
	crossing *http.CrossOriginProtection
	systems  *httpx.Limiter
	people   *httpx.Limiter
	unknown  *httpx.Limiter
	guest    *httpx.Limiter // one address's
	guests   *httpx.Limiter // all of them
	knocks   *httpx.Limiter // one address's that signs in as a worker: asking for links, and guessing them
	program  *httpx.Limiter // calendar programs of one address
	programs *httpx.Limiter // all of them
	guessing *httpx.Limiter // links that open nothing, of one address
	tries    *httpx.Limiter // codes of people's pages that one address tries
	allTries *httpx.Limiter // all of them
}

// New checks the configuration and makes the handler. An error says what to change.
func New(c Config) (*Gateway, error) {
	if c.Signer == nil || c.Source == nil {
		return nil, errors.New("making the gateway: a signer and a source of principals must be given, or nobody " +
			"could be told from anybody")
	}
	c = withDefaults(c)
	g := &Gateway{config: c, frames: framesOf(c.Asset), known: http.NewServeMux(), methods: map[string][]string{}}
	g.mux = httpx.NewMux(httpx.Options{Log: c.Log, Tracers: c.Tracers, Meters: c.Meters, Clock: c.Clock})
	g.mux.Use(g.answering)
	g.systems = g.limiter(c.Rates.Systems)
	g.people = g.limiter(c.Rates.People)
	g.unknown = g.limiter(c.Rates.Unknown)
	g.guest = httpx.NewLimiter(c.Rates.Guests, guestsAtOnce, clock.Machine(c.Clock), g.addressOf)
	g.guests = httpx.NewLimiter(c.Rates.AllGuests, everyGuest, clock.Machine(c.Clock),
		func(*http.Request) string { return "" })
	g.knocks = httpx.NewLimiter(c.Rates.Knocks, knocksAtOnce, clock.Machine(c.Clock), g.addressOf)
	g.program = httpx.NewLimiter(1, 60, clock.Machine(c.Clock), g.addressOf)
	g.programs = httpx.NewLimiter(20, 200, clock.Machine(c.Clock), func(*http.Request) string { return "" })
	g.guessing = httpx.NewLimiter(guessesASecond, guessesAtOnce, clock.Machine(c.Clock), g.addressOf)
	g.tries = httpx.NewLimiter(c.Rates.Codes, codesAtOnce, clock.Machine(c.Clock), g.addressOf)
	g.allTries = httpx.NewLimiter(c.Rates.AllCodes, everyCode, clock.Machine(c.Clock),
		func(*http.Request) string { return "" })
	g.crossing = http.NewCrossOriginProtection()
	for _, origin := range c.TrustedOrigins {
		if err := g.crossing.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trusting origin %q: %w; write it as https://host", origin, err)
		}
	}
	return g, g.register()
}

func withDefaults(c Config) Config {
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Asset == nil {
		c.Asset = unversioned
	}
	if c.Watch == 0 {
		c.Watch = 5 * time.Second
	}
	for rate, usual := range map[*float64]float64{&c.Rates.Systems: DefaultRates.Systems,
		&c.Rates.People: DefaultRates.People, &c.Rates.Unknown: DefaultRates.Unknown,
		&c.Rates.Guests: DefaultRates.Guests, &c.Rates.AllGuests: DefaultRates.AllGuests,
		&c.Rates.Knocks: DefaultRates.Knocks,
		&c.Rates.Codes:  DefaultRates.Codes, &c.Rates.AllCodes: DefaultRates.AllCodes} {
		if *rate == 0 {
			*rate = usual
		}
	}
	return c
}

func (g *Gateway) limiter(perSecond float64) *httpx.Limiter {
	return httpx.NewLimiter(perSecond, max(1, int(2*perSecond)), clock.Machine(g.config.Clock), g.callerKey)
}

// Routes are those by which people sign in: they are pages, and in no table of schemas.
func Routes() []schemas.Route { return slices.Concat(signingRoutes, providerRoutes) }

// register adds a handler for each line of the route table, and one for all else.
func (g *Gateway) register() error {
	handlers := map[string]httpx.Handler{
		"POST /sign-in":               g.signIn,
		"POST /sign-out":              g.signOut,
		"POST /sign-out/all":          g.signOutEverywhere,
		"GET /openapi.json":           serveOpenAPI,
		"GET /asyncapi.json":          serveAsyncAPI,
		"GET /schemas/{file}":         serveSchema,
		"GET /sessions":               g.showSessions,
		"POST /sessions/{id}/end":     g.endFromPage,
		"GET /api/sessions":           g.listSessions,
		"POST /api/sessions/{id}/end": g.endSession,

		"GET /sign-in/worker":            g.forWorkers(g.showKnock),
		"POST /sign-in/worker":           g.forWorkers(g.knock),
		"GET /sign-in/link/{token}":      g.forWorkers(g.showLink),
		"POST /sign-in/link/{token}":     g.forWorkers(g.useLink),
		"GET /sign-in/second":            g.forWorkers(g.showSecond),
		"POST /sign-in/second":           g.forWorkers(g.takeSecond),
		"GET /sign-in/keys":              g.forWorkers(g.showKeys),
		"POST /sign-in/keys":             g.forWorkers(g.changeKeys),
		"GET /sign-in/authenticator.png": g.forWorkers(g.showSecret),

		"GET /sign-in/with/{provider}":   g.forProviders(g.toProvider),
		"GET /sign-in/from/{provider}":   g.forProviders(g.fromProvider),
		"GET /sign-in/role":              g.forProviders(g.showRoles),
		"POST /sign-in/role":             g.forProviders(g.takeRole),
		"GET /sign-in/leave/{provider}":  g.forProviders(g.leaveProvider),
		"POST /sign-in/ended/{provider}": g.forProviders(g.endedThere),

		"GET /partners/{id}/workers":                    g.showWorkers,
		"POST /partners/{id}/workers":                   g.changeWorkers,
		"GET /api/partners/{id}/workers":                g.listWorkers,
		"POST /api/partners/{id}/workers":               g.addWorker,
		"POST /api/partners/{id}/workers/{worker}/code": g.giveCode,
		"POST /api/partners/{id}/workers/{worker}/mail": g.changeMail,
		"POST /api/partners/{id}/workers/{worker}/end":  g.endWorker,
	}
	all := slices.Concat(schemas.Routes(), Routes(), g.config.Pages)
	for _, route := range all {
		if route.Service != schemas.Gateway {
			handlers[route.Mux()] = g.pass(route)
		}
	}
	if err := httpx.Register(g.mux, all, handlers, g.around); err != nil {
		return err
	}
	for _, route := range all {
		method, pattern, _ := strings.Cut(route.Mux(), " ")
		g.remember(method, pattern)
	}
	g.mux.Handle("/", g.unrouted)
	return nil
}

// around puts what the gateway asks of callers before the paths that it answers itself; what it passes on has it
// already.
func (g *Gateway) around(route schemas.Route, h httpx.Handler) httpx.Handler {
	if route.Service == schemas.Gateway {
		return g.serveOwn(route, h)
	}
	return h
}

func (g *Gateway) remember(method, pattern string) {
	if g.methods[pattern] == nil {
		g.known.Handle(pattern, http.NotFoundHandler())
	}
	g.methods[pattern] = append(g.methods[pattern], method)
	if method == http.MethodGet {
		g.methods[pattern] = append(g.methods[pattern], http.MethodHead)
	}
}

// Handler returns the public handler. Serve it with httpx.NewServer, whose bounds on slow callers it relies on.
func (g *Gateway) Handler() http.Handler { return g }

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), r.TLS != nil)
	g.mux.ServeHTTP(w, r)
}

// unrouted answers what no route takes: 405 where another method would do, else 404.
func (g *Gateway) unrouted(_ http.ResponseWriter, r *http.Request) error {
	if err := g.unknown.Check(r); err != nil {
		return err
	}
	_, pattern := g.known.Handler(r)
	allowed := g.methods[pattern]
	if pattern == "" || slices.Contains(allowed, r.Method) {
		return httpx.NewProblem(http.StatusNotFound,
			"Nothing is served under this path. Compare it with /openapi.json.")
	}
	allow := strings.Join(allowed, ", ")
	p := httpx.NewProblem(http.StatusMethodNotAllowed, "This path does not take this method. Use one of: %s.", allow)
	p.Header = http.Header{"Allow": {allow}}
	return p
}
