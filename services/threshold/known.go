package threshold

import (
	"maps"
	"slices"
	"time"

	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// Known is what threshold knows of a journey, in whatever order it has heard it. Each part remembers the sequence of
// the event it came from, and a part from an earlier event never replaces one from a later.
type Known struct {
	Person       string        `json:"person,omitempty"`
	Organisation string        `json:"organisation,omitempty"`
	PlacedAt     int64         `json:"placedAt,omitempty"`
	LeftOn       criteria.Day  `json:"leftOn,omitempty"`
	LeftOnAt     int64         `json:"leftOnAt,omitempty"`
	Facts        schemas.Facts `json:"facts"`
	// FactAt is the sequence of the event that each fact was stated by, or taken back: what an event leaves out stays.
	FactAt      map[string]int64 `json:"factAt,omitempty"`
	BegunAt     int64            `json:"begunAt,omitempty"`
	WithdrawnAt int64            `json:"withdrawnAt,omitempty"`
	// Closed is how the journey stands as a whole, from the event of the journey service with sequence TurnedAt.
	// From is the local day on which it went on after it was held or closed: the window counts from there.
	Closed   bool         `json:"closed,omitempty"`
	From     criteria.Day `json:"from,omitempty"`
	TurnedAt int64        `json:"turnedAt,omitempty"`

	// Barred are the organisations that the person said must not know, by the event with sequence BarredAt.
	Barred   []string `json:"barred,omitempty"`
	BarredAt int64    `json:"barredAt,omitempty"`

	// Answers and Overrides are what people recorded, in that order; AnswerBy is by when a service that was asked last
	// is hoped to answer.
	Answers   []criteria.Answer    `json:"answers,omitempty"`
	Overrides []criteria.Override  `json:"overrides,omitempty"`
	AnswerBy  map[string]time.Time `json:"answerBy,omitempty"`
}

// stands says that the journey has begun, its discharge has not been withdrawn since, and it is not closed.
func (k Known) stands() bool { return k.BegunAt > k.WithdrawnAt && !k.Closed }

func (k *Known) turn(at int64, closed bool, from criteria.Day) {
	if at > k.TurnedAt {
		k.Closed, k.From, k.TurnedAt = closed, from, at
	}
}

// countsFrom is the local day the window counts from.
func (k Known) countsFrom() criteria.Day { return max(k.LeftOn, k.From) }

func (k *Known) begin(at int64, person, organisation string, leftOn criteria.Day, facts schemas.Facts) {
	if at > k.BegunAt {
		k.BegunAt, k.Person = at, person
		if at > k.PlacedAt {
			k.Organisation = organisation
		}
	}
	k.leave(at, leftOn)
	k.learn(at, facts, nil)
}

func (k *Known) correct(at int64, d schemas.DischargeCorrectedData) {
	if d.Organisation != "" && at > k.PlacedAt {
		if at > k.BegunAt { // a human said whose it is: a beginning that came before does not outrank it
			k.Organisation = d.Organisation
		}
		k.PlacedAt = at
	}
	if d.LeftOn != "" {
		k.leave(at, d.LeftOn)
	}
	if d.Facts != nil {
		k.learn(at, *d.Facts, nil)
	}
	k.learn(at, schemas.Facts{}, d.TakenBack)
}

// bar takes in the whole list of organisations that must not know, where an event speaks of it.
func (k *Known) bar(at int64, organisations []string) {
	if organisations != nil && at > k.BarredAt {
		k.Barred, k.BarredAt = organisations, at
	}
}

// barred are the organisations from which the journey is kept. Its own looks after it, and is never among them.
func (k *Known) barred() []string {
	return slices.DeleteFunc(slices.Clone(k.Barred), func(o string) bool { return o == k.Organisation })
}

func (k *Known) withdraw(at int64) { k.WithdrawnAt = max(k.WithdrawnAt, at) }

func (k *Known) leave(at int64, on criteria.Day) {
	if at >= k.LeftOnAt {
		k.LeftOn, k.LeftOnAt = on, at
	}
}

// learn takes over each fact that an event states or takes back, unless a later one has spoken of it.
func (k *Known) learn(at int64, facts schemas.Facts, takenBack []string) {
	stated := maps.Collect(facts.Fields())
	for name, field := range k.Facts.Fields() {
		gone := slices.Contains(takenBack, name)
		if at < k.FactAt[name] || stated[name].IsZero() && !gone {
			continue
		}
		if k.FactAt == nil {
			k.FactAt = map[string]int64{}
		}
		k.FactAt[name] = at
		field.Set(stated[name])
	}
}

// situation is what is to be decided about on a day.
func (k Known) situation(today criteria.Day, prior *criteria.Decision) criteria.Situation {
	return criteria.Situation{
		Facts: k.Facts, Changes: criteria.Ahead(k.Facts), Answers: k.Answers, Overrides: k.Overrides, Today: today, Prior: prior,
		Window: criteria.Window{FirstDay: today, LastDay: max(today, criteria.AddDays(k.countsFrom(), criteria.WindowDays))},
	}
}

// outcome is what others hear of a decision.
func outcome(d criteria.Decision, id, person string, leftOn criteria.Day) (decided schemas.PathwayDecidedData, gap *schemas.GapFoundData, needed *schemas.InformationNeededData) {
	decided = schemas.PathwayDecidedData{Person: person, Directory: d.Directory, Decision: id, Doors: d.Doors, Waits: d.Waits, LeftOn: leftOn, AskFirst: d.AskFirst}
	if d.Gap != nil {
		decided.GapSides = d.Gap.Results()
	}
	if d.Gap != nil && d.Gap.New {
		gap = &schemas.GapFoundData{Person: person, Decision: id, Probable: d.Gap.Probable, Sides: d.Gap.Results(), Nobody: d.Nobody}
	}
	if len(d.Questions) > 0 {
		needed = &schemas.InformationNeededData{Person: person}
		for _, q := range d.Questions {
			needed.Facts = append(needed.Facts, q.Fact)
		}
	}
	return decided, gap, needed
}

// asksNew says whether a decision asks for a fact that the one before did not ask for.
func asksNew(d criteria.Decision, prior *criteria.Decision) bool {
	asked := map[string]bool{}
	if prior != nil {
		for _, q := range prior.Questions {
			asked[q.Fact] = true
		}
	}
	for _, q := range d.Questions {
		if !asked[q.Fact] {
			return true
		}
	}
	return false
}
