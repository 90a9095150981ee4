package delivery

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// ward is many endpoints, each of a partner of its own, at one address: the path says which. What an event is answered
// with is said for each; nothing means that it is taken.
type ward struct {
	*httptest.Server
	s *site

	mu       sync.Mutex
	answers  map[string]func(w http.ResponseWriter, r *http.Request)
	partners []string
	paths    map[string]string          // by partner
	taken    map[string]map[string]bool // ids by path
	news     chan struct{}              // something was taken
}

func newWard(s *site) *ward {
	w := &ward{s: s, answers: map[string]func(http.ResponseWriter, *http.Request){}, paths: map[string]string{},
		taken: map[string]map[string]bool{}, news: make(chan struct{}, 1)}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	s.t.Cleanup(w.Close)
	return w
}

func (w *ward) serve(answer http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if r.Method == http.MethodOptions {
		answer.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
		return
	}
	w.mu.Lock()
	how := w.answers[r.URL.Path]
	if how == nil {
		if w.taken[r.URL.Path] == nil {
			w.taken[r.URL.Path] = map[string]bool{}
		}
		w.taken[r.URL.Path][r.Header.Get("Webhook-Id")] = true
	}
	w.mu.Unlock()
	if how != nil {
		how(answer, r)
		return
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// add adds so many endpoints that answer events in one way.
func (w *ward) add(kind string, many int, how func(http.ResponseWriter, *http.Request)) (partners []string) {
	for range many {
		partner, path := clock.NewRandomID(), fmt.Sprintf("/%s/%s", kind, clock.NewRandomID())
		w.mu.Lock()
		w.answers[path], w.paths[partner] = how, path
		w.mu.Unlock()
		w.s.subscribes(partner, w.URL+path, "")
		partners = append(partners, partner)
	}
	w.partners = append(w.partners, partners...)
	return partners
}

// turns has endpoints answer in another way from now on.
func (w *ward) turns(partners []string, how func(http.ResponseWriter, *http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, partner := range partners {
		w.answers[w.paths[partner]] = how
	}
}

// agreed waits until every endpoint wants events.
func (w *ward) agreed() {
	w.s.t.Helper()
	testkit.Eventually(w.s.t, "all endpoints agree", func() bool {
		var left int
		err := w.s.pool.QueryRow(w.s.t.Context(), `select count(*) from subscription where state = 'pending'`).
			Scan(&left)
		return err == nil && left == 0
	})
}

// tell gives each of some partners so many events, each of a journey of its own, theirs by turns.
func (w *ward) tell(partners []string, each int) {
	w.s.t.Helper()
	var batch []flow.Event
	flush := func() {
		if err := w.s.flow.Do(w.s.t.Context(), func(tx *flow.Tx) error {
			apply := w.s.Handle(tx, batch)
			if err := tx.Flush(); err != nil {
				return err
			}
			return apply(batch)
		}); err != nil {
			w.s.t.Fatal(err)
		}
		batch = batch[:0]
	}
	for range each {
		for _, partner := range partners {
			for _, e := range offered(clock.NewID(time.Now()), clock.NewID(time.Now()), partner) {
				e.Time = time.Now()
				batch = append(batch, e)
			}
			if len(batch) >= 256 {
				flush()
			}
		}
	}
	flush()
}

// have waits until each of some partners has taken so many events.
func (w *ward) have(partners []string, each int) {
	w.s.t.Helper()
	patience := time.After(testkit.Patience)
	for {
		w.mu.Lock()
		left := 0
		for _, partner := range partners {
			left += max(0, each-len(w.taken[w.paths[partner]]))
		}
		w.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-w.news:
		case <-patience:
			w.s.t.Fatalf("%d events have not come", left)
		}
	}
}

// runs has the service and its flow work as a process does, until the test ends.
func (w *ward) runs() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.s.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = w.s.Service.Run(ctx) })
	running.Go(func() { _ = w.s.flow.Run(ctx) })
	w.s.t.Cleanup(func() { cancel(); running.Wait() })
}

// hangs answers nothing, until the test ends or the sender gives up.
func hangs(until <-chan struct{}) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-until:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func later(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
}

func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestSickEndpointsHoldNobodyUp: the events of healthy endpoints come while those that answer nothing are still being
// asked, however long that takes: whether they never answered anything, or have stopped from one moment to the next.
// Others break off, or ask to be left alone.
func TestSickEndpointsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"from the beginning": 0, "from one moment to the next": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(newSite(t, Config{Allow: loopback(), patience: time.Hour}))
			w.runs()
			over := make(chan struct{})
			dead, others := w.add("dead", 60, nil), append(w.add("breaks", 5, nil), w.add("later", 5, nil)...)
			healthy := w.add("healthy", 10, nil)
			w.agreed()
			if before > 0 {
				w.tell(w.partners, before)
				w.have(w.partners, before)
			}
			w.turns(dead, hangs(over))
			w.turns(others[:5], breaks)
			w.turns(others[5:], later)
			w.tell(w.partners, 6)
			w.have(healthy, before+6) // nothing that hangs has been let go
			w.turns(w.partners, nil)
			close(over)
		})
	}
}

// BenchmarkSickEndpoints delivers the same events to 70 healthy endpoints, turn about without and beside 30 that are
// sick, in one run: 10 are dead (5 refuse connections or break off, 5 answer nothing), 10 are slow (0.3 to 14 s), 10
// answer 429. ratio is the rate at which events come to the healthy ones beside them, to that without.
func BenchmarkSickEndpoints(b *testing.B) {
	const each = 60
	w := newWard(newSite(b, Config{Allow: loopback()}))
	w.runs()
	took := map[bool]time.Duration{}
	for range b.N {
		for _, sick := range []bool{false, true} {
			took[sick] += w.round(sick, each)
		}
	}
	events := float64(70 * each * b.N)
	b.ReportMetric(events/took[false].Seconds(), "events/s-without")
	b.ReportMetric(events/took[true].Seconds(), "events/s-beside")
	b.ReportMetric(took[false].Seconds()/took[true].Seconds(), "ratio")
}

// round makes 100 partners, of whom 70 have a healthy endpoint and the others none, or a sick one; each is told the
// same many events. It says how long it took until the healthy ones had theirs.
func (w *ward) round(sick bool, each int) time.Duration {
	w.s.t.Helper()
	w.partners = nil
	over := make(chan struct{})
	healthy := w.add("healthy", 70, nil)
	if sick {
		w.add("dead", 5, hangs(over))
		w.add("dead", 5, breaks)
		for _, ms := range []int{300, 600, 900, 1200, 1500, 2000, 3000, 5000, 8000, 14000} {
			w.add("slow", 1, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(time.Duration(ms) * time.Millisecond):
				case <-r.Context().Done():
				}
			})
		}
		w.add("later", 10, later)
	} else {
		for range 30 {
			w.partners = append(w.partners, clock.NewRandomID())
		}
	}
	w.agreed()
	began := time.Now()
	w.tell(w.partners, each)
	w.have(healthy, each)
	took := time.Since(began)
	close(over)
	for _, partner := range w.partners {
		var all struct{ Items []subscriptionShown }
		w.s.ask(partner, "GET", "/api/subscriptions", "", &all)
		for _, one := range all.Items {
			w.s.ask(partner, "DELETE", "/api/subscriptions/"+one.ID, "", nil)
		}
	}
	return took
}
