package bridging

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Hears are the subjects of the types that bridging acts on.
func Hears() []string { return schemas.SubjectsHeardBy(Name) }

// Handle applies a batch: the journeys concerned are locked in id order, each journey's events are folded into what
// is known of it, and each is decided once.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	records := load(tx, flow.Journeys(batch))
	return func(fresh []flow.Event) error {
		emissions, err := s.apply(tx, tx.Now, records, fresh)
		for _, e := range emissions {
			tx.Emit(e)
		}
		return err
	}
}

// writes gathers what a batch changes, for one statement each.
type writes struct {
	records              []*record
	opened, changed      []Plan
	scheduled, cancelled []Call
	emissions            []flow.Emission
	now                  time.Time
	zone                 *time.Location
}

func (s *Service) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission, error) {
	causes := map[string]*flow.Event{}
	for i := range fresh {
		e := &fresh[i]
		r, ok := records[e.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", e.ID, e.Subject)
		}
		changed, err := learn(&r.Known, *e)
		if err != nil {
			return nil, err
		}
		if changed {
			causes[e.Subject] = e
		}
	}
	w := writes{now: now, zone: s.zone}
	for _, journey := range slices.Sorted(maps.Keys(causes)) {
		w.decide(records[journey], causes[journey])
	}
	return w.emissions, w.store(q)
}

func (w *writes) store(q queuer) error {
	if err := saveRecords(q, w.records); err != nil { // a plan names its journey's row
		return err
	}
	cancelCalls(q, w.cancelled, w.now)
	if err := changePlans(q, w.changed, w.now); err != nil {
		return err
	}
	if err := openPlans(q, w.opened, w.now); err != nil {
		return err
	}
	scheduleCalls(q, w.scheduled, w.now)
	return nil
}

// learn takes one event into what is known and says whether it changed anything; a stale one does not.
func learn(k *Known, e flow.Event) (bool, error) {
	at := flow.ReadSequence(e.Sequence)
	switch schemas.Type(e.Type) {
	case schemas.AppointmentBooked, schemas.AppointmentKept, schemas.AppointmentNotKept, schemas.AppointmentCancelled:
		return false, nil
	case schemas.DischargeRecorded:
		d, err := flow.Decode[schemas.DischargeRecordedData](e)
		return err == nil && k.addRecorded(at, d), err
	case schemas.ReferralRequested:
		d, err := flow.Decode[schemas.ReferralRequestedData](e)
		return err == nil && k.addRecorded(at, schemas.DischargeRecordedData{Person: d.Person, Organisation: d.Organisation, Visit: d.Referral, Flags: d.Flags}), err
	case schemas.DischargeCorrected:
		d, err := flow.Decode[schemas.DischargeCorrectedData](e)
		return err == nil && k.addCorrected(at, d), err
	case schemas.DischargeWithdrawn:
		d, err := flow.Decode[schemas.DischargeWithdrawnData](e)
		return err == nil && k.addWithdrawn(at, d), err
	case schemas.PathwayDecided:
		d, err := flow.Decode[schemas.PathwayDecidedData](e)
		return err == nil && k.addDecided(d.Waits), err
	case schemas.GapFound:
		return k.addGap(), nil
	case schemas.ServiceAnswered:
		d, err := flow.Decode[schemas.ServiceAnsweredData](e)
		return err == nil && k.addAnswered(d), err
	case schemas.ConsentGiven, schemas.ConsentDeclined, schemas.ConsentWithdrawn, schemas.ConsentLapsed: // a yes taken back is a no
		d, err := flow.Decode[schemas.ConsentData](e)
		return err == nil && k.addConsent(d, schemas.AnswerOf(schemas.Type(e.Type), at)), err
	case schemas.JourneyClosed:
		d, err := flow.Decode[schemas.JourneyClosedData](e)
		return err == nil && k.addClosed(at, d), err
	case schemas.JourneyHeld, schemas.JourneyReleased, schemas.JourneyReopened:
		return k.addTurn(turn{At: at, Held: schemas.Type(e.Type) == schemas.JourneyHeld}), nil
	case schemas.ContactStopped, schemas.ContactResumed:
		return k.Contact.say(at, schemas.Type(e.Type) == schemas.ContactResumed), nil
	default:
		return false, fmt.Errorf("event %s: bridging does not hear %s", e.ID, e.Type)
	}
}

// decide asks the rules about one journey and gathers what follows.
func (w *writes) decide(r *record, cause *flow.Event) {
	if r.Correlation == "" {
		r.Correlation = cause.Correlation
	}
	w.records = append(w.records, r)
	c := change(&r.Known, r.Plan, r.Journey, calendar.DayOf(w.now, w.zone), calendar.England(), w.zone)
	if c.Open != nil {
		r.Plan = c.Open
		r.Plan.ID, r.Plan.Journey, r.Plan.Organisation, r.Plan.Person = clock.NewID(w.now), r.Journey, r.Known.Sender, r.Known.Person
		w.opened = append(w.opened, *r.Plan)
	}
	if c.Change != nil {
		r.Plan = c.Change
		w.changed = append(w.changed, *r.Plan)
	}
	w.calls(r, c)
	w.say(r, c, cause)
	if r.Plan != nil && r.Plan.State == Ended {
		r.Plan = nil
	}
}

func (w *writes) calls(r *record, c Change) {
	if c.Cancel != nil {
		w.cancelled = append(w.cancelled, *c.Cancel)
		r.Plan.Call = nil
	}
	if c.Schedule != nil {
		c.Schedule.ID, c.Schedule.Plan = clock.NewID(w.now), r.Plan.ID
		c.Schedule.Journey, c.Schedule.Organisation = r.Journey, r.Plan.Organisation
		w.scheduled = append(w.scheduled, *c.Schedule)
		r.Plan.Call = c.Schedule
	}
}

// say emits what others hear of a change: the plan first, then its call.
func (w *writes) say(r *record, c Change, cause *flow.Event) {
	if c.Propose || c.Start {
		t := schemas.BridgingProposed
		if c.Start {
			t = schemas.BridgingStarted
		}
		w.emit(r, cause, t, schemas.BridgingProposedData{Plan: r.Plan.ID, EveryDays: r.Plan.EveryDays, Minutes: r.Plan.Minutes})
	}
	if c.Pause {
		w.emit(r, cause, schemas.BridgingPaused, schemas.BridgingPausedData{Plan: r.Plan.ID})
	}
	if c.Resume {
		w.emit(r, cause, schemas.BridgingResumed, schemas.BridgingResumedData{Plan: r.Plan.ID})
	}
	if c.End {
		w.emit(r, cause, schemas.BridgingEnded, schemas.BridgingEndedData{Plan: r.Plan.ID, Reason: r.Plan.Because})
	}
	if c.Schedule != nil {
		w.emit(r, cause, schemas.CallScheduled, schemas.CallScheduledData{Call: c.Schedule.ID, Plan: r.Plan.ID,
			Person: r.Plan.Person, DueAt: c.Schedule.DueAt.In(w.zone), On: c.Schedule.On.String()})
	}
}

func (w *writes) emit(r *record, cause *flow.Event, t schemas.Type, data any) {
	r.Version++
	w.emissions = append(w.emissions, flow.Emission{
		Type: string(t), Journey: r.Journey, Version: r.Version, Cause: cause, Correlation: r.Correlation, Data: data,
	})
}
