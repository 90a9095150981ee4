//go:build !linux

package private

import "syscall"

// stopsWithUs says that the kernel stops the server when we die.
const stopsWithUs = false

func procAttr(a account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: a.credential()}
}
