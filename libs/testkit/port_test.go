package testkit_test

import (
	"net"
	"testing"

	"footbridge/libs/testkit"
)

func TestAnAddressIsGivenToOneTestAtATime(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 200 {
		addr := testkit.FreeAddr(t)
		if given[addr] {
			t.Fatalf("%s was given twice", addr)
		}
		given[addr] = true
	}
	for addr := range given {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("it cannot be listened on: %v", err)
			break
		}
		_ = listener.Close()
	}
}
