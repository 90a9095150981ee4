package bus

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
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

// User is a NATS login and the subjects it may publish and subscribe to. With a Key, the public half of an nkey, it
// logs in by signing; without one by name and password.
type User struct {
	Name, Key, Password string
	Publish, Subscribe  []string
}

// Server is an embedded NATS server with JetStream.
type Server struct {
	ns      *server.Server
	stopped chan struct{}
	ended   chan struct{}
	once    sync.Once
}

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
		options.Users = append(options.Users, &server.User{Username: user.Name, Password: user.Password,
			Permissions: may})
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("configuring NATS: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(20 * time.Second) {
		ns.Shutdown()
		return nil, fmt.Errorf("starting NATS on %s:%d: not ready after 20 s; is the port taken, or %q not writable?",
			cfg.Host, cfg.Port, cfg.StoreDir)
	}
	s := &Server{ns: ns, stopped: make(chan struct{}), ended: make(chan struct{})}
	go s.keepJetStream(*options)
	return s, nil
}

// keepJetStream starts JetStream again where a full disk has ended it: a stream that could not be written once takes
// nothing any more, or all of JetStream ends, and neither comes back by itself when there is room again.
func (s *Server) keepJetStream(options server.Options) {
	defer close(s.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ill := 0
	for {
		select {
		case <-s.stopped:
			return
		case <-tick.C:
		}
		if !s.ill() {
			ill = 0
			continue
		}
		if ill++; ill < illFor || !roomIn(options.StoreDir) {
			continue
		}
		ill = 0
		if s.ns.JetStreamEnabled() {
			_ = s.ns.ShutdownJetStream() // else at the next try
		}
		_ = s.ns.EnableJetStream(&server.JetStreamConfig{StoreDir: options.StoreDir,
			MaxMemory: options.JetStreamMaxMemory,
			MaxStore:  options.JetStreamMaxStore, SyncInterval: options.SyncInterval}) // else at the next try
	}
}

// ill says that JetStream has ended by itself, or that a stream could not be written.
func (s *Server) ill() bool {
	return !s.ns.JetStreamEnabled() || strings.Contains(s.ns.Healthz(&server.HealthzOptions{}).Error, "write error")
}

// illFor is for how many seconds JetStream must say that it is not well before it is started again.
const illFor = 3

// roomIn says whether a megabyte can be written to the folder.
func roomIn(dir string) bool {
	file, err := os.CreateTemp(dir, ".room-*")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(make([]byte, 1<<20))
	return errors.Join(err, file.Close()) == nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.ns.ClientURL() }

// Stop shuts the server down and waits until its files are closed.
func (s *Server) Stop() {
	s.once.Do(func() { close(s.stopped) })
	<-s.ended
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// ServiceUser returns the user of one service. It may publish the subjects it says, take what its own durable hands
// out, and look whether the stream still holds what it knows: of the subjects it says or hears, and of no other. It
// neither makes nor changes a stream or a durable (see Keeper), but may give up its own durable, to be handed
// everything again. A service that hears nothing has no durable.
func ServiceUser(service, password, stream string, says, hears []string) User {
	publish := []string{"$JS.API.STREAM.INFO." + stream}
	if len(hears) > 0 {
		publish = append(publish,
			"$JS.API.CONSUMER.INFO."+stream+"."+service, "$JS.API.CONSUMER.DELETE."+stream+"."+service,
			"$JS.API.CONSUMER.MSG.NEXT."+stream+"."+service, "$JS.ACK."+stream+"."+service+".>")
	}
	for _, subject := range append(slices.Clone(says), hears...) {
		publish = append(publish, "$JS.API.DIRECT.GET."+stream+"."+subject)
	}
	return User{Name: service, Password: password, Publish: append(publish, says...),
		Subscribe: []string{InboxOf(service) + ".>"}}
}

// ReaderUser returns the user of somebody outside who reads one durable of their own: it may ask for its next messages,
// acknowledge them, and look how it stands. It may not look at the stream, nor make or change anything.
func ReaderUser(name, key, stream string) User {
	return User{Name: name, Key: key, Publish: []string{"$JS.API.CONSUMER.MSG.NEXT." + stream + "." + name,
		"$JS.API.CONSUMER.INFO." + stream + "." + name, "$JS.ACK." + stream + "." + name + ".>"},
		Subscribe: []string{InboxOf(name) + ".>"}}
}

// PublisherRights are what a service's user may do besides with a stream that it keeps a copy in: publish it, look what
// it holds, and how far its readers have come.
func PublisherRights(stream Stream) []string {
	return append([]string{"$JS.API.STREAM.INFO." + stream.Name, "$JS.API.CONSUMER.INFO." + stream.Name + ".*"},
		stream.Subjects...)
}

// InboxOf is the reply prefix of a service's user.
func InboxOf(service string) string { return "_INBOX_" + service }
