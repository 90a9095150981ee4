package fault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/hl7"
)

// How much comes in while the database is away: so many connections, each with so many messages under way, and so many
// callers of POST /events. Each sends its next message a second after it has an answer.
const (
	outageConnections = 8
	outageUnderWay    = 16
	outageCallers     = 16
)

// roomToGrow is by how much intake may grow while answers are held: what is under way, and no more.
const roomToGrow = 64 << 20

// TestTheDatabaseAwayUnderLoad takes PostgreSQL away under a steady load, once frozen and once dead, for
// FOOTBRIDGE_AWAY_SECONDS (3): over MLLP answers are held and none is negative; over HTTP callers are asked to come
// again; the process does not grow; afterwards everything arrives, and everything acknowledged is there once.
func TestTheDatabaseAwayUnderLoad(t *testing.T) {
	away := time.Duration(number(t, "FOOTBRIDGE_AWAY_SECONDS", 3)) * time.Second
	s := standOf(t, "intake/1", "gateway/1", "journey/1")
	l := &load{stand: s, t: t, http: &http.Client{}}
	sending, stop := context.WithCancel(t.Context())
	defer stop()
	l.start(sending)
	pause(t.Context(), 3*time.Second)
	l.without("frozen", away, s.db.Pause, s.db.Resume)
	l.without("dead", away, s.db.Kill, s.db.Restart)
	stop()
	l.done.Wait()
	if _, starts := s.procs["intake/1"].process(); starts != 1 {
		t.Errorf("intake was started %d times", starts)
	}
	s.logf("counted: %s", s.settleLetters(t, l.book))
}

// without takes the database away for a while and looks at what intake does meanwhile.
func (l *load) without(how string, away time.Duration, leave, back func()) {
	l.t.Helper()
	intake := l.stand.procs["intake/1"]
	taken, again, before := l.acks(), l.again.Load(), intake.memory(l.t)
	leave()
	pause(l.t.Context(), 500*time.Millisecond) // what had been committed is answered
	held, most := l.acks(), before
	for began := time.Now(); time.Since(began) < away; pause(l.t.Context(), 100*time.Millisecond) {
		most = max(most, intake.memory(l.t))
	}
	meanwhile := l.acks() - held
	back()
	returned := time.Now()
	l.answered(returned, time.Minute)
	if taken == 0 || meanwhile != 0 {
		l.t.Errorf("%s: %d messages were acknowledged before, and %d while the database was away", how, taken,
			meanwhile)
	}
	if most-before > roomToGrow {
		l.t.Errorf("%s: intake grew from %d to %d bytes", how, before, most)
	}
	l.stand.logf("%s for %v: %d messages acknowledged before; memory before %.1f, at most %.1f, after %.1f MiB; %d "+
		"times a caller was asked to come again; all that was held was answered %.1f s after it was back",
		how, away, taken, mib(before), mib(most), mib(intake.memory(l.t)), l.again.Load()-again,
		time.Since(returned).Seconds())
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

// memory is what the process holds in memory, in bytes.
func (p *proc) memory(t *testing.T) int {
	t.Helper()
	pid, _ := p.process()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// load is a steady stream of messages, and what their senders noted.
type load struct {
	stand *stand
	t     *testing.T
	http  *http.Client
	done  sync.WaitGroup

	again atomic.Int64 // how often a caller was asked to come again
	mu    sync.Mutex
	book  []*letter
	taken int
	last  map[*letter]time.Time // of those that wait: since when
}

func (l *load) start(ctx context.Context) {
	l.last = map[*letter]time.Time{}
	for range outageConnections {
		client, err := hl7.Dial(ctx, l.stand.procs["intake/1"].mllp, nil)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { _ = client.Close() })
		for range outageUnderWay {
			l.done.Go(func() { l.work(ctx, func(ctx context.Context) *letter { return l.overMLLP(ctx, client) }) })
		}
	}
	for range outageCallers {
		l.done.Go(func() { l.work(ctx, l.overEvents) })
	}
}

// work sends one message after the other until ctx ends; the one under way is finished.
func (l *load) work(ctx context.Context, send func(ctx context.Context) *letter) {
	for ctx.Err() == nil {
		sent := send(context.WithoutCancel(ctx))
		l.mu.Lock()
		sent.acked = true
		l.taken++
		delete(l.last, sent)
		l.mu.Unlock()
		pause(ctx, time.Second)
	}
}

func (l *load) waits(sent *letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book, l.last[sent] = append(l.book, sent), time.Now()
}

func (l *load) acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}

// answered waits until nobody waits any more for what was sent before then.
func (l *load) answered(then time.Time, within time.Duration) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), within)
	defer cancel()
	left := 0
	if err := until(ctx, 20*time.Millisecond, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		left = 0
		for _, since := range l.last {
			if since.Before(then) {
				left++
			}
		}
		return left == 0
	}); err != nil {
		l.t.Fatalf("%v after the database was back %d messages have no answer", within, left)
	}
}

// overMLLP sends once and waits for as long as it takes: only one answer will do.
func (l *load) overMLLP(ctx context.Context, client *hl7.Client) *letter {
	m := visitMessages("OUTAGE", l.stand.now(), false)[0]
	sent := &letter{door: "mllp", controls: []string{m.id}}
	l.waits(sent)
	raw, err := client.Send(ctx, m.bytes)
	if err != nil {
		l.t.Errorf("over MLLP: %v", err)
		return sent
	}
	if ack, err := hl7.ParseAck(raw); err != nil || ack.Code != "AA" || ack.ControlID != m.id {
		l.t.Errorf("over MLLP: answered %q", raw)
	}
	return sent
}

// overEvents sends the same event until it is taken; meanwhile it may only be asked to come again.
func (l *load) overEvents(ctx context.Context) *letter {
	m := reportVisit(l.stand.now())
	sent := &letter{door: "events", controls: []string{m.id}, resends: true}
	l.waits(sent)
	r := &reporter{stand: l.stand, http: l.http}
	for {
		response, err := r.ask(ctx, m.bytes, "application/cloudevents+json")
		if err != nil {
			l.t.Errorf("over HTTP: %v", err)
			return sent
		}
		answer, _ := io.ReadAll(response.Body) // what counts is the status
		_ = response.Body.Close()
		if response.StatusCode == http.StatusAccepted {
			return sent
		}
		after, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || (response.StatusCode != http.StatusServiceUnavailable &&
			response.StatusCode != http.StatusTooManyRequests) {
			l.t.Errorf("over HTTP: answered %d, Retry-After %q: %s", response.StatusCode,
				response.Header.Get("Retry-After"), answer)
			return sent
		}
		l.again.Add(1)
		pause(ctx, time.Duration(after)*time.Second)
	}
}
