package criteria

import (
	"encoding/json"
	"fmt"
	"slices"

	"footbridge/schemas"
)

// mostDecided is how large a decision may be as an event, in bytes: a broker takes a megabyte unless told otherwise, and
// what people said, and the event's own attributes, come on top of what the criteria say.
const mostDecided = 850_000

// largestDecision is the size, in bytes, of the event of a decision at which every service's door is shut by every one
// of its criteria, and every statutory one is a side of the gap.
func largestDecision(services []*compiled) int {
	var decided schemas.PathwayDecidedData
	facts := slices.Collect(func(yield func(string) bool) {
		for name := range (&schemas.Facts{}).Fields() {
			if !yield(name) {
				return
			}
		}
	})
	for _, s := range services {
		id, name := s.doc.Service.ID, s.doc.Service.Name
		door := schemas.ServiceDoor{Service: id, Name: name, Sector: s.doc.Sector, Kind: s.doc.Kind, Door: schemas.DoorTalkAbout, Missing: facts, Waiting: true}
		for _, c := range s.clauses {
			result := c.row.CriterionResult
			result.Finding = schemas.NotEvaluable
			door.Because = append(door.Because, result)
			if s.doc.Sector == Statutory {
				result.Source = name + ": " + result.Source
				decided.GapSides = append(decided.GapSides, result)
			}
		}
		decided.Doors = append(decided.Doors, door)
		decided.Waits, decided.AskFirst = append(decided.Waits, id), append(decided.AskFirst, id)
	}
	event, err := json.Marshal(decided)
	if err != nil {
		panic("writing the largest decision: " + err.Error()) // texts and codes alone
	}
	return len(event)
}

// refuseSize refuses a set of which a decision could become larger than the broker takes: it could never be told.
func refuseSize(services []*compiled) Refused {
	size := largestDecision(services)
	if size <= mostDecided {
		return nil
	}
	largest := slices.MaxFunc(services, func(a, b *compiled) int { return largestDecision([]*compiled{a}) - largestDecision([]*compiled{b}) })
	return Refused{{Why: "the set is too large: a decision by all of its criteria would take " + kilobytes(size) + ", and at most " + kilobytes(mostDecided) +
		" can be told to the other services; shorten the words of criteria (the longest are those of " + largest.doc.Service.ID + "), or leave services out"}}
}

// kilobytes writes a number of bytes, rounded up.
func kilobytes(bytes int) string { return fmt.Sprintf("%d kB", (bytes+999)/1000) }
