package hl7

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ErrServerClosed is what [Server.Serve] returns after [Server.Shutdown] or [Server.Close].
var ErrServerClosed = errors.New("hl7: the MLLP server is closed")

// Server takes messages over MLLP. Set the fields before Serve and leave them alone afterwards.
//
// On one connection frames are handled concurrently, up to Window at a time, and answered in the order in which
// they came. A handler that blocks holds its answer, then the window, then the sender: that is the back-pressure,
// and no timeout here ever answers in a handler's place. Connections do not wait for each other.
//
// Tolerated: many frames in one packet, one frame in many, bytes between frames (skipped and counted), and a
// missing CR after 0x1C. What cannot become a message goes to OnBad, and the connection stays usable.
type Server struct {
	// Handler handles one frame and returns its answers, unframed, as [Message.Acks] builds them; they go back
	// together. The frame is the handler's to keep. It may be a message or anything else. No answer and no error
	// sends nothing: the sender asked for none. An error sends nothing either and closes the connection, so that the
	// sender, having no answer, sends the message again; frames before it are still answered. A panic counts as an
	// error.
	//
	// The context carries the peer (see [PeerOf]) and ends only when the server is closed by force: a sender that
	// goes away does not undo what is being stored.
	Handler func(ctx context.Context, frame []byte) (answers [][]byte, err error)
	// OnBad handles what holds no readable message, as Handler does. An Unfinished frame wants no answer: its sender
	// has not finished asking. If nil, TooLong, Empty and Unframed are answered AR and nothing is kept.
	OnBad func(ctx context.Context, bad BadFrame) (answers [][]byte, err error)

	// MaxFrame is the largest message in bytes; 0 means 1 MiB. A connection's frames under way together hold at
	// most four times as much.
	MaxFrame int
	// Window is how many frames of a connection are handled at a time; 0 means 64.
	Window int
	// MaxConns is how many connections are open at a time; 0 means 256. More are closed at once. A listener whose
	// connections are [Bounded] decides itself, and this does not hold for it.
	MaxConns int
	// IdleTimeout closes a connection on which nothing is under way and nothing comes; 0 means never, since a quiet
	// night is no fault. Dead peers are found by TCP keep-alive.
	IdleTimeout time.Duration
	// FrameTimeout is how long a frame may take to come in from its first byte to its last, waits for room included;
	// 0 means one minute. Then the connection is closed: somebody who sends a byte now and then holds no place.
	FrameTimeout time.Duration
	// StallTimeout gives up a frame that has begun when nothing comes for so long; 0 means one minute.
	StallTimeout time.Duration
	// TailWait is how long a frame waits for the CR after its 0x1C; 0 means 200 ms.
	TailWait time.Duration
	// WriteTimeout closes a connection whose peer does not take its answers; 0 means 30 s.
	WriteTimeout time.Duration
	// TLSConfig, if set, makes every connection TLS. For mutual TLS set its ClientAuth and ClientCAs.
	TLSConfig *tls.Config
	// Logger gets constant messages, never content; nil means none.
	Logger *slog.Logger
	// Hooks are for metrics.
	Hooks Hooks

	mu        sync.Mutex
	draining  bool
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
	running   sync.WaitGroup
	base      context.Context
	cancel    context.CancelFunc
}

// Hooks are called as things happen, from many goroutines at once; each may be nil. They must not block.
type Hooks struct {
	Opened  func()                             // a connection was taken
	Closed  func()                             // one ended
	Refused func(reason string)                // one was over MaxConns ("connections"), or its TLS "handshake" failed
	Frame   func(size int, took time.Duration) // a frame was handled
	Bad     func(kind BadKind)                 // a bad frame was found
	Junk    func(bytes int)                    // bytes between frames were skipped
}

// Peer is who sends on a connection.
type Peer struct {
	Remote net.Addr
	Local  net.Addr
	TLS    *tls.ConnectionState // nil without TLS
}

// Bounded is a connection whose listener bounds what its peer may take: places, and memory for frames that are coming
// in or being handled. A connection without it has the server's own limits alone.
type Bounded interface {
	// Admit asks for a place, once the handshake is done; false if there is none.
	Admit() bool
	// Busy and Idle say whether a frame is coming in or being handled. An idle connection may be closed for another.
	Busy()
	Idle()
	// Receiving says that a frame has begun, with n bytes of it there; Received that it has come, or was given up.
	Receiving(n int64)
	Received()
	// Room waits for memory: at most so long (0: without end), and until stop is closed; false: there is none. Give
	// gives it back.
	Room(bytes int64, most time.Duration, stop <-chan struct{}) bool
	Give(bytes int64)
	// Refuse counts why the connection is ended: "handshake", "slow" or "no-room".
	Refuse(reason string)
}

// Why connections are ended or not taken.
const (
	reasonFull      = "connections"
	reasonHandshake = "handshake"
	reasonSlow      = "slow"
	reasonNoRoom    = "no-room"
)

// unbounded bounds nothing.
type unbounded struct{}

func (unbounded) Admit() bool                                     { return true }
func (unbounded) Busy()                                           {}
func (unbounded) Idle()                                           {}
func (unbounded) Receiving(int64)                                 {}
func (unbounded) Received()                                       {}
func (unbounded) Room(int64, time.Duration, <-chan struct{}) bool { return true }
func (unbounded) Give(int64)                                      {}
func (unbounded) Refuse(string)                                   {}

type peerKey struct{}

// PeerOf returns the peer whose frame a handler's context belongs to; false outside a handler.
func PeerOf(ctx context.Context) (Peer, bool) {
	peer, ok := ctx.Value(peerKey{}).(Peer)
	return peer, ok
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

func (s *Server) maxFrame() int { return orDefault(s.MaxFrame, 1<<20) }

func (s *Server) log() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

// Serve takes connections from l until the server is shut down or closed; it then returns [ErrServerClosed]. Any
// other error means that l is broken. It closes l. Several Serves may run at once.
func (s *Server) Serve(l net.Listener) error {
	if s.Handler == nil {
		return errors.New("hl7: serving MLLP: the server has no Handler")
	}
	if !s.addListener(l) {
		_ = l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.take(nc)
		case s.closing():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting MLLP connections: %w", err)
		default: // out of descriptors, or the peer is gone already
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log().Warn("accepting an MLLP connection failed", "error", err)
			s.wait(pause)
		}
	}
}

func (s *Server) wait(pause time.Duration) {
	select {
	case <-s.base.Done():
	case <-time.After(pause):
	}
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepare()
	if s.draining {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

// prepare makes the zero server usable; the lock is held.
func (s *Server) prepare() {
	if s.base == nil {
		s.base, s.cancel = context.WithCancel(context.Background())
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*serverConn]struct{}{}
	}
}

func (s *Server) removeListener(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	_ = l.Close()
}

func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// take starts a connection, or refuses it.
func (s *Server) take(nc net.Conn) {
	c := newServerConn(s, nc)
	s.mu.Lock()
	full := !c.counted && len(s.conns) >= orDefault(s.MaxConns, 256)
	refuse := full || s.draining
	if !refuse {
		s.conns[c] = struct{}{}
		s.running.Add(1)
	}
	s.mu.Unlock()
	if !refuse {
		if s.TLSConfig == nil { // nothing to wait for
			c.admitted = c.bound.Admit()
		}
		go c.run()
		return
	}
	_ = nc.Close()
	if full {
		s.log().Warn("MLLP connection refused: too many are open", "remote", nc.RemoteAddr().String())
		s.refused(reasonFull)
	}
}

func (s *Server) refused(reason string) {
	if s.Hooks.Refused != nil {
		s.Hooks.Refused(reason)
	}
}

func call(hook func()) {
	if hook != nil {
		hook()
	}
}

func (s *Server) forget(c *serverConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.running.Done()
}

// Shutdown ends the server in order: it stops accepting, lets each connection finish the frame that is coming in
// and those being handled, sends their answers, and closes. When ctx ends first it closes by force and returns
// ctx's error; what was not answered then, senders send again.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stopAccepting() {
		c.drain()
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
		s.Close()
		return fmt.Errorf("shutting down MLLP: %w", ctx.Err())
	}
}

// Close ends the server at once: handlers' contexts are cancelled and nothing more is answered. It does not wait.
func (s *Server) Close() {
	conns := s.stopAccepting()
	s.cancel()
	for _, c := range conns {
		c.abandon()
		_ = c.nc.Close()
	}
}

func (s *Server) stopAccepting() []*serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepare()
	s.draining = true
	for l := range s.listeners {
		_ = l.Close()
	}
	conns := make([]*serverConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// handle runs the handler for what arrived.
func (s *Server) handle(ctx context.Context, a scanned) (answers [][]byte, err error) {
	defer func() {
		if p := recover(); p != nil { // its text may quote the message
			answers, err = nil, fmt.Errorf("the handler panicked with a %T", p)
		}
	}()
	if a.bad.Kind == 0 {
		start := time.Now()
		answers, err = s.Handler(ctx, a.frame)
		if s.Hooks.Frame != nil {
			s.Hooks.Frame(len(a.frame), time.Since(start))
		}
		return answers, err
	}
	if s.OnBad != nil {
		return s.OnBad(ctx, a.bad)
	}
	return refuse(a.bad), nil
}

// refuse is the answer to a bad frame where the server's owner has none.
func refuse(bad BadFrame) [][]byte {
	if bad.Kind == Unfinished {
		return nil
	}
	return [][]byte{AckUnparsed(bad.First, Ack{Outcome: Refused, Text: bad.Kind.String(), ControlID: rand.Text()[:20],
		At: time.Now()})}
}

// linger lets the peer read the last answers before the connection goes: closing with bytes unread would reset it
// and take the answers back from under way.
func linger(nc net.Conn) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = nc.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, nc, 16<<20)
}
