package criteria

import (
	"container/heap"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

func TestAPlantedHoleIsFound(t *testing.T) {
	t.Parallel()
	young, adults, old := service("young", Statutory), service("adults", Statutory), service("old", Statutory)
	young.Ages, adults.Ages, old.Ages = &Ages{To: new(17), Words: "w"}, &Ages{From: new(19), To: new(64), Words: "w"},
		&Ages{From: new(65), Words: "w"}
	adults.Criteria = []Criterion{exclude("moving", `destination == "temporary" && !registeredGP`)}
	r := FindGaps(compiledSet(t, lastResort(), young, adults, old, service("peers", ThirdSector)), today, GapBudget)
	if !r.Complete || len(r.Unexplored) != 0 || len(r.Regions) != 2 {
		t.Fatalf("got %+v", r)
	}
	if got := r.Regions[0].Words; got != "people aged 18 to 64, not registered with a GP practice, who went to "+
		"temporary" {
		t.Errorf("the larger one is said as %q", got)
	}
	if got := r.Regions[1].Words; got != "people aged 18" {
		t.Errorf("the smaller one is said as %q", got)
	}
}

func TestASetWithoutHolesHasNone(t *testing.T) {
	t.Parallel()
	young, adults := service("young", Statutory), service("adults", Statutory)
	young.Ages, adults.Ages = &Ages{To: new(17), Words: "w"}, &Ages{From: new(18), Words: "w"}
	if r := FindGaps(compiledSet(t, lastResort(), young, adults), today, GapBudget); !r.Complete ||
		len(r.Regions) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestEachRegionIsReproducedByEvaluation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 5)
		for _, region := range FindGaps(set, today, GapBudget).Regions {
			reproduce(t, set, region)
		}
	})
}

func reproduce(t failing, set *Directory, region Region) {
	d := Evaluate(set, Situation{Facts: region.Example, Today: today})
	talks := 0
	for _, door := range statutoryCare(set, d.Eligibilities) {
		switch door.Eligibility {
		case schemas.Eligible, schemas.EligibleIf:
			t.Fatalf("%q: %s is %s for %+v", region.Words, door.Service, door.Eligibility, region.Example)
		case schemas.TalkAbout:
			talks++
		}
	}
	if region.Talk != (talks > 0) {
		t.Fatalf("%q: %d services leave it to a conversation, the region says %v", region.Words, talks, region.Talk)
	}
	if statutory := statutoryCare(set, d.Eligibilities); !region.Talk && len(statutory) > 0 && d.Gap == nil {
		t.Fatalf("%q: evaluation finds no gap", region.Words)
	}
}

type failing interface{ Fatalf(string, ...any) }

// What is drawn at random and is nobody's in a statutory service lies in a region, and nothing else does.
func TestWhoFallsBetweenLiesInARegionAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, 4)
		facts := completed(t, schemas.Facts{WaitingOn: []string{}, OpenTo: []string{}}, idsOf(set))
		between := true
		for _, door := range statutoryCare(set, Evaluate(set, Situation{Facts: facts, Today: today}).Eligibilities) {
			between = between && door.Eligibility != schemas.Eligible
		}
		s := newSearch(set, today)
		found := false
		var boxes [2][]box
		open := &frontier{s.whole()}
		for open.Len() > 0 {
			s.explore(heap.Pop(open).(searched), open, &boxes)
		}
		for _, b := range append(s.merge(boxes[0]), s.merge(boxes[1])...) {
			found = found || s.has(b, knownFacts(facts, today))
		}
		if found != between && len(s.services) > 0 {
			t.Fatalf("falls between: %v, in a region: %v, facts %v", between, found, knownFacts(facts, today))
		}
	})
}

func (s *search) has(b box, facts known) bool {
	for i := range s.dimensions {
		d := &s.dimensions[i]
		in, _, _ := d.chosen(b)
		value := facts[d.fact.Name]
		if d.element != "" {
			value = slices.Contains(value.([]string), d.element)
		} else if text, ok := value.(string); ok &&
			!slices.ContainsFunc(d.classes, func(c []any) bool { return slices.Contains(c, any(text)) }) {
			value = d.other
		}
		if !slices.Contains(in, value) {
			return false
		}
	}
	return true
}

func TestABudgetThatRunsOutSaysWhatIsUnexplored(t *testing.T) {
	t.Parallel()
	set := large(t, 20)
	whole := FindGaps(set, today, GapBudget)
	part := FindGaps(set, today, 100)
	if part.Complete || part.Looked != 100 || len(part.Unexplored) == 0 {
		t.Fatalf("got complete %v, looked %d, unexplored %d", part.Complete, part.Looked, len(part.Unexplored))
	}
	rest := 0.0
	for _, r := range part.Unexplored {
		rest += r.Share
	}
	if part.Share > whole.Share+1e-9 || part.Share+rest < whole.Share-1e-9 {
		t.Errorf("found %.4f and unexplored %.4f do not hold all of %.4f", part.Share, rest, whole.Share)
	}
}

func TestSixtyServicesWithFourHundredCriteriaAreSearchedCompletely(t *testing.T) {
	t.Parallel()
	set := large(t, 60)
	criteria := 0
	for _, s := range set.services {
		criteria += len(s.clauses)
	}
	r := FindGaps(set, today, GapBudget)
	if criteria < 370 || !r.Complete || r.Looked >= GapBudget {
		t.Fatalf("%d criteria, complete %v, looked at %d", criteria, r.Complete, r.Looked)
	}
	if !slices.IsSortedFunc(r.Regions, func(a, b Region) int {
		if a.Talk != b.Talk {
			return ordinal(a.Talk) - ordinal(b.Talk)
		}
		return int((b.Share - a.Share) * 1e12)
	}) {
		t.Error("the regions are not largest first")
	}
	for _, region := range r.Regions[:min(200, len(r.Regions))] {
		reproduce(t, set, region)
		if !strings.HasPrefix(region.Words, "people ") {
			t.Errorf("said as %q", region.Words)
		}
	}
}
