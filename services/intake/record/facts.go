package record

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// FactBook is what was said of a person, fact by fact, each with when it was said and by which way. What a message
// leaves out stays; only what is taken back by name is known no more.
type FactBook struct {
	Facts   schemas.Facts       `json:"facts,omitzero"`
	Version ByName[FactVersion] `json:"said,omitempty"`
}

// FactVersion is when a fact was said, and by which way in.
type FactVersion struct {
	Version
	Way string `json:"by,omitempty"`
}

// after says whether what is said by a way replaces what stands.
func (s FactVersion) after(o FactVersion) bool {
	if (s.Way == WayPreferences) != (o.Way == WayPreferences) && !fed(s.Way) && !fed(o.Way) {
		return s.After(o.Version)
	}
	switch {
	case o.Way == WayPreferences && fed(s.Way):
		return false
	case s.Way == WayPreferences && fed(o.Way):
		return true
	}
	return s.After(o.Version)
}

// aboutVisits are facts of one visit to hospital: they are not the person's beyond it.
var aboutVisits = []string{"route", "assessment", "destination", "age", "ageRisesOn", "lastSelfHarm"}

// StatedFacts are what was said of a person at one time by one way: kept for good, whatever replaces it.
type StatedFacts struct {
	Person, Way, Message, By string
	StatedAt                 time.Time
	Facts                    map[string]json.RawMessage // by name; null where it was taken back
}

// Apply takes over each fact that is stated or taken back, unless something said later stands, and returns all of them
// as they were said, but for those that say what is known. said is nil where nothing else was said.
func (b *FactBook) Apply(facts schemas.Facts, takenBack []string, stamp FactVersion) (said *StatedFacts, changed bool) {
	cloned := false
	b.Facts.Beside(&facts, func(name string, field, stated reflect.Value) {
		if stated.IsZero() && !slices.Contains(takenBack, name) {
			return
		}
		if b.Version[name].IsZero() || !reflect.DeepEqual(field.Interface(), stated.Interface()) {
			if said == nil {
				said = &StatedFacts{Way: stamp.Way, StatedAt: stamp.StatedAt, Facts: map[string]json.RawMessage{}}
			}
			said.Facts[name], _ = json.Marshal(stated.Interface()) // facts always marshal
		}
		if slices.Contains(aboutVisits, name) || !stamp.after(b.Version[name]) {
			return
		}
		if !cloned {
			b.Version, cloned = maps.Clone(b.Version), true
		}
		if b.Version == nil {
			b.Version = map[string]FactVersion{}
		}
		field.Set(stated)
		b.Version[name], changed = stamp, true
	})
	return said, changed
}

// over puts what is known of the person over what was said on a visit, where it was said later, or by themselves.
func (b FactBook) over(facts schemas.Facts, said map[string]Version) schemas.Facts {
	facts.Beside(&b.Facts, func(name string, field, known reflect.Value) {
		own, there := b.Version[name]
		if there && (own.Way == WayPreferences || !said[name].After(own.Version)) {
			field.Set(known)
		}
	})
	return facts
}

// Place makes a fact of where somebody lives, by whichever way they are reported. Where the postcode was deleted, or is
// of no area that was agreed, the area that was known before is known no more.
func (s *ClinicalEvent) Place(identity Identity, areas map[string]string) {
	const area = "areaResidence"
	switch code, known := areas[Outward(identity.Postcode)]; {
	case s.Facts.AreaResidence != nil || len(areas) == 0:
	case known:
		s.Facts.AreaResidence = &code
	case identity.Postcode != "" || slices.Contains(identity.Removed, "postcode"):
		s.Retracted = append(s.Retracted, area)
	}
}

// isYoungElsewhere says whether a record that is, or may be, the same person says that they are under 18. Nothing else
// of it counts before a human has confirmed that they are one.
func (w *UnitOfWork) isYoungElsewhere(person *Person, on string) bool {
	for _, record := range w.Records(person) {
		identity := record.Identity.Reveal()
		births := maps.Clone(identity.OtherBirths)
		maps.DeleteFunc(births, func(id, _ string) bool {
			return !slices.Contains(record.Aliases, id) || w.Confirmed[id] == record.ID
		})
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

// keepFacts puts what a statement says of the person into their book.
func (w *UnitOfWork) keepFacts(person *Person, s ClinicalEvent, in Incoming) {
	stamp := s.Version(0)
	stamp.ArrivalNumber = person.RowVersion
	said, changed := person.Facts.Apply(s.Facts, s.Retracted, FactVersion{stamp, in.Way})
	if said != nil {
		said.Person, said.Message, said.By = person.ID, s.Message, s.By
		w.Stated = append(w.Stated, *said)
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
