package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"footbridge/libs/testkit"
)

// TestAPartnersStreamIsFollowedAgainFromWhereItEnded, and what comes twice is there once; what is in its feed for
// longer than a day and has not come to it is found.
func TestAPartnersStreamIsFollowedAgainFromWhereItEnded(t *testing.T) {
	t.Parallel()
	r := among(t, &planted{answers: map[string]string{}})
	p := newPartner(r, Partner{ID: "north-peers", Way: byStream}, "id-north-peers")
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	if err := p.begins(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.shut() })
	came := func() (n int) {
		p.inbox.mu.Lock()
		defer p.inbox.mu.Unlock()
		return len(p.inbox.came)
	}
	testkit.Eventually(t, "both have come", func() bool { return came() == 2 })
	p.takesInbox()
	findsNothing(t, r)
	item := func(id string, ago time.Duration) json.RawMessage {
		return json.RawMessage(`{"event":{"id":"` + id + `","time":"` + r.now.Add(-ago).Format(time.RFC3339) + `"}}`)
	}
	for _, c := range []struct {
		id    string
		ago   time.Duration
		found int
	}{{"a", 48 * time.Hour, 0}, {"c", time.Hour, 0}, {"c", 48 * time.Hour, 1}} {
		p.mustHave(item(c.id, c.ago))
		if n := len(r.report.Faults); n != c.found {
			t.Errorf("%s, of %s ago: %+v", c.id, c.ago, r.report.Faults)
		}
	}
}

// TestAPartnersEndpointTakesWhatIsSigned: it agrees to be sent to, and notes what is not signed, and what comes again
// and is another.
func TestAPartnersEndpointTakesWhatIsSigned(t *testing.T) {
	t.Parallel()
	const secret = "whsec_" + "bm90IGEgc2VjcmV0IG9mIGFueWJvZHkncw=="
	signed, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	box := inbox{ids: map[string][]byte{}}
	e := &endpoint{inbox: &box, signed: signed}
	send := func(body, signs string) int {
		now := time.Now()
		signature, err := signed.Sign("m", now, []byte(signs))
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events", strings.NewReader(body))
		req.Header.Set("webhook-id", "m")
		req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("webhook-signature", signature)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, req)
		return w.Code
	}
	const one, other = `{"id":"a"}`, `{"id":"a","data":{}}`
	for i, c := range []struct {
		body, signs string
		status      int
		wrong       []string
	}{{one, one, 204, nil}, {one, one, 204, nil},
		{other, one, 401, []string{"what was sent is not signed with its secret"}},
		{other, other, 204, []string{"an event came again and was another"}}} {
		box.wrong = nil
		if status := send(c.body, c.signs); status != c.status || !slices.Equal(box.wrong, c.wrong) {
			t.Errorf("%d: answered %d, and noted %q", i, status, box.wrong)
		}
	}
	if len(box.came) != 1 {
		t.Errorf("%d events came", len(box.came))
	}
}
