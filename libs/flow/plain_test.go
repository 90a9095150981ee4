package flow

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"footbridge/libs/clock"
)

func someEvent(data string) Event {
	now := time.Date(2026, 3, 2, 2, 40, 58, 123456000, time.UTC)
	return Event{
		ID: clock.NewID(now), Source: "/footbridge/threshold", Type: "care.footbridge.pathway.decided.v1",
		Subject: clock.NewID(now), Time: now,
		Correlation: clock.NewID(now), Causation: clock.NewID(now), Sequence: FormatSequence(3),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "vendor=1,other=a:b",
		Data: json.RawMessage(data),
	}
}

// variations are events that differ from a usual one in one attribute, plain or not.
func variations() []Event {
	texts := []string{"", " ", "a", "ä", `"`, `\`, "<b>", "a&b", "a b", "\x7f", "\n", "%41", "a%zz", "//host/x",
		"urn:a:b", "é́", "\xff", "01"}
	times := []time.Time{{}, time.Unix(0, 0), time.Date(2026, 7, 1, 12, 0, 0, 1, time.FixedZone("", 3600)),
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	datas := []string{`{}`, `{"a":"}"}`, `{"a":"\""}`, `{"a":"\\"}`, `{"a":["{",{"b":1.5e3}],"c":null}`,
		`{"a":"\u003c\u2028ä"}`}
	all := []Event{someEvent(`{}`)}
	vary := func(change func(*Event)) {
		e := someEvent(`{"a":1}`)
		change(&e)
		all = append(all, e)
	}
	for _, text := range texts {
		for _, field := range []func(*Event) *string{
			func(e *Event) *string { return &e.ID }, func(e *Event) *string { return &e.Source },
			func(e *Event) *string { return &e.Type },
			func(e *Event) *string { return &e.Subject }, func(e *Event) *string { return &e.Correlation },
			func(e *Event) *string { return &e.Causation }, func(e *Event) *string { return &e.Sequence },
			func(e *Event) *string { return &e.TraceParent }, func(e *Event) *string { return &e.TraceState },
		} {
			vary(func(e *Event) { *field(e) = text })
		}
	}
	for _, at := range times {
		vary(func(e *Event) { e.Time = at })
	}
	for _, data := range datas {
		vary(func(e *Event) { e.Data = json.RawMessage(data) })
	}
	return all
}

func TestPlainEventsAreWrittenAsTheSDKWritesThem(t *testing.T) {
	t.Parallel()
	plain := 0
	for _, e := range variations() {
		got, ok := appendPlain(nil, e)
		if !ok {
			continue
		}
		plain++
		want, err := marshalBySDK(e)
		if err != nil {
			t.Errorf("the SDK refuses %+v: %v", e, err)
		} else if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var data any
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Errorf("%s: %v", e.Data, err)
		}
	}
	if plain < 10 {
		t.Errorf("only %d events were plain; the usual ones must be", plain)
	}
}

func TestPlainEventsAreReadAsTheSDKReadsThem(t *testing.T) {
	t.Parallel()
	for _, e := range variations() {
		payload, err := marshalBySDK(e)
		if err != nil {
			continue
		}
		compareReading(t, payload)
		if written, ok := appendPlain(nil, e); ok {
			if _, ok := readPlain(written); !ok {
				t.Errorf("not read as plain: %s", written)
			}
		}
	}
}

// TestSpoiltEventsAreReadAsTheSDKReadsThem changes, removes and doubles bytes of a plain event.
func TestSpoiltEventsAreReadAsTheSDKReadsThem(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	whole, _ := appendPlain(nil, someEvent(`{"a":"b\"}","c":[1,{"d":null}]}`))
	for range 50_000 {
		spoilt := append([]byte(nil), whole...)
		for range 1 + random.IntN(3) {
			if len(spoilt) == 0 {
				break
			}
			i := random.IntN(len(spoilt))
			switch random.IntN(4) {
			case 0:
				spoilt[i] = byte(random.IntN(256))
			case 1:
				spoilt = append(spoilt[:i], spoilt[i+1:]...)
			case 2:
				spoilt = append(spoilt[:i], append([]byte{`{}[]",:\ `[random.IntN(9)]}, spoilt[i:]...)...)
			default:
				spoilt = spoilt[:max(1, i)]
			}
		}
		compareReading(t, spoilt)
	}
}

func FuzzReadPlain(f *testing.F) {
	whole, _ := appendPlain(nil, someEvent(`{"a":"b\"}","c":[1,{"d":null}]}`))
	f.Add(whole)
	f.Fuzz(func(t *testing.T, payload []byte) { compareReading(t, payload) })
}

// compareReading: what is read as plain, the SDK reads alike; save where the data is no JSON, which is found when it
// is decoded.
func compareReading(t *testing.T, payload []byte) {
	t.Helper()
	got, ok := readPlain(payload)
	if !ok {
		return
	}
	if !json.Valid(payload) {
		if json.Valid(got.Data) {
			t.Errorf("read as plain, and no JSON outside of its data: %s", payload)
		}
		return
	}
	want, err := unmarshalBySDK(payload)
	if err != nil {
		t.Errorf("the SDK refuses %s: %v", payload, err)
	} else if !reflect.DeepEqual(got, want) {
		t.Errorf("read %s\ngot  %+v\nwant %+v", payload, got, want)
	}
}

func BenchmarkWire(b *testing.B) {
	e := someEvent(
		`{"doors":[{"service":"talking-therapies","door":"open"},{"service":"community-team","door":"not-open"}]}`)
	payload, _ := appendPlain(nil, e)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			appendPlain(make([]byte, 0, 1024), e)
		}
	})
	b.Run("write by the SDK", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = marshalBySDK(e)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			readPlain(payload)
		}
	})
	b.Run("read by the SDK", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = unmarshalBySDK(payload)
		}
	})
}
