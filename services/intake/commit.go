package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/pg"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// How many messages one transaction takes at most, how many may wait, and how many transactions run at once: while
// one commits, the next gathers.
const (
	batchSize  = 256
	queueSize  = 1024
	committers = 2
	maxTries   = 3
)

// ErrStopping: the process is stopping and the message has not been stored; its sender must send it again.
var ErrStopping = errors.New("intake is stopping")

// errBusy: there is no room for another message at the moment.
var errBusy = errors.New("intake is busy")

// keep hands a message to the committers and waits until it can no longer be lost. It waits for as long as the
// database is in trouble: that is the sender's back-pressure. An error means that nothing was promised.
func (s *Service) keep(ctx context.Context, a *inboundMessage) (Result, error) {
	flow.Failpoint("intake.read")
	select {
	case s.inbound <- a:
	case <-ctx.Done():
		if len(s.inbound) < cap(s.inbound) {
			return Result{}, context.Cause(ctx) // its time was over before it came here
		}
		return Result{}, errBusy
	case <-s.stopped:
		return Result{}, ErrStopping
	}
	select {
	case <-a.done:
		flow.Failpoint("intake.answered")
		return a.result, a.err
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

// commit takes what has arrived, never waiting to fill a batch, and settles it, until ctx ends.
func (s *Service) commit(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-s.inbound:
			s.commitBatch(ctx, s.gather(a))
		}
	}
}

func (s *Service) gather(a *inboundMessage) []*inboundMessage {
	batch := []*inboundMessage{a}
	for len(batch) < batchSize {
		select {
		case more := <-s.inbound:
			batch = append(batch, more)
		default:
			return batch
		}
	}
	return batch
}

// commitBatch stores a batch and answers it. What fails in company is done one by one; what fails three times alone is
// kept as it came, quarantined, so that no message can hold up the others or be lost.
func (s *Service) commitBatch(ctx context.Context, batch []*inboundMessage) {
	err := s.attempt(ctx, batch)
	if err != nil && !isInfrastructure(err) && len(batch) > 1 {
		s.log.Warn("a batch of messages failed and is done one by one", schemas.AttrReason, reasonOf(err))
		for _, a := range batch {
			s.commitBatch(ctx, []*inboundMessage{a})
		}
		return
	}
	for try := 1; err != nil && !isInfrastructure(err) && try < maxTries; try++ {
		err = s.attempt(ctx, batch)
	}
	if err != nil && !isInfrastructure(err) {
		s.log.Error("a message could not be processed and is quarantined", schemas.AttrMessage, batch[0].id,
			schemas.AttrReason, reasonOf(err))
		batch[0].ClinicalEvent, batch[0].Outcome, batch[0].Reason, batch[0].Ack = nil, record.Quarantined,
			reading.ReasonFault, hl7.Accepted
		err = s.attempt(ctx, batch)
	}
	flow.Failpoint("intake.answering")
	for _, a := range batch {
		if err != nil {
			a.err = fmt.Errorf("%w: %w", ErrStopping, err)
		} else {
			s.count(ctx, a)
		}
		close(a.done)
	}
}

func (s *Service) count(ctx context.Context, a *inboundMessage) {
	s.noteUnknown(a)
	s.messages.Add(ctx, 1, metric.WithAttributes(attribute.String(schemas.AttrOutcome, string(a.result.Outcome))))
	s.quarantined.Record(ctx, s.clock.Now().Sub(a.received).Seconds())
}

// reasonOf names an error for the log without its text, which may quote what was to be stored.
func reasonOf(err error) string {
	if constraint := pg.Constraint(err); constraint != "" {
		return "constraint " + constraint
	}
	return fmt.Sprintf("%T", err)
}

func isInfrastructure(err error) bool {
	return pg.IsInfrastructure(err) || errors.Is(err, flow.ErrOutcomeUnknown) || isRace(err)
}

// isRace: another transaction has changed whom or which visit this one is about. Done again, it finds that.
func isRace(err error) bool {
	return errors.Is(err, errMergedMeanwhile) || pg.IsUnique(err, "visit_organisation_number_key")
}

// attempt stores a batch, trying again for as long as only the database is in trouble. It returns an error about
// the batch itself, or that ctx has ended.
func (s *Service) attempt(ctx context.Context, batch []*inboundMessage) error {
	for try, wait := 0, 20*time.Millisecond; ; try, wait = try+1, min(2*wait, time.Second) {
		err := s.transact(ctx, batch, try > 0)
		if err == nil || !isInfrastructure(err) {
			s.infrastructure.Store(nil)
			return err
		}
		reason := reasonOf(err)
		if !isRace(err) && s.infrastructure.Swap(&reason) == nil {
			s.log.Warn("the database is in trouble; answers are held", schemas.AttrReason, reason)
		}
		_ = s.makePartitions(ctx) // the day's partition may be what is missing; else it says the same again
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// transact does a batch in one transaction and two round trips: what it concerns, locked; then the decisions, the
// ledger and the events, with the commit. Where something is stored of whom it names, reading that is a third.
func (s *Service) transact(ctx context.Context, batch []*inboundMessage, again bool) (err error) {
	ctx, span := s.startBatch(ctx, batch)
	defer span.End()
	defer func() {
		if p := recover(); p != nil { // its text may quote the message
			err = fmt.Errorf("deciding about %d messages panicked with a %T", len(batch), p)
		}
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
	}()
	return s.flow.Do(ctx, func(tx *flow.Tx) error {
		job := newTransaction(s, batch)
		if again {
			findDecided(tx, ids(batch), job.decided)
		}
		lockReceipts(tx, batch, tx.Now, job.fresh, job.known)
		findDoubles(tx, batch, job.doubles)
		s.lockFacilities(tx, batch, job.unit)
		if err := job.load(tx); err != nil {
			return err
		}
		findAnswered(tx, job.known)
		if err := tx.Flush(); err != nil {
			return err
		}
		flow.Failpoint("intake.locked")
		return job.finish(tx)
	})
}

// maxLinks bounds the links of a batch's span.
const maxLinks = 32

// startBatch starts the one span of a batch: a batch of one goes on with its message's trace, a larger one links to
// them.
func (s *Service) startBatch(ctx context.Context, batch []*inboundMessage) (context.Context, trace.Span) {
	if len(batch) == 1 && batch[0].span.IsValid() {
		return s.tracer.Start(trace.ContextWithSpanContext(ctx, batch[0].span), "keep messages")
	}
	var links []trace.Link
	for _, a := range batch {
		if a.span.IsValid() && a.span.IsSampled() && len(links) < maxLinks {
			links = append(links, trace.Link{SpanContext: a.span})
		}
	}
	return s.tracer.Start(ctx, "keep messages", trace.WithLinks(links...))
}

func ids(batch []*inboundMessage) []string {
	out := make([]string, len(batch))
	for i, a := range batch {
		out[i] = a.id
	}
	return out
}

// finish decides about each message in the order they came, and ends the transaction.
func (j *transaction) finish(tx *flow.Tx) error {
	for _, a := range j.batch {
		if earlier, done := j.decided[a.id]; done {
			a.result = earlier.result(a)
			continue
		}
		j.decide(tx, a)
		j.rows = append(j.rows, a)
	}
	return j.end(tx)
}

func (j *transaction) decide(tx *flow.Tx, a *inboundMessage) {
	a.visit, a.person = "", ""
	a.result = Result{Message: a.id, Ack: a.Ack, Outcome: a.Outcome, Reason: a.Reason}
	before, same := j.before(a)
	if same != nil {
		a.result = same.result(a)
		a.result.Outcome = record.Duplicate
		a.sealed, a.wrapped = nil, nil // the original is kept
		return
	}
	reused := len(before) > 0
	if a.resendIsKnown() {
		j.known[a.receipt()] = append(before, seen{message: a.id, hash: a.hash})
		defer j.remember(a)
	}
	switch {
	case reused && a.endpoint != record.EndpointMLLP:
		a.result.Outcome, a.result.Reason = record.Rejected, record.ReasonReused
	case a.isApplied():
		j.apply(tx, a)
	case a.result.Outcome == record.Quarantined:
		j.emit(tx, record.Quarantine(a.id, j.unit.HomeOf(a.Organisation), a.Reason, a.dueAt).Emissions)
	}
	if reused && a.result.Reason == "" {
		a.result.Reason = record.ReasonReused
	}
}

// before gives what came earlier under the same sender and control id, and the one of them with the same content.
func (j *transaction) before(a *inboundMessage) (before []seen, same *seen) {
	if !a.resendIsKnown() {
		return nil, nil
	}
	before = j.known[a.receipt()]
	for i := range before {
		if before[i].hash == a.hash && !j.fresh[a.id] {
			return before, &before[i]
		}
	}
	return before, nil
}

// remember keeps the result for a resend in the same batch.
func (j *transaction) remember(a *inboundMessage) {
	all := j.known[a.receipt()]
	all[len(all)-1] = seen{message: a.id, hash: a.hash, ack: a.ack(), outcome: string(a.result.Outcome),
		reason:  a.result.Reason,
		journey: a.result.Journey}
}

// result answers a message as an earlier one was answered.
func (s seen) result(a *inboundMessage) Result {
	result := Result{Message: s.message, Outcome: record.Outcome(s.outcome), Reason: s.reason, Journey: s.journey}
	switch { // the last code is the application's, where it was asked for
	case s.ack == reading.AckCode(reading.NoAck):
		result.Ack = reading.NoAck
	case strings.HasSuffix(s.ack, "E"):
		result.Ack = hl7.Failed
	case strings.HasSuffix(s.ack, "R"):
		result.Ack = hl7.Refused
	}
	return result
}

func (j *transaction) apply(tx *flow.Tx, a *inboundMessage) {
	a.ClinicalEvent.Asked.Double = j.doubles[string(a.nameHash)]
	fresh := a.fresh
	fresh.Person, fresh.GivenUp = j.personID(a.keys.Person, fresh.Person), j.personID(a.keys.GivenUp, fresh.GivenUp)
	settled := j.unit.Apply(record.Incoming{ClinicalEvent: *a.ClinicalEvent, Keys: a.keys, New: fresh, Way: a.way(),
		DecidedAt: tx.Now})
	a.result.Outcome, a.result.Reason, a.result.Journey = settled.Outcome, settled.Reason, settled.Journey
	a.person = settled.Person
	a.doubted = settled.Doubted
	a.guarded = a.doubted || settled.Visit == nil || settled.Visit.Published.Journey == "" ||
		slices.Contains(settled.Visit.Published.Flags, schemas.FlagPossibleDouble)
	if settled.Visit != nil {
		a.visit = settled.Visit.ID
	}
	j.emit(tx, settled.Emissions)
	for _, message := range settled.Released {
		j.release(tx, message)
	}
	for _, held := range settled.Quarantined {
		j.hold(held)
	}
}

// personID is the id that a new record must get: the one its lookup key leads to.
func (j *transaction) personID(key, otherwise string) string {
	if id, ok := j.locks.persons[key]; ok {
		return id
	}
	return otherwise
}
