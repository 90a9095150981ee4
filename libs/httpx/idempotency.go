package httpx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// KeepIdempotency is how long an answer is remembered for a repetition.
const KeepIdempotency = 7 * 24 * time.Hour

// Idempotency is a request that may be sent twice and is done once: who sent it, to which route, under which key,
// and the MAC of its body under that key. flow.DoOnce keeps it, with the answer, in the transaction of the effect; of
// the key it keeps the hash alone (Stored), so that what a body says cannot be tried out by whoever has the rows: a
// name, a day or six digits are soon guessed, and the sender's random key is not.
type Idempotency struct {
	Principal string
	Route     string
	Key       string
	BodyMAC   [sha256.Size]byte
}

// Stored is what a key is found again by; the key does not follow from it.
func (i *Idempotency) Stored() string {
	sum := sha256.Sum256([]byte("idempotency-key " + i.Principal + " " + i.Route + " " + i.Key))
	return hex.EncodeToString(sum[:])
}

// Answer is what a request that may be sent twice is answered with: a status and JSON.
type Answer struct {
	Status int
	Body   []byte
	// Again says that this was answered before, and that nothing was done now.
	Again bool
}

// ParseIdempotency reads Idempotency-Key: 1 to 255 visible ASCII characters, in double quotes or without. Without
// the header it returns nil and no error; a malformed key, or two, is a 400. principal is whatever tells callers
// apart.
func ParseIdempotency(r *http.Request, principal string, body []byte) (*Idempotency, error) {
	given := r.Header.Values("Idempotency-Key")
	if len(given) == 0 {
		return nil, nil
	}
	key := strings.TrimSpace(given[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(given) > 1 || !validKey(key) {
		return nil, NewProblem(http.StatusBadRequest, "The Idempotency-Key is not one of 1 to 255 visible ASCII "+
			"characters. Send one, for example a UUID, and the same one when you repeat the request.")
	}
	i := &Idempotency{Principal: principal, Route: routeKey(r), Key: key}
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write(body) // never fails
	mac.Sum(i.BodyMAC[:0])
	return i, nil
}

// routeKey is the route's pattern and a hash of the path: the same key on another path is another request, since ids
// are in the path; hashed, since a path may hold a token that is kept nowhere.
func routeKey(r *http.Request) string {
	path := sha256.Sum256([]byte(r.Method + " " + r.URL.Path))
	return r.Pattern + " " + hex.EncodeToString(path[:16])
}

func validKey(key string) bool {
	if key == "" || len(key) > 255 {
		return false
	}
	for _, c := range []byte(key) {
		if c < 0x21 || c > 0x7e || c == '"' {
			return false
		}
	}
	return true
}

// Same refuses with 409 when the body now is not the body then.
func (i *Idempotency) Same(mac []byte) error {
	if hmac.Equal(i.BodyMAC[:], mac) {
		return nil
	}
	return NewProblem(http.StatusConflict, "This Idempotency-Key came before with another body. Send what you sent "+
		"then, or use a new key for a new request.")
}

// Write answers, and says in a header when that is a repetition.
func (a Answer) Write(w http.ResponseWriter) error {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	if a.Again {
		header.Set("Idempotency-Replayed", "true")
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
	return nil
}

// ReadRequest reads the body of a request that changes something, or none where it has none, and the key under which it
// is done once; principal is whatever tells callers apart. Its refusals are those of ReadBody, DecodeJSON and
// ParseIdempotency.
func ReadRequest[B any](w http.ResponseWriter, r *http.Request, limit int64, principal string) (body B,
	key *Idempotency, err error) {
	text := []byte{}
	if r.ContentLength != 0 {
		if text, err = ReadBody(w, r, limit, "application/json"); err != nil {
			return body, nil, err
		}
	}
	if len(text) > 0 {
		if err = DecodeJSON(text, &body); err != nil {
			return body, nil, err
		}
	}
	key, err = ParseIdempotency(r, principal, text)
	return body, key, err
}
