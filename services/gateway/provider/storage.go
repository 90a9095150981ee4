package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage is what zitadel/oidc asks of who keeps the state.
type storage struct{ *Provider }

func (p *Provider) storage() op.Storage { return storage{p} }

const tokenLasts = 5 * time.Minute

// CreateAuthRequest keeps that somebody wants to sign in. Without a code challenge nobody does.
func (s storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if asked.CodeChallenge == "" || asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256 {
		return nil, oidc.ErrInvalidRequest().WithDescription("a code challenge by S256 is asked for")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &request{AuthRequest: asked, id: rand.Text()}
	s.requests[r.id] = r
	return r, nil
}

// AuthRequestByID finds a request.
func (s storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, there := s.requests[id]; there {
		return r, nil
	}
	return nil, errNothing
}

// AuthRequestByCode finds the request of a code.
func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

// SaveAuthCode keeps the code of a request.
func (s storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest forgets a request, whose code then works no more.
func (s storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

// CreateAccessToken names a token; what it opens is who somebody is alone.
func (s storage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(tokenLasts), nil
}

// CreateAccessAndRefreshTokens gives a new refresh token in the place of the former one.
func (s storage) CreateAccessAndRefreshTokens(_ context.Context, asked op.TokenRequest, former string) (string, string,
	time.Time, error) {
	r, ok := asked.(*request)
	if !ok {
		return "", "", time.Time{}, errNothing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	renewed := rand.Text()
	delete(s.renewals, former)
	s.renewals[renewed] = r
	return rand.Text(), renewed, time.Now().Add(tokenLasts), nil
}

// TokenRequestByRefreshToken finds who a refresh token is of, unless they may not any more.
func (s storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.renewals[token]
	if !there {
		return nil, op.ErrInvalidRefreshToken
	}
	if _, known := s.user(r.user); !known {
		return nil, op.ErrInvalidRefreshToken
	}
	return r, nil
}

// TerminateSession has nothing to end: each sign-in is asked for anew.
func (s storage) TerminateSession(context.Context, string, string) error { return nil }

// RevokeToken takes a refresh token back.
func (s storage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.renewals, token)
	return nil
}

// GetRefreshTokenInfo says whose a refresh token is.
func (s storage) GetRefreshTokenInfo(_ context.Context, _, token string) (user, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.renewals[token]
	if !there {
		return "", "", op.ErrInvalidRefreshToken
	}
	return r.user, token, nil
}

// SigningKey is the key of now.
func (s storage) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[0], nil
}

// SignatureAlgorithms are those of the keys.
func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet are the keys that are published.
func (s storage) KeySet(context.Context) (all []op.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		all = append(all, published{k})
	}
	return all, nil
}

// GetClientByClientID finds the one client.
func (s storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.cfg.Client {
		return nil, errNothing
	}
	return client{s.cfg}, nil
}

// AuthorizeClientIDSecret compares the client's secret.
func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.cfg.Client || secret != s.cfg.Secret {
		return errors.New("no such client, or another secret")
	}
	return nil
}

// SetUserinfoFromScopes does nothing: all is said by SetUserinfoFromRequest.
func (s storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest puts somebody's claims into their ID token.
func (s storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, asked op.IDTokenRequest,
	_ []string) error {
	return s.fill(info, asked.GetSubject())
}

// SetUserinfoFromToken answers the userinfo endpoint.
func (s storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	return s.fill(info, subject)
}

func (s storage) fill(info *oidc.UserInfo, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.user(subject)
	if !known {
		return errNothing
	}
	info.Subject = u.ID
	for name, value := range u.Claims {
		info.AppendClaims(name, value)
	}
	return nil
}

// SetIntrospectionFromToken says nothing about tokens.
func (s storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string,
	string) error {
	return errNothing
}

// GetPrivateClaimsFromScopes are of access tokens that carry claims, which these do not.
func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// GetKeyByIDAndClientID is the key of a client that signs.
func (s storage) GetKeyByIDAndClientID(_ context.Context, id, client string) (*jose.JSONWebKey, error) {
	if s.cfg.Key == nil || id != s.cfg.Key.KeyID || client != s.cfg.Client {
		return nil, errNothing
	}
	return s.cfg.Key, nil
}

// ValidateJWTProfileScopes is for a grant that is not offered.
func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNothing
}

// Health is well.
func (s storage) Health(context.Context) error { return nil }

// client is the one client.
type client struct{ cfg Config }

// The methods of op.Client.

func (c client) GetID() string                       { return c.cfg.Client }
func (c client) RedirectURIs() []string              { return []string{c.cfg.Back} }
func (c client) PostLogoutRedirectURIs() []string    { return []string{c.cfg.After} }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod {
	if c.cfg.Key != nil {
		return oidc.AuthMethodPrivateKeyJWT
	}
	return oidc.AuthMethodBasic
}
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}
func (c client) LoginURL(id string) string                                    { return "/login?of=" + id }
func (c client) AccessTokenType() op.AccessTokenType                          { return op.AccessTokenTypeBearer }
func (c client) IDTokenLifetime() time.Duration                               { return tokenLasts }
func (c client) DevMode() bool                                                { return true }
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return same }
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }
func (c client) IsScopeAllowed(string) bool                                   { return true }
func (c client) IDTokenUserinfoClaimsAssertion() bool                         { return true }
func (c client) ClockSkew() time.Duration                                     { return 0 }

func same(scopes []string) []string { return scopes }
