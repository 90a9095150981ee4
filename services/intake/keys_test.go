package intake

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/pg/wrapped"
	"footbridge/libs/vault"
)

func TestEveryStoredKeyIsWrappedAnewAndAnErasedOneStaysErased(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before, err := vault.OpenOrCreateFile(s.kek)
	if err != nil {
		t.Fatal(err)
	}
	pool := s.db.Pool(Name)
	owners := map[string]bool{}
	for range 2*wrapped.AtOnce + 1 {
		owner := clock.NewRandomID()
		_, sealed, err := before.NewKey(owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), `insert into person_key (person, wrapped) values ($1, $2)`, owner,
			sealed); err != nil {
			t.Fatal(err)
		}
		owners[owner] = true
	}
	if err := vault.RotateFile(s.kek); err != nil {
		t.Fatal(err)
	}
	after, err := vault.OpenFile(s.kek)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	err = wrapped.Rewrap(t.Context(), pool, after, func(table string, done, _ int64) {
		if table != "person_key" || done != wrapped.AtOnce {
			return
		}
		// Between two batches, somebody is erased whose key is not wrapped again yet.
		if err := pool.QueryRow(t.Context(), `delete from person_key where person = (select person from person_key
			order by person desc limit 1) returning person::text`).Scan(&last); err != nil {
			t.Error(err)
		}
	}, KeyTables...)
	if err != nil {
		t.Fatal(err)
	}
	delete(owners, last)
	stored, err := pool.Query(t.Context(), `select person::text, wrapped from person_key`)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	var owner string
	var key []byte
	if _, err := pgx.ForEachRow(stored, []any{&owner, &key}, func() error {
		found++
		if _, err := after.Unwrap(owner, key); err != nil || !bytes.HasPrefix(key, after.Prefix()) || !owners[owner] {
			t.Errorf("a key is not wrapped again: %v", err)
		}
		return nil
	}); err != nil || found != len(owners) {
		t.Fatalf("%d keys of %d, %v", found, len(owners), err)
	}
	tables, err := wrapped.Check(t.Context(), pool, after, KeyTables...)
	if err != nil || tables[0].Keys != int64(len(owners)) || tables[0].Older != 0 {
		t.Errorf("checked: %+v, %v", tables, err)
	}
}

// TestASearchIsReviewedAfterItsKeyWasWrappedAgain: why somebody searched is sealed under a key of its own. One that is
// left behind would be unreadable with the former key gone, and the whole list of whoever reviews with it.
func TestASearchIsReviewedAfterItsKeyWasWrappedAgain(t *testing.T) {
	t.Parallel()
	p := newSite(t).start()
	const why = "somebody gave this name by telephone"
	p.searched(t, liaison, `{"familyName":"Nobodysson","birthDate":"1990-04-01"}`, ReasonHeader, why)
	if err := vault.RotateFile(p.site.kek); err != nil {
		t.Fatal(err)
	}
	after, err := vault.OpenFile(p.site.kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := wrapped.Rewrap(t.Context(), p.pool, after, func(string, int64, int64) {}, KeyTables...); err != nil {
		t.Fatal(err)
	}
	var id string
	var key []byte
	if err := p.pool.QueryRow(t.Context(), `select id::text, wrapped from search`).Scan(&id, &key); err != nil {
		t.Fatal(err)
	}
	if _, err := after.Unwrap(id, key); err != nil || !bytes.HasPrefix(key, after.Prefix()) {
		t.Errorf("the key of a search is not wrapped again: %v", err)
	}
}
