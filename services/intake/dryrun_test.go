package intake

import (
	"footbridge/services/intake/reading"
	"strings"
	"testing"
	"testing/fstest"
)

func TestShippedSamplesAreReadAsExpected(t *testing.T) {
	t.Parallel()
	lines, err := reading.DryRun()
	if err != nil || len(lines) < 9 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for _, line := range lines {
		if len(line.Wrong) > 0 {
			t.Errorf("%s %s: %s", line.Sample, line.Control, strings.Join(line.Wrong, "; "))
		}
	}
}

func TestADryRunSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := newHospital()
	h.application = "TRUST"
	sample := string(h.message("A04")) + "\n" + string(h.message("A03", reason("248062006", "", "SCT")))
	tree := fstest.MapFS{
		"trust.yaml": {Data: []byte("profile: trust\nversion: 2026-11-1\nsenders: [TRUST]\nfacts: {areas: " +
			"{area-north: [TE1]}}\n")},
		"samples/trust/a.hl7":   {Data: []byte(sample)},
		"samples/default/a.hl7": {Data: []byte(sample)},
		"samples/trust/a.expected.yaml": {Data: []byte("received: 2026-11-20T12:00:00Z\nmessages:\n  - {outcome: " +
			"joined, reason: not-ended}\n" +
			"  - {outcome: joined, facts: {areaResidence: area-north}}\n")},
		"samples/default/a.expected.yaml": {Data: []byte("received: 2026-11-20T12:00:00Z\n")},
	}
	lines, err := reading.DryRun(tree)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, line := range lines {
		wrong = append(wrong, line.Wrong...)
	}
	expect(t, wrong, "read by profile trust, not by default: does MSH-3 name one of its senders?",
		"nothing is expected of this message",
		"read by profile trust, not by default: does MSH-3 name one of its senders?",
		"nothing is expected of this message",
		`samples/trust/a.expected.yaml:4: fact areaResidence is not told, expected "area-north"`,
		`samples/trust/a.expected.yaml:4: outcome is "raised", expected "joined"`)
}
