package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
	"footbridge/services/intake/record"
	"footbridge/services/threshold/criteria"
)

// builder makes JSON Schemas of Go types as encoding/json writes and reads them. Named structs become components.
type builder struct {
	comments   *comments
	components object
	unsaid     []string // members of which nothing says what they mean
}

// A body is read as it stands: a name that is not known is refused, and what has to be there is said by the handler.
// An answer is written whole: what is not left out where it is empty is always there.
const (
	read    = true
	written = false
)

var (
	timeType  = reflect.TypeFor[time.Time]()
	rawType   = reflect.TypeFor[json.RawMessage]()
	countType = reflect.TypeFor[criteria.Count]()
	takesBack = []reflect.Type{reflect.TypeFor[record.Card](), reflect.TypeFor[record.Preferences]()}
)

// schema is that of a type.
func (b *builder) schema(t reflect.Type, reading bool) object {
	switch {
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t == rawType, t.Kind() == reflect.Interface:
		return object{}
	case t == countType: // a small number is not shown as it is
		return object{"type": []string{"integer", "string"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.schema(t.Elem(), reading)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": b.schema(t.Elem(), reading)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": b.schema(t.Elem(), reading)}
	case reflect.Struct:
		if t.Name() == "" || t.NumField() == 0 {
			return b.members(t, reading)
		}
		return b.component(t, reading)
	}
	panic(fmt.Sprintf("%s is nothing that JSON can say", t))
}

// component puts a named struct among the components, and refers to it.
func (b *builder) component(t reflect.Type, reading bool) object {
	name := componentName(t, reading)
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, there := b.components[name]; there {
		return ref
	}
	b.components[name] = nil // its place, where it holds itself
	b.components[name] = b.members(t, reading)
	return ref
}

// componentName is that of a type: those of package schemas have their own, others their service's before it.
func componentName(t reflect.Type, reading bool) string {
	name := t.Name()
	if list, of, generic := strings.Cut(name, "["); generic {
		of = strings.TrimSuffix(of, "]")
		pkg, local := of[:strings.LastIndex(of, ".")], of[strings.LastIndex(of, ".")+1:]
		return within(pkg) + upper(local) + list
	}
	name = within(t.PkgPath()) + upper(name)
	if reading && t.PkgPath() != "footbridge/schemas" {
		name += "Body"
	}
	return name
}

func within(pkg string) string {
	if pkg == "footbridge/schemas" {
		return ""
	}
	return upper(pkg[strings.LastIndex(pkg, "/")+1:])
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// members is the schema of a struct.
func (b *builder) members(t reflect.Type, reading bool) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous && name == "" || name == "-" || len(f.Index) > 1 && hides(t, f) {
			continue
		}
		name = cmp.Or(name, f.Name)
		properties[name] = b.member(t, f, name, reading)
		if options == "" && !reading || options == "" && t.PkgPath() == "footbridge/schemas" {
			required = append(required, name)
		}
	}
	o := object{"type": "object", "properties": properties}
	if text := b.comments.of(t, ""); text != "" && t.Name() != "" {
		o["description"] = text
	}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	if reading && t.PkgPath() != "footbridge/schemas" {
		o["additionalProperties"] = false
	}
	return o
}

// hides says whether a field of an embedded struct is hidden, or belongs to a named member.
func hides(t reflect.Type, f reflect.StructField) bool {
	for i := 1; i < len(f.Index); i++ {
		if outer := t.FieldByIndex(f.Index[:i]); !outer.Anonymous || outer.Tag.Get("json") != "" {
			return true
		}
	}
	found, _ := t.FieldByName(f.Name)
	return !slices.Equal(found.Index, f.Index)
}

// member is the schema of one field, with its meaning and what its kind demands.
func (b *builder) member(t reflect.Type, f reflect.StructField, name string, reading bool) object {
	owner := t
	if len(f.Index) > 1 {
		owner = t.FieldByIndex(f.Index[:len(f.Index)-1]).Type
		if owner.Kind() == reflect.Pointer {
			owner = owner.Elem()
		}
	}
	s := b.schema(f.Type, reading)
	inner := s
	if items, is := s["items"].(object); is {
		inner = items
	}
	if kind, known := schemas.KindNamed(f.Tag.Get("is")); known {
		demand(inner, kind)
	}
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if kind, is := s["type"].(string); is && (f.Type.Kind() == reflect.Pointer && options == "" ||
		reading && slices.Contains(takesBack, owner)) {
		s["type"] = []string{kind, "null"}
	}
	s["description"] = cmp.Or(b.comments.of(owner, f.Name), meanings[name])
	if s["description"] == "" {
		b.unsaid = append(b.unsaid, componentName(t, reading)+"."+name)
	}
	return s
}

// demand adds what a kind asks of a value.
func demand(s object, kind schemas.Kind) {
	if _, is := s["$ref"]; is {
		return
	}
	set := func(name string, value any, there bool) {
		if there {
			s[name] = value
		}
	}
	set("minimum", kind.Min, kind.Number)
	set("maximum", kind.Max, kind.Number)
	set("enum", kind.Values, len(kind.Values) > 0)
	set("format", kind.Format, kind.Format != "")
	set("maxLength", kind.MaxLength, kind.Format == "" && kind.MaxLength > 0)
	set("pattern", kind.Pattern, kind.Format == "" && kind.Pattern != "")
}

// exampleOf is a value that a schema takes: what is listed, the first of a closed list, made-up ids and times.
func (b *builder) exampleOf(s object, depth int) any {
	if ref, is := s["$ref"].(string); is {
		found, _ := b.components[ref[strings.LastIndex(ref, "/")+1:]].(object)
		return b.exampleOf(found, depth+1)
	}
	if values, is := s["enum"].([]string); is {
		return values[0]
	}
	kind, _ := s["type"].(string)
	if kinds, is := s["type"].([]string); is {
		kind = kinds[0]
	}
	switch kind {
	case "object":
		return b.exampleObject(s, depth)
	case "array":
		items, _ := s["items"].(object)
		if depth > deepest {
			return []any{}
		}
		return []any{b.exampleOf(items, depth+1)}
	case "boolean":
		return true
	case "integer", "number":
		if least, is := s["minimum"].(int); is {
			return least
		}
		return 1
	}
	return exampleText(s)
}

// deepest bounds an example of what holds itself.
const deepest = 6

func (b *builder) exampleObject(s object, depth int) any {
	whole := object{}
	properties, _ := s["properties"].(object)
	required, _ := s["required"].([]string)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if depth > deepest && !slices.Contains(required, name) {
			continue
		}
		one, _ := properties[name].(object)
		whole[name] = b.exampleOf(one, depth+1)
	}
	return whole
}

func exampleText(s object) string {
	switch s["format"] {
	case "uuid":
		return "0193a000-0000-7000-8000-000000000001"
	case "date":
		return "2026-11-09"
	case "date-time":
		return "2026-11-09T10:00:00Z"
	}
	pattern, _ := s["pattern"].(string)
	i := slices.IndexFunc(exampleTexts, func(text string) bool {
		matches, err := regexp.MatchString(pattern, text)
		return err == nil && matches
	})
	if i < 0 {
		panic("none of the examples is like " + pattern)
	}
	return exampleTexts[i]
}

// exampleTexts are looked through for the first that a pattern takes.
var exampleTexts = []string{"as-agreed", "en", "team:liaison", "RXX", "1990-01-31", "9990000018", "09:00", "area-north",
	"E06000027", "Sam", "sha256-0", "0123456789abcdef"}
