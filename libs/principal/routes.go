package principal

import "footbridge/libs/httpx"

// Route is a line of a route table that says who may ask, and with which parameters.
type Route interface {
	httpx.Route
	// Query names the parameters that may stand in the query.
	Query() []string
	// MayAsk names the roles that may ask; where it names none, nobody is let in.
	MayAsk() []string
}

// Guard lets only the roles of a route pass, and only the parameters that it takes. It is made for httpx.Register.
func Guard[R Route](route R, next httpx.Handler) httpx.Handler {
	return RequireRole(httpx.OnlyQuery(next, route.Query()...), route.MayAsk()...)
}
