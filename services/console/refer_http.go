package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

func (s *Console) showRefer(w http.ResponseWriter, r *http.Request) error {
	return s.referPageAt(w, r, http.StatusOK, 1, url.Values{}, nil)
}

// referPageAt shows one page of the request with what was entered so far.
func (s *Console) referPageAt(w http.ResponseWriter, r *http.Request, status, number int, entered url.Values,
	matters map[string]string, more ...problemView) error {
	page := referPageOf(number, s.config.Partners, entered, matters)
	if number <= 2 {
		page.Advocate = s.config.Advocate
	}
	return s.show(w, r, status, "refer-page", view{Title: page.Title, Here: "/refer",
		Problems: append(page.problems(), more...), Separate: separateWords(""), Page: page})
}

// turn leads from one page of the request to another: back with whatever was entered, on once it is complete. It is
// true where there is nothing to turn to: the request is to be sent.
func (s *Console) turn(w http.ResponseWriter, r *http.Request, a *answers) (send bool, err error) {
	from, to := referPageAsked(a.entered)
	if from == 0 {
		return true, nil // all in one form
	}
	if to > 0 {
		return false, s.referPageAt(w, r, http.StatusOK, to, a.entered, nil)
	}
	if from > len(referPages) {
		for page := range len(referPages) {
			if matters := mattersOf(page+1, a.matters); len(matters) > 0 {
				return false, s.referPageAt(w, r, http.StatusUnprocessableEntity, page+1, a.entered, matters)
			}
		}
		return true, nil
	}
	delete(a.matters, "bridging") // it is optional here
	if matters := mattersOf(from, a.matters); len(matters) > 0 {
		return false, s.referPageAt(w, r, http.StatusUnprocessableEntity, from, a.entered, matters)
	}
	return false, s.referPageAt(w, r, http.StatusOK, from+1, a.entered, nil)
}

const referTitle = "Ask for follow-up support"

// referPage shows the form with what was entered. Its key is kept while only the form is at fault.
func (s *Console) referPage(w http.ResponseWriter, r *http.Request, status int, entered url.Values,
	matters map[string]string, more ...problemView) error {
	f := referForm(s.config.Partners).filled(entered, matters)
	f.Request = requestOf(entered)
	return s.show(w, r, status, "refer",
		view{Title: referTitle, Here: "/refer", Problems: append(f.problems(), more...), Separate: separateWords(""),
			Page: f})
}

// requestOf is the key that a form came with, or a new one.
func requestOf(entered url.Values) string {
	if key := entered.Get("request"); key != "" && len(key) <= 100 {
		return key
	}
	return clock.NewRandomID()
}

type referredView struct {
	Code, ID string
	Steps    []stepView
	Flags    []string
	Double   bool
	Paper    bool // the caller may print something for the person, and record more
}

// refer sends a request on. Sent twice, it is one request, and the page that follows is the same.
func (s *Console) refer(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	pressed(r.PostForm)
	a := newAnswers(r.PostForm, s.zone)
	asked := readReferral(a, s.config.Partners, s.config.Clock.Now())
	if send, err := s.turn(w, r, a); err != nil || !send {
		return err
	}
	if len(a.matters) > 0 {
		return s.referPage(w, r, http.StatusUnprocessableEntity, r.PostForm, a.matters)
	}
	answer, err := s.client.refer(r.Context(), p, requestOf(r.PostForm), asked)
	again, shown := sentAgain(err, r.PostForm)
	if shown != nil && r.PostForm.Get("page") != "" {
		return s.referPageAt(w, r, again, len(referPages)+1, r.PostForm, nil, *shown)
	}
	if shown != nil {
		return s.referPage(w, r, again, r.PostForm, nil, *shown)
	}
	if err != nil {
		return err
	}
	page := referredView{ID: answer.Journey, Flags: flagsInWords(answer.Flags),
		Double: slices.Contains(answer.Flags, schemas.FlagPossibleDouble)}
	if answer.Journey != "" {
		page.Code, page.Paper = codeOf(answer.Journey), opens("POST", "/journeys/{id}/paper", p.Role)
		page.Steps = s.firstSteps(r.Context(), p, answer.Journey)
	}
	return s.show(w, r, http.StatusOK, "referred", view{Title: "Support has been asked for", Here: "/refer",
		Separate: s.separateFrom(r, p, p.Organisation), Page: page})
}

// sentAgain says of a refusal what is to be done with a form that stays on the screen: one that came before with other
// answers gets a new key, since whoever changed it means a new request.
func sentAgain(err error, entered url.Values) (status int, shown *problemView) {
	var problem *httpx.Problem
	if !errors.As(err, &problem) {
		return 0, nil
	}
	switch problem.Status {
	case http.StatusConflict:
		entered.Del("request")
		return problem.Status, &problemView{"This form was sent before, with other answers. To send it with these, " +
			"press the button again", "send"}
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return problem.Status, &problemView{"Something in the form could not be used. Look at the numbers and names: " +
			"each on one line, without unusual signs", "send"}
	}
	if notKept(problem.Status) {
		return problem.Status, &problemView{"This could not be kept just now. Nothing is lost: press the button " +
			"again in a minute. It counts once", "send"}
	}
	return 0, nil
}

// firstSteps are what happens next on a journey that has only just begun: it is asked for until its first step is
// there, for a second at most. Whoever may not see journeys is shown none.
func (s *Console) firstSteps(ctx context.Context, p principal.Principal, id string) []stepView {
	if p.Role == string(schemas.TreatingStaff) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for {
		if j, err := s.client.journey(ctx, p, id, ""); err == nil && len(j.Steps) > 0 {
			var steps []stepView
			for _, step := range j.Steps {
				steps = append(steps, viewStep(step, s.config.Clock.Now(), s.zone))
			}
			return steps
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}
