package flow

import (
	"slices"
	"sync"
	"time"
)

// position is the last message of a stream that somebody knows to have been there: to verify, by asking the
// stream, that its tail has not been lost since. epoch counts the connections to the broker: what was seen over a
// later one proves nothing about what was seen before.
type position struct {
	seq     uint64
	id      string
	subject string
	epoch   uint64
	stored  time.Time // when the broker stored it; zero where the broker has not told
}

// tracker knows, for one writer, which of its events have been settled: acknowledged by the broker, or never
// committed. prefix is the largest n up to which all are. Only the writer's own process can know this, because
// only it knows which transactions are still under way.
type tracker struct {
	writer      int64
	incarnation int64 // of the schema when the writer was made

	mu       sync.Mutex
	next     int64  // the n to give out next; n starts at 1
	prefix   int64  // all n up to here are settled
	resolved []fate // settled[i] is for n = prefix+1+i
	oldest   time.Time
	last     []position     // the furthest message seen in the stream over each connection since it was last looked at
	history  []mark         // how far the prefix was, oldest first; noted at a beat that found it changed
	sweep    bool           // something was not acknowledged: publish again from the outbox
	adopted  bool           // taken over from a writer that stood still; gives out no n
	ended    int64          // every transaction with an n up to here has ended: what is not in the outbox is void
	refused  map[int64]bool // committed, and the broker does not take them
	floor    int64          // acknowledged so long before a look that found it that it is on the broker's disk
	drained  time.Time      // since when an adopted writer has had nothing left
}

// fate is what became of one number.
type fate byte

const (
	open         fate = iota // its transaction is under way, or its event has not been acknowledged
	acknowledged             // its event is in the stream
	void                     // it was never committed
)

// mark is how far the prefix was at an instant of the process's own monotonic clock.
type mark struct {
	at     time.Time
	prefix int64
}

func newTracker(writer, prefix int64) *tracker {
	return &tracker{writer: writer, next: prefix + 1, prefix: prefix, floor: prefix}
}

// allocate gives out the next count numbers and returns the first.
func (t *tracker) allocate(count int, now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.next
	t.next += int64(count)
	if len(t.resolved) == 0 {
		t.oldest = now
	}
	t.resolved = append(t.resolved, make([]fate, count)...)
	return first
}

// void says that n was never committed.
func (t *tracker) void(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resolveLocked(n, void)
}

// voidAll says that none of these was committed.
func (t *tracker) voidAll(out []outgoing) {
	for _, e := range out {
		t.void(e.n)
	}
}

func (t *tracker) isAdopted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.adopted
}

// retire makes this a writer that gives out no more numbers, all of whose transactions have ended.
func (t *tracker) retire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adopted, t.sweep = true, true
	t.ended = t.next - 1
}

func (t *tracker) resolveLocked(n int64, how fate) {
	i := n - t.prefix - 1
	if i < 0 || i >= int64(len(t.resolved)) {
		return
	}
	t.resolved[i] = how
	if i != 0 {
		return
	}
	done := 0
	for done < len(t.resolved) && t.resolved[done] != open {
		done++
	}
	t.prefix += int64(done)
	t.resolved = t.resolved[done:]
	t.oldest = time.Now()
	if len(t.resolved) == 0 {
		t.resolved = nil
	}
}

// acknowledged settles n and remembers the furthest message seen in the stream. A broker that has come back without
// its last messages gives their sequences out again, so a position of an earlier connection stays until it has been
// asked for (looked).
func (t *tracker) acknowledged(n int64, at position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resolveLocked(n, acknowledged)
	newest := len(t.last) - 1
	switch {
	case newest < 0 || at.epoch > t.last[newest].epoch:
		t.last = append(t.last, at)
	case at.epoch == t.last[newest].epoch && at.seq > t.last[newest].seq:
		t.last[newest] = at
	}
}

// positions are what a look must find in the stream.
func (t *tracker) positions() []position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last)
}

// looked says that these have been found in the stream: of those of earlier connections, no proof is needed any more.
func (t *tracker) looked(found []position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(found) == 0 {
		return
	}
	newest := found[len(found)-1].epoch
	t.last = slices.DeleteFunc(t.last, func(p position) bool { return p.epoch < newest })
}

// forget asks for no proof of this position any more.
func (t *tracker) forget(p position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = slices.DeleteFunc(t.last, func(known position) bool { return known == p })
}

func (t *tracker) isResolved(n int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := n - t.prefix - 1
	return i < 0 || (i < int64(len(t.resolved)) && t.resolved[i] != open)
}

// askSweep notes that an event was not acknowledged.
func (t *tracker) askSweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep = true
}

func (t *tracker) takeSweep() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := t.sweep
	t.sweep = false
	return asked
}

// beat notes how far things are now, and returns how far this writer is safely published: what had been acknowledged
// lag or longer before looked, when the stream was last found to hold all that it had acknowledged. Time alone proves
// nothing: while the broker is away nobody knows what it will have lost when it comes back.
func (t *tracker) beat(now, looked time.Time, lag time.Duration) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.history) - 1; last < 0 || t.history[last].prefix != t.prefix {
		t.history = append(t.history, mark{now, t.prefix})
	}
	for len(t.history) > 1 && looked.Sub(t.history[1].at) >= lag {
		t.history = t.history[1:]
	}
	if looked.Sub(t.history[0].at) >= lag {
		t.floor = max(t.floor, t.history[0].prefix)
	}
	return t.floor
}

// rewind forgets every acknowledgement that may not have reached the broker's disk, because the stream has lost its
// tail: those events are to be published again.
func (t *tracker) rewind() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if back := t.prefix - t.floor; back > 0 {
		t.ended = max(t.ended, t.prefix)
		t.resolved = append(make([]fate, back), t.resolved...)
		t.prefix = t.floor
		t.oldest = time.Now()
	}
	for i := range t.resolved {
		if t.resolved[i] == acknowledged {
			t.resolved[i] = open
		}
	}
	t.last, t.history = nil, nil
	t.sweep = true
}

// state is what beats and metrics look at.
func (t *tracker) state() (prefix int64, unsettled int, oldest time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prefix, len(t.resolved), t.oldest
}

// extend makes room for the numbers of an adopted writer up to n, which may have been committed.
func (t *tracker) extend(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < t.next {
		return
	}
	t.resolved = append(t.resolved, make([]fate, n-t.next+1)...)
	t.next = n + 1
	t.ended = n
}

// swept says that a sweep has found and published every event in the outbox: what it has not found, and whose
// transaction has ended, was never committed.
func (t *tracker) swept() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := t.prefix + 1; n <= t.ended; n++ {
		if !t.refused[n] {
			t.resolveLocked(n, void)
		}
	}
}

// refuse notes that the broker does not take an event that was committed: it stays unsettled, so that it is never
// dropped and its age is told, and is tried again by the next sweep.
func (t *tracker) refuse(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = map[int64]bool{}
	}
	t.refused[n] = true
}
