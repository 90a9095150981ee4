package journeys

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"footbridge/tests/system"
)

// aProfile is a sender's own, with one golden sample of a visit whose triage code is the hospital's own.
var aProfile = map[string]string{
	"rxx-epr.yaml": "profile: rxx-epr\nversion: 2026-11-1\nsenders: [RXX-EPR]\ncodes:\n  - name: our-triage\n    " +
		"says: in-scope\n" +
		// fixed: samples say when they were received
		"    source: agreed with the integration team\n    checked: 2026-11-20\n    local: [\"RXXTRIAGE|SH\"]\n",
	// fixed: samples say when they were received
	"samples/rxx-epr/coded.hl7": epr("A01", "S1", "20261120080000", "PV2|||SH^^RXXTRIAGE\n") + "\n" + epr("A03", "S2",
		"20261120100000", ""),
	// fixed: samples say when they were received
	"samples/rxx-epr/coded.expected.yaml": "received: 2026-11-20T12:00:00Z\nmessages:\n  - {control: S1, outcome: " +
		"joined, reason: not-ended}\n" +
		"  - {control: S2, outcome: raised, facts: {age: 36}}\n",
}

func epr(event, control, at, more string) string {
	return `MSH|^~\&|RXX-EPR|RXX|FOOTBRIDGE|RXX|` + at + "||ADT^" + event + "|" + control + "|P|2.4\nEVN|" + event +
		"|" + at +
		"\nPID|1||L1^^^RXX^MR||Example^Sam||19900101|M|||||07700 900123\nPV1|1|E|ED||||||||||||||||V1\n" + more
}

// profileFolder writes files into a folder, with one text in one of them replaced.
func profileFolder(t *testing.T, file, old, new string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range aProfile {
		if name == file {
			if !strings.Contains(content, old) {
				t.Fatalf("%s does not hold %q", file, old)
			}
			content = strings.Replace(content, old, new, 1)
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestGoldenSamplesOfAProfilePassAndABrokenOneSaysWhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		claim, file, old, new string
		code                  int
		says                  []string
	}{
		{"as it is", "", "", "", 0, []string{"rxx-epr", "S2", "raised", "yes"}},
		{"a value that is none", "rxx-epr.yaml", "in-scope", "maybe", 1,
			[]string{"rxx-epr.yaml:6", "maybe", "must be one of in-scope, ask, left"}},
		{"a field that is none", "rxx-epr.yaml", "checked", "looked", 1, []string{"rxx-epr.yaml:8"}},
		{"no YAML", "rxx-epr.yaml", "[RXX-EPR]", "[RXX-EPR", 1, []string{"rxx-epr.yaml:"}},
		{"no senders", "rxx-epr.yaml", "[RXX-EPR]", "[]", 1, []string{"rxx-epr.yaml:", "senders"}},
		{"another outcome", "samples/rxx-epr/coded.expected.yaml", "outcome: raised", "outcome: ignored", 1,
			[]string{"coded.expected.yaml:4", `"raised"`, `"ignored"`}},
		{"another fact", "samples/rxx-epr/coded.expected.yaml", "age: 36", "age: 17", 1,
			[]string{"coded.expected.yaml:4", "fact age", `"36"`}},
		{"a code that the profile lost", "rxx-epr.yaml", "RXXTRIAGE|SH", "RXXTRIAGE|XX", 1,
			[]string{"coded.expected.yaml:4", `is "joined", expected "raised"`, "fact age is not told"}},
		// fixed: samples say when they were received
		{"no samples' time", "samples/rxx-epr/coded.expected.yaml", "received: 2026-11-20T12:00:00Z\n", "", 1,
			[]string{"coded.expected.yaml:1", "received"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			folder := profileFolder(t, c.file, c.old, c.new)
			out, code := system.Run(t, folder, nil, "profiles", "test", ".")
			if code != c.code || !oneLineSays(out, c.says) {
				t.Errorf("ended with %d, and no line says %q:\n%s", code, c.says, out)
			}
			if out, code := system.Run(t, folder, map[string]string{"FOOTBRIDGE_PROFILES": folder}, "profiles",
				"test"); code != c.code {
				t.Errorf("by FOOTBRIDGE_PROFILES it ended with %d:\n%s", code, out)
			}
		})
	}
	folder := profileFolder(t, "", "", "")
	out, code := system.Run(t, folder, nil, "profiles", "test", ".", "--json")
	var lines []struct{ Profile, Outcome string }
	if err := json.Unmarshal([]byte(out), &lines); err != nil || code != 0 || len(lines) < 3 ||
		lines[len(lines)-1].Outcome != "raised" {
		t.Errorf("as data: %d, %v\n%s", code, err, out)
	}
	if out, code := system.Run(t, folder, nil, "profiles"); code != 2 || !strings.Contains(out, "profiles test") {
		t.Errorf("without a word: %d\n%s", code, out)
	}
}

func TestAMessageSetAsideIsShownInWordsAndReleasedWithWhatAHumanKnows(t *testing.T) {
	t.Parallel()
	s := system.Start(t)
	client := s.Dial()
	arrived := time.Now().Add(-3 * time.Hour).UTC().Format("20060102150405+0000")
	head := func(event, control string) string {
		return header("ADT^"+event, control) + "\rEVN|" + event + "|"
	}
	person := "\rPID|1||CLI-1^^^RXX^MR||Example^Kim||19900101|M|||||07700 900123\rPV1|1|E|AE||||||||||||||||VCLI"
	s.Send(client, []byte(head("A01", "C1")+arrived+person+strings.Repeat("|", 25)+arrived+
		"\rPV2|||248062006^Self-harm^SCT\r"))
	s.Send(client, []byte(head("A03", "C2")+person+"\r"))
	id := ""
	for _, m := range s.Ledger("") {
		if m.Outcome == "quarantined" {
			id = m.ID
		}
	}
	run := func(args ...string) (string, int) {
		return system.Run(t, s.StateDir, s.Settings(), append([]string{"messages"}, args...)...)
	}
	out, code := run("show", id)
	if code != 0 || !oneLineSays(out, []string{"says that somebody left, but not when"}) ||
		!oneLineSays(out, []string{"messages release " + id, "--left-at TIME", "[--facts FILE]"}) ||
		!oneLineSays(out, []string{"messages dismiss " + id}) {
		t.Errorf("show ended with %d:\n%s", code, out)
	}
	if out, code = run("show", id, "--json"); code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"can"`) {
		t.Errorf("show --json ended with %d:\n%s", code, out)
	}
	facts := filepath.Join(s.StateDir, "facts.json")
	write := func(text string) {
		if err := os.WriteFile(facts, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"assessment": "perhaps"}`)
	if out, code = run("release", id, "--facts", facts); code != 1 ||
		!oneLineSays(out, []string{"assessment", "done"}) {
		t.Errorf("a fact that is none: %d\n%s", code, out)
	}
	if out, code = run("release", id, "--left-at", "nine"); code != 2 || !strings.Contains(out, "--left-at") {
		t.Errorf("a time that is none: %d\n%s", code, out)
	}
	if out, code = run("release", id); code != 1 || !strings.Contains(out, "not when") {
		t.Errorf("without the time: %d\n%s", code, out)
	}
	if out, code = run("release"); code != 2 {
		t.Errorf("without an id: %d\n%s", code, out)
	}
	if out, code = run("dismiss", id, "--visit", "V1"); code != 2 {
		t.Errorf("a dismissal with an edit: %d\n%s", code, out)
	}
	write(`{"facts": {"assessment": "done", "areaResidence": "E06000027"}}`)
	out, code = run("release", id, "--facts", facts, "--left-at", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	if code != 0 || !strings.Contains(out, "raised") || !strings.Contains(out, "journey ") {
		t.Errorf("released with what a human knows: %d\n%s", code, out)
	}
	if out, code = run("show", id); code != 0 || strings.Contains(out, "messages release") ||
		!strings.Contains(out, "settled") {
		t.Errorf("afterwards: %d\n%s", code, out)
	}
	if out, code = run("show", "01a1f899-3eae-7205-9062-4de37c36fb90"); code != 1 || !strings.Contains(out, "404") {
		t.Errorf("one that is not there: %d\n%s", code, out)
	}
}

// TestAnOrdinaryStopWarnsOfNothing: a warning says 'look today', and whoever stops a system has nothing to look at.
func TestAnOrdinaryStopWarnsOfNothing(t *testing.T) {
	t.Parallel()
	var running *system.System
	t.Cleanup(func() { // after the program has ended
		if written := running.Log.Tail(60); strings.Contains(written, "broker connection lost") ||
			!strings.Contains(written, "stopping") {
			t.Errorf("it wrote:\n%s", written)
		}
	})
	running = system.Start(t)
}
