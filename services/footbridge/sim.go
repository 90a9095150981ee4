package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"footbridge/libs/service"
)

type simPartnerFlags struct {
	Listen string `env:"SIM_LISTEN" default:"127.0.0.1:8091" as:"hostport" help:"the address to receive at, host:port"`
	Secret string `env:"SIM_SECRET" help:"the subscription's secret (whsec_…), which is told once, when it is made"`
}

// simPartner stands in for a partner's system, and is an example of one: it agrees to be sent to, takes what is
// signed, once, and prints it.
func simPartner(ctx context.Context, args []string) error {
	o, err := loadAlone[simPartnerFlags](args)
	if err != nil {
		return shown(err)
	}
	r, err := newReceiver(o.Own.Secret, os.Stdout)
	if err != nil {
		return service.Usage{Err: err}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Own.Listen)
	if err != nil {
		return service.Usage{Err: fmt.Errorf("--sim-listen: %w", err)}
	}
	fmt.Printf("receiving at http://%s; interrupt to stop\n", listener.Addr())
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// receiver is a partner's endpoint. What it has taken it knows by the events' ids: one may come again.
type receiver struct {
	signed *webhooks.Webhook
	out    io.Writer
	mu     sync.Mutex
	taken  map[string]bool
}

func newReceiver(secret string, out io.Writer) (*receiver, error) {
	signed, err := webhooks.NewWebhook(secret)
	if err != nil || secret == "" {
		return nil,
			errors.New("--sim-secret: give the secret that was told when the subscription was made; it begins " +
				"with whsec_")
	}
	return &receiver{signed: signed, out: out, taken: map[string]bool{}}, nil
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodOptions { // the handshake: yes, it may be sent here
		w.Header().Set("WebHook-Allowed-Origin", req.Header.Get("WebHook-Request-Origin"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil || r.signed.Verify(body, req.Header) != nil {
		http.Error(w, "This is not signed with the secret of this subscription.", http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := req.Header.Get("webhook-id"); !r.taken[id] {
		var e struct {
			Type, Sequence string
			Data           json.RawMessage
		}
		if err := json.Unmarshal(body, &e); err != nil {
			http.Error(w, "This is no event in JSON.", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(r.out, e.Sequence, e.Type, string(e.Data)) // a real one would store it before it answers
		r.taken[id] = true
	}
	w.WriteHeader(http.StatusNoContent)
}
