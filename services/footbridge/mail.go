package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"footbridge/libs/mail"
	"footbridge/libs/notify"
	"footbridge/libs/service"
	"footbridge/services/delivery"
)

// madeUpSender is who mail comes from where everybody is made up.
const madeUpSender = "footbridge@trust.example"

// mailFor adds to delivery's configuration how it mails: to the configured server, in development without one to a
// mailbox in this process, and elsewhere without one not at all.
func (p *process) mailFor(ctx context.Context, cfg *delivery.Config) error {
	server := p.cfg.mail()
	if server.URL == "" && p.cfg.development {
		sink, err := mail.NewSink(ctx)
		if err != nil {
			return fmt.Errorf("opening the mailbox of development: %w", err)
		}
		cfg.Sink, server.URL, server.From = sink, sink.URL, orElse(server.From, madeUpSender)
	}
	var err error
	if server.URL != "" {
		if cfg.Mail, err = mail.New(server); err != nil {
			return fmt.Errorf("FOOTBRIDGE_SMTP_URL or FOOTBRIDGE_MAIL_FROM: %w", err)
		}
		cfg.SignIn = cfg.Mail.Send
	}
	if cfg.Notify, err = p.cfg.notifier(cfg.Log); err != nil {
		return err
	}
	if cfg.Told, err = p.cfg.navigatorTold(cfg.Notify); err != nil {
		return err
	}
	partners, err := p.partners()
	for _, one := range partners {
		cfg.Partners = append(cfg.Partners, one.ID)
	}
	cfg.URL, cfg.ReturnTo, cfg.RingAfter = p.cfg.outside(), p.cfg.MailReturn, p.cfg.MailRing
	return err
}

// navigatorTold reads where navigators are told; where everybody is made up it is written to the log.
func (c *Config) navigatorTold(sender *notify.Sender) (told []delivery.Told, err error) {
	for _, to := range c.TellTo {
		one := delivery.Told{Channel: notify.Email, Address: to}
		switch {
		case strings.HasPrefix(to, "https://"):
			one.Channel = notify.Webhook
		case !mail.Valid(to):
			return nil, fmt.Errorf("FOOTBRIDGE_NAVIGATOR_TOLD: %q is neither an e-mail address nor an https address",
				to)
		}
		if !sender.Has(one.Channel) {
			return nil, fmt.Errorf("FOOTBRIDGE_NAVIGATOR_TOLD: %q is of a channel that is not set up; e-mail needs "+
				"FOOTBRIDGE_SMTP_URL, a webhook FOOTBRIDGE_PAGE_SECRET", to)
		}
		told = append(told, one)
	}
	if len(told) == 0 && sender.Has(notify.Log) {
		told = append(told, delivery.Told{Channel: notify.Log})
	}
	return told, nil
}

// mailReturns listens for what comes back; nil where nothing does.
func (c *Config) mailReturns(ctx context.Context) (net.Listener, error) {
	if c.MailReturnTo == "" {
		return nil, nil
	}
	listener, err := service.Listen(ctx, c.MailReturnTo)
	if err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_MAIL_RETURN_ADDR: %w", err)
	}
	return listener, nil
}

// checkMail looks at the settings of mail; alone: the gateway, which knows where people find it, is elsewhere.
func (c *Config) checkMail(alone bool) (wrong []error) {
	sender, err := c.notifier(nil)
	wrong = append(wrong, err)
	if err == nil {
		_, err = c.navigatorTold(sender)
		wrong = append(wrong, err)
	}
	if c.SMTPURL != "" {
		_, err := mail.New(c.mail())
		wrong = append(wrong, named("FOOTBRIDGE_SMTP_URL or FOOTBRIDGE_MAIL_FROM", err))
		if alone && c.URL == "" {
			wrong = append(wrong, errors.New("FOOTBRIDGE_URL is missing: partners are mailed a link; write where "+
				"people find the gateway, such as https://footbridge.example.nhs.uk"))
		}
	}
	if c.MailReturn != "" && !mail.Valid(c.MailReturn) {
		wrong = append(wrong, errors.New("FOOTBRIDGE_MAIL_RETURN is not an e-mail address"))
	}
	if c.MailReturnTo != "" {
		if c.MailReturn == "" {
			wrong = append(wrong, errors.New("FOOTBRIDGE_MAIL_RETURN_ADDR is set and FOOTBRIDGE_MAIL_RETURN is not: "+
				"write the address that mail comes back to"))
		}
		wrong = append(wrong, checkBind("MAIL_RETURN_ADDR", c.MailReturnTo, false, false, c.AllowOpen))
	}
	return wrong
}

func named(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", setting, err)
}

// checkMailSent is doctor's look at mail: whether the server can be reached and lets us in, and what others judge mail
// from here by.
func (c *Config) checkMailSent(ctx context.Context) (note string, err error) {
	if c.SMTPURL == "" {
		return "no mail is sent, since FOOTBRIDGE_SMTP_URL is empty: partners who want e-mail are rung instead", nil
	}
	sender, err := mail.New(c.mail())
	if err != nil {
		return "", fmt.Errorf("FOOTBRIDGE_SMTP_URL or FOOTBRIDGE_MAIL_FROM: %w", err)
	}
	if err := sender.Reach(ctx); err != nil {
		return "", fmt.Errorf("the mail server cannot be reached, or does not let us in: %w", err)
	}
	notes, err := mail.CheckDomain(ctx, net.DefaultResolver, c.MailFrom, c.MailReturn, c.MailSelector)
	if c.MailReturnTo == "" {
		notes = append(notes, "what comes back is not seen, since FOOTBRIDGE_MAIL_RETURN_ADDR is empty")
	}
	if len(c.TellTo) == 0 {
		notes = append(notes, "navigators are told by their steps alone of what did not reach a partner, since "+
			"FOOTBRIDGE_NAVIGATOR_TOLD is empty")
	}
	return strings.Join(notes, "; "), err
}
