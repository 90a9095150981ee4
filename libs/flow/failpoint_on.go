//go:build failpoints

package flow

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// FOOTBRIDGE_FAILPOINTS is a list like "flow.committed=kill@0.01,flow.published=stop@0.005": at each passing of
// the point, with that probability, the process kills (SIGKILL) or stops (SIGSTOP) itself. With a further point behind
// it, as in "flow.committed=kill@1@intake.read", only once that one has been passed.
var failpoints = parseFailpoints(os.Getenv("FOOTBRIDGE_FAILPOINTS"))

type failpoint struct {
	signal      syscall.Signal
	probability float64
	after       string
}

// passed are the points that have been passed.
var passed sync.Map

func parseFailpoints(list string) map[string]failpoint {
	points := map[string]failpoint{}
	for _, entry := range strings.Split(list, ",") {
		name, rest, _ := strings.Cut(entry, "=")
		action, rest, _ := strings.Cut(rest, "@")
		probability, after, _ := strings.Cut(rest, "@")
		p, err := strconv.ParseFloat(probability, 64)
		if err != nil {
			continue
		}
		signal := syscall.SIGKILL
		if action == "stop" {
			signal = syscall.SIGSTOP
		}
		points[name] = failpoint{signal, p, after}
	}
	return points
}

// Failpoint marks a place where a test may kill or pause the process.
func Failpoint(name string) {
	passed.Store(name, true)
	point, ok := failpoints[name]
	if !ok || rand.Float64() >= point.probability {
		return
	}
	if _, due := passed.Load(point.after); due || point.after == "" {
		_ = syscall.Kill(os.Getpid(), point.signal)
	}
}
