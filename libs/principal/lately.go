package principal

import (
	"crypto/ed25519"
	"sync"
	"time"
)

// A system that sends hundreds of messages a second is asserted to the same service each time, and signing and
// verifying take longer than all else that is done to let it in. What was signed or verified a moment ago is
// remembered; what it says, whose key it is and whether it is still of this time is looked at each time.

const (
	// sameFor is for how long an assertion is given again: so much sooner it ends.
	sameFor = time.Second
	// mostLately bounds what is remembered: beyond it, it is forgotten and begun again.
	mostLately = 1024
)

// lately remembers by key, boundedly.
type lately[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]V
}

func (l *lately[K, V]) get(key K) (V, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, there := l.all[key]
	return value, there
}

func (l *lately[K, V]) put(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= mostLately || l.all == nil {
		l.all = map[K]V{}
	}
	l.all[key] = value
}

// signedFor is who was asserted to whom.
type signedFor struct {
	principal Principal
	audience  string
}

// given is an assertion as it was signed.
type given struct {
	text string
	at   time.Time
}

// isSigned says whether a key signed a text, which stands with its signature in value.
func (v *Verifier) isSigned(key Key, value, text string, signature []byte) bool {
	if by, there := v.verified.get(value); there && by.Equal(key.Public) {
		return true
	}
	if !ed25519.Verify(key.Public, []byte(signedAs+text), signature) {
		return false
	}
	v.verified.put(value, key.Public)
	return true
}
