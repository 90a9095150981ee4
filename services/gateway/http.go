package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"footbridge/libs/httpx"
	"footbridge/libs/peers"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// secure sets the headers that bound what a page or an answer may do in a browser. Pages load nothing from elsewhere
// and run no script that stands in them; nobody may frame them, so that no button is pressed unseen.
func secure(header http.Header, tls bool) {
	for name, value := range securityHeaders {
		header.Set(name, value)
	}
	if tls {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=()",
}

// pass hands a route's requests to its service, after all checks.
func (g *Gateway) pass(route schemas.Route) httpx.Handler {
	if route.OwnPage() {
		return g.passOwn(route)
	}
	passed := func(w http.ResponseWriter, r *http.Request) error {
		p, err := g.admitted(route, r)
		if err != nil {
			return err
		}
		if err := g.holds(route, r, p); err != nil {
			return err
		}
		return g.passAs(w, r, route, p)
	}
	if isFHIR(route.Pattern) || route.Service == schemas.Console {
		return passed // which look after their own
	}
	return httpx.OnlyQuery(passed, route.Query()...)
}

// passAs hands a request to a route's service as whoever was found to be asking.
func (g *Gateway) passAs(w http.ResponseWriter, r *http.Request, route schemas.Route, p principal.Principal) error {
	limit := bodyLimit(route)
	if p.Role == string(schemas.Guest) {
		limit = min(limit, formBody)
	}
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	ctx, cancel := g.bounded(w, r, route, p)
	defer cancel()
	out, err := g.outgoing(r.WithContext(ctx), route.Service, p)
	if err != nil {
		return fmt.Errorf("passing a request to %q: %w", route.Service, err)
	}
	if isFHIR(route.Pattern) {
		passIDs(w, r, out)
	}
	if route.ByLink() {
		withoutToken(out)
		w = guesses{w, r, g.guessing}
	}
	if out.Body != nil {
		out.Body = http.MaxBytesReader(w, out.Body, limit)
	}
	backend := g.config.Backends[route.Service]
	if backend == nil {
		return unavailable(route.Service)
	}
	backend.ServeHTTP(w, out)
	return nil
}

// bounded bounds how long a request may take; a stream ends by itself, or with whose it is, and outlives the limit of
// what is written.
func (g *Gateway) bounded(w http.ResponseWriter, r *http.Request, route schemas.Route, p principal.Principal) (
	context.Context, context.CancelFunc) {
	if !route.Streams() {
		return context.WithTimeout(r.Context(), g.config.Timeout)
	}
	// where it cannot be lifted the reader comes again sooner
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithCancel(r.Context())
	go g.watch(ctx, cancel, r, p)
	return ctx, cancel
}

// serveOwn is pass for what the gateway answers itself.
func (g *Gateway) serveOwn(route schemas.Route, h httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if route.Public && r.Method == http.MethodGet { // descriptions, the same for everybody
			if err := g.unknown.Check(r); err != nil {
				return err
			}
			return h(w, r)
		}
		p, err := g.admitted(route, r)
		if err != nil {
			return err
		}
		r.Body = http.MaxBytesReader(w, r.Body, formBody)
		return h(w, r.WithContext(principal.With(r.Context(), p)))
	}
}

// admitted finds who is asking and whether they may: not from another site, not with a form that was opened by somebody
// else, in one of the route's roles, and not more often than agreed. On a public path nobody need be known, and a
// doubtful credential counts as none.
func (g *Gateway) admitted(route schemas.Route, r *http.Request) (principal.Principal, error) {
	if r.Header.Get("Authorization") == "" { // a browser adds cookies and certificates by itself, a token never
		if err := g.crossing.Check(r); err != nil {
			return principal.Principal{}, otherSite.problem(err)
		}
	}
	if route.ByLink() {
		return g.asLink(r)
	}
	readForm(route, r)
	p, err := g.config.Source(r)
	if err != nil || !p.Valid() {
		p = principal.Principal{}
	}
	if unanswered(err) && !route.Public {
		return p, cannotSay.problem(err)
	}
	if p.Valid() && openedAsAnother(route, r, p) {
		return p, formOfAnother.problem(nil)
	}
	switch admit(route, p.Role, err != nil && !errors.Is(err, principal.ErrNone)) {
	case asGuest:
		return g.asGuest(r)
	case asProgram:
		return g.asProgram(r)
	case whoAreYou:
		if limited := g.unknown.Check(r); limited != nil {
			return p, limited
		}
		return p, whoIsMissing(err, r.Method != http.MethodGet && wantsPage(r.Header.Get("Accept"))).problem(err)
	case notForRole:
		return p, notForYou.problem(nil)
	}
	return p, g.limiterOf(p).Check(r.WithContext(principal.With(r.Context(), p)))
}

// asGuest is a guest's principal: the same for all of them, so that a form sent twice is one request whoever sends it
// again. Neither the address nor anything else tells one guest from another behind this door.
func (g *Gateway) asGuest(r *http.Request) (principal.Principal, error) {
	if g.config.GuestsOf == "" {
		return principal.Principal{}, httpx.NewProblem(http.StatusNotFound, "Nobody can ask for support here without "+
			"signing in.")
	}
	if err := g.guest.Check(r); err != nil {
		return principal.Principal{}, err
	}
	return principal.Principal{Organisation: g.config.GuestsOf, Role: string(schemas.Guest),
		Subject: string(schemas.Guest)}, g.guests.Check(r)
}

// asProgram is a calendar program's principal: nobody's, whoever signed in on the same device. It has limits of its
// own, so that no crowd of calendars keeps anybody from asking for support.
func (g *Gateway) asProgram(r *http.Request) (principal.Principal, error) {
	if err := g.program.Check(r); err != nil {
		return principal.Principal{}, err
	}
	return principal.Principal{Organisation: cmp.Or(g.config.GuestsOf, "nobody"), Role: string(schemas.Guest),
		Subject: string(schemas.Guest)}, g.programs.Check(r)
}

func (g *Gateway) limiterOf(p principal.Principal) *httpx.Limiter {
	switch {
	case !p.Valid():
		return g.unknown
	case p.Role == string(schemas.System):
		return g.systems
	default:
		return g.people
	}
}

// callerKey is the principal, or the address of somebody unknown.
func (g *Gateway) callerKey(r *http.Request) string {
	if p, ok := principal.From(r.Context()); ok {
		return p.Key()
	}
	return g.addressOf(r)
}

// addressOf is who is asking, by address: the one connected, or, where that is a proxy of ours that many stand behind,
// the one that it says it speaks for. Of an IPv6 address the first 64 bits count, which one household has.
func (g *Gateway) addressOf(r *http.Request) string {
	address := r.RemoteAddr
	if peers.Shared(g.config.Shared, address) {
		said := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
		last := strings.TrimSpace(said[strings.LastIndex(said, ",")+1:]) // the others are what the caller said
		if ip, err := netip.ParseAddr(last); err == nil {
			address = netip.AddrPortFrom(ip, 0).String()
		}
	}
	if peer := peers.PeerOf(address); peer.IsValid() {
		return peer.String()
	}
	return address
}

// stopHere are headers that go no further: credentials, and what only we may say to a service.
var stopHere = []string{principal.Header, "Authorization", "Cookie", "Proxy-Authorization", "Forwarded",
	"X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Traceparent", "Tracestate", "Baggage", "X-Request-Id",
	callerRequestID}

// outgoing is the request as a service gets it: without credentials, with the signed principal where there is one,
// and in our trace.
func (g *Gateway) outgoing(r *http.Request, service string, p principal.Principal) (*http.Request, error) {
	out := r.Clone(r.Context())
	for _, name := range stopHere {
		out.Header.Del(name)
	}
	out.Header.Set("X-Request-Id", httpx.RequestID(r.Context()))
	propagation.TraceContext{}.Inject(r.Context(), propagation.HeaderCarrier(out.Header))
	if !p.Valid() {
		return out, nil
	}
	signed, err := g.config.Signer.Sign(p, service, g.config.Clock.Now())
	if err != nil {
		return nil, err
	}
	out.Header.Set(principal.Header, signed)
	return out, nil
}

// Remote is a backend behind the network. transport bounds its connections; nil is Transport(). What goes wrong on
// the way is answered as a problem: 503 where the request did not arrive, 502 or 504 where that is not known.
func Remote(target *url.URL, transport http.RoundTripper) http.Handler {
	if transport == nil {
		transport = Transport()
	}
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(answer *http.Response) error {
			for name := range securityHeaders { // set already, for all answers alike
				answer.Header.Del(name)
			}
			answer.Header.Del("X-Request-Id")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { refuse(w, r, onTheWay(err)) },
		ErrorLog:     log.New(io.Discard, "", 0), // its lines are not of a closed form; the span tells of the failure
	}
}

// onTheWay says what a failed pass means for the caller.
func onTheWay(err error) *httpx.Problem {
	var long *http.MaxBytesError
	var p *httpx.Problem
	switch {
	case errors.As(err, &long):
		return tooLarge(long.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		p = httpx.NewProblem(http.StatusGatewayTimeout, "The part that answers this took too long, and may or may "+
			"not have done it. Send it again with the same Idempotency-Key.")
	case errors.Is(err, syscall.ECONNREFUSED):
		p = httpx.NewProblem(http.StatusServiceUnavailable, "The part that answers this is not running at present, "+
			"and nothing was done. Send it again in a few seconds with the same Idempotency-Key.")
		p.Header = http.Header{"Retry-After": {"5"}}
	default:
		p = httpx.NewProblem(http.StatusBadGateway, "The part that answers this broke off, and may or may not have "+
			"done it. Send it again with the same Idempotency-Key.")
	}
	return p.Because(err)
}

func unavailable(service string) *httpx.Problem {
	p := httpx.NewProblem(http.StatusServiceUnavailable, "The part that answers this, %s, does not run here at "+
		"present, and nothing was done. Send it again in a minute; if it goes on, tell the operator.", service)
	p.Header = http.Header{"Retry-After": {"60"}}
	return p
}

func tooLarge(limit int64) *httpx.Problem {
	return httpx.NewProblem(http.StatusRequestEntityTooLarge, "The body is longer than the %s bytes taken here. Send "+
		"less at a time.", strconv.FormatInt(limit, 10))
}
