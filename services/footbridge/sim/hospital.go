package sim

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// hospital is the systems of the hospital: they send what has happened, in order, and keep what each was answered.
type hospital struct {
	*run
	waiting []*Message
	client  *hl7.Client
}

func (h *hospital) has(at time.Time) bool { return len(h.waiting) > 0 && !h.waiting[0].At.After(at) }

func (h *hospital) hangUp() {
	if h.client != nil {
		_ = h.client.Close()
		h.client = nil
	}
}

// act sends all that is to be sent by now.
func (h *hospital) act(ctx context.Context) (sent int, err error) {
	for h.has(h.now) {
		m := h.waiting[0]
		h.waiting = h.waiting[1:]
		send := h.sendHL7
		if m.Trigger == "report" {
			send = h.sendEvent
		}
		if err := send(ctx, m); err != nil {
			return sent, fmt.Errorf("sending %s of visit %s: %w", m.Trigger, m.Visit, err)
		}
		sent++
	}
	h.report.Messages += sent
	return sent, nil
}

// sendHL7 sends a message. Where the line breaks, or the system cannot take it now, it is sent again as it was, as
// senders do; with chaos it comes twice once in a while, or its answer is lost.
func (h *hospital) sendHL7(ctx context.Context, m *Message) (err error) {
	times, luck := 1, 100
	if h.cfg.Breaker != nil {
		luck = h.world.luck("message", m.Control, m.Visit, m.Trigger)
	}
	switch {
	case luck < doubledOf:
		times = 2
		h.report.Broken["message-doubled"]++
	case luck < doubledOf+unansweredOf:
		h.report.Broken["answer-lost"]++
		if err := h.patiently(ctx, func() error { _, err := h.exchange(ctx, m); return err }); err != nil {
			return err
		}
		h.hangUp()
	}
	var ack hl7.Acknowledgement
	for range times {
		if err := h.patiently(ctx, func() (err error) { ack, err = h.exchange(ctx, m); return err }); err != nil {
			return err
		}
	}
	h.sent(m, ack.Code)
	if !ack.Positive() {
		h.refused("hospital", "ADT^"+m.Trigger, ack.Code+" "+ack.Text)
	}
	return nil
}

// exchange sends a message once and reads the answer. An error is that none came, or that it is to be sent again.
func (h *hospital) exchange(ctx context.Context, m *Message) (ack hl7.Acknowledgement, err error) {
	if h.client == nil {
		if h.client, err = hl7.Dial(ctx, h.cfg.System.MLLP(), nil); err != nil {
			return ack, err
		}
	}
	raw, err := h.client.Send(ctx, m.hl7Message(h.cfg.Organisation, h.zone))
	if err != nil {
		h.hangUp()
		return ack, err
	}
	if ack, err = hl7.ParseAck(raw); err == nil && ack.Code == "AE" && h.cfg.Breaker != nil {
		err = fmt.Errorf("not taken for now: %s", ack.Text)
	}
	return ack, err
}

func (h *hospital) sendEvent(ctx context.Context, m *Message) error {
	body, err := m.event(h.cfg.Organisation)
	if err != nil {
		return err
	}
	who := Who{Organisation: h.cfg.Organisation, Role: schemas.System, Subject: "sim-hospital"}
	answer, err := h.cfg.System.Ask(ctx, who, Request{Method: http.MethodPost, Path: "/events", Body: body,
		ContentType: "application/cloudevents+json"})
	if err != nil {
		return err
	}
	h.sent(m, fmt.Sprint(answer.Status))
	if !answer.ok() {
		h.refused("hospital", "discharge.reported", answer.problem())
	}
	return nil
}

// sent writes down that a message was sent, with what it said and how it was answered.
func (h *hospital) sent(m *Message, answer string) {
	said := map[string]any{"control": m.Control, "visit": m.Visit, "sentAt": m.At.UTC(), "coded": m.Coded,
		"local": m.Local, "arrivedAt": m.Arrived.UTC(), "answer": answer}
	if !m.Left.IsZero() {
		said["leftAt"] = m.Left.UTC()
	}
	if m.Prior != "" {
		said["prior"] = m.Prior
	}
	if m.Dead {
		said["died"] = true
	}
	h.log.write(line{At: h.now, Kind: "message", By: "hospital", Person: &m.Person.N, About: m.Trigger, Data: said})
}
