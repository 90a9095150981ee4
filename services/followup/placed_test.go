package followup

import (
	"testing"

	"footbridge/schemas"
)

func TestAPlacedJourneyIsThatOrganisationsInEitherOrder(t *testing.T) {
	t.Parallel()
	begin := func(k *JourneyState) {
		k.addRecorded(1, schemas.DischargeRecordedData{Person: "p", Organisation: "RXX", Visit: "v",
			Flags: []string{schemas.FlagUnplaced}}, "")
	}
	place := func(k *JourneyState) {
		k.addCorrected(2, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RYY", Flags: []string{}}, "")
	}
	for name, order := range map[string][]func(*JourneyState){"in order": {begin, place, place}, "late": {place, begin},
		"again": {begin, place, begin}} {
		var k JourneyState
		for _, hear := range order {
			hear(&k)
		}
		if k.Sender != "RYY" || k.Person != "p" || schemas.HumanFirst(k.Visits["v"].Flags) {
			t.Errorf("%s: of %s, person %q, flags %v", name, k.Sender, k.Person, k.Visits["v"].Flags)
		}
	}
	unplace := func(k *JourneyState) {
		k.addCorrected(3, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RXX",
			Flags: []string{schemas.FlagUnplaced}}, "")
	}
	for name, order := range map[string][]func(*JourneyState){"in order": {begin, place, unplace, unplace},
		"late": {unplace, place, begin}, "again": {begin, unplace, place}} {
		var k JourneyState
		for _, hear := range order {
			hear(&k)
		}
		if k.Sender != "RXX" || k.Person != "p" || !schemas.Unplaced(k.Visits["v"].Flags) {
			t.Errorf("undone, %s: %+v", name, k)
		}
	}
}
