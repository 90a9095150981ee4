package private

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The npm package carries its libraries without their symbolic links, which npm cannot store; a list says which
// ones to make. Its install script would, but install scripts are often switched off, rightly.

func npmVersion(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return "", err
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(content, &manifest); err != nil || manifest.Version == "" {
		return "", fmt.Errorf("reading %s/package.json: no version", root)
	}
	return manifest.Version, nil
}

// prepareNPM makes the package ready to run for account and returns the folder of its programs.
func prepareNPM(install Install, account account) (string, error) {
	native := filepath.Join(install.npmRoot, "native")
	if !account.canConnect(native) {
		copied, err := copyNPM(install)
		if err != nil {
			return "", fmt.Errorf("copying the PostgreSQL of tools/postgres to where user %q can run it: %w",
				account.name, err)
		}
		native = copied
	}
	if err := linkNPM(native); err != nil {
		return "", fmt.Errorf("making the links of the PostgreSQL in %s: %w", native, err)
	}
	return filepath.Join(native, "bin"), nil
}

// linkNPM makes the links of the list. Several processes may do it at once.
func linkNPM(native string) error {
	content, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(content, &links); err != nil {
		return fmt.Errorf("reading pg-symlinks.json: %w", err)
	}
	for _, link := range links {
		target, err1 := within(native, link.Target)
		source, err2 := within(native, link.Source)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if err := makeLink(source, target); err != nil {
			return err
		}
	}
	return executable(filepath.Join(native, "bin"))
}

func makeLink(source, target string) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	relative, err := filepath.Rel(filepath.Dir(target), source)
	if err != nil {
		return err
	}
	if err := os.Symlink(relative, target); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// within resolves a path of the list, which counts from the package's root, and refuses one that leads out.
func within(native, listed string) (string, error) {
	inside := strings.TrimPrefix(filepath.ToSlash(listed), "native/")
	if !filepath.IsLocal(inside) {
		return "", fmt.Errorf("the list of links leads out of the package: %q", listed)
	}
	return filepath.Join(native, inside), nil
}

func executable(bin string) error {
	entries, err := os.ReadDir(bin)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := filepath.Join(bin, entry.Name())
		found, err := os.Stat(name)
		if err != nil {
			return err
		}
		if found.Mode().Perm()&0o111 == 0o111 {
			continue
		}
		if err := os.Chmod(name, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// copyNPM puts the package where every user can read it, once per version, and returns its native folder.
func copyNPM(install Install) (string, error) {
	version, err := npmVersion(install.npmRoot)
	if err != nil {
		return "", err
	}
	parent, err := sharedDir()
	if err != nil {
		return "", err
	}
	final := filepath.Join(parent, "postgres-"+npmPlatform()+"-"+filepath.Base(version))
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	fresh, err := os.MkdirTemp(parent, "copying-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	native := filepath.Join(fresh, "native")
	if err := copyTree(native, filepath.Join(install.npmRoot, "native")); err != nil {
		return "", err
	}
	if err := os.Rename(native, final); err != nil {
		if _, made := os.Stat(final); made == nil { // another process was faster
			return final, nil
		}
		return "", err
	}
	return final, nil
}

// copyTree copies files, folders and links, readable for everybody and writable for their owner alone.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o755)
	})
}
