// Package intake is where hospitals and professionals tell that somebody has left A&E, and where who that is stays.
//
// In: HL7 v2 ADT messages over MLLP; CloudEvents over POST /events; forms and lists; FHIR R4 messages in the Booking
// and Referral Standard's envelope; signals of a death, a changed NHS number or a changed record. It hears which
// journeys are open, and what became of offers.
// Out: discharge.recorded, discharge.corrected, discharge.withdrawn, referral.requested, consent.given,
// consent.declined, consent.withdrawn, consent.expiring, person.contact-stopped, person.contact-resumed, person.merged,
// person.unmerged, person.preferences-changed, information.supplied, message.quarantined, message.released.
//
// Tables: message (the ledger) and message_key, receipt (what was received before), visit, person, person_key and
// person_lookup, journey, consent, contact_card, note and summary (sealed), own_page,
// partner_offer, partner_person, access_log,
// person_merge, legal_hold, erasure. View: held, for the sentinel.
//
// It promises:
//   - a message is acknowledged only when it can no longer be lost, and a resend gets the same answer and no second
//     event; while the database is away answers are held, never refused;
//   - everything received is in the ledger with its answer, outcome and reason: what cannot be used is quarantined,
//     an owned step with a due time, never dropped;
//   - reason, diagnosis and end of a visit may come on different messages, in any order, through any process: the
//     visit raises one journey, once, and ends in the same state;
//   - free text never raises anything by itself; undecided scope is put before a human;
//   - who the person is stays sealed here, under a key of their own; events carry a random id and coded facts. It is
//     read for a stated reason, by the person, or by a partner by its accepted offer and a yes to it, and every look
//     is kept;
//   - consent and contact never cross a merge that no human has confirmed; what a person confirmed is not overwritten
//     by
//     a message; after an erasure, and three days after it turns out to be out of scope, nobody can read who it was.
//
// It asks no national service for anything: a signal whose details it would have to fetch is put before a human. It
// sends no FHIR messages of its own; what became of a request is asked for by Task.
package intake

import (
	"cmp"
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the binary must know Europe/London on a machine that does not

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/hl7"
	"footbridge/libs/peers"
	"footbridge/libs/pg"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// Name is the schema, the login and the source.
const Name = "intake"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this service; they come after flow's.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Config is what intake needs. Fields with a default may be left zero.
type Config struct {
	Pool  *pgxpool.Pool
	Vault *vault.Vault
	// Profiles say how each sender's messages are read (the shipped ones).
	Profiles *reading.Profiles
	// Host is the ODS code of the organisation that runs this, and Agreed are further ones that send people, beside
	// those that profiles name. What comes from elsewhere is the host's to place. Without a host, every organisation
	// is agreed.
	Host   string
	Agreed []string
	Clock  clock.Clock
	Log    *slog.Logger
	Tracer trace.Tracer
	// Zone is whose calendar days count (Europe/London).
	Zone *time.Location
	// QuarantineFor is by when a human must have looked at a quarantined message (4 h).
	QuarantineFor time.Duration
	// NoEndAfter is after how long somebody is asked about a visit without an end (24 h); WardReview how often about a
	// stay on a ward (7 days).
	NoEndAfter time.Duration
	WardReview time.Duration
	// KeepReceipts is for how long a resend is known as one, and late coding finds its visit (60 days, and no less
	// than that: senders resend after long outages). KeepLedger is for how long messages stay in the ledger (400 days).
	KeepReceipts time.Duration
	KeepLedger   time.Duration
	// WatchEvery is how often feeds are looked at (1 min).
	WatchEvery time.Duration
	// MaxMessage is the largest message in bytes, over any door (1 MiB).
	MaxMessage int
	// HTTPPatience is how long POST /events waits for room or for the database before it says 429 or 503 (10 s).
	HTTPPatience time.Duration
	// TLS makes every MLLP connection TLS; set its ClientAuth and ClientCAs for mutual TLS.
	TLS *tls.Config
	// Peers bounds what senders over MLLP may take: connections, and memory for what is coming in (its own defaults).
	Peers *peers.Limiter
	// Meter counts messages by their outcome.
	Meter metric.Meter
}

// Service takes messages in. Any number of processes may run it at once.
type Service struct {
	pool          *pgxpool.Pool
	flow          *flow.Flow
	vault         *vault.Vault
	profiles      *reading.Profiles
	host          string
	agreed        map[string]string // organisations by their spelling without case, blanks and punctuation
	clock         clock.Clock
	log           *slog.Logger
	tracer        trace.Tracer
	zone          *time.Location
	quarantineFor time.Duration
	waits         record.Waits
	keepReceipts  time.Duration
	keepLedger    time.Duration
	watchEvery    time.Duration
	unknown       unknownCodes
	maxMessage    int
	patience      time.Duration
	fhirPatience  time.Duration
	tls           *tls.Config
	peers         *peers.Limiter
	meter         metric.Meter
	messages      metric.Int64Counter
	quarantined   metric.Float64Histogram

	inbound        chan *inboundMessage
	stopped        chan struct{}
	infrastructure atomic.Pointer[string] // why answers are held, while they are
	doubles        doubleSearch
}

// New checks the configuration. Attach gives it its flow before Run.
func New(cfg Config) (*Service, error) {
	s := &Service{
		pool: cfg.Pool, vault: cfg.Vault, profiles: cfg.Profiles, clock: cfg.Clock, log: cfg.Log, tracer: cfg.Tracer,
		zone:          cfg.Zone,
		quarantineFor: cfg.QuarantineFor, waits: record.Waits{NoEnd: cmp.Or(cfg.NoEndAfter, record.NoEndAfter),
			Ward: cmp.Or(cfg.WardReview, record.WardReview)}, keepReceipts: cfg.KeepReceipts,
		keepLedger: cfg.KeepLedger, watchEvery: cfg.WatchEvery, maxMessage: cfg.MaxMessage, patience: cfg.HTTPPatience,
		fhirPatience: fhirBudget,
		host:         cfg.Host, tls: cfg.TLS, peers: cfg.Peers, meter: cfg.Meter,
		inbound: make(chan *inboundMessage, queueSize), stopped: make(chan struct{}),
	}
	if s.pool == nil || s.vault == nil {
		return nil, errors.New("intake needs a database and a vault: set FOOTBRIDGE_DATABASE_URL and " +
			"FOOTBRIDGE_KEK_FILE")
	}
	if err := s.setDefaults(); err != nil {
		return nil, err
	}
	s.agree(cfg.Agreed)
	return s, nil
}

func (s *Service) setDefaults() error {
	var err error
	if s.profiles == nil {
		if s.profiles, err = reading.ShippedProfiles(); err != nil {
			return err
		}
	}
	if s.zone, err = calendar.ZoneOr(s.zone); err != nil {
		return err
	}
	if s.clock == nil {
		s.clock = clock.Real()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.tracer == nil {
		s.tracer = noop.NewTracerProvider().Tracer("")
	}
	if s.meter == nil {
		s.meter = metricnoop.NewMeterProvider().Meter("")
	}
	if s.peers == nil {
		s.peers = peers.New(peers.Limits{})
	}
	if s.quarantineFor == 0 {
		s.quarantineFor = 4 * time.Hour
	}
	if s.watchEvery == 0 {
		s.watchEvery = time.Minute
	}
	s.keepReceipts = max(s.keepReceipts, minReceipts)
	if s.keepLedger == 0 {
		s.keepLedger = 400 * 24 * time.Hour
	}
	s.keepLedger = max(s.keepLedger, s.keepReceipts)
	if s.maxMessage == 0 {
		s.maxMessage = 1 << 20
	}
	if s.patience == 0 {
		s.patience = 10 * time.Second
	}
	return s.instrument()
}

func (s *Service) instrument() error {
	var errs [2]error
	s.messages, errs[0] = s.meter.Int64Counter("footbridge.intake.messages",
		metric.WithDescription("messages answered, by outcome"))
	s.quarantined, errs[1] = s.meter.Float64Histogram("footbridge.intake.held", metric.WithUnit("s"),
		metric.WithDescription("time from a message's arrival until it could be answered"))
	return errors.Join(errs[:]...)
}

// FlowConfig fills in what intake asks of its flow: it hears nothing, and keeps its partitions by time.
func (s *Service) FlowConfig(cfg flow.Config) flow.Config {
	cfg.Service, cfg.Pool, cfg.Due = Name, s.pool, append(s.Due(), s.peopleDue()...)
	cfg.Subjects, cfg.Handle = schemas.SubjectsSubscribedBy(Name), s.Handle
	return cfg
}

// Attach gives the service the flow that was made of FlowConfig; call it once, before Run.
func (s *Service) Attach(ctx context.Context, f *flow.Flow) error {
	s.flow = f
	return s.makePartitions(ctx)
}

// Ready says why messages cannot be stored at the moment, or nil.
func (s *Service) Ready() error {
	if reason := s.infrastructure.Load(); reason != nil {
		return fmt.Errorf("answers are held, the database is in trouble: %s", *reason)
	}
	return nil
}

// drainFor is how long messages under way may take when the process stops.
const drainFor = 10 * time.Second

// Run takes messages from the MLLP listener, if there is one, and over the HTTP routes, until ctx ends. It then
// takes no more, finishes what is under way and answers it. The listener is closed.
func (s *Service) Run(ctx context.Context, listener net.Listener) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var work sync.WaitGroup
	for range committers {
		work.Go(func() { s.commit(life) })
	}
	failed := make(chan error, 1)
	server := s.mllpServer()
	if listener != nil {
		go func() { failed <- server.Serve(s.peers.Listener(listener)) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	if listener != nil {
		err = errors.Join(ignoreClosed(err), ignoreDeadline(server.Shutdown(patience)))
	}
	close(s.stopped)
	s.drain(patience)
	end()
	work.Wait()
	s.abandon()
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, hl7.ErrServerClosed) {
		return nil
	}
	return err
}

// ignoreDeadline: what was not answered in time was not promised; its senders send it again.
func ignoreDeadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// drain waits until nothing more waits to be stored.
func (s *Service) drain(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(s.inbound) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// abandon tells those still waiting that nothing was promised.
func (s *Service) abandon() {
	for {
		select {
		case a := <-s.inbound:
			a.err = ErrStopping
			close(a.done)
		default:
			return
		}
	}
}

// makePartitions makes the days of the ledger that will be needed, by the system's clock.
func (s *Service) makePartitions(ctx context.Context) error {
	now := s.clock.Now()
	for _, table := range []string{"message", "message_key"} {
		if err := pg.EnsureDayPartitions(ctx, s.pool, table, pg.ByUUIDv7, now.AddDate(0, 0, -1),
			now.AddDate(0, 0, 8)); err != nil {
			return fmt.Errorf("making partitions of the ledger: %w", err)
		}
	}
	return nil
}
