package flow

import (
	"bytes"
	"encoding/json"
)

// Snapshot is what was known of a journey when it was last looked at, as JSON: by it a handler notices that an event
// has changed nothing. The zero value has not looked yet.
type Snapshot []byte

// Changed lets learn take an event into known, and says whether that changed anything. Between two calls nothing but
// learn may change what is known.
func (s *Snapshot) Changed(known any, learn func() error) (changed bool, err error) {
	if *s == nil {
		if *s, err = json.Marshal(known); err != nil {
			return false, err
		}
	}
	if err := learn(); err != nil {
		return false, err
	}
	after, err := json.Marshal(known)
	if err != nil {
		return false, err
	}
	changed = !bytes.Equal(*s, after)
	*s = after
	return changed, nil
}
