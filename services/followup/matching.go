package followup

import (
	"cmp"
	"slices"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// sectorThird and kindFollowUp are how the directory marks a service that does what an offer asks for: one peer-led
// session of a third-sector organisation.
const (
	sectorThird  = "third-sector"
	kindFollowUp = "peer-follow-up"
)

// Partner is a third-sector organisation with an agreement in force.
type Partner struct {
	// ID is opaque (a uuid): it goes on the bus, the name never does.
	ID string
	// Service is the directory's id of the service this partner runs; a door that is open there may be offered.
	Service string
	// Name is for staff's pages only.
	Name string
	// Works is the days of the week on which the partner answers.
	Works calendar.Weekdays
	// Rank orders partners when the person left the choice open; the smaller is asked first.
	Rank int
}

// mayBeOffered says whether a door allows an offer to be prepared. Unknown is not no: a door that is open if a
// missing fact turns out well is offered while the fact is asked for. A door that takes a conversation is not.
func mayBeOffered(d door) bool {
	return d.Sector == sectorThird && d.Kind == kindFollowUp && (d.Door == schemas.DoorOpen || d.Door == schemas.DoorOpenIf)
}

// match returns the partner to ask: of those whose service is open, the one whose door opened first, then by rank,
// then by id, so that any order of the same decisions finds the same one. It returns false when none fits.
func match(open map[string]int64, partners []Partner) (Partner, bool) {
	fitting := make([]Partner, 0, len(partners))
	for _, p := range partners {
		if _, ok := open[p.Service]; ok {
			fitting = append(fitting, p)
		}
	}
	if len(fitting) == 0 {
		return Partner{}, false
	}
	return slices.MinFunc(fitting, func(a, b Partner) int {
		return cmp.Or(cmp.Compare(open[a.Service], open[b.Service]), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
	}), true
}
