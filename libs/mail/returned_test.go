package mail_test

import (
	"strings"
	"testing"

	"footbridge/libs/mail"
)

// crlf writes a mail as it comes over the line.
func crlf(text string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimLeft(text, "\n"), "\n", "\r\n"))
}

const report = `
From: MAILER-DAEMON@partner.example
To: return+1@trust.example
Auto-Submitted: auto-replied
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

I'm sorry to have to inform you.
--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.partner.example

Final-Recipient: rfc822; desk@partner.example
Action: ACTION
Status: STATUS
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b1
Content-Type: message/rfc822

Subject: Something waits for you

--b1--
`

func TestWhatComesBackIsRead(t *testing.T) {
	t.Parallel()
	dsn := func(action, status string) string {
		return strings.NewReplacer("ACTION", action, "STATUS", status).Replace(report)
	}
	for name, c := range map[string]struct {
		text, status string
		what         mail.Return
	}{
		"given up":            {dsn("failed", "5.1.1"), "5.1.1", mail.NotDelivered},
		"in other letters":    {dsn("Failed", "5.4.1 (no route)"), "5.4.1", mail.NotDelivered},
		"delayed":             {dsn("delayed", "4.4.1"), "4.4.1", mail.Delayed},
		"delivered":           {dsn("delivered", "2.0.0"), "", mail.Otherwise},
		"a code that is none": {dsn("failed", "bad"), "", mail.NotDelivered},
		"nobody is there": {"\nSubject: Automatic reply\nAuto-Submitted: auto-replied (vacation)\n\nI am away.\n", "",
			mail.Away},
		"as older programs say it": {"\nSubject: Re\nPrecedence: auto_reply\n\nAway.\n", "", mail.Away},
		"a human answers":          {"\nSubject: Re\nAuto-Submitted: no\n\nThank you.\n", "", mail.Otherwise},
		"opened by a program": {"\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n" +
			"Auto-Submitted: auto-replied\n\n--b\nContent-Type: message/disposition-notification\n\n" +
			"Disposition: automatic-action\n\n--b--\n", "", mail.Otherwise},
		"cut short":   {report[:420], "", mail.Otherwise},
		"no mail":     {"\x00\x01", "", mail.Otherwise},
		"nothing":     {"", "", mail.Otherwise},
		"no boundary": {"\nContent-Type: multipart/report\n\nx\n", "", mail.Otherwise},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if what, status := mail.Read(crlf(c.text)); what != c.what || status != c.status {
				t.Errorf("%s %q, and not %s %q", what, status, c.what, c.status)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(crlf(strings.NewReplacer("ACTION", "failed", "STATUS", "5.1.1").Replace(report)))
	f.Add(crlf("\nAuto-Submitted: auto-replied\n\nAway.\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		what, status := mail.Read(text)
		switch what {
		case mail.NotDelivered, mail.Delayed, mail.Away, mail.Otherwise:
		default:
			t.Errorf("%q", what)
		}
		if len(status) > 9 {
			t.Errorf("%q", status)
		}
	})
}
