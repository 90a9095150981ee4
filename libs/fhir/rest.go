package fhir

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Rest is what a type's struct does not name, as it came. It is written out again after what the struct names.
type Rest map[string]json.RawMessage

var namedFields sync.Map // of reflect.Type to []string

// named gives the members that a struct names.
func named(t reflect.Type) []string {
	if known, ok := namedFields.Load(t); ok {
		return known.([]string)
	}
	var names []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	namedFields.Store(t, names)
	return names
}

// readRest reads the members that the struct names into bare, and all others into rest.
func readRest[T any](body []byte, bare *T, rest *Rest) error {
	if err := json.Unmarshal(body, bare); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return err
	}
	for _, name := range named(reflect.TypeFor[T]()) {
		delete(all, name)
	}
	delete(all, "resourceType")
	if len(all) > 0 {
		*rest = all
	}
	return nil
}

// writeRest writes a resource's type, if it is one, then what the struct names, then the rest in order of names.
func writeRest[T any](kind string, bare T, rest Rest) ([]byte, error) {
	body, err := json.Marshal(bare)
	if err != nil {
		return nil, err
	}
	members := [][]byte{}
	if kind != "" {
		members = append(members, []byte(`"resourceType":"`+kind+`"`))
	}
	if inner := bytes.TrimSpace(body[1 : len(body)-1]); len(inner) > 0 {
		members = append(members, inner)
	}
	names := make([]string, 0, len(rest))
	for name := range rest {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		quoted, _ := json.Marshal(name)
		members = append(members, append(append(quoted, ':'), rest[name]...))
	}
	return append(append([]byte{'{'}, bytes.Join(members, []byte{','})...), '}'), nil
}

// Words is a list of texts, of which one may be missing where an extension stands beside it: that is an empty text
// here, and null in JSON.
type Words []string

// MarshalJSON implements json.Marshaler.
func (w Words) MarshalJSON() ([]byte, error) {
	list := make([]*string, len(w))
	for i := range w {
		if w[i] != "" {
			list[i] = &w[i]
		}
	}
	return json.Marshal(list)
}
