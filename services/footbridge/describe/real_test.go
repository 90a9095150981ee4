package main

import (
	"encoding/json"
	"strings"
	"testing"

	"footbridge/libs/fhir"
)

// media is a body as it is described.
type media struct {
	Schema  map[string]any
	Example any
}

// TestEveryRouteSaysWhatItReadsAndAnswers: each body has a schema that says more than that it is JSON, and each in JSON
// of our own an example. What is an object of any members, and nothing else, says nothing.
func TestEveryRouteSaysWhatItReadsAndAnswers(t *testing.T) {
	t.Parallel()
	text, err := described("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content map[string]media }
			Responses   map[string]struct{ Content map[string]media }
		}
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	// These are described by standards of their own: OpenAPI, AsyncAPI and JSON Schema.
	descriptions := map[string]bool{"/openapi.json": true, "/asyncapi.json": true, "/schemas/{type}.json": true}
	seen := 0
	for path, operations := range document.Paths {
		for method, o := range operations {
			succeeds := false
			bodies := map[string]map[string]media{"request": o.RequestBody.Content}
			for status, answer := range o.Responses {
				if strings.HasPrefix(status, "2") {
					bodies[status], succeeds = answer.Content, true
				}
			}
			if !succeeds {
				t.Errorf("%s %s says of no answer that it is one", method, path)
			}
			if method == "get" && len(o.RequestBody.Content) > 0 {
				t.Errorf("%s %s is said to read a body", method, path)
			}
			for which, content := range bodies {
				for kind, body := range content {
					seen++
					if saysNothing(body.Schema, document.Components.Schemas, 0) && !descriptions[path] {
						t.Errorf("%s %s, %s as %s: the schema says nothing: %v", method, path, which, kind, body.Schema)
					}
					if strings.HasSuffix(kind, "json") && kind != fhir.MediaType && body.Example == nil &&
						!descriptions[path] {
						t.Errorf("%s %s, %s as %s has no example", method, path, which, kind)
					}
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d bodies were seen", seen)
	}
}

// saysNothing says whether a schema is fulfilled by any object.
func saysNothing(schema map[string]any, components map[string]map[string]any, depth int) bool {
	if ref, is := schema["$ref"].(string); is && depth < 10 {
		return saysNothing(components[ref[strings.LastIndex(ref, "/")+1:]], components, depth+1)
	}
	for _, says := range []string{"properties", "oneOf", "anyOf", "allOf", "items", "enum", "const", "required"} {
		if schema[says] != nil {
			return false
		}
	}
	named, _ := schema["additionalProperties"].(map[string]any) // a map says what its values are
	return schema["type"] == nil || schema["type"] == "object" && len(named) == 0
}
