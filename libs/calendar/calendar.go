// Package calendar counts local calendar days and working days.
//
// A Day is a date without a time or a zone, so that counting days cannot be wrong by an hour when the clocks
// change; only DayOf and Day.At touch a zone. Each nation's bank holidays are data, embedded, with their source, for
// the years that Covers names; outside them only weekends are known and Covers says so. The package asks nobody for
// the time and does no input or output: rules may use it.
package calendar

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Day is a local calendar day, counted from 1 January 1970. Days are compared and subtracted as numbers:
// day+14 is two weeks later, whatever the clocks do in between.
type Day int32

const layout = "2006-01-02"

// DayOf returns the calendar day that t falls on in zone.
func DayOf(t time.Time, zone *time.Location) Day {
	y, m, d := t.In(zone).Date()
	return dayOfDate(y, m, d)
}

// ZoneOr is the zone, or the hospitals' (Europe/London) where it is nil. The binary carries the zones, so that an error
// says that it was built without them.
func ZoneOr(zone *time.Location) (*time.Location, error) {
	if zone != nil {
		return zone, nil
	}
	zone, err := london()
	if err != nil {
		return nil, fmt.Errorf("loading the local calendar: %w", err)
	}
	return zone, nil
}

var london = sync.OnceValues(func() (*time.Location, error) { return time.LoadLocation("Europe/London") })

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return 0, fmt.Errorf("reading day %q: want YYYY-MM-DD", s)
	}
	return dayOfDate(t.Date()), nil
}

// Why a day that somebody records cannot be right.
var (
	ErrNoDay  = errors.New("it is not a local date, YYYY-MM-DD")
	ErrBefore = errors.New("it is before what it is about")
	ErrAfter  = errors.New("it is later than can be known or promised")
)

// Between reads a day that somebody records, as YYYY-MM-DD, which must lie from one day to another, both included:
// evidence is not older than what it is about and not in the future, and a promise is near enough to be kept. The
// error is ErrNoDay, ErrBefore or ErrAfter. It is the one rule for days that people write.
func Between(text string, from, to Day) (Day, error) {
	day, err := ParseDay(text)
	switch {
	case err != nil:
		return 0, ErrNoDay
	case day < from:
		return day, ErrBefore
	case day > to:
		return day, ErrAfter
	}
	return day, nil
}

func dayOfDate(y int, m time.Month, d int) Day {
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func (d Day) midnight() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String writes the day as YYYY-MM-DD.
func (d Day) String() string { return d.midnight().Format(layout) }

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday { return d.midnight().Weekday() }

// Year returns the year of the day.
func (d Day) Year() int { return d.midnight().Year() }

// At returns the instant when the clocks in zone show hour:minute on this day. An hour that the clocks skip is
// taken an hour later, one that comes twice is taken the first time or the second, as package time does.
func (d Day) At(hour, minute int, zone *time.Location) time.Time {
	y, m, dd := d.midnight().Date()
	return time.Date(y, m, dd, hour, minute, 0, 0, zone).UTC()
}

// AddMonths returns the same day of the month so many months later, or that month's last day where it has no such day:
// 31 January and one month is 28 or 29 February, 31 January and two months 31 March. Count from the first day agreed.
func (d Day) AddMonths(months int) Day {
	y, m, day := d.midnight().Date()
	last := dayOfDate(y, m+time.Month(months)+1, 0) // the day before the first of the month after
	return min(dayOfDate(y, m+time.Month(months), 1)+Day(day-1), last)
}

// Weekdays is the set of days of the week on which somebody works.
type Weekdays [7]bool

// MondayToFriday is the usual working week.
var MondayToFriday = Weekdays{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true,
	time.Friday: true}

// None says that no day is worked: nothing can then be counted in working days.
func (w Weekdays) None() bool { return w == Weekdays{} }

// Holidays is one nation's bank holidays, for a range of whole years.
type Holidays struct {
	days        map[Day]bool
	first, last int
}

// The nations whose bank holidays are known. Wales has those of England.
const (
	NationEngland         = "england"
	NationWales           = "wales"
	NationScotland        = "scotland"
	NationNorthernIreland = "northern-ireland"
)

var (
	//go:embed england.txt
	england string
	//go:embed scotland.txt
	scotland string
	//go:embed northern-ireland.txt
	northernIreland string
)

var nations = map[string]*Holidays{NationEngland: must(parse(england)), NationScotland: must(parse(scotland)),
	NationNorthernIreland: must(parse(northernIreland))}

// England returns the bank holidays of England and Wales as published on gov.uk, substitute days included.
func England() *Holidays { return nations[NationEngland] }

// Of returns the bank holidays of a nation, those that were for one year only included; England's where the nation is
// not known.
func Of(nation string) *Holidays {
	if holidays := nations[nation]; holidays != nil {
		return holidays
	}
	return England()
}

// Last is the last year whose bank holidays are known.
func (h *Holidays) Last() int { return h.last }

func must(h *Holidays, err error) *Holidays {
	if err != nil {
		panic(err) // the data is embedded: a build with a broken file must not start
	}
	return h
}

// parse reads one YYYY-MM-DD a line, with a name after it; # begins a comment.
func parse(text string) (*Holidays, error) {
	h := &Holidays{days: map[Day]bool{}}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		day, err := ParseDay(fields[0])
		if err != nil {
			return nil, fmt.Errorf("reading bank holidays: %w", err)
		}
		h.add(day)
	}
	return h, nil
}

func (h *Holidays) add(day Day) {
	h.days[day] = true
	if h.first == 0 || day.Year() < h.first {
		h.first = day.Year()
	}
	h.last = max(h.last, day.Year())
}

// Covers says whether the bank holidays of day's year are known.
func (h *Holidays) Covers(day Day) bool { return h.first <= day.Year() && day.Year() <= h.last }

// Is says whether day is a bank holiday.
func (h *Holidays) Is(day Day) bool { return h.days[day] }

// Working says whether someone who works on week works on day: on one of their weekdays, and no bank holiday.
func (h *Holidays) Working(day Day, week Weekdays) bool { return week[day.Weekday()] && !h.days[day] }

// NextWorking returns day itself if it is a working day, else the next one. With no weekdays it returns day.
func (h *Holidays) NextWorking(day Day, week Weekdays) Day {
	if week.None() {
		return day
	}
	for !h.Working(day, week) {
		day++
	}
	return day
}

// AddWorking returns the n-th working day after day; day itself is not counted. With no weekdays it counts
// calendar days.
func (h *Holidays) AddWorking(day Day, n int, week Weekdays) Day {
	if week.None() {
		return day + Day(n)
	}
	for range n {
		day = h.NextWorking(day+1, week)
	}
	return day
}
