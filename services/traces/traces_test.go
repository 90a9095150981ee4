package traces

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/telemetry"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

func TestMain(m *testing.M) { os.Exit(m.Run()) }

var ours = pg.Service{Name: Name, Hasty: true, Migrations: []pg.MigrationSet{{Name: Name, FS: Migrations()}}}

type fixture struct {
	*Service
	db      *testkit.DB
	pool    *pgxpool.Pool
	handler http.Handler
	sign    func(p principal.Principal, by string) string
}

func begin(t *testing.T, now clock.Clock) *fixture {
	t.Helper()
	s, err := New(Config{Clock: now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	db := testkit.Database(t, ours)
	f := &fixture{Service: s, db: db}
	f.pool, err = pg.Open(t.Context(), db.URL(Name), pg.OpenConfig{Service: Name, AllowUnsafeCommit: true})
	must(t, err)
	t.Cleanup(f.pool.Close)
	_, err = s.opened(t.Context(), func(context.Context) (*pgxpool.Pool, error) { return f.pool, nil })
	must(t, err)
	rules := principal.Rules{Forwards: schemas.MayForward,
		May: func(holder, audience string, p principal.Principal) bool {
			return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, false)
		}}
	signers, verifier := testkit.Keys(t, rules, schemas.Gateway, schemas.Intake)
	mux := httpx.NewMux(httpx.Options{Clock: now, TrustCaller: true})
	mux.Use(principal.Require(principal.Signed(verifier, Name, now)))
	must(t, s.Routes(mux))
	f.handler = mux
	f.sign = func(p principal.Principal, by string) string {
		text, err := signers[by].Sign(p, Name, now.Now())
		must(t, err)
		return text
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	opera = principal.Principal{Organisation: "RXX", Role: string(schemas.Operator), Subject: "opera"}
	nurse = principal.Principal{Organisation: "RXX", Role: string(schemas.SendingTeam), Subject: "nurse"}
	guide = principal.Principal{Organisation: "RXX", Role: string(schemas.Navigator), Subject: "guide"}
	work  = principal.Principal{Organisation: schemas.Intake, Role: string(schemas.ServiceItself),
		Subject: schemas.Intake}
)

func (f *fixture) ask(t *testing.T, path string, as principal.Principal) (int, []byte) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set(principal.Header, f.sign(as, schemas.Gateway))
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

func (f *fixture) found(t *testing.T, query string) (a Answer) {
	t.Helper()
	status, body := f.ask(t, "/api/traces"+query, opera)
	if status != http.StatusOK {
		t.Fatalf("%s is answered with %d %s", query, status, body)
	}
	must(t, json.Unmarshal(body, &a))
	return a
}

// spanned is a piece of work of the tests.
type spanned struct {
	trace, id, parent byte
	service, name     string
	at                time.Time
	took              time.Duration
	failed            bool
	journeys          []string
	more              map[string]string
}

func sent(all ...spanned) (groups []*tracepb.ResourceSpans) {
	for _, one := range all {
		span := &tracepb.Span{TraceId: id16(one.trace), SpanId: id8(one.id), Name: one.name,
			StartTimeUnixNano: uint64(one.at.UnixNano()), EndTimeUnixNano: uint64(one.at.Add(one.took).UnixNano()),
			Status: &tracepb.Status{}}
		if one.parent != 0 {
			span.ParentSpanId = id8(one.parent)
		}
		if one.failed {
			span.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "Alice is not found"}
		}
		for _, j := range one.journeys {
			span.Links = append(span.Links, &tracepb.Span_Link{TraceId: id16(99), SpanId: id8(1),
				Attributes: []*commonpb.KeyValue{text(schemas.AttrJourney, j)}})
		}
		for key, value := range one.more {
			span.Attributes = append(span.Attributes, text(key, value))
		}
		groups = append(groups, &tracepb.ResourceSpans{Resource: resourceOf(one.service),
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}})
	}
	return groups
}

func id16(b byte) []byte { return append(make([]byte, 15), b) }
func id8(b byte) []byte  { return append(make([]byte, 7), b) }

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{
		Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

const (
	firstJourney  = "0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d"
	secondJourney = "0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3e"
)

func TestTracesAreFoundByWhatIsKnownOfThem(t *testing.T) {
	t.Parallel()
	now := clock.NewHeld(time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour))
	f := begin(t, now)
	ago := func(d time.Duration) time.Time { return now.Now().Add(-d) }
	batch := sent(
		spanned{trace: 1, id: 1, service: "intake", name: "take an HL7 message", at: ago(time.Hour),
			took:     40 * time.Millisecond,
			journeys: []string{firstJourney}},
		spanned{trace: 1, id: 2, parent: 1, service: "intake", name: "keep messages", at: ago(time.Hour),
			took: 9 * time.Millisecond},
		spanned{trace: 1, id: 3, parent: 2, service: "journey", name: "apply discharge.recorded", at: ago(time.Hour),
			took: 3 * time.Millisecond, failed: true, journeys: []string{firstJourney, secondJourney}},
		spanned{trace: 2, id: 1, service: "intake", name: "take an HL7 message", at: ago(30 * time.Hour / 2),
			took: 2 * time.Second, journeys: []string{secondJourney}})
	must(t, f.Take(t.Context(), batch))
	must(t, f.Take(t.Context(), sent(spanned{trace: 1, id: 1, service: "intake", name: "take an HL7 message",
		at: ago(time.Hour), took: 40 * time.Millisecond})[:0]))
	for query, want := range map[string]int{
		"": 3, "?service=intake": 2, "?service=followup": 0, "?failed=true": 1, "?service=intake&failed=true": 0,
		"?work=keep+messages": 1, "?service=intake&work=take+an+HL7+message": 2, "?least=100": 1,
		"?least=5&service=intake":      2,
		"?work=keep+messages&least=20": 0, "?journey=" + firstJourney: 2, "?journey=" + secondJourney: 2,
		"?journey=" + secondJourney + "&service=intake": 1, "?journey=" + firstJourney + "&failed=true": 1,
		"?from=" + ago(2*time.Hour).Format(time.RFC3339): 2,
		"?to=" + ago(2*time.Hour).Format(time.RFC3339):   1, "?limit=1": 1,
	} {
		if got := f.found(t, query); len(got.Items) != want {
			t.Errorf("%q: %d found, not %d: %+v", query, len(got.Items), want, got.Items)
		}
	}
	page := f.found(t, "?limit=2")
	rest := f.found(t, "?limit=2&cursor="+*page.Next)
	if len(page.Items) != 2 || len(rest.Items) != 1 || rest.Next != nil || rest.Items[0].Micros != 2_000_000 {
		t.Errorf("pages: %+v, then %+v", page.Items, rest.Items)
	}
	if page.Counted != 3 || page.Cut || page.Durations[7].Count != 1 || page.Durations[2].Failed != 1 {
		t.Errorf("durations: %+v", page.Durations)
	}
	if got := page.Works[0]; got.Longest != 2_000_000 || got.Count != 2 || got.Work != "take an HL7 message" {
		t.Errorf("works: %+v", page.Works)
	}
}

func TestABatchHandedOverTwiceIsKeptOnce(t *testing.T) {
	t.Parallel()
	f := begin(t, clock.Real())
	one := spanned{trace: 1, id: 1, service: "intake", name: "one", at: time.Now()}
	for range 2 {
		must(t, f.Take(t.Context(), sent(one)))
	}
	if got := f.found(t, ""); len(got.Items) != 1 {
		t.Errorf("found %+v", got.Items)
	}
}

func TestAJourneysWaterfallIsItsOwnAndNamesNobody(t *testing.T) {
	t.Parallel()
	f := begin(t, clock.Real())
	at := time.Now().Add(-time.Minute)
	must(t, f.Take(t.Context(), sent(
		spanned{trace: 1, id: 1, service: "gateway", name: "POST /events", at: at},
		spanned{trace: 1, id: 2, parent: 1, service: "intake", name: "take an HL7 message",
			at:       at.Add(time.Millisecond),
			journeys: []string{firstJourney}, failed: true, more: map[string]string{"person": "Alice",
				schemas.AttrOutcome: "raised"}},
		spanned{trace: 2, id: 1, service: "journey", name: "apply pathway.decided", at: at.Add(time.Second),
			journeys: []string{firstJourney, secondJourney}},
		spanned{trace: 2, id: 2, parent: 1, service: "journey", name: "retry pathway.decided", at: at.Add(time.Second),
			journeys: []string{secondJourney}})))
	status, body := f.ask(t, "/api/journeys/"+firstJourney+"/trace", opera)
	var got Spans
	must(t, json.Unmarshal(body, &got))
	var names []string
	for _, s := range got.Spans {
		names = append(names, s.Name)
	}
	if want := "POST /events, take an HL7 message, apply pathway.decided"; status != 200 ||
		strings.Join(names, ", ") != want || got.Cut {
		t.Errorf("%d: %v, not %s", status, names, want)
	}
	if strings.Contains(string(body), "Alice") || strings.Contains(string(body), secondJourney) ||
		!strings.Contains(string(body), "raised") {
		t.Errorf("it says %s", body)
	}
	if status, _ := f.ask(t, "/api/traces/"+fmt.Sprintf("%032x", 2), opera); status != 200 {
		t.Errorf("one trace is answered with %d", status)
	}
	if status, _ := f.ask(t, "/api/traces/"+fmt.Sprintf("%032x", 7), opera); status != 404 {
		t.Errorf("a trace that is not there is answered with %d", status)
	}
}

// Whoever hands spans over, by whatever way: nothing of what they wrote of their own is kept.
func TestNothingIsKeptThatIsNotOnAList(t *testing.T) {
	t.Parallel()
	batch := sent(spanned{trace: 1, id: 1, service: "Alice", name: "ring Alice", at: time.Now(), failed: true,
		journeys: []string{firstJourney, "Alice"}, more: map[string]string{"person": "Alice",
			schemas.AttrControlID: "Alice", schemas.AttrError: "Alice", schemas.AttrEventType: "Alice",
			schemas.AttrHTTPRoute: "/people/Alice", schemas.AttrMessage: "Alice", "url": "/Alice",
			schemas.AttrOutcome: strings.Repeat("Alice", 100), schemas.AttrReason: "too-late"}})
	span := batch[0].ScopeSpans[0].Spans[0]
	span.TraceState, span.Links[0].TraceState = "vendor=Alice", "vendor=Alice"
	span.Events = []*tracepb.Span_Event{{Name: "rang Alice"}, {Name: "exception", Attributes: []*commonpb.KeyValue{
		text("exception.message", "Alice"), text("exception.type", "timeout")}}}
	span.Attributes = append(span.Attributes, &commonpb.KeyValue{Key: schemas.AttrReason, Value: &commonpb.AnyValue{
		Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte("Alice")}}})
	kept := fragmentsOf(batch, newSieve(nil))[0]
	if text := fmt.Sprintf("%v %v %v %v", kept.sent, kept.Service, kept.Works, kept.Journeys); strings.Contains(text,
		"Alice") || !strings.Contains(text, "too-late") || !strings.Contains(text, "timeout") ||
		!strings.Contains(text, firstJourney) || kept.Service != unknown || kept.Works[0] != schemas.OtherWork {
		t.Errorf("it keeps %s", text)
	}
}

func TestOperatorsAloneLook(t *testing.T) {
	t.Parallel()
	f := begin(t, clock.Real())
	for _, path := range []string{"/api/traces", "/api/traces/" + fmt.Sprintf("%032x", 1),
		"/api/journeys/" + firstJourney + "/trace"} {
		for _, who := range []principal.Principal{nurse, guide} {
			if status, _ := f.ask(t, path, who); status != http.StatusForbidden {
				t.Errorf("%s is answered with %d to %v", path, status, who.Role)
			}
		}
	}
	for _, path := range []string{"/api/traces?from=now", "/api/traces?least=x", "/api/traces?journey=j1",
		"/api/traces?cursor=x", "/api/traces?person=x"} {
		if status, _ := f.ask(t, path, opera); status != http.StatusBadRequest {
			t.Errorf("%s is answered with %d", path, status)
		}
	}
}

func TestServicesAloneHandSpansOver(t *testing.T) {
	t.Parallel()
	f := begin(t, clock.Real())
	hand := func(who principal.Principal, by string) int {
		r, err := telemetry.ExportRequest(t.Context(), "http://traces", sent(spanned{trace: 1, id: 1, service: "intake",
			name: "one", at: time.Now()}))
		must(t, err)
		r.Header.Set(principal.Header, f.sign(who, by))
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w.Code
	}
	if got := hand(work, schemas.Intake); got != http.StatusNoContent {
		t.Errorf("a service is answered with %d", got)
	}
	if got := hand(opera, schemas.Gateway); got != http.StatusNotFound {
		t.Errorf("an operator is answered with %d", got)
	}
	if got := f.found(t, ""); len(got.Items) != 1 {
		t.Errorf("found %+v", got.Items)
	}
}

func TestItStartsWithoutADatabaseAndSaysSo(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, ours)
	s, err := New(Config{Clock: clock.Real(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	if err := s.Take(t.Context(), nil); !errors.Is(err, errAway) || errors.Is(err, telemetry.ErrRefused) {
		t.Errorf("before there is a database: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	notes := make(chan string, 16)
	var there atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx, func(ctx context.Context) (*pgxpool.Pool, error) {
			if !there.Load() {
				return nil, errors.New("connection refused")
			}
			return pg.Open(ctx, db.URL(Name), pg.OpenConfig{Service: Name, AllowUnsafeCommit: true})
		}, func(note string) { notes <- note })
	}()
	if note := <-notes; !strings.Contains(note, "not kept") {
		t.Errorf("it says %q", note)
	}
	there.Store(true)
	s.awake <- struct{}{}
	if note := <-notes; note != "" {
		t.Errorf("with its database it says %q", note)
	}
	pool, err := s.database()
	must(t, err)
	t.Cleanup(pool.Close)
	must(t, s.Take(t.Context(), sent(spanned{trace: 1, id: 1, service: "intake", name: "one", at: time.Now()})))
	stop()
	<-ended
	if err := s.Take(t.Context(), nil); !errors.Is(err, telemetry.ErrRefused) {
		t.Errorf("after its end: %v", err)
	}
}

func TestOldDaysGoAndSoDoThoseForWhichThereIsNoRoom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 15, 0, 0, 0, time.UTC)
	at := func(back int) time.Time { return now.Truncate(24*time.Hour).AddDate(0, 0, -back) }
	days := func(bytes ...int64) (all []day) {
		for back, b := range bytes {
			all = append(all, day{at(back), b})
		}
		return all
	}
	for _, c := range []struct {
		name  string
		days  []day
		keep  time.Duration
		bytes int64
		first time.Time
		full  bool
	}{
		{"all fit", days(10, 10, 10), 30 * 24 * time.Hour, 100, at(2), false},
		{"the third is old", days(10, 10, 10), 24 * time.Hour, 100, at(1), false},
		{"there is room for two", days(40, 50, 20), 30 * 24 * time.Hour, 100, at(1), false},
		{"today's alone are too much", days(120, 1), 30 * 24 * time.Hour, 100, at(0), true},
		{"nothing is kept", nil, 30 * 24 * time.Hour, 100, at(0), false},
	} {
		first, full := keepFrom(append(c.days, day{at(-1), 0}), now, c.keep, c.bytes)
		if !first.Equal(c.first) || full != c.full {
			t.Errorf("%s: kept from %v, full %v", c.name, first, full)
		}
	}
}

func TestItsLoginAloneDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, ours, pg.Service{Name: "careful", Migrations: ours.Migrations})
	for service, want := range map[string]string{Name: "off", "careful": "on"} {
		pool, err := pg.Open(t.Context(), db.URL(service), pg.OpenConfig{Service: service, AllowUnsafeCommit: true})
		must(t, err)
		var got string
		must(t, pool.QueryRow(t.Context(), `select current_setting('synchronous_commit')`).Scan(&got))
		pool.Close()
		if got != want {
			t.Errorf("%s commits with synchronous_commit %s", service, got)
		}
	}
}

// TestASearchReadsLittleHoweverMuchIsKept: a search by time and service touches under 2,000 buffers, with as many spans
// as TRACES_SPANS says (40,000; `make bench-large` keeps a million).
func TestASearchReadsLittleHoweverMuchIsKept(t *testing.T) {
	t.Parallel()
	spans := 40_000
	if given, err := strconv.Atoi(os.Getenv("TRACES_SPANS")); err == nil {
		spans = given
	}
	f := begin(t, clock.Real())
	rows := fillWith(t, f, spans)
	to := time.Now()
	for name, one := range map[string]Search{
		"by time and service":  {From: to.Add(-24 * time.Hour), To: to, Service: "intake"},
		"an hour of a service": {From: to.Add(-3 * time.Hour), To: to.Add(-2 * time.Hour), Service: "delivery"},
		"by time":              {From: to.Add(-24 * time.Hour), To: to},
	} {
		took := time.Now()
		buffers := buffersOf(t, f, one)
		t.Logf("%s: %d buffers of %d rows with %d spans, %v", name, buffers, rows, spans, time.Since(took))
		if buffers >= 2000 {
			t.Errorf("%s touches %d buffers", name, buffers)
		}
	}
	if found, err := search(t.Context(), f.pool, opera, Search{From: to.Add(-24 * time.Hour), To: to,
		Service: "intake"},
		countedMost+1); err != nil || len(found) != countedMost+1 {
		t.Errorf("%d are found, %v", len(found), err)
	}
}

// fillWith keeps spans of the last day, three in a trace of one service, as batches bring them.
func fillWith(t *testing.T, f *fixture, spans int) (rows int) {
	t.Helper()
	now, per := time.Now().UTC(), 3
	rows = spans / per
	step := 23 * time.Hour / time.Duration(rows)
	for from := 0; from < rows; from += 2000 {
		var batch []fragment
		for i := from; i < min(from+2000, rows); i++ {
			at := now.Add(-23 * time.Hour).Add(step * time.Duration(i))
			var group []*tracepb.ResourceSpans
			for n := range per {
				one := sent(spanned{id: byte(n + 1), service: servicesOf[i%len(servicesOf)],
					name: []string{"take an HL7 message", "keep messages", "apply discharge.recorded"}[n], at: at,
					took: time.Duration(i%400+1) * time.Millisecond, failed: i%200 == 0,
					journeys: []string{clock.NewRandomID()}})[0]
				one.ScopeSpans[0].Spans[0].TraceId = []byte(fmt.Sprintf("%016d", i))
				group = append(group, one)
			}
			batch = append(batch, fragmentsOf(group, f.sieve)...)
		}
		must(t, f.packing.pack(batch))
		must(t, insertFragments(t.Context(), f.pool, batch))
	}
	return rows
}

var servicesOf = []string{"intake", "threshold", "followup", "bridging", "journey", "delivery", "gateway"}

// buffersOf counts the buffers that a search touches, as its own login and by its own statement.
func buffersOf(t *testing.T, f *fixture, s Search) int {
	t.Helper()
	var statement string
	args := []any{pg.UUIDFloor(s.From), pg.UUIDFloor(s.To), s.Work, s.Least.Microseconds(), s.Failed, countedMost + 1}
	if statement = searchOfAll; s.Service != "" {
		statement, args = searchOfService, append([]any{s.Service}, args...)
	}
	var plan []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	must(t, inOrder(t.Context(), f.pool, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), "explain (analyze, buffers, format json) "+statement, args...).Scan(&plan)
	}))
	return plan[0].Plan.Hit + plan[0].Plan.Read
}
