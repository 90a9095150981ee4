// Package private runs a PostgreSQL server of one's own: the one of `dev` and of the tests. It finds what is installed,
// makes a cluster, starts it as a child, and reaches it as the administrator.
//
// It promises that Launch leaves no server behind, however this process ends, and starts again on what is there; and
// that a second process does not start on the same folder.
package private

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"footbridge/libs/pg"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the administrator of the private server.
const superuser = "postgres"

// LaunchConfig says where the private server lives and how much it must survive. Fields with a default may be left
// zero.
type LaunchConfig struct {
	// Dir belongs to the server alone and is kept between runs: its data, password, log and socket. Where the
	// server's user could not get there (root's home is closed to everybody), they are kept under
	// /var/lib/footbridge and Dir holds a link to them.
	Dir string
	Log *slog.Logger
	// Database is made at the first start ("footbridge").
	Database string
	// Durable makes commits survive a loss of power. Without it they survive the death of any process, the
	// server's included, which is what tests need.
	Durable bool
	// TCP also listens on a free port of 127.0.0.1, with a password. The unix socket is always there.
	TCP bool
	// Settings are added to the server's, or replace them.
	Settings map[string]string
	// Throwaway removes Dir once the server has stopped or this process has ended, however it ended.
	Throwaway bool
	// StartTimeout bounds the start, recovery included (60 s).
	StartTimeout time.Duration

	installs []Install // set by tests; nil: FindInstalls
}

// Server is a running private server. It is not meant for anything but `dev` and tests.
type Server struct {
	cfg      LaunchConfig
	install  Install
	bin      string
	account  account
	home     string // Dir, or where Dir links to
	socket   string // folder of the unix socket
	port     int
	password string
	lock     *os.File
	reaper   *reaper

	mu   sync.Mutex
	proc *process
	stop sync.Once
}

// launched keeps the servers from the garbage collector, which would close lock and pipe of one that its caller has
// forgotten: a test binary never stops its server, it ends.
var launched sync.Map

// Launch finds a server on this machine (see FindInstalls) and starts it on cfg.Dir, making the database at the
// first start; root becomes user postgres, else nobody, for it. The server is in a process group of its own, so
// that Ctrl-C reaches the services first and they can still store what they have.
//
// It does not outlive this process: on Linux the kernel tells it to stop when we die; elsewhere a small shell
// waiting on a pipe does. One that was left behind all the same is stopped by the next Launch on the same Dir, and
// a crash is recovered from. A Dir in use by a living process is refused.
func Launch(ctx context.Context, cfg LaunchConfig) (*Server, error) {
	cfg.Database = cmp.Or(cfg.Database, "footbridge")
	cfg.StartTimeout = cmp.Or(cfg.StartTimeout, time.Minute)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	if cfg.Dir == "" {
		return nil, errors.New("launching PostgreSQL: no folder given")
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	s := &Server{cfg: cfg}
	launched.Store(s, true)
	if err := s.launch(ctx); err != nil {
		s.release()
		return nil, fmt.Errorf("launching PostgreSQL in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context) error {
	began := time.Now()
	var err error
	if s.account, err = serverAccount(); err != nil {
		return err
	}
	if err := s.takeDir(ctx); err != nil {
		return err
	}
	if err := s.chooseInstall(ctx); err != nil {
		return err
	}
	if s.reaper, err = watch(s.home, s.cfg.Throwaway, s.cfg.Dir); err != nil {
		return err
	}
	if err := stopLeftover(ctx, s.data()); err != nil {
		return err
	}
	if err := s.initialise(ctx); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.cfg.Log.Info("private PostgreSQL is up", "version", s.install.Version, "from", s.install.Source,
		"dir", s.home, "socket", s.socket, "port", s.port, "user", s.account.name, "took",
		time.Since(began).Round(time.Millisecond))
	return os.WriteFile(filepath.Join(s.cfg.Dir, "running"), []byte(s.URL()), 0o600)
}

// URL is the administrator's URL, over the unix socket.
func (s *Server) URL() string { return s.DatabaseURL(s.cfg.Database) }

// DatabaseURL is URL for another database of the server.
func (s *Server) DatabaseURL(database string) string {
	query := url.Values{"host": {s.socket}, "port": {strconv.Itoa(s.port)}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// TCPURL is the administrator's URL over 127.0.0.1, with its password; empty without LaunchConfig.TCP.
func (s *Server) TCPURL() string {
	if !s.cfg.TCP {
		return ""
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, s.password), Path: "/" + s.cfg.Database,
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), RawQuery: "sslmode=disable"}
	return u.String()
}

// Password is the password of a service's role on this server, for SetupConfig: always the same for one Dir.
func (s *Server) Password(role string) string {
	mac := hmac.New(sha256.New, []byte(s.password))
	mac.Write([]byte(role))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// Version is the server's major version.
func (s *Server) Version() int { return s.install.Version }

// PID is the process id of the server's first process.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.cmd.Process.Pid
}

// Done is closed when the server has ended, whoever ended it. After Restart there is a new one.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.done
}

// Stop ends the server: sessions are broken off, what was committed is kept. When ctx ends first the server is
// killed, and recovers at its next start. A second Stop does nothing.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	s.stop.Do(func() {
		err = s.Halt(ctx)
		s.release()
	})
	return err
}

// Restart stops the server, if it still runs, and starts it again on the same data, socket and port.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Halt(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartTimeout)
	defer cancel()
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("restarting PostgreSQL in %s: %w", s.home, err)
	}
	return nil
}

// Halt stops the server as Stop does, but keeps hold of Dir, so that Restart can follow. It sends SIGINT ("fast
// shutdown"), and SIGQUIT, then SIGKILL, when ctx ends first.
func (s *Server) Halt(ctx context.Context) error {
	s.mu.Lock()
	proc := s.proc
	s.mu.Unlock()
	if proc == nil {
		return nil
	}
	proc.signal(syscall.SIGCONT)
	proc.signal(syscall.SIGINT)
	select {
	case <-proc.done:
		return nil
	case <-ctx.Done():
	}
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		proc.signal(sig)
		select {
		case <-proc.done:
			return fmt.Errorf("stopping PostgreSQL in %s: had to be broken off: %w", s.home, ctx.Err())
		case <-time.After(3 * time.Second):
		}
	}
	return fmt.Errorf("stopping PostgreSQL in %s: process %d does not end", s.home, proc.cmd.Process.Pid)
}

// release gives up what Launch took besides the server itself.
func (s *Server) release() {
	defer launched.Delete(s)
	if s.proc != nil {
		s.proc.signal(syscall.SIGQUIT) // only where the launch failed half-way; otherwise it has ended
		<-s.proc.done
	}
	if s.lock != nil {
		_ = os.Remove(filepath.Join(s.cfg.Dir, "running"))
	}
	if s.socket != "" && filepath.Dir(s.socket) != s.home {
		_ = os.RemoveAll(s.socket)
	}
	s.reaper.finish()
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

// Running returns the administrator's URL of the private server that a living process has launched on dir.
func Running(dir string) (adminURL string, running bool) {
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return "", false
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return "", false
	}
	content, err := os.ReadFile(filepath.Join(dir, "running"))
	return string(content), err == nil
}

func (s *Server) data() string { return filepath.Join(s.home, "data") }

// takeDir makes Dir, locks it against other launchers, and settles where the server's files are.
func (s *Server) takeDir(ctx context.Context) error {
	dir, err := filepath.Abs(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.cfg.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if s.account.drop {
		if err := os.Chmod(dir, 0o711); err != nil { // the files in it have their own owners and modes
			return err
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	for try := 0; syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; try++ {
		if try < 5 && pg.Pause(ctx, 50*time.Millisecond) == nil { // Running may be looking
			continue
		}
		lock.Close()
		return errors.New("another process is running this server: stop it first, or give this one another " +
			"FOOTBRIDGE_STATE_DIR")
	}
	s.lock = lock
	if s.home, err = s.findHome(); err != nil {
		return err
	}
	return s.makeSocketDir()
}

// findHome returns Dir, or the folder that Dir/server links to where the server's user cannot reach Dir.
func (s *Server) findHome() (string, error) {
	link := filepath.Join(s.cfg.Dir, "server")
	if home, err := filepath.EvalSymlinks(link); err == nil && s.account.canConnect(home) {
		return home, nil
	}
	if s.account.canConnect(s.cfg.Dir) {
		return s.cfg.Dir, nil
	}
	shared, err := sharedDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(shared, "private-"+randomName())
	if err := os.Mkdir(home, 0o711); err != nil {
		return "", err
	}
	s.cfg.Log.Info("the state directory is closed to the server's user; its files are kept elsewhere", "dir", home,
		"user", s.account.name)
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return home, os.Symlink(home, link)
}

// maxSocketPath is what the shortest of the systems allows (macOS: 104 bytes with the closing zero).
const maxSocketPath = 103

func (s *Server) makeSocketDir() error {
	s.socket = filepath.Join(s.home, "socket")
	if len(s.socket)+len("/.s.PGSQL.65535") > maxSocketPath {
		dir, err := os.MkdirTemp("/tmp", "footbridge-")
		if err != nil {
			return err
		}
		s.socket = dir
	}
	if err := os.MkdirAll(s.socket, 0o700); err != nil {
		return err
	}
	return s.account.own(s.socket)
}

func randomName() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// chooseInstall takes the preferred server, or for data that is there already one of the version that made it.
func (s *Server) chooseInstall(ctx context.Context) error {
	installs, err := s.cfg.installs, error(nil)
	if installs == nil {
		installs, err = FindInstalls(ctx)
	}
	if err != nil {
		return err
	}
	s.install = installs[0]
	if content, err := os.ReadFile(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		made := lastNumber(string(content))
		i := slices.IndexFunc(installs, func(in Install) bool { return in.Version == made })
		if i < 0 {
			return fmt.Errorf("%s was made by PostgreSQL %d and only %d (%s) is here: install %d, or delete that "+
				"folder to begin with nothing",
				s.data(), made, s.install.Version, s.install.Bin, made)
		}
		s.install = installs[i]
	}
	s.bin = s.install.Bin
	if s.install.npmRoot != "" {
		s.bin, err = prepareNPM(s.install, s.account)
	}
	return err
}

// initialise makes the data folder, where there is none, and says who may log in how.
func (s *Server) initialise(ctx context.Context) error {
	var err error
	if s.password, err = s.readPassword(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err != nil {
		if err := s.initdb(ctx); err != nil {
			return err
		}
	}
	return s.writeAccess()
}

// writeAccess says who may log in how: the administrator over the socket by being a user of this machine who could read
// the server's files anyway, everybody else by a password, over the socket as over TCP.
func (s *Server) writeAccess() error {
	const access = "local all " + superuser + " peer map=keepers\nlocal all all scram-sha-256\n" +
		"host all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n"
	us, err := user.Current()
	if err != nil {
		return fmt.Errorf("finding out which user this is: %w", err)
	}
	keepers := fmt.Sprintf("keepers %q %s\n", us.Username, superuser)
	if s.account.drop {
		keepers += fmt.Sprintf("keepers %q %s\n", s.account.name, superuser)
	}
	return errors.Join(os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(access), 0o600),
		os.WriteFile(filepath.Join(s.data(), "pg_ident.conf"), []byte(keepers), 0o600))
}

func (s *Server) readPassword() (string, error) {
	name := filepath.Join(s.cfg.Dir, "password")
	content, err := os.ReadFile(name)
	if err == nil && len(content) > 0 {
		return string(content), nil
	}
	password := randomName()
	return password, os.WriteFile(name, []byte(password), 0o600)
}

// initdb works beside the final folder and renames it, so that an interrupted one is never taken for a database.
func (s *Server) initdb(ctx context.Context) error {
	fresh := s.data() + "-new"
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700), s.account.own(fresh)); err != nil {
		return err
	}
	args := []string{"-D", fresh, "-U", superuser, "-A", "peer", "--locale=C", "-E", "UTF8", "--no-instructions"}
	if !s.cfg.Durable {
		args = append(args, "--no-sync")
	}
	cmd := s.command("initdb", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	proc, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("running initdb: %w", err)
	}
	select {
	case <-proc.done:
	case <-ctx.Done():
		proc.signal(syscall.SIGKILL)
		<-proc.done
	}
	if proc.err != nil {
		return fmt.Errorf("running %s: %w\n%s", cmd.Path, errors.Join(proc.err, ctx.Err()), tail(out.String()))
	}
	return os.Rename(fresh, s.data())
}

// command prepares one of the server's programs to run as the server's user, free of our environment.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = procAttr(s.account)
	return cmd
}

// start runs the server until it takes connections. It tries again, with another port, when the port is taken, and
// while sessions of a server that was killed are still ending.
func (s *Server) start(ctx context.Context) error {
	for {
		if err := s.choosePort(); err != nil {
			return err
		}
		err := s.startOnce(ctx)
		if err == nil {
			return nil
		}
		message := err.Error()
		switch {
		case strings.Contains(message, "TCP/IP sockets"):
			s.port = 0
		case strings.Contains(message, "shared memory block"), strings.Contains(message, "lock file"):
		default:
			return err
		}
		if pg.Pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

// choosePort keeps the port of the last run where it is free. Without TCP the number only names the socket.
func (s *Server) choosePort() error {
	if !s.cfg.TCP {
		s.port = 5432
		return nil
	}
	name := filepath.Join(s.cfg.Dir, "port")
	if content, err := os.ReadFile(name); err == nil && s.port == 0 {
		port := lastNumber(string(content))
		if free, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			free.Close()
			s.port = port
		}
	}
	if s.port != 0 {
		return nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("looking for a free port: %w", err)
	}
	defer free.Close()
	s.port = free.Addr().(*net.TCPAddr).Port
	return os.WriteFile(name, []byte(strconv.Itoa(s.port)), 0o600)
}

func (s *Server) startOnce(ctx context.Context) error {
	logFile, err := s.openLog()
	if err != nil {
		return err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, 2)
	if err != nil {
		return err
	}
	cmd := s.command("postgres", s.arguments()...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	proc, err := startProcess(cmd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = proc
	s.mu.Unlock()
	if err := waitReady(ctx, proc, s.data()); err != nil {
		proc.signal(syscall.SIGQUIT)
		<-proc.done
		content, _ := os.ReadFile(logFile.Name()) // the error below is what counts
		return fmt.Errorf("%w\n%s", err, tail(string(content[min(int(from), len(content)):])))
	}
	return nil
}

func (s *Server) openLog() (*os.File, error) {
	const tooLong = 16 << 20
	name := filepath.Join(s.home, "postgres.log")
	if found, err := os.Stat(name); err == nil && found.Size() > tooLong {
		if err := os.Rename(name, name+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (s *Server) arguments() []string {
	onOff := map[bool]string{true: "on", false: "off"}
	settings := map[string]string{
		"unix_socket_directories": `"` + s.socket + `"`,
		"unix_socket_permissions": "0700",
		"listen_addresses":        "",
		"port":                    strconv.Itoa(s.port),
		"fsync":                   onOff[s.cfg.Durable],
		"full_page_writes":        onOff[s.cfg.Durable],
		"synchronous_commit":      "on",
		"max_connections":         "200",
		"shared_buffers":          "256MB",
		"max_wal_size":            "2GB",
		"checkpoint_timeout":      "15min",
		"jit":                     "off", // compiling costs more than our statements
		"password_encryption":     "scram-sha-256",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] %a %u@%d ",
		"log_checkpoints":         "off",
	}
	if s.cfg.TCP {
		settings["listen_addresses"] = "127.0.0.1"
	}
	maps.Copy(settings, s.cfg.Settings)
	args := []string{"-D", s.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// prepare sets the administrator's password and makes the database.
func (s *Server) prepare(ctx context.Context) error {
	conn, err := pg.Connect(ctx, s.DatabaseURL("postgres"), "footbridge-launch")
	if err != nil {
		return fmt.Errorf("connecting to the server just started: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if s.cfg.TCP {
		if _, err := conn.Exec(ctx, `alter role `+superuser+` password '`+pg.ScramVerifier(s.password)+
			`'`); err != nil {
			return fmt.Errorf("setting the administrator's password: %w", err)
		}
	}
	return ensureDatabase(ctx, conn, s.cfg.Database)
}

func ensureDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	var there bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`,
		name).Scan(&there); err != nil || there {
		return err
	}
	if _, err := conn.Exec(ctx, `create database `+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("creating database %q: %w", name, err)
	}
	return nil
}

// tail keeps the last lines of an output, where the reason is.
func tail(output string) string {
	const most = 20
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
