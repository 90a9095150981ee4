package load

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/bus"
	"footbridge/libs/keyring"
	"footbridge/libs/pg/private"
	"footbridge/libs/principal"
	"footbridge/libs/testkit"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// stage is what every variant runs on: one PostgreSQL server, a state directory with keys and tokens, and for each
// run a broker, a database and a service process of its own.
type stage struct {
	dir      string
	self     string // this program, which is also the broker and the other variants
	postgres *private.Server
	admin    *pgx.Conn
	tokens   []string
	log      string // where the processes' log lines go
	logs     io.Writer
}

// postgresSettings are those of the design's measurements: commits wait for the disk.
var postgresSettings = map[string]string{
	"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "300", "fsync": "on",
	"synchronous_commit": "on", "full_page_writes": "on",
}

func newStage(ctx context.Context, log string, settings map[string]string) (*stage, error) {
	dir, err := os.MkdirTemp("", "footbridge-load-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the server's user has to get through
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, self: self, log: log}
	if err := s.prepare(ctx, settings); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) prepare(ctx context.Context, settings map[string]string) error {
	s.log = cmp.Or(s.log, filepath.Join(s.dir, "log"))
	logs, err := os.Create(s.log)
	if err != nil {
		return err
	}
	s.logs = logs
	if _, err := s.keys().Make(nil, holders()...); err != nil {
		return err
	}
	if err := vault.CreateFile(filepath.Join(s.dir, "kek")); err != nil {
		return err
	}
	if err := s.writeTokens(8); err != nil {
		return err
	}
	s.postgres, err = private.Launch(ctx, private.LaunchConfig{Dir: filepath.Join(s.dir, "postgres"), Durable: true,
		Throwaway: true, Settings: settings,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if s.admin, err = pgx.Connect(ctx, s.postgres.URL()); err != nil {
		return fmt.Errorf("connecting to the private PostgreSQL: %w", err)
	}
	return nil
}

// writeTokens makes several senders of one hospital: the gateway bounds what one may send a second.
func (s *stage) writeTokens(senders int) error {
	var file struct {
		Tokens []map[string]string `json:"tokens"`
	}
	for i := range senders {
		token := fmt.Sprintf("load-token-%d", i)
		s.tokens = append(s.tokens, token)
		file.Tokens = append(file.Tokens, map[string]string{"sha256": principal.HashToken(token),
			"organisation": organisation,
			"role":         string(schemas.System), "subject": fmt.Sprintf("load-%d", i), "source": source})
	}
	content, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "tokens.yaml"), content, 0o600)
}

func (s *stage) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if s.admin != nil {
		_ = s.admin.Close(ctx)
	}
	if s.postgres != nil {
		_ = s.postgres.Stop(ctx)
	}
	_ = os.RemoveAll(s.dir)
}

// database makes a database, empty or as a copy of another that nobody is connected to.
func (s *stage) database(ctx context.Context, name, template string) (adminURL string, err error) {
	sql := "create database " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " template " + pgx.Identifier{template}.Sanitize()
	}
	if _, err := s.admin.Exec(ctx, sql); err != nil {
		return "", fmt.Errorf("making database %s: %w", name, err)
	}
	return s.postgres.DatabaseURL(name), nil
}

func (s *stage) drop(ctx context.Context, name string) error {
	_, err := s.admin.Exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
	return err
}

// settle writes out what earlier runs have left to write, so that it is not on the next one's account.
func (s *stage) settle(ctx context.Context) error {
	_, err := s.admin.Exec(ctx, "checkpoint")
	return err
}

// keys are those of an installation.
func (s *stage) keys() *keyring.Folder { return keyring.At(filepath.Join(s.dir, "keys")) }

// holders are who has keys in an installation, and the user who watches.
func holders() []keyring.Holder {
	var all []keyring.Holder
	for _, name := range append(speakers(), schemas.SentinelKey, schemas.StreamsKey, loadUser) {
		all = append(all, keyring.Holder{Name: name, NATS: true, Database: true})
	}
	return append(all, keyring.Holder{Name: schemas.Gateway, Database: true},
		keyring.Holder{Name: schemas.Traces, Database: true}, keyring.Holder{Name: schemas.Console},
		keyring.Holder{Name: schemas.OperatorsKey})
}

// speakers are the services that say events.
func speakers() []string {
	return []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging, schemas.Journey,
		schemas.Delivery}
}

// child is a process that ends with us.
type child struct {
	name string
	cmd  *exec.Cmd
	out  *bufio.Reader
	done chan struct{}
}

func (s *stage) start(name string, env []string, program string, args ...string) (*child, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = s.logs
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, out: bufio.NewReader(out), done: make(chan struct{})}
	return c, nil
}

// line waits for the child's next line on standard output: where it listens.
func (c *child) line() (string, error) {
	text, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the %s ended before it was ready: %w", c.name, errors.Join(err, c.cmd.Wait()))
	}
	return strings.TrimSpace(text), nil
}

func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	go func() { _, _ = io.Copy(io.Discard, c.out) }()
	_ = c.cmd.Wait()
}

// streamName is the stream of the events.
const streamName = "FOOTBRIDGE_EVENTS"

// loadUser may do anything on the broker: it watches, and is the login of the variants without walls.
const loadUser = "load"

// startBroker starts a broker of its own process with the users of an installation.
func (s *stage) startBroker(dir string) (c *child, natsURL string, err error) {
	c, err = s.start(partBroker, nil, s.self, "broker", dir, s.keys().ListPath())
	if err != nil {
		return nil, "", err
	}
	natsURL, err = c.line()
	return c, natsURL, err
}

// Broker is the broker's process: it prints its URL and serves until standard input or its parent ends. list is the
// list of public keys.
func Broker(ctx context.Context, dir, list string) error {
	public, err := keyring.At(filepath.Dir(list)).Public()
	if err != nil {
		return err
	}
	var users []bus.User
	for _, e := range public.Keys {
		user := bus.User{Name: e.Holder, Key: e.NATS, Publish: []string{"$JS.API.>"},
			Subscribe: []string{"_INBOX.>", "_INBOX_" + e.Holder + ".>"}}
		switch {
		case e.NATS == "":
			continue
		case e.Holder == loadUser:
			user.Publish, user.Subscribe = []string{">"}, []string{">"}
		case slices.Contains(speakers(), e.Holder):
			user = bus.ServiceUser(e.Holder, "", streamName, schemas.SubjectsEmittedBy(e.Holder),
				schemas.SubjectsSubscribedBy(e.Holder))
			user.Key = e.NATS
		}
		users = append(users, user)
	}
	server, err := bus.StartServer(bus.ServerConfig{StoreDir: dir, Port: -1, Users: users})
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	<-ctx.Done()
	server.Stop()
	return nil
}

func (s *stage) connect(ctx context.Context, natsURL string) (*bus.Conn, error) {
	own, err := s.keys().Private(loadUser)
	if err != nil {
		return nil, err
	}
	return bus.Connect(ctx, bus.Config{URL: natsURL, Seed: own.NATS, Name: "load"})
}

// addresses are a running service process's doors.
type addresses struct{ http, mllp, ops string }

// startFootbridge starts the real binary with all services, as in production: its own logins, tokens, and nothing of
// development. It returns when it is ready.
func (s *stage) startFootbridge(ctx context.Context, binary, adminURL, natsURL string, more ...string) (*child,
	addresses, error) {
	var at addresses
	for _, addr := range []*string{&at.http, &at.mllp, &at.ops} {
		reserved, release, err := testkit.ReserveAddr()
		if err != nil {
			return nil, at, err
		}
		defer release()
		*addr = reserved
	}
	env := []string{
		"FOOTBRIDGE_STATE_DIR=" + s.dir, "FOOTBRIDGE_DATABASE_URL=" + adminURL, "FOOTBRIDGE_NATS_URL=" + natsURL,
		"FOOTBRIDGE_KEK_FILE=" + filepath.Join(s.dir, "kek"), "FOOTBRIDGE_TOKENS_FILE=" + filepath.Join(s.dir,
			"tokens.yaml"),
		"FOOTBRIDGE_HTTP_ADDR=" + at.http, "FOOTBRIDGE_MLLP_ADDR=" + at.mllp, "FOOTBRIDGE_OPS_ADDR=" + at.ops,
		"FOOTBRIDGE_NAVIGATOR=navigator:duty", "FOOTBRIDGE_DEPUTY=navigator:deputy",
		"FOOTBRIDGE_OUT_OF_HOURS=team:out-of-hours",
		"FOOTBRIDGE_PPROF=true",
	}
	c, err := s.start(partService, append(env, more...), binary, "serve")
	if err != nil {
		return nil, at, err
	}
	if err := s.awaitReady(ctx, "http://"+at.ops+"/readyz"); err != nil {
		c.stop()
		return nil, at, err
	}
	return c, at, nil
}

func (s *stage) awaitReady(ctx context.Context, address string) error {
	if _, err := url.Parse(address); err != nil {
		return err
	}
	for range 600 {
		answer, err := http.Get(address)
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("the service was not ready within a minute")
}
