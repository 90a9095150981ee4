//go:build fulldisk

package flow_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"footbridge/libs/bus"
	"footbridge/libs/testkit"
)

// TestAFullDiskThatIsEnlarged fills the broker's disk, a file system in memory of 16 MiB, and enlarges it; it needs the
// right to mount. Publishing goes on by itself, and processes end in time, both while it is full and afterwards.
func TestAFullDiskThatIsEnlarged(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatalf("mounting (only root may): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	w := newWorld(t)
	w.server.Stop()
	server, err := bus.StartServer(bus.ServerConfig{StoreDir: filepath.Join(dir, "nats"), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	w.server = server
	asker, answerer := w.start("asker", nil, nil), w.startAnswerer()
	for n := range 300 {
		asker.ask(t, fmt.Sprintf("j%d", n), strings.Repeat("x", 100_000))
	}
	testkit.Eventually(t, "it says that it is not ready", func() bool { return asker.Ready() != nil })
	inTime := func(p *process) {
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("ended after %v", took)
		}
	}
	inTime(asker)
	asker = w.start("asker", nil, nil)
	asker.ask(t, "full", "hello")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=400m"); err != nil {
		t.Fatal(err)
	}
	effectsAre(t, answerer, 301)
	inTime(asker)
	inTime(answerer)
}
