package journey

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// ending is how a kind of step comes about, the record that ends it, as the event that follows from it, and another
// record that does not. A kind without an end here ends by somebody's word.
type ending struct {
	opens, by, not func(s *teller)
}

// meeting is the time of a session of the offer.
func (s *teller) booked(id string) {
	s.say(schemas.AppointmentBooked, schemas.AppointmentBookedData{Offer: "o1", Appointment: id, Partner: "pa",
		StartsAt: s.at.Add(96 * time.Hour), OutcomeBy: s.at.Add(120 * time.Hour)})
}

func (s *teller) corrected(flags ...string) {
	s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: append([]string{}, flags...)})
}

func (s *teller) taken(waits bool) {
	s.discharge()
	s.consent(true, schemas.PurposeFollowUp)
	s.offer(false)
	s.sent()
	d := schemas.OfferAcceptedData{Offer: "o1", Partner: "pa"}
	if waits {
		d.PersonAnswersBy = new(s.at.Add(24 * time.Hour))
	}
	s.say(schemas.OfferAccepted, d)
}

func (s *teller) preferences(d schemas.PreferencesChangedData) { s.say(schemas.PreferencesChanged, d) }

func (s *teller) facts(names ...string) {
	facts := schemas.Facts{}
	for _, name := range names {
		switch name {
		case "age":
			facts.Age = new(30)
		case "areaGP":
			facts.AreaGP = new("E06000027")
		}
	}
	s.say(schemas.InformationSupplied, schemas.InformationSuppliedData{Facts: facts})
}

func (s *teller) call(id string) {
	s.discharge()
	s.consent(true, schemas.PurposeBridging)
	s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: id, Plan: "pl", DueAt: s.at.Add(24 * time.Hour)})
}

func (s *teller) asked(service, by string) {
	s.say(schemas.ServiceAsked, schemas.ServiceAskedData{Service: service, By: by, AnswerBy: s.at.Add(48 * time.Hour)})
}

func (s *teller) answered(service, answer string, questioned bool) {
	s.say(schemas.ServiceAnswered, schemas.ServiceAnsweredData{Service: service, Answer: answer, By: "navigator",
		Questioned: questioned})
}

func (s *teller) help(kind string) {
	s.discharge()
	s.say(schemas.HelpRequested, schemas.HelpRequestedData{Help: "h1", Kind: kind, DueAt: s.at.Add(30 * time.Minute)})
}

func helped(s *teller) { s.say(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: "h1"}) }

func helpedElsewhere(s *teller) {
	s.say(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: "h2"})
}

func consented(s *teller) { s.consent(true, schemas.PurposeFollowUp) }

func liked(s *teller) { s.preferences(schemas.PreferencesChangedData{Needs: true}) }

func reached(s *teller) {
	s.preferences(schemas.PreferencesChangedData{Reachable: true, Questions: []string{}})
}

// everyKind is one line for each kind of the table.
var everyKind = map[string]ending{
	stepFindBeginning: {func(s *teller) { s.offer(false) }, func(s *teller) { s.discharge() }, consented},
	stepAfterCancelled: {func(s *teller) {
		s.discharge()
		s.say(schemas.DischargeWithdrawn, schemas.DischargeWithdrawnData{Visit: "v"})
	}, func(s *teller) { s.discharge() }, consented},
	stepContactStopped: {func(s *teller) { s.discharge(); s.say(schemas.ContactStopped, schemas.ContactStoppedData{}) },
		func(s *teller) { s.say(schemas.ContactResumed, schemas.ContactResumedData{}) }, consented},
	stepClinician: {func(s *teller) { s.discharge(schemas.FlagUnder18) }, func(s *teller) {
		s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
			MayAnswer: schemas.AnswersPerson})
	}, consented},
	stepCheck: {func(s *teller) { s.discharge(schemas.FlagNumberInvalid) }, func(s *teller) { s.corrected() },
		consented},
	stepPlace: {func(s *teller) { s.discharge(schemas.FlagUnplaced) }, func(s *teller) { s.corrected() },
		consented},
	stepReach:     {func(s *teller) { s.discharge(schemas.FlagNoSafeChannel) }, reached, liked},
	stepElsewhere: {func(s *teller) { s.discharge(schemas.FlagElsewhere) }, reached, liked},
	stepReturned: {func(s *teller) { s.discharge(); consented(s); s.discharge(schemas.FlagReturned) }, consented,
		func(s *teller) { s.consent(true, schemas.PurposeBridging) }},
	stepOnePerson: {func(s *teller) { s.discharge(schemas.FlagPossibleDouble) }, func(s *teller) { s.corrected() },
		consented},
	stepAskThePerson: {func(s *teller) { s.discharge() }, consented,
		func(s *teller) { s.consent(true, schemas.PurposeBridging) }},
	stepAskTheParent: {func(s *teller) {
		s.discharge(schemas.FlagUnder18)
		s.say(schemas.DischargeCorrected, schemas.DischargeCorrectedData{Visit: "v", Flags: []string{},
			MayAnswer: schemas.AnswersParent})
	}, consented, func(s *teller) { s.consent(true, schemas.PurposeBridging) }},
	stepArrange: {func(s *teller) { s.discharge(); consented(s) }, func(s *teller) { s.offer(false) }, liked},
	stepTellPartner: {func(s *teller) { s.discharge(); consented(s); s.offer(false) }, (*teller).sent, func(s *teller) {
		s.say(schemas.DeliveryMade, schemas.DeliveryMadeData{Offer: "o1", Partner: "pa",
			How: schemas.DeliveryHandedOver})
	}},
	stepPartnerAnswers: {func(s *teller) { s.discharge(); consented(s); s.offer(false); s.sent() },
		func(s *teller) { s.say(schemas.OfferAccepted, schemas.OfferAcceptedData{Offer: "o1", Partner: "pa"}) },
		func(s *teller) { s.say(schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: "o1"}) }},
	stepAnswerPartner: {func(s *teller) {
		s.discharge()
		consented(s)
		s.offer(false)
		s.say(schemas.OfferQuestioned, schemas.OfferQuestionedData{Offer: "o1", Question: "q1", About: "hours"})
	}, func(s *teller) {
		s.say(schemas.OfferQuestionAnswered, schemas.OfferQuestionAnsweredData{Offer: "o1", Question: "q1"})
	}, func(s *teller) {
		s.say(schemas.OfferQuestionAnswered, schemas.OfferQuestionAnsweredData{Offer: "o1", Question: "q2"})
	}},
	stepAskAboutPartner: {func(s *teller) { s.taken(true) }, func(s *teller) {
		s.say(schemas.OfferConfirmed, schemas.OfferConfirmedData{Offer: "o1", BookBy: s.at.Add(48 * time.Hour)})
	}, liked},
	stepChoosePartner: {func(s *teller) {
		s.taken(false)
		s.say(schemas.OfferAcceptedLate, schemas.OfferAcceptedLateData{Offer: "o0", Partner: "pb"})
	}, func(s *teller) {
		s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o0", Reason: "another-accepted"})
	}, liked},
	stepPartnerArranges: {func(s *teller) { s.taken(false) }, func(s *teller) { s.booked("a1") }, func(s *teller) {
		s.say(schemas.OfferNudged, schemas.OfferNudgedData{Offer: "o1", Partner: "pa", About: schemas.NudgeBook})
	}},
	stepIntroduce: {func(s *teller) { s.taken(false); s.booked("a1") }, func(s *teller) {
		s.say(schemas.OfferIntroduced, schemas.OfferIntroducedData{Offer: "o1", Partner: "pa", How: "one-call"})
	}, func(s *teller) {
		s.say(schemas.OfferIntroduced, schemas.OfferIntroducedData{Offer: "o2", Partner: "pa", How: "one-call"})
	}},
	stepSession: {func(s *teller) { s.taken(false); s.booked("a1") }, func(s *teller) {
		s.say(schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: "o1", Appointment: "a1"})
	}, func(s *teller) {
		s.say(schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: "o1", Appointment: "a0"})
	}},
	stepAskWhatNext: {func(s *teller) {
		s.taken(false)
		s.booked("a1")
		s.say(schemas.AppointmentKept, schemas.AppointmentKeptData{Offer: "o1", Appointment: "a1"})
	}, func(s *teller) {
		s.say(schemas.FollowupCompleted, schemas.FollowupCompletedData{Offer: "o1", CompletedOn: s.on(9),
			Next: "nothing-more"})
	}, liked},
	stepAnotherTime: {func(s *teller) {
		s.taken(false)
		s.booked("a1")
		s.say(schemas.AppointmentNotKept, schemas.AppointmentNotKeptData{Offer: "o1", Appointment: "a1"})
	}, func(s *teller) { s.booked("a2") }, liked},
	stepLateFollowUp: {func(s *teller) { s.discharge(); s.offer(true) }, func(s *teller) { s.booked("a1") }, consented},
	stepFindPlace: {func(s *teller) {
		s.discharge()
		consented(s)
		s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
	},
		func(s *teller) { s.offer(false) }, liked},
	stepTellPerson: {func(s *teller) {
		s.taken(false)
		s.say(schemas.OfferHandedBack, schemas.OfferHandedBackData{Offer: "o1", Reason: "closing"})
	}, nil, liked},
	stepRingPartner: {func(s *teller) {
		s.taken(false)
		s.booked("a1")
		s.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: "o1", Appointment: "a1",
			RingBy: new(s.at.Add(30 * time.Minute))})
	}, nil, func(s *teller) {
		s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
	}},
	stepReachPartner: {func(s *teller) {
		s.taken(false)
		s.say(schemas.DeliveryFailed, schemas.DeliveryFailedData{Offer: "o1", Partner: "pa"})
	}, nil, func(s *teller) {
		s.say(schemas.DeliveryFailed, schemas.DeliveryFailedData{Offer: "o1", Partner: "pa"})
		s.say(schemas.DeliveryMade, schemas.DeliveryMadeData{Offer: "o1", Partner: "pa",
			How: schemas.DeliveryHandedOver})
	}},
	stepTellReferrer: {func(s *teller) {
		s.taken(false)
		s.say(schemas.ReferrerUntold, schemas.ReferrerUntoldData{Referrer: "RXX"})
	}, func(s *teller) {
		s.say(schemas.ReferrerTold, schemas.ReferrerToldData{Referrer: "RXX"})
	}, func(s *teller) {
		s.say(schemas.ReferrerUntold, schemas.ReferrerUntoldData{Referrer: "RXX"})
		s.say(schemas.ReferrerTold, schemas.ReferrerToldData{Referrer: "RYY"})
	}},
	stepRingCaller: {func(s *teller) { s.call("c1"); s.say(schemas.ContactStopped, schemas.ContactStoppedData{}) }, nil,
		func(s *teller) { s.say(schemas.BridgingPaused, schemas.BridgingPausedData{Plan: "pl"}) }},
	stepDeletion: {func(s *teller) {
		s.taken(false)
		s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
	}, func(s *teller) {
		s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: "o1"})
	}, func(s *teller) {
		s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: "o2"})
	}},
	stepAskDataContact: {func(s *teller) {
		s.taken(false)
		s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
		s.say(schemas.OfferNudged, schemas.OfferNudgedData{Offer: "o1", Partner: "pa", About: schemas.NudgeDeletion})
	}, func(s *teller) {
		s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: "o1"})
	}, func(s *teller) {
		s.say(schemas.OfferDeletionConfirmed, schemas.OfferDeletionConfirmedData{Offer: "o2"})
	}},
	stepMayKnow: {func(s *teller) {
		s.taken(false)
		s.say(schemas.OfferPossiblyKnown, schemas.OfferPossiblyKnownData{Offer: "o1", Partner: "pa",
			Who: "another-worker"})
	}, nil, func(s *teller) {
		s.say(schemas.OfferAcknowledged, schemas.OfferAcknowledgedData{Offer: "o1"})
	}},
	stepBridgeGap: {func(s *teller) { s.discharge(); s.say(schemas.GapFound, schemas.GapFoundData{}) },
		func(s *teller) { s.asked("talking", "navigator") },
		func(s *teller) { s.answered("talking", "no", false) }},
	stepServiceAnswers: {func(s *teller) { s.discharge(); s.asked("talking", "navigator") },
		func(s *teller) { s.answered("talking", "waiting", false) },
		func(s *teller) { s.answered("team", "yes", false) }},
	stepAskAgain: {func(s *teller) {
		s.discharge()
		s.asked("talking", "navigator")
		s.answered("talking", "no-reply", false)
	},
		func(s *teller) { s.asked("talking", "navigator") }, func(s *teller) { s.asked("team", "navigator") }},
	stepAskWhy: {func(s *teller) { s.discharge(); s.asked("talking", "navigator"); s.answered("talking", "no", true) },
		func(s *teller) { s.answered("talking", "no", false) }, func(s *teller) { s.answered("team", "no", false) }},
	stepFindOut: {func(s *teller) {
		s.discharge()
		s.say(schemas.InformationNeeded, schemas.InformationNeededData{Facts: []string{"age", "areaGP"}})
	}, func(s *teller) { s.facts("age", "areaGP") }, func(s *teller) { s.facts("age") }},
	stepAskAboutCalls: {func(s *teller) {
		s.discharge()
		s.say(schemas.BridgingProposed, schemas.BridgingProposedData{Plan: "pl"})
	},
		func(s *teller) { s.consent(false, schemas.PurposeBridging) }, consented},
	stepRenewConsent: {func(s *teller) {
		s.discharge()
		consented(s)
		s.say(schemas.ConsentExpiring, schemas.ConsentExpiringData{Purposes: []string{schemas.PurposeFollowUp},
			Until: s.on(20)})
	}, consented, liked},
	stepAskContact: {func(s *teller) {
		s.discharge()
		s.preferences(schemas.PreferencesChangedData{Questions: []string{"phone"}})
	}, reached, liked},
	stepAskOwnPage: {func(s *teller) {
		s.discharge()
		s.preferences(schemas.PreferencesChangedData{OwnPage: schemas.OwnPageNo})
	}, nil, reached},
	stepConfirmMerge: {func(s *teller) {
		s.discharge()
		s.say(schemas.PersonMerged, schemas.PersonMergedData{Person: "p", Other: "q"})
	},
		func(s *teller) {
			s.say(schemas.PersonMerged, schemas.PersonMergedData{Person: "p", Other: "q", Confirmed: true})
		}, consented},
	stepCall: {func(s *teller) { s.call("c1") }, func(s *teller) {
		s.say(schemas.CallReached, schemas.CallReachedData{Call: "c1", Plan: "pl", Answer: "same"})
	},
		func(s *teller) {
			s.say(schemas.CallReached, schemas.CallReachedData{Call: "c0", Plan: "pl", Answer: "same"})
		}},
	stepUnanswered: {func(s *teller) {
		s.call("c1")
		s.say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: "c1", Why: schemas.NoAnswer, Navigator: true})
	}, reached, liked},
	stepNumber: {func(s *teller) {
		s.call("c1")
		s.say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: "c1", Why: schemas.WrongNumber, Navigator: true})
	}, reached, func(s *teller) { s.consent(true, schemas.PurposeBridging) }},
	stepWhoRings: {func(s *teller) {
		s.call("c1")
		s.say(schemas.BridgingPaused, schemas.BridgingPausedData{Plan: "pl", NobodyRings: true})
	}, func(s *teller) { s.say(schemas.BridgingResumed, schemas.BridgingResumedData{Plan: "pl"}) }, liked},
	stepLookAtCalls: {func(s *teller) {
		s.call("c1")
		s.say(schemas.BridgingReview, schemas.BridgingReviewData{Plan: "pl"})
	}, func(s *teller) { s.consent(true, schemas.PurposeBridging) }, consented},
	stepAskToStop: {func(s *teller) {
		s.call("c1")
		s.say(schemas.AskedToStop, schemas.AskedToStopData{Call: "c1", By: schemas.StoppedByOther, At: s.at})
	},
		func(s *teller) { s.consent(true, schemas.PurposeBridging) }, consented},
	helpKind + "needed-now": {func(s *teller) { s.help(schemas.HelpNow) }, helped, helpedElsewhere},
	helpKind + "safety":     {func(s *teller) { s.help(schemas.HelpSafety) }, helped, helpedElsewhere},
	helpKind + "worse":      {func(s *teller) { s.help(schemas.HelpWorse) }, helped, helpedElsewhere},
	stepTurns18: {func(s *teller) { s.discharge(); s.turning() }, nil,
		func(s *teller) { s.facts("areaGP") }},
}

func (s *teller) turning() {
	s.say(schemas.InformationSupplied,
		schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(17), AgeRisesOn: new(s.on(90))}})
}

// byOthers are kinds that are walked elsewhere: the hold, the ladder and the review of looks by what people do, the
// sentinel's and messages' by what it finds, what comes next when nothing else does.
var byOthers = []string{stepReviewHold, stepFirstContact, stepShareAssessment, stepNotReached, stepFirstMeeting,
	stepWhatNext, stepTakeOver, stepFindWhatIsLost, stepMendWhatFailed, stepReadMessage, stepMendLine, stepDeletionLate,
	stepReviewLook, stepReviewSearches}

// TestEachStepEndsByItsRecordAndNothingElse walks every kind of the table: nobody's word ends it where it has a record,
// nobody's who is not entitled where it has none; another record leaves it; its own ends it.
func TestEachStepEndsByItsRecordAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, kind := range schemas.StepKinds() {
		how, walked := everyKind[kind.Kind]
		if !walked {
			if !slices.Contains(byOthers, kind.Kind) {
				t.Errorf("%s is walked by nobody", kind.Kind)
			}
			continue
		}
		t.Run(kind.Kind, func(t *testing.T) {
			t.Parallel()
			s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
			more := func(say func(s *teller)) { // what comes next
				from := len(s.events)
				if say != nil {
					say(s)
				}
				tell(t, r, slices.Clone(s.events[from:]))
			}
			more(how.opens)
			step := theStep(t, r, kind.Kind)
			refusedBy(t, kind, r, step)
			more(how.not)
			if now := theStep(t, r, kind.Kind); now.ID != step.ID || !now.DueAt.Equal(step.DueAt) {
				t.Errorf("another record made it %+v", now)
			}
			if kind.Done == nil || how.by != nil {
				more(how.by)
			} else if err := at(3).done(r, step.ID, withoutNext(at(3).now), ofRole(kind.Done.By[0])); err != nil {
				t.Error(err)
			}
			for _, still := range openOnes(r.Steps) {
				if still.Kind == kind.Kind {
					t.Errorf("its record leaves it open: %+v", still)
				}
			}
			if _, held := holding(r.Steps); !held {
				t.Error("nothing is to be done next")
			}
		})
	}
}

func theStep(t *testing.T, r *record, kind string) Step {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Kind == kind && s.State == stateOpen })
	if i < 0 {
		t.Fatalf("no step %s is open: %v", kind, openStepsOf(r, time.UTC))
	}
	return r.Steps[i]
}

// refusedBy tries to end a step by a word as everybody.
func refusedBy(t *testing.T, kind schemas.StepKind, r *record, step Step) {
	t.Helper()
	for _, role := range schemas.Roles() {
		w := at(3)
		if kind.Done != nil && slices.Contains(kind.Done.By, role) {
			if status, says := refusal(t, w.done(r, step.ID, schemas.StepDone{}, ofRole(role))); status != 422 {
				t.Errorf("%s ends it and says nothing: %d %s", role, status, says)
			}
			continue
		}
		status, says := refusal(t, w.done(r, step.ID, aWord(w.now), ofRole(role)))
		switch {
		case kind.Done != nil && status != 403:
			t.Errorf("%s ends it: %d %s", role, status, says)
		case kind.Done == nil && (status != 409 || !strings.Contains(says, "POST /api/") && kind.Until == ""):
			t.Errorf("%s ends it by a word: %d %s", role, status, says)
		}
		for _, action := range kind.Actions(role, r.JourneyState.about(step)) {
			if strings.ContainsAny(action.Path, "{}") || strings.Contains(action.Path, "//") {
				t.Errorf("%s is offered %+v", role, action)
			}
		}
	}
	if len(openOnes(r.Steps)) == 0 || theStep(t, r, kind.Kind).ID != step.ID {
		t.Error("what was refused changed the journey")
	}
	for _, ending := range kind.Ends { // whoever may end it by its record is offered that
		for _, role := range ending.By {
			if !slices.ContainsFunc(kind.Actions(role, r.JourneyState.about(step)), func(a schemas.Action) bool {
				return a.Words == ending.Words
			}) {
				t.Errorf("%s is not offered %s", role, ending.Route)
			}
		}
	}
}

// TestNoTwoStepsOfAJourneyReadAlike, whatever is known.
func TestNoTwoStepsOfAJourneyReadAlike(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	for _, id := range []string{"h1", "h2"} {
		s.say(schemas.HelpRequested, schemas.HelpRequestedData{Help: id, Kind: schemas.HelpNow,
			DueAt: s.at.Add(30 * time.Minute)})
	}
	for _, service := range []string{"talking", "team"} {
		s.asked(service, "navigator")
	}
	tell(t, r, s.events)
	seen := map[string]bool{}
	for _, step := range openOnes(r.Steps) {
		about := r.JourneyState.about(step)
		words := schemas.NamingService(schemas.StepWords(step.Kind, about), about.IDs["service"])
		if seen[words] {
			t.Errorf("twice: %s", words)
		}
		seen[words] = true
	}
	if len(seen) != 5 { // help, a time to agree on, an introduction, two services
		t.Errorf("got %v", seen)
	}
	tell(t, r, []flow.Event{s.say(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: "h1"})})
	if next := theStep(t, r, "help-needed-now"); next.Basis != "h2" {
		t.Errorf("the other request for help is not asked about: %+v", next)
	}
}

// TestHelpIsSeenToInEveryState: on a journey that is held, closed, or whose person is not to be contacted.
func TestHelpIsSeenToInEveryState(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *writes, r *record, s *teller) error{
		"held": func(w *writes, r *record, _ *teller) error {
			return w.hold(r, Hold{Place: "ward", OnHoldBy: "ward-team", ReviewOn: "2026-11-16"}, navigatorOf("RXX"))
		},
		"closed": func(w *writes, r *record, _ *teller) error {
			return w.closeJourney(r, inError(), navigatorOf("RXX"))
		},
		"stopped": func(_ *writes, r *record, s *teller) error {
			tell(t, r, []flow.Event{s.say(schemas.ContactStopped, schemas.ContactStoppedData{})})
			return nil
		},
	} {
		s, r := begun(t, nil)
		if err := do(at(3), r, s); err != nil {
			t.Fatal(err)
		}
		state := r.State
		tell(t, r, []flow.Event{s.say(schemas.HelpRequested,
			schemas.HelpRequestedData{Help: "h1", Kind: schemas.HelpNow, DueAt: s.at.Add(30 * time.Minute)})})
		step := theStep(t, r, "help-needed-now")
		if step.Owner != teamOnCall || r.State != state {
			t.Errorf("%s: %+v of a %s journey", name, step, r.State)
		}
		tell(t, r, []flow.Event{s.say(schemas.HelpAcknowledged, schemas.HelpAcknowledgedData{Help: "h1"})})
		if open := openStepsOf(r, time.UTC); strings.Contains(strings.Join(open, " "), "help-") ||
			state == journeyClosed && len(open) > 0 {
			t.Errorf("%s, and taken on: %v", name, open)
		}
	}
}

// TestAcrossTheirBirthdayNobodyIsWithoutAnOwner: from six months before 18 the young people's team agrees on who takes
// over, and stays until they have met.
func TestAcrossTheirBirthdayNobodyIsWithoutAnOwner(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]string{170: "Tue 1 17:00", 10: "Thu 12 17:00", 1: "Tue 3 17:00"} {
		s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
		s.discharge()
		s.say(schemas.InformationSupplied,
			schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(17), AgeRisesOn: new(s.on(days))}})
		tell(t, r, s.events)
		step := theStep(t, r, stepTurns18)
		if got := step.DueAt.Format("Mon 2 15:04"); got != want || step.Owner != teamYoungPeople {
			t.Errorf("%d days before: %s by %s, want %s", days, got, step.Owner, want)
		}
		tell(t, r, []flow.Event{s.say(schemas.InformationSupplied,
			schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(18)}, Retracted: []string{"ageRisesOn"}})})
		theStep(t, r, stepTurns18) // their birthday has come, and nobody has agreed
		if err := at(3).done(r, step.ID, aWord(at(3).now), ofRole(schemas.YoungPeoplesClinician)); err != nil {
			t.Fatal(err)
		}
		meet := theStep(t, r, stepFirstMeeting)
		if meet.Owner != teamYoungPeople || r.JourneyState.TakesOver != "service:adults" {
			t.Errorf("%+v, with %s", meet, r.JourneyState.TakesOver)
		}
		if err := at(3).done(r, meet.ID, withoutNext(at(3).now), ofRole(schemas.YoungPeoplesClinician)); err != nil {
			t.Fatal(err)
		}
	}
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	s.say(schemas.InformationSupplied,
		schemas.InformationSuppliedData{Facts: schemas.Facts{Age: new(33), AgeRisesOn: new(s.on(20))}})
	tell(t, r, s.events)
	if open := openStepsOf(r, time.UTC); len(open) != 1 {
		t.Errorf("somebody who turns 34: %v", open)
	}
}

// TestThePersonIsToldOfWhatChangedOnceForAllThatChanged, and again of what changes afterwards.
func TestThePersonIsToldOfWhatChangedOnceForAllThatChanged(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	s.say(schemas.OfferHandedBack, schemas.OfferHandedBackData{Offer: "o1", Reason: "closing"})
	tell(t, r, s.events)
	first := theStep(t, r, stepTellPerson)
	tell(t, r, []flow.Event{s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{LastDay: s.on(14)})})
	if now := theStep(t, r, stepTellPerson); now.ID != first.ID {
		t.Error("a second change put the first off")
	}
	if err := at(3).done(r, first.ID, withoutNext(at(3).now), ofRole(schemas.SendingTeam)); err != nil {
		t.Fatal(err)
	}
	if open := openStepsOf(r, time.UTC); strings.Contains(strings.Join(open, " "), stepTellPerson) {
		t.Errorf("they were told: %v", open)
	}
	from := len(s.events)
	s.say(schemas.OfferRaised, schemas.OfferRaisedData{Offer: "o2", Partner: "pb", AnswerBy: s.at.Add(48 * time.Hour)})
	s.say(schemas.OfferSent, schemas.OfferSentData{Offer: "o2", Partner: "pb", AnswerBy: s.at.Add(48 * time.Hour)})
	s.say(schemas.OfferPassedOn, schemas.OfferPassedOnData{Offer: "o2", Partner: "pb"})
	tell(t, r, s.events[from:])
	theStep(t, r, stepTellPerson)
}

// TestWhoeverIsAboutToGoIsRungWithinTheHour: consent withdrawn half an hour before a session, and before a call.
func TestWhoeverIsAboutToGoIsRungWithinTheHour(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(false)
	s.booked("a1")
	by := s.at.Add(30 * time.Minute)
	s.say(schemas.ConsentWithdrawn, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}})
	s.say(schemas.AppointmentCancelled, schemas.AppointmentCancelledData{Offer: "o1", Appointment: "a1", RingBy: &by})
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "person"})
	tell(t, r, s.events)
	step := theStep(t, r, stepRingPartner)
	if step.Owner != someOwners.Navigator || !step.DueAt.Equal(by) {
		t.Errorf("got %+v", step)
	}
	said := schemas.StepDone{Heard: "Mrs Someone"}
	if status, _ := refusal(t, at(3).done(r, step.ID, said, navigatorOf("RXX"))); status != 422 {
		t.Errorf("a name is kept: %d", status)
	}
	c := newTeller()
	rc := &record{ID: aJourney, State: journeyOpen}
	c.call("c1")
	c.say(schemas.ContactStopped, schemas.ContactStoppedData{})
	tell(t, rc, c.events)
	if step := theStep(t, rc, stepRingCaller); step.DueAt.Sub(c.at) > time.Hour {
		t.Errorf("the caller is told by %s", step.DueAt)
	}
}

// TestTheListIsByStepWithTheActionsOpenToTheCaller: within what they may see, by the time promised, page by page.
func TestTheListIsByStepWithTheActionsOpenToTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, organisation := range []string{"RXX", "RXX", "RYY"} {
		s := w.today(clock.NewID(w.c.Now()))
		s.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "p", Organisation: organisation,
			Visit: "v", LeftOn: s.on(0)})
		s.say(schemas.GapFound, schemas.GapFoundData{})
		s.say(schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: []string{"RZZ"}})
		mustApply(t, w.Service, w.pool, withIDs(s.events))
	}
	type page struct {
		Detail string
		Items  []stepListed
		Next   *string
	}
	read := func(query string) (kinds []string, all []stepListed) {
		t.Helper()
		for next := new(""); next != nil; {
			if *next != "" {
				*next = "&cursor=" + *next
			}
			got, status := ask[page](w, "GET", "/api/steps?limit=1&"+query+*next, "")
			if status != 200 {
				t.Fatalf("%s: %d %+v", query, status, got)
			}
			all, next = append(all, got.Items...), got.Next
		}
		for _, s := range all {
			kinds = append(kinds, s.Kind)
		}
		return kinds, all
	}
	both, all := read("") // which kind is due first depends on the hour
	count := func(kind string) int {
		return len(slices.DeleteFunc(slices.Clone(both), func(k string) bool { return k != kind }))
	}
	if len(both) != 4 || count(stepAskThePerson) != 2 || count(stepBridgeGap) != 2 ||
		!slices.IsSortedFunc(all, func(a, b stepListed) int { return a.DueAt.Compare(b.DueAt) }) {
		t.Fatalf("the list is %+v", all)
	}
	soon, asking, gap := w.c.Now().AddDate(0, 0, 3).Format(time.DateOnly), []string{stepAskThePerson, stepAskThePerson},
		[]string{stepBridgeGap, stepBridgeGap}
	for query, want := range map[string][]string{"mine=true": gap, "team=team:liaison": asking, "due=" + soon: both,
		"past=true": nil} {
		if got, _ := read(query); !slices.Equal(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	for _, s := range all {
		switch path := "/api/journeys/" + s.Journey + "/consent"; s.Kind {
		case stepAskThePerson:
			if s.Words != "Ask the person what they would like" || len(s.Actions) != 2 || s.Actions[0].Path != path ||
				!s.Actions[0].Fields[1].Required || len(s.TakeOn) > 0 {
				t.Errorf("got %+v", s)
			}
		case stepBridgeGap:
			if !slices.Equal(s.TakeOn, []string{someOwners.Navigator}) {
				t.Errorf("got %+v", s)
			}
		}
	}
	kept := func(want int, when string) {
		t.Helper()
		if got, _ := read("team=team:crisis"); len(got) != want {
			t.Errorf("%s: the team that was added has %v", when, got)
		}
		if got, _ := read("team=team:liaison"); len(got) != 2 { // who had it stays answerable
			t.Errorf("%s: the former owner has %v", when, got)
		}
	}
	// Which of them is due first depends on the hour.
	asked := all[slices.IndexFunc(all, func(s stepListed) bool { return s.Kind == stepAskThePerson })]
	other := all[slices.IndexFunc(all, func(s stepListed) bool { return s.Journey != asked.Journey })]
	kept(0, "nobody added")
	for range 2 {
		if _, status := ask[any](w, "POST", "/api/steps/"+asked.Step+"/reassign",
			`{"owner": "team:crisis"}`); status != 200 {
			t.Fatal(status)
		}
	}
	kept(1, "handed on")
	answered := w.today(asked.Journey)
	answered.said[schemas.Intake] = 10
	answered.consent(false, schemas.PurposeFollowUp)
	mustApply(t, w.Service, w.pool, withIDs(answered.events))
	if got, _ := read("team=team:crisis"); len(got) != 0 {
		t.Errorf("ended by its record, the team that was added has %v", got)
	}
	one, status := ask[stepListed](w, "GET", "/api/steps/"+other.Step, "")
	if status != 200 || one.Journey != other.Journey || one.State != stateOpen ||
		len(one.Actions) != len(other.Actions) {
		t.Errorf("one step by its id: %d %+v", status, one)
	}
	if over, status := ask[stepListed](w, "GET", "/api/steps/"+asked.Step, ""); status != 200 ||
		over.State == stateOpen || len(over.Actions)+len(over.TakeOn) > 0 {
		t.Errorf("one that is over: %d %+v", status, over)
	}
	for _, id := range []string{asked.Step, clock.NewRandomID(), "1"} {
		w.as(schemas.Navigator, "RZZ", "s") // must not know
		if _, status := ask[any](w, "GET", "/api/steps/"+id, ""); status != 404 {
			t.Errorf("step %s of others is answered with %d", id, status)
		}
	}
	w.as(schemas.SendingTeam, "RYY", "s")
	if got, _ := read(""); len(got) != 2 {
		t.Errorf("another hospital's team sees %v", got)
	}
	w.as(schemas.Navigator, "RZZ", "s")
	if got, _ := read(""); len(got) != 0 {
		t.Errorf("who must not know sees %v", got)
	}
	w.as(schemas.Operator, "RXX", "s")
	if got, all := read(""); len(got) != 5 || len(all[0].Actions) > 0 {
		t.Errorf("an operator sees %v, and may %v", got, all[0].Actions)
	}
	w.as(schemas.Navigator, "RXX", "s")
	for _, query := range []string{"due=soon", "team=liaison"} {
		if _, status := ask[any](w, "GET", "/api/steps?"+query, ""); status < 400 {
			t.Errorf("%s is answered with %d", query, status)
		}
	}
}

// TestACallThatIsMovedIsMadeAtItsNewTime: another rhythm was agreed on, and the same call has another time.
func TestACallThatIsMovedIsMadeAtItsNewTime(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.call("c1")
	moved := s.at.Add(5 * 24 * time.Hour)
	s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c1", Plan: "pl", DueAt: moved})
	for _, e := range s.events {
		tell(t, r, []flow.Event{e})
	}
	if step := theStep(t, r, stepCall); !step.DueAt.Equal(moved) {
		t.Errorf("the call is to be made at %v, not %v", step.DueAt, moved)
	}
	var calls int
	for _, step := range openOnes(r.Steps) {
		if step.Kind == stepCall {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("%d calls are to be made", calls)
	}
}

// TestACallThatIsTriedAgainIsAStepAgain: whatever became of it before, once it is planned anew somebody is to make it.
func TestACallThatIsTriedAgainIsAStepAgain(t *testing.T) {
	t.Parallel()
	for name, became := range map[string]func(s *teller){
		"somebody else answered": func(s *teller) {
			s.say(schemas.CallOtherPerson, schemas.CallOtherPersonData{Call: "c1"})
		},
		"we did not make it": func(s *teller) {
			s.say(schemas.CallNotMade, schemas.CallNotMadeData{Call: "c1", Reason: "no-caller"})
		},
		"nobody answered": func(s *teller) {
			s.say(schemas.CallUnanswered, schemas.CallUnansweredData{Call: "c1", Why: schemas.NoAnswer})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
			s.call("c1")
			became(s)
			again := s.at.Add(48 * time.Hour)
			s.say(schemas.CallScheduled, schemas.CallScheduledData{Call: "c1", Plan: "pl", DueAt: again})
			for _, e := range s.events {
				tell(t, r, []flow.Event{e})
			}
			if step := theStep(t, r, stepCall); !step.DueAt.Equal(again) {
				t.Errorf("it is to be made at %v, want %v", step.DueAt, again)
			}
		})
	}
}

// TestAPersonIsAskedFromWhenTheySaidNoToOnePartner, and not from when they left, which may be weeks ago.
func TestAPersonIsAskedFromWhenTheySaidNoToOnePartner(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	s.say(schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, Organisation: "pa"})
	s.at = s.at.Add(8 * 24 * time.Hour)
	s.say(schemas.ConsentWithdrawn, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp},
		Organisation: "pa"})
	for _, e := range s.events {
		tell(t, r, []flow.Event{e})
	}
	if step := theStep(t, r, stepAskThePerson); step.DueAt.Before(s.at) {
		t.Errorf("who said no on %v is to be asked by %v", s.at, step.DueAt)
	}
}

// TestWhenEveryOrganisationWasAskedANavigatorSaysWhatHappensNext: nobody ends the search for a place without having
// told the person so, nor without what happens next, by whom and by when. Once a place was found and lost again,
// somebody looks for one again.
func TestWhenEveryOrganisationWasAskedANavigatorSaysWhatHappensNext(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	consented(s)
	s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
	tell(t, r, s.events)
	step, w := theStep(t, r, stepFindPlace), at(3)
	next := &schemas.StepNext{Kind: "weekly-visit", Owner: teamLiaison, DueAt: w.now.Add(24 * time.Hour)}
	for name, said := range map[string]schemas.StepDone{"next": {Told: "phone"}, "told": {Next: next}} {
		if status, says := refusal(t, w.done(r, step.ID, said, ofRole(schemas.Navigator))); status != 422 ||
			!strings.Contains(says, name) {
			t.Errorf("without %s: %d %s", name, status, says)
		}
	}
	if err := w.done(r, step.ID, schemas.StepDone{Told: "phone", Next: next},
		ofRole(schemas.Navigator)); err != nil {
		t.Fatal(err)
	}
	want := []string{"weekly-visit team:liaison Wed 4 12:00"}
	if got := openStepsOf(r, time.UTC); !slices.Equal(got, want) {
		t.Errorf("after it there are %v, not %v: the person has been told once", got, want)
	}
	from := len(s.events)
	s.offer(false)
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "no-place"})
	s.say(schemas.OfferExhausted, schemas.OfferExhaustedData{})
	tell(t, r, s.events[from:])
	theStep(t, r, "weekly-visit")
	theStep(t, r, stepTellPerson)
	if again := theStep(t, r, stepFindPlace); again.ID == step.ID {
		t.Error("the step that was done stands again")
	}
}

// TestWhoWasNotReachedWhileTheirPlaceWasKeptIsAskedAgain: no offer is prepared before they answer, so whoever holds the
// step can record what they say, and that they were tried in vain.
func TestWhoWasNotReachedWhileTheirPlaceWasKeptIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.taken(true)
	s.say(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: "o1", Reason: "not-reached"})
	tell(t, r, s.events)
	step := theStep(t, r, stepArrange)
	kind, _ := kindOf(step)
	actions := kind.Actions(schemas.Navigator, r.JourneyState.about(step))
	for _, way := range []string{"/consent", "/no-answer", "/close"} {
		if !slices.ContainsFunc(actions, func(a schemas.Action) bool { return strings.HasSuffix(a.Path, way) }) {
			t.Errorf("a navigator cannot send %s about it: %v", way, actions)
		}
	}
	from := len(s.events)
	s.consent(false, schemas.PurposeFollowUp)
	tell(t, r, s.events[from:])
	if slices.ContainsFunc(openOnes(r.Steps), func(s Step) bool { return s.Kind == stepArrange }) {
		t.Error("their no leaves it open")
	}
}

// TestAStepThatAsksThePersonIsNotAnsweredByRecordsThatAreJoinedAndParted: what counts again by that nobody has said,
// and whoever was to be asked is asked still.
func TestAStepThatAsksThePersonIsNotAnsweredByRecordsThatAreJoinedAndParted(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{stepReturned, stepRenewConsent, stepUnanswered, stepLookAtCalls, stepAskToStop} {
		s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
		everyKind[kind].opens(s)
		tell(t, r, s.events)
		theStep(t, r, kind)
		from := len(s.events)
		for _, purpose := range []string{schemas.PurposeFollowUp, schemas.PurposeBridging} {
			s.say(schemas.ConsentDeclined, schemas.ConsentData{Purposes: []string{purpose}, AsBefore: true})
			s.say(schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{purpose}, AsBefore: true})
		}
		tell(t, r, s.events[from:])
		theStep(t, r, kind)
	}
}

// TestOneWhoWasTriedInVainWasTriedThoughTwoRecordsWereParted: the tries count since the person last answered.
func TestOneWhoWasTriedInVainWasTriedThoughTwoRecordsWereParted(t *testing.T) {
	t.Parallel()
	s, r := newTeller(), &record{ID: aJourney, State: journeyOpen}
	s.discharge()
	s.consent(true, schemas.PurposeFollowUp)
	tell(t, r, s.events)
	r.JourneyState.Tries = []time.Time{s.at.Add(time.Hour)}
	s.at = s.at.Add(48 * time.Hour)
	s.say(schemas.ConsentGiven, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, AsBefore: true})
	tell(t, r, s.events[2:])
	if n := r.JourneyState.daysTried(london(t)); n != 1 {
		t.Errorf("they were tried on %d days, not on 1", n)
	}
}

// TestThePersonReadsNoAnswerThatTheyDidNotGive.
func TestThePersonReadsNoAnswerThatTheyDidNotGive(t *testing.T) {
	t.Parallel()
	for _, kind := range []schemas.Type{schemas.ConsentGiven, schemas.ConsentDeclined} {
		s := newTeller()
		e := s.say(kind, schemas.ConsentData{Purposes: []string{schemas.PurposeFollowUp}, AsBefore: true})
		details, err := apply(&JourneyState{}, e)
		if err != nil {
			t.Fatal(err)
		}
		if got := Sentence(string(kind), details); strings.Contains(got, "You said") || got == "" {
			t.Errorf("%s reads %q", kind, got)
		}
		if got := Sentence(string(kind), json.RawMessage(`{}`)); !strings.Contains(got, "You said") {
			t.Errorf("their own answer reads %q", got)
		}
	}
}
