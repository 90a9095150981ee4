// Package provider is an identity provider with made-up people, for development and for tests: anybody may sign in
// there as any of them. The protocol is zitadel/oidc's; this package holds who there is, in memory, and one page on
// which one of them is chosen.
//
// It stands in for a hospital's Keycloak or NHS CIS2: authorization code with PKCE, refresh tokens, keys that can be
// rotated, people that can be disabled, and its word by the back channel that somebody has signed out. It is never used
// by serve.
package provider

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// User is somebody who can sign in.
type User struct {
	// ID is their subject.
	ID string
	// Name and About say who that is.
	Name, About string
	Claims      map[string]any
}

// Config is what a provider needs: its own address, its one client and where that one is.
type Config struct {
	Issuer, Client, Secret string
	// Key is the public key by which the client signs who it is, in the place of a secret.
	Key *jose.JSONWebKey
	// Back is where the client has people sent, After where they go once they have signed out, and Ended where the
	// client takes word that somebody has.
	Back, After, Ended string
	Users              []User
	// HTTP brings that word there.
	HTTP *http.Client
}

// Provider is one identity provider. Its handler is to be served at the issuer.
type Provider struct {
	http.Handler
	cfg  Config
	back func(context.Context, string) string

	mu       sync.Mutex
	keys     []key // the first signs; the others are still published
	requests map[string]*request
	codes    map[string]string // the request's id by code
	renewals map[string]*request
	disabled map[string]bool
}

// New makes a provider with a key of its own.
func New(cfg Config) (*Provider, error) {
	p := &Provider{cfg: cfg, requests: map[string]*request{}, codes: map[string]string{},
		renewals: map[string]*request{}, disabled: map[string]bool{}}
	if err := p.Rotate(); err != nil {
		return nil, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	protocol, err := op.NewProvider(&op.Config{CryptoKey: secret, CodeMethodS256: true, AuthMethodPost: true,
		AuthMethodPrivateKeyJWT: cfg.Key != nil,
		GrantTypeRefreshToken:   true, DefaultLogoutRedirectURI: cfg.After}, p.storage(), op.StaticIssuer(cfg.Issuer),
		op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("making an identity provider: %w", err)
	}
	p.back = op.AuthCallbackURL(protocol)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", p.showLogin)
	mux.Handle("POST /login", op.NewIssuerInterceptor(protocol.IssuerFromRequest).HandlerFunc(p.takeLogin))
	mux.Handle("/", protocol)
	p.Handler = mux
	return p, nil
}

// Rotate has another key sign from now on; the former one is still published.
func (p *Provider) Rotate() error {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making a provider's key: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append([]key{{id: rand.Text(), private: made}}, p.keys...)
	return nil
}

// Disable has somebody not sign in any more, and not be vouched for when asked again.
func (p *Provider) Disable(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disabled[user] = true
}

// Change gives somebody other claims.
func (p *Provider) Change(user string, claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.cfg.Users {
		if p.cfg.Users[i].ID == user {
			p.cfg.Users[i].Claims = claims
		}
	}
}

// LogOut tells the client that somebody has signed out here.
func (p *Provider) LogOut(ctx context.Context, user string) error {
	token, err := p.LogoutToken(map[string]any{"sub": user})
	if err != nil {
		return err
	}
	form := url.Values{"logout_token": {token}}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.Ended, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	asked.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := p.cfg.HTTP.Do(asked)
	if err != nil {
		return fmt.Errorf("telling the client that somebody signed out: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return fmt.Errorf("telling the client that somebody signed out: it answered %d: %s", answer.StatusCode, text)
	}
	return nil
}

// LogoutToken signs a logout token of this moment; what is given takes the place of a claim, or its nil removes it.
func (p *Provider) LogoutToken(other map[string]any) (string, error) {
	now := time.Now()
	claims := map[string]any{"iss": p.cfg.Issuer, "aud": p.cfg.Client, "iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	for name, value := range other {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return p.Sign(claims, "logout+jwt")
}

// Sign signs any claims by the key of now.
func (p *Provider) Sign(claims map[string]any, kind string) (string, error) {
	p.mu.Lock()
	k := p.keys[0]
	p.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256,
		Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func (p *Provider) user(id string) (User, bool) {
	i := slices.IndexFunc(p.cfg.Users, func(u User) bool { return u.ID == id })
	if i < 0 || p.disabled[id] {
		return User{}, false
	}
	u := p.cfg.Users[i]
	u.Claims = maps.Clone(u.Claims)
	return u, true
}

func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	p.login(w, http.StatusOK, r.URL.Query().Get("of"), "")
}

func (p *Provider) login(w http.ResponseWriter, status int, of, wrong string) {
	var page bytes.Buffer
	if err := loginPage.Execute(&page, map[string]any{"Of": of, "Users": p.cfg.Users, "Wrong": wrong}); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

func (p *Provider) takeLogin(w http.ResponseWriter, r *http.Request) {
	of, who := r.PostFormValue("of"), r.PostFormValue("user")
	p.mu.Lock()
	asked, there := p.requests[of]
	_, known := p.user(who)
	if there && known {
		asked.user, asked.at, asked.done = who, time.Now(), true
	}
	p.mu.Unlock()
	if !there || !known {
		p.login(w, http.StatusUnprocessableEntity, of, "Choose one of them")
		return
	}
	http.Redirect(w, r, p.back(r.Context(), of), http.StatusFound)
}

var loginPage = template.Must(template.New("login").Parse(`<!DOCTYPE html>
<html lang="en-GB">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Made-up identity provider</title>
<style>body{font:1.125rem/1.5 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#212b32;background:#fff}
label{display:block;padding:.5rem 0}button{font:inherit;min-height:44px;padding:.5rem 1.5rem}</style></head>
<body><main>
<h1>Who are you at the hospital?</h1>
<p>This stands in for your organisation’s sign-in. Everybody here is made up.</p>
{{with .Wrong}}<p role="alert">{{.}}</p>
{{end}}<form action="/login" method="post"><input type="hidden" name="of" value="{{.Of}}">
<fieldset><legend>Sign in as</legend>
{{range .Users}}<label><input type="radio" name="user" value="{{.ID}}"> {{.Name}}. {{.About}}</label>
{{end}}</fieldset>
<p><button>Sign in</button></p></form>
</main></body></html>
`))

// key is one signing key.
type key struct {
	id      string
	private *rsa.PrivateKey
}

// SignatureAlgorithm implements op.SigningKey.
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Key implements op.SigningKey.
func (k key) Key() any { return k.private }

// ID implements op.SigningKey.
func (k key) ID() string { return k.id }

// published is the public half of a key.
type published struct{ key }

// Algorithm implements op.Key.
func (k published) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Use implements op.Key.
func (k published) Use() string { return "sig" }

// Key implements op.Key.
func (k published) Key() any { return &k.private.PublicKey }

var errNothing = errors.New("there is no such thing here")

// request is somebody on their way to be signed in, and then who they are when asked again.
type request struct {
	*oidc.AuthRequest
	id, user string
	at       time.Time
	done     bool
}

// The methods of op.AuthRequest and op.RefreshTokenRequest.

func (r *request) GetID() string { return r.id }

// GetACR says that whatever assurance was asked for was shown: everybody here is made up.
func (r *request) GetACR() string {
	if len(r.ACRValues) == 0 {
		return ""
	}
	return r.ACRValues[0]
}
func (r *request) GetAMR() []string                   { return []string{"pwd", "otp"} }
func (r *request) GetAudience() []string              { return []string{r.ClientID} }
func (r *request) GetAuthTime() time.Time             { return r.at }
func (r *request) GetClientID() string                { return r.ClientID }
func (r *request) GetNonce() string                   { return r.Nonce }
func (r *request) GetRedirectURI() string             { return r.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }
func (r *request) GetScopes() []string                { return r.Scopes }
func (r *request) GetState() string                   { return r.State }
func (r *request) GetSubject() string                 { return r.user }
func (r *request) Done() bool                         { return r.done }
func (r *request) SetCurrentScopes(scopes []string)   { r.Scopes = scopes }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}
