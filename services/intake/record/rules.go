package record

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// Outcome is what became of a message, as the ledger shows it.
type Outcome string

// The outcomes (interfaces: messages).
const (
	Joined        Outcome = schemas.OutcomeJoined        // held with its visit, nothing raised by it yet
	RaisedOutcome Outcome = schemas.OutcomeRaised        // this message completed what it took
	RaisedFlagged Outcome = schemas.OutcomeRaisedFlagged // raised, and a human is shown why
	Corrected     Outcome = schemas.OutcomeCorrected     // changed what had been raised
	Cancelled     Outcome = schemas.OutcomeCancelled     // took a visit or its end back
	Ignored       Outcome = schemas.OutcomeIgnored       // of no concern here
	Duplicate     Outcome = schemas.OutcomeDuplicate     // a resend, answered as before
	Quarantined   Outcome = schemas.OutcomeQuarantined   // kept, cannot be used yet: an owned step
	Rejected      Outcome = schemas.OutcomeRejected      // refused with AR or a 4xx
)

// Reasons in the ledger: codes, put into plain words where people read them.
const (
	ReasonUndecided    = "scope-undecided" // only a human can say whether this followed self-harm
	ReasonRecoded      = "recoded-away"
	ReasonDeath        = "death-reported"
	ReasonAlready      = "already-raised"
	ReasonVisitGone    = "visit-cancelled"
	ReasonEndUndone    = "discharge-cancelled"
	ReasonUnasked      = "request-cancelled"
	ReasonMerged       = "merged"
	ReasonRenamed      = "identifier-corrected"
	ReasonVisitsJoined = "visits-joined"
	ReasonSetting      = "setting-not-emergency"
	ReasonPersonOther  = "person-differs"
	ReasonReused       = "control-id-reused"
	ReasonByHand       = "needs-a-human"
	ReasonNoPerson     = "no-person"
	ReasonNoVisit      = "no-visit"
	ReasonNotEnded     = "not-ended"
	ReasonOutOfScope   = "nothing-in-scope"
	ReasonHumanIn      = "released"
	ReasonHumanOut     = "dismissed"
	ReasonDemographics = "demographics"
	ReasonType         = "message-type"
)

// WindowDays is how many calendar days after leaving hospital the promise runs (domain: window). LateDays: with
// fewer left when raised, the discharge is late and a navigator sees it at once.
const (
	WindowDays = 14
	LateDays   = 5
	// FutureTolerance is how far a sender's clock may run ahead before a discharge counts as in the future.
	FutureTolerance = 10 * time.Minute
)

// Emission is an event to be given out: its type and data, on a journey.
type Emission struct {
	Type    schemas.Type
	Journey string
	Data    any
	// First: this event is the journey's first.
	First bool
}

// Decision is what one statement led to.
type Decision struct {
	Outcome   Outcome
	Reason    string
	Journey   string
	Emissions []Emission
	// Released names quarantined messages whose question has been answered by what came later.
	Released []string
	// Quarantined names earlier messages that wait for a human now.
	Quarantined []QuarantinedMessage

	Visit string
	// doubted: a young people's clinician decides first, so that a yes said with the statement is no yes.
	Doubted bool
}

// QuarantinedMessage is an earlier message that has become a question for a human.
type QuarantinedMessage struct{ Message, Reason string }

// Subject is the person a statement is about, as deciding needs it.
type Subject struct {
	Person     string // the surviving record's id
	Deceased   bool
	Young      bool     // another record that may be theirs says that they are under 18
	Known      FactBook // what was said of the person outside of this visit
	BirthDate  string   // YYYY-MM-DD or empty
	BadNumber  bool
	Protected  bool // nothing goes out until they have been asked
	NoChannel  bool // neither a telephone nor an address is known
	Home       Home // whose the visit is
	Merged     bool // other records have been joined to this one
	NewJourney string
	// OpenJourney is the open journey of the same person, by a verified NHS number, that an attendance joins.
	OpenJourney string
	// EarlierOn says whether a journey began before this attendance ended.
	EarlierOn   func(journey string) bool
	DecidedAt   time.Time
	Zone        *time.Location
	QuarantineH time.Duration
	Waits       Waits
}

// Decide says what follows from a visit as it stands after a statement has joined it. It is a function of the
// visit alone, not of what kind of message came last, so that every order of arrival ends the same.
//
// It is asked with the visit's row locked and merged: deciding from anything else lets two messages of one visit
// each see only their own half, and nobody raises.
func Decide(v *Visit, s ClinicalEvent, who Subject) Decision {
	scope := v.Scope()
	ready := (v.Ended() || v.IsRequested()) && !v.IsCancelled() && scope.Verdict == VerdictInScope && !who.Deceased
	decision := Decision{Journey: v.Published.Journey}
	switch {
	case ready && !v.Published.Active():
		decision = raise(v, who)
	case ready:
		decision = correct(v, s, who)
	case v.Published.Active(), v.recodedThenGone():
		decision = retract(v, s, who, scope)
	case v.Ended() && !v.IsCancelled() && !v.IsUnasked() && !who.Deceased && scope.Verdict == VerdictAsk &&
		v.Asked == "" && v.Published.Withdrawn != reasonRecoded:
		decision = ask(v, s, who, scope.reason)
	default:
		decision.Outcome, decision.Reason = quiet(v, s, who, scope)
	}
	if scope.Verdict != VerdictAsk {
		v.Asked = ""
	}
	v.Watch = v.watched(scope, who, who.Waits)
	decision.Doubted = schemas.ClinicianFirst(v.Published.Flags)
	return decision
}

// raise begins a journey, or begins it again where it had been withdrawn.
func raise(v *Visit, who Subject) Decision {
	left, on := v.leaving(who.Zone)
	r := &v.Published
	facts := v.factsOn(on, who)
	flags := v.flags(on, facts, who)
	first := r.Journey == ""
	if first {
		r.Journey, r.At = cmp.Or(who.OpenJourney, who.NewJourney), who.DecidedAt
	}
	flags = append(flags, v.returned(who)...)
	r.Withdrawn, r.Left, r.LeftOn, r.Facts, r.Flags = "", v.counts(), on, facts, flags
	decision := Decision{Outcome: RaisedOutcome, Journey: r.Journey}
	if shown := append(slices.Clone(flags), v.shown()...); len(shown) > 0 {
		decision.Outcome, decision.Reason = RaisedFlagged, strings.Join(shown, " ")
	}
	event, data := v.begins(who, left, on)
	decision.Emissions = append(decision.Emissions, Emission{Type: event, Journey: r.Journey, First: first, Data: data})
	return decision
}

// correct tells what a later message changed about a discharge that stands: only what changed.
func correct(v *Visit, s ClinicalEvent, who Subject) Decision {
	left, on := v.leaving(who.Zone)
	r := &v.Published
	facts := v.factsOn(on, who)
	flags := v.flags(on, facts, who)
	data := schemas.DischargeCorrectedData{Visit: v.ID}
	changed := false
	if !r.Left.Same(v.counts()) || r.LeftOn != on {
		data.LeftAt, data.LeftOn, changed = left, on, true
	}
	if learnt, gone := facts.Changed(r.Facts); !learnt.IsZero() || gone != nil {
		data.Retracted, changed = gone, true
		if !learnt.IsZero() {
			data.Facts = &learnt
		}
	}
	flags = append(flags, v.returned(who)...)
	if !slices.Equal(flags, r.Flags) {
		data.Flags, changed = OrNone(flags), true
	}
	if r.Facts.Age != nil && *r.Facts.Age < Adult && facts.Age != nil && *facts.Age >= Adult {
		data.MayAnswer = schemas.AnswersPerson // whoever was to answer for them, they do now
	}
	decision := Decision{Outcome: Joined, Reason: ReasonAlready, Journey: r.Journey}
	if !changed {
		return decision
	}
	decision.Outcome, decision.Reason = Corrected, strings.Join(Without(data.Flags, r.Flags), " ")
	r.Left, r.LeftOn, r.Facts, r.Flags = v.counts(), on, facts, flags
	decision.Emissions = []Emission{{Type: schemas.DischargeCorrected, Journey: r.Journey, Data: data}}
	return decision
}

// retract pauses what had been raised, because the hospital took it back or coded it away. A human decides then;
// what has happened is never rewritten. Death does not retract: it stops contact, which is said of the person.
func retract(v *Visit, s ClinicalEvent, who Subject, scope scope) Decision {
	reason := ""
	switch {
	case v.IsCancelled():
		reason = ReasonVisitGone
	case v.IsUnasked():
		reason = ReasonUnasked
	case !v.Ended() && !v.IsRequested():
		reason = ReasonEndUndone
	case who.Deceased:
		return Decision{Outcome: Corrected, Reason: ReasonDeath, Journey: v.Published.Journey}
	default:
		reason = reasonRecoded
	}
	v.Published.Withdrawn = reason
	outcome := Cancelled
	if reason == reasonRecoded {
		outcome = Corrected
	}
	return Decision{Outcome: outcome, Reason: reason, Journey: v.Published.Journey, Emissions: []Emission{{
		Type: schemas.DischargeWithdrawn, Journey: v.Published.Journey,
		Data: schemas.DischargeWithdrawnData{Visit: v.ID, Reason: reason}}}}
}

// recodedThenGone says that a visit which was paused for having been coded away is now taken back: nobody is left to be
// asked whether it was of concern, and those who were are told.
func (v *Visit) recodedThenGone() bool {
	return v.Published.Withdrawn == reasonRecoded && (v.IsCancelled() || v.IsUnasked())
}

// reasonRecoded is why a visit that was raised is paused whose codes say otherwise since: a human decides.
const reasonRecoded = "recoded"

// ask puts an ended visit of undecided scope before a human: an owned step with a due time, never silence.
func ask(v *Visit, s ClinicalEvent, who Subject, reason string) Decision {
	v.Asked = s.Message
	return Quarantine(s.Message, who.Home.wire(v.Organisation), reason, who.DecidedAt.Add(who.QuarantineH))
}

// Quarantine sets a message aside for a human of an organisation, by its code on the bus.
func Quarantine(message, organisation, reason string, due time.Time) Decision {
	return Decision{Outcome: Quarantined, Reason: reason,
		Emissions: []Emission{{Type: schemas.MessageQuarantined, Journey: message, First: true,
			Data: schemas.MessageQuarantinedData{Organisation: organisation, DueAt: due}}}}
}

// quiet names why nothing was raised.
func quiet(v *Visit, s ClinicalEvent, who Subject, scope scope) (Outcome, string) {
	switch {
	case s.Kind == KindHuman && !s.InScope:
		return Joined, ReasonHumanOut
	case s.Kind == KindCancelStart || s.Kind == KindCancelMove || s.Kind == KindCancelEnd || s.Kind == KindUnask:
		return Cancelled, ""
	case v.IsCancelled():
		return Joined, ReasonVisitGone
	case who.Deceased:
		return Joined, ReasonDeath
	case !v.Ended():
		return Joined, ReasonNotEnded
	case scope.Verdict == VerdictAsk:
		return Joined, scope.reason
	}
	return Joined, ReasonOutOfScope
}

// leaving gives when the person left, nil where only the day is known, and the local day the window counts from.
func (v *Visit) leaving(zone *time.Location) (*time.Time, string) {
	left := v.counts()
	on := left.At.In(zone).Format(time.DateOnly)
	if left.DayOnly {
		return nil, on
	}
	return &left.At, on
}

// factsOn are the facts as they are now: the age is that of the day they are read on, or of leaving where that is
// still to come.
func (v *Visit) factsOn(on string, who Subject) schemas.Facts {
	facts := who.Known.over(v.Facts, v.StatedFact)
	facts.AgeRisesOn = nil
	day := max(on, who.DecidedAt.In(who.Zone).Format(time.DateOnly))
	if age, ok := AgeOn(who.BirthDate, day); ok {
		facts.Age, facts.AgeRisesOn = &age, AgeRises(who.BirthDate, day)
	}
	facts.LastSelfHarm = nil // no message, form or preference states it: visits do
	if v.Ended() && v.Scope().Verdict == VerdictInScope {
		facts.LastSelfHarm = &on
	}
	if to := v.destination(); to != "" {
		facts.Destination = &to
	}
	if v.leftBefore() && facts.Assessment == nil {
		left := "left-before"
		facts.Assessment = &left
	}
	if facts.Route == nil {
		route := "discharge"
		facts.Route = &route
	}
	return facts
}

// flags are the reasons to show the discharge to a human. They say something about the messages, or the law.
func (v *Visit) flags(on string, facts schemas.Facts, who Subject) []string {
	var flags []string
	add := func(flag string, when bool) {
		if when {
			flags = append(flags, flag)
		}
	}
	decided := v.MayAnswer.holdsFor(v.Person)
	add(schemas.FlagAgeUnknown, !decided && facts.Age == nil && v.Request.Under18 != "yes" && v.Request.Under18 != "no")
	add(schemas.FlagUnder18, !decided && (who.Young || (facts.Age != nil && *facts.Age < Adult) ||
		v.statedYoung(facts.Age, who)))
	today := who.DecidedAt.In(who.Zone).Format(time.DateOnly)
	// A discharge is late when it is raised late; days that pass afterwards do not make it so.
	add(schemas.FlagLate, (!v.Published.Active() && DaysBetween(on, today) > WindowDays-LateDays) ||
		v.wasFlagged(schemas.FlagLate))
	beforeArrival := v.leftBeforeArrival()
	add(schemas.FlagFutureDischarge, v.doubts(schemas.FlagFutureDischarge))
	add(schemas.FlagMerged, who.Merged || v.PersonDiffers)
	add(schemas.FlagNumberInvalid, who.BadNumber)
	add(schemas.FlagUnverified, v.IsRequested() && v.Request.Unverified && !v.Ended())
	// Whether it still stands is decided by flagDoubles alone.
	add(schemas.FlagPossibleDouble, v.IsRequested() && v.Request.Double != "" && !v.Request.Decided ||
		v.wasFlagged(schemas.FlagPossibleDouble))
	add(schemas.FlagElsewhere, facts.Destination != nil && slices.Contains(elsewhere, *facts.Destination))
	add(schemas.FlagLeftBefore, v.leftBefore() || (facts.Assessment != nil && *facts.Assessment == "left-before"))
	add(schemas.FlagTimeNotBelieved, v.doubts(schemas.FlagTimeNotBelieved))
	add(schemas.FlagLeftBeforeArrival, beforeArrival || v.doubts(schemas.FlagLeftBeforeArrival))
	for _, flag := range []string{schemas.FlagTextDamaged, schemas.FlagNoVisitDetails, schemas.FlagDestinationUnknown,
		schemas.FlagIndicatorUnknown} {
		add(flag, v.doubts(flag))
	}
	add(schemas.FlagProtected, who.Protected)
	add(schemas.FlagNoSafeChannel, who.NoChannel)
	add(schemas.FlagUnplaced, who.Home.unplaced())
	return flags
}

// statedYoung: whoever asked said that the person is under 18, and no birth date is known by which they were when that
// was said: then its day ends it. Where the two contradict each other, somebody looks.
func (v *Visit) statedYoung(age *int, who Subject) bool {
	if v.Request.Under18 != "yes" || age == nil {
		return v.Request.Under18 == "yes"
	}
	then, known := AgeOn(who.BirthDate, v.Request.StatedAt.In(who.Zone).Format(time.DateOnly))
	return !known || then >= Adult
}

// doubts says whether any part of what was said is doubted in this way.
func (v *Visit) doubts(flag string) bool {
	for _, doubt := range v.Doubts {
		if slices.Contains(doubt.Flags, flag) {
			return true
		}
	}
	return false
}

// elsewhere are the destinations from which somebody is not free to answer, or not at home.
var elsewhere = []string{"ward", "police", "custody", "other-hospital"}

// wasFlagged says whether the discharge as it stands was told with a flag.
func (v *Visit) wasFlagged(flag string) bool {
	return v.Published.Active() && slices.Contains(v.Published.Flags, flag)
}

// returned says that somebody has come back: their journey began before. Those holding a step are told by it, and
// the person is asked what they want now; offers accepted and plans agreed stand.
func (v *Visit) returned(who Subject) []string {
	if v.wasFlagged(schemas.FlagReturned) || (who.EarlierOn != nil && who.EarlierOn(v.Published.Journey)) {
		return []string{schemas.FlagReturned}
	}
	return nil
}

// shown are further reasons, for the ledger only: two records, and what was read in the place of what is doubted.
func (v *Visit) shown() (shown []string) {
	if v.PersonDiffers {
		shown = append(shown, ReasonPersonOther)
	}
	for _, about := range slices.Sorted(maps.Keys(v.Doubts)) {
		if doubt := v.Doubts[about]; len(doubt.Flags) > 0 {
			shown = append(shown, doubt.Read...)
		}
	}
	return shown
}

// AgeOn gives the age in whole years on a local day; a birthday on 29 February falls on 1 March in other years.
func AgeOn(birthDate, on string) (int, bool) {
	born, err := time.Parse(time.DateOnly, birthDate)
	if err != nil {
		return 0, false
	}
	day, err := time.Parse(time.DateOnly, on)
	if err != nil || day.Before(born) {
		return 0, false
	}
	age := day.Year() - born.Year()
	if day.Month() < born.Month() || (day.Month() == born.Month() && day.Day() < born.Day()) {
		age--
	}
	return age, age <= 130
}

// foreseenDays is how far ahead a birthday is told.
const foreseenDays = 183

// AgeRises is the Monday on or after the next birthday, if that is in the next half year: a day by which the person
// will certainly be older, that does not say which day they were born on.
func AgeRises(birthDate, on string) *string {
	age, known := AgeOn(birthDate, on)
	born, err := time.Parse(time.DateOnly, birthDate)
	if !known || err != nil {
		return nil
	}
	birthday := born.AddDate(age+1, 0, 0) // of 29 February, 1 March in other years
	if DaysBetween(on, birthday.Format(time.DateOnly)) > foreseenDays {
		return nil
	}
	monday := birthday.AddDate(0, 0, (int(time.Monday)-int(birthday.Weekday())+7)%7).Format(time.DateOnly)
	return &monday
}

// DaysBetween counts the days from one local day to another; 0 where either is no day.
func DaysBetween(from, to string) int {
	a, errA := time.Parse(time.DateOnly, from)
	b, errB := time.Parse(time.DateOnly, to)
	if errA != nil || errB != nil {
		return 0
	}
	return int(b.Sub(a).Hours() / 24)
}

// Without are the flags that are not among those known.
func Without(flags, known []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return slices.Contains(known, f) })
}

func equalFacts(a, b schemas.Facts) bool { return reflect.DeepEqual(a, b) }

// wireOrganisation writes a sender's facility as an ODS code is written on the bus: 3 to 12 capital letters and
// digits. Where MSH-4 carries a name instead of the code, the sender's profile should say the code.
func wireOrganisation(facility string) string {
	code := strings.Map(func(r rune) rune {
		if (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, strings.ToUpper(facility))
	if len(code) < 3 {
		return "UNKNOWN"
	}
	return code[:min(12, len(code))]
}

// OrNone is the list, or an empty one in the place of nil, which JSON would write as null.
func OrNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
