package mail

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
)

// Return is what a mail that came back to us says of the one we sent.
type Return string

// What comes back.
const (
	// NotDelivered: a server has given up bringing it to its mailbox.
	NotDelivered Return = "not-delivered"
	// Delayed: a server still tries.
	Delayed Return = "delayed"
	// Away: the mailbox answered by itself that nobody is there, or that it is used no more.
	Away Return = "away"
	// Otherwise: a human's answer, a receipt, or what is not understood.
	Otherwise Return = "otherwise"
)

// Read reads a mail that came back: a delivery status notification (RFC 3464), or an answer that a mailbox gave by
// itself (RFC 3834, and what programs wrote before it). status is the last enhanced code in it, such as 5.1.1. Nothing
// else of the mail is kept.
func Read(text []byte) (what Return, status string) {
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return Otherwise, ""
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/report" && params["boundary"] != "" {
		return readReport(multipart.NewReader(m.Body, params["boundary"]))
	}
	if automatic(m.Header) {
		return Away, ""
	}
	return Otherwise, ""
}

// mostParts bounds how many parts of a report are looked at.
const mostParts = 20

func readReport(parts *multipart.Reader) (what Return, status string) {
	what = Otherwise
	for range mostParts {
		part, err := parts.NextPart()
		if err != nil {
			return what, status
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch kind {
		case "message/delivery-status", "message/global-delivery-status":
			return readStatus(part)
		case "message/disposition-notification":
			return Otherwise, "" // that a program opened it says nothing about a human
		}
	}
	return what, status
}

// readStatus reads the fields of each recipient; there is one.
func readStatus(from io.Reader) (what Return, status string) {
	what = Otherwise
	fields := textproto.NewReader(bufio.NewReader(io.LimitReader(from, 64<<10)))
	for range mostParts {
		group, err := fields.ReadMIMEHeader()
		switch strings.ToLower(strings.TrimSpace(group.Get("Action"))) {
		case "failed":
			return NotDelivered, statusIn(group.Get("Status"))
		case "delayed":
			what, status = Delayed, statusIn(group.Get("Status"))
		}
		if err != nil {
			return what, status
		}
	}
	return what, status
}

// statusIn is the code at the beginning of a field, where it is one.
func statusIn(field string) string {
	code, _, _ := strings.Cut(strings.TrimSpace(field), " ")
	if len(code) < 5 || len(code) > 9 || strings.Trim(code, "0123456789.") != "" {
		return ""
	}
	return code
}

// automatic says whether a mailbox answered by itself.
func automatic(h mail.Header) bool {
	said := strings.ToLower(strings.TrimSpace(h.Get("Auto-Submitted")))
	kind, _, _ := strings.Cut(said, ";")
	if kind = strings.TrimSpace(kind); kind != "" && kind != "no" {
		return true
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return strings.EqualFold(strings.TrimSpace(h.Get("Precedence")), "auto_reply")
}
