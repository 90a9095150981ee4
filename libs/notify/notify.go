// Package notify tells somebody by e-mail or by a webhook that something waits for them.
//
// In: a Message, which says where something waits and nothing else. Out: whether a server took it. What it promises:
// a message is handed over to one recipient at a time; a receiver's answer is bounded in time and bytes; webhooks go
// through libs/outward, are signed as Standard Webhooks are, with the same id at each try; addresses are never logged.
// What it does not promise: that anybody has read it.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"footbridge/libs/mail"
	"footbridge/libs/outward"
)

// Channels of an address.
const (
	Email   = "email"
	Webhook = "webhook"
	// Log writes a line where a developer sees it. It reaches nobody.
	Log = "log"
)

// Message is what somebody is told. It holds nothing about anybody.
type Message struct {
	// ID is the same for each try of one message.
	ID string
	// Subject and Text are what a person reads.
	Subject, Text string
	// Type and Data are what a system reads.
	Type string
	Data map[string]string
	// At is when it was made.
	At time.Time
}

// ErrNoChannel says that a channel is not set up here: nothing was sent.
var ErrNoChannel = errors.New("this channel is not set up")

// Config is what the channels need. A channel whose part is empty is not set up.
type Config struct {
	// Mail is the server that takes mail, as libs/mail has it; without a URL there is none.
	Mail mail.Config
	// Secret signs webhooks; at least 24 bytes.
	Secret []byte
	// Allow are networks of one's own that webhooks may reach.
	Allow []netip.Prefix
	// Log is where the log channel writes; nil where there is none.
	Log *slog.Logger
	// Patience bounds one sending (5 s).
	Patience time.Duration
}

// Sender sends by the channels that are set up.
type Sender struct {
	cfg  Config
	smtp *mail.Sender
	http *http.Client
}

const shortestSecret = 24

// New checks the configuration.
func New(cfg Config) (*Sender, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	s := &Sender{cfg: cfg, http: outward.NewClient(outward.Config{Allow: cfg.Allow, Patience: cfg.Patience,
		MostBytes: 4 << 10})}
	if len(cfg.Secret) > 0 && len(cfg.Secret) < shortestSecret {
		return nil, fmt.Errorf("the secret that signs webhooks has %d bytes; give it at least %d", len(cfg.Secret),
			shortestSecret)
	}
	if cfg.Mail.URL == "" {
		return s, nil
	}
	if cfg.Mail.Patience <= 0 {
		cfg.Mail.Patience = cfg.Patience
	}
	var err error
	if s.smtp, err = mail.New(cfg.Mail); err != nil {
		return nil, err
	}
	return s, nil
}

// Has says whether a channel is set up.
func (s *Sender) Has(channel string) bool {
	switch channel {
	case Email:
		return s.smtp != nil
	case Webhook:
		return len(s.cfg.Secret) > 0
	case Log:
		return s.cfg.Log != nil
	}
	return false
}

// Send hands a message over. Nil says that the other server took it.
func (s *Sender) Send(ctx context.Context, channel, address string, m Message) error {
	if !s.Has(channel) {
		return ErrNoChannel
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	switch channel {
	case Email:
		return s.smtp.Send(ctx, mail.Message{ID: m.ID, To: address, Subject: m.Subject, Text: m.Text, At: m.At})
	case Webhook:
		return s.post(ctx, address, m)
	}
	s.cfg.Log.Info("a message that would have been sent: " + m.Subject)
	return nil
}

// post sends a webhook as https://www.standardwebhooks.com says: the signature is over id, time and body.
func (s *Sender) post(ctx context.Context, to string, m Message) error {
	body, err := json.Marshal(map[string]any{"type": m.Type, "timestamp": m.At.UTC().Format(time.RFC3339),
		"data": m.Data})
	if err != nil {
		return fmt.Errorf("writing a webhook: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be one")
	}
	at := strconv.FormatInt(m.At.Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", m.ID)
	request.Header.Set("Webhook-Timestamp", at)
	request.Header.Set("Webhook-Signature", "v1,"+Sign(s.cfg.Secret, m.ID, at, body))
	response, err := s.http.Do(request)
	if err != nil {
		return fmt.Errorf("sending a webhook: %w", withoutAddress(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook's receiver answered %d", response.StatusCode)
	}
	return nil
}

// Sign is the signature of a webhook, in base64.
func Sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// withoutAddress leaves out where it went: an address may hold a token.
func withoutAddress(err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
