package schemas

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestEveryAttributeThatHasANameIsAllowed: one that is not on the list is dropped, and what it told apart falls
// together.
func TestEveryAttributeThatHasANameIsAllowed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "telemetry.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	ast.Inspect(file, func(n ast.Node) bool {
		constant, is := n.(*ast.ValueSpec)
		if !is || len(constant.Values) != 1 {
			return true
		}
		if literal, is := constant.Values[0].(*ast.BasicLit); is && literal.Kind == token.STRING {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			named++
			if !slices.Contains(AllowedAttributes, value) {
				t.Errorf("%s (%s) is not in AllowedAttributes", constant.Names[0].Name, value)
			}
		}
		return true
	})
	if named == 0 || named != len(AllowedAttributes) {
		t.Errorf("%d attributes have names, and %d are allowed", named, len(AllowedAttributes))
	}
}
