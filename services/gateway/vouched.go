package gateway

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"footbridge/libs/principal"
	"footbridge/services/gateway/signin"
)

// Whoever came in by a provider is looked at again at each request: by the mapping as it is now, and every few minutes
// by the provider itself where it gave a token for that. That token is sealed under the session's id, which stands
// nowhere here: only a request of that browser can use it.

// checkTakes bounds how long a provider may take to answer whether somebody still may.
const checkTakes = 8 * time.Second

// stillVouched says why somebody who came in by a provider may not any more. A provider that does not answer changes
// nothing: whoever works at night goes on until the session ends, and it is asked again a few minutes later.
func (s *Sessions) stillVouched(ctx context.Context, hash []byte, value string, in session, now time.Time) error {
	if s.signIn == nil || !s.maps(in.Provider, in.Claims, in.principal()) {
		return errNotVouched
	}
	if in.Renew == nil || in.CheckedAt == nil || now.Sub(*in.CheckedAt) < s.signIn.CheckEvery(in.Provider) {
		return nil
	}
	// a new token comes once: it is to be kept
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTakes)
	defer cancel()
	mine, err := claimCheck(ctx, s.pool, hash, *in.CheckedAt, now)
	if err != nil || !mine {
		return err
	}
	token, err := openUnder(value, in.Renew)
	if err != nil {
		return errNotVouched
	}
	is, err := s.signIn.Renew(ctx, signin.Person{Provider: in.Provider, Who: in.Who, SID: in.SID, Claims: in.Claims,
		Renew: string(token)})
	switch {
	case errors.Is(err, signin.ErrRefused):
		return errors.Join(errNotVouched, endSession(ctx, s.pool, hash, now))
	case err != nil:
		return nil
	}
	renewed, err := sealUnder(value, []byte(is.Renew))
	if err != nil {
		return err
	}
	if err := storeCheck(ctx, s.pool, hash, is.Claims, renewed); err != nil {
		return fmt.Errorf("keeping that a provider still vouches: %w", err)
	}
	if !s.maps(in.Provider, is.Claims, in.principal()) {
		return errNotVouched
	}
	return nil
}

// maps says whether the mapping still lets somebody with these claims be who they chose to be.
func (s *Sessions) maps(provider string, claims map[string]any, p principal.Principal) bool {
	d, err := s.signIn.Decide(provider, claims)
	return err == nil && slices.ContainsFunc(d.Choices, func(c signin.Choice) bool { return as(d, c) == p })
}

// as is the principal of a choice.
func as(d signin.Decision, c signin.Choice) principal.Principal {
	return principal.Principal{Organisation: c.Organisation, Role: string(c.Role), Subject: d.Subject, Team: c.Team}
}

// sealUnder encrypts for whoever holds secret, which is random and long. Of nothing it is nil.
func sealUnder(secret string, plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return nil, nil
	}
	aead, err := aeadOf(secret)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, nil), nil
}

// openUnder undoes sealUnder.
func openUnder(secret string, sealed []byte) ([]byte, error) {
	aead, err := aeadOf(secret)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, sealed, nil)
}

func aeadOf(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "footbridge: sealed for the holder of a cookie", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
