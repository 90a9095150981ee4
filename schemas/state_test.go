package schemas

import (
	"reflect"
	"slices"
	"testing"
)

// known is a state of all kinds of values.
type known struct {
	Visits  Visits
	Contact Answered
	Course
	MustNotKnow
	Origin
}

// TestValuesEndTheSameInAnyOrder: what events say, each with its sequence, in every order, and each of them twice.
func TestValuesEndTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	said := []func(k *known){
		func(k *known) { k.Begin(1, "p", "RXX"); k.Visits.Record(1, "v", []string{FlagUnder18}) },
		func(k *known) {
			k.Visits.Withdraw(2, "v")
			k.Contact.Apply(Answered{At: 2})
			k.Take(Transition{At: 2, Held: true})
		},
		func(k *known) {
			k.Visits.Record(3, "v", nil)
			k.Visits.Change("v", func(v *Visit) { v.Leave(3, "monday"); v.Age(3, nil, []string{"age"}) })
			k.Bar(3, []string{"RYY", "RXX"})
		},
		func(k *known) {
			k.Visits.Change("v", func(v *Visit) { v.Age(4, &Facts{Age: new(17)}, nil); v.Age(5, &Facts{}, nil) })
			k.Place(4, "RYY")
			k.Bar(4, nil)
		},
		func(k *known) { k.Close(5, JourneyClosedData{AnsweredUpTo: 7}); k.Visits.Withdraw(5, "w") },
	}
	want := known{
		Visits: Visits{"v": {Recorded: 3, Withdrawn: 2, LeftOn: "monday", LeftOnAt: 3, FlagsAt: 3, Aged: true,
			FactsAt: 4}, "w": {Withdrawn: 5}},
		Contact: Answered{At: 2}, Course: Course{Transition: Transition{At: 5, Closed: true}, AnsweredUpTo: 7},
		MustNotKnow: MustNotKnow{Barred: []string{"RYY", "RXX"}, BarredAt: 3},
		Origin:      Origin{Person: "p", Sender: "RYY", PersonAt: 1, PlacedAt: 4},
	}
	for _, order := range permutations(len(said)) {
		var k known
		for _, i := range slices.Concat(order, order[:2]) {
			said[i](&k)
		}
		if !reflect.DeepEqual(k, want) {
			t.Fatalf("%v: %+v", order, k)
		}
	}
	if id, v, ok := want.Visits.Current(); id != "v" || !ok || !v.Stands() || !want.Visits.AnyWithdrawn() {
		t.Errorf("%s stands: %t", id, ok)
	}
	if barred := want.BarredBut("RXX"); !slices.Equal(barred, []string{"RYY"}) {
		t.Errorf("kept from %v", barred)
	}
}

func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, shorter := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), i, n-1))
		}
	}
	return all
}
