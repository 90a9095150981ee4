package record

import (
	"slices"

	"footbridge/schemas"
)

// An organisation that the person said must not know is refused everywhere: what each journey is told is the joined
// list of all records that are, or may be, theirs.

// TooManyBarred is the question that is asked where more organisations must not know than can be told one by one.
const TooManyBarred = "too-many-must-not-know"

// JoinBarred are the organisations that must not know of a journey, sorted: those that its own record names, or one
// that a human confirmed to be the same person's; of records that are only presumed to be theirs all but the journey's
// own organisation, which would otherwise lose sight of whom it looks after by a mistaken match. It is never nil.
func JoinBarred(home string, own, presumed []string) []string {
	all := append(slices.Clone(own), Without(presumed, []string{home})...)
	slices.Sort(all)
	if all = slices.Compact(all); len(all) > mostTold {
		return []string{schemas.Everybody}
	}
	return append([]string{}, all...)
}

// mostTold is how many organisations an event names that must not know. Records that are joined may name more between
// them; then everybody but the journey's own is kept out, and somebody looks.
const mostTold = 100

// barredOn are the organisations that must not know of a journey.
func (w *UnitOfWork) barredOn(j *JourneyState) []string {
	owner := w.Owners[j.Person]
	if owner == nil || len(w.Barred) == 0 {
		return []string{}
	}
	own, presumed := slices.Clone(w.Barred[j.Person]), []string(nil)
	group := w.PeopleOf(owner).group(j.Person)
	for _, id := range group.Confirmed {
		own = append(own, w.Barred[id]...)
	}
	for _, id := range group.Others {
		presumed = append(presumed, w.Barred[id]...)
	}
	return JoinBarred(w.homeOfJourney(j), own, presumed)
}

// homeOfJourney is the organisation that a journey belongs to: that of its newest visit or request.
func (w *UnitOfWork) homeOfJourney(j *JourneyState) string {
	home, raised := "", ""
	for _, v := range w.Visits {
		if v.Published.Journey == j.ID && v.ID >= raised {
			home, raised = v.Organisation, v.ID
		}
	}
	return w.HomeOf(home)
}

// emitBarred says on every journey of the person, closed ones too, which organisations must not know, where that is
// differently from how was told.
func (w *UnitOfWork) emitBarred(person *Person) (say []Emission) {
	if len(w.Barred) == 0 && len(w.BarredWere) == 0 {
		return nil
	}
	ids := w.IdsOf(person)
	for _, j := range w.SortedJourneys() {
		is := w.barredOn(j)
		if !slices.Contains(ids, j.Person) || slices.Equal(is, w.BarredWere[j.ID]) {
			continue
		}
		w.BarredWere[j.ID] = is
		card := w.Cards[j.Person]
		data := schemas.PreferencesChangedData{NoSafeChannel: card.NoSafeChannel, Needs: card.Needs, MustNotKnow: is}
		if slices.Contains(is, schemas.Everybody) {
			data.Questions = []string{TooManyBarred}
		}
		say = append(say, Emission{Type: schemas.PreferencesChanged, Journey: j.ID, Data: data})
	}
	return say
}
