package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"footbridge/libs/service"
)

var quiet = slog.New(slog.DiscardHandler)

// diary notes what happened in which order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) component(name string) service.Run {
	return func(ctx context.Context, h *service.Health) error {
		d.note("start " + name)
		h.Ready()
		<-ctx.Done()
		d.note("stop " + name)
		return ctx.Err()
	}
}

func TestComponentsStartInOrderAndStopInReverse(t *testing.T) {
	t.Parallel()
	var d diary
	r := service.NewRunner(quiet, time.Minute)
	r.Add("a", d.component("a"))
	r.AddStep("migrate", func(context.Context) error { d.note("migrate"); return nil })
	r.Add("b", d.component("b"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	<-r.Started()
	if state := r.Readiness(); !state.Ready {
		t.Errorf("not ready: %v", state)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if want := []string{"start a", "migrate", "start b", "stop b", "stop a"}; !slices.Equal(d.lines, want) {
		t.Errorf("got %v", d.lines)
	}
	if r.Readiness().Ready {
		t.Error("ready after its end")
	}
}

// nowhere is never made: writing to it is the fault that a component must not take the process down with.
var nowhere map[string]int

func TestAComponentThatEndsEndsTheProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run  service.Run
		says string
	}{
		"with an error": {func(context.Context, *service.Health) error { return errors.New("no disk") },
			"running b: no disk"},
		"without being asked": {func(context.Context, *service.Health) error { return nil },
			"running b: ended without being asked to"},
		"after it was ready": {func(_ context.Context, h *service.Health) error {
			h.Ready()
			return errors.New("lost")
		}, "running b: lost"},
		"by a panic": {func(context.Context, *service.Health) error { panic("Alice Example") },
			"running b: panicked: string"},
		"by a fault of memory": {func(context.Context, *service.Health) error { nowhere["x"] = 1; return nil },
			"nil map"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d diary
			r := service.NewRunner(quiet, time.Minute)
			r.Add("a", d.component("a"))
			r.Add("b", c.run)
			err := r.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "Alice") ||
				service.ExitCode(err) != 1 {
				t.Errorf("got %v", err)
			}
			if want := []string{"start a", "stop a"}; !slices.Equal(d.lines, want) {
				t.Errorf("the others were not stopped: %v", d.lines)
			}
		})
	}
}

func TestStoppingHasADeadlineAndNamesWhoMissedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := service.NewRunner(quiet, 20*time.Second)
		r.Add("stubborn", func(_ context.Context, h *service.Health) error { h.Ready(); <-release; return nil })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		<-r.Started()
		began := time.Now()
		stop()
		err := <-ended
		if err == nil || !strings.Contains(err.Error(), "stopping stubborn: still at work after 20s") ||
			time.Since(began) != 20*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		close(release)
	})
}

func TestASlowStartIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := service.NewRunner(slog.New(slog.NewTextHandler(&log, nil)), time.Second)
		r.Add("store", func(ctx context.Context, h *service.Health) error {
			h.Unready("the database does not answer")
			select {
			case <-time.After(time.Minute):
				h.Ready()
			case <-ctx.Done():
			}
			<-ctx.Done()
			return nil
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		<-r.Started()
		stop()
		if err := <-ended; err != nil || !strings.Contains(log.String(), "the database does not answer") {
			t.Errorf("got %v and %s", err, log.String())
		}
	})
}

func TestASignalStopsTheProcessBeforeItHasStarted(t *testing.T) { // not parallel: the signal reaches every runner
	r := service.NewRunner(quiet, time.Minute)
	inside := make(chan struct{})
	r.Add("never ready", func(ctx context.Context, _ *service.Health) error { close(inside); <-ctx.Done(); return nil })
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	<-inside
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestReadinessSaysWhoIsNotReadyAndWhy(t *testing.T) {
	t.Parallel()
	r := service.NewRunner(quiet, time.Minute)
	ops := service.NewOps("127.0.0.1:0", r,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1") }))
	ops.Handle("GET /debug/more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "more")
	}))
	healths := make(chan *service.Health, 1)
	r.Add("operations", ops.Run)
	r.Add("web", func(ctx context.Context, h *service.Health) error { healths <- h; <-ctx.Done(); return nil })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	h := <-healths
	addr, err := ops.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + addr.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	ready := func() (int, service.Readiness) {
		status, body := get("/readyz")
		var state service.Readiness
		if err := json.Unmarshal([]byte(body), &state); err != nil {
			t.Fatal(err)
		}
		return status, state
	}
	if status, state := ready(); status != 503 || state.Reasons["web"] != "starting" || len(state.Reasons) != 1 {
		t.Errorf("starting: %d %+v", status, state)
	}
	h.Ready()
	<-r.Started()
	if status, state := ready(); status != 200 || !state.Ready {
		t.Errorf("ready: %d %+v", status, state)
	}
	h.Unready("the broker does not answer")
	if status, state := ready(); status != 503 || state.Reasons["web"] != "the broker does not answer" {
		t.Errorf("paused: %d %+v", status, state)
	}
	h.Ready()
	h.Note("nobody can sign in by one provider")
	if status, state := ready(); status != 200 || !state.Ready || len(state.Notes) != 1 {
		t.Errorf("ready, with something amiss: %d %+v", status, state)
	}
	h.Note("")
	if status, state := ready(); status != 200 || len(state.Notes) != 0 {
		t.Errorf("with nothing amiss any more: %d %+v", status, state)
	}
	for path, want := range map[string]string{"/livez": "alive\n", "/metrics": "up 1", "/debug/more": "more"} {
		if status, body := get(path); status != 200 || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAddressOthersCanReachNeedsTLSAndAuthentication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr             string
		tls, auth, allow bool
		fine             bool
	}{
		{"127.0.0.1:8080", false, false, false, true},
		{"127.9.9.9:8080", false, false, false, true},
		{"[::1]:8080", false, false, false, true},
		{"[::ffff:127.0.0.1]:8080", false, false, false, true},
		{"localhost:8080", false, false, false, true},
		{":8080", false, false, false, false},
		{"0.0.0.0:8080", false, true, false, false},
		{"[::]:8080", true, false, false, false},
		{"10.0.0.1:8080", true, true, false, true},
		{"10.0.0.1:8080", false, false, true, true},
		{"localhost.example.org:8080", false, false, false, false},
		{"8080", true, true, true, false},
	} {
		if err := service.CheckBind(c.addr, c.tls, c.auth, c.allow); (err == nil) != c.fine {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestATakenPortIsSaidPlainly(t *testing.T) {
	t.Parallel()
	ln, err := service.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := service.Listen(t.Context(), ln.Addr().String()); err == nil ||
		!strings.Contains(err.Error(), "another process has this port") {
		t.Errorf("got %v", err)
	}
}
