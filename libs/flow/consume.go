package flow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// ackWait is how long the broker waits for an acknowledgement before it gives a message to somebody else; a batch
// that takes longer is delivered twice, and the second time changes nothing.
const ackWait = 10 * time.Second

// batchTime is how long one transaction may take before it is given up and tried again.
const batchTime = 30 * time.Second

// delivery is a message that has come, with what it says.
type delivery struct {
	msg   jetstream.Msg
	event Event
}

// reading is one uninterrupted reading of one durable over one connection.
type reading struct{ number, epoch uint64 }

// newReading begins a reading; what was heard in an earlier one is acknowledged no more.
func (f *Flow) newReading() reading {
	return reading{f.readings.Add(1), f.publisher.epoch()}
}

// heard is a message with the reading in which it came. The broker takes an acknowledgement by the message's number in
// the stream. Once the broker has come back without its last messages, or the stream has been made again, another
// message may have that number: it would be lost if nobody had applied it yet. So what was heard in an earlier reading
// is not acknowledged; it comes again, which changes nothing.
type heard struct {
	jetstream.Msg
	flow *Flow
	in   reading
}

// errEarlierReading: the number that this message had may be another's by now.
var errEarlierReading = errors.New("the message was heard in an earlier reading of the stream")

func (h heard) stands() bool {
	return h.in.number == h.flow.readings.Load() && h.in.epoch == h.flow.publisher.epoch()
}

// Ack tells the broker that the message has been applied, while it is still the broker's message of that number.
func (h heard) Ack() error {
	if !h.stands() {
		return errEarlierReading
	}
	return h.Msg.Ack()
}

// Nak gives the message back, likewise.
func (h heard) Nak() error {
	if !h.stands() {
		return errEarlierReading
	}
	return h.Msg.Nak()
}

// consume pulls what arrives and works on it until ctx ends; then it finishes the batches under way and hands
// back what it has not begun.
func (f *Flow) consume(ctx context.Context) {
	arrived := newQueue(ctx, 4*f.cfg.BatchSize)
	var workers sync.WaitGroup
	for range f.cfg.Workers {
		workers.Go(func() { f.work(ctx, arrived) })
	}
	f.pull(ctx, arrived)
	workers.Wait()
	for _, msg := range arrived.rest() {
		_ = msg.Nak()
	}
}

// pull keeps the durable consumer's messages coming.
func (f *Flow) pull(ctx context.Context, arrived *queue) {
	for ctx.Err() == nil {
		if err := f.pullOnce(ctx, arrived); err != nil && ctx.Err() == nil {
			f.faults.set("consumer", err)
			_ = wait(ctx, 200*time.Millisecond)
		}
	}
}

// pullOnce runs until the consumer is gone, its stream has been exchanged, or ctx ends. The client library keeps
// silent about a durable that is gone, so it is looked after here.
func (f *Flow) pullOnce(ctx context.Context, arrived *queue) error {
	failed, back := make(chan error, 1), make(chan struct{}, 1)
	defer f.cfg.Bus.OnReconnect(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	now := f.newReading()
	consumer, err := f.durable(ctx)
	if err != nil {
		return err
	}
	created := consumer.CachedInfo().Created
	pulling, err := consumer.Consume(func(msg jetstream.Msg) { arrived.put(heard{msg, f, now}) },
		jetstream.PullMaxMessages(4*f.cfg.BatchSize),
		jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(2*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			if errors.Is(err, jetstream.ErrConsumerDeleted) {
				f.readings.Add(1)
			}
			select {
			case failed <- err:
			default:
			}
		}))
	if err != nil {
		return fmt.Errorf("pulling: %w", err)
	}
	defer pulling.Stop()
	if err := f.judge(consumer.CachedInfo(), time.Now()); err != nil {
		f.faults.set("consumer", err)
	} else {
		f.faults.clear("consumer")
	}
	return f.watch(ctx, created, failed, back)
}

// watch returns why the consumer must be looked at again, or nil when ctx has ended.
func (f *Flow) watch(ctx context.Context, created time.Time, failed <-chan error, back <-chan struct{}) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-back:
			return errors.New("the broker connection came back; looking whether the consumer still fits its stream")
		case err := <-failed:
			if !f.cfg.Bus.Up() {
				continue // the library resumes by itself
			}
			f.cfg.Log.Debug("the consumer reports", "error", err)
		case <-tick.C:
		}
		if !f.cfg.Bus.Up() {
			continue
		}
		if anew, err := f.mustResubscribe(ctx); err == nil && anew {
			return errors.New("the schema has been restored; hearing everything again")
		}
		asked := time.Now()
		consumer, err := f.cfg.Bus.JS.Consumer(ctx, f.cfg.Stream.Name, f.cfg.Service)
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return errors.New("the durable consumer is gone; who keeps the streams makes it again")
		}
		if err != nil {
			continue
		}
		if info := consumer.CachedInfo(); info.NumPending == 0 && info.NumAckPending == 0 {
			f.ages.emptied(asked)
		}
		if !consumer.CachedInfo().Created.Equal(created) {
			return errors.New("the durable consumer was made again by somebody")
		}
		if err := f.judge(consumer.CachedInfo(), time.Now()); err != nil {
			f.faults.set("consumer", err)
		} else {
			f.faults.clear("consumer")
		}
	}
}

// StillFor is for how long a durable may deliver nothing, and an event may wait for a service, before somebody is told.
const StillFor = time.Minute

// judge says why a durable that is there does no work: somebody has paused it or made it something else, or it stands
// still while events wait for it.
func (f *Flow) judge(info *jetstream.ConsumerInfo, now time.Time) error {
	if err := f.desiredDurable().Differs(info); err != nil {
		return err
	}
	if moved := info.Delivered.Consumer + info.AckFloor.Consumer; info.NumPending == 0 || moved != f.moved.count ||
		f.moved.at.IsZero() {
		f.moved.count, f.moved.at = moved, now
	}
	if still := now.Sub(f.moved.at); still > StillFor {
		return fmt.Errorf("the durable consumer %q has delivered nothing for %v, and %d events wait", f.cfg.Service,
			still.Round(time.Second), info.NumPending)
	}
	return nil
}

// desiredDurable is this service's durable as it should be.
func (f *Flow) desiredDurable() bus.Durable {
	return Durable(f.cfg.Stream.Name, f.cfg.Service, f.cfg.Subjects)
}

// Durable describes the durable consumer of a service that hears these subjects, for who keeps the streams.
func Durable(stream, service string, hears []string) bus.Durable {
	const underWay = 8 * 256 * 2 // eight batches for each of two workers
	return bus.Durable{Stream: stream, Name: service, Filters: hears, MaxAckPending: underWay, AckWait: ackWait}
}

// durable finds this service's durable consumer, which who keeps the streams makes, and makes sure that it is not ahead
// of a stream which has lost its tail: then it would skip the messages that take the lost ones' place. Giving it up, so
// that it is made again and begins at the start, is safe: what has been applied changes nothing when it comes again.
func (f *Flow) durable(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := f.cfg.Bus.JS.Stream(ctx, f.cfg.Stream.Name)
	if err != nil {
		return nil, fmt.Errorf("looking at the stream, which who keeps the streams makes: %w", err)
	}
	consumer, err := stream.Consumer(ctx, f.cfg.Service)
	if err != nil {
		return nil, fmt.Errorf("looking at the durable consumer, which who keeps the streams makes: %w", err)
	}
	info, err := stream.Info(ctx) // after the consumer's, which could otherwise seem ahead
	if err != nil {
		return nil, fmt.Errorf("looking at the stream: %w", err)
	}
	anew, err := f.mustResubscribe(ctx)
	if err != nil {
		return nil, err
	}
	known := position{}
	if at := f.position.Load(); at != nil && info.Created.Equal(f.reading) {
		known = *at
	}
	f.reading = info.Created // a stream that was made again has a consumer that was made again
	kept, err := keeps(ctx, stream, info, known, true)
	if err != nil {
		return nil, err
	}
	if kept && !anew && consumer.CachedInfo().Delivered.Stream <= info.State.LastSeq {
		return consumer, nil
	}
	f.cfg.Log.Warn("the consumer may be ahead of what this service knows, or of a stream that has lost messages; " +
		"reading it from the start")
	f.position.Store(nil)
	if err := f.cfg.Bus.JS.DeleteConsumer(ctx, f.cfg.Stream.Name, f.cfg.Service); err != nil {
		return nil, fmt.Errorf("starting the consumer over: %w", err)
	}
	if anew {
		if err := f.resubscribed(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the durable consumer starts over")
}

// work takes what has arrived, up to a batch, never waiting to fill one, and applies it.
func (f *Flow) work(ctx context.Context, arrived *queue) {
	for {
		batch := arrived.take(f.cfg.BatchSize)
		if batch == nil {
			return
		}
		f.process(ctx, batch)
		arrived.done(batch)
	}
}

// process applies a batch and acknowledges it. Trouble with the database or the commit is waited out, and never
// counts against an event; while ctx lasts, this does not return before the batch is applied or parked.
func (f *Flow) process(ctx context.Context, msgs []jetstream.Msg) {
	if first, err := msgs[0].Metadata(); err == nil {
		f.ages.observe(first.Sequence.Stream, first.Timestamp)
	}
	arrivals, unreadable, ok := f.readRight(ctx, msgs)
	if !ok {
		return
	}
	began := time.Now()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := f.applyOrPark(arrivals, unreadable, time.Since(began) > f.cfg.StuckAfter)
		if err == nil {
			break
		}
		if pg.IsNoPartition(err) && f.makePartitions(ctx) == nil {
			continue
		}
		f.faults.set("database", err)
		if wait(ctx, pause) != nil {
			return // not acknowledged: the broker gives them to somebody else
		}
	}
	f.faults.clear("database")
	Failpoint("flow.acknowledging")
	for _, msg := range msgs {
		_ = msg.Ack()
	}
	f.remember(arrivals)
}

// readRight reads messages by a clock that is right before and after: what comes from the future by one that has leapt
// back comes from now. ok is false where ctx ended first.
func (f *Flow) readRight(ctx context.Context, msgs []jetstream.Msg) (good []delivery, bad []letter, ok bool) {
	for {
		if f.ClockRight() == nil {
			good, bad = f.read(msgs)
			if f.ClockRight() == nil {
				return good, bad, true
			}
		}
		if wait(ctx, 200*time.Millisecond) != nil {
			return nil, nil, false
		}
	}
}

// remember keeps the furthest message applied, to notice when the stream has lost its tail.
func (f *Flow) remember(arrivals []delivery) {
	if len(arrivals) == 0 {
		return
	}
	last := arrivals[len(arrivals)-1]
	meta, err := last.msg.Metadata()
	if err != nil {
		return
	}
	if h, ok := last.msg.(heard); ok && !h.stands() {
		return
	}
	if at := f.position.Load(); at == nil || meta.Sequence.Stream > at.seq {
		f.position.Store(&position{seq: meta.Sequence.Stream, id: last.event.ID, subject: last.msg.Subject(),
			stored: meta.Timestamp})
	}
}

// read reads the messages. What is no event never reaches a handler.
func (f *Flow) read(msgs []jetstream.Msg) (good []delivery, bad []letter) {
	good = make([]delivery, 0, len(msgs))
	for _, msg := range msgs {
		if !f.subscribesTo(msg.Subject()) {
			continue // acknowledged with the others
		}
		event, err := Unmarshal(msg.Data())
		if err != nil {
			bad = append(bad, letter{event: Event{ID: f.idOf(msg), Type: "unreadable"}, msg: msg, reason: err.Error()})
			continue
		}
		reason := f.refuses(&event)
		if reason == "" {
			good = append(good, delivery{msg, event})
			continue
		}
		if _, ok := clock.IDTime(event.ID); !ok {
			event.ID = f.idOf(msg)
		}
		bad = append(bad, letter{event, msg, reason})
	}
	return good, bad
}

// subscribesTo says whether one of this service's filters takes the subject. The broker keeps to them, but for one
// moment: when it has lost its last messages, what it redelivers by number is by then another message, which may be
// for others.
func (f *Flow) subscribesTo(subject string) bool {
	return len(f.cfg.Subjects) == 0 ||
		slices.ContainsFunc(f.cfg.Subjects, func(filter string) bool { return fits(filter, subject) })
}

// fits matches a subject with a filter: * stands for one part, > at the end for one or more.
func fits(filter, subject string) bool {
	for {
		want, restOfFilter, moreFilter := strings.Cut(filter, ".")
		part, restOfSubject, moreSubject := strings.Cut(subject, ".")
		switch {
		case want == ">" && !moreFilter:
			return true
		case want != "*" && want != part, moreFilter != moreSubject:
			return false
		case !moreFilter:
			return true
		}
		filter, subject = restOfFilter, restOfSubject
	}
}

// refuses says why an event must not reach a handler, or "". No event is too old: one that has been applied changes
// nothing. Its id is put into the one spelling by which tables know it.
func (f *Flow) refuses(event *Event) (reason string) {
	event.ID = strings.ToLower(event.ID)
	minted, isV7 := clock.IDTime(event.ID)
	switch {
	case !isV7:
		return "the event's id is not a UUIDv7"
	case minted.After(f.cfg.Clock.Now().AddDate(0, 0, partitionsAhead-1)):
		return "the event comes from the future; are the clocks right?"
	}
	return ""
}

// idOf gives a message without a usable id one that is the same at every delivery: its time and place in the
// stream.
func (f *Flow) idOf(msg jetstream.Msg) string {
	meta, err := msg.Metadata()
	if err != nil {
		return clock.NewID(f.cfg.Clock.Now())
	}
	return fmt.Sprintf("%s%012x", pg.UUIDFloor(meta.Timestamp)[:24], meta.Sequence.Stream)
}

// applyOrPark applies the batch; when something in it cannot be applied, it is done again one by one, and what
// fails alone is parked. An error is trouble with the infrastructure. late: the batch has met trouble for so long that
// it is done one by one too, and what alone meets trouble, while the database answers, is parked.
func (f *Flow) applyOrPark(arrivals []delivery, unreadable []letter, late bool) error {
	if len(unreadable) > 0 {
		if err := f.deadLetter(unreadable); err != nil {
			return err
		}
	}
	if len(arrivals) == 0 {
		return nil
	}
	err := f.apply(arrivals)
	for try := 1; pg.IsUnique(err) && try < uniqueTries; try++ {
		err = f.apply(arrivals)
	}
	if err == nil || isInfrastructure(err) && !late {
		return err
	}
	for _, one := range arrivals {
		err := f.apply([]delivery{one})
		if err == nil {
			continue
		}
		if isInfrastructure(err) && !(late && f.stuck()) {
			return err
		}
		if err := f.park(one, err); err != nil {
			return err
		}
	}
	return nil
}

// uniqueTries is how often a batch is done that breaks a unique constraint: where two transactions make the same row
// at the same time, the second one fails and finds it when done again.
const uniqueTries = 3

// isInfrastructure: it says nothing about the events.
func isInfrastructure(err error) bool {
	return pg.IsInfrastructure(err) || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// apply applies a batch in one transaction of two round trips: first the state, then the writes, the outbox rows and
// the commit. What changes nothing costs no write and no wait for the disk.
func (f *Flow) apply(arrivals []delivery) error {
	slices.SortStableFunc(arrivals, func(a, b delivery) int { return compareIDs(a.event.ID, b.event.ID) })
	events := make([]Event, 0, len(arrivals))
	for i, a := range arrivals {
		if i == 0 || a.event.ID != arrivals[i-1].event.ID {
			events = append(events, a.event)
		}
	}
	ctx, cancel := context.WithTimeout(f.life, batchTime)
	defer cancel()
	ctx, span := f.startBatch(ctx, "apply", events)
	defer span.End()
	applied, run := 0, course{began: time.Now()}
	err := f.Do(ctx, func(tx *Tx) error {
		fresh, err := f.decide(tx, events)
		applied, run.locked, run.decided = len(fresh), tx.locked, time.Now()
		return err
	})
	run.ended = time.Now()
	f.showWaits(span, events, run)
	f.countApplied(ctx, span, applied, err)
	return err
}

// decide runs the first round trip and the handler, which gets the events that it is to apply.
func (f *Flow) decide(tx *Tx, events []Event) (taken []Event, err error) {
	mayApply := f.queueGate(tx, events)
	decide, err := guarded(func() func([]Event) error { return f.cfg.Handle(tx, events) })
	if err != nil {
		return nil, err
	}
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	tx.locked = time.Now()
	Failpoint("flow.applying")
	taken = events
	// done again, they are all asked for
	if slices.ContainsFunc(events, func(e Event) bool { return !mayApply(e.ID) }) {
		taken = slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return !mayApply(e.ID) })
	}
	if len(taken) == 0 {
		return nil, nil
	}
	result, err := guarded(func() error { return decide(taken) })
	return taken, errors.Join(err, result)
}

// queueGate queues what says which events the handler gets: not those that a human has seen to otherwise, and, where
// the handler is not idempotent, none that was applied before. What it returns may be asked when the round trip is
// done.
func (f *Flow) queueGate(tx *Tx, events []Event) (mayApply func(id string) bool) {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	dismissed, isNew := map[string]bool{}, map[string]bool{}
	note := func(into map[string]bool) func(pgx.Rows) error {
		return func(rows pgx.Rows) error {
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { into[id] = true; return nil })
			return err
		}
	}
	tx.Queue(`select event_id::text from letter where event_id = any($1::uuid[]) and state = 'dismissed'`,
		ids).Query(note(dismissed))
	if !f.cfg.NotIdempotent {
		return func(id string) bool { return !dismissed[id] }
	}
	tx.Queue(`insert into inbox (id) select id from unnest($1::uuid[]) as t(id) order by id on conflict do nothing
		returning id::text`, ids).Query(note(isNew))
	return func(id string) bool { return isNew[id] && !dismissed[id] }
}

// guarded calls a handler's function; a panic becomes an error, so that one event cannot bring the service down.
func guarded[T any](fn func() T) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(), nil
}

func compareIDs(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
