package console

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// How a journey stands, for whoever comes to it at any hour: what the services answered, put into words. Nothing here
// is weighed, and nothing is counted into a trend.

// standingView is how a journey stands, beside its steps and its timeline.
type standingView struct {
	State, Words string
	Way          *linkView // what is done about it: opening a closed journey again, letting one on hold go on
	Spoke        string    // when a human last spoke with the person
	Window       *windowView
	Calls        *planView
	Waits        []waitView // lists that the person is on, as the services said
	OpenTo       string     // the services that they see already
	Care         []factView // assessment, aftercare, early contact, change at 18, told again: pointers
}

type waitView struct{ Name, Since, Words string }

type planView struct {
	Words, Next string
	Path        string // of the next call, where the caller may see it
}

// held, and the others below, are members of a journey as its service answers.
type held struct {
	Place    string `json:"place"`
	HeldBy   string `json:"heldBy"`
	ReviewOn string `json:"reviewOn"`
}

type closedAs struct {
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Told    string    `json:"told"`
	WayBack string    `json:"wayBack"`
}

type careOf struct {
	Assessment *struct {
		Said      string   `json:"said"`
		Holder    string   `json:"holder"`
		On        string   `json:"on"`
		Aftercare string   `json:"aftercare"`
		Changed   []string `json:"changed"`
		CameBack  bool     `json:"cameBackSince"`
	} `json:"assessment"`
	FirstContact *struct {
		Within  int    `json:"within"`
		By      string `json:"by"`
		Outcome string `json:"outcome"`
	} `json:"firstContact"`
	Retold struct {
		Count int    `json:"count"`
		Last  string `json:"last"`
	} `json:"retold"`
	At18 *struct {
		By        string `json:"by"`
		TakesOver string `json:"takesOver"`
		Met       string `json:"met"`
	} `json:"at18"`
}

// planOf is the plan of short calls.
type planOf struct {
	State     string `json:"state"`
	EveryDays int    `json:"everyDays"`
	Monthly   bool   `json:"monthly"`
	Minutes   int    `json:"minutes"`
	Next      *struct {
		Call  string    `json:"call"`
		DueAt time.Time `json:"dueAt"`
	} `json:"next"`
}

func stateWords(j journey, zone *time.Location) (state, words string) {
	switch {
	case j.Closed != nil:
		return "Closed", "Closed on " + timeWords(j.Closed.At, zone) + ": " +
			lowerFirst(wordsFor(valueWords, j.Closed.Reason)) + ". The person was told: " +
			lowerFirst(wordsFor(valueWords, j.Closed.Told)) + ". Their way back: " +
			lowerFirst(wordsFor(valueWords, j.Closed.WayBack)) + "."
	case j.OnHold != nil:
		return "On hold", "The person is with somebody else: " + lowerFirst(wordsFor(valueWords, j.OnHold.Place)) +
			", " +
			plain(j.OnHold.HeldBy) + ". Nobody here is in touch meanwhile. Somebody looks again on " +
			dayWords(j.OnHold.ReviewOn) + "."
	}
	return "Open", ""
}

// spoken are the events by which it is recorded that somebody spoke with the person. A no is none of them: it may be
// written on the page of the person, where nobody is.
var spoken = []schemas.Type{schemas.CallReached, schemas.ConsentGiven, schemas.AppointmentKept,
	schemas.AppointmentBooked, schemas.FollowupCompleted}

// spokeWords say when a human last spoke with the person, by what is recorded; and where nobody has, since when.
func spokeWords(timeline []event, now time.Time, zone *time.Location) string {
	var last, first time.Time
	for _, e := range timeline {
		if first.IsZero() || e.At.Before(first) {
			first = e.At
		}
		var d detail
		_ = json.Unmarshal(e.Details, &d) // without any, nothing is said
		if slices.Contains(spoken, schemas.Type(e.Type)) && !d.AsBefore && e.At.After(last) {
			last = e.At
		}
	}
	today := calendar.DayOf(now, zone)
	switch {
	case first.IsZero():
		return ""
	case last.IsZero():
		return "No call that reached them, no yes and no session is recorded yet, since " + daysAgo(today,
			calendar.DayOf(first, zone)) + "."
	}
	return "Somebody last spoke with them " + daysAgo(today, calendar.DayOf(last, zone)) + "."
}

func daysAgo(today, day calendar.Day) string {
	switch n := int(today - day); {
	case n <= 0:
		return "today"
	case n == 1:
		return "yesterday"
	default:
		return plural(n, "day") + " ago"
	}
}

func waitsOf(d decision, names map[string]string) (waits []waitView) {
	for _, t := range d.Tried {
		if t.Said == "waiting" {
			waits = append(waits, waitView{nameOr(names, t.Service), dayWords(t.On), t.Words})
		}
	}
	for _, one := range d.Items {
		listed := slices.ContainsFunc(d.Tried, func(t tried) bool {
			return t.Service == one.Service &&
				t.Said == "waiting"
		})
		if one.Waiting && !listed {
			waits = append(waits, waitView{Name: one.Name})
		}
	}
	return waits
}

func openToOf(d decision, names map[string]string) string {
	var open []string
	for _, id := range d.AskFirst {
		open = append(open, nameOr(names, id))
	}
	return all(open)
}

func nameOr(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return "a service" // its id is for programs
}

// holderName names who holds something: a service by its name.
func holderName(owner string, names map[string]string) string {
	if id, service := strings.CutPrefix(owner, schemas.OwnerService+":"); service {
		return nameOr(names, id)
	}
	return ownerName(owner)
}

// careFacts are pointers: when, and with whom. What stands in an assessment is never here.
func careFacts(c careOf, names map[string]string) (facts []factView) {
	add := func(name, words string) {
		if words != "" {
			facts = append(facts, factView{name, words})
		}
	}
	if a := c.Assessment; a != nil {
		if a.Holder != "" {
			add("Last assessment", dayWords(a.On)+", held by "+holderName(a.Holder, names))
		} else {
			add("Assessment at the hospital", sentenceCase(plain(a.Said)))
		}
		if a.Aftercare != "" {
			add("48-hour aftercare", "With "+holderName(a.Aftercare, names))
		}
		if a.CameBack {
			add("Since then", "They have been in hospital again")
		}
		add("What has changed since", listed(valueWords, a.Changed))
	}
	if f := c.FirstContact; f != nil {
		words := "Wanted within " + plural(f.Within, "hour") + ", from " + lowerFirst(ownerName(f.By))
		if f.Outcome != "" {
			words += ". " + wordsFor(valueWords, f.Outcome)
		}
		add("Early contact", words)
	}
	if t := c.At18; t != nil {
		words := "By " + dayWords(t.By)
		if t.TakesOver != "" {
			words += ". Then: " + holderName(t.TakesOver, names)
		}
		if t.Met != "" {
			words += ". They met on " + dayWords(t.Met)
		}
		add("Turning 18", words)
	}
	if c.Retold.Count > 0 {
		add("Had to tell it again", plural(c.Retold.Count, "time")+", last on "+dayWords(c.Retold.Last))
	}
	return facts
}

// windowView is the days of an offer as a picture, with the same in words.
type windowView struct {
	Desc          string
	FromX, Width  int // of the days in which the session is promised
	Marks         []windowMark
	Rows          []factView
	Bottom, Right int
}

type windowMark struct {
	X, TextY int
	Words    string
	Class    string
}

const (
	windowLeft  = 24
	windowWidth = 312
)

// viewWindow draws the days from when the person left, or was asked for, until the last day promised; nil where nothing
// is promised, any more.
func viewWindow(timeline []event, now time.Time, zone *time.Location) *windowView {
	var first, last, left, booked calendar.Day
	var found bool
	for _, e := range timeline {
		var d detail
		if json.Unmarshal(e.Details, &d) != nil {
			continue
		}
		switch schemas.Type(e.Type) {
		case schemas.OfferRaised:
			from, errFrom := calendar.ParseDay(d.FirstDay)
			until, errUntil := calendar.ParseDay(d.LastDay)
			if errFrom == nil && errUntil == nil {
				first, last, found, booked = from, until, true, 0
			}
		case schemas.AppointmentBooked:
			booked, _ = calendar.ParseDay(d.On)
		case schemas.AppointmentCancelled, schemas.AppointmentNotKept, schemas.OfferHandedBack:
			booked = 0
		case schemas.OfferWithdrawn, schemas.FollowupCompleted:
			found, booked = false, 0
		case schemas.DischargeRecorded:
			if day, err := calendar.ParseDay(d.LeftOn); err == nil {
				left = day
			}
		}
	}
	if !found {
		return nil
	}
	return drawWindow(first, last, left, booked, calendar.DayOf(now, zone))
}

func drawWindow(first, last, left, booked, today calendar.Day) *windowView {
	begins, ends := min(first, today), max(last, today)
	if left != 0 {
		begins = min(begins, left)
	}
	if booked != 0 {
		ends = max(ends, booked)
	}
	x := func(day calendar.Day) int {
		return windowLeft + int(day-begins)*windowWidth/max(int(ends-begins)+1, 1)
	}
	v := &windowView{FromX: x(first), Width: max(x(last+1)-x(first), 4), Right: windowLeft + windowWidth}
	add := func(day calendar.Day, name, short, class string, y int) {
		v.Rows = append(v.Rows, factView{name, dayWords(day.String())})
		v.Marks = append(v.Marks, windowMark{X: x(day), TextY: y, Words: short, Class: class})
	}
	if left != 0 {
		add(left, "Left hospital", "left", "left", 86)
	}
	add(first, "The session is promised from", "from", "edge", 104)
	if booked != 0 {
		add(booked, "A time is agreed for", "agreed", "booked", 34)
	}
	add(last, "Promised by", "by", "edge", 86)
	add(today, "Today", "today", "today", 16)
	slices.SortStableFunc(v.Marks, func(a, b windowMark) int { return a.X - b.X })
	v.Desc = "The session is promised between " + dayWords(first.String()) + " and " + dayWords(last.String()) +
		". Today is " + dayWords(today.String()) + "."
	return v
}
