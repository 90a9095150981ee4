package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Written are the ids of the events that some services have written down to be published, since a time.
func Written(ctx context.Context, db *pgxpool.Pool, services []string, since time.Time) ([]string, error) {
	var parts []string
	for _, name := range services {
		parts = append(parts, "select id::text from "+pgx.Identifier{name, "outbox"}.Sanitize()+" where id >= $1::uuid")
	}
	ms := since.Add(-time.Minute).UnixMilli()
	from := fmt.Sprintf("%08x-%04x-7000-8000-000000000000", ms>>16, ms&0xffff)
	rows, err := db.Query(ctx, strings.Join(parts, " union all "), from)
	if err != nil {
		return nil, fmt.Errorf("reading what has been written: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading what has been written: %w", err)
	}
	return ids, nil
}

// stepless are the journeys that are open or on hold and have no open step with an owner and a time.
func stepless(ctx context.Context, db *pgxpool.Pool) ([]string, error) {
	rows, err := db.Query(ctx, `select j.id::text from journey.journey j where j.state <> 'closed' and not exists
		(select from journey.step s where s.journey = j.id and s.state = 'open' and s.owner <> '')`)
	if err != nil {
		return nil, fmt.Errorf("looking for journeys without a step: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// lostWindow is an offer's window whose last day has passed without a session.
type lostWindow struct {
	Journey, Last string
	// Held: a navigator had a step of the journey by the end of the last day. Told: somebody told, or is to tell, the
	// person, or decided with them.
	Held, Told bool
}

// lostWindows are the windows of people who said yes that ended on a day before without a session having a time, of
// journeys that go on.
func lostWindows(ctx context.Context, db *pgxpool.Pool, from, until string, end time.Time) ([]lostWindow, error) {
	rows, err := db.Query(ctx, `with last as (
			select distinct on (o.journey) o.journey, o.last_day, o.state from followup.offer o
			order by o.journey, o.raised_at desc, o.id desc)
		select l.journey::text, l.last_day::text,
			exists (select from journey.step s where s.journey = l.journey and s.opened_at <= $3
				and (s.owner like 'navigator:%' or exists (select from unnest(s.added_owners) a
				where a like 'navigator:%'))),
			exists (select from journey.step s where s.journey = l.journey
				and s.kind in ('tell-the-person', 'find-a-place', 'what-next', 'another-time', 'ask-the-person',
					'decide-how-to-reach', 'ask-about-partner'))
		from last l join journey.journey j on j.id = l.journey
		where l.last_day >= $1::date and l.last_day < $2::date and j.state = 'open'
			and l.state not in ('booked', 'kept', 'completed')
			and exists (select from journey.timeline_entry t where t.journey = l.journey
				and t.type = 'care.footbridge.consent.given.v1' and t.details->>'purpose' = 'follow-up')`,
		from, until, end)
	if err != nil {
		return nil, fmt.Errorf("looking for windows that were lost: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[lostWindow])
}
