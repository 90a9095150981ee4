package schemas

import "strings"

// Type is the CloudEvents type of an event: care.footbridge.<noun>.<past-tense>.v<major>.
// It never carries a clinical word, a partner's name or an identifier of a person (domain invariant 5).
type Type string

// The event types, by the service that says them (interfaces: streams, subjects and types).
const (
	// DischargeReported and ReferralSubmitted come from outside systems, over POST /events only. They carry
	// the person's details and never go on the bus.
	DischargeReported Type = "care.footbridge.discharge.reported.v1"
	ReferralSubmitted Type = "care.footbridge.referral.submitted.v1"

	DischargeRecorded  Type = "care.footbridge.discharge.recorded.v1"
	DischargeCorrected Type = "care.footbridge.discharge.corrected.v1"
	DischargeWithdrawn Type = "care.footbridge.discharge.withdrawn.v1"
	ReferralRequested  Type = "care.footbridge.referral.requested.v1"
	MessageQuarantined Type = "care.footbridge.message.quarantined.v1"
	SearchReviewNeeded Type = "care.footbridge.search.review-needed.v1"
	SearchReviewed     Type = "care.footbridge.search.reviewed.v1"
	MessageReleased    Type = "care.footbridge.message.released.v1"
	ConsentGiven       Type = "care.footbridge.consent.given.v1"
	ConsentDeclined    Type = "care.footbridge.consent.declined.v1"
	ConsentWithdrawn   Type = "care.footbridge.consent.withdrawn.v1"
	ConsentExpiring    Type = "care.footbridge.consent.expiring.v1"
	ConsentLapsed      Type = "care.footbridge.consent.lapsed.v1"
	PersonMerged       Type = "care.footbridge.person.merged.v1"
	PersonUnmerged     Type = "care.footbridge.person.unmerged.v1"
	PreferencesChanged Type = "care.footbridge.person.preferences-changed.v1"
	ContactStopped     Type = "care.footbridge.person.contact-stopped.v1"
	ContactResumed     Type = "care.footbridge.person.contact-resumed.v1"
	PersonSeen         Type = "care.footbridge.person.seen.v1"
	PersonShown        Type = "care.footbridge.person.shown.v1"

	InformationSupplied Type = "care.footbridge.information.supplied.v1"

	InformationNeeded   Type = "care.footbridge.information.needed.v1"
	PathwayDecided      Type = "care.footbridge.pathway.decided.v1"
	PathwaySeen         Type = "care.footbridge.pathway.seen.v1"
	GapFound            Type = "care.footbridge.threshold.gap-found.v1"
	ServiceAsked        Type = "care.footbridge.service.asked.v1"
	ServiceAnswered     Type = "care.footbridge.service.answered.v1"
	ServiceLineReported Type = "care.footbridge.service.line-reported.v1"
	ServiceLineMended   Type = "care.footbridge.service.line-mended.v1"

	OfferRaised            Type = "care.footbridge.offer.raised.v1"
	OfferCleared           Type = "care.footbridge.offer.cleared.v1"
	OfferPaused            Type = "care.footbridge.offer.paused.v1"
	OfferSent              Type = "care.footbridge.offer.sent.v1"
	OfferAcknowledged      Type = "care.footbridge.offer.acknowledged.v1"
	OfferNudged            Type = "care.footbridge.offer.nudged.v1"
	OfferNotInTime         Type = "care.footbridge.offer.not-in-time.v1"
	OfferAccepted          Type = "care.footbridge.offer.accepted.v1"
	OfferConfirmed         Type = "care.footbridge.offer.confirmed.v1"
	OfferAcceptedLate      Type = "care.footbridge.offer.accepted-late.v1"
	OfferDeclined          Type = "care.footbridge.offer.declined.v1"
	OfferPassedOn          Type = "care.footbridge.offer.passed-on.v1"
	OfferWithdrawn         Type = "care.footbridge.offer.withdrawn.v1"
	OfferHandedBack        Type = "care.footbridge.offer.handed-back.v1"
	OfferUndone            Type = "care.footbridge.offer.undone.v1"
	OfferIntroduced        Type = "care.footbridge.offer.introduced.v1"
	OfferPossiblyKnown     Type = "care.footbridge.offer.possibly-known.v1"
	OfferQuestioned        Type = "care.footbridge.offer.questioned.v1"
	OfferQuestionAnswered  Type = "care.footbridge.offer.question-answered.v1"
	OfferDeletionConfirmed Type = "care.footbridge.offer.deletion-confirmed.v1"
	OfferExhausted         Type = "care.footbridge.offer.exhausted.v1"

	AppointmentBooked    Type = "care.footbridge.appointment.booked.v1"
	AppointmentKept      Type = "care.footbridge.appointment.kept.v1"
	AppointmentNotKept   Type = "care.footbridge.appointment.not-kept.v1"
	AppointmentCancelled Type = "care.footbridge.appointment.cancelled.v1"

	FollowupCompleted Type = "care.footbridge.followup.completed.v1"

	PartnerChanged Type = "care.footbridge.partner.changed.v1"
	DeliveryMade   Type = "care.footbridge.delivery.made.v1"
	DeliveryFailed Type = "care.footbridge.delivery.failed.v1"

	ReferrerUntold Type = "care.footbridge.delivery.referrer-untold.v1"
	ReferrerTold   Type = "care.footbridge.delivery.referrer-told.v1"

	BridgingProposed Type = "care.footbridge.bridging.proposed.v1"
	BridgingStarted  Type = "care.footbridge.bridging.started.v1"
	BridgingPaused   Type = "care.footbridge.bridging.paused.v1"
	BridgingResumed  Type = "care.footbridge.bridging.resumed.v1"
	BridgingEnded    Type = "care.footbridge.bridging.ended.v1"
	BridgingReview   Type = "care.footbridge.bridging.review-asked.v1"
	CallScheduled    Type = "care.footbridge.call.scheduled.v1"
	CallClaimed      Type = "care.footbridge.call.claimed.v1"
	CallReached      Type = "care.footbridge.call.reached.v1"
	CallUnanswered   Type = "care.footbridge.call.unanswered.v1"
	CallOtherPerson  Type = "care.footbridge.call.someone-else-answered.v1"
	CallNotMade      Type = "care.footbridge.call.not-made.v1"
	AskedToStop      Type = "care.footbridge.contact.asked-to-stop.v1"
	HelpRequested    Type = "care.footbridge.help.requested.v1"
	HelpAcknowledged Type = "care.footbridge.help.acknowledged.v1"

	JourneyOpened   Type = "care.footbridge.journey.opened.v1"
	JourneyHeld     Type = "care.footbridge.journey.held.v1"
	JourneyReleased Type = "care.footbridge.journey.released.v1"
	JourneyClosed   Type = "care.footbridge.journey.closed.v1"
	JourneyReopened Type = "care.footbridge.journey.reopened.v1"
	JourneyInVoid   Type = "care.footbridge.journey.in-void.v1"
)

// TypePrefix is what every type starts with; the NATS subject is the type without "care." and with the
// journey's id appended: footbridge.<noun>.<past-tense>.v1.<journey>.
const TypePrefix = "care.footbridge."

// Noun returns the noun of the type: "offer" for care.footbridge.offer.raised.v1.
func (t Type) Noun() string {
	noun, _, _ := strings.Cut(strings.TrimPrefix(string(t), TypePrefix), ".")
	return noun
}

// SubjectFilter returns the NATS subject that matches every event of this type.
func (t Type) SubjectFilter() string { return strings.TrimPrefix(string(t), "care.") + ".*" }
