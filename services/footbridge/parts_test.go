package main

import (
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/service"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
	"footbridge/services/console"
)

func TestAServiceThatLacksAPromisedPathEndsBeforeItExchangesAnything(t *testing.T) {
	t.Parallel()
	told, err := telemetry.Start(t.Context(), telemetry.Config{Service: schemas.Journey})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{platform: &platform{cfg: &Config{}, clock: clock.Real(), telemetry: map[string]*telemetry.Telemetry{schemas.Journey: told}}}
	opened := func() error { t.Error("it was asked whether it is ready"); return nil }
	err = p.serveFlowWith(t.Context(), &service.Health{}, schemas.Journey, nil, noRoutes(schemas.Journey), nil, opened)
	if err == nil || !strings.Contains(err.Error(), "GET /api/journeys, which has no handler") {
		t.Errorf("it said %v", err)
	}
}

func TestTheGatewayReachesEveryServiceThatAPathIsPromisedOf(t *testing.T) {
	t.Parallel()
	o, _, err := load[struct{}](nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{platform: &platform{cfg: &o.Config}}
	backends, err := p.backends()
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range append(schemas.Routes(), console.Routes()...) {
		if route.Service != schemas.Gateway && backends[route.Service] == nil {
			t.Errorf("nothing leads to %s of %s", route.Mux(), route.Service)
		}
	}
	o.Addrs.Journey = ""
	if _, err := p.backends(); err == nil || !strings.Contains(err.Error(), "of journey") {
		t.Errorf("a service without an address: %v", err)
	}
}
