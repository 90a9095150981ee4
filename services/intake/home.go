package intake

import "cmp"

// home is whose a facility is that is agreed with no organisation. The zero value is a facility that is agreed.
type home struct{ host, placed string }

func (h home) unplaced() bool { return h.host != "" && h.placed == "" }

// wire is whose it is, as on the bus.
func (h home) wire(facility string) string {
	return cmp.Or(h.placed, h.host, wireOrganisation(facility))
}

func (w *World) homeOf(facility string) string { return w.homes[facility].wire(facility) }
