package bus

import (
	"context"
	"testing"
	"time"
)

// TestJetStreamComesBackAfterItsDiskWasFull ends JetStream as the server does when it cannot write any more.
func TestJetStreamComesBackAfterItsDiskWasFull(t *testing.T) {
	t.Parallel()
	server, err := StartServer(ServerConfig{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn, err := Connect(t.Context(), Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	stream := Stream{Name: "ROOM", Subjects: []string{"room.>"}, MaxAge: time.Hour, MaxBytes: -1}
	if _, err := conn.EnsureStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.JS.Publish(t.Context(), "room.before", nil); err != nil {
		t.Fatal(err)
	}
	if err := server.ns.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		again, err := conn.JS.Publish(ctx, "room.after", nil)
		if err == nil {
			if again.Sequence != 2 {
				t.Fatalf("published at %d: what was there before is gone", again.Sequence)
			}
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("JetStream has not come back: %v", err)
		}
	}
}
