package threshold

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"footbridge/schemas"
)

// Facts come in pieces, in any order and more than once: the newest word on each counts, and what is left out stays.
func TestNoFactIsForgottenByBeingLeftOut(t *testing.T) {
	t.Parallel()
	type piece struct {
		at    int64
		facts schemas.Facts
		gone  []string
	}
	rapid.Check(t, func(r *rapid.T) {
		var pieces []piece
		var want schemas.Facts
		for n := range rapid.IntRange(1, 6).Draw(r, "events") {
			one := piece{at: int64(n + 1)}
			if rapid.Bool().Draw(r, "saysAge") {
				age := rapid.IntRange(10, 90).Draw(r, "age")
				one.facts.Age = &age
			}
			if rapid.Bool().Draw(r, "saysArea") {
				area := rapid.SampledFrom([]string{"E06000027", "E07000041"}).Draw(r, "area")
				one.facts.AreaResidence = &area
			} else if rapid.Bool().Draw(r, "takesAreaBack") {
				one.gone = []string{"areaResidence"}
			}
			if rapid.Bool().Draw(r, "saysChannels") {
				one.facts.Channels = []string{"video"}
			}
			pieces = append(pieces, one)
			want.Merge(one.facts, one.gone)
		}
		var known JourneyState
		for _, i := range rapid.Permutation(append(indexes(len(pieces)), indexes(len(pieces))...)).Draw(r, "order") {
			known.apply(pieces[i].at, pieces[i].facts, pieces[i].gone)
		}
		if !reflect.DeepEqual(known.Facts, want) {
			r.Fatalf("known %+v, want %+v", known.Facts, want)
		}
	})
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
