package schemas

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ReasonHeader carries why somebody looks at a person's journey or at who they are. It is the one way to say so: URLs
// are kept by proxies and logs.
const ReasonHeader = "Access-Reason"

// Scope is what a principal's organisation and role let them reach, of journeys, people and messages. Every read and
// write of a store is bounded by it; what is outside of it looks as if it were not there.
type Scope struct {
	// All: of every organisation, by opaque ids and codes alone.
	All bool
	// Organisations whose journeys, people and messages are within reach. "" stands for what has no organisation yet.
	Organisations []string
	// Person is the one person whose own these are, or empty.
	Person string
	// Elsewhere: one journey at a time of any organisation may be read, for a stated reason; it is kept, and the
	// journey's organisation is told.
	Elsewhere bool
	// ByOffer: who a person is may be read by an accepted offer alone.
	ByOffer bool
}

// ScopeOf is the one rule about organisations: for every route, in every service.
func ScopeOf(role Role, organisation, subject string) Scope {
	none := []string{}
	switch role {
	case Operator:
		return Scope{All: true, Organisations: none}
	case Navigator:
		return Scope{Organisations: []string{organisation, ""}}
	case SendingTeam, YoungPeoplesClinician, System:
		return Scope{Organisations: []string{organisation}}
	case TreatingStaff:
		return Scope{Organisations: []string{organisation}, Elsewhere: true}
	case Person:
		return Scope{Organisations: none, Person: subject}
	case Partner, Caller: // a caller reads who somebody is by the call that they are about to make
		return Scope{Organisations: none, ByOffer: true}
	}
	return Scope{Organisations: none}
}

// Args are what a statement that is bounded by a scope takes: all, organisations, and the person's own.
func (s Scope) Args() []any { return []any{s.All, s.Organisations, s.Person} }

// Reads is the scope of somebody who reads one journey and states why, or not.
func (s Scope) Reads(reason string) Scope {
	s.All = s.All || s.Elsewhere && ReasonFault(reason) == ""
	return s
}

// Home says whether an organisation's are within reach without a further reason.
func (s Scope) Home(organisation string) bool {
	return s.All || slices.Contains(s.Organisations, organisation)
}

// The bounds of a stated reason, in characters.
const (
	shortestReason = 10
	longestReason  = 200
)

// ReasonFault says what is wrong with a stated reason, or nothing. A reason of substance is some words of one's own:
// not a letter, a placeholder, or one thing again and again; and it holds no number, address or reference of anybody.
func ReasonFault(reason string) string {
	reason = strings.TrimSpace(reason)
	letters, digits := map[rune]bool{}, 0
	for _, r := range reason {
		if unicode.IsLetter(r) {
			letters[unicode.ToLower(r)] = true
		}
		if unicode.IsDigit(r) {
			digits++
		}
	}
	words := map[string]bool{}
	for _, word := range strings.FieldsFunc(strings.ToLower(reason),
		func(r rune) bool { return !unicode.IsLetter(r) }) {
		if len(word) > 1 {
			words[word] = true
		}
	}
	const state = "State why you look in a few words of your own, in the header " + ReasonHeader +
		": it is kept, and the person can read it."
	switch length := utf8.RuneCountInString(reason); {
	case reason == "":
		return state
	case length > longestReason:
		return "The stated reason is longer than 200 characters. State it shortly."
	case strings.ContainsFunc(reason, unicode.IsControl) || !utf8.ValidString(reason):
		return state
	case length < shortestReason, len(words) < 2, len(letters) < 4, placeholder(words):
		return "That is no reason yet. " + state
	case digits > 4 || strings.Contains(reason, "@"):
		return "A reason holds no number, address or reference of anybody. " + state
	}
	return ""
}

// placeholder says whether nothing but filling was written.
func placeholder(words map[string]bool) bool {
	for word := range words {
		if !slices.Contains(fillers, word) {
			return false
		}
	}
	return true
}

var fillers = []string{"access", "asdf", "because", "blah", "check", "checking", "dummy", "example", "foo", "bar",
	"here", "insert", "ipsum", "just",
	"look", "looking", "lorem", "na", "none", "not", "applicable", "placeholder", "please", "qwerty", "reason",
	"reasons", "required", "some", "stated",
	"string", "tbc", "tbd", "test", "testing", "text", "the", "this", "to", "todo", "unknown", "value", "want", "work",
	"xxx", "yes", "is", "an", "my", "for", "of"}
