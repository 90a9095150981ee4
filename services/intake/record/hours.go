package record

import (
	"slices"
	"time"

	"footbridge/schemas"
)

// hoursOn are the hours in which the person may be rung, as their own record says, or one that a human confirmed to be
// the same person's: of those the one recorded last. No hours cross a merge that nobody confirmed.
func (w *UnitOfWork) hoursOn(j *JourneyState) (hours schemas.ContactHours) {
	owner := w.Owners[j.Person]
	if owner == nil || len(w.Cards) == 0 {
		return hours
	}
	var newest time.Time
	for _, id := range append(w.PeopleOf(owner).group(j.Person).Confirmed, j.Person) {
		if card := w.Cards[id]; card.Hours.ToHour > 0 && card.ChangedAt.After(newest) {
			hours, newest = card.Hours, card.ChangedAt
		}
	}
	return hours
}

// emitHours says on every journey of the person in which hours they may be rung, where that is differently from how was
// told: one that has just begun, too.
func (w *UnitOfWork) emitHours(person *Person) (say []Emission) {
	if len(w.Cards) == 0 && len(w.HoursWere) == 0 {
		return nil
	}
	ids := w.IdsOf(person)
	for _, j := range w.SortedJourneys() {
		is := w.hoursOn(j)
		if !slices.Contains(ids, j.Person) || is == w.HoursWere[j.ID] {
			continue
		}
		w.HoursWere[j.ID] = is
		card := w.Cards[j.Person]
		data := schemas.PreferencesChangedData{NoSafeChannel: card.NoSafeChannel, Needs: card.Needs, Hours: &is}
		say = append(say, Emission{Type: schemas.PreferencesChanged, Journey: j.ID, Data: data})
	}
	return say
}
