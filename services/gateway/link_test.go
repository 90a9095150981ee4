package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

const (
	ourOffer, ourPartner = "019cac6b-9e60-7abc-a568-92bb0000bb22", "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"
	ourToken             = "0123456789abcdefghjkmnpqrs"
)

// linked answers for delivery, which knows one link, and for the console's page behind it.
type linked struct {
	delivery, console http.Handler
	asked             []principal.Principal // who asked for the page
	paths             []string
}

func withLink(t *testing.T, c *Config) *linked {
	l, verifier := &linked{}, c.Backends[schemas.Journey].(*backend).verifier
	l.delivery = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := principal.Signed(verifier, schemas.Delivery, clock.Real())(r)
		if err != nil || who.Role != string(schemas.ServiceItself) || r.Method+r.URL.Path != "POST"+schemas.OpenLink {
			t.Errorf("delivery is asked %s %s as %s: %v", r.Method, r.URL.Path, who, err)
		}
		asked, _, err := httpx.ReadJSON[schemas.LinkAsked](w, r, 1<<10)
		if err != nil {
			t.Error(err)
		}
		var opened schemas.LinkOpened
		if asked.Token == ourToken {
			opened = schemas.LinkOpened{Offer: ourOffer, Partner: ourPartner}
		}
		_ = httpx.WriteJSON(w, http.StatusOK, opened)
	})
	l.console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := principal.Signed(verifier, schemas.Console, clock.Real())(r)
		if err != nil {
			t.Error(err)
		}
		l.asked, l.paths = append(l.asked, who), append(l.paths, r.RequestURI+" "+r.URL.String())
		if who.Subject != ourOffer {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("nothing is open"))
		}
	})
	c.Backends[schemas.Delivery], c.Backends[schemas.Console] = l.delivery, l.console
	for _, method := range []string{"GET", "POST"} {
		c.Pages = append(c.Pages, schemas.Route{Method: method, Pattern: schemas.LinkPattern,
			Service: schemas.Console, Roles: []schemas.Role{schemas.OfferLink}})
	}
	return l
}

// startLinked is a gateway with the page behind a link.
func startLinked(t *testing.T, change ...func(*Config)) (*fixture, *linked) {
	t.Helper()
	var l *linked
	f := start(t, append(change, func(c *Config) {
		l = withLink(t, c)
	})...)
	return f, l
}

func TestALinkIsSomebodysOfOneOfferWhoeverIsSignedIn(t *testing.T) {
	t.Parallel()
	f, l := startLinked(t)
	for _, as := range []*principal.Principal{nil, &nurse} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if w := f.ask(t, method, "/p/"+ourToken+"?say=accept", "", as); w.Code != http.StatusOK {
				t.Errorf("%s of a link is answered with %d: %s", method, w.Code, w.Body)
			}
		}
	}
	want := principal.Principal{Organisation: ourPartner, Role: string(schemas.OfferLink), Subject: ourOffer}
	for i, who := range l.asked {
		if who != want {
			t.Errorf("a link is asked as %q %q of %q", who.Role, who.Subject, who.Organisation)
		}
		if strings.Contains(l.paths[i], ourToken) || !strings.HasSuffix(l.paths[i], "/p/-?say=accept") {
			t.Errorf("the page is asked for by %q", l.paths[i])
		}
	}
	if len(l.asked) != 6 {
		t.Errorf("%d pages were asked for", len(l.asked))
	}
	if w := f.ask(t, "POST", "/p/"+ourToken, "", nil, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site is answered with %d", w.Code)
	}
}

// TestWhoeverGuessesLinksIsToWaitAndKeepsNoRightOneOut: damaged links of a crowd behind one address are limited, and
// the right one of somebody among them opens. The page is the same.
func TestWhoeverGuessesLinksIsToWaitAndKeepsNoRightOneOut(t *testing.T) {
	t.Parallel()
	f, _ := startLinked(t)
	var statuses []int
	for len(statuses) < 10*guessesAtOnce && !slices.Contains(statuses, http.StatusTooManyRequests) {
		w := f.knock("GET", "/p/damaged", "", "192.0.2.7")
		statuses = append(statuses, w.Code)
		if w.Body.String() != "nothing is open" {
			t.Errorf("%d is answered with another page: %s", w.Code, w.Body)
		}
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("whoever guesses is not told for how long to wait")
		}
	}
	if statuses[0] != http.StatusNotFound || statuses[len(statuses)-1] != http.StatusTooManyRequests {
		t.Errorf("links that open nothing are answered with %v", statuses)
	}
	for _, method := range []string{"GET", "POST"} {
		if w := f.knock(method, "/p/"+ourToken, "", "192.0.2.7"); w.Code != http.StatusOK {
			t.Errorf("a right link is kept out by the others of its address: %d", w.Code)
		}
	}
	for _, odd := range []string{strings.Repeat("a", 20_000), "%00", "%ff%fe", "..", "%2e%2e%2f"} {
		if w := f.knock("GET", "/p/"+odd, "", "192.0.2.8"); w.Code >= 500 {
			t.Errorf("%.20q is answered with %d", odd, w.Code)
		}
	}
	if w := f.knock("GET", "/p/damaged", "", "192.0.2.9"); w.Code != http.StatusNotFound {
		t.Errorf("another address is answered with %d", w.Code)
	}
}

// TestACrowdOfGuessesReachesNobody: what one address may ask of public pages bounds links too, before any service is
// asked which offer they are to.
func TestACrowdOfGuessesReachesNobody(t *testing.T) {
	t.Parallel()
	const crowd = 20
	f, l := startLinked(t, func(c *Config) { c.Rates.Unknown = 1e-9 })
	for range crowd {
		f.knock("GET", "/p/damaged", "", "192.0.2.7")
	}
	if len(l.asked) >= crowd {
		t.Errorf("%d pages were asked for", len(l.asked))
	}
	if w := f.knock("GET", "/p/"+ourToken, "", "192.0.2.8"); w.Code != http.StatusOK {
		t.Errorf("another address is answered with %d", w.Code)
	}
}

func TestALinkWithoutDeliveryIsTriedAgain(t *testing.T) {
	t.Parallel()
	f, l := startLinked(t)
	f.config.Backends[schemas.Delivery] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	})
	if w := f.knock("GET", "/p/"+ourToken, "", "192.0.2.7"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a link is answered with %d while nobody can say what it opens", w.Code)
	}
	if len(l.asked) > 0 {
		t.Error("a page is asked for nobody")
	}
}

func TestATokenIsInNoSpanAndNoLog(t *testing.T) {
	t.Parallel()
	recorder, log := tracetest.NewSpanRecorder(), &strings.Builder{}
	f, _ := startLinked(t, func(c *Config) {
		c.Tracers = trace.NewTracerProvider(trace.WithSpanProcessor(recorder))
		c.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	f.config.Backends[schemas.Console] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("it broke")
	})
	f.knock("GET", "/p/"+ourToken, "", "192.0.2.7", "Accept", "text/html")
	f.knock("DELETE", "/p/"+ourToken, "", "192.0.2.7")
	var said []string
	for _, span := range recorder.Ended() {
		text, err := json.Marshal(tracetest.SpanStubFromReadOnlySpan(span).Attributes)
		ok(t, err)
		said = append(said, span.Name(), string(text), span.Status().Description)
	}
	if len(said) == 0 || slices.ContainsFunc(append(said, log.String()), func(s string) bool {
		return strings.Contains(s, ourToken)
	}) {
		t.Errorf("a token is in %v %s", said, log)
	}
}

// TestWhoeverGuessesCalendarsIsToWait: how often one address may ask for any calendar by its token is bounded.
func TestWhoeverGuessesCalendarsIsToWait(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, route := range schemas.Routes() {
		if !route.ByToken() {
			continue
		}
		tried++
		f, last := start(t), 0
		for n := 0; n < 5000 && last != http.StatusTooManyRequests; n++ {
			last = f.knock(route.Method, fmt.Sprintf("%s?token=guess%d", route.Pattern, n), "", "192.0.2.7").Code
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("%s may be guessed at without end: %d", route.Pattern, last)
		}
		if w := f.knock(route.Method, route.Pattern+"?token=right", "", "192.0.2.8"); w.Code ==
			http.StatusTooManyRequests {
			t.Errorf("%s: another address waits too", route.Pattern)
		}
	}
	if tried != 2 {
		t.Errorf("%d calendars were tried", tried)
	}
}
