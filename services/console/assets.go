package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"footbridge/libs/httpx"
)

// asset is a file that is the same for everybody.
type asset struct {
	content []byte
	kind    string
	tag     string
	small   func() []byte // compressed, once it is asked for
}

// files are the assets by their names. All of them together have one version, which stands in their addresses: a page
// and all that it loads are of one version, and what came under an address never changes.
type files struct {
	named   map[string]asset
	version string
}

// at is where a page finds a file.
func (f files) at(name string) string { return "/assets/" + f.version + "/" + name }

// AssetsAt is where the files embedded in this program are, for pages of others that load them.
func AssetsAt() (at func(name string) string, err error) {
	all, _, err := readAssets(embedded())
	return all.at, err
}

// embedded are the files of NHS.UK frontend, where they were there when this was built.
func embedded() fs.FS {
	sub, err := fs.Sub(built, "frontend")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// readAssets takes in our own files, and those of NHS.UK frontend where they are; frontend says whether they are.
func readAssets(built fs.FS) (all files, frontend bool, err error) {
	all.named = map[string]asset{}
	if err := addAssets(all.named, static, "static"); err != nil {
		return files{}, false, err
	}
	if err := addAssets(all.named, built, "."); err != nil {
		return files{}, false, err
	}
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all.named)) {
		_, _ = fmt.Fprintln(hash, name, all.named[name].tag) // a hash takes everything
	}
	all.version = hex.EncodeToString(hash.Sum(nil)[:8])
	_, frontend = all.named["nhsuk-frontend.css"]
	return all, frontend, nil
}

func addAssets(assets map[string]asset, from fs.FS, root string) error {
	err := fs.WalkDir(from, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || assetKinds[path.Ext(name)] == "" {
			return err
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(content)
		short := name
		if root != "." {
			short = name[len(root)+1:]
		}
		assets[short] = asset{content: content, kind: assetKinds[path.Ext(name)],
			tag:   `"` + hex.EncodeToString(hash[:8]) + `"`,
			small: sync.OnceValue(func() []byte { return compressed(content) })}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the pages' files: %w", err)
	}
	return nil
}

// serveAsset answers with a file. Under the version that this console has it is kept for good. Under another one, as
// while two versions run beside each other, or under none, the file of this version is given, and the browser asks each
// time whether it has changed.
func (s *Console) serveAsset(w http.ResponseWriter, r *http.Request) error {
	version, name, versioned := strings.Cut(r.PathValue("file"), "/")
	switch a, whole := s.assets.named[r.PathValue("file")]; {
	case r.PathValue("file") == "":
		return s.giveAsset(w, r, s.assets.named["icon.svg"], false)
	case whole:
		return s.giveAsset(w, r, a, false)
	}
	if a, ok := s.assets.named[name]; ok && versioned && len(version) == len(s.assets.version) {
		return s.giveAsset(w, r, a, version == s.assets.version)
	}
	return httpx.NewProblem(http.StatusNotFound, "There is no file of this name.")
}

func (s *Console) giveAsset(w http.ResponseWriter, r *http.Request, a asset, forGood bool) error {
	w.Header().Set("Cache-Control", "public, no-cache")
	if forGood {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Vary", "Accept-Encoding")
	content, tag, small := a.content, a.tag, takesGzip(r)
	if small {
		content, tag = a.small(), strings.TrimSuffix(a.tag, `"`)+`-gzip"`
	}
	if httpx.NotModified(w, r, tag) {
		return nil
	}
	w.Header().Set("Content-Type", a.kind)
	if small {
		w.Header().Set("Content-Encoding", "gzip")
	}
	_, _ = w.Write(content) // the caller has gone; nobody is left to tell
	return nil
}

// givePage writes a page, compressed where the browser takes that and only looks. What a form is answered with is not
// compressed: it may hold names and what somebody has just entered, and how much the two have in common would show in
// how long it is.
func givePage(w http.ResponseWriter, r *http.Request, status int, page []byte) {
	w.Header().Set("Vary", "Accept-Encoding")
	if r.Method == http.MethodGet && takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		page = compressed(page)
	}
	w.WriteHeader(status)
	_, _ = w.Write(page) // the caller has gone; nobody is left to tell
}

// takesGzip says whether a browser said that it reads gzip.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

// compressed is content under gzip.
func compressed(content []byte) []byte {
	var small bytes.Buffer
	to := gzip.NewWriter(&small)
	_, _ = to.Write(content) // a buffer takes everything
	_ = to.Close()
	return small.Bytes()
}
