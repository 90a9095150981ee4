package intake

import (
	"footbridge/services/intake/reading"
	"math"
	"slices"
	"time"
)

// Kinds of alarm about a feed. Each opens a step for that nightly list, which comes in by CSV and is reconciled by
// visit.
const (
	ReasonSilent   = "feed-silent"
	ReasonFalling  = "triggers-falling"
	ReasonUnknowns = "unknown-codes"
	ReasonFeedBack = "feed-is-back"
)

// feedHour is what came from one sender in one hour.
type feedHour struct {
	Organisation, Sender              string
	Hour                              time.Time
	Messages, Ends, Triggers, Unknown int64
	LastAt                            time.Time
}

// feed is one sender's last weeks, the oldest hour first.
type feed struct {
	Organisation, Sender string
	Hours                []feedHour
	Open                 map[string]string // alarms that stand, by kind: their ids
}

// What counts as silence, and as a fall.
const (
	enoughMessages = 10.0 // as many would have come by now
	rhythmDays     = 7    // before, a feed's own past says nothing
	fallDays       = 7    // the days looked at, against the four weeks before
	fewestTriggers = 20   // in those four weeks, else a fall is chance
	fewestUnknown  = 5    // codes in a day
)

// alarms says which alarms about a feed hold at a time. It is a function of what came, so that a feed that is back
// ends its alarm by itself.
func alarms(f feed, r reading.Rhythm, now time.Time, zone *time.Location) (kinds []string) {
	if len(f.Hours) == 0 {
		return nil
	}
	if !r.Given() {
		r = rhythmOf(f.Hours, r.QuietFor, now, zone)
	}
	last := f.Hours[len(f.Hours)-1].LastAt
	if r.Given() && now.Sub(last) >= r.QuietFor && r.Expected(last, now, zone) >= enoughMessages {
		kinds = append(kinds, ReasonSilent)
	}
	if falling(f.Hours, now) {
		kinds = append(kinds, ReasonFalling)
	}
	if unknownSince(f.Hours, now.Add(-24*time.Hour)) >= fewestUnknown {
		kinds = append(kinds, ReasonUnknowns)
	}
	return kinds
}

// rhythmOf is a feed's own rhythm in the weeks before, where nobody agreed on one.
func rhythmOf(hours []feedHour, quietFor time.Duration, now time.Time, zone *time.Location) reading.Rhythm {
	r := reading.Rhythm{QuietFor: max(quietFor, 2*time.Hour)}
	first, last := hours[0].Hour, hours[len(hours)-1].LastAt
	if last.Sub(first) < rhythmDays*24*time.Hour {
		return r
	}
	probe := reading.Rhythm{Day: 1, Night: 2, Weekend: 3}
	var came, passed [4]float64
	for _, h := range hours {
		came[int(probe.Rate(h.Hour, zone))] += float64(h.Messages)
	}
	for at := first; at.Before(last); at = at.Add(time.Hour) {
		passed[int(probe.Rate(at, zone))]++
	}
	share := func(i int) float64 { return came[i] / max(passed[i], 1) }
	r.Day, r.Night, r.Weekend = share(1), share(2), share(3)
	return r
}

// falling says whether far fewer of a feed's ended visits followed self-harm than in its own past: coding may have
// stopped, or gone to a field that nobody reads. Half, and more than chance.
func falling(hours []feedHour, now time.Time) bool {
	recent := now.AddDate(0, 0, -fallDays)
	var before, since feedHour
	for _, h := range hours {
		sum := &before
		if !h.Hour.Before(recent) {
			sum = &since
		}
		sum.Ends, sum.Triggers = sum.Ends+h.Ends, sum.Triggers+h.Triggers
	}
	if before.Triggers < fewestTriggers || before.Ends == 0 {
		return false
	}
	expected := float64(since.Ends) * float64(before.Triggers) / float64(before.Ends)
	return float64(since.Triggers) <= expected/2 && float64(since.Triggers) < expected-3*math.Sqrt(expected)
}

func unknownSince(hours []feedHour, from time.Time) (n int64) {
	for _, h := range hours {
		if h.Hour.After(from) {
			n += h.Unknown
		}
	}
	return n
}

// alarmChange is what follows for one feed: alarms to open, and alarms to end.
type alarmChange struct {
	feed
	opened []string // kinds
	ended  []string // ids
}

// compareAlarms says what changes. An alarm that a human has dismissed stands on, without a step, until what it was
// about is over: the same one is not raised twice.
func compareAlarms(f feed, holds []string) alarmChange {
	change := alarmChange{feed: f}
	for _, kind := range holds {
		if f.Open[kind] == "" {
			change.opened = append(change.opened, kind)
		}
	}
	for kind, id := range f.Open {
		if !slices.Contains(holds, kind) {
			change.ended = append(change.ended, id)
		}
	}
	slices.Sort(change.ended)
	return change
}
