package intake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

const (
	typeBatch      = event.ApplicationCloudEventsBatchJSON
	typeStructured = event.ApplicationCloudEventsJSON
	// maxBatch is how many events one request may hold.
	maxBatch = 1000
	// maxEventName bounds an event's id and source, in bytes: resends are found by them.
	maxEventName = 1000
)

// eventAnswer is what became of one event.
type eventAnswer struct {
	ID      string `json:"id,omitempty"`
	Journey string `json:"journey,omitempty"`
	Message string `json:"message,omitempty"` // the ledger's id
	Outcome string `json:"outcome,omitempty"`
	Status  int    `json:"status,omitempty"` // in a batch
	// Why it was not taken, in a batch.
	Detail string          `json:"detail,omitempty"`
	Errors []schemas.Fault `json:"errors,omitempty"`
}

// postEvents takes CloudEvents in binary, structured and batched mode.
func (s *Service) postEvents(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	limit := int64(s.maxMessage)
	mode := modeOf(r.Header)
	if mode == modeBatch {
		limit *= 16
	}
	if mode == modeUnknown {
		p := httpx.NewProblem(http.StatusUnsupportedMediaType, "This is no CloudEvent. Send one in structured mode "+
			"(%s), in binary mode (ce- headers), or several as %s.", typeStructured, typeBatch)
		p.Header = http.Header{"Accept-Post": {typeStructured + ", " + typeBatch}}
		return s.refuseRequest(r, nil, p, ReasonNotEvent)
	}
	body, err := httpx.ReadBody(w, r, limit)
	if err != nil {
		return s.refuseRequest(r, body, err, reading.ReasonTooLarge)
	}
	if mode == modeBatch {
		return s.postBatch(w, r, who, body)
	}
	e, err := readEvent(mode, r.Header, body)
	if err != nil {
		return s.refuseRequest(r, body, err, ReasonNotEvent)
	}
	answer, err := s.acceptEvent(r.Context(), who, e)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusAccepted, answer)
}

// postBatch answers each event of a batch by itself: one that is wrong holds nothing up.
func (s *Service) postBatch(w http.ResponseWriter, r *http.Request, who principal.Principal, body []byte) error {
	var pieces []json.RawMessage
	if err := json.Unmarshal(body, &pieces); err != nil {
		return s.refuseRequest(r, body,
			httpx.NewProblem(http.StatusBadRequest, "The batch is not a JSON array of CloudEvents. Correct it and "+
				"send it again."), ReasonNotEvent)
	}
	if len(pieces) > maxBatch {
		return httpx.NewProblem(http.StatusRequestEntityTooLarge, "The batch holds more than %d events. Send fewer "+
			"at a time.", maxBatch)
	}
	answers := make([]eventAnswer, len(pieces))
	waits := make([]func() (eventAnswer, error), len(pieces))
	for i, piece := range pieces {
		waits[i] = s.startEvent(r, who, piece)
	}
	for i, wait := range waits {
		answer, err := wait()
		answers[i] = statusAnswer(answer, err)
	}
	return httpx.WriteJSON(w, http.StatusOK, answers)
}

func (s *Service) startEvent(r *http.Request, who principal.Principal, piece []byte) func() (eventAnswer, error) {
	var answer eventAnswer
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		var e *event.Event
		if e, err = readEvent(modeStructured, r.Header, piece); err != nil {
			err = s.refuseRequest(r, piece, err, ReasonNotEvent)
			return
		}
		answer, err = s.acceptEvent(r.Context(), who, e)
		answer.ID = e.ID()
	}()
	return func() (eventAnswer, error) { <-done; return answer, err }
}

func statusAnswer(answer eventAnswer, err error) eventAnswer {
	var problem *httpx.Problem
	switch {
	case err == nil:
		answer.Status = http.StatusAccepted
	case errors.As(err, &problem):
		answer.Status, answer.Detail = problem.Status, problem.Detail
		answer.Errors, _ = problem.Extensions["errors"].([]schemas.Fault)
	default:
		answer.Status = http.StatusInternalServerError
	}
	return answer
}

type eventMode int

const (
	modeUnknown eventMode = iota
	modeBinary
	modeStructured
	modeBatch
)

// modeOf finds the mode by the content type; batch before structured, since the one's name begins with the other's.
func modeOf(header http.Header) eventMode {
	given, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case strings.HasPrefix(given, "application/cloudevents-batch"):
		if given == typeBatch {
			return modeBatch
		}
	case strings.HasPrefix(given, "application/cloudevents"):
		if given == typeStructured {
			return modeStructured
		}
	case header.Get("Ce-Specversion") != "" || header.Get("Ce-Id") != "":
		return modeBinary
	}
	return modeUnknown
}

func readEvent(mode eventMode, header http.Header, body []byte) (*event.Event, error) {
	var e *event.Event
	var err error
	if mode == modeStructured {
		e = &event.Event{}
		err = json.Unmarshal(body, e)
	} else if header, err = decodeAttributes(header); err == nil {
		e, err = binding.ToEvent(context.Background(), cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	}
	if err == nil {
		err = e.Validate()
	}
	if err != nil || e.SpecVersion() != event.CloudEventsVersionV1 ||
		max(len(e.ID()), len(e.Source())) > maxEventName ||
		strings.ContainsFunc(e.ID()+e.Source()+e.Type()+e.Subject(), unicode.IsControl) {
		// The cause is left out: it may quote what the event says.
		return nil, httpx.NewProblem(http.StatusBadRequest, "This is no valid CloudEvent 1.0: it needs specversion, "+
			"id, source and type, attribute names of lower-case letters and digits, values without control "+
			"characters, an id and a source of at most 1000 bytes, and each ce- header once and percent-encoded.")
	}
	return e, nil
}

// isJSON says whether an event's data, where it has any, is said to be JSON.
func isJSON(e *event.Event) bool {
	given, _, _ := mime.ParseMediaType(e.DataContentType())
	return len(e.Data()) == 0 || given == "" || given == event.ApplicationJSON || strings.HasSuffix(given, "+json")
}

var errAttribute = errors.New("a ce- header that is no attribute, is there twice, or is not encoded as it should be")

// decodeAttributes gives the headers of an event in binary mode as they were before the sender encoded them (HTTP
// binding 1.0.2, 3.1.3.2): quotes taken off, then percent-decoded once, so that an event is the same in every mode.
// The SDK does neither, and panics at a header "ce-" without a name.
func decodeAttributes(header http.Header) (http.Header, error) {
	decoded := header.Clone()
	for name, values := range header {
		attribute, is := strings.CutPrefix(name, "Ce-")
		if !is {
			continue
		}
		value, err := url.PathUnescape(unquoted(values[0]))
		if err != nil || attribute == "" || strings.Contains(attribute, "-") || len(values) > 1 ||
			!utf8.ValidString(value) {
			return nil, errAttribute
		}
		decoded[name] = []string{value}
	}
	return decoded, nil
}

// unquoted takes the quotes off a quoted string of RFC 9110, as senders by older versions of the binding write them.
func unquoted(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var plain strings.Builder
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i+1 < len(value)-1 {
			i++
		}
		plain.WriteByte(value[i])
	}
	return plain.String()
}

// acceptEvent keeps one event and says what became of it. A refusal is kept in the ledger too.
func (s *Service) acceptEvent(ctx context.Context, who principal.Principal, e *event.Event) (eventAnswer, error) {
	ctx, span := s.tracer.Start(ctx, "take an event")
	defer span.End()
	reading, refusal := s.readReported(who, e)
	content, err := contentOf(e)
	if err != nil {
		return eventAnswer{}, err
	}
	result, err := s.keepPatiently(ctx, reading, record.EndpointEvents, content)
	describe(span, result)
	switch {
	case err != nil:
		return eventAnswer{ID: e.ID()}, err
	case refusal != nil:
		return eventAnswer{ID: e.ID()}, refusal.With("message", result.Message)
	case statusOf(result) == http.StatusConflict:
		return eventAnswer{ID: e.ID()}, httpx.NewProblem(http.StatusConflict,
			"An event with this source and id came before, with other content. Give the changed one an id of its own.").With("message", result.Message)
	case statusOf(result) != http.StatusAccepted:
		return eventAnswer{ID: e.ID()},
			httpx.NewProblem(statusOf(result), "This event came before and was refused: %s.",
				result.Reason).With("message", result.Message)
	}
	return eventAnswer{ID: e.ID(), Journey: result.Journey, Message: result.Message, Outcome: string(result.Outcome)},
		nil
}

// keepPatiently waits a while for room and for the database, then gives the sender's own patience a turn.
func (s *Service) keepPatiently(ctx context.Context, reading reading.Reading, door string, content []byte) (Result,
	error) {
	a, err := s.prepare(ctx, reading, door, content)
	if err != nil {
		return Result{}, err
	}
	return s.keepWithPatience(ctx, a)
}

func (s *Service) keepWithPatience(ctx context.Context, a *inboundMessage) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	result, err := s.keep(ctx, a)
	if err == nil {
		return result, nil
	}
	what, again := "event", "with the same id"
	if a.endpoint == record.EndpointForm {
		what, again = "request", "unchanged"
	}
	problem := httpx.NewProblem(http.StatusServiceUnavailable, "The %s could not be stored yet. Send it again %s: it "+
		"will be counted once.", what, again)
	if errors.Is(err, errBusy) {
		problem = httpx.NewProblem(http.StatusTooManyRequests, "Too much is coming in at the moment. Send the %s "+
			"again %s.", what, again)
	}
	problem.Header = http.Header{"Retry-After": {"2"}}
	return Result{}, problem.Because(err)
}

// eventContent is what of an event tells it from another one. Its fields stand in the order of their names, as they
// always have: a resend is known by the same bytes.
type eventContent struct {
	Data    string    `json:"data"`
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
}

// contentOf is an event's content in one spelling, so that a resend in another mode is known to be the same.
func contentOf(e *event.Event) ([]byte, error) {
	var data bytes.Buffer
	if len(e.Data()) > 0 && json.Compact(&data, e.Data()) != nil {
		data.Reset()
		data.Write(e.Data())
	}
	content, err := json.Marshal(eventContent{data.String(), e.ID(), e.Source(), e.Subject(), e.Time(), e.Type()})
	if err != nil {
		return nil, httpx.NewProblem(http.StatusBadRequest, "The event could not be read.")
	}
	return content, nil
}

// readReported reads an event in memory, by one order of checks in every mode: its source, its type, whether its data
// is JSON, its schema, its organisation; a refusal has a reading too, so that it is in the ledger.
func (s *Service) readReported(who principal.Principal, e *event.Event) (reading.Reading, *httpx.Problem) {
	parsed := reading.Reading{Organisation: who.Organisation, Sender: e.Source(), ControlID: e.ID(), Type: e.Type()}
	if _, known := schemas.Lookup(schemas.Type(e.Type())); !known {
		parsed.Type = "" // anything may stand there, and operators read the ledger
	}
	refuse := func(p *httpx.Problem, reason string) (reading.Reading, *httpx.Problem) {
		parsed.Outcome, parsed.Reason, parsed.ControlID = record.Rejected, reason, "" // it may come again, corrected
		return parsed, p
	}
	if who.Source != "" && who.Source != e.Source() {
		parsed.Sender = who.Source // what it claims to be is nobody we know
		return refuse(httpx.NewProblem(http.StatusForbidden, "This sender may not send events of that source."),
			ReasonSource)
	}
	tidied, damaged := reading.TidySubmitted(e.Data())
	switch {
	case e.Type() != string(schemas.DischargeReported) && e.Type() != string(schemas.ReferralSubmitted):
		return refuse(httpx.NewProblem(http.StatusUnprocessableEntity, "Events of this type are not taken here. Send "+
			"%s or %s.", schemas.DischargeReported, schemas.ReferralSubmitted), reading.ReasonEvent)
	case !isJSON(e):
		return refuse(httpx.NewProblem(http.StatusUnsupportedMediaType, "The event's data is not JSON. Send "+
			"datacontenttype application/json."), ReasonMediaType)
	case damaged:
		return refuse(httpx.DamagedText(), ReasonSchema)
	case e.Type() == string(schemas.ReferralSubmitted):
		return s.readSubmitted(who, e, tidied, parsed, refuse)
	}
	data, faults := schemas.ReadDischargeReported(tidied)
	if len(faults) > 0 {
		return refuse(httpx.NewProblem(http.StatusUnprocessableEntity, "The event's data is not as its schema says: "+
			"see errors.").With("errors", faults), ReasonSchema)
	}
	if who.Source != "" && who.Organisation != data.Organisation {
		return refuse(httpx.NewProblem(http.StatusForbidden, "This sender may not speak for that organisation."),
			ReasonSource)
	}
	parsed.Organisation = data.Organisation
	statement := s.reported(e, data)
	statement.By = recordedBy(who)
	parsed.ClinicalEvent = &statement
	return parsed, nil
}

// reported makes a statement of a report: the sender itself says whether the visit was in scope, and codes say it
// too.
func (s *Service) reported(e *event.Event, data schemas.DischargeReportedData) record.ClinicalEvent {
	return s.reportedBy(e.Source(), reading.StatedAt(s.clock.Now(), record.Moment{At: e.Time().UTC()}), data)
}

// reportedBy is reported for any door.
func (s *Service) reportedBy(source string, said time.Time, data schemas.DischargeReportedData) record.ClinicalEvent {
	profile := s.profiles.For(source)
	statement := record.ClinicalEvent{
		Header: record.Header{Kind: record.KindReported, Organisation: data.Organisation, Visit: data.Visit,
			StatedAt: said, PublishedBy: "event"},
		About:      record.About{Facts: data.Facts, Consents: data.Consents},
		Attendance: record.Attendance{Ends: []record.Moment{{At: said}}},
	}
	if data.LeftAt != nil {
		statement.Ends = []record.Moment{{At: data.LeftAt.UTC()}, {At: said}}
	}
	if data.ArrivedAt != nil {
		statement.Arrived = record.Moment{At: data.ArrivedAt.UTC()}
	}
	statement.Person = vault.Conceal(checkedIdentity(data.Person))
	if data.InScope {
		statement.Evidence = append(statement.Evidence,
			record.Evidence{Role: record.RoleSender, Verdict: record.VerdictInScope,
				Because: []string{"the sender's statement"}, Profile: profile.Title()})
	}
	byRole := map[string][]reading.Coded{}
	var all []reading.Coded
	for _, code := range data.Codes {
		role := cmp.Or(code.Role, record.RoleReason)
		byRole[role] = append(byRole[role], reading.Coded{System: code.System, Code: code.Code})
		all = append(all, reading.Coded{System: code.System, Code: code.Code})
	}
	for _, role := range []string{record.RoleReason, record.RoleDiagnosis, record.RoleIntent} {
		if len(byRole[role]) > 0 {
			statement.Evidence = append(statement.Evidence, profile.Weigh(role, byRole[role]))
		}
	}
	reading.WeighWords(&statement, profile, data.Reasons)
	statement.LeftBefore, statement.Died = profile.LeftBefore(all), profile.Died(all)
	return statement
}

// checkedIdentity takes over what a sender reports in one spelling, but for an NHS number that cannot be one.
func checkedIdentity(reported schemas.ReportedPerson) record.Identity {
	identity := record.Identity{ReportedPerson: reported}
	identity.Tidy()
	return identity
}

// refuseRequest keeps in the ledger what was no event at all, and refuses it.
func (s *Service) refuseRequest(r *http.Request, body []byte, refusal error, reason string) error {
	who, _ := principal.From(r.Context())
	reading := reading.Reading{Organisation: who.Organisation, Outcome: record.Rejected, Reason: reason}
	var problem *httpx.Problem
	if !errors.As(refusal, &problem) {
		return refusal
	}
	if problem.Status == http.StatusUnsupportedMediaType {
		reading.Reason = ReasonMediaType
	}
	result, err := s.keepPatiently(r.Context(), reading, record.EndpointEvents, body[:min(len(body), s.maxMessage)])
	if err != nil {
		return err
	}
	return problem.With("message", result.Message)
}

// statusOf is the HTTP status that a result means.
func statusOf(r Result) int {
	if r.Outcome != record.Rejected && !(r.Outcome == record.Duplicate && refusedReasons[r.Reason] != 0) {
		return http.StatusAccepted
	}
	if status := refusedReasons[r.Reason]; status != 0 {
		return status
	}
	return http.StatusUnprocessableEntity
}

var refusedReasons = map[string]int{
	record.ReasonReused: http.StatusConflict, ReasonSource: http.StatusForbidden, ReasonNotEvent: http.StatusBadRequest,
	reading.ReasonTooLarge: http.StatusRequestEntityTooLarge, ReasonMediaType: http.StatusUnsupportedMediaType,
	reading.ReasonEvent: http.StatusUnprocessableEntity, ReasonSchema: http.StatusUnprocessableEntity,
}

// Reasons for refusing an event.
const (
	ReasonSource    = "source-not-allowed"
	ReasonNotEvent  = "not-a-cloudevent"
	ReasonMediaType = "media-type"
	ReasonSchema    = "schema"
)

// submittedBy makes a statement of a request for support: whoever asks says by it that it is in scope.
func (s *Service) submittedBy(source string, said time.Time, data schemas.ReferralSubmittedData) record.ClinicalEvent {
	because := "a professional's request"
	if data.Route == "self" {
		because = "the person's own request"
	}
	statement := record.ClinicalEvent{
		Header: record.Header{Kind: record.KindReferral, Organisation: data.Organisation, Visit: data.Visit,
			StatedAt: said, PublishedBy: "event"},
		About: record.About{Facts: data.Facts, Consents: data.Consents},
		Attendance: record.Attendance{Evidence: []record.Evidence{{Role: record.RoleSender,
			Verdict: record.VerdictInScope, Because: []string{because},
			Profile: s.profiles.For(source).Title()}}},
		Asked: record.Asked{At: record.Moment{At: said}, Route: data.Route, Under18: data.Under18, Told: data.Told},
	}
	if data.RequestedAt != nil {
		statement.Asked.At = record.Moment{At: data.RequestedAt.UTC()}
	}
	if data.LeftAt != nil {
		statement.Ends = []record.Moment{{At: data.LeftAt.UTC()}}
	}
	if statement.Facts.Route == nil {
		statement.Facts.Route = &data.Route
	}
	identity := checkedIdentity(data.Person)
	identity.ApplyContact(data.SafeContact)
	statement.Person = vault.Conceal(identity)
	statement.Asked.Unverified = data.Route == "self" || (identity.LocalID == "" && !identity.NHSNumberVerified)
	reading.WeighWords(&statement, s.profiles.For(source), data.Reasons)
	return statement
}
