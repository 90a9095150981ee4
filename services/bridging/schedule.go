package bridging

import (
	"hash/fnv"
	"slices"
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

	mostTries     = 3  // of one call: the first, and two more
	retryDays     = 3  // within so many days of the first
	longestSearch = 60 // days for one that the person's hours allow
	mostAway      = 39 // of those, on which a partner that rings is away: three weeks are left (gone_long)
)

// Window is when the person may be rung: on days of the week, from one local hour until another. A call is over by its
// end.
type Window struct {
	Days     []string `json:"days"`
	FromHour int      `json:"fromHour"`
	ToHour   int      `json:"toHour"`
}

// usual is when somebody is rung who stated no hours.
var usual = []Window{{Days: []string{"mon", "tue", "wed", "thu", "fri"}, FromHour: firstHour, ToHour: lastHour}}

// Agreement is what the person agreed about their calls, as somebody recorded it or they did. What nobody spoke of is
// empty, and as usual.
type Agreement struct {
	EveryDays int  `json:"everyDays,omitempty"`
	Monthly   bool `json:"monthly,omitempty"`
	Minutes   int  `json:"minutes,omitempty"`
	// From is the local day that the rhythm counts from.
	From    string   `json:"from,omitempty"`
	Windows []Window `json:"windows,omitempty"`
	Channel string   `json:"channel,omitempty"`
	Nation  string   `json:"nation,omitempty"`
	// Unanswered is what they chose for when nobody answers: nothing, a text, or to try somebody else.
	Unanswered string `json:"unanswered,omitempty"`
	// Team is the organisation whose callers ring, where it is not the journey's own.
	Team string `json:"team,omitempty"`
	// RemindPerson: they asked to be reminded themselves.
	RemindPerson bool `json:"remindPerson,omitempty"`
	// PausedUntil is the first local day on which calls go on.
	PausedUntil string `json:"pausedUntil,omitempty"`
	// ReviewedOn is the local day on which the plan was last looked at with the person, or somebody was asked to.
	ReviewedOn string `json:"reviewedOn,omitempty"`
}

func (a Agreement) windows() []Window {
	if len(a.Windows) == 0 {
		return usual
	}
	return a.Windows
}

// agreed is what was agreed about calls, within the hours in which the person may be rung as they last said: those
// windows that reach into them, and where none does, those hours on the days that were agreed.
func (k *JourneyState) agreed() Agreement {
	a := k.Agreed
	if !k.Named() {
		return a
	}
	var within, instead []Window
	for _, w := range a.windows() {
		instead = append(instead, Window{w.Days, k.From, k.Until})
		from, until := max(w.FromHour, k.From), min(w.ToHour, k.Until)
		if from*60+a.length() <= until*60 {
			within = append(within, Window{w.Days, from, until})
		}
	}
	if a.Windows = within; len(a.Windows) == 0 {
		a.Windows = instead
	}
	return a
}

func (a Agreement) length() int {
	if a.Minutes == 0 {
		return minutes
	}
	return a.Minutes
}

func (a Agreement) every() int {
	if a.EveryDays == 0 {
		return everyDays
	}
	return a.EveryDays
}

// slots are the minutes of a day at which a call may begin, sorted.
func (a Agreement) slots(day calendar.Day) (slots []int) {
	for _, w := range a.windows() {
		if week, _ := weekOf(w.Days); !week[day.Weekday()] {
			continue
		}
		for at := w.FromHour * 60; at+a.length() <= w.ToHour*60; at += slotMinutes {
			slots = append(slots, at)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// may says whether the person may be rung at an instant.
func (a Agreement) may(at time.Time, zone *time.Location) bool {
	local := at.In(zone)
	minute := local.Hour()*60 + local.Minute()
	day := calendar.DayOf(at, zone)
	return slices.ContainsFunc(a.windows(), func(w Window) bool {
		week, _ := weekOf(w.Days)
		return week[day.Weekday()] && w.FromHour*60 <= minute && minute+a.length() <= w.ToHour*60
	})
}

// next is the first day of the rhythm after base, counted from anchor: months by the day of the month (31 January, 28
// February, 31 March), days by the calendar.
func (a Agreement) next(anchor, base calendar.Day) calendar.Day {
	if anchor > base {
		return anchor
	}
	if !a.Monthly {
		every := calendar.Day(a.every())
		return anchor + ((base-anchor)/every+1)*every
	}
	months := max(0, int(base-anchor)/31-1)
	for anchor.AddMonths(months) <= base {
		months++
	}
	return anchor.AddMonths(months)
}

// place finds when a call may be made, from a day on: on a day of the person's that is no bank holiday of their nation
// and on which nobody else has planned to be in touch. The quarter of an hour follows from the journey's id, so that
// the calls of one day are spread, and it is the same however often it is worked out; a further try is at another time
// of day. Local time: ten o'clock stays ten o'clock when the clocks change, and an hour that does not exist is none
// that is allowed.
func (a Agreement) place(journey string, from calendar.Day, try int, busy map[calendar.Day]bool,
	zone *time.Location) (on calendar.Day, at time.Time, ok bool) {
	holidays := calendar.Of(a.Nation)
	h := fnv.New32a()
	_, _ = h.Write([]byte(journey))
	for on = from; on < from+longestSearch; on++ {
		slots := a.slots(on)
		if holidays.Is(on) || busy[on] || len(slots) == 0 {
			continue
		}
		first := int(h.Sum32()%uint32(len(slots))) + (try-1)*len(slots)/mostTries
		for i := range slots {
			minute := slots[(first+i)%len(slots)]
			at = on.At(minute/60, minute%60, zone)
			if local := at.In(zone); local.Hour()*60+local.Minute() == minute {
				return on, at, true
			}
		}
	}
	return from, time.Time{}, false
}
