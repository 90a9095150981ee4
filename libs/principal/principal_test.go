package principal_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

var (
	reader = principal.Principal{Organisation: "org-1", Role: "reader", Subject: "alice@example.org",
		Source: "https://reader.example"}
	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func TestPrintingShowsNoSubject(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("asked", "principal", reader)
	printed := fmt.Sprintf("%v %+v %#v %s %q %d", reader, reader, reader, reader, reader, reader) + log.String()
	if strings.Contains(printed, "alice") || !strings.Contains(printed, "reader@org-1") {
		t.Error(printed)
	}
	signer, err := principal.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", signer, signer, signer); strings.Contains(s, "kkk") ||
		strings.Contains(s, "107") {
		t.Error(s)
	}
}

func TestNobodyIsNotPutIntoAContext(t *testing.T) {
	t.Parallel()
	ctx := principal.With(t.Context(), reader)
	if p, ok := principal.From(ctx); !ok || p != reader {
		t.Errorf("got %v %v", p, ok)
	}
	if _, ok := principal.From(principal.With(ctx, principal.Principal{Role: "reader"})); ok {
		t.Error("an incomplete principal was taken, or the one before it kept")
	}
	if _, err := principal.Need(t.Context()); err == nil {
		t.Error("nobody was somebody")
	}
}

func TestTokensAreFoundByTheirHash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf(`{"tokens": [
		{"sha256": %q, "organisation": "org-1", "role": "reader", "subject": "alice@example.org", "source": "https://reader.example"},
		{"sha256": %q, "organisation": "org-1", "role": "reader", "subject": "old", "not_after": "2026-11-20T11:00:00Z"}]}`,
		principal.HashToken("right"), principal.HashToken("ended")))
	tokens, err := principal.LoadTokens(fixedClock{}, path)
	if err != nil {
		t.Fatal(err)
	}
	find := func(authorization string) (principal.Principal, error) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", authorization)
		return tokens.Source()(r)
	}
	if p, err := find("bearer right"); err != nil || p != reader {
		t.Errorf("got %v, %v", p, err)
	}
	for _, wrong := range []string{"Bearer wrong", "Bearer ", "Bearer ended"} {
		if _, err := find(wrong); !errors.Is(err, principal.ErrRefused) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := find("Basic eA=="); !errors.Is(err, principal.ErrNone) {
		t.Errorf("another scheme: %v", err)
	}
	write("tokens:\n- token: right\n  organisation: o\n")
	if err := tokens.Reload(path); err == nil || strings.Contains(err.Error(), "right") {
		t.Errorf("a token in clear: %v", err)
	}
	if _, err := find("Bearer right"); err != nil {
		t.Error("a failed reload changed the table")
	}
	write("tokens:\n- sha256: " + principal.HashToken("new") + "\n  organisation: o\n  role: r\n  subject: s\n")
	if err := tokens.Reload(path); err != nil {
		t.Fatal(err)
	}
	if _, err := find("Bearer right"); err == nil {
		t.Error("a token that was taken out is still accepted")
	}
}

type fixedClock struct{}

func (fixedClock) Now() time.Time { return noon }

func TestACertificateCountsOnlyWhenVerified(t *testing.T) {
	t.Parallel()
	source := principal.Certificates(map[string]principal.Principal{"CN=sender,O=example": reader})
	certificate := &x509.Certificate{Subject: pkix.Name{CommonName: "sender", Organization: []string{"example"}}}
	r := httptest.NewRequest("GET", "/", nil)
	if _, err := source(r); !errors.Is(err, principal.ErrNone) {
		t.Errorf("without TLS: %v", err)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	if _, err := source(r); !errors.Is(err, principal.ErrRefused) {
		t.Errorf("unverified: %v", err)
	}
	r.TLS.VerifiedChains = [][]*x509.Certificate{{certificate}}
	if p, err := source(r); err != nil || p != reader {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestOnlyTheRightRolePasses(t *testing.T) {
	t.Parallel()
	refuse := func(*http.Request) (principal.Principal, error) { return principal.Principal{}, principal.ErrRefused }
	none := func(*http.Request) (principal.Principal, error) { return principal.Principal{}, principal.ErrNone }
	for _, c := range []struct {
		name   string
		source principal.Source
		status int
	}{
		{"a reader", principal.FirstOf(none, principal.Fixed(reader)), 204},
		{"another role", principal.Fixed(principal.Principal{Organisation: "o", Role: "clerk", Subject: "s"}), 403},
		{"nobody", principal.FirstOf(none, none), 401},
		{"a refused credential is not tried elsewhere", principal.FirstOf(refuse, principal.Fixed(reader)), 401},
		{"an incomplete principal", principal.Fixed(principal.Principal{Role: "reader"}), 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mux := httpx.NewMux(httpx.Options{Clock: clock.Real()})
			mux.Use(principal.Require(c.source))
			mux.Handle("GET /", principal.RequireRole(func(w http.ResponseWriter, r *http.Request) error {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}, "reader"))
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if c.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}
