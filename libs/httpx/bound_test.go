package httpx_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/peers"
)

// patience bounds every wait of these tests, on a busy machine too; none takes anywhere near as long.
const patience = 2 * time.Minute

// bounded serves h under limits and returns its address, the accounts, and how often each reason was counted.
func bounded(t *testing.T, limits peers.Limits, h httpx.Handler, tune func(*http.Server)) (string, *peers.Limiter,
	func(peers.Reason) int) {
	t.Helper()
	var mu sync.Mutex
	counted := map[peers.Reason]int{}
	limits.Refused = func(why peers.Reason) { mu.Lock(); defer mu.Unlock(); counted[why]++ }
	l := peers.New(limits)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := httpx.NewMux(httpx.Options{})
	mux.Handle("POST /", h)
	mux.Handle("GET /", h)
	srv := httpx.NewServer(mux)
	if tune != nil {
		tune(srv)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- httpx.Serve(ctx, srv, httpx.Bound(srv, ln, l), 0) }()
	t.Cleanup(func() { cancel(); <-ended })
	return ln.Addr().String(), l, func(why peers.Reason) int { mu.Lock(); defer mu.Unlock(); return counted[why] }
}

// caller is a raw connection from one of this machine's own addresses: 1 is 127.0.0.1.
type caller struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func callFrom(t *testing.T, address string, host int) *caller {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(host))}}
	nc, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &caller{t, nc, bufio.NewReader(nc)}
}

func (c *caller) send(text string) *caller {
	_, _ = io.WriteString(c.nc, text)
	return c
}

func (c *caller) get() *caller { return c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }

func (c *caller) post(size int) *caller {
	return c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
}

func (c *caller) status(want int) *caller {
	c.t.Helper()
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != want {
		c.t.Fatalf("%s, want %d", answer.Status, want)
	}
	return c
}

func until(t *testing.T, l *peers.Limiter, reached func(peers.InUse) bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !reached(l.InUse()); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %+v", l.InUse())
		}
	}
}

func answerBody(w http.ResponseWriter, r *http.Request) error {
	body, err := httpx.ReadBody(w, r, 1<<20)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, len(body))
	return err
}

func TestOneCallerCannotHoldAllConnections(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	started := make(chan struct{}, 16)
	address, l, counted := bounded(t, peers.Limits{Connections: 8, PeerConnections: 3},
		func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodPost {
				started <- struct{}{}
				<-release
			}
			_, err := fmt.Fprintln(w, "ok")
			return err
		}, nil)
	for range 3 {
		callFrom(t, address, 2).post(0)
		<-started
	}
	callFrom(t, address, 2).get().status(http.StatusServiceUnavailable) // said, not dropped
	if n := counted(peers.TooManyOfPeer); n != 1 {
		t.Errorf("%d refused by the peer's limit, want 1", n)
	}
	quiet := callFrom(t, address, 3).get().status(http.StatusOK)
	for range 4 {
		callFrom(t, address, 4).get().status(http.StatusOK)
		until(t, l, func(now peers.InUse) bool { return now.Idle == now.Admitted-3 })
	}
	if n := counted(peers.IdleMadeWay); n != 1 {
		t.Errorf("%d idle connections made way, want the caller's own one", n)
	}
	quiet.get().status(http.StatusOK)
	close(release)
}

func TestConnectionsThatSayNothingOrDripAHeaderHoldNoPlace(t *testing.T) {
	t.Parallel()
	address, l, _ := bounded(t, peers.Limits{Connections: 16, Beginning: 8},
		func(w http.ResponseWriter, _ *http.Request) error {
			_, err := fmt.Fprintln(w, "ok")
			return err
		}, func(srv *http.Server) { srv.ReadHeaderTimeout = 5 * time.Second })
	for i := range 200 {
		c := callFrom(t, address, 2)
		if i%2 == 0 {
			c.send("GET / HTTP/1.1\r\nHost")
		}
	}
	if now := l.InUse(); now.Admitted != 0 || now.Beginning > 8 {
		t.Errorf("%+v", now)
	}
	callFrom(t, address, 3).get().status(http.StatusOK)
	callFrom(t, address, 2).get().status(http.StatusOK)
	until(t, l, func(now peers.InUse) bool { return now.Beginning == 0 }) // their time is short
}

func TestBodiesNeverHoldMoreThanTheirBudget(t *testing.T) {
	t.Parallel()
	const budget = 2 << 20
	address, l, counted := bounded(t, peers.Limits{Bytes: budget, PeerBytes: budget / 2, SlowAfter: time.Hour},
		answerBody, nil)
	half := strings.Repeat("x", 900<<10)
	var callers sync.WaitGroup
	for i := range 40 {
		c := callFrom(t, address, 2+i%2)
		callers.Go(func() { c.post(1 << 20).send(half) })
	}
	most := int64(0)
	until(t, l, func(now peers.InUse) bool {
		most = max(most, now.Bytes)
		return counted(peers.NoRoom) > 0
	})
	callFrom(t, address, 9).post(3).send("abc").status(http.StatusOK) // short ones need no room
	callFrom(t, address, 2).post(600 << 10).send(half[:600<<10]).status(http.StatusServiceUnavailable)
	if most > budget {
		t.Errorf("%d bytes were given out, the budget is %d", most, budget)
	}
}

func TestASlowBodyMakesWayForAnotherOne(t *testing.T) {
	t.Parallel()
	address, l, counted := bounded(t, peers.Limits{Bytes: 192 << 10, PeerBytes: 192 << 10, SlowAfter: time.Millisecond,
		SlowRate: 1 << 40}, answerBody, nil)
	slow := callFrom(t, address, 2).post(1 << 20).send(strings.Repeat("x", 100<<10))
	until(t, l, func(now peers.InUse) bool { return now.Bytes >= 128<<10 })
	callFrom(t, address, 3).post(120 << 10).send(strings.Repeat("x", 120<<10)).status(http.StatusOK)
	if _, err := io.Copy(io.Discard, slow.in); counted(peers.TooSlow) != 1 {
		t.Errorf("the slow one was not ended: %v", err)
	}
	until(t, l, func(now peers.InUse) bool { return now.Bytes == 0 })
}

func TestWhoDoesNotReadTheAnswerIsEnded(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	address, l, _ := bounded(t, peers.Limits{}, func(w http.ResponseWriter, _ *http.Request) error {
		var err error
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(chunk)
		}
		left <- err
		return nil
	}, func(srv *http.Server) { srv.WriteTimeout = 200 * time.Millisecond })
	callFrom(t, address, 2).get()
	if err := <-left; err == nil {
		t.Error("writing went on")
	}
	until(t, l, func(now peers.InUse) bool { return now.Admitted == 0 })
}
