// Package workers keeps the named workers of partners, and finds out that one of them is asking.
//
// In: the address of somebody who would like to sign in; the link that was mailed to it; a second factor from outside
// that mailbox: a passkey (WebAuthn), the six digits of an authenticator (TOTP), or a code that was told to them by
// telephone, at the number recorded with the agreement. Out: mails, and the principal of a worker. Promises:
//   - nobody is signed in by the mailbox alone, nor by a second factor alone; opening a link changes nothing;
//   - a link works once and for 15 minutes, a told code once and for a day, six digits once;
//   - whether an address is somebody's here is not told, by words or by what is done: asking is one row either way;
//   - wrong second factors are counted before they are looked at: five end a sign-in, ten in an hour end all for that
//     hour;
//   - the first factor is added only with a code that somebody told by voice: a mailbox that was taken over adds none;
//   - a worker who leaves, whose key is lost or whose mailbox is not theirs any more is signed out everywhere in the
//     same transaction, and the services that gave them a calendar are told until each has taken it;
//   - no name, address, number, token or secret stands here in clear, nor in an error or a log.
//
// Who may add workers, and to which partner, is decided by rules.go; how pages ask for all this by the gateway.
package workers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/libs/written"
)

// Letter is a mail to one worker. It says that a sign-in waits, and nothing about anybody else.
type Letter struct {
	// ID is the same at each try.
	ID                string
	To, Subject, Text string
	At                time.Time
}

// Off is a worker who was signed out everywhere: what they were given to read by is read no more.
type Off struct {
	Worker, Partner string
	// Left: they work there no more; else they come back, with other keys or another address.
	Left  bool
	tries int
}

// Config is what this package needs; all of it must be given, save Log.
type Config struct {
	Pool  *pgxpool.Pool
	Clock clock.Clock // the machine's is taken of it: a shifted one would let codes live for days
	Vault *vault.Vault
	// URL is where people find the system: links lead there, and passkeys are made for its host.
	URL string
	// Mail hands a letter over. An error has it tried again.
	Mail func(ctx context.Context, letter Letter) error
	// SignedOff tells whoever gave a worker something to read by. An error has it told again.
	SignedOff func(ctx context.Context, off Off) error
	Log       *slog.Logger
}

// Workers are the workers of all partners. Any number of replicas may run.
type Workers struct {
	cfg   Config
	clock clock.Clock
	at    *url.URL
	keys  *webauthn.WebAuthn // nil where the host has no name: passkeys are made for names
	wake  chan struct{}
}

// New checks the configuration.
func New(cfg Config) (*Workers, error) {
	if cfg.Pool == nil || cfg.Clock == nil || cfg.Vault == nil || cfg.Mail == nil || cfg.SignedOff == nil {
		return nil, errors.New("preparing the sign-in of workers: a database, a clock, a vault, a way to mail and " +
			"one to tell who was signed out must be given")
	}
	at, err := url.Parse(cfg.URL)
	if err != nil || at.Host == "" {
		return nil, errors.New("preparing the sign-in of workers: where people find the system is not an address")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Workers{cfg: cfg, clock: clock.Machine(cfg.Clock), at: at, wake: make(chan struct{}, 1)}
	host := at.Hostname()
	ip := net.ParseIP(host)
	if ip != nil && !ip.IsLoopback() {
		return s, nil
	}
	if ip != nil {
		host = "localhost" // by which a developer's browser finds the same listener
	}
	origin := at.Scheme + "://" + host
	if port := at.Port(); port != "" {
		origin += ":" + port
	}
	s.keys, err = webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: "Footbridge", RPOrigins: []string{origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			UserVerification: protocol.VerificationPreferred}})
	if err != nil {
		return nil, fmt.Errorf("preparing passkeys for %q: %w", host, err)
	}
	return s, nil
}

// Passkeys says whether passkeys can be made and used by a browser that came to host.
func (s *Workers) Passkeys(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return s.keys != nil && s.keys.Config.RPID == host
}

// token is a new random token as it is written in a link, and its hash.
func token() (text string, hash []byte) {
	text = written.NewCode(tokenLength)
	return text, hashOf(text)
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Of what is hashed by the vault.
const (
	forMail  = "worker-mail"
	forCode  = "worker-code"
	forAsker = "worker-asker"
)

// sealed is one worker with their key.
type sealed struct {
	workerRow
	key vault.Key
}

func (s *Workers) unseal(row workerRow) (sealed, error) {
	key, err := s.cfg.Vault.Unwrap(row.ID, row.Wrapped)
	return sealed{row, key}, err
}

// text opens one of a worker's sealed fields; one that was emptied is empty.
func (w sealed) text(field string, from []byte) (string, error) {
	if len(from) == 0 {
		return "", nil
	}
	plain, err := w.key.Open(field, from)
	return string(plain), err
}

// within runs do in a transaction.
func (s *Workers) within(ctx context.Context, do func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.cfg.Pool, do)
}

// Who is the principal of a worker.
func (w workerRow) who() principal.Principal {
	return principal.Principal{Organisation: w.Partner, Role: rolePartner, Subject: w.ID}
}
