package schemas

import (
	"slices"
	"strings"
)

// Visibility is what somebody gets who asks for one thing by a route.
type Visibility string

// The reaches.
const (
	// Refused: the role may not ask at all.
	Refused Visibility = "refused"
	// Hidden: as if it were not there, so that nothing tells that it is.
	Hidden Visibility = "hidden"
	// AsksWhy: for a stated reason of substance alone.
	AsksWhy Visibility = "asks why"
	// Reached: whatever the answer is, it is about that thing.
	Reached Visibility = "reached"
)

// Thing is what a route is about.
type Thing string

// The things.
const (
	AboutNothing  Thing = "" // of nobody in particular: the directory, a form, a description
	AboutJourney  Thing = "journey"
	AboutPerson   Thing = "person"
	AboutStep     Thing = "step"
	AboutMessage  Thing = "message"
	AboutFacility Thing = "facility"
	AboutRequest  Thing = "request" // as a FHIR ServiceRequest
	AboutSession  Thing = "session"
	AboutEndpoint Thing = "subscription"
	AboutTrace    Thing = "trace"
	AboutHelp     Thing = "request for help"
	AboutCall     Thing = "call"
	AboutOffer    Thing = "offer"
	AboutPartner  Thing = "partner"
	// AboutOrganisation is what an organisation decides for itself.
	AboutOrganisation Thing = "organisation"
)

// Thing says what a route is about, by its path. A request for help is about nothing that could be hidden: it is taken
// from whoever may ask at all, and shows nothing.
func (r Route) Thing() Thing {
	if strings.HasSuffix(r.Pattern, "/help") {
		return AboutNothing
	}
	for part, thing := range map[string]Thing{"/journeys/{id}": AboutJourney, "/people/{ref}": AboutPerson,
		"/steps/{id}": AboutStep, "/messages/{id}": AboutMessage,
		"/facilities/{id}": AboutFacility, "/fhir/ServiceRequest/{id}": AboutRequest, "/fhir/Task": AboutRequest,
		"/sessions/{id}": AboutSession, "/subscriptions/{id}": AboutEndpoint, "/traces/{id}": AboutTrace,
		"/help/{id}": AboutHelp, "/calls/{id}": AboutCall, "/offers/{id}": AboutOffer, "/partners/{id}": AboutPartner,
		"/organisations/{id}": AboutOrganisation} {
		if strings.Contains(r.Pattern, part) {
			return thing
		}
	}
	return AboutNothing
}

// Expect says what a role gets by a route: of its own organisation's things (a person: their own; a partner: by an
// offer that it has accepted; a session: the caller's own) or of another's, with a stated reason of substance or
// without one. It follows from ScopeOf alone, but for what is said here; a test asks every route as everybody, and
// docs/access.md is made from it.
func (r Route) Expect(role Role, own, reasoned bool) Visibility {
	if !r.Allows(role) {
		return Refused
	}
	thing, scope := r.Thing(), ScopeOf(role, "own", "own")
	switch {
	case thing == AboutNothing:
		return Reached
	case thing == AboutSession, thing == AboutEndpoint, thing == AboutHelp &&
		strings.HasSuffix(r.Pattern, "/person-knows"):
		return ifElse(own, Reached, Hidden)
	case thing == AboutPartner: // a partner sees itself; it is no one organisation's
		return ifElse(own || role != Partner, Reached, Hidden)
	case scope.All:
		return Reached
	case !own && scope.Elsewhere && reasoned && r.Method == "GET":
		return Reached
	case !own:
		return Hidden
	case !reasoned && slices.Contains(whyAsked(r), role):
		return AsksWhy
	}
	return Reached
}

// whyAsked are the roles that state a reason even at home.
func whyAsked(r Route) []Role {
	switch {
	case strings.HasSuffix(r.Pattern, "/identity"):
		return []Role{SendingTeam, Navigator, TreatingStaff, YoungPeoplesClinician}
	case r.Method == "GET":
		return []Role{TreatingStaff}
	}
	return nil
}

func ifElse(holds bool, yes, no Visibility) Visibility {
	if holds {
		return yes
	}
	return no
}
