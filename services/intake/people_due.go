package intake

import (
	"context"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// contentFor is how long the content of what is out of scope is kept: then only visit key, times and hash stay, for
// late coding.
const contentFor = 72 * time.Hour

// peopleDue are the loops by time about people.
func (s *Service) peopleDue() []flow.Due {
	return []flow.Due{
		{Name: "consent-expiring", Every: time.Minute, Limit: 100, Run: s.remindOfConsents},
		{Name: "contact-questions", Every: 10 * time.Second, Limit: 50, Run: s.askAboutContact},
		{Name: "possible-doubles", Every: 5 * time.Second, Limit: 50, Run: s.showDoubles},
		{Name: "content", Every: time.Minute, Limit: 500, Run: s.eraseContent},
	}
}

// remindOfConsents says which answers come to their end, once each, so that the person is asked beforehand.
func (s *Service) remindOfConsents(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	today := s.today(tx.Now)
	ending, err := takeEnding(tx, today, s.today(tx.Now.AddDate(0, 0, remindDays)), limit)
	if err != nil {
		return 0, err
	}
	for _, a := range ending {
		data := schemas.ConsentExpiringData{Person: a.Person, Purposes: []string{a.Purpose}, Until: a.Until}
		if err := sayOn(tx, a.Journey, []said{{schemas.ConsentExpiring, data}}); err != nil {
			return 0, err
		}
	}
	return len(ending), nil
}

// askAboutContact makes a question of contact that a message brought and that differs from what the person confirmed.
func (s *Service) askAboutContact(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	changed, err := takeFed(tx, limit)
	if err != nil {
		return 0, err
	}
	for _, one := range changed {
		sub := subjectOf{Person: one.person}
		if err := s.openSubject(&sub, one.wrapped, one.identity, one.card); err != nil {
			return 0, err
		}
		questions := sub.card.questions(sub.identity)
		if sub.erased || len(questions) == 0 {
			continue
		}
		data := schemas.PreferencesChangedData{Person: one.person, NoSafeChannel: sub.card.NoSafeChannel, Needs: len(sub.card.Needs) > 0, Questions: questions}
		for _, journey := range one.journeys {
			if err := sayOn(tx, journey, []said{{schemas.PreferencesChanged, data}}); err != nil {
				return 0, err
			}
		}
	}
	return len(changed), nil
}

// showDoubles finds requests of somebody not verified that another record, which came later, may be about too.
func (s *Service) showDoubles(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	found, err := takeDoubles(tx, tx.Now.AddDate(0, 0, -7), limit)
	if err != nil {
		return 0, err
	}
	return len(found), sayAgain(tx, found)
}

// eraseContent destroys the keys of what turned out to be out of scope.
func (s *Service) eraseContent(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	return eraseOutOfScope(tx, tx.Now.Add(-contentFor), limit)
}
