// Package signin finds out who somebody is by an identity provider, and whom that makes them here.
//
// In come a browser's answer from a provider of OpenID Connect, a refresh token whose time has come, and a provider's
// word that somebody has signed out there. Out go a person with their claims, whether they still may, and whose
// sessions are over. It keeps no state beyond the provider's own description and keys; sessions and attempts are the
// gateway's. Promises:
//   - authorization code with PKCE, state and nonce alone, each derived from a secret of one attempt of one browser;
//   - a token is verified by keys of the issuer it is expected from, by asymmetric algorithms alone, for this client,
//     within a minute of its times; a level of assurance that is asked for is looked for in the answer;
//   - nobody is anybody by default: the mapping file says it all, and a claim that was left out for its length is said
//     to have been left out;
//   - a provider that does not answer keeps nothing else from working: it is looked for again until it is there;
//   - no claim, token, code or secret stands in an error that is logged or shown.
package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// Errors that a caller tells apart.
var (
	// ErrDown: the provider does not answer, or not sensibly. Nothing is wrong with who asked.
	ErrDown = errors.New("the identity provider does not answer")
	// ErrRefused: the provider, or what it sent, does not say that this is somebody.
	ErrRefused = errors.New("the identity provider does not vouch for this")
	// ErrAssurance: it is somebody, who has not shown it strongly enough.
	ErrAssurance = errors.New("signed in with less assurance than is asked for")
	// ErrUnknownProvider: no provider has this id, any more.
	ErrUnknownProvider = errors.New("no provider has this id")
)

const (
	// skew is how far clocks of a provider and ours may be apart.
	skew = time.Minute
	// describedFor is how long a provider's description and keys are taken as they were read.
	describedFor = time.Hour
	// lookAgain is when a provider is looked for again that was not there.
	lookAgain = 15 * time.Second
	// mapAgain is how often the mapping file is read again.
	mapAgain = 15 * time.Second
)

// algorithms are those that one side alone can sign by.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256,
	oidc.PS384, oidc.PS512, oidc.EdDSA}

// Config is what this package needs. Mapping or File, URL, Client and Clock must be given.
type Config struct {
	// File is the mapping file, which is read again while the process runs.
	File string
	// Mapping is used where there is no file.
	Mapping *Mapping
	// Secrets are the clients' secrets by provider, for those that name no file of theirs; a public client has none.
	Secrets map[string]string
	// URL is where people find this system: the provider sends them back there.
	URL string
	// Client reaches the providers, which the operator has named. It follows no redirects, and bounds what it reads.
	// Its Transport must be given where a provider is shown who asks by a key.
	Client *http.Client
	Clock  clock.Clock // the machine's is taken of it: tokens are of the real time
	Log    *slog.Logger
}

// SignIn knows the providers and the mapping.
type SignIn struct {
	cfg     Config
	clock   clock.Clock
	mapping atomic.Pointer[Mapping]
	began   string // the file's content as it was first taken in
	mu      sync.Mutex
	known   map[string]*described // by issuer and client
}

// described is a provider's own description, as it was read at some time.
type described struct {
	turn     chan struct{} // to read it anew: one at a time has it
	mu       sync.Mutex    // of what follows
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	extra    extra
	at       time.Time
	failed   time.Time
}

// extra are parts of a description that go-oidc leaves to others.
type extra struct {
	EndSession string   `json:"end_session_endpoint"`
	SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	Challenges []string `json:"code_challenge_methods_supported"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
	Signs      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
}

// New reads the mapping. No provider need be there.
func New(cfg Config) (*SignIn, error) {
	if cfg.Client == nil || cfg.Clock == nil || cfg.URL == "" || cfg.File == "" && cfg.Mapping == nil {
		return nil, errors.New("preparing sign-in: a mapping, an address, a client and a clock must be given")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &SignIn{cfg: cfg, clock: clock.Machine(cfg.Clock), known: map[string]*described{}}
	s.began = s.content() // before it is taken in: what is changed meanwhile is found to have been
	m := cfg.Mapping
	if m == nil {
		var err error
		if m, err = LoadMapping(cfg.File); err != nil {
			return nil, err
		}
	} else if err := m.Check(); err != nil {
		return nil, fmt.Errorf("preparing sign-in: %w", err)
	}
	if err := m.CheckFiles(); err != nil {
		return nil, fmt.Errorf("preparing sign-in: %w", err)
	}
	s.mapping.Store(m)
	return s, nil
}

// Mapping is the mapping as it is now.
func (s *SignIn) Mapping() *Mapping { return s.mapping.Load() }

// Replace takes another mapping; sessions that it lets nobody have end at their next request.
func (s *SignIn) Replace(m *Mapping) error {
	if err := m.Check(); err != nil {
		return err
	}
	s.mapping.Store(m)
	return nil
}

// Run keeps the providers' descriptions and the mapping current until ctx ends. said is told whenever it changes what
// is amiss; empty is nothing.
func (s *SignIn) Run(ctx context.Context, said func(amiss string)) error {
	ticker := time.NewTicker(min(lookAgain, mapAgain))
	defer ticker.Stop()
	last, content := "-", s.began
	for {
		amiss := s.look(ctx)
		if text := s.content(); text != content {
			amiss = join(amiss, s.reread(&content, text))
		}
		if amiss != last {
			said(amiss)
			last = amiss
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

func (s *SignIn) content() string {
	content, err := os.ReadFile(s.cfg.File)
	if s.cfg.File == "" || err != nil {
		return ""
	}
	return string(content)
}

// reread takes in a file that was changed; where it is wrong, the mapping stays as it was, and it is tried again.
func (s *SignIn) reread(content *string, text string) (amiss string) {
	m, err := ReadMapping([]byte(text))
	if err == nil {
		m.folder = filepath.Dir(s.cfg.File)
		err = m.CheckFiles()
	}
	if err != nil {
		s.cfg.Log.Warn("the sign-in file was changed and is wrong; it stays as it was", schemas.AttrError, err)
		return "the sign-in file was changed and is wrong, and is used as it was; footbridge sign-in check says what"
	}
	*content = text
	s.mapping.Store(m)
	s.cfg.Log.Info("the sign-in file was changed and taken in")
	return ""
}

// look reads the description of each provider for which that is due, and says which are not there.
func (s *SignIn) look(ctx context.Context) (amiss string) {
	for _, p := range s.Mapping().Providers {
		if _, err := s.described(ctx, p); err != nil && ctx.Err() == nil {
			amiss = join(amiss, fmt.Sprintf("nobody can sign in with %s, which does not answer; it is tried again "+
				"every %v", p.ID, lookAgain))
		}
	}
	return amiss
}

// Discover reads a provider's description now, for doctor.
func (s *SignIn) Discover(ctx context.Context, p Provider) error {
	_, err := s.described(ctx, p)
	return err
}

// described is a provider's description. One that is older than an hour is read again, by one caller, and used until
// that succeeds; whoever has none waits for who reads it, as long as ctx lets them.
func (s *SignIn) described(ctx context.Context, p Provider) (*described, error) {
	s.mu.Lock()
	d := s.known[p.Issuer+" "+p.Client]
	if d == nil {
		d = &described{turn: make(chan struct{}, 1)}
		s.known[p.Issuer+" "+p.Client] = d
	}
	s.mu.Unlock()
	if now, due := d.copy(s.clock.Now()); !due {
		return now.orDown()
	}
	select {
	case d.turn <- struct{}{}:
	default:
		if now, _ := d.copy(s.clock.Now()); now.provider != nil {
			return now, nil
		}
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ErrDown
		}
	}
	defer func() { <-d.turn }()
	if now, due := d.copy(s.clock.Now()); !due { // by who had the turn before
		return now.orDown()
	}
	s.readAgain(ctx, p, d)
	now, _ := d.copy(s.clock.Now())
	return now.orDown()
}

// copy can be used while the original is read anew; due says that it is to be.
func (d *described) copy(now time.Time) (c *described, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// a crowd, while down
	due = (d.provider == nil || now.Sub(d.at) >= describedFor) && now.Sub(d.failed) >= time.Second
	return &described{provider: d.provider, verifier: d.verifier, extra: d.extra}, due
}

func (d *described) orDown() (*described, error) {
	if d.provider == nil {
		return nil, ErrDown
	}
	return d, nil
}

// readAgain reads a provider's description for whoever has the turn. Where that fails it stays as it was.
func (s *SignIn) readAgain(ctx context.Context, p Provider, d *described) {
	is, err := s.read(ctx, p)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if d.failed.IsZero() { // once, until it is there again
			s.cfg.Log.Warn("an identity provider does not describe itself", schemas.AttrProvider, p.ID,
				schemas.AttrError, err)
		}
		d.failed = s.clock.Now()
		return
	}
	d.provider, d.verifier, d.extra, d.at, d.failed = is.provider, is.verifier, is.extra, is.at, time.Time{}
}

func (s *SignIn) read(ctx context.Context, p Provider) (*described, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.cfg.Client), 5*time.Second)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	var more extra
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("reading what the provider offers: %w", err)
	}
	if len(more.Challenges) > 0 && !slices.Contains(more.Challenges, "S256") {
		return nil, errors.New("the provider takes no S256 code challenge (PKCE), which is asked for always")
	}
	d := &described{provider: provider, extra: more}
	d.at = s.clock.Now().Add(-rand.N(describedFor / 10)) // not all replicas at once
	d.verifier = provider.VerifierContext(oidc.ClientContext(context.WithoutCancel(ctx), s.cfg.Client), &oidc.Config{
		ClientID: p.Client, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return s.clock.Now().Add(-skew) }})
	return d, nil
}

// oauth is the client of a provider.
func (s *SignIn) oauth(p Provider, d *described) *oauth2.Config {
	at := d.provider.Endpoint()
	at.AuthStyle = oauth2.AuthStyleInHeader
	secret := s.secret(p)
	if secret == "" || len(d.extra.Methods) > 0 &&
		!slices.Contains(d.extra.Methods, "client_secret_basic") {
		at.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.Client, ClientSecret: secret, Endpoint: at, RedirectURL: s.back(p),
		Scopes: p.Scopes}
}

// back is where a provider sends people to: an address of its own, so that no other's answer is taken for its.
func (s *SignIn) back(p Provider) string {
	return strings.TrimRight(s.cfg.URL, "/") + "/sign-in/from/" + p.ID
}
