package signin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"footbridge/libs/clock"
	"footbridge/services/gateway/signin"
)

// keyFile writes a private key as openssl genpkey does.
func keyFile(t *testing.T, path string, key crypto.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	ok(t, err)
	ok(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

// fromFile is a client of the forger by a mapping file with more lines about the provider.
func fromFile(t *testing.T, f *forger, folder, more string) (*signin.SignIn, error) {
	t.Helper()
	path := filepath.Join(folder, "sign-in.yaml")
	ok(t, os.WriteFile(path, fmt.Appendf(nil, `providers:
  - id: trust
    issuer: %s
    client: footbridge
%s`, f.URL, more), 0o600))
	return signin.New(signin.Config{File: path, URL: "https://footbridge.example", Clock: clock.Real(),
		Client: &http.Client{Transport: http.DefaultTransport}, Secrets: map[string]string{"trust": "the setting"}})
}

// comesBack takes the provider's answer, and then asks it again.
func comesBack(t *testing.T, s *signin.SignIn) (exchanged error) {
	t.Helper()
	_, err := s.Return(t.Context(), "trust", secret, url.Values{"state": {signin.State(secret)}, "code": {"abc"}})
	return err
}

func TestAClientSignsWhoItIsByAKeyOfItsOwnAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	for name, c := range map[string]struct {
		key      crypto.PrivateKey
		takes    any
		more     string
		audience string
		by       jose.SignatureAlgorithm
	}{"RSA": {rsaKey, nil, "", "/token", jose.RS512},
		"RSA, where the provider says what it takes": {rsaKey, []string{"RS256", "ES256"}, "", "/token", jose.RS256},
		"P-256, for the issuer": {p256, nil, "    key_id: ours-1\n    key_audience: https://issuer.example\n", "",
			jose.ES256},
		"Ed25519": {edKey, []string{"RS256", "EdDSA"}, "", "/token", jose.EdDSA}} {
		f, folder := newForger(t), t.TempDir()
		if c.takes != nil {
			f.more["token_endpoint_auth_signing_alg_values_supported"] = c.takes
		}
		keyFile(t, filepath.Join(folder, "key.pem"), c.key)
		s, err := fromFile(t, f, folder, "    key_file: key.pem\n"+c.more)
		ok(t, err)
		m := s.Mapping()
		public, err := m.PublicKey(m.Providers[0])
		ok(t, err)
		if len(public.Keys) != 1 || !public.Keys[0].IsPublic() {
			t.Fatalf("%s: the provider would be given %v", name, public)
		}
		seen := map[string]bool{}
		for _, asks := range []func(){func() { _ = comesBack(t, s) }, func() { _ = comesBack(t, s) }, func() {
			_, _ = s.Renew(t.Context(), signin.Person{Provider: "trust", Renew: "a-token"})
		}} {
			f.posted = nil
			asks()
			if f.basic || f.posted.Has("client_secret") || f.posted.Get("client_id") != "footbridge" ||
				f.posted.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("%s: posted %v, in a header %v", name, f.posted, f.basic)
			}
			token, err := jwt.ParseSigned(f.posted.Get("client_assertion"), []jose.SignatureAlgorithm{c.by})
			ok(t, err)
			var says jwt.Claims
			ok(t, token.Claims(public.Keys[0].Key, &says))
			audience := "https://issuer.example"
			if c.audience != "" {
				audience = f.URL + c.audience
			}
			ok(t, says.ValidateWithLeeway(jwt.Expected{Issuer: "footbridge", Subject: "footbridge", Time: time.Now(),
				AnyAudience: jwt.Audience{audience}}, time.Second))
			if token.Headers[0].KeyID != public.Keys[0].KeyID || seen[says.ID] || says.ID == "" ||
				says.Expiry.Time().Sub(says.IssuedAt.Time()) > 5*time.Minute {
				t.Errorf("%s: signed by %q, says %+v, seen %v", name, token.Headers[0].KeyID, says, seen)
			}
			seen[says.ID] = true
		}
	}
}

// A secret that stands in a file is read when it is needed: another one is shown without a restart.
func TestASecretInAFileIsUsedAsItIsNow(t *testing.T) {
	t.Parallel()
	f, folder := newForger(t), t.TempDir()
	f.more["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	if _, err := fromFile(t, f, folder, "    secret_file: trust.secret\n"); err == nil {
		t.Error("a secret that is nowhere is taken")
	}
	for _, is := range []string{"the first", "the second"} {
		ok(t, os.WriteFile(filepath.Join(folder, "trust.secret"), []byte(is+"\n"), 0o600))
		s, err := fromFile(t, f, folder, "    secret_file: trust.secret\n")
		ok(t, err)
		for _, changed := range []string{is, "another than " + is} {
			ok(t, os.WriteFile(filepath.Join(folder, "trust.secret"), []byte(changed), 0o600))
			_ = comesBack(t, s)
			if got := f.posted.Get("client_secret"); got != changed {
				t.Errorf("shows %q, not %q", got, changed)
			}
		}
	}
}

func TestAKeyFileIsAKey(t *testing.T) {
	t.Parallel()
	f, folder := newForger(t), t.TempDir()
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	ok(t, err)
	keyFile(t, filepath.Join(folder, "weak.pem"), weak)
	ok(t, os.WriteFile(filepath.Join(folder, "none.pem"), []byte("a secret"), 0o600))
	for _, more := range []string{"    key_file: nowhere.pem\n", "    key_file: none.pem\n", "    key_file: weak.pem\n",
		"    key_id: ours\n", "    key_file: weak.pem\n    secret_file: none.pem\n"} {
		if _, err := fromFile(t, f, folder, more); err == nil {
			t.Errorf("taken: %s", more)
		}
	}
}

// A renewal need not bring an ID token: where userinfo is asked it says what somebody is now, and what it does not say
// any more they are not.
func TestARenewalWithoutAnIDTokenAsksUserinfo(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	s, nonce, state := asked(t, f, func(p *signin.Provider) { p.UserInfo = true })
	m := *s.Mapping()
	m.Rules = []signin.Rule{{Provider: "trust", When: map[string]signin.Values{"groups": {"liaison"}},
		Organisation: "RXX", Role: "sending-team"}, {Provider: "trust", When: map[string]signin.Values{"dept": {"ed"}},
		Organisation: "RXX", Role: "caller"}}
	ok(t, s.Replace(&m))
	f.token = signed(t, jose.RS256, f.key, "k", with(claims(f, nonce), "dept", "ed"))
	f.userinfo = map[string]any{"sub": "nurse", "groups": []string{"liaison"}}
	was, err := s.Return(t.Context(), "trust", secret, url.Values{"state": {state}, "code": {"abc"}})
	ok(t, err)
	was.Renew, f.token = "a-token", ""
	for _, c := range []struct {
		about string
		says  map[string]any
		roles []string
	}{{"as before", map[string]any{"sub": "nurse", "groups": []string{"liaison"}}, []string{"sending-team", "caller"}},
		{"in no group any more", map[string]any{"sub": "nurse"}, []string{"caller"}},
		{"in the group again, and elsewhere", map[string]any{"sub": "nurse", "groups": []string{"liaison"},
			"dept": "ward"}, []string{"sending-team"}}} {
		f.userinfo = c.says
		is, err := s.Renew(t.Context(), was)
		ok(t, err)
		d, err := s.Decide("trust", is.Claims)
		ok(t, err)
		var roles []string
		for _, choice := range d.Choices {
			roles = append(roles, string(choice.Role))
		}
		if !slices.Equal(roles, c.roles) {
			t.Errorf("%s: %v, want %v (%v)", c.about, roles, c.roles, is.Claims)
		}
		was = is
	}
	f.userinfo = map[string]any{"sub": "another"}
	if _, err := s.Renew(t.Context(), was); !errors.Is(err, signin.ErrRefused) {
		t.Errorf("userinfo about another: %v", err)
	}
}
