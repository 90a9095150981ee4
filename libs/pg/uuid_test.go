package pg_test

import (
	"context"
	"slices"
	"testing"

	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

func TestTextsGoAsUUIDsAndWrongOnesAreRefusedByTheServer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	pool, err := pg.Open(ctx, testkit.Postgres(t).AdminURL, pg.OpenConfig{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	id, other := "019cac6b-9690-74ea-a6dc-d2f546073f7a", "8C4BBA9E-7C82-48A1-8BBD-6FB23F09D445"
	var got []string
	var one, null *string
	err = pool.QueryRow(ctx, `select $1::uuid[]::text[], $2::uuid::text, ($3::uuid[])[1]::text`, []string{id, other},
		id, []*string{nil, &id}).
		Scan(&got, &one, &null)
	if err != nil || !slices.Equal(got, []string{id, "8c4bba9e-7c82-48a1-8bbd-6fb23f09d445"}) || one == nil ||
		*one != id || null != nil {
		t.Errorf("came back as %v, %v, %v: %v", got, one, null, err)
	}
	// What only the server can read is still the server's to read, and what nobody can is an error.
	if err := pool.QueryRow(ctx, `select $1::uuid[]::text[]`,
		[]string{"{019cac6b969074eaa6dcd2f546073f7a}"}).Scan(&got); err != nil || got[0] != id {
		t.Errorf("another spelling came back as %v: %v", got, err)
	}
	for _, wrong := range []string{"", "no id", id[:35] + "g"} {
		if err := pool.QueryRow(ctx, `select $1::uuid[]::text[]`, []string{wrong}).Scan(&got); err == nil {
			t.Errorf("%q was taken for a uuid", wrong)
		}
	}
}
