package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// Emission is an event to be given out when the transaction commits. Id, source, time and trace context are
// filled in by Emit.
type Emission struct {
	Type string
	// Journey becomes the CloudEvents subject and the last token of the NATS subject.
	Journey string
	// Version is the service's own version of the journey after this event; behind the schema's incarnation it becomes
	// the sequence.
	Version int64
	// Cause is the event that led to this one; nil where it began at a door or by time.
	Cause *Event
	// Correlation is the journey's first event where there is no Cause but the service remembers it; with neither,
	// this event is the first.
	Correlation string
	// Data is a struct of schemas; it must marshal to a JSON object without identity.
	Data any
	// After runs when the event has committed: figures are counted there, so that a transaction that is done again
	// counts once. It may be nil.
	After func()
}

// Tx is one transaction with everything that leaves by it. Statements are queued and sent together: the fewer
// flushes, the fewer round trips. A Tx belongs to one goroutine.
type Tx struct {
	locked time.Time // when what a batch is about was locked and read
	// Now is the time of the decision, by the system's clock, the same for the whole transaction. SQL never asks
	// for the time; pass Now.
	Now time.Time

	ctx       context.Context
	flow      *Flow
	conn      *pgxpool.Conn
	writer    *tracker
	queued    *pgx.Batch
	begun     bool
	events    []Event
	trace     traceContext
	onAfter   []func()
	idle      bool     // a look of a due loop that found nothing
	attempted []string // rows of a due loop
	postponed []string
}

// errFenced: this writer was closed by another process, because it stood still for too long. The transaction is
// rolled back and done again by a new writer.
var errFenced = errors.New("this writer has been closed by another process")

// codeWriterClosed is the SQLSTATE that flow_fence raises.
const codeWriterClosed = "FB001"

// ErrOutcomeUnknown: the connection broke while committing, and whether it committed could not be learned before
// the context ended. Nothing is lost either way; whoever does the same again must recognise that it was done.
var ErrOutcomeUnknown = errors.New("the outcome of the commit is not known")

// ErrTooLarge: an event is larger than the broker takes, so that it could never be published. Nothing is committed.
var ErrTooLarge = errors.New("the event is too large")

func (f *Flow) begin(ctx context.Context, writer *tracker) (*Tx, error) {
	conn, err := f.cfg.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquiring a connection: %w", err)
	}
	tx := &Tx{Now: f.cfg.Clock.Now(), ctx: ctx, flow: f, conn: conn, writer: writer, queued: &pgx.Batch{}}
	tx.queueBegin()
	return tx, nil
}

// queueBegin starts the transaction and fences it: flow_fence holds a shared lock until the end of the transaction,
// so that nobody can close this writer meanwhile, and raises when it is closed already.
func (tx *Tx) queueBegin() {
	tx.queued.Queue("begin")
	tx.queued.Queue("select flow_fence($1)", tx.writer.writer)
}

// Queue adds a statement to the next round trip. Use the Query, QueryRow or Exec method of what it returns for
// the answer; without one, only an error counts.
func (tx *Tx) Queue(sql string, args ...any) *Query { return tx.queued.Queue(sql, args...) }

// Postponed are the rows that a due loop must leave out, because they failed alone a short while ago; never nil.
func (tx *Tx) Postponed() []string { return append([]string{}, tx.postponed...) }

// Attempt names a row that a due loop has taken, before what is in it is read: where that fails, it is the row to set
// aside.
func (tx *Tx) Attempt(row string) { tx.attempted = append(tx.attempted, row) }

// AfterCommit runs fn when the transaction has committed, and not otherwise.
func (tx *Tx) AfterCommit(fn func()) { tx.onAfter = append(tx.onAfter, fn) }

// Flush sends what has been queued, in one round trip, and calls the functions that take the answers.
func (tx *Tx) Flush() error {
	if tx.queued.Len() == 0 {
		return nil
	}
	batch := tx.queued
	tx.queued = &pgx.Batch{}
	tx.begun = true
	err := tx.conn.SendBatch(tx.ctx, batch).Close()
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == codeWriterClosed {
		return errFenced
	}
	return err
}

// Sequence is that with which an event of this version is given out in this transaction.
func (tx *Tx) Sequence(version int64) int64 { return sequenceOf(tx.writer.incarnation, version) }

// Emit gives an event out when the transaction commits and returns its id.
func (tx *Tx) Emit(e Emission) (id string) {
	id = clock.NewOrderedID(tx.Now, len(tx.events))
	event := Event{
		ID: id, Source: tx.flow.source, Type: e.Type, Subject: e.Journey, Time: tx.Now, Correlation: e.Correlation,
		Sequence: FormatSequence(tx.Sequence(e.Version)), TraceParent: tx.trace.parent, TraceState: tx.trace.state,
	}
	if e.Cause != nil {
		event.Causation, event.Correlation = e.Cause.ID, e.Cause.Correlation
	}
	if event.Correlation == "" {
		event.Correlation = id
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		data = nil // Marshal of a schemas struct cannot fail; outboxRows refuses an event without data
	}
	event.Data = data
	tx.events = append(tx.events, event)
	if e.After != nil {
		tx.AfterCommit(e.After)
	}
	return id
}

// commit sends what is queued, the outbox rows and the commit in one round trip, then publishes from memory.
func (tx *Tx) commit() error {
	out, err := tx.outboxRows()
	if err != nil {
		tx.rollback()
		return err
	}
	if len(out) > 0 {
		tx.queueOutbox(out)
	}
	var tag pgconn.CommandTag
	tx.queued.Queue("commit").Exec(func(ct pgconn.CommandTag) error { tag = ct; return nil })
	Failpoint("flow.committing")
	err = tx.Flush()
	Failpoint("flow.committed")
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("committing: the database answered %q", tag.String())
	}
	if err != nil {
		return tx.resolve(out, err)
	}
	tx.release()
	tx.published(out)
	return nil
}

// published hands committed events to the publisher and runs what waits for the commit.
func (tx *Tx) published(out []outgoing) {
	if !tx.idle {
		tx.flow.commits.Add(1)
	}
	for _, fn := range tx.onAfter {
		fn()
	}
	tx.flow.publishAll(tx.writer, out)
}

// resolve finds out whether a transaction whose commit returned an error has committed. An answer from the server
// means it has not; a broken connection means asking on another one.
func (tx *Tx) resolve(out []outgoing, err error) error {
	tx.rollback()
	committed := false
	if !isAnswer(err) {
		var settleErr error
		committed, settleErr = tx.flow.outcome(tx.ctx, tx.writer, out)
		if settleErr != nil {
			tx.flow.resolveLater(tx.writer, out)
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
		}
	}
	if committed {
		tx.published(out)
		return nil
	}
	tx.writer.voidAll(out)
	return err
}

// isAnswer says that the server itself refused, so that nothing was committed.
func isAnswer(err error) bool {
	var pgErr *pgconn.PgError
	if errors.Is(err, errFenced) {
		return true
	}
	return errors.As(err, &pgErr) && pgErr.Severity != "FATAL" && pgErr.Severity != "PANIC"
}

// outcome learns what became of a transaction whose commit was not answered, asking until the database answers or
// ctx ends. Its statements may still be on their way to the server, so its writer is closed first: from then on the
// transaction has either committed or never will. Then its own rows in the outbox tell. Where it had none nothing
// tells, and whoever asked must do it again: the transaction's id is no evidence, since a server that crashed gives
// the ids of what it had not yet written out again, to transactions that then commit.
func (f *Flow) outcome(ctx context.Context, writer *tracker, out []outgoing) (committed bool, err error) {
	for {
		if err = f.retire(ctx, writer); err == nil {
			if committed, err = f.traces(ctx, writer, out); err == nil {
				return committed, nil
			}
		}
		if !pg.IsInfrastructure(err) {
			return false, err
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return false, fmt.Errorf("learning the outcome of a commit: %w", err)
		}
	}
}

// traces looks for the traces of a transaction that has ended.
func (f *Flow) traces(ctx context.Context, writer *tracker, out []outgoing) (committed bool, err error) {
	if len(out) == 0 {
		return false, ErrOutcomeUnknown
	}
	err = f.cfg.Pool.QueryRow(ctx, `select exists(select 1 from outbox where writer = $1 and n = $2)`, writer.writer,
		out[0].n).Scan(&committed)
	return committed, err
}

// resolveLater learns an outcome in the background, when the caller cannot wait.
func (f *Flow) resolveLater(writer *tracker, out []outgoing) {
	if len(out) == 0 {
		return
	}
	f.background.Go(func() {
		committed, err := f.outcome(f.life, writer, out)
		switch {
		case err != nil: // the process ends; whoever takes this writer over reads the outbox
		case committed:
			f.commits.Add(1)
			f.publishAll(writer, out)
		default:
			writer.voidAll(out)
		}
	})
}

func (tx *Tx) outboxRows() ([]outgoing, error) {
	if len(tx.events) == 0 {
		return nil, nil
	}
	out := make([]outgoing, len(tx.events))
	for i, e := range tx.events {
		if strings.ContainsAny(e.Subject, ".*> \t\r\n") || e.Subject == "" {
			return nil, fmt.Errorf("emitting %s: journey %q cannot be the end of a subject", e.Type, e.Subject)
		}
		payload, err := Marshal(e)
		if err != nil {
			return nil, err
		}
		out[i] = outgoing{id: e.ID, subject: natsSubject(e.Type, e.Subject), payload: payload}
		if size, most := out[i].size(), tx.flow.mostBytes(); size > most {
			return nil, fmt.Errorf("emitting %s of journey %q: %w: %d bytes, and the broker takes %d", e.Type,
				e.Subject, ErrTooLarge, size, most)
		}
	}
	first := tx.writer.allocate(len(out), time.Now())
	for i := range out {
		out[i].n = first + int64(i)
	}
	return out, nil
}

func (tx *Tx) queueOutbox(out []outgoing) {
	ids, ns := make([]string, len(out)), make([]int64, len(out))
	subjects, payloads := make([]string, len(out)), make([]string, len(out))
	for i, e := range out {
		ids[i], ns[i], subjects[i], payloads[i] = e.id, e.n, e.subject, string(e.payload)
	}
	tx.Queue(`insert into outbox (id, writer, n, subject, payload)
		select id, $2, n, subject, payload from unnest($1::uuid[], $3::bigint[], $4::text[], $5::text[]) as t(id, n,
		subject, payload)`,
		ids, tx.writer.writer, ns, subjects, payloads)
}

// rollback ends the transaction and gives the connection back; a broken one is thrown away by the pool.
func (tx *Tx) rollback() {
	if tx.conn == nil {
		return
	}
	if tx.begun && !tx.conn.Conn().IsClosed() && tx.conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tx.ctx), 5*time.Second)
		defer cancel()
		_, _ = tx.conn.Exec(ctx, "rollback")
	}
	tx.release()
}

func (tx *Tx) release() {
	if tx.conn != nil {
		tx.conn.Release()
		tx.conn = nil
	}
}

// Do runs one transaction for a door: fn queues statements, may flush to read, and emits events; when it returns
// nil, all of it commits together. It is run again, from the start, when another process has closed this writer.
//
// An error that pg.IsInfrastructure recognises, or ErrOutcomeUnknown, says nothing about the input: try again.
func (f *Flow) Do(ctx context.Context, fn func(tx *Tx) error) error {
	for made := false; ; {
		if err := f.ClockRight(); err != nil {
			return err
		}
		writer := f.writer.Load()
		err := f.do(ctx, writer, fn)
		switch {
		case pg.IsNoPartition(err) && !made: // more days have passed at once than were made ahead
			made = true
			if f.makePartitions(ctx) != nil {
				return err
			}
		case !errors.Is(err, errFenced):
			return err
		default:
			if err := f.renewWriter(ctx, writer); err != nil {
				return err
			}
		}
	}
}

func (f *Flow) do(ctx context.Context, writer *tracker, fn func(tx *Tx) error) error {
	tx, err := f.begin(ctx, writer)
	if err != nil {
		return err
	}
	defer tx.rollback() // where fn panics; otherwise it has ended by then
	tx.trace = traceContextOf(ctx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.commit()
}
