package signin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Person is somebody whom a provider vouches for.
type Person struct {
	Provider string
	// Who and SID are hashes that a word of signing out there is compared with; SID may be empty.
	Who, SID []byte
	// Claims are those that the mapping looks at, and no others.
	Claims map[string]any
	// Renew is the token by which the provider is asked again; empty: it gave none.
	Renew string
	// Since is when the provider was asked, by our clock.
	Since time.Time
}

// Decide says whom a person may be here, as the mapping is now.
func (s *SignIn) Decide(provider string, claims map[string]any) (Decision, error) {
	m := s.Mapping()
	p, known := m.Provider(provider)
	if !known {
		return Decision{}, ErrUnknownProvider
	}
	return m.Decide(p, claims), nil
}

// derive gives one of the values of an attempt, which whoever knows its secret can make again and nobody else can.
func derive(secret, what string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("sign-in " + what))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// State is what a provider gives back with its answer to the attempt of a secret.
func State(secret string) string { return derive(secret, "state") }

// Leave is where a browser is sent to sign in at a provider. secret is the attempt's, 32 random bytes as text.
func (s *SignIn) Leave(ctx context.Context, provider, secret string) (to string, err error) {
	p, known := s.Mapping().Provider(provider)
	if !known {
		return "", ErrUnknownProvider
	}
	d, err := s.described(ctx, p)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(derive(secret, "nonce")),
		oauth2.S256ChallengeOption(derive(secret, "verifier"))}
	if len(p.ACR) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(p.ACR, " ")))
	}
	if p.MaxAge > 0 {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(p.MaxAge.Seconds()))))
	}
	return s.oauth(p, d).AuthCodeURL(State(secret), options...), nil
}

// Return takes a provider's answer: its code is exchanged, and what comes is verified.
func (s *SignIn) Return(ctx context.Context, provider, secret string, answer url.Values) (Person, error) {
	p, known := s.Mapping().Provider(provider)
	if !known {
		return Person{}, ErrUnknownProvider
	}
	d, err := s.described(ctx, p)
	if err != nil {
		return Person{}, err
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(State(secret))) != 1 {
		return Person{}, fmt.Errorf("%w: the state is another's", ErrRefused)
	}
	// RFC 9207: an answer says whose it is, where its provider says that it does
	if said := answer.Get("iss"); said != p.Issuer && (said != "" || d.extra.SaysIssuer) {
		return Person{}, fmt.Errorf("%w: the answer is another issuer's", ErrRefused)
	}
	if answer.Get("error") != "" || answer.Get("code") == "" {
		return Person{}, fmt.Errorf("%w: it answered with an error", ErrRefused)
	}
	since := s.clock.Now()
	if ctx, err = s.asClient(ctx, p, d); err != nil {
		return Person{}, err
	}
	token, err := s.oauth(p, d).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(derive(secret, "verifier")))
	if err != nil {
		return Person{}, exchangeFailed(err)
	}
	claims, err := s.verify(ctx, p, d, token, derive(secret, "nonce"))
	if err != nil {
		return Person{}, err
	}
	if missing := p.meets(claims); missing != "" {
		return Person{}, fmt.Errorf("%w: %s", ErrAssurance, missing)
	}
	return s.person(p, claims, token.RefreshToken, since), nil
}

func (s *SignIn) person(p Provider, claims map[string]any, renew string, since time.Time) Person {
	sub, _ := claims["sub"].(string)
	sid, _ := claims["sid"].(string)
	return Person{Provider: p.ID, Who: Who(p.Issuer, "sub", sub), SID: Who(p.Issuer, "sid", sid), Since: since,
		Claims: s.Mapping().Kept(p, claims), Renew: renew}
}

// Who is the hash of somebody, or of a session of theirs, at an issuer. Of nobody it is nil.
func Who(issuer, kind, value string) []byte {
	if value == "" {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", issuer, kind, value))
	return sum[:]
}

// exchangeFailed tells a provider that refuses from one that is not there. What it answered is not repeated: it may
// quote what was sent.
func exchangeFailed(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil &&
		refused.Response.StatusCode < http.StatusInternalServerError &&
		refused.Response.StatusCode != http.StatusTooManyRequests {
		if refused.ErrorCode == "invalid_client" || refused.ErrorCode == "unauthorized_client" {
			return fmt.Errorf("%w: it does not know this client or its secret", ErrDown)
		}
		return fmt.Errorf("%w: the token endpoint answered %d", ErrRefused, refused.Response.StatusCode)
	}
	return fmt.Errorf("%w: asking its token endpoint", ErrDown)
}

// verify looks at an ID token, and completes its claims by userinfo where that is set. An empty nonce is for a token
// that was renewed, which has none of an attempt's.
func (s *SignIn) verify(ctx context.Context, p Provider, d *described, token *oauth2.Token, nonce string) (
	map[string]any, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, fmt.Errorf("%w: it sent no ID token", ErrRefused)
	}
	id, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, withoutClaims(err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: the ID token is not read", ErrRefused)
	}
	if why := s.amiss(p, id, claims, nonce); why != "" {
		return nil, fmt.Errorf("%w: %s", ErrRefused, why)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("%w: the access token is another's", ErrRefused)
		}
	}
	if !p.UserInfo {
		return claims, nil
	}
	return claims, s.complete(ctx, d, token, id.Subject, claims)
}

// withoutClaims is why a token was refused, without what stands in it; ErrDown where it could not be looked at.
func withoutClaims(err error) error {
	var late *oidc.TokenExpiredError
	text, why := err.Error(), "the token is not as it must be"
	switch {
	case strings.Contains(text, "get keys failed"), strings.Contains(text, "fetching keys"):
		return fmt.Errorf("%w: its keys cannot be fetched", ErrDown)
	case errors.As(err, &late):
		why = "the token is over; are both clocks right?"
	case strings.Contains(text, "different provider"):
		why = "the token is another issuer's"
	case strings.Contains(text, "audience"):
		why = "the token is for another client"
	case strings.Contains(text, "malformed"), strings.Contains(text, "signature"):
		why = "the token is not signed as it must be"
	}
	return fmt.Errorf("%w: %s", ErrRefused, why)
}

// amiss says what is wrong with a token that is signed, of this issuer, for this client and not over.
func (s *SignIn) amiss(p Provider, id *oidc.IDToken, claims map[string]any, nonce string) string {
	now := s.clock.Now()
	party, hasParty := claims["azp"].(string)
	switch {
	case id.Subject == "":
		return "the ID token names nobody"
	case nonce != "" && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return "the ID token is of another attempt"
	case hasParty && party != p.Client, !hasParty && len(id.Audience) > 1:
		return "the ID token was given to another client"
	case id.IssuedAt.After(now.Add(skew)):
		return "the ID token is of a time to come; are both clocks right?"
	case id.IssuedAt.IsZero(), nonce != "" && now.Sub(id.IssuedAt) > 10*time.Minute+skew:
		return "the ID token is old"
	case claims["events"] != nil:
		return "it is no ID token"
	}
	if p.MaxAge == 0 || nonce == "" { // a token that was renewed is of a session that has limits of its own
		return ""
	}
	at, ok := claims["auth_time"].(float64)
	if !ok || now.Sub(time.Unix(int64(at), 0)) > p.MaxAge+skew {
		return "they showed who they are longer ago than is asked for"
	}
	return ""
}

// complete adds the claims of userinfo that the ID token has not; it must be about the same person.
func (s *SignIn) complete(ctx context.Context, d *described, token *oauth2.Token, subject string,
	claims map[string]any) error {
	more, err := s.userInfo(ctx, d, token)
	if err != nil {
		return err
	}
	if more["sub"] != subject {
		return fmt.Errorf("%w: userinfo is about another", ErrRefused)
	}
	for name, value := range more {
		if _, there := claims[name]; !there {
			claims[name] = value
		}
	}
	claims[fromUserInfo] = namesOf(more)
	return nil
}

// userInfo is what the userinfo endpoint says of whom a token is of; its sub is text.
func (s *SignIn) userInfo(ctx context.Context, d *described, token *oauth2.Token) (map[string]any, error) {
	info, err := d.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fmt.Errorf("%w: asking its userinfo endpoint", ErrDown)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: userinfo is not read", ErrRefused)
	}
	more["sub"] = info.Subject
	return more, nil
}

// CheckEvery is how often the provider is asked whether somebody still may.
func (s *SignIn) CheckEvery(provider string) time.Duration {
	p, known := s.Mapping().Provider(provider)
	if !known {
		return 0
	}
	return p.CheckEvery
}

// Renew asks a provider whether a person still may. ErrRefused: they may not. ErrDown: it does not say, and nothing is
// known. The person that comes back has the claims of now and the token for the next time.
func (s *SignIn) Renew(ctx context.Context, was Person) (Person, error) {
	p, known := s.Mapping().Provider(was.Provider)
	if !known {
		return was, ErrRefused
	}
	d, err := s.described(ctx, p)
	if err != nil {
		return was, err
	}
	if ctx, err = s.asClient(ctx, p, d); err != nil {
		return was, err
	}
	token, err := s.oauth(p, d).TokenSource(ctx, &oauth2.Token{RefreshToken: was.Renew}).Token()
	if err != nil {
		return was, exchangeFailed(err)
	}
	is := was
	if token.RefreshToken != "" {
		is.Renew = token.RefreshToken
	}
	claims, err := s.renewed(ctx, p, d, token, was)
	if err != nil || claims == nil {
		return is, err
	}
	sub, _ := claims["sub"].(string)
	if !slices.Equal(Who(p.Issuer, "sub", sub), was.Who) {
		return is, fmt.Errorf("%w: it is another now", ErrRefused)
	}
	if missing := p.stillMeets(claims); missing != "" {
		return is, fmt.Errorf("%w: %s", ErrRefused, missing)
	}
	is.Claims = s.Mapping().Kept(p, claims)
	return is, nil
}

// renewed are the claims of somebody for whom a provider still vouches: those of its new ID token, which it need not
// send (OpenID Connect Core 12.2), or those of before with userinfo's of now, where that is asked. nil: it says nothing
// new.
func (s *SignIn) renewed(ctx context.Context, p Provider, d *described, token *oauth2.Token, was Person) (
	map[string]any, error) {
	if raw, _ := token.Extra("id_token").(string); raw != "" {
		return s.verify(ctx, p, d, token, "")
	}
	if !p.UserInfo {
		return nil, nil
	}
	more, err := s.userInfo(ctx, d, token)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	maps.Copy(claims, was.Claims)
	for _, name := range textsOf(claims[fromUserInfo]) { // one that is not said any more is not had any more
		delete(claims, name)
	}
	maps.Copy(claims, more)
	claims[fromUserInfo] = namesOf(more)
	return claims, nil
}

// fromUserInfo is a claim of ours: the names of those that userinfo said.
const fromUserInfo = "_said_by_userinfo"

// namesOf are the names of claims, in order, as they are read back from a row.
func namesOf(claims map[string]any) (names []any) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		names = append(names, name)
	}
	return names
}

// SignedOut is a provider's word that somebody has signed out there.
type SignedOut struct {
	// ID names the word: it is acted on once.
	ID []byte
	// Who and SID are hashes of the person and of their session there; nil where it does not say.
	Who, SID []byte
	// At is when it came.
	At time.Time
}

// LoggedOut verifies a logout token (OpenID Connect Back-Channel Logout 1.0).
func (s *SignIn) LoggedOut(ctx context.Context, provider, raw string) (SignedOut, error) {
	p, known := s.Mapping().Provider(provider)
	if !known {
		return SignedOut{}, ErrUnknownProvider
	}
	d, err := s.described(ctx, p)
	if err != nil {
		return SignedOut{}, err
	}
	token, err := d.verifier.VerifyLogout(oidc.ClientContext(ctx, s.cfg.Client), raw)
	if err != nil {
		return SignedOut{}, withoutClaims(err)
	}
	now := s.clock.Now()
	if !isEvent(token) || len(token.TokenID) > 500 || token.IssuedAt.After(now.Add(skew)) ||
		now.Sub(token.IssuedAt) > logoutLasts+skew {
		return SignedOut{}, fmt.Errorf("%w: the logout token is not of now, or no logout", ErrRefused)
	}
	return SignedOut{ID: Who(p.Issuer, "jti", token.TokenID), Who: Who(p.Issuer, "sub", token.Subject),
		SID: Who(p.Issuer, "sid", token.SessionID), At: now}, nil
}

// logoutLasts is how old a logout token may be.
const logoutLasts = 5 * time.Minute

// isEvent says whether the event of a logout token is an object, as it must be.
func isEvent(token *oidc.LogoutToken) bool {
	var claims struct {
		Events map[string]json.RawMessage `json:"events"`
	}
	if token.Claims(&claims) != nil {
		return false
	}
	var object map[string]any
	return json.Unmarshal(claims.Events["http://schemas.openid.net/event/backchannel-logout"], &object) == nil &&
		object != nil
}

// LeaveTo is where somebody is led to sign out at the provider too; empty where it offers none.
func (s *SignIn) LeaveTo(ctx context.Context, provider string) string {
	p, known := s.Mapping().Provider(provider)
	if !known {
		return ""
	}
	d, err := s.described(ctx, p)
	if err != nil || d.extra.EndSession == "" {
		return ""
	}
	to, err := url.Parse(d.extra.EndSession)
	if err != nil || to.Scheme != "https" && !isLoopback(to.Hostname()) {
		return ""
	}
	query := to.Query()
	query.Set("client_id", p.Client)
	query.Set("post_logout_redirect_uri", strings.TrimRight(s.cfg.URL, "/")+"/sign-in")
	to.RawQuery = query.Encode()
	return to.String()
}
