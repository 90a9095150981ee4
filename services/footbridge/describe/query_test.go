package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"footbridge/schemas"
)

// parameter is one of the query as it is described.
type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                struct {
		Type, Format, Pattern     string
		Enum                      []string
		Minimum, Maximum, Default any
		AnyOf                     []map[string]string
	}
}

// What the gateway lets in behind the question mark is described, with what its value is; nothing else is.
func TestTheQueryIsDescribedAsItIsTaken(t *testing.T) {
	t.Parallel()
	text, err := described("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct{ Parameters []parameter }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, route := range schemas.Routes() {
		if isFHIR(route.Pattern) {
			continue
		}
		var names []string
		for _, p := range document.Paths[route.Pattern][strings.ToLower(route.Method)].Parameters {
			if p.In != "query" {
				continue
			}
			names = append(names, p.Name)
			if problem := wrong(schemas.ParameterOf(route.Mux(), p.Name), p); problem != "" {
				t.Errorf("%s: %s %s: %+v", route.Mux(), p.Name, problem, p)
			}
		}
		if !slices.Equal(names, route.Query()) {
			t.Errorf("%s takes %v, and %v is described", route.Mux(), route.Query(), names)
		}
	}
}

// wrong says how a parameter is described otherwise than it is taken.
func wrong(taken schemas.Parameter, p parameter) string {
	wanted := map[schemas.ParameterType][2]string{schemas.ParameterText: {"string", ""},
		schemas.ParameterFlag: {"boolean", ""}, schemas.ParameterNumber: {"integer", ""},
		schemas.ParameterDay: {"string", "date"}, schemas.ParameterTime: {"string", "date-time"},
		schemas.ParameterDayOrTime: {"", ""}}[taken.Type]
	switch {
	case [2]string{p.Schema.Type, p.Schema.Format} != wanted:
		return "is described as of another type"
	case taken.Type == schemas.ParameterDayOrTime && len(p.Schema.AnyOf) != 2:
		return "is a day or a time"
	case !slices.Equal(p.Schema.Enum, taken.Values):
		return "takes other values"
	case taken.Number && (p.Schema.Minimum != float64(taken.Min) || p.Schema.Maximum != float64(taken.Max) ||
		p.Schema.Default != float64(taken.Usual)):
		return "has other bounds"
	case p.Schema.Pattern != taken.Pattern, p.Required != taken.Needed, p.Description == "":
		return "is not described as it is"
	}
	return ""
}
