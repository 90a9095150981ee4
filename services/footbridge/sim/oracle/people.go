package oracle

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// request is what somebody did: what they were told by the person, whom they rang, what they decided.
func (c *counter) request(l *line) error {
	if pressed := l.About == "link" && l.Status == http.StatusSeeOther; !l.done() && !pressed {
		return nil
	}
	what := l.Path[strings.LastIndex(l.Path, "/")+1:]
	var j *journey
	if l.Journey != "" {
		j = c.of(l.Journey)
		j.recent.did[what]++
	}
	c.of("").recent.did[what]++
	switch parts := strings.Split(strings.Trim(l.Path, "/"), "/"); {
	case len(parts) == 4 && parts[1] == "steps":
		if s := c.steps[parts[2]]; s != nil {
			s.taken = true
		}
	case len(parts) == 4 && parts[1] == "partners":
		return c.arranges(l, parts[2], what)
	case len(parts) == 4 && parts[1] == "calls":
		return c.called(l, j, parts[2], what)
	}
	if j == nil {
		return nil
	}
	return c.recorded(l, j, what)
}

// recorded is what somebody wrote down about a journey.
func (c *counter) recorded(l *line, j *journey, what string) error {
	staff := !strings.HasPrefix(l.By, "partner:")
	day := c.calendar.on(l.At)
	if navigator(l.By) && talks[l.About] {
		j.had = day
	}
	switch what {
	case "consent":
		var d struct {
			Answers    []struct{ Purpose, Organisation, State string }
			MayConsent map[string]any
		}
		if err := l.read(&d); err != nil {
			return err
		}
		j.clinician = j.clinician || d.MayConsent != nil
		if len(d.Answers) > 0 && l.About != changedTheirMind {
			c.asks(l, j, day)
		}
		for _, a := range d.Answers {
			j.now.says(a.Purpose, a.Organisation, a.State)
		}
		if len(d.Answers) > 0 {
			j.recent.did["answers"]++
			j.told = day
		}
	case "no-answer":
		c.asks(l, j, day)
		c.holds(j.now.mayContact(), l.At, CallBarred, j.id, "somebody was rung (%s) of a journey that is %s", l.About,
			j.now.why())
	case "plan":
		var d struct {
			Windows []struct{ FromHour, ToHour int }
		}
		if err := l.read(&d); err != nil {
			return err
		}
		for i, w := range d.Windows {
			if i == 0 || w.FromHour < j.fromHour {
				j.fromHour = w.FromHour
			}
			j.toHour = max(j.toHour, w.ToHour)
		}
	case "done", "close":
		if staff && (talks[l.About] || what == "close") {
			j.told = day
		}
	}
	return nil
}

// changedTheirMind is what a request is about by which is written down what a person said who rang by themselves.
const changedTheirMind = "changed their mind"

// asks is that staff rang somebody: within their hours, and of somebody under 18 not before a clinician has recorded
// who may be.
func (c *counter) asks(l *line, j *journey, day string) {
	from, to := j.hours()
	at := c.calendar.local(l.At)
	c.holds(at.Hour() >= from && at.Hour() < to, l.At, CallOutside, j.id,
		"somebody was rung (%s, by %s) at %s who may be from %d to %d", l.About, l.By, at.Format("15:04"), from, to)
	if j.young(day) {
		c.holds(j.clinician, l.At, ClinicianAfter, j.id,
			"somebody under 18 was rung (%s) before the clinician's record",
			l.About)
	}
}

// talks are the kinds of step of which doing is telling the person what has changed, or deciding with them.
var talks = map[string]bool{"tell-the-person": true, "late-follow-up": true, "find-a-place": true, "another-time": true,
	"what-next": true, "decide-how-to-reach": true, "arrange-follow-up": true}

// message is what the hospital sent. Of what it took, the system has to account.
func (c *counter) message(l *line) error {
	var d struct {
		Visit, Answer string
		Coded, Died   bool
		LeftAt        time.Time
	}
	if err := l.read(&d); err != nil {
		return err
	}
	if d.Answer != "AA" && d.Answer != "CA" && !strings.HasPrefix(d.Answer, "2") {
		return nil
	}
	c.visits.message(l.About, d.Visit, d.Coded, d.LeftAt, &c.calendar)
	if d.Died && l.Person != nil {
		c.dead = append(c.dead, death{*l.Person, l.At})
	}
	return nil
}

// death is that of which the hospital has told.
type death struct {
	person int
	at     time.Time
}

// deaths sees that contact with whoever died has stopped, within the minute.
func (c *counter) deaths(at time.Time) {
	for _, d := range c.dead {
		for _, id := range sorted(c.journeys) {
			j := c.journeys[id]
			if j.person == nil || j.person.n != d.person || j.now.state != open && j.now.state != onHold {
				continue
			}
			c.holds(j.now.stopped && !j.stoppedAt.After(d.at.Add(time.Minute)), at, DeathUnheeded, j.id,
				"the hospital told of the death at %s, and contact has not stopped", d.at.Format(time.RFC3339))
		}
	}
	c.dead = c.dead[:0]
}

// visits are what the hospital told of visits, and what the system recorded of them.
type visits struct {
	told     map[string]*visit
	known    map[string]string // the local day of each that was recorded, by its id
	by       map[string]string // the journey of each
	differs  map[string]int    // local days on which the counts differ, and for how many steps of the clock
	reported map[string]bool
}

type visit struct {
	coded, cancelled bool
	left             string // the local day; empty before they have left
}

func newVisits() visits {
	return visits{told: map[string]*visit{}, known: map[string]string{}, by: map[string]string{},
		differs: map[string]int{}, reported: map[string]bool{}}
}

// message is what one message says of a visit.
func (v *visits) message(trigger, id string, coded bool, left time.Time, days *calendar) {
	one := v.told[id]
	if one == nil {
		one = &visit{}
		v.told[id] = one
	}
	one.coded = one.coded || coded
	switch trigger {
	case "A11":
		one.cancelled = true
	case "A13":
		one.left = ""
	case "A31", "A40":
	default:
		if !left.IsZero() {
			one.left = days.on(left)
		}
	}
}

func (v *visits) recorded(journey, id, on string) {
	if id != "" {
		v.known[id], v.by[id] = on, journey
	}
}

func (v *visits) withdrawn(_, id string) { delete(v.known, id) }

// accounts sees, when all has been taken in, that as many visits of each day are recorded as there were.
func (c *counter) accounts(at time.Time) {
	counts := map[string]int{}
	for _, v := range c.visits.told {
		if v.coded && !v.cancelled && v.left != "" {
			counts[v.left]++
		}
	}
	c.Looked[Unaccounted] += len(counts)
	for _, on := range c.visits.known {
		counts[on]--
	}
	for _, on := range sorted(counts) {
		if n := counts[on]; n != 0 && !c.visits.reported[on] {
			if c.visits.differs[on]++; c.visits.differs[on] > 1 {
				c.visits.reported[on] = true
				c.found(at, Unaccounted, "", "of visits that ended on %s, %s", on, missing(n))
			}
			continue
		}
		delete(c.visits.differs, on)
	}
}

func missing(n int) string {
	if n > 0 {
		return fmt.Sprintf("%d that followed self-harm are recorded nowhere", n)
	}
	return fmt.Sprintf("%d are recorded that there were not", -n)
}

// marks are names, numbers and telephones of the people of the world.
type marks struct{ all []string }

func (m *marks) add(marks []string) {
	for _, mark := range marks {
		if len(mark) >= 6 {
			m.all = append(m.all, mark)
		}
	}
}

// fractions are those of a second, whose digits are no number of anybody's.
var fractions = regexp.MustCompile(`\.[0-9]+Z`)

// identifies sees that nothing by which anybody could know a person is in what was published. The marks of its own
// person are looked for, and those that everybody's have in common.
func (c *counter) identifies(l *line, text []byte) {
	said := fractions.ReplaceAllString(string(text), "Z")
	marks := []string{"SIM0", "07700", "7700 900", "Sample Street"}
	if j := c.journeys[l.Journey]; j != nil && j.person != nil {
		marks = append(marks, j.person.Marks...)
		marks = append(marks, j.person.Born)
	}
	i := slices.IndexFunc(marks, func(mark string) bool { return len(mark) >= 4 && strings.Contains(said, mark) })
	if i < 0 {
		c.holds(true, l.At, Identifies, l.Journey, "")
		return
	}
	c.holds(false, l.At, Identifies, l.Journey, "%s says %q", l.About, marks[i])
}
