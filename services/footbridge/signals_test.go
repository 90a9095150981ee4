package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestABrokenSignalInAFeedHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		content string
		want    []string
	}{
		"one":               {`{"a":1}`, []string{`{"a":1}`}},
		"lines":             {"{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}},
		"a list":            {`[{"a":1},{"a":2}]`, []string{`{"a":1}`, `{"a":2}`}},
		"a broken line":     {"{\"a\":1}\n{\"a\":,}\n{\"a\":3}", []string{`{"a":1}`, `{"a":,}`, `{"a":3}`}},
		"a cut one, at end": {"{\"a\":1}\n{\"a\":", []string{`{"a":1}`, `{"a":`}},
		"over many lines":   {"{\n \"a\": x\n}\n{\n \"a\": 2\n}", []string{"{\n \"a\": x\n}", "{\n \"a\": 2\n}"}},
		"XML":               {"<signal/>\n", []string{"<signal/>"}},
		"nothing":           {" \n", nil},
	} {
		var got []string
		for _, piece := range splitSignals([]byte(c.content)) {
			got = append(got, string(piece))
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %q, want %q", claim, got, c.want)
		}
	}
}

func TestAFolderStandsForItsSignals(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := signalFiles([]string{folder}); err == nil {
		t.Error("an empty folder was taken")
	}
	for _, name := range []string{"b.json", "a.json", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := signalFiles([]string{"-", folder})
	if err != nil || len(files) != 3 || files[0] != "-" || filepath.Base(files[1]) != "a.json" ||
		filepath.Base(files[2]) != "b.json" {
		t.Errorf("%q, %v", files, err)
	}
	if _, err := signalFiles([]string{filepath.Join(folder, "gone.json")}); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func TestAFeedWithoutASignalIsNotCalledSent(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", " \n", "[]"} {
		file := filepath.Join(t.TempDir(), "feed.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := signals(t.Context(), []string{file, "--token", "a-token"}); err == nil {
			t.Errorf("%q was called sent", content)
		}
	}
}
