package criteria

import (
	"slices"
	"sort"
	"strings"

	"footbridge/schemas"
)

// What a service can have said when it was asked for help with a journey.
const (
	StateAsked   = "asked"    // asked, and not yet answered
	StateYes     = "yes"      // it takes the person
	StateNo      = "no"       // a named human there said no
	StateWaiting = "waiting"  // the person is on its list
	StateNoReply = "no-reply" // silence: asked again, never an ending
)

// Answer is one thing a service said, or that it was asked, in the order in which it happened.
type Answer struct {
	Service string `json:"service"`
	On      Day    `json:"on"`
	Said    string `json:"said"`
	Words   string `json:"words,omitempty"` // the service's own words
	By      string `json:"by,omitempty"`    // the role of who answered there
	// Axis and Side are given where a human says that the person is above or below the service's range. An empty
	// Axis with a Side stands for the axis of the service's own criteria.
	Axis string `json:"axis,omitempty"`
	Side string `json:"side,omitempty"`
	// Reason is the code of a no (DeclineWords). A no for a reason that the service has agreed never to decline for is
	// Questioned: it closes no door, and the service is asked about it.
	Reason     string `json:"reason,omitempty"`
	Questioned bool   `json:"questioned,omitempty"`
	// Facts as they were when it answered; they show whether asking again has a reason. Nil where not kept.
	Facts *schemas.Facts `json:"facts,omitempty"`
}

// Override is a human's decision about one door, with the reason. It outranks criteria and answers.
type Override struct {
	Service     string              `json:"service"`
	Eligibility schemas.Eligibility `json:"door"` // open or not-open
	On          Day                 `json:"on"`
	By          string              `json:"by"`
	Reason      string              `json:"reason"`
}

// WindowDays is how many calendar days after leaving hospital the follow-up is promised by: the window's last day.
// Doors are looked at over these days.
const WindowDays = 14

// Window is the days in which a service may be begun, both inclusive. The zero Window is today alone.
type Window struct {
	FirstDay Day `json:"firstDay,omitempty"`
	LastDay  Day `json:"lastDay,omitempty"`
}

// FactChange says what the facts are, all of them, from a day on: a birthday, a move that is known beforehand.
type FactChange struct {
	On    Day           `json:"on"`
	Facts schemas.Facts `json:"facts"`
}

// Situation is everything a decision is made from. Today is the local day.
type Situation struct {
	Facts     schemas.Facts `json:"facts"`
	Changes   []FactChange  `json:"changes,omitempty"`
	Answers   []Answer      `json:"answers,omitempty"`
	Overrides []Override    `json:"overrides,omitempty"`
	Window    Window        `json:"window"`
	Today     Day           `json:"today"`
	Prior     *Decision     `json:"-"` // the decision this one re-evaluates, nil for the first
}

// Situation is that of somebody of whom facts and answers are given, and nothing was decided before.
func (d *Directory) Situation(facts schemas.Facts, answers []Answer, today Day) Situation {
	answers = slices.Clone(answers)
	for i, a := range answers {
		answers[i].Questioned = a.Said == StateNo && d.MayNotDecline(a.Service, a.Reason)
	}
	return Situation{Facts: facts, Changes: Ahead(facts), Answers: answers, Today: today,
		Window: Window{FirstDay: today, LastDay: AddDays(today, WindowDays)}}
}

// Ahead are the changes of facts that the facts foresee: a birthday.
func Ahead(facts schemas.Facts) []FactChange {
	if facts.Age == nil || facts.AgeRisesOn == nil {
		return nil
	}
	older := facts
	older.Age, older.AgeRisesOn = new(*facts.Age+1), nil
	return []FactChange{{On: *facts.AgeRisesOn, Facts: older}}
}

// Decision is what the whole set says for one situation, with its full matrix. It is kept as it is: it carries
// the words, sources and dates it was made under, and the version of the set.
type Decision struct {
	Directory     string                       `json:"directory"`
	Today         Day                          `json:"today"`
	Window        Window                       `json:"window"`
	Eligibilities []schemas.ServiceEligibility `json:"doors"` // by service id
	Matrix        []Row                        `json:"matrix"`
	Satisfied     []Satisfied                  `json:"held,omitempty"`
	Tried         []Tried                      `json:"tried,omitempty"`
	// for staff only, never shown to the person as a condition
	Near      []Near     `json:"near,omitempty"`
	Questions []Question `json:"questions,omitempty"` // what to ask first comes first
	Gap       *Gap       `json:"gap,omitempty"`
	// no care service could take the person: the last resort holds
	Nobody     bool     `json:"nobody,omitempty"`
	LastResort []string `json:"lastResort"`
	AskFirst   []string `json:"askFirst,omitempty"` // who the person is already open to
	Waits      []string `json:"waits,omitempty"`
}

// Named returns the ids of at most so many services whose door stands as given, by id, third-sector services first:
// they are who can be asked without more ado.
func (d Decision) Named(door schemas.Eligibility, most int) []string {
	ids := make([]string, 0, len(d.Eligibilities))
	for _, sector := range []string{ThirdSector, Statutory} {
		for _, one := range d.Eligibilities {
			if one.Eligibility == door && one.Sector == sector {
				ids = append(ids, one.Service)
			}
		}
	}
	return ids[:min(len(ids), most)]
}

// Row is one criterion of one service in the matrix. Finding met means that the criterion does not stand in the
// way: an include that holds, an exclude that does not, or one that is not in force.
type Row struct {
	Service string `json:"service"`
	schemas.CriterionResult
	Kind      string   `json:"kind"`
	Effect    string   `json:"effect"`
	Axis      string   `json:"axis,omitempty"`
	Side      string   `json:"side,omitempty"`
	Link      string   `json:"link,omitempty"`
	Published string   `json:"publishedBy,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Ask       string   `json:"ask,omitempty"` // whom to ask, where only a conversation decides
	Lapsed    bool     `json:"lapsed,omitempty"`
}

// Satisfied is a door that stays open though the criteria now say otherwise, and why it does.
type Satisfied struct {
	Service string                    `json:"service"`
	Why     string                    `json:"why"` // Held*
	WouldBe schemas.Eligibility       `json:"wouldBe"`
	Because []schemas.CriterionResult `json:"because,omitempty"`
}

// Reasons for holding a door open.
const (
	SatisfiedAccepted       = "accepted"
	SatisfiedWaitedOn       = "waited-on"
	SatisfiedInTheCare      = "in-their-care"
	SatisfiedEligibleBefore = "open-before"
	SatisfiedOverride       = "override"
	SatisfiedUnlisted       = "no-longer-in-the-directory"
)

// Tried marks a service that was asked already in this episode.
type Tried struct {
	Service string `json:"service"`
	On      Day    `json:"on"`
	Said    string `json:"said"`
	Words   string `json:"words,omitempty"`
	Reason  string `json:"reason,omitempty"` // of a no, as a code
	// Questioned marks a no for a reason that the service has agreed never to decline for: it closes no door.
	Questioned bool     `json:"questioned,omitempty"`
	Changed    []string `json:"changed,omitempty"` // facts its criteria read that are others now
	// AskAgain is true after silence, where a fact has changed, or where the no is questioned. Where it is false,
	// asking again needs a conversation with the service first.
	AskAgain bool `json:"askAgain,omitempty"`
}

// Near is a door that would no longer be shut by its criteria from a day on.
type Near struct {
	Service string `json:"service"`
	On      Day    `json:"on"`
}

// Question is an unknown fact that could change the outcome.
type Question struct {
	Fact     string   `json:"fact"`
	Asks     string   `json:"asks"`
	Alone    int      `json:"alone"`    // doors that one answer to it could open by itself
	Together int      `json:"together"` // doors that need other answers too
	Services []string `json:"services"`
}

// Evaluate looks at every service's criteria and answers together.
//
// What is unknown excludes nobody. A door that was open, accepted or waited on in the prior decision stays so,
// whatever facts, dates or criteria have become; only people close it: a recorded no of the service, or a human's
// override with its reason.
func Evaluate(set *Directory, s Situation) Decision {
	e := newEvaluation(set, s)
	d := Decision{Directory: set.Hash, Today: s.Today, Window: s.Window, LastResort: set.LastResort(),
		AskFirst: slices.Clone(e.facts.OpenTo)}
	d.Eligibilities, d.Matrix = make([]schemas.ServiceEligibility, 0, len(set.services)), make([]Row, 0, set.criteria)
	for _, service := range set.services {
		e.service(&d, service)
	}
	e.keepUnlisted(&d)
	d.Waits = waits(d.Eligibilities)
	d.Questions = e.questions(set, d.Eligibilities)
	d.Nobody = nobody(set, d.Eligibilities)
	if d.Gap = findGap(set, d, e.last); d.Gap != nil {
		d.Gap.New = s.Prior == nil || s.Prior.Gap == nil
	}
	return d
}

// evaluation holds what is looked up once for the whole set.
type evaluation struct {
	situation Situation
	facts     schemas.Facts // as of today
	now       activation
	later     []dated // facts that change within the window
	last      map[string]Answer
	latest    map[string]Answer
	override  map[string]Override
	prior     map[string]schemas.ServiceEligibility
	near      Day                // the last day that a near date may be
	futures   map[Day]activation // the facts of days to come that a near date was looked for on
}

type dated struct {
	on Day
	activation
}

func newEvaluation(set *Directory, s Situation) *evaluation {
	e := &evaluation{situation: s, facts: factsOn(s, s.Today), last: map[string]Answer{}, latest: map[string]Answer{},
		override: map[string]Override{}, prior: map[string]schemas.ServiceEligibility{},
		near: AddDays(s.Today, nearDays), futures: map[Day]activation{}}
	e.now = newActivation(knownFacts(e.facts, s.Today), len(set.expressions))
	for _, change := range s.Changes {
		if change.On > s.Today && change.On <= s.Window.LastDay {
			e.later = append(e.later, dated{change.On, newActivation(knownFacts(change.Facts, change.On),
				len(set.expressions))})
		}
	}
	for _, a := range s.Answers {
		e.latest[a.Service] = a
		if a.Said != StateAsked && a.Said != StateNoReply && !a.Questioned {
			if a.Axis == "" && a.Side != "" {
				a.Axis = set.axisOf(a.Service)
			}
			e.last[a.Service] = a
		}
	}
	for _, o := range s.Overrides {
		e.override[o.Service] = o
	}
	if s.Prior != nil {
		for _, door := range s.Prior.Eligibilities {
			e.prior[door.Service] = door
		}
	}
	return e
}

// factsOn returns the facts as they are on a day.
func factsOn(s Situation, day Day) schemas.Facts {
	facts, since := s.Facts, ""
	for _, change := range s.Changes {
		if change.On <= day && change.On >= since {
			facts, since = change.Facts, change.On
		}
	}
	return facts
}

// axisOf is the axis of the service's own criteria, where it has one only.
func (d *Directory) axisOf(service string) string {
	axis := ""
	if s := d.byID[service]; s != nil {
		for _, c := range s.clauses {
			if c.Axis != "" && axis != "" && c.Axis != axis {
				return ""
			}
			axis = max(axis, c.Axis)
		}
	}
	return axis
}

func (e *evaluation) service(d *Decision, s *compiled) {
	first := len(d.Matrix)
	for _, c := range s.clauses {
		d.Matrix = append(d.Matrix, e.row(s, c))
	}
	rows := d.Matrix[first:]
	door := eligibilityOf(s.doc, rows)
	final := e.people(door)
	d.Eligibilities = append(d.Eligibilities, final.eligibility)
	if final.satisfied != "" {
		d.Satisfied = append(d.Satisfied, Satisfied{Service: door.Service, Why: final.satisfied,
			WouldBe: door.Eligibility, Because: door.Because})
	}
	if latest, ok := e.latest[s.doc.Service.ID]; ok {
		d.Tried = append(d.Tried, e.tried(s, latest))
	}
	if final.eligibility.Eligibility == schemas.NotEligible && door.Eligibility == schemas.NotEligible {
		if on, ok := e.nearDate(s); ok {
			d.Near = append(d.Near, Near{Service: door.Service, On: on})
		}
	}
}

// row evaluates one criterion: on today's facts; for age and area on any day from today to the window's end.
func (e *evaluation) row(s *compiled, c *clause) Row {
	row := c.row
	row.Lapsed = !c.inForce(e.situation.Today)
	row.Finding, row.Missing = c.finding(e.situation.Today, e.now)
	if row.Finding == schemas.Met || row.Finding == schemas.NotEvaluable || !c.overDays {
		return row
	}
	for _, day := range e.days(c) {
		finding, missing := c.finding(day, e.on(day))
		if better(finding, row.Finding) {
			row.Finding, row.Missing = finding, missing
		}
	}
	return row
}

// rows are those of one service; the matrix is sorted by service.
func (d Decision) rows(service string) []Row {
	from, _ := slices.BinarySearchFunc(d.Matrix, service,
		func(r Row, id string) int { return strings.Compare(r.Service, id) })
	to := from
	for to < len(d.Matrix) && d.Matrix[to].Service == service {
		to++
	}
	return d.Matrix[from:to]
}

// newRow is a criterion's row before anybody's facts are looked at.
func newRow(doc Document, c *clause) Row {
	row := Row{Service: doc.Service.ID, Kind: c.Kind, Effect: c.Effect, Axis: c.Axis, Side: c.Side, Link: c.Link,
		Published: c.PublishedBy,
		CriterionResult: schemas.CriterionResult{Criterion: c.ID, Words: c.Words, Source: c.Source,
			CheckedOn: c.CheckedOn}}
	switch {
	case c.NotEvaluable != nil:
		row.Ask = c.NotEvaluable.Ask
	case c.claim != nil:
		row.Ask = doc.Service.Name + " whether it has capacity"
	}
	return row
}

// inForce says whether the criterion holds on a day at all. One that has lapsed, or is yet to come, excludes nobody.
func (c *clause) inForce(day Day) bool {
	return (c.ValidFrom == "" || c.ValidFrom <= day) && (c.ValidUntil == "" || day <= c.ValidUntil)
}

func (c *clause) finding(day Day, on activation) (schemas.Finding, []string) {
	switch {
	case !c.inForce(day):
		return schemas.Met, nil
	case c.closed:
		return schemas.NotMet, nil
	case c.expr == nil:
		return schemas.NotEvaluable, nil
	case c.claim != nil:
		return c.capacity(day), nil
	}
	result := c.expr.result(on)
	switch {
	case !result.decided:
		return schemas.Unknown, result.missing
	case result.holds == (c.Effect == Include):
		return schemas.Met, nil
	}
	return schemas.NotMet, nil
}

// capacity is the finding of a clause about the service's own capacity. Without a code that the service stated, and
// that is still to be believed on the day, only a conversation with it decides.
func (c *clause) capacity(day Day) schemas.Finding {
	if c.claim.Code == "" || day < c.claim.AsOf || day > AddDays(c.claim.AsOf, staleDays) {
		return schemas.NotEvaluable
	}
	if c.expr.tree.truth(func(a atom) bool { return a.holds(c.claim.Code) }) == (c.Effect == Include) {
		return schemas.Met
	}
	return schemas.NotMet
}

// changes are the days on which a clause may give something else, though nobody has said anything: it comes into force
// or lapses, the days since a visit pass a constant of it, or a claim of capacity is believed no longer.
func (c *clause) changes(facts schemas.Facts) []Day {
	var days []Day
	for _, day := range []Day{c.ValidFrom, c.lapses} {
		if day != "" {
			days = append(days, day)
		}
	}
	if c.claim != nil && c.claim.AsOf != "" {
		days = append(days, c.claim.AsOf, AddDays(c.claim.AsOf, staleDays+1))
	}
	if facts.LastSelfHarm != nil {
		for _, since := range c.turns {
			days = append(days, AddDays(*facts.LastSelfHarm, since))
		}
	}
	return days
}

var findingOrder = map[schemas.Finding]int{schemas.NotMet: 0, schemas.Unknown: 1, schemas.Met: 2}

func better(a, b schemas.Finding) bool { return findingOrder[a] > findingOrder[b] }

// days are those after today, to the window's end, on which the criterion may give something else.
func (e *evaluation) days(c *clause) []Day {
	var days []Day
	for _, change := range e.later {
		days = append(days, change.on)
	}
	for _, day := range []Day{c.ValidFrom, c.lapses} {
		if day > e.situation.Today && day <= e.situation.Window.LastDay {
			days = append(days, day)
		}
	}
	return days
}

// on returns the facts of a day within the window.
func (e *evaluation) on(day Day) activation {
	facts, since := e.now, ""
	for _, change := range e.later {
		if change.on <= day && change.on >= since {
			facts, since = change.activation, change.on
		}
	}
	return facts
}

// eligibilityOf folds the criteria of a service. Only a criterion that is surely not met shuts the door.
func eligibilityOf(doc Document, rows []Row) schemas.ServiceEligibility {
	door := schemas.ServiceEligibility{Service: doc.Service.ID, Name: doc.Service.Name, Sector: doc.Sector,
		Kind: doc.Kind, Eligibility: schemas.Eligible}
	for _, state := range []struct {
		finding     schemas.Finding
		eligibility schemas.Eligibility
	}{{schemas.NotMet, schemas.NotEligible}, {schemas.Unknown, schemas.EligibleIf},
		{schemas.NotEvaluable, schemas.TalkAbout}} {
		for i := range rows {
			if row := &rows[i]; row.Finding == state.finding {
				door.Eligibility = state.eligibility
				door.Because = append(door.Because, row.CriterionResult)
				door.Missing = union(door.Missing, row.Missing)
			}
		}
		if door.Eligibility != schemas.Eligible {
			return door
		}
	}
	return door
}

func union(to, from []string) []string {
	for _, one := range from {
		if !slices.Contains(to, one) {
			to = append(to, one)
		}
	}
	return to
}

type finalEligibility struct {
	eligibility schemas.ServiceEligibility
	satisfied   string
}

// people puts what people said over what the criteria say, and keeps open what was open.
func (e *evaluation) people(door schemas.ServiceEligibility) finalEligibility {
	id := door.Service
	if o, ok := e.override[id]; ok {
		return overridden(door, o)
	}
	answer, answered := e.last[id]
	prior := e.prior[id]
	waits := answer.Said == StateWaiting || !answered && (slices.Contains(e.facts.WaitingOn, id) || prior.Waiting)
	held := ""
	switch {
	case slices.Contains(e.facts.OpenTo, id):
		held = SatisfiedInTheCare
	case answer.Said == StateYes:
		held = SatisfiedAccepted
	case waits:
		held = SatisfiedWaitedOn
	case answer.Said == StateNo:
		return finalEligibility{eligibility: refused(door, answer)}
	case prior.Eligibility == schemas.Eligible:
		held = SatisfiedEligibleBefore
	}
	if held == "" {
		return finalEligibility{eligibility: door}
	}
	open := opened(door)
	open.Waiting = waits
	if door.Eligibility == schemas.Eligible {
		held = ""
	}
	return finalEligibility{eligibility: open, satisfied: held}
}

func opened(door schemas.ServiceEligibility) schemas.ServiceEligibility {
	door.Eligibility, door.Because, door.Missing = schemas.Eligible, nil, nil
	return door
}

// refused is a door that a named human there said no at. The answer stands first, then what the criteria say.
func refused(door schemas.ServiceEligibility, a Answer) schemas.ServiceEligibility {
	because := []schemas.CriterionResult{answerResult(a)}
	if door.Eligibility == schemas.NotEligible {
		because = append(because, door.Because...)
	}
	door.Eligibility, door.Because, door.Missing = schemas.NotEligible, because, nil
	return door
}

// criterionAnswer and criterionOverride name what people said where a criterion's id would stand.
const (
	criterionAnswer   = "answer"
	criterionOverride = "override"
)

func answerResult(a Answer) schemas.CriterionResult {
	by, words := a.By, a.Words
	if by == "" {
		by = "the service"
	}
	if words == "" && a.Reason != "" {
		words = "The service said no: " + declineReasons[a.Reason] + "."
	}
	if words == "" {
		words = "The service said no and gave no words."
	}
	return schemas.CriterionResult{Criterion: criterionAnswer, Finding: schemas.NotMet, Words: words,
		Source: "answered by " + by, CheckedOn: a.On}
}

func overridden(door schemas.ServiceEligibility, o Override) finalEligibility {
	final := door
	final.Eligibility, final.Missing = o.Eligibility, nil
	final.Because = []schemas.CriterionResult{{Criterion: criterionOverride, Finding: schemas.Met, Words: o.Reason,
		Source: "decided by " + o.By, CheckedOn: o.On}}
	if o.Eligibility == schemas.NotEligible {
		final.Because[0].Finding = schemas.NotMet
	}
	return finalEligibility{eligibility: final, satisfied: SatisfiedOverride}
}

// keepUnlisted keeps doors that were open or waited on though the set no longer has the service.
func (e *evaluation) keepUnlisted(d *Decision) {
	if e.situation.Prior == nil {
		return
	}
	for _, door := range e.situation.Prior.Eligibilities {
		listed := slices.ContainsFunc(d.Eligibilities,
			func(now schemas.ServiceEligibility) bool { return now.Service == door.Service })
		if listed || door.Eligibility != schemas.Eligible {
			continue
		}
		if answer, ok := e.last[door.Service]; ok && answer.Said == StateNo {
			door = refused(door, answer)
		} else {
			d.Satisfied = append(d.Satisfied, Satisfied{Service: door.Service, Why: SatisfiedUnlisted,
				WouldBe: schemas.NotEligible})
		}
		d.Eligibilities = append(d.Eligibilities, door)
	}
	sort.SliceStable(d.Eligibilities,
		func(i, j int) bool { return d.Eligibilities[i].Service < d.Eligibilities[j].Service })
}

func waits(doors []schemas.ServiceEligibility) []string {
	var ids []string
	for _, door := range doors {
		if door.Waiting {
			ids = append(ids, door.Service)
		}
	}
	return ids
}

// tried compares the facts a service's criteria read with what they were when it answered.
func (e *evaluation) tried(s *compiled, a Answer) Tried {
	t := Tried{Service: a.Service, On: a.On, Said: a.Said, Words: a.Words, Reason: a.Reason, Questioned: a.Questioned}
	if a.Facts != nil {
		was := knownFacts(*a.Facts, a.On)
		for _, c := range s.clauses {
			if c.expr == nil {
				continue
			}
			for _, fact := range c.expr.reads {
				if !c.expr.sameFor(fact, was[fact], e.now.known[fact]) && !slices.Contains(t.Changed, fact) {
					t.Changed = append(t.Changed, fact)
				}
			}
		}
	}
	t.AskAgain = a.Said == StateNoReply || a.Questioned || len(t.Changed) > 0
	return t
}

// sameFor says that two values of a fact are one to an expression: a number that only grew with time, past no constant
// of its comparisons, has not changed.
func (e *expression) sameFor(fact string, a, b any) bool {
	x, isNumber := a.(int)
	y, other := b.(int)
	if !isNumber || !other {
		return sameFact(a, b)
	}
	return !slices.ContainsFunc(e.tree.atoms(nil), func(a atom) bool {
		return a.fact == fact && a.holds(x) != a.holds(y)
	})
}

func sameFact(a, b any) bool {
	x, isList := a.([]string)
	y, other := b.([]string)
	if isList || other {
		return isList == other && slices.Equal(x, y)
	}
	return a == b
}

// nearDays is how far ahead staff are told of a date from which a service's criteria would no longer be in the way.
const nearDays = 366

// nearDate finds the first day after today on which the criteria alone no longer shut the door.
func (e *evaluation) nearDate(s *compiled) (Day, bool) {
	var days []Day
	add := func(day Day) {
		if day > e.situation.Today && day <= e.near {
			days = append(days, day)
		}
	}
	for _, change := range e.situation.Changes {
		add(change.On)
	}
	for _, c := range s.clauses {
		for _, day := range c.changes(e.facts) {
			add(day)
		}
	}
	slices.Sort(days)
	for _, day := range days {
		facts := e.future(day)
		if !slices.ContainsFunc(s.clauses, func(c *clause) bool {
			finding, _ := c.finding(day, facts)
			return finding == schemas.NotMet
		}) {
			return day, true
		}
	}
	return "", false
}

// future returns the facts of a day to come as far as they are known today, made ready once for all services.
func (e *evaluation) future(day Day) activation {
	facts, ok := e.futures[day]
	if !ok {
		facts = newActivation(knownFacts(factsOn(e.situation, day), day), len(e.now.results))
		e.futures[day] = facts
	}
	return facts
}

// questions lists the unknown facts of doors that are open if, those that open most by themselves first.
func (e *evaluation) questions(set *Directory, doors []schemas.ServiceEligibility) []Question {
	var list []Question
	for _, fact := range DeclaredFacts {
		if fact.Asks == "" {
			continue
		}
		q := Question{Fact: fact.Name, Asks: fact.Asks}
		for _, door := range doors {
			if door.Eligibility != schemas.EligibleIf || !slices.Contains(door.Missing, fact.Name) {
				continue
			}
			q.Services = append(q.Services, door.Service)
			if e.opensAlone(set.byID[door.Service], fact) {
				q.Alone++
			} else {
				q.Together++
			}
		}
		if len(q.Services) > 0 {
			list = append(list, q)
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].Alone != list[j].Alone {
			return list[i].Alone > list[j].Alone
		}
		return list[i].Together > list[j].Together
	})
	return list
}

// opensAlone says whether some answer to this one question, with everything else as unknown as it is, would leave
// no unknown criterion in the way.
func (e *evaluation) opensAlone(s *compiled, fact Fact) bool {
	var clauses []*clause
	var atoms []atom
	for _, c := range s.clauses {
		if finding, _ := c.finding(e.situation.Today, e.now); finding == schemas.Unknown {
			clauses = append(clauses, c)
			for _, a := range c.expr.tree.atoms(nil) {
				if a.fact == fact.Name {
					atoms = append(atoms, a)
				}
			}
		}
	}
	return slices.ContainsFunc(witnesses(fact, atoms), func(value any) bool {
		return !slices.ContainsFunc(clauses, func(c *clause) bool { return !e.passesWith(c, fact.Name, value) })
	})
}

func (e *evaluation) passesWith(c *clause, fact string, value any) bool {
	held := c.expr.tree.kleene(func(a *atom) threeValued {
		if a.fact == fact {
			return truth(a.holds(value))
		}
		if there, ok := e.now.known[a.fact]; ok {
			return truth(a.holds(there))
		}
		return unknown
	})
	return held != unknown && (held == yes) == (c.Effect == Include)
}

// nobody says that no service which goes on for more than the moment could take the person, of either sector.
func nobody(set *Directory, doors []schemas.ServiceEligibility) bool {
	for _, door := range doors {
		if set.role(door.Service) == RoleCare && door.Eligibility != schemas.NotEligible {
			return false
		}
	}
	return true
}

// role of a service; one that is no longer in the set was care, as far as anybody knows.
func (d *Directory) role(service string) string {
	if s := d.byID[service]; s != nil {
		return s.doc.Role
	}
	return RoleCare
}
