package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// promise is one route of a table.
type promise struct {
	service string // who serves it; also the folder under services/
	pattern string // "GET /api/journeys"
	path    string
	at      token.Pos
}

// servedRoutes: each route that a table promises (schemas', the console's pages, the gateway's own) has its pattern
// among the handlers of the service that serves it. httpx.Register refuses the same when a service starts; this finds
// it before.
func servedRoutes(t *Tree) []Finding {
	served := map[string]bool{} // by service and pattern
	for _, name := range t.Sources() {
		service, ok := serviceOf(name)
		if !ok {
			continue
		}
		t.texts(name, func(text string, _ token.Pos) { served[service+" "+text] = true })
	}
	var found []Finding
	for _, p := range t.promises() {
		if !served[p.service+" "+p.pattern] {
			found = append(found, t.finding(p.path, p.at, "%s is promised, and services/%s has no handler for it",
				p.pattern, p.service))
		}
	}
	return found
}

// promises are the routes that are written out as a method and a pattern: in schemas with the service after them, in a
// service for that service itself.
func (t *Tree) promises() (all []promise) {
	for _, name := range t.Sources() {
		own, inService := serviceOf(name)
		if !inService && name != "schemas/routes.go" {
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			expr, ok := node.(ast.Expr)
			if !ok {
				return true
			}
			parts := partsOf(expr)
			if len(parts) < 2 {
				return true
			}
			method, _ := written(parts[0])
			pattern, _ := written(parts[1])
			if !slices.Contains([]string{"GET", "POST", "PUT", "DELETE"}, method) || !strings.HasPrefix(pattern, "/") {
				return true
			}
			p := promise{own, method + " " + pattern, name, expr.Pos()}
			if !inService && len(parts) > 2 {
				if service, ok := parts[2].(*ast.Ident); ok {
					p.service = strings.ToLower(service.Name)
				}
			}
			all = append(all, p)
			return true
		})
	}
	return all
}

// partsOf are the arguments of a call, or the elements of a literal with the names of its fields left out.
func partsOf(expr ast.Expr) (parts []ast.Expr) {
	switch e := expr.(type) {
	case *ast.CallExpr:
		return e.Args
	case *ast.CompositeLit:
		for _, part := range e.Elts {
			if named, ok := part.(*ast.KeyValueExpr); ok {
				part = named.Value
			}
			parts = append(parts, part)
		}
	}
	return parts
}
