package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/service"
	"footbridge/schemas"
	"footbridge/services/console"
	"footbridge/services/gateway"
	"footbridge/services/gateway/provider"
	"footbridge/services/gateway/signin"
)

// signInSettings are how staff sign in.
type signInSettings struct {
	File    string                    `env:"SIGN_IN_FILE" help:"which identity providers staff sign in with, and whom their claims make them (YAML, docs/guides/sign-in.md); empty: no staff can sign in with a browser"`
	Secrets map[string]service.Secret `env:"*_SIGN_IN_SECRET" help:"the client secret of a provider in that file, by its id; with _FILE at its end, the name of a file that holds it"`
}

// staffSignIn is how staff sign in by identity providers; nil where that is not set up.
func (p *process) staffSignIn() (*signin.SignIn, error) {
	m, err := p.cfg.mapping()
	if m == nil || err != nil {
		return nil, err
	}
	return signin.New(signin.Config{File: p.cfg.SignIn.File, Mapping: m, Secrets: p.cfg.signInSecrets(),
		URL: p.cfg.outside(), Client: gateway.ProviderClient(), Clock: p.clock, Log: p.telemetry[schemas.Gateway].Log})
}

// mapping is the sign-in file's, or that of the made-up provider; nil where there is neither.
func (c *Config) mapping() (*signin.Mapping, error) {
	if c.SignIn.File == "" {
		return c.madeUp.mapping(), nil
	}
	m, err := signin.LoadMapping(c.SignIn.File)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_SIGN_IN_FILE: %w", err)
	}
	return m, nil
}

func (c *Config) signInSecrets() map[string]string {
	secrets := map[string]string{}
	for id, secret := range c.SignIn.Secrets {
		secrets[id] = string(secret)
	}
	if c.madeUp != nil {
		secrets[madeUpID] = c.madeUp.secret
	}
	return secrets
}

// signInWays are the providers as the console's sign-in page names them. The file is read whenever somebody looks at
// that page; while it is wrong, those of before are named, as the gateway takes them.
type signInWays struct {
	file string
	mu   sync.Mutex
	ways []console.Way
}

// ways reads them the first time, when a file that is wrong is refused.
func (c *Config) ways() (*signInWays, error) {
	m, err := c.mapping()
	return &signInWays{file: c.SignIn.File, ways: waysOf(m)}, err
}

func waysOf(m *signin.Mapping) (ways []console.Way) {
	if m == nil {
		return nil
	}
	for _, p := range m.Providers {
		ways = append(ways, console.Way{ID: p.ID, Name: p.Name})
	}
	return ways
}

func (w *signInWays) now() []console.Way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != "" {
		if m, err := signin.LoadMapping(w.file); err == nil {
			w.ways = waysOf(m)
		}
	}
	return w.ways
}

// checkSignIn says what is wrong with the configuration of signing in, before anything starts. No provider is asked.
func (c *Config) checkSignIn() error {
	m, err := c.mapping()
	if m == nil || err != nil {
		return err
	}
	if at, err := url.Parse(c.URL); !c.development && (err != nil || at.Host == "") {
		return errors.New(
			"FOOTBRIDGE_URL is missing: an identity provider sends people back there; write where people " +
				"find the gateway, such as https://footbridge.example.nhs.uk")
	}
	for id := range c.SignIn.Secrets {
		if _, known := m.Provider(id); !known {
			return fmt.Errorf("FOOTBRIDGE_%s_SIGN_IN_SECRET is of a provider that the sign-in file does not name",
				strings.ToUpper(strings.ReplaceAll(id, "-", "_")))
		}
	}
	return nil
}

// checkProviders asks each provider to describe itself, for doctor.
func (c *Config) checkProviders(ctx context.Context) (note string, err error) {
	m, err := c.mapping()
	switch {
	case err != nil:
		return "", err
	case m == nil && c.development:
		return "whom somebody is, is chosen on a page; footbridge dev --oidc has them sign in", nil
	case m == nil:
		return "FOOTBRIDGE_SIGN_IN_FILE is not set, so that no staff can sign in with a browser: docs/guides/sign-in.md", nil
	}
	if err := c.checkSignIn(); err != nil {
		return "", err
	}
	s, err := signin.New(signin.Config{Mapping: m, Secrets: c.signInSecrets(), URL: c.outside(),
		Client: gateway.ProviderClient(), Clock: systemClock()})
	if err != nil {
		return "", err
	}
	var errs []error
	for _, p := range m.Providers {
		if err := s.Discover(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w under %s; nobody can sign in by it until it does. Look from this "+
				"machine: "+
				"curl %s/.well-known/openid-configuration", p.ID, err, p.Issuer, strings.TrimRight(p.Issuer, "/")))
		}
		if c.signInSecrets()[p.ID] == "" && p.SecretFile == "" && p.KeyFile == "" {
			note = p.ID + " is used as a public client: it has no secret"
		}
	}
	return note, errors.Join(errs...)
}

type signInFlags struct {
	File     string `env:"FILE" placeholder:"FILE" help:"the sign-in file to try; empty: FOOTBRIDGE_SIGN_IN_FILE"`
	Claims   string `env:"CLAIMS" placeholder:"FILE" help:"claims as JSON, as an ID token or userinfo has them; - is standard input"`
	Provider string `env:"PROVIDER" placeholder:"ID" help:"the provider they come from; empty: the one whose issuer they name, or the only one"`
	JSON     bool   `env:"JSON" help:"print data"`
}

type signInKeyFlags struct {
	File     string `env:"FILE" placeholder:"FILE" help:"the sign-in file; empty: FOOTBRIDGE_SIGN_IN_FILE"`
	Provider string `env:"PROVIDER" placeholder:"ID" help:"the provider that is to be given it; empty: the only one"`
}

// printSignInKey prints the public half of the key by which this installation signs who it is, as a provider takes it.
func printSignInKey(_ context.Context, args []string) error {
	o, err := loadAlone[signInKeyFlags](args)
	if err != nil {
		return shown(err)
	}
	path := orElse(o.Own.File, o.SignIn.File)
	if path == "" {
		return service.Usage{Err: errors.New("--file and FOOTBRIDGE_SIGN_IN_FILE are missing: name the sign-in file")}
	}
	m, err := signin.LoadMapping(path)
	if err != nil {
		return err
	}
	p, err := providerOf(m, o.Own.Provider, nil)
	if err != nil {
		return err
	}
	public, err := m.PublicKey(p)
	if err == nil && len(public.Keys) == 0 {
		err = fmt.Errorf("provider %q names no key_file, so that there is no key to give", p.ID)
	}
	if err != nil {
		return err
	}
	return printJSON(public)
}

// checkClaims shows whom a set of claims would make somebody, and why, or why nobody. It signs nobody in.
func checkClaims(_ context.Context, args []string) error {
	o, err := loadAlone[signInFlags](args)
	if err != nil {
		return shown(err)
	}
	path := orElse(o.Own.File, o.SignIn.File)
	if path == "" || o.Own.Claims == "" {
		return service.Usage{Err: errors.New("--claims is missing, or --file and FOOTBRIDGE_SIGN_IN_FILE: name the " +
			"claims " +
			"to try, and the file to try them by")}
	}
	m, err := signin.LoadMapping(path)
	if err != nil {
		return err
	}
	claims, err := readClaims(o.Own.Claims)
	if err != nil {
		return err
	}
	p, err := providerOf(m, o.Own.Provider, claims)
	if err != nil {
		return err
	}
	d := m.Try(p, claims)
	if o.Own.JSON {
		err = printJSON(d)
	} else {
		printDecision(os.Stdout, p, d)
	}
	if len(d.Choices) == 0 {
		return errors.Join(err, errors.New("these claims make nobody"))
	}
	return err
}

func readClaims(path string) (claims map[string]any, err error) {
	content, err := os.ReadFile(path)
	if path == "-" {
		content, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	}
	if err != nil {
		return nil, fmt.Errorf("reading claims: %w", err)
	}
	if err := json.Unmarshal(content, &claims); err != nil {
		return nil, errors.New("reading claims: they are to be one JSON object, as an ID token's middle part decoded")
	}
	return claims, nil
}

// providerOf is whose claims they are.
func providerOf(m *signin.Mapping, id string, claims map[string]any) (signin.Provider, error) {
	issuer, _ := claims["iss"].(string)
	for _, p := range m.Providers {
		if p.ID == id || id == "" && (p.Issuer == issuer || issuer == "" && len(m.Providers) == 1) {
			return p, nil
		}
	}
	return signin.Provider{}, service.Usage{
		Err: errors.New("--provider is to be the id of a provider of the file: the " +
			"claims name no issuer that it knows")}
}

func printDecision(w io.Writer, p signin.Provider, d signin.Decision) {
	fmt.Fprintf(w, "provider  %s\nperson    %s\n", p.ID, orElse(d.Subject, "not told apart"))
	for _, c := range d.Choices {
		fmt.Fprintf(w, "is        %s at %s%s, called %q\n", c.Role, c.Organisation,
			map[bool]string{true: ", as " + c.Team}[c.Team != ""], c.Name)
	}
	switch len(d.Choices) {
	case 0:
		fmt.Fprintln(w, "is        nobody")
	case 1:
	default:
		fmt.Fprintln(w, "          and chooses one of them at sign-in")
	}
	for _, why := range d.Why {
		fmt.Fprintf(w, "because   %s\n", why)
	}
}

// madeUp is the identity provider of `dev --oidc`, with the people of the development sign-in page.
type madeUp struct {
	issuer, secret string
	listener       net.Listener
	choices        []console.Choice
}

const madeUpID = "made-up"

// twoRoles is somebody who is two of them, and stranger is nobody here.
const (
	twoRoles = "liaison-navigator"
	stranger = "stranger"
)

// makeUp listens for it, so that its address is known before anything else starts. Workers of partners sign in by a
// link, here too.
func (c *Config) makeUp(ctx context.Context, addr string) error {
	if c.SignIn.File != "" {
		return service.Usage{Err: errors.New("--oidc and FOOTBRIDGE_SIGN_IN_FILE: give one of them")}
	}
	listener, err := service.Listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("--oidc-addr: %w", err)
	}
	m := &madeUp{issuer: "http://" + listener.Addr().String(), secret: "made-up", listener: listener}
	for _, choice := range console.DevChoices() {
		if slices.Contains(signin.Roles, schemas.Role(choice.Principal.Role)) {
			m.choices = append(m.choices, choice)
		}
	}
	c.madeUp = m
	return nil
}

// mapping makes each of its people whom the sign-in page of development would.
func (m *madeUp) mapping() *signin.Mapping {
	if m == nil {
		return nil
	}
	all := &signin.Mapping{Ask: "whoever started this system", Providers: []signin.Provider{{ID: madeUpID,
		Name: "the made-up provider", Issuer: m.issuer, Client: "footbridge", Scopes: []string{"offline_access"}}}}
	for _, choice := range m.choices {
		all.Rules = append(all.Rules, signin.Rule{Provider: madeUpID,
			When:         map[string]signin.Values{"groups": {choice.ID}},
			Organisation: choice.Principal.Organisation, Role: schemas.Role(choice.Principal.Role),
			Teams: strings.Fields(choice.Principal.Team), Name: choice.Name})
	}
	return all
}

// run answers as the provider until ctx ends.
func (m *madeUp) run(ctx context.Context, h *service.Health, address string) error {
	cfg := provider.Config{Issuer: m.issuer, Client: "footbridge", Secret: m.secret, HTTP: gateway.ProviderClient(),
		Back: address + "/sign-in/from/" + madeUpID, After: address + "/sign-in",
		Ended: address + "/sign-in/ended/" + madeUpID}
	for _, choice := range m.choices {
		cfg.Users = append(cfg.Users, provider.User{ID: choice.ID, Name: choice.Name, About: choice.About,
			Claims: map[string]any{"groups": []string{choice.ID}}})
	}
	cfg.Users = append(cfg.Users, provider.User{ID: twoRoles, Name: "Liaison nurse who also navigates",
		About:  "Chooses one of the two at sign-in.",
		Claims: map[string]any{"groups": []string{"liaison", "navigator"}}},
		provider.User{ID: stranger, Name: "Somebody new", About: "Has an account, and is nobody here yet.",
			Claims: map[string]any{"groups": []string{"staff"}}})
	p, err := provider.New(cfg)
	if err != nil {
		return err
	}
	h.Ready()
	return httpx.Serve(ctx, httpx.NewServer(p), m.listener, 2*time.Second)
}
