// Package peers bounds what outside parties may take of a listener: connections, and bytes of memory for what they
// have begun to send. It imports the standard library only, and knows no protocol.
//
// In comes a net.Listener; out goes one whose connections are *Conn. Who serves them says how each stands: Admit once
// it has shown that it is in earnest (after a TLS handshake, or its first byte), Busy and Idle around each message or
// request, Room before it takes memory. Promises:
//   - no more than Limits.Connections are admitted, nor more than Limits.PeerConnections of one peer. Over that, the
//     connection that has been idle the longest is closed for the new one, the pressing peer's own first; where none
//     is idle the new one is refused. A busy connection is never closed for another one's sake, unless it is slow
//     while others wait for memory;
//   - what has not been admitted yet holds no such place, and is bounded apart;
//   - Room never gives out more than Limits.Bytes at a time, nor more than Limits.PeerBytes to one peer. What is over
//     waits its turn; whoever sends slower than Limits.SlowRate while others wait is closed, its own peer's first;
//   - every refusal is counted by its reason.
//
// A peer is an IPv4 address, or the first 64 bits of an IPv6 one, which one household or server has to itself.
package peers

import (
	"container/list"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Reason is why something was refused or closed.
type Reason string

// The reasons, as metrics show them.
const (
	TooMany          Reason = "connections"      // all places are taken by busy connections
	TooManyOfPeer    Reason = "peer-connections" // all of this peer's are
	TooManyBeginning Reason = "beginnings"       // too many have connected and shown nothing; the oldest of them goes
	IdleMadeWay      Reason = "idle-made-way"    // idle the longest when another needed its place
	TooSlow          Reason = "slow"             // sent slower than agreed, or not all in time
	NoRoom           Reason = "no-room"          // waited for memory for too long
	HandshakeFailed  Reason = "handshake"        // no TLS handshake in time, or a failed one
)

// Limits are what may be taken. Zero values mean the defaults named.
type Limits struct {
	// Connections are those admitted, all together (1024), and PeerConnections those of one peer (a quarter).
	Connections, PeerConnections int
	// Beginning is how many may have connected without being admitted yet, all together (a quarter of Connections).
	// One peer may have half of them.
	Beginning int
	// Bytes is what Room gives out, all together (64 MiB), and PeerBytes what it gives to one peer (a quarter).
	Bytes, PeerBytes int64
	// SlowRate is how many bytes a second a message must come in with while others wait for room (16 KiB), once it
	// has been coming for SlowAfter (2 s).
	SlowRate  int64
	SlowAfter time.Duration
	// Shared are addresses behind which many peers stand, such as a load balancer's: the limits of one peer do not
	// hold for them, those of all do.
	Shared []netip.Prefix
	// Refused is called for everything that is refused or closed here, from many goroutines; nil: nobody counts.
	Refused func(Reason)
}

func (l Limits) withDefaults() Limits {
	l.Connections = usual(l.Connections, 1024)
	l.PeerConnections = min(usual(l.PeerConnections, max(1, l.Connections/4)), l.Connections)
	l.Beginning = usual(l.Beginning, max(2, l.Connections/4))
	l.Bytes = usual(l.Bytes, 64<<20)
	l.PeerBytes = min(usual(l.PeerBytes, max(1, l.Bytes/4)), l.Bytes)
	l.SlowRate = usual(l.SlowRate, 16<<10)
	l.SlowAfter = usual(l.SlowAfter, 2*time.Second)
	if l.Refused == nil {
		l.Refused = func(Reason) {}
	}
	return l
}

func usual[T int | int64 | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

// Limiter keeps account of the connections of one or more listeners.
type Limiter struct {
	limits Limits

	mu        sync.Mutex
	peers     map[netip.Prefix]*peer
	beginning *list.List // of *Conn, the longest waiting first
	idle      *list.List // of *Conn, the longest idle first
	admitted  int
	bytes     int64
	receiving map[*Conn]struct{} // those in the middle of a message
	waiting   *list.List         // of *wait, in the order they came
}

// peer is what one peer holds.
type peer struct {
	beginning, admitted int
	bytes               int64
}

// New makes a Limiter without connections.
func New(l Limits) *Limiter {
	return &Limiter{limits: l.withDefaults(), peers: map[netip.Prefix]*peer{}, beginning: list.New(), idle: list.New(),
		receiving: map[*Conn]struct{}{}, waiting: list.New()}
}

// InUse is what is in use at one moment.
type InUse struct {
	Beginning, Admitted, Idle int
	Bytes                     int64
	Waiting                   int // for room
}

// InUse says what is in use now.
func (l *Limiter) InUse() InUse {
	l.mu.Lock()
	defer l.mu.Unlock()
	return InUse{Beginning: l.beginning.Len(), Admitted: l.admitted, Idle: l.idle.Len(), Bytes: l.bytes,
		Waiting: l.waiting.Len()}
}

// Refuse counts a refusal that whoever serves the connections decided.
func (l *Limiter) Refuse(why Reason) { l.limits.Refused(why) }

// Listener is ln with its connections under these limits. Each that Accept returns is a *Conn.
func (l *Limiter) Listener(ln net.Listener) net.Listener { return &listener{Listener: ln, limiter: l} }

type listener struct {
	net.Listener
	limiter *Limiter
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // whoever serves compares it with net.ErrClosed
	}
	return l.limiter.begin(nc), nil
}

// PeerOf is the peer that "host:port" belongs to: its address, or the /64 it is in. What is no IP address is one peer.
func PeerOf(hostport string) netip.Prefix {
	parsed, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Prefix{}
	}
	ip := parsed.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// Shared says whether "host:port" is one of the addresses that many peers stand behind.
func Shared(addresses []netip.Prefix, hostport string) bool {
	parsed, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return false
	}
	ip := parsed.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// begin takes a connection that has shown nothing yet. Where too many of them wait, the one that has waited longest
// goes, the peer's own first.
func (l *Limiter) begin(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, limiter: l}
	if addr := nc.RemoteAddr(); addr != nil {
		c.name, c.shared = PeerOf(addr.String()), Shared(l.limits.Shared, addr.String())
	}
	l.mu.Lock()
	if l.peers[c.name] == nil {
		l.peers[c.name] = &peer{}
	}
	c.peer = l.peers[c.name]
	var made *Conn
	switch {
	case !c.shared && c.peer.beginning >= max(1, l.limits.Beginning/2):
		made = oldest(l.beginning, c.peer)
	case l.beginning.Len() >= l.limits.Beginning:
		if made = oldest(l.beginning, c.peer); made == nil {
			made = oldest(l.beginning, nil)
		}
	}
	l.drop(made)
	c.peer.beginning++
	c.place = l.beginning.PushBack(c)
	l.mu.Unlock()
	made.closeFor(TooManyBeginning)
	return c
}

// oldest is the first connection in a list, of one peer where that is given; nil if there is none.
func oldest(in *list.List, of *peer) *Conn {
	for e := in.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*Conn); of == nil || c.peer == of {
			return c
		}
	}
	return nil
}

// drop takes a connection out of all accounts but that of its bytes, which who serves it gives back; the lock is held.
func (l *Limiter) drop(c *Conn) {
	if c == nil || c.state == gone {
		return
	}
	switch c.state {
	case beginning:
		l.beginning.Remove(c.place)
		c.peer.beginning--
	case idle:
		l.idle.Remove(c.place)
		fallthrough
	case busy:
		l.admitted--
		c.peer.admitted--
	}
	delete(l.receiving, c)
	c.state, c.place = gone, nil
	l.forget(c)
}

// forget drops a peer of which nothing is left; the lock is held.
func (l *Limiter) forget(c *Conn) {
	if *c.peer == (peer{}) && l.peers[c.name] == c.peer {
		delete(l.peers, c.name)
	}
}
