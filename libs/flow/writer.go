package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/pg"
)

// beatEvery is how often a writer shows that it lives and looks whether others do.
const beatEvery = time.Second

// renewWriter writes down a new writer and uses it from now on, unless that has been done already: old is the
// writer that the caller found closed. What the old one has not published is left to whoever has closed it.
func (f *Flow) renewWriter(ctx context.Context, old *tracker) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer.Load() != old {
		return nil
	}
	if old != nil {
		f.cfg.Log.Warn("this process stood still for so long that another took over its unpublished events; it goes "+
			"on as a new writer", keyRunbook, "process-stood-still.md")
	}
	return f.newWriterLocked(ctx)
}

func (f *Flow) newWriterLocked(ctx context.Context) error {
	id := rand.Int64N(1<<62) + 1
	t := newTracker(id, 0)
	err := f.cfg.Pool.QueryRow(ctx, `insert into outbox_writer (id, beats, closed, owner, synced_upto)
		values ($1, 1, false, $1, 0)
		returning (select number from incarnation)`, id).Scan(&t.incarnation)
	if err != nil {
		return fmt.Errorf("writing down a writer of %s: %w", f.cfg.Service, err)
	}
	f.writer.Store(t)
	return nil
}

// retire closes one of this process's own writers and goes on as a new one, while staying answerable for what the
// old one has committed. When it returns nil, every transaction of the old writer has ended, and none can begin.
func (f *Flow) retire(ctx context.Context, old *tracker) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer.Load() == old {
		if err := f.newWriterLocked(ctx); err != nil {
			return err
		}
	}
	if err := f.closeAndWait(ctx, old.writer); err != nil {
		return fmt.Errorf("closing a writer: %w", err)
	}
	_, err := f.cfg.Pool.Exec(ctx, `update outbox_writer set owner = $2 where id = $1 and owner = $1 and closed`,
		old.writer, f.writer.Load().writer)
	if err != nil {
		return fmt.Errorf("closing a writer: %w", err)
	}
	if !old.isAdopted() {
		old.retire()
		f.adopted[old.writer] = old
	}
	return nil
}

// closeAndWait closes a writer and returns when each transaction of it has ended. Until it is claimed it stands still,
// so that it is taken over where this is cut short.
func (f *Flow) closeAndWait(ctx context.Context, id int64) error {
	if _, err := f.cfg.Pool.Exec(ctx, `update outbox_writer set closed = true where id = $1`, id); err != nil {
		return err
	}
	under, err := f.underWay(ctx, nil)
	for err == nil && len(under) > 0 {
		if err = wait(ctx, 5*time.Millisecond); err == nil {
			under, err = f.underWay(ctx, under)
		}
	}
	return err
}

// underWay returns the transactions of this service that are past the fence and have not ended, by their virtual ids;
// of those given, where some are. They hold flow_fence's lock, which no other login can take.
func (f *Flow) underWay(ctx context.Context, of []string) ([]string, error) {
	rows, err := f.cfg.Pool.Query(ctx, `select virtualtransaction from pg_locks where locktype = 'relation'
		and mode = 'RowShareLock'
		and database = (select oid from pg_database where datname = current_database())
		and relation = 'outbox_writer'::regclass
		and ($1::text[] is null or virtualtransaction = any($1))`, of)
	if err != nil {
		return nil, fmt.Errorf("looking for transactions under way: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// trackers returns this process's own writer first, then those it has taken over. There is none yet where figures are
// read while the flow is being made.
func (f *Flow) trackers() []*tracker {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*tracker
	if own := f.writer.Load(); own != nil {
		all = append(all, own)
	}
	for _, t := range f.adopted {
		all = append(all, t)
	}
	return all
}

// publishAll publishes committed events. Those that are not acknowledged are left to the sweep.
func (f *Flow) publishAll(t *tracker, out []outgoing) {
	for _, e := range out {
		f.publisher.publish(e, func(at position, err error) { f.answered(t, e.n, at, err) })
	}
	if len(out) > 0 {
		Failpoint("flow.published")
	}
}

func (f *Flow) answered(t *tracker, n int64, at position, err error) {
	if errors.Is(err, errRefused) {
		t.refuse(n)
		f.reportRefused(err)
		return
	}
	if err != nil {
		f.faults.set("broker", err)
		t.askSweep()
		if errors.Is(err, errNoStream) {
			f.check("the stream is gone")
		}
		return
	}
	f.metrics.published.Add(f.life, 1)
	t.acknowledged(n, at)
}

// keepWriters beats, and takes over writers that stand still.
func (f *Flow) keepWriters(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	seen := map[int64]sighting{}
	for {
		select {
		case <-ctx.Done():
			_ = f.beat(context.WithoutCancel(ctx)) // the last word about how far this process came
			return
		case <-tick.C:
		}
		if err := f.beat(ctx); err != nil {
			f.faults.set("database", f.orBlocked(ctx, err))
			continue
		}
		if err := f.findStale(ctx, seen); err != nil && ctx.Err() == nil {
			f.cfg.Log.Warn("looking for writers that stand still", "error", err)
		}
	}
}

// keepSwept publishes again what was not acknowledged. It is a loop of its own: a sweep may take long, and beats
// must not wait for it.
func (f *Flow) keepSwept(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.sweepAll(ctx)
		}
	}
}

// keepPublisher gives up on publishes that the broker does not answer; whoever waits for them must not look after
// that themselves.
func (f *Flow) keepPublisher(ctx context.Context) {
	tick := time.NewTicker(beatEvery / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.publisher.expire(time.Now(), true)
			return
		case <-tick.C:
			f.publisher.expire(time.Now(), !f.cfg.Bus.Up())
		}
	}
}

// beat shows that this process lives, and stores for each of its writers how far it is safely published.
func (f *Flow) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	own := f.writer.Load().writer
	var ids, synced []int64
	for _, t := range f.trackers() {
		ids = append(ids, t.writer)
		synced = append(synced, t.beat(time.Now(), f.lookedAt(), f.cfg.SyncLag))
	}
	rows, err := f.cfg.Pool.Query(ctx, `
		update outbox_writer w set beats = w.beats + 1, synced_upto = greatest(w.synced_upto, mine.synced)
		from (select unnest($2::bigint[]) as id, unnest($3::bigint[]) as synced) mine
		where w.id = mine.id and w.owner = $1 and w.closed = (w.id <> $1)
		returning w.id`, own, ids, synced)
	if err != nil {
		return fmt.Errorf("beating: %w", err)
	}
	alive, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("beating: %w", err)
	}
	f.faults.clear("database")
	return f.dropLost(ctx, own, alive)
}

// orBlocked adds to the error of a statement that waited in vain whose locks keep this service's statements waiting.
// Only who administers the database, or is logged in as this service, can hold any of them.
func (f *Flow) orBlocked(ctx context.Context, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var holders []string
	asking := f.cfg.Pool.QueryRow(ctx, `select coalesce(array_agg(distinct
		format('%s, process %s of the database server', h.usename, h.pid)), '{}')
		from pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) by, pg_stat_activity h
		where w.usename = current_user and w.wait_event_type = 'Lock' and h.pid = by
			and not exists (select from pg_stat_activity own where own.pid = by and own.usename = current_user
			and own.wait_event_type = 'Lock')`)
	if asking.Scan(&holders) != nil || len(holders) == 0 {
		return err
	}
	return fmt.Errorf("%w; a lock is held by %s", err, strings.Join(holders, "; "))
}

// dropLost forgets the writers that another process has taken over; where it is our own, a new one begins.
func (f *Flow) dropLost(ctx context.Context, own int64, alive []int64) error {
	living := map[int64]bool{}
	for _, id := range alive {
		living[id] = true
	}
	f.mu.Lock()
	for id := range f.adopted {
		if !living[id] {
			delete(f.adopted, id)
		}
	}
	f.mu.Unlock()
	current := f.writer.Load()
	if living[own] || current.writer != own {
		return nil
	}
	return f.renewWriter(ctx, current)
}

// sweepAll publishes again, from the outbox, what was asked for; and lets go of adopted writers whose last event
// has been on the broker's disk for long enough.
func (f *Flow) sweepAll(ctx context.Context) {
	if !f.cfg.Bus.Up() {
		return
	}
	for _, t := range f.trackers() {
		if t.takeSweep() {
			if err := f.sweep(ctx, t); err != nil {
				t.askSweep()
				f.faults.set("broker", err)
				return
			}
		}
		if t.isAdopted() {
			f.letGo(ctx, t)
		}
	}
	if f.allResolved() {
		f.faults.clear("broker")
	}
}

func (f *Flow) allResolved() bool {
	for _, t := range f.trackers() {
		t.mu.Lock()
		asked := t.sweep
		t.mu.Unlock()
		if asked {
			return false
		}
	}
	return true
}

// sweepPage is how many events a sweep reads and publishes at once.
const sweepPage = 512

// sweep publishes every unsettled event of a writer from the outbox, page by page, and waits for each page's
// acknowledgements. More than a page goes no faster than a rebuild does, so that new events pass.
func (f *Flow) sweep(ctx context.Context, t *tracker) error {
	from, _, _ := t.state()
	swept := 0
	pace := time.NewTicker(sweepPage * time.Second / time.Duration(f.cfg.RebuildRate))
	defer pace.Stop()
	for {
		page, err := f.readOutbox(ctx, `select n, id::text, subject, payload from outbox where writer = $1 and n > $2
			order by n limit $3`, t.writer, from, sweepPage)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		if len(page) == 0 {
			break
		}
		from = page[len(page)-1].n
		unsettled := page[:0]
		for _, e := range page {
			if !t.isResolved(e.n) {
				unsettled = append(unsettled, e)
			}
		}
		if err := f.publishPage(ctx, unsettled, t.acknowledged, t.refuse); err != nil {
			return err
		}
		swept += len(unsettled)
		if len(unsettled) == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pace.C:
		}
	}
	t.swept()
	if swept > 0 {
		f.cfg.Log.Info("published again from the outbox", "events", swept)
		f.metrics.swept.Add(ctx, int64(swept))
	}
	return nil
}

func (f *Flow) readOutbox(ctx context.Context, sql string, args ...any) ([]outgoing, error) {
	rows, err := f.cfg.Pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (outgoing, error) {
		var e outgoing
		var payload string
		err := row.Scan(&e.n, &e.id, &e.subject, &payload)
		e.payload = []byte(payload)
		return e, err
	})
}

// publishPage publishes events and waits until each is answered; it returns the first failure. One that the broker
// refuses for what it is holds the others up in no way: it is told, and stepped over.
func (f *Flow) publishPage(ctx context.Context, page []outgoing, acknowledged func(n int64, at position),
	refused func(n int64)) error {
	answers := make(chan error, len(page))
	for _, e := range page {
		f.publisher.publish(e, func(at position, err error) {
			switch {
			case err == nil:
				acknowledged(e.n, at)
			case errors.Is(err, errRefused):
				refused(e.n)
				f.reportRefused(err)
				err = nil
			}
			answers <- err
		})
	}
	var failure error
	for range page {
		select {
		case err := <-answers:
			if err != nil {
				failure = err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return failure
}

// reportRefused tells of an event that cannot be published.
func (f *Flow) reportRefused(err error) {
	f.metrics.refused.Add(f.life, 1)
	f.cfg.Log.Error("the broker does not take an event; it stays in the outbox, and the others go on", keyRunbook,
		"broker.md", "error", err)
}

// sighting is what was last seen of another writer, by this process's own monotonic clock: neither clocks that
// differ nor a clock that leaps can make a living writer look stale.
type sighting struct {
	beats  int64
	since  time.Time
	closed bool     // by this process, for standing still
	under  []string // the transactions that were past the fence then and have not ended yet
}

// findStale takes over every writer of this service whose beats have stood still for StaleAfter.
func (f *Flow) findStale(ctx context.Context, seen map[int64]sighting) error {
	rows, err := f.cfg.Pool.Query(ctx, `select id, beats from outbox_writer where owner <> $1`, f.writer.Load().writer)
	if err != nil {
		return err
	}
	now, present := time.Now(), map[int64]bool{}
	var id, beats int64
	var stale []int64
	_, err = pgx.ForEachRow(rows, []any{&id, &beats}, func() error {
		present[id] = true
		if last, ok := seen[id]; !ok || last.beats != beats {
			seen[id] = sighting{beats: beats, since: now}
		} else if now.Sub(last.since) >= f.cfg.StaleAfter {
			stale = append(stale, id)
		}
		return nil
	})
	for id := range seen {
		if !present[id] {
			delete(seen, id)
		}
	}
	for _, id := range stale {
		last, err := f.shut(ctx, id, seen[id])
		if err != nil {
			return err
		}
		seen[id] = last
		if !last.closed || len(last.under) > 0 {
			continue // not yet, or somebody else was quicker
		}
		if err := f.takeOver(ctx, id, last.beats); err != nil {
			return err
		}
		delete(seen, id)
	}
	return err
}

// shut closes a writer that stands still, and looks which transactions were past the fence at that moment and are still
// under way. It does not wait for them: beats must go on.
func (f *Flow) shut(ctx context.Context, id int64, last sighting) (sighting, error) {
	if last.closed && len(last.under) == 0 {
		return last, nil
	}
	if !last.closed {
		tag, err := f.cfg.Pool.Exec(ctx, `update outbox_writer set closed = true where id = $1 and beats = $2`, id,
			last.beats)
		if err != nil || tag.RowsAffected() == 0 {
			return last, err
		}
	}
	under, err := f.underWay(ctx, last.under)
	if err != nil {
		return last, fmt.Errorf("closing a writer: %w", err)
	}
	last.closed, last.under = true, under
	return last, nil
}

// takeOver makes this process answerable for publishing what a closed writer has committed, all of whose transactions
// have ended; unless another process was quicker.
func (f *Flow) takeOver(ctx context.Context, id, beats int64) error {
	own := f.writer.Load().writer
	var synced, last int64
	err := pgx.BeginFunc(ctx, f.cfg.Pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `update outbox_writer set owner = $1, beats = beats + 1
			where id = $2 and beats = $3 and closed returning synced_upto`, own, id, beats).Scan(&synced)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select coalesce(max(n), 0) from outbox where writer = $1`, id).Scan(&last)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // somebody else was quicker
	}
	if err != nil {
		return fmt.Errorf("taking over a writer: %w", err)
	}
	t := newTracker(id, synced)
	t.adopted, t.sweep = true, true
	t.extend(last)
	f.mu.Lock()
	f.adopted[id] = t
	f.mu.Unlock()
	f.cfg.Log.Info("took over the unpublished events of a process that stands still", "events", last-synced)
	return nil
}

// letGo deletes an adopted writer when all it had committed had been acknowledged for SyncLag when the stream was last
// found whole.
func (f *Flow) letGo(ctx context.Context, t *tracker) {
	_, unsettled, _ := t.state()
	t.mu.Lock()
	if unsettled > 0 || t.sweep {
		t.drained = time.Time{}
	} else if t.drained.IsZero() {
		t.drained = time.Now()
	}
	since := t.drained
	t.mu.Unlock()
	if since.IsZero() || f.lookedAt().Sub(since) < f.cfg.SyncLag {
		return
	}
	_, err := f.cfg.Pool.Exec(ctx, `delete from outbox_writer where id = $1 and owner = $2`, t.writer,
		f.writer.Load().writer)
	if err != nil && !pg.IsInfrastructure(err) {
		f.cfg.Log.Error("letting go of an adopted writer", "error", err)
	}
	if err == nil {
		f.mu.Lock()
		delete(f.adopted, t.writer)
		f.mu.Unlock()
	}
}
