package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// comments are the doc comments of types and of their fields, read from the sources when they are first asked for.
type comments struct {
	root string
	read map[string]map[string]string // by package path, then "Type" or "Type.Field"
}

// of is the comment of a type, or of one of its fields; empty where there is none.
func (c *comments) of(t reflect.Type, field string) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	if field != "" {
		name += "." + field
	}
	return c.in(t.PkgPath())[name]
}

func (c *comments) in(pkg string) map[string]string {
	if found := c.read[pkg]; found != nil {
		return found
	}
	found := map[string]string{}
	c.read[pkg] = found
	local, ok := strings.CutPrefix(pkg, "footbridge/")
	if !ok {
		return found
	}
	files, _ := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(local), "*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			continue // it would not have compiled
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if d, is := n.(*ast.GenDecl); is && d.Tok == token.TYPE {
				note(found, d)
			}
			return true
		})
	}
	return found
}

func note(found map[string]string, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t := spec.(*ast.TypeSpec)
		doc := t.Doc
		if doc == nil {
			doc = d.Doc
		}
		found[t.Name.Name] = meaning(t.Name.Name, doc)
		s, is := t.Type.(*ast.StructType)
		if !is {
			continue
		}
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				found[t.Name.Name+"."+name.Name] = cmp.Or(meaning(name.Name, f.Doc), meaning(name.Name, f.Comment))
			}
		}
	}
}

// meaning is a comment without the Go name that it begins with.
func meaning(name string, group *ast.CommentGroup) string {
	text := strings.Join(strings.Fields(group.Text()), " ")
	for _, begins := range []string{name + " is ", name + " are ", name + " says ", name + ": ", name + " "} {
		if rest, found := strings.CutPrefix(text, begins); found {
			text = rest
			break
		}
	}
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
