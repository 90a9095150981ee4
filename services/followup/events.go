package followup

import (
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Subjects are the subjects of the types that followup acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Handle applies a batch of events.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return s.handler().Handle(tx, batch)
}

func (s *Service) handler() flow.Handler[JourneyState, record] {
	return flow.Handler[JourneyState, record]{Store: store, Subscriptions: s.subscriptions, Reconcile: s.reconcile}
}

// subscribe is the table of what each type of event changes of what is known.
func (s *Service) subscribe() flow.Subscriptions[JourneyState] {
	consent := func(k *JourneyState, d schemas.ConsentData, at int64, e flow.Event) {
		k.addConsent(d, schemas.AnswerOf(schemas.Type(e.Type), at))
	}
	return flow.Table(
		flow.OnEvent(schemas.DischargeRecorded, func(k *JourneyState, d schemas.DischargeRecordedData, at int64, e flow.Event) {
			k.addRecorded(at, d, s.leftOn(d.LeftOn, d.LeftAt, e.Time))
		}),
		flow.OnEvent(schemas.ReferralRequested, func(k *JourneyState, d schemas.ReferralRequestedData, at int64, e flow.Event) {
			k.addRecorded(at, schemas.DischargeRecordedData{Person: d.Person, Organisation: d.Organisation, Visit: d.Referral, Facts: d.Facts,
				Flags: d.Flags}, s.leftOn(d.LeftOn, d.RequestedAt, e.Time))
		}),
		flow.On(schemas.DischargeCorrected, func(k *JourneyState, d schemas.DischargeCorrectedData, at int64) {
			k.addCorrected(at, d, s.leftOn(d.LeftOn, d.LeftAt, time.Time{}))
		}),
		flow.On(schemas.DischargeWithdrawn, func(k *JourneyState, d schemas.DischargeWithdrawnData, at int64) { k.Visits.Withdraw(at, d.Visit) }),
		flow.On(schemas.PathwayDecided, func(k *JourneyState, d schemas.PathwayDecidedData, at int64) { k.addDecided(at, d, s.partners) }),
		flow.OnEvent(schemas.ConsentGiven, consent),
		flow.OnEvent(schemas.ConsentDeclined, consent),
		flow.OnEvent(schemas.ConsentWithdrawn, consent), // a yes taken back is a no
		flow.OnEvent(schemas.ConsentLapsed, consent),
		flow.On(schemas.JourneyClosed, func(k *JourneyState, d schemas.JourneyClosedData, at int64) { k.Close(at, d) }),
		flow.On(schemas.JourneyReleased, func(k *JourneyState, d schemas.JourneyReleasedData, at int64) {
			k.Take(schemas.Transition{At: at, From: d.ReleasedOn})
		}),
		flow.On(schemas.JourneyReopened, func(k *JourneyState, d schemas.JourneyReopenedData, at int64) {
			k.Take(schemas.Transition{At: at, From: d.ReopenedOn})
		}),
		flow.On(schemas.PreferencesChanged, func(k *JourneyState, d schemas.PreferencesChangedData, at int64) { k.Bar(at, d.MustNotKnow) }),
		flow.On(schemas.ContactStopped, func(k *JourneyState, _ schemas.ContactStoppedData, at int64) {
			k.Contact.Apply(schemas.Answered{At: at})
		}),
		flow.On(schemas.ContactResumed, func(k *JourneyState, _ schemas.ContactResumedData, at int64) {
			k.Contact.Apply(schemas.Answered{At: at, Yes: true})
		}),
	)
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

// effects gathers what follows for the offers of a batch, for one statement each.
type effects struct {
	ended, renewed, raised []Offer
	kept                   []Offer // with another window
}

// reconcile brings the offers of journeys in line with what is known of them.
func (s *Service) reconcile(now time.Time, changed []*record) func(q flow.Queuer) error {
	var f effects
	for _, r := range changed {
		f.reconcile(s, now, r)
	}
	return func(q flow.Queuer) error {
		endOffers(q, f.ended, now)
		renewConsents(q, f.renewed)
		renewWindows(q, f.kept)
		raiseOffers(q, f.raised, now)
		return nil
	}
}

// reconcile asks the rules about one journey and gathers what follows.
func (f *effects) reconcile(s *Service, now time.Time, r *record) {
	today := calendar.DayOf(now, s.zone)
	wanted := desiredOffer(&r.State, s.partners)
	c := reconcile(wanted, r.Open, r.Status, today, calendar.England(), s.zone)
	r.Status = wanted.Status
	if c.Consent != nil {
		r.Open, f.renewed = c.Consent, append(f.renewed, *c.Consent)
	}
	if c.Renew != nil {
		r.Open, f.kept = c.Renew, append(f.kept, *c.Renew)
		r.emitRaised(s.zone)
	}
	if c.End != nil {
		r.Open = nil
		f.ended = append(f.ended, *c.End)
		r.emit(schemas.OfferWithdrawn, schemas.OfferWithdrawnData{Offer: c.End.ID, Reason: c.End.Because})
	}
	if o := c.Raise; o != nil {
		o.ID, o.Journey, o.Organisation, o.Person = clock.NewID(now), r.Journey, r.State.Sender, r.State.Person
		r.Open, f.raised = o, append(f.raised, *o)
		r.emitRaised(s.zone)
	}
	if c.Exhausted {
		r.emit(schemas.OfferExhausted, schemas.OfferExhaustedData{LastDay: windowOf(wanted.LeftOn, today).Last.String()})
	}
}

// emitRaised says how the offer stands: newly prepared, or kept over a hold with another window, under the same id.
func (r *record) emitRaised(zone *time.Location) {
	o := r.Open
	r.emit(schemas.OfferRaised, schemas.OfferRaisedData{
		Offer: o.ID, Person: o.Person, Partner: o.Partner, FirstDay: o.Window.First.String(), LastDay: o.Window.Last.String(),
		Late: o.Window.Late, AnswerBy: o.AnswerBy.In(zone),
	})
}

func (r *record) emit(t schemas.Type, data any) { r.Emit(string(t), data) }
