package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Steps: what each kind of next step is for, and what alone ends it. A step ends when what it was for has been recorded
// by whoever may, and the event that follows says so; nobody ends it by saying that it is done. The few kinds whose
// record is somebody's word that they did it say so in Done, with what is to be said.

// StepKind is one kind of next step.
type StepKind struct {
	// Kind is its code.
	Kind string
	// Words say what is to be done, for whoever does it. Of some kinds StepWords knows them better, by what is asked.
	Words string
	// Ends are the requests that record what it was for, the usual one first.
	Ends []Ending
	// Until says what ends it that is no request of staff: it completes 'It ends when'.
	Until string
	// Done is who may end it by their word, and what they say; nil where nobody may.
	Done *Ending
	// Asks says that it asks the person something, so that having tried in vain is recorded too.
	Asks bool
	// Where says what to do, of a kind that nobody records by a request of its own.
	Where string
}

// Ending is a request that records what a step was for.
type Ending struct {
	// Route is the method and the pattern of the route table.
	Route string
	// By are the roles that end a step so, of those that may send the request.
	By []Role
	// Words say what it does, on a button.
	Words string
	// Fields are what it asks for, by their names in the body.
	Fields []Asked
}

// Asked is a field of a request as a step asks for it.
type Asked struct {
	// Name is where it stands in the body; a name ending in a star stands for each fact that is asked for.
	Name string
	// Words ask for it.
	Words string
	// Value is known: it is sent as it is. In braces it is what the journey knows of the step: {service}.
	Value string
	// Optional says that the request is taken without it.
	Optional bool
	// Values narrows a closed list to those that end the step.
	Values []string
	// Seen says that what stands there is sent back as it was shown: nobody is asked for it, and what was changed in
	// between is refused.
	Seen bool
}

var (
	liaison    = []Role{SendingTeam, Navigator}
	navigators = []Role{Navigator}
	clinicians = []Role{YoungPeoplesClinician}
	partners   = []Role{Navigator, Partner} // what a partner said by telephone is recorded by a navigator
)

func consentTo(purpose, words string, by []Role, more ...Asked) Ending {
	return Ending{"POST /api/journeys/{id}/consent", by, "Record what they said", append(append([]Asked{
		{Name: "answers.0.purpose", Value: purpose}}, more...),
		Asked{Name: "answers.0.state", Words: words},
		Asked{Name: "how", Words: "How did they say it?"})}
}

var (
	recordContact = Ending{"POST /api/journeys/{id}/contact", []Role{SendingTeam, Navigator, YoungPeoplesClinician},
		"Record how to reach them", []Asked{
			{Name: "channels.0.channel", Words: "By which way?", Optional: true},
			{Name: "channels.0.value", Words: "Number or address", Optional: true},
			{Name: "channels.0.confirmed", Value: "true"}, {Name: "noSafeChannel", Words: "No way is safe",
				Optional: true},
			{Name: "arrangement", Words: "What was arranged instead, where no way is safe", Optional: true}}}
	holdJourney = Ending{"POST /api/journeys/{id}/hold", liaison, "Say who has the person, and until when", []Asked{
		{Name: "place", Words: "Where are they?"}, {Name: "heldBy", Words: "Who has them there? A role, such as " +
			"ward-team"}, {Name: "reviewOn", Words: "On which day does somebody look again?"}}}
	closeJourney = Ending{"POST /api/journeys/{id}/close", liaison, "Bring the journey to a close", []Asked{
		{Name: "reason", Words: "Why?"}, {Name: "told", Words: "How was the person told?"},
		{Name: "wayBack", Words: "How do they come back if they want to?"},
		{Name: "on", Words: "On which day did it happen?", Optional: true},
		{Name: "personAgrees", Words: "The person says so themselves", Optional: true},
		{Name: "service", Words: "Whose care has started?", Optional: true},
		{Name: "acknowledgedBy", Words: "Who there has taken over?", Optional: true},
		{Name: "tried", Words: "How were they tried?", Optional: true}}}
	nextByHand = []Asked{{Name: "next.kind", Words: "What happens next? Words joined by hyphens, such as ring-back"},
		{Name: "next.owner", Words: "Who does it? Such as team:liaison"}, {Name: "next.dueAt", Words: "By when?"}}
)

func doneBy(by []Role, words string, fields ...Asked) *Ending {
	return &Ending{"POST /api/steps/{id}/done", by, words, fields}
}

func ofOffer(what string, by []Role, words string, fields ...Asked) Ending {
	return Ending{"POST /api/offers/{id}/" + what, by, words, fields}
}

var answersOffer = []Ending{ofOffer("accept", partners, "Take it on"),
	ofOffer("decline", partners, "Say that there is no place", Asked{Name: "code", Words: "Why?"})}

// keptFields ask what a partner kept, and why.
var keptFields = []Asked{{Name: "kept", Words: "What is kept? Nothing where all is deleted", Optional: true},
	{Name: "keptBecause", Words: "Why is it kept?", Optional: true}}

var stepKinds = []StepKind{
	{Kind: "find-the-beginning", Words: "Find out how this journey began", Until: "the message that began it arrives",
		Ends: []Ending{closeJourney}},
	{Kind: "decide-after-cancellation", Words: "Ask the hospital whether they have left, as it took that back",
		Until: "the hospital says again that they have left",
		Ends:  []Ending{closeJourney, holdJourney}},
	{Kind: "confirm-contact-stopped", Words: "Check whether it is right that nobody contacts them",
		Ends: []Ending{{"POST /api/people/{ref}/contact-resumed", navigators, "Let contact go on",
			[]Asked{{Name: "reason", Words: "Why? Who said so?"}}}},
		Done: doneBy(navigators, "It is right", Asked{Name: "confirmedBy", Words: "Who confirmed it?"})},
	{Kind: "review-the-hold", Words: "Look again: does somebody else still have the person?", Ends: []Ending{
		{"POST /api/journeys/{id}/release", liaison, "They are back: let the journey go on", nil}, holdJourney,
		closeJourney}},
	{Kind: "clinician-decides", Words: "Say who may be asked, and how",
		Ends: []Ending{{"POST /api/journeys/{id}/consent", clinicians, "Record who may answer", []Asked{
			{Name: "mayConsent.basis", Words: "Who answers for what they want?"},
			{Name: "mayConsent.whosePhone", Words: "Whose phone is it? Say so if there is none"},
			{Name: "mayConsent.mayKnow", Words: "Who may know, and who must not? Say so if nobody may"}}}}},
	{Kind: "check-with-the-hospital", Words: "Ask the hospital what its message left open",
		Done: doneBy(liaison, "Record what was found", Asked{Name: "found", Words: "What was found?"})},
	{Kind: "place-the-origin", Words: "Say whose hospital this came from",
		Ends: []Ending{{"POST /api/facilities/{id}/place", navigators, "Say whose it is", []Asked{
			{Name: "organisation", Words: "ODS code of the organisation"}}}}},
	{Kind: "ask-how-to-reach", Words: "Find a safe way to reach them: no telephone and no address came", Asks: true,
		Ends: []Ending{recordContact}},
	{Kind: "find-where-they-are", Words: "Find out how to reach them where they went, or who has them there",
		Asks: true, Ends: []Ending{holdJourney, recordContact}},
	{Kind: "ask-again-on-return", Words: "Ask what they would like, now that they have come back", Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Would they like a follow-up session?", liaison)}},
	{Kind: "are-these-one-person", Words: "Compare two records: are they one person, or two?", Ends: compareRecords},
	{Kind: "ask-the-person", Words: "Ask the person what they would like", Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Would they like a follow-up session?",
			[]Role{SendingTeam, Navigator, YoungPeoplesClinician})}},
	{Kind: "ask-the-parent", Words: "Ask who holds parental responsibility what they and the young person would like",
		Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Would they like a follow-up session?",
			[]Role{SendingTeam, Navigator, YoungPeoplesClinician}, Asked{Name: "giver", Value: AnswersParent})}},
	{Kind: "decide-how-to-reach", Words: "Decide how to reach the person, who was asked three times in vain",
		Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "They were reached: would they like a follow-up session?",
			navigators), closeJourney},
		Done: doneBy(navigators, "Record what was decided",
			append([]Asked{{Name: "decided", Words: "What was decided?"}}, nextByHand...)...)},
	{Kind: "arrange-follow-up", Words: "Find an organisation for the follow-up session; ask the person again where " +
		"a place was given up since they were not reached", Asks: true,
		Until: "an offer has been prepared for one",
		Ends: []Ending{consentTo(PurposeFollowUp, "They were reached: would they still like one?", navigators),
			closeJourney}},
	{Kind: "tell-the-partner", Words: "Nobody outside has been told yet: find out why, and tell an organisation",
		Until: "the offer has gone out to its organisation",
		Ends: []Ending{ofOffer("accept", navigators, "They said yes on the telephone"),
			ofOffer("decline", navigators, "They said no on the telephone", Asked{Name: "code", Words: "Why?"})}},
	{Kind: "partner-answers", Words: "Answer the offer of a follow-up session",
		Until: "the organisation answers, or the next one is asked", Ends: answersOffer},
	{Kind: "may-know", Words: "See to it that somebody else looks after the person: one at the organisation may know " +
		"them",
		Done: doneBy(navigators, "Record who sees to it", Asked{Name: "seenTo", Words: "Who sees to it now?"})},
	{Kind: "answer-the-partner", Words: "Answer what the organisation asked", Ends: []Ending{
		ofOffer("question", navigators, "Answer", Asked{Name: "question", Value: "{question}"},
			Asked{Name: "reply", Words: "What is the answer?"})}},
	{Kind: "ask-about-partner", Words: "Ask the person whether they would like the organisation that has a place for " +
		"them", Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Would they like this organisation?", liaison,
			Asked{Name: "answers.0.organisation", Value: "{partner}"})}},
	{Kind: "choose-a-partner", Words: "Ask the person which of two organisations they would like", Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Would they like this organisation?", liaison,
			Asked{Name: "answers.0.organisation", Words: "Which one?"})}},
	{Kind: "partner-arranges", Words: "Agree on a time with the person",
		Until: "a time has been agreed, or the organisation hands it back", Ends: []Ending{
			ofOffer("appointment", partners, "Record the time", Asked{Name: "startsAt", Words: "When?"},
				Asked{Name: "channel", Words: "How do they meet?"},
				Asked{Name: "minutes", Words: "How long, in minutes?", Optional: true}),
			ofOffer("hand-back", partners, "Hand it back", Asked{Name: "reason", Words: "Why?"})}},
	{Kind: "introduce", Words: "Introduce the person to whoever they will meet: tell them who it is, or ring together" +
		" once",
		Until: "they have been introduced, or have met", Ends: []Ending{
			ofOffer("introduce", partners, "Record how they were introduced",
				Asked{Name: "how", Words: "How were they introduced?"})}},
	{Kind: "session", Words: "Hold the session, and say how it went", Until: "the organisation says how it went",
		Ends: []Ending{
			ofOffer("outcome", partners, "Say how it went", Asked{Name: "outcome", Words: "Did it take place?"},
				Asked{Name: "next", Words: "What comes next?", Optional: true}),
			ofOffer("hand-back", partners, "Hand it back", Asked{Name: "reason", Words: "Why?"})}},
	{Kind: "ask-what-next", Words: "Ask the person what comes next, and record it",
		Until: "the organisation has recorded what comes next", Ends: []Ending{
			ofOffer("outcome", partners, "Record what comes next", Asked{Name: "outcome", Value: "kept"},
				Asked{Name: "next", Words: "What comes next?"})}},
	{Kind: "another-time", Words: "Decide with the person how to go on: the session did not take place, more than once",
		Asks:  true,
		Until: "another time has been agreed",
		Ends:  []Ending{closeJourney}, Done: doneBy(navigators, "Record what happens next", nextByHand...)},
	{Kind: "late-follow-up", Words: "See to it that the session is by the last day of its window, or tell the person " +
		"that it comes later", Asks: true,
		Until: "a session has a time by that day",
		Where: "Look at the other steps of the journey, and do first what keeps the session from having a time. Ring " +
			"whoever holds them.",
		Done: doneBy(navigators, "It comes later: record what they said to that",
			Asked{Name: "told", Words: "How were they told, and what did they say?"})},
	{Kind: "find-a-place", Words: "Find a place for a follow-up session: no organisation has one", Asks: true,
		Until: "an offer has been prepared for another organisation",
		Ends:  []Ending{consentTo(PurposeFollowUp, "Would they still like one?", navigators), closeJourney},
		Done: doneBy(navigators, "There is none: record how they were told so, and what happens next",
			append([]Asked{{Name: "told", Words: "How were they told that no organisation has a place for now?"}},
				nextByHand...)...)},
	{Kind: "tell-the-person", Words: "Tell the person what has changed", Asks: true,
		Done: doneBy(liaison, "Record how they were told", Asked{Name: "told", Words: "How were they told?"})},
	{Kind: "ring-the-partner", Words: "Ring the organisation now: the person is not to be contacted, and somebody is " +
		"about to go",
		Done: doneBy(navigators, "Record who heard",
			Asked{Name: "heard", Words: "Who heard it there? A role, such as duty-worker, never a name"})},
	{Kind: "reach-the-partner", Words: "Ring the organisation: what it was sent about the follow-up session has not " +
		"reached it",
		Done: doneBy(navigators, "Record who heard",
			Asked{Name: "heard", Words: "Who heard it there? A role, such as duty-worker, never a name"})},
	{Kind: "tell-the-referrer", Words: "Tell the team that asked for support, or sent them home, another way: a mail " +
		"that news waits for it did not come", Until: "mail to it goes again",
		Where: "Say that news waits on its page of referrals, and ask for a mailbox that works.",
		Done: doneBy(navigators, "Record who heard",
			Asked{Name: "heard", Words: "Who heard it there? A role, such as liaison-nurse, never a name"})},
	{Kind: "ring-the-caller", Words: "Tell whoever is about to ring: the person is not to be contacted",
		Done: doneBy(navigators, "Record who heard",
			Asked{Name: "heard", Words: "Who heard it? A role, such as caller, never a name"})},
	{Kind: "confirm-deletion", Words: "Have the organisation’s data contact say what it did with what it knew",
		Until: "the organisation says what it deleted or kept",
		Ends:  []Ending{ofOffer("confirm-deletion", partners, "Record what it did", keptFields...)}},
	{Kind: "ask-data-contact", Words: "Write to the organisation’s data contact: it has not said what it did with " +
		"what it knew", Until: "the organisation says what it deleted or kept",
		Ends: []Ending{ofOffer("confirm-deletion", partners, "Record what it did", keptFields...)},
		Done: doneBy(navigators, "Record whom you wrote to",
			Asked{Name: "heard", Words: "Who there was written to? A role, such as data-lead, never a name"})},
	{Kind: "deletion-unconfirmed", Words: "Ask the organisation’s data lead what it did with what it knew, if it has " +
		"not said", Until: "the organisation says what it deleted or kept",
		Ends: []Ending{ofOffer("confirm-deletion", partners, "Record what it did", keptFields...)}},
	{Kind: "bridge-the-gap", Words: "Ask a service for support: none is open as published", Ends: []Ending{
		{"POST /api/journeys/{id}/asked", liaison, "Record that a service was asked",
			[]Asked{{Name: "service", Words: "Which service?"}}}}},
	{Kind: "service-answers", Words: "See to it that a service answers", Ends: []Ending{serviceAnswered}},
	{Kind: "ask-the-service-again", Words: "Ask a service again that has not replied", Ends: []Ending{
		{"POST /api/journeys/{id}/asked", liaison, "Record that it was asked again",
			[]Asked{{Name: "service", Value: "{service}"}}}, serviceAnswered}},
	{Kind: "ask-the-service-why", Words: "Ask a service about a no that it agreed not to give",
		Ends: []Ending{serviceAnswered}},
	{Kind: "share-the-assessment", Words: "Tell a service who holds the last assessment and what has changed since, " +
		"before it asks for another", Until: "the service answers",
		Ends: []Ending{{"POST /api/journeys/{id}/assessment", liaison, "Record that it was told",
			[]Asked{{Name: "service", Value: "{service}"},
				{Name: "changed", Words: "What has changed since the assessment?"},
				{Name: "holder", Words: "Who holds it, if nobody has recorded that? Such as team:ed-liaison",
					Optional: true},
				{Name: "on", Words: "On which day was it?", Optional: true},
				{Name: "aftercare", Words: "Who is the 48-hour aftercare with, if nobody has recorded that?",
					Optional: true}}}}},
	{Kind: "first-contact", Words: "Be in touch early, as they asked: how are they, and is what they said still right?",
		Asks: true, Ends: []Ending{
			{"POST /api/journeys/{id}/first-contact", teams, "Record what became of it",
				[]Asked{{Name: "outcome", Words: "What became of it?"}}}}},
	{Kind: "find-out", Words: "Ask for what is not known yet", Asks: true, Ends: []Ending{
		{"POST /api/journeys/{id}/facts", liaison, "Record what they said", []Asked{{Name: "facts.*", Optional: true},
			{Name: "notSaid", Words: "What they would rather not say, or nobody can find out", Optional: true}}}}},
	{Kind: "ask-about-calls", Words: "Ask whether short calls would be welcome", Asks: true,
		Ends: []Ending{consentTo(PurposeBridging, "Would they like short calls?", liaison)}},
	{Kind: "renew-consent", Words: "Ask whether a yes that is ending should go on", Asks: true,
		Ends: []Ending{consentTo(PurposeFollowUp, "Should it go on?", liaison),
			consentTo(PurposeBridging, "Should the calls go on?", liaison)}},
	{Kind: "ask-about-contact", Words: "Ask whether a new number or address is safe to use", Asks: true,
		Ends: []Ending{recordContact}},
	{Kind: "ask-about-own-page", Words: "Ask the person, in the way agreed before, about what was said or tried on " +
		"their page: somebody else may have the code", Asks: true,
		Done: doneBy(liaison, "Record how they were asked", Asked{Name: "told", Words: "How were they asked?"})},
	{Kind: "review-the-look", Words: "Review why staff of another organisation looked at this journey: their reasons " +
		"stand in what has happened", Ends: []Ending{{"POST /api/journeys/{id}/look-review", navigators,
		"Record what you found", []Asked{{Name: "finding", Words: "Were the looks in order?"},
			{Name: "passedTo", Words: "Where one was not: which role has it now? Such as privacy-officer",
				Optional: true}}}}},
	{Kind: "confirm-merge", Words: "Compare two records that were joined, and confirm or part them", Ends: []Ending{
		{"POST /api/people/{ref}/merge", liaison, "Confirm that they are one person",
			[]Asked{{Name: "other", Value: "{other}"}, {Name: "confirm", Value: "true"},
				{Name: "reason", Words: "How do you know?"}}},
		{"POST /api/people/{ref}/unmerge", liaison, "Part them: they are two people",
			[]Asked{{Name: "other", Value: "{other}"}, {Name: "reason", Words: "How do you know?"}}}}},
	{Kind: "bridging-call", Words: "Make a short call", Until: "what became of the call is recorded", Ends: []Ending{
		{"POST /api/calls/{id}/outcome", []Role{SendingTeam, Navigator, Caller, Partner}, "Record how the call went",
			[]Asked{
				{Name: "outcome", Words: "What became of the call?"},
				{Name: "answer", Words: "How are things, in the person’s own words? As they were reached",
					Optional: true},
				{Name: "reason", Words: "Why was it not made?", Optional: true},
				{Name: "by", Words: "Who asked to stop?", Optional: true}}}}},
	{Kind: "calls-unanswered", Words: "Decide how to be in touch: two calls in a row reached nobody",
		Asks:  true,
		Until: "a call reaches the person",
		Ends: []Ending{recordContact, consentTo(PurposeBridging, "They were reached: would they like calls to go on?",
			navigators)},
		Done: doneBy(navigators, "Record what was decided",
			append([]Asked{{Name: "decided", Words: "What was decided?"}}, nextByHand...)...)},
	{Kind: "number-not-theirs", Words: "Ask the person by another way whether their number is safe: somebody else " +
		"answered, or it is wrong", Asks: true, Ends: []Ending{recordContact}},
	{Kind: "find-who-rings", Words: "Ask the person who may ring them now, or at which other hours: those to whom " +
		"they said yes cannot at present", Asks: true, Until: "somebody rings them again, or they want no calls",
		Ends: []Ending{consentTo(PurposeBridging, "Would they like calls to go on?", navigators,
			Asked{Name: "answers.0.organisation", Words: "By which organisation?", Optional: true})}},
	{Kind: "look-at-the-calls",
		Words: "Ask the person whether their calls still suit them: they have gone on for half " +
			"a year, or the next one comes over a week late, as whoever rings is away", Asks: true,
		Until: "they have said whether the calls go on, or want none",
		Ends: []Ending{consentTo(PurposeBridging, "Would they like calls to go on?", navigators,
			Asked{Name: "answers.0.organisation", Words: "By which organisation?", Optional: true})}},
	{Kind: "ask-whether-to-stop", Words: "Ask the person whether they want the calls to stop, as somebody else said so",
		Asks: true,
		Ends: []Ending{consentTo(PurposeBridging, "Would they like calls to go on?", navigators)}},
	{Kind: "help-needed-now", Words: "Help is needed now: take it on", Until: "somebody on call has taken it on",
		Ends: helpTakenOn},
	{Kind: "help-safety", Words: "Somebody is worried about the person’s safety: take it on",
		Until: "somebody on call has taken it on", Ends: helpTakenOn},
	{Kind: "help-worse", Words: "The person said that things are worse: be in touch with them",
		Until: "somebody on call has taken it on", Ends: helpTakenOn},
	{Kind: "turns-18", Words: "Agree who looks after them when they turn 18",
		Done: doneBy([]Role{YoungPeoplesClinician, Navigator}, "Record who takes over",
			Asked{Name: "takesOver", Words: "Who takes over? Such as service:adult-team or partner:id"})},
	{Kind: "first-meeting-at-18", Words: "Stay with them until they have met the adults’ service",
		Done: doneBy([]Role{YoungPeoplesClinician, Navigator}, "They have met",
			Asked{Name: "on", Words: "On which day did they meet?"})},
	{Kind: "what-next", Words: "Decide together what happens next", Asks: true,
		Ends: []Ending{closeJourney, holdJourney},
		Done: doneBy(navigators, "Record what happens next", nextByHand...)},
	{Kind: "take-over", Words: "Take on a step that is past its time",
		Until: "that step is done, or a navigator has taken it on",
		Where: "The step that is past its time stands on the journey, with who was to do it. Ring them, do it " +
			"yourself, or take it on."},
	{Kind: "find-what-is-lost", Words: "Find the journey that a service still holds",
		Done: doneBy(navigators, "It is put right", Asked{Name: "found", Words: "What was found?"})},
	{Kind: "mend-what-failed", Words: "Put right what could not be processed",
		Done: doneBy(navigators, "It is put right", Asked{Name: "found", Words: "What was found?"})},
	{Kind: "read-the-message", Words: "Read a message that could not be used", Ends: []Ending{
		{"POST /api/messages/{id}/release", []Role{Navigator, Operator}, "Read it again", nil},
		{"POST /api/messages/{id}/dismiss", navigators, "It is of no concern here", nil}}},
	{Kind: "review-the-searches", Words: "Review what was searched for", Ends: []Ending{
		{"POST /api/people/searches/review", navigators, "Record what you found", []Asked{
			{Name: "upTo", Value: "{search}"}, {Name: "finding", Words: "Were the searches in order?"},
			{Name: "passedTo", Words: "Where one was not: which role has it now? Such as privacy-officer",
				Optional: true}}}},
		Where: "Your own searches are somebody else’s to review. If none but yours wait, ask the deputy."},
	{Kind: "mend-the-line", Words: "Check how a service can be reached",
		Ends: []Ending{{"POST /api/services/{id}/dead-line", navigators, "It works again", nil}}},
}

var (
	compareRecords = []Ending{
		{"POST /api/people/{ref}/merge", navigators, "They are one person",
			[]Asked{{Name: "other", Words: "Reference of the other record"}, {Name: "confirm", Value: "true"},
				{Name: "reason", Words: "How do you know?"}}},
		{"POST /api/people/{ref}/unmerge", navigators, "They are two people",
			[]Asked{{Name: "other", Words: "Reference of the other record"},
				{Name: "reason", Words: "How do you know?"}}}}
	serviceAnswered = Ending{"POST /api/journeys/{id}/answered", liaison, "Record what it answered",
		[]Asked{{Name: "service", Value: "{service}"},
			{Name: "answer", Words: "What did it answer?"}, {Name: "reason", Words: "Why, if it said no?",
				Optional: true},
			{Name: "words", Words: "What did it say of itself, in its own words?", Optional: true}}}
	helpTakenOn = []Ending{{"POST /api/help/{id}/acknowledge", []Role{Navigator, SendingTeam, YoungPeoplesClinician},
		"I am taking this on", nil}}
)

// StepKinds returns the whole table, in its order.
func StepKinds() []StepKind { return slices.Clone(stepKinds) }

// StepKindOf returns a kind of the table. One that is not there was named by somebody for their own next step.
func StepKindOf(kind string) (StepKind, bool) {
	i := slices.IndexFunc(stepKinds, func(k StepKind) bool { return k.Kind == kind })
	if i < 0 {
		return StepKind{}, false
	}
	return stepKinds[i], true
}

// byTheirWord are the few kinds whose record is somebody's word; a step that somebody named themselves is one.
func (k StepKind) byTheirWord() *Ending {
	if k.Kind == "" {
		return doneBy(liaison, "Mark as done")
	}
	return k.Done
}

// Unsaid are the members that somebody's word about a step of the kind must hold and does not.
func (k StepKind) Unsaid(said StepDone) []string {
	done := k.byTheirWord()
	if done == nil {
		return nil
	}
	text, err := json.Marshal(said)
	var there map[string]any
	if err != nil || json.Unmarshal(text, &there) != nil {
		return []string{"body"}
	}
	var missing []string
	for _, f := range done.Fields {
		member, _, _ := strings.Cut(f.Name, ".")
		if there[member] == nil && !f.Optional && !slices.Contains(missing, member) {
			missing = append(missing, member)
		}
	}
	return missing
}

// StepAbout is what a step is about, as its journey knows it: ids for the paths and values of its requests, what is
// asked for, and the codes of what is to be checked.
type StepAbout struct {
	// IDs are by what they are: journey, step, person, other, offer, partner, question, call, help, service, facility,
	// referrer, message, search.
	IDs map[string]string
	// Facts are asked for, Flags are checked.
	Facts, Flags []string
}

// Action is a request that is open to somebody, so that a page or another system can build its form.
type Action struct {
	Method string  `json:"method"`
	Path   string  `json:"path"`
	Words  string  `json:"words"`
	Fields []Field `json:"fields"`
	// Leaves says what leaves the NHS by it: whoever fills it in looks at it once more before it is sent.
	Leaves string `json:"leaves,omitempty"`
	// LeavesBy is the answer by which it leaves; absent: whatever is answered.
	LeavesBy string `json:"leavesBy,omitempty"`
}

// leaving are the requests by which something leaves the NHS, by route, and the answer by which it does.
var leaving = map[string]struct{ words, by string }{
	"POST /api/journeys/{id}/consent": {"With a yes an organisation outside the hospital is asked, and the one that " +
		"takes it on can read who the person is and how to reach them.", "given"},
	"POST /api/journeys/{id}/summary": {"The organisation that is named can read the person’s words once it has " +
		"taken them on.", "given"},
	"POST /api/offers/{id}/question": {"The answer goes to the organisation that asked.", ""},
}

// Actions are the requests by which a role can end a step of the kind now, and by which it records that the person was
// tried in vain.
func (k StepKind) Actions(role Role, about StepAbout) []Action {
	return openTo(role, about, k.endings()...)
}

// Doers are the roles that record what a step of the kind was for.
func (k StepKind) Doers() []Role {
	var doers []Role
	for _, e := range k.endings() {
		for _, role := range e.By {
			if !slices.Contains(doers, role) && !strings.HasSuffix(e.Route, "/no-answer") {
				doers = append(doers, role)
			}
		}
	}
	return doers
}

// Records are the requests by which anybody can end a step of the kind: what a refused done names.
func (k StepKind) Records(about StepAbout) []Action {
	actions := []Action{}
	for _, e := range k.Ends {
		if action, ok := e.action(about); ok {
			actions = append(actions, action)
		}
	}
	return actions
}

func (k StepKind) endings() []Ending {
	all := slices.Clone(k.Ends)
	if done := k.byTheirWord(); done != nil {
		all = append(all, *done)
	}
	if k.Asks {
		all = append(all, Ending{"POST /api/steps/{id}/no-answer", liaison, "They could not be reached",
			[]Asked{{Name: "channel", Words: "How were they tried?", Optional: true}}})
	}
	return all
}

// ids says by what each path is filled in.
var ids = map[string]string{"/api/journeys/{id}": "journey", "/api/steps/{id}": "step", "/api/people/{ref}": "person",
	"/api/offers/{id}": "offer", "/api/calls/{id}": "call",
	"/api/help/{id}": "help", "/api/services/{id}": "service", "/api/facilities/{id}": "facility",
	"/api/messages/{id}": "message",
	"/api/partners/{id}": "partner", "/api/organisations/{id}": "organisation"}

// action is the request about one step; none where its route is not served, or what it is about is not known.
func (e Ending) action(about StepAbout) (Action, bool) {
	method, pattern, _ := strings.Cut(e.Route, " ")
	if !slices.ContainsFunc(routes, func(r Route) bool { return r.Method == method && r.Pattern == pattern }) {
		return Action{}, false
	}
	out := leaving[e.Route]
	a := Action{Method: method, Path: pattern, Words: e.Words, Fields: []Field{}, Leaves: out.words,
		LeavesBy: out.by}
	for prefix, what := range ids {
		if rest, found := strings.CutPrefix(pattern, prefix); found {
			if about.IDs[what] == "" {
				return Action{}, false
			}
			a.Path = prefix[:strings.LastIndex(prefix, "/")+1] + about.IDs[what] + rest
		}
	}
	for _, asked := range e.Fields {
		fields, ok := e.fields(asked, about)
		if !ok {
			return Action{}, false
		}
		a.Fields = append(a.Fields, fields...)
	}
	return a, true
}

// fields are what one line of the table asks for; a value that is not known makes the whole request impossible.
func (e Ending) fields(asked Asked, about StepAbout) ([]Field, bool) {
	if before, star := strings.CutSuffix(asked.Name, "*"); star {
		var all []Field
		for _, fact := range about.Facts {
			f, err := formField(requestBodies[e.Route], before+fact)
			if err != nil {
				return nil, false
			}
			f.Words = upperFirst(factNouns[fact])
			all = append(all, f)
		}
		return all, true
	}
	f, err := formField(requestBodies[e.Route], asked.Name)
	if err != nil {
		return nil, false
	}
	f.Words, f.Value, f.Required, f.Seen = asked.Words, asked.Value, !asked.Optional, asked.Seen
	if asked.Values != nil {
		f.Values = asked.Values
	}
	if asked.Name == "notSaid" {
		f.Values = about.Facts
	}
	if name, known := strings.CutPrefix(f.Value, "{"); known {
		if f.Value = about.IDs[strings.TrimSuffix(name, "}")]; f.Value == "" {
			return nil, false
		}
	}
	return []Field{f}, true
}

// factNouns name the facts that somebody may be asked for.
var factNouns = map[string]string{"age": "age", "areaResidence": "home area", "areaStaying": "area they are staying in",
	"areaGP": "GP area", "registeredGP": "GP registration",
	"gender": "gender", "language": "language", "interpreterNeeded": "need of an interpreter",
	"route": "way of asking for support", "assessment": "assessment at the hospital",
	"destination": "place after leaving", "channels": "ways they like to talk",
	"workerGender": "wish for a worker of one gender", "hours": "hours in which they can meet",
	"access": "access needs", "group": "wish for a group of their own", "carer": "caring for somebody",
	"inEducation": "school or college", "lastSelfHarm": "last day in hospital for this", "waitingOn": "waiting lists",
	"openTo": "services they see", "ageRisesOn": "next age"}

// flagChecks say what is found out about a discharge that carries a flag. Flags that are not here have a step of their
// own, or call for none.
var flagChecks = map[string]string{
	FlagFutureDischarge: "when they left", FlagTimeNotBelieved: "when they came and left",
	FlagLeftBeforeArrival: "when they came and left",
	FlagNumberInvalid:     "what their NHS number is", FlagTextDamaged: "how their name is spelt",
	FlagNoVisitDetails:     "where they were seen and when they left",
	FlagDestinationUnknown: "where they went", FlagIndicatorUnknown: "whether they have died, or their record is " +
		"protected", FlagMerged: "which of two joined records is theirs",
	FlagUnverified: "who asked, by speaking with them",
	FlagLeftBefore: "whether they would still like the assessment",
}

// ChecksOf are those of a discharge's flags that call for a check with the hospital or the person.
func ChecksOf(flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(flag string) bool { return flagChecks[flag] == "" })
}

// StepWords say what is to be done in a step, and about what. A kind that somebody named themselves reads as they wrote
// it. No id stands in them but an organisation's public code: which service it is about is put into them by
// NamingService, by whoever knows its name.
func StepWords(kind string, about StepAbout) string {
	var parts []string
	switch k, known := StepKindOf(kind); {
	case !known:
		return upperFirst(strings.ReplaceAll(kind, "-", " "))
	case kind == "find-out" && len(about.Facts) > 0:
		for _, fact := range about.Facts {
			parts = append(parts, factNouns[fact])
		}
		return "Ask for their " + listWords(parts)
	case kind == "check-with-the-hospital" && len(ChecksOf(about.Flags)) > 0:
		for _, flag := range ChecksOf(about.Flags) {
			if !slices.Contains(parts, flagChecks[flag]) {
				parts = append(parts, flagChecks[flag])
			}
		}
		return "Find out " + listWords(parts)
	case kind == "tell-the-referrer" && about.IDs["referrer"] != "":
		return k.Words + " (organisation " + about.IDs["referrer"] + ")"
	default:
		return k.Words
	}
}

// NamingService puts a service's published name into the words of a step that is about one.
func NamingService(words, name string) string {
	if name == "" {
		return words
	}
	return strings.Replace(words, "a service", name, 1)
}

func listWords(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Refusal says why a step of the kind is not ended by 'done', or nothing: which request ends it, and what else.
func (k StepKind) Refusal(about StepAbout) string {
	if k.byTheirWord() != nil {
		return ""
	}
	var ways []string
	for _, e := range k.Ends {
		route := strings.NewReplacer("{id}", about.IDs[idOf(e.Route)], "{ref}",
			about.IDs[idOf(e.Route)]).Replace(e.Route)
		ways = append(ways, fmt.Sprintf("%s (%s, by %s)", route, strings.ToLower(e.Words[:1])+e.Words[1:],
			listRoles(e.By)))
	}
	text := "This step ends by the record of what it is for, never by somebody's word that it is done."
	if len(ways) > 0 {
		text += " Send " + strings.Join(ways, "; or ") + "."
	}
	if k.Until != "" {
		text += " It ends when " + k.Until + "."
	}
	return text
}

func idOf(route string) string {
	for prefix, what := range ids {
		if strings.Contains(route, prefix) {
			return what
		}
	}
	return ""
}

func listRoles(roles []Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return listWords(names)
}

// SeparateFrom is said on everything that speaks of the session: it takes nothing away from what the hospital
// promised. An empty organisation is that of whichever hospital each person left.
func SeparateFrom(organisation string) string {
	team := "the team at " + organisation
	if organisation == "" {
		team = "the team that the person was seen by"
	}
	return "This is separate from the hospital team's own follow-up, which is with " + team + "."
}
