package journey

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// stockSteps stores open steps in their journeys, from one number up to another: those of ten teams, each hundredth
// taken on by somebody.
func stockSteps(t *testing.T, db *testkit.DB, from, to int) {
	t.Helper()
	ctx := context.Background()
	tx, err := db.Admin().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, sql := range []string{`set local session_replication_role = replica`, // both sides of what they refer to
		`set local search_path = journey`,
		`create temporary table n on commit drop as select i, $1::timestamptz + i * interval '1 second' as at,
			lpad(to_hex(i), 12, '0')::text as hex from generate_series($2::int, $3::int) as i`,
		`insert into journey (id, organisation, person, state, holding_step, holding_due, version, known, correlation,
				began_at, arrived_at)
			select ('01900000-0000-7000-8000-' || hex)::uuid, 'RXX', hex, 'open', ('01900000-0000-7000-9000-' ||
			hex)::uuid,
				at, 1, '{}', '', at, at from n`,
		`insert into step (id, journey, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			overdue_level,
				state, opened_at, opened_by, closed_by, taken_by)
			select ('01900000-0000-7000-9000-' || hex)::uuid, ('01900000-0000-7000-8000-' || hex)::uuid, 'RXX',
				'ask-the-person', '', 'team:t' || i % 10, '{}', at, at, 0, 'open', at, 'test', '',
				case when i % 10 = 0 then $4 else '' end from n`} {
		var args []any
		switch {
		case sql[:6] == "create":
			args = []any{now, from, to}
		case sql[:11] == "insert into" && sql[12:16] == "step":
			args = []any{named(navigatorOf("RXX"))}
		}
		if len(args) == 1 {
			sql = sql[:len(sql)-len("$4 else '' end from n")] + "$1 else '' end from n"
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("%.60s: %v", sql, err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"journey.journey", "journey.step"} {
		if _, err := db.Admin().Exec(ctx, `vacuum analyze `+table); err != nil {
			t.Fatal(err)
		}
	}
}

// explained keeps the statement that a list queues, with its arguments.
type explained struct {
	sql  string
	args []any
}

func (e *explained) Queue(sql string, args ...any) *pgx.QueuedQuery {
	e.sql, e.args = sql, args
	return (&pgx.Batch{}).Queue(sql, args...)
}

// onPage is how many steps a page reads: 50, and whether there are more.
const onPage = 51

// blocksOf is how many shared blocks a page of the list touches.
func blocksOf(t *testing.T, pool *pgxpool.Pool, p principal.Principal, f stepFilter) (blocks int) {
	t.Helper()
	var e explained
	listSteps(&e, p, f, nil, onPage, func(Step, *JourneyState) {})
	for range 2 { // the first reads what the catalogue says
		var text []byte
		if err := pool.QueryRow(context.Background(), `explain (analyze, buffers, timing off, format json) `+e.sql,
			e.args...).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var plans []struct {
			Plan struct {
				Hit  int     `json:"Shared Hit Blocks"`
				Read int     `json:"Shared Read Blocks"`
				Rows float64 `json:"Actual Rows"`
			}
		}
		if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 || plans[0].Plan.Rows == 0 {
			t.Fatalf("the plan is %s: %v", text, err)
		}
		blocks = plans[0].Plan.Hit + plans[0].Plan.Read
	}
	return blocks
}

// TestTheWorkListTouchesAsMuchHoweverManyStepsAreOpen: a page of each narrowing with 100,000 open steps takes at most
// 1.2 times what it takes with 1,000, and a block for each step shown: the index by which its journey is found is one
// level taller. An index by hash has no levels, costs a write for each change of a journey, and is taken or left as the
// tables' sizes fall: with it, work depended on that.
func TestTheWorkListTouchesAsMuchHoweverManyStepsAreOpen(t *testing.T) {
	t.Parallel()
	_, db, pool := started(t)
	p := navigatorOf("RXX")
	stockSteps(t, db, 1, 1000)
	lists := map[string]func(last int) stepFilter{
		"all":   func(int) stepFilter { return stepFilter{} },
		"mine":  func(int) stepFilter { return stepFilter{TakenBy: named(p)} },
		"team":  func(int) stepFilter { return stepFilter{Owners: []string{"team:t1"}} },
		"today": func(int) stepFilter { return stepFilter{Before: now.Add(10 * time.Minute)} },
		"new":   func(last int) stepFilter { return stepFilter{Since: now.Add(time.Duration(last-60) * time.Second)} },
	}
	few := map[string]int{}
	for name, filter := range lists {
		few[name] = blocksOf(t, pool, p, filter(1000))
	}
	stockSteps(t, db, 1001, 100_000)
	for name, filter := range lists {
		many := blocksOf(t, pool, p, filter(100_000))
		t.Logf("%s: %d blocks at 1,000, %d at 100,000", name, few[name], many)
		if many*10 > few[name]*12+onPage*10 {
			t.Errorf("%s: %d blocks with 1,000 open steps, %d with 100,000", name, few[name], many)
		}
	}
}

// TestTheListIsNarrowedToWhatSomebodyTookOnAndToWhatIsNew: by name as signed in, and by when it was opened.
func TestTheListIsNarrowedToWhatSomebodyTookOnAndToWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.c.Now()
	opened := func() {
		s := w.today(clock.NewID(w.c.Now()))
		s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v",
			LeftOn: s.on(0)})
		s.say(schemas.GapFound, schemas.GapFoundData{})
		mustApply(t, w.Service, w.pool, withIDs(s.events))
	}
	opened()
	type page struct {
		Detail string
		Items  []stepListed
	}
	count := func(query string) int {
		t.Helper()
		got, status := ask[page](w, "GET", "/api/steps?"+query, "")
		if status != 200 {
			t.Fatalf("%s: %d %+v", query, status, got)
		}
		return len(got.Items)
	}
	at := func(when time.Time) string { return when.UTC().Format(time.RFC3339) }
	got, _ := ask[page](w, "GET", "/api/steps?mine=true", "")
	if len(got.Items) != 1 || count("taken=true") != 0 {
		t.Fatalf("before anybody took anything on: %+v", got.Items)
	}
	if _, status := ask[any](w, "POST", "/api/steps/"+got.Items[0].Step+"/acknowledge",
		`{"owner":"`+someOwners.Navigator+`"}`); status != 200 {
		t.Fatal(status)
	}
	if count("taken=true") != 1 {
		t.Error("what somebody took on is not theirs")
	}
	w.who.Subject = "another"
	if count("taken=true") != 0 {
		t.Error("what somebody took on is another's")
	}
	if all, news := count(""), count("since="+at(now.Add(-time.Hour))); all != 2 || news != 2 {
		t.Errorf("%d steps, %d new since before they were opened at about %v", all, news, before)
	}
	if news := count("since=" + at(w.c.Now().Add(time.Hour))); news != 0 {
		t.Errorf("%d are new since later", news)
	}
	if news := count("mine=true&since=" + at(now.Add(-time.Hour))); news != 1 {
		t.Errorf("%d of a team are new", news)
	}
	if _, status := ask[any](w, "GET", "/api/steps?since=yesterday", ""); status != 400 {
		t.Errorf("since yesterday is answered with %d", status)
	}
}

// TestWhatIsNewToATeamIsCountedAmongWhatIsNewToOthers: however many steps of others were opened before it since then.
func TestWhatIsNewToATeamIsCountedAmongWhatIsNewToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stockSteps(t, w.db, 1, 400)
	w.as(schemas.Navigator, "RXX", "navigator-1")
	got, status := ask[struct{ Items []stepListed }](w, "GET", "/api/steps?limit=200&team=team:t3&since="+
		now.Add(-time.Hour).UTC().Format(time.RFC3339), "")
	if status != 200 || len(got.Items) != 40 {
		t.Errorf("%d: %d of 40 are new to the team", status, len(got.Items))
	}
}
