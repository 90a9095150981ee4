package followup

import (
	"time"

	"footbridge/libs/calendar"
)

// Numbers of days. Defaults of the domain page, for a clinical safety officer to set.
const (
	firstDayAfter = 7  // the window opens this many calendar days after leaving hospital
	lastDayAfter  = 14 // the promise: its last day, inclusive
	fewDays       = 5  // with fewer days than this left when raised, the window starts again
	daysForNext   = 3  // days that must remain for the next partner when one has not answered
	answerDays    = 2  // the partner's working days to answer in
	answerHour    = 17 // the local hour by which an answer is asked for
)

// Window is when the follow-up should happen: local calendar days in Europe/London, both inclusive.
type Window struct {
	First, Last calendar.Day
	// Late says that fewer than five days of the promised window were left when it was raised, so that it counts
	// from the day it was raised and a navigator is told at once.
	Late bool
}

// windowOf returns the window of somebody who left hospital on left, for an offer raised on today: day 7 to day 14
// (Self-Injury Support's "likely within 7 to 14 days of the visit"). When fewer than five days are left, because the
// visit was coded late, it runs from today for fourteen days and is late. Days are dates, so neither clock change
// makes a day of 23 or 25 hours count wrongly.
func windowOf(left, today calendar.Day) Window {
	w := Window{First: left + firstDayAfter, Last: left + lastDayAfter}
	if w.Last-today < fewDays {
		return Window{First: today, Last: today + lastDayAfter, Late: true}
	}
	return w
}

// answerBy returns the instant by which the partner is asked to answer: five in the afternoon of its second working
// day after today, but early enough that the next partner can still be asked when three days of the window remain. A
// partner asked later than that has until the next day.
func answerBy(w Window, today calendar.Day, p Partner, holidays *calendar.Holidays, zone *time.Location) time.Time {
	by := min(p.workingDay(today, answerDays, holidays), max(w.Last-daysForNext, today+1))
	return by.At(answerHour, 0, zone)
}
