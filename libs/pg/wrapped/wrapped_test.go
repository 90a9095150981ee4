package wrapped

import (
	"path/filepath"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
)

func TestAKeySeenByRewrapAndErasedMeanwhileIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	keys, err := vault.OpenOrCreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := testkit.Database(t).Admin()
	if _, err := pool.Exec(t.Context(), `create table locked (id uuid primary key, sealed_by bytea)`); err != nil {
		t.Fatal(err)
	}
	table := Table{Name: "locked", Owner: "id", Key: "sealed_by"}
	owner, other := clock.NewRandomID(), clock.NewRandomID()
	_, sealed, err := keys.NewKey(owner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `insert into locked values ($1, $2), ($3, null)`, other, sealed,
		clock.NewRandomID()); err != nil {
		t.Fatal(err)
	}
	if err := table.rewrap(t.Context(), pool, keys, []key{{owner, sealed}}); err != nil {
		t.Fatal(err)
	}
	if counted, err := table.count(t.Context(), pool, keys.Prefix()); err != nil || counted.Keys != 1 {
		t.Errorf("%+v, %v", counted, err)
	}
	if _, err := Check(t.Context(), pool, keys, table); err == nil {
		t.Error("a key of another owner is taken for readable")
	}
}
