package flow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// faults is what stands in the way of the work at the moment, by what it concerns.
type faults struct {
	mu     sync.Mutex
	causes map[string]error
}

func (f *faults) set(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.causes == nil {
		f.causes = map[string]error{}
	}
	f.causes[what] = err
}

func (f *faults) clear(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.causes, what)
}

func (f *faults) current() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []error
	for _, what := range slices.Sorted(maps.Keys(f.causes)) {
		all = append(all, fmt.Errorf("%s: %w", what, f.causes[what]))
	}
	return errors.Join(all...)
}
