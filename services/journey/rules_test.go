package journey

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

const aJourney = "0193a000-0000-7000-8000-000000000001"

var someOwners = Owners{Navigator: "navigator:duty", Deputy: "navigator:deputy", OutOfHours: "team:out-of-hours"}

func london(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// teller says events of journeys, numbering them as their service would.
type teller struct {
	journey string
	at      time.Time
	day     time.Time // of leaving hospital; every date that is said counts from it
	events  []flow.Event
	said    map[string]int64
}

func newTeller() *teller {
	return tellerFrom(aJourney, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
}

func tellerFrom(journey string, at time.Time) *teller {
	return &teller{journey: journey, at: at, day: at.Truncate(24 * time.Hour), said: map[string]int64{}}
}

func (s *teller) on(days int) string { return s.day.AddDate(0, 0, days).Format(time.DateOnly) }

func (s *teller) say(typ schemas.Type, data any) flow.Event {
	entry, _ := schemas.Lookup(typ)
	s.said[entry.By]++
	s.at = s.at.Add(time.Minute)
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	e := flow.Event{
		ID: fmt.Sprintf("0193a000-0000-7000-9000-%012d", len(s.events)+1), Source: "/footbridge/" + entry.By,
		Type: string(typ), Subject: s.journey,
		Correlation: "first", Sequence: flow.FormatSequence(s.said[entry.By]), Time: s.at, Data: text,
	}
	s.events = append(s.events, e)
	return e
}

func (s *teller) discharge(flags ...string) {
	s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v",
		LeftOn: s.on(0), Flags: flags})
}

func (s *teller) consent(given bool, purposes ...string) {
	t := schemas.ConsentDeclined
	if given {
		t = schemas.ConsentGiven
	}
	s.say(t, schemas.ConsentData{Purposes: purposes})
}

// sent says that the offer has gone out to its partner.
func (s *teller) sent() {
	s.say(schemas.OfferSent, schemas.OfferSentData{Offer: "o1", Partner: "pa",
		AnswerBy: s.day.AddDate(0, 0, 2).Add(17 * time.Hour)})
}

func (s *teller) offer(late bool) {
	s.say(schemas.OfferRaised, schemas.OfferRaisedData{Offer: "o1", Person: "p", Partner: "pa", FirstDay: s.on(7),
		LastDay: s.on(14), Late: late,
		AnswerBy: s.day.AddDate(0, 0, 2).Add(17 * time.Hour)})
}

// tell applies events to a journey, batch by batch, and returns what was emitted.
func tell(t testing.TB, r *record, batches ...[]flow.Event) []flow.Emission {
	t.Helper()
	s := &Service{owners: someOwners, zone: london(t)}
	var all []flow.Emission
	for _, batch := range batches {
		emissions, err := s.apply(&pgx.Batch{}, time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC),
			map[string]*record{aJourney: r}, batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, emissions...)
	}
	return all
}

// openSteps lists the open steps as "kind owner due", sorted.
func openStepsOf(r *record, zone *time.Location) []string {
	var open []string
	for _, s := range r.Steps {
		if s.State == stateOpen {
			open = append(open, s.Kind+" "+s.Owner+" "+s.DueAt.In(zone).Format("Mon 2 15:04"))
		}
	}
	slices.Sort(open)
	return open
}

func TestWhatHappensNext(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tell func(s *teller)
		want []string
	}{
		"a discharge from a feed carries no consent": {func(s *teller) { s.discharge() },
			[]string{"ask-the-person team:liaison Tue 3 10:00"}},
		"consent came first": {func(s *teller) { s.consent(true, "follow-up"); s.discharge() },
			[]string{"arrange-follow-up navigator:duty Tue 3 17:00"}},
		"consent and an offer": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up")
			s.offer(false)
		}, []string{"tell-the-partner navigator:duty Tue 3 17:00"}},
		"and the offer has gone out": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up")
			s.offer(false)
			s.sent()
		}, []string{"partner-answers partner:pa Wed 4 17:00"}},
		"an offer before consent": {func(s *teller) { s.discharge(); s.offer(false) },
			[]string{"ask-the-person team:liaison Tue 3 10:00"}},
		"a late offer tells the navigator at once": {func(s *teller) { s.discharge(); s.offer(true) },
			[]string{"ask-the-person team:liaison Tue 3 10:00", "late-follow-up navigator:duty Tue 3 17:00"}},
		"a no to all of it": {func(s *teller) {
			s.discharge()
			s.consent(false, "follow-up", "bridging")
		}, []string{"what-next navigator:duty Tue 3 17:00"}},
		"no partner is left": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up")
			s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
		}, []string{"find-a-place navigator:duty Tue 3 17:00", "tell-the-person team:liaison Tue 3 17:00"}},
		"an offer after nobody was left": {func(s *teller) {
			s.discharge()
			s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
			s.consent(true, "follow-up")
			s.offer(false)
			s.sent()
		}, []string{"partner-answers partner:pa Wed 4 17:00", "tell-the-person team:liaison Tue 3 17:00"}},
		"no number came of somebody under 18": {func(s *teller) {
			s.discharge(schemas.FlagUnder18, schemas.FlagNoSafeChannel)
		}, []string{"clinician-decides team:young-people Tue 3 17:00"}},
		"no number came of somebody under 18, and a clinician has decided": {func(s *teller) {
			s.discharge(schemas.FlagUnder18, schemas.FlagNoSafeChannel)
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v",
				Flags: []string{schemas.FlagNoSafeChannel}, MayAnswer: schemas.AnswersPerson})
		}, []string{"ask-how-to-reach team:liaison Tue 3 17:00", "ask-the-person team:liaison Tue 3 10:00"}},
		"nothing statutory is open": {func(s *teller) {
			s.discharge()
			s.say(schemas.GapFound, schemas.GapFoundData{})
		}, []string{"ask-the-person team:liaison Tue 3 10:00", "bridge-the-gap navigator:duty Tue 3 17:00"}},
		"a service was asked": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up")
			s.offer(false)
			s.sent()
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: "talking", By: "sending-team",
				AnswerBy: time.Date(2026, 11, 4, 17, 0, 0, 0, time.UTC)})
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: "team", By: "navigator",
				AnswerBy: time.Date(2026, 11, 4, 17, 0, 0, 0, time.UTC)})
		}, []string{"partner-answers partner:pa Wed 4 17:00", "service-answers navigator:duty Wed 4 17:00",
			"service-answers team:liaison Wed 4 17:00"}},
		"a service that did not reply is asked again": {func(s *teller) {
			s.discharge()
			s.consent(false, "follow-up")
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: "talking", By: "sending-team",
				AnswerBy: time.Date(2026, 11, 4, 17, 0, 0, 0, time.UTC)})
			s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "talking", By: "sending-team",
				Answer: "no-reply"})
		}, []string{"ask-the-service-again team:liaison Tue 3 17:00"}},
		"a service is asked about a no that it agreed not to give": {func(s *teller) {
			s.discharge()
			s.consent(false, "follow-up")
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: "talking", By: "sending-team",
				AnswerBy: time.Date(2026, 11, 4, 17, 0, 0, 0, time.UTC)})
			s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "talking", By: "navigator",
				Answer: "no", Reason: "22", Questioned: true})
		}, []string{"ask-the-service-why navigator:duty Tue 3 17:00"}},
		"a service that answered is not waited for": {func(s *teller) {
			s.discharge()
			s.consent(false, "follow-up")
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: "talking", By: "sending-team"})
			s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: "talking", By: "sending-team",
				Answer: "no"})
		}, []string{"what-next navigator:duty Tue 3 17:00"}},
		"a fact is missing": {func(s *teller) {
			s.discharge()
			s.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age"}})
		}, []string{"ask-the-person team:liaison Tue 3 10:00", "find-out team:liaison Tue 3 17:00"}},
		"somebody waits": {func(s *teller) {
			s.discharge()
			s.say(schemas.BridgingProposed, schemas.BridgingProposedData{Plan: "pl"})
		}, []string{"ask-about-calls team:liaison Tue 3 17:00", "ask-the-person team:liaison Tue 3 10:00"}},
		"a call is planned": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up", "bridging")
			s.offer(false)
			s.sent()
			s.say(schemas.BridgingStarted, schemas.BridgingStartedData{Plan: "pl"})
			s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c", Plan: "pl",
				DueAt: time.Date(2026, 11, 16, 10, 15, 0, 0, time.UTC)})
		}, []string{"bridging-call team:callers Mon 16 10:15", "partner-answers partner:pa Wed 4 17:00"}},
		"calls are paused": {func(s *teller) {
			s.discharge()
			s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c", Plan: "pl",
				DueAt: time.Date(2026, 11, 16, 10, 15, 0, 0, time.UTC)})
			s.say(schemas.BridgingPaused, schemas.BridgingPausedData{Plan: "pl"})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"under 18: the clinician first, nobody asks": {func(s *teller) {
			s.discharge("under-18")
			s.offer(false)
			s.consent(true, "follow-up")
		}, []string{"clinician-decides team:young-people Tue 3 17:00"}},
		"a clinician recorded that the young person may answer": {func(s *teller) {
			s.discharge("under-18")
			s.offer(false)
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
				MayAnswer: schemas.AnswersPerson})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"a clinician recorded that a parent may": {func(s *teller) {
			s.discharge("under-18")
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
				MayAnswer: schemas.AnswersParent})
		}, []string{"ask-the-parent team:liaison Tue 3 10:00"}},
		"a parent was to answer, and the person turned 18": {func(s *teller) {
			s.discharge("under-18")
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
				MayAnswer: schemas.AnswersParent})
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v",
				MayAnswer: schemas.AnswersPerson})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"recorded, and who came back is under 18 still": {func(s *teller) {
			s.discharge("under-18")
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
				MayAnswer: schemas.AnswersParent})
			s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
				Visit: "v2", Flags: []string{"under-18"}})
		}, []string{"clinician-decides team:young-people Tue 3 17:00"}},
		"late and under 18: nobody is asked of it": {func(s *teller) { s.discharge("under-18", "late"); s.offer(true) },
			[]string{"clinician-decides team:young-people Tue 3 17:00", "late-follow-up navigator:duty Tue 3 17:00"}},
		"age unknown: the clinician first": {func(s *teller) { s.discharge("age-unknown") },
			[]string{"clinician-decides team:young-people Tue 3 17:00"}},
		"another record may be the same person": {func(s *teller) { s.discharge("possible-double") },
			[]string{"are-these-one-person navigator:duty Tue 3 17:00"}},
		"they are two people after all": {func(s *teller) {
			s.discharge("possible-double")
			s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{}})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"other flags are shown to a human": {func(s *teller) { s.discharge("left-before-assessment") },
			[]string{"ask-the-person team:liaison Tue 3 10:00", "check-with-the-hospital team:liaison Tue 3 17:00"}},
		"the hospital cancels": {func(s *teller) {
			s.discharge()
			s.consent(true, "follow-up")
			s.offer(false)
			s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
		}, []string{"decide-after-cancellation team:liaison Tue 3 17:00"}},
		"the hospital cancels and discharges again": {func(s *teller) {
			s.discharge()
			s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
			s.discharge()
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"a death is reported": {func(s *teller) {
			s.discharge()
			s.offer(true)
			s.say(schemas.ContactStopped, schemas.ContactStoppedData{})
		}, []string{"confirm-contact-stopped navigator:duty Tue 3 17:00"}},
		"the death was an error": {func(s *teller) {
			s.discharge()
			s.say(schemas.ContactStopped, schemas.ContactStoppedData{})
			s.say(schemas.ContactResumed, schemas.ContactResumedData{})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
		"arrived without its beginning": {func(s *teller) { s.offer(false) },
			[]string{"find-the-beginning navigator:duty Tue 3 17:00"}},
		"a professional's referral": {func(s *teller) {
			s.say(schemas.ReferralRequested, schemas.ReferralRequestedData{Person: "p", Organisation: "RXX",
				Referral: "r"})
		}, []string{"ask-the-person team:liaison Tue 3 10:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
			tc.tell(s)
			for i := range s.events {
				tell(t, r, s.events[i:i+1])
			}
			if got := openStepsOf(r, london(t)); !slices.Equal(got, tc.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), strings.Join(tc.want, "; "))
			}
			for _, step := range r.Steps {
				if !ownerPattern.MatchString(step.Owner) || step.DueAt.IsZero() {
					t.Errorf("step %s has owner %q, due %s", step.Kind, step.Owner, step.DueAt)
				}
			}
		})
	}
}

func TestEveryTypeThatIsHeardIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, typ := range schemas.SubscribedBy(Name) {
		e := flow.Event{Type: string(typ), Subject: aJourney, Data: json.RawMessage(`{}`)}
		if _, ok := heard[typ]; !ok && !aboutMessage(e) {
			t.Errorf("%s is subscribed to and not understood", typ)
		}
		if schemas.Sentence(string(typ)) == "" {
			t.Errorf("%s has no sentence for the person", typ)
		}
	}
}

func TestTheDueDayIsTheNextLocalDayAcrossClockChanges(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"2026-03-28T12:00:00Z": "2026-03-29T16:00:00Z", // the clocks go forward that night
		"2026-10-24T12:00:00Z": "2026-10-25T17:00:00Z", // they go back
		"2026-07-01T23:30:00Z": "2026-07-03T16:00:00Z", // already the 2nd in London
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := (situation{zone: london(t)}).nextDay(when).Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
	}
}

func TestWhatAHumanDidIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	tell(t, r, s.events)
	r.Steps[0].State = stateDone
	r.Steps = append(r.Steps, Step{ID: "n", Kind: stepWhatNext, Basis: byHand + "x", State: stateOpen,
		Owner: "navigator:duty"})
	tell(t, r, []flow.Event{s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})})
	for _, step := range r.Steps {
		if step.Kind == stepAskThePerson && step.State == stateOpen {
			t.Error("the liaison team was asked again to do what they did")
		}
	}
	if got := openStepsOf(r, time.UTC); len(got) != 2 {
		t.Errorf("got %v: the navigator's question is the navigator's to close", openStepsOf(r, time.UTC))
	}
}

func TestAnOverdueStepGainsOwnersAndStays(t *testing.T) {
	t.Parallel()
	zone, due := london(t), time.Date(2026, 11, 3, 17, 0, 0, 0, time.UTC)
	noon, night := time.Date(2026, 11, 4, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 3, 23, 0, 0, 0, time.UTC)
	s := Step{Owner: teamLiaison, DueAt: due, FirstDueAt: due, State: stateOpen}
	var look time.Time
	for _, at := range []time.Time{noon, noon.Add(time.Second)} {
		s.Added, s.Level, look = overdue(s, someOwners, at, calendar.England(), zone)
	}
	if want := []string{"navigator:duty", "navigator:deputy", "team:out-of-hours"}; !slices.Equal(s.Added, want) ||
		s.Level != 2 || !look.IsZero() {
		t.Errorf("got %v at level %d, look again %s", s.Added, s.Level, look)
	}
	if s.Owner != teamLiaison || !s.FirstDueAt.Equal(due) {
		t.Error("the first owner was let off, or the promise moved")
	}
	added, _, look := overdue(Step{Owner: "navigator:duty", DueAt: due}, someOwners, night, calendar.England(), zone)
	if want := []string{"team:out-of-hours", "navigator:deputy"}; !slices.Equal(added, want) ||
		!look.Equal(due.Add(grace)) {
		t.Errorf("at night, from the navigator: got %v, look again %s", added, look)
	}
}

func TestAFormerOwnerStaysUntilTheNewOneAcknowledges(t *testing.T) {
	t.Parallel()
	s := handOn(Step{Owner: teamLiaison}, "team:crisis")
	if s.Owner != teamLiaison || !slices.Contains(s.Added, "team:crisis") {
		t.Errorf("got %+v", s)
	}
	if _, ok := acknowledge(s, "team:other"); ok {
		t.Error("a step was taken by somebody it was not handed to")
	}
	if s, ok := acknowledge(s, "team:crisis"); !ok || s.Owner != "team:crisis" || len(s.Added) != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestJourneyRefusesToStartWithoutItsThreeOwners(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Owners{
		"no navigator":           {Deputy: "navigator:b", OutOfHours: "team:c"},
		"no deputy":              {Navigator: "navigator:a", OutOfHours: "team:c"},
		"nobody out of hours":    {Navigator: "navigator:a", Deputy: "navigator:b"},
		"the deputy is the same": {Navigator: "navigator:a", Deputy: "navigator:a", OutOfHours: "team:c"},
		"an owner without kind":  {Navigator: "duty", Deputy: "navigator:b", OutOfHours: "team:c"},
	} {
		if _, err := New(Config{Owners: o}); err == nil {
			t.Errorf("%s: it started", name)
		}
	}
	if _, err := New(Config{Owners: someOwners}); err != nil {
		t.Error(err)
	}
}

// story draws what the other services could say about one journey.
func story(t *rapid.T) []flow.Event {
	s := newTeller()
	visit, offer := rapid.SampledFrom([]string{"v1", "v2"}), rapid.SampledFrom([]string{"o1", "o2"})
	flags := rapid.SampledFrom([][]string{nil, {}, {"under-18"}, {"late", "merged"}})
	mayAnswer := rapid.SampledFrom([]string{"", "", schemas.AnswersPerson, schemas.AnswersParent})
	purposes := rapid.SampledFrom([][]string{{"follow-up"}, {"bridging"}, {"follow-up", "bridging"}})
	raised := map[string]bool{}
	for range rapid.IntRange(1, 10).Draw(t, "events") {
		s.at = s.at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
		switch rapid.IntRange(0, 21).Draw(t, "kind") {
		case 0, 1:
			s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX",
				Visit: visit.Draw(t, "visit"), Flags: flags.Draw(t, "flags")})
		case 2:
			s.say(schemas.DischargeCorrected,
				schemas.DischargeCorrectedData{Organisation: rapid.SampledFrom([]string{"", "", "RYY", "RZZ"}).Draw(t,
					"placed"),
					Visit: visit.Draw(t, "visit"), Flags: flags.Draw(t, "flags"), MayAnswer: mayAnswer.Draw(t, "who")})
		case 3:
			s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: visit.Draw(t, "visit")})
		case 4:
			s.consent(rapid.Bool().Draw(t, "given"), purposes.Draw(t, "purposes")...)
		case 5:
			s.say(rapid.SampledFrom([]schemas.Type{schemas.ContactStopped, schemas.ContactResumed}).Draw(t, "contact"),
				schemas.ContactStoppedData{})
		case 6:
			s.say(rapid.SampledFrom([]schemas.Type{schemas.GapFound, schemas.InformationNeeded,
				schemas.PathwayDecided}).Draw(t, "threshold"), struct{}{})
		case 7:
			id := offer.Draw(t, "offer")
			if !raised[id] {
				raised[id] = true
				s.say(schemas.OfferRaised, schemas.OfferRaisedData{Offer: id, Partner: "pa",
					AnswerBy: s.at.Add(48 * time.Hour), Late: rapid.Bool().Draw(t, "late")})
			}
		case 11:
			s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: visit.Draw(t, "service"), By: "sending-team",
				AnswerBy: s.at.Add(48 * time.Hour)})
		case 12:
			s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: visit.Draw(t, "service"),
				By:     "navigator",
				Answer: rapid.SampledFrom([]string{"yes", "no", "no-reply"}).Draw(t, "answer")})
		case 13, 14, 15:
			offered(t, s, offer.Draw(t, "offer"))
		case 16, 17:
			rung(t, s)
		case 18:
			s.say(schemas.InformationSupplied,
				schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(rapid.IntRange(17, 18).Draw(t, "age")),
					AgeRisesOn: new(s.on(90))},
					NotSaid: rapid.SampledFrom([][]string{nil, {"areaGP"}}).Draw(t, "not said")})
		case 19:
			s.say(schemas.InformationNeeded,
				schemas.InformationNeededData{Facts: rapid.SampledFrom([][]string{{"age"}, {"age", "areaGP"}}).Draw(t,
					"needed")})
		case 20:
			s.say(schemas.PreferencesChanged,
				schemas.PreferencesChangedData{Reachable: rapid.Bool().Draw(t, "reachable")})
		case 8:
			s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: offer.Draw(t, "offer")})
		case 9:
			s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
		case 10:
			s.say(rapid.SampledFrom([]schemas.Type{schemas.BridgingProposed, schemas.BridgingStarted,
				schemas.BridgingPaused}).Draw(t, "plan"), schemas.BridgingProposedData{Plan: "pl"})
		default:
			s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: fmt.Sprint("c", len(s.events)), Plan: "pl",
				DueAt: s.at.Add(14 * 24 * time.Hour)})
		}
	}
	return s.events
}

// offered draws what may become of an offer.
func offered(t *rapid.T, s *teller, offer string) {
	by, meeting := s.at.Add(48*time.Hour), rapid.SampledFrom([]string{"a1", "a2"}).Draw(t, "meeting")
	switch rapid.IntRange(0, 15).Draw(t, "offered") {
	case 0, 1:
		s.say(schemas.OfferSent, schemas.OfferSentData{Offer: offer, Partner: "pa", AnswerBy: by})
	case 2, 3:
		d := schemas.OfferAcceptedData{Offer: offer, Partner: "pa"}
		if rapid.Bool().Draw(t, "waits") {
			d.PersonAnswersBy = &by
		}
		s.say(schemas.OfferAccepted, d)
	case 4:
		s.say(schemas.OfferConfirmed, schemas.OfferConfirmedData{Offer: offer, BookBy: by})
	case 5:
		s.say(schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: offer, Appointment: meeting,
			Partner: "pa", StartsAt: by, OutcomeBy: by})
	case 6:
		s.say(schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: offer, Appointment: meeting})
	case 7:
		s.say(schemas.AppointmentNotKept, schemas.AppointmentNotKeptData{Offer: offer, Appointment: meeting})
	case 8:
		s.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: offer, Appointment: meeting,
			RingBy: &by})
	case 9:
		s.say(schemas.OfferPassedOn, schemas.OfferPassedOnData{Offer: offer, Partner: "pa"})
	case 10:
		s.say(schemas.OfferHandedBack, schemas.OfferHandedBackData{Offer: offer, Reason: "closing"})
	case 11:
		s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: offer})
	case 12:
		s.say(schemas.DeliveryFailed, schemas.DeliveryFailedData{Offer: offer, Partner: "pa"})
	case 13:
		s.say(schemas.ReferrerUntold, schemas.ReferrerUntoldData{Referrer: "RXX"})
	case 14:
		s.say(schemas.ReferrerTold, schemas.ReferrerToldData{Referrer: "RXX"})
	default:
		s.say(schemas.OfferQuestioned, schemas.OfferQuestionedData{Offer: offer, Question: "q", About: "hours"})
	}
}

// rung draws what may become of calls, and help that is asked for.
func rung(t *rapid.T, s *teller) {
	call := rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "call")
	switch rapid.IntRange(0, 6).Draw(t, "rung") {
	case 0:
		s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: call, Plan: "pl", DueAt: s.at.Add(24 * time.Hour)})
	case 1:
		s.say(schemas.CallReached, schemas.CallReachedData{Call: call, Plan: "pl"})
	case 2:
		s.say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: call, Why: "no-answer", Again: s.on(3),
			Navigator: rapid.Bool().Draw(t, "navigator")})
	case 3:
		s.say(schemas.CallOtherPerson,
			schemas.CallOtherPersonData{Call: call, Navigator: rapid.Bool().Draw(t, "navigator")})
	case 4:
		s.say(schemas.AskedToStop, schemas.AskedToStopData{Call: call, By: schemas.StoppedByOther, At: s.at})
	case 5:
		s.say(schemas.HelpRequested, schemas.HelpRequestedData{Help: call,
			Kind:  rapid.SampledFrom([]string{"needed-now", "safety", "worse"}).Draw(t, "help"),
			DueAt: s.at.Add(time.Hour)})
	default:
		s.say(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: call})
	}
}

// These steps are opened once for something that may be said several times; when they are due counts from the first
// time it arrived.
var dueByArrival = []string{stepWhatNext, stepFindBeginning, stepFindOut, stepBridgeGap, stepFindPlace}

func endOf(r *record) string {
	var open []string
	for _, s := range r.Steps {
		if s.State != stateOpen {
			continue
		}
		line := s.Kind + " " + s.Basis + " " + s.Owner
		if !slices.Contains(dueByArrival, s.Kind) {
			line += s.DueAt.String()
		}
		open = append(open, line)
	}
	slices.Sort(open)
	known, _ := json.Marshal(r.JourneyState)
	return strings.Join(open, "\n") + "\n" + string(known)
}

func TestAnyOrderOfAJourneysEventsEndsInTheSameSteps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt)
		inOrder, asTheyCame, oneByOne := &record{ID: aJourney, State: journeyOpen},
			&record{ID: aJourney, State: journeyOpen}, &record{ID: aJourney, State: journeyOpen}
		tell(t, inOrder, events)
		shuffled := rapid.Permutation(events).Draw(rt, "arrival")
		shuffled = append(shuffled, shuffled[:rapid.IntRange(0, len(shuffled)).Draw(rt, "repeated")]...)
		cut := rapid.IntRange(0, len(shuffled)).Draw(rt, "batch")
		tell(t, asTheyCame, shuffled[:cut], shuffled[cut:])
		for i := range shuffled {
			tell(t, oneByOne, shuffled[i:i+1])
			if _, ok := holding(oneByOne.Steps); !ok {
				rt.Fatalf("after %s the journey has no open step", shuffled[i].Type)
			}
		}
		want := endOf(inOrder)
		if got := endOf(asTheyCame); got != want {
			rt.Fatalf("in order:\n%s\nas they came:\n%s", want, got)
		}
		if got := endOf(oneByOne); got != want {
			rt.Fatalf("in order:\n%s\none by one:\n%s", want, got)
		}
	})
}

func TestWhateverHumansDoAnOpenJourneyHasAStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt)
		r := &record{ID: aJourney, State: journeyOpen}
		for i := range events {
			tell(t, r, events[i:i+1])
			w := writes{owners: someOwners, zone: time.UTC, now: events[i].Time}
			turnSomehow(rt, &w, r)
			for _, s := range slices.Clone(r.Steps) {
				if by, ok := whoEnds(s); ok && s.State == stateOpen && rapid.Bool().Draw(rt, "done") {
					_ = w.done(r, s.ID, aWord(w.now), by) // what is refused changes nothing
				}
			}
			_, held := holding(r.Steps)
			switch {
			case r.State != journeyClosed && !held:
				rt.Fatalf("after %s the %s journey has no open step", events[i].Type, r.State)
			case r.State == journeyClosed &&
				slices.ContainsFunc(openOnes(r.Steps), func(s Step) bool { return !outlivesClosing(s) }):
				rt.Fatalf("after %s the closed journey has steps: %v", events[i].Type, openStepsOf(r, time.UTC))
			case (r.State == journeyClosed) != (r.JourneyState.Closed != nil) ||
				(r.State == journeyOnHold) != (r.JourneyState.Hold != nil):
				rt.Fatalf("a %s journey knows of hold %v and closing %v", r.State, r.JourneyState.Hold,
					r.JourneyState.Closed)
			}
		}
	})
}

// outlivesClosing says that a step is seen to on a closed journey too.
func outlivesClosing(s Step) bool {
	return strings.HasPrefix(s.Kind, helpKind) ||
		slices.Contains([]string{stepRingPartner, stepReachPartner, stepTellReferrer, stepRingCaller,
			stepDeletion, stepDeletionLate}, s.Kind)
}

// turnSomehow tries one of the four; what is refused changes nothing.
func turnSomehow(rt *rapid.T, w *writes, r *record) {
	by, before := navigatorOf("RXX"), fmt.Sprint(r.State, r.Version, len(r.Steps))
	var err error
	switch rapid.IntRange(0, 5).Draw(rt, "turn") {
	case 0:
		err = w.hold(r, Hold{Place: "ward", OnHoldBy: "ward-team",
			ReviewOn: w.now.AddDate(0, 0, 7).Format(time.DateOnly)}, by)
	case 1:
		err = w.release(r, by)
	case 2:
		err = w.closeJourney(r, Closing{Reason: schemas.ClosedInError, Told: schemas.ToldNobody,
			WayBack: schemas.WayBackNone}, by)
	case 3:
		err = w.reopen(r, by)
	}
	if err != nil && fmt.Sprint(r.State, r.Version, len(r.Steps)) != before {
		rt.Fatalf("refused, and changed all the same: %v", err)
	}
}

func TestOpeningIsSaidOnceAndWithItsNextStep(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.offer(false)
	s.discharge()
	s.discharge()
	var said []flow.Emission
	for i := range s.events {
		said = append(said, tell(t, r, s.events[i:i+1])...)
	}
	if len(said) != 1 || said[0].Type != string(schemas.JourneyOpened) || said[0].Version != 1 {
		t.Fatalf("got %+v", said)
	}
	if d := said[0].Data.(schemas.JourneyOpenedData); d.Next.Kind != stepAskThePerson || d.Organisation != "RXX" {
		t.Errorf("got %+v", d)
	}
}

func TestLinesHoldCodesAndNobodysIdentifier(t *testing.T) {
	t.Parallel()
	s := newTeller()
	s.discharge()
	s.offer(false)
	s.say(schemas.BridgingStarted, schemas.BridgingStartedData{Plan: "pl"})
	for _, e := range s.events {
		details, err := apply(&JourneyState{}, e)
		if err != nil {
			t.Fatal(err)
		}
		var shown map[string]any
		if err := json.Unmarshal(details, &shown); err != nil {
			t.Fatal(err)
		}
		for key := range maps.Keys(shown) {
			if slices.Contains([]string{"person", "partner", "visit", "plan", "offer", "waitingOn"}, key) {
				t.Errorf("the line of %s shows %q", e.Type, key)
			}
		}
	}
}

func TestAPathwaysLineCountsWhatIsOpen(t *testing.T) {
	t.Parallel()
	e := newTeller().say(schemas.PathwayDecided, schemas.PathwayDecidedData{Open: []string{"svc-b"},
		OpenIf: []string{"svc-a", "svc-c"}})
	var k JourneyState
	details, err := apply(&k, e)
	if err != nil || string(details) != `{"open":1,"open-if":2}` {
		t.Errorf("the line shows %s, %v", details, err)
	}
}

func TestEachRungIsAtAnAllowedHourOfItsOwnDay(t *testing.T) {
	t.Parallel()
	for at, want := range map[string][]string{
		"2026-11-02T13:20:00Z": {"Tue 3 13:20", "Thu 5 13:20", "Sat 7 13:20"},
		"2026-11-02T03:00:00Z": {"Tue 3 10:00", "Thu 5 10:00", "Sat 7 10:00"},
		"2026-11-02T22:30:00Z": {"Tue 3 19:00", "Thu 5 19:00", "Sat 7 19:00"},
		"2026-10-24T08:30:00Z": {"Sun 25 10:00", "Tue 27 10:00", "Thu 29 10:00"}, // the clocks go back
		"2026-03-28T18:30:00Z": {"Sun 29 19:00", "Tue 31 19:00", "Thu 2 19:00"},  // they go forward
	} {
		from, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		var k JourneyState
		k.Contact.When = from
		for rung := range ladder {
			if got := k.askBy(rung, london(t)).In(london(t)).Format("Mon 2 15:04"); got != want[rung] {
				t.Errorf("%s, rung %d: %s, want %s", at, rung+1, got, want[rung])
			}
		}
	}
}

// Whoever can be rung safely at some hours of the day alone is asked within those, whatever they are asked.
func TestWhoeverNamedHoursIsAskedWithinThem(t *testing.T) {
	t.Parallel()
	for hours, want := range map[schemas.ContactHours][2]string{
		{}:                         {"13:21", "17:00"},
		{FromHour: 8, ToHour: 10}:  {"10:00", "10:00"},
		{FromHour: 20, ToHour: 22}: {"20:00", "20:00"},
	} {
		s := newTeller()
		s.at = time.Date(2026, 11, 2, 13, 20, 0, 0, time.UTC)
		s.discharge()
		s.say(schemas.BridgingProposed, schemas.BridgingProposedData{Plan: "p1"})
		s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{Hours: &hours})
		r := &record{ID: aJourney, State: journeyOpen}
		tell(t, r, s.events)
		for i, kind := range []string{stepAskThePerson, stepAskAboutCalls} {
			if got := theStep(t, r, kind).DueAt.In(london(t)).Format("15:04"); got != want[i] {
				t.Errorf("%v: %s is due at %s, want %s", hours, kind, got, want[i])
			}
		}
	}
}

func TestAskingClimbsTheLadderAndThenANamedHumanDecides(t *testing.T) {
	t.Parallel()
	recorded := time.Date(2026, 3, 2, 13, 0, 0, 0, time.UTC)
	owners := Owners{Navigator: "navigator:duty"}
	step := Step{Kind: stepAskThePerson, Basis: "v/1"}
	steps := []Step{{Kind: stepAskThePerson, Basis: "v/1", State: stateDone}}
	var k JourneyState
	k.Contact.When = recorded
	for _, want := range []struct {
		kind string
		due  time.Time
	}{{stepAskThePerson, recorded.Add(72 * time.Hour)}, {stepAskThePerson, recorded.Add(5 * 24 * time.Hour)},
		{stepNotReached, recorded.Add(6 * 24 * time.Hour)}} {
		next := askAgain(step, owners, &k, london(t))
		if next.Kind != want.kind || !next.DueAt.Equal(want.due) {
			t.Fatalf("got %+v, want %+v", next, want)
		}
		step = Step{Kind: next.Kind, Basis: next.Basis, State: stateOpen}
		steps = append(steps, step)
		if climbed := climb([]DesiredStep{{Kind: stepAskThePerson, Basis: "v/1"}}, steps, owners, &k,
			london(t)); climbed[0].Basis != next.Basis || climbed[0].Kind != next.Kind {
			t.Errorf("later events ask for %+v, which is not the rung reached, %+v", climbed[0], next)
		}
	}
	if next := askAgain(step, owners, &k, london(t)); next.Kind != "" {
		t.Errorf("the ladder goes on with %+v", next)
	}
}

// A no to one partner ends nothing else: the person is still to be asked about the others, in whichever order it is
// heard.
func TestANoToOnePartnerIsNoAnswerToThePurpose(t *testing.T) {
	t.Parallel()
	to := func(organisation string) schemas.ConsentData {
		return schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, Organisation: organisation}
	}
	var k JourneyState
	k.addConsent(to("a"), schemas.Answered{At: 1, When: time.Time{}, Yes: false})
	if a := k.answer(schemas.PurposeFollowUp); a.At != 0 {
		t.Errorf("a no to one counts as %+v", a)
	}
	k.addConsent(to("b"), schemas.Answered{At: 2, When: time.Time{}, Yes: true})
	if a := k.answer(schemas.PurposeFollowUp); !a.is(true) {
		t.Errorf("with a yes to another it counts as %+v", a)
	}
	k.addConsent(to("b"), schemas.Answered{At: 3, When: time.Time{}, Yes: false})
	if a := k.answer(schemas.PurposeFollowUp); a.is(true) {
		t.Errorf("with that taken back it counts as %+v", a)
	}
	k.addConsent(to(""), schemas.Answered{At: 4, When: time.Time{}, Yes: false})
	if a := k.answer(schemas.PurposeFollowUp); !a.is(false) {
		t.Errorf("a no to all counts as %+v", a)
	}
}

// Whoever names an owner in a request has not become one: a step is taken on for a team, or a post, of one's own.
func TestNobodyTakesAStepOnForAnother(t *testing.T) {
	t.Parallel()
	deputy := ofRole(schemas.Navigator)
	deputy.Team = someOwners.Deputy
	for name, tc := range map[string]struct {
		by   principal.Principal
		want []string
	}{
		"the liaison team":           {ofRole(schemas.SendingTeam), []string{teamLiaison}},
		"a navigator":                {ofRole(schemas.Navigator), []string{someOwners.Navigator}},
		"the deputy":                 {deputy, []string{someOwners.Deputy}},
		"a young people's clinician": {ofRole(schemas.YoungPeoplesClinician), []string{teamYoungPeople}},
		"a caller":                   {ofRole(schemas.Caller), nil}, "a partner": {ofRole(schemas.Partner), nil},
		"an operator": {ofRole(schemas.Operator), nil}, "the person": {ofRole(schemas.Person), nil},
	} {
		s := Step{Owner: teamLiaison, Added: []string{someOwners.Navigator, someOwners.Deputy, teamYoungPeople,
			"partner:p-1", "service:s-1"}}
		if _, takeOn := someOwners.mayWith(s, tc.by); !slices.Equal(takeOn, tc.want) && len(takeOn)+len(tc.want) > 0 {
			t.Errorf("%s takes on as %v, want %v", name, takeOn, tc.want)
		}
	}
}

// A navigator sees to it before the last day of a window that is about to pass without a session in it.
func TestANavigatorHoldsAWindowThatPassesWithoutASession(t *testing.T) {
	t.Parallel()
	late := func(s *teller) {
		s.say(schemas.OfferNotInTime, schemas.OfferNotInTimeData{Offer: "o1", LastDay: s.on(14)})
	}
	booked := func(days int) func(s *teller) {
		return func(s *teller) {
			s.say(schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: "o1", Appointment: "a1",
				Partner:  "pa",
				StartsAt: s.at.Add(96 * time.Hour), On: s.on(days), OutcomeBy: s.at.Add(120 * time.Hour)})
		}
	}
	const held = "late-follow-up navigator:duty Tue 3 17:00"
	for name, tc := range map[string]struct {
		said []func(s *teller)
		want string
	}{
		"days are left":         {nil, ""},
		"no time is agreed on":  {[]func(s *teller){late}, held},
		"it is on the last day": {[]func(s *teller){late, booked(14)}, ""},
		"it is a day later":     {[]func(s *teller){booked(15), late}, held},
		"it is called off": {[]func(s *teller){booked(10), func(s *teller) {
			s.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: "o1", Appointment: "a1"})
		}, late}, held},
		"it is missed days later, within it": {[]func(s *teller){late, booked(14), func(s *teller) {
			s.at = s.at.AddDate(0, 0, 3)
			s.say(schemas.AppointmentNotKept, schemas.AppointmentNotKeptData{Offer: "o1", Appointment: "a1",
				BookBy: new(s.at)})
		}}, "late-follow-up navigator:duty Fri 6 17:00"},
		"a new window": {[]func(s *teller){late, func(s *teller) { s.offer(false) }}, ""},
	} {
		s, r := tellerOf(aJourney), &record{ID: aJourney, State: journeyOpen}
		s.taken(false)
		for _, say := range tc.said {
			say(s)
		}
		tell(t, r, s.events)
		got := slices.DeleteFunc(openStepsOf(r, time.UTC),
			func(step string) bool { return !strings.HasPrefix(step, stepLateFollowUp) })
		if strings.Join(got, "; ") != tc.want {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}

// What a partner answers has a line that somebody can read, and the step that follows from it.
func TestWhatAPartnerAnswersHasALineAndAStep(t *testing.T) {
	t.Parallel()
	accepted := func(s *teller) {
		s.say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: "o1", Partner: "pa",
			AgreementUntil: "2027-11-01"})
	}
	for name, tc := range map[string]struct {
		said func(s *teller)
		line schemas.Type
		want string
	}{
		"accepted": {accepted, schemas.OfferAccepted, "introduce partner:pa Wed 4 17:00; " +
			"partner-arranges partner:pa Wed 4 17:00"},
		"declined": {func(s *teller) {
			s.say(schemas.OfferDeclined, schemas.OfferDeclinedData{Offer: "o1", Reason: "capacity"})
		}, schemas.OfferDeclined, "arrange-follow-up navigator:duty Tue 3 17:00; tell-the-person team:liaison Tue 3 " +
			"17:00"},
		"handed back": {func(s *teller) {
			accepted(s)
			s.say(schemas.OfferHandedBack, schemas.OfferHandedBackData{Offer: "o1", Reason: "worker-ill"})
		}, schemas.OfferHandedBack, "arrange-follow-up navigator:duty Tue 3 17:00; confirm-deletion partner:pa Thu 5 " +
			"17:00; " +
			"deletion-unconfirmed team:information-governance Mon 9 17:00; tell-the-person team:liaison Tue 3 17:00"},
		"completed": {func(s *teller) {
			accepted(s)
			s.say(schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: "o1", CompletedOn: "2026-11-02"})
		},
			schemas.FollowupCompleted, "what-next navigator:duty Tue 3 17:00"},
	} {
		for _, order := range []func([]flow.Event) []flow.Event{slices.Clone[[]flow.Event], reversed} {
			s, r := tellerOf(aJourney), &record{ID: aJourney, State: journeyOpen}
			s.discharge()
			s.consent(true, schemas.PurposeFollowUp)
			s.offer(false)
			s.sent()
			tc.said(s)
			tell(t, r, order(s.events))
			if got := openStepsOf(r, time.UTC); strings.Join(got, "; ") != tc.want {
				t.Errorf("%s: %v, want %s", name, got, tc.want)
			}
		}
		if text := Sentence(string(tc.line), nil); text == "" || text == string(tc.line) {
			t.Errorf("%s has no sentence", name)
		}
	}
}
