//go:build foreign

// Package foreign sends other people's messages, read in place and never copied here, to the running program: what
// their publishers wrote, byte for byte. Everything must be answered and be in the ledger; what was not self-harm must
// lead nowhere; and the simulator's pathways must lead where they deserve. Where the messages are missing it fails.
package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/tests/system"
)

// there is where the foreign messages are kept.
const there = "../../../shared/data"

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

func filesUnder(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(there, folder), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("the foreign messages are needed here, in %s: %v", there, err)
	}
	return files
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the foreign messages are needed here: %v", err)
	}
	return content
}

// sent is one message and what became of it.
type sent struct {
	file, control, kind, answer string
	line                        system.Message
}

// sendAll sends each message of a file over one connection. A message that wants no answer gets the one of the ledger.
func sendAll(t *testing.T, s *system.System, client *hl7.Client, path string) []sent {
	t.Helper()
	pieces, err := hl7.Split(read(t, path))
	if err != nil {
		t.Errorf("splitting %s: %v", path, err)
	}
	var all []sent
	for _, piece := range pieces {
		before := len(s.Ledger(""))
		one := sent{file: filepath.Base(path)}
		if m, err := hl7.Parse(piece); err == nil {
			one.control, one.kind = m.ControlID(), m.Type()+"^"+m.Trigger()
		}
		raw, err := client.Send(t.Context(), piece)
		if err != nil {
			t.Errorf("%s %s was not answered: %v", one.file, one.control, err)
			continue
		}
		if ack, err := hl7.ParseAck(raw); err == nil {
			one.answer = string(ack.Code)
		}
		lines := s.Ledger("")
		if len(lines) != before+1 {
			t.Errorf("%s %s is not in the ledger", one.file, one.control)
			continue
		}
		one.line = lines[before]
		if one.answer == "" && one.line.Ack != "none" {
			t.Errorf("%s %s: the ledger says %s and no answer came", one.file, one.control, one.line.Ack)
		}
		all = append(all, one)
	}
	return all
}

func show(t *testing.T, all []sent) {
	var out bytes.Buffer
	table := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tID\tTYPE\tANSWER\tOUTCOME\tREASON")
	for _, one := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", one.file, one.control, one.kind, one.answer, one.line.Outcome,
			one.line.Reason)
	}
	_ = table.Flush()
	t.Logf("\n%s", out.String())
}

func TestEveryForeignMessageIsAnsweredAndInTheLedger(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	client := s.Dial()
	client.Always = true // nobody is left without an answer, whatever MSH-15 says
	var all []sent
	for _, path := range filesUnder(t, "hl7v2") {
		if !strings.Contains(path, "simhospital") {
			all = append(all, sendAll(t, s, client, path)...)
		}
	}
	show(t, all)
	s.Resolve()
	for _, one := range all {
		if one.line.Outcome == "raised" || one.line.Outcome == "raised-flagged" {
			t.Errorf("%s %s was not self-harm and raised a journey", one.file, one.control)
		}
	}
	for _, p := range s.Events() {
		if p.Event.Type == string(schemas.DischargeRecorded) {
			t.Errorf("%s", p.Subject)
		}
	}
}

// pathways are the simulator's visits: the control ids of a visit's messages, and how it must end. offers counts those
// that stand; journeys those that were opened; step is an open one. Who is under 18 has an offer prepared, and a
// young people's clinician holds the journey: nobody is asked anything before they have decided.
var pathways = []struct {
	what     string
	messages []string
	journeys int
	offers   int
	step     string
}{
	{"self-harm: A04 under another number, A01 with the reason, A08 with the diagnosis, A03",
		[]string{"1", "2", "3", "4"}, 1, 1, "ask-the-person"},
	{"self-harm, discharged, cancelled, discharged again", []string{"5", "7", "10", "13"}, 1, 1, "ask-the-person"},
	{"left before being seen: the visit is cancelled", []string{"6", "9"}, 0, 0, ""},
	{"another reason", []string{"8", "12"}, 0, 0, ""},
	{"self-harm, died", []string{"11", "14"}, 0, 0, ""},
	{"self-harm, merged into another record, whose birth date says under 18", []string{"15", "16", "18"}, 1, 1,
		"clinician-decides"},
	{"the end before the beginning, under 18", []string{"20", "17"}, 1, 1, "clinician-decides"},
	{"under 18", []string{"19", "22"}, 1, 1, "clinician-decides"},
	{"a wrong NHS number, under 18", []string{"21", "24"}, 1, 1, "check-with-the-hospital"},
	{"self-harm, by way of a ward", []string{"23", "25", "26"}, 1, 1, "ask-the-person"},
}

// The simulator drew most of its people young; what a pathway leads to follows from the birth dates in its messages.
func TestTheSimulatorsPathwaysLeadWhereTheyDeserve(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	all := sendAll(t, s, s.Dial(), filepath.Join(there, "hl7v2", "simhospital-generated", "ae-26-messages.out"))
	show(t, all)
	s.Resolve()
	tell(t, s, all)
	for _, p := range pathways {
		journeys := journeysOf(all, p.messages)
		if len(journeys) != p.journeys {
			t.Errorf("%s: %d journeys, want %d", p.what, len(journeys), p.journeys)
		}
		for _, id := range journeys {
			if said := s.Emitted(id); said["offer.raised.v1"]-said["offer.withdrawn.v1"] != p.offers {
				t.Errorf("%s: offers %v, want %d standing", p.what, said, p.offers)
			}
			j, err := s.Journey(id)
			if err != nil || j.State != "open" {
				t.Errorf("%s: the journey is %q, %v", p.what, j.State, err)
			}
			if !slices.Contains(openSteps(j), p.step) {
				t.Errorf("%s: open steps %v, want %s", p.what, openSteps(j), p.step)
			}
			young := strings.Contains(p.what, "under 18")
			if next := nextStep(j); young && (next.Kind != "clinician-decides" || next.Owner != "team:young-people" ||
				slices.Contains(openSteps(j), "ask-the-person")) {
				t.Errorf("%s: next is %s of %s, open %v; a young people's clinician decides first", p.what, next.Kind,
					next.Owner, openSteps(j))
			}
		}
	}
}

func journeysOf(all []sent, messages []string) []string {
	var journeys []string
	for _, one := range all {
		if slices.Contains(messages, one.control) && one.line.Journey != "" &&
			!slices.Contains(journeys, one.line.Journey) {
			journeys = append(journeys, one.line.Journey)
		}
	}
	return journeys
}

// nextStep is the open step that is due first, of those due together the one opened first.
func nextStep(j system.Journey) (next system.Step) {
	for _, step := range j.Steps {
		if step.State == "open" && (next.Kind == "" || step.DueAt.Before(next.DueAt)) {
			next = step
		}
	}
	return next
}

func openSteps(j system.Journey) []string {
	var open []string
	for _, step := range j.Steps {
		if step.State != "done" && step.State != "replaced" {
			open = append(open, step.Kind)
		}
	}
	return open
}

// tell prints what every message that was raised, cancelled or quarantined led to.
func tell(t *testing.T, s *system.System, all []sent) {
	t.Helper()
	told := map[string]bool{}
	for _, one := range all {
		id := one.line.Journey
		if id == "" || told[id] || one.line.Outcome == "quarantined" {
			continue
		}
		told[id] = true
		j, err := s.Journey(id)
		said := s.Emitted(id)
		t.Logf("journey of message %s (%s): %s, steps %v, offers raised %d, withdrawn %d, corrected %d, withdrawals "+
			"%d %v", one.control, one.kind, j.State,
			openSteps(j), said["offer.raised.v1"], said["offer.withdrawn.v1"], said["discharge.corrected.v1"],
			said["discharge.withdrawn.v1"], errors.Unwrap(err))
	}
}

func TestForeignCloudEventsAreAnsweredAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	for _, path := range filesUnder(t, filepath.Join("cloudevents", "nhs-mns")) {
		content := read(t, path)
		var shape struct {
			SpecVersion string          `json:"specversion"`
			Source      json.RawMessage `json:"source"`
		}
		if err := json.Unmarshal(content, &shape); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		valid := shape.SpecVersion == "1.0" && len(shape.Source) > 0 && shape.Source[0] == '"'
		before := len(s.Ledger(""))
		answer := s.AskWith(system.ExchangeToken, http.MethodPost, "/events", "application/cloudevents+json", content)
		t.Logf("%-40s valid %-5v answered %d", filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), valid,
			answer.Status)
		switch {
		case !valid && answer.Status != http.StatusBadRequest:
			t.Errorf("%s is no CloudEvent 1.0 and was answered %d %s", path, answer.Status, answer.Body)
		case valid && answer.Status != http.StatusUnprocessableEntity:
			t.Errorf("%s is of a type that is not taken here and was answered %d %s", path, answer.Status, answer.Body)
		}
		if lines := s.Ledger(""); len(lines) != before+1 || lines[before].Outcome != "rejected" {
			t.Errorf("%s is not in the ledger as rejected", path)
		}
	}
}
