package mail_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"footbridge/libs/mail"
	"footbridge/libs/testkit"
)

var message = mail.Message{ID: "0193a000-0000-7000-8000-000000000001", To: "desk@partner.example",
	Subject: "Something waits for you", Text: "It waits until Thursday.\n", ReturnTo: "return+1@trust.example",
	At: time.Unix(1_700_000_000, 0)}

func newSink(t *testing.T) *mail.Sink {
	t.Helper()
	s, err := mail.NewSink(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func sender(t *testing.T, cfg mail.Config) *mail.Sender {
	t.Helper()
	cfg.From, cfg.Patience = "footbridge@trust.example", testkit.Patience
	s, err := mail.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMailArrivesWithItsIdAndWhereItComesBackTo(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	if err := sender(t, mail.Config{URL: sink.URL}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	kept := sink.Mails()
	if len(kept) != 1 || kept[0].From != message.ReturnTo || kept[0].To != message.To {
		t.Fatalf("it came as %+v", kept)
	}
	text := string(kept[0].Text)
	for _, holds := range []string{"Message-ID: <" + message.ID + "@trust.example>", "Subject: " + message.Subject,
		"From: <footbridge@trust.example>", "It waits until Thursday."} {
		if !strings.Contains(text, holds) {
			t.Errorf("there is no %q in %s", holds, text)
		}
	}
}

// TestWhatAServerTookIsSent though the line breaks after its answer: the library returns an error then.
func TestWhatAServerTookIsSent(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	sink.HangUp(true)
	if err := sender(t, mail.Config{URL: sink.URL}).Send(t.Context(), message); err != nil || len(sink.Mails()) != 1 {
		t.Errorf("%v, %d taken", err, len(sink.Mails()))
	}
}

func TestNothingLeavesWithoutTLSOnceItHoldsAPassword(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	err := sender(t, mail.Config{URL: sink.URL, User: "us", Password: "secret"}).Send(t.Context(), message)
	if f, ok := mail.FailureOf(err); !ok || f.About != mail.AboutUs || len(sink.Mails()) != 0 {
		t.Errorf("%v, %d taken", err, len(sink.Mails()))
	}
}

func TestAServerWithTLSIsSentToWithItsCertificateChecked(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	plain, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := tls.NewListener(plain, &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	took := make(chan mail.Received, 1)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = mail.Receive(ctx, ln, "trust.example", mail.Handler{Take: func(_ context.Context, m mail.Received) error {
			took <- m
			return nil
		}})
	}()
	t.Cleanup(func() { end(); <-ended })
	to := "smtps://" + plain.Addr().String()
	if err := sender(t, mail.Config{URL: to}).Send(t.Context(), message); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	trusted := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1"}
	if err := sender(t, mail.Config{URL: to, TLS: trusted}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if m := <-took; m.To != message.To {
		t.Errorf("it came as %+v", m)
	}
}

func TestAFailureSaysAboutWhomItIs(t *testing.T) {
	t.Parallel()
	atRecipient := func(code int, enhanced [3]int, words string) func(mail.Received) error {
		return func(m mail.Received) error { return mail.Refuse(code, enhanced, words) }
	}
	atData := func(code int, enhanced [3]int, words string) func(mail.Received) error {
		return func(m mail.Received) error {
			if m.Text == nil {
				return nil
			}
			return mail.Refuse(code, enhanced, words)
		}
	}
	for name, c := range map[string]struct {
		answer func(mail.Received) error
		about  mail.About
		code   int
	}{
		"no such mailbox":         {atRecipient(550, [3]int{5, 1, 1}, "<DESK@Partner.org>?"), mail.AboutAddress, 550},
		"moved":                   {atRecipient(551, [3]int{5, 1, 6}, "has moved"), mail.AboutAddress, 551},
		"switched off":            {atData(550, [3]int{5, 2, 1}, "Mailbox disabled"), mail.AboutAddress, 550},
		"full":                    {atRecipient(552, [3]int{5, 2, 2}, "Mailbox full"), mail.AboutMoment, 552},
		"full for now":            {atRecipient(452, [3]int{4, 2, 2}, "Mailbox full"), mail.AboutMoment, 452},
		"greylisted":              {atRecipient(451, [3]int{4, 7, 1}, "Greylisted, come again"), mail.AboutMoment, 451},
		"we are on a blocklist":   {atRecipient(550, [3]int{5, 7, 1}, "Blocked, see our list"), mail.AboutPolicy, 550},
		"SPF":                     {atData(550, [3]int{5, 7, 23}, "SPF validation failed"), mail.AboutPolicy, 550},
		"too much at once":        {atRecipient(450, [3]int{4, 7, 28}, "Rate limited"), mail.AboutPolicy, 450},
		"the server closes":       {atRecipient(421, [3]int{4, 3, 2}, "Closing"), mail.AboutUs, 421},
		"our address is refused":  {atRecipient(550, [3]int{5, 1, 8}, "Bad sender address"), mail.AboutPolicy, 550},
		"the content is refused":  {atData(554, [3]int{5, 6, 0}, "Content rejected"), mail.AboutPolicy, 554},
		"refused without a cause": {atData(554, [3]int{5, 0, 0}, "Transaction failed"), mail.AboutPolicy, 554},
		"spam, with no code of it": {atRecipient(550, [3]int{5, 0, 0}, "Message looks like spam"), mail.AboutPolicy,
			550},
		"no such mailbox, with no code of it": {atRecipient(550, [3]int{5, 0, 0}, "No such user here"),
			mail.AboutAddress, 550},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newSink(t)
			sink.Answer(c.answer)
			err := sender(t, mail.Config{URL: sink.URL}).Send(t.Context(), message)
			f, ok := mail.FailureOf(err)
			if !ok || f.About != c.about || f.Code != c.code {
				t.Errorf("about %+v, and not %s %d", f, c.about, c.code)
			}
			if strings.Contains(strings.ToLower(err.Error()), "desk") {
				t.Errorf("the error holds the address: %v", err)
			}
		})
	}
}

func TestAServerThatIsNotThereIsAboutUs(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := sender(t, mail.Config{URL: sink.URL})
	if err := s.Reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	sink.Close()
	if f, ok := mail.FailureOf(s.Send(t.Context(), message)); !ok || f.About != mail.AboutUs || f.Code != 0 {
		t.Errorf("%+v", f)
	}
	if s.Reach(t.Context()) == nil {
		t.Error("it is said to be reached")
	}
}

func TestAnAddressIsOneAndNothingElse(t *testing.T) {
	t.Parallel()
	for address, valid := range map[string]bool{"desk@partner.example": true, "o'neill+x@partner.example": true,
		"": false, "desk": false, "Desk <desk@partner.example>": false, "a@b.example, c@d.example": false,
		"desk@partner.example\r\nBcc: all@partner.example": false, " desk@partner.example": false,
		"désk@partner.example": false, strings.Repeat("a", 250) + "@b.example": false} {
		if mail.Valid(address) != valid {
			t.Errorf("%q: %v", address, !valid)
		}
	}
	sink := newSink(t)
	m := message
	m.To = "desk@partner.example\r\nBcc: all@partner.example"
	if f, ok := mail.FailureOf(sender(t, mail.Config{URL: sink.URL}).Send(t.Context(), m)); !ok ||
		f.About != mail.AboutAddress || len(sink.Mails()) != 0 {
		t.Errorf("%+v", f)
	}
}
