package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestCookiesGoOverTLSAloneWherePeopleComeFromElsewhere(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"on this machine":         {Config{HTTPAddr: "127.0.0.1:8080"}, false},
		"found by https":          {Config{HTTPAddr: "127.0.0.1:8080", URL: "https://footbridge.example"}, true},
		"found by http":           {Config{HTTPAddr: "127.0.0.1:8080", URL: "http://127.0.0.1:8080"}, false},
		"behind a proxy with TLS": {Config{HTTPAddr: "10.0.0.7:8080", AllowOpen: true}, true},
		"on every interface of a host": {Config{HTTPAddr: ":8080", AllowOpen: true, URL: "http://127.0.0.1:8080"},
			true},
	} {
		if got := c.cfg.secureCookies(); got != c.want {
			t.Errorf("%s: %v", claim, got)
		}
	}
}

func TestDoctorSaysWhichKeyFilesAProcessNeedsAndWhichItHasBeyondThat(t *testing.T) {
	t.Parallel()
	c := &Config{StateDir: t.TempDir()}
	if err := c.makeKeys(); err != nil {
		t.Fatal(err)
	}
	note, err := c.checkKeyFiles([]string{"journey"})
	if err != nil || !strings.Contains(note, "this process needs public.json, journey.key;") ||
		!strings.Contains(note, "speak as others: intake.key") {
		t.Errorf("%q, %v", note, err)
	}
	for _, h := range holders(true) {
		if h.Name != "journey" {
			_ = os.Remove(c.keyring().Path(h.Name))
		}
	}
	if note, err = c.checkKeyFiles([]string{"journey"}); err != nil || strings.Contains(note, "others") {
		t.Errorf("with its own alone: %q, %v", note, err)
	}
	if _, err = c.checkKeyFiles([]string{"gateway"}); err == nil || !strings.Contains(err.Error(), "gateway.key") {
		t.Errorf("without its own: %v", err)
	}
}

// A key file that is missing is named once, however many checks need it.
func TestDoctorNamesAMissingKeyFileOnce(t *testing.T) {
	t.Parallel()
	c := &Config{StateDir: t.TempDir()}
	if err := c.makeKeys(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.keyring().Path("intake")); err != nil {
		t.Fatal(err)
	}
	_, first := c.checkKeyFiles([]string{"journey", "intake"})
	if first == nil || strings.Count(first.Error(), "intake.key") != 1 {
		t.Fatalf("at first: %v", first)
	}
	_, next := c.privateKeys("intake")
	said := []finding{{Check: "key files", Why: first.Error()}}
	if got := notSaid(said, fmt.Errorf("finding a database: %w", next)); strings.Contains(got, "intake.key") {
		t.Errorf("then again: %s", got)
	}
	if _, next = c.privateKeys("elsewhere"); !strings.Contains(notSaid(said, next), "elsewhere.key") {
		t.Errorf("another one is not named: %v", next)
	}
}

func TestPartnersKeepTheirNamesWhenAnEarlierInstallationGetsKeys(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{7}, 32)
	c := &Config{StateDir: t.TempDir()}
	if err := os.WriteFile(c.formerSecret(), []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.makeKeys(); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("partner x"))
	if got, err := c.opaque("partner x"); err != nil || got != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("another name: %q, %v", got, err)
	}
}
