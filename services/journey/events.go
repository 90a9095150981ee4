package journey

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/schemas"
)

// Handle applies a batch: the journeys concerned are locked in id order, each journey's events are folded into what
// is known of it, every event gets its line, and where anything became known its steps are compared once with what they
// should be. An event that comes again finds its line there and makes nothing known: it changes nothing.
func (s *Service) Handle(tx *flow.Tx, batch []flow.Event) func(fresh []flow.Event) error {
	records := load(tx, journeysOf(batch))
	return func(fresh []flow.Event) error {
		emissions, err := s.apply(tx, tx.Now, records, fresh)
		for _, e := range emissions {
			tx.Emit(e)
		}
		return err
	}
}

// journeysOf returns the journeys that a batch speaks of, sorted. Messages that were quarantined have none.
func journeysOf(batch []flow.Event) []string {
	return flow.Journeys(slices.DeleteFunc(slices.Clone(batch), aboutMessage))
}

// aboutMessage says whether an event concerns no journey: a message that was quarantined, or a service's line.
func aboutMessage(e flow.Event) bool {
	switch schemas.Type(e.Type) {
	case schemas.MessageQuarantined, schemas.MessageReleased, schemas.ServiceLineReported, schemas.ServiceLineMended:
		return true
	}
	return false
}

// writes gathers what a batch changes, for one statement each.
type writes struct {
	owners    Owners
	zone      *time.Location
	now       time.Time
	records   []*record
	opened    []Step
	closed    []Step
	messages  map[string]Step // by message
	entries   []entry
	emissions []flow.Emission
	// adopted are journeys whose steps get the organisation that came with the beginning.
	adopted, adopters []string
	transitions       []transition
}

func (s *Service) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission, error) {
	w := writes{owners: s.owners, zone: s.zone, now: now, messages: map[string]Step{}}
	causes := map[string]*flow.Event{}
	for i := range fresh {
		e := &fresh[i]
		if aboutMessage(*e) {
			if err := w.message(*e); err != nil {
				return nil, err
			}
			continue
		}
		r, ok := records[e.Subject]
		if !ok {
			return nil, fmt.Errorf("event %s: its journey %q has not been loaded", e.ID, e.Subject)
		}
		details, changed, err := r.applyEvent(*e)
		if err != nil {
			return nil, err
		}
		w.entries = append(w.entries, entry{Journey: r.ID, Event: e.ID, Type: e.Type, Sentence: e.Type, At: e.Time, Details: details})
		if changed {
			causes[e.Subject] = e
		}
	}
	for _, id := range slices.Sorted(maps.Keys(causes)) {
		w.decide(records[id], causes[id])
	}
	return w.emissions, w.store(q)
}

// applyEvent takes one event into what is known of its journey, and says whether that changed anything: a journey without a
// row becomes known by any event.
func (r *record) applyEvent(e flow.Event) (details json.RawMessage, changed bool, err error) {
	changed, err = r.seen.Changed(&r.JourneyState, func() (err error) {
		details, err = apply(&r.JourneyState, e)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return details, r.fresh || changed, nil
}

func (w *writes) store(q queuer) error {
	addEntries(q, w.entries)
	if err := saveRecords(q, w.records, w.now); err != nil { // a step names its journey's row
		return err
	}
	closeSteps(q, w.closed, w.now)
	adoptSteps(q, w.adopted, w.adopters)
	var released []Step
	opened := w.opened
	for _, message := range slices.Sorted(maps.Keys(w.messages)) {
		if s := w.messages[message]; s.State == stateDone {
			released = append(released, s)
		} else {
			opened = append(opened, s)
		}
	}
	if err := openSteps(q, opened, w.now); err != nil {
		return err
	}
	closeMessages(q, released, w.now)
	return addTransitions(q, w.transitions, w.now)
}

// message opens the step of a message that was quarantined, or closes it. Of both in one batch, the release stands.
func (w *writes) message(e flow.Event) error {
	s, known := w.messages[e.Subject]
	if !known {
		s = Step{ID: clock.NewID(w.now), About: e.Subject, Kind: stepReadMessage, Owner: w.owners.Navigator, State: stateOpen, OpenedBy: e.ID,
			DueAt: whatNext(w.owners, "", e.Time, w.zone).DueAt}
	}
	switch schemas.Type(e.Type) {
	case schemas.MessageReleased, schemas.ServiceLineMended:
		s.State, s.ClosedBy = stateDone, e.ID
		w.messages[e.Subject] = s
		return nil
	case schemas.ServiceLineReported:
		d, err := flow.Decode[schemas.ServiceLineReportedData](e)
		s.Kind, s.Basis, s.Organisation, s.OpenedBy, s.DueAt = stepMendLine, d.Service, d.Organisation, e.ID, d.DueAt
		w.messages[e.Subject] = s
		return err
	}
	d, err := flow.Decode[schemas.MessageQuarantinedData](e)
	if err != nil {
		return err
	}
	s.Organisation, s.OpenedBy = d.Organisation, e.ID
	if !d.DueAt.IsZero() {
		s.DueAt = d.DueAt
	}
	w.messages[e.Subject] = s
	return nil
}

// decide brings one journey's steps in line with what is known of it.
func (w *writes) decide(r *record, cause *flow.Event) {
	if r.Correlation == "" {
		r.Correlation = cause.Correlation
	}
	if r.Organisation != r.JourneyState.Sender && len(r.Steps) > 0 {
		w.adopted, w.adopters = append(w.adopted, r.ID), append(w.adopters, r.JourneyState.Sender)
	}
	r.Organisation, r.Person = r.JourneyState.Sender, r.JourneyState.Person
	w.records = append(w.records, r)
	news := r.JourneyState.news()
	if news != "" {
		w.goOn(r)
	}
	if r.State != journeyClosed {
		w.compare(r, w.desired(r), whatNext(w.owners, cause.ID, w.now, w.zone), cause.ID)
	}
	if news != "" {
		w.emitReopened(r, news, cause)
	}
	if r.JourneyState.began() && r.BeganAt == nil {
		r.BeganAt = &w.now
		w.announce(r, cause)
	}
}

// desired are the steps that should be open for what is known and what has been done.
func (w *writes) desired(r *record) []DesiredStep {
	return climb(stepsFor(&r.JourneyState, w.owners, w.zone), r.Steps, w.owners, r.JourneyState.askFrom(), w.zone)
}

func (w *writes) compare(r *record, wanted []DesiredStep, last DesiredStep, by string) {
	open, replace := compare(r.Steps, wanted, last)
	for _, old := range replace {
		w.close(r, old.ID, stateReplaced, by)
	}
	for _, o := range open {
		w.open(r, o, by)
	}
}

// open opens a step of a journey. Steps that are due together are shown in the order of the table of rules.
func (w *writes) open(r *record, o DesiredStep, by string) Step {
	s := Step{ID: clock.NewOrderedID(w.now, len(w.opened)), Journey: r.ID, Organisation: r.Organisation, Kind: o.Kind, Basis: o.Basis, Owner: o.Owner,
		DueAt: o.DueAt, FirstDueAt: o.DueAt, State: stateOpen, OpenedBy: by}
	r.Steps, w.opened = append(r.Steps, s), append(w.opened, s)
	return s
}

// close ends one of a journey's steps. One that this transaction has itself opened, and that is overtaken already, was
// never anybody's: it is not written.
func (w *writes) close(r *record, id, state, by string) {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.ID == id })
	s := r.Steps[i]
	s.State, s.ClosedBy = state, by
	if state != stateReplaced {
		w.closed, r.Steps[i] = append(w.closed, s), s
		return
	}
	r.Steps = slices.Delete(r.Steps, i, i+1)
	if j := slices.IndexFunc(w.opened, func(o Step) bool { return o.ID == id }); j >= 0 {
		w.opened = slices.Delete(w.opened, j, j+1)
		return
	}
	w.closed = append(w.closed, s)
}

// announce says that the journey exists and what happens next.
func (w *writes) announce(r *record, cause *flow.Event) {
	next, ok := holding(r.Steps)
	if !ok {
		return // it is closed
	}
	w.emit(r, cause, schemas.JourneyOpened, schemas.JourneyOpenedData{Person: r.Person, Organisation: r.Organisation, Next: nextOf(next, w.zone)})
}

func nextOf(s Step, zone *time.Location) schemas.NextStep {
	return schemas.NextStep{Step: s.ID, Kind: s.Kind, Owner: s.Owner, DueAt: s.DueAt.In(zone)}
}

func (w *writes) emit(r *record, cause *flow.Event, t schemas.Type, data any) {
	r.Version++
	w.emissions = append(w.emissions, flow.Emission{
		Type: string(t), Journey: r.ID, Version: r.Version, Cause: cause, Correlation: r.Correlation, Data: data,
	})
}

// apply takes one event into what is known of its journey, and returns the few coded details its line shows.
func apply(k *JourneyState, e flow.Event) (details json.RawMessage, err error) {
	k.apply(e.Time.UTC())
	hear, ok := heard[schemas.Type(e.Type)]
	if !ok {
		return nil, fmt.Errorf("event %s: journey does not hear %s", e.ID, e.Type)
	}
	shown, err := hear(k, e, flow.ReadSequence(e.Sequence), e.Time.UTC())
	if err != nil {
		return nil, err
	}
	return json.Marshal(shown)
}

// shown are the details of a line: codes, counts and local dates, never a name, an identifier of a person or a partner.
type shown map[string]any

type hearing func(k *JourneyState, e flow.Event, at int64, when time.Time) (shown, error)

// on is a hearing of a type whose data is a T.
func on[T any](hear func(k *JourneyState, d T, at int64, when time.Time) shown) hearing {
	return func(k *JourneyState, e flow.Event, at int64, when time.Time) (shown, error) {
		d, err := flow.Decode[T](e)
		if err != nil {
			return nil, err
		}
		if s := hear(k, d, at, when); s != nil {
			return s, nil
		}
		return shown{}, nil
	}
}

// heard is what is done about each type: one line each.
var heard = map[schemas.Type]hearing{
	schemas.DischargeRecorded: on(func(k *JourneyState, d schemas.DischargeRecordedData, at int64, when time.Time) shown {
		k.addBeginning(at, when, d.Person, d.Organisation, d.Visit, d.LeftOn, d.Flags)
		return shown{"leftOn": d.LeftOn}
	}),
	schemas.ReferralRequested: on(func(k *JourneyState, d schemas.ReferralRequestedData, at int64, when time.Time) shown {
		k.addBeginning(at, when, d.Person, d.Organisation, d.Referral, d.LeftOn, d.Flags)
		return shown{"leftOn": d.LeftOn, "route": d.Route}
	}),
	schemas.DischargeCorrected: on(func(k *JourneyState, d schemas.DischargeCorrectedData, at int64, when time.Time) shown {
		k.addCorrected(at, when, d)
		if d.MayAnswer != "" {
			return shown{"mayAnswer": d.MayAnswer}
		}
		return shown{"leftOn": d.LeftOn}
	}),
	schemas.DischargeWithdrawn: on(func(k *JourneyState, d schemas.DischargeWithdrawnData, at int64, when time.Time) shown {
		k.addWithdrawn(at, when, d.Visit)
		return shown{"reason": d.Reason}
	}),
	schemas.ConsentGiven: on(func(k *JourneyState, d schemas.ConsentData, at int64, when time.Time) shown {
		return consent(k, d, at, when, true)
	}),
	schemas.ConsentDeclined: on(func(k *JourneyState, d schemas.ConsentData, at int64, when time.Time) shown {
		return consent(k, d, at, when, false)
	}),
	schemas.ConsentWithdrawn: on(func(k *JourneyState, d schemas.ConsentData, at int64, when time.Time) shown {
		k.Deletion.apply(at, when)
		return consent(k, d, at, when, false)
	}),
	schemas.ConsentLapsed: on(func(k *JourneyState, d schemas.ConsentData, at int64, when time.Time) shown {
		k.addConsent(d, schemas.Answered{At: at, When: when, Lapsed: true})
		return shown{"purposes": d.Purposes}
	}),
	schemas.ConsentExpiring: on(func(k *JourneyState, d schemas.ConsentExpiringData, at int64, when time.Time) shown {
		k.Expiring.apply(at, when)
		return shown{"purposes": d.Purposes, "until": d.Until}
	}),
	schemas.PersonMerged: on(func(k *JourneyState, d schemas.PersonMergedData, at int64, when time.Time) shown {
		if k.Merged.apply(at, when) {
			k.Merged.Yes = d.Confirmed
		}
		k.addPair(at, when, d, true)
		return shown{"confirmed": d.Confirmed}
	}),
	schemas.PersonUnmerged: on(func(k *JourneyState, d schemas.PersonMergedData, at int64, when time.Time) shown {
		if k.Merged.apply(at, when) {
			k.Merged.Yes = true // nothing is left to confirm
		}
		k.addPair(at, when, d, false)
		return nil
	}),
	schemas.PreferencesChanged: on(func(k *JourneyState, d schemas.PreferencesChangedData, at int64, when time.Time) shown {
		if d.Questions != nil && k.Questions.apply(at, when) {
			k.Questions.Yes = len(d.Questions) > 0
		}
		k.addBarred(at, d.MustNotKnow)
		return shown{"noSafeChannel": d.NoSafeChannel, "needs": d.Needs, "questions": len(d.Questions)}
	}),
	schemas.ContactStopped: on(func(k *JourneyState, d schemas.ContactStoppedData, at int64, when time.Time) shown {
		k.addContact(at, when, false)
		return nil // why is not for a timeline that the family may see
	}),
	schemas.ContactResumed: on(func(k *JourneyState, d schemas.ContactResumedData, at int64, when time.Time) shown {
		k.addContact(at, when, true)
		return nil
	}),
	schemas.PersonSeen:  on(seenElsewhere),
	schemas.PathwaySeen: on(seenElsewhere),
	schemas.InformationNeeded: on(func(k *JourneyState, d schemas.InformationNeededData, at int64, when time.Time) shown {
		k.Missing.apply(at, when)
		return shown{"facts": d.Facts}
	}),
	schemas.InformationSupplied: on(func(*JourneyState, schemas.InformationSuppliedData, int64, time.Time) shown { return nil }),
	schemas.PathwayDecided: on(func(_ *JourneyState, d schemas.PathwayDecidedData, at int64, when time.Time) shown {
		return shown{"open": len(d.Open), "open-if": len(d.OpenIf)}
	}),
	schemas.GapFound: on(func(k *JourneyState, d schemas.GapFoundData, at int64, when time.Time) shown {
		k.Gap.apply(at, when)
		return shown{"nobody": d.Nobody, "probable": d.Probable}
	}),
	schemas.ServiceAsked: on(func(k *JourneyState, d schemas.ServiceAskedData, at int64, when time.Time) shown {
		k.addAsked(at, when, d)
		return shown{"service": d.Service, "again": d.Again}
	}),
	schemas.ServiceAnswered: on(func(k *JourneyState, d schemas.ServiceAnsweredData, at int64, when time.Time) shown {
		k.addAnswered(at, when, d)
		return shown{"service": d.Service, "answer": d.Answer, "reason": d.Reason, "questioned": d.Questioned}
	}),
	schemas.OfferRaised: on(func(k *JourneyState, d schemas.OfferRaisedData, at int64, when time.Time) shown {
		k.addRaised(at, when, d)
		return shown{"firstDay": d.FirstDay, "lastDay": d.LastDay, "late": d.Late}
	}),
	schemas.OfferAccepted: on(func(k *JourneyState, d schemas.OfferAcceptedData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			o.Accepted.apply(at, when)
			o.Partner = d.Partner
		})
		return shown{"personAnswersBy": d.PersonAnswersBy, "bookBy": d.BookBy}
	}),
	schemas.OfferSent: on(func(k *JourneyState, d schemas.OfferSentData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			if o.Sent.apply(at, when) {
				o.Partner, o.AnswerBy = d.Partner, d.AnswerBy.UTC()
			}
		})
		return shown{"answerBy": d.AnswerBy}
	}),
	schemas.OfferCleared: on(func(_ *JourneyState, d schemas.OfferClearedData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer}
	}),
	schemas.OfferPaused: on(func(_ *JourneyState, d schemas.OfferPausedData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer}
	}),
	schemas.OfferAcknowledged: on(func(_ *JourneyState, d schemas.OfferAcknowledgedData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer}
	}),
	schemas.OfferNudged: on(func(_ *JourneyState, d schemas.OfferNudgedData, _ int64, _ time.Time) shown {
		return shown{"about": d.About}
	}),
	schemas.OfferConfirmed: on(func(_ *JourneyState, d schemas.OfferConfirmedData, _ int64, _ time.Time) shown {
		return shown{"bookBy": d.BookBy}
	}),
	schemas.OfferAcceptedLate: on(func(_ *JourneyState, d schemas.OfferAcceptedLateData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer}
	}),
	schemas.OfferPassedOn: on(func(k *JourneyState, d schemas.OfferPassedOnData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.PassedOn.apply(at, when) })
		return nil
	}),
	schemas.OfferQuestioned: on(func(_ *JourneyState, d schemas.OfferQuestionedData, _ int64, _ time.Time) shown {
		return shown{"question": d.Question, "about": d.About}
	}),
	schemas.OfferQuestionAnswered: on(func(_ *JourneyState, d schemas.OfferQuestionAnsweredData, _ int64, _ time.Time) shown {
		return shown{"question": d.Question}
	}),
	schemas.OfferDeletionConfirmed: on(func(_ *JourneyState, d schemas.OfferDeletionConfirmedData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer, "keptBecause": d.KeptBecause}
	}),
	schemas.AppointmentBooked: on(func(_ *JourneyState, d schemas.AppointmentBookedData, _ int64, _ time.Time) shown {
		return shown{"appointment": d.Appointment, "startsAt": d.StartsAt, "on": d.On, "channel": d.Channel, "minutes": d.Minutes, "outcomeBy": d.OutcomeBy}
	}),
	schemas.AppointmentKept: on(func(_ *JourneyState, d schemas.AppointmentKeptData, _ int64, _ time.Time) shown {
		return shown{"appointment": d.Appointment}
	}),
	schemas.AppointmentNotKept: on(func(_ *JourneyState, d schemas.AppointmentNotKeptData, _ int64, _ time.Time) shown {
		return shown{"appointment": d.Appointment, "again": d.BookBy != nil}
	}),
	schemas.AppointmentCancelled: on(func(_ *JourneyState, d schemas.AppointmentCancelledData, _ int64, _ time.Time) shown {
		return shown{"appointment": d.Appointment, "ring": d.RingBy != nil}
	}),
	schemas.DeliveryMade: on(func(_ *JourneyState, d schemas.DeliveryMadeData, _ int64, _ time.Time) shown {
		return shown{"how": d.How}
	}),
	schemas.DeliveryFailed: on(func(_ *JourneyState, d schemas.DeliveryFailedData, _ int64, _ time.Time) shown {
		return shown{"offer": d.Offer}
	}),
	schemas.OfferDeclined: on(func(k *JourneyState, d schemas.OfferDeclinedData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Ended = true })
		return shown{"reason": d.Reason}
	}),
	schemas.OfferHandedBack: on(func(k *JourneyState, d schemas.OfferHandedBackData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Ended = true })
		return shown{"reason": d.Reason}
	}),
	schemas.FollowupCompleted: on(func(k *JourneyState, d schemas.FollowupCompletedData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Completed.apply(at, when) })
		return shown{"on": d.CompletedOn, "next": d.Next}
	}),
	schemas.OfferWithdrawn: on(func(k *JourneyState, d schemas.OfferWithdrawnData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Ended = true })
		return shown{"reason": d.Reason}
	}),
	schemas.OfferExhausted: on(func(k *JourneyState, d schemas.OfferExhaustedData, at int64, when time.Time) shown {
		k.Exhausted.apply(at, when)
		return shown{"lastDay": d.LastDay}
	}),
	schemas.BridgingProposed: on(func(k *JourneyState, d schemas.BridgingProposedData, at int64, when time.Time) shown {
		k.addPlan(at, when, d.Plan, planProposed)
		return shown{"everyDays": d.EveryDays, "minutes": d.Minutes}
	}),
	schemas.BridgingStarted: on(func(k *JourneyState, d schemas.BridgingStartedData, at int64, when time.Time) shown {
		k.addPlan(at, when, d.Plan, planActive)
		return shown{"everyDays": d.EveryDays, "minutes": d.Minutes}
	}),
	schemas.BridgingPaused: on(func(k *JourneyState, d schemas.BridgingPausedData, at int64, when time.Time) shown {
		k.addPlan(at, when, d.Plan, planPaused)
		return nil
	}),
	schemas.BridgingResumed: on(func(k *JourneyState, d schemas.BridgingResumedData, at int64, when time.Time) shown {
		k.addPlan(at, when, d.Plan, planActive)
		return nil
	}),
	schemas.BridgingEnded: on(func(k *JourneyState, d schemas.BridgingEndedData, at int64, when time.Time) shown {
		k.addPlan(at, when, d.Plan, planEnded)
		return shown{"reason": d.Reason}
	}),
	schemas.CallScheduled: on(func(k *JourneyState, d schemas.CallScheduledData, at int64, when time.Time) shown {
		k.addCall(at, when, d)
		return shown{"on": d.On}
	}),
	schemas.CallReached: on(func(_ *JourneyState, d schemas.CallReachedData, _ int64, _ time.Time) shown {
		return shown{"on": d.On, "answer": d.Answer}
	}),
	schemas.CallUnanswered: on(func(_ *JourneyState, d schemas.CallUnansweredData, _ int64, _ time.Time) shown {
		return shown{"on": d.On, "try": d.Try, "why": d.Why, "again": d.Again, "navigator": d.Navigator}
	}),
	schemas.CallOtherPerson: on(func(_ *JourneyState, d schemas.CallOtherPersonData, _ int64, _ time.Time) shown {
		return shown{"on": d.On, "navigator": d.Navigator}
	}),
	schemas.CallNotMade: on(func(_ *JourneyState, d schemas.CallNotMadeData, _ int64, _ time.Time) shown {
		return shown{"on": d.On, "reason": d.Reason}
	}),
	schemas.AskedToStop: on(func(_ *JourneyState, d schemas.AskedToStopData, _ int64, _ time.Time) shown { return shown{"by": d.By} }),
	schemas.HelpRequested: on(func(_ *JourneyState, d schemas.HelpRequestedData, _ int64, _ time.Time) shown {
		return shown{"kind": d.Kind, "about": d.About}
	}),
	schemas.HelpAcknowledged: on(func(*JourneyState, schemas.HelpAcknowledgedData, int64, time.Time) shown { return nil }),
}

func consent(k *JourneyState, d schemas.ConsentData, at int64, when time.Time, given bool) shown {
	k.addConsent(d, schemas.Answered{At: at, When: when, Yes: given})
	return shown{"purposes": d.Purposes}
}

// seenElsewhere tells the journey's own people who looked from elsewhere, and at what; it changes nothing else.
func seenElsewhere(_ *JourneyState, d schemas.SeenData, _ int64, _ time.Time) shown {
	return shown{"organisation": d.Organisation, "what": d.What}
}
