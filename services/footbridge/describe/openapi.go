package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"footbridge/libs/fhir"
	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// object is a JSON object; encoding/json writes its members in order of their names, so that the description of one
// route table is always the same bytes.
type object = map[string]any

// known are the ways to say who is asking.
var known = []object{{"token": []string{}}, {"certificate": []string{}}, {"session": []string{}}}

// describe makes the OpenAPI 3.1 description of a route table.
func describe(routes []schemas.Route, shapes map[string]httpx.Shape, comments *comments) ([]byte, error) {
	paths, b := object{}, &builder{comments: comments, components: maps.Clone(common)}
	for _, route := range routes {
		path, _ := paths[route.Pattern].(object)
		if path == nil {
			path = object{}
			paths[route.Pattern] = path
		}
		path[strings.ToLower(route.Method)] = b.operation(route, shapes[route.Mux()])
	}
	if len(b.unsaid) > 0 {
		return nil, fmt.Errorf("nothing says what these mean: comment the field, or name it in meanings: %v", b.unsaid)
	}
	components := maps.Clone(components)
	components["schemas"] = b.components
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
		"servers": []object{{"url": "/", "description": "The host that serves this description."},
			{"url": "http://127.0.0.1:8080", "description": "make run, on this machine."}},
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
func (b *builder) operation(route schemas.Route, shape httpx.Shape) object {
	o := object{
		"operationId": operationID(route),
		"summary":     route.Meaning,
		"tags":        []string{route.Service},
		"responses":   b.responses(route, shape),
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
	if parameters := parameters(route, shape); len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if body := b.requestBody(route, shape); body != nil {
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

func parameters(route schemas.Route, shape httpx.Shape) []object {
	var all []object
	for _, found := range parameterPattern.FindAllStringSubmatch(route.Pattern, -1) {
		all = append(all, object{"name": found[1], "in": "path", "required": true,
			"description": pathMeaning(route, found[1]), "schema": pathSchema(route, found[1])})
	}
	for _, p := range route.Parameters() {
		one := object{"name": p.Name, "in": "query", "description": p.Meaning, "schema": querySchema(p)}
		if p.Needed {
			one["required"] = true
		}
		all = append(all, one)
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

// querySchema is what a parameter of the query takes.
func querySchema(p schemas.Parameter) object {
	s := object{"type": "string"}
	switch p.Type {
	case schemas.ParameterFlag:
		s = object{"type": "boolean", "default": false}
	case schemas.ParameterNumber:
		s = object{"type": "integer", "default": p.Usual}
	case schemas.ParameterDay:
		s["format"] = "date"
	case schemas.ParameterTime:
		s["format"] = "date-time"
	case schemas.ParameterDayOrTime:
		s = object{"anyOf": []object{{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}}}
	}
	demand(s, p.Kind)
	return s
}

func pathSchema(route schemas.Route, name string) object {
	if name == "id" && !strings.HasPrefix(route.Pattern, "/api/services/") { // those ids are the directory's own
		return object{"type": "string", "format": "uuid"}
	}
	return object{"type": "string"}
}

// pathMeaning says what a parameter of the path names.
func pathMeaning(route schemas.Route, name string) string {
	before, _, _ := strings.Cut(route.Pattern, "/{"+name)
	thing := before[strings.LastIndex(before, "/")+1:]
	switch thing {
	case "people":
		return "The opaque reference of a person."
	case "schemas":
		return "An event's type, with or without care.footbridge."
	case "services":
		return "The id of a service of the directory."
	case "organisations":
		return "The code of an organisation."
	}
	return "The id of one of the " + thing + "."
}

// isList says whether a route answers with items and a cursor.
func isList(shape httpx.Shape) bool {
	return shape.Answers != nil && strings.HasPrefix(shape.Answers.Name(), "List[")
}

func changes(route schemas.Route) bool { return route.Method == "POST" || route.Method == "PUT" }

func (b *builder) requestBody(route schemas.Route, shape httpx.Shape) object {
	switch {
	case isFHIR(route.Pattern) && !changes(route):
		return nil
	case isFHIR(route.Pattern):
		return object{"required": true, "description": "A Bundle of type message in the envelope of the Booking and " +
			"Referral Standard.",
			"content": object{fhir.MediaType: object{"schema": object{"$ref": "#/components/schemas/Resource"}}}}
	case route.Pattern == "/events":
		var whole, data []object
		for _, t := range schemas.EmittedBy(schemas.Outside) {
			e, _ := schemas.Lookup(t)
			data = append(data, b.schema(e.Data, read))
			whole = append(whole, b.outsideEvent(e))
		}
		one := object{"oneOf": whole}
		example := json.RawMessage(schemas.ExampleJSON(schemas.EmittedBy(schemas.Outside)[0]))
		var says struct{ Data json.RawMessage }
		if json.Unmarshal(example, &says) != nil {
			panic("the example of an event is no JSON") // it is embedded, and a test reads each
		}
		return object{"required": true,
			"description": "One CloudEvent in structured mode, a batch of them, or in binary mode the event's data " +
				"with its attributes in ce- headers.",
			"content": object{
				"application/cloudevents+json": object{"schema": one, "example": example},
				"application/cloudevents-batch+json": object{"schema": object{"type": "array", "items": one},
					"example": []json.RawMessage{example}},
				"application/json": object{"schema": object{"anyOf": data}, "example": says.Data},
			}}
	case shape.Reads == nil:
		return nil
	}
	content := b.content(bodyOf(route, shape), cmp.Or(shape.ReadsMedia, "application/json"), read)
	if route.Pattern == "/api/signals" {
		one := content["application/json"].(object)
		one["schema"] = object{"description": "A signal in its publisher's form, or the Bundle of type history that " +
			"subscribers outside get.",
			"anyOf": []object{one["schema"].(object), {"$ref": "#/components/schemas/Resource"}}}
	}
	if len(shape.Filled) > 0 {
		s := b.members(shape.Reads, read)
		s["required"] = slices.DeleteFunc(s["required"].([]string),
			func(name string) bool { return slices.Contains(shape.Filled, name) })
		content["application/json"].(object)["schema"] = s
	}
	return object{"content": content,
		"required": shape.Reads.Kind() != reflect.Struct || shape.Reads.NumField() > 0}
}

// outsideEvent is a CloudEvent that outside systems send, in structured mode.
func (b *builder) outsideEvent(e schemas.Entry) object {
	text := func(meaning string) object { return object{"type": "string", "description": meaning} }
	name := componentName(e.Data, read) + "Event"
	b.components[name] = object{"type": "object", "description": e.Meaning,
		"required": []string{"specversion", "id", "source", "type", "data"}, "properties": object{
			"specversion": object{"const": "1.0", "description": "Version of CloudEvents."},
			"id": text("The sender's id of the event: sent again with the same id and content it counts once. Never " +
				"anything that identifies a person."),
			"source": text("The sender, as its profile says."),
			"type":   object{"const": e.Type, "description": "Type and major version."},
			"time": object{"type": "string", "format": "date-time",
				"description": "When the sender says it."},
			"datacontenttype": text("application/json."),
			"data":            b.schema(e.Data, read),
		}}
	return object{"$ref": "#/components/schemas/" + name}
}

// bodyOf is the type that says most of a body: that of package schemas, by which forms are made, where it names the
// same members as the one that the handler reads.
func bodyOf(route schemas.Route, shape httpx.Shape) reflect.Type {
	known, found := schemas.BodyOf(route.Mux())
	if found && sameMembers(known, shape.Reads) && known != reflect.TypeFor[schemas.PartnerPauseRecord]() {
		return known // of a pause, the empty text is no date and ends it
	}
	return shape.Reads
}

func sameMembers(a, b reflect.Type) bool {
	names := func(t reflect.Type) (names []string) {
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	return slices.Equal(names(a), names(b))
}

// content is a schema with its media type and an example.
func (b *builder) content(t reflect.Type, media string, reading bool) object {
	s := b.schema(t, reading)
	one := object{"schema": s}
	if media == "application/json" {
		one["example"] = b.exampleOf(s, 0)
	}
	return object{media: one}
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

func (b *builder) responses(route schemas.Route, shape httpx.Shape) object {
	if isFHIR(route.Pattern) {
		return fhirResponses(route)
	}
	all := object{"default": object{"$ref": "#/components/responses/Problem"}}
	answers := func(status int, meaning string) {
		one := object{"description": meaning}
		if shape.Answers != nil {
			one["content"] = b.content(shape.Answers, cmp.Or(shape.Media, "application/json"), written)
		}
		if shape.Or != nil {
			content := one["content"].(object)["application/json"].(object)
			content["schema"] = object{"oneOf": []object{content["schema"].(object), b.schema(shape.Or, written)}}
		}
		all[strconv.Itoa(status)] = one
	}
	answers(shape.Status, doneWords(route, shape))
	for status, meaning := range shape.Also {
		answers(status, meaning)
	}
	if route.Pattern == "/events" {
		all["200"].(object)["content"] = b.content(reflect.SliceOf(shape.Answers), "application/json", written)
	}
	statuses := []string{"400", "401", "403", "404", "406", "429"}
	switch {
	case route.Public:
		statuses = []string{"404", "429"}
	case changes(route):
		statuses = append(statuses, "409", "412", "413", "415", "422")
	}
	if !route.Public && (route.Service == schemas.Intake || route.Service == schemas.Delivery) {
		statuses = append(statuses, "410")
	}
	for _, status := range statuses {
		all[status] = object{"$ref": "#/components/responses/" + refusalWords[status].name}
	}
	return all
}

func doneWords(route schemas.Route, shape httpx.Shape) string {
	switch {
	case route.Pattern == "/events":
		return "Durable."
	case isList(shape):
		return "A page of the list."
	case changes(route):
		return "Done. The same Idempotency-Key gets the same answer."
	case route.Method == "DELETE":
		return "It has ended."
	}
	return "What was asked for."
}

// refusalWords say what each status of a refusal means, under which name among the components.
var refusalWords = map[string]struct{ name, words string }{
	"400": {"NotUnderstood", "The request cannot be read: a parameter, a cursor or the body is not as described."},
	"401": {"NotKnown", "It is not known who is asking."},
	"403": {"NotAllowed", "Whoever asks may not, or has not stated why."},
	"404": {"NotThere", "There is no such thing, or none that the caller may see: both are answered alike."},
	"406": {"NotAcceptable", "The answer is not given in any media type that was asked for."},
	"409": {"Conflict",
		"As things stand it cannot be done, or the Idempotency-Key came with another body; detail says " +
			"which, and what to do."},
	"410": {"Gone",
		"It was erased, and nothing can be read or recorded under this id any more; or the cursor does not " +
			"fit the log, and begin says after which to begin again."},
	"412": {"Changed", "It has changed since it was read (If-Match). Read it again."},
	"413": {"TooLarge", "The body is larger than is taken."},
	"415": {"NotTaken", "The body is of a media type that is not taken."},
	"422": {"NotUsable", "The body was understood and cannot be used; errors name what, and why."},
	"429": {"TooMany", "Too many requests; Retry-After says for how many seconds to wait."},
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
		"idempotencyKey": object{"name": "Idempotency-Key", "in": "header",
			"description": "Makes it safe to send the request again. Kept for seven days, for this caller and path.",
			"schema":      object{"type": "string", "minLength": 1, "maxLength": 255}},
	},
	"responses": refusals(),
}

// refusals are what the answers of refused requests look like.
func refusals() object {
	all := object{"Outcome": object{"description": "It was refused or failed: a FHIR R4 OperationOutcome with the " +
		"national error code; diagnostics says what to do next.", "headers": mirrored, "content": object{
		fhir.MediaType: object{"schema": object{"$ref": "#/components/schemas/Resource"}}}}}
	add := func(name, words string, status int) {
		all[name] = object{"description": words, "content": object{"application/problem+json": object{
			"schema": object{"$ref": "#/components/schemas/Problem"},
			"example": object{"type": "about:blank", "title": http.StatusText(status), "status": status,
				"detail": words}}}}
	}
	for status, w := range refusalWords {
		number, _ := strconv.Atoi(status)
		add(w.name, w.words, number)
	}
	add("Problem", "It was refused or failed; detail says what to do next.", http.StatusInternalServerError)
	return all
}

// common are the schemas that no Go type stands for.
var common = object{
	"Resource": object{"type": "object", "required": []string{"resourceType"},
		"properties":  object{"resourceType": object{"type": "string", "description": "Its type."}},
		"description": "A FHIR R4 resource."},
	"Problem": object{"type": "object", "description": "An error as RFC 9457 has it.",
		"required": []string{"type", "title", "status"}, "properties": object{
			"type":   object{"type": "string", "format": "uri-reference", "description": "about:blank."},
			"title":  object{"type": "string", "description": "What the status means."},
			"status": object{"type": "integer", "description": "The status of the answer."},
			"detail": object{"type": "string", "description": "What was wrong, and what to do next."},
			"instance": object{"type": "string", "format": "uri-reference",
				"description": "Finds this occurrence again."},
			"errors": object{"type": "array", "items": object{}, "description": "What of the body cannot be used, " +
				"and why."},
			"begin": object{"type": "string", "description": "The cursor after which to begin again (410)."},
		}},
}

func isFHIR(path string) bool { return strings.HasPrefix(path, "/fhir") }
