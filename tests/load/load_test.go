package load

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the processes that the bench starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if part := Part(os.Args[1]); part != nil {
			if err := part(context.Background(), os.Args[2:]); err != nil {
				println(err.Error())
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// TestQuickMeasurementMeasuresEverything runs the whole bench on few units. It asserts nothing about time; that every
// variant makes as many events and deliveries, and nearly as many rows, is what makes the ratios mean something.
func TestQuickMeasurementMeasuresEverything(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "footbridge")
	if out, err := exec.Command("go", "build", "-o", binary,
		"footbridge/services/footbridge").CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	document := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(document, []byte("# kept\n"+beginMark+"\nold\n"+endMark+"\nkept too\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b, err := run(context.Background(), Options{Binary: binary, Quick: true, Million: true, Stored: 2 * storedSource,
		Markdown: document}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	reference := b.results[nameReference].Footprint
	same := b.results[nameSameRows].Footprint
	if ours := b.results[nameFootbridge].Footprint; float64(ours.allRows()) > 1.05*float64(same.allRows()) ||
		float64(ours.allRows()) < 0.95*float64(same.allRows()) {
		t.Errorf("the services wrote %d rows, and the reference of the same rows %d", ours.allRows(), same.allRows())
	}
	if ours := b.results[nameFootbridge].Footprint.beside; ours.rows == 0 || ours.deliveries == 0 {
		t.Errorf("of delivery %d rows and %d deliveries were counted", ours.rows, ours.deliveries)
	}
	for name, r := range b.results {
		if name == nameFlowAlone || name == nameIdeal {
			continue // they have a unit of their own
		}
		// A few more may come of what happens by time, or by what has arrived together.
		for what, counts := range map[string][2]int64{
			"events":     {int64(r.Footprint.events), int64(reference.events)},
			"deliveries": {int64(r.Footprint.deliveries), int64(reference.deliveries)},
			"rows":       {r.Footprint.allRows(), reference.allRows()},
		} {
			least, most := 0.95, 1.05
			if (name == nameFootbridge || name == nameWithoutTraces || name == nameSameRows) && what == "rows" {
				least = 0.7 // the reference stays as it was frozen; since then no delivery is remembered
			}
			if more := float64(counts[0]) / float64(counts[1]); more < least || more > most {
				t.Errorf("%s made %.2f times as many %s as the reference: %d", name, more, what, counts[0])
			}
		}
	}
	t.Log(out.String())
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# kept\n", "\nkept too\n", "| footbridge |", "| reference |", "| straightforward |",
		"| echo |", "| echo-rows |", "| same-rows |", "libs/flow alone", "| without-traces |",
		"rate with traces kept to without", "| 400 |"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the document has no %q:\n%s", want, content)
		}
	}
}
