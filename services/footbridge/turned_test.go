package main

import (
	"encoding/json"
	"strings"
	"testing"

	"footbridge/libs/service"
)

func TestTurnedFactsAreToldAsTheyComeAndOneCriterionIsNamed(t *testing.T) {
	t.Parallel()
	const answer = `{"service":"adults","criterion":"ages","words":"For adults.","since":"2025-12-01","journeys":12,"turned":[{"finding":"not-met","journeys":"5 or more",
		"facts":[{"fact":"age","journeys":"5 or more","ways":[{"way":"message","journeys":7},{"way":"recorded","journeys":"fewer than 5"}]}]}]}`
	var found turnedShown
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	found.print(&out)
	for _, want := range []string{"ages of adults", "since 2025-12-01: 12", "turned to not met: 5 or more",
		"by age: 5 or more", "in a message or a form: 7", "as the person said: fewer than 5"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	state := "--state-dir=" + t.TempDir()
	for _, args := range [][]string{{"turned", state}, {"turned", "ages", "more", state}} {
		if code := service.ExitCode(dispatch(t.Context(), append([]string{"thresholds"}, args...))); code != 2 {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}
