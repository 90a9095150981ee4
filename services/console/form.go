package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// form is questions put to somebody, with what they entered and what is the matter with it. One template shows every
// form, so that all are read by a screen reader, by keyboard and on a small screen in the same way.
type form struct {
	Sections []section
	// Request makes a form that is sent twice one request.
	Request string
}

// section is questions under one heading.
type section struct {
	Heading, About string
	Questions      []question
}

// What a question is answered with.
const (
	asText   = "text"
	asLong   = "long"   // several lines
	asDate   = "date"   // day, month and year, in NAME-day and so on
	asOne    = "one"    // one of some options
	asSome   = "some"   // any of some options
	asChoice = "choice" // one of many options
)

// question is one thing asked for.
type question struct {
	Kind        string
	Name, Label string
	Hint        string
	Options     []option
	Digits      bool   // a number's keys are shown on a small screen
	Short       int    // how many characters the answer usually has; 0 is many
	Complete    string // what a browser may fill in; empty is nothing
	Value       string
	Parts       []part // of a date
	Error       string
}

// part is one field of a date.
type part struct {
	Name, Label, Value, Complete string
	Short                        int
}

// option is one answer to choose.
type option struct {
	Code, Words, Hint string
	Chosen            bool
}

// Anchor is the id of what is to be looked at first.
func (q question) Anchor() string {
	switch q.Kind {
	case asOne, asSome:
		return q.Name + "-1"
	case asDate:
		return q.Name + "-day"
	}
	return q.Name
}

// Group says that several fields answer the question together.
func (q question) Group() bool { return q.Kind == asOne || q.Kind == asSome || q.Kind == asDate }

// About are the ids of what explains the question to a screen reader.
func (q question) About() string {
	var ids []string
	if q.Hint != "" {
		ids = append(ids, q.Name+"-hint")
	}
	if q.Error != "" {
		ids = append(ids, q.Name+"-error")
	}
	return strings.Join(ids, " ")
}

// text and its like make questions.
func text(name, label, hint string) question {
	return question{Kind: asText, Name: name, Label: label, Hint: hint}
}

func date(name, label, hint string) question {
	return question{Kind: asDate, Name: name, Label: label, Hint: hint}
}

func one(name, label, hint string, options ...option) question {
	return question{Kind: asOne, Name: name, Label: label, Hint: hint, Options: options}
}

func some(name, label, hint string, options ...option) question {
	return question{Kind: asSome, Name: name, Label: label, Hint: hint, Options: options}
}

func choice(name, label, hint string, options ...option) question {
	return question{Kind: asChoice, Name: name, Label: label, Hint: hint, Options: options}
}

func (q question) short(characters int) question { q.Short = characters; return q }
func (q question) digits() question              { q.Digits = true; return q }
func (q question) completed(by string) question  { q.Complete = by; return q }

// optionView is one option with what its template needs.
type optionView struct {
	option
	ID, Name, Type, Class string
}

func optionOf(q question, i int, kind string) optionView {
	class := map[string]string{"radio": "radios", "checkbox": "checkboxes"}[kind]
	return optionView{q.Options[i], q.Name + "-" + strconv.Itoa(i+1), q.Name, kind, class}
}

var dateParts = []struct {
	name, label string
	short       int
}{{"day", "Day", 2}, {"month", "Month", 2}, {"year", "Year", 4}}

// filled is the form with what was entered, and with what is the matter by the name of its question.
func (f form) filled(entered url.Values, matters map[string]string) form {
	filled := form{Request: f.Request}
	for _, s := range f.Sections {
		s.Questions = slices.Clone(s.Questions)
		for i, q := range s.Questions {
			s.Questions[i] = q.filled(entered, matters[q.Name])
		}
		filled.Sections = append(filled.Sections, s)
	}
	return filled
}

func (q question) filled(entered url.Values, matter string) question {
	q.Value, q.Error = entered.Get(q.Name), matter
	q.Options = slices.Clone(q.Options)
	for i := range q.Options {
		q.Options[i].Chosen = slices.Contains(entered[q.Name], q.Options[i].Code)
	}
	if q.Kind == asDate {
		q.Parts = nil
		for _, p := range dateParts {
			name := q.Name + "-" + p.name
			complete := "off"
			if q.Complete != "" {
				complete = q.Complete + "-" + p.name
			}
			q.Parts = append(q.Parts, part{Name: name, Label: p.label, Value: entered.Get(name), Complete: complete,
				Short: p.short})
		}
	}
	return q
}

// problems are the lines of the error summary, in the order of the page.
func (f form) problems() []problemView {
	var all []problemView
	for _, s := range f.Sections {
		for _, q := range s.Questions {
			if q.Error != "" {
				all = append(all, problemView{q.Error, q.Anchor()})
			}
		}
	}
	return all
}

// answers reads what was entered, and gathers what is the matter with it.
type answers struct {
	entered url.Values
	matters map[string]string
	zone    *time.Location
}

func newAnswers(entered url.Values, zone *time.Location) *answers {
	return &answers{entered: entered, matters: map[string]string{}, zone: zone}
}

// matter says what is wrong with a question's answer; what was said first stands.
func (a *answers) matter(name, words string) {
	if a.matters[name] == "" {
		a.matters[name] = words
	}
}

// text is one line, trimmed, of at most so many characters.
func (a *answers) text(name string, most int) string {
	value := strings.TrimSpace(a.entered.Get(name))
	if utf8.RuneCountInString(value) > most {
		a.matter(name, "Write this in at most "+strconv.Itoa(most)+" characters")
	}
	return value
}

// one is a chosen option, or nothing; what is no option is not taken.
func (a *answers) one(name string, codes ...string) string {
	if value := a.entered.Get(name); slices.Contains(codes, value) {
		return value
	}
	return ""
}

// needed is one, and it has to be answered.
func (a *answers) needed(name, words string, codes ...string) string {
	value := a.one(name, codes...)
	if value == "" {
		a.matter(name, words)
	}
	return value
}

// some are the chosen options.
func (a *answers) some(name string, codes ...string) []string {
	return slices.DeleteFunc(slices.Clone(codes),
		func(code string) bool { return !slices.Contains(a.entered[name], code) })
}

func (a *answers) ticked(name string) bool { return a.entered.Get(name) != "" }

// date is a local day as YYYY-MM-DD, or nothing where none was entered.
func (a *answers) date(name string) string {
	var parts [3]string
	for i, p := range dateParts {
		parts[i] = strings.TrimSpace(a.entered.Get(name + "-" + p.name))
	}
	if parts == [3]string{} {
		return ""
	}
	day, err := time.Parse("2-1-2006", strings.Join(parts[:], "-"))
	if err != nil {
		a.matter(name, "Enter a day, a month and a year, such as 27 3 1990")
		return ""
	}
	return day.Format(time.DateOnly)
}

// clockForms are the ways in which people write a time of day.
var clockForms = []string{"15:04", "15.04", "1504", "3:04pm", "3.04pm", "3pm"}

// moment is a local day with a time of day, or nil where neither was entered.
func (a *answers) moment(day, at, missing string) *time.Time {
	on, clock := a.date(day), strings.ToLower(strings.ReplaceAll(a.entered.Get(at), " ", ""))
	switch {
	case on == "" && clock == "":
		return nil
	case on == "":
		a.matter(day, missing)
		return nil
	case clock == "":
		a.matter(at, missing)
		return nil
	}
	for _, form := range clockForms {
		if t, err := time.ParseInLocation(time.DateOnly+" "+form, on+" "+clock, a.zone); err == nil {
			return &t
		}
	}
	a.matter(at, "Enter a time such as 14:30 or 2:30pm")
	return nil
}

func codesOf(options []option) []string {
	codes := make([]string, len(options))
	for i, o := range options {
		codes[i] = o.Code
	}
	return codes
}
