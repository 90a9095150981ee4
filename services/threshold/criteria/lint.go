package criteria

import (
	"fmt"
	"slices"

	"footbridge/schemas"
)

// LintFinding is something in a set that somebody should look at. The set works all the same.
type LintFinding struct {
	Service string `json:"service"`
	Where   string `json:"where"`
	What    string `json:"what"`
	Step    bool   `json:"step,omitempty"` // needs an owner and a due time: somebody following it would reach nobody
}

// DeadLine is a report that a published number or link reaches nobody.
type DeadLine struct {
	Service string `json:"service"`
	What    string `json:"what"` // the number or link as published
	On      Day    `json:"on"`
}

// Link is a published address to be tried by whoever can reach the network.
type Link struct {
	Service string `json:"service"`
	Where   string `json:"where"`
	URL     string `json:"url"`
}

// staleDays is how old a last check may be, in days, before it is shown. Nothing is lowered by it.
const staleDays = 183

// Lint looks over a set: stale checks and claims, missing sources and links, money that ends, criteria that nobody
// or everybody meets, thresholds that nobody can see into, and the broken contacts that were reported.
func Lint(set *Directory, on Day, dead []DeadLine) []LintFinding {
	l := &linter{on: on}
	for _, s := range set.services {
		l.service(s)
	}
	for _, line := range dead {
		l.found = append(l.found, LintFinding{Service: line.Service, Where: line.What,
			What: "reaches nobody, as reported on " + line.On, Step: true})
	}
	return l.found
}

type linter struct {
	on    Day
	found []LintFinding
}

func (l *linter) report(s *compiled, where, format string, args ...any) {
	l.found = append(l.found, LintFinding{Service: s.doc.Service.ID, Where: where, What: fmt.Sprintf(format, args...)})
}

func (l *linter) service(s *compiled) {
	doc := s.doc
	if len(doc.Service.Phones) == 0 && doc.Service.Email == "" && doc.Service.URL == "" {
		l.report(s, "service", "has no telephone, e-mail or page: nobody can reach it")
	}
	l.checked(s, "provenance", doc.Provenance.CheckedOn)
	for _, claim := range []struct {
		where string
		claim *Claim
	}{{"opening", doc.Opening}, {"capacity", doc.Capacity}, {"wait", doc.Wait}} {
		if claim.claim != nil && claim.claim.AsOf < AddDays(l.on, -staleDays) {
			l.report(s, claim.where, "is a claim of %s; nobody has said it since", claim.claim.AsOf)
		}
	}
	if f := doc.Funding; f != nil && f.Until < AddDays(l.on, staleDays) {
		l.report(s, "funding", "ends on %s: who will be left, and who takes over?", f.Until)
	}
	for _, c := range s.clauses {
		l.clause(s, c)
	}
}

func (l *linter) checked(s *compiled, where string, on Day) {
	if on < AddDays(l.on, -staleDays) {
		l.report(s, where, "criteria not confirmed since %s", on)
	}
}

func (l *linter) clause(s *compiled, c *clause) {
	if c.CheckedOn != s.doc.Provenance.CheckedOn {
		l.checked(s, c.ID, c.CheckedOn)
	}
	if c.Link == "" {
		l.report(s, c.ID, "has no link to its source")
	}
	if c.ValidUntil != "" && c.ValidUntil < l.on {
		l.report(s, c.ID, "lapsed on %s and stands in nobody's way since; confirm it or take it out", c.ValidUntil)
	}
	if n := c.NotEvaluable; n != nil && n.Why != WhyConversation {
		l.report(s, c.ID, "is a threshold nobody can see into (%s); ask the service to say it in facts", n.Why)
	}
	if c.expr == nil {
		return
	}
	if c.claim != nil && c.capacity(l.on) == schemas.NotEvaluable {
		l.report(s, c.ID, "reads the service's capacity, and no code stated within %d days says what that is: it "+
			"takes a conversation", staleDays)
	}
	switch met, notMet := c.expr.outcomes(); {
	case met && notMet:
	case met == (c.Effect == Include):
		l.report(s, c.ID, "is met by everybody: it says nothing")
	default:
		l.report(s, c.ID, "is met by nobody: the door never opens")
	}
}

// mostCombinations bounds the search for a criterion that is always or never met.
const mostCombinations = 200_000

// outcomes says whether the expression holds for some facts, and whether it fails for some. Where it would take too
// long to know, it says both.
func (e *expression) outcomes() (holds, fails bool) {
	facts := make([]Fact, len(e.reads))
	values := make([][]any, len(e.reads))
	combinations := 1
	for i, name := range e.reads {
		facts[i] = factNamed(name)
		atoms := slices.DeleteFunc(e.tree.atoms(nil), func(a atom) bool { return a.fact != name })
		values[i] = witnesses(facts[i], atoms)
		if combinations *= len(values[i]); combinations > mostCombinations {
			return true, true
		}
	}
	for n := range combinations {
		chosen, rest := known{}, n
		for i := range facts {
			chosen[facts[i].Name] = values[i][rest%len(values[i])]
			rest /= len(values[i])
		}
		held := e.tree.truth(func(a atom) bool { return a.holds(chosen[a.fact]) })
		holds, fails = holds || held, fails || !held
	}
	return holds, fails
}

// Links lists every published address of a set, each once per place, for whoever can try them.
func Links(set *Directory) []Link {
	var links []Link
	add := func(s *compiled, where, url string) {
		if url != "" {
			links = append(links, Link{Service: s.doc.Service.ID, Where: where, URL: url})
		}
	}
	for _, s := range set.services {
		add(s, "service.url", s.doc.Service.URL)
		add(s, "provenance.link", s.doc.Provenance.Link)
		for _, c := range s.doc.Criteria {
			add(s, c.ID, c.Link)
		}
	}
	return links
}

// PublishedLines are the numbers, addresses and links that a service publishes.
func (d *Directory) PublishedLines(service string) []string {
	s := d.byID[service]
	if s == nil {
		return nil
	}
	var lines []string
	add := func(line string) {
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, phone := range s.doc.Service.Phones {
		add(phone.Number)
	}
	add(s.doc.Service.Email)
	add(s.doc.Service.URL)
	add(s.doc.Provenance.Link)
	for _, c := range s.doc.Criteria {
		add(c.Link)
	}
	return lines
}
