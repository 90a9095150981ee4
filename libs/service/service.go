// Package service is the life of a process: reading its configuration, starting its components in order, saying
// whether it is ready and why not, and stopping in the reverse order within a deadline.
//
// In come environment variables, flags and signals; out go log lines, /livez, /readyz and an exit code. Promises:
//   - a component starts when all before it are ready, and stops before any of them does;
//   - nothing is restarted silently: a component that ends, fails or panics ends the process, with a line that names
//     it and exit code 1;
//   - readiness names every component that is not ready, with its reason;
//   - a secret is never printed;
//   - an address that others can reach is not opened without TLS and authentication, unless that was said aloud.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// Run is a component: it works until ctx ends and then returns nil, or returns why it could not go on. It calls
// h.Ready as soon as those started after it can rely on it, and h.Unready while they cannot.
type Run func(ctx context.Context, h *Health) error

type component struct {
	name   string
	run    Run
	once   bool
	health *Health
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// Runner runs the components of one process. The zero value is not usable; make one with NewRunner.
type Runner struct {
	log   *slog.Logger
	drain time.Duration

	mu         sync.Mutex
	components []*component
	draining   bool
	ready      chan struct{}
}

// NewRunner makes a runner. drain is how long all components together may take to stop.
func NewRunner(log *slog.Logger, drain time.Duration) *Runner {
	return &Runner{log: log, drain: drain, ready: make(chan struct{})}
}

// Add adds a component that works until it is stopped. Call it before Run, in the order of starting.
func (r *Runner) Add(name string, run Run) { r.add(name, run, false) }

// AddStep adds something to be done once, in its place in the order, such as migrating a schema; those after it
// start when it has returned nil.
func (r *Runner) AddStep(name string, step func(ctx context.Context) error) {
	r.add(name, func(ctx context.Context, _ *Health) error { return step(ctx) }, true)
}

func (r *Runner) add(name string, run Run, once bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &component{name: name, run: run, once: once, ended: make(chan struct{})}
	c.health = &Health{runner: r, reason: "not started", became: make(chan struct{})}
	r.components = append(r.components, c)
}

// Run starts the components in order and works until ctx ends, SIGTERM or SIGINT comes, or a component ends by
// itself; then it stops them in reverse. A second signal ends the process at once. It returns nil after a complete
// and wanted stop.
func (r *Runner) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	failed := make(chan *component, len(r.components))
	started := 0
	var first *component
	for _, c := range r.components {
		r.start(ctx, c, failed)
		started++
		if first = r.await(ctx, c, failed); first != nil || ctx.Err() != nil {
			break
		}
	}
	if first == nil && ctx.Err() == nil {
		close(r.ready)
		r.log.Info("process is running", "components", started)
		select {
		case <-ctx.Done():
		case first = <-failed:
		}
	}
	stop() // from here a second signal has its usual effect
	return r.stop(started, first)
}

// start runs a component in a context of its own, so that a signal reaches the components one after another.
func (r *Runner) start(ctx context.Context, c *component, failed chan<- *component) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	c.health.Unready("starting")
	go func() {
		defer close(c.ended)
		err := runSafely(own, c)
		if c.once && err == nil {
			c.health.Ready()
			return
		}
		if err == nil && own.Err() == nil {
			err = errors.New("ended without being asked to")
		}
		if own.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil
		}
		c.err = err
		c.health.Unready("ended")
		if own.Err() == nil {
			failed <- c
		}
	}()
}

func runSafely(ctx context.Context, c *component) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %s\n%s", panicKind(p), debug.Stack())
		}
	}()
	return c.run(ctx, c.health)
}

// panicKind names a panic; its text is only shown when the runtime wrote it, since others may hold anything.
func panicKind(p any) string {
	if fault, ok := p.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", p)
}

// await waits until c is ready, anything has failed, or the process is to stop. It says so once when that is slow.
func (r *Runner) await(ctx context.Context, c *component, failed <-chan *component) *component {
	slow := time.AfterFunc(10*time.Second, func() {
		r.log.Warn("component is not ready yet", "component", c.name, "component.waits_for", c.health.why())
	})
	defer slow.Stop()
	select {
	case <-c.health.became:
		return nil
	case other := <-failed:
		return other
	case <-ctx.Done():
		return nil
	}
}

// stop ends the started components in reverse, all within the drain time, and puts together what went wrong.
func (r *Runner) stop(started int, first *component) error {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	var errs []error
	if first != nil {
		errs = append(errs, fmt.Errorf("running %s: %w", first.name, first.err))
		r.log.Error("component failed, stopping the process", "component", first.name, "error", first.err)
	} else {
		r.log.Info("stopping")
	}
	deadline := time.NewTimer(r.drain)
	defer deadline.Stop()
	late := false
	for i := started - 1; i >= 0; i-- {
		c := r.components[i]
		c.cancel()
		if !late && !awaitEnd(c, deadline.C) {
			late = true
			errs = append(errs, fmt.Errorf("stopping %s: still at work after %s", c.name, r.drain))
			continue
		}
		if c != first && ended(c) && c.err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", c.name, c.err))
		}
	}
	return errors.Join(errs...)
}

func awaitEnd(c *component, deadline <-chan time.Time) bool {
	select {
	case <-c.ended:
		return true
	case <-deadline:
		return false
	}
}

func ended(c *component) bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Started is closed when every component has become ready once.
func (r *Runner) Started() <-chan struct{} { return r.ready }

// Usage is a wrong way of calling a command; the process ends with code 2.
type Usage struct{ Err error }

func (u Usage) Error() string { return u.Err.Error() }

// Unwrap returns what was wrong.
func (u Usage) Unwrap() error { return u.Err }

// ExitCode says how a process ends after err: 0 done, 1 failed, 2 called wrongly.
func ExitCode(err error) int {
	var usage Usage
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	default:
		return 1
	}
}

// Exit ends the process as ExitCode says, after writing err, a line for each thing that went wrong.
func Exit(program string, err error) { os.Exit(report(os.Stderr, program, err)) }

func report(w io.Writer, program string, err error) int {
	if err != nil {
		fmt.Fprintf(w, "%s: %v\n", program, err)
	}
	return ExitCode(err)
}
