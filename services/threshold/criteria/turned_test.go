package criteria

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"footbridge/schemas"
)

// turning makes the two decisions of one journey in which an age turned the finding, by a way.
func turning(n int, way string, to schemas.Finding) []Found {
	before := schemas.NotMet
	if to == schemas.NotMet {
		before = schemas.Met
	}
	journey := fmt.Sprintf("journey-%d-%s-%s", n, way, to)
	return []Found{{Journey: journey, Directory: "d", Way: WayMessage, Finding: before,
		Facts: schemas.Facts{Age: new(17), Carer: new(true)}},
		{Journey: journey, Directory: "d", Way: way, Finding: to,
			Facts: schemas.Facts{Age: new(18), Carer: new(false)}}}
}

func several(n int, way string, to schemas.Finding) (all []Found) {
	for i := range n {
		all = append(all, turning(i, way, to)...)
	}
	return all
}

func TestNoNumberOfTurnedFactsLeadsToAnybody(t *testing.T) {
	t.Parallel()
	still := func(n int) (all []Found) {
		for i := range n {
			f := Found{Journey: fmt.Sprintf("still-%d", i), Directory: "d", Way: WayMessage, Finding: schemas.Met,
				Facts: schemas.Facts{Age: new(30)}}
			all = append(all, f, f)
		}
		return all
	}
	for claim, c := range map[string]struct {
		found []Found
		says  string
	}{
		"nothing": {nil, `"journeys":"fewer than 5","turned":[]`},
		"a few": {several(4, WayMessage, schemas.Met),
			`"journeys":"fewer than 5","turned":[{"finding":"met","journeys":"fewer than 5","facts":[{"fact":"age","journeys":"fewer than 5","ways":[{"way":"message","journeys":"fewer than 5"}]}]}]`},
		"many": {several(6, WayRecorded, schemas.Met),
			`"journeys":6,"turned":[{"finding":"met","journeys":6,"facts":[{"fact":"age","journeys":6,"ways":[{"way":"recorded","journeys":6}]}]}]`},
		"a way of few beside one of many: their sum would tell it": {append(several(7, WayMessage, schemas.Met),
			several(2, WayRecorded, schemas.Met)...),
			`"journeys":"5 or more","turned":[{"finding":"met","journeys":"5 or more","facts":[{"fact":"age","journeys":"5 or more","ways":[{"way":"message","journeys":7},{"way":"recorded","journeys":"fewer than 5"}]}]}]`},
		"two ways of few": {append(several(3, WayMessage, schemas.Met),
			several(3, WayRecorded, schemas.Met)...),
			`"journeys":"5 or more","facts":[{"fact":"age","journeys":"5 or more","ways":[{"way":"message","journeys":"fewer than 5"},{"way":"recorded","journeys":"fewer than 5"}]}]`},
		"few that it did not turn": {append(several(8, WayMessage, schemas.Met), still(3)...),
			`"journeys":"5 or more","turned":[{"finding":"met","journeys":8`},
		"many that it did not turn": {append(several(8, WayMessage, schemas.Met), still(5)...),
			`"journeys":13,"turned":[{"finding":"met","journeys":8`},
		"few against it, beside many for it": {append(several(8, WayMessage, schemas.Met),
			several(1, WayMessage, schemas.NotMet)...), `"journeys":"5 or more"`},
	} {
		text, err := json.Marshal(Turns(Row{Service: "adults"}, []string{"age"}, "2025-12-01", c.found))
		if err != nil || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %s, %v", claim, text, err)
		}
	}
}

func TestWhatTurnsARuleIsAFactThatItReads(t *testing.T) {
	t.Parallel()
	for claim, change := range map[string]func(before, after *Found){
		"another fact alone":         func(before, after *Found) { after.Facts.Age = before.Facts.Age },
		"other criteria":             func(_, after *Found) { after.Directory = "another" },
		"a day that came":            func(_, after *Found) { after.Way = "" },
		"another journey":            func(_, after *Found) { after.Journey = "another" },
		"a finding that is the same": func(before, after *Found) { before.Finding = after.Finding },
		"a fact that is forgotten":   func(_, after *Found) { after.Finding = schemas.Unknown },
	} {
		found := several(9, WayMessage, schemas.Met)
		for i := 0; i < len(found); i += 2 {
			change(&found[i], &found[i+1])
		}
		if report := Turns(Row{}, []string{"age"}, "2025-12-01", found); len(report.Turned) != 0 {
			t.Errorf("%s: %+v", claim, report)
		}
	}
	found := several(9, WayMessage, schemas.Met)
	for i := 0; i < len(found); i += 2 {
		found[i].Facts.Age, found[i].Finding = nil, schemas.Unknown
	}
	if report := Turns(Row{}, []string{"age"}, "2025-12-01", found); len(report.Turned) != 1 ||
		report.Turned[0].Journeys.n != 9 {
		t.Errorf("an unknown fact that becomes known: %+v", report)
	}
}
