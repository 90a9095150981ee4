// Package traces keeps the spans of all services for days, so that operators can search what was done, how long it took
// and what failed, and see a journey's way through the services over weeks.
//
// In come batches of spans from every process of the installation (POST /v1/traces, OTLP, as a service itself); no
// event comes in or goes out. It keeps one row per trace, service and batch (table fragment), by day, with the spans
// compressed beside the columns that are searched.
//
// Promises:
//   - it is in nobody's way: whoever hands spans over does not wait for it, and where it or its database is gone
//     nothing else is; a note says so;
//   - days are dropped after Keep, and earlier, the oldest first, where all of them take more than Bytes; today's
//     stay, and where they alone take more nothing is added until tomorrow but what failed;
//   - a crash of the database loses less than a second: its login alone commits without waiting for the disk;
//   - nothing that identifies a person is kept, whoever sent it: services, kinds of work, attributes and events of
//     spans are of closed lists, journeys are ids, and whatever else comes is left out or called "other work".
//
// Times are those of the machine, as spans are: a clock of tests or of a demonstration does not move them.
package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"footbridge/libs/clock"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
)

// Name is the service's.
const Name = schemas.Traces

// Config is what the service is made of. Clock and Log are needed.
type Config struct {
	// Clock is the machine's.
	Clock clock.Clock
	Log   *slog.Logger
	// Keep is for how long spans are kept (60 days), Bytes how much all days may take on disk (4 GiB).
	Keep  time.Duration
	Bytes int64
	// Pages are the routes that are in no table of schemas: a span may be named by them too.
	Pages []schemas.Route
}

// Service keeps spans. It can be asked before it has a database, and while that is gone: it then says so.
type Service struct {
	cfg     Config
	packing packing
	sieve   *sieve

	mu    sync.Mutex
	pool  *pgxpool.Pool // nil: not there yet
	full  bool          // what is kept of today alone takes more than may be
	ended bool
	awake chan struct{} // something went wrong: look at the database now
}

// New makes the service; Open gives it its database.
func New(cfg Config) (*Service, error) {
	if cfg.Keep == 0 {
		cfg.Keep = 60 * 24 * time.Hour
	}
	if cfg.Bytes == 0 {
		cfg.Bytes = 4 << 30
	}
	if cfg.Keep < 24*time.Hour {
		return nil, fmt.Errorf("traces are kept for at least a day, not for %v", cfg.Keep)
	}
	packing, err := newPacking()
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, packing: packing, sieve: newSieve(cfg.Pages), awake: make(chan struct{}, 1)}, nil
}

// errAway is that there is no database to keep spans in.
var errAway = errors.New("the database of traces is not there")

func (s *Service) database() (*pgxpool.Pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil {
		return nil, errAway
	}
	return s.pool, nil
}

// openEvery is how long is waited before another try to open the database; tidyEvery is how often old days are dropped
// and new ones made.
const (
	openEvery = 5 * time.Second
	tidyEvery = 10 * time.Minute
)

// Run opens the database, again and again where it is not there, and keeps the days. note is told what is amiss, and ""
// when nothing is. It ends with ctx alone.
func (s *Service) Run(ctx context.Context, open func(context.Context) (*pgxpool.Pool, error), note func(string)) {
	defer s.end()
	for pause := time.Duration(0); s.wait(ctx, pause); {
		pool, err := s.database()
		if err != nil {
			pool, err = s.opened(ctx, open)
		}
		pause = openEvery
		if err == nil {
			err = s.tidy(ctx, pool)
			pause = tidyEvery
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = openEvery
			s.cfg.Log.Warn("traces are not kept", schemas.AttrError, err, schemas.AttrRunbook, "traces.md")
			note("traces are not kept: their database does not answer, or cannot be used")
		case s.isFull():
			note("of today only what failed is kept in traces: today's take more room than they may")
		default:
			note("")
		}
	}
}

// wait waits for a pause, or until something goes wrong; false where ctx has ended.
func (s *Service) wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-s.awake:
	}
	return true
}

func (s *Service) opened(ctx context.Context, open func(context.Context) (*pgxpool.Pool, error)) (*pgxpool.Pool,
	error) {
	pool, err := open(ctx)
	if err != nil {
		return nil, err
	}
	if err := makeDays(ctx, pool, s.cfg.Clock.Now()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool = pool
	return pool, nil
}

func (s *Service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool, s.ended = nil, true
}

func (s *Service) isFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

// tidy makes the days ahead and drops those that are old, or for which there is no room.
func (s *Service) tidy(ctx context.Context, pool *pgxpool.Pool) error {
	now := s.cfg.Clock.Now()
	if err := makeDays(ctx, pool, now); err != nil {
		return err
	}
	days, err := daysKept(ctx, pool)
	if err != nil {
		return err
	}
	keepFrom, full := keepFrom(days, now, s.cfg.Keep, s.cfg.Bytes)
	if err := dropDays(ctx, pool, keepFrom); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
	return nil
}

// Take keeps a batch of spans; spans of days that are not kept, or are not yet, are left out. ErrRefused says that it
// does not help to come again.
func (s *Service) Take(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	s.mu.Lock()
	pool, full, ended := s.pool, s.full, s.ended
	s.mu.Unlock()
	switch {
	case ended:
		return fmt.Errorf("%w: traces has ended", telemetry.ErrRefused)
	case pool == nil:
		return errAway
	}
	now := s.cfg.Clock.Now()
	from := now.Add(-youngest)
	var fragments []fragment
	for _, f := range fragmentsOf(spans, s.sieve) {
		if (!full || f.Failed) && !f.began.Before(from) && f.began.Before(now.Add(time.Hour)) {
			fragments = append(fragments, f)
		}
	}
	if err := s.packing.pack(fragments); err != nil {
		return err
	}
	err := insertFragments(ctx, pool, fragments)
	if err != nil {
		select {
		case s.awake <- struct{}{}:
		default:
		}
	}
	return err
}

// youngest is how long ago what is taken in may have begun: days before are not made.
const youngest = 24 * time.Hour
