package criteria

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// read parses one file. JSON is read as the YAML it is.
func read(source Source) ([]placedDocument, Refused) {
	var (
		docs     []placedDocument
		refusals Refused
	)
	dec := yaml.NewDecoder(bytes.NewReader(asYAML(source.Content)))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return docs, append(refusals, Refusal{File: source.Name, Why: "is not YAML or JSON: " + err.Error()})
		}
		for i, root := range roots(&node) {
			doc, refused := decode(source.Name, root, rawDocument(source.Content, i))
			docs, refusals = append(docs, doc), append(refusals, refused...)
		}
	}
	return docs, refusals
}

var surrogates = regexp.MustCompile(`(?i)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})`)

// asYAML takes away the two things in which JSON is not YAML: tabs between tokens (JSON has none inside texts), and
// characters written as two escapes. Lines stay as they are.
func asYAML(content []byte) []byte {
	if trimmed := bytes.TrimSpace(content); !bytes.HasPrefix(trimmed, []byte("{")) &&
		!bytes.HasPrefix(trimmed, []byte("[")) {
		return content
	}
	content = bytes.ReplaceAll(content, []byte("\t"), []byte(" "))
	return surrogates.ReplaceAllFunc(content, func(pair []byte) []byte {
		var text string
		if json.Unmarshal(append(append([]byte{'"'}, pair...), '"'), &text) != nil {
			return pair
		}
		return []byte(text)
	})
}

func roots(node *yaml.Node) []*yaml.Node {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind == yaml.SequenceNode {
		return node.Content
	}
	return []*yaml.Node{node}
}

var notAField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type .*$`)

// rawDocument returns the i-th document of a JSON file as it is written, and nil for YAML. It is read as JSON, so
// that the numbers in unknown fields stay as they are; the YAML reading is for lines and for fields that are none.
func rawDocument(content []byte, i int) json.RawMessage {
	content = bytes.TrimSpace(content)
	var list []json.RawMessage
	switch {
	case !json.Valid(content):
	case bytes.HasPrefix(content, []byte("{")):
		return content
	case json.Unmarshal(content, &list) == nil && i < len(list):
		return list[i]
	}
	return nil
}

func decode(file string, root *yaml.Node, raw json.RawMessage) (placedDocument, Refused) {
	p := placedDocument{file: file, lines: map[string]int{}}
	var refusals Refused
	walk(root, "", func(where string, key, value *yaml.Node) {
		p.lines[where] = value.Line
		if key != nil && speaksOfRisk(key.Value) {
			refusals = append(refusals, Refusal{File: file, Line: key.Line, Where: where,
				Why: "a document has no field for a person's risk, score or band (NICE NG225 1.6); say the condition " +
					"in plain words, and mark it notEvaluable"})
		}
	})
	strict, err := yaml.Marshal(root) // only to find fields that are none; the lines come from p
	if err == nil {
		err = knownFields(strict)
	}
	for _, why := range typeErrors(err) {
		if m := notAField.FindStringSubmatch(why); m != nil {
			if speaksOfRisk(m[2]) {
				continue // said already, with its line
			}
			where := findKey(root, m[2])
			refusals = append(refusals, Refusal{File: file, Line: p.lines[where], Where: where,
				Why: "is not a field of an access-criteria document; only 'service' keeps fields it does not know"})
			continue
		}
		refusals = append(refusals, Refusal{File: file, Why: why})
	}
	if raw != nil {
		err = json.Unmarshal(raw, &p.doc)
	} else {
		err = root.Decode(&p.doc)
	}
	if err != nil && len(refusals) == 0 {
		refusals = append(refusals, Refusal{File: file, Why: err.Error()})
	}
	return p, refusals
}

func knownFields(content []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	return dec.Decode(&Document{})
}

func typeErrors(err error) []string {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		return typed.Errors
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// walk visits every value with its path: "criteria[2].when".
func walk(node *yaml.Node, where string, visit func(where string, key, value *yaml.Node)) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			inner := strings.TrimPrefix(where+"."+node.Content[i].Value, ".")
			visit(inner, node.Content[i], node.Content[i+1])
			walk(node.Content[i+1], inner, visit)
		}
	case yaml.SequenceNode:
		for i, value := range node.Content {
			inner := fmt.Sprintf("%s[%d]", where, i)
			visit(inner, nil, value)
			walk(value, inner, visit)
		}
	}
}

func findKey(root *yaml.Node, name string) (found string) {
	walk(root, "", func(where string, key, _ *yaml.Node) {
		if found == "" && key != nil && key.Value == name && !strings.HasPrefix(where, "service.") {
			found = where
		}
	})
	if found == "" {
		return name
	}
	return found
}

var (
	riskWords = []string{"risk", "severity", "acuity", "lethality"}
	riskNames = []string{"score", "band", "priorityband", "triagecategory", "complexityscore"}
)

func speaksOfRisk(name string) bool {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	return slices.Contains(riskNames, plain) ||
		slices.ContainsFunc(riskWords, func(word string) bool { return strings.Contains(plain, word) })
}

// refuseSet looks at what only the whole set shows.
func refuseSet(placed []placedDocument, broken bool) Refused {
	var refusals Refused
	first := map[string]string{}
	lastResort := false
	for _, p := range placed {
		id := p.doc.Service.ID
		if other, twice := first[id]; twice && id != "" {
			refusals = append(refusals, p.refuse("service.id", "the service %q is already described in %s", id, other))
		}
		first[id] = p.file
		lastResort = lastResort || p.doc.Role == RoleLastResort
	}
	if !lastResort && !broken {
		refusals = append(refusals, Refusal{Why: "the set has no last-resort service: without one a person could be " +
			"left with nobody; give one document role: last-resort"})
	}
	return refusals
}

// compiler makes the documents of one set ready. An expression that several criteria share is compiled once, and a
// decision evaluates it once.
type compiler struct {
	sectors     map[string]string
	known       map[string]*expression // by source
	expressions []*expression
}

// expression compiles one, or finds it where another criterion reads the same.
func (k *compiler) expression(source string) (*expression, string) {
	if e := k.known[source]; e != nil {
		return e, ""
	}
	e, why := compileExpression(source)
	if why == "" {
		e.number = len(k.expressions)
		k.known[source], k.expressions = e, append(k.expressions, e)
	}
	return e, why
}

// compile checks one document and makes its clauses ready.
func (k *compiler) compile(p placedDocument) (*compiled, Refused) {
	refusals := refuseDocument(p)
	c := &compiled{doc: p.doc}
	for _, own := range ownClauses(p.doc) {
		refusals = append(refusals, k.clause(p, own.where, own.clause)...)
		c.clauses = append(c.clauses, own.clause)
	}
	seen := map[string]bool{}
	for i := range p.doc.Criteria {
		where := fmt.Sprintf("criteria[%d]", i)
		criterion := p.doc.Criteria[i]
		criterion.Provenance = criterion.Provenance.or(p.doc.Provenance)
		ready := &clause{Criterion: criterion}
		refusals = append(refusals, refuseCriterion(p, where, criterion, seen)...)
		refusals = append(refusals, k.clause(p, where, ready)...)
		c.clauses = append(c.clauses, ready)
	}
	return c, refusals
}

func (k *compiler) clause(p placedDocument, where string, c *clause) Refused {
	c.lapses = nextDay(c.ValidUntil)
	if c.When == "" {
		c.row = newRow(p.doc, c)
		return nil
	}
	expr, why := k.expression(c.When)
	if why != "" {
		return Refused{p.refuse(where+".when", "%s", why)}
	}
	c.expr = expr
	if slices.Contains(expr.reads, capacityFact.Name) {
		if c.claim = p.doc.Capacity; c.claim == nil {
			c.claim = &Claim{}
		}
	}
	if why := expr.closesForSupport(c.Effect == Exclude, k.sectors); why != "" {
		return Refused{p.refuse(where+".when", "%s", why)}
	}
	c.row, c.overDays, c.turns = newRow(p.doc, c), expr.overDays(), expr.turns()
	return nil
}

// or fills what is empty from the document's own provenance.
func (p Provenance) or(of Provenance) Provenance {
	fill := func(own *string, from string) {
		if *own == "" {
			*own = from
		}
	}
	fill(&p.Source, of.Source)
	fill(&p.Link, of.Link)
	fill(&p.PublishedBy, of.PublishedBy)
	fill(&p.ValidFrom, of.ValidFrom)
	fill(&p.ValidUntil, of.ValidUntil)
	fill(&p.CheckedOn, of.CheckedOn)
	fill(&p.CheckedBy, of.CheckedBy)
	return p
}

// Shapes that events give to what a document names (schemas).
var (
	idShape   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	codeShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

const mostCriterionWords = 2000 // bytes; an event carries them

// IsCode says whether a text is a code: lower-case letters and digits in words joined by single hyphens.
func IsCode(text string) bool { return codeShape.MatchString(text) }

func refuseDocument(p placedDocument) Refused {
	doc := p.doc
	var r Refused
	need := func(where, value string) {
		if strings.TrimSpace(value) == "" {
			r = append(r, p.refuse(where, "is missing"))
		}
	}
	oneOf := func(where, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			r = append(r, p.refuse(where, "is %q; it must be one of %s", value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("format", doc.Format, Format)
	need("version", doc.Version)
	need("service.id", doc.Service.ID)
	need("service.name", doc.Service.Name)
	need("kind", doc.Kind)
	fits := func(where, value string, pattern *regexp.Regexp, most int) {
		if value != "" && (!pattern.MatchString(value) || len(value) > most) {
			r = append(r, p.refuse(where, "%q does not fit: letters, digits, dots and hyphens, at most %d (a kind: "+
				"lower-case words joined by hyphens)", value, most))
		}
	}
	fits("service.id", doc.Service.ID, idShape, 64)
	fits("kind", doc.Kind, codeShape, 60)
	if len(doc.Service.Name) > 300 {
		r = append(r, p.refuse("service.name", "is longer than 300 bytes"))
	}
	oneOf("sector", doc.Sector, Statutory, ThirdSector)
	oneOf("role", doc.Role, RoleCare, RoleImmediateHelp, RoleLastResort)
	oneOf("service.status", doc.Service.Status, "", "active", "inactive", "defunct", "temporarily closed")
	need("provenance.source", doc.Provenance.Source)
	need("provenance.publishedBy", doc.Provenance.PublishedBy)
	need("provenance.checkedOn", doc.Provenance.CheckedOn)
	need("provenance.checkedBy", doc.Provenance.CheckedBy)
	for i, route := range doc.Routes {
		oneOf(fmt.Sprintf("routes[%d]", i), route, factNamed("route").Values...)
	}
	for i, channel := range doc.Channels {
		oneOf(fmt.Sprintf("channels[%d]", i), channel, factNamed("channels").Values...)
	}
	r = append(r, refuseDays(p)...)
	r = append(r, refuseShape(p)...)
	if _, err := json.Marshal(doc.Service); err != nil {
		r = append(r, p.refuse("service", "has a field that JSON cannot say: %v", err))
	}
	if doc.Role == RoleLastResort {
		r = append(r, refuseLastResort(p)...)
	}
	return r
}

func refuseDays(p placedDocument) Refused {
	var r Refused
	day := func(where string, value Day) {
		if _, err := time.Parse(time.DateOnly, value); value != "" && err != nil {
			r = append(r, p.refuse(where, "%q is not a day; write YYYY-MM-DD", value))
		}
	}
	days := func(where string, v Provenance) {
		day(where+"validFrom", v.ValidFrom)
		day(where+"validUntil", v.ValidUntil)
		day(where+"checkedOn", v.CheckedOn)
	}
	days("provenance.", p.doc.Provenance)
	for i, c := range p.doc.Criteria {
		days(fmt.Sprintf("criteria[%d].", i), c.Provenance)
	}
	for where, claim := range map[string]*Claim{"opening": p.doc.Opening, "capacity": p.doc.Capacity,
		"wait": p.doc.Wait} {
		if claim == nil {
			continue
		}
		day(where+".asOf", claim.AsOf)
		if claim.Code != "" && (where != "capacity" || !slices.Contains(capacityFact.Values, claim.Code)) {
			r = append(r, p.refuse(where+".code", "is %q; only capacity has a code, one of %s", claim.Code,
				strings.Join(capacityFact.Values, ", ")))
		}
		if claim.AsOf == "" || claim.Says == "" {
			r = append(r, p.refuse(where, "is a claim: it needs what it says and the day it was true, asOf"))
		}
	}
	if f := p.doc.Funding; f != nil {
		day("funding.until", f.Until)
	}
	for i, told := range p.doc.Told {
		day(fmt.Sprintf("told[%d].on", i), told.On)
	}
	return r
}

func refuseShape(p placedDocument) Refused {
	var r Refused
	doc := p.doc
	if a := doc.Ages; a != nil {
		switch {
		case a.From == nil && a.To == nil:
			r = append(r, p.refuse("ages", "has neither from nor to; leave it out where all ages are welcome"))
		case a.From != nil && a.To != nil && *a.From > *a.To:
			r = append(r, p.refuse("ages", "goes from %d to %d, which is nobody", *a.From, *a.To))
		}
		if a.Words == "" {
			r = append(r, p.refuse("ages.words", "is missing: every condition is said in words fit to be read aloud"))
		}
	}
	if a := doc.Area; a != nil {
		for i, of := range a.Of {
			if areaFacts[of] == "" {
				r = append(r, p.refuse(fmt.Sprintf("area.of[%d]", i), "is %q; it must be one of residence, staying, gp",
					of))
			}
		}
		if len(a.Of) == 0 || len(a.Codes) == 0 || a.Words == "" {
			r = append(r, p.refuse("area", "needs of (residence, staying, gp), codes and words"))
		}
	}
	if a := doc.Agreement; a != nil {
		if len(a.NeverDeclinesFor) == 0 || a.Words == "" {
			r = append(r, p.refuse("agreement", "needs neverDeclinesFor (codes of reasons) and words"))
		}
		for i, reason := range a.NeverDeclinesFor {
			if declineReasons[reason] == "" {
				r = append(r, p.refuse(fmt.Sprintf("agreement.neverDeclinesFor[%d]", i), "is %q; it must be one of %s",
					reason, DeclineCodes()))
			}
		}
	}
	if f := doc.Funding; f != nil && (f.Until == "" || f.Words == "") {
		r = append(r, p.refuse("funding", "needs until and words"))
	}
	for i, told := range doc.Told {
		where := fmt.Sprintf("told[%d]", i)
		if !slices.ContainsFunc(doc.Criteria, func(c Criterion) bool { return c.ID == told.Criterion }) {
			r = append(r, p.refuse(where+".criterion", "there is no criterion %q in this document", told.Criterion))
		}
		if told.ID == "" || told.On == "" || told.By == "" || told.Words == "" {
			r = append(r, p.refuse(where, "needs id, on, by (a role) and words"))
		}
	}
	return r
}

func refuseLastResort(p placedDocument) Refused {
	var r Refused
	doc := p.doc
	why := "a last-resort service takes whoever no other takes: it may have no condition, and may not lapse"
	if doc.Ages != nil {
		r = append(r, p.refuse("ages", "%s", why))
	}
	if doc.Area != nil {
		r = append(r, p.refuse("area", "%s", why))
	}
	if len(doc.Criteria) > 0 {
		r = append(r, p.refuse("criteria", "%s", why))
	}
	if doc.Funding != nil {
		r = append(r, p.refuse("funding", "%s", why))
	}
	if doc.Provenance.ValidUntil != "" {
		r = append(r, p.refuse("provenance.validUntil", "%s", why))
	}
	if doc.Provenance.ValidFrom != "" {
		r = append(r, p.refuse("provenance.validFrom", "%s; it holds from the day it is loaded", why))
	}
	if doc.Service.Status != "" && doc.Service.Status != "active" {
		r = append(r, p.refuse("service.status", "%s", why))
	}
	return r
}

// Words that show a condition which no criterion may have. They look at what the expression check cannot see:
// clauses for conversation, and the wording of exclusions.
var (
	attendsSupport = regexp.MustCompile(
		`(?i)\b(attend|go(es|ing)?\s+to|us(e|es|ing)|access(es|ing)?|receiv(e|es|ing)|engag(e|es|ed|ing)\s+with|see(s|ing)?)\w*\b[^.]{0,50}\b(peer|support group|self-help|charit|voluntary|third[- ]sector|helpline)`)
	ownWords = regexp.MustCompile(
		`(?i)\b(bridging|check-in)\s+calls?\b|\b(own words|handover summary)\b|\bwhat (the person|you|they) (said|say|wrote|told)\b`)
)

func refuseCriterion(p placedDocument, where string, c Criterion, seen map[string]bool) Refused {
	var r Refused
	refuse := func(field, format string, args ...any) {
		r = append(r, p.refuse(where+field, format, args...))
	}
	if c.ID == "" {
		refuse(".id", "is missing")
	}
	if seen[c.ID] || slices.Contains([]string{"ages", "area", "funding", "status", "answer", "override"}, c.ID) {
		refuse(".id", "%q is taken: ids are unique in a document, and ages, area, funding, status, answer, override "+
			"have a meaning of their own", c.ID)
	}
	seen[c.ID] = true
	if !slices.Contains(criterionKinds, c.Kind) {
		refuse(".kind", "is %q; it must be one of %s", c.Kind, strings.Join(criterionKinds, ", "))
	}
	if c.Effect != Include && c.Effect != Exclude {
		refuse(".effect", "is %q; it must be include or exclude", c.Effect)
	}
	if c.ID != "" && (!idShape.MatchString(c.ID) || len(c.ID) > 100) {
		refuse(".id", "%q does not fit: letters, digits, dots and hyphens, at most 100", c.ID)
	}
	if len(c.Words) > mostCriterionWords || len(c.Source) > mostCriterionWords {
		refuse("", "has words or a source longer than %d bytes", mostCriterionWords)
	}
	if strings.TrimSpace(c.Words) == "" {
		refuse(".words", "is missing: every condition is said in words fit to be read aloud")
	}
	for field, value := range map[string]string{"source": c.Source, "publishedBy": c.PublishedBy,
		"checkedOn": c.CheckedOn, "checkedBy": c.CheckedBy} {
		if value == "" {
			refuse("."+field, "is missing here and in provenance")
		}
	}
	if (c.Axis == "") != (c.Side == "") || c.Side != "" && c.Side != SideAbove && c.Side != SideBelow {
		refuse(".side", "an axis needs its side, above or below, and a side its axis")
	}
	return append(r, refuseMeaning(p, where, c)...)
}

func refuseMeaning(p placedDocument, where string, c Criterion) Refused {
	var r Refused
	switch {
	case c.When == "" && c.NotEvaluable == nil:
		r = append(r, p.refuse(where, "needs when (an expression over facts) or notEvaluable (why, and whom to ask)"))
	case c.When != "" && c.NotEvaluable != nil:
		r = append(r, p.refuse(where, "has both when and notEvaluable: either facts decide it or a person does"))
	}
	if n := c.NotEvaluable; n != nil {
		if !slices.Contains([]string{WhyRiskGrade, WhyFreeText, WhyConversation}, n.Why) {
			r = append(r, p.refuse(where+".notEvaluable.why", "is %q; it must be %s, %s or %s", n.Why, WhyRiskGrade,
				WhyFreeText, WhyConversation))
		}
		if n.Ask == "" {
			r = append(r, p.refuse(where+".notEvaluable.ask", "is missing: say whom to ask"))
		}
	}
	if (c.NotEvaluable != nil || c.Effect == Exclude) && attendsSupport.MatchString(c.Words) {
		r = append(r, p.refuse(where+".words", "going to peer support, a group or a charity may not close a door"))
	}
	if ownWords.MatchString(c.Words) {
		r = append(r, p.refuse(where+".words", "what is said on a bridging call, and a person's own words, are never "+
			"a criterion"))
	}
	return r
}

var areaFacts = map[string]string{"residence": "areaResidence", "staying": "areaStaying", "gp": "areaGP"}

type ownClause struct {
	where  string
	clause *clause
}

// ownClauses are the criteria that a document says by its fields: ages, area, funding, status.
func ownClauses(doc Document) []ownClause {
	var own []ownClause
	add := func(where, kind, when, words string, change func(*clause)) {
		c := &clause{Criterion: Criterion{ID: where, Kind: kind, Effect: Include, When: when, Words: words,
			Provenance: doc.Provenance}}
		if change != nil {
			change(c)
		}
		own = append(own, ownClause{where: where, clause: c})
	}
	if a := doc.Ages; a != nil && (a.From != nil || a.To != nil) {
		add("ages", "age", a.expression(), a.Words, nil)
	}
	if a := doc.Area; a != nil && len(a.Of) > 0 && len(a.Codes) > 0 {
		add("area", "area", a.expression(), a.Words, nil)
	}
	if f := doc.Funding; f != nil && f.Until != "" {
		// It holds from the day after the money ends, for ever: it is an exclusion with a first day.
		add("funding", "funding", "", f.Words, func(c *clause) {
			c.ValidFrom, c.ValidUntil, c.closed = nextDay(f.Until), "", true
			if f.Source != "" {
				c.Source = f.Source
			}
		})
	}
	if s := doc.Service.Status; s != "" && s != "active" {
		add("status", "status", "", "This service is "+s+" at the moment.", func(c *clause) { c.closed = true })
	}
	return own
}

func (a Ages) expression() string {
	var parts []string
	if a.From != nil {
		parts = append(parts, fmt.Sprintf("age >= %d", *a.From))
	}
	if a.To != nil {
		parts = append(parts, fmt.Sprintf("age <= %d", *a.To))
	}
	return strings.Join(parts, " && ")
}

func (a Area) expression() string {
	codes := make([]string, len(a.Codes))
	for i, code := range a.Codes {
		codes[i] = fmt.Sprintf("%q", code)
	}
	var parts []string
	for _, of := range a.Of {
		if fact := areaFacts[of]; fact != "" {
			parts = append(parts, fmt.Sprintf("%s in [%s]", fact, strings.Join(codes, ", ")))
		}
	}
	return strings.Join(parts, " || ")
}

// nextDay is the calendar day after, or "" for what is no day.
func nextDay(day Day) Day {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

// AddDays is the day that lies n calendar days after one, or before it where n is negative; "" for what is no day.
func AddDays(day Day, n int) Day {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return t.AddDate(0, 0, n).Format(time.DateOnly)
}

// daysFrom is how many days a day lies after another; ok is false where one of them is none.
func daysFrom(from, to Day) (days int, ok bool) {
	a, errA := time.Parse(time.DateOnly, from)
	b, errB := time.Parse(time.DateOnly, to)
	return int(b.Sub(a) / (24 * time.Hour)), errA == nil && errB == nil
}
