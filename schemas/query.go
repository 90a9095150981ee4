package schemas

import "slices"

// Parameter is one parameter of a route's query. What is said here is what the gateway lets in, what the handlers go
// by, and what OpenAPI describes.
type Parameter struct {
	Name    string
	Meaning string
	// Type is what its value is.
	Type ParameterType
	// Kind bounds the value as it does that of a member of a body. A number above Max counts as Max where Cut is true,
	// and is refused otherwise.
	Kind
	Cut bool
	// Usual is the number that counts where none is given.
	Usual int
	// Needed says that nothing is found without it.
	Needed bool
}

// ParameterType is what a parameter's value is.
type ParameterType int

// The types. A flag is set by "true" and by nothing else; a day is local, YYYY-MM-DD; a time is RFC 3339 with an
// offset.
const (
	ParameterText ParameterType = iota
	ParameterFlag
	ParameterNumber
	ParameterDay
	ParameterTime
	ParameterDayOrTime
)

// CursorPattern is that of a cursor of a partner's log: the log's incarnation and a position.
const CursorPattern = `^[0-9]+-[0-9]+$`

// What became of a message, as the ledger lists it.
const (
	OutcomeJoined        = "joined"
	OutcomeRaised        = "raised"
	OutcomeRaisedFlagged = "raised-flagged"
	OutcomeCorrected     = "corrected"
	OutcomeCancelled     = "cancelled"
	OutcomeIgnored       = "ignored"
	OutcomeDuplicate     = "duplicate"
	OutcomeQuarantined   = "quarantined"
	OutcomeRejected      = "rejected"
)

// Query names the parameters that a route takes behind the question mark; no other is taken there, so that nothing
// about anybody is in a URL. The FHIR routes look after theirs.
func (r Route) Query() (names []string) {
	for _, p := range queries[r.Mux()] {
		names = append(names, p.Name)
	}
	return names
}

// Parameters are what a route takes behind the question mark.
func (r Route) Parameters() []Parameter { return slices.Clone(queries[r.Mux()]) }

// ParameterOf is a parameter of the route "GET /api/steps"; it panics where the route takes none of that name, which
// a handler's first request shows.
func ParameterOf(mux, name string) Parameter {
	all := queries[mux]
	i := slices.IndexFunc(all, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		panic(mux + " takes no " + name)
	}
	return all[i]
}

// Limits are how many rows of a list are given where nobody says how many (limit), and at most.
func Limits(mux string) (usual, most int) {
	limit := ParameterOf(mux, "limit")
	return limit.Usual, limit.Max
}

func flagParameter(name, meaning string) Parameter {
	return Parameter{Name: name, Meaning: "true: " + meaning, Type: ParameterFlag}
}

func text(name, meaning string) Parameter { return Parameter{Name: name, Meaning: meaning} }

func ofKind(name, kind, meaning string) Parameter {
	return Parameter{Name: name, Meaning: meaning, Kind: kinds[kind]}
}

func typed(name string, is ParameterType, meaning string) Parameter {
	return Parameter{Name: name, Meaning: meaning, Type: is}
}

func limit(what string, usual, most int) Parameter {
	return Parameter{Name: "limit", Meaning: "How many " + what +
		" at most; more than is given at once is cut to that.",
		Type: ParameterNumber, Kind: Kind{Number: true, Min: 1, Max: most}, Cut: true, Usual: usual}
}

// list are the parameters of a list with pages, behind its own.
func list(usual, most int, own ...Parameter) []Parameter {
	return append(own, limit("items", usual, most), text("cursor", "next of the page before."))
}

var (
	after = Parameter{Name: "after",
		Meaning: "The cursor after which to begin; left out, the first event that is kept.",
		Kind:    Kind{Pattern: CursorPattern}}
	wait = Parameter{Name: "wait", Meaning: "For how many seconds an empty page is waited with.",
		Type: ParameterNumber, Kind: Kind{Number: true, Max: 20}, Cut: true}
	feed     = []Parameter{after, limit("events", 100, 500), wait}
	calendar = []Parameter{{Name: "token", Meaning: "The calendar's own, from its address.", Needed: true}}
)

var queries = map[string][]Parameter{
	"GET /api/messages": list(50, 1000,
		flagParameter("waiting", "what waits for a human, by the time promised."),
		ofKind("outcome", "ledger-outcome", "Those with one outcome."),
		text("sender", "Those of one sender."),
		typed("from", ParameterDayOrTime, "Those received on or after a local day, or a time."),
		typed("to", ParameterDayOrTime, "Those received by the end of a local day, or before a time.")),
	"GET /api/offers":     list(50, 500),
	"GET /api/operations": {flagParameter("charts", "also how figures stood in the last day and week.")},
	"GET /figures":        {flagParameter("charts", "also how figures stood in the last day and week.")},
	"GET /api/timers": {{Name: "hours", Meaning: "How many hours ahead.", Type: ParameterNumber, Usual: 24,
		Kind: Kind{Number: true, Min: 1, Max: 24 * 31}}},
	"GET /api/calls.ics":    calendar,
	"GET /api/sessions.ics": calendar,
	"GET /api/calls": list(100, 500,
		typed("due", ParameterDay, "Calls that fall due on a local day or before; left out, today."),
		flagParameter("all", "those outside the caller's own hours too.")),
	"GET /api/journeys": list(50, 500,
		flagParameter("void", "those in the void alone."),
		Parameter{Name: "state",
			Meaning: "closed: those that are closed, the latest first; left out, those that have " +
				"something to be done, by the time promised.", Kind: oneOf("closed")}),
	"GET /api/steps": list(50, 200,
		flagParameter("mine", "those of the caller's own teams."),
		flagParameter("taken", "those that the caller has taken on, by name."),
		text("since", "What has come to the list since it was read: its readAt."),
		ofKind("team", "owner", "Those of one owner, such as team:liaison."),
		typed("due", ParameterDayOrTime, "Those promised by the end of a local day, or before a time."),
		flagParameter("past", "those past their time.")),
	"GET /api/people/{ref}/access":  list(50, 200),
	"GET /api/journeys/{id}/access": list(50, 200),
	"GET /api/people/searches": list(50, 200,
		flagParameter("waiting", "what the caller may review: of others, and reviewed by nobody yet.")),
	"GET /api/facilities":      list(50, 200, flagParameter("placed", "those that were placed.")),
	"GET /api/services":        list(100, 500),
	"POST /api/referrals/list": {text("organisation", "Whose list it is, of whoever keeps those of several.")},
	"POST /api/thresholds/what-if": {typed("since", ParameterDay,
		"The local day from which past decisions are replayed; left out, all that are kept.")},
	"GET /api/thresholds/turned": {
		{Name: "criterion", Meaning: "The id of a criterion.", Needed: true},
		text("service", "Its service, where several have a criterion of that id.")},
	"GET /api/feed": feed,
	"GET /api/referrals/feed": append([]Parameter{{Name: "newest", Meaning: "With how many of the last events to " +
		"begin, where no cursor says so.", Type: ParameterNumber, Kind: Kind{Number: true, Min: 1, Max: 500},
		Cut: true}},
		feed...),
	"GET /api/stream":                      {after},
	"GET /api/told":                        list(50, 500),
	"GET /api/journeys/{id}/told":          list(500, 500),
	"GET /api/subscriptions/{id}/attempts": list(50, 500),
	"GET /api/traces": list(50, 500,
		typed("from", ParameterTime, "What began at a time or after; left out, 24 hours before to."),
		typed("to", ParameterTime, "What began before a time; left out, now."),
		text("service", "What one service did."),
		text("work", "One kind of work."),
		Parameter{Name: "least", Meaning: "What took at least so many milliseconds.", Type: ParameterNumber,
			Kind: Kind{Number: true, Max: 24 * 3600 * 1000}},
		flagParameter("failed", "what failed alone."),
		text("journey", "What was done for one journey.")),
}
