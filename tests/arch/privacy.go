package arch

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// A grade of a person is never held, computed or shown (NICE NG225 1.6): not as a field, a column, a key or a name.
var (
	gradeAlone = []string{"risk", "risks", "lethality", "dangerousness", "acuity"}
	gradeWord  = []string{"score", "scores", "scored", "band", "severity", "grade", "tier", "rating"}
	gradeOf    = []string{"person", "patient", "people", "harm", "suicide", "suicidal", "crisis", "clinical", "need",
		"needs", "triage", "complexity"}
)

// mayNameGrades are names that exist so that grades are kept out.
var mayNameGrades = map[string]string{
	"services/threshold/criteria WhyRiskGrade": "why a criterion is not evaluable: it asks " +
		"for a grade that we do not hold",
	"services/threshold/criteria risk-grade":   "the same, as written in a document",
	"services/threshold/criteria speaksOfRisk": "finds a grade in a document, and refuses it",
	"services/threshold/criteria riskWords":    "the same",
	"services/threshold/criteria riskNames":    "the same",
	"schemas/criteria risk-grade": "why a criterion is not evaluable, in the " +
		"schema of documents",
	"docs risk-grade":                   "the same, explained",
	"services/threshold/criteria score": "a name that refusals look for",
	"services/console risk-grade": "why a criterion is not evaluable, put into " +
		"words",
	"services/threshold/criteria/directory risk-grade":                 "why a criterion is not evaluable",
	"services/threshold/criteria/testdata/broken-directory risk-grade": "the same, in a test",
}

// wordsOf splits a name where its spelling does.
func wordsOf(name string) []string {
	var all []string
	var one []rune
	end := func() {
		if len(one) > 0 {
			all = append(all, strings.ToLower(string(one)))
			one = nil
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))):
			end()
		}
		one = append(one, r)
	}
	end()
	return all
}

// grades says whether a name speaks of a grade of a person.
func grades(name string) bool {
	parts := wordsOf(name)
	has := func(list []string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(list, p) })
	}
	return has(gradeAlone) || (has(gradeWord) && has(gradeOf)) ||
		(slices.Contains(parts, "level") && has([]string{"person", "patient", "crisis", "need", "needs"}))
}

var (
	jsonKey  = regexp.MustCompile(`"([A-Za-z_][\w-]*)"\s*:`)
	yamlKey  = regexp.MustCompile(`^[\s-]*([A-Za-z_][\w-]*)\s*:`)
	htmlName = regexp.MustCompile(`\b(?:id|name|class|for|data-[\w-]+)="([^"{}]+)"`)
	sqlName  = regexp.MustCompile(`[A-Za-z_]\w*`)
)

func noGrade(t *Tree) []Finding {
	var found []Finding
	add := func(name string, line int, written string) {
		if _, ok := mayNameGrades[path.Dir(name)+" "+written]; !ok && grades(written) {
			found = append(found, Finding{name, line, "no name speaks of a grade of a person: " + written})
		}
	}
	for _, name := range t.Sources() {
		if in(name, "tests/") { // rules and their plants
			continue
		}
		ast.Inspect(t.gos[name], func(node ast.Node) bool {
			if id, ok := node.(*ast.Ident); ok && id.Name != "Severity" {
				add(name, t.line(id.Pos()), id.Name)
			}
			if field, ok := node.(*ast.Field); ok && field.Tag != nil {
				for _, m := range regexp.MustCompile(`"([\w-]+)`).FindAllStringSubmatch(field.Tag.Value, -1) {
					add(name, t.line(field.Tag.Pos()), m[1])
				}
			}
			return true
		})
	}
	each := func(pattern *regexp.Regexp, suffixes ...string) {
		for _, name := range t.Paths(suffixes...) {
			if in(name, "tests/", "schemas/baseline/") {
				continue
			}
			eachLine(t.Files[name], func(n int, line string) {
				if strings.HasSuffix(name, ".sql") {
					line = sqlComment.ReplaceAllString(line, "")
				}
				for _, m := range pattern.FindAllStringSubmatch(line, -1) {
					add(name, n, m[len(m)-1])
				}
			})
		}
	}
	each(jsonKey, ".json")
	each(yamlKey, ".yaml", ".yml")
	each(htmlName, ".html")
	each(sqlName, ".sql")
	return found
}

// answering are the files where people's requests arrive.
var answering = regexp.MustCompile(`(^|_)(http|commands|transitions)\.go$`)

// mayReadForNobody are reads that a request leads to and that nobody's organisation narrows, with their reason.
var mayReadForNobody = map[string]string{
	"gateway.sessionOf":    "finds who is asking at all: by the hash of what the browser holds, one row and no other",
	"gateway.personOf":     "the same, for a browser that came back from an identity provider",
	"gateway.lockPending":  "the same, for a browser between its link and its second factor",
	"gateway.lockWorker":   "the worker whose sign-in that is, and nobody else",
	"gateway.passkeysOf":   "that worker's own keys; or those of one that lockWorkerOf or workersOf has read",
	"intake.lockOffers":    "reads what is known of offers as their events are heard; it answers nobody",
	"intake.loadUnit":      "after the message was locked for the principal: the records it concerns",
	"intake.lockPersons":   "the same",
	"intake.findByKeys":    "the same",
	"intake.findNumbers":   "the same",
	"intake.lockVisits":    "the same",
	"intake.loadCards":     "the same",
	"intake.lockJourneys":  "the same",
	"intake.lockAnswers":   "the same",
	"intake.claimReceipts": "a door's own question, whether this message came before; nothing of it is shown",
	"intake.findAnswered":  "the same, how it was answered",
	"intake.findDoubles": "a door's own question, whom a request may be about too; only that there is somebody is " +
		"shown",
	"intake.lockFacilities": "whose the facilities of a batch are, for the system itself",
	"intake.findHomes":      "the same, of all that the batch concerns",
	"intake.loadHomes":      "the same",
	"intake.findSettled":    "the first again, after a commit of unknown outcome",
	"bridging.lockHelp": "of a request for help that the caller has just stored: what becomes of it; of nobody " +
		"else's",
	"bridging.rotaOf": "who is on call, for whoever tells them; a line of it is shown to nobody by it",
	"threshold.load":  "event handlers act for the system itself",
	"journey.load":    "event handlers act for the system itself",
}

// principalReads: whoever asks over HTTP reads a store through a function that takes the principal. It is decided by
// following calls, by name and within a service's package, from the functions of http.go and commands.go (or
// people_http.go): the way ends at a function that takes a principal.Principal; a function of store.go with a select
// that is reached before is a finding. What only event handlers, timers and other doors reach acts for the system
// itself.
func principalReads(t *Tree) []Finding {
	byService := map[string][]string{}
	for _, name := range t.Sources() {
		if service, ok := serviceOf(name); ok && service != program {
			byService[service] = append(byService[service], name)
		}
	}
	var found []Finding
	for service, files := range byService {
		found = append(found, t.unasked(service, files)...)
	}
	return found
}

type function struct {
	file string
	decl *ast.FuncDecl
}

func (t *Tree) unasked(service string, files []string) []Finding {
	declared := map[string][]function{}
	var open []function
	for _, name := range files {
		for _, d := range t.gos[name].Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				declared[f.Name.Name] = append(declared[f.Name.Name], function{name, f})
				if answering.MatchString(path.Base(name)) {
					open = append(open, function{name, f})
				}
			}
		}
	}
	var found []Finding
	seen := map[*ast.FuncDecl]bool{}
	for len(open) > 0 {
		f := open[0]
		open = open[1:]
		if seen[f.decl] || takesPrincipal(f.decl) {
			continue
		}
		seen[f.decl] = true
		if isStore(f.file) && selects(f.decl) {
			if _, ok := mayReadForNobody[service+"."+f.decl.Name.Name]; !ok {
				found = append(found, t.finding(f.file, f.decl.Pos(), "%s reads for a request and takes no principal",
					f.decl.Name.Name))
			}
		}
		ast.Inspect(f.decl, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				open = append(open, declared[calledName(call)]...)
			}
			return true
		})
	}
	return found
}

func calledName(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

func takesPrincipal(f *ast.FuncDecl) bool {
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		sel, ok := p.Type.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Principal"
	})
}

// changes recognises a statement that writes, or only locks; what it selects from is what it is given.
var changes = regexp.MustCompile(
	`(?is)^\s*select 1 from|\b(insert\s+into|update\s+\w+(\s+(as\s+)?\w+)?\s+set|delete\s+from)\b`)

func selects(f *ast.FuncDecl) bool {
	found := false
	ast.Inspect(f, func(node ast.Node) bool {
		if expr, ok := node.(ast.Expr); ok {
			if text, ok := written(expr); ok && statement.MatchString(text) &&
				strings.Contains(strings.ToLower(text), "select ") && !changes.MatchString(text) {
				found = true
			}
		}
		return !found
	})
	return found
}
