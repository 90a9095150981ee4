package flow

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// ages knows when what waits was published, without reading it: a service may not read the stream. It notes how far the
// stream was at what time. What lies further was published later, so an age is never told too small by more than the
// two seconds between looks, nor for what was published before this process first looked.
type ages struct {
	mu      sync.Mutex
	samples []mileage // by sequence
	empty   time.Time // when nothing waited last
	growth  uint64
}

// mileage says that whatever the stream holds after seq was published at this time or later.
type mileage struct {
	seq uint64
	at  time.Time
}

// maxSamples bounds what is remembered: above it, every second one of the older half is forgotten.
const maxSamples = 1024

// looked notes that the stream's last sequence was this, by an answer to what was asked at this time.
func (a *ages) looked(last uint64, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last < a.growth { // made again, or its tail is lost
		a.samples = nil
	}
	a.growth = last
	a.noteLocked(last, at)
}

// observe notes that a message at this place was published at this time.
func (a *ages) observe(seq uint64, published time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if seq > 0 {
		a.noteLocked(seq-1, published)
	}
}

func (a *ages) noteLocked(seq uint64, at time.Time) {
	i, known := slices.BinarySearchFunc(a.samples, seq,
		func(m mileage, seq uint64) int { return cmp.Compare(m.seq, seq) })
	switch {
	case known && at.After(a.samples[i].at):
		a.samples[i].at = at
	case !known:
		a.samples = slices.Insert(a.samples, i, mileage{seq, at})
	}
	if len(a.samples) > maxSamples {
		kept := a.samples[:0]
		for i, look := range a.samples {
			if i%2 == 0 || i >= maxSamples/2 {
				kept = append(kept, look)
			}
		}
		a.samples = kept
	}
}

// emptied notes that nothing waited, by an answer to what was asked at this time.
func (a *ages) emptied(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.After(a.empty) {
		a.empty = at
	}
}

// after says since when at most something waits that lies after this place in the stream.
func (a *ages) after(seq uint64) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	since := a.empty
	i, known := slices.BinarySearchFunc(a.samples, seq,
		func(m mileage, seq uint64) int { return cmp.Compare(m.seq, seq) })
	if !known {
		i = max(0, i-1)
	}
	if i < len(a.samples) && a.samples[i].at.After(since) {
		since = a.samples[i].at
	}
	return since
}
