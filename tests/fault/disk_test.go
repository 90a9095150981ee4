package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// roomy is how large the broker's disk is, in MiB, when it is not full.
const roomy = 2048

// mountDisk gives the broker a disk of its own, where this test may mount one.
func (s *stand) mountDisk() {
	s.t.Helper()
	s.store = filepath.Join(s.dir, "nats")
	disk := filepath.Join(s.dir, "disk")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := mount(disk, roomy); err != nil {
		return
	}
	s.t.Cleanup(func() { unmount(disk) })
	s.disk = disk
	if err := os.Mkdir(filepath.Join(disk, "nats"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(disk, "nats"), s.store); err != nil {
		s.t.Fatal(err)
	}
	s.store = filepath.Join(disk, "nats")
}

// fillDisk makes the broker's disk so small that what is on it fills it, and enlarges it a while later. The broker is
// not killed meanwhile by other faults of its own.
func fillDisk(_ *rand.Rand, s *stand) injection {
	p := s.procs["broker"]
	return injection{"broker's disk full, then enlarged", p.name, func(ctx context.Context, s *stand) error {
		p.busy.Lock()
		defer p.busy.Unlock()
		used, err := usedMiB(s.disk)
		if err != nil {
			return err
		}
		if err := resize(s.disk, used+1); err != nil {
			return fmt.Errorf("filling the disk: %w", err)
		}
		pause(ctx, 15*time.Second)
		return resize(s.disk, roomy)
	}}
}
