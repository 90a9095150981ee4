package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/schemas"
)

// watcher sees when a unit is done: an ordered consumer has read its offer.raised and its call.scheduled, and the
// service that keeps the timeline has acknowledged both to the broker, which it does when their lines are committed.
// That the lines are there is checked in the table afterwards.
type watcher struct {
	consuming jetstream.ConsumeContext
	acks      *nats.Subscription

	mu      sync.Mutex
	final   map[uint64]step // of a final event, by its place in the stream
	acked   map[uint64]bool // acknowledged, by place in the stream
	units   map[string]*progress
	done    int
	alone   bool // the last event is all
	changed chan struct{}
}

// step is one of the two final events of a journey.
type step struct {
	journey string
	bit     uint8
}

type progress struct {
	seen, shown uint8 // bits of the final events: on the bus, on the timeline
	doneAt      time.Time
}

const (
	offerRaised   = 1
	callScheduled = 2
	bothFinal     = offerRaised | callScheduled
)

// timelineService keeps the timelines; its durable consumer has its name.
const timelineService = schemas.Journey

func watch(ctx context.Context, conn *bus.Conn, stream string, alone bool) (*watcher, error) {
	w := &watcher{alone: alone, final: map[uint64]step{}, acked: map[uint64]bool{}, units: map[string]*progress{},
		changed: make(chan struct{}, 1)}
	var err error
	w.acks, err = conn.NATS.Subscribe("$JS.ACK."+stream+"."+timelineService+".>", w.acknowledged)
	if err != nil {
		return nil, fmt.Errorf("watching acknowledgements: %w", err)
	}
	if err := w.acks.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("watching acknowledgements: %w", err)
	}
	consumer, err := conn.JS.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schemas.OfferRaised.SubjectFilter(), schemas.CallScheduled.SubjectFilter()},
	})
	if err != nil {
		return nil, fmt.Errorf("watching events: %w", err)
	}
	w.consuming, err = consumer.Consume(w.arrived)
	if err != nil {
		return nil, fmt.Errorf("watching events: %w", err)
	}
	return w, nil
}

func (w *watcher) close() {
	w.consuming.Stop()
	_ = w.acks.Unsubscribe()
}

func (w *watcher) arrived(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	subject := msg.Subject()
	s := step{journey: subject[strings.LastIndexByte(subject, '.')+1:], bit: offerRaised}
	if strings.Contains(subject, ".call.") {
		s.bit = callScheduled
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.final[meta.Sequence.Stream] = s
	u := w.unit(s.journey)
	u.seen |= s.bit
	if w.alone && s.bit == callScheduled {
		u.seen, u.shown = bothFinal, bothFinal
	}
	if w.acked[meta.Sequence.Stream] {
		u.shown |= s.bit
	}
	w.settle(u)
}

// acknowledged reads "$JS.ACK.stream.consumer.deliveries.place.…".
func (w *watcher) acknowledged(msg *nats.Msg) {
	if len(msg.Data) > 0 && string(msg.Data) != "+ACK" {
		return
	}
	tokens := strings.SplitN(msg.Subject, ".", 7)
	if len(tokens) < 7 {
		return
	}
	place, err := strconv.ParseUint(tokens[5], 10, 64)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[place] = true
	if s, ok := w.final[place]; ok {
		u := w.unit(s.journey)
		u.shown |= s.bit
		w.settle(u)
	}
}

func (w *watcher) unit(journey string) *progress {
	u := w.units[journey]
	if u == nil {
		u = &progress{}
		w.units[journey] = u
	}
	return u
}

func (w *watcher) settle(u *progress) {
	if u.seen != bothFinal || u.shown != bothFinal || !u.doneAt.IsZero() {
		return
	}
	u.doneAt = time.Now()
	w.done++
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// await waits until so many units are done in all, and fails when none becomes done for a minute.
func (w *watcher) await(ctx context.Context, units int) error {
	for {
		w.mu.Lock()
		done := w.done
		w.mu.Unlock()
		if done >= units {
			return nil
		}
		quiet, cancel := context.WithTimeout(ctx, time.Minute)
		select {
		case <-w.changed:
			cancel()
		case <-quiet.Done():
			cancel()
			return fmt.Errorf("%d of %d units are done, and no other in the last minute", done, units)
		}
	}
}

// doneAt says when each unit was done.
func (w *watcher) doneAt(units []answered) ([]time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := make([]time.Time, len(units))
	for i, u := range units {
		p := w.units[u.journey]
		if p == nil || p.doneAt.IsZero() {
			return nil, fmt.Errorf("journey %s was answered and is not done", u.journey)
		}
		times[i] = p.doneAt
	}
	return times, nil
}
