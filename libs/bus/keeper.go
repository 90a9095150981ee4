package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Keeper keeps streams and the durables on them in being, with the login that owns them. Services may neither make nor
// change what it keeps: whoever stole a service's key could otherwise empty a stream, or read through a consumer of
// their own what is for others. Several may keep the same; each thing is made once.
//
// When it starts, it brings what is there to its description. Afterwards it makes what is gone and leaves the rest
// alone: keepers of two releases must not undo each other's work, and what somebody has paused on purpose stays paused.
type Keeper struct {
	Conn     *Conn
	Streams  []Stream
	Durables []Durable
	Log      *slog.Logger
}

// keepEvery is how often a keeper looks for what is gone. A service cannot go on before.
const keepEvery = 500 * time.Millisecond

// Bring makes everything, or brings it to its description.
func (k *Keeper) Bring(ctx context.Context) error {
	for _, stream := range k.Streams {
		if _, err := k.Conn.EnsureStream(ctx, stream); err != nil {
			return err
		}
	}
	for _, durable := range k.Durables {
		if _, err := k.Conn.EnsureDurable(ctx, durable); err != nil {
			return err
		}
	}
	return nil
}

// Run looks again and again for what is gone, until ctx ends. After each look it tells what stood in the way, or nil.
func (k *Keeper) Run(ctx context.Context, told func(error)) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.check(ctx); ctx.Err() == nil {
			told(err)
		}
	}
}

// check makes what is gone.
func (k *Keeper) check(ctx context.Context) error {
	if !k.Conn.Up() {
		return errors.New("keeping the streams: no connection to the broker")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, stream := range k.Streams {
		_, err := k.Conn.JS.Stream(ctx, stream.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			k.Log.Warn("a stream is gone; making it again", keyRunbook, "broker.md")
			_, err = k.Conn.EnsureStream(ctx, stream)
		}
		if err != nil {
			return fmt.Errorf("keeping stream %q: %w", stream.Name, err)
		}
	}
	for _, durable := range k.Durables {
		_, err := k.Conn.JS.Consumer(ctx, durable.Stream, durable.Name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			k.Log.Info("a durable consumer is gone; making it again", keyRunbook, "broker.md")
			_, err = k.Conn.EnsureDurable(ctx, durable)
		}
		if err != nil {
			return fmt.Errorf("keeping the durable consumer %q: %w", durable.Name, err)
		}
	}
	return nil
}

// keyRunbook names, on a log line, the page in docs/runbooks that says what to do about it.
const keyRunbook = "footbridge.runbook"
