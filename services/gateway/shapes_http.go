package gateway

import (
	"footbridge/libs/httpx"
	"footbridge/services/gateway/workers"
)

// Shapes are what the routes that the gateway answers itself read and answer; descriptions are as their own standards
// have them.
func Shapes() map[string]httpx.Shape {
	description := httpx.Gives[map[string]any]()
	schema := description
	schema.Media = "application/schema+json"
	return map[string]httpx.Shape{
		"GET /api/sessions":                             httpx.Gives[httpx.List[listed]](),
		"POST /api/sessions/{id}/end":                   httpx.ShapeOf[httpx.None, httpx.None](204),
		"GET /api/partners/{id}/workers":                httpx.Gives[httpx.List[workers.Worker]](),
		"POST /api/partners/{id}/workers":               httpx.ShapeOf[workers.NewWorker, workers.Told](201),
		"POST /api/partners/{id}/workers/{worker}/code": httpx.Takes[codeAsked, workers.Told](),
		"POST /api/partners/{id}/workers/{worker}/mail": httpx.ShapeOf[mailAsked, httpx.None](204),
		"POST /api/partners/{id}/workers/{worker}/end":  httpx.ShapeOf[httpx.None, httpx.None](204),
		"GET /openapi.json":                             description,
		"GET /asyncapi.json":                            description,
		"GET /schemas/{file}":                           schema,
	}
}
