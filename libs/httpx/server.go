package httpx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"footbridge/libs/peers"
)

// NewServer makes a server with bounds on everything a slow or hostile caller can stretch. A handler that streams
// lifts the write deadline with http.ResponseController and ends when Draining is closed.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 64},
	}
}

type drainingKey struct{}

// Draining returns a channel that is closed when the server begins to stop, for handlers that would otherwise go on
// for long. Outside of Serve it is nil, which never closes.
func Draining(ctx context.Context) <-chan struct{} {
	draining, _ := ctx.Value(drainingKey{}).(chan struct{})
	return draining
}

// Serve answers on ln until ctx ends, then takes no new connection, lets requests under way finish for at most
// drain, and cuts off what is left. With TLSConfig set on srv it speaks TLS. It returns nil when it stopped because
// ctx ended and nothing was cut off. A listener that Bound has not put under limits gets the usual ones of package
// peers.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener, drain time.Duration) error {
	if srv.ConnContext == nil {
		ln = Bound(srv, ln, peers.New(peers.Limits{}))
	}
	draining := make(chan struct{})
	base := context.WithValue(context.WithoutCancel(ctx), drainingKey{}, draining)
	srv.BaseContext = func(net.Listener) context.Context { return base }
	ended := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			ended <- srv.ServeTLS(ln, "", "")
			return
		}
		ended <- srv.Serve(ln)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	close(draining)
	return stop(base, srv, ln, drain)
}

func stop(ctx context.Context, srv *http.Server, ln net.Listener, drain time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = srv.Close()
		return fmt.Errorf("stopping server on %s: requests were still under way after %s and were cut off", ln.Addr(),
			drain)
	}
	if err != nil {
		return fmt.Errorf("stopping server on %s: %w", ln.Addr(), err)
	}
	return nil
}

// CrossOrigin refuses state-changing requests that a browser sends from another site (403), for routes that people
// use with a session. origins are further ones allowed, e.g. "https://console.example.org".
func CrossOrigin(h http.Handler, origins ...string) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trusting origin %q: %w; write it as https://host", origin, err)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteProblem(w, r, NewProblem(http.StatusForbidden, "This came from another site. Open the page here and "+
			"send it from there."))
	}))
	return protection.Handler(h), nil
}
