package intake

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

// Where two records are said to be one person, and either says that they are under 18, everything that stands of them
// waits for a young people's clinician: whichever survives, and in whatever order it came.
func TestAChildByEitherRecordIsOneInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		h := newHospital()
		h.at = drawnNow.Add(-100 * time.Hour)
		births := map[string]string{"L42": "19900401", "L43": "20140401"}
		if rapid.Bool().Draw(r, "the survivor is the child") {
			births["L42"], births["L43"] = births["L43"], births["L42"]
		}
		var messages [][]byte
		for number, patient := range map[string]string{"V1": "L42", "V2": "L43"} {
			h.number, h.patient, h.birth, h.at = number, patient, births[patient], h.at.Add(40*time.Hour)
			messages = append(messages, h.message("A04", reason("248062006", "", "SCT")), h.message("A03"))
		}
		h.number, h.patient, h.birth = "", "L42", births["L42"]
		messages = append(messages, h.message("A40", giveUp("L43")))
		w := newWard(t)
		w.now = drawnNow
		for _, i := range drawOrder(r, len(messages)) {
			w.outcomes(messages[i])
		}
		for _, v := range w.unit.Visits {
			if v.Published.Active() && !slices.Contains(v.Published.Flags, schemas.FlagUnder18) {
				r.Fatalf("visit %s stands, and nobody is shown that they may be a child: %v", v.Number,
					v.Published.Flags)
			}
		}
	})
}
