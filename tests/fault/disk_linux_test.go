package fault

import (
	"fmt"
	"syscall"
)

// mount makes a file system in memory of so many MiB.
func mount(dir string, size int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size))
}

func resize(dir string, size int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", size))
}

// it goes with the machine's memory at the latest
func unmount(dir string) { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }

// usedMiB is how much of a disk is used, rounded up.
func usedMiB(dir string) (int, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return int((stat.Blocks-stat.Bfree)*uint64(stat.Bsize)>>20) + 1, nil
}
