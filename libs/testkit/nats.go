package testkit

import (
	"context"
	"testing"

	"footbridge/libs/bus"
)

// NATS starts an embedded NATS server with JetStream for one test, on a free port, and stops it at the end.
func NATS(t testing.TB, users ...bus.User) *bus.Server {
	t.Helper()
	server, err := bus.StartServer(bus.ServerConfig{StoreDir: t.TempDir(), Port: -1, Users: users})
	if err != nil {
		t.Fatalf("starting NATS: %v", err)
	}
	t.Cleanup(server.Stop)
	return server
}

// Connect opens a connection to a server for one test and closes it at the end.
func Connect(t testing.TB, cfg bus.Config) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatalf("connecting to NATS: %v", err)
	}
	t.Cleanup(conn.Close)
	return conn
}
