package journey

import (
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/schemas"
)

// While somebody else has the person, every journey of theirs is held: whichever was held, whether the records were
// merged before or after, in either order, until it is released or the records turn out to be two people's.
func TestAHoldPausesEveryJourneyOfThePerson(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		data   schemas.PersonMergedData
		before bool // merged before the hold
		part   bool // ended by parting the records, not by releasing
	}{
		"merged before, released": {schemas.PersonMergedData{Person: "p", Other: "q"}, true, false},
		"merged before, the other way": {schemas.PersonMergedData{Person: "q", Other: "p", Confirmed: true}, true,
			true},
		"merged while held, parted":        {schemas.PersonMergedData{Person: "p", Other: "q"}, false, true},
		"merged while held, the other way": {schemas.PersonMergedData{Person: "q", Other: "p"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			one, other := w.today(clock.NewID(w.c.Now())), w.today(clock.NewID(w.c.Now()))
			one.discharge()
			other.say(schemas.DischargeRecorded, schemas.DischargeRecordedData{Person: "q", Organisation: "RYY",
				Visit: "w", LeftOn: "2026-11-02"})
			hear := func(typ schemas.Type) {
				for _, s := range []*teller{one, other} {
					s.say(typ, tc.data)
					mustApply(t, w.Service, w.pool, withIDs(s.events))
					s.events = nil
				}
			}
			mustApply(t, w.Service, w.pool, append(withIDs(one.events), withIDs(other.events)...))
			one.events, other.events = nil, nil
			state := func(s *teller, want string) {
				t.Helper()
				w.eventually(1, `select count(*) from journey where id = $1 and state = $2`, s.journey, want)
			}
			said := func(typ schemas.Type, want int) {
				t.Helper()
				w.eventually(want, `select count(*) from outbox where subject like '%' || $1 || '.v1.' || $2`,
					string(typ)[len("care.footbridge."):len(typ)-len(".v1")], other.journey)
			}
			do := func(s *teller, what, body string, want int) {
				t.Helper()
				if _, status := ask[any](w, "POST", "/api/journeys/"+s.journey+what, body); status != want {
					t.Fatalf("%s: %d, want %d", what, status, want)
				}
			}
			if tc.before {
				hear(schemas.PersonMerged)
			}
			do(one, "/hold", w.holding(), 200)
			if !tc.before {
				hear(schemas.PersonMerged)
			}
			state(other, journeyOnHold)
			said(schemas.JourneyHeld, 1)
			day := w.c.Now().AddDate(0, 0, 9).In(w.zone).Format(time.DateOnly)
			do(one, "/hold", `{"place": "ward", "heldBy": "ward-team", "reviewOn": "`+day+`"}`, 200)
			w.eventually(1, `select count(*) from journey where id = $1 and known #>> '{hold,reviewOn}' = $2`,
				other.journey, day)
			w.as(schemas.Navigator, "RYY", "s")
			do(other, "/release", "", 409)
			w.as(schemas.Navigator, "RXX", "s")
			if tc.part {
				hear(schemas.PersonUnmerged)
			} else {
				do(one, "/release", "", 200)
			}
			state(other, journeyOpen)
			said(schemas.JourneyReleased, 1)
			state(one, map[bool]string{true: journeyOnHold, false: journeyOpen}[tc.part])
		})
	}
}
