package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"footbridge/libs/telemetry"
)

// pause is how long nothing has to happen before what follows is drawn with a scale of its own: a journey's traces
// may lie days apart.
const pause = 2 * time.Second

// Measures of the drawing, in its own units.
const (
	rowHeight  = 26
	labelWidth = 350
	barsWidth  = 510
	topMargin  = 28
	drawWidth  = labelWidth + barsWidth + 98
)

// episode is a run of spans without a pause between them, drawn on one scale.
type episode struct {
	Began, Took   string
	Width, Height int
	LabelWidth    int
	Ticks         []tick
	Spans         []spanView
}

type tick struct {
	X, TextX, TextY, Bottom int
	Words                   string
}

// spanView is one span as a bar and as a line of the table.
type spanView struct {
	Number                   int
	Service, Name, Offset    string
	Took                     string
	Failed                   bool
	Colour                   int // of its service, 0 to 5
	TextX, TextY, BarX, BarY int
	BarWidth, TookX, RowY    int
	Depth                    int
	Striped                  bool
	ShortName                string
	Cause                    string   // "part of 1", "after 3"
	Details                  []string // attributes: "http.route: /api/steps"
	Links                    []string // the ids of other traces that led to it
}

// drawWaterfall lays spans out by their start. Spans that lie close together share a scale.
func drawWaterfall(spans []telemetry.Span, zone *time.Location) []episode {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b telemetry.Span) int { return a.Start.Compare(b.Start) })
	numbers, colours := map[string]int{}, map[string]int{}
	for i, s := range spans {
		numbers[s.TraceID+s.SpanID] = i + 1
		if _, seen := colours[s.Service]; !seen {
			colours[s.Service] = len(colours) % 6
		}
	}
	var episodes []episode
	for from := 0; from < len(spans); {
		to := episodeEnd(spans, from)
		e := drawEpisode(spans[from:to], zone)
		for i := range e.Spans {
			s := spans[from+i]
			e.Spans[i].Number, e.Spans[i].Colour, e.Spans[i].Cause = from+i+1, colours[s.Service], causeOf(s, numbers)
		}
		episodes = append(episodes, e)
		from = to
	}
	return episodes
}

func episodeEnd(spans []telemetry.Span, from int) int {
	end := spans[from].Start.Add(spans[from].Duration)
	to := from + 1
	for to < len(spans) && spans[to].Start.Sub(end) < pause {
		if e := spans[to].Start.Add(spans[to].Duration); e.After(end) {
			end = e
		}
		to++
	}
	return to
}

func causeOf(s telemetry.Span, numbers map[string]int) string {
	if n, ok := numbers[s.TraceID+s.ParentID]; ok && s.ParentID != "" {
		return fmt.Sprintf("part of %d", n)
	}
	for _, link := range s.Links {
		if n, ok := numbers[link.TraceID+link.SpanID]; ok {
			return fmt.Sprintf("after %d", n)
		}
	}
	return ""
}

func drawEpisode(spans []telemetry.Span, zone *time.Location) episode {
	began, total := spans[0].Start, time.Duration(1)
	for _, s := range spans {
		total = max(total, s.Start.Add(s.Duration).Sub(began))
	}
	e := episode{Began: began.In(zone).Format("Monday 2 January 2006, 3:04:05pm"), Took: took(total), Width: drawWidth,
		Height: topMargin + len(spans)*rowHeight + 8, LabelWidth: labelWidth}
	for i := range 5 {
		x := labelWidth + barsWidth*i/4
		e.Ticks = append(e.Ticks, tick{X: x, TextX: x, TextY: 16, Bottom: e.Height - 6,
			Words: took(total * time.Duration(i) / 4)})
	}
	for i, s := range spans {
		e.Spans = append(e.Spans, drawSpan(s, i, began, total))
	}
	return e
}

func drawSpan(s telemetry.Span, row int, began time.Time, total time.Duration) spanView {
	scale := func(d time.Duration) int { return int(int64(barsWidth) * int64(d) / int64(total)) }
	y := topMargin + row*rowHeight
	offset := s.Start.Sub(began)
	v := spanView{Service: s.Service, Name: s.Name, ShortName: shorten(s.Service+" · "+s.Name, 50),
		Offset: took(offset), Took: took(s.Duration), Failed: s.Failed,
		TextX: 8, TextY: y + 17, RowY: y, BarX: labelWidth + scale(offset), BarY: y + 5,
		BarWidth: max(scale(s.Duration), 3), Striped: row%2 == 1}
	v.TookX = v.BarX + v.BarWidth + 6
	v.Details, v.Links = attributesOf(s), linksOf(s)
	return v
}

// attributesOf are a span's attributes by name; those that say where it waited first.
func attributesOf(s telemetry.Span) (details []string) {
	for name, value := range s.Attributes {
		details = append(details, name+": "+value)
	}
	slices.SortFunc(details, func(a, b string) int {
		first := func(text string) bool { return strings.HasPrefix(text, "footbridge.waited.") }
		if first(a) != first(b) {
			if first(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return details
}

// maxLinks bounds how many other traces are named beside a span.
const maxLinks = 5

// linksOf are the other traces that led to a span.
func linksOf(s telemetry.Span) (traces []string) {
	for _, link := range s.Links {
		if link.TraceID != s.TraceID && !slices.Contains(traces, link.TraceID) && len(traces) < maxLinks {
			traces = append(traces, link.TraceID)
		}
	}
	return traces
}

// shorten cuts text to so many characters, so that it does not run into the bars.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}

// took shows a duration with three digits at most: "1.42 s", "38 ms", "410 µs".
func took(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
}
