package intake

import (
	"context"
	"maps"
	"slices"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// contentFor is how long the content of what is out of scope is kept: then only visit key, times and hash stay, for
// late coding.
const contentFor = 72 * time.Hour

// peopleDue are the loops by time about people.
func (s *Service) peopleDue() []flow.Due {
	return []flow.Due{
		{Name: "consent-expiring", Every: time.Minute, Limit: 100, Run: s.remindOfConsents},
		{Name: "consents-over", Every: 10 * time.Second, Limit: 100, Run: s.lapseConsents},
		{Name: "contact-questions", Every: 10 * time.Second, Limit: 50, Run: s.askAboutContact},
		{Name: "hours-of-old-cards", Every: 10 * time.Second, Limit: 20, Run: s.readHours},
		{Name: "searchable", Every: 10 * time.Second, Limit: 200, Run: s.makeSearchable},
		{Name: "search-reasons", Every: time.Minute, Limit: 500, Run: forgetSearchReasons},
		{Name: "search-reviews", Every: time.Minute, Limit: 100, Run: s.haveSearchesReviewed},
		{Name: "possible-doubles", Every: 5 * time.Second, Limit: 50, Run: s.showDoubles},
		{Name: "said-on-calls", Every: time.Second, Limit: 50, Run: s.applySaidOnCalls},
		{Name: "birthdays", Every: time.Minute, Limit: 200, Run: s.reviewBirthdays},
		{Name: "content", Every: time.Minute, Limit: 500, Run: s.eraseContent},
	}
}

// remindOfConsents says which answers come to their end, once each, so that the person is asked beforehand.
func (s *Service) remindOfConsents(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	today := s.today(tx.Now)
	ending, err := lockEnding(tx, today, s.today(tx.Now.AddDate(0, 0, record.RemindDays)), limit)
	if err != nil {
		return 0, err
	}
	job := newTransaction(s, nil)
	for _, a := range ending {
		job.tell(a.Journey, record.JourneyEvent{Kind: schemas.ConsentExpiring,
			Data: schemas.ConsentExpiringData{Purposes: []string{a.Purpose}, Until: a.Until}})
	}
	return len(ending), job.end(tx)
}

// lapseConsents says of each yes whose last day is over that it counts no more, once, on every journey of the person
// that is not closed: whoever acted on it stops, and the person is asked again.
func (s *Service) lapseConsents(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	found, over, err := lockOver(tx, s.today(tx.Now), limit)
	if err != nil {
		return 0, err
	}
	job := newTransaction(s, nil)
	for _, a := range over {
		job.tell(a.Journey, record.JourneyEvent{Kind: schemas.ConsentLapsed,
			Data: schemas.ConsentData{Purposes: []string{a.Purpose}, Organisation: a.Towards}})
	}
	return found, job.end(tx)
}

// askAboutContact makes a question of contact that a message brought and that differs from what the person confirmed.
func (s *Service) askAboutContact(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	changed, err := lockFed(tx, limit)
	if err != nil {
		return 0, err
	}
	job := newTransaction(s, nil)
	for _, one := range changed {
		sub := subjectOf{Person: one.person}
		if err := s.openSubject(&sub, one.wrapped, one.identity, one.card); err != nil {
			return 0, err
		}
		questions := sub.card.Questions(sub.identity)
		if sub.erased || len(questions) == 0 {
			continue
		}
		data := schemas.PreferencesChangedData{NoSafeChannel: sub.card.NoSafeChannel, Needs: len(sub.card.Needs) > 0,
			Questions: questions}
		for _, journey := range one.journeys {
			job.tell(journey, record.JourneyEvent{Kind: schemas.PreferencesChanged, Data: data})
		}
	}
	return len(changed), job.end(tx)
}

// readHours opens cards that were written before their hours stood beside them, and tells the journeys of their person
// in which hours they may be rung: once for each card, and no more when all were opened.
func (s *Service) readHours(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	all, err := unreadHours(tx, limit)
	if err != nil {
		return 0, err
	}
	for _, one := range all {
		sub := subjectOf{Person: one.person}
		if err := s.openSubject(&sub, one.wrapped, one.identity, one.card); err != nil {
			return 0, err
		}
		if err := s.around(tx, itself, []string{one.person}, func(*transaction) (map[string][]record.Question, error) {
			storeHours(tx, one, sub.card.Hours())
			return nil, nil
		}); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// itself is this service where nobody asks.
var itself = principal.Principal{Organisation: Name, Role: string(schemas.ServiceItself), Subject: Name}

// showDoubles flags what may be about one person twice: open journeys of two records, and requests of somebody not
// verified that another record may be about too. The flag goes where nothing is left for a human to say: by their word,
// when one of two journeys closes, or when the records turn out to be two people's.
func (s *Service) showDoubles(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	if err := askDoubles(tx, tx.Now.AddDate(0, 0, -7), limit); err != nil {
		return 0, err
	}
	if err := s.doubles.findOpenDoubles(tx); err != nil {
		return 0, err
	}
	changed, err := flagDoubles(tx, nil, limit)
	if err != nil {
		return 0, err
	}
	job := newTransaction(s, nil)
	for _, v := range changed {
		job.correct(v, "")
	}
	return len(changed), job.end(tx)
}

// reviewBirthdays looks once each local day through the journeys that are not closed, and decides again about those
// whose person has had a birthday, or has one ahead: the age is a fact, and who turns 18 answers for themselves.
func (s *Service) reviewBirthdays(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	today := s.today(tx.Now)
	aged, more, err := lockAged(tx, today, limit)
	if err != nil {
		return 0, err
	}
	taken := len(aged)
	if more { // whoever was left out beside them, the next ones follow at once
		taken = limit
	}
	job, grown := newTransaction(s, nil), map[string]string{}
	for _, one := range aged {
		sub := subjectOf{Person: one.person}
		if err := s.openSubject(&sub, one.wrapped, one.identity, nil); err != nil {
			return 0, err
		}
		age, known := record.AgeOn(sub.identity.BirthDate, today)
		rises := ""
		if on := record.AgeRises(sub.identity.BirthDate, today); on != nil {
			rises = *on
		}
		if known && (age != one.age || rises != one.rises) {
			job.locks.known[one.key] = true
			if known && age >= record.Adult && 0 <= one.age && one.age < record.Adult {
				grown[one.key] = one.person
			}
		}
	}
	if len(job.locks.known) == 0 {
		return taken, nil
	}
	if err := job.load(tx); err != nil {
		return 0, err
	}
	endParental(tx, slices.Sorted(maps.Values(grown)), s.today(tx.Now.AddDate(0, 0, -1)))
	for _, key := range slices.Sorted(maps.Keys(grown)) {
		if person := job.unit.Persons[key]; person != nil {
			job.emit(tx, job.unit.ComeOfAge(person))
		}
	}
	return taken, job.decideAgain(tx)
}

// decideAgain decides about all persons that were loaded: something that no message says has changed.
func (j *transaction) decideAgain(tx *flow.Tx) error {
	done := map[*record.Person]bool{}
	for _, key := range slices.Sorted(maps.Keys(j.locks.known)) {
		person := j.unit.Persons[key]
		if person == nil || done[person] {
			continue
		}
		for _, record := range j.unit.Records(person) {
			done[record] = true
		}
		j.emit(tx, j.unit.ReevaluateAll(person, record.Incoming{DecidedAt: tx.Now}, record.Decision{}).Emissions)
	}
	return j.end(tx)
}

// eraseContent destroys the keys of what turned out to be out of scope.
func (s *Service) eraseContent(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	return eraseOutOfScope(tx, tx.Now.Add(-contentFor), limit)
}
