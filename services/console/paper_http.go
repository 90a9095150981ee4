package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What a person is handed: a letter or a slip with the next step, its day and a number that somebody checked, and where
// they want one the code of their page. It is neutral and in large print; who printed it when is kept, and the person
// can read it.

// paper is what is printed.
type paper struct {
	Words, Day, Number string
	Nothing            bool // nothing is planned
	Slip               bool
	Code, Until        string // of a page
}

type paperView struct {
	ID, Code string
	Paper    *paper
	Print    []question
	Own      []question
	State    string // how the person's page stands
	Stands   bool
	Request  string
}

// ownPage is how a person's page stands.
type ownPage struct {
	State      string     `json:"state"`
	Code       string     `json:"code"`
	EndsAt     *time.Time `json:"endsAt"`
	OpenedAt   *time.Time `json:"openedAt"`
	StoppedWhy string     `json:"stoppedWhy"`
	WrongWords int        `json:"wrongWords"`
	OtherCodes int        `json:"otherCodes"`
}

func (c *client) ownPage(ctx context.Context, p principal.Principal, journey string) (page ownPage, err error) {
	err = c.get(ctx, p, schemas.Intake, "/api/journeys/"+url.PathEscape(journey)+"/own-page", &page)
	return page, err
}

func (c *client) givePage(ctx context.Context, p principal.Principal, journey, key string,
	asked schemas.OwnPageRecord) (page ownPage, err error) {
	err = c.call(ctx, p, schemas.Intake, http.MethodPost, "/api/journeys/"+url.PathEscape(journey)+"/own-page", key,
		asked, &page)
	return page, err
}

var stoppedWords = map[string]string{"by-hand": "It was stopped.", "replaced": "A new code took its place.",
	"word-tries": "It was stopped because too many words were tried that are not theirs. Ask the person about it."}

// pageState says how a person's page stands, for staff.
func (s *Console) pageState(page ownPage) string {
	switch {
	case page.State == "none":
		return "They have no page of their own."
	case page.State == "ended":
		return "Their code has ended."
	case page.State == "stopped":
		return wordsFor(stoppedWords, page.StoppedWhy)
	}
	words := "They have a page of their own"
	if page.OtherCodes > 0 {
		words = "More than one code opens their page, since two records were joined: a new code, or stopping, ends " +
			"them all. They have a page of their own"
	}
	if page.EndsAt != nil {
		words += " until " + page.EndsAt.In(s.zone).Format("Monday 2 January 2006")
	}
	if page.OpenedAt != nil {
		return words + ". It was opened last on " + timeWords(*page.OpenedAt, s.zone) + "."
	}
	return words + ". It has not been opened yet."
}

func paperForms(entered url.Values, matters map[string]string) (print, own []question) {
	print = []question{
		one("kind", "What is it to be?", "", option{Code: "letter", Words: "A letter"},
			option{Code: "slip", Words: "A slip, to go into a pocket"}),
		text("number", "A number that they can ring", "Ring it yourself first, today.").short(20),
		some("checked", "Does it work?", "", option{Code: "yes", Words: "I rang it today, and somebody answered"}),
	}
	own = []question{
		text("word", "A word that they choose", "They keep it in mind: it is not on the paper. Not a name, a number "+
			"or a date of theirs.").short(20),
		some("wanted", "Do they want a page of their own?", "", option{Code: "yes", Words: "Yes, they said so"}),
		some("safe", "Is it safe for them to have the paper?", "Somebody at home may find it.",
			option{Code: "yes", Words: "Yes, they said so"}),
	}
	for _, group := range [][]question{print, own} {
		for i, q := range group {
			group[i] = q.filled(entered, matters[q.Name])
		}
	}
	return print, own
}

func (s *Console) showPaper(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	return s.paperPage(w, r, p, http.StatusOK, filledIn{}, nil)
}

func (s *Console) paperPage(w http.ResponseWriter, r *http.Request, p principal.Principal, status int, f filledIn,
	printed *paper, more ...problemView) error {
	id := r.PathValue("id")
	page := paperView{ID: id, Code: codeOf(id), Paper: printed, Request: clock.NewRandomID()}
	page.Print, page.Own = paperForms(f.entered, f.matters)
	if printed != nil { // neutral: a browser prints the title too
		return s.show(w, r, status, "paper", view{Title: nextTitle, Here: "/journeys", Page: page})
	}
	stands, err := s.client.ownPage(r.Context(), p, id)
	if err != nil {
		return err
	}
	page.State, page.Stands = s.pageState(stands), stands.State == "stands"
	problems := form{Sections: []section{{Questions: page.Print}, {Questions: page.Own}}}.problems()
	return s.show(w, r, status, "paper", view{Title: "Something on paper for the person", Here: "/journeys",
		Problems: append(problems, more...), Page: page})
}

// printPaper keeps that something is printed, and shows it to be printed.
func (s *Console) printPaper(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	var printed *paper
	switch r.PostFormValue("do") {
	case "stop":
		_, err = s.client.givePage(r.Context(), p, r.PathValue("id"), requestOf(r.PostForm),
			schemas.OwnPageRecord{Stop: true})
	case "page":
		printed, err = s.printCode(r.Context(), p, r.PathValue("id"), a)
	default:
		printed, err = s.printNext(r.Context(), p, r.PathValue("id"), a)
	}
	if len(a.matters) > 0 {
		return s.paperPage(w, r, p, http.StatusUnprocessableEntity, filledIn{entered: r.PostForm, matters: a.matters},
			nil)
	}
	if status := statusOf(err); status == http.StatusConflict || status == http.StatusUnprocessableEntity ||
		status == http.StatusForbidden {
		return s.paperPage(w, r, p, status, filledIn{entered: r.PostForm}, nil,
			problemView{refusedBecause(err), "paper"})
	}
	if err != nil {
		return err
	}
	return s.paperPage(w, r, p, http.StatusOK, filledIn{}, printed)
}

// refusedBecause is what a service says of why not.
func refusedBecause(err error) string {
	var p *httpx.Problem
	if errors.As(err, &p) && p.Detail != "" {
		return p.Detail
	}
	return "This could not be done."
}

func (s *Console) printNext(ctx context.Context, p principal.Principal, id string, a *answers) (*paper, error) {
	kind := a.needed("kind", "Choose what it is to be", "letter", "slip")
	number := a.text("number", 40)
	if len(strings.Map(onlyDigits, number)) < 3 {
		a.matter("number", "Write a number that they can ring")
	}
	if !a.ticked("checked") {
		a.matter("checked", "Ring it first, and say that it works")
	}
	if len(a.matters) > 0 {
		return nil, nil
	}
	j, err := s.client.journey(ctx, p, id, "")
	if err != nil {
		return nil, err
	}
	if err := s.client.tell(ctx, p, id, "letter", requestOf(a.entered), schemas.LetterPrinted{Kind: kind}); err != nil {
		return nil, err
	}
	printed := &paper{Number: number, Slip: kind == "slip", Nothing: true}
	if next := nextFor(j.Steps); next != nil {
		printed.Nothing, printed.Words = false, personStep(next.Kind).Short
		printed.Day, _ = byDay(next.DueAt, s.config.Clock.Now(), s.zone)
	}
	return printed, nil
}

func onlyDigits(r rune) rune {
	if unicode.IsDigit(r) {
		return r
	}
	return -1
}

func (s *Console) printCode(ctx context.Context, p principal.Principal, id string, a *answers) (*paper, error) {
	word := a.text("word", 60)
	if word == "" {
		a.matter("word", "Write the word that they chose")
	}
	if !a.ticked("wanted") {
		a.matter("wanted", "A page is for whoever wants one: ask them")
	}
	if !a.ticked("safe") {
		a.matter("safe", "Ask them whether it is safe to have the paper")
	}
	if len(a.matters) > 0 {
		return nil, nil
	}
	given, err := s.client.givePage(ctx, p, id, requestOf(a.entered),
		schemas.OwnPageRecord{Word: word, Wanted: true, SafeToHave: true})
	if err != nil {
		return nil, err
	}
	printed := &paper{Code: given.Code, Slip: true}
	if given.EndsAt != nil {
		printed.Until = given.EndsAt.In(s.zone).Format("Monday 2 January")
	}
	return printed, nil
}
