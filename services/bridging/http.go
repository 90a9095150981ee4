package bridging

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// maxBody bounds a request.
const maxBody = 64 << 10

// api answers HTTP.
type api struct {
	*Service
	flow *flow.Flow
	pool *pgxpool.Pool
}

// Routes adds the service's paths to mux, each open to the roles of the route table. Changes go through f; reads use
// pool. The mux must have put a principal into the context (principal.Require).
func (s *Service) Routes(mux *httpx.Mux, f *flow.Flow, pool *pgxpool.Pool) error {
	a := api{Service: s, flow: f, pool: pool}
	a.calendars().Hear(mux, principal.Principal{Role: string(schemas.ServiceItself), Subject: schemas.Gateway},
		a.callerLeft)
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"POST /api/journeys/{id}/help":         a.help(schemas.HelpAboutJourney),
		"POST /api/offers/{id}/help":           a.help(schemas.HelpAboutOffer),
		"POST /api/calls/{id}/help":            a.help(schemas.HelpAboutCall),
		"GET /api/help/{id}":                   a.showHelp,
		"POST /api/help/{id}/acknowledge":      a.takeHelp,
		"POST /api/help/{id}/person-knows":     a.personKnows,
		"GET /api/calls":                       a.calls,
		"GET /api/calls/{id}":                  a.showCall,
		"POST /api/calls/{id}/claim":           a.claim,
		"POST /api/calls/{id}/outcome":         a.outcome,
		"GET /api/journeys/{id}/plan":          a.showPlan,
		"POST /api/journeys/{id}/plan":         a.plan,
		"GET /api/callers/me":                  a.caller,
		"PUT /api/callers/me":                  a.keepCallerRow,
		"POST /api/callers/me/away":            a.away,
		"POST /api/callers/me/calendar":        a.calendars().Make,
		"POST /api/callers/me/calendar/revoke": a.calendars().Revoke,
		"GET /api/calls.ics":                   a.calendars().Give,
		"GET /api/timers":                      a.timers,
		"POST /api/timers/spread":              a.spread,
		"GET /api/rota":                        a.rota,
		"PUT /api/rota":                        a.keepRota,
	}, principal.Guard)
}
