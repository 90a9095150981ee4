package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// ReadBody reads a request's body of at most limit bytes, if its content type is one of types (all types when none
// is named; "application/*+json" stands for every structured suffix of that kind). Refusals: 415 for the type, 413
// beyond the limit, 400 when the body breaks off, 503 when bodies under way hold all the memory that they may.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64, types ...string) ([]byte, error) {
	if err := checkType(r, types); err != nil {
		return nil, err
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := ReadAll(r, http.MaxBytesReader(w, r.Body, limit))
	if errors.Is(err, errNoRoom) {
		return nil, noRoom().Because(err)
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, NewProblem(http.StatusBadRequest,
			"The body broke off before its end. Send the request again.").Because(err)
	}
	return body, nil
}

func tooLarge(limit int64) *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, "The body is longer than the %d bytes taken here. Send less "+
		"at a time.", limit)
}

func checkType(r *http.Request, types []string) error {
	if len(types) == 0 {
		return nil
	}
	given, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err == nil && (charset == "" || charset == "utf-8" || charset == "us-ascii") &&
		slices.ContainsFunc(types, func(t string) bool { return typeMatches(t, given) }) {
		return nil
	}
	p := NewProblem(http.StatusUnsupportedMediaType, "The content type is not taken here. Send %s, in UTF-8.",
		strings.Join(types, " or "))
	p.Header = http.Header{"Accept-Post": {strings.Join(types, ", ")}}
	return p
}

func typeMatches(wanted, given string) bool {
	before, after, wild := strings.Cut(wanted, "*")
	if !wild {
		return wanted == given
	}
	return len(given) >= len(before)+len(after) && strings.HasPrefix(given, before) && strings.HasSuffix(given, after)
}

// ReadJSON reads a JSON body (application/json or a +json type) of at most limit bytes into a T, strictly: an
// unknown field, a second value or a wrong type is a 400 that names the field, never its content. The bytes are
// returned too, for the hash of an Idempotency.
func ReadJSON[T any](w http.ResponseWriter, r *http.Request, limit int64) (T, []byte, error) {
	var into T
	body, err := ReadBody(w, r, limit, "application/json", "application/*+json")
	if err != nil {
		return into, nil, err
	}
	return into, body, DecodeJSON(body, &into)
}

// DecodeJSON is the strict reading of ReadJSON for bytes already read.
func DecodeJSON(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badJSON(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return NewProblem(http.StatusBadRequest, "The body holds more than one JSON value. Send one.")
	}
	if HasDamagedText(body) {
		return DamagedText()
	}
	return nil
}

// DamagedText refuses a text in which letters could not be read: nothing of it may be kept, since a name or a note
// would be kept wrongly, and a NUL cannot be stored.
func DamagedText() *Problem {
	return NewProblem(http.StatusUnprocessableEntity, "A text holds letters that could not be read: bytes that are "+
		"no UTF-8, a replacement character, or NUL. Send it again in UTF-8.")
}

// HasDamagedText says whether any text in JSON, which is well-formed, holds what stands for letters that could not be
// read, or a NUL. Bytes that are no UTF-8 and halves of a pair are read as such.
func HasDamagedText(body []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if text, isText := token.(string); isText && strings.ContainsAny(text, "\x00\uFFFD") {
			return true
		}
	}
}

// badJSON says where the JSON is wrong without repeating what it says. The cause is left out on purpose: it may
// quote the body, and causes are logged.
func badJSON(err error) *Problem {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	var detail string
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		detail = fmt.Sprintf("The field %q has the wrong type: %s is expected. Correct it and send again.", wrong.Field,
			jsonKind(wrong))
	case errors.As(err, &wrong):
		detail = fmt.Sprintf("The body has the wrong type: %s is expected. Correct it and send again.", jsonKind(wrong))
	case errors.As(err, &syntax):
		detail = fmt.Sprintf("The body is not JSON at byte %d. Correct it and send again.", syntax.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		detail = "The body has a field that is not known here. Leave it out, or compare the body with /openapi.json."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		detail = "The body is empty or breaks off. Send one complete JSON value."
	default:
		detail = "The body could not be read: one of its values does not have the form expected. Compare it with " +
			"/openapi.json."
	}
	return NewProblem(http.StatusBadRequest, "%s", detail)
}

func jsonKind(wrong *json.UnmarshalTypeError) string {
	switch kind := wrong.Type.Kind().String(); kind {
	case "string", "bool":
		return "a " + kind
	case "slice", "array":
		return "a list"
	case "struct", "map":
		return "an object"
	default:
		return "a number"
	}
}

// WriteJSON answers with status and value as JSON. Answers may hold what only this caller may see, so no cache may
// keep them.
func WriteJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing answer as JSON: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-store")
	}
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller has gone; nobody is left to tell
	return nil
}
