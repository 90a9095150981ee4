package intake

import (
	"slices"

	"footbridge/schemas"
)

// Grant lets one organisation read who the person of one journey is, for one purpose, until a day. It is kept from
// what the person said to that organisation by name: a yes to any partner opens nothing to a particular one.
type Grant struct {
	ID, Journey, Person, Organisation, Purpose string
	Until                                      string // last local day; empty for no end
	Ended                                      bool
}

// Asking is who wants to read who a person is.
type Asking struct {
	Organisation string
	Role         string
	Reason       string // as stated
	// Closed says that the journey is closed: no partner reads on, whatever grants are still there.
	Closed bool
	// Own says that it is the person themselves; Here that the journey began at the organisation that asks.
	Own, Here bool
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
	RefusedNoGrant  = "no-grant"
	RefusedRole     = "role"
	RefusedErased   = "erased"
)

// MayRead decides whether somebody may read who a person is, and how much of it. All that it looks at is read in the
// transaction that reads the identity, so that a consent withdrawn before it opens nothing.
func MayRead(asking Asking, group Group, grants []Grant, answers []Answer, today string) (sees, refused string) {
	stated := schemas.ReasonFault(asking.Reason) == ""
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
	case schemas.SendingTeam, schemas.Navigator:
		switch {
		case !asking.Here:
			return SeesNothing, RefusedRole
		case !stated:
			return SeesNothing, RefusedNoReason
		}
		return SeesAll, ""
	case schemas.Partner:
		inForce := func(g Grant) bool {
			return !g.Ended && g.Organisation == asking.Organisation && (g.Until == "" || today <= g.Until) &&
				Consent(group, answers, g.Purpose, g.Organisation, today).holds()
		}
		if !asking.Closed && slices.ContainsFunc(grants, inForce) {
			return SeesPartner, ""
		}
		return SeesNothing, RefusedNoGrant
	}
	return SeesNothing, RefusedRole
}

// grantsAfter are what an answer does to a journey's grants: a yes to an organisation by name begins one, a no to it,
// or to any, ends what it covered.
func grantsAfter(a Answer, today string) (begin bool, end func(Grant) bool) {
	begin = a.Towards != "" && a.stateOn(today).holds()
	end = func(g Grant) bool {
		covered := g.Purpose == a.Purpose && (a.Towards == "" || a.Towards == g.Organisation)
		return covered && (a.State.refuses() || (a.Towards == g.Organisation && a.Towards != ""))
	}
	return begin, end
}
