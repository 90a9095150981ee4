package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/schemas"
)

// byOthers are the kinds of steps that no list of staff ends, and what does. Whoever adds a kind to the step table
// answers for it here, or in what staff prefer.
var byOthers = map[string]string{
	"take-over":      "team.takesOver does the step that is past its time",
	"late-follow-up": "a session has a time",
	"bridging-call":  "callers make the calls",
}

// TestStaffEndEveryKindOfStep walks the step table: of each kind some staff know which request ends it, and fill it in.
func TestStaffEndEveryKindOfStep(t *testing.T) {
	t.Parallel()
	about := schemas.StepAbout{IDs: map[string]string{}, Facts: []string{"language"}}
	for _, id := range []string{"journey", "step", "person", "other", "offer", "partner", "question", "call", "help",
		"service", "facility", "message", "organisation", "search"} {
		about.IDs[id] = "x"
	}
	for _, kind := range schemas.StepKinds() {
		if byOthers[kind.Kind] != "" {
			continue
		}
		ended := false
		for _, name := range []string{liaisonTeam, duty, "team:young-people"} {
			tm, f := oneOfStaff(t, name)
			s := step{Step: "x", Kind: kind.Kind, Journey: f.id, Actions: kind.Actions(tm.who.Role, about)}
			action, ok := tm.choose(s, f, kind.Asks)
			if !ok || strings.HasSuffix(action.Path, "/no-answer") {
				continue
			}
			ended = true
			body, err := action.Fill(tm.filled(s, f, action))
			if err != nil {
				t.Errorf("%s: %s fills in %s %s: %v", kind.Kind, name, action.Method, action.Path, err)
			}
			for _, field := range action.Fields {
				member, _, _ := strings.Cut(field.Name, ".")
				if field.Required && !strings.Contains(string(body), `"`+member+`"`) {
					t.Errorf("%s: %s sends %s without %s: %s", kind.Kind, name, action.Path, field.Name, body)
				}
			}
		}
		if !ended {
			t.Errorf("nobody of the staff ends a step of the kind %s", kind.Kind)
		}
	}
	for kind, why := range byOthers {
		if _, found := schemas.StepKindOf(kind); !found {
			t.Errorf("%s (%s) is no kind of step", kind, why)
		}
	}
}

// TestStaffGoOnWithWhoeverCannotBeReached: each kind that asks the person something is tried, and where the table lets
// it end with the journey, it does after some tries.
func TestStaffGoOnWithWhoeverCannotBeReached(t *testing.T) {
	t.Parallel()
	about := schemas.StepAbout{IDs: map[string]string{"journey": "x", "step": "x", "partner": "x", "person": "x"},
		Facts: []string{"language"}}
	var end []string
	for _, kind := range schemas.StepKinds() {
		if !kind.Asks {
			continue
		}
		tm, f := oneOfStaff(t, duty)
		f.person.Phone = ""
		s := step{Step: "x", Kind: kind.Kind, Journey: f.id, Actions: kind.Actions(schemas.Navigator, about)}
		if _, ok := tm.choose(s, f, true); !ok {
			t.Errorf("%s: nobody records that the person was tried in vain", kind.Kind)
		}
		f.vain = 3
		action, _ := tm.choose(s, f, true)
		closes := slices.ContainsFunc(kind.Ends, func(e schemas.Ending) bool {
			return strings.HasSuffix(e.Route, "/close")
		})
		if closes != strings.HasSuffix(action.Path, "/close") {
			t.Errorf("%s: after three tries in vain a navigator sends %s", kind.Kind, action.Path)
		}
		if !closes {
			continue
		}
		end = append(end, kind.Kind)
		if reason := tm.filled(s, f, action)["reason"]; !slices.Equal(reason, []string{schemas.ClosedNotReached}) {
			t.Errorf("%s is closed as %v", kind.Kind, reason)
		}
	}
	if !slices.Contains(end, "arrange-follow-up") {
		t.Errorf("the kinds that end with the journey are %v", end)
	}
}

// oneOfStaff is somebody of a team, and a journey of a person who always answers, in a run at 12 o'clock.
func oneOfStaff(t *testing.T, name string) (*team, *followed) {
	t.Helper()
	r := among(t, &planted{})
	for _, p := range r.partners {
		p.Accepts, p.Holidays = 100, nil
	}
	f := r.follow(aJourney)
	p := *r.world.People[0]
	p.Phone, p.Answers, p.FromHour, p.Dies = "07700900000", 100, 0, 0
	f.person = &p
	f.newest = &offered{"o", aJourney, r.partners[0].id, 1}
	one := &team{run: r, who: whoOf("RXX", name), days: map[string]string{}}
	one.Name = name
	r.now = r.now.Truncate(time.Hour)
	return one, f
}
