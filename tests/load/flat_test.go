package load

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/followup"
	"footbridge/services/intake"
	"footbridge/services/journey"
)

// work is what statements have done, as PostgreSQL says of their plans. It does not depend on how busy the machine is.
type work struct {
	Blocks, Rows int64    // shared buffers; rows read by scans, those filtered out among them
	Scans        []string // tables that were read from end to end
	statements   map[string]int64
}

func (w work) String() string { return fmt.Sprintf("%d blocks, %d rows", w.Blocks, w.Rows) }

// plans gathers the plans of all statements of a database's new connections.
type plans struct {
	mu  sync.Mutex
	got work
}

// plan is a node of a plan, as auto_explain writes it.
type plan struct {
	Node    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Hit     int64   `json:"Shared Hit Blocks"`
	Read    int64   `json:"Shared Read Blocks"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Parts   []plan  `json:"Plans"`
}

func (p plan) add(w *work) {
	if p.Table != "" {
		w.Rows += int64((p.Rows + p.Removed) * max(p.Loops, 1))
	}
	if p.Node == "Seq Scan" && !small[p.Table] && p.Loops > 0 {
		w.Scans = append(w.Scans, p.Table)
	}
	for _, part := range p.Parts {
		part.add(w)
	}
}

// small are tables that hold a handful of rows whatever is stored.
var small = map[string]bool{"sentinel_lease": true, "away": true, "outbox_writer": true, "outbox_stream": true,
	"once": true}

func (p *plans) notice(n *pgconn.Notice) {
	_, text, found := strings.Cut(n.Message, "plan:")
	var said struct {
		Query string `json:"Query Text"`
		Plan  plan
	}
	if !found || json.Unmarshal([]byte(text), &said) != nil ||
		slices.ContainsFunc([]string{"outbox", "flow_fence", "idempotency", "clock_timestamp"},
			func(own string) bool { return strings.Contains(said.Query, own) }) {
		return // the exchange of events has its own rhythm
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got.Blocks += said.Plan.Hit + said.Plan.Read
	of := work{}
	said.Plan.add(&of)
	p.got.Rows, p.got.Scans = p.got.Rows+of.Rows, append(p.got.Scans, of.Scans...)
	p.got.statements[said.Query] += said.Plan.Hit + said.Plan.Read
	p.got.statements["rows of "+said.Query] += of.Rows
}

// during is the work of all statements that end while something is done.
func (p *plans) during(do func()) work {
	p.mu.Lock()
	p.got = work{statements: map[string]int64{}}
	p.mu.Unlock()
	do()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

// stocked is a database that holds so many journeys, with what watches them.
type stocked struct {
	t        *testing.T
	admin    *pgxpool.Pool
	plans    *plans
	pool     *pgxpool.Pool
	sentinel *journey.Sentinel
	service  *journey.Service
	flow     *flow.Flow
	server   *httptest.Server
	who      principal.Principal
}

func ofService(name string, migrations fs.FS) pg.Service {
	return pg.Service{Name: name, Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
		{Name: name, FS: migrations}}}
}

func stock(t *testing.T, journeys int) *stocked {
	t.Helper()
	ctx := t.Context()
	db := testkit.Database(t, ofService(schemas.Intake, intake.Migrations()),
		ofService(schemas.Followup, followup.Migrations()),
		ofService(schemas.Bridging, bridging.Migrations()), ofService(schemas.Journey, journey.Migrations()))
	s := &stocked{t: t, admin: db.Admin(), plans: &plans{got: work{statements: map[string]int64{}}}}
	s.fill(journeys)
	s.explain(db.Name)
	s.pool = s.watched(db.Pool(schemas.Journey))
	owners := journey.Owners{Navigator: "navigator:duty", Deputy: "navigator:deputy", OutOfHours: "team:out-of-hours"}
	var err error
	if s.service, err = journey.New(journey.Config{Owners: owners}); err != nil {
		t.Fatal(err)
	}
	stream := bus.Stream{Name: "FLAT_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	conn := testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: "flat"})
	testkit.Keep(t, conn, stream)
	if s.flow, err = flow.New(ctx, flow.Config{Service: journey.Name, Pool: s.pool, Bus: conn, Stream: stream,
		Clock: clock.Real()}); err != nil {
		t.Fatal(err)
	}
	// so that each round has a whole one, at 1,000 as well
	s.sentinel, err = journey.NewSentinel(journey.SentinelConfig{Owners: owners, Flow: s.flow, Pool: s.pool,
		OnHold: s.watched(db.Pool(pg.Sentinel)), Slice: 200,
		Services: []string{schemas.Intake, schemas.Followup, schemas.Bridging, schemas.Journey}})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.flow.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.serve()
	return s
}

// explain lets new connections of a database say what their statements did.
func (s *stocked) explain(database string) {
	s.t.Helper()
	for _, setting := range []string{`session_preload_libraries = 'auto_explain'`, `auto_explain.log_min_duration = 0`,
		`auto_explain.log_analyze = on`,
		`auto_explain.log_buffers = on`, `auto_explain.log_timing = off`, `auto_explain.log_format = json`,
		`client_min_messages = log`} {
		if _, err := s.admin.Exec(s.t.Context(), `alter database `+database+` set `+setting); err != nil {
			s.t.Fatal(err)
		}
	}
}

// watched is a pool like another, whose statements' plans are gathered.
func (s *stocked) watched(like *pgxpool.Pool) *pgxpool.Pool {
	s.t.Helper()
	cfg := like.Config()
	cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { s.plans.notice(n) }
	pool, err := pgxpool.NewWithConfig(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

func (s *stocked) serve() {
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(*http.Request) (principal.Principal, error) { return s.who, nil }))
	if err := s.service.Routes(mux, s.flow, s.pool, clock.Real()); err != nil {
		s.t.Fatal(err)
	}
	s.server = httptest.NewServer(mux)
	s.t.Cleanup(s.server.Close)
}

// page reads a page of a list as somebody, the second one where it has more, and returns how many lines it had.
func (s *stocked) page(role schemas.Role, organisation, subject, path string, want int) func() {
	return func() {
		s.t.Helper()
		s.who = principal.Principal{Role: string(role), Organisation: organisation, Subject: subject}
		lines, next := s.get(path)
		if next != "" {
			more, _ := s.get(path + "&cursor=" + next)
			lines += more
		}
		if lines != want {
			s.t.Errorf("%s as %s has %d lines, want %d", path, role, lines, want)
		}
	}
}

func (s *stocked) get(path string) (lines int, next string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Items []json.RawMessage `json:"items"`
		Next  *string           `json:"next"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", path, answer.Status, err)
	}
	if body.Next != nil {
		next = *body.Next
	}
	return len(body.Items), next
}

// round is one of the sentinel's.
func (s *stocked) round(want int) func() {
	return func() {
		s.t.Helper()
		if found, err := s.sentinel.Round(s.t.Context()); err != nil || found != want {
			s.t.Errorf("the sentinel found %d (%v), want %d", found, err, want)
		}
	}
}

// overdue does what is due once, as the loop does it.
func (s *stocked) overdue(want int) func() {
	return func() {
		s.t.Helper()
		loop := s.service.Due()[slices.IndexFunc(s.service.Due(),
			func(d flow.Due) bool { return d.Name == "overdue-steps" })]
		err := s.flow.Do(s.t.Context(), func(tx *flow.Tx) error {
			taken, err := loop.Run(s.t.Context(), tx, loop.Limit)
			if taken != want {
				s.t.Errorf("the loop took %d steps, want %d", taken, want)
			}
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}
}

// The stored journeys: 3 organisations; half of them are closed; each person has two; one of fifty is long past its
// grace and was found. Those of the last hour (50), those that fell due just now and those past their grace that
// nobody has found yet are as many whatever is stored.
const (
	justDue   = 100
	pastGrace = 30
)

// fill stores journeys by one statement a table, as the administrator, for whom foreign keys hold by construction.
func (s *stocked) fill(journeys int) {
	s.t.Helper()
	conn, err := s.admin.Acquire(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Release()
	const id = `(select (left(h, 8) || '-' || substr(h, 9, 4) || '-7' || substr(m, 1, 3) || '-8' || substr(m, 4, 3) || '-' || substr(m, 7, 12))::uuid
		from (select lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') as h, md5(i || $2) as m) as x)`
	for _, statement := range []string{
		`set session_replication_role = replica`,
		`create temporary table made as
			select i, at, 'R' || i % 3 as organisation, 'person-' || i / 2 as person, i % 2 = 0 as closed, ` +
			strings.ReplaceAll(id, "$2", "'j'") + ` as journey,
				` + strings.ReplaceAll(id, "$2", "'s'") + ` as step, ` + strings.ReplaceAll(id, "$2", "'t'") +
			` as done, ` + strings.ReplaceAll(id, "$2", "'v'") + ` as visit,
				case when i % 2 = 0 then 'closed' when i > $1 - 2 * 100 then 'just' when i > $1 - 2 * 130 then 'past' when i % 50 = 1 then 'found' else 'ahead' end as due
			from (select i, case when i > $1 - 50 then now() - interval '1 minute' * (10 + ($1 - i)) else now() - interval '2 days' - interval '700 days' * ($1 - i) / $1 end as at
				from generate_series(1, $1) as i) as n`,
		`alter table made add column due_at timestamptz`,
		`update made set due_at = case due when 'just' then now() - interval '1 minute'
			when 'past' then now() - interval '5 hours' when 'found' then now() - interval '9 days'
			else now() + interval '1 minute' * (60 + i::bigint * 7919 % 40000) end`,
		`insert into journey.journey (id, organisation, person, state, holding_step, holding_due, version, known,
			correlation, began_at, arrived_at, closed_at, closed_for)
			select journey, organisation, person, case when closed then 'closed' else 'open' end, case
			when closed then null else step end,
				case when closed then '0001-01-01 00:00+00' else due_at end, 5,
				case when closed then json_build_object('pad', repeat(md5(i::text), 20), 'closed',
				json_build_object('reason', 'moved', 'when', at))::jsonb
					else json_build_object('pad', repeat(md5(i::text), 20))::jsonb end,
				journey::text, at, at, case when closed then at + interval '1 hour' end, case when closed then 'moved'
				end from made`,
		`insert into journey.step (id, journey, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			look_at, overdue_level, state, opened_at, opened_by, closed_by, void_found_at)
			select step, journey, organisation, 'arrange-follow-up', 'since/' || i, case when i > $1 - 2 * 310
			and due = 'ahead' then 'team:callers' else 'navigator:duty' end,
				case when i <= $1 - 2 * 310 and i > $1 - 2 * 400 and due = 'ahead' then '{team:callers}'::text[]
				else '{}' end, due_at, due_at,
				case when due in ('ahead', 'just') then due_at end, 0, 'open', at, 'events', '', case
				when due = 'found' then due_at + interval '4 hours' end from made where not closed`,
		`insert into journey.added_owner (organisation, owner, due_at, step)
			select organisation, 'team:callers', due_at, id from journey.step where added_owners = '{team:callers}'`,
		`insert into journey.step (id, journey, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			overdue_level, state, opened_at, opened_by, closed_at, closed_by)
			select done, journey, organisation, 'ask-the-person', 'first/' || i, 'team:liaison', '{}', at, at, 0,
			'done', at, 'events', at, 'somebody' from made`,
		`insert into journey.finding (key, journey, reason, since, found_at, step)
			select 'overdue/' || step, journey::text, 'overdue', due_at, due_at + interval '4 hours', step from made
			where due = 'found'`,
		`insert into intake.visit (id, organisation, number, person, version, says, journey, raised_at, withdrawn)
			select visit, organisation, 'V' || i, visit, 3, '{}', journey, at, false from made`,
		`insert into followup.partner (id, organisation, service, name, works, rank)
			values ('0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d', 'P', 's', 'n', array_fill(true, array[7]), 1)`,
		`insert into followup.offer (id, journey, organisation, person, partner, visit, left_on, first_day, last_day,
			late, answer_by, consent, state, raised_at, ended_at, because)
			select step, journey, organisation, person, '0196b3a4-7f2c-7d10-9a55-2f4c6e8a1b3d', 'v', at::date,
			at::date, at::date, false, at, 'given',
			case when closed then 'withdrawn' else 'raised' end, at,
				case when closed then at end, '' from made where i % 4 < 2`,
		`insert into bridging.plan (id, journey, organisation, person, state, because, waiting_on, every_days, minutes,
			proposed_at, ended_at)
			select step, journey, organisation, person, case when closed then 'ended' else 'proposed'
			end, '', '{}', 14, 10, at, case when closed then at end from made where i % 4 > 1`,
		`drop table made`,
		`reset session_replication_role`,
		`vacuum analyze`,
	} {
		if _, err := conn.Exec(s.t.Context(), strings.ReplaceAll(statement, "$1", strconv.Itoa(journeys))); err != nil {
			s.t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// action is what is to be as much work whatever is stored: as many rows, and at most so many hundredths of the blocks.
// A write goes down each of its table's indexes, which are a level taller with 200,000 rows than with 1,000.
type action struct {
	name   string
	do     func()
	atMost int64
}

// actions are what is to be as much work whatever is stored.
func (s *stocked) actions() []action {
	return []action{
		{"a navigator's list", s.page(schemas.Navigator, "R1", "n", "/api/journeys?limit=50", 100), 120},
		{"a navigator's list of the void", s.page(schemas.Navigator, "R1", "n", "/api/journeys?void=true&limit=5", 10),
			120},
		{"a navigator's steps", s.page(schemas.Navigator, "R1", "n", "/api/steps?limit=50", 100), 140},
		{"a team's own steps", s.page(schemas.Navigator, "R1", "n", "/api/steps?team=team:callers&limit=30", 60), 140},
		{"an operator's list", s.page(schemas.Operator, "ops", "o", "/api/journeys?limit=50", 100), 120},
		{"the closed ones", s.page(schemas.Navigator, "R1", "n", "/api/journeys?state=closed&limit=50", 100), 120},
		{"steps that fell due", s.overdue(justDue), 140},
		{"a look for steps that fell due", s.overdue(0), 120},
		{"the sentinel's first round", s.round(pastGrace), 130},
		{"the sentinel's next round", s.round(0), 120},
	}
}

// taller is what may be added to a handful of blocks for indexes that are taller.
const taller = 4

// TestWorkStaysTheSameWhateverIsStored compares what PostgreSQL does for lists, the loop over what fell due and the
// sentinel's rounds, at 1,000 journeys and at 20,000 (FLAT_STORED for more: make bench-large). Not one of their
// statements may read a table from end to end.
func TestWorkStaysTheSameWhateverIsStored(t *testing.T) {
	t.Parallel()
	many, err := strconv.Atoi(cmp.Or(os.Getenv("FLAT_STORED"), "20000"))
	if err != nil {
		t.Fatal(err)
	}
	few, more := stock(t, 1000), stock(t, many)
	wanted := more.actions()
	for i, action := range few.actions() {
		base, got := few.plans.during(action.do), more.plans.during(wanted[i].do)
		t.Logf("%-32s at 1,000: %v; at %d: %v (%.2f, %.2f)", action.name, base, many, got,
			times(got.Blocks, base.Blocks), times(got.Rows, base.Rows))
		if base.Blocks == 0 {
			t.Errorf("%s: no plan was seen", action.name)
		}
		if got.Blocks > base.Blocks*action.atMost/100+taller || got.Rows > base.Rows*12/10+taller {
			t.Errorf("%s is more work the more is stored:\n%s", action.name, got.compared(base))
		}
		if len(got.Scans) > 0 {
			t.Errorf("%s reads from end to end: %v", action.name, got.Scans)
		}
	}
}

func times(a, b int64) float64 { return float64(a) / float64(max(b, 1)) }

// compared lists the statements with the blocks that they took now and before.
func (w work) compared(before work) string {
	var lines strings.Builder
	for _, statement := range slices.Sorted(maps.Keys(w.statements)) {
		fmt.Fprintf(&lines, "%6d, before %6d: %.140s\n", w.statements[statement], before.statements[statement],
			strings.Join(strings.Fields(statement), " "))
	}
	return lines.String()
}
