package bridging

import (
	"fmt"
	"slices"
	"time"

	"footbridge/libs/calendar"
)

// Caller is somebody who makes calls, as they say of themselves.
type Caller struct {
	Team, Mark       string
	Days             calendar.Weekdays
	FromHour, ToHour int
	Most             int // calls a day
	Channel          string
	AwayUntil        calendar.Day // the last day on which they are away; 0 for none
}

// works says whether an instant is within their hours, on a day on which they are not away.
func (c Caller) works(at time.Time, zone *time.Location) bool {
	day, hour := calendar.DayOf(at, zone), at.In(zone).Hour()
	return day > c.AwayUntil && c.Days[day.Weekday()] && c.FromHour <= hour && hour < c.ToHour
}

// next is the first moment from one time on, before another, at which they work.
func (c Caller) next(from, before time.Time, zone *time.Location) (time.Time, bool) {
	for at := from; at.Before(before); at = at.Truncate(time.Hour).Add(time.Hour) {
		if c.works(at, zone) {
			return at, true
		}
	}
	return time.Time{}, false
}

// callOpen is an open call as far as it matters who makes it.
type callOpen struct {
	id, team, caller string
	due              time.Time
	sequence         int // rises with each change of its time
	stage            int // how far reminding about it has come
}

// tell says who is told of a call: whoever makes it, where they work when it is due; else those of the team who do; and
// where nobody does, everybody of the team who is not away that day. Whoever left no channel looks at the list.
func (c callOpen) tell(callers []Caller, zone *time.Location) []Caller {
	team := slices.DeleteFunc(slices.Clone(callers), func(k Caller) bool {
		return k.Team != c.team || calendar.DayOf(c.due, zone) <= k.AwayUntil
	})
	on := slices.DeleteFunc(slices.Clone(team), func(k Caller) bool { return !k.works(c.due, zone) })
	if i := slices.IndexFunc(on, func(k Caller) bool { return k.Mark == c.caller }); i >= 0 {
		on = on[i : i+1]
	}
	if len(on) == 0 {
		on = team
	}
	return slices.DeleteFunc(on, func(k Caller) bool { return k.Channel == "" })
}

// Kinds of notices.
const (
	noticeAhead    = "ahead"
	noticeDue      = "due"
	noticeLate     = "late"
	noticeHandedOn = "handed-on"
)

// Notice is something that a caller is to be told of a call, from a time on.
type Notice struct {
	ID, Kind, Call, Team, Mark string
	DueAt, From                time.Time
}

// noticeWithin is until when somebody is told in their own hours; what would be told later is told by what comes next.
func noticeWithin(kind string, due, now time.Time) time.Time {
	switch kind {
	case noticeAhead, noticeHandedOn:
		return due
	case noticeDue:
		return due.Add(lateAfter)
	}
	return now.AddDate(0, 0, 7)
}

// notices are those of one kind about a call. Nobody is told outside of their own hours while another still can be;
// where nobody's hours allow it before it is too late, they are told at once.
func (c callOpen) notices(kind string, callers []Caller, now time.Time, zone *time.Location) []Notice {
	var told []Notice
	all := c.tell(callers, zone)
	add := func(k Caller, from time.Time) {
		told = append(told, Notice{ID: fmt.Sprintf("%s-%d-%s-%s", c.id, c.sequence, kind, k.Mark), Kind: kind,
			Call: c.id, Team: k.Team, Mark: k.Mark, DueAt: c.due, From: from})
	}
	for _, k := range all {
		if from, ok := k.next(now, noticeWithin(kind, c.due, now), zone); ok {
			add(k, from)
		}
	}
	if len(told) == 0 && kind != noticeAhead {
		for _, k := range all {
			add(k, now)
		}
	}
	return told
}

// reassign says who makes the calls of somebody who is away: of those of the team who work when a call is due, and have
// room that day, the one with the fewest; nobody in particular where none has. load is how many open calls of a day
// each has, and gains what is given out.
func reassign(calls []callOpen, callers []Caller, load map[string]int, zone *time.Location) map[string]string {
	given := map[string]string{}
	for _, c := range calls {
		day, best := calendar.DayOf(c.due, zone), ""
		of := func(mark string) string { return mark + "/" + day.String() }
		for _, k := range callers {
			fewer := best == "" || load[of(k.Mark)] < load[of(best)]
			if k.Team == c.team && k.Mark != c.caller && k.works(c.due, zone) && load[of(k.Mark)] < k.Most && fewer {
				best = k.Mark
			}
		}
		if best != "" {
			load[of(best)]++
		}
		given[c.id] = best
	}
	return given
}

// A notice that could not be handed over is tried again, sooner at first, until it was or is true no more.
func noticeAgain(tries int, now time.Time) time.Time {
	return now.Add(min(time.Minute<<min(tries, 4), 15*time.Minute))
}

// downFor is after how long without anything handed over by a channel somebody is alarmed, and alarmAgain how often.
const (
	downFor    = 5 * time.Minute
	alarmAgain = 30 * time.Minute
)
