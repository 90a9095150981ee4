package record

import (
	"cmp"
	"slices"
	"time"

	"footbridge/schemas"
)

// Reasons in the ledger for signals, and why contact stopped.
const (
	ReasonNotKnown      = "person-not-known" // a signal about somebody of whom nothing is kept here
	ReasonSignalOther   = "signal-type"
	ReasonNumberChanged = "nhs-number-changed"
	ReasonRecordChanged = "record-changed"
	ReasonGPChanged     = "gp-changed"
	ReasonFlagChanged   = "flag-changed"
	ReasonByHandStop    = "by-hand"
	ReasonParted        = "records-parted" // contact had stopped for a record that turned out to be another person's

	// QuestionRecord: the national record changed; somebody asks whether the contact still holds.
	QuestionRecord = "record"
)

// CardFlags is what may be known of a person's contact card without opening it.
type CardFlags struct {
	NoSafeChannel, Needs bool
	Confirmed            bool
	ChangedAt            time.Time
	// Hours are those in which the telephone may be rung, zero where none were named.
	Hours schemas.ContactHours
}

// unsafe says on each journey that a report of no safe channel came where it is recorded how the person may be reached:
// somebody asks them. Until then the strictest holds, so that nothing recorded before the report counts as confirmed.
func (w *UnitOfWork) unsafe(person *Person, s ClinicalEvent) []Emission {
	safe := s.Person.Reveal().SafeContact
	if safe == nil || safe.Channel != NoSafeChannel {
		return nil
	}
	ids, asks, strict := w.IdsOf(person), false, CardFlags{}
	for _, id := range ids {
		card := w.Cards[id]
		if !card.Confirmed || card.NoSafeChannel {
			continue
		}
		asks = true
		if s.answeredAt().At.After(card.ChangedAt) {
			strict.NoSafeChannel, card.Confirmed = true, false
			w.Cards[id], w.Unconfirmed = card, append(w.Unconfirmed, id)
		}
	}
	if !asks {
		return nil
	}
	return w.askContact(ids, strict, NoSafeChannel)
}

// applySignal applies a signal to everybody who goes by its NHS number. It makes no record of anybody who is not known
// here, and software only stops: lifting is for a named human.
func (w *UnitOfWork) applySignal(in Incoming) Decided {
	known := w.recordsBy(in.Keys.Person, in.Keys.Number)
	if len(known) == 0 {
		return Decided{Decision: Decision{Outcome: Ignored, Reason: ReasonNotKnown}}
	}
	person, s := known[0], in.ClinicalEvent
	settled := Decided{Person: person.ID, Decision: Decision{Outcome: Joined}}
	switch s.Signal.Kind {
	case SignalDeath:
		for _, one := range known {
			one.die(one.ID)
		}
		settled.Reason = ReasonDeath
		settled.stop(ReasonDeath, stopContact(w.visitsOf(person)))
	case SignalNumber:
		before := len(w.Records(person))
		settled.Decision = w.applyNumber(in, known)
		if len(w.Records(person)) > before {
			settled.Emissions = append(settled.Emissions, w.emitJoined(person)...)
		}
		if reason := w.stopReason(person); reason != "" {
			settled.stop(reason, stopContact(w.visitsOf(person)))
		}
	case SignalRecord:
		settled.Reason, settled.Emissions = ReasonRecordChanged, w.questionContact(known)
		if len(settled.Emissions) > 0 {
			settled.Outcome = Corrected
		}
	case SignalGP:
		settled.Decision = w.applyGP(in, known)
	case SignalFlag:
		settled.Decision = w.review(in, known, ReasonFlagChanged)
	}
	return settled
}

// applyGP forgets in which area the GP practice of somebody is who has another one now, so that areas are looked at
// again and nothing is decided by the old one. The signal does not say which it is: a human looks it up, and states it
// by releasing the signal.
func (w *UnitOfWork) applyGP(in Incoming, known []*Person) Decision {
	s := in.ClinicalEvent
	stated := s.Facts.AreaGP != nil
	if s.Facts = (schemas.Facts{AreaGP: s.Facts.AreaGP, RegisteredGP: s.Facts.RegisteredGP}); !stated {
		s.Retracted = []string{"areaGP"}
	}
	for _, record := range known {
		w.keepFacts(record, s, in)
	}
	changed := w.reevaluateActive(known[0], in, ReasonGPChanged)
	if stated {
		return changed
	}
	decision := w.review(in, known, ReasonGPChanged)
	decision.add(changed)
	return decision
}

// review leaves it to a human to look up what a signal does not say, where a journey of the person goes on.
func (w *UnitOfWork) review(in Incoming, known []*Person, reason string) Decision {
	for _, record := range known {
		for _, j := range w.Journeys {
			if j.State != JourneyClosed && slices.Contains(record.IDs(), j.Person) {
				return Quarantine(in.ClinicalEvent.Message, w.HomeOf(in.ClinicalEvent.Organisation), reason,
					in.DecidedAt.Add(w.QuarantineFor))
			}
		}
	}
	return Decision{Outcome: Joined, Reason: reason}
}

// recordsBy are the records that a verified NHS number leads to, with all that share one with them, in id order.
func (w *UnitOfWork) recordsBy(key, number string) []*Person {
	found := slices.Clone(w.numbers[number])
	if person := w.Persons[key]; person != nil {
		found = append(found, person)
	}
	var all []*Person
	for _, one := range found {
		owner := cmp.Or(w.Owners[one.ID], one)
		for _, record := range w.Records(owner) {
			if !slices.Contains(all, record) {
				all = append(all, record)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Person) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// applyNumber lets the records be found by the number that theirs has changed to. The old one leads to them still:
// hospitals go on sending it for a while. Where the signal does not name the new one, a human looks it up.
func (w *UnitOfWork) applyNumber(in Incoming, known []*Person) Decision {
	next := Identity{ReportedPerson: schemas.ReportedPerson{NHSNumber: in.ClinicalEvent.Signal.Becomes.Reveal(),
		NHSNumberVerified: true}}
	if next.NHSNumber == "" || in.Keys.Renumbered == "" {
		return Quarantine(in.ClinicalEvent.Message, w.HomeOf(in.ClinicalEvent.Organisation), ReasonNumberChanged,
			in.DecidedAt.Add(w.QuarantineFor))
	}
	for _, record := range known {
		w.link(record, in.Keys.Renumbered)
		record.apply(next, in.ClinicalEvent.Version(0))
	}
	decision := Decision{Outcome: Corrected, Reason: ReasonNumberChanged}
	return w.ReevaluateAll(known[0], in, decision)
}

// questionContact says on each journey that how the person may be reached is to be asked again: what they confirmed
// is not overwritten, and is no longer taken for confirmed.
func (w *UnitOfWork) questionContact(known []*Person) (say []Emission) {
	var ids []string
	for _, record := range known {
		ids = append(ids, record.IDs()...)
	}
	w.Unconfirmed = append(w.Unconfirmed, ids...)
	return w.askContact(ids, CardFlags{}, QuestionRecord)
}

// askContact says on the journeys of some records that how the person may be reached is to be asked.
func (w *UnitOfWork) askContact(ids []string, flags CardFlags, question string) (say []Emission) {
	for _, id := range ids {
		card := w.Cards[id]
		flags.NoSafeChannel, flags.Needs = flags.NoSafeChannel || card.NoSafeChannel, flags.Needs || card.Needs
	}
	for _, j := range w.SortedJourneys() {
		if j.State != JourneyClosed && slices.Contains(ids, j.Person) {
			say = append(say, Emission{Type: schemas.PreferencesChanged, Journey: j.ID,
				Data: schemas.PreferencesChangedData{
					NoSafeChannel: flags.NoSafeChannel, Needs: flags.Needs, Questions: []string{question}}})
		}
	}
	return say
}

// SortedJourneys are all journeys that are loaded, in id order.
func (w *UnitOfWork) SortedJourneys() []*JourneyState {
	var all []*JourneyState
	for _, j := range w.Journeys {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *JourneyState) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// stopReason is why nobody may contact the person, or empty: any record's counts, a death first.
func (w *UnitOfWork) stopReason(person *Person) string {
	if w.IsDeceased(person) {
		return ReasonDeath
	}
	for _, record := range w.Records(person) {
		if len(record.Stops) > 0 {
			return ReasonByHandStop
		}
	}
	return ""
}

// stop adds what follows from contact that has stopped. A death is the message's outcome too.
func (s *Decided) stop(reason string, say []Emission) {
	if len(say) == 0 {
		return
	}
	if reason == ReasonDeath {
		s.Outcome, s.Reason = Corrected, ReasonDeath
	}
	s.Emissions = append(s.Emissions, say...)
}

// StopByHand stops contact with a person on all journeys of theirs, and on any that begin later.
func (w *UnitOfWork) StopByHand(person *Person) []Emission {
	for _, record := range w.Records(person) {
		record.Stops, record.stopChanged = record.IDs(), true
	}
	return stopContact(w.visitsOf(person))
}

// ResumeByHand lifts a stop, whatever it was for: a named human has checked. Visits that had waited are decided
// about again.
func (w *UnitOfWork) ResumeByHand(person *Person, in Incoming) []Emission {
	for _, record := range w.Records(person) {
		if len(record.Stops) > 0 {
			record.Stops, record.stopChanged = nil, true
		}
		if record.Deceased() {
			record.Deaths, record.DeathsChanged, record.changed = nil, true, true
		}
	}
	say := resumeContact(w.visitsOf(person))
	return append(say, w.ReevaluateAll(person, in, Decision{}).Emissions...)
}

// ChangedStops are the records whose stop by hand has changed, in id order.
func (w *UnitOfWork) ChangedStops() []*Person {
	var all []*Person
	for _, person := range w.Owners {
		if person.stopChanged && !slices.Contains(all, person) {
			all = append(all, person)
		}
	}
	slices.SortFunc(all, func(a, b *Person) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// SignalKind is what a signal about a person says happened.
type SignalKind string

// The kinds that concern us. All others are of no concern here.
const (
	SignalDeath  SignalKind = "death"
	SignalNumber SignalKind = "number-changed"
	SignalRecord SignalKind = "record-changed"
	SignalGP     SignalKind = "gp-changed"
	SignalFlag   SignalKind = "flag-changed"
	SignalOther  SignalKind = ""
)
