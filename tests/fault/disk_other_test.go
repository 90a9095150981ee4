//go:build !linux

package fault

import "errors"

var errNoDisk = errors.New("no disk of its own: only Linux has this file system")

func mount(string, int) error { return errNoDisk }

func resize(string, int) error { return errNoDisk }

func unmount(string) {}

func usedMiB(string) (int, error) { return 0, errNoDisk }
