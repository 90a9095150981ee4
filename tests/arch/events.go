package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"

	"footbridge/schemas"
)

// hearing are the functions and the table in which a service tells event types apart.
var hearing = []string{"subscriptions", "handler", "subscribe", "learn", "hear", "apply", "applyEvent", "aboutMessage",
	"heard",
	"journeyEvents", "readOffer", "readCall", "readPartner"}

var eventRow = regexp.MustCompile("^\\| `([a-z-]+\\.[a-z-]+\\.v[0-9]+)` \\| ([a-z]+) \\| ([^|]*) \\|")

// subscribers holds three things together: the table of docs/events.md, the registry in schemas (which makes the NATS
// subscriptions), and the types that each service's code really tells apart.
func subscribers(t *Tree) []Finding {
	found := t.documentedSubscribers()
	constants := t.typeConstants()
	for _, service := range []string{schemas.Intake, schemas.Threshold, schemas.Followup, schemas.Bridging,
		schemas.Journey, schemas.Delivery} {
		handled, at := t.handled(service, constants)
		if at == "" && len(schemas.SubscribedBy(service)) == 0 {
			continue
		}
		if at == "" {
			at = "services/" + service + "/events.go"
		}
		for _, heard := range schemas.SubscribedBy(service) {
			if handled[string(heard)] == 0 {
				found = append(found, Finding{at, 1, service + " is said to hear " + string(heard) +
					" and does not handle it"})
			}
		}
		for handledType, line := range handled {
			if !slices.Contains(schemas.SubscribedBy(service), schemas.Type(handledType)) {
				found = append(found, Finding{at, line, service + " handles " + handledType +
					", which the registry does not send there"})
			}
		}
	}
	return found
}

// forOutside are the fields of events that no service reads, and why they are there all the same.
var forOutside = map[string]string{
	"OfferRaisedData.Person":         "readers outside tell by it whose journeys are one person's",
	"CallScheduledData.Person":       "the same",
	"JourneyOpenedData.Person":       "the same",
	"JourneyOpenedData.Next":         "what happens next is said to whoever reads the bus",
	"JourneyHeldData.Next":           "the same",
	"JourneyReleasedData.Next":       "the same",
	"JourneyReopenedData.Next":       "the same",
	"JourneyInVoidData.Reason":       "an alarm outside says what is wrong",
	"JourneyInVoidData.Since":        "the same",
	"JourneyInVoidData.Next":         "the same",
	"HelpRequestedData.Help":         "an alarm outside tells by it which request is meant",
	"HelpAcknowledgedData.Help":      "the same",
	"HelpRequestedData.By":           "an alarm outside says who asked",
	"OfferDeclinedData.Reason":       "the service that asks the next partner goes by it",
	"OfferHandedBackData.Reason":     "the same",
	"JourneyOpenedData.Organisation": "readers outside tell by it whose journey it is",
}

// fieldsRead holds each event to what is read of it: every field of its data is selected somewhere in a service that
// hears it, or is said to be for readers outside. It goes by the name of the field.
func fieldsRead(t *Tree) []Finding {
	const file = "schemas/events.go"
	if t.gos[file] == nil {
		return nil
	}
	readers := map[string][]string{} // by data type
	for _, entry := range schemas.Registry() {
		if entry.OnBus() {
			readers[entry.Data.Name()] = append(readers[entry.Data.Name()], entry.To...)
		}
	}
	var found []Finding
	ast.Inspect(t.gos[file], func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || readers[spec.Name.Name] == nil {
			return true
		}
		data, ok := spec.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, field := range data.Fields.List {
			for _, name := range field.Names {
				where := spec.Name.Name + "." + name.Name
				if forOutside[where] == "" && !t.selects(readers[spec.Name.Name], name.Name) {
					found = append(found, t.finding(file, name.Pos(), "no service that hears it reads %s; leave it "+
						"with the service that knows it", where))
				}
			}
		}
		return false
	})
	return found
}

// selects says whether some file of the services selects a name, tests apart.
func (t *Tree) selects(services []string, name string) bool {
	return slices.ContainsFunc(t.Sources(), func(file string) bool {
		service, ok := serviceOf(file)
		if !ok || !slices.Contains(services, service) {
			return false
		}
		selected := false
		ast.Inspect(t.gos[file], func(node ast.Node) bool {
			sel, ok := node.(*ast.SelectorExpr)
			selected = selected || ok && sel.Sel.Name == name
			return !selected
		})
		return selected
	})
}

func (t *Tree) documentedSubscribers() []Finding {
	const page = "docs/events.md"
	var found []Finding
	seen := map[string]bool{}
	eachLine(t.Files[page], func(n int, line string) {
		m := eventRow.FindStringSubmatch(line)
		if m == nil {
			return
		}
		entry, ok := schemas.Lookup(schemas.Type(schemas.TypePrefix + m[1]))
		want := strings.Join(entry.To, ", ")
		switch {
		case !ok:
			found = append(found, Finding{page, n, "there is no event " + m[1]})
		case !entry.OnBus():
			want = "intake (HTTP)"
		case want == "":
			want = "-"
		}
		seen[m[1]] = true
		if ok && (strings.TrimSpace(m[3]) != want || m[2] != entry.By) {
			found = append(found, Finding{page, n, m[1] + " is from " + entry.By + " to " + want})
		}
	})
	for _, entry := range schemas.Registry() {
		if short := strings.TrimPrefix(string(entry.Type), schemas.TypePrefix); !seen[short] {
			found = append(found, Finding{page, 1, short + " is not in the table"})
		}
	}
	return found
}

// typeConstants maps the names of the constants in schemas/types.go to the types they stand for.
func (t *Tree) typeConstants() map[string]string {
	constants := map[string]string{}
	if file := t.gos["schemas/types.go"]; file != nil {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			for i, name := range spec.Names {
				if text, ok := written(spec.Values[i]); ok && strings.HasPrefix(text, schemas.TypePrefix) &&
					text != schemas.TypePrefix {
					constants[name.Name] = text
				}
			}
			return true
		})
	}
	return constants
}

// handled finds the types that a service's hearing functions name, with their lines.
func (t *Tree) handled(service string, constants map[string]string) (handled map[string]int, at string) {
	handled = map[string]int{}
	for _, name := range t.Sources() {
		if own, ok := serviceOf(name); !ok || own != service {
			continue
		}
		for _, d := range t.gos[name].Decls {
			if !slices.Contains(hearing, declaredName(d)) || path.Base(name) != "events.go" {
				continue
			}
			at = name
			ast.Inspect(d, func(node ast.Node) bool {
				sel, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "schemas" && constants[sel.Sel.Name] != "" {
					handled[constants[sel.Sel.Name]] = t.line(sel.Pos())
				}
				return true
			})
		}
	}
	return handled, at
}

// declaredName is the name of a function, or of a variable declared alone.
func declaredName(d ast.Decl) string {
	switch decl := d.(type) {
	case *ast.FuncDecl:
		return decl.Name.Name
	case *ast.GenDecl:
		if spec, ok := decl.Specs[0].(*ast.ValueSpec); ok && len(decl.Specs) == 1 {
			return spec.Names[0].Name
		}
	}
	return ""
}

var namedRoute = regexp.MustCompile(`\b(GET|POST|PUT|DELETE) (/(?:api|fhir|p)/[A-Za-z0-9/${}-]*)`)

// namedRoutes: a refusal that tells people what to do next names a route of the route table. Patterns that services
// register are held to the table when they start.
func namedRoutes(t *Tree) []Finding {
	routed := append(schemas.Routes(), schemas.BetweenServices(schemas.Intake)...)
	var found []Finding
	for _, name := range t.Sources() {
		if !in(name, "services/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		t.texts(name, func(text string, at token.Pos) {
			for _, m := range namedRoute.FindAllStringSubmatch(text, -1) {
				if !slices.ContainsFunc(routed, func(r schemas.Route) bool {
					return r.Method == m[1] && r.Pattern == strings.TrimSuffix(m[2], "/")
				}) {
					found = append(found, t.finding(name, at, "there is no route %s %s", m[1], m[2]))
				}
			}
		})
	}
	return found
}

// programsOwn are keys that are neither in schemas nor standard, and that the program allows besides.
func (t *Tree) programsOwn() []string {
	var keys []string
	if file := t.gos["services/footbridge/platform.go"]; file != nil {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if ok && spec.Names[0].Name == "platformAttributes" && len(spec.Values) == 1 {
				ast.Inspect(spec.Values[0], func(inner ast.Node) bool {
					if lit, ok := inner.(*ast.BasicLit); ok {
						if text, ok := written(lit); ok {
							keys = append(keys, text)
						}
					}
					return true
				})
			}
			return true
		})
	}
	return keys
}

var (
	logCalls = []string{"Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext",
		"ErrorContext", "Log"}
	attributeCalls = []string{"String", "Int", "Int64", "Float64", "Bool", "StringSlice", "Key"}
	loggerName     = regexp.MustCompile(`(?i)(^log$|logger|\.log$|^slog$|log\(\)$)`)
)

// spanNames: what a service calls its spans, and its loops over what falls due, after which spans are called, is
// written out and known, since traces keeps no other name.
func spanNames(t *Tree) (found []Finding) {
	work := schemas.NewWork(nil)
	check := func(name string, expr ast.Expr, before string) {
		if text, ok := written(expr); !ok || !work.Knows(before+text) {
			found = append(found, t.finding(name, expr.Pos(), "%s%s is the name of no span in schemas/work.go; traces "+
				"would call it %q", before, text, schemas.OtherWork))
		}
	}
	for _, name := range t.Sources() {
		if !in(name, "services/") {
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if ok && sel.Sel.Name == "Start" && len(n.Args) > 1 &&
					strings.HasSuffix(strings.ToLower(expressionText(sel.X)), "tracer") {
					check(name, n.Args[1], "")
				}
			case *ast.CompositeLit:
				eachDue(n, func(loop ast.Expr) { check(name, loop, "due ") })
			}
			return true
		})
	}
	return found
}

// eachDue gives the names in a list of loops: []flow.Due{{Name: "calls"}}.
func eachDue(list *ast.CompositeLit, do func(name ast.Expr)) {
	array, ok := list.Type.(*ast.ArrayType)
	if !ok || expressionText(array.Elt) != "flow.due" {
		return
	}
	for _, element := range list.Elts {
		one, ok := element.(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, field := range one.Elts {
			if kv, ok := field.(*ast.KeyValueExpr); ok && expressionText(kv.Key) == "Name" {
				do(kv.Value)
			}
		}
	}
}

// attributes: a key that is written out, in a log line, on a span or on a metric, is one of schemas.AllowedAttributes,
// of telemetry's standard ones, or of the program's own. libs/hl7 stands alone and logs about connections only.
func attributes(t *Tree) []Finding {
	allowed := append(slices.Clone(schemas.AllowedAttributes), t.standardAttributes()...)
	allowed = append(allowed, t.programsOwn()...)
	var found []Finding
	check := func(name string, expr ast.Expr) {
		if key, ok := written(expr); ok && !slices.Contains(allowed, key) {
			found = append(found, t.finding(name, expr.Pos(), "the attribute %q is on no list; telemetry drops it",
				key))
		}
	}
	for _, name := range t.Sources() {
		if !in(name, "libs/", "services/") || in(name, "libs/hl7/", "libs/testkit/") {
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on := expressionText(sel.X)
			switch {
			case (on == "attribute" || on == "slog") && slices.Contains(attributeCalls, sel.Sel.Name) &&
				len(call.Args) > 0:
				check(name, call.Args[0])
			case loggerName.MatchString(on) && slices.Contains(logCalls, sel.Sel.Name):
				first := 1
				if strings.HasSuffix(sel.Sel.Name, "Context") {
					first = 2
				}
				for i := first; i < len(call.Args); i++ {
					if _, nested := call.Args[i].(*ast.CallExpr); nested && (i-first)%2 == 0 {
						break // attributes as values, which are calls of their own
					}
					if (i-first)%2 == 0 {
						check(name, call.Args[i])
					}
				}
			}
			return true
		})
	}
	return found
}

func expressionText(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return expressionText(e.X) + "." + strings.ToLower(e.Sel.Name)
	case *ast.CallExpr:
		return expressionText(e.Fun) + "()"
	}
	return ""
}

func (t *Tree) standardAttributes() []string {
	var keys []string
	if file := t.gos["libs/telemetry/allow.go"]; file != nil {
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && spec.Names[0].Name == "StandardAttributes" {
				ast.Inspect(spec, func(inner ast.Node) bool {
					if lit, ok := inner.(*ast.BasicLit); ok {
						if text, ok := written(lit); ok {
							keys = append(keys, text)
						}
					}
					return true
				})
			}
			return true
		})
	}
	return keys
}
