package delivery

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// mailSeen is a mail in the mailbox of development.
type mailSeen struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
}

// mailbox shows what development has mailed, newest first: staff see all of it, a partner what is its own. Elsewhere
// there is none.
func (a api) mailbox(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if a.sink == nil {
		return httpx.NewProblem(http.StatusNotFound, "There is a mailbox in development alone: mail goes to the mail "+
			"server here.")
	}
	all := []mailSeen{}
	for _, kept := range a.sink.Mails() {
		seen := readMail(kept.Text)
		seen.At, seen.To = kept.At, kept.To
		all = append(all, seen)
	}
	if schemas.Role(who.Role) == schemas.Partner {
		if all, err = a.own(r, who, all); err != nil {
			return err
		}
	}
	if a.texted != nil && schemas.Role(who.Role) != schemas.Partner { // no partner has a part in what is texted
		for _, t := range a.texted.texts() {
			all = append(all, mailSeen{ID: t.ID, At: t.At, To: masked(t.To), Subject: "A text", Text: t.Words})
		}
	}
	slices.SortStableFunc(all, func(a, b mailSeen) int { return a.At.Compare(b.At) })
	slices.Reverse(all)
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusOK, httpx.List[mailSeen]{Items: all})
}

// masked is a number as the mailbox shows it: its end alone.
func masked(number string) string {
	return "a number that ends in " + number[max(len(number)-2, 0):]
}

// own are those of some mails that went to the asking partner.
func (a api) own(r *http.Request, who principal.Principal, all []mailSeen) ([]mailSeen, error) {
	var ids []string
	for _, m := range all {
		if clock.IsID(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	own := map[string]bool{}
	batch := &pgx.Batch{}
	mailsOwn(batch, who, ids, func(id string) { own[id] = true })
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return nil, fmt.Errorf("reading whose mails are whose: %w", err)
	}
	return slices.DeleteFunc(all, func(m mailSeen) bool { return !own[m.ID] }), nil
}

// readMail reads a mail that was written here.
func readMail(text []byte) (seen mailSeen) {
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return seen
	}
	seen.ID, _, _ = strings.Cut(strings.Trim(m.Header.Get("Message-ID"), "<>"), "@")
	seen.From = strings.Trim(m.Header.Get("From"), "<>")
	if seen.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		seen.Subject = m.Header.Get("Subject")
	}
	body := io.Reader(m.Body)
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	content, _ := io.ReadAll(body)
	seen.Text = string(content)
	return seen
}
