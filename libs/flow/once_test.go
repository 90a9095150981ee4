package flow_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/testkit"
)

// keyed is a request to one path, under a key, with a body.
func keyed(t *testing.T, path, key, body string) *httpx.Idempotency {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, nil)
	r.Pattern = "POST /api/orders/{id}/confirm"
	r.Header.Set("Idempotency-Key", key)
	i, err := httpx.ParseIdempotency(r, "org/role/subject", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// confirm does a request, which writes one row, and tells whether it was done now.
func confirm(t *testing.T, p *process, key *httpx.Idempotency, answer string) (got httpx.Answer, done bool, err error) {
	t.Helper()
	got, err = p.DoOnce(t.Context(), key, func(tx *flow.Tx) (int, any, error) {
		done = true
		tx.Queue(`insert into answer (journey) values ($1)`, answer)
		return http.StatusAccepted, thing{answer}, nil
	})
	return got, done, err
}

func TestARepetitionIsAnsweredAndNotDone(t *testing.T) {
	t.Parallel()
	p := newWorld(t).start("asker", nil, nil)
	first, done, err := confirm(t, p, keyed(t, "/api/orders/1/confirm", `"k1"`, "body"), "one")
	if err != nil || !done || first.Again || first.Status != http.StatusAccepted ||
		string(first.Body) != `{"word":"one"}` {
		t.Fatalf("the first: %+v, done %v, %v", first, done, err)
	}
	t.Run("the same again gets the first answer", func(t *testing.T) {
		again, done, err := confirm(t, p, keyed(t, "/api/orders/1/confirm", "k1", "body"), "two")
		if err != nil || done || !again.Again || again.Status != first.Status ||
			string(again.Body) != string(first.Body) {
			t.Errorf("got %+v, done %v, %v", again, done, err)
		}
	})
	t.Run("another body is a conflict", func(t *testing.T) {
		var problem *httpx.Problem
		_, done, err := confirm(t, p, keyed(t, "/api/orders/1/confirm", "k1", "other"), "two")
		if !errors.As(err, &problem) || problem.Status != http.StatusConflict || done {
			t.Errorf("done %v, %v", done, err)
		}
	})
	t.Run("another path is another request", func(t *testing.T) {
		if got, done, err := confirm(t, p, keyed(t, "/api/orders/2/confirm", "k1", "body"), "two"); err != nil ||
			!done || got.Again {
			t.Errorf("got %+v, done %v, %v", got, done, err)
		}
	})
	t.Run("without a key each is done", func(t *testing.T) {
		for range 2 {
			if got, done, err := confirm(t, p, nil, "three"); err != nil || !done || got.Again {
				t.Errorf("got %+v, done %v, %v", got, done, err)
			}
		}
	})
	if n := count(t, p.pool, `select count(*) from answer`); n != 4 {
		t.Errorf("%d rows were written, want 4", n)
	}
}

// TestWhatABodySaidCannotBeTriedOutByWhoHasTheRows: neither the key nor a hash of the body that can be worked out
// without it is kept.
func TestWhatABodySaidCannotBeTriedOutByWhoHasTheRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start("asker", nil, nil)
	const secret, body = "b5c0b2f4-4c0f-4a57-9a86-0c7c4b6c2d11", `{"word":"blue kettle"}`
	key := keyed(t, "/api/orders/1/confirm", secret, body)
	if _, _, err := confirm(t, p, key, "one"); err != nil {
		t.Fatal(err)
	}
	plain := sha256.Sum256([]byte(body))
	under := func(key string) []byte {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		return mac.Sum(nil)
	}
	if n := count(t, p.pool, `select count(*) from idempotency where body_hash = any($1) or key = $2`,
		[][]byte{plain[:], under(""), under(key.Stored()), under(key.Principal), under(key.Route)}, secret); n != 0 {
		t.Error("the row says what the body was, or under which key it came")
	}
	if n := count(t, p.pool, `select count(*) from idempotency where key = $1 and body_hash = $2`, key.Stored(),
		under(secret)); n != 1 {
		t.Error("the row is not found by what is known of the request")
	}
}

func TestWhatFailsMayBeSentAgain(t *testing.T) {
	t.Parallel()
	p := newWorld(t).start("asker", nil, nil)
	key := keyed(t, "/api/orders/1/confirm", "k1", "body")
	if _, err := p.DoOnce(t.Context(), key, func(*flow.Tx) (int, any, error) {
		return 0, nil, errors.New("not now")
	}); err == nil {
		t.Fatal("it was done")
	}
	if got, done, err := confirm(t, p, key, "one"); err != nil || !done || got.Again {
		t.Errorf("got %+v, done %v, %v", got, done, err)
	}
}

func TestTwoEqualRequestsAtOnceAreDoneOnce(t *testing.T) {
	t.Parallel()
	p := newWorld(t).start("asker", nil, nil)
	var did, again atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			got, done, err := confirm(t, p, keyed(t, "/api/orders/1/confirm", "k", "body"), "one")
			if err != nil || got.Status != http.StatusAccepted || string(got.Body) != `{"word":"one"}` ||
				got.Again == done {
				t.Errorf("got %+v, done %v, %v", got, done, err)
			}
			if done {
				did.Add(1)
			}
			if got.Again {
				again.Add(1)
			}
		})
	}
	all.Wait()
	if n := count(t, p.pool, `select count(*) from answer`); did.Load() != 1 || again.Load() != 3 || n != 1 {
		t.Errorf("done %d times, answered again %d times, %d rows", did.Load(), again.Load(), n)
	}
}

func TestARequestIsForgottenAfterSevenDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start("asker", nil, nil)
	old, young := keyed(t, "/api/orders/1/confirm", "old", "body"), keyed(t, "/api/orders/1/confirm", "young", "body")
	for _, key := range []*httpx.Idempotency{old, young} {
		if _, _, err := confirm(t, p, key, key.Key); err != nil {
			t.Fatal(err)
		}
	}
	age := func() {
		t.Helper()
		if _, err := w.db.Admin().Exec(t.Context(), `update asker.idempotency set at = $1 where key = $2`,
			time.Now().Add(-httpx.KeepIdempotency-time.Hour), old.Stored()); err != nil {
			t.Fatal(err)
		}
	}
	age()
	if got, done, err := confirm(t, p, old, "old"); err != nil || !done || got.Again {
		t.Errorf("the key is not free again: %+v, done %v, %v", got, done, err)
	}
	age()
	p.Wake("requests-are-old")
	testkit.Eventually(t, "the old one is deleted", func() bool {
		return count(t, p.pool, `select count(*)
		from idempotency where key = $1`, old.Stored()) == 0
	})
	if _, done, err := confirm(t, p, young, "young"); err != nil || done {
		t.Errorf("the young one was forgotten too: done %v, %v", done, err)
	}
}
