package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"footbridge/libs/clock"
	"footbridge/services/gateway/signin"
)

// forger is a provider that says and signs whatever a test wants.
type forger struct {
	*httptest.Server
	key      *rsa.PrivateKey
	token    string         // what it answers as the ID token
	more     map[string]any // its further description
	userinfo map[string]any
	keyless  bool // its keys cannot be fetched
	posted   url.Values
	basic    bool // the client showed its secret in a header
}

func newForger(t *testing.T) *forger {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	f := &forger{key: key, more: map[string]any{}}
	write := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		about := map[string]any{"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize",
			"token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys", "userinfo_endpoint": f.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		maps.Copy(about, f.more)
		write(w, about)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		if f.keyless {
			http.Error(w, "being mended", http.StatusServiceUnavailable)
			return
		}
		write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "RS256",
			Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _, f.basic = r.BasicAuth()
		f.posted = r.PostForm
		write(w, map[string]any{"access_token": "an-access-token", "token_type": "Bearer", "id_token": f.token})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { write(w, f.userinfo) })
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signed signs claims by a key.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	ok(t, err)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	ok(t, err)
	return text
}

const secret = "the secret of an attempt, which is long enough"

// asked is a client of the forger, with the nonce and the state of one attempt.
func asked(t *testing.T, f *forger, change ...func(*signin.Provider)) (s *signin.SignIn, nonce, state string) {
	t.Helper()
	p := signin.Provider{ID: "trust", Issuer: f.URL, Client: "footbridge"}
	for _, c := range change {
		c(&p)
	}
	s, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: clock.Real(),
		Client: &http.Client{}, Mapping: &signin.Mapping{Providers: []signin.Provider{p}}})
	ok(t, err)
	to, err := s.Leave(t.Context(), "trust", secret)
	ok(t, err)
	at, err := url.Parse(to)
	ok(t, err)
	query := at.Query()
	if query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43 ||
		query.Get("redirect_uri") != "https://footbridge.example/sign-in/from/trust" ||
		query.Get("response_type") != "code" || strings.Contains(to, secret) {
		t.Fatalf("leaves to %s", to)
	}
	return s, query.Get("nonce"), query.Get("state")
}

func claims(f *forger, nonce string) map[string]any {
	now := time.Now()
	return map[string]any{"iss": f.URL, "sub": "nurse", "aud": "footbridge", "nonce": nonce, "iat": now.Unix(),
		"exp": now.Add(5 * time.Minute).Unix()}
}

// with is claims with some others; nil takes one away.
func with(all map[string]any, others ...any) map[string]any {
	all = maps.Clone(all)
	for i := 0; i+1 < len(others); i += 2 {
		if others[i+1] == nil {
			delete(all, others[i].(string))
			continue
		}
		all[others[i].(string)] = others[i+1]
	}
	return all
}

func TestAForgedTokenSignsNobodyIn(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, state := asked(t, f)
	right, now := claims(f, nonce), time.Now()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	ok(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	sign := func(claims map[string]any) string { return signed(t, jose.RS256, f.key, "k", claims) }
	raw := func(value any) string {
		text, err := json.Marshal(value)
		ok(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	take := func(token string) error {
		f.token = token
		_, err := s.Return(t.Context(), "trust", secret, url.Values{"state": {state}, "code": {"abc"}})
		return err
	}
	for claim, token := range map[string]string{
		"of another attempt":       sign(with(right, "nonce", "another")),
		"of no attempt":            sign(with(right, "nonce", nil)),
		"for another client":       sign(with(right, "aud", "elsewhere")),
		"for two, given to nobody": sign(with(right, "aud", []string{"footbridge", "elsewhere"})),
		"given to another": sign(with(right, "aud", []string{"footbridge", "elsewhere"}, "azp",
			"elsewhere")),
		"of another issuer":             sign(with(right, "iss", "https://elsewhere.example")),
		"over":                          sign(with(right, "exp", now.Add(-2*time.Minute).Unix())),
		"of an hour ago":                sign(with(right, "iat", now.Add(-time.Hour).Unix())),
		"of a time to come":             sign(with(right, "iat", now.Add(5*time.Minute).Unix())),
		"of no time":                    sign(with(right, "iat", nil)),
		"about nobody":                  sign(with(right, "sub", nil)),
		"with another's access token":   sign(with(right, "at_hash", "AAAAAAAAAAAAAAAAAAAAAA")),
		"that is a logout token":        sign(with(right, "events", map[string]any{"x": map[string]any{}})),
		"signed by nobody":              raw(map[string]string{"alg": "none"}) + "." + raw(right) + ".",
		"signed by nobody, in capitals": raw(map[string]string{"alg": "NONE"}) + "." + raw(right) + ".",
		"signed by the public key":      signed(t, jose.HS256, public, "k", right),
		"signed by another key":         signed(t, jose.RS256, other, "k", right),
		"signed by an unknown key":      signed(t, jose.RS256, other, "x", right),
		"changed after signing":         changed(sign(right)),
		"cut":                           sign(right)[:40],
		"missing":                       "",
	} {
		if err := take(token); !errors.Is(err, signin.ErrRefused) || strings.Contains(fmt.Sprint(err), "nurse") {
			t.Errorf("a token %s: %v", claim, err)
		}
	}
	for claim, token := range map[string]string{"right": sign(right), "a little early": sign(with(right, "iat",
		now.Add(30*time.Second).Unix())), "a little late": sign(with(right, "exp", now.Add(-30*time.Second).Unix())),
		"for two, given to us": sign(with(right, "aud", []string{"footbridge", "elsewhere"}, "azp", "footbridge"))} {
		if err := take(token); err != nil {
			t.Errorf("a token that is %s: %v", claim, err)
		}
	}
	for claim, answer := range map[string]url.Values{
		"of another state":    {"state": {"another"}, "code": {"abc"}},
		"of another issuer":   {"state": {state}, "code": {"abc"}, "iss": {"https://elsewhere.example"}},
		"that is an error":    {"state": {state}, "error": {"access_denied"}},
		"that has no code":    {"state": {state}},
		"error beside a code": {"state": {state}, "code": {"abc"}, "error": {"server_error"}},
	} {
		if _, err := s.Return(t.Context(), "trust", secret, answer); !errors.Is(err, signin.ErrRefused) {
			t.Errorf("an answer %s: %v", claim, err)
		}
	}
}

// changed is a token whose claims are others than were signed.
func changed(token string) string {
	parts := strings.Split(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), "nurse", "chief", 1)))
	return strings.Join(parts, ".")
}

func TestWhereAProviderSaysWhoseItsAnswersAreOneWithoutIsRefused(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	f.more["authorization_response_iss_parameter_supported"] = true
	s, nonce, state := asked(t, f)
	f.token = signed(t, jose.RS256, f.key, "k", claims(f, nonce))
	answer := url.Values{"state": {state}, "code": {"abc"}}
	if _, err := s.Return(t.Context(), "trust", secret, answer); !errors.Is(err, signin.ErrRefused) {
		t.Errorf("without an issuer: %v", err)
	}
	answer.Set("iss", f.URL)
	if _, err := s.Return(t.Context(), "trust", secret, answer); err != nil {
		t.Errorf("with it: %v", err)
	}
}

func TestAssuranceThatIsAskedForMustComeBack(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, state := asked(t, f, func(p *signin.Provider) {
		p.ACR, p.AMR = []string{"AAL3_ANY"}, []string{"N3_SMARTCARD", "FIDO2"}
		p.Require = map[string]signin.Values{"id_assurance_level": {"3"}}
		p.MaxAge = time.Hour
	})
	right := with(claims(f, nonce), "acr", "AAL3_ANY", "amr", []string{"N3_SMARTCARD"}, "id_assurance_level", 3,
		"auth_time", time.Now().Unix())
	for claim, c := range map[string]struct {
		claims map[string]any
		want   error
	}{
		"all there":               {right, nil},
		"a lower level":           {with(right, "acr", "AAL2_ANY"), signin.ErrAssurance},
		"no level":                {with(right, "acr", nil), signin.ErrAssurance},
		"another means":           {with(right, "amr", []string{"pwd"}), signin.ErrAssurance},
		"a weaker identity":       {with(right, "id_assurance_level", 2), signin.ErrAssurance},
		"shown some days ago":     {with(right, "auth_time", time.Now().Add(-48*time.Hour).Unix()), signin.ErrRefused},
		"shown nobody knows when": {with(right, "auth_time", nil), signin.ErrRefused},
	} {
		f.token = signed(t, jose.RS256, f.key, "k", c.claims)
		_, err := s.Return(t.Context(), "trust", secret, url.Values{"state": {state}, "code": {"abc"}})
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

func TestUserinfoIsAboutTheSamePersonAndOverrulesNoToken(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, state := asked(t, f, func(p *signin.Provider) { p.UserInfo, p.ACR = true, []string{"AAL3_ANY"} })
	f.token = signed(t, jose.RS256, f.key, "k", with(claims(f, nonce), "acr", "AAL1_USERPASS"))
	take := func() error {
		_, err := s.Return(t.Context(), "trust", secret, url.Values{"state": {state}, "code": {"abc"}})
		return err
	}
	f.userinfo = map[string]any{"sub": "chief"}
	if err := take(); !errors.Is(err, signin.ErrRefused) {
		t.Errorf("userinfo about another: %v", err)
	}
	f.userinfo = map[string]any{"sub": "nurse", "acr": "AAL3_ANY"}
	if err := take(); !errors.Is(err, signin.ErrAssurance) {
		t.Errorf("userinfo that raises the level: %v", err)
	}
}

func TestAProviderThatTakesNoPKCEOrIsAnotherIsNotUsed(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	p := signin.Provider{ID: "trust", Issuer: f.URL, Client: "footbridge"}
	s, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: clock.Real(),
		Client: &http.Client{}, Mapping: &signin.Mapping{Providers: []signin.Provider{p}}})
	ok(t, err)
	f.more["issuer"] = "https://elsewhere.example"
	if _, err := s.Leave(t.Context(), "trust", secret); !errors.Is(err, signin.ErrDown) {
		t.Errorf("one that says it is another: %v", err)
	}
	g := newForger(t)
	g.more["code_challenge_methods_supported"] = []string{"plain"}
	p.Issuer = g.URL
	ok(t, s.Replace(&signin.Mapping{Providers: []signin.Provider{p}}))
	if _, err := s.Leave(t.Context(), "trust", secret); !errors.Is(err, signin.ErrDown) {
		t.Errorf("one that takes no S256: %v", err)
	}
}

func TestTheFileIsTakenInWhileTheProcessRunsAndAWrongOneIsNot(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, _, _ := asked(t, f)
	ctx, stop := context.WithCancel(t.Context())
	said := make(chan string, 8)
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, func(amiss string) { said <- amiss }) }()
	if amiss := <-said; amiss != "" {
		t.Errorf("it says %q", amiss)
	}
	stop()
	ok(t, <-ended)
	f.Close()
	down, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: clock.Real(),
		Client: &http.Client{}, Mapping: s.Mapping()})
	ok(t, err)
	ctx, stop = context.WithCancel(t.Context())
	go func() { ended <- down.Run(ctx, func(amiss string) { said <- amiss }) }()
	if amiss := <-said; !strings.Contains(amiss, "nobody can sign in with trust") || strings.Contains(amiss, f.URL) {
		t.Errorf("it says %q", amiss)
	}
	stop()
	ok(t, <-ended)
	if err := s.Replace(&signin.Mapping{}); err == nil || !slices.Equal(s.Mapping().Providers[0].Scopes,
		[]string{"openid"}) {
		t.Errorf("a mapping without a provider: %v", err)
	}
}

func TestATokenThatCannotBeLookedAtIsNotCalledForged(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, state := asked(t, f)
	f.token, f.keyless = signed(t, jose.RS256, f.key, "k", claims(f, nonce)), true
	answer := url.Values{"state": {state}, "code": {"abc"}}
	if _, err := s.Return(t.Context(), "trust", secret, answer); !errors.Is(err, signin.ErrDown) ||
		errors.Is(err, signin.ErrRefused) {
		t.Errorf("without keys: %v", err)
	}
	was := signin.Person{Provider: "trust", Who: signin.Who(f.URL, "sub", "nurse"), Renew: "a-token"}
	if _, err := s.Renew(t.Context(), was); !errors.Is(err, signin.ErrDown) || errors.Is(err, signin.ErrRefused) {
		t.Errorf("asked again, without keys: %v", err)
	}
	f.keyless = false
	if _, err := s.Renew(t.Context(), was); err != nil {
		t.Errorf("asked again: %v", err)
	}
	f.token = signed(t, jose.RS256, f.key, "k", with(claims(f, nonce), "sub", "chief"))
	if _, err := s.Renew(t.Context(), was); !errors.Is(err, signin.ErrRefused) {
		t.Errorf("asked again, it is another: %v", err)
	}
}

func TestTheSecretIsShownAsTheProviderTakesItAndAPublicClientHasPKCEAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secret  string
		methods any
		basic   bool
	}{{"a secret", nil, true}, {"a secret", []string{"client_secret_post", "client_secret_basic"}, true},
		{"a secret", []string{"client_secret_post"}, false}, {"", nil, false}} {
		f := newForger(t)
		if c.methods != nil {
			f.more["token_endpoint_auth_methods_supported"] = c.methods
		}
		s, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: clock.Real(),
			Client: &http.Client{}, Secrets: map[string]string{"trust": c.secret}, Mapping: &signin.Mapping{
				Providers: []signin.Provider{{ID: "trust", Issuer: f.URL, Client: "footbridge"}}}})
		ok(t, err)
		_, _ = s.Return(t.Context(), "trust", secret, url.Values{"state": {signin.State(secret)}, "code": {"abc"}})
		if f.basic != c.basic || len(f.posted.Get("code_verifier")) != 43 ||
			!c.basic && f.posted.Get("client_secret") != c.secret {
			t.Errorf("%+v: in a header %v, posted %v", c, f.basic, f.posted)
		}
	}
}

// TestWhatARenewedTokenSaysOtherwiseThanIsRequiredEndsASession: it need not say everything again.
func TestWhatARenewedTokenSaysOtherwiseThanIsRequiredEndsASession(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, _ := asked(t, f, func(p *signin.Provider) {
		p.ACR, p.Require = []string{"strong"}, map[string]signin.Values{"employed": {"true"}}
	})
	was := signin.Person{Provider: "trust", Who: signin.Who(f.URL, "sub", "nurse"), Renew: "a-token"}
	for claim, c := range map[string]struct {
		says  []any
		still bool
	}{"as required": {[]any{"acr", "strong", "employed", true}, true}, "nothing": {nil, true},
		"employed no more": {[]any{"acr", "strong", "employed", false}, false},
		"shown less":       {[]any{"acr", "weak", "employed", true}, false}} {
		f.token = signed(t, jose.RS256, f.key, "k", with(claims(f, nonce), c.says...))
		if _, err := s.Renew(t.Context(), was); (err == nil) != c.still || err != nil &&
			!errors.Is(err, signin.ErrRefused) {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// held is a way to a provider that can be made to answer nothing until it is let go.
type held struct {
	now     atomic.Int64 // seconds
	holds   atomic.Bool
	asked   chan struct{}
	release chan struct{}
}

func (h *held) Now() time.Time { return time.Unix(h.now.Load(), 0) }

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.holds.Load() {
		h.asked <- struct{}{}
		<-h.release
		return nil, errors.New("no answer")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestNobodyWaitsForSomebodyElsesProviderThatDoesNotAnswer: who is known already goes on by what was read before, and
// who gives up has given up.
func TestNobodyWaitsForSomebodyElsesProviderThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for claim, read := range map[string]bool{"never read": false, "read before": true} {
		f, h := newForger(t), &held{asked: make(chan struct{}, 8), release: make(chan struct{})}
		h.now.Store(time.Now().Unix())
		s, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: h,
			Client:  &http.Client{Transport: h},
			Mapping: &signin.Mapping{Providers: []signin.Provider{{ID: "trust", Issuer: f.URL, Client: "footbridge"}}}})
		ok(t, err)
		if read {
			_, err := s.Leave(t.Context(), "trust", secret)
			ok(t, err)
		}
		h.holds.Store(true)
		h.now.Add(int64((2 * time.Hour).Seconds()))
		first := make(chan error)
		go func() {
			_, err := s.Leave(t.Context(), "trust", secret)
			first <- err
		}()
		<-h.asked
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := s.Leave(gone, "trust", secret); (err == nil) != read || !read && !errors.Is(err, signin.ErrDown) {
			t.Errorf("%s: whoever comes meanwhile: %v", claim, err)
		}
		close(h.release)
		if err := <-first; (err == nil) != read {
			t.Errorf("%s: whoever asked first: %v", claim, err)
		}
	}
}

// TestAFileThatIsChangedBeforeItIsWatchedIsTakenIn: a process may wait long for others between reading and watching it.
func TestAFileThatIsChangedBeforeItIsWatchedIsTakenIn(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	path := filepath.Join(t.TempDir(), "sign-in.yaml")
	text := fmt.Sprintf("providers: [{id: trust, issuer: %q, client: footbridge}]\n", f.URL)
	ok(t, os.WriteFile(path, []byte(text), 0o600))
	s, err := signin.New(signin.Config{URL: "https://footbridge.example", Clock: clock.Real(), Client: &http.Client{},
		File: path})
	ok(t, err)
	ok(t, os.WriteFile(path, []byte(text+"disabled: [trust/leaver]\n"), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	said, ended := make(chan string, 8), make(chan error)
	go func() { ended <- s.Run(ctx, func(amiss string) { said <- amiss }) }()
	if amiss := <-said; amiss != "" || !slices.Equal(s.Mapping().Disabled, []string{"trust/leaver"}) {
		t.Errorf("it says %q, and keeps out %v", amiss, s.Mapping().Disabled)
	}
	stop()
	ok(t, <-ended)
}
