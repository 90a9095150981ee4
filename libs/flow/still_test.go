package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestADurableThatStandsStillForAMinuteIsTold: by a clock of the test, from the moment something waits.
func TestADurableThatStandsStillForAMinuteIsTold(t *testing.T) {
	t.Parallel()
	f := &Flow{cfg: Config{Service: "answerer", Subjects: []string{"footbridge.>"}, BatchSize: 1, Workers: 1}}
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after              time.Duration
		delivered, waiting uint64
		still              bool
	}{
		{0, 5, 0, false},
		{time.Hour, 5, 0, false},                    // a quiet hour
		{time.Hour + time.Second, 5, 3, false},      // something waits
		{time.Hour + 59*time.Second, 5, 4, false},   // for less than a minute
		{time.Hour + 62*time.Second, 5, 4, true},    // for more
		{2 * time.Hour, 5, 4, true},                 // and it stays told
		{2*time.Hour + time.Second, 6, 3, false},    // one is delivered
		{2*time.Hour + 63*time.Second, 6, 3, true},  // and no more
		{2*time.Hour + 64*time.Second, 6, 0, false}, // somebody took the rest away
		{2*time.Hour + 65*time.Second, 6, 1, false}, // the next begins to wait only now
		{2*time.Hour + 64*time.Second + StillFor, 6, 1, false},
	} {
		info := &jetstream.ConsumerInfo{NumPending: c.waiting,
			Config: jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: f.cfg.Subjects,
				MaxDeliver: -1}}
		info.Delivered.Consumer = c.delivered
		err := f.judge(info, noon.Add(c.after))
		if told := err != nil && strings.Contains(err.Error(), "has delivered nothing"); told != c.still {
			t.Errorf("after %v: %v", c.after, err)
		}
	}
}
