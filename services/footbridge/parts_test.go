package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"footbridge/libs/clock"
	"footbridge/libs/pg"
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
	p := &process{platform: &platform{cfg: &Config{}, clock: clock.Real(),
		telemetry: map[string]*telemetry.Telemetry{schemas.Journey: told}}}
	opened := func() error { t.Error("it was asked whether it is ready"); return nil }
	source := p.figuresOf(schemas.Journey, nil, nil, nil)
	err = p.serveFlowWith(t.Context(), &service.Health{}, source, noRoutes(schemas.Journey), nil, opened)
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

// TestALoginHasRoomForARollingRestart: two processes of a service and the sentinel held every connection that their
// login had, so that nothing could be run by hand beside them, and the script for production allowed fewer still.
func TestALoginHasRoomForARollingRestart(t *testing.T) {
	t.Parallel()
	o, _, err := load[struct{}](nil)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../../deploy/postgres/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	limit := pg.LoginConnections(o.Config.Connections)
	if limit < 5*o.Config.Connections+4 {
		t.Errorf("a login has %d connections, and five processes take %d", limit, 5*o.Config.Connections)
	}
	if says := fmt.Sprintf("connections constant int := %d;", limit); !strings.Contains(string(script), says) {
		t.Errorf("roles.sql does not say %q", says)
	}
}
