package delivery

import (
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Subjects are the subjects of the types that delivery acts on.
func Subjects() []string { return schemas.SubjectsSubscribedBy(Name) }

// Handle applies a batch of events.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	return s.handler(func() { tx.AfterCommit(s.look) }).Handle(tx, batch)
}

// handler calls telling when something goes into a partner's log, or is withheld there.
func (s *Service) handler(telling func()) flow.Handler[JourneyState, record] {
	return flow.Handler[JourneyState, record]{Store: store, Subscriptions: s.subscribe(),
		Reconcile: func(now time.Time, changed []*record) func(q flow.Queuer) error {
			return s.reconcile(now, changed, telling)
		}}
}

// look has those look at partners' logs who bring to them what is there.
func (s *Service) look() {
	s.news.tell()
	s.wake("take")
	s.wake("mails-made")
	s.wake("broker")
}

// reconcile brings what partners are told of journeys in line with what is known of them.
func (s *Service) reconcile(now time.Time, changed []*record, telling func()) func(q flow.Queuer) error {
	var entries []entry
	var withhold, heard []string
	var unnews []unsaid
	var offers []offerRow
	var texts []textRow
	for _, r := range changed {
		told, taken := r.State.tell()
		tellBy := now.Add(s.tellWithin)
		rows := r.offers(told, now, tellBy)
		for _, t := range told {
			e := entry{Telling: t, ID: clock.NewOrderedID(now, len(entries)), Journey: r.Journey}
			if !t.Type.DoneByPartner() && !waitedWith(rows, t) {
				e.TellBy = &tellBy
			}
			entries = append(entries, e)
		}
		withhold = append(withhold, taken...)
		news, back := r.State.news(r.Journey)
		for _, n := range news {
			n.ID = clock.NewOrderedID(now, len(entries))
			entries = append(entries, n)
		}
		unnews = append(unnews, back...)
		offers = append(offers, rows...)
		texts = append(texts, s.textsFor(r, told, now)...)
		for id, o := range r.State.Offers {
			if o.heard() {
				heard = append(heard, id)
			}
		}
	}
	if len(entries) > 0 || len(withhold) > 0 || len(unnews) > 0 {
		telling()
	}
	return func(q flow.Queuer) error {
		withholdEvents(q, withhold) // before what takes its place
		withholdNews(q, unnews)
		if err := appendEvents(q, entries, now); err != nil {
			return err
		}
		saveOffers(q, offers)
		saveTexts(q, texts)
		if len(heard) > 0 {
			toldOffers(q, heard)
		}
		return nil
	}
}

// offers are how those of a journey's offers stand of which something was told: by when they have to have come.
func (r *record) offers(told []Telling, now, tellBy time.Time) (rows []offerRow) {
	for _, t := range told {
		o := r.State.Offers[t.Offer]
		row := offerRow{ID: t.Offer, Journey: r.Journey, Partner: o.Partner, ToldAt: now}
		if o.Shown == schemas.StateWaits && !o.known() {
			row.TellBy = &tellBy
		}
		if i := slices.IndexFunc(rows, func(other offerRow) bool { return other.ID == row.ID }); i < 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// waitedWith says whether an event is waited for with its offer, which has not come to its partner yet.
func waitedWith(rows []offerRow, t Telling) bool {
	return t.Type == schemas.OfferSent && slices.ContainsFunc(rows, func(row offerRow) bool {
		return row.ID == t.Offer && row.TellBy != nil
	})
}

// known says whether an offer has come to its partner, or a human has been asked to tell them another way. By a mail
// alone it has not: that a server took it, or that a page was fetched, is no human who knows.
func (o *Offer) known() bool {
	return len(o.Made) > 0 && !o.Unread || o.Failed || o.begun() || o.heard()
}

// subscribe is the table of what each type of event changes of what is known.
func (s *Service) subscribe() flow.Subscriptions[JourneyState] {
	type told = schemas.PartnerOfferData
	consent := func(k *JourneyState, d schemas.ConsentData, at int64, e flow.Event) {
		if slices.Contains(d.Purposes, schemas.PurposeFollowUp) {
			k.Consent.Apply(d.Organisation, schemas.AnswerOf(schemas.Type(e.Type), d, at))
		}
		if slices.Contains(d.Purposes, schemas.PurposeTellReferrer) {
			k.TellReferrer.Apply(d.Organisation, schemas.AnswerOf(schemas.Type(e.Type), d, at))
		}
	}
	return flow.Table(
		flow.On(schemas.DischargeRecorded, func(k *JourneyState, d schemas.DischargeRecordedData, at int64) {
			k.Begin(at, d.Person, d.Organisation)
			k.refers(d.Organisation, at)
		}),
		flow.On(schemas.DischargeCorrected, func(k *JourneyState, d schemas.DischargeCorrectedData, at int64) {
			k.Place(at, d.Organisation)
		}),
		flow.On(schemas.ReferralRequested, func(k *JourneyState, d schemas.ReferralRequestedData, at int64) {
			k.Begin(at, d.Person, d.Organisation)
			if d.Route != selfReferred {
				k.refers(d.Organisation, at)
			}
		}),
		flow.OnEvent(schemas.ConsentGiven, consent),
		flow.OnEvent(schemas.ConsentDeclined, consent),
		flow.OnEvent(schemas.ConsentWithdrawn, consent),
		flow.OnEvent(schemas.ConsentLapsed, consent),
		flow.On(schemas.PreferencesChanged, func(k *JourneyState, d schemas.PreferencesChangedData, at int64) {
			k.Bar(at, d.MustNotKnow)
		}),
		flow.On(schemas.ContactStopped, func(k *JourneyState, _ schemas.ContactStoppedData, at int64) {
			k.Contact.Apply(schemas.Answered{At: at})
		}),
		flow.On(schemas.ContactResumed, func(k *JourneyState, _ schemas.ContactResumedData, at int64) {
			k.Contact.Apply(schemas.Answered{At: at, Yes: true})
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
		flow.On(schemas.JourneyClosed, func(k *JourneyState, d schemas.JourneyClosedData, at int64) { k.Close(at, d) }),

		flow.On(schemas.OfferRaised, func(k *JourneyState, d schemas.OfferRaisedData, at int64) {
			if o := k.offer(d.Offer); schemas.Newer(at, &o.RaisedAt) {
				o.Partner, o.FirstDay, o.LastDay = d.Partner, d.FirstDay, d.LastDay
			}
		}),
		flow.On(schemas.OfferCleared, func(k *JourneyState, d schemas.OfferClearedData, at int64) {
			if o := k.offer(d.Offer); schemas.Newer(at, &o.Cleared) {
				o.Partner, o.AnswerBy = d.Partner, time.Time{}
				o.in(d.Area)
				if d.AnswerBy != nil {
					o.AnswerBy = *d.AnswerBy
				}
			}
		}),
		flow.On(schemas.OfferPaused, func(k *JourneyState, d schemas.OfferPausedData, at int64) {
			o := k.offer(d.Offer)
			o.Paused = max(o.Paused, at)
		}),
		flow.On(schemas.OfferNudged, func(k *JourneyState, d schemas.OfferNudgedData, at int64) {
			if d.About == schemas.NudgeDeletion {
				return // of an offer that is over: a navigator writes to the contact about data
			}
			state := map[string]string{schemas.NudgeAnswer: schemas.StateWaits,
				schemas.NudgeBook: schemas.StateConfirmed, schemas.NudgeOutcome: schemas.StateBooked}[d.About]
			k.add(at, schemas.OfferNudged, true, d.About, told{Offer: d.Offer, State: state, About: d.About})
		}),
		flow.On(schemas.OfferAcknowledged, func(k *JourneyState, d schemas.OfferAcknowledgedData, at int64) {
			o := k.offer(d.Offer)
			o.Heard = max(o.Heard, at)
		}),
		flow.On(schemas.OfferQuestioned, func(k *JourneyState, d schemas.OfferQuestionedData, at int64) {
			o := k.offer(d.Offer)
			o.Heard = max(o.Heard, at)
		}),
		flow.On(schemas.OfferAccepted, func(k *JourneyState, d schemas.OfferAcceptedData, at int64) {
			o := k.offer(d.Offer)
			o.Partner, o.Cleared = d.Partner, max(o.Cleared, at) // it stands, whatever was said of it before
			k.add(at, schemas.OfferAccepted, false, "", told{Offer: d.Offer, State: schemas.StateAccepted,
				BookBy: d.BookBy})
		}),
		flow.On(schemas.OfferConfirmed, func(k *JourneyState, d schemas.OfferConfirmedData, at int64) {
			k.add(at, schemas.OfferConfirmed, true, "", told{Offer: d.Offer, State: schemas.StateConfirmed,
				BookBy: &d.BookBy})
		}),
		flow.On(schemas.OfferAcceptedLate, func(k *JourneyState, d schemas.OfferAcceptedLateData, at int64) {
			k.add(at, schemas.OfferAcceptedLate, false, "", told{Offer: d.Offer, State: schemas.StateAccepted})
		}),
		flow.On(schemas.OfferDeclined, func(k *JourneyState, d schemas.OfferDeclinedData, at int64) {
			k.add(at, schemas.OfferDeclined, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.OfferPassedOn, func(k *JourneyState, d schemas.OfferPassedOnData, at int64) {
			k.add(at, schemas.OfferPassedOn, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.OfferWithdrawn, func(k *JourneyState, d schemas.OfferWithdrawnData, at int64) {
			k.add(at, schemas.OfferWithdrawn, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.OfferHandedBack, func(k *JourneyState, d schemas.OfferHandedBackData, at int64) {
			k.add(at, schemas.OfferHandedBack, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.OfferUndone, func(k *JourneyState, d schemas.OfferUndoneData, at int64) {
			k.add(at, schemas.OfferUndone, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.OfferQuestionAnswered, func(k *JourneyState, d schemas.OfferQuestionAnsweredData, at int64) {
			k.add(at, schemas.OfferQuestionAnswered, true, d.Question, told{Offer: d.Offer, State: schemas.StateWaits,
				Question: d.Question})
		}),
		flow.On(schemas.OfferDeletionConfirmed, func(k *JourneyState, d schemas.OfferDeletionConfirmedData, at int64) {
			k.add(at, schemas.OfferDeletionConfirmed, false, "", told{Offer: d.Offer, State: schemas.StateOver})
		}),
		flow.On(schemas.AppointmentBooked, func(k *JourneyState, d schemas.AppointmentBookedData, at int64) {
			k.add(at, schemas.AppointmentBooked, false, d.Appointment, told{Offer: d.Offer, State: schemas.StateBooked,
				Appointment: d.Appointment,
				StartsAt:    &d.StartsAt, Channel: d.Channel, Minutes: d.Minutes, OutcomeBy: &d.OutcomeBy})
		}),
		flow.On(schemas.AppointmentKept, func(k *JourneyState, d schemas.AppointmentKeptData, at int64) {
			k.add(at, schemas.AppointmentKept, false, d.Appointment, told{Offer: d.Offer, State: schemas.StateKept,
				Appointment: d.Appointment})
		}),
		flow.On(schemas.AppointmentNotKept, func(k *JourneyState, d schemas.AppointmentNotKeptData, at int64) {
			k.add(at, schemas.AppointmentNotKept, false, d.Appointment,
				told{Offer: d.Offer, State: schemas.StateNotKept, Appointment: d.Appointment, BookBy: d.BookBy})
		}),
		flow.On(schemas.AppointmentCancelled, func(k *JourneyState, d schemas.AppointmentCancelledData, at int64) {
			k.add(at, schemas.AppointmentCancelled, false, d.Appointment,
				told{Offer: d.Offer, State: schemas.StateCancelled, Appointment: d.Appointment})
		}),
		flow.On(schemas.FollowupCompleted, func(k *JourneyState, d schemas.FollowupCompletedData, at int64) {
			k.add(at, schemas.FollowupCompleted, false, "", told{Offer: d.Offer, State: schemas.StateCompleted})
		}),
	)
}
