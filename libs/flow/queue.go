package flow

import (
	"context"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// queue holds messages that have arrived until a worker takes them. Those of one journey go to one worker at a time:
// a second worker would hold a connection only to wait for the journey's lock. What comes for a journey while it is
// worked on is taken together afterwards. Journeys do not wait for each other.
type queue struct {
	limit int

	mu      sync.Mutex
	changed *sync.Cond
	waiting []jetstream.Msg
	busy    map[string]bool // journeys under way
	closed  bool
}

// newQueue makes a queue that holds so many messages and closes when ctx ends.
func newQueue(ctx context.Context, limit int) *queue {
	q := &queue{limit: limit, busy: map[string]bool{}}
	q.changed = sync.NewCond(&q.mu)
	context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.closed = true
		q.changed.Broadcast()
	})
	return q
}

// put adds a message, and waits for room first. A closed queue takes no more: the broker delivers it to somebody else.
func (q *queue) put(msg jetstream.Msg) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) >= q.limit && !q.closed {
		q.changed.Wait()
	}
	if !q.closed {
		q.waiting = append(q.waiting, msg)
		q.changed.Broadcast()
	}
}

// take gives up to max messages of journeys that are not under way, in the order they came, as soon as there is one;
// nil once the queue is closed. Whoever takes them calls done.
func (q *queue) take(max int) []jetstream.Msg {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if batch := q.pick(max); len(batch) > 0 {
			q.changed.Broadcast()
			return batch
		}
		q.changed.Wait()
	}
	return nil
}

func (q *queue) pick(max int) (batch []jetstream.Msg) {
	var left []jetstream.Msg
	for _, msg := range q.waiting {
		if len(batch) < max && !q.busy[journeyOf(msg)] {
			batch = append(batch, msg)
		} else {
			left = append(left, msg)
		}
	}
	for _, msg := range batch {
		q.busy[journeyOf(msg)] = true
	}
	q.waiting = left
	return batch
}

// done says that a batch's journeys are not under way any more.
func (q *queue) done(batch []jetstream.Msg) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, msg := range batch {
		delete(q.busy, journeyOf(msg))
	}
	q.changed.Broadcast()
}

// rest empties a queue that is closed.
func (q *queue) rest() []jetstream.Msg {
	q.mu.Lock()
	defer q.mu.Unlock()
	rest := q.waiting
	q.waiting = nil
	return rest
}

// journeyOf is the last part of a message's subject.
func journeyOf(msg jetstream.Msg) string {
	subject := msg.Subject()
	return subject[strings.LastIndexByte(subject, '.')+1:]
}
