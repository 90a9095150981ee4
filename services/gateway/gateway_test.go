package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// rules are those of an installation.
var rules = principal.Rules{Forwards: schemas.MayForward,
	May: func(holder, audience string, p principal.Principal) bool {
		return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, false)
	}}

// database is a gateway's own.
func database(t *testing.T) *testkit.DB {
	t.Helper()
	return testkit.Database(t, pg.Service{Name: schemas.Gateway,
		Migrations: []pg.MigrationSet{{Name: schemas.Gateway, FS: Migrations()}}})
}

var (
	nurse    = principal.Principal{Organisation: "RXX", Role: string(schemas.SendingTeam), Subject: "nurse-1"}
	hospital = principal.Principal{Organisation: "RXX", Role: string(schemas.System), Subject: "epr",
		Source: "/hospitals/rxx"}
)

// backend stands for a service: it verifies the signed principal and remembers what it got.
type backend struct {
	verifier *principal.Verifier
	service  string
	got      *http.Request
	who      principal.Principal
	body     string
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.got = r
	body, err := io.ReadAll(r.Body)
	if err != nil {
		httpx.WriteProblem(w, r, onTheWay(err))
		return
	}
	b.body = string(body)
	b.who, err = principal.Signed(b.verifier, b.service, clock.Real())(r)
	if err != nil {
		httpx.WriteProblem(w, r, httpx.NewProblem(http.StatusUnauthorized, "nobody"))
		return
	}
	_ = httpx.WriteJSON(w, http.StatusOK, map[string]string{"served": b.service})
}

type fixture struct {
	*Gateway
	sessions *Sessions
	journey  *backend
	intake   *backend
	signer   *principal.Signer
}

func start(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	signers, verifier := testkit.Keys(t, rules, schemas.Gateway)
	signer := signers[schemas.Gateway]
	sessions, err := NewSessions(database(t).Pool(schemas.Gateway), clock.Real(), false)
	ok(t, err)
	tokens, err := principal.NewTokens(clock.Real(), []principal.Token{{SHA256: principal.HashToken("a token"),
		Organisation: hospital.Organisation, Role: hospital.Role, Subject: hospital.Subject, Source: hospital.Source}})
	ok(t, err)
	f := &fixture{sessions: sessions, signer: signer, journey: &backend{verifier: verifier, service: schemas.Journey},
		intake: &backend{verifier: verifier, service: schemas.Intake}}
	choices := func(choice string) (principal.Principal, bool) { return nurse, choice == "nurse" }
	c := Config{Sessions: sessions, SignIn: choices, Signer: signer,
		Source: principal.FirstOf(tokens.Source(), sessions.Source()), SignInPath: "/sign-in",
		Backends: map[string]http.Handler{schemas.Journey: f.journey, schemas.Intake: f.intake},
		Pages: []schemas.Route{{Method: "GET", Pattern: "/journeys", Service: schemas.Console,
			Roles: []schemas.Role{schemas.SendingTeam}}}}
	for _, f := range change {
		f(&c)
	}
	f.Gateway, err = New(c)
	ok(t, err)
	return f
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends a request; headers are pairs, and a principal among the arguments signs in first.
func (f *fixture) ask(t *testing.T, method, path, body string, as *principal.Principal,
	headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if as != nil {
		w := httptest.NewRecorder()
		ok(t, f.sessions.Begin(w, r, *as))
		r.AddCookie(w.Result().Cookies()[0])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder, status int) httpx.Problem {
	t.Helper()
	if w.Code != status {
		t.Fatalf("answered %d, expected %d: %s", w.Code, status, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
		t.Fatalf("content type %q is no problem", kind)
	}
	var p httpx.Problem
	ok(t, json.Unmarshal(w.Body.Bytes(), &p))
	if p.Detail == "" || p.Instance == "" {
		t.Errorf("a problem without detail or instance: %s", w.Body)
	}
	return p
}

func TestAServiceLearnsWhoAsksFromTheSignedHeaderAlone(t *testing.T) {
	t.Parallel()
	f := start(t)
	forged, err := f.signer.Sign(principal.Principal{Organisation: "RYY", Role: "navigator", Subject: "x"},
		schemas.Journey, time.Now())
	ok(t, err)
	w := f.ask(t, "GET", "/api/journeys?limit=3", "", &nurse, principal.Header, forged, "Authorization", "",
		"X-Forwarded-For", "1.2.3.4")
	if w.Code != http.StatusOK || f.journey.who != nurse {
		t.Fatalf("answered %d and the service saw %v", w.Code, f.journey.who)
	}
	for _, name := range []string{"Cookie", "Authorization", "X-Forwarded-For"} {
		if f.journey.got.Header.Get(name) != "" {
			t.Errorf("%s went on to the service", name)
		}
	}
	if f.journey.got.URL.Query().Get("limit") != "3" {
		t.Error("the query was lost")
	}
	if id := f.journey.got.Header.Get("X-Request-Id"); id == "" || id != w.Header().Get("X-Request-Id") {
		t.Error("the request's id was not passed on")
	}
}

func TestTheRouteTableDecidesWhoMayAsk(t *testing.T) {
	t.Parallel()
	for _, route := range schemas.Routes() {
		for _, role := range append(schemas.Roles(), "") {
			want := notForRole
			switch {
			case route.ByToken():
				want = asProgram
			case route.Public || slices.Contains(route.Roles, role) && role != "":
				want = pass
			case role == "" && slices.Contains(route.Roles, schemas.Guest):
				want = asGuest
			case role == "":
				want = whoAreYou
			}
			if got := admit(route, string(role), false); got != want {
				t.Errorf("%s %s for %q: %v, expected %v", route.Method, route.Pattern, role, got, want)
			}
		}
	}
}

func TestARoleThatTheTableDoesNotNameReachesNoService(t *testing.T) {
	t.Parallel()
	f := start(t)
	problemOf(t, f.ask(t, "GET", "/api/messages", "", &nurse), http.StatusForbidden)
	problemOf(t, f.ask(t, "POST", "/events", "{}", nil), http.StatusUnauthorized)
	problemOf(t, f.ask(t, "GET", "/api/journeys", "", nil, "Authorization", "Bearer wrong"), http.StatusUnauthorized)
	if f.intake.got != nil || f.journey.got != nil {
		t.Error("a refused request reached its service")
	}
}

func TestASystemSendsWithItsToken(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "POST", "/events", `{"specversion":"1.0"}`, nil, "Authorization", "Bearer a token", "Content-Type",
		"application/cloudevents+json")
	if w.Code != http.StatusOK || f.intake.who != hospital || f.intake.body != `{"specversion":"1.0"}` {
		t.Fatalf("answered %d, the service saw %v and %q", w.Code, f.intake.who, f.intake.body)
	}
}

func TestUnknownPathsAndMethodsAreProblemsToProgramsAndPagesToPeople(t *testing.T) {
	t.Parallel()
	f := start(t)
	problemOf(t, f.ask(t, "GET", "/no/such", "", nil), http.StatusNotFound)
	problemOf(t, f.ask(t, "GET", "/no/such", "", nil, "Accept", "*/*"), http.StatusNotFound)
	w := f.ask(t, "DELETE", "/api/journeys", "", nil)
	problemOf(t, w, http.StatusMethodNotAllowed)
	if w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", w.Header().Get("Allow"))
	}
	browser := "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	w = f.ask(t, "GET", "/no/such", "", nil, "Accept", browser)
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<h1>Page not found</h1>") {
		t.Errorf("a browser got %d %s", w.Code, w.Body)
	}
	w = f.ask(t, "GET", "/journeys", "", nil, "Accept", browser)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in?next=%2Fjourneys" {
		t.Errorf("nobody was sent to %q with %d", w.Header().Get("Location"), w.Code)
	}
}

func TestOnlyABrowsersAcceptHeaderWantsAPage(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/html": true, "text/html, application/json": true,
		"application/json, text/html;q=0.5": false, "text/html;q=0": false, "garbage; ;;": false,
		"application/fhir+json, text/html;q=0.9": false,
	} {
		if got := wantsPage(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestABackendThatIsNotThereIsAProblemThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	target, err := url.Parse(closed.URL)
	ok(t, err)
	closed.Close()
	f := start(t, func(c *Config) { c.Backends = map[string]http.Handler{schemas.Journey: Remote(target, nil)} })
	w := f.ask(t, "GET", "/api/journeys", "", &nurse)
	if p := problemOf(t, w, http.StatusServiceUnavailable); !strings.Contains(p.Detail, "Idempotency-Key") ||
		w.Header().Get("Retry-After") == "" {
		t.Errorf("refused connection: %+v", p)
	}
	problemOf(t, f.ask(t, "POST", "/events", "{}", nil, "Authorization", "Bearer a token"),
		http.StatusServiceUnavailable)
	w = f.ask(t, "GET", "/api/journeys", "", &nurse, "Accept", "text/html")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "try again in a minute") {
		t.Errorf("a browser got %d %s", w.Code, w.Body)
	}
}

func TestABackendThatBreaksOffOrHangsIsAProblem(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "hang" {
			<-r.Context().Done()
			return
		}
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			connection.Close()
		}
	}))
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	ok(t, err)
	within := func(patience time.Duration) *fixture {
		return start(t, func(c *Config) {
			c.Backends = map[string]http.Handler{schemas.Journey: Remote(target, nil)}
			c.Timeout = patience
		})
	}
	problemOf(t, within(testkit.Patience).ask(t, "GET", "/api/journeys", "", &nurse), http.StatusBadGateway)
	problemOf(t, within(50*time.Millisecond).ask(t, "GET", "/api/journeys?cursor=hang", "", &nurse),
		http.StatusGatewayTimeout)
}

func TestARemoteServiceIsAnsweredForAsOneInTheSameProcess(t *testing.T) {
	t.Parallel()
	_, verifier := testkit.Keys(t, rules, schemas.Gateway)
	remote := &backend{verifier: verifier, service: schemas.Journey}
	server := httptest.NewServer(remote)
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	ok(t, err)
	f := start(t, func(c *Config) { c.Backends = map[string]http.Handler{schemas.Journey: Remote(target, nil)} })
	w := f.ask(t, "POST", "/api/steps/0b6f7c3a-0000-4000-8000-000000000000/done", `{}`, &nurse)
	if w.Code != http.StatusOK || remote.who != nurse {
		t.Fatalf("answered %d %s, the service saw %v", w.Code, w.Body, remote.who)
	}
	if got := w.Header().Values("X-Content-Type-Options"); len(got) != 1 {
		t.Errorf("nosniff is said %d times", len(got))
	}
	if strings.HasPrefix(remote.got.URL.Path, "/api/steps/") == false || remote.got.Header.Get("X-Request-Id") == "" {
		t.Error("path or request id was lost")
	}
}

func TestABodyBeyondTheLimitIsRefusedBeforeAndWhileItIsRead(t *testing.T) {
	t.Parallel()
	f := start(t)
	long := strings.Repeat("x", usualBody+1)
	path := "/api/steps/0b6f7c3a-0000-4000-8000-000000000000/done"
	problemOf(t, f.ask(t, "POST", path, long, &nurse), http.StatusRequestEntityTooLarge)
	r := httptest.NewRequest("POST", path, io.NopCloser(strings.NewReader(long)))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	ok(t, f.sessions.Begin(w, r, nurse))
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	f.ServeHTTP(w, r)
	problemOf(t, w, http.StatusRequestEntityTooLarge)
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	f := start(t)
	path := "/api/steps/0b6f7c3a-0000-4000-8000-000000000000/done"
	problemOf(t, f.ask(t, "POST", path, "{}", &nurse, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	if w := f.ask(t, "POST", path, "{}", &nurse, "Sec-Fetch-Site", "same-origin", "Origin",
		"null"); w.Code != http.StatusOK {
		t.Errorf("a form of this site is answered with %d", w.Code)
	}
	if w := f.ask(t, "POST", "/events", "{}", nil, "Sec-Fetch-Site", "cross-site", "Authorization",
		"Bearer a token"); w.Code != http.StatusOK {
		t.Errorf("a token is not bound to a site, answered %d", w.Code)
	}
}

func TestACallerBeyondItsRateWaits(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Rates.People = 0.001 })
	if w := f.ask(t, "GET", "/api/journeys", "", &nurse); w.Code != http.StatusOK {
		t.Fatalf("the first is answered with %d", w.Code)
	}
	w := f.ask(t, "GET", "/api/journeys", "", &nurse)
	problemOf(t, w, http.StatusTooManyRequests)
	if w.Header().Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	other := nurse
	other.Subject = "nurse-2"
	if w := f.ask(t, "GET", "/api/journeys", "", &other); w.Code != http.StatusOK {
		t.Errorf("another caller is answered with %d", w.Code)
	}
}

func TestEveryAnswerBoundsWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, path := range []string{"/openapi.json", "/no/such", "/api/journeys"} {
		header := f.ask(t, "GET", path, "", &nurse).Header()
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestSpansCarryThePatternAndNeverThePath(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	f := start(t, func(c *Config) { c.Tracers = trace.NewTracerProvider(trace.WithSpanProcessor(recorder)) })
	const id = "0b6f7c3a-1111-4000-8000-000000000000"
	f.ask(t, "GET", "/api/journeys?cursor="+id, "", &nurse)
	f.ask(t, "GET", "/"+id, "", &nurse)
	f.ask(t, "GET", "/api/journeys/"+id, "", nil)
	for _, span := range recorder.Ended() {
		if text := fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status()); strings.Contains(text,
			id) {
			t.Errorf("a span says %s", text)
		}
	}
	if len(recorder.Ended()) != 3 {
		t.Errorf("%d spans", len(recorder.Ended()))
	}
	if f.journey.got.Header.Get("Traceparent") == "" {
		t.Error("the trace does not go on")
	}
}

func TestTheDescriptionNamesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "GET", "/openapi.json", "", nil)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string           `json:"operationId"`
			Parameters  []map[string]any `json:"parameters"`
			Responses   map[string]any
		}
		Components map[string]map[string]any
	}
	ok(t, json.Unmarshal(w.Body.Bytes(), &document))
	if w.Code != http.StatusOK || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Fatalf("answered %d, OpenAPI %q", w.Code, document.OpenAPI)
	}
	if text := w.Body.String(); !strings.Contains(text, `"application/fhir+json"`) ||
		!strings.Contains(text, `"X-Correlation-Id"`) {
		t.Error("the FHIR door's form and headers are not described")
	}
	count, ids := 0, map[string]bool{}
	for _, operations := range document.Paths {
		for _, o := range operations {
			count++
			ids[o.OperationID] = true
		}
	}
	for _, route := range schemas.Routes() {
		o, found := document.Paths[route.Pattern][strings.ToLower(route.Method)]
		if !found {
			t.Errorf("%s %s is not described", route.Method, route.Pattern)
		}
		for _, name := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(route.Pattern, -1) {
			if !slices.ContainsFunc(o.Parameters, func(p map[string]any) bool {
				return p["name"] == name[1] && p["in"] == "path"
			}) {
				t.Errorf("%s: parameter %s is not described", route.Pattern, name[1])
			}
		}
	}
	if count != len(schemas.Routes()) || len(ids) != count {
		t.Errorf("%d operations with %d ids for %d routes", count, len(ids), len(schemas.Routes()))
	}
	for reference := range references(t, w.Body.Bytes()) {
		if rest, local := strings.CutPrefix(reference, "#/components/"); local {
			kind, name, _ := strings.Cut(rest, "/")
			if document.Components[kind][name] == nil {
				t.Errorf("%s points nowhere", reference)
			}
		} else if answer := f.ask(t, "GET", reference, "", nil); answer.Code != http.StatusOK {
			t.Errorf("%s is answered with %d", reference, answer.Code)
		}
	}
}

func references(t *testing.T, document []byte) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if reference, is := v["$ref"].(string); is {
				found[reference] = true
			}
			for each := range maps.Values(v) {
				walk(each)
			}
		case []any:
			for _, each := range v {
				walk(each)
			}
		}
	}
	var all any
	ok(t, json.Unmarshal(document, &all))
	walk(all)
	return found
}

func TestEveryEventTypesSchemaIsServedUnderItsName(t *testing.T) {
	t.Parallel()
	// all of them, however fast
	f := start(t, func(c *Config) { c.Rates.Unknown = float64(2 * len(schemas.Registry())) })
	for _, entry := range schemas.Registry() {
		for _, name := range []string{string(entry.Type), entry.Type.File()} {
			w := f.ask(t, "GET", "/schemas/"+name+".json", "", nil)
			if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s is answered with %d", name, w.Code)
			}
		}
	}
	for _, path := range []string{"/schemas/no.such.v1.json", "/schemas/offer.raised.v1", "/schemas/..%2fschema.json"} {
		problemOf(t, f.ask(t, "GET", path, "", nil), http.StatusNotFound)
	}
	first := f.ask(t, "GET", "/asyncapi.json", "", nil)
	if again := f.ask(t, "GET", "/asyncapi.json", "", nil, "If-None-Match",
		first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("asked again, answered %d", again.Code)
	}
}

func TestAGatewayThatCouldTellNobodyApartDoesNotStart(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "signer") {
		t.Errorf("error %v", err)
	}
	signers, _ := testkit.Keys(t, rules, schemas.Gateway)
	signer := signers[schemas.Gateway]
	if _, err := New(Config{Signer: signer, Source: principal.Fixed(nurse),
		TrustedOrigins: []string{"example.org"}}); err == nil {
		t.Error("an origin without a scheme is taken")
	}
}

func TestAddressesTellUnknownCallersApart(t *testing.T) {
	t.Parallel()
	g := &Gateway{config: Config{Shared: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for name, c := range map[string]struct{ remote, forwarded, want string }{
		"an address":                            {"192.0.2.7", "", "192.0.2.7/32"},
		"a household of IPv6":                   {"2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"},
		"a stranger who says he is another":     {"192.0.2.7", "198.51.100.1", "192.0.2.7/32"},
		"a proxy of ours":                       {"10.1.2.3", "198.51.100.1", "198.51.100.1/32"},
		"a proxy of ours, and what it was told": {"10.1.2.3", "203.0.113.9, 198.51.100.1", "198.51.100.1/32"},
		"a proxy of ours that says nothing":     {"10.1.2.3", "unknown", "10.1.2.3/32"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = net.JoinHostPort(c.remote, "1234")
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := g.callerKey(r); got != c.want {
			t.Errorf("%s: key %q, want %q", name, got, c.want)
		}
	}
}
