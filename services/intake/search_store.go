package intake

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// ownJourneys are the journeys of some organisations ($1) that a condition finds.
const ownJourneys = `select j.id::text, j.person::text, j.opened_at
	from journey j join person p on p.id = j.person
	left join lateral (select v.organisation from visit v where v.journey = j.id order by v.raised_at desc limit 1) v
		on true
	where owner_of(coalesce(v.organisation, p.organisation)) = any($1)`

// condition is by what a way to look finds journeys; $2 is what is looked for.
func (l lookingFor) condition() string {
	switch {
	case l.By == byVisit:
		return ` and j.id in (select coalesce(o.journey, w.journey) from visit w left join visit o
			on o.organisation = w.organisation and o.number = w.joined_to
			where w.number = $2 and owner_of(w.organisation) = any($1))`
	case l.By == byNumber:
		return ` and j.person in (select r from person f, lateral records_of(f.id) as r where f.number_hash = $2)`
	case l.By == byName:
		return ` and j.person in (select r from person f, lateral records_of(f.id) as r where f.surname_hash = $2)`
	case len(l.Value) == codeLength:
		return ` and "right"(j.id::text, 8) = $2`
	}
	return ` and j.id = $2::uuid`
}

type foundJourney struct {
	id, person string
	began      time.Time
}

// search reads which journeys of the caller's own organisation something leads to, in the order of their persons, as
// they are locked. What the caller may not see of them is decided where each is read.
func (s *Service) search(tx *flow.Tx, who principal.Principal, looking lookingFor) (all []foundJourney, err error) {
	var sought any = looking.Value
	if looking.needsReason() {
		if sought, err = s.searchHash(looking); err != nil {
			return nil, err
		}
	}
	tx.Queue(ownJourneys+looking.condition()+` order by j.person, j.id limit 200`, scopeOf(who).Organisations, sought).
		Query(func(rows pgx.Rows) error {
			var one foundJourney
			_, err := pgx.ForEachRow(rows, []any{&one.id, &one.person, &one.began}, func() error {
				all = append(all, one)
				return nil
			})
			return err
		})
	return all, tx.Flush()
}

// storeSearch keeps a search. Why is kept here, under a key of its own, where nobody was found under whose it could be.
func (s *Service) storeSearch(tx *flow.Tx, who principal.Principal, looking lookingFor, found int,
	reason string) error {
	id, sealed, wrapped := clock.NewID(tx.Now), []byte{}, []byte(nil)
	if found == 0 && reason != "" {
		key, kept, err := s.vault.NewKey(id)
		if err != nil {
			return err
		}
		sealed, wrapped = key.Seal(fieldAccess+id, []byte(reason)), kept
	}
	tx.Queue(`insert into search (id, organisation, role, subject, looked_by, found, reason, wrapped, at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, id, who.Organisation, who.Role, who.Subject, looking.By, found,
		sealed, wrapped, tx.Now)
	return nil
}

const searchColumns = `select id::text, at, role, subject, looked_by, found, subject = $2, reviewed_at, finding, reason,
	wrapped from search where organisation = any($1)`

// searches lists the searches of the caller's organisation: those that wait for the caller's review, the oldest first,
// so that what is reviewed up to one has been seen; or all, the newest first.
func (s *Service) searches(tx *flow.Tx, who principal.Principal, waiting bool, page httpx.Page) (all []SearchLine,
	err error) {
	after, statement := clock.HighestID, searchColumns+
		` and id < $3::uuid order by id desc limit $4`
	if waiting {
		after, statement = clock.LowestID, searchColumns+
			` and id > $3::uuid and reviewed_at is null and subject <> $2 order by id limit $4`
	}
	if len(page.After) == 1 {
		after = page.After[0]
	}
	var reasons, wrapped [][]byte
	tx.Queue(statement, scopeOf(who).Organisations, who.Subject, after, page.Limit+1).
		Query(func(rows pgx.Rows) error {
			var l SearchLine
			var reason, key []byte
			_, err := pgx.ForEachRow(rows, []any{&l.ID, &l.At, &l.Role, &l.By, &l.LookedBy, &l.Found, &l.Own,
				&l.ReviewedAt, &l.Finding, &reason, &key}, func() error {
				all = append(all, l)
				reasons, wrapped = append(reasons, slices.Clone(reason)), append(wrapped, slices.Clone(key))
				return nil
			})
			return err
		})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].At = all[i].At.In(s.zone)
		if len(wrapped[i]) == 0 {
			continue
		}
		key, err := s.vault.Unwrap(all[i].ID, wrapped[i])
		if err != nil {
			return nil, err
		}
		plain, err := key.Open(fieldAccess+all[i].ID, reasons[i])
		if err != nil {
			return nil, err
		}
		all[i].Reason = string(plain)
	}
	return all, nil
}

// reviewSearches marks searches of the caller's organisation, up to and with one, as reviewed: those of others alone.
// Where somebody was told of one by a step, that is done.
func reviewSearches(tx *flow.Tx, who principal.Principal, review schemas.SearchReviewRecord) (reviewed int64,
	err error) {
	tx.Queue(`update search set reviewed_at = $1, reviewed_by = $2, finding = $3, passed_to = $4
		where organisation = any($5) and id <= $6::uuid and reviewed_at is null and subject <> $7
		returning id::text, review_due is not null`, tx.Now,
		recordedBy(who), review.Finding, strings.TrimSpace(review.PassedTo), scopeOf(who).Organisations, review.UpTo,
		who.Subject).Query(func(rows pgx.Rows) error {
		var id string
		var told bool
		_, err := pgx.ForEachRow(rows, []any{&id, &told}, func() error {
			if reviewed++; told {
				tx.Emit(flow.Emission{Type: string(schemas.SearchReviewed), Journey: id, Version: 2,
					Data: schemas.SearchReviewedData{}})
			}
			return nil
		})
		return err
	})
	return reviewed, tx.Flush()
}

// reviewedWithin is within how many calendar days another member of staff has looked at a search.
const reviewedWithin = 7

// haveSearchesReviewed tells that the oldest search that waits is to be reviewed, of each organisation of which nobody
// has been told yet. Those after it come with the same page, and where they do not, with the next step.
func (s *Service) haveSearchesReviewed(_ context.Context, tx *flow.Tx, limit int) (told int, err error) {
	type waiting struct {
		ID, Organisation string
		At               time.Time
	}
	var found []waiting
	tx.Queue(`select id::text, organisation, at from search where review_due is null and id in (
			select distinct on (organisation) id from search where reviewed_at is null order by organisation, id)
		order by id limit $1 for update skip locked`, limit).
		Query(func(rows pgx.Rows) error {
			found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[waiting])
			return err
		})
	if err := tx.Flush(); err != nil {
		return 0, err
	}
	for _, one := range found {
		due := (calendar.DayOf(one.At, s.zone) + reviewedWithin).At(17, 0, s.zone)
		tx.Queue(`update search set review_due = $2 where id = $1::uuid`, one.ID, due)
		tx.Emit(flow.Emission{Type: string(schemas.SearchReviewNeeded), Journey: one.ID, Version: 1,
			Data: schemas.SearchReviewNeededData{Organisation: one.Organisation, DueAt: due}})
	}
	return len(found), tx.Flush()
}

// reasonOfNobody is for how long the reason is kept of a search that found nobody: it may speak of somebody, and no
// erasure finds it. A review is a matter of a week, and what is passed on of a quarter.
const reasonOfNobody = 90 * 24 * time.Hour

// forgetSearchReasons ends the keeping of such reasons; that somebody searched stays.
func forgetSearchReasons(_ context.Context, tx *flow.Tx, limit int) (forgotten int, err error) {
	tx.Queue(`update search set reason = '', wrapped = null where id in (select id from search
		where wrapped is not null and at < $1 order by at limit $2 for update skip locked)`,
		tx.Now.Add(-reasonOfNobody), limit).
		Exec(func(tag pgconn.CommandTag) error { forgotten = int(tag.RowsAffected()); return nil })
	return forgotten, tx.Flush()
}

// makeSearchable gives records from before searching what they are found by.
func (s *Service) makeSearchable(_ context.Context, tx *flow.Tx, limit int) (int, error) {
	var ids []string
	var identities, wrapped, numbers, surnames [][]byte
	tx.Queue(`select p.id::text, p.identity, (select k.wrapped from person_key k where k.person = p.id) from person p
		where not p.searchable and p.id <> all($2::uuid[]) order by p.id limit $1 for no key update of p skip locked`,
		limit, tx.Postponed()).Query(func(rows pgx.Rows) error {
		var id string
		var identity, key []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &identity, &key}, func() error {
			tx.Attempt(id)
			ids = append(ids, id)
			identities, wrapped = append(identities, slices.Clone(identity)), append(wrapped, slices.Clone(key))
			return nil
		})
		return err
	})
	if err := tx.Flush(); err != nil || len(ids) == 0 {
		return 0, err
	}
	for i, id := range ids {
		sub := subjectOf{Person: id}
		if err := s.openSubject(&sub, wrapped[i], identities[i], nil); err != nil {
			return 0, err
		}
		number, surname, err := s.searchHashes(sub.identity)
		if err != nil {
			return 0, err
		}
		numbers, surnames = append(numbers, number), append(surnames, surname)
	}
	tx.Queue(`update person p set searchable = true, number_hash = n.number, surname_hash = n.surname
		from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as n(id, number, surname) where p.id = n.id`, ids, numbers,
		surnames)
	return len(ids), tx.Flush()
}
