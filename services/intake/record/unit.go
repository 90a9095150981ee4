package record

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"footbridge/schemas"
)

// UnitOfWork is what a batch of messages may change: the persons, visits and journeys concerned, loaded and locked.
// Messages are taken one by one, in the order they came, each seeing what those before it in the batch have changed.
type UnitOfWork struct {
	Zone          *time.Location
	QuarantineFor time.Duration
	Waits         Waits
	// NewID mints an id for what one message makes beside what its door foresaw.
	NewID func() string

	Persons  map[string]*Person // by lookup key; a merged record's keys lead to the survivor
	Owners   map[string]*Person // by id; a merged record's id leads to the survivor
	numbers  map[string][]*Person
	Visits   []*Visit
	byNumber map[VisitKey]*Visit
	Journeys map[string]*JourneyState
	merged   []*Person // records that were given up in this batch
	Linked   []NumberOf
	Cards    map[string]CardFlags // of persons whom a signal is about
	// Answers are all that was answered under the records, fresh those of them that are new, and stood how they stood
	// on each journey when that was told. confirmed leads from a record to the one that a human confirmed it to be.
	Answers, Fresh []Answer
	Confirmed      map[string]string
	Stood          map[string]AnswerStates
	// Heard are the answers that were there when stood was noted, by what tells each from all others.
	Heard map[string]bool
	// Barred are the organisations that each record says must not know, and BarredWere those that counted on each
	// journey when that was told.
	Barred, BarredWere map[string][]string
	// HoursWere are the hours in which the person may be rung, as each journey was told.
	HoursWere map[string]schemas.ContactHours
	// Stated are facts to be kept as they were said.
	Stated []StatedFacts
	// RecordOf is the record that a lookup key leads to, which may have been merged into another one since.
	RecordOf map[string]string
	// Homes say whose facilities are that are agreed with no organisation.
	Homes map[string]Home
	// Unconfirmed are persons whose contact is to be asked again.
	Unconfirmed []string
}

// VisitKey is by what a visit is known again: whose number it is.
type VisitKey struct{ Organisation, Number string }

// NumberOf says that a record carries a verified NHS number, by its keyed hash.
type NumberOf struct{ Hash, Person string }

// JourneyState is what intake knows of a journey: whose it is, how much it has told of it, and whether it is open.
type JourneyState struct {
	ID         string
	Person     string
	Told       int64
	FirstEvent string
	State      string
	OpenedAt   time.Time

	Changed bool
}

// JourneyClosed is the state in which a journey takes up no further attendance.
const JourneyClosed = "closed"

// JourneyOpen is the state in which the person may be contacted.
const JourneyOpen = "open"

// NewUnit makes a world of what was loaded.
func NewUnit(zone *time.Location, quarantineFor time.Duration, newID func() string) *UnitOfWork {
	return &UnitOfWork{Zone: zone, QuarantineFor: quarantineFor, Waits: Waits{NoEndAfter, WardReview}, NewID: newID,
		Persons: map[string]*Person{}, Owners: map[string]*Person{},
		numbers: map[string][]*Person{}, byNumber: map[VisitKey]*Visit{}, Journeys: map[string]*JourneyState{},
		Cards:     map[string]CardFlags{},
		Confirmed: map[string]string{}, Barred: map[string][]string{}, RecordOf: map[string]string{},
		Homes: map[string]Home{}}
}

// addPerson puts a loaded record under a lookup key.
func (w *UnitOfWork) addPerson(key string, person *Person) {
	w.Persons[key] = person
	w.AddRecord(person)
}

// AddRecord says that a loaded record answers to its own id, and to those of the records given up for it.
func (w *UnitOfWork) AddRecord(person *Person) {
	for _, id := range person.IDs() {
		w.Owners[id] = person
	}
}

// AddNumber says that a loaded record carries a verified NHS number.
func (w *UnitOfWork) AddNumber(hash string, person *Person) {
	if person == nil || slices.Contains(person.numbers, hash) {
		return
	}
	person.numbers = append(person.numbers, hash)
	w.numbers[hash] = append(w.numbers[hash], person)
}

// AddVisit puts a loaded visit in.
func (w *UnitOfWork) AddVisit(v *Visit) {
	key := VisitKey{v.Organisation, v.Number}
	if w.byNumber[key] == nil {
		w.byNumber[key] = v
		w.Visits = append(w.Visits, v)
	}
}

// Incoming is one message to be taken, with the ids that it may need, minted by the door.
type Incoming struct {
	ClinicalEvent ClinicalEvent
	Keys          Keys
	New           NewIDs
	VisitID       string // of KindHuman: the visit decided about
	Way           string // the door it came by
	DecidedAt     time.Time
}

// Keys are the keyed hashes by which those are found whom a message is about.
type Keys struct {
	Person     string // the lookup key of the person
	Anonymous  bool   // Person is made of the visit alone
	Number     string // of a verified NHS number
	GivenUp    string // of KindMerge and KindRename: of the record that is given up
	Renumbered string // of KindSignal: of the NHS number that the person's has changed to
}

// NewIDs are the ids that what a message makes new would get.
type NewIDs struct {
	Person, GivenUp, Visit, Journey string
}

// Decided is what became of one message.
type Decided struct {
	Decision
	Visit  *Visit
	Person string
}

// Apply joins one message to its person and its visit and decides about it, and tells every journey of theirs what
// stands otherwise by it.
func (w *UnitOfWork) Apply(in Incoming) Decided {
	today := in.DecidedAt.In(w.Zone).Format(time.DateOnly)
	in.ClinicalEvent.Facts = in.ClinicalEvent.Facts.Normal()
	w.Remember(today)
	settled := w.apply(in)
	if person := w.Owners[settled.Person]; person != nil {
		settled.Emissions = append(settled.Emissions, w.emitAnswers(person, today, in.ClinicalEvent.Message)...)
		settled.Emissions = append(settled.Emissions, w.emitBarred(person)...)
		settled.Emissions = append(settled.Emissions, w.emitHours(person)...)
	}
	return settled
}

func (w *UnitOfWork) apply(in Incoming) Decided {
	s := in.ClinicalEvent
	if s.Kind == KindHuman || s.Kind == KindLeft {
		return w.applyHuman(in)
	}
	if s.Kind == KindSignal {
		return w.applySignal(in)
	}
	person := w.Persons[in.Keys.Person]
	if s.Kind == KindPerson && person == nil && !s.Died {
		return Decided{Decision: Decision{Outcome: Ignored, Reason: ReasonDemographics}}
	}
	if person == nil {
		person = w.newPerson(in.Keys.Person, in.New.Person, s.Organisation)
		person.Anonymous = in.Keys.Anonymous
	}
	s.Record = w.RecordOf[in.Keys.Person]
	in.ClinicalEvent.Record = s.Record
	person.apply(person.ownOf(s.Record, s.Person.Reveal()), s.Version(0))
	w.keepFacts(person, s, in)
	joined := w.link(person, in.Keys.Number)
	merged := len(w.merged)
	if s.Died {
		person.die(w.RecordOf[in.Keys.Person])
	}
	var settled Decided
	switch s.Kind {
	case KindMerge, KindRename:
		w.doubtOf(person, s)
		settled = w.applyMerge(in, person)
	case KindPerson:
		w.doubtOf(person, s)
		settled = Decided{Decision: w.reevaluateActive(person, in, ReasonDemographics)}
	case KindJoinVisits:
		settled = w.applyJoinVisits(in, person)
	default:
		settled = w.applyVisit(in, person)
	}
	settled.Person = person.ID
	settled.Emissions = append(settled.Emissions, w.unsafe(person, s)...)
	if joined || len(w.merged) > merged {
		settled.Emissions = append(settled.Emissions, w.emitJoined(person)...)
	}
	if reason := w.stopReason(person); reason != "" {
		settled.stop(reason, stopContact(w.visitsOf(person)))
	}
	return settled
}

func (w *UnitOfWork) newPerson(key, id, organisation string) *Person {
	person := &Person{ID: id, Organisation: organisation, IsNew: true, changed: true}
	w.addPerson(key, person)
	w.RecordOf[key] = id
	return person
}

// link notes that a record carries a verified NHS number. Records that share one are the same person for joining
// journeys and attendances; each keeps its own consent and contact.
func (w *UnitOfWork) link(person *Person, number string) (shared bool) {
	if number == "" || slices.Contains(person.numbers, number) {
		return false
	}
	w.AddNumber(number, person)
	w.Linked = append(w.Linked, NumberOf{number, person.ID})
	return len(w.numbers[number]) > 1
}

// emitJoined says on each open journey that records with open journeys of their own have turned out to be one person:
// a human compares them and decides which journey goes on. Nothing crosses before, and nothing is dropped.
func (w *UnitOfWork) emitJoined(person *Person) (say []Emission) {
	ids := w.IdsOf(person)
	var open []*JourneyState
	for _, j := range w.SortedJourneys() {
		if j.State != JourneyClosed && slices.Contains(ids, j.Person) {
			open = append(open, j)
		}
	}
	for _, j := range open {
		i := slices.IndexFunc(open, func(o *JourneyState) bool { return o.Person != j.Person })
		if i < 0 {
			return nil
		}
		data := schemas.PersonMergedData{Person: open[i].Person, Other: j.Person}
		if j.Person == open[0].Person {
			data = schemas.PersonMergedData{Person: j.Person, Other: open[i].Person}
		}
		say = append(say, Emission{Type: schemas.PersonMerged, Journey: j.ID, Data: data})
	}
	return say
}

// Records are all records of one person: this one and those that share a verified NHS number with it.
func (w *UnitOfWork) Records(person *Person) []*Person {
	found := []*Person{person}
	for i := 0; i < len(found); i++ {
		for _, number := range found[i].numbers {
			for _, other := range w.numbers[number] {
				if owner := w.Owners[other.ID]; owner != nil && !slices.Contains(found, owner) {
					found = append(found, owner)
				}
			}
		}
	}
	return found
}

// IdsOf are the ids of all records that are, or may be, the same person, the given-up ones included.
func (w *UnitOfWork) IdsOf(person *Person) []string {
	var ids []string
	for _, record := range w.Records(person) {
		ids = append(ids, record.IDs()...)
	}
	return ids
}

// isProtected says whether any record of the person is protected, and nobody has asked them since.
func (w *UnitOfWork) isProtected(person *Person) bool {
	return slices.ContainsFunc(w.Records(person), func(p *Person) bool {
		identity := p.Identity.Reveal()
		return identity.Protected && !identity.ProtectedAsked
	})
}

// hasNoChannel says that no record of the person has a telephone number, an address or anything else to reach them by,
// or that one says there is no safe way: the strictest counts.
func (w *UnitOfWork) hasNoChannel(person *Person) bool {
	records := w.Records(person)
	return slices.ContainsFunc(records, func(p *Person) bool { return p.Identity.Reveal().Unsafe() }) ||
		!slices.ContainsFunc(records, func(p *Person) bool { return p.Identity.Reveal().hasChannel() })
}

// IsDeceased says whether any record of the person reports a death: the strictest counts.
func (w *UnitOfWork) IsDeceased(person *Person) bool {
	return slices.ContainsFunc(w.Records(person), func(p *Person) bool { return p.Deceased() })
}

// doubtOf notes on each of the person's visits what a message that is about no visit says of the person and is not
// believed, or could not be read.
func (w *UnitOfWork) doubtOf(person *Person, s ClinicalEvent) {
	own := maps.Clone(s.Doubts)
	maps.DeleteFunc(own, func(about string, _ Doubt) bool { return about != AboutBorn && about != AboutText })
	for _, v := range w.visitsOf(person) {
		v.doubted(own, s.Version(v.RowVersion))
	}
}

func (w *UnitOfWork) applyVisit(in Incoming, person *Person) Decided {
	s := in.ClinicalEvent
	if s.Visit == "" && s.saysNothingOfAVisit() {
		w.doubtOf(person, s)
		return Decided{Decision: w.reevaluateActive(person, in, ReasonDemographics)}
	}
	v := w.visitFor(in)
	before := w.Owners[v.Person]
	v.join(s)
	w.name(v, person, s)
	return Decided{Visit: v, Decision: w.reevaluate(v, s, in, before, person)}
}

// saysNothingOfAVisit: an update without a visit number, a reason or a diagnosis is about the person alone.
func (s ClinicalEvent) saysNothingOfAVisit() bool {
	return s.Kind == KindUpdate && len(s.Evidence) == 0 && !s.LeftBefore
}

// visitFor finds the visit by its number. A message without one is a visit of its own, to be joined by person and
// time.
func (w *UnitOfWork) visitFor(in Incoming) *Visit {
	number := in.ClinicalEvent.Visit
	if number == "" {
		number = Numberless + in.ClinicalEvent.Message
	}
	return w.visitNumbered(in.ClinicalEvent.Organisation, number, in.New.Visit)
}

func (w *UnitOfWork) visitNumbered(organisation, number, newID string) *Visit {
	if v := w.byNumber[VisitKey{organisation, number}]; v != nil {
		return v
	}
	v := &Visit{ID: newID, Organisation: organisation, Number: number}
	w.AddVisit(v)
	return v
}

// visitsOf are the visits of all of a person's records.
func (w *UnitOfWork) visitsOf(person *Person) []*Visit {
	ids := w.IdsOf(person)
	var visits []*Visit
	for _, v := range w.Visits {
		if slices.Contains(ids, v.Person) {
			visits = append(visits, v)
		}
	}
	return visits
}

// name says whose visit it is: the newest message decides, and one that knows who it is about before one that does
// not. Two records that nobody has said are one person are shown to a human, since an offer to the wrong person is
// worse than a question.
func (w *UnitOfWork) name(v *Visit, person *Person, s ClinicalEvent) {
	named := Named{Person: person.ID, Anonymous: person.Anonymous, Version: s.Version(v.RowVersion)}
	if i := slices.IndexFunc(v.Named, func(n Named) bool { return n.Person == person.ID }); i < 0 {
		v.Named = append(v.Named, named)
	} else if named.Version.After(v.Named[i].Version) {
		v.Named[i] = named
	}
	slices.SortFunc(v.Named, func(a, b Named) int { return cmp.Compare(a.Person, b.Person) })
	v.Person = newestNamed(v.Named)
	v.changed = true
}

func newestNamed(all []Named) string {
	var newest Named
	for _, n := range all {
		if newest.Person == "" || (newest.Anonymous && !n.Anonymous) ||
			(newest.Anonymous == n.Anonymous && n.Version.After(newest.Version)) {
			newest = n
		}
	}
	return newest.Person
}

// differs says whether messages of one attendance were about records that are not known to be one person. Of
// records that are not loaded, what was found before stands.
func (w *UnitOfWork) differs(v *Visit) bool {
	found, unknown := map[*Person]bool{}, false
	for _, n := range v.Named {
		owner := w.Owners[n.Person]
		switch {
		case n.Anonymous, owner != nil && owner.Anonymous:
		case owner == nil:
			unknown = true
		default:
			found[slices.MinFunc(w.Records(owner), func(a, b *Person) int { return cmp.Compare(a.ID, b.ID) })] = true
		}
	}
	if len(found) == 0 {
		return v.PersonDiffers
	}
	return unknown || len(found) > 1
}

// reevaluate works out which visits are one attendance, of everybody whom the visit was or is about, and decides about
// each. The message's own outcome is that of the attendance it belongs to; deciding about the others changes
// something only where the message joined them, or parted them.
func (w *UnitOfWork) reevaluate(v *Visit, s ClinicalEvent, in Incoming, persons ...*Person) Decision {
	var own Decision
	var others []Decision
	done := map[*Visit]bool{}
	for _, person := range append([]*Person{w.Owners[v.Person]}, persons...) {
		if person == nil {
			continue
		}
		visits := slices.DeleteFunc(w.visitsOf(person), func(o *Visit) bool {
			return o.Organisation != v.Organisation || done[o]
		})
		for _, attended := range Attendances(visits) {
			for _, one := range attended {
				done[one] = true
			}
			if slices.Contains(attended, v) {
				own = w.decide(attended, s, person, in)
				continue
			}
			in := in
			in.New.Journey = ""
			others = append(others, w.decide(attended, ClinicalEvent{}, person, in))
		}
	}
	for _, other := range others {
		own.add(other)
	}
	return own
}

// ReevaluateAll decides again about all of a person's attendances: the records or numbers that they go by have changed.
func (w *UnitOfWork) ReevaluateAll(person *Person, in Incoming, otherwise Decision) Decision {
	return w.reevaluateThose(person, in, otherwise, func([]*Visit) bool { return true })
}

// reevaluateActive decides again about what stands of a person, of whom more is known now: a birth date may make a
// child of them. It raises nothing, as a message about a person alone never does.
func (w *UnitOfWork) reevaluateActive(person *Person, in Incoming, reason string) Decision {
	return w.reevaluateThose(person, in, Decision{Outcome: Joined, Reason: reason}, func(attended []*Visit) bool {
		return slices.ContainsFunc(attended, func(v *Visit) bool { return v.Published.Active() })
	})
}

func (w *UnitOfWork) reevaluateThose(person *Person, in Incoming, otherwise Decision,
	which func(attended []*Visit) bool) Decision {
	byOrganisation := map[string][]*Visit{}
	for _, v := range w.visitsOf(person) {
		byOrganisation[v.Organisation] = append(byOrganisation[v.Organisation], v)
	}
	for _, organisation := range slices.Sorted(maps.Keys(byOrganisation)) {
		for _, attended := range Attendances(byOrganisation[organisation]) {
			if !which(attended) {
				continue
			}
			decision := w.decide(attended, ClinicalEvent{}, person, in)
			in.New.Journey = ""
			if len(decision.Emissions) > 0 {
				otherwise.Journey = cmp.Or(otherwise.Journey, decision.Journey)
				if otherwise.Outcome != RaisedOutcome && otherwise.Outcome != RaisedFlagged {
					otherwise.Outcome = decision.Outcome
				}
			}
			otherwise.add(decision)
		}
	}
	return otherwise
}

// add takes over what follows from another attendance.
func (d *Decision) add(other Decision) {
	d.Emissions, d.Released = append(d.Emissions, other.Emissions...), append(d.Released, other.Released...)
	d.Quarantined = append(d.Quarantined, other.Quarantined...)
}

// decide decides about one attendance as a whole. What has been told of it stays with one of its visits.
func (w *UnitOfWork) decide(attended []*Visit, s ClinicalEvent, person *Person, in Incoming) Decision {
	so := Together(PartsInTime(attended))
	so.Person = newestNamed(so.Named)
	for _, v := range attended {
		so.PersonDiffers = so.PersonDiffers || v.PersonDiffers
	}
	so.PersonDiffers = w.differs(so)
	primary := primaryOf(attended, so)
	so.ID, so.Published = primary.ID, primary.Published
	asked := AskedOf(attended)
	if len(asked) > 0 {
		so.Asked = asked[0]
	}
	watches := watchesOf(attended)
	so.Watch = Watch{}
	if len(watches) > 0 {
		so.Watch = watches[0]
	}
	if s.Message == "" {
		s.Message = so.End.Message
	}
	decision := Decide(so, s, w.subject(so, attended, person, in))
	decision.Released = nil
	if so.Asked == "" {
		decision.Released = slices.DeleteFunc(asked, func(message string) bool { return message == s.Message })
	}
	for _, watch := range watches {
		if watch.Message != "" && watch.Message != so.Watch.Message && watch.Message != s.Message {
			decision.Released = append(decision.Released, watch.Message)
		}
	}
	if decision.Outcome == Quarantined && s.Kind == "" {
		decision.Quarantined = append(decision.Quarantined,
			QuarantinedMessage{Message: s.Message, Reason: decision.Reason})
	}
	w.keep(attended, primary, so)
	decision.Emissions = append(decision.Emissions, withdrawOthers(attended, primary)...)
	w.rememberJourneys(decision.Emissions, so, in)
	w.addAnswers(attended, so, decision.Doubted)
	return decision
}

// PartsInTime are the parts that some visits make, in the order of time.
func PartsInTime(visits []*Visit) []part {
	parts := partsOf(visits)
	slices.SortFunc(parts, inTime)
	return parts
}

// primaryOf is the visit that what has been told is kept with: the one of which something stands, or was told first;
// of an attendance nothing was told of, the one that ended.
func primaryOf(attended []*Visit, so *Visit) *Visit {
	return slices.MinFunc(attended, func(a, b *Visit) int {
		return cmp.Or(notFirst(a.Published.Active(), b.Published.Active()),
			notFirst(a.Published.Journey != "", b.Published.Journey != ""),
			a.Published.At.Compare(b.Published.At), notFirst(a.End == so.End, b.End == so.End),
			notFirst(a.IsNumbered(), b.IsNumbered()),
			b.began().Compare(a.began()), cmp.Compare(a.ID, b.ID))
	})
}

func notFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// AskedOf are the messages by which a human was asked about visits, each once.
func AskedOf(attended []*Visit) (asked []string) {
	for _, v := range attended {
		if v.Asked != "" && !slices.Contains(asked, v.Asked) {
			asked = append(asked, v.Asked)
		}
	}
	return asked
}

// watchesOf are the watches that an attendance's visits are under, those that were asked about first.
func watchesOf(attended []*Visit) (watches []Watch) {
	for _, v := range attended {
		if v.Watch != (Watch{}) {
			watches = append(watches, v.Watch)
		}
	}
	slices.SortFunc(watches, func(a, b Watch) int {
		return cmp.Or(notFirst(a.Message != "", b.Message != ""), cmp.Compare(a.Message, b.Message), a.At.Compare(b.At))
	})
	return watches
}

// keep puts back what was decided.
func (w *UnitOfWork) keep(attended []*Visit, primary, so *Visit) {
	if !samePublished(primary.Published, so.Published) {
		primary.Published, primary.changed = so.Published, true
	}
	for _, v := range attended {
		watch := Watch{}
		if v == primary {
			watch = so.Watch
		}
		if !v.Watch.Same(watch) {
			v.Watch, v.changed = watch, true
		}
		if so.Asked == "" && v.Asked != "" {
			v.Asked, v.changed = "", true
		}
		if v.PersonDiffers != so.PersonDiffers {
			v.PersonDiffers, v.changed = so.PersonDiffers, true
		}
	}
	if so.Asked != "" && len(AskedOf(attended)) == 0 {
		primary.Asked, primary.changed = so.Asked, true
	}
}

func samePublished(a, b Published) bool {
	return a.Journey == b.Journey && a.Withdrawn == b.Withdrawn && a.Left.Same(b.Left) && a.LeftOn == b.LeftOn &&
		equalFacts(a.Facts, b.Facts) &&
		slices.Equal(a.Flags, b.Flags) && a.ContactOver == b.ContactOver && a.At.Equal(b.At)
}

// withdrawOthers takes back what had been raised of an attendance's other visits before it was known that they are
// one: one offer only.
func withdrawOthers(attended []*Visit, primary *Visit) (say []Emission) {
	for _, v := range attended {
		if v == primary || !v.Published.Active() {
			continue
		}
		v.Published.Withdrawn, v.changed = ReasonMerged, true
		say = append(say, Emission{Type: schemas.DischargeWithdrawn, Journey: v.Published.Journey,
			Data: schemas.DischargeWithdrawnData{Visit: v.ID, Reason: ReasonMerged}})
	}
	return say
}

// rememberJourneys makes a row for a journey that begins.
func (w *UnitOfWork) rememberJourneys(say []Emission, so *Visit, in Incoming) {
	for _, one := range say {
		if (one.Type == schemas.DischargeRecorded || one.Type == schemas.ReferralRequested) &&
			w.Journeys[one.Journey] == nil {
			w.Journeys[one.Journey] = &JourneyState{ID: one.Journey, Person: so.Person, State: "open",
				OpenedAt: in.DecidedAt, Changed: true}
		}
	}
}

func (w *UnitOfWork) subject(so *Visit, attended []*Visit, person *Person, in Incoming) Subject {
	if owner := w.Owners[so.Person]; owner != nil {
		person = owner
	}
	identity := person.Identity.Reveal()
	subject := Subject{
		Home:   w.Homes[so.Organisation],
		Person: person.ID, Deceased: w.IsDeceased(person), BirthDate: identity.BirthDate, Known: person.Facts,
		Young:     w.isYoungElsewhere(person, in.DecidedAt.In(w.Zone).Format(time.DateOnly)),
		BadNumber: identity.NumberInvalid,
		Merged:    len(person.Aliases) > 0, NewJourney: in.New.Journey, DecidedAt: in.DecidedAt, Zone: w.Zone,
		QuarantineH: w.QuarantineFor, Waits: w.Waits, Protected: w.isProtected(person),
		NoChannel: w.hasNoChannel(person),
	}
	if subject.NewJourney == "" {
		subject.NewJourney = w.NewID()
	}
	if open := w.openJourney(person); open != nil && len(person.numbers) > 0 {
		subject.OpenJourney = open.ID
	}
	subject.EarlierOn = func(journey string) bool { return w.earlierOn(journey, so, attended) }
	return subject
}

// openJourney is the person's journey that a further attendance joins: the oldest that has not been closed.
func (w *UnitOfWork) openJourney(person *Person) *JourneyState {
	ids := w.IdsOf(person)
	var open *JourneyState
	for _, j := range w.Journeys {
		if j.State == JourneyClosed || !slices.Contains(ids, j.Person) {
			continue
		}
		if open == nil || cmp.Or(j.OpenedAt.Compare(open.OpenedAt), cmp.Compare(j.ID, open.ID)) < 0 {
			open = j
		}
	}
	return open
}

// earlierOn says whether a journey began with another attendance, or with a request more than a day before this one
// ended: somebody has come back.
func (w *UnitOfWork) earlierOn(journey string, so *Visit, attended []*Visit) bool {
	others := false
	for _, v := range w.Visits {
		if v.Published.Journey != journey || slices.Contains(attended, v) || v.Published.Withdrawn == ReasonMerged {
			continue
		}
		others = true
		if v.Published.Left.At.Before(so.End.Left.At) {
			return true
		}
	}
	known := w.Journeys[journey]
	own := slices.ContainsFunc(attended, func(v *Visit) bool { return v.Published.Journey == journey })
	return !others && !own && known != nil && so.End.Left.At.Sub(known.OpenedAt) > endedFor
}

// applyMerge makes two records one. Journeys already begun are shown to a human; nothing crosses by itself.
func (w *UnitOfWork) applyMerge(in Incoming, survivor *Person) Decided {
	reason := ReasonMerged
	if in.ClinicalEvent.Kind == KindRename {
		reason = ReasonRenamed
	}
	settled := Decided{Decision: Decision{Outcome: Joined, Reason: reason}}
	given := w.Persons[in.Keys.GivenUp]
	if given == survivor { // known before; what it says of them may be new
		settled.Decision = w.reevaluateActive(survivor, in, reason)
		return settled
	}
	if given == nil {
		given = w.newPerson(in.Keys.GivenUp, in.New.GivenUp, in.ClinicalEvent.Organisation)
	}
	survivor.merge(given)
	w.merged = append(w.merged, given)
	for _, id := range given.IDs() {
		w.Owners[id] = survivor
	}
	for _, number := range given.numbers {
		w.AddNumber(number, survivor)
	}
	for key, person := range w.Persons {
		if person == given {
			w.Persons[key] = survivor
		}
	}
	settled.Decision = w.ReevaluateAll(survivor, in, settled.Decision)
	return settled
}

// applyJoinVisits makes two visit numbers one attendance (A42): the one given up leads to the one that stays.
func (w *UnitOfWork) applyJoinVisits(in Incoming, person *Person) Decided {
	s := in.ClinicalEvent
	stays := w.visitNumbered(s.Organisation, s.Visit, in.New.Visit)
	given := w.visitNumbered(s.Organisation, s.GivenUp.Visit, w.NewID())
	before := []*Person{w.Owners[stays.Person], w.Owners[given.Person], person}
	for _, v := range []*Visit{stays, given} {
		v.join(s)
		w.name(v, person, s)
	}
	if stamp := s.Version(given.RowVersion); stays != given && stamp.After(given.IntoVersion) {
		given.Into, given.IntoVersion = stays.Number, stamp
	}
	decision := w.reevaluate(stays, s, in, before...)
	if decision.Outcome == Joined {
		decision.Reason = ReasonVisitsJoined
	}
	return Decided{Visit: stays, Decision: decision}
}

// LeftBefore says that a time is before the person of a visit was born, or before they had come.
func (w *UnitOfWork) LeftBefore(visit string, left Moment) bool {
	for _, v := range w.Visits {
		if v.ID != visit {
			continue
		}
		person := w.Owners[v.Person]
		return v.Arrived.Known() && left.Before(v.Arrived) || person != nil &&
			left.On(w.Zone).before(localDay(person.Identity.Reveal().BirthDate))
	}
	return false
}

// applyHuman applies a named human's decision about a visit of undecided scope.
func (w *UnitOfWork) applyHuman(in Incoming) Decided {
	for _, v := range w.Visits {
		if v.ID != in.VisitID {
			continue
		}
		person := w.Owners[v.Person]
		if person == nil {
			break
		}
		v.join(in.ClinicalEvent)
		return Decided{Visit: v, Person: person.ID, Decision: w.reevaluate(v, in.ClinicalEvent, in, person)}
	}
	return Decided{Decision: Decision{Outcome: Quarantined, Reason: ReasonNoVisit}}
}

// ChangedPersons are the records to be stored, the given-up ones included.
func (w *UnitOfWork) ChangedPersons() []*Person {
	seen := map[string]*Person{}
	for _, person := range w.Owners {
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

// ChangedVisits are the visits to be stored, in the order in which they are locked.
func (w *UnitOfWork) ChangedVisits() []*Visit {
	changed := slices.DeleteFunc(slices.Clone(w.Visits), func(v *Visit) bool { return !v.changed })
	slices.SortFunc(changed, func(a, b *Visit) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Number, b.Number))
	})
	return changed
}

// ChangedJourneys are the journeys to be stored, in id order.
func (w *UnitOfWork) ChangedJourneys() []*JourneyState {
	changed := slices.DeleteFunc(slices.Collect(maps.Values(w.Journeys)),
		func(j *JourneyState) bool { return !j.Changed })
	slices.SortFunc(changed, func(a, b *JourneyState) int { return cmp.Compare(a.ID, b.ID) })
	return changed
}
