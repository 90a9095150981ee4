package record

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// FactBook is what was said of a person, fact by fact, each with when it was said and by which way. What a message
// leaves out stays; only what is taken back by name is known no more.
type FactBook struct {
	Facts schemas.Facts        `json:"facts,omitzero"`
	Said  map[string]FactStamp `json:"said,omitempty"`
}

// FactStamp is when a fact was said, and by which way in.
type FactStamp struct {
	Stamp
	Way string `json:"by,omitempty"`
}

// after says whether what is said by a way replaces what stands.
func (s FactStamp) after(o FactStamp) bool {
	if (s.Way == WayPreferences) != (o.Way == WayPreferences) && !fed(s.Way) && !fed(o.Way) {
		return s.After(o.Stamp)
	}
	switch {
	case o.Way == WayPreferences && fed(s.Way):
		return false
	case s.Way == WayPreferences && fed(o.Way):
		return true
	}
	return s.After(o.Stamp)
}

// aboutVisits are facts of one visit to hospital: they are not the person's beyond it.
var aboutVisits = []string{"route", "assessment", "destination", "age", "ageRisesOn", "lastSelfHarm"}

// FactSaid is one fact as it was said: kept for good, whatever replaces it.
type FactSaid struct {
	Person, Fact, Value, Way, Message, By string
	SaidAt                                time.Time
}

// Learn takes over each fact that is stated or taken back, unless something said later stands, and returns all of them
// as they were said, but for those that say what is known.
func (b *FactBook) Learn(facts schemas.Facts, takenBack []string, stamp FactStamp) (said []FactSaid, changed bool) {
	stated, cloned := maps.Collect(facts.Fields()), false
	for name, field := range b.Facts.Fields() {
		gone := slices.Contains(takenBack, name) && stated[name].IsZero()
		if stated[name].IsZero() && !gone {
			continue
		}
		known, _ := json.Marshal(field.Interface()) // facts always marshal
		value, _ := json.Marshal(stated[name].Interface())
		if string(known) != string(value) || b.Said[name].IsZero() {
			said = append(said, FactSaid{Fact: name, Value: string(value), Way: stamp.Way, SaidAt: stamp.SaidAt})
		}
		if slices.Contains(aboutVisits, name) || !stamp.after(b.Said[name]) {
			continue
		}
		if !cloned {
			b.Said, cloned = maps.Clone(b.Said), true
		}
		if b.Said == nil {
			b.Said = map[string]FactStamp{}
		}
		field.Set(stated[name])
		b.Said[name], changed = stamp, true
	}
	return said, changed
}

// over puts what is known of the person over what was said on a visit, where it was said later, or by themselves.
func (b FactBook) over(facts schemas.Facts, said map[string]Stamp) schemas.Facts {
	known := maps.Collect(b.Facts.Fields())
	for name, field := range facts.Fields() {
		own, there := b.Said[name]
		if there && (own.Way == WayPreferences || !said[name].After(own.Stamp)) {
			field.Set(known[name])
		}
	}
	return facts
}

// Place makes a fact of where somebody lives, by whichever way they are reported. Where the postcode was deleted, or is
// of no area that was agreed, the area that was known before is known no more.
func (s *Statement) Place(identity Identity, areas map[string]string) {
	const area = "areaResidence"
	switch code, known := areas[Outward(identity.Postcode)]; {
	case s.Facts.AreaResidence != nil || len(areas) == 0:
	case known:
		s.Facts.AreaResidence = &code
	case identity.Postcode != "" || slices.Contains(identity.Removed, "postcode"):
		s.TakenBack = append(s.TakenBack, area)
	}
}

// isYoungElsewhere says whether a record that is, or may be, the same person says that they are under 18. Nothing else
// of it counts before a human has confirmed that they are one.
func (w *World) isYoungElsewhere(person *Person, on string) bool {
	for _, record := range w.Records(person) {
		identity := record.Identity.Reveal()
		births := maps.Clone(identity.OtherBirths)
		maps.DeleteFunc(births, func(id, _ string) bool { return !slices.Contains(record.Aliases, id) || w.Confirmed[id] == record.ID })
		if record != person {
			births = addBirth(births, record.ID, identity.BirthDate)
		}
		for _, born := range births {
			if age, known := AgeOn(born, on); known && age < Adult {
				return true
			}
		}
	}
	return false
}

func addBirth(births map[string]string, record, born string) map[string]string {
	if born == "" {
		return births
	}
	if births = maps.Clone(births); births == nil {
		births = map[string]string{}
	}
	births[record] = born
	return births
}

// say puts what a statement says of the person into their book.
func (w *World) say(person *Person, s Statement, in Incoming) {
	stamp := s.Stamp(0)
	stamp.Seq = person.Version
	said, changed := person.Facts.Learn(s.Facts, s.TakenBack, FactStamp{stamp, in.Way})
	for _, one := range said {
		one.Person, one.Message, one.By = person.ID, s.Message, s.By
		w.Said = append(w.Said, one)
	}
	person.changed = person.changed || changed
}

// Outward is the first part of a postcode, in capitals: TQ1 of "tq1 4ab", "TQ14AB" and "TQ1".
func Outward(postcode string) string {
	first, rest, parted := strings.Cut(strings.ToUpper(strings.TrimSpace(postcode)), " ")
	if parted && rest != "" {
		return first
	}
	if len(first) >= 5 {
		return first[:len(first)-3] // the second part is always three characters
	}
	return first
}
