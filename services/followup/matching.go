package followup

import (
	"cmp"
	"slices"

	"footbridge/libs/calendar"
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
