package bridging

import (
	"hash/fnv"
	"time"

	"footbridge/libs/calendar"
)

// Defaults of the domain page, for a clinical safety officer to set.
const (
	everyDays   = 14 // calendar days between calls
	minutes     = 10 // how long a call is meant to be
	firstHour   = 10 // where the person stated no hours: not before ten,
	lastHour    = 19 // and over by seven in the evening
	slotMinutes = 15
)

// callWeek is when callers work; the calls of people who asked for other days come with preferences.
var callWeek = calendar.MondayToFriday

// callAt returns when a journey's next call is due: so many calendar days after today, moved on to a working day, at
// an hour allowed to somebody who stated none. The quarter of an hour follows from the journey's id, so that the calls
// of one day are spread over it, and it is the same however often it is worked out. Local time: ten o'clock stays
// ten o'clock when the clocks change in between.
func callAt(journey string, today calendar.Day, holidays *calendar.Holidays, zone *time.Location) (on calendar.Day, at time.Time) {
	on = holidays.NextWorking(today+everyDays, callWeek)
	slots := (lastHour - firstHour) * 60 / slotMinutes
	h := fnv.New32a()
	_, _ = h.Write([]byte(journey))
	minute := int(h.Sum32()%uint32(slots)) * slotMinutes
	return on, on.At(firstHour+minute/60, minute%60, zone)
}
