package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/peers"
)

// Ops is the operations listener: /livez, /readyz, /metrics and what else is mounted. Whoever can reach it can read
// it, so it stays on the loopback address or a closed network. Add its Run to the runner first: then it answers
// before the others start and until they have stopped.
type Ops struct {
	addr string
	mux  *http.ServeMux
	at   chan net.Addr
	// Peers bounds what callers may take; nil means the usual limits.
	Peers *peers.Limiter
}

// NewOps makes the listener for addr, with metrics at /metrics (nil: none).
func NewOps(addr string, r *Runner, metrics http.Handler) *Ops {
	o := &Ops{addr: addr, mux: http.NewServeMux(), at: make(chan net.Addr, 1)}
	o.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("alive\n"))
	})
	o.mux.HandleFunc("GET /readyz", r.serveReadiness)
	if metrics != nil {
		o.mux.Handle("GET /metrics", metrics)
	}
	return o
}

// Handle mounts more, e.g. "POST /v1/traces". Call it before Run.
func (o *Ops) Handle(pattern string, h http.Handler) { o.mux.Handle(pattern, h) }

// Addr waits until the listener is open and returns its address, for a port chosen by the system.
func (o *Ops) Addr(ctx context.Context) (net.Addr, error) {
	select {
	case addr := <-o.at:
		o.at <- addr
		return addr, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the operations listener: %w", ctx.Err())
	}
}

// Run is the component.
func (o *Ops) Run(ctx context.Context, h *Health) error {
	ln, err := Listen(ctx, o.addr)
	if err != nil {
		return err
	}
	o.at <- ln.Addr()
	h.Ready()
	srv := httpx.NewServer(o.mux)
	if o.Peers != nil {
		ln = httpx.Bound(srv, ln, o.Peers)
	}
	return httpx.Serve(ctx, srv, ln, 5*time.Second)
}
