package main

import (
	"strings"
	"testing"

	"footbridge/libs/peers"
)

func TestLimitsOfListenersAreReadFromTheConfiguration(t *testing.T) {
	t.Parallel()
	o, _, err := load[struct{}]([]string{"--mllp-connections", "100", "--mllp-peer-connections", "7", "--mllp-memory",
		"8000000",
		"--shared-addresses", "10.0.0.7, 10.1.2.3/16"})
	if err != nil {
		t.Fatal(err)
	}
	limits, err := o.mllpLimits()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Connections != 100 || limits.PeerConnections != 7 || limits.Bytes <= 0 || limits.Bytes >= 8000000 {
		t.Errorf("%+v", limits)
	}
	for address, want := range map[string]bool{"10.0.0.7:1": true, "10.1.9.9:1": true, "10.0.0.8:1": false,
		"[::ffff:10.0.0.7]:1": true} {
		if peers.Shared(limits.Shared, address) != want {
			t.Errorf("%s shared: %v, want %v", address, !want, want)
		}
	}
	for _, wrong := range [][]string{{"--mllp-memory", "1000"}, {"--mllp-connections", "0"},
		{"--shared-addresses", "balancer.local"}} {
		o, _, err := load[struct{}](wrong)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.mllpLimits(); err == nil || !strings.Contains(err.Error(), "FOOTBRIDGE_") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
