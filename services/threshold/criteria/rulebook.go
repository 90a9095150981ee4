package criteria

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"strings"
)

//go:embed rulebook.html
var ruleBookPage string

var ruleBookTemplate = template.Must(template.New("rulebook").Parse(ruleBookPage))

// ErrNoRuleBook is returned where a page holds no criteria.
var ErrNoRuleBook = errors.New("this page is no rule book: it holds no access criteria")

type ruleBook struct {
	Hash         string
	On           Day
	Services     []ruleBookService
	Discrepancy  []Discrepancy
	Canonical    template.JS
	Illustrative bool
	Unasked      bool // nobody could say which lines reach nobody
}

type ruleBookService struct {
	Document
	Conditions []ruleBookCondition
	dead       []DeadLine
}

// NotWorking is the day on which a published line of the service was reported to reach nobody; empty where it was not.
func (s ruleBookService) NotWorking(line string) Day {
	for _, dead := range s.dead {
		if dead.What == line {
			return dead.On
		}
	}
	return ""
}

// Say leaves lines that reach nobody out of what the service says of itself.
func (s ruleBookService) Say(words string) string {
	for _, dead := range s.dead {
		words = strings.ReplaceAll(words, dead.What, "[left out: reported not working on "+dead.On+", being checked]")
	}
	return words
}

type ruleBookCondition struct {
	Criterion
	Lapsed bool
}

// RuleBook writes every criterion in plain words, with its dates and sources, as one page of HTML that needs no
// script, style sheet or picture from elsewhere: it can be printed, mailed and kept. The page carries the set
// itself, so that its hash can be checked against the running set's (ReadRuleBook). A line that was reported to reach
// nobody is not printed for people to try: its place says since when. dead is nil where nobody could be asked for such
// reports, and the page says so.
func RuleBook(set *Directory, on Day, dead []DeadLine) ([]byte, error) {
	book := ruleBook{Hash: set.Hash, On: on, Unasked: dead == nil, Discrepancy: ToldAgainstPublished(set, nil),
		Canonical: template.JS(set.Canonical())}
	for _, s := range set.services {
		book.Illustrative = book.Illustrative || s.doc.Illustrative
		service := ruleBookService{Document: s.doc}
		for _, line := range dead {
			if line.Service == s.doc.Service.ID {
				service.dead = append(service.dead, line)
			}
		}
		for _, c := range s.clauses {
			service.Conditions = append(service.Conditions,
				ruleBookCondition{Criterion: c.Criterion, Lapsed: !c.inForce(on)})
		}
		book.Services = append(book.Services, service)
	}
	var page bytes.Buffer
	if err := ruleBookTemplate.Execute(&page, book); err != nil {
		return nil, fmt.Errorf("writing the rule book of %q: %w", set.Hash, err)
	}
	return page.Bytes(), nil
}

const (
	ruleBookOpens  = `<script type="application/json" id="access-criteria">`
	ruleBookCloses = `</script>`
)

// ReadRuleBook loads the set that a rule book carries. Its Hash is worked out from what the page says, so it equals
// the running set's only where nothing was changed.
func ReadRuleBook(page []byte) (*Directory, error) {
	_, rest, found := strings.Cut(string(page), ruleBookOpens)
	content, _, closed := strings.Cut(rest, ruleBookCloses)
	if !found || !closed {
		return nil, ErrNoRuleBook
	}
	return Load(Source{Name: "rule book", Content: []byte(strings.TrimSpace(content))})
}
