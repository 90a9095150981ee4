package workers

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/libs/written"
	"footbridge/schemas"
)

// Worker is one worker as their partner and a navigator see them.
type Worker struct {
	ID      string    `json:"worker"`
	Name    string    `json:"name"`
	Mail    string    `json:"mail,omitempty"`
	Phone   string    `json:"phone,omitempty"`
	AddedAt time.Time `json:"addedAt"`
	// SignedInAt is when they did last; nil: not in the last 90 days.
	SignedInAt *time.Time `json:"signedInAt,omitempty"`
	EndedAt    *time.Time `json:"endedAt,omitempty"`
	Passkeys   int        `json:"passkeys"`
	// Authenticator: they have one.
	Authenticator bool `json:"authenticator"`
	// CodeUntil is until when a code that was told to them may be used.
	CodeUntil *time.Time `json:"codeUntil,omitempty"`
	// May are what the caller may do about them: "code", "mail", "end".
	May []string `json:"may"`
	// Deeds are what was done about them in the last 90 days, the latest first.
	Deeds []Deed `json:"deeds,omitempty"`
}

// Deed is one thing that was done about a worker.
type Deed struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// What is done about workers.
const (
	deedAdded         = "added"
	deedCode          = "code-given"
	deedLost          = "key-lost"
	deedMail          = "mail-changed"
	deedEnded         = "ended"
	deedSignedIn      = "signed-in"
	deedPasskey       = "passkey-added"
	deedAuthenticator = "authenticator-added"
	deedKeyDropped    = "key-removed"
)

// Told is a code that is to be told to a worker by voice, and is shown in this answer alone.
type Told struct {
	Worker string    `json:"worker"`
	Code   string    `json:"code"`
	Until  time.Time `json:"until"`
}

// List gives a partner's workers.
func (s *Workers) List(ctx context.Context, p principal.Principal, partner string) (all []Worker, verdict Verdict,
	err error) {
	if v := may(list, schemas.Role(p.Role), p.Organisation, partner, false, 0); v != Fine {
		return nil, v, nil
	}
	err = s.within(ctx, func(tx pgx.Tx) error {
		rows, err := workersOf(ctx, tx, p, partner)
		if err != nil {
			return err
		}
		lines, err := logOf(ctx, tx, p, partner, s.clock.Now().Add(-90*24*time.Hour))
		if err != nil {
			return err
		}
		for _, row := range rows {
			w, err := s.shown(ctx, tx, p, row)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.Worker == w.ID {
					w.Deeds = append(w.Deeds, Deed{l.What, l.At})
				}
			}
			for _, d := range w.Deeds {
				if d.What == deedSignedIn && w.SignedInAt == nil {
					w.SignedInAt = &d.At
				}
			}
			all = append(all, w)
		}
		return nil
	})
	return all, Fine, err
}

func (s *Workers) shown(ctx context.Context, tx pgx.Tx, p principal.Principal, row workerRow) (Worker, error) {
	w := Worker{ID: row.ID, AddedAt: row.AddedAt, EndedAt: row.EndedAt, Authenticator: row.TOTP != nil, May: []string{}}
	if row.CodeUntil != nil && row.CodeUntil.After(s.clock.Now()) {
		w.CodeUntil = row.CodeUntil
	}
	one, err := s.unseal(row)
	if err != nil {
		return w, err
	}
	for field, of := range map[string]struct {
		into *string
		from []byte
	}{"name": {&w.Name, row.Name}, "mail": {&w.Mail, row.Mail}, "phone": {&w.Phone, row.Phone}} {
		if *of.into, err = one.text(field, of.from); err != nil {
			return w, err
		}
	}
	keys, err := passkeysOf(ctx, tx, row.ID)
	w.Passkeys = len(keys)
	if row.EndedAt != nil {
		return w, err
	}
	for name, do := range map[string]act{"code": giveCode, "mail": changeMail, "end": end} {
		if may(do, schemas.Role(p.Role), p.Organisation, row.Partner, row.ID == p.Subject, 1) == Fine {
			w.May = append(w.May, name)
		}
	}
	return w, err
}

// New is a worker to be added.
type NewWorker struct {
	Name  string `json:"name"`
	Mail  string `json:"mail"`
	Phone string `json:"phone"`
}

// Add adds a worker to a partner, with the first code to be told to them.
func (s *Workers) Add(ctx context.Context, p principal.Principal, partner string, wanted NewWorker) (told Told,
	verdict Verdict, err error) {
	name, okName := line(wanted.Name, 100)
	address, okMail := normalMail(wanted.Mail)
	phone, okPhone := line(wanted.Phone, 40)
	switch {
	case !okName || name == "":
		return told, BadName, nil
	case !okMail:
		return told, BadAddress, nil
	case !okPhone || phone == "":
		return told, BadPhone, nil
	}
	hash, err := s.cfg.Vault.Lookup(forMail, address)
	if err != nil {
		return told, Fine, err
	}
	err = s.within(ctx, func(tx pgx.Tx) error {
		if err := lockPartner(ctx, tx, partner); err != nil {
			return err
		}
		all, ready, err := readyOf(ctx, tx, p, partner)
		if err != nil {
			return err
		}
		if verdict = may(add, schemas.Role(p.Role), p.Organisation, partner, false, ready); verdict != Fine {
			return nil
		}
		if all >= mostWorkers {
			verdict = TooMany
			return nil
		}
		told, verdict, err = s.insert(ctx, tx, p, partner, name, address, phone, hash)
		return err
	})
	return told, verdict, err
}

func (s *Workers) insert(ctx context.Context, tx pgx.Tx, p principal.Principal, partner, name, address, phone string,
	hash []byte) (told Told, verdict Verdict, err error) {
	now := s.clock.Now()
	row := workerRow{ID: clock.NewRandomID(), Partner: partner, AddedAt: now}
	key, wrapped, err := s.cfg.Vault.NewKey(row.ID)
	if err != nil {
		return told, Fine, err
	}
	row.Wrapped = wrapped
	row.Name, row.Mail, row.Phone = key.Seal("name", []byte(name)), key.Seal("mail", []byte(address)),
		key.Seal("phone", []byte(phone))
	added, err := insertWorker(ctx, tx, row, hash)
	if err != nil {
		return told, Fine, err
	}
	if !added {
		return told, Taken, nil
	}
	if err := logDeed(ctx, tx, row.ID, deedAdded, p, now); err != nil {
		return told, Fine, err
	}
	told, err = s.code(ctx, tx, row.ID)
	return told, Fine, err
}

// code gives a worker a new code; one given before is none any more.
func (s *Workers) code(ctx context.Context, tx pgx.Tx, id string) (Told, error) {
	code, until := written.NewCode(codeLength), s.clock.Now().Add(codeLasts)
	hash, err := s.cfg.Vault.Lookup(forCode, id, code)
	if err != nil {
		return Told{}, err
	}
	return Told{id, written.InFours(code), until}, setCode(ctx, tx, id, hash, &until)
}

// change does something about one worker of a partner, under their lock.
func (s *Workers) change(ctx context.Context, p principal.Principal, partner, id string, what act,
	do func(tx pgx.Tx, w workerRow) (Verdict, error)) (verdict Verdict, err error) {
	if v := may(what, schemas.Role(p.Role), p.Organisation, partner, id == p.Subject, 1); v != Fine {
		return v, nil
	}
	err = s.within(ctx, func(tx pgx.Tx) error {
		w, found, err := lockWorkerOf(ctx, tx, p, partner, id)
		if err != nil {
			return err
		}
		if !found {
			verdict = NotFound
			return nil
		}
		verdict, err = do(tx, w)
		return err
	})
	s.look()
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == uniqueViolation {
		return Taken, nil
	}
	return verdict, err
}

const uniqueViolation = "23505"

// GiveCode gives a worker a code to be told by telephone, at the number recorded: for their first sign-in, or for one
// without their key. lost: their keys are not theirs alone any more; none of them opens anything from now on, and they
// are signed out everywhere.
func (s *Workers) GiveCode(ctx context.Context, p principal.Principal, partner, id string, lost bool) (told Told,
	verdict Verdict, err error) {
	verdict, err = s.change(ctx, p, partner, id, giveCode, func(tx pgx.Tx, w workerRow) (Verdict, error) {
		now, what := s.clock.Now(), deedCode
		if lost {
			what = deedLost
			if err := errors.Join(dropFactors(ctx, tx, id), signOut(ctx, tx, w, now)); err != nil {
				return Fine, err
			}
		}
		if err := logDeed(ctx, tx, id, what, p, now); err != nil {
			return Fine, err
		}
		var err error
		told, err = s.code(ctx, tx, id)
		return Fine, err
	})
	return told, verdict, err
}

// ChangeMail changes a worker's address, as when their mailbox is not theirs alone any more: links that were sent to
// the former one open nothing, and they are signed out everywhere. Their keys stay theirs.
func (s *Workers) ChangeMail(ctx context.Context, p principal.Principal, partner, id, mail string) (Verdict, error) {
	address, ok := normalMail(mail)
	if !ok {
		return BadAddress, nil
	}
	hash, err := s.cfg.Vault.Lookup(forMail, address)
	if err != nil {
		return Fine, err
	}
	return s.change(ctx, p, partner, id, changeMail, func(tx pgx.Tx, w workerRow) (Verdict, error) {
		one, err := s.unseal(w)
		if err != nil {
			return Fine, err
		}
		changed, err := setMail(ctx, tx, id, one.key.Seal("mail", []byte(address)), hash)
		if err != nil || !changed {
			return Taken, err
		}
		now := s.clock.Now()
		return Fine, errors.Join(signOut(ctx, tx, w, now), logDeed(ctx, tx, id, deedMail, p, now))
	})
}

// End says that a worker has left: they are signed out everywhere, and nothing of theirs opens anything any more. Their
// address and number are forgotten; their name stays, for who has looked at whom.
func (s *Workers) End(ctx context.Context, p principal.Principal, partner, id string) (Verdict, error) {
	return s.change(ctx, p, partner, id, end, func(tx pgx.Tx, w workerRow) (Verdict, error) {
		now := s.clock.Now()
		return Fine, errors.Join(dropFactors(ctx, tx, id), signOut(ctx, tx, w, now), endWorker(ctx, tx, id, now),
			logDeed(ctx, tx, id, deedEnded, p, now))
	})
}
