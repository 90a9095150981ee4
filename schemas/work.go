package schemas

import (
	"slices"
	"strings"
)

// Names of spans say the kind of work, and are a closed list like the names of attributes: whatever else is handed over
// is kept as OtherWork, so that nobody's name can stand where work is named. They are those below, "METHOD pattern" of
// the routes, and "apply", "retry" of each type of event.

// OtherWork stands for the name of a span that is not on the list.
const OtherWork = "other work"

// ownWork is what is named by itself.
var ownWork = []string{
	"take an HL7 message", "take what holds no readable message", "take an event", "take a FHIR message",
	"take a feed's signal", "keep messages", "apply events of several types", "look for the void", OtherWork,
}

// dueLoops are the loops over what falls due, by service. Their spans are called "due" and the name.
var dueLoops = map[string][]string{
	Intake: {"ledger-days", "ledger-old", "visits-without-end", "feeds", "consent-expiring", "consents-over",
		"contact-questions", "hours-of-old-cards", "searchable", "search-reasons", "search-reviews",
		"possible-doubles", "said-on-calls",
		"birthdays", "content"},
	Threshold: {"a-day-has-come", "criteria-have-changed"},
	Followup:  {"partners-changed", "offers-due", "exhausted-again", "deletions-due"},
	Bridging:  {"help-waits", "pages", "calls", "notices", "channels", "partners", "plans"},
	Journey:   {"overdue-steps", "held-together"},
	Delivery: {"untold", "late", "take", "webhooks", "handshakes", "links", "mails-made", "mails", "mails-left",
		"texts", "texts-kept", "broker", "broker-kept", "alerts"},
}

// methods are those that a span may name; any other is "_OTHER".
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"}

// Work is the closed list of the names of spans, and of what they may say of routes and types.
type Work struct{ names, patterns, types map[string]bool }

// NewWork makes the list, with the routes that are in no table of this package: those of pages, and of the machinery.
func NewWork(more []Route) *Work {
	w := &Work{map[string]bool{}, map[string]bool{"": true, "/": true}, map[string]bool{}}
	for _, name := range ownWork {
		w.names[name] = true
	}
	for _, loops := range dueLoops {
		for _, loop := range loops {
			w.names["due "+loop] = true
		}
	}
	for _, e := range registry {
		w.types[string(e.Type)] = true
		if e.OnBus() {
			name := shortType(e.Type)
			w.names["apply "+name], w.names["retry "+name] = true, true
		}
	}
	for _, route := range slices.Concat(routes, between, more, []Route{{Pattern: OpenLink}, {Pattern: SignInMails}}) {
		_, pattern, _ := strings.Cut(route.Mux(), " ")
		w.patterns[pattern] = true
	}
	return w
}

// shortType is a type without what all have: "offer.raised".
func shortType(t Type) string {
	name := strings.TrimPrefix(string(t), TypePrefix)
	return name[:strings.LastIndex(name, ".v")]
}

// Knows says whether a span may be called so.
func (w *Work) Knows(name string) bool {
	if w.names[name] {
		return true
	}
	method, pattern, routed := strings.Cut(name, " ")
	return routed && slices.Contains(methods, method) && w.patterns[pattern]
}

// KnowsType says whether this is the type of an event.
func (w *Work) KnowsType(name string) bool { return w.types[name] }

// KnowsRoute says whether an attribute may name this pattern.
func (w *Work) KnowsRoute(pattern string) bool { return w.patterns[pattern] }
