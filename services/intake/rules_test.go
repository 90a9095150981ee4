package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"pgregory.net/rapid"

	"footbridge/libs/hl7"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// All people here are invented; NHS numbers are from the range kept for tests.

var (
	london, _ = time.LoadLocation("Europe/London")
	morning   = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	// evening is when what a test starts comes up: after all that its messages tell of.
	evening = morning.Add(11 * time.Hour)
)

// hospital writes messages of one visit, a minute apart unless told otherwise.
type hospital struct {
	application, number, patient, birth string
	at                                  time.Time
	control                             int
}

func newHospital() *hospital {
	return &hospital{application: "EPR", number: "V1", patient: "L42", birth: "19900401",
		at: morning.Add(-3 * time.Hour)}
}

type change func(w *hl7.Writer)

func (h *hospital) message(trigger string, changes ...change) []byte {
	h.control++
	h.at = h.at.Add(time.Minute)
	stamp := h.at.In(london).Format("20060102150405")
	w := hl7.NewWriter(hl7.Header{SendingApplication: h.application, SendingFacility: "RXX", Type: "ADT",
		Trigger:   trigger,
		ControlID: fmt.Sprintf("C%d", h.control), At: h.at, ProcessingID: "P", Version: "2.4"})
	w.Segment("EVN").Set(1, trigger).Set(2, stamp)
	w.Segment("PID").Set(3, h.patient, "", "", "RXX", "MR").Repeat(3, "9990000107", "", "", "NHS", "NH").
		Set(5, "Example", "Ada").Set(7, h.birth).Set(13, "07700900123")
	w.Segment("PV1").Set(2, "E").Set(19, h.number)
	if trigger == "A03" {
		w.Set(45, stamp)
	}
	for _, c := range changes {
		c(w)
	}
	return w.Bytes()
}

func reason(code, text, system string) change {
	return func(w *hl7.Writer) { w.Segment("PV2").Set(3, code, text, system) }
}

func diagnosis(code, text, system string) change {
	return func(w *hl7.Writer) { w.Segment("DG1").Set(1, "1").Set(3, code, text, system) }
}

// withPID sets a field after the telephone number (PID-13), which is the last.
func (h *hospital) withPID(raw []byte, field int, value string) []byte {
	end := "|" + h.birth + "||||||07700900123\r"
	return []byte(replaceOnce(string(raw), end, end[:len(end)-1]+strings.Repeat("|", field-13)+value+"\r"))
}

// deathOn sets PID-30 on a message.
func deathOn(raw []byte) []byte { return newHospital().withPID(raw, 30, "Y") }

// ward is a world without a database.
type ward struct {
	t        testing.TB
	profiles *reading.Profiles
	unit     *record.UnitOfWork
	now      time.Time
	n        int
	said     []record.Emission
}

func newWard(t testing.TB) *ward {
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		t.Fatal(err)
	}
	w := &ward{t: t, profiles: profiles, now: morning}
	w.unit = record.NewUnit(london, 4*time.Hour, func() string { return w.id("spare") })
	return w
}

func (w *ward) id(kind string) string { w.n++; return fmt.Sprintf("%s-%d", kind, w.n) }

func (w *ward) read(raw []byte) reading.Reading {
	if bytes.HasPrefix(raw, []byte("{")) {
		return w.readEvent(raw)
	}
	message, err := hl7.Parse(raw)
	if err != nil {
		return reading.ReadFailure(err)
	}
	return reading.ReadHL7(message, w.profiles, w.now)
}

// readEvent reads what came as an event, of a sender that may speak for the organisation.
func (w *ward) readEvent(raw []byte) reading.Reading {
	s := &Service{profiles: w.profiles}
	var e event.Event
	if err := errors.Join(s.setDefaults(), json.Unmarshal(raw, &e)); err != nil {
		w.t.Fatal(err)
	}
	reading, refusal := s.readReported(principal.Principal{Organisation: "RXX", Role: string(schemas.System)}, &e)
	if refusal != nil {
		w.t.Fatalf("refused: %v", refusal)
	}
	return reading
}

// take reads a message and joins it; the lookup keys are in the clear here.
func (w *ward) take(raw []byte) record.Decided {
	reading := w.read(raw)
	if reading.Outcome != "" {
		return record.Decided{Decision: record.Decision{Outcome: reading.Outcome, Reason: reading.Reason}}
	}
	s := *reading.ClinicalEvent
	s.Message = w.id("message")
	w.expectBody(s)
	s.Place(s.Person.Reveal(), w.profiles.AreasOf(reading.Sender, reading.Organisation))
	in := record.Incoming{ClinicalEvent: s, Keys: record.Keys{Person: "local:" + s.Person.Reveal().LocalID,
		GivenUp: "local:" + s.GivenUp.Person.Reveal().LocalID},
		New: record.NewIDs{Person: w.id("person"), GivenUp: w.id("person"), Visit: w.id("visit"),
			Journey: w.id("journey")}, DecidedAt: w.now}
	if who := s.Person.Reveal(); who.NHSNumberVerified {
		in.Keys.Number = "number:" + who.NHSNumber
	}
	if s.Person.Reveal().LocalID == "" {
		in.Keys.Person, in.Keys.Anonymous = "visit:"+s.Visit, true
	}
	in.ClinicalEvent.Believe(w.now, london)
	settled := w.unit.Apply(in)
	w.said = append(w.said, settled.Emissions...)
	return settled
}

// expectBody: of the bodies of a message, those of other kinds than its own are empty.
func (w *ward) expectBody(s record.ClinicalEvent) {
	w.t.Helper()
	merges := s.Merges() || s.Kind == record.KindJoinVisits
	if s.Asked.Route != "" && s.Kind != record.KindReferral || !reflect.ValueOf(s.GivenUp).IsZero() && !merges ||
		s.Signal.Kind != "" && s.Kind != record.KindSignal || s.InScope && s.Kind != record.KindHuman {
		w.t.Errorf("a message of kind %s has the body of another", s.Kind)
	}
}

func (w *ward) outcomes(messages ...[]byte) []string {
	var out []string
	for _, raw := range messages {
		settled := w.take(raw)
		out = append(out, string(settled.Outcome)+" "+settled.Reason)
	}
	return out
}

func (w *ward) count(of schemas.Type) (n int) {
	for _, say := range w.said {
		if say.Type == of {
			n++
		}
	}
	return n
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestReasonDiagnosisAndEndJoinInAnyOrder(t *testing.T) {
	t.Parallel()
	h := newHospital()
	messages := [][]byte{
		h.message("A01", reason("248062006", "", "SNOMED-CT")),
		h.message("A08", diagnosis("276853009", "", "SCT")),
		h.message("A03"),
	}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newWard(t)
		var raised int
		for _, i := range order {
			if w.take(messages[i]).Outcome == record.RaisedOutcome {
				raised++
			}
		}
		if raised != 1 || w.count(schemas.DischargeRecorded) != 1 {
			t.Errorf("order %v: raised %d times, %d events", order, raised, w.count(schemas.DischargeRecorded))
		}
	}
}

func TestTheMessageThatBringsWhatWasMissingIsTheOneRaised(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A04"), h.message("A03"), h.message("A08", diagnosis("X61.8", "", "ICD10")),
		h.message("A08", diagnosis("X61.8", "", "ICD10"))),
		"joined not-ended", "joined nothing-in-scope", "raised ", "joined already-raised")
}

func TestAnotherDischargeRaisesNothing(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A01", reason("", "Ankle injury", "")),
		h.message("A08", diagnosis("S93.4", "Sprain", "I10")), h.message("A03")),
		"joined not-ended", "joined not-ended", "joined nothing-in-scope")
	if len(w.said) != 0 {
		t.Errorf("said %v", w.said)
	}
}

func TestTextAloneIsForAHumanAndNegationForNobody(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Self-harm":                          "quarantined scope-undecided",
		"overdose of paracetamol":            "quarantined scope-undecided",
		"Denies self-harm":                   "joined nothing-in-scope",
		"no hx of overdose":                  "joined nothing-in-scope",
		"fell. not drunk. ?suicidal":         "quarantined scope-undecided",
		"Myself harmed by a door":            "joined nothing-in-scope",
		"Chest pain":                         "joined nothing-in-scope",
		"No fever; self harm to left wrist ": "quarantined scope-undecided",
	} {
		h, w := newHospital(), newWard(t)
		got := w.outcomes(h.message("A01", reason("", text, "")), h.message("A03"))
		if got[1] != want {
			t.Errorf("%q: %s, want %s", text, got[1], want)
		}
		if w.count(schemas.DischargeRecorded) != 0 {
			t.Errorf("%q raised", text)
		}
	}
}

func TestAnAgreedLocalReasonRaises(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	h.application = "SIMHOSP"
	raw := func(trigger string, changes ...change) []byte {
		return []byte(replaceOnce(string(h.message(trigger, changes...)), "|P|2.4", "|T|2.4"))
	}
	got := w.outcomes(raw("A01", reason("", "Self-harm", "")), raw("A03"))
	if !slices.Contains([]string{"raised ", "raised-flagged age-unknown"}, got[1]) {
		t.Errorf("got %q", got)
	}
}

func TestLateCodingAnswersTheQuestionToAHuman(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A01", reason("", "?self harm", "")), h.message("A03")), "joined not-ended",
		"quarantined scope-undecided")
	settled := w.take(h.message("A08", diagnosis("276853009", "", "SCT")))
	if settled.Outcome != record.RaisedOutcome || len(settled.Released) != 1 {
		t.Errorf("outcome %s, released %q", settled.Outcome, settled.Released)
	}
}

func TestCodesOfUndeterminedIntentHistoryAndUnknownSystemsAreForAHuman(t *testing.T) {
	t.Parallel()
	for _, c := range []reading.Coded{{Code: "269735005", System: "SCT"}, {Code: "Y12", System: "I10"},
		{Code: "Z91.5", System: "I10"},
		{Code: "6471006", System: "SNOMED"}, {Code: "276853009"}, {Code: "X84", System: "OURS"}} {
		h, w := newHospital(), newWard(t)
		got := w.outcomes(h.message("A08", diagnosis(c.Code, "", c.System)), h.message("A03"))
		if got[1] != "quarantined scope-undecided" {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestAPoisoningWithoutIntentIsForAHuman(t *testing.T) {
	t.Parallel()
	icd := func(codes ...string) (changes []change) {
		for _, code := range codes {
			changes = append(changes, diagnosis(code, "", "I10"))
		}
		return changes
	}
	for claim, c := range map[string]struct {
		codes []change
		want  string
	}{
		"a medicine, intent blank": {icd("T39.1"), "quarantined scope-undecided"},
		"in SNOMED CT": {[]change{reason("55680006", "", "SCT")},
			"quarantined scope-undecided"},
		"accidental": {icd("T39.1", "X40"), "joined nothing-in-scope"},
		"reason and diagnosis together": {append(icd("X44"), reason("75478009", "", "SCT")),
			"joined nothing-in-scope"},
		"undetermined":                        {icd("T39.1", "Y11"), "quarantined scope-undecided"},
		"undetermined, though accidental too": {icd("T39.1", "X40", "Y11"), "quarantined scope-undecided"},
		"on purpose":                          {icd("T39.1", "X61"), "raised "},
		"accidental, and the text says overdose": {append(icd("X40"), reason("", "took an overdose", "")),
			"quarantined scope-undecided"},
		"no medicine: a local option": {icd("T51.0"), "joined nothing-in-scope"},
		"text that says there was none": {[]change{reason("", "denies overdose", "")},
			"joined nothing-in-scope"},
	} {
		h, w := newHospital(), newWard(t)
		if got := w.outcomes(h.message("A08", c.codes...), h.message("A03")); got[1] != c.want {
			t.Errorf("%s: %q, want %q", claim, got[1], c.want)
		}
	}
}

func TestWhoeverWasTakenElsewhereIsShownToAHuman(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"19": "raised ", "66": "raised ", "37": "raised-flagged gone-elsewhere",
		"38": "raised-flagged gone-elsewhere",
		"49": "raised-flagged gone-elsewhere", "53": "raised-flagged gone-elsewhere",
		"84": "raised-flagged gone-elsewhere", "79": "joined death-reported"} {
		h, w := newHospital(), newWard(t)
		to := func(w *hl7.Writer) { w.Set(36, code) }
		if got := w.outcomes(h.message("A04", reason("248062006", "", "SCT")), h.message("A03", to)); got[1] != want {
			t.Errorf("to %s: %q, want %q", code, got[1], want)
		}
	}
}

func TestAStatusCodeOfADeathStopsContact(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"63238001", "75004002"} {
		h, w := newHospital(), newWard(t)
		expect(t, w.outcomes(h.message("A08", reason("248062006", "", "SCT")), h.message("A03"),
			h.message("A08", diagnosis(code, "", "SCT"))),
			"joined not-ended", "raised ", "corrected death-reported")
		if w.count(schemas.ContactStopped) != 1 {
			t.Errorf("%s stopped no contact", code)
		}
	}
}

func TestCodesBesideTheListsAndAllergiesAreNothing(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	profile := w.profiles.Fallback
	for _, c := range []struct {
		code reading.Coded
		want record.Verdict
	}{
		{reading.Coded{Code: "X60", System: "I10"}, record.VerdictInScope},
		{reading.Coded{Code: "X84.9", System: "I10"}, record.VerdictInScope},
		{reading.Coded{Code: "X85", System: "I10"}, record.VerdictNothing},
		{reading.Coded{Code: "X59", System: "I10"}, record.VerdictNothing},
		{reading.Coded{Code: "Z91.0", System: "I10"}, record.VerdictNothing},
		{reading.Coded{Code: "Z915", System: "I10"}, record.VerdictAsk},
		{reading.Coded{Code: "R45.0", System: "I10"}, record.VerdictNothing},
		{reading.Coded{Code: "R45.8", System: "I10"}, record.VerdictAsk}, {reading.Coded{Code: "Y870", System: "I10"},
			record.VerdictAsk},
		{reading.Coded{Code: "276853009", System: "ECDS"}, record.VerdictInScope},
		{reading.Coded{Code: "242056005", System: "ECDS"}, record.VerdictNothing},
		{reading.Coded{Code: "269735005", System: "ECDS"}, record.VerdictAsk},
		{reading.Coded{Code: "6471006", System: "SCT", Text: "no suicidal thoughts"}, record.VerdictAsk},
	} {
		if got := profile.Weigh(record.RoleDiagnosis, []reading.Coded{c.code}).Verdict; got != c.want {
			t.Errorf("%+v: %q, want %q", c.code, got, c.want)
		}
	}
}

func TestASendersOwnCodesAreAList(t *testing.T) {
	t.Parallel()
	base, err := fs.ReadFile(reading.ShippedProfileFiles(), "default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := reading.ReadProfile(base, []byte("profile: own\nversion: 1\nsenders: [OWN]\ncodes:\n  - {name: "+
		"own, says: in-scope, source: the trust, checked: 2026-11-20, local: [\"EDIS|SH1\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for system, want := range map[string]record.Verdict{"EDIS": record.VerdictInScope, "edis": record.VerdictInScope,
		"OTHER": record.VerdictNothing, "": record.VerdictNothing} {
		if got := profile.Weigh(record.RoleDiagnosis,
			[]reading.Coded{{Code: "sh1", System: system}}).Verdict; got != want {
			t.Errorf("%q: %q, want %q", system, got, want)
		}
	}
	if got := profile.Weigh(record.RoleDiagnosis,
		[]reading.Coded{{Code: "X60", System: "I10"}}).Verdict; got != record.VerdictInScope {
		t.Errorf("beside a list of its own, the national one says %q", got)
	}
}

func TestCancellationsWithdrawAndALaterDischargeRaisesTheSameJourneyAgain(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(
		h.message("A01", reason("248062006", "", "SNOMED-CT")), h.message("A03"), h.message("A13"), h.message("A03"),
		h.message("A11")),
		"joined not-ended", "raised ", "cancelled discharge-cancelled", "raised ", "cancelled visit-cancelled")
	journeys := map[string]bool{}
	for _, say := range w.said {
		journeys[say.Journey] = true
	}
	if len(journeys) != 1 || w.count(schemas.DischargeWithdrawn) != 2 {
		t.Errorf("journeys %v, said %v", journeys, w.said)
	}
}

func TestACancelledVisitRaisesNothingWhateverComesLate(t *testing.T) {
	t.Parallel()
	h := newHospital()
	start, coding, end, cancel := h.message("A01"), h.message("A08", diagnosis("X60", "", "I10")), h.message("A03"),
		h.message("A11")
	w := newWard(t)
	w.outcomes(cancel, end, coding, start)
	if len(w.said) != 0 {
		t.Errorf("said %v", w.said)
	}
}

func TestRecodingAwayPausesAndAsks(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A08", diagnosis("X60", "", "I10")), h.message("A03"),
		h.message("A08", diagnosis("S61", "", "I10"))),
		"joined not-ended", "raised ", "corrected recoded")
	h, w = newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A08", diagnosis("X60", "", "I10")), h.message("A08", diagnosis("S61", "", "I10")),
		h.message("A03")),
		"joined not-ended", "joined not-ended", "quarantined recoded-away")
}

func TestACorrectedTimeIsToldOnce(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(h.message("A08", diagnosis("X60", "", "I10")), h.message("A03"))
	again := h.message("A03")
	expect(t, w.outcomes(again, again), "corrected ", "joined already-raised")
	data := w.said[len(w.said)-1].Data.(schemas.DischargeCorrectedData)
	if data.LeftAt == nil || data.Facts != nil {
		t.Errorf("corrected %+v", data)
	}
}

func TestDeathStopsContactAndRaisesNothing(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A01", reason("248062006", "", "SCT")), deathOn(h.message("A03"))),
		"joined not-ended", "joined death-reported")
	if len(w.said) != 0 {
		t.Errorf("said %v", w.said)
	}
	h, w = newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A01", reason("248062006", "", "SCT")), h.message("A03"), deathOn(h.message("A31")),
		deathOn(h.message("A31"))),
		"joined not-ended", "raised ", "corrected death-reported", "joined demographics")
	if w.count(schemas.ContactStopped) != 1 {
		t.Errorf("said %v", w.said)
	}
}

func TestAPersonUpdateNeverTriggers(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(h.message("A28", diagnosis("X60", "", "I10")), h.message("A31", diagnosis("X60", "", "I10"))),
		"ignored demographics", "ignored demographics")
}

func TestChildAndUnknownAgeAreShownToAHuman(t *testing.T) {
	t.Parallel()
	for birth, want := range map[string]string{"20111014010000": "raised-flagged under-18",
		"":         "raised-flagged age-unknown",
		"20081120": "raised ", "20081121": "raised-flagged under-18"} {
		h, w := newHospital(), newWard(t)
		h.birth = birth
		got := w.outcomes(h.message("A08", diagnosis("X60", "", "I10")), h.message("A03"))
		if got[1] != want {
			t.Errorf("born %q: %q, want %q", birth, got[1], want)
		}
	}
}

func TestMergeCarriesTheVisitToTheSurvivorAndAnEndWithoutANumberFindsIt(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	start := h.message("A01", reason("248062006", "", "SCT"))
	h.patient = "L99"
	merge := h.message("A34", func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR") })
	h.number = ""
	expect(t, w.outcomes(start, merge, h.message("A03")), "joined not-ended", "joined merged", "raised-flagged merged")
	data := w.said[0].Data.(schemas.DischargeRecordedData)
	if survivor := w.unit.Persons["local:L99"]; data.Person != survivor.ID {
		t.Errorf("raised for %s, the survivor is %s", data.Person, survivor.ID)
	}
}

func TestAMergeAfterTheDischargeIsShown(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(h.message("A01", reason("248062006", "", "SCT")), h.message("A03"))
	h.patient = "L99"
	merge := h.message("A40", func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR") })
	got := w.outcomes(merge, merge)
	if got[0] != "corrected merged" || got[1] != "joined merged" {
		t.Errorf("got %q", got)
	}
}

func TestAnotherPersonOnTheVisitIsShown(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	start := h.message("A01", reason("248062006", "", "SCT"))
	h.patient = "L99"
	got := w.outcomes(start, h.message("A03"))
	if got[1] != "raised-flagged merged person-differs" {
		t.Errorf("got %q", got)
	}
}

func TestTimesOfTheEnd(t *testing.T) {
	t.Parallel()
	profiles, _ := reading.ShippedProfiles()
	stamp := func(trigger, evn2, evn6, pv145 string) record.Moment {
		w := hl7.NewWriter(hl7.Header{SendingFacility: "RXX", Type: "ADT", Trigger: trigger, ControlID: "1",
			At: morning.AddDate(0, 0, 3)})
		w.Segment("EVN").Set(2, evn2).Set(6, evn6)
		w.Segment("PID").Set(3, "L42", "", "", "RXX", "MR")
		w.Segment("PV1").Set(19, "V1").Set(45, pv145)
		message, err := hl7.Parse(w.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return reading.ReadHL7(message, profiles, morning).ClinicalEvent.Happened
	}
	for claim, c := range map[string]struct {
		got  record.Moment
		want record.Moment
	}{
		"PV1-45 first": {stamp("A03", "20260701120000", "20260701110000", "20260701100000"),
			record.Moment{At: time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)}},
		"then EVN-6": {stamp("A03", "20260701120000", "20260701110000", ""),
			record.Moment{At: time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)}},
		"then EVN-2": {stamp("A03", "20260701120000", "", ""),
			record.Moment{At: time.Date(2026, 7, 1, 11, 0, 0, 0, time.UTC)}},
		"never MSH-7": {stamp("A03", "", "", ""), record.Moment{}},
		"a date is not midnight": {stamp("A03", "", "", "20260701"),
			record.Moment{At: time.Date(2026, 7, 1, 11, 0, 0, 0, time.UTC), DayOnly: true}},
		"an offset counts": {stamp("A03", "", "", "20260701100000+0530"),
			record.Moment{At: time.Date(2026, 7, 1, 4, 30, 0, 0, time.UTC)}},
	} {
		if !c.got.Same(c.want) {
			t.Errorf("%s: %v, want %v", claim, c.got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	h := newHospital()
	good := string(h.message("A03"))
	for claim, c := range map[string]struct {
		raw    string
		ack    hl7.Outcome
		want   record.Outcome
		reason string
	}{
		"processing id": {replaceOnce(good, "|P|2.4", "|X|2.4"), hl7.Refused, record.Rejected,
			reading.ReasonProcessing},
		"version":       {replaceOnce(good, "|P|2.4", "|P|3.0"), hl7.Refused, record.Rejected, reading.ReasonVersion},
		"another type":  {replaceOnce(good, "ADT^A03", "ORU^R01"), hl7.Refused, record.Rejected, record.ReasonType},
		"unknown event": {replaceOnce(good, "ADT^A03", "ADT^Z99"), hl7.Refused, record.Rejected, reading.ReasonEvent},
		"of no concern": {replaceOnce(good, "ADT^A03", "ADT^A16"), hl7.Accepted, record.Ignored, record.ReasonType},
		"no HL7":        {"hello", hl7.Refused, record.Rejected, reading.ReasonNotHL7},
		"empty":         {"", hl7.Refused, record.Rejected, reading.ReasonEmpty},
		"cut short":     {"MSH|^~\\&|EPR|RX", hl7.Failed, record.Quarantined, reading.ReasonBroken},
		"no PID": {"MSH|^~\\&|A|RXX|B|C|20261120||ADT^A03|7|P|2.4\r", hl7.Failed, record.Quarantined,
			reading.ReasonBroken},
		"nobody": {"MSH|^~\\&|A|RXX|B|C|20261120||ADT^A03|7|P|2.4\rPID|1\rPV1|1|E\r", hl7.Accepted,
			record.Quarantined, record.ReasonNoPerson},
	} {
		r := w.read([]byte(c.raw))
		if r.Ack != c.ack || r.Outcome != c.want || r.Reason != c.reason {
			t.Errorf("%s: %v %s %s", claim, r.Ack, r.Outcome, r.Reason)
		}
	}
}

func TestAnyInterleavingConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		h := newHospital()
		triggers := rapid.SliceOfN(rapid.SampledFrom([]string{"A01", "A04", "A08", "A08x", "A03", "A03", "A13", "A11",
			"A02", "A12"}), 1, 8).Draw(r, "triggers")
		var messages [][]byte
		for _, trigger := range triggers {
			switch trigger {
			case "A08x":
				messages = append(messages, h.message("A08", diagnosis("X60", "", "I10")))
			case "A01":
				messages = append(messages, h.message("A01", reason("248062006", "", "SCT")))
			default:
				messages = append(messages, h.message(trigger))
			}
		}
		inOrder, shuffled := newWard(t), newWard(t)
		inOrder.outcomes(messages...)
		shuffled.outcomes(rapid.Permutation(messages).Draw(r, "order")...)
		a, b := settledState(inOrder), settledState(shuffled)
		if !reflect.DeepEqual(a, b) {
			r.Fatalf("%v\n in order %+v\n shuffled %+v", triggers, a, b)
		}
	})
}

// settledState is what must not depend on the order of arrival.
func settledState(w *ward) map[string]any {
	v := w.unit.Visits[0]
	return map[string]any{"standing": v.Published.Active(), "ended": v.Ended(), "cancelled": v.IsCancelled(),
		"scope": v.Scope().Verdict, "left": v.End.Left, "told": told(w, v), "arrived": v.Arrived}
}

// told is what the bus was last told, if the journey stands.
func told(w *ward, v *record.Visit) string {
	if !v.Published.Active() {
		return ""
	}
	return fmt.Sprint(v.Published.Left, v.Published.LeftOn, v.Published.Flags)
}

func replaceOnce(s, from, to string) string {
	before, after, found := strings.Cut(s, from)
	if !found {
		panic("no " + from + " in message")
	}
	return before + to + after
}
