package httpx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Route is one line of a table of routes that are promised to callers.
type Route interface {
	// Mux is the pattern for http.ServeMux: "POST /api/orders/{id}/confirm".
	Mux() string
}

// Register adds the handler of each promised route to mux, with around put about it where given. It adds nothing and
// returns an error that names every route without a handler, since such a route would answer 404 to whoever relies on
// it, and every handler without a route, since nobody is let through to that one.
func Register[R Route](mux *Mux, promised []R, handlers map[string]Handler, around func(R, Handler) Handler) error {
	unpromised := maps.Clone(handlers)
	var wrong []error
	for _, route := range promised {
		if handlers[route.Mux()] == nil {
			wrong = append(wrong, fmt.Errorf("the route table promises %s, which has no handler: add one, or take "+
				"the route out of the table", route.Mux()))
		}
		delete(unpromised, route.Mux())
	}
	for _, pattern := range slices.Sorted(maps.Keys(unpromised)) {
		wrong = append(wrong, fmt.Errorf("the handler of %s answers nobody: the route table of this service does not "+
			"name it", pattern))
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	for _, route := range promised {
		h := handlers[route.Mux()]
		if around != nil {
			h = around(route, h)
		}
		mux.Handle(route.Mux(), h)
	}
	return nil
}
