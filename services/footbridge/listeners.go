package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"footbridge/libs/hl7"
	"footbridge/libs/peers"
	"footbridge/libs/telemetry"
	"footbridge/schemas"
)

// sharedAddresses reads FOOTBRIDGE_SHARED_ADDRESSES.
func (c *Config) sharedAddresses() ([]netip.Prefix, error) {
	return networks("FOOTBRIDGE_SHARED_ADDRESSES", c.Shared)
}

// outside is the address at which people find this system.
func (c *Config) outside() string { return orElse(c.URL, "http://"+c.HTTPAddr) }

// origin is the host by which outsiders know this system.
func (c *Config) origin() string {
	at, err := url.Parse(c.outside())
	if err != nil {
		return ""
	}
	return at.Hostname()
}

// outwardAllow reads FOOTBRIDGE_OUTWARD_ALLOW.
func (c *Config) outwardAllow() ([]netip.Prefix, error) {
	return networks("FOOTBRIDGE_OUTWARD_ALLOW", c.OutwardAllow)
}

// networks reads addresses and networks of a setting.
func networks(setting string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if ip, alone := netip.ParseAddr(text); err != nil && alone == nil {
			prefix, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q is neither an address nor a network; write 10.0.0.7 or 10.1.0.0/16", setting,
				text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// mllpLimits are what senders may take. The memory that each connection has to itself is part of the whole.
func (c *Config) mllpLimits() (peers.Limits, error) {
	shared, err := c.sharedAddresses()
	if err != nil {
		return peers.Limits{}, err
	}
	take := c.MLLPResult
	if take.Connections < 1 || take.PeerConnections < 1 || take.PeerMemory < 1 {
		return peers.Limits{}, errors.New("FOOTBRIDGE_MLLP_CONNECTIONS, _PEER_CONNECTIONS and _PEER_MEMORY must be " +
			"at least 1")
	}
	room := take.Memory - int64(take.Connections)*hl7.AtRest
	if least := int64(4 << 20); room < least {
		return peers.Limits{}, fmt.Errorf("FOOTBRIDGE_MLLP_MEMORY: %d bytes are too few for %d connections; give at "+
			"least %d, or allow fewer connections",
			take.Memory, take.Connections, int64(take.Connections)*hl7.AtRest+least)
	}
	return peers.Limits{Connections: take.Connections, PeerConnections: take.PeerConnections, Bytes: room,
		PeerBytes: take.PeerMemory, Shared: shared}, nil
}

// httpLimits are what callers of one HTTP listener may take.
func (c *Config) httpLimits() (peers.Limits, error) {
	shared, err := c.sharedAddresses()
	if err != nil {
		return peers.Limits{}, err
	}
	take := c.HTTPResult
	if take.Connections < 1 || take.PeerConnections < 1 || take.Memory < 4<<20 || take.PeerMemory < 1 {
		return peers.Limits{}, errors.New("FOOTBRIDGE_HTTP_CONNECTIONS, _PEER_CONNECTIONS and _PEER_MEMORY must be " +
			"at least 1, and FOOTBRIDGE_HTTP_MEMORY 4194304 (4 MiB)")
	}
	return peers.Limits{Connections: take.Connections, PeerConnections: take.PeerConnections, Bytes: take.Memory,
		PeerBytes: take.PeerMemory, Shared: shared}, nil
}

// limiter counts what a listener's peers take and what is refused to them. name is mllp, http or operations.
func limiter(name string, limits peers.Limits, t *telemetry.Telemetry) (*peers.Limiter, error) {
	meter := t.Meter("listener")
	refused, failed := meter.Int64Counter("footbridge.listener.refused",
		metric.WithDescription("connections and messages refused or ended to keep a listener within its limits, by "+
			"reason"))
	which := attribute.String(schemas.AttrListener, name)
	told := &printOnce{log: t.Log, listener: name, last: map[peers.Reason]time.Time{}}
	limits.Refused = func(why peers.Reason) {
		refused.Add(context.Background(), 1,
			metric.WithAttributes(which, attribute.String(schemas.AttrReason, string(why))))
		told.print(why)
	}
	l := peers.New(limits)
	observe := func(name, what string, value func(peers.InUse) int64) error {
		_, err := meter.Int64ObservableGauge(name, metric.WithDescription(what),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				o.Observe(value(l.InUse()), metric.WithAttributes(which))
				return nil
			}))
		return err
	}
	return l, errors.Join(failed,
		observe("footbridge.listener.connections", "connections that hold a place",
			func(now peers.InUse) int64 { return int64(now.Admitted) }),
		observe("footbridge.listener.bytes", "memory given out for what is coming in and being handled",
			func(now peers.InUse) int64 { return now.Bytes }),
		observe("footbridge.listener.waiting", "messages that wait for memory",
			func(now peers.InUse) int64 { return int64(now.Waiting) }))
}

// printOnce logs the first refusal of each reason in a minute; the metric counts all.
type printOnce struct {
	log      *slog.Logger
	listener string

	mu   sync.Mutex
	last map[peers.Reason]time.Time
}

func (o *printOnce) print(why peers.Reason) {
	o.mu.Lock()
	now := time.Now() // how often to log, not a time of day
	quiet := now.Sub(o.last[why]) < time.Minute
	if !quiet {
		o.last[why] = now
	}
	o.mu.Unlock()
	if !quiet {
		o.log.Warn("a listener refused or ended connections to keep its limits", schemas.AttrListener, o.listener,
			schemas.AttrReason, string(why))
	}
}

func (p *platform) opsLimiter() (*peers.Limiter, error) {
	limits, err := p.cfg.httpLimits()
	if err != nil {
		return nil, err
	}
	return limiter("operations", limits, p.telemetry["footbridge"])
}
