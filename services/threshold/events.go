package threshold

import (
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// Subjects are the subjects of the types that threshold acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Handle applies a batch of events.
func (e *Evaluator) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return e.handler().Handle(tx, batch)
}

func (e *Evaluator) handler() flow.Handler[JourneyState, record] {
	return flow.Handler[JourneyState, record]{Store: store, Subscriptions: subscriptions, Reconcile: e.reconcile}
}

// subscriptions are what each type of event changes of what is known.
var subscriptions = flow.Table(
	flow.On(schemas.DischargeRecorded, func(k *JourneyState, d schemas.DischargeRecordedData, at int64) {
		k.begin(at, d.Person, d.Organisation, d.LeftOn, d.Facts)
	}),
	flow.On(schemas.ReferralRequested, func(k *JourneyState, d schemas.ReferralRequestedData, at int64) {
		k.begin(at, d.Person, d.Organisation, d.LeftOn, d.Facts)
	}),
	flow.On(schemas.DischargeCorrected, func(k *JourneyState, d schemas.DischargeCorrectedData, at int64) {
		k.correct(at, d)
	}),
	flow.On(schemas.InformationSupplied, func(k *JourneyState, d schemas.InformationSuppliedData, at int64) {
		k.apply(at, d.Facts, d.Retracted)
	}),
	flow.On(schemas.PreferencesChanged, func(k *JourneyState, d schemas.PreferencesChangedData, at int64) {
		k.Bar(at, d.MustNotKnow)
	}),
	flow.On(schemas.DischargeWithdrawn, func(k *JourneyState, _ schemas.DischargeWithdrawnData, at int64) {
		k.withdraw(at)
	}),
	flow.On(schemas.JourneyClosed, func(k *JourneyState, _ schemas.JourneyClosedData, at int64) {
		k.turn(at, true, "")
	}),
	flow.On(schemas.JourneyReleased, func(k *JourneyState, d schemas.JourneyReleasedData, at int64) {
		k.turn(at, false, d.ReleasedOn)
	}),
	flow.On(schemas.JourneyReopened, func(k *JourneyState, d schemas.JourneyReopenedData, at int64) {
		k.turn(at, false, d.ReopenedOn)
	}),
)

// reconcile decides about journeys, and keeps the decisions.
func (e *Evaluator) reconcile(now time.Time, changed []*record) func(q flow.Queuer) error {
	var decisions []made
	for _, r := range changed {
		if len(r.Applied) == 0 || r.causedByFacts() {
			decisions = e.decide(decisions, now, r)
		}
	}
	return func(q flow.Queuer) error { return saveDecisions(q, decisions, now) }
}

// causedByFacts names the event that a decision follows from: who must not know changes none.
func (r *record) causedByFacts() bool {
	for _, event := range slices.Backward(r.Applied) {
		if schemas.Type(event.Type) != schemas.PreferencesChanged {
			r.Cause = event
			return true
		}
	}
	return false
}

// keeping says when a decision is kept. What is said of it to others is said where that differs from before.
type keeping int

const (
	always    keeping = iota // facts arrived, or a human recorded something: it is kept
	ifChanged                // nothing was learned, only looked at again: it is kept where anything is otherwise
)

// decide evaluates the whole set for one journey, adds the decision to those that are kept, and says what follows. A
// journey that has not begun, whose discharge was withdrawn, or that is closed, has no decision: one that goes on again
// is decided again.
func (e *Evaluator) decide(kept []made, now time.Time, r *record) []made {
	r.DueAt, r.changed = nil, false
	if !r.State.isActive() {
		return kept
	}
	situation := r.State.situation(calendar.DayOf(now, e.zone).String(), r.Last)
	decision := criteria.Evaluate(e.directory, situation)
	r.DueAt = e.startOf(criteria.NextChange(e.directory, situation, decision))
	r.changed = !criteria.SameOutcome(&decision, r.Last)
	if r.keep == ifChanged && !r.changed {
		return kept
	}
	m := made{id: clock.NewID(now), journey: r.Journey, organisation: r.State.Sender, decision: decision,
		situation: situation}
	if r.Cause != nil {
		m.cause, m.applied = &r.Cause.ID, r.Cause.Type
	}
	said, before := outcomeOf(&decision), outcomeOf(r.Last)
	if r.Last == nil || !samePathway(said.pathway, before.pathway) {
		r.Emit(string(schemas.PathwayDecided), said.pathway)
	}
	if said.gap != nil {
		r.Emit(string(schemas.GapFound), said.gap)
	}
	if said.asksNew(before) {
		r.Emit(string(schemas.InformationNeeded), said.needed)
	}
	r.Last, r.LastID = &decision, m.id
	return append(kept, m)
}

// startOf is when a local day begins; nil for no day.
func (e *Evaluator) startOf(day criteria.Day) *time.Time {
	d, err := calendar.ParseDay(day)
	if err != nil {
		return nil
	}
	at := d.At(0, 0, e.zone)
	return &at
}
