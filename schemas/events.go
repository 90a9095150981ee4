package schemas

import "time"

// Data of the events. Events are thin: ids, states, times and facts from the closed list. The journey is the
// CloudEvents subject and is not repeated. Times are RFC 3339 with offset; calendar days are local dates
// (YYYY-MM-DD, Europe/London).

// Purposes a consent is given for, one by one.
const (
	PurposeFollowUp = "follow-up" // a partner's peer session
	PurposeBridging = "bridging"  // short calls while waiting
)

// Owner kinds of a next step. An owner is written kind:id, for instance "team:liaison" or "partner:7f…".
const (
	OwnerTeam      = "team"
	OwnerNavigator = "navigator"
	OwnerPartner   = "partner"
	OwnerService   = "service"
)

// ReportedPerson identifies someone to intake. It comes in over a door, is encrypted in the vault, and never
// leaves it by an event.
type ReportedPerson struct {
	NHSNumber         string `json:"nhsNumber,omitempty"`
	NHSNumberVerified bool   `json:"nhsNumberVerified,omitempty"`
	LocalID           string `json:"localId,omitempty"`
	FamilyName        string `json:"familyName,omitempty"`
	GivenName         string `json:"givenName,omitempty"`
	BirthDate         string `json:"birthDate,omitempty"` // YYYY-MM-DD
	Phone             string `json:"phone,omitempty"`
	Email             string `json:"email,omitempty"`
	Address           string `json:"address,omitempty"`
	Postcode          string `json:"postcode,omitempty"`
}

// ReportedConsent is a yes or no the person gave before leaving.
type ReportedConsent struct {
	Purpose string `json:"purpose"` // follow-up, bridging
	Given   bool   `json:"given"`
	// How it was said: spoken, written, interpreter. By whom it was recorded: a role, never a name.
	How        string `json:"how,omitempty"`
	RecordedBy string `json:"recordedBy,omitempty"`
}

// DischargeReportedData is what an outside system says when somebody leaves A&E. It is the data of
// DischargeReported, which is accepted over POST /events and never published.
type DischargeReportedData struct {
	Organisation string            `json:"organisation"` // ODS code of the hospital
	Visit        string            `json:"visit"`        // the sender's visit number (PV1-19)
	Person       ReportedPerson    `json:"person"`
	ArrivedAt    *time.Time        `json:"arrivedAt,omitempty"`
	LeftAt       *time.Time        `json:"leftAt,omitempty"`
	InScope      bool              `json:"inScope"` // the sender says this visit followed self-harm
	Codes        []Code            `json:"codes,omitempty"`
	Facts        Facts             `json:"facts,omitzero"`
	Consents     []ReportedConsent `json:"consents,omitempty"`
}

// Code is a coded statement in a message: system "snomed", "icd10", "ecds" or a sender's own.
type Code struct {
	System string `json:"system"`
	Code   string `json:"code"`
	Role   string `json:"role,omitempty"` // reason, diagnosis, intent
}

// DischargeRecordedData: a visit in scope has ended, and a journey has begun or been joined.
type DischargeRecordedData struct {
	Person       string     `json:"person"` // random id
	Organisation string     `json:"organisation"`
	Visit        string     `json:"visit"`    // opaque visit id
	LeftAt       *time.Time `json:"leftAt"`   // nil when only the visit's day is known
	LeftOn       string     `json:"leftOn"`   // the local day the window counts from
	RaisedBy     string     `json:"raisedBy"` // hl7, event, form
	Facts        Facts      `json:"facts"`
	Flags        []string   `json:"flags,omitempty"` // why a human is shown it, see Flag*
}

// Flags of a recorded discharge: reasons to show it to a human. They say something about the message.
const (
	FlagUnder18         = "under-18"
	FlagAgeUnknown      = "age-unknown"
	FlagLate            = "late" // fewer than 5 days of the window were left
	FlagFutureDischarge = "discharge-in-future"
	FlagMerged          = "merged"
	FlagNumberInvalid   = "nhs-number-invalid"
	FlagLeftBefore      = "left-before-assessment"
)

// DischargeCorrectedData: a later message changed a recorded discharge. Only what changed is set.
type DischargeCorrectedData struct {
	Visit  string     `json:"visit"`
	LeftAt *time.Time `json:"leftAt,omitempty"`
	LeftOn string     `json:"leftOn,omitempty"`
	Facts  *Facts     `json:"facts,omitempty"`
	Flags  []string   `json:"flags,omitempty"`
}

// DischargeWithdrawnData: the hospital cancelled the visit or its discharge. Contact pauses, a human decides.
type DischargeWithdrawnData struct {
	Visit  string `json:"visit"`
	Reason string `json:"reason"` // discharge-cancelled, visit-cancelled, recoded, merged
}

// MessageQuarantinedData: a message was kept that could not be used. The event's subject is the message's id.
type MessageQuarantinedData struct {
	Message      string    `json:"message"`
	Organisation string    `json:"organisation"`
	Reason       string    `json:"reason"` // a code, see intake's rules
	DueAt        time.Time `json:"dueAt"`
}

// MessageReleasedData: a human released or dismissed a quarantined message.
type MessageReleasedData struct {
	Message   string `json:"message"`
	Dismissed bool   `json:"dismissed,omitempty"`
}

// ConsentData is the data of ConsentGiven and ConsentDeclined: one event for all purposes said at once.
type ConsentData struct {
	Person   string   `json:"person"`
	Purposes []string `json:"purposes"`
	How      string   `json:"how,omitempty"`
}

// ContactStoppedData: no contact with the person until a named human lifts it.
type ContactStoppedData struct {
	Person string `json:"person"`
	Reason string `json:"reason"` // death-reported, by-hand
}

// Finding is a criterion's result for one set of facts.
type Finding string

// The four findings. Unknown is not no.
const (
	Met          Finding = "met"
	NotMet       Finding = "not-met"
	Unknown      Finding = "unknown"
	NotEvaluable Finding = "not-evaluable"
)

// Door is what a service's criteria say for one set of facts.
type Door string

// The states of a door.
const (
	DoorOpen      Door = "open"
	DoorNotOpen   Door = "not-open"
	DoorOpenIf    Door = "open-if"            // a fact is unknown: a question, never a no
	DoorTalkAbout Door = "to-be-talked-about" // a criterion that only a conversation can answer
)

// ServiceDoor is one service's answer in a decision, with the criteria that made it.
type ServiceDoor struct {
	Service string            `json:"service"`
	Name    string            `json:"name"`   // the service's published name
	Sector  string            `json:"sector"` // statutory, third-sector
	Kind    string            `json:"kind"`
	Door    Door              `json:"door"`
	Because []CriterionResult `json:"because,omitempty"` // what made it other than open
	Missing []string          `json:"missing,omitempty"` // facts that would have to be known
	Waiting bool              `json:"waiting,omitempty"` // the person is on this service's list
}

// CriterionResult names a criterion, its own words, source and date, and what it gave.
type CriterionResult struct {
	Criterion string  `json:"criterion"`
	Finding   Finding `json:"finding"`
	Words     string  `json:"words"`
	Source    string  `json:"source"`
	CheckedOn string  `json:"checkedOn"` // local date
}

// PathwayDecidedData: every service's criteria were looked at together.
type PathwayDecidedData struct {
	Person    string        `json:"person"`
	Directory string        `json:"directory"` // version (hash) of the criteria used
	Decision  string        `json:"decision"`  // id of the stored decision, with its full matrix
	Doors     []ServiceDoor `json:"doors"`
	Waits     []string      `json:"waits,omitempty"` // services whose list the person is on
	LeftOn    string        `json:"leftOn"`
}

// GapFoundData: nothing statutory is open, see the domain's word "gap".
type GapFoundData struct {
	Person   string            `json:"person"`
	Decision string            `json:"decision"`
	Probable bool              `json:"probable,omitempty"`
	Sides    []CriterionResult `json:"sides,omitempty"`
	Nobody   bool              `json:"nobody,omitempty"` // no service at all is open; the last resort holds
}

// InformationNeededData: unknown facts that could change the outcome, in the order of how much they open.
type InformationNeededData struct {
	Person string   `json:"person"`
	Facts  []string `json:"facts"`
}

// OfferRaisedData: a follow-up offer has been prepared for one partner; nothing has left the NHS boundary.
type OfferRaisedData struct {
	Offer   string `json:"offer"`
	Person  string `json:"person"`
	Partner string `json:"partner"` // opaque partner id
	// The window, as local dates, both inclusive: FirstDay is day 7, LastDay is day 14, the promise.
	FirstDay string    `json:"firstDay"`
	LastDay  string    `json:"lastDay"`
	Late     bool      `json:"late,omitempty"`
	AnswerBy time.Time `json:"answerBy"`
	Consent  string    `json:"consent"` // not-asked, given
}

// OfferWithdrawnData: the offer no longer stands.
type OfferWithdrawnData struct {
	Offer  string `json:"offer"`
	Reason string `json:"reason"` // discharge-withdrawn, contact-stopped, person, human
}

// OfferExhaustedData: no partner is left to ask; the navigator holds the journey.
type OfferExhaustedData struct {
	Person  string `json:"person"`
	Reason  string `json:"reason"`
	LastDay string `json:"lastDay"`
}

// BridgingProposedData and BridgingStartedData describe a plan of short calls.
type BridgingProposedData struct {
	Plan      string   `json:"plan"`
	Person    string   `json:"person"`
	WaitingOn []string `json:"waitingOn"`
	EveryDays int      `json:"everyDays"`
	Minutes   int      `json:"minutes"`
}

// BridgingStartedData: the person said yes to a plan.
type BridgingStartedData = BridgingProposedData

// BridgingPausedData: no call is made until the plan is resumed.
type BridgingPausedData struct {
	Plan   string `json:"plan"`
	Reason string `json:"reason"`
}

// CallScheduledData: a bridging call has a time.
type CallScheduledData struct {
	Call   string    `json:"call"`
	Plan   string    `json:"plan"`
	Person string    `json:"person"`
	DueAt  time.Time `json:"dueAt"`
	On     string    `json:"on"` // local date
}

// NextStep is what happens next on a journey: a kind, an owner and a due time, always.
type NextStep struct {
	Step  string    `json:"step"`
	Kind  string    `json:"kind"`
	Owner string    `json:"owner"`
	DueAt time.Time `json:"dueAt"`
}

// JourneyOpenedData: a journey exists and has a next step.
type JourneyOpenedData struct {
	Person       string   `json:"person"`
	Organisation string   `json:"organisation"`
	Next         NextStep `json:"next"`
}

// JourneyInVoidData: the guarantee would have been broken; a navigator step has been opened.
type JourneyInVoidData struct {
	Reason string    `json:"reason"` // no-step, overdue, dead-letter, not-opened
	Since  time.Time `json:"since"`
	Next   NextStep  `json:"next"`
}
