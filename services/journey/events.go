package journey

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// aboutMessage says whether an event concerns no journey: a message that was quarantined, a service's line, or what
// was searched for.
func aboutMessage(e flow.Event) bool {
	switch schemas.Type(e.Type) {
	case schemas.MessageQuarantined, schemas.MessageReleased, schemas.ServiceLineReported, schemas.ServiceLineMended,
		schemas.SearchReviewNeeded, schemas.SearchReviewed:
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

func (s *Service) apply(q queuer, now time.Time, records map[string]*record, fresh []flow.Event) ([]flow.Emission,
	error) {
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
		w.entries = append(w.entries, entry{Journey: r.ID, Event: e.ID, Type: e.Type, Sentence: e.Type, At: e.Time,
			Details: details})
		if changed {
			causes[e.Subject] = e
		}
	}
	for _, id := range slices.Sorted(maps.Keys(causes)) {
		w.decide(records[id], causes[id])
	}
	return w.emissions, w.store(q)
}

// applyEvent takes one event into what is known of its journey, and says whether that changed anything: a journey
// without a row becomes known by any event.
func (r *record) applyEvent(e flow.Event) (details json.RawMessage, changed bool, err error) {
	if r.fresh {
		details, err = apply(&r.JourneyState, e)
		return details, true, err
	}
	changed, err = r.seen.Changed(&r.JourneyState, func() (err error) {
		details, err = apply(&r.JourneyState, e)
		return err
	})
	return details, changed, err
}

func (w *writes) store(q queuer) error {
	addEntries(q, w.entries)
	if err := saveRecords(q, w.records, w.now); err != nil { // a step names its journey's row
		return err
	}
	lines, err := w.lines()
	if err != nil {
		return err
	}
	saveLines(q, lines)
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

// lines puts what lists show of a journey on the steps that are opened, and returns those that are stored with another.
func (w *writes) lines() (stale []Step, err error) {
	lines := map[string]string{}
	for _, r := range w.records {
		for i := range r.Steps {
			s := &r.Steps[i]
			if s.State != stateOpen {
				continue
			}
			line, err := r.JourneyState.line(*s)
			if err != nil {
				return nil, err
			}
			if lines[s.ID] = line; line != s.Line {
				s.Line = line
				stale = append(stale, *s)
			}
		}
	}
	for i := range w.opened {
		w.opened[i].Line = lines[w.opened[i].ID]
	}
	return slices.DeleteFunc(stale, func(s Step) bool {
		return slices.ContainsFunc(w.opened, func(o Step) bool { return o.ID == s.ID })
	}), nil
}

// message opens the step of a message that was quarantined, or closes it. Of both in one batch, the release stands.
func (w *writes) message(e flow.Event) error {
	s, known := w.messages[e.Subject]
	if !known {
		s = Step{ID: clock.NewID(w.now), About: e.Subject, Kind: stepReadMessage, Owner: w.owners.Navigator,
			State: stateOpen, OpenedBy: e.ID,
			DueAt: whatNext(w.owners, "", e.Time, w.zone).DueAt}
	}
	switch schemas.Type(e.Type) {
	case schemas.MessageReleased, schemas.ServiceLineMended, schemas.SearchReviewed:
		s.State, s.ClosedBy = stateDone, e.ID
		w.messages[e.Subject] = s
		return nil
	case schemas.ServiceLineReported:
		d, err := flow.Decode[schemas.ServiceLineReportedData](e)
		s.Kind, s.Basis, s.Organisation, s.OpenedBy, s.DueAt = stepMendLine, d.Service, d.Organisation, e.ID, d.DueAt
		w.messages[e.Subject] = s
		return err
	case schemas.SearchReviewNeeded:
		d, err := flow.Decode[schemas.SearchReviewNeededData](e)
		s.Kind, s.Organisation, s.OpenedBy, s.DueAt = stepReviewSearches, d.Organisation, e.ID, d.DueAt
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
	} else {
		w.compareClosed(r, cause.ID)
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
	return climb(stepsFor(&r.JourneyState, w.owners, w.zone), r.Steps, w.owners, &r.JourneyState, w.zone)
}

func (w *writes) compare(r *record, wanted []DesiredStep, last DesiredStep, by string) {
	open, replace := compare(r.Steps, wanted, last)
	for _, old := range replace {
		w.close(r, old.ID, stateReplaced, by)
	}
	for _, o := range open {
		if o.Kind == stepWhatNext { // it is asked from now on, however long ago the last was heard
			o.DueAt = latest(o.DueAt, last.DueAt)
		}
		w.open(r, o, by)
	}
	w.closeTakeOvers(r, "", by)
}

// compareClosed: of a closed journey the person is asked nothing. Help that somebody needs is seen to in every state;
// so is that whoever is about to go hears of it, and that a partner says what it did with what it knew: an offer that
// stood when the journey was closed ends afterwards, and what follows from that is heard then.
func (w *writes) compareClosed(r *record, by string) {
	s := situationOf(&r.JourneyState, w.owners, w.zone)
	open, replace := compare(r.Steps, slices.Concat(s.helps(), s.toRing(), s.toReach(), s.toTellReferrers(),
		s.toDelete(),
		s.toReview()), DesiredStep{})
	for _, old := range replace {
		w.close(r, old.ID, stateReplaced, by)
	}
	for _, o := range open {
		if o.Kind != "" {
			w.open(r, o, by)
		}
	}
}

// closeTakeOvers ends what the sentinel opened for a step past its time, once that has ended or a navigator has taken
// it on, and for a journey without a step, once it has another.
func (w *writes) closeTakeOvers(r *record, taken string, by string) {
	for _, s := range openOnes(r.Steps) {
		of, overdue := strings.CutPrefix(s.Basis, byHand+"sentinel/"+voidOverdue+"/")
		_, bare := strings.CutPrefix(s.Basis, byHand+"sentinel/"+voidNoStep+"/")
		if s.Kind != stepTakeOver || !overdue && !bare {
			continue
		}
		still := slices.ContainsFunc(openOnes(r.Steps), func(o Step) bool { return o.ID == of && of != taken })
		alone := !slices.ContainsFunc(openOnes(r.Steps), func(o Step) bool { return o.Kind != stepTakeOver })
		if overdue && !still && !alone || bare && !alone {
			w.close(r, s.ID, stateReplaced, by)
		}
	}
}

// open opens a step of a journey. Steps that are due together are shown in the order of the table of rules.
func (w *writes) open(r *record, o DesiredStep, by string) Step {
	s := Step{ID: clock.NewOrderedID(w.now, len(w.opened)), Journey: r.ID, Organisation: r.Organisation, Kind: o.Kind,
		Basis: o.Basis, Owner: o.Owner,
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
	w.emit(r, cause, schemas.JourneyOpened, schemas.JourneyOpenedData{Person: r.Person, Organisation: r.Organisation,
		Next: nextOf(next, w.zone)})
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
	schemas.DischargeRecorded: on(func(k *JourneyState, d schemas.DischargeRecordedData, at int64,
		when time.Time) shown {
		k.addBeginning(at, when, d.Person, d.Organisation, d.Visit, d.LeftOn, d.Flags)
		k.state(at, when, &d.Facts, nil, nil)
		return shown{"leftOn": d.LeftOn}
	}),
	schemas.ReferralRequested: on(func(k *JourneyState, d schemas.ReferralRequestedData, at int64,
		when time.Time) shown {
		k.addBeginning(at, when, d.Person, d.Organisation, d.Referral, d.LeftOn, d.Flags)
		k.state(at, when, &d.Facts, nil, nil)
		return shown{"leftOn": d.LeftOn, "route": d.Route}
	}),
	schemas.DischargeCorrected: on(func(k *JourneyState, d schemas.DischargeCorrectedData, at int64,
		when time.Time) shown {
		k.addCorrected(at, when, d)
		k.state(at, when, d.Facts, d.Retracted, nil)
		if d.MayAnswer != "" {
			return shown{"mayAnswer": d.MayAnswer}
		}
		return shown{"leftOn": d.LeftOn}
	}),
	schemas.DischargeWithdrawn: on(func(k *JourneyState, d schemas.DischargeWithdrawnData, at int64,
		when time.Time) shown {
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
		k.lapse(d.Purposes, at, when)
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
	schemas.PreferencesChanged: on(func(k *JourneyState, d schemas.PreferencesChangedData, at int64,
		when time.Time) shown {
		if d.Questions != nil && k.Questions.apply(at, when) {
			k.Questions.Yes = len(d.Questions) > 0
		}
		if d.Reachable {
			k.Reached.apply(at, when)
		}
		if d.OwnPage != "" {
			k.OwnPage.apply(at, when)
		}
		k.Bar(at, d.MustNotKnow)
		k.Ring(at, d.Hours)
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
	schemas.PersonSeen: on(func(k *JourneyState, d schemas.SeenData, at int64, when time.Time) shown {
		k.Looks.Person.apply(at, when)
		return seenElsewhere(d)
	}),
	schemas.PathwaySeen: on(func(k *JourneyState, d schemas.SeenData, at int64, when time.Time) shown {
		k.Looks.Pathway.apply(at, when)
		return seenElsewhere(d)
	}),
	schemas.InformationNeeded: on(func(k *JourneyState, d schemas.InformationNeededData, at int64,
		when time.Time) shown {
		if k.Missing.apply(at, when) {
			k.Missing.Facts = d.Facts
		}
		return shown{"facts": d.Facts}
	}),
	schemas.InformationSupplied: on(func(k *JourneyState, d schemas.InformationSuppliedData, at int64,
		when time.Time) shown {
		k.state(at, when, &d.Facts, d.Retracted, d.NotSaid)
		return nil
	}),
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
			if o.Accepted.apply(at, when) {
				o.Partner, o.PersonAnswersBy = d.Partner, utc(d.PersonAnswersBy)
				o.bookBy(at, d.BookBy)
			}
		})
		return shown{"personAnswersBy": d.PersonAnswersBy, "bookBy": d.BookBy}
	}),
	schemas.OfferNotInTime: on(func(k *JourneyState, d schemas.OfferNotInTimeData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.NotInTime.apply(at, when) })
		return shown{"lastDay": d.LastDay}
	}),
	schemas.OfferSent: on(func(k *JourneyState, d schemas.OfferSentData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			if o.Sent.apply(at, when) {
				o.Partner = d.Partner
				o.answerBy(at, d.AnswerBy)
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
	schemas.OfferNudged: on(func(k *JourneyState, d schemas.OfferNudgedData, at int64, when time.Time) shown {
		if d.About == schemas.NudgeDeletion {
			k.offer(d.Offer, func(o *Offer) { o.Undeleted.apply(at, when) })
		}
		return shown{"about": d.About}
	}),
	schemas.OfferConfirmed: on(func(k *JourneyState, d schemas.OfferConfirmedData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			o.Confirmed.apply(at, when)
			o.bookBy(at, &d.BookBy)
		})
		return shown{"bookBy": d.BookBy}
	}),
	schemas.OfferAcceptedLate: on(func(k *JourneyState, d schemas.OfferAcceptedLateData, at int64,
		when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.AcceptedLate.apply(at, when) })
		return shown{"offer": d.Offer}
	}),
	schemas.OfferPassedOn: on(func(k *JourneyState, d schemas.OfferPassedOnData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.PassedOn.apply(at, when) })
		return nil
	}),
	schemas.OfferIntroduced: on(func(k *JourneyState, d schemas.OfferIntroducedData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Introduced.apply(at, when) })
		return shown{"how": d.How}
	}),
	schemas.OfferPossiblyKnown: on(func(k *JourneyState, d schemas.OfferPossiblyKnownData, at int64,
		when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			if o.MayKnow.apply(at, when) {
				o.Partner = d.Partner
			}
		})
		return shown{"who": d.Who}
	}),
	schemas.OfferQuestioned: on(func(k *JourneyState, d schemas.OfferQuestionedData, at int64, when time.Time) shown {
		k.question(d.Offer, d.Question, func(q *Question) { q.Asked.apply(at, when) })
		return shown{"question": d.Question, "about": d.About}
	}),
	schemas.OfferQuestionAnswered: on(func(k *JourneyState, d schemas.OfferQuestionAnsweredData, at int64,
		when time.Time) shown {
		k.question(d.Offer, d.Question, func(q *Question) { q.Answered.apply(at, when) })
		return shown{"question": d.Question}
	}),
	schemas.OfferDeletionConfirmed: on(func(k *JourneyState, d schemas.OfferDeletionConfirmedData, at int64,
		when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Deleted.apply(at, when) })
		return shown{"offer": d.Offer, "keptBecause": d.KeptBecause, "kept": d.Kept}
	}),
	schemas.AppointmentBooked: on(func(k *JourneyState, d schemas.AppointmentBookedData, at int64,
		when time.Time) shown {
		k.appointment(d.Offer, d.Appointment, func(a *Appointment) {
			if a.Booked.apply(at, when) {
				a.OutcomeBy, a.On = d.OutcomeBy.UTC(), d.On
			}
		})
		return shown{"appointment": d.Appointment, "startsAt": d.StartsAt, "on": d.On, "channel": d.Channel,
			"minutes": d.Minutes, "outcomeBy": d.OutcomeBy}
	}),
	schemas.AppointmentKept: on(func(k *JourneyState, d schemas.AppointmentKeptData, at int64, when time.Time) shown {
		k.became(d.Offer, d.Appointment, wasKept, at, when, nil, nil)
		return shown{"appointment": d.Appointment}
	}),
	schemas.AppointmentNotKept: on(func(k *JourneyState, d schemas.AppointmentNotKeptData, at int64,
		when time.Time) shown {
		k.became(d.Offer, d.Appointment, wasNotKept, at, when, d.BookBy, nil)
		return shown{"appointment": d.Appointment, "again": d.BookBy != nil}
	}),
	schemas.AppointmentCancelled: on(func(k *JourneyState, d schemas.AppointmentCancelledData, at int64,
		when time.Time) shown {
		k.became(d.Offer, d.Appointment, wasCancelled, at, when, nil, d.RingBy)
		return shown{"appointment": d.Appointment, "ring": d.RingBy != nil}
	}),
	schemas.DeliveryMade: on(func(_ *JourneyState, d schemas.DeliveryMadeData, _ int64, _ time.Time) shown {
		return shown{"how": d.How}
	}),
	schemas.DeliveryFailed: on(func(k *JourneyState, d schemas.DeliveryFailedData, at int64, when time.Time) shown {
		k.addUntold(d.Offer, d.Partner, at, when)
		return shown{"offer": d.Offer}
	}),
	schemas.ReferrerUntold: on(func(k *JourneyState, d schemas.ReferrerUntoldData, at int64, when time.Time) shown {
		k.referrerUntold(d.Referrer, at, when)
		return shown{"organisation": d.Referrer}
	}),
	schemas.ReferrerTold: on(func(k *JourneyState, d schemas.ReferrerToldData, at int64, _ time.Time) shown {
		k.referrerTold(d.Referrer, at)
		return shown{"organisation": d.Referrer}
	}),
	schemas.OfferDeclined: on(func(k *JourneyState, d schemas.OfferDeclinedData, at int64, when time.Time) shown {
		k.end(d.Offer, at, when, "declined")
		return shown{"reason": d.Reason}
	}),
	schemas.OfferUndone: on(func(k *JourneyState, d schemas.OfferUndoneData, at int64, when time.Time) shown {
		k.end(d.Offer, at, when, wasUndone)
		return shown{"answer": d.Answer}
	}),
	schemas.PersonShown: on(func(k *JourneyState, d schemas.ShownData, at int64, when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) { o.Shown.apply(at, when) })
		return shown{"offer": d.Offer}
	}),
	schemas.OfferHandedBack: on(func(k *JourneyState, d schemas.OfferHandedBackData, at int64, when time.Time) shown {
		k.end(d.Offer, at, when, "handed-back")
		return shown{"reason": d.Reason}
	}),
	schemas.FollowupCompleted: on(func(k *JourneyState, d schemas.FollowupCompletedData, at int64,
		when time.Time) shown {
		k.offer(d.Offer, func(o *Offer) {
			if o.Completed.apply(at, when) {
				o.Next = d.Next
			}
		})
		return shown{"on": d.CompletedOn, "next": d.Next}
	}),
	schemas.OfferWithdrawn: on(func(k *JourneyState, d schemas.OfferWithdrawnData, at int64, when time.Time) shown {
		k.end(d.Offer, at, when, d.Reason)
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
		if k.addPlan(at, when, d.Plan, planPaused); k.Plan.At == at {
			k.Plan.NobodyRings = d.NobodyRings
		}
		return shown{"nobodyRings": d.NobodyRings}
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
	schemas.CallClaimed: on(func(*JourneyState, schemas.CallClaimedData, int64, time.Time) shown { return nil }),
	schemas.BridgingReview: on(func(k *JourneyState, d schemas.BridgingReviewData, at int64, when time.Time) shown {
		if k.Review.apply(at, when) {
			k.Review.Plan = d.Plan
		}
		return shown{"on": d.On, "late": d.Late}
	}),
	schemas.CallReached: on(func(k *JourneyState, d schemas.CallReachedData, at int64, when time.Time) shown {
		k.addOutcome(d.Call, at, when, Outcome{Reached: true})
		return shown{"on": d.On, "answer": d.Answer}
	}),
	schemas.CallUnanswered: on(func(k *JourneyState, d schemas.CallUnansweredData, at int64, when time.Time) shown {
		o := Outcome{Again: d.Again}
		switch {
		case d.Navigator && d.Why == schemas.WrongNumber:
			o.Navigator = stepNumber
		case d.Navigator:
			o.Navigator = stepUnanswered
		}
		k.addOutcome(d.Call, at, when, o)
		return shown{"on": d.On, "try": d.Try, "why": d.Why, "again": d.Again, "navigator": d.Navigator}
	}),
	schemas.CallOtherPerson: on(func(k *JourneyState, d schemas.CallOtherPersonData, at int64, when time.Time) shown {
		o := Outcome{}
		if d.Navigator {
			o.Navigator = stepNumber
		}
		k.addOutcome(d.Call, at, when, o)
		return shown{"on": d.On, "navigator": d.Navigator}
	}),
	schemas.CallNotMade: on(func(k *JourneyState, d schemas.CallNotMadeData, at int64, when time.Time) shown {
		k.addOutcome(d.Call, at, when, Outcome{})
		return shown{"on": d.On, "reason": d.Reason}
	}),
	schemas.AskedToStop: on(func(k *JourneyState, d schemas.AskedToStopData, at int64, when time.Time) shown {
		if d.By == schemas.StoppedByOther && k.Stop.apply(at, when) {
			if k.StopCall, k.StopAt = d.Call, d.At.UTC(); d.At.IsZero() {
				k.StopAt = when // by the event's version before it said when
			}
		}
		return shown{"by": d.By}
	}),
	schemas.HelpRequested: on(func(k *JourneyState, d schemas.HelpRequestedData, at int64, when time.Time) shown {
		k.help(d.Help, func(h *Help) {
			if h.Asked.apply(at, when) {
				h.Kind, h.DueAt = d.Kind, d.DueAt.UTC()
			}
		})
		return shown{"kind": d.Kind, "about": d.About}
	}),
	schemas.HelpAcknowledged: on(func(k *JourneyState, d schemas.HelpAcknowledgedData, at int64, when time.Time) shown {
		k.help(d.Help, func(h *Help) { h.Taken.apply(at, when) })
		return nil
	}),
}

func consent(k *JourneyState, d schemas.ConsentData, at int64, when time.Time, given bool) shown {
	k.addConsent(d, schemas.Answered{At: at, When: when, Yes: given, AsBefore: d.AsBefore})
	if d.AsBefore {
		return shown{"purposes": d.Purposes, "asBefore": true}
	}
	return shown{"purposes": d.Purposes}
}

// seenElsewhere tells the journey's own people who looked from elsewhere, and at what; it changes nothing else.
func seenElsewhere(d schemas.SeenData) shown {
	return shown{"organisation": d.Organisation, "what": d.What}
}
