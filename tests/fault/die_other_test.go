//go:build !linux

package fault

import "syscall"

// dieWithParent: elsewhere a child outlives a test that is killed; Ctrl-C reaches both.
func dieWithParent() *syscall.SysProcAttr { return nil }
