package notify_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"footbridge/libs/mail"
	"footbridge/libs/notify"
	"footbridge/libs/outward"
)

var (
	secret  = []byte("a secret of more than twenty-four bytes")
	message = notify.Message{ID: "0193a000-0000-7000-8000-000000000001", Subject: "Something waits",
		Text: "Look at it: https://example.org/1", Type: "help.page",
		Data: map[string]string{"help": "1"}, At: time.Unix(1_700_000_000, 0)}
)

func sender(t *testing.T, cfg notify.Config) *notify.Sender {
	t.Helper()
	s, err := notify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAWebhookIsSignedOverIdTimeAndBody(t *testing.T) {
	t.Parallel()
	took := false
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		took = r.Header.Get("Webhook-Signature") == "v1,"+notify.Sign(secret, r.Header.Get("Webhook-Id"),
			r.Header.Get("Webhook-Timestamp"), body) &&
			r.Header.Get("Webhook-Id") == message.ID && strings.Contains(string(body), `"help":"1"`)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	s := sender(t, notify.Config{Secret: secret, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err := s.Send(t.Context(), notify.Webhook, receiver.URL, message); err != nil || !took {
		t.Errorf("%v, right: %v", err, took)
	}
}

func TestAWebhookNeverLeadsInside(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.NotFoundHandler())
	defer receiver.Close()
	err := sender(t, notify.Config{Secret: secret}).Send(t.Context(), notify.Webhook, receiver.URL+"/token", message)
	if !errors.Is(err, outward.ErrInside) || strings.Contains(err.Error(), "token") {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerThatIsNoYesIsAFailure(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 404, 410, 500} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		s := sender(t, notify.Config{Secret: secret, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		if err := s.Send(t.Context(), notify.Webhook, receiver.URL, message); err == nil {
			t.Errorf("%d counts as taken", status)
		}
		receiver.Close()
	}
}

func TestAChannelThatIsNotSetUpSaysSo(t *testing.T) {
	t.Parallel()
	s := sender(t, notify.Config{})
	for _, channel := range []string{notify.Email, notify.Webhook, notify.Log, "pigeon"} {
		if err := s.Send(t.Context(), channel, "a@example.org", message); !errors.Is(err, notify.ErrNoChannel) ||
			s.Has(channel) {
			t.Errorf("%s: %v", channel, err)
		}
	}
	for _, cfg := range []notify.Config{{Mail: mail.Config{URL: "example.org:25"}},
		{Mail: mail.Config{URL: "smtp://example.org"}}, {Secret: []byte("short")}} {
		if _, err := notify.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestTheAnswerToTheDataDecides: a mail server that took the mail and then breaks the line has taken it.
func TestTheAnswerToTheDataDecides(t *testing.T) {
	t.Parallel()
	for refuses, want := range map[bool]bool{false: true, true: false} {
		taken := make(chan string, 1)
		s := sender(t, notify.Config{Mail: mail.Config{URL: "smtp://" + mailServer(t, refuses, taken),
			From: "footbridge@example.org"}, Patience: 20 * time.Second})
		err := s.Send(t.Context(), notify.Email, "duty@example.org", message)
		if (err == nil) != want {
			t.Errorf("refuses %v: %v", refuses, err)
		}
		if text := <-taken; !strings.Contains(text, "Something waits") || !strings.Contains(text, message.ID) {
			t.Errorf("it came as %q", text)
		}
	}
}

// mailServer takes one mail, or refuses its content, and then breaks the line.
func mailServer(t *testing.T, refuses bool, taken chan<- string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
		say("220 ready")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
			case "EHLO", "HELO":
				say("250 here")
			case "DATA":
				say("354 go on")
				var text strings.Builder
				for line != ".\r\n" {
					if line, err = in.ReadString('\n'); err != nil {
						return
					}
					text.WriteString(line)
				}
				if refuses {
					say("554 no")
				} else {
					say("250 taken")
				}
				taken <- text.String()
				return
			default:
				say("250 fine")
			}
		}
	}()
	return ln.Addr().String()
}
