package console

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"footbridge/libs/httpx"
)

// asset is a file that is the same for everybody.
type asset struct {
	content []byte
	kind    string
	tag     string
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// readAssets takes in our own files, and those of NHS.UK frontend where they are; frontend says whether they are.
func readAssets(built fs.FS) (assets map[string]asset, frontend bool, err error) {
	assets = map[string]asset{}
	if err := addAssets(assets, static, "static"); err != nil {
		return nil, false, err
	}
	if err := addAssets(assets, built, "."); err != nil {
		return nil, false, err
	}
	_, frontend = assets["nhsuk-frontend.css"]
	return assets, frontend, nil
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
			tag: `"` + hex.EncodeToString(hash[:8]) + `"`}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the pages' files: %w", err)
	}
	return nil
}

// serveAsset answers with a file. A browser asks again each time whether it has changed: a new version must not be
// shown with the styles of the old one.
func (s *Console) serveAsset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	if name == "" {
		name = "icon.svg"
	}
	a, ok := s.assets[name]
	if !ok {
		return httpx.NewProblem(http.StatusNotFound, "There is no file of this name.")
	}
	w.Header().Set("Cache-Control", "public, no-cache")
	if httpx.NotModified(w, r, a.tag) {
		return nil
	}
	w.Header().Set("Content-Type", a.kind)
	_, _ = w.Write(a.content) // the caller has gone; nobody is left to tell
	return nil
}
