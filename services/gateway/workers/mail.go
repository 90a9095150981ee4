package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Run makes the mails of whoever asked to sign in, and hands them over, and tells who was signed out, until ctx ends.
// Each mail is a row from the moment it was asked for; its token is made once and kept, sealed, until the mail was
// taken, so that one tried again is the same mail with the same id.
func (s *Workers) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.MailDue(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in mail could not be made", slog.Any("error", err))
		}
		if err := s.TellDue(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "who was signed out could not be told", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// MailDue hands over all mails that are due.
func (s *Workers) MailDue(ctx context.Context) error {
	for ctx.Err() == nil {
		letter, some, err := s.next(ctx)
		if err != nil || !some {
			return err
		}
		if letter == nil {
			continue
		}
		if err := s.cfg.Mail(ctx, *letter); err != nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in mail was not taken, and is tried again",
				slog.Any("error", err))
			continue // it is due again, later
		}
		if err := s.within(ctx, func(tx pgx.Tx) error { return mailAgain(ctx, tx, letter.ID, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// next takes one mail that is due: counted, and due again later, before it is tried. letter is nil where the address is
// nobody's, or the link would be too old.
func (s *Workers) next(ctx context.Context) (letter *Letter, some bool, err error) {
	err = s.within(ctx, func(tx pgx.Tx) error {
		now := s.clock.Now()
		in, found, err := dueMail(ctx, tx, now)
		if err != nil || !found {
			return err
		}
		some = true
		row, found, err := workerByMail(ctx, tx, in.MailHash)
		if err != nil {
			return err
		}
		if !found || now.Sub(in.AskedAt) >= linkLasts {
			return mailAgain(ctx, tx, in.ID, nil)
		}
		w, to, linked, err := s.readMail(row, in)
		if err != nil { // tried again it would be no different, and others wait
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "a worker's address or link cannot be read",
				slog.Any("error", err))
			return mailAgain(ctx, tx, in.ID, nil)
		}
		if linked == "" {
			var hash []byte
			linked, hash = token()
			if err := keepLink(ctx, tx, in.ID, w.ID, hash, w.key.Seal("link", []byte(linked))); err != nil {
				return err
			}
		}
		letter = s.letter(in.ID, to, linked, in.AskedAt)
		at := now.Add(wait(in.Tries))
		return mailAgain(ctx, tx, in.ID, &at)
	})
	return letter, some, err
}

// readMail opens what a sign-in mail takes: whose it is, their address, and the link's token where an earlier try made
// one.
func (s *Workers) readMail(row workerRow, in signInRow) (w sealed, to, linked string, err error) {
	if w, err = s.unseal(row); err != nil {
		return w, "", "", err
	}
	if to, err = w.text("mail", w.Mail); err != nil {
		return w, "", "", err
	}
	linked, err = w.text("link", in.Sealed)
	return w, to, linked, err
}

func (s *Workers) letter(id, to, linked string, at time.Time) *Letter {
	link := *s.at
	link.Path, link.RawQuery = "/sign-in/link/"+linked, ""
	return &Letter{ID: id, To: to, At: at, Subject: "Your sign-in link",
		Text: "Somebody asked for a link to sign in with this address.\n\n" +
			"Open it within 15 minutes, and press the button there:\n\n" +
			link.String() + "\n\n" +
			"It works once. You will then be asked for your passkey, your authenticator, or a code that was told to " +
			"you.\n\n" +
			"If you did not ask for it, do nothing: the link alone lets nobody in. If it happens again, tell a " +
			"colleague.\n"}
}

// TellDue tells of every worker who was signed out everywhere, and of whom that is to be told now.
func (s *Workers) TellDue(ctx context.Context) error {
	for ctx.Err() == nil {
		var off Off
		var some bool
		if err := s.within(ctx, func(tx pgx.Tx) (err error) {
			off, some, err = dueOff(ctx, tx, s.clock.Now())
			return err
		}); err != nil || !some {
			return err
		}
		if err := s.cfg.SignedOff(ctx, off); err != nil {
			s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "who was signed out was not taken, and is told again",
				slog.Any("error", err))
			continue // it is due again, later
		}
		if err := s.within(ctx, func(tx pgx.Tx) error { return toldOff(ctx, tx, off) }); err != nil {
			return err
		}
	}
	return nil
}
