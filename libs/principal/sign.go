package principal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
)

// Header carries the signed principal from the gateway to a service. A door to the outside must delete it from what
// comes in.
const Header = "Footbridge-Principal"

const (
	validFor  = 30 * time.Second
	clockSkew = 5 * time.Second
	minKey    = 32
)

// Signer signs and verifies the header with HMAC-SHA256.
type Signer struct{ keys [][]byte }

// NewSigner takes the key to sign with, and further ones that are still accepted while keys are changed. Each has
// at least 32 bytes, from a random source.
func NewSigner(key []byte, accepted ...[]byte) (*Signer, error) {
	keys := append([][]byte{key}, accepted...)
	for i, k := range keys {
		if len(k) < minKey {
			return nil, fmt.Errorf("reading signing key %d: it has %d bytes, at least %d are needed; make one with: head -c 32 /dev/urandom | base64", i+1, len(k), minKey)
		}
	}
	return &Signer{keys: keys}, nil
}

// String shows no key.
func (s *Signer) String() string { return "principal.Signer" }

// GoString shows no key.
func (s *Signer) GoString() string { return s.String() }

type claims struct {
	Organisation string `json:"org"`
	Role         string `json:"role"`
	Subject      string `json:"sub"`
	Source       string `json:"src,omitempty"`
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"` // milliseconds since 1970
}

// Sign makes the header's value for one service, audience. It holds for 30 seconds from now. The value holds the
// subject: never log it.
func (s *Signer) Sign(p Principal, audience string, now time.Time) (string, error) {
	if !p.Valid() || audience == "" {
		return "", fmt.Errorf("signing principal %v for %q: organisation, role, subject and audience must all be given", p, audience)
	}
	payload, err := json.Marshal(claims{p.Organisation, p.Role, p.Subject, p.Source, audience, now.UnixMilli()})
	if err != nil {
		return "", fmt.Errorf("signing principal %v: %w", p, err)
	}
	body := "v1." + base64.RawURLEncoding.EncodeToString(payload)
	return body + "." + base64.RawURLEncoding.EncodeToString(mac(s.keys[0], body)), nil
}

// Verify returns the principal in a header's value. Each refusal is ErrRefused with its reason, and no credential in
// it: malformed, wrong signature, another audience, older than 30 s, or more than 5 s ahead of now.
func (s *Signer) Verify(value, audience string, now time.Time) (Principal, error) {
	refuse := func(reason string) (Principal, error) {
		return Principal{}, fmt.Errorf("verifying principal: %w: %s", ErrRefused, reason)
	}
	cut := strings.LastIndexByte(value, '.')
	if cut < 0 || !strings.HasPrefix(value, "v1.") || cut < len("v1.") {
		return refuse("malformed")
	}
	body := value[:cut]
	given, err := base64.RawURLEncoding.DecodeString(value[cut+1:])
	if err != nil || !s.signed(body, given) {
		return refuse("wrong signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(body, "v1."))
	if err != nil {
		return refuse("malformed")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return refuse("malformed")
	}
	if c.Audience != audience {
		return refuse("for another service")
	}
	issued := time.UnixMilli(c.IssuedAt)
	if now.Sub(issued) > validFor || issued.Sub(now) > clockSkew {
		return refuse("not of this time; compare the clocks of gateway and service")
	}
	p := Principal{Organisation: c.Organisation, Role: c.Role, Subject: c.Subject, Source: c.Source}
	if !p.Valid() {
		return refuse("incomplete")
	}
	return p, nil
}

func (s *Signer) signed(body string, given []byte) bool {
	found := false
	for _, key := range s.keys {
		found = hmac.Equal(mac(key, body), given) || found
	}
	return found
}

func mac(key []byte, body string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(body))
	return h.Sum(nil)
}

// Signed finds the principal in the header that the gateway signed for this service.
func Signed(s *Signer, audience string, c clock.Clock) Source {
	return func(r *http.Request) (Principal, error) {
		values := r.Header.Values(Header)
		if len(values) == 0 {
			return Principal{}, ErrNone
		}
		if len(values) > 1 {
			return Principal{}, ErrRefused
		}
		return s.Verify(values[0], audience, c.Now())
	}
}
