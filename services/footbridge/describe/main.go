// Command describe writes the OpenAPI description of the HTTP surface to standard output: the paths, roles and meanings
// of the route table, and the bodies and answers as the Go types that each service says it reads and writes (its
// Shapes), with the comments of their fields. `make generate` keeps schemas/openapi.json by it, which the gateway
// serves; a route without a shape, or a shape without a route, writes nothing.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"footbridge/libs/httpx"
	"footbridge/schemas"
	"footbridge/services/bridging"
	"footbridge/services/console"
	"footbridge/services/delivery"
	"footbridge/services/followup"
	"footbridge/services/gateway"
	"footbridge/services/intake"
	"footbridge/services/journey"
	"footbridge/services/threshold"
	"footbridge/services/traces"
)

func main() {
	text, err := described("../..")
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// described is the description, with comments read from the tree at root.
func described(root string) ([]byte, error) {
	shapes := map[string]httpx.Shape{}
	for _, of := range []func() map[string]httpx.Shape{intake.Shapes, threshold.Shapes, followup.Shapes,
		bridging.Shapes, journey.Shapes, delivery.Shapes, traces.Shapes, gateway.Shapes, console.Shapes} {
		maps.Copy(shapes, of())
	}
	if err := complete(schemas.Routes(), shapes); err != nil {
		return nil, err
	}
	return describe(schemas.Routes(), shapes, &comments{root: root, read: map[string]map[string]string{}})
}

// complete says which routes have no shape, and which shapes no route. What is under /fhir is as FHIR has it.
func complete(routes []schemas.Route, shapes map[string]httpx.Shape) error {
	unrouted := maps.Clone(shapes)
	var wrong []error
	for _, route := range routes {
		if _, found := shapes[route.Mux()]; !found && !isFHIR(route.Pattern) && route.Service != schemas.Console {
			wrong = append(wrong, fmt.Errorf("nothing says what %s reads and answers: add it to Shapes of %s",
				route.Mux(), route.Service))
		}
		delete(unrouted, route.Mux())
	}
	for mux := range unrouted {
		wrong = append(wrong, fmt.Errorf("there is a shape of %s, which is no route", mux))
	}
	return errors.Join(wrong...)
}
