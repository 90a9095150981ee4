package flow

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go/jetstream"
)

// about is a message about a journey.
type about struct {
	jetstream.Msg
	subject string
}

func (m about) Subject() string { return m.subject }

func put(q *queue, subjects ...string) {
	for _, subject := range subjects {
		q.put(about{subject: subject})
	}
}

func subjects(batch []jetstream.Msg) (all []string) {
	for _, msg := range batch {
		all = append(all, msg.Subject())
	}
	return all
}

func wantBatch(t *testing.T, got []jetstream.Msg, want ...string) {
	t.Helper()
	if fmt.Sprint(subjects(got)) != fmt.Sprint(want) {
		t.Errorf("took %v, want %v", subjects(got), want)
	}
}

func TestAJourneyIsWithOneWorkerAtATime(t *testing.T) {
	t.Parallel()
	q := newQueue(t.Context(), 10)
	put(q, "a.one", "b.one", "a.two")
	first := q.take(1)
	wantBatch(t, first, "a.one")
	second := q.take(10)
	wantBatch(t, second, "a.two")
	put(q, "c.one", "a.three")
	wantBatch(t, q.take(10), "a.three")
	q.done(first)
	wantBatch(t, q.take(10), "b.one", "c.one")
}

func TestTakingWaitsForAJourneyUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t.Context(), 10)
		put(q, "a.one")
		first := q.take(10)
		put(q, "b.one")
		taken := make(chan []jetstream.Msg)
		go func() { taken <- q.take(10) }()
		synctest.Wait()
		select {
		case batch := <-taken:
			t.Fatalf("took %v while its journey was under way", subjects(batch))
		default:
		}
		q.done(first)
		wantBatch(t, <-taken, "b.one")
	})
}

func TestAFullQueueHoldsWhatComesAndAClosedOneLetsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		q := newQueue(ctx, 2)
		put(q, "a.one", "a.two")
		held := make(chan struct{})
		go func() { put(q, "a.three"); close(held) }()
		synctest.Wait()
		select {
		case <-held:
			t.Fatal("a full queue took another")
		default:
		}
		wantBatch(t, q.take(1), "a.one")
		<-held
		go put(q, "a.four")
		end()
		synctest.Wait()
		if q.take(10) != nil {
			t.Error("a closed queue gave a batch")
		}
		wantBatch(t, q.rest(), "a.two", "a.three")
	})
}
