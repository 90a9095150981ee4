package intake

import (
	"cmp"
	"slices"
	"time"
)

// World is what a batch of messages may change: the persons and visits concerned, loaded and locked. Messages are
// taken one by one, in the order they came, each seeing what those before it in the batch have changed.
type World struct {
	Zone          *time.Location
	QuarantineFor time.Duration

	persons  map[string]*Person // by lookup key; a merged record's keys lead to the survivor
	owners   map[string]*Person // by id; a merged record's id leads to the survivor
	visits   []*Visit
	byNumber map[visitKey]*Visit
	merged   []*Person // records that were given up in this batch
}

type visitKey struct{ organisation, number string }

// addPerson puts a loaded record under a lookup key.
func (w *World) addPerson(key string, person *Person) {
	w.persons[key] = person
	for _, id := range person.IDs() {
		w.owners[id] = person
	}
}

// addVisit puts a loaded visit in.
func (w *World) addVisit(v *Visit) {
	key := visitKey{v.Organisation, v.Number}
	if w.byNumber[key] == nil {
		w.byNumber[key] = v
		w.visits = append(w.visits, v)
	}
}

// NewWorld makes a world of what was loaded.
func NewWorld(zone *time.Location, quarantineFor time.Duration) *World {
	return &World{Zone: zone, QuarantineFor: quarantineFor, persons: map[string]*Person{},
		owners: map[string]*Person{}, byNumber: map[visitKey]*Visit{}}
}

// Incoming is one message to be taken, with the ids that it may need, minted by the door.
type Incoming struct {
	Statement  Statement
	Key        string // the person's lookup key
	Anonymous  bool   // Key is made of the visit alone
	MergedKey  string // of KindMerge
	VisitID    string // of KindHuman: the visit decided about
	NewPerson  string
	NewMerged  string
	NewVisit   string
	NewJourney string
	DecidedAt  time.Time
}

// Settled is what became of one message.
type Settled struct {
	Decision
	Visit  *Visit
	Person string
}

// Take joins one message to its person and its visit and decides about it.
func (w *World) Take(in Incoming) Settled {
	s := in.Statement
	if s.Kind == KindHuman {
		return w.takeHuman(in)
	}
	person := w.persons[in.Key]
	if s.Kind == KindPerson && person == nil && !s.Died {
		return Settled{Decision: Decision{Outcome: Ignored, Reason: ReasonDemographics}}
	}
	if person == nil {
		person = w.newPerson(in.Key, in.NewPerson, s.Organisation)
		person.Anonymous = in.Anonymous
	}
	person.learn(s.Person.Reveal(), s.SaidAt)
	if s.Died && !person.Deceased {
		person.Deceased, person.changed = true, true
	}
	var settled Settled
	switch s.Kind {
	case KindMerge:
		settled = w.takeMerge(in, person)
	case KindPerson:
		settled = Settled{Decision: Decision{Outcome: Joined, Reason: ReasonDemographics}}
	default:
		settled = w.takeVisit(in, person)
	}
	settled.Person = person.ID
	if person.Deceased {
		settled.stop(stopContact(w.visitsOf(person), person.ID))
	}
	return settled
}

func (s *Settled) stop(say []Say) {
	if len(say) > 0 {
		s.Outcome, s.Reason = Corrected, ReasonDeath
		s.Say = append(s.Say, say...)
	}
}

func (w *World) newPerson(key, id, organisation string) *Person {
	person := &Person{ID: id, Organisation: organisation, isNew: true, changed: true}
	w.addPerson(key, person)
	return person
}

func (w *World) takeVisit(in Incoming, person *Person) Settled {
	v := w.visitFor(in, person)
	w.assign(v, person, in.Statement)
	v.join(in.Statement)
	return Settled{Visit: v, Decision: Decide(v, in.Statement, w.subject(v, person, in))}
}

// visitFor finds the visit by its number; without one, the person's visit that the time fits; else it is a new
// one.
func (w *World) visitFor(in Incoming, person *Person) *Visit {
	s := in.Statement
	if v := w.byNumber[visitKey{s.Organisation, s.Visit}]; v != nil && s.Visit != "" {
		return v
	}
	number := s.Visit
	if number == "" {
		if v := w.visitByTime(s, person); v != nil {
			return v
		}
		number = "~" + s.Message // no sender's number begins so
	}
	v := &Visit{ID: in.NewVisit, Organisation: s.Organisation, Number: number}
	w.addVisit(v)
	return v
}

// How far a message without a visit number may be from a visit to be joined to it: an open one that began within a
// week, or one that ended within a day.
const (
	openFor  = 7 * 24 * time.Hour
	endedFor = 24 * time.Hour
)

func (w *World) visitByTime(s Statement, person *Person) *Visit {
	at := firstKnown(s.SaidAt, s.Happened)
	fits := slices.DeleteFunc(w.visitsOf(person), func(v *Visit) bool {
		began := v.began()
		if v.Organisation != s.Organisation || v.IsCancelled() {
			return true
		}
		if v.Ended() {
			return v.End.Left.At.Sub(at).Abs() > endedFor || (s.Kind == KindEnd && !v.End.Left.Same(s.Happened))
		}
		return began.After(at.Add(endedFor)) || at.Sub(began) > openFor
	})
	if len(fits) == 0 {
		return nil
	}
	return slices.MaxFunc(fits, func(a, b *Visit) int {
		// An open one before an ended one, then the later arrival.
		if a.Ended() != b.Ended() {
			if b.Ended() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.began().Compare(b.began()), cmp.Compare(a.Number, b.Number))
	})
}

func (v *Visit) began() time.Time {
	switch {
	case v.Arrived.Known():
		return v.Arrived.At
	case v.Started != (Stamp{}):
		return v.Started.SaidAt
	case v.PersonSaid != (Stamp{}):
		return v.PersonSaid.SaidAt
	}
	return v.End.Left.At
}

func (w *World) visitsOf(person *Person) []*Visit {
	ids := person.IDs()
	var visits []*Visit
	for _, v := range w.visits {
		if slices.Contains(ids, v.Person) {
			visits = append(visits, v)
		}
	}
	return visits
}

// assign says whose visit it is: the newest message decides. Two records that nobody has said are one person are
// shown to a human, since an offer to the wrong person is worse than a question.
func (w *World) assign(v *Visit, person *Person, s Statement) {
	stamp := Stamp{SaidAt: s.SaidAt, Seq: v.Version + 1}
	if v.Person == "" {
		v.Person, v.PersonSaid = person.ID, stamp
		return
	}
	if slices.Contains(person.IDs(), v.Person) {
		return
	}
	other := w.owners[v.Person]
	switch {
	case person.Anonymous:
		return
	case other != nil && other.Anonymous:
		v.Person, v.PersonSaid = person.ID, stamp
		return
	}
	v.PersonDiffers = true
	if stamp.After(v.PersonSaid) {
		v.Person, v.PersonSaid = person.ID, stamp
	}
}

func (w *World) subject(v *Visit, person *Person, in Incoming) Subject {
	if owner := w.owners[v.Person]; owner != nil {
		person = owner
	}
	identity := person.Identity.Reveal()
	return Subject{
		Person: person.ID, Deceased: person.Deceased, BirthDate: identity.BirthDate, BadNumber: identity.NumberInvalid,
		Merged: len(person.Aliases) > 0, NewJourney: in.NewJourney, DecidedAt: in.DecidedAt, Zone: w.Zone,
		QuarantineH: w.QuarantineFor,
	}
}

// takeMerge makes two records one. Journeys already begun are shown to a human; nothing crosses by itself.
func (w *World) takeMerge(in Incoming, survivor *Person) Settled {
	given := w.persons[in.MergedKey]
	if given == survivor {
		return Settled{Decision: Decision{Outcome: Joined, Reason: ReasonMerged}}
	}
	if given == nil {
		given = w.newPerson(in.MergedKey, in.NewMerged, in.Statement.Organisation)
	}
	survivor.merge(given)
	w.merged = append(w.merged, given)
	for _, id := range given.IDs() {
		w.owners[id] = survivor
	}
	for key, person := range w.persons {
		if person == given {
			w.persons[key] = survivor
		}
	}
	settled := Settled{Decision: Decision{Outcome: Joined, Reason: ReasonMerged}}
	for _, v := range w.visitsOf(survivor) {
		if !v.Raised.Standing() {
			continue
		}
		v.Version++
		v.changed = true
		decision := correct(v, in.Statement, w.subject(v, survivor, in))
		settled.Say = append(settled.Say, decision.Say...)
		if decision.Outcome == Corrected {
			settled.Outcome = Corrected
		}
	}
	return settled
}

// takeHuman applies a named human's decision about a visit of undecided scope.
func (w *World) takeHuman(in Incoming) Settled {
	for _, v := range w.visits {
		if v.ID != in.VisitID {
			continue
		}
		person := w.owners[v.Person]
		if person == nil {
			break
		}
		v.Asked = ""
		v.join(in.Statement)
		return Settled{Visit: v, Person: person.ID, Decision: Decide(v, in.Statement, w.subject(v, person, in))}
	}
	return Settled{Decision: Decision{Outcome: Quarantined, Reason: ReasonNoVisit}}
}

// changedPersons are the records to be stored, the given-up ones included.
func (w *World) changedPersons() []*Person {
	seen := map[string]*Person{}
	for _, person := range w.owners {
		seen[person.ID] = person
	}
	for _, person := range w.merged {
		seen[person.ID] = person
	}
	var changed []*Person
	for _, person := range seen {
		if person.changed {
			changed = append(changed, person)
		}
	}
	slices.SortFunc(changed, func(a, b *Person) int { return cmp.Compare(a.ID, b.ID) })
	return changed
}

func (w *World) changedVisits() []*Visit {
	changed := slices.DeleteFunc(slices.Clone(w.visits), func(v *Visit) bool { return !v.changed })
	slices.SortFunc(changed, func(a, b *Visit) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Number, b.Number))
	})
	return changed
}
