package journey

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// What is recorded of the care around the follow-up, so that the person need not carry it from one to the next: who
// holds their last assessment, an early voice if they want one, and how often they had to tell it all again.

// Assessment is the last psychosocial assessment that somebody recorded: who holds it, from which local day, and who
// the aftercare within 48 hours of it is with. All of it is codes.
type Assessment struct {
	Subscribed
	Holder    string `json:"holder"`
	On        string `json:"on"`
	Aftercare string `json:"aftercare,omitempty"`
	// Changed is what has changed since, as last recorded; Shared when each service was told, by the directory's id.
	Changed []string             `json:"changed,omitempty"`
	Shared  map[string]time.Time `json:"shared,omitempty"`
}

// FirstContact is an early voice that the person asked for: within how many hours of leaving, by whom, and what became
// of it. Its sequence counts how often it was asked for: each asking is another step.
type FirstContact struct {
	Asked   Subscribed `json:"asked,omitzero"`
	Within  int        `json:"within,omitempty"`
	By      string     `json:"by,omitempty"`
	Became  Subscribed `json:"became,omitzero"`
	Outcome string     `json:"outcome,omitempty"`
}

// assessed says what the hospital, or whoever recorded it, said of an assessment: done, another code, or nothing.
func (k *JourneyState) assessed() string {
	if k.Assessment != nil {
		return assessmentDone
	}
	return k.Assessed.Said
}

const assessmentDone = "done"

// Said is a coded value that an event stated.
type Said struct {
	Subscribed
	Said string `json:"said,omitempty"`
}

// noAssessment are values of the fact that say that none was done.
var noAssessment = []string{"offered", "declined", "left-before"}

const (
	nothingChanged    = "nothing-has-changed"
	longestAssessment = 3653 // days
)

// toShare are the services that were asked for help and may ask for another assessment: each is first told who holds
// the last one, and what changed since.
func (s situation) toShare() []DesiredStep {
	if s.assessed() != assessmentDone || s.quiet {
		return nil
	}
	var wanted []DesiredStep
	for _, id := range slices.Sorted(maps.Keys(s.Services)) {
		a := s.Services[id]
		if a.pending() && (s.Assessment == nil || s.Assessment.Shared[id].Before(a.Asked.When)) {
			wanted = append(wanted, DesiredStep{Kind: stepShareAssessment, Owner: s.staff(a.By),
				DueAt: s.nextDay(a.Asked.When), Basis: fmt.Sprintf("%s/%d", id, a.Asked.At)})
		}
	}
	return wanted
}

// earlyVoice is the step of a first contact that the person asked for: in allowed hours, within so many hours of
// leaving.
func (s situation) earlyVoice() []DesiredStep {
	f := s.FirstContact
	if f.Asked.At == 0 || f.Became.At >= f.Asked.At || !s.mayAsk() {
		return nil
	}
	due := s.withinHours(s.visit.Recorded.When.Add(time.Duration(f.Within)*time.Hour), s.zone)
	if asked := s.withinHours(f.Asked.When.Add(time.Hour), s.zone); due.Before(asked) {
		due = asked
	}
	return []DesiredStep{{Kind: stepFirstContact, Owner: f.By, DueAt: latest(due, s.resumedDay()),
		Basis: fmt.Sprint(f.Asked.At)}}
}

// Told is that the person had to tell it all again, on a local day, to whom: a role. The same twice is once.
type Told struct{ On, To string }

// assessmentShown is who holds the last assessment, and what is known to have changed since.
type assessmentShown struct {
	// Said is what became of it as the hospital said, where nobody recorded who holds it.
	Said      string   `json:"said,omitempty"`
	Holder    string   `json:"holder,omitempty"`
	On        string   `json:"on,omitempty"`
	Aftercare string   `json:"aftercare,omitempty"`
	Changed   []string `json:"changed,omitempty"`
	// CameBack: they were in hospital again since.
	CameBack bool `json:"cameBackSince,omitempty"`
	// SharedWith are the services that were told, by the directory's id.
	SharedWith []string `json:"sharedWith,omitempty"`
}

func (k *JourneyState) assessmentShown() *assessmentShown {
	if k.Assessment == nil && k.Assessed.Said == "" {
		return nil
	}
	s := &assessmentShown{Said: k.Assessed.Said}
	if a := k.Assessment; a != nil {
		s.Holder, s.On, s.Aftercare, s.Changed, s.SharedWith = a.Holder, a.On, a.Aftercare, a.Changed,
			slices.Sorted(maps.Keys(a.Shared))
		s.CameBack = slices.ContainsFunc(slices.Collect(maps.Values(k.Visits)),
			func(v Visit) bool { return v.isActive() && v.LeftOn > a.On })
	}
	return s
}

// firstContactShown is an early voice that the person asked for.
type firstContactShown struct {
	Within  int        `json:"within"`
	By      string     `json:"by"`
	Outcome string     `json:"outcome,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

// retoldShown is how often the person had to tell it again, and when last.
type retoldShown struct {
	Count int    `json:"count"`
	Last  string `json:"last,omitempty"`
}
