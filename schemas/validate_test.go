package schemas_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"footbridge/schemas"
)

// readers give the faults found in the raw data of a type: every type can be read like those from outside.
var readers = map[schemas.Type]func([]byte) []schemas.Fault{
	schemas.DischargeReported: func(raw []byte) []schemas.Fault {
		_, f := schemas.ReadDischargeReported(raw)
		return f
	},
	schemas.ReferralSubmitted: func(raw []byte) []schemas.Fault {
		_, f := schemas.ReadReferralSubmitted(raw)
		return f
	},
	schemas.DischargeRecorded:  faultsOf[schemas.DischargeRecordedData],
	schemas.PathwayDecided:     faultsOf[schemas.PathwayDecidedData],
	schemas.OfferRaised:        faultsOf[schemas.OfferRaisedData],
	schemas.BridgingProposed:   faultsOf[schemas.BridgingProposedData],
	schemas.JourneyInVoid:      faultsOf[schemas.JourneyInVoidData],
	schemas.InformationNeeded:  faultsOf[schemas.InformationNeededData],
	schemas.DischargeCorrected: faultsOf[schemas.DischargeCorrectedData],
}

func faultsOf[T any](raw []byte) []schemas.Fault {
	_, f := schemas.Read[T](raw)
	return f
}

// Values that mutations put in: the ones that readers and schemas disagree about most easily.
// Each call makes them again, as a second change may reach into the first.
func mutants() []any {
	return []any{
		nil, true, false, "", " ", "x", "X", "open", "woman", "Woman", "follow-up", "none", "yes", "2026-03-01",
		"2026-02-30", "2026-3-1", "0000-01-01", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00z", "2026-03-01t10:00:00Z",
		"2026-03-01 10:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T10:00:60Z", "2016-12-31T23:59:60Z",
		"2026-03-01T10:00:00,5Z", "2026-03-01T10:00:00.5+01:00", "2026-03-01T10:00:00+24:00", "2026-03-01T10:00Z",
		"2026-02-29T10:00:00Z", "2026-03-01T1:00:00Z", "a\x00b", "a\nb", "a\tb", "\u007f", "é", "日本", "RXX", "rxx",
		"R X",
		"E06000027", "ZZ99 3WZ", "ZZ993WZ", "SW1A1AA", "en", "en-GB", "e", "english language", "9990000018",
		"00000000-0000-7000-8000-000000000000", "00000000-0000-7000-8000-00000000000G",
		"{00000000-0000-7000-8000-000000000000}",
		"team:liaison", "team:", "nobody:x", "age", "Age", "line\n", strings.Repeat("a", 40), strings.Repeat("a", 41),
		strings.Repeat("é", 100), strings.Repeat("é", 101), strings.Repeat("a", 2001),
		json.Number("0"), json.Number("-1"), json.Number("130"), json.Number("131"), json.Number("20.0"),
		json.Number("20.5"), json.Number("2e1"), json.Number("1e30"), json.Number("-0"), json.Number("34"),
		[]any{}, []any{nil}, []any{"phone"}, []any{"phone", "phone"}, []any{"fax"}, []any{""}, []any{json.Number("1")},
		map[string]any{}, map[string]any{"x": nil},
	}
}

// TestReadAgreesWithTheSchema takes each example apart, one or two changes at a time: Read refuses exactly what the
// JSON Schema refuses.
func TestReadAgreesWithTheSchema(t *testing.T) {
	t.Parallel()
	for eventType, read := range readers {
		t.Run(eventType.File(), func(t *testing.T) {
			t.Parallel()
			schema := dataSchema(t, eventType)
			example := dataOf(t, schemas.ExampleJSON(eventType))
			refused := agree(t, schema, read, example)
			if e, _ := schemas.Lookup(eventType); !e.OnBus() {
				refused += everyChange(t, schema, read, example)
			}
			random := rand.New(rand.NewPCG(20260302, 1))
			for range 500 {
				changed := tree(t, example)
				for range 2 {
					at := places(changed)
					if len(at) > 0 {
						all := mutants()
						at[random.IntN(len(at))].put(all[random.IntN(len(all))])
					}
				}
				refused += agree(t, schema, read, encode(t, changed))
			}
			if refused == 0 {
				t.Error("nothing was refused: the changes change nothing")
			}
		})
	}
}

// everyChange puts every mutant in every place, one at a time; for what comes from outside.
func everyChange(t *testing.T, schema *jsonschema.Schema, read func([]byte) []schemas.Fault, example []byte) int {
	t.Helper()
	refused := 0
	for i := range places(tree(t, example)) {
		for _, m := range mutants() {
			changed := tree(t, example)
			places(changed)[i].put(m)
			refused += agree(t, schema, read, encode(t, changed))
		}
		for _, change := range []func(place){place.dropIt, place.shoutIt, place.growIt} {
			changed := tree(t, example)
			change(places(changed)[i])
			refused += agree(t, schema, read, encode(t, changed))
		}
	}
	return refused
}

// agree returns 1 where both refuse and 0 where both accept.
func agree(t *testing.T, schema *jsonschema.Schema, read func([]byte) []schemas.Fault, raw []byte) int {
	t.Helper()
	err := schema.Validate(tree(t, raw))
	faults := read(raw)
	if (err != nil) != (len(faults) > 0) {
		t.Fatalf("schema says %v, Read says %v, of\n%s", err, faults, raw)
	}
	if err != nil {
		return 1
	}
	return 0
}

// place is one value in a tree and the means to change it.
type place struct {
	put   func(any)
	drop  func()
	shout func() // its name in capitals, which is another name
	grow  func() // a name beside it that is not known
}

func (p place) dropIt()  { p.drop() }
func (p place) shoutIt() { p.shout() }
func (p place) growIt()  { p.grow() }

// places returns every place of a tree in a stable order.
func places(v any) []place {
	var all []place
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedNames(v) {
			all = append(all, place{
				put:   func(m any) { v[name] = m },
				drop:  func() { delete(v, name) },
				shout: func() { v[strings.ToUpper(name)] = v[name]; delete(v, name) },
				grow:  func() { v["unheardOf"] = "x" },
			})
			all = append(all, places(v[name])...)
		}
	case []any:
		for i := range v {
			nothing := func() {}
			all = append(all, place{put: func(m any) { v[i] = m }, drop: nothing, shout: nothing, grow: nothing})
			all = append(all, places(v[i])...)
		}
	}
	return all
}

func sortedNames(v map[string]any) []string {
	var names []string
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestFaultsNamePlaceProblemAndRemedy(t *testing.T) {
	t.Parallel()
	raw := `{"organisation":"rxx","visit":"V1","person":{"familyName":"Sampleperson","birthDate":"14/06/1991"},
		"arrivedAt":"yesterday","facts":{"age":"34","gender":"femme","channels":["phone","fax"],"mood":"Lowish"},
		"consents":[{"purpose":"follow-up"}]}`
	_, faults := schemas.ReadDischargeReported([]byte(raw))
	want := []string{"/arrivedAt", "/consents/0/given", "/facts", "/facts/age", "/facts/channels/1", "/facts/gender",
		"/inScope", "/organisation", "/person/birthDate"}
	var got []string
	for _, f := range faults {
		got = append(got, f.Pointer)
		if f.Problem == "" || f.Do == "" {
			t.Errorf("%s does not say what is wrong or what to do", f.Pointer)
		}
		for _, said := range []string{"rxx", "Sampleperson", "14/06", "yesterday", "femme", "fax", "mood", "Lowish"} {
			if strings.Contains(f.String(), said) {
				t.Errorf("a fault repeats what was written: %s", f)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("faults at\n%v, want\n%v", got, want)
	}
}

func TestReadTakesTheWholeReport(t *testing.T) {
	t.Parallel()
	raw := dataOf(t, schemas.ExampleJSON(schemas.DischargeReported))
	got, faults := schemas.ReadDischargeReported(raw)
	if faults != nil {
		t.Fatal(faults)
	}
	var want schemas.DischargeReportedData
	unmarshal(t, raw, &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestReadRefusesWhatIsNotOneObject(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", "[]", "1", `"x"`, "{", "{} {}", "{}x", strings.Repeat("[", 20000)} {
		if _, faults := schemas.ReadDischargeReported([]byte(raw)); len(faults) == 0 {
			t.Errorf("%.20q is taken for a report", raw)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	raw := `{"codes":[` + strings.TrimSuffix(strings.Repeat(`1,`, 10000), ",") + `]}`
	if _, faults := schemas.ReadDischargeReported([]byte(raw)); len(faults) != schemas.MostFaults {
		t.Errorf("%d faults are named", len(faults))
	}
}

func TestFactsValidateHoldsTheClosedLists(t *testing.T) {
	t.Parallel()
	if faults := (schemas.Facts{}).Validate(); faults != nil {
		t.Errorf("unknown facts are wrong: %v", faults)
	}
	text := func(s string) *string { return &s }
	old := 131
	wrong := map[string]schemas.Facts{
		"/age": {Age: &old}, "/gender": {Gender: text("female")}, "/route": {Route: text("")},
		"/assessment": {Assessment: text("yes")}, "/destination": {Destination: text("prison")},
		"/channels/1": {Channels: []string{"phone", "fax"}}, "/workerGender": {WorkerGender: text("no")},
		"/language": {Language: text("English please")}, "/areaStaying": {AreaStaying: text("ZZ993WZ")},
		"/areaResidence": {AreaResidence: text("1 Sample Street")},
		"/waitingOn/0":   {WaitingOn: []string{"the east list"}},
	}
	for pointer, facts := range wrong {
		if f := facts.Validate(); len(f) != 1 || f[0].Pointer != pointer {
			t.Errorf("%s: got %v", pointer, f)
		}
	}
}

func TestNoneIsNotUnknown(t *testing.T) {
	t.Parallel()
	for _, said := range []string{`{"waitingOn":[]}`, `{}`, `{"channels":[],"openTo":[]}`} {
		var facts schemas.Facts
		unmarshal(t, []byte(said), &facts)
		again, err := json.Marshal(facts)
		if err != nil || !reflect.DeepEqual(tree(t, again), tree(t, []byte(said))) {
			t.Errorf("%s becomes %s, %v", said, again, err)
		}
	}
}

func TestValidateFindsWhatAServiceForgot(t *testing.T) {
	t.Parallel()
	forgotten := schemas.OfferRaisedData{Offer: "1", FirstDay: "2026-03-09", LastDay: "16 March"}
	var got []string
	for _, f := range schemas.Validate(forgotten) {
		got = append(got, f.Pointer+" "+f.Problem)
	}
	want := []string{"/offer is not allowed", "/person is missing", "/partner is missing", "/lastDay is not allowed",
		"/answerBy is missing"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if f := schemas.Validate(schemas.InformationNeededData{}); len(f) != 1 {
		t.Errorf("a list that was never made: %v", f)
	}
}

// FuzzReadDischargeReported: nothing that comes in may panic, and what is accepted stays acceptable, is storable
// text, and comes out as it went in.
func FuzzReadDischargeReported(f *testing.F) {
	f.Add([]byte(`{"organisation":"RXX","visit":"1","person":{},"inScope":true}`), []byte(nil))
	f.Add([]byte(`{"facts":{"age":1e1}}`), []byte(nil))
	fuzzReading[schemas.DischargeReportedData](f, schemas.DischargeReported)
}

// FuzzReadReferralSubmitted is the same for requests.
func FuzzReadReferralSubmitted(f *testing.F) {
	f.Add([]byte(`{"organisation":"RXX","referral":"1","person":{},"route":"self"}`), []byte(nil))
	fuzzReading[schemas.ReferralSubmittedData](f, schemas.ReferralSubmitted)
}

func fuzzReading[T any](f *testing.F, kind schemas.Type) {
	example := dataOf(f, schemas.ExampleJSON(kind))
	f.Add(example, []byte(nil))
	for i := range mutants() {
		f.Add(example, []byte{byte(3 * i), byte(i)})
	}
	f.Fuzz(func(t *testing.T, raw, changes []byte) {
		raw = changedAt(raw, changes)
		data, faults := schemas.Read[T](raw)
		if len(faults) > 0 {
			for _, fault := range faults {
				if fault.Problem == "" || !utf8.ValidString(fault.Pointer) {
					t.Fatalf("fault %+v", fault)
				}
			}
			return
		}
		if v := schemas.Validate(data); v != nil {
			t.Fatalf("read without faults, and then %v", v)
		}
		written, err := json.Marshal(data)
		if err != nil || !utf8.Valid(written) || bytes.Contains(written, []byte(`\u0000`)) {
			t.Fatalf("cannot be stored: %v", err)
		}
		again, faults := schemas.Read[T](written)
		if len(faults) > 0 || !sameReport(again, data) {
			t.Fatalf("comes back as %+v, %v, was %+v", again, faults, data)
		}
	})
}

// changedAt puts mutants into JSON, each pair of bytes naming a place and a mutant: so that fuzzing gets beyond what is
// no JSON. What is none stays as it is.
func changedAt(raw, changes []byte) []byte {
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil || len(changes) < 2 {
		return raw
	}
	for n := 0; n < 6 && len(changes) >= 2; n, changes = n+1, changes[2:] {
		all := mutants()
		if at := places(tree); len(at) > 0 {
			at[int(changes[0])%len(at)].put(all[int(changes[1])%len(all)])
		}
	}
	changed, err := json.Marshal(tree)
	if err != nil {
		return raw
	}
	return changed
}

// sameReport compares as JSON: an empty list that omitempty drops is the same as none.
func sameReport(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func BenchmarkReadDischargeReported(b *testing.B) {
	raw := dataOf(b, schemas.ExampleJSON(schemas.DischargeReported))
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := schemas.ReadDischargeReported(raw); faults != nil {
			b.Fatal(faults)
		}
	}
}

func dataSchema(t *testing.T, eventType schemas.Type) *jsonschema.Schema {
	t.Helper()
	var whole map[string]any
	unmarshal(t, schemas.SchemaJSON(eventType), &whole)
	data := at(t, whole, "properties", "data")
	data["$schema"], data["$defs"] = whole["$schema"], whole["$defs"]
	return compileSchema(t, encode(t, data))
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
