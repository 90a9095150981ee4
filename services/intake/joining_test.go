package intake

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// withTraced puts PID-32 on what the hospital writes.
func withTraced(raw []byte) []byte {
	return newHospital().withPID(raw, 32, "NSTS01")
}

func mergeVisits(given string) change {
	return func(w *hl7.Writer) { w.Segment("MRG").Set(1, "L42", "", "", "RXX", "MR").Set(5, given) }
}

func giveUp(patient string) change {
	return func(w *hl7.Writer) { w.Segment("MRG").Set(1, patient, "", "", "RXX", "MR") }
}

// ofClass changes PV1-2.
func ofClass(raw []byte, class string) []byte {
	return []byte(replaceOnce(string(raw), "PV1||E", "PV1||"+class))
}

// inEveryOrder calls with each permutation of the messages.
func inEveryOrder(messages [][]byte, try func(order [][]byte)) {
	var permute func(k int)
	permute = func(k int) {
		if k == len(messages) {
			try(slices.Clone(messages))
			return
		}
		for i := k; i < len(messages); i++ {
			messages[k], messages[i] = messages[i], messages[k]
			permute(k + 1)
			messages[k], messages[i] = messages[i], messages[k]
		}
	}
	permute(0)
}

// standing are the discharges that stand: by journey, how many.
func (w *ward) standing() map[string]int {
	found := map[string]int{}
	for _, v := range w.unit.Visits {
		if v.Published.Active() {
			found[v.Published.Journey]++
		}
	}
	return found
}

func TestAnotherVisitNumberWithinADayIsTheSameAttendance(t *testing.T) {
	t.Parallel()
	h := newHospital()
	arrival := h.message("A04", reason("248062006", "", "SCT"))
	h.number = "V2"
	messages := [][]byte{arrival, h.message("A01"), h.message("A03")}
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.outcomes(order...)
		if s := w.standing(); len(s) != 1 || total(s) != 1 {
			t.Errorf("standing %v", s)
		}
	})
}

func total(of map[string]int) (n int) {
	for _, count := range of {
		n += count
	}
	return n
}

func TestTwoAttendancesOfOneDayAreTwo(t *testing.T) {
	t.Parallel()
	h := newHospital()
	first := [][]byte{h.message("A04", reason("248062006", "", "SCT")), h.message("A03")}
	h.number, h.at = "V2", h.at.Add(10*time.Hour)
	messages := append(first, h.message("A04", reason("248062006", "", "SCT")), h.message("A03"))
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.now = morning.Add(12 * time.Hour)
		w.outcomes(order...)
		if s := w.standing(); total(s) != 2 || len(s) != 2 {
			t.Errorf("standing %v", s)
		}
	})
}

func TestSomebodyWhoComesBackJoinsTheirOpenJourney(t *testing.T) {
	t.Parallel()
	h := newHospital()
	messages := [][]byte{withTraced(h.message("A04", reason("248062006", "", "SCT"))), withTraced(h.message("A03"))}
	h.number, h.at = "V2", h.at.Add(72*time.Hour)
	messages = append(messages, withTraced(h.message("A04", reason("248062006", "", "SCT"))),
		withTraced(h.message("A03")))
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.now = morning.Add(96 * time.Hour)
		w.outcomes(order...)
		s := w.standing()
		if len(s) != 1 || total(s) != 2 {
			t.Errorf("standing %v", s)
		}
		for _, v := range w.unit.Visits {
			if got := slices.Contains(v.Published.Flags, schemas.FlagReturned); got != (v.Number == "V2") {
				t.Errorf("visit %s: flags %v", v.Number, v.Published.Flags)
			}
		}
	})
}

func TestWithoutAVerifiedNumberComingBackIsAJourneyOfItsOwn(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(h.message("A04", reason("248062006", "", "SCT")), h.message("A03"))
	h.number, h.at = "V2", h.at.Add(72*time.Hour)
	w.now = morning.Add(96 * time.Hour)
	w.outcomes(h.message("A04", reason("248062006", "", "SCT")), h.message("A03"))
	if s := w.standing(); len(s) != 2 {
		t.Errorf("standing %v", s)
	}
}

func TestAnotherHospitalsVisitJoinsByVerifiedNumberAndAClosedJourneyIsNotJoined(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(withTraced(h.message("A04", reason("248062006", "", "SCT"))), withTraced(h.message("A03")))
	elsewhere := func(raw []byte) []byte { return []byte(strings.ReplaceAll(string(withTraced(raw)), "RXX", "RYY")) }
	h.number, h.patient, h.at = "V2", "Z1", h.at.Add(72*time.Hour)
	w.now = morning.Add(96 * time.Hour)
	w.outcomes(elsewhere(h.message("A04", reason("248062006", "", "SCT"))), elsewhere(h.message("A03")))
	if s := w.standing(); len(s) != 1 || total(s) != 2 {
		t.Fatalf("standing %v", s)
	}
	for _, j := range w.unit.Journeys {
		j.State = record.JourneyClosed
	}
	h.number, h.at = "V3", h.at.Add(72*time.Hour)
	w.now = morning.Add(200 * time.Hour)
	w.outcomes(elsewhere(h.message("A04", reason("248062006", "", "SCT"))), elsewhere(h.message("A03")))
	if s := w.standing(); len(s) != 2 {
		t.Errorf("standing %v", s)
	}
}

func TestMergedVisitNumbersAreOneAttendanceAndOneOffer(t *testing.T) {
	t.Parallel()
	h := newHospital()
	messages := [][]byte{h.message("A04", reason("248062006", "", "SCT"))}
	h.number, h.at = "V2", h.at.Add(48*time.Hour) // too far apart to be joined by time
	messages = append(messages, h.message("A03"), h.message("A42", mergeVisits("V1")))
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.now = morning.Add(50 * time.Hour)
		w.outcomes(order...)
		if s := w.standing(); len(s) != 1 || total(s) != 1 {
			t.Errorf("standing %v", s)
		}
	})
	// Both had been raised: the later is taken back.
	h, w := newHospital(), newWard(t)
	w.outcomes(h.message("A04", reason("248062006", "", "SCT")), h.message("A03"))
	h.number, h.at = "V2", h.at.Add(48*time.Hour)
	w.now = morning.Add(50 * time.Hour)
	got := w.outcomes(h.message("A04", reason("248062006", "", "SCT")), h.message("A03"),
		h.message("A42", mergeVisits("V1")))
	if s := w.standing(); total(s) != 1 || w.count(schemas.DischargeWithdrawn) != 1 {
		t.Errorf("outcomes %q, standing %v", got, s)
	}
}

func TestACorrectedIdentifierIsTheSamePerson(t *testing.T) {
	t.Parallel()
	h := newHospital()
	messages := [][]byte{h.message("A01", reason("248062006", "", "SCT"))}
	h.patient = "L99"
	messages = append(messages, h.message("A47", giveUp("L42")))
	h.number = ""
	messages = append(messages, h.message("A03"))
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.outcomes(order...)
		if s := w.standing(); total(s) != 1 {
			t.Errorf("standing %v", s)
		}
	})
}

func TestAWardStayMovesTheDischargeToItsEnd(t *testing.T) {
	t.Parallel()
	h := newHospital()
	messages := [][]byte{h.message("A04", reason("248062006", "", "SCT"))}
	h.number = "W1"
	messages = append(messages, ofClass(h.message("A01"), "I"))
	h.number = "V1"
	messages = append(messages, h.message("A03"))
	w := newWard(t)
	w.outcomes(messages...)
	if s := w.standing(); total(s) != 0 {
		t.Errorf("raised on the way to the ward: %v", s)
	}
	h.number, h.at = "W1", h.at.Add(50*time.Hour)
	messages = append(messages, ofClass(h.message("A03"), "I"))
	inEveryOrder(messages, func(order [][]byte) {
		w := newWard(t)
		w.now = morning.Add(60 * time.Hour)
		w.outcomes(order...)
		var left time.Time
		for _, v := range w.unit.Visits {
			if v.Published.Active() {
				left = v.Published.Left.At
			}
		}
		if s := w.standing(); total(s) != 1 || !left.Equal(h.at.Truncate(time.Second)) {
			t.Errorf("standing %v, left %v, want %v", s, left, h.at)
		}
	})
}

func TestCodesOnAVisitElsewhereAreForAHumanAndUrgentCareCounts(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	expect(t, w.outcomes(ofClass(h.message("A04", reason("248062006", "", "SCT")), "O"),
		ofClass(h.message("A03"), "O")),
		"joined not-ended", "quarantined setting-not-emergency")
	h, w = newHospital(), newWard(t)
	w.profiles.Fallback.Settings.Places = []string{"UTC1"}
	atCentre := func(raw []byte) []byte { return []byte(replaceOnce(string(raw), "PV1||E", "PV1||O|UTC1")) }
	expect(t, w.outcomes(atCentre(h.message("A04", reason("248062006", "", "SCT"))), atCentre(h.message("A03"))),
		"joined not-ended", "raised ")
}

func TestAnOpenRegistrationDoesNotSilenceADischarge(t *testing.T) {
	t.Parallel()
	h, w := newHospital(), newWard(t)
	w.outcomes(h.message("A04", reason("248062006", "", "SCT")))
	h.number = "V2"
	w.outcomes(h.message("A04")) // registered again under another number, never ended
	h.number = "V1"
	if got := w.outcomes(h.message("A03")); got[0] != "raised " {
		t.Errorf("got %q", got)
	}
}

// TestAnyInterleavingOfCorrectionsAndMergesConverges: whatever the order of arrival, and whatever is resent, the
// attendances, what stands and what is asked end the same.
func TestAnyInterleavingOfCorrectionsAndMergesConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		messages := drawMessages(r, rapid.Bool().Draw(r, "verified"))
		inOrder, shuffled := newWard(t), newWard(t)
		inOrder.now, shuffled.now = drawnNow, drawnNow
		inOrder.outcomes(messages...)
		for _, i := range drawOrder(r, len(messages)) {
			shuffled.outcomes(messages[i])
		}
		if a, b := attendancesOf(inOrder), attendancesOf(shuffled); !reflect.DeepEqual(a, b) {
			r.Fatalf("\n in order %v\n shuffled %v", a, b)
		}
		for _, w := range []*ward{inOrder, shuffled} {
			if visits := standsTwice(w); visits != nil {
				r.Fatalf("two stand of one attendance: %v", visits)
			}
		}
	})
}

// standsTwice are the visits of an attendance of which more than one stands: one attendance is one offer.
func standsTwice(w *ward) (numbers []string) {
	for _, person := range w.unit.Owners {
		for _, attended := range record.Attendances(w.visitsOf(person)) {
			numbers = nil
			for _, v := range attended {
				if v.Published.Active() {
					numbers = append(numbers, v.Number)
				}
			}
			if len(numbers) > 1 {
				return numbers
			}
		}
	}
	return nil
}

// visitsOf are the visits of a person, under any record of theirs.
func (w *ward) visitsOf(person *record.Person) []*record.Visit {
	ids := w.unit.IdsOf(person)
	return slices.DeleteFunc(slices.Clone(w.unit.Visits),
		func(v *record.Visit) bool { return !slices.Contains(ids, v.Person) })
}

// TestEveryKindOfMessageIsAmongTheInterleavings, of all that a profile reads as more than nothing.
func TestEveryKindOfMessageIsAmongTheInterleavings(t *testing.T) {
	t.Parallel()
	profiles, err := reading.ShippedProfiles()
	if err != nil {
		t.Fatal(err)
	}
	for kind, triggers := range profiles.Fallback.Events {
		for _, trigger := range triggers {
			if kind != record.KindIgnore && kind != record.KindByHand && !slices.Contains(drawnTriggers, trigger) {
				t.Errorf("%s, which says %q, is in no interleaving", trigger, kind)
			}
		}
	}
}

// askedAbout says whether a human has the question: as a message quarantined, or as a journey that is paused.
func askedAbout(attended []*record.Visit) bool {
	return len(record.AskedOf(attended)) > 0 ||
		slices.ContainsFunc(attended, func(v *record.Visit) bool { return v.Published.Withdrawn == "recoded" })
}

// drawOrder is any order of so many messages.
func drawOrder(r *rapid.T, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return rapid.Permutation(order).Draw(r, "order")
}

// drawnTriggers are what a drawn message may be: a trigger event, some with more than one content; a report, a form or
// a form taken back.
var drawnTriggers = []string{"A01", "A04", "A04", "A06", "A07", "A08", "A08x", "A08y", "A03", "A03", "A13", "A11",
	"A23", "A02", "A12",
	"A28", "A31", "A31dead", "A34", "A40", "A42", "A47", "reported", "submitted"}

// drawnMerges make two records one person.
var drawnMerges = []string{"A34", "A40", "A47"}

// drawnNow is when drawn messages are read, long after the last of them was said: all of them are of the past.
var drawnNow = evening

func drawMessages(r *rapid.T, verified bool) (messages [][]byte) {
	h := newHospital()
	h.at = drawnNow.Add(-400 * time.Hour)
	triggers := rapid.SliceOfN(rapid.SampledFrom(drawnTriggers), 1, 7).Draw(r, "triggers")
	births := []string{"19900401", "19900401", "20140401"}
	if slices.ContainsFunc(triggers, func(trigger string) bool { return slices.Contains(drawnMerges, trigger) }) {
		births = births[:1] // which of two merged records' counts is for the human who is shown the merge
	}
	for _, trigger := range triggers {
		h.number = rapid.SampledFrom([]string{"V1", "V1", "V1", "V2", "V3", ""}).Draw(r, "number")
		h.patient = rapid.SampledFrom([]string{"L42", "L42", "L43"}).Draw(r, "patient")
		h.birth = rapid.SampledFrom(births).Draw(r, "birth")
		h.at = h.at.Add(rapid.SampledFrom([]time.Duration{-2 * time.Minute, time.Hour, 5 * time.Hour,
			30 * time.Hour}).Draw(r, "gap"))
		messages = append(messages, h.drawn(r, trigger, verified))
	}
	return messages
}

func (h *hospital) drawn(r *rapid.T, trigger string, verified bool) []byte {
	var m []byte
	switch trigger {
	case "reported", "submitted":
		return h.event(trigger, rapid.Bool().Draw(r, "inScope"), verified)
	case "A08x":
		m = h.message("A08", diagnosis("X60", "", "I10"))
	case "A08y":
		m = h.message("A08", diagnosis("S61", "", "I10"))
	case "A01", "A06":
		m = ofClass(h.message(trigger), "I")
	case "A04":
		m = h.message("A04", reason("248062006", "", "SCT"))
	case "A31dead":
		m = h.withPID(h.message("A31"), 30, "Y")
	case "A42":
		if h.number == "" {
			h.number = "V1"
		}
		m = h.message("A42", mergeVisits(rapid.SampledFrom([]string{"V2", "V3"}).Draw(r, "given")))
	case drawnMerges[0], drawnMerges[1], drawnMerges[2]:
		h.patient = "L42"
		m = h.message(trigger, giveUp("L43"))
	case "A28", "A31":
		h.birth = "" // of somebody not known yet nothing is kept, neither a birth date nor a telephone
		m = []byte(replaceOnce(string(h.message(trigger)), "07700900123", ""))
	default:
		m = h.message(trigger)
	}
	if verified && h.birth != "" && trigger != "A31dead" {
		m = h.withPID(m, 32, "NSTS01")
	}
	return m
}

// event is a discharge that another system reports, or a form; each of one visit of the same people.
func (h *hospital) event(kind string, inScope, verified bool) []byte {
	h.control++
	h.at = h.at.Add(time.Minute)
	at := h.at.UTC().Format(time.RFC3339)
	born := h.birth[:4] + "-" + h.birth[4:6] + "-" + h.birth[6:]
	who := fmt.Sprintf(
		`{"localId":%q,"nhsNumber":"9990000107","nhsNumberVerified":%t,"familyName":"Example","givenName":"Ada","birthDate":%q}`, h.patient, verified, born)
	typ, visit := schemas.ReferralSubmitted, ""
	data := fmt.Sprintf(`"referral":"C%d","route":"professional"`, h.control)
	if kind == "reported" {
		typ, data = schemas.DischargeReported, fmt.Sprintf(`"inScope":%t,"leftAt":%q`, inScope, at)
		h.number = cmp.Or(h.number, "V1") // a report has to name its visit
	}
	if h.number != "" {
		visit = fmt.Sprintf(`"visit":%q,`, h.number)
	}
	return fmt.Appendf(nil,
		`{"specversion":"1.0","id":"C%d","source":"/hospitals/rxx","type":%q,"time":%q,"datacontenttype":"application/json","data":{"organisation":"RXX",%s%s,"person":%s}}`,
		h.control, typ, at, visit, data, who)
}

// attendancesOf is what must not depend on the order of arrival: each attendance, with what is known of it and
// whether it stands.
func attendancesOf(w *ward) []string {
	var found []string
	journeys := map[string]bool{}
	people := map[*record.Person]bool{}
	for _, person := range w.unit.Owners {
		people[person] = true
	}
	for person := range people {
		for _, attended := range record.Attendances(w.visitsOf(person)) {
			so := record.Together(record.PartsInTime(attended))
			standing := 0
			var numbers []string
			for _, v := range attended {
				if v.IsNumbered() {
					numbers = append(numbers, v.Number)
				}
			}
			slices.Sort(numbers)
			// what was raised before it was known stands, and nobody is in touch; nothing is raised after
			if w.unit.IsDeceased(person) {
				found = append(found, fmt.Sprint(numbers, " of ", len(attended), " of somebody who has died, in touch ",
					slices.ContainsFunc(attended, inTouch)))
				continue
			}
			for _, v := range attended {
				if v.Published.Active() {
					standing++
					journeys[v.Published.Journey] = true
				}
			}
			line := fmt.Sprint(numbers, " of ", len(attended), " standing ", standing, " ended ", so.Ended(), " scope ",
				so.Scope().Verdict,
				" asked ", so.Ended() && so.Scope().Verdict == record.VerdictAsk && askedAbout(attended))
			line += " " + toldOf(attended)
			if so.Ended() {
				line += " left " + so.End.Left.At.Format(time.RFC3339)
			}
			found = append(found, line)
		}
	}
	found = slices.Compact(slices.Sorted(slices.Values(found)))
	return append(found, fmt.Sprint(len(slices.Collect(maps.Keys(journeys))) > 0))
}

// inTouch says that something was told of a visit, and that contact was not stopped.
func inTouch(v *record.Visit) bool { return v.Published.Journey != "" && !v.Published.ContactOver }

// toldOf is what stands told of an attendance: the day, the age and why a human is shown it. That somebody has come
// back is left out: it is said of whichever attendance was raised second.
func toldOf(attended []*record.Visit) string {
	for _, v := range attended {
		if !v.Published.Active() {
			continue
		}
		age := -1
		if v.Published.Facts.Age != nil {
			age = *v.Published.Facts.Age
		}
		flags := slices.DeleteFunc(slices.Sorted(slices.Values(v.Published.Flags)),
			func(flag string) bool { return flag == schemas.FlagReturned })
		return fmt.Sprint("on ", v.Published.LeftOn, " aged ", age, " shown for ", flags)
	}
	return "nothing"
}
