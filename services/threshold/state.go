package threshold

import (
	"reflect"
	"slices"
	"time"

	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// origin is schemas.Origin by the names under which threshold keeps it.
type origin struct {
	Person   string `json:"person,omitempty"`
	Sender   string `json:"organisation,omitempty"`
	PersonAt int64  `json:"begunAt,omitempty"`
	PlacedAt int64  `json:"placedAt,omitempty"`
}

// JourneyState is what threshold knows of a journey, in whatever order it has heard it. Each part remembers the
// sequence of the event it came from, and a part from an earlier event never replaces one from a later.
type JourneyState struct {
	origin
	LeftOn   criteria.Day  `json:"leftOn,omitempty"`
	LeftOnAt int64         `json:"leftOnAt,omitempty"`
	Facts    schemas.Facts `json:"facts"`
	// FactAt is the sequence of the event that each fact was stated by, or taken back: what an event leaves out stays.
	FactAt      map[string]int64 `json:"factAt,omitempty"`
	WithdrawnAt int64            `json:"withdrawnAt,omitempty"`
	// Closed is how the journey stands as a whole, from the event of the journey service with sequence TurnedAt.
	// From is the local day on which it went on after it was held or closed: the window counts from there.
	Closed   bool         `json:"closed,omitempty"`
	From     criteria.Day `json:"from,omitempty"`
	TurnedAt int64        `json:"turnedAt,omitempty"`

	schemas.MustNotKnow

	// Answers and Overrides are what people recorded, in that order; AnswerBy is by when a service that was asked last
	// is hoped to answer.
	Answers   []criteria.Answer    `json:"answers,omitempty"`
	Overrides []criteria.Override  `json:"overrides,omitempty"`
	AnswerBy  map[string]time.Time `json:"answerBy,omitempty"`
}

// isActive says that the journey has begun, its discharge has not been withdrawn since, and it is not closed.
func (k JourneyState) isActive() bool { return k.PersonAt > k.WithdrawnAt && !k.Closed }

func (k *JourneyState) turn(at int64, closed bool, from criteria.Day) {
	if schemas.Newer(at, &k.TurnedAt) {
		k.Closed, k.From = closed, from
	}
}

// countsFrom is the local day the window counts from.
func (k JourneyState) countsFrom() criteria.Day { return max(k.LeftOn, k.From) }

func (k *JourneyState) begin(at int64, person, organisation string, leftOn criteria.Day, facts schemas.Facts) {
	(*schemas.Origin)(&k.origin).Begin(at, person, organisation)
	k.leave(at, leftOn)
	k.apply(at, facts, nil)
}

func (k *JourneyState) correct(at int64, d schemas.DischargeCorrectedData) {
	(*schemas.Origin)(&k.origin).Place(at, d.Organisation)
	if d.LeftOn != "" {
		k.leave(at, d.LeftOn)
	}
	if d.Facts != nil {
		k.apply(at, *d.Facts, nil)
	}
	k.apply(at, schemas.Facts{}, d.Retracted)
}

func (k *JourneyState) withdraw(at int64) { k.WithdrawnAt = max(k.WithdrawnAt, at) }

func (k *JourneyState) leave(at int64, on criteria.Day) {
	if schemas.Newer(at, &k.LeftOnAt) {
		k.LeftOn = on
	}
}

// apply takes over each fact that an event states or takes back, unless a later one has spoken of it.
func (k *JourneyState) apply(at int64, facts schemas.Facts, takenBack []string) {
	k.Facts.Beside(&facts, func(name string, field, stated reflect.Value) {
		if at < k.FactAt[name] || stated.IsZero() && !slices.Contains(takenBack, name) {
			return
		}
		if k.FactAt == nil {
			k.FactAt = map[string]int64{}
		}
		k.FactAt[name] = at
		field.Set(stated)
	})
}

// situation is what is to be decided about on a day.
func (k JourneyState) situation(today criteria.Day, prior *criteria.Decision) criteria.Situation {
	return criteria.Situation{
		Facts: k.Facts, Changes: criteria.Ahead(k.Facts), Answers: k.Answers, Overrides: k.Overrides, Today: today,
		Prior: prior,
		Window: criteria.Window{FirstDay: today,
			LastDay: max(today, criteria.AddDays(k.countsFrom(), criteria.WindowDays))},
	}
}

// outcome is what others hear of a decision.
type outcome struct {
	pathway schemas.PathwayDecidedData
	gap     *schemas.GapFoundData          // the first time that one is found
	needed  *schemas.InformationNeededData // facts that would change what is open
}

// outcomeOf is what is said of a decision; of none, nothing.
func outcomeOf(d *criteria.Decision) (o outcome) {
	if d == nil {
		return o
	}
	o.pathway.Open, o.pathway.OpenIf = d.Named(schemas.Eligible, schemas.MostNamed),
		d.Named(schemas.EligibleIf, schemas.MostNamed)
	o.pathway.Waits = d.Waits[:min(len(d.Waits), mostWaits)]
	if d.Gap != nil && d.Gap.New {
		o.gap = &schemas.GapFoundData{Probable: d.Gap.Probable, Nobody: d.Nobody}
	}
	if len(d.Questions) > 0 {
		o.needed = &schemas.InformationNeededData{}
		for _, q := range d.Questions {
			o.needed.Facts = append(o.needed.Facts, q.Fact)
		}
	}
	return o
}

// mostWaits is how many lists a person is said to be on; the decision has them all.
const mostWaits = 20

// samePathway says that two decisions name the same services, so that the later need not be said.
func samePathway(a, b schemas.PathwayDecidedData) bool {
	return slices.Equal(a.Open, b.Open) && slices.Equal(a.OpenIf, b.OpenIf) && slices.Equal(a.Waits, b.Waits)
}

// asksNew says whether a fact is asked for that was not asked for before.
func (o outcome) asksNew(before outcome) bool {
	return o.needed != nil && (before.needed == nil ||
		slices.ContainsFunc(o.needed.Facts,
			func(fact string) bool { return !slices.Contains(before.needed.Facts, fact) }))
}
