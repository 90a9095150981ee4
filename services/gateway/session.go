package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
)

// sessionLasts is a long working shift. A session ends with it, whatever is done meanwhile.
const sessionLasts = 12 * time.Hour

// Sessions are signed cookies that say who signed in. Nothing is stored, so that one session cannot be ended from
// here before its time, except by changing the key, which ends all.
type Sessions struct {
	key    []byte
	clock  clock.Clock
	secure bool
	name   string
}

// NewSessions makes sessions. key has at least 32 random bytes; it may be the key of the principal's signer, as the
// two signatures are kept apart. secure is true where the listener, or the proxy before it, speaks TLS: the cookie
// is then never sent in clear.
func NewSessions(key []byte, c clock.Clock, secure bool) (*Sessions, error) {
	if len(key) < 32 {
		return nil, fmt.Errorf("reading session key: it has %d bytes, at least 32 are needed; make one with: head -c 32 /dev/urandom | base64", len(key))
	}
	own := hmac.New(sha256.New, key)
	own.Write([]byte("footbridge session v1"))
	s := &Sessions{key: own.Sum(nil), clock: c, secure: secure, name: "footbridge-session"}
	if secure {
		s.name = "__Host-footbridge-session" // a browser takes it from this host over TLS only
	}
	return s, nil
}

// String shows no key.
func (s *Sessions) String() string { return "gateway.Sessions" }

// GoString shows no key.
func (s *Sessions) GoString() string { return s.String() }

type session struct {
	Organisation string `json:"org"`
	Role         string `json:"role"`
	Subject      string `json:"sub"`
	Until        int64  `json:"exp"` // milliseconds since 1970
}

// Begin signs somebody in, for 12 hours.
func (s *Sessions) Begin(w http.ResponseWriter, p principal.Principal) error {
	if !p.Valid() {
		return errors.New("beginning a session: organisation, role and subject must all be given")
	}
	payload, err := json.Marshal(session{p.Organisation, p.Role, p.Subject, s.clock.Now().Add(sessionLasts).UnixMilli()})
	if err != nil {
		return fmt.Errorf("beginning a session: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(payload)
	http.SetCookie(w, s.cookie(body+"."+base64.RawURLEncoding.EncodeToString(s.sign(body)), int(sessionLasts.Seconds())))
	return nil
}

// End signs out.
func (s *Sessions) End(w http.ResponseWriter) { http.SetCookie(w, s.cookie("", -1)) }

// cookie is out of reach of scripts, and not sent with what another site posts.
func (s *Sessions) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: s.name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure,
		SameSite: http.SameSiteLaxMode}
}

func (s *Sessions) sign(body string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(body))
	return h.Sum(nil)
}

// Source finds the principal of the session cookie.
func (s *Sessions) Source() principal.Source {
	return func(r *http.Request) (principal.Principal, error) {
		cookie, err := r.Cookie(s.name)
		if err != nil || cookie.Value == "" {
			return principal.Principal{}, principal.ErrNone
		}
		return s.read(cookie.Value)
	}
}

func (s *Sessions) read(value string) (principal.Principal, error) {
	refused := fmt.Errorf("reading a session: %w", principal.ErrRefused)
	body, signature, _ := strings.Cut(value, ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sign(body)) {
		return principal.Principal{}, refused
	}
	payload, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return principal.Principal{}, refused
	}
	var in session
	if err := json.Unmarshal(payload, &in); err != nil || !s.clock.Now().Before(time.UnixMilli(in.Until)) {
		return principal.Principal{}, refused
	}
	return principal.Principal{Organisation: in.Organisation, Role: in.Role, Subject: in.Subject}, nil
}
