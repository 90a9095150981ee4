package journey

import (
	"testing"
	"time"

	"footbridge/schemas"
)

func TestAPlacedJourneyIsThatOrganisationsInEitherOrder(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	begin := func(k *JourneyState) { k.addBeginning(1, now, "p", "RXX", "v", "", []string{schemas.FlagUnplaced}) }
	place := func(k *JourneyState) {
		k.addCorrected(2, now, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RYY", Flags: []string{}})
	}
	for name, order := range map[string][]func(*JourneyState){"in order": {begin, place, place}, "late": {place, begin},
		"again": {begin, place, begin}} {
		var k JourneyState
		for _, hear := range order {
			hear(&k)
		}
		if k.Sender != "RYY" || k.Person != "p" || len(k.Visits["v"].Flags) > 0 {
			t.Errorf("%s: of %s, person %q, flags %v", name, k.Sender, k.Person, k.Visits["v"].Flags)
		}
	}
	unplace := func(k *JourneyState) {
		k.addCorrected(3, now, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RXX",
			Flags: []string{schemas.FlagUnplaced}})
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
