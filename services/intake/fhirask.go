package intake

import (
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/fhir"
	"footbridge/libs/principal"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// getMetadata says what this FHIR door does, and what it does not claim.
func (s *Service) getMetadata(w http.ResponseWriter, r *http.Request) error {
	if refusal := checkAccept(r); refusal != nil {
		return refusal
	}
	return writeFHIR(w, http.StatusOK, capabilities())
}

// capabilitiesDate is when the statement below last changed.
const capabilitiesDate = "2026-11-20"

func capabilities() *fhir.CapabilityStatement {
	read, search := fhir.CapabilityDoing{Code: "read"}, fhir.CapabilityDoing{Code: "search-type"}
	return &fhir.CapabilityStatement{
		ID: "footbridge", URL: "urn:footbridge:capability-statement", Name: "Footbridge",
		Title:  "Footbridge: referrals for aftercare",
		Status: "active", Date: capabilitiesDate, Kind: "instance", FHIRVersion: fhir.Version,
		Format: []string{"json", fhir.MediaType},
		Description: "Takes referrals in the envelope of the Booking and Referral Standard (core patterns), with a " +
			"use-case category of its own, " +
			reading.OurCategories + "|" + reading.OurCategory + ": no national use case covers this. It is not " +
			"assured by NHS England and claims no conformance to a national use case.",
		Software:       &fhir.Software{Name: "Footbridge"},
		Implementation: &fhir.Implementation{Description: "Aftercare referrals: requests in, and what became of them."},
		Rest: []fhir.CapabilityRest{{
			Mode: "server",
			Documentation: "JSON only. X-Request-Id and X-Correlation-Id are required on $process-message and " +
				"mirrored; a repetition is answered with 409 duplicate. " +
				"Errors are OperationOutcomes with the national codes. Answers take less than 5 seconds.",
			Resource: []fhir.CapabilityResource{
				{Type: "MessageDefinition", Interaction: []fhir.CapabilityDoing{search},
					Documentation: "Which messages are taken: " + ourDefinition + "."},
				{Type: "ServiceRequest", Interaction: []fhir.CapabilityDoing{read},
					Documentation: "A request the asking system sent itself, without whom it is about."},
				{Type: "Task", Interaction: []fhir.CapabilityDoing{search},
					Documentation: "What became of such a request.",
					SearchParam: []fhir.CapabilitySearch{{Name: "focus", Type: "reference",
						Documentation: "Required: ServiceRequest/{id}"}}},
			},
			Operation: []fhir.CapabilityOp{{Name: "process-message",
				Definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
				Documentation: "servicerequest-request with reason new or update. An update with status revoked or " +
					"entered-in-error cancels. Category referral, or the one of our own."}},
		}},
		Messaging: []fhir.CapabilityEvent{{Documentation: "servicerequest-request is received. Answers about a " +
			"request are given by its Task; no servicerequest-response is sent on its own."}},
	}
}

// getMessageDefinition says which messages are taken, as a searchset: one event, for referrals.
func (s *Service) getMessageDefinition(w http.ResponseWriter, r *http.Request) error {
	if refusal := checkAccept(r); refusal != nil {
		return refusal
	}
	definition := &fhir.MessageDefinition{ID: reading.FhirRequestEvent, URL: ourDefinition,
		Name:  "FootbridgeServiceRequestRequest",
		Title: "A request for aftercare: new, updated or taken back", Status: "active", Date: capabilitiesDate,
		Category: "consequence",
		Description: "Reason new or update, category referral. An update with status revoked or entered-in-error " +
			"takes the request back. " +
			"Its answer comes in the same exchange; what becomes of the request is told by its Task.",
		EventCoding: fhir.Coding{System: reading.FhirEvents, Code: reading.FhirRequestEvent},
		Focus:       []fhir.MessageFocus{{Code: "ServiceRequest", Min: 1, Max: "1"}}, Response: "always"}
	total := 1
	return writeFHIR(w, http.StatusOK,
		&fhir.Bundle{ID: clock.NewRandomID(), Meta: &fhir.Meta{LastUpdated: fhir.FormatInstant(s.clock.Now())},
			Type: "searchset", Total: &total,
			Entry: []fhir.Entry{{FullURL: ourDefinition, Resource: definition, Search: &fhir.Search{Mode: "match"}}}})
}

// ourDefinition names the one kind of message that is taken.
const ourDefinition = "urn:footbridge:message-definition:servicerequest-request"

// Asked is a request of another system with what became of it.
type Asked struct {
	ID         string
	Status     string // as last asked: active, revoked, entered-in-error
	AuthoredAt time.Time
	ChangedAt  time.Time
	Outcome    record.Outcome // of the message that asked, as it stands
	Reason     string
	Decided    string // released or dismissed, by a human
	Published  bool   // a journey has begun or was joined
	Withdrawn  bool
	Stopped    bool   // contact has stopped
	Journey    string // open, held or closed; empty where it is not known
	MayTell    bool   // the person's yes to tell-referrer is in force
}

// TaskState is what became of a request, in R4's codes: only what the asking system may know. Nothing is derived
// from what a service or the person said. Whether it goes on, waits or has come to its end is the person's to tell:
// without their yes to tell-referrer a request that was taken on reads the same in each of these.
func TaskState(a Asked) (status, words string) {
	switch {
	case a.Status == "entered-in-error":
		return "entered-in-error", "The sender said that the request was made in error."
	case a.Status == "revoked":
		return "cancelled", "The sender took the request back. A member of staff looks at what has begun already."
	case a.Decided == record.ReasonHumanOut:
		return "rejected", "A member of staff looked at the request and found that it is not for this service."
	case a.Outcome == record.Quarantined:
		return "requested", "The request is kept, and a member of staff will look at it."
	case a.Withdrawn:
		return "on-hold", "The hospital changed something about the visit. A member of staff is looking at it."
	case a.Published && !a.MayTell:
		return "accepted", "The request was taken on. More is told where the person has said yes to that."
	case a.Published && a.Journey == "closed":
		return "completed", "What was asked for has come to its end."
	case a.Published && (a.Journey == "held" || a.Stopped):
		return "on-hold", "The request stands, and waits."
	case a.Published:
		return "accepted", "The request was taken on, and somebody is answerable for the next step."
	}
	return "requested", "The request is kept. It waits for something more about the visit."
}

// getServiceRequest gives a request back to the system that made it, without whom it is about.
func (s *Service) getServiceRequest(w http.ResponseWriter, r *http.Request) error {
	asked, err := s.findAsked(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeFHIR(w, http.StatusOK, requestOf(asked))
}

// searchTask answers Task?focus=ServiceRequest/{id} with a searchset of one Task, or of none.
func (s *Service) searchTask(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	focus := query.Get("focus")
	id := strings.TrimPrefix(focus, "ServiceRequest/")
	if id == focus || id == "" || len(query["focus"]) != 1 || len(query) != 1 {
		return refuseFHIR(http.StatusBadRequest, recBadRequest, "invalid", "",
			"Ask for Task?focus=ServiceRequest/{id}, and nothing else.")
	}
	total := 0
	bundle := &fhir.Bundle{ID: clock.NewRandomID(), Meta: &fhir.Meta{LastUpdated: fhir.FormatInstant(s.clock.Now())},
		Type: "searchset", Total: &total}
	asked, err := s.findAsked(r, id)
	if refusal := (*fhirRefusal)(nil); err != nil {
		if refusal = fhirRefusalOf(err); refusal.status != http.StatusNotFound {
			return err
		}
		return writeFHIR(w, http.StatusOK, bundle)
	}
	total = 1
	bundle.Entry = []fhir.Entry{{FullURL: "urn:uuid:" + asked.ID, Resource: taskOf(asked),
		Search: &fhir.Search{Mode: "match"}}}
	return writeFHIR(w, http.StatusOK, bundle)
}

// findAsked finds a request of the asking organisation. Another's is as one that is not there.
func (s *Service) findAsked(r *http.Request, id string) (Asked, error) {
	if refusal := checkAccept(r); refusal != nil {
		return Asked{}, refusal
	}
	who, err := principal.Need(r.Context())
	if err != nil {
		return Asked{}, err
	}
	uuid, err := s.requestUUID(who.Organisation, id)
	if err != nil {
		return Asked{}, err
	}
	asked, found, err := s.whatBecame(r.Context(), who, uuid)
	if err != nil {
		return Asked{}, err
	}
	if !found {
		return Asked{}, refuseFHIR(http.StatusNotFound, recNotFound, "not-found", "",
			"No request of your organisation is known here under this id.")
	}
	return asked, nil
}

// masked stands where R4 demands a subject: who it is, the asking system knows, and nobody else needs to.
var masked = fhir.Reference{Rest: fhir.Rest{
	"extension": []byte(`[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]`)}}

func requestOf(a Asked) *fhir.ServiceRequest {
	status := a.Status
	if state, _ := TaskState(a); state == "completed" {
		status = "completed"
	}
	return &fhir.ServiceRequest{ID: a.ID, Meta: &fhir.Meta{LastUpdated: fhir.FormatInstant(a.ChangedAt)},
		Status: status, Intent: "plan",
		Category: []fhir.CodeableConcept{
			{Coding: []fhir.Coding{{System: reading.OurCategories, Code: reading.OurCategory}}}}, Subject: masked,
		AuthoredOn: fhir.FormatInstant(a.AuthoredAt)}
}

func taskOf(a Asked) *fhir.Task {
	status, words := TaskState(a)
	return &fhir.Task{ID: a.ID, Meta: &fhir.Meta{LastUpdated: fhir.FormatInstant(a.ChangedAt)}, Status: status,
		Intent:         "order",
		BusinessStatus: &fhir.CodeableConcept{Text: words}, Focus: &fhir.Reference{Reference: "ServiceRequest/" + a.ID},
		AuthoredOn: fhir.FormatInstant(a.AuthoredAt), LastModified: fhir.FormatInstant(a.ChangedAt)}
}
