package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v3"

	"footbridge/libs/outward"
	"footbridge/libs/service"
	"footbridge/services/threshold/criteria"
)

// aDirectory is an Open Referral UK directory with two pages, whose header miscounts: five entries are there. One is
// broken in two fields, one comes twice, one has no page of its own.
func aDirectory(t *testing.T) *httptest.Server {
	t.Helper()
	full := func(id string) string {
		return fmt.Sprintf(
			`{"id": %q, "name": "Group %s", "status": "active", "x_unknown": {"kept": [1.50, "07", null]}, "minimum_age": 18}`, id, id)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /o/services", func(w http.ResponseWriter, r *http.Request) {
		list := map[string]string{
			"1": `{"id": "a", "name": "Group a", "status": "active"}, {"id": "broken", "name": 7, "status": "open"}, {"id": "b", "name": "Group b", "status": "active"}`,
			"2": `{"id": "a", "name": "Group a", "status": "active"}, {"id": "alone", "name": "Group alone", "status": "active", "x_list": true}`,
		}[r.URL.Query().Get("page")]
		fmt.Fprintf(w, `{"total_items": 99, "total_pages": 1, "contents": [%s]}`, list)
	})
	mux.HandleFunc("GET /o/services/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch id := r.PathValue("id"); id {
		case "a", "b":
			fmt.Fprint(w, full(id))
		default:
			http.NotFound(w, r)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestAForeignDirectoryIsImportedPageByPageAndNothingIsLost(t *testing.T) {
	t.Parallel()
	to := filepath.Join(t.TempDir(), "drafts")
	own := importFlags{To: to, Sector: criteria.ThirdSector, Kind: "imported", PerPage: 3}
	pages, err := openReferral(t.Context(), aDirectory(t).URL+"/o", own, loopback)
	if err != nil {
		t.Fatal(err)
	}
	in := criteria.ImportOpenReferral(pages.page)
	if in.Pages != 2 || in.Entries != 5 || len(in.Services) != 3 || in.Skipped != 2 || *in.HeaderSays != 99 {
		t.Errorf("got %d pages, %d entries, %d services, %d skipped, header %v", in.Pages, in.Entries, len(in.Services),
			in.Skipped, in.HeaderSays)
	}
	said := fmt.Sprint(append(in.Faults, pages.faults...))
	for _, want := range []string{"broken name is not a text", `status is "open"`, "a id is there already",
		"total_items says 99, but there are 5", "alone  could not be had in full"} {
		if !strings.Contains(said, want) {
			t.Errorf("no fault says %q: %s", want, said)
		}
	}
	var report importReport
	if err := writeDrafts(&report, in.Services, "https://x.example", own); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(to, "a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Service map[string]any `yaml:"service"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	kept, _ := json.Marshal(doc.Service["x_unknown"])
	if string(kept) != `{"kept":[1.5,"07",null]}` || !strings.Contains(string(text), "1.50") {
		t.Errorf("unknown fields came out as %s in\n%s", kept, text)
	}
	if len(report.ToPublish) != 1 || !strings.Contains(report.ToPublish[0], "checkedOn") {
		t.Errorf("to be said: %v", report.ToPublish)
	}
}

func TestImportOverwritesNothingAndSaysWhenNothingCame(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "some.json")
	if err := os.WriteFile(file, []byte(`{"contents": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	state := "--state-dir=" + t.TempDir()
	if code := service.ExitCode(importDirectory(t.Context(), []string{file, "--to", folder, state})); code != 2 {
		t.Errorf("into a folder that is not empty: exit %d", code)
	}
	if code := service.ExitCode(importDirectory(t.Context(), []string{file, "--to", filepath.Join(folder, "new"),
		state})); code != 1 {
		t.Errorf("nothing came in: exit %d", code)
	}
	if code := service.ExitCode(dispatch(t.Context(), []string{"directory", "carry"})); code != 2 {
		t.Errorf("a command there is not: exit %d", code)
	}
	if code := service.ExitCode(dispatch(t.Context(), []string{"thresholds", "check", state})); code != 2 {
		t.Errorf("check without facts: exit %d", code)
	}
}

func TestLinksThatReachNobodyAreNamedAndThoseThatAskUsToSignInAreNot(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		case r.URL.Path == "/private":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	}))
	defer server.Close()
	found := tryLinks(t.Context(), []criteria.Link{{Service: "s", Where: "url", URL: server.URL + "/gone"},
		{Service: "s", Where: "url", URL: server.URL + "/private"},
		{Service: "s", Where: "url", URL: server.URL + "/there"},
		{Service: "t", Where: "link", URL: server.URL + "/gone"}}, loopback)
	if len(found) != 2 || !found[0].Step || !strings.Contains(found[0].What, "410") || found[1].Service != "t" {
		t.Errorf("got %+v", found)
	}
}

// loopback is where servers of tests are; without it, nothing there is reached.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func TestADirectoryOrALinkThatLeadsInsideIsNotReached(t *testing.T) {
	t.Parallel()
	var came atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer server.Close()
	for _, own := range []importFlags{{PerPage: 3}, {PerPage: 3, List: true}} {
		for _, from := range []string{server.URL + "/o", server.URL + "/all.json"} {
			pages, err := openReferral(t.Context(), from, own, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pages.page(1); !errors.Is(err, outward.ErrInside) {
				t.Errorf("import from %s: %v", from, err)
			}
		}
	}
	found := tryLinks(t.Context(), []criteria.Link{{Service: "s", Where: "url", URL: server.URL}}, nil)
	if len(found) != 1 || !strings.Contains(found[0].What, "FOOTBRIDGE_OUTWARD_ALLOW") {
		t.Errorf("a link that leads inside: %+v", found)
	}
	if came.Load() != 0 {
		t.Errorf("%d requests came, want 0", came.Load())
	}
}

// A rule book that was printed or mailed can be checked, and tried, as the directory it carries.
func TestARuleBookIsReadAsTheDirectoryItCarries(t *testing.T) {
	t.Parallel()
	running, err := (&Config{}).directory()
	if err != nil {
		t.Fatal(err)
	}
	page, err := criteria.RuleBook(running, "2026-11-20", nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "rulebook.html")
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := (&Config{Directory: name}).directory()
	if err != nil || read.Hash != running.Hash {
		t.Errorf("read %v, %v", read, err)
	}
}
