package fault

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proc is one process of the system and its supervisor, which starts it again whenever it has ended.
type proc struct {
	stand         *stand
	name, service string
	args          []string
	ops           string // where it says whether it is ready
	addr          string // its own HTTP port
	mllp          string // of intake

	// busy is held by whoever does something to this process: one fault at a time.
	busy sync.Mutex

	mu      sync.Mutex
	pid     int // 0 while it is down
	down    chan struct{}
	held    bool // it is to stay down
	over    bool
	points  string // failpoints of the next start
	starts  int
	changed chan struct{}
	ended   chan struct{}
}

// supervise starts the process and starts it again, until the end. The goroutine keeps its thread: the kernel ends
// the child when the thread that started it ends, and so when this test is killed.
func (p *proc) supervise() {
	runtime.LockOSThread()
	defer close(p.ended)
	for {
		p.mu.Lock()
		held, over := p.held, p.over
		p.mu.Unlock()
		switch {
		case over:
			return
		case held:
			<-p.changed
		default:
			p.run()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-p.changed:
			}
		}
	}
}

func (p *proc) run() {
	file, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.stand.t.Errorf("starting %s: %v", p.name, err)
		return
	}
	defer func() { _ = file.Close() }()
	p.mu.Lock()
	cmd := exec.Command(p.stand.binary, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.stand.environment(p), file, file, dieWithParent()
	p.points = ""
	if err := cmd.Start(); err != nil {
		p.mu.Unlock()
		p.stand.t.Errorf("starting %s: %v", p.name, err)
		return
	}
	p.pid, p.down = cmd.Process.Pid, make(chan struct{})
	p.starts++
	p.mu.Unlock()
	_ = cmd.Wait() // how it ended is the fault's business
	p.mu.Lock()
	p.pid = 0
	close(p.down)
	p.mu.Unlock()
}

// signal sends a signal to the process, if it is up.
func (p *proc) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = syscall.Kill(p.pid, sig)
	}
}

// takeDown ends the process with a signal and keeps it down until bringUp.
func (p *proc) takeDown(sig syscall.Signal) {
	p.mu.Lock()
	p.held = true
	pid, down := p.pid, p.down
	p.mu.Unlock()
	if pid == 0 {
		return
	}
	p.signal(sig)
	select {
	case <-down:
	case <-time.After(20 * time.Second):
		p.signal(syscall.SIGKILL)
		<-down
	}
}

// bringUp starts a process that was taken down, with these failpoints.
func (p *proc) bringUp(points string) {
	p.mu.Lock()
	p.held, p.points = false, points
	p.mu.Unlock()
	p.wake()
}

// arm says at which failpoints the process is to end after its next start.
func (p *proc) arm(points string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = points
}

func (p *proc) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// end ends the process for good.
func (p *proc) end() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.wake()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// process returns the process id, 0 while it is down, and how often it has been started.
func (p *proc) process() (pid, starts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid, p.starts
}

// isStopped says whether the process is stopped by a signal.
func (p *proc) isStopped() bool {
	pid, _ := p.process()
	if pid == 0 {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		stat, _ = exec.Command("ps", "-o", "pid=,comm=,state=", "-p", strconv.Itoa(pid)).Output() // ended meanwhile
	}
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return len(after) > 0 && strings.HasPrefix(after[0], "T")
}

func (p *proc) isReady() bool {
	response, err := opsClient.Get("http://" + p.ops + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p *proc) logFile() string {
	return filepath.Join(p.stand.logs, strings.ReplaceAll(p.name, "/", "-")+".log")
}

// clockFile is where it is written by how much the clock of this process is wrong.
func (p *proc) clockFile() string {
	return filepath.Join(p.stand.dir, "clock-"+strings.ReplaceAll(p.name, "/", "-"))
}

// tail is the end of the process's log.
func (p *proc) tail() string {
	content, _ := os.ReadFile(p.logFile()) // empty tells as much
	return string(content[max(0, len(content)-2000):])
}
