package peers_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"footbridge/libs/hl7"
	"footbridge/libs/peers"
)

// patience bounds every wait of these tests, on a busy machine too; none takes anywhere near as long.
const patience = 2 * time.Minute

// counts are refusals by reason.
type counts struct {
	mu  sync.Mutex
	all map[peers.Reason]int
}

func (c *counts) add(why peers.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[peers.Reason]int{}
	}
	c.all[why]++
}

func (c *counts) of(why peers.Reason) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[why]
}

// stand is an MLLP server under limits.
type stand struct {
	t       *testing.T
	address string
	limiter *peers.Limiter
	refused *counts
}

func serve(t *testing.T, limits peers.Limits, s *hl7.Server) *stand {
	t.Helper()
	st := &stand{t: t, refused: &counts{}}
	limits.Refused = st.refused.add
	st.limiter = peers.New(limits)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.Handler == nil {
		s.Handler = accept
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(st.limiter.Listener(ln)) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; !errors.Is(err, hl7.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	st.address = ln.Addr().String()
	return st
}

func accept(_ context.Context, frame []byte) ([][]byte, error) {
	m, err := hl7.Parse(frame)
	if err != nil {
		return nil, err
	}
	return m.Acks(hl7.Ack{ControlID: "a", ApplicationID: "b"}), nil
}

type line struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

// from connects from one of this machine's own addresses: 1 is 127.0.0.1.
func (st *stand) from(host int) *line {
	st.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(host))}, Timeout: patience}
	nc, err := dialer.Dial("tcp", st.address)
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &line{t: st.t, nc: nc, in: bufio.NewReader(nc)}
}

func message(id string, size int) string {
	head := "MSH|^~\\&|A|B|C|D|||ADT^A03|" + id + "|P|2.4\r"
	return head + strings.Repeat("N", max(0, size-len(head)))
}

func (l *line) send(text string) *line {
	_, _ = io.WriteString(l.nc, text) // whoever is closed meanwhile is seen by its answer
	return l
}

func (l *line) ask(id string, size int) *line {
	return l.send("\x0b" + message(id, size) + "\x1c\r")
}

func (l *line) answered() *line {
	l.t.Helper()
	if frame, err := l.in.ReadBytes(0x1c); err != nil || !strings.Contains(string(frame), "|A") {
		l.t.Fatalf("no answer: %v after %q", err, frame)
	}
	_, _ = l.in.ReadByte()
	return l
}

// ended waits until the other side has closed.
func (l *line) ended() {
	l.t.Helper()
	if _, err := io.Copy(io.Discard, l.in); errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Fatal("the connection is still open")
	}
}

// until waits for a state of the accounts.
func (st *stand) until(what string, reached func(peers.InUse) bool) {
	st.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !reached(st.limiter.InUse()); <-tick.C {
		if time.Now().After(deadline) {
			st.t.Fatalf("%s: not reached, %+v", what, st.limiter.InUse())
		}
	}
}

func TestAThousandIdleConnectionsOfOneHostShutNobodyOut(t *testing.T) {
	t.Parallel()
	st := serve(t, peers.Limits{Connections: 64}, &hl7.Server{})
	quiet := st.from(2).ask("1", 0).answered()
	for range 1024 {
		nc, err := net.Dial("tcp", st.address)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	st.until("all dealt with", func(now peers.InUse) bool {
		return st.refused.of(peers.IdleMadeWay)+st.refused.of(peers.TooManyBeginning) == 1024-16
	})
	if now := st.limiter.InUse(); now.Admitted != 16+1 {
		t.Errorf("one host holds %d places, want a quarter of 64", now.Admitted-1)
	}
	st.from(1).ask("2", 0).answered() // the same host, at its limit: its own oldest idle connection makes way
	st.from(3).ask("3", 0).answered()
	quiet.ask("4", 0).answered() // another's idle connection is as it was
}

func TestTheOldestIdleConnectionMakesWayAndABusyOneNever(t *testing.T) {
	t.Parallel()
	release, started := make(chan struct{}), make(chan struct{}, 8)
	st := serve(t, peers.Limits{Connections: 3, PeerConnections: 3, Beginning: 8},
		&hl7.Server{Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
			if strings.Contains(string(frame), "|wait") {
				started <- struct{}{}
				<-release
			}
			return accept(ctx, frame)
		}})
	busy := st.from(2).ask("wait", 0)
	<-started
	oldest := st.from(3).ask("1", 0).answered()
	younger := st.from(4).ask("2", 0).answered()
	st.until("two idle", func(now peers.InUse) bool { return now.Idle == 2 })
	st.from(5).ask("3", 0).answered()
	oldest.ended()
	younger.ask("wait", 0)
	<-started
	st.from(5).ask("wait", 0) // its own idle one makes way
	<-started
	refused := st.from(6)
	refused.ended()
	if n := st.refused.of(peers.TooMany); n != 1 {
		t.Errorf("%d refused for want of places, want 1", n)
	}
	close(release)
	busy.answered()
	younger.answered()
}

func TestHalfFramesNeverTakeMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	const budget = 8 << 20
	st := serve(t, peers.Limits{Connections: 600, PeerConnections: 600, Beginning: 600, Bytes: budget,
		PeerBytes: budget, SlowAfter: time.Millisecond, SlowRate: 1 << 40},
		&hl7.Server{})
	most := int64(0)
	var watch sync.WaitGroup
	stop := make(chan struct{})
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				most = max(most, st.limiter.InUse().Bytes)
			}
		}
	})
	half := "\x0b" + message("half", 1_000_000)
	var senders sync.WaitGroup
	for i := range 500 {
		l := st.from(2 + i%4)
		senders.Go(func() { l.send(half) })
	}
	st.from(9).ask("small", 0).answered() // an ordinary message needs no room
	st.from(9).ask("long", 900_000).answered()
	close(stop)
	watch.Wait()
	if most > budget {
		t.Errorf("%d bytes were given out, the budget is %d", most, budget)
	}
	if st.refused.of(peers.TooSlow) == 0 {
		t.Error("no slow sender was ended")
	}
	t.Logf("most %d, ended %v", most, st.refused.all)
}

func TestOnePeerHasItsOwnShareOfMemoryOnly(t *testing.T) {
	t.Parallel()
	st := serve(t, peers.Limits{Connections: 100, PeerConnections: 100, Bytes: 16 << 20, PeerBytes: 4 << 20,
		SlowAfter: time.Hour}, &hl7.Server{})
	half := "\x0b" + message("half", 1_000_000)
	for range 20 {
		l := st.from(2)
		go l.send(half)
	}
	st.until("one peer waits", func(now peers.InUse) bool { return now.Waiting == 17 })
	if now := st.limiter.InUse(); now.Bytes > 4<<20 {
		t.Errorf("%d bytes of one peer", now.Bytes)
	}
	st.from(3).ask("long", 900_000).answered()
}

func TestAnAddressThatManyStandBehindHasTheLimitsOfAll(t *testing.T) {
	t.Parallel()
	st := serve(t, peers.Limits{Connections: 8, PeerConnections: 2,
		Shared: []netip.Prefix{netip.MustParsePrefix("127.0.0.7/32")}}, &hl7.Server{})
	var behind []*line
	for i := range 8 {
		behind = append(behind, st.from(7).ask(fmt.Sprint(i), 0).answered())
	}
	for _, l := range behind {
		l.ask("again", 0).answered()
	}
	st.until("all idle", func(now peers.InUse) bool { return now.Idle == 8 })
	st.from(7).ask("one more", 0).answered()
	behind[0].ended()
}

func TestASenderThatDripsIsEnded(t *testing.T) {
	t.Parallel()
	st := serve(t, peers.Limits{}, &hl7.Server{FrameTimeout: 300 * time.Millisecond})
	slow := st.from(2).send("\x0bMSH")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := slow.nc.Write([]byte("|")); err != nil {
				return
			}
		}
	}()
	slow.ended()
	<-gone
	if n := st.refused.of(peers.TooSlow); n != 1 {
		t.Errorf("%d ended for being slow, want 1", n)
	}
}

func TestWhatIsAcknowledgedUnderPressureWasHandled(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	handled := map[string]int{}
	st := serve(t, peers.Limits{Connections: 4, PeerConnections: 4, Beginning: 4, Bytes: 2 << 20, PeerBytes: 2 << 20},
		&hl7.Server{MaxFrame: 256 << 10, Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
			m, err := hl7.Parse(frame)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			handled[m.ControlID()]++
			mu.Unlock()
			return accept(ctx, frame)
		}})
	var senders sync.WaitGroup
	for s := range 16 {
		senders.Go(func() {
			for i := range 20 {
				id := fmt.Sprintf("%d-%d", s, i)
				for sent := false; !sent; { // as a hospital's engine does: no answer, so it sends again
					sent = once(st.address, id, 50_000)
				}
				mu.Lock()
				n := handled[id]
				mu.Unlock()
				if n == 0 {
					t.Errorf("%s was acknowledged and never handled", id)
				}
			}
		})
	}
	senders.Wait()
	st.until("all given back", func(now peers.InUse) bool { return now.Bytes == 0 && now.Waiting == 0 })
}

// once sends a message on a connection of its own, and says whether it was acknowledged.
func once(address, id string, size int) bool {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, "\x0b"+message(id, size)+"\x1c\r"); err != nil {
		return false
	}
	answer, err := bufio.NewReader(nc).ReadString(0x1c)
	return err == nil && strings.Contains(answer, "MSA|AA|"+id)
}

func TestAPeerIsAnAddressOrItsNetworkOfSixtyFourBits(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7:1":              "192.0.2.7/32",
		"[::ffff:192.0.2.7]:1":     "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":         "fe80::/64",
		"@":                        "invalid Prefix",
	} {
		if got := peers.PeerOf(address).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestAHandshakeThatDoesNotComeHoldsNoPlace: with TLS, those who connect and say nothing are bounded apart, and one who
// does shake hands gets in past any number of them.
func TestAHandshakeThatDoesNotComeHoldsNoPlace(t *testing.T) {
	t.Parallel()
	conf, client := certificate(t)
	st := serve(t, peers.Limits{Connections: 4, Beginning: 8}, &hl7.Server{TLSConfig: conf})
	for i := range 100 {
		st.from(2 + i%3)
	}
	st.until("they wait", func(now peers.InUse) bool { return now.Beginning == 8 })
	raw := st.from(9)
	secure := tls.Client(raw.nc, client)
	l := &line{t: t, nc: secure, in: bufio.NewReader(secure)}
	l.ask("1", 0).answered()
	if now := st.limiter.InUse(); now.Admitted != 1 {
		t.Errorf("%d places taken, want 1", now.Admitted)
	}
	st.from(9).send("no handshake at all").ended()
	if st.refused.of(peers.HandshakeFailed) == 0 || st.refused.of(peers.TooManyBeginning) == 0 {
		t.Errorf("counted %v", st.refused.all)
	}
}

func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{MinVersion: tls.VersionTLS12,
			Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "test"}
}
