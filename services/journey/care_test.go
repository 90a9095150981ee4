package journey

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestWhoHoldsTheAssessmentIsRecordedOnce: its holder, and that of the 48-hour aftercare only where one was done.
func TestWhoHoldsTheAssessmentIsRecordedOnce(t *testing.T) {
	t.Parallel()
	_, r := begun(t, nil)
	held := schemas.AssessmentRecord{Holder: "team:ed-liaison", On: "2026-11-02", Aftercare: "team:home-treatment"}
	for _, tc := range []struct {
		said   schemas.AssessmentRecord
		status int
	}{
		{schemas.AssessmentRecord{}, 422}, {schemas.AssessmentRecord{Holder: "team:ed-liaison"}, 422},
		{schemas.AssessmentRecord{Aftercare: "team:home-treatment"}, 422},
		{schemas.AssessmentRecord{Holder: "partner:pa", On: "2026-11-02"}, 422},
		{schemas.AssessmentRecord{Holder: "team:ed-liaison", On: "2026-11-09"}, 422},
		{schemas.AssessmentRecord{Holder: "Dr Someone", On: "2026-11-02"}, 422},
		{held, 200}, {held, 200}, // said again
		{schemas.AssessmentRecord{Holder: "service:other", On: "2026-11-02"}, 409},
		{schemas.AssessmentRecord{Aftercare: "team:other"}, 409},
		{schemas.AssessmentRecord{Holder: "service:other", On: "2026-11-01"}, 409},
		{schemas.AssessmentRecord{Changed: []string{"where-they-live", "nothing-has-changed"}}, 422},
		{schemas.AssessmentRecord{Changed: []string{"where-they-live"}}, 200},
	} {
		if status, says := refusal(t, at(3).assessment(r, tc.said)); status != tc.status {
			t.Errorf("%+v: %d %s, want %d", tc.said, status, says, tc.status)
		}
	}
	shown := r.JourneyState.assessmentShown()
	if shown.Holder != "team:ed-liaison" || shown.Aftercare != "team:home-treatment" ||
		!slices.Equal(shown.Changed, []string{"where-they-live"}) || shown.CameBack {
		t.Errorf("it shows %+v", shown)
	}
	if err := at(8).assessment(r, schemas.AssessmentRecord{Holder: "service:other", On: "2026-11-07"}); err != nil {
		t.Fatal(err)
	}
	if a := r.JourneyState.Assessment; a.Holder != "service:other" || a.Aftercare != "" || len(a.Changed) > 0 {
		t.Errorf("a later assessment kept what was another's: %+v", a)
	}
	for _, said := range noAssessment {
		s, none := begun(t, nil)
		tell(t, none, []flow.Event{s.say(schemas.InformationSupplied,
			schemas.InformationSuppliedData{Facts: schemas.Facts{Assessment: new(said)}})})
		if status, _ := refusal(t, at(3).assessment(none, held)); status != 409 {
			t.Errorf("%s, and somebody holds it: %d", said, status)
		}
		tell(t, none, []flow.Event{s.say(schemas.InformationSupplied,
			schemas.InformationSuppliedData{Facts: schemas.Facts{Assessment: new("done")}})})
		if status, says := refusal(t, at(3).assessment(none, held)); status != 200 {
			t.Errorf("%s, and done after all: %d %s", said, status, says)
		}
	}
}

// TestBeforeAnotherAssessmentTheLastOneIsTold: a service that is asked is told who holds the last one, and what changed
// since; asked again, it is told again.
func TestBeforeAnotherAssessmentTheLastOneIsTold(t *testing.T) {
	t.Parallel()
	s, r := begun(t, nil)
	tell(t, r, []flow.Event{s.say(schemas.InformationSupplied,
		schemas.InformationSuppliedData{Facts: schemas.Facts{Assessment: new("done")}})})
	if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepShareAssessment) {
		t.Errorf("nobody was asked, and open are %s", open)
	}
	asked := func() {
		from := len(s.events)
		s.asked("talking", "navigator")
		tell(t, r, s.events[from:])
	}
	asked()
	step := theStep(t, r, stepShareAssessment)
	for _, role := range []schemas.Role{schemas.SendingTeam, schemas.Navigator} {
		kind, _ := schemas.StepKindOf(step.Kind)
		actions := kind.Actions(role, r.JourneyState.about(step))
		if len(actions) != 1 || actions[0].Path != "/api/journeys/"+aJourney+"/assessment" ||
			actions[0].Fields[0].Value != "talking" || len(actions[0].Fields[1].Values) == 0 {
			t.Errorf("%s may do %+v", role, actions)
		}
	}
	told := schemas.AssessmentRecord{Service: "talking", Changed: []string{"nothing-has-changed"},
		Holder: "team:ed-liaison", On: "2026-11-02"}
	for _, wrong := range []schemas.AssessmentRecord{{Service: "talking"},
		{Service: "other", Changed: told.Changed, Holder: told.Holder, On: told.On}} {
		if status, _ := refusal(t, at(3).assessment(r, wrong)); status != 422 {
			t.Errorf("%+v is taken: %d", wrong, status)
		}
	}
	if err := at(3).assessment(r, told); err != nil {
		t.Fatal(err)
	}
	if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepShareAssessment) {
		t.Errorf("it was told, and open are %s", open)
	}
	s.at = at(4).now
	asked()
	theStep(t, r, stepShareAssessment)
}

// TestAnEarlyVoiceIsAStepOfItsOwnWithItsRecord: only where the person asked for it, in allowed hours, and ended by what
// became of it.
func TestAnEarlyVoiceIsAStepOfItsOwnWithItsRecord(t *testing.T) {
	t.Parallel()
	person := principal.Principal{Organisation: "self", Role: string(schemas.Person), Subject: "p"}
	for within, want := range map[string]string{"24": "Tue 3 10:00", "48": "Wed 4 10:00", "72": "Thu 5 10:00"} {
		s, r := begun(t, nil)
		w := at(2)
		w.now = s.at.Add(time.Minute)
		for _, tc := range []struct {
			said   schemas.FirstContactRecord
			by     principal.Principal
			status int
		}{
			{schemas.FirstContactRecord{}, person, 422}, {schemas.FirstContactRecord{Within: "12"}, person, 422},
			{schemas.FirstContactRecord{Outcome: "reached"}, navigatorOf("RXX"), 409},
			{schemas.FirstContactRecord{Within: within, By: "partner:pa"}, navigatorOf("RXX"), 422},
			{schemas.FirstContactRecord{Within: within}, person, 200}, {schemas.FirstContactRecord{Within: within},
				person, 200},
			{schemas.FirstContactRecord{Outcome: "reached"}, person, 403},
		} {
			if status, says := refusal(t, w.firstContact(r, tc.said, tc.by)); status != tc.status {
				t.Errorf("%+v: %d %s, want %d", tc.said, status, says, tc.status)
			}
		}
		step := theStep(t, r, stepFirstContact)
		if got := step.DueAt.Format("Mon 2 15:04"); got != want || step.Owner != teamLiaison {
			t.Errorf("within %s it is due %s, of %s; want %s", within, got, step.Owner, want)
		}
		if err := w.done(r, step.ID, aWord(w.now), navigatorOf("RXX")); err == nil {
			t.Error("somebody's word ended it")
		}
		tell(t, r, []flow.Event{s.say(schemas.ContactStopped, schemas.ContactStoppedData{})})
		if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepFirstContact) {
			t.Errorf("nobody is to contact them, and open are %s", open)
		}
		tell(t, r, []flow.Event{s.say(schemas.ContactResumed, schemas.ContactResumedData{})})
		theStep(t, r, stepFirstContact)
		for range 2 {
			if err := at(3).firstContact(r, schemas.FirstContactRecord{Outcome: "reached"},
				navigatorOf("RXX")); err != nil {
				t.Fatal(err)
			}
		}
		if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepFirstContact) {
			t.Errorf("they were reached, and open are %s", open)
		}
	}
	_, r := begun(t, nil)
	if open := strings.Join(openStepsOf(r, time.UTC), " "); strings.Contains(open, stepFirstContact) {
		t.Errorf("nobody asked for it, and open are %s", open)
	}
}

// TestWhatTheyHadToTellAgainIsCountedOnceADayAndRole: by rows, whoever says it and however often, and shown.
func TestWhatTheyHadToTellAgainIsCountedOnceADayAndRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	journey, _ := w.oneJourney()
	today := calendar.DayOf(w.c.Now(), w.zone)
	path := "/api/journeys/" + journey + "/retold"
	for body, want := range map[string]int{`{"to":"gp"}`: 200, fmt.Sprintf(`{"to":"gp","on":"%s"}`, today): 200,
		`{"to":"ward-team"}`: 200, `{}`: 422, `{"to":"Dr Someone"}`: 422,
		fmt.Sprintf(`{"to":"gp","on":"%s"}`, today+1): 422, fmt.Sprintf(`{"to":"gp","on":"%s"}`, today-400): 422} {
		if _, status := ask[any](w, "POST", path, body); status != want {
			t.Errorf("%s: %d, want %d", body, status, want)
		}
	}
	got, _ := ask[journeyShown](w, "GET", "/api/journeys/"+journey, "")
	if got.Retold != (retoldShown{2, today.String()}) {
		t.Errorf("it shows %+v", got.Retold)
	}
	w.as(schemas.Person, "self", clock.NewRandomID())
	if _, status := ask[any](w, "POST", path, `{"to":"gp"}`); status != 404 {
		t.Errorf("another person counts on it: %d", status)
	}
	w.as(schemas.Partner, "pa", "peer")
	if _, status := ask[any](w, "POST", path, `{"to":"gp"}`); status != 403 {
		t.Errorf("a partner counts on it: %d", status)
	}
}

// TestWhoTakesOverAt18IsTheAdultsSide: a service or a partner, never the team that has them now, which stays until they
// have met.
func TestWhoTakesOverAt18IsTheAdultsSide(t *testing.T) {
	t.Parallel()
	s, r := begun(t, nil)
	from := len(s.events)
	s.turning()
	tell(t, r, s.events[from:])
	step := theStep(t, r, stepTurns18)
	for _, owner := range []string{teamYoungPeople, "navigator:duty"} {
		if status, _ := refusal(t, at(3).done(r, step.ID, schemas.StepDone{TakesOver: owner},
			navigatorOf("RXX"))); status != 422 {
			t.Errorf("%s takes over: %d", owner, status)
		}
	}
	if err := at(3).done(r, step.ID, schemas.StepDone{TakesOver: "partner:pa"}, navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if meet := theStep(t, r, stepFirstMeeting); meet.Owner != teamYoungPeople {
		t.Errorf("before they have met it is with %s", meet.Owner)
	}
	if shown := r.JourneyState.at18(); shown == nil || shown.TakesOver != "partner:pa" || shown.Met != "" {
		t.Errorf("it shows %+v", shown)
	}
}
