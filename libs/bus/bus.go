// Package bus connects to NATS JetStream: the connection, the streams and durable consumers as data, what each
// user may publish and read, and the embedded server of `dev` and of tests.
//
// It carries bytes and knows nothing of events; exactly-once is libs/flow's. JetStream types appear here and in
// libs/flow only. A connection never gives up: it reconnects for ever, buffers nothing while it is away (what was
// not acknowledged is swept from PostgreSQL), and says when it has come back.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// Config says where the server is and who asks: by a credentials file, an nkey, or a name and a password, the first of
// these that is given; by none where the server asks for none.
type Config struct {
	URL       string
	CredsFile string
	// Seed is the private half of an nkey, whose public half the server knows. Never log it.
	Seed     string
	User     string
	Password string
	// Name is shown in the server's connection list. Inbox is the prefix of the reply subjects this user may
	// subscribe to; it is "_INBOX" where empty.
	Name  string
	Inbox string
	Log   *slog.Logger
	// MaxPending bounds how many publishes wait for their acknowledgement at once (8192).
	MaxPending int
}

// Conn is a connection to JetStream that comes back by itself.
type Conn struct {
	NATS *nats.Conn
	JS   jetstream.JetStream

	mu        sync.Mutex
	listeners map[int]func()
	next      int
}

// Connect opens a connection. It returns an error only for what waiting cannot mend, such as a URL that does not
// parse or a refused login, or when ctx ends before the server answers.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 8192
	}
	c := &Conn{listeners: map[int]func(){}}
	for {
		err := c.dial(cfg)
		if err == nil {
			return c, nil
		}
		if errors.Is(err, nats.ErrAuthorization) || !isWaiting(err) {
			return nil, fmt.Errorf("connecting to NATS at %q as %q: %w", cfg.URL, cfg.Name, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting to NATS at %q: %w; is the server up?", cfg.URL, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// isWaiting says whether another try can succeed: nobody listens yet, or the handshake was cut short.
func isWaiting(err error) bool {
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrConnectionClosed) ||
		isNetError(err)
}

func (c *Conn) dial(cfg Config) error {
	options := []nats.Option{
		nats.Name(cfg.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 200*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		nats.RetryOnFailedConnect(false),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				cfg.Log.Warn("broker connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { c.cameBack() }),
	}
	if cfg.Inbox != "" {
		options = append(options, nats.CustomInboxPrefix(cfg.Inbox))
	}
	login, err := cfg.login()
	if err != nil {
		return err
	}
	nc, err := nats.Connect(cfg.URL, append(options, login...)...)
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(cfg.MaxPending),
		jetstream.WithPublishAsyncTimeout(5*time.Second))
	if err != nil {
		nc.Close()
		return err
	}
	c.NATS, c.JS = nc, js
	return nil
}

// login is how this connection says who it is.
func (cfg Config) login() ([]nats.Option, error) {
	switch {
	case cfg.CredsFile != "":
		return []nats.Option{nats.UserCredentials(cfg.CredsFile)}, nil
	case cfg.Seed != "":
		pair, err := nkeys.FromSeed([]byte(cfg.Seed))
		if err != nil {
			return nil, errors.New("the NATS key is not an nkey's seed") // the cause may quote it
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, errors.New("the NATS key is not an nkey's seed")
		}
		return []nats.Option{nats.Nkey(public, pair.Sign)}, nil
	case cfg.User != "":
		return []nats.Option{nats.UserInfo(cfg.User, cfg.Password)}, nil
	}
	return nil, nil
}

// OnReconnect calls fn each time the connection has come back. The returned function ends that.
func (c *Conn) OnReconnect(fn func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	c.listeners[id] = fn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, id)
	}
}

func (c *Conn) cameBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fn := range c.listeners {
		go fn()
	}
}

// Up says whether the connection stands at this moment.
func (c *Conn) Up() bool { return c.NATS.IsConnected() }

// Close flushes what has been published and closes the connection.
func (c *Conn) Close() { c.NATS.Close() }
