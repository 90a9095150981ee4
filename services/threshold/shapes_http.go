package threshold

import (
	"footbridge/libs/httpx"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// Shapes are what the routes read and answer.
func Shapes() map[string]httpx.Shape {
	return map[string]httpx.Shape{
		"GET /api/services":                 httpx.Gives[httpx.List[serviceShown]](),
		"POST /api/services/{id}/told":      httpx.Takes[TellingWhat, toldShown](),
		"POST /api/services/{id}/dead-line": httpx.Takes[LineReport, reportShown](),
		"POST /api/thresholds/check":        httpx.Takes[schemas.Facts, criteria.Decision](),
		"POST /api/thresholds/what-if":      httpx.Takes[[]criteria.Document, whatIfAnswer](),
		"POST /api/thresholds/gaps":         httpx.Takes[gapsAsked, criteria.GapSearch](),
		"GET /api/thresholds/told":          httpx.Gives[httpx.List[criteria.Discrepancy]](),
		"GET /api/thresholds/turned":        httpx.Gives[criteria.Turned](),
		"GET /api/journeys/{id}/doors":      httpx.Gives[eligibilitiesShown](),
		"POST /api/journeys/{id}/asked":     httpx.Takes[Asked, recorded](),
		"POST /api/journeys/{id}/answered":  httpx.Takes[Answered, recorded](),
		"POST /api/journeys/{id}/override":  httpx.Takes[Overriding, recorded](),
	}
}
