package gateway

import (
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"footbridge/schemas"
)

// verdict says whether somebody may ask.
type verdict int

const (
	pass       verdict = iota
	asGuest            // nobody is known to be asking, and nobody need be
	asProgram          // a calendar program, which is nobody: what it sends says whose calendar it reads
	whoAreYou          // nobody is known to be asking
	notForRole         // somebody is, in a role that the table does not name for this route
)

// admit decides by the route table whether a role may ask; an empty role is nobody. doubtful says that a credential
// came that was not accepted: its sender meant to be known, and is not taken for a guest. Where guests alone may ask,
// everybody is one: a page for the person is not filled in as whoever signed in on the same device.
func admit(route schemas.Route, role string, doubtful bool) verdict {
	switch {
	case route.Public:
		return pass
	case route.ByToken():
		return asProgram
	case slices.Equal(route.Roles, guests), role == "" && !doubtful && slices.Contains(route.Roles, schemas.Guest):
		return asGuest
	case role == "":
		return whoAreYou
	case slices.Contains(route.Roles, schemas.Role(role)):
		return pass
	default:
		return notForRole
	}
}

var guests = []schemas.Role{schemas.Guest}

// Bounds on bodies in bytes. A service may bound its own further.
const (
	usualBody = 1 << 20
	batchBody = 10 << 20 // POST /events takes batches, and a what-if a whole directory
	formBody  = 64 << 10 // of the console
)

// bodyLimit says how much a route takes.
func bodyLimit(route schemas.Route) int64 {
	switch {
	case route.Service == schemas.Console:
		return formBody
	case route.Pattern == "/events", route.Pattern == "/api/thresholds/what-if":
		return batchBody
	default:
		return usualBody
	}
}

// wantsPage says whether an Accept header is a browser's that would show a page: text/html is named and nothing that
// a program asks for is preferred to it. A header that accepts anything is a program's.
func wantsPage(accept string) bool {
	page, program := 0.0, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		weight := 1.0
		if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
			weight = q
		}
		switch {
		case kind == "text/html", kind == "application/xhtml+xml":
			page = max(page, weight)
		case strings.HasSuffix(kind, "json"):
			program = max(program, weight)
		}
	}
	return page > 0 && page >= program
}

// holds says whether a session still stands, or why not.
func holds(s session, found bool, now time.Time) error {
	switch {
	case !found:
		return errSessionUnknown
	case s.EndedAt != nil, s.SignedOut:
		return errSessionEnded
	case !now.Before(s.EndsAt):
		return errSessionOver
	case now.Sub(s.SeenAt) >= sessionIdle:
		return errSessionIdle
	}
	return nil
}
