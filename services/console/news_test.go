package console

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"footbridge/libs/principal"
	"footbridge/schemas"
)

// TestTheWorkListIsNarrowedAndHearsOfNewSteps: each narrowing asks the service for what it says, keeps itself in its
// pages, and leads to where new steps are told; what is typed into the address narrows nothing.
func TestTheWorkListIsNarrowedAndHearsOfNewSteps(t *testing.T) {
	t.Parallel()
	f := start(t)
	for which, asked := range map[string]string{"": "", "taken": "taken=true", "mine": "mine=true",
		"today": "due=2026-03-02", "past": "past=true", "another": ""} {
		page := f.page(t, "/steps?which="+which, nurse)
		if f.services.listed != asked {
			t.Errorf("%q asks for %q, want %q", which, f.services.listed, asked)
		}
		says(t, page, `data-news="/steps/news?since=741%3A743%3A741&amp;which=`+narrowingOf(which).code,
			"As it was at 2:30pm.", "Look again")
	}
	if page := f.page(t, "/steps?cursor=abc", nurse); strings.Contains(page, "data-news") {
		t.Error("a page beyond the first hears of what is not on it")
	}
}

// TestNewStepsAreCountedForAListThatIsOpen: the first thing that is told is how many there are, narrowed as
// the list is.
func TestNewStepsAreCountedForAListThatIsOpen(t *testing.T) {
	t.Parallel()
	f := start(t)
	server := httptest.NewServer(f.Handler())
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	ask := func(query string, who principal.Principal) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+schemas.StepNews+query, nil)
		ok(t, err)
		signed, err := f.signer.Sign(who, schemas.Console, now)
		ok(t, err)
		r.Header.Set(principal.Header, signed)
		got, err := server.Client().Do(r)
		ok(t, err)
		t.Cleanup(func() { _ = got.Body.Close() })
		return got
	}
	since := "?which=mine&since=" + url.QueryEscape("741:743:741")
	got := ask(since, nurse)
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("answered %d %v", got.StatusCode, got.Header)
	}
	lines := bufio.NewScanner(got.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
	}
	if lines.Text() != "data: 4" {
		t.Errorf("told %q", lines.Text())
	}
	if f.services.listed != "limit=200&mine=true&since=741%3A743%3A741" {
		t.Errorf("asked for %q", f.services.listed)
	}
	if got := ask("?which=mine", nurse); got.StatusCode != http.StatusBadRequest {
		t.Errorf("without since it is answered with %d", got.StatusCode)
	}
}
