package traces

import "footbridge/libs/httpx"

// Shapes are what the routes answer.
func Shapes() map[string]httpx.Shape {
	return map[string]httpx.Shape{
		"GET /api/traces":              httpx.Gives[Answer](),
		"GET /api/traces/{id}":         httpx.Gives[Spans](),
		"GET /api/journeys/{id}/trace": httpx.Gives[Spans](),
	}
}
