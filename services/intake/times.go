package intake

import (
	"time"

	"footbridge/schemas"
)

// A time that cannot be true is not believed, whichever way it came: it decides no window, no age and no order, the next
// best time is used instead, and a human is shown both. A date of leaving in the year 2206 would make an adult of a child.

// oldFor is how far back from its own time a message may speak of an attendance: a year and some weeks. Beyond it a
// digit of the year is wrong, not the memory good.
const oldFor = 400 * 24 * time.Hour

// oldest is the age in years beyond which a birth date is a mistake.
const oldest = 130

// What a doubt is about: the newest word about each stands.
const (
	aboutLeft        = "left"
	aboutArrived     = "arrived"
	aboutBorn        = "born"
	aboutText        = "text"
	aboutVisit       = "visit"
	aboutDestination = "destination"
)

// What was read instead, for the ledger; in words in flagWords.
const (
	readEventTime   = "used-event-time"
	readMessageTime = "used-message-time"
	readNoBirth     = "used-no-birth-date"
	readNoArrival   = "used-no-arrival"
	readDetected    = "used-detected-characters"
)

// Doubt is what could not be believed of one part of what was said, and what was used instead. One without flags says
// that the part was said, and is sound.
type Doubt struct {
	Flags []string `json:"flags,omitempty"`
	Read  []string `json:"read,omitempty"`
	Said  Stamp    `json:"at,omitzero"`
}

// doubt notes that a part of a statement is not believed, and what is used instead.
func (s *Statement) doubt(about, flag, read string) {
	if s.Doubts == nil {
		s.Doubts = map[string]Doubt{}
	}
	d := s.Doubts[about]
	if flag != "" && !contains(d.Flags, flag) {
		d.Flags = append(d.Flags[:len(d.Flags):len(d.Flags)], flag)
	}
	if read != "" && !contains(d.Read, read) {
		d.Read = append(d.Read[:len(d.Read):len(d.Read)], read)
	}
	s.Doubts[about] = d
}

func contains(all []string, one string) bool {
	for _, text := range all {
		if text == one {
			return true
		}
	}
	return false
}

// believe keeps of a statement the times that can be true: not in the future, not before birth, not over a year before
// the message's own time. Of the ends it may speak of, the first such one is when the person left; where there is none,
// a message that says they have left counts from when it came. It may be asked again, and comes to the same.
func (s *Statement) believe(received time.Time, zone *time.Location) {
	born := s.believeBirth(received, zone)
	can := func(m Moment) bool { return !inFuture(m, received, zone) && !m.on(zone).before(born) }
	recent := func(m Moment) bool { return s.SaidAt.IsZero() || !m.At.Before(s.SaidAt.Add(-oldFor)) }
	if s.Arrived.Known() {
		s.doubt(aboutArrived, "", "")
		if !can(s.Arrived) || !recent(s.Arrived) || s.arrivedAfterEnd() {
			if s.arrivedAfterEnd() {
				s.doubt(aboutArrived, schemas.FlagLeftBeforeArrival, "")
			}
			s.doubt(aboutArrived, schemas.FlagTimeNotBelieved, readNoArrival)
			s.Arrived = Moment{}
		}
	}
	if s.Requested.Known() && inFuture(s.Requested, received, zone) {
		s.doubt(aboutLeft, schemas.FlagTimeNotBelieved, readMessageTime)
		s.Requested = Moment{At: received}
	}
	if s.Corrects.Known() && (!can(s.Corrects) || !recent(s.Corrects)) {
		s.doubt(aboutLeft, notBelieved(s.Corrects, received, zone), "")
		s.Corrects = Moment{}
	} else if s.Corrects.Known() {
		s.doubt(aboutLeft, "", "")
	}
	s.believeEnd(received, zone, func(m Moment) bool { return can(m) && recent(m) })
}

// believeEnd takes the first of the ends that can be true, and keeps the next beside it.
func (s *Statement) believeEnd(received time.Time, zone *time.Location, can func(Moment) bool) {
	if len(s.Ends) == 0 {
		return
	}
	s.Happened, s.Else = Moment{}, Moment{}
	given := false
	for i, end := range s.Ends {
		switch {
		case !end.Known():
		case !can(end):
			s.doubt(aboutLeft, notBelieved(end, received, zone), "")
			given = true
		case !s.Happened.Known():
			s.Happened, given = end, true
			if i > 0 && len(s.Doubts[aboutLeft].Flags) > 0 {
				s.doubt(aboutLeft, "", readEventTime)
			}
		case !s.Else.Known():
			s.Else = end
		}
	}
	if given && !s.Happened.Known() && s.Kind != KindReferral {
		s.Happened = Moment{At: received}
		s.doubt(aboutLeft, "", readMessageTime)
	}
	s.doubt(aboutLeft, "", "")
}

// notBelieved is the flag of a time that is not believed.
func notBelieved(m Moment, received time.Time, zone *time.Location) string {
	if inFuture(m, received, zone) {
		return schemas.FlagFutureDischarge
	}
	return schemas.FlagTimeNotBelieved
}

// arrivedAfterEnd: the arrival is later than the message that says that they have left, and than the time of that.
func (s *Statement) arrivedAfterEnd() bool {
	if s.Kind != KindEnd && s.Kind != KindReported {
		return false
	}
	return !s.Arrived.DayOnly && s.Arrived.At.After(s.SaidAt.Add(futureTolerance)) && !s.SaidAt.IsZero()
}

// believeBirth leaves a birth date out that cannot be one, and gives the day of one that can.
func (s *Statement) believeBirth(received time.Time, zone *time.Location) localDay {
	identity := s.Person.Reveal()
	if identity.BirthDate == "" {
		return ""
	}
	today := received.In(zone).Format(time.DateOnly)
	day, err := time.Parse(time.DateOnly, identity.BirthDate)
	if err == nil && identity.BirthDate <= today && day.AddDate(oldest, 0, 0).Format(time.DateOnly) >= today {
		if s.Doubts[aboutBorn].Flags == nil {
			s.doubt(aboutBorn, "", "")
		}
		return localDay(identity.BirthDate)
	}
	identity.BirthDate = ""
	s.conceal(identity)
	s.doubt(aboutBorn, schemas.FlagTimeNotBelieved, readNoBirth)
	return ""
}

// localDay is a day as YYYY-MM-DD; an empty one is not known.
type localDay string

func (d localDay) before(o localDay) bool { return d != "" && o != "" && d < o }

func (m Moment) on(zone *time.Location) localDay {
	return localDay(m.At.In(zone).Format(time.DateOnly))
}

// inFuture allows for a sender's clock that runs a little ahead.
func inFuture(m Moment, now time.Time, zone *time.Location) bool {
	if m.DayOnly {
		return m.on(zone) > (Moment{At: now.Add(futureTolerance)}).on(zone)
	}
	return m.At.After(now.Add(futureTolerance))
}

// before says that m is earlier than o, as far as can be told: of a day alone, an hour of the same day is not.
func (m Moment) before(o Moment) bool {
	if m.DayOnly || o.DayOnly {
		return m.At.Before(o.At.Add(-24 * time.Hour))
	}
	return m.At.Before(o.At)
}

// doubted takes over what is doubted, or said soundly, of each part.
func (v *Visit) doubted(doubts map[string]Doubt, stamp Stamp) {
	for about, doubt := range doubts {
		if known, there := v.Doubts[about]; there && !stamp.After(known.Said) {
			continue
		}
		if v.Doubts == nil {
			v.Doubts = map[string]Doubt{}
		}
		doubt.Said = stamp
		v.Doubts[about] = doubt
		v.changed = true
	}
}
