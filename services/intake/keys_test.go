package intake

import (
	"bytes"
	"testing"

	"footbridge/libs/clock"
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
	for range 2*KeysAtOnce + 1 {
		owner := clock.NewRandomID()
		_, wrapped, err := before.NewKey(owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), `insert into person_key (person, wrapped) values ($1, $2)`, owner,
			wrapped); err != nil {
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
	err = Rewrap(t.Context(), pool, after, func(table string, done, _ int64) {
		if table != "person_key" || done != KeysAtOnce {
			return
		}
		// Between two batches, somebody is erased whose key is not wrapped again yet.
		if err := pool.QueryRow(t.Context(), `delete from person_key where person = (select person from person_key
			order by person desc limit 1) returning person::text`).Scan(&last); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(owners, last)
	stored, err := olderKeys(t.Context(), pool, "person_key", []byte{0}, beforeAllKeys, 10_000) // all of them
	if err != nil || len(stored) != len(owners) {
		t.Fatalf("%d keys of %d, %v", len(stored), len(owners), err)
	}
	for _, one := range stored {
		if _, err := after.Unwrap(one.owner, one.wrapped); err != nil ||
			!bytes.HasPrefix(one.wrapped, after.Prefix()) || !owners[one.owner] {
			t.Fatalf("a key is not wrapped anew: %v", err)
		}
	}
	tables, err := CheckKeys(t.Context(), pool, after)
	if err != nil || tables[0].Keys != int64(len(owners)) || tables[0].Older != 0 {
		t.Errorf("checked: %+v, %v", tables, err)
	}
}

func TestAKeySeenByRewrapAndErasedMeanwhileIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	keys, err := vault.OpenOrCreateFile(s.kek)
	if err != nil {
		t.Fatal(err)
	}
	owner := clock.NewRandomID()
	_, wrapped, err := keys.NewKey(owner)
	if err != nil {
		t.Fatal(err)
	}
	pool := s.db.Pool(Name)
	if err := rewrapBatch(t.Context(), pool, keys, "person_key", []wrappedKey{{owner, wrapped}}); err != nil {
		t.Fatal(err)
	}
	if counted, err := countKeys(t.Context(), pool, "person_key", keys.Prefix()); err != nil || counted.Keys != 0 {
		t.Errorf("%+v, %v", counted, err)
	}
}
