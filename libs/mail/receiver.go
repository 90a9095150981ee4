package mail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// Received is a mail as it came, with its envelope.
type Received struct {
	From, To string
	Text     []byte
}

// Bounds of what is taken.
const (
	mostReceived    = 1 << 20
	mostConnections = 32
	receivePatience = time.Minute
)

// Refuse is an answer that refuses a mail; enhanced are the three numbers of RFC 3463.
func Refuse(code int, enhanced [3]int, words string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: words}
}

// Handler says what becomes of a mail. Nil takes it.
type Handler struct {
	// Recipient is asked before the mail itself is taken.
	Recipient func(to string) error
	// Take is given the mail. An error that is not by Refuse asks the other server to come again.
	Take func(ctx context.Context, m Received) error
	// Taken is called after the answer to the mail has left, with the line it came by.
	Taken func(line net.Conn)
}

// Receive takes mail on a listener until ctx ends: one recipient a mail, a megabyte at most.
func Receive(ctx context.Context, ln net.Listener, domain string, h Handler) error {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{ctx: ctx, handler: h, line: c}, nil
	}))
	server.Domain, server.MaxRecipients, server.MaxMessageBytes = domain, 1, mostReceived
	server.ReadTimeout, server.WriteTimeout = receivePatience, receivePatience
	server.ErrorLog = log.New(io.Discard, "", 0) // it would log addresses
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(netutil.LimitListener(ln, mostConnections))
	if ctx.Err() != nil || errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

type session struct {
	ctx     context.Context
	handler Handler
	line    *smtp.Conn
	m       Received
	taken   bool
}

func (s *session) Reset() {
	if s.taken && s.handler.Taken != nil {
		s.handler.Taken(s.line.Conn())
	}
	s.m, s.taken = Received{}, false
}

func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.m.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.handler.Recipient != nil {
		if err := s.handler.Recipient(to); err != nil {
			return err
		}
	}
	s.m.To = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	var text bytes.Buffer
	if _, err := io.Copy(&text, r); err != nil {
		return err
	}
	s.m.Text = text.Bytes()
	if err := s.handler.Take(s.ctx, s.m); err != nil {
		var refused *smtp.SMTPError
		if errors.As(err, &refused) {
			return refused
		}
		return Refuse(451, [3]int{4, 3, 0}, "Please try again later")
	}
	s.taken = true
	return nil
}

// Sink is an SMTP server on this machine that keeps in memory what it takes. It sends nothing anywhere.
type Sink struct {
	// URL is where to send.
	URL string

	mu     sync.Mutex
	kept   []Kept
	answer func(Received) error
	hangUp bool
	came   chan struct{}
	end    context.CancelFunc
	ended  chan struct{}
}

// Kept is a mail in a sink, and when it came.
type Kept struct {
	Received
	At time.Time
}

// mostKept is how many mails a sink keeps; the oldest go.
const mostKept = 1000

// NewSink starts a sink on a free port of the loopback; it ends with ctx.
func NewSink(ctx context.Context) (*Sink, error) {
	ln, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	s := &Sink{URL: "smtp://" + ln.Addr().String(), came: make(chan struct{}), end: end, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = Receive(ctx, ln, "sink.invalid", Handler{Recipient: s.recipient, Take: s.take, Taken: s.after})
	}()
	return s, nil
}

// Close ends it.
func (s *Sink) Close() {
	s.end()
	<-s.ended
}

// Answer has the sink answer so from now on: asked about the recipient alone, with no text, and then about the mail.
// Nil takes it.
func (s *Sink) Answer(how func(Received) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = how
}

// HangUp has the sink break the line after it has answered that it took a mail.
func (s *Sink) HangUp(after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUp = after
}

func (s *Sink) recipient(to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == nil {
		return nil
	}
	return s.answer(Received{To: to})
}

func (s *Sink) take(_ context.Context, m Received) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer != nil {
		if err := s.answer(m); err != nil {
			return err
		}
	}
	s.kept = append(s.kept, Kept{m, time.Now()})
	if len(s.kept) > mostKept {
		s.kept = append([]Kept{}, s.kept[len(s.kept)-mostKept:]...)
	}
	close(s.came)
	s.came = make(chan struct{})
	return nil
}

func (s *Sink) after(line net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangUp {
		_ = line.Close()
	}
}

// Mails are what it took, the oldest first.
func (s *Sink) Mails() []Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Kept{}, s.kept...)
}

// Came is closed when the next mail is taken.
func (s *Sink) Came() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
}
