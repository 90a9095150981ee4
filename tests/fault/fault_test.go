package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// TestFaults does FOOTBRIDGE_FAULTS faults (15) to a system that takes FOOTBRIDGE_FAULT_RATE discharges a second (20),
// and counts afterwards. FOOTBRIDGE_FAULT_SEED repeats the order of another run.
func TestFaults(t *testing.T) {
	count := number(t, "FOOTBRIDGE_FAULTS", 15)
	seed := uint64(number(t, "FOOTBRIDGE_FAULT_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("FOOTBRIDGE_FAULT_SEED=%d FOOTBRIDGE_FAULTS=%d", seed, count)
	s, book := newStand(t), newLogbook()
	sending, stop := context.WithCancel(t.Context())
	defer stop()
	senders := startSenders(sending, s, book, number(t, "FOOTBRIDGE_FAULT_RATE", 20))
	pause(t.Context(), 2*time.Second)
	counts := inject(t, s, plan(rand.New(rand.NewPCG(seed, 0)), s, count))
	pause(t.Context(), 2*time.Second)
	stop()
	s.ready(2 * time.Minute)
	senders.Wait()
	s.logf("no more faults; counting")
	found, err := s.settled(t.Context(), s.admin(), book, 4*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.logf("counted")
	t.Log("\n" + tableOf(counts, book, s, found))
	if len(found) > 0 {
		t.Errorf("seed %d:\n%s", seed, found)
	}
	for how, times := range book.other {
		t.Errorf("%d times answered %s", times, how)
	}
}

// startSenders starts the three kinds of senders: two hospitals that send again until they are answered, one with all
// messages of each visit; one that never sends again; and one that reports over HTTP.
func startSenders(ctx context.Context, s *stand, book *logbook, rate int) *sync.WaitGroup {
	senders := &sync.WaitGroup{}
	visits := make(chan time.Time)
	senders.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		defer close(visits)
		for ctx.Err() == nil {
			select {
			case at := <-tick.C:
				select {
				case visits <- at:
				case <-ctx.Done():
				}
			case <-ctx.Done():
			}
		}
	})
	for i := range 4 {
		again := &hospital{stand: s, book: book, name: "RESENDS", resends: true, turn: i}
		whole := &hospital{stand: s, book: book, name: "WHOLE", resends: true, whole: true, turn: i}
		never := &hospital{stand: s, book: book, name: "NEVER", turn: i}
		http := &reporter{stand: s, book: book, http: &http.Client{}, turn: i}
		senders.Go(func() { again.work(ctx, visits) })
		senders.Go(func() { whole.work(ctx, visits) })
		senders.Go(func() { never.work(ctx, visits) })
		senders.Go(func() { http.work(ctx, visits) })
	}
	return senders
}

// inject does the faults, several at once, and returns how often each kind was done.
func inject(t *testing.T, s *stand, faults []injection) map[string]int {
	t.Helper()
	counts, mu := map[string]int{}, sync.Mutex{}
	var under sync.WaitGroup
	room := make(chan struct{}, 3)
	for i, f := range faults {
		room <- struct{}{}
		s.logf("%d/%d %s: %s", i+1, len(faults), f.kind, f.target)
		under.Go(func() {
			defer func() { <-room }()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := f.do(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, errNotReached):
				counts["service killed"]++
				s.logf("%s: %s: %v", f.kind, f.target, err)
			case err != nil:
				t.Errorf("%s of %s: %v", f.kind, f.target, err)
			default:
				counts[f.kind]++
			}
		})
		pause(t.Context(), 2*time.Second)
	}
	under.Wait()
	return counts
}

// tableOf is the table of a run.
func tableOf(counts map[string]int, book *logbook, s *stand, found findings) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	total := 0
	fmt.Fprintln(w, "fault\tcount")
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\n", kind, counts[kind])
		total += counts[kind]
	}
	fmt.Fprintf(w, "all\t%d\n", total)
	fmt.Fprintf(w, "\t\nacknowledged messages\t%d\nof them ending a visit in scope\t%d\nnot acknowledged and not sent again\t%d\n", book.count(), len(book.triggered()), book.never.Load())
	fmt.Fprintf(w, "processes started\t%d\ncommits without an answer\t%d\n", s.starts(), s.proxy.cuts.Load())
	fmt.Fprintf(w, "lost\t%d\ntwice\t%d\notherwise wrong\t%d\n", found.of("lost"), found.of("twice"), found.of("wrong"))
	_ = w.Flush() // to memory
	return b.String()
}

func (s *stand) starts() (all int) {
	for _, p := range s.procs {
		_, starts := p.process()
		all += starts
	}
	return all
}
