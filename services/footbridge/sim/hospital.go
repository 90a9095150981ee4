package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"footbridge/libs/hl7"
	"footbridge/schemas"
)

// hospital is the systems of the hospital: they send what has happened, in order of each person, and keep what each
// message was answered.
type hospital struct {
	*run
	waiting []*Message
	lines   [lines]line7
	mu      sync.Mutex // of what is written down
}

// lines is how many connections the hospital sends by; all of a person goes by one.
const lines = 4

// line7 is a connection for HL7 v2; nil where there is none at present.
type line7 struct{ client *hl7.Client }

func (h *hospital) has(at time.Time) bool { return len(h.waiting) > 0 && !h.waiting[0].At.After(at) }

func (h *hospital) hangUp() {
	for i := range h.lines {
		h.lines[i].hangUp()
	}
}

func (l *line7) hangUp() {
	if l.client != nil {
		_ = l.client.Close()
		l.client = nil
	}
}

// act sends all that is to be sent by now, by all lines at once.
func (h *hospital) act(ctx context.Context) (sent int, err error) {
	var due [lines][]*Message
	for ; h.has(h.now); h.waiting = h.waiting[1:] {
		m := h.waiting[0]
		due[m.Person.N%lines] = append(due[m.Person.N%lines], m)
		sent++
	}
	var sending sync.WaitGroup
	var failed [lines]error
	for i := range due {
		sending.Go(func() { failed[i] = h.sends(ctx, &h.lines[i], due[i]) })
	}
	sending.Wait()
	h.report.Messages += sent
	return sent, errors.Join(failed[:]...)
}

// sends sends messages by one line, one after the other.
func (h *hospital) sends(ctx context.Context, by *line7, all []*Message) (err error) {
	for _, m := range all {
		if m.Trigger == "report" {
			err = h.sendEvent(ctx, m)
		} else {
			err = h.sendHL7(ctx, by, m)
		}
		if err != nil {
			return fmt.Errorf("sending %s of visit %s: %w", m.Trigger, m.Visit, err)
		}
	}
	return nil
}

// sendHL7 sends a message. Where the line breaks, or the system cannot take it now, it is sent again as it was, as
// senders do; with chaos it comes twice once in a while, or its answer is lost.
func (h *hospital) sendHL7(ctx context.Context, by *line7, m *Message) (err error) {
	times, luck := 1, 100
	if h.cfg.Breaker != nil {
		luck = h.world.luck("message", m.Control, m.Visit, m.Trigger)
	}
	switch {
	case luck < doubledOf:
		times = 2
		h.broke("message-doubled")
	case luck < doubledOf+unansweredOf:
		h.broke("answer-lost")
		if err := h.patiently(ctx, func() error { _, err := h.exchange(ctx, by, m); return err }); err != nil {
			return err
		}
		by.hangUp()
	}
	var ack hl7.Acknowledgement
	for range times {
		if err := h.patiently(ctx, func() (err error) { ack, err = h.exchange(ctx, by, m); return err }); err != nil {
			return err
		}
	}
	refused := ""
	if !ack.Positive() {
		refused = ack.Code + " " + ack.Text
	}
	h.sent(m, "ADT^"+m.Trigger, ack.Code, refused)
	return nil
}

func (h *hospital) broke(how string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.report.Broken[how]++
}

// exchange sends a message once and reads the answer. An error is that none came, or that it is to be sent again.
func (h *hospital) exchange(ctx context.Context, by *line7, m *Message) (ack hl7.Acknowledgement, err error) {
	if by.client == nil {
		if by.client, err = hl7.Dial(ctx, h.cfg.System.MLLP(), nil); err != nil {
			return ack, err
		}
	}
	raw, err := by.client.Send(ctx, m.hl7Message(h.cfg.Organisation, h.zone))
	if err != nil {
		by.hangUp()
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
	refused := ""
	if !answer.ok() {
		refused = answer.problem()
	}
	h.sent(m, "discharge.reported", fmt.Sprint(answer.Status), refused)
	return nil
}

// sent writes down that a message was sent, with what it said and how it was answered, and why it was refused.
func (h *hospital) sent(m *Message, about, answer, refused string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if refused != "" {
		h.refused("hospital", about, refused)
	}
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
