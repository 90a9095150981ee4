package httpx

import (
	"net/http"
	"strconv"
	"strings"
)

// VersionTag is the entity tag of a version: strong, since a version is one state.
func VersionTag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// CheckIfMatch refuses with 412 when the request says If-Match and none of its tags is tag; a request without the
// header passes. tag is "" when there is nothing there yet; then only a missing If-Match passes.
func CheckIfMatch(r *http.Request, tag string) error {
	given := r.Header.Values("If-Match")
	if len(given) == 0 || holdsTag(given, tag, false) {
		return nil
	}
	p := NewProblem(http.StatusPreconditionFailed, "It has changed since you read it. Read it again, look at what "+
		"changed, and send your change with the new ETag.")
	if tag != "" {
		p.Header = http.Header{"Etag": {tag}}
	}
	return p
}

// RequireIfMatch is CheckIfMatch for what must not be changed unseen: without the header it refuses with 428.
func RequireIfMatch(r *http.Request, tag string) error {
	if r.Header.Get("If-Match") == "" {
		return NewProblem(http.StatusPreconditionRequired, "This may only be changed by someone who has read it. "+
			"Read it first and send its ETag as If-Match.")
	}
	return CheckIfMatch(r, tag)
}

// NotModified sets the answer's ETag and reports whether the caller has this state already; then the answer, 304,
// has been written.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	if !holdsTag(r.Header.Values("If-None-Match"), tag, true) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// holdsTag compares as RFC 9110 says: If-Match strongly (a weak tag never matches), If-None-Match weakly.
func holdsTag(headers []string, tag string, weak bool) bool {
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			part = strings.TrimSpace(part)
			if weak {
				part = strings.TrimPrefix(part, "W/")
			}
			if tag != "" && (part == "*" || part == tag) {
				return true
			}
		}
	}
	return false
}
