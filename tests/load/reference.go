package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/schemas"
)

// The reference is what the machine allows, as far as we know how: group commit at the door, batches of what has
// arrived, one statement a batch in one round trip, asynchronous publishing. It loses events when it is killed
// between a commit and its publishes, and trusts that nothing ever fails.
const (
	referenceBatch   = 256
	referenceWorkers = 2
)

type reference struct {
	*handWritten
	arrivals chan *message
}

// frozenCommit is the commit whose rows the frozen reference writes.
const frozenCommit = "641722c"

// runReference is the frozen reference: it writes the 51 rows a unit that the services wrote when it was made
// (frozenCommit), with a row in an inbox for each delivery.
func runReference(ctx context.Context, args []string) error { return runByReference(ctx, args, false) }

// runSameRows writes the rows that the services write today, as they are captured.
func runSameRows(ctx context.Context, args []string) error { return runByReference(ctx, args, true) }

func runByReference(ctx context.Context, args []string, sameRows bool) error {
	h, err := newHandWritten(ctx, args, 16)
	if err != nil {
		return err
	}
	h.sameRows = sameRows
	r := &reference{handWritten: h, arrivals: make(chan *message, 1024)}
	for name, writes := range h.stages() {
		if err := r.consume(ctx, name, writes); err != nil {
			return err
		}
	}
	for range referenceWorkers {
		go r.commit(ctx)
	}
	return h.serve(ctx, func(m *message) (string, error) {
		m.answer = make(chan string, 1)
		r.arrivals <- m
		journey := <-m.answer
		if journey == "" {
			return "", errors.New("not stored")
		}
		return journey, nil
	})
}

// gather takes what has arrived, up to a batch, never waiting to fill one.
func gather[T any](ctx context.Context, arrived <-chan T) []T {
	var batch []T
	select {
	case <-ctx.Done():
		return nil
	case one := <-arrived:
		batch = append(batch, one)
	}
	for len(batch) < referenceBatch {
		select {
		case one := <-arrived:
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

func (r *reference) commit(ctx context.Context) {
	for ctx.Err() == nil {
		batch := gather(ctx, r.arrivals)
		if len(batch) == 0 {
			return
		}
		waits, err := r.apply(ctx, schemas.Intake, r.intake, batch)
		for _, m := range batch {
			if err != nil {
				m.answer <- ""
				continue
			}
			m.answer <- m.Subject
		}
		if err == nil {
			err = stored(ctx, waits)
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "reference, at the door:", err)
		}
	}
}

// apply writes a batch in one statement and publishes what follows, without waiting for the answers.
func (r *reference) apply(ctx context.Context, service string, writes writesOf,
	batch []*message) ([]jetstream.PubAckFuture, error) {
	all, out := writes(batch, time.Now())
	outbox, msgs, err := outboxOf(service, out)
	if err != nil {
		return nil, err
	}
	some := written(append(all, outbox)...)
	if len(some) == 0 {
		return nil, nil // nothing has changed
	}
	sql, args := inOneStatement(some)
	if _, err := r.pool.Exec(ctx, sql, args...); err != nil {
		return nil, err
	}
	return r.publish(msgs)
}

func (r *reference) publish(msgs []*nats.Msg) ([]jetstream.PubAckFuture, error) {
	waits := make([]jetstream.PubAckFuture, len(msgs))
	for i, msg := range msgs {
		var err error
		if waits[i], err = r.bus.JS.PublishMsgAsync(msg); err != nil {
			return nil, err
		}
	}
	return waits, nil
}

func stored(ctx context.Context, waits []jetstream.PubAckFuture) error {
	for _, wait := range waits {
		select {
		case <-wait.Ok():
		case err := <-wait.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *reference) consume(ctx context.Context, service string, writes writesOf) error {
	arrived := make(chan jetstream.Msg, 1024)
	if err := r.subscribe(ctx, service, func(msg jetstream.Msg) { arrived <- msg }); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range referenceWorkers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if batch := gather(ctx, arrived); len(batch) > 0 {
					r.handle(ctx, service, writes, batch)
				}
			}
		})
	}
	return nil
}

func (h *handWritten) subscribe(ctx context.Context, service string, handle func(jetstream.Msg)) error {
	consumer, err := h.bus.JS.CreateOrUpdateConsumer(ctx, streamName, jetstream.ConsumerConfig{
		Durable: service, FilterSubjects: schemas.SubjectsSubscribedBy(service), AckPolicy: jetstream.AckExplicitPolicy,
		MaxAckPending: 4096, AckWait: time.Minute,
	})
	if err != nil {
		return err
	}
	_, err = consumer.Consume(handle, jetstream.PullMaxMessages(1024))
	return err
}

func (r *reference) handle(ctx context.Context, service string, writes writesOf, msgs []jetstream.Msg) {
	batch := make([]*message, len(msgs))
	for i, msg := range msgs {
		batch[i] = &message{}
		if err := json.Unmarshal(msg.Data(), batch[i]); err != nil {
			fmt.Fprintln(os.Stderr, "reference:", err)
			return
		}
	}
	waits, err := r.apply(ctx, service, writes, batch)
	if err == nil {
		err = stored(ctx, waits)
	}
	if err != nil {
		if ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "reference:", service, err)
		}
		return
	}
	for _, msg := range msgs {
		_ = msg.Ack()
	}
}
