package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A state of every shape that a service's has.
type (
	inner struct {
		At   int64     `json:"at"`
		When time.Time `json:"when"`
	}
	word     string
	reported struct {
		inner
		Yes  bool     `json:"yes"`
		Tags []string `json:"tags,omitempty"`
	}
	everything struct {
		inner
		Name     word                 `json:"name,omitempty"`
		Share    float64              `json:"share,omitempty"`
		Small    uint8                `json:"small,omitempty"`
		Raw      json.RawMessage      `json:"raw,omitempty"`
		Reports  map[string]reported  `json:"reports,omitempty"`
		Counts   map[int]int64        `json:"counts,omitempty"`
		Nested   map[string][]inner   `json:"nested,omitempty"`
		Pointer  *reported            `json:"pointer,omitempty"`
		Any      any                  `json:"any,omitempty"`
		Pair     [2]int               `json:"pair"`
		Pointers map[string]*reported `json:"pointers,omitempty"`
		hidden   int
		Left     int `json:"-"`
	}
)

func drawInner(t *rapid.T) inner {
	zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 3600)}).Draw(t, "zone")
	return inner{rapid.Int64Range(0, 3).Draw(t, "at"), time.Unix(rapid.Int64Range(0, 2).Draw(t, "s"),
		rapid.Int64Range(0, 1).Draw(t, "ns")).In(zone)}
}

func drawReported(t *rapid.T) reported {
	return reported{drawInner(t), rapid.Bool().Draw(t, "yes"),
		rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ab", "b", ""}), 0, 3).Draw(t, "tags")}
}

func drawEverything(t *rapid.T) everything {
	keys := rapid.SampledFrom([]string{"", "a", "b", "ab"})
	e := everything{inner: drawInner(t), Name: word(keys.Draw(t, "name")),
		Share:   rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "share"),
		Small:   rapid.Uint8Range(0, 2).Draw(t, "small"),
		Raw:     rapid.SampledFrom([]json.RawMessage{nil, []byte("1"), []byte(`"a"`)}).Draw(t, "raw"),
		Reports: rapid.MapOfN(keys, rapid.Custom(drawReported), 0, 3).Draw(t, "reports"),
		Counts:  rapid.MapOfN(rapid.IntRange(-1, 2), rapid.Int64Range(-1, 1), 0, 3).Draw(t, "counts"),
		Nested:  rapid.MapOfN(keys, rapid.SliceOfN(rapid.Custom(drawInner), 0, 2), 0, 2).Draw(t, "nested"),
		Any:     rapid.SampledFrom([]any{nil, "a", 1.0, true}).Draw(t, "any"),
		Pair:    [2]int{rapid.IntRange(0, 1).Draw(t, "one"), rapid.IntRange(0, 1).Draw(t, "two")},
		hidden:  rapid.IntRange(0, 1).Draw(t, "hidden"), Left: rapid.IntRange(0, 1).Draw(t, "left")}
	if rapid.Bool().Draw(t, "pointer") {
		r := drawReported(t)
		e.Pointer, e.Pointers = &r, map[string]*reported{"a": &r}
	}
	return e
}

// changedSomewhere returns a copy by JSON, in which one thing may be another; or all of it.
func changedSomewhere(t *rapid.T, from everything) everything {
	if rapid.Bool().Draw(t, "all of it") {
		return drawEverything(t)
	}
	other, to := drawEverything(t), from
	field := rapid.IntRange(0, reflect.TypeFor[everything]().NumField()-1).Draw(t, "field")
	if target := reflect.ValueOf(&to).Elem().Field(field); target.CanSet() {
		target.Set(reflect.ValueOf(other).Field(field))
	}
	return to
}

// shuffled has the same entries in maps that were made in another order.
func shuffled(from everything) everything {
	to := from
	to.Reports = map[string]reported{}
	keys := []string{}
	for key := range maps.Keys(from.Reports) {
		keys = append(keys, key)
	}
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, key := range keys {
		to.Reports[key] = from.Reports[key]
	}
	return to
}

func TestValuesAreTheSameWhereTheirJSONIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := drawEverything(t)
		b := changedSomewhere(t, a)
		written, err := appendValues(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		again, other := shuffled(a), []byte(nil)
		if other, err = appendValues(nil, &again); err != nil || !bytes.Equal(written, other) {
			t.Fatalf("the same is not the same: %v", err)
		}
		if other, err = appendValues(nil, &b); err != nil {
			t.Fatal(err)
		}
		one, two := asJSON(t, a), asJSON(t, b)
		if bytes.Equal(written, other) != (one == two) {
			t.Fatalf("values are the same: %v; JSON %s\n%s", bytes.Equal(written, other), one, two)
		}
	})
}

func asJSON(t *rapid.T, v everything) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAStateThatCannotBeStoredIsAnError(t *testing.T) {
	t.Parallel()
	state := struct{ Said chan int }{}
	var s Snapshot
	if changed, err := s.Changed(&state, func() error { return nil }); err == nil {
		t.Errorf("changed: %v", changed)
	}
	if _, err := appendValues(nil, &struct{ At fmt.Stringer }{}); err != nil {
		t.Errorf("nothing behind an interface: %v", err)
	}
}
