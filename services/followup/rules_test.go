package followup

import (
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

func day(t *testing.T, s string) calendar.Day {
	t.Helper()
	d, err := calendar.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func london(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestWindowIsDaySevenToDayFourteen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ left, raised, first, last, answer string }{
		"an ordinary Monday": {"2026-11-02", "2026-11-02", "2026-11-09", "2026-11-16",
			"2026-11-04T17:00:00Z"},
		"the clocks go forward inside it": {"2026-03-20", "2026-03-20", "2026-03-27", "2026-04-03",
			"2026-03-24T17:00:00Z"},
		"answer after the clocks go forward": {"2026-03-27", "2026-03-27", "2026-04-03", "2026-04-10",
			"2026-03-31T16:00:00Z"},
		"the clocks go back inside it": {"2026-10-20", "2026-10-20", "2026-10-27", "2026-11-03",
			"2026-10-22T16:00:00Z"},
		"answer after the clocks go back": {"2026-10-23", "2026-10-23", "2026-10-30", "2026-11-06",
			"2026-10-27T17:00:00Z"},
		"20 December, a Sunday": {"2026-12-20", "2026-12-20", "2026-12-27", "2027-01-03",
			"2026-12-22T17:00:00Z"},
		"Christmas Eve: two working days on": {"2026-12-24", "2026-12-24", "2026-12-31", "2027-01-07",
			"2026-12-30T17:00:00Z"},
		"raised on day 9, five days are left": {"2026-11-02", "2026-11-11", "2026-11-09", "2026-11-16",
			"2026-11-13T17:00:00Z"},
		"bounded so that three days remain": {"2026-12-15", "2026-12-24", "2026-12-22", "2026-12-29",
			"2026-12-26T17:00:00Z"},
		"discharge in the future": {"2026-11-10", "2026-11-02", "2026-11-17", "2026-11-24",
			"2026-11-04T17:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			today := day(t, tc.raised)
			w := windowOf(day(t, tc.left), today)
			by := answerBy(w, today, Partner{Works: calendar.MondayToFriday}, calendar.England(),
				london(t)).Format(time.RFC3339)
			if w.First.String() != tc.first || w.Last.String() != tc.last || w.Late || by != tc.answer {
				t.Errorf("got %s to %s, late %v, answer by %s", w.First, w.Last, w.Late, by)
			}
		})
	}
}

func TestLateCodingStartsTheWindowAnew(t *testing.T) {
	t.Parallel()
	left := day(t, "2026-11-02")
	for raised, late := range map[string]bool{"2026-11-11": false, "2026-11-12": true, "2026-11-16": true,
		"2027-02-01": true} {
		today := day(t, raised)
		w := windowOf(left, today)
		if w.Late != late {
			t.Errorf("raised %s: late is %v", raised, w.Late)
		}
		if late && (w.First != today || w.Last != today+14) {
			t.Errorf("raised %s: window %s to %s", raised, w.First, w.Last)
		}
	}
}

func TestTheDayCountsByTheLocalClockOfTheRaising(t *testing.T) {
	t.Parallel()
	raisedAt := time.Date(2026, 7, 11, 23, 30, 0, 0, time.UTC) // half past midnight on the 12th in London
	w := windowOf(day(t, "2026-07-02"), calendar.DayOf(raisedAt, london(t)))
	if !w.Late {
		t.Error("on the 12th only four days of the window are left; it was counted in UTC")
	}
}

func TestAPartnerThatWorksWeekendsAnswersSooner(t *testing.T) {
	t.Parallel()
	week, err := Week([]string{"Sat", "sunday", "mon"})
	if err != nil {
		t.Fatal(err)
	}
	today := day(t, "2026-11-06") // a Friday
	by := answerBy(windowOf(today, today), today, Partner{Works: week}, calendar.England(), london(t))
	if by.Format(time.RFC3339) != "2026-11-08T17:00:00Z" {
		t.Errorf("got %s", by)
	}
	if _, err := Week([]string{"weekday"}); err == nil {
		t.Error("a day that is no day was taken")
	}
}

const partnerA, partnerB = "0193a000-0000-7000-8000-00000000000a", "0193a000-0000-7000-8000-00000000000b"

func partnersAB() []Partner {
	return []Partner{
		{ID: partnerA, Service: "svc-a", Works: calendar.MondayToFriday, Rank: 2},
		{ID: partnerB, Service: "svc-b", Works: calendar.MondayToFriday, Rank: 1},
	}
}

func thirdSector(service string, door schemas.Eligibility) schemas.ServiceEligibility {
	return schemas.ServiceEligibility{Service: service, Sector: "third-sector", Kind: "peer-follow-up",
		Eligibility: door}
}

// doorsOf is a decision as the bus carries it: the services that are open, and open if a fact turns out so.
func doorsOf(doors ...schemas.ServiceEligibility) schemas.PathwayDecidedData {
	d := schemas.PathwayDecidedData{Open: []string{}}
	for _, one := range doors {
		switch one.Eligibility {
		case schemas.Eligible:
			d.Open = append(d.Open, one.Service)
		case schemas.EligibleIf:
			d.OpenIf = append(d.OpenIf, one.Service)
		}
	}
	return d
}

// atDay is the morning of a day.
func atDay(t *testing.T, d calendar.Day) Moment {
	t.Helper()
	return Moment{Now: d.At(10, 0, london(t)), Zone: london(t), Holidays: calendar.England()}
}

// firstAsked is the partner that is asked first on 2 November, none where nobody is.
func firstAsked(t *testing.T, k *JourneyState) Partner {
	t.Helper()
	today := day(t, "2026-11-02")
	if fits := fitting(considered(k, nil, partnersAB(), atDay(t, today), today+11)); len(fits) > 0 {
		return fits[0].Partner
	}
	return Partner{}
}

// inLine is what brings an offer in line with what is known on a day.
func inLine(t *testing.T, k *JourneyState, open *Offer, was Status, today calendar.Day) Changes {
	t.Helper()
	return reconcile(k, desiredOffer(k, nil, partnersAB(), atDay(t, today)), open, nil, was, atDay(t, today),
		partnersAB())
}

func TestUnknownIsNotNoWhenAPartnerIsChosen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		doors []schemas.ServiceEligibility
		want  string
	}{
		"open": {[]schemas.ServiceEligibility{thirdSector("svc-a", schemas.Eligible)},
			partnerA},
		"open if a missing fact fits": {[]schemas.ServiceEligibility{thirdSector("svc-a", schemas.EligibleIf)},
			partnerA},
		"not open": {[]schemas.ServiceEligibility{thirdSector("svc-a", schemas.NotEligible)},
			""},
		"only a conversation can tell": {[]schemas.ServiceEligibility{thirdSector("svc-a", schemas.TalkAbout)}, ""},
		"the smaller rank is asked first": {[]schemas.ServiceEligibility{thirdSector("svc-a", schemas.Eligible),
			thirdSector("svc-b", schemas.Eligible)}, partnerB},
		"a service nobody runs": {[]schemas.ServiceEligibility{thirdSector("svc-x", schemas.Eligible)}, ""},
	} {
		var k JourneyState
		k.addDecided(1, doorsOf(tc.doors...), partnersAB())
		got := firstAsked(t, &k)
		if got.ID != tc.want {
			t.Errorf("%s: got %q", name, got.ID)
		}
	}
}

func TestALaterDecisionClosesNoDoor(t *testing.T) {
	t.Parallel()
	var k JourneyState
	k.addDecided(1, doorsOf(thirdSector("svc-a", schemas.Eligible)), partnersAB())
	k.addDecided(2, doorsOf(thirdSector("svc-a", schemas.NotEligible), thirdSector("svc-b", schemas.Eligible)),
		partnersAB())
	if got := firstAsked(t, &k); got.ID != partnerA {
		t.Errorf("got %q: the door that opened first stays", got.ID)
	}
}

func TestADoorThatWasOpenOnlyIfClosesWhenTheFactIsKnown(t *testing.T) {
	t.Parallel()
	ifOpen := doorsOf(thirdSector("svc-b", schemas.EligibleIf), thirdSector("svc-a", schemas.EligibleIf))
	known := doorsOf(thirdSector("svc-b", schemas.NotEligible), thirdSector("svc-a", schemas.Eligible))
	for _, inOrder := range []bool{true, false} {
		var k JourneyState
		if inOrder {
			k.addDecided(1, ifOpen, partnersAB())
			if got := firstAsked(t, &k); got.ID != partnerB {
				t.Errorf("got %q while the age is not known", got.ID)
			}
			k.addDecided(2, known, partnersAB())
		} else {
			k.addDecided(2, known, partnersAB())
			k.addDecided(1, ifOpen, partnersAB())
		}
		if got := firstAsked(t, &k); got.ID != partnerA {
			t.Errorf("got %q: a partner for other ages", got.ID)
		}
	}
}

// recorded is a discharge with a decision that opens svc-a: everything an offer needs.
func recorded(flags ...string) *JourneyState {
	var k JourneyState
	k.addRecorded(1, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v", Flags: flags},
		"2026-11-02")
	k.addDecided(1, doorsOf(thirdSector("svc-a", schemas.Eligible)), partnersAB())
	return &k
}

func TestWhatIsWished(t *testing.T) {
	t.Parallel()
	years := 15
	aged := func(k *JourneyState) {
		k.Visits.Change("v", func(v *schemas.Visit) { v.Age(2, &schemas.Facts{Age: &years}, nil) })
	}
	followUp := schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}}
	for name, tc := range map[string]struct {
		reconcile func(k *JourneyState)
		flags     []string
		status    Status
		because   string
		consent   string
	}{
		"nobody has asked the person yet": {func(*JourneyState) {}, nil, Offered, "", "not-asked"},
		"the person said yes": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: true})
		}, nil, Offered, "", "given"},
		"the person said no": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: false})
		}, nil, Refused, "person", ""},
		"a no to all, then a yes to one": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: false})
			k.addConsent(schemas.ConsentData{Purposes: followUp.Purposes, Organisation: partnerA},
				schemas.Answered{At: 3, Yes: true})
		}, nil, Offered, "", "given"},
		"a yes to one, then a no to all": {func(k *JourneyState) {
			k.addConsent(schemas.ConsentData{Purposes: followUp.Purposes, Organisation: partnerA},
				schemas.Answered{At: 2, Yes: true})
			k.addConsent(followUp, schemas.Answered{At: 3, Yes: false})
		}, nil, Refused, "person", ""},
		"a no to something else": {func(k *JourneyState) {
			k.addConsent(schemas.ConsentData{Purposes: []string{schemas.PurposeBridging}},
				schemas.Answered{At: 2, Yes: false})
		}, nil, Offered, "", "not-asked"},
		"a yes older than the no": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 3, Yes: false})
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: true})
		}, nil, Refused, "person", ""},
		"the discharge was cancelled": {func(k *JourneyState) { k.Visits.Withdraw(2, "v") }, nil, Paused,
			"discharge-withdrawn", ""},
		"cancelled, then discharged again": {func(k *JourneyState) {
			k.Visits.Withdraw(2, "v")
			k.Visits["v"] = schemas.Visit{Recorded: 3, Withdrawn: 2, LeftOn: "2026-11-03"}
		}, nil, Offered, "", "not-asked"},
		"under 18, of an age not given: which partner fits is not known": {func(*JourneyState) {},
			[]string{schemas.FlagUnder18}, Paused, "clinician-first", ""},
		"under 18: prepared, nothing is sent": {aged, []string{schemas.FlagUnder18}, Offered,
			"", "not-asked"},
		"under 18: a yes is no yes before the clinician's record": {func(k *JourneyState) {
			aged(k)
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: true})
		}, []string{schemas.FlagUnder18}, Offered, "", "not-asked"},
		"under 18: nor is one to a partner by name": {func(k *JourneyState) {
			aged(k)
			k.addConsent(schemas.ConsentData{Purposes: followUp.Purposes, Organisation: partnerA},
				schemas.Answered{At: 2, Yes: true})
		}, []string{schemas.FlagUnder18}, Offered, "", "not-asked"},
		"under 18: a no is a no": {func(k *JourneyState) {
			aged(k)
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: false})
		}, []string{schemas.FlagUnder18}, Refused, "person", ""},
		"under 18: a yes after the clinician's record": {func(k *JourneyState) {
			aged(k)
			k.addCorrected(2, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
				MayAnswer: schemas.AnswersPerson}, "")
			k.addConsent(followUp, schemas.Answered{At: 3, Yes: true})
		}, []string{schemas.FlagUnder18}, Offered, "", "given"},
		"age unknown: prepared, nothing is sent": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: true})
		}, []string{schemas.FlagAgeUnknown}, Offered, "", "not-asked"},
		"a death was reported": {func(k *JourneyState) { k.Contact.Apply(schemas.Answered{At: 2}) },
			nil, Paused, "contact-stopped", ""},
		"contact stopped and resumed": {func(k *JourneyState) {
			k.Contact.Apply(schemas.Answered{At: 2})
			k.Contact.Apply(schemas.Answered{At: 3, Yes: true})
		}, nil, Offered, "", "not-asked"},
		"the journey is closed": {func(k *JourneyState) { k.Close(1, schemas.JourneyClosedData{}) }, nil, Over,
			"journey-closed", ""},
		"closed, reopened, a yes from before": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: true})
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
			k.goOn(2, "2026-11-09")
		}, nil, Offered, "", "not-asked"},
		"reopened before it was heard that it was closed, a no from before": {func(k *JourneyState) {
			k.addConsent(followUp, schemas.Answered{At: 2, Yes: false})
			k.goOn(2, "2026-11-09")
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
		}, nil, Offered, "", "not-asked"},
		"reopened, and a yes since": {func(k *JourneyState) {
			k.Close(1, schemas.JourneyClosedData{AnsweredUpTo: 2})
			k.goOn(2, "2026-11-09")
			k.addConsent(followUp, schemas.Answered{At: 3, Yes: true})
		}, nil, Offered, "", "given"},
		"no door is open":     {func(k *JourneyState) { k.Open = nil }, nil, Exhausted, "", "not-asked"},
		"nothing decided yet": {func(k *JourneyState) { k.Open, k.Decided = nil, 0 }, nil, Waiting, "", ""},
	} {
		k := recorded(tc.flags...)
		tc.reconcile(k)
		got := desiredOffer(k, nil, partnersAB(), atDay(t, day(t, "2026-11-02")))
		if got.Status != tc.status || got.Because != tc.because || got.Consent != tc.consent {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestACorrectionReplacesWhatHasNotBeenSent(t *testing.T) {
	t.Parallel()
	k, today := recorded(), day(t, "2026-11-02")
	first := inLine(t, k, nil, Waiting, today).Raise
	k.addCorrected(2, schemas.DischargeCorrectedData{Visit: "v"}, "2026-11-01")
	open := *first
	c := inLine(t, k, &open, Offered, today)
	if open.State != stateWithdrawn || open.Because != "replaced" || c.Raise == nil ||
		c.Raise.Window.Last != day(t, "2026-11-15") {
		t.Errorf("got %+v and %+v", open, c)
	}
	k.addConsent(schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, Organisation: partnerA},
		schemas.Answered{At: 3, Yes: true})
	first.State, first.Consent, first.PlacedAt = stateAccepted, consentGiven, now
	if c := inLine(t, k, first, Offered, today); c.Changed || c.Raise != nil {
		t.Errorf("an accepted offer was taken from its partner: %+v", c)
	}
}

func TestAHeldOfferKeepsItsPlaceAndItsWindowStartsAnew(t *testing.T) {
	t.Parallel()
	k := recorded()
	first := inLine(t, k, nil, Waiting, day(t, "2026-11-02")).Raise
	first.ID = "offer"
	answeredBy := first.AnswerBy
	k.Take(schemas.Transition{At: 1, Held: true})
	if c := inLine(t, k, first, Offered, day(t, "2026-11-03")); !first.Paused || !c.Changed || !first.open() {
		t.Fatalf("held: %+v, %+v", first, c)
	}
	k.goOn(2, "2026-11-20")
	c := inLine(t, k, first, Offered, day(t, "2026-11-20"))
	if !c.Changed || c.Raise != nil || first.ID != "offer" || first.Partner != partnerA || first.Paused {
		t.Fatalf("got %+v, %+v", first, c)
	}
	if w := first.Window; w.First != day(t, "2026-11-27") || w.Last != day(t, "2026-12-04") || w.Late ||
		!first.AnswerBy.After(answeredBy) {
		t.Errorf("got %+v, answered by %s", w, first.AnswerBy)
	}
	if again := inLine(t, k, first, Offered, day(t, "2026-11-21")); again.Changed || again.Raise != nil {
		t.Errorf("a day later: %+v", again)
	}
	k.goOn(3, "2026-11-01")
	if w := desiredOffer(k, nil, partnersAB(), atDay(t, day(t, "2026-11-21"))); w.LeftOn != day(t, "2026-11-02") ||
		w.Resumed {
		t.Errorf("a day before leaving hospital counts for nothing: %+v", w)
	}
}

func TestNobodyLeftIsSaidOnce(t *testing.T) {
	t.Parallel()
	w, m := Desired{Status: Exhausted}, atDay(t, day(t, "2026-11-02"))
	if !reconcile(&JourneyState{}, w, nil, nil, Waiting, m, nil).Exhausted {
		t.Error("nobody was told")
	}
	if reconcile(&JourneyState{}, w, nil, nil, Exhausted, m, nil).Exhausted {
		t.Error("it was said twice")
	}
}

// TestAHoldMakesNoNewOfferOfASessionThatTookPlace: nobody is offered what they have had, because they were away in
// between.
func TestAHoldMakesNoNewOfferOfASessionThatTookPlace(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	done := []Offer{{ID: "o", Partner: partnersAB()[0].ID, Visit: "v", State: stateCompleted,
		EndedAt: now.AddDate(0, 0, -8)}}
	for name, tc := range map[string]struct {
		on     func(k *JourneyState)
		status Status
	}{
		"after a hold":    {func(k *JourneyState) { k.goOn(2, "2026-11-19") }, Completed},
		"after a closing": {func(k *JourneyState) { k.reopen(2, "2026-11-19") }, Offered},
		"after a closing, and then a hold": {func(k *JourneyState) {
			k.reopen(2, "2026-11-01")
			k.goOn(3, "2026-11-19")
		}, Completed},
	} {
		k := &JourneyState{}
		k.addRecorded(1, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v"}, "2026-11-02")
		k.addDecided(1, doorsOf(thirdSector("svc-a", schemas.Eligible), thirdSector("svc-b", schemas.Eligible)),
			partnersAB())
		tc.on(k)
		if got := desiredOffer(k, done, partnersAB(),
			Moment{Now: now, Zone: zone, Holidays: calendar.England()}); got.Status != tc.status {
			t.Errorf("%s it is %s, want %s", name, got.Status, tc.status)
		}
	}
}
