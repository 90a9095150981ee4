package signin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// How this installation shows a provider that it is the client it says: by a secret, or by signing with a key whose
// public half the provider has (private_key_jwt, RFC 7523), which nobody else can show. Files are read whenever they
// are needed, so that a new secret or key is used without a restart.

// assertionLasts is how long what the client signs is good for: one request.
const assertionLasts = 2 * time.Minute

// beside is the path of a file that the sign-in file names: from that file's folder, where it is not from the root.
func (m *Mapping) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(m.folder, path)
}

// CheckFiles says which of the secrets and keys that a mapping names cannot be read. Only the gateway has them.
func (m *Mapping) CheckFiles() error {
	var errs []error
	for _, p := range m.Providers {
		if _, err := m.secretOf(p); err != nil {
			errs = append(errs, fmt.Errorf("provider %q: %w", p.ID, err))
		}
		if _, _, err := m.keyOf(p, nil); err != nil {
			errs = append(errs, fmt.Errorf("provider %q: %w", p.ID, err))
		}
	}
	return errors.Join(errs...)
}

// secretOf reads the secret that stands in a file beside the mapping; empty: the provider names none.
func (m *Mapping) secretOf(p Provider) (string, error) {
	if p.SecretFile == "" {
		return "", nil
	}
	content, err := os.ReadFile(m.beside(p.SecretFile))
	if err != nil {
		return "", fmt.Errorf("reading secret_file: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", fmt.Errorf("reading secret_file %q: it is empty", p.SecretFile)
	}
	return secret, nil
}

// keyOf reads the key by which the client signs, with the algorithm for it that the provider takes; nil: none is named.
func (m *Mapping) keyOf(p Provider, taken []string) (*jose.JSONWebKey, jose.SignatureAlgorithm, error) {
	if p.KeyFile == "" {
		return nil, "", nil
	}
	content, err := os.ReadFile(m.beside(p.KeyFile))
	if err != nil {
		return nil, "", fmt.Errorf("reading key_file: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, "",
			fmt.Errorf("reading key_file %q: it is to be a private key as PEM (PKCS 8), as openssl genpkey "+
				"writes it", p.KeyFile)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("reading key_file %q: it holds no private key", p.KeyFile)
	}
	signs := algorithmsOf(private)
	if len(signs) == 0 {
		return nil, "", fmt.Errorf("reading key_file %q: it is to be RSA of 2048 bits or more, P-256, P-384 or Ed25519",
			p.KeyFile)
	}
	by := signs[0]
	if i := slices.IndexFunc(signs,
		func(a jose.SignatureAlgorithm) bool { return slices.Contains(taken, string(a)) }); i >= 0 {
		by = signs[i]
	}
	key := &jose.JSONWebKey{Key: private, KeyID: p.KeyID, Algorithm: string(by), Use: "sig"}
	if key.KeyID == "" {
		mark, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, "", fmt.Errorf("reading key_file %q: %w", p.KeyFile, err)
		}
		key.KeyID = base64.RawURLEncoding.EncodeToString(mark)
	}
	return key, by, nil
}

// algorithmsOf are those that a key can sign by, the one first that is used where the provider does not say.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() >= 2048 {
			return []jose.SignatureAlgorithm{jose.RS512, jose.RS256, jose.PS512, jose.PS256, jose.RS384, jose.PS384}
		}
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []jose.SignatureAlgorithm{jose.ES256}
		case 384:
			return []jose.SignatureAlgorithm{jose.ES384}
		}
	case ed25519.PrivateKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}

// PublicKey is the public half of a provider's key as a key set, which the provider is to be given; empty: none is
// named.
func (m *Mapping) PublicKey(p Provider) (jose.JSONWebKeySet, error) {
	key, _, err := m.keyOf(p, nil)
	if err != nil || key == nil {
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}, nil
}

// secret is what the client shows a provider; empty where it has none, or signs.
func (s *SignIn) secret(p Provider) string {
	if p.KeyFile != "" {
		return ""
	}
	if secret, err := s.Mapping().secretOf(p); err == nil && secret != "" {
		return secret
	}
	return s.cfg.Secrets[p.ID]
}

// asClient is ctx in which what is sent to a provider's token endpoint shows who asks.
func (s *SignIn) asClient(ctx context.Context, p Provider, d *described) (context.Context, error) {
	key, by, err := s.Mapping().keyOf(p, d.extra.Signs)
	if err != nil {
		return nil, fmt.Errorf("%w: the client's key cannot be read", ErrDown)
	}
	if key == nil {
		return oidc.ClientContext(ctx, s.cfg.Client), nil
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: by, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("%w: the client's key cannot sign", ErrDown)
	}
	client := *s.cfg.Client
	client.Transport = asserting{next: s.cfg.Client.Transport, endpoint: d.provider.Endpoint().TokenURL,
		assertion: func() (string, error) {
			audience := p.KeyAudience
			if audience == "" {
				audience = d.provider.Endpoint().TokenURL
			}
			now, id := s.clock.Now(), rand.Text()
			return jwt.Signed(signer).Claims(jwt.Claims{Issuer: p.Client, Subject: p.Client,
				Audience: jwt.Audience{audience}, ID: id, IssuedAt: jwt.NewNumericDate(now),
				Expiry: jwt.NewNumericDate(now.Add(assertionLasts))}).Serialize()
		}}
	return oidc.ClientContext(ctx, &client), nil
}

// asserting adds what the client signs to each form that goes to the token endpoint, whatever it asks there: each is
// signed anew, since a provider takes one once.
type asserting struct {
	next      http.RoundTripper
	endpoint  string
	assertion func() (string, error)
}

// RoundTrip implements http.RoundTripper.
func (a asserting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.URL.String() != a.endpoint || r.Body == nil {
		return a.next.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, errors.New("the form for the token endpoint is not read")
	}
	signed, err := a.assertion()
	if err != nil {
		return nil, errors.New("the client's assertion cannot be signed")
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", signed)
	out, body := r.Clone(r.Context()), []byte(form.Encode())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return a.next.RoundTrip(out)
}
