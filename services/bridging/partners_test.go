package bridging

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/ics"
	"footbridge/schemas"
)

// stands lets bridging know how a partner stands, as followup says it; sequence rises with each time.
func (d *desk) stands(sequence int64, p schemas.PartnerChangedData) {
	d.t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		d.t.Fatal(err)
	}
	d.apply(flow.Event{Type: string(schemas.PartnerChanged), Subject: p.Partner, Correlation: "first",
		Sequence: flow.FormatSequence(sequence), Time: d.c.Now(), Data: text})
}

// agreed is a partner with an agreement from yesterday until some days from now, for whose organisation sending is on.
func (d *desk) agreed(days int) schemas.PartnerChangedData {
	today := calendar.DayOf(d.c.Now(), d.zone)
	return schemas.PartnerChangedData{Partner: clock.NewRandomID(), AgreementFrom: (today - 1).String(),
		AgreementUntil: (today + calendar.Day(days)).String(), Live: []string{"RXX"}}
}

// answered says on a journey that the person said yes to calls by an organisation alone.
func (d *desk) answered(journey, organisation string) {
	d.t.Helper()
	s := &teller{said: map[string]int64{"intake": 20}}
	s.say("intake", schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}})
	s.say("intake", schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging},
		Organisation: organisation})
	for i := range s.events {
		s.events[i].Subject, s.events[i].Time = journey, d.c.Now()
	}
	d.apply(s.events...)
}

// planNow is how a journey's plan stands, and the team of the call ahead of it.
func (d *desk) planNow(journey string) (state, because, team, call string, due time.Time) {
	d.t.Helper()
	if err := d.pool.QueryRow(d.t.Context(), `select p.state, p.because, coalesce(c.team, ''),
			coalesce(c.id::text, ''), coalesce(c.due_at, 'epoch') from plan p
			left join call c on c.plan = p.id and c.ended_at is null
			where p.journey = $1 and p.ended_at is null`, journey).Scan(&state, &because, &team, &call,
		&due); err != nil {
		d.t.Fatal(err)
	}
	return state, because, team, call, due
}

func (d *desk) listed() int {
	d.t.Helper()
	got, status, text := do[struct{ Items []callShown }](d, "GET", "/api/calls?due=2027-12-31", "")
	if status != http.StatusOK {
		d.t.Fatalf("%d %s", status, text)
	}
	return len(got.Items)
}

// A partner rings under its agreement and not a day longer: then its callers have no list, no call, no calendar and no
// reminder, and the calls are made by the journey's own team, which is reminded.
func TestAPartnerRingsUnderItsAgreementAndNotADayLonger(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	partner := d.agreed(40)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.as(schemas.Navigator, "RXX", "navigator")
	if _, status, text := do[planShown](d, "POST", "/api/journeys/"+journey+"/plan",
		`{"team":"`+partner.Partner+`"}`); status != http.StatusOK {
		t.Fatal(status, text)
	}
	_, _, team, call, due := d.planNow(journey)
	if team != partner.Partner {
		t.Fatalf("the partner's call is %s's", team)
	}
	d.keeps("nurse", anyHour(p, "nurse"))
	d.as(schemas.Caller, partner.Partner, "peer")
	if _, status, text := do[callerShown](d, "PUT", "/api/callers/me", anyHour(p, "peer")); status != http.StatusOK {
		t.Fatal(status, text)
	}
	made, status, text := do[ics.Made](d, "POST", "/api/callers/me/calendar", "")
	if status != http.StatusCreated {
		t.Fatal(status, text)
	}
	calendarIs := func(want int) {
		t.Helper()
		defer d.as(schemas.Caller, partner.Partner, "peer")
		if status, _ := d.fetch(made.URL[strings.Index(made.URL, "/api/"):]); status != want {
			t.Errorf("its calendar answers %d, want %d", status, want)
		}
	}
	calendarIs(http.StatusOK)
	if d.listed() != 1 {
		t.Error("the partner does not list its call")
	}
	// the agreement is ended early, the day before the call
	d.at(due.Add(-25 * time.Hour))
	partner.AgreementUntil = (calendar.DayOf(d.c.Now(), d.zone) - 1).String()
	d.stands(3, partner)
	d.stands(2, d.like(partner, 300)) // older news, later
	calendarIs(http.StatusNotFound)
	if d.listed() != 0 {
		t.Error("it lists a call after its agreement")
	}
	for _, path := range []string{"/claim", ""} {
		method := map[string]string{"": "GET", "/claim": "POST"}[path]
		if _, status, _ := do[any](d, method, "/api/calls/"+call+path, ""); status != http.StatusNotFound {
			t.Errorf("%s%s: %d", method, path, status)
		}
	}
	d.due("partners")
	state, _, team, same, _ := d.planNow(journey)
	if state != string(Active) || team != "RXX" || same != call {
		t.Errorf("the call %s is %s's, of a plan that is %s", same, team, state)
	}
	d.as(schemas.Caller, "RXX", "nurse")
	if d.listed() != 1 {
		t.Error("the call is on nobody's list")
	}
	d.at(due)
	d.due("calls")
	d.due("notices")
	if got := p.paged(); !slices.Equal(got, []string{"/nurse"}) {
		t.Errorf("reminded: %v", got)
	}
	if _, status, text := do[claimShown](d, "POST", "/api/calls/"+call+"/claim", ""); status != http.StatusOK {
		t.Errorf("the team rings: %d %s", status, text)
	}
}

// like is a partner with another last day of its agreement.
func (d *desk) like(p schemas.PartnerChangedData, days int) schemas.PartnerChangedData {
	p.AgreementUntil = (calendar.DayOf(d.c.Now(), d.zone) + calendar.Day(days)).String()
	return p
}

// A reminder that waits for a caller whose partner's agreement has ended meanwhile is sent to nobody there.
func TestAReminderThatWaitsIsNotSentAfterTheAgreement(t *testing.T) {
	t.Parallel()
	p := newPager(t)
	d := newDesk(t, Config{Notify: p.sender(t)})
	partner := d.agreed(40)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.answered(journey, partner.Partner)
	_, _, _, _, due := d.planNow(journey)
	d.as(schemas.Caller, partner.Partner, "peer")
	if _, status, text := do[callerShown](d, "PUT", "/api/callers/me", anyHour(p, "peer")); status != http.StatusOK {
		t.Fatal(status, text)
	}
	d.at(due)
	d.due("calls")
	d.stands(2, d.like(partner, -1))
	d.due("notices")
	if got := p.paged(); len(got) != 0 {
		t.Errorf("reminded: %v", got)
	}
}

// Where the person said yes to one partner alone, and it may not ring any more, nobody else does: the calls pause, a
// navigator is told, and they go on when somebody may ring again.
func TestWhereNobodyMayRingTheCallsPauseAndANavigatorIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	partner := d.agreed(3)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.answered(journey, partner.Partner)
	if state, _, team, _, _ := d.planNow(journey); state != string(Active) || team != partner.Partner {
		t.Fatal(state, team)
	}
	d.at(d.c.Now().AddDate(0, 0, 4)) // its last day is over; nobody said anything
	d.due("partners")
	state, because, _, call, _ := d.planNow(journey)
	_, last := d.emitted(journey)
	var paused schemas.BridgingPausedData
	if err := json.Unmarshal(last[schemas.BridgingPaused], &paused); err != nil || !paused.NobodyRings ||
		state != string(Paused) || because != becauseNobody || call != "" {
		t.Fatalf("%s %s %q %+v %v", state, because, call, paused, err)
	}
	d.stands(2, d.like(partner, 100))
	d.due("partners")
	if state, _, team, call, _ := d.planNow(journey); state != string(Active) || team != partner.Partner || call == "" {
		t.Errorf("under a new agreement: %s %s %q", state, team, call)
	}
	types, _ := d.emitted(journey)
	if !slices.Contains(types, schemas.BridgingResumed) {
		t.Error("nobody was told that the calls go on")
	}
	d.answered(journey, "RXX")
	if state, _, team, _, _ := d.planNow(journey); state != string(Active) || team != "RXX" {
		t.Errorf("after a yes to the own team: %s %s", state, team)
	}
}

// Who rings is asked of the partner as offers are: under its agreement, where outward sending is on, not while it takes
// nobody on, and on no day on which it is away; whom it rings already, it goes on with through a pause.
func TestWhetherAPartnerRings(t *testing.T) {
	t.Parallel()
	zone := london(t)
	today := dayOf(t, "2026-11-03")
	const id = "8c4bba9e-7d0a-4d8e-8a43-1c2f3a4b5c6d"
	full := partnerTerms{id: id, first: today, last: today + 60, live: []string{"RXX"}}
	for name, tc := range map[string]struct {
		change   func(p *partnerTerms)
		already  bool
		want     bool
		standing string // the first day on which it rings
	}{
		"in force":                 {func(*partnerTerms) {}, false, true, "2026-11-17"},
		"on its last day":          {func(p *partnerTerms) { p.last = today }, true, true, "2026-11-17"},
		"the day after":            {func(p *partnerTerms) { p.last = today - 1 }, true, false, ""},
		"the day before":           {func(p *partnerTerms) { p.first = today + 1 }, false, false, ""},
		"none recorded":            {func(p *partnerTerms) { p.first, p.last = 0, 0 }, false, false, ""},
		"sending is off":           {func(p *partnerTerms) { p.live = nil }, true, false, ""},
		"sending is on for others": {func(p *partnerTerms) { p.live = []string{"RZZ"} }, true, false, ""},
		"everybody is made up": {func(p *partnerTerms) { p.live, p.invented = nil, true }, false, true,
			"2026-11-17"},
		"paused":                 {func(p *partnerTerms) { p.paused = today }, false, false, ""},
		"paused, and rings them": {func(p *partnerTerms) { p.paused = today }, true, true, "2026-11-17"},
		"its pause is over":      {func(p *partnerTerms) { p.paused = today - 1 }, false, true, "2026-11-17"},
		"away": {func(p *partnerTerms) {
			p.away = []span{{dayOf(t, "2026-11-16"), dayOf(t, "2026-11-20")}}
		}, false, true, "2026-11-23"},
		"away for long": {func(p *partnerTerms) {
			p.away = []span{{dayOf(t, "2026-11-16"), dayOf(t, "2026-11-27")}}
		}, false, true, "2026-11-30"},
	} {
		p := full
		tc.change(&p)
		all := partners{id: p}
		if got := all.rings(id, "RXX", tc.already, today); got != tc.want {
			t.Errorf("%s: rings %v", name, got)
		}
		if (partners{}).rings(id, "RXX", tc.already, today) || !all.rings("RZZ", "RXX", false, today) {
			t.Errorf("%s: one that is not known, or the NHS", name)
		}
		if tc.standing == "" {
			continue
		}
		k := &JourneyState{Waits: map[string]bool{"svc": true}}
		k.addRecorded(1, schemas.DischargeRecordedData{Person: clock.NewRandomID(), Organisation: "RXX", Visit: "v"})
		k.addConsent(schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}, Organisation: id},
			schemas.Answered{At: 2, Yes: true})
		var before *Plan
		if tc.already {
			before = &Plan{Team: id, Started: true, State: Active, Anchor: today}
		}
		c := reconcile(k, before, aJourney, moment{today: today, zone: zone, partners: all})
		if c.Schedule == nil || c.Schedule.On.String() != tc.standing || c.Schedule.Team != id {
			t.Errorf("%s: %+v", name, c.Schedule)
		}
		if c.Late != (name == "away for long") {
			t.Errorf("%s: somebody asks the person about a call that comes late: %v", name, c.Late)
		}
	}
}

// A calendar of staff is read while its worker comes here: nobody says of everybody who leaves that they have left.
func TestAStaffCalendarEndsWhenItsWorkerComesNoMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	d.as(schemas.Caller, "RXX", "caller")
	made, status, text := do[ics.Made](d, "POST", "/api/callers/me/calendar", "")
	if status != http.StatusCreated || !strings.Contains(made.Words, "once in 14 days") {
		t.Fatal(status, text)
	}
	read := func() int {
		defer d.as(schemas.Caller, "RXX", "caller")
		status, _ := d.fetch(made.URL[strings.Index(made.URL, "/api/"):])
		return status
	}
	begun := d.c.Now()
	days := func(n int) { d.at(begun.AddDate(0, 0, n)) }
	if days(14); read() != http.StatusOK {
		t.Error("it is not read on the fourteenth day")
	}
	d.listed() // they were here
	if days(28); read() != http.StatusOK {
		t.Error("whoever comes by keeps it")
	}
	if days(29); read() != http.StatusNotFound {
		t.Error("whoever comes no more keeps it")
	}
	if got, _, _ := do[callerShown](d, "GET", "/api/callers/me", ""); !got.Calendar {
		t.Error("whoever is back has none")
	}
	if read() != http.StatusOK {
		t.Error("whoever is back does not read it")
	}
	if days(91); read() != http.StatusNotFound {
		t.Error("it is read after ninety days")
	}
}

// upgraded runs a migration on rows that were there before it.
func (d *desk) upgraded(file string) {
	d.t.Helper()
	text, err := migrations.ReadFile("migrations/" + file)
	if err != nil {
		d.t.Fatal(err)
	}
	_, statements, _ := strings.Cut(string(text), "-- +goose Up")
	if _, err := d.pool.Exec(d.t.Context(), statements); err != nil {
		d.t.Fatal(err)
	}
}

// A partner that rings already when the system learns of agreements goes on until something is said of it: its calls
// are not taken from it between the upgrade and what followup says.
func TestAPartnerThatRangBeforeAgreementsWereHeardOfGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	partner := d.agreed(40)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.answered(journey, partner.Partner)
	_, _, _, call, _ := d.planNow(journey)
	if _, err := d.db.Admin().Exec(t.Context(), `delete from bridging.partner`); err != nil {
		t.Fatal(err)
	}
	d.upgraded("00450_partners_before.sql")
	d.due("partners")
	if state, _, team, same, _ := d.planNow(journey); state != string(Active) || team != partner.Partner ||
		same != call {
		t.Errorf("after the upgrade the call %s is %s's, of a plan that is %s", same, team, state)
	}
	d.stands(2, d.like(partner, -1))
	d.due("partners")
	if _, because, _, _, _ := d.planNow(journey); because != becauseNobody {
		t.Errorf("its agreement is over, and the plan stands because of %q", because)
	}
}

// Who may ring again is found by what was agreed as well as by whom the yes names; and who must not know of somebody is
// no reason to look at their plan for ever.
func TestCallsGoOnWithThePartnerThatWasAgreedOnceItMayRingAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	partner := d.agreed(3)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.as(schemas.Navigator, "RXX", "navigator")
	if _, status, text := do[planShown](d, "POST", "/api/journeys/"+journey+"/plan",
		`{"team":"`+partner.Partner+`"}`); status != http.StatusOK {
		t.Fatal(status, text)
	}
	d.says(journey, schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging},
		Organisation: "RXX"}) // anybody but the journey's own team
	if state, because, team, _, _ := d.planNow(journey); team != partner.Partner {
		t.Fatal(state, because, team)
	}
	d.at(d.c.Now().AddDate(0, 0, 4))
	d.due("partners")
	if _, because, _, _, _ := d.planNow(journey); because != becauseNobody {
		t.Fatalf("nobody may ring, and the plan stands because of %q", because)
	}
	d.stands(2, d.like(partner, 100))
	d.due("partners")
	if state, _, team, call, _ := d.planNow(journey); state != string(Active) || team != partner.Partner || call == "" {
		t.Errorf("under a new agreement: %s %s %q", state, team, call)
	}
}

// A partner that goes away for so long that a call comes over a week late, after the call was planned: the call is
// moved, and somebody asks the person, once.
func TestACallThatComesLateBecauseAPartnerIsAwayIsAskedAbout(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	partner := d.agreed(100)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.answered(journey, partner.Partner)
	_, _, team, call, due := d.planNow(journey)
	if team != partner.Partner || call == "" {
		t.Fatal(team, call)
	}
	asked := func() (times int) {
		types, _ := d.emitted(journey)
		for _, typ := range types {
			if typ == schemas.BridgingReview {
				times++
			}
		}
		return times
	}
	on := calendar.DayOf(due, d.zone)
	for i, days := range []calendar.Day{3, 13, 20} {
		partner.Away = []schemas.AwayDays{{From: (on - 1).String(), Until: (on + days).String()}}
		d.stands(int64(2+i), partner)
		d.due("partners")
		_, _, _, again, moved := d.planNow(journey)
		if again != call || calendar.DayOf(moved, d.zone) <= on+days {
			t.Errorf("away for %d days: call %s is due at %v", days, again, moved)
		}
		if want := min(i, 1); asked() != want {
			t.Errorf("away for %d days: somebody asks the person %d times, not %d", days, asked(), want)
		}
	}
	partner.Away = []schemas.AwayDays{{From: (on - 20).String(), Until: (on + 90).String()}}
	d.stands(5, partner)
	d.due("partners")
	if _, because, _, call, _ := d.planNow(journey); because != becauseNobody || call != "" {
		t.Errorf("away for three months: the plan stands because of %q, with call %q", because, call)
	}
	partner.Away = nil
	d.stands(6, partner)
	d.due("partners")
	if state, _, team, call, _ := d.planNow(journey); state != string(Active) || team != partner.Partner || call == "" {
		t.Errorf("it is there again: %s, %q, %q", state, team, call)
	}
}

// Where whoever rings is away on every day on which the person has time, no call finds one: the plan pauses, a
// navigator is asked, and it goes on by itself once a time is there again, or as soon as other hours are agreed. Where
// somebody else may ring as well, they do.
func TestAPlanWhoseCallsFindNoTimeIsANavigators(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"while it runs": true, "as it begins": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			partner := d.agreed(200)
			d.stands(1, partner)
			journey, _ := d.begun()
			path := "/api/journeys/" + journey + "/plan"
			agree := func(body string) {
				t.Helper()
				d.as(schemas.Navigator, "RXX", "navigator")
				if _, status, text := do[planShown](d, "POST", path, body); status != http.StatusOK {
					t.Fatalf("%s: %d %s", body, status, text)
				}
			}
			today := calendar.DayOf(d.c.Now(), d.zone)
			last := today
			for day := today; day < today+75; day++ {
				if day.Weekday() == time.Tuesday {
					partner.Away, last = append(partner.Away, schemas.AwayDays{From: day.String(),
						Until: day.String()}), day
				}
			}
			hour := `{"windows":[{"days":["tue"],"fromHour":10,"toHour":11}]}`
			if begun {
				d.answered(journey, partner.Partner)
				agree(hour)
				d.stands(2, partner)
				d.due("partners")
			} else {
				agree(hour)
				d.stands(2, partner)
				d.answered(journey, partner.Partner)
			}
			paused := func() {
				t.Helper()
				state, because, _, call, _ := d.planNow(journey)
				_, last := d.emitted(journey)
				var said schemas.BridgingPausedData
				if err := json.Unmarshal(last[schemas.BridgingPaused], &said); err != nil || !said.NobodyRings {
					t.Fatalf("no navigator is asked: %s", last[schemas.BridgingPaused])
				}
				if state != string(Paused) || because != becauseNoTime || call != "" {
					t.Fatalf("it is %s since %q, with call %q", state, because, call)
				}
			}
			paused()
			types, _ := d.emitted(journey)
			d.at(d.c.Now().AddDate(0, 0, 1))
			d.due("plans")
			paused()
			if again, _ := d.emitted(journey); len(again) != len(types) {
				t.Errorf("a day later the same is said again: %v", again[len(types):])
			}
			agree(`{"windows":[{"days":["tue","wed"],"fromHour":10,"toHour":11}]}`)
			if state, _, _, call, due := d.planNow(journey); state != string(Active) || call == "" ||
				due.In(d.zone).Weekday() != time.Wednesday {
				t.Errorf("another hour is agreed: %s, call %q at %v", state, call, due)
			}
			agree(hour)
			paused()
			d.at((last - 20).At(9, 0, d.zone))
			d.due("plans")
			if state, _, team, call, due := d.planNow(journey); state != string(Active) || call == "" ||
				team != partner.Partner || calendar.DayOf(due, d.zone) <= last {
				t.Errorf("a time is there again: %s, %s, call %q at %v", state, team, call, due)
			}
			agree(`{"team":"` + partner.Partner + `"}`)
			partner.Away = append(partner.Away, schemas.AwayDays{From: (last - 20).String(), Until: (last).String()})
			for day := last; day < last+75; day += 7 {
				partner.Away = append(partner.Away, schemas.AwayDays{From: day.String(), Until: day.String()})
			}
			d.says(journey, schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}})
			d.stands(3, partner)
			d.due("partners")
			if state, _, team, call, _ := d.planNow(journey); state != string(Active) || call == "" || team != "RXX" {
				t.Errorf("others may ring as well: %s, %s, call %q", state, team, call)
			}
		})
	}
}

// says lets bridging know of one thing that intake said of a journey.
func (d *desk) says(journey string, typ schemas.Type, data any) {
	d.t.Helper()
	s := &teller{said: map[string]int64{"intake": 40}}
	s.say("intake", typ, data)
	s.events[0].Subject, s.events[0].Time = journey, d.c.Now()
	d.apply(s.events...)
}

// Whoever must not know of somebody rings them never, whatever else was said: their plan is not taken up again each
// second for it.
func TestAPartnerThatMustNotKnowIsNotLookedForAgainAndAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	partner := d.agreed(30)
	d.stands(1, partner)
	journey, _ := d.begun()
	d.answered(journey, partner.Partner)
	d.says(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{partner.Partner}})
	if _, because, team, _, _ := d.planNow(journey); because != becauseNobody {
		t.Fatal(because, team)
	}
	err := d.flow.Do(t.Context(), func(tx *flow.Tx) error {
		plansToGiveOn(tx, calendar.DayOf(d.c.Now(), d.zone).String(), 10, []string{}, func(journey string) {
			t.Errorf("%s is looked at again, and nothing can change", journey)
		})
		return tx.Flush()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A plan that begins paused is told to nobody, and the sentinel asks nobody else of it, before it goes on.
func TestAPlanThatBeginsPausedIsComparedOnceItIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	journey := clock.NewRandomID()
	s := said(journey)
	s.say("intake", schemas.ContactStopped, schemas.ContactStoppedData{})
	s.say("intake", schemas.ContactResumed, schemas.ContactResumedData{})
	for i := range s.events {
		s.events[i].Subject = journey
	}
	compared := func() int {
		return count(t, d.pool, `select count(*) from account where journey = $1 and matter = 'plan'`, journey)
	}
	last := len(s.events) - 1
	d.apply(s.events[last-1], s.events[0], s.events[1])
	state, _, _, _, _ := d.planNow(journey)
	if types, _ := d.emitted(journey); state != string(Paused) || len(types) > 0 || compared() != 0 {
		t.Errorf("it is %s, %v was told, and %d are compared", state, types, compared())
	}
	d.apply(s.events[last])
	state, _, _, _, _ = d.planNow(journey)
	if types, _ := d.emitted(journey); state != string(Proposed) || len(types) != 1 || compared() != 1 {
		t.Errorf("once contact is resumed it is %s, %v was told, and %d are compared", state, types, compared())
	}
	d.apply(s.events[last-1])
	if compared() != 1 {
		t.Error("it is compared no more")
	}
}
