package flow

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Emission is an event to be given out when the transaction commits. Id, source, time and trace context are
// filled in by Emit.
type Emission struct {
	Type string
	// Journey becomes the CloudEvents subject and the last token of the NATS subject.
	Journey string
	// Version is the service's own version of the journey after this event; it becomes the sequence.
	Version int64
	// Cause is the event that led to this one; nil where it began at a door or by time.
	Cause *Event
	// Correlation is the journey's first event where there is no Cause but the service remembers it; with neither,
	// this event is the first.
	Correlation string
	// Data is a struct of schemas; it must marshal to a JSON object without identity.
	Data any
}

// Tx is one transaction with everything that leaves by it. Statements are queued and sent together: the fewer
// flushes, the fewer round trips. A Tx belongs to one goroutine.
type Tx struct {
	// Now is the time of the decision, by the system's clock, the same for the whole transaction. SQL never asks
	// for the time; pass Now.
	Now time.Time

	// Span is the context to pass on: it carries the span of this batch.
	ctx    context.Context
	flow   *Flow
	queued *pgx.Batch
	// …
}
