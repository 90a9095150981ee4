package journeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/telemetry"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/traces"
	"footbridge/tests/system"
)

// Every process is killed, and so is every process of the database that serves one of them, which has to recover from
// a crash; what was traced before is found after, and a journey's waterfall is whole: from the message that came in to
// what was offered, over the services. A collector that is named gets every one of these spans too.
func TestTracesOutliveTheKillingOfEverything(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	collected := a.collect()
	before := a.startEach()
	a.discharge(birds(t)[0], "T1")
	a.offered(1)
	journey := a.theJourney()
	var kept []telemetry.Span
	system.Eventually(t, func() error {
		var err error
		kept, err = a.traced(journey)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(kept, func(s telemetry.Span) bool { return s.Name == hl7Work }) {
			return fmt.Errorf("%q is not handed over yet", hl7Work)
		}
		return throughTheServices(kept)
	})
	system.Eventually(t, func() error { return collected(kept) })
	a.crash()
	for _, process := range before {
		process.Kill()
	}
	a.startEach()
	system.Eventually(t, func() error {
		again, err := a.traced(journey)
		if err != nil {
			return err
		}
		for _, span := range kept {
			if !slices.ContainsFunc(again, func(s telemetry.Span) bool {
				return s.TraceID == span.TraceID && s.SpanID == span.SpanID
			}) {
				return fmt.Errorf("%s of %s is gone", span.Name, span.Service)
			}
		}
		return throughTheServices(again)
	})
	if !slices.ContainsFunc(a.searched("--service", schemas.Intake, "--work", hl7Work), func(f traces.Found) bool {
		return slices.Contains(f.Journeys, journey)
	}) {
		t.Error("a search does not find the journey's message")
	}
	system.Eventually(t, func() error { // the sentinel of its own process hands over too
		if len(a.searched("--service", schemas.SentinelKey, "--work", "look for the void")) == 0 {
			return errors.New("nothing that the sentinel did is kept")
		}
		return nil
	})
}

// collect names a collector of the test to every process. What it returns says which of some spans that has not got.
func (a *apart) collect() (missing func([]telemetry.Span) error) {
	var mu sync.Mutex
	got := map[string]bool{}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := telemetry.ReadExport(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, span := range telemetry.SpansOf(sent, schemas.AttrJourney, "", nil) {
			got[span.TraceID+span.SpanID] = true
		}
	}))
	a.t.Cleanup(collector.Close)
	a.addrs["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.URL
	a.addrs["OTEL_METRICS_EXPORTER"], a.addrs["OTEL_LOGS_EXPORTER"] = "none", "none"
	return func(spans []telemetry.Span) error {
		mu.Lock()
		defer mu.Unlock()
		for _, span := range spans {
			if !got[span.TraceID+span.SpanID] {
				return fmt.Errorf("the collector has not got %q of %s", span.Name, span.Service)
			}
		}
		return nil
	}
}

// searched is what the command finds.
func (a *apart) searched(by ...string) []traces.Found {
	a.t.Helper()
	var found traces.Answer
	out := a.command(a.addrs, append([]string{"trace", "--json"}, by...)...)
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		a.t.Fatalf("a search answers with %v: %s", err, out)
	}
	return found.Items
}

// hl7Work is the kind of work with which a message begins.
const hl7Work = "take an HL7 message"

// throughTheServices says which service did nothing for a journey, and what was done without a name that says it.
func throughTheServices(spans []telemetry.Span) error {
	for _, service := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Journey} {
		if !slices.ContainsFunc(spans, func(s telemetry.Span) bool { return s.Service == service }) {
			return fmt.Errorf("of %d pieces of work none is of %s", len(spans), service)
		}
	}
	for _, span := range spans {
		if span.Name == schemas.OtherWork {
			return fmt.Errorf("a span of %s has no name that says the work", span.Service)
		}
	}
	return nil
}

// traced is what the command prints of a journey's trace.
func (a *apart) traced(journey string) (spans []telemetry.Span, err error) {
	out, code := system.Run(a.t, a.dir, with(a.addrs, "FOOTBRIDGE_STATE_DIR", a.dir), "trace", journey, "--json")
	if code != 0 {
		return nil, fmt.Errorf("trace ended with %d: %s", code, out)
	}
	return spans, json.Unmarshal([]byte(out), &spans)
}

// theJourney is the one journey that there is.
func (a *apart) theJourney() (id string) {
	a.t.Helper()
	admin, err := pgxpool.New(a.t.Context(), a.database.URL())
	if err != nil {
		a.t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.QueryRow(a.t.Context(), `select j.id::text from journey.journey j
		join followup.offer o on o.journey = j.id limit 1`).Scan(&id); err != nil {
		a.t.Fatal(err)
	}
	return id
}

// crash kills the database's processes that serve ours with SIGKILL: the server ends all the others, and recovers.
func (a *apart) crash() {
	a.t.Helper()
	admin, err := pgxpool.New(a.t.Context(), a.database.URL())
	if err != nil {
		a.t.Fatal(err)
	}
	defer admin.Close()
	rows, err := admin.Query(a.t.Context(), `select pid from pg_stat_activity where usename like 'footbridge_%'`)
	if err != nil {
		a.t.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(pids) == 0 {
		a.t.Fatalf("the database serves %v: %v", pids, err)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one may be enough for the others to have ended
	}
}

// The database of traces is away from the beginning, on a port where nobody listens: everything else is ready and
// works, a note says what is not kept, and the page says so.
func TestLosingTracesLosesNothingElse(t *testing.T) {
	t.Parallel()
	s := system.Start(t, func(db *testkit.DB) {
		db.URLs[schemas.Traces] = "postgres://footbridge_traces@127.0.0.1:1/nowhere"
	})
	system.Eventually(t, func() error {
		out, code := system.Run(t, s.StateDir, s.Settings(), "status", "--json")
		if code != 0 || !strings.Contains(out, "traces are not kept") {
			return fmt.Errorf("status ended with %d and says %s", code, out)
		}
		return nil
	})
	response, err := http.Get("http://" + s.Ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("readiness is answered with %d", response.StatusCode)
	}
	for path, want := range map[string]int{"/api/traces": http.StatusServiceUnavailable,
		"/api/journeys": http.StatusOK} {
		if got := s.Ask(schemas.Operator, http.MethodGet, path, "", nil).Status; got != want {
			t.Errorf("%s is answered with %d, not %d", path, got, want)
		}
	}
}
