package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
)

// Figures are how the exchange of events of one service stands, read when asked.
type Figures struct {
	// NotReady is why it cannot do its work, in words; empty: nothing stands in the way.
	NotReady string
	// Unread is why what waits could not be read, so that Waiting, Oldest, Parked and Dead are older than they look.
	Unread error
	// Waiting are events before the durable; Oldest is when the first of them was published, zero where none waits.
	Waiting int
	Oldest  time.Time
	// UnpublishedAge is for how long the first committed event has not reached the broker.
	UnpublishedAge time.Duration
	Parked, Dead   int
	// Aside are rows that fell due, could not be done, and are left out for a while.
	Aside int
	// TooLarge are committed events that the broker does not take; -1 where it did not say what it takes.
	TooLarge int
	// DaysAhead is for how many days from today partitions stand ready, of the table with the fewest.
	DaysAhead int
	// Bytes is how large the database is.
	Bytes int64
	// Letters are dead letters, the oldest first, mostLetters at most.
	Letters []DeadLetter
}

// mostLetters is how many dead letters are named one by one; Dead counts them all.
const mostLetters = 50

// Figures reads them. An error says that the database did not answer: what was read before it is in them.
func (f *Flow) Figures(ctx context.Context) (Figures, error) {
	got := Figures{UnpublishedAge: time.Duration(f.unpublishedAge() * float64(time.Second)), TooLarge: -1}
	if err := f.Ready(); err != nil {
		got.NotReady = err.Error()
	}
	for _, loop := range f.postponed {
		got.Aside += loop.count()
	}
	read := make(chan Figures, 1)
	go func() { read <- f.waitingNow() }()
	select {
	case w := <-read:
		got.Waiting, got.Oldest, got.Parked, got.Dead, got.Unread = w.Waiting, w.Oldest, w.Parked, w.Dead, w.Unread
	case <-ctx.Done():
		got.Unread = errNoAnswer
	}
	return got, f.readFigures(ctx, &got)
}

var errNoAnswer = errors.New("the database or the broker did not answer in time")

// waitingNow is what waits, as the metrics show it.
func (f *Flow) waitingNow() (w Figures) {
	s := f.backlogNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Waiting, w.Oldest, w.Parked, w.Dead = int(s.waiting), s.oldest, int(s.parked), int(s.dead)
	if s.failed > 0 {
		w.Unread = errNoAnswer
	}
	return w
}

func (f *Flow) readFigures(ctx context.Context, got *Figures) error {
	batch := &pgx.Batch{}
	batch.Queue(`select event_id::text as event_id, type, journey, reason, since, ''::bytea as payload from letter
		where state = 'dead' order by since, event_id limit $1`, mostLetters).Query(func(rows pgx.Rows) (err error) {
		got.Letters, err = pgx.CollectRows(rows, pgx.RowToStructByName[DeadLetter])
		return err
	})
	batch.Queue(`select pg_database_size(current_database())`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&got.Bytes)
	})
	if err := f.cfg.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("reading figures of %s: %w", f.cfg.Service, err)
	}
	var err error
	if got.DaysAhead, err = pg.DaysAhead(ctx, f.cfg.Pool, f.cfg.Clock.Now()); err != nil {
		return err
	}
	most := int(f.cfg.Bus.NATS.MaxPayload())
	if limit := int(f.streamLimit.Load()); limit > 0 {
		most = min(most, limit)
	}
	if most <= 0 {
		return nil
	}
	large, err := CountTooLarge(ctx, f.cfg.Pool, most)
	if err == nil {
		got.TooLarge = large
	}
	return err
}

// Sample is how a service's figures stood at a minute, or the highest of them in a stretch of minutes that begins
// there.
type Sample struct {
	At time.Time `json:"at"`
	// Figures are values by the figures' names.
	Figures map[string]float64 `json:"figures"`
}

// keepSamples is for how long samples are kept.
const keepSamples = 8 * 24 * time.Hour

// KeepSample keeps how figures stand at a time, once a minute whichever process comes first, and forgets those of more
// than eight days before.
func (f *Flow) KeepSample(ctx context.Context, at time.Time, figures map[string]float64) error {
	text, err := json.Marshal(figures)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`insert into figure_sample (minute, figures) values ($1, $2) on conflict do nothing`,
		at.UTC().Truncate(time.Minute), text)
	batch.Queue(`delete from figure_sample where minute < $1`, at.Add(-keepSamples))
	if err := f.cfg.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("keeping how the figures of %s stand: %w", f.cfg.Service, err)
	}
	return nil
}

// Samples reads what was kept from one time up to another, the highest of each stretch of so long; a stretch of which
// nothing was kept is left out.
func (f *Flow) Samples(ctx context.Context, from, until time.Time, stretch time.Duration) ([]Sample, error) {
	rows, err := f.cfg.Pool.Query(ctx, `select at, jsonb_object_agg(name, highest) from (
			select date_bin(make_interval(secs => $3), minute, $1) as at, f.key as name, max(f.value::float8) as highest
			from figure_sample, jsonb_each_text(figures) as f where minute >= $1 and minute <= $2 group by 1, 2) as s
		group by at order by at`, from, until, stretch.Seconds())
	if err != nil {
		return nil, fmt.Errorf("reading how the figures of %s stood: %w", f.cfg.Service, err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Sample, err error) {
		return s, row.Scan(&s.At, &s.Figures)
	})
}

// Redriver is who puts a dead letter back in line.
type Redriver struct{ Role, Organisation, Subject string }

// RedriveBy puts one dead letter back in line to be tried at once, and keeps who did so; false where it is none, as
// when somebody has done so already. What has been applied changes nothing when it is applied again.
func RedriveBy(ctx context.Context, pool *pgxpool.Pool, who Redriver, now time.Time, id string) (done bool, err error) {
	if !clock.IsID(id) {
		return false, nil
	}
	err = pool.QueryRow(ctx, `with back as (update letter set state = 'waiting', tries = 0, next_try_at = $2
			where state = 'dead' and event_id = $1::text::uuid returning event_id),
		kept as (insert into letter_redriven (event_id, at, role, organisation, by)
			select event_id, $2, $3, $4, $5 from back)
		select exists (select from back)`, id, now, who.Role, who.Organisation, who.Subject).Scan(&done)
	if err != nil {
		return false, fmt.Errorf("redriving dead letter %q: %w", id, err)
	}
	return done, nil
}
