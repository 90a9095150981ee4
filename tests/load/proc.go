package load

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The processes that are measured; the load generator is not one of them.
const (
	partService  = "service"
	partBroker   = "broker"
	partPostgres = "postgresql"
)

// meter measures the processes of one run by /proc.
type meter struct {
	pids map[string]int // by part: the first process; PostgreSQL's children count too
	stop context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	peak map[string]int64 // proportional set size in bytes
}

// ticksPerSecond is USER_HZ, which is 100 on every Linux.
const ticksPerSecond = 100

func newMeter(pids map[string]int) *meter { return &meter{pids: pids, peak: map[string]int64{}} }

// cpu is what each part has used up to now, user and system, in seconds.
func (m *meter) cpu() map[string]float64 {
	used := map[string]float64{}
	for part, pid := range m.pids {
		for _, p := range family(pid) {
			used[part] += cpuOf(p, p == pid)
		}
	}
	return used
}

// watchMemory notes the peak of each part until stopped.
func (m *meter) watchMemory(ctx context.Context) {
	ctx, m.stop = context.WithCancel(ctx)
	m.wg.Go(func() {
		for ctx.Err() == nil {
			for part, pid := range m.pids {
				sum := int64(0)
				for _, p := range family(pid) {
					sum += pssOf(p)
				}
				m.mu.Lock()
				m.peak[part] = max(m.peak[part], sum)
				m.mu.Unlock()
			}
			pause(ctx, 500*time.Millisecond)
		}
	})
}

func (m *meter) memory() map[string]int64 {
	m.stop()
	m.wg.Wait()
	return maps.Clone(m.peak)
}

func spent(before, after map[string]float64) map[string]float64 {
	diff := map[string]float64{}
	for part, seconds := range after {
		diff[part] = seconds - before[part]
	}
	return diff
}

func total(parts map[string]float64) float64 {
	sum := 0.0
	for _, seconds := range parts {
		sum += seconds
	}
	return sum
}

// statOf reads the fields of /proc/pid/stat after the name: state, parent, …
func statOf(pid int) []string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil // ended meanwhile
	}
	return strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
}

// cpuOf is a process's own time, with that of children it has outlived where asked for.
func cpuOf(pid int, withEnded bool) float64 {
	fields := statOf(pid)
	if len(fields) < 15 {
		return 0
	}
	last := 13 // utime and stime are fields 14 and 15 of the line, then those of ended children
	if withEnded {
		last = 15
	}
	ticks := 0.0
	for _, field := range fields[11:last] {
		n, _ := strconv.ParseFloat(field, 64) // the kernel writes numbers
		ticks += n
	}
	return ticks / ticksPerSecond
}

// family is a process and its children.
func family(pid int) []int {
	pids := []int{pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // fails only for a bad pattern
	for _, stat := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			continue
		}
		if fields := statOf(child); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			pids = append(pids, child)
		}
	}
	return pids
}

func pssOf(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(content), "\nPss:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib * 1024
}

// loadAverage is the machine's, over the last minute: what else was going on.
func loadAverage() float64 {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	load, _ := strconv.ParseFloat(strings.Fields(string(content))[0], 64)
	return load
}
