package intake

import (
	"cmp"
	"net/http"
	"strings"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// maxSignal is the longest signal, in bytes: it carries no data.
const maxSignal = 64 << 10

// signalAnswer is what became of a signal. It says nothing of whether the person is known here to anybody but the
// ledger's readers: the outcome is left out.
type signalAnswer struct {
	ID      string `json:"id"`
	Message string `json:"message"` // the ledger's id
}

// signalRoutes are the routes of signals, and of what they do by hand.
func (s *Service) signalRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"POST /api/signals": s.postSignal,
		"POST /api/people/{ref}/contact-stopped": func(w http.ResponseWriter, r *http.Request) error {
			return s.postContactOver(w, r, true)
		},
		"POST /api/people/{ref}/contact-resumed": func(w http.ResponseWriter, r *http.Request) error {
			return s.postContactOver(w, r, false)
		},
	}
}

// postSignal takes one signal in either of its forms: 202 once it can no longer be lost.
func (s *Service) postSignal(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	ctx, span := s.tracer.Start(r.Context(), "take a feed's signal")
	defer span.End()
	parsed := reading.Reading{Organisation: who.Organisation, Sender: cmp.Or(who.Source, who.Subject), Type: "signal"}
	body, err := httpx.ReadBody(w, r, maxSignal, "application/json", "application/*+json")
	var problem *httpx.Problem
	var signal reading.Signal
	if err != nil {
		p, ok := err.(*httpx.Problem)
		if !ok {
			return err
		}
		problem, parsed.Reason = p, ReasonMediaType
		if p.Status == http.StatusRequestEntityTooLarge {
			parsed.Reason = reading.ReasonTooLarge
		}
	} else {
		signal, problem = s.readSignal(&parsed, body)
	}
	status := 0
	if problem != nil {
		parsed.Outcome, parsed.ControlID, parsed.ClinicalEvent, status = record.Rejected, "", nil, problem.Status
	}
	a, err := s.prepare(ctx, parsed, record.EndpointSignals, body)
	if err != nil {
		return err
	}
	a.status = status
	result, err := s.keepWithPatience(ctx, a)
	describe(span, result)
	switch {
	case err != nil:
		return err
	case problem != nil:
		return problem.With("message", result.Message)
	case result.Reason == record.ReasonReused:
		return httpx.NewProblem(http.StatusConflict,
			"A signal with this source and id came before, with other content.").With("message", result.Message)
	}
	return httpx.WriteJSON(w, http.StatusAccepted, signalAnswer{ID: signal.ID, Message: result.Message})
}

// readSignal reads a signal in memory. What is of no concern here is in the ledger, ignored.
func (s *Service) readSignal(parsed *reading.Reading, body []byte) (reading.Signal, *httpx.Problem) {
	signal, fault := reading.ReadSignal(body)
	if signal.Kind != record.SignalOther {
		parsed.Type = signal.Type // another may say anything
	}
	if fault != nil {
		parsed.Reason = ReasonSchema
		status := http.StatusUnprocessableEntity
		if fault.Unread {
			parsed.Reason, status = ReasonNotSignal, http.StatusBadRequest
		}
		return signal, httpx.NewProblem(status, "%s", fault.Words)
	}
	if httpx.HasDamagedText(body) {
		parsed.Reason = ReasonSchema
		return signal, httpx.DamagedText()
	}
	parsed.ControlID = signal.Source + " " + signal.ID
	if signal.Kind == record.SignalOther {
		parsed.Outcome, parsed.Reason = record.Ignored, record.ReasonSignalOther
		return signal, nil
	}
	statement := signal.ClinicalEvent(parsed.Organisation,
		reading.StatedAt(s.clock.Now(), record.Moment{At: signal.At}))
	parsed.ClinicalEvent = &statement
	return signal, nil
}

// ReasonNotSignal: what came is in neither form of a signal.
const ReasonNotSignal = "not-a-signal"

// stopRequest is why somebody stops contact, or lifts that. It is kept sealed.
type stopRequest struct {
	Reason string `json:"reason"`
}

// stopAnswer says on how many journeys it was told.
type stopAnswer struct {
	Person   string `json:"person"`
	Journeys int    `json:"journeys"`
}

// postContactOver stops all contact with a person, or lifts the stop, by a named human with a reason.
func (s *Service) postContactOver(w http.ResponseWriter, r *http.Request, stop bool) error {
	ref, err := pathRef(r, "ref", noSuchPerson)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[stopRequest](w, r, maxForm)
	if err != nil {
		return err
	}
	if reason := strings.TrimSpace(request.Reason); reason == "" || len(reason) > 2000 {
		return unprocessable("Say why in reason, in 2,000 characters at most.")
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		return s.contactOver(tx, who, ref, request, stop)
	})
}

func (s *Service) contactOver(tx *flow.Tx, who principal.Principal, ref string, request stopRequest, stop bool) (int,
	any, error) {
	key, id, err := keyOfPerson(tx, who, ref)
	if err != nil {
		return 0, nil, err
	}
	if key == "" {
		return 0, nil, noSuchPerson()
	}
	job := newTransaction(s, nil)
	job.locks.known[key] = true
	if err := job.load(tx); err != nil {
		return 0, nil, err
	}
	person := job.unit.Owners[id]
	if person == nil {
		return 0, nil, errMergedMeanwhile
	}
	kind, say := "contact-resumed", []record.Emission(nil)
	if stop {
		kind, say = "contact-stopped", job.unit.StopByHand(person)
	} else {
		say = job.unit.ResumeByHand(person,
			record.Incoming{DecidedAt: tx.Now, New: record.NewIDs{Journey: clock.NewID(tx.Now)}})
	}
	job.emit(tx, say)
	if err := job.end(tx); err != nil {
		return 0, nil, err
	}
	if err := s.noteStop(tx, person, kind, request, who); err != nil {
		return 0, nil, err
	}
	told := map[string]bool{}
	for _, one := range say {
		if one.Type == schemas.ContactStopped || one.Type == schemas.ContactResumed {
			told[one.Journey] = true
		}
	}
	return http.StatusOK, stopAnswer{Person: id, Journeys: len(told)}, nil
}

func (s *Service) noteStop(tx *flow.Tx, person *record.Person, kind string, request stopRequest,
	who principal.Principal) error {
	if len(person.Wrapped) == 0 {
		return nil // erased: nothing more is kept of them
	}
	key, err := s.vault.Unwrap(person.ID, person.Wrapped)
	if err != nil {
		return err
	}
	return storeNote(tx, key, person.ID, "", kind, request, recordedBy(who), tx.Now)
}
