package flow_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/bus"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// TestAStreamThatLostItsLastSecondsIsMended: whether the lost messages are each of a journey of its own, or all of one,
// so that a later one is found under the subject of what was lost.
func TestAStreamThatLostItsLastSecondsIsMended(t *testing.T) {
	t.Parallel()
	for name, journeyOf := range map[string]func(when string, i int) string{
		"journeys of their own": func(when string, i int) string { return fmt.Sprint(when, i) },
		"one journey":           func(string, int) string { return "same" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loseTheTail(t, journeyOf)
		})
	}
}

// TestWhatAProcessSaidBeforeItFirstLookedIsMendedToo: a process that could not look at the stream since it began, and
// does for the first time after the broker lost its last seconds.
func TestWhatAProcessSaidBeforeItFirstLookedIsMendedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := newRolledBack(t, w)
	early, answerer := w.start("asker", nil, nil), w.startAnswerer()
	early.ask(t, "early", "hello")
	effectsAre(t, answerer, 1)
	var table, login string
	err := early.pool.QueryRow(t.Context(), `select quote_ident(current_schema()) || '.outbox_stream',
		quote_ident(current_user)`).Scan(&table, &login)
	if err != nil {
		t.Fatal(err)
	}
	early.stop()
	server.keepACopy()
	looks := func(rights string) { // without its table the service cannot look
		if _, err := w.adminConn().Exec(t.Context(), fmt.Sprintf(rights, table, login)); err != nil {
			t.Fatal(err)
		}
	}
	looks("revoke select on %s from %s")
	asker := w.start("asker", nil, nil)
	for i := range 20 {
		asker.ask(t, fmt.Sprint("late", i), "hello")
	}
	js := w.admin()
	testkit.Eventually(t, "the stream holds what was said", func() bool { return messages(t, js) >= 42 })
	answerer.stop() // what it has read proves nothing for the one that said it
	server.rollBack()
	looks("grant select on %s to %s")
	js = w.admin()
	testkit.Eventually(t, "the stream holds everything again", func() bool { return messages(t, js) >= 22 })
}

// rolledBack is a broker that can be put back to what it had stored earlier, as by a machine that lost power.
type rolledBack struct {
	w           *world
	dir, copied string
	port        int
}

func newRolledBack(t *testing.T, w *world) *rolledBack {
	t.Helper()
	w.server.Stop()
	r := &rolledBack{w: w, dir: t.TempDir(), copied: filepath.Join(t.TempDir(), "copy"), port: testkit.FreePort(t)}
	r.start(r.dir)
	t.Cleanup(func() { w.server.Stop() })
	return r
}

func (r *rolledBack) start(dir string) {
	r.w.t.Helper()
	server, err := bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: r.port})
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.w.server = server
}

// keepACopy keeps what is stored now.
func (r *rolledBack) keepACopy() {
	r.w.t.Helper()
	r.w.server.Stop()
	if err := os.CopyFS(r.copied, os.DirFS(r.dir)); err != nil {
		r.w.t.Fatal(err)
	}
	r.start(r.dir)
}

// rollBack has the broker know only what it had stored when the copy was made.
func (r *rolledBack) rollBack() {
	r.w.t.Helper()
	r.w.server.Stop()
	r.start(r.copied)
}

func loseTheTail(t *testing.T, journeyOf func(when string, i int) string) {
	t.Helper()
	w := newWorld(t)
	server := newRolledBack(t, w)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	for i := range 20 {
		asker.ask(t, journeyOf("early", i), "hello")
	}
	effectsAre(t, answerer, 20)
	server.keepACopy()
	for i := range 20 {
		asker.ask(t, journeyOf("late", i), "hello")
	}
	effectsAre(t, answerer, 40)
	server.rollBack()
	for i := range 20 { // these take the sequences of those that were lost
		asker.ask(t, journeyOf("last", i), "hello")
	}
	effectsAre(t, answerer, 60)
	js := w.admin()
	testkit.Eventually(t, "the stream holds everything again", func() bool { return messages(t, js) >= 120 })
}

// cutter is a proxy to PostgreSQL that, when armed, swallows the answer to the next commit and cuts the connection.
type cutter struct {
	listener net.Listener
	network  string
	address  string
	armed    atomic.Bool
	cuts     atomic.Int32
}

func newCutter(t *testing.T, backend *pgconn.Config) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener}
	c.network, c.address = pgconn.NetworkAddress(backend.Host, backend.Port)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(client)
		}
	}()
	return c
}

func (c *cutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial(c.network, c.address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) && c.armed.CompareAndSwap(true, false) {
			c.cuts.Add(1)
			return
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func TestACommitWhoseAnswerIsLostIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.startAnswerer()
	direct, err := url.Parse(w.db.URL("asker"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := pgconn.ParseConfig(direct.String())
	if err != nil {
		t.Fatal(err)
	}
	proxy := newCutter(t, parsed)
	through := *direct
	through.Host, through.RawQuery = proxy.listener.Addr().String(), "sslmode=disable"
	pool, err := pg.Open(t.Context(), through.String(), pg.OpenConfig{Service: "asker"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.tune = func(cfg *flow.Config) { cfg.Pool = pool }
	asker := w.start("asker", nil, nil)
	for i := range 20 {
		proxy.armed.Store(i%4 == 0)
		asker.ask(t, fmt.Sprintf("j%d", i), "hello") // an error here would mean that the outcome was not learned
	}
	if proxy.cuts.Load() == 0 {
		t.Fatal("no commit was cut")
	}
	effectsAre(t, answerer, 20)
}

func TestACommitWithoutEventsWhoseAnswerIsLostIsToBeDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parsed, err := pgconn.ParseConfig(w.db.URL("answerer"))
	if err != nil {
		t.Fatal(err)
	}
	direct, err := url.Parse(w.db.URL("answerer"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := newCutter(t, parsed)
	direct.Host, direct.RawQuery = proxy.listener.Addr().String(), "sslmode=disable"
	pool, err := pg.Open(t.Context(), direct.String(), pg.OpenConfig{Service: "answerer"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.tune = func(cfg *flow.Config) { cfg.Pool = pool }
	p := w.start("answerer", nil, nil)
	write := func() error {
		return p.Do(t.Context(), func(tx *flow.Tx) error {
			tx.Queue(`insert into answer (journey) values ('j')`)
			return nil
		})
	}
	testkit.Eventually(t, "a commit was cut whose outcome nothing tells", func() bool {
		proxy.armed.Store(true) // a beat may be cut instead
		return errors.Is(write(), flow.ErrOutcomeUnknown)
	})
	proxy.armed.Store(false)
	if err := write(); err != nil {
		t.Fatalf("doing it again: %v", err)
	}
}
