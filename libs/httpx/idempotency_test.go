package httpx_test

import (
	"net/http/httptest"
	"testing"

	"footbridge/libs/httpx"
)

func TestKeysAreCheckedBeforeTheyAreUsed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", nil)
	if i, err := httpx.ParseIdempotency(r, "p", nil); i != nil || err != nil {
		t.Errorf("without a key: %v, %v", i, err)
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

func TestOnlyARepetitionSaysThatItIsOne(t *testing.T) {
	t.Parallel()
	for again, want := range map[bool]string{false: "", true: "true"} {
		w := httptest.NewRecorder()
		if err := (httpx.Answer{Status: 202, Body: []byte(`{}`), Again: again}).Write(w); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Idempotency-Replayed"); got != want || w.Code != 202 || w.Body.String() != `{}` {
			t.Errorf("again %v: %d %q, Idempotency-Replayed %q", again, w.Code, w.Body, got)
		}
	}
}
