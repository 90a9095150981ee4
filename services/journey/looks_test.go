package journey

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// reviews are the open reviews of a journey's looks, by their id and when they are due.
func (w *world) reviews(journey string) (open []stepShown, closed int) {
	w.t.Helper()
	w.as(schemas.Navigator, "RXX", "navigator-1")
	got, status := ask[journeyShown](w, "GET", "/api/journeys/"+journey, "")
	if status != http.StatusOK {
		w.t.Fatalf("the journey: %d", status)
	}
	for _, s := range got.Steps {
		if s.Kind == stepReviewLook {
			open = append(open, s)
		}
	}
	for _, l := range got.Timeline {
		if l.Type == lineLookReviewed {
			closed++
		}
	}
	return open, closed
}

// TestALookFromElsewhereIsReviewedByAnotherThanWhoLooked: whichever service told of it, one review is of all that
// nobody has reviewed, it is beside what happens next for the person, and it ends by its record alone.
func TestALookFromElsewhereIsReviewedByAnotherThanWhoLooked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, look := range map[string]func(s *teller){
		"at who the person is": func(s *teller) {
			s.say(schemas.PersonSeen,
				schemas.SeenData{Organisation: "RYY", What: "identity"})
		},
		"at what was decided": func(s *teller) {
			s.say(schemas.PathwaySeen,
				schemas.SeenData{Organisation: "RYY", What: "doors"})
		},
		"at the journey itself": nil,
	} {
		s := w.today(clock.NewID(w.c.Now()))
		s.discharge()
		mustApply(t, w.Service, w.pool, withIDs(s.events))
		if open, _ := w.reviews(s.journey); len(open) != 0 {
			t.Fatalf("%s: a review before any look: %+v", name, open)
		}
		seen := func() {
			w.as(schemas.TreatingStaff, "RYY", "doctor-1")
			if look == nil {
				if _, status := ask[any](w, "GET", "/api/journeys/"+s.journey, "", schemas.ReasonHeader,
					"on our ward tonight"); status != http.StatusOK {
					t.Fatalf("%s: %d", name, status)
				}
				return
			}
			said := len(s.events)
			look(s)
			mustApply(t, w.Service, w.pool, withIDs(s.events[said:]))
			mustApply(t, w.Service, w.pool, withIDs(s.events[said:])) // again changes nothing
		}
		seen()
		seen()
		open, _ := w.reviews(s.journey)
		if len(open) != 1 || !slices.ContainsFunc(open[0].Actions, func(a schemas.Action) bool {
			return strings.HasSuffix(a.Path, "/look-review")
		}) {
			t.Fatalf("%s: reviews %+v", name, open)
		}
		path := "/api/journeys/" + s.journey + "/look-review"
		for who, want := range map[schemas.Role]int{schemas.SendingTeam: 403, schemas.TreatingStaff: 403} {
			w.as(who, "RXX", "somebody")
			if _, status := ask[any](w, "POST", path, `{"finding":"in-order"}`); status != want {
				t.Errorf("%s: %s reviews: %d", name, who, status)
			}
		}
		w.as(schemas.Navigator, "RYY", "navigator-2")
		if _, status := ask[any](w, "POST", path, `{"finding":"in-order"}`); status != http.StatusNotFound {
			t.Errorf("%s: another organisation reviews: %d", name, status)
		}
		w.as(schemas.Navigator, "RXX", "navigator-1")
		if _, status := ask[any](w, "POST", "/api/steps/"+open[0].Step+"/done", `{}`); status != http.StatusConflict {
			t.Errorf("%s: ended by saying so: %d", name, status)
		}
		for _, wrong := range []string{`{}`, `{"finding":"fine"}`, `{"finding":"passed-on"}`,
			`{"finding":"in-order","passedTo":"privacy-officer"}`} {
			if _, status := ask[any](w, "POST", path, wrong); status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %s is answered with %d", name, wrong, status)
			}
		}
		if look == nil {
			w.as(schemas.Navigator, "RXX", "doctor-1")
			if _, status := ask[any](w, "POST", path, `{"finding":"in-order"}`); status != http.StatusForbidden {
				t.Errorf("%s: who looked reviews it: %d", name, status)
			}
			w.as(schemas.Navigator, "RXX", "navigator-1")
		}
		if _, status := ask[any](w, "POST", path,
			`{"finding":"passed-on","passedTo":"privacy-officer"}`); status != http.StatusOK {
			t.Fatalf("%s: the review: %d", name, status)
		}
		if open, lines := w.reviews(s.journey); len(open) != 0 || lines != 1 {
			t.Errorf("%s: after the review %+v, %d lines", name, open, lines)
		}
		if _, status := ask[any](w, "POST", path, `{"finding":"in-order"}`); status != http.StatusConflict {
			t.Errorf("%s: nothing is reviewed: %d", name, status)
		}
		seen()
		if open, _ := w.reviews(s.journey); len(open) != 1 {
			t.Errorf("%s: a look after the review: %+v", name, open)
		}
	}
}

// TestAReviewIsNeverAllThatHappensNext: a journey on which nothing else is to be done still has its step for the
// person.
func TestAReviewIsNeverAllThatHappensNext(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]JourneyState{"nothing else": {}, "with what was said": {Last: newTeller().at}} {
		state.Looks.Person = Subscribed{At: 1, When: newTeller().at}
		var kinds []string
		for _, s := range stepsFor(&state, someOwners, london(t)) {
			kinds = append(kinds, s.Kind)
		}
		if !slices.Contains(kinds, stepReviewLook) || len(kinds) < 2 {
			t.Errorf("%s: %v", name, kinds)
		}
	}
}
