package console

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// view is what every page has.
type view struct {
	Title string
	// Here is the part of the site that the page belongs to: journeys, messages, or none.
	Here     string
	SignedIn bool
	Role     string
	Where    string // organisation
	Messages bool   // may read the ledger
	Refer    bool   // may ask for support for somebody
	Leave    string // where somebody can go at one press, on pages for the person; they show nobody's name or role
	Frontend bool   // with the style files of NHS.UK frontend
	Done     string // what has just been done, in words
	Problems []problemView
	Page     any
}

// problemView is one line of the error summary. Anchor is the id of what it is about.
type problemView struct{ Words, Anchor string }

// formLimit bounds a form, in bytes.
const formLimit = 16 << 10

func parsePages() (map[string]*template.Template, error) {
	layout, err := template.New("layout").Funcs(template.FuncMap{"add": func(a, b int) int { return a + b }, "optionOf": optionOf}).
		ParseFS(templates, "templates/layout.html", "templates/questions.html")
	if err != nil {
		return nil, fmt.Errorf("reading the pages' layout: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, name := range []string{"sign-in", "journeys", "journey", "messages", "trace", "refused", "message", "refer", "referred", "own", "own-received", "clinician"} {
		page, err := template.Must(layout.Clone()).ParseFS(templates, "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("reading page %q: %w", name, err)
		}
		pages[name] = page
	}
	return pages, nil
}

// show answers with a page. It is made whole before any of it is sent.
func (s *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) error {
	if p, ok := principal.From(r.Context()); ok && p.Role != string(schemas.Guest) {
		v.SignedIn, v.Role, v.Where = true, wordsFor(roleNames, p.Role), p.Organisation
		v.Messages, v.Refer = mayReadMessages(p.Role), mayRefer(p.Role)
	}
	v.Frontend = s.frontend
	var page bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&page, "layout", v); err != nil {
		return fmt.Errorf("making page %q: %w", name, err)
	}
	whole := page.Bytes()
	if v.SignedIn {
		p, _ := principal.From(r.Context())
		whole = markForms(whole, p)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(whole) // the caller has gone; nobody is left to tell
	return nil
}

// forms are the beginnings of forms that are posted. Text on a page holds no such thing: it is escaped.
var forms = regexp.MustCompile(`<form [^>]*method="post"[^>]*>`)

// markForms notes in every form who opened the page, so that the gateway knows a form that is sent as somebody else.
func markForms(page []byte, p principal.Principal) []byte {
	return forms.ReplaceAll(page, []byte(`${0}<input type="hidden" name="`+schemas.OpenedAs+`" value="`+p.Mark()+`">`))
}

// answering turns what a page could not do into a page that says so.
func (s *Console) answering(next httpx.Handler) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := next(w, r)
		if err == nil {
			return nil
		}
		var p *httpx.Problem
		if !errors.As(err, &p) {
			p = httpx.NewProblem(http.StatusInternalServerError, "")
		}
		if p.Status >= 500 {
			s.config.Log.LogAttrs(r.Context(), slog.LevelError, "page could not be shown", slog.Any("error", err))
		}
		return s.show(w, r, p.Status, "refused", view{Title: refusedTitle(p.Status), Page: struct{ Words, Number string }{refusedWords(p), httpx.RequestID(r.Context())}})
	}
}

func refusedTitle(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "We could not find this page"
	case status == http.StatusForbidden:
		return "This page is not open to you"
	case status == http.StatusUnauthorized:
		return "Please sign in"
	case status >= 500:
		return "Sorry, something is not working"
	default:
		return "Sorry, this could not be done"
	}
}

func refusedWords(p *httpx.Problem) string {
	switch {
	case p.Status == http.StatusNotFound:
		return "It may have been typed wrongly, or it may not be open to your organisation."
	case p.Status == http.StatusForbidden && p.Type != "":
		return p.Detail // a refusal of a kind of its own has words of its own
	case p.Status == http.StatusForbidden:
		return "Your role does not include it. If it should, ask whoever runs Footbridge for you."
	case p.Status == http.StatusUnauthorized:
		return "We do not know who is asking. Your last session may have ended."
	case p.Status >= 500:
		return "Nothing you did is wrong, and nothing you recorded before is lost. Please try again in a minute. If it goes on, give whoever runs Footbridge for you the number below."
	default:
		return p.Detail
	}
}

type signInView struct {
	Choices []Choice
	Next    string
	Because string // why somebody who was signed in is asked again
	Open    bool   // there is somebody to choose
}

// showSignIn asks who is there; why somebody is asked again, and what was wrong with the choice, come from the gateway.
func (s *Console) showSignIn(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	page := signInView{Next: asked.Get("next"), Because: becauseWords[asked.Get("because")]}
	var problems []problemView
	if s.config.SignIn != nil {
		page.Choices, page.Open = s.config.SignIn.Choices, true
		if asked.Get("who") != "" {
			problems = []problemView{{"Choose who you are", "who-1"}}
		}
	}
	return s.show(w, r, http.StatusOK, "sign-in", view{Title: "Sign in", Problems: problems, Page: page})
}

// becauseWords say why somebody who was signed in is asked again.
var becauseWords = map[string]string{
	"signed-out":   "You have signed out. What was recorded before is kept.",
	"session-idle": "You were signed out because nothing was done for 30 minutes, so that nobody else acts in your name. What was recorded before is kept.",
	"session-over": "You have been signed in for 12 hours, so we ask you to sign in again. What was recorded before is kept.",
}

func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		return httpx.NewProblem(http.StatusBadRequest, "The form could not be read. Go back and send it again.").Because(err)
	}
	return nil
}

type journeysView struct {
	Lines []lineView
	Late  int
	Next  string // address of the next page
	Later bool   // this is not the first page
}

func (s *Console) listJourneys(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	list, err := s.client.journeys(r.Context(), p, cursor)
	if err != nil {
		return err
	}
	page := journeysView{Lines: byPromise(list.Items, s.config.Clock.Now(), s.zone), Later: cursor != ""}
	page.Late = countLate(page.Lines)
	if list.Next != nil {
		page.Next = "/journeys" + query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "journeys", view{Title: "What happens next", Here: "journeys", Page: page})
}

type journeyView struct {
	ID, Code, Organisation, Began string
	Unbegun, Closed               bool
	Steps                         []stepView
	Gap                           *gapView
	Doors                         []eligibilityGroup
	DoorsMissing                  bool // the doors could not be read
	DoorsClosed                   bool // the doors are not for the caller's role
	Decided                       bool // the services have been looked at
	Days                          []dayView
	Trace                         bool // the caller may look at the trace
	Clinician                     bool // the caller may record who may be asked
}

func (s *Console) showJourney(w http.ResponseWriter, r *http.Request) error {
	return s.journeyPage(w, r, http.StatusOK, nil, nil, nil)
}

// journeyPage shows a journey, with what could not be done to it, and what was entered in a form with what is the matter
// with it.
func (s *Console) journeyPage(w http.ResponseWriter, r *http.Request, status int, entered url.Values, matters map[string]string, problems []problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	j, err := s.client.journey(r.Context(), p, id)
	if err != nil {
		return err
	}
	page := journeyView{ID: j.ID, Code: codeOf(j.ID), Organisation: j.Organisation, Unbegun: j.BeganAt == nil, Closed: j.State == "closed", Decided: decided(j.Timeline),
		Days: latestFirst(j.Timeline, s.zone), Trace: s.config.Traces != nil && p.Role == operator, Clinician: s.asksClinician(r.Context(), p, j)}
	if j.BeganAt != nil {
		page.Began = timeWords(*j.BeganAt, s.zone)
	}
	for i, step := range j.Steps {
		v := viewStep(step, s.config.Clock.Now(), s.zone)
		v.Request = clock.NewRandomID()
		v.Actions = formsOf(i, step.Actions, entered, matters)
		page.Steps = append(page.Steps, v)
	}
	decided, err := s.decision(r, p, id)
	page.DoorsClosed = statusOf(err) == http.StatusForbidden
	page.DoorsMissing = err != nil && !page.DoorsClosed
	page.Doors, page.Gap = groupByEligibility(decided.Items), viewGap(decided)
	problems = append(problems, problemsOf(page.Steps, matters)...)
	return s.show(w, r, status, "journey", view{Title: "Journey " + page.Code, Here: "journeys", Problems: problems,
		Done: doneWords[r.URL.Query().Get("said")], Page: page})
}

// decision is shown where it can be had: a page without it is better than none. Before anything has been decided it is
// empty.
func (s *Console) decision(r *http.Request, p principal.Principal, id string) (decision, error) {
	d, err := s.client.decision(r.Context(), p, id)
	switch statusOf(err) {
	case http.StatusNotFound:
		return decision{}, nil
	case http.StatusForbidden:
		return decision{}, err
	}
	if err != nil {
		s.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "doors of a journey could not be read", slog.Any("error", err))
		return decision{}, err
	}
	return d, nil
}

// statusOf is what a service answered; 0 where it did not refuse.
func statusOf(err error) int {
	var problem *httpx.Problem
	if errors.As(err, &problem) {
		return problem.Status
	}
	return 0
}

// doneWords say what a button did, on the page that follows.
var doneWords = map[string]string{
	"clinician":   "Thank you. It is recorded who may be asked, and what happens next is below.",
	"recorded":    "Thank you. It is recorded, and what happens next is below.",
	"acknowledge": "Thank you. Everyone who looks here can see that it is in hand.",
}

// record sends what somebody filled in for an action of a step: the service says which are open, and what each asks for.
// Pressed twice it is done once: the form carries a key.
func (s *Console) record(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	j, err := s.client.journey(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	key := r.PostFormValue("action")
	action, found := actionNamed(j, r.PathValue("step"), key, r.PostFormValue("does"))
	if !found {
		return s.journeyPage(w, r, http.StatusConflict, nil, nil, []problemView{{"What happens next has changed meanwhile: look at it as it is now", "next"}})
	}
	a := newAnswers(r.PostForm, s.zone)
	body, err := bodyOf(key, action, a)
	if err != nil {
		a.matter(key, "Something that was entered is no whole number")
	}
	if len(a.matters) > 0 {
		return s.journeyPage(w, r, http.StatusUnprocessableEntity, r.PostForm, a.matters, nil)
	}
	return s.after(w, r, "recorded", s.client.act(r.Context(), p, action, r.PostFormValue("request"), body))
}

// problemsOf are lines of the error summary, in the order of the page, each leading to its question; what is the matter
// with no question of the page leads to the steps.
func problemsOf(steps []stepView, matters map[string]string) []problemView {
	var all []problemView
	left := maps.Clone(matters)
	for _, step := range steps {
		for _, action := range step.Actions {
			for _, q := range action.Questions {
				if q.Error != "" {
					all = append(all, problemView{q.Error, q.Anchor()})
				}
				delete(left, q.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		all = append(all, problemView{left[name], "next"})
	}
	return all
}

// takeOn takes a step on.
func (s *Console) takeOn(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	body := map[string]string{"owner": r.PostFormValue("owner")}
	return s.after(w, r, "acknowledge", s.client.changeStep(r.Context(), p, r.PathValue("step"), "acknowledge", r.PostFormValue("request"), body))
}

// after shows the journey once something was done to it, or says why it was not, with what was entered.
func (s *Console) after(w http.ResponseWriter, r *http.Request, said string, err error) error {
	var problem *httpx.Problem
	if errors.As(err, &problem) && slices.Contains([]int{http.StatusConflict, http.StatusUnprocessableEntity, http.StatusForbidden}, problem.Status) {
		return s.journeyPage(w, r, problem.Status, r.PostForm, nil, []problemView{{problem.Detail, "next"}})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/journeys/"+url.PathEscape(r.PathValue("id"))+"?said="+said, http.StatusSeeOther)
	return nil
}

type traceView struct {
	ID, Code string
	Episodes []episode
	Kept     bool // traces are kept here at all
}

func (s *Console) showTrace(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := s.client.journey(r.Context(), p, id); err != nil {
		return err // whoever may not see the journey may not see its trace
	}
	page := traceView{ID: id, Code: codeOf(id), Kept: s.config.Traces != nil}
	if page.Kept {
		spans, err := s.config.Traces.Waterfall(r.Context(), id)
		if err != nil {
			return fmt.Errorf("reading the trace of journey %q: %w", id, err)
		}
		page.Episodes = drawWaterfall(spans, s.zone)
	}
	return s.show(w, r, http.StatusOK, "trace", view{Title: "How journey " + page.Code + " was processed", Here: "journeys", Page: page})
}

// everything asks for messages whatever became of them; without it, those are listed that wait.
const everything = "all"

type messagesView struct {
	Messages []messageView
	Waiting  bool // for somebody, by the time promised
	Late     int
	Outcomes []outcomeView
	Outcome  string
	Next     string
}

type outcomeView struct {
	Code, Words string
	Chosen      bool
}

func (s *Console) listMessages(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	outcome, cursor := r.URL.Query().Get("outcome"), r.URL.Query().Get("cursor")
	if outcome != everything && !slices.Contains(outcomes, outcome) {
		outcome = ""
	}
	var list httpx.List[message]
	switch outcome {
	case "":
		list, err = s.client.waiting(r.Context(), p, cursor)
		list.Items = byDue(list.Items)
	case everything:
		list, err = s.client.messages(r.Context(), p, "", cursor)
	default:
		list, err = s.client.messages(r.Context(), p, outcome, cursor)
	}
	if err != nil {
		return err
	}
	page := messagesView{Messages: viewMessages(list.Items, s.config.Clock.Now(), s.zone), Outcome: outcome, Waiting: outcome == ""}
	for _, m := range page.Messages {
		if m.Late {
			page.Late++
		}
	}
	page.Outcomes = []outcomeView{{"", "Waiting for somebody", page.Waiting}, {everything, "Anything", outcome == everything}}
	for _, code := range outcomes {
		page.Outcomes = append(page.Outcomes, outcomeView{code, wordsFor(outcomeWords, code), code == outcome})
	}
	if list.Next != nil {
		page.Next = "/messages" + query("outcome", outcome, "cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "messages", view{Title: "Messages", Here: "messages", Page: page})
}
