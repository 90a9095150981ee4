//go:build foreign

package intake

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// foreignMessages are other people's messages. They are read in place and never copied here.
const foreignMessages = "../../../shared/data/hl7v2"

func TestForeignMessagesRaiseOnlyWhatFollowedSelfHarm(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(foreignMessages, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pieces, err := hl7.Split(file)
		if err != nil {
			t.Errorf("splitting %s: %v", path, err)
		}
		w := newWard(t)
		for i, piece := range pieces {
			message, err := hl7.Parse(piece)
			if err != nil {
				t.Errorf("%s %d: %v", path, i, err)
				continue
			}
			settled := w.take(piece)
			t.Logf("%-22s %3s %s %-8s %-15s %s", filepath.Base(path), message.ControlID(), message.Type(),
				message.Trigger(), settled.Outcome, settled.Reason)
		}
		if !strings.Contains(path, "simhospital") && w.count(schemas.DischargeRecorded) != 0 {
			t.Errorf("%s: %d raised", path, w.count(schemas.DischargeRecorded))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the foreign messages are needed here: %v", err)
	}
}

// Each pathway's person, by what ends it. The file's birth dates make four of the people children, whatever the pathway
// is called: the merged person (born 2020), the one whose A01 follows the A03 (2019) and the one with the wrong NHS
// number (2019) besides the one meant as a child (2011). By the domain nothing leaves and nobody is rung for a child
// until a named clinician has said who may agree: so for these four, one discharge stands, flagged under-18, and a
// human has it, where the pathway of an adult would end in an open offer.
func TestSimulatedPathwaysEndAsTheyShould(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join(foreignMessages, "simhospital-generated", "ae-26-messages.out"))
	if err != nil {
		t.Fatalf("the foreign messages are needed here: %v", err)
	}
	pieces, err := hl7.Split(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWard(t)
	outcomes := map[string]string{}
	for _, piece := range pieces {
		message, err := hl7.Parse(piece)
		if err != nil {
			t.Fatal(err)
		}
		outcomes[message.ControlID()] = string(w.take(piece).Outcome)
	}
	for id, want := range map[string]string{
		"4": "raised",                                    // reason on the A01, diagnosis on the A08
		"7": "raised", "10": "cancelled", "13": "raised", // discharged, cancelled, discharged again
		"9": "cancelled", "12": "joined", "14": "joined", // left before being seen; another reason; died
		"18": "raised-flagged",                 // the surviving person of the merge
		"20": "joined", "17": "raised-flagged", // the A03 before its A01
		"22": "raised-flagged", "24": "raised-flagged", "26": "raised", // a child; a wrong number; from the ward
	} {
		if outcomes[id] != want {
			t.Errorf("message %s: %s, want %s", id, outcomes[id], want)
		}
	}
	stand := map[string]string{}
	for _, v := range w.unit.Visits {
		if v.Published.Active() {
			stand[w.unit.Owners[v.Person].Identity.Reveal().FamilyName] += strings.Join(append([]string{v.PublishedBy},
				v.Published.Flags...), " ")
		}
	}
	want := map[string]string{"Edselfharm": "hl7", "Edcancel": "hl7", "Edmerge": "hl7 under-18 merged",
		"Edlate":  "hl7 under-18",
		"Edchild": "hl7 under-18", "Edbadnhs": "hl7 under-18 nhs-number-invalid", "Edward": "hl7"}
	if !maps.Equal(stand, want) {
		t.Errorf("standing %v\nwant %v", stand, want)
	}
}

func TestForeignMessagesAreAnsweredOverMLLPAndInTheLedger(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	client := p.dial(t)
	sent := 0
	err := filepath.WalkDir(foreignMessages, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pieces, err := hl7.Split(file)
		for _, piece := range pieces {
			answer, err := client.Send(t.Context(), piece)
			ack, _ := hl7.ParseAck(answer) // one of them wants no answer
			if err != nil || (ack.Code == "" && !bytes.Contains(piece, []byte("|NE|NE"))) {
				t.Errorf("%s: answered %q, %v", filepath.Base(path), answer, err)
			}
			sent++
		}
		return err
	})
	if err != nil {
		t.Fatalf("the foreign messages are needed here: %v", err)
	}
	counts := map[string]int{}
	for _, line := range p.ledgerNow(t) {
		counts[strings.Fields(line)[1]]++
		sent--
	}
	_, journeys := p.outbox(t)
	t.Logf("outcomes %v, %d journeys", counts, len(journeys))
	if sent != 0 || counts["raised"]+counts["raised-flagged"] != 8 || len(journeys) != 7 {
		t.Errorf("%d unaccounted for, outcomes %v, %d journeys", sent, counts, len(journeys))
	}
}
