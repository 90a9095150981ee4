package main

import "testing"

func TestCookiesGoOverTLSAloneWherePeopleComeFromElsewhere(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"on this machine":              {Config{HTTPAddr: "127.0.0.1:8080"}, false},
		"found by https":               {Config{HTTPAddr: "127.0.0.1:8080", URL: "https://footbridge.example"}, true},
		"found by http":                {Config{HTTPAddr: "127.0.0.1:8080", URL: "http://127.0.0.1:8080"}, false},
		"behind a proxy with TLS":      {Config{HTTPAddr: "10.0.0.7:8080", AllowOpen: true}, true},
		"on every interface of a host": {Config{HTTPAddr: ":8080", AllowOpen: true, URL: "http://127.0.0.1:8080"}, true},
	} {
		if got := c.cfg.secureCookies(); got != c.want {
			t.Errorf("%s: %v", claim, got)
		}
	}
}

func TestDoctorNamesWhoCouldSpeakForAnother(t *testing.T) {
	t.Parallel()
	own := Config{ServiceCreds: map[string]string{"intake": "a", "threshold": "b", "followup": "c", "bridging": "d", "journey": "e", "sentinel": "f"}}
	if note := own.logins(); note != "" {
		t.Errorf("each with a file of its own: %s", note)
	}
	delete(own.ServiceCreds, "journey")
	if note := own.logins(); note == "" || note[:8] != "journey " {
		t.Errorf("journey without: %q", note)
	}
	if note := (&Config{development: true}).logins(); note != "" {
		t.Errorf("in development: %s", note)
	}
}
