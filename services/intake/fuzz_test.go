package intake

import (
	"net/http"
	"testing"

	"footbridge/libs/hl7"
	"footbridge/libs/principal"
)

// FuzzReadHL7: whatever comes, reading it ends, with a statement or with an outcome that is allowed.
func FuzzReadHL7(f *testing.F) {
	h := newHospital()
	f.Add(h.message("A03", reason("248062006", "self-harm", "SCT"), diagnosis("X61.8", "", "I10")))
	f.Add(h.message("A34", func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR") }))
	f.Add(deathOn(h.message("A31")))
	f.Add([]byte("MSH|^~\\&|A|RXX|B|C|20261120||ADT^A03|7|P|2.4\rPID|1\rPV1|1|E\rPV2|||\"\"\rDG1|||\"\""))
	profiles, err := ShippedProfiles()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		message, err := hl7.Parse(raw)
		if err != nil {
			if r := ReadFailure(err); r.Outcome == "" || r.Reason == "" {
				t.Errorf("no outcome for %v", err)
			}
			return
		}
		r := ReadHL7(message, profiles, morning)
		if r.Statement == nil && r.Outcome == "" {
			t.Error("neither a statement nor an outcome")
		}
		if r.Ack != hl7.Accepted && r.Outcome != Rejected && r.Outcome != Quarantined {
			t.Errorf("answered %v with outcome %s", r.Ack, r.Outcome)
		}
	})
}

// FuzzReadEvent: whatever is posted, reading it ends, with an event or a refusal.
func FuzzReadEvent(f *testing.F) {
	f.Add(true, []byte(report("1", reportData)))
	f.Add(false, []byte(reportData))
	f.Add(true, []byte(`{"specversion":"1.0","id":"1","source":"/x","type":"y","data_base64":"AA=="}`))
	profiles, err := ShippedProfiles()
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{profiles: profiles}
	if err := s.setDefaults(); err != nil {
		f.Fatal(err)
	}
	header := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/x"}, "Content-Type": {"application/json"},
		"Ce-Type": {"care.footbridge.discharge.reported.v1"}}
	f.Fuzz(func(t *testing.T, structured bool, body []byte) {
		mode := modeBinary
		if structured {
			mode = modeStructured
		}
		e, err := readEvent(mode, header, body)
		if err != nil {
			return
		}
		reading, refusal := s.readReported(principal.Principal{Organisation: "RXX"}, e)
		if (refusal == nil) != (reading.Statement != nil) {
			t.Error("neither taken nor refused")
		}
		if _, err := contentOf(e); err != nil {
			t.Errorf("no content: %v", err)
		}
	})
}
