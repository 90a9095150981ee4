package principal

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
)

// Header carries an assertion, signed by the gateway, to a service. An endpoint to the outside must delete it from what
// comes in.
const Header = "Footbridge-Principal"

// Scheme is that of an Authorization header with an assertion, by which a command says who it is.
const Scheme = "Footbridge"

const (
	validFor  = 30 * time.Second
	clockSkew = 5 * time.Second
)

// An assertion is a text: "v2", the id of the key that signs, what is asserted, and the signature. A forwarded one,
// "v2f", holds the assertion that it forwards.
const (
	asserted  = "v2"
	forwarded = "v2f"
	// signedAs comes before what is signed, so that a signature made for anything else is none here.
	signedAs = "footbridge principal\x00"
)

// Key is the public half of a key: whoever has it can verify and not sign.
type Key struct {
	// ID stands in every assertion; KeyID makes it of the key itself.
	ID string
	// Holder is who alone has the private half.
	Holder string
	Public ed25519.PublicKey
}

// KeyID names a public key.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Signer asserts principals with one private key. What it may assert is decided by whoever verifies.
type Signer struct {
	id    string
	key   ed25519.PrivateKey
	given lately[signedFor, given]
}

// NewSigner takes the 32 bytes that an Ed25519 key is made of, from a random source.
func NewSigner(seed []byte) (*Signer, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("reading a signing key: it has %d bytes, an Ed25519 seed has %d", len(seed),
			ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	return &Signer{id: KeyID(key.Public().(ed25519.PublicKey)), key: key}, nil
}

// String shows no key.
func (s *Signer) String() string { return "principal.Signer" }

// GoString shows no key.
func (s *Signer) GoString() string { return s.String() }

// Public is the half that others verify with, in a holder's name.
func (s *Signer) Public(holder string) Key {
	return Key{ID: s.id, Holder: holder, Public: s.key.Public().(ed25519.PublicKey)}
}

type claims struct {
	Organisation string `json:"org,omitempty"`
	Role         string `json:"role,omitempty"`
	Subject      string `json:"sub,omitempty"`
	Source       string `json:"src,omitempty"`
	Team         string `json:"team,omitempty"`
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"` // milliseconds since 1970
	// Forwards is the assertion that this one passes on to another audience.
	Forwards string `json:"fwd,omitempty"`
}

// Sign makes an assertion for one service, audience. It holds for 30 seconds from now, or from up to a second ago, and
// holds the subject: never log it.
func (s *Signer) Sign(p Principal, audience string, now time.Time) (string, error) {
	if !p.Valid() || audience == "" {
		return "", fmt.Errorf("signing principal %v for %q: organisation, role, subject and audience must all be given",
			p, audience)
	}
	to := signedFor{p, audience}
	if before, there := s.given.get(to); there && !now.Before(before.at) && now.Sub(before.at) < sameFor {
		return before.text, nil
	}
	text, err := s.seal(asserted, claims{p.Organisation, p.Role, p.Subject, p.Source, p.Team, audience, now.UnixMilli(),
		""})
	if err == nil {
		s.given.put(to, given{text, now})
	}
	return text, err
}

// Forward passes on an assertion that was made for this signer's holder to another service: the principal stays as the
// first signer asserted it, and only the audience and the time are this signer's.
func (s *Signer) Forward(assertion, audience string, now time.Time) (string, error) {
	if assertion == "" || audience == "" {
		return "", fmt.Errorf("forwarding a principal to %q: %w", audience, ErrNone)
	}
	return s.seal(forwarded, claims{Audience: audience, IssuedAt: now.UnixMilli(), Forwards: assertion})
}

func (s *Signer) seal(kind string, c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("signing for %q: %w", c.Audience, err)
	}
	body := kind + "." + s.id + "." + base64.RawURLEncoding.EncodeToString(payload)
	return body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, []byte(signedAs+body))), nil
}

// Rules say what the holder of a key may assert.
type Rules struct {
	// May says whether a holder may say to audience that p is asking.
	May func(holder, audience string, p Principal) bool
	// Forwards says whether a holder may pass on what was asserted to it.
	Forwards func(holder string) bool
}

// Verifier verifies assertions with public keys only.
type Verifier struct {
	find     func(id string) (Key, bool)
	rules    Rules
	verified lately[string, ed25519.PublicKey] // whole assertions, and the key that signed them
}

// NewVerifier takes a way to find a public key by its id, and what each key's holder may assert.
func NewVerifier(find func(id string) (Key, bool), rules Rules) (*Verifier, error) {
	if find == nil || rules.May == nil || rules.Forwards == nil {
		return nil, errors.New("making a verifier: keys and rules must be given, or anybody could be anybody")
	}
	return &Verifier{find: find, rules: rules}, nil
}

// Verify returns the principal of an assertion. Each refusal is ErrRefused with its reason, and no credential in it:
// malformed, unknown key, wrong signature, another audience, older than 30 s or more than 5 s ahead of now, or more
// than the key's holder may assert. What is forwarded must have been made for whoever forwards it, within 30 s before.
func (v *Verifier) Verify(value, audience string, now time.Time) (Principal, error) {
	c, holder, err := v.open(asserted, value, audience, now)
	if errors.Is(err, errOtherKind) {
		return v.verifyForwarded(value, audience, now)
	}
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Organisation: c.Organisation, Role: c.Role, Subject: c.Subject, Source: c.Source, Team: c.Team}
	if !p.Valid() {
		return Principal{}, refused("incomplete")
	}
	if !v.rules.May(holder, audience, p) {
		return Principal{}, refused("the key of " + holder + " may not assert this")
	}
	return p, nil
}

func (v *Verifier) verifyForwarded(value, audience string, now time.Time) (Principal, error) {
	c, holder, err := v.open(forwarded, value, audience, now)
	if err != nil {
		return Principal{}, err
	}
	if !v.rules.Forwards(holder) || !strings.HasPrefix(c.Forwards, asserted+".") {
		return Principal{}, refused("the key of " + holder + " may not forward this")
	}
	inner, origin, err := v.open(asserted, c.Forwards, holder, time.UnixMilli(c.IssuedAt))
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Organisation: inner.Organisation, Role: inner.Role, Subject: inner.Subject, Source: inner.Source,
		Team: inner.Team}
	// Once for whom it was made, once for whom it is forwarded to: a forwarder widens nobody's rights.
	if !p.Valid() || !v.rules.May(origin, holder, p) || !v.rules.May(origin, audience, p) {
		return Principal{}, refused("the key of " + origin + " may not assert this")
	}
	return p, nil
}

var errOtherKind = errors.New("an assertion of another kind")

// open verifies signature, audience and time of a text of one kind.
func (v *Verifier) open(kind, value, audience string, now time.Time) (c claims, holder string, err error) {
	parts := strings.Split(value, ".")
	if len(parts) == 4 && parts[0] == forwarded && kind == asserted {
		return claims{}, "", errOtherKind
	}
	if len(parts) != 4 || parts[0] != kind {
		return claims{}, "", refused("malformed")
	}
	key, known := v.find(parts[1])
	if !known || len(key.Public) != ed25519.PublicKeySize {
		return claims{}, "", refused("signed by a key that is not on the list of public keys")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	if err != nil || !v.isSigned(key, value, strings.Join(parts[:3], "."), signature) {
		return claims{}, "", refused("wrong signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}, "", refused("malformed")
	}
	if c.Audience != audience {
		return claims{}, "", refused("for another service")
	}
	issued := time.UnixMilli(c.IssuedAt)
	if now.Sub(issued) > validFor || issued.Sub(now) > clockSkew {
		return claims{}, "", fmt.Errorf("%w: %w", errOtherTime, refused("not of this time; compare the clocks of "+
			"both machines"))
	}
	return c, key.Holder, nil
}

// errOtherTime: what was signed is in order, and its time is not ours: one of two clocks is wrong, which is our trouble
// and not the caller's.
var errOtherTime = errors.New("signed at another time")

func refused(reason string) error {
	return fmt.Errorf("verifying principal: %w: %s", ErrRefused, reason)
}

// Signed finds the principal in the header that was signed for this service.
func Signed(v *Verifier, audience string, c clock.Clock) Source {
	return func(r *http.Request) (Principal, error) {
		value, err := headerOf(r)
		if err != nil {
			return Principal{}, err
		}
		return v.Verify(value, audience, c.Now())
	}
}

func headerOf(r *http.Request) (string, error) {
	values := r.Header.Values(Header)
	if len(values) == 0 {
		return "", ErrNone
	}
	if len(values) > 1 {
		return "", ErrRefused
	}
	return values[0], nil
}

// Commanded finds the principal in an Authorization header of the scheme Footbridge: an assertion for this audience,
// signed by a command with a key of its own.
func Commanded(v *Verifier, audience string, c clock.Clock) Source {
	return func(r *http.Request) (Principal, error) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, Scheme) {
			return Principal{}, ErrNone
		}
		return v.Verify(strings.TrimSpace(given), audience, c.Now())
	}
}

type assertionKey struct{}

// Carry keeps the assertion that a request came with in its context, for Carried. Put it around handlers that ask other
// services in the name of whoever asks.
func Carry(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if value, err := headerOf(r); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), assertionKey{}, value))
		}
		return next(w, r)
	}
}

// Carried is the assertion that Carry kept; empty where there is none.
func Carried(ctx context.Context) string {
	value, _ := ctx.Value(assertionKey{}).(string)
	return value
}
