package delivery

import (
	"net/http"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/mail"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// signInMail is one of them. The gateway keeps it, and sends it again until it was taken; nothing of it is kept here.
type signInMail struct {
	ID      string    `json:"id"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// mailSignIn sends one mail for the gateway, and answers once a server took it.
func (a api) mailSignIn(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if p.Role != string(schemas.ServiceItself) || p.Subject != schemas.Gateway {
		return httpx.NewProblem(http.StatusNotFound, "Nothing is served under this path.")
	}
	m, _, err := httpx.ReadJSON[signInMail](w, r, maxBody)
	if err != nil {
		return err
	}
	if a.signIn == nil {
		return httpx.NewProblem(http.StatusServiceUnavailable, "No mail is sent from here: FOOTBRIDGE_SMTP_URL is not "+
			"set.")
	}
	if err := a.signIn(r.Context(), mail.Message{ID: m.ID, To: m.To, Subject: m.Subject, Text: m.Text,
		At: m.At}); err != nil {
		return httpx.NewProblem(http.StatusBadGateway, "The mail was not taken.").Because(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
