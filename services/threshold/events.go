package threshold

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Hears are the subjects of the types that threshold acts on.
func Hears() []string { return schemas.SubjectsHeardBy(Name) }

// Handle applies a batch: the journeys concerned are locked in id order, each journey's events are folded into what
// is known of it, and each is decided once.
func (e *Evaluator) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	records := load(tx, journeysOf(batch))
	return func(fresh []flow.Event) error {
		emissions, err := e.apply(tx, tx.Now, records, fresh)
		for _, emission := range emissions {
			tx.Emit(emission)
		}
		return err
	}
}

func journeysOf(batch []flow.Event) []string {
	journeys := make([]string, len(batch))
	for i, event := range batch {
		journeys[i] = event.Subject
	}
	slices.Sort(journeys)
	return slices.Compact(journeys)
}

func (e *Evaluator) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission, error) {
	causes := map[string]*flow.Event{}
	for i := range fresh {
		event := &fresh[i]
		r, ok := records[event.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", event.ID, event.Subject)
		}
		if err := hear(&r.Known, *event); err != nil {
			return nil, err
		}
		causes[event.Subject] = event
	}
	var changed []*record
	var decisions []made
	var emissions []flow.Emission
	for _, journey := range slices.Sorted(maps.Keys(causes)) {
		r := records[journey]
		changed = append(changed, r)
		if r.Correlation == "" {
			r.Correlation = causes[journey].Correlation
		}
		if r.Known.stands() {
			decision, said := e.decide(r, causes[journey], now)
			decisions, emissions = append(decisions, decision), append(emissions, said...)
		}
	}
	if err := saveDecisions(q, decisions, now); err != nil {
		return nil, err
	}
	return emissions, saveRecords(q, changed)
}

// hear takes one event into what is known.
func hear(k *Known, e flow.Event) error {
	at := sequenceOf(e.Sequence)
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
	case schemas.DischargeWithdrawn:
		k.withdraw(at)
		return nil
	default:
		return fmt.Errorf("event %s: threshold does not hear %s", e.ID, e.Type)
	}
}

// decide evaluates the whole set for one journey and says what follows.
func (e *Evaluator) decide(r *record, cause *flow.Event, now time.Time) (made, []flow.Emission) {
	today := now.In(e.zone).Format(time.DateOnly)
	decision := Evaluate(e.directory, r.Known.situation(today, r.Last))
	id := clock.NewID(now)
	decided, gap, needed := outcome(decision, id, r.Known.Person, r.Known.LeftOn)
	said := []flow.Emission{r.emission(schemas.PathwayDecided, cause, decided)}
	if gap != nil {
		said = append(said, r.emission(schemas.GapFound, cause, gap))
	}
	if needed != nil && asksNew(decision, r.Last) {
		said = append(said, r.emission(schemas.InformationNeeded, cause, needed))
	}
	r.Last, r.LastID = &decision, id
	return made{id, r.Journey, r.Known.Organisation, cause.ID, decision}, said
}

func (r *record) emission(t schemas.Type, cause *flow.Event, data any) flow.Emission {
	r.Version++
	return flow.Emission{Type: string(t), Journey: r.Journey, Version: r.Version, Cause: cause, Correlation: r.Correlation, Data: data}
}
