package bridging

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
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
	"footbridge/schemas"
)

// desk is bridging with its paths on a real database, its clock in the test's hand. Nothing runs by itself: what falls
// due is done by due, so that a test says when.
type desk struct {
	*Service
	t    *testing.T
	db   *testkit.DB
	pool *pgxpool.Pool
	flow *flow.Flow
	c    *clock.Shifted
	srv  *httptest.Server
	mu   sync.Mutex
	who  principal.Principal
	// sequence is the last that hears gave out.
	sequence int64
}

func newDesk(t *testing.T, cfg Config) *desk {
	t.Helper()
	_, db, pool := started(t)
	d := &desk{t: t, db: db, pool: pool, c: &clock.Shifted{}}
	d.at(now)
	cfg.Clock, cfg.Host = d.c, "RXX"
	var err error
	if d.Service, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: Name})
	d.flow, err = flow.New(t.Context(), flow.Config{Service: Name, Pool: pool, Bus: conn, Clock: d.c, Due: d.Due(),
		Stream: bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}})
	if err != nil {
		t.Fatal(err)
	}
	d.serve()
	return d
}

func (d *desk) serve() {
	d.t.Helper()
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(r *http.Request) (principal.Principal, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		who := d.who
		if subject := r.Header.Get(asHeader); subject != "" {
			who.Subject = subject
		}
		return who, nil
	}))
	if err := d.Routes(mux, d.flow, d.pool); err != nil {
		d.t.Fatal(err)
	}
	d.srv = httptest.NewServer(mux)
	d.t.Cleanup(d.srv.Close)
}

// asHeader names another subject for one request.
const asHeader = "Test-As"

// at sets the clock.
func (d *desk) at(at time.Time) {
	d.t.Helper()
	d.c.Set(time.Until(at))
	if err := pg.EnsureDayPartitions(d.t.Context(), d.pool, "outbox", pg.ByUUIDv7, at.AddDate(0, 0, -1),
		at.AddDate(0, 0, 2)); err != nil {
		d.t.Fatal(err)
	}
}

// as sets who is asking.
func (d *desk) as(role schemas.Role, organisation, subject string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.who = principal.Principal{Organisation: organisation, Role: string(role), Subject: subject}
}

// due does what a loop finds, until it finds nothing more.
func (d *desk) due(name string) {
	d.t.Helper()
	for _, loop := range d.Due() {
		for taken := 1; loop.Name == name && taken > 0; {
			err := d.flow.Do(d.t.Context(), func(tx *flow.Tx) (err error) {
				taken, err = loop.Run(d.t.Context(), tx, loop.Limit)
				return err
			})
			if err != nil {
				d.t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// apply applies events of a journey, as they would arrive.
func (d *desk) apply(events ...flow.Event) {
	d.t.Helper()
	for i := range events {
		events[i].ID = clock.NewID(d.c.Now())
	}
	err := d.flow.Do(d.t.Context(), func(tx *flow.Tx) error {
		decide := d.Handle(tx, events)
		if err := tx.Flush(); err != nil {
			return err
		}
		return decide(events)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// emitted are the types of what was given out about a journey, in order.
func (d *desk) emitted(journey string) (types []schemas.Type, last map[schemas.Type]json.RawMessage) {
	d.t.Helper()
	rows, err := d.pool.Query(context.Background(), `select payload::text from outbox where subject like '%.' || $1
		order by n`, journey)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	last = map[schemas.Type]json.RawMessage{}
	for rows.Next() {
		var payload string
		if err := rows.Scan(&payload); err != nil {
			d.t.Fatal(err)
		}
		var e struct {
			Type schemas.Type
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			d.t.Fatal(err)
		}
		entry, _ := schemas.Lookup(e.Type)
		data := reflect.New(entry.Data)
		if err := json.Unmarshal(e.Data, data.Interface()); err != nil {
			d.t.Fatal(err)
		}
		if faults := schemas.Validate(data.Elem().Interface()); len(faults) > 0 {
			d.t.Errorf("%s: %v", e.Type, faults)
		}
		types, last[e.Type] = append(types, e.Type), e.Data
	}
	return types, last
}

// do sends a request and reads the answer into a T, where it is JSON.
func do[T any](d *desk, method, path, body string, header ...string) (answer T, status int, text string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.srv.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := d.srv.Client().Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = json.Unmarshal(content, &answer)
	return answer, res.StatusCode, string(content)
}
