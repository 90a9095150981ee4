package schemas

import (
	"slices"
	"strings"
)

// Actions that hang on no step: what may be said about an offer, a call and a partner at any time it is open to
// somebody. The services add them to what they answer, so that a page builds its forms from these and from nothing
// else.

// offerEndings are the requests about an offer, by the last part of their path, in the order in which a form shows
// them.
var offerEndings = []struct {
	may     string
	endings []Ending
}{
	{"accept", []Ending{ofOffer("accept", partners, "Say yes: take them on")}},
	{"decline", []Ending{ofOffer("decline", partners, "We have no place at present",
		Asked{Name: "code", Value: "no-place"}),
		ofOffer("decline", partners, "Say no, for another reason",
			Asked{Name: "code", Words: "Why?", Values: declineCodes})}},
	{"undo", []Ending{ofOffer("undo", partners, "Take your answer back")}},
	{"appointment", []Ending{ofOffer("appointment", partners, "Record the time you agreed on",
		Asked{Name: "startsAt", Words: "When does it begin?"},
		Asked{Name: "channel", Words: "How do you meet?"}, Asked{Name: "minutes", Words: "How long, in minutes?",
			Optional: true})}},
	{"introduce", []Ending{ofOffer("introduce", partners, "Say how they were introduced",
		Asked{Name: "how", Words: "How were they introduced?"})}},
	{"outcome", []Ending{ofOffer("outcome", partners, "Say how it went, and what comes next",
		Asked{Name: "outcome", Words: "Did it take place?"},
		Asked{Name: "next", Words: "What comes next, as you agreed with the person?", Optional: true})}},
	{"question", []Ending{ofOffer("question", []Role{Partner}, "Ask something",
		Asked{Name: "about", Words: "What is it about?"}),
		ofOffer("question", navigators, "Answer their question", Asked{Name: "question", Value: "{question}"},
			Asked{Name: "reply", Words: "What is the answer?"})}},
	{"may-know", []Ending{ofOffer("may-know", partners, "Somebody here may know the person",
		Asked{Name: "who", Words: "Who sees to it instead?"})}},
	{"hand-back", []Ending{ofOffer("hand-back", partners, "Hand it back", Asked{Name: "reason", Words: "Why?"},
		Asked{Name: "all", Words: "Everything that you have taken on goes back, not this alone", Optional: true})}},
	{"confirm-deletion", []Ending{ofOffer("confirm-deletion", partners, "Say what you did with what you knew",
		keptFields...)}},
}

// declineCodes are the reasons for a no that have no button of their own.
var declineCodes = slices.DeleteFunc(Values("offer-decline"), func(code string) bool {
	return code == "no-place" || code == "may-know"
})

// OfferActions are the requests about an offer that are open to a role, by what may be said about it now.
func OfferActions(role Role, may []string, about StepAbout) []Action {
	actions := []Action{}
	for _, e := range offerEndings {
		if slices.Contains(may, e.may) {
			actions = append(actions, openTo(role, about, e.endings...)...)
		}
	}
	return actions
}

// CallActions are the requests by which somebody says what became of a call.
func CallActions(role Role, about StepAbout) []Action {
	kind, _ := StepKindOf("bridging-call")
	return openTo(role, about, kind.Ends...)
}

// SayWhoAnswers is the request by which a young people's clinician records who may answer, whether or not a step asks
// for it: whoever comes back is looked at again.
func SayWhoAnswers(role Role, about StepAbout) []Action {
	kind, _ := StepKindOf("clinician-decides")
	return openTo(role, about, kind.Ends...)
}

// How a journey stands, as it is shown.
const (
	journeyOpen   = "open"
	journeyHeld   = "held"
	journeyClosed = "closed"
)

func ofJourney(what string, by []Role, words string, fields ...Asked) Ending {
	return Ending{"POST /api/journeys/{id}/" + what, by, words, fields}
}

// askedFacts are the facts that a form about a journey asks for at any time: those that the hospital's message seldom
// has, or has wrong.
var askedFacts = []string{"areaStaying", "areaResidence", "destination", "assessment", "language", "interpreterNeeded",
	"gender", "registeredGP"}

// journeyEndings are the requests about a journey as a whole, in the order in which a page shows them, and the states
// in which they are open. Those that are always open come first, so that a form that was opened before its journey was
// held is still the same one.
var journeyEndings = []struct {
	Ending
	states []string
}{
	{named(consentTo(PurposeFollowUp, "Would they like a follow-up session?", teams,
		Asked{Name: "answers.0.organisation", Words: "With which organisation?", Optional: true}),
		"Record what they said about a follow-up session"), []string{journeyOpen, journeyHeld}},
	{named(consentTo(PurposeBridging, "Would they like short calls while they wait?", liaison,
		Asked{Name: "answers.0.organisation", Words: "From which organisation?", Optional: true}),
		"Record what they said about short calls"), []string{journeyOpen, journeyHeld}},
	{named(consentTo(PurposeTellReferrer, "May whoever asked for support know that they met, and that what comes next "+
		"is agreed?", liaison), "Record whether whoever referred them may know more"),
		[]string{journeyOpen, journeyHeld}},
	{recordContact, []string{journeyOpen, journeyHeld}},
	{ofJourney("preferences", liaison, "Record what they would like",
		Asked{Name: "workerGender", Words: "Who would they like to talk to?", Optional: true},
		Asked{Name: "channels", Words: "How do they like to talk?", Optional: true},
		Asked{Name: "hours", Words: "When can they meet?", Optional: true},
		Asked{Name: "access", Words: "What access do they need?", Optional: true},
		Asked{Name: "language", Words: "Which language do they prefer?", Optional: true},
		Asked{Name: "interpreterNeeded", Words: "Would an interpreter help?", Optional: true}),
		[]string{journeyOpen, journeyHeld}},
	{ofJourney("facts", liaison, "Correct or add to what is known", Asked{Name: "facts.*", Optional: true}),
		[]string{journeyOpen, journeyHeld}},
	{ofJourney("correction", liaison, "Correct who the request is about",
		Asked{Name: "familyName", Words: "Family name, as it should be", Optional: true},
		Asked{Name: "givenName", Words: "Given names, as they should be", Optional: true},
		Asked{Name: "birthDate", Words: "Date of birth, as it should be", Optional: true},
		Asked{Name: "nhsNumber", Words: "NHS number, as it should be", Optional: true},
		Asked{Name: "reason", Words: "How do you know?"}), []string{journeyOpen, journeyHeld}},
	{ofJourney("summary", teams, "Keep their own words for whoever comes next",
		Asked{Name: "words", Words: "What would they like passed on, in their words?"}),
		[]string{journeyOpen, journeyHeld}},
	{ofJourney("summary", teams, "Pass their words on, or stop passing them on",
		Asked{Name: "release.0.organisation", Words: "To which organisation?"},
		Asked{Name: "release.0.state", Words: "What did they say to it?"}), []string{journeyOpen, journeyHeld}},
	{ofJourney("assessment", teams, "Record who holds the last assessment",
		Asked{Name: "holder", Words: "Who holds it?"}, Asked{Name: "on", Words: "On which day was it?"},
		Asked{Name: "aftercare", Words: "Who is the 48-hour aftercare with?", Optional: true},
		Asked{Name: "changed", Words: "What has changed since?", Optional: true}), []string{journeyOpen, journeyHeld}},
	{ofJourney("retold", teams, "Record that they had to tell it all again",
		Asked{Name: "to", Words: "To whom? A role, such as GP or ward team, never a name"},
		Asked{Name: "on", Words: "On which day? Today, where this is left out", Optional: true}),
		[]string{journeyOpen, journeyHeld}},
	{ofJourney("asked", liaison, "Record that a service was asked", Asked{Name: "service", Words: "Which service?"}),
		[]string{journeyOpen, journeyHeld}},
	{ofJourney("override", liaison, "Decide otherwise about a service",
		Asked{Name: "service", Words: "Which service?"}, Asked{Name: "door", Words: "Is it open to them?"},
		Asked{Name: "reason", Words: "Why?"}), []string{journeyOpen, journeyHeld}},
	{holdJourney, []string{journeyOpen, journeyHeld}},
	{ofJourney("first-contact", teams, "Record that they would like an early call",
		Asked{Name: "within", Words: "Within how many hours of leaving?"},
		Asked{Name: "by", Words: "Who is in touch with them?", Optional: true}), []string{journeyOpen}},
	{ofJourney("release", liaison, "They are back: let the journey go on"), []string{journeyHeld}},
	{closeJourney, []string{journeyOpen, journeyHeld}},
	{ofJourney("reopen", liaison, "Open it again"), []string{journeyClosed}},
}

// named is a request under words of its own, where a page shows several that are alike.
func named(e Ending, words string) Ending { e.Words = words; return e }

// JourneyActions are the requests about a journey as a whole that are open to a role, by how it stands.
func JourneyActions(role Role, journey, state string) []Action {
	about := StepAbout{IDs: map[string]string{"journey": journey}, Facts: askedFacts}
	actions := []Action{}
	for _, e := range journeyEndings {
		if slices.Contains(e.states, state) {
			actions = append(actions, openTo(role, about, e.Ending)...)
		}
	}
	return actions
}

func ofPartner(what string, by []Role, words string, fields ...Asked) Ending {
	return Ending{"PUT /api/partners/{id}/" + what, by, words, fields}
}

var partnerEndings = []Ending{
	ofPartner("capacity", partners, "Change your places and days",
		Asked{Name: "weekly", Words: "New people a week. 0 is no bound"},
		Asked{Name: "atMost", Words: "People at the same time. 0 is no bound"},
		Asked{Name: "works", Words: "On which days do you answer?"},
		Asked{Name: "channels", Words: "How can you meet? Nothing ticked is any way", Optional: true},
		Asked{Name: "languages", Words: "In which languages? Codes such as en or cy, with commas between them",
			Optional: true},
		Asked{Name: "workerGenders", Words: "Whom can people meet? Nothing ticked is anybody", Optional: true},
		Asked{Name: "hours", Words: "At which hours?", Optional: true},
		Asked{Name: "access", Words: "Which access can you give?", Optional: true},
		Asked{Name: "groups", Words: "For whom is there a group of their own?", Optional: true},
		Asked{Name: "areas", Words: "In which areas? Codes, with commas between them", Optional: true}),
	ofPartner("holidays", partners, "Change when you are away", Asked{Name: "holidays", Words: "Away", Optional: true}),
	ofPartner("pause", partners, "Pause, or go on",
		Asked{Name: "until", Words: "Until which day, that day too? Empty ends a pause", Optional: true}),
	ofPartner("agreement", navigators, "Record the agreement", Asked{Name: "from", Words: "From which day?"},
		Asked{Name: "until", Words: "Until which day, that day too?"},
		Asked{Name: "outwardName", Words: "A neutral name: it stands on an envelope or shows on a telephone"},
		Asked{Name: "safeguarding", Words: "Their desk for safeguarding: a number or an address"},
		Asked{Name: "dataContact", Words: "Whom to ask what became of what they knew: a desk or a role",
			Optional: true}),
}

var noticeEnding = ofPartner("notice", partners, "Change how you are told",
	Asked{Name: "by", Words: "How do you want to be told that something waits for you?"},
	Asked{Name: "to", Words: "Where does it go? An address of your organisation, never of one person",
		Optional: true},
	Asked{Name: "digest", Words: "One e-mail a day for all that waits, in the morning", Optional: true})

// referrerNotice is how an organisation wants to be told that there is news of those it referred.
var referrerNotice = Ending{"PUT /api/referrals/notice", referring, "Change whether a mailbox is told", []Asked{
	{Name: "by", Words: "Is a mailbox told that there is something new on this page?"},
	{Name: "to", Words: "Which one? A mailbox of your team, never of one person", Optional: true},
	{Name: "digest", Words: "One e-mail a day, in the morning", Optional: true}}}

// ReferrerNoticeActions are the requests by which an organisation changes how it is told of those it referred, with
// what stands there now.
func ReferrerNoticeActions(role Role, now map[string][]string) []Action {
	return withNow(openTo(role, StepAbout{}, referrerNotice), now)
}

// PartnerActions are the requests by which a partner is changed, with what stands there now.
func PartnerActions(role Role, partner string, now map[string][]string) []Action {
	return withNow(openTo(role, StepAbout{IDs: map[string]string{"partner": partner}}, partnerEndings...), now)
}

// NoticeActions are the requests by which it is changed how a partner is told, with what stands there now.
func NoticeActions(role Role, partner string, now map[string][]string) []Action {
	return withNow(openTo(role, StepAbout{IDs: map[string]string{"partner": partner}}, noticeEnding), now)
}

// What somebody who makes calls, or a partner's worker, decides for themselves.
const (
	callersOwn      = "PUT /api/callers/me"
	callersAway     = "POST /api/callers/me/away"
	callersCalendar = "POST /api/callers/me/calendar"
	workersCalendar = "POST /api/workers/me/calendar"
)

// CallerActions are the requests by which somebody who makes calls changes their hours, says that they are away, and
// makes or ends a calendar of their own, with what stands there now.
func CallerActions(role Role, now map[string][]string) []Action {
	endings := append([]Ending{{callersAway, ringers, "Say that you are ill or away", []Asked{{Name: "until",
		Words: "Until which day, that day too? Empty is today alone", Optional: true}}},
		{callersOwn, ringers, "Change your hours", []Asked{{Name: "days", Words: "On which days do you make calls?"},
			{Name: "fromHour", Words: "From which hour, such as 9?"},
			{Name: "toHour", Words: "Until which hour, such as 17?"},
			{Name: "most", Words: "How many calls a day at most?"},
			{Name: "channel", Words: "How are you reminded of a call, a day ahead and when it is due?", Optional: true},
			{Name: "address", Words: "At which address?", Optional: true}}}},
		calendarEndings(callersCalendar, ringers)...)
	return withNow(openTo(role, StepAbout{}, endings...), now)
}

// WorkerActions are the requests by which a partner's worker makes or ends a calendar of their own.
func WorkerActions(role Role) []Action {
	return openTo(role, StepAbout{}, calendarEndings(workersCalendar, []Role{Partner})...)
}

func calendarEndings(route string, by []Role) []Ending {
	return []Ending{{route, by, "Make an address for your own calendar: one that you have ends", nil},
		{route + "/revoke", by, "End your own calendar", nil}}
}

// withNow adds to the fields of actions what stands in them now.
func withNow(actions []Action, now map[string][]string) []Action {
	for i := range actions {
		what := actions[i].Path[strings.LastIndex(actions[i].Path, "/")+1:]
		for j, f := range actions[i].Fields {
			actions[i].Fields[j].Now = now[what+"."+f.Name]
		}
	}
	return actions
}

// goingLive is where it is decided whether anything is sent outward for an organisation.
const goingLive = "/api/organisations/{id}/going-live"

var (
	askLive = Ending{"POST " + goingLive, navigators, "Ask for sending to be turned on", []Asked{
		{Name: "safetyOfficer", Words: "Who is the clinical safety officer, and since when?"},
		{Name: "hazardLog", Words: "Which version of the hazard log have they signed?"},
		{Name: "dpia", Words: "Which data protection impact assessment covers it?"},
		{Name: "caldicott", Words: "When and by whom was it approved for the Caldicott Guardian?"}}}
	confirmLive = Ending{"POST " + goingLive, navigators, "Confirm: turn sending on",
		[]Asked{{Name: "confirm", Value: "true"}, {Name: "safetyOfficer", Seen: true}, {Name: "hazardLog", Seen: true},
			{Name: "dpia", Seen: true}, {Name: "caldicott", Seen: true}}}
	stopLive = Ending{"DELETE " + goingLive, navigators, "Turn sending off now", nil}
)

// LiveActions are the requests by which outward sending is turned on and off for an organisation: confirms is whether
// somebody else asked for it, on whether it is on, rests what it rests on, by field: whoever confirms it says that this
// is what they read.
func LiveActions(role Role, organisation string, on, confirms bool, rests map[string]string) []Action {
	endings := []Ending{askLive}
	if on {
		endings = []Ending{stopLive, askLive}
	} else if confirms {
		endings = []Ending{confirmLive, askLive}
	}
	actions := openTo(role, StepAbout{IDs: map[string]string{"organisation": organisation}}, endings...)
	for _, a := range actions {
		for i, f := range a.Fields {
			if f.Seen {
				a.Fields[i].Now = []string{rests[f.Name]}
			}
		}
	}
	return actions
}

// openTo are those of some requests that a role may send.
func openTo(role Role, about StepAbout, endings ...Ending) []Action {
	actions := []Action{}
	for _, e := range endings {
		if !slices.Contains(e.By, role) {
			continue
		}
		if action, ok := e.action(about); ok {
			actions = append(actions, action)
		}
	}
	return actions
}
