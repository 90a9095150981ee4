package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"footbridge/libs/bus"
	"footbridge/libs/pg"
)

// checkEvery is how often the stream is looked at without being asked to.
const checkEvery = 2 * time.Second

// check asks for the stream to be looked at now.
func (f *Flow) check(why string) {
	select {
	case f.evidence <- why:
	default:
	}
}

// keepStream looks whether the stream is still the one this service has published to: whether somebody deleted,
// re-created or purged it, or it has lost its tail. What is missing is published again from PostgreSQL.
func (f *Flow) keepStream(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	thorough := true
	for {
		began, epoch := time.Now(), f.publisher.epoch()
		if err := f.verify(ctx, thorough); err == nil {
			f.found(began, epoch, thorough)
			thorough = false
			f.faults.clear("stream")
		} else if ctx.Err() == nil {
			f.faults.set("stream", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case why := <-f.evidence:
			thorough = true
			f.cfg.Log.Debug("looking at the stream", "because", why)
		}
	}
}

// found notes that a look which began then has found all that was acknowledged. A look that is not thorough proves
// something only over the connection of a thorough one: a broker that came back gives lost sequences out again.
func (f *Flow) found(began time.Time, epoch uint64, thorough bool) {
	if thorough {
		f.proved = epoch
	}
	if epoch == f.proved && epoch == f.publisher.epoch() {
		f.looked.Store(&began)
	}
}

// lookedAt is when the stream was last found to hold all that it had acknowledged, by the process's own monotonic
// clock; zero before the first look.
func (f *Flow) lookedAt() time.Time {
	if at := f.looked.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// verify compares the stream with what this service remembers of it. A thorough look also asks for the last
// message known, which proves that nothing before it has been lost: a stream loses its tail or nothing.
func (f *Flow) verify(ctx context.Context, thorough bool) error {
	if !f.cfg.Bus.Up() {
		return errNoConnection
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	marks := f.marks() // before the look: what is acknowledged meanwhile may lie beyond it
	asked := time.Now()
	stream, info, err := f.streamNow(ctx)
	if err != nil {
		return err
	}
	f.ages.looked(info.State.LastSeq, asked)
	known, err := f.streamState(ctx, info)
	if err != nil {
		return err
	}
	created := createdOf(info)
	// At the first look that succeeds, what was said before is proved as ever.
	if f.created != "" && created != f.created {
		if err := f.forgetFormer(ctx, stream, info, marks); err != nil {
			return err
		}
	}
	f.created = created
	rebuilt, err := f.keepsRebuilt(ctx, stream, info, known.rebuilt, thorough)
	if err != nil {
		return err
	}
	purged, err := f.wasPurged(ctx, known.firstSeq, info)
	if err != nil {
		return err
	}
	var why string
	switch {
	case known.created != created:
		why = "the stream is not the one that was published to"
	case !rebuilt:
		why = "the stream has lost what a rebuild had published"
	case purged:
		why = "the stream was purged"
	}
	if why != "" {
		return f.rebuildOnceForgotten(ctx, info, known, why)
	}
	if firstOf(info) != known.firstSeq { // a broker that was rolled back may hold again what had been removed
		if err := f.rememberFirst(ctx, created, known.firstSeq, firstOf(info)); err != nil {
			return err
		}
	}
	return f.verifyTail(ctx, stream, info, marks, thorough)
}

// rebuildOnceForgotten rebuilds the stream. Where anything was removed from it, for whatever reason it is rebuilt, it
// waits first until the broker has forgotten the ids of what was there: it would take what is published again for a
// repetition of messages that are gone. known is what was remembered of the stream when that was seen.
func (f *Flow) rebuildOnceForgotten(ctx context.Context, info *jetstream.StreamInfo, known streamState,
	why string) error {
	if firstOf(info) > 1 {
		if err := wait(ctx, bus.DedupeWindow+time.Second); err != nil {
			return err
		}
	}
	return f.rebuild(ctx, info, known, why)
}

// keepsRebuilt says whether what the last rebuild published is still there. Once that has been there for as long as it
// takes to reach the broker's disk, it is asked for no more: the longer ago, the more likely a later message has the
// subject of the last one, by which it is found.
func (f *Flow) keepsRebuilt(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo, last position,
	thorough bool) (bool, error) {
	if last.seq == 0 {
		return true, nil
	}
	if last.id != f.rebuilt.id {
		f.rebuilt.id, f.rebuilt.at = last.id, time.Now()
	}
	if thorough {
		err := f.cfg.Pool.QueryRow(ctx, `select subject from outbox where id = $1`, last.id).Scan(&last.subject)
		if errors.Is(err, pgx.ErrNoRows) {
			return true, nil // older than anything in the stream
		}
		if err != nil {
			return false, fmt.Errorf("reading what was rebuilt last: %w", err)
		}
	}
	kept, err := keeps(ctx, stream, info, last, thorough)
	if err != nil || !kept || time.Since(f.rebuilt.at) < f.cfg.SyncLag || f.publisher.epoch() != f.proved {
		return kept, err
	}
	_, err = f.cfg.Pool.Exec(ctx, `update outbox_stream set rebuilt_seq = 0, rebuilt_id = '' where name = $1
		and rebuilt_id = $2`, f.cfg.Stream.Name, last.id)
	if err != nil {
		return false, fmt.Errorf("remembering the stream: %w", err)
	}
	return true, nil
}

// forgetFormer forgets what was known to be in a stream that is no more: what it held is rebuilt, by this process or
// by another, and is no sign that the new one has lost anything.
func (f *Flow) forgetFormer(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo,
	marks map[*tracker][]position) error {
	for t, last := range marks {
		for _, p := range last {
			kept, err := keeps(ctx, stream, info, p, true)
			if err != nil {
				return err
			}
			if !kept {
				t.forget(p)
			}
		}
		marks[t] = nil // proved, or of no use
	}
	return nil
}

// marks are what each writer knows to be in the stream.
func (f *Flow) marks() map[*tracker][]position {
	marks := map[*tracker][]position{}
	for _, t := range f.trackers() {
		marks[t] = t.positions()
	}
	return marks
}

func (f *Flow) streamNow(ctx context.Context) (jetstream.Stream, *jetstream.StreamInfo, error) {
	stream, err := f.cfg.Bus.JS.Stream(ctx, f.cfg.Stream.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("looking at the stream, which who keeps the streams makes: %w", err)
	}
	if last := stream.CachedInfo().State.LastTime; last.Unix() > 0 {
		f.newest.Store(last.UnixNano())
	}
	f.streamLimit.Store(stream.CachedInfo().Config.MaxMsgSize)
	return stream, stream.CachedInfo(), nil
}

// verifyTail looks whether the stream has lost its last messages, as it may when the broker's machine lost power.
func (f *Flow) verifyTail(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo,
	marks map[*tracker][]position, thorough bool) error {
	for t, last := range marks {
		kept := true
		for _, p := range last {
			still, err := keeps(ctx, stream, info, p, thorough || len(last) > 1)
			if err != nil {
				return err
			}
			kept = kept && still
		}
		if kept {
			t.looked(last)
			continue
		}
		f.cfg.Log.Warn("the stream has lost its last messages; publishing them again from the outbox", keyRunbook,
			"broker.md")
		t.rewind()
	}
	return nil
}

// keeps says whether the message at a known position is still there. A service may read the last message of a subject
// that it says or hears, and no other, so that is what a thorough look asks for. Where another message has the place or
// the subject, be it the same event once more, that proves nothing, and the answer is no: what is published or read
// again for it is counted once.
func keeps(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo, known position,
	thorough bool) (bool, error) {
	switch {
	case known.seq == 0 || known.seq < info.State.FirstSeq:
		return true, nil
	case known.seq > info.State.LastSeq:
		return false, nil
	case !thorough:
		return true, nil
	}
	msg, err := stream.GetLastMsgForSubject(ctx, known.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for message %d: %w", known.seq, err)
	}
	return msg.Sequence == known.seq && msg.Header.Get("Nats-Msg-Id") == known.id &&
		(known.stored.IsZero() || msg.Time.Equal(known.stored)), nil
}

// firstOf is the sequence of the first message a stream holds or will hold. A stream that has never held any says 0.
func firstOf(info *jetstream.StreamInfo) uint64 { return max(1, info.State.FirstSeq) }

// createdOf is when a stream was made, by which one that was made again is told from it.
func createdOf(info *jetstream.StreamInfo) string { return info.Created.UTC().Format(time.RFC3339Nano) }

// wasPurged says whether messages were removed before their age: the first sequence has leapt, and what is left is
// younger than what age alone would have removed. Where nothing is left, this service's own outbox tells, at any age of
// the stream: what it has said lately would still be there.
func (f *Flow) wasPurged(ctx context.Context, firstSeq uint64, info *jetstream.StreamInfo) (bool, error) {
	age := info.Config.MaxAge
	switch {
	case firstOf(info) <= firstSeq:
		return false, nil
	case age == 0:
		return true, nil
	case info.State.Msgs > 0:
		return time.Since(info.State.FirstTime) < age-min(time.Hour, age/4), nil
	}
	var lately bool
	since := f.cfg.Clock.Now().Add(-age + min(time.Hour, age/4))
	if err := f.cfg.Pool.QueryRow(ctx, `select exists (select from outbox where id >= $1)`,
		pg.UUIDFloor(since)).Scan(&lately); err != nil {
		return false, fmt.Errorf("asking what was said lately: %w", err)
	}
	return lately, nil
}

type streamState struct {
	created  string
	firstSeq uint64
	rebuilt  position // the last message of the last rebuild
}

// streamState reads what was last seen of the stream; the first time, it writes it down.
func (f *Flow) streamState(ctx context.Context, info *jetstream.StreamInfo) (streamState, error) {
	known, err := f.readStreamState(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = f.cfg.Pool.Exec(ctx, `insert into outbox_stream (name, created, first_seq) values ($1, $2, $3)
			on conflict do nothing`, f.cfg.Stream.Name, createdOf(info), int64(firstOf(info)))
		if err == nil {
			known, err = f.readStreamState(ctx)
		}
	}
	if err != nil {
		return known, fmt.Errorf("reading what is known of the stream: %w", err)
	}
	return known, nil
}

func (f *Flow) readStreamState(ctx context.Context) (known streamState, err error) {
	var firstSeq, rebuiltSeq int64
	err = f.cfg.Pool.QueryRow(ctx, `select created, first_seq, rebuilt_seq, rebuilt_id from outbox_stream
		where name = $1`, f.cfg.Stream.Name).Scan(&known.created, &firstSeq, &rebuiltSeq, &known.rebuilt.id)
	known.firstSeq, known.rebuilt.seq = uint64(firstSeq), uint64(rebuiltSeq)
	return known, err
}

// rememberRebuilt remembers a stream that has been rebuilt, and how far that went.
func (f *Flow) rememberRebuilt(ctx context.Context, created string, firstSeq uint64, last position) error {
	_, err := f.cfg.Pool.Exec(ctx, `update outbox_stream
		set created = $2, first_seq = $3, rebuilt_seq = $4, rebuilt_id = $5 where name = $1`,
		f.cfg.Stream.Name, created, int64(firstSeq), int64(last.seq), last.id)
	if err != nil {
		return fmt.Errorf("remembering the stream: %w", err)
	}
	return nil
}

// rememberFirst remembers the first sequence of a stream, where nobody else has meanwhile.
func (f *Flow) rememberFirst(ctx context.Context, created string, was, firstSeq uint64) error {
	_, err := f.cfg.Pool.Exec(ctx, `update outbox_stream set first_seq = $4 where name = $1 and created = $2
		and first_seq = $3`, f.cfg.Stream.Name, created, int64(was), int64(firstSeq))
	if err != nil {
		return fmt.Errorf("remembering the stream: %w", err)
	}
	return nil
}

// AskRebuild makes the running services publish their whole outbox again, as if the stream had been re-created.
// It is what `footbridge streams rebuild` does.
func AskRebuild(ctx context.Context, pool *pgxpool.Pool, stream string) error {
	_, err := pool.Exec(ctx, `update outbox_stream set created = 'rebuild asked for' where name = $1`, stream)
	if err != nil {
		return fmt.Errorf("asking for a rebuild: %w", err)
	}
	return nil
}

// wait waits, unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
