package bridging

import (
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Subjects are the subjects of the types that bridging acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Handle applies a batch of events.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	now := *s
	loadPartners(tx, principal.Principal{}, &now.partners)
	return now.handler().Handle(tx, batch)
}

// handler decides with the partners of s.
func (s *Service) handler() flow.Handler[JourneyState, record] {
	return flow.Handler[JourneyState, record]{Store: store, Subscriptions: subscriptions, Reconcile: s.reconcile,
		Rows: map[string]func(flow.Queuer, []flow.Event) error{string(schemas.OfferRaised): keepOffers,
			string(schemas.PartnerChanged): keepPartners}}
}

// subscriptions are what each type of event changes of what is known.
var subscriptions = flow.Table(
	flow.On(schemas.DischargeRecorded, func(k *JourneyState, d schemas.DischargeRecordedData, at int64) {
		k.addRecorded(at, d)
	}),
	flow.On(schemas.ReferralRequested, func(k *JourneyState, d schemas.ReferralRequestedData, at int64) {
		k.addRecorded(at, schemas.DischargeRecordedData{Person: d.Person, Organisation: d.Organisation,
			Visit: d.Referral, Flags: d.Flags})
	}),
	flow.On(schemas.DischargeCorrected, func(k *JourneyState, d schemas.DischargeCorrectedData, at int64) {
		k.addCorrected(at, d)
	}),
	flow.On(schemas.DischargeWithdrawn, func(k *JourneyState, d schemas.DischargeWithdrawnData, at int64) {
		k.Visits.Withdraw(at, d.Visit)
	}),
	flow.On(schemas.PathwayDecided, func(k *JourneyState, d schemas.PathwayDecidedData, _ int64) {
		k.addWaits(d.Waits...)
	}),
	flow.On(schemas.GapFound, func(k *JourneyState, _ schemas.GapFoundData, _ int64) { k.Gap = true }),
	flow.On(schemas.ServiceAnswered, func(k *JourneyState, d schemas.ServiceAnsweredData, _ int64) {
		k.addAnswered(d)
	}),
	flow.OnEvent(schemas.ConsentGiven, consent),
	flow.OnEvent(schemas.ConsentDeclined, consent),
	flow.OnEvent(schemas.ConsentWithdrawn, consent), // a yes taken back is a no
	flow.OnEvent(schemas.ConsentLapsed, consent),
	flow.OnEvent(schemas.PreferencesChanged, func(k *JourneyState, d schemas.PreferencesChangedData, at int64,
		e flow.Event) {
		k.Bar(at, d.MustNotKnow)
		k.Ring(at, d.Hours)
		if d.Reachable {
			latest(&k.ReachedAt, e.Time)
		}
	}),
	flow.OnEvent(schemas.JourneyClosed, func(k *JourneyState, d schemas.JourneyClosedData, at int64, e flow.Event) {
		k.Close(at, d)
		latest(&k.ClosedAt, e.Time)
	}),
	flow.On(schemas.JourneyHeld, func(k *JourneyState, _ schemas.JourneyHeldData, at int64) {
		k.Take(schemas.Transition{At: at, Held: true})
	}),
	flow.On(schemas.JourneyReleased, func(k *JourneyState, _ schemas.JourneyReleasedData, at int64) {
		k.Take(schemas.Transition{At: at})
	}),
	flow.On(schemas.JourneyReopened, func(k *JourneyState, _ schemas.JourneyReopenedData, at int64) {
		k.Take(schemas.Transition{At: at})
	}),
	flow.On(schemas.ContactStopped, func(k *JourneyState, _ schemas.ContactStoppedData, at int64) {
		k.Contact.Apply(schemas.Answered{At: at})
	}),
	flow.On(schemas.ContactResumed, func(k *JourneyState, _ schemas.ContactResumedData, at int64) {
		k.Contact.Apply(schemas.Answered{At: at, Yes: true})
	}),
	flow.On(schemas.AppointmentBooked, func(k *JourneyState, d schemas.AppointmentBookedData, at int64) {
		k.appointment(d.Appointment).book(at, d.On)
	}),
	flow.On(schemas.AppointmentKept, func(k *JourneyState, d schemas.AppointmentKeptData, _ int64) {
		k.appointment(d.Appointment).Kept = true
	}),
	flow.On(schemas.AppointmentNotKept, func(k *JourneyState, d schemas.AppointmentNotKeptData, at int64) {
		k.appointment(d.Appointment).end(at)
	}),
	flow.On(schemas.AppointmentCancelled, func(k *JourneyState, d schemas.AppointmentCancelledData, at int64) {
		k.appointment(d.Appointment).end(at)
	}),
)

func consent(k *JourneyState, d schemas.ConsentData, at int64, e flow.Event) {
	said := schemas.AnswerOf(schemas.Type(e.Type), d, at)
	said.When = e.Time
	k.addConsent(d, said)
}

// effects gathers what follows for the plans and calls of a batch, for one statement each.
type effects struct {
	opened, changed      []Plan
	scheduled, cancelled []Call
	moved, finished      []Call
	placed               []Plan   // with the organisation that the journey is
	same                 []string // plans with somebody who makes their calls, and a call that is new or moved
	now                  time.Time
	zone                 *time.Location
	partners             partners
	figures              *figures
}

// reconcile brings the plans of journeys in line with what is known of them.
func (s *Service) reconcile(now time.Time, changed []*record) func(q flow.Queuer) error {
	f := effects{now: now, zone: s.zone, partners: s.partners, figures: s.figures}
	for _, r := range changed {
		f.reconcile(r)
	}
	return f.store
}

func (f *effects) store(q flow.Queuer) error {
	cancelCalls(q, f.cancelled, f.now)
	placePlans(q, f.placed)
	finishCalls(q, f.finished, f.now)
	moveCalls(q, f.moved)
	if err := updatePlans(q, f.changed, f.now); err != nil {
		return err
	}
	if err := openPlans(q, f.opened, f.now); err != nil {
		return err
	}
	scheduleCalls(q, f.scheduled, f.now)
	giveToSame(q, f.same, f.zone.String())
	return nil
}

// reconcile asks the rules about one journey and gathers what follows.
func (f *effects) reconcile(r *record) {
	c := reconcile(&r.State, r.Plan, r.Journey, moment{today: calendar.DayOf(f.now, f.zone), zone: f.zone,
		partners: f.partners})
	if c.Open != nil {
		r.Plan = c.Open
		r.Plan.ID, r.Plan.Journey, r.Plan.Organisation, r.Plan.Person = clock.NewID(f.now), r.Journey, r.State.Sender,
			r.State.Person
		f.opened = append(f.opened, *r.Plan)
	}
	if c.Changes != nil {
		r.Plan = c.Changes
		f.changed = append(f.changed, *r.Plan)
	}
	if p := r.Plan; p != nil && p.Organisation != r.State.Sender {
		p.Organisation = r.State.Sender
		if p.Call != nil {
			p.Call.Organisation = r.State.Sender
		}
		f.placed = append(f.placed, *p)
	}
	f.calls(r, c)
	f.emit(r, c)
	if r.Plan != nil && r.Plan.State == Ended {
		r.Plan = nil
	}
}

func (f *effects) calls(r *record, c Changes) {
	if c.Cancel != nil {
		f.cancelled = append(f.cancelled, *c.Cancel)
		r.Plan.Call = nil
	}
	if c.Finish != nil {
		f.finished = append(f.finished, *c.Finish)
		r.Plan.Call = nil
	}
	if c.Move != nil {
		c.Move.Sequence, c.Move.Organisation = c.Move.Sequence+1, r.Plan.Organisation
		f.moved = append(f.moved, *c.Move)
		r.Plan.Call = c.Move
	}
	if c.Schedule != nil {
		c.Schedule.ID, c.Schedule.Plan = clock.NewID(f.now), r.Plan.ID
		c.Schedule.Journey, c.Schedule.Organisation = r.Journey, r.Plan.Organisation
		f.scheduled = append(f.scheduled, *c.Schedule)
		r.Plan.Call = c.Schedule
	}
	if r.Plan != nil && r.Plan.Caller != "" && (c.Move != nil || c.Schedule != nil) {
		f.same = append(f.same, r.Plan.ID)
	}
}

// emit says what others hear of a change: what became of a call, the plan, then its next call.
func (f *effects) emit(r *record, c Changes) {
	f.emitTry(r, c)
	if c.Propose || c.Start {
		t := schemas.BridgingProposed
		if c.Start {
			t = schemas.BridgingStarted
		}
		r.emit(t, schemas.BridgingProposedData{Plan: r.Plan.ID, EveryDays: r.Plan.EveryDays, Minutes: r.Plan.Minutes})
	}
	if c.Pause {
		r.emit(schemas.BridgingPaused, schemas.BridgingPausedData{Plan: r.Plan.ID,
			NobodyRings: nobody(r.Plan.Because)})
	}
	if c.Resume {
		r.emit(schemas.BridgingResumed, schemas.BridgingResumedData{Plan: r.Plan.ID})
	}
	if c.End {
		r.emit(schemas.BridgingEnded, schemas.BridgingEndedData{Plan: r.Plan.ID, Reason: r.Plan.Because})
	}
	if c.Late {
		r.emit(schemas.BridgingReview, schemas.BridgingReviewData{Plan: r.Plan.ID,
			On: calendar.DayOf(f.now, f.zone).String(), Late: true})
	}
	for _, call := range []*Call{c.Schedule, c.Move} {
		if call != nil {
			r.emit(schemas.CallScheduled, schemas.CallScheduledData{Call: call.ID, Plan: r.Plan.ID,
				Person: r.Plan.Person, DueAt: call.DueAt.In(f.zone), On: call.On.String()})
		}
	}
}

// emitTry says what became of a call, where somebody has just written that down. What is written down late, of a time
// before the newest, asks nobody for anything.
func (f *effects) emitTry(r *record, c Changes) {
	t := r.entered
	if t == nil {
		return
	}
	tries := r.State.triesOf(t.Call)
	newest := tries[len(tries)-1].At.Equal(t.At)
	on := calendar.DayOf(t.At, f.zone).String()
	switch t.Outcome {
	case OutcomeReached, OutcomeHelp:
		r.EmitCounted(string(schemas.CallReached), schemas.CallReachedData{Call: t.Call, Plan: r.callPlan,
			Answer: t.Answer, On: on}, f.figures.spoke(r, t.At))
	case OutcomeUnanswered, OutcomeLeftMessage, OutcomeWrongNumber:
		d := schemas.CallUnansweredData{Call: t.Call,
			Try: min(1+slices.IndexFunc(tries, func(o Try) bool { return o.At.Equal(t.At) }), mostTries),
			Why: why[t.Outcome], On: on}
		if newest && c.Move != nil && c.Move.ID == t.Call {
			d.Again = c.Move.On.String()
		}
		d.Navigator = t.Outcome == OutcomeWrongNumber && r.State.broken() || newest && c.Finish != nil &&
			r.State.inARow(t.Call)
		r.emit(schemas.CallUnanswered, d)
	case OutcomeOther:
		r.emit(schemas.CallOtherPerson, schemas.CallOtherPersonData{Call: t.Call, On: on, Navigator: r.State.broken()})
	case OutcomeStop:
		r.emit(schemas.AskedToStop, schemas.AskedToStopData{Call: t.Call, By: t.By, At: t.At})
	case OutcomeNotMade:
		r.emit(schemas.CallNotMade, schemas.CallNotMadeData{Call: t.Call, Reason: t.Reason, On: on})
	}
}

var why = map[string]string{OutcomeUnanswered: schemas.NoAnswer, OutcomeLeftMessage: schemas.LeftMessage,
	OutcomeWrongNumber: schemas.WrongNumber}

func (r *record) emit(t schemas.Type, data any) { r.Emit(string(t), data) }
