package flow_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/testkit"
)

// TestAnEventAboveTheBrokersLimitIsRefusedBeforeTheCommit: by the connection's limit, and by the stream's own.
func TestAnEventAboveTheBrokersLimitIsRefusedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	emit := func(bytes int) error {
		return asker.Do(t.Context(), func(tx *flow.Tx) error {
			tx.Emit(flow.Emission{Type: askedType, Journey: "large", Version: 1,
				Data: thing{strings.Repeat("x", bytes)}})
			return nil
		})
	}
	if err := emit(1 << 20); !errors.Is(err, flow.ErrTooLarge) {
		t.Fatalf("a megabyte: %v", err)
	}
	if got := count(t, asker.pool, `select count(*) from outbox`); got != 0 {
		t.Fatalf("%d events were committed", got)
	}
	js := w.admin()
	stream, err := js.Stream(t.Context(), testStream.Name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxMsgSize = 4096
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the stream's limit is known", func() bool { return errors.Is(emit(8000), flow.ErrTooLarge) })
	asker.ask(t, "small", "hello")
	testkit.Eventually(t, "the small one arrives", func() bool {
		return count(t, answerer.pool, `select count(*) from effect where journey = 'small'`) == 1
	})
}

// TestOneRowThatTheBrokerRefusesHoldsUpNeitherSweepNorRebuild: a limit that was lowered, or a row of an older release.
func TestOneRowThatTheBrokerRefusesHoldsUpNeitherSweepNorRebuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answerer := w.startAnswerer()
	pool := w.db.Pool("asker")
	if err := leaveUnpublished(t.Context(), pool, 5); err != nil {
		t.Fatal(err)
	}
	id := clock.NewID(time.Now())
	if _, err := pool.Exec(t.Context(), `insert into outbox (id, writer, n, subject, payload)
		values ($1, 4711, 4, 'footbridge.thing.asked.v1.large', $2)`,
		id, strings.Repeat("x", 2<<20)); err != nil {
		t.Fatal(err)
	}
	asker := w.start("asker", nil, nil)
	effectsAre(t, answerer, 5)
	if err := w.admin().DeleteStream(t.Context(), testStream.Name); err != nil {
		t.Fatal(err)
	}
	asker.ask(t, "after", "hello")
	effectsAre(t, answerer, 6)
	testkit.Eventually(t, "the stream is rebuilt", func() bool {
		return messages(t, w.admin()) >= 6 && asker.Ready() == nil
	})
	if got := count(t, pool, `select count(*) from outbox_writer where id = 4711 and synced_upto < 4`); got != 1 {
		t.Error("the writer of what could not be published counts it as published")
	}
	for most, want := range map[int]int{1 << 20: 1, 3 << 20: 0} {
		if got, err := flow.CountTooLarge(t.Context(), pool, most); err != nil || got != want {
			t.Errorf("above %d bytes: %d, %v; want %d", most, got, err, want)
		}
	}
}

// TestAPurgeIsNoticedOnceTheStreamIsOlderThanItsAgeLimit: emptiness that nobody caused by age is evidence at any age.
func TestAPurgeIsNoticedOnceTheStreamIsOlderThanItsAgeLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	short := testStream
	short.MaxAge = 12 * time.Second
	w.tune = func(c *flow.Config) { c.Stream = short }
	asker := w.start("asker", nil, nil)
	js := w.admin()
	stream, err := js.Stream(t.Context(), short.Name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxAge = short.MaxAge
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the stream is older than its limit", func() bool {
		return time.Since(stream.CachedInfo().Created) > short.MaxAge+time.Second
	})
	asker.ask(t, "one", "hello")
	testkit.Eventually(t, "it is in the stream", func() bool { return messages(t, js) == 1 })
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is there again", func() bool { return messages(t, js) == 1 })
}
