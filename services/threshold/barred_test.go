package threshold

import (
	"net/http"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// An organisation that the person said must not know finds no decision about them, whatever it states; the journey's
// own organisation goes on, and who must not know changes no decision.
func TestAnOrganisationThatMustNotKnowFindsNoDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, example(t))
	journey := clock.NewID(w.now.at)
	w.discharge(journey, schemas.Facts{})
	decided := w.events(schemas.PathwayDecided)
	bar := func(organisations []string) {
		w.apply(journey, schemas.PreferencesChanged, schemas.PreferencesChangedData{MustNotKnow: organisations})
	}
	see := func(role schemas.Role, organisation string, want int) {
		t.Helper()
		w.who = principal.Principal{Organisation: organisation, Role: string(role), Subject: "s"}
		if _, status := w.ask("GET", "/api/journeys/"+journey+"/doors", "", schemas.ReasonHeader,
			"on our ward tonight"); status != want {
			t.Errorf("%s of %s: %d, want %d", role, organisation, status, want)
		}
	}
	see(schemas.TreatingStaff, "RYY", http.StatusOK)
	bar([]string{"RXX", "RYY"})
	bar(nil) // an event that does not speak of it
	for _, role := range []schemas.Role{schemas.TreatingStaff, schemas.SendingTeam, schemas.Navigator} {
		see(role, "RYY", http.StatusNotFound)
	}
	see(schemas.TreatingStaff, "RXX", http.StatusOK)
	see(schemas.SendingTeam, "RXX", http.StatusOK)
	see(schemas.TreatingStaff, "RZZ", http.StatusOK)
	bar([]string{schemas.Everybody}) // more than a list may hold
	see(schemas.TreatingStaff, "RZZ", http.StatusNotFound)
	see(schemas.SendingTeam, "RXX", http.StatusOK)
	see(schemas.Operator, "RXX", http.StatusOK)
	bar([]string{})
	see(schemas.TreatingStaff, "RYY", http.StatusOK)
	if n := len(w.events(schemas.PathwayDecided)); n != len(decided) || n == 0 {
		t.Errorf("%d decisions, after %d", n, len(decided))
	}
	if n := column[int64](w, `select count(*) from decision`)[0]; n != 1 {
		t.Errorf("%d decisions are kept", n)
	}
}
