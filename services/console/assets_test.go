package console

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// firstView is the most that somebody's first page may weigh with all that it loads, in bytes as they are sent.
const firstView = 100_000

var (
	loads   = regexp.MustCompile(`(?:<link[^>]* href|<script[^>]* src)="([^"]+)"`)
	imports = regexp.MustCompile(`from "(\./[^"]+)"`)
)

// browse asks as a browser does, which takes gzip.
func (f *fixture) browse(t *testing.T, at string, as principal.Principal) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, at, nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	if as.Valid() {
		signed, err := f.signer.Sign(as, schemas.Console, now)
		ok(t, err)
		r.Header.Set(principal.Header, signed)
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

// unpacked is what was sent.
func unpacked(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("it is sent as it is, %d bytes: %v", w.Body.Len(), w.Header())
	}
	from, err := gzip.NewReader(strings.NewReader(w.Body.String()))
	ok(t, err)
	content, err := io.ReadAll(from)
	ok(t, err)
	return string(content)
}

// TestTheFirstViewOfEveryRoleIsLightAndItsFilesAreKeptForGood: the first page that each role is led to, a list of fifty
// steps among them, the sign-in page, a person's and a mail's, with the styles and scripts that they load.
func TestTheFirstViewOfEveryRoleIsLightAndItsFilesAreKeptForGood(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Built = nil })
	if !f.frontend {
		t.Fatal("the style files are missing: run tools/frontend/ensure.sh")
	}
	f.services.many = 50
	seen := map[string]principal.Principal{"/sign-in": {}, "/y": {}, "/get-support": {}}
	for _, one := range DevChoices(Partner{peersID, "Northgate Peers"}) {
		at := "/"
		if w := f.ask(t, "GET", at, nil, one.Principal); w.Code == http.StatusSeeOther {
			at = w.Header().Get("Location")
		}
		seen[at+"#"+one.ID] = one.Principal
	}
	for at, who := range seen {
		page := f.browse(t, strings.Split(at, "#")[0], who)
		if page.Code != http.StatusOK {
			t.Fatalf("%s is answered with %d %s", at, page.Code, page.Body)
		}
		weight := page.Body.Len()
		var files []string
		for _, found := range loads.FindAllStringSubmatch(unpacked(t, page), -1) {
			files = append(files, found[1])
		}
		for i := 0; i < len(files); i++ {
			w := f.browse(t, files[i], principal.Principal{})
			weight += w.Body.Len()
			if kept := w.Header().Get("Cache-Control"); w.Code != http.StatusOK ||
				kept != "public, max-age=31536000, immutable" {
				t.Errorf("%s loads %s, which is answered with %d and kept as %q", at, files[i], w.Code, kept)
			}
			for _, found := range imports.FindAllStringSubmatch(unpacked(t, w), -1) {
				files = append(files, path.Join(path.Dir(files[i]), found[1]))
			}
		}
		if len(files) != 5 || weight > firstView {
			t.Errorf("the first view %s weighs %d bytes, with %v", at, weight, files)
		}
		t.Logf("%s: %d bytes", at, weight)
	}
}

// TestAFileOfAnotherVersionIsNotKeptForGood: while two versions run beside each other, and for pages that know no
// version.
func TestAFileOfAnotherVersionIsNotKeptForGood(t *testing.T) {
	t.Parallel()
	f := start(t)
	now := f.assets.at("console.css")
	for _, at := range []string{"/assets/console.css", "/assets/0123456789abcdef/console.css"} {
		w := f.browse(t, at, principal.Principal{})
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, no-cache" ||
			w.Header().Get("ETag") == f.ask(t, "GET", now, nil, principal.Principal{}).Header().Get("ETag") {
			t.Errorf("%s is answered with %d %v", at, w.Code, w.Header())
		}
		r := httptest.NewRequest(http.MethodGet, at, nil)
		r.Header.Set("Accept-Encoding", "gzip;q=0")
		again := httptest.NewRecorder()
		f.Handler().ServeHTTP(again, r)
		if again.Header().Get("Content-Encoding") != "" || again.Body.String() != unpacked(t, w) {
			t.Errorf("to whoever takes no gzip %s is answered with %v", at, again.Header())
		}
	}
	for _, at := range []string{"/assets/x/console.css", "/assets/0123456789abcdef/none.css",
		"/assets/0123456789abcdef/x/console.css"} {
		if w := f.browse(t, at, principal.Principal{}); w.Code != http.StatusNotFound {
			t.Errorf("%s is answered with %d", at, w.Code)
		}
	}
}

// TestWhatAFormIsAnsweredWithIsNotCompressed: names, and what somebody has just entered, do not show in its length.
func TestWhatAFormIsAnsweredWithIsNotCompressed(t *testing.T) {
	t.Parallel()
	f := start(t)
	r := httptest.NewRequest(http.MethodPost, "/journeys/"+firstID+"/who",
		strings.NewReader(url.Values{"why": {"to agree on a time"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Encoding", "gzip")
	signed, err := f.signer.Sign(nurse, schemas.Console, now)
	ok(t, err)
	r.Header.Set(principal.Header, signed)
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "" ||
		!strings.Contains(w.Body.String(), "<h1") {
		t.Errorf("answered with %d %v", w.Code, w.Header())
	}
}

// manySteps is a list so long, of the example's steps.
func manySteps(items []map[string]any, count int) httpx.List[map[string]any] {
	var list httpx.List[map[string]any]
	for i := range count {
		one := map[string]any{}
		for name, value := range items[i%len(items)] {
			one[name] = value
		}
		one["step"] = fmt.Sprintf("8c4bba9e-7c82-48a1-8bbd-%012x", uint64(i)*2654435761)
		list.Items = append(list.Items, one)
	}
	return list
}

// Pages of others load the very files that a console of this program gives for good.
func TestOthersFindTheFilesWhereAConsoleOfThisProgramKeepsThem(t *testing.T) {
	t.Parallel()
	at, err := AssetsAt()
	ok(t, err)
	f := start(t, func(c *Config) { c.Built = nil })
	for _, name := range []string{"nhsuk-frontend.css", "console.css", "passkey.js"} {
		w := f.browse(t, at(name), principal.Principal{})
		if kept := w.Header().Get("Cache-Control"); w.Code != http.StatusOK ||
			kept != "public, max-age=31536000, immutable" {
			t.Errorf("%s is answered with %d and kept as %q", at(name), w.Code, kept)
		}
	}
}
