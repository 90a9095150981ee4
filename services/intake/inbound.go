package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"footbridge/libs/clock"
	"footbridge/libs/hl7"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// inboundMessage is one message on its way: read in memory, then stored with others, then answered.
type inboundMessage struct {
	reading.Reading
	id       string
	endpoint string
	received time.Time
	span     trace.SpanContext
	trace    string
	dueAt    time.Time // when it is overdue, where a human has to see to it
	content
	answering

	keys     record.Keys
	fresh    record.NewIDs
	nameHash []byte // of a request whose person is not verified: to find who else it may be

	outcome
	done chan struct{}
}

// content is a message as it came, and what tells it from another one.
type content struct {
	hash          [sha256.Size]byte
	sealed        []byte // under its own key
	wrapped       []byte
	repeatsNumber bool // its control id holds an NHS number of the message
}

// answering is how the way in that a message came by answers it.
type answering struct {
	message *hl7.Message // over MLLP; nil where it cannot be read
	mode    hl7.AckMode
	asked   *askedRow // over FHIR
	status  int       // over HTTP: what a refused message is answered with
}

// outcome is what became of a message in its transaction.
type outcome struct {
	result  Result
	visit   string
	person  string
	guarded bool // nothing is opened to a partner by it
	doubted bool // under 18, or age unknown: a yes is no yes before a clinician has said who may give it
	err     error
}

// Result is what a message is answered with, once it can no longer be lost.
type Result struct {
	Message string // the ledger's id; of a duplicate, the original's
	Ack     hl7.Outcome
	Outcome record.Outcome
	Reason  string
	Journey string
}

func (a *inboundMessage) receipt() receiptKey {
	if a.endpoint == record.EndpointEvents {
		return receiptKey{a.Sender, a.ControlID}
	}
	return receiptKey{a.Organisation + "|" + a.Sender, a.ControlID}
}

// way is by which way in a message came, as it is kept with each fact: a list is told from a form.
func (a *inboundMessage) way() string {
	if a.endpoint == record.EndpointForm && a.Sender == listSender {
		return record.WayList
	}
	return a.endpoint
}

// resendIsKnown says whether a resend gets the first answer. A message that was refused as it was read is read again
// each time: else it would stay refused, or be flagged as reused, once the sender's profile has been mended.
func (a *inboundMessage) resendIsKnown() bool {
	return a.ControlID != "" && !(a.endpoint == record.EndpointMLLP && a.Outcome == record.Rejected)
}

// ack is the answer as the ledger shows it.
func (a *inboundMessage) ack() string {
	switch a.endpoint {
	case record.EndpointEvents, record.EndpointForm:
		return fmt.Sprint(statusOf(a.result))
	case record.EndpointFHIR, record.EndpointSignals:
		return fmt.Sprint(a.httpStatus())
	case record.EndpointAlarm:
		return reading.AckCode(reading.NoAck)
	}
	if a.message == nil || a.result.Ack == reading.NoAck {
		return reading.AckCode(a.result.Ack)
	}
	return cmp.Or(strings.Join(a.message.AckCodes(a.mode, a.result.Ack), " "), reading.AckCode(reading.NoAck))
}

// httpStatus is what the message is answered with over a door that minds its own statuses.
func (a *inboundMessage) httpStatus() int {
	switch {
	// a signal again is taken as before
	case a.result.Reason == record.ReasonReused, a.result.Outcome == record.Duplicate &&
		a.endpoint == record.EndpointFHIR:
		return http.StatusConflict
	case a.result.Outcome == record.Rejected && a.status != 0:
		return a.status
	case a.endpoint == record.EndpointSignals:
		return http.StatusAccepted
	}
	return http.StatusOK
}

// prepare seals the message and makes all keys and ids it may need, on the door's goroutine, so that nothing slow
// is left for the transaction.
func (s *Service) prepare(ctx context.Context, parsed reading.Reading, door string, raw []byte) (*inboundMessage,
	error) {
	now := s.clock.Now()
	a := &inboundMessage{Reading: parsed, id: clock.NewID(now), endpoint: door, received: now,
		span: trace.SpanContextFromContext(ctx), dueAt: now.Add(s.quarantineFor), done: make(chan struct{}),
		content: content{repeatsNumber: reading.RepeatsNumber(parsed.ControlID, raw)}}
	if a.span.HasTraceID() {
		a.trace = a.span.TraceID().String()
	}
	key, wrapped, err := s.vault.NewKey(a.id)
	if err != nil {
		return nil, err
	}
	a.sealed, a.wrapped = key.Seal(fieldRaw, raw), wrapped
	hash, err := s.vault.Lookup("content", string(raw)) // keyed: a plain hash of a short content can be found by trying
	if err != nil {
		return nil, err
	}
	copy(a.hash[:], hash)
	return a, s.identify(a)
}

// identify leaves in the header what may be seen, and makes the keyed hashes by which the person is found, and the ids
// that a new person, visit or journey would get.
func (s *Service) identify(a *inboundMessage) error {
	if err := s.showHeader(a); err != nil {
		return err
	}
	a.fresh.Person, a.fresh.GivenUp = clock.NewRandomID(), clock.NewRandomID()
	a.fresh.Visit, a.fresh.Journey = clock.NewID(a.received), clock.NewID(a.received)
	if a.ClinicalEvent == nil {
		return nil
	}
	a.ClinicalEvent.Message = a.id
	a.ClinicalEvent.Believe(a.received, s.zone)
	identity := a.ClinicalEvent.Person.Reveal()
	a.ClinicalEvent.Place(identity, s.profiles.AreasOf(a.Sender, a.Organisation))
	var err error
	numbers := cmp.Or(a.ClinicalEvent.Numbers, a.Organisation)
	switch {
	case identity.LocalID != "":
		a.keys.Person, err = s.lookup("person-local-id", numbers, identity.LocalID)
	case identity.NHSNumber != "" && identity.NHSNumberVerified:
		a.keys.Person, err = s.lookup("person-nhs-number", identity.NHSNumber)
	default:
		a.keys.Person, err = s.lookup("person-visit", a.Organisation,
			cmp.Or(a.ClinicalEvent.Visit, record.Numberless+a.id))
		a.keys.Anonymous = true
	}
	if err == nil && identity.NHSNumber != "" && identity.NHSNumberVerified {
		a.keys.Number, err = s.lookup("person-nhs-number", identity.NHSNumber)
	}
	if err == nil && a.keys.Anonymous && a.ClinicalEvent.Kind == record.KindReferral {
		a.nameHash, err = s.nameHash(a.Organisation, identity)
	}
	if becomes := a.ClinicalEvent.Signal.Becomes.Reveal(); err == nil && a.ClinicalEvent.Kind == record.KindSignal &&
		becomes != "" {
		a.keys.Renumbered, err = s.lookup("person-nhs-number", becomes)
	}
	if err == nil && a.ClinicalEvent.Merges() {
		a.keys.GivenUp, err = s.lookup("person-local-id", numbers, a.ClinicalEvent.GivenUp.Person.Reveal().LocalID)
	}
	return err
}

func (s *Service) lookup(purpose string, parts ...string) (string, error) {
	hash, err := s.vault.Lookup(purpose, parts...)
	return string(hash), err
}

// isApplied says whether a message is to be joined to its visit: it was read and nothing was decided about it before.
func (a *inboundMessage) isApplied() bool { return a.ClinicalEvent != nil && a.Outcome == "" }

// lock says what a message concerns.
func (a *inboundMessage) lock(c *locks) {
	if !a.isApplied() {
		return
	}
	s := a.ClinicalEvent
	if s.Kind == record.KindSignal {
		c.known[a.keys.Person] = true
		for _, number := range []string{a.keys.Person, a.keys.Renumbered} {
			if number != "" {
				first(c.numbers, number, a.fresh.Person)
			}
		}
		return
	}
	if s.Kind == record.KindPerson && !s.Died {
		c.known[a.keys.Person] = true
		if a.keys.Number != "" { // others that carry it are the same person, whatever message says so
			first(c.numbers, a.keys.Number, a.fresh.Person)
		}
		return
	}
	first(c.persons, a.keys.Person, a.fresh.Person)
	if a.keys.Number != "" && a.keys.Number != a.keys.Person {
		first(c.numbers, a.keys.Number, a.fresh.Person)
	}
	if s.Merges() {
		first(c.persons, a.keys.GivenUp, a.fresh.GivenUp)
	}
	if s.Visit != "" && s.Kind != record.KindPerson && !s.Merges() {
		c.visits[record.VisitKey{Organisation: a.Organisation, Number: s.Visit}] = true
	}
	if s.Kind == record.KindJoinVisits {
		c.visits[record.VisitKey{Organisation: a.Organisation, Number: s.GivenUp.Visit}] = true
	}
}

func first(ids map[string]string, key, id string) {
	if _, there := ids[key]; !there {
		ids[key] = id
	}
}
