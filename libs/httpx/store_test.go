package httpx_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/pg"
	"footbridge/libs/testkit"
)

func request(t *testing.T, path, key, body string) *httpx.Idempotency {
	t.Helper()
	r := httptest.NewRequest("POST", path, nil)
	r.Pattern = "POST /api/orders/{id}/confirm"
	r.Header.Set("Idempotency-Key", key)
	i, err := httpx.RequireIdempotency(r, "org/role/subject", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestARepetitionIsAnsweredAndNotDone(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "door", Migrations: []pg.MigrationSet{{Name: "idempotency", FS: httpx.IdempotencyMigrations}}})
	pool, ctx := db.Pool("door"), context.Background()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

	do := func(i *httpx.Idempotency, at time.Time, answer string) (*httpx.Remembered, error) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		before, err := i.Claim(ctx, tx, at)
		if err != nil || before != nil {
			return before, err
		}
		if err := i.Remember(ctx, tx, 202, []byte(answer)); err != nil {
			t.Fatal(err)
		}
		return nil, tx.Commit(ctx)
	}
	first := request(t, "/api/orders/1/confirm", `"k1"`, "body")
	if before, err := do(first, now, "one"); before != nil || err != nil {
		t.Fatalf("a new request was taken for a repetition: %v %v", before, err)
	}
	t.Run("the same again gets the first answer", func(t *testing.T) {
		before, err := do(request(t, "/api/orders/1/confirm", "k1", "body"), now.Add(time.Hour), "two")
		if err != nil || before == nil || before.Status != 202 || string(before.Answer) != "one" || !before.At.Equal(now) {
			t.Errorf("got %+v, %v", before, err)
		}
	})
	t.Run("another body is a conflict", func(t *testing.T) {
		var p *httpx.Problem
		if _, err := do(request(t, "/api/orders/1/confirm", "k1", "other"), now, "two"); !errors.As(err, &p) || p.Status != 409 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another path is another request", func(t *testing.T) {
		if before, err := do(request(t, "/api/orders/2/confirm", "k1", "body"), now, "two"); before != nil || err != nil {
			t.Errorf("got %+v, %v", before, err)
		}
	})
	t.Run("after seven days the key is free again", func(t *testing.T) {
		if before, err := do(first, now.Add(httpx.KeepIdempotency+time.Second), "three"); before != nil || err != nil {
			t.Errorf("got %+v, %v", before, err)
		}
	})
	t.Run("what is old is forgotten", func(t *testing.T) {
		tag, err := pool.Exec(ctx, httpx.IdempotencyForget, now.Add(time.Minute), 100)
		if err != nil || tag.RowsAffected() != 1 {
			t.Errorf("got %v, %v", tag, err)
		}
	})
}

func TestTwoEqualRequestsAtOnceAreDoneOnce(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t, pg.Service{Name: "door", Migrations: []pg.MigrationSet{{Name: "idempotency", FS: httpx.IdempotencyMigrations}}})
	pool, ctx := db.Pool("door"), context.Background()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	i := request(t, "/api/orders/1/confirm", "k", "body")
	first, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if before, err := i.Claim(ctx, first, now); before != nil || err != nil {
		t.Fatalf("got %v, %v", before, err)
	}
	second, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Rollback(ctx) }()
	type outcome struct {
		before *httpx.Remembered
		err    error
	}
	waited := make(chan outcome, 1)
	go func() {
		before, err := i.Claim(ctx, second, now)
		waited <- outcome{before, err}
	}()
	if err := i.Remember(ctx, first, 201, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-waited; got.err != nil || got.before == nil || got.before.Status != 201 {
		t.Errorf("the second was not answered from the first: %+v", got)
	}
}

func TestKeysAreCheckedBeforeTheyAreUsed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", nil)
	if i, err := httpx.ParseIdempotency(r, "p", nil); i != nil || err != nil {
		t.Errorf("without a key: %v, %v", i, err)
	}
	if _, err := httpx.RequireIdempotency(r, "p", nil); err == nil {
		t.Error("a route that needs a key took none")
	}
	for _, bad := range []string{"", `""`, "a b", "a\x7f", string(make([]byte, 300))} {
		r.Header["Idempotency-Key"] = []string{bad}
		if _, err := httpx.ParseIdempotency(r, "p", nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	if _, err := httpx.ParseIdempotency(r, "p", nil); err == nil {
		t.Error("two keys were taken")
	}
}
