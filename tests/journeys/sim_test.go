package journeys

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"footbridge/libs/testkit"
	"footbridge/tests/system"
)

// TestASimulationAccountsForEveryone runs a small one as a site would before it goes live: it ends with 0 where all
// that must always hold did, says what became of each person, and leaves its log.
func TestASimulationAccountsForEveryone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out := filepath.Join(folder, "out")
	settings := map[string]string{"FOOTBRIDGE_DATABASE_CONNECTIONS": "5"}
	for _, listener := range []string{"HTTP", "MLLP", "OPS", "NATS"} {
		settings["FOOTBRIDGE_"+listener+"_ADDR"] = testkit.FreeAddr(t)
	}
	said, code := system.RunLong(t, folder, settings, "sim", "--days", "1", "--discharges", "12",
		"--seed", "1", "--out", out)
	if code != 0 {
		t.Fatalf("it ended with %d:\n%s", code, said)
	}
	var summary struct {
		Became          map[string]int
		Faults          []any
		Days            []any
		Messages, Ticks int
	}
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		t.Fatal(err)
	}
	people := 0
	for _, n := range summary.Became {
		people += n
	}
	if people != 12 || len(summary.Faults) != 0 || len(summary.Days) != 1 || summary.Messages == 0 {
		t.Errorf("the summary is %s", text)
	}
	log, err := os.ReadFile(filepath.Join(out, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for one := range bytes.Lines(log) {
		var line struct{ Kind, At string }
		if err := json.Unmarshal(one, &line); err != nil || line.Kind == "" || line.At == "" {
			t.Fatalf("%s: %v", one, err)
		}
		kinds[line.Kind]++
	}
	for _, kind := range []string{"message", "request", "event", "day"} {
		if kinds[kind] == 0 {
			t.Errorf("the log has no %s: %v", kind, kinds)
		}
	}
	if kinds["message"] != summary.Messages {
		t.Errorf("the log has %d messages of %d", kinds["message"], summary.Messages)
	}
}

// TestASimulationRefusesASystemThatIsNoTest: it brings its own servers, so that it meets no system that anybody uses.
func TestASimulationRefusesASystemThatIsNoTest(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"FOOTBRIDGE_NATS_URL=nats://127.0.0.1:1",
		"FOOTBRIDGE_DATABASE_URL=postgres://x@127.0.0.1:1/x",
		"FOOTBRIDGE_JOURNEY_DATABASE_URL=postgres://x@127.0.0.1:1/x"} {
		name, value, _ := bytes.Cut([]byte(setting), []byte("="))
		said, code := system.Run(t, t.TempDir(), map[string]string{string(name): string(value)}, "sim", "--days", "1")
		if code != 2 {
			t.Errorf("%s: it ended with %d: %s", setting, code, said)
		}
	}
}
