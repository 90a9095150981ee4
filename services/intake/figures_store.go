package intake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/services/intake/reading"
)

// Figures are the operators' figures of messages and feeds, of what a principal may see.
func (s *Service) Figures(ctx context.Context, who principal.Principal, now time.Time) ([]operations.Reading, error) {
	scope := scopeOf(who)
	waits := operations.Reading{Name: operations.MessagesWaiting}
	unplaced := operations.Reading{Name: operations.FacilitiesOpen}
	feeds, batch := map[feedKey]*feed{}, &pgx.Batch{}
	batch.Queue(`select count(*), min(m.received_at) from message m
		where m.outcome = 'quarantined' and m.due_at is not null and m.settled_at is null
			and ($1 or owner_of(m.organisation) = any($2))`, scope.All,
		scope.Organisations).QueryRow(func(row pgx.Row) error { return row.Scan(&waits.Value, &waits.Since) })
	batch.Queue(`select count(*), min(first_at) from facility where placed is null and ($1 or host = any($2))`,
		scope.All, scope.Organisations).QueryRow(func(row pgx.Row) error {
		return row.Scan(&unplaced.Value, &unplaced.Since)
	})
	loadFeeds(batch, feeds)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("reading figures of messages: %w", err)
	}
	silent := operations.Reading{Name: operations.FeedsSilent}
	for _, f := range sortedFeeds(feeds) {
		if len(f.Hours) == 0 || !scope.All && !slices.Contains(scope.Organisations, f.Organisation) {
			continue
		}
		line := s.feedLine(*f, now)
		if line.Amiss {
			silent.Value++
		}
		silent.Lines = append(silent.Lines, line)
	}
	return []operations.Reading{waits, unplaced, silent}, nil
}

// feedLine says when a sender's last message came, and by when the next is expected at the latest.
func (s *Service) feedLine(f feed, now time.Time) operations.Line {
	last := f.Hours[len(f.Hours)-1].LastAt
	line := operations.Line{ID: f.Sender, Organisation: f.Organisation, Since: &last}
	r := s.profiles.For(f.Sender).Rhythm
	if !r.Given() {
		r = rhythmOf(f.Hours, r.QuietFor, now, s.zone)
	}
	if by, expected := expectedBy(r, last, s.zone); expected {
		line.By, line.Amiss = &by, !by.After(now)
	}
	return line
}

// expectedBy is the first quarter of an hour at which a feed's silence counts: see alarms. It is found within two
// weeks; a feed without a rhythm is not expected.
func expectedBy(r reading.Rhythm, last time.Time, zone *time.Location) (by time.Time, expected bool) {
	if !r.Given() {
		return by, false
	}
	const step = 15 * time.Minute
	sum := 0.0
	for at := last; at.Before(last.Add(14 * 24 * time.Hour)); at = at.Add(step) {
		if sum += r.Expected(at, at.Add(step), zone); sum >= enoughMessages && at.Add(step).Sub(last) >= r.QuietFor {
			return at.Add(step), true
		}
	}
	return by, false
}
