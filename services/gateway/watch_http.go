package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

// A stream outlives the request that opened it, so that whoever reads it is looked at again: at once when somebody
// signs out here, and every few seconds for what is decided elsewhere: on another replica, in the sign-in file, at a
// provider.

// bell wakes all who wait whenever it is rung. The zero value is ready.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// rung is closed at the next ring.
func (b *bell) rung() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

type watchingKey struct{}

// byItself says whether nobody did anything: a page asked by itself, or a stream's reader is looked at again.
func byItself(r *http.Request) bool {
	return (schemas.Route{Pattern: r.URL.Path}).ByItself() || r.Context().Value(watchingKey{}) != nil
}

// watch ends a stream once whoever opened it is somebody else, or nobody. Where that cannot be said just now it goes
// on, and is looked at again.
func (g *Gateway) watch(ctx context.Context, end context.CancelFunc, r *http.Request, p principal.Principal) {
	ticker := time.NewTicker(g.config.Watch)
	defer ticker.Stop()
	again := r.WithContext(context.WithValue(ctx, watchingKey{}, true))
	for {
		var ended <-chan struct{}
		if g.config.Sessions != nil {
			ended = g.config.Sessions.ended.rung() // before looking: what ends meanwhile is not missed
		}
		if is, err := g.config.Source(again); !unanswered(err) && is != p {
			end()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
		case <-ticker.C:
		}
	}
}
