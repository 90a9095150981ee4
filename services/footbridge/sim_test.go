package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestTheExamplePartnerTakesWhatIsSignedOnce(t *testing.T) {
	t.Parallel()
	const secret = "whsec_" + "bm90IGEgc2VjcmV0IG9mIGFueWJvZHkncw=="
	signer, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r, err := newReceiver(secret, &out)
	if err != nil {
		t.Fatal(err)
	}
	const event = `{"type":"care.footbridge.partner.offer.v1","sequence":"0000000000000007","data":{"offer":"o"}}`
	send := func(id, signedAs, body string) int {
		now := time.Now()
		signature, err := signer.Sign(signedAs, now, []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("webhook-signature", signature)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	for _, c := range []struct {
		id, signedAs, body string
		status             int
	}{
		{"one", "one", event, http.StatusNoContent},
		{"one", "one", event, http.StatusNoContent}, // again
		{"two", "one", event, http.StatusUnauthorized},
		{"one", "one", event + " ", http.StatusUnauthorized},
	} {
		if got := send(c.id, c.signedAs, c.body); got != c.status {
			t.Errorf("%+v: answered %d", c, got)
		}
	}
	if want := "0000000000000007 care.footbridge.partner.offer.v1 {\"offer\":\"o\"}\n"; out.String() != want {
		t.Errorf("printed %q", out.String())
	}
	asked := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/", nil)
	asked.Header.Set("WebHook-Request-Origin", "footbridge.example")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, asked)
	if w.Code != http.StatusOK || w.Header().Get("WebHook-Allowed-Origin") != "footbridge.example" {
		t.Errorf("the handshake was answered %d %v", w.Code, w.Header())
	}
	for _, none := range []string{"", "whsec_!"} {
		if _, err := newReceiver(none, &out); err == nil {
			t.Errorf("%q is taken for a secret", none)
		}
	}
}
