package hl7

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// How many bytes a connection reads at a time: of hundreds that are open, most are quiet.
const leastBuffer, mostBuffer = 4 << 10, 32 << 10

// SmallFrame is up to how many bytes a frame that is coming in takes no room of a [Bounded] listener: an ordinary
// message passes while large ones wait. AtRest is the memory that each connection has to itself for that.
const (
	SmallFrame = 8 << 10
	AtRest     = 2*SmallFrame + 2*leastBuffer // a frame's buffer doubles; one buffer to read, one to write
)

// exchange is one frame and its answers.
type exchange struct {
	size    int
	room    int64 // of size, what the listener gave
	answers [][]byte
	err     error
	done    chan struct{}
}

// serverConn is one connection: a reader that cuts frames, a goroutine for each frame under way, and a writer that
// sends the answers in order.
type serverConn struct {
	s     *Server
	nc    net.Conn
	bound Bounded
	ctx   context.Context
	queue chan *exchange // in the order of arrival
	dead  chan struct{}  // closed when no answer can be sent any more
	once  sync.Once      // closes dead

	delayed atomic.Int64 // bytes of frames under way
	freed   chan struct{}

	admitted bool      // it has a place
	counted  bool      // the listener decides how many connections there are
	reserved int64     // room for the frame that is coming in; the reader's
	began    time.Time // when that frame began; the reader's
	frame    int       // its number; the reader's

	mu       sync.Mutex // keeps drain and the reader from overwriting each other's deadline
	draining bool
	reading  bool // bytes are being looked at, or a frame has begun
	frames   deframer
	stopAt   int // frames found when draining began; -1 before
}

func newServerConn(s *Server, nc net.Conn) *serverConn {
	bound, counted := nc.(Bounded)
	if !counted {
		bound = unbounded{}
	}
	if s.TLSConfig != nil {
		nc = tls.Server(nc, s.TLSConfig)
	}
	c := &serverConn{s: s, nc: nc, bound: bound, counted: counted, dead: make(chan struct{}),
		freed: make(chan struct{}, 1), stopAt: -1}
	c.queue = make(chan *exchange, orDefault(s.Window, 64)-1) // one more is with the writer
	c.frames = deframer{max: s.maxFrame(), emit: c.arrived}
	return c
}

func (c *serverConn) run() {
	defer c.s.forget(c)
	defer func() { _ = c.nc.Close() }()
	if !c.greet() {
		return
	}
	call(c.s.Hooks.Opened)
	defer call(c.s.Hooks.Closed)
	written := make(chan struct{})
	go func() { defer close(written); c.write() }()
	c.read()
	c.giveBack()
	close(c.queue)
	<-written
	linger(c.nc)
}

// handshakeTimeout is how long a TLS handshake may take; until it is done the connection holds no place.
const handshakeTimeout = 5 * time.Second

// greet finishes the TLS handshake, learns who the peer is and takes a place.
func (c *serverConn) greet() bool {
	peer := Peer{Remote: c.nc.RemoteAddr(), Local: c.nc.LocalAddr()}
	if t, ok := c.nc.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(c.s.base, handshakeTimeout)
		defer cancel()
		if err := t.HandshakeContext(ctx); err != nil {
			c.s.log().Warn("MLLP connection refused: its TLS handshake failed", "remote", peer.Remote.String(), "error",
				err)
			c.refuse(reasonHandshake)
			return false
		}
		state := t.ConnectionState()
		peer.TLS = &state
		c.admitted = c.bound.Admit()
	}
	c.ctx = context.WithValue(c.s.base, peerKey{}, peer)
	if !c.admitted {
		c.s.log().Warn("MLLP connection refused: no place is free", "remote", peer.Remote.String())
		return false
	}
	return true
}

func (c *serverConn) refuse(reason string) {
	c.bound.Refuse(reason)
	c.s.refused(reason)
}

// read feeds the deframer until the peer stops, the connection fails, or the server drains.
func (c *serverConn) read() {
	buffer := make([]byte, leastBuffer)
	for c.makeRoom() && c.arm() {
		n, err := c.nc.Read(buffer)
		c.peek(buffer[:n])
		if c.reserved > 0 && len(buffer) < mostBuffer { // much is coming; others keep little
			buffer = make([]byte, mostBuffer)
		} else if c.reserved == 0 && len(buffer) > leastBuffer {
			buffer = make([]byte, leastBuffer)
		}
		if err != nil && !c.readOn(err) {
			break
		}
	}
	if c.isDraining() && !c.frames.midFrame() {
		return
	}
	c.frames.close()
}

// peek takes what was read, and says how the connection then stands.
func (c *serverConn) peek(piece []byte) {
	if len(piece) == 0 {
		return
	}
	c.standAs(true)
	c.frames.feed(piece)
	if c.frames.midFrame() && (c.began.IsZero() || c.frame != c.frames.finished) {
		c.began, c.frame = time.Now(), c.frames.finished
		c.bound.Received()
		c.bound.Receiving(int64(len(piece)))
	}
	if !c.frames.midFrame() {
		c.began = time.Time{}
		c.bound.Received()
	}
	if len(c.frames.content) == 0 {
		c.giveBack() // the frame was given up
	}
	c.standAs(c.frames.midFrame())
}

// standAs says whether bytes of a frame are there, and tells the listener whether the connection is idle.
func (c *serverConn) standAs(reading bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = reading
	if !reading && c.delayed.Load() == 0 {
		c.bound.Idle()
	}
}

// makeRoom waits for room for a frame that is more than small, for all that it may still become: a frame that has
// begun so can always be finished. False if there is none in the frame's time; its sender sends it again.
func (c *serverConn) makeRoom() bool {
	if c.reserved > 0 || len(c.frames.content) <= SmallFrame-leastBuffer {
		return true
	}
	most := int64(c.s.maxFrame() + mostBuffer)
	if !c.bound.Room(most, max(time.Until(c.frameEnd()), time.Millisecond), c.dead) {
		c.s.log().Warn("MLLP connection closed: no room for a long frame", "remote", c.nc.RemoteAddr().String())
		c.refuse(reasonNoRoom)
		return false
	}
	c.reserved = most
	return true
}

func (c *serverConn) giveBack() {
	if c.reserved > 0 {
		c.bound.Give(c.reserved)
		c.reserved = 0
	}
}

func (c *serverConn) frameEnd() time.Time {
	return c.began.Add(orDefault(c.s.FrameTimeout, time.Minute))
}

// arm sets how long the next read may take; false when there is to be none.
func (c *serverConn) arm() bool {
	select {
	case <-c.dead:
		return false
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		if c.stopAt < 0 {
			c.stopAt = c.frames.finished
		}
		if !c.frames.midFrame() || c.frames.finished > c.stopAt {
			c.frames.state = outside // what has begun since is for the sender to send again
			return false
		}
	}
	_ = c.nc.SetReadDeadline(c.deadline())
	return true
}

func (c *serverConn) deadline() time.Time {
	wait := c.s.IdleTimeout
	switch {
	case c.frames.awaitsTail():
		wait = orDefault(c.s.TailWait, 200*time.Millisecond)
	case c.frames.midFrame():
		wait = orDefault(c.s.StallTimeout, time.Minute)
	}
	if wait <= 0 {
		return time.Time{}
	}
	until := time.Now().Add(wait)
	if c.frames.midFrame() && !c.frames.awaitsTail() && c.frameEnd().Before(until) {
		until = c.frameEnd()
	}
	return until
}

// readOn decides what a failed read means.
func (c *serverConn) readOn(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			c.s.log().Warn("reading from an MLLP connection failed", "remote", c.nc.RemoteAddr().String(), "error", err)
		}
		return false
	}
	select {
	case <-c.dead:
		return false
	default:
	}
	switch {
	case c.isDraining() && c.stopAt < 0: // drain woke us; arm decides
		return true
	case c.frames.awaitsTail():
		c.frames.silence()
		return true
	case c.frames.midFrame():
		c.s.log().Warn("MLLP connection closed: a frame stalled", "remote", c.nc.RemoteAddr().String())
		c.refuse(reasonSlow)
		return false
	}
	return c.delayed.Load() > 0 // idle, unless an answer is still owed
}

// drain wakes the reader so that it stops, at once or after the frame that is coming in.
func (c *serverConn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

func (c *serverConn) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// arrived takes what the deframer found, in the reader's goroutine, and waits while the window is full.
func (c *serverConn) arrived(a scanned) {
	if a.junk > 0 {
		c.s.log().Warn("bytes between MLLP frames skipped", "remote", c.nc.RemoteAddr().String(), "bytes", a.junk)
		if c.s.Hooks.Junk != nil {
			c.s.Hooks.Junk(a.junk)
		}
	}
	if a.frame == nil && a.bad.Kind == 0 {
		return
	}
	if a.bad.Kind != 0 {
		c.s.log().Warn("bad MLLP frame", "remote", c.nc.RemoteAddr().String(), "what", a.bad.Kind.String(), "bytes",
			a.bad.Size)
		if c.s.Hooks.Bad != nil {
			c.s.Hooks.Bad(a.bad.Kind)
		}
	}
	x := &exchange{size: len(a.frame) + len(a.bad.First) + 1, done: make(chan struct{})}
	c.bound.Received()
	if !c.roomFor(x) || !c.hold(x) {
		c.bound.Give(x.room)
		return
	}
	go func() {
		defer close(x.done)
		x.answers, x.err = c.s.handle(c.ctx, a)
	}()
}

// roomFor takes the listener's room for what is being handled: of what was kept for the frame, or as much as it needs.
func (c *serverConn) roomFor(x *exchange) bool {
	size := int64(x.size)
	if c.reserved >= size {
		c.bound.Give(c.reserved - size)
		c.reserved, x.room = 0, size
		return true
	}
	c.bound.Busy()
	if !c.bound.Room(size, 0, c.dead) {
		return false
	}
	x.room = size
	return true
}

// hold waits for room in the window, by count and by bytes; false if the connection is dead.
func (c *serverConn) hold(x *exchange) bool {
	most := int64(4 * c.s.maxFrame())
	for held := c.delayed.Load(); held > 0 && held+int64(x.size) > most; held = c.delayed.Load() {
		select {
		case <-c.freed:
		case <-c.dead:
			return false
		}
	}
	c.delayed.Add(int64(x.size))
	c.bound.Busy()
	select {
	case c.queue <- x:
		return true
	case <-c.dead:
		return false
	}
}

func (c *serverConn) release(x *exchange) {
	c.bound.Give(x.room)
	c.mu.Lock()
	if c.delayed.Add(int64(-x.size)) == 0 && !c.reading {
		c.bound.Idle()
	}
	c.mu.Unlock()
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

// write sends the answers in the order of their frames, several in one packet where several are ready. After a
// failure it sends nothing more, but waits for the handlers that are still at work.
func (c *serverConn) write() {
	out := bufio.NewWriterSize(deadlineWriter{c}, leastBuffer)
	failed := false
	for x := range c.queue {
		select {
		case <-x.done:
		default:
			failed = failed || c.fail(out.Flush())
			<-x.done
		}
		if !failed && x.err != nil {
			c.s.log().Warn("MLLP message left unanswered, connection closed", "remote", c.nc.RemoteAddr().String(),
				"error", x.err)
			_ = out.Flush()
			failed = c.fail(x.err)
		}
		for _, answer := range x.answers {
			failed = failed || c.fail(writeFrame(out, answer))
		}
		if !failed && len(c.queue) == 0 {
			failed = c.fail(out.Flush())
		}
		c.release(x)
	}
	if !failed {
		_ = out.Flush()
	}
}

func writeFrame(out *bufio.Writer, answer []byte) error {
	_ = out.WriteByte(startBlock) // bufio keeps the first error for the last call
	_, _ = out.Write(answer)
	_, err := out.Write([]byte{endBlock, frameEnd})
	return err
}

// fail ends the connection for good: the reader stops, whether it reads or waits for room.
func (c *serverConn) fail(err error) bool {
	if err == nil {
		return false
	}
	c.abandon()
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	return true
}

// abandon says that no answer can be sent any more: whoever waits for room gives up.
func (c *serverConn) abandon() { c.once.Do(func() { close(c.dead) }) }

// deadlineWriter gives each write its time.
type deadlineWriter struct{ c *serverConn }

func (w deadlineWriter) Write(b []byte) (int, error) {
	_ = w.c.nc.SetWriteDeadline(time.Now().Add(orDefault(w.c.s.WriteTimeout, 30*time.Second)))
	return w.c.nc.Write(b)
}
