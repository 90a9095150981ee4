package testkit

import (
	"context"
	"footbridge/libs/pg/private"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Killable is a PostgreSQL server of one test's own, which it may kill, pause and restart.
type Killable struct {
	*Cluster
	// Server is the launcher's view of it: URL over the socket, TCPURL for what goes through a proxy.
	Server *private.Server
	t      testing.TB
}

// KillableCluster starts a server for one test. It keeps what was committed when its processes are killed.
func KillableCluster(t testing.TB) *Killable {
	t.Helper()
	dir, err := os.MkdirTemp("", "footbridge-test-")
	if err != nil {
		t.Fatal(err)
	}
	server, err := private.Launch(context.Background(), private.LaunchConfig{Dir: dir, Throwaway: true, TCP: true,
		Settings: map[string]string{"shared_buffers": "64MB"}})
	if err != nil {
		t.Fatalf("no PostgreSQL for the test: %v", err)
	}
	k := &Killable{Server: server, t: t,
		Cluster: &Cluster{AdminURL: server.URL(), password: server.Password, templates: map[string]*template{}}}
	t.Cleanup(func() { k.Resume(); k.end(server.Stop) })
	return k
}

// TCPURL turns a URL of this server into one over 127.0.0.1, for tests with a proxy in between.
func (k *Killable) TCPURL(socketURL string) string {
	k.t.Helper()
	return overTCP(k.t, socketURL, k.Server.TCPURL())
}

// Kill ends all processes of the server with SIGKILL, as a crash does, and returns when they have ended.
func (k *Killable) Kill() {
	k.t.Helper()
	done := k.Server.Done()
	k.signal(syscall.SIGSTOP) // so that the first process neither replaces nor mourns the others
	k.signal(syscall.SIGKILL)
	<-done
}

// Pause freezes all processes of the server: connections stay open and nothing answers.
func (k *Killable) Pause() { k.t.Helper(); k.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (k *Killable) Resume() { k.t.Helper(); k.signal(syscall.SIGCONT) }

// Stop shuts the server down in good order; sessions are broken off. Restart brings it back.
func (k *Killable) Stop() {
	k.t.Helper()
	k.end(k.Server.Halt)
}

// Restart starts the server again on the same data, socket and port, after Kill or Stop or while it runs, and
// returns when it takes connections.
func (k *Killable) Restart() {
	k.t.Helper()
	k.end(k.Server.Restart)
}

func (k *Killable) end(how func(context.Context) error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := how(ctx); err != nil {
		k.t.Error(err)
	}
}

// signal goes to the first process and then to its children, which are in process groups of their own.
func (k *Killable) signal(sig syscall.Signal) {
	k.t.Helper()
	select {
	case <-k.Server.Done():
		return
	default:
	}
	first := k.Server.PID()
	pids := children(first)
	if sig != syscall.SIGKILL {
		_ = syscall.Kill(first, sig) // it may have just ended
		pids = children(first)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // the same
	}
	if sig == syscall.SIGKILL {
		_ = syscall.Kill(first, sig)
	}
}

func children(parent int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // fails only for a bad pattern
	if len(stats) == 0 {
		out, _ := exec.Command("pgrep", "-P", strconv.Itoa(parent)).Output() // fails when there are none
		for field := range strings.FieldsSeq(string(out)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	for _, stat := range stats {
		content, err := os.ReadFile(stat)
		if err != nil {
			continue // ended meanwhile
		}
		// pid (name) state ppid …; the name may hold anything, so count from its closing bracket.
		after := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		if len(after) > 1 && after[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
