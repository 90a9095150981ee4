package principal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/clock"
)

// ErrNone is returned by a source for a request that carries no credential of its kind: another may know it.
var ErrNone = errors.New("no credential of this kind")

// ErrRefused is returned by a source for a credential that it does not accept. No other source is asked then.
var ErrRefused = errors.New("credential not accepted")

// Source finds who sent a request.
type Source func(*http.Request) (Principal, error)

// FirstOf asks the sources in order; the first that finds a credential of its kind decides.
func FirstOf(sources ...Source) Source {
	return func(r *http.Request) (Principal, error) {
		for _, source := range sources {
			p, err := source(r)
			if !errors.Is(err, ErrNone) {
				return p, err
			}
		}
		return Principal{}, ErrNone
	}
}

// Fixed takes every request as sent by p. Only for development, on the loopback address.
func Fixed(p Principal) Source {
	return func(*http.Request) (Principal, error) { return p, nil }
}

// Token is one line of a token file. The token itself stands nowhere, only its hash.
type Token struct {
	// SHA256 is the hash of the token in lower-case hexadecimal: printf %s TOKEN | sha256sum.
	SHA256       string `yaml:"sha256"`
	Organisation string `yaml:"organisation"`
	Role         string `yaml:"role"`
	Subject      string `yaml:"subject"`
	Source       string `yaml:"source"`
	// Team is which owners of steps a person is, parted by blanks, where that is not what everybody of their role is.
	Team string `yaml:"team"`
	// NotAfter ends the token; zero is never.
	NotAfter time.Time `yaml:"not_after"`
}

// Tokens is a table of bearer tokens, which can be replaced while it is in use.
type Tokens struct {
	byHash atomic.Pointer[map[[sha256.Size]byte]Token]
	clock  clock.Clock
}

// HashToken gives the hash that a token file holds for a token.
func HashToken(token string) string {
	hash := sha256.Sum256([]byte(token))
	return hex.EncodeToString(hash[:])
}

// NewTokens makes a table. Errors name the line by its number and never by its hash.
func NewTokens(c clock.Clock, tokens []Token) (*Tokens, error) {
	t := &Tokens{clock: c}
	return t, t.Replace(tokens)
}

// LoadTokens reads a token file, YAML or JSON: {"tokens": [{"sha256": …, "organisation": …, "role": …, "subject": …,
// "source": …}]}. Unknown fields are refused, so that a token in clear under another name is not overlooked. more
// are tokens beside those of the file.
func LoadTokens(c clock.Clock, path string, more ...Token) (*Tokens, error) {
	tokens, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	return NewTokens(c, append(tokens, more...))
}

// Organisations are those that somebody signs in for by a token, in order.
func (t *Tokens) Organisations() []string {
	var all []string
	for _, token := range *t.byHash.Load() {
		all = append(all, token.Organisation)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Reload takes in the file as it is now. On an error the table stays as it was.
func (t *Tokens) Reload(path string) error {
	tokens, err := readTokens(path)
	if err != nil {
		return err
	}
	return t.Replace(tokens)
}

func readTokens(path string) ([]Token, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening token file: %w", err)
	}
	defer file.Close()
	var content struct {
		Tokens []Token `yaml:"tokens"`
	}
	decoder := yaml.NewDecoder(file) // JSON is YAML
	decoder.KnownFields(true)
	if err := decoder.Decode(&content); err != nil {
		return nil, fmt.Errorf("reading token file %q: not in the form {tokens: [{sha256, organisation, role, "+
			"subject, source, not_after}]}", path)
	}
	return content.Tokens, nil
}

// Replace takes other tokens; requests under way keep the principal they have.
func (t *Tokens) Replace(tokens []Token) error {
	byHash := make(map[[sha256.Size]byte]Token, len(tokens))
	for i, token := range tokens {
		hash, err := hex.DecodeString(token.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("reading token %d: sha256 is not 64 hexadecimal digits; make it with: printf %%s TOKEN "+
				"| sha256sum", i+1)
		}
		if !token.principal().Valid() {
			return fmt.Errorf("reading token %d: organisation, role and subject must all be given", i+1)
		}
		key := [sha256.Size]byte(hash)
		if _, twice := byHash[key]; twice {
			return fmt.Errorf("reading token %d: it stands there twice; give each sender one of its own", i+1)
		}
		byHash[key] = token
	}
	t.byHash.Store(&byHash)
	return nil
}

func (t Token) principal() Principal {
	return Principal{Organisation: t.Organisation, Role: t.Role, Subject: t.Subject, Source: t.Source, Team: t.Team}
}

// Source finds the principal of an Authorization: Bearer header. The table is looked up by the token's hash, so the
// time it takes tells nothing about a token.
func (t *Tokens) Source() Source {
	return func(r *http.Request) (Principal, error) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, ErrNone
		}
		token, known := (*t.byHash.Load())[sha256.Sum256([]byte(strings.TrimSpace(given)))]
		if !known || (!token.NotAfter.IsZero() && t.clock.Now().After(token.NotAfter)) {
			return Principal{}, ErrRefused
		}
		return token.principal(), nil
	}
}

// Certificates finds the principal of a verified client certificate by its subject, written as Go prints it
// ("CN=sender,O=example"). The server must verify client certificates itself (tls.RequireAndVerifyClientCert or
// VerifyClientCertIfGiven): a certificate without a verified chain is refused.
func Certificates(bySubject map[string]Principal) Source {
	return func(r *http.Request) (Principal, error) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return Principal{}, ErrNone
		}
		p, known := bySubject[r.TLS.PeerCertificates[0].Subject.String()]
		if !known || len(r.TLS.VerifiedChains) == 0 {
			return Principal{}, ErrRefused
		}
		return p, nil
	}
}
