package traces

import (
	"cmp"
	"slices"
	"time"
)

// day is a day of UTC and what is kept of it.
type day struct {
	at    time.Time
	bytes int64
}

// keepFrom is the first day that is kept: not before keep, and none for which there is no room beside the later ones.
// Today is always kept; full says that it alone takes more than bytes.
func keepFrom(days []day, now time.Time, keep time.Duration, bytes int64) (first time.Time, full bool) {
	today := now.UTC().Truncate(24 * time.Hour)
	first = today
	oldest := now.Add(-keep).UTC().Truncate(24 * time.Hour)
	slices.SortFunc(days, func(a, b day) int { return b.at.Compare(a.at) })
	for _, d := range days {
		bytes -= d.bytes
		switch {
		case !d.at.Before(today):
			full = bytes < 0
		case d.at.Before(oldest) || bytes < 0:
			return first, full
		default:
			first = d.at
		}
	}
	return first, full
}

// Bar is a range of durations and how much of what was found took as long.
type Bar struct {
	// From is where it begins, in microseconds, included.
	From int64 `json:"from"`
	// To is where it ends, not included; 0 in the last, which does not end.
	To int64 `json:"to"`
	// Count is how many took as long.
	Count int `json:"count"`
	// Failed is how many of those failed.
	Failed int `json:"failed"`
}

// bounds are where the bars of the histogram begin, in microseconds.
var bounds = []int64{0, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000}

// histogram counts what was found by how long it took.
func histogram(found []Found) []Bar {
	bars := make([]Bar, len(bounds))
	for i, from := range bounds {
		bars[i].From = from
		if i > 0 {
			bars[i-1].To = from
		}
	}
	for _, f := range found {
		i := len(bounds) - 1
		for f.Micros < bounds[i] && i > 0 {
			i--
		}
		bars[i].Count++
		if f.Failed {
			bars[i].Failed++
		}
	}
	return bars
}

// Work is what was found of one kind of work of one service.
type Work struct {
	// Service did it.
	Service string `json:"service"`
	// Work is its kind: the name of its spans.
	Work string `json:"work"`
	// Count is how many were found.
	Count int `json:"count"`
	// Failed is how many of those failed.
	Failed int `json:"failed"`
	// Median is within how many microseconds half of them ended.
	Median int64 `json:"median"`
	// P95 is within how many microseconds nineteen of twenty ended.
	P95 int64 `json:"p95"`
	// Longest is how many microseconds the longest took.
	Longest int64 `json:"longest"`
}

// byWork sums what was found up by service and kind of work, that which took the longest first.
func byWork(found []Found) []Work {
	type kind struct{ service, work string }
	took, failed := map[kind][]int64{}, map[kind]int{}
	for _, f := range found {
		k := kind{f.Service, f.Work}
		took[k] = append(took[k], f.Micros)
		if f.Failed {
			failed[k]++
		}
	}
	works := []Work{}
	for k, all := range took {
		slices.Sort(all)
		at := func(part int) int64 { return all[(len(all)*part+99)/100-1] }
		works = append(works, Work{Service: k.service, Work: k.work, Count: len(all), Failed: failed[k],
			Median: at(50), P95: at(95), Longest: all[len(all)-1]})
	}
	slices.SortFunc(works, func(a, b Work) int {
		return cmp.Or(cmp.Compare(b.P95, a.P95), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Work, b.Work))
	})
	return works
}
