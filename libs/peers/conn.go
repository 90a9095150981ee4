package peers

import (
	"container/list"
	"net"
	"net/netip"
	"time"
)

type state uint8

const (
	beginning state = iota // connected, nothing shown
	idle                   // admitted, nothing under way
	busy                   // admitted, something under way
	gone                   // closed
)

// Conn is a connection under the limits of its listener.
type Conn struct {
	net.Conn
	limiter *Limiter
	name    netip.Prefix
	peer    *peer
	shared  bool

	// under the limiter's lock
	state state
	place *list.Element
	held  int64     // bytes given out to it and not yet given back
	began time.Time // when the message that is coming in began; zero: none is
	came  int64     // its bytes so far
}

// Admit gives the connection a place, as idle; false if there is none: then it has been counted as refused, and
// whoever serves it says so and closes it. Of one that is admitted already it says whether it still is.
func (c *Conn) Admit() bool {
	l := c.limiter
	l.mu.Lock()
	if c.state != beginning {
		defer l.mu.Unlock()
		return c.state != gone
	}
	made, why := l.makeWay(c)
	if why == TooMany || why == TooManyOfPeer {
		l.mu.Unlock()
		l.limits.Refused(why)
		return false
	}
	l.drop(made)
	l.beginning.Remove(c.place)
	c.peer.beginning--
	c.peer.admitted++
	l.admitted++
	c.state, c.place = idle, l.idle.PushBack(c)
	l.mu.Unlock()
	made.closeFor(why)
	return true
}

// makeWay says which idle connection goes for c, nil if none needs to, or why c cannot be taken; the lock is held.
func (l *Limiter) makeWay(c *Conn) (*Conn, Reason) {
	ofPeer := !c.shared && c.peer.admitted >= l.limits.PeerConnections
	if !ofPeer && l.admitted < l.limits.Connections {
		return nil, ""
	}
	if own := oldest(l.idle, c.peer); own != nil {
		return own, IdleMadeWay
	}
	if ofPeer {
		return nil, TooManyOfPeer
	}
	if other := oldest(l.idle, nil); other != nil {
		return other, IdleMadeWay
	}
	return nil, TooMany
}

// Admitted says whether the connection has a place.
func (c *Conn) Admitted() bool {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	return c.state == idle || c.state == busy
}

// Busy says that something is under way: the connection is not closed for another one's sake.
func (c *Conn) Busy() {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	if c.state == idle {
		c.limiter.idle.Remove(c.place)
		c.state, c.place = busy, nil
	}
}

// Idle says that nothing is under way any more.
func (c *Conn) Idle() {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	delete(c.limiter.receiving, c)
	c.began = time.Time{}
	if c.state == busy {
		c.state, c.place = idle, c.limiter.idle.PushBack(c)
	}
}

// Receiving says that a message has begun to come in, with n bytes of it there already; Received that it is there, or
// is given up. In between its pace is judged.
func (c *Conn) Receiving(n int64) {
	c.Busy()
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	if c.began.IsZero() && c.state != gone {
		c.began, c.came = time.Now(), n
		c.limiter.receiving[c] = struct{}{}
	}
}

// Received ends what Receiving began.
func (c *Conn) Received() {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.began = time.Time{}
	delete(c.limiter.receiving, c)
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.limiter.mu.Lock()
		c.came += int64(n)
		c.limiter.mu.Unlock()
	}
	return n, err //nolint:wrapcheck // a connection's errors are compared by type and value
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.limiter.mu.Lock()
	c.limiter.drop(c)
	c.limiter.mu.Unlock()
	return c.Conn.Close() //nolint:wrapcheck // likewise
}

// CloseWrite closes the sending side, where the connection can.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // likewise
	}
	return net.ErrClosed
}

// closeFor closes a connection that drop has taken out, and counts why.
func (c *Conn) closeFor(why Reason) {
	if c == nil {
		return
	}
	c.limiter.limits.Refused(why)
	_ = c.Conn.Close()
}

// Refuse counts why whoever serves the connection ends it.
func (c *Conn) Refuse(why string) { c.limiter.Refuse(Reason(why)) }
