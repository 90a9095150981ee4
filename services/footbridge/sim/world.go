package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"footbridge/libs/calendar"
)

// World is the seeded plan: who comes to A&E when, what the hospital's systems send of it, and what the people are
// like. It is a value of scenario and seed alone; nothing that the system does changes it.
type World struct {
	People   []*Person
	Messages []*Message // by the time at which they are sent
	seed     uint64
	byLocal  map[string]*Person
}

// Person is a made-up person. What they will do is theirs from the beginning; the system learns of it by asking.
type Person struct {
	N       int
	InScope bool
	// LocalID is the hospital's number, Second another that they were registered under by mistake; NHS is verified.
	LocalID, Second, NHS     string
	Family, Given            string
	Birth                    calendar.Day
	Age                      int
	Gender, Area, Phone      string
	Left                     time.Time // the first visit's end
	WantsSession, WantsCalls bool
	// Answers is of how many tries in a hundred they answer.
	Answers int
	// Hours are when they can be rung, from and to; 0 where they said nothing of it.
	FromHour, ToHour int
	WaitsOn          string // a service whose list they are on
	// Days on which something happens to them; 0 where it does not.
	Withdraws, Returns, Moves, Dies calendar.Day
	// Kept is of how many sessions in a hundred they come to.
	Kept int

	visits int
}

// Message is something that the hospital's systems send.
type Message struct {
	At      time.Time
	Person  *Person
	Visit   string
	Trigger string // of ADT; "report" for a CloudEvent
	Control string
	Coded   bool // it says why they came
	Minutes bool // times are written to the minute
	Arrived time.Time
	Left    time.Time
	Local   string // the local number that stands in it
	Prior   string // of a merge: the number that is given up
	Dead    bool
}

var givenNames = []string{"Robin", "Sam", "Alex", "Rowan", "Kim", "Charlie", "Jo", "Ash", "Morgan", "Frankie", "Zoë",
	"Aoife", "Siân", "José", "Anaïs", "Jean-Luc"}

var familyNames = []string{"Sample", "Example", "Madeup", "Fictional", "Invented", "O'Sample", "Example-Jones",
	"de la Example", "Ó Sampleagh", "SAMPLE", "example", "Sämple"}

var phoneForms = []string{"07700 900%03d", "07700900%03d", "+44 7700 900%03d", "(07700) 900%03d", "0044 7700900%03d"}

// arrivalWeights are how many people come in each hour of the day: most of them in the evening and at night.
var arrivalWeights = []int{6, 6, 5, 4, 3, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 7, 8, 8, 8, 7}

// NewWorld draws the plan of a scenario.
func NewWorld(s *Scenario) *World {
	w := &World{seed: s.seed, byLocal: map[string]*Person{}}
	others := int(s.Others * float64(s.discharges))
	for n := range s.discharges + others {
		p := w.person(s, n, n < s.discharges)
		w.People = append(w.People, p)
		w.byLocal[p.LocalID] = p
		if p.Second != "" {
			w.byLocal[p.Second] = p
		}
	}
	slices.SortStableFunc(w.Messages, func(a, b *Message) int { return a.At.Compare(b.At) })
	w.number()
	return w
}

// number gives the messages of each sender their control ids, as counters do: once, in the middle, a sender's begins
// again.
func (w *World) number() {
	n := 0
	for i, m := range w.Messages {
		if i == len(w.Messages)/2 {
			n = 0
		}
		n++
		m.Control = fmt.Sprintf("SIM%07d", n)
	}
}

// person draws one person from a stream of chance of their own: another person more changes nobody.
func (w *World) person(s *Scenario, n int, inScope bool) *Person {
	r := rand.New(rand.NewPCG(s.seed, uint64(n)+1))
	day := s.first + calendar.Day(r.IntN(s.days))
	local := day.At(weighted(r, arrivalWeights), r.IntN(60), s.zone)
	p := &Person{N: n, InScope: inScope, LocalID: fmt.Sprintf("SIM%06d", n), NHS: invented(n),
		Given: pick(r, givenNames), Family: pick(r, familyNames) + letters(n), Area: pick(r, areas),
		Gender: pick(r, []string{"woman", "woman", "woman", "man", "man", "non-binary"})}
	p.Age = 18 + r.IntN(60)
	if r.IntN(100) < 8 {
		p.Age = 12 + r.IntN(6)
	}
	p.Birth = day - calendar.Day(p.Age*365+p.Age/4+1+r.IntN(300))
	if r.IntN(100) >= 6 {
		p.Phone = fmt.Sprintf(pick(r, phoneForms), n%1000)
	}
	p.WantsSession, p.WantsCalls = r.IntN(100) < 70, r.IntN(100) < 55
	p.Answers = pick(r, []int{0, 30, 60, 60, 85, 85, 95, 95, 95})
	p.Kept = pick(r, []int{95, 90, 70, 40})
	if r.IntN(100) < 30 {
		p.FromHour = 10 + r.IntN(6)
		p.ToHour = p.FromHour + 3
	}
	p.WaitsOn = pick(r, []string{"", "talking-therapies", "community-team"})
	w.life(r, s, p, day)
	w.visit(r, s, p, local)
	if p.Returns > 0 {
		w.visit(r, s, p, p.Returns.At(weighted(r, arrivalWeights), r.IntN(60), s.zone))
	}
	return p
}

var areas = []string{"area-north", "area-north", "area-south", "area-south", "area-north"}

// life draws what happens to somebody after the visit.
func (w *World) life(r *rand.Rand, s *Scenario, p *Person, day calendar.Day) {
	at := func(percent, from, within int) calendar.Day {
		on := day + calendar.Day(from+r.IntN(within))
		if r.IntN(100) >= percent || on >= s.first+calendar.Day(s.days) {
			return 0
		}
		return on
	}
	p.Withdraws, p.Returns, p.Moves, p.Dies = at(5, 3, 30), at(8, 2, 40), at(3, 5, 40), at(1, 2, 60)
	if !p.InScope {
		p.Withdraws, p.Returns, p.Moves, p.Dies = 0, 0, 0, 0
	}
}

// visit draws one visit, and what is sent of it.
func (w *World) visit(r *rand.Rand, s *Scenario, p *Person, arrived time.Time) {
	left := arrived.Add(time.Duration(90+r.IntN(480)) * time.Minute)
	if p.Left.IsZero() {
		p.Left = left
	}
	p.visits++
	visit := fmt.Sprintf("V%06d%d", p.N, p.visits)
	base := Message{Person: p, Visit: visit, Arrived: arrived, Minutes: r.IntN(2) == 0, Local: p.LocalID}
	if r.IntN(100) < 15 {
		w.reported(p, base, left)
		return
	}
	send := func(at time.Time, trigger string, change func(*Message)) {
		m := base
		m.At, m.Trigger = at, trigger
		if trigger == "A03" || at.After(left) {
			m.Left = left
		}
		if change != nil {
			change(&m)
		}
		w.Messages = append(w.Messages, &m)
	}
	coded := func(m *Message) { m.Coded = p.InScope }
	second := r.IntN(100) < 3 && p.Second == ""
	if second { // they were registered anew, and somebody finds that out
		p.Second = p.LocalID + "B"
		base.Local = p.Second
	}
	send(arrived.Add(time.Minute), "A04", nil)
	late := r.IntN(100) < 20
	if !late {
		send(left.Add(-30*time.Minute), "A08", coded)
	}
	send(left.Add(2*time.Minute), "A03", nil)
	if late {
		send(left.Add(time.Duration(24+r.IntN(200))*time.Hour), "A08", coded)
	}
	switch r.IntN(100) {
	case 0, 1: // said by mistake, and said again
		send(left.Add(20*time.Minute), "A13", func(m *Message) { m.Left = time.Time{} })
		send(left.Add(95*time.Minute), "A03", func(m *Message) { m.Left = left.Add(90 * time.Minute) })
	case 2: // the wrong person was registered
		send(left.Add(3*time.Hour), "A11", nil)
	}
	if second {
		send(left.Add(time.Duration(5+r.IntN(60))*time.Hour), "A40", func(m *Message) {
			m.Local, m.Prior = p.LocalID, p.Second
		})
	}
	if p.Dies > 0 {
		send(p.Dies.At(11, 0, s.zone), "A31", func(m *Message) { m.Dead = true })
	}
}

// reported is a visit of which a system of the A&E department tells by one CloudEvent, when the person has left.
func (w *World) reported(p *Person, m Message, left time.Time) {
	m.At, m.Trigger, m.Left, m.Coded = left.Add(5*time.Minute), "report", left, p.InScope
	w.Messages = append(w.Messages, &m)
}

// luck is a number from 0 to 99 that hangs on the seed and on what it is about: on nothing that happened before, so
// that the order in which people act changes nothing.
func (w *World) luck(about ...any) int {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, about)
	r := rand.New(rand.NewPCG(h.Sum64(), w.seed))
	return r.IntN(100)
}

// answers says whether somebody answers the telephone in an hour.
func (w *World) answers(p *Person, at time.Time, zone *time.Location) bool {
	day := calendar.DayOf(at, zone)
	if p.Phone == "" || p.gone(day) {
		return false
	}
	hour := at.In(zone).Hour()
	if p.FromHour > 0 && (hour < p.FromHour || hour >= p.ToHour) && w.luck("hours", p.N, day, hour) < 70 {
		return false
	}
	return w.luck("answers", p.N, day, hour) < p.Answers
}

func (p *Person) gone(day calendar.Day) bool { return p.Dies > 0 && day >= p.Dies }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func weighted(r *rand.Rand, weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := r.IntN(sum)
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return 0
}

// letters makes a name of its own of a number.
func letters(n int) string {
	text := ""
	for ; n > 0; n /= 26 {
		text += string(rune('a' + n%26))
	}
	return text
}

// invented is a valid NHS number of nobody's: those that begin with 999 are given to nobody.
func invented(n int) string {
	for ; ; n += 250_000 {
		digits := fmt.Sprintf("999%06d", n%1_000_000)
		sum := 0
		for i, d := range digits {
			sum += int(d-'0') * (10 - i)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return digits + fmt.Sprint(check)
		}
	}
}
