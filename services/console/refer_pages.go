package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"footbridge/schemas"
)

// A professional's request, one thing a page. What was answered goes along in the form until it is sent: nothing is
// kept before, and nothing of it stands in an address.

// referPage is one page of the request.
type referPage struct {
	Title, About string
	Names        []string // the questions on it
	More         []string // those that are asked where somebody has more to say
	Press        string   // the question that is answered by pressing one of its options
}

// referPages are the six answers.
var referPages = []referPage{
	{"Who is it for?", "A number of your record is enough. Without one: their name and date of birth.",
		[]string{"local", "given", "family", "birth"}, []string{"nhs", "traced", "visit", "left", "left-at"}, ""},
	{"How may they safely be reached?", "What they said themselves. No voicemail, text, letter or email goes to " +
		"anything else.", []string{"channel", "place", "confirmed"}, []string{"from", "to", "leave"}, ""},
	{"Would they like a follow-up session?", "Silence is not a yes. A no closes no door, and they may change their " +
		"mind at any time.", nil, []string{"towards", "bridging", schemas.PurposeTellReferrer}, "said"},
	{"What became of the psychosocial assessment?", "", nil, nil, "assessment"},
	{"Are they under 18?", "If so, or if it is not known, the young people’s team decides first and nobody rings " +
		"before.", nil, nil, "under18"},
	{"What were they told?", "Tick what applies. Nothing, if nothing was.", []string{"told"}, nil, ""},
}

// saidAndHow are what they said and how they said it, in one press.
var saidAndHow = []option{{Code: "yes spoken", Words: "Yes, they said so"},
	{Code: "yes written", Words: "Yes, in writing"},
	{Code: "yes interpreter", Words: "Yes, through an interpreter", Hint: "Not a relative or friend."},
	{Code: "no", Words: "No, thank you"}, {Code: "not-asked", Words: "Not asked yet"}}

// referPageView is one page of the request, or all of it to be looked at once more before it is sent.
type referPageView struct {
	Number, Of   int
	Title, About string
	Questions    []question
	More         []question
	MoreOpen     bool
	Press        *question
	Hidden       []hiddenView // what was answered on the other pages
	Request      string
	Back         int
	Advocate     string // who can be rung while the person is there
	Rows         []referRow
}

type referRow struct {
	Name, Words string
	Page        int
}

// callsHow asks how they agreed to short calls, where what was pressed about a session does not say it.
const callsHow = "calls-how"

// pressed takes in an answer that was given by a press.
func pressed(entered url.Values) {
	if said := entered.Get("said"); said != "" {
		answer, how, _ := strings.Cut(said, " ")
		entered.Set("follow-up", answer)
		entered.Set("how", cmp.Or(how, entered.Get(callsHow)))
		entered.Del("said")
	}
	if from, to := referPageAsked(entered); from > len(referPages) && to == 0 && entered.Get("bridging") == "" {
		entered.Set("bridging", "not-asked") // it was asked for among what is optional
	}
}

// pageOfQuestion is the page on which a question is asked.
func pageOfQuestion(name string) int {
	if name == "follow-up" || name == "how" || name == callsHow || name == "said" {
		name = "bridging"
	}
	for i, page := range referPages {
		if slices.Contains(page.Names, name) || slices.Contains(page.More, name) || page.Press == name {
			return i + 1
		}
	}
	return 1
}

// referPageOf is a page with what was entered; after the last one it is everything, to be looked at once more.
func referPageOf(number int, partners []Partner, entered url.Values, matters map[string]string) referPageView {
	all := map[string]question{}
	var order []question
	for _, section := range referForm(partners).filled(entered, matters).Sections {
		for _, q := range section.Questions {
			all[q.Name], order = q, append(order, q)
		}
	}
	v := referPageView{Number: number, Of: len(referPages), Back: number - 1, Request: requestOf(entered)}
	if number > len(referPages) {
		v.Title, v.Rows = "Check your answers", referRows(order)
		v.Hidden = hiddenOf(entered, nil)
		return v
	}
	page := referPages[number-1]
	v.Title, v.About = page.Title, page.About
	for _, name := range page.Names {
		v.Questions = append(v.Questions, all[name])
	}
	for _, name := range page.More {
		if q, asked := all[name]; asked {
			v.More = append(v.More, q)
			v.MoreOpen = v.MoreOpen || q.Error != "" || q.answered() != "" && name != "bridging"
		}
	}
	switch page.Press {
	case "":
	case "said":
		v.Press = &question{Name: "said", Label: page.Title, Options: saidAndHow, Error: all["follow-up"].Error}
		more := entered.Get("bridging") == "yes" || entered.Get(schemas.PurposeTellReferrer) == "yes"
		if how := all["how"]; more && entered.Get("follow-up") != "yes" {
			how.Name, how.Label = callsHow, "How did they say yes to that?"
			v.More, v.MoreOpen = append(v.More, how), true
		}
	default:
		q := all[page.Press]
		v.Press = &q
	}
	v.Hidden = hiddenOf(entered, append(slices.Concat(page.Names, page.More), page.Press))
	return v
}

// referRows are the answers in words, each with the page that asked for it.
func referRows(order []question) (rows []referRow) {
	for _, q := range order {
		if words := q.answered(); words != "" {
			rows = append(rows, referRow{q.Label, words, pageOfQuestion(q.Name)})
		}
	}
	return rows
}

// hiddenOf are the entries that go along, without those that the page itself asks for.
func hiddenOf(entered url.Values, asked []string) (hidden []hiddenView) {
	names := []string{}
	for _, section := range referForm([]Partner{{}}).Sections {
		for _, q := range section.Questions {
			if slices.Contains(asked, q.Name) {
				continue
			}
			names = append(names, q.Name)
			if q.Kind == asDate {
				names = append(names, q.Name+"-day", q.Name+"-month", q.Name+"-year")
			}
		}
	}
	for _, name := range names {
		for _, value := range entered[name] {
			if value != "" {
				hidden = append(hidden, hiddenView{name, value})
			}
		}
	}
	return hidden
}

// mattersOf are those of one page.
func mattersOf(number int, matters map[string]string) map[string]string {
	kept := map[string]string{}
	for name, words := range matters {
		if pageOfQuestion(name) == number {
			kept[name] = words
		}
	}
	return kept
}

// problems are the lines of the error summary.
func (v referPageView) problems() (all []problemView) {
	for _, q := range slices.Concat(v.Questions, v.More) {
		if q.Error != "" {
			all = append(all, problemView{q.Error, q.Anchor()})
		}
	}
	if v.Press != nil && v.Press.Error != "" {
		all = append(all, problemView{v.Press.Error, "press-1"})
	}
	return all
}

// referPageAsked is the page that a form was sent from, and the one that is asked for; 0 is none.
func referPageAsked(entered url.Values) (from, to int) {
	from, _ = strconv.Atoi(entered.Get("page"))
	to, _ = strconv.Atoi(entered.Get("go"))
	return min(max(from, 0), len(referPages)+1), min(max(to, 0), len(referPages))
}

// numberedPages are the pages of the request, for the buttons that lead back to them.
func numberedPages() []referPageView {
	pages := make([]referPageView, len(referPages))
	for i, page := range referPages {
		pages[i] = referPageView{Number: i + 1, Title: page.Title}
	}
	return pages
}
