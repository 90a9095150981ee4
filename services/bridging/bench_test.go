package bridging

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
)

// BenchmarkABatchIsApplied applies the three events that start a plan, without a database: decoding, applying,
// comparing what is known before and after each, reconciling, and queueing what is written.
func BenchmarkABatchIsApplied(b *testing.B) {
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	events := said(clock.NewID(now)).events[:3]
	for b.Loop() {
		records := map[string]*record{events[0].Subject: store.Fresh(events[0].Subject)}
		if _, err := s.handler().Apply(&pgx.Batch{}, now, records, events); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnEventIsNoticedToChangeNothing is the comparison alone: the values of what is known, twice.
func BenchmarkAnEventIsNoticedToChangeNothing(b *testing.B) {
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	events := said(clock.NewID(now)).events[:3]
	r := store.Fresh(events[0].Subject)
	if _, err := s.handler().Apply(&pgx.Batch{}, now, map[string]*record{r.Journey: r}, events); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var before flow.Snapshot
		if changed, err := before.Changed(&r.State, func() error { return nil }); changed || err != nil {
			b.Fatal(changed, err)
		}
	}
}
