package criteria

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"footbridge/schemas"
)

// Fact is one of the closed list of facts that a criterion may speak of (schemas.Facts).
type Fact struct {
	Name   string   // as in schemas.Facts' JSON and in expressions
	Type   string   // number, text, yes-no, list
	Values []string // the closed list of its values; empty where any code may stand
	Asks   string   // the question that would make it known; empty for what nobody is asked
}

// lastSelfHarm is a day in schemas.Facts and in expressions the whole days since, so that a clause can say
// lastSelfHarm > 28.
const lastSelfHarm = "lastSelfHarm"

// capacityFact is a fact of the service, not of the person: the code that its claim of capacity states. It stands in a
// clause of its own.
var capacityFact = Fact{Name: "capacity", Type: factText, Values: []string{"capacity", "no-capacity", "waitlist",
	"additional-assessment-required"}}

// most is the greatest number that a fact may be.
func (f Fact) most() int {
	if f.Name == lastSelfHarm {
		return lastSelfHarmMost
	}
	return ageMost
}

// lastSelfHarmMost is how many days since are told apart; what is longer ago counts as that.
const lastSelfHarmMost = 3660

// Types of facts.
const (
	factNumber = "number"
	factText   = "text"
	factYesNo  = "yes-no"
	factList   = "list"
)

// ageMost is the greatest age a fact may state, in whole years.
const ageMost = 130

// DeclaredFacts is the closed list. There is nothing in it of what a person said, and nothing that grades them.
var DeclaredFacts = []Fact{
	{"age", factNumber, nil, "How old is the person?"},
	{"areaResidence", factText, nil, "Where does the person live?"},
	{"areaStaying", factText, nil, "Where is the person staying now?"},
	{"areaGP", factText, nil, "In which area is the person's GP practice?"},
	{"registeredGP", factYesNo, nil, "Is the person registered with a GP practice?"},
	{"gender", factText, []string{"woman", "man", "non-binary", "not-said"},
		"How does the person describe their gender?"},
	{"language", factText, nil, "Which language does the person want to speak?"},
	{"interpreterNeeded", factYesNo, nil, "Does the person want an interpreter?"},
	{"route", factText, []string{"discharge", "professional", "self"}, "Who asks: the hospital, a professional, or " +
		"the person?"},
	{"assessment", factText, []string{"done", "offered", "declined", "left-before", "not-known"},
		"Has the psychosocial assessment been done?"},
	{"destination", factText, []string{"home", "temporary", "ward", "police", "custody", "other-hospital", "not-known"},
		"Where did the person go from the department?"},
	{"channels", factList, []string{"in-person", "video", "phone", "text"},
		"How would the person like to meet or talk?"},
	{"workerGender", factText, []string{"any", "woman", "man"}, "Would the person rather talk to a woman or a man?"},
	{"hours", factList, []string{"weekday-daytime", "weekday-evening", "weekend-daytime", "weekend-evening"},
		"When can the person meet or talk?"},
	{"access", factList, []string{"step-free", "hearing-loop", "bsl", "lip-speaker", "large-print", "easy-read",
		"quiet-room", "supporter-present"}, "Which access does the person need?"},
	{"group", factText, []string{"women", "men", "lgbtq", "young-adults", "older-people", "racialised-communities",
		"neurodivergent", "deaf"}, "Would the person like a group of their own?"},
	{"carer", factYesNo, nil, "Does the person care for somebody who self-harms?"},
	{"inEducation", factYesNo, nil, "Does the person go to school or college?"},
	{lastSelfHarm, factNumber, nil, ""}, // days since; visits say it, and nobody is asked
	{"waitingOn", factList, nil, "Is the person on a service's waiting list?"},
	{"openTo", factList, nil, "Is the person in the care of a service now?"},
}

func factNamed(name string) Fact {
	if name == capacityFact.Name {
		return capacityFact
	}
	for _, fact := range DeclaredFacts {
		if fact.Name == name {
			return fact
		}
	}
	return Fact{}
}

// known holds the facts that are there, by name; what is absent is unknown.
type known map[string]any

// knownFacts reads the facts as they are on a day. A nil list is unknown; an empty one is known to be empty.
func knownFacts(f schemas.Facts, on Day) known {
	k := make(known, 8)
	if f.LastSelfHarm != nil {
		if days, ok := daysFrom(*f.LastSelfHarm, on); ok {
			k[lastSelfHarm] = min(max(days, 0), lastSelfHarmMost)
		}
	}
	put(k, "age", f.Age)
	put(k, "areaResidence", f.AreaResidence)
	put(k, "areaStaying", f.AreaStaying)
	put(k, "areaGP", f.AreaGP)
	put(k, "registeredGP", f.RegisteredGP)
	put(k, "gender", f.Gender)
	put(k, "language", f.Language)
	put(k, "interpreterNeeded", f.InterpreterNeeded)
	put(k, "route", f.Route)
	put(k, "assessment", f.Assessment)
	put(k, "destination", f.Destination)
	put(k, "workerGender", f.WorkerGender)
	putList(k, "hours", f.Hours)
	putList(k, "access", f.Access)
	put(k, "group", f.Group)
	put(k, "carer", f.Carer)
	put(k, "inEducation", f.InEducation)
	putList(k, "channels", f.Channels)
	putList(k, "waitingOn", f.WaitingOn)
	putList(k, "openTo", f.OpenTo)
	return k
}

func put[T any](k known, name string, value *T) {
	if value != nil {
		k[name] = *value
	}
}

func putList(k known, name string, value []string) {
	if value != nil {
		k[name] = value
	}
}

// activation is what CEL programs are run on: the known facts as CEL values, and the absent ones declared unknown.
// results are what each expression of a set gave on these facts, by its number: it is evaluated once, however many
// criteria share it.
type activation struct {
	known   known
	partial cel.PartialActivation
	results []result
}

// result is what an expression gave: whether it was evaluated, and then whether it holds, is decided, and what is
// missing.
type result struct {
	there, holds, decided bool
	missing               []string
}

// newActivation makes facts ready for a set of so many distinct expressions.
func newActivation(k known, expressions int) activation {
	vars := make(map[string]any, len(k))
	for name, value := range k {
		vars[name] = types.DefaultTypeAdapter.NativeToValue(value)
	}
	unknown := make([]*cel.AttributePatternType, 0, len(DeclaredFacts))
	for i, fact := range DeclaredFacts {
		if _, ok := k[fact.Name]; !ok {
			unknown = append(unknown, factPatterns[i])
		}
	}
	partial, err := cel.PartialVars(vars, unknown...)
	if err != nil {
		panic(fmt.Sprintf("making facts ready: %v", err)) // only for a wrong type of vars
	}
	return activation{known: k, partial: partial, results: make([]result, expressions)}
}

var factPatterns = func() []*cel.AttributePatternType {
	patterns := make([]*cel.AttributePatternType, len(DeclaredFacts))
	for i, fact := range DeclaredFacts {
		patterns[i] = cel.AttributePattern(fact.Name)
	}
	return patterns
}()

// environment declares each fact with its type, and nothing else.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	kinds := map[string]*cel.Type{factNumber: cel.IntType, factText: cel.StringType, factYesNo: cel.BoolType,
		factList: cel.ListType(cel.StringType)}
	options := []cel.EnvOption{cel.ClearMacros()}
	for _, fact := range append(slices.Clone(DeclaredFacts), capacityFact) {
		options = append(options, cel.Variable(fact.Name, kinds[fact.Type]))
	}
	return cel.NewEnv(options...)
})

// Limits of one expression. A clause is a sentence; what needs more is two clauses.
const (
	costLimit = 2000
	mostAtoms = 12
	mostWords = 2000 // bytes of an expression
)

// expression is one clause: a CEL program, and the same in our own tree, which can be searched.
type expression struct {
	number  int // in the set
	source  string
	program cel.Program
	tree    *node
	reads   []string // facts, in the order of the closed list
}

// Operators of the tree.
const (
	opAnd  = "and"
	opOr   = "or"
	opNot  = "not"
	opAtom = "atom"
)

// node is a part of an expression in the fixed fragment.
type node struct {
	op   string
	kids []*node
	atom atom
}

// atom is one fact against constants. It holds where the comparison does; numbers for the age and for days, texts
// otherwise.
type atom struct {
	fact    string
	compare string // <, <=, >, >=, in, has (a list has the constant), yes
	numbers []int
	texts   []string
	negate  bool // for != : holds where the comparison does not
}

func (a atom) holds(value any) bool {
	held := false
	switch v := value.(type) {
	case bool:
		held = v
	case string:
		held = slices.Contains(a.texts, v)
	case []string:
		held = slices.Contains(v, a.texts[0])
	case int:
		held = a.holdsNumber(v)
	}
	return held != a.negate
}

func (a atom) holdsNumber(v int) bool {
	switch a.compare {
	case "<":
		return v < a.numbers[0]
	case "<=":
		return v <= a.numbers[0]
	case ">":
		return v > a.numbers[0]
	case ">=":
		return v >= a.numbers[0]
	}
	return slices.Contains(a.numbers, v)
}

// compileExpression makes a clause ready, or says in one sentence why it is refused.
func compileExpression(source string) (*expression, string) {
	if len(source) > mostWords {
		return nil, fmt.Sprintf("is longer than %d bytes; split it into two criteria", mostWords)
	}
	env, err := environment()
	if err != nil {
		return nil, err.Error()
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, "is not an expression: " + firstLine(issues.Err().Error())
	}
	walk := fragment{tree: parsed.NativeRep()}
	tree := walk.read(parsed.NativeRep().Expr())
	if walk.why != "" {
		return nil, walk.why
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, "does not fit its facts: " + firstLine(issues.Err().Error())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptPartialEval, cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, err.Error()
	}
	e := &expression{source: source, program: program, tree: tree}
	for _, fact := range DeclaredFacts {
		if slices.ContainsFunc(tree.atoms(nil), func(a atom) bool { return a.fact == fact.Name }) {
			e.reads = append(e.reads, fact.Name)
		}
	}
	if slices.ContainsFunc(tree.atoms(nil), func(a atom) bool { return a.fact == capacityFact.Name }) {
		if len(e.reads) > 0 {
			return nil, "reads capacity beside facts of a person; capacity is the service's and stands in a " +
				"criterion of its own"
		}
		e.reads = []string{capacityFact.Name}
	}
	if len(tree.distinct()) > mostAtoms {
		return nil, fmt.Sprintf("compares more than %d times; split it into two criteria", mostAtoms)
	}
	return e, ""
}

func firstLine(text string) string {
	text = strings.TrimPrefix(text, "ERROR: <input>:")
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// result evaluates the expression, once on the same facts.
func (e *expression) result(on activation) result {
	r := &on.results[e.number]
	if !r.there {
		r.there = true
		r.holds, r.decided, r.missing = e.evaluate(on)
	}
	return *r
}

// overDays says that the expression is looked at over the days of the window: it reads the age or an area.
func (e *expression) overDays() bool {
	return slices.ContainsFunc(e.reads, func(fact string) bool {
		return fact == "age" || strings.HasPrefix(fact, "area")
	})
}

// turns are the days since the last self-harm at which the expression may give something else than the day before.
func (e *expression) turns() []int {
	var turns []int
	for _, a := range e.tree.atoms(nil) {
		for _, number := range a.numbers {
			for _, since := range []int{number, number + 1} {
				if a.fact == lastSelfHarm && a.holds(since) != a.holds(since-1) {
					turns = append(turns, since)
				}
			}
		}
	}
	slices.Sort(turns)
	return slices.Compact(turns)
}

// evaluate runs the program: true, false, or unknown with the facts that are missing. A fault in a program (none
// is known to be possible in the fragment) and a cost beyond the limit are unknown too: they exclude nobody.
func (e *expression) evaluate(on activation) (holds, decided bool, missing []string) {
	absent := 0
	for _, fact := range e.reads {
		if _, ok := on.known[fact]; !ok {
			absent++
		}
	}
	if absent == len(e.reads) {
		return false, false, e.reads
	}
	result, _, err := e.program.Eval(on.partial)
	if err != nil {
		return false, false, e.reads
	}
	if result == types.True || result == types.False {
		return result == types.True, true, nil
	}
	return false, false, missingFacts(result, e.reads)
}

func missingFacts(result ref.Val, reads []string) []string {
	unknown, ok := result.(*types.Unknown)
	if !ok {
		return reads
	}
	var missing []string
	for _, id := range unknown.IDs() {
		trails, _ := unknown.GetAttributeTrails(id)
		for _, trail := range trails {
			if !slices.Contains(missing, trail.Variable()) {
				missing = append(missing, trail.Variable())
			}
		}
	}
	slices.SortFunc(missing, func(a, b string) int { return slices.Index(reads, a) - slices.Index(reads, b) })
	return missing
}

// atoms appends every comparison of the tree.
func (n *node) atoms(to []atom) []atom {
	if n.op == opAtom {
		return append(to, n.atom)
	}
	for _, kid := range n.kids {
		to = kid.atoms(to)
	}
	return to
}

// distinct returns the comparisons, each once, by what they say.
func (n *node) distinct() []string {
	var keys []string
	for _, a := range n.atoms(nil) {
		if key := a.key(); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (a atom) key() string {
	return fmt.Sprint(a.fact, a.compare, a.numbers, a.texts, a.negate)
}

// truth works the tree out with each comparison given by its key.
func (n *node) truth(given func(atom) bool) bool {
	switch n.op {
	case opAnd:
		return n.kids[0].truth(given) && n.kids[1].truth(given)
	case opOr:
		return n.kids[0].truth(given) || n.kids[1].truth(given)
	case opNot:
		return !n.kids[0].truth(given)
	}
	return given(n.atom)
}

// closesForSupport says why the clause is refused where being with, or waiting for, a third-sector service could
// turn a yes into a no, however the expression is written: it tries every combination of its comparisons.
func (e *expression) closesForSupport(excludes bool, sectors map[string]string) string {
	for _, a := range e.tree.atoms(nil) {
		if a.fact != "openTo" && a.fact != "waitingOn" {
			continue
		}
		sector, ok := sectors[a.texts[0]]
		if !ok {
			return fmt.Sprintf("names the service %q, which is not in this set", a.texts[0])
		}
		if sector == ThirdSector && e.closesWhen(a.key(), excludes) {
			return fmt.Sprintf("closes the door on somebody because they have the support of %q: going to peer "+
				"support, a group or a charity may not close a door", a.texts[0])
		}
	}
	return ""
}

func (e *expression) closesWhen(key string, excludes bool) bool {
	keys := e.tree.distinct()
	passes := func(set int) bool {
		held := e.tree.truth(func(a atom) bool { return set&(1<<slices.Index(keys, a.key())) != 0 })
		return held != excludes
	}
	bit := 1 << slices.Index(keys, key)
	for set := range 1 << len(keys) {
		if set&bit == 0 && passes(set) && !passes(set|bit) {
			return true
		}
	}
	return false
}

// fragment reads a parsed CEL expression into our tree and refuses whatever else CEL can say.
type fragment struct {
	tree *celast.AST
	why  string
}

const fragmentHelp = "an expression is a fact against constants (age >= 18, gender == \"woman\", areaGP in [\"x\"], " +
	"\"phone\" in channels, registeredGP), joined by &&, || and !"

func (f *fragment) refuse(e celast.Expr, format string, args ...any) *node {
	if f.why == "" {
		at := f.tree.SourceInfo().GetStartLocation(e.ID())
		f.why = fmt.Sprintf("column %d: %s", at.Column()+1, fmt.Sprintf(format, args...))
	}
	return &node{op: opAtom}
}

func (f *fragment) read(e celast.Expr) *node {
	switch e.Kind() {
	case celast.IdentKind:
		return f.yes(e)
	case celast.CallKind:
		return f.call(e)
	}
	return f.refuse(e, "is not in the fragment: %s", fragmentHelp)
}

func (f *fragment) yes(e celast.Expr) *node {
	fact, ok := f.fact(e)
	if ok && fact.Type != factYesNo {
		return f.refuse(e, "%s is not a yes or no; compare it with a constant", fact.Name)
	}
	return &node{op: opAtom, atom: atom{fact: fact.Name, compare: "yes"}}
}

func (f *fragment) call(e celast.Expr) *node {
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		return f.refuse(e, "calls %s(), which is not in the fragment: %s", call.FunctionName(), fragmentHelp)
	}
	switch call.FunctionName() {
	case operators.LogicalAnd:
		return &node{op: opAnd, kids: []*node{f.read(args[0]), f.read(args[1])}}
	case operators.LogicalOr:
		return &node{op: opOr, kids: []*node{f.read(args[0]), f.read(args[1])}}
	case operators.LogicalNot:
		return &node{op: opNot, kids: []*node{f.read(args[0])}}
	case operators.In:
		return f.in(e, args[0], args[1])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater,
		operators.GreaterEquals:
		return f.compare(e, strings.Trim(call.FunctionName(), "_"), args[0], args[1])
	}
	return f.refuse(e, "uses %s, which is not in the fragment: %s", strings.Trim(call.FunctionName(), "_"),
		fragmentHelp)
}

var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (f *fragment) compare(e celast.Expr, op string, left, right celast.Expr) *node {
	if left.Kind() == celast.LiteralKind {
		left, right, op = right, left, mirrored[op]
	}
	fact, ok := f.fact(left)
	if !ok {
		return &node{op: opAtom}
	}
	if right.Kind() != celast.LiteralKind {
		return f.refuse(e, "compares a fact with something that is no constant; facts are compared with constants only")
	}
	a := atom{fact: fact.Name, compare: op, negate: op == "!="}
	switch constant := right.AsLiteral().Value().(type) {
	case int64:
		a.numbers = []int{int(constant)}
	case string:
		a.texts = []string{constant}
		f.allowed(right, fact, constant)
	case bool:
		a.compare, a.negate = "yes", (op == "!=") == constant
	default:
		return f.refuse(right, "is not a whole number, a text, true or false")
	}
	if fact.Type == factList || fact.Type != factNumber && op != "==" && op != "!=" {
		return f.refuse(e, "%s cannot be compared with %s", fact.Name, op)
	}
	if a.compare == "==" || a.compare == "!=" {
		a.compare = "in"
	}
	return &node{op: opAtom, atom: a}
}

func (f *fragment) in(e, left, right celast.Expr) *node {
	if left.Kind() == celast.LiteralKind && right.Kind() == celast.IdentKind {
		fact, _ := f.fact(right)
		constant, ok := left.AsLiteral().Value().(string)
		if fact.Type != factList || !ok {
			return f.refuse(e, "%s is not a list of texts", fact.Name)
		}
		f.allowed(left, fact, constant)
		return &node{op: opAtom, atom: atom{fact: fact.Name, compare: "has", texts: []string{constant}}}
	}
	fact, ok := f.fact(left)
	if !ok || right.Kind() != celast.ListKind || fact.Type == factList || right.AsList().Size() == 0 {
		return f.refuse(e, "'in' takes a fact and a list of constants, or a constant and a list fact")
	}
	a := atom{fact: fact.Name, compare: "in"}
	for _, element := range right.AsList().Elements() {
		if element.Kind() != celast.LiteralKind {
			return f.refuse(element, "is no constant; facts are compared with constants only")
		}
		switch constant := element.AsLiteral().Value().(type) {
		case int64:
			a.numbers = append(a.numbers, int(constant))
		case string:
			a.texts = append(a.texts, constant)
			f.allowed(element, fact, constant)
		}
	}
	return &node{op: opAtom, atom: a}
}

// Names people try, and that are never facts. They get their own sentence.
var neverFacts = []string{"bridging", "call", "outcome", "words", "summary", "said", "note", "wish", "mood", "worse",
	"better"}

func (f *fragment) fact(e celast.Expr) (Fact, bool) {
	if e.Kind() != celast.IdentKind {
		f.refuse(e, "is not a fact: %s", fragmentHelp)
		return Fact{}, false
	}
	name := e.AsIdent()
	fact := factNamed(name)
	if fact.Name != "" {
		return fact, true
	}
	lower := strings.ToLower(name)
	switch {
	case speaksOfRisk(name):
		f.refuse(e, "%q would be a grade of a person: none exists here, and none may be asked for (NICE NG225 1.6); "+
			"mark the criterion notEvaluable", name)
	case slices.ContainsFunc(neverFacts, func(word string) bool { return strings.Contains(lower, word) }):
		f.refuse(e, "%q is not a declared fact: what is said on a bridging call, and a person's own words, are never "+
			"a criterion", name)
	default:
		f.refuse(e, "%q is not a declared fact; the facts are %s", name, strings.Join(factNames(), ", "))
	}
	return Fact{}, false
}

func (f *fragment) allowed(e celast.Expr, fact Fact, constant string) {
	if len(fact.Values) > 0 && !slices.Contains(fact.Values, constant) {
		f.refuse(e, "%s is never %q; it is one of %s", fact.Name, constant, strings.Join(fact.Values, ", "))
	}
}

func factNames() []string {
	names := make([]string, len(DeclaredFacts))
	for i, fact := range DeclaredFacts {
		names[i] = fact.Name
	}
	return append(names, capacityFact.Name)
}

// threeValued is a truth that may be unknown.
type threeValued int8

const (
	no      threeValued = -1
	unknown threeValued = 0
	yes     threeValued = 1
)

// kleene works the tree out three-valued, with each comparison given.
func (n *node) kleene(given func(*atom) threeValued) threeValued {
	switch n.op {
	case opAnd:
		a := n.kids[0].kleene(given)
		if a == no {
			return no
		}
		return min(a, n.kids[1].kleene(given))
	case opOr:
		a := n.kids[0].kleene(given)
		if a == yes {
			return yes
		}
		return max(a, n.kids[1].kleene(given))
	case opNot:
		return -n.kids[0].kleene(given)
	}
	return given(&n.atom)
}

func truth(held bool) threeValued {
	if held {
		return yes
	}
	return no
}

// witnesses returns values of a fact that tell apart everything the given comparisons can tell apart: each constant,
// its neighbours for numbers, and something else. A value is an int, a string, a bool or a list.
func witnesses(fact Fact, atoms []atom) []any {
	switch fact.Type {
	case factYesNo:
		return []any{false, true}
	case factNumber:
		return numberWitnesses(fact, atoms)
	case factList:
		return listWitnesses(atoms)
	}
	texts := slices.Clone(fact.Values)
	for _, a := range atoms {
		texts = union(texts, a.texts)
	}
	if len(fact.Values) == 0 {
		texts = append(texts, otherThan(texts))
	}
	var values []any
	for _, text := range texts {
		values = append(values, text)
	}
	return values
}

// otherThan stands for any code that no criterion names.
func otherThan(texts []string) string {
	other := "elsewhere"
	for slices.Contains(texts, other) {
		other = "not-" + other
	}
	return other
}

func numberWitnesses(fact Fact, atoms []atom) []any {
	numbers := []int{0}
	for _, a := range atoms {
		for _, number := range a.numbers {
			numbers = append(numbers, number, number+1)
		}
	}
	slices.Sort(numbers)
	var values []any
	for _, number := range slices.Compact(numbers) {
		if number >= 0 && number <= fact.most() {
			values = append(values, number)
		}
	}
	return values
}

func listWitnesses(atoms []atom) []any {
	all := []string{}
	for _, a := range atoms {
		all = union(all, a.texts)
	}
	values := []any{[]string{}, all}
	for _, text := range all {
		values = append(values, []string{text})
	}
	return values
}
