package oracle

import (
	"time"
)

// plan is short calls, as agreed.
type plan struct {
	id     string
	active bool
	every  int
}

// call is one call.
type call struct {
	id, on, first, last string
	tries               int
}

// said is what an event says of calls, and of help.
type said struct {
	Call, Plan, On, Again, Reason, Kind, Answer string
	EveryDays, Try                              int
	DueAt                                       time.Time
}

// earliest and latest are the hours in which somebody may be rung who has named none.
const earliest, latest = 10, 19

// hours are those in which somebody may be rung.
func (j *journey) hours() (from, to int) {
	if j.toHour > 0 {
		return j.fromHour, j.toHour
	}
	return earliest, latest
}

// rings reads an event about short calls, or about help.
func (c *counter) rings(l *line, j *journey, kind string) error {
	var d said
	if err := l.read(&d); err != nil {
		return err
	}
	switch kind {
	case "bridging.proposed":
		j.plan = &plan{id: d.Plan, every: d.EveryDays}
	case "bridging.started":
		c.holds(j.either(func(s standing) bool { return s.anyYes(calls) }), l.At, CallUnasked, j.id,
			"calls were begun without the person's yes")
		j.plan = &plan{id: d.Plan, active: true, every: d.EveryDays}
	case "bridging.paused", "bridging.ended":
		if j.plan != nil {
			j.plan.active = false
		}
		if kind == "bridging.ended" {
			c.endsCalls(l, j, d)
		}
	case "bridging.resumed":
		c.holds(j.either(standing.mayContact), l.At, CallBarred, j.id, "calls go on of a journey that is %s",
			j.now.why())
		if j.plan != nil {
			j.plan.active = true
		}
	case "call.scheduled":
		c.plans(l, j, d)
	case "call.unanswered":
		c.again(l, j, d)
	case "help.requested":
		within := 30 * time.Minute
		if d.Kind == "worse" {
			within = 4 * time.Hour
		}
		c.holds(!d.DueAt.After(l.At.Add(within+time.Minute)), l.At, HelpLate, j.id,
			"help (%s) is to be taken on by %s", d.Kind, d.DueAt.Format(time.RFC3339))
	}
	return nil
}

// endsCalls sees that a plan ends by what somebody said or did.
func (c *counter) endsCalls(l *line, j *journey, d said) {
	somebody := j.recent.did["consent"] + j.recent.did["outcome"] + j.recent.did["close"] + j.recent.did["answered"] +
		j.recent.did["plan"] + j.recent.did["contact-stopped"]
	c.holds(somebody > 0 || j.recent.says["journey.closed"] > 0 || j.recent.says["consent.lapsed"] > 0 ||
		c.recently("merge"), l.At, CallEndedByNone, j.id, "a plan of calls ended (%s), and nobody had ended it",
		d.Reason)
}

// plans sees when a call is planned.
func (c *counter) plans(l *line, j *journey, d said) {
	from, to := j.hours()
	at := c.calendar.local(d.DueAt)
	c.holds(at.Hour() >= from && at.Hour() < to, l.At, CallOutside, j.id,
		"a call is planned for %s of somebody who may be rung from %d to %d", at.Format(time.RFC3339), from, to)
	c.holds(j.either(func(s standing) bool { return s.anyYes(calls) }), l.At, CallUnasked, j.id,
		"a call is planned without the person's yes")
	c.holds(j.either(standing.mayContact), l.At, CallBarred, j.id, "a call is planned of a journey that is %s",
		j.now.why())
	c.holds(j.booked == "" || j.booked != d.On, l.At, CallTooMany, j.id, "a call and a session are both planned for %s",
		d.On)
	j.callOf(d.Call).on = d.On
}

// again sees when an unanswered call is tried again.
func (c *counter) again(l *line, j *journey, d said) {
	one := j.callOf(d.Call)
	if one.first == "" {
		one.first = d.On
	}
	one.tries++
	c.holds(d.Again == "" || d.Again > d.On && between(one.first, d.Again) <= 3 && one.tries < 3, l.At, CallTooMany,
		j.id,
		"a call that was tried on %s (try %d, first on %s) is tried again on %s", d.On, one.tries, one.first, d.Again)
}

func (j *journey) callOf(id string) *call {
	if j.calls == nil {
		j.calls = map[string]*call{}
	}
	if j.calls[id] == nil {
		j.calls[id] = &call{id: id}
	}
	return j.calls[id]
}

// called is what a caller did: that they ring, or what became of it.
func (c *counter) called(l *line, j *journey, id, what string) error {
	if j == nil {
		return nil
	}
	switch what {
	case "claim":
		c.rang(l, j, id)
	case "outcome":
		var d struct{ Outcome, Answer string }
		if err := l.read(&d); err != nil {
			return err
		}
		if d.Outcome == "reached" {
			j.told = c.calendar.on(l.At)
		}
		if d.Outcome == "help-needed-now" || d.Answer == "worse" {
			j.recent.did["needs-help"]++
		}
	}
	return nil
}

// rang is that somebody is rung.
func (c *counter) rang(l *line, j *journey, id string) {
	today, at := c.calendar.on(l.At), c.calendar.local(l.At)
	from, to := j.hours()
	c.holds(j.now.anyYes(calls), l.At, CallUnasked, j.id, "somebody was rung who has not said yes to calls")
	c.holds(j.now.mayContact() && (j.plan == nil || j.plan.active), l.At, CallBarred, j.id,
		"somebody was rung, and the journey is %s (calls agreed: %v)", j.now.why(), j.plan != nil && j.plan.active)
	c.holds(at.Hour() >= from && at.Hour() < to, l.At, CallOutside, j.id,
		"somebody was rung at %s who may be from %d to %d",
		at.Format("15:04"), from, to)
	one := j.callOf(id)
	c.holds(one.last != today, l.At, CallTooMany, j.id, "somebody was rung a second time on %s", today)
	one.last = today
	if j.young(today) {
		c.holds(j.clinician, l.At, ClinicianAfter, j.id, "somebody under 18 was rung before the clinician's record")
	}
}
