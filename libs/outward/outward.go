// Package outward makes the one HTTP client for everything that leaves for addresses that others wrote: directories
// that are imported, links that are checked, endpoints that partners name. An address that somebody else wrote may
// lead inside, to a database, a cloud's metadata or this program itself, by its name, by a redirect, or by a name that
// answers differently the second time.
//
// The client judges the address that a connection is really made to, for each answer of a name and each new
// connection, after looking through IPv4 inside IPv6. What is not public is refused unless the configuration allows
// it. Redirects are few, judged like the first request, and never lead from https to http. The whole exchange is
// bounded in time and bytes; nothing is unpacked, no proxy of the environment is used, and no password goes along.
//
// Calls to our own services and to what the operator configures (broker, database, collector) do not go through here.
package outward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Errors say why nothing was sent. They name the address, so that the operator can allow it; callers outside do not
// see them.
var (
	ErrInside = errors.New("the address leads inside a private or reserved network; an operator can allow it with " +
		"FOOTBRIDGE_OUTWARD_ALLOW")
	ErrScheme    = errors.New("only http and https addresses are fetched")
	ErrPassword  = errors.New("an address with a user name or password in it is not fetched; give it without")
	ErrDowngrade = errors.New("it redirects from https to http")
	ErrRedirects = errors.New("it redirects too often")
	ErrTooLarge  = errors.New("it answers more than is read")
)

// Config bounds a client. Fields left zero have the defaults said.
type Config struct {
	// Allow are networks that may be reached though they are not public.
	Allow []netip.Prefix
	// Patience bounds the whole exchange, redirects and body included (15 s).
	Patience time.Duration
	// Redirects is how many are followed: 0 for none.
	Redirects int
	// MostBytes bounds the body of an answer (64 KiB); reading past it is ErrTooLarge.
	MostBytes int64
	// PerHost is how many idle connections to one host are kept for what goes there next (2).
	PerHost int
}

const (
	defaultPatience  = 15 * time.Second
	defaultMostBytes = 64 << 10
	dialPatience     = 5 * time.Second
	mostHeaderBytes  = 32 << 10
)

// NewClient makes a client with these bounds.
func NewClient(cfg Config) *http.Client {
	if cfg.Patience <= 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.MostBytes <= 0 {
		cfg.MostBytes = defaultMostBytes
	}
	dialer := &net.Dialer{Timeout: dialPatience, Control: func(_, address string, _ syscall.RawConn) error {
		return Judge(address, cfg.Allow)
	}}
	return &http.Client{
		Timeout: cfg.Patience,
		Transport: &bounded{most: cfg.MostBytes, to: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialPatience,
			ResponseHeaderTimeout:  cfg.Patience,
			MaxResponseHeaderBytes: mostHeaderBytes,
			MaxIdleConnsPerHost:    max(cfg.PerHost, 2),
			MaxIdleConns:           16 * max(cfg.PerHost, 2),
			IdleConnTimeout:        10 * time.Second,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // a few bytes could unpack to many
		}},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			switch {
			case cfg.Redirects == 0:
				return http.ErrUseLastResponse
			case len(via) > cfg.Redirects:
				return ErrRedirects
			case via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
				return ErrDowngrade
			}
			next.Header.Del("Referer") // where we came from is nobody's business
			return nil
		},
	}
}

// bounded refuses requests that must not leave, and bounds what is read of the answer.
type bounded struct {
	to   http.RoundTripper
	most int64
}

// RoundTrip judges one request, a redirected one like the first.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, ErrScheme
	}
	if r.URL.User != nil {
		return nil, ErrPassword
	}
	response, err := b.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &limited{ReadCloser: response.Body, left: b.most}
	return response, nil
}

// limited is a body that ends with ErrTooLarge where more comes than is read.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// Judge says whether a connection may be made to an address, as a dialer is about to use it ("192.0.2.1:443"): nil, or
// an error that is ErrInside.
func Judge(address string, allow []netip.Prefix) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w (%s)", ErrInside, address)
	}
	for _, addr := range Within(to.Addr()) {
		if !public(addr) && !slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return fmt.Errorf("%w (%s)", ErrInside, to.Addr())
		}
	}
	return nil
}

// Networks of IPv6 whose addresses stand for an IPv4 address.
var (
	compatible = netip.MustParsePrefix("::/96")
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")    // RFC 4380
)

// Within gives every address that a connection to addr may end at: addr itself, or the IPv4 addresses inside it where
// it only wraps those (mapped, compatible, NAT64, 6to4, Teredo, ISATAP).
func Within(addr netip.Addr) []netip.Addr {
	if addr.Is4() || addr.Is4In6() {
		return []netip.Addr{addr.Unmap()}
	}
	if addr.Zone() != "" || addr == netip.IPv6Loopback() || addr == netip.IPv6Unspecified() {
		return []netip.Addr{addr}
	}
	raw := addr.As16()
	v4 := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(raw[at : at+4])) }
	switch {
	case compatible.Contains(addr), nat64.Contains(addr):
		return []netip.Addr{v4(12)}
	case sixToFour.Contains(addr):
		return []netip.Addr{v4(2)}
	case teredo.Contains(addr): // its server, and the client, whose address is written inverted
		client := [4]byte{^raw[12], ^raw[13], ^raw[14], ^raw[15]}
		return []netip.Addr{v4(4), netip.AddrFrom4(client)}
	case raw[8]&^2 == 0 && raw[9] == 0 && raw[10] == 0x5e && raw[11] == 0xfe: // ISATAP, RFC 5214
		return []netip.Addr{addr, v4(12)}
	}
	return []netip.Addr{addr}
}

// global is what IPv6 gives out to the public (RFC 4291).
var global = netip.MustParsePrefix("2000::/3")

// reserved are the networks of IANA's registries of special-purpose addresses (RFC 6890) that are not for the public.
var reserved = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "3fff::/20",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func public(addr netip.Addr) bool {
	if addr.Zone() != "" || (addr.Is6() && !global.Contains(addr)) {
		return false
	}
	return !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) })
}
