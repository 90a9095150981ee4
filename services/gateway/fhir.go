package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"footbridge/libs/clock"
	"footbridge/libs/fhir"
	"footbridge/libs/httpx"
)

// Under /fhir the ids of a request are the caller's, and refusals are OperationOutcomes with the national codes of
// whoever passes messages on.

const fhirPath = "/fhir/"

func isFHIR(path string) bool { return strings.HasPrefix(path, fhirPath) }

// callerRequestID carries the X-Request-Id that a caller sent to the service that must mirror it: under the usual
// name goes our own.
const callerRequestID = "X-Caller-Request-Id"

// passIDs hands on the caller's request id and mirrors it.
func passIDs(w http.ResponseWriter, r, out *http.Request) {
	id := r.Header.Get("X-Request-Id")
	out.Header.Del("X-Request-Id") // ours would be taken for the caller's
	if id != "" {
		out.Header.Set(callerRequestID, id)
	}
	mirrorIDs(w, r)
}

func mirrorIDs(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id"} {
		if id := r.Header.Get(name); clock.IsID(strings.ToLower(id)) {
			w.Header().Set(name, id)
		}
	}
}

// proxyCodes are the national code and R4's issue type of each status that is answered here.
var proxyCodes = map[int][2]string{
	http.StatusBadRequest:            {"PROXY_BAD_REQUEST", "invalid"},
	http.StatusUnauthorized:          {"PROXY_UNAUTHORIZED", "login"},
	http.StatusForbidden:             {"PROXY_FORBIDDEN", "forbidden"},
	http.StatusNotFound:              {"PROXY_NOT_FOUND", "not-found"},
	http.StatusMethodNotAllowed:      {"PROXY_METHOD_NOT_ALLOWED", "not-supported"},
	http.StatusRequestEntityTooLarge: {"PROXY_BAD_REQUEST", "too-long"},
	http.StatusTooManyRequests:       {"PROXY_TOO_MANY_REQUESTS", "throttled"},
	http.StatusServiceUnavailable:    {"PROXY_UNAVAILABLE", "transient"},
	http.StatusGatewayTimeout:        {"PROXY_TIMEOUT", "timeout"},
}

// refuseFHIR answers with an OperationOutcome.
func refuseFHIR(w http.ResponseWriter, r *http.Request, p *httpx.Problem) {
	codes, known := proxyCodes[p.Status]
	if !known {
		codes = [2]string{"PROXY_SERVER_ERROR", "exception"}
	}
	body, _ := json.Marshal(fhir.NewOutcome(codes[0], fhir.NewIssue(codes[1], "", p.Detail))) // of texts alone
	header := w.Header()
	for name, values := range p.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	mirrorIDs(w, r)
	header.Del("Content-Length")
	header.Set("Content-Type", fhir.MediaType+"; fhirVersion=4.0")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the caller has gone; nobody is left to tell
}
