package schemas

import "slices"

// Role is what somebody is to Footbridge. Everybody who asks has exactly one, next to an organisation and a name of
// their own; all that is not said here is refused.
type Role string

// The roles.
const (
	SendingTeam   Role = "sending-team"
	Navigator     Role = "navigator"
	TreatingStaff Role = "treating-staff"
	// YoungPeoplesClinician decides who may answer for somebody under 18, or of unknown age; nobody else's word counts
	// as theirs.
	YoungPeoplesClinician Role = "young-peoples-clinician"
	// Caller makes the short calls of an NHS team, and reads who somebody is for the call that they are about to make.
	Caller       Role = "caller"
	Partner      Role = "partner"
	Operator     Role = "operator"
	Commissioner Role = "commissioner"
	Person       Role = "person"
	System       Role = "system"
	Guest        Role = "guest"
	// OfferLink is whoever holds the link in a partner's mail. The gateway alone says so, of one offer: its subject is
	// that offer's id, its organisation the partner's.
	OfferLink Role = "offer-link"
)

// Access is one line of the access table: what a role may see and do, and what it may not.
type Access struct {
	Role Role
	// Who holds the role, in plain words.
	Who string
	// Sees and Does are what the role allows, Never what it does not whatever else is granted.
	Sees, Does, Never string
	// Identity says whether the role may read who a person is, and Condition what must hold for that.
	Identity  bool
	Condition string
	// Reason says that each look must come with a stated reason, which is kept and can be read by the person.
	Reason bool
}

var access = []Access{
	{SendingTeam, "Liaison and A&E staff of the hospital the person left",
		"journeys that began at their organisation, with timeline and next steps",
		"records consent, contact and preferences; does, acknowledges and hands on steps they own; holds, releases, " +
			"closes and reopens journeys",
		"journeys of other organisations",
		true, "the journey began at their organisation", false},
	{Navigator, "The staffed role inside the NHS boundary that takes what no rule could place",
		"every journey of the organisations they serve, with timeline and next steps; messages quarantined",
		"takes, does and reassigns any step; holds, releases, closes and reopens journeys; releases or dismisses " +
			"messages; overrides a decision",
		"journeys of organisations they do not serve",
		true, "the journey belongs to an organisation they serve", false},
	{TreatingStaff, "Staff treating the person now, at any hour",
		"one journey at a time",
		"reads",
		"lists of journeys",
		true, "a reason of substance is stated; of a journey of another organisation, that organisation is told", true},
	{YoungPeoplesClinician, "A clinician of the young people's service, signed in as themselves",
		"journeys that began at their organisation, with timeline and next steps",
		"records who may answer for somebody under 18 or of unknown age, whose phone it is and who may know; what " +
			"such a person answered, and how to reach them; takes on and hands on their own team's steps",
		"who an adult is; journeys of other organisations",
		true, "the journey began at their organisation, and is of somebody under 18 or of unknown age", false},
	{Caller, "Somebody who makes short calls for an NHS team",
		"the calls of their team, by code; the day of the last contact, and whether the person was reached",
		"says that they ring now, records what became of a call, asks for help",
		"journeys; who somebody is before or after their call",
		true, "from 15 minutes before a call that they make until its outcome, where the person's yes is to their " +
			"organisation", false},
	{Partner, "A third-sector organisation with an agreement in force",
		"itself, and its own offers, without identity until accepted under consent",
		"answers its own offers; books and says how sessions went; changes its own places, hours, holidays, pause " +
			"and notice",
		"journeys, other partners' offers, anything after consent has ended",
		true, "its own accepted offer, under a consent and an agreement in force", false},
	{Operator, "Whoever keeps the system running",
		"the ledger, queues, lags and states, by opaque ids",
		"releases messages quarantined, redrives what could not be processed",
		"who a person is; what a message says",
		false, "", false},
	{Commissioner, "Whoever pays for services",
		"reports with small numbers suppressed",
		"reads",
		"a single journey, person or message",
		false, "", false},
	{Person, "The person themselves, and nobody else",
		"their own journey: each event's sentence, next steps, who has looked and why",
		"says yes and no, states preferences, asks for help, reopens what was closed",
		"anybody else's journey",
		true, "it is their own", false},
	{System, "A hospital's or other outside system, by mutual TLS or a token bound to its profile",
		"the answer to what it sent",
		"sends events for its own organisation",
		"journeys, people, other senders' messages",
		false, "", false},
	{Guest, "Anybody who has not said who they are",
		"the same answer whatever is known of anybody",
		"asks for support for themselves, seldom and shortly",
		"whether somebody is known here; anything of anybody, their own too",
		false, "", false},
	{OfferLink, "Whoever holds the link in a partner's mail, without an account",
		"one offer, as it may be known before it is taken on, whatever becomes of it",
		"answers that offer once, says that somebody there may know the person, asks a coded question; takes the " +
			"answer back until somebody has looked at who the person is",
		"who the person is, their journey, what was booked; any other offer, the partner's own too",
		false, "", false},
}

// AccessTable returns who may see and do what, one line for each role. docs/access.md is made from it.
func AccessTable() []Access { return slices.Clone(access) }

// Roles returns every role, in the order of the access table.
func Roles() []Role {
	var roles []Role
	for _, a := range access {
		roles = append(roles, a.Role)
	}
	return roles
}
