package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"footbridge/libs/notify"
)

const heartSecret = "a secret of more than twenty-four characters"

// TestTheHeartbeatIsSignedAndSaysWhenItLookedAndNoMore: of several rounds while nobody takes it, the last is told.
func TestTheHeartbeatIsSignedAndSaysWhenItLookedAndNoMore(t *testing.T) {
	t.Parallel()
	took := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Webhook-Signature") != "v1,"+notify.Sign([]byte(heartSecret), r.Header.Get("Webhook-Id"),
			r.Header.Get("Webhook-Timestamp"), body) {
			body = []byte("not signed")
		}
		took <- string(body)
	}))
	defer receiver.Close()
	c := &Config{Heartbeat: receiver.URL, HeartSecret: heartSecret, development: true}
	c.OutwardAllow = []string{"127.0.0.0/8"}
	h, err := c.heartbeat()
	if err != nil {
		t.Fatal(err)
	}
	looked := time.Now().UTC().Truncate(time.Second)
	h.looked(looked.Add(-time.Minute))
	h.looked(looked)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.run(ctx, slog.New(slog.DiscardHandler)) }()
	body := <-took
	stop()
	<-ended
	if want := `"data":{"lookedAt":"` + looked.Format(time.RFC3339) + `"}`; !strings.Contains(body, want) ||
		!strings.Contains(body, heartbeatType) || len(took) > 0 {
		t.Errorf("told %s, and %d more", body, len(took))
	}
}

func TestAHeartbeatThatAnybodyCouldGiveIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*Config{
		"without a secret":   {Heartbeat: "https://monitor.example/1"},
		"with a short one":   {Heartbeat: "https://monitor.example/1", HeartSecret: "short"},
		"for all to read":    {Heartbeat: "http://monitor.example/1", HeartSecret: heartSecret},
		"to nobody, without": {},
	} {
		if _, err := c.heartbeat(); (err == nil) != (c.Heartbeat == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if note, err := (&Config{}).checkHeartbeat(); err != nil || !strings.Contains(note, "FOOTBRIDGE_HEARTBEAT_URL") {
		t.Errorf("doctor says %q, %v", note, err)
	}
}
