package threshold

import (
	"testing"

	"footbridge/schemas"
)

func example(t testing.TB) *Directory {
	t.Helper()
	set, err := LoadFS(ExampleFiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestTheShippedExampleLoads(t *testing.T) {
	t.Parallel()
	set := example(t)
	if got := len(set.Documents()); got != 15 {
		t.Errorf("got %d services, want 15", got)
	}
	for _, doc := range set.Documents() {
		if !doc.Illustrative {
			t.Errorf("%s is not marked illustrative", doc.Service.ID)
		}
	}
	d := Evaluate(set, Situation{Facts: schemas.Facts{Age: new(34)}, Today: "2026-11-20", Window: Window{"2026-11-27", "2026-12-04"}})
	for _, door := range d.Doors {
		t.Log(door.Service, door.Door, door.Missing)
	}
	t.Log(d.Questions)
}
