package intake

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// stamped is a time as a hospital writes it.
func stamped(at time.Time) string { return at.In(london).Format("20060102150405") }

// attended is an A03 of class E with a coded diagnosis: arrived 14 hours ago, left 8 hours ago.
func (h *hospital) attended(changes ...change) []byte {
	h.at = morning.Add(-8 * time.Hour)
	base := func(w *hl7.Writer) {
		w.Set(44, stamped(morning.Add(-14*time.Hour))).Set(45, stamped(morning.Add(-8*time.Hour)))
	}
	return h.message("A03", append(append([]change{base}, changes...), diagnosis("248062006", "", "SCT"))...)
}

// later is a message that is said two hours after they left.
func (h *hospital) later(trigger string, changes ...change) []byte {
	h.at = morning.Add(-6 * time.Hour)
	return h.message(trigger, changes...)
}

func in(segment string, field int, parts ...string) change {
	return func(w *hl7.Writer) { w.Segment(segment).Set(field, parts...) }
}

// visit sets a field of PV1, which is the segment that a change begins with.
func visit(field int, parts ...string) change {
	return func(w *hl7.Writer) { w.Set(field, parts...) }
}

func TestAnySignOfADeathByAnyEventStopsContact(t *testing.T) {
	t.Parallel()
	pid := func(h *hospital, raw []byte, field int, value string) []byte { return h.withPID(raw, field, value) }
	for claim, sign := range map[string]func(h *hospital, trigger string) []byte{
		"PID-29": func(h *hospital, e string) []byte {
			return pid(h, h.later(e), 29, "20261120030000")
		},
		"PID-29, and PID-30 says no": func(h *hospital, e string) []byte {
			return pid(h, h.later(e), 29, "20261120|N")
		},
		"PID-29 that cannot be read": func(h *hospital, e string) []byte {
			return pid(h, h.later(e), 29, "yesterday")
		},
		"PID-30":                      func(h *hospital, e string) []byte { return pid(h, h.later(e), 30, "Y") },
		"PID-30 in small letters":     func(h *hospital, e string) []byte { return pid(h, h.later(e), 30, "y") },
		"PV1-36 by the national code": func(h *hospital, e string) []byte { return h.later(e, visit(36, "79")) },
		"PV1-36 by SNOMED CT: department": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "75004002"))
		},
		"PV1-36 by SNOMED CT: mortuary": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "305398007", "", "SCT"))
		},
		"PV1-36 by SNOMED CT: on arrival": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "63238001"))
		},
		"PV1-36 in words": func(h *hospital, e string) []byte { return h.later(e, visit(36, "Dead")) },
		"PV1-36 in more words": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "99", "Patient died in department"))
		},
		"PV1-37": func(h *hospital, e string) []byte {
			return h.later(e, visit(37, "MORTUARY"))
		},
		"PV1-3": func(h *hospital, e string) []byte {
			return h.later(e, visit(3, "ED", "", "", "Mortuary"))
		},
		"a segment of the dead": func(h *hospital, e string) []byte {
			return h.later(e, in("PDA", 1, "R99"))
		},
		"a sender's own segment": func(h *hospital, e string) []byte {
			return h.later(e, in("ZDE", 2, "20261120030000"))
		},
		"PV1-36, the coroner": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "Coroner"))
		},
		"PV1-36, with points": func(h *hospital, e string) []byte {
			return h.later(e, visit(36, "R.I.P."))
		},
		"a cause of death, ill-defined": func(h *hospital, e string) []byte {
			return h.later(e, diagnosis("R99.X", "", "I10"))
		},
		"a sudden cardiac death": func(h *hospital, e string) []byte {
			return h.later(e, diagnosis("I46.1", "", "I10"))
		},
		"a sudden death of an infant": func(h *hospital, e string) []byte {
			return h.later(e, diagnosis("R95X", "", "I10"))
		},
		"a diagnosis": func(h *hospital, e string) []byte {
			return h.later(e, diagnosis("419099009", "", "SCT"))
		},
		"a reason in words": func(h *hospital, e string) []byte {
			return h.later(e, reason("", "Dead on arrival", ""))
		},
	} {
		for _, event := range []string{"A08", "A31", "A28", "A02", "A01", "A13", "A16", "A54", "A05", "A03"} {
			h, w := newHospital(), newWard(t)
			w.outcomes(h.attended(), sign(h, event))
			if w.count(schemas.ContactStopped) != 1 {
				t.Errorf("%s on %s: said %v", claim, event, w.said)
			}
			w.outcomes(h.later("A08", visit(36, "19")), pid(h, h.later("A31"), 30, "N"))
			if person := w.unit.Persons["local:L42"]; !person.Deceased() {
				t.Errorf("%s on %s: a later message lifted it", claim, event)
			}
		}
		h, w := newHospital(), newWard(t)
		if w.outcomes(sign(h, "A03"), h.attended()); w.count(schemas.DischargeRecorded) != 0 {
			t.Errorf("%s: raised beside it", claim)
		}
	}
	for _, event := range []string{"A40", "A47", "A34"} {
		h, w := newHospital(), newWard(t)
		w.outcomes(h.attended(), h.withPID(h.later(event, giveUp("L77")), 29, "20261120"))
		if w.count(schemas.ContactStopped) != 1 {
			t.Errorf("PID-29 on %s: said %v", event, w.said)
		}
	}
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.withPID(h.attended(), 29, "00000000"),
		h.later("A08", reason("", "brother died last week", ""), visit(36, "19"))), "raised ", "joined already-raised")
}

// An indicator that is neither yes nor no, of a death or a protected record, is seen by a human, until the hospital
// says which.
func TestAnIndicatorThatNobodyKnowsIsFlagged(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		raw  func(h *hospital) []byte
		want string
	}{
		"PID-30 X": {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "X") },
			"raised-flagged indicator-unknown"},
		"PID-30 U": {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "U") },
			"raised-flagged indicator-unknown"},
		"PID-30 R": {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "R") },
			"raised-flagged indicator-unknown"},
		"PID-30 UNK": {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "UNK") },
			"raised-flagged indicator-unknown"},
		"PID-30 N":     {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "N") }, "raised "},
		"PID-30 no":    {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "no") }, "raised "},
		"PID-30 F":     {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "F") }, "raised "},
		"PID-30 empty": {func(h *hospital) []byte { return h.withPID(h.attended(), 30, "") }, "raised "},
		"PV2-22 R": {func(h *hospital) []byte { return h.attended(in("PV2", 22, "R")) },
			"raised-flagged indicator-unknown"},
		"PD1-12 X": {func(h *hospital) []byte { return h.attended(in("PD1", 12, "X")) },
			"raised-flagged indicator-unknown"},
		"PD1-12 N": {func(h *hospital) []byte { return h.attended(in("PD1", 12, "N")) }, "raised "},
		"PD1-12 Y is known enough": {func(h *hospital) []byte { return h.attended(in("PD1", 12, "Y")) },
			"raised-flagged protected"},
	} {
		h, w := newHospital(), newWard(t)
		if got := w.outcomes(c.raw(h)); got[0] != c.want {
			t.Errorf("%s: %q, want %q", claim, got, c.want)
		}
	}
	h, w := newHospital(), newWard(t)
	w.outcomes(h.withPID(h.attended(), 30, "X"), h.withPID(h.later("A08"), 30, "N"))
	if last, is := w.said[len(w.said)-1].Data.(schemas.DischargeCorrectedData); !is || last.Flags == nil ||
		len(last.Flags) != 0 {
		t.Errorf("once the hospital says which: %+v", w.said)
	}
}

// What may say that somebody has died, or must be protected, stops what goes out until a human has asked the person, or
// the hospital says which; the same again does not stop it once more.
func TestAnIndicatorThatNobodyKnowsPausesContactUntilThePersonWasAsked(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	h := newHospital()
	client := p.dial(t)
	p.tell(t, client, h.withPID(h.attended(), 30, "X"))
	var journey string
	if err := p.site.db.Admin().QueryRow(t.Context(), `select journey::text from intake.visit
		where journey is not null`).Scan(&journey); err != nil {
		t.Fatal(err)
	}
	if _, _, flags := p.beganAt(t); !schemas.HumanFirst(flags) {
		t.Fatalf("it begins with %v, and nobody looks first", flags)
	}
	p.must(t, http.StatusOK, liaison, "POST", "/api/journeys/"+journey+"/consent",
		`{"answers":[{"purpose":"follow-up","state":"given"}],"how":"spoken"}`)
	p.tell(t, client, h.withPID(h.later("A08"), 30, "X"))
	all := p.corrections(t, journey)
	if len(all) == 0 || all[len(all)-1].Flags == nil || schemas.HumanFirst(all[len(all)-1].Flags) {
		t.Errorf("once the person was asked: %+v", all)
	}
}

func TestWhereSomebodyWentIsReadInEveryListAndField(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		change change
		want   string
		to     string
	}{
		"home, SNOMED CT": {visit(36, "306689006"), "raised ", "home"},
		"home, national":  {visit(36, "19"), "raised ", "home"},
		"home, in words":  {visit(36, "Usual place of residence"), "raised ", "home"},
		"ward":            {visit(36, "306706006"), "raised-flagged gone-elsewhere", "ward"},
		"police":          {visit(36, "306705005"), "raised-flagged gone-elsewhere", "police"},
		"police, with system": {visit(36, "306705005", "Police custody", "SNM"),
			"raised-flagged gone-elsewhere", "police"},
		"custody":                {visit(36, "50861005"), "raised-flagged gone-elsewhere", "custody"},
		"another hospital":       {visit(36, "19712007"), "raised-flagged gone-elsewhere", "other-hospital"},
		"left before being seen": {visit(36, "1066301000000103"), "raised-flagged left-before-assessment", ""},
		"left before the end":    {visit(36, "1066321000000107"), "raised-flagged left-before-assessment", ""},
		"police, as a diagnosis": {diagnosis("306705005", "", "SCT"), "raised-flagged gone-elsewhere", "police"},
		"ward, as the reason":    {reason("306706006", "", "SNOMED"), "raised-flagged gone-elsewhere", "ward"},
		"left, as the reason": {reason("1066311000000101", "", "SNOMED"),
			"raised-flagged left-before-assessment", ""},
		"a number nobody knows":        {visit(36, "77"), "raised-flagged destination-unknown", ""},
		"SNOMED CT that nobody knows":  {visit(36, "123456789"), "raised-flagged destination-unknown", ""},
		"words that nobody knows":      {visit(36, "Zedland"), "raised-flagged destination-unknown", ""},
		"not known is a known code":    {visit(36, "99"), "raised ", "not-known"},
		"nothing and null say nothing": {visit(36, `""`), "raised ", ""},
	} {
		h, w := newHospital(), newWard(t)
		raw := strings.Replace(string(h.attended(c.change)), `\"\"`, `""`, 1)
		if got := w.outcomes([]byte(raw)); got[0] != c.want {
			t.Errorf("%s: %q, want %q", claim, got, c.want)
		}
		said := w.said[0].Data.(schemas.DischargeRecordedData).Facts.Destination
		if got := deref(said); got != c.to {
			t.Errorf("%s: to %q, want %q", claim, got, c.to)
		}
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func TestAnUpdateCorrectsWhatTheEndSaid(t *testing.T) {
	t.Parallel()
	left := morning.AddDate(0, 0, -2)
	h := newHospital()
	arrival := func(w *hl7.Writer) { w.Set(44, stamped(left.Add(-5*time.Hour))) }
	end, update := h.attended(), h.later("A08", arrival, visit(45, stamped(left)), visit(36, "306705005"))
	inEveryOrder([][]byte{end, update}, func(order [][]byte) {
		w := newWard(t)
		w.outcomes(order...)
		raised := w.unit.Visits[0].Published
		if want := left.In(london).Format(time.DateOnly); raised.LeftOn != want ||
			deref(raised.Facts.Destination) != "police" {
			t.Errorf("left on %s, to %s", raised.LeftOn, deref(raised.Facts.Destination))
		}
	})
	// A new discharge after a cancellation counts from its own time, and what was said before of where to does not.
	w := newWard(t)
	h = newHospital()
	messages := [][]byte{h.attended(), h.later("A08", visit(45, stamped(morning.Add(-9*time.Hour))),
		visit(36, "306705005")), h.message("A13")}
	h.at = morning.Add(-time.Hour)
	w.outcomes(append(messages, h.message("A03"))...)
	if v := w.unit.Visits[0]; !v.Published.Left.At.Equal(morning.Add(-59*time.Minute)) ||
		v.Published.Facts.Destination != nil {
		t.Errorf("left %v, to %v", v.Published.Left, v.Published.Facts.Destination)
	}
}

// TestWhatAProfileNamesIsTakenBackByItsActionCode: results, problems, procedures and allergies, where a profile reads a
// reason from them, by every action code of tables 0206, 0287 and 0323, and OBX-11.
func TestWhatAProfileNamesIsTakenBackByItsActionCode(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("reading/profiles/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := reading.ReadProfile(base, []byte("profile: own\nversion: 1\nsenders: [EPR]\nreasons: [OBX-5, "+
		"PRB-3, PR1-3, IAM-3, NTE-3]\n"))
	if err != nil {
		t.Fatal(err)
	}
	const selfHarm = "276853009"
	obx := func(code, status, action string) change {
		return func(w *hl7.Writer) {
			w.Segment("OBX").Set(1, "1").Set(2, "CWE").Set(3, "PRESENTING", "", "L").Set(5, code, "", "SCT").Set(11,
				status).Set(31, action)
		}
	}
	prb := func(action, code, id string) change {
		return func(w *hl7.Writer) { w.Segment("PRB").Set(1, action).Set(3, code, "", "SCT").Set(4, id) }
	}
	part := func(name string, field int) func(action, code string) change {
		return func(action, code string) change {
			return func(w *hl7.Writer) { w.Segment(name).Set(1, "1").Set(3, code, "", "SCT").Set(field, action) }
		}
	}
	pr1, iam := part("PR1", 20), part("IAM", 6)
	try := func(claim string, want []string, messages ...[]change) {
		t.Helper()
		h, w := newHospital(), newWard(t)
		w.profiles.BySender["EPR"] = profile
		h.at = morning.Add(-8 * time.Hour)
		sent := [][]byte{h.message("A03", messages[0]...)}
		for _, changes := range messages[1:] {
			sent = append(sent, h.later("A08", changes...))
		}
		if got := w.outcomes(sent...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", claim, got, want)
		}
	}
	const raised, nothing, asks, recoded, stays = "raised ", "joined nothing-in-scope", "quarantined scope-undecided",
		"corrected recoded", "joined already-raised"
	for action, want := range map[string]string{"": raised, "AD": raised, "UP": raised, "CO": raised, "LI": raised,
		"UC": raised, "S": raised, "DE": nothing, "UN": nothing, "de": nothing, "ZZ": asks} {
		try("PRB-1 "+action, []string{want}, []change{prb(action, selfHarm, "")})
	}
	for action, want := range map[string]string{"": raised, "A": raised, "X": raised, "U": raised, "D": nothing,
		"Q": asks} {
		try("PR1-20 "+action, []string{want}, []change{pr1(action, selfHarm)})
		try("IAM-6 "+action, []string{want}, []change{iam(action, selfHarm)})
		try("OBX-31 "+action, []string{want}, []change{obx(selfHarm, "F", action)})
	}
	for status, want := range map[string]string{"F": raised, "C": raised, "": raised, "P": raised, "D": nothing,
		"W": nothing} {
		try("OBX-11 "+status, []string{want}, []change{obx(selfHarm, status, "")})
	}
	try("a result deleted later", []string{raised, recoded}, []change{obx(selfHarm, "F", "")},
		[]change{obx("", "D", "")})
	try("a result corrected later", []string{raised, recoded}, []change{obx(selfHarm, "F", "")},
		[]change{obx("125605004", "C", "U")})
	try("a problem deleted by its id", []string{raised, recoded}, []change{prb("AD", selfHarm, "P7")},
		[]change{prb("DE", "", "P7")})
	try("another problem deleted", []string{raised, stays}, []change{diagnosis("248062006", "", "SCT"),
		prb("AD", selfHarm, "P7")}, []change{prb("DE", "", "P8")})
	try("a procedure deleted", []string{raised, recoded}, []change{pr1("", selfHarm)}, []change{pr1("D", selfHarm)})
	try("what deletes one takes back nothing else", []string{raised, stays}, []change{diagnosis("248062006", "", "SCT"),
		prb("AD", selfHarm, "P7")}, []change{prb("DE", "", "P7")})
	try("the reason stays where a result is deleted", []string{raised, stays},
		[]change{reason(selfHarm, "", "SCT"), obx(selfHarm, "F", "")}, []change{obx("", "D", "")})
	try("a result stays where the reason is taken back", []string{raised, stays},
		[]change{reason(selfHarm, "", "SCT"), obx(selfHarm, "F", "")}, []change{reason("0", "", "SCT")})
}

func TestADiagnosisIsTakenBackByItsActionCode(t *testing.T) {
	t.Parallel()
	coded := func(action, code, id string) change {
		return func(w *hl7.Writer) { w.Segment("DG1").Set(1, "1").Set(3, code, "", "I10").Set(20, id).Set(21, action) }
	}
	end := func(h *hospital, changes ...change) []byte {
		h.at = morning.Add(-8 * time.Hour)
		return h.message("A03", changes...)
	}
	for action, want := range map[string]string{"": "raised ", "A": "raised ", "U": "raised ", "X": "raised ",
		"S": "raised ", "a": "raised ", "AD": "raised ",
		"D": "joined nothing-in-scope", "d": "joined nothing-in-scope", "DE": "joined nothing-in-scope",
		"?": "quarantined scope-undecided"} {
		h, w := newHospital(), newWard(t)
		if got := w.outcomes(end(h, coded(action, "X61", ""))); got[0] != want {
			t.Errorf("DG1-21 %q: %q, want %q", action, got[0], want)
		}
	}
	for claim, c := range map[string]struct {
		first, then []change
		want        string
	}{
		"deleted later": {[]change{coded("", "X61", "")}, []change{coded("D", "X61", "")},
			"corrected recoded"},
		"one of two deleted": {[]change{coded("", "X61", ""), coded("", "X78", "")},
			[]change{coded("D", "X61", "")}, "joined already-raised"},
		"another deleted": {[]change{coded("", "X61", ""), coded("", "S61", "")},
			[]change{coded("D", "S61", "")}, "joined already-raised"},
		"deleted by its identifier": {[]change{coded("A", "X61", "7")}, []change{coded("D", "", "7")},
			"corrected recoded"},
		"updated to something else": {[]change{coded("A", "X61", "7")}, []change{coded("U", "S61", "7")},
			"corrected recoded"},
		"added beside it": {[]change{coded("", "X61", "")}, []change{coded("A", "S61", "8")},
			"joined already-raised"},
		"the set anew, without it": {[]change{coded("A", "X61", "")}, []change{coded("", "S61", "")},
			"corrected recoded"},
		"deleted and added again in one": {[]change{coded("", "X61", "")},
			[]change{coded("D", "X61", ""), coded("A", "X61", "")}, "joined already-raised"},
		"deleted where a point is written": {[]change{coded("", "X61.8", "")}, []change{coded("D", "X618", "")},
			"corrected recoded"},
		"left before being seen, and deleted": {[]change{coded("", "X61", "")}, []change{coded("D", "X99", "")},
			"joined already-raised"},
	} {
		h, w := newHospital(), newWard(t)
		if got := w.outcomes(end(h, c.first...), h.later("A08", c.then...)); got[0] != "raised " || got[1] != c.want {
			t.Errorf("%s: %q, want %q", claim, got, c.want)
		}
	}
}

func TestEqualEventTimesAreOrderedBySendingThenByArrival(t *testing.T) {
	t.Parallel()
	fixed := stamped(morning.Add(-8 * time.Hour))[:12]
	same := func(raw []byte, msh7 bool) []byte {
		lines := strings.Split(string(raw), "\r")
		for i, line := range lines {
			fields := strings.Split(line, "|")
			switch fields[0] {
			case "EVN":
				fields[2] = fixed
			case "MSH":
				if !msh7 {
					fields[6] = fixed
				}
			}
			lines[i] = strings.Join(fields, "|")
		}
		return []byte(strings.Join(lines, "\r"))
	}
	for _, msh7 := range []bool{true, false} {
		h, w := newHospital(), newWard(t)
		h.at = morning.Add(-9 * time.Hour)
		expect(t, w.outcomes(same(h.message("A04", diagnosis("X61", "", "I10")), msh7), same(h.message("A03"), msh7),
			same(h.message("A13"), msh7), same(h.message("A03"), msh7),
			same(h.message("A08", diagnosis("S61", "", "I10")), msh7),
			same(h.message("A08", diagnosis("X61", "", "I10")), msh7)),
			"joined not-ended", "raised ", "cancelled discharge-cancelled", "raised ", "corrected recoded", "raised ")
	}
	// With MSH-7 apart, arrival does not matter.
	h := newHospital()
	h.at = morning.Add(-9 * time.Hour)
	messages := [][]byte{same(h.message("A04", diagnosis("X61", "", "I10")), true), same(h.message("A03"), true),
		same(h.message("A13"), true)}
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.outcomes(order...)
		if total(w.standing()) != 0 {
			t.Error("a cancelled discharge stands")
		}
	})
}

func TestOnlyProductionIsTakenByDefault(t *testing.T) {
	t.Parallel()
	for id, taken := range map[string]bool{"P": true, "p": true, "P^T": true, "T": false, "t": false, "D": false,
		"X": false} {
		h, w := newHospital(), newWard(t)
		raw := replaceOnce(string(h.attended()), "|P|2.4", "|"+id+"|2.4")
		parsed := w.read([]byte(raw))
		if (parsed.Outcome == "") != taken ||
			(!taken && (parsed.Reason != reading.ReasonProcessing || parsed.Ack != hl7.Refused)) {
			t.Errorf("MSH-11 %q: %s %s", id, parsed.Outcome, parsed.Reason)
		}
	}
	for _, id := range []string{"", `""`, "^"} {
		w := newWard(t)
		parsed := w.read([]byte(replaceOnce(string(newHospital().attended()), "|P|2.4", "|"+id+"|2.4")))
		if parsed.Outcome != record.Quarantined || parsed.Reason != reading.ReasonNoProcessing ||
			parsed.Ack != hl7.Failed || parsed.ClinicalEvent == nil {
			t.Errorf("MSH-11 %q: %s %s %v", id, parsed.Outcome, parsed.Reason, parsed.Ack)
		}
	}
	base, err := fs.ReadFile(reading.ShippedProfileFiles(), "default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := reading.ReadProfile(base, []byte("profile: own\nversion: 1\nsenders: [EPR]\nprocessingIDs: [T, "+
		"\"\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for id, taken := range map[string]bool{"T": true, "": true, `""`: true, "P": false} {
		h, w := newHospital(), newWard(t)
		w.profiles.BySender["EPR"] = profile
		got := w.read([]byte(replaceOnce(string(h.attended()), "|P|2.4", "|"+id+"|2.4")))
		if (got.Outcome == "") != taken {
			t.Errorf("by a profile, MSH-11 %q: %s %s", id, got.Outcome, got.Reason)
		}
	}
}

func TestWhatCannotBeTrueIsFlaggedAndNotUsed(t *testing.T) {
	t.Parallel()
	today, event := morning.In(london).Format(time.DateOnly), morning.Add(-8*time.Hour).In(london).Format(time.DateOnly)
	year := func(at time.Time, by int) string { return stamped(at.AddDate(by, 0, 0)) }
	left := morning.Add(-8 * time.Hour)
	for claim, c := range map[string]struct {
		raw  func(h *hospital) []byte
		flag string
		on   string
	}{
		"30 February": {func(h *hospital) []byte { return h.attended(visit(45, "20260230120000")) },
			schemas.FlagTimeNotBelieved, event},
		"month 13": {func(h *hospital) []byte { return h.attended(visit(45, "20261301")) },
			schemas.FlagTimeNotBelieved, event},
		"hour 24": {func(h *hospital) []byte { return h.attended(visit(45, "2026111924")) },
			schemas.FlagTimeNotBelieved, event},
		"hour 25": {func(h *hospital) []byte { return h.attended(visit(45, "202611192500")) },
			schemas.FlagTimeNotBelieved, event},
		"arrival, 31 November": {func(h *hospital) []byte { return h.attended(visit(44, "20261131")) },
			schemas.FlagTimeNotBelieved, event},
		"a century ago": {func(h *hospital) []byte { return h.attended(visit(45, year(left, -100))) },
			schemas.FlagTimeNotBelieved, event},
		"before birth": {func(h *hospital) []byte { return h.attended(visit(45, "19890101")) },
			schemas.FlagTimeNotBelieved, event},
		"twenty years ago": {func(h *hospital) []byte { return h.attended(visit(45, year(left, -20))) },
			schemas.FlagTimeNotBelieved, event},
		"in the future": {func(h *hospital) []byte { return h.attended(visit(45, year(left, 1))) },
			schemas.FlagFutureDischarge, event},
		"the day after": {func(h *hospital) []byte {
			return h.attended(visit(45, morning.AddDate(0, 0, 2).Format("20060102")))
		}, schemas.FlagFutureDischarge, event},
		"leaving before coming": {func(h *hospital) []byte {
			return h.attended(visit(45, stamped(morning.AddDate(0, 0, -3))))
		}, schemas.FlagLeftBeforeArrival, event},
		"no PV1 at all": {func(h *hospital) []byte {
			lines := strings.Split(string(h.attended()), "\r")
			for i, line := range lines {
				if strings.HasPrefix(line, "PV1") {
					lines = append(lines[:i], lines[i+1:]...)
					break
				}
			}
			return []byte(strings.Join(lines, "\r"))
		}, schemas.FlagNoVisitDetails, event},
		"NUL in a name": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "Example", "Exa\x00mple"))
		}, schemas.FlagTextDamaged, event},
		"NUL in another field": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "248062006^^SCT", "248062006^\x00^SCT"))
		}, schemas.FlagTextDamaged, event},
		"broken UTF-8": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "Example", "Zo\xc3"))
		}, schemas.FlagTextDamaged, event},
		"declared UTF-8, sent Latin-1": {func(h *hospital) []byte {
			return []byte(replaceOnce(replaceOnce(string(h.attended()), "|P|2.4", "|P|2.4||||||UNICODE UTF-8"),
				"Example", "Zo\xeb"))
		}, schemas.FlagTextDamaged, event},
		"declared Latin-1, sent UTF-8": {func(h *hospital) []byte {
			return []byte(replaceOnce(replaceOnce(string(h.attended()), "|P|2.4", "|P|2.4||||||8859/1"), "Example",
				"Zoë"))
		}, schemas.FlagTextDamaged, event},
		"a replacement character": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "Example", "Zo\uFFFD"))
		}, schemas.FlagTextDamaged, event},
		"protected": {func(h *hospital) []byte { return h.attended(in("PD1", 12, "Y")) },
			schemas.FlagProtected, event},
		"the visit protected": {func(h *hospital) []byte { return h.attended(in("PV2", 22, "Y")) },
			schemas.FlagProtected, event},
		"no telephone": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "07700900123", ""))
		}, schemas.FlagNoSafeChannel, event},
		"a null telephone": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()),
				"07700900123", `""`))
		}, schemas.FlagNoSafeChannel, event},
		"a telephone of zeros": {func(h *hospital) []byte {
			return []byte(replaceOnce(string(h.attended()), "07700900123", "00000000000"))
		}, schemas.FlagNoSafeChannel, event},
	} {
		h, w := newHospital(), newWard(t)
		got := w.outcomes(c.raw(h))[0]
		if !strings.HasPrefix(got, "raised-flagged ") || !strings.Contains(got+" ", c.flag+" ") {
			t.Errorf("%s: %q, want %s", claim, got, c.flag)
			continue
		}
		raised := w.unit.Visits[0].Published
		if raised.LeftOn != c.on || raised.LeftOn > today {
			t.Errorf("%s: left on %s, want %s", claim, raised.LeftOn, c.on)
		}
		if name := fmt.Sprintf("%+v", w.unit.Persons["local:L42"].Identity.Reveal()); strings.ContainsAny(name,
			"\x00\uFFFD") {
			t.Errorf("%s: kept %q", claim, name)
		}
	}
}

// What cannot be true, or could not be read, is flagged by a later message as by the first: the journey stands, and a
// human is shown it.
func TestWhatALaterMessageCannotMeanIsFlaggedToo(t *testing.T) {
	t.Parallel()
	replaced := func(trigger, old, new string, changes ...change) func(h *hospital) []byte {
		return func(h *hospital) []byte { return []byte(replaceOnce(string(h.later(trigger, changes...)), old, new)) }
	}
	later := func(trigger string, changes ...change) func(h *hospital) []byte {
		return func(h *hospital) []byte { return h.later(trigger, changes...) }
	}
	type claim struct {
		name, flag string
		raw        func(h *hospital) []byte
	}
	claims := []claim{
		{"A08, 30 February", schemas.FlagTimeNotBelieved, later("A08", visit(45, "20260230120000"))},
		{"A08, arrival, 31 November", schemas.FlagTimeNotBelieved, later("A08", visit(44, "20261131"))},
		{"A08, in the future", schemas.FlagFutureDischarge, later("A08", visit(45, stamped(morning.AddDate(1, 0, 0))))},
		{"A08, before birth", schemas.FlagTimeNotBelieved, later("A08", visit(45, "19890101"))},
		{"A08, twenty years ago", schemas.FlagTimeNotBelieved,
			later("A08", visit(45, stamped(morning.AddDate(-20, 0, 0))))},
		{"A08, leaving before coming", schemas.FlagLeftBeforeArrival,
			later("A08", visit(45, stamped(morning.AddDate(0, 0, -3))))},
		{"A08, coming after leaving", schemas.FlagLeftBeforeArrival,
			later("A08", visit(44, stamped(morning.Add(-7*time.Hour))))},
		{"A08, a destination nobody knows", schemas.FlagDestinationUnknown, later("A08", visit(36, "Q7"))},
	}
	for _, trigger := range []string{"A08", "A31", "A28", "A40"} {
		var changes []change
		if trigger == "A40" {
			changes = append(changes, giveUp("L99"))
		}
		claims = append(claims,
			claim{trigger + ", NUL in a name", schemas.FlagTextDamaged, replaced(trigger, "Example", "Exa\x00mple",
				changes...)},
			claim{trigger + ", broken UTF-8", schemas.FlagTextDamaged,
				replaced(trigger, "Example", "Zo\xc3", changes...)},
			claim{trigger + ", declared UTF-8, sent Latin-1", schemas.FlagTextDamaged, func(h *hospital) []byte {
				return []byte(replaceOnce(string(replaced(trigger, "Example", "Zo\xeb", changes...)(h)), "|P|2.4",
					"|P|2.4||||||UNICODE UTF-8"))
			}},
			claim{trigger + ", born on 30 February", schemas.FlagTimeNotBelieved,
				replaced(trigger, "19900401", "19900230", changes...)},
			claim{trigger + ", born in the future", schemas.FlagTimeNotBelieved,
				replaced(trigger, "19900401", "20900401", changes...)},
			claim{trigger + ", protected", schemas.FlagProtected,
				later(trigger, append([]change{in("PD1", 12, "Y")}, changes...)...)},
			claim{trigger + ", a null telephone", schemas.FlagNoSafeChannel,
				replaced(trigger, "07700900123", `""`, changes...)},
		)
	}
	for _, c := range claims {
		h, w := newHospital(), newWard(t)
		expect(t, w.outcomes(h.attended()), "raised ")
		outcome := w.outcomes(c.raw(h))[0]
		raised := w.unit.Visits[0].Published
		if !slices.Contains(raised.Flags, c.flag) || !raised.Active() || !strings.HasPrefix(outcome, "corrected") {
			t.Errorf("%s: %q, flagged %q, not %s", c.name, outcome, raised.Flags, c.flag)
		}
		if !slices.ContainsFunc(w.said, func(s record.Emission) bool {
			d, ok := s.Data.(schemas.DischargeCorrectedData)
			return ok && slices.Contains(d.Flags, c.flag)
		}) {
			t.Errorf("%s: nobody is told", c.name)
		}
		if raised.LeftOn > morning.In(london).Format(time.DateOnly) ||
			raised.LeftOn < morning.AddDate(0, 0, -4).Format(time.DateOnly) || raised.Facts.Age == nil ||
			*raised.Facts.Age != 36 {
			t.Errorf("%s: left on %s, age %v", c.name, raised.LeftOn, raised.Facts.Age)
		}
	}
}

func TestWhatAFHIRUpdateCannotMeanIsFlaggedToo(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	now := p.clock.Now()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	n := 0
	for claim, c := range map[string]struct {
		flag, old, new string
		ended          string
	}{
		"in the future": {flag: schemas.FlagFutureDischarge,
			ended: now.AddDate(1, 0, 0).UTC().Format(time.RFC3339)},
		"years ago": {flag: schemas.FlagTimeNotBelieved,
			ended: now.AddDate(-3, 0, 0).UTC().Format(time.RFC3339)},
		"leaving before coming": {flag: schemas.FlagLeftBeforeArrival, ended: at(-72 * time.Hour)},
		"born in the future": {schemas.FlagTimeNotBelieved, `"birthDate":"1990-04-01"`, `"birthDate":"2090-04-01"`,
			at(-2 * time.Hour)},
		"a destination nobody knows": {schemas.FlagDestinationUnknown, `"status":"finished"`,
			`"status":"finished","hospitalization":{"dischargeDisposition":{"coding":[{"code":"Q7"}]}}`,
			at(-2 * time.Hour)},
	} {
		n++
		f := newFHIRRequest()
		f.visit, f.ended, f.local, f.number = fmt.Sprintf("U%d", n), at(-2*time.Hour), fmt.Sprintf("U%d", n),
			someNumber(500+n)
		if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
			t.Fatalf("%s: %d %s", claim, answer.status, answer.body)
		}
		journey := journeyOf(t, p.site.db.Admin(), f.visit)
		f.request, f.reason, f.ended = clock.NewRandomID(), "update", c.ended
		f.change = func(body string) string {
			body = strings.Replace(body, "2026-11-20T09:00:00.1234567+00:00", at(-time.Minute), 1)
			return strings.Replace(body, cmp.Or(c.old, "no such thing"), c.new, 1)
		}
		if answer := p.sendFHIR(t, f); answer.status != http.StatusOK {
			t.Fatalf("%s: %d %s", claim, answer.status, answer.body)
		}
		if said := p.corrections(t, journey); len(said) == 0 || !slices.Contains(said[len(said)-1].Flags, c.flag) {
			t.Errorf("%s: said %+v, %v", claim, said, p.ledgerNow(t))
		}
	}
}

func TestABirthDateThatCannotBeOneMakesNobodyAChild(t *testing.T) {
	t.Parallel()
	for _, birth := range []string{"20900401", "18000401", "19900230", "20261121"} {
		h, w := newHospital(), newWard(t)
		h.birth = birth
		if got := w.outcomes(
			h.attended())[0]; got != "raised-flagged age-unknown time-not-believed used-no-birth-date" {
			t.Errorf("born %s: %q", birth, got)
		}
	}
}

func TestACleanMessageTakesTheDoubtAway(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(h.attended(visit(45, "20260230")), h.later("A08", visit(45, stamped(morning.Add(-9*time.Hour)))))
	if raised := w.unit.Visits[0].Published; len(raised.Flags) != 0 ||
		!raised.Left.At.Equal(morning.Add(-9*time.Hour)) {
		t.Errorf("still flagged %q, left %v", raised.Flags, raised.Left)
	}
}

func TestAProtectedRecordIsProtectedByAnyEventAndStaysSo(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"A08", "A31", "A28", "A05", "A02"} {
		h, w := newHospital(), newWard(t)
		w.outcomes(h.attended(), h.later(event, in("PD1", 12, "Y")), h.later("A08", in("PD1", 12, "N")))
		if raised := w.unit.Visits[0].Published; !schemas.HumanFirst(raised.Flags) {
			t.Errorf("by %s: %q", event, raised.Flags)
		}
	}
}

func TestAListIsReadHoweverASpreadsheetWritesIt(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ text, name, number string }{
		"Windows-1252": {"visit,family_name\nV1,Zo\xeb\n", "Zoë", ""},
		"UTF-16":       {"\xff\xfev\x00i\x00s\x00i\x00t\x00,\x00f\x00a\x00m\x00i\x00l\x00y\x00_\x00n\x00a\x00m\x00e\x00\n\x00V\x001\x00,\x00Z\x00o\x00\xeb\x00\n\x00", "Zoë", ""},
		"blank rows and columns": {",,\nvisit,,nhs_number,,\n,,\nV1,,999 000 0018,,\n  , ,\n,,,,,\n", "",
			"9990000018"},
		"semicolons":                {"visit;nhs_number;;\n;;;\nV1;999\u00a0000\u00a00018;;\n;;\n", "", "9990000018"},
		"semicolons after a row":    {"visit,nhs_number;;\nV1,９９９ ０００ ００１８;;\n;;\n", "", "9990000018"},
		"a row shorter than others": {"visit,nhs_number,phone\nV1,999–000–0018\n", "", "9990000018"},
	} {
		rows, err := reading.ReadList("RXX", []byte(c.text), "")
		if err != nil || len(rows) != 1 || len(rows[0].Faults) > 0 || rows[0].Data.Visit != "V1" ||
			rows[0].Data.Person.NHSNumber != c.number || rows[0].Data.Person.FamilyName != c.name {
			t.Errorf("%s: %v, %+v", claim, err, rows)
		}
	}
	rows, err := reading.ReadList("RXX", []byte("visit,family_name\n\nV1,Good\nV2,Zo\x81\nV3,Zo\xeb\n"), "")
	if err != nil || len(rows) != 3 || len(rows[1].Faults) != 1 || rows[1].Row != 4 || len(rows[2].Faults) != 0 {
		t.Errorf("%v, %+v", err, rows)
	}
}

func TestEventsAreCheckedInOneOrderInEveryMode(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	for _, kind := range []string{"text/plain", "application/json", ""} {
		structured := `{"specversion":"1.0","id":"1","source":"x","type":"org.example.other"`
		if kind != "" {
			structured += `,"datacontenttype":"` + kind + `"`
		}
		if status, body := p.post(t, "application/cloudevents+json", structured+"}"); status != 422 {
			t.Errorf("structured, %q: %d %s", kind, status, body)
		}
		for _, more := range []string{"", `,"data":"words"`, `,"data_base64":"d29yZHM="`} {
			if status, body := p.post(t, "application/cloudevents-batch+json",
				"["+structured+more+"}]"); status != 200 || !strings.Contains(body, `"status":422`) {
				t.Errorf("in a batch, %q, %s: %d %s", kind, more, status, body)
			}
		}
		request, err := http.NewRequest(http.MethodPost, p.http.URL+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "x",
			"ce-type": "org.example.other"} {
			request.Header.Set(name, value)
		}
		if kind != "" {
			request.Header.Set("Content-Type", kind)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != 422 {
			t.Errorf("binary, %q: %d", kind, answer.StatusCode)
		}
	}
}

// A row whose columns have slipped puts a name where the number of a visit stands, which is kept in clear.
func TestAWordInTheColumnOfVisitsIsNotTakenForANumber(t *testing.T) {
	t.Parallel()
	rows, err := reading.ReadList("RXX", []byte("visit,family_name\nSampleperson\nSampleperson,V1\nV1,Sampleperson\n"),
		"")
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v, %v", rows, err)
	}
	for i, row := range rows {
		if broken := i < 2; broken != (len(row.Faults) > 0) || broken != (row.Data.Visit == "") ||
			strings.Contains(row.Data.Referral, "Sampleperson") {
			t.Errorf("row %d: visit %q, faults %v", row.Row, row.Data.Visit, row.Faults)
		}
	}
}
