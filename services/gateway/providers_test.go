package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/provider"
	"footbridge/services/gateway/signin"
)

// staff is a gateway that people reach with a browser, and the identity provider that they sign in with.
type staff struct {
	*fixture
	at       string
	provider *provider.Provider
	signIn   *signin.SignIn
	now      *clock.Shifted
	down     *atomic.Bool // the provider does not answer
	logged   *bytes.Buffer
}

// mapping is what staff are by their groups.
func mapping(issuer string) *signin.Mapping {
	rule := func(group, role string, teams ...string) signin.Rule {
		return signin.Rule{Provider: "trust", When: map[string]signin.Values{"groups": {group}}, Organisation: "RXX",
			Role: schemas.Role(role), Teams: teams}
	}
	return &signin.Mapping{Ask: "the liaison team’s lead on extension 4411",
		Providers: []signin.Provider{{ID: "trust", Name: "your trust account", Issuer: issuer, Client: "footbridge",
			Scopes: []string{"profile", "offline_access"}}},
		Rules: []signin.Rule{rule("liaison", "sending-team"), rule("navigators", "navigator", "navigator:deputy"),
			rule("callers", "caller")}}
}

func groups(names ...string) map[string]any { return map[string]any{"groups": names} }

// newStaff starts both; change may change the mapping.
func newStaff(t *testing.T, change ...func(*signin.Mapping)) *staff {
	t.Helper()
	return newStaffWith(t, nil, change...)
}

// newStaffWith is newStaff of a client that shows by a key who it is; nil: by a secret.
func newStaffWith(t *testing.T, key *jose.JSONWebKey, change ...func(*signin.Mapping)) *staff {
	t.Helper()
	s := &staff{now: &clock.Shifted{}, down: &atomic.Bool{}, logged: &bytes.Buffer{}}
	front, op := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	s.at = "http://" + front.Listener.Addr().String()
	issuer := "http://" + op.Listener.Addr().String()
	var err error
	s.provider, err = provider.New(provider.Config{Issuer: issuer, Client: "footbridge", Secret: "a secret",
		Key: key, Back: s.at + "/sign-in/from/trust", After: s.at + "/sign-in", Ended: s.at + "/sign-in/ended/trust",
		HTTP: http.DefaultClient, Users: []provider.User{
			{ID: "nurse", Name: "A nurse", Claims: groups("liaison", "chess-club")},
			{ID: "sister", Name: "Another nurse", Claims: groups("liaison")},
			{ID: "both", Name: "A nurse who navigates", Claims: groups("liaison", "navigators")},
			{ID: "caller", Name: "A caller", Claims: groups("callers")},
			{ID: "porter", Name: "A porter", Claims: groups("porters")},
			{ID: "many", Name: "In very many groups", Claims: map[string]any{"hasgroups": true}}}})
	ok(t, err)
	op.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "being mended", http.StatusServiceUnavailable)
			return
		}
		s.provider.ServeHTTP(w, r)
	})
	op.Start()
	t.Cleanup(op.Close)
	m := mapping(issuer)
	for _, f := range change {
		f(m)
	}
	s.signIn, err = signin.New(signin.Config{Mapping: m, Secrets: map[string]string{"trust": "a secret"}, URL: s.at,
		Client: ProviderClient(), Clock: clock.Real()})
	ok(t, err)
	s.fixture = start(t, func(c *Config) {
		c.Sessions, err = NewSessions(c.Sessions.pool, s.now, false)
		ok(t, err)
		c.Sessions.From(s.signIn)
		c.Providers, c.Source, c.SignIn = s.signIn, c.Sessions.Source(), nil
		c.Rates = Rates{Unknown: 1e6, People: 1e6}
		c.Log = slog.New(slog.NewTextHandler(s.logged, nil))
	})
	s.sessions = s.config.Sessions
	front.Config.Handler = s.Gateway
	front.Start()
	t.Cleanup(front.Close)
	return s
}

// visitor is somebody's browser.
type visitor struct {
	t *testing.T
	s *staff
	*http.Client
}

func (s *staff) visitor(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	ok(t, err)
	return &visitor{t, s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// answered is what a browser was given.
type answered struct {
	status   int
	location string
	body     string
}

func (v *visitor) get(address string) answered { return v.do(http.MethodGet, address, nil) }

func (v *visitor) do(method, address string, form url.Values, headers ...string) answered {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.s.at + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	ok(v.t, err)
	r.Header.Set("Accept", browser)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := v.Do(r)
	ok(v.t, err)
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(w.Body)
	ok(v.t, err)
	to := w.Header.Get("Location")
	if at, err := r.URL.Parse(to); err == nil && to != "" {
		to = at.String()
	}
	return answered{w.StatusCode, to, string(body)}
}

// leave begins to sign in, and is where the provider sends the browser back to.
func (v *visitor) leave(user, next string) (back string) {
	v.t.Helper()
	return v.choose(v.get("/sign-in/with/trust?next="+url.QueryEscape(next)).location, user)
}

// choose is somebody at the provider.
func (v *visitor) choose(leaves, user string) (back string) {
	v.t.Helper()
	at := v.get(leaves).location
	asked, err := url.Parse(at)
	ok(v.t, err)
	chosen := v.do(http.MethodPost, at, url.Values{"of": {asked.Query().Get("of")}, "user": {user}})
	return v.get(chosen.location).location
}

// comesIn signs in, and is the first page that somebody is led to.
func (v *visitor) comesIn(user string) answered {
	v.t.Helper()
	return v.get(v.leave(user, "/journeys"))
}

// who asks a service as this browser, and is who the gateway said was asking.
func (v *visitor) who() (principal.Principal, int) {
	v.t.Helper()
	v.s.journey.who = principal.Principal{}
	got := v.do(http.MethodGet, "/api/journeys", nil, "Accept", "application/json")
	return v.s.journey.who, got.status
}

func (v *visitor) is(want principal.Principal) {
	v.t.Helper()
	if p, status := v.who(); p != want || status != http.StatusOK {
		v.t.Errorf("this is %v (%q, %q), answered with %d; expected %v", p, p.Subject, p.Team, status, want)
	}
}

func (v *visitor) isNobody() {
	v.t.Helper()
	if p, status := v.who(); p.Valid() || status != http.StatusUnauthorized {
		v.t.Errorf("this is %v, answered with %d; expected nobody", p, status)
	}
}

var theNurse = principal.Principal{Organisation: "RXX", Role: "sending-team", Subject: "trust/nurse"}

func TestStaffSignInByTheirProviderAndAreWhomTheirGroupsSay(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	v.isNobody()
	if got := v.comesIn("nurse"); got.status != http.StatusSeeOther || got.location != s.at+"/journeys" {
		t.Errorf("led to %q with %d: %s", got.location, got.status, got.body)
	}
	v.is(theNurse)
	caller := s.visitor(t)
	caller.comesIn("caller")
	if list := caller.get("/sessions"); list.status != http.StatusOK || !strings.Contains(list.body, "Where you are") {
		t.Errorf("a caller's list of sessions: %d", list.status)
	}
}

// A provider that takes no secret, as NHS CIS2 does, is shown who asks by what the client signs: at sign-in and
// whenever it is asked again.
func TestStaffSignInAtAProviderThatTakesSignedRequestsAlone(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	ok(t, err)
	file := filepath.Join(t.TempDir(), "key.pem")
	ok(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	s := newStaffWith(t, &jose.JSONWebKey{Key: &private.PublicKey, KeyID: "ours"}, func(m *signin.Mapping) {
		p := &m.Providers[0]
		p.KeyFile, p.KeyID, p.KeyAudience, p.CheckEvery = file, "ours", p.Issuer, time.Minute
	})
	v := s.visitor(t)
	v.comesIn("nurse")
	v.is(theNurse)
	s.now.Set(2 * time.Minute)
	v.is(theNurse)
	s.provider.Disable("nurse")
	s.now.Set(4 * time.Minute)
	v.isNobody()
}

func TestSomebodyOfSeveralRolesChoosesOneAtSignIn(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	got := v.comesIn("both")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, s.at+"/sign-in/role?of=") {
		t.Fatalf("led to %q with %d", got.location, got.status)
	}
	v.isNobody()
	asks := v.get(got.location)
	short := asks.body[strings.Index(asks.body, `name="of" value="`)+len(`name="of" value="`):][:8]
	options := regexp.MustCompile(`name="who" type="radio" value="([^"]+)"`).FindAllStringSubmatch(asks.body, -1)
	if asks.status != http.StatusOK || len(options) != 2 || strings.Contains(asks.body, "checked") {
		t.Fatalf("asked %d: %s", asks.status, asks.body)
	}
	none := v.do(http.MethodPost, "/sign-in/role", url.Values{"of": {short}})
	other := v.do(http.MethodPost, "/sign-in/role", url.Values{"of": {short}, "who": {"RXX operator "}})
	for _, wrong := range []answered{none, other} {
		if wrong.status != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, "There is a problem") {
			t.Errorf("without a choice of theirs: %d", wrong.status)
		}
	}
	v.isNobody()
	form := url.Values{"of": {short}, "who": {options[1][1]}}
	if crossed := v.do(http.MethodPost, "/sign-in/role", form, "Origin",
		"https://elsewhere.example"); crossed.status != http.StatusForbidden {
		t.Errorf("sent from another site: %d", crossed.status)
	}
	if stolen := s.visitor(t).do(http.MethodPost, "/sign-in/role", form); stolen.status != http.StatusBadRequest {
		t.Errorf("chosen in another browser: %d", stolen.status)
	}
	v.do(http.MethodPost, "/sign-in/role", form)
	v.is(principal.Principal{Organisation: "RXX", Role: "navigator", Subject: "trust/both", Team: "navigator:deputy"})
	if again := v.do(http.MethodPost, "/sign-in/role", form); again.status != http.StatusBadRequest {
		t.Errorf("chosen twice: %d", again.status)
	}
}

func TestSomebodyWhoIsNobodyHereIsToldWhomToAsk(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	for user, says := range map[string]string{"porter": "You cannot use Footbridge yet", "many": "were left out"} {
		v := s.visitor(t)
		got := v.comesIn(user)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, says) ||
			!strings.Contains(got.body, "the liaison team’s lead on extension 4411") {
			t.Errorf("%s: %d %s", user, got.status, got.body)
		}
		v.isNobody()
	}
	if logged := s.logged.String(); strings.Contains(logged, "porters") || strings.Contains(logged, "trust/porter") {
		t.Errorf("logged who they are: %s", logged)
	}
}

func TestAnAnswerIsTakenOnceFromTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	victim, attacker := s.visitor(t), s.visitor(t)
	back := attacker.leave("nurse", "/")
	for claim, got := range map[string]answered{
		"an answer of another browser": victim.get(back),
		"no state":                     victim.get("/sign-in/from/trust?code=abc"),
		"an invented state":            victim.get("/sign-in/from/trust?code=abc&state=abcdefghijkl"),
		"another provider's address":   attacker.get(strings.Replace(back, "/from/trust", "/from/cis2", 1)),
	} {
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, "does not work any more") {
			t.Errorf("%s: %d", claim, got.status)
		}
	}
	victim.isNobody()
	at, err := url.Parse(back)
	ok(t, err)
	mixed := at.Query()
	mixed.Set("iss", "https://login.elsewhere.example")
	third := s.visitor(t)
	if got := third.get(withQuery(third.leave("nurse", "/"), "iss",
		mixed.Get("iss"))); got.status != http.StatusForbidden {
		t.Errorf("an answer that says it is another issuer's: %d", got.status)
	}
	third.isNobody()
	attacker.get(back)
	attacker.is(theNurse)
	fresh := s.visitor(t)
	fresh.Jar = attacker.Jar
	if again := fresh.get(back); again.status != http.StatusBadRequest {
		t.Errorf("the same answer again: %d", again.status)
	}
}

func withQuery(address, name, value string) string {
	at, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := at.Query()
	query.Set(name, value)
	at.RawQuery = query.Encode()
	return at.String()
}

func TestACodeIsOfOneAttempt(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	one, other := s.visitor(t), s.visitor(t)
	stolen, err := url.Parse(one.leave("nurse", "/"))
	ok(t, err)
	own := other.leave("porter", "/")
	got := other.get(withQuery(own, "code", stolen.Query().Get("code")))
	if got.status != http.StatusForbidden {
		t.Errorf("a code that another attempt was given: %d", got.status)
	}
	other.isNobody()
}

func TestFiveTabsMaySignInAtOnce(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	var backs []string
	for range 5 {
		backs = append(backs, v.leave("nurse", "/"))
	}
	for i, back := range backs {
		if got := v.get(back); got.status != http.StatusSeeOther {
			t.Errorf("tab %d: %d %s", i+1, got.status, got.body)
		}
	}
	v.is(theNurse)
}

func TestNobodyIsLedElsewhereAfterSigningIn(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`,
		"javascript:alert(1)", "/\t/elsewhere.example"} {
		v := s.visitor(t)
		if got := v.get(v.leave("nurse", next)); got.location != s.at+"/" {
			t.Errorf("%q leads to %q", next, got.location)
		}
	}
}

func TestASessionIsANewOneAfterSigningInAndOverAfterSigningOut(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	at, err := url.Parse(s.at)
	ok(t, err)
	v.Jar.SetCookies(at, []*http.Cookie{{Name: s.sessions.name, Value: "chosen-by-another", Path: "/"}})
	v.comesIn("nurse")
	session := func() string {
		i := slices.IndexFunc(v.Jar.Cookies(at), func(c *http.Cookie) bool { return c.Name == s.sessions.name })
		return v.Jar.Cookies(at)[i].Value
	}
	first := session()
	if first == "chosen-by-another" {
		t.Error("the session is the one that the browser came with")
	}
	v.comesIn("nurse")
	if session() == first {
		t.Error("signing in again keeps the former session")
	}
	kept := session()
	got := v.do(http.MethodPost, "/sign-out", url.Values{})
	if got.location != s.at+"/sign-in?because=signed-out&by=trust" {
		t.Errorf("signed out, and led to %q", got.location)
	}
	for _, value := range []string{first, kept, "chosen-by-another"} {
		if _, err := who(s.sessions, &http.Cookie{Name: s.sessions.name, Value: value}); err == nil {
			t.Errorf("a session that is over is taken: %v", err)
		}
	}
	if there := v.get("/sign-in/leave/trust").location; !strings.Contains(there, "/end_session?client_id=footbridge") {
		t.Errorf("signing out there too leads to %q", there)
	}
}

func TestAProvidersWordThatSomebodySignedOutEndsTheirSessionsEverywhere(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	one, two, other := s.visitor(t), s.visitor(t), s.visitor(t)
	one.comesIn("nurse")
	two.comesIn("nurse")
	other.comesIn("sister")
	ended := func(claims map[string]any) int {
		token, err := s.provider.LogoutToken(claims)
		ok(t, err)
		return s.visitor(t).do(http.MethodPost, "/sign-in/ended/trust", url.Values{"logout_token": {token}}).status
	}
	now := time.Now()
	for claim, claims := range map[string]map[string]any{
		"for another client": {"sub": "nurse", "aud": "elsewhere"},
		"of another issuer":  {"sub": "nurse", "iss": "https://elsewhere.example"},
		"with a nonce":       {"sub": "nurse", "nonce": "abc"},
		"without the event":  {"sub": "nurse", "events": map[string]any{"other": map[string]any{}}},
		"with no object":     {"sub": "nurse", "events": map[string]any{logoutEvent: nil}},
		"without an id":      {"sub": "nurse", "jti": nil},
		"of nobody":          {},
		"old":                {"sub": "nurse", "iat": now.Add(-time.Hour).Unix()},
		"over":               {"sub": "nurse", "exp": now.Add(-time.Hour).Unix()},
		"of a time to come":  {"sub": "nurse", "iat": now.Add(time.Hour).Unix(), "exp": now.Add(2 * time.Hour).Unix()},
		"without an iat":     {"sub": "nurse", "iat": nil},
		"with no events, and a sid that is empty": {"sid": ""},
	} {
		if status := ended(claims); status != http.StatusBadRequest {
			t.Errorf("a logout token %s: %d", claim, status)
		}
	}
	one.is(theNurse)
	if status := ended(map[string]any{"sub": "stranger"}); status != http.StatusOK {
		t.Errorf("somebody who is not signed in here: %d", status)
	}
	token, err := s.provider.LogoutToken(map[string]any{"sub": "nurse"})
	ok(t, err)
	say := func(token string) int {
		return s.visitor(t).do(http.MethodPost, "/sign-in/ended/trust", url.Values{"logout_token": {token}}).status
	}
	if status := say(token); status != http.StatusOK {
		t.Errorf("a logout token: %d", status)
	}
	one.isNobody()
	two.isNobody()
	other.is(principal.Principal{Organisation: "RXX", Role: "sending-team", Subject: "trust/sister"})
	one.comesIn("nurse")
	if status := say(token); status != http.StatusOK {
		t.Errorf("the same word again: %d", status)
	}
	one.is(theNurse)
	if status := say(token + "x"); status != http.StatusBadRequest {
		t.Errorf("a word that nobody signed: %d", status)
	}
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func TestWhoeverMayNotAnyMoreLosesAccessAtTheNextCheck(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	v.comesIn("nurse")
	s.provider.Disable("nurse")
	v.is(theNurse) // the provider was asked a moment ago
	s.now.Set(6 * time.Minute)
	v.isNobody()
	s.now.Set(7 * time.Minute)
	v.isNobody()
}

func TestWhoeverIsMovedToAnotherTeamLosesTheFormerRoleAtTheNextCheck(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	v.comesIn("nurse")
	s.provider.Change("nurse", groups("liaison", "night-shift"))
	s.now.Set(6 * time.Minute)
	v.is(theNurse)
	s.provider.Change("nurse", groups("callers"))
	s.now.Set(8 * time.Minute)
	v.is(theNurse)
	s.now.Set(12 * time.Minute)
	v.isNobody()
}

func TestAChangedMappingHoldsAtTheNextRequest(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	v.comesIn("nurse")
	changed := *s.signIn.Mapping()
	changed.Rules = slices.Clone(changed.Rules)
	changed.Rules[0].Organisation = "RYY"
	ok(t, s.signIn.Replace(&changed))
	v.isNobody()
	if got := v.get("/sessions"); got.location != s.at+"/sign-in?because=not-vouched&next=%2Fsessions" {
		t.Errorf("led to %q", got.location)
	}
	changed.Rules = slices.Clone(changed.Rules)
	changed.Rules[0].Organisation = "RXX"
	again := changed
	again.Rules = slices.Clone(changed.Rules)
	ok(t, s.signIn.Replace(&again))
	v.is(theNurse)
	disabled := again
	disabled.Disabled = []string{"trust/nurse"}
	ok(t, s.signIn.Replace(&disabled))
	v.isNobody()
}

func TestAProviderThatIsDownKeepsNobodyFromWorkingAndIsFoundAgain(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	working, coming := s.visitor(t), s.visitor(t)
	working.comesIn("nurse")
	s.down.Store(true)
	s.now.Set(6 * time.Minute)
	working.is(theNurse)
	fresh, err := signin.New(signin.Config{Mapping: s.signIn.Mapping(), URL: s.at, Client: ProviderClient(),
		Clock: clock.Real()}) // as after a start
	ok(t, err)
	began := start(t, func(c *Config) { c.Providers = fresh })
	leaves := func() *httptest.ResponseRecorder { return began.ask(t, "GET", "/sign-in/with/trust", "", nil) }
	if got := leaves(); got.Code != http.StatusServiceUnavailable ||
		!strings.Contains(got.Body.String(), "does not answer") {
		t.Errorf("leaving for a provider that is down: %d", got.Code)
	}
	s.down.Store(false)
	for leaves().Code != http.StatusSeeOther { // it is looked for again at most once a second
		select {
		case <-t.Context().Done():
			t.Fatal("the provider is not found again")
		case <-time.After(100 * time.Millisecond):
		}
	}
	coming.comesIn("nurse")
	coming.is(theNurse)
	s.now.Set(12 * time.Minute)
	working.is(theNurse)
}

func TestAnotherKeyOfTheProviderIsFound(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	s.visitor(t).comesIn("nurse")
	ok(t, s.provider.Rotate())
	v := s.visitor(t)
	v.comesIn("nurse")
	v.is(theNurse)
	ok(t, s.provider.LogOut(t.Context(), "nurse"))
	v.isNobody()
}

func TestAskedAtOnceTheProviderIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	v := s.visitor(t)
	v.comesIn("nurse")
	s.now.Set(6 * time.Minute)
	ended := make(chan int, 8)
	for range cap(ended) {
		go func() {
			r, _ := http.NewRequest(http.MethodGet, s.at+"/api/sessions", nil)
			w, err := v.Do(r)
			if err != nil {
				ended <- 0
				return
			}
			_ = w.Body.Close()
			ended <- w.StatusCode
		}()
	}
	for range cap(ended) {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("one of the requests was answered with %d", status)
		}
	}
	s.now.Set(12 * time.Minute)
	v.is(theNurse)
}

// inRole signs somebody in who may be several, as the one of a number.
func (v *visitor) inRole(user string, number int) {
	v.t.Helper()
	asks := v.get(v.comesIn(user).location)
	_, short, _ := strings.Cut(asks.body, `name="of" value="`)
	options := regexp.MustCompile(`name="who" type="radio" value="([^"]+)"`).FindAllStringSubmatch(asks.body, -1)
	v.do(http.MethodPost, "/sign-in/role", url.Values{"of": {short[:8]}, "who": {options[number][1]}})
}

// TestSigningOutEverywhereIsOfAPersonAndNotOfARole: whoever may be several here sees all their sessions, and ends them.
func TestSigningOutEverywhereIsOfAPersonAndNotOfARole(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	here, there, third, other := s.visitor(t), s.visitor(t), s.visitor(t), s.visitor(t)
	here.inRole("both", 0)
	there.inRole("both", 1)
	third.inRole("both", 1)
	other.comesIn("nurse")
	page := here.get("/sessions").body
	ends := regexp.MustCompile(`/sessions/([0-9a-f-]+)/end`).FindAllStringSubmatch(page, -1)
	mark := regexp.MustCompile(`name="` + schemas.OpenedAs + `" value="([^"]+)"`).FindStringSubmatch(page)
	form := url.Values{schemas.OpenedAs: {mark[1]}}
	if len(ends) != 3 {
		t.Fatalf("%d sessions are shown", len(ends))
	}
	here.do(http.MethodPost, ends[0][0], form) // the latest
	third.isNobody()
	if got := here.do(http.MethodPost, "/sign-out/all", form); got.status != http.StatusSeeOther {
		t.Errorf("signing out everywhere: %d", got.status)
	}
	here.isNobody()
	there.isNobody()
	other.is(theNurse)
}

// silent is a way to a provider that answers nothing until it is let go.
type silent struct{ asked, release chan struct{} }

func (s silent) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked <- struct{}{}
	<-s.release
	return nil, errors.New("no answer")
}

// TestSigningOutDoesNotWaitForTheProvider: the session is over before it is asked where to sign out there too.
func TestSigningOutDoesNotWaitForTheProvider(t *testing.T) {
	t.Parallel()
	s := newStaff(t)
	way := silent{make(chan struct{}, 8), make(chan struct{})}
	fresh, err := signin.New(signin.Config{Mapping: s.signIn.Mapping(), URL: s.at, Client: &http.Client{Transport: way},
		Clock: clock.Real()})
	ok(t, err)
	began := start(t, func(c *Config) { c.Providers = fresh })
	r := httptest.NewRequest(http.MethodPost, "/sign-out", nil)
	cookie, err := began.sessions.beginIn(r, began.sessions.pool, theNurse, &signin.Person{Provider: "trust",
		Since: time.Now()})
	ok(t, err)
	r.AddCookie(cookie)
	answered := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		began.ServeHTTP(w, r)
		answered <- w.Code
	}()
	<-way.asked
	if _, err := who(began.sessions, cookie); !errors.Is(err, errSessionEnded) {
		t.Errorf("while the provider is asked the session holds: %v", err)
	}
	close(way.release)
	if status := <-answered; status != http.StatusSeeOther {
		t.Errorf("answered %d", status)
	}
}
