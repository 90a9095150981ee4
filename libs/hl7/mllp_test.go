package hl7

import (
	"bufio"
	"bytes"
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
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait of these tests, on a busy machine too; none takes anywhere near as long.
const patience = 2 * time.Minute

func small(id string) string { return "MSH|^~\\&|A|B|C|D|||ADT^A03|" + id + "|P|2.4\r" }

func framed(messages ...string) string {
	var b []byte
	for _, m := range messages {
		b = appendFrame(b, []byte(m))
	}
	return string(b)
}

// answerAA accepts everything.
func answerAA(_ context.Context, frame []byte) ([][]byte, error) {
	m, err := Parse(frame)
	if err != nil {
		return [][]byte{AckUnparsed(frame, Ack{Outcome: Refused, ControlID: "a"})}, nil
	}
	return m.Acks(Ack{ControlID: "a", ApplicationID: "b"}), nil
}

// serve starts a server and returns its address. It is shut down in order at the end.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// line is a raw connection, for senders that a Client would not imitate.
type line struct {
	t  testing.TB
	nc net.Conn
	in *bufio.Reader
}

func connect(t testing.TB, address string) *line {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &line{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func (l *line) send(bytes string) {
	l.t.Helper()
	if _, err := io.WriteString(l.nc, bytes); err != nil {
		l.t.Fatal(err)
	}
}

// answer reads one framed acknowledgement.
func (l *line) answer() Acknowledgement {
	l.t.Helper()
	frame, err := l.in.ReadBytes(endBlock)
	if err != nil {
		l.t.Fatalf("no answer: %v after %q", err, frame)
	}
	if _, err := l.in.ReadByte(); err != nil {
		l.t.Fatal(err)
	}
	ack, err := ParseAck(frame)
	if err != nil {
		l.t.Fatalf("answer %q: %v", frame, err)
	}
	return ack
}

func (l *line) expect(answers ...string) {
	l.t.Helper()
	for _, want := range answers {
		if ack := l.answer(); ack.Code+" "+ack.ControlID != want {
			l.t.Fatalf("answer %q, want %q", ack.Code+" "+ack.ControlID, want)
		}
	}
}

func (l *line) expectEnd() {
	l.t.Helper()
	if rest, err := io.ReadAll(l.in); err != nil || len(rest) > 0 {
		l.t.Fatalf("expected the end of the connection, got %q, %v", rest, err)
	}
}

func (l *line) hangUp() {
	l.t.Helper()
	if err := l.nc.(*net.TCPConn).CloseWrite(); err != nil {
		l.t.Fatal(err)
	}
}

func TestFramesAreReadHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	all := framed(small("1"), small("2"), small("3"))
	for name, pieces := range map[string][]string{
		"one packet":   {all},
		"byte by byte": strings.Split(all, ""),
		"junk between": {"noise" + framed(small("1")) + "\r\n\r\nxx" + framed(small("2")) + "zz\x1c" +
			framed(small("3"))},
		"no CR after 0x1C":       {strings.ReplaceAll(all, "\x1c\r", "\x1c")},
		"LF after 0x1C":          {strings.ReplaceAll(all, "\x1c\r", "\x1c\n")},
		"0x0B twice":             {strings.ReplaceAll(all, "\x0b", "\x0b\x0b")},
		"vertical tab in a text": {strings.ReplaceAll(all, "P|2.4\r", "P|2.4\rNTE|1||a\x0bb\r")},
		"0x1C in a text":         {strings.ReplaceAll(all, "P|2.4\r", "P|2.4\rNTE|1||a\x1cb\r")},
		"split inside the end": {framed(small("1"))[:len(framed(small("1")))-1],
			"\r" + framed(small("2"), small("3"))},
		"last CR and hang up never": {strings.TrimSuffix(all, "\r")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := connect(t, serve(t, &Server{Handler: answerAA, TailWait: 20 * time.Millisecond}))
			for _, piece := range pieces {
				l.send(piece)
			}
			l.expect("AA 1", "AA 2", "AA 3")
			l.hangUp()
			l.expectEnd()
		})
	}
}

func TestContentOfAFrameReachesTheHandlerUnchanged(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	address := serve(t, &Server{Handler: func(_ context.Context, frame []byte) ([][]byte, error) {
		got <- string(frame)
		return nil, nil
	}})
	want := small("1") + "NTE|1||a\x0bb\x1cc\x1c\x1cd\xff\r"
	connect(t, address).send(framed(want))
	if frame := <-got; frame != want {
		t.Errorf("%q, want %q", frame, want)
	}
}

func TestFrameOverTheLimitIsAnsweredAndTheNextGoodOneWorks(t *testing.T) {
	t.Parallel()
	var bad atomic.Int32
	address := serve(t, &Server{Handler: answerAA, MaxFrame: 4096, OnBad: func(_ context.Context, b BadFrame) ([][]byte,
		error) {
		bad.Add(1)
		if b.Kind != TooLong || len(b.First) != firstBytes {
			t.Errorf("%v with %d first bytes", b.Kind, len(b.First))
		}
		return [][]byte{AckUnparsed(b.First, Ack{Outcome: Failed, ControlID: "a", Text: b.Kind.String()})}, nil
	}})
	long := small("long") + strings.Repeat("x", 10000)
	l := connect(t, address)
	l.send(framed(small("1"), long, small("2")))
	l.expect("AA 1", "AE long", "AA 2")
	l.send("\x0b" + long) // without an end: the next frame begins inside
	l.expect("AE long")
	l.send(framed(small("3")))
	l.expect("AA 3")
	l.send(framed(small("4") + strings.Repeat("x", 4096-len(small("4")))))
	l.expect("AA 4")
	if bad.Load() != 2 {
		t.Errorf("%d bad frames", bad.Load())
	}
}

func TestTenMegabytesWithoutAnEndAreAnsweredWithoutTakingMemory(t *testing.T) {
	l := connect(t, serve(t, &Server{Handler: answerAA})) // not parallel: it measures memory
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l.send("\x0b" + small("1"))
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for range 160 {
		if _, err := l.nc.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	l.expect("AR 1")
	l.send(framed(small("2")))
	l.expect("AA 2")
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 { // all that was ever taken, freed or not
		t.Errorf("%d bytes allocated", grown)
	}
}

func TestBadFramesAreNamedToTheOwner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent string
		want []BadKind
	}{
		"empty":                  {framed(""), []BadKind{Empty}},
		"blank":                  {framed(" \r\n"), []BadKind{Empty}},
		"another began":          {"\x0b" + small("1") + framed(small("2")), []BadKind{Unfinished}},
		"connection ended":       {"\x0b" + small("1"), []BadKind{Unfinished}},
		"sender without framing": {small("1") + small("2"), []BadKind{Unframed}},
		"message before framing": {small("1") + framed(small("2")), []BadKind{Unframed}},
		"two broken in one": {"\x0b" + small("1") + "\x0b" + small("2") + framed(small("3")),
			[]BadKind{Unfinished, Unfinished}},
		"line noise is only junk": {"GET / HTTP/1.1\r\n\r\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var got []BadKind
			l := connect(t, serve(t, &Server{Handler: answerAA, OnBad: func(_ context.Context, b BadFrame) ([][]byte,
				error) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, b.Kind)
				return nil, nil
			}}))
			l.send(c.sent)
			l.hangUp()
			if _, err := io.Copy(io.Discard, l.in); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestJunkIsCounted(t *testing.T) {
	t.Parallel()
	var junk atomic.Int64
	l := connect(t, serve(t, &Server{Handler: answerAA, Hooks: Hooks{Junk: func(n int) { junk.Add(int64(n)) }}}))
	l.send("12345" + framed(small("1")) + "\r\n678" + framed(small("2")))
	l.expect("AA 1", "AA 2")
	if junk.Load() != 8 {
		t.Errorf("%d bytes of junk", junk.Load())
	}
}

func TestAnswersKeepTheOrderOfFramesHandledConcurrently(t *testing.T) {
	t.Parallel()
	const n = 32
	gates := make([]chan struct{}, n)
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	var arrived sync.WaitGroup
	arrived.Add(n)
	l := connect(t, serve(t, &Server{Window: n, Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
		m, _ := Parse(frame)
		var i int
		_, _ = fmt.Sscan(m.ControlID(), &i)
		arrived.Done()
		<-gates[i]
		return m.Acks(Ack{}), nil
	}}))
	for i := range n {
		l.send(framed(small(fmt.Sprint(i))))
	}
	arrived.Wait() // all are under way at once
	for i := n - 1; i >= 0; i-- {
		close(gates[i]) // the last finishes first
	}
	for i := range n {
		l.expect("AA " + fmt.Sprint(i))
	}
}

func TestWindowBoundsHowMuchIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 4} {
		var now, most atomic.Int32
		step := make(chan struct{})
		l := connect(t, serve(t, &Server{Window: window, Handler: func(ctx context.Context, frame []byte) ([][]byte,
			error) {
			most.Store(max(most.Load(), now.Add(1)))
			<-step
			now.Add(-1)
			return answerAA(ctx, frame)
		}}))
		go func() {
			for range 20 {
				step <- struct{}{}
			}
		}()
		for i := range 20 {
			l.send(framed(small(fmt.Sprint(i))))
		}
		for i := range 20 {
			l.expect("AA " + fmt.Sprint(i))
		}
		if most.Load() > int32(window) {
			t.Errorf("%d under way in a window of %d", most.Load(), window)
		}
	}
}

func TestBlockedHandlerOrSlowReaderHoldsOnlyItsOwnConnection(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	address := serve(t, &Server{Window: 2, Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
		if bytes.Contains(frame, []byte("slow")) {
			<-release
		}
		if bytes.Contains(frame, []byte("big")) {
			return [][]byte{bytes.Repeat([]byte("x"), 1<<20)}, nil
		}
		return answerAA(ctx, frame)
	}})
	blocked, deaf := connect(t, address), connect(t, address)
	blocked.send(framed(small("slow"), small("b"), small("c"), small("d")))
	go func() {
		for range 64 { // it never reads its answers; its window fills, and it fails in the end
			if _, err := io.WriteString(deaf.nc, framed(small("big"))); err != nil {
				return
			}
		}
	}()
	other := connect(t, address)
	for i := range 50 {
		other.send(framed(small(fmt.Sprint(i))))
		other.expect("AA " + fmt.Sprint(i))
	}
	close(release)
	blocked.expect("AA slow", "AA b", "AA c", "AA d")
}

func TestMessageThatCouldNotBeHandledIsNotAnswered(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("the store is away") },
		"panic": func() error { panic("a message quoted here") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := connect(t, serve(t, &Server{Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
				if bytes.Contains(frame, []byte("|lost|")) {
					return nil, fail()
				}
				return answerAA(ctx, frame)
			}}))
			l.send(framed(small("1"), small("lost"), small("2")))
			l.expect("AA 1")
			l.expectEnd()
		})
	}
}

func TestShutdownAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	s := &Server{Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
		if bytes.Contains(frame, []byte("|slow|")) {
			close(started)
			<-release
		}
		return answerAA(ctx, frame)
	}}
	address := serve(t, s)
	busy, idle := connect(t, address), connect(t, address)
	idle.send(framed(small("1")))
	idle.expect("AA 1")
	half := framed(small("half"))
	busy.send(framed(small("slow")) + half[:10])
	<-started
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	idle.expectEnd()
	busy.send(half[10:] + framed(small("after"))) // what was coming in is still taken, what follows is not promised
	close(release)
	busy.expect("AA slow", "AA half")
	_, _ = io.Copy(io.Discard, busy.in)
	_ = busy.nc.Close()
	_ = idle.nc.Close()
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("still accepting")
	}
}

func TestShutdownEndsByForceWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	s := &Server{Handler: func(ctx context.Context, _ []byte) ([][]byte, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	l := connect(t, serve(t, s))
	l.send(framed(small("1")))
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	l.expectEndOfAnyKind()
}

func (l *line) expectEndOfAnyKind() {
	l.t.Helper()
	if rest, _ := io.ReadAll(l.in); len(rest) > 0 {
		l.t.Fatalf("answered %q", rest)
	}
}

func TestConnectionsOverTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	refused := make(chan struct{}, 1)
	address := serve(t, &Server{Handler: answerAA, MaxConns: 1,
		Hooks: Hooks{Refused: func(string) { refused <- struct{}{} }}})
	first := connect(t, address)
	first.send(framed(small("1")))
	first.expect("AA 1")
	second := connect(t, address)
	<-refused
	second.expectEndOfAnyKind()
	first.send(framed(small("2")))
	first.expect("AA 2")
}

func TestIdleAndStalledConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	kinds := make(chan BadKind, 1)
	address := serve(t, &Server{Handler: answerAA, IdleTimeout: 30 * time.Millisecond,
		StallTimeout: 30 * time.Millisecond,
		OnBad:        func(_ context.Context, b BadFrame) ([][]byte, error) { kinds <- b.Kind; return nil, nil }})
	connect(t, address).expectEnd()
	stalled := connect(t, address)
	stalled.send("\x0bMSH|")
	stalled.expectEnd()
	if kind := <-kinds; kind != Unfinished {
		t.Errorf("stalled frame is %v", kind)
	}
}

// TestQuietConnectionsCostLittleAndHoldUpNobody: five hundred that have said something and one in the middle of a
// frame, byte by byte, beside one at work.
func TestQuietConnectionsCostLittleAndHoldUpNobody(t *testing.T) { // not parallel: it measures memory
	address := serve(t, &Server{Handler: answerAA, MaxConns: 600})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const quiet = 500
	message, answer := []byte(framed(small("1"))), make([]byte, 256)
	for range quiet {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		if _, err := nc.Write(message); err != nil {
			t.Fatal(err)
		}
		if n, err := nc.Read(answer); err != nil || n == 0 {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := func(m *runtime.MemStats) uint64 { return m.HeapAlloc + m.StackInuse }
	if each := (used(&after) - used(&before)) / quiet; used(&after) > used(&before) && each > 40<<10 {
		t.Errorf("%d bytes for each connection", each)
	}
	slow, active := connect(t, address), connect(t, address)
	for i, piece := range strings.Split(framed(small("slow")), "") {
		slow.send(piece)
		active.send(framed(small(fmt.Sprint(i))))
		active.expect("AA " + fmt.Sprint(i))
	}
	slow.expect("AA slow")
}

func TestHandlerKnowsItsPeerByCertificate(t *testing.T) {
	t.Parallel()
	certificate, pool := selfSigned(t)
	names := make(chan string, 1)
	address := serve(t, &Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: pool,
			ClientAuth: tls.RequireAndVerifyClientCert},
		Handler: func(ctx context.Context, frame []byte) ([][]byte, error) {
			peer, _ := PeerOf(ctx)
			names <- peer.TLS.PeerCertificates[0].DNSNames[0]
			return answerAA(ctx, frame)
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Dial(ctx, address, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Send(ctx, []byte(small("1"))); err != nil {
		t.Fatal(err)
	}
	if name := <-names; name != "sender.test" {
		t.Errorf("peer is %q", name)
	}
	anonymous, err := Dial(ctx, address, &tls.Config{RootCAs: pool})
	if err == nil { // TLS 1.3 tells a client of its refusal only when it reads
		defer func() { _ = anonymous.Close() }()
		_, err = anonymous.Send(ctx, []byte(small("1")))
	}
	if err == nil {
		t.Error("a sender without a certificate was served")
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"sender.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestClientMatchesAnswersToMessagesSentFromManyPlaces(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Dial(ctx, serve(t, &Server{Handler: answerAA}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := range 100 {
				id := fmt.Sprintf("%d-%d", sender, i)
				answer, err := c.Send(ctx, []byte(small(id)))
				if ack, _ := ParseAck(answer); err != nil || ack.ControlID != id {
					t.Errorf("message %s: answer for %q, %v", id, ack.ControlID, err)
					return
				}
			}
		})
	}
	senders.Wait()
	silent := strings.Replace(small("x"), "|2.4", "|2.4|||NE|NE", 1)
	if answer, err := c.Send(ctx, []byte(silent)); answer != nil || err != nil {
		t.Errorf("message that wants no answer: %q, %v", answer, err)
	}
	if _, err := c.Send(ctx, []byte("a\x1cb")); !errors.Is(err, ErrFraming) {
		t.Errorf("framing bytes: %v", err)
	}
	if answer, err := c.Send(ctx, []byte(small("last"))); err != nil || !bytes.Contains(answer, []byte("|last")) {
		t.Errorf("afterwards: %q, %v", answer, err)
	}
}

// TestClientGivesBothAnswersOfEnhancedMode: what is asked for is waited for, in order, and a receiver that answers once
// keeps nobody waiting once it goes on to the next message.
func TestClientGivesBothAnswersOfEnhancedMode(t *testing.T) {
	t.Parallel()
	once := func(_ context.Context, frame []byte) ([][]byte, error) {
		m, err := Parse(frame)
		if err != nil {
			return nil, err
		}
		return m.Acks(Ack{ControlID: "a"})[:1], nil
	}
	for name, c := range map[string]struct {
		handler func(context.Context, []byte) ([][]byte, error)
		asked   string
		want    string
	}{
		"both":                     {answerAA, "|||AL|AL", "CA 1 AA 1"},
		"the second on success":    {answerAA, "|||AL|SU", "CA 1 AA 1"},
		"the second on an error":   {answerAA, "|||AL|ER", "CA 1"},
		"accept only":              {answerAA, "|||AL|NE", "CA 1"},
		"application only":         {answerAA, "||||AL", "AA 1"},
		"none":                     {answerAA, "|||NE|NE", ""},
		"a receiver of one answer": {once, "|||AL|AL", "CA 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			client, err := Dial(ctx, serve(t, &Server{Handler: c.handler}), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			first, err := client.Start(ctx, []byte(strings.Replace(small("1"), "|2.4", "|2.4"+c.asked, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := client.Send(ctx, []byte(small("2"))); err != nil ||
				!bytes.Contains(answer, []byte("MSA|AA|2")) {
				t.Errorf("the next message is answered %q, %v", answer, err)
			}
			answers, err := first.Answers(ctx)
			var got []string
			for _, answer := range answers {
				ack, _ := ParseAck(answer)
				got = append(got, ack.Code+" "+ack.ControlID)
			}
			if strings.Join(got, " ") != c.want || err != nil {
				t.Errorf("%v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestClientTakesAnAnswerWithoutItsLastCR(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	c := NewClient(ours)
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = bufio.NewReader(theirs).ReadBytes(endBlock)
		_, _ = io.WriteString(theirs, "\x0b"+small("1")+"MSA|AA|1\r\x1c")
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := c.Send(ctx, []byte(small("1")))
	if ack, _ := ParseAck(answer); err != nil || !ack.Positive() {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestClientTellsEveryWaitingSenderThatTheConnectionIsGone(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	c := NewClient(ours)
	sent := make(chan *Pending, 2)
	go func() {
		for range 2 {
			p, err := c.Start(context.Background(), []byte(small("1")))
			if err != nil {
				t.Error(err)
			}
			sent <- p
		}
	}()
	in := bufio.NewReader(theirs)
	for range 2 {
		if _, err := in.ReadBytes(endBlock); err != nil {
			t.Fatal(err)
		}
		_, _ = in.ReadByte()
	}
	first, second := <-sent, <-sent
	_ = theirs.Close()
	for _, p := range []*Pending{first, second} {
		if _, err := p.Wait(context.Background()); !errors.Is(err, io.EOF) {
			t.Errorf("Wait: %v", err)
		}
	}
	if _, err := c.Send(context.Background(), []byte(small("2"))); err == nil {
		t.Error("sent over a connection that is gone")
	}
}

// FuzzFraming feeds a stream in pieces of every kind: no panic, no more memory than the limit, and the same frames
// however the stream is cut.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{framed(small("1"), small("2")), "\x0b", "\x0b\x1c\r",
		"junk\x0ba\x1cb\x1c\r\x0bMSH|\x0bMSH|\x1c\x0b", "MSH|\x1c",
		"\x0b" + strings.Repeat("x", 300) + "\x0bMSH|\x1c\r", "\x0b" + strings.Repeat("x", 300) + "\x1c\r" +
			framed("a")} {
		f.Add([]byte(seed), []byte{1})
		f.Add([]byte(seed), []byte{7, 0, 1})
	}
	f.Fuzz(func(t *testing.T, stream, steps []byte) {
		whole := cutFrames(t, stream, nil)
		pieces := cutFrames(t, stream, steps)
		if !slices.Equal(whole, pieces) {
			t.Fatalf("in one piece %q, in pieces of %d %q", whole, steps, pieces)
		}
	})
}

// cutFrames feeds a stream in pieces of so many bytes, in turn; whole without.
func cutFrames(t *testing.T, stream, steps []byte) []string {
	const most = 128
	var found []string
	d := deframer{max: most}
	d.emit = func(a scanned) {
		if len(a.frame) > most || len(a.bad.First) > firstBytes || (a.frame != nil && a.bad.Kind != 0) {
			t.Fatalf("%d bytes, %d first bytes of %v", len(a.frame), len(a.bad.First), a.bad.Kind)
		}
		found = append(found, fmt.Sprintf("%q %v %q %d", a.frame, a.bad.Kind, a.bad.First, a.junk))
	}
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(steps) > 0 {
			n = min(max(int(steps[i%len(steps)]), 1), n)
		}
		d.feed(stream[:n])
		if cap(d.content) > 4*most {
			t.Fatalf("%d bytes held", cap(d.content))
		}
		stream = stream[n:]
	}
	d.close()
	return found
}

// BenchmarkExchange is a message and its answer over loopback, from several senders on one connection.
func BenchmarkExchange(b *testing.B) {
	c, err := Dial(context.Background(), serve(b, &Server{Handler: answerAA}), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	message := aSizeableVisit()
	b.SetBytes(int64(len(message)))
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Send(context.Background(), message); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
