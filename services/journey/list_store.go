package journey

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// A page of a list is a stretch of an index, from where the page before ended: the work is that of the page, whatever
// is stored. There is no index by which the journeys of several organisations stand in one order, so that a page is
// taken of each and the first of them all are kept.

// whose says whose journeys a page is made of, of those that are such: of every o.name of the set source, which may use
// $1, those of the table; and the value of $1 itself. Where the caller reaches every organisation, these are found one
// after the other in the page's own index. A person's own are taken whole before anything else is asked of them: a plan
// that is made while there are few would rather go through everybody's, and is kept.
func whose(scope schemas.Scope, such string) (source, table string, values []string) {
	const everyOrganisation = `(with recursive o(name) as (
			(select organisation from journey where %[1]s order by organisation limit 1)
			union all
			select (select organisation from journey where %[1]s and organisation > o.name order by organisation limit 1) from o where o.name is not null
		) select name from o where name is not null)`
	const ofOrganisation = `journey where organisation = o.name`
	switch {
	case scope.All:
		return fmt.Sprintf(everyOrganisation, such), ofOrganisation, scope.Organisations
	case scope.Person != "":
		return `unnest($1::text[])`, `(select * from journey where person = o.name offset 0) as journey where true`,
			[]string{scope.Person}
	}
	return `unnest($1::text[])`, ofOrganisation, scope.Organisations
}

// The journeys of the two lists.
const (
	toDo = `holding_step is not null`
	done = `state = 'closed'`
)

// cursor is where a page of a list ended: at a time, and among those of the same time.
type cursor struct {
	At time.Time // when what is next is due, or when it was closed
	ID string    // of the step that is next, or of the closed journey
}

var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// listed is one journey of a list, with the step that holds it.
type listed struct {
	ID, Organisation, State string
	BeganAt                 *time.Time
	At                      cursor
	Step                    Step
	Away                    bool // its step passed its grace while this system was stopped
}

// list queues a page of the journeys that p may see and that have something to be done, by the time promised; with
// void, only those whose step is past its due time and grace. A closed journey is among them where an event of it could
// not be applied: that step is owned too. An organisation that the person said must not know finds nothing.
func list(q queuer, p principal.Principal, void bool, now time.Time, after *cursor, limit int, take func([]listed)) {
	scope := scopeOf(p)
	source, table, values := whose(scope, toDo)
	before := endOfTime
	if void {
		before = now.Add(-grace)
	}
	if after == nil {
		after = &cursor{ID: clock.LowestID}
	}
	steps := stepsInStretch
	if scope.Person != "" {
		steps = stepsByKey
	}
	q.Queue(listPage(source, table, steps), values, after.At, after.ID, before, limit, grace.Seconds()).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (listed, error) {
				var l listed
				err := row.Scan(&l.ID, &l.Organisation, &l.State, &l.BeganAt, &l.At.At, &l.At.ID, &l.Step.Kind,
					&l.Step.Owner, &l.Step.Added,
					&l.Step.DueAt, &l.Step.FirstDueAt, &l.Step.Level, &l.Away)
				l.Step.ID = l.At.ID
				return l, err
			})
			take(all)
			return err
		})
}

func listPage(source, table, steps string) string {
	return fmt.Sprintf(`with page as materialized (
			select j.* from %s as o(name) cross join lateral (
				select id, organisation, state, began_at, holding_step, holding_due
				from %s and `+toDo+` and not barred && $1
					and (holding_due, holding_step) > ($2, $3::text::uuid) and holding_due < $4
				order by holding_due, holding_step limit $5) as j
			order by holding_due, holding_step limit $5),
		gone as materialized (select since, until from away), %s
		select p.id::text, p.organisation, p.state, p.began_at, p.holding_due, p.holding_step::text, s.kind, s.owner, s.added_owners, s.due_at,
			s.first_due_at, s.overdue_level::int,
			exists (select from gone a where p.holding_due + make_interval(secs => $6) between a.since and a.until)
		from page p left join steps f on f.id = p.holding_step
		cross join lateral (
			select f.kind, f.owner, f.added_owners, f.due_at, f.first_due_at, f.overdue_level where f.id is not null
			union all
			select kind, owner, added_owners, due_at, first_due_at, overdue_level from step
			where id = case when f.id is null then p.holding_step end) as s
		order by p.holding_due, p.holding_step`, source, table, steps)
}

// The steps of a page stand in the same order as its journeys, so that they are a stretch of an index as well: read in
// one go, for the half of the work of asking for each. Were one not where it should be, or beyond many others, it is
// asked for by its id.
const (
	stepsInStretch = `stretch as (
			select organisation, (array_agg(holding_due order by holding_due, holding_step))[1] as from_due,
				(array_agg(holding_step order by holding_due, holding_step))[1] as from_step
			from page group by organisation),
		steps as materialized (
			select s.* from stretch r cross join lateral (
				select id, kind, owner, added_owners, due_at, first_due_at, overdue_level from step
				where organisation = r.organisation and state = 'open' and (due_at, id) >= (r.from_due, r.from_step)
				order by due_at, id limit 2 * $5) as s)`
	stepsByKey = `steps as (select id, kind, owner, added_owners, due_at, first_due_at, overdue_level from step where false)`
)

// listSteps queues a page of the open steps that p may see, by the time promised; those about a message, or a service's
// line, are seen within the organisation. A journey whose stored row cannot be read keeps no other step from the list.
//
// read is set to what of them all was seen: it is asked before, so that what is committed in between is told twice.
func listSteps(q queuer, p principal.Principal, f stepFilter, after *cursor, limit int, read *mark,
	take func(Step, schemas.StepAbout)) {
	read.Before = f.Before
	q.Queue(`select pg_current_snapshot()::text`).QueryRow(func(row pgx.Row) error { return row.Scan(&read.Snapshot) })
	source, _, values := whose(scopeOf(p), toDo)
	before := endOfTime
	if !f.Before.IsZero() {
		before = f.Before
	}
	if after == nil {
		after = &cursor{ID: clock.LowestID}
	}
	args := []any{values, after.At, after.ID, before, limit}
	page := stepsPage(source)
	switch {
	case f.Since != nil:
		page, args = newPage(source), append(args, f.Owners, f.TakenBy, f.Since.Snapshot, f.Since.before())
	case f.TakenBy != "":
		page, args = takenPage(source), append(args, f.TakenBy)
	case f.Owners != nil:
		page, args = ownedPage(source), append(args, f.Owners)
	}
	q.Queue(page+` limit $5`, args...).Query(eachStep(take))
}

// findStep queues one step that p may see, whatever became of it.
func findStep(q queuer, p principal.Principal, id string, take func(Step, schemas.StepAbout)) {
	scope := scopeOf(p)
	q.Queue(fmt.Sprintf(stepsListed, `(values (true))`, `select `+stepListedColumns+
		` from step s left join journey j on `+itsJourney+`
			where s.id = $3::text::uuid and ($2 or s.organisation = any($1)) and `+stepShownTo)+` limit $4`,
		scope.Organisations, scope.All, id, 1).Query(eachStep(take))
}

func eachStep(take func(Step, schemas.StepAbout)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var s Step
		var text string
		into := []any{&s.ID, &s.Journey, &s.About, &s.Organisation, &s.Kind, &s.Basis, &s.Owner, &s.Added, &s.DueAt,
			&s.FirstDueAt, &s.Level, &s.State, &s.Line, &text}
		_, err := pgx.ForEachRow(rows, into, func() error {
			if about, err := lineOf(s); s.Line != "" && err == nil {
				take(s, about)
				return nil
			}
			known := JourneyState{}
			if text != "" && json.Unmarshal([]byte(text), &known) != nil {
				known = JourneyState{} // the sentinel opens a step beside it
			}
			take(s, known.about(s))
			return nil
		})
		return err
	}
}

// stepsPage reads a page of each organisation's open steps from the index that they stand in.
func stepsPage(source string) string {
	return fmt.Sprintf(stepsListed, source, `select `+stepListedColumns+`
			from step s left join journey j on `+itsJourney+`
			where s.organisation = o.name and s.state = 'open' and (s.due_at, s.id) > ($2, $3::text::uuid) and s.due_at < $4 and `+stepShownTo+`
			order by s.due_at, s.id limit $5`)
}

// ownedPage is stepsPage of what some owners ($6) have, or were added to: a page of each, from indexes by owner.
func ownedPage(source string) string {
	return fmt.Sprintf(stepsListed, source, `select distinct on (due_at, id) e.* from unnest($6::text[]) as w(owner)
		cross join lateral (
				(select `+stepListedColumns+`
				from step s left join journey j on `+itsJourney+`
				where s.organisation = o.name and s.owner = w.owner and s.state = 'open' and (s.due_at, s.id) > ($2, $3::text::uuid) and s.due_at < $4
					and `+stepShownTo+`
				order by s.due_at, s.id limit $5)
				union all
				(select `+stepListedColumns+`
				from added_owner a join step s on s.id = a.step left join journey j on `+itsJourney+`
				where a.organisation = o.name and a.owner = w.owner and (a.due_at, a.step) > ($2, $3::text::uuid) and a.due_at < $4 and `+stepShownTo+`
				order by a.due_at, a.step limit $5)) as e
			order by due_at, id limit $5`)
}

// takenPage is stepsPage of what somebody ($6) has taken on, from an index by who has.
func takenPage(source string) string {
	return fmt.Sprintf(stepsListed, source, `select `+stepListedColumns+`
			from step s left join journey j on `+itsJourney+`
			where s.organisation = o.name and s.taken_by = $6 and s.taken_by <> '' and s.state = 'open' and (s.due_at, s.id) > ($2, $3::text::uuid)
				and s.due_at < $4 and `+stepShownTo+`
			order by s.due_at, s.id limit $5`)
}

// newPage is stepsPage of what has come since a list was read ($8), of some owners ($6) or all, or of who has taken it
// on ($7): the end of an index by the transactions in which steps came. To a list of an owner's a step comes when it is
// opened or handed to them, to that of all when it is opened; and to one that ended with a time ($9) when that goes on.
func newPage(source string) string {
	const seen = `pg_visible_in_snapshot(case when $6::text[] is null and $7 = '' then opened_in else came_in end,
						$8::text::pg_snapshot)`
	const shown = `($6::text[] is null or owner = any($6) or added_owners && $6) and ($7 = '' or taken_by = $7)`
	return fmt.Sprintf(stepsListed, source, `select `+stepListedColumns+`
			from (
				select * from step where organisation = o.name and state = 'open'
					and came_in >= pg_snapshot_xmin($8::text::pg_snapshot)
					and not `+seen+` and `+shown+`
				union all
				select * from step where organisation = o.name and state = 'open' and due_at >= $9 and due_at < $4
					and `+seen+` and `+shown+`) s
				left join journey j on `+itsJourney+`
			where (s.due_at, s.id) > ($2, $3::text::uuid) and s.due_at < $4 and `+stepShownTo+`
			order by s.due_at, s.id limit $5`)
}

const (
	stepListedColumns = `s.id, s.journey, s.about, s.organisation, s.kind, s.basis, s.owner, s.added_owners, s.due_at,
		s.first_due_at, s.overdue_level, s.state, s.line, j.known`
	// itsJourney finds the journey of a step that has no line of it: no row is looked for where the step has.
	itsJourney  = `j.id = case when s.line is null then s.journey end`
	stepShownTo = `(j.id is null or not j.barred && $1)`
	stepsListed = `select id::text, coalesce(journey::text, ''), coalesce(about, ''), organisation, kind, basis,
		owner, added_owners, due_at, first_due_at,
			overdue_level::int, state, coalesce(line::text, ''), coalesce(known::text, '')
		from %s as o(name) cross join lateral (
			%s) as listed
		order by due_at, id`
)

// listClosed queues a page of the closed journeys that p may see, the latest first. One whose stored row cannot be read
// is shown by what its columns say, and keeps no other from being found.
func listClosed(q queuer, p principal.Principal, after *cursor, limit int, take func(*record)) {
	source, table, values := whose(scopeOf(p), done)
	if after == nil {
		after = &cursor{At: endOfTime, ID: clock.HighestID}
	}
	q.Queue(closedPage(source, table), values, after.At, after.ID, limit).
		Query(func(rows pgx.Rows) error {
			r := record{State: journeyClosed}
			var known, why string
			var at time.Time
			_, err := pgx.ForEachRow(rows, []any{&r.ID, &r.Organisation, &r.BeganAt, &known, &at, &why}, func() error {
				one := r
				if json.Unmarshal([]byte(known), &one.JourneyState) != nil || one.JourneyState.Closed == nil {
					one.JourneyState = JourneyState{Closed: &Closed{Subscribed: Subscribed{When: at},
						Closing: Closing{Reason: why}}}
				}
				take(&one)
				return nil
			})
			return err
		})
}

func closedPage(source, table string) string {
	return fmt.Sprintf(`select j.* from %s as o(name) cross join lateral (
			select id::text, organisation, began_at, known::text, closed_at, closed_for
			from %s and `+done+` and not barred && $1 and (closed_at, journey.id) < ($2, $3::text::uuid)
			order by closed_at desc, journey.id desc limit $4) as j
		order by closed_at desc, id desc limit $4`, source, table)
}
