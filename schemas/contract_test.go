package schemas_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"footbridge/schemas"
	"footbridge/schemas/internal/compat"
)

// The contract: Go type, schema and example of every event hold together, in both directions, and what has been
// promised for a major version stays.

func TestEveryConstantHasEntrySchemaAndExample(t *testing.T) {
	t.Parallel()
	constants := typeConstants(t)
	if len(constants) == 0 {
		t.Fatal("no constant of type Type found in types.go")
	}
	for _, c := range constants {
		if _, ok := schemas.Lookup(c); !ok {
			t.Errorf("%s is a constant and not in the registry", c)
		}
		if schemas.SchemaJSON(c) == nil || schemas.ExampleJSON(c) == nil {
			t.Errorf("%s has no schema or no example", c)
		}
	}
	var registered []schemas.Type
	for _, e := range schemas.Registry() {
		registered = append(registered, e.Type)
	}
	if !slices.Equal(constants, registered) {
		t.Errorf("registry and constants differ in content or order:\n%v\n%v", registered, constants)
	}
}

func TestNoSchemaOrExampleIsLeftOver(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"events/*", "examples/*", "baseline/*/*"} {
		files, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".json"), ".schema")
			if _, ok := schemas.Lookup(schemas.Type(schemas.TypePrefix + name)); !ok && name != "facts" {
				t.Errorf("%s belongs to no event type", file)
			}
		}
	}
}

func TestExampleHoldsWithSchemaAndGoType(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Registry() {
		t.Run(e.Type.File(), func(t *testing.T) {
			t.Parallel()
			example := schemas.ExampleJSON(e.Type)
			if err := compileSchema(t, schemas.SchemaJSON(e.Type)).Validate(tree(t, example)); err != nil {
				t.Fatalf("the example is refused by its schema: %v", err)
			}
			data := dataOf(t, example)
			v := reflect.New(e.Data)
			d := json.NewDecoder(bytes.NewReader(data))
			d.DisallowUnknownFields()
			if err := d.Decode(v.Interface()); err != nil {
				t.Fatalf("the example does not decode into %s: %v", e.Data, err)
			}
			again, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(tree(t, again), tree(t, data)) {
				t.Errorf("the example changes on its way through %s:\n%s\n%s", e.Data, data, again)
			}
			if faults := schemas.Validate(v.Interface()); faults != nil {
				t.Errorf("Validate finds faults in the example: %v", faults)
			}
		})
	}
}

// An example that leaves an optional field out would not show that schema and Go type agree about it.
func TestExamplesSayEveryField(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, e := range schemas.Registry() {
		collect(tree(t, dataOf(t, schemas.ExampleJSON(e.Type))), e.Data, said)
	}
	for name := range goFields(t) {
		if !said[name] {
			t.Errorf("no example says %s", name)
		}
	}
}

func TestGoFieldsAndSchemaFieldsAreTheSame(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Registry() {
		var schema map[string]any
		unmarshal(t, schemas.SchemaJSON(e.Type), &schema)
		compareFields(t, e.Type.File(), e.Data, schema, at(t, schema, "properties", "data"))
	}
	var facts map[string]any
	unmarshal(t, schemas.FactsSchemaJSON(), &facts)
	compareFields(t, "facts", reflect.TypeFor[schemas.Facts](), facts, facts)
}

func compareFields(t *testing.T, where string, g reflect.Type, root, s map[string]any) {
	t.Helper()
	if ref, ok := s["$ref"].(string); ok {
		s = at(t, root, "$defs", strings.TrimPrefix(ref, "#/$defs/"))
	}
	properties := at(t, s, "properties")
	var inGo, required []string
	for f := range g.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inGo = append(inGo, name)
		if options == "" {
			required = append(required, name)
		}
		p, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s/%s is in the Go struct and not in the schema", where, name)
			continue
		}
		if p["description"] == nil {
			t.Errorf("%s/%s has no description", where, name)
		}
		below, ft := p, f.Type
		if ft.Kind() == reflect.Slice {
			below, ft = at(t, p, "items"), ft.Elem()
		}
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && ft != reflect.TypeFor[time.Time]() {
			compareFields(t, where+"/"+name, ft, root, below)
		}
	}
	for name := range properties {
		if !slices.Contains(inGo, name) {
			t.Errorf("%s/%s is in the schema and not in the Go struct", where, name)
		}
	}
	var demanded []string
	list, _ := s["required"].([]any)
	for _, name := range list {
		demanded = append(demanded, name.(string))
	}
	if !slices.Equal(demanded, required) {
		t.Errorf("%s requires %v, the Go struct always says %v", where, demanded, required)
	}
	if closed := s["additionalProperties"] == false; closed != (g == reflect.TypeFor[schemas.Facts]()) {
		t.Errorf("%s: only the list of facts is closed", where)
	}
}

func TestEveryTextAndNumberHasAKind(t *testing.T) {
	t.Parallel()
	for name, f := range goFields(t) {
		ft := f.Type
		if ft.Kind() == reflect.Slice || ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		kind, ok := schemas.KindNamed(f.Tag.Get("is"))
		if wanted := ft.Kind() == reflect.String || ft.Kind() == reflect.Int; wanted != ok {
			t.Errorf("%s: has a kind %v, needs one %v", name, ok, wanted)
		}
		if ok && kind.Do == "" {
			t.Errorf("%s: its kind does not say what to do", name)
		}
	}
}

func TestNoReleasesPromiseIsBroken(t *testing.T) {
	t.Parallel()
	promised, err := filepath.Glob("baseline/*/*.json")
	if err != nil || len(promised) < 35 {
		t.Fatalf("%d promises are kept: %v", len(promised), err)
	}
	for _, file := range promised {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "facts" {
			noBreak(t, file, schemas.FactsSchemaJSON(), compat.Subscribed)
			continue
		}
		e, ok := schemas.Lookup(schemas.Type(schemas.TypePrefix + name))
		if !ok {
			t.Errorf("%s was promised and is gone", file)
			continue
		}
		direction := compat.Subscribed
		if e.OnBus() {
			direction = compat.Emitted
		}
		noBreak(t, file, schemas.SchemaJSON(e.Type), direction)
	}
}

func noBreak(t *testing.T, baseline string, newer []byte, d compat.Direction) {
	t.Helper()
	older, err := os.ReadFile(baseline)
	if err != nil {
		t.Errorf("what is promised is not kept: %v", err)
		return
	}
	breaks, err := compat.Breaking(older, newer, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaks {
		t.Errorf("%s is broken, make a new major version: %s", baseline, b)
	}
}

// What a breaking change looks like: each is planted into a schema as published, and must be named.
func TestPlantedBreakingChangesAreNamed(t *testing.T) {
	t.Parallel()
	planted := map[string]struct {
		in    schemas.Type
		plant func(data, defs map[string]any)
		want  string
	}{
		"a field is removed": {schemas.OfferRaised, func(data, _ map[string]any) {
			delete(data["properties"].(map[string]any), "late")
		}, "/data/late: the field is removed"},
		"a field is renamed": {schemas.OfferRaised, func(data, _ map[string]any) {
			p := data["properties"].(map[string]any)
			p["lateNow"] = p["late"]
			delete(p, "late")
		}, "/data/late: the field is removed"},
		"a field is newly required": {schemas.DischargeReported, func(data, _ map[string]any) {
			data["required"] = append(data["required"].([]any), "leftAt")
		}, "/data/leftAt: the field is newly required"},
		"a type is narrowed": {schemas.DischargeRecorded, func(data, _ map[string]any) {
			data["properties"].(map[string]any)["leftAt"].(map[string]any)["type"] = "string"
		}, "/data/leftAt: the type null is no longer allowed"},
		"a type is another": {schemas.BridgingProposed, func(data, _ map[string]any) {
			data["properties"].(map[string]any)["minutes"].(map[string]any)["type"] = "string"
		}, "/data/minutes: the type integer is no longer allowed"},
		"a value is removed, deep in the facts": {schemas.DischargeRecorded, func(_, defs map[string]any) {
			gender := defs["Facts"].(map[string]any)["properties"].(map[string]any)["gender"].(map[string]any)
			gender["enum"] = gender["enum"].([]any)[:3]
		}, "/data/facts/gender: the value not-said is no longer allowed"},
		"a bound is tightened": {schemas.DischargeReported, func(data, _ map[string]any) {
			data["properties"].(map[string]any)["visit"].(map[string]any)["maxLength"] = 20
		}, "/data/visit: maxLength is lower"},
		"readers lose what was always there": {schemas.OfferRaised, func(data, _ map[string]any) {
			data["required"] = data["required"].([]any)[1:]
		}, "/data/offer: the field is no longer always there, readers rely on it"},
	}
	for name, p := range planted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := schemas.Lookup(p.in)
			direction := compat.Subscribed
			if e.OnBus() {
				direction = compat.Emitted
			}
			breaks, err := compat.Breaking(schemas.SchemaJSON(p.in), plant(t, p.in, p.plant), direction)
			if err != nil || !slices.Contains(breaks, p.want) {
				t.Errorf("got %v, %v, want %q", breaks, err, p.want)
			}
		})
	}
}

func TestAdditionsBreakNothing(t *testing.T) {
	t.Parallel()
	newer := plant(t, schemas.OfferWithdrawn, func(data, _ map[string]any) {
		p := data["properties"].(map[string]any)
		p["place"] = map[string]any{"type": "string"}
		reason := p["reason"].(map[string]any)
		reason["enum"] = append(reason["enum"].([]any), "another")
	})
	breaks, err := compat.Breaking(schemas.SchemaJSON(schemas.OfferWithdrawn), newer, compat.Emitted)
	if err != nil || len(breaks) > 0 {
		t.Errorf("an optional field and a new value are named as breaking: %v, %v", breaks, err)
	}
}

func plant(t *testing.T, in schemas.Type, change func(data, defs map[string]any)) []byte {
	t.Helper()
	var s map[string]any
	unmarshal(t, schemas.SchemaJSON(in), &s)
	defs, _ := s["$defs"].(map[string]any)
	change(at(t, s, "properties", "data"), defs)
	changed, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// Words that would say, in a place anyone may log, why somebody was in A&E or that they are cared for.
var clinical = regexp.MustCompile(`(?i)harm|suicid|overdos|self.?injur|mental|psych|therap|clinic|diagnos|patient|` +
	`hospital|ward|crisis|death|died|poison|cut|nhs|medic|symptom|illness|risk`)

var typeShape = regexp.MustCompile(`^care\.footbridge\.[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*$`)

func TestTypesAndSubjectsSayNothingClinical(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Registry() {
		if !typeShape.MatchString(string(e.Type)) {
			t.Errorf("%s does not have the shape %s", e.Type, typeShape)
		}
		for _, open := range []string{string(e.Type), e.Type.SubjectFilter()} {
			if word := clinical.FindString(open); word != "" {
				t.Errorf("%s carries the word %q", open, word)
			}
		}
	}
	for _, r := range schemas.Routes() {
		if word := clinical.FindString(r.Pattern); word != "" {
			t.Errorf("%s carries the word %q", r.Pattern, word)
		}
	}
	for _, key := range schemas.AllowedAttributes {
		if word := clinical.FindString(key); word != "" {
			t.Errorf("attribute %s carries the word %q", key, word)
		}
	}
}

var (
	graded = regexp.MustCompile(`(?i)risk|score|level|band|severity|priority|grade|rating|tier`)
	// Names that identify somebody, or say something about them in free text.
	identity = regexp.MustCompile(`(?i)name$|^nhs|local.?id|birth|^dob|phone|mobile|e.?mail|address|post.?code|` +
		`surname|forename|mrn|free.?text|notes?$|comment`)
)

func TestNoFieldGradesAPerson(t *testing.T) {
	t.Parallel()
	for name, f := range goFields(t) {
		if graded.MatchString(f.Name) || graded.MatchString(f.Tag.Get("json")) {
			t.Errorf("%s grades a person", name)
		}
	}
	for _, file := range publishedJSON(t) {
		eachName(tree(t, mustRead(t, file)), func(name string) {
			if graded.MatchString(name) {
				t.Errorf("%s has a field %q, which grades a person", file, name)
			}
		})
	}
}

func TestOnlyWhatComesFromOutsideIdentifies(t *testing.T) {
	t.Parallel()
	serviceName := map[string]bool{"ServiceDoor.Name": true} // a service's published name, nobody's own
	for _, e := range schemas.Registry() {
		found := 0
		eachField(e.Data, func(name string, f reflect.StructField) {
			if !identity.MatchString(strings.Split(f.Tag.Get("json"), ",")[0]) || serviceName[name] {
				return
			}
			if found++; e.OnBus() {
				t.Errorf("%s goes on the bus and says %s", e.Type, name)
			}
		})
		if !e.OnBus() && found == 0 {
			t.Errorf("%s identifies nobody: the words looked for are wrong", e.Type)
		}
	}
}

func typeConstants(t *testing.T) []schemas.Type {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []schemas.Type
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Type" {
			for _, v := range spec.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, schemas.Type(text))
			}
		}
		return true
	})
	return found
}

// goFields returns every field of every event's data, by "Struct.Field".
func goFields(t *testing.T) map[string]reflect.StructField {
	t.Helper()
	all := map[string]reflect.StructField{}
	for _, e := range schemas.Registry() {
		eachField(e.Data, func(name string, f reflect.StructField) { all[name] = f })
	}
	return all
}

func eachField(g reflect.Type, say func(string, reflect.StructField)) {
	for f := range g.Fields() {
		say(g.Name()+"."+f.Name, f)
		if below := under(f.Type); below != nil {
			eachField(below, say)
		}
	}
}

// under returns the struct that a type holds, if it is one of ours.
func under(g reflect.Type) reflect.Type {
	if g.Kind() == reflect.Slice || g.Kind() == reflect.Pointer {
		g = g.Elem()
	}
	if g.Kind() != reflect.Struct || g == reflect.TypeFor[time.Time]() {
		return nil
	}
	return g
}

// collect marks the fields of g that the tree says.
func collect(v any, g reflect.Type, said map[string]bool) {
	if list, ok := v.([]any); ok {
		for _, below := range list {
			collect(below, g, said)
		}
		return
	}
	object, _ := v.(map[string]any)
	for f := range g.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		below, ok := object[name]
		if !ok {
			continue
		}
		said[g.Name()+"."+f.Name] = true
		if holds := under(f.Type); holds != nil {
			collect(below, holds, said)
		}
	}
}

func publishedJSON(t *testing.T) []string {
	t.Helper()
	files := []string{"facts.schema.json", "asyncapi.json"}
	for _, pattern := range []string{"events/*.json", "examples/*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func eachName(v any, say func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, below := range v {
			say(name)
			eachName(below, say)
		}
	case []any:
		for _, below := range v {
			eachName(below, say)
		}
	}
}

func compileSchema(t testing.TB, schema []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://footbridge.invalid/schema", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("https://footbridge.invalid/schema")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func dataOf(t testing.TB, event []byte) []byte {
	t.Helper()
	var e struct{ Data json.RawMessage }
	unmarshal(t, event, &e)
	return e.Data
}

func tree(t testing.TB, raw []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return v
}

func unmarshal(t testing.TB, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func at(t *testing.T, v map[string]any, path ...string) map[string]any {
	t.Helper()
	for _, name := range path {
		below, ok := v[name].(map[string]any)
		if !ok {
			t.Fatalf("nothing at %v", path)
		}
		v = below
	}
	return v
}
