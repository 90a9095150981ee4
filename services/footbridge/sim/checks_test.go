package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
	"footbridge/schemas"
	"footbridge/services/journey"
)

// planted is a system in which something stands that must never be, so that a check is seen to find it.
type planted struct {
	answers map[string]string // by path, without its query; what is not there is 404
	news    []flow.Event
}

func (p *planted) Ask(_ context.Context, _ Who, r Request) (Answer, error) {
	path, _, _ := strings.Cut(r.Path, "?")
	if text, found := p.answers[path]; found {
		return Answer{Status: http.StatusOK, Body: []byte(text)}, nil
	}
	return Answer{Status: http.StatusNotFound}, nil
}
func (p *planted) MLLP() string                            { return "" }
func (p *planted) MoveTo(context.Context, time.Time) error { return nil }
func (p *planted) Settle(context.Context) error            { return nil }
func (p *planted) Taken(context.Context) error             { return nil }
func (p *planted) Follow(ctx context.Context, _ Who, _, last string, take func(id string, event []byte)) error {
	if last == "" {
		take("1", []byte(`{"id":"a"}`))
		take("2", []byte(`{"id":"b"}`))
		return nil // it ended, and is followed again from there
	}
	take("2", []byte(`{"id":"b"}`))
	<-ctx.Done()
	return nil
}
func (p *planted) News() []flow.Event {
	news := p.news
	p.news = nil
	return news
}

const aJourney = "01a10eb9-7e80-730e-a742-16705815ae92"

// among is a run, at 12 o'clock of a Tuesday, of a system in which things are planted.
func among(t *testing.T, p *planted) *run {
	t.Helper()
	s := scenario(t, 30, 5, 1)
	cfg := Config{System: p, Scenario: s, Organisation: "RXX"}
	for _, one := range s.Partners {
		cfg.Partners = append(cfg.Partners, KnownPartner{ID: "id-" + one.ID, Service: one.ID, Name: one.Name})
	}
	r, err := newRun(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.now = (s.first + 1).At(12, 0, r.zone)
	return r
}

// says has an event published of the journey.
func (p *planted) says(t *testing.T, kind schemas.Type, data any) {
	t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	p.news = append(p.news, flow.Event{ID: "e", Type: string(kind), Subject: aJourney, Data: text})
}

// finds sees that exactly one fault was found, of the journey, and that it says what it is.
func finds(t *testing.T, r *run, words string) {
	t.Helper()
	if len(r.report.Faults) != 1 || !strings.Contains(r.report.Faults[0].What, words) ||
		r.report.Faults[0].Journey != aJourney {
		t.Errorf("%q is planted, and it found %+v", words, r.report.Faults)
	}
	r.report.Faults = nil
}

func findsNothing(t *testing.T, r *run) {
	t.Helper()
	if len(r.report.Faults) > 0 {
		t.Errorf("nothing is planted, and it found %+v", r.report.Faults)
	}
	r.report.Faults = nil
}

func TestTheCheckOfTheVoidCountsEachAndFindsWhoHasNoAddedOwner(t *testing.T) {
	t.Parallel()
	p := &planted{answers: map[string]string{"/api/journeys": `{"items":[{"journey":"` + aJourney + `"}]}`}}
	r := among(t, p)
	due := r.now.Add(-grace)
	passes := func(d time.Duration, added ...string) {
		r.now = r.now.Add(d)
		r.judge([]listedJourney{{Journey: aJourney, State: "open", Next: &step{Kind: "session",
			Owner: "partner:id-north-peers", AlsoOwners: added, DueAt: due}}})
	}
	passes(0, "navigator:duty")
	findsNothing(t, r) // it has just passed
	passes(time.Hour, "navigator:duty")
	findsNothing(t, r) // it may have been opened since the sentinel looked
	passes(0, "navigator:duty")
	findsNothing(t, r)
	passes(time.Hour, "navigator:duty")
	finds(t, r, "the sentinel has not said so")
	p.says(t, schemas.JourneyInVoid, schemas.JourneyInVoidData{Reason: "overdue"})
	r.mustObserve(t)
	passes(time.Hour, "navigator:duty")
	findsNothing(t, r)
	p.says(t, schemas.JourneyInVoid, schemas.JourneyInVoidData{Reason: "differs"})
	r.mustObserve(t)
	finds(t, r, "the sentinel found a journey in the void: differs")
	if r.report.Void != 1 || r.report.VoidNow["session of partner:north-peers"] != 1 {
		t.Errorf("the void is %d, %v", r.report.Void, r.report.VoidNow)
	}
	passes(0)
	finds(t, r, "nobody was added to it")
	if err := r.void(t.Context()); err != nil {
		t.Fatal(err)
	}
	findsNothing(t, r)
	r.judge(nil)
	if err := r.void(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.report.Faults) != 1 || !strings.Contains(r.report.Faults[0].What, "the list shows 1 journeys") {
		t.Errorf("the list shows one that is not there, and it found %+v", r.report.Faults)
	}
}

func TestTheChecksOfContactsFindEachThatWasNotAllowed(t *testing.T) {
	t.Parallel()
	p := &planted{}
	r := among(t, p)
	f := r.follow(aJourney)
	yes, no := true, false
	rung := func(hour int, calls *bool) {
		r.now, f.calls = (r.cfg.Scenario.first+1).At(hour, 0, r.zone), calls
		r.rung(f)
	}
	rung(10, &yes)
	rung(18, &yes)
	findsNothing(t, r)
	for _, said := range []*bool{nil, &no} {
		rung(12, said)
		finds(t, r, "has not said yes to calls")
	}
	for _, hour := range []int{0, 3, 9, 19, 23} {
		rung(hour, &yes)
		finds(t, r, "may be from 10 to 19 o'clock")
	}
	f.fromHour, f.toHour = 13, 16
	rung(13, &yes)
	findsNothing(t, r)
	for _, hour := range []int{12, 16} {
		rung(hour, &yes)
		finds(t, r, "may be from 13 to 16 o'clock")
	}
	for hour, words := range map[int]string{9: "a call is planned for", 10: "", 18: "", 19: "a call is planned for"} {
		p.says(t, schemas.CallScheduled, schemas.CallScheduledData{Call: "c",
			DueAt: (r.cfg.Scenario.first + 2).At(hour, 0, r.zone)})
		r.mustObserve(t)
		if words == "" {
			findsNothing(t, r)
			continue
		}
		finds(t, r, words)
	}
	for _, said := range []*bool{nil, &no, &yes} {
		f.session = said
		p.says(t, schemas.OfferSent, struct{}{})
		r.mustObserve(t)
		if said == &yes {
			findsNothing(t, r)
			continue
		}
		finds(t, r, "has not said yes")
	}
}

func (r *run) mustObserve(t *testing.T) {
	t.Helper()
	if err := r.observe(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheChecksOfIdentityFindEachThatWasReadWithoutAGrant(t *testing.T) {
	t.Parallel()
	p := &planted{answers: map[string]string{"/api/journeys/" + aJourney + "/identity": "{}"}}
	r := among(t, p)
	f, one := r.follow(aJourney), r.partners[0]
	reads := func(o offer) {
		o.Offer = "o"
		if err := one.reads(t.Context(), o, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"accepted", "booked", "kept", "not-kept"} {
		reads(offer{State: state})
	}
	findsNothing(t, r)
	for _, state := range []string{"raised", "sent", "acknowledged", "waiting", "declined", "passed-on", "withdrawn",
		"handed-back"} {
		reads(offer{State: state})
		finds(t, r, "of an offer that is "+state)
	}
	reads(offer{State: "booked", Stop: true})
	finds(t, r, "of an offer that is booked")
	reads(offer{State: "completed"})
	reads(offer{State: "passed-on"}) // it may by the one that it has completed
	findsNothing(t, r)
	r.now = r.now.AddDate(0, 0, 16)
	one.asked = map[string]bool{}
	reads(offer{State: "completed"})
	finds(t, r, "of an offer that is completed")

	f.partners = []string{one.id}
	looks := func() {
		for day := range 60 {
			r.now = (r.cfg.Scenario.first + calendar.Day(day)).At(12, 0, r.zone)
			if err := one.pries(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	looks()
	findsNothing(t, r)
	f.partners, one.pried = nil, 0
	looks()
	if n := len(r.report.Faults); n == 0 || !strings.Contains(r.report.Faults[0].What, "never asked about") {
		t.Errorf("it could read whom it was never asked about, and found %+v", r.report.Faults)
	}
}

// TestTheChecksByTheDatabaseFindWhatIsPlanted: a journey without a step, and lost windows that nobody held or told of.
func TestTheChecksByTheDatabaseFindWhatIsPlanted(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: journey.Name, Migrations: []pg.MigrationSet{
		{Name: "flow", FS: flow.Migrations()}, {Name: journey.Name, FS: journey.Migrations()}}})
	p := &planted{answers: map[string]string{"/api/journeys": `{"items":[]}`}}
	r := among(t, p)
	r.cfg.Database = db.Admin()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.Admin().Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	first := r.cfg.Scenario.first
	steps := 0
	step := func(kind, owner string, opened calendar.Day) {
		steps++
		exec(`insert into journey.step (id, journey, organisation, kind, basis, owner, added_owners, due_at,
			first_due_at,
			overdue_level, state, opened_at, opened_by, closed_by)
			values (gen_random_uuid(), $1, 'RXX', $2, '', $3, '{}', $4, $4, 0, 'open', $4, '', '')`, aJourney, kind,
			owner,
			opened.At(12, 0, r.zone))
	}
	exec(`alter table journey.journey drop constraint open_journey_has_a_step`)
	exec(`insert into journey.journey (id, organisation, person, state, version, known, correlation, arrived_at)
		values ($1, 'RXX', '', 'open', 1, '{}', '', now())`, aJourney)
	if err := r.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	finds(t, r, "an open journey has no next step")
	step("partner-answers", "partner:x", first)
	if err := r.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	findsNothing(t, r)
	exec(`update journey.journey set holding_step = (select id from journey.step), holding_due = (select due_at
		from journey.step)`)
	if err := r.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	finds(t, r, "nobody was added to it")
	if r.report.Void != 1 || r.report.VoidNow["partner-answers of partner:x"] != 1 {
		t.Errorf("the void is %d, %v", r.report.Void, r.report.VoidNow)
	}

	yes := true
	f := r.follow(aJourney)
	p.says(t, schemas.DischargeRecorded, map[string]string{"leftOn": first.String()})
	r.mustObserve(t)
	last := first + promised
	lost := func(day calendar.Day) int {
		r.report.WindowsLost = 0
		if err := r.windows(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		return r.report.WindowsLost
	}
	if n := lost(last); n != 0 {
		t.Errorf("who wants no session has lost %d windows", n)
	}
	f.session = &yes
	if n := lost(last-1) + lost(last+1); n != 0 {
		t.Errorf("%d windows were lost on other days than their last", n)
	}
	if n := lost(last); n != 1 || len(r.report.Faults) != 2 {
		t.Errorf("a lost window is planted that nobody held or told of: %d were lost, %+v", n, r.report.Faults)
	}
	r.report.Faults = nil
	step("tell-the-person", "team:liaison", first+13)
	if n := lost(last); n != 1 {
		t.Errorf("%d windows were lost", n)
	}
	finds(t, r, "no navigator had a step")
	step("late-follow-up", "navigator:duty", last+1)
	lost(last)
	finds(t, r, "no navigator had a step") // the day after is too late
	step("late-follow-up", "navigator:duty", first+9)
	if n := lost(last); n != 1 {
		t.Errorf("a window that a navigator holds is lost all the same: %d", n)
	}
	findsNothing(t, r)

	for _, c := range []struct {
		on   calendar.Day
		lost int
	}{{last, 0}, {last + 1, 1}} {
		p.says(t, schemas.AppointmentBooked, map[string]string{"on": c.on.String()})
		r.mustObserve(t)
		if n := lost(last); n != c.lost {
			t.Errorf("with a session on %s %d windows were lost", c.on, n)
		}
	}
	p.says(t, schemas.AppointmentBooked, map[string]string{"on": last.String()})
	p.says(t, schemas.OfferHandedBack, struct{}{})
	r.mustObserve(t)
	if n := lost(last); n != 1 {
		t.Errorf("a session that was handed back keeps a window: %d were lost", n)
	}
	if steps != 4 {
		t.Errorf("%d steps were planted", steps)
	}
}
