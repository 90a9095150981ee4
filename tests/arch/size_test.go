package arch

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/schemas"
)

// mostBytes is what no event takes, with everything around its data.
const mostBytes = 8 << 10

// whole are lists whose schema allows more than is ever told, and how many that is. Who must not know is bounded to a
// hundred by every way in; where records that are joined name more between them, EVERYBODY is told
// (TestMoreThanAListMayHoldKeepsEverybodyOut).
var whole = map[string]int{"MustNotKnow": 100}

// TestNoEventTakesEightKilobytes builds the largest form of each event that its schema allows, as it is published. What
// comes in from outside is longer, is answered over HTTP and is never published.
func TestNoEventTakesEightKilobytes(t *testing.T) {
	t.Parallel()
	for _, entry := range schemas.Registry() {
		if !entry.OnBus() {
			continue
		}
		t.Run(entry.Type.File(), func(t *testing.T) {
			t.Parallel()
			value := reflect.New(entry.Data).Elem()
			grow(t, value, "", entry.Type.File())
			if faults := schemas.Validate(value.Interface()); len(faults) > 0 {
				t.Fatalf("the largest form is not legal: %v", faults)
			}
			data, err := json.Marshal(value.Interface())
			if err != nil {
				t.Fatal(err)
			}
			event, err := flow.Marshal(enveloped(entry.Type, data))
			if err != nil {
				t.Fatal(err)
			}
			if len(event) >= mostBytes {
				t.Errorf("takes up to %d bytes: %d of data", len(event), len(data))
			}
		})
	}
}

// enveloped is an event with attributes as long as they may be: the trace state that W3C asks all to carry has 512.
func enveloped(kind schemas.Type, data json.RawMessage) flow.Event {
	const id = "0193a000-0000-7000-8000-000000000001"
	return flow.Event{ID: id, Source: "/footbridge/threshold", Type: string(kind), Subject: id, Time: longest,
		Correlation: id, Causation: id,
		Sequence:    flow.FormatSequence(999_999_999_999),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		TraceState:  "k=" + strings.Repeat("v", 510), Data: data}
}

// longest is a time that takes as many characters as any.
var longest = time.Date(2026, 10, 10, 10, 10, 10, 123456789, time.FixedZone("", 3600))

// grow fills a value with the most that its tag allows.
func grow(t *testing.T, v reflect.Value, tag reflect.StructTag, at string) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(longest))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		grow(t, v.Elem(), tag, at)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			grow(t, v.Field(i), field.Tag, at+"."+field.Name)
		}
	case v.Kind() == reflect.Slice:
		_, most, _ := strings.Cut(tag.Get("items"), ",")
		n, err := strconv.Atoi(most)
		if err != nil {
			t.Fatalf("%s: a list without a bound", at)
		}
		if most, ok := whole[at[strings.LastIndex(at, ".")+1:]]; ok {
			n = most
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			grow(t, v.Index(i), tag, at)
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(false)
	case v.Kind() == reflect.Int:
		kind, _ := schemas.KindNamed(tag.Get("is"))
		v.SetInt(int64(kind.Max))
	case v.Kind() == reflect.String:
		v.SetString(longestText(t, tag.Get("is"), at))
	default:
		t.Fatalf("%s is of no kind that events have", at)
	}
	if v.Kind() == reflect.Bool && !strings.Contains(tag.Get("json"), "omit") {
		return // false is longer than true, where it is written
	}
	if v.Kind() == reflect.Bool {
		v.SetBool(true)
	}
}

// longestText is a text of a kind that takes as many bytes as any.
func longestText(t *testing.T, name, at string) string {
	t.Helper()
	kind, ok := schemas.KindNamed(name)
	if !ok {
		t.Fatalf("%s: no kind called %q", at, name)
	}
	tries := append([]string{"0193a000-0000-7000-8000-000000000001", "2026-10-10", "ABCDEFGHIJKL"}, kind.Values...)
	for n := range kind.MaxLength {
		for _, unit := range []string{"<", "\U0001F600", "a", "a1-"} { // of six bytes in JSON, of four, of one
			tries = append(tries, strings.Repeat(unit, n+1), "partner:"+strings.Repeat(unit, n+1))
		}
		tries = append(tries, "en"+strings.Repeat("-abcdefgh", n))
	}
	best, most := "", 0
	for _, text := range tries {
		if written, err := json.Marshal(text); err == nil && len(written) > most && kind.Allows(text) {
			best, most = text, len(written)
		}
	}
	if best == "" {
		t.Fatalf("%s: no text of kind %q was found", at, name)
	}
	return best
}
