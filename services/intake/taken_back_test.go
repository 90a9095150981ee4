package intake

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"footbridge/services/intake/record"
)

// A visit that was coded away, and is then taken back by the hospital, asks nobody any more whether it was of concern:
// as if the coding had come late.
func TestAVisitThatWasRecodedAndThenCancelledAsksNobody(t *testing.T) {
	t.Parallel()
	h := newHospital()
	h.at = drawnNow.Add(-400 * time.Hour)
	var messages [][]byte
	for _, m := range []struct {
		trigger, number, patient string
		gap                      time.Duration
	}{{"A01", "V1", "L43", -2 * time.Minute}, {"A08x", "V1", "L42", 30 * time.Hour},
		{"A01", "V2", "L42", 30 * time.Hour}, {"A03", "V1", "L42", -2 * time.Minute},
		{"A03", "V1", "L43", -2 * time.Minute}, {"A08y", "V1", "L42", time.Hour}, {"A11", "V1", "L42", 5 * time.Hour}} {
		h.number, h.patient, h.birth = m.number, m.patient, "19900401"
		h.at = h.at.Add(m.gap)
		messages = append(messages, h.drawn(nil, m.trigger, false))
	}
	var ends [][]string
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5, 6}, {4, 0, 6, 1, 3, 2, 5}, {0, 1, 3, 5, 6, 2, 4},
		{6, 5, 4, 3, 2, 1, 0}} {
		w := newWard(t)
		w.now = drawnNow
		for _, i := range order {
			w.outcomes(messages[i])
		}
		ends = append(ends, attendancesOf(w))
		if slices.ContainsFunc(w.unit.Visits,
			func(v *record.Visit) bool { return v.Published.Withdrawn == "recoded" }) {
			t.Errorf("order %v: a cancelled visit asks whether it was of concern", order)
		}
	}
	for _, end := range ends[1:] {
		if !reflect.DeepEqual(end, ends[0]) {
			t.Errorf("ends as %v, and as %v", ends[0], end)
		}
	}
}
