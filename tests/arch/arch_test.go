package arch

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is the root of the source, seen from here.
const repository = "../.."

// osDirOfRules is this folder, as a tree of its own.
func osDirOfRules() fs.FS { return os.DirFS(".") }

func TestTheRepositoryKeepsEveryRule(t *testing.T) {
	t.Parallel()
	Elsewhere = func(name string) bool {
		_, err := os.Stat(filepath.Join(repository, name))
		return err == nil
	}
	tree, err := Read(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			found := rule.Check(tree)
			slices.SortFunc(found, func(a, b Finding) int {
				return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
			})
			for _, f := range found {
				t.Error(f)
			}
		})
	}
}

func TestEveryExceptionSaysWhyAndIsNeeded(t *testing.T) {
	t.Parallel()
	tree, err := Read(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]bool{}
	for _, c := range tree.Columns() {
		columns[c.Owner+"."+c.Name] = true
	}
	eachLine(tree.Files[textColumnsFile], func(n int, line string) {
		name, why, ok := strings.Cut(line, ":")
		if line == "" || strings.HasPrefix(line, "#") {
			return
		}
		if !ok || len(strings.Fields(why)) < 2 {
			t.Errorf("%s:%d says nothing about what the column holds", textColumnsFile, n)
		}
		if !columns[name] {
			t.Errorf("%s:%d: no migration makes a column %s", textColumnsFile, n, name)
		}
	})
}
