package threshold

import (
	"testing"

	"footbridge/schemas"
)

func TestAPlacedJourneyIsThatOrganisationsInEitherOrder(t *testing.T) {
	t.Parallel()
	begin := func(k *JourneyState) { k.begin(1, "p", "RXX", "2026-11-20", schemas.Facts{}) }
	place := func(k *JourneyState) { k.correct(2, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RYY"}) }
	for name, order := range map[string][]func(*JourneyState){"in order": {begin, place, place}, "late": {place, begin},
		"again": {begin, place, begin}} {
		var k JourneyState
		for _, hear := range order {
			hear(&k)
		}
		if k.Sender != "RYY" || k.Person != "p" {
			t.Errorf("%s: of %s, person %q", name, k.Sender, k.Person)
		}
	}
	unplace := func(k *JourneyState) {
		k.correct(3, schemas.DischargeCorrectedData{Visit: "v", Organisation: "RXX"})
	}
	for name, order := range map[string][]func(*JourneyState){"in order": {begin, place, unplace, unplace},
		"late": {unplace, place, begin}, "again": {begin, unplace, place}} {
		var k JourneyState
		for _, hear := range order {
			hear(&k)
		}
		if k.Sender != "RXX" || k.Person != "p" {
			t.Errorf("undone, %s: %+v", name, k)
		}
	}
}
