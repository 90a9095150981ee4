package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"footbridge/libs/pg"
	"footbridge/libs/service"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake"
)

// An installation has two secrets, each in a file of its own: the key file (the KEK, which wraps the key of every person
// and every message, and the keys of lookups), for intake alone; and the installation's secret, for every process.
// dev and demo make theirs. serve makes none: one that it made in silence would differ from that of the next process, and
// a second key file would leave what the first has sealed unreadable.

// secretBytes is how many random bytes the installation's secret has at least.
const secretBytes = 32

func (c *Config) secretFile() string { return filepath.Join(c.StateDir, "secret") }

func (c *Config) kekFile() string {
	return orElse(c.KEKFile, filepath.Join(c.StateDir, "kek"))
}

// secret is the key of this installation from which passwords of the private database, of the embedded broker and
// the key that signs principals are derived. Every process of an installation reads the same.
func (c *Config) secret() ([]byte, error) {
	path := c.secretFile()
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !c.makesKeys:
		return nil, fmt.Errorf("FOOTBRIDGE_STATE_DIR: the installation's secret %s is not there. Give this process the one that all others have; "+
			"for a new installation make it once: footbridge keys secret --out %[1]s (footbridge dev makes its own)", path)
	case errors.Is(err, fs.ErrNotExist):
		if err := newSecret(path); err != nil && !errors.Is(err, fs.ErrExist) { // whoever links first has made it
			return nil, err
		}
		return c.secret()
	case err != nil:
		return nil, fmt.Errorf("reading the installation's secret: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < secretBytes {
		return nil, fmt.Errorf("the installation's secret %s is not %d bytes in hexadecimal: footbridge keys secret --out FILE makes one", path, secretBytes)
	}
	return key, nil
}

// newSecret makes an installation's secret, and never replaces one.
func newSecret(path string) error {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the installation's secret: %w", err)
	}
	return vault.WriteNew(path, []byte(hex.EncodeToString(key)+"\n"))
}

// derive makes a password or key for one purpose out of the installation's secret.
func (c *Config) derive(purpose string) (string, error) {
	key, err := c.secret()
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// openVault opens the keys that seal identity.
func (c *Config) openVault() (*vault.Vault, error) {
	path := c.kekFile()
	if c.makesKeys {
		return vault.OpenOrCreateFile(path)
	}
	v, err := vault.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("FOOTBRIDGE_KEK_FILE: the key file %s is not there. Give intake the one that its database was made with; "+
			"for a new installation make it once: footbridge keys new --out %[1]s. Keep a copy apart from the database's backups", path)
	}
	return v, err
}

// checkKeys refuses to start services without the secrets that they need.
func (c *Config) checkKeys(names []string) error {
	_, err := c.secret()
	if slices.Contains(names, schemas.Intake) {
		_, missing := c.openVault()
		err = errors.Join(err, missing)
	}
	return err
}

// secureCookies: where people come over TLS, no cookie goes in clear. Behind an address that others can reach there is a
// proxy that does TLS, or serve would not have started.
func (c *Config) secureCookies() bool {
	if at, err := url.Parse(c.URL); err == nil && at.Scheme == "https" {
		return true
	}
	return service.CheckBind(c.HTTPAddr, false, false, false) != nil
}

type keyFlags struct {
	Out  string `env:"OUT" help:"new and secret: the file to make; empty: where serve looks for it"`
	JSON bool   `env:"JSON" help:"print data"`
}

// keys makes the secrets of an installation, and changes the KEK.
func keys(ctx context.Context, args []string) error {
	o, rest, err := load[keyFlags](args)
	if err != nil {
		return shown(err)
	}
	usage := service.Usage{Err: errors.New("keys new [--out FILE] | secret [--out FILE] | rotate | rewrap [--json]")}
	if len(rest) != 1 {
		return usage
	}
	switch rest[0] {
	case "new":
		return makeSecretFile(orElse(o.Own.Out, o.kekFile()), "key file", vault.CreateFile,
			"Keep a copy apart from the database's backups: without it nobody's identity can be read, and whoever has both can read everybody's.")
	case "secret":
		return makeSecretFile(orElse(o.Own.Out, o.secretFile()), "installation's secret", newSecret,
			"Give every process of this installation the same one, as the file secret in its FOOTBRIDGE_STATE_DIR.")
	case "rotate":
		return o.rotateKEK()
	case "rewrap":
		return o.rewrapKeys(ctx, o.Own.JSON)
	}
	return usage
}

func makeSecretFile(path, what string, make func(string) error, then string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of %s: %w", path, err)
	}
	err := make(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a file %s already, and it stays: a %s is never replaced", path, what)
	}
	if err != nil {
		return err
	}
	fmt.Printf("made the %s %s (mode 0600)\n%s\n", what, path, then)
	return nil
}

// rotateKEK adds a new KEK to the key file. The older ones stay in it: stored keys and backups are read with them.
func (c *Config) rotateKEK() error {
	path := c.kekFile()
	if err := vault.RotateFile(path); err != nil {
		return err
	}
	fmt.Printf("%s has a new key, which wraps from now on; the older ones stay in it for reading\n"+
		"Next: give the file to every process of intake that has a copy, and keep a copy of it; then footbridge keys rewrap.\n", path)
	return nil
}

// rewrapKeys wraps stored keys under the newest KEK while services run.
func (c *Config) rewrapKeys(ctx context.Context, asJSON bool) error {
	v, err := c.openVault()
	if err != nil {
		return err
	}
	urls, err := c.findDatabases(ctx, []string{schemas.Intake})
	if err != nil {
		return err
	}
	pool, err := pg.Open(ctx, urls[schemas.Intake], pg.OpenConfig{Service: schemas.Intake, MaxConns: 2})
	if err != nil {
		return fmt.Errorf("opening the database of intake: %w", err)
	}
	defer pool.Close()
	done := map[string]int64{}
	err = intake.Rewrap(ctx, pool, v, func(table string, n, of int64) {
		done[table] = n
		if !asJSON {
			fmt.Printf("%s: %d of %d wrapped anew\n", table, n, of)
		}
	})
	if asJSON {
		err = errors.Join(err, printJSON(done))
	}
	return err
}

// checkSecret is doctor's look at the installation's secret.
func (c *Config) checkSecret() error {
	if _, err := c.secret(); err != nil {
		return err
	}
	return checkMode(c.secretFile())
}

func checkMode(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s may be read by others than its owner: run chmod 600 on it", path)
	}
	return err
}

// checkVault is doctor's look at the key file: whether it opens what the database holds, and what is left to wrap anew.
func (c *Config) checkVault(ctx context.Context) (note string, err error) {
	v, err := c.openVault()
	if err != nil {
		return "", err
	}
	urls, err := c.findDatabases(ctx, []string{schemas.Intake})
	if err != nil {
		return "", err
	}
	pool, err := pg.Open(ctx, urls[schemas.Intake], pg.OpenConfig{Service: schemas.Intake, MaxConns: 1})
	if err != nil {
		return "", fmt.Errorf("opening the database of intake: %w", err)
	}
	defer pool.Close()
	tables, err := intake.CheckKeys(ctx, pool, v)
	var older int64
	for _, table := range tables {
		older += table.Older
	}
	if err == nil && older > 0 {
		note = fmt.Sprintf("%d stored keys are wrapped under an older key: footbridge keys rewrap", older)
	}
	return note, err
}

// logins says how services log in to NATS where all could log in as any other.
func (c *Config) logins() (note string) {
	if c.development {
		return ""
	}
	var derived []string
	for _, name := range append(stateful(), sentinelName) {
		if c.creds(name) == "" {
			derived = append(derived, name)
		}
	}
	if len(derived) == 0 {
		return ""
	}
	return fmt.Sprintf("%s log in to NATS with passwords that follow from the installation's secret, so any process that holds it could speak as another; "+
		"FOOTBRIDGE_<SERVICE>_NATS_CREDS gives each a credentials file of its own", strings.Join(derived, ", "))
}
