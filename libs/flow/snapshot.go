package flow

import (
	"bytes"
	"sync"
)

// Snapshot is what was known of a journey when it was last looked at, as values: by it a handler notices that an event
// has changed nothing. The zero value has not looked yet.
type Snapshot []byte

var valueBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Changed lets learn take an event into known, a pointer, and says whether that changed anything that is stored.
// Between two calls nothing but learn may change what is known.
func (s *Snapshot) Changed(known any, learn func() error) (changed bool, err error) {
	if *s == nil {
		if *s, err = appendValues(nil, known); err != nil {
			return false, err
		}
	}
	if err := learn(); err != nil {
		return false, err
	}
	buffer := valueBuffers.Get().(*[]byte)
	defer valueBuffers.Put(buffer)
	after, err := appendValues((*buffer)[:0], known)
	if err != nil {
		return false, err
	}
	*buffer = after
	if bytes.Equal(*s, after) {
		return false, nil
	}
	*s = append((*s)[:0], after...)
	return true, nil
}
