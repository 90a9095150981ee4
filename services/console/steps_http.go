package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The first page says what to do next, one step a line; each step has a page of its own with the forms that end it.

type stepsView struct {
	Lines   []stepLine
	Late    int
	Which   []choiceView
	Nothing string // what is said of an empty list
	Next    string // address of the next page
	Later   bool   // this is not the first page
	Again   string // address of the list as it is now
	Shown   string // when it was read
	News    string // where it hears of new steps
}

// choiceView is one way to narrow a list.
type choiceView struct {
	Path, Words string
	Chosen      bool
}

// stepLine is one step of the list, with the button that leads to it.
type stepLine struct {
	stepView
	Journey, Code, Organisation string
	Button, Path                string
}

// narrowing is one way to narrow the list of steps: by what the service is asked for.
type narrowing struct {
	code, words, nothing string
	parameter            string // of the service; "due" is asked with the local day
}

// narrowings of the list, in the order in which they are shown.
var narrowings = []narrowing{
	{"", "Everybody’s", "There is nothing to do here at present.", ""},
	{"taken", "Mine", "You have taken nothing on at present.", "taken"},
	{"mine", "My team’s", "There is nothing to do for your team at present.", "mine"},
	{"today", "Due today", "Nothing is due today.", "due"},
	{"past", "Past their time", "Nothing is past its time.", "past"},
}

// narrowingOf is the narrowing of a code; another code narrows nothing.
func narrowingOf(code string) narrowing {
	for _, n := range narrowings {
		if n.code == code {
			return n
		}
	}
	return narrowings[0]
}

// asks are the parameters by which the service narrows the list.
func (n narrowing) asks(now time.Time, zone *time.Location) []string {
	switch n.parameter {
	case "":
		return nil
	case "due":
		return []string{"due", now.In(zone).Format(time.DateOnly)}
	}
	return []string{n.parameter, "true"}
}

func (s *Console) listSteps(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	which, cursor, now := narrowingOf(r.URL.Query().Get("which")), r.URL.Query().Get("cursor"), s.config.Clock.Now()
	list, err := s.client.steps(r.Context(), p, append(which.asks(now, s.zone), "cursor", cursor)...)
	if err != nil {
		return err
	}
	page := stepsView{Nothing: which.nothing, Later: cursor != "", Again: "/steps" + query("which", which.code),
		Shown: now.In(s.zone).Format("3:04pm"), News: newsPath(which, list.ReadAt, cursor)}
	for _, one := range byPromisedTime(list.Items) {
		line := s.lineOf(one)
		line.Organisation = s.client.organisation(r.Context(), p, line.Organisation)
		if line.Late {
			page.Late++
		}
		page.Lines = append(page.Lines, line)
	}
	for _, n := range narrowings {
		page.Which = append(page.Which, choiceView{"/steps" + query("which", n.code), n.words, n.code == which.code})
	}
	if list.Next != nil {
		page.Next = "/steps" + query("which", which.code, "cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "steps", view{Title: "What to do next", Here: "/steps",
		Separate: separateWords(""), Page: page})
}

func byPromisedTime(steps []step) []step {
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b step) int { return a.DueAt.Compare(b.DueAt) })
	return steps
}

// lineOf is a step of the list. Its button says what it leads to: what ends the step where that is open to the caller,
// and otherwise that it is taken on, or who does it.
func (s *Console) lineOf(one step) stepLine {
	line := stepLine{stepView: viewStep(one, s.config.Clock.Now(), s.zone), Journey: one.Journey,
		Organisation: one.Organisation}
	if one.Journey != "" {
		line.Code = codeOf(one.Journey)
	}
	line.Button, line.Path = buttonOf(one)
	return line
}

// buttonOf is what stands on the way to a step's page, and where that is.
func buttonOf(one step) (words, path string) {
	path = "/steps/" + url.PathEscape(one.ID)
	switch own := one.ownPage(); {
	case own.Path != "":
		return own.Words, own.Path
	case len(one.Actions) > 0:
		return one.Actions[0].Words, path
	case len(one.TakeOn) > 0:
		return "Take it on", path
	}
	return "See who does this", path
}

const (
	callKind     = "bridging-call"
	searchesKind = "review-the-searches"
)

// doneElsewhere says that what a step is for is recorded on a page of its own, and not in a form of the step.
func (s step) doneElsewhere() bool { return s.Kind == callKind || s.Kind == searchesKind }

// ownPage is that page, where it is open to the caller: a call is made there, and searches are read.
func (s step) ownPage() linkView {
	switch {
	case len(s.Actions) == 0:
	case s.Kind == callKind:
		return linkView{"/calls/" + url.PathEscape(idIn(s.Actions, "calls")), "Go to the call"}
	case s.Kind == searchesKind:
		return linkView{"/searches", "Look at the searches"}
	}
	return linkView{}
}

type stepPageView struct {
	stepView
	Step, Journey, Code, Organisation string
	Over                              bool // it is done, or has been replaced
	Acts                              actionsView
	More                              []linkView  // where more of it stands
	Who                               string      // who does it and where, where nothing is open to the caller
	Where                             string      // what to do, of a kind that no request ends
	News                              []eventView // what has happened since its form was opened
	Help                              helpBlock
}

type linkView struct{ Path, Words string }

func (s *Console) showStep(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	one, err := s.client.step(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.stepPage(w, r, p, one)(http.StatusOK, filledIn{})
}

// stepPage shows one step with its forms.
func (s *Console) stepPage(w http.ResponseWriter, r *http.Request, p principal.Principal, one step) again {
	return func(status int, f filledIn, more ...problemView) error {
		at := "/steps/" + url.PathEscape(one.ID)
		page := stepPageView{stepView: viewStep(one, s.config.Clock.Now(), s.zone), Step: one.ID, Journey: one.Journey,
			Organisation: s.client.organisation(r.Context(), p, one.Organisation),
			Over:         one.State != "" && one.State != "open", Help: helpOn(p.Role, "journeys", one.Journey, one.ID)}
		if one.Journey != "" {
			page.Code = codeOf(one.Journey)
		}
		page.More = moreOf(one, p.Role)
		actions := one.Actions
		if one.doneElsewhere() {
			actions = nil
		}
		page.Acts = formsWith(s.offered(r.Context(), p, one.Journey, actions), one.State, at, page.Words,
			clock.NewRandomID(), actions, f).openedAt(s.config.Clock.Now())
		if f.changed && one.Journey != "" {
			if j, err := s.client.journey(r.Context(), p, one.Journey, ""); err == nil {
				page.News = s.newsSince(j.Timeline, f.entered)
			}
		}
		page.Acts.TakeOn = page.TakeOn
		kind, _ := schemas.StepKindOf(one.Kind)
		page.Where = kind.Where
		if len(one.Actions) == 0 && !page.Over {
			page.Who = whoDoes(kind, one, p.Role)
		}
		return s.show(w, r, status, "step",
			view{Title: "A step", Here: "/steps", Problems: append(page.Acts.problems(), more...),
				Separate: s.separateFrom(r, p, one.Organisation),
				Done:     doneWords[r.URL.Query().Get("said")], Page: page})
	}
}

// moreOf leads to where more of what a step is about stands.
func moreOf(one step, role string) (links []linkView) {
	if own := one.ownPage(); own.Path != "" {
		links = append(links, own)
	}
	for _, more := range []struct{ of, page, words string }{{"offers", "/offers/{id}", "Look at the offer"},
		{"messages", "/messages/{id}", "Read the message"}} {
		if id := idIn(one.Actions, more.of); id != "" && opens("GET", more.page, role) {
			links = append(links, linkView{"/" + more.of + "/" + url.PathEscape(id), more.words})
		}
	}
	return links
}

// whoDoes says who does a step that is not the caller's to do, and where.
func whoDoes(kind schemas.StepKind, one step, role string) string {
	doers := kind.Doers()
	switch {
	case slices.Contains(doers, schemas.Role(role)):
		return "This cannot be recorded yet: what it is about has not arrived. " + one.holder(one.Owner) +
			" sees to it."
	case len(doers) > 0:
		return "This is for " + lowerFirst(each(doerNames, roleCodes(doers))) +
			" to record, signed in as themselves. Here it stands in their own list, under ‘What to do next’."
	}
	return cmp.Or(one.holder(one.Owner), "The navigator on duty") + " does this."
}

func roleCodes(roles []schemas.Role) []string {
	codes := make([]string, len(roles))
	for i, role := range roles {
		codes[i] = string(role)
	}
	return codes
}

// recordStep takes in what somebody filled in for an action of a step, or that they take it on.
func (s *Console) recordStep(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	one, err := s.client.step(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	said, show := "recorded", s.stepPage(w, r, p, one)
	done := false
	if owner := r.PostFormValue("owner"); owner != "" {
		said = "acknowledge"
		err = s.client.changeStep(r.Context(), p, one.ID, "acknowledge", requestOf(r.PostForm),
			map[string]string{"owner": owner})
		if status, shown := refusedBy(err, schemas.Action{}); shown != nil {
			return show(status, filledIn{}, *shown)
		}
		done = err == nil
	} else {
		done, err = s.actOn(r, p, one.State, one.Actions, show, nil)
	}
	if err != nil || !done {
		return err
	}
	next := "/steps?said=" + said
	if one.Journey != "" {
		next = "/journeys/" + url.PathEscape(one.Journey) + "?said=" + said
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
