package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/notify"
	"footbridge/schemas"
	"footbridge/services/journey"
)

// heart tells somebody outside, after each round in which the sentinel looked everywhere, that it did. It says nothing
// about anybody, no count either. It stops when the sentinel stops, when it holds no lease, and when it could not look:
// whoever waits for it outside, on other machines, rings somebody then.
type heart struct {
	to     string
	sender *notify.Sender
	beats  chan time.Time
}

// heartbeatType is what the webhook is of.
const heartbeatType = "sentinel.looked"

// heartbeat reads where it goes; without an address it goes nowhere.
func (c *Config) heartbeat() (*heart, error) {
	h := &heart{to: c.Heartbeat, beats: make(chan time.Time, 1)}
	if h.to == "" {
		return h, nil
	}
	allow, err := c.outwardAllow()
	if err != nil {
		return nil, err
	}
	switch {
	case c.HeartSecret == "":
		return nil,
			errors.New("FOOTBRIDGE_HEARTBEAT_SECRET is missing: without a signature anybody could say that the " +
				"sentinel looks; write one of at least 24 characters")
	case !c.development && !strings.HasPrefix(h.to, "https://"):
		return nil,
			errors.New("FOOTBRIDGE_HEARTBEAT_URL is no https address: whoever reads it on its way could say it " +
				"again")
	}
	if h.sender, err = notify.New(notify.Config{Secret: []byte(c.HeartSecret), Allow: allow}); err != nil {
		return nil, fmt.Errorf("FOOTBRIDGE_HEARTBEAT_SECRET: %w", err)
	}
	return h, nil
}

// looked notes a round. One that is still to be told of is forgotten for it: a beat that is late tells of nothing.
func (h *heart) looked(at time.Time) {
	select {
	case <-h.beats:
	default:
	}
	select {
	case h.beats <- at:
	default:
	}
}

// run sends until ctx ends. What is not taken is not sent again: the next round says more.
func (h *heart) run(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-h.beats:
			if h.to == "" {
				continue
			}
			err := h.sender.Send(ctx, notify.Webhook, h.to, notify.Message{ID: clock.NewRandomID(), Type: heartbeatType,
				Data: map[string]string{"lookedAt": at.UTC().Format(time.RFC3339)}, At: time.Now()})
			if err != nil && ctx.Err() == nil {
				log.Warn("nobody outside was told that the sentinel looked", schemas.AttrError, err,
					schemas.AttrRunbook, "sentinel.md")
			}
		}
	}
}

// lateAfter is for how long the sentinel may not have looked before GET /heartbeat says so.
func (c *Config) lateAfter() time.Duration { return max(3*c.SentinelGap, 5*time.Minute) }

// showHeartbeat answers GET /heartbeat at the operations port: 200 while a sentinel has looked everywhere of late,
// whichever process it ran in, and 503 otherwise, also where the database cannot be asked.
func (p *platform) showHeartbeat() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		shown := struct {
			LookedAt *time.Time `json:"lookedAt"`
			Why      string     `json:"why,omitempty"`
		}{}
		at, err := time.Time{}, errors.New("it is not open yet")
		if pool := p.watched.Load(); pool != nil {
			at, err = journey.LookedAt(ctx, pool, p.clock.Now())
		}
		status := http.StatusServiceUnavailable
		switch {
		case err != nil:
			shown.Why = "the database cannot be asked"
		case at.IsZero():
			shown.Why = "no sentinel has looked"
		case p.clock.Now().Sub(at) > p.cfg.lateAfter():
			shown.LookedAt, shown.Why = &at, "no sentinel has looked everywhere since"
		default:
			shown.LookedAt, status = &at, http.StatusOK
		}
		w.Header().Set("Cache-Control", "no-store")
		_ = httpx.WriteJSON(w, status, shown)
	})
}

// checkHeartbeat is doctor's look at who hears outside.
func (c *Config) checkHeartbeat() (note string, err error) {
	if _, err := c.heartbeat(); err != nil {
		return "", err
	}
	if c.Heartbeat == "" {
		return "nobody: set FOOTBRIDGE_HEARTBEAT_URL, or have a monitor elsewhere ask GET /heartbeat at the operations " +
			"port", nil
	}
	return "", nil
}
