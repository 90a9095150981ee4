package intake

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/fhir"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// National error codes, of whoever receives a message.
const (
	recBadRequest    = "REC_BAD_REQUEST"
	recUnauthorised  = "REC_UNAUTHORIZED"
	recForbidden     = "REC_FORBIDDEN"
	recNotFound      = "REC_NOT_FOUND"
	recNotAcceptable = "REC_NOT_ACCEPTABLE"
	recTimeout       = "REC_TIMEOUT"
	recConflict      = "REC_CONFLICT"
	recUnprocessable = "REC_UNPROCESSABLE_ENTITY"
	recTooMany       = "REC_TOO_MANY_REQUESTS"
	recServerError   = "REC_SERVER_ERROR"
	recUnavailable   = "REC_UNAVAILABLE"
)

// fhirBudget is how long a request may take: all are answered under 5 s, else they count as timed out.
const fhirBudget = 4500 * time.Millisecond

// CallerRequestID is where the gateway puts the X-Request-Id that a caller sent, since under the usual name it sends
// on its own.
const CallerRequestID = "X-Caller-Request-Id"

const (
	headerRequest     = "X-Request-Id"
	headerCorrelation = "X-Correlation-Id"
)

// fhirRefusal is an answer that is an OperationOutcome.
type fhirRefusal struct {
	status   int
	national string
	issues   []fhir.Issue
	reason   string // for the ledger
	after    string // Retry-After
	cause    error
}

// Error implements error, without what the message said.
func (f *fhirRefusal) Error() string { return fmt.Sprintf("%d %s", f.status, f.national) }

// Unwrap returns the cause.
func (f *fhirRefusal) Unwrap() error { return f.cause }

// because says for the ledger why it was refused.
func (f *fhirRefusal) because(reason string) *fhirRefusal { f.reason = reason; return f }

// outcome is what the sender is told: the national code, the reason in the words that the ledger has for it, and for
// each issue where in the message it is.
func (f *fhirRefusal) outcome() *fhir.OperationOutcome {
	outcome := fhir.NewOutcome(f.national, f.issues...)
	for i := range outcome.Issue {
		outcome.Issue[i].Details.Text = wordsFor(f.reason)
	}
	return outcome
}

func refuseFHIR(status int, national, code, at, words string) *fhirRefusal {
	return &fhirRefusal{status: status, national: national, issues: []fhir.Issue{fhir.NewIssue(code, at, words)}}
}

// answeringFHIR turns every refusal under /fhir into an OperationOutcome, and mirrors the ids of the request.
func (s *Service) answeringFHIR(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		mirror(w, r)
		ctx, cancel := context.WithTimeout(r.Context(), min(s.patience, s.fhirPatience))
		defer cancel()
		err := withoutPanic(next)(w, r.WithContext(ctx))
		if err == nil {
			return nil
		}
		refusal := fhirRefusalOf(err)
		if refusal.status >= 500 && refusal.cause != nil {
			s.log.ErrorContext(r.Context(), "a FHIR request could not be answered", schemas.AttrReason,
				reasonOf(refusal.cause))
		}
		if refusal.after != "" {
			w.Header().Set("Retry-After", refusal.after)
		}
		return writeFHIR(w, refusal.status, refusal.outcome())
	}
}

// withoutPanic makes an error of a panic, so that whoever asks gets the ids back and an OperationOutcome.
func withoutPanic(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) (err error) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				err = fmt.Errorf("answering a FHIR request panicked with a %T", p) // its text may quote the message
			} else if p != nil {
				panic(p)
			}
		}()
		return next(w, r)
	}
}

func mirror(w http.ResponseWriter, r *http.Request) {
	request, correlation := requestIDs(r)
	if isUUIDText(request) {
		w.Header().Set(headerRequest, request)
	}
	if isUUIDText(correlation) {
		w.Header().Set(headerCorrelation, correlation)
	}
}

func requestIDs(r *http.Request) (request, correlation string) {
	return cmp.Or(r.Header.Get(CallerRequestID), r.Header.Get(headerRequest)), r.Header.Get(headerCorrelation)
}

func isUUIDText(text string) bool { return clock.IsID(strings.ToLower(text)) }

// fhirRefusalOf makes a refusal of any error: a problem of the usual kind keeps its status and its words.
func fhirRefusalOf(err error) *fhirRefusal {
	var refusal *fhirRefusal
	if errors.As(err, &refusal) {
		return refusal
	}
	var problem *httpx.Problem
	if !errors.As(err, &problem) && (isInfrastructure(err) || errors.Is(err, context.DeadlineExceeded)) {
		return unavailableFHIR(err)
	}
	if problem == nil {
		refusal = refuseFHIR(http.StatusInternalServerError, recServerError, "exception", "",
			"This could not be answered, through no fault of the message. Send it again unchanged.")
		refusal.cause = err
		return refusal
	}
	national, code := nationalOf(problem.Status)
	refusal = refuseFHIR(problem.Status, national, code, "", problem.Detail)
	refusal.after, refusal.cause = problem.Header.Get("Retry-After"), problem.Cause
	return refusal
}

// nationalOf is the national code and R4's issue type for a status. The national list has no codes of their own for
// 413 and 415.
func nationalOf(status int) (national, code string) {
	switch status {
	case http.StatusUnauthorized:
		return recUnauthorised, "login"
	case http.StatusForbidden:
		return recForbidden, "forbidden"
	case http.StatusNotFound:
		return recNotFound, "not-found"
	case http.StatusNotAcceptable:
		return recNotAcceptable, "not-supported"
	case http.StatusRequestTimeout:
		return recTimeout, "timeout"
	case http.StatusConflict:
		return recConflict, "conflict"
	case http.StatusUnprocessableEntity:
		return recUnprocessable, "processing"
	case http.StatusRequestEntityTooLarge:
		return recBadRequest, "too-long"
	case http.StatusUnsupportedMediaType:
		return recBadRequest, "not-supported"
	case http.StatusTooManyRequests:
		return recTooMany, "throttled"
	case http.StatusServiceUnavailable:
		return recUnavailable, "transient"
	}
	if status >= 500 {
		return recServerError, "exception"
	}
	return recBadRequest, "invalid"
}

func writeFHIR(w http.ResponseWriter, status int, resource fhir.Resource) error {
	body, err := json.Marshal(resource)
	if err != nil {
		return fmt.Errorf("writing a %s: %w", resource.ResourceType(), err)
	}
	header := w.Header()
	header.Set("Content-Type", fhir.MediaType+"; fhirVersion=4.0")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller has gone; nobody is left to tell
	return nil
}

// fhirRoutes are the routes of this door.
func (s *Service) fhirRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"POST /fhir/$process-message":   s.postProcessMessage,
		"GET /fhir/metadata":            s.getMetadata,
		"GET /fhir/MessageDefinition":   s.getMessageDefinition,
		"GET /fhir/ServiceRequest/{id}": s.getServiceRequest,
		"GET /fhir/Task":                s.searchTask,
	}
}

// postProcessMessage takes one message of the Booking and Referral Standard.
func (s *Service) postProcessMessage(w http.ResponseWriter, r *http.Request) error {
	ctx, span := s.tracer.Start(r.Context(), "take a FHIR message")
	defer span.End()
	who, err := principal.Need(ctx)
	if err != nil {
		return err
	}
	request, correlation := requestIDs(r)
	in := &fhirMessage{who: who, correlation: strings.ToLower(correlation),
		reading: reading.Reading{Organisation: who.Organisation, Sender: cmp.Or(who.Source, who.Subject),
			Type: "$process-message"}}
	if isUUIDText(request) {
		in.reading.ControlID = strings.ToLower(request)
	}
	refusal := checkEnvelope(r, request, correlation)
	if refusal == nil {
		refusal = s.readProcessMessage(w, r.WithContext(ctx), in)
	}
	if refusal != nil {
		in.reading.Outcome, in.reading.Reason, in.reading.ClinicalEvent = record.Rejected,
			cmp.Or(refusal.reason, ReasonNotR4), nil
		in.reading.ControlID, in.asked, in.status = "", nil, refusal.status // it may come again, corrected
	}
	result, err := s.keepFHIR(ctx, in)
	describe(span, result)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return refusal
	}
	if refusal := refusalOfResult(result); refusal != nil {
		return refusal
	}
	return writeFHIR(w, http.StatusOK, s.fhirAnswer(in))
}

// fhirMessage is one message on its way through this door.
type fhirMessage struct {
	who         principal.Principal
	correlation string
	body        []byte
	reading     reading.Reading
	message     reading.FHIRMessage
	asked       *askedRow
	status      int // it is refused with
}

// askedRow is what is kept of a request beside its message, so that it can be asked for and cancelled. It holds
// nothing of whom it is about.
type askedRow struct {
	id          string // as the sender asks for it: a UUID
	correlation string
	status      string
	authored    time.Time
}

// readProcessMessage reads a message in memory and makes of it what other doors make of theirs. What is refused is
// in the ledger too.
func (s *Service) readProcessMessage(w http.ResponseWriter, r *http.Request, in *fhirMessage) *fhirRefusal {
	var err error
	if in.body, err = httpx.ReadBody(w, r, int64(s.maxMessage)); err != nil {
		return fhirRefusalOf(err).because(reading.ReasonTooLarge)
	}
	bundle, issues := fhir.ReadAs[*fhir.Bundle](in.body, fhir.Limits{})
	if len(issues) > 0 {
		return &fhirRefusal{status: http.StatusBadRequest, national: recBadRequest, issues: issues, reason: ReasonNotR4}
	}
	if header := bundle.Header(); header != nil && header.EventCoding != nil &&
		header.EventCoding.Code == reading.FhirRequestEvent {
		in.reading.Type = reading.FhirRequestEvent // and nothing that a sender made up
	}
	message, fault := reading.ReadFHIR(bundle, s.profiles.For(in.reading.Sender), in.who.Organisation)
	if fault != nil {
		refusal := &fhirRefusal{status: http.StatusUnprocessableEntity, national: recUnprocessable,
			issues: []fhir.Issue{fault.Issue}, reason: reading.ReasonEvent}
		if fault.Malformed {
			refusal.status, refusal.national, refusal.reason = http.StatusBadRequest, recBadRequest, ReasonSchema
		}
		return refusal
	}
	in.message = message
	in.reading.Type += " " + message.Reason
	if in.who.Source != "" && !speaksFor(in.who.Organisation,
		cmp.Or(message.Sender, readNational(r.Header).Organisation)) {
		return refuseFHIR(http.StatusForbidden, recForbidden, "forbidden", "Bundle.entry[0].resource.sender",
			"This sender may not speak for that organisation.").because(ReasonSource)
	}
	return s.stateFHIR(r.Context(), in)
}

// speaksFor: a site's code begins with that of its organisation. A message that names no sender speaks for whoever
// sent it.
func speaksFor(organisation, named string) bool {
	named, organisation = strings.ToUpper(named), strings.ToUpper(organisation)
	return named == "" || strings.HasPrefix(named, organisation) || strings.HasPrefix(organisation, named)
}

// checkEnvelope looks at the headers: the two ids must be there; what is accepted and sent must be FHIR in JSON.
func checkEnvelope(r *http.Request, request, correlation string) *fhirRefusal {
	for _, header := range []struct{ name, value string }{{headerRequest, request}, {headerCorrelation, correlation}} {
		switch {
		case header.value == "":
			return refuseFHIR(http.StatusBadRequest, recBadRequest, "required", "", "The header "+header.name+
				" is missing: send a UUID.").because(ReasonHeaders)
		case !isUUIDText(header.value):
			return refuseFHIR(http.StatusBadRequest, recBadRequest, "value", "",
				"The header "+header.name+" is not a UUID.").because(ReasonHeaders)
		}
	}
	if !isFHIRJSON(r.Header.Get("Content-Type")) {
		return refuseFHIR(http.StatusUnsupportedMediaType, recBadRequest, "not-supported", "",
			"The content type is not taken here. Send "+fhir.MediaType+", in UTF-8.").because(ReasonMediaType)
	}
	return checkAccept(r)
}

// checkAccept: an answer is FHIR in JSON, of version 1 of the standard.
func checkAccept(r *http.Request) *fhirRefusal {
	if acceptsFHIR(r.Header.Values("Accept")) {
		return nil
	}
	return refuseFHIR(http.StatusNotAcceptable, recNotAcceptable, "not-supported", "",
		"Answers here are "+fhir.MediaType+", version 1. Accept that.").because(ReasonHeaders)
}

func isFHIRJSON(contentType string) bool {
	given, parameters, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(parameters["charset"])
	return err == nil && (given == fhir.MediaType || given == "application/json") &&
		(charset == "" || charset == "utf-8" || charset == "us-ascii")
}

func acceptsFHIR(headers []string) bool {
	all := strings.Join(headers, ",")
	if strings.Trim(all, " ,") == "" {
		return true
	}
	for part := range strings.SplitSeq(all, ",") {
		given, parameters, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		version := parameters["version"]
		fits := slices.Contains([]string{fhir.MediaType, "application/json", "application/*", "*/*"}, given)
		if fits && (version == "" || version == "1" || strings.HasPrefix(version, "1.")) {
			return true
		}
	}
	return false
}

// NationalHeaders are the NHSD- headers, as far as they could be read: each is JSON in base64, and what cannot be
// read is as if it were not there.
type NationalHeaders struct {
	Target       string // the service the message is meant for
	Organisation string // ODS code of the end user's organisation
}

// readNational reads the NHSD- headers tolerantly: with or without padding, in either alphabet, of bounded length.
func readNational(header http.Header) NationalHeaders {
	var read NationalHeaders
	var target struct{ Value, System string }
	if text := fromBase64(header.Get("NHSD-Target-Identifier")); text != nil && json.Unmarshal(text, &target) == nil &&
		len(target.Value) <= 100 {
		read.Target = target.Value
	}
	if text := fromBase64(header.Get("NHSD-End-User-Organisation")); text != nil {
		if organisation, issues := fhir.ReadAs[*fhir.Organization](text, fhir.Limits{Values: 500}); len(issues) == 0 {
			read.Organisation = reading.IdentifierIn(organisation.Identifier, reading.FhirODS)
		}
	}
	return read
}

const maxHeader = 8 << 10

func fromBase64(text string) []byte {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	if text == "" || len(text) > maxHeader {
		return nil
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(text))
	if err != nil {
		return nil
	}
	return decoded
}

// requestUUID is a request's id as a UUID: the sender's own where it is one, else one made of its keyed hash, since
// an id of another form may say something of a person.
func (s *Service) requestUUID(organisation, id string) (string, error) {
	if isUUIDText(id) {
		return strings.ToLower(id), nil
	}
	hash, err := s.lookup("fhir-request", organisation, id)
	if err != nil {
		return "", err
	}
	x := fmt.Sprintf("%x", hash[:16])
	return x[:8] + "-" + x[8:12] + "-8" + x[13:16] + "-8" + x[17:20] + "-" + x[20:32], nil
}

// stateFHIR makes of a message the statement that other doors would make of theirs.
func (s *Service) stateFHIR(ctx context.Context, in *fhirMessage) *fhirRefusal {
	id, err := s.requestUUID(in.who.Organisation, in.message.Asked)
	if err != nil {
		return unavailableFHIR(err)
	}
	known, err := s.askedBefore(ctx, in.who, id, in.correlation, (&inboundMessage{Reading: in.reading}).receipt())
	if err != nil {
		return unavailableFHIR(err)
	}
	if known.id != "" && known.status != "active" && in.message.Reason == reading.OfUpdate && !known.repeated {
		return refuseFHIR(http.StatusConflict, recConflict, "conflict", "ServiceRequest.status",
			"The request is not active any more. Read it first (GET ServiceRequest/{id}); to ask anew, send a new "+
				"one with an id of its own.").because(record.ReasonUnasked)
	}
	said := reading.StatedAt(s.clock.Now(), in.message.StatedAt)
	in.asked = &askedRow{id: cmp.Or(known.id, id), correlation: in.correlation,
		status: cmp.Or(in.message.Revoked, "active"), authored: said}
	if in.message.Revoked != "" {
		if known.id == "" {
			return refuseFHIR(http.StatusNotFound, recNotFound, "not-found", "ServiceRequest",
				"No request is known here under this id or X-Correlation-Id that could be cancelled.").because(
				record.ReasonNoVisit)
		}
		if known.number == "" { // it has not been joined to anything yet
			in.reading.Outcome, in.reading.Reason = record.Cancelled, record.ReasonUnasked
			return nil
		}
		statement := in.message.Retracted(in.who.Organisation, known.number, said)
		in.reading.ClinicalEvent = &statement
		return nil
	}
	statement, faults := s.clinicalEventOf(in, known.number, said)
	if len(faults) > 0 {
		refusal := &fhirRefusal{status: http.StatusUnprocessableEntity, national: recUnprocessable,
			reason: ReasonSchema}
		for _, fault := range faults {
			refusal.issues = append(refusal.issues, fhir.NewIssue("value", "Bundle", fault.String()))
		}
		return refusal
	}
	in.reading.ClinicalEvent = &statement
	if in.message.OtherReason {
		in.reading.Outcome, in.reading.Reason = record.Quarantined, ReasonOther
		return nil
	}
	in.reading.Judge()
	return nil
}

// clinicalEventOf goes the way of discharge.reported and referral.submitted. number is that of the visit which an
// earlier message about the request was joined to.
func (s *Service) clinicalEventOf(in *fhirMessage, number string, said time.Time) (record.ClinicalEvent,
	[]schemas.Fault) {
	m := in.message
	var statement record.ClinicalEvent
	if d := m.Discharge; d != nil {
		visit := d.Visit
		d.Visit = cmp.Or(visit, "-") // a visit may have no number; then person and time find it
		if faults := schemas.ValidateDischargeReported(*d); len(faults) > 0 {
			return statement, faults
		}
		statement = s.reportedBy(in.reading.Sender, said, *d)
		statement.Visit = cmp.Or(visit, number)
		statement.Ends = []record.Moment{m.Left, {At: said}}
	} else {
		if faults := schemas.ValidateReferralSubmitted(*m.Submitted); len(faults) > 0 {
			return statement, faults
		}
		statement = s.submittedBy(in.reading.Sender, said, *m.Submitted)
	}
	reading.WeighWords(&statement, s.profiles.For(in.reading.Sender), m.Words)
	who := statement.Person.Reveal()
	who.Protected, who.NumberInvalid = m.Person.Protected, who.NumberInvalid || m.Person.NumberInvalid
	statement.Person = vault.Conceal(who)
	statement.Destination, statement.Died, statement.LeftBefore = m.Destination, m.Died, statement.LeftBefore ||
		m.LeftBefore
	statement.Arrived, statement.PublishedBy, statement.By = m.Arrived, reading.RaisedByFHIR, recordedBy(in.who)
	if m.Nowhere {
		statement.Doubt(record.AboutDestination, schemas.FlagDestinationUnknown, "")
	} else if m.Destination != "" {
		statement.Doubt(record.AboutDestination, "", "")
	}
	return statement, nil
}

// readKeptFHIR reads a message again that was quarantined, as it came.
func (s *Service) readKeptFHIR(held *quarantinedMessage, raw []byte) reading.Reading {
	in := &fhirMessage{who: principal.Principal{Organisation: held.Organisation},
		reading: reading.Reading{Organisation: held.Organisation, Sender: held.Sender, Type: held.Type}}
	in.reading.Outcome, in.reading.Reason = record.Rejected, ReasonNotR4
	bundle, issues := fhir.ReadAs[*fhir.Bundle](raw, fhir.Limits{})
	if len(issues) > 0 {
		return in.reading
	}
	var fault *reading.FHIRFault
	if in.message, fault = reading.ReadFHIR(bundle, s.profiles.For(held.Sender), held.Organisation); fault != nil {
		in.reading.Reason = ReasonSchema
		return in.reading
	}
	in.message.OtherReason = false // a human has decided
	if in.message.Discharge != nil {
		in.message.Discharge.InScope = true
	}
	statement, faults := s.clinicalEventOf(in, "", reading.StatedAt(held.ReceivedAt, in.message.StatedAt))
	if len(faults) > 0 || in.message.Revoked != "" {
		return in.reading
	}
	in.reading.ClinicalEvent, in.reading.Outcome, in.reading.Reason = &statement, "", ""
	in.reading.Judge()
	return in.reading
}

func unavailableFHIR(err error) *fhirRefusal {
	again := " Send it again with the same ids: it will be counted once."
	refusal := refuseFHIR(http.StatusServiceUnavailable, recUnavailable, "transient", "",
		"What is stored cannot be reached at present."+again)
	switch {
	case errors.Is(err, errBusy):
		refusal = refuseFHIR(http.StatusTooManyRequests, recTooMany, "throttled", "",
			"Too much is coming in at the moment."+again)
	case errors.Is(err, context.DeadlineExceeded):
		refusal = refuseFHIR(http.StatusRequestTimeout, recTimeout, "timeout", "", "This could not be done in time."+
			again)
	}
	refusal.after, refusal.cause, refusal.reason = "2", err, reading.ReasonFault
	return refusal
}

// keepFHIR keeps a message and waits until it can no longer be lost, within the standard's time.
func (s *Service) keepFHIR(ctx context.Context, in *fhirMessage) (Result, error) {
	body := in.body
	if len(body) > s.maxMessage {
		body = body[:s.maxMessage]
	}
	a, err := s.prepare(ctx, in.reading, record.EndpointFHIR, body)
	if err != nil {
		return Result{}, err
	}
	a.asked, a.status = in.asked, in.status
	result, err := s.keep(ctx, a)
	if err != nil {
		return Result{}, unavailableFHIR(err)
	}
	return result, nil
}

// refusalOfResult is what a kept message is refused with: it came before.
func refusalOfResult(result Result) *fhirRefusal {
	switch {
	case result.Outcome == record.Duplicate && result.Reason != record.ReasonReused:
		return refuseFHIR(http.StatusConflict, recConflict, "duplicate", "", "This message has come before and was "+
			"processed. Do not send it again.")
	case result.Reason == record.ReasonReused:
		return refuseFHIR(http.StatusConflict, recConflict, "conflict", "", "Another message came before with this "+
			"X-Request-Id. Give each message an X-Request-Id of its own.")
	}
	return nil
}

// fhirAnswer is the synchronous answer: the message was taken. What becomes of the request is told by its Task.
func (s *Service) fhirAnswer(in *fhirMessage) *fhir.Bundle {
	now := fhir.FormatInstant(s.clock.Now())
	header := &fhir.MessageHeader{
		ID:          clock.NewRandomID(),
		Meta:        &fhir.Meta{LastUpdated: now},
		EventCoding: &fhir.Coding{System: reading.FhirEvents, Code: reading.FhirResponseEvent},
		Destination: []fhir.Endpoint{{Endpoint: in.message.Endpoint}},
		Source:      fhir.Endpoint{Name: "Footbridge", Endpoint: ourEndpoint},
		Reason: &fhir.CodeableConcept{Coding: []fhir.Coding{{System: reading.FhirReasons,
			Code: in.message.Reason}}},
		Response: &fhir.MessageResponse{Identifier: in.message.Bundle, Code: "ok"},
	}
	if in.asked != nil {
		header.Focus = []fhir.Reference{{Reference: "ServiceRequest/" + in.asked.id}}
	}
	return &fhir.Bundle{ID: clock.NewRandomID(), Meta: &fhir.Meta{LastUpdated: now}, Type: "message", Timestamp: now,
		Entry: []fhir.Entry{{FullURL: "urn:uuid:" + header.ID, Resource: header}}}
}

const ourEndpoint = "urn:footbridge:fhir"

// Reasons in the ledger of this door.
const (
	ReasonNotR4   = "not-fhir-r4"
	ReasonHeaders = "headers"
	ReasonOther   = "other-reason" // the coded reasons have nothing to do with self-harm: a human decides
)
