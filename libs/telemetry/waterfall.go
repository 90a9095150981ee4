package telemetry

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// quiet is how long nothing has to happen before what follows gets a bar scale of its own: links join traces that
// are days apart, and on one scale each of them would be a dot.
const quiet = 2 * time.Second

// WriteWaterfall draws spans for a terminal of width columns, by start: number, offset, duration, service, name
// (indented below what it came from) and a bar. "by #n" is the parent, "after #n" what a link points to. Spans that
// lie close together share a scale; pauses are named between them.
func WriteWaterfall(w io.Writer, spans []Span, width int) error {
	if len(spans) == 0 {
		_, err := fmt.Fprintln(w, "no spans are kept for this")
		return err
	}
	spans = sorted(append([]Span(nil), spans...))
	d := &drawing{spans: spans, cause: causes(spans), width: width}
	d.measure()
	var text strings.Builder
	for from := 0; from < len(spans); {
		to, end := episode(spans, from)
		d.drawEpisode(&text, from, to, end)
		from = to
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// cause is what a span came from: the index of another span, or -1.
type cause struct {
	index int
	link  bool
	depth int
}

type drawing struct {
	spans         []Span
	cause         []cause
	width         int
	service, name int // columns
}

// causes finds, for each span, its parent among the spans, or else the first span that it links to.
func causes(spans []Span) []cause {
	index := make(map[string]int, len(spans))
	for i, s := range spans {
		index[s.TraceID+s.SpanID] = i
	}
	found := make([]cause, len(spans))
	for i, s := range spans {
		found[i] = cause{index: -1}
		if parent, ok := index[s.TraceID+s.ParentID]; ok && s.ParentID != "" && parent != i {
			found[i] = cause{index: parent}
			continue
		}
		for _, link := range s.Links {
			if from, ok := index[link.TraceID+link.SpanID]; ok && from != i {
				found[i] = cause{index: from, link: true}
				break
			}
		}
	}
	for i := range found {
		at, depth := i, 0
		for found[at].index >= 0 && depth < 12 { // deeper is not shown deeper; it also ends a circle of links
			at = found[at].index
			depth++
		}
		found[i].depth = depth
	}
	return found
}

// episode returns where the spans that begin at from, without a pause between them, end: the index after, the time.
func episode(spans []Span, from int) (int, time.Time) {
	end := spans[from].Start.Add(spans[from].Duration)
	to := from + 1
	for to < len(spans) && spans[to].Start.Sub(end) < quiet {
		if e := spans[to].Start.Add(spans[to].Duration); e.After(end) {
			end = e
		}
		to++
	}
	return to, end
}

func (d *drawing) measure() {
	for i, s := range d.spans {
		d.service = max(d.service, utf8.RuneCountInString(s.Service))
		d.name = max(d.name, utf8.RuneCountInString(d.label(i)))
	}
	d.service = min(d.service, 16)
	d.name = min(d.name, 56)
}

func (d *drawing) label(i int) string {
	s, c := d.spans[i], d.cause[i]
	label := strings.Repeat("  ", c.depth) + s.Name
	if s.Failed {
		label += " FAILED"
	}
	switch {
	case c.index >= 0 && c.link:
		label += fmt.Sprintf("  after #%d", c.index+1)
	case c.index >= 0:
		label += fmt.Sprintf("  by #%d", c.index+1)
	}
	return label
}

func (d *drawing) drawEpisode(text *strings.Builder, from, to int, end time.Time) {
	begin := d.spans[from].Start
	if from > 0 {
		fmt.Fprintf(text, "\n%s later\n", long(begin.Sub(d.spans[0].Start)))
	}
	services := map[string]bool{}
	for _, s := range d.spans[from:to] {
		services[s.Service] = true
	}
	fmt.Fprintf(text, "%s  %s in %s, %s\n", begin.UTC().Format("2006-01-02 15:04:05.000 MST"), plural(to-from, "span"),
		plural(len(services), "service"), short(end.Sub(begin)))
	bar := max(d.width-5-10-10-d.service-d.name-4, 10)
	for i := from; i < to; i++ {
		s := d.spans[i]
		fmt.Fprintf(text, "%4d %9s %9s  %s  %s %s\n", i+1, "+"+short(s.Start.Sub(begin)), short(s.Duration),
			pad(s.Service, d.service), pad(d.label(i), d.name), drawBar(s.Start.Sub(begin), s.Duration, end.Sub(begin),
				bar))
	}
}

// drawBar draws a span within an episode of total length on width columns; the shortest is one column.
func drawBar(offset, took, total time.Duration, width int) string {
	if total <= 0 {
		return "█"
	}
	first := min(int(float64(offset)/float64(total)*float64(width)), width-1)
	length := max(min(int(float64(took)/float64(total)*float64(width)+0.5), width-first), 1)
	return strings.Repeat("·", first) + strings.Repeat("█", length)
}

func pad(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:width-1]) + "…"
	}
	return text + strings.Repeat(" ", width-n)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// short writes a duration in at most eight columns.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	default:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// long writes a pause in its two greatest units.
func long(d time.Duration) string {
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}
