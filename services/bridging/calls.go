package bridging

import (
	"cmp"
	"slices"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Outcomes of a call.
const (
	OutcomeReached     = "reached"
	OutcomeUnanswered  = "unanswered"
	OutcomeOther       = "someone-else-answered"
	OutcomeLeftMessage = "left-the-agreed-message"
	OutcomeWrongNumber = "wrong-number"
	OutcomeStop        = "asked-to-stop"
	OutcomeHelp        = "help-needed-now"
	OutcomeNotMade     = "not-made"
)

// outcomes are all of them.
var outcomes = []string{OutcomeReached, OutcomeUnanswered, OutcomeOther, OutcomeLeftMessage, OutcomeWrongNumber,
	OutcomeStop, OutcomeHelp, OutcomeNotMade}

// Try is one time that somebody rang, or was to: what became of it, when it happened and when it was written down.
// What the person said is kept as said.
type Try struct {
	Call    string    `json:"call"`
	Outcome string    `json:"outcome"`
	Answer  string    `json:"answer,omitempty"` // of one that reached them
	Reason  string    `json:"reason,omitempty"` // of one that was not made
	By      string    `json:"by,omitempty"`     // of one that was asked to stop
	At      time.Time `json:"at"`
	Written time.Time `json:"written"`
}

// tried is how often somebody rang; what we did not make is ours, and not counted.
func tried(tries []Try) (n int) {
	for _, t := range tries {
		if t.Outcome != OutcomeNotMade {
			n++
		}
	}
	return n
}

// failed says that the person was not reached, and may be tried again.
func (t Try) failed() bool {
	return t.Outcome == OutcomeUnanswered || t.Outcome == OutcomeLeftMessage || t.Outcome == OutcomeOther
}

// mostKept is how many tries of a journey are kept at least with what is known of it: the ladder never looks further
// back.
const mostKept = 60

// addTry takes in a try, in the order in which they happened, and says whether it is news.
func (k *JourneyState) addTry(t Try) bool {
	same := func(o Try) bool { return o.Call == t.Call && o.Outcome == t.Outcome && o.At.Equal(t.At) }
	if slices.ContainsFunc(k.Tries, same) {
		return false
	}
	k.Tries = append(slices.Clone(k.Tries), t)
	slices.SortStableFunc(k.Tries, func(a, b Try) int {
		return cmp.Or(a.At.Compare(b.At), a.Written.Compare(b.Written), cmp.Compare(a.Call, b.Call),
			cmp.Compare(a.Outcome, b.Outcome))
	})
	if len(k.Tries) > mostKept {
		k.Tries = k.Tries[len(k.Tries)-mostKept:]
	}
	return true
}

// triesOf are the tries of one call, in the order in which they happened.
func (k *JourneyState) triesOf(call string) []Try {
	return slices.DeleteFunc(slices.Clone(k.Tries), func(t Try) bool { return t.Call != call })
}

// stopped says whether somebody on the telephone asked us to stop, and who: the person, or another. Only what the
// person answered since lifts it; and what was said before the journey was closed is asked about anew.
func (k *JourneyState) stopped() (by string) {
	for _, t := range k.Tries {
		if t.Outcome != OutcomeStop || since(k.AnsweredAt, t) || since(k.ClosedAt, t) {
			continue
		}
		if t.By == schemas.StoppedByPerson {
			return t.By
		}
		by = t.By
	}
	return by
}

// othersTwice is how often somebody else may answer before a number is not rung any more.
const othersTwice = 2

// since says that something was said after what became of a call, which is kept by the second.
func since(said time.Time, t Try) bool { return said.After(t.At.Add(time.Second)) }

// broken says whether the number may not be rung before the person was asked: it is wrong, or somebody else answers it.
// What somebody recorded since of how to reach them lifts that.
func (k *JourneyState) broken() bool {
	others := 0
	for _, t := range k.Tries {
		if since(k.ReachedAt, t) {
			continue
		}
		switch t.Outcome {
		case OutcomeWrongNumber:
			return true
		case OutcomeOther:
			others++
		}
	}
	return others >= othersTwice
}

// standing is how a call stands by its tries: by the newest that happened, so that one written down late undoes nothing
// newer. again is the day from which it is tried again, where it has not ended.
func (a Agreement) standing(tries []Try, journey string, busy map[calendar.Day]bool, zone *time.Location) (state string,
	ended bool, again calendar.Day) {
	if len(tries) == 0 {
		return callScheduled, false, 0
	}
	newest := tries[len(tries)-1]
	again = calendar.DayOf(newest.At, zone) + 1 // none the same evening
	switch newest.Outcome {
	case OutcomeUnanswered, OutcomeLeftMessage, OutcomeOther:
	case OutcomeNotMade: // ours to make good, as soon as it may be made
		if _, _, ok := a.place(journey, again, 1, busy, zone); ok {
			return callScheduled, false, again
		}
		return newest.Outcome, true, 0
	default:
		return newest.Outcome, true, 0
	}
	failed, first := 0, newest
	for _, t := range slices.Backward(tries) {
		if !t.failed() && t.Outcome != OutcomeNotMade {
			break
		}
		if t.failed() {
			failed, first = failed+1, t
		}
	}
	state = OutcomeUnanswered
	if newest.Outcome == OutcomeOther {
		state = OutcomeOther
	}
	on, _, ok := a.place(journey, again, failed+1, busy, zone)
	if failed >= mostTries || !ok || on > calendar.DayOf(first.At, zone)+retryDays {
		return state, true, 0
	}
	return callScheduled, false, again
}

const (
	callScheduled = "scheduled"
	callCancelled = "cancelled"
)

// inARow says that the call before this one reached nobody either. Calls that we did not make are ours, and not
// counted.
func (k *JourneyState) inARow(call string) bool {
	var begun time.Time
	for _, t := range k.triesOf(call) {
		begun = t.At
		break
	}
	for _, t := range slices.Backward(k.Tries) {
		if t.Call != call && t.At.Before(begun) && t.Outcome != OutcomeNotMade {
			return t.failed()
		}
	}
	return false
}

// Why a plan pauses for what was said or met on the telephone, or by the person's wish.
const (
	becauseAskedToStop = "asked-to-stop"
	becauseChannel     = "channel"
	becauseWish        = "pause"
)

// paused says why an active plan pauses for a while, or nothing.
func (k *JourneyState) paused(today calendar.Day) string {
	until, err := calendar.ParseDay(k.Agreed.PausedUntil)
	switch {
	case k.stopped() != "":
		return becauseAskedToStop
	case k.broken():
		return becauseChannel
	case err == nil && today < until:
		return becauseWish
	}
	return ""
}

// teamOf is the organisation whose callers ring: the one that was agreed, else the journey's own, else the first that
// the person said yes to by name; only where their yes covers it, a partner only while it may ring, and whoever finds a
// time for a call. It is empty where nobody may.
func (k *JourneyState) teamOf(only, never []string, standing *Plan, m moment) string {
	may := func(o string) bool {
		already := standing != nil && standing.Started && standing.Team == o
		return o != "" && !slices.Contains(m.unable, o) && mayRing(only, never, k.Sender, o) &&
			m.partners.rings(o, k.Sender, already, m.today)
	}
	for _, team := range append([]string{k.Agreed.Team, k.Sender}, only...) {
		if may(team) {
			return team
		}
	}
	return ""
}

// mayRing says whether an organisation's callers may ring by the person's yes. Home is whose the journey is: where
// everybody else must not know, it alone may.
func mayRing(only, never []string, home, organisation string) bool {
	return (len(only) == 0 || slices.Contains(only, organisation)) && !slices.Contains(never, organisation) &&
		(organisation == home || !slices.Contains(never, schemas.Everybody))
}

// claimBefore is from when before a call its caller may read name and number; claimFor for how long nobody else rings
// then.
const (
	claimBefore = 15 * time.Minute
	claimFor    = 45 * time.Minute
)

// remindBefore is how long before a call its caller is reminded.
const remindBefore = 24 * time.Hour

// reviewMonths is after how many months a plan is looked at with the person.
const reviewMonths = 6

// reviewOn is the day on which a plan is looked at next.
func (a Agreement) reviewOn(anchor calendar.Day) calendar.Day {
	if day, err := calendar.ParseDay(a.ReviewedOn); err == nil {
		return day.AddMonths(reviewMonths)
	}
	return anchor.AddMonths(reviewMonths)
}
