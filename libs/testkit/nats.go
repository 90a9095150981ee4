package testkit

import (
	"context"
	"log/slog"
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

// Keep makes a stream and its durables, and makes them again when they are gone, as who keeps the streams does beside
// the services, until the test ends.
func Keep(t testing.TB, conn *bus.Conn, stream bus.Stream, durables ...bus.Durable) {
	t.Helper()
	keeper := &bus.Keeper{Conn: conn, Streams: []bus.Stream{stream}, Durables: durables,
		Log: slog.New(slog.DiscardHandler)}
	if err := keeper.Bring(t.Context()); err != nil {
		t.Fatal(err)
	}
	go keeper.Run(t.Context(), func(error) {})
}
