package delivery

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"footbridge/libs/httpx"
)

// news wakes those who wait for something new in this process; what another process has written is found by looking.
type news struct {
	mu      sync.Mutex
	waiting chan struct{}
}

// next is closed when something new may be there.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = make(chan struct{})
	}
	return n.waiting
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting != nil {
		close(n.waiting)
		n.waiting = nil
	}
}

// Times of a stream. Its reader comes again by itself with the last id it has, and who it is is then looked at again.
const (
	lookEvery   = time.Second
	beatEvery   = 15 * time.Second
	streamLives = 5 * time.Minute
)

// stream gives the asking partner's log as server-sent events, from Last-Event-ID (or after) on: ids are the feed's
// cursors.
func (a api) stream(w http.ResponseWriter, r *http.Request) error {
	who, err := partnerAsking(r)
	if err != nil {
		return err
	}
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("after")
	}
	c, begins, err := parseCursor(from)
	if err != nil {
		return err
	}
	// what is wrong with the cursor is said before the stream begins
	p, err := a.read(r, who, c, begins, true, 0, streamPage)
	if err != nil {
		return err
	}
	out := http.NewResponseController(w)
	if err := out.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lifting a stream's write limit: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprint(w, "retry: 2000\n\n"); err != nil {
		return nil // the reader has gone
	}
	end, beat := time.NewTimer(streamLives), time.NewTicker(beatEvery)
	defer end.Stop()
	defer beat.Stop()
	for {
		news := a.news.next()
		for _, item := range p.Items {
			if _, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", item.Cursor, item.Type,
				item.Event); err != nil {
				return nil
			}
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		if !p.More {
			select {
			case <-r.Context().Done():
				return nil
			case <-httpx.Draining(r.Context()):
				return nil
			case <-end.C:
				return nil
			case <-beat.C:
				if _, err := fmt.Fprint(w, ": beat\n\n"); err != nil {
					return nil
				}
			case <-news:
			case <-time.After(lookEvery):
			}
		}
		if c, _, err = parseCursor(p.Next); err != nil {
			return nil
		}
		if p, err = a.read(r, who, c, false, false, 0, streamPage); err != nil {
			return nil // the reader comes again, and is told then
		}
	}
}
