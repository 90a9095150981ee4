package schemas

import (
	"strings"
	"time"
)

// What a partner is told: events of its own log, one PartnerOfferData each, of the types that the registry marks. They
// are thin. An offer's id is the partner's own, since an offer is made to one partner; who the person is, the journey
// and what other partners do are not in them, and what an offer asks for is read at GET /api/offers/{id}, with
// permission. Feed, server-sent events, webhooks and mail give the same events, with the same ids and positions.

// PartnerSource is the CloudEvents source of what partners are told.
const PartnerSource = "/footbridge/delivery"

// PartnerSchema names the schema of PartnerOfferData in an event, PartnerSchemaType where it is published: at
// /schemas/care.footbridge.partner.offer.v1.json.
const (
	PartnerSchema          = "urn:footbridge:schema:care.footbridge.partner.offer.v1"
	PartnerSchemaType Type = "care.footbridge.partner.offer.v1"
)

// OfferWithheld stands in the log of a partner in the place of an event that had not been sent when what it told was
// taken back. It goes to partners alone and never on the bus.
const OfferWithheld Type = "care.footbridge.offer.withheld.v1"

// PartnerTest is what a partner sends itself to try its endpoint. It is about nobody.
const PartnerTest Type = "care.footbridge.partner.tested.v1"

// PartnerOfferData is what a partner is told about one offer of its own.
type PartnerOfferData struct {
	// Id of the offer. It is the partner's own: no other partner is told it.
	Offer string `json:"offer" is:"uuid"`
	// How the offer stands with this event.
	State string `json:"state" is:"partner-offer-state"`
	// First local day of the window, inclusive.
	FirstDay string `json:"firstDay,omitempty" is:"date"`
	// Last local day of the window, inclusive: the promise.
	LastDay string `json:"lastDay,omitempty" is:"date"`
	// By when the partner is asked to answer.
	AnswerBy *time.Time `json:"answerBy,omitempty"`
	// By when the partner is asked to agree on a time with the person.
	BookBy *time.Time `json:"bookBy,omitempty"`
	// By when the partner is asked to say how a session went.
	OutcomeBy *time.Time `json:"outcomeBy,omitempty"`
	// What the partner is reminded of.
	About string `json:"about,omitempty" is:"nudge"`
	// Id of the question that has been answered.
	Question string `json:"question,omitempty" is:"uuid"`
	// Id of the appointment.
	Appointment string `json:"appointment,omitempty" is:"uuid"`
	// When it begins.
	StartsAt *time.Time `json:"startsAt,omitempty"`
	// How they meet.
	Channel string `json:"channel,omitempty" is:"channel"`
	// Its length in minutes.
	Minutes int `json:"minutes,omitempty" is:"minutes"`
}

// How an offer stands with a partner, as it is told.
const (
	StateWaits     = "waits-for-you" // the partner is asked for its answer
	StatePaused    = "paused"        // nobody is to be contacted until the offer stands again
	StateAccepted  = "accepted"
	StateConfirmed = "confirmed" // the person has said yes by name: a time is to be agreed on
	StateBooked    = "booked"
	StateKept      = "kept"
	StateNotKept   = "not-kept"
	StateCancelled = "cancelled" // the session does not take place at its time
	StateCompleted = "completed"
	StateOver      = "over" // nothing is asked of the partner any more
)

// DoneByPartner says whether a partner of whom this is said did it itself, or said it on the telephone: it knows.
func (t Type) DoneByPartner() bool {
	switch t {
	case OfferAccepted, OfferAcceptedLate, OfferDeclined, OfferHandedBack, OfferDeletionConfirmed, AppointmentBooked,
		AppointmentKept, AppointmentNotKept, FollowupCompleted:
		return true
	}
	return false
}

// PartnerTypes are the types that a partner may be told of, in the order of the registry.
func PartnerTypes() (types []Type) {
	for _, e := range registry {
		if e.Partners {
			types = append(types, e.Type)
		}
	}
	return types
}

// keptWords and keptReasons put into words what a partner kept of what it knew, and why.
var (
	keptWords = map[string]string{"name-and-contact": "your name and how to reach you", "notes": "its notes",
		"dates-of-contact": "the days on which you were in touch", "payments": "what it paid or was paid"}
	keptReasons = map[string]string{"law": "the law asks it to", "safeguarding": "somebody’s safety may depend on it",
		"complaint": "a complaint is being looked at", "accounts": "it has to keep its accounts"}
)

// DeletionSentence says to the person what became of what a partner knew: deleted, or kept, what and why.
func DeletionSentence(kept []string, because string) string {
	if because == "" {
		return "The organisation has deleted what it knew of you."
	}
	words := []string{}
	for _, what := range kept {
		words = append(words, keptWords[what])
	}
	if len(words) == 0 {
		words = []string{"some of what it knew of you"}
	}
	return "The organisation has kept " + strings.Join(words, ", and ") + ", because " + keptReasons[because] +
		". It has deleted the rest."
}
