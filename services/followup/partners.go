package followup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// Partner is a third-sector organisation that may be asked for follow-up sessions. What people change of it counts at
// once: each decision reads it again.
type Partner struct {
	// ID is opaque (a uuid): it goes on the bus, the name never does.
	ID string
	// Service is the directory's id of the service this partner runs; a door that is open there may be offered.
	Service string
	// Name is for staff's pages only.
	Name string
	// Works is the days of the week on which the partner answers.
	Works calendar.Weekdays
	// Rank orders partners when the person left the choice open; the smaller is asked first.
	Rank int
	// Agreement is from when until when it may be told anything, both days inclusive; nil where none has been
	// recorded: an offer may then be prepared, and goes nowhere.
	Agreement *Span
	// Weekly is how many people it takes on in a week, Monday to Sunday, AtMost how many at the same time; 0 is no
	// bound.
	Weekly, AtMost int
	// Away are its holidays; PausedUntil is the last day on which it takes nobody on, 0 where it is not paused.
	Away        []Span
	PausedUntil calendar.Day
	// Channels, Languages and WorkerGenders are what it offers; empty is not said, and excludes nobody.
	Channels, Languages, WorkerGenders []string
	// Hours in which its sessions are, what access it has, groups of one's own that it offers, and the areas to which
	// its people go or which are near to where it is; empty is not said, and excludes nobody.
	Hours, Access, Groups, Areas []string
	// ChangedAt is when somebody last changed any of it, the zero time before.
	ChangedAt time.Time
	// Held and Week are how many people it has a place taken for now, and has taken on this week, as counted under its
	// lock; 0 where nobody counted.
	Held, Week int
}

// Span is from one local day to another, both inclusive.
type Span struct{ First, Last calendar.Day }

func (s Span) holds(day calendar.Day) bool { return s.First <= day && day <= s.Last }

// mayBeTold says whether its agreement is in force on a day.
func (p Partner) mayBeTold(day calendar.Day) bool {
	return p.Agreement != nil && p.Agreement.holds(day)
}

// answers says whether it works on a day.
func (p Partner) answers(day calendar.Day, holidays *calendar.Holidays) bool {
	return holidays.Working(day, p.Works) && !slices.ContainsFunc(p.Away, func(s Span) bool { return s.holds(day) })
}

// workingDay is its n-th working day after a day; one that works on no day within a year is counted in calendar days.
func (p Partner) workingDay(after calendar.Day, n int, holidays *calendar.Holidays) calendar.Day {
	for day := after + 1; day <= after+366; day++ {
		if p.answers(day, holidays) {
			if n--; n == 0 {
				return day
			}
		}
	}
	return after + calendar.Day(n)
}

// free says whether it has a place for one more. It is asked under the partner's lock.
func (p Partner) free() bool {
	return (p.AtMost == 0 || p.Held < p.AtMost) && (p.Weekly == 0 || p.Week < p.Weekly)
}

// Monday is the first day of a day's week.
func monday(day calendar.Day) calendar.Day { return day - calendar.Day((int(day.Weekday())+6)%7) }

// Why a partner is not asked, or is, as codes that a page puts into words.
const (
	whyNotOpen      = "not-open"      // its service is not open to the person, as far as is known
	whyMustNotKnow  = "must-not-know" // the person said that it must not know
	whySaidNo       = "said-no"       // the person said no to it
	whyTried        = "asked-before"  // it has been asked on this journey
	whyEnded        = "agreement"     // its agreement is over, or has not begun
	whyPaused       = "paused"
	whyAway         = "away"   // it could not answer in time
	whyUnlisted     = "listed" // the directory does not list it any more
	whyChannel      = "channel"
	whyLanguage     = "language"
	whyWorker       = "worker"
	whyHours        = "hours"
	whyAccess       = "access"
	whyGroup        = "group"
	whyDistance     = "distance" // they would meet in person alone, and it is not near
	whyNamed        = "named"    // the person said yes to it by name
	whyFits         = "fits"
	whyNoAgreement  = "no-agreement" // none is recorded: it may be prepared for, and told nothing
	whyNoPlace      = "no-place"
	englishIsSpoken = "en"
)

// offers says what of that which was asked for a partner does not offer, or "". What is not known of either excludes
// nothing.
func (p Partner) offers(asked schemas.Facts) string {
	has := func(offered []string, wanted string) bool {
		return len(offered) == 0 || wanted == "" || slices.Contains(offered, wanted)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	worker := text(asked.WorkerGender)
	if worker == "any" {
		worker = ""
	}
	language := spoken(text(asked.Language))
	speaks := language == "" || len(p.Languages) == 0 ||
		slices.ContainsFunc(p.Languages, func(l string) bool { return spoken(l) == language })
	switch {
	case len(asked.Channels) > 0 &&
		!slices.ContainsFunc(asked.Channels, func(c string) bool { return has(p.Channels, c) }):
		return whyChannel
	case language != englishIsSpoken && asked.InterpreterNeeded == nil && !speaks:
		return whyLanguage
	case !has(p.WorkerGenders, worker):
		return whyWorker
	case len(asked.Hours) > 0 && !slices.ContainsFunc(asked.Hours, func(h string) bool { return has(p.Hours, h) }):
		return whyHours
	case slices.ContainsFunc(asked.Access, func(need string) bool { return !has(p.Access, need) }):
		return whyAccess
	case !has(p.Groups, text(asked.Group)):
		return whyGroup
	case slices.Equal(asked.Channels, []string{inPerson}) && p.nearness(asked) == farAway:
		return whyDistance
	}
	return ""
}

const inPerson = "in-person"

// How near a partner is to where somebody lives, by the areas that it named.
const (
	nearby  = iota
	notSaid // of either, nothing is known
	farAway
)

// nearness is how near a partner is to somebody, as far as both are known. Where they are staying counts before where
// they live.
func (p Partner) nearness(of schemas.Facts) int {
	area := of.AreaResidence
	if of.AreaStaying != nil {
		area = of.AreaStaying
	}
	switch {
	case area == nil || len(p.Areas) == 0:
		return notSaid
	case slices.Contains(p.Areas, *area):
		return nearby
	}
	return farAway
}

// spoken is the language of a code, whatever region it names.
func spoken(code string) string {
	language, _, _ := strings.Cut(strings.ToLower(code), "-")
	return language
}

// Terms are an agreement as a navigator records it. It is read-only to the partner, and rules out fundraising use.
type Terms struct {
	From         string `json:"from"`
	Until        string `json:"until"`
	OutwardName  string `json:"outwardName"`
	Safeguarding string `json:"safeguarding"`
	// DataContact is whom to ask what became of what it knew of somebody: a desk or a role.
	DataContact string `json:"dataContact,omitempty"`
}

// fault says what is wrong with an agreement, or nothing.
func (t Terms) fault() string {
	from, err := calendar.ParseDay(t.From)
	until, errUntil := calendar.ParseDay(t.Until)
	switch {
	case err != nil || errUntil != nil:
		return "Name the first and the last day of the agreement as from and until, YYYY-MM-DD."
	case until < from:
		return "The agreement ends before it begins. Check from and until."
	case until > from+3653:
		return "An agreement runs for ten years at most. Check until."
	case !oneLine(t.OutwardName, 100):
		return "Name a neutral outward name (outwardName): what stands on an envelope or shows on a telephone. One " +
			"line, up to 100 characters."
	case !oneLine(t.Safeguarding, 200):
		return "Name whom to tell at the partner about somebody's safety (safeguarding): a desk or a role, and its " +
			"number. One line, up to 200 characters."
	}
	if t.DataContact != "" && !oneLine(t.DataContact, 200) {
		return "Name whom to ask at the partner about what it knows of somebody (dataContact): a desk or a role, and " +
			"its number or address. One line, up to 200 characters."
	}
	return ""
}

func oneLine(text string, most int) bool {
	kind, _ := schemas.KindNamed("line-200")
	return len(text) <= most && strings.TrimSpace(text) != "" && kind.Allows(text)
}

// capacityAsked is a change of a partner's places: what is left out stays as it was.
type capacityAsked struct {
	Weekly        *int     `json:"weekly"`
	AtMost        *int     `json:"atMost"`
	Works         []string `json:"works"`
	Channels      []string `json:"channels"`
	Languages     []string `json:"languages"`
	WorkerGenders []string `json:"workerGenders"`
	Hours         []string `json:"hours"`
	Access        []string `json:"access"`
	Groups        []string `json:"groups"`
	Areas         []string `json:"areas"`
}

// over is how a partner's places are to stand.
func (a capacityAsked) over(p Partner) Capacity {
	c := Capacity{p.Weekly, p.AtMost, daysOf(p.Works), p.Channels, p.Languages, p.WorkerGenders, p.Hours, p.Access,
		p.Groups, p.Areas}
	for into, given := range map[*int]*int{&c.Weekly: a.Weekly, &c.AtMost: a.AtMost} {
		if given != nil {
			*into = *given
		}
	}
	for into, given := range map[*[]string][]string{&c.Works: a.Works, &c.Channels: a.Channels,
		&c.Languages: a.Languages, &c.WorkerGenders: a.WorkerGenders,
		&c.Hours: a.Hours, &c.Access: a.Access, &c.Groups: a.Groups, &c.Areas: a.Areas} {
		if given != nil {
			*into = given
		}
	}
	c.Languages, c.Areas = slices.Clone(c.Languages), slices.Clone(c.Areas)
	for i, language := range c.Languages {
		c.Languages[i] = strings.ToLower(language)
	}
	for i, area := range c.Areas {
		c.Areas[i] = schemas.NormalArea(area)
	}
	return c
}

// Capacity is what a partner can do for how many people; what is empty is not said, and bounds nothing.
type Capacity struct {
	Weekly        int      `json:"weekly"`
	AtMost        int      `json:"atMost"`
	Works         []string `json:"works"`
	Channels      []string `json:"channels"`
	Languages     []string `json:"languages"`
	WorkerGenders []string `json:"workerGenders"`
	Hours         []string `json:"hours"`
	Access        []string `json:"access"`
	Groups        []string `json:"groups"`
	Areas         []string `json:"areas"`
}

const mostPlaces = 10_000

func (c Capacity) fault() string {
	week, err := Week(c.Works)
	switch {
	case c.Weekly < 0 || c.AtMost < 0 || c.Weekly > mostPlaces || c.AtMost > mostPlaces:
		return fmt.Sprintf("Places are whole numbers from 0 (no bound) to %d: weekly, and at the same time (atMost). "+
			"To take nobody on for a while, pause.", mostPlaces)
	case err != nil:
		return "Name the days on which you answer (works) as mon, tue, wed, thu, fri, sat or sun."
	case week.None():
		return "Name at least one day on which you answer (works). To take nobody on for a while, pause."
	}
	for name, list := range map[string][]string{"channel": c.Channels, "language": c.Languages,
		"worker-gender": c.WorkerGenders,
		"meeting-hours": c.Hours, "access-need": c.Access, "own-group": c.Groups, "area": c.Areas} {
		kind, _ := schemas.KindNamed(name)
		if len(list) > 50 || slices.ContainsFunc(list, func(v string) bool { return !kind.Allows(v) }) {
			return "A " + strings.ReplaceAll(name, "-", " ") + " is not one that is known: " + kind.Do + "."
		}
	}
	return ""
}

// Holiday is a partner's time away, both local days inclusive.
type Holiday struct {
	From  string `json:"from"`
	Until string `json:"until"`
}

// The most that is kept, all of which one event says of a partner: its holidays, and the organisations for which
// outward sending is on. More is refused to whoever asks for it: what was left out would be rung about, or not, unseen.
const mostHolidays, mostLive = 60, 250

// spans reads holidays, in order; the fault says what is wrong with them.
func spans(all []Holiday) (found []Span, fault string) {
	if len(all) > mostHolidays {
		return nil, "Up to sixty holidays are kept. Leave out those that are over, and join those that meet."
	}
	for _, h := range all {
		first, err := calendar.ParseDay(h.From)
		last, errLast := calendar.ParseDay(h.Until)
		if err != nil || errLast != nil || last < first || last > first+366 {
			return nil, "A holiday is from one day until another, both YYYY-MM-DD, a year at most."
		}
		found = append(found, Span{first, last})
	}
	slices.SortFunc(found, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	return found, ""
}
