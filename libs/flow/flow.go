// Package flow takes events in exactly once and gives events out exactly once. It is the one place that decides
// about "lost" and "twice".
//
// PostgreSQL holds the truth; JetStream carries it, fast, and can be rebuilt from it. A state change and the
// events it leads to commit together, in one transaction of the service's own schema; right after the commit the
// events are published from memory. Readers count an event once by its id, in the same transaction as what they
// do about it.
//
// A service uses four things: a Config with the types it hears and a Handle function; Flow.Run; Flow.Do for what
// arrives by HTTP, MLLP or time; and Tx, in which every statement is queued and every event emitted.
//
// Promises:
//   - what has committed is published, at least once, whatever is killed, paused, deleted or rolled back, as long
//     as the database keeps what it has acknowledged;
//   - an event is applied once: inbox row, effects and outgoing events commit together or not at all;
//   - one event that cannot be applied holds nothing up and is not dropped: it is parked, tried again, and in the
//     end a dead letter that counts as the void;
//   - trouble with database or broker never counts against an event.
//
// It does not promise order, neither between services nor within one.
package flow

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
)

// Handle applies a batch of events that have arrived, up to Config.BatchSize of them.
//
// It is called when the batch's transaction is about to begin. It queues, with Tx.Queue, the reads that deciding
// needs, locking the state concerned in id order; they travel in the same round trip as the inbox rows. It then
// returns decide, which is called with those events of the batch that have not been applied before (the others are
// duplicates and are only acknowledged). decide asks the rules, queues the writes and emits events; they travel in
// one round trip with the commit. A batch of one is the same code.
//
// An error or panic of decide redoes the batch one event at a time; the event that fails alone is parked.
type Handle func(tx *Tx, batch []Event) (decide func(fresh []Event) error)

// Due is a loop over what falls due by time. Run is called each Every, and at once after Flow.Wake, in a
// transaction of its own; it returns how many rows it took, and is called again at once when that was limit.
type Due struct {
	Name  string
	Every time.Duration
	Limit int
	Run   func(ctx context.Context, tx *Tx, limit int) (taken int, err error)
}

// Config is what a service says about itself. Fields with a default may be left zero.
type Config struct {
	// Service is the schema, the durable consumer's name and the last part of the CloudEvents source.
	Service string
	// Pool's connections have the service's schema as search_path and its own login.
	Pool *pgxpool.Pool
	// Bus is a connection with the service's own NATS user.
	Bus   *bus.Conn
	Clock clock.Clock
	Log   *slog.Logger

	// Hears lists the subjects filters of the types that Handle wants, e.g. "footbridge.offer.raised.v1.*".
	Hears  []string
	Handle Handle
	Due    []Due

	// BatchSize bounds a batch (256). Workers is how many batches are under way at once (2).
	BatchSize int
	Workers   int

	// KeepOutbox and KeepInbox say for how many days published and applied events are remembered (45 and 90).
	// The stream must keep less than KeepOutbox, the inbox at least both together.
	KeepOutbox, KeepInbox int

	// ParkTries is how often a parked event is tried again before it is a dead letter (8).
	ParkTries int
}

// Query is a queued statement; its Query, QueryRow and Exec methods take what is to be done with the answer.
type Query = pgx.QueuedQuery
