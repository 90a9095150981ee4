package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// queuer is the part of flow.Tx that the store uses: statements queued here go in the caller's next round trip.
type queuer interface {
	Queue(sql string, args ...any) *flow.Query
}

// record is a journey's row with its steps, locked by the transaction that loaded it.
type record struct {
	ID, Organisation, Person string
	State                    string
	Version                  int64
	JourneyState             JourneyState
	Correlation              string
	BeganAt                  *time.Time
	Steps                    []Step        // open or done; replaced ones are history
	fresh                    bool          // has no row yet
	seen                     flow.Snapshot // by it an event that changes nothing is noticed
}

// load queues the locking of journeys, in id order, with their steps, and fills the map that it returns when the
// round trip is done. A journey that is not known yet gets a fresh record: of two transactions that hear of it first at
// the same time, the second cannot store its row and is done again. Event handlers act for the system itself, so no
// principal narrows what they see.
func load(q queuer, ids []string) map[string]*record {
	records := make(map[string]*record, len(ids))
	if len(ids) == 0 {
		return records
	}
	for _, id := range ids {
		records[id] = &record{ID: id, State: journeyOpen, fresh: true}
	}
	lock(q, ids, records)
	return records
}

// lock queues the locking of journeys that are there, and the reading of their steps.
func lock(q queuer, ids []string, records map[string]*record) {
	q.Queue(selectRecord+` where id = any($1::uuid[]) order by journey.id for update`, ids).
		Query(func(rows pgx.Rows) error { return scanRecords(rows, records) })
	q.Queue(selectStep+
		` where journey = any($1::uuid[]) and state <> 'replaced' order by step.journey, opened_at, step.id`, ids).
		Query(func(rows pgx.Rows) error { return scanStepsInto(rows, records) })
}

const (
	selectRecord = `select id::text, organisation, person, state, version, known::text, correlation, began_at
		from journey`
	selectStep = `select id::text, coalesce(journey::text, ''), coalesce(about, ''), organisation, kind, basis, owner,
		added_owners, due_at, first_due_at, overdue_level::int, state, opened_by, closed_by,
		coalesce(line::text, '') from step`
)

func scanRecords(rows pgx.Rows, records map[string]*record) error {
	var r record
	var known string
	into := []any{&r.ID, &r.Organisation, &r.Person, &r.State, &r.Version, &known, &r.Correlation, &r.BeganAt}
	_, err := pgx.ForEachRow(rows, into, func() error {
		loaded := r
		if err := json.Unmarshal([]byte(known), &loaded.JourneyState); err != nil {
			return fmt.Errorf("reading what is known of journey %s: %w", r.ID, err)
		}
		records[r.ID] = &loaded
		return nil
	})
	return err
}

// withoutStepBeside leaves out journeys beside which a step of the sentinel stands open.
func withoutStepBeside(ctx context.Context, pool *pgxpool.Pool, broken []record) (left []record, err error) {
	if len(broken) == 0 {
		return nil, nil
	}
	ids := make([]string, len(broken))
	for i, r := range broken {
		ids[i] = r.ID
	}
	rows, err := pool.Query(ctx, `select wanted from unnest($1::text[]) wanted where not exists (select 1 from step
		where step.journey is null and step.state = 'open' and step.about like '%' || wanted || '%')`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading steps: %w", err)
	}
	alone, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return slices.DeleteFunc(broken, func(r record) bool { return !slices.Contains(alone, r.ID) }), err
}

func scanSteps(rows pgx.Rows) ([]Step, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Step, error) {
		var s Step
		err := row.Scan(&s.ID, &s.Journey, &s.About, &s.Organisation, &s.Kind, &s.Basis, &s.Owner, &s.Added, &s.DueAt,
			&s.FirstDueAt, &s.Level, &s.State, &s.OpenedBy, &s.ClosedBy, &s.Line)
		return s, err
	})
}

func scanStepsInto(rows pgx.Rows, records map[string]*record) error {
	steps, err := scanSteps(rows)
	for _, s := range steps {
		if r, ok := records[s.Journey]; ok {
			r.Steps = append(r.Steps, s)
		}
	}
	return err
}

// saveRecords queues the new state of journeys, and the first row of those that have none. The step that holds each is
// worked out from its steps; it may be stored afterwards, as the foreign key is checked at commit only.
func saveRecords(q queuer, records []*record, now time.Time) error {
	if len(records) == 0 {
		return nil
	}
	var ids, organisations, people, states, known, correlations []string
	var versions []int64
	var holds, closedFor []*string
	var began, closedAt []*time.Time
	var due []time.Time
	var open []int32
	var fresh []bool
	var heldWith []*string
	var barred, same []string // each a list, as an array of PostgreSQL cannot hold lists of different length
	for _, r := range records {
		text, err := json.Marshal(&r.JourneyState)
		if err != nil {
			return fmt.Errorf("writing what is known of journey %s: %w", r.ID, err)
		}
		var hold *string
		var holdDue time.Time
		if s, ok := holding(r.Steps); ok {
			hold, holdDue = &s.ID, s.DueAt
		}
		ids, organisations, people, states = append(ids, r.ID), append(organisations, r.Organisation),
			append(people, r.Person), append(states, r.State)
		known, correlations, versions = append(known, string(text)), append(correlations, r.Correlation),
			append(versions, r.Version)
		holds, due, began = append(holds, hold), append(due, holdDue), append(began, r.BeganAt)
		var why *string
		var when *time.Time
		if c := r.JourneyState.Closed; c != nil {
			why, when = &c.Reason, &c.When
		}
		closedFor, closedAt, fresh = append(closedFor, why), append(closedAt, when), append(fresh, r.fresh)
		barred, same = append(barred, strings.Join(r.JourneyState.BarredBut(r.JourneyState.Sender), " ")),
			append(same, strings.Join(r.JourneyState.same(), " "))
		heldWith, open = append(heldWith, r.JourneyState.onHoldWith()), append(open, int32(len(openOnes(r.Steps))))
	}
	q.Queue(`with n as materialized (
			select id, organisation, person, state, hold, due, version, known::jsonb, correlation, began, closed, why,
			fresh,
				array_remove(string_to_array(barred, ' '), '') as barred, array_remove(string_to_array(same, ' '), '')
				as same, held_with, open
			from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]::uuid[], $6::bigint[], $7::text[],
			$8::text[],
				$9::timestamptz[], $10::timestamptz[], $11::text[], $12::bool[], $14::text[], $15::text[], $16::uuid[],
				$17::timestamptz[], $18::integer[])
				as t(id, organisation, person, state, hold, version, known, correlation, began, closed, why, fresh,
				barred, same, held_with, due, open)
		), added as (
			insert into journey (id, organisation, person, state, holding_step, holding_due, version, known,
			correlation, began_at, closed_at, closed_for, barred, same, held_with, open_steps, arrived_at)
			select id, organisation, person, state, hold, due, version, known, correlation, began, closed, why, barred,
			same, held_with, open, $13 from n where fresh
		)
		update journey j
		set organisation = n.organisation, person = n.person, state = n.state, holding_step = n.hold, holding_due =
		n.due, version = n.version,
			known = n.known, correlation = n.correlation, began_at = n.began, closed_at = n.closed, closed_for = n.why,
			barred = n.barred, same = n.same, held_with = n.held_with, open_steps = n.open
		from n where j.id = n.id and not n.fresh`,
		ids, organisations, people, states, holds, versions, known, correlations, began, closedAt, closedFor, fresh,
		now, barred, same, heldWith, due, open)
	return nil
}

// addTransitions queues what was decided about whole journeys.
func addTransitions(q queuer, turns []transition, at time.Time) error {
	if len(turns) == 0 {
		return nil
	}
	var journeys, organisations, states, reasons, deciders, details []string
	var versions []int64
	for _, t := range turns {
		text, err := json.Marshal(t.Details)
		if err != nil {
			return fmt.Errorf("writing what was decided about journey %s: %w", t.Journey, err)
		}
		journeys, versions, organisations = append(journeys, t.Journey), append(versions, t.At),
			append(organisations, t.Organisation)
		states, reasons, deciders, details = append(states, t.State), append(reasons, t.Reason), append(deciders, t.By),
			append(details, string(text))
	}
	q.Queue(`insert into turn (journey, version, organisation, state, reason, decided_by, decided_at, details)
		select journey, version, organisation, state, reason, decider, $8, details::jsonb
		from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
			as n(journey, version, organisation, state, reason, decider, details)`,
		journeys, versions, organisations, states, reasons, deciders, details, at)
	return nil
}

// openSteps queues new steps. A step about a message is opened once: a second one for it changes nothing.
func openSteps(q queuer, steps []Step, at time.Time) error {
	if len(steps) == 0 {
		return nil
	}
	var ids, organisations, kinds, bases, owners, openers []string
	var journeys, abouts, lines []*string
	var due []time.Time
	for _, s := range steps {
		ids, organisations, kinds = append(ids, s.ID), append(organisations, s.Organisation), append(kinds, s.Kind)
		bases, owners, openers, due = append(bases, s.Basis), append(owners, s.Owner), append(openers, s.OpenedBy),
			append(due, s.DueAt)
		journeys, abouts, lines = append(journeys, orNull(s.Journey)), append(abouts, orNull(s.About)),
			append(lines, orNull(s.Line))
	}
	q.Queue(`insert into step (id, journey, about, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			look_at, overdue_level, state, opened_at, opened_by, closed_by, line)
		select id, journey::uuid, about, organisation, kind, basis, owner, '{}', due_at, due_at, due_at, 0, 'open',
		$10, opener, '', line::json
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
		$8::timestamptz[], $9::text[], $11::text[])
			as n(id, journey, about, organisation, kind, basis, owner, due_at, opener, line)
		on conflict (about) where about is not null do nothing`,
		ids, journeys, abouts, organisations, kinds, bases, owners, due, openers, at, lines)
	return nil
}

// saveLines queues what lists show of the journeys of steps.
func saveLines(q queuer, steps []Step) {
	if len(steps) == 0 {
		return
	}
	ids, lines := make([]string, len(steps)), make([]*string, len(steps))
	for i, s := range steps {
		ids[i], lines[i] = s.ID, orNull(s.Line)
	}
	q.Queue(`update step s set line = n.line::json from unnest($1::uuid[], $2::text[]) as n(id, line)
		where s.id = n.id`, ids, lines)
}

// adoptSteps queues that the steps of journeys whose beginning has arrived belong to its organisation.
func adoptSteps(q queuer, journeys, organisations []string) {
	if len(journeys) == 0 {
		return
	}
	q.Queue(`update step s set organisation = n.organisation
		from unnest($1::uuid[], $2::text[]) as n(journey, organisation)
		where s.journey = n.journey`, journeys, organisations)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// closeSteps queues that steps are done or replaced. They are known to be open, under their journey's lock; the
// statement does not say so, so that the planner does not look for them among all open ones.
func closeSteps(q queuer, steps []Step, at time.Time) {
	if len(steps) == 0 {
		return
	}
	var ids, states, closers []string
	for _, s := range steps {
		ids, states, closers = append(ids, s.ID), append(states, s.State), append(closers, s.ClosedBy)
	}
	q.Queue(`update step s set state = n.state, closed_at = $4, closed_by = n.closer, look_at = null
		from unnest($1::uuid[], $2::text[], $3::text[]) as n(id, state, closer) where s.id = n.id`,
		ids, states, closers, at)
}

// closeMessages queues that messages have been released or dismissed. One that has not been heard of as quarantined
// leaves a step that is done already, so that the quarantine arriving later opens none.
func closeMessages(q queuer, steps []Step, at time.Time) {
	if len(steps) == 0 {
		return
	}
	var ids, abouts, organisations, owners, closers, kinds []string
	for _, s := range steps {
		ids, abouts, organisations, kinds = append(ids, s.ID), append(abouts, s.About),
			append(organisations, s.Organisation), append(kinds, s.Kind)
		owners, closers = append(owners, s.Owner), append(closers, s.ClosedBy)
	}
	q.Queue(`insert into step (id, about, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			overdue_level, state, opened_at, opened_by, closed_at, closed_by)
		select id, about, organisation, kind, '', owner, '{}', $7, $7, 0, 'done', $7, closer, $7, closer
		from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as n(id, about,
		organisation, owner, closer, kind)
		on conflict (about) where about is not null do update
		set state = 'done', closed_at = excluded.closed_at, closed_by = excluded.closed_by, look_at = null
		where step.state = 'open'`, ids, abouts, organisations, owners, closers, kinds, at)
}

// changeOwners queues who owns steps now, how overdue they are, and when to look again.
func changeOwners(q queuer, steps []Step, lookAt []time.Time) error {
	if len(steps) == 0 {
		return nil
	}
	var ids, owners, added []string
	var levels []int32
	look := make([]*time.Time, len(steps))
	for i, s := range steps {
		list, err := json.Marshal(append([]string{}, s.Added...))
		if err != nil {
			return fmt.Errorf("writing owners of step %s: %w", s.ID, err)
		}
		ids, owners, added, levels = append(ids, s.ID), append(owners, s.Owner), append(added, string(list)),
			append(levels, int32(s.Level))
		if i < len(lookAt) && !lookAt[i].IsZero() {
			look[i] = &lookAt[i]
		}
	}
	q.Queue(`update step s set owner = n.owner, overdue_level = n.level, look_at = n.look,
			came_in = pg_current_xact_id(),
			added_owners = array(select jsonb_array_elements_text(n.added::jsonb))
		from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[]) as n(id, owner, added, level,
		look)
		where s.id = n.id`, ids, owners, added, levels, look)
	return nil
}

// handOver queues that a step's owners have changed by hand, and whether the owner has acknowledged it. When the step
// is next looked at stays.
func handOver(q queuer, s Step, h command) {
	q.Queue(`update step set owner = $2, added_owners = $3, came_in = pg_current_xact_id(),
			acknowledged_at = case when $4 then $5 else acknowledged_at end, taken_by = case when $4 then $6 else '' end
		where id = $1 and state = 'open'`, s.ID, s.Owner, append([]string{}, s.Added...), h.What == commandTaken, h.At,
		h.By)
	q.Queue(`insert into hand (id, step, journey, what, owner, done_by, at) values ($1, $2, $3, $4, $5, $6, $7)`,
		clock.NewID(h.At), s.ID, s.Journey, h.What, h.Owner, h.By, h.At)
}

// pair is a held journey with another one of the same person; With is empty where nothing of theirs is held any more.
type pair struct{ Journey, With string }

// selectTogether goes by journey_held alone from the first row on: it is asked each second.
const selectTogether = `(select b.id::text, a.id::text
		from journey a join journey b on b.person = any(a.same || a.person) and b.id <> a.id
		where a.state = 'held' and a.held_with is null and b.id <> all($2::uuid[]) and (b.state = 'open'
			or b.state = 'held' and b.held_with = a.id and b.known #>> '{hold,reviewOn}' <> a.known #>> '{hold,reviewOn}')
		order by b.id limit $1)
	union all
	(select b.id::text, '' from journey b where b.state = 'held' and b.held_with is not null and b.id <> all($2::uuid[])
		and not exists (select 1 from journey a where a.state = 'held' and a.held_with is null
			and b.person = any(a.same || a.person))
		order by b.id limit $1)`

// dueTogether queues the finding of journeys that are not held as another one of the same person is, and of those that
// are held with one that is not any more.
func dueTogether(q queuer, limit int, without []string, take func([]pair)) {
	q.Queue(selectTogether, limit, without).
		Query(func(rows pgx.Rows) error {
			pairs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pair])
			take(pairs)
			return err
		})
}

// dueSteps queues the locking of open steps that are to be looked at, oldest first, passing over those another
// process has.
func dueSteps(q queuer, now time.Time, limit int, without []string, take func([]Step)) {
	q.Queue(selectStep+
		` where look_at <= $1 and id <> all($3::uuid[]) order by look_at limit $2 for update skip locked`, now, limit,
		without).
		Query(func(rows pgx.Rows) error {
			steps, err := scanSteps(rows)
			take(steps)
			return err
		})
}

// entry is a line of a timeline.
type entry struct {
	Journey, Event, Type, Sentence string
	At                             time.Time
	Details                        json.RawMessage
}

// addEntries queues lines of timelines. A line that is there stays as it is.
func addEntries(q queuer, entries []entry) {
	if len(entries) == 0 {
		return
	}
	var journeys, events, types, sentences, details []string
	var at []time.Time
	for _, e := range entries {
		journeys, events, types = append(journeys, e.Journey), append(events, e.Event), append(types, e.Type)
		sentences, details, at = append(sentences, e.Sentence), append(details, string(e.Details)), append(at, e.At)
	}
	q.Queue(`insert into timeline_entry (journey, event, type, at, sentence, details)
		select journey, event, type, at, sentence, details::jsonb
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
			as n(journey, event, type, at, sentence, details)
		on conflict do nothing`, journeys, events, types, at, sentences, details)
}

// scope says which journeys a principal may see: all ($1), those of an organisation ($2), or a person's own ($3).
// Journeys without a beginning have no organisation yet; navigators and operators see them, so that somebody does.
// An organisation that the person said must not know finds nothing, whatever it states.
var scope = `(` + pg.InScope("organisation", "person", 1) + ` and not barred && $2 and (not '` + schemas.Everybody +
	`' = any(barred) or organisation = any($2) or $2 = '{}'))`

func scopeArgs(p principal.Principal) []any { return scopeOf(p).Args() }

func scopeOf(p principal.Principal) schemas.Scope {
	return schemas.ScopeOf(schemas.Role(p.Role), p.Organisation, p.Subject)
}

// show queues one journey that p may see, for the reason stated, with its open steps and its timeline in the order
// things happened.
func show(q queuer, p principal.Principal, reason, id string, take func(*record), takeEntries func([]entry)) {
	args := append(scopeOf(p).Reads(reason).Args(), id)
	visible := `id = $4::text::uuid and ` + scope
	records := map[string]*record{}
	q.Queue(selectRecord+` where `+visible, args...).Query(func(rows pgx.Rows) error {
		err := scanRecords(rows, records)
		take(records[id])
		return err
	})
	q.Queue(selectStep+` where state = 'open' and journey = (select id from journey where `+visible+
		`) order by due_at, step.id`, args...).
		Query(func(rows pgx.Rows) error { return scanStepsInto(rows, records) })
	q.Queue(`select journey::text, event::text, type, at, sentence, details from timeline_entry
		where journey = (select id from journey where `+visible+`) order by at, event`, args...).
		Query(func(rows pgx.Rows) error {
			entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (entry, error) {
				var e entry
				err := row.Scan(&e.Journey, &e.Event, &e.Type, &e.At, &e.Sentence, &e.Details)
				return e, err
			})
			takeEntries(entries)
			return err
		})
}

// loadRetold queues how often the person of a journey that somebody may see had to tell it all again.
func loadRetold(q queuer, p principal.Principal, reason, id string, into *retoldShown) {
	q.Queue(`select count(*), coalesce(max(on_day)::text, '') from retold where journey = (select id from journey
		where id = $4::text::uuid and `+scope+`)`,
		append(scopeOf(p).Reads(reason).Args(), id)...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&into.Count, &into.Last)
	})
}

// storeRetold queues that the person of a locked journey had to tell it again; the same day and role twice are once.
func storeRetold(q queuer, journey string, told Told, by string, now time.Time) {
	q.Queue(`insert into retold (journey, on_day, to_role, recorded_by, recorded_at)
		values ($1::text::uuid, $2::text::date, $3, $4, $5)
		on conflict do nothing`, journey, told.On, told.To, by, now)
}

// lockVisible queues the locking of a journey that p may change, with all its steps.
func lockVisible(q queuer, p principal.Principal, id string, records map[string]*record) {
	args := append(scopeArgs(p), id)
	q.Queue(selectRecord+` where id = $4::text::uuid and `+scope+` for update`, args...).
		Query(func(rows pgx.Rows) error { return scanRecords(rows, records) })
	q.Queue(selectStep+
		` where state <> 'replaced' and journey = (select id from journey where id = $4::text::uuid and `+scope+`)
		order by opened_at, step.id`, args...).
		Query(func(rows pgx.Rows) error { return scanStepsInto(rows, records) })
}

// lockByStep queues the locking of the journey of a step that p may change, with all its steps; of a step that
// concerns no journey, the step alone.
func lockByStep(q queuer, p principal.Principal, step string, records map[string]*record, take func([]Step)) {
	args := append(scopeArgs(p), step)
	q.Queue(selectRecord+` where id = (select journey from step where id = $4::text::uuid) and `+scope+` for update`,
		args...).
		Query(func(rows pgx.Rows) error { return scanRecords(rows, records) })
	q.Queue(selectStep+` where state <> 'replaced' and journey = (select id from journey
			where id = (select journey from step where id = $4::text::uuid) and `+scope+`) order by opened_at, step.id`,
		args...).
		Query(func(rows pgx.Rows) error { return scanStepsInto(rows, records) })
	q.Queue(selectStep+` where id = $2::text::uuid and journey is null and ($1 or organisation = any($3)) for update`,
		args[0], step, args[1]).
		Query(func(rows pgx.Rows) error {
			steps, err := scanSteps(rows)
			take(steps)
			return err
		})
}

// What the sentinel reads and writes. It acts for the system: no principal narrows what it sees.

// leaseAtMost is what no lease is longer than: one that ends later was taken by a clock that was wrong, and is
// nobody's.
const leaseAtMost = 24 * time.Hour

// takeLease makes holder the one sentinel until then, if nobody else is; before is until when one looked last, zero
// where none has.
//
// A lease that ran out long before somebody took it says that nothing here ran in between: that is kept as a time away.
func takeLease(ctx context.Context, pool *pgxpool.Pool, holder string, now, until time.Time) (mine bool,
	before time.Time, err error) {
	var last pgtype.Timestamptz
	err = pool.QueryRow(ctx, `with before as materialized (select until from sentinel_lease where id = 1),
		stopped as (insert into away (since, until) select until, $2::timestamptz from before
			where until > '-infinity' and until < $2::timestamptz - make_interval(secs => $4) on conflict do nothing)
		update sentinel_lease set holder = $1, until = $3
		where id = 1 and (holder = $1 or until < $2 or until > $5) returning (select until from before)`,
		holder, now, until, awayAfter.Seconds(), now.Add(leaseAtMost)).Scan(&last)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, time.Time{}, nil
	case err != nil:
		return false, time.Time{}, fmt.Errorf("taking the sentinel's lease: %w", err)
	case last.InfinityModifier != pgtype.Finite:
		return true, time.Time{}, nil
	}
	return true, last.Time, nil
}

// noteLooked keeps that the holder of the lease has looked everywhere.
func noteLooked(ctx context.Context, pool *pgxpool.Pool, holder string, at time.Time) error {
	if _, err := pool.Exec(ctx, `update sentinel_lease set looked_at = $2 where id = 1 and holder = $1`, holder,
		at); err != nil {
		return fmt.Errorf("keeping when the sentinel looked: %w", err)
	}
	return nil
}

// watch is how the sentinel's lease stands: who holds it and until when, and when a sentinel last looked everywhere.
type watch struct {
	holder string
	until  pgtype.Timestamptz
	looked *time.Time
}

func readWatch(ctx context.Context, pool *pgxpool.Pool) (w watch, err error) {
	if err := pool.QueryRow(ctx, `select holder, until, looked_at from sentinel_lease where id = 1`).Scan(&w.holder,
		&w.until, &w.looked); err != nil {
		return w, fmt.Errorf("reading the sentinel's lease: %w", err)
	}
	return w, nil
}

// LookedAt is when a sentinel last looked everywhere without trouble; zero where none has. One of a time to come is of
// a clock that was wrong, and counts as none.
func LookedAt(ctx context.Context, pool *pgxpool.Pool, now time.Time) (time.Time, error) {
	w, err := readWatch(ctx, pool)
	if err != nil || w.looked == nil || w.looked.After(now.Add(time.Minute)) {
		return time.Time{}, err
	}
	return *w.looked, nil
}

// lookedLate is after how long somebody is told that a sentinel runs and cannot look everywhere.
const lookedLate = time.Hour

// CheckSentinel says when no sentinel has looked lately: nobody watches for the void.
func CheckSentinel(ctx context.Context, pool *pgxpool.Pool, now time.Time) error {
	w, err := readWatch(ctx, pool)
	if err != nil {
		return err
	}
	return w.amiss(now)
}

func (w watch) amiss(now time.Time) error {
	if w.holder == "" || w.until.Time.Before(now) || w.until.Time.After(now.Add(leaseAtMost)) {
		return errors.New("no sentinel runs, so that nobody watches for journeys that nobody holds: `footbridge " +
			"serve` runs one beside journey " +
			"when it has FOOTBRIDGE_SENTINEL_DATABASE_URL, and `footbridge sentinel` runs one alone")
	}
	if w.looked != nil && w.looked.Before(now.Add(-lookedLate)) {
		return fmt.Errorf("the sentinel runs, and has not been able to look everywhere since %s: its log says why "+
			"(docs/runbooks/sentinel.md)", w.looked.Local().Format("Mon 2 Jan 15:04"))
	}
	return nil
}

// SentinelUntil is until when a sentinel holds the lease, or held it; zero where none ever has, or where a wrong clock
// took it.
func SentinelUntil(ctx context.Context, pool *pgxpool.Pool, now time.Time) (time.Time, error) {
	w, err := readWatch(ctx, pool)
	return w.heldUntil(now), err
}

func (w watch) heldUntil(now time.Time) time.Time {
	if w.until.InfinityModifier != pgtype.Finite || w.until.Time.After(now.Add(leaseAtMost)) {
		return time.Time{}
	}
	return w.until.Time
}

// unheld returns which of ids are no journey at all, or, unless closed will do, none that is open or held, or was
// closed after a time: what others hold of it is on its way out.
func unheld(ctx context.Context, pool *pgxpool.Pool, ids []string, closedWillDo bool, closedAfter time.Time) ([]string,
	error) {
	rows, err := pool.Query(ctx, `select id::text from unnest($1::uuid[]) as t(id)
		where not exists (select from journey j where j.id = t.id and ($2 or j.state <> 'closed' or j.closed_at > $3))`,
		ids, closedWillDo, closedAfter)
	if err != nil {
		return nil, fmt.Errorf("looking for journeys that should be open: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// unread returns which messages have no step that is open, or was before a time: a message is released, and then let
// go.
func unread(ctx context.Context, pool *pgxpool.Pool, messages []string, closedAfter time.Time) ([]string, error) {
	rows, err := pool.Query(ctx, `select about from unnest($1::text[]) as t(about)
		where not exists (select from step s where s.about = t.about and (s.state = 'open' or s.closed_at > $2))`,
		messages, closedAfter)
	if err != nil {
		return nil, fmt.Errorf("looking for messages without a step: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// finding is one place where the guarantee would break. Its key is the same each time it is found.
type finding struct {
	Key, Journey, Reason string
	Since                time.Time
	Kind                 string // of the step to open
	apart                bool   // its journey's row cannot be read or written: the step stands beside it
}

// lookAgain is after how long what was found is found again, if it is still so and its step is done.
const lookAgain = 24 * time.Hour

// keepFindings queues the findings that are new, or still so although their step is done, and gives their keys. What is
// about no journey has one step: that one is open again.
func keepFindings(q queuer, findings []finding, steps map[string]string, at time.Time, take func(keys []string)) {
	var keys, journeys, reasons, ids, abouts []string
	var since []time.Time
	for _, f := range findings {
		keys, journeys, reasons = append(keys, f.Key), append(journeys, f.Journey), append(reasons, f.Reason)
		since, ids = append(since, f.Since), append(ids, steps[f.Key])
		about := ""
		if !f.onJourney() {
			about = aboutOf(f)
		}
		abouts = append(abouts, about)
	}
	q.Queue(`with n as materialized (select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[],
			$5::uuid[], $8::text[]) as n(key, journey, reason, since, step, about)
		), stale as materialized (
			select n.key, n.about from n join finding f using (key)
			where (f.found_at < $7 or not exists (select from step s where s.id = f.step))
				and not exists (select from step s where s.id = f.step and s.state = 'open')
				and not exists (select from step s where s.about = n.about and s.state = 'open')
		), kept as (
			insert into finding (key, journey, reason, since, found_at, step)
			select key, journey, reason, since, $6, step from n on conflict do nothing returning key
		), again as (
			update finding f set found_at = $6, step = n.step from n join stale using (key) where f.key = n.key
			returning f.key
		), opened as (
			update step s set state = 'open', closed_at = null, closed_by = '', look_at = $6,
				opened_in = pg_current_xact_id(), came_in = pg_current_xact_id()
			from (select about from stale union select about from n join kept using (key)) as a
			where a.about <> '' and s.about = a.about and s.state <> 'open'
		)
		select key from kept union all select key from again`, keys, journeys, reasons, since, ids, at,
		at.Add(-lookAgain), abouts).
		Query(func(rows pgx.Rows) error {
			fresh, err := pgx.CollectRows(rows, pgx.RowTo[string])
			take(fresh)
			return err
		})
}
