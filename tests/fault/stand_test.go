// Package fault does to a whole running system what the world does to systems: it kills, pauses, deletes and rolls
// back, while discharges flow, and then counts from the senders' own logs what was lost and what was done twice.
//
// The system is the real program with failpoints built in: two processes of every service, the sentinel, the broker,
// and a PostgreSQL behind a proxy that can swallow the answer to a commit. The test is their supervisor and starts
// again what dies. Promise: what is counted comes from acknowledgements that senders really got.
//
// These tests do not run in parallel: each of them starts some twenty processes.
package fault

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// organisation is the hospital of all senders; events its stream.
const organisation = "RXX"

var events = bus.Stream{Name: "FOOTBRIDGE_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: 720 * time.Hour,
	MaxBytes: -1, Replicas: 1}

// services run in two processes each; those of stateful have a schema and a durable consumer.
var (
	stateful = []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery}
	services = append(slices.Clone(stateful), schemas.Console, schemas.Gateway)
)

// buildOnce builds the program with its failpoints; the folder is left to the system's own tidying.
var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "footbridge-fault-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "footbridge")
	build := exec.Command("go", "build", "-tags", "failpoints", "-o", binary, "footbridge/services/footbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := buildOnce(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// stand is the running system.
type stand struct {
	t      *testing.T
	dir    string
	logs   string
	binary string
	db     *testkit.Killable
	proxy  *cutter
	nats   string
	procs  map[string]*proc
	offset atomic.Int64 // how far the system's clock is ahead
	began  time.Time
	places map[string][]place
	hears  []string // the services that have a durable consumer
	store  string   // the folder of the broker's files
	disk   string   // where the broker's disk is mounted; empty: it has none of its own
	long   bool     // a run of many faults: some last for over a minute
	more   []string // what every process is told beside ("NAME=value")

	// database is held by whoever does something to PostgreSQL: one fault at a time.
	database sync.Mutex
}

// newStand starts everything and returns when every process is ready.
func newStand(t *testing.T) *stand {
	t.Helper()
	names := []string{"sentinel"}
	for _, name := range services {
		names = append(names, name+"/1", name+"/2")
	}
	s := standOf(t, names...)
	s.findHearers()
	return s
}

// standOf starts PostgreSQL, the broker and these processes, each a service's name and its number.
func standOf(t *testing.T, names ...string) *stand {
	t.Helper()
	return standWith(t, func(*stand) {}, names...)
}

// standWith is standOf, with something that is done once there are keys and before anything is started.
func standWith(t *testing.T, prepare func(s *stand), names ...string) *stand {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, dir: t.TempDir(), binary: binary, db: testkit.KillableCluster(t), procs: map[string]*proc{},
		places: map[string][]place{}, began: time.Now()}
	s.logs = filepath.Join(s.dir, "logs")
	if kept := os.Getenv("FOOTBRIDGE_FAULT_LOGS"); kept != "" {
		s.logs = filepath.Join(kept, t.Name())
	}
	if err := os.MkdirAll(s.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenOrCreateFile(filepath.Join(s.dir, "kek")); err != nil {
		t.Fatal(err)
	}
	s.makeKeys()
	if _, err := vault.OpenOrCreateFile(filepath.Join(s.dir, "keys", "delivery.kek")); err != nil {
		t.Fatal(err)
	}
	prepare(s)
	s.mountDisk()
	s.proxy = newCutter(t, hostOf(t, s.db.Server.TCPURL()))
	s.nats = testkit.FreeAddr(s.t)
	s.add("broker", "broker")
	for _, name := range names {
		service, _, numbered := strings.Cut(name, "/")
		if numbered {
			s.add(name, "serve", "--only", service)
		} else {
			s.add(name, service)
		}
	}
	s.start()
	s.ready(2 * time.Minute)
	return s
}

// findHearers asks the broker which services hear anything.
func (s *stand) findHearers() {
	s.t.Helper()
	conn, err := s.owner(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range stateful {
		if _, err := conn.JS.Consumer(s.t.Context(), events.Name, service); err == nil {
			s.hears = append(s.hears, service)
		}
	}
	if len(s.hears) < 4 {
		s.t.Fatalf("only %v hear anything", s.hears)
	}
}

// add makes a process; start starts it.
func (s *stand) add(name string, args ...string) {
	service, _, _ := strings.Cut(name, "/")
	p := &proc{stand: s, name: name, service: service, args: args, ops: testkit.FreeAddr(s.t),
		addr:    testkit.FreeAddr(s.t),
		changed: make(chan struct{}, 1), ended: make(chan struct{})}
	if service == schemas.Intake {
		p.mllp = testkit.FreeAddr(s.t)
	}
	s.procs[name] = p
}

func (s *stand) start() {
	for _, p := range s.procs {
		go p.supervise()
		s.t.Cleanup(p.end)
	}
}

// environment is what every process is told, and what this one is told alone.
func (s *stand) environment(p *proc) []string {
	through, err := url.Parse(s.db.Server.TCPURL())
	if err != nil {
		panic(err) // the launcher wrote it
	}
	through.Host = s.proxy.addr()
	env := []string{
		"FOOTBRIDGE_STATE_DIR=" + s.dir, "FOOTBRIDGE_TOKENS_FILE=" + filepath.Join(s.dir, "tokens.yaml"),
		"FOOTBRIDGE_DATABASE_URL=" + through.String(), "FOOTBRIDGE_NATS_URL=nats://" + s.nats,
		"FOOTBRIDGE_NATS_ADDR=" + s.nats, "FOOTBRIDGE_OPS_ADDR=" + p.ops, "FOOTBRIDGE_HTTP_ADDR=" + p.addr,
		"FOOTBRIDGE_DATABASE_CONNECTIONS=6",
		"FOOTBRIDGE_NAVIGATOR=navigator:duty", "FOOTBRIDGE_DEPUTY=navigator:deputy",
		"FOOTBRIDGE_OUT_OF_HOURS=team:out-of-hours",
		"FOOTBRIDGE_SENTINEL_EVERY=5s", "FOOTBRIDGE_CLOCK_OFFSET=" + time.Duration(s.offset.Load()).String(),
		"FOOTBRIDGE_MLLP_ADDR=" + p.mllp,
		"FOOTBRIDGE_FAILPOINTS=" + p.points, "FOOTBRIDGE_CLOCK_FILE=" + p.clockFile(), "OTEL_SDK_DISABLED=true",
		"GOMAXPROCS=2",
	}
	for _, name := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Delivery, schemas.Console, schemas.Traces} {
		addr := p.addr
		if p.service != name {
			_, number, _ := strings.Cut(p.name, "/")
			addr = s.addrOf(name, number)
		}
		env = append(env, "FOOTBRIDGE_"+strings.ToUpper(name)+"_ADDR="+addr)
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	return append(env, s.more...)
}

func (s *stand) addrOf(service, number string) string {
	if p := s.procs[service+"/"+number]; p != nil {
		return p.addr
	}
	return "127.0.0.1:9"
}

// now is the system's time.
func (s *stand) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

// logf tells what is done to the system, with the time since it began.
func (s *stand) logf(format string, args ...any) {
	s.t.Helper()
	s.t.Logf("%7.1fs  "+format, append([]any{time.Since(s.began).Seconds()}, args...)...)
}

// makeKeys makes the keys of the installation, and the token of the sending systems.
func (s *stand) makeKeys() {
	s.t.Helper()
	var all []keyring.Holder
	for _, name := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Delivery, schemas.Gateway,
		schemas.Console, schemas.Traces, schemas.SentinelKey, schemas.StreamsKey, schemas.OperatorsKey} {
		all = append(all, keyring.Holder{Name: name, NATS: true, Database: true})
	}
	if _, err := keyring.At(filepath.Join(s.dir, "keys")).Make(nil, all...); err != nil {
		s.t.Fatal(err)
	}
	line := fmt.Sprintf("tokens:\n  - {sha256: %s, organisation: RXX, role: %s, subject: command, source: %s}\n",
		principal.HashToken(hospitalToken), schemas.System, reporterSource)
	if err := os.WriteFile(filepath.Join(s.dir, "tokens.yaml"), []byte(line), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// hospitalToken is what the sending systems of the suite say who they are by.
const hospitalToken = "a-hospital-of-the-faults-speaks"

// owner connects to the broker with the login that owns the streams.
func (s *stand) owner(ctx context.Context) (*bus.Conn, error) {
	return s.bus(ctx, "owner", "")
}

// bus connects to the broker with somebody's key; inbox is where that login may be answered, if not everywhere.
func (s *stand) bus(ctx context.Context, holder, inbox string) (*bus.Conn, error) {
	own, err := keyring.At(filepath.Join(s.dir, "keys")).Private(holder)
	if err != nil {
		return nil, err
	}
	return bus.Connect(ctx, bus.Config{URL: "nats://" + s.nats, Seed: own.NATS, Name: "fault suite", Inbox: inbox})
}

// admin opens a pool as the database's administrator, past the proxy.
func (s *stand) admin() *pgxpool.Pool {
	s.t.Helper()
	pool, err := pg.Open(context.Background(), s.db.Server.TCPURL(), pg.OpenConfig{MaxConns: 3, Wait: 30 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

// ready waits until every process says that it is.
func (s *stand) ready(within time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	for name, p := range s.procs {
		if name == "broker" || p.ops == "" {
			continue // whoever is ready has found it; a partner's receiver says nothing of itself
		}
		if err := until(ctx, 100*time.Millisecond, p.isReady); err != nil {
			s.t.Fatalf("%s is not ready after %v; the end of its log:\n%s", name, within, p.tail())
		}
	}
}

// until asks again and again whether something holds.
func until(ctx context.Context, every time.Duration, holds func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func hostOf(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

var opsClient = &http.Client{Timeout: 2 * time.Second}
