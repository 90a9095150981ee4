// Command gen writes what is published of the events from the one place that decides about them: the Go structs of
// package schemas with their comments and tags, and its registry, routes and roles.
//
// It writes events/*.schema.json, facts.schema.json, partner.offer.v1.schema.json, referral.updated.v1.schema.json,
// asyncapi.json, docs/events.md, docs/events/*.md and docs/access.md, always the same bytes for the same source. What
// a release has promised is frozen in baseline/<release>/, and nothing is written when a schema would break it: that
// takes a new major version. gen -release 0.2.0 freezes what is published now under that name, once.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"footbridge/schemas"
	"footbridge/schemas/internal/compat"
)

func main() {
	release := flag.String("release", "", "freeze what is published now as what this release promises: 0.2.0")
	flag.Parse()
	if err := errors.Join(write("."), freeze(".", *release)); err != nil {
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

// freeze keeps the schemas as they are as the promise of a release. One that is there is never written again.
func freeze(dir, release string) error {
	if release == "" {
		return nil
	}
	if !regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`).MatchString(release) {
		return fmt.Errorf("a release is named like 0.2.0, not %q", release)
	}
	into := filepath.Join(dir, "baseline", release)
	if _, err := os.Stat(into); err == nil {
		return fmt.Errorf("release %s is frozen already, in %s", release, into)
	}
	made, err := files(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return fmt.Errorf("making the folder of release %s: %w", release, err)
	}
	for name, content := range made {
		if promised := promisedAs(name); promised != "" {
			if err := os.WriteFile(filepath.Join(into, promised), content, 0o644); err != nil {
				return fmt.Errorf("freezing %s: %w", name, err)
			}
		}
	}
	return nil
}

// promisedAs is the name under which a release keeps a file that is published; empty for what is no promise.
func promisedAs(name string) string {
	if name == "facts.schema.json" {
		return "facts.json"
	}
	event, ok := strings.CutPrefix(name, "events/")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(event, ".schema.json") + ".json"
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
		page, err := eventPage(dir, e, out["events/"+e.Type.File()+".schema.json"])
		if err != nil {
			return nil, err
		}
		out[pagePath(e.Type)] = page
	}
	facts, err := b.facts()
	if err != nil {
		return nil, fmt.Errorf("describing facts: %w", err)
	}
	partner, err := b.partnerEvent()
	if err != nil {
		return nil, fmt.Errorf("describing what partners are told: %w", err)
	}
	referral, err := b.referralEvent()
	if err != nil {
		return nil, fmt.Errorf("describing what referrers are told: %w", err)
	}
	err = errors.Join(put(out, schemas.ReferralUpdated.File()+".schema.json", referral),
		put(out, "facts.schema.json", facts), put(out, "asyncapi.json", asyncAPI()),
		put(out, schemas.PartnerSchemaType.File()+".schema.json", partner))
	if err != nil {
		return nil, err
	}
	if out[pagePath(schemas.PartnerSchemaType)], err = partnerPage(dir,
		out[schemas.PartnerSchemaType.File()+".schema.json"]); err != nil {
		return nil, err
	}
	if out[pagePath(schemas.ReferralUpdated)], err = referralPage(dir,
		out[schemas.ReferralUpdated.File()+".schema.json"]); err != nil {
		return nil, err
	}
	return out, keepsPromises(dir, out)
}

func put(out map[string][]byte, name string, v object) error {
	content, err := document(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	out[name] = content
	return nil
}

// keepsPromises fails when a file would break what any release has promised, or when one that was promised is no longer
// made.
func keepsPromises(dir string, out map[string][]byte) error {
	baselines, err := filepath.Glob(filepath.Join(dir, "baseline", "*", "*.json"))
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
	newer, ok := out["events/"+strings.TrimSuffix(name, ".json")+".schema.json"]
	if name == "facts.json" {
		newer, ok = out["facts.schema.json"]
	}
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
