package criteria

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"footbridge/schemas"
)

// A fact may turn to fit a rule: somebody's area or age is recorded otherwise, and a door that was not open is. That is
// told to whoever owns the rule, in numbers alone: a rule that facts are turned for is one to look at. Nothing here is
// about a person, and no number by which one could be found is given.

// Count is a number of journeys as it may be shown.
type Count struct {
	n      int
	hidden bool // another one, given beside it, could be worked out from it
}

// smallest is the smallest number that is shown as it is.
const smallest = 5

// Texts that stand in the place of a number.
const (
	FewerThanFive = "fewer than 5"
	FiveOrMore    = "5 or more"
)

// MarshalJSON implements json.Marshaler.
func (c Count) MarshalJSON() ([]byte, error) {
	if text := c.text(); text != "" {
		return json.Marshal(text)
	}
	return json.Marshal(c.n)
}

func (c Count) text() string {
	switch {
	case c.n < smallest:
		return FewerThanFive
	case c.hidden:
		return FiveOrMore
	}
	return ""
}

// within hides a sum of which a part, or what is left beside its parts, is too small to be shown.
func (c Count) within(parts ...Count) Count {
	rest := c.n
	for _, part := range parts {
		rest -= part.n
		c.hidden = c.hidden || part.text() != ""
	}
	// parts that overlap tell how many are in both
	c.hidden = c.hidden || rest != 0 && -smallest < rest && rest < smallest
	return c
}

// Turned is how often a fact turned one criterion.
type Turned struct {
	Service   string `json:"service"`
	Criterion string `json:"criterion"`
	Words     string `json:"words"`
	Since     Day    `json:"since"`
	// Journeys are all that were decided about more than once under this criterion.
	Journeys Count        `json:"journeys"`
	Turned   []TurnedInto `json:"turned"`
}

// TurnedInto is in how many journeys a fact turned the criterion into met, or into not met.
type TurnedInto struct {
	Finding  schemas.Finding `json:"finding"`
	Journeys Count           `json:"journeys"`
	Facts    []TurnedFact    `json:"facts"`
}

// TurnedFact is in how many journeys one fact did, and by which ways it was said.
type TurnedFact struct {
	Fact     string      `json:"fact"`
	Journeys Count       `json:"journeys"`
	Ways     []TurnedWay `json:"ways"`
}

// TurnedWay is in how many journeys the fact came by one way: a message or a form of the hospital, or what staff
// recorded of what the person said.
type TurnedWay struct {
	Way      string `json:"way"`
	Journeys Count  `json:"journeys"`
}

// The ways.
const (
	WayMessage  = "message"
	WayRecorded = "recorded"
)

// Found is what one decision found of a criterion, and what from.
type Found struct {
	Journey, Directory, Way string
	Finding                 schemas.Finding
	Facts                   schemas.Facts
}

// CriterionNamed finds the criteria of the set that are called so and read facts, of one service where that is named.
// reads are the facts of the first.
func (d *Directory) CriterionNamed(service, criterion string) (rows []Row, reads []string) {
	for _, s := range d.services {
		for _, c := range s.clauses {
			if c.ID != criterion || (service != "" && s.doc.Service.ID != service) || c.expr == nil {
				continue
			}
			if rows == nil {
				reads = c.expr.reads
			}
			rows = append(rows, c.row)
		}
	}
	return rows, reads
}

// turn is one cell of the report.
type turn struct {
	finding   schemas.Finding
	fact, way string
}

// Turns counts journeys, each once, in whose decisions a fact that the criterion reads turned its finding. found is in
// the order of journeys, and of the decisions of each.
func Turns(row Row, reads []string, since Day, found []Found) Turned {
	journeys := map[turn]map[string]bool{}
	looked := map[string]bool{}
	note := func(t turn, journey string) {
		if journeys[t] == nil {
			journeys[t] = map[string]bool{}
		}
		journeys[t][journey] = true
	}
	for i := 1; i < len(found); i++ {
		before, after := found[i-1], found[i]
		if before.Journey != after.Journey || before.Directory != after.Directory {
			continue
		}
		looked[after.Journey] = true
		turned := before.Finding != after.Finding && (after.Finding == schemas.Met || after.Finding == schemas.NotMet)
		if !turned || after.Way == "" {
			continue
		}
		learnt, gone := after.Facts.Changed(before.Facts)
		for name, value := range learnt.Fields() {
			if slices.Contains(reads, name) && (!value.IsZero() || slices.Contains(gone, name)) {
				note(turn{after.Finding, name, after.Way}, after.Journey)
				note(turn{after.Finding, name, ""}, after.Journey)
				note(turn{after.Finding, "", ""}, after.Journey)
			}
		}
	}
	return reportOf(row, since, len(looked), journeys)
}

func reportOf(row Row, since Day, looked int, journeys map[turn]map[string]bool) Turned {
	report := Turned{Service: row.Service, Criterion: row.Criterion, Words: row.Words, Since: since,
		Turned: []TurnedInto{}}
	count := func(t turn) Count { return Count{n: len(journeys[t])} }
	cells := slices.SortedFunc(maps.Keys(journeys), func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.finding, b.finding), cmp.Compare(a.fact, b.fact), cmp.Compare(a.way, b.way))
	})
	var sums []Count
	for _, all := range cells {
		if all.fact != "" {
			continue
		}
		into := TurnedInto{Finding: all.finding}
		var parts []Count
		for _, fact := range cells {
			if fact.finding != all.finding || fact.fact == "" || fact.way != "" {
				continue
			}
			one := TurnedFact{Fact: fact.fact}
			var ways []Count
			for _, way := range cells {
				if way.finding == fact.finding && way.fact == fact.fact && way.way != "" {
					one.Ways = append(one.Ways, TurnedWay{Way: way.way, Journeys: count(way)})
					ways = append(ways, count(way))
				}
			}
			one.Journeys = count(fact).within(ways...)
			into.Facts, parts = append(into.Facts, one), append(parts, one.Journeys)
		}
		into.Journeys = count(all).within(parts...)
		report.Turned, sums = append(report.Turned, into), append(sums, into.Journeys)
	}
	report.Journeys = Count{n: looked}.within(sums...)
	return report
}
