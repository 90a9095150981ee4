package peers

import (
	"container/list"
	"time"
)

// wait is one that waits for room.
type wait struct {
	conn  *Conn
	bytes int64
	given chan struct{}
}

// recheckAfter is how often a waiting one looks whether somebody has become slow meanwhile.
const recheckAfter = 100 * time.Millisecond

// Room waits until bytes may be taken for this connection, at most so long (0: as long as it takes), or until stop is
// closed; false: they were not given. Who waited longest comes first, except that a peer at its own limit does not
// hold up others. More than the limit is given to one that holds nothing when nothing is held by its peer, or by all.
func (c *Conn) Room(bytes int64, most time.Duration, stop <-chan struct{}) bool {
	l := c.limiter
	l.mu.Lock()
	w := &wait{conn: c, bytes: bytes, given: make(chan struct{})}
	place := l.waiting.PushBack(w)
	l.giveOut()
	victim, why := l.slowFor(w)
	l.mu.Unlock()
	victim.closeFor(why)
	if w.wasGiven() {
		return true
	}
	return l.waitFor(w, place, most, stop)
}

func (l *Limiter) waitFor(w *wait, place *list.Element, most time.Duration, stop <-chan struct{}) bool {
	var end <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		end = timer.C
	}
	tick := time.NewTicker(recheckAfter)
	defer tick.Stop()
	for {
		select {
		case <-w.given:
			return true
		case <-tick.C:
			l.mu.Lock()
			victim, why := l.slowFor(w)
			l.mu.Unlock()
			victim.closeFor(why)
			continue
		case <-stop:
		case <-end:
		}
		return l.giveUp(w, place)
	}
}

// giveUp stops waiting; true if the room was given at the last moment after all.
func (l *Limiter) giveUp(w *wait, place *list.Element) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.wasGiven() {
		return true
	}
	l.waiting.Remove(place)
	l.giveOut() // who stood behind it may fit
	return false
}

func (w *wait) wasGiven() bool {
	select {
	case <-w.given:
		return true
	default:
		return false
	}
}

// giveOut gives room to those who wait, in their order; the lock is held.
func (l *Limiter) giveOut() {
	for e := l.waiting.Front(); e != nil; {
		next, w := e.Next(), e.Value.(*wait)
		switch {
		case l.peerIsFull(w):
		case l.bytes > 0 && l.bytes+w.bytes > l.limits.Bytes:
			return
		default:
			l.waiting.Remove(e)
			l.bytes += w.bytes
			w.conn.held += w.bytes
			w.conn.peer.bytes += w.bytes
			if !w.conn.began.IsZero() { // its pace is judged from here on: it could not send while it waited
				w.conn.began, w.conn.came = time.Now(), 0
			}
			close(w.given)
		}
		e = next
	}
}

func (l *Limiter) peerIsFull(w *wait) bool {
	p := w.conn.peer
	return !w.conn.shared && p.bytes > 0 && p.bytes+w.bytes > l.limits.PeerBytes
}

// slowFor takes out the connection that has to go so that w gets its room: one that holds bytes and whose message
// comes in too slowly, the slowest of w's own peer first, and of others only where w's peer is below its own limit.
// nil if w has its room or nobody is slow. The lock is held.
func (l *Limiter) slowFor(w *wait) (*Conn, Reason) {
	if w.wasGiven() {
		return nil, ""
	}
	now := time.Now()
	var own, other *Conn
	for c := range l.receiving {
		since := now.Sub(c.began)
		if c == w.conn || c.held == 0 || since < l.limits.SlowAfter || c.pace(since) >= float64(l.limits.SlowRate) {
			continue
		}
		switch {
		case c.peer == w.conn.peer:
			own = slower(own, c, now)
		default:
			other = slower(other, c, now)
		}
	}
	if own == nil && !l.peerIsFull(w) {
		own = other
	}
	l.drop(own)
	return own, TooSlow
}

func (c *Conn) pace(since time.Duration) float64 { return float64(c.came) / since.Seconds() }

func slower(a, b *Conn, now time.Time) *Conn {
	if a == nil || b.pace(now.Sub(b.began)) < a.pace(now.Sub(a.began)) {
		return b
	}
	return a
}

// Give gives bytes back that Room gave out. It may be called after the connection was closed.
func (c *Conn) Give(bytes int64) {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	c.held -= bytes
	c.peer.bytes -= bytes
	l.bytes -= bytes
	if c.state == gone {
		l.forget(c)
	}
	l.giveOut()
}
