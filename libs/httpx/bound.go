package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"footbridge/libs/peers"
)

// Bound puts a server's connections, and the bodies that ReadBody takes into memory, under the limits of l; serve it
// with the listener returned. A connection is counted as taken from its first byte, after a TLS handshake, and may be
// closed for another's sake between requests. One that finds no place is answered 503 and closed; so is a body that
// finds no room.
func Bound(srv *http.Server, ln net.Listener, l *peers.Limiter) net.Listener {
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, connOf(nc))
	}
	srv.ConnState = follow
	srv.Handler = admitted(srv.Handler)
	return l.Listener(ln)
}

type connKey struct{}

// connOf is the connection under a TLS one; nil if it is under no limits.
func connOf(nc net.Conn) *peers.Conn {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	c, _ := nc.(*peers.Conn)
	return c
}

// follow tells the limiter how a connection stands.
func follow(nc net.Conn, state http.ConnState) {
	c := connOf(nc)
	switch {
	case c == nil:
	case state == http.StateActive && c.Admit():
		c.Busy()
	case state == http.StateIdle:
		c.Idle()
	}
}

// admitted answers only those who have a place, and gives back the room of their bodies when they are answered.
func admitted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(*peers.Conn)
		if conn == nil {
			h.ServeHTTP(w, r)
			return
		}
		if !conn.Admitted() {
			w.Header().Set("Connection", "close")
			WriteProblem(w, r, busy("Too many connections are open here at present, and nothing was done."))
			return
		}
		room := &bodyRoom{conn: conn}
		defer room.giveBack()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), roomKey{}, room)))
	})
}

func busy(what string) *Problem {
	p := NewProblem(http.StatusServiceUnavailable, "%s Send it again in a few seconds.", what)
	p.Header = http.Header{"Retry-After": {"5"}}
	return p
}

func noRoom() *Problem {
	return busy("More is being sent here at present than can be taken at a time, and nothing was done.")
}

var errNoRoom = errors.New("bodies under way hold all the memory that they may")

type roomKey struct{}

// bodyRoom is the memory that one request's bodies hold.
type bodyRoom struct {
	conn *peers.Conn
	mu   sync.Mutex
	held int64
}

// smallBody needs no room: there are no more of them than connections. roomWait is how long a longer one waits.
const (
	smallBody = 8 << 10
	roomWait  = 2 * time.Second
)

// take asks for room up to size bytes in all; false if there is none in time.
func (b *bodyRoom) take(ctx context.Context, size int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	more := size - b.held
	if more <= 0 {
		return true
	}
	if !b.conn.Room(more, roomWait, ctx.Done()) {
		b.conn.Refuse(string(peers.NoRoom))
		return false
	}
	b.held = size
	return true
}

func (b *bodyRoom) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn.Received()
	b.conn.Give(b.held)
	b.held = 0
}

// ReadAll is io.ReadAll within the memory that the listener has for bodies; from is the request's body, or what
// unpacks it, and is bounded by the caller. What it returns may be kept until the request has been answered.
func ReadAll(r *http.Request, from io.Reader) ([]byte, error) {
	room, _ := r.Context().Value(roomKey{}).(*bodyRoom)
	if room == nil {
		return io.ReadAll(from) //nolint:wrapcheck // the caller tells a limit from a broken line
	}
	room.conn.Receiving(0)
	defer room.conn.Received()
	before, body := room.held, make([]byte, 0, 512)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF: //nolint:errorlint // a Reader gives it bare
			return body, nil
		case err != nil:
			return body, err //nolint:wrapcheck // likewise
		case len(body) < cap(body):
			continue
		}
		size := 2 * cap(body)
		if size > smallBody && !room.take(r.Context(), before+int64(size)) {
			return nil, errNoRoom
		}
		body = append(make([]byte, 0, size), body...)
	}
}
