package console

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"footbridge/schemas"
)

// Forms of what may be done about one thing: a step, an offer, a call, a partner. What can be done, and what it asks
// for, is the service's answer; here it becomes questions, and what was entered becomes the request again. Every such
// form sends to the page on which it stands, so that whoever goes back, or opens the address again, comes to that page.

// actionsView is what may be done about one thing.
type actionsView struct {
	At      string // the page, which its forms send to
	About   string // what it is about, for a screen reader beside each button
	Request string // makes a second press of a button harmless
	Forms   []actionView
	TakeOn  []takeOn // the owners as whom it can be taken on
	With    string   // what every form sends along: how the page was reached
	// Check is a form that is looked at once more before anything leaves the NHS; nothing else is on the page then.
	Check *checkView
	// Kept is what was entered in a form that is not open any more.
	Kept []string
}

// checkView is what was entered, in words, and what leaves the NHS by it.
type checkView struct {
	actionView
	Leaves  string
	Changes []changeView // what is corrected by it, as it was and as it will be
	Rows    []factView
	Hidden  []hiddenView
	entered url.Values
}

type hiddenView struct{ Name, Value string }

// takeOn is one owner as whom a step can be taken on.
type takeOn struct{ Owner, Name string }

// actionView is one action as a form.
type actionView struct {
	At, About, Request, With string
	Stood, Opened            string // how its thing stood, and when, as it was shown
	Key                      string // tells it from the other forms of the page, and begins the names of its fields
	Does                     string // the path it sends to
	Words                    string
	Open                     bool // it is shown at once: it is the one that is meant most often, or it was sent
	Seen                     []seen
	Questions                []question
}

// seen is what a form sends back as the page showed it, so that nobody decides about what they have not read.
type seen struct{ Name, Value string }

// filledIn is what somebody entered, and what is the matter with it by the name of its question.
type filledIn struct {
	entered url.Values
	matters map[string]string
	check   bool // it is complete, and is to be looked at once more
	changed bool // somebody else was faster
	gone    bool // and what was to be recorded is not open any more
}

// offered are what there is to choose from, where a request takes a code of something that has a name: by what the
// field is, such as service, partner or owner.
type offered map[string][]option

// formsOf are the forms of actions; request is new, and makes a second press of a button harmless. The first that asks
// something is shown open; one that was sent stands instead of it.
func formsOf(at, about, request string, actions []schemas.Action, f filledIn) actionsView {
	return formsWith(offered{}, "", at, about, request, actions, f)
}

// formsWith is formsOf with what there is to choose from, and with how the thing itself stands: whoever sends a form is
// told what has changed since it was shown.
func formsWith(there offered, stands, at, about, request string, actions []schemas.Action, f filledIn) actionsView {
	view := actionsView{At: at, About: about, Request: request, With: f.entered.Get("with")}
	sent := -1
	for i := range actions {
		if keyOf(i) == f.entered.Get("action") && !f.gone {
			sent = i
		}
	}
	for i, a := range actions {
		form := actionView{At: at, About: about, Request: view.Request + "-" + keyOf(i), With: view.With, Key: keyOf(i),
			Does: a.Path, Words: a.Words, Open: i == max(sent, 0), Stood: markOf(stands, a)}
		if kept := f.entered.Get("request"); i == sent && kept != "" {
			form.Request = kept
		}
		for _, field := range a.Fields {
			if field.Seen {
				form.Seen = append(form.Seen, seen{form.Key + "." + field.Name, strings.Join(field.Now, "")})
				continue
			}
			entered := f.entered
			if i != sent {
				entered = presentOf(form.Key, field)
			}
			for _, q := range there.questionsOf(form.Key, field, entered) {
				form.Questions = append(form.Questions, q.filled(entered, f.matters[q.Name]))
			}
		}
		view.Forms = append(view.Forms, form)
		if i == sent && f.check {
			view.Check = checkOf(form, a, f.entered)
		}
	}
	if f.gone {
		view.Kept = keptOf(f.entered)
	}
	return view
}

// openedAt notes in every form when it was shown, so that what has changed since can be told.
func (v actionsView) openedAt(now time.Time) actionsView {
	for i := range v.Forms {
		v.Forms[i].Opened = now.UTC().Format(time.RFC3339Nano)
	}
	if v.Check != nil {
		v.Check.Opened = now.UTC().Format(time.RFC3339Nano)
	}
	return v
}

// markOf marks how a thing stood, and what an action of it asked for, when its form was shown.
func markOf(stands string, a schemas.Action) string {
	text, _ := json.Marshal(a) // of strings and lists alone
	sum := sha256.Sum256(append(text, stands...))
	return hex.EncodeToString(sum[:8])
}

// checkOf is a form that is complete, to be looked at once more: what was answered, in words, and all of it to be sent
// as it was entered.
func checkOf(form actionView, a schemas.Action, entered url.Values) *checkView {
	v := &checkView{actionView: form, Leaves: a.Leaves, entered: entered}
	for _, q := range form.Questions {
		if words := q.answered(); words != "" {
			v.Rows = append(v.Rows, factView{q.Label, words})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(entered)) {
		if strings.HasPrefix(name, form.Key+".") {
			for _, value := range entered[name] {
				v.Hidden = append(v.Hidden, hiddenView{name, value})
			}
		}
	}
	return v
}

// answered is what was answered to a question, in words; nothing where nothing was.
func (q question) answered() string {
	var words []string
	for _, o := range q.Options {
		if o.Chosen && o.Code != "" {
			words = append(words, o.Words)
		}
	}
	if q.Kind == asText || q.Kind == asLong {
		return q.Value
	}
	if q.Kind == asDate {
		for _, p := range q.Parts {
			words = append(words, p.Value)
		}
		return strings.TrimSpace(strings.Join(words, " "))
	}
	return all(words)
}

// keptOf is what somebody had entered, in words, where its form is not open any more: nothing of it is lost.
func keptOf(entered url.Values) (kept []string) {
	key := entered.Get("action") + "."
	for _, name := range slices.Sorted(maps.Keys(entered)) {
		for _, value := range entered[name] {
			if strings.HasPrefix(name, key) && strings.TrimSpace(value) != "" {
				kept = append(kept, cmp.Or(valueWords[value], value))
			}
		}
	}
	return kept
}

// leavesBy says whether what was filled in lets something leave the NHS.
func leavesBy(a schemas.Action, entered url.Values) bool {
	if a.Leaves == "" || a.LeavesBy == "" {
		return a.Leaves != ""
	}
	for name, values := range entered {
		if strings.HasPrefix(name, entered.Get("action")+".") && slices.Contains(values, a.LeavesBy) {
			return true
		}
	}
	return false
}

// Presses are the actions that ask nothing, as buttons.
func (v actionsView) Presses() []actionView {
	return slices.DeleteFunc(slices.Clone(v.Forms), func(f actionView) bool { return len(f.Questions) > 0 })
}

// Asks says that the usual action asks something: then no button stands out before it.
func (v actionsView) Asks() bool { return len(v.Forms) > 0 && len(v.Forms[0].Questions) > 0 }

func keyOf(action int) string { return fmt.Sprintf("a%d", action+1) }

// presentOf is what stands in a field at present, as if somebody had entered it.
func presentOf(key string, f schemas.Field) url.Values {
	entered, name := url.Values{}, key+"."+f.Name
	for i, now := range f.Now {
		switch {
		case f.Kind == "date":
			enterDay(entered, name, now)
		case f.Kind == "days-away":
			from, until, _ := strings.Cut(now, "/")
			enterDay(entered, awayName(name, i, "from"), from)
			enterDay(entered, awayName(name, i, "until"), until)
		case f.List && f.Kind == "text":
			entered.Set(name, strings.Join(f.Now, ", "))
		default:
			entered.Add(name, now)
		}
	}
	return entered
}

func enterDay(entered url.Values, name, day string) {
	if t, err := time.Parse(time.DateOnly, day); err == nil {
		entered.Set(name+"-day", t.Format("2"))
		entered.Set(name+"-month", t.Format("1"))
		entered.Set(name+"-year", t.Format("2006"))
	}
}

// questionsOf are how a form asks for one field; nothing where its value is known.
func (there offered) questionsOf(key string, f schemas.Field, entered url.Values) []question {
	name, label, hint := key+"."+f.Name, f.Words, ""
	if f.Value != "" {
		return nil
	}
	if !f.Required {
		hint = "Leave this empty where it does not apply"
	}
	switch options := there[f.Is]; {
	case len(options) > 0 && !f.List:
		none := option{Words: "Choose one"}
		if !f.Required {
			none.Words = "Nothing chosen"
		}
		return []question{choice(name, label, "", append([]option{none}, options...)...)}
	case f.Kind == "choice" && f.List:
		return []question{some(name, label, hint, optionsOf(f.Values)...)}
	case f.Kind == "choice" && len(f.Values) <= 8:
		return []question{one(name, label, hint, optionsOf(f.Values)...)}
	case f.Kind == "choice":
		return []question{choice(name, label, hint, append([]option{{Words: "Choose one"}}, optionsOf(f.Values)...)...)}
	case f.Kind == "yes-no":
		return []question{some(name, label, "", option{Code: "true", Words: "Yes"})}
	case f.Kind == "date":
		return []question{date(name, label, hint)}
	case f.Kind == "time":
		return []question{date(name, label, hint), text(name+"-at", "At what time?", "Such as 14:30").short(10)}
	case f.Kind == "days-away":
		return awayQuestions(name, entered)
	case f.Kind == "number":
		return []question{text(name, label, hint).short(5).digits()}
	}
	q := text(name, label, hint)
	if f.MaxLength > 300 {
		q.Kind = asLong
	}
	return []question{q}
}

// mostAway is how many times away one form holds.
const mostAway = 20

// awayQuestions ask for the times away that were entered, and for one more.
func awayQuestions(name string, entered url.Values) (all []question) {
	for i := range mostAway {
		from, until := awayName(name, i, "from"), awayName(name, i, "until")
		all = append(all, date(from, fmt.Sprintf("Time away %d: from", i+1), ""),
			date(until, "Until, that day too", ""))
		if entered.Get(from+"-day")+entered.Get(until+"-day") == "" {
			return all
		}
	}
	return all
}

func awayName(name string, i int, end string) string { return fmt.Sprintf("%s-%d-%s", name, i+1, end) }

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
		if f.Value != "" {
			continue
		}
		if f.Seen {
			filled[f.Name] = []string{a.entered.Get(name)}
			continue
		}
		filled[f.Name] = a.field(name, f)
		if f.Required && strings.Join(filled[f.Name], "") == "" {
			a.matter(name, "Answer this: "+f.Words)
		}
		if f.Kind == "number" && strings.Trim(strings.Join(filled[f.Name], ""), "0123456789") != "" {
			a.matter(name, "Write a whole number, such as 3")
		}
	}
	if len(a.matters) > 0 {
		return nil, nil
	}
	return action.Fill(filled)
}

// field is what was entered for one field of a request.
func (a *answers) field(name string, f schemas.Field) []string {
	switch {
	case f.Kind == "date":
		return []string{a.date(name)}
	case f.Kind == "time":
		if at := a.moment(name, name+"-at", "Enter the day and the time"); at != nil {
			return []string{at.Format(time.RFC3339)}
		}
		return nil
	case f.Kind == "days-away":
		return a.daysAway(name)
	case f.Kind == "choice":
		return a.some(name, f.Values...)
	case f.Is == "code":
		return []string{codeIn(a.text(name, max(f.MaxLength, 5)))}
	case f.List:
		return strings.FieldsFunc(a.text(name, 500), func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	}
	return []string{a.text(name, max(f.MaxLength, 5))}
}

// codeIn is a role or a word as a request takes it, from what somebody wrote: ‘Ward team’ is ward-team.
func codeIn(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text),
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}

func (a *answers) daysAway(name string) (all []string) {
	for i := range mostAway {
		first, last := awayName(name, i, "from"), awayName(name, i, "until")
		from, until := a.date(first), a.date(last)
		switch {
		case from == "" && until == "":
		case from == "":
			a.matter(first, "Enter the first day away")
		case until == "":
			a.matter(last, "Enter the last day away")
		case until < from:
			a.matter(last, "The last day is before the first: look at both")
		default:
			all = append(all, from+"/"+until)
		}
	}
	return all
}

// problems are lines of the error summary, in the order of the page, each leading to its question.
func (v actionsView) problems() (all []problemView) {
	for _, form := range v.Forms {
		for _, q := range form.Questions {
			if q.Error != "" {
				all = append(all, problemView{q.Error, q.Anchor()})
			}
		}
	}
	return all
}

// inWords puts a refusal that speaks of a request's members into the words that the form asks by: nobody who fills one
// in knows what answers.0.state is.
func inWords(detail string, action schemas.Action) string {
	var pairs []string
	for _, f := range action.Fields {
		last, words := f.Name[strings.LastIndex(f.Name, ".")+1:], "‘"+strings.TrimRight(f.Words, "?. ")+"’"
		pairs = append(pairs, " ("+last+")", "", " ("+f.Name+")", "", "/"+strings.ReplaceAll(f.Name, ".", "/"), words,
			f.Name+" is", words+" is")
		for _, code := range f.Values {
			if words := valueWords[code]; words != "" && strings.Contains(code, "-") {
				pairs = append(pairs, code, "‘"+words+"’")
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(detail)
}

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

// idIn is the id of a thing that an action is about, such as "offers" of /api/offers/ID/accept; empty where it is none.
func idIn(actions []schemas.Action, of string) string {
	for _, a := range actions {
		if rest, found := strings.CutPrefix(a.Path, "/api/"+of+"/"); found {
			id, _, _ := strings.Cut(rest, "/")
			return id
		}
	}
	return ""
}
