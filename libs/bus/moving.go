package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ServerTime is what the broker's clock shows, by what it says of a stream.
func (c *Conn) ServerTime(ctx context.Context, stream string) (time.Time, error) {
	found, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking for the broker's time: %w", err)
	}
	return found.CachedInfo().TimeStamp, nil
}

// CheckPaused says when a durable hands nothing out because somebody has paused it.
func (c *Conn) CheckPaused(ctx context.Context, d Durable) error {
	consumer, err := c.JS.Consumer(ctx, d.Stream, d.Name)
	if err != nil {
		return fmt.Errorf("looking at the durable consumer %q: %w", d.Name, err)
	}
	if info := consumer.CachedInfo(); info.Paused {
		return fmt.Errorf("the durable consumer %q is paused for another %v, and hands nothing out: nats consumer "+
			"resume %s %s", d.Name, info.PauseRemaining.Round(time.Second), d.Stream, d.Name)
	}
	return nil
}

// CheckMoving says when a durable has acknowledged nothing for so long, though an event has waited for as long. All
// times are the broker's. It reads messages, which only the streams' owner may.
func (c *Conn) CheckMoving(ctx context.Context, d Durable, within time.Duration) error {
	consumer, err := c.JS.Consumer(ctx, d.Stream, d.Name)
	if err != nil {
		return fmt.Errorf("looking at the durable consumer %q: %w", d.Name, err)
	}
	info := consumer.CachedInfo()
	waiting := info.NumPending + uint64(max(0, info.NumAckPending))
	last := info.Created
	if info.AckFloor.Last != nil {
		last = *info.AckFloor.Last
	}
	if waiting == 0 || info.TimeStamp.Sub(last) < within {
		return nil
	}
	since, err := c.firstAfter(ctx, d, info.AckFloor.Stream)
	if err != nil {
		return fmt.Errorf("looking for what waits for the durable consumer %q: %w", d.Name, err)
	}
	if since.IsZero() || info.TimeStamp.Sub(since) < within {
		return nil
	}
	return fmt.Errorf("%d events wait for the durable consumer %q, the first since %s, and none is acknowledged: look "+
		"whether a process of the service runs, and what its log says (docs/runbooks/broker.md)", waiting, d.Name,
		since.UTC().Format("2 Jan 15:04:05 UTC"))
}

// firstAfter is when the first message after a sequence was stored that a durable hears; zero where there is none.
func (c *Conn) firstAfter(ctx context.Context, d Durable, seq uint64) (first time.Time, err error) {
	stream, err := c.JS.Stream(ctx, d.Stream)
	if err != nil {
		return first, err
	}
	for _, subject := range d.Filters {
		found, err := stream.GetMsg(ctx, seq+1, jetstream.WithGetMsgSubject(subject))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return first, err
		case first.IsZero() || found.Time.Before(first):
			first = found.Time
		}
	}
	return first, nil
}
