package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPublishedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	made, err := files("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source says, run make generate (%v)", name, err)
		}
	}
}

func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	once, err := files("..")
	if err != nil {
		t.Fatal(err)
	}
	again, err := files("..")
	if err != nil {
		t.Fatal(err)
	}
	for name := range once {
		if !bytes.Equal(once[name], again[name]) {
			t.Errorf("%s comes out differently", name)
		}
	}
}

func TestABrokenPromiseIsRefused(t *testing.T) {
	t.Parallel()
	made, err := files("..")
	if err != nil {
		t.Fatal(err)
	}
	older := bytes.Replace(made["events/offer.raised.v1.schema.json"], []byte(`"late": {`), []byte(`"place": {`), 1)
	err = keepsPromise("offer.raised.v1.json", older, made)
	if err == nil || !strings.Contains(err.Error(), "/data/place: the field is removed") {
		t.Errorf("a field that was promised is gone, and %v is said", err)
	}
	if err := keepsPromise("offer.raised.v0.json", older, made); err == nil {
		t.Error("an event that was promised is gone without a word")
	}
}

// Every reference in asyncapi.json leads somewhere.
func TestAsyncAPIHoldsTogether(t *testing.T) {
	t.Parallel()
	o := asyncAPI()
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			for _, m := range v {
				if ref, ok := m.value.(string); ok && m.name == "$ref" {
					resolve(t, o, ref)
				}
				walk(m.value)
			}
		case []object:
			for _, below := range v {
				walk(below)
			}
		}
	}
	walk(o)
}

func resolve(t *testing.T, o object, ref string) {
	t.Helper()
	if file, ok := strings.CutPrefix(ref, "/schemas/care.footbridge."); ok {
		if file == "partner.offer.v1.json" || file == "referral.updated.v1.json" {
			return
		}
		if _, err := os.Stat(filepath.Join("..", "events", strings.TrimSuffix(file, ".json")+
			".schema.json")); err != nil {
			t.Errorf("%s is not published: %v", ref, err)
		}
		return
	}
	var v any = o
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		below, found := any(nil), false
		for _, m := range v.(object) {
			if m.name == name {
				below, found = m.value, true
			}
		}
		if !found {
			t.Errorf("%s leads nowhere", ref)
			return
		}
		v = below
	}
}

// A release is frozen once: what it promises is never written again, and holds from then on.
func TestAReleaseIsFrozenOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "schemas")
	if err := os.CopyFS(dir, os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	if err := freeze(dir, "9.0.0"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "baseline", "9.0.0", "offer.raised.v1.json")); err != nil {
		t.Error(err)
	}
	if err := freeze(dir, "9.0.0"); err == nil {
		t.Error("a release was frozen twice")
	}
	if err := freeze(dir, "next"); err == nil {
		t.Error("a release without a number was frozen")
	}
	planted := filepath.Join(dir, "baseline", "9.0.0", "offer.gone.v1.json")
	if err := os.WriteFile(planted, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := files(dir); err == nil {
		t.Error("an event that a release promised is gone without a word")
	}
}
