package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
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
		got, err := httpx.Ask(delivery, r)
		if err == nil && got.Status/100 != 2 {
			err = fmt.Errorf("answered with %d", got.Status) // the answer may hold anything
		}
		if err != nil {
			return fmt.Errorf("handing a mail over: %w", err)
		}
		return nil
	}
}
