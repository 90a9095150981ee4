package console

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

func TestWhatAPartnerMayBeToldHasWords(t *testing.T) {
	t.Parallel()
	for _, typ := range append(schemas.PartnerTypes(), schemas.OfferWithheld) {
		if newsWords[string(typ)] == "" {
			t.Errorf("%s has no words", typ)
		}
	}
}

func TestTheCalendarShowsWhatIsBookedByLocalDays(t *testing.T) {
	t.Parallel()
	var offers []offer
	// half an hour before midnight in London, in summer time: the day is the local one
	err := json.Unmarshal([]byte(`[
		{"offer": "c", "appointment": {"startsAt": "2026-06-02T22:30:00Z", "channel": "video", "minutes": 90}},
		{"offer": "a", "appointment": {"startsAt": "2026-06-01T22:30:00Z", "channel": "phone", "minutes": 60}},
		{"offer": "b", "appointment": {"startsAt": "2026-06-01T22:45:00Z", "channel": "video", "minutes": 90}},
		{"offer": "stopped", "stop": true, "appointment": {"startsAt": "2026-06-01T22:30:00Z"}},
		{"offer": "not booked"}]`), &offers)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, day := range byDays(offers, time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC), zone) {
		got += day.Day + ":"
		for _, one := range day.Sessions {
			got += fmt.Sprintf(" %s %s %v;", one.ID, one.At, one.Past)
		}
		got += "\n"
	}
	if want := "Monday 1 June 2026: a 11:30pm true; b 11:45pm true;\nTuesday 2 June 2026: c 11:30pm false;\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}
