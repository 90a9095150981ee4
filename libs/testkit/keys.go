package testkit

import (
	"crypto/sha256"
	"testing"

	"footbridge/libs/principal"
)

// Keys are signers of these holders, and a verifier that knows their public keys and keeps to the rules.
func Keys(t testing.TB, rules principal.Rules, holders ...string) (map[string]*principal.Signer, *principal.Verifier) {
	t.Helper()
	signers, keys := map[string]*principal.Signer{}, map[string]principal.Key{}
	for _, holder := range holders {
		seed := sha256.Sum256([]byte("an example key of " + holder))
		signer, err := principal.NewSigner(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		key := signer.Public(holder)
		signers[holder], keys[key.ID] = signer, key
	}
	verifier, err := principal.NewVerifier(func(id string) (principal.Key, bool) {
		k, known := keys[id]
		return k, known
	}, rules)
	if err != nil {
		t.Fatal(err)
	}
	return signers, verifier
}
