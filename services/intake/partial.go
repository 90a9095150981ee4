package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// partial is a document of which a request says a part. Leaving a field out is not saying no: only null takes back what
// is known of it.
type partial[T any] struct {
	Value T
	// Names are the fields that are there, and whether each is taken back.
	Names map[string]bool
}

// UnmarshalJSON refuses fields that the document does not have.
func (p *partial[T]) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := errors.Join(decoder.Decode(&p.Value), json.Unmarshal(text, &raw)); err != nil {
		return err
	}
	p.Names = map[string]bool{}
	for name, value := range raw {
		p.Names[name] = string(bytes.TrimSpace(value)) == "null"
	}
	return nil
}

// over puts what the request says over what is known.
func (p partial[T]) over(known T) T {
	to, from := reflect.ValueOf(&known).Elem(), reflect.ValueOf(p.Value)
	for n := range to.NumField() {
		name, _, _ := strings.Cut(to.Type().Field(n).Tag.Get("json"), ",")
		if _, there := p.Names[name]; there {
			to.Field(n).Set(from.Field(n))
		}
	}
	return known
}

// has says whether the request speaks of a field.
func (p partial[T]) has(name string) bool {
	_, there := p.Names[name]
	return there
}
