package journey

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Waiting is one open step of a journey, as the list for when the system is down has it.
type Waiting struct {
	Journey, Organisation, Kind, Owner string
	Added                              []string
	FirstDueAt                         time.Time
}

// WaitingUntil reads the open steps of journeys that are due before a time, by the time first promised. Journeys that
// are on hold or closed are left out, and those of people whom nobody may contact.
func WaitingUntil(ctx context.Context, pool *pgxpool.Pool, until time.Time) ([]Waiting, error) {
	rows, err := pool.Query(ctx, `select s.journey::text, s.organisation, s.kind, s.owner, s.added_owners,
		s.first_due_at
		from step s join journey j on j.id = s.journey
		where s.state = 'open' and s.due_at < $1 and j.state = 'open'
			and not (coalesce((j.known #>> '{contact,at}')::bigint, 0) > 0 and j.known #>> '{contact,yes}' = 'false')
		order by s.first_due_at, s.id`, until)
	if err != nil {
		return nil, fmt.Errorf("reading what is to be done: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Waiting])
	if err != nil {
		return nil, fmt.Errorf("reading what is to be done: %w", err)
	}
	return all, nil
}
