package load

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median of what each round measured; a failed round has none.
func median[T any](rounds []T, of func(T) float64) float64 {
	if len(rounds) == 0 {
		return math.NaN()
	}
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// ratio is the median over the rounds of one variant's figure divided by another's in the same round.
func ratio[T any](ours, theirs []T, of func(T) float64) float64 {
	return median(ratios(ours, theirs, of), func(r float64) float64 { return r })
}

// grid is a table on its way to text or Markdown.
type grid struct {
	title string
	head  []string
	rows  [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "**%s**\n\n| %s |\n|%s\n", g.title, strings.Join(g.head, " | "),
		" --- |"+strings.Repeat(" ---: |", len(g.head)-1))
	for _, row := range g.rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

func (g *grid) text(b *strings.Builder) {
	widths := make([]int, len(g.head))
	all := append([][]string{g.head}, g.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	b.WriteString("\n" + g.title + "\n")
	for _, row := range all {
		for i, cell := range row {
			format := "  %*s"
			if i == 0 {
				format = "%-*s"
			}
			fmt.Fprintf(b, format, widths[i], cell)
		}
		b.WriteString("\n")
	}
}

func number(format string, f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "-"
	}
	return fmt.Sprintf(format, f)
}

func (b *bench) report() error {
	grids := []*grid{b.goalsGrid(), b.throughputGrid(), b.latencyGrid(), b.footprintGrid()}
	if g := b.storedGrid(); g != nil {
		grids = append(grids, g)
	}
	if g := b.mllpGrid(); g != nil {
		grids = append(grids, g)
	}
	var text, markdown strings.Builder
	fmt.Fprintf(&markdown, "Measured %s on %s, %d cores, Go %s, PostgreSQL %d; %d rounds of %d units; load average "+
		"%.1f at the start, %.1f at the end.\n\n",
		time.Now().Format(time.DateOnly), processor(), runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"),
		b.stage.postgres.Version(),
		b.Rounds, b.Units, b.loadAtStart, loadAverage())
	for _, g := range grids {
		g.text(&text)
		g.markdown(&markdown)
	}
	b.say("%s", text.String())
	if b.Markdown == "" {
		return nil
	}
	return between(b.Markdown, markdown.String())
}

func (b *bench) throughputGrid() *grid {
	g := &grid{title: "Throughput, closed loop, 64 connections",
		head: []string{"variant", "units/s, median (each round)", "to reference", "to straightforward",
			"CPU s per 1,000 (service, broker, PostgreSQL)", "CPU to reference", "load average"}}
	rate, cpu := throughput.rate, throughput.cpuPer1000
	for _, v := range b.variants() {
		r := b.results[v.name]
		var each, loads []string
		for _, t := range r.Closed {
			each, loads = append(each, fmt.Sprintf("%.0f", t.rate())), append(loads, fmt.Sprintf("%.0f", t.Load))
		}
		part := func(name string) float64 {
			return median(r.Closed, func(t throughput) float64 { return t.CPU[name] / t.Units * 1000 })
		}
		g.add(v.name, fmt.Sprintf("%.0f (%s)", median(r.Closed, rate), strings.Join(each, ", ")),
			number("%.2f", ratio(r.Closed, b.closed(nameReference), rate)),
			number("%.1f", ratio(r.Closed, b.closed(nameStraightforward), rate)),
			fmt.Sprintf("%.2f (%.2f, %.2f, %.2f)", median(r.Closed, cpu), part(partService), part(partBroker),
				part(partPostgres)),
			number("%.2f", ratio(r.Closed, b.closed(nameReference), cpu)), strings.Join(loads, ", "))
	}
	return g
}

func (b *bench) closed(name string) []throughput {
	if r := b.results[name]; r != nil {
		return r.Closed
	}
	return nil
}

func (b *bench) open(name string) []latency {
	if r := b.results[name]; r != nil {
		return r.Open
	}
	return nil
}

func (b *bench) latencyGrid() *grid {
	g := &grid{title: fmt.Sprintf("Latency at %d units a second, open loop, from the intended sending, ms", openRate),
		head: []string{"variant", "202: p50", "202: p99",
			"whole unit: p50", "p50 to reference", "p99", "p99.9", "CPU s per 1,000",
			"peak memory MiB (service, broker, PostgreSQL)"}}
	of := func(pick func(latency) time.Duration) func(latency) float64 {
		return func(l latency) float64 { return ms(pick(l)) }
	}
	p50 := of(func(l latency) time.Duration { return l.P50 })
	for _, v := range b.variants() {
		r := b.results[v.name]
		value := func(pick func(latency) time.Duration) string { return number("%.1f", median(r.Open, of(pick))) }
		memory := func(part string) float64 { return float64(r.Memory[part]) / (1 << 20) }
		g.add(v.name, value(func(l latency) time.Duration { return l.AcceptP50 }),
			value(func(l latency) time.Duration { return l.AcceptP99 }),
			value(func(l latency) time.Duration { return l.P50 }),
			number("%.2f", ratio(r.Open, b.open(nameReference), p50)),
			value(func(l latency) time.Duration { return l.P99 }),
			value(func(l latency) time.Duration { return l.P999 }),
			number("%.1f", median(r.Open, func(l latency) float64 { return l.CPUPer1000 })),
			fmt.Sprintf("%.0f (%.0f, %.0f, %.0f)", memory(partService)+memory(partBroker)+memory(partPostgres),
				memory(partService), memory(partBroker), memory(partPostgres)))
	}
	return g
}

// footprintGrid is what a unit leaves behind, counted.
func (b *bench) footprintGrid() *grid {
	g := &grid{title: "One unit, counted in tables, stream and consumers", head: []string{"variant", "rows", "events",
		"deliveries", "rows of delivery", "deliveries to it", "bytes of the database"}}
	for _, v := range b.variants() {
		r := b.results[v.name]
		g.add(v.name, number("%.2f", float64(r.Footprint.allRows())/r.Units),
			number("%.2f", float64(r.Footprint.events)/r.Units),
			number("%.2f", float64(r.Footprint.deliveries)/r.Units),
			number("%.2f", float64(r.Footprint.beside.rows)/r.Units),
			number("%.2f", float64(r.Footprint.beside.deliveries)/r.Units),
			number("%.0f", float64(r.Footprint.bytes)/r.Units))
	}
	return g
}

func (b *bench) storedGrid() *grid {
	if len(b.onTop) == 0 {
		return nil
	}
	g := &grid{title: fmt.Sprintf("On top of %d stored journeys, in turn with an empty database", b.Stored),
		head: []string{"journeys stored", "units/s", "CPU s per 1,000", "rate to empty", "CPU to empty"}}
	rate, cpu := throughput.rate, throughput.cpuPer1000
	g.add("0", number("%.0f", median(b.empty, rate)), number("%.2f", median(b.empty, cpu)), "1", "1")
	g.add(fmt.Sprint(b.Stored), number("%.0f", median(b.onTop, rate)), number("%.2f", median(b.onTop, cpu)),
		number("%.2f", ratio(b.onTop, b.empty, rate)), number("%.2f", ratio(b.onTop, b.empty, cpu)))
	return g
}

func (b *bench) mllpGrid() *grid {
	if len(b.mllp[nameFootbridge]) == 0 {
		return nil
	}
	g := &grid{title: "MLLP, beside a bare server that commits each message and answers AA",
		head: []string{"variant", "messages/s, 64 connections", "to echo",
			"one connection: p50 ms", "to echo", "p99 ms"}}
	rate, p50 := func(m mllpPair) float64 { return m.many.Rate }, func(m mllpPair) float64 { return ms(m.one.P50) }
	for _, name := range b.doorNames() {
		all := b.mllp[name]
		g.add(name, number("%.0f", median(all, rate)), number("%.2f", ratio(all, b.mllp[nameEcho], rate)),
			number("%.2f", median(all, p50)),
			number("%.2f", ratio(all, b.mllp[nameEcho], p50)),
			number("%.2f", median(all, func(m mllpPair) float64 { return ms(m.one.P99) })))
	}
	g.add("parsing, MB/s (a look at each byte once: "+number("%.0f", b.scan/1e6)+")", number("%.0f", b.parse/1e6),
		number("%.2f", b.parse/b.scan), "", "", "")
	return g
}

// The markers between which the table stands in the document.
const (
	beginMark = "<!-- begin: make bench -->"
	endMark   = "<!-- end: make bench -->"
)

func between(file, content string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("%s has no lines %s and %s to put the table between", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+content+endMark+after), 0o644)
}

func processor() string {
	content, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	_, rest, _ := strings.Cut(string(content), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	return cmp.Or(strings.TrimSpace(strings.TrimLeft(name, "\t :")), "an unknown processor")
}
