package journey

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// begun is a journey that has heard some events, and what can be done to it at a time.
func begun(t *testing.T, tellIt func(s *teller)) (*teller, *record) {
	t.Helper()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	if tellIt != nil {
		tellIt(s)
	}
	tell(t, r, s.events)
	return s, r
}

func at(day int) *writes {
	return &writes{owners: someOwners, zone: time.UTC, now: time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC)}
}

// refusal is the status and words of a refusal; 200 for none.
func refusal(t *testing.T, err error) (int, string) {
	t.Helper()
	var problem *httpx.Problem
	switch {
	case err == nil:
		return http.StatusOK, ""
	case !errors.As(err, &problem):
		t.Fatal(err)
	}
	return problem.Status, problem.Detail
}

func careStarted() Closing {
	return Closing{Reason: "care-started", Told: "phone", WayBack: "our-number", On: "2026-11-02", PersonAgrees: true,
		Service: "talking"}
}

func inError() Closing { return Closing{Reason: "entered-in-error", Told: "nobody", WayBack: "none"} }

func TestEachReasonToCloseNeedsWhatItSays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(c *Closing)
		says   string
	}{
		"all that is needed": {func(*Closing) {}, ""},
		"no reason":          {func(c *Closing) { c.Reason = "" }, "Say in reason why"},
		"time": {func(c *Closing) { c.Reason = "no-contact-for-28-days" },
			"Time alone is no reason"},
		"nobody told the person":          {func(c *Closing) { c.Told = "nobody" }, "Tell the person first"},
		"not said how they were told":     {func(c *Closing) { c.Told = "" }, "Say in told how"},
		"no way back":                     {func(c *Closing) { c.WayBack = "none" }, "Give the person a way back"},
		"a first contact that is to come": {func(c *Closing) { c.On = "2026-11-21" }, "is in the future"},
		"a first contact long ago": {func(c *Closing) { c.On = "1999-01-01" },
			"before this journey began, on 2026-11-02"},
		"a first contact the day before": {func(c *Closing) { c.On = "2026-11-01" }, "before this journey began"},
		"a session the year before": {func(c *Closing) { c.Reason, c.On = "complete", "2025-11-20" },
			"before this journey began"},
		"an acknowledgement before": {func(c *Closing) {
			c.Reason, c.AcknowledgedBy, c.On = "moved", "duty-worker", "2026-10-30"
		}, "before this journey began"},
		"no day":                   {func(c *Closing) { c.On = "" }, "the first contact there happened"},
		"the person was not asked": {func(c *Closing) { c.PersonAgrees = false }, "Ask the person"},
		"no service":               {func(c *Closing) { c.Service = "" }, "whose care has started"},
		"complete without a day": {func(c *Closing) { c.Reason, c.On = "complete", "" },
			"the follow-up happened"},
		"complete, and not asked": {func(c *Closing) { c.Reason, c.PersonAgrees = "complete", false },
			"want nothing more"},
		"moved, nobody there has said so": {func(c *Closing) { c.Reason = "moved" }, "acknowledgedBy"},
		"moved": {func(c *Closing) { c.Reason, c.AcknowledgedBy = "moved", "duty-worker" },
			""},
		"not reached, without a letter": {func(c *Closing) { c.Reason = "not-reached" }, "safe letter"},
		"not reached, by which channels?": {func(c *Closing) { c.Reason, c.Told = "not-reached", "letter" },
			"by which channels"},
		"not reached, by pigeon": {func(c *Closing) {
			c.Reason, c.Told, c.Tried = "not-reached", "letter", []string{"pigeon"}
		}, "is not known"},
	} {
		c := careStarted()
		tc.change(&c)
		_, r := begun(t, nil)
		status, says := refusal(t, at(20).closeJourney(r, c, navigatorOf("RXX")))
		if (status == 422) != (tc.says != "") || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %d %q", name, status, says)
		}
		if refused := tc.says != ""; refused == (r.State == journeyClosed) {
			t.Errorf("%s: the journey is %s", name, r.State)
		}
	}
}

func TestClosingContradictsNothingThatIsKnown(t *testing.T) {
	t.Parallel()
	no := func(purposes ...string) func(s *teller) { return func(s *teller) { s.consent(false, purposes...) } }
	stopped := func(s *teller) { s.say(schemas.ContactStopped, schemas.ContactStoppedData{}) }
	said := Closing{Reason: "said-no", Told: "in-person", WayBack: "our-number", PersonAgrees: true}
	died := Closing{Reason: "died", Told: "nobody", WayBack: "none"}
	for name, tc := range map[string]struct {
		tell func(s *teller)
		Closing
		done   string // a step that a human does first
		status int
		says   string
	}{
		"nobody asked": {nil, said, "", 409, "POST /api/journeys/{id}/consent"},
		"a no to the session, calls open": {func(s *teller) {
			no("follow-up")(s)
			s.say(schemas.BridgingProposed, schemas.BridgingProposedData{Plan: "pl"})
		}, said, "", 409, "no to all of it"},
		"a no to the session, a yes to calls": {func(s *teller) { no("follow-up")(s); s.consent(true, "bridging") },
			said, "", 409, "no to all of it"},
		"a no to all there was":             {no("follow-up"), said, "", 200, ""},
		"a no to all":                       {no("follow-up", "bridging"), said, "", 200, ""},
		"a death nobody recorded":           {nil, died, "", 409, "contact-stopped"},
		"a death nobody confirmed":          {stopped, died, "", 409, "not confirmed"},
		"a death that was confirmed":        {stopped, died, stepContactStopped, 200, ""},
		"care started, a death unconfirmed": {stopped, careStarted(), "", 409, stepContactStopped},
		"a flag nobody looked at": {func(s *teller) { s.discharge("left-before-assessment") },
			careStarted(), "", 409, stepCheck},
		"a flag somebody looked at": {func(s *teller) { s.discharge("left-before-assessment") },
			careStarted(), stepCheck, 200, ""},
		"a child without the clinician": {func(s *teller) { s.discharge("under-18") }, careStarted(), "", 409,
			stepClinician},
		"a merge nobody confirmed": {func(s *teller) {
			s.say(schemas.PersonMerged, schemas.PersonMergedData{})
		}, inError(), "", 409, stepConfirmMerge},
		"details a partner still has": {func(s *teller) {
			s.offer(false)
			s.say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: "o1", Partner: "pa"})
			s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
		}, careStarted(), "", 409, stepDeletion},
		"the hospital cancelled it": {func(s *teller) {
			s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
		}, inError(), "", 200, ""},
		"cancelled, and no error": {func(s *teller) {
			s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
		}, careStarted(), "", 409, stepAfterCancelled},
	} {
		_, r := begun(t, tc.tell)
		w := at(20)
		for _, s := range openOnes(r.Steps) {
			if s.Kind == tc.done {
				if err := w.done(r, s.ID, withoutNext(w.now), navigatorOf("RXX")); err != nil {
					t.Fatal(err)
				}
			}
		}
		status, says := refusal(t, w.closeJourney(r, tc.Closing, navigatorOf("RXX")))
		if status != tc.status || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %d %q", name, status, says)
		}
	}
}

func TestHelpThatSomebodyNeedsIsSeenToBeforeClosing(t *testing.T) {
	t.Parallel()
	s, r := begun(t, nil)
	w := at(3)
	tell(t, r, []flow.Event{s.say(schemas.HelpRequested, schemas.HelpRequestedData{Help: "h", Kind: schemas.HelpNow,
		DueAt: w.now.Add(time.Hour)})})
	if status, says := refusal(t, w.closeJourney(r, inError(), navigatorOf("RXX"))); status != 409 ||
		!strings.Contains(says, "help-needed-now") {
		t.Errorf("got %d %s", status, says)
	}
}

func TestNotReachedNeedsTheAgreedTriesSinceThePersonLastAnswered(t *testing.T) {
	t.Parallel()
	c := Closing{Reason: "not-reached", Told: "letter", WayBack: "our-number", Tried: []string{"phone"}}
	s, r := begun(t, nil)
	tried := func(day int) {
		w := at(day)
		i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.State == stateOpen })
		if err := w.noAnswer(r, r.Steps[i].ID, navigatorOf("RXX")); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(day int, what string) {
		t.Helper()
		if status, says := refusal(t, at(day).closeJourney(r, c, navigatorOf("RXX"))); status != 409 ||
			!strings.Contains(says, "no-answer") {
			t.Errorf("%s: %d %s", what, status, says)
		}
	}
	tried(3)
	tried(3)
	tried(3)
	refused(3, "three tries on one day are one")
	tried(5)
	tried(8)
	s.at = time.Date(2026, 11, 8, 15, 0, 0, 0, time.UTC)
	tell(t, r, []flow.Event{s.say(schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{"bridging"}})})
	refused(9, "they have answered since")
	for _, day := range []int{10, 12, 14} {
		tried(day)
	}
	if err := at(15).closeJourney(r, c, navigatorOf("RXX")); err != nil {
		t.Error(err)
	}
}

func TestAHeldJourneyAsksNobodyAndIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	s, r := begun(t, func(s *teller) { s.offer(true); s.say(schemas.GapFound, schemas.GapFoundData{}) })
	w := at(3)
	if err := w.hold(r, Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-11-16"},
		navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if got, want := openStepsOf(r, time.UTC),
		[]string{"review-the-hold navigator:duty Mon 16 17:00"}; !slices.Equal(got, want) {
		t.Errorf("held: got %v", got)
	}
	tell(t, r, []flow.Event{s.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age"}})})
	if got := openStepsOf(r, time.UTC); len(got) != 1 {
		t.Errorf("what arrives in between asks for %v", got)
	}
	if status, says := refusal(t, w.done(r, openOnes(r.Steps)[0].ID, withoutNext(w.now),
		navigatorOf("RXX"))); status != 409 || !strings.Contains(says, "release") {
		t.Errorf("looking again without saying what follows: %d %s", status, says)
	}
	w = at(12)
	if err := w.release(r, navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	want := []string{"ask-the-person team:liaison Fri 13 12:00", "bridge-the-gap navigator:duty Fri 13 17:00",
		"find-out team:liaison Fri 13 17:00", "late-follow-up navigator:duty Fri 13 17:00"}
	if got := openStepsOf(r, time.UTC); !slices.Equal(got, want) {
		t.Errorf("released, and nothing is overdue at once: got %v", got)
	}
	if types := typesOf(w.emissions); !slices.Equal(types, []string{string(schemas.JourneyReleased)}) ||
		w.emissions[0].Data.(schemas.JourneyReleasedData).ReleasedOn != "2026-11-12" {
		t.Errorf("got %+v", w.emissions)
	}
}

func typesOf(emissions []flow.Emission) []string {
	var types []string
	for _, e := range emissions {
		types = append(types, e.Type)
	}
	return types
}

func TestAHoldHasAPlaceARoleAndADayThatIsNotFar(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		Hold
		says string
	}{
		"a ward":                {Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-11-16"}, ""},
		"the last day there is": {Hold{Place: "custody", OnHoldBy: "custody-nurse", ReviewOn: "2026-12-01"}, ""},
		"a day too far":         {Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-12-02"}, "28 days"},
		"today": {Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-11-03"},
			"not in the future"},
		"no day": {Hold{Place: "ward", OnHoldBy: "ward-team"}, "reviewOn"},
		"a name": {Hold{Place: "ward", OnHoldBy: "Sister Someone", ReviewOn: "2026-11-16"},
			"Name nobody"},
		"nowhere": {Hold{OnHoldBy: "ward-team", ReviewOn: "2026-11-16"}, "ward, other-hospital"},
	} {
		_, r := begun(t, nil)
		status, says := refusal(t, at(3).hold(r, tc.Hold, navigatorOf("RXX")))
		if (status == 422) != (tc.says != "") || !strings.Contains(says, tc.says) {
			t.Errorf("%s: %d %s", name, status, says)
		}
	}
}

func TestAReopenedJourneyAsksThePersonAnew(t *testing.T) {
	t.Parallel()
	s, r := begun(t, func(s *teller) { s.consent(false, "follow-up", "bridging") })
	w := at(8)
	if err := w.closeJourney(r, Closing{Reason: "said-no", Told: "phone", WayBack: "own-request", PersonAgrees: true},
		navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if got := openStepsOf(r, time.UTC); len(got) != 0 {
		t.Errorf("closed, and still to be done: %v", got)
	}
	if d := w.emissions[0].Data.(schemas.JourneyClosedData); d.AnsweredUpTo != 2 || w.emissions[0].Version != 2 {
		t.Errorf("got %+v at %d", d, w.emissions[0].Version)
	}
	tell(t, r, []flow.Event{s.say(schemas.OfferWithdrawn,
		schemas.OfferWithdrawnData{Offer: "o1", Reason: "journey-closed"})})
	if r.State != journeyClosed || len(openStepsOf(r, time.UTC)) != 0 {
		t.Error("an answer to the closing opened it again")
	}
	w = at(20)
	if err := w.reopen(r, navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if got, want := openStepsOf(r, time.UTC), []string{"ask-the-person team:liaison Sat 21 12:00"}; !slices.Equal(got,
		want) {
		t.Errorf("got %v", got)
	}
	if d := w.emissions[0].Data.(schemas.JourneyReopenedData); d.ReopenedOn != "2026-11-20" ||
		d.Next.Kind != stepAskThePerson {
		t.Errorf("got %+v", d)
	}
}

func TestNewsOfAnAttendanceOpensAClosedJourneyAndALateCopyDoesNot(t *testing.T) {
	t.Parallel()
	s, r := begun(t, nil)
	first := s.events[0]
	if err := at(8).closeJourney(r, careStarted(), navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if said := tell(t, r, []flow.Event{first,
		s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v"})}); len(said) != 0 ||
		r.State != journeyClosed {
		t.Fatalf("a copy and a correction opened it: %v", typesOf(said))
	}
	again := s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
		Visit: "w", LeftOn: "2026-11-09"})
	said := tell(t, r, []flow.Event{again})
	if types := typesOf(said); !slices.Equal(types, []string{string(schemas.JourneyReopened)}) {
		t.Fatalf("got %v", said)
	}
	if r.State != journeyOpen || len(openStepsOf(r, time.UTC)) == 0 {
		t.Error("somebody came back, and nobody is asked to do anything")
	}
}

func TestADeathThatWasNoneOpensWhatWasClosedForIt(t *testing.T) {
	t.Parallel()
	s, r := begun(t, func(s *teller) { s.say(schemas.ContactStopped, schemas.ContactStoppedData{}) })
	w := at(3)
	if err := w.done(r, openOnes(r.Steps)[0].ID, withoutNext(w.now), navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	if err := w.closeJourney(r, Closing{Reason: "died", Told: "nobody", WayBack: "none"},
		navigatorOf("RXX")); err != nil {
		t.Fatal(err)
	}
	said := tell(t, r, []flow.Event{s.say(schemas.ContactResumed, schemas.ContactResumedData{})})
	if types := typesOf(said); !slices.Equal(types, []string{string(schemas.JourneyReopened)}) {
		t.Fatalf("got %+v", said)
	}
	if got := openStepsOf(r, time.UTC); len(got) != 1 || !strings.HasPrefix(got[0], stepAskThePerson) {
		t.Errorf("got %v", got)
	}
}

func TestATurnThatIsNotOpenIsRefused(t *testing.T) {
	t.Parallel()
	_, r := begun(t, nil)
	w := at(3)
	hold := Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-11-16"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(what string, err error) {
		t.Helper()
		if status, _ := refusal(t, err); status != 409 {
			t.Errorf("%s: %d", what, status)
		}
	}
	refuse("releasing an open one", w.release(r, navigatorOf("RXX")))
	refuse("reopening an open one", w.reopen(r, navigatorOf("RXX")))
	must(w.hold(r, hold, navigatorOf("RXX")))
	hold.ReviewOn = "2026-11-20"
	must(w.hold(r, hold, navigatorOf("RXX"))) // looked at again, and held on
	if got := openStepsOf(r, time.UTC); len(got) != 1 || got[0] != "review-the-hold navigator:duty Fri 20 17:00" {
		t.Errorf("got %v", got)
	}
	must(w.closeJourney(r, careStarted(), navigatorOf("RXX")))
	refuse("closing a closed one", w.closeJourney(r, careStarted(), navigatorOf("RXX")))
	refuse("holding a closed one", w.hold(r, hold, navigatorOf("RXX")))
	refuse("releasing a closed one", w.release(r, navigatorOf("RXX")))
	if len(w.transitions) != 3 || w.transitions[2].By != "navigator@RXX/someone" ||
		w.transitions[2].State != journeyClosed || w.transitions[2].At != 4 {
		t.Errorf("got %+v", w.transitions)
	}
	stub := &record{ID: aJourney, State: journeyOpen}
	refuse("holding nobody knows whom", at(3).hold(stub, hold, navigatorOf("RXX")))
}

func TestNobodyIsPutOffForLongerThanSixMonths(t *testing.T) {
	t.Parallel()
	w := at(20)
	for due, want := range map[time.Time]int{w.now.AddDate(0, 6, 0): 200, w.now.AddDate(0, 7, 0): 422,
		w.now.AddDate(73, 0, 0): 422, w.now: 422} {
		if status, says := refusal(t, checkNext(schemas.StepNext{Kind: "ring-back", Owner: "team:liaison", DueAt: due},
			nil, w.now)); status != want {
			t.Errorf("due at %s: %d %q, want %d", due, status, says, want)
		}
	}
}
