package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
)

// Written are the ids of the events that some services have written down to be published, since a time.
func Written(ctx context.Context, db *pgxpool.Pool, services []string, since time.Time) ([]string, error) {
	var parts []string
	for _, name := range services {
		parts = append(parts, "select id::text from "+pgx.Identifier{name, "outbox"}.Sanitize()+" where id >= $1::uuid")
	}
	rows, err := db.Query(ctx, strings.Join(parts, " union all "), clock.FloorID(since.Add(-time.Minute)))
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

// journeysWithAStep are the journeys of which an open step has an owner.
func journeysWithAStep(ctx context.Context, db *pgxpool.Pool) ([]string, error) {
	rows, err := db.Query(ctx, `select distinct journey::text from journey.step
		where state = 'open' and owner <> '' and journey is not null`)
	if err != nil {
		return nil, fmt.Errorf("looking for journeys with a step: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// stepsDueBy are the open steps with an owner that fall due by a time, by journey.
func stepsDueBy(ctx context.Context, db *pgxpool.Pool, by time.Time) ([]openStep, error) {
	rows, err := db.Query(ctx, `select id::text, coalesce(journey::text, ''), kind, owner, added_owners, due_at
		from journey.step where state = 'open' and owner <> '' and due_at <= $1 order by journey, due_at, id`, by)
	if err != nil {
		return nil, fmt.Errorf("looking for steps that stand: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s openStep, err error) {
		err = row.Scan(&s.Step, &s.Journey, &s.Kind, &s.Owner, &s.AlsoOwners, &s.DueAt)
		return s, err
	})
}

// pastGrace are the journeys whose next step was due before a time.
func pastGrace(ctx context.Context, db *pgxpool.Pool, before time.Time) (late []listedJourney, err error) {
	rows, err := db.Query(ctx, `select j.id::text, s.kind, s.owner, s.added_owners, s.due_at from journey.journey j
		join journey.step s on s.id = j.holding_step where j.holding_due < $1 order by j.holding_due, j.id`, before)
	if err != nil {
		return nil, fmt.Errorf("looking for journeys past their grace: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (j listedJourney, err error) {
		j.Next = &step{}
		err = row.Scan(&j.Journey, &j.Next.Kind, &j.Next.Owner, &j.Next.AlsoOwners, &j.Next.DueAt)
		return j, err
	})
}

// holding is who had a journey in hand on the last day of its window.
type holding struct {
	// Held: a navigator had an open step of the journey on that day, or has seen to one in the three days before. Told:
	// somebody told the person what has changed, or decided with them, or is to.
	Held, Told bool
}

// whoHolds says of journeys who had them in hand on a local day, from its beginning until its end.
func whoHolds(ctx context.Context, db *pgxpool.Pool, journeys []string, from, until time.Time) (map[string]holding,
	error) {
	rows, err := db.Query(ctx, `select j.id::text,
			exists (select from journey.step s where s.journey = j.id and s.opened_at < $3
				and (s.closed_at is null or s.closed_at >= $2::timestamptz - interval '3 days')
				and (s.owner like 'navigator:%'
				or exists (select from unnest(s.added_owners) a where a like 'navigator:%'))),
			exists (select from journey.step s where s.journey = j.id and s.opened_at < $3 and s.state <> 'replaced'
				and s.kind in ('tell-the-person', 'find-a-place', 'arrange-follow-up', 'what-next', 'another-time',
					'decide-how-to-reach', 'late-follow-up'))
		from unnest($1::uuid[]) as j(id)`, journeys, from, until)
	if err != nil {
		return nil, fmt.Errorf("looking for who had lost windows in hand: %w", err)
	}
	who := map[string]holding{}
	var id string
	var one holding
	_, err = pgx.ForEachRow(rows, []any{&id, &one.Held, &one.Told}, func() error {
		who[id] = one
		return nil
	})
	return who, err
}

// comment writes a comment on the database.
func comment(ctx context.Context, db *pgxpool.Pool, text string) error {
	_, err := db.Exec(ctx, `do $do$ begin execute format('comment on database %I is %L', current_database(),
		'`+text+`'); end $do$`)
	if err != nil {
		return fmt.Errorf("marking the database: %w", err)
	}
	return nil
}

// commented is the comment on the database; empty where there is none.
func commented(ctx context.Context, db *pgxpool.Pool) (text string, err error) {
	err = db.QueryRow(ctx, `select coalesce(shobj_description(oid, 'pg_database'), '') from pg_database
		where datname = current_database()`).Scan(&text)
	if err != nil {
		return "", fmt.Errorf("reading the database's mark: %w", err)
	}
	return text, nil
}

// Backends are the processes of the database that work for services.
func Backends(ctx context.Context, db *pgxpool.Pool) (pids []int, err error) {
	rows, err := db.Query(ctx, `select pid from pg_stat_activity where usename like 'footbridge\_%' and
		datname = current_database() order by usename, pid`)
	if err != nil {
		return nil, fmt.Errorf("looking for the database's processes: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}

// EndConnections ends all connections of a service to the database.
func EndConnections(ctx context.Context, db *pgxpool.Pool, service string) error {
	_, err := db.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'footbridge_' || $1
		and datname = current_database()`, service)
	if err != nil {
		return fmt.Errorf("ending the connections of %s: %w", service, err)
	}
	return nil
}
