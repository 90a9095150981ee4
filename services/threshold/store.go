package threshold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// keepDirectory writes a set of criteria down under its hash and makes it the running one. Where another was running,
// every journey is to be looked at again.
func keepDirectory(ctx context.Context, pool *pgxpool.Pool, set *criteria.Directory, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`insert into directory_version (hash, content, loaded_at) values ($1, $2, $3) on conflict do nothing`,
		set.Hash, string(set.Canonical()), now)
	// The first set that ever runs has nothing to look at again.
	batch.Queue(`insert into running (id, directory, since, after, looked_at, changed, done_at)
		values (1, $1, $2, null, 0, 0, $2)
		on conflict (id) do update
		set directory = excluded.directory, since = excluded.since, after = null, looked_at = 0, changed = 0, done_at =
		null
		where running.directory <> excluded.directory`, set.Hash, now)
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("keeping directory %s: %w", set.Hash, err)
	}
	return nil
}

// record is a journey's row with its last decision.
type record struct {
	flow.Row[JourneyState]
	Last    *criteria.Decision
	LastID  string
	DueAt   *time.Time // when it is looked at again
	keep    keeping
	changed bool // by the last look: a door, a question or a gap is different from before
	matrix  string
}

var store = flow.Store[JourneyState, record]{
	Row: func(r *record) *flow.Row[JourneyState] { return &r.Row },
	Columns: []flow.Column[record]{
		flow.Col("organisation", "text", func(r *record) string { return r.State.Sender }),
		flow.Col("person", "text", func(r *record) string { return r.State.Person }),
		flow.Col("decision", "uuid", func(r *record) *string {
			if r.LastID == "" {
				return nil
			}
			return &r.LastID
		}),
		flow.Col("due_at", "timestamptz", func(r *record) *time.Time { return r.DueAt }),
		flow.List("barred", func(r *record) []string { return r.State.BarredBut(r.State.Sender) }),
	},
	Select: "coalesce(s.decision::text, ''), coalesce(d.matrix::text, ''), s.due_at",
	Join:   "left join decision d on d.id = s.decision",
	Into:   func(r *record) []any { return []any{&r.LastID, &r.matrix, &r.DueAt} },
	Loaded: func(r *record) error {
		if r.matrix == "" {
			return nil
		}
		r.Last = &criteria.Decision{}
		return json.Unmarshal([]byte(r.matrix), r.Last)
	},
}

// made is a decision on its way to its table.
type made struct {
	id, journey, organisation string
	cause                     *string // the event that led to it, nil for none
	applied                   string  // that event's type
	decision                  criteria.Decision
	situation                 criteria.Situation
}

// storedDecision is a decision as its table keeps it. Of each criterion it says what was found; its words, source and
// links stand in the directory's version that the decision names, and with each door that they made other than open.
type storedDecision struct {
	criteria.Decision
	Matrix []storedRow `json:"matrix"` // in the place of the decision's
}

type storedRow struct {
	Service   string          `json:"service"`
	Criterion string          `json:"criterion"`
	Finding   schemas.Finding `json:"finding"`
	Missing   []string        `json:"missing,omitempty"`
	Lapsed    bool            `json:"lapsed,omitempty"`
}

func toStore(d criteria.Decision) storedDecision {
	s := storedDecision{Decision: d, Matrix: make([]storedRow, len(d.Matrix))}
	for i, row := range d.Matrix {
		s.Matrix[i] = storedRow{row.Service, row.Criterion, row.Finding, row.Missing, row.Lapsed}
	}
	return s
}

// saveDecisions queues new decisions.
func saveDecisions(q flow.Queuer, decisions []made, now time.Time) error {
	if len(decisions) == 0 {
		return nil
	}
	var ids, journeys, organisations, directories, matrices, situations, learnt []string
	var causes []*string
	for i := range decisions {
		m := &decisions[i]
		decision := toStore(m.decision)
		matrix, err := json.Marshal(&decision)
		if err != nil {
			return fmt.Errorf("writing decision %s: %w", m.id, err)
		}
		situation, err := json.Marshal(&m.situation)
		if err != nil {
			return fmt.Errorf("writing what decision %s was made from: %w", m.id, err)
		}
		situations, learnt = append(situations, string(situation)), append(learnt, m.applied)
		ids, journeys, organisations = append(ids, m.id), append(journeys, m.journey),
			append(organisations, m.organisation)
		directories, causes, matrices = append(directories, m.decision.Directory), append(causes, m.cause),
			append(matrices, string(matrix))
	}
	q.Queue(`insert into decision (id, journey, organisation, directory, decided_at, cause, matrix, situation, learnt)
		select id, journey, organisation, directory, $8, cause, matrix::json, situation::jsonb, learnt
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $9::text[])
			as n(id, journey, organisation, directory, cause, matrix, situation, learnt)`,
		ids, journeys, organisations, directories, causes, matrices, situations, now, learnt)
	return nil
}

// lastDecision reads the last decision about a journey that is within the principal's reach. It is nil where there is
// none, or none that the principal may see.
func lastDecision(ctx context.Context, pool *pgxpool.Pool, who principal.Principal, journey string) (*criteria.Decision,
	error) {
	var matrix string
	err := pool.QueryRow(ctx, `select d.matrix::text from journey_state s join decision d on d.id = s.decision
		where s.journey = $4::uuid and `+visibility,
		append(scopeOf(who).Args(), strings.ToLower(journey))...).Scan(&matrix)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the decision about a journey: %w", err)
	}
	var decision criteria.Decision
	if err := json.Unmarshal([]byte(matrix), &decision); err != nil {
		return nil, fmt.Errorf("reading the decision about a journey: %w", err)
	}
	return &decision, nil
}

// visibility keeps statements about journeys within a scope, whose arguments come first. An organisation that the
// person said must not know finds nothing, whatever it states.
var visibility = `(` + pg.InScope("s.organisation", "s.person", 1) + ` and not s.barred && $2 and (not '` +
	schemas.Everybody + `' = any(s.barred) or s.organisation = any($2) or $2 = '{}'))`

func scopeOf(who principal.Principal) schemas.Scope {
	return schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject)
}

// lockRead is lockFor for somebody who only reads the journey, for the reason stated.
func lockRead(q flow.Queuer, who principal.Principal, reason, journey string) map[string]*record {
	return lockWithin(q, scopeOf(who).Reads(reason), journey)
}

// addAccess queues who looked at a journey's doors, and why.
func addAccess(q flow.Queuer, who principal.Principal, id, journey, reason string, now time.Time) {
	q.Queue(`insert into look (id, journey, organisation, role, subject, reason, at)
		values ($1, $2, $3, $4, $5, $6, $7)`,
		id, journey, who.Organisation, who.Role, who.Subject, reason, now)
}

// lockFor queues the locking of one journey that the principal may change; where there is none, the map stays empty.
func lockFor(q flow.Queuer, who principal.Principal, journey string) map[string]*record {
	return lockWithin(q, scopeOf(who), journey)
}

func lockWithin(q flow.Queuer, scope schemas.Scope, journey string) map[string]*record {
	records := map[string]*record{}
	store.Lock(q, records, nil, `where s.journey = $4::uuid and `+visibility+` for update of s`,
		append(scope.Args(), journey)...)
	return records
}

// loadDue queues the locking of journeys that fall due to be looked at, and the record they are given to.
func loadDue(tx *flow.Tx, now time.Time, limit int, records map[string]*record) {
	store.Lock(tx, records, tx.Attempt,
		`where s.due_at <= $1 and s.journey <> all($3::uuid[]) order by s.due_at limit $2 for update of s skip locked`,
		now, limit, tx.Postponed())
}

// again is how far the looking again after a change of criteria has come.
type again struct {
	After    *string
	LookedAt int64
	Changed  int64
	Since    time.Time
	stands   bool
}

// lockAgain queues the locking of the running set's row, if it is this set and journeys are still to be looked at.
func lockAgain(q flow.Queuer, directory string, a *again) {
	q.Queue(`select after::text, looked_at, changed, since from running where id = 1 and directory = $1
		and done_at is null for update skip locked`, directory).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&a.After, &a.LookedAt, &a.Changed, &a.Since},
				func() error { a.stands = true; return nil })
			return err
		})
}

// loadAfter queues the locking of the journeys that come next, in the order of their ids.
func loadAfter(tx *flow.Tx, after *string, limit int, records map[string]*record) {
	store.Lock(tx, records, tx.Attempt,
		`where ($1::uuid is null or s.journey > $1::uuid) and s.journey <> all($3::uuid[]) order by s.journey limit $2 for update of s`,
		after, limit, tx.Postponed())
}

// saveAgain queues how far it has come; done where nothing is left.
func saveAgain(q flow.Queuer, a again, done bool, now time.Time) {
	q.Queue(`update running set after = $1::uuid, looked_at = $2, changed = $3, done_at = case
		when $4 then $5::timestamptz end where id = 1`,
		a.After, a.LookedAt, a.Changed, done, now)
}

func staff(who principal.Principal) string { return who.String() + "/" + who.Subject }

// addAsked queues that a service was asked.
func addAsked(q flow.Queuer, who principal.Principal, r *record, id string, a Asked, by time.Time, again bool,
	now time.Time) {
	q.Queue(`insert into asked (id, journey, organisation, service, asked_at, answer_by, again, recorded_by)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		id, r.Journey, r.State.Sender, a.Service, now, by, again, staff(who))
}

// addAnswered queues what a service answered.
func addAnswered(q flow.Queuer, who principal.Principal, r *record, id string, a criteria.Answer, now time.Time) error {
	facts, err := json.Marshal(r.State.Facts)
	if err != nil {
		return fmt.Errorf("writing the facts at an answer: %w", err)
	}
	q.Queue(`insert into answered (id, journey, organisation, service, answer, side, axis, words, answered_by, on_day,
		facts, recorded_at, recorded_by, reason, questioned)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::date, $11::text::jsonb, $12, $13, $14, $15)`,
		id, r.Journey, r.State.Sender, a.Service, a.Said, a.Side, a.Axis, a.Words, a.By, a.On, string(facts), now,
		staff(who), a.Reason, a.Questioned)
	return nil
}

// addOverride queues a human's decision about one door.
func addOverride(q flow.Queuer, who principal.Principal, r *record, id string, o Overriding, on criteria.Day,
	now time.Time) {
	q.Queue(`insert into override (id, journey, organisation, service, door, reason, on_day, recorded_at, recorded_by)
		values ($1, $2, $3, $4, $5, $6, $7::text::date, $8, $9)`, id, r.Journey, r.State.Sender, o.Service,
		string(o.Eligibility), o.Reason, on, now, staff(who))
}

// addTold queues an 'I was told…'.
func addTold(q flow.Queuer, who principal.Principal, t criteria.ToldReport, now time.Time) {
	q.Queue(`insert into told (id, organisation, service, criterion, on_day, told, words, days, scope, did_not_refer,
		recorded_at, recorded_by)
		values ($1, $2, $3, $4, $5::text::date, $6, $7, $8, $9, $10, $11, $12)`,
		t.ID, who.Organisation, t.Service, t.Criterion, t.On, t.By, t.Words, t.Terms.Days,
		append([]string{}, t.Terms.Scope...), t.DidNotRefer, now, staff(who))
}

// mostTold bounds how many reports are counted; the newest count.
const mostTold = 20_000

// toldReports reads what people were told. It is about services, so every organisation's count; who told us is not
// read. The principal shows that somebody asks.
func toldReports(ctx context.Context, pool *pgxpool.Pool, _ principal.Principal) ([]criteria.ToldReport, error) {
	rows, err := pool.Query(ctx, `select service, id::text, criterion, on_day::text, told, words, days, scope,
		did_not_refer
		from told order by recorded_at desc limit $1`, mostTold)
	if err != nil {
		return nil, fmt.Errorf("reading what people were told: %w", err)
	}
	reports, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (criteria.ToldReport, error) {
		var t criteria.ToldReport
		err := row.Scan(&t.Service, &t.ID, &t.Criterion, &t.On, &t.By, &t.Words, &t.Terms.Days, &t.Terms.Scope,
			&t.DidNotRefer)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what people were told: %w", err)
	}
	return reports, nil
}

// reported is a line that was reported to reach nobody.
type reported struct {
	ID         string
	Service    string
	Line       string
	ReportedAt time.Time
	DueAt      time.Time
	Version    int64
}

// deadLines reads the lines that are reported and not mended yet.
func deadLines(ctx context.Context, pool *pgxpool.Pool, _ principal.Principal) ([]reported, error) {
	rows, err := pool.Query(ctx, `select id::text, service, line, reported_at, due_at, version from dead_line
		where mended_at is null order by reported_at, id`)
	if err != nil {
		return nil, fmt.Errorf("reading which lines reach nobody: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reported])
	if err != nil {
		return nil, fmt.Errorf("reading which lines reach nobody: %w", err)
	}
	return lines, nil
}

// reportLine queues a report of a line; took says whether it is the first of it. mend queues the opposite.
func reportLine(q flow.Queuer, who principal.Principal, organisation string, l reported, now time.Time,
	took func(bool)) {
	q.Queue(`insert into dead_line (id, organisation, service, line, reported_at, due_at, recorded_by, version)
		values ($1, $2, $3, $4, $5, $6, $7, 1) on conflict (service, line) where mended_at is null do nothing`,
		l.ID, organisation, l.Service, l.Line, now, l.DueAt, staff(who)).Exec(func(tag pgconn.CommandTag) error {
		took(tag.RowsAffected() == 1)
		return nil
	})
}

func mendLine(q flow.Queuer, service, line string, now time.Time, mended func(reported)) {
	q.Queue(`update dead_line set mended_at = $3, version = version + 1 where service = $1 and line = $2
		and mended_at is null
		returning id::text, service, line, reported_at, due_at, version`, service, line,
		now).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reported])
		for _, l := range found {
			mended(l)
		}
		return err
	})
}

// mostTurned bounds how many decisions a report of turned facts looks at; the newest journeys' are.
const mostTurned = 200_000

// foundOf reads, in a transaction that can only read, what each decision since a time found of one criterion, of
// journeys with more than one, in the order of journeys and of decisions.
func foundOf(ctx context.Context, pool *pgxpool.Pool, who principal.Principal, row criteria.Row,
	since time.Time) (all []criteria.Found, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `with seen as (select d.journey, d.id, d.directory, d.learnt, d.decided_at,
			d.situation, d.matrix, count(*) over (partition by d.journey) as n
				from journey_state s join decision d on d.journey = s.journey
				where d.decided_at >= $4 and d.situation is not null and `+visibility+
			` order by d.journey desc, d.decided_at desc, d.id desc limit $7)
			select journey::text, directory, learnt, coalesce((select r ->> 'finding' from json_array_elements(matrix -> 'matrix') r
				where r ->> 'service' = $5 and r ->> 'criterion' = $6 limit 1), ''), (situation -> 'facts')::text
			from seen where n > 1 order by journey, decided_at, id`, append(scopeOf(who).Args(), since, row.Service,
			row.Criterion, mostTurned)...)
		if err != nil {
			return err
		}
		var one criteria.Found
		var learnt, finding, facts string
		_, err = pgx.ForEachRow(rows, []any{&one.Journey, &one.Directory, &learnt, &finding, &facts}, func() error {
			f := one
			f.Way, f.Finding = wayOf(learnt), schemas.Finding(finding)
			if err := json.Unmarshal([]byte(facts), &f.Facts); err != nil {
				return fmt.Errorf("the facts of a decision about journey %s: %w", one.Journey, err)
			}
			all = append(all, f)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what decisions found: %w", err)
	}
	return all, nil
}

// wayOf is by which way facts were said that an event of a type brought; empty where none were.
func wayOf(learnt string) string {
	switch schemas.Type(learnt) {
	case schemas.DischargeRecorded, schemas.DischargeCorrected, schemas.ReferralRequested:
		return criteria.WayMessage
	case schemas.InformationSupplied:
		return criteria.WayRecorded
	}
	return ""
}

// mostReplayed bounds how many journeys a what-if looks at; the newest ones are.
const mostReplayed = 100_000

// pastDecisions reads, in a transaction that can only read, the last decision of each journey of the principal's
// organisation since a time, with what it was made from; an operator sees those of all. unkept counts decisions of
// which what they were made from was not kept, or can no longer be read.
func pastDecisions(ctx context.Context, pool *pgxpool.Pool, who principal.Principal,
	since time.Time) (past []criteria.PastDecision, unkept int, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select d.id::text, d.journey::text, coalesce(d.situation::text, '')
			from journey_state s join decision d on d.id = s.decision
			where d.decided_at >= $4 and `+visibility+` order by d.decided_at desc, d.id desc limit $5`,
			append(scopeOf(who).Args(), since, mostReplayed)...)
		if err != nil {
			return err
		}
		var one criteria.PastDecision
		var situation string
		_, err = pgx.ForEachRow(rows, []any{&one.Decision, &one.Journey, &situation}, func() error {
			p := one
			if json.Unmarshal([]byte(situation), &p.Situation) != nil {
				unkept++
				return nil
			}
			past = append(past, p)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading past decisions: %w", err)
	}
	return past, unkept, nil
}
