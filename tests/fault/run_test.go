package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// roundOf is how many faults are done to one system before it is counted and the next one is started.
const roundOf = 30

// run is a run of faults as its file keeps it.
type run struct {
	Seed   uint64
	Faults int
	Rounds []round

	file string
}

// round is what one round has counted.
type round struct {
	Faults                                       int
	Kinds                                        map[string]int
	Acknowledged, Ending, Never, Processes, Cuts int
	Lost, Twice, Wrong                           int
	Stops, Unseen                                int // of over a minute; of them, those that readiness did not tell
}

// openRun reads a run that was cut from its file, and else begins one. One that has ended, or was of another length or
// seed than is asked for, is begun again; without a seed asked for, one is drawn.
func openRun(file string, faults int, seed uint64) (*run, error) {
	r := &run{file: file}
	if file != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, r)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the run in %q: %w", file, err)
		}
		if r.Faults == faults && r.done() < r.Faults && (seed == 0 || seed == r.Seed) {
			return r, nil
		}
	}
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())&0xffffff + 1
	}
	return &run{Seed: seed, Faults: faults, file: file}, nil
}

func (r *run) done() (all int) {
	for _, one := range r.Rounds {
		all += one.Faults
	}
	return all
}

// keep adds a round and writes the run down.
func (r *run) keep(one round) error {
	r.Rounds = append(r.Rounds, one)
	if r.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(r.file+".new", r.file)
}

func (r *run) total() round {
	sum := round{Kinds: map[string]int{}}
	for _, one := range r.Rounds {
		for kind, times := range one.Kinds {
			sum.Kinds[kind] += times
		}
		sum.Faults, sum.Acknowledged, sum.Ending, sum.Never = sum.Faults+one.Faults, sum.Acknowledged+one.Acknowledged,
			sum.Ending+one.Ending, sum.Never+one.Never
		sum.Processes, sum.Cuts, sum.Lost, sum.Twice = sum.Processes+one.Processes, sum.Cuts+one.Cuts,
			sum.Lost+one.Lost, sum.Twice+one.Twice
		sum.Wrong, sum.Stops, sum.Unseen = sum.Wrong+one.Wrong, sum.Stops+one.Stops, sum.Unseen+one.Unseen
	}
	return sum
}

// wrong is how much is not as it must be.
func (r *run) wrong() int {
	sum := r.total()
	return sum.Lost + sum.Twice + sum.Wrong + sum.Unseen
}

// String is the table of a run.
func (r *run) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	sum, total := r.total(), 0
	fmt.Fprintln(w, "fault\tcount")
	for _, kind := range slices.Sorted(maps.Keys(sum.Kinds)) {
		fmt.Fprintf(w, "%s\t%d\n", kind, sum.Kinds[kind])
		total += sum.Kinds[kind]
	}
	fmt.Fprintf(w, "all\t%d\n\t\nrounds\t%d\nacknowledged messages\t%d\nof them ending a visit in scope\t%d\n", total,
		len(r.Rounds), sum.Acknowledged, sum.Ending)
	fmt.Fprintf(w, "not acknowledged and not sent again\t%d\nprocesses started\t%d\ncommits without an answer\t%d\n",
		sum.Never, sum.Processes, sum.Cuts)
	fmt.Fprintf(w, "lost\t%d\ntwice\t%d\notherwise wrong\t%d\n", sum.Lost, sum.Twice, sum.Wrong)
	fmt.Fprintf(w, "work stood still for over a minute\t%d\nof that unseen\t%d\n", sum.Stops, sum.Unseen)
	_ = w.Flush() // to memory
	return b.String()
}

// TestARunThatWasCutGoesOn: behind the last whole round, with the seed it had; another length or seed is another run.
func TestARunThatWasCutGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "run.json")
	first, err := openRun(file, 60, 0)
	if err != nil || first.Seed == 0 {
		t.Fatal(first, err)
	}
	if err := first.keep(round{Faults: 30, Kinds: map[string]int{"a": 20, "b": 10}, Lost: 1, Unseen: 2}); err != nil {
		t.Fatal(err)
	}
	again, err := openRun(file, 60, 0)
	if err != nil || again.Seed != first.Seed || again.done() != 30 {
		t.Fatalf("gone on with: %+v, %v", again, err)
	}
	if other, err := openRun(file, 60, first.Seed+1); err != nil || other.done() != 0 {
		t.Errorf("another seed goes on with %+v, %v", other, err)
	}
	if other, err := openRun(file, 90, 0); err != nil || other.done() != 0 {
		t.Errorf("another length goes on with %+v, %v", other, err)
	}
	if err := again.keep(round{Faults: 30, Kinds: map[string]int{"a": 5}, Twice: 1}); err != nil {
		t.Fatal(err)
	}
	if sum := again.total(); sum.Kinds["a"] != 25 || sum.Kinds["b"] != 10 || again.wrong() != 4 {
		t.Errorf("summed up: %+v", sum)
	}
	if next, err := openRun(file, 60, 0); err != nil || next.done() != 0 {
		t.Errorf("after the end: %+v, %v", next, err)
	}
}
