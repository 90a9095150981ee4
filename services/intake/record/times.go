package record

import (
	"slices"
	"time"

	"footbridge/schemas"
)

// A time that cannot be true is not believed, whichever way it came: it decides no window, no age and no order, the
// next best time is used instead, and a human is shown both. A date of leaving in the year 2206 would make an adult of
// a child.

// OldFor is how far back from its own time a message may speak of an attendance: a year and some weeks. Beyond it a
// digit of the year is wrong, not the memory good.
const OldFor = 400 * 24 * time.Hour

// oldest is the age in years beyond which a birth date is a mistake.
const oldest = 130

// What a doubt is about: the newest word about each stands.
const (
	AboutLeft        = "left"
	AboutArrived     = "arrived"
	aboutAsked       = "asked"
	AboutBorn        = "born"
	AboutText        = "text"
	AboutVisit       = "visit"
	AboutDestination = "destination"
	AboutIndicator   = "indicator"
)

// What was read instead, for the ledger; in words in intake's readWords.
const (
	ReadEventTime   = "used-event-time"
	ReadMessageTime = "used-message-time"
	ReadNoBirth     = "used-no-birth-date"
	ReadNoArrival   = "used-no-arrival"
	ReadDetected    = "used-detected-characters"
)

// Doubt is what could not be believed of one part of what was said, and what was used instead. One without flags says
// that the part was said, and is sound.
type Doubt struct {
	Flags   []string `json:"flags,omitempty"`
	Read    []string `json:"read,omitempty"`
	Version Version  `json:"at,omitzero"`
	// Asked: the person has been asked since, so that no message raises the same again.
	Asked bool `json:"asked,omitempty"`
}

// Doubt notes that a part of a statement is not believed, and what is used instead.
func (s *ClinicalEvent) Doubt(about, flag, read string) {
	if s.Doubts == nil {
		s.Doubts = map[string]Doubt{}
	}
	d := s.Doubts[about]
	if flag != "" && !slices.Contains(d.Flags, flag) {
		d.Flags = append(d.Flags[:len(d.Flags):len(d.Flags)], flag)
	}
	if read != "" && !slices.Contains(d.Read, read) {
		d.Read = append(d.Read[:len(d.Read):len(d.Read)], read)
	}
	s.Doubts[about] = d
}

// Believe keeps of a statement the times that can be true: not in the future, not before birth, not over a year before
// the message's own time. Of the ends it may speak of, the first such one is when the person left; where there is none,
// a message that says they have left counts from when it came. It may be asked again, and comes to the same.
func (s *ClinicalEvent) Believe(received time.Time, zone *time.Location) {
	born := s.believeBirth(received, zone)
	can := func(m Moment) bool { return !InFuture(m, received, zone) && !m.On(zone).before(born) }
	recent := func(m Moment) bool { return s.StatedAt.IsZero() || !m.At.Before(s.StatedAt.Add(-OldFor)) }
	if s.Arrived.Known() {
		s.Doubt(AboutArrived, "", "")
		if !can(s.Arrived) || !recent(s.Arrived) || s.arrivedAfterEnd() {
			if s.arrivedAfterEnd() {
				s.Doubt(AboutArrived, schemas.FlagLeftBeforeArrival, "")
			}
			s.Doubt(AboutArrived, schemas.FlagTimeNotBelieved, ReadNoArrival)
			s.Arrived = Moment{}
		}
	}
	if s.Asked.At.Known() && (!can(s.Asked.At) || !recent(s.Asked.At)) {
		s.Doubt(aboutAsked, schemas.FlagTimeNotBelieved, ReadMessageTime)
		s.Asked.At = Moment{At: received}
	} else if s.Asked.At.Known() && s.Doubts[aboutAsked].Flags == nil {
		s.Doubt(aboutAsked, "", "")
	}
	if s.Corrects.Known() && (!can(s.Corrects) || !recent(s.Corrects)) {
		s.Doubt(AboutLeft, notBelieved(s.Corrects, received, zone), "")
		s.Corrects = Moment{}
	} else if s.Corrects.Known() {
		s.Doubt(AboutLeft, "", "")
	}
	s.believeEnd(received, zone, func(m Moment) bool { return can(m) && recent(m) })
	// nothing is said so long before it happens
	if s.Happened.Known() && !s.StatedAt.IsZero() && s.StatedAt.Before(s.Happened.At.Add(-OldFor)) {
		s.Doubt("said", schemas.FlagTimeNotBelieved, ReadMessageTime)
		s.StatedAt = received
	}
}

// believeEnd takes the first of the ends that can be true, and keeps the next beside it.
func (s *ClinicalEvent) believeEnd(received time.Time, zone *time.Location, can func(Moment) bool) {
	if len(s.Ends) == 0 {
		return
	}
	s.Happened, s.Else = Moment{}, Moment{}
	given := false
	for i, end := range s.Ends {
		switch {
		case !end.Known():
		case !can(end):
			s.Doubt(AboutLeft, notBelieved(end, received, zone), "")
			given = true
		case !s.Happened.Known():
			s.Happened, given = end, true
			if i > 0 && len(s.Doubts[AboutLeft].Flags) > 0 {
				s.Doubt(AboutLeft, "", ReadEventTime)
			}
		case !s.Else.Known():
			s.Else = end
		}
	}
	if given && !s.Happened.Known() && s.Kind != KindReferral {
		s.Happened = Moment{At: received}
		s.Doubt(AboutLeft, "", ReadMessageTime)
	}
	s.Doubt(AboutLeft, "", "")
}

// notBelieved is the flag of a time that is not believed.
func notBelieved(m Moment, received time.Time, zone *time.Location) string {
	if InFuture(m, received, zone) {
		return schemas.FlagFutureDischarge
	}
	return schemas.FlagTimeNotBelieved
}

// arrivedAfterEnd: the arrival is later than the message that says that they have left, and than the time of that.
func (s *ClinicalEvent) arrivedAfterEnd() bool {
	if s.Kind != KindEnd && s.Kind != KindReported {
		return false
	}
	return !s.Arrived.DayOnly && s.Arrived.At.After(s.StatedAt.Add(FutureTolerance)) && !s.StatedAt.IsZero()
}

// believeBirth leaves a birth date out that cannot be one, and gives the day of one that can.
func (s *ClinicalEvent) believeBirth(received time.Time, zone *time.Location) localDay {
	identity := s.Person.Reveal()
	if identity.BirthDate == "" {
		return ""
	}
	today := received.In(zone).Format(time.DateOnly)
	day, err := time.Parse(time.DateOnly, identity.BirthDate)
	if err == nil && identity.BirthDate <= today && day.AddDate(oldest, 0, 0).Format(time.DateOnly) >= today {
		if s.Doubts[AboutBorn].Flags == nil {
			s.Doubt(AboutBorn, "", "")
		}
		return localDay(identity.BirthDate)
	}
	identity.BirthDate = ""
	s.Conceal(identity)
	s.Doubt(AboutBorn, schemas.FlagTimeNotBelieved, ReadNoBirth)
	return ""
}

// localDay is a day as YYYY-MM-DD; an empty one is not known.
type localDay string

func (d localDay) before(o localDay) bool { return d != "" && o != "" && d < o }

// On is the local day of a moment.
func (m Moment) On(zone *time.Location) localDay {
	return localDay(m.At.In(zone).Format(time.DateOnly))
}

// InFuture allows for a sender's clock that runs a little ahead.
func InFuture(m Moment, now time.Time, zone *time.Location) bool {
	if m.DayOnly {
		return m.On(zone) > (Moment{At: now.Add(FutureTolerance)}).On(zone)
	}
	return m.At.After(now.Add(FutureTolerance))
}

// Before says that m is earlier than o, as far as can be told: of a day alone, an hour of the same day is not.
func (m Moment) Before(o Moment) bool {
	if m.DayOnly || o.DayOnly {
		return m.At.Before(o.At.Add(-24 * time.Hour))
	}
	return m.At.Before(o.At)
}

// KnownAlive ends the doubt about an indicator that nobody knows: the person answered, and was asked whether their
// record is to be protected. It says whether there was one.
func (v *Visit) KnownAlive(at time.Time) bool {
	if !slices.Contains(v.Doubts[AboutIndicator].Flags, schemas.FlagIndicatorUnknown) {
		return false
	}
	v.Doubts[AboutIndicator] = Doubt{Version: Version{StatedAt: at}, Asked: true}
	v.changed = true
	return true
}

// doubted takes over what is doubted, or said soundly, of each part.
func (v *Visit) doubted(doubts map[string]Doubt, stamp Version) {
	for about, doubt := range doubts {
		known, there := v.Doubts[about]
		if there && !stamp.After(known.Version) || known.Asked && len(doubt.Flags) > 0 {
			continue
		}
		if v.Doubts == nil {
			v.Doubts = map[string]Doubt{}
		}
		doubt.Version = stamp
		v.Doubts[about] = doubt
		v.changed = true
	}
}
