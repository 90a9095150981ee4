package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublishCopy publishes one message to a stream that holds a copy of something, and returns its sequence there once the
// stream has it. known: the stream had seen the id within its window; whether it holds the message still is not said.
func (c *Conn) PublishCopy(ctx context.Context, stream, subject, id, contentType string, body []byte) (seq int64,
	known bool, err error) {
	msg := nats.NewMsg(subject)
	msg.Data = body
	msg.Header.Set("Content-Type", contentType)
	ack, err := c.JS.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectStream(stream))
	if err != nil {
		return 0, false, fmt.Errorf("publishing to stream %q: %w", stream, err)
	}
	return int64(ack.Sequence), ack.Duplicate, nil
}

// Held is what a stream holds: since when it is there, how many messages of the subjects asked for, and how many bytes
// of all.
type Held struct {
	Made     time.Time
	Messages uint64
	Bytes    uint64
}

// Holds looks what a stream holds of some subjects.
func (c *Conn) Holds(ctx context.Context, stream, subjects string) (held Held, err error) {
	one, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return held, fmt.Errorf("looking at stream %q: %w", stream, err)
	}
	info, err := one.Info(ctx, jetstream.WithSubjectFilter(subjects))
	if err != nil {
		return held, fmt.Errorf("looking at stream %q: %w", stream, err)
	}
	held.Made, held.Bytes = info.Created.UTC(), info.State.Bytes
	for _, n := range info.State.Subjects {
		held.Messages += n
	}
	return held, nil
}

// AcknowledgedUpTo is up to which sequence of its stream a durable has acknowledged everything; 0 where it is gone.
func (c *Conn) AcknowledgedUpTo(ctx context.Context, stream, durable string) (seq int64, err error) {
	consumer, err := c.JS.Consumer(ctx, stream, durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking at the durable consumer %q: %w", durable, err)
	}
	return int64(consumer.CachedInfo().AckFloor.Stream), nil
}
