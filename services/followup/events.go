package followup

import (
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Subjects are the subjects of the types that followup acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Handle applies a batch of events, with the partners as they stand.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	now := *s
	now.subscriptions = now.subscribe()
	loadPartners(tx, false, &now.partners)
	countWeek(tx, monday(now.writes(tx.Now).today()), &now.partners)
	loadLive(tx, &now.live)
	return now.handler().Handle(tx, batch)
}

func (s *Service) handler() flow.Handler[JourneyState, record] {
	return flow.Handler[JourneyState, record]{Store: store, Subscriptions: s.subscriptions,
		Reconcile: func(now time.Time, changed []*record) func(q flow.Queuer) error {
			return s.writes(now).reconcile(now, changed)
		}}
}

// writes gathers what changes of offers, for one statement each.
type writes struct {
	Moment
	records         []*record
	changed, raised []*Offer
	partners        []Partner
	residents       *Residents
	live            func(organisation string) bool // outward sending is on
	figures         *figures
}

func (s *Service) writes(now time.Time) *writes {
	return &writes{Moment: Moment{Now: now, Zone: s.zone, Holidays: calendar.England()}, partners: s.partners,
		residents: s.residents, figures: s.figures,
		live: func(organisation string) bool { return s.invented || slices.Contains(s.live, organisation) }}
}

// commit ends a transaction in which people or the time have changed offers: each journey's are brought in line, and
// everything is stored.
func (w *writes) commit(tx *flow.Tx) error {
	return flow.Handler[JourneyState, record]{Store: store, Reconcile: w.reconcile}.Command(tx, w.records...)
}

// reconcile brings the offers of journeys in line with what is known of them.
func (w *writes) reconcile(_ time.Time, changed []*record) func(q flow.Queuer) error {
	for _, r := range changed {
		w.decide(r)
	}
	return func(q flow.Queuer) error {
		for _, o := range slices.Concat(w.changed, w.raised) {
			o.DueAt = o.due(w.partner(o.Partner), w.live(o.Organisation), w.Moment)
		}
		changeOffers(q, w.changed) // one offer stands for a journey: what has ended comes first
		raiseOffers(q, w.raised, w.Now)
		saveAppointments(q, w.changed)
		return nil
	}
}

// partner is a partner as it stands; one that is not known any more works on the usual days.
func (w *writes) partner(id string) Partner {
	if i := slices.IndexFunc(w.partners, func(p Partner) bool { return p.ID == id }); i >= 0 {
		return w.partners[i]
	}
	return Partner{ID: id, Works: calendar.MondayToFriday}
}

// subscribe is the table of what each type of event changes of what is known.
func (s *Service) subscribe() flow.Subscriptions[JourneyState] {
	consent := func(k *JourneyState, d schemas.ConsentData, at int64, e flow.Event) {
		k.addConsent(d, schemas.AnswerOf(schemas.Type(e.Type), d, at))
	}
	return flow.Table(
		flow.OnEvent(schemas.DischargeRecorded, func(k *JourneyState, d schemas.DischargeRecordedData, at int64,
			e flow.Event) {
			k.addRecorded(at, d, s.leftOn(d.LeftOn, d.LeftAt, e.Time))
		}),
		flow.OnEvent(schemas.ReferralRequested, func(k *JourneyState, d schemas.ReferralRequestedData, at int64,
			e flow.Event) {
			k.addRecorded(at, schemas.DischargeRecordedData{Person: d.Person, Organisation: d.Organisation,
				Visit: d.Referral, Facts: d.Facts,
				Flags: d.Flags}, s.leftOn(d.LeftOn, d.RequestedAt, e.Time))
		}),
		flow.On(schemas.DischargeCorrected, func(k *JourneyState, d schemas.DischargeCorrectedData, at int64) {
			k.addCorrected(at, d, s.leftOn(d.LeftOn, d.LeftAt, time.Time{}))
		}),
		flow.On(schemas.DischargeWithdrawn, func(k *JourneyState, d schemas.DischargeWithdrawnData, at int64) {
			k.Visits.Withdraw(at, d.Visit)
		}),
		flow.On(schemas.PathwayDecided, func(k *JourneyState, d schemas.PathwayDecidedData, at int64) {
			k.addDecided(at, d, s.partners)
		}),
		flow.OnEvent(schemas.ConsentGiven, consent),
		flow.OnEvent(schemas.ConsentDeclined, consent),
		flow.OnEvent(schemas.ConsentWithdrawn, consent), // a yes taken back is a no
		flow.OnEvent(schemas.ConsentLapsed, consent),
		flow.On(schemas.JourneyClosed, func(k *JourneyState, d schemas.JourneyClosedData, at int64) { k.Close(at, d) }),
		flow.On(schemas.JourneyReleased, func(k *JourneyState, d schemas.JourneyReleasedData, at int64) {
			k.goOn(at, d.ReleasedOn)
		}),
		flow.On(schemas.JourneyReopened, func(k *JourneyState, d schemas.JourneyReopenedData, at int64) {
			k.reopen(at, d.ReopenedOn)
		}),
		flow.On(schemas.JourneyHeld, func(k *JourneyState, _ schemas.JourneyHeldData, at int64) {
			k.Take(schemas.Transition{At: at, Held: true})
		}),
		flow.On(schemas.InformationSupplied, func(k *JourneyState, d schemas.InformationSuppliedData, at int64) {
			k.addFacts(at, &d.Facts, d.Retracted)
		}),
		flow.On(schemas.DeliveryMade, func(k *JourneyState, d schemas.DeliveryMadeData, _ int64) { k.addDelivered(d) }),
		flow.On(schemas.PersonShown, func(k *JourneyState, d schemas.ShownData, _ int64) { k.addShown(d.Offer) }),
		// nobody there knows of it, as before
		flow.On(schemas.DeliveryFailed, func(*JourneyState, schemas.DeliveryFailedData, int64) {}),
		flow.On(schemas.PreferencesChanged, func(k *JourneyState, d schemas.PreferencesChangedData, at int64) {
			k.Bar(at, d.MustNotKnow)
			k.Ring(at, d.Hours)
		}),
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

// decide asks the rules about one journey and gathers what follows.
func (w *writes) decide(r *record) {
	if o := r.Open; o != nil {
		if effects := o.delivered(r.State.Delivered[o.ID], w.partner(o.Partner), w.Moment); len(effects) > 0 {
			w.follow(r, o, effects)
		}
	}
	wanted := desiredOffer(&r.State, r.Past, w.partners, w.Moment)
	if r.Open != nil && w.turnedOff(r.Open) {
		wanted.Held = true
	}
	c := reconcile(&r.State, wanted, r.Open, r.Past, r.Status, w.Moment, w.partners)
	r.Status = wanted.Status
	if o := r.Open; o != nil && (o.Organisation != r.State.Sender || o.Person != r.State.Person) { // placed since
		o.Organisation, o.Person, c.Changed = r.State.Sender, r.State.Person, true
	}
	if c.Changed {
		w.follow(r, r.Open, c.Effects)
	}
	if r.Open != nil && r.Status == Exhausted {
		r.Status = Offered // nobody else could be asked; this one stands
	}
	if c.Raise != nil {
		w.raise(r, c.Raise)
	}
	if r.Status == Exhausted {
		r.lookAt(nextLook(&r.State, wanted, r.Past, w.partners, w.Moment))
	}
	if c.Exhausted {
		r.emit(schemas.OfferExhausted,
			schemas.OfferExhaustedData{LastDay: windowFor(wanted, r.Past, w.today()).Last.String()})
	}
}

// turnedOff says whether an offer that its partner may have been told of, and has not taken on, may not be told any
// more: outward sending is off for its organisation. What was taken on goes on: whoever knows hears of every stop.
func (w *writes) turnedOff(o *Offer) bool {
	return o.open() && !o.PlacedAt.IsZero() && !o.taken() && !w.live(o.Organisation)
}

// follow stores an offer that has changed, with the events that follow; one that has ended is the past's.
func (w *writes) follow(r *record, o *Offer, effects []Effect) {
	if !slices.Contains(w.records, r) {
		w.records = append(w.records, r)
	}
	if !slices.Contains(w.changed, o) && !slices.Contains(w.raised, o) {
		w.changed = append(w.changed, o)
	}
	for _, e := range effects {
		if d, ok := e.Data.(schemas.OfferClearedData); ok { // no more of it than the partner is shown
			d.Area = w.residents.few(*aboutOf(r.State.Facts.Facts)).Area
			e.Data = d
		}
		if e.Type == schemas.AppointmentKept {
			r.EmitCounted(string(e.Type), e.Data, w.figures.took(o))
			continue
		}
		r.emit(e.Type, e.Data)
	}
	if r.Open == o && !o.open() {
		r.Open, r.Past = nil, append(r.Past, *o)
	}
}

// raise prepares an offer: nobody outside knows of it yet.
func (w *writes) raise(r *record, o *Offer) {
	o.ID, o.Journey, o.Organisation, o.Person = clock.NewID(w.Now), r.Journey, r.State.Sender, r.State.Person
	r.Open, w.raised = o, append(w.raised, o)
	r.EmitCounted(string(schemas.OfferRaised), o.raised(w.Zone), w.figures.prepared(r.Correlation, w.Now))
}

func (r *record) emit(t schemas.Type, data any) { r.Emit(string(t), data) }
