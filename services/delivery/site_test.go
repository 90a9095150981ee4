package delivery

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// site is the service with its flow, on a clock that leaps, answering whoever a request names.
type site struct {
	*Service
	t     testing.TB
	clock *clock.Shifted
	flow  *flow.Flow
	pool  *pgxpool.Pool
	srv   *httptest.Server
	seq   int64
}

// asHeader names the partner that asks.
const asHeader = "Test-Partner"

// roleHeader names the role of somebody of an organisation that is no partner; its system, where it is left out.
const roleHeader = "Test-Role"

// teamHeader names their team: for the page of a person, the journey that it was given for.
const teamHeader = "Test-Team"

func newSite(t testing.TB, cfg Config) *site {
	t.Helper()
	s := &site{t: t, clock: &clock.Shifted{}, pool: testkit.Database(t, migrated()).Pool(Name)}
	stream := bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: Name})
	if _, err := conn.EnsureStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	var err error
	cfg.Origin, cfg.Plain = "footbridge.example", true
	if cfg.Vault, err = vault.OpenOrCreateFile(filepath.Join(t.TempDir(), "delivery.kek")); err != nil {
		t.Fatal(err)
	}
	if s.Service, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	s.flow, err = flow.New(context.WithoutCancel(t.Context()), flow.Config{Service: Name, Pool: s.pool, Bus: conn,
		Stream: stream, Clock: s.clock, ByDay: ByDay(), Due: s.Due()})
	if err != nil {
		t.Fatal(err)
	}
	for table := range flowTables() {
		if err := pg.EnsureDayPartitions(t.Context(), s.pool, table, pg.ByUUIDv7, time.Now().AddDate(0, 0, -1),
			time.Now().AddDate(0, 0, 10)); err != nil {
			t.Fatal(err)
		}
	}
	s.Attach(s.flow)
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(r *http.Request) (principal.Principal, error) {
		role := schemas.Partner // an organisation that is no partner is asked for by its system
		if !clock.IsID(r.Header.Get(asHeader)) {
			role = cmp.Or(schemas.Role(r.Header.Get(roleHeader)), schemas.System)
		}
		return principal.Principal{Organisation: r.Header.Get(asHeader), Role: string(role),
			Subject: "their system", Team: r.Header.Get(teamHeader)}, nil
	}))
	if err := s.Routes(mux, s.pool); err != nil {
		t.Fatal(err)
	}
	s.srv = httptest.NewServer(mux)
	t.Cleanup(s.srv.Close)
	return s
}

func flowTables() map[string]int {
	tables := ByDay()
	tables["outbox"] = 1
	return tables
}

// loopback lets endpoints be on this machine.
func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// work sends what is to be sent, as a process does, until the returned function is called or the test ends.
func (s *site) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	for _, due := range s.Due() {
		running.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				_ = s.flow.Do(context.WithoutCancel(ctx), func(tx *flow.Tx) error {
					_, err := due.Run(ctx, tx, due.Limit)
					return err
				})
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	s.t.Cleanup(stop)
	return stop
}

// due runs a loop once.
func (s *site) due(name string) {
	s.t.Helper()
	for _, due := range s.Due() {
		for more := due.Name == name; more; {
			if err := s.flow.Do(s.t.Context(), func(tx *flow.Tx) error {
				taken, err := due.Run(s.t.Context(), tx, due.Limit)
				more = due.Limit == 1 && taken == 1 // those that take one at a time go on at once
				return err
			}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// hears applies what was said about a journey.
func (s *site) hears(journey string, typ schemas.Type, data any) {
	s.t.Helper()
	s.seq++
	text, err := json.Marshal(data)
	if err != nil {
		s.t.Fatal(err)
	}
	now := s.clock.Now()
	events := []flow.Event{{ID: clock.NewID(now), Type: string(typ), Subject: journey,
		Sequence: flow.FormatSequence(s.seq), Time: now, Correlation: journey, Data: text}}
	if err := s.flow.Do(s.t.Context(), func(tx *flow.Tx) error {
		apply := s.Handle(tx, events)
		if err := tx.Flush(); err != nil {
			return err
		}
		return apply(events)
	}); err != nil {
		s.t.Fatal(err)
	}
}

// offers makes an offer of a new journey, and clears it.
func (s *site) offers(partner string) (journey, offer string) {
	s.t.Helper()
	journey, offer = clock.NewID(s.clock.Now()), clock.NewID(s.clock.Now())
	s.hears(journey, schemas.OfferRaised, schemas.OfferRaisedData{Offer: offer, Person: clock.NewRandomID(),
		Partner: partner, FirstDay: "2026-11-09", LastDay: "2026-11-16"})
	s.hears(journey, schemas.OfferCleared, schemas.OfferClearedData{Offer: offer, Partner: partner})
	return journey, offer
}

// said counts what was said about a journey.
func (s *site) said(journey string, typ schemas.Type) int {
	s.t.Helper()
	var n int
	if err := s.pool.QueryRow(s.t.Context(), `select count(*) from outbox where subject = $1`,
		strings.TrimSuffix(typ.SubjectFilter(), "*")+journey).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// ask asks as a partner, and reads the answer into what is given.
func (s *site) ask(partner, method, path, body string, into any) int {
	s.t.Helper()
	return s.askWith(partner, method, path, body, into)
}

// askWith is ask with further headers, each a name and its value.
func (s *site) askWith(partner, method, path, body string, into any, header ...string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.srv.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set(asHeader, partner)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.srv.Client().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s %s answered %d %s: %v", method, path, answer.StatusCode, text, err)
		}
	}
	return answer.StatusCode
}

// feedPage is what a partner reads.
type feedPage struct {
	Items []struct {
		Cursor string
		Event  json.RawMessage
	}
	Next string
	More bool
}

// fed reads a partner's whole feed.
func (s *site) fed(partner string) (bodies []string) {
	s.t.Helper()
	for after := ""; ; {
		var p feedPage
		if status := s.ask(partner, "GET", "/api/feed?limit=7&after="+after, "", &p); status != http.StatusOK {
			s.t.Fatalf("the feed answered %d", status)
		}
		for _, one := range p.Items {
			bodies = append(bodies, string(one.Event))
		}
		if after = p.Next; !p.More {
			return bodies
		}
	}
}

// streamed reads so many events of a partner's stream.
func (s *site) streamed(partner, last string, many int) (bodies, ids []string) {
	s.t.Helper()
	ctx, end := context.WithTimeout(s.t.Context(), testkit.Patience)
	defer end()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.srv.URL+"/api/stream", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set(asHeader, partner)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	answer, err := s.srv.Client().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for len(bodies) < many && lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			bodies = append(bodies, text)
		}
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
	}
	if len(bodies) < many {
		s.t.Fatalf("the stream ended after %d events: %v", len(bodies), lines.Err())
	}
	return bodies, ids
}

// endpoint is a partner's receiver. What it answers is changed by answering.
type endpoint struct {
	*httptest.Server
	mu        sync.Mutex
	answering func(r *http.Request, body []byte) int
	received  []received
}

type received struct {
	id, body string
	header   http.Header
	status   int
}

func newEndpoint(t testing.TB) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	status := http.StatusNoContent
	if e.answering != nil {
		if status = e.answering(r, body); status == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
		w.WriteHeader(status)
		return
	}
	e.received = append(e.received, received{r.Header.Get("Webhook-Id"), string(body), r.Header.Clone(), status})
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "120")
	}
	w.WriteHeader(status)
}

func (e *endpoint) answer(how func(r *http.Request, body []byte) int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answering = how
}

// taken are the bodies that it took, in the order in which they came.
func (e *endpoint) taken() (bodies []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.received {
		if r.status < 300 {
			bodies = append(bodies, r.body)
		}
	}
	return bodies
}

func (e *endpoint) all() []received {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]received{}, e.received...)
}

// subscribes adds an endpoint for a partner.
func (s *site) subscribes(partner, url, more string) subscriptionShown {
	s.t.Helper()
	var shown subscriptionShown
	if status := s.ask(partner, "POST", "/api/subscriptions", fmt.Sprintf(`{"url":%q%s}`, url, more),
		&shown); status != http.StatusCreated {
		s.t.Fatalf("subscribing answered %d", status)
	}
	return shown
}

// state is how an endpoint stands.
func (s *site) state(partner, id string) string {
	s.t.Helper()
	var shown subscriptionShown
	s.ask(partner, "GET", "/api/subscriptions/"+id, "", &shown)
	return shown.State
}

// leaps moves the clock to when something waits to be tried again, once nothing is under way.
func (s *site) leaps() {
	s.t.Helper()
	var next *time.Time
	if err := s.pool.QueryRow(s.t.Context(), `select greatest(min(o.due_at), max(e.next_at)) from outgoing o
		join subscription e on e.id = o.subscription
		where o.state = 'waiting' having count(*) filter (where o.leased is not null) = 0`).Scan(&next); err == nil &&
		next != nil && next.After(s.clock.Now()) {
		s.clock.Set(time.Until(*next) + time.Second)
	}
}

// takes waits until an endpoint has taken so many, whenever they are tried again.
func (s *site) takes(e *endpoint, many int) {
	s.t.Helper()
	testkit.Eventually(s.t, fmt.Sprintf("%d are taken", many), func() bool {
		if len(e.taken()) >= many {
			return true
		}
		s.leaps()
		return false
	})
}
