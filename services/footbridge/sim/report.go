package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
	"footbridge/services/footbridge/sim/oracle"
)

// Report is what became of everyone.
type Report struct {
	Scenario   string `json:"scenario"`
	Seed       uint64 `json:"seed"`
	From       string `json:"from"`
	Until      string `json:"until"`
	Discharges int    `json:"discharges"`
	// Became counts people who left after self-harm, by what became of them. Each is in one line.
	Became map[string]int `json:"became"`
	// Unreached counts those whom nobody reached, by why.
	Unreached map[string]int `json:"unreached"`
	Days      []DayCount     `json:"days"`
	// Waits are, by the local hour in which people left, how long it took until somebody reached them.
	Waits [24]Wait `json:"waits"`
	// Void is how many journeys are past their time and grace at the end; VoidEver how many ever were, VoidMost how
	// many at once at most, then and there.
	Void       int            `json:"void"`
	VoidNow    map[string]int `json:"voidNow,omitempty"`
	VoidEver   int            `json:"voidEver"`
	VoidMost   int            `json:"voidMost"`
	VoidMostAt string         `json:"voidMostAt,omitempty"`
	VoidWhere  map[string]int `json:"voidWhere,omitempty"`
	// VoidWatched is how many journeys the sentinel found in the void, Watched how often by reason.
	VoidWatched int            `json:"voidWatched"`
	Watched     map[string]int `json:"watched,omitempty"`
	// WindowsLost is how many windows ended without a session having a time.
	WindowsLost int `json:"windowsLost"`
	// Again is what the oracle counted from the log; nothing where none was kept.
	Again *oracle.Counts `json:"again,omitempty"`
	// Faults are what must never be, and was.
	Faults   []Fault        `json:"faults"`
	Messages int            `json:"messages"`
	Requests int            `json:"requests"`
	Looks    int            `json:"looks"`
	Ticks    int            `json:"ticks"`
	Refused  map[string]int `json:"refused,omitempty"`
	Took     time.Duration  `json:"-"`
	// Spent is on what the machine's time went.
	Spent map[string]time.Duration `json:"-"`
	// Broken is what was broken on purpose, and how often.
	Broken map[string]int `json:"broken,omitempty"`

	people map[*Person]*Fate
	voided map[string]bool

	voidJust int       // of Void, those whose grace ends at this very moment
	timeline *Timeline // of one of them; nil where nothing is written down
	zone     *time.Location
}

// Fault is something that must never be: when, what, and of which journey.
type Fault struct {
	At      string `json:"at"`
	What    string `json:"what"`
	Journey string `json:"journey"`
	Person  *int   `json:"person,omitempty"`
}

// DayCount is where people stood at the end of a day.
type DayCount struct {
	Day    string         `json:"day"`
	Counts map[string]int `json:"counts"`
	Void   int            `json:"void"`
}

// Wait is how many people who left in an hour of the day were reached, and after how many hours half of them were.
type Wait struct {
	People  int     `json:"people"`
	Reached int     `json:"reached"`
	Hours   float64 `json:"hours"`
	all     []float64
}

// Fate is what was seen of one person.
type Fate struct {
	Journeys []string
}

func newReport(cfg Config, w *World) *Report {
	s := cfg.Scenario
	return &Report{Scenario: s.Name, Seed: s.seed, From: s.first.String(), Discharges: s.discharges,
		Became: map[string]int{}, Unreached: map[string]int{}, Refused: map[string]int{}, Watched: map[string]int{},
		Faults: []Fault{}, Spent: map[string]time.Duration{}, Broken: map[string]int{},
		people: make(map[*Person]*Fate, len(w.People)), voided: map[string]bool{}}
}

func (r *Report) of(p *Person) *Fate {
	f := r.people[p]
	if f == nil {
		f = &Fate{}
		r.people[p] = f
	}
	return f
}

// conclude finds out who everybody is, and counts what became of them.
func (r *run) conclude(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(r.journeys)) {
		if f := r.journeys[id]; f.events[schemas.JourneyOpened] > 0 {
			if err := r.look(ctx, f); err != nil {
				return err
			}
		}
	}
	for _, p := range r.partners {
		if err := p.complete(ctx); err != nil {
			return err
		}
	}
	if err := r.countAgain(); err != nil {
		return err
	}
	p := r.report
	p.Until = r.cfg.Scenario.first.String()
	if n := len(p.Days); n > 0 {
		p.Until = p.Days[n-1].Day
	}
	p.VoidEver = len(p.voided)
	if r.cfg.Out != "" {
		timeline, err := r.readTimeline(ctx)
		if err != nil {
			return err
		}
		p.timeline, p.zone = timeline, r.zone
	}
	for _, person := range r.world.People {
		if person.InScope {
			r.count(person)
		}
	}
	for i := range p.Waits {
		w := &p.Waits[i]
		slices.Sort(w.all)
		if w.Reached = len(w.all); w.Reached > 0 {
			w.Hours = w.all[w.Reached/2]
		}
	}
	return nil
}

// countAgain has the log counted again by what the domain promises alone: each promise that was broken is a fault.
func (r *run) countAgain() error {
	again, kept, err := r.log.again()
	if err != nil || !kept {
		return err
	}
	r.report.Again = &again
	for _, found := range again.Found {
		r.report.Faults = append(r.report.Faults, Fault{At: found.At.In(r.zone).Format("2006-01-02 15:04"),
			What: "counted again: " + found.String(), Journey: found.Journey, Person: r.follow(found.Journey).number()})
	}
	return nil
}

// count adds one person to what became of whom.
func (r *run) count(person *Person) {
	p, fate := r.report, r.report.of(person)
	var newest *followed
	var reached time.Time
	for _, id := range fate.Journeys {
		f := r.journeys[id]
		if newest == nil || f.id > newest.id {
			newest = f
		}
		if !f.contacted.IsZero() && (reached.IsZero() || f.contacted.Before(reached)) {
			reached = f.contacted
		}
	}
	p.Became[r.became(person, newest)]++
	if newest == nil {
		return
	}
	wait := &p.Waits[person.Left.In(r.zone).Hour()]
	wait.People++
	if reached.IsZero() {
		p.Unreached[r.why(person, newest)]++
		return
	}
	wait.all = append(wait.all, max(0, reached.Sub(person.Left).Hours()))
}

// became is what became of one person, in a few words.
func (r *run) became(p *Person, f *followed) string {
	end := r.cfg.Scenario.first + calendar.Day(r.cfg.Scenario.days)
	switch {
	case f == nil && p.Left.After(end.At(0, 0, r.zone)):
		return "had not left yet"
	case f == nil:
		return "no journey: said to be in scope late, or taken back"
	case f.events[schemas.FollowupCompleted] > 0 && f.closed != "":
		return "met somebody, then closed: " + f.closed
	case f.closed != "":
		return "closed: " + f.closed
	case f.events[schemas.FollowupCompleted] > 0:
		return "met somebody; what next is open"
	}
	return "open: " + f.band
}

// why is why nobody has reached somebody.
func (r *run) why(p *Person, f *followed) string {
	switch {
	case p.Dies > 0:
		return "died before"
	case p.Age < 18 && f.session == nil:
		return "under 18: who may answer is not decided"
	case p.Phone == "":
		return "no telephone"
	case f.closed != "":
		return "closed before: " + f.closed
	case f.tries == 0:
		return "nobody has tried yet"
	case p.Answers == 0:
		return "never answers"
	}
	return "tried, and not reached yet"
}

// Conclude tells the report, writes it into a folder, and returns an error where something must never be, and was.
func (r *Report) Conclude(out io.Writer, dir string) error {
	r.tell(out)
	if dir != "" {
		if err := r.write(dir); err != nil {
			return err
		}
		fmt.Fprintf(out, "\nlog, summary, page, pictures and a timeline are in %s\n", dir)
	}
	if len(r.Faults) > 0 {
		return errors.New("what must always hold did not: see the faults")
	}
	return nil
}

func (r *Report) tell(out io.Writer) {
	fmt.Fprintf(out, "\n%s, seed %d, %s to %s: %d people left A&E after self-harm.\n", r.Scenario, r.Seed, r.From,
		r.Until, r.Discharges)
	fmt.Fprintf(out, "%d messages, %d requests, %d looks by partners at who somebody is, %d ticks, in %s.\n\n",
		r.Messages,
		r.Requests, r.Looks, r.Ticks, r.Took)
	fmt.Fprintf(out, "%.0f people x days a second; the time went on", float64(r.Discharges*len(r.Days))/
		max(r.Took.Seconds(), 0.001))
	for _, on := range byCount(r.Spent) {
		fmt.Fprintf(out, " %s %s,", on, r.Spent[on].Round(100*time.Millisecond))
	}
	fmt.Fprint(out, " and little else.\n\n")
	list := func(title string, counts map[string]int) {
		if len(counts) == 0 {
			return
		}
		fmt.Fprintln(out, title)
		for _, one := range byCount(counts) {
			fmt.Fprintf(out, "  %6d  %s\n", counts[one], one)
		}
	}
	list("What became of them", r.Became)
	list("Whom nobody reached, and why", r.Unreached)
	fmt.Fprintf(out, "In the void at the end: %d; ever: %d; found by the sentinel: %d; at most at once: %d %s\n",
		r.Void,
		r.VoidEver, r.VoidWatched, r.VoidMost, r.VoidMostAt)
	list("In the void at the end, where", r.VoidNow)
	list("At most at once, where", r.VoidWhere)
	fmt.Fprintf(out, "Windows that ended without a session having a time: %d\n", r.WindowsLost)
	if again := r.Again; again != nil {
		looked, idle := 0, []string{}
		for rule := range oracle.Rules {
			if looked += again.Looked[rule]; again.Looked[rule] == 0 {
				idle = append(idle, string(rule))
			}
		}
		slices.Sort(idle)
		fmt.Fprintf(out, "Counted again from the log: %d journeys, %d windows lost, %d of %d ticks with somebody in "+
			"the void; %d promises looked at %d times\n", again.Journeys, again.WindowsLost, again.VoidTicks,
			again.Ticks, len(oracle.Rules)-len(idle), looked)
		if len(idle) > 0 {
			fmt.Fprintf(out, "Nothing happened by which these could be judged: %s\n", strings.Join(idle, ", "))
		}
	}
	list("Broken on purpose", r.Broken)
	list("Requests that were not taken", r.Refused)
	fmt.Fprintf(out, "Faults: %d\n", len(r.Faults))
	for i, f := range r.Faults {
		if i == 50 {
			fmt.Fprintf(out, "  and %d more\n", len(r.Faults)-i)
			break
		}
		fmt.Fprintf(out, "  %s  %s  journey %s\n", f.At, f.What, f.Journey)
	}
}

// byCount are the keys, the most frequent first.
func byCount[N cmp.Ordered](counts map[string]N) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}
