package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/services/gateway/signin"
)

const (
	// sessionLasts is a long working shift. A session ends with it, whatever is done meanwhile.
	sessionLasts = 12 * time.Hour
	// sessionIdle is how long a session outlasts the last request: a screen that somebody left is not theirs for long.
	sessionIdle = 30 * time.Minute
	// sessionTouched bounds how often the last request is written down.
	sessionTouched = time.Minute
	// sessionKept is how long an ended session is remembered, so that its browser can be told what happened to it.
	sessionKept = 7 * 24 * time.Hour
	// sessionID is how many random bytes name a session to its browser.
	sessionID = 32
)

// Why a session does not hold any more. Each is principal.ErrRefused too.
var (
	errSessionUnknown = fmt.Errorf("no such session: %w", principal.ErrRefused)
	errSessionEnded   = fmt.Errorf("the session was ended by signing out: %w", principal.ErrRefused)
	errSessionIdle    = fmt.Errorf("nothing was done for too long: %w", principal.ErrRefused)
	errNotVouched     = fmt.Errorf("the provider or the mapping does not say any more who this is: %w",
		principal.ErrRefused)
	errSessionOver = fmt.Errorf("the session has lasted its time: %w", principal.ErrRefused)
)

// Sessions say who is signed in. They are rows of the gateway's schema, so that signing out ends one here and not in
// the browser alone, and every replica of the gateway knows them. A browser holds a random id; the table holds its
// hash.
type Sessions struct {
	pool   *pgxpool.Pool
	clock  clock.Clock
	secure bool
	name   string
	signIn *signin.SignIn // whose providers vouch for those who came in by one; nil: nobody does
	ended  bell           // rung when sessions end here
}

// vouched is how somebody came in whom a provider vouches for; the zero value is anybody else.
type vouched struct {
	signin.Person
	renew []byte // sealed
}

// From takes the word of identity providers for sessions that began by one.
func (s *Sessions) From(signIn *signin.SignIn) *Sessions {
	s.signIn = signIn
	return s
}

// NewSessions makes sessions in the gateway's database. secure is true where the listener, or the proxy before it,
// speaks TLS: the cookie is then never sent in clear.
func NewSessions(pool *pgxpool.Pool, c clock.Clock, secure bool) (*Sessions, error) {
	if pool == nil || c == nil {
		return nil, errors.New("making sessions: a database and a clock must be given")
	}
	s := &Sessions{pool: pool, clock: c, secure: secure, name: "footbridge-session"}
	if secure {
		s.name = "__Host-footbridge-session" // a browser takes it from this host over TLS only
	}
	return s, nil
}

// Begin signs somebody in, for 12 hours at most. The id is always a new one, whatever the browser came with; a session
// that it had is ended.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, p principal.Principal) error {
	cookie, err := s.beginIn(r, s.pool, p, nil)
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	return nil
}

// beginIn is Begin in a database or a transaction of the caller's; the cookie is to be given to the browser once that
// is committed. by is the person whom a provider vouches for; nil: none does.
func (s *Sessions) beginIn(r *http.Request, db beginner, p principal.Principal, by *signin.Person) (*http.Cookie,
	error) {
	if !p.Valid() {
		return nil, errors.New("beginning a session: organisation, role and subject must all be given")
	}
	id := make([]byte, sessionID)
	_, _ = rand.Read(id) // never fails
	value, now := base64.RawURLEncoding.EncodeToString(id), s.clock.Now()
	var from vouched
	if by != nil {
		from.Person = *by
		var err error
		if from.renew, err = sealUnder(value, []byte(by.Renew)); err != nil {
			return nil, fmt.Errorf("beginning a session: %w", err)
		}
	}
	if err := beginSession(r.Context(), db, hashOf(value), hashOf(s.valueOf(r)), clock.NewRandomID(),
		deviceOf(r.UserAgent()), p, from, now, now.Add(sessionLasts), now.Add(-sessionKept)); err != nil {
		return nil, fmt.Errorf("beginning a session: %w", err)
	}
	return s.cookie(value, int(sessionLasts.Seconds())), nil
}

// End signs out: the session of this browser is over, on every replica, and its cookie is taken back.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) error {
	value := s.valueOf(r)
	if value != "" {
		if err := endSession(r.Context(), s.pool, hashOf(value), s.clock.Now()); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		s.ended.ring()
	}
	http.SetCookie(w, s.cookie("", -1))
	return nil
}

// providerOf is by which provider the session of a browser began; empty: by none.
func (s *Sessions) providerOf(r *http.Request) (string, error) {
	value := s.valueOf(r)
	if value == "" {
		return "", nil
	}
	in, _, err := sessionOf(r.Context(), s.pool, hashOf(value))
	return in.Provider, err
}

// EndAll ends every session of whoever p is, on every device, and says how many those were.
func (s *Sessions) EndAll(ctx context.Context, p principal.Principal) (int64, error) {
	n, err := endSessionsOf(ctx, s.pool, p, s.clock.Now())
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	s.ended.ring()
	return n, nil
}

// List are the sessions of whoever asks that still hold, the latest first.
func (s *Sessions) List(r *http.Request, p principal.Principal) ([]listed, error) {
	return sessionsOf(r.Context(), s.pool, p, hashOf(s.valueOf(r)), s.clock.Now(), sessionIdle)
}

// EndOne ends one session of whoever asks, and takes the cookie back where it is this one. theirs is false for an id
// that is not a session of theirs.
func (s *Sessions) EndOne(w http.ResponseWriter, r *http.Request, p principal.Principal, id string) (theirs, here bool,
	err error) {
	theirs, here, err = endSessionOf(r.Context(), s.pool, p, id, hashOf(s.valueOf(r)), s.clock.Now())
	if err != nil {
		return false, false, fmt.Errorf("ending a session: %w", err)
	}
	s.ended.ring()
	if here {
		http.SetCookie(w, s.cookie("", -1))
	}
	return theirs, here, nil
}

// cookie is out of reach of scripts, and not sent with what another site posts.
func (s *Sessions) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: s.name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure,
		SameSite: http.SameSiteLaxMode}
}

func (s *Sessions) valueOf(r *http.Request) string {
	cookie, err := r.Cookie(s.name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func hashOf(value string) []byte {
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

// Source finds the principal of the session cookie. Where the database cannot be asked the error is neither ErrNone nor
// ErrRefused: it is not known who is asking, and that is not their doing.
func (s *Sessions) Source() principal.Source {
	return func(r *http.Request) (principal.Principal, error) {
		value := s.valueOf(r)
		if value == "" {
			return principal.Principal{}, principal.ErrNone
		}
		return s.read(r.Context(), value, !byItself(r))
	}
}

// read finds whose a session is; used is whether somebody did something, or a page asked by itself.
func (s *Sessions) read(ctx context.Context, value string, used bool) (principal.Principal, error) {
	hash, now := hashOf(value), s.clock.Now()
	in, found, err := sessionOf(ctx, s.pool, hash)
	if err != nil {
		return principal.Principal{}, err
	}
	if err := holds(in, found, now); err != nil {
		return principal.Principal{}, err
	}
	if used && now.Sub(in.SeenAt) >= sessionTouched {
		if err := touchSession(ctx, s.pool, hash, now); err != nil {
			return principal.Principal{}, fmt.Errorf("reading a session: %w", err)
		}
	}
	if in.Provider != "" {
		if err := s.stillVouched(ctx, hash, value, in, now); err != nil {
			return principal.Principal{}, err
		}
	}
	return in.principal(), nil
}
