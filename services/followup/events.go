package followup

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

// Hears are the subjects of the types that followup acts on.
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
	records                []*record
	ended, renewed, raised []Offer
	kept                   []Offer // with another window
	emissions              []flow.Emission
	holidays               *calendar.Holidays
	zone                   *time.Location
	now                    time.Time
	partners               []Partner
}

func (s *Service) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission, error) {
	causes := map[string]*flow.Event{}
	for i := range fresh {
		e := &fresh[i]
		r, ok := records[e.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", e.ID, e.Subject)
		}
		changed, err := s.learn(&r.Known, *e)
		if err != nil {
			return nil, err
		}
		if changed {
			causes[e.Subject] = e
		}
	}
	w := writes{holidays: calendar.England(), zone: s.zone, now: now, partners: s.partners}
	for _, journey := range slices.Sorted(maps.Keys(causes)) {
		w.decide(records[journey], causes[journey])
	}
	if err := saveRecords(q, w.records); err != nil { // an offer names its journey's row
		return nil, err
	}
	endOffers(q, w.ended, now)
	renewConsents(q, w.renewed)
	renewWindows(q, w.kept)
	raiseOffers(q, w.raised, now)
	return w.emissions, nil
}

// learn takes one event into what is known and says whether it changed anything; a stale one does not.
func (s *Service) learn(k *Known, e flow.Event) (bool, error) {
	at := flow.ReadSequence(e.Sequence)
	switch schemas.Type(e.Type) {
	case schemas.DischargeRecorded:
		d, err := flow.Decode[schemas.DischargeRecordedData](e)
		return err == nil && k.addRecorded(at, d, s.leftOn(d.LeftOn, d.LeftAt, e.Time)), err
	case schemas.ReferralRequested:
		d, err := flow.Decode[schemas.ReferralRequestedData](e)
		begun := schemas.DischargeRecordedData{Person: d.Person, Organisation: d.Organisation, Visit: d.Referral, Facts: d.Facts, Flags: d.Flags}
		return err == nil && k.addRecorded(at, begun, s.leftOn(d.LeftOn, d.RequestedAt, e.Time)), err
	case schemas.DischargeCorrected:
		d, err := flow.Decode[schemas.DischargeCorrectedData](e)
		return err == nil && k.addCorrected(at, d, s.leftOn(d.LeftOn, d.LeftAt, time.Time{})), err
	case schemas.DischargeWithdrawn:
		d, err := flow.Decode[schemas.DischargeWithdrawnData](e)
		return err == nil && k.addWithdrawn(at, d), err
	case schemas.PathwayDecided:
		d, err := flow.Decode[schemas.PathwayDecidedData](e)
		return err == nil && k.addDecided(at, d, s.partners), err
	case schemas.ConsentGiven, schemas.ConsentDeclined, schemas.ConsentWithdrawn, schemas.ConsentLapsed: // a yes taken back is a no
		d, err := flow.Decode[schemas.ConsentData](e)
		return err == nil && k.addConsent(d, schemas.AnswerOf(schemas.Type(e.Type), at)), err
	case schemas.JourneyClosed:
		d, err := flow.Decode[schemas.JourneyClosedData](e)
		return err == nil && k.addClosed(at, d), err
	case schemas.JourneyReleased:
		d, err := flow.Decode[schemas.JourneyReleasedData](e)
		return err == nil && k.addTurn(at, false, d.ReleasedOn), err
	case schemas.JourneyReopened:
		d, err := flow.Decode[schemas.JourneyReopenedData](e)
		return err == nil && k.addTurn(at, false, d.ReopenedOn), err
	case schemas.PreferencesChanged:
		d, err := flow.Decode[schemas.PreferencesChangedData](e)
		return err == nil && k.addBarred(at, d.MustNotKnow), err
	case schemas.DeliveryMade, schemas.DeliveryFailed, schemas.JourneyHeld, schemas.InformationSupplied:
		return false, nil
	case schemas.ContactStopped, schemas.ContactResumed:
		return k.Contact.say(at, schemas.Type(e.Type) == schemas.ContactResumed), nil
	default:
		return false, fmt.Errorf("event %s: followup does not hear %s", e.ID, e.Type)
	}
}

// leftOn returns the local day the window counts from: the day as sent, else that of the instant, else that of
// orElse; empty when none is known.
func (s *Service) leftOn(day string, at *time.Time, orElse time.Time) string {
	switch {
	case day != "":
		return day
	case at != nil:
		return calendar.DayOf(*at, s.zone).String()
	case !orElse.IsZero():
		return calendar.DayOf(orElse, s.zone).String()
	}
	return ""
}

// decide asks the rules about one journey and gathers what follows.
func (w *writes) decide(r *record, cause *flow.Event) {
	wanted := wish(&r.Known, w.partners)
	c := change(wanted, r.Open, r.Status, calendar.DayOf(w.now, w.zone), w.holidays, w.zone)
	r.Status = wanted.Status
	if r.Correlation == "" {
		r.Correlation = cause.Correlation
	}
	w.records = append(w.records, r)
	if c.Consent != nil {
		r.Open, w.renewed = c.Consent, append(w.renewed, *c.Consent)
	}
	if c.Renew != nil {
		r.Open, w.kept = c.Renew, append(w.kept, *c.Renew)
		w.sayRaised(r, cause)
	}
	if c.End != nil {
		r.Open = nil
		w.ended = append(w.ended, *c.End)
		w.emit(r, cause, schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: c.End.ID, Reason: c.End.Because})
	}
	if c.Raise != nil {
		w.raise(r, *c.Raise, cause)
	}
	if c.Exhausted {
		w.emit(r, cause, schemas.OfferExhausted, schemas.OfferExhaustedData{
			LastDay: windowOf(wanted.LeftOn, calendar.DayOf(w.now, w.zone)).Last.String(),
		})
	}
}

func (w *writes) raise(r *record, o Offer, cause *flow.Event) {
	o.ID, o.Journey, o.Organisation, o.Person = clock.NewID(w.now), r.Journey, r.Known.Sender, r.Known.Person
	r.Open, w.raised = &o, append(w.raised, o)
	w.sayRaised(r, cause)
}

// sayRaised says how the offer stands: newly prepared, or kept over a hold with another window, under the same id.
func (w *writes) sayRaised(r *record, cause *flow.Event) {
	o := r.Open
	w.emit(r, cause, schemas.OfferRaised, schemas.OfferRaisedData{
		Offer: o.ID, Person: o.Person, Partner: o.Partner, FirstDay: o.Window.First.String(), LastDay: o.Window.Last.String(),
		Late: o.Window.Late, AnswerBy: o.AnswerBy.In(w.zone),
	})
}

func (w *writes) emit(r *record, cause *flow.Event, t schemas.Type, data any) {
	r.Version++
	w.emissions = append(w.emissions, flow.Emission{
		Type: string(t), Journey: r.Journey, Version: r.Version, Cause: cause, Correlation: r.Correlation, Data: data,
	})
}
