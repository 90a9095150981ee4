// Package principal says who is asking: which organisation, in which role, as which subject.
//
// A principal is found at the door by a Source (a fixed one in development, a bearer token, a client certificate, a
// signed-in session, or the signed header that the gateway sends on), put into the context by Require, and read by
// every handler and every store read. Promises:
//   - a request without a principal, or with a doubtful one, goes no further: 401 or 403 as problem+json;
//   - a credential is compared in constant time or by its hash, kept only as its hash, and never printed;
//   - an assertion between services holds for one audience and thirty seconds; it is verified with public keys only,
//     and the key decides what may be asserted, so that whoever holds one key cannot speak as somebody else;
//   - what one service forwards to another stays what the first signer asserted;
//   - printing or logging a Principal shows role and organisation, never the subject, who may be a person.
//
// What a role may do is not decided here.
package principal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"footbridge/libs/httpx"
)

// Principal is who is asking. It is comparable; the zero value is nobody and is never put into a context.
type Principal struct {
	// Organisation is the opaque id or code of the organisation they act for.
	Organisation string
	// Role is one of the roles that the routes name.
	Role string
	// Subject tells this person or system apart from all others of the organisation.
	Subject string
	// Source is what a system may call itself: the source of its events, the profile of its messages. People have
	// none.
	Source string
	// Team is which owners of steps a person is, parted by blanks, where that is not what everybody of their role is:
	// "navigator:deputy".
	Team string
}

// Valid reports whether organisation, role and subject are all known.
func (p Principal) Valid() bool { return p.Organisation != "" && p.Role != "" && p.Subject != "" }

// Key tells principals apart, for rate limits and idempotency. It holds the subject: never log it.
func (p Principal) Key() string { return fmt.Sprintf("%q/%q/%q", p.Organisation, p.Role, p.Subject) }

// Mark tells one principal from another where nobody is to be named: in a form, to know again who opened it. It proves
// nothing.
func (p Principal) Mark() string {
	sum := sha256.Sum256([]byte("mark " + p.Key()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// String shows role and organisation only.
func (p Principal) String() string {
	if p == (Principal{}) {
		return "nobody"
	}
	return p.Role + "@" + p.Organisation
}

// GoString is String, so that %#v shows no more.
func (p Principal) GoString() string { return p.String() }

// Format makes every verb show String.
func (p Principal) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.String()) }

// LogValue implements slog.LogValuer.
func (p Principal) LogValue() slog.Value { return slog.StringValue(p.String()) }

type contextKey struct{}

// With returns a context of the principal. An invalid one is not put in: whoever reads finds nobody, and refuses.
func With(ctx context.Context, p Principal) context.Context {
	if !p.Valid() {
		return context.WithValue(ctx, contextKey{}, nil)
	}
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns the principal of the context and whether there is one. Without one, refuse.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}

// Need is From for a handler: without a principal the error is the 401 to answer with.
func Need(ctx context.Context) (Principal, error) {
	p, ok := From(ctx)
	if !ok {
		return Principal{}, unauthorised()
	}
	return p, nil
}

// Asking is who asks, and the id that the path names; none is the answer where it names none.
func Asking(r *http.Request, none error) (p Principal, id string, err error) {
	if p, err = Need(r.Context()); err != nil {
		return p, "", err
	}
	id, ok := httpx.PathID(r, "id")
	if !ok {
		return p, "", none
	}
	return p, id, nil
}

func unauthorised() *httpx.Problem {
	problem := httpx.NewProblem(http.StatusUnauthorized, "It is not known who is asking. Sign in, or send the token "+
		"or certificate that was agreed.")
	problem.Header = http.Header{"Www-Authenticate": {"Bearer"}}
	return problem
}

// clocksApart asks to come again: a 401 would have a sender give up for good because a clock of ours is wrong.
func clocksApart() *httpx.Problem {
	problem := httpx.NewProblem(http.StatusServiceUnavailable, "Two clocks of this system differ, so that it cannot "+
		"tell who is asking. Send the same again in a while.")
	problem.Header = http.Header{"Retry-After": {"5"}}
	return problem
}

func forbidden() *httpx.Problem {
	return httpx.NewProblem(http.StatusForbidden, "This is not open to your role. Ask your organisation's "+
		"administrator if it should be.")
}

// find is whom the source finds, or why nobody is let in.
func find(source Source, r *http.Request) (Principal, *httpx.Problem) {
	p, err := source(r)
	switch {
	case errors.Is(err, errOtherTime):
		return Principal{}, clocksApart().Because(err)
	case err != nil || !p.Valid():
		return Principal{}, unauthorised().Because(err)
	}
	return p, nil
}

// Require lets only requests pass whose principal the source finds, and puts it into the context. Anything else is
// a 401; what exactly was wrong with a credential is told to the log (as the problem's cause), not to the caller.
// It is made for httpx.Mux.Use.
func Require(source Source) func(httpx.Handler) httpx.Handler {
	return func(next httpx.Handler) httpx.Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			p, refused := find(source, r)
			if refused != nil {
				return refused
			}
			return next(w, r.WithContext(With(r.Context(), p)))
		}
	}
}

// RequireHTTP is Require for handlers outside of a Mux.
func RequireHTTP(source Source, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, refused := find(source, r)
		if refused != nil {
			httpx.WriteProblem(w, r, refused)
			return
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
	})
}

// RequireRole lets only principals of one of the roles pass: nobody is a 401, another role a 403.
func RequireRole(next httpx.Handler, roles ...string) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := Need(r.Context())
		if err != nil {
			return err
		}
		if !slices.Contains(roles, p.Role) {
			return forbidden()
		}
		return next(w, r)
	}
}
