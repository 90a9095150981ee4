// Package oracle counts again what a simulation did, by what the domain promises and by nothing else.
//
// In: the log of a simulation (docs/simulator.md): what the hospital sent, what people did and said, what partners
// tried to read, what was published on the bus, which steps stood at each step of the clock, the calendar, and who
// wanted what. Out: which promises were broken, of whom and when, and how many journeys were in the void each evening.
//
// It was written from the description of the domain by somebody who had not read the rules of any service, and imports
// none of their code, so that one mistake is not made twice. Each rule names the promise that it holds the system to
// (Rules). Where a promise leaves room, the oracle gives it: it accuses only where no reading of the promise allows
// what happened.
//
// It does not see what is not in the log: what a page shows, what a mail says, what the database holds besides steps.
package oracle

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Rule is a promise that the oracle holds a system to.
type Rule string

// The rules, in the order of Rules.
const (
	NoStep           Rule = "no-step"
	VoidMiscounted   Rule = "void-miscounted"
	VoidUnseen       Rule = "void-unseen"
	NobodyAdded      Rule = "nobody-added"
	PutOff           Rule = "put-off"
	OwnerLost        Rule = "owner-lost"
	ClosedByNobody   Rule = "closed-by-nobody"
	Unaccounted      Rule = "unaccounted"
	TwoJourneys      Rule = "two-journeys"
	EventLost        Rule = "event-lost"
	EventTwice       Rule = "event-twice"
	EligibilityLost  Rule = "eligibility-lost"
	WindowWrong      Rule = "window-wrong"
	WindowUnheld     Rule = "window-unheld"
	WindowUntold     Rule = "window-untold"
	OfferUnasked     Rule = "offer-unasked"
	OfferBarred      Rule = "offer-barred"
	OfferRefused     Rule = "offer-refused"
	OfferUnfit       Rule = "offer-unfit"
	OfferOrder       Rule = "offer-order"
	AnswerTooLate    Rule = "answer-too-late"
	SilenceStands    Rule = "silence-stands"
	NobodyLeft       Rule = "nobody-left"
	TwoAcceptances   Rule = "two-acceptances"
	PersonWaited     Rule = "person-waited"
	Unbooked         Rule = "unbooked"
	OutcomeUnknown   Rule = "outcome-unknown"
	Oversold         Rule = "oversold"
	NotStopped       Rule = "not-stopped"
	NobodyRang       Rule = "nobody-rang"
	HandBackUntold   Rule = "hand-back-untold"
	AnswerInvented   Rule = "answer-invented"
	ReadWithoutGrant Rule = "read-without-grant"
	CallUnasked      Rule = "call-unasked"
	CallBarred       Rule = "call-barred"
	CallOutside      Rule = "call-outside"
	CallTooMany      Rule = "call-too-many"
	CallEndedByNone  Rule = "calls-ended-by-nobody"
	HelpLate         Rule = "help-late"
	DeathUnheeded    Rule = "death-unheeded"
	LiftedByNobody   Rule = "lifted-by-nobody"
	ClinicianAfter   Rule = "clinician-after"
	Identifies       Rule = "identifies"
)

// Rules say what each rule holds a system to, by the section of the domain that it comes from.
var Rules = map[Rule]string{
	NoStep:           "Invariant 2: an open journey, or one on hold, always has a step with an owner and a time.",
	VoidMiscounted:   "Void is counted as it is: exactly the journeys with a step past its time and its grace.",
	VoidUnseen:       "One discharge, 6: the watcher raises an event whenever the guarantee would break.",
	NobodyAdded:      "Principles: time adds an owner; each step past its grace has one.",
	PutOff:           "Principles: the first time promised is never reset.",
	OwnerLost:        "Principles: the former owner stays answerable until another acknowledges.",
	ClosedByNobody:   "Principles: every closure is a named human's; no timeout ends anything.",
	Unaccounted:      "Invariant 1: every visit in scope that ended belongs to a journey, and nothing else does.",
	TwoJourneys:      "Journey: a visit of somebody with an open journey joins it; a visit has one journey.",
	EventLost:        "Invariant 3: no event is lost.",
	EventTwice:       "Invariant 3: no event is applied twice.",
	EligibilityLost:  "Principles: looking again never closes what was open, but by an answer or a changed fact.",
	WindowWrong:      "Offer: the last day is 14 days after leaving, or after it was raised where under 5 were left.",
	WindowUnheld:     "Invariant 6: no last day passes without a navigator who has the journey.",
	WindowUntold:     "Invariant 6: no last day passes without the person being told, or somebody who is to tell them.",
	OfferUnasked:     "Principles: nothing is told to a partner before the person's yes; silence is none.",
	OfferBarred:      "Death, Hold, Cancellation: a stop, a hold, a closing, a cancelled visit: nobody is told.",
	OfferRefused:     "Offer: the person's own choice comes first; 'never these' is kept.",
	OfferUnfit:       "One discharge, 4: a partner is asked whose published ages and areas fit, and who is there.",
	OfferOrder:       "Offer: the states follow one another as described; none is skipped.",
	AnswerTooLate:    "Offer: an answer is asked for within 2 of the partner's working days, and within the window.",
	SilenceStands:    "Offer: a partner that has not answered in time is passed over.",
	NobodyLeft:       "One discharge, 4: when no partner is left, a navigator has the journey already.",
	TwoAcceptances:   "Clocks: one acceptance a person.",
	PersonWaited:     "Clocks: the person's own answer is waited for 3 days at most.",
	Unbooked:         "Clocks: 2 working days from acceptance to a time; a day later a navigator has it.",
	OutcomeUnknown:   "Clocks: an outcome by the working day after the session; else a navigator asks.",
	Oversold:         "Offer: weekly places are never oversold.",
	NotStopped:       "Consent: a no or a withdrawal ends what it was said to, at once.",
	NobodyRang:       "Stopping somebody about to go: a navigator rings within the hour, at once if sooner.",
	HandBackUntold:   "Offer: what is handed back is told to the person by a named human.",
	AnswerInvented:   "Principles: the person chooses; silence is not consent. Each answer was given to somebody.",
	ReadWithoutGrant: "Identity to a partner: accepted, a yes by name, an agreement, no stop, hold or withdrawal.",
	CallUnasked:      "Bridging plan: not before their yes.",
	CallBarred:       "Death, Hold: contact stops.",
	CallOutside:      "Contact: the hours that they named; where none, 10:00 to 19:00.",
	CallTooMany:      "Bridging call: none again the same day, one planned contact a day, 2 more tries within 3 days.",
	CallEndedByNone:  "Bridging call: unanswered calls end nothing; a plan ends by a human.",
	HelpLate:         "Help: raised with what was said; taken on within 30 minutes, or 4 hours where things are worse.",
	DeathUnheeded:    "Death: contact stops within the minute.",
	LiftedByNobody:   "Death: only a named human lifts a stop or ends a hold.",
	ClinicianAfter:   "Under 18: nothing leaves and nobody is rung before a young people's clinician's record.",
	Identifies:       "Invariant 5: nothing identifying in an event, nor with a partner before its grant.",
}

// Found is one promise that was broken.
type Found struct {
	At      time.Time `json:"at"`
	Rule    Rule      `json:"rule"`
	Journey string    `json:"journey,omitempty"`
	What    string    `json:"what"`
}

func (f Found) String() string {
	return fmt.Sprintf("%s: %s (%s)", f.Rule, f.What, Rules[f.Rule])
}

// Counts are what the oracle counted.
type Counts struct {
	Journeys int `json:"journeys"`
	// Void is how many journeys were in the void, by local day, in the evening; VoidTicks in how many steps of the
	// clock any was.
	Void      map[string]int `json:"void"`
	VoidTicks int            `json:"voidTicks"`
	Ticks     int            `json:"ticks"`
	// WindowsLost are last days that passed without a session, of those who wanted one. That is no fault where a
	// navigator had the journey and the person was told.
	WindowsLost int `json:"windowsLost"`
	// Looked is how often each rule had something to look at: one that never had shows nothing.
	Looked map[Rule]int `json:"looked"`
	Broken map[Rule]int `json:"broken,omitempty"`
	// Found are the first of each rule.
	Found []Found `json:"found,omitempty"`
}

// most is how many breaches of one rule are named.
const most = 10

// line is one line of the log.
type line struct {
	At      time.Time
	Kind    string
	By      string
	Person  *int
	Journey string
	Method  string
	Path    string
	Status  int
	About   string
	From    string
	Seq     string
	Data    json.RawMessage
}

// done says whether a request was taken.
func (l *line) done() bool { return l.Status >= 200 && l.Status < 300 }

// read reads a line's data; what is not there stays as it is.
func (l *line) read(into any) error {
	if len(l.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(l.Data, into); err != nil {
		return fmt.Errorf("reading %s %s at %s: %w", l.Kind, l.About, l.At.Format(time.RFC3339), err)
	}
	return nil
}

// counter reads a log.
type counter struct {
	Counts
	calendar calendar
	journeys map[string]*journey
	offers   map[string]*offer
	partners map[string]*partner // by opaque id and by name
	people   map[int]*person
	owned    map[string]string // open journeys by the random id of their person
	visits   visits
	steps    map[string]*stood
	batch    []*line // events that were seen together: their order across services says nothing
	batches  int
	dead     []death
	marks    *marks
	counted  counted
}

// Count reads a log to its end.
func Count(log io.Reader) (Counts, error) {
	c := &counter{Counts: Counts{Void: map[string]int{}, Looked: map[Rule]int{}, Broken: map[Rule]int{}},
		journeys: map[string]*journey{}, offers: map[string]*offer{}, partners: map[string]*partner{},
		people: map[int]*person{}, owned: map[string]string{}, steps: map[string]*stood{}, visits: newVisits(),
		marks: &marks{}}
	lines := bufio.NewScanner(log)
	lines.Buffer(make([]byte, 1<<20), 256<<20)
	for n := 1; lines.Scan(); n++ {
		l := &line{}
		err := json.Unmarshal(lines.Bytes(), l)
		if err == nil {
			err = c.take(l)
		}
		if err != nil {
			return c.Counts, fmt.Errorf("counting again, line %d of the log: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return c.Counts, fmt.Errorf("counting again: %w", err)
	}
	if err := c.published(); err != nil {
		return c.Counts, fmt.Errorf("counting again: %w", err)
	}
	slices.SortStableFunc(c.Found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.At.Compare(b.At))
	})
	return c.Counts, nil
}

// take takes in one line. Events are kept until the next line of another kind.
func (c *counter) take(l *line) error {
	if l.Kind == "event" {
		c.batch = append(c.batch, l)
		return nil
	}
	if err := c.published(); err != nil {
		return err
	}
	if l.Journey != "" && l.Person != nil {
		c.of(l.Journey).knows(c.people[*l.Person])
	}
	switch l.Kind {
	case "calendar":
		return c.calendar.read(l)
	case "person":
		return c.meets(l)
	case "listed":
		return c.lists(l)
	case "message":
		return c.message(l)
	case "request":
		return c.request(l)
	case "look":
		c.look(l)
	case "received":
		return c.received(l)
	case "steps":
		return c.evening(l)
	case "void":
		return c.saysVoid(l)
	case "tick":
		return c.tick(l)
	}
	return nil
}

// found notes a promise that was broken.
func (c *counter) found(at time.Time, rule Rule, journey, what string, about ...any) {
	c.Broken[rule]++
	if c.Broken[rule] <= most {
		c.Found = append(c.Found, Found{At: at, Rule: rule, Journey: journey, What: fmt.Sprintf(what, about...)})
	}
}

// holds notes that a rule had something to look at, and what it found where the promise does not hold.
func (c *counter) holds(kept bool, at time.Time, rule Rule, journey, what string, about ...any) {
	c.Looked[rule]++
	if !kept {
		c.found(at, rule, journey, what, about...)
	}
}

func (c *counter) of(id string) *journey {
	j := c.journeys[id]
	if j == nil {
		j = newJourney(id)
		c.journeys[id] = j
	}
	return j
}

// order is in which order the services' events of one batch are read: who says what has happened before who acts on it.
var order = []string{"/footbridge/intake", "/footbridge/journey", "/footbridge/threshold", "/footbridge/followup",
	"/footbridge/bridging", "/footbridge/delivery"}

// published reads the events that were seen together: of each service and journey in the order of their numbers. What
// is allowed before or after all of them is not accused.
func (c *counter) published() error {
	if len(c.batch) == 0 {
		return nil
	}
	batch := c.batch
	c.batch = nil
	c.batches++
	rank := func(l *line) int {
		if i := slices.Index(order, l.From); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(batch, func(a, b *line) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Journey, b.Journey),
			cmp.Compare(number(a.Seq), number(b.Seq)))
	})
	for _, l := range batch {
		j := c.of(l.Journey)
		if l.Person != nil {
			j.knows(c.people[*l.Person])
		}
		j.remember(c.batches)
	}
	var acts []*line
	for _, l := range batch {
		c.numbered(l)
		c.identifies(l, l.Data)
		stands, err := c.stands(l)
		if err != nil {
			return err
		}
		if !stands {
			acts = append(acts, l)
		}
	}
	for _, l := range acts {
		if err := c.acted(l); err != nil {
			return err
		}
	}
	return nil
}

// numbered sees that the numbers of a service's events of one journey follow one another.
func (c *counter) numbered(l *line) {
	if l.Seq == "" {
		return
	}
	j, n := c.of(l.Journey), number(l.Seq)
	last, known := j.numbers[l.From]
	if known && n > last+1 && n/incarnation == last/incarnation {
		j.missing[l.From] += int(n - last - 1)
	}
	c.holds(!known || n > last, l.At, EventTwice, l.Journey, "%s is number %d of %s, after number %d", l.About, n,
		l.From, last)
	j.numbers[l.From] = max(n, last)
}

// incarnation is where numbers begin again after a restore.
const incarnation = 10_000_000

func number(seq string) (n int64) {
	_, _ = fmt.Sscanf(strings.TrimLeft(seq, "0"), "%d", &n)
	return n
}

// sorted are the keys of a map, in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
