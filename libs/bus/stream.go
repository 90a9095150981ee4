package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DedupeWindow is how long a stream remembers message ids. What comes again changes nothing for readers, so the
// window only saves work. It is short on purpose: after a purge the server still remembers the ids of what it has
// thrown away, and a rebuild has to wait until it has forgotten them.
const DedupeWindow = 5 * time.Second

// Stream is a stream as data.
type Stream struct {
	Name     string
	Subjects []string
	// DiscardOld: a full stream drops its oldest messages instead, since what it holds is a copy.
	DiscardOld bool
	// MaxAge is how long messages are kept, MaxBytes how much at most (-1: no limit). A full stream refuses new
	// messages and never drops old ones: back-pressure, not loss.
	MaxAge   time.Duration
	MaxBytes int64
	Replicas int
}

// Durable is a durable pull consumer as data.
type Durable struct {
	Stream  string
	Name    string
	Filters []string
	// MaxAckPending bounds what is under way; AckWait is how long the server waits before it hands a message to
	// somebody else.
	MaxAckPending int
	AckWait       time.Duration
}

// EnsureStream creates the stream or brings it to this description; both are idempotent and may be done by many
// processes at once. It returns the stream as it is now.
func (c *Conn) EnsureStream(ctx context.Context, s Stream) (jetstream.Stream, error) {
	want := jetstream.StreamConfig{
		Name: s.Name, Subjects: s.Subjects, MaxAge: s.MaxAge, MaxBytes: s.MaxBytes, Replicas: max(1, s.Replicas),
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: s.discard(),
		Duplicates: DedupeWindow, AllowDirect: true,
	}
	stream, err := c.JS.Stream(ctx, s.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = c.JS.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody was quicker
			stream, err = c.JS.Stream(ctx, s.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ensuring stream %q: %w", s.Name, err)
	}
	if sameStream(stream.CachedInfo().Config, want) {
		return stream, nil
	}
	if stream, err = c.JS.UpdateStream(ctx, want); err != nil {
		return nil, fmt.Errorf("updating stream %q: %w", s.Name, err)
	}
	return stream, nil
}

func (s Stream) discard() jetstream.DiscardPolicy {
	if s.DiscardOld {
		return jetstream.DiscardOld
	}
	return jetstream.DiscardNew
}

func sameStream(have, want jetstream.StreamConfig) bool {
	return slices.Equal(have.Subjects, want.Subjects) && have.MaxAge == want.MaxAge && have.MaxBytes == want.MaxBytes &&
		have.Replicas == want.Replicas && have.Discard == want.Discard && have.Duplicates == want.Duplicates &&
		have.AllowDirect == want.AllowDirect
}

// Differs says in what a durable is not this one, or that it is paused; nil where it is as it should be. Who keeps the
// streams brings it back when it starts or finds it gone.
func (d Durable) Differs(info *jetstream.ConsumerInfo) error {
	have := info.Config
	switch {
	case info.Paused || have.PauseUntil != nil && have.PauseUntil.After(time.Now()):
		return fmt.Errorf("the durable consumer %q is paused by somebody, and hands out nothing; resume it", d.Name)
	case !slices.Equal(slices.Sorted(slices.Values(filtersOf(have))), slices.Sorted(slices.Values(d.Filters))):
		return fmt.Errorf("the durable consumer %q is not ours: it has other subjects than the service subscribes "+
			"to; start again who keeps the streams", d.Name)
	case have.AckPolicy != jetstream.AckExplicitPolicy || have.DeliverSubject != "" ||
		have.DeliverPolicy != jetstream.DeliverAllPolicy || have.MaxDeliver > 0:
		return fmt.Errorf("the durable consumer %q is not ours: it delivers otherwise than the service asked for; "+
			"start again who keeps the streams", d.Name)
	}
	return nil
}

func filtersOf(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// CheckDurable says whether a durable is there and as it should be.
func (c *Conn) CheckDurable(ctx context.Context, d Durable) error {
	consumer, err := c.JS.Consumer(ctx, d.Stream, d.Name)
	if err != nil {
		return fmt.Errorf("looking at the durable consumer %q: %w; who keeps the streams makes it when it runs", d.Name,
			err)
	}
	return d.Differs(consumer.CachedInfo())
}

// EnsureDurable creates the durable consumer or brings it to this description.
func (c *Conn) EnsureDurable(ctx context.Context, d Durable) (jetstream.Consumer, error) {
	consumer, err := c.JS.CreateOrUpdateConsumer(ctx, d.Stream, jetstream.ConsumerConfig{
		Durable: d.Name, FilterSubjects: d.Filters, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: d.AckWait, MaxDeliver: -1, MaxAckPending: d.MaxAckPending,
	})
	if err != nil {
		return nil, fmt.Errorf("ensuring consumer %q of stream %q: %w", d.Name, d.Stream, err)
	}
	return consumer, nil
}

// CheckStream says whether the stream is there and as it is described.
func (c *Conn) CheckStream(ctx context.Context, s Stream) error {
	stream, err := c.JS.Stream(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("looking at stream %q: %w", s.Name, err)
	}
	if have := stream.CachedInfo().Config; have.Discard != s.discard() ||
		!slices.Equal(have.Subjects, s.Subjects) || have.MaxAge != s.MaxAge {
		return fmt.Errorf("stream %q is not as configured; starting again who keeps the streams mends that", s.Name)
	}
	return nil
}

// Unread counts the messages of a stream that its durables have yet to take or to acknowledge.
func (c *Conn) Unread(ctx context.Context, name string) (unread int, err error) {
	stream, err := c.JS.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("looking for stream %s: %w", name, err)
	}
	readers := stream.ListConsumers(ctx)
	for reader := range readers.Info() {
		unread += int(reader.NumPending) + reader.NumAckPending
	}
	return unread, readers.Err()
}
