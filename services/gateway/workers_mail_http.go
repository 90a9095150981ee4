package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/ics"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/gateway/workers"
)

// MailBy hands letters over to delivery, which alone sends mail. The gateway asks as itself, on a path that is in no
// route table.
func MailBy(delivery http.Handler, signer *principal.Signer, c clock.Clock) func(context.Context,
	workers.Letter) error {
	return func(ctx context.Context, letter workers.Letter) error {
		err := tell(ctx, delivery, schemas.Delivery, schemas.SignInMails, map[string]any{"id": letter.ID,
			"to": letter.To, "subject": letter.Subject, "text": letter.Text, "at": letter.At}, signer, c)
		if err != nil {
			return fmt.Errorf("handing a mail over: %w", err)
		}
		return nil
	}
}

// SignOffBy tells the services that give out calendars that a worker was signed out everywhere, on a path that is in no
// route table. Each is told, whatever another answers.
func SignOffBy(backends map[string]http.Handler, signer *principal.Signer, c clock.Clock) func(context.Context,
	workers.Off) error {
	return func(ctx context.Context, off workers.Off) error {
		body := ics.Off{Organisation: off.Partner, Role: string(schemas.Partner), Subject: off.Worker, Left: off.Left}
		var all []error
		for _, service := range []string{schemas.Followup, schemas.Bridging} {
			if err := tell(ctx, backends[service], service, ics.OffPath, body, signer, c); err != nil {
				all = append(all, fmt.Errorf("telling %s who was signed out: %w", service, err))
			}
		}
		return errors.Join(all...)
	}
}

// tell posts something to a service as the gateway itself.
func tell(ctx context.Context, backend http.Handler, service, path string, what any, signer *principal.Signer,
	c clock.Clock) error {
	if backend == nil {
		return unavailable(service)
	}
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+service+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	signed, err := signer.Sign(itself, service, c.Now())
	if err != nil {
		return err
	}
	r.Header.Set(principal.Header, signed)
	r.Header.Set("Content-Type", "application/json")
	got, err := httpx.Ask(backend, r)
	if err == nil && got.Status/100 != 2 {
		err = fmt.Errorf("answered with %d", got.Status) // the answer may hold anything
	}
	return err
}
