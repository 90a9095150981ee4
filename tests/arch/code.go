package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// program is the folder that puts all services together; it alone may know several.
const program = "footbridge"

func servicesApart(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths(".go") {
		own, ok := serviceOf(name)
		if !ok || own == program {
			continue
		}
		t.imports(name, func(imported string, at token.Pos) {
			if other, ok := serviceOf(strings.TrimPrefix(imported, "footbridge/")); ok && other != own {
				found = append(found, t.finding(name, at, "%s imports the service %s; what it needs to know it has "+
					"from events", own, other))
			} else if rest, ok := strings.CutPrefix(imported, "footbridge/services/"); ok &&
				!strings.Contains(rest, "/") && rest != own {
				found = append(found, t.finding(name, at, "%s imports the service %s; what it needs to know it has "+
					"from events", own, rest))
			}
		})
	}
	return found
}

// innerPackages: a package inside a service is imported by the service around it and imports nothing of that service
// but what lies below itself, so that it can be read, tested and published alone. below are arrows between packages
// inside one service: what the first may know of the others.
var below = map[string]string{"services/intake/reading": "footbridge/services/intake/record"}

func innerPackages(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths(".go") {
		service, ok := serviceOf(name)
		folder := "footbridge/" + path.Dir(name)
		around := "footbridge/services/" + service
		if !ok || folder == around {
			continue
		}
		t.imports(name, func(imported string, at token.Pos) {
			if (imported == around || strings.HasPrefix(imported, around+"/")) &&
				!strings.HasPrefix(imported+"/", folder+"/") &&
				below[path.Dir(name)] != imported {
				found = append(found, t.finding(name, at, "%s may not import %s: the service around a package knows "+
					"it, never the other way round",
					path.Dir(name), imported))
			}
		})
	}
	return found
}

// lowest are the folders that import the standard library only, so that they can become modules of their own.
var lowest = []string{"libs/hl7/", "libs/clock/", "schemas/"}

// endsWith are the functions by which intake's unit of work writes down what it has gathered: a transaction that called
// one by itself would forget another.
var endsWith = []string{"storePersons", "storeVisits", "storeMessages", "storeAsked", "decideMessages", "holdMessages",
	"storeJourneys", "emitOn"}

func oneEnd(t *Tree) []Finding {
	const end = "services/intake/work.go"
	var found []Finding
	for _, name := range endsWith {
		if text := t.Files[end]; text != "" && !strings.Contains(text, name+"(") {
			found = append(found, Finding{end, 1, name + " is no part of the end of the unit of work: name what is, " +
				"in tests/arch/code.go"})
		}
	}
	for _, name := range t.Sources() {
		if !in(name, "services/intake/") || name == end {
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			called := ""
			switch fun := call.Fun.(type) {
			case *ast.Ident:
				called = fun.Name
			case *ast.SelectorExpr:
				called = fun.Sel.Name
			}
			if slices.Contains(endsWith, called) {
				found = append(found, t.finding(name, call.Pos(), "%s is for the end of the unit of work in %s; give "+
					"it what is to be written", called, end))
			}
			return true
		})
	}
	return found
}

// above are the modules that each module may not know.
var above = map[string][]string{
	"libs":     {"footbridge/schemas", "footbridge/services", "footbridge/tests"},
	"schemas":  {"footbridge/libs", "footbridge/services", "footbridge/tests"},
	"services": {"footbridge/tests"},
}

func floors(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths(".go") {
		module, _, _ := strings.Cut(name, "/")
		test := strings.HasSuffix(name, "_test.go")
		t.imports(name, func(imported string, at token.Pos) {
			for _, never := range above[module] {
				if imported == never || strings.HasPrefix(imported, never+"/") {
					found = append(found, t.finding(name, at, "%s may not import %s", module, imported))
				}
			}
			if module != "tests" && strings.HasPrefix(imported, "github.com/testcontainers/") {
				found = append(found, t.finding(name, at, "only tests may import testcontainers"))
			}
			for _, low := range lowest {
				if !test && strings.HasPrefix(name, low) && !standard(imported) &&
					!strings.HasPrefix(imported+"/", "footbridge/"+low) {
					found = append(found, t.finding(name, at, "%s imports the standard library only, not %s",
						strings.TrimSuffix(low, "/"), imported))
				}
			}
		})
	}
	return found
}

// standard says whether an import is of the standard library: its first part has no dot and is no module of ours.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && first != "footbridge"
}

// door is what the doors of every service are called, alone or after a noun: store.go, people_store.go. commands.go is
// what people do by HTTP.
var door = regexp.MustCompile(`(^|_)(store|events|due|http|commands|transitions)\.go$`)

// isStore says whether a file holds a service's SQL.
func isStore(name string) bool {
	base := path.Base(name)
	return base == "store.go" || strings.HasSuffix(base, "_store.go")
}

// pure are the packages inside a service that hold decisions and nothing else, doors apart.
var pure = []string{"threshold/criteria", "intake/record", "intake/reading"}

// doors are the further files of a service, or of a package inside one, that are no decisions: they read, store,
// answer, or put things together; <service>.go is one too. Every other file that is not a test holds decisions.
var doors = map[string][]string{
	"bridging": {"figures.go"}, // they count
	"followup": {"figures.go"},
	"delivery": {"alert.go", "mail.go", "text.go", "text_log.go", "broker.go",
		"feed.go", "link.go", "stream.go", "webhook.go", "handshake.go", "subscriptions.go"},
	"intake": {"mllp.go", "cloudevents.go", "commit.go", "inbound.go", "fhir.go", "fhirask.go",
		"signals.go", "retention.go", "work.go"},
	"intake/reading":     {"profile.go", "dryrun.go"}, // they read the profiles' files
	"journey":            {"sentinel.go"},
	"threshold/criteria": {"document.go", "example.go", "refusals.go", "rulebook.go"}, // they read and print documents
	"gateway": {"describe.go", "fhir.go", "form.go", "refusals.go", "refuse.go", "session.go", "sessions.go",
		"signing.go", "transport.go", "vouched.go"},
	"traces":  {"fragment.go", "sieve.go"},
	"console": {"assets.go", "client.go", "waterfall.go"},
}

// DecisionFiles are the files that hold decisions.
func (t *Tree) DecisionFiles() []string {
	return slices.DeleteFunc(t.Sources(), func(name string) bool {
		service, ok := serviceOf(name)
		base := path.Base(name)
		folder := strings.TrimPrefix(path.Dir(name), "services/")
		return !ok || service == program || base == service+".go" || folder != service &&
			!slices.Contains(pure, folder) ||
			door.MatchString(base) || slices.Contains(doors[folder], base)
	})
}

// mayDecideWith is what a decision may import beside the pure part of the standard library.
var mayDecideWith = []string{
	// reading, not serving
	"footbridge/schemas", "footbridge/libs/calendar", "footbridge/libs/hl7", "footbridge/libs/fhir",
	"footbridge/libs/written", // how numbers, names and days are spelt
	"footbridge/libs/vault",   // Personal, which hides who somebody is even from the rules
	"cel.dev/cel-go/",         // expressions
	"go.yaml.in/yaml/v3",
}

// neverDecideWith is what no decision imports: what reads or writes the world, or differs from one call to the next.
var neverDecideWith = regexp.MustCompile(
	`^(context|database/|embed$|io/|log($|/)|net$|net/http|os($|/)|math/rand|crypto/rand|plugin|runtime|sync/|syscall|testing|unsafe)`)

// clockCalls are the functions of package time that ask for the time or wait for it.
var clockCalls = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}

func decisionsPure(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.DecisionFiles() {
		t.imports(name, func(imported string, at token.Pos) {
			allowed := standard(imported) && !neverDecideWith.MatchString(imported)
			for _, folder := range pure {
				allowed = allowed || imported == "footbridge/services/"+folder
			}
			for _, one := range mayDecideWith {
				allowed = allowed || imported == one ||
					(strings.HasSuffix(one, "/") && strings.HasPrefix(imported, one))
			}
			if !allowed {
				found = append(found, t.finding(name, at, "a decision may not import %s; it takes values, and time "+
					"as one of them (doors are listed in tests/arch/code.go)", imported))
			}
		})
		for _, call := range clockCalls {
			found = append(found, t.uses(name, "time", call, "a decision takes the time as a value")...)
		}
	}
	return found
}

// uses finds pkg.name in a file.
func (t *Tree) uses(name, pkg, selected, why string) []Finding {
	var found []Finding
	ast.Inspect(t.gos[name], func(node ast.Node) bool {
		sel, ok := node.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != selected {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg && x.Obj == nil {
			found = append(found, t.finding(name, sel.Pos(), "%s.%s: %s", pkg, selected, why))
		}
		return true
	})
	return found
}

func jetStreamPlaces(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Sources() {
		if in(name, "libs/flow/", "libs/bus/", "tests/") {
			continue
		}
		t.imports(name, func(imported string, at token.Pos) {
			if strings.HasPrefix(imported, "github.com/nats-io/nats-server") ||
				strings.HasSuffix(imported, "nats.go/jetstream") {
				found = append(found, t.finding(name, at, "%s belongs to libs/flow and libs/bus", imported))
			}
		})
		for _, legacy := range []string{"JetStream", "JetStreamContext"} { // the older API is in nats.go itself
			found = append(found, t.uses(name, "nats", legacy, "JetStream belongs to libs/flow and libs/bus")...)
		}
	}
	return found
}

// callers are the places that may connect to something: the guarded client, and what speaks to our own system or to a
// server that the operator configured.
var callers = []string{"libs/outward/", "libs/bus/", "libs/pg/", "libs/telemetry/", "libs/hl7/client.go",
	"libs/testkit/",
	"services/gateway/transport.go", "services/footbridge/ask.go", "tests/"}

func outwardPlaces(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Sources() {
		if in(name, callers...) {
			continue
		}
		for _, used := range [][2]string{
			{"http", "Client"}, {"http", "Transport"}, {"http", "DefaultClient"}, {"http", "DefaultTransport"},
			{"http", "Get"}, {"http", "Head"},
			{"http", "Post"}, {"http", "PostForm"}, {"net", "Dial"}, {"net", "DialTimeout"}, {"net", "Dialer"},
			{"tls", "Dial"}, {"tls", "Dialer"},
		} {
			// a client that is handed in has been made somewhere else
			if used[1] == "Client" || used[1] == "Transport" {
				found = append(found, t.makes(name, used[0], used[1], "what leaves goes through libs/outward")...)
				continue
			}
			found = append(found, t.uses(name, used[0], used[1], "what leaves goes through libs/outward")...)
		}
	}
	return found
}

// makes finds values of a type that are made in a file.
func (t *Tree) makes(name, pkg, typeName, why string) []Finding {
	var found []Finding
	ast.Inspect(t.gos[name], func(node ast.Node) bool {
		made, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if sel, ok := made.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == typeName {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
				found = append(found, t.finding(name, made.Pos(), "%s.%s: %s", pkg, typeName, why))
			}
		}
		return true
	})
	return found
}

func in(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(name, f) })
}

// emptyNames say nothing about what is inside.
var emptyNames = []string{"common", "util", "utils", "helper", "helpers", "model", "models", "types", "misc", "base",
	"shared"}

func packageNames(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths(".go") {
		pkg := strings.TrimSuffix(t.gos[name].Name.Name, "_test")
		if slices.Contains(emptyNames, pkg) {
			found = append(found, t.finding(name, t.gos[name].Name.Pos(), "a package called %s says nothing about "+
				"what is in it", pkg))
		}
	}
	return found
}

func packageComments(t *Tree) []Finding {
	first, said := map[string]string{}, map[string]bool{}
	for _, name := range t.Paths(".go") {
		dir := path.Dir(name)
		if _, ok := first[dir]; !ok {
			first[dir] = name
		}
		doc := t.gos[name].Doc.Text()
		opening, _, _ := strings.Cut(doc, "\n")
		if (strings.HasPrefix(doc, "Package ") || strings.HasPrefix(doc, "Command ")) &&
			len(strings.Fields(opening)) > 3 {
			said[dir] = true
		}
	}
	var found []Finding
	for dir, name := range first {
		if !said[dir] {
			found = append(found, t.finding(name, t.gos[name].Package, "no file of %s opens its package with a "+
				"promise (Package … or Command …)", dir))
		}
	}
	return found
}

func honestTests(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths("_test.go") {
		found = append(found, t.uses(name, "time", "Sleep", "wait for a signal")...)
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
					found = append(found, t.finding(name, call.Pos(), "a test that cannot be run fails; it is not "+
						"skipped"))
				}
			}
			return true
		})
	}
	return found
}

// aDay is a day from the years in which this is developed and run, as text; of a date of birth or a layout it is none.
var aDay = regexp.MustCompile(`\b20[2-9]\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])`)

// fixedDays finds days that are written down where the machine's clock is read: such a test passes this week. A test
// that starts the whole program reads that clock by it; a day that the program does not compare with its clock is
// marked.
func fixedDays(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Paths("_test.go") {
		lines := strings.Split(t.Files[name], "\n")
		for _, decl := range t.gos[name].Decls {
			if !strings.HasPrefix(name, "tests/journeys/") && !readsTheClock(decl) {
				continue
			}
			for _, pos := range daysIn(decl) {
				f := t.finding(name, pos, "a fixed day meets the machine's clock: count from now, or take the time "+
					"as a value")
				said := strings.Join(lines[max(0, f.Line-4):f.Line], "\n") // on the line, or a little above it
				if !strings.Contains(said, "// fixed:") {
					found = append(found, f)
				}
			}
		}
	}
	return found
}

func readsTheClock(decl ast.Decl) (reads bool) {
	ast.Inspect(decl, func(node ast.Node) bool {
		sel, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			reads = reads || x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) ||
				x.Name == "clock" && sel.Sel.Name == "Real"
		}
		return true
	})
	return reads
}

func daysIn(decl ast.Decl) (at []token.Pos) {
	ast.Inspect(decl, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.BasicLit:
			for _, hit := range aDay.FindAllStringIndex(node.Value, -1) {
				if node.Kind == token.STRING {
					at = append(at, node.Pos()+token.Pos(hit[0]))
				}
			}
		case *ast.CallExpr:
			if sel, ok := node.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Date" && len(node.Args) == 8 {
				if year, ok := node.Args[0].(*ast.BasicLit); ok && year.Value > "2019" {
					at = append(at, node.Pos())
				}
			}
		}
		return true
	})
	return at
}

var goTest = regexp.MustCompile(`\bgo test\b`)

func timeouts(t *Tree) []Finding {
	var found []Finding
	for _, name := range append(t.Paths(".sh", "Makefile"), ".ci/run") {
		eachLine(t.Files[name], func(n int, line string) {
			code, _, _ := strings.Cut(line, "#")
			if goTest.MatchString(code) && !strings.Contains(code, "-timeout") && !strings.Contains(code, "-fuzztime") {
				found = append(found, Finding{name, n, "go test without -timeout"})
			}
		})
	}
	return found
}

// notIdempotent are the files of services whose handler does more when it is given an event again, each with its
// reason. Such a handler keeps the id of every event it has applied, for good.
var notIdempotent = []string{}

func idempotence(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Sources() {
		if !strings.HasPrefix(name, "services/") || slices.Contains(notIdempotent, name) {
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			if is, ok := node.(*ast.Ident); ok && is.Name == "NotIdempotent" {
				found = append(found, t.finding(name, is.Pos(), "what comes again must change nothing; make it so, "+
					"or list this handler with the reason why it cannot be"))
			}
			return true
		})
	}
	return found
}

// width is how many columns a line of Go may take, a tab counted as four.
const width = 120

// columns finds lines of Go that are wider than a page. Raw strings (messages, statements, tags) and a text that alone
// takes most of a line are as wide as what they hold.
func columns(t *Tree) (found []Finding) {
	for _, name := range t.Paths(".go") {
		file := t.gos[name]
		if ast.IsGenerated(file) {
			continue
		}
		raw := map[int]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if ok && (strings.HasPrefix(text.Value, "`") || text.Kind == token.STRING && len(text.Value) > width-30) {
				for line := t.line(text.Pos()); line <= t.line(text.End()); line++ {
					raw[line] = true
				}
			}
			return true
		})
		eachLine(t.Files[name], func(n int, line string) {
			wide := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			if wide > width && !raw[n] && !strings.HasPrefix(line, "//go:") {
				found = append(found, Finding{name, n,
					fmt.Sprintf("the line takes %d columns; break it before %d", wide, width)})
			}
		})
	}
	return found
}
