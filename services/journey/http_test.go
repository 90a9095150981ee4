package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
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
)

// other is a service that holds things, as the sentinel sees it.
var other fs.FS = fstest.MapFS{"00001_other.sql": {Data: []byte(`-- +goose Up
create table thing (journey text not null, state text not null, since timestamptz not null);
create view held (journey, state, since) as select journey, state, since from thing
	union all select journey, 'dead-letter', since from dead_letter;
grant select on held to footbridge_sentinel;
`)}}

// world is journey running on a real database and a real broker, with the clock set to now.
type world struct {
	*Service
	t    *testing.T
	db   *testkit.DB
	pool *pgxpool.Pool
	conn *bus.Conn
	flow *flow.Flow
	c    *clock.Shifted
	// who is asking, as the next request says.
	mu  sync.Mutex
	who principal.Principal
	srv *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := testkit.Database(t, migrated(),
		pg.Service{Name: "other", Migrations: []pg.MigrationSet{{Name: "flow", FS: flow.Migrations()},
			{Name: "other", FS: other}}})
	w := &world{t: t, db: db, pool: db.Pool(Name), c: &clock.Shifted{}, who: navigatorOf("RXX")}
	var err error
	if w.Service, err = New(Config{Owners: someOwners}); err != nil {
		t.Fatal(err)
	}
	stream := bus.Stream{Name: "TEST_EVENTS", Subjects: []string{"footbridge.>"}, MaxAge: time.Hour, MaxBytes: -1}
	w.conn = testkit.Connect(t, bus.Config{URL: testkit.NATS(t).URL(), Name: Name})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	testkit.Keep(t, w.conn, stream, flow.Durable(stream.Name, Name, Subjects()))
	w.flow, err = flow.New(ctx, flow.Config{Service: Name, Pool: w.pool, Bus: w.conn, Stream: stream, Clock: w.c,
		Subjects: Subjects(), Handle: w.Handle, Due: w.Due()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.flow.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.serve()
	return w
}

func (w *world) serve() {
	mux := httpx.NewMux(httpx.Options{})
	mux.Use(principal.Require(func(*http.Request) (principal.Principal, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.who, nil
	}))
	if err := w.Routes(mux, w.flow, w.pool, w.c); err != nil {
		w.t.Fatal(err)
	}
	w.srv = httptest.NewServer(mux)
	w.t.Cleanup(w.srv.Close)
}

// as sets who is asking.
func (w *world) as(role schemas.Role, organisation, subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.who = principal.Principal{Organisation: organisation, Role: string(role), Subject: subject}
}

// ask sends a request and reads the answer into a T.
func ask[T any](w *world, method, path, body string, header ...string) (T, int) {
	w.t.Helper()
	var answer T
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.srv.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return answer, res.StatusCode
}

// publish puts events on the bus as their services would.
func (w *world) publish(events []flow.Event) {
	w.t.Helper()
	for _, e := range events {
		payload, err := flow.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.conn.JS.Publish(w.t.Context(), strings.TrimPrefix(e.Type, "care.")+"."+e.Subject,
			payload); err != nil {
			w.t.Fatal(err)
		}
	}
}

// eventually waits until the count is as wanted.
func (w *world) eventually(want int, sql string, args ...any) {
	w.t.Helper()
	deadline, tick := time.After(testkit.Patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for got := -1; got != want; got = count(w.t, w.pool, sql, args...) {
		select {
		case <-deadline:
			w.t.Fatalf("%s: still %d, want %d", sql, got, want)
		case <-tick.C:
		}
	}
}

// today is a teller whose events happen now.
func (w *world) today(journey string) *teller {
	return tellerFrom(journey, w.c.Now().Add(-time.Hour))
}

type listAnswer struct {
	Items []journeyListed `json:"items"`
	Next  *string         `json:"next"`
}

func TestEventsOnTheBusBecomeAJourneyThatCanBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey := w.today(clock.NewID(w.c.Now()))
	journey.discharge()
	journey.consent(true, "follow-up")
	journey.offer(false)
	w.publish(reversed(withIDs(journey.events)))
	w.eventually(3, `select count(*) from timeline_entry`)
	got, status := ask[journeyShown](w, "GET", "/api/journeys/"+journey.journey, "")
	if status != 200 || len(got.Steps) != 1 || got.Steps[0].Kind != stepTellPartner ||
		!slices.Equal(got.Steps[0].May, []string{"reassign", "acknowledge"}) {
		t.Fatalf("got %d %+v", status, got)
	}
	var types []string
	for _, l := range got.Timeline {
		types = append(types, l.Type)
		if l.Sentence == "" || l.Sentence == l.Type {
			t.Errorf("%s has no sentence", l.Type)
		}
	}
	if want := []string{string(schemas.DischargeRecorded), string(schemas.ConsentGiven),
		string(schemas.OfferRaised)}; !slices.Equal(types, want) {
		t.Errorf("the timeline is not in the order things happened: %v", types)
	}
}

func TestWhoMaySeeAJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, stub := w.today(clock.NewID(w.c.Now())), w.today(clock.NewID(w.c.Now()))
	journey.discharge()
	stub.offer(false)
	mustApply(t, w.Service, w.pool, append(withIDs(journey.events), withIDs(stub.events)...))
	for name, tc := range map[string]struct {
		role                      schemas.Role
		organisation, subject     string
		listStatus, listed        int
		journeyStatus, stubStatus int
		reason                    string
	}{
		"the sending team":                {schemas.SendingTeam, "RXX", "s", 200, 1, 200, 404, ""},
		"another hospital's":              {schemas.SendingTeam, "RYY", "s", 200, 0, 404, 404, ""},
		"the navigator":                   {schemas.Navigator, "RXX", "s", 200, 2, 200, 200, ""},
		"a navigator elsewhere":           {schemas.Navigator, "RYY", "s", 200, 1, 404, 200, ""},
		"a young people's clinician":      {schemas.YoungPeoplesClinician, "RXX", "s", 200, 1, 200, 404, ""},
		"an operator":                     {schemas.Operator, "ops", "s", 200, 2, 200, 200, ""},
		"the person":                      {schemas.Person, "x", "p", 403, 0, 200, 404, ""},
		"somebody else":                   {schemas.Person, "x", "q", 403, 0, 404, 404, ""},
		"treating staff without a reason": {schemas.TreatingStaff, "RXX", "s", 403, 0, 403, 404, ""},
		"treating staff who state why": {schemas.TreatingStaff, "RXX", "s", 403, 0, 200, 404,
			"treating them now"},
		"treating staff elsewhere": {schemas.TreatingStaff, "RYY", "s", 403, 0, 404, 404, "x"},
		"treating staff elsewhere who state why": {schemas.TreatingStaff, "RYY", "s", 403, 0, 200, 404,
			"on our ward tonight"},
		"a partner":      {schemas.Partner, "RXX", "s", 403, 0, 403, 403, ""},
		"a commissioner": {schemas.Commissioner, "RXX", "s", 403, 0, 403, 403, ""},
	} {
		w.as(tc.role, tc.organisation, tc.subject)
		list, status := ask[listAnswer](w, "GET", "/api/journeys", "")
		if status != tc.listStatus || len(list.Items) != tc.listed {
			t.Errorf("%s: list gives %d with %d journeys", name, status, len(list.Items))
		}
		for id, want := range map[string]int{journey.journey: tc.journeyStatus, stub.journey: tc.stubStatus} {
			if _, status := ask[any](w, "GET", "/api/journeys/"+id, "", schemas.ReasonHeader,
				tc.reason); status != want {
				t.Errorf("%s: %d, want %d", name, status, want)
			}
		}
	}
	if got := count(t, w.pool, `select count(*) from timeline_entry where type = 'journey.seen'
		and details = '{"reason": "treating them now"}'`); got != 1 {
		t.Errorf("%d looks are in the timeline", got)
	}
	if got := count(t, w.pool, `select count(*) from timeline_entry where type = 'journey.seen-elsewhere'
		and details->>'organisation' = 'RYY'`); got != 1 {
		t.Errorf("%d looks from elsewhere are told in the timeline", got)
	}
	w.as(schemas.TreatingStaff, "RXX", "s")
	if _, status := ask[any](w, "GET", "/api/journeys/"+journey.journey+"?reason=treating-them-now",
		""); status != 400 {
		t.Errorf("a reason in the URL: %d", status)
	}
	w.as(schemas.Navigator, "RXX", "s")
	if _, status := ask[any](w, "GET", "/api/journeys/not-an-id", ""); status != 404 {
		t.Errorf("an id that is none: %d", status)
	}
}

func TestTheListIsByTheTimePromisedAndPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var events []flow.Event
	for i := range 25 {
		journey := w.today(clock.NewID(w.c.Now()))
		journey.at = journey.at.AddDate(0, 0, -(i*7)%11)
		journey.discharge()
		events = append(events, withIDs(journey.events)...)
	}
	mustApply(t, w.Service, w.pool, events)
	var all []journeyListed
	cursor := ""
	for pages := 1; ; pages++ {
		page, status := ask[listAnswer](w, "GET", "/api/journeys?limit=10"+cursor, "")
		if status != 200 || pages > 3 {
			t.Fatalf("page %d: %d", pages, status)
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			break
		}
		cursor = "&cursor=" + *page.Next
	}
	ids := map[string]bool{}
	for i, j := range all {
		ids[j.Journey] = true
		if i > 0 && j.Next.DueAt.Before(all[i-1].Next.DueAt) {
			t.Error("the list is not by the time promised")
		}
	}
	if len(all) != 25 || len(ids) != 25 {
		t.Errorf("%d rows, %d journeys", len(all), len(ids))
	}
	void, _ := ask[listAnswer](w, "GET", "/api/journeys?void=true&limit=500", "")
	if want := count(t, w.pool, `select count(*) from step where state = 'open' and due_at < $1`,
		w.c.Now().Add(-grace)); len(void.Items) != want || want == 0 {
		t.Errorf("%d journeys in the void, want %d", len(void.Items), want)
	}
	for _, bad := range []string{"?limit=0", "?cursor=xyz", "?cursor=" + httpx.EncodeCursor("no time", "no id")} {
		if _, status := ask[any](w, "GET", "/api/journeys"+bad, ""); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

type stepsAnswer struct {
	Journey string      `json:"journey"`
	Steps   []stepShown `json:"steps"`
}

// oneJourney applies a discharge and returns its only step.
func (w *world) oneJourney() (journey, step string) {
	w.t.Helper()
	s := w.today(clock.NewID(w.c.Now()))
	s.discharge()
	mustApply(w.t, w.Service, w.pool, withIDs(s.events))
	shown, _ := ask[journeyShown](w, "GET", "/api/journeys/"+s.journey, "")
	return s.journey, shown.Steps[0].Step
}

func TestDoingTheLastStepAsksWhatNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.today(clock.NewID(w.c.Now()))
	s.discharge("left-before-assessment")
	s.consent(false, "follow-up")
	mustApply(t, w.Service, w.pool, withIDs(s.events))
	before, _ := ask[journeyShown](w, "GET", "/api/journeys/"+s.journey, "")
	for range 2 { // doing it twice is doing it once
		got, status := ask[stepsAnswer](w, "POST", "/api/steps/"+before.Steps[0].Step+"/done", `{"found": "put-right"}`)
		if status != 200 || len(got.Steps) != 2 {
			t.Fatalf("got %d %+v", status, got)
		}
	}
	shown, _ := ask[journeyShown](w, "GET", "/api/journeys/"+s.journey, "")
	if len(shown.Steps) != 1 || shown.Steps[0].Kind != stepWhatNext || shown.Steps[0].Owner != "navigator:duty" ||
		!shown.Steps[0].DueAt.After(w.c.Now()) {
		t.Fatalf("got %+v", shown.Steps)
	}
	if last := shown.Timeline[len(shown.Timeline)-1]; last.Type != lineDone || last.Sentence != lines[lineDone] {
		t.Errorf("got %+v", last)
	}
	due := w.c.Now().Add(72 * time.Hour).UTC().Format(time.RFC3339)
	next := `{"next": {"kind": "ring-back", "owner": "team:liaison", "dueAt": "` + due + `"}}`
	for body, want := range map[string]int{"": 422, `{"found": "put-right"}`: 422,
		strings.Replace(next, "ring-back", "clinician-decides", 1): 422} {
		if _, status := ask[any](w, "POST", "/api/steps/"+shown.Steps[0].Step+"/done", body); status != want {
			t.Errorf("what comes next was asked and %q was answered: %d", body, status)
		}
	}
	if _, status := ask[any](w, "POST", "/api/steps/"+shown.Steps[0].Step+"/done", next); status != 200 {
		t.Fatalf("got %d", status)
	}
	shown, _ = ask[journeyShown](w, "GET", "/api/journeys/"+s.journey, "")
	if len(shown.Steps) != 1 || shown.Steps[0].Kind != "ring-back" ||
		shown.Steps[0].DueAt.UTC().Format(time.RFC3339) != due {
		t.Errorf("got %+v", shown.Steps)
	}
}

func TestStepsAreHandedOnAndTakenOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, step := w.oneJourney()
	path := "/api/steps/" + step
	for i, tc := range []struct {
		team, path, body, owner string
		also                    []string
		status                  int
	}{
		{"team:crisis", "/acknowledge", `{"owner": "team:crisis"}`, "", nil, 409}, // nobody has handed it to them
		{"", "/acknowledge", `{"owner": "team:liaison"}`, "", nil, 403},           // a navigator, for the liaison team
		{"", "/reassign", `{"owner": "team:crisis"}`, "team:liaison", []string{"team:crisis"}, 200},
		{"", "/reassign", `{"owner": "team:crisis"}`, "team:liaison", []string{"team:crisis"}, 200},
		{"", "/reassign", `{"owner": "Mrs Someone"}`, "", nil, 422},
		{"", "/reassign", `{"who": "team:crisis"}`, "", nil, 400},
		{"", "/acknowledge", `{"owner": "team:crisis"}`, "", nil, 403}, // for them
		{"", "/reassign", `{"owner": "navigator:deputy"}`, "team:liaison", []string{"team:crisis", "navigator:deputy"},
			200},
		{"", "/acknowledge", `{"owner": "navigator:deputy"}`, "", nil, 403}, // in the deputy's name
		{"team:crisis", "/acknowledge", `{"owner": "team:crisis"}`, "team:crisis", []string{"navigator:deputy"}, 200},
		{"navigator:deputy", "/acknowledge", `{"owner": "navigator:deputy"}`, "navigator:deputy", nil, 200},
		{"", "/reassign", `{"owner": "team:crisis"}`, "navigator:deputy", []string{"team:crisis"}, 200},
		{"team:crisis", "/acknowledge", `{"owner": "team:crisis"}`, "team:crisis", nil, 200},
	} {
		w.as(schemas.Navigator, "RXX", "n")
		w.who.Team = tc.team
		got, status := ask[stepsAnswer](w, "POST", path+tc.path, tc.body)
		if status != tc.status || status == 200 &&
			(got.Steps[0].Owner != tc.owner || !slices.Equal(got.Steps[0].AlsoOwners, tc.also)) {
			t.Errorf("%d: got %d %+v", i, status, got)
		}
	}
	if got := count(t, w.pool, `select count(*) from step where owner = 'team:crisis' and acknowledged_at is not null
		and state = 'open'`); got != 1 {
		t.Error("it is not stored that the step was taken on")
	}
	w.as(schemas.SendingTeam, "RYY", "s")
	if _, status := ask[any](w, "POST", path+"/done", ""); status != 404 {
		t.Errorf("another hospital's team: %d", status)
	}
	w.as(schemas.Partner, "RXX", "s")
	if _, status := ask[any](w, "POST", path+"/done", ""); status != 403 {
		t.Errorf("a partner: %d", status)
	}
}

func TestARepeatedRequestIsAnsweredAsBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, step := w.oneJourney()
	first, _ := ask[stepsAnswer](w, "POST", "/api/steps/"+step+"/reassign", `{"owner": "team:a"}`, "Idempotency-Key",
		"k1")
	if _, status := ask[stepsAnswer](w, "POST", "/api/steps/"+step+"/reassign", `{"owner": "team:b"}`,
		"Idempotency-Key", "k2"); status != 200 {
		t.Fatal(status)
	}
	again, status := ask[stepsAnswer](w, "POST", "/api/steps/"+step+"/reassign", `{"owner": "team:a"}`,
		"Idempotency-Key", "k1")
	if status != 200 || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("got %d %+v, before %+v", status, again, first)
	}
	if _, status := ask[any](w, "POST", "/api/steps/"+step+"/reassign", `{"owner": "team:c"}`, "Idempotency-Key",
		"k1"); status != 409 {
		t.Errorf("the same key with another body: %d", status)
	}
}

// An organisation that the person said must not know finds nothing by any route, whatever it states; the journey's own
// organisation goes on looking after it, and what comes late does not outrun what was said last.
func TestAnOrganisationThatMustNotKnowFindsNoJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.today(clock.NewID(w.c.Now()))
	s.discharge()
	first := s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{"RYY", "RXX"}})
	mustApply(t, w.Service, w.pool, withIDs(s.events))
	routes := func(organisation string, roles []schemas.Role, want int) {
		t.Helper()
		for _, role := range roles {
			w.as(role, organisation, "s")
			if _, status := ask[any](w, "GET", "/api/journeys/"+s.journey, "", schemas.ReasonHeader,
				"on our ward tonight"); status != want {
				t.Errorf("%s of %s: %d, want %d", role, organisation, status, want)
			}
		}
	}
	elsewhere := []schemas.Role{schemas.TreatingStaff, schemas.SendingTeam, schemas.Navigator}
	routes("RYY", elsewhere, 404)
	routes("RZZ", []schemas.Role{schemas.TreatingStaff}, 200)
	routes("RXX", []schemas.Role{schemas.TreatingStaff, schemas.SendingTeam, schemas.Navigator, schemas.Operator}, 200)
	if n := count(t, w.pool, `select count(*) from timeline_entry where details->>'organisation' = 'RYY'`); n != 0 {
		t.Errorf("%d lines name who was refused", n)
	}
	w.as(schemas.Person, "self", "p")
	if _, status := ask[any](w, "GET", "/api/journeys/"+s.journey, ""); status != 200 {
		t.Errorf("the person: %d", status)
	}
	s.events = nil
	s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{Needs: true}) // speaks of other things
	mustApply(t, w.Service, w.pool, withIDs(s.events))
	routes("RYY", elsewhere[:1], 404)
	s.events = nil
	// more than a list may hold
	s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{schemas.Everybody}})
	mustApply(t, w.Service, w.pool, withIDs(s.events))
	routes("RZZ", []schemas.Role{schemas.TreatingStaff}, 404)
	routes("RXX", []schemas.Role{schemas.TreatingStaff, schemas.SendingTeam, schemas.Navigator, schemas.Operator}, 200)
	s.events = nil
	s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{}})
	mustApply(t, w.Service, w.pool, append(withIDs(s.events), withIDs([]flow.Event{first})...))
	routes("RYY", elsewhere[:1], 200)
}

// Who acted is whoever was signed in: a nurse neither ends nor takes on what is the young people's clinician's, and a
// team or post that a body names is kept beside who named it.
func TestWhatIsAnothersIsNotDoneInTheirName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.today(clock.NewID(w.c.Now()))
	s.discharge(schemas.FlagUnder18)
	mustApply(t, w.Service, w.pool, withIDs(s.events))
	stepOf := func() stepShown {
		shown, _ := ask[journeyShown](w, "GET", "/api/journeys/"+s.journey, "")
		i := slices.IndexFunc(shown.Steps, func(one stepShown) bool { return one.Kind == stepClinician })
		return shown.Steps[i]
	}
	try := func(role schemas.Role, what, body string, want int) {
		t.Helper()
		w.as(role, "RXX", string(role)+"-1")
		if _, status := ask[any](w, "POST", "/api/steps/"+stepOf().Step+what, body); status != want {
			t.Errorf("%s %s %s: %d, want %d", role, what, body, status, want)
		}
	}
	const young = `{"owner": "team:young-people"}`
	for _, role := range []schemas.Role{schemas.SendingTeam, schemas.Navigator} {
		w.as(role, "RXX", "s")
		if one := stepOf(); !slices.Equal(one.May, []string{"reassign"}) || one.TakeOn != nil || len(one.Actions) > 0 {
			t.Errorf("%s may %v as %v, %v", role, one.May, one.TakeOn, one.Actions)
		}
		try(role, "/done", "", 409)
		try(role, "/no-answer", "", 409)
		try(role, "/acknowledge", young, 403)
	}
	try(schemas.YoungPeoplesClinician, "/done", "", 409)
	try(schemas.YoungPeoplesClinician, "/acknowledge", young, 200)
	try(schemas.YoungPeoplesClinician, "/reassign", `{"owner": "navigator:duty"}`, 200)
	try(schemas.Navigator, "/acknowledge", `{"owner": "navigator:duty"}`, 200)
	try(schemas.YoungPeoplesClinician, "/reassign", `{"owner": "team:liaison"}`, 403)
	for _, kept := range []command{{What: commandTaken, Owner: "team:young-people",
		By: "young-peoples-clinician@RXX/young-peoples-clinician-1"},
		{What: "handed-on", Owner: "navigator:duty", By: "young-peoples-clinician@RXX/young-peoples-clinician-1"},
		{What: commandTaken, Owner: "navigator:duty", By: "navigator@RXX/navigator-1"}} {
		if n := count(t, w.pool, `select count(*) from hand where what = $1 and owner = $2 and done_by = $3`, kept.What,
			kept.Owner, kept.By); n != 1 {
			t.Errorf("%d rows of %+v", n, kept)
		}
	}
}

func TestAMessagesStepIsNotDoneHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := w.today(clock.NewID(w.c.Now()))
	message.say(schemas.MessageQuarantined, schemas.MessageQuarantinedData{Organisation: "RXX", DueAt: w.c.Now()})
	mustApply(t, w.Service, w.pool, withIDs(message.events))
	step := stepIDs(t, w.pool, stepReadMessage)[0]
	if _, status := ask[any](w, "POST", "/api/steps/"+step+"/done", ""); status != 409 {
		t.Errorf("got %d", status)
	}
}

// TestTwoClientsClosingAStepEachLeaveNoJourneyWithoutOne: 3,000 journeys with two open steps each; two clients close
// one each, at once, journey by journey.
func TestTwoClientsClosingAStepEachLeaveNoJourneyWithoutOne(t *testing.T) {
	t.Parallel()
	const journeys = 3000
	w := newWorld(t)
	firsts, seconds := twoStepJourneys(t, w.Service, w.pool, journeys)
	if len(firsts) != journeys || len(seconds) != journeys {
		t.Fatalf("%d and %d steps", len(firsts), len(seconds))
	}
	var wg sync.WaitGroup
	for _, steps := range [][]string{firsts, seconds} {
		for lane := range 2 { // both clients go through the journeys in the same order, two requests under way each
			wg.Go(func() {
				for i := lane; i < journeys; i += 2 {
					if _, status := ask[any](w, "POST", "/api/steps/"+steps[i]+"/done",
						`{"found": "put-right", "heard": "duty-worker"}`); status != 200 {
						t.Errorf("closing a step: %d", status)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if got := count(t, w.pool, openWithoutStep); got != 0 {
		t.Errorf("%d of %d journeys are open without a step", got, journeys)
	}
	if done := count(t, w.pool, `select count(*) from step where state = 'done'`); done != 2*journeys {
		t.Errorf("%d steps were done, want %d", done, 2*journeys)
	}
	if asked := count(t, w.pool,
		`select count(*) from step where state = 'open' and kind = 'what-next'`); asked != journeys {
		t.Errorf("%d navigators' questions, want %d", asked, journeys)
	}
}

func reversed(events []flow.Event) []flow.Event {
	events = slices.Clone(events)
	slices.Reverse(events)
	return events
}
