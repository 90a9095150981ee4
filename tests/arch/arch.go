// Package arch keeps the architecture: which module and service may know which, where SQL and JetStream may be
// spoken, what a decision may touch, and which words and names are never written. A rule reads the source tree and
// returns findings, each with file and line.
//
// Every rule is run over this repository, and over a planted violation that it must find: a rule that cannot fail
// keeps nothing. Exceptions stand in one list each, with their reason.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Finding is one place where a rule is broken.
type Finding struct {
	Path string
	Line int
	Why  string
}

func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Why) }

// Rule is one thing that holds everywhere.
type Rule struct {
	Name  string
	Check func(*Tree) []Finding
}

// Rules are all of them.
func Rules() []Rule {
	return []Rule{
		{"a service imports no other service", servicesApart},
		{"a package inside a service knows nothing of what is around it", innerPackages},
		{"one unit of work ends intake's transactions", oneEnd},
		{"modules and floors", floors},
		{"decisions are pure", decisionsPure},
		{"SQL only where it belongs", sqlPlaces},
		{"SQL never asks for the time", sqlClock},
		{"JetStream only in flow and bus", jetStreamPlaces},
		{"what leaves goes through the guarded client", outwardPlaces},
		{"handlers that are not idempotent are listed", idempotence},
		{"no package named after nothing", packageNames},
		{"every package has a comment", packageComments},
		{"no line of Go is wider than 120 columns", columns},
		{"no grade of a person", noGrade},
		{"text columns are declared, and free text only in intake", textColumns},
		{"what people read of a store is read for a principal", principalReads},
		{"events and their hearers", subscribers},
		{"what nobody reads is in no event", fieldsRead},
		{"routes that words name exist", namedRoutes},
		{"every promised route has a handler", servedRoutes},
		{"links in documents resolve", links},
		{"commands in documents exist", commands},
		{"words that shame are not written", words},
		{"attributes of telemetry are on the list", attributes},
		{"names of spans are on the list", spanNames},
		{"tests neither skip nor sleep", honestTests},
		{"no fixed day meets the machine's clock in tests", fixedDays},
		{"every go test has a timeout", timeouts},
	}
}

// Tree is the source of the repository, read once.
type Tree struct {
	Files map[string]string // by path, slashes
	Fset  *token.FileSet
	gos   map[string]*ast.File
}

// Read reads a tree. Folders that hold no source of ours are left out.
func Read(root fs.FS) (*Tree, error) {
	t := &Tree{Files: map[string]string{}, Fset: token.NewFileSet(), gos: map[string]*ast.File{}}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (base == "node_modules" || base == "bin" ||
				(strings.HasPrefix(base, ".") && base != ".ci")) {
				return fs.SkipDir
			}
			return nil
		}
		if !wanted(name) {
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		t.Files[name] = string(content)
		if strings.HasSuffix(name, ".go") {
			file, err := parser.ParseFile(t.Fset, name, content, parser.ParseComments)
			if err != nil {
				return fmt.Errorf("parsing %s: %w", name, err)
			}
			t.gos[name] = file
		}
		return nil
	})
	return t, err
}

func wanted(name string) bool {
	switch path.Ext(name) {
	case ".go", ".sql", ".md", ".html", ".yaml", ".yml", ".json", ".sh", ".txt":
		return path.Base(name) != "package-lock.json"
	}
	return path.Base(name) == "Makefile" || name == ".ci/run"
}

// Paths returns the paths that end with any of the suffixes, sorted.
func (t *Tree) Paths(suffixes ...string) []string {
	var paths []string
	for name := range t.Files {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths
}

// Sources are the Go files, without tests.
func (t *Tree) Sources() []string {
	return slices.DeleteFunc(t.Paths(".go"), func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

func (t *Tree) line(at token.Pos) int { return t.Fset.Position(at).Line }

func (t *Tree) finding(name string, at token.Pos, why string, args ...any) Finding {
	return Finding{Path: name, Line: t.line(at), Why: fmt.Sprintf(why, args...)}
}

// imports calls do with each import of a file.
func (t *Tree) imports(name string, do func(imported string, at token.Pos)) {
	for _, spec := range t.gos[name].Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			do(imported, spec.Pos())
		}
	}
}

// texts calls do with each string of a file that is written out, but for import paths and field tags. Strings that
// are added together count as one.
func (t *Tree) texts(name string, do func(text string, at token.Pos)) {
	ast.Inspect(t.gos[name], func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Type != nil {
				ast.Inspect(n.Type, func(ast.Node) bool { return true })
			}
			return n.Tag == nil
		case *ast.BinaryExpr, *ast.BasicLit:
			if text, ok := written(n.(ast.Expr)); ok {
				do(text, n.Pos())
				return false
			}
		}
		return true
	})
}

// written returns the text of a string expression: what is not a written string in it shows as a placeholder.
func written(expr ast.Expr) (string, bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.ParenExpr:
		return written(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, okLeft := written(e.X)
		right, okRight := written(e.Y)
		if !okLeft && !okRight {
			return "", false
		}
		if !okLeft {
			left = unwritten
		}
		if !okRight {
			right = unwritten
		}
		return left + right, true
	}
	return "", false
}

// unwritten stands for a part of a text that is not written out.
const unwritten = "\x00"

// serviceOf returns the service that a file under services/ belongs to.
func serviceOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "services/")
	if !ok {
		return "", false
	}
	service, _, ok := strings.Cut(rest, "/")
	return service, ok
}

// eachLine calls do with each line of a text, counted from 1.
func eachLine(text string, do func(n int, line string)) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		do(n, strings.TrimRight(line, "\r\n"))
	}
}
