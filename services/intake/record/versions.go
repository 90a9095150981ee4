package record

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// ByName is when each of several parts was last said, by the part's name. One message says most of them at one time:
// as JSON each time stands once, with the names that it is of.
type ByName[V comparable] map[string]V

type named[V comparable] struct {
	At V        `json:"at"`
	Of []string `json:"of"`
}

// MarshalJSON is json.Marshaler's.
func (m ByName[V]) MarshalJSON() ([]byte, error) {
	var all []named[V]
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := m[name]
		i := slices.IndexFunc(all, func(n named[V]) bool { return n.At == at })
		if i < 0 {
			i, all = len(all), append(all, named[V]{At: at})
		}
		all[i].Of = append(all[i].Of, name)
	}
	return json.Marshal(all)
}

// UnmarshalJSON is json.Unmarshaler's. It also reads an object with a time for each name, as it was written before.
func (m *ByName[V]) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("{")) {
		return json.Unmarshal(text, (*map[string]V)(m))
	}
	var all []named[V]
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*m = ByName[V]{}
	for _, n := range all {
		for _, name := range n.Of {
			(*m)[name] = n.At
		}
	}
	return nil
}
