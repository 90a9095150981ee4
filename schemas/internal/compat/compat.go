// Package compat finds what a newer JSON Schema breaks that an older one promised, within one major version of an
// event type.
//
// It compares two schemas of this repository's own making: objects with properties, required, $defs and $ref; texts
// with enum, const, pattern, format and length; numbers with bounds; arrays with items. It promises to name each
// field removed, type or bound narrowed, field newly required and value no longer allowed. What only loosens is
// allowed, but for events that Footbridge says itself (Said) readers rely on what is always there: there a field
// may not stop being required, and a type may not widen.
package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Direction is who writes the events: with Taken others do, with Said Footbridge does.
type Direction int

// The directions.
const (
	Subscribed Direction = iota
	Emitted
)

// Breaking returns what newer breaks of older, one line each with the place as a JSON pointer into an event, in a
// stable order; none when every event and every reader of the older schema stays right. It fails when either is not
// a JSON object.
func Breaking(older, newer []byte, d Direction) ([]string, error) {
	c := comparison{direction: d, seen: map[string]bool{}}
	if err := json.Unmarshal(older, &c.older); err != nil {
		return nil, fmt.Errorf("reading the older schema: %w", err)
	}
	if err := json.Unmarshal(newer, &c.newer); err != nil {
		return nil, fmt.Errorf("reading the newer schema: %w", err)
	}
	c.schema(c.older, c.newer, "")
	return c.breaks, nil
}

type object = map[string]any

type comparison struct {
	direction    Direction
	older, newer object
	seen         map[string]bool // pairs of definitions under comparison, as definitions may hold themselves
	breaks       []string
}

func (c *comparison) report(at, format string, args ...any) {
	if at == "" {
		at = "/"
	}
	c.breaks = append(c.breaks, at+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) schema(older, newer object, at string) {
	oldRef, _ := older["$ref"].(string)
	newRef, _ := newer["$ref"].(string)
	if oldRef != "" && newRef != "" {
		pair := oldRef + " " + newRef + " " + at
		if c.seen[pair] || strings.Count(at, "/") > 20 {
			return
		}
		c.seen[pair] = true
	}
	older, newer = resolve(c.older, older), resolve(c.newer, newer)
	c.types(older, newer, at)
	c.values(older, newer, at)
	c.bounds(older, newer, at)
	c.properties(older, newer, at)
	c.required(older, newer, at)
	c.items(older, newer, at)
}

func resolve(root, s object) object {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	defs, _ := root["$defs"].(object)
	def, _ := defs[strings.TrimPrefix(ref, "#/$defs/")].(object)
	return def
}

func (c *comparison) types(older, newer object, at string) {
	was, is := names(older["type"]), names(newer["type"])
	if len(is) > 0 && len(was) == 0 {
		c.report(at, "the type is narrowed to %s", strings.Join(is, " or "))
		return
	}
	for _, t := range was {
		if len(is) > 0 && !slices.Contains(is, t) && (t != "integer" || !slices.Contains(is, "number")) {
			c.report(at, "the type %s is no longer allowed", t)
		}
	}
	for _, t := range is {
		if c.direction == Emitted && !slices.Contains(was, t) {
			c.report(at, "the type %s is new, readers do not expect it", t)
		}
	}
	if c.direction == Emitted && len(was) > 0 && len(is) == 0 {
		c.report(at, "the type is no longer said")
	}
}

func (c *comparison) values(older, newer object, at string) {
	was, _ := older["enum"].([]any)
	is, closed := newer["enum"].([]any)
	if closed && was == nil {
		c.report(at, "the list of values is newly closed")
	}
	for _, v := range was {
		if closed && !slices.Contains(is, v) {
			c.report(at, "the value %v is no longer allowed", v)
		}
	}
	if v, ok := newer["const"]; ok && !reflect.DeepEqual(v, older["const"]) {
		c.report(at, "the constant value changed")
	}
}

func (c *comparison) bounds(older, newer object, at string) {
	for _, keyword := range []string{"pattern", "format", "not", "propertyNames"} {
		if is, ok := newer[keyword]; ok && !reflect.DeepEqual(is, older[keyword]) {
			c.report(at, "%s is new or changed", keyword)
		}
	}
	for _, keyword := range []string{"maxLength", "maximum", "maxItems"} {
		if is, ok := newer[keyword].(float64); ok {
			if was, ok := older[keyword].(float64); !ok || is < was {
				c.report(at, "%s is lower", keyword)
			}
		}
	}
	for _, keyword := range []string{"minLength", "minimum", "minItems"} {
		if is, ok := newer[keyword].(float64); ok {
			if was, ok := older[keyword].(float64); !ok || is > was {
				c.report(at, "%s is higher", keyword)
			}
		}
	}
}

func (c *comparison) properties(older, newer object, at string) {
	was, _ := older["properties"].(object)
	is, _ := newer["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(was)) {
		below, ok := is[name].(object)
		if !ok {
			c.report(at+"/"+name, "the field is removed")
			continue
		}
		c.schema(was[name].(object), below, at+"/"+name)
	}
	if newer["additionalProperties"] == false && older["additionalProperties"] != false {
		c.report(at, "the list of fields is newly closed")
	}
}

func (c *comparison) required(older, newer object, at string) {
	was, is := names(older["required"]), names(newer["required"])
	for _, name := range is {
		if !slices.Contains(was, name) {
			c.report(at+"/"+name, "the field is newly required")
		}
	}
	for _, name := range was {
		if c.direction == Emitted && !slices.Contains(is, name) {
			c.report(at+"/"+name, "the field is no longer always there, readers rely on it")
		}
	}
}

func (c *comparison) items(older, newer object, at string) {
	was, _ := older["items"].(object)
	is, ok := newer["items"].(object)
	if ok {
		c.schema(was, is, at+"/0")
	}
}

// names returns a keyword that is one text or a list of them.
func names(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, name := range v {
			all = append(all, fmt.Sprint(name))
		}
		return all
	}
	return nil
}
