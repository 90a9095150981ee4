package journey

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// TestWhatEndsAfterAClosingIsSeenTo: an offer that stood when its journey was closed is withdrawn afterwards. Whoever
// is about to go is rung all the same, and the organisation says what it did with what it knew.
func TestWhatEndsAfterAClosingIsSeenTo(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	s.booked("a1")
	tell(t, r, s.events)
	if err := at(3).closeJourney(r, inError(), navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	from := len(s.events)
	by := s.at.Add(time.Hour)
	s.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: "o1", Appointment: "a1", RingBy: &by})
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "journey-closed"})
	tell(t, r, s.events[from:])
	if r.State != journeyClosed {
		t.Fatalf("it is %s", r.State)
	}
	if ring := theStep(t, r, stepRingPartner); !ring.DueAt.Equal(by) {
		t.Errorf("the organisation is rung by %s, not %s", ring.DueAt, by)
	}
	ring := theStep(t, r, stepRingPartner)
	if err := at(3).done(r, ring.ID, schemas.StepDone{Heard: "duty-worker"}, navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	theStep(t, r, stepDeletion)
	theStep(t, r, stepDeletionLate)
	tell(t, r, []flow.Event{s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: "o1"})})
	if open := openStepsOf(r, time.UTC); len(open) > 0 {
		t.Errorf("all was seen to, and open are %v", open)
	}
}

// TestACallerIsRungWhereTheYesToThemAloneIsTakenBack: a partner that rings has its yes by name.
func TestACallerIsRungWhereTheYesToThemAloneIsTakenBack(t *testing.T) {
	t.Parallel()
	to := func(partners ...string) (s *teller, r *record) {
		s, r = newTeller(), &record{ID: aJourney, State: journeyOpen}
		s.discharge()
		for _, partner := range partners {
			s.say(schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging},
				Organisation: partner})
		}
		s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c1", Plan: "pl",
			DueAt: s.at.Add(30 * time.Minute)})
		s.say(schemas.ConsentWithdrawn, schemas.ConsentData{Purposes: []string{schemas.PurposeBridging},
			Organisation: "pa"})
		tell(t, r, s.events)
		return s, r
	}
	s, r := to("pa")
	if step := theStep(t, r, stepRingCaller); step.DueAt.Sub(s.at) > 30*time.Minute {
		t.Errorf("whoever rings is told by %s", step.DueAt)
	}
	if _, r = to("pa", "pb"); strings.Contains(strings.Join(openStepsOf(r, time.UTC), " "), stepRingCaller) {
		t.Error("a no to one stopped what another may do")
	}
}

// TestThePersonReadsWhatWasDeletedAndWhatWasKept, and why.
func TestThePersonReadsWhatWasDeletedAndWhatWasKept(t *testing.T) {
	t.Parallel()
	words, _ := schemas.KindNamed("kept")
	reasons, _ := schemas.KindNamed("kept-because")
	read := func(kept []string, why string) string {
		details, err := json.Marshal(shown{"offer": "o", "kept": kept, "keptBecause": why})
		if err != nil {
			t.Fatal(err)
		}
		return Sentence(string(schemas.OfferDeletionConfirmed), details)
	}
	if got := read(nil, ""); got != "The organisation has deleted what it knew of you." {
		t.Error(got)
	}
	said := map[string]string{}
	for _, why := range reasons.Values {
		for _, kept := range append(words.Values, "") {
			list := slices.DeleteFunc([]string{kept}, func(s string) bool { return s == "" })
			got := read(list, why)
			if before := said[got]; before != "" || strings.Contains(got, "kept ,") ||
				strings.Contains(got, "because .") {
				t.Errorf("%s because %s, as %s: %s", kept, why, before, got)
			}
			said[got] = kept + " because " + why
		}
	}
}

// TestAReminderOfWhatIsOverSaysThatSomebodyAsks: the partner is reminded of nothing, a navigator writes to it.
func TestAReminderOfWhatIsOverSaysThatSomebodyAsks(t *testing.T) {
	t.Parallel()
	for about, says := range map[string]string{schemas.NudgeDeletion: "Somebody here asks it.",
		schemas.NudgeBook: "We reminded the organisation"} {
		details, err := json.Marshal(shown{"about": about})
		if err != nil {
			t.Fatal(err)
		}
		if got := Sentence(string(schemas.OfferNudged), details); !strings.Contains(got, says) {
			t.Errorf("%s: %s", about, got)
		}
	}
}

// TestAJourneyStoredBeforeItsFactsWereKeptLosesNoQuestion: what it asks for is read from its timeline, so that its next
// event leaves the step.
func TestAJourneyStoredBeforeItsFactsWereKeptLosesNoQuestion(t *testing.T) {
	t.Parallel()
	s, _, pool := started(t)
	teller := newTeller()
	teller.discharge()
	teller.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age"}})
	teller.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age", "areaGP"}})
	mustApply(t, s, pool, withIDs(teller.events))
	exec := func(sql string) {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`update journey set known = known #- '{missing,facts}' #- '{facts}'`)
	text, err := fs.ReadFile(Migrations(), "00220_missing.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(string(text))
	from := len(teller.events)
	teller.preferences(schemas.PreferencesChangedData{Needs: true})
	mustApply(t, s, pool, withIDs(teller.events[from:]))
	if n := count(t, pool, `select count(*) from step where kind = 'find-out' and state = 'open'`); n != 1 {
		t.Errorf("%d steps ask for what is not known", n)
	}
	if n := count(t, pool, `select jsonb_array_length(known #> '{missing,facts}') from journey`); n != 2 {
		t.Errorf("%d facts are asked for, not the two of the newest question", n)
	}
}

// TestAPartnerThatAMessageDidNotReachIsToldAnotherWay: within four hours of what it was told, in every state; once for
// all that has not come; again for what does not come after somebody there has heard; never of what it never knew of.
func TestAPartnerThatAMessageDidNotReachIsToldAnotherWay(t *testing.T) {
	t.Parallel()
	open := func(r *record) string { return strings.Join(openStepsOf(r, time.UTC), " ") }
	fails := func(s *teller, r *record) {
		tell(t, r, []flow.Event{s.say(schemas.DeliveryFailed, schemas.DeliveryFailedData{Offer: "o1", Partner: "pa"})})
	}
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	tell(t, r, s.events)
	fails(s, r)
	first := theStep(t, r, stepReachPartner)
	if first.Owner != someOwners.Navigator || first.DueAt.Sub(s.events[len(s.events)-1].Time) != time.Hour {
		t.Errorf("%s rings by %s", first.Owner, first.DueAt)
	}
	fails(s, r)
	if now := theStep(t, r, stepReachPartner); now.ID != first.ID || !now.DueAt.Equal(first.DueAt) {
		t.Errorf("what has not come either makes it %+v", now)
	}
	heard := func() {
		step := theStep(t, r, stepReachPartner)
		if err := at(3).done(r, step.ID, schemas.StepDone{Heard: "duty-worker"}, navigatorOf("RXX")); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(open(r), stepReachPartner) {
			t.Errorf("somebody heard, and open are %s", open(r))
		}
	}
	heard()
	fails(s, r)
	if again := theStep(t, r, stepReachPartner); again.ID == first.ID {
		t.Error("what does not come later opens nothing")
	}
	heard()
	if err := at(3).closeJourney(r, inError(), navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	from := len(s.events)
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "journey-closed"})
	tell(t, r, s.events[from:])
	fails(s, r)
	heard()

	s, r = newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	consented(s)
	s.offer(false)
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
	tell(t, r, s.events)
	fails(s, r)
	if strings.Contains(open(r), stepReachPartner) {
		t.Errorf("a partner that never knew is rung: %s", open(r))
	}
}

// TestAReferrerWhoseMailDidNotComeIsToldAnotherWay: by one step for all that did not come, which ends when mail goes
// again or somebody there has heard; again for what does not come later; never where they must not know.
func TestAReferrerWhoseMailDidNotComeIsToldAnotherWay(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	tell(t, r, s.events)
	hears := func(typ schemas.Type, data any) { tell(t, r, []flow.Event{s.say(typ, data)}) }
	fails := func() { hears(schemas.ReferrerUntold, schemas.ReferrerUntoldData{Referrer: "RXX"}) }
	stands := func() bool { return strings.Contains(strings.Join(openStepsOf(r, time.UTC), " "), stepTellReferrer) }
	fails()
	first := theStep(t, r, stepTellReferrer)
	if first.Owner != someOwners.Navigator || first.DueAt.Sub(s.events[len(s.events)-1].Time) != 24*time.Hour {
		t.Errorf("%s tells them by %s", first.Owner, first.DueAt)
	}
	if words := schemas.StepWords(first.Kind, r.JourneyState.about(first)); !strings.Contains(words, "RXX") {
		t.Errorf("whom to tell does not stand in %q", words)
	}
	fails()
	if now := theStep(t, r, stepTellReferrer); now.ID != first.ID || !now.DueAt.Equal(first.DueAt) {
		t.Errorf("another mail that does not come makes it %+v", now)
	}
	hears(schemas.ReferrerTold, schemas.ReferrerToldData{Referrer: "RXX"})
	if stands() {
		t.Error("mail goes again, and the step is still open")
	}
	fails()
	again := theStep(t, r, stepTellReferrer)
	if again.ID == first.ID {
		t.Error("what does not come later opens nothing")
	}
	if err := at(3).done(r, again.ID, schemas.StepDone{Heard: "liaison-nurse"}, navigatorOf("RXX")); err != nil ||
		stands() {
		t.Errorf("somebody heard: %v, and the step is still open: %t", err, stands())
	}
	fails()
	hears(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{"RXX"}})
	if stands() {
		t.Error("a navigator is to tell an organisation that must not know")
	}
}

// TestAnAnswerThatWasTakenBackIsNotToldAndDeletesNothing: the partner is asked again, as the person was told; where
// somebody there has looked at who they are after all, it says what it did with that.
func TestAnAnswerThatWasTakenBackIsNotToldAndDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, looked := range []bool{false, true} {
		s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
		s.taken(false)
		s.say(schemas.OfferUndone, schemas.OfferUndoneData{Offer: "o1", Answer: schemas.AnsweredYes})
		if looked {
			s.say(schemas.PersonShown, schemas.ShownData{Offer: "o1", Partner: "p1"})
		}
		tell(t, r, s.events)
		open := strings.Join(openStepsOf(r, time.UTC), " ")
		if strings.Contains(open, stepTellPerson) || strings.Contains(open, stepDeletion) != looked {
			t.Errorf("after an answer was taken back, looked %v, open are %s", looked, open)
		}
	}
}
