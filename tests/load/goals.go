package load

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// goal is one of those that the issue about the core sets: a ratio within each round, and where it should be.
type goal struct {
	what   string
	rounds []float64
	wanted float64
	atMost bool // otherwise at least
}

// ratios are one variant's figure divided by another's, round by round.
func ratios[T any](ours, theirs []T, of func(T) float64) []float64 {
	rounds := make([]float64, min(len(ours), len(theirs)))
	for i := range rounds {
		rounds[i] = of(ours[i]) / of(theirs[i])
	}
	return rounds
}

func (b *bench) goals() []goal {
	rate, cpu := throughput.rate, throughput.cpuPer1000
	p50 := func(l latency) float64 { return ms(l.P50) }
	many := func(m mllpPair) float64 { return m.many.Rate }
	ours, frozen, same := b.closed(nameFootbridge), b.closed(nameReference), b.closed(nameSameRows)
	alone, ideal := b.closed(nameFlowAlone), b.closed(nameIdeal)
	return []goal{
		{"full unit, rate to the frozen reference (51 rows, commit " + frozenCommit + ")", ratios(ours, frozen, rate),
			0.95, false},
		{"rate to a reference with the same rows", ratios(ours, same, rate), 0.80, false},
		{"CPU a unit to the frozen reference", ratios(ours, frozen, cpu), 1.1, true},
		{"p50 at 200/s to the frozen reference", ratios(b.open(nameFootbridge), b.open(nameReference), p50), 1.5, true},
		{"p99 at 200/s to the frozen reference, all rounds' samples together",
			b.pooled(nameFootbridge, nameReference, 0.99), 1.5, true},
		{"libs/flow alone to a hand-written ideal: rate", ratios(alone, ideal, rate), 0.75, false},
		{"libs/flow alone: CPU", ratios(alone, ideal, cpu), 1.35, true},
		{"libs/flow alone: p50 at 200/s", ratios(b.open(nameFlowAlone), b.open(nameIdeal), p50), 1.5, true},
		{"MLLP rate to an echo that commits", ratios(b.mllp[nameFootbridge], b.mllp[nameEcho], many), 0.30, false},
		{"MLLP rate to an echo that writes the same rows", ratios(b.mllp[nameFootbridge], b.mllp[nameEchoRows], many),
			0.70, false},
		{"rate with traces kept to without", ratios(ours, b.closed(nameWithoutTraces), rate), 0.95, false},
		{fmt.Sprintf("%d journeys stored: rate to empty", b.Stored), ratios(b.onTop, b.empty, rate), 0.90, false},
	}
}

// pooled is the ratio of two variants' quantiles over the samples of all rounds.
func (b *bench) pooled(ours, theirs string, q float64) []float64 {
	all := func(name string) (samples []time.Duration) {
		for _, l := range b.open(name) {
			samples = append(samples, l.whole...)
		}
		return samples
	}
	if len(all(ours)) == 0 || len(all(theirs)) == 0 {
		return nil
	}
	return []float64{ms(quantile(all(ours), q)) / ms(quantile(all(theirs), q))}
}

// goalsGrid tells how each goal stands; those that were not measured are left out.
func (b *bench) goalsGrid() *grid {
	g := &grid{title: "The goals: ratios within each round", head: []string{"goal", "median (lowest to highest)",
		"wanted", "met"}}
	for _, goal := range b.goals() {
		middle := median(goal.rounds, func(r float64) float64 { return r })
		if math.IsNaN(middle) {
			continue
		}
		wanted, met := fmt.Sprintf(">= %.2f", goal.wanted), middle >= goal.wanted
		if goal.atMost {
			wanted, met = fmt.Sprintf("<= %.2f", goal.wanted), middle <= goal.wanted
		}
		said := "no"
		if met {
			said = "yes"
		}
		g.add(goal.what, fmt.Sprintf("%.2f (%.2f to %.2f)", middle, slices.Min(goal.rounds), slices.Max(goal.rounds)),
			wanted, said)
	}
	return g
}
