package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// CheckBind refuses an address that others than this machine can reach, unless the listener has both TLS and
// authentication, or allow says that it is meant so (behind a proxy that does both). An address without a host is
// every interface. tls and auth say what the listener has.
func CheckBind(addr string, tls, auth, allow bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("checking address %q: it is not host:port; use for example 127.0.0.1:8080", addr)
	}
	if loopback(host) || allow || (tls && auth) {
		return nil
	}
	var missing []string
	if !tls {
		missing = append(missing, "TLS")
	}
	if !auth {
		missing = append(missing, "authentication")
	}
	return fmt.Errorf("checking address %q: it can be reached from outside and has no %s; use 127.0.0.1, or "+
		"configure what is missing, or allow it explicitly if a proxy in front does both",
		addr, strings.Join(missing, " and no "))
}

// loopback is decided without asking a name server: a name other than localhost is not trusted to be one.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Listen opens a TCP listener; when the port is taken the error says so and what to do.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %s: another process has this port; stop it or configure another port",
			addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return ln, nil
}
