package hl7

import (
	"errors"
	"time"
)

// ErrTime comes for a time stamp that cannot be read. Its text does not quote the value, which may be a birth date.
var ErrTime = errors.New("hl7: not a time stamp (YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ])")

// Precision is how much of a time stamp was given.
type Precision uint8

// What was given, from the coarsest to the finest. The zero value is that of a time stamp that was absent.
const (
	PrecisionNone Precision = iota
	PrecisionYear
	PrecisionMonth
	PrecisionDay
	PrecisionHour
	PrecisionMinute
	PrecisionSecond
	PrecisionFraction
)

// String names the precision in lower case.
func (p Precision) String() string {
	names := [...]string{"none", "year", "month", "day", "hour", "minute", "second", "fraction"}
	if int(p) < len(names) {
		return names[p]
	}
	return "unknown"
}

// Time is a time stamp together with what is known about it. A day without an hour is not midnight: look at
// Precision before using the hour.
type Time struct {
	// Time is the earliest instant that the stamp may mean, in the zone it was read in.
	Time time.Time
	// Precision is how much was given.
	Precision Precision
	// HasOffset is true when the stamp carries its own offset from UTC; else it was read as local time.
	HasOffset bool
	// Ambiguous is true for a local time in the hour that occurs twice when clocks go back, sent without an offset.
	// Time is then the first of the two, so that a window counted from it ends early rather than late.
	Ambiguous bool
	// Skipped is true for a local time that does not exist because clocks went forward. Time is then what the wall
	// clock would have shown had it not been put forward.
	Skipped bool
}

// HasClock tells whether at least the hour was given.
func (t Time) HasClock() bool { return t.Precision >= PrecisionHour }

// HasDay tells whether at least the calendar day was given.
func (t Time) HasDay() bool { return t.Precision >= PrecisionDay }

// IsZero tells whether there was no time stamp.
func (t Time) IsZero() bool { return t.Precision == PrecisionNone }

// ParseTime reads a time stamp of HL7 v2 (TS, DTM, DT): YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ], as local time of loc
// unless it carries an offset; loc nil means UTC. Blanks around it are ignored, fractions beyond nanoseconds cut.
// An empty text gives a zero Time and no error. Anything else gives [ErrTime]: other forms, months and days that do
// not exist, hour 24, second 60.
func ParseTime(s string, loc *time.Location) (Time, error) {
	for len(s) > 0 && isBlank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if s == "" {
		return Time{}, nil
	}
	stamp, rest, ok := parseWallTime(s)
	if !ok {
		return Time{}, ErrTime
	}
	if loc == nil {
		loc = time.UTC
	}
	if rest == "" {
		return stamp.local(loc), nil
	}
	zone, ok := parseOffset(rest)
	if !ok {
		return Time{}, ErrTime
	}
	return Time{Time: stamp.in(zone), Precision: stamp.precision, HasOffset: true}, nil
}

// Time reads the value's first sub-component as a time stamp; see [ParseTime]. Null gives a zero Time, as empty does.
func (v Value) Time(loc *time.Location) (Time, error) { return ParseTime(v.String(), loc) }

// wallTime is a time on a wall clock.
type wallTime struct {
	year, month, day, hour, minute, second, nano int
	precision                                    Precision
}

// parseWallTime reads digits and fraction, and returns what follows.
func parseWallTime(s string) (w wallTime, rest string, ok bool) {
	w.month, w.day = 1, 1
	if w.year, rest, ok = parseDigits(s, 4); !ok || w.year == 0 {
		return w, s, false
	}
	w.precision = PrecisionYear
	for _, part := range []struct {
		into      *int
		from, to  int
		precision Precision
	}{
		{&w.month, 1, 12, PrecisionMonth}, {&w.day, 1, 31, PrecisionDay}, {&w.hour, 0, 23, PrecisionHour},
		{&w.minute, 0, 59, PrecisionMinute}, {&w.second, 0, 59, PrecisionSecond},
	} {
		if rest == "" || rest[0] < '0' || '9' < rest[0] {
			break
		}
		if *part.into, rest, ok = parseDigits(rest, 2); !ok || *part.into < part.from || part.to < *part.into {
			return w, s, false
		}
		w.precision = part.precision
	}
	if w.precision == PrecisionSecond && len(rest) > 1 && rest[0] == '.' {
		w.nano, rest, ok = parseFraction(rest[1:])
		w.precision = PrecisionFraction
	}
	return w, rest, ok && w.exists()
}

// exists refuses 31 April and 29 February of common years.
func (w wallTime) exists() bool {
	return time.Date(w.year, time.Month(w.month), w.day, 0, 0, 0, 0, time.UTC).Day() == w.day
}

func parseDigits(s string, count int) (n int, rest string, ok bool) {
	if len(s) < count {
		return 0, s, false
	}
	for i := range count {
		if s[i] < '0' || '9' < s[i] {
			return 0, s, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s[count:], true
}

// parseFraction reads the digits after the point as nanoseconds.
func parseFraction(s string) (nano int, rest string, ok bool) {
	i, unit := 0, 100_000_000
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		nano += int(s[i]-'0') * unit
		unit /= 10
	}
	return nano, s[i:], i > 0
}

// parseOffset reads ±ZZZZ, or the Z that some senders borrow from ISO 8601. Real offsets lie between -12 and +14 h.
func parseOffset(s string) (*time.Location, bool) {
	if s == "Z" {
		return time.UTC, true
	}
	if len(s) != 5 || (s[0] != '+' && s[0] != '-') {
		return nil, false
	}
	hours, rest, ok1 := parseDigits(s[1:], 2)
	minutes, _, ok2 := parseDigits(rest, 2)
	if !ok1 || !ok2 || hours > 14 || minutes > 59 {
		return nil, false
	}
	seconds := hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true
}

func (w wallTime) in(loc *time.Location) time.Time {
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, w.nano, loc)
}

// local reads the wall clock in loc and finds out whether that clock showed this time once, twice or never.
func (w wallTime) local(loc *time.Location) Time {
	t := Time{Time: w.in(loc), Precision: w.precision}
	if !t.HasClock() {
		return t
	}
	_, before := t.Time.Add(-6 * time.Hour).Zone()
	_, after := t.Time.Add(6 * time.Hour).Zone()
	if before == after {
		return t
	}
	naive := w.in(time.UTC)
	first := naive.Add(-time.Duration(before) * time.Second).In(loc)
	second := naive.Add(-time.Duration(after) * time.Second).In(loc)
	firstReal, secondReal := w.shownAt(first), w.shownAt(second)
	t.Ambiguous = firstReal && secondReal
	t.Skipped = !firstReal && !secondReal
	if firstReal || t.Skipped {
		t.Time = first
	} else {
		t.Time = second
	}
	return t
}

func (w wallTime) shownAt(t time.Time) bool { return t.Hour() == w.hour && t.Minute() == w.minute }
