// Package oracle counts again what a simulation must never show, from its log alone.
//
// In: the lines of log.jsonl (docs/simulator.md): what the hospital sent, what people did and how they were answered,
// where each journey stood in the evening, what the clock said. Out: Counts. It is written from what the domain
// promises, calls nothing of the services, their rules or their state machines, and reads no table, so that one mistake
// is not made twice. Its author has read how requests are recorded and the simulator, not the services' rules.
//
// It does not count what a log cannot show: who else had a step of a journey beside the one that came next.
package oracle

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
)

// The domain's defaults.
const (
	windowDays = 14 // after leaving hospital
	lateBelow  = 5  // fewer days left when it becomes known: the window counts from that day
	grace      = 4 * time.Hour
	fromHour   = 10 // of who named no hours
	toHour     = 19
)

// WindowLost is said of a window that was lost: it may be, where somebody holds the journey.
const WindowLost = "a window ended without a session in it"

// Counts are what the log shows. Each found is a line of its own: when, of which journey, and what.
type Counts struct {
	Journeys int // that were ever opened
	// Stepless are evenings of open journeys without a next step with an owner and a time.
	Stepless int
	// Void is, by day, how many journeys were past their time and grace in the evening; Unsure how many of them became
	// so within the second in which it was looked.
	Void, Unsure map[string]int
	// Alone are those of them that nobody was added to; Moved are steps of which the time promised was put off.
	Alone, Moved int
	WindowsLost  int
	// Calls outside the hours that somebody named, or without their yes; Looks of a partner at whom it has not taken
	// on.
	CallsOutside, CallsUnasked, Looks int
	// Sent are offers that were told to a partner without the person's yes.
	Sent  int
	Found []string
}

// line is a line of the log.
type line struct {
	At                                     time.Time
	Kind, By, Journey, Method, Path, About string
	Person                                 *int
	Status                                 int
	Data                                   json.RawMessage
}

// seen is what the log has said of one journey.
type seen struct {
	open, held, met bool
	session, calls  bool
	from, to        int
	booked          calendar.Day
	last            calendar.Day // of the window
	taken           map[string]bool
	over            map[string]time.Time
	dues            map[string]time.Time // of each step, as first shown
	shown           string               // the day on which it was last shown with a next step
}

type counter struct {
	Counts
	zone     *time.Location
	journeys map[string]*seen
	offers   map[string]string // the partner of each, by its id
	names    map[string]string // of partners, by id
}

// Count reads a log to its end.
func Count(log io.Reader) (Counts, error) {
	zone, err := calendar.ZoneOr(nil)
	if err != nil {
		return Counts{}, err
	}
	c := &counter{Counts: Counts{Void: map[string]int{}, Unsure: map[string]int{}}, zone: zone,
		journeys: map[string]*seen{}, offers: map[string]string{}, names: map[string]string{}}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return c.Counts, fmt.Errorf("reading line %d of the log: %w", n, err)
		}
		if err := c.take(l); err != nil {
			return c.Counts, fmt.Errorf("reading line %d of the log: %w", n, err)
		}
	}
	return c.Counts, lines.Err()
}

func (c *counter) take(l line) error {
	switch l.Kind {
	case "event":
		return c.event(l)
	case "request":
		if l.Status >= 200 && l.Status < 300 {
			return c.request(l)
		}
	case "partner":
		c.names[l.About], _ = strings.CutPrefix(l.By, "partner:")
	case "look":
		c.look(l)
	case "stand":
		return c.stand(l)
	case "day":
		c.evening(l)
	}
	return nil
}

func (c *counter) of(journey string) *seen {
	s := c.journeys[journey]
	if s == nil {
		s = &seen{taken: map[string]bool{}, over: map[string]time.Time{}, dues: map[string]time.Time{}}
		c.journeys[journey] = s
	}
	return s
}

func (c *counter) found(l line, count *int, what string) {
	*count++
	c.Found = append(c.Found, fmt.Sprintf("%s %s: %s", l.At.In(c.zone).Format("2006-01-02 15:04"), l.Journey, what))
}

// event takes what was published only for what nobody outside does: that a journey is there, that somebody left, which
// partner an offer is to, and that it was told.
func (c *counter) event(l line) error {
	var d struct{ LeftOn, Offer, Partner string }
	if err := json.Unmarshal(l.Data, &d); err != nil {
		return err
	}
	s := c.of(l.Journey)
	switch strings.TrimSuffix(l.About, ".v1") {
	case "journey.opened":
		s.open = true
		c.Journeys++
	case "journey.closed":
		s.open = false
	case "journey.reopened":
		s.open = true
	case "discharge.recorded":
		left, err := calendar.ParseDay(d.LeftOn)
		if err != nil {
			return err
		}
		today := calendar.DayOf(l.At, c.zone)
		if s.last = left + windowDays; s.last-today < lateBelow {
			s.last = today + windowDays
		}
		s.met, s.booked = false, 0
	case "offer.raised":
		c.offers[d.Offer] = d.Partner
	case "offer.sent":
		if !s.session {
			c.found(l, &c.Sent, "an offer was told to a partner without the person's yes")
		}
	}
	return nil
}

// request takes what somebody did, and was taken.
func (c *counter) request(l line) error {
	s, path := c.of(l.Journey), strings.Split(strings.Trim(l.Path, "/"), "/")
	var d struct {
		Answers []struct{ Purpose, Organisation, State string }
		Windows []struct{ FromHour, ToHour int }
		Outcome string
		All     bool
		Starts  time.Time `json:"startsAt"`
	}
	if len(l.Data) > 0 && string(l.Data) != "null" {
		if err := json.Unmarshal(l.Data, &d); err != nil {
			return nil // of no body that is read here
		}
	}
	partner, theirs := strings.CutPrefix(l.By, "partner:")
	if !theirs && len(path) > 2 { // they said it on the telephone, and a navigator wrote it down
		partner = c.names[c.offers[path[2]]]
	}
	switch path[len(path)-1] {
	case "consent":
		for _, a := range d.Answers {
			switch yes := a.State == "given"; {
			case a.Organisation != "":
			case a.Purpose == "follow-up":
				if s.session = yes; !yes {
					clear(s.taken)
				}
			case a.Purpose == "bridging":
				s.calls = yes
			}
		}
	case "plan":
		for _, w := range d.Windows {
			s.from, s.to = w.FromHour, w.ToHour
		}
	case "claim":
		c.rung(l, s)
	case "accept":
		s.taken[partner] = true
	case "decline":
		delete(s.taken, partner)
	case "hand-back":
		if s.booked = 0; !d.All {
			delete(s.taken, partner)
			break
		}
		for _, other := range c.journeys {
			delete(other.taken, partner)
		}
	case "appointment":
		s.booked = calendar.DayOf(d.Starts, c.zone)
	case "outcome":
		switch {
		case path[1] != "offers":
		case d.Outcome == "kept":
			s.met, s.over[partner] = true, l.At
		case d.Outcome == "not-kept":
			s.booked = 0
		}
	case "close":
		clear(s.taken)
	case "hold":
		s.held = true
	case "release":
		s.held, s.last = false, calendar.DayOf(l.At, c.zone)+windowDays
	}
	return nil
}

func (c *counter) rung(l line, s *seen) {
	from, to := fromHour, toHour
	if s.to > 0 {
		from, to = s.from, s.to
	}
	if hour := l.At.In(c.zone).Hour(); hour < from || hour >= to {
		c.found(l, &c.CallsOutside, "somebody was rung outside their hours")
	}
	if !s.calls {
		c.found(l, &c.CallsUnasked, "somebody was rung who has not said yes to calls")
	}
}

// look is a partner's attempt to read who somebody is: it succeeds only while it has taken them on, and for 14 days
// after the session.
func (c *counter) look(l line) {
	partner, is := strings.CutPrefix(l.By, "partner:")
	if s := c.of(l.Journey); is && l.Status == 200 {
		over, ended := s.over[partner]
		if !s.taken[partner] || ended && calendar.DayOf(l.At, c.zone) > calendar.DayOf(over, c.zone)+windowDays+1 {
			c.found(l, &c.Looks, "partner "+partner+" read who somebody is whom it has not taken on")
		}
	}
}

// stand is what comes next of a journey, in the evening.
func (c *counter) stand(l line) error {
	var d struct {
		Step, Kind, Owner string
		AlsoOwners        []string
		DueAt             time.Time
	}
	if err := json.Unmarshal(l.Data, &d); err != nil {
		return err
	}
	s, day := c.of(l.Journey), calendar.DayOf(l.At, c.zone).String()
	if d.Owner != "" && !d.DueAt.IsZero() {
		s.shown = day
	}
	if first, known := s.dues[d.Step]; !known && !d.DueAt.IsZero() {
		s.dues[d.Step] = d.DueAt
	} else if known && d.DueAt.After(first) {
		c.found(l, &c.Moved, "the time promised of a step was put off")
	}
	switch past := l.At.Sub(d.DueAt) - grace; {
	case d.DueAt.IsZero(), past <= -time.Second:
	case past <= 0:
		c.Unsure[day]++
	default:
		if c.Void[day]++; len(d.AlsoOwners) == 0 {
			c.found(l, &c.Alone, "a step is past its grace, and nobody was added to it")
		}
	}
	return nil
}

// evening ends a day: each open journey was shown with what comes next, and windows of which it was the last day are
// over.
func (c *counter) evening(l line) {
	day, _ := calendar.ParseDay(l.About)
	var ids []string
	for id := range c.journeys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s := c.journeys[id]
		l.Journey = id
		if s.open && s.shown != l.About {
			c.found(l, &c.Stepless, "an open journey has no next step")
		}
		if s.open && s.session && !s.held && !s.met && s.last == day && (s.booked == 0 || s.booked > day) {
			c.found(l, &c.WindowsLost, WindowLost)
		}
	}
}
