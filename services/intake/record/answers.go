package record

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// What a person answered is kept by when they said it, and what follows is told to every journey that it concerns, at
// once: an answer, a merge, or a number that shows two records to be one person may each change how a yes or a no
// stands.

// Question is what an answer is about: a purpose, and a partner by name or any.
type Question struct{ Purpose, Towards string }

func (a Question) compare(b Question) int {
	return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Towards, b.Towards))
}

// ReportedAnswer is an answer that a report passes on, until a journey stands to hang it on: a visit that is for a
// human, or that is coded late, loses none.
type ReportedAnswer struct {
	Message string   `json:"message"`
	Record  string   `json:"record,omitempty"` // the record that it was said under
	Purpose string   `json:"purpose"`
	Towards string   `json:"towards,omitempty"`
	Given   bool     `json:"given,omitempty"`
	How     string   `json:"how,omitempty"`
	By      string   `json:"by,omitempty"`
	Told    []string `json:"told,omitempty"`
	Version Moment   `json:"said"`
	// Own: the person wrote it themselves. Anybody else says it at second hand.
	Own bool `json:"own,omitempty"`
}

// joinAnswers keeps what a statement passes on of a person's answers.
func (v *Visit) joinAnswers(s ClinicalEvent) {
	for _, c := range s.Consents {
		v.Answers = append(v.Answers, ReportedAnswer{Message: s.Message, Record: s.Record, Purpose: c.Purpose,
			Towards: c.Organisation, Given: c.Given, How: c.How,
			By: s.recorder(c), Told: s.Asked.Told, Version: s.answeredAt(), Own: s.Asked.Route == routeSelf})
	}
}

// recorder is who recorded an answer that a statement passes on: whoever sent it. A system says of itself which role of
// its own organisation did, and that is kept beside it; a role that a person of ours names in a form is nobody's who
// acted.
func (s ClinicalEvent) recorder(c schemas.ReportedConsent) string {
	role, _, _ := strings.Cut(s.By, ":")
	if s.By != "" && (role != string(schemas.System) || c.RecordedBy == "") {
		return s.By
	}
	return strings.TrimSpace(s.By + " reports " + cmp.Or(c.RecordedBy, "nobody"))
}

// answeredAt is when what a statement passes on was said: at the latest when the person left hospital, or the request
// was made, whenever the statement came.
func (s ClinicalEvent) answeredAt() Moment {
	said := Moment{At: s.StatedAt}
	if s.Asked.Route == routeSelf {
		return said
	}
	return earliest(said, s.Happened, s.Asked.At)
}

// earliest is the earliest that is known of some moments. Of one whose day alone is known, the day may have begun.
func earliest(moments ...Moment) Moment {
	var first Moment
	for _, m := range moments {
		if m.DayOnly {
			m = Moment{At: m.At.Truncate(24 * time.Hour)}
		}
		if m.Known() && (!first.Known() || m.At.Before(first.At)) {
			first = m
		}
	}
	return first
}

// addAnswers turns what reports passed on into answers of a journey's person, once it stands. so is the attendance as a
// whole.
func (w *UnitOfWork) addAnswers(attended []*Visit, so *Visit, doubted bool) {
	journey := so.Published.Journey
	if journey == "" {
		return
	}
	for _, v := range attended {
		for _, said := range v.Answers {
			a := Answer{ID: said.Message, Person: w.answerer(said, so), Journey: journey, Purpose: said.Purpose,
				Towards: said.Towards, State: ConsentDeclined,
				Giver: "person", How: said.How, Told: said.Told, By: said.By,
				Version: Version{StatedAt: said.atLatest(so)}}
			if said.Given {
				a.State, a.Doubt = ConsentGiven, doubted
			}
			a.Organisation, a.guarded = so.Organisation, doubted ||
				slices.Contains(so.Published.Flags, schemas.FlagPossibleDouble)
			w.addAnswer(a)
		}
		if v.Answers != nil {
			v.Answers, v.changed = nil, true
		}
	}
}

// answerer is the record that an answer belongs to: the journey's own, or one that was merged with it, where it was
// said under that. It crosses to another only when a human has confirmed that they are one person.
func (w *UnitOfWork) answerer(said ReportedAnswer, so *Visit) string {
	record := so.Person
	if known := w.Journeys[so.Published.Journey]; known != nil {
		record = known.Person
	}
	if owner := w.Owners[record]; owner != nil && slices.Contains(owner.IDs(), said.Record) {
		return said.Record
	}
	return record
}

// atLatest dates an answer: one at second hand was said before the person left hospital, and of a request without a day
// before it was first heard of.
func (a ReportedAnswer) atLatest(so *Visit) time.Time {
	if a.Own {
		return a.Version.At
	}
	left := so.counts()
	if !so.Ended() && !so.Request.Left.Known() {
		left = Moment{At: so.Since}
	}
	return earliest(a.Version, left).At
}

// addAnswer takes an answer in, unless it is known already: a list that is sent again says nothing new.
func (w *UnitOfWork) addAnswer(a Answer) {
	if slices.ContainsFunc(w.Answers, a.repeats) {
		return
	}
	w.Answers, w.Fresh = append(w.Answers, a), append(w.Fresh, a)
}

// repeats says that another answer of the same record said the same at the same time.
func (a Answer) repeats(o Answer) bool {
	return a.Person == o.Person && a.Journey == o.Journey && a.Purpose == o.Purpose && a.Towards == o.Towards &&
		a.State == o.State &&
		a.Doubt == o.Doubt && a.Version.StatedAt.Equal(o.Version.StatedAt)
}

// AnswerStates is how each answer stands on one journey.
type AnswerStates map[Question]ConsentState

// People are records that are, or may be, one person, with what was answered under any of them.
type People struct {
	IDs     []string
	Answers []Answer
	// Confirmed leads from a record that a human confirmed to be another one to that.
	Confirmed map[string]string
}

// group is one record with the others, as far as a human has confirmed that they are one person.
func (p People) group(own string) Group {
	group := Group{Own: own}
	for _, id := range p.IDs {
		into, mine := p.Confirmed[id], p.Confirmed[own]
		switch {
		case id == own:
		case into == own, mine == id, into != "" && into == mine:
			group.Confirmed = append(group.Confirmed, id)
		default:
			group.Others = append(group.Others, id)
		}
	}
	return group
}

// AnswerStates is how everything that was ever answered stands for one of the records on a local day.
func (p People) AnswerStates(own, today string) AnswerStates {
	if len(p.Answers) == 0 {
		return nil
	}
	group, stands := p.group(own), AnswerStates{}
	for _, a := range p.Answers {
		for _, one := range []Question{{a.Purpose, a.Towards}, {a.Purpose, ""}} {
			if _, done := stands[one]; !done {
				stands[one] = Consent(group, p.Answers, one.Purpose, one.Towards, today)
			}
		}
	}
	return stands
}

// changes are what others hear of a journey's answers that differ from before: a no that has come to count, a
// yes that has, and one that counts no more although nobody said no. anew says whether somebody has answered a question
// just now; else it is by two records that were joined or parted that it counts.
func (p People) changes(was, is AnswerStates, anew func(Question) bool) (all []JourneyEvent) {
	keys := map[Question]bool{}
	for _, one := range []AnswerStates{was, is} {
		for key := range one {
			keys[key] = true
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(a, b Question) int {
		return cmp.Or(notFirst(is[a].Holds(), is[b].Holds()), a.compare(b))
	}) {
		before, after := was[key], is[key]
		var kind schemas.Type
		switch {
		case after.Holds() && !before.Holds():
			kind = schemas.ConsentGiven
		case after == ConsentWithdrawn && !before.Refuses():
			kind = schemas.ConsentWithdrawn
		case after.Refuses() && !before.Refuses():
			kind = schemas.ConsentDeclined
		case !after.Holds() && !after.Refuses() && (before.Holds() || before.Refuses()):
			kind = schemas.ConsentLapsed
		default:
			continue
		}
		all = addSaid(all, kind, key, kind != schemas.ConsentLapsed && !anew(key))
	}
	return all
}

// addSaid puts a purpose to the event that says the same of others, or makes one.
func addSaid(all []JourneyEvent, kind schemas.Type, key Question, asBefore bool) []JourneyEvent {
	data := schemas.ConsentData{Purposes: []string{key.Purpose}, Organisation: key.Towards, AsBefore: asBefore}
	for _, one := range all {
		d, ok := one.Data.(*schemas.ConsentData)
		if ok && one.Kind == kind && d.Organisation == data.Organisation && d.AsBefore == asBefore {
			d.Purposes = append(d.Purposes, key.Purpose)
			return all
		}
	}
	return append(all, JourneyEvent{kind, &data})
}

// PeopleOf are all records of one person, as the world knows them.
func (w *UnitOfWork) PeopleOf(person *Person) People {
	p := People{IDs: w.IdsOf(person), Confirmed: w.Confirmed}
	for i := range w.Answers { // of everybody whom a batch is about
		if a := &w.Answers[i]; slices.Contains(p.IDs, a.Person) {
			p.Answers = append(p.Answers, *a)
		}
	}
	return p
}

// Remember notes, once, how every answer stands before anything is taken in: what has been told.
func (w *UnitOfWork) Remember(today string) {
	if w.Stood != nil {
		return
	}
	w.Stood, w.BarredWere, w.Heard = map[string]AnswerStates{}, map[string][]string{}, map[string]bool{}
	w.HoursWere = map[string]schemas.ContactHours{}
	for _, j := range w.Journeys {
		if is := w.barredOn(j); len(is) > 0 {
			w.BarredWere[j.ID] = is
		}
		w.HoursWere[j.ID] = w.hoursOn(j)
	}
	for _, a := range w.Answers {
		w.Heard[a.key()] = true
	}
	if len(w.Answers) == 0 {
		return
	}
	for _, j := range w.Journeys {
		if owner := w.Owners[j.Person]; owner != nil {
			w.Stood[j.ID] = w.PeopleOf(owner).AnswerStates(j.Person, today)
		}
	}
}

// emitAnswers says on every journey of the person that is not closed what stands otherwise now. What was answered
// before a journey began is not said on it: the person is asked what they want now.
func (w *UnitOfWork) emitAnswers(person *Person, today string, message string) (say []Emission) {
	if len(w.Answers) == 0 {
		return nil
	}
	people := w.PeopleOf(person)
	for _, j := range w.SortedJourneys() {
		if !slices.Contains(people.IDs, j.Person) || j.State == JourneyClosed && !w.freshOn(j.ID, message) {
			continue
		}
		was, known := w.Stood[j.ID]
		is := people.AnswerStates(j.Person, today)
		if !known {
			was = w.before(people, j, today)
		}
		for _, one := range people.changes(was, is, func(q Question) bool { return w.answeredNow(people, q) }) {
			say = append(say, Emission{Type: one.Kind, Journey: j.ID, Data: *one.Data.(*schemas.ConsentData)})
		}
		if w.outrun(people, j, message, today) {
			card := w.Cards[j.Person]
			say = append(say, Emission{Type: schemas.PreferencesChanged, Journey: j.ID,
				Data: schemas.PreferencesChangedData{
					NoSafeChannel: card.NoSafeChannel, Needs: card.Needs, Questions: []string{QuestionAnswer}}})
		}
		w.Stood[j.ID] = is
	}
	return say
}

// key tells an answer from all others: one message may hold several.
func (a Answer) key() string {
	return strings.Join([]string{a.ID, a.Person, a.Purpose, a.Towards}, " ")
}

// answeredNow says whether somebody has answered a question since what stood was noted.
func (w *UnitOfWork) answeredNow(people People, about Question) bool {
	return slices.ContainsFunc(people.Answers, func(a Answer) bool {
		return a.Purpose == about.Purpose && (a.Towards == "" || a.Towards == about.Towards) && !w.Heard[a.key()]
	})
}

// freshOn says that a message brought answers of a journey.
func (w *UnitOfWork) freshOn(journey, message string) bool {
	return slices.ContainsFunc(w.Fresh, func(a Answer) bool { return a.Journey == journey && a.ID == message })
}

// before is how the answers of a journey that has just begun stood, without what was said on it.
func (w *UnitOfWork) before(people People, j *JourneyState, today string) AnswerStates {
	earlier := people
	earlier.Answers = slices.DeleteFunc(slices.Clone(people.Answers), func(a Answer) bool { return a.Journey == j.ID })
	was := earlier.AnswerStates(j.Person, today)
	for _, a := range people.Answers {
		if a.Journey == j.ID {
			delete(was, Question{a.Purpose, a.Towards})
		}
	}
	return was
}

const routeSelf = "self"

// QuestionAnswer: a report passes on another answer than the one that stands; somebody asks the person.
const QuestionAnswer = "answer"

// outrun says that a message passed on an answer that does not stand, since another was said later, or no earlier: a
// report never overrules that, and somebody asks.
func (w *UnitOfWork) outrun(people People, j *JourneyState, message, today string) bool {
	return slices.ContainsFunc(w.Fresh, func(a Answer) bool {
		if a.ID != message || a.Journey != j.ID || a.Doubt {
			return false
		}
		stands := Consent(people.group(j.Person), people.Answers, a.Purpose, a.Towards, today)
		refused := stands.Refuses() || stands == ConsentContested
		return a.State == ConsentGiven && refused || a.State == ConsentDeclined && stands.Holds()
	})
}

// MarkPublished leaves out what has been said of answers already.
func (w *UnitOfWork) MarkPublished(told map[string][]Question, today string) {
	for journey, keys := range told {
		j := w.Journeys[journey]
		if j == nil || w.Owners[j.Person] == nil {
			continue
		}
		is, was := w.PeopleOf(w.Owners[j.Person]).AnswerStates(j.Person, today), maps.Clone(w.Stood[journey])
		if was == nil {
			was = AnswerStates{}
		}
		for _, key := range keys {
			was[key] = is[key]
		}
		w.Stood[journey] = was
	}
}

// Reconcile says what stands otherwise of a person now that somebody has decided about their records.
func (w *UnitOfWork) Reconcile(person *Person, in Incoming) []Emission {
	say := w.ReevaluateAll(person, in, Decision{}).Emissions
	if reason := w.stopReason(person); reason != "" {
		say = append(say, stopContact(w.visitsOf(person))...)
	} else {
		say = append(say, resumeContact(w.visitsOf(person))...)
	}
	say = append(say, w.emitAnswers(person, in.DecidedAt.In(w.Zone).Format(time.DateOnly), "")...)
	say = append(say, w.emitBarred(person)...)
	return append(say, w.emitHours(person)...)
}

// resumeContact says, once for each journey, that a stop is lifted.
func resumeContact(visits []*Visit) (say []Emission) {
	told := map[string]bool{}
	for _, v := range visits {
		if !v.Published.ContactOver {
			continue
		}
		v.Published.ContactOver, v.changed = false, true
		if !told[v.Published.Journey] {
			told[v.Published.Journey] = true
			say = append(say, Emission{Type: schemas.ContactResumed, Journey: v.Published.Journey,
				Data: schemas.ContactResumedData{}})
		}
	}
	return say
}

// JourneyEvent is one event about a journey.
type JourneyEvent struct {
	Kind schemas.Type
	Data any
}
