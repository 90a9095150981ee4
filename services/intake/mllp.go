package intake

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// mllpServer answers frames: each is read in memory first, then kept, then acknowledged. How many connections there may
// be, and how much they may hold, its listener says.
func (s *Service) mllpServer() *hl7.Server {
	return &hl7.Server{Handler: s.handleFrame, OnBad: s.handleBadFrame, MaxFrame: s.maxMessage, Logger: s.log,
		TLSConfig: s.tls}
}

// handleFrame takes one frame. It blocks until the message can no longer be lost; an error closes the connection
// without an answer, so that the sender sends again.
func (s *Service) handleFrame(ctx context.Context, frame []byte) ([][]byte, error) {
	ctx, span := s.tracer.Start(ctx, "take an HL7 message")
	defer span.End()
	message, parsed := s.readFrame(frame)
	if message != nil && parsed.Ack != reading.NoAck && !s.profiles.MaySend(message.SendingApplication(),
		certificateNames(ctx)) {
		parsed = reading.Reading{Organisation: parsed.Organisation, Sender: parsed.Sender, Type: parsed.Type,
			// without its control id: it may come again, with the right certificate
			Ack: hl7.Refused, Outcome: record.Rejected, Reason: ReasonSource}
	}
	a, err := s.prepare(ctx, parsed, record.EndpointMLLP, frame)
	if err != nil {
		return nil, err
	}
	a.message, a.mode = message, s.ackMode(message)
	result, err := s.keep(ctx, a)
	describe(span, result)
	if err != nil {
		return nil, err
	}
	answer := hl7.Ack{Outcome: result.Ack, Mode: a.mode, Text: ackText(result), ControlID: clock.NewRandomID()[:20],
		ApplicationID: clock.NewRandomID()[:20], At: s.clock.Now(), Faults: a.Faults}
	switch {
	case result.Ack == reading.NoAck:
		return nil, nil
	case message == nil:
		return [][]byte{hl7.AckUnparsed(frame, answer)}, nil
	}
	return message.Acks(answer), nil
}

// certificateNames are the names on the certificate that the peer has shown and that was verified.
func certificateNames(ctx context.Context) (names []string) {
	peer, ok := hl7.PeerOf(ctx)
	if !ok || peer.TLS == nil || len(peer.TLS.VerifiedChains) == 0 {
		return nil
	}
	shown := peer.TLS.VerifiedChains[0][0]
	names = append(names, shown.DNSNames...)
	if shown.Subject.CommonName != "" {
		names = append(names, shown.Subject.CommonName)
	}
	return names
}

func (s *Service) ackMode(message *hl7.Message) hl7.AckMode {
	if message == nil {
		return hl7.Original
	}
	switch s.profiles.For(message.SendingApplication()).Acknowledgements {
	case reading.AckOriginal:
		return hl7.Original
	case reading.AckAtLeastOne:
		return hl7.AtLeastOne
	}
	return hl7.AsAsked
}

// describe puts on a message's span what became of it.
func describe(span trace.Span, r Result) {
	span.SetAttributes(attribute.String(schemas.AttrOutcome, string(r.Outcome)),
		attribute.String(schemas.AttrMessage, r.Message))
	if r.Journey != "" {
		span.SetAttributes(attribute.String(schemas.AttrJourney, r.Journey))
	}
}

// readFrame reads a message in memory. A panic, which would be a bug here, makes it a quarantined row.
func (s *Service) readFrame(frame []byte) (message *hl7.Message, parsed reading.Reading) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("reading a message panicked; it is quarantined", schemas.AttrErrorType, fmt.Sprintf("%T", p))
			parsed.ClinicalEvent, parsed.Outcome, parsed.Reason, parsed.Ack = nil, record.Quarantined,
				reading.ReasonFault, hl7.Accepted
		}
	}()
	message, err := hl7.Parse(frame)
	if err != nil {
		return nil, reading.ReadFailure(err)
	}
	parsed.ControlID, parsed.Sender, parsed.Organisation = reading.Named(message.ControlID()),
		reading.Named(message.SendingApplication()), reading.Named(message.SendingFacility())
	return message, reading.ReadHL7(message, s.profiles, s.clock.Now())
}

// ackText is a constant phrase: never anything from the message.
func ackText(r Result) string {
	switch r.Ack {
	case hl7.Failed:
		return "kept, but its content cannot be used: " + r.Reason
	case hl7.Refused:
		return "not taken: " + r.Reason
	}
	return ""
}

// handleBadFrame takes what holds no readable message: it is in the ledger too. A message that broke off on its
// way was never acknowledged; its sender should send it again, and a human is told in case it does not.
func (s *Service) handleBadFrame(ctx context.Context, bad hl7.BadFrame) ([][]byte, error) {
	ctx, span := s.tracer.Start(ctx, "take what holds no readable message")
	defer span.End()
	a, err := s.prepare(ctx, readBad(bad), record.EndpointMLLP, bad.First)
	if err != nil {
		return nil, err
	}
	result, err := s.keep(ctx, a)
	if err != nil || result.Ack == reading.NoAck {
		return nil, err
	}
	return [][]byte{hl7.AckUnparsed(bad.First, hl7.Ack{Outcome: result.Ack, Text: bad.Kind.String(),
		ControlID: clock.NewRandomID()[:20],
		At:        s.clock.Now()})}, nil
}

func readBad(bad hl7.BadFrame) reading.Reading {
	parsed := reading.Reading{Ack: hl7.Refused, Outcome: record.Rejected}
	switch bad.Kind {
	case hl7.TooLong:
		parsed.Reason = reading.ReasonTooLarge
	case hl7.Empty:
		parsed.Reason = reading.ReasonEmpty
	case hl7.Unframed:
		parsed.Reason = reading.ReasonUnframed
	default:
		parsed.Ack, parsed.Reason = reading.NoAck, reading.ReasonTruncated
		if len(bad.First) >= 3 && string(bad.First[:3]) == "MSH" {
			parsed.Outcome = record.Quarantined
		}
	}
	return parsed
}
