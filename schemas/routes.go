package schemas

import (
	"slices"
	"strings"
)

// Route is one path of the HTTP surface. The service that serves it registers Mux, and does not start without a handler
// for it (httpx.Register); the gateway proxies by the same table, and whoever holds none of the Roles is refused.
type Route struct {
	Method string
	// Pattern is the path, its parameters in braces as net/http's ServeMux takes them.
	Pattern string
	// Service serves it.
	Service string
	// Roles may ask; what they then see is bounded by the access table. Everyone who may ask at all is Public.
	Roles  []Role
	Public bool
	// Meaning is one line.
	Meaning string
}

// Mux returns the pattern for net/http's ServeMux: "POST /api/steps/{id}/done". A path like /schemas/{type}.json,
// whose last parameter does not fill its segment, is registered as the whole segment; the handler cuts the ending.
func (r Route) Mux() string {
	if r.Pattern == schemaPattern {
		return r.Method + " /schemas/{file}"
	}
	return r.Method + " " + r.Pattern
}

// Streams says whether the answer goes on for long.
func (r Route) Streams() bool { return r.Pattern == "/api/stream" || r.ByItself() }

// ByItself says that a browser asks it by itself while a page is open: it is no sign that somebody is there, and keeps
// nobody signed in.
func (r Route) ByItself() bool { return r.Pattern == StepNews || r.Pattern == OperationsNews }

// StepNews is where a work list that is open on a screen hears of new steps, OperationsNews where the operators' page
// hears how its figures stand.
const (
	StepNews       = "/steps/news"
	OperationsNews = "/operations/news"
)

// KeptOfPartner says that a route shows or changes what a service keeps of one partner that does not know whose
// agreement it is: followup does, and says so of its own routes itself.
func (r Route) KeptOfPartner() bool {
	return strings.HasPrefix(r.Pattern, "/api/partners/{id}/") && r.Service != Followup
}

// ByToken says that a route is read by a program that is nobody: a token in the request says whose it reads, and
// nothing else.
func (r Route) ByToken() bool { return strings.HasSuffix(r.Pattern, ".ics") }

// OpenLink is how the gateway asks delivery which offer a link is to. It is in no route table: the gateway alone may
// ask, as itself.
const OpenLink = "/links/open"

// LinkAsked is the body of that request.
type LinkAsked struct {
	Token string `json:"token"`
}

// LinkOpened is its answer: which offer of which partner, or nothing.
type LinkOpened struct {
	Offer   string `json:"offer,omitempty"`
	Partner string `json:"partner,omitempty"`
}

// LinkPattern is the page behind the link in a partner's mail.
const LinkPattern = "/p/{token}"

// ByLink says that a route is asked by whoever holds a link, which says of which offer.
func (r Route) ByLink() bool { return r.Pattern == LinkPattern }

// OwnPage says that a route is of the page of the person: a session that a code and a word opened says whose it is, and
// whoever is signed in on the same device does not.
func (r Route) OwnPage() bool {
	return r.Pattern == OwnPath || strings.HasPrefix(r.Pattern, OwnPath+"/")
}

// OwnPath is the path of the page of the person.
const OwnPath = "/y"

// ownPageOf begins what a principal of such a page says of itself: the journey that it was given for.
const ownPageOf = "own-page:"

// OwnPageOf is how the principal of a person's page names the journey that the page was given for.
func OwnPageOf(journey string) string { return ownPageOf + journey }

// JourneyOfOwnPage is that journey; empty for anybody else's principal.
func JourneyOfOwnPage(team string) string {
	journey, ok := strings.CutPrefix(team, ownPageOf)
	if !ok {
		return ""
	}
	return journey
}

// OpenedAs is the field of a form that says for whom its page was made, by their mark.
const OpenedAs = "opened-as"

const schemaPattern = "/schemas/{type}.json"

var (
	staff    = []Role{SendingTeam, Navigator}
	teams    = []Role{SendingTeam, Navigator, YoungPeoplesClinician}
	lookers  = []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician, Operator, Person}
	everyone = []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician, Caller, Partner, Operator,
		Commissioner, Person}
	helpers  = []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician, Caller, Partner, Person}
	ringers  = []Role{SendingTeam, Navigator, Caller, Partner}
	planning = []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person}
	offering = []Role{SendingTeam, Navigator, Partner}
	// What a partner said by telephone is recorded by a navigator.
	answering = []Role{Navigator, Partner}
	// referring are those who act for an organisation that refers people.
	referring = []Role{SendingTeam, System}
	// linked are those who answer an offer: besides these, whoever holds the link in a partner's mail.
	linked   = []Role{Navigator, Partner, OfferLink}
	planners = []Role{SendingTeam, Navigator, Operator, Commissioner}
)

var itself = []Role{ServiceItself}

// between are what the gateway asks a service as itself, to find out who is asking. They are no part of the surface:
// the gateway serves none of them, and the service takes them from the gateway alone.
var between = []Route{
	{"POST", "/api/own-page/open", Intake, itself, false,
		"Begins a session where code and word are those of a page that stands. Whatever does not open has one answer."},
	{"POST", "/api/own-page/session", Intake, itself, false,
		"Says whose page a session is of, as it stands at this moment."},
	{"POST", "/api/own-page/leave", Intake, itself, false, "Ends a session of a person's page."},
}

// BetweenServices returns the routes of a service that are open to the gateway's own questions alone.
func BetweenServices(service string) []Route {
	return slices.DeleteFunc(slices.Clone(between), func(r Route) bool { return r.Service != service })
}

// watchers see the operators' figures: navigators those about work that people do.
var watchers = []Role{Navigator, Operator}

var routes = []Route{
	{"GET", "/api/operations", Console, watchers, false,
		"Shows how the whole stands: the figures of the operators' page, as footbridge status --json prints them, with " +
			"alerts and services; to a navigator those about work that people do. A service that does not answer in two " +
			"seconds is said not to; with charts=true, also how figures stood."},
	{"POST", "/api/operations/redrive", Console, []Role{Operator}, false,
		"Puts a dead letter of a service back in line to be tried at once; who asked is kept."},

	{"POST", "/events", Intake, []Role{System}, false,
		"Takes CloudEvents from outside systems, in binary, structured and batched mode; answers once they are durable."},
	{"GET", "/api/messages", Intake, []Role{Navigator, Operator}, false,
		"Lists the ledger: every message received and what became of it; with waiting=true, what waits for a human, " +
			"by the time promised."},
	{"GET", "/api/messages/{id}", Intake, []Role{Navigator, Operator}, false,
		"Shows one message with what deciding about it takes; to a navigator also what it says, and for a stated " +
			"reason (header Access-Reason) whom it is about."},
	{"POST", "/api/messages/{id}/release", Intake, []Role{Navigator, Operator}, false,
		"Releases a message that had been quarantined, to be read again."},
	{"POST", "/api/messages/{id}/dismiss", Intake, []Role{Navigator}, false,
		"Dismisses a message that had been quarantined as of no concern here."},
	{"GET", "/api/messages/{id}/content", Intake, []Role{Navigator, Operator}, false,
		"Takes one message apart, with who it is about hidden: its fields, which line of the sender's profile said what " +
			"of it, and what followed; to an operator the values of what says how it came alone."},
	{"POST", "/api/messages/search", Intake, []Role{Navigator, Operator}, false,
		"Finds the messages of a visit by its exact number: what became of it. Every search is kept."},
	{"POST", "/api/messages/{id}/dry-run", Intake, []Role{Navigator, Operator}, false,
		"Says what another profile would make of a message, after what came before of its visit. Nothing is kept."},
	{"POST", "/api/messages/{id}/read-again", Intake, []Role{Navigator, Operator}, false,
		"Reads again, as it came, a message that was ignored or refused, by the sender's profile as it is now; who " +
			"asked for it is kept."},

	{"GET", "/api/facilities", Intake, []Role{Navigator, Operator}, false,
		"Lists where messages came from that is agreed with no organisation: the sender, how many journeys, and to a " +
			"navigator how the facility was written; with placed=true, those that were placed."},
	{"POST", "/api/facilities/{id}/place", Intake, []Role{Navigator}, false,
		"Says whose a facility is: its journeys become that organisation's, once, in every service."},
	{"POST", "/api/facilities/{id}/unplace", Intake, []Role{Navigator}, false,
		"Takes back whose a facility is, with a reason: its journeys are the host's to place again, with who they " +
			"are about hidden, once, in every service."},

	{"POST", "/api/referrals", Intake, []Role{SendingTeam, Navigator, TreatingStaff, System, Person, Guest}, false,
		"Takes a request for support, by a professional or by the person themselves; from a guest, for themselves " +
			"alone."},
	{"POST", "/api/referrals/list", Intake, []Role{SendingTeam, Navigator, System, Operator}, false,
		"Takes a nightly list as CSV, reconciles it by visit, and says what became of every row."},

	{"POST", "/fhir/$process-message", Intake, []Role{System}, false,
		"Takes a referral as a FHIR R4 message in the Booking and Referral Standard's envelope: new, updated or " +
			"cancelled."},
	{"GET", "/fhir/metadata", Intake, []Role{System, Operator}, false,
		"Says as a CapabilityStatement what the FHIR door does, and what it does not claim."},
	{"GET", "/fhir/MessageDefinition", Intake, []Role{System, Operator}, false,
		"Lists as MessageDefinitions which messages the FHIR door takes."},
	{"GET", "/fhir/ServiceRequest/{id}", Intake, []Role{System}, false,
		"Gives a request back to the system that made it, without whom it is about."},
	{"GET", "/fhir/Task", Intake, []Role{System}, false,
		"Says what became of a request: focus=ServiceRequest/{id}, of the asking organisation's own alone."},
	{"POST", "/api/signals", Intake, []Role{System}, false,
		"Takes a signal about a person: a death, a changed NHS number, a changed record."},
	{"POST", "/api/people/{ref}/contact-stopped", Intake, []Role{Navigator}, false,
		"Stops all contact with a person at once, until a named human lifts it."},
	{"POST", "/api/people/{ref}/contact-resumed", Intake, []Role{Navigator}, false,
		"Lifts the stop on contact; consent is asked for anew."},

	{"GET", "/api/journeys/{id}/consent", Intake, []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician,
		Person}, false,
		"Shows what the person said yes and no to, and how each answer stands."},
	{"POST", "/api/journeys/{id}/consent", Intake, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person}, false,
		"Records what the person said yes or no to, or took back, by purpose and organisation; by a young people's " +
			"clinician also who may answer."},
	{"POST", "/api/journeys/{id}/contact", Intake, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person}, false,
		"Records how the person may be reached, who may hear what, and who must not know."},
	{"POST", "/api/journeys/{id}/preferences", Intake, []Role{SendingTeam, Navigator, Person}, false,
		"Records what the person would like."},
	{"POST", "/api/journeys/{id}/summary", Intake, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person}, false,
		"Keeps what the person agreed to pass on, in their own words, sealed, and to which partners: each reads it " +
			"with who they are, under the same grant alone."},
	{"GET", "/api/journeys/{id}/own-page", Intake, planning, false,
		"Shows how the person's own page stands: since when, until when, when it was opened last, and how many words " +
			"were tried that are not theirs. Code and word are not in it."},
	{"POST", "/api/journeys/{id}/own-page", Intake, planning, false,
		"Gives a person who wants one a page of their own, by a code that is told in this answer alone and a word that " +
			"they chose, for 30 days; or stops it (stop). The person may stop theirs."},
	{"POST", "/api/journeys/{id}/letter", Intake, teams, false,
		"Keeps that a letter or slip was printed to be handed to the person: who did so, when. The person can read it."},
	{"POST", "/api/journeys/{id}/facts", Intake, staff, false,
		"Records facts that somebody asked for, and which the person would rather not say; every service is looked " +
			"at anew."},
	{"POST", "/api/journeys/{id}/correction", Intake, staff, false,
		"Corrects who a request is about (name, birth date, NHS number), where it was written down wrongly: criteria " +
			"are decided again by the age. What a hospital's system said is corrected there. Kept like a look, with " +
			"who did it and why."},
	{"GET", "/api/journeys/{id}/identity", Intake, []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician,
		Partner, Person}, false,
		"Shows who the person is: for a stated reason (header Access-Reason), or to a partner by its accepted offer, " +
			"under a yes to it by name and an agreement in force. Every look is kept, and the person can read it."},
	{"GET", "/api/calls/{id}/person", Intake, ringers, false,
		"Shows whom somebody is about to ring, by name and agreed number: from when they said that they ring until " +
			"the outcome. Every look is kept, and the person can read it."},
	{"GET", "/api/people/{ref}/access", Intake, []Role{SendingTeam, Navigator, Person}, false,
		"Lists who looked at who this person is, when and why."},
	{"GET", "/api/journeys/{id}/access", Intake, []Role{SendingTeam, Navigator}, false,
		"Lists who looked, by one journey, at who its person is, or tried to, and for what reason, the newest in front."},
	{"POST", "/api/people/search", Intake, []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician}, false,
		"Finds journeys of the caller's own organisation by one of: a journey's code, a visit number, an exact NHS " +
			"number, an exact family name with the date of birth; by the latter two for a stated reason (header " +
			"Access-Reason). It shows codes, and who nobody is; nothing and not allowed are answered alike. Every " +
			"search is kept, and who was found can read it."},
	{"GET", "/api/people/searches", Intake, []Role{Navigator}, false,
		"Lists what was searched for in the caller's organisation, the newest first, without what was looked for; " +
			"with waiting=true, what nobody has reviewed, the oldest first."},
	{"POST", "/api/people/searches/review", Intake, []Role{Navigator}, false,
		"Records what a reviewer found of the searches of others, up to and with one: in order, or passed on to whom."},
	{"POST", "/api/people/{ref}/merge", Intake, staff, false,
		"Says that two records are one person; consent and contact do not cross until confirmed."},
	{"POST", "/api/people/{ref}/unmerge", Intake, staff, false,
		"Says that two merged records are two people; each has again what was theirs."},
	{"POST", "/api/people/{ref}/legal-hold", Intake, []Role{Navigator}, false,
		"Places or lifts a legal hold: nothing about the person may be erased while it stands."},
	{"POST", "/api/people/{ref}/erase", Intake, []Role{Navigator, Operator}, false,
		"Makes what identifies a person unreadable, everywhere, and says where: one person asks for it with a " +
			"reason, and another confirms that request."},

	{"GET", "/api/journeys", Journey, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Operator}, false,
		"Lists journeys with their next step, by the time promised."},
	{"GET", "/api/journeys/{id}", Journey, lookers, false,
		"Shows one journey with timeline, next steps and what the caller may do next."},
	{"POST", "/api/journeys/{id}/hold", Journey, staff, false,
		"Holds a journey while a ward, custody or another hospital has the person, until a day of review: contact " +
			"stops."},
	{"POST", "/api/journeys/{id}/release", Journey, staff, false,
		"Releases a journey that was held; windows count anew."},
	{"POST", "/api/journeys/{id}/close", Journey, staff, false,
		"Closes a journey by a named human's decision, for a reason of the closed list; says how the person was " +
			"told, and their way back."},
	{"POST", "/api/journeys/{id}/reopen", Journey, []Role{SendingTeam, Navigator, Person}, false,
		"Opens a closed journey again, at any time; the person is asked anew what they want."},
	{"POST", "/api/journeys/{id}/assessment", Journey, teams, false,
		"Records who holds the last assessment and who its 48-hour aftercare is with, once for one assessment, what " +
			"changed since, and which service was told."},
	{"POST", "/api/journeys/{id}/first-contact", Journey, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person},
		false,
		"Records that the person would like to hear from somebody within 24, 48 or 72 hours of leaving, or what " +
			"became of it."},
	{"POST", "/api/journeys/{id}/retold", Journey, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Person}, false,
		"Records that the person had to tell it all again, on which day and to which role; the same twice is once."},
	{"POST", "/api/journeys/{id}/look-review", Journey, []Role{Navigator}, false,
		"Records what a navigator found of looks at a journey by staff of other organisations: in order, or not, and " +
			"to whom it was passed on. Nobody reviews their own."},
	{"GET", "/api/journeys/{id}/doors", Threshold, []Role{SendingTeam, Navigator, TreatingStaff, Operator}, false,
		"Shows what every service's criteria said for one journey, in the words they had when it was decided."},
	{"POST", "/api/journeys/{id}/asked", Threshold, staff, false,
		"Records that a service was asked for help with a journey; a step sees to the answer."},
	{"POST", "/api/journeys/{id}/answered", Threshold, staff, false,
		"Records what a service answered, in its own words, and looks at every service anew."},
	{"POST", "/api/journeys/{id}/override", Threshold, staff, false,
		"Records a human's decision about one service's door, with its reason; it outranks criteria and answers."},
	{"GET", "/api/steps", Journey, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Operator}, false,
		"Lists open steps, one a line, by the time promised, each with the actions open to the caller: with " +
			"mine=true those of the caller's own teams, taken=true those they took on by name, team=, due= by a " +
			"time, past=true past their time, since= those opened after a time."},
	{"GET", "/api/steps/{id}", Journey, []Role{SendingTeam, Navigator, YoungPeoplesClinician, Operator}, false,
		"Shows one step as it stands in the list, one that is over too."},
	{"POST", "/api/steps/{id}/done", Journey, teams, false,
		"Ends a step of one of the few kinds whose record is somebody's word, with what they say of it; of any other " +
			"it names the request that ends it."},
	{"POST", "/api/steps/{id}/no-answer", Journey, staff, false,
		"Records that the person was tried and could not be reached; where they are asked by a ladder, the next rung " +
			"opens."},
	{"POST", "/api/steps/{id}/reassign", Journey, teams, false,
		"Hands a step to another owner; the former one stays answerable until the new one acknowledges."},
	{"POST", "/api/steps/{id}/acknowledge", Journey, teams, false,
		"Records that an owner has taken a step on."},

	{"POST", "/api/journeys/{id}/help", Bridging, helpers, false,
		"Asks for help now, or passes on a concern for somebody's safety, from a journey or one of its steps, in " +
			"every state: stored first, then those on call are told."},
	{"POST", "/api/offers/{id}/help", Bridging, helpers, false,
		"The same, from an offer."},
	{"POST", "/api/calls/{id}/help", Bridging, helpers, false,
		"The same, from a call."},
	{"GET", "/api/calls", Bridging, ringers, false,
		"Lists the calls of the caller's team that are open and fall due on a local day (due; today) or before, by " +
			"the time promised: no name, no number. Somebody in the role caller who said when they work sees those " +
			"of their hours, their own and what has come (all=true: all)."},
	{"GET", "/api/calls/{id}", Bridging, ringers, false,
		"Shows one call as it stands in the list, one that is over too, with the requests by which its outcome is " +
			"recorded."},
	{"POST", "/api/calls/{id}/claim", Bridging, ringers, false,
		"Says who rings now, from 15 minutes before a call: one at a time, and only where the person may be rung at " +
			"this moment."},
	{"POST", "/api/calls/{id}/outcome", Bridging, ringers, false,
		"Records what became of a call, and when it happened; what follows is answered."},
	{"GET", "/api/journeys/{id}/plan", Bridging, planning, false,
		"Shows how the plan of short calls stands, what is agreed, and the next call."},
	{"POST", "/api/journeys/{id}/plan", Bridging, planning, false,
		"Records what the person agreed about their calls: rhythm, hours, channel, a pause. What is left out stays; " +
			"it is no yes."},
	{"GET", "/api/callers/me", Bridging, ringers, false,
		"Shows what is kept of somebody who makes calls: their hours, how many a day, how they are reminded."},
	{"PUT", "/api/callers/me", Bridging, ringers, false,
		"Keeps it; what is left out stays as it was."},
	{"POST", "/api/callers/me/away", Bridging, ringers, false,
		"Hands the calls of somebody who is ill or away on, until a day: to colleagues who work then and have room, " +
			"else to the team; says of each who makes it and who is told."},
	{"POST", "/api/callers/me/calendar", Bridging, ringers, false,
		"Makes the address of the caller's own calendar of calls, shown once; the one before is read no more."},
	{"POST", "/api/callers/me/calendar/revoke", Bridging, ringers, false,
		"Ends it."},
	{"GET", "/api/calls.ics", Bridging, []Role{Guest}, false,
		"Gives the calendar (RFC 5545) of whoever made its token (token), fourteen days ahead: a journey's code and " +
			"a time, nothing else. It is read for 90 days at most, while its maker comes here, signed in, once in " +
			"14 days, and a partner's under its agreement; the token opens nothing else, and a revoked and an unknown " +
			"one are answered alike."},
	{"GET", "/api/help/{id}", Bridging, teams, false,
		"Shows a request for help: who was told, and who has taken it on."},
	{"POST", "/api/help/{id}/acknowledge", Bridging, teams, false,
		"Records that somebody has taken a request for help on; nobody further up is told any more."},
	{"POST", "/api/help/{id}/person-knows", Bridging, helpers, false,
		"Says, by whoever passed a concern on, whether the person knows."},
	{"GET", "/api/timers", Bridging, []Role{Navigator, Operator}, false,
		"Says what will fire in the hours ahead (hours; 24), by kind and hour, and what is late: calls, reminders, " +
			"requests for help, plans."},
	{"POST", "/api/timers/spread", Bridging, []Role{Operator}, false,
		"Spreads the reminders that are late, as after a stop, over some minutes, the oldest first: what is past its " +
			"time is marked late at once, none goes beyond its call, and requests for help are never put off."},
	{"GET", "/api/rota", Bridging, staff, false,
		"Shows who of the caller's organisation is on call, the hours of the days ahead for which nobody is, whose " +
			"channel is not proven, and by which channels nothing can be handed over."},
	{"PUT", "/api/rota", Bridging, []Role{Navigator}, false,
		"Keeps a whole rota, instead of the one that was read before (If-Match)."},

	{"GET", "/api/services", Threshold, everyone, false,
		"Lists the directory's services with their criteria, sources and dates of last check."},
	{"POST", "/api/thresholds/check", Threshold, []Role{SendingTeam, Navigator, TreatingStaff, Operator}, false,
		"Says for a set of facts which services are open, which are not and why, and what is unknown. Stores nothing."},
	{"POST", "/api/thresholds/what-if", Threshold, []Role{SendingTeam, Navigator, Operator}, false,
		"Replays past decisions under a draft set of criteria: whose doors and which gaps would change. Changes " +
			"nothing."},
	{"POST", "/api/thresholds/gaps", Threshold, planners, false,
		"Searches the space of facts for combinations that no statutory service accepts, before anybody meets them."},
	{"GET", "/api/thresholds/told", Threshold, everyone, false,
		"Holds what people were told against what services publish: differences in length and in scope, with counts."},
	{"GET", "/api/thresholds/turned", Threshold, []Role{Navigator, Operator}, false,
		"Says in how many journeys a fact turned one criterion, and by which ways it was said; no number below 5 is " +
			"told."},
	{"POST", "/api/services/{id}/told", Threshold, everyone, false,
		"Records 'I was told…': what somebody was told a service's criterion is."},
	{"POST", "/api/services/{id}/dead-line", Threshold, everyone, false,
		"Reports that a published number or link reaches nobody, which opens a step; or that it works again."},

	{"GET", "/api/offers", Followup, offering, false,
		"Lists offers that stand, those to be seen to first in front: to a partner its own that it has been told of, " +
			"also those that are over and of which it has not said what it did with what it knew; to staff those of " +
			"their organisation."},
	{"GET", "/api/offers/{id}", Followup, []Role{SendingTeam, Navigator, Partner, OfferLink}, false,
		"Shows one offer: how it stands, by when what is asked, and what a partner may know before it has taken it " +
			"on. Who the person is is not in it."},
	{"GET", "/api/journeys/{id}/shown", Followup, []Role{SendingTeam, Navigator, Person}, false,
		"Lists the offers of a journey that left for a partner: which fields could be read of each before it was " +
			"taken on, when and by which way, and what the partner said afterwards that it did with what it knew."},
	{"POST", "/api/offers/{id}/accept", Followup, linked, false,
		"Records a partner's yes. A yes that comes late is welcome while its place is free and nobody else has taken " +
			"the person on."},
	{"POST", "/api/offers/{id}/decline", Followup, linked, false,
		"Records a partner's no, by a code; the next partner is asked."},
	{"POST", "/api/offers/{id}/undo", Followup, linked, false,
		"Takes a partner's answer back, until somebody there has looked at who the person is, or another partner was " +
			"told: the offer is over, and the partner is asked again by a new one."},
	{"POST", "/api/offers/{id}/appointment", Followup, answering, false,
		"Records a time that was agreed on with the person; one that stands is replaced by it."},
	{"POST", "/api/offers/{id}/outcome", Followup, answering, false,
		"Records how a session went, and what comes next."},
	{"POST", "/api/offers/{id}/hand-back", Followup, answering, false,
		"Gives an offer back that had been taken on, or with all=true every one of the partner's; each is offered " +
			"anew ahead of others."},
	{"POST", "/api/offers/{id}/introduce", Followup, answering, false,
		"Records that the person was introduced to whoever sees them at the partner: the worker was named to them, " +
			"or all spoke in one call."},
	{"POST", "/api/offers/{id}/may-know", Followup, linked, false,
		"Says that somebody at the partner may know the person: another worker, or another partner, sees to it, and " +
			"nobody is to blame."},
	{"POST", "/api/offers/{id}/question", Followup, linked, false,
		"Asks something about an offer, by a code; a navigator answers by one."},
	{"POST", "/api/offers/{id}/confirm-deletion", Followup, answering, false,
		"Records what a partner did with what it knew, once an offer is over: deleted, or kept, and why."},
	{"POST", "/api/workers/me/calendar", Followup, []Role{Partner}, false,
		"Makes the address of a partner's worker's own calendar of sessions, shown once; the one before is read no " +
			"more."},
	{"POST", "/api/workers/me/calendar/revoke", Followup, []Role{Partner}, false,
		"Ends it."},
	{"GET", "/api/sessions.ics", Followup, []Role{Guest}, false,
		"Gives the calendar (RFC 5545) of the partner whose worker made its token (token), fourteen days ahead: an " +
			"offer's code and a time, nothing else. It is read for 90 days at most; the token opens nothing else, and " +
			"a revoked and an unknown one are answered alike."},
	{"GET", "/api/partners", Followup, []Role{Navigator}, false,
		"Lists the organisations that may be asked for follow-up sessions, and with which of them there is an " +
			"agreement."},
	{"GET", "/api/partners/{id}", Followup, []Role{SendingTeam, Navigator, Partner, Operator}, false,
		"Shows a partner: its agreement, places, hours, holidays and pause. A partner sees itself alone."},
	{"PUT", "/api/partners/{id}/capacity", Followup, answering, false,
		"Changes what a partner can do for how many people, with effect at once."},
	{"PUT", "/api/partners/{id}/agreement", Followup, []Role{Navigator}, false,
		"Records the agreement with a partner, its neutral outward name and its desk for safeguarding; nothing is " +
			"told outside of its days."},
	{"PUT", "/api/partners/{id}/holidays", Followup, answering, false,
		"Changes when a partner is away, with effect at once."},
	{"PUT", "/api/partners/{id}/pause", Followup, answering, false,
		"Pauses a partner until a day, or lifts that: it is asked for nobody new."},
	{"GET", "/api/partners/{id}/workers", Gateway, answering, false,
		"Lists a partner's named workers: whether they can sign in, and what was done about each lately."},
	{"POST", "/api/partners/{id}/workers", Gateway, answering, false,
		"Adds a worker (name, mail, phone): the first by a navigator, with the agreement, further ones by that " +
			"partner. " +
			"The code in this answer is to be told to them by telephone."},
	{"POST", "/api/partners/{id}/workers/{worker}/code", Gateway, answering, false,
		"Gives a worker a new code, to be told to them by telephone; with lost=true their keys open nothing any more " +
			"and they are signed out everywhere. Nobody gives one to themselves."},
	{"POST", "/api/partners/{id}/workers/{worker}/mail", Gateway, answering, false,
		"Changes a worker's address, as when their mailbox was taken over: links sent to the former one open nothing, " +
			"and they are signed out everywhere. Nobody changes their own."},
	{"POST", "/api/partners/{id}/workers/{worker}/end", Gateway, answering, false,
		"Says that a worker has left: they are signed out everywhere, and nothing of theirs opens anything any more."},
	{"GET", "/api/organisations/{id}/going-live", Followup, []Role{Navigator, Operator}, false,
		"Shows whether outward sending is on for an organisation, what that rests on, and who asked, confirmed and " +
			"turned it off."},
	{"POST", "/api/organisations/{id}/going-live", Followup, []Role{Navigator}, false,
		"Turns outward sending on for an organisation: one named person asks for it with what it rests on, and " +
			"another confirms."},
	{"DELETE", "/api/organisations/{id}/going-live", Followup, []Role{Navigator}, false,
		"Turns outward sending off at once, by one person: offers that nobody has taken on are paused, and their " +
			"partners are told so."},

	{"GET", "/api/partners/{id}/notice", Delivery, []Role{SendingTeam, Navigator, Partner, Operator}, false,
		"Shows how a partner wants to be told that something waits for it, what came back from its address, and what " +
			"became of the last mails. A partner sees itself alone."},
	{"PUT", "/api/partners/{id}/notice", Delivery, answering, false,
		"Changes how a partner wants to be told (by, to; digest for one mail a day); what came back from a former " +
			"address goes to the new one."},
	{"GET", "/api/outbox-mail", Delivery, everyone, false,
		"Shows what has been mailed, in development alone: staff all of it, a partner what went to it."},
	{"GET", "/api/feed", Delivery, []Role{Partner}, false,
		"Gives a partner's own log from a cursor on (after; limit, and wait=SECONDS for an empty page): what it may " +
			"know of its offers, each event with the cursor after it. Asking with a cursor says that everything up " +
			"to it has come."},
	{"GET", "/api/referrals/feed", Delivery, referring, false,
		"Gives what became of the referrals of the asking organisation, from a cursor on (after; limit, and " +
			"wait=SECONDS for an empty page): that a partner was asked, is in touch, or is not any more; that a " +
			"session was kept and what comes next settled by the person's yes to tell-referrer alone."},
	{"GET", "/api/referrals/notice", Delivery, referring, false,
		"Shows whether a mailbox of the asking organisation is told that there is news of those it referred, what came " +
			"back from it, and what became of the last mails."},
	{"PUT", "/api/referrals/notice", Delivery, referring, false,
		"Changes which mailbox is told (by, to; digest for one mail a day): that something is there to read, and a " +
			"link to sign in."},
	{"GET", "/api/told", Delivery, []Role{Partner}, false,
		"Lists what a partner was told, and when first, the newest in front; asking for it takes nothing."},
	{"GET", "/api/journeys/{id}/told", Delivery, []Role{SendingTeam, Navigator, Person}, false,
		"Lists what each partner was told of a journey in the last 90 days, the newest in front: when, which members " +
			"it had, and by which ways it came."},
	{"GET", "/api/stream", Delivery, []Role{Partner}, false,
		"The same as server-sent events, with the same ids, resumed by Last-Event-ID."},
	{"GET", "/api/subscriptions", Delivery, []Role{Partner, System}, false,
		"Lists the endpoints of the asking partner, or of the asking organisation that refers people, and how each " +
			"stands."},
	{"POST", "/api/subscriptions", Delivery, []Role{Partner, System}, false,
		"Adds an endpoint (url, types, after): signed webhooks with the events of the partner's own log, or with what " +
			"an organisation is told of those it referred, once it has " +
			"said by the handshake that it wants them. The secret is shown in this answer alone."},
	{"GET", "/api/subscriptions/{id}", Delivery, []Role{Partner, System}, false,
		"Shows one endpoint."},
	{"DELETE", "/api/subscriptions/{id}", Delivery, []Role{Partner, System}, false,
		"Ends one for good."},
	{"GET", "/api/subscriptions/{id}/attempts", Delivery, []Role{Partner, System}, false,
		"Lists what was tried at an endpoint, the newest first: which event, when, and what was answered."},
	{"POST", "/api/subscriptions/{id}/secret", Delivery, []Role{Partner, System}, false,
		"Gives an endpoint a new secret; the former one signs too for a day."},
	{"POST", "/api/subscriptions/{id}/state", Delivery, []Role{Partner, System}, false,
		"Pauses an endpoint (on: false), or has it go on; what came meanwhile was kept."},
	{"POST", "/api/subscriptions/{id}/again", Delivery, []Role{Partner, System}, false,
		"Sends again what did not come through, or with all=true everything: one event (event), since a time " +
			"(since), or after a cursor (after)."},
	{"POST", "/api/subscriptions/{id}/test", Delivery, []Role{Partner, System}, false,
		"Sends a test to an endpoint, about nobody."},

	{"GET", "/api/traces", Traces, []Role{Operator}, false,
		"Searches what was done, the latest first, with how long it took: by time, service, kind of work, duration, " +
			"failure and journey. Left out, the last 24 hours."},
	{"GET", "/api/traces/{id}", Traces, []Role{Operator}, false,
		"Shows the pieces of work of one trace."},
	{"GET", "/api/journeys/{id}/trace", Traces, []Role{Operator}, false,
		"Shows the pieces of work that were done for one journey, over weeks."},

	{"GET", "/api/sessions", Gateway, everyone, false,
		"Lists the caller's own sessions that still hold: since when, when last used, until when, on what, and which " +
			"of them asks."},
	{"POST", "/api/sessions/{id}/end", Gateway, everyone, false,
		"Ends one of the caller's own sessions, on every replica."},

	{"GET", "/openapi.json", Gateway, nil, true, "Describes the HTTP surface."},
	{"GET", "/asyncapi.json", Gateway, nil, true, "Describes the events."},
	{"GET", schemaPattern, Gateway, nil, true, "Gives the JSON Schema of one event type."},
}

// Routes returns the whole HTTP surface.
func Routes() []Route { return slices.Clone(routes) }

// RoutesOf returns the routes that a service serves.
func RoutesOf(service string) []Route {
	return slices.DeleteFunc(Routes(), func(r Route) bool { return r.Service != service })
}

// Allows says whether a role may ask at all.
func (r Route) Allows(role Role) bool { return r.Public || slices.Contains(r.Roles, role) }

// MayAsk returns the names of the roles that may ask at all.
func (r Route) MayAsk() (names []string) {
	for _, role := range append(Roles(), ServiceItself) {
		if r.Allows(role) {
			names = append(names, string(role))
		}
	}
	return names
}

// SignInMails is where the gateway, as itself, hands delivery the mails by which workers of partners sign in. It is no
// route: nobody else comes there.
const SignInMails = "/sign-in-mails"
