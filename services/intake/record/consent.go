package record

import (
	"cmp"
	"errors"
	"slices"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// ConsentState is how a person's answer to one purpose, towards one organisation or any, stands.
type ConsentState string

// The states (domain: consent). Expiring is a yes whose last day is near; it still holds.
const (
	ConsentNotAsked  ConsentState = "not-asked"
	ConsentGiven     ConsentState = "given"
	ConsentDeclined  ConsentState = "declined"
	ConsentWithdrawn ConsentState = "withdrawn"
	ConsentExpiring  ConsentState = "expiring"
	ConsentExpired   ConsentState = "expired" // its last day is over: as if not asked
	ConsentInDoubt   ConsentState = "in-doubt"
	// ConsentContested is a yes beside the no of a record that was merged with this one, which nobody has confirmed to
	// be the same person: nobody acts on it, and nothing ends by it, until somebody has.
	ConsentContested ConsentState = "contested"
)

// Answer is one yes or no, as it was recorded. Answers are only ever added.
type Answer struct {
	ID      string
	Person  string // the record it was said under: an answer never moves to another one
	Journey string
	Purpose string
	// Towards is the partner it was said to; empty for any.
	Towards string
	State   ConsentState // given, declined or withdrawn
	Giver   string       // the person, or who may answer for them
	How     string
	Told    []string // what the person was told, as codes
	By      string   // role that recorded it
	// Doubt: whoever recorded it doubts that the person could decide this now. A yes in doubt is no yes.
	Doubt   bool
	Until   string // last local day it holds; empty for no end
	Version Version

	Organisation string // that passed it on
	guarded      bool   // a human looks first: it opens nothing to a partner
}

// RemindDays before its last day a yes is expiring, and the person is asked.
const RemindDays = 14

// stateOn is how an answer stands on a local day.
func (a Answer) stateOn(today string) ConsentState {
	switch {
	case a.State != ConsentGiven:
		return a.State
	case a.Doubt:
		return ConsentInDoubt
	case a.Until != "" && today > a.Until:
		return ConsentExpired
	case a.Until != "" && DaysBetween(today, a.Until) <= RemindDays:
		return ConsentExpiring
	}
	return ConsentGiven
}

// Holds says whether somebody may act on a yes.
func (s ConsentState) Holds() bool { return s == ConsentGiven || s == ConsentExpiring }

// Refuses says that the person said no.
func (s ConsentState) Refuses() bool { return s == ConsentDeclined || s == ConsentWithdrawn }

// Newest is the newest answer of some records to one purpose and exactly one addressee; of two said at one time, the
// no.
func Newest(answers []Answer, purpose, towards string, records ...string) (Answer, bool) {
	found := slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool {
		return a.Purpose != purpose || a.Towards != towards || !slices.Contains(records, a.Person)
	})
	if len(found) == 0 {
		return Answer{}, false
	}
	return slices.MaxFunc(found, func(a, b Answer) int {
		switch {
		case a.Version.After(b.Version):
			return 1
		case b.Version.After(a.Version):
			return -1
		case a.State.Refuses() != b.State.Refuses(): // of two said at one time, the no
			return notFirst(b.State.Refuses(), a.State.Refuses())
		}
		return cmp.Compare(a.ID, b.ID)
	}), true
}

// Group is a record with those that were merged with it. Until a human confirms that two records are one person,
// neither's yes counts for the other, and either's no holds the other's yes: nobody acts on it, nothing ends by it.
type Group struct {
	Own       string
	Confirmed []string // records that a human confirmed to be the same person
	Others    []string // merged, and not confirmed
}

// Consent says how the person's answer to a purpose towards an organisation stands on a local day: what was said to
// that organisation by name, else what was said to any. A yes beside the no of a merged record that nobody has
// confirmed is contested.
func Consent(group Group, answers []Answer, purpose, towards, today string) ConsentState {
	own := answerOf(answers, purpose, towards, today, append([]string{group.Own}, group.Confirmed...)...)
	for _, other := range group.Others {
		if theirs := answerOf(answers, purpose, towards, today, other); theirs.Refuses() && own.Holds() {
			return ConsentContested
		}
	}
	return own
}

// answerOf is the answer that counts for an organisation, of some records that are one person's. Which one that is, of
// those to it by name and those to any, schemas.Answers decides, as for everybody who acts on a consent.
func answerOf(answers []Answer, purpose, towards, today string, records ...string) ConsentState {
	named, isNamed := Answer{}, false
	if towards != "" {
		named, isNamed = Newest(answers, purpose, towards, records...)
	}
	general, isGeneral := Newest(answers, purpose, "", records...)
	var said schemas.Answers
	hear := func(a Answer, at int64) {
		said.Apply(a.Towards, schemas.Answered{At: at, Yes: a.State == ConsentGiven})
	}
	const earlier, later = 1, 2
	switch {
	case !isNamed && !isGeneral:
		return ConsentNotAsked
	case !isNamed:
		return general.stateOn(today)
	case !isGeneral:
		return named.stateOn(today)
	case general.Version.After(named.Version):
		hear(named, earlier)
		hear(general, later)
	default:
		hear(general, earlier)
		hear(named, later)
	}
	if said.To(towards).At == said.Any.At {
		return general.stateOn(today)
	}
	return named.stateOn(today)
}

// TakesBack is the no to a purpose that somebody says to whoever rings: it takes back the yes that any answer gave, or
// is the no of somebody who has given none.
func TakesBack(answers []Answer, purpose string) ConsentState {
	if slices.ContainsFunc(answers, func(a Answer) bool { return a.Purpose == purpose && a.State == ConsentGiven }) {
		return ConsentWithdrawn
	}
	return ConsentDeclined
}

// ConsentFault says what is wrong with an answer to be recorded, or nothing.
func ConsentFault(a Answer, before ConsentState, who Guard, today string) string {
	switch {
	case !slices.Contains(schemas.Values("purpose"), a.Purpose):
		return "The purpose is not known. Use follow-up, bridging or tell-referrer."
	case a.State != ConsentGiven && a.State != ConsentDeclined && a.State != ConsentWithdrawn:
		return "The answer is not known. Use given, declined or withdrawn."
	case a.State == ConsentWithdrawn && !before.Holds():
		return "There is no yes in force to take back. Record what the person said as declined."
	case a.State == ConsentGiven && a.How == "":
		return "Say how the yes was given: spoken, written or interpreter."
	case a.How != "" && !slices.Contains(schemas.Values("how"), a.How):
		return "How it was said is not known. Use spoken, written or interpreter."
	case !slices.Contains(givers, a.Giver):
		return "Who gave the answer is not known. Use person, parental-responsibility, attorney or deputy. Family " +
			"never interprets, and never answers without one of these."
	case who.fault(a) != "":
		return who.fault(a)
	case a.Until != "":
		return untilFault(a.Until, today)
	}
	return ""
}

// longestYes is for how many days a yes may be given at once; it is asked about again before it ends.
const longestYes = 2 * 366

func untilFault(until, today string) string {
	from, err := calendar.ParseDay(today)
	if err != nil {
		return "The day is not known." // today is our own
	}
	_, err = calendar.Between(until, from, from+longestYes)
	switch {
	case errors.Is(err, calendar.ErrNoDay):
		return "Say in until the last day of the yes as a local date, YYYY-MM-DD."
	case errors.Is(err, calendar.ErrBefore):
		return "The last day of the yes has passed already."
	case err != nil:
		return "The yes would hold for more than two years. Choose a nearer day; the person is asked again before it " +
			"ends."
	}
	return ""
}

// givers may answer: the person, or whom the law lets answer for them.
var givers = []string{"person", "parental-responsibility", "attorney", "deputy"}
