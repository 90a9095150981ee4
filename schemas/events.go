package schemas

import (
	"slices"
	"time"
)

// Data of the events. Events are thin: ids, states, times and facts from the closed list, and of these what a reader of
// the bus reads, or what it is promised to find there (tests/arch). The rest stays with the service that knows it, and
// is fetched with permission where it is shown. No event takes 8 KB, whatever its lists hold. The journey is the
// CloudEvents subject and is not repeated. Times are RFC 3339 with offset; calendar days are local dates (YYYY-MM-DD,
// Europe/London).
//
// The published JSON Schemas are made from these structs (go generate): a field's comment is its description, a
// field without omitempty or omitzero is required, the tag "is" names what a value may be (kinds.go), and "items"
// how many a list may hold. Within a major version fields are only added, and only optional ones.

// Purposes a consent is given for, one by one.
const (
	PurposeFollowUp = "follow-up" // a partner's peer session
	PurposeBridging = "bridging"  // short calls while waiting
	// PurposeTellReferrer is that whoever referred them is told that a session was kept and that what comes next has
	// been settled. Without it they are told no more than that somebody was asked, is in touch, or is not any more.
	PurposeTellReferrer = "tell-referrer"
)

// Who may answer for somebody under 18: the young person, by Gillick competence, or a holder of parental
// responsibility.
const (
	AnswersPerson = "person"
	AnswersParent = "parental-responsibility"
)

// How an offer reached its partner: a channel's server took it; or the partner's own system, or somebody there, said
// that it is with them.
const (
	DeliveryHandedOver   = "handed-over"
	DeliveryAcknowledged = "acknowledged"
)

// What a partner had answered that takes its answer back.
const (
	AnsweredYes = "yes"
	AnsweredNo  = "no"
)

// What a partner is reminded of: to answer an offer, to agree on a time with the person, to say how a session went.
const (
	NudgeAnswer  = "answer"
	NudgeBook    = "book"
	NudgeOutcome = "outcome"
	// NudgeDeletion asks the partner's contact about data, of an offer that is over.
	NudgeDeletion = "deletion"
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
	// NHS number. One that fails its check digit is taken in and shown to a human.
	NHSNumber string `json:"nhsNumber,omitempty" is:"line-40"`
	// Whether the sender has traced and verified the NHS number.
	NHSNumberVerified bool `json:"nhsNumberVerified,omitempty"`
	// The sender's own number for the person (hospital number).
	LocalID string `json:"localId,omitempty" is:"line-100"`
	// Family name.
	FamilyName string `json:"familyName,omitempty" is:"line-200"`
	// Given names.
	GivenName string `json:"givenName,omitempty" is:"line-200"`
	// Date of birth.
	BirthDate string `json:"birthDate,omitempty" is:"date"`
	// Telephone number. It counts as unconfirmed until the person has said it is safe to use.
	Phone string `json:"phone,omitempty" is:"line-100"`
	// E-mail address. It counts as unconfirmed until the person has said it is safe to use.
	Email string `json:"email,omitempty" is:"line-254"`
	// Postal address, lines parted by line breaks.
	Address string `json:"address,omitempty" is:"lines-500"`
	// Postcode.
	Postcode string `json:"postcode,omitempty" is:"line-40"`
}

// ReportedConsent holds a yes or no that the person said.
type ReportedConsent struct {
	// What the yes or no was said to.
	Purpose string `json:"purpose" is:"purpose"`
	// True for a yes, false for a no.
	Given bool `json:"given"`
	// How it was said.
	How string `json:"how,omitempty" is:"how"`
	// By whom it was recorded: a role in lower-case words joined by hyphens, such as "liaison-nurse". Never a name.
	RecordedBy string `json:"recordedBy,omitempty" is:"code"`
	// Opaque id of the partner it was said to; absent where it was said to any.
	Organisation string `json:"organisation,omitempty" is:"partner"`
}

// DischargeReportedData says that somebody has left A&E, as the hospital's system knows it. It carries the person's
// details: it is accepted over POST /events and never published.
type DischargeReportedData struct {
	// ODS code of the hospital.
	Organisation string `json:"organisation" is:"ods"`
	// The sender's number for the visit (PV1-19).
	Visit string `json:"visit" is:"line-100"`
	// Who left. What is not known is left out.
	Person ReportedPerson `json:"person"`
	// When the person came to A&E.
	ArrivedAt *time.Time `json:"arrivedAt,omitempty"`
	// When the person left.
	LeftAt *time.Time `json:"leftAt,omitempty"`
	// Whether the sender says that this visit followed self-harm.
	InScope bool `json:"inScope"`
	// Coded statements about the visit.
	Codes []Code `json:"codes,omitempty" items:"0,100"`
	// Why the person came, in words. They raise nothing by themselves: a human looks at what may have followed
	// self-harm.
	Reasons []string `json:"reasons,omitempty" is:"lines-500" items:"0,20"`
	// Facts from the closed list, as far as they are known.
	Facts Facts `json:"facts,omitzero"`
	// What the person said yes or no to before leaving.
	Consents []ReportedConsent `json:"consents,omitempty" items:"0,20"`
}

// ReferralSubmittedData says that a professional, or the person, asks for support. It carries the person's details:
// it is accepted over POST /events and never published.
type ReferralSubmittedData struct {
	// ODS code of the organisation the request comes from.
	Organisation string `json:"organisation" is:"ods"`
	// The sender's number for this request.
	Referral string `json:"referral" is:"line-100"`
	// Who asked: a professional, or the person.
	Route string `json:"route" is:"asked-by"`
	// Whom the support is for. What is not known is left out.
	Person ReportedPerson `json:"person"`
	// When it was asked for.
	RequestedAt *time.Time `json:"requestedAt,omitempty"`
	// The sender's number for the visit to A&E (PV1-19), where there was one.
	Visit string `json:"visit,omitempty" is:"line-100"`
	// When the person left A&E, where there was a visit.
	LeftAt *time.Time `json:"leftAt,omitempty"`
	// Why it is asked for, in words. A request stands without them.
	Reasons []string `json:"reasons,omitempty" is:"lines-500" items:"0,20"`
	// Facts from the closed list, as far as they are known.
	Facts Facts `json:"facts,omitzero"`
	// What the person has said yes or no to.
	Consents []ReportedConsent `json:"consents,omitempty" items:"0,20"`
	// How the person may be reached safely, in their own words to whoever asks for them.
	SafeContact *ReportedContact `json:"safeContact,omitempty"`
	// Whether the person is under 18, where the birth date is not given.
	Under18 string `json:"under18,omitempty" is:"yes-no"`
	// What the person was told about this request, as codes such as "what-it-is" or "who-will-see-it".
	Told []string `json:"told,omitempty" is:"code" items:"0,20"`
}

// ReportedContact says how the person may be reached.
type ReportedContact struct {
	// By which channel. No safe channel is an answer too.
	Channel string `json:"channel" is:"safe-channel"`
	// The number or address; absent where there is no safe channel, or where it is among the person's details.
	Value string `json:"value,omitempty" is:"lines-500"`
	// True when the person said themselves that it is safe to use.
	Confirmed bool `json:"confirmed,omitempty"`
	// From which local hour it may be used, 0 to 23.
	FromHour int `json:"fromHour,omitempty" is:"hour"`
	// Before which local hour it may be used, 1 to 24.
	ToHour int `json:"toHour,omitempty" is:"hour"`
	// True when a message that reveals nothing may be left there.
	MayLeaveMessage bool `json:"mayLeaveMessage,omitempty"`
}

// Code holds a coded statement about the visit.
type Code struct {
	// Where the code comes from: "snomed", "icd10", "ecds", or a name for the sender's own codes.
	System string `json:"system" is:"code"`
	// The code itself, without its words.
	Code string `json:"code" is:"coded"`
	// What the code says something about.
	Role string `json:"role,omitempty" is:"code-role"`
}

// DischargeRecordedData says that a visit in scope has ended, and a journey has begun or been joined.
type DischargeRecordedData struct {
	// Random id of the person.
	Person string `json:"person" is:"uuid"`
	// ODS code of the hospital.
	Organisation string `json:"organisation" is:"ods"`
	// Opaque id of the visit.
	Visit string `json:"visit" is:"uuid"`
	// When the person left; null when only the day is known.
	LeftAt *time.Time `json:"leftAt"`
	// The local day the window counts from.
	LeftOn string `json:"leftOn" is:"date"`
	// Facts from the closed list, as far as they are known.
	Facts Facts `json:"facts"`
	// Why a human is shown this discharge.
	Flags []string `json:"flags,omitempty" is:"flag" items:"0,40"`
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
	// the journey was open already: the person has come back, and is asked what they want now
	FlagReturned = "returned"
	// to a ward, another hospital, the police or custody: a human holds the journey there, or finds out how to reach
	// them
	FlagElsewhere = "gone-elsewhere"
	// another record may be the same person: nobody is contacted before a human has looked
	FlagPossibleDouble = "possible-double"
	FlagUnverified     = "unverified" // who asked is not known for certain until somebody has spoken with them

	FlagTimeNotBelieved   = "time-not-believed"   // a time in the message cannot be one, and another was used
	FlagLeftBeforeArrival = "left-before-arrival" // the time of leaving is before the arrival, and another was used
	// the bytes do not fit the character set that is declared: names may be spelt wrongly
	FlagTextDamaged        = "text-damaged"
	FlagNoVisitDetails     = "no-visit-details"    // the message says nothing of the visit that has ended
	FlagDestinationUnknown = "destination-unknown" // where the person went is written in a way that is not known here
	// whether they have died, or their record is protected, is written in a way that is not known here
	FlagIndicatorUnknown = "indicator-unknown"
	// the hospital's record is protected: nothing goes out until the person has been asked
	FlagProtected = "protected"
	// where it came from is agreed with no organisation: nobody sees who it is before a human has placed it
	FlagUnplaced      = "unplaced"
	FlagNoSafeChannel = "no-safe-channel" // neither a telephone nor an address is known
)

// HumanFirst says whether a discharge's flags leave it to a human to look, or to ask the person, before anything goes
// out: two records may be one, the record is protected, or an indicator of a death or of protection says what nobody
// knows. Intake takes these flags away once that is done.
func HumanFirst(flags []string) bool {
	return slices.ContainsFunc(flags, func(flag string) bool {
		return flag == FlagPossibleDouble || flag == FlagProtected || flag == FlagIndicatorUnknown
	})
}

// Unplaced says whether nobody has agreed yet whose a discharge is. An offer is prepared meanwhile, as for anybody;
// nothing goes out and nobody is rung before a human has placed it.
func Unplaced(flags []string) bool { return slices.Contains(flags, FlagUnplaced) }

// ClinicianFirst says whether a discharge's flags leave it to a named young people's clinician who may be asked, and
// whether anybody is (domain: under 18, or age unknown). Intake takes these flags away once that is recorded.
func ClinicianFirst(flags []string) bool {
	return slices.Contains(flags, FlagUnder18) || slices.Contains(flags, FlagAgeUnknown)
}

// DischargeCorrectedData says that a later message changed a recorded discharge. Only what changed is set.
type DischargeCorrectedData struct {
	// Opaque id of the visit.
	Visit string `json:"visit" is:"uuid"`
	// When the person left, as corrected.
	LeftAt *time.Time `json:"leftAt,omitempty"`
	// The local day the window now counts from.
	LeftOn string `json:"leftOn,omitempty" is:"date"`
	// The facts that have changed. What is left out is as it was.
	Facts *Facts `json:"facts,omitempty"`
	// Names of facts that are known no more.
	Retracted []string `json:"takenBack,omitempty" is:"fact" items:"0,40"`
	// Why a human is shown this discharge, as it is now: an empty list where nothing is left to show.
	Flags []string `json:"flags,omitzero" is:"flag" items:"0,40"`
	// Who may answer for somebody under 18, or of unknown age, as a named young people's clinician recorded.
	MayAnswer string `json:"mayAnswer,omitempty" is:"answerer"`
	// ODS code of the organisation whose the journey is from now on, where a human has placed where it came from.
	Organisation string `json:"organisation,omitempty" is:"ods"`
}

// DischargeWithdrawnData says that the hospital cancelled the visit or its discharge. Contact pauses, a human
// decides.
type DischargeWithdrawnData struct {
	// Opaque id of the visit.
	Visit string `json:"visit" is:"uuid"`
	// What the hospital did.
	Reason string `json:"reason" is:"withdrawal"`
}

// ReferralRequestedData says that a professional, or the person, asked for support, and a journey has begun or been
// joined.
type ReferralRequestedData struct {
	// Random id of the person.
	Person string `json:"person" is:"uuid"`
	// ODS code of the organisation the request comes from.
	Organisation string `json:"organisation" is:"ods"`
	// Opaque id of the request.
	Referral string `json:"referral" is:"uuid"`
	// Who asked: a professional, or the person.
	Route string `json:"route" is:"asked-by"`
	// When it was asked for; null when only the day is known.
	RequestedAt *time.Time `json:"requestedAt"`
	// The local day the window counts from: that of leaving hospital where there was a visit, else of the request.
	LeftOn string `json:"leftOn" is:"date"`
	// Facts from the closed list, as far as they are known.
	Facts Facts `json:"facts"`
	// Why a human is shown this request.
	Flags []string `json:"flags,omitempty" is:"flag" items:"0,40"`
}

// MessageQuarantinedData says that a message was kept that could not be used. The event's subject is the message's
// id, as no journey is known yet.
type MessageQuarantinedData struct {
	// ODS code of the organisation that sent it.
	Organisation string `json:"organisation" is:"ods"`
	// By when a human has to look at it.
	DueAt time.Time `json:"dueAt"`
}

// MessageReleasedData says that a human released or dismissed a quarantined message. The event's subject is the
// message's id.
type MessageReleasedData struct{}

// ConsentData says what the person answered, yes or no as the type tells: one event for all purposes said at once.
type ConsentData struct {
	// What the yes or no was said to.
	Purposes []string `json:"purposes" is:"purpose" items:"1,20"`
	// Opaque id of the partner it was said to; absent where it was said to any.
	Organisation string `json:"organisation,omitempty" is:"partner"`
	// Nobody has answered anew: what was answered before counts otherwise, since records were joined or parted.
	AsBefore bool `json:"asBefore,omitempty"`
}

// ConsentExpiringData says that a yes comes to its end and the person is to be asked.
type ConsentExpiringData struct {
	// What the yes was said to.
	Purposes []string `json:"purposes" is:"purpose" items:"1,20"`
	// The last local day it holds.
	Until string `json:"until" is:"date"`
}

// PersonMergedData says that two records are one person, or are two after all, as the type tells. It is said once
// for each journey of either.
type PersonMergedData struct {
	// Random id of the record that survives.
	Person string `json:"person" is:"uuid"`
	// Random id of the other record.
	Other string `json:"other" is:"uuid"`
	// True when a human has confirmed that consent and contact of both may be used together.
	Confirmed bool `json:"confirmed,omitempty"`
}

// PreferencesChangedData says that contact or preferences changed. What they are is read with permission.
type PreferencesChangedData struct {
	// True when there is no safe channel: time and place were fixed instead.
	NoSafeChannel bool `json:"noSafeChannel,omitempty"`
	// True when there are access or communication needs.
	Needs bool `json:"needs,omitempty"`
	// What a message brought that differs from what the person confirmed: somebody asks them. Empty where nothing is
	// left to ask; absent where the event does not speak of it.
	Questions []string `json:"questions,omitzero" is:"contact-question" items:"0,10"`
	// True when somebody recorded how the person may be reached safely, or that no way is and what was arranged
	// instead.
	Reachable bool `json:"reachable,omitempty"`
	// Opaque ids of all organisations that must not know, and are never asked: the whole list, empty where there is
	// none any more; EVERYBODY alone where they are more than a list may hold. Absent where the event does not speak
	// of it.
	MustNotKnow []string `json:"mustNotKnow,omitzero" is:"organisation" items:"0,1000"`
	// The hours in which the person may be rung, as they now stand. Absent where the event does not speak of them.
	Hours *ContactHours `json:"hours,omitempty"`
	// What happened on the person's own page that a named human asks them about, in the way agreed before: somebody
	// else may have the code. Absent where the event does not speak of it.
	OwnPage string `json:"page,omitempty" is:"own-page-matter"`
}

// ContactHours are local hours of the day in which somebody may be rung, from one until another; both 0 where they
// named none, and the usual ones hold.
type ContactHours struct {
	// The hour from which they may be rung.
	FromHour int `json:"fromHour" is:"hour"`
	// The hour by which a call is over.
	ToHour int `json:"toHour" is:"hour"`
}

// What a reviewer found of looks and searches.
const (
	AccessInOrder  = "in-order"
	AccessPassedOn = "passed-on" // it was not: somebody who decides about that has it
)

// What happens on a person's own page that they are asked about.
const (
	OwnPageNo    = "no"    // a no was said there, which holds meanwhile
	OwnPageTries = "tries" // so many words were tried that are not theirs that the code was stopped
)

// ContactStoppedData says that there is to be no contact with the person until a named human lifts it.
type ContactStoppedData struct{}

// SeenData says that staff of another organisation looked, for a reason that they stated; the reason is kept where they
// looked.
type SeenData struct {
	// Who looked: their organisation's ODS code.
	Organisation string `json:"organisation" is:"ods"`
	// What they looked at.
	What string `json:"what" is:"seen"`
}

// ShownData says that a partner has looked for the first time, by its accepted offer, at who the person is.
type ShownData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the partner.
	Partner string `json:"partner" is:"uuid"`
}

// ContactResumedData says that a named human has lifted the stop on contact. Consent is asked for again.
type ContactResumedData struct{}

// Finding is a criterion's result for one set of facts.
type Finding string

// The four findings. Unknown is not no.
const (
	Met          Finding = "met"
	NotMet       Finding = "not-met"
	Unknown      Finding = "unknown"
	NotEvaluable Finding = "not-evaluable"
)

// Eligibility is what a service's criteria say for one set of facts.
type Eligibility string

// The states of a door.
const (
	Eligible    Eligibility = "open"
	NotEligible Eligibility = "not-open"
	EligibleIf  Eligibility = "open-if"            // a fact is unknown: a question, never a no
	TalkAbout   Eligibility = "to-be-talked-about" // a criterion that only a conversation can answer
)

// ServiceEligibility holds what one service's criteria say in a decision.
type ServiceEligibility struct {
	// Id of the service in the directory.
	Service string `json:"service" is:"service"`
	// The service's published name.
	Name string `json:"name" is:"line-300"`
	// Whether the service is statutory or third-sector.
	Sector string `json:"sector" is:"sector"`
	// The kind of service, as the directory codes it.
	Kind string `json:"kind" is:"code"`
	// What the service's criteria say: open; not open; open if a fact that is unknown turns out so; or to be talked
	// about, because only a conversation can answer.
	Eligibility Eligibility `json:"door" is:"door"`
	// The criteria that made it other than open.
	Because []CriterionResult `json:"because,omitempty"`
	// Facts that would have to be known.
	Missing []string `json:"missing,omitempty" is:"fact"`
	// Whether the person is on this service's list.
	Waiting bool `json:"waiting,omitempty"`
}

// CriterionResult names a criterion, its own words, source and date, and what it gave.
type CriterionResult struct {
	// Id of the criterion in the directory.
	Criterion string `json:"criterion" is:"service"`
	// What the criterion gave for these facts. Unknown is not no.
	Finding Finding `json:"finding" is:"finding"`
	// The criterion in the service's own published words.
	Words string `json:"words" is:"lines-2000"`
	// Where the words are published.
	Source string `json:"source" is:"line-2000"`
	// The local day on which the source was last checked.
	CheckedOn string `json:"checkedOn" is:"date"`
}

// PathwayDecidedData says that every service's criteria were looked at together, and what is open. Names, reasons, what
// is not known and what falls between stay in the stored decision (GET /api/journeys/{id}/doors).
type PathwayDecidedData struct {
	// Ids of the services that are open, third-sector ones first: at most MostNamed.
	Open []string `json:"open" is:"service" items:"0,40"`
	// Ids of the services that are open if a fact that is unknown turns out so, third-sector ones first: at most
	// MostNamed.
	OpenIf []string `json:"openIf,omitempty" is:"service" items:"0,40"`
	// Ids of the services whose list the person is on.
	Waits []string `json:"waits,omitempty" is:"service" items:"0,20"`
}

// MostNamed is how many services each list of a pathway.decided names at most. Of a full list, a service that is not on
// it may be open all the same.
const MostNamed = 40

// ServiceAskedData says that a service was asked for help with a journey.
type ServiceAskedData struct {
	// Id of the service in the directory.
	Service string `json:"service" is:"service"`
	// The role of who asked; it sees to it that an answer comes.
	By string `json:"by" is:"asking-role"`
	// By when an answer is hoped for. Silence is asked again, never an ending.
	AnswerBy time.Time `json:"answerBy"`
	// True where the service had been asked before in this journey.
	Again bool `json:"again,omitempty"`
}

// ServiceAnsweredData says what a service answered. Its words stay with the recorded answer and in the decision.
type ServiceAnsweredData struct {
	// Id of the service in the directory.
	Service string `json:"service" is:"service"`
	// What it answered.
	Answer string `json:"answer" is:"answer"`
	// Why it said no: a code of the national list (dos-rejected-reasons-bars) or one of ours. Absent unless the answer
	// is no.
	Reason string `json:"reason,omitempty" is:"decline-reason"`
	// True where the service has agreed never to decline for this reason: the answer closes no door and is a question
	// to the service.
	Questioned bool `json:"questioned,omitempty"`
	// The role of who recorded it; it sees to what follows.
	By string `json:"by" is:"asking-role"`
}

// ServiceLineReportedData says that a published number or link reaches nobody. The event's subject is the report's
// id, as no journey is concerned.
type ServiceLineReportedData struct {
	// Id of the service in the directory.
	Service string `json:"service" is:"service"`
	// ODS code of the organisation that keeps the directory.
	Organisation string `json:"organisation" is:"ods"`
	// By when somebody has to see to it.
	DueAt time.Time `json:"dueAt"`
}

// ServiceLineMendedData says that what had been reported works again, or was replaced. The event's subject is the
// report's id.
type ServiceLineMendedData struct{}

// SearchReviewNeededData says that what was searched for waits for somebody who did not search. The event's subject is
// the id of the oldest search that waits, as no journey is concerned.
type SearchReviewNeededData struct {
	// ODS code of the organisation whose staff searched.
	Organisation string `json:"organisation" is:"ods"`
	// By when somebody has to have looked.
	DueAt time.Time `json:"dueAt"`
}

// SearchReviewedData says that it has been reviewed. The event's subject is the id of the search.
type SearchReviewedData struct{}

// InformationSuppliedData says that facts have become known.
type InformationSuppliedData struct {
	// The facts that have become known, or have changed. What is left out is as it was.
	Facts Facts `json:"facts"`
	// Names of facts that are known no more.
	Retracted []string `json:"takenBack,omitempty" is:"fact" items:"0,40"`
	// Names of facts that were asked for and that the person would rather not say, or nobody can find out. They stay
	// unknown, and exclude nothing.
	NotSaid []string `json:"notSaid,omitempty" is:"fact" items:"0,40"`
}

// GapFoundData says that nothing statutory is open: the person falls between what services publish.
type GapFoundData struct {
	// True when a criterion that only a conversation can answer stands in for one that was not met.
	Probable bool `json:"probable,omitempty"`
	// True when no service at all is open and the last resort holds.
	Nobody bool `json:"nobody,omitempty"`
}

// InformationNeededData lists unknown facts that could change the outcome.
type InformationNeededData struct {
	// Names of the facts, in the order of how much they open.
	Facts []string `json:"facts" is:"fact" items:"1,100"`
}

// OfferRaisedData says that a follow-up offer has been prepared for one partner. Nothing has left the NHS boundary.
type OfferRaisedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Random id of the person.
	Person string `json:"person" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// First local day of the window, inclusive: day 7 after leaving.
	FirstDay string `json:"firstDay" is:"date"`
	// Last local day of the window, inclusive: day 14 after leaving, the promise.
	LastDay string `json:"lastDay" is:"date"`
	// True when fewer than 5 days of the window were left; it then counts from the day the offer was raised.
	Late bool `json:"late,omitempty"`
	// By when the partner is asked to answer.
	AnswerBy time.Time `json:"answerBy"`
}

// OfferClearedData says that an offer may be told to its partner, at first or after a pause: the person's yes covers
// it, the partner's agreement is in force and a place of its own is kept, and outward sending is on.
type OfferClearedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// By when the partner is asked to answer, if it is told today.
	AnswerBy *time.Time `json:"answerBy,omitempty"`
	// Where the person lives, as the partner may be shown it; left out where few people share what is shown.
	Area string `json:"area,omitempty" is:"area"`
}

// OfferPausedData says that an offer keeps its place, and that nobody outside is told anything of it until it is
// cleared again: contact is stopped, somebody else has the person, or their yes is asked for again.
type OfferPausedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
}

// OfferSentData says that a channel's server has taken the offer for its partner. That the partner knows of it is not
// said by this.
type OfferSentData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// By when the partner is asked to answer; the next partner is asked then.
	AnswerBy time.Time `json:"answerBy"`
}

// OfferAcknowledgedData says that the offer is with its partner: their system, or somebody there, said so.
type OfferAcknowledgedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
}

// OfferNudgedData says that a partner is reminded of something that it has been asked for.
type OfferNudgedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// What it is reminded of.
	About string `json:"about" is:"nudge"`
}

// OfferNotInTimeData says that the last day of an offer's window is near, or has come, without a session in it: none
// has a time, or it has a later one.
type OfferNotInTimeData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Last local day of the window, inclusive.
	LastDay string `json:"lastDay" is:"date"`
}

// OfferConfirmedData says that the person has said yes, by its name, to the partner that had taken the offer on.
type OfferConfirmedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// By when the partner is asked to agree on a time with the person.
	BookBy time.Time `json:"bookBy"`
}

// OfferAcceptedLateData says that a partner that had been passed over says yes, while another has taken the person on.
// Which of them it is to be is the person's choice.
type OfferAcceptedLateData struct {
	// Id of the offer that had been passed on.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
}

// OfferPassedOnData says that a partner has not answered in time and the next is asked. Its yes is welcome still, while
// its place is free and nobody else has taken the person on.
type OfferPassedOnData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
}

// OfferIntroducedData says that the person was introduced to whoever sees them at a partner.
type OfferIntroducedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// How: no name is in it.
	How string `json:"how" is:"introduced-how"`
}

// OfferPossiblyKnownData says that somebody at a partner may know the person.
type OfferPossiblyKnownData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// Who is to see to it instead.
	Who string `json:"who" is:"may-know"`
}

// OfferQuestionedData says that a partner has a question about an offer, which a navigator answers.
type OfferQuestionedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the question.
	Question string `json:"question" is:"uuid"`
	// What it is about.
	About string `json:"about" is:"offer-question"`
}

// OfferQuestionAnsweredData says that a partner's question has been answered.
type OfferQuestionAnsweredData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the question.
	Question string `json:"question" is:"uuid"`
}

// OfferDeletionConfirmedData says what a partner did with what it had been told of a person, once it may not read any
// more.
type OfferDeletionConfirmedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Why something is kept, as a code; absent where all is deleted.
	KeptBecause string `json:"keptBecause,omitempty" is:"kept-because"`
	// What is kept; absent where all is deleted.
	Kept []string `json:"kept,omitempty" is:"kept" items:"1,10"`
}

// AppointmentBookedData says that a session has a time, agreed with the person.
type AppointmentBookedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the appointment.
	Appointment string `json:"appointment" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// When it begins.
	StartsAt time.Time `json:"startsAt"`
	// The local day of it.
	On string `json:"on" is:"date"`
	// How they meet.
	Channel string `json:"channel" is:"channel"`
	// Its length in minutes.
	Minutes int `json:"minutes" is:"minutes"`
	// By when the partner is asked to say how it went.
	OutcomeBy time.Time `json:"outcomeBy"`
}

// AppointmentKeptData says that a session has taken place.
type AppointmentKeptData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the appointment.
	Appointment string `json:"appointment" is:"uuid"`
}

// AppointmentNotKeptData says that a session has not taken place as agreed. It costs the person nothing.
type AppointmentNotKeptData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the appointment.
	Appointment string `json:"appointment" is:"uuid"`
	// By when the partner is asked to agree on another time, at other hours; absent where it has been tried as often
	// as is agreed, and a navigator decides.
	BookBy *time.Time `json:"bookBy,omitempty"`
}

// AppointmentCancelledData says that a session does not take place at its time.
type AppointmentCancelledData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Id of the appointment.
	Appointment string `json:"appointment" is:"uuid"`
	// By when a navigator has to have rung the partner, since somebody is about to go; absent where there is time, or
	// where the partner cancelled it.
	RingBy *time.Time `json:"ringBy,omitempty"`
}

// DeliveryMadeData says that an offer has left for its partner.
type DeliveryMadeData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// How far it has come.
	How string `json:"how" is:"delivery-how"`
}

// DeliveryFailedData says that an offer could not be brought to its partner: nobody there knows of it.
type DeliveryFailedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
}

// ReferrerUntoldData says that a mail to the mailbox of an organisation that referred the person, or sent them home,
// did not come: nobody there knows that there is news.
type ReferrerUntoldData struct {
	// Code of the organisation whose mailbox it is.
	Referrer string `json:"referrer" is:"ods"`
}

// ReferrerToldData says that mail to that mailbox goes again: a later one was taken, and says that news waits.
type ReferrerToldData struct {
	// Code of the organisation whose mailbox it is.
	Referrer string `json:"referrer" is:"ods"`
}

// OfferAcceptedData says that a partner has taken on the offer. From then on it may read who the person is, while its
// agreement is in force, a yes names it, and nothing has ended or paused the offer.
type OfferAcceptedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Opaque id of the partner.
	Partner string `json:"partner" is:"partner"`
	// Last local day on which the partner's agreement is in force, inclusive.
	AgreementUntil string `json:"agreementUntil" is:"date"`
	// The sequence of the last that was decided about the journey as a whole (held, released, closed, reopened), as
	// far as was known when it was accepted; absent where nothing had been. An acceptance that knows of nothing after
	// a closing is over with it.
	Transition int `json:"turn,omitempty" is:"sequence"`
	// By when the person's own answer about this partner is hoped for, whose place is kept meanwhile; absent where
	// they have said yes to it by name.
	PersonAnswersBy *time.Time `json:"personAnswersBy,omitempty"`
	// By when the partner is asked to agree on a time with the person; absent while the person's answer is waited for.
	BookBy *time.Time `json:"bookBy,omitempty"`
}

// OfferDeclinedData says that a partner does not take on the offer.
type OfferDeclinedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Why: a code of the national list, or ours.
	Reason string `json:"reason" is:"code"`
}

// OfferHandedBackData says that a partner gives an accepted offer back: it reads nothing from then on.
type OfferHandedBackData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Why, as a code.
	Reason string `json:"reason" is:"code"`
}

// OfferUndoneData says that a partner took its answer to an offer back before it had looked at who the person is. The
// offer is over, and a new one to the same partner follows.
type OfferUndoneData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// What it had answered.
	Answer string `json:"answer" is:"undone-answer"`
}

// FollowupCompletedData says that what the offer was for has been done. The partner reads for 14 days more, or until it
// confirms deletion.
type FollowupCompletedData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// The local day on which it was done.
	CompletedOn string `json:"completedOn" is:"date"`
	// What comes next, as it was agreed with the person.
	Next string `json:"next,omitempty" is:"what-next"`
}

// OfferWithdrawnData says that the offer no longer stands.
type OfferWithdrawnData struct {
	// Id of the offer.
	Offer string `json:"offer" is:"uuid"`
	// Why it no longer stands.
	Reason string `json:"reason" is:"offer-withdrawal"`
}

// OfferExhaustedData says that no partner is left to ask, and the navigator holds the journey.
type OfferExhaustedData struct {
	// Last local day of the window, inclusive.
	LastDay string `json:"lastDay" is:"date"`
}

// BridgingProposedData describes a plan of short calls, proposed or started as the type tells.
type BridgingProposedData struct {
	// Id of the plan.
	Plan string `json:"plan" is:"uuid"`
	// Days from one call to the next.
	EveryDays int `json:"everyDays" is:"days"`
	// Length of a call in minutes.
	Minutes int `json:"minutes" is:"minutes"`
}

// BridgingStartedData: the person said yes to a plan.
type BridgingStartedData = BridgingProposedData

// BridgingPausedData says that no call is made until the plan is resumed.
type BridgingPausedData struct {
	// Id of the plan.
	Plan string `json:"plan" is:"uuid"`
	// Of those to whom the person said yes nobody may ring now, or nobody can at their hours: a navigator sees to it.
	NobodyRings bool `json:"nobodyRings,omitempty"`
}

// BridgingResumedData says that a plan that was paused goes on.
type BridgingResumedData struct {
	// Id of the plan.
	Plan string `json:"plan" is:"uuid"`
}

// BridgingEndedData says that a plan is over. Another one may be proposed later.
type BridgingEndedData struct {
	// Id of the plan.
	Plan string `json:"plan" is:"uuid"`
	// Why it ended, as a code.
	Reason string `json:"reason" is:"code"`
}

// CallScheduledData says that a bridging call has a time.
type CallScheduledData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// Id of the plan it belongs to.
	Plan string `json:"plan" is:"uuid"`
	// Random id of the person.
	Person string `json:"person" is:"uuid"`
	// When the call falls due.
	DueAt time.Time `json:"dueAt"`
	// The local day of the call.
	On string `json:"on" is:"date"`
}

// What a person said when they were asked how things are. It is kept as said and never counted into anything.
const (
	AnswerBetter  = "better"
	AnswerSame    = "same"
	AnswerWorse   = "worse"
	AnswerNotSaid = "did-not-say"
)

// Ways in which a call does not reach the person.
const (
	NoAnswer    = "no-answer"
	LeftMessage = "left-message" // the words that were agreed
	WrongNumber = "wrong-number"
)

// Who asked on the telephone that calls stop.
const (
	StoppedByPerson = "person"
	StoppedByOther  = "somebody-else"
)

// What a request for help is about, and its kinds.
const (
	HelpAboutJourney = "journey"
	HelpAboutOffer   = "offer"
	HelpAboutCall    = "call"
	HelpAboutStep    = "step"

	HelpNow    = "needed-now"
	HelpSafety = "safety" // a concern for somebody's safety; self-harm by itself is none
	HelpWorse  = "worse"  // said on a call
)

// PartnerChangedData is how a partner stands: from when until when it may be told anything, and what keeps it from
// taking somebody on meanwhile. Each says all of it; what is absent is not so.
type PartnerChangedData struct {
	// The partner's opaque id.
	Partner string `json:"partner" is:"uuid"`
	// First local day of its agreement, inclusive; absent where none is recorded, and nothing may be told.
	AgreementFrom string `json:"agreementFrom,omitempty" is:"date"`
	// Last local day of its agreement, inclusive.
	AgreementUntil string `json:"agreementUntil,omitempty" is:"date"`
	// Last local day on which it takes nobody on.
	PausedUntil string `json:"pausedUntil,omitempty" is:"date"`
	// The local days on which it is away, of those to come, in order.
	Away []AwayDays `json:"away,omitempty" items:"0,60"`
	// The organisations for which outward sending is on.
	Live []string `json:"live,omitempty" is:"ods" items:"0,250"`
	// Everybody here is made up, and outward sending needs no decision.
	Invented bool `json:"invented,omitempty"`
}

// AwayDays are local days on which a partner is away, both inclusive.
type AwayDays struct {
	// The first day.
	From string `json:"from" is:"date"`
	// The last day.
	Until string `json:"until" is:"date"`
}

// BridgingReviewData says that somebody is asked to look at a plan with the person.
type BridgingReviewData struct {
	// Id of the plan.
	Plan string `json:"plan" is:"uuid"`
	// The local day.
	On string `json:"on" is:"date"`
	// The next call comes more than a week later than agreed, because whoever rings is away.
	Late bool `json:"late,omitempty"`
}

// CallClaimedData says that somebody rings now.
type CallClaimedData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// The organisation whose caller rings: an ODS code, or a partner's opaque id.
	Organisation string `json:"organisation" is:"organisation"`
	// Which of its people rings, as a mark that names nobody.
	Holder string `json:"holder" is:"mark"`
	// Until when nobody else may ring, and the caller may read name and number; an outcome ends both.
	Until time.Time `json:"until"`
}

// CallReachedData says that a call reached the person.
type CallReachedData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// Id of the plan it belongs to.
	Plan string `json:"plan" is:"uuid"`
	// What the person said when they were asked how things are.
	Answer string `json:"answer" is:"call-answer"`
	// The local day on which it was; it may be written down days later.
	On string `json:"on" is:"date"`
}

// CallUnansweredData says that a call did not reach the person.
type CallUnansweredData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// Which try of this call it was, from 1.
	Try int `json:"try" is:"tries"`
	// How it failed.
	Why string `json:"why" is:"no-answer"`
	// The local day on which it was tried.
	On string `json:"on" is:"date"`
	// The local day on which it is tried again; absent where this was the last try.
	Again string `json:"again,omitempty" is:"date"`
	// True where a navigator is to decide how to go on: two calls in a row reached nobody, or the number is wrong.
	Navigator bool `json:"navigator,omitempty"`
}

// CallOtherPersonData says that somebody else answered, who was told nothing.
type CallOtherPersonData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// The local day on which it was.
	On string `json:"on" is:"date"`
	// True where the number is not rung any more before the person was asked, and a navigator sees to that: it was the
	// second time.
	Navigator bool `json:"navigator,omitempty"`
}

// CallNotMadeData says that a call was not made. That is ours.
type CallNotMadeData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// Why not.
	Reason string `json:"reason" is:"not-made"`
	// The local day for which it had been planned.
	On string `json:"on" is:"date"`
}

// AskedToStopData says that somebody on the telephone asked us to stop.
type AskedToStopData struct {
	// Id of the call.
	Call string `json:"call" is:"uuid"`
	// Who asked.
	By string `json:"by" is:"stopped-by"`
	// When. It may have been written down later.
	At time.Time `json:"at"`
}

// HelpRequestedData says that somebody asked for help for the person, and people on call are told.
type HelpRequestedData struct {
	// Id of the request.
	Help string `json:"help" is:"uuid"`
	// What it was asked from.
	About string `json:"about" is:"help-about"`
	// What kind of help.
	Kind string `json:"kind" is:"help-kind"`
	// The role of who asked.
	By string `json:"by" is:"code"`
	// By when somebody is to have taken it on.
	DueAt time.Time `json:"dueAt"`
}

// HelpAcknowledgedData says that somebody has taken a request for help on.
type HelpAcknowledgedData struct {
	// Id of the request.
	Help string `json:"help" is:"uuid"`
	// The role of who has taken it on.
	By string `json:"by" is:"code"`
}

// NextStep says what happens next on a journey: a kind, an owner and a due time, always.
type NextStep struct {
	// Id of the step.
	Step string `json:"step" is:"uuid"`
	// What is to be done, as a code.
	Kind string `json:"kind" is:"code"`
	// Who has to do it, as kind:id, for instance "team:liaison".
	Owner string `json:"owner" is:"owner"`
	// By when it is to be done.
	DueAt time.Time `json:"dueAt"`
}

// JourneyOpenedData says that a journey exists and has a next step.
type JourneyOpenedData struct {
	// Random id of the person.
	Person string `json:"person" is:"uuid"`
	// ODS code of the organisation the journey began at.
	Organisation string `json:"organisation" is:"ods"`
	// What happens next.
	Next NextStep `json:"next"`
}

// Why a journey is closed. Each is a named human's decision; time closes nothing.
const (
	ClosedComplete    = "complete"     // the follow-up has happened and the person wants nothing more
	ClosedSaidNo      = "said-no"      // the person was asked, and said no to all of it
	ClosedCareStarted = "care-started" // first contact elsewhere has happened, and the person says so
	ClosedMoved       = "moved"        // somebody where they live now has taken over, and said so
	ClosedNotReached  = "not-reached"  // we could not reach them: reported apart
	ClosedDied        = "died"
	ClosedInError     = "entered-in-error"
)

// Why a journey is open again.
const (
	ReopenedByPerson = "person"
	ReopenedByStaff  = "staff"
	ReopenedCameBack = "came-back"       // news of an attendance that was not known when it was closed
	ReopenedResumed  = "contact-resumed" // it was closed for a death that was none
)

// ToldNobody and WayBackNone go with a death and an error alone.
const (
	ToldNobody  = "nobody"
	WayBackNone = "none"
)

// JourneyHeldData says that somebody else holds the person for now. Contact stops, and offers keep their place.
type JourneyHeldData struct {
	// What happens next.
	Next NextStep `json:"next"`
}

// JourneyReleasedData says that the journey goes on.
type JourneyReleasedData struct {
	// The local day from which windows count again.
	ReleasedOn string `json:"releasedOn" is:"date"`
	// What happens next.
	Next NextStep `json:"next"`
}

// JourneyClosedData says that a named human has closed the journey.
type JourneyClosedData struct {
	// The sequence of the last answer to consent that was known. Answers up to it were about this: if the journey is
	// reopened, the person is asked again.
	AnsweredUpTo int `json:"answeredUpTo" is:"sequence"`
}

// JourneyReopenedData says that a closed journey is open again.
type JourneyReopenedData struct {
	// The local day from which windows count again.
	ReopenedOn string `json:"reopenedOn" is:"date"`
	// What happens next.
	Next NextStep `json:"next"`
}

// JourneyInVoidData says that the guarantee would have been broken, and a navigator step has been opened.
type JourneyInVoidData struct {
	// What was found.
	Reason string `json:"reason" is:"void-reason"`
	// Since when.
	Since time.Time `json:"since"`
	// The step that was opened.
	Next NextStep `json:"next"`
}
