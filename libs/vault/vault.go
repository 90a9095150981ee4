// Package vault encrypts what identifies a person, and what a message said, under a key of their own, so that
// destroying the key erases them wherever the ciphertext has been copied to.
//
// There is one key per owner: a person or a message. It is 256 random bits, wrapped by the key-encryption keyset
// (the KEK) with the owner's id as associated data. Content is sealed by AES-256-GCM with owner and field as
// associated data, so a ciphertext moved to another person, or to another field, does not open. Values that must
// be found again, such as an NHS number, are looked up by a keyed hash, with a key derived for each purpose.
//
// The vault holds no database and no cache of owners' keys: the caller stores wrapped keys (apart from the data,
// with short-lived backups) and deletes them to erase. It is safe for use by many goroutines at once.
//
// Promises: no error of this package contains plaintext or key bytes; what was sealed under an older key of the
// KEK keyset opens after a rotation; what a lookup gave stays the same through rotations; a vault of a file that was
// rotated meanwhile reads the file again when it meets a key that it cannot unwrap, so no process need be restarted.
//
// It does not promise that a process which unwrapped a key before the erasure has forgotten it, nor that backups
// taken while the wrapped key existed are gone: keep those short-lived.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrUnreadable says that something does not open: it was sealed for another owner or field, was altered, or its
// key is not the one given. Nothing more is said, so that an error cannot leak what it is about.
var ErrUnreadable = errors.New("unreadable: other owner, other field, altered, or erased")

// ErrErased says that an owner's wrapped key is gone: what was sealed under it is erased.
var ErrErased = errors.New("erased: the key no longer exists")

const (
	keySize = 32
	// keyContext and lookupContext keep the uses of one KEK apart.
	keyContext    = "footbridge/key/v1"
	lookupContext = "footbridge/lookup/v1"
)

// Vault wraps and unwraps owners' keys and hashes lookups. Make one with OpenFile or New.
type Vault struct {
	kek    atomic.Pointer[wrapping]
	file   string // the KEK is read from; empty: it never changes
	lookup PRF

	mu       sync.RWMutex
	purposes map[string]*sync.Pool // of hash.Hash keyed for the purpose
}

// PRF derives secrets from names; it must be the same for the life of the stored lookups.
type PRF interface {
	ComputePrimaryPRF(input []byte, outputLength uint32) ([]byte, error)
}

func newVault(kek *wrapping, lookup PRF) *Vault {
	v := &Vault{lookup: lookup, purposes: map[string]*sync.Pool{}}
	v.kek.Store(kek)
	return v
}

// wrapping is a KEK keyset in use.
type wrapping struct {
	aead tink.AEAD
	// prefix begins whatever the primary key wraps; empty where that cannot be told.
	prefix []byte
	// read is the file as it was when the keyset was read.
	read os.FileInfo
}

// Prefix begins all that this vault wraps under its newest KEK, so that what is wrapped under an older one can be
// told. It is empty for a KEK that is not in a file.
func (v *Vault) Prefix() []byte { return v.kek.Load().prefix }

// decrypt unwraps; where the key file was replaced since it was read, by what it holds now.
func (v *Vault) decrypt(wrapped, association []byte) ([]byte, error) {
	kek := v.kek.Load()
	secret, err := kek.aead.Decrypt(wrapped, association)
	if err == nil || v.file == "" {
		return secret, err
	}
	if now, statErr := os.Stat(v.file); statErr != nil ||
		(os.SameFile(now, kek.read) && now.ModTime().Equal(kek.read.ModTime())) {
		return nil, err
	}
	if kek, err = openWrapping(v.file); err != nil {
		return nil, err
	}
	v.kek.Store(kek)
	return kek.aead.Decrypt(wrapped, association)
}

// Key is one owner's key, ready to seal and open. The zero Key opens nothing and seals nothing. It prints
// redacted.
type Key struct {
	owner string
	aead  cipher.AEAD
}

// NewKey makes a key for an owner and returns it with its wrapped form, which is to be stored.
func (v *Vault) NewKey(owner string) (Key, []byte, error) {
	var secret [keySize]byte
	_, _ = rand.Read(secret[:]) // never fails since Go 1.24: it aborts the program instead
	defer clear(secret[:])
	wrapped, err := v.kek.Load().aead.Encrypt(secret[:], keyAssociation(owner))
	if err != nil {
		return Key{}, nil, fmt.Errorf("wrapping the key of %q: %w", owner, err)
	}
	key, err := newKey(owner, secret[:])
	return key, wrapped, err
}

// Unwrap makes an owner's key usable again. It fails with ErrErased where there is no wrapped key, and with
// ErrUnreadable where it was wrapped for another owner or under a KEK that this vault does not have.
func (v *Vault) Unwrap(owner string, wrapped []byte) (Key, error) {
	if len(wrapped) == 0 {
		return Key{}, fmt.Errorf("unwrapping the key of %q: %w", owner, ErrErased)
	}
	secret, err := v.decrypt(wrapped, keyAssociation(owner))
	if err != nil || len(secret) != keySize {
		return Key{}, fmt.Errorf("unwrapping the key of %q: %w", owner, ErrUnreadable)
	}
	defer clear(secret)
	return newKey(owner, secret)
}

// Rewrap wraps a stored key under the KEK keyset's present primary key: what a rotation does to every row, after
// which the old KEK can be destroyed. The content need not be touched.
func (v *Vault) Rewrap(owner string, wrapped []byte) ([]byte, error) {
	secret, err := v.decrypt(wrapped, keyAssociation(owner))
	if err != nil {
		return nil, fmt.Errorf("rewrapping the key of %q: %w", owner, ErrUnreadable)
	}
	defer clear(secret)
	again, err := v.kek.Load().aead.Encrypt(secret, keyAssociation(owner))
	if err != nil {
		return nil, fmt.Errorf("rewrapping the key of %q: %w", owner, err)
	}
	return again, nil
}

// Seal encrypts one field of the owner: a random nonce, then ciphertext and tag (28 bytes more than plaintext).
// It panics on the zero Key: sealing under no key would be a bug that loses a person's details.
func (k Key) Seal(field string, plaintext []byte) []byte {
	if k.aead == nil {
		panic("vault: sealing under no key")
	}
	return k.aead.Seal(nil, nil, plaintext, k.association(field))
}

// Open decrypts what Seal gave for the same owner and field, or fails with ErrUnreadable.
func (k Key) Open(field string, sealed []byte) ([]byte, error) {
	if k.aead == nil {
		return nil, fmt.Errorf("opening %q: %w", field, ErrErased)
	}
	plaintext, err := k.aead.Open(nil, nil, sealed, k.association(field))
	if err != nil {
		return nil, fmt.Errorf("opening %q of %q: %w", field, k.owner, ErrUnreadable)
	}
	return plaintext, nil
}

// Lookup hashes a value so that it can be found again without being readable: HMAC-SHA256 under a key derived
// for the purpose. Parts are length-prefixed, so ("a", "bc") and ("ab", "c") differ; equal values under two
// purposes cannot be told to be equal.
func (v *Vault) Lookup(purpose string, parts ...string) ([]byte, error) {
	pool, err := v.purpose(purpose)
	if err != nil {
		return nil, err
	}
	mac := pool.Get().(*keyedHash)
	defer pool.Put(mac)
	return mac.sum(parts), nil
}

func (v *Vault) purpose(name string) (*sync.Pool, error) {
	v.mu.RLock()
	pool := v.purposes[name]
	v.mu.RUnlock()
	if pool != nil {
		return pool, nil
	}
	secret, err := v.lookup.ComputePrimaryPRF([]byte(lookupContext+"\x00"+name), keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the lookup key for %q: %w", name, err)
	}
	pool = &sync.Pool{New: func() any { return &keyedHash{mac: hmac.New(sha256.New, secret)} }}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.purposes[name] = pool
	return pool, nil
}

func newKey(owner string, secret []byte) (Key, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return Key{}, fmt.Errorf("preparing the key of %q: %w", owner, err)
	}
	// A random 96-bit nonce per sealing: safe for far more sealings than a person or message will ever see.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("preparing the key of %q: %w", owner, err)
	}
	return Key{owner: owner, aead: aead}, nil
}

func keyAssociation(owner string) []byte { return []byte(keyContext + "\x00" + owner) }

func (k Key) association(field string) []byte {
	association := make([]byte, 0, 4+len(k.owner)+len(field))
	association = binary.BigEndian.AppendUint32(association, uint32(len(k.owner)))
	association = append(association, k.owner...)
	return append(association, field...)
}
