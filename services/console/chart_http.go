package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/operations"
)

// Measures of a chart, in its own units.
const (
	chartWidth  = 640
	chartHeight = 140
	chartLeft   = 44
	chartTop    = 12
	chartBottom = 24
)

// chartView is one figure over a stretch of time, as bars, and the same numbers as a table.
type chartView struct {
	ID, Title, About            string
	Width, Height, Base, Left   int
	Bars                        []chartBar
	Ticks                       []tick
	Top                         string // the highest value of the scale
	Rows                        []chartRow
	TopY, BaseY, RightX, LabelX int
}

type chartBar struct {
	X, Y, Width, Height int
	Gap                 bool
}

type chartRow struct{ At, Value string }

// viewCharts draws each figure that has a chart over the last day and the last week.
func (s *Console) viewCharts(r operations.Report) (all []chartView) {
	for _, k := range operations.Kinds() {
		if !k.Chart || len(r.Of(k.Name)) == 0 {
			continue
		}
		for _, one := range []struct {
			id, over string
			samples  map[string][]flow.Sample
			from     time.Time
			stretch  time.Duration
			layout   string
		}{
			{"day", "in the last 24 hours", r.Hours, r.At.UTC().Truncate(quarterHour).Add(-24 * time.Hour), quarterHour,
				"3:04pm"},
			{"week", "in the last 7 days", r.Days, r.At.UTC().Truncate(6*time.Hour).AddDate(0, 0, -7), 6 * time.Hour,
				"Mon 3pm"},
		} {
			if len(one.samples) == 0 {
				continue
			}
			c := drawChart(combine(k, one.samples), k.Unit, one.from, r.At, one.stretch, s.zone, one.layout)
			c.ID, c.Title = k.Name+"-"+one.id, k.Words+", "+one.over
			all = append(all, c)
		}
	}
	return all
}

const quarterHour = 15 * time.Minute

// combine adds the services' values of a time up, or takes the highest where the figure is an age.
func combine(k operations.Kind, samples map[string][]flow.Sample) map[time.Time]float64 {
	values := map[time.Time]float64{}
	for _, of := range samples {
		for _, one := range of {
			value, there := one.Figures[k.Name]
			before, seen := values[one.At.UTC()]
			switch {
			case !there:
			case !seen:
				values[one.At.UTC()] = value
			case k.Unit == "seconds":
				values[one.At.UTC()] = max(before, value)
			default:
				values[one.At.UTC()] = before + value
			}
		}
	}
	return values
}

// drawChart draws a bar for each stretch; one of which nothing was kept is hatched, and no zero.
func drawChart(values map[time.Time]float64, unit string, from, until time.Time, stretch time.Duration,
	zone *time.Location, layout string) chartView {
	var times []time.Time
	highest, kept := 0.0, 0
	for at := from; !at.After(until); at = at.Add(stretch) {
		times = append(times, at)
		if value, there := values[at]; there {
			highest, kept = max(highest, value), kept+1
		}
	}
	c := chartView{Width: chartWidth, Height: chartHeight, Left: chartLeft, TopY: chartTop,
		BaseY: chartHeight - chartBottom, RightX: chartWidth, Top: amount(unit, max(highest, 1)), LabelX: chartLeft - 6}
	room, across := float64(c.BaseY-chartTop), float64(chartWidth-chartLeft)/float64(len(times))
	for i, at := range times {
		value, there := values[at]
		b := chartBar{X: chartLeft + int(float64(i)*across), Width: max(int(across)-1, 2), Gap: !there}
		if b.Height = int(room * value / max(highest, 1)); !there {
			b.Height = int(room)
		}
		if b.Y = c.BaseY - b.Height; b.Height > 0 {
			c.Bars = append(c.Bars, b)
		}
		words := "nothing was kept"
		if there {
			words = amount(unit, value)
		}
		c.Rows = append(c.Rows, chartRow{at.In(zone).Format("Mon 2 Jan, 3:04pm"), words})
		if i%(max(len(times)/4, 1)) == 0 && i < len(times)-len(times)/8 {
			c.Ticks = append(c.Ticks, tick{X: b.X, TextX: b.X, TextY: chartHeight - 8, Bottom: c.BaseY,
				Words: at.In(zone).Format(layout)})
		}
	}
	c.Rows = sameRows(c.Rows)
	c.About = fmt.Sprintf("Bars from %s to %s. The highest is %s. Of %d stretches of time %d were kept.",
		from.In(zone).Format("Mon 2 Jan, 3:04pm"), until.In(zone).Format("Mon 2 Jan, 3:04pm"), amount(unit, highest),
		len(times), kept)
	return c
}

// sameRows makes one row of those that follow one another with the same value, the newest first.
func sameRows(rows []chartRow) (short []chartRow) {
	for i := 0; i < len(rows); {
		last := i
		for last+1 < len(rows) && rows[last+1].Value == rows[i].Value {
			last++
		}
		at := rows[i].At
		if last > i {
			at = strings.Join([]string{at, rows[last].At}, " to ")
		}
		short = append(short, chartRow{at, rows[i].Value})
		i = last + 1
	}
	slices.Reverse(short)
	return short
}
