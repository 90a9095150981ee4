package console

import (
	"errors"
	"net/http"
	"net/url"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

const quarantinedTitle = "A message"

func (s *Console) showMessage(w http.ResponseWriter, r *http.Request) error {
	return s.messagePage(w, r, http.StatusOK, "", url.Values{}, nil, nil)
}

func (s *Console) showTried(w http.ResponseWriter, r *http.Request, tried *messageTried) error {
	return s.messagePage(w, r, http.StatusOK, "", url.Values{}, nil, tried)
}

// messagePage shows one message: whom it is about only where a reason is stated, which goes on in a header and never in
// an address.
func (s *Console) messagePage(w http.ResponseWriter, r *http.Request, status int, reason string, entered url.Values,
	matters map[string]string, tried *messageTried, more ...problemView) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	m, err := s.client.message(r.Context(), p, r.PathValue("id"), reason)
	if err != nil {
		return err
	}
	page := viewQuarantined(m, p.Role, s.config.Clock.Now(), s.zone)
	if page.Taken, err = s.takenApart(r, p, m.ID, tried); err != nil {
		return err
	}
	page.Form, page.LookForm = page.Form.filled(entered, matters), accessForm().filled(entered, matters)
	page.Open, page.Request = page.Open || len(page.Form.problems()) > 0, clock.NewRandomID()
	problems := append(append(page.Form.problems(), page.LookForm.problems()...), more...)
	return s.show(w, r, status, "message", view{Title: quarantinedTitle, Here: "/messages", Problems: problems,
		Done: decidedWords[r.URL.Query().Get("said")], Page: page})
}

// accessForm asks why somebody looks.
func accessForm() form {
	return form{Sections: []section{{Questions: []question{
		text("why", "Why do you look?", "Your reason is kept, and the person can read it. For example: to find the "+
			"visit in our record."),
	}}}}
}

// decidedWords say what a decision did, on the page that follows.
var decidedWords = map[string]string{
	"release":    "Thank you. It goes on from here: what became of it stands below.",
	"dismiss":    "Thank you. It has ended, and nothing follows from it.",
	"read-again": "Thank you. It has been read again, in your name: what became of it stands below.",
}

// lookAtMessage shows whom a message is about, for a reason.
func (s *Console) lookAtMessage(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	reason := a.text("why", 200)
	if len(reason) < 3 {
		a.matter("why", "Write in a few words why you look")
	}
	if len(a.matters) > 0 {
		return s.messagePage(w, r, http.StatusUnprocessableEntity, "", r.PostForm, a.matters, nil)
	}
	return s.messagePage(w, r, http.StatusOK, reason, url.Values{}, nil, nil)
}

// decideMessage releases or dismisses a message, in the name of whoever is signed in.
func (s *Console) decideMessage(decision string) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := posted(w, r)
		if err != nil {
			return err
		}
		var body any
		if decision == "release" {
			a := newAnswers(r.PostForm, s.zone)
			known := readEdits(a, s.config.Clock.Now())
			if len(a.matters) > 0 {
				return s.messagePage(w, r, http.StatusUnprocessableEntity, "", r.PostForm, a.matters, nil)
			}
			body = known
		}
		return s.decided(w, r, p, decision, body)
	}
}

// decided sends a decision about a message, and shows what it did or why it could not be carried out.
func (s *Console) decided(w http.ResponseWriter, r *http.Request, p principal.Principal, decision string,
	body any) error {
	err := s.client.decide(r.Context(), p, r.PathValue("id"), decision, r.PostFormValue("request"), body)
	var problem *httpx.Problem
	if errors.As(err, &problem) && undecidedWords[problem.Status] != "" {
		return s.messagePage(w, r, problem.Status, "", r.PostForm, nil, nil, problemView{undecidedWords[problem.Status],
			"decide"})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/messages/"+url.PathEscape(r.PathValue("id"))+"?said="+decision, http.StatusSeeOther)
	return nil
}

// undecidedWords say why a decision could not be carried out.
var undecidedWords = map[int]string{
	http.StatusConflict: "This has been settled meanwhile, or its visit has changed: look at it as it is now",
	http.StatusUnprocessableEntity: "It still cannot be used as it is. Put in what it lacks, or ask the hospital to " +
		"send it again and then end this one",
	http.StatusGone: "What it said has been erased, as its time was over. It can only be ended",
}
