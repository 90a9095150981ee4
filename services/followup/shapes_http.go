package followup

import (
	"footbridge/libs/httpx"
	"footbridge/libs/ics"
)

// Shapes are what the routes read and answer.
func Shapes() map[string]httpx.Shape {
	live := httpx.Takes[liveAsked, liveShown]()
	live.Also = map[int]string{202: "Asked for; another person confirms."}
	return map[string]httpx.Shape{
		"GET /api/offers":                           httpx.Gives[httpx.List[offerShown]](),
		"GET /api/offers/{id}":                      httpx.Gives[offerShown](),
		"GET /api/journeys/{id}/shown":              httpx.Gives[httpx.List[passedOn]](),
		"POST /api/offers/{id}/accept":              httpx.Takes[nothing, offerShown](),
		"POST /api/offers/{id}/decline":             httpx.Takes[declined, offerShown](),
		"POST /api/offers/{id}/appointment":         httpx.Takes[Booking, offerShown](),
		"POST /api/offers/{id}/outcome":             httpx.Takes[Went, offerShown](),
		"POST /api/offers/{id}/hand-back":           httpx.Takes[handedBack, offerShown](),
		"POST /api/offers/{id}/introduce":           httpx.Takes[introduced, offerShown](),
		"POST /api/offers/{id}/undo":                httpx.Takes[nothing, offerShown](),
		"POST /api/offers/{id}/may-know":            httpx.Takes[knows, offerShown](),
		"POST /api/offers/{id}/question":            httpx.Takes[asked, offerShown](),
		"POST /api/offers/{id}/confirm-deletion":    httpx.Takes[deletion, offerShown](),
		"POST /api/workers/me/calendar":             httpx.ShapeOf[httpx.None, ics.Made](201),
		"POST /api/workers/me/calendar/revoke":      httpx.ShapeOf[httpx.None, httpx.None](204),
		"GET /api/sessions.ics":                     ics.Shape(),
		"GET /api/partners":                         httpx.Gives[httpx.List[partnerListed]](),
		"GET /api/partners/{id}":                    httpx.Gives[partnerShown](),
		"PUT /api/partners/{id}/capacity":           httpx.Takes[capacityAsked, partnerShown](),
		"PUT /api/partners/{id}/agreement":          httpx.Takes[Terms, partnerShown](),
		"PUT /api/partners/{id}/holidays":           httpx.Takes[holidaysAsked, partnerShown](),
		"PUT /api/partners/{id}/pause":              httpx.Takes[pauseAsked, partnerShown](),
		"GET /api/organisations/{id}/going-live":    httpx.Gives[liveShown](),
		"DELETE /api/organisations/{id}/going-live": httpx.Gives[liveShown](),
		"POST /api/organisations/{id}/going-live":   live,
	}
}
