package gateway

import (
	"encoding/json"
	"net/http"
	"testing"

	"footbridge/libs/fhir"
)

const (
	callersID    = "8F2C7A8E-0000-4000-8000-00000000000A"
	callersOther = "8f2c7a8e-0000-4000-8000-00000000000b"
)

func TestUnderFHIRTheCallersIDsGoThroughAndCannotBeForged(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := f.ask(t, "POST", "/fhir/$process-message", "{}", nil, "Authorization", "Bearer a token", "X-Request-Id",
		callersID,
		"X-Correlation-Id", callersOther, callerRequestID, "forged")
	if w.Code != http.StatusOK || f.intake.got == nil {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	got := f.intake.got.Header
	if got.Get(callerRequestID) != callersID || got.Get("X-Correlation-Id") != callersOther ||
		got.Get("X-Request-Id") != "" {
		t.Errorf("the service got %v", got)
	}
	if w.Header().Get("X-Request-Id") != callersID || w.Header().Get("X-Correlation-Id") != callersOther {
		t.Errorf("mirrored %v", w.Header())
	}
	f.ask(t, "POST", "/fhir/$process-message", "{}", nil, "Authorization", "Bearer a token", callerRequestID, "forged")
	if id := f.intake.got.Header.Get(callerRequestID); id != "" {
		t.Errorf("the service got the forged id %q", id)
	}
}

func TestUnderFHIREveryRefusalIsAnOperationOutcome(t *testing.T) {
	t.Parallel()
	f := start(t)
	for claim, c := range map[string]struct {
		method, path, body, token, code string
		status                          int
	}{
		"nobody":       {"POST", "/fhir/$process-message", "{}", "", "PROXY_UNAUTHORIZED", http.StatusUnauthorized},
		"unknown path": {"GET", "/fhir/Patient", "", "a token", "PROXY_NOT_FOUND", http.StatusNotFound},
		"unknown method": {"DELETE", "/fhir/metadata", "", "a token", "PROXY_METHOD_NOT_ALLOWED",
			http.StatusMethodNotAllowed},
		"too long": {"POST", "/fhir/$process-message", string(make([]byte, usualBody+1)), "a token",
			"PROXY_BAD_REQUEST", http.StatusRequestEntityTooLarge},
	} {
		headers := []string{"X-Request-Id", callersID, "Accept", "text/html"}
		if c.token != "" {
			headers = append(headers, "Authorization", "Bearer "+c.token)
		}
		w := f.ask(t, c.method, c.path, c.body, nil, headers...)
		var outcome fhir.OperationOutcome
		if err := json.Unmarshal(w.Body.Bytes(), &outcome); err != nil || w.Code != c.status ||
			len(outcome.Issue) != 1 ||
			outcome.Issue[0].Details.Coding[0].Code != c.code || w.Header().Get("X-Request-Id") != callersID {
			t.Errorf("%s: %d %s %v", claim, w.Code, w.Body, w.Header())
		}
	}
}
