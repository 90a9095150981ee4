package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"footbridge/libs/keyring"
	"footbridge/libs/pg"
	"footbridge/libs/principal"
	"footbridge/libs/service"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// An installation has one key file for each service (and one for the owner of the streams, the sentinel and the
// operator's commands), a list of the public halves for everybody, and the KEK, which wraps the key of every person and
// every message, for intake alone. A process is one trust domain: who can read its files can do what its services can,
// and nothing else. dev and demo make theirs. serve makes none: one that it made in silence would differ from that of
// the next process.

// formerSecret is the file from which earlier versions made every password and key. Nothing follows from it any more,
// save that names made with it stay as they are.
func (c *Config) formerSecret() string { return filepath.Join(c.StateDir, "secret") }

func (c *Config) keysFolder() string { return orElse(c.Keys, filepath.Join(c.StateDir, "keys")) }

// rings are the folders of keys of this program, so that each list is read once and not for every request.
var rings sync.Map

func (c *Config) keyring() *keyring.Folder {
	ring, _ := rings.LoadOrStore(c.keysFolder(), keyring.At(c.keysFolder()))
	return ring.(*keyring.Folder)
}

// holders are who has keys in an installation.
func holders(development bool) []keyring.Holder {
	var all []keyring.Holder
	for _, name := range stateful() {
		all = append(all, keyring.Holder{Name: name, NATS: true, Database: true})
	}
	all = append(all, keyring.Holder{Name: schemas.Gateway, Database: true},
		keyring.Holder{Name: schemas.Traces, Database: true}, keyring.Holder{Name: schemas.Console},
		keyring.Holder{Name: sentinelName, NATS: true, Database: true}, keyring.Holder{Name: ownerName, NATS: true},
		keyring.Holder{Name: schemas.OperatorsKey})
	if development {
		all = append(all, keyring.Holder{Name: schemas.NavigatorsKey}, keyring.Holder{Name: schemas.SendersKey})
	}
	return all
}

// makeKeys makes what is missing of the keys of an installation, and leaves what is there.
func (c *Config) makeKeys() error {
	opaque, err := c.formerOpaque()
	if err != nil {
		return err
	}
	if _, err = c.keyring().Make(opaque, holders(c.development)...); err != nil {
		return err
	}
	return c.makeWrappings(func(wrapping) {})
}

// formerOpaque is the value from which an earlier version made the names of partners; nil in a new installation.
func (c *Config) formerOpaque() ([]byte, error) {
	text, err := os.ReadFile(c.formerSecret())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what an earlier version left: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < 32 {
		return nil, fmt.Errorf("%s of an earlier version is not 32 bytes in hexadecimal; partners would get other "+
			"names. Put back the file that was there, or remove it in an installation without offers", c.formerSecret())
	}
	return key, nil
}

// publicKeys is the list that everybody verifies with.
func (c *Config) publicKeys() (*keyring.List, error) {
	list, err := c.keyring().Public()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("FOOTBRIDGE_STATE_DIR: the list of public keys %s is not there. Give this process a "+
			"copy of the installation's; "+
			"for a new installation, or one of an earlier version, make it once: footbridge keys new (footbridge dev "+
			"makes its own)", c.keyring().ListPath())
	}
	return list, err
}

// privateKeys are what one holder alone may know.
func (c *Config) privateKeys(holder string) (*keyring.Private, error) {
	own, err := c.keyring().Private(holder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absentKey(c.keyring().Path(holder))
	}
	return own, err
}

// absentKey is that a key file is not where it should be.
type absentKey string

func (file absentKey) Error() string {
	return fmt.Sprintf("FOOTBRIDGE_STATE_DIR: the key file %s is not there. Give this process the one of its "+
		"installation; for a new installation, or one of an earlier version, make it once: footbridge keys new",
		string(file))
}

func (c *Config) signer(holder string) (*principal.Signer, error) {
	own, err := c.privateKeys(holder)
	if err != nil {
		return nil, err
	}
	return own.Signer()
}

// verifier verifies who is asking, with public keys only.
func (c *Config) verifier() (*principal.Verifier, error) {
	if _, err := c.publicKeys(); err != nil {
		return nil, err
	}
	return principal.NewVerifier(c.keyring().Find, principal.Rules{
		May: func(holder, audience string, p principal.Principal) bool {
			if audience == schemas.Gateway && p.Organisation != c.Organisation {
				return false // a command asks for the organisation that runs this
			}
			return schemas.MayAssert(holder, audience, schemas.Role(p.Role), p.Subject, c.development)
		},
		Forwards: schemas.MayForward,
	})
}

// authorise says who a command is: by the token that was given, or by an assertion of its own for each request.
func (c *Config) authorise(role schemas.Role) (func(*http.Request) error, error) {
	if c.Token != "" {
		return func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+string(c.Token))
			return nil
		}, nil
	}
	holder := map[schemas.Role]string{schemas.Operator: schemas.OperatorsKey, schemas.Navigator: schemas.NavigatorsKey,
		schemas.System: schemas.SendersKey}[role]
	if role != schemas.Operator && !c.keyring().Has(holder) {
		return nil, fmt.Errorf("this command asks as a %s, which the operator's key may not: give it the token of "+
			"one (FOOTBRIDGE_TOKEN or FOOTBRIDGE_TOKEN_FILE)", role)
	}
	signer, err := c.signer(holder)
	if err != nil {
		return nil, err
	}
	who := principal.Principal{Organisation: c.Organisation, Role: string(role), Subject: "command", Source: "/command"}
	return func(r *http.Request) error {
		value, err := signer.Sign(who, schemas.Gateway, time.Now())
		r.Header.Set("Authorization", principal.Scheme+" "+value)
		return err
	}, nil
}

// opaque makes a name that tells nothing, always the same in one installation. It opens nothing.
func (c *Config) opaque(purpose string) (string, error) {
	list, err := c.publicKeys()
	if err != nil {
		return "", err
	}
	key, err := hex.DecodeString(list.Opaque)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// databasePasswords are those of the roles, as far as this process may know them.
func (c *Config) databasePasswords() (map[string]string, error) {
	passwords := map[string]string{}
	for _, name := range append(withSchema(), pg.Sentinel) {
		own, err := c.privateKeys(name)
		if err != nil {
			return nil, err
		}
		passwords[pg.Role(name)] = own.Database
	}
	return passwords, nil
}

// withPassword puts the password of a service's key file into its own URL, where that names none.
func (c *Config) withPassword(name, raw string) string {
	at, err := url.Parse(raw)
	if err != nil || at.User == nil || !c.keyring().Has(name) {
		return raw
	}
	if _, given := at.User.Password(); given || at.User.Username() != pg.Role(name) {
		return raw
	}
	own, err := c.privateKeys(name)
	if err != nil {
		return raw // the server says that it was refused
	}
	at.User = url.UserPassword(at.User.Username(), own.Database)
	return at.String()
}

// openVault opens the keys that seal identity.
func (c *Config) openVault() (*vault.Vault, error) {
	path := c.kekFile()
	v, err := vault.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("FOOTBRIDGE_KEK_FILE: the key file %s is not there. Give intake the one that its "+
			"database was made with; "+
			"for a new installation make it once: footbridge keys new --out %[1]s. Keep a copy apart from the "+
			"database's backups", path)
	}
	return v, err
}

// needed are the private key files of a process of these services.
func (c *Config) needed(names []string) []string {
	var files []string
	for _, name := range names {
		if slices.Contains(stateful(), name) && c.creds(name) != "" && c.DatabaseURLs[name] != "" {
			continue // it logs in by other means, and signs nothing
		}
		files = append(files, name)
	}
	return files
}

// checkKeys refuses to start services without the keys that they need.
func (c *Config) checkKeys(names []string) error {
	_, err := c.publicKeys()
	var absent []string
	for _, name := range c.needed(names) {
		if !c.keyring().Has(name) {
			absent = append(absent, name+".key")
			continue
		}
		_, wrong := c.privateKeys(name)
		err = errors.Join(err, wrong)
	}
	if len(absent) > 0 {
		err = errors.Join(err, fmt.Errorf("FOOTBRIDGE_STATE_DIR: %s: not in %s. Give this process those of its "+
			"installation; "+
			"for a new installation, or one of an earlier version, make them once: footbridge keys new",
			strings.Join(absent, ", "), filepath.Dir(c.keyring().ListPath())))
	}
	if slices.Contains(names, schemas.Intake) {
		_, missing := c.openVault()
		err = errors.Join(err, missing)
	}
	return err
}

// secureCookies: where people come over TLS, no cookie goes in clear. Behind an address that others can reach there is
// a proxy that does TLS, or serve would not have started.
func (c *Config) secureCookies() bool {
	if at, err := url.Parse(c.URL); err == nil && at.Scheme == "https" {
		return true
	}
	return service.CheckBind(c.HTTPAddr, false, false, false) != nil
}

// keyFlags are those of keys and its subcommands.
type keyFlags struct {
	newKeyFlags
	plainFlags
}

type newKeyFlags struct {
	Out string `env:"OUT" placeholder:"FILE" help:"make the key that wraps keys in this file, and nothing else"`
}

// keys makes the keys of an installation, and changes them.
func keys(ctx context.Context, args []string) error {
	o, rest, err := load[keyFlags](args)
	if err != nil {
		return shown(err)
	}
	usage := service.Usage{Err: errors.New("keys new [--out FILE] | list | rotate [HOLDER…] | retire HOLDER… | nats " +
		"| rewrap [--json]")}
	if len(rest) == 0 || (len(rest) > 1 && rest[0] != "rotate" && rest[0] != "retire") {
		return usage
	}
	switch rest[0] {
	case "new":
		if o.Own.Out == "" {
			return o.newKeys()
		}
		return makeSecretFile(o.Own.Out, "key file", vault.CreateFile,
			"Keep a copy apart from the database's backups: without it nobody's identity can be read, and whoever "+
				"has both can read everybody's.")
	case "list":
		return o.listKeys(o.Own.JSON)
	case "rotate":
		if len(rest) == 1 {
			return o.rotateKEKs()
		}
		return o.rotateKeys(rest[1:])
	case "retire":
		return o.retireKeys(rest[1:])
	case "nats":
		return o.printNATS(os.Stdout)
	case "rewrap":
		return o.rewrapKeys(ctx, o.Own.JSON)
	}
	return usage
}

// newKeys makes what is missing of the keys of an installation.
func (c *Config) newKeys() error {
	opaque, err := c.formerOpaque()
	if err != nil {
		return err
	}
	made, err := c.keyring().Make(opaque, holders(false)...)
	if err != nil {
		return err
	}
	for _, name := range made {
		fmt.Printf("made the key file %s (mode 0600)\n", c.keyring().Path(name))
	}
	if err := c.makeWrappings(func(w wrapping) {
		fmt.Printf("made the key that wraps the keys of %s %s (mode 0600), for %s alone. Keep a copy apart from the "+
			"database's backups\n", w.Whose, w.Path, w.Service)
	}); err != nil {
		return err
	}
	fmt.Printf("%s is for every process; each key file is for its own service alone (footbridge doctor --only "+
		"SERVICE says which). What was there is as it was.\n", c.keyring().ListPath())
	return nil
}

func (c *Config) listKeys(asJSON bool) error {
	list, err := c.publicKeys()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(list.Keys)
	}
	return table(func(w io.Writer) {
		fmt.Fprintln(w, "HOLDER\tKEY\tNATS\tPRIVATE FILE HERE")
		for _, e := range list.Keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%v\n", e.Holder, e.ID, e.NATS, c.keyring().Has(e.Holder))
		}
	})
}

// rotateKeys gives holders new keys. What was signed with the former ones is accepted until these are retired.
func (c *Config) rotateKeys(names []string) error {
	for _, name := range names {
		i := slices.IndexFunc(holders(true), func(h keyring.Holder) bool { return h.Name == name })
		if i < 0 {
			return service.Usage{Err: fmt.Errorf("keys rotate: nobody called %q has keys; footbridge keys list", name)}
		}
		if err := c.keyring().Rotate(holders(true)[i]); err != nil {
			return err
		}
		fmt.Printf("%s has new keys and a new password. Next: give %s to every process, the broker its new list of "+
			"users and the database the new password; "+
			"start %[1]s anew with its file; then footbridge keys retire %[1]s\n", name, c.keyring().ListPath())
	}
	return nil
}

func (c *Config) retireKeys(names []string) error {
	for _, name := range names {
		n, err := c.keyring().Retire(name)
		if err != nil {
			return err
		}
		fmt.Printf("%d former keys of %s are accepted no more, by whoever has the new %s\n", n, name,
			c.keyring().ListPath())
	}
	return nil
}

// printNATS prints the users for a NATS server of the site's own, known by their public keys.
func (c *Config) printNATS(to io.Writer) error {
	users, err := c.brokerUsers()
	if err != nil {
		return err
	}
	quoted := func(subjects []string) string {
		all := make([]string, len(subjects))
		for i, s := range subjects {
			all[i] = strconv.Quote(s)
		}
		return strings.Join(all, ", ")
	}
	_, _ = fmt.Fprintln(to, "# Made by footbridge keys nats: public keys only. Make it anew when keys or events "+
		"change.\nauthorization {\n  users = [")
	for _, u := range users {
		_, _ = fmt.Fprintf(to, "    {\n      nkey: %s # %s\n      permissions: {\n        publish: {allow: [%s]}\n        "+
			"subscribe: {allow: [%s]}\n      }\n    }\n",
			u.Key, u.Name, quoted(u.Publish), quoted(u.Subscribe))
	}
	_, _ = fmt.Fprintln(to, "  ]\n}")
	return nil
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

// checkKeyFiles is doctor's look at the key files: which a process of these services needs, whether they are there, and
// whether it has more than that.
func (c *Config) checkKeyFiles(names []string) (note string, err error) {
	files, also := c.needed(names), ""
	for _, w := range c.wrappings() {
		if !slices.Contains(names, w.Service) {
			continue
		}
		also += ", " + w.Path
		if w.Without != "" && !w.there() {
			also += " (not there: " + w.Without + "; footbridge keys new makes it)"
		}
	}
	note = fmt.Sprintf("this process needs %s, %s%s", keyring.ListFile, strings.Join(files, ".key, ")+".key", also)
	if err := c.checkKeys(names); err != nil {
		return "", err
	}
	var more []string
	for _, h := range holders(true) {
		if !slices.Contains(files, h.Name) && c.keyring().Has(h.Name) && len(names) < len(serviceNames()) {
			more = append(more, h.Name+".key")
		}
	}
	if len(more) > 0 {
		note += "; it can read more than that, and speak as others: " + strings.Join(more, ", ")
	}
	note += c.keyAges(files, time.Now())
	if _, err := os.Stat(c.formerSecret()); err == nil {
		note += "; " + c.formerSecret() + " is of an earlier version and opens nothing any more: keep it out of " +
			"backups, or remove it"
	}
	return note, nil
}
