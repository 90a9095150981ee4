package threshold

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

const aJourney = "0193a000-0000-7000-8000-000000000001"

// world is threshold on a real database, with a real broker to give its events to. Events and what falls due are
// given to it one transaction at a time, so that a test need not wait.
type world struct {
	*Evaluator
	t      *testing.T
	pool   *pgxpool.Pool
	stream bus.Stream
	conn   *bus.Conn
	flow   *flow.Flow
	now    *set
	who    principal.Principal
	srv    *httptest.Server
	said   int
}

// set is a clock that stands until it is set.
type set struct{ at time.Time }

func (s *set) Now() time.Time { return s.at }

// Machine says that the machine's own clock is right: this one is set by the test.
func (s *set) Machine() time.Time { return clock.Real().Now() }

func migrated() pg.Service {
	return pg.Service{Name: Name, Migrations: []pg.MigrationSet{
		{Name: "flow", FS: flow.Migrations()}, {Name: Name, FS: Migrations()}}}
}

func newWorld(t *testing.T, directory *criteria.Directory) *world {
	t.Helper()
	w := &world{t: t, now: &set{time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)},
		who: principal.Principal{Organisation: "RXX", Role: "sending-team", Subject: "nurse-of-the-test"}}
	w.pool = testkit.Database(t, migrated()).Pool(Name)
	w.stream = bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	w.conn = testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: Name})
	if _, err := w.conn.EnsureStream(t.Context(), w.stream); err != nil {
		t.Fatal(err)
	}
	var err error
	w.flow, err = flow.New(context.WithoutCancel(t.Context()), flow.Config{Service: Name, Pool: w.pool, Bus: w.conn,
		Stream: w.stream, Clock: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.run(directory)
	return w
}

// run starts threshold with a set of criteria, as a process that starts does.
func (w *world) run(directory *criteria.Directory) {
	w.t.Helper()
	var err error
	if w.Evaluator, err = New(w.t.Context(), Config{Pool: w.pool, Directory: directory, Now: w.now.at,
		Organisation: "RXX"}); err != nil {
		w.t.Fatal(err)
	}
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(*http.Request) (principal.Principal, error) { return w.who, nil }))
	if err := w.Routes(mux, w.flow, w.pool, w.now); err != nil {
		w.t.Fatal(err)
	}
	w.srv = httptest.NewServer(mux)
	w.t.Cleanup(w.srv.Close)
}

// apply gives an event to threshold, as the bus would.
func (w *world) apply(journey string, typ schemas.Type, data any) {
	w.t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.said++
	e := flow.Event{ID: clock.NewID(w.now.at), Source: "/footbridge/intake", Type: string(typ), Subject: journey,
		Correlation: clock.NewID(w.now.at),
		Sequence:    flow.FormatSequence(int64(w.said)), Time: w.now.at, Data: text}
	w.do(func(tx *flow.Tx) error {
		decide := w.Handle(tx, []flow.Event{e})
		if err := tx.Flush(); err != nil {
			return err
		}
		return decide([]flow.Event{e})
	})
}

func (w *world) do(fn func(tx *flow.Tx) error) {
	w.t.Helper()
	if err := w.flow.Do(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// due runs what falls due until nothing is left, so many rows at a time, and returns how many it took.
func (w *world) due(name string, limit int) (all int) {
	w.t.Helper()
	i := slices.IndexFunc(w.Due(), func(d flow.Due) bool { return d.Name == name })
	for {
		var taken int
		w.do(func(tx *flow.Tx) (err error) {
			taken, err = w.Due()[i].Run(w.t.Context(), tx, limit)
			return err
		})
		all += taken
		if taken < limit {
			return all
		}
	}
}

func (w *world) discharge(journey string, facts schemas.Facts) {
	w.t.Helper()
	w.apply(journey, schemas.DischargeRecorded,
		schemas.DischargeRecordedData{Person: "7f5748fb-0689-439a-80ca-e142572741d5", Organisation: "RXX",
			Visit: "v", LeftOn: w.now.at.Format(time.DateOnly), Facts: facts})
}

// ask sends a request; header holds names and values by turns.
func (w *world) ask(method, path, body string, header ...string) (answer map[string]any, status int) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.srv.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		w.t.Fatalf("%s %s: %d %s: %v", method, path, res.StatusCode, text, err)
	}
	return answer, res.StatusCode
}

func (w *world) must(method, path, body string, header ...string) map[string]any {
	w.t.Helper()
	answer, status := w.ask(method, path, body, header...)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// events are those given out so far of a type, as they went out.
func (w *world) events(typ schemas.Type) []string {
	w.t.Helper()
	return column[string](w, `select payload from outbox where subject like $1 order by writer, n`,
		strings.TrimPrefix(string(typ), "care.")+".%")
}

func column[T any](w *world, sql string, args ...any) []T {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

const (
	tooMuch = "We do not offer appointments while somebody self-harms as often as this; please ask the community " +
		"team."
	notEnough = "Our team is for people who need several professionals together, and this request is not for us."
)

func TestTheTorbayPersonsAnswersAreOneGapWithBothSentences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	if n := len(w.events(schemas.GapFound)); n != 0 {
		t.Fatalf("%d gaps before anybody said no", n)
	}
	path := "/api/journeys/" + aJourney
	w.must("POST", path+"/asked", `{"service": "talking-therapies"}`)
	w.must("POST", path+"/answered",
		`{"service": "talking-therapies", "answer": "no", "reason": "too-high", "side": "above", "answeredBy": "duty-worker", "words": "`+tooMuch+`"}`)
	w.must("POST", path+"/asked", `{"service": "community-team"}`)
	answer := w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "24", "side": "below", "answeredBy": "coordinator", "words": "`+notEnough+`"}`)
	if answer["gap"] != true || answer["door"] != "not-open" {
		t.Errorf("answered %v", answer)
	}
	if gaps := w.events(schemas.GapFound); len(gaps) != 1 {
		t.Errorf("%d gaps: %v", len(gaps), gaps)
	}
	for _, said := range append(w.events(schemas.GapFound), w.events(schemas.PathwayDecided)...) {
		if strings.Contains(said, tooMuch) || strings.Contains(said, notEnough) || strings.Contains(said, "words") {
			t.Errorf("an event carries what the decision has: %s", said)
		}
	}
	doors := w.must("GET", path+"/doors", "")
	gap := doors["gap"].(map[string]any)
	if sides := fmt.Sprint(gap["sides"]); !strings.Contains(sides, tooMuch) || !strings.Contains(sides, notEnough) {
		t.Errorf("the doors do not show both sentences: %s", sides)
	}
	if gap["probable"] != nil || len(gap["sides"].([]any)) != 2 || len(doors["tried"].([]any)) != 2 {
		t.Errorf("the doors show %v, tried %v", gap, doors["tried"])
	}
}

func TestNothingThatLeavesNamesWhoRecordedOrSaysAServicesWordsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	w.must("POST", "/api/journeys/"+aJourney+"/asked", `{"service": "community-team"}`)
	w.must("POST", "/api/journeys/"+aJourney+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "24", "side": "below", "answeredBy": "coordinator", "words": "`+notEnough+`"}`)
	for _, payload := range column[string](w, `select payload from outbox`) {
		if strings.Contains(payload, w.who.Subject) {
			t.Errorf("staff are named: %s", payload)
		}
	}
	answered := w.events(schemas.ServiceAnswered)
	if len(answered) != 1 || strings.Contains(answered[0], notEnough) ||
		!strings.Contains(answered[0], `"by":"sending-team"`) {
		t.Errorf("got %v", answered)
	}
	if kept := column[string](w, `select recorded_by from answered where words = $1`, notEnough); len(kept) != 1 ||
		!strings.Contains(kept[0], w.who.Subject) {
		t.Errorf("who recorded it is kept as %v", kept)
	}
	for _, typ := range []schemas.Type{schemas.ServiceAsked, schemas.ServiceAnswered, schemas.PathwayDecided} {
		schema := schemas.SchemaJSON(typ)
		if schema == nil || len(w.events(typ)) == 0 {
			t.Errorf("%s has no schema, or was not said", typ)
		}
	}
}

func TestARequestSentTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	path, body := "/api/journeys/"+aJourney+"/answered",
		`{"service": "community-team", "answer": "waiting", "answeredBy": "team"}`
	first := w.must("POST", path, body, "Idempotency-Key", "k1")
	again := w.must("POST", path, body, "Idempotency-Key", "k1")
	if fmt.Sprint(first) != fmt.Sprint(again) || len(w.events(schemas.ServiceAnswered)) != 1 {
		t.Errorf("first %v, again %v, said %d times", first, again, len(w.events(schemas.ServiceAnswered)))
	}
	if _, status := w.ask("POST", path, strings.Replace(body, "waiting", "yes", 1), "Idempotency-Key",
		"k1"); status != http.StatusConflict {
		t.Errorf("the same key with another body: %d", status)
	}
	decided := w.events(schemas.PathwayDecided)
	if !strings.Contains(decided[len(decided)-1], `"waits":["community-team"]`) {
		t.Error("being on a list is not said")
	}
}

func TestAServiceThatWasTriedNeedsAChangeOrAConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	path := "/api/journeys/" + aJourney
	asked := `{"service": "community-team"}`
	answer := w.must("POST", path+"/asked", asked)
	if by := fmt.Sprint(answer["answerBy"]); !strings.HasPrefix(by, "2026-11-24T17:00") {
		t.Errorf("from a Friday, an answer is hoped for by %s", by)
	}
	expect := func(status int, what string) {
		t.Helper()
		if _, got := w.ask("POST", path+"/asked", asked); got != status {
			t.Errorf("%s: %d, want %d", what, got, status)
		}
	}
	expect(http.StatusConflict, "asked while its answer is not due")
	w.now.at = w.now.at.AddDate(0, 0, 5)
	expect(http.StatusOK, "asked after silence")
	w.must("POST", path+"/answered", `{"service": "community-team", "answer": "no-reply"}`)
	expect(http.StatusOK, "asked after no reply was recorded")
	w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "23", "answeredBy": "team"}`)
	expect(http.StatusConflict, "asked after a no, nothing changed")
	asked = `{"service": "community-team", "spoken": true}`
	expect(http.StatusOK, "asked after a conversation")
	w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "23", "answeredBy": "team"}`)
	facts := northerner()
	facts.AreaGP = new("area-south")
	w.apply(aJourney, schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: facts})
	asked = `{"service": "community-team"}`
	expect(http.StatusOK, "asked after a fact its criteria read has changed")
	if asked := w.events(schemas.ServiceAsked); len(asked) != 5 || !strings.Contains(asked[4], `"again":true`) ||
		strings.Contains(asked[0], `"again"`) {
		t.Errorf("said %v", asked)
	}
}

func TestAYesOpensADoorAndAHumanOutranksEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	path := "/api/journeys/" + aJourney
	if a := w.must("POST", path+"/answered",
		`{"service": "talking-therapies", "answer": "yes", "answeredBy": "clinician"}`); a["door"] != "open" {
		t.Errorf("after a yes: %v", a)
	}
	if a := w.must("POST", path+"/override",
		`{"service": "talking-therapies", "door": "not-open", "reason": "the-person-said-no"}`); a["door"] != "not-open" {
		t.Errorf("after a decision of a human: %v", a)
	}
	if a := w.must("POST", path+"/override",
		`{"service": "young-people", "door": "open", "reason": "agreed-with-the-service"}`); a["door"] != "open" {
		t.Errorf("after another: %v", a)
	}
	a, status := w.ask("POST", path+"/override",
		`{"service": "young-people", "door": "open", "reason": "She is lovely"}`)
	if status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(a["detail"]), "clinical-decision") {
		t.Errorf("free text as a reason: %d %v", status, a)
	}
}

func TestOnlyStaffOfTheJourneysOrganisationRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	body := `{"service": "community-team", "answer": "yes", "answeredBy": "team"}`
	for name, tc := range map[string]struct {
		who    principal.Principal
		status int
	}{
		"another hospital's team": {principal.Principal{Organisation: "RYY", Role: "sending-team", Subject: "n"},
			http.StatusNotFound},
		"a partner": {principal.Principal{Organisation: "RXX", Role: "partner", Subject: "n"},
			http.StatusForbidden},
		"an operator": {principal.Principal{Organisation: "RXX", Role: "operator", Subject: "n"},
			http.StatusForbidden},
		"the navigator": {principal.Principal{Organisation: "RXX", Role: "navigator", Subject: "n"},
			http.StatusOK},
	} {
		w.who = tc.who
		if _, status := w.ask("POST", "/api/journeys/"+aJourney+"/answered", body); status != tc.status {
			t.Errorf("%s: %d, want %d", name, status, tc.status)
		}
	}
	w.who.Role, w.who.Organisation = "navigator", "RXX"
	if _, status := w.ask("POST", "/api/journeys/0193a000-0000-7000-8000-00000000dead/answered",
		body); status != http.StatusNotFound {
		t.Errorf("a journey there is not: %d", status)
	}
}

func TestWordsThatCouldIdentifySomebodyAreRefused(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"Call him on 01632 960101.", "NHS 999 123 4567", "999-123-4567", "Born 12/03/1985",
		"born 12 March 1985", "lives at TQ1 1AA",
		"write to a@b.example", "see https://x.example", "Mrs Jones is not for us", "Dr. Patel said so",
		"J. K. is known", strings.Repeat("x", mostKept+1), "bell\x07"} {
		if wordsFault(words) == "" {
			t.Errorf("taken: %q", words)
		}
	}
	for _, words := range []string{"", tooMuch, notEnough, "We see people aged 18 to 64 within 28 days.",
		"About 6 weeks after the last time.", "In 2026 we take 12 a month.",
		"“Too much for us”, 18-64 only."} {
		if why := wordsFault(words); why != "" {
			t.Errorf("refused: %q: %s", words, why)
		}
	}
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	a, status := w.ask("POST", "/api/journeys/"+aJourney+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "23", "answeredBy": "team", "words": "Ring Mrs Jones"}`)
	if status != http.StatusUnprocessableEntity || strings.Contains(fmt.Sprint(a), "Jones") {
		t.Errorf("got %d %v", status, a)
	}
	if kept := column[int](w, `select count(*)::int from answered`); kept[0] != 0 {
		t.Error("it was kept all the same")
	}
}

func TestWhatPeopleWereToldIsHeldAgainstWhatIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	a := w.must("POST", "/api/services/talking-therapies/told",
		`{"criterion": "last-four-weeks", "told": "gp", "words": "Six weeks without any of it.", "days": 42, "didNotRefer": true}`)
	if fmt.Sprint(a["differsIn"]) != "[length]" {
		t.Errorf("answered %v", a)
	}
	items := w.must("GET", "/api/thresholds/told", "")["items"].([]any)
	if len(items) != 2 {
		t.Fatalf("%d discrepancies, want length and scope", len(items))
	}
	if length := items[0].(map[string]any); length["in"] != "length" || length["reports"] != 2.0 ||
		length["didNotRefer"] != 2.0 {
		t.Errorf("got %v", length)
	}
	if _, status := w.ask("POST", "/api/services/talking-therapies/told",
		`{"criterion": "no-such", "told": "gp", "words": "x"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("about no criterion: %d", status)
	}
	if _, status := w.ask("POST", "/api/services/no-such/told", `{}`); status != http.StatusNotFound {
		t.Errorf("about no service: %d", status)
	}
}

func TestALineThatReachesNobodyIsSaidOnceAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	path, body := "/api/services/talking-therapies/dead-line", `{"line": "01632 960101"}`
	w.who.Role = "partner"
	if a := w.must("POST", path, body); a["state"] != "reported" || !strings.HasPrefix(fmt.Sprint(a["dueAt"]),
		"2026-11-23T17:00") {
		t.Errorf("answered %v", a)
	}
	if a := w.must("POST", path, body); a["state"] != "reported-before" {
		t.Errorf("answered %v", a)
	}
	if _, status := w.ask("POST", path, `{"line": "ask for Jane"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("what is not published: %d", status)
	}
	shown := fmt.Sprint(w.must("GET", "/api/services", "")["items"])
	if !strings.Contains(shown, "deadLines:[map[dueAt:2026-11-23T17:00:00Z line:01632 960101 reportedOn:2026-11-20]]") {
		t.Error("the directory does not show it")
	}
	mended := `{"line": "01632 960101", "mended": true}`
	if _, status := w.ask("POST", path, mended); status != http.StatusForbidden {
		t.Errorf("a partner mends: %d", status)
	}
	w.who.Role = "navigator"
	w.must("POST", path, mended)
	if _, status := w.ask("POST", path, mended); status != http.StatusNotFound {
		t.Errorf("mended again: %d", status)
	}
	reported, done := w.events(schemas.ServiceLineReported), w.events(schemas.ServiceLineMended)
	if len(reported) != 1 || len(done) != 1 || strings.Contains(reported[0], "960101") {
		t.Errorf("said %v, %v", reported, done)
	}
}

// adults is a set with one statutory service from an age on, its sentence, and the last resort.
func adults(t *testing.T, from int, words string, change func(*criteria.Document)) *criteria.Directory {
	t.Helper()
	doc := service("adults", criteria.Statutory)
	doc.Ages = &criteria.Ages{From: &from, Words: words}
	if change != nil {
		change(&doc)
	}
	return compiledSet(t, lastResort(), doc)
}

func (w *world) door(journey, service string) (door, words string) {
	w.t.Helper()
	for _, item := range w.must("GET", "/api/journeys/"+journey+"/doors", "")["items"].([]any) {
		if d := item.(map[string]any); d["service"] == service {
			return d["door"].(string), fmt.Sprint(d["because"])
		}
	}
	w.t.Fatalf("no door of %s", service)
	return "", ""
}

func TestOtherCriteriaOpenDoorsAndCloseNoneAndOldDecisionsKeepTheirWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 20, "We are for people of 20 and over.", nil))
	journeys := []string{aJourney, strings.Replace(aJourney, "1", "2", 1), strings.Replace(aJourney, "1", "3", 1)}
	slices.Sort(journeys)
	for i, age := range []int{19, 40, 30} {
		w.discharge(journeys[i], schemas.Facts{Age: &age})
	}
	before := len(w.events(schemas.PathwayDecided))
	narrower := adults(t, 35, "From now on we are for people of 35 and over.", nil)
	w.now.at = w.now.at.Add(time.Hour)
	w.run(narrower)
	if taken := w.due("criteria-have-changed", 2); taken != 3 {
		t.Errorf("%d journeys were looked at anew", taken)
	}
	for i, want := range []string{"not-open", "open", "open"} { // nobody lost a door
		if door, _ := w.door(journeys[i], "adults"); door != want {
			t.Errorf("journey %d: %s, want %s", i, door, want)
		}
	}
	if _, words := w.door(journeys[0], "adults"); !strings.Contains(words, "We are for people of 20 and over.") {
		t.Errorf("the decision made before shows other words: %s", words)
	}
	if n := len(w.events(schemas.PathwayDecided)); n != before {
		t.Errorf("%d decisions were said though nothing changed", n-before)
	}
	w.now.at = w.now.at.Add(time.Hour)
	w.run(adults(t, 18, "We are for people of 18 and over.", nil))
	w.due("criteria-have-changed", 2)
	if door, _ := w.door(journeys[0], "adults"); door != "open" {
		t.Errorf("the door of 18 and over is %s to somebody of 19", door)
	}
	if n := len(w.events(schemas.PathwayDecided)); n != before+1 {
		t.Errorf("%d decisions were said, want one", n-before)
	}
	old := column[string](w, `select matrix::text from decision where journey = $1 order by decided_at, id`,
		journeys[0])
	if len(old) != 2 || !strings.Contains(old[0], "We are for people of 20 and over.") ||
		strings.Contains(old[0], "18 and over") {
		t.Errorf("decisions kept: %v", old)
	}
	if done := column[int64](w, `select looked_at from running where done_at is not null`); len(done) != 1 ||
		done[0] != 3 {
		t.Errorf("progress %v", done)
	}
	w.run(adults(t, 18, "We are for people of 18 and over.", nil))
	if taken := w.due("criteria-have-changed", 2); taken != 0 {
		t.Errorf("a restart with the same criteria looked at %d journeys", taken)
	}
}

// TestADecisionKeepsWhatWasFoundAndItsDirectoryTheWords is about size: the words of what stood in nobody's way are kept
// once for each version of the directory, and not with each decision.
func TestADecisionKeepsWhatWasFoundAndItsDirectoryTheWords(t *testing.T) {
	t.Parallel()
	set := adults(t, 20, "We are for people of 20 and over.", nil)
	w := newWorld(t, set)
	w.discharge(aJourney, schemas.Facts{Age: new(30)})
	var all struct {
		Matrix []map[string]any `json:"matrix"`
	}
	text := column[string](w, `select matrix::text from decision where journey = $1`, aJourney)[0]
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	for _, row := range all.Matrix {
		if _, ok := set.Criterion(row["service"].(string), row["criterion"].(string)); !ok || len(row) != 3 ||
			row["finding"] == "" {
			t.Errorf("the row %v does not name what was found of a criterion, and that alone", row)
		}
	}
	if len(all.Matrix) == 0 || strings.Contains(text, "20 and over") {
		t.Errorf("kept is %s", text)
	}
	content := column[string](w, `select content from decision join directory_version on hash = directory
		where journey = $1`, aJourney)
	if len(content) != 1 || !strings.Contains(content[0], "We are for people of 20 and over.") {
		t.Errorf("the version of the directory says %v", content)
	}
}

func TestADayThatComesOpensADoorOnceAndNotBefore(t *testing.T) {
	t.Parallel()
	directory := adults(t, 18, "For adults.", func(doc *criteria.Document) {
		c := include("pilot", "carer")
		c.ValidUntil = "2026-11-22"
		doc.Criteria = append(doc.Criteria, c)
	})
	w := newWorld(t, directory)
	w.discharge(aJourney, schemas.Facts{Age: new(30), Carer: new(false)})
	w.now.at = time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	if taken := w.due("a-day-has-come", 10); taken != 0 {
		t.Errorf("looked at %d before the day", taken)
	}
	w.now.at = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if taken := w.due("a-day-has-come", 10); taken != 1 {
		t.Errorf("looked at %d on the day", taken)
	}
	if door, _ := w.door(aJourney, "adults"); door != "open" {
		t.Errorf("the door is %s though the criterion has lapsed", door)
	}
	if taken := w.due("a-day-has-come", 10); taken != 0 || len(w.events(schemas.PathwayDecided)) != 2 {
		t.Errorf("looked at %d again, said %d", taken, len(w.events(schemas.PathwayDecided)))
	}
}

func TestHowOftenFactsTurnARuleIsToldInNumbersThatLeadToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	journey := func(n int) string { return fmt.Sprintf("0193a000-0000-7000-8000-0000000001%02d", n) }
	turn := func(n int, typ schemas.Type) {
		w.discharge(journey(n), schemas.Facts{Age: new(17)})
		w.now.at = w.now.at.Add(time.Minute)
		if typ == schemas.InformationSupplied {
			w.apply(journey(n), typ, schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(18)}})
		} else {
			w.apply(journey(n), typ, schemas.DischargeCorrectedData{Visit: "v", Facts: &schemas.Facts{Age: new(18)}})
		}
	}
	w.who.Role = "operator"
	path := "/api/thresholds/turned?service=adults&criterion=ages"
	said := func() string { return fmt.Sprint(w.must("GET", path, "")) }
	for n := range 4 {
		turn(n, schemas.DischargeCorrected)
	}
	if got := said(); strings.Contains(got, "4") || strings.Count(got, "fewer than 5") != 4 ||
		strings.Contains(got, "0193a000") {
		t.Errorf("of four it is said: %s", got)
	}
	for n := 4; n < 10; n++ {
		turn(n, schemas.InformationSupplied)
	}
	if got := said(); !strings.Contains(got, "way:recorded") || !strings.Contains(got, "journeys:6 way:recorded") ||
		!strings.Contains(got, "journeys:fewer than 5 way:message") || strings.Contains(got, "journeys:10") {
		t.Errorf("of six and four it is said: %s", got)
	}
	turn(10, schemas.DischargeCorrected)
	if got := said(); !strings.Contains(got, "journeys:11") || !strings.Contains(got, "journeys:5 way:message") {
		t.Errorf("of six and five it is said: %s", got)
	}
	for path, want := range map[string]int{"/api/thresholds/turned?criterion=nothing": http.StatusNotFound,
		"/api/thresholds/turned": http.StatusNotFound, path: http.StatusOK} {
		if _, status := w.ask("GET", path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	w.who.Role, w.who.Organisation = "navigator", "RYY"
	if got := said(); strings.Contains(got, "11") || !strings.Contains(got, "turned:[]") {
		t.Errorf("another organisation is told %s", got)
	}
	w.who.Role = "sending-team"
	if _, status := w.ask("GET", path, ""); status != http.StatusForbidden {
		t.Errorf("a sending team: %d", status)
	}
}

func TestABirthdayThatIsForeseenIsANearDateForStaff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.apply(aJourney, schemas.DischargeRecorded,
		schemas.DischargeRecordedData{Person: "7f5748fb-0689-439a-80ca-e142572741d5", Organisation: "RXX", Visit: "v",
			LeftOn: "2026-11-01", Facts: schemas.Facts{Age: new(17)}})
	near := func() string { return fmt.Sprint(w.must("GET", "/api/journeys/"+aJourney+"/doors", "")["near"]) }
	if got := near(); got != "<nil>" {
		t.Errorf("near %s, though nothing is foreseen", got)
	}
	w.apply(aJourney, schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v",
		Facts: &schemas.Facts{AgeRisesOn: new("2026-11-23")}})
	if got := near(); !strings.Contains(got, "2026-11-23") || !strings.Contains(got, "adults") {
		t.Errorf("near %s", got)
	}
	if door, _ := w.door(aJourney, "adults"); door != "not-open" {
		t.Errorf("before the day the door is %s", door)
	}
	w.now.at = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	w.due("a-day-has-come", 10)
	if door, _ := w.door(aJourney, "adults"); door != "open" {
		t.Errorf("on the day the door is %s", door)
	}
	w.apply(aJourney, schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v",
		Facts: &schemas.Facts{Age: new(18)}, Retracted: []string{"ageRisesOn"}})
	if door, _ := w.door(aJourney, "adults"); door != "open" || near() != "<nil>" {
		t.Errorf("once it is known the door is %s, near %s", door, near())
	}
}

// TestABadRowStopsNoOtherJourneyOnItsDay runs the loop as flow does: the batch fails and names the row that does not
// decode.
func TestABadRowStopsNoOtherJourneyOnItsDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", func(*criteria.Document) {}))
	w.discharge(aJourney, schemas.Facts{Age: new(30)})
	other := clock.NewID(w.now.at)
	w.discharge(other, schemas.Facts{Age: new(30)})
	bad := `update journey_state set due_at = '2020-01-01', known = case when journey = $1 then '[]'::jsonb else known
		end`
	if _, err := w.pool.Exec(t.Context(), bad, aJourney); err != nil {
		t.Fatal(err)
	}
	looked := make(chan int, 8)
	due := w.Due()[0]
	run := due.Run
	due.Run = func(ctx context.Context, tx *flow.Tx, limit int) (int, error) {
		taken, err := run(ctx, tx, limit)
		if taken > 0 {
			tx.AfterCommit(func() { looked <- taken })
		}
		return taken, err
	}
	f, err := flow.New(t.Context(), flow.Config{Service: Name, Pool: w.pool, Bus: w.conn, Stream: w.stream,
		Clock: w.now, Due: []flow.Due{due}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case taken := <-looked:
		if taken != 1 {
			t.Errorf("looked at %d, want the one beside the bad row", taken)
		}
	case <-time.After(testkit.Patience):
		t.Error("the bad row stops the other")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAClosedJourneyIsNotLookedAtAndAReopenedOneIsWhateverCameFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.discharge(aJourney, schemas.Facts{})
	w.apply(aJourney, schemas.JourneyClosed, schemas.JourneyClosedData{})
	w.apply(aJourney, schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(30)}})
	if said := w.events(schemas.PathwayDecided); len(said) != 1 {
		t.Errorf("a closed journey was decided about %d times", len(said))
	}
	body := `{"service": "adults"}`
	if answer, status := w.ask("POST", "/api/journeys/"+aJourney+"/asked", body); status != 409 ||
		!strings.Contains(answer["detail"].(string), "/reopen") {
		t.Errorf("a service was asked for a closed journey: %d %v", status, answer)
	}
	w.said += 2 // the closing that comes next is older than the reopening
	w.apply(aJourney, schemas.JourneyReopened, schemas.JourneyReopenedData{ReopenedOn: "2026-12-20"})
	w.said -= 2
	w.apply(aJourney, schemas.JourneyClosed, schemas.JourneyClosedData{})
	if door, _ := w.door(aJourney, "adults"); door != "open" {
		t.Errorf("reopened, with the age known meanwhile: %s", door)
	}
	windows := column[string](w, `select situation::jsonb->'window'->>'lastDay' from decision`)
	if !slices.Contains(windows, "2027-01-03") {
		t.Errorf("the window does not count from the reopening: it ends on %v", windows)
	}
}

func TestFactsThatArriveOpenDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adults(t, 18, "For adults.", nil))
	w.discharge(aJourney, schemas.Facts{})
	if door, _ := w.door(aJourney, "adults"); door != "open-if" || len(w.events(schemas.InformationNeeded)) != 1 {
		t.Errorf("with nothing known: %s", door)
	}
	w.apply(aJourney, schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(30)}})
	if door, _ := w.door(aJourney, "adults"); door != "open" {
		t.Errorf("with the age known: %s", door)
	}
}

func TestAWhatIfReplaysPastDecisionsAndWritesNothing(t *testing.T) {
	t.Parallel()
	running := adults(t, 20, "20 and over.", nil)
	w := newWorld(t, running)
	w.discharge(aJourney, schemas.Facts{Age: new(19)})
	everything := func() string {
		var all []string
		for _, table := range []string{"decision", "journey_state", "outbox", "directory_version", "running"} {
			all = append(all, fmt.Sprint(column[string](w, `select coalesce(string_agg(t::text, ''
				order by t::text), '') from `+table+` t`)))
		}
		return strings.Join(all, "\n")
	}
	before := everything()
	same := w.must("POST", "/api/thresholds/what-if", string(running.Canonical()))
	if same["replayed"] != 1.0 || same["changed"] != nil || same["gapCloses"] != 0.0 {
		t.Errorf("against itself: %v", same)
	}
	draft := adults(t, 18, "18 and over.", nil)
	other := w.must("POST", "/api/thresholds/what-if?since=2026-11-01", string(draft.Canonical()))
	if fmt.Sprint(other["opened"]) != "map[adults:1]" || other["gapCloses"] != 1.0 {
		t.Errorf("under the draft: %v", other)
	}
	if later := w.must("POST", "/api/thresholds/what-if?since=2026-12-01",
		string(draft.Canonical())); later["replayed"] != 0.0 {
		t.Errorf("since a later day: %v", later)
	}
	if _, status := w.ask("POST", "/api/thresholds/what-if", `[]`); status != http.StatusUnprocessableEntity {
		t.Errorf("a set without a last resort: %d", status)
	}
	for _, damaged := range []string{"18\\u0000", "18\\ufffd", "18\xc3"} {
		if _, status := w.ask("POST", "/api/thresholds/what-if",
			strings.Replace(string(draft.Canonical()), "18 and over", damaged+" and over",
				1)); status != http.StatusUnprocessableEntity {
			t.Errorf("a draft with %q: %d", damaged, status)
		}
	}
	if everything() != before {
		t.Error("a what-if wrote something")
	}
	w.who = principal.Principal{Organisation: "RYY", Role: "sending-team", Subject: "n"}
	if theirs := w.must("POST", "/api/thresholds/what-if", string(draft.Canonical())); theirs["replayed"] != 0.0 {
		t.Errorf("another organisation replays %v", theirs["replayed"])
	}
	if found := w.must("POST", "/api/thresholds/gaps", `{}`); found["complete"] != true ||
		len(found["regions"].([]any)) == 0 {
		t.Errorf("the gap finder over HTTP: %v", found)
	}
}

func TestANoNamesItsReasonByACode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	path := "/api/journeys/" + aJourney + "/answered"
	for _, reason := range []string{"", `"reason": "full", `, `"reason": "2", `} {
		a, status := w.ask("POST", path, `{"service": "talking-therapies", "answer": "no", `+reason+
			`"answeredBy": "team"}`)
		if detail := fmt.Sprint(a["detail"]); status != http.StatusUnprocessableEntity ||
			!strings.Contains(detail, "22 (it is full)") || !strings.Contains(detail, "waiting-list-closed") {
			t.Errorf("with %q: %d, %s", reason, status, detail)
		}
	}
	for _, body := range []string{`"answer": "yes", "reason": "22"`, `"answer": "waiting", "reason": "22"`,
		`"answer": "no", "reason": "too-high", "side": "below"`} {
		if _, status := w.ask("POST", path, `{"service": "talking-therapies", "answeredBy": "team", `+body+
			`}`); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", body, status)
		}
	}
	for _, code := range schemas.Values("decline-reason") {
		if criteria.DeclineWords(code) == "" {
			t.Errorf("the reason %q has no words", code)
		}
		w.must("POST", path, `{"service": "talking-therapies", "answer": "no", "reason": "`+code+
			`", "answeredBy": "team"}`)
	}
	if kept := column[string](w, `select reason from answered order by recorded_at, id`); len(kept) != len(
		schemas.Values("decline-reason")) {
		t.Errorf("kept are %v", kept)
	}
}

func TestANoThatAServiceAgreedNotToGiveClosesNoDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	w.discharge(aJourney, northerner())
	path := "/api/journeys/" + aJourney
	before := w.must("POST", path+"/asked", `{"service": "community-team"}`)
	w.must("POST", path+"/answered",
		`{"service": "talking-therapies", "answer": "no", "reason": "22", "answeredBy": "team"}`)
	full := w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "22", "side": "", "answeredBy": "team"}`)
	if full["questioned"] != true || full["door"] != before["door"] || full["gap"] != false {
		t.Errorf("full, though it agreed never to decline for that: %v; before: %v", full, before)
	}
	if said := w.events(schemas.ServiceAnswered); strings.Contains(said[0], `"questioned"`) ||
		!strings.Contains(said[1], `"questioned":true`) || !strings.Contains(said[1], `"reason":"22"`) {
		t.Errorf("said %v", said)
	}
	w.must("POST", path+"/asked", `{"service": "community-team"}`) // it is asked about that without more ado
	other := w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "24", "answeredBy": "team"}`)
	if other["questioned"] != nil || other["door"] != "not-open" {
		t.Errorf("for another reason: %v", other)
	}
	again := w.must("POST", path+"/answered",
		`{"service": "community-team", "answer": "no", "reason": "31", "answeredBy": "team"}`)
	if again["door"] != "not-open" {
		t.Errorf("a questioned no took back the one before: %v", again)
	}
}
