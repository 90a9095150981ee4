package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// Routes adds intake's HTTP routes, each for the roles that schemas names. The mux must already require a principal.
func (s *Service) Routes(mux *httpx.Mux) error {
	handlers := map[string]httpx.Handler{
		"POST /events":           s.postEvents,
		"GET /api/messages":      s.getMessages,
		"GET /api/messages/{id}": s.getMessage,
		"POST /api/messages/{id}/release": func(w http.ResponseWriter, r *http.Request) error {
			return s.postDecision(w, r, true)
		},
		"POST /api/messages/{id}/dismiss": func(w http.ResponseWriter, r *http.Request) error {
			return s.postDecision(w, r, false)
		},
	}
	maps.Copy(handlers, s.messageRoutes())
	maps.Copy(handlers, s.peopleRoutes())
	maps.Copy(handlers, s.ownPageRoutes())
	maps.Copy(handlers, s.searchRoutes())
	handlers["POST /api/referrals"], handlers["POST /api/referrals/list"] = s.postReferral, s.postList
	maps.Copy(handlers, s.fhirRoutes())
	maps.Copy(handlers, s.signalRoutes())
	handlers["GET /api/facilities"] = s.getFacilities
	handlers["POST /api/facilities/{id}/place"], handlers["POST /api/facilities/{id}/unplace"] = s.postPlace,
		s.postUnplace
	mux.Handle("POST "+schemas.TextNumbers, s.numberForText)
	return httpx.Register(mux, append(schemas.RoutesOf(Name), schemas.BetweenServices(Name)...), handlers, s.guard)
}

// guard stands before the handler of a route. FHIR refuses in its own form, and looks after its parameters itself.
func (s *Service) guard(route schemas.Route, handler httpx.Handler) httpx.Handler {
	if strings.HasPrefix(route.Pattern, "/fhir/") {
		return s.answeringFHIR(principal.RequireRole(handler, route.MayAsk()...))
	}
	return principal.Guard(route, handler)
}

// LedgerLine is one message of the ledger, as `messages --json` prints it.
type LedgerLine struct {
	ID           string     `json:"id"`
	Organisation string     `json:"organisation"`
	Sender       string     `json:"sender"`
	ReceivedAt   time.Time  `json:"receivedAt"`
	Endpoint     string     `json:"door"`
	ControlID    string     `json:"controlId"`
	Type         string     `json:"type"`
	Ack          string     `json:"ack"`
	Outcome      string     `json:"outcome"`
	Reason       string     `json:"reason,omitempty"`
	Words        string     `json:"words,omitempty"` // the reason, in plain words
	Can          []Remedy   `json:"can,omitempty"`   // what a human can do about it
	Journey      string     `json:"journey,omitempty"`
	Trace        string     `json:"trace,omitempty"`
	DueAt        *time.Time `json:"dueAt,omitempty"`
	DecidedAt    *time.Time `json:"settledAt,omitempty"`
	DecidedBy    string     `json:"settledBy,omitempty"`
}

func (s *Service) getMessages(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if query.Get("waiting") == "true" {
		return s.getWaiting(w, r, who)
	}
	usual, most := schemas.Limits("GET /api/messages")
	page, err := httpx.ParsePage(query, 1, usual, most)
	if err != nil {
		return err
	}
	filter := ledgerFilter{Outcome: query.Get("outcome")}
	if filter.From, filter.To, err = s.period(query); err != nil {
		return err
	}
	if one := schemas.ParameterOf("GET /api/messages", "outcome"); filter.Outcome != "" && !one.Allows(filter.Outcome) {
		return httpx.NewProblem(http.StatusBadRequest, "There is no such outcome. Ask for one of %v.", one.Values)
	}
	if filter.Sender, err = s.senderShown(query.Get("sender")); err != nil {
		return err
	}
	lines, err := s.ledger(r.Context(), who, filter, page)
	if err != nil {
		return err
	}
	for i := range lines {
		lines[i].explain()
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(lines, page.Limit, func(l LedgerLine) []string { return []string{l.ID} }))
}

// explain adds what people read beside the codes.
func (l *LedgerLine) explain() { l.Words, l.Can = wordsFor(l.Reason), remedies(*l) }

// getWaiting lists what waits for a human, by the time promised.
func (s *Service) getWaiting(w http.ResponseWriter, r *http.Request, who principal.Principal) error {
	usual, most := schemas.Limits("GET /api/messages")
	page, err := httpx.ParsePage(r.URL.Query(), 2, usual, most)
	if err != nil {
		return err
	}
	lines, err := s.waiting(r.Context(), who, page)
	if err != nil {
		return err
	}
	for i := range lines {
		lines[i].explain()
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(lines, page.Limit, func(l LedgerLine) []string {
		return []string{l.DueAt.UTC().Format(time.RFC3339Nano), l.ID}
	}))
}

func noSuchMessage() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no message of this id that you may see. Take the id from "+
		"GET /api/messages.")
}

// postDecision releases or dismisses a quarantined message, by a named human.
func (s *Service) postDecision(w http.ResponseWriter, r *http.Request, release bool) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id, err := pathRef(r, "id", noSuchMessage)
	if err != nil {
		return err
	}
	var edits releaseEdits
	if release && r.ContentLength != 0 {
		body, err := httpx.ReadBody(w, r, 64<<10, "application/json")
		if err != nil {
			return err
		}
		if edits, err = readEdits(body); err != nil {
			return err
		}
		if httpx.HasDamagedText(body) {
			return httpx.DamagedText()
		}
	}
	line, err := s.decideByHuman(r.Context(), who, id, humanDecision{release: release, edits: edits})
	if err != nil {
		return err
	}
	line.explain()
	return httpx.WriteJSON(w, http.StatusOK, line)
}

func emitReleased(message string) record.Emission {
	return record.Emission{Type: schemas.MessageReleased, Journey: message, Data: schemas.MessageReleasedData{}}
}

// releaseEdits are what a human knows better than the message that is released.
type releaseEdits struct {
	// Facts replace those that the message stated, one by one.
	Facts schemas.Facts `json:"facts,omitzero"`
	// LeftAt is when the person left, where the message did not say.
	LeftAt *time.Time `json:"leftAt,omitempty"`
	// Visit is the visit number that the message lacks.
	Visit string `json:"visit,omitempty" is:"line-100"`
}

func readEdits(body []byte) (releaseEdits, error) {
	edits, faults := schemas.Read[releaseEdits](body)
	if len(faults) > 0 {
		return edits, httpx.NewProblem(http.StatusUnprocessableEntity,
			"What was edited is not as it can be: see errors. Facts are from the closed list.").With("errors", faults)
	}
	return edits, nil
}

// apply puts the edits over a statement.
func (e releaseEdits) apply(s *record.ClinicalEvent) {
	var v record.Visit
	v.JoinFacts(s.Facts, nil, record.Version{ArrivalNumber: 1})
	v.JoinFacts(e.Facts, nil, record.Version{ArrivalNumber: 2})
	s.Facts = v.Facts
	if e.LeftAt != nil {
		s.Ends = []record.Moment{{At: e.LeftAt.UTC()}}
		delete(s.Doubts, record.AboutLeft)
		s.Happened = s.Ends[0]
	}
	s.Visit = cmp.Or(e.Visit, s.Visit)
}

// humanDecision is what a human decides about a message: to release or dismiss one that is quarantined, or to read
// again one from which nothing has followed.
type humanDecision struct {
	release, again bool
	edits          releaseEdits
}

// decideByHuman carries out a human's decision about a quarantined message: about the scope of its visit where
// that was undecided; else a release reads it again, by the profile as it is now, and a dismissal ends it.
func (s *Service) decideByHuman(ctx context.Context, who principal.Principal, id string,
	decision humanDecision) (LedgerLine, error) {
	for {
		var line LedgerLine
		err := s.flow.Do(ctx, func(tx *flow.Tx) error {
			held, err := lockQuarantined(tx, who, id)
			if err != nil {
				return err
			}
			line, err = s.decideQuarantined(tx, who, held, decision)
			return err
		})
		if !errors.Is(err, errMergedMeanwhile) {
			return line, err
		}
	}
}

func (s *Service) decideQuarantined(tx *flow.Tx, who principal.Principal, held *quarantinedMessage,
	asked humanDecision) (LedgerLine, error) {
	release, edits := asked.release, asked.edits
	wanted := record.ReasonHumanOut
	if release {
		wanted = record.ReasonHumanIn
	}
	quarantined := held.Outcome == string(record.Quarantined)
	switch {
	case asked.again && canReadAgain(held.LedgerLine):
	case asked.again && quarantined:
		return LedgerLine{}, httpx.NewProblem(http.StatusConflict, "This message is quarantined: release it or "+
			"dismiss it.")
	case asked.again && held.Decided != wanted:
		return LedgerLine{}, httpx.NewProblem(http.StatusConflict, "This message is %s: something has followed from "+
			"it, or somebody has decided about it.", held.Outcome)
	case !quarantined:
		if held.Decided == wanted {
			return held.LedgerLine, nil // asked for twice
		}
		return LedgerLine{}, httpx.NewProblem(http.StatusConflict, "This message is not quarantined: it is %s.",
			held.Outcome)
	}
	if release && quarantined && !canRelease(held.LedgerLine) {
		return LedgerLine{}, httpx.NewProblem(http.StatusUnprocessableEntity, "This message cannot be released, only "+
			"dismissed. %s", wordsFor(held.Reason))
	}
	if at := edits.LeftAt; at != nil && (at.After(tx.Now.Add(record.FutureTolerance)) ||
		at.Before(held.ReceivedAt.Add(-record.OldFor))) {
		return LedgerLine{}, leftCannotBe()
	}
	decision := record.Decision{Outcome: record.Ignored, Reason: wanted}
	job := newTransaction(s, nil)
	if isQuestion(held.Reason) {
		settled, err := s.applyHuman(tx, job, held, record.ClinicalEvent{Header: record.Header{Kind: record.KindHuman},
			About: record.About{Facts: edits.Facts}, InScope: release})
		if err != nil {
			return LedgerLine{}, err
		}
		decision = settled
	} else if release && (held.Reason == record.ReasonNoEnd || held.Reason == record.ReasonOnWard) {
		settled, err := s.endVisit(tx, job, held, edits)
		if err != nil {
			return LedgerLine{}, err
		}
		decision = settled
	} else if release {
		settled, err := s.readAgain(tx, job, held, edits)
		if err != nil {
			return LedgerLine{}, err
		}
		decision = settled
	}
	if quarantined { // of any other, nobody has been told that it waits
		decision.Emissions = append(decision.Emissions, emitReleased(held.ID))
	}
	job.emit(tx, decision.Emissions)
	if err := job.end(tx); err != nil {
		return LedgerLine{}, err
	}
	line := held.LedgerLine
	line.Outcome, line.Reason, line.Journey = string(decision.Outcome), decision.Reason, decision.Journey
	line.DecidedAt, line.DecidedBy, line.DueAt = &tx.Now, recordedBy(who), nil
	decideQuarantined(tx, held, line, wanted, decision.Visit)
	return line, nil
}

// endVisit puts to a visit without an end when the person left, and where to if that is known, as a human says.
func (s *Service) endVisit(tx *flow.Tx, job *transaction, held *quarantinedMessage,
	edits releaseEdits) (record.Decision, error) {
	if edits.LeftAt == nil {
		return record.Decision{}, unprocessable("Say in leftAt when the person left. If they have not, dismiss the " +
			"question: a stay on a ward is asked about again.")
	}
	left := record.ClinicalEvent{Header: record.Header{Kind: record.KindLeft, PublishedBy: "form"},
		About:      record.About{Facts: edits.Facts},
		Attendance: record.Attendance{Happened: record.Moment{At: edits.LeftAt.UTC()}}}
	if edits.Facts.Destination != nil {
		left.Destination = *edits.Facts.Destination
	}
	return s.applyHuman(tx, job, held, left)
}

// leftCannotBe refuses a time of leaving that cannot be true. A message that says one is flagged; a human is asked
// again.
func leftCannotBe() error {
	return unprocessable("The time in leftAt cannot be when the person left: it is in the future, before they were " +
		"born or had come, or over a year before the message. Compare it with the hospital's record.")
}

// applyHuman puts to a visit what a human says about it.
func (s *Service) applyHuman(tx *flow.Tx, job *transaction, held *quarantinedMessage,
	statement record.ClinicalEvent) (record.Decision, error) {
	statement.Message, statement.StatedAt = held.ID, tx.Now
	job.locks.known[held.personKey] = true
	job.locks.visits[record.VisitKey{Organisation: held.visitOrganisation, Number: held.visitNumber}] = true
	if err := job.load(tx); err != nil {
		return record.Decision{}, err
	}
	if statement.Kind == record.KindLeft && job.unit.LeftBefore(held.Visit, statement.Happened) {
		return record.Decision{}, leftCannotBe()
	}
	settled := job.unit.Apply(record.Incoming{
		ClinicalEvent: statement,
		VisitID:       held.Visit, New: record.NewIDs{Journey: clock.NewID(tx.Now)}, DecidedAt: tx.Now,
	})
	settled.Decision.Visit = held.Visit
	for _, message := range settled.Released {
		job.release(tx, message)
	}
	for _, other := range settled.Quarantined {
		job.hold(other)
	}
	if settled.Outcome == record.Quarantined {
		return record.Decision{}, httpx.NewProblem(http.StatusConflict, "The visit of this message is not known any "+
			"more.")
	}
	return settled.Decision, nil
}

// readAgain reads a message that could not be used, as it came, by the profile as it is now.
func (s *Service) readAgain(tx *flow.Tx, job *transaction, held *quarantinedMessage,
	edits releaseEdits) (record.Decision, error) {
	raw, err := s.openRaw(held)
	if err != nil {
		return record.Decision{}, err
	}
	reading := s.readKept(held, raw)
	if held.Reason == record.ReasonGPChanged && edits.Facts.AreaGP == nil {
		return record.Decision{}, unprocessable("Say in facts the areaGP: the code of the area in which the GP " +
			"practice is.")
	}
	if reading.ClinicalEvent != nil {
		edits.apply(reading.ClinicalEvent)
		if reading.ClinicalEvent.Kind == record.KindSignal {
			reading.ClinicalEvent.StatedAt = tx.Now // what a human adds is said now
		}
		if reading.Outcome == record.Quarantined {
			reading.Outcome, reading.Reason = "", ""
			reading.Judge()
		}
	}
	if reading.Outcome != "" || reading.ClinicalEvent == nil {
		return record.Decision{}, httpx.NewProblem(http.StatusUnprocessableEntity,
			"The message still cannot be used. %s",
			cmp.Or(wordsFor(reading.Reason), "Correct the sender's profile and release it again, or dismiss it."))
	}
	a := &inboundMessage{Reading: reading, id: held.ID, endpoint: held.Endpoint, received: tx.Now}
	if err := s.identify(a); err != nil {
		return record.Decision{}, err
	}
	if said := a.ClinicalEvent; edits.LeftAt != nil && (len(said.Doubts[record.AboutLeft].Flags) > 0 ||
		said.Happened.Before(said.Arrived)) {
		return record.Decision{}, leftCannotBe()
	}
	a.lock(job.locks)
	s.lockFacilities(tx, []*inboundMessage{a}, job.unit)
	if err := job.load(tx); err != nil {
		return record.Decision{}, err
	}
	job.apply(tx, a)
	return record.Decision{Outcome: a.result.Outcome, Reason: a.result.Reason, Journey: a.result.Journey,
		Visit: a.visit}, nil
}

// readKept reads a message again that was quarantined, as it came, the way its door reads. Who sent it was checked when
// it came. A row of a list is kept without the row that names its columns, and cannot be read by itself.
func (s *Service) readKept(held *quarantinedMessage, raw []byte) reading.Reading {
	parsed := reading.Reading{Organisation: held.Organisation, Sender: held.Sender, Type: held.Type}
	unusable := reading.Reading{Outcome: record.Rejected, Reason: ReasonSchema}
	switch {
	case held.Endpoint == record.EndpointFHIR:
		return s.readKeptFHIR(held, raw)
	case held.Endpoint == record.EndpointEvents:
		e, err := eventOf(raw)
		if err != nil {
			return unusable
		}
		parsed, _ = s.readReported(principal.Principal{Organisation: held.Organisation}, e)
	case held.Endpoint == record.EndpointSignals:
		_, _ = s.readSignal(&parsed, raw)
	case held.Endpoint == record.EndpointForm && held.Sender != listSender:
		// Whether it was a professional who asked is not kept with it, so it counts as unverified: a human looks.
		data, refusal := readForm(principal.Principal{Organisation: held.Organisation, Role: string(schemas.Person)},
			raw, held.ControlID)
		if refusal != nil {
			return unusable
		}
		statement := s.submittedBy(held.Sender, held.ReceivedAt, data)
		statement.PublishedBy = "form"
		parsed.ClinicalEvent = &statement
	case held.Endpoint == record.EndpointForm:
		return unusable
	default:
		_, parsed = s.readFrame(raw)
	}
	return parsed
}

// eventOf reads an event again from how it is kept (contentOf).
func eventOf(content []byte) (*event.Event, error) {
	var kept struct {
		ID, Source, Type, Subject, Data string
		Time                            time.Time
	}
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, fmt.Errorf("reading a kept event: %w", err)
	}
	e := event.New()
	e.SetID(kept.ID)
	e.SetSource(kept.Source)
	e.SetType(kept.Type)
	e.SetSubject(kept.Subject)
	e.SetTime(kept.Time)
	return &e, e.SetData(event.ApplicationJSON, []byte(kept.Data))
}
