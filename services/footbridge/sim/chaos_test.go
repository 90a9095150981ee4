package sim

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"footbridge/libs/hl7"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

// breaking notes what it is told to break.
type breaking struct{ all []string }

func (b *breaking) Break(_ context.Context, how string, _ int) error {
	b.all = append(b.all, how)
	return nil
}

func TestNothingIsBrokenOfASystemThatIsNotMarkedAsATest(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "anything"}).Admin()
	b := &breaking{}
	cfg := Config{System: &planted{}, Database: db, Scenario: scenario(t, 1, 1, 1), Organisation: "RXX", Breaker: b}
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrNoTest) || len(b.all) > 0 {
		t.Errorf("it ended with %v and broke %v", err, b.all)
	}
	if err := MarkAsTest(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := CheckTest(t.Context(), db); err != nil {
		t.Errorf("it is marked: %v", err)
	}
}

func TestChaosBreaksTheSameInEveryRunOfASeed(t *testing.T) {
	t.Parallel()
	var runs [][]string
	for range 2 {
		b := &breaking{}
		r := among(t, &planted{})
		r.cfg.Breaker = b
		for hour := range 24 * 30 {
			r.now = (r.cfg.Scenario.first).At(hour, 0, r.zone)
			if err := r.breaks(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		runs = append(runs, b.all)
	}
	for _, how := range Breaks {
		if !slices.Contains(runs[0], how) {
			t.Errorf("in 30 days nothing was broken by %s", how)
		}
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("one run broke %v, another %v", runs[0], runs[1])
	}
	r := among(t, &planted{})
	if err := r.breaks(t.Context()); err != nil || len(r.report.Broken) > 0 || r.leaps(5) > 0 {
		t.Errorf("without chaos %v was broken, %v", r.report.Broken, err)
	}
}

func TestTheClockLeapsOnceInALongRunWithChaos(t *testing.T) {
	t.Parallel()
	r := among(t, &planted{})
	r.cfg.Breaker = &breaking{}
	days, leapt := 0, 0
	for n := 0; n < r.cfg.Scenario.days; n++ {
		if by := r.leaps(n); by > 0 {
			leapt, n = leapt+1, n+int(by)
		}
		days++
	}
	if leapt != 1 || days != r.cfg.Scenario.days-leap {
		t.Errorf("it leapt %d times, and %d days were lived through", leapt, days)
	}
}

// TestWithChaosTheHospitalSendsTwiceAndAgain: every message arrives, some twice, each time as it was.
func TestWithChaosTheHospitalSendsTwiceAndAgain(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan []byte, 10_000)
	busy := make(chan struct{}, 1)
	busy <- struct{}{}
	server := &hl7.Server{Handler: func(_ context.Context, frame []byte) ([][]byte, error) {
		m, err := hl7.Parse(frame)
		if err != nil {
			return nil, err
		}
		select {
		case <-busy: // the first is not taken yet
			return m.Acks(hl7.Ack{Outcome: hl7.Failed, Text: "not now"}), nil
		default:
		}
		came <- frame
		return m.Acks(hl7.Ack{Outcome: hl7.Accepted}), nil
	}}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Close)
	r := among(t, &planted{})
	r.cfg.System, r.cfg.Breaker = at{&planted{}, listener.Addr().String()}, &breaking{}
	t.Cleanup(r.hospital.hangUp)
	sent := 0
	for _, m := range r.world.Messages {
		if m.Trigger == "report" {
			continue
		}
		sent++
		if err := r.hospital.sendHL7(t.Context(), &r.hospital.lines[0], m); err != nil {
			t.Fatal(err)
		}
	}
	close(came)
	times := map[string]int{}
	total := 0
	for frame := range came {
		times[string(bytes.TrimSpace(frame))]++
		total++
	}
	again := r.report.Broken["message-doubled"] + r.report.Broken["answer-lost"]
	if len(times) != sent || total != sent+again || len(r.report.Refused) > 0 {
		t.Errorf("%d of %d messages came, %d times in all, with %v; refused %v", len(times), sent, total,
			r.report.Broken, r.report.Refused)
	}
}

// at is a system that takes messages at an address.
type at struct {
	*planted
	mllp string
}

func (a at) MLLP() string { return a.mllp }
