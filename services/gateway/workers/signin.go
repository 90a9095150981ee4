package workers

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/libs/written"
)

// ErrOver says that a sign-in is over: its link was used, or is too old, or there were too many wrong codes. The same
// for a link that never was one.
var ErrOver = errors.New("this sign-in is over")

// ErrWrong says that a second factor is not theirs.
var ErrWrong = errors.New("this is not the second factor of whoever signs in")

// Ask records that somebody at a network address would like to sign in. What is done does not depend on whose mailbox
// it is.
func (s *Workers) Ask(ctx context.Context, mail, from string) error {
	address, ok := normalMail(mail)
	if !ok {
		return nil // no address is nobody's address
	}
	hash, err := s.cfg.Vault.Lookup(forMail, address)
	if err != nil {
		return err
	}
	asker, err := s.cfg.Vault.Lookup(forAsker, from)
	if err != nil {
		return err
	}
	err = s.within(ctx, func(tx pgx.Tx) error {
		return ask(ctx, tx, clock.NewRandomID(), hash, asker, s.clock.Now())
	})
	s.look()
	return err
}

// look has what is due looked at now.
func (s *Workers) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Open uses the link of a token, once. What it answers is for the browser to hold until the second factor.
func (s *Workers) Open(ctx context.Context, linked string) (pending string, err error) {
	pending, hash := token()
	err = s.within(ctx, func(tx pgx.Tx) error {
		_, found, err := useLink(ctx, tx, hashOf(written.Code(linked)), hash, s.clock.Now())
		return overUnless(found, err)
	})
	return pending, err
}

// overUnless is ErrOver for what was not found, and never where it could not be looked for.
func overUnless(found bool, err error) error {
	if err == nil && !found {
		return ErrOver
	}
	return err
}

// under does something about a sign-in that is on its way, with its worker, both locked: the worker first, as by
// whatever ends their sign-ins. One that began by an address that is not theirs any more is over.
func (s *Workers) under(ctx context.Context, pending string,
	do func(tx pgx.Tx, in signInRow, w sealed) error) error {
	return s.within(ctx, func(tx pgx.Tx) error {
		row, found, err := lockWorker(ctx, tx, hashOf(pending))
		if err := overUnless(found, err); err != nil {
			return err
		}
		in, found, err := lockPending(ctx, tx, hashOf(pending), s.clock.Now())
		if err := overUnless(found, err); err != nil {
			return err
		}
		w, err := s.unseal(row)
		if err != nil {
			return err
		}
		return do(tx, in, w)
	})
}

// Forget ends a sign-in that is on its way, or that was just done: who signs out changes no keys afterwards, and
// neither does whoever comes to that screen.
func (s *Workers) Forget(ctx context.Context, pending string) error {
	return s.within(ctx, func(tx pgx.Tx) error { return endPending(ctx, tx, hashOf(pending)) })
}

// ForgetAll ends every sign-in of a worker whose link was used: who signs out everywhere leaves no browser behind that
// changes keys, or comes in after all. Of anybody else there is none.
func (s *Workers) ForgetAll(ctx context.Context, p principal.Principal) error {
	if p.Role != rolePartner || !clock.IsID(p.Subject) {
		return nil
	}
	return s.within(ctx, func(tx pgx.Tx) error {
		_, found, err := lockWorkerOf(ctx, tx, p, p.Organisation, p.Subject)
		if err != nil || !found {
			return err
		}
		return endAllPending(ctx, tx, p.Subject)
	})
}

// Ways are how somebody on their way in may show a second factor, and what they have.
type Ways struct {
	Passkeys      int
	Authenticator bool
	// Proved: it was shown; they may change their own keys now.
	Proved bool
	Added  []Added // the passkeys
}

// Added is one passkey, to its owner.
type Added struct {
	ID string // names it to be removed
	At time.Time
}

// shortID names a passkey on a page.
func (p passkeyRow) shortID() string {
	sum := sha256.Sum256(p.Credential)
	return hex.EncodeToString(sum[:8])
}

// Ways says what second factors the worker has.
func (s *Workers) Ways(ctx context.Context, pending string) (ways Ways, err error) {
	err = s.under(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		keys, err := passkeysOf(ctx, tx, w.ID)
		ways = Ways{Passkeys: len(keys), Authenticator: w.TOTP != nil, Proved: in.ProvedAt != nil}
		for _, key := range keys {
			ways.Added = append(ways.Added, Added{key.shortID(), key.AddedAt})
		}
		return err
	})
	return ways, err
}

// Begin begins a session of a principal in a transaction.
type Begin func(tx pgx.Tx, p principal.Principal) error

// Code takes six digits of an authenticator, or a code that was told by voice. begin is called when it is right, in the
// same transaction, so that nobody who leaves at this moment has a session.
func (s *Workers) Code(ctx context.Context, pending, code string, begin Begin) (ready bool, err error) {
	code = written.Code(code)
	return s.proof(ctx, pending, begin, func(tx pgx.Tx, _ signInRow, w sealed) (proven, error) {
		if isDigits(code) {
			step, right, err := s.digits(w, code)
			return proven{right: right, step: step}, err
		}
		hash, err := s.cfg.Vault.Lookup(forCode, w.ID, code)
		right := w.CodeUntil != nil && s.clock.Now().Before(*w.CodeUntil) && hmac.Equal(hash, w.CodeHash)
		return proven{right: right, told: right}, err
	})
}

// proven is what became of a second factor.
type proven struct {
	right, told bool
	step        int64
}

// proof looks at a second factor, once it has been counted as wrong.
func (s *Workers) proof(ctx context.Context, pending string, begin Begin,
	look func(tx pgx.Tx, in signInRow, w sealed) (proven, error)) (ready bool, err error) {
	wrong := error(nil)
	err = s.under(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		now := s.clock.Now()
		if in.Wrong >= mostWrong || locked(w.Wrong, w.WrongAt, now) || in.ProvedAt != nil {
			return ErrOver
		}
		if err := countWrong(ctx, tx, in.ID, w.workerRow, now); err != nil {
			return err
		}
		got, err := look(tx, in, w)
		if err != nil {
			return err
		}
		if !got.right {
			wrong = ErrWrong // and what was counted is kept
			return nil
		}
		keys, err := passkeysOf(ctx, tx, w.ID)
		if err != nil {
			return err
		}
		ready = len(keys) > 0 || w.TOTP != nil
		return errors.Join(prove(ctx, tx, in.ID, w.ID, got.told, got.step, now),
			logDeed(ctx, tx, w.ID, deedSignedIn, w.who(), now), begin(tx, w.who()))
	})
	return ready, errors.Join(err, wrong)
}

// digits says whether six digits are of the worker's authenticator, now or half a minute to either side, in a step that
// none was taken of before.
func (s *Workers) digits(w sealed, code string) (step int64, right bool, err error) {
	if w.TOTP == nil {
		return 0, false, nil
	}
	secret, err := w.key.Open("totp", w.TOTP)
	if err != nil {
		return 0, false, err
	}
	return matching(string(secret), code, w.TOTPStep, s.clock.Now())
}

func matching(secret, code string, after int64, now time.Time) (step int64, right bool, err error) {
	for step := stepOf(now) - 1; step <= stepOf(now)+1; step++ {
		wanted, err := totp.GenerateCodeCustom(secret, time.Unix(step*30, 0), totp.ValidateOpts{Period: 30,
			Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, errors.New("working out the digits of an authenticator") // the cause may hold the secret
		}
		if hmac.Equal([]byte(wanted), []byte(code)) && step > after {
			return step, true, nil
		}
	}
	return 0, false, nil
}

// user is a worker as a passkey's device sees them.
type user struct {
	id   string
	name string
	keys []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return []byte(u.id) }
func (u user) WebAuthnName() string                       { return u.name }
func (u user) WebAuthnDisplayName() string                { return u.name }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.keys }

func (s *Workers) userOf(ctx context.Context, tx pgx.Tx, w sealed) (user, error) {
	name, err := w.text("name", w.Name)
	if err != nil {
		return user{}, err
	}
	rows, err := passkeysOf(ctx, tx, w.ID)
	u := user{id: w.ID, name: name}
	for _, row := range rows {
		var key webauthn.Credential
		if err := json.Unmarshal(row.Record, &key); err != nil {
			return u, fmt.Errorf("reading a passkey: %w", err)
		}
		u.keys = append(u.keys, key)
	}
	return u, err
}

// Challenge is what a browser is to have a passkey sign, as JSON: to sign in, or to add one to one's own.
func (s *Workers) Challenge(ctx context.Context, pending string) (options []byte, err error) {
	if s.keys == nil {
		return nil, nil
	}
	err = s.under(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		u, err := s.userOf(ctx, tx, w)
		if err != nil {
			return err
		}
		asked, session, err := s.ceremony(u, in.ProvedAt != nil)
		if err != nil || asked == nil {
			return err
		}
		kept, err := json.Marshal(session)
		if err != nil {
			return err
		}
		if options, err = json.Marshal(asked); err != nil {
			return err
		}
		return setCeremony(ctx, tx, in.ID, kept)
	})
	return options, err
}

// ceremony begins adding a passkey, or signing in by one; nothing where there is none.
func (s *Workers) ceremony(u user, adding bool) (asked any, session *webauthn.SessionData, err error) {
	if adding {
		return three(s.keys.BeginRegistration(u,
			webauthn.WithExclusions(webauthn.Credentials(u.keys).CredentialDescriptors())))
	}
	if len(u.keys) == 0 {
		return nil, nil, nil
	}
	return three(s.keys.BeginLogin(u))
}

func three[T any](asked T, session *webauthn.SessionData, err error) (any, *webauthn.SessionData, error) {
	return asked, session, err
}

// Passkey takes what a passkey signed.
func (s *Workers) Passkey(ctx context.Context, pending string, signed []byte, begin Begin) (ready bool, err error) {
	answer, wrong := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(signed))
	return s.proof(ctx, pending, begin, func(tx pgx.Tx, in signInRow, w sealed) (proven, error) {
		var session webauthn.SessionData
		if s.keys == nil || wrong != nil || len(in.Ceremony) == 0 || json.Unmarshal(in.Ceremony, &session) != nil {
			return proven{}, nil
		}
		u, err := s.userOf(ctx, tx, w)
		if err != nil {
			return proven{}, err
		}
		key, err := s.keys.ValidateLogin(u, session, answer)
		if err != nil || key.Authenticator.CloneWarning {
			return proven{}, setCeremony(ctx, tx, in.ID, nil) // what was asked is asked once
		}
		record, err := json.Marshal(key)
		if err != nil {
			return proven{}, err
		}
		return proven{right: true}, usePasskey(ctx, tx, key.ID, record, s.clock.Now())
	})
}

// proved does something about one's own keys, shortly after a second factor was shown.
func (s *Workers) proved(ctx context.Context, pending string, do func(tx pgx.Tx, in signInRow, w sealed) error) error {
	return s.under(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		if in.ProvedAt == nil {
			return ErrOver
		}
		return do(tx, in, w)
	})
}

// AddPasskey adds a passkey to one's own.
func (s *Workers) AddPasskey(ctx context.Context, pending string, made []byte) error {
	answer, wrong := protocol.ParseCredentialCreationResponseBody(bytes.NewReader(made))
	if wrong != nil || s.keys == nil {
		return ErrWrong
	}
	return s.proved(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		var session webauthn.SessionData
		if len(in.Ceremony) == 0 || json.Unmarshal(in.Ceremony, &session) != nil {
			return ErrOver
		}
		u, err := s.userOf(ctx, tx, w)
		if err != nil {
			return err
		}
		key, err := s.keys.CreateCredential(u, session, answer)
		if err != nil || len(u.keys) >= mostPasskeys {
			return ErrWrong
		}
		record, err := json.Marshal(key)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		return errors.Join(insertPasskey(ctx, tx, w.ID, key.ID, record, now), setCeremony(ctx, tx, in.ID, nil),
			logDeed(ctx, tx, w.ID, deedPasskey, w.who(), now))
	})
}

// Authenticator is the secret of an authenticator that is being added: the same until it was added.
func (s *Workers) Authenticator(ctx context.Context, pending string) (key *otp.Key, err error) {
	err = s.proved(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		if in.Candidate != nil {
			secret, err := w.key.Open("candidate", in.Candidate)
			if err != nil {
				return err
			}
			key, err = otp.NewKeyFromURL(string(secret))
			return err
		}
		// nothing that names the worker goes to the device: it may be seen by others
		key, err = totp.Generate(totp.GenerateOpts{Issuer: "Footbridge", AccountName: s.at.Hostname()})
		if err != nil {
			return errors.New("making the secret of an authenticator")
		}
		return setCandidate(ctx, tx, in.ID, w.key.Seal("candidate", []byte(key.URL())))
	})
	return key, err
}

// AddAuthenticator adds it, once it shows the right digits; one had before is replaced.
func (s *Workers) AddAuthenticator(ctx context.Context, pending, code string) error {
	key, err := s.Authenticator(ctx, pending)
	if err != nil {
		return err
	}
	return s.proved(ctx, pending, func(tx pgx.Tx, in signInRow, w sealed) error {
		now := s.clock.Now()
		step, right, err := matching(key.Secret(), written.Code(code), 0, now)
		if err != nil {
			return err
		}
		if !right {
			return ErrWrong
		}
		return errors.Join(setTOTP(ctx, tx, w.ID, w.key.Seal("totp", []byte(key.Secret())), step),
			setCandidate(ctx, tx, in.ID, nil), logDeed(ctx, tx, w.ID, deedAuthenticator, w.who(), now))
	})
}

// DropPasskey removes one passkey of one's own. One that is gone already, as when it was said twice, stays so.
func (s *Workers) DropPasskey(ctx context.Context, pending, id string) error {
	return s.proved(ctx, pending, func(tx pgx.Tx, _ signInRow, w sealed) error {
		keys, err := passkeysOf(ctx, tx, w.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(keys, func(key passkeyRow) bool { return key.shortID() == id })
		if i < 0 {
			return nil
		}
		return errors.Join(dropPasskey(ctx, tx, w.ID, keys[i].Credential),
			logDeed(ctx, tx, w.ID, deedKeyDropped, w.who(), s.clock.Now()))
	})
}

// DropAuthenticator removes one's own authenticator.
func (s *Workers) DropAuthenticator(ctx context.Context, pending string) error {
	return s.proved(ctx, pending, func(tx pgx.Tx, _ signInRow, w sealed) error {
		return errors.Join(setTOTP(ctx, tx, w.ID, nil, w.TOTPStep),
			logDeed(ctx, tx, w.ID, deedKeyDropped, w.who(), s.clock.Now()))
	})
}
