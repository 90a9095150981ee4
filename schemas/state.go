package schemas

import (
	"cmp"
	"slices"
	"time"
)

// What services know of a journey is built from few kinds of values, each with the sequence of the event that set it:
// an older event, or one that comes again, changes nothing, so that events in any order end in the same state (ADR 7).
// Said, Answers and Origin are such values too.

// Newer says whether an event with sequence at sets a value that was set by the event with sequence set, and notes it.
func Newer(at int64, set *int64) bool {
	if at <= *set {
		return false
	}
	*set = at
	return true
}

// Visit is one time in A&E or urgent care, or one request for support. Recorded and Withdrawn are sequences: the
// greater of the two is how it stands, so a withdrawal that arrives before what it withdraws is a tombstone that the
// later arrival does not lift.
type Visit struct {
	Recorded  int64    `json:"recorded,omitempty"`
	Withdrawn int64    `json:"withdrawn,omitempty"`
	LeftOn    string   `json:"leftOn,omitempty"` // the local day of leaving hospital, or of the request
	LeftOnAt  int64    `json:"leftOnAt,omitempty"`
	Flags     []string `json:"flags,omitempty"`
	FlagsAt   int64    `json:"flagsAt,omitempty"`
	// Aged says that the age is known, by the facts of the event with sequence FactsAt.
	Aged    bool  `json:"aged,omitempty"`
	FactsAt int64 `json:"factsAt,omitempty"`
}

// Stands says that it was recorded, and not withdrawn since.
func (v Visit) Stands() bool { return v.Recorded > v.Withdrawn }

// Leave takes in the day of leaving.
func (v *Visit) Leave(at int64, day string) {
	if Newer(at, &v.LeftOnAt) {
		v.LeftOn = day
	}
}

// Flag takes in all flags of a visit.
func (v *Visit) Flag(at int64, flags []string) {
	if Newer(at, &v.FlagsAt) {
		v.Flags = flags
	}
}

// Age takes in whether the age is known, where an event states it or takes it back.
func (v *Visit) Age(at int64, facts *Facts, takenBack []string) {
	states := facts != nil && facts.Age != nil
	if (states || slices.Contains(takenBack, "age")) && Newer(at, &v.FactsAt) {
		v.Aged = states
	}
}

// Visits are a journey's, by their opaque id.
type Visits map[string]Visit

// Change changes one, which need not be there yet.
func (visits *Visits) Change(id string, change func(v *Visit)) {
	if *visits == nil {
		*visits = Visits{}
	}
	v := (*visits)[id]
	change(&v)
	(*visits)[id] = v
}

// Record takes in that one was recorded, with its flags.
func (visits *Visits) Record(at int64, id string, flags []string) {
	visits.Change(id, func(v *Visit) {
		v.Recorded = max(v.Recorded, at)
		v.Flag(at, flags)
	})
}

// Withdraw takes in that one was withdrawn.
func (visits *Visits) Withdraw(at int64, id string) {
	visits.Change(id, func(v *Visit) { v.Withdrawn = max(v.Withdrawn, at) })
}

// Current is the visit recorded last of those that stand.
func (visits Visits) Current() (id string, v Visit, ok bool) {
	for other, o := range visits {
		if o.Stands() && (!ok || cmp.Or(cmp.Compare(o.Recorded, v.Recorded), cmp.Compare(other, id)) > 0) {
			id, v, ok = other, o, true
		}
	}
	return id, v, ok
}

// AnyWithdrawn says that one was withdrawn at some time.
func (visits Visits) AnyWithdrawn() bool {
	for _, v := range visits {
		if v.Withdrawn > 0 {
			return true
		}
	}
	return false
}

// Transition is the last that was decided about a journey as a whole. From is the local day on which it went on:
// windows count from there.
type Transition struct {
	At     int64  `json:"at"`
	Held   bool   `json:"held,omitempty"`
	Closed bool   `json:"closed,omitempty"`
	From   string `json:"from,omitempty"`
}

// Course is how a journey stands as a whole. What the person answered up to AnsweredUpTo was about what has been
// closed: it counts no more, and they are asked again.
type Course struct {
	Transition   Transition `json:"turn,omitzero"`
	AnsweredUpTo int64      `json:"answeredUpTo,omitempty"`
}

// Take takes in how the journey stands.
func (c *Course) Take(t Transition) {
	if t.At > c.Transition.At {
		c.Transition = t
	}
}

// Close takes in that it was closed. What was answered before counts no more, even when the reopening was heard first.
func (c *Course) Close(at int64, d JourneyClosedData) {
	c.AnsweredUpTo = max(c.AnsweredUpTo, int64(d.AnsweredUpTo))
	c.Take(Transition{At: at, Closed: true})
}

// MustNotKnow are the organisations that the person said must not know, by the event with sequence BarredAt.
type MustNotKnow struct {
	Barred   []string `json:"barred,omitempty"`
	BarredAt int64    `json:"barredAt,omitempty"`
}

// Everybody stands for every organisation but the journey's own, where more must not know than an event may hold:
// nobody who was named may be left out, so nobody is asked until a human has looked.
const Everybody = "EVERYBODY"

// Bars says whether an organisation that is not the journey's own must not know.
func (m MustNotKnow) Bars(organisation string) bool {
	return slices.Contains(m.Barred, organisation) || slices.Contains(m.Barred, Everybody)
}

// Bar takes in the whole list, where an event speaks of it.
func (m *MustNotKnow) Bar(at int64, organisations []string) {
	if organisations != nil && Newer(at, &m.BarredAt) {
		m.Barred = organisations
	}
}

// MayBeRung are the hours in which the person may be rung, by the event with sequence HoursAt; both 0 where they named
// none.
type MayBeRung struct {
	From    int   `json:"ringFrom,omitempty"`
	Until   int   `json:"ringUntil,omitempty"`
	HoursAt int64 `json:"hoursAt,omitempty"`
}

// Ring takes in hours, where an event speaks of them.
func (m *MayBeRung) Ring(at int64, hours *ContactHours) {
	if hours != nil && Newer(at, &m.HoursAt) {
		m.From, m.Until = hours.FromHour, hours.ToHour
	}
}

// Named says whether the person named hours.
func (m MayBeRung) Named() bool { return m.Until > 0 }

// Holds says whether something of so many minutes that begins at a local time is over within the hours that were named;
// where none were, anything is.
func (m MayBeRung) Holds(local time.Time, minutes int) bool {
	begins := local.Hour()*60 + local.Minute()
	return !m.Named() || m.From*60 <= begins && begins+minutes <= m.Until*60
}

// BarredBut are those from which a journey of an organisation is kept, never nil: its own looks after it, and is never
// among them.
func (m MustNotKnow) BarredBut(organisation string) []string {
	return append([]string{}, slices.DeleteFunc(slices.Clone(m.Barred),
		func(o string) bool { return o == organisation })...)
}
