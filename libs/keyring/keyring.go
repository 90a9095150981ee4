// Package keyring keeps the keys of an installation, so that no process needs more of them than its own.
//
// A folder holds one private file for each holder (HOLDER.key, mode 0600): the key that signs in the holder's name, its
// NATS key and the password of its database role, each random and none following from another. Beside them stands one
// public list (public.json), from which everybody verifies and which opens nothing. Promises:
//   - a private file is made once and never replaced by Make; Rotate puts a new key beside what is still verified;
//   - a private file that others than its owner may read is refused;
//   - of two processes that make the same folder, both end with the same keys;
//   - no error and no printed value shows a private key.
//
// Who holds what, and what a key may do, is decided by the callers.
package keyring

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nkeys"

	"footbridge/libs/principal"
	"footbridge/libs/vault"
)

// ListFile is the name of the public list.
const ListFile = "public.json"

// opaqueBytes is how many random bytes the list's Opaque has.
const opaqueBytes = 32

// Holder is somebody who has keys: each has one to sign with, and those that need them a NATS key and a password.
type Holder struct {
	Name           string
	NATS, Database bool
}

// Private is what one holder alone may know.
type Private struct {
	Holder string `json:"holder"`
	// Signing is the seed of an Ed25519 key.
	Signing []byte `json:"signing"`
	// NATS is the seed of an nkey, as NATS writes it; empty where the holder does not speak on the bus.
	NATS string `json:"nats,omitempty"`
	// Database is the password of the holder's role; empty where it has none.
	Database string `json:"database,omitempty"`
}

// String shows no key.
func (p *Private) String() string { return "the keys of " + p.Holder }

// GoString shows no key.
func (p *Private) GoString() string { return p.String() }

// Signer signs in the holder's name.
func (p *Private) Signer() (*principal.Signer, error) {
	signer, err := principal.NewSigner(p.Signing)
	if err != nil {
		return nil, fmt.Errorf("the key file of %s: %w", p.Holder, err)
	}
	return signer, nil
}

// Entry is the public half of a holder's keys. A holder whose keys were changed has several, until the older ones are
// retired; the last one signs.
type Entry struct {
	Holder  string            `json:"holder"`
	ID      string            `json:"id"`
	Signing ed25519.PublicKey `json:"signing"`
	NATS    string            `json:"nats,omitempty"`
}

// List is what everybody of an installation may know.
type List struct {
	// Opaque is a random value, hexadecimal, from which names that tell nothing are made. It opens nothing.
	Opaque string  `json:"opaque"`
	Keys   []Entry `json:"keys"`
}

// Folder is where an installation's keys are.
type Folder struct {
	path string

	mu          sync.Mutex
	list        *List
	fileVersion fileVersion
	checked     time.Time
}

// fileVersion tells whether a file is still the one that was read.
type fileVersion struct {
	size  int64
	mtime time.Time
}

// At is the folder of keys at a path. Nothing is read yet.
func At(path string) *Folder { return &Folder{path: path} }

// ListPath is where the public list is.
func (f *Folder) ListPath() string { return filepath.Join(f.path, ListFile) }

// Path is where a holder's private file is.
func (f *Folder) Path(holder string) string { return filepath.Join(f.path, holder+".key") }

// Has says whether a holder's private file is there, readable or not.
func (f *Folder) Has(holder string) bool {
	_, err := os.Lstat(f.Path(holder))
	return err == nil
}

// Private reads a holder's file. The error is fs.ErrNotExist where there is none.
func (f *Folder) Private(holder string) (*Private, error) {
	path := f.Path(holder)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the key file of %s: %w", holder, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others than its owner: run chmod 600 on it", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening the key file of %s: %w", holder, err)
	}
	var p Private
	if json.Unmarshal(content, &p) != nil || p.Holder != holder || len(p.Signing) != ed25519.SeedSize {
		// the cause may quote a key
		return nil, fmt.Errorf("%s is not a key file of %s; footbridge keys new makes one where there is none", path,
			holder)
	}
	return &p, nil
}

// Public is the list. It is read again when the file changes, at most once a second.
func (f *Folder) Public() (*List, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.list != nil && time.Since(f.checked) < time.Second {
		return f.list, nil
	}
	info, err := os.Stat(f.ListPath())
	if err != nil {
		return nil, fmt.Errorf("opening the list of public keys: %w", err)
	}
	f.checked = time.Now()
	now := fileVersion{info.Size(), info.ModTime()}
	if f.list != nil && now == f.fileVersion {
		return f.list, nil
	}
	list, err := readList(f.ListPath())
	if err != nil {
		return nil, err
	}
	f.list, f.fileVersion = list, now
	return list, nil
}

func readList(path string) (*List, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening the list of public keys: %w", err)
	}
	var list List
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("reading the list of public keys %s: %w", path, err)
	}
	if raw, err := hex.DecodeString(list.Opaque); err != nil || len(raw) < opaqueBytes {
		return nil, fmt.Errorf("reading the list of public keys %s: \"opaque\" is not %d bytes in hexadecimal", path,
			opaqueBytes)
	}
	for _, e := range list.Keys {
		if e.Holder == "" || len(e.Signing) != ed25519.PublicKeySize || e.ID != principal.KeyID(e.Signing) {
			return nil, fmt.Errorf("reading the list of public keys %s: the entry %q of %q is not whole", path, e.ID,
				e.Holder)
		}
	}
	return &list, nil
}

// Find finds a public key by its id, for principal.NewVerifier. What has been retired is not found a second later.
func (f *Folder) Find(id string) (principal.Key, bool) {
	list, err := f.Public()
	if err != nil {
		return principal.Key{}, false
	}
	i := slices.IndexFunc(list.Keys, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return principal.Key{}, false
	}
	return principal.Key{ID: id, Holder: list.Keys[i].Holder, Public: list.Keys[i].Signing}, true
}

// Make makes the keys of those holders who have none, and puts their public halves on the list. What is there already
// stays. opaque is the list's random value where the list is new; nil makes one.
func (f *Folder) Make(opaque []byte, holders ...Holder) (made []string, err error) {
	err = f.change(opaque, func(list *List) error {
		for _, holder := range holders {
			fresh := false
			if !f.Has(holder.Name) {
				if err := f.write(holder, false); err != nil {
					return err
				}
				made, fresh = append(made, holder.Name), true
			}
			listed := slices.ContainsFunc(list.Keys, func(e Entry) bool { return e.Holder == holder.Name })
			if !fresh && listed {
				continue // a private file that only its own process may read need not be readable here
			}
			if err := f.publish(list, holder.Name); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// Rotate gives a holder new keys and a new password. The former public keys stay on the list until Retire, so that what
// was signed a moment ago, and a process that has not been started again, is still accepted.
func (f *Folder) Rotate(holder Holder) error {
	return f.change(nil, func(list *List) error {
		if !f.Has(holder.Name) {
			return fmt.Errorf("changing the keys of %s: there is no %s", holder.Name, f.Path(holder.Name))
		}
		if err := f.write(holder, true); err != nil {
			return err
		}
		return f.publish(list, holder.Name)
	})
}

// Retire takes a holder's former public keys off the list, and says how many those were.
func (f *Folder) Retire(holder string) (retired int, err error) {
	err = f.change(nil, func(list *List) error {
		last := -1
		for i, e := range list.Keys {
			if e.Holder == holder {
				last = i
			}
		}
		kept := list.Keys[:0]
		for i, e := range list.Keys {
			if e.Holder == holder && i != last {
				retired++
				continue
			}
			kept = append(kept, e)
		}
		list.Keys = kept
		return nil
	})
	return retired, err
}

// change reads the list, or begins it, lets do change it, and writes it; one process at a time.
func (f *Folder) change(opaque []byte, do func(*List) error) error {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return fmt.Errorf("making the folder of keys: %w", err)
	}
	unlock, err := lock(filepath.Join(f.path, ".lock"))
	if err != nil {
		return fmt.Errorf("locking the folder of keys %s: %w", f.path, err)
	}
	defer unlock()
	list, err := readList(f.ListPath())
	if errors.Is(err, fs.ErrNotExist) {
		if opaque == nil {
			opaque = random(opaqueBytes)
		}
		list, err = &List{Opaque: hex.EncodeToString(opaque)}, nil
	}
	if err != nil {
		return err
	}
	if err := do(list); err != nil {
		return err
	}
	content, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the list of public keys: %w", err)
	}
	if err := vault.Replace(f.ListPath(), append(content, '\n'), 0o644); err != nil {
		return err
	}
	f.mu.Lock()
	f.list = nil
	f.mu.Unlock()
	return nil
}

// write makes a holder's private file.
func (f *Folder) write(holder Holder, replace bool) error {
	p := Private{Holder: holder.Name, Signing: random(ed25519.SeedSize)}
	if holder.NATS {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return fmt.Errorf("making the NATS key of %s: %w", holder.Name, err)
		}
		seed, err := pair.Seed()
		if err != nil {
			return fmt.Errorf("making the NATS key of %s: %w", holder.Name, err)
		}
		p.NATS = string(seed)
	}
	if holder.Database {
		p.Database = hex.EncodeToString(random(24))
	}
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the key file of %s: %w", holder.Name, err)
	}
	content = append(content, '\n')
	if replace {
		return vault.Replace(f.Path(holder.Name), content, 0o600)
	}
	return vault.WriteNew(f.Path(holder.Name), content)
}

// publish puts the public half of a holder's file at the end of the list, unless it stands there.
func (f *Folder) publish(list *List, holder string) error {
	p, err := f.Private(holder)
	if err != nil {
		return err
	}
	entry, err := p.entry()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list.Keys, func(e Entry) bool { return e.ID == entry.ID }) {
		list.Keys = append(list.Keys, entry)
	}
	return nil
}

func (p *Private) entry() (Entry, error) {
	signer, err := p.Signer()
	if err != nil {
		return Entry{}, err
	}
	key := signer.Public(p.Holder)
	e := Entry{Holder: p.Holder, ID: key.ID, Signing: key.Public}
	if p.NATS == "" {
		return e, nil
	}
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(p.NATS)))
	if err != nil {
		return Entry{}, fmt.Errorf("the key file of %s holds no NATS key", p.Holder)
	}
	e.NATS, err = pair.PublicKey()
	return e, err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
