package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/workers"
)

// MailBy hands letters over to delivery, which alone sends mail. The gateway asks as itself, on a path that is in no
// route table.
func MailBy(delivery http.Handler, signer *principal.Signer, c clock.Clock) func(context.Context,
	workers.Letter) error {
	itself := principal.Principal{Organisation: schemas.Gateway, Role: string(schemas.ServiceItself),
		Subject: schemas.Gateway}
	return func(ctx context.Context, letter workers.Letter) error {
		if delivery == nil {
			return unavailable(schemas.Delivery)
		}
		body, err := json.Marshal(map[string]any{"id": letter.ID, "to": letter.To, "subject": letter.Subject,
			"text": letter.Text, "at": letter.At})
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+schemas.Delivery+schemas.SignInMails,
			bytes.NewReader(body))
		if err != nil {
			return err
		}
		signed, err := signer.Sign(itself, schemas.Delivery, c.Now())
		if err != nil {
			return err
		}
		r.Header.Set(principal.Header, signed)
		r.Header.Set("Content-Type", "application/json")
		got := &answered{header: http.Header{}}
		delivery.ServeHTTP(got, r)
		if got.status/100 != 2 {
			return fmt.Errorf("handing a mail over: answered with %d", got.status) // the answer may hold anything
		}
		return nil
	}
}
