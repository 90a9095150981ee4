// Package flow takes events in exactly once and gives events out exactly once. It is the one place that decides
// about "lost" and "twice".
//
// PostgreSQL holds the truth; JetStream carries it, fast, and can be rebuilt from it. A state change and the
// events it leads to commit together, in one transaction of the service's own schema; right after the commit the
// events are published from memory. What comes again changes nothing: what a service knows is a join of what was said
// (ADR 7), so that nobody remembers deliveries. A handler of which that is not so says that, and gets an inbox.
//
// A service uses four things: a Config with the types it hears and a Handle function; Flow.Run; Flow.Do for what
// arrives by HTTP, MLLP or time (Flow.DoOnce for a request that may be sent twice); and Tx, in which every statement is
// queued and every event emitted.
//
// Promises:
//   - what has committed is published, at least once, whatever is killed, paused, deleted or rolled back, as long
//     as the database keeps what it has acknowledged;
//   - an event has its effect once: effects and outgoing events commit together or not at all, and a handler that is
//     given
//     the same event again, however late, writes nothing and emits nothing (each service has a property test of that);
//   - one event that cannot be applied holds nothing up and is not dropped: it is parked, tried again, and in the
//     end a dead letter that counts as the void;
//   - trouble with database or broker never counts against an event.
//
// It does not promise order, neither between services nor within one.
package flow

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
)

// Handle applies a batch of events that have arrived, up to Config.BatchSize of them.
//
// It is called when the batch's transaction is about to begin. It queues, with Tx.Queue, the reads that deciding needs,
// locking the state concerned in id order; they travel in one round trip. It then returns decide, which is called with
// the events of the batch. decide asks the rules, queues the writes and emits events; they travel in one round trip
// with the commit. A batch of one is the same code.
//
// An event may come any number of times, in any order, and months apart: one that changes no value of what is known
// must write nothing and emit nothing. Counts are rows with keys that follow from what was said, never increments. Only
// where Config.NotIdempotent says so is decide called with those alone that have not been applied before.
//
// An error or panic of decide redoes the batch one event at a time; the event that fails alone is parked.
type Handle func(tx *Tx, batch []Event) (decide func(fresh []Event) error)

// Due is a loop over what falls due by time. Run is called each Every, and at once after Flow.Wake, in a
// transaction of its own; it returns how many rows it took, and is called again at once when that was limit.
//
// Run leaves out the rows of Tx.Aside and names each one it takes by Tx.Take. When it fails or panics it is called
// again with a limit of 1, and the row that fails alone is set aside for ten minutes, so that it stops only itself.
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
	// Bus is a connection with the service's own NATS user; Stream is where the events are.
	Bus    *bus.Conn
	Stream bus.Stream
	Clock  clock.Clock
	Log    *slog.Logger
	Tracer trace.Tracer
	Meter  metric.Meter

	// Subjects lists the subject filters of the types that Handle wants, e.g. "footbridge.offer.raised.v1.*".
	// A service that hears nothing leaves both empty.
	Subjects []string
	Handle   Handle
	Due      []Due

	// BatchSize bounds a batch (256). Workers is how many batches are under way at once (2).
	BatchSize int
	Workers   int

	// NotIdempotent says that Handle does more when it is given an event again: every id it has applied is then kept,
	// for good, in the transaction of its effect. No service of ours needs it; tests/arch lists those that do.
	NotIdempotent bool

	// KeepOutbox is for how many days published events are kept (45). The stream must keep less.
	KeepOutbox int
	// ByDay are tables of the service's own that are partitioned by day like the outbox, with the days each is kept:
	// their partitions are made ahead, again where more days have passed at once, and dropped with the outbox's.
	ByDay map[string]int

	// ParkTries is how often a parked event is tried again before it is a dead letter (8); ParkDelay is the wait
	// before the first of them (5 s), doubled each time.
	ParkTries int
	ParkDelay time.Duration
	// StuckAfter is for how long a batch is tried again whose trouble seems to be the infrastructure's (1 min), before
	// its events are tried alone, and the one that alone meets trouble while the database answers is parked.
	StuckAfter time.Duration

	// StaleAfter is for how long another writer's beats must stand still before it is taken over (5 s). SyncLag
	// is how long an acknowledgement is not trusted to have reached the broker's disk (5 min). RebuildRate bounds
	// how many older events a second a rebuild publishes (4,000), so that new ones still pass.
	StaleAfter  time.Duration
	SyncLag     time.Duration
	RebuildRate int
}

// Query is a queued statement; its Query, QueryRow and Exec methods take what is to be done with the answer.
type Query = pgx.QueuedQuery

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables flow keeps in each service's schema: outbox, writers, letters, an inbox that is empty where
// the handler is idempotent, and the requests that were done once.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Flow is one service's running exchange of events.
type Flow struct {
	cfg       Config
	source    string
	publisher *publisher
	metrics   *instruments
	seen      backlog // as last read; where database or broker do not answer, ages go on growing

	writer  atomic.Pointer[tracker] // the one that new events are written under
	mu      sync.Mutex
	adopted map[int64]*tracker

	life        context.Context // ends when everything has been drained
	end         context.CancelFunc
	background  sync.WaitGroup
	wake        map[string]chan struct{}
	postponed   map[string]*postponed // of each due loop
	evidence    chan string           // something to look into at once: why
	faults      faults
	ages        ages
	position    atomic.Pointer[position]  // the furthest message this service has applied
	created     string                    // when the stream was made that was last looked at; the looking loop's own
	looked      atomic.Pointer[time.Time] // when a look at the stream began that found all of it; see found
	proved      uint64                    // the connection of the last thorough look; the looking loop's own
	clockWrong  atomic.Bool               // it and the database's clock are far apart
	agreed      atomic.Pointer[agreed]    // when they agreed last
	newest      atomic.Int64              // when the stream's newest message was stored, in nanoseconds since 1970
	streamLimit atomic.Int32              // the largest message the stream takes; 0 or less: any
	reading     time.Time                 // when the stream was made that is being read; the pulling loop's own
	commits     atomic.Uint64             // of this process, but those of looks that found nothing
	readings    atomic.Uint64             // how many readings of the durable were begun, or were cut short; see heard
	// the last message of the last rebuild, and since when it is known; the looking loop's own
	rebuilt struct {
		id string
		at time.Time
	}
	moved struct { // how far the durable had come, and since when; the pulling loop's own
		count uint64
		at    time.Time
	}
}

// New prepares a flow and writes down its writer; Run starts it. The service's schema must be migrated.
func New(ctx context.Context, cfg Config) (*Flow, error) {
	setDefaults(&cfg)
	cfg.Due = withForgetting(cfg.Due)
	f := &Flow{
		cfg: cfg, source: "/footbridge/" + cfg.Service, adopted: map[int64]*tracker{},
		wake: map[string]chan struct{}{}, postponed: map[string]*postponed{}, evidence: make(chan string, 1),
	}
	for _, due := range cfg.Due {
		f.wake[due.Name], f.postponed[due.Name] = make(chan struct{}, 1), &postponed{until: map[string]time.Time{}}
	}
	f.life, f.end = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if f.metrics, err = newInstruments(f); err != nil { // from now on somebody may read the figures
		return nil, err
	}
	if f.publisher, err = newPublisher(cfg.Bus.NATS, 8192); err != nil {
		return nil, err
	}
	if err := f.makePartitions(ctx); err != nil {
		return nil, err
	}
	f.compareClocks(ctx)
	return f, f.renewWriter(ctx, nil)
}

func setDefaults(cfg *Config) {
	orInt := func(field *int, value int) { *field = cmp.Or(*field, value) }
	orTime := func(field *time.Duration, value time.Duration) { *field = cmp.Or(*field, value) }
	orInt(&cfg.BatchSize, 256)
	orInt(&cfg.Workers, 2)
	orInt(&cfg.KeepOutbox, 45)
	orInt(&cfg.ParkTries, 8)
	orInt(&cfg.RebuildRate, 4000)
	orTime(&cfg.ParkDelay, 5*time.Second)
	orTime(&cfg.StuckAfter, time.Minute)
	orTime(&cfg.StaleAfter, 5*time.Second)
	orTime(&cfg.SyncLag, 5*time.Minute)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Tracer == nil {
		cfg.Tracer = tracenoop.NewTracerProvider().Tracer("")
	}
	if cfg.Meter == nil {
		cfg.Meter = metricnoop.NewMeterProvider().Meter("")
	}
}

// Run exchanges events until ctx ends, then drains: batches under way are finished, what has committed is
// published, and the rest is left to whoever comes next. It returns an error only for what a restart cannot mend.
func (f *Flow) Run(ctx context.Context) error {
	defer f.cfg.Bus.OnReconnect(func() { f.check("the broker connection came back") })()
	var loops sync.WaitGroup
	loops.Go(func() { f.keepWriters(f.life) })
	loops.Go(func() { f.keepSwept(f.life) })
	loops.Go(func() { f.keepPublisher(f.life) })
	loops.Go(func() { f.keepStream(f.life) })
	loops.Go(func() { f.keepRetention(f.life) })
	loops.Go(func() { f.keepClock(f.life) })
	var work sync.WaitGroup
	if f.cfg.Handle != nil {
		work.Go(func() { f.consume(ctx) })
		work.Go(func() { f.retryParked(ctx) })
	}
	for _, due := range f.cfg.Due {
		work.Go(func() { f.runDue(ctx, due) })
	}
	<-ctx.Done()
	hardEnd := time.AfterFunc(stopWithin, f.end) // whatever the database or the broker do
	defer hardEnd.Stop()
	work.Wait()
	f.drain(stopWithin)
	f.end()
	loops.Wait()
	f.background.Wait()
	return nil
}

// Ready says why this flow cannot do its work at the moment, or nil. Whether the connection to the broker stands is
// asked here: a look at the stream that is under way over one that is gone is answered only when its time is over.
func (f *Flow) Ready() error {
	if !f.cfg.Bus.Up() {
		return errors.Join(errNoConnection, f.faults.current())
	}
	return f.faults.current()
}

var errNoConnection = errors.New("no connection to the broker")

// Wake runs the named due loop at once, because something has just been made that may be due.
func (f *Flow) Wake(due string) {
	select {
	case f.wake[due] <- struct{}{}:
	default:
	}
}

// stopWithin is how long batches under way may take to finish, and what has committed to be acknowledged, once the
// process is told to stop. What is left is in the outbox and on the broker.
const stopWithin = 5 * time.Second

// drain waits until what has committed has been acknowledged by the broker, for a while.
func (f *Flow) drain(patience time.Duration) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, unsettled, _ := f.writer.Load().state(); unsettled == 0 {
			return
		}
		select {
		case <-f.life.Done():
			return
		case <-deadline.C:
			f.cfg.Log.Warn("stopping with events not yet acknowledged; they are in the outbox")
			return
		case <-tick.C:
		}
	}
}
