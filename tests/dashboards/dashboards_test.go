package dashboards

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const folder = "../../deploy/observability/dashboards"

func TestTheDashboardsInTheRepositoryAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	var names []string
	for _, board := range All() {
		made, err := board.JSON()
		if err != nil {
			t.Fatal(err)
		}
		name := board.UID + ".json"
		names = append(names, name)
		if kept, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Equal(kept, made) {
			t.Errorf("%s is not what the code makes (%v): make generate", name, err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.Contains(names, file.Name()) {
			t.Errorf("%s is made by no code", file.Name())
		}
	}
}

// Each query is read from the file that is imported, not from what it was made of.
func TestEachQueryOfTheDashboardsIsPromQLAndReadsAMetric(t *testing.T) {
	t.Parallel()
	for _, board := range All() {
		text, err := os.ReadFile(filepath.Join(folder, board.UID+".json"))
		if err != nil {
			t.Fatal(err)
		}
		queries, err := Expressions(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(queries) == 0 || len(queries) != len(board.Queries()) {
			t.Errorf("%s has %d queries; the code has %d", board.UID, len(queries), len(board.Queries()))
		}
		for _, query := range queries {
			if asked, err := Read(query); err != nil || len(asked.Metrics) == 0 {
				t.Errorf("%s: %q reads %v: %v", board.UID, query, asked.Metrics, err)
			}
		}
	}
}

func TestAQueryThatIsNoPromQLIsFound(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{`sum(footbridge_flow_dead`, `sum by service_name (footbridge_flow_dead)`,
		`rate(footbridge_flow_applied_total)`, `max(footbridge_flow_dead[5m])`,
		`footbridge_flow_dead{service_name=intake}`} {
		if _, err := Read(wrong); err == nil {
			t.Errorf("%q is read without an error", wrong)
		}
	}
	asked, err := Read(`sum by (a) (rate(x_total{b=~"c"}[5m])) / on (d) y or absent(x_total)`)
	if err != nil || strings.Join(asked.Metrics, " ") != "x_total y" || strings.Join(asked.Labels, " ") != "a b d" {
		t.Errorf("reads %+v: %v", asked, err)
	}
}

func TestNoTwoPanelsOfADashboardStandInOnePlace(t *testing.T) {
	t.Parallel()
	type place struct{ X, Y, W, H int }
	for _, board := range All() {
		text, err := board.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var read struct{ Panels []struct{ GridPos place } }
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		for i, one := range read.Panels {
			for _, other := range read.Panels[:i] {
				a, b := one.GridPos, other.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s: %+v lies on %+v", board.UID, a, b)
				}
			}
		}
	}
}
