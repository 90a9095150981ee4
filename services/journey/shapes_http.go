package journey

import (
	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// Shapes are what the routes read and answer.
func Shapes() map[string]httpx.Shape {
	return map[string]httpx.Shape{
		"GET /api/journeys":                     httpx.Gives[httpx.List[journeyListed]](),
		"GET /api/journeys/{id}":                httpx.Gives[journeyShown](),
		"POST /api/journeys/{id}/hold":          httpx.Takes[holdAsked, changedShown](),
		"POST /api/journeys/{id}/release":       httpx.Takes[struct{}, changedShown](),
		"POST /api/journeys/{id}/close":         httpx.Takes[Closing, changedShown](),
		"POST /api/journeys/{id}/reopen":        httpx.Takes[struct{}, changedShown](),
		"POST /api/journeys/{id}/assessment":    httpx.Takes[schemas.AssessmentRecord, changedShown](),
		"POST /api/journeys/{id}/first-contact": httpx.Takes[schemas.FirstContactRecord, changedShown](),
		"POST /api/journeys/{id}/look-review":   httpx.Takes[schemas.LookReviewRecord, changedShown](),
		"POST /api/journeys/{id}/retold":        httpx.Takes[schemas.RetoldRecord, changedShown](),
		"GET /api/steps":                        httpx.Gives[stepList](),
		"GET /api/steps/{id}":                   httpx.Gives[stepListed](),
		"POST /api/steps/{id}/done":             httpx.Takes[schemas.StepDone, changedShown](),
		"POST /api/steps/{id}/no-answer":        httpx.Takes[schemas.NoAnswerRecord, changedShown](),
		"POST /api/steps/{id}/reassign":         httpx.Takes[schemas.StepOwner, changedShown](),
		"POST /api/steps/{id}/acknowledge":      httpx.Takes[schemas.StepOwner, changedShown](),
	}
}
