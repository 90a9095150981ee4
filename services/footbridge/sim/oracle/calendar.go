package oracle

import (
	"fmt"
	"slices"
	"time"
)

// calendar is what the log says of days: the zone, and on which of them nobody works. It reckons by itself.
type calendar struct {
	zone     *time.Location
	holidays []string
	grace    time.Duration
}

const layout = "2006-01-02"

func (c *calendar) read(l *line) (err error) {
	var d struct {
		Zone         string
		Holidays     []string
		GraceMinutes float64
	}
	if err := l.read(&d); err != nil {
		return err
	}
	c.holidays, c.grace = d.Holidays, time.Duration(d.GraceMinutes)*time.Minute
	if c.zone, err = time.LoadLocation(d.Zone); err != nil {
		return fmt.Errorf("reading the log's zone: %w", err)
	}
	return nil
}

// on is the local day of a time.
func (c *calendar) on(at time.Time) string { return c.local(at).Format(layout) }

func (c *calendar) local(at time.Time) time.Time {
	if c.zone == nil {
		return at
	}
	return at.In(c.zone)
}

// plus is some local days later, whatever the clocks do.
func plus(day string, days int) string {
	at, err := time.Parse(layout, day)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, days).Format(layout)
}

// between is how many days one day is after another.
func between(from, to string) int {
	a, _ := time.Parse(layout, from)
	b, _ := time.Parse(layout, to)
	return int(b.Sub(a).Hours() / 24)
}

// works says whether somebody works on a day who works from Monday to Friday and is away at times.
func (c *calendar) works(day string, holidays []days) bool {
	at, err := time.Parse(layout, day)
	if err != nil || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday || slices.Contains(c.holidays, day) {
		return false
	}
	return !slices.ContainsFunc(holidays, func(d days) bool { return d.From <= day && day <= d.Until })
}

// working is the n-th working day after a day.
func (c *calendar) working(day string, n int, holidays []days) string {
	for range 400 {
		if n == 0 {
			break
		}
		day = plus(day, 1)
		if c.works(day, holidays) {
			n--
		}
	}
	return day
}

// days are from one local day until another, both inclusive.
type days struct{ From, Until string }
