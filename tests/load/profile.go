package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// profileSeconds is how long the service is profiled; the load must last about as long.
const profileSeconds = 8

// profile fetches a CPU profile of the running service into a file, and beside it what it allocates meanwhile; the
// channel answers when both are there.
func (b *bench) profile(ctx context.Context, ops, file string) <-chan error {
	done := make(chan error, 1)
	go func() {
		of := func(what, file string) error {
			return fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", ops, what, profileSeconds), file)
		}
		allocations := make(chan error, 1)
		go func() { allocations <- of("allocs", file+".allocs") }()
		done <- errors.Join(of("profile", file), <-allocations)
	}()
	return done
}

func fetch(ctx context.Context, address, file string) error {
	content, err := profileAt(ctx, address)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

func profileAt(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching the profile: %w", err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("fetching the profile: %w", err)
	}
	return content, nil
}

// heap is what a process has allocated and collected since it began.
type heap struct{ objects, bytes, collections float64 }

// heapOf reads it from the text form of the running service's heap profile.
func heapOf(ctx context.Context, ops string) (h heap, err error) {
	text, err := profileAt(ctx, fmt.Sprintf("http://%s/debug/pprof/heap?debug=1", ops))
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), " = ")
		number, _ := strconv.ParseFloat(value, 64) // of the lines that are wanted, the runtime writes numbers
		switch name {
		case "Mallocs":
			h.objects = number
		case "TotalAlloc":
			h.bytes = number
		case "NumGC":
			h.collections = number
		}
	}
	return h, nil
}

// allocated says what the service has allocated for each unit since before: it holds on a busy machine.
func (b *bench) allocated(ctx context.Context, ops string, before heap, units int) error {
	after, err := heapOf(ctx, ops)
	if err != nil {
		return err
	}
	each := func(of func(heap) float64) float64 { return (of(after) - of(before)) / float64(units) }
	b.say("the service allocates %.0f objects, %.0f bytes a unit; %.1f collections per 1,000",
		each(func(h heap) float64 { return h.objects }), each(func(h heap) float64 { return h.bytes }),
		1000*each(func(h heap) float64 { return h.collections }))
	return nil
}
