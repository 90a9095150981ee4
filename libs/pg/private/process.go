package private

import (
	"context"
	"errors"
	"fmt"
	"footbridge/libs/pg"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that we wait for. done is closed when it has ended; then err may be read.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// startProcess starts cmd from a thread that lives as long as the child: Linux sends the parent death signal (see
// procAttr) when the *thread* that started the child ends, and Go ends threads as it likes.
func startProcess(cmd *exec.Cmd) (*process, error) {
	proc := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		proc.err = cmd.Wait()
		close(proc.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return proc, nil
}

func (p *process) signal(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // it may have ended already
}

// waitReady waits until the server has written "ready" into its pid file.
func waitReady(ctx context.Context, proc *process, data string) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		pid, status := readPIDFile(data)
		if pid == proc.cmd.Process.Pid && status == "ready" {
			return nil
		}
		select {
		case <-ticker.C:
		case <-proc.done:
			return fmt.Errorf("the server ended instead of starting: %w", errors.Join(proc.err))
		case <-ctx.Done():
			return fmt.Errorf("the server did not come up in time: %w", ctx.Err())
		}
	}
}

// readPIDFile returns the process id and the status in postmaster.pid, or 0.
func readPIDFile(data string) (pid int, status string) {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0, ""
	}
	lines := strings.Split(string(content), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return 0, ""
	}
	if len(lines) > 7 {
		status = strings.TrimSpace(lines[7])
	}
	return pid, status
}

// stopLeftover stops a server that still runs on data though the process that launched it is gone, and removes the
// pid file of one whose process id now belongs to something else.
func stopLeftover(ctx context.Context, data string) error {
	pid, _ := readPIDFile(data)
	if pid == 0 || syscall.Kill(pid, 0) == syscall.ESRCH {
		return nil
	}
	if !isServer(pid, data) {
		return os.Remove(filepath.Join(data, "postmaster.pid"))
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping process %d, a server left behind on %s: %w", pid, data, err)
		}
		for range 200 {
			if !isServer(pid, data) {
				return nil
			}
			if err := pg.Pause(ctx, 25*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("process %d, a server left behind on %s, does not end: end it by hand", pid, data)
}

// isServer reports whether pid is a living server on data, which is its working directory.
func isServer(pid int, data string) bool {
	if wd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil {
		return wd == data
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		return false // ended, a zombie, or somebody else's
	}
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), data)
}

// reaper is a shell that outlives us by a moment, when we end in any way, to stop the server where the kernel does
// not and to remove what was to be thrown away. It waits for the end of a pipe whose other end only we hold.
type reaper struct {
	cmd  *exec.Cmd
	pipe *os.File
}

const reaperScript = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
	case $(ps -o command= -p "$pid" 2>/dev/null) in *"$1/data"*) kill -CONT "$pid"; kill -INT "$pid" ;; esac
	i=0
	while kill -0 "$pid" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
fi
if [ "$2" = throwaway ]; then rm -rf -- "$1" "$3"; fi`

// watch starts the reaper. On Linux a server that is to be kept needs none.
func watch(home string, throwaway bool, dir string) (*reaper, error) {
	if !throwaway && stopsWithUs {
		return nil, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	keep := map[bool]string{true: "throwaway", false: "keep"}[throwaway]
	cmd := exec.Command("/bin/sh", "-c", reaperScript, "footbridge-reaper", home, keep, dir)
	cmd.Stdin, cmd.Dir = read, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("starting the shell that cleans up after us: %w", err)
	}
	return &reaper{cmd: cmd, pipe: write}, nil
}

func (r *reaper) finish() {
	if r == nil {
		return
	}
	_ = r.pipe.Close()
	_ = r.cmd.Wait() // removing is all it does; what it could not remove is in the temporary folder
}
