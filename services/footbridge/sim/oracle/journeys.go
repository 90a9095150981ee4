package oracle

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Where a journey stands.
const (
	open   = "open"
	onHold = "on hold"
	closed = "closed"
)

// The purposes that a person says yes or no to.
const (
	followUp = "follow-up"
	calls    = "bridging"
)

// person is somebody as the world knows them: what they want is theirs, whatever the system has written down.
type person struct {
	n        int
	Born     string
	Area     string
	InScope  bool
	Marks    []string
	FromHour int
	ToHour   int
}

func (c *counter) meets(l *line) error {
	p := &person{n: *l.Person}
	if err := l.read(p); err != nil {
		return err
	}
	c.people[p.n] = p
	c.marks.add(p.Marks)
	return nil
}

// age is how old they are on a day, in years.
func (p *person) age(day string) int {
	years := 0
	for born := p.Born; ; years++ {
		at, err := time.Parse(layout, born)
		if err != nil || at.AddDate(years+1, 0, 0).Format(layout) > day {
			return years
		}
	}
}

// standing is what may be done about a journey.
type standing struct {
	state string
	// stopped: no contact until somebody lifts it. cancelled: the hospital took every visit of it back.
	stopped, cancelled bool
	// answers are what the person last said, by purpose and by organisation; that to any of them is without one.
	answers map[string]map[string]string
	// area is where they live, ages that it is known how old they are; as far as events have said it.
	area string
	ages bool
}

func (s standing) clone() standing {
	answers := make(map[string]map[string]string, len(s.answers))
	for purpose, by := range s.answers {
		answers[purpose] = maps.Clone(by)
	}
	s.answers = answers
	return s
}

// yes says whether somebody said yes to a purpose by an organisation: to it, or to any, and not no to it.
func (s standing) yes(purpose, organisation string) bool {
	by := s.answers[purpose]
	if said := by[organisation]; organisation != "" && said != "" {
		return said == "given"
	}
	return by[""] == "given"
}

// yesByName says whether they said yes to this organisation by its name.
func (s standing) yesByName(purpose, organisation string) bool {
	return s.answers[purpose][organisation] == "given"
}

// anyYes says whether somebody said yes to a purpose at all.
func (s standing) anyYes(purpose string) bool {
	for _, said := range s.answers[purpose] {
		if said == "given" {
			return true
		}
	}
	return false
}

// says notes an answer. A no to any organisation ends what was said to each of them; a yes to any leaves what was said
// to one of them.
func (s *standing) says(purpose, organisation, state string) {
	if s.answers[purpose] == nil || organisation == "" && state != "given" {
		s.answers[purpose] = map[string]string{}
	}
	s.answers[purpose][organisation] = state
}

// mayContact says whether the person may be contacted, and partners told, as far as the journey goes.
func (s standing) mayContact() bool { return s.state == open && !s.stopped && !s.cancelled }

// journey is what is known of one.
type journey struct {
	id     string
	owner  string // the random id of its person
	person *person
	now    standing
	before standing // as it was before the events that are being read
	batch  int

	visits    map[string]string // the local days on which visits ended, by their ids
	anchors   map[string]bool   // days from which a window may count
	lastDays  map[string]bool   // last days that were promised
	last      string            // the last day of the window as it stands
	booked    string            // the day of the session that has a time
	met       bool
	wasLost   string
	flagged   bool // it says that the person is under 18, or of unknown age
	clinician bool
	fromHour  int
	toHour    int
	merged    bool

	offers   []*offer
	accepted *offer
	plan     *plan
	calls    map[string]*call
	open     map[string]bool // services that were open
	fewer    bool            // facts have changed since

	steps     []step // in the last evening
	stepsOn   string
	covered   bool
	numbers   map[string]int64
	missing   map[string]int
	exhausted bool   // no partner is left to ask, as was said since the last evening
	none      string // since which day none is; empty where one is asked
	gaveBack  string // the day on which what they had been told of was handed back
	had       string // the day on which a navigator last saw to what the person was promised
	told      string // the day on which somebody last told them something
	watched   time.Time
	unseen    int // for how many steps of the clock nothing has been raised though it is in the void
	stoppedAt time.Time
	recent    recent
}

// recent is what people did about a journey since the last step of the clock, and what was published of it.
type recent struct {
	did  map[string]int
	says map[string]int
}

func newJourney(id string) *journey {
	return &journey{id: id, now: standing{answers: map[string]map[string]string{}}, visits: map[string]string{},
		anchors: map[string]bool{}, lastDays: map[string]bool{}, numbers: map[string]int64{}, missing: map[string]int{},
		open: map[string]bool{}, recent: recent{map[string]int{}, map[string]int{}}}
}

// knows notes whose journey it is.
func (j *journey) knows(p *person) {
	if p != nil {
		j.person = p
	}
}

// remember keeps how the journey stood before a batch of events.
func (j *journey) remember(batch int) {
	if j.batch != batch {
		j.batch, j.before = batch, j.now.clone()
	}
}

// either says whether something is so before the events that are being read, or after them: their order across
// services is not known.
func (j *journey) either(so func(standing) bool) bool { return so(j.before) || so(j.now) }

// young says whether who the person is says that a clinician has to decide first.
func (j *journey) young(day string) bool {
	if j.person != nil {
		return j.person.age(day) < 18
	}
	return j.flagged
}

// newest is the newest day from which a window counts.
func (j *journey) newest() (day string) {
	for on := range j.anchors {
		day = max(day, on)
	}
	return day
}

// stands reads an event that says how a journey stands; false where it says that something was done about it.
func (c *counter) stands(l *line) (bool, error) {
	var d struct {
		Person, Visit, LeftOn, Organisation, ReleasedOn, ReopenedOn, MayAnswer string
		Purposes, Flags, TakenBack                                             []string
		Facts                                                                  map[string]any
		Reason                                                                 string
	}
	j := c.of(l.Journey)
	kind := strings.TrimSuffix(l.About, ".v1")
	j.recent.says[kind]++
	if strings.HasPrefix(kind, "message.") || strings.HasPrefix(kind, "partner.") {
		return true, nil
	}
	if strings.HasPrefix(kind, "discharge.") || strings.HasPrefix(kind, "referral.") ||
		strings.HasPrefix(kind, "consent.") || strings.HasPrefix(kind, "journey.") ||
		strings.HasPrefix(kind, "person.") || kind == "information.supplied" {
		if err := l.read(&d); err != nil {
			return false, err
		}
	}
	switch kind {
	case "discharge.recorded", "referral.requested":
		c.visits.recorded(l.Journey, d.Visit, d.LeftOn)
		c.left(l, j, d.Visit, d.LeftOn)
		j.owner = d.Person
		j.flags(d.Flags)
		j.facts(d.Facts)
	case "discharge.corrected":
		if d.LeftOn != "" {
			c.visits.recorded(l.Journey, d.Visit, d.LeftOn)
			c.left(l, j, d.Visit, d.LeftOn)
		}
		if d.Flags != nil {
			j.flags(d.Flags)
		}
		j.clinician = j.clinician || d.MayAnswer != ""
		j.facts(d.Facts)
		j.unknown(d.TakenBack)
	case "discharge.withdrawn":
		c.visits.withdrawn(l.Journey, d.Visit)
		delete(j.visits, d.Visit)
		j.now.cancelled = len(j.visits) == 0
	case "information.supplied":
		j.facts(d.Facts)
		j.unknown(d.TakenBack)
	case "consent.given", "consent.declined", "consent.withdrawn", "consent.lapsed":
		c.answered(l, j, kind, d.Purposes, d.Organisation)
	case "person.contact-stopped":
		if !j.now.stopped {
			j.stoppedAt = l.At
		}
		j.now.stopped = true
	case "person.contact-resumed":
		c.holds(j.recent.did["contact-resumed"] > 0 || c.recently("contact-resumed"), l.At, LiftedByNobody, l.Journey,
			"contact was resumed, and nobody had asked for it")
		j.now.stopped = false
	case "person.merged", "person.unmerged":
		j.merged = true
	case "journey.opened":
		c.opened(l, j, d.Person)
	case "journey.held":
		j.now.state = onHold
	case "journey.released":
		c.holds(j.recent.did["release"] > 0, l.At, LiftedByNobody, l.Journey, "a hold ended, and nobody had ended it")
		j.now.state = open
		j.restarts(d.ReleasedOn)
	case "journey.reopened":
		j.now.state = open
		j.now.answers = map[string]map[string]string{}
		j.restarts(d.ReopenedOn)
		c.owned[j.owner] = j.id
	case "journey.closed":
		c.ends(l, j)
	case "journey.in-void":
		j.watched = l.At
	default:
		return false, nil
	}
	return true, nil
}

func (j *journey) flags(all []string) {
	j.flagged = false
	for _, f := range all {
		j.flagged = j.flagged || f == "under-18" || f == "age-unknown"
	}
}

func (j *journey) facts(facts map[string]any) {
	if facts["age"] != nil {
		j.now.ages = true
	}
	if area, ok := facts["areaResidence"].(string); ok {
		j.now.area = area
	}
	j.fewer = j.fewer || len(facts) > 0
}

// unknown notes which facts are known no more.
func (j *journey) unknown(facts []string) {
	j.now.ages = j.now.ages && !slices.Contains(facts, "age")
	if slices.Contains(facts, "areaResidence") {
		j.now.area = ""
	}
	j.fewer = j.fewer || len(facts) > 0
}

// left notes that a visit ended on a day.
func (c *counter) left(l *line, j *journey, visit, on string) {
	if j.now.state == "" {
		j.now.state = open
	}
	j.visits[visit] = on
	j.now.cancelled = false
	if !j.anchors[on] {
		j.anchors[on] = true
		if on == j.newest() {
			j.restarts(on)
		}
	}
}

// restarts begins a window.
func (j *journey) restarts(day string) {
	j.anchors[day] = true
	j.last, j.met, j.booked, j.fewer = plus(day, 14), false, "", true
}

// opened sees that somebody has one open journey.
func (c *counter) opened(l *line, j *journey, owner string) {
	c.Journeys++
	j.owner = owner
	if j.now.state == "" || j.now.state == closed {
		j.now.state = open
	}
	other, known := c.journeys[c.owned[owner]]
	c.holds(!known || other.id == "" || other == j || other.now.state == closed || other.merged || j.merged, l.At,
		TwoJourneys,
		l.Journey, "it was opened while its person had another that was open")
	c.owned[owner] = j.id
}

// ends sees that somebody closed the journey.
func (c *counter) ends(l *line, j *journey) {
	c.holds(j.recent.did["close"] > 0 || c.recently("merge") || c.recently("unmerge") || c.recently("erase"), l.At,
		ClosedByNobody, l.Journey, "it was closed, and nobody had closed it")
	j.now.state = closed
	j.accepted = nil
}

// answered sees that what the person is said to have answered was said to somebody.
func (c *counter) answered(l *line, j *journey, kind string, purposes []string, organisation string) {
	state := strings.TrimPrefix(kind, "consent.")
	if state != "lapsed" {
		c.holds(j.recent.did["consent"] > 0 || j.recent.did["outcome"] > 0 || c.recently("merge") ||
			c.recently("unmerge"), l.At, AnswerInvented, l.Journey, "%s was published, and nobody had been told so",
			kind)
	}
	for _, purpose := range purposes {
		j.now.says(purpose, organisation, state)
	}
}

// recently says whether somebody did something of any journey since the last step of the clock.
func (c *counter) recently(what string) bool { return c.of("").recent.did[what] > 0 }
