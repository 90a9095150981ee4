package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"footbridge/libs/vault"
)

const (
	person      = "0b0cbb4e-9d26-4c1f-9a1d-8c9f0b3f3f10"
	otherPerson = "5d7f6c55-1f3c-4c0f-8bfe-2c5d4f1b7a11"
	number      = "9990000107"
)

func newVault(t testing.TB) (*vault.Vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	v, err := vault.OpenOrCreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func newKey(t testing.TB, v *vault.Vault, owner string) (vault.Key, []byte) {
	t.Helper()
	key, wrapped, err := v.NewKey(owner)
	if err != nil {
		t.Fatal(err)
	}
	return key, wrapped
}

func TestWhatWasSealedOpensForItsOwnerAndField(t *testing.T) {
	t.Parallel()
	v, path := newVault(t)
	key, wrapped := newKey(t, v, person)
	sealed := key.Seal("identity", []byte(number))

	reopened, err := vault.OpenFile(path) // another process
	if err != nil {
		t.Fatal(err)
	}
	again, err := reopened.Unwrap(person, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Open("identity", sealed)
	if err != nil || string(got) != number {
		t.Fatalf("opened %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte(number)) {
		t.Fatal("the sealed form shows the number")
	}
	if bytes.Equal(sealed, key.Seal("identity", []byte(number))) {
		t.Fatal("two sealings of one value are equal")
	}
}

func TestASwappedContextIsRefused(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	key, wrapped := newKey(t, v, person)
	other, _ := newKey(t, v, otherPerson)
	sealed := key.Seal("identity", []byte(number))

	_, errField := key.Open("note", sealed)
	_, errOwner := other.Open("identity", sealed)
	_, errWrap := v.Unwrap(otherPerson, wrapped)
	sealed[len(sealed)-1] ^= 1
	_, errAltered := key.Open("identity", sealed)
	for claim, err := range map[string]error{
		"another field": errField, "another person's key": errOwner,
		"a wrapped key moved to another person": errWrap, "altered": errAltered,
	} {
		if !errors.Is(err, vault.ErrUnreadable) {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

func TestAnErasedKeyReadsNothing(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	key, _ := newKey(t, v, person)
	sealed := key.Seal("identity", []byte(number))

	if _, err := v.Unwrap(person, nil); !errors.Is(err, vault.ErrErased) {
		t.Errorf("no wrapped key: %v", err)
	}
	if _, err := (vault.Key{}).Open("identity", sealed); !errors.Is(err, vault.ErrErased) {
		t.Errorf("no key: %v", err)
	}
	fresh, _ := newKey(t, v, person)
	if _, err := fresh.Open("identity", sealed); !errors.Is(err, vault.ErrUnreadable) {
		t.Errorf("a new key for the same person: %v", err)
	}
}

func TestRotationKeepsReadingAndLookups(t *testing.T) {
	t.Parallel()
	before, path := newVault(t)
	beforehand, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, wrapped := newKey(t, before, person)
	sealed := key.Seal("identity", []byte(number))
	hash, _ := before.Lookup("nhs-number", number)

	if err := vault.RotateFile(path); err != nil {
		t.Fatal(err)
	}
	after, err := vault.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrapped, err := after.Rewrap(person, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range [][]byte{wrapped, rewrapped} {
		k, err := after.Unwrap(person, w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open("identity", sealed); err != nil || string(got) != number {
			t.Fatalf("after rotation: %q, %v", got, err)
		}
	}
	if !bytes.HasPrefix(rewrapped, after.Prefix()) || bytes.HasPrefix(wrapped, after.Prefix()) {
		t.Error("what the newest KEK wrapped cannot be told from what an older one did")
	}
	if _, err := before.Unwrap(person, rewrapped); err != nil {
		t.Errorf("a process that runs since before does not read what the new KEK wrapped: %v", err)
	}
	if _, fresh := newKey(t, before, person); !bytes.HasPrefix(fresh, after.Prefix()) {
		t.Error("having read the file anew, it still wraps under the old KEK")
	}
	copied := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(copied, beforehand, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := vault.OpenFile(copied) // the file as it was, stolen
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unwrap(person, rewrapped); !errors.Is(err, vault.ErrUnreadable) {
		t.Errorf("the old KEK opens what the new one wrapped: %v", err)
	}
	if again, _ := after.Lookup("nhs-number", number); !bytes.Equal(again, hash) {
		t.Error("rotation changed a lookup")
	}
}

func TestALookupIsBoundToItsPurposeAndParts(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	other, _ := newVault(t)
	seen := map[string]string{}
	add := func(claim string, hash []byte, err error) {
		if err != nil || len(hash) != 32 {
			t.Fatalf("%s: %x, %v", claim, hash, err)
		}
		if earlier, ok := seen[string(hash)]; ok {
			t.Errorf("%s hashes as %s", claim, earlier)
		}
		seen[string(hash)] = claim
	}
	for _, l := range [][]string{{"nhs-number", number}, {"local-id", number}, {"local-id", "a", "bc"},
		{"local-id", "ab", "c"}} {
		hash, err := v.Lookup(l[0], l[1:]...)
		add(fmt.Sprint(l), hash, err)
	}
	hash, err := other.Lookup("nhs-number", number)
	add("another site", hash, err)
}

func TestKeyFileIsGuarded(t *testing.T) {
	t.Parallel()
	_, path := newVault(t)
	stat, err := os.Stat(path)
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", stat.Mode(), err)
	}
	if err := vault.CreateFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("an existing key file was replaced: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OpenFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable key file was accepted: %v", err)
	}
}

func TestErrorsAndPrintsShowNothing(t *testing.T) {
	t.Parallel()
	v, path := newVault(t)
	key, wrapped := newKey(t, v, person)
	personal := vault.Conceal(struct{ Number string }{number})
	inside := struct {
		P vault.Personal[string]
		K vault.Key
	}{vault.Conceal(number), key}

	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("kept", "person", personal, "inside", inside, "key", key)
	slog.New(slog.NewTextHandler(&out, nil)).Info("kept", "person", personal, "inside", inside, "key", key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		_, _ = fmt.Fprintf(&out, verb+verb+verb+verb, personal, &personal, inside, key)
	}
	encoded, err := json.Marshal(map[string]any{"a": personal, "b": inside, "c": &personal})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	_, err = key.Open("identity", []byte(number))
	_, _ = fmt.Fprint(&out, err)
	_, err = v.Unwrap(person, append(wrapped, number...))
	_, _ = fmt.Fprint(&out, err)
	if err := os.WriteFile(path, []byte(`{"kek":{"x":"`+number+`"},"lookup":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = vault.OpenFile(path)
	_, _ = fmt.Fprint(&out, err)
	for _, spelling := range []string{number, fmt.Sprintf("%x", number), "OTk5MDAwMDEwN"} {
		if strings.Contains(out.String(), spelling) {
			t.Errorf("shown as %s in %s", spelling, out.String())
		}
	}
	if personal.Reveal().Number != number {
		t.Error("Reveal does not give the value")
	}
}

// BenchmarkTwoKeysAUnit is what one message costs: a key for it and one for its person, both sealed under, and
// two lookups.
func BenchmarkTwoKeysAUnit(b *testing.B) {
	v, _ := newVault(b)
	raw, identity := bytes.Repeat([]byte("x"), 1200), bytes.Repeat([]byte("y"), 300)
	b.ReportAllocs()
	for b.Loop() {
		message, _ := newKey(b, v, "m")
		message.Seal("raw", raw)
		p, _ := newKey(b, v, "p")
		p.Seal("identity", identity)
		_, _ = v.Lookup("nhs-number", number)
		_, _ = v.Lookup("local-id", "RX1", "MRN", "12345")
	}
}

// BenchmarkUnwrapOpenSeal is what a later message about a known person costs.
func BenchmarkUnwrapOpenSeal(b *testing.B) {
	v, _ := newVault(b)
	key, wrapped := newKey(b, v, person)
	sealed := key.Seal("identity", bytes.Repeat([]byte("y"), 300))
	b.ReportAllocs()
	for b.Loop() {
		k, _ := v.Unwrap(person, wrapped)
		plain, _ := k.Open("identity", sealed)
		k.Seal("identity", plain)
	}
}
