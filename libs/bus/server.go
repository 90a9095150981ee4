package bus

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ServerConfig describes the embedded NATS server of `dev` and of tests.
type ServerConfig struct {
	// StoreDir is where JetStream keeps its files.
	StoreDir string
	Host     string // 127.0.0.1 where empty
	Port     int    // -1: a free one
	Users    []User
	// SyncInterval is how much may be lost when power fails: written messages are fsynced this often (2 s). The
	// writers' watermark lags by far more, so that nothing is.
	SyncInterval time.Duration
}

// User is a NATS login and the subjects it may publish and subscribe to. With a Key, the public half of an nkey, it logs
// in by signing; without one by name and password.
type User struct {
	Name, Key, Password string
	Publish, Subscribe  []string
}

// Server is an embedded NATS server with JetStream.
type Server struct{ ns *server.Server }

// StartServer starts the embedded server and returns when it takes connections.
func StartServer(cfg ServerConfig) (*Server, error) {
	if cfg.StoreDir == "" {
		return nil, errors.New("starting NATS: StoreDir is empty; name the folder its streams are kept in")
	}
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if cfg.SyncInterval == 0 {
		cfg.SyncInterval = 2 * time.Second
	}
	options := &server.Options{
		ServerName: "footbridge-embedded", Host: cfg.Host, Port: cfg.Port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: cfg.StoreDir, SyncInterval: cfg.SyncInterval, MaxPayload: 1 << 20, MaxConn: 1024,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 64 << 30,
	}
	for _, user := range cfg.Users {
		may := &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: user.Publish},
			Subscribe: &server.SubjectPermission{Allow: user.Subscribe},
		}
		if user.Key != "" {
			options.Nkeys = append(options.Nkeys, &server.NkeyUser{Nkey: user.Key, Permissions: may})
			continue
		}
		options.Users = append(options.Users, &server.User{Username: user.Name, Password: user.Password, Permissions: may})
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("configuring NATS: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(20 * time.Second) {
		ns.Shutdown()
		return nil, fmt.Errorf("starting NATS on %s:%d: not ready after 20 s; is the port taken, or %q not writable?", cfg.Host, cfg.Port, cfg.StoreDir)
	}
	return &Server{ns: ns}, nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.ns.ClientURL() }

// Stop shuts the server down and waits until its files are closed.
func (s *Server) Stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// ServiceUser returns the user of one service: it may publish to the subjects it says, read the stream through its own
// durable, and keep that stream and durable in being. Nothing else: a service cannot speak in another's name, and
// cannot read another's replies.
func ServiceUser(service, password, stream string, says []string) User {
	publish := []string{
		"$JS.API.INFO",
		"$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.CREATE." + stream, "$JS.API.STREAM.UPDATE." + stream,
		"$JS.API.STREAM.MSG.GET." + stream, "$JS.API.DIRECT.GET." + stream, "$JS.API.DIRECT.GET." + stream + ".>",
		"$JS.API.CONSUMER.CREATE." + stream + "." + service, "$JS.API.CONSUMER.CREATE." + stream + "." + service + ".>",
		"$JS.API.CONSUMER.DURABLE.CREATE." + stream + "." + service,
		"$JS.API.CONSUMER.INFO." + stream + "." + service, "$JS.API.CONSUMER.DELETE." + stream + "." + service,
		"$JS.API.CONSUMER.MSG.NEXT." + stream + "." + service,
		"$JS.ACK." + stream + "." + service + ".>",
	}
	publish = append(publish, says...)
	return User{Name: service, Password: password, Publish: publish, Subscribe: []string{InboxOf(service) + ".>"}}
}

// InboxOf is the reply prefix of a service's user.
func InboxOf(service string) string { return "_INBOX_" + service }

// Port is the port the server listens on.
func (s *Server) Port() int {
	if addr, ok := s.ns.Addr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}
