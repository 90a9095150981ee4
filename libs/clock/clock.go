// Package clock gives the time to those who may ask for it: the doors and the loops. Rules never ask; they get
// the time as a value. A clock is the real one, or the real one moved by an offset that every process of a test
// system shares.
package clock

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"
)

// Clock tells the time, in UTC.
type Clock interface {
	Now() time.Time
}

type real struct{}

func (real) Now() time.Time { return time.Now().UTC() }

// Real is the machine's clock.
func Real() Clock { return real{} }

// Shifted is a clock that runs ahead of (or behind) the real one by an offset that can be changed while it runs.
// The zero value has no offset.
type Shifted struct {
	offset atomic.Int64

	mu        sync.Mutex
	sets      int           // how often it was set
	instants  int           // how many instants a held clock of one process alone has shown; 0 of any other
	found     int           // looks that found something, since it was first set
	moved     chan struct{} // closed by the next Set; nil while nobody waits for it
	followers map[*Follower]struct{}
}

// Now returns the real time plus the offset.
func (s *Shifted) Now() time.Time { return time.Now().UTC().Add(time.Duration(s.offset.Load())) }

// Set moves the clock to run by offset ahead of the real one; a negative offset runs behind. Followers look again.
func (s *Shifted) Set(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset.Store(int64(offset))
	s.sets++
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// Offset returns how far the clock is ahead of the real one.
func (s *Shifted) Offset() time.Duration { return time.Duration(s.offset.Load()) }

// Machine is the time of the machine's own clock.
func (s *Shifted) Machine() time.Time { return time.Now().UTC() }

// Follow makes a follower, which counts for Settled until it leaves.
func (s *Shifted) Follow() *Follower {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &Follower{clock: s, done: -1}
	if s.followers == nil {
		s.followers = map[*Follower]struct{}{}
	}
	s.followers[f] = struct{}{}
	return f
}

// Machine is the clock of the machine itself: promises to people follow the clock that a test moves, while rates,
// leases and signatures follow this one.
func Machine(c Clock) Clock {
	if moved, ok := c.(interface{ Machine() time.Time }); ok {
		return machine(moved.Machine)
	}
	return c
}

type machine func() time.Time

func (now machine) Now() time.Time { return now() }

// heldSlower is how many times slower than real time a held clock goes.
const heldSlower = 1000

// Held is a clock that shows the instant it was moved to, and goes on from there by a thousandth of real time: what
// happens keeps its order, and a slow machine makes nothing late.
//
// Where one process alone works by it (NewHeldAlone), a loop that has found nothing at an instant, and in whose service
// nothing was written since, need not look again at that instant: Follower.Instant.
type Held struct {
	Shifted
	shows atomic.Pointer[heldInstant]
}

type heldInstant struct{ at, since time.Time }

// NewHeld makes a clock that shows at.
func NewHeld(at time.Time) *Held {
	h := &Held{}
	h.shows.Store(&heldInstant{at.UTC(), time.Now()})
	return h
}

// NewHeldAlone makes a clock that shows at, for one process alone: nobody else writes what its loops look at.
func NewHeldAlone(at time.Time) *Held {
	h := NewHeld(at)
	h.instants = 1
	return h
}

// Now is the instant that the clock was moved to, and a little.
func (h *Held) Now() time.Time {
	shows := h.shows.Load()
	return shows.at.Add(time.Since(shows.since) / heldSlower)
}

// MoveTo moves the clock to an instant; it never goes back. Followers look again, also where it stays.
func (h *Held) MoveTo(at time.Time) {
	if at.After(h.Now()) {
		h.shows.Store(&heldInstant{at.UTC(), time.Now()})
		h.mu.Lock()
		if h.instants > 0 {
			h.instants++
		}
		h.mu.Unlock()
	}
	h.Set(0)
}

// Settled says whether every follower has looked since the clock was last set.
func (s *Shifted) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.followers {
		if f.done != s.sets {
			return false
		}
	}
	return true
}

// Found is how many looks of followers have found something to do: where it stays as it was while all look, nothing is
// due.
func (s *Shifted) Found() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// Follower is a loop that looks at intervals of real time for what has fallen due. Where the clock is moved it looks at
// once, and says when it has. A nil one follows the real clock, which nobody moves.
type Follower struct {
	clock         *Shifted
	looking, done int
}

// FollowerOf makes a follower of a clock; nil of one that nobody moves.
func FollowerOf(c Clock) *Follower {
	if moved, ok := c.(interface{ Follow() *Follower }); ok {
		return moved.Follow()
	}
	return nil
}

// Look begins a look, and returns what is closed when the clock is moved after it.
func (f *Follower) Look() <-chan struct{} {
	if f == nil {
		return nil
	}
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	if f.clock.moved == nil {
		f.clock.moved = make(chan struct{})
	}
	f.looking = f.clock.sets
	return f.clock.moved
}

// Instant numbers the instants that the clock is moved to; 0 where it goes on by itself, or other processes work by it.
func (f *Follower) Instant() int {
	if f == nil {
		return 0
	}
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	return f.clock.instants
}

// Found notes that a look found something to do.
func (f *Follower) Found() {
	if f == nil {
		return
	}
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.found++
}

// Looked ends a look that found nothing more.
func (f *Follower) Looked() {
	if f == nil {
		return
	}
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.done = f.looking
}

// Leave ends the following.
func (f *Follower) Leave() {
	if f == nil {
		return
	}
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	delete(f.clock.followers, f)
}

// newest is the time part of the id that NewID made last: milliseconds since 1970, then 12 bits of their fraction.
var newest atomic.Uint64

// LowestID and HighestID are before and after every id, in the order in which ids sort.
const (
	LowestID  = "00000000-0000-0000-0000-000000000000"
	HighestID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// NewID mints a UUIDv7 (RFC 9562) for the instant t: 48 bits of milliseconds since 1970, 12 bits of the fraction of
// the millisecond (method 3 of its section 6.2), then randomness. Ids of journeys, messages and steps are made here:
// they fall into the day partition of t, and those that one process makes in turn, each for its own now, sort in that
// turn. Of more than 4,096 for one instant the order is lost.
func NewID(t time.Time) string {
	at := uint64(t.UnixMilli())<<12 | uint64(t.Nanosecond()%int(time.Millisecond))*4096/uint64(time.Millisecond)
	for {
		last := newest.Load()
		if last>>12 == at>>12 && last >= at && last&0xfff != 0xfff {
			at = last + 1
		}
		if newest.CompareAndSwap(last, at) {
			return NewOrderedID(t, int(at&0xfff))
		}
	}
}

// NewOrderedID mints a UUIDv7 for t that sorts by place among those of the same millisecond: the events of one
// transaction keep their order. place counts from 0; from 4,096 on it starts again, and order is lost.
func NewOrderedID(t time.Time, place int) string {
	var id [16]byte
	_, _ = cryptorand.Read(id[8:]) // never fails since Go 1.24: it aborts the program instead
	ms := uint64(t.UnixMilli())
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms))
	binary.BigEndian.PutUint16(id[6:], uint16(place)&0x0fff|0x7000)
	id[8] = id[8]&0x3f | 0x80
	return format(id)
}

// NewRandomID mints a UUIDv4: an id that tells nothing at all, for people.
func NewRandomID() string {
	var id [16]byte
	_, _ = cryptorand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return format(id)
}

// IsID says whether a text is a UUID of any version as ids are written here: 36 signs, in lower case.
func IsID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// IDTime returns the instant in a UUIDv7, to the millisecond, and whether id is one.
func IDTime(id string) (time.Time, bool) {
	if len(id) != 36 || id[14] != '7' || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return time.Time{}, false
	}
	if _, err := hex.DecodeString(id[14:18] + id[19:23] + id[24:]); err != nil {
		return time.Time{}, false
	}
	var b [6]byte
	if _, err := hex.Decode(b[:4], []byte(id[:8])); err != nil {
		return time.Time{}, false
	}
	if _, err := hex.Decode(b[4:], []byte(id[9:13])); err != nil {
		return time.Time{}, false
	}
	ms := uint64(binary.BigEndian.Uint32(b[:4]))<<16 | uint64(binary.BigEndian.Uint16(b[4:]))
	return time.UnixMilli(int64(ms)).UTC(), true
}

// FloorID is the least UUIDv7 of an instant's millisecond: all ids of that instant or later are at or above it.
func FloorID(t time.Time) string {
	ms := uint64(t.UnixMilli())
	id := [16]byte{6: 0x70, 8: 0x80}
	binary.BigEndian.PutUint32(id[:4], uint32(ms>>16))
	binary.BigEndian.PutUint16(id[4:6], uint16(ms))
	return format(id)
}

func format(id [16]byte) string {
	var s [36]byte
	hex.Encode(s[0:8], id[0:4])
	s[8] = '-'
	hex.Encode(s[9:13], id[4:6])
	s[13] = '-'
	hex.Encode(s[14:18], id[6:8])
	s[18] = '-'
	hex.Encode(s[19:23], id[8:10])
	s[23] = '-'
	hex.Encode(s[24:36], id[10:16])
	return string(s[:])
}
