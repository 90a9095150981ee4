package journey

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// dueHour is the local hour of the next day by which a step is due that says nothing else.
const dueHour = 17

// Teams that own steps, next to the navigators of Owners. Which organisation's team is meant is the step's.
const (
	teamLiaison     = "team:liaison"
	teamYoungPeople = "team:young-people"
	teamCallers     = "team:callers"
	teamOnCall      = "team:on-call"
	teamGovernance  = "team:information-governance"
)

// Owners are those who hold what nobody else holds. All three are needed: without them a journey could be in the
// void at night.
type Owners struct {
	// Navigator takes what no rule could place; Deputy when the navigator does not; OutOfHours outside of a working
	// day's nine to five. Each is written kind:id, for instance "navigator:duty".
	Navigator, Deputy, OutOfHours string
}

// Kinds of steps: what each is for, and what ends it, is in the table of schemas.
const (
	stepFindBeginning  = "find-the-beginning"
	stepAfterCancelled = "decide-after-cancellation"
	stepContactStopped = "confirm-contact-stopped"
	stepClinician      = "clinician-decides"
	stepCheck          = "check-with-the-hospital"
	stepPlace          = "place-the-origin"
	stepReach          = "ask-how-to-reach"
	stepElsewhere      = "find-where-they-are"
	stepReturned       = "ask-again-on-return"
	stepAskThePerson   = "ask-the-person"
	// who holds parental responsibility, where a clinician said that they may consent
	stepAskTheParent    = "ask-the-parent"
	stepArrange         = "arrange-follow-up"
	stepTellPartner     = "tell-the-partner" // nobody outside knows of the offer yet
	stepPartnerAnswers  = "partner-answers"
	stepMayKnow         = "may-know"
	stepAnswerPartner   = "answer-the-partner"
	stepAskAboutPartner = "ask-about-partner" // whose place is kept for them
	stepChoosePartner   = "choose-a-partner"
	stepIntroduce       = "introduce"        // a stranger who rings is no handover
	stepPartnerArranges = "partner-arranges" // a time with the person, once the partner has taken the offer on
	stepSession         = "session"
	stepAskWhatNext     = "ask-what-next"
	stepAnotherTime     = "another-time"
	stepLateFollowUp    = "late-follow-up"
	stepFindPlace       = "find-a-place"
	stepTellPerson      = "tell-the-person"
	stepRingPartner     = "ring-the-partner"
	stepReachPartner    = "reach-the-partner" // what it was sent has not come to it
	stepTellReferrer    = "tell-the-referrer" // a mail to its mailbox has not come to it
	stepRingCaller      = "ring-the-caller"
	stepBridgeGap       = "bridge-the-gap"
	stepServiceAnswers  = "service-answers"
	stepAskAgain        = "ask-the-service-again"
	stepAskWhy          = "ask-the-service-why"
	stepFindOut         = "find-out"
	stepAskAboutCalls   = "ask-about-calls"
	stepCall            = "bridging-call"
	stepUnanswered      = "calls-unanswered"
	stepWhoRings        = "find-who-rings"
	stepNumber          = "number-not-theirs"
	stepLookAtCalls     = "look-at-the-calls"
	stepAskToStop       = "ask-whether-to-stop"
	stepDeletion        = "confirm-deletion"
	stepAskDataContact  = "ask-data-contact" // on the third day, once followup says so
	stepDeletionLate    = "deletion-unconfirmed"
	stepRenewConsent    = "renew-consent"
	stepAskContact      = "ask-about-contact"
	stepAskOwnPage      = "ask-about-own-page"
	stepConfirmMerge    = "confirm-merge"
	// two records may be one person: nobody is contacted before somebody has looked
	stepOnePerson       = "are-these-one-person"
	stepNotReached      = "decide-how-to-reach"
	stepReviewHold      = "review-the-hold"
	stepTurns18         = "turns-18"
	stepFirstMeeting    = "first-meeting-at-18"
	stepFirstContact    = "first-contact" // an early voice, that the person asked for
	stepShareAssessment = "share-the-assessment"
	stepWhatNext        = "what-next"
	stepReviewLook      = "review-the-look" // somebody of another organisation looked, for a reason
	stepReadMessage     = "read-the-message"
	stepReviewSearches  = "review-the-searches" // what staff looked for, by somebody who did not
	stepMendLine        = "mend-the-line"       // a published number or link of a service reaches nobody
	stepTakeOver        = "take-over"           // by the sentinel: a step is overdue beyond its grace
	stepFindWhatIsLost  = "find-what-is-lost"   // by the sentinel: held by a service, on no open journey
	stepMendWhatFailed  = "mend-what-failed"    // by the sentinel: a dead letter
)

// DesiredStep is a step that should be open.
type DesiredStep struct {
	Kind, Owner string
	DueAt       time.Time
	// Basis is what it is wanted for. A step that a human has done for a basis is not opened again for it.
	Basis string
}

// situation is what the table of rules looks at: what is known, and what follows from it.
type situation struct {
	*JourneyState
	owners   Owners
	zone     *time.Location
	visitID  string
	visit    Visit
	active   bool // a visit stands
	quiet    bool // nobody may contact the person: no visit stands, contact is stopped, or somebody else holds them
	guarded  bool // under 18 or age unknown: a clinician decides first
	double   bool // another record may be the same person: a human looks before anybody is contacted
	followUp Answer
	calls    Answer
	offerID  string
	offer    Offer
	offered  bool
	// when they last answered about each
	followUpSaid, callsSaid Subscribed
}

func situationOf(k *JourneyState, owners Owners, zone *time.Location) situation {
	s := situation{JourneyState: k, owners: owners, zone: zone, followUp: k.answer(schemas.PurposeFollowUp),
		calls: k.answer(schemas.PurposeBridging), followUpSaid: k.anew(schemas.PurposeFollowUp),
		callsSaid: k.anew(schemas.PurposeBridging)}
	s.visitID, s.visit, s.active = k.current()
	s.quiet = !s.active || k.Contact.is(false) || k.Hold != nil
	s.guarded = schemas.ClinicianFirst(s.visit.Flags)
	s.double = slices.Contains(s.visit.Flags, schemas.FlagPossibleDouble)
	s.offerID, s.offer, s.offered = k.active()
	return s
}

// mayAsk says whether the person may be asked something.
func (s situation) mayAsk() bool { return !s.quiet && !s.guarded && !s.double }

// completed says that what an offer made since this visit was for has been done, and that no other session was agreed
// on after it.
func (s situation) completed() bool {
	var last Offer
	for _, o := range s.Offers {
		if o.Completed.At > last.Completed.At && o.Completed.When.After(s.visit.Recorded.When) {
			last = o
		}
	}
	return last.Completed.At > 0 && last.Next != nextAnotherSession
}

const nextAnotherSession = "another-session"

// arrangeWithin is within how many working days a partner that took an offer on agrees on a time with the person.
const arrangeWithin = 2

// nextDay is five in the afternoon of the local day after the latest of the times, and after the journey last went on:
// what waited while it was held or closed is not overdue when it goes on.
func (s situation) nextDay(times ...time.Time) time.Time {
	return (calendar.DayOf(latest(append(times, s.resumed())...), s.zone) + 1).At(dueHour, 0, s.zone)
}

// nextAsk is nextDay, within the hours in which the person may be rung.
func (s situation) nextAsk(times ...time.Time) time.Time {
	return s.withinHours(s.nextDay(times...), s.zone)
}

// resumed is when the journey last went on; the zero time where it was never held or closed.
func (s situation) resumed() time.Time {
	if s.JourneyState == nil {
		return time.Time{}
	}
	return s.Resumed.When
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// ofParent says that a young people's clinician recorded that a holder of parental responsibility answers.
func (s situation) ofParent() bool { return s.visit.MayAnswer == schemas.AnswersParent }

func (s situation) checks() []string { return schemas.ChecksOf(s.visit.Flags) }

func (s situation) flagged(flag string) bool { return s.active && slices.Contains(s.visit.Flags, flag) }

// reachedSince says that somebody recorded how to reach the person since this visit was.
func (s situation) reachedSince() bool { return s.Reached.At > s.visit.Recorded.At }

// A rule says when a step is wanted, of whom, by when and for what.
type rule struct {
	kind  string
	when  func(s situation) bool
	owner func(s situation) string
	due   func(s situation) time.Time
	basis func(s situation) string
}

func team(name string) func(situation) string { return func(situation) string { return name } }
func navigator(s situation) string            { return s.owners.Navigator }
func oneBasis(situation) string               { return "" }

// perVisit: once for each time a visit is recorded, and again when contact was stopped and lifted in between or the
// journey was reopened, because consent is then asked for again.
func perVisit(s situation) string {
	return fmt.Sprintf("%s/%d%s", s.visitID, s.visit.Recorded.At, s.again())
}

// perDecision: once for each visit, and again after a young people's clinician has recorded who may answer.
func perDecision(s situation) string {
	basis := perVisit(s)
	if s.visit.Decided.At > 0 {
		basis += fmt.Sprintf("/decided-%d", s.visit.Decided.At)
	}
	if lapsed := s.Lapsed[schemas.PurposeFollowUp]; lapsed.At > 0 {
		basis += fmt.Sprintf("/lapsed-%d", lapsed.At)
	}
	return basis
}

func (s situation) again() string {
	text := ""
	if s.Contact.At > 0 {
		text = fmt.Sprintf("/contact-%d", s.Contact.At)
	}
	if s.Reopened.At > 0 {
		text += fmt.Sprintf("/reopened-%d", s.Reopened.At)
	}
	return text
}

// perRaising: once for each window of an offer. One that is kept over a hold is raised again with a new window.
func perRaising(s situation) string { return fmt.Sprintf("%s/%d", s.offerID, s.offer.Raised.At) }

// rules is the one table of steps that follow from events. Every step that is wanted has an owner and a due time;
// where none is wanted, what-next is.
var rules = []rule{
	{stepFindBeginning, func(s situation) bool { return !s.began() }, navigator,
		func(s situation) time.Time { return s.nextDay(s.First) }, oneBasis},

	{stepAfterCancelled, func(s situation) bool { _, _, ok := s.cancelled(); return ok && !s.active && s.Hold == nil },
		team(teamLiaison),
		func(s situation) time.Time { _, v, _ := s.cancelled(); return s.nextDay(v.Withdrawn.When) },
		func(s situation) string { id, v, _ := s.cancelled(); return fmt.Sprintf("%s/%d", id, v.Withdrawn.At) }},

	{stepContactStopped, func(s situation) bool { return s.Contact.is(false) }, navigator,
		func(s situation) time.Time { return s.nextDay(s.Contact.When) },
		func(s situation) string { return fmt.Sprint(s.Contact.At) }},

	{stepReviewHold, func(s situation) bool { return s.Hold != nil }, func(s situation) string { return s.Hold.Owner },
		func(s situation) time.Time { return s.Hold.due(s.zone) },
		func(s situation) string { return fmt.Sprint(s.Hold.At) }},

	{stepClinician, func(s situation) bool { return s.guarded && !s.quiet }, team(teamYoungPeople),
		func(s situation) time.Time {
			return s.nextDay(s.visit.Recorded.When, s.Contact.When, s.visit.Decided.When)
		},
		perDecision},

	{stepCheck, func(s situation) bool { return s.active && len(s.checks()) > 0 }, team(teamLiaison),
		func(s situation) time.Time { return s.nextDay(s.visit.Recorded.When) },
		func(s situation) string { return perVisit(s) + "/" + strings.Join(s.checks(), ",") }},

	{stepPlace, func(s situation) bool { return s.flagged(schemas.FlagUnplaced) }, navigator,
		func(s situation) time.Time { return s.nextDay(s.visit.Recorded.When) }, perVisit},

	// Of somebody under 18 the clinician's record says whose telephone it may be, and who may know.
	{stepReach, func(s situation) bool {
		return s.flagged(schemas.FlagNoSafeChannel) && !s.quiet && !s.guarded && !s.reachedSince()
	}, team(teamLiaison),
		func(s situation) time.Time {
			return s.nextDay(s.visit.Recorded.When, s.visit.Decided.When, s.Contact.When)
		}, perVisit},

	{stepElsewhere, func(s situation) bool {
		return s.flagged(schemas.FlagElsewhere) && !s.quiet && !s.reachedSince() &&
			!s.Resumed.When.After(s.visit.Recorded.When)
	}, team(teamLiaison),
		func(s situation) time.Time { return s.nextDay(s.visit.Recorded.When, s.Contact.When) }, perVisit},

	{stepReturned, func(s situation) bool {
		return s.flagged(schemas.FlagReturned) && s.mayAsk() && s.followUp.At > 0 &&
			s.followUpSaid.At < s.visit.Recorded.At
	}, team(teamLiaison),
		func(s situation) time.Time { return s.askBy(0, s.zone) }, perVisit},

	{stepOnePerson, func(s situation) bool { return s.active && s.double }, navigator,
		func(s situation) time.Time { return s.nextDay(s.visit.Recorded.When) }, perVisit},

	{stepAskThePerson, func(s situation) bool { return s.mayAsk() && s.followUp.At == 0 && !s.ofParent() },
		team(teamLiaison),
		func(s situation) time.Time { return s.askBy(0, s.zone) }, perDecision},

	{stepAskTheParent, func(s situation) bool { return s.mayAsk() && s.followUp.At == 0 && s.ofParent() },
		team(teamLiaison),
		func(s situation) time.Time { return s.askBy(0, s.zone) }, perDecision},

	{stepArrange, func(s situation) bool {
		return s.mayAsk() && s.followUp.is(true) && !s.offered && !s.exhausted() && !s.completed()
	}, navigator,
		func(s situation) time.Time {
			return s.nextDay(s.visit.Recorded.When, s.followUp.When, s.Contact.When, s.lastEnded())
		},
		func(s situation) string { return fmt.Sprintf("%s/yes-%d", perVisit(s), s.followUp.At) }},

	{stepLateFollowUp, func(s situation) bool {
		return !s.quiet && s.offered && !s.meetsInTime() && (s.offer.Late || s.offer.NotInTime.At > s.offer.Raised.At)
	}, navigator,
		func(s situation) time.Time {
			_, missed, _ := s.offer.appointmentNow()
			return s.nextDay(s.offer.Raised.When, s.offer.NotInTime.When, missed.Ended.When)
		}, perRaising},

	{stepFindPlace, func(s situation) bool { return !s.quiet && s.exhausted() && !s.followUp.is(false) }, navigator,
		func(s situation) time.Time { return s.nextDay(s.Exhausted.When, s.Contact.When) },
		func(s situation) string { return fmt.Sprintf("%s/none-%d", perVisit(s), s.Exhausted.At) }},

	{stepBridgeGap, func(s situation) bool { return !s.quiet && s.Gap.At > 0 && !s.bridged() }, navigator,
		func(s situation) time.Time { return s.nextDay(s.Gap.When, s.Contact.When) }, perVisit},

	{stepFindOut, func(s situation) bool { return s.mayAsk() && len(s.missing()) > 0 }, team(teamLiaison),
		func(s situation) time.Time { return s.nextAsk(s.Missing.When, s.Contact.When) }, perVisit},

	{stepAskAboutCalls, func(s situation) bool {
		return s.mayAsk() && s.Plan.State == planProposed && s.calls.At == 0
	}, team(teamLiaison),
		func(s situation) time.Time { return s.nextAsk(s.Plan.When, s.Contact.When) },
		func(s situation) string { return fmt.Sprintf("%s/%d%s", s.Plan.ID, s.Plan.At, s.again()) }},

	{stepRenewConsent, func(s situation) bool {
		return s.mayAsk() && s.Expiring.At > s.lapsedAt() && s.followUpSaid.At < s.Expiring.At &&
			s.callsSaid.At < s.Expiring.At
	},
		team(teamLiaison),
		func(s situation) time.Time { return s.nextAsk(s.Expiring.When) },
		func(s situation) string { return fmt.Sprint(s.Expiring.At) }},

	{stepAskContact, func(s situation) bool { return s.mayAsk() && s.Questions.is(true) }, team(teamLiaison),
		func(s situation) time.Time { return s.nextAsk(s.Questions.When) },
		func(s situation) string { return fmt.Sprint(s.Questions.At) }},

	{stepAskOwnPage, func(s situation) bool { return s.mayAsk() && s.OwnPage.At > 0 }, team(teamLiaison),
		func(s situation) time.Time { return s.nextDay(s.OwnPage.When) },
		func(s situation) string { return fmt.Sprint(s.OwnPage.At) }},

	{stepConfirmMerge, func(s situation) bool { return s.Merged.is(false) }, navigator,
		func(s situation) time.Time { return s.nextDay(s.Merged.When) },
		func(s situation) string { return fmt.Sprint(s.Merged.At) }},

	{stepCall, func(s situation) bool {
		return s.mayAsk() && s.callAhead() && s.Plan.State == planActive && !s.calls.is(false)
	}, team(teamCallers),
		func(s situation) time.Time {
			if day, err := calendar.ParseDay(s.Outcomes[s.Call.ID].Again); err == nil {
				_, until := s.hours()
				return day.At(until, 0, s.zone)
			}
			return s.Call.DueAt
		},
		func(s situation) string {
			if tried := s.Outcomes[s.Call.ID]; tried.At > 0 {
				return fmt.Sprintf("%s/%d", s.Call.ID, tried.At)
			}
			return s.Call.ID
		}},

	{stepWhoRings, func(s situation) bool {
		return !s.quiet && s.Plan.State == planPaused && s.Plan.NobodyRings && !s.calls.is(false)
	}, navigator,
		func(s situation) time.Time { return s.nextDay(s.Plan.When, s.Contact.When) },
		func(s situation) string { return fmt.Sprintf("%s/%d", s.Plan.ID, s.Plan.At) }},

	{stepLookAtCalls, func(s situation) bool {
		return s.mayAsk() && s.Review.At > 0 && s.Review.Plan == s.Plan.ID && s.Plan.State != planEnded &&
			!s.callsSaid.When.After(s.Review.When)
	}, navigator,
		func(s situation) time.Time { return s.nextAsk(s.Review.When, s.Contact.When) },
		func(s situation) string { return fmt.Sprint(s.Review.At) }},

	{stepAskToStop, func(s situation) bool { return s.mayAsk() && s.Stop.At > 0 && !s.callsSaid.When.After(s.StopAt) },
		navigator,
		func(s situation) time.Time { return s.nextAsk(s.Stop.When, s.Contact.When) },
		func(s situation) string { return fmt.Sprint(s.Stop.At) }},

	{stepTurns18, func(s situation) bool { _, ok := s.turning(); return ok && s.active && s.TakesOver == "" },
		team(teamYoungPeople),
		func(s situation) time.Time {
			since, _ := s.turning()
			return earliest(s.nextDay(since.When.Add(turningWithin)),
				latest(s.nextDay(since.When), dayOf(since.RisesOn, since.When).At(dueHour, 0, s.zone)))
		}, oneBasis},

	{stepFirstMeeting, func(s situation) bool {
		_, ok := s.turning()
		return ok && s.active && s.TakesOver != "" && s.Met == ""
	}, team(teamYoungPeople),
		func(s situation) time.Time {
			since, _ := s.turning()
			return latest(s.nextDay(since.When), dayOf(since.RisesOn, since.When).At(dueHour, 0, s.zone))
		}, oneBasis},
}

// turningWithin is within how long after it is known that somebody turns 18 somebody has agreed who looks after them
// then; at once where less is left.
const turningWithin = 28 * 24 * time.Hour

// dayOf reads a local day that was said; one that cannot be read is that of the time.
func dayOf(text string, at time.Time) calendar.Day {
	day, err := calendar.ParseDay(text)
	if err != nil {
		return calendar.DayOf(at, time.UTC)
	}
	return day
}

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

// callAhead says that a call is to be made: nothing has become of it, or it is tried again, which whoever plans calls
// says by planning it anew, whatever became of it before.
func (s situation) callAhead() bool {
	became := s.Outcomes[s.Call.ID]
	return s.Call.At > 0 && (became.At < s.Call.At || became.Again != "") && s.StopCall != s.Call.ID
}

// bridged says that a service has been asked for what none offers as published, and has not said no.
func (s situation) bridged() bool {
	for _, a := range s.Services {
		if a.pending() || a.Answer == "yes" || a.Answer == "waiting" {
			return true
		}
	}
	return false
}

// ladder is by when the person is asked, and asked again who could not be reached: so long after leaving hospital
// became known, or the journey went on (domain: consent). After the last rung a named human decides how to reach them.
var ladder = []time.Duration{24 * time.Hour, 72 * time.Hour, 5 * 24 * time.Hour}

// The hours in which people are asked who have named no others: local, from and until.
const askFromHour, askUntilHour = 10, 19

// askBy is when a rung is due: within the allowed hours of its own local day, so that it is never put off to another.
func (k *JourneyState) askBy(rung int, zone *time.Location) time.Time {
	return k.withinHours(k.askFrom().Add(ladder[rung]), zone)
}

// hours are the local hours in which the person may be rung: those that they named, else the usual ones.
func (k *JourneyState) hours() (from, until int) {
	if k.Named() {
		return k.MayBeRung.From, k.MayBeRung.Until
	}
	return askFromHour, askUntilHour
}

// withinHours is a time within the allowed hours of its own local day.
func (k *JourneyState) withinHours(due time.Time, zone *time.Location) time.Time {
	day := calendar.DayOf(due, zone)
	from, until := k.hours()
	first, last := day.At(from, 0, zone), day.At(until, 0, zone)
	switch {
	case due.Before(first):
		return first
	case due.After(last):
		return last
	}
	return due
}

// again marks the basis of a step that asks once more.
const again = "/again-"

// climb keeps the question to the person on the rung it has reached: the steps tell, since each rung is a step of its
// own, opened when whoever asked says that they got no answer.
func climb(wanted []DesiredStep, steps []Step, owners Owners, k *JourneyState, zone *time.Location) []DesiredStep {
	i := slices.IndexFunc(wanted, func(w DesiredStep) bool { return asks(w.Kind) })
	if i < 0 {
		return wanted
	}
	for {
		next := askAgain(Step{Kind: wanted[i].Kind, Basis: wanted[i].Basis}, owners, k, zone)
		if next.Kind == "" || !slices.ContainsFunc(steps, func(s Step) bool {
			return s.Kind == next.Kind && s.Basis == next.Basis
		}) {
			return wanted
		}
		wanted[i] = next
	}
}

func asks(kind string) bool { return kind == stepAskThePerson || kind == stepAskTheParent }

// askAgain is the rung above a step that asked and got no answer; none above the last.
func askAgain(s Step, owners Owners, k *JourneyState, zone *time.Location) DesiredStep {
	if !asks(s.Kind) {
		return DesiredStep{}
	}
	basis, tries := s.Basis, 0
	if before, n, found := strings.Cut(s.Basis, again); found {
		basis = before
		tries, _ = strconv.Atoi(n) // written below
	}
	if tries == len(ladder)-1 {
		return DesiredStep{Kind: stepNotReached, Owner: owners.Navigator, Basis: basis,
			DueAt: k.askFrom().Add(ladder[tries] + 24*time.Hour)}
	}
	return DesiredStep{Kind: s.Kind, Owner: teamLiaison, Basis: fmt.Sprintf("%s%s%d", basis, again, tries+1),
		DueAt: k.askBy(tries+1, zone)}
}

// exhausted says that no partner was left, and that no offer has been raised since.
func (k *JourneyState) exhausted() bool {
	_, offer, ok := k.active()
	return k.Exhausted.At > 0 && (!ok || offer.Raised.At < k.Exhausted.At)
}

// stepsFor returns every step that should be open for what is known, in the order of the table; there is always one.
func stepsFor(k *JourneyState, owners Owners, zone *time.Location) []DesiredStep {
	s := situationOf(k, owners, zone)
	var wanted []DesiredStep
	for _, r := range rules {
		if r.when(s) {
			wanted = append(wanted, DesiredStep{Kind: r.kind, Owner: r.owner(s), DueAt: r.due(s), Basis: r.basis(s)})
		}
	}
	wanted = slices.Concat(wanted, s.followUps(), s.earlyVoice(), s.services(), s.toShare(), s.callers(), s.helps())
	if len(wanted) == 0 {
		wanted = []DesiredStep{{Kind: stepWhatNext, Owner: owners.Navigator, DueAt: s.nextDay(k.Last)}}
	}
	return firstOfWords(append(wanted, s.toReview()...), k)
}

// firstOfWords keeps of those that would read alike the one that is due first: it says all that the others would, and
// when it ends the next is wanted.
func firstOfWords(wanted []DesiredStep, k *JourneyState) []DesiredStep {
	slices.SortStableFunc(wanted, func(a, b DesiredStep) int { return a.DueAt.Compare(b.DueAt) })
	seen := map[string]bool{}
	return slices.DeleteFunc(wanted, func(w DesiredStep) bool {
		about := k.about(Step{Kind: w.Kind, Basis: w.Basis})
		words := schemas.StepWords(w.Kind, about) + " " + about.IDs["service"] // whose name is put into them
		defer func() { seen[words] = true }()
		return seen[words]
	})
}

// helps are the steps of help that was asked for and that nobody has taken on: in every state.
func (s situation) helps() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Helps)) {
		if h := s.Helps[id]; h.Asked.At > 0 && h.Taken.At == 0 {
			kind := map[string]string{schemas.HelpNow: "needed-now", schemas.HelpSafety: "safety",
				schemas.HelpWorse: "worse"}[h.Kind]
			wanted = append(wanted, DesiredStep{Kind: helpKind + kind, Owner: teamOnCall, DueAt: h.DueAt, Basis: id})
		}
	}
	return wanted
}

// callers are the steps by which a navigator decides how calls go on, since the person was last reached or somebody
// recorded how to.
func (s situation) callers() []DesiredStep {
	if !s.mayAsk() || s.calls.is(false) {
		return nil
	}
	var reached int64
	for _, o := range s.Outcomes {
		if o.Reached {
			reached = max(reached, o.At)
		}
	}
	first := map[string]Outcome{}
	for _, o := range s.Outcomes {
		if o.Navigator == "" || o.At < reached || s.Reached.When.After(o.When) ||
			s.callsSaid.When.After(o.When) && o.Navigator == stepUnanswered {
			continue
		}
		if was, there := first[o.Navigator]; !there || o.At < was.At {
			first[o.Navigator] = o
		}
	}
	var wanted []DesiredStep
	for _, kind := range slices.Sorted(maps.Keys(first)) {
		wanted = append(wanted, DesiredStep{Kind: kind, Owner: s.owners.Navigator,
			DueAt: s.nextDay(first[kind].When, s.Contact.When), Basis: fmt.Sprint(first[kind].At)})
	}
	return wanted
}

// services are the steps that follow from asking services: one for each that has not answered, due when its answer
// was hoped for; one to ask again for each that did not reply; and one to ask why for each that said no for a reason it
// has agreed never to decline for. Who asked owns it: a service is not here to do it.
func (s situation) services() []DesiredStep {
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Services)) {
		a := s.Services[id]
		switch {
		case a.pending():
			wanted = append(wanted, DesiredStep{Kind: stepServiceAnswers, Owner: s.staff(a.By), DueAt: a.AnswerBy,
				Basis: fmt.Sprintf("%s/%d", id, a.Asked.At)})
		case a.Questioned:
			wanted = append(wanted, DesiredStep{Kind: stepAskWhy, Owner: s.staff(a.SeenToBy),
				DueAt: s.nextDay(a.Answered.When), Basis: fmt.Sprintf("%s/%d", id, a.Answered.At)})
		case a.silent():
			wanted = append(wanted, DesiredStep{Kind: stepAskAgain, Owner: s.staff(a.SeenToBy),
				DueAt: s.nextDay(a.Answered.When), Basis: fmt.Sprintf("%s/%d", id, a.Answered.At)})
		}
	}
	return wanted
}

// staff is who owns what a role has begun.
func (s situation) staff(role string) string {
	if role == string(schemas.SendingTeam) {
		return teamLiaison
	}
	return s.owners.Navigator
}

// Step is a step of a journey, or about a message that has none.
type Step struct {
	ID, Journey, About, Organisation string
	Kind, Basis, Owner               string
	Added                            []string // owners added because it was overdue or handed on
	DueAt, FirstDueAt                time.Time
	Level                            int // how often it was found overdue
	State                            string
	OpenedBy, ClosedBy               string
	Line                             string // what a list shows of its journey, as stored; empty for none
}

const (
	stateOpen     = "open"
	stateDone     = "done"
	stateReplaced = "replaced"
)

// compare returns which steps to open, as they are wanted, and which open ones have been overtaken by events. steps
// are the journey's steps that are open or done. Steps that a human or the sentinel opened are theirs to close. It
// leaves at least one step open: when everything wanted has been done already, what-next stands, or is opened for
// because.
func compare(steps []Step, wanted []DesiredStep, whatNext DesiredStep) (open []DesiredStep, replace []Step) {
	standing := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == stepWhatNext && s.State == stateOpen })
	meant := func(s Step, w DesiredStep) bool {
		return s.Kind == w.Kind && (s.Basis == w.Basis && !moved(s, w) || s.Kind == stepWhatNext &&
			s.State == stateOpen)
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(steps, func(s Step) bool { return meant(s, w) }) {
			open = append(open, w)
		}
	}
	remaining := len(open)
	for _, s := range steps {
		switch {
		case s.State != stateOpen:
		case !followsFromEvents(s) || slices.ContainsFunc(wanted, func(w DesiredStep) bool { return meant(s, w) }):
			remaining++
		default:
			replace = append(replace, s)
		}
	}
	switch {
	case remaining > 0:
	case standing >= 0:
		replace = slices.DeleteFunc(replace, func(s Step) bool { return s.ID == steps[standing].ID })
	default:
		open = append(open, whatNext)
	}
	return open, replace
}

// moved says that what is known now gives an open step another time, by a second or more: it is then another step, so
// that any order of the same events ends with the same time. One that was overdue, or that somebody else has a hand
// in, keeps its first time.
func moved(s Step, w DesiredStep) bool {
	return s.State == stateOpen && s.Level == 0 && len(s.Added) == 0 && s.Owner == w.Owner &&
		s.DueAt.Sub(w.DueAt).Abs() >= time.Second
}

// byHand begins the basis of a step that a human, or the sentinel, opened.
const byHand = "by-hand/"

// followsFromEvents says whether the table of rules opened the step, so that it may also replace it.
func followsFromEvents(s Step) bool { return !strings.HasPrefix(s.Basis, byHand) }

// holding returns the step that holds the journey: of those open, the one due first.
func holding(steps []Step) (Step, bool) {
	open := slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return s.State != stateOpen })
	if len(open) == 0 {
		return Step{}, false
	}
	return slices.MinFunc(open, func(a, b Step) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
	}), true
}

// whatNext is the step that is opened when nothing else is: what happens next is the navigator's question.
func whatNext(owners Owners, basis string, now time.Time, zone *time.Location) DesiredStep {
	return DesiredStep{Kind: stepWhatNext, Owner: owners.Navigator, Basis: basis,
		DueAt: (calendar.DayOf(now, zone) + 1).At(dueHour, 0, zone)}
}

// grace is how long a step may be overdue before more is done than adding an owner, and before it counts as the void.
const grace = 4 * time.Hour

// overdue says who is added to a step that is past due, and when to look again; zero is not again. At its due time
// the navigator is added (out of hours also who is there then), after the grace the deputy and out of hours. Nobody is
// taken off, and the first due time stays.
func overdue(s Step, owners Owners, now time.Time, holidays *calendar.Holidays, zone *time.Location) (added []string,
	level int, lookAt time.Time) {
	add := []string{owners.Navigator}
	switch {
	case s.Level > 0:
		add = append(add, owners.Deputy, owners.OutOfHours)
	case !officeHours(now, holidays, zone):
		add = append(add, owners.OutOfHours)
	}
	if s.Owner == owners.Navigator {
		add = append(add, owners.Deputy)
	}
	added = slices.Clone(s.Added)
	for _, o := range add {
		if o != s.Owner && !slices.Contains(added, o) {
			added = append(added, o)
		}
	}
	if s.Level == 0 {
		return added, 1, s.DueAt.Add(grace)
	}
	return added, s.Level + 1, time.Time{}
}

// officeHours says whether now is nine to five on a working day, local time.
func officeHours(now time.Time, holidays *calendar.Holidays, zone *time.Location) bool {
	hour := now.In(zone).Hour()
	return holidays.Working(calendar.DayOf(now, zone), calendar.MondayToFriday) && 9 <= hour && hour < 17
}

// handOn adds the new owner; the former one stays answerable until the new one acknowledges.
func handOn(s Step, owner string) Step {
	if owner != s.Owner && !slices.Contains(s.Added, owner) {
		s.Added = append(slices.Clone(s.Added), owner)
	}
	return s
}

// acknowledge makes owner the owner, if it is theirs to take: their own, or one they were added to. The former owner
// is then released; others who were added stay.
func acknowledge(s Step, owner string) (Step, bool) {
	if owner == s.Owner {
		return s, true
	}
	i := slices.Index(s.Added, owner)
	if i < 0 {
		return s, false
	}
	s.Owner, s.Added = owner, slices.Delete(slices.Clone(s.Added), i, i+1)
	return s, true
}
