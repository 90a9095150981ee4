package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// perhaps lets a page be seen by whoever the gateway named, and by nobody in particular. What is not signed as it
// should be names nobody.
func (s *Console) perhaps(next httpx.Handler) httpx.Handler {
	source := principal.Signed(s.config.Verifier, schemas.Console, s.config.Clock)
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := source(r)
		switch {
		case errors.Is(err, principal.ErrNone):
			p = principal.Principal{}
		case err != nil:
			return httpx.NewProblem(http.StatusUnauthorized, "").Because(err)
		}
		return next(w, r.WithContext(principal.With(r.Context(), p)))
	}
}

// pageHolder is whose page is open, and the journey that it was given for; false where it is nobody's.
func pageHolder(ctx context.Context) (p principal.Principal, journey string, ok bool) {
	p, known := principal.From(ctx)
	journey = schemas.JourneyOfOwnPage(p.Team)
	return p, journey, known && p.Role == string(schemas.Person) && journey != ""
}

type codeView struct {
	Questions []question
}

// askCode asks for code and word; tried says that what was sent opened nothing, for whatever reason.
func (s *Console) askCode(w http.ResponseWriter, r *http.Request, tried bool) error {
	status, problems := http.StatusOK, []problemView(nil)
	if tried {
		status, problems = http.StatusUnprocessableEntity, []problemView{codeProblem}
	}
	return s.show(w, r, status, "person-code", view{Title: codeTitle, Leave: ownLeave, Problems: problems,
		Page: codeView{codeForm()}})
}

type nextView struct {
	Words, Day    string
	Late, Nothing bool
	Help          string // the key of a request for help
}

// showPerson is the first view: the next step and its day.
func (s *Console) showPerson(w http.ResponseWriter, r *http.Request) error {
	p, id, ok := pageHolder(r.Context())
	if !ok {
		return s.askCode(w, r, false)
	}
	j, err := s.client.journey(r.Context(), p, id, "")
	if err != nil {
		return err
	}
	page := nextView{Nothing: true, Help: clock.NewRandomID()}
	if next := nextFor(j.Steps); next != nil {
		page.Nothing, page.Words = false, personStep(next.Kind).Short
		page.Day, page.Late = byDay(next.DueAt, s.config.Clock.Now(), s.zone)
	}
	return s.show(w, r, http.StatusOK, "person-next", view{Title: nextTitle, Leave: ownLeave,
		Separate: separateWords(""), Page: page})
}

type moreView struct {
	State   string
	Closed  bool
	Steps   []personStepView
	Days    []dayView
	Looks   []string
	NoLooks bool // they could not be read
	Earlier bool // others are not shown
	Forms   personForms
	Request string // makes a form that is sent twice one request
}

type personStepView struct {
	Words, Who, Day string
	Also            []string
	Late            bool
}

// showMore is the second view: where it stands, who holds what and by when, what happened, who has seen what, and what
// can be said.
func (s *Console) showMore(w http.ResponseWriter, r *http.Request) error {
	p, id, ok := pageHolder(r.Context())
	if !ok {
		return s.askCode(w, r, false)
	}
	return s.morePage(w, r, p, id, http.StatusOK, url.Values{}, nil)
}

func (s *Console) morePage(w http.ResponseWriter, r *http.Request, p principal.Principal, id string, status int,
	entered url.Values, matters map[string]string, more ...problemView) error {
	j, err := s.client.journey(r.Context(), p, id, "")
	if err != nil {
		return err
	}
	answers, err := s.client.consent(r.Context(), p, id)
	if err != nil {
		return err
	}
	page := moreView{State: wordsFor(personState, j.State), Closed: j.State == "closed",
		Days: latestFirst(j.Timeline, s.zone), Forms: s.personForms(nosOf(answers.Answers), entered, matters),
		Request: requestOf(entered)}
	for _, one := range j.Steps {
		page.Steps = append(page.Steps, s.viewForPerson(one))
	}
	looks, earlier, err := s.client.looks(r.Context(), p, p.Subject)
	page.NoLooks, page.Earlier = err != nil, earlier
	for _, l := range looks {
		page.Looks = append(page.Looks, s.lookWords(l))
	}
	done := personDone[r.URL.Query().Get("said")]
	return s.show(w, r, status, "person-more", view{Title: moreTitle, Leave: ownLeave, Done: done,
		Separate: s.separateFrom(r, p, j.Organisation), Problems: append(page.Forms.problems(), more...), Page: page})
}

func (s *Console) viewForPerson(one step) personStepView {
	v := personStepView{Words: personStep(one.Kind).Words, Who: s.holderName(one.Owner, one.names)}
	v.Day, v.Late = byDay(one.DueAt, s.config.Clock.Now(), s.zone)
	for _, owner := range one.Also {
		v.Also = append(v.Also, s.holderName(owner, one.names))
	}
	return v
}

// lookWords say that somebody looked, from where, in which role and why.
func (s *Console) lookWords(l look) string {
	who := wordsFor(roleNames, l.Role)
	if l.Role != string(schemas.Person) {
		who += ", " + s.organisationName(l.Organisation)
	}
	words := l.At.In(s.zone).Format("Monday 2 January, 3:04pm") + ": " + who + ", " + wordsFor(seesWords, l.Sees)
	if l.Refused != "" {
		words += " (nothing was shown)"
	}
	if l.Reason != "" {
		words += ". The reason they gave: " + l.Reason
	}
	return words
}

// seesWords say what somebody saw.
var seesWords = map[string]string{"all": "your name and how to reach you", "partner": "your name and how to reach you",
	"consent": "what you said yes and no to", "nothing": "nothing",
	"number":        "your number, to send you a text",
	"gave-own-page": "gave you the code for this page", "printed-letter": "printed a letter for you",
	"printed-slip": "printed a slip for you"}

// personSays does what the person says. A form that was sent when the session was over does nothing, and asks for the
// code again; help that was asked for then is not said to be on its way.
func (s *Console) personSays(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		r.PostForm = url.Values{}
	}
	p, id, ok := pageHolder(r.Context())
	does := r.PostFormValue("do")
	switch {
	case does == "help":
		return s.personHelp(w, r, p, id, ok)
	case !ok:
		return s.askCode(w, r, true)
	}
	a := newAnswers(r.PostForm, s.zone)
	err := s.personDoes(r.Context(), p, id, does, requestOf(r.PostForm), a)
	if len(a.matters) > 0 {
		return s.morePage(w, r, p, id, http.StatusUnprocessableEntity, r.PostForm, a.matters)
	}
	if again, shown := sentAgain(err, r.PostForm); shown != nil {
		shown.Anchor = "more"
		return s.morePage(w, r, p, id, again, r.PostForm, nil, *shown)
	}
	if err != nil {
		return err
	}
	if does == "stop" {
		return s.askCode(w, r, false)
	}
	http.Redirect(w, r, schemas.OwnPath+"/more"+query("said", does), http.StatusSeeOther)
	return nil
}

// personDoes sends what was said by the request that staff send for it too.
func (s *Console) personDoes(ctx context.Context, p principal.Principal, id, does, key string, a *answers) error {
	send := func(what string, body any) error {
		if len(a.matters) > 0 {
			return nil
		}
		return s.client.tell(ctx, p, id, what, key, body)
	}
	switch does {
	case "no":
		answers, err := s.client.consent(ctx, p, id)
		if err != nil {
			return err
		}
		nos := nosOf(answers.Answers)
		i := slices.IndexFunc(nos, func(o noOption) bool { return o.code() == a.entered.Get("to") })
		if i < 0 {
			a.matter("to", "Choose what you say no to")
			return nil
		}
		return send("consent", map[string]any{"how": "written", "answers": []map[string]string{{
			"purpose": nos[i].Purpose, "organisation": nos[i].Organisation, "state": nos[i].State}}})
	case "suits":
		return send("preferences", suits(a))
	case "contact":
		channel := a.needed("channel", "Choose what is new", "phone", "text", "email")
		value := a.text("value", 200)
		if value == "" {
			a.matter("value", "Write the number or the address")
		}
		return send("contact", map[string]any{"channels": []map[string]string{{"channel": channel, "value": value}}})
	case "words":
		words := a.text("words", 2000)
		if words == "" {
			a.matter("words", "Write what you would like to add")
		}
		return send("summary", map[string]string{"words": words})
	case "reopen":
		return send("reopen", struct{}{})
	case "stop":
		return send("own-page", map[string]bool{"stop": true})
	}
	return httpx.NewProblem(http.StatusBadRequest, "The form could not be read. Go back and send it again.")
}

// suits are the hours and channels that were chosen; what nothing was chosen for stays as it was.
func suits(a *answers) map[string][]string {
	body := map[string][]string{}
	if hours := a.some("hours", codesOf(meetingHours)...); len(hours) > 0 {
		body["hours"] = hours
	}
	if talk := a.some("talk", codesOf(talkOptions)...); len(talk) > 0 {
		body["channels"] = talk
	}
	if len(body) == 0 {
		a.matter("hours", "Choose when it suits you, or how you like to talk")
	}
	return body
}

// tell sends something that was said about a journey to whoever keeps it.
func (c *client) tell(ctx context.Context, p principal.Principal, journey, what, key string, body any) error {
	path := "/api/journeys/" + url.PathEscape(journey) + "/" + what
	return c.call(ctx, p, serviceOf(http.MethodPost, path), http.MethodPost, path, key, body, nil)
}

// personHelp passes a request for help on, before anything else.
func (s *Console) personHelp(w http.ResponseWriter, r *http.Request, p principal.Principal, id string, ok bool) error {
	page, status := helpView{Back: schemas.OwnPath, BackWords: "Back"}, http.StatusUnprocessableEntity
	title := helpFailed
	if ok {
		answer, err := s.client.help(r.Context(), p, "journeys", id, requestOf(r.PostForm),
			map[string]string{"kind": schemas.HelpNow})
		if status = statusOf(err); err != nil && status == 0 {
			status = http.StatusServiceUnavailable
		}
		if err == nil {
			page, status, title = s.viewHelp(answer), http.StatusOK, "Your request is kept"
			page.Back, page.BackWords = schemas.OwnPath, "Back"
		}
	}
	return s.show(w, r, status, "help", view{Title: title, Leave: ownLeave, Separate: separateWords(""), Page: page})
}

// leavePerson is for where this console is asked without the gateway, which leads away itself.
func (s *Console) leavePerson(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, leaveTo, http.StatusSeeOther)
	return nil
}
