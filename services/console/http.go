package console

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"slices"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// view is what every page has.
type view struct {
	Title string
	// Here is the part of the site that the page belongs to, by the path of its menu.
	Here     string
	SignedIn bool
	Role     string
	Where    string // organisation
	Menu     []menuView
	Separate string // that the session is separate from the hospital team's own follow-up, on pages that speak of it
	Leave    string // where somebody can go at one press, on pages for the person; they show nobody's name or role
	Home     string // where the name of the site leads
	Frontend bool   // with the style files of NHS.UK frontend
	Done     string // what has just been done, in words
	Problems []problemView
	Page     any
}

// problemView is one line of the error summary. Anchor is the id of what it is about.
type problemView struct{ Words, Anchor string }

var pageNames = []string{"sign-in", "start", "steps", "step", "journeys", "journey", "who", "look", "clinician",
	"calls", "call", "called", "hours", "offers", "offer", "partner", "partners", "calendar", "told", "referrals",
	"help",
	"going-live", "outbox-mail", "messages", "trace", "traces", "refused", "message", "refer", "refer-page", "referred",
	"own",
	"own-received",
	"link", "link-undone", "no-link", "record", "person-code", "person-next", "person-more",
	"paper", "shown", "search", "searches", "operations"}

// formLimit bounds a form, in bytes.
const formLimit = 16 << 10

// parsePages reads the templates; asset says where a page finds a file.
func parsePages(asset func(name string) string) (map[string]*template.Template, error) {
	layout, err := template.New("layout").Funcs(template.FuncMap{"add": func(a, b int) int { return a + b },
		"optionOf": optionOf, "formFor": formFor, "pages": numberedPages, "asset": asset}).
		ParseFS(templates, "templates/layout.html", "templates/questions.html", "templates/actions.html",
			"templates/standing.html")
	if err != nil {
		return nil, fmt.Errorf("reading the pages' layout: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, name := range pageNames {
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
	p, known := principal.From(r.Context())
	known = known && p.Role != string(schemas.Guest)
	if known && p.Role != string(schemas.OfferLink) && v.Leave == "" {
		v.SignedIn, v.Role, v.Where = true, wordsFor(roleNames, p.Role), s.nameOf(r, p)
		v.Menu = menuOf(p, v.Here)
	}
	if known && v.Separate == "" && name != "outbox-mail" &&
		(p.Role == string(schemas.Partner) || p.Role == string(schemas.Person)) {
		v.Separate = separateWords("") // every view of theirs says so
	}
	v.Home = homeOf(v)
	v.Frontend = s.frontend
	var page bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&page, "layout", v); err != nil {
		return fmt.Errorf("making page %q: %w", name, err)
	}
	whole := page.Bytes()
	if known {
		whole = markForms(whole, p)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	givePage(w, r, status, whole)
	return nil
}

// homeOf is where the name of the site leads: on a page for the person to where they began.
func homeOf(v view) string {
	switch v.Leave {
	case "":
		return "/"
	case ownLeave:
		return schemas.OwnPath
	}
	return "/get-support"
}

// nameOf is the organisation that somebody acts for: a partner by its name, as its id is opaque.
func (s *Console) nameOf(r *http.Request, p principal.Principal) string {
	if name := s.partnerName(p.Organisation); name != "" || p.Role == string(schemas.Partner) ||
		p.Role == string(schemas.Person) {
		return name
	}
	return s.client.organisation(r.Context(), p, p.Organisation)
}

// partnerName is a partner's name; empty where nobody here knows one.
func (s *Console) partnerName(id string) string {
	if i := slices.IndexFunc(s.config.Partners, func(one Partner) bool { return one.ID == id }); i >= 0 {
		return s.config.Partners[i].Name
	}
	return ""
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
		return s.show(w, r, p.Status, "refused",
			view{Leave: leaveFrom(r), Title: refusedTitle(p.Status),
				Page: struct{ Words, Number string }{refusedWords(p), httpx.RequestID(r.Context())}})
	}
}

// leaveFrom is where a page leads that says why another could not be shown: on the page of the person, away at once.
func leaveFrom(r *http.Request) string {
	if (schemas.Route{Pattern: r.URL.Path}).OwnPage() {
		return ownLeave
	}
	return ""
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

// ownWords is the type of a refusal whose words are a page's own.
const ownWords = "urn:footbridge:own-words"

func refusedWords(p *httpx.Problem) string {
	switch {
	case p.Type == ownWords:
		return p.Detail
	case p.Status == http.StatusNotFound:
		return "It may have been typed wrongly, or it may not be open to your organisation."
	case p.Status == http.StatusForbidden && p.Type != "":
		return p.Detail // a refusal of a kind of its own has words of its own
	case p.Status == http.StatusForbidden:
		return "Your role does not include it. If it should, ask whoever runs Footbridge for you."
	case p.Status == http.StatusUnauthorized:
		return "We do not know who is asking. Your last session may have ended."
	case p.Status >= 500:
		return "Nothing you did is wrong, and nothing you recorded before is lost. Please try again in a minute. If " +
			"it goes on, give whoever runs Footbridge for you the number below."
	default:
		return p.Detail
	}
}

type signInView struct {
	Choices []Choice
	Next    string
	Because string // why somebody who was signed in is asked again
	Open    bool   // there is somebody to choose
	Ways    []Way
	By      Way // where somebody who has signed out here is signed in still
}

// showSignIn asks who is there; why somebody is asked again, and what was wrong with the choice, come from the gateway.
func (s *Console) showSignIn(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	page := signInView{Next: asked.Get("next"), Because: becauseWords[asked.Get("because")]}
	if s.config.Ways != nil {
		page.Ways = s.config.Ways()
	}
	for _, way := range page.Ways {
		if way.ID == asked.Get("by") {
			page.By = way
		}
	}
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
	"signed-out": "You have signed out. What was recorded before is kept.",
	"session-idle": "You were signed out because nothing was done for 30 minutes, so that nobody else acts in your " +
		"name. What was recorded before is kept.",
	"not-vouched": "The service by which you signed in does not say any more that you are this, so we ask you to sign " +
		"in again. If that does not help, ask whoever gives out access. What was recorded before is kept.",
	"session-over": "You have been signed in for 12 hours, so we ask you to sign in again. What was recorded before " +
		"is kept.",
}

func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		return httpx.NewProblem(http.StatusBadRequest,
			"The form could not be read. Go back and send it again.").Because(err)
	}
	return nil
}

// posted is who sends a form, once it has been read.
func posted(w http.ResponseWriter, r *http.Request) (p principal.Principal, err error) {
	if p, err = principal.Need(r.Context()); err != nil {
		return p, err
	}
	return p, readForm(w, r)
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
	for i := range page.Lines {
		page.Lines[i].Organisation = s.client.organisation(r.Context(), p, page.Lines[i].Organisation)
	}
	page.Late = countLate(page.Lines)
	if list.Next != nil {
		page.Next = "/journeys" + query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "journeys",
		view{Title: "Journeys", Here: "/journeys", Separate: separateWords(""), Page: page})
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
	Trace                         bool       // the caller may look at the trace
	Clinician                     bool       // the caller may record who may be asked, and no step asks for it
	Person                        bool       // the caller may look at who the person is
	Shown                         bool       // and at what organisations were shown of them
	Record                        []linkView // what may be recorded at any time
	Standing                      standingView
	ReadOnly                      bool // whoever looks treats the person now, and records nothing here
	Help                          helpBlock
}

func (s *Console) showJourney(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	j, err := s.client.journey(r.Context(), p, r.PathValue("id"), "")
	if err != nil {
		return err
	}
	page := s.viewJourney(r, p, j, "")
	return s.show(w, r, http.StatusOK, "journey", view{Title: "Journey " + page.Code, Here: "/journeys",
		Separate: s.separateFrom(r, p, j.Organisation),
		Done:     doneWords[r.URL.Query().Get("said")], Page: page})
}

// viewJourney is one journey as its page shows it; reason is why somebody looks who has to say so.
func (s *Console) viewJourney(r *http.Request, p principal.Principal, j journey, reason string) journeyView {
	page := journeyView{ID: j.ID, Code: codeOf(j.ID),
		Organisation: s.client.organisation(r.Context(), p, j.Organisation), Unbegun: j.BeganAt == nil,
		Closed: j.State == "closed", Decided: decided(j.Timeline),
		Days: latestFirst(j.Timeline, s.zone), Trace: opens("GET", "/journeys/{id}/trace", p.Role),
		Clinician: s.asksClinician(r.Context(), p, j),
		Person:    opens("POST", "/journeys/{id}/who", p.Role),
		Shown:     opens("GET", "/journeys/{id}/shown", p.Role), Help: helpOn(p.Role, "journeys", j.ID, "")}
	if opens("POST", "/journeys/{id}/record", p.Role) {
		page.Record = recordWays(j)
	}
	if j.BeganAt != nil {
		page.Began = timeWords(*j.BeganAt, s.zone)
	}
	for _, step := range j.Steps {
		v := viewStep(step, s.config.Clock.Now(), s.zone)
		v.Ways = waysOf(step)
		page.Steps = append(page.Steps, v)
	}
	decided, err := s.decision(r, p, j.ID, reason)
	page.DoorsClosed = statusOf(err) == http.StatusForbidden
	page.DoorsMissing = err != nil && !page.DoorsClosed
	page.Doors, page.Gap = groupByEligibility(decided.Items), viewGap(decided)
	if page.Gap != nil {
		page.Gap.Bridge = bridgeOf(page.Steps, j.Steps)
	}
	page.Standing = s.standingOf(r, p, j, decided)
	return page
}

// bridging are the steps by which somebody sees to it that a gap is bridged.
var bridging = []string{"bridge-the-gap", "service-answers", "ask-the-service-again", "ask-the-service-why",
	"what-next"}

// bridgeOf is the step of whoever bridges a gap; nil where there is none.
func bridgeOf(views []stepView, steps []step) *stepView {
	for _, kind := range bridging {
		if i := slices.IndexFunc(steps, func(one step) bool { return one.Kind == kind }); i >= 0 {
			return &views[i]
		}
	}
	return nil
}

// waysOf lead from a journey to the page of a step, by what can be done there; one of them is the button.
func waysOf(one step) []linkView {
	words, path := buttonOf(one)
	ways := []linkView{{path, words}}
	if one.doneElsewhere() {
		return ways
	}
	for i, a := range one.Actions[min(1, len(one.Actions)):] {
		ways = append(ways, linkView{path + "#" + keyOf(i+1), a.Words})
	}
	return ways
}

// decision is shown where it can be had: a page without it is better than none. Before anything has been decided it is
// empty.
func (s *Console) decision(r *http.Request, p principal.Principal, id, reason string) (decision, error) {
	d, err := s.client.decision(r.Context(), p, id, reason)
	switch statusOf(err) {
	case http.StatusNotFound:
		return decision{}, nil
	case http.StatusForbidden:
		return decision{}, err
	}
	if err != nil {
		s.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "doors of a journey could not be read",
			slog.Any("error", err))
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
