// Package mail sends plain e-mail, says what a server's answer means, and reads what comes back.
//
// In: a Message with one recipient; a mail that came back. Out: whether a server took it, or a Failure that says about
// whom it is; a Return. It promises: what a server took counts as sent, even where the line breaks after its answer to
// the data; nothing leaves without TLS except to a server on this machine; a message of one ID has one Message-ID at
// each try; no error holds an address. Sink is an SMTP server that keeps what it takes in memory, for development and
// tests; Receiver takes what comes back. Not promised: that anybody has read it.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is one mail to one recipient.
type Message struct {
	// ID is the same at each try: a server and a mailbox that saw it before can tell.
	ID string
	// To is the recipient's address.
	To string
	// Subject and Text are what is read.
	Subject, Text string
	// ReturnTo is where it comes back to when it cannot be delivered; empty: the sender's address.
	ReturnTo string
	// At is when it was made.
	At time.Time
}

// Config is where mail goes.
type Config struct {
	// URL is the server: smtp://user:password@host:587 (STARTTLS), or smtps://host (TLS from the start).
	URL string
	// User and Password are used where the URL holds none.
	User, Password string
	// From is the sender's address.
	From string
	// Patience bounds one sending (10 s).
	Patience time.Duration
	// TLS is nil for the machine's own roots.
	TLS *tls.Config
}

// Sender hands mail to one server. Many may send at once.
type Sender struct {
	cfg   Config
	host  string
	plain bool // the server is on this machine
	opts  []gomail.Option
}

// New checks the configuration; nothing is reached yet.
func New(cfg Config) (*Sender, error) {
	at, err := url.Parse(cfg.URL)
	if err != nil || at.Hostname() == "" || at.Scheme != "smtp" && at.Scheme != "smtps" {
		return nil, errors.New("the mail server is not written as smtp://host:port or smtps://host:port")
	}
	if !Valid(cfg.From) {
		return nil, errors.New("a mail server is set and no address that mail comes from")
	}
	if at.User != nil {
		cfg.User = at.User.Username()
		cfg.Password, _ = at.User.Password()
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	s := &Sender{cfg: cfg, host: at.Hostname(), plain: loopback(at.Hostname()) && cfg.User == ""}
	return s, s.prepare(at)
}

func (s *Sender) prepare(at *url.URL) error {
	policy := gomail.TLSMandatory
	if s.plain {
		policy = gomail.TLSOpportunistic
	}
	s.opts = []gomail.Option{gomail.WithTimeout(s.cfg.Patience), gomail.WithTLSPolicy(policy)}
	if at.Scheme == "smtps" {
		s.opts = append(s.opts, gomail.WithSSL(), gomail.WithPort(465))
	}
	if text := at.Port(); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("the mail server's port is not a number: %w", err)
		}
		s.opts = append(s.opts, gomail.WithPort(port))
	}
	if s.cfg.User != "" {
		s.opts = append(s.opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.cfg.User),
			gomail.WithPassword(s.cfg.Password))
	}
	if s.cfg.TLS != nil {
		s.opts = append(s.opts, gomail.WithTLSConfig(s.cfg.TLS))
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Valid says whether a text is one address and nothing else: no name beside it, no list, no line break.
func Valid(address string) bool {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || len(address) > 254 {
		return false
	}
	return strings.IndexFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// Domain is what follows the @ of an address.
func Domain(address string) string { return address[strings.LastIndex(address, "@")+1:] }

// MessageID is what stands in the header of a message of an id, without the brackets.
func (s *Sender) MessageID(id string) string { return id + "@" + Domain(s.cfg.From) }

// Send hands a message over. Nil says that the server took it; anything else is a *Failure.
//
// Nothing marks it as sent by a machine (RFC 3834), so that a mailbox nobody reads answers it; nothing here ever
// answers such an answer.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := s.write(m)
	if err != nil {
		return &Failure{About: AboutAddress, cause: err}
	}
	client, err := gomail.NewClient(s.host, s.opts...)
	if err != nil {
		return &Failure{About: AboutUs, cause: fmt.Errorf("preparing to reach the mail server: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() { // the answer to the data decides; what goes wrong afterwards would only double it
		return nil
	}
	if err == nil {
		err = errors.New("the mail server did not take it")
	}
	return failureOf(err)
}

func (s *Sender) write(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if !Valid(m.To) || msg.To(m.To) != nil {
		return nil, errors.New("the address cannot be one")
	}
	if err := msg.From(s.cfg.From); err != nil {
		return nil, errors.New("the address that mail comes from cannot be one")
	}
	if m.ReturnTo != "" {
		if err := msg.EnvelopeFrom(m.ReturnTo); err != nil {
			return nil, errors.New("the address that mail comes back to cannot be one")
		}
	}
	msg.SetMessageIDWithValue(s.MessageID(m.ID))
	msg.SetDateWithValue(m.At)
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

// Reach looks whether the server can be reached and takes the credentials; nothing is sent.
func (s *Sender) Reach(ctx context.Context) error {
	client, err := gomail.NewClient(s.host, s.opts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	return client.Close()
}

// listen is a listener on the loopback.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
}
