package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/delivery"
	"footbridge/services/gateway"
)

// What FOOTBRIDGE_TEXTS may be.
const (
	textsOff = "off"
	textsLog = "log" // development alone: nothing leaves
)

// checkTexts refuses a sender that sends nothing where people are real: what it says it sent nobody gets.
func (c *Config) checkTexts() error {
	switch {
	case c.Texts == "" || c.Texts == textsOff || c.Texts == textsLog && c.development:
		return nil
	case c.Texts == textsLog:
		return errors.New("FOOTBRIDGE_TEXTS is log, which sends nothing: it is for development, where everybody is made " +
			"up. Write off: people are told by a human then")
	}
	return fmt.Errorf("FOOTBRIDGE_TEXTS is %q: write off, or in development log", c.Texts)
}

// textsSent says what is sent by text, for doctor.
func (c *Config) textsSent() string {
	if c.development && c.Texts != textsOff {
		return "texts are written to the log and the mailbox of development, and go nowhere"
	}
	return "no text is sent to anybody: there is no sender. What changed is told by a human, who has a step for it"
}

// textsFor adds to delivery's configuration how it texts: to the log, in development alone, unless that is off.
func (p *process) textsFor(cfg *delivery.Config) error {
	if err := p.cfg.checkTexts(); err != nil {
		return err
	}
	if !p.cfg.development || p.cfg.Texts == textsOff {
		return nil
	}
	signer, err := p.cfg.signer(schemas.Delivery)
	if err != nil {
		return err
	}
	cfg.Texted = &delivery.LogTexter{Log: cfg.Log, Clock: p.clock}
	cfg.Texter = cfg.Texted
	cfg.TextNumber = func(ctx context.Context, asked schemas.TextAsked) (schemas.TextTo, error) {
		return p.askNumber(ctx, signer, asked)
	}
	return nil
}

// askNumber asks intake, as delivery, for the number that a text may go to now. What it answers is in no error.
func (p *process) askNumber(ctx context.Context, signer *principal.Signer, asked schemas.TextAsked) (to schemas.TextTo,
	err error) {
	p.exposed.Lock()
	intake := p.handlers[schemas.Intake]
	p.exposed.Unlock()
	if addr := p.cfg.Addrs.of(schemas.Intake); intake == nil && addr != "" {
		intake = gateway.Remote(&url.URL{Scheme: "http", Host: addr}, nil)
	}
	if intake == nil {
		return to, errors.New("intake cannot be asked yet")
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return to, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+schemas.Intake+schemas.TextNumbers,
		bytes.NewReader(body))
	if err != nil {
		return to, err
	}
	signed, err := signer.Sign(principal.Principal{Organisation: schemas.Delivery,
		Role: string(schemas.ServiceItself), Subject: schemas.Delivery}, schemas.Intake, p.clock.Now())
	if err != nil {
		return to, err
	}
	r.Header.Set(principal.Header, signed)
	r.Header.Set("Content-Type", "application/json")
	got, err := httpx.Ask(intake, r)
	if err != nil {
		return to, err
	}
	if got.Status != http.StatusOK {
		return to, fmt.Errorf("intake answered with %d", got.Status)
	}
	return to, json.Unmarshal(got.Body.Bytes(), &to)
}
