package record

import (
	"slices"

	"footbridge/schemas"
)

// Offer is what the follow-up service said of one offer, joined: whatever order it is heard in, and however often, it
// ends as the same. What has ended an offer is a tombstone: no acceptance, heard later or said again, opens it again.
type Offer struct {
	ID, Journey, Partner string
	// Accepted is the sequence of its first acceptance, 0 before any; Turn is the last turn of the journey that the
	// follow-up service knew of then, by the journey service's sequence.
	Accepted, Transition int64
	// AgreementUntil is the last local day of the partner's agreement, as the newest acceptance, of sequence Agreed,
	// says.
	AgreementUntil string
	Agreed         int64
	Ended          bool   // declined, withdrawn, undone or handed back
	CompletedOn    string // the first local day on which it was said to be done
}

// Apply takes in what an event about the offer says, and says whether that changed anything.
func (o *Offer) Apply(said Offer) bool {
	before := *o
	if said.Accepted > 0 && (o.Accepted == 0 || said.Accepted < o.Accepted) {
		o.Accepted, o.Transition, o.Partner = said.Accepted, said.Transition, said.Partner
	}
	if said.Agreed > o.Agreed {
		o.Agreed, o.AgreementUntil = said.Agreed, said.AgreementUntil
	}
	if said.CompletedOn != "" && (o.CompletedOn == "" || said.CompletedOn < o.CompletedOn) {
		o.CompletedOn = said.CompletedOn
	}
	o.Ended = o.Ended || said.Ended
	return *o != before
}

// readsAfter is for how many days after completion the partner reads on.
const readsAfter = 14

// isActive says whether the offer lets its partner read on a local day, as far as the offer and its journey go:
// accepted, under an agreement in force, not ended, not done for longer than 14 days, and by somebody who knew that
// the journey goes on after it was closed. No clock is asked: those of two services differ.
func (o Offer) isActive(j AccessState, today string) bool {
	return o.Accepted > 0 && !o.Ended && (j.ClosedTransition == 0 || o.Transition > j.ClosedTransition) &&
		o.Accepted > j.Exhausted &&
		j.inForce(o.Partner, Agreement{Last: o.AgreementUntil}, today) &&
		(o.CompletedOn == "" || DaysBetween(o.CompletedOn, today) <= readsAfter)
}

// AccessState is how the journey and its person stand, as far as it decides what a partner reads.
type AccessState struct {
	State string // of the journey
	// ClosedTransition is the journey service's sequence of its last closing, 0 where it was never closed; acceptances
	// that know of nothing later count no more. Nor do answers told on the journey with a sequence up to AnsweredUpTo.
	ClosedTransition, AnsweredUpTo int64
	// with which sequence a yes to follow-up was last told, by whom it names
	Yes map[string]int64
	// sequence with which the follow-up service last said that nobody is left to ask
	Exhausted int64
	Stopped   bool // they have died, or contact is stopped
	Cancelled bool // no visit or request of the journey stands
	// a clinician, or another human, decides first whether anybody may be in touch
	Waits bool
	// Agreements are those with partners, by their ids, as followup said last.
	Agreements map[string]Agreement
}

// Agreement is from when until when a partner may be told anything, local days and both inclusive; Last is empty where
// none is recorded.
type Agreement struct{ First, Last string }

// inForce says whether the agreement with an organisation is in force on a day: as it stands by what was said of it
// last, else as was known before.
func (j AccessState) inForce(organisation string, before Agreement, today string) bool {
	a, known := j.Agreements[organisation]
	if !known {
		a = before
	}
	return a.Last != "" && a.First <= today && today <= a.Last
}

// Asking is who wants to read who a person is.
type Asking struct {
	Organisation string
	Role         string
	Reason       string // as stated
	// Own says that it is the person themselves; Here that the journey began at the organisation that asks.
	Own, Here bool
	// Young: they are under 18, or nobody knew their age.
	Young bool
	// Barred: the person said that the organisation must not know. To it, it is as if nothing were there.
	Barred bool
}

// How much is shown.
const (
	SeesNothing = ""
	SeesPartner = "partner" // name, confirmed contact, needs: what meeting the person takes
	SeesAll     = "all"
)

// Reasons for refusing a look, as kept in the audit trail.
const (
	RefusedNoReason = "no-reason"
	RefusedNoOffer  = "no-offer"
	RefusedBarred   = "must-not-know"
	RefusedRole     = "role"
	RefusedErased   = "erased"
	RefusedUnplaced = "unplaced" // nobody has said yet whose they are
)

// MayRead decides whether somebody may read who a person is, and how much of it. All that it looks at is read in the
// transaction that reads the identity, so that a consent withdrawn before it opens nothing.
func MayRead(asking Asking, group Group, standing AccessState, offers []Offer, answers []Answer, today string) (sees,
	refused string) {
	stated := schemas.ReasonFault(asking.Reason) == ""
	if asking.Barred && schemas.Role(asking.Role) != schemas.Person {
		return SeesNothing, RefusedBarred
	}
	switch schemas.Role(asking.Role) {
	case schemas.Person:
		if asking.Own {
			return SeesAll, ""
		}
	case schemas.TreatingStaff:
		if !stated {
			return SeesNothing, RefusedNoReason
		}
		return SeesAll, ""
	case schemas.SendingTeam, schemas.Navigator, schemas.YoungPeoplesClinician:
		switch {
		case !asking.Here, schemas.Role(asking.Role) == schemas.YoungPeoplesClinician && !asking.Young:
			return SeesNothing, RefusedRole
		case !stated:
			return SeesNothing, RefusedNoReason
		}
		return SeesAll, ""
	case schemas.Partner:
		if partnerReads(asking.Organisation, group, standing, offers, answers, today) {
			return SeesPartner, ""
		}
		return SeesNothing, RefusedNoOffer
	}
	return SeesNothing, RefusedRole
}

// RefusedNoCall: the person's yes to calls is not to who rings, or something stops or holds contact.
const RefusedNoCall = "no-call"

// noEnd is a day after all others.
const noEnd = "9999-12-31"

// MayRing decides whether somebody who is about to make a call may read the name and number that were agreed, or why
// not: a yes to calls that covers their organisation, an agreement in force where it is a partner, and nothing that
// stops, holds or ends contact.
func MayRing(organisation string, hidden bool, group Group, standing AccessState, answers []Answer,
	today string) (refused string) {
	switch {
	case hidden:
		return RefusedBarred
	case standing.State != JourneyOpen, standing.Stopped, standing.Cancelled, standing.Waits,
		!standing.inForce(organisation, Agreement{Last: noEnd}, today), // the NHS has none, and needs none
		!Consent(group, answers, schemas.PurposeBridging, organisation, today).Holds():
		return RefusedNoCall
	}
	return ""
}

// partnerReads is the one rule about identity and partners: an accepted offer of its own that stands, a yes to
// follow-up by its name since the journey was last closed, and nothing that stops, holds or ends contact.
func partnerReads(partner string, group Group, standing AccessState, offers []Offer, answers []Answer,
	today string) bool {
	if partner == "" || standing.State != JourneyOpen || standing.Stopped || standing.Cancelled || standing.Waits {
		return false
	}
	theirs := func(o Offer) bool { return o.Partner == partner && o.isActive(standing, today) }
	named, ok := Newest(answers, schemas.PurposeFollowUp, partner, append([]string{group.Own}, group.Confirmed...)...)
	return slices.ContainsFunc(offers, theirs) && ok && standing.Yes[partner] > standing.AnsweredUpTo &&
		!named.guarded &&
		named.stateOn(today).Holds() && Consent(group, answers, schemas.PurposeFollowUp, partner, today).Holds()
}
