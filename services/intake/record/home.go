package record

import "cmp"

// Home is whose a facility is that is agreed with no organisation. The zero value is a facility that is agreed.
type Home struct{ Host, Placed string }

func (h Home) unplaced() bool { return h.Host != "" && h.Placed == "" }

// wire is whose it is, as on the bus.
func (h Home) wire(facility string) string {
	return cmp.Or(h.Placed, h.Host, wireOrganisation(facility))
}

// HomeOf is whose a facility is, as on the bus.
func (w *UnitOfWork) HomeOf(facility string) string { return w.Homes[facility].wire(facility) }
