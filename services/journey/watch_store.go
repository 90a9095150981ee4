package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What a round of the sentinel reads. (A scalar where one would write exists: that, PostgreSQL may answer by reading
// all open steps once.) Each statement reads a stretch of an index, of a length that does not depend on
// what is stored: what is new since the round before, and the next slice of what was there already, so that all of it
// is looked at again and again.

// unseenRow is a line of a service's view held.
type unseenRow struct {
	Journey, State string
	Since          time.Time
}

// viewOf is what of a service is read: its view held. Of journey itself only the dead letters are: its other lines are
// the journeys that they would be compared with.
func viewOf(service string) string {
	if service == Name {
		return `(select journey, 'dead-letter' as state, since from dead_letter) as v`
	}
	return pgx.Identifier{service, "held"}.Sanitize() + ` as v`
}

// newlyHeld reads what a service has held since a time between from and settled; see gets it in pages.
func newlyHeld(ctx context.Context, pool *pgxpool.Pool, service string, from, settled time.Time,
	see func([]unseenRow) error) error {
	return held(ctx, pool, service, see, `v.since > $1 and v.since <= $2`, from, settled)
}

// heldOn reads what a service holds on the journeys after one, up to another and that among them, or all that follow.
func heldOn(ctx context.Context, pool *pgxpool.Pool, service, after, upTo string, see func([]unseenRow) error) error {
	if upTo == "" {
		return held(ctx, pool, service, see, `v.journey > $1`, after)
	}
	return held(ctx, pool, service, see, `v.journey > $1 and v.journey <= $2`, after, upTo)
}

func held(ctx context.Context, pool *pgxpool.Pool, service string, see func([]unseenRow) error, which string,
	args ...any) error {
	const page = 2000
	rows, err := pool.Query(ctx, `select journey::text, state::text, since from `+viewOf(service)+` where `+which,
		args...)
	if err != nil {
		return fmt.Errorf("reading what %s holds: %w", service, err)
	}
	defer rows.Close()
	found := make([]unseenRow, 0, page)
	for rows.Next() {
		var r unseenRow
		if err := rows.Scan(&r.Journey, &r.State, &r.Since); err != nil {
			return fmt.Errorf("reading what %s holds: %w", service, err)
		}
		if found = append(found, r); len(found) == page {
			if err := see(found); err != nil {
				return err
			}
			found = found[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading what %s holds: %w", service, err)
	}
	return see(found)
}

// following reads the next journeys in the order of their ids: of all, or of those that are not closed.
func following(ctx context.Context, pool *pgxpool.Pool, after string, notClosed bool, limit int) ([]string, error) {
	which := `true`
	if notClosed {
		which = `closed_at is null`
	}
	rows, err := pool.Query(ctx, `select id::text from journey where id > $1::text::uuid and `+which+
		` order by journey.id limit $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading journeys: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// whole is a journey's own row with its open steps, as one statement reads them: nothing is between.
type whole struct {
	record
	Text    string // what is known, as it is stored
	Arrived time.Time
	Holds   bool // the step that holds it is open
	Stored  *int // how many steps were open when the row was last stored; nil in a row from before that was kept
	Open    []openStep
	Lines   map[string]int // of its timeline, by type
	Broken  bool           // its row does not decode
}

// openStep is what is looked at of a step that is open.
type openStep struct {
	ID, Kind, Basis, Owner string
	Added                  []string
	Due, First             time.Time
	Level                  int
	// marked as found past its grace; that was found; it was handed to its owner by somebody
	Marked, Found, Handed bool
}

// readWhole reads the next journeys in the order of their ids: those that are closed, or those that are not.
func readWhole(ctx context.Context, pool *pgxpool.Pool, after string, closed bool, limit int) (all []whole, err error) {
	which := `closed_at is null`
	if closed {
		which = `state = 'closed'`
	}
	rows, err := pool.Query(ctx, selectWhole+` where j.id = any(array(select id from journey where `+which+
		` and id > $1::text::uuid order by journey.id limit $2)) order by j.id`, after, limit)
	return collectWhole(rows, err)
}

// readThese reads journeys by their ids.
func readThese(ctx context.Context, pool *pgxpool.Pool, ids []string) ([]whole, error) {
	rows, err := pool.Query(ctx, selectWhole+` where j.id = any($1::uuid[]) order by j.id`, ids)
	return collectWhole(rows, err)
}

const selectWhole = `select j.id::text, j.version, j.state, j.known::text, j.arrived_at, j.open_steps,
	coalesce((select s.state = 'open' from step s where s.id = j.holding_step), false),
	coalesce((select json_agg(json_build_object('id', s.id, 'kind', s.kind, 'basis', s.basis, 'owner', s.owner, 'added',
			s.added_owners, 'due', s.due_at, 'first', s.first_due_at, 'level', s.overdue_level,
			'marked', s.void_found_at is not null,
			'found', exists (select from finding f where f.reason = 'overdue' and f.journey = j.id::text
				and f.found_at = s.void_found_at),
			'handed', exists (select from hand h where h.step = s.id and h.owner = s.owner)))
		from step s where s.journey = j.id and s.state = 'open'), '[]')::text,
	coalesce((select json_object_agg(t.type, t.n) from (select type, count(*) as n from timeline_entry
		where journey = j.id group by type) as t), '{}')::text
	from journey j`

func collectWhole(rows pgx.Rows, err error) (all []whole, _ error) {
	if err != nil {
		return nil, fmt.Errorf("reading journeys: %w", err)
	}
	var w whole
	var steps, lines string
	into := []any{&w.ID, &w.Version, &w.State, &w.Text, &w.Arrived, &w.Stored, &w.Holds, &steps, &lines}
	_, err = pgx.ForEachRow(rows, into, func() error {
		one := w
		one.Broken = json.Unmarshal([]byte(one.Text), &one.JourneyState) != nil
		err := errors.Join(json.Unmarshal([]byte(steps), &one.Open), json.Unmarshal([]byte(lines), &one.Lines))
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading journeys: %w", err)
	}
	return all, nil
}

// pastGrace reads the next steps past their grace that no take-over was opened for, those of the sentinel itself left
// out, by when they were due: how many, where they ended, and of them the findings, one a journey. While a take-over
// stands open beside a step there is nothing to find.
func pastGrace(ctx context.Context, pool *pgxpool.Pool, after cursor, overdue time.Time, limit int) (n int, last cursor,
	found []finding, err error) {
	rows, err := pool.Query(ctx, `select s.id::text, s.journey::text, s.due_at, coalesce((select true from step t
			where t.journey = s.journey and t.state = 'open' and t.kind = $5 and t.basis like 'by-hand/sentinel/%'
			limit 1), false)
		from (select id, journey, due_at from step
			where state = 'open' and journey is not null and void_found_at is null
			and basis not like 'by-hand/sentinel/%'
				and (due_at, id) > ($1, $2::text::uuid) and due_at < $3 order by due_at, step.id limit $4) as s
		order by s.due_at, s.id`, after.At, after.ID, overdue, limit, stepTakeOver)
	if err != nil {
		return 0, after, nil, fmt.Errorf("looking for steps past their grace: %w", err)
	}
	var journey string
	var covered bool
	seen := map[string]bool{}
	_, err = pgx.ForEachRow(rows, []any{&last.ID, &journey, &last.At, &covered}, func() error {
		if n++; !covered && !seen[journey] {
			found = append(found, finding{Key: "overdue/" + last.ID, Journey: journey, Reason: voidOverdue,
				Since: last.At, Kind: stepTakeOver})
		}
		seen[journey] = true
		return nil
	})
	if err != nil {
		return 0, after, nil, fmt.Errorf("looking for steps past their grace: %w", err)
	}
	return n, last, found, nil
}

// markFound queues that what is past its grace now on these journeys has been found: one take-over a journey is for
// all of it.
func markFound(q queuer, findings []finding, overdue, at time.Time) {
	var journeys []string
	for _, f := range findings {
		if f.Reason == voidOverdue {
			journeys = append(journeys, f.Journey)
		}
	}
	if len(journeys) == 0 {
		return
	}
	q.Queue(`update step set void_found_at = $3 where journey = any($1::uuid[]) and state = 'open' and due_at < $2
		and void_found_at is null`,
		journeys, overdue, at)
}

// readAccount reads what a service knows of journeys, from its view.
func readAccount(ctx context.Context, pool *pgxpool.Pool, service string, ids []string, into accounts) error {
	rows, err := pool.Query(ctx, `select journey::text, matter, value from `+
		pgx.Identifier{service, "account"}.Sanitize()+` where journey = any($1::uuid[])`, ids)
	if err != nil {
		return fmt.Errorf("reading what %s knows: %w", service, err)
	}
	var journey, matter, value string
	_, err = pgx.ForEachRow(rows, []any{&journey, &matter, &value}, func() error {
		if value = normal(value); value != "" {
			into.add(journey, matter, service, value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what %s knows: %w", service, err)
	}
	return nil
}
