package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
)

// workerRow is a worker as they are stored.
type workerRow struct {
	ID, Partner       string
	Wrapped           []byte
	Name, Mail, Phone []byte
	AddedAt           time.Time
	EndedAt           *time.Time
	CodeHash          []byte
	CodeUntil         *time.Time
	TOTP              []byte
	TOTPStep          int64
	Wrong             int
	WrongAt           *time.Time
}

const workerColumns = `id::text, partner, wrapped, name, mail, phone, added_at, ended_at, code_hash, code_until, totp,
	totp_step, wrong, wrong_at`

func oneWorker(rows pgx.Rows, err error) (workerRow, bool, error) {
	if err != nil {
		return workerRow{}, false, fmt.Errorf("reading a worker: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[workerRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return workerRow{}, false, nil
	}
	if err != nil {
		return workerRow{}, false, fmt.Errorf("reading a worker: %w", err)
	}
	return row, true, nil
}

// lockWorkerOf locks one worker of a partner, for somebody who does something about them.
func lockWorkerOf(ctx context.Context, tx pgx.Tx, _ principal.Principal, partner, id string) (workerRow, bool, error) {
	rows, err := tx.Query(ctx, `select `+workerColumns+` from worker where partner = $1 and id = $2 and ended_at is null
		for update`, partner, id)
	return oneWorker(rows, err)
}

// lockWorker locks the worker whom a browser's sign-in is of, unless they have left, or have another address now.
func lockWorker(ctx context.Context, tx pgx.Tx, pending []byte) (workerRow, bool, error) {
	rows, err := tx.Query(ctx, `select `+workerColumns+` from worker where ended_at is null and (id, mail_hash) =
		(select worker, mail_hash from sign_in where pending = $1) for update`, pending)
	return oneWorker(rows, err)
}

func workerByMail(ctx context.Context, tx pgx.Tx, hash []byte) (workerRow, bool, error) {
	rows, err := tx.Query(ctx, `select `+workerColumns+` from worker where mail_hash = $1 and ended_at is null`, hash)
	return oneWorker(rows, err)
}

// workersOf are a partner's workers, who left last; used is when each signed in last.
func workersOf(ctx context.Context, tx pgx.Tx, _ principal.Principal, partner string) (all []workerRow, err error) {
	rows, err := tx.Query(ctx, `select `+workerColumns+` from worker where partner = $1
		order by ended_at is not null, added_at, id limit 500`, partner)
	if err != nil {
		return nil, fmt.Errorf("listing workers: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[workerRow])
}

// logged is one line of what was done about a worker.
type logged struct {
	Worker, What, By string
	At               time.Time
}

// logOf is what was done about a partner's workers lately, the latest first.
func logOf(ctx context.Context, tx pgx.Tx, _ principal.Principal, partner string, since time.Time) ([]logged, error) {
	rows, err := tx.Query(ctx, `select l.worker::text, l.what, l.by, l.at from worker_log l join worker w on
		w.id = l.worker where w.partner = $1 and l.at > $2 order by l.at desc, l.id desc limit 1000`, partner, since)
	if err != nil {
		return nil, fmt.Errorf("reading what was done about workers: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[logged])
}

// lockPartner keeps others from adding workers to the same partner meanwhile.
func lockPartner(ctx context.Context, tx pgx.Tx, partner string) error {
	_, err := tx.Exec(ctx, `select 1 from worker where partner = $1 order by id for update`, partner)
	return err
}

// readyOf counts a partner's workers, and those of them who can sign in by themselves.
func readyOf(ctx context.Context, tx pgx.Tx, _ principal.Principal, partner string) (all, ready int, err error) {
	err = tx.QueryRow(ctx, `select count(*), count(*) filter (where totp is not null or exists
		(select from passkey where worker = w.id)) from worker w where partner = $1 and ended_at is null`,
		partner).Scan(&all, &ready)
	return all, ready, err
}

// insertWorker adds one; false where the address is somebody's already.
func insertWorker(ctx context.Context, tx pgx.Tx, w workerRow, mailHash []byte) (bool, error) {
	tag, err := tx.Exec(ctx, `insert into worker (id, partner, wrapped, name, mail, phone, mail_hash, added_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (mail_hash) where ended_at is null do nothing`,
		w.ID, w.Partner, w.Wrapped, w.Name, w.Mail, w.Phone, mailHash, w.AddedAt)
	return tag.RowsAffected() == 1, err
}

func setCode(ctx context.Context, tx pgx.Tx, id string, hash []byte, until *time.Time) error {
	_, err := tx.Exec(ctx,
		`update worker set code_hash = $2, code_until = $3, wrong = 0, wrong_at = null where id = $1`,
		id, hash, until)
	return err
}

// setMail changes an address; false where it is somebody else's already.
func setMail(ctx context.Context, tx pgx.Tx, id string, mail, hash []byte) (bool, error) {
	tag, err := tx.Exec(ctx, `update worker set mail = $2, mail_hash = $3 where id = $1 and not exists (select
		from worker
		where mail_hash = $3 and ended_at is null and id <> $1)`, id, mail, hash)
	return tag.RowsAffected() == 1, err
}

// dropFactors forgets every second factor of a worker.
func dropFactors(ctx context.Context, tx pgx.Tx, id string) error {
	batch := &pgx.Batch{}
	batch.Queue(`delete from passkey where worker = $1`, id)
	batch.Queue(`update worker set totp = null, totp_step = 0, code_hash = null, code_until = null where id = $1`, id)
	return tx.SendBatch(ctx, batch).Close()
}

// signOut ends a worker's sessions and every sign-in of theirs that is under way, and has it told to whoever gave them
// something to read by.
func signOut(ctx context.Context, tx pgx.Tx, w workerRow, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`update session set ended_at = $4 where organisation = $1 and role = $2 and subject = $3 and
		ended_at is null`, w.Partner, rolePartner, w.ID, now)
	batch.Queue(`delete from sign_in where worker = $1`, w.ID)
	batch.Queue(`update worker set off_at = $2, off_tries = 0 where id = $1`, w.ID, now)
	return tx.SendBatch(ctx, batch).Close()
}

// dueOff takes one worker whose signing out is to be told now: counted, and due again later, before it is tried.
func dueOff(ctx context.Context, tx pgx.Tx, now time.Time) (off Off, some bool, err error) {
	err = tx.QueryRow(ctx, `select id::text, partner, ended_at is not null, off_tries from worker
		where off_at <= $1 order by off_at, id limit 1 for update skip locked`, now).Scan(&off.Worker, &off.Partner,
		&off.Left, &off.tries)
	if errors.Is(err, pgx.ErrNoRows) {
		return off, false, nil
	}
	if err == nil {
		_, err = tx.Exec(ctx, `update worker set off_at = $2, off_tries = off_tries + 1 where id = $1`, off.Worker,
			now.Add(wait(off.tries)))
	}
	return off, true, err
}

// toldOff records that it was told, unless they were signed out again meanwhile.
func toldOff(ctx context.Context, tx pgx.Tx, off Off) error {
	_, err := tx.Exec(ctx, `update worker set off_at = null where id = $1 and off_tries = $2`, off.Worker, off.tries+1)
	return err
}

func endWorker(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `update worker set ended_at = $2, mail_hash = null, mail = '', phone = '' where id = $1`, id,
		now)
	return err
}

func logDeed(ctx context.Context, tx pgx.Tx, worker, what string, by principal.Principal, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into worker_log (worker, at, what, by, id) values ($1, $2, $3, $4, $5)`, worker, now,
		what, by.Role+"/"+by.Subject, clock.NewRandomID())
	return err
}

// ask records that somebody would like a link to an address, unless there were enough.
func ask(ctx context.Context, tx pgx.Tx, id string, hash, asker []byte, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`delete from sign_in where asked_at < $1`, now.Add(-signInKept))
	batch.Queue(`insert into sign_in (id, mail_hash, asker, asked_at, next_at)
		select $1, $2, $3, $4, $4 from (select count(*) filter (where asker = $3 and asked_at > $5) < $6
				and count(*) filter (where asker = $3) < $7 and count(*) < $8
				or count(*) filter (where used_at is null and asked_at > $9) = 0 as may
			from sign_in where mail_hash = $2 and asked_at > $10) asked where may`,
		id, hash, asker, now, now.Add(-linkLasts), mostLinks, mostLinksADay, mostLinksByAll, now.Add(-freshFor),
		now.Add(-24*time.Hour))
	return tx.SendBatch(ctx, batch).Close()
}

// signInRow is somebody who is on their way in.
type signInRow struct {
	ID        string
	MailHash  []byte
	AskedAt   time.Time
	Worker    *string
	Sealed    []byte
	Tries     int
	Until     *time.Time
	Wrong     int
	Ceremony  []byte
	Candidate []byte
	ProvedAt  *time.Time
}

const signInColumns = `id::text, mail_hash, asked_at, worker::text, sealed, tries, until, wrong, ceremony, candidate,
	proved_at`

func oneSignIn(rows pgx.Rows, err error) (signInRow, bool, error) {
	if err != nil {
		return signInRow{}, false, fmt.Errorf("reading a sign-in: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[signInRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return signInRow{}, false, nil
	}
	if err != nil {
		return signInRow{}, false, fmt.Errorf("reading a sign-in: %w", err)
	}
	return row, true, nil
}

// dueMail takes one sign-in whose mail is to be made, or tried again.
func dueMail(ctx context.Context, tx pgx.Tx, now time.Time) (signInRow, bool, error) {
	rows, err := tx.Query(ctx, `select `+signInColumns+` from sign_in where next_at <= $1 order by next_at, id limit 1
		for update skip locked`, now)
	return oneSignIn(rows, err)
}

// keepLink stores whose link it is; until its mail was handed over the token is kept, sealed.
func keepLink(ctx context.Context, tx pgx.Tx, id, worker string, link, sealed []byte) error {
	_, err := tx.Exec(ctx, `update sign_in set worker = $2, link = $3, sealed = $4 where id = $1`, id, worker, link,
		sealed)
	return err
}

// mailAgain sets when a mail is tried next, which is counted before it is tried; nil: never.
func mailAgain(ctx context.Context, tx pgx.Tx, id string, at *time.Time) error {
	_, err := tx.Exec(ctx, `update sign_in set next_at = $2, tries = tries + 1,
		sealed = case when $2::timestamptz is null then null else sealed end where id = $1`, id, at)
	return err
}

// useLink takes a link that still works, once, and says what the browser holds from now on.
func useLink(ctx context.Context, tx pgx.Tx, link, pending []byte, now time.Time) (signInRow, bool, error) {
	rows, err := tx.Query(ctx, `update sign_in set used_at = $3, pending = $2, until = $4 where link = $1 and
		used_at is null and asked_at > $5 returning `+signInColumns, link, pending, now, now.Add(pendingLasts),
		now.Add(-linkLasts))
	return oneSignIn(rows, err)
}

// lockPending locks the sign-in of a browser that is on its way in.
func lockPending(ctx context.Context, tx pgx.Tx, pending []byte, now time.Time) (signInRow, bool, error) {
	rows, err := tx.Query(ctx, `select `+signInColumns+` from sign_in where pending = $1 and until > $2 for update`,
		pending, now)
	return oneSignIn(rows, err)
}

func endPending(ctx context.Context, tx pgx.Tx, pending []byte) error {
	_, err := tx.Exec(ctx, `update sign_in set until = asked_at where pending = $1`, pending)
	return err
}

func endAllPending(ctx context.Context, tx pgx.Tx, worker string) error {
	_, err := tx.Exec(ctx, `update sign_in set until = asked_at where worker = $1 and pending is not null`, worker)
	return err
}

// countWrong counts a second factor as wrong before it is looked at.
func countWrong(ctx context.Context, tx pgx.Tx, signIn string, w workerRow, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`update sign_in set wrong = wrong + 1 where id = $1`, signIn)
	fresh := w.WrongAt == nil || now.Sub(*w.WrongAt) >= wrongLasts
	batch.Queue(`update worker set wrong = case when $2 then 1 else wrong + 1 end,
		wrong_at = case when $2 then $3 else wrong_at end where id = $1`, w.ID, fresh, now)
	return tx.SendBatch(ctx, batch).Close()
}

// prove records that a second factor was shown: wrong ones before it do not count any more, a told code is used up.
func prove(ctx context.Context, tx pgx.Tx, signIn, worker string, code bool, step int64, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`update sign_in set proved_at = $2, until = $3, ceremony = null where id = $1`, signIn, now,
		now.Add(pendingLasts))
	batch.Queue(`update worker set wrong = 0, wrong_at = null, totp_step = greatest(totp_step, $2),
		code_hash = case when $3 then null else code_hash end, code_until = case when $3 then null else code_until end
		where id = $1`, worker, step, code)
	return tx.SendBatch(ctx, batch).Close()
}

func setCeremony(ctx context.Context, tx pgx.Tx, signIn string, ceremony []byte) error {
	_, err := tx.Exec(ctx, `update sign_in set ceremony = $2 where id = $1`, signIn, ceremony)
	return err
}

func setCandidate(ctx context.Context, tx pgx.Tx, signIn string, candidate []byte) error {
	_, err := tx.Exec(ctx, `update sign_in set candidate = $2 where id = $1`, signIn, candidate)
	return err
}

func setTOTP(ctx context.Context, tx pgx.Tx, worker string, secret []byte, step int64) error {
	_, err := tx.Exec(ctx, `update worker set totp = $2, totp_step = $3 where id = $1`, worker, secret, step)
	return err
}

// passkeyRow is one passkey.
type passkeyRow struct {
	Credential, Record []byte
	AddedAt            time.Time
	UsedAt             *time.Time
}

// passkeysOf are a worker's own.
func passkeysOf(ctx context.Context, tx pgx.Tx, worker string) ([]passkeyRow, error) {
	rows, err := tx.Query(ctx, `select credential, record, added_at, used_at from passkey where worker = $1
		order by added_at, credential`, worker)
	if err != nil {
		return nil, fmt.Errorf("reading passkeys: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[passkeyRow])
}

func insertPasskey(ctx context.Context, tx pgx.Tx, worker string, credential, record []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into passkey (credential, worker, record, added_at) values ($1, $2, $3, $4)`,
		credential, worker, record, now)
	return err
}

func usePasskey(ctx context.Context, tx pgx.Tx, credential, record []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `update passkey set record = $2, used_at = $3 where credential = $1`, credential, record,
		now)
	return err
}

func dropPasskey(ctx context.Context, tx pgx.Tx, worker string, credential []byte) error {
	_, err := tx.Exec(ctx, `delete from passkey where worker = $1 and credential = $2`, worker, credential)
	return err
}
