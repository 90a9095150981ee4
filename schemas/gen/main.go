// Command gen writes what is published of the events from the one place that decides about them: the Go structs of
// package schemas with their comments and tags, and its registry, routes and roles.
//
// It writes events/*.schema.json, facts.schema.json, asyncapi.json, docs/events.md and docs/access.md, always the
// same bytes for the same source. It keeps baseline/*.json, what has been promised for each major version, and
// refuses to write anything when a schema would break its baseline: that takes a new major version. A baseline moves
// forward only by additions, so that what was added is held from then on too.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"footbridge/schemas"
	"footbridge/schemas/internal/compat"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes every file in dir, the folder of package schemas.
func write(dir string) error {
	files, err := files(dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making the folder of %s: %w", name, err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// files returns every file by its path from dir.
func files(dir string) (map[string][]byte, error) {
	comments, err := readComments(dir)
	if err != nil {
		return nil, err
	}
	b := &builder{comments: comments}
	out := map[string][]byte{"../docs/events.md": eventsPage(), "../docs/access.md": accessPage()}
	for _, e := range schemas.Registry() {
		schema, err := b.event(e)
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", e.Type, err)
		}
		if err := put(out, "events/"+e.Type.File()+".schema.json", schema); err != nil {
			return nil, err
		}
		out["baseline/"+e.Type.File()+".json"] = out["events/"+e.Type.File()+".schema.json"]
	}
	facts, err := b.facts()
	if err != nil {
		return nil, fmt.Errorf("describing facts: %w", err)
	}
	err = errors.Join(put(out, "facts.schema.json", facts), put(out, "asyncapi.json", asyncAPI()))
	out["baseline/facts.json"] = out["facts.schema.json"]
	return out, errors.Join(err, keepsPromises(dir, out))
}

func put(out map[string][]byte, name string, v object) error {
	content, err := document(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	out[name] = content
	return nil
}

// keepsPromises fails when a file would break its baseline, or when one with a baseline is no longer made.
func keepsPromises(dir string, out map[string][]byte) error {
	baselines, err := filepath.Glob(filepath.Join(dir, "baseline", "*.json"))
	if err != nil {
		return fmt.Errorf("listing baselines: %w", err)
	}
	var broken []error
	for _, path := range baselines {
		older, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a baseline: %w", err)
		}
		broken = append(broken, keepsPromise(filepath.Base(path), older, out))
	}
	return errors.Join(broken...)
}

func keepsPromise(name string, older []byte, out map[string][]byte) error {
	newer, ok := out["baseline/"+name]
	if !ok {
		return fmt.Errorf("%s was promised and is gone: keep it for a release beside the new version", name)
	}
	breaks, err := compat.Breaking(older, newer, direction(name))
	if err != nil {
		return fmt.Errorf("comparing %s: %w", name, err)
	}
	if len(breaks) > 0 {
		return fmt.Errorf("%s breaks its major version, make a new one:\n  %s", name, strings.Join(breaks, "\n  "))
	}
	return nil
}

// direction says whether Footbridge or somebody else writes the events of a baseline. Facts go both ways; their
// fields are all optional, and they are held as taken.
func direction(name string) compat.Direction {
	e, ok := schemas.Lookup(schemas.Type(schemas.TypePrefix + strings.TrimSuffix(name, ".json")))
	if ok && e.OnBus() {
		return compat.Emitted
	}
	return compat.Subscribed
}
