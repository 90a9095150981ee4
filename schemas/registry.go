package schemas

import (
	"reflect"
	"slices"
)

// The services, by the names that their schema, database role, durable consumer and CloudEvents source carry.
const (
	Intake    = "intake"
	Threshold = "threshold"
	Followup  = "followup"
	Bridging  = "bridging"
	Journey   = "journey"
	Gateway   = "gateway"
	Console   = "console"
	// Delivery brings to partners what they may know, by every way out.
	Delivery = "delivery"
	// Traces keeps what the others did, for operators.
	Traces = "traces"

	// Outside stands for the systems of others: who says what comes in over POST /events. It is no service.
	Outside = "outside"
)

// Entry is what there is to know about one event type.
type Entry struct {
	Type Type
	// By is the service that says it, or Outside.
	By string
	// To are the services that hear it on the bus; what comes from outside is handed to intake by HTTP instead.
	To []string
	// Data is the Go struct of the event's data.
	Data reflect.Type
	// Meaning is one line for a developer or a partner.
	Meaning string
	// Sentence is what the person may read about it, on their timeline.
	Sentence string
	// Partners says whether a partner may be told of it, and then the one concerned alone: as an event of its own log,
	// with PartnerOfferData (partners.go), while the person's yes and its agreement are in force.
	Partners bool
}

// OnBus says whether the event is published. What comes from outside carries identity and never is.
func (e Entry) OnBus() bool { return e.By != Outside }

// registry is the one list of the events, in the order of the constants.
var registry = []Entry{
	{DischargeReported, Outside, nil, reflect.TypeFor[DischargeReportedData](),
		"An outside system reports that somebody has left A&E.",
		"The hospital let us know that you had left.", false},
	{ReferralSubmitted, Outside, nil, reflect.TypeFor[ReferralSubmittedData](),
		"An outside system passes on that somebody asks for support.",
		"We were asked to support you.", false},

	{DischargeRecorded, Intake, []string{Threshold, Followup, Bridging, Journey, Delivery},
		reflect.TypeFor[DischargeRecordedData](),
		"A visit in scope has ended, and a journey has begun or been joined.",
		"You left hospital, and we started looking for support that suits you.", false},
	{DischargeCorrected, Intake, []string{Threshold, Followup, Bridging, Journey, Delivery},
		reflect.TypeFor[DischargeCorrectedData](),
		"A later message changed a recorded discharge.",
		"The hospital corrected something about your visit, and we changed it here too.", false},
	{DischargeWithdrawn, Intake, []string{Threshold, Followup, Bridging, Journey},
		reflect.TypeFor[DischargeWithdrawnData](),
		"The hospital cancelled the visit or its discharge; contact pauses and a human decides.",
		"The hospital told us that you had not left yet, so we paused while somebody checks.", false},
	{ReferralRequested, Intake, []string{Threshold, Followup, Bridging, Journey, Delivery},
		reflect.TypeFor[ReferralRequestedData](),
		"A professional, or the person, asked for support, and a journey has begun or been joined.",
		"Support was asked for, and we started looking for what suits you.", false},
	{MessageQuarantined, Intake, []string{Journey}, reflect.TypeFor[MessageQuarantinedData](),
		"A message could not be used; it was kept, and a human will look at it.",
		"We received a message that we could not read, and a member of staff is looking at it.", false},
	{SearchReviewNeeded, Intake, []string{Journey}, reflect.TypeFor[SearchReviewNeededData](),
		"Staff searched for somebody; within a week another of them looks at what was searched for.",
		"Staff looked somebody up, and another of them is checking why.", false},
	{SearchReviewed, Intake, []string{Journey}, reflect.TypeFor[SearchReviewedData](),
		"Somebody who had not searched looked at what was searched for.",
		"That staff looked somebody up was checked.", false},
	{MessageReleased, Intake, []string{Journey}, reflect.TypeFor[MessageReleasedData](),
		"A human released or dismissed a message that had been quarantined.",
		"A member of staff has looked at a message that we could not read at first.", false},
	{ConsentGiven, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ConsentData](),
		"The person said yes to one or more purposes.",
		"You said yes. You can change your mind at any time.", false},
	{ConsentDeclined, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ConsentData](),
		"The person said no to one or more purposes; nothing else ends by it.",
		"You said no to this. That is fine, and everything else stays available to you.", false},
	{ConsentWithdrawn, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ConsentData](),
		"The person took back a yes: partners can no longer read, and are asked to confirm deletion; the journey " +
			"goes on.",
		"You changed your mind about this. That is fine, and everything else stays available to you.", false},
	{ConsentExpiring, Intake, []string{Journey}, reflect.TypeFor[ConsentExpiringData](),
		"A yes that was given until a day comes to its end; the person is asked beforehand.",
		"Your yes ends soon. Somebody will ask you whether you would like it to go on.", false},
	{ConsentLapsed, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ConsentData](),
		"An answer counts no more, and nobody said no: it was another person's, or it is in doubt. The person is asked.",
		"An answer that had been noted for you does not count any more. Somebody will ask you what you would like.",
		false},
	{PersonMerged, Intake, []string{Journey}, reflect.TypeFor[PersonMergedData](),
		"A named human said that two records are one person; consent and contact do not cross until confirmed.",
		"We found that two records were both about you, and a member of staff is putting that right.", false},
	{PersonUnmerged, Intake, []string{Journey}, reflect.TypeFor[PersonMergedData](),
		"A named human said that two records are two people; each has again what was theirs.",
		"We had mixed two records up, and a member of staff has put that right.", false},
	{PreferencesChanged, Intake, []string{Threshold, Followup, Bridging, Journey, Delivery},
		reflect.TypeFor[PreferencesChangedData](),
		"How the person may be contacted, or what they need for it, has changed, or is in question.",
		"What you told us about how to reach you has been noted.", false},
	{ContactStopped, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ContactStoppedData](),
		"No contact with the person until a named human lifts it.",
		"We stopped contacting you until a member of staff has checked that it is right to.", false},
	{ContactResumed, Intake, []string{Followup, Bridging, Journey, Delivery}, reflect.TypeFor[ContactResumedData](),
		"A named human lifted the stop on contact; consent is asked for anew.",
		"A member of staff checked, and we can be in touch again if you would like that.", false},

	{PersonSeen, Intake, []string{Journey}, reflect.TypeFor[SeenData](),
		"Staff of another organisation looked, for a stated reason, at who the person is or what they said; the " +
			"journey's organisation is told.",
		"Staff who were treating you elsewhere looked at what is kept about you, and said why.", false},

	{PersonShown, Intake, []string{Followup, Journey}, reflect.TypeFor[ShownData](),
		"A partner has looked, for the first time by this offer, at who the person is.",
		"The organisation that has taken on your follow-up session looked at who you are.", false},

	{InformationSupplied, Intake, []string{Threshold, Followup, Journey}, reflect.TypeFor[InformationSuppliedData](),
		"Facts that were unknown have become known.",
		"Something that we had asked about is known now, and we looked again at what is open to you.", false},

	{InformationNeeded, Threshold, []string{Journey}, reflect.TypeFor[InformationNeededData](),
		"Facts are unknown that could change what is open.",
		"There is something we would like to ask you, as it may mean more support is available.", false},
	{PathwayDecided, Threshold, []string{Followup, Bridging, Journey}, reflect.TypeFor[PathwayDecidedData](),
		"Every service's criteria were looked at together.",
		"We looked at the services near you to see which can offer you support now.", false},
	{PathwaySeen, Threshold, []string{Journey}, reflect.TypeFor[SeenData](),
		"Staff of another organisation looked, for a stated reason, at what is open to the person; the journey's " +
			"organisation is told.",
		"Staff who were treating you elsewhere looked at which services are open to you, and said why.", false},
	{GapFound, Threshold, []string{Bridging, Journey}, reflect.TypeFor[GapFoundData](),
		"Nothing statutory is open to this person at present.",
		"The NHS and council services we looked at do not currently offer what you need, so we are looking further.",
		false},
	{ServiceAsked, Threshold, []string{Journey}, reflect.TypeFor[ServiceAskedData](),
		"A service was asked for help with a journey, and somebody sees to it that it answers.",
		"A member of staff asked a service whether it can support you. Somebody here looks after the answer.", false},
	{ServiceAnswered, Threshold, []string{Bridging, Journey}, reflect.TypeFor[ServiceAnsweredData](),
		"What a service answered was recorded. No reply means asking again.",
		"What a service told us was written down. Whatever it was, somebody here goes on looking with you.", false},
	{ServiceLineReported, Threshold, []string{Journey}, reflect.TypeFor[ServiceLineReportedData](),
		"A published number or link of a service was reported to reach nobody; somebody sees to it.",
		"Somebody told us that a service cannot be reached as published, and we are checking it.", false},
	{ServiceLineMended, Threshold, []string{Journey}, reflect.TypeFor[ServiceLineMendedData](),
		"A published number or link that had reached nobody works again, or was replaced.",
		"A service that could not be reached as published can be reached again.", false},

	{OfferRaised, Followup, []string{Bridging, Journey, Delivery}, reflect.TypeFor[OfferRaisedData](),
		"A follow-up offer has been prepared for one partner; nothing has left the NHS boundary.",
		"We prepared an offer of a follow-up session for you. It goes no further unless you say yes.", false},
	{OfferCleared, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferClearedData](),
		"The offer may be told to its partner, at first or after a pause; that it was told is not said by this.",
		"An organisation that you said yes to can be asked now.", false},
	{OfferPaused, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferPausedData](),
		"The offer keeps its place, and nobody outside is told anything of it until it is cleared again.",
		"Your follow-up session is paused for now, and your place is kept.", true},
	{OfferSent, Followup, []string{Journey}, reflect.TypeFor[OfferSentData](),
		"A channel's server has taken the offer for its partner; whether the partner knows is not known yet.",
		"We have asked an organisation that you said yes to whether it has a place for you.", true},
	{OfferAcknowledged, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferAcknowledgedData](),
		"The offer is with its partner: their system, or somebody there, said so.",
		"The organisation has received what we asked it.", false},
	{OfferNudged, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferNudgedData](),
		"The partner is reminded of what it was asked for: an answer, a time, or how a session went.",
		"We reminded the organisation that we are waiting to hear from it.", true},
	{OfferNotInTime, Followup, []string{Journey}, reflect.TypeFor[OfferNotInTimeData](),
		"The last day of an offer's window is near and no session is within it; a navigator sees to it.",
		"Your follow-up session may come later than we hoped. Somebody here looks after it.", false},
	{OfferAccepted, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[OfferAcceptedData](),
		"The partner has taken on the offer, and may read who the person is while a yes names it.",
		"An organisation that you said yes to has taken on your follow-up session.", true},
	{OfferConfirmed, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferConfirmedData](),
		"The person has said yes by name to the partner that had taken the offer on.",
		"You said yes to the organisation that has a place for you. It will agree on a time with you.", true},
	{OfferAcceptedLate, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferAcceptedLateData](),
		"A partner that had been passed over says yes beside another's acceptance; the person chooses.",
		"Another organisation has a place for you too. Which one it is to be is up to you.", true},
	{OfferDeclined, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[OfferDeclinedData](),
		"The partner does not take on the offer; it reads nothing.",
		"One organisation has no place for you at present. Somebody here goes on looking with you.", true},
	{OfferPassedOn, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferPassedOnData](),
		"The partner has not answered in time, and the next is asked; its yes is welcome still.",
		"We have not heard from one organisation, so we are asking another.", true},
	{OfferWithdrawn, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[OfferWithdrawnData](),
		"The offer no longer stands.",
		"The offer of a follow-up session is no longer going ahead as planned. Other support stays available to you.",
		true},
	{OfferHandedBack, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[OfferHandedBackData](),
		"The partner gives an accepted offer back, and reads nothing any more.",
		"The organisation has passed your follow-up session back to us, and somebody here looks after it.", true},
	{OfferUndone, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[OfferUndoneData](),
		"The partner took its answer back before it had looked at who the person is; it is asked again.",
		"The organisation took back what it had answered, and we are asking it again.", true},
	{OfferIntroduced, Followup, []string{Journey}, reflect.TypeFor[OfferIntroducedData](),
		"The person was introduced to whoever sees them at the partner: by a worker's name, or in one call together.",
		"You were introduced to whoever you will meet at the organisation.", false},
	{OfferPossiblyKnown, Followup, []string{Journey}, reflect.TypeFor[OfferPossiblyKnownData](),
		"Somebody at the partner may know the person; a navigator sees to it that somebody else looks after them.",
		"Somebody at the organisation may know you, so somebody else looks after this. Nobody is to blame.", false},
	{OfferQuestioned, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferQuestionedData](),
		"The partner has a question about the offer, by a code; a navigator answers.",
		"The organisation asked us something about your follow-up session, and we are answering.", false},
	{OfferQuestionAnswered, Followup, []string{Journey, Delivery}, reflect.TypeFor[OfferQuestionAnsweredData](),
		"A partner's question about an offer has been answered.",
		"We have answered what the organisation asked us.", true},
	{OfferDeletionConfirmed, Followup, []string{Intake, Journey, Delivery},
		reflect.TypeFor[OfferDeletionConfirmedData](),
		"The partner said what it did with what it had been told: deleted, or kept, and why.",
		"The organisation told us what it did with what it knew of you.", true},
	{OfferExhausted, Followup, []string{Intake, Journey}, reflect.TypeFor[OfferExhaustedData](),
		"No partner is left to ask; the navigator holds the journey.",
		"We have not found a place for a follow-up session yet. A navigator is now looking for you.", false},

	{AppointmentBooked, Followup, []string{Bridging, Journey, Delivery}, reflect.TypeFor[AppointmentBookedData](),
		"A session has a time, agreed with the person.",
		"Your follow-up session has a time. It is separate from the hospital team’s own follow-up.", true},
	{AppointmentKept, Followup, []string{Bridging, Journey, Delivery}, reflect.TypeFor[AppointmentKeptData](),
		"A session has taken place.",
		"You had your follow-up session.", true},
	{AppointmentNotKept, Followup, []string{Bridging, Journey, Delivery}, reflect.TypeFor[AppointmentNotKeptData](),
		"A session has not taken place as agreed; it costs the person nothing, and another time is looked for.",
		"Your follow-up session did not take place. That is fine: another time can be found.", true},
	{AppointmentCancelled, Followup, []string{Bridging, Journey, Delivery}, reflect.TypeFor[AppointmentCancelledData](),
		"A session does not take place at its time; where somebody is about to go, a navigator rings the partner.",
		"Your follow-up session does not take place at the time that was agreed. Somebody here looks after it.", true},

	{FollowupCompleted, Followup, []string{Intake, Journey, Delivery}, reflect.TypeFor[FollowupCompletedData](),
		"What the offer was for has been done; the partner reads for 14 days more.",
		"Your follow-up session has taken place. Other support stays available to you.", true},

	{PartnerChanged, Followup, []string{Intake, Bridging}, reflect.TypeFor[PartnerChangedData](),
		"What stands of a partner: its agreement, pause and holidays, and for whom outward sending is on. It is about " +
			"no journey: its subject is the partner's opaque id.",
		"An organisation that works with us changed when it can take people on.", false},

	{DeliveryMade, Delivery, []string{Followup, Journey}, reflect.TypeFor[DeliveryMadeData](),
		"An offer has left for its partner, or is with it.",
		"A message about your follow-up session has gone out.", false},
	{DeliveryFailed, Delivery, []string{Followup, Journey}, reflect.TypeFor[DeliveryFailedData](),
		"An offer could not be brought to its partner; a navigator tells them another way.",
		"We could not reach an organisation in the usual way, and are trying another.", false},
	{ReferrerUntold, Delivery, []string{Journey}, reflect.TypeFor[ReferrerUntoldData](),
		"A mail to the team that asked for support, or sent them home, did not come; a navigator tells them another " +
			"way.",
		"We could not reach the team that asked for support for you by e-mail, and are trying another way.", false},
	{ReferrerTold, Delivery, []string{Journey}, reflect.TypeFor[ReferrerToldData](),
		"Mail to the team that asked for support, or sent them home, goes again, and says that news waits for them.",
		"The team that asked for support for you can be reached by e-mail again.", false},

	{BridgingProposed, Bridging, []string{Journey}, reflect.TypeFor[BridgingProposedData](),
		"A plan of short calls is proposed; none is made before the person's yes.",
		"We suggested short calls to keep in touch while you wait. It is up to you.", false},
	{BridgingStarted, Bridging, []string{Journey}, reflect.TypeFor[BridgingStartedData](),
		"The person said yes to a plan of short calls.",
		"You said yes to short calls while you wait. You can pause or stop them at any time.", false},
	{BridgingPaused, Bridging, []string{Journey}, reflect.TypeFor[BridgingPausedData](),
		"No call is made until the plan is resumed.",
		"Your calls are paused for now.", false},
	{BridgingResumed, Bridging, []string{Journey}, reflect.TypeFor[BridgingResumedData](),
		"A plan that was paused goes on.",
		"Your calls go on.", false},
	{BridgingEnded, Bridging, []string{Journey}, reflect.TypeFor[BridgingEndedData](),
		"A plan of short calls is over.",
		"The short calls have come to an end. You can ask for them again at any time.", false},
	{BridgingReview, Bridging, []string{Journey}, reflect.TypeFor[BridgingReviewData](),
		"A plan of short calls is half a year old, or its next call comes much later than agreed, because whoever " +
			"rings is away: somebody is asked to look at it with the person.",
		"Somebody will ask you whether your calls still suit you.", false},
	{CallScheduled, Bridging, []string{Journey}, reflect.TypeFor[CallScheduledData](),
		"A bridging call has a time.",
		"Your next call has been planned.", false},
	{CallClaimed, Bridging, []string{Intake, Journey}, reflect.TypeFor[CallClaimedData](),
		"Somebody rings now: until the outcome they may read the name and the number that were agreed.",
		"Somebody is about to ring you.", false},
	{CallReached, Bridging, []string{Intake, Journey}, reflect.TypeFor[CallReachedData](),
		"A bridging call reached the person.",
		"We spoke with you.", false},
	{CallUnanswered, Bridging, []string{Intake, Journey}, reflect.TypeFor[CallUnansweredData](),
		"A bridging call did not reach the person; it is tried again, and never ends anything.",
		"We rang and did not reach you. That is fine: we will try again at a time that suits you.", false},
	{CallOtherPerson, Bridging, []string{Intake, Journey}, reflect.TypeFor[CallOtherPersonData](),
		"Somebody else answered a bridging call and was told nothing; after the second time this number is not rung " +
			"before the person was asked.",
		"Somebody else answered when we rang. We told them nothing.", false},
	{CallNotMade, Bridging, []string{Intake, Journey}, reflect.TypeFor[CallNotMadeData](),
		"A bridging call was not made: that is ours, and counted apart from calls that nobody answered.",
		"We had planned to ring you and did not. We are sorry; another call is planned.", false},
	{AskedToStop, Bridging, []string{Intake, Journey}, reflect.TypeFor[AskedToStopData](),
		"Somebody on the telephone asked us to stop: the person themselves, which ends the calls, or another, which " +
			"pauses them until the person was asked.",
		"We were asked to stop ringing, and stopped. Other support stays available to you.", false},
	{HelpRequested, Bridging, []string{Journey}, reflect.TypeFor[HelpRequestedData](),
		"Help is needed now, somebody is concerned for the person's safety, or a caller was told that things are " +
			"worse: people on call are told.",
		"Somebody asked for help for you, and people on call were told.", false},
	{HelpAcknowledged, Bridging, []string{Journey}, reflect.TypeFor[HelpAcknowledgedData](),
		"Somebody on call has taken a request for help on.",
		"Somebody has taken on the request for help.", false},

	{JourneyOpened, Journey, []string{Intake}, reflect.TypeFor[JourneyOpenedData](),
		"A journey exists and has a next step with an owner and a due time.",
		"We know what happens next for you, and who is looking after it.", false},
	{JourneyHeld, Journey, []string{Intake, Followup, Bridging, Delivery}, reflect.TypeFor[JourneyHeldData](),
		"Somebody else holds the person for now: contact stops, offers keep their place, and somebody looks again on " +
			"a day.",
		"Others are looking after you at the moment, so we are not contacting you. Nothing of yours is lost, and " +
			"somebody here looks again.",
		false},
	{JourneyReleased, Journey, []string{Intake, Threshold, Followup, Bridging, Delivery},
		reflect.TypeFor[JourneyReleasedData](),
		"The journey goes on, and windows count anew.",
		"We can be in touch with you again, and the time for your follow-up starts anew.", false},
	{JourneyClosed, Journey, []string{Intake, Threshold, Followup, Bridging, Delivery},
		reflect.TypeFor[JourneyClosedData](),
		"A named human has closed the journey; nothing is offered, planned or asked any more, and grants end.",
		"A member of staff has brought this to a close. You can come back to it at any time.", false},
	{JourneyReopened, Journey, []string{Intake, Threshold, Followup, Bridging, Delivery},
		reflect.TypeFor[JourneyReopenedData](),
		"A closed journey is open again: the person is asked anew what they want.",
		"We have picked this up again, and somebody will ask you what you would like.", false},
	{JourneyInVoid, Journey, nil, reflect.TypeFor[JourneyInVoidData](),
		"The guarantee would have been broken; a navigator step has been opened.",
		"We saw that your next step had not been taken care of in time, and asked a navigator to do so.", false},
}

// Registry returns every event type, in the order of the constants in types.go.
func Registry() []Entry { return slices.Clone(registry) }

// Lookup returns the entry of a type.
func Lookup(t Type) (Entry, bool) {
	i := slices.IndexFunc(registry, func(e Entry) bool { return e.Type == t })
	if i < 0 {
		return Entry{}, false
	}
	return registry[i], true
}

// Sentence returns what the person may read about an event of this type; it is "" for a type that is not known.
func Sentence(eventType string) string {
	e, _ := Lookup(Type(eventType))
	return e.Sentence
}

// SubscribedBy returns the types that a service hears on the bus. Their SubjectFilters are its subscription.
func SubscribedBy(service string) []Type {
	return typesOf(func(e Entry) bool { return e.OnBus() && slices.Contains(e.To, service) })
}

// EmittedBy returns the types that a service says. EmittedBy(Outside) are those taken at POST /events.
func EmittedBy(service string) []Type { return typesOf(func(e Entry) bool { return e.By == service }) }

// SubjectsSubscribedBy returns the NATS subject filters of SubscribedBy.
func SubjectsSubscribedBy(service string) []string {
	var filters []string
	for _, t := range SubscribedBy(service) {
		filters = append(filters, t.SubjectFilter())
	}
	return filters
}

// SubjectsEmittedBy returns the NATS subjects a service's user may publish to: one for each noun it speaks of. Of a
// noun that two services speak of, each may publish its own types only.
func SubjectsEmittedBy(service string) []string {
	var subjects []string
	for _, t := range EmittedBy(service) {
		subject := "footbridge." + t.Noun() + ".>"
		if shared(t) {
			subject = t.SubjectFilter()
		}
		if service != Outside && !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	return subjects
}

// shared says whether another service speaks of the same noun.
func shared(t Type) bool {
	e, _ := Lookup(t)
	return slices.ContainsFunc(registry, func(other Entry) bool {
		return other.OnBus() && other.By != e.By && other.Type.Noun() == t.Noun()
	})
}

func typesOf(wanted func(Entry) bool) []Type {
	var types []Type
	for _, e := range registry {
		if wanted(e) {
			types = append(types, e.Type)
		}
	}
	return types
}
