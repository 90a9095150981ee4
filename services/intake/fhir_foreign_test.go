//go:build foreign

package intake

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/clock"
)

// foreignResources and foreignSignals are other people's. They are read in place and never copied here.
const (
	foreignResources = "../../../shared/data/fhir"
	foreignSignals   = "../../../shared/data/cloudevents/nhs-mns"
)

func TestForeignResourcesSentToTheFHIRDoorRaiseNothingAndAreInTheLedger(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	sent := 0
	err := filepath.WalkDir(foreignResources, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		answer := p.askFHIR(t, http.MethodPost, p.http.URL+"/fhir/$process-message", string(body), "Content-Type",
			"application/fhir+json",
			"X-Request-Id", clock.NewRandomID(), "X-Correlation-Id", clock.NewRandomID())
		issue := answer.outcome(t)
		if answer.status < 400 || answer.status >= 500 {
			t.Errorf("%s: %d %s", path, answer.status, answer.body)
		}
		t.Logf("%-60s %d %-25s %-14s %v %s", strings.TrimPrefix(path, foreignResources), answer.status,
			issue.Details.Coding[0].Code, issue.Code, issue.Expression, issue.Diagnostics)
		sent++
		return nil
	})
	if err != nil {
		t.Fatalf("the foreign resources are needed here: %v", err)
	}
	if ledger := p.ledgerNow(t); len(ledger) != sent || sent < 45 {
		t.Errorf("%d sent, %d in the ledger", sent, len(ledger))
	}
	if types, _ := p.outbox(t); len(types) != 0 {
		t.Errorf("events %v", types)
	}
}

func TestForeignSignalsAreTakenOrRefusedAsTheyDeserve(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	err := filepath.WalkDir(foreignSignals, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		answer := p.sendSignal(t, string(body))
		want := http.StatusAccepted
		if filepath.Base(path) == "pdsDeathSignal.json" { // the older form
			want = http.StatusBadRequest
		}
		if answer.status != want {
			t.Errorf("%s: %d %s", path, answer.status, answer.body)
		}
		t.Logf("%-70s %d %s", strings.TrimPrefix(path, foreignSignals), answer.status, answer.body)
		return nil
	})
	if err != nil {
		t.Fatalf("the foreign signals are needed here: %v", err)
	}
	t.Logf("ledger %v", p.ledgerNow(t))
}
