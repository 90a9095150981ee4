package oracle

import (
	"slices"
	"strings"
	"time"
)

// step is a step that stands.
type step struct {
	Step, Journey, Kind, Owner string
	AlsoOwners                 []string
	DueAt                      time.Time
	Asks                       bool
}

// stood is what was last seen of a step.
type stood struct {
	due    time.Time
	owners []string
	taken  bool // somebody has taken it on, or given it to another
	bare   int  // for how many steps of the clock it has been past its grace and nobody was added
}

func (s step) owners() []string { return append([]string{s.Owner}, s.AlsoOwners...) }

// navigators says whether a navigator, or whoever stands in for one, is among the owners of a step.
func navigators(all []step) bool {
	return slices.ContainsFunc(all, func(s step) bool {
		return slices.ContainsFunc(s.owners(), navigator)
	})
}

// navigator says whether somebody is a navigator, or stands in for one.
func navigator(who string) bool {
	return strings.HasPrefix(who, "navigator:") || who == "team:out-of-hours"
}

// seen compares a step with what was last seen of it.
func (c *counter) seen(at time.Time, s step) {
	last := c.steps[s.Step]
	if last == nil {
		c.steps[s.Step] = &stood{due: s.DueAt, owners: s.owners()}
		return
	}
	c.holds(!s.DueAt.After(last.due.Add(time.Second)), at, PutOff, s.Journey, "%s was due %s, and now is %s", s.Kind,
		last.due.Format(time.RFC3339), s.DueAt.Format(time.RFC3339))
	for _, owner := range last.owners {
		c.holds(last.taken || slices.Contains(s.owners(), owner), at, OwnerLost, s.Journey,
			"%s of %s is no longer theirs, and nobody had taken it on", s.Kind, owner)
	}
	last.due, last.owners, last.taken = s.DueAt, s.owners(), false
}

// tick looks at what must hold at each step of the clock, when all that follows from it has happened.
func (c *counter) tick(l *line) error {
	var d struct {
		Gained, Lost []string
		Overdue      []step
	}
	if err := l.read(&d); err != nil {
		return err
	}
	c.Ticks++
	for _, id := range d.Gained {
		c.of(id).covered = true
	}
	for _, id := range d.Lost {
		c.of(id).covered = false
	}
	for _, id := range sorted(c.journeys) {
		j := c.journeys[id]
		if j.now.state == open || j.now.state == onHold {
			c.holds(j.covered, l.At, NoStep, id, "a journey that is %s has no step with an owner", j.now.state)
		}
		c.accountsFor(l.At, j)
	}
	c.void(l.At, d.Overdue)
	c.deaths(l.At)
	c.waits(l.At)
	c.accounts(l.At)
	for _, j := range c.journeys {
		clear(j.recent.did)
		clear(j.recent.says)
	}
	return nil
}

// answersTo are the events that say what somebody did: one of them is published by the next step of the clock.
var answersTo = map[string][]string{
	"answers": {"consent.given", "consent.declined", "consent.withdrawn"},
	"accept":  {"offer.accepted", "offer.accepted-late"}, "decline": {"offer.declined"},
	"hand-back": {"offer.handed-back"}, "appointment": {"appointment.booked"}, "close": {"journey.closed"},
}

// accountsFor sees that what somebody did about a journey was published.
func (c *counter) accountsFor(at time.Time, j *journey) {
	if len(j.recent.did) == 0 || j.id == "" {
		return
	}
	c.Looked[HelpLate] += j.recent.did["needs-help"]
	if j.recent.did["needs-help"] > 0 && j.recent.says["help.requested"] == 0 {
		c.found(at, HelpLate, j.id,
			"the person said that they need help or that things are worse, and none was asked for")
	}
	for _, did := range sorted(answersTo) {
		if j.recent.did[did] > 0 {
			c.holds(slices.ContainsFunc(answersTo[did], func(e string) bool { return j.recent.says[e] > 0 }), at,
				EventLost,
				j.id, "somebody recorded %s, and nothing was published of it", did)
		}
	}
}

// counted is who is in the void at a step of the clock, by the steps that stand, and by what the system says.
type counted struct {
	at, saidAt      time.Time
	counted, unsure map[string]bool // unsure: within a minute of the grace
	said            []string
}

// saysVoid takes what the system says of who is in the void.
func (c *counter) saysVoid(l *line) error {
	c.counted.said, c.counted.saidAt = nil, l.At
	if err := l.read(&c.counted.said); err != nil {
		return err
	}
	c.compares()
	return nil
}

// compares holds what the system says of who is in the void against what was counted, where both are of one time.
func (c *counter) compares() {
	v := c.counted
	if !v.at.Equal(v.saidAt) {
		return
	}
	for _, id := range sorted(v.counted) {
		c.holds(slices.Contains(v.said, id), v.at, VoidMiscounted, id, "it is in the void, and was not counted")
	}
	for _, id := range v.said {
		c.holds(v.counted[id] || v.unsure[id], v.at, VoidMiscounted, id, "it was counted, and is not in the void")
	}
}

// void counts who is in the void, by the steps that stand.
func (c *counter) void(at time.Time, overdue []step) {
	counted, unsure := map[string]bool{}, map[string]bool{}
	first := map[string]time.Time{}
	for _, s := range overdue {
		c.seen(at, s)
		past := at.Sub(s.DueAt.Add(c.calendar.grace))
		if past >= -time.Minute && past <= time.Minute {
			unsure[s.Journey] = true
			continue
		}
		if past < 0 {
			continue
		}
		counted[s.Journey] = true
		if t := first[s.Journey]; t.IsZero() || s.DueAt.Before(t) {
			first[s.Journey] = s.DueAt
		}
		one := c.steps[s.Step]
		if one.bare++; len(s.AlsoOwners) > 0 || strings.HasPrefix(s.Kind, "take-over") {
			one.bare = 0
		}
		// One that came late and is past its grace from the first is looked at by the next step of the clock.
		c.holds(one.bare < 2, at, NobodyAdded, s.Journey, "%s of %s was due %s, and nobody was added to it", s.Kind,
			s.Owner, s.DueAt.Format(time.RFC3339))
	}
	delete(counted, "") // of messages, which have no journey
	for _, id := range sorted(counted) {
		j := c.of(id)
		if raised := j.watched.After(first[id]); raised {
			j.unseen = 0
		} else {
			j.unseen++
		}
		// it may be by the next step of the clock, where another step was done
		c.holds(j.unseen < 2, at, VoidUnseen, id,
			"it has been in the void since %s, and nothing was raised",
			first[id].Add(c.calendar.grace).Format(time.RFC3339))
	}
	c.counted.at, c.counted.counted, c.counted.unsure = at, counted, unsure
	c.compares()
	if len(counted) > 0 {
		c.VoidTicks++
	}
	c.Void[c.calendar.on(at)] = len(counted)
}

// evening looks at a journey's steps at the end of a day.
func (c *counter) evening(l *line) error {
	j := c.of(l.Journey)
	j.steps = nil
	if err := l.read(&j.steps); err != nil {
		return err
	}
	for _, s := range j.steps {
		s.Journey = j.id
		c.seen(l.At, s)
	}
	if j.id == "" || j.now.state != open {
		return nil
	}
	today := c.calendar.on(l.At)
	j.stepsOn = today
	c.lastDay(l, j, today)
	c.partnersClocks(l, j, today)
	if j.exhausted && j.none != "" && j.now.anyYes(followUp) && !j.met {
		c.holds(navigators(j.steps) || j.had >= j.none, l.At, NobodyLeft, j.id,
			"no partner is left to ask, and no navigator has a step")
	}
	if j.gaveBack != "" {
		tells := slices.ContainsFunc(j.steps, func(s step) bool { return talks[s.Kind] })
		c.holds(tells || j.told >= j.gaveBack, l.At, HandBackUntold, j.id,
			"what was handed back on %s was not told to the person, and no step is to", j.gaveBack)
		j.gaveBack = ""
	}
	j.exhausted = false
	return nil
}

// lastDay sees, on the last evening of a window in which nobody was met, that a navigator has the journey and that the
// person is told.
func (c *counter) lastDay(l *line, j *journey, today string) {
	if j.last == "" || today < j.last || j.wasLost == j.last || j.now.stopped || j.now.cancelled ||
		!j.now.anyYes(followUp) {
		return
	}
	if j.met || j.booked != "" && j.booked <= j.last {
		return
	}
	j.wasLost = j.last
	c.WindowsLost++
	tells := slices.ContainsFunc(j.steps, func(s step) bool { return talks[s.Kind] })
	since := plus(today, -3)
	if j.none != "" { // whoever has been told that there is none for now is promised nothing more
		since = min(since, j.none)
	}
	recently := j.told >= since
	// A navigator who has told them that it comes later has had the journey. That nobody came to a session of the
	// last days may be known only when the window is over: then somebody sees to it.
	has := navigators(j.steps) || j.had >= since
	c.holds(has || today > j.last && recently, l.At, WindowUnheld, j.id,
		"the window ended on %s, and no navigator has a step", j.last)
	c.holds(tells || recently, l.At, WindowUntold, j.id,
		"the window ended on %s; nobody has told the person since %s, and no step is to", j.last, j.told)
}

// partnersClocks sees that a navigator has what a partner has not done in its time.
func (c *counter) partnersClocks(l *line, j *journey, today string) {
	late := func(by time.Time, p *partner) bool {
		return !by.IsZero() && today > c.calendar.working(c.calendar.on(by), 1, p.Holidays)
	}
	for _, o := range j.offers {
		p := c.partners[o.partner]
		if p == nil || o.paused {
			continue
		}
		if o.is([]string{"accepted", "not-kept"}) && o.byName && late(o.bookBy, p) {
			c.holds(navigators(j.steps), l.At, Unbooked, j.id,
				"%s was to agree on a time by %s, and no navigator has it",
				p.name, o.bookBy.Format(time.RFC3339))
		}
		if o.state == "booked" && late(o.outcomeBy, p) {
			c.holds(navigators(j.steps), l.At, OutcomeUnknown, j.id,
				"%s was to say by %s how it went, and no navigator asks",
				p.name, o.outcomeBy.Format(time.RFC3339))
		}
	}
}
