package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/schemas"
)

// Forms of a step's actions. What can be done, and what it asks for, is the service's answer; here it becomes questions,
// and what was entered becomes the request again.

// actionView is one action of a step as a form.
type actionView struct {
	Key       string // tells it from the other forms of the page, and begins the names of its fields
	Does      string // the path it sends to
	Words     string
	Open      bool // it has been sent, and something was the matter
	Questions []question
}

// valueWords are words for what may be chosen; a code that is not here is shown with blanks for its hyphens.
var valueWords = map[string]string{
	"given": "Yes", "declined": "No", "withdrawn": "They take back an earlier yes", "spoken": "They said so", "written": "In writing", "interpreter": "Through an interpreter",
	"gillick": "They understand and can decide this themselves", "parental-responsibility": "Somebody with parental responsibility decides",
	"as-it-was": "It is right as it was", "put-right": "It has been put right", "nobody-knows": "Nobody can find out", "no-reply": "No reply", "yes": "Yes", "no": "No", "waiting": "On a list",
	"gp-practice": "GP practice", "email": "E-mail", "in-person": "In person", "our-number": "Our number", "through-gp": "Through the GP", "entered-in-error": "It was entered in error",
	"said-no": "They said no to all of it", "not-reached": "They could not be reached", "died": "They have died",
}

// formsOf are the forms of a step's actions.
func formsOf(stepNumber int, actions []schemas.Action, entered url.Values, matters map[string]string) []actionView {
	views := make([]actionView, len(actions))
	for i, a := range actions {
		key := keyOf(stepNumber, i)
		views[i] = actionView{Key: key, Does: a.Path, Words: a.Words, Open: entered.Get("action") == key}
		for _, f := range a.Fields {
			for _, q := range questionsOf(key, f) {
				views[i].Questions = append(views[i].Questions, q.filled(entered, matters[q.Name]))
			}
		}
	}
	return views
}

// questionsOf are how a form asks for one field; nothing where its value is known.
func questionsOf(key string, f schemas.Field) []question {
	name, label, hint := key+"."+f.Name, f.Words, ""
	if f.Value != "" {
		return nil
	}
	if !f.Required {
		hint = "Leave this empty where it does not apply"
	}
	switch {
	case f.Kind == "choice" && f.List:
		return []question{some(name, label, hint, optionsOf(f.Values)...)}
	case f.Kind == "choice" && len(f.Values) <= 7:
		return []question{one(name, label, hint, optionsOf(f.Values)...)}
	case f.Kind == "choice":
		return []question{choice(name, label, hint, append([]option{{Words: "Choose one"}}, optionsOf(f.Values)...)...)}
	case f.Kind == "yes-no":
		return []question{some(name, label, "", option{Code: "true", Words: "Yes"})}
	case f.Kind == "date":
		return []question{date(name, label, hint)}
	case f.Kind == "time":
		return []question{date(name, label, hint), text(name+"-at", "At what time?", "Such as 14:30").short(10)}
	case f.Kind == "number":
		return []question{text(name, label, hint).short(5).digits()}
	}
	return []question{text(name, label, hint)}
}

func optionsOf(codes []string) []option {
	options := make([]option, len(codes))
	for i, code := range codes {
		words := valueWords[code]
		if words == "" {
			words = wordsFor(factWords, code)
		}
		options[i] = option{Code: code, Words: sentenceCase(words)}
	}
	return options
}

// bodyOf is the request that a filled-in form of an action makes; what is the matter is gathered in a.
func bodyOf(key string, action schemas.Action, a *answers) ([]byte, error) {
	filled := map[string][]string{}
	for _, f := range action.Fields {
		name := key + "." + f.Name
		switch {
		case f.Value != "":
			continue
		case f.Kind == "date":
			filled[f.Name] = []string{a.date(name)}
		case f.Kind == "time":
			if at := a.moment(name, name+"-at", "Enter the day and the time"); at != nil {
				filled[f.Name] = []string{at.Format(time.RFC3339)}
			}
		case f.Kind == "choice":
			filled[f.Name] = a.some(name, f.Values...)
		default:
			filled[f.Name] = []string{a.text(name, max(f.MaxLength, 5))}
		}
		if f.Required && strings.Join(filled[f.Name], "") == "" {
			a.matter(name, "Answer this: "+f.Words)
		}
	}
	return action.Fill(filled)
}

// actionNamed is the action of a step that a form names and that sends to a path, if it is open to the caller still: a
// page may be older than the journey.
func actionNamed(j journey, stepID, key, does string) (schemas.Action, bool) {
	n := slices.IndexFunc(j.Steps, func(s step) bool { return s.ID == stepID })
	if n < 0 {
		return schemas.Action{}, false
	}
	for i, a := range j.Steps[n].Actions {
		if keyOf(n, i) == key && a.Path == does {
			return a, true
		}
	}
	return schemas.Action{}, false
}

func keyOf(step, action int) string { return fmt.Sprintf("a%d-%d", step+1, action+1) }

// serviceOf is who serves a path, by the route table.
func serviceOf(method, path string) string {
	for _, r := range schemas.Routes() {
		if r.Method == method && samePath(r.Pattern, path) {
			return r.Service
		}
	}
	return ""
}

// samePath says whether a path is one of a pattern: segment by segment, a parameter standing for any.
func samePath(pattern, path string) bool {
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(p, q, func(p, q string) bool { return p == q || strings.HasPrefix(p, "{") && q != "" })
}
