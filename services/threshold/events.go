package threshold

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// Hears are the subjects of the types that threshold acts on.
func Hears() []string { return schemas.SubjectsHeardBy(Name) }

// Handle applies a batch: the journeys concerned are locked in id order, each journey's events are folded into what
// is known of it, and each of which anything became known is decided once.
func (e *Evaluator) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	records := load(tx, flow.Journeys(batch))
	return func(fresh []flow.Event) error {
		emissions, err := e.apply(tx, tx.Now, records, fresh)
		for _, emission := range emissions {
			tx.Emit(emission)
		}
		return err
	}
}

func (e *Evaluator) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission, error) {
	causes, barred := map[string]*flow.Event{}, map[string]bool{}
	for i := range fresh {
		event := &fresh[i]
		r, ok := records[event.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", event.ID, event.Subject)
		}
		changed, err := r.hear(*event)
		if err != nil {
			return nil, err
		}
		switch {
		case changed && schemas.Type(event.Type) == schemas.PreferencesChanged:
			barred[event.Subject] = true // who must not know changes no decision
		case changed:
			causes[event.Subject] = event
		}
	}
	w := writes{now: now}
	for _, journey := range slices.Sorted(maps.Keys(barred)) {
		if causes[journey] == nil {
			w.records = append(w.records, records[journey])
		}
	}
	for _, journey := range slices.Sorted(maps.Keys(causes)) {
		r := records[journey]
		if r.Correlation == "" {
			r.Correlation = causes[journey].Correlation
		}
		e.decide(&w, r, causes[journey], always)
	}
	return w.emissions, w.store(q)
}

// writes gathers what a transaction changes, for one statement each.
type writes struct {
	now       time.Time
	records   []*record
	decisions []made
	emissions []flow.Emission
}

func (w *writes) store(q queuer) error {
	if err := saveDecisions(q, w.decisions, w.now); err != nil {
		return err
	}
	return saveRecords(q, w.records)
}

// hear takes one event into what is known of a journey, and says whether that changed anything: an event that is older
// than what is known, or comes again, does not.
func (r *record) hear(e flow.Event) (changed bool, err error) {
	return r.seen.Changed(&r.Known, func() error { return hear(&r.Known, e) })
}

// hear takes one event into what is known.
func hear(k *Known, e flow.Event) error {
	at := flow.ReadSequence(e.Sequence)
	switch schemas.Type(e.Type) {
	case schemas.DischargeRecorded:
		d, err := flow.Decode[schemas.DischargeRecordedData](e)
		if err == nil {
			k.begin(at, d.Person, d.Organisation, d.LeftOn, d.Facts)
		}
		return err
	case schemas.ReferralRequested:
		d, err := flow.Decode[schemas.ReferralRequestedData](e)
		if err == nil {
			k.begin(at, d.Person, d.Organisation, d.LeftOn, d.Facts)
		}
		return err
	case schemas.DischargeCorrected:
		d, err := flow.Decode[schemas.DischargeCorrectedData](e)
		if err == nil {
			k.correct(at, d)
		}
		return err
	case schemas.InformationSupplied:
		d, err := flow.Decode[schemas.InformationSuppliedData](e)
		if err == nil {
			k.learn(at, d.Facts, d.TakenBack)
		}
		return err
	case schemas.PreferencesChanged:
		d, err := flow.Decode[schemas.PreferencesChangedData](e)
		if err == nil {
			k.bar(at, d.MustNotKnow)
		}
		return err
	case schemas.DischargeWithdrawn:
		k.withdraw(at)
		return nil
	case schemas.JourneyClosed:
		k.turn(at, true, "")
		return nil
	case schemas.JourneyReleased:
		d, err := flow.Decode[schemas.JourneyReleasedData](e)
		if err == nil {
			k.turn(at, false, d.ReleasedOn)
		}
		return err
	case schemas.JourneyReopened:
		d, err := flow.Decode[schemas.JourneyReopenedData](e)
		if err == nil {
			k.turn(at, false, d.ReopenedOn)
		}
		return err
	default:
		return fmt.Errorf("event %s: threshold does not hear %s", e.ID, e.Type)
	}
}

// keeping says when a decision is kept. What is said of it to others is said where that is otherwise than before.
type keeping int

const (
	always    keeping = iota // facts arrived, or a human recorded something: it is kept
	ifChanged                // nothing was learned, only looked at anew: it is kept where anything is otherwise
)

// decide evaluates the whole set for one journey, keeps what follows and says it. cause is nil where no event led to
// it. A journey that has not begun, whose discharge was withdrawn, or that is closed, has no decision: one that goes on
// again is decided anew. It returns whether anything is otherwise than before.
func (e *Evaluator) decide(w *writes, r *record, cause *flow.Event, keep keeping) (changed bool) {
	w.records = append(w.records, r)
	r.DueAt = nil
	if !r.Known.stands() {
		return false
	}
	situation := r.Known.situation(calendar.DayOf(w.now, e.zone).String(), r.Last)
	decision := criteria.Evaluate(e.directory, situation)
	r.DueAt = e.startOf(criteria.NextChange(e.directory, situation, decision))
	changed = !criteria.SameOutcome(&decision, r.Last)
	if keep == ifChanged && !changed {
		return false
	}
	m := made{id: clock.NewID(w.now), journey: r.Journey, organisation: r.Known.Sender, decision: decision, situation: situation}
	if cause != nil {
		m.cause, m.learnt = &cause.ID, cause.Type
	}
	w.decisions = append(w.decisions, m)
	said, before := outcomeOf(&decision), outcomeOf(r.Last)
	if r.Last == nil || !samePathway(said.pathway, before.pathway) {
		w.emissions = append(w.emissions, r.emission(schemas.PathwayDecided, cause, said.pathway))
	}
	if said.gap != nil {
		w.emissions = append(w.emissions, r.emission(schemas.GapFound, cause, said.gap))
	}
	if said.asksNew(before) {
		w.emissions = append(w.emissions, r.emission(schemas.InformationNeeded, cause, said.needed))
	}
	r.Last, r.LastID = &decision, m.id
	return changed
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

func (r *record) emission(t schemas.Type, cause *flow.Event, data any) flow.Emission {
	r.Version++
	return flow.Emission{Type: string(t), Journey: r.Journey, Version: r.Version, Cause: cause, Correlation: r.Correlation, Data: data}
}
