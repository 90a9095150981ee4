package schemas

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// Answered is a yes or no with the sequence of the event that said it; with sequence 0 nothing has been said.
type Answered struct {
	At  int64 `json:"at"`
	Yes bool  `json:"yes"`
	// When it was heard of, where whoever keeps it needs that.
	When time.Time `json:"when,omitzero"`
	// Lapsed: what had been said counts no more, and nothing has been said instead.
	Lapsed bool `json:"lapsed,omitempty"`
	// AsBefore: nobody has answered anew. It counts, and answers nothing that was asked since it was said.
	AsBefore bool `json:"asBefore,omitempty"`
}

// AnswerOf is what an event about consent says, by its type and sequence.
func AnswerOf(t Type, d ConsentData, at int64) Answered {
	return Answered{At: at, Yes: t == ConsentGiven, Lapsed: t == ConsentLapsed, AsBefore: d.AsBefore}
}

// anew says that somebody has answered, now.
func (s Answered) anew() bool { return s.At > 0 && !s.Lapsed && !s.AsBefore }

// Apply takes an answer over, unless it is older than the one that is known, and says whether it did.
func (s *Answered) Apply(other Answered) bool {
	if other.At <= s.At {
		return false
	}
	*s = other
	return true
}

// Answers are what a person said to one purpose: to any organisation, and to organisations by name. Whoever acts on
// a consent asks here who may act; the order in which the answers arrive changes nothing.
type Answers struct {
	Any   Answered            `json:"any,omitzero"`
	Named map[string]Answered `json:"named,omitempty"` // by organisation
	// Spoken is the newest that was answered anew, to whomever.
	Spoken Answered `json:"spoken,omitzero"`
}

// Apply takes in what was said to an organisation, or to any where it is empty, and says whether it changed anything.
func (a *Answers) Apply(organisation string, said Answered) bool {
	if said.anew() {
		a.Spoken.Apply(said)
	}
	if organisation == "" {
		return a.Any.Apply(said)
	}
	named := a.Named[organisation]
	if !named.Apply(said) {
		return false
	}
	if a.Named == nil {
		a.Named = map[string]Answered{}
	}
	a.Named[organisation] = named
	return true
}

// Since are the answers after a sequence that count: those up to it were about what has been closed.
func (a Answers) Since(sequence int64) Answers {
	var since Answers
	for organisation, said := range a.all() {
		if said.At > sequence && !said.Lapsed {
			since.Apply(organisation, said)
		}
	}
	if a.Spoken.At > sequence {
		since.Spoken = a.Spoken
	}
	return since
}

func (a Answers) all() iter.Seq2[string, Answered] {
	return func(yield func(string, Answered) bool) {
		if !yield("", a.Any) {
			return
		}
		for organisation, said := range a.Named {
			if !yield(organisation, said) {
				return
			}
		}
	}
}

// To is the answer that counts for one organisation: what was said to it by name, else what was said to any. A no to
// any that came after a yes by name takes that back too.
func (a Answers) To(organisation string) Answered {
	named := a.Named[organisation]
	if named.At == 0 || (a.Any.At > named.At && !a.Any.Yes) {
		return a.Any
	}
	return named
}

// Yes are the organisations that may act by a yes to them by name, sorted.
func (a Answers) Yes() []string { return a.named(true) }

// No are the organisations that the person said no to by name, sorted; it ends nothing of the others'.
func (a Answers) No() []string { return a.named(false) }

func (a Answers) named(yes bool) []string {
	var found []string
	for _, organisation := range slices.Sorted(maps.Keys(a.Named)) {
		if a.To(organisation).Yes == yes {
			found = append(found, organisation)
		}
	}
	return found
}

// Whole is the answer to the purpose as a whole: yes where anybody may act; no where the person said no to any; not
// said where all they said was no to some by name, which ends nothing else.
func (a Answers) Whole() Answered {
	whole := a.Any
	for _, organisation := range a.Yes() {
		if named := a.Named[organisation]; named.At > whole.At || !whole.Yes {
			whole = named
		}
	}
	return whole
}

// Newest is the newest answer, to whomever it was given.
func (a Answers) Newest() Answered {
	var newest Answered
	for _, said := range a.all() {
		newest.Apply(said)
	}
	return newest
}

// Anew is the newest that somebody answered, to whomever: by it alone it is known that they were reached. What counts
// again since two records were taken apart is none.
func (a Answers) Anew() Answered {
	newest := a.Spoken
	for _, said := range a.all() { // of what was kept before it was kept apart
		if said.anew() {
			newest.Apply(said)
		}
	}
	return newest
}
