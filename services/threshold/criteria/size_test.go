package criteria

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"footbridge/schemas"
)

// largeSet has so many services with three criteria each of so many bytes of words.
func largeSet(services, words int) []Document {
	docs := []Document{lastResort()}
	for n := range services {
		doc := service(fmt.Sprintf("service-%d", n), Statutory)
		for c := range 3 {
			criterion := include(fmt.Sprintf("c%d", c), "age >= 90")
			criterion.Words = strings.Repeat("w", words)
			doc.Criteria = append(doc.Criteria, criterion)
		}
		docs = append(docs, doc)
	}
	return docs
}

func TestASetOfWhichADecisionCouldNotBeToldDoesNotLoad(t *testing.T) {
	t.Parallel()
	_, err := Compile(largeSet(216, 1900)...)
	if err == nil || !strings.Contains(err.Error(), "the set is too large") {
		t.Fatalf("a set of 216 services with long criteria: %v", err)
	}
	if _, err := Compile(largeSet(60, 300)...); err != nil {
		t.Errorf("an ordinary set: %v", err)
	}
}

// TestNoDecisionIsLargerThanWhatWasReckoned decides by a set that shuts every door.
func TestNoDecisionIsLargerThanWhatWasReckoned(t *testing.T) {
	t.Parallel()
	set := compiledSet(t, largeSet(40, 1000)...)
	decision := Evaluate(set, Situation{Facts: northerner(), Today: "2026-11-20", Window: Window{FirstDay: "2026-11-20", LastDay: "2026-12-04"}})
	event, err := json.Marshal(schemas.PathwayDecidedData{Directory: set.Hash, Doors: decision.Doors, Waits: decision.Waits,
		AskFirst: decision.AskFirst, GapSides: decision.Gap.Results()})
	if err != nil {
		t.Fatal(err)
	}
	if reckoned := largestDecision(set.services) + 300; len(event) > reckoned {
		t.Errorf("the decision takes %d bytes, reckoned were %d", len(event), reckoned)
	}
}
