package journey

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
)

// stockSteps stores open steps in their journeys, from one number up to another: those of ten teams, each tenth taken
// on by somebody. They are promised in another order than that in which they were opened and are stored.
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
			lpad(to_hex(i), 12, '0')::text as hex from generate_series($2::int, $3::int) as i
				order by md5(i::text)`,
		`insert into journey (id, organisation, person, state, holding_step, holding_due, version, known, correlation,
				began_at, arrived_at)
			select ('01900000-0000-7000-8000-' || hex)::uuid, 'RXX', hex, 'open', ('01900000-0000-7000-9000-' ||
			hex)::uuid,
				at, 1, '{}', '', at, at from n`,
		`insert into step (id, journey, organisation, kind, basis, owner, added_owners, due_at, first_due_at,
			overdue_level,
				state, opened_at, opened_by, closed_by, line, taken_by)
			select ('01900000-0000-7000-9000-' || hex)::uuid, ('01900000-0000-7000-8000-' || hex)::uuid, 'RXX',
				'ask-the-person', '', 'team:t' || i % 10, '{}', at, at, 0, 'open', at, 'test', '',
				'{"IDs": {"person": "p"}}',
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
	listSteps(&e, p, f, nil, onPage, &mark{}, func(Step, schemas.StepAbout) {})
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
// 1.2 times what it takes with 1,000: what a line says of its journey stands with the step, and no journey is read.
// Where the whole table of 1,000 is fewer blocks than a page has lines, it is measured by a block for each line.
func TestTheWorkListTouchesAsMuchHoweverManyStepsAreOpen(t *testing.T) {
	t.Parallel()
	_, db, pool := started(t)
	p := navigatorOf("RXX")
	const fresh = 60 // opened since somebody read the list
	lists := map[string]func(read mark) stepFilter{
		"all":   func(mark) stepFilter { return stepFilter{} },
		"mine":  func(mark) stepFilter { return stepFilter{TakenBy: named(p)} },
		"team":  func(mark) stepFilter { return stepFilter{Owners: []string{"team:t1"}} },
		"today": func(mark) stepFilter { return stepFilter{Before: now.Add(10 * time.Minute)} },
		"new":   func(read mark) stepFilter { return stepFilter{Since: &read} },
	}
	blocks := func(from, last int) map[string]int {
		stockSteps(t, db, from, last-fresh)
		read := readAt(t, pool)
		stockSteps(t, db, last-fresh+1, last)
		of := map[string]int{}
		for name, filter := range lists {
			of[name] = blocksOf(t, pool, p, filter(read))
		}
		return of
	}
	few, many := blocks(1, 1000), blocks(1001, 100_000)
	for name := range lists {
		t.Logf("%s: %d blocks at 1,000, %d at 100,000", name, few[name], many[name])
		if many[name]*10 > max(few[name], onPage)*12 {
			t.Errorf("%s: %d blocks with 1,000 open steps, %d with 100,000", name, few[name], many[name])
		}
	}
}

// readAt is a list read now.
func readAt(t *testing.T, pool *pgxpool.Pool) (read mark) {
	t.Helper()
	batch := &pgx.Batch{}
	listSteps(batch, navigatorOf("RXX"), stepFilter{}, nil, 1, &read, func(Step, schemas.StepAbout) {})
	if err := pool.SendBatch(context.Background(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	return read
}

// deskPage is a list of steps, as it is answered.
type deskPage struct {
	Detail string
	Items  []stepListed
	ReadAt string
}

func (w *world) desk(query string) deskPage {
	w.t.Helper()
	got, status := ask[deskPage](w, "GET", "/api/steps?"+query, "")
	if status != 200 {
		w.t.Fatalf("%s: %d %+v", query, status, got)
	}
	return got
}

// since is how many have come to the list of a query since it was read.
func (w *world) since(read deskPage, query string) int {
	w.t.Helper()
	return len(w.desk(query + "&since=" + url.QueryEscape(read.ReadAt)).Items)
}

// opened opens a journey of somebody in a gap.
func (w *world) opened() {
	w.t.Helper()
	s := w.today(clock.NewID(w.c.Now()))
	s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v",
		LeftOn: s.on(0)})
	s.say(schemas.GapFound, schemas.GapFoundData{})
	mustApply(w.t, w.Service, w.pool, withIDs(s.events))
}

// TestTheListIsNarrowedToWhatSomebodyTookOnAndToWhatIsNew: by name as signed in, and by what has come since.
func TestTheListIsNarrowedToWhatSomebodyTookOnAndToWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.desk("")
	w.opened()
	got := w.desk("mine=true")
	if len(got.Items) != 1 || len(w.desk("taken=true").Items) != 0 {
		t.Fatalf("before anybody took anything on: %+v", got.Items)
	}
	if all, mine := w.since(before, ""), w.since(before, "mine=true"); all != 2 || mine != 1 {
		t.Errorf("%d are new, %d of a team", all, mine)
	}
	taken := w.desk("taken=true")
	if _, status := ask[any](w, "POST", "/api/steps/"+got.Items[0].Step+"/acknowledge",
		`{"owner":"`+someOwners.Navigator+`"}`); status != 200 {
		t.Fatal(status)
	}
	if len(w.desk("taken=true").Items) != 1 || w.since(taken, "taken=true") != 1 {
		t.Error("what somebody took on is not theirs")
	}
	if news := w.since(got, ""); news != 0 {
		t.Errorf("%d are new once they have been shown", news)
	}
	w.who.Subject = "another"
	if len(w.desk("taken=true").Items) != 0 {
		t.Error("what somebody took on is another's")
	}
	for _, since := range []string{"yesterday", "1:2", "2:1:", "0:1:", "1:3:2,2", "1:3:3", "1:3:a", "1:2:@now",
		"99999999999999999999:1:"} {
		if _, status := ask[any](w, "GET", "/api/steps?since="+url.QueryEscape(since), ""); status != 400 {
			t.Errorf("since %s is answered with %d", since, status)
		}
	}
}

// TestWhatIsOpenedBeforeAListIsReadAndCommittedAfterwardsIsNewToIt: two transactions end in another order than they
// began in, and the later one is read in between.
func TestWhatIsOpenedBeforeAListIsReadAndCommittedAfterwardsIsNewToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	late, err := w.db.Admin().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Rollback(ctx) }()
	if _, err := late.Exec(ctx, `insert into journey.step (id, about, organisation, kind, basis, owner, added_owners,
			due_at, first_due_at, overdue_level, state, opened_at, opened_by, closed_by)
		values ($1, 'late', 'RXX', 'read-the-message', '', $2, '{}', $3, $3, 0, 'open', $3, '', '')`,
		clock.NewID(w.c.Now()), someOwners.Navigator, w.c.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.opened()
	read := w.desk("")
	if news := w.since(read, ""); len(read.Items) != 2 || news != 0 {
		t.Fatalf("%d are shown and %d new", len(read.Items), news)
	}
	if err := late.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if all, mine := w.since(read, ""), w.since(read, "mine=true"); all != 1 || mine != 1 {
		t.Errorf("%d are new, %d of a team", all, mine)
	}
}

// TestWhatIsHandedOnIsNewToThoseItIsHandedTo, and to no list that showed it already.
func TestWhatIsHandedOnIsNewToThoseItIsHandedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opened()
	mine := w.desk("mine=true").Items[0].Step
	read := w.desk("")
	if _, status := ask[any](w, "POST", "/api/steps/"+mine+"/reassign", `{"owner":"team:other"}`); status != 200 {
		t.Fatal(status)
	}
	if to, all := w.since(read, "team=team:other"), w.since(read, ""); to != 1 || all != 0 {
		t.Errorf("%d are new to those it was handed to, %d to all", to, all)
	}
	deputy := "team=" + someOwners.Deputy
	read = w.desk(deputy)
	w.c.Set(5 * 24 * time.Hour)
	testkit.Eventually(t, "what is overdue is new to the deputy", func() bool { return w.since(read, deputy) > 0 })
	if all := w.since(read, ""); all != 0 {
		t.Errorf("%d are new to all once it is overdue", all)
	}
}

// TestWhatPassesItsTimeIsNewToAListOfWhatIsPast: nothing is written when it does.
func TestWhatPassesItsTimeIsNewToAListOfWhatIsPast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stockSteps(t, w.db, 1, 400) // one due each second from now on
	offset := time.Until(now.Add(100 * time.Second))
	w.c.Set(offset)
	past := w.desk("past=true&limit=200")
	if news := w.since(past, "past=true"); len(past.Items) < 100 || news != 0 {
		t.Fatalf("%d are past, %d new", len(past.Items), news)
	}
	w.c.Set(offset + 10*time.Second)
	if news := w.since(past, "past=true"); news < 10 || news > 15 {
		t.Errorf("%d of the next ten are new", news)
	}
}

// TestALineSaysOfItsJourneyWhatTheJourneyKnows: read with the step, or with its journey, each line of the list is the
// same after whatever changes it. Where somebody must not know, none is kept, whichever program says so.
func TestALineSaysOfItsJourneyWhatTheJourneyKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.today(clock.NewID(w.c.Now()))
	exec := func(sql string) {
		t.Helper()
		if _, err := w.db.Admin().Exec(context.Background(), `set search_path = journey; `+sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`create table kept (id uuid, line json)`)
	words := map[string]bool{}
	after := func(what string, without int, say func()) {
		t.Helper()
		from := len(s.events)
		say()
		mustApply(t, w.Service, w.pool, withIDs(s.events[from:]))
		n := count(t, w.db.Admin(), `select count(*) from journey.step where state = 'open' and line is null`)
		if n != without {
			t.Errorf("%s: %d open steps have no line", what, n)
		}
		with := w.desk("").Items
		exec(`insert into kept select id, line from step; update step set line = null`)
		if read := w.desk("").Items; !reflect.DeepEqual(read, with) {
			t.Errorf("%s: of its journey it says\n%+v\nand of itself\n%+v", what, read, with)
		}
		exec(`update step set line = k.line from kept k where k.id = step.id; delete from kept`)
		for _, one := range with {
			words[one.Words] = true
		}
	}
	ask := func(facts ...string) func() {
		return func() { s.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: facts}) }
	}
	after("it begins", 0, func() { s.discharge(schemas.FlagNumberInvalid) })
	after("a fact is asked for", 0, ask("age"))
	after("another is", 0, ask("age", "areaGP"))
	after("an offer is prepared", 0, func() { s.offer(false); s.sent() })
	after("it is accepted", 0, func() {
		s.say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: "o1", Partner: "pa"})
	})
	after("records are joined", 0, func() {
		s.say(schemas.PersonMerged, schemas.PersonMergedData{Person: "p", Other: "q"})
	})
	if !words["Ask for their age"] || !words["Ask for their age and GP area"] {
		t.Errorf("they say %q", slices.Sorted(maps.Keys(words)))
	}
	open := len(w.desk("").Items)
	after("somebody must not know", open, func() {
		s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{"RYY"}})
	})
	after("they may again", 0, func() {
		s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{}})
	})
	exec(`update journey set barred = '{RYY}'`)
	if n := count(t, w.db.Admin(), `select count(*) from journey.step where line is not null`); n != 0 {
		t.Errorf("%d lines are kept of a journey that another program kept somebody from", n)
	}
}

// TestWhatIsNewToATeamIsCountedAmongWhatIsNewToOthers: however many steps of others were opened before it since then.
func TestWhatIsNewToATeamIsCountedAmongWhatIsNewToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read := w.desk("")
	stockSteps(t, w.db, 1, 400)
	if news := w.since(read, "limit=200&team=team:t3"); news != 40 {
		t.Errorf("%d of 40 are new to the team", news)
	}
}
