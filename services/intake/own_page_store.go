package intake

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/services/intake/record"
)

// storedPage is a page with what a session is compared with.
type storedPage struct {
	record.OwnPage
	word, session        []byte
	sessionBegan, seenAt *time.Time
}

const ownPageColumns = `id::text, journey::text, person::text, given_by, given_at, ends_at, opened_at, stopped_at,
	stopped_why, wrong, word, session, session_began, session_seen`

func (p *storedPage) fields() []any {
	return []any{&p.ID, &p.Journey, &p.Person, &p.GivenBy, &p.GivenAt, &p.EndsAt, &p.OpenedAt, &p.StoppedAt,
		&p.StoppedWhy, &p.Wrong, &p.word, &p.session, &p.sessionBegan, &p.seenAt}
}

// findPage reads one page by a condition; nil where there is none.
func findPage(tx *flow.Tx, where string, args ...any) (found *storedPage, err error) {
	tx.Queue(`select `+ownPageColumns+` from own_page where `+where, args...).Query(func(rows pgx.Rows) error {
		var p storedPage
		_, err := pgx.ForEachRow(rows, p.fields(), func() error {
			one := p
			one.word, one.session = slices.Clone(p.word), slices.Clone(p.session)
			found = &one
			return nil
		})
		return err
	})
	return found, tx.Flush()
}

// pageByCode reads the page of a code. Whoever holds a code is nobody yet: the principal is the gateway's own.
func pageByCode(tx *flow.Tx, _ principal.Principal, code []byte) (*storedPage, error) {
	return findPage(tx, `code = $1`, code)
}

// pageBySession reads the page that a session is of.
func pageBySession(tx *flow.Tx, _ principal.Principal, session []byte) (*storedPage, error) {
	return findPage(tx, `session = $1`, session)
}

// lockPage reads a page again under its lock; its person is locked before.
func lockPage(tx *flow.Tx, _ principal.Principal, id string) (*storedPage, error) {
	return findPage(tx, `id = $1::uuid for update`, id)
}

// pageOf reads the page that was given last to the locked person of a journey, by whichever of the records that were
// found to be theirs: one that is open before one that is not. others is how many more of their codes are open.
func (sub *subjectOf) pageOf(tx *flow.Tx, _ principal.Principal) (page *storedPage, others int, err error) {
	const theirs = `person in (select o.id from records_of($1::uuid) as o(id))`
	const open = `stopped_at is null and ends_at > $2`
	tx.Queue(`select greatest(count(*) - 1, 0) from own_page where `+theirs+` and `+open, sub.Person, tx.Now).
		QueryRow(func(row pgx.Row) error { return row.Scan(&others) })
	page, err = findPage(tx, theirs+` order by (`+open+`) desc, given_at desc, id desc limit 1`, sub.Person, tx.Now)
	return page, others, err
}

// holder is what deciding about a page takes of whom it is about.
func (sub *subjectOf) holder(tx *flow.Tx, _ principal.Principal) (h record.OwnPageHolder, err error) {
	h = record.OwnPageHolder{Guard: sub.guard, Erased: sub.erased, Unplaced: sub.unplaced,
		Doubtful: len(sub.group.Others) > 0}
	tx.Queue(`select exists (select 1 from records_of($1::uuid) as o(id) join person q on q.id = o.id
		where q.deceased)`, sub.Person).QueryRow(func(row pgx.Row) error { return row.Scan(&h.Deceased) })
	return h, tx.Flush()
}

// stopPages stops whatever page stands for a person, by whichever of the records that were found to be theirs.
func stopPages(q queuer, _ principal.Principal, person, why string, now time.Time) {
	q.Queue(`update own_page set stopped_at = $2, stopped_why = $3, session = null where stopped_at is null
		and person in (select o.id from records_of($1::uuid) as o(id))`, person, now, why)
}

func addPage(q queuer, _ principal.Principal, p record.OwnPage, code, word []byte) {
	q.Queue(`insert into own_page (id, journey, person, code, word, given_by, given_at, ends_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`, p.ID, p.Journey, p.Person, code, word, p.GivenBy, p.GivenAt, p.EndsAt)
}

// countWrongWord notes a word that was not theirs, and stops the page where that was the last one.
func countWrongWord(q queuer, _ principal.Principal, p *storedPage, now time.Time) {
	q.Queue(`update own_page set wrong = $2 where id = $1::uuid`, p.ID, p.Wrong+1)
	if p.Wrong+1 >= record.OwnPageWrong {
		q.Queue(`update own_page set stopped_at = $2, stopped_why = $3, session = null where id = $1::uuid`, p.ID, now,
			record.StoppedGuessed)
	}
}

func beginPageSession(q queuer, _ principal.Principal, page string, session []byte, now time.Time) {
	q.Queue(`update own_page set session = $2, session_began = $3, session_seen = $3, opened_at = $3
		where id = $1::uuid`, page, session, now)
}

func touchPageSession(q queuer, _ principal.Principal, page string, session []byte, now time.Time) {
	q.Queue(`update own_page set session_seen = $3 where id = $1::uuid and session = $2`, page, session, now)
}

func endPageSession(q queuer, _ principal.Principal, session []byte) {
	q.Queue(`update own_page set session = null where session = $1`, session)
}
