package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFaults does FOOTBRIDGE_FAULTS faults (15) to a system that takes FOOTBRIDGE_FAULT_RATE discharges a second (20),
// in rounds of at most 30, each with a system of its own, and counts after each. FOOTBRIDGE_FAULT_SEED repeats the
// order of another run, and FOOTBRIDGE_FAULT_ONLY, a regular expression, does only the kinds that it matches. Where
// FOOTBRIDGE_FAULT_STATE names a file, what each round has counted is kept in it, and a run
// that was cut goes on behind its last whole round.
func TestFaults(t *testing.T) {
	r, err := openRun(os.Getenv("FOOTBRIDGE_FAULT_STATE"), number(t, "FOOTBRIDGE_FAULTS", 15),
		uint64(number(t, "FOOTBRIDGE_FAULT_SEED", 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("FOOTBRIDGE_FAULT_SEED=%d FOOTBRIDGE_FAULTS=%d, of which %d are done", r.Seed, r.Faults, r.done())
	for r.done() < r.Faults {
		var one round
		if !t.Run(fmt.Sprintf("from %d", r.done()+1), func(t *testing.T) { one = r.next(t) }) && one.Faults == 0 {
			t.Fatal("a round broke off; it is not counted, and the next run begins with it")
		}
		if err := r.keep(one); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("\n" + r.String())
	if wrong := r.wrong(); wrong > 0 {
		t.Errorf("seed %d: %d are not as they must be", r.Seed, wrong)
	}
}

// next does the faults of the next round and counts.
func (r *run) next(t *testing.T) round {
	s, book := newStand(t), newLogbook()
	s.long = r.Faults > roundOf
	size := min(roundOf, r.Faults)
	var only *regexp.Regexp
	if kinds := os.Getenv("FOOTBRIDGE_FAULT_ONLY"); kinds != "" {
		only = regexp.MustCompile(kinds)
	}
	all := plan(rand.New(rand.NewPCG(r.Seed, 0)), s, r.Faults, size, only)
	faults := all[r.done():min(r.done()+size, r.Faults)]
	sending, stop := context.WithCancel(t.Context())
	defer stop()
	senders := startSenders(sending, s, book, number(t, "FOOTBRIDGE_FAULT_RATE", 20))
	pool := s.admin()
	seen := s.watchStops(sending, book)
	pause(t.Context(), 2*time.Second)
	counts := inject(t, s, faults)
	pause(t.Context(), 2*time.Second)
	stop()
	stops := seen()
	s.ready(2 * time.Minute)
	senders.Wait()
	s.logf("no more faults; counting")
	found, err := s.settled(t.Context(), pool, book, 4*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.logf("counted")
	one := round{
		Faults: len(faults), Kinds: counts, Acknowledged: book.count(), Ending: len(book.triggered()),
		Never: int(book.never.Load()), Processes: s.starts(),
		Cuts: int(s.proxy.cuts.Load()), Lost: found.of("lost"), Twice: found.of("twice"), Wrong: found.of("wrong"),
		Stops: stops.long, Unseen: stops.unseen,
	}
	for how, times := range book.other {
		found = append(found, finding{"wrong", "answers that are neither yes nor silence", times, []string{how}})
		one.Wrong += times
	}
	if len(found)+len(stops.told) > 0 {
		t.Errorf("seed %d, faults %d to %d:\n%s%s", r.Seed, r.done()+1, r.done()+len(faults), found,
			strings.Join(stops.told, "\n"))
	}
	return one
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
				counts["service killed"]++ // in its place
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

func (s *stand) starts() (all int) {
	for _, p := range s.procs {
		_, starts := p.process()
		all += starts
	}
	return all
}
