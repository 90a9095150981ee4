package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// FreeAddr is an address of this machine that is the test's own until it ends, also while nothing listens there: other
// tests, of other test binaries too, are not given it, and its port is below those that a system gives to outgoing
// connections. A program may be started on it, stopped and started again.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, release, err := ReserveAddr()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return addr
}

// ReserveAddr is FreeAddr for who is no test: the address is the caller's own until release is called, or it ends.
func ReserveAddr() (addr string, release func(), err error) {
	const first, behind = 10000, 32768
	for range 200 {
		port := first + rand.IntN(behind-first)
		release, err := reserve(port)
		if err != nil {
			return "", nil, err
		}
		if release == nil {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			release()
			continue
		}
		_ = listener.Close()
		return listener.Addr().String(), release, nil
	}
	return "", nil, errors.New("no port of two hundred is free")
}

// FreePort is the port of a FreeAddr.
func FreePort(t testing.TB) int {
	t.Helper()
	_, text, _ := net.SplitHostPort(FreeAddr(t))
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// reserve locks a file that stands for the port, as long as release is not called and this process lives. release is
// nil where somebody else has it.
func reserve(port int) (release func(), err error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("footbridge-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, file.Close()
	}
	return func() { _ = file.Close() }, nil
}
