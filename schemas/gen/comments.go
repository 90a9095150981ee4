package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// comments holds the doc comments of the structs and their fields, by "Struct" and "Struct.Field".
type comments map[string]string

// readComments reads the doc comments of the structs declared in dir's events.go, facts.go and partners.go.
func readComments(dir string) (comments, error) {
	all := comments{}
	for _, name := range []string{"events.go", "facts.go", "partners.go", "referrers.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading comments of %s: %w", name, err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.TYPE {
				all.add(d)
			}
			return true
		})
	}
	return all, nil
}

func (c comments) add(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t := spec.(*ast.TypeSpec)
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		c[t.Name.Name] = ofStruct(t.Name.Name, flat(d.Doc))
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				c[t.Name.Name+"."+name.Name] = flat(f.Doc)
			}
		}
	}
}

// ofStruct drops the Go name that a struct's comment begins with: "OfferRaisedData says that a …" is published as
// "Says that a …".
func ofStruct(name, comment string) string {
	rest := strings.TrimSpace(strings.TrimPrefix(comment, name))
	if rest == "" {
		return ""
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

func flat(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
