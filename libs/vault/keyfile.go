package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// keyFile is what FOOTBRIDGE_KEK_FILE holds: two Tink keysets in Tink's own JSON. The KEK keyset rotates; the
// lookup keyset does not, since every stored lookup would have to be made again from plaintext.
type keyFile struct {
	KEK    json.RawMessage `json:"kek"`
	Lookup json.RawMessage `json:"lookup"`
}

// OpenFile makes a vault of a key file. It refuses a file that others than its owner may read (mode 0600 is
// what it wants), because whoever has it can read every stored person.
func OpenFile(path string) (*Vault, error) {
	file, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	kek, err := openWrapping(path)
	if err != nil {
		return nil, err
	}
	lookupKeys, err := readKeyset(file.Lookup)
	if err != nil {
		return nil, fmt.Errorf("reading the lookup keys of key file %q: %w", path, err)
	}
	lookup, err := prf.NewPRFSet(lookupKeys)
	if err != nil {
		return nil, fmt.Errorf("using the lookup keys of key file %q: %w", path, err)
	}
	v := newVault(kek, lookup)
	v.file = path
	return v, nil
}

// openWrapping reads the KEK keyset of a key file.
func openWrapping(path string) (*wrapping, error) {
	read, err := os.Stat(path) // before the content: a file replaced in between is then read once more
	if err != nil {
		return nil, fmt.Errorf("opening key file: %w", err)
	}
	file, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	kek, err := readKeyset(file.KEK)
	if err != nil {
		return nil, fmt.Errorf("reading the KEK of key file %q: %w", path, err)
	}
	wrap, err := aead.New(kek)
	if err != nil {
		return nil, fmt.Errorf("using the KEK of key file %q: %w", path, err)
	}
	primary, err := kek.Primary()
	if err != nil {
		return nil, fmt.Errorf("using the KEK of key file %q: it has no primary key", path)
	}
	// Tink's output prefix: a byte of version 1, and the key's id.
	return &wrapping{aead: wrap, prefix: binary.BigEndian.AppendUint32([]byte{1}, primary.KeyID()), read: read}, nil
}

// CreateFile writes a new key file with mode 0600, for `dev` and for a site's first start. It never replaces an
// existing one: that would erase everybody.
func CreateFile(path string) error {
	kek, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("making a KEK: %w", err)
	}
	lookup, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return fmt.Errorf("making lookup keys: %w", err)
	}
	return writeKeyFile(path, kek, lookup, false)
}

// OpenOrCreateFile opens a key file and makes it first where there is none: what `dev` does.
func OpenOrCreateFile(path string) (*Vault, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := CreateFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return OpenFile(path)
}

// RotateFile adds a new primary KEK to a key file and keeps the older ones for reading. New keys are wrapped
// under the new one at once; Rewrap moves the stored ones.
func RotateFile(path string) error {
	file, err := readKeyFile(path)
	if err != nil {
		return err
	}
	kek, err := readKeyset(file.KEK)
	if err != nil {
		return fmt.Errorf("reading the KEK of key file %q: %w", path, err)
	}
	lookup, err := readKeyset(file.Lookup)
	if err != nil {
		return fmt.Errorf("reading the lookup keys of key file %q: %w", path, err)
	}
	manager := keyset.NewManagerFromHandle(kek)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("adding a KEK: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return fmt.Errorf("making the new KEK primary: %w", err)
	}
	rotated, err := manager.Handle()
	if err != nil {
		return fmt.Errorf("making the rotated KEK: %w", err)
	}
	return writeKeyFile(path, rotated, lookup, true)
}

func readKeyFile(path string) (keyFile, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return keyFile{}, fmt.Errorf("opening key file: %w", err)
	}
	if stat.Mode().Perm()&0o077 != 0 {
		return keyFile{}, fmt.Errorf("key file %q may be read by others than its owner: run chmod 600 on it", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return keyFile{}, fmt.Errorf("opening key file: %w", err)
	}
	var file keyFile
	if json.Unmarshal(content, &file) != nil || file.KEK == nil || file.Lookup == nil {
		// The cause is left out: it may quote key bytes.
		return keyFile{}, fmt.Errorf("key file %q holds no KEK and lookup keysets", path)
	}
	return file, nil
}

func readKeyset(document json.RawMessage) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(document)))
	if err != nil {
		return nil, errors.New("not a Tink keyset") // the cause may quote key bytes
	}
	return handle, nil
}

// writeKeyFile writes beside and renames or links, so that a crash leaves the old file or the new one.
func writeKeyFile(path string, kek, lookup *keyset.Handle, replace bool) error {
	var file keyFile
	for document, handle := range map[*json.RawMessage]*keyset.Handle{&file.KEK: kek, &file.Lookup: lookup} {
		var text bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
			return fmt.Errorf("writing keyset: %w", err)
		}
		*document = bytes.TrimSpace(text.Bytes())
	}
	content, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("writing key file %q: %w", path, err)
	}
	if err := writeFile(path, content, replace, 0o600); err != nil {
		return fmt.Errorf("writing key file %q: %w", path, err)
	}
	return nil
}

// WriteNew writes a secret to a file of mode 0600 that outlasts a power cut. It fails with fs.ErrExist where there is
// one, and leaves that as it is: of two processes that make the same one, one does.
func WriteNew(path string, content []byte) error {
	if err := writeFile(path, content, false, 0o600); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return nil
}

// Replace writes a file, or replaces it whole: a crash leaves the former or the new one.
func Replace(path string, content []byte, mode fs.FileMode) error {
	if err := writeFile(path, content, true, mode); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return nil
}

func writeFile(path string, content []byte, replace bool, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	put := os.Link // fails where the file exists
	if replace {
		put = os.Rename
	}
	if err := put(temporary.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a file's name in its folder outlast a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
