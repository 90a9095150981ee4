package sim

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func scenario(t *testing.T, days, discharges int, seed uint64) *Scenario {
	t.Helper()
	s, err := ReadScenario("")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Span(days, discharges, seed); err != nil {
		t.Fatal(err)
	}
	return s
}

// written is a world as text: its people, and each message as it is sent.
func written(t *testing.T, w *World) string {
	t.Helper()
	people, err := json.Marshal(w.People)
	if err != nil {
		t.Fatal(err)
	}
	text, zone := string(people), scenario(t, 1, 1, 1).zone
	for _, m := range w.Messages {
		text += m.At.String() + string(m.hl7Message("RXX", zone))
	}
	return text
}

func TestTheSameSeedIsTheSameWorld(t *testing.T) {
	t.Parallel()
	one, same, other := NewWorld(scenario(t, 30, 200, 7)), NewWorld(scenario(t, 30, 200, 7)),
		NewWorld(scenario(t, 30, 200, 8))
	if written(t, one) != written(t, same) {
		t.Error("the same seed is another world")
	}
	if written(t, one) == written(t, other) {
		t.Error("another seed is the same world")
	}
}

// TestAWorldHasWhatHospitalsDo: late codes, what is taken back, records that are joined, counters that begin again,
// times to the minute, people who come back, move, die and change their minds.
func TestAWorldHasWhatHospitalsDo(t *testing.T) {
	t.Parallel()
	w := NewWorld(scenario(t, 60, 1000, 1))
	seen, controls := map[string]int{}, map[string]int{}
	for i, m := range w.Messages {
		seen[m.Trigger]++
		controls[m.Control]++
		if m.Minutes {
			seen["minutes"]++
		}
		if i > 0 && m.At.Before(w.Messages[i-1].At) {
			t.Fatal("messages are not in the order in which they are sent")
		}
	}
	for _, p := range w.People {
		for what, is := range map[string]bool{"returns": p.Returns > 0, "moves": p.Moves > 0, "dies": p.Dies > 0,
			"withdraws": p.Withdraws > 0, "young": p.Age < 18, "no phone": p.Phone == "", "second": p.Second != ""} {
			if is {
				seen[what]++
			}
		}
		if !strings.HasPrefix(p.NHS, "999") {
			t.Errorf("an NHS number is %s", p.NHS)
		}
	}
	for _, what := range []string{"A03", "A04", "A08", "A11", "A13", "A31", "A40", "report", "minutes", "returns",
		"moves",
		"dies", "withdraws", "young", "no phone", "second"} {
		if seen[what] == 0 {
			t.Errorf("there is no %s in %d messages of %d people", what, len(w.Messages), len(w.People))
		}
	}
	if controls["SIM0000001"] != 2 {
		t.Error("no sender begins its counter again")
	}
}

func TestAScenarioSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	const x = "partners: [{id: x, name: X, way: "
	for text, want := range map[string]string{
		x + "pigeon}]":                                          "line 1: the way \"pigeon\" is not simulated",
		"name: x\n\n" + x + "fax}]":                             "line 3: the way \"fax\" is not simulated",
		"partners: [{id: x, name: X}]":                          "its way is one of",
		"partners: [{id: X Y, name: X, way: feed}]":             "lower-case words",
		x + "feed, accepts: 80, declines: 30}]":                 "of a hundred",
		x + "feed, holidays: [{from: 2026-02-30}]}]":            "2026-02-30",
		"teams: [{name: 'team:x', from: 9, to: 8, minutes: 5}]": "hours from and to",
		"starts: soon":                                          "starts",
		"nights: 3":                                             "nights",
	} {
		file := filepath.Join(t.TempDir(), "scenario.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadScenario(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWhatPeopleDoHangsOnNobodyElse: one person more changes nobody.
func TestWhatPeopleDoHangsOnNobodyElse(t *testing.T) {
	t.Parallel()
	few, more := NewWorld(scenario(t, 30, 50, 3)), NewWorld(scenario(t, 30, 51, 3))
	for i, p := range few.People[:50] {
		a, _ := json.Marshal(p)
		b, _ := json.Marshal(more.People[i])
		if !slices.Equal(a, b) {
			t.Fatalf("person %d is %s, and with one person more %s", i, a, b)
		}
	}
}

// TestPicturesAreForEverybody: each is well-formed, says in words what it shows, and holds no script; what comes from a
// scenario is escaped.
func TestPicturesAreForEverybody(t *testing.T) {
	t.Parallel()
	r := &Report{Scenario: "<script>", Days: []DayCount{{Day: "2026-10-05", Counts: map[string]int{standsAsked: 3}},
		{Day: "2026-10-06", Counts: map[string]int{standsAsked: 1, standsVoid: 2}}},
		Unreached: map[string]int{"a & b": 2}}
	r.Waits[3] = Wait{People: 2, Reached: 1, Hours: 7.5}
	page, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Contains(text, "<script") || strings.Count(text, "<svg") != 3 ||
		!strings.Contains(text, "a &amp; b") {
		t.Errorf("the page is %s", text)
	}
	for name, svg := range map[string]string{"stands": r.standsPicture(), "waits": r.waitsPicture(),
		"unreached": r.unreachedPicture()} {
		decoder, elements := xml.NewDecoder(strings.NewReader(svg)), map[string]int{}
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				elements[start.Name.Local]++
			}
		}
		if elements["title"] == 0 || elements["desc"] != 1 || elements["script"] > 0 {
			t.Errorf("%s has %v", name, elements)
		}
	}
}

// TestTheDocsShowWhatTheSimulatorShows: the pictures and the timeline in docs/simulated are those that are drawn and
// worded now of what was counted then. Where it fails, make simulated makes them again.
func TestTheDocsShowWhatTheSimulatorShows(t *testing.T) {
	t.Parallel()
	const dir = "../../../docs/simulated"
	read := func(name string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var r Report
	read("summary.json", &r)
	read("timeline.json", &r.timeline)
	if r.zone = scenario(t, 1, 1, 1).zone; len(r.Days) != 90 || len(r.timeline.Lines) < 20 || len(r.Faults) > 0 {
		t.Errorf("%d days, %d lines, and the faults %v", len(r.Days), len(r.timeline.Lines), r.Faults)
	}
	for name, is := range map[string]string{"stands.svg": r.standsPicture(), "waits.svg": r.waitsPicture(),
		"unreached.svg": r.unreachedPicture(), "timeline.md": r.timeline.Markdown(r.zone)} {
		if shown, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(shown) != is {
			t.Errorf("%s is another than what is made of it now (%v): make simulated", name, err)
		}
	}
}
