package bridging

import (
	"footbridge/libs/httpx"
	"footbridge/libs/ics"
)

// Shapes are what the routes read and answer.
func Shapes() map[string]httpx.Shape {
	asks := httpx.ShapeOf[helpAsked, helpShown](201)
	return map[string]httpx.Shape{
		"POST /api/journeys/{id}/help":         asks,
		"POST /api/offers/{id}/help":           asks,
		"POST /api/calls/{id}/help":            asks,
		"GET /api/help/{id}":                   httpx.Gives[helpShown](),
		"POST /api/help/{id}/acknowledge":      httpx.Gives[helpShown](),
		"POST /api/help/{id}/person-knows":     httpx.Takes[knowsAsked, helpShown](),
		"GET /api/calls":                       httpx.Gives[httpx.List[callShown]](),
		"GET /api/calls/{id}":                  httpx.Gives[callShown](),
		"POST /api/calls/{id}/claim":           httpx.Gives[claimShown](),
		"POST /api/calls/{id}/outcome":         httpx.Takes[outcomeAsked, outcomeShown](),
		"GET /api/journeys/{id}/plan":          httpx.Gives[planShown](),
		"POST /api/journeys/{id}/plan":         httpx.Takes[planAsked, planShown](),
		"GET /api/callers/me":                  httpx.Gives[callerShown](),
		"PUT /api/callers/me":                  httpx.Takes[callerShown, callerShown](),
		"POST /api/callers/me/away":            httpx.Takes[awayAsked, awayShown](),
		"POST /api/callers/me/calendar":        httpx.ShapeOf[httpx.None, ics.Made](201),
		"POST /api/callers/me/calendar/revoke": httpx.ShapeOf[httpx.None, httpx.None](204),
		"GET /api/calls.ics":                   ics.Shape(),
		"GET /api/timers":                      httpx.Gives[timersShown](),
		"POST /api/timers/spread":              httpx.Takes[spreadAsked, spreadShown](),
		"GET /api/rota":                        httpx.Gives[rotaShown](),
		"PUT /api/rota":                        httpx.Takes[rotaAsked, rotaShown](),
	}
}
