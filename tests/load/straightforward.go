package load

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/schemas"
)

// The straightforward version is what one writes first: each message in a transaction of its own with an insert a
// row, then its events published one by one, waiting for each, then the acknowledgement; 32 of them at a time a
// stage.
const handlersAStage = 32

type straightforward struct{ *handWritten }

func runStraightforward(ctx context.Context, args []string) error {
	h, err := newHandWritten(ctx, args, 96)
	if err != nil {
		return err
	}
	s := straightforward{h}
	for name, writes := range h.stages() {
		if err := s.consume(ctx, name, writes); err != nil {
			return err
		}
	}
	return h.serve(ctx, func(m *message) (string, error) {
		err := s.apply(ctx, schemas.Intake, h.intake, m)
		return m.Subject, err
	})
}

func (s straightforward) apply(ctx context.Context, service string, writes writesOf, m *message) error {
	all, out := writes([]*message{m}, time.Now())
	outbox, msgs, err := outboxOf(service, out)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool,
		func(tx pgx.Tx) error { return oneByOne(ctx, tx, written(append(all, outbox)...)) })
	if err != nil {
		return err
	}
	for _, msg := range msgs {
		if _, err := s.bus.JS.PublishMsg(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

func (s straightforward) consume(ctx context.Context, service string, writes writesOf) error {
	arrived := make(chan jetstream.Msg)
	for range handlersAStage {
		go func() {
			for msg := range arrived {
				s.handle(ctx, service, writes, msg)
			}
		}()
	}
	return s.subscribe(ctx, service, func(msg jetstream.Msg) { arrived <- msg })
}

func (s straightforward) handle(ctx context.Context, service string, writes writesOf, msg jetstream.Msg) {
	m := &message{}
	err := json.Unmarshal(msg.Data(), m)
	if err == nil {
		err = s.apply(ctx, service, writes, m)
	}
	if err != nil {
		if ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "straightforward:", service, err)
		}
		_ = msg.Nak()
		return
	}
	_ = msg.Ack()
}
