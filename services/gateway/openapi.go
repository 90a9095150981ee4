package gateway

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"footbridge/libs/fhir"
	"footbridge/schemas"
)

// object is a JSON object; encoding/json writes its members in order of their names, so that the description of one
// route table is always the same bytes.
type object = map[string]any

// known are the ways to say who is asking.
var known = []object{{"token": []string{}}, {"certificate": []string{}}, {"session": []string{}}}

// describe makes the OpenAPI 3.1 description of a route table.
func describe(routes []schemas.Route) ([]byte, error) {
	paths := object{}
	for _, route := range routes {
		path, _ := paths[route.Pattern].(object)
		if path == nil {
			path = object{}
			paths[route.Pattern] = path
		}
		path[strings.ToLower(route.Method)] = operation(route)
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Footbridge",
			"version": schemas.Release,
			"summary": "Nobody leaves A&E without a next step that somebody owns.",
			"description": "Every request has a principal: organisation, role and subject. Errors are RFC 9457 " +
				"problems. " +
				"Times are RFC 3339 with offset; days are local dates in Europe/London. The events are described in " +
				"/asyncapi.json.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []object{{"url": "/"}},
		"security":   known,
		"tags":       tags(routes),
		"paths":      paths,
		"components": components,
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describing the HTTP surface: %w", err)
	}
	return append(text, '\n'), nil
}

func tags(routes []schemas.Route) []object {
	var found []object
	var seen []string
	for _, route := range routes {
		if !slices.Contains(seen, route.Service) {
			seen = append(seen, route.Service)
			found = append(found, object{"name": route.Service, "description": "Served by " + route.Service + "."})
		}
	}
	return found
}

var parameterPattern = regexp.MustCompile(`\{([^}]+)\}`)

// operation describes one line of the table.
func operation(route schemas.Route) object {
	o := object{
		"operationId": operationID(route),
		"summary":     route.Meaning,
		"tags":        []string{route.Service},
		"responses":   responses(route),
	}
	if route.Public {
		o["security"] = []object{}
		o["description"] = "Open to everyone."
	} else {
		o["description"] = "Open to the roles: " + roleNames(route.Roles) + "."
		o["x-footbridge-roles"] = route.Roles
	}
	if slices.Contains(route.Roles, schemas.Guest) {
		o["security"] = append(slices.Clone(known), object{}) // or nothing at all
	}
	if parameters := parameters(route); len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if body := requestBody(route); body != nil {
		o["requestBody"] = body
	}
	return o
}

// operationID names an operation by its method and path: POST /api/steps/{id}/done is postApiStepsIdDone.
func operationID(route schemas.Route) string {
	var id strings.Builder
	id.WriteString(strings.ToLower(route.Method))
	words := strings.FieldsFunc(route.Pattern, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	for _, word := range words {
		id.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return id.String()
}

func roleNames(roles []schemas.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ", ")
}

// takesReason says that a route may show somebody for a stated reason.
func takesReason(route schemas.Route) bool {
	return route.Method == "GET" && route.Allows(schemas.TreatingStaff) &&
		strings.HasPrefix(route.Pattern, "/api/journeys/") || route.Mux() == "GET /api/messages/{id}"
}

func parameters(route schemas.Route) []object {
	var all []object
	for _, found := range parameterPattern.FindAllStringSubmatch(route.Pattern, -1) {
		all = append(all, object{"name": found[1], "in": "path", "required": true,
			"schema": pathSchema(route, found[1])})
	}
	if isList(route) {
		all = append(all, object{"$ref": "#/components/parameters/limit"},
			object{"$ref": "#/components/parameters/cursor"})
	}
	if route.Pattern == "/api/messages" {
		all = append(all, object{"name": "outcome", "in": "query",
			"schema": object{"$ref": "#/components/schemas/Outcome"}})
	}
	if takesReason(route) {
		all = append(all, object{"name": schemas.ReasonHeader, "in": "header",
			"description": "Why somebody looks, in a few words of their own: it is kept, and the person can read it. " +
				"Never in the URL.",
			"schema": object{"type": "string", "minLength": 10, "maxLength": 200}})
	}
	switch {
	case isFHIR(route.Pattern):
		all = append(all, fhirParameters(route)...)
	case changes(route):
		all = append(all, object{"$ref": "#/components/parameters/idempotencyKey"})
	}
	return all
}

func pathSchema(route schemas.Route, name string) object {
	if name == "id" && !strings.HasPrefix(route.Pattern, "/api/services/") { // those ids are the directory's own
		return object{"type": "string", "format": "uuid"}
	}
	return object{"type": "string"}
}

// isList says whether a route answers with items and a cursor: a GET whose path ends in a plural.
func isList(route schemas.Route) bool {
	return route.Method == "GET" && strings.HasPrefix(route.Pattern, "/api/") && strings.HasSuffix(route.Pattern, "s")
}

func changes(route schemas.Route) bool { return route.Method == "POST" || route.Method == "PUT" }

func requestBody(route schemas.Route) object {
	switch {
	case !changes(route):
		return nil
	case isFHIR(route.Pattern):
		return object{"required": true, "description": "A Bundle of type message in the envelope of the Booking and " +
			"Referral Standard.",
			"content": object{fhir.MediaType: object{"schema": object{"$ref": "#/components/schemas/Resource"}}}}
	case route.Pattern == "/events":
		one := object{"oneOf": []object{
			{"$ref": "/schemas/" + string(schemas.DischargeReported) + ".json"},
			{"$ref": "/schemas/" + string(schemas.ReferralSubmitted) + ".json"}}}
		return object{"required": true,
			"description": "One CloudEvent in structured mode, a batch of them, or in binary mode the event's data " +
				"with its attributes in ce- headers.",
			"content": object{
				"application/cloudevents+json":       object{"schema": one},
				"application/cloudevents-batch+json": object{"schema": object{"type": "array", "items": one}},
				"application/json":                   object{"schema": object{"type": "object"}},
			}}
	default:
		return object{"content": object{"application/json": object{"schema": object{"type": "object"}}}}
	}
}

// fhirParameters are the headers under /fhir, and the searches.
func fhirParameters(route schemas.Route) []object {
	header := func(name, about string, required bool, schema object) object {
		return object{"name": name, "in": "header", "required": required, "description": about, "schema": schema}
	}
	uuid, text := object{"type": "string", "format": "uuid"}, object{"type": "string"}
	all := []object{
		header("X-Request-Id", "One for each message, the same when it is sent again; comes back on every answer.",
			changes(route), uuid),
		header("X-Correlation-Id", "The same for all messages about one request; comes back on every answer.",
			changes(route), uuid),
		header("Accept", "application/fhir+json; version=1.0.0, or nothing.", false, text),
	}
	if changes(route) {
		all = append(all, header("NHSD-Target-Identifier",
			"Base64 of JSON with value and system; read where it can be.", false, text),
			header("NHSD-End-User-Organisation", "Base64 of an Organization; read where it can be.", false, text))
	}
	if route.Pattern == "/fhir/Task" {
		all = append(all, object{"name": "focus", "in": "query", "required": true, "description": "ServiceRequest/{id}",
			"schema": text})
	}
	return all
}

// fhirResponses are the answers under /fhir: resources, and for every refusal an OperationOutcome.
func fhirResponses(route schemas.Route) object {
	outcome := object{"$ref": "#/components/responses/Outcome"}
	all := object{"default": outcome, "200": object{"description": "What was asked for, or the message that answers.",
		"headers": mirrored, "content": object{
			fhir.MediaType: object{"schema": object{"$ref": "#/components/schemas/Resource"}}}}}
	statuses := []string{"401", "403", "404", "406", "408", "429", "503"}
	if changes(route) {
		statuses = append(statuses, "400", "409", "413", "415", "422")
	}
	for _, status := range statuses {
		all[status] = outcome
	}
	return all
}

var mirrored = object{
	"X-Request-Id":     object{"description": "As it was sent.", "schema": object{"type": "string", "format": "uuid"}},
	"X-Correlation-Id": object{"description": "As it was sent.", "schema": object{"type": "string", "format": "uuid"}},
}

func responses(route schemas.Route) object {
	if isFHIR(route.Pattern) {
		return fhirResponses(route)
	}
	all := object{"default": object{"$ref": "#/components/responses/Problem"}}
	switch {
	case route.Pattern == "/events":
		all["202"] = answer("Durable. In a batch of one or more, see 200.", "#/components/schemas/Accepted")
		all["200"] = answer("A batch: one answer per event, never all or nothing.",
			"#/components/schemas/BatchAccepted")
		refusals(all, "400", "401", "403", "409", "413", "415", "422", "429")
	case isList(route):
		all["200"] = answer("A page of the list.", "#/components/schemas/List")
		refusals(all, "400", "401", "403", "429")
	case route.Public:
		all["200"] = answer("The description.", "#/components/schemas/Any")
		refusals(all, "404", "429")
	case changes(route):
		all["200"] = answer("Done. The same Idempotency-Key gets the same answer.", "#/components/schemas/Any")
		refusals(all, "400", "401", "403", "404", "409", "412", "413", "415", "422", "429")
	default:
		all["200"] = answer("What was asked for.", "#/components/schemas/Any")
		refusals(all, "401", "403", "404", "429")
	}
	if strings.Contains(route.Pattern, "{") {
		refusals(all, "404")
	}
	return all
}

func refusals(all object, statuses ...string) {
	for _, status := range statuses {
		all[status] = object{"$ref": "#/components/responses/Problem"}
	}
}

func answer(description, schema string) object {
	return object{"description": description,
		"content": object{"application/json": object{"schema": object{"$ref": schema}}}}
}

var components = object{
	"securitySchemes": object{
		"token": object{"type": "http", "scheme": "bearer",
			"description": "For systems: bound to a sender's profile and its source."},
		"certificate": object{"type": "mutualTLS", "description": "For systems: a client certificate that was agreed."},
		"session": object{"type": "apiKey", "in": "cookie", "name": "footbridge-session",
			"description": "For people who signed in."},
	},
	"parameters": object{
		"limit": object{"name": "limit", "in": "query", "description": "How many items at most.",
			"schema": object{"type": "integer", "minimum": 1}},
		"cursor": object{"name": "cursor", "in": "query", "description": "next of the page before.",
			"schema": object{"type": "string"}},
		"idempotencyKey": object{"name": "Idempotency-Key", "in": "header",
			"description": "Makes it safe to send the request again. Kept for seven days, for this caller and path.",
			"schema":      object{"type": "string", "minLength": 1, "maxLength": 255}},
	},
	"responses": object{
		"Outcome": object{"description": "It was refused or failed: a FHIR R4 OperationOutcome with the national " +
			"error code; diagnostics says what to do next.",
			"headers": mirrored, "content": object{
				fhir.MediaType: object{"schema": object{"$ref": "#/components/schemas/Resource"}}}},
		"Problem": object{"description": "It was refused or failed; detail says what to do next.",
			"content": object{"application/problem+json": object{
				"schema": object{"$ref": "#/components/schemas/Problem"}}}},
	},
	"schemas": object{
		"Any": object{"type": "object"},
		"Resource": object{"type": "object", "required": []string{"resourceType"},
			"properties": object{"resourceType": object{"type": "string"}}, "description": "A FHIR R4 resource."},
		"Outcome": object{"type": "string", "enum": []string{"joined", "raised", "raised-flagged", "corrected",
			"cancelled", "ignored", "duplicate", "quarantined", "rejected"}},
		"Accepted": object{"type": "object", "required": []string{"id"}, "properties": object{
			"id": object{"type": "string", "description": "The event's id."},
			"journey": object{"type": []string{"string", "null"}, "format": "uuid",
				"description": "The journey it belongs to, as soon as there is one."},
		}},
		"BatchAccepted": object{"type": "array", "items": object{"type": "object"}},
		"List": object{"type": "object", "required": []string{"items", "next"}, "properties": object{
			"items": object{"type": "array", "items": object{"type": "object"}},
			"next": object{"type": []string{"string", "null"}, "description": "The cursor of the next page; null on " +
				"the last."},
		}},
		"Problem": object{"type": "object", "required": []string{"type", "title", "status"}, "properties": object{
			"type":   object{"type": "string", "format": "uri-reference"},
			"title":  object{"type": "string"},
			"status": object{"type": "integer"},
			"detail": object{"type": "string", "description": "What was wrong, and what to do next."},
			"instance": object{"type": "string", "format": "uri-reference",
				"description": "Finds this occurrence again."},
		}},
	},
}
