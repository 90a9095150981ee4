package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What follows takes things away from a broker that is there to be broken: simulations and tests use it. What is gone
// already is no error.

// DeleteStream deletes a stream with all its durables.
func (c *Conn) DeleteStream(ctx context.Context, name string) error {
	return gone(c.JS.DeleteStream(ctx, name), "deleting stream "+name)
}

// DeleteDurable deletes a durable of a stream.
func (c *Conn) DeleteDurable(ctx context.Context, stream, name string) error {
	return gone(c.JS.DeleteConsumer(ctx, stream, name), "deleting durable "+name)
}

// PauseDurable has a durable of a stream give nothing out until a time of the machine's clock.
func (c *Conn) PauseDurable(ctx context.Context, stream, name string, until time.Time) error {
	_, err := c.JS.PauseConsumer(ctx, stream, name, until)
	return gone(err, "pausing durable "+name)
}

// Durables are the names of a stream's durables, in order; none where there is no such stream.
func (c *Conn) Durables(ctx context.Context, stream string) (names []string, err error) {
	from, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return nil, gone(err, "looking for stream "+stream)
	}
	list := from.ConsumerNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, gone(list.Err(), "reading the durables of "+stream)
}

// HasStream says whether there is a stream, as far as can be told.
func (c *Conn) HasStream(ctx context.Context, name string) bool {
	_, err := c.JS.Stream(ctx, name)
	return err == nil
}

func gone(err error, doing string) error {
	if err == nil || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
