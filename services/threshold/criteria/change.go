package criteria

import (
	"slices"

	"footbridge/schemas"
)

// NextChange is the first day after today on which a door that is not open may stand otherwise: a criterion of its
// service comes into force or lapses, or a fact changes that is known to. It is empty where nothing will.
// A door that is open stays open whatever the day, so nothing is waited for there.
func NextChange(set *Directory, s Situation, d Decision) Day {
	next := ""
	soonest := func(day Day) {
		if day > s.Today && (next == "" || day < next) {
			next = day
		}
	}
	waits, facts := false, factsOn(s, s.Today)
	for _, door := range d.Eligibilities {
		service := set.byID[door.Service]
		if door.Eligibility == schemas.Eligible || service == nil {
			continue
		}
		waits = true
		for _, c := range service.clauses {
			for _, day := range c.changes(facts) {
				soonest(day)
			}
		}
	}
	if waits {
		for _, change := range s.Changes {
			soonest(change.On)
		}
	}
	return next
}

// SameOutcome says that a decision says nothing that the one before did not say. Words are not compared: a sentence
// that was reworded changes nobody's door, and the prior decision keeps the words it was made under.
func SameOutcome(a, b *Decision) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Nobody == b.Nobody && sameGap(a.Gap, b.Gap) && slices.EqualFunc(a.Eligibilities, b.Eligibilities,
		sameEligibility) &&
		slices.EqualFunc(a.Questions, b.Questions, func(x, y Question) bool { return x.Fact == y.Fact })
}

func sameEligibility(a, b schemas.ServiceEligibility) bool {
	return a.Service == b.Service && a.Eligibility == b.Eligibility && a.Waiting == b.Waiting &&
		slices.Equal(a.Missing, b.Missing) &&
		slices.EqualFunc(a.Because, b.Because,
			func(x, y schemas.CriterionResult) bool { return x.Criterion == y.Criterion && x.Finding == y.Finding })
}
