package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Searching, by a press and never by an address: what is looked for says who somebody is. What is found are codes.

type foundLine struct {
	Journey string    `json:"journey"`
	State   string    `json:"state"`
	BeganAt time.Time `json:"beganAt"`
}

type found struct {
	Items []foundLine `json:"items"`
	More  bool        `json:"more"`
}

// sought is what is looked for, as intake takes it.
type sought struct {
	Code       string `json:"code,omitempty"`
	Visit      string `json:"visit,omitempty"`
	NHSNumber  string `json:"nhsNumber,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
	BirthDate  string `json:"birthDate,omitempty"`
}

func (c *client) search(ctx context.Context, p principal.Principal, what sought, reason string) (all found,
	err error) {
	err = c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/people/search", "", what, &all,
		header{schemas.ReasonHeader, reason})
	return all, err
}

func searchForm() form {
	why := accessForm().Sections[0].Questions[0]
	why.Label = "Why do you search?"
	why.Hint = "Needed with an NHS number or a name. It is kept, and whoever is found can read it. For example: they " +
		"rang and ask who will call."
	return form{Sections: []section{
		{Questions: []question{text("code", "Code of the journey", "Eight letters and digits, such as 1A2B-3C4D.").
			short(10)}},
		{Heading: "Or the hospital’s number", Questions: []question{text("visit", "Number of the visit", "").short(20),
			text("nhs", "NHS number", "All ten digits, as they stand on a letter.").short(10).digits()}},
		{Heading: "Or who they are", About: "Both, exactly as they are written down: nothing that is only alike is " +
			"found.", Questions: []question{text("family", "Family name", "").short(20),
			date("born", "Date of birth", "For example, 27 3 1990")}},
		{Questions: []question{why}},
	}}
}

// readSearch reads what somebody looks for.
func readSearch(a *answers) (what sought, reason string) {
	what = sought{Code: a.text("code", 60), Visit: a.text("visit", 60), NHSNumber: a.text("nhs", 30),
		FamilyName: a.text("family", 100), BirthDate: a.date("born")}
	ways := 0
	for _, value := range []string{what.Code, what.Visit, what.NHSNumber, what.FamilyName + what.BirthDate} {
		if value != "" {
			ways++
		}
	}
	switch {
	case len(a.matters) > 0:
	case ways == 0:
		a.matter("code", "Write a code, a number, or a family name with the date of birth")
	case ways > 1:
		a.matter("code", "Search by one of these at a time: leave the others empty")
	case what.BirthDate != "" && what.FamilyName == "":
		a.matter("family", "Write the family name too")
	case what.FamilyName != "" && what.BirthDate == "":
		a.matter("born", "Write the date of birth too")
	}
	if reason = a.text("why", 200); reason != "" || what.NHSNumber != "" || what.FamilyName != "" {
		reason = a.reason("why")
	}
	return what, reason
}

type searchView struct {
	form
	Searched bool
	Found    []foundView
	More     bool
	// Treats: the caller reads one journey at a time, for a reason each.
	Treats, Refers, Reviews bool
}

// foundView is one journey that was found.
type foundView struct{ ID, Code, State, Began string }

func (s *Console) showSearch(w http.ResponseWriter, r *http.Request) error {
	return s.searchAgain(w, r, http.StatusOK, filledIn{}, searchView{})
}

func (s *Console) searchAgain(w http.ResponseWriter, r *http.Request, status int, f filledIn, page searchView,
	more ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	page.form = searchForm().filled(f.entered, f.matters)
	page.Request = clock.NewRandomID()
	page.Treats = p.Role == string(schemas.TreatingStaff)
	page.Refers, page.Reviews = opens("GET", "/refer", p.Role), opens("GET", "/searches", p.Role)
	return s.show(w, r, status, "search", view{Title: "Search", Here: "/search",
		Problems: append(page.problems(), more...), Page: page})
}

func (s *Console) search(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	what, reason := readSearch(a)
	kept := filledIn{entered: r.PostForm, matters: a.matters}
	if len(a.matters) > 0 {
		return s.searchAgain(w, r, http.StatusUnprocessableEntity, kept, searchView{})
	}
	all, err := s.client.search(r.Context(), p, what, reason)
	if status, shown := notShown(err, "code"); shown != nil {
		return s.searchAgain(w, r, status, kept, searchView{}, *shown)
	}
	if err != nil {
		return err
	}
	page := searchView{Searched: true, More: all.More}
	for _, one := range all.Items {
		page.Found = append(page.Found, foundView{one.Journey, codeOf(one.Journey),
			wordsFor(foundStates, one.State), one.BeganAt.In(s.zone).Format("Monday 2 January 2006")})
	}
	if len(page.Found) > 0 {
		return s.searchAgain(w, r, http.StatusOK, filledIn{}, page)
	}
	return s.searchAgain(w, r, http.StatusOK, kept, page)
}

var foundStates = map[string]string{"open": "Open", "held": "On hold", "closed": "Closed"}

// notShown says of something that could not be shown just now, or for this reason, what is to be done with a form that
// stays on the screen with all that was typed.
func notShown(err error, anchor string) (status int, shown *problemView) {
	var problem *httpx.Problem
	switch {
	case !errors.As(err, &problem):
		return 0, nil
	case notKept(problem.Status):
		return problem.Status, &problemView{
			"This could not be shown just now. What you wrote is still here: press the " +
				"button again in a minute", anchor}
	case problem.Status == http.StatusForbidden || problem.Status == http.StatusUnprocessableEntity ||
		problem.Status == http.StatusConflict:
		return problem.Status, &problemView{inWords(problem.Detail, schemas.Action{}), anchor}
	}
	return 0, nil
}

// What was searched for is reviewed by somebody who did not search.

type searchLine struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Role     string    `json:"role"`
	By       string    `json:"by"`
	LookedBy string    `json:"lookedBy"`
	Found    int       `json:"found"`
	Reason   string    `json:"reason"`
}

type searchesView struct {
	form
	Lines []searchLineView
	UpTo  string
	Next  bool // there are more than are shown
}

type searchLineView struct {
	At, Who, By, Found, Why string
}

var lookedByWords = map[string]string{"code": "The code of a journey", "visit": "The number of a visit",
	"nhs-number": "An NHS number", "name": "A family name and date of birth"}

func reviewForm() form {
	return form{Sections: []section{{Questions: []question{
		one("finding", "What did you find?", "", option{Code: schemas.AccessInOrder, Words: "They are in order"},
			option{Code: schemas.AccessPassedOn, Words: "Something is not in order, and I have passed it on"}),
		choice("to", "Who has it now?", "Where something is not in order.", reviewedBy...),
	}}}}
}

// reviewedBy are those who decide about a look that is not in order.
var reviewedBy = []option{{Code: "", Words: "Choose"}, {Code: "privacy-officer", Words: "Privacy officer"},
	{Code: "information-governance-lead", Words: "Information governance lead"},
	{Code: "caldicott-guardian", Words: "Caldicott guardian"}, {Code: "line-manager", Words: "Their manager"}}

// readReview reads what a reviewer found, and to whom it was passed on.
func readReview(a *answers) (finding, to string) {
	finding = a.needed("finding", "Say what you found", schemas.AccessInOrder, schemas.AccessPassedOn)
	to = a.one("to", codesOf(reviewedBy)...)
	switch {
	case finding == schemas.AccessPassedOn && to == "":
		a.matter("to", "Say who has it now")
	case finding == schemas.AccessInOrder && to != "":
		a.matter("to", "What is in order is passed on to nobody: choose nobody here, or say above that it is not")
	}
	return finding, to
}

func (s *Console) showSearches(w http.ResponseWriter, r *http.Request) error {
	return s.searchesPage(w, r, http.StatusOK, filledIn{})
}

func (s *Console) searchesPage(w http.ResponseWriter, r *http.Request, status int, f filledIn,
	more ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	var list httpx.List[searchLine]
	if err := s.client.get(r.Context(), p, schemas.Intake, "/api/people/searches?waiting=true", &list); err != nil {
		return err
	}
	page := searchesView{form: reviewForm().filled(f.entered, f.matters), Next: list.Next != nil}
	page.Request = clock.NewRandomID()
	for _, l := range list.Items {
		page.Lines = append(page.Lines, searchLineView{shortTime(l.At, s.zone), wordsFor(roleNames, l.Role) + ", " +
			l.By,
			wordsFor(lookedByWords, l.LookedBy), plural(l.Found, "journey"), l.Reason})
		page.UpTo = l.ID // the oldest stand first: what is reviewed is what was shown
	}
	done := map[string]string{"reviewed": "Your review is kept."}[r.URL.Query().Get("said")]
	return s.show(w, r, status, "searches", view{Title: "What was searched for", Here: "/search", Done: done,
		Problems: append(page.problems(), more...), Page: page})
}

func (s *Console) reviewSearches(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	finding, to := readReview(a)
	kept := filledIn{entered: r.PostForm, matters: a.matters}
	if len(a.matters) > 0 {
		return s.searchesPage(w, r, http.StatusUnprocessableEntity, kept)
	}
	err = s.client.call(r.Context(), p, schemas.Intake, http.MethodPost, "/api/people/searches/review",
		requestOf(r.PostForm), map[string]string{"upTo": r.PostFormValue("upto"), "finding": finding, "passedTo": to},
		nil)
	if status, shown := refusedBy(err, schemas.Action{}); shown != nil {
		return s.searchesPage(w, r, status, kept, *shown)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/searches?said=reviewed", http.StatusSeeOther)
	return nil
}
