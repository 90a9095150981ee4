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
	return s.referPage(w, r, http.StatusOK, url.Values{}, nil)
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
}

// refer sends a request on. Sent twice, it is one request, and the page that follows is the same.
func (s *Console) refer(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	asked := readReferral(a, s.config.Partners, s.config.Clock.Now())
	if len(a.matters) > 0 {
		return s.referPage(w, r, http.StatusUnprocessableEntity, r.PostForm, a.matters)
	}
	answer, err := s.client.refer(r.Context(), p, requestOf(r.PostForm), asked)
	if again, shown := sentAgain(err, r.PostForm); shown != nil {
		return s.referPage(w, r, again, r.PostForm, nil, *shown)
	}
	if err != nil {
		return err
	}
	page := referredView{ID: answer.Journey, Flags: flagsInWords(answer.Flags),
		Double: slices.Contains(answer.Flags, schemas.FlagPossibleDouble)}
	if answer.Journey != "" {
		page.Code = codeOf(answer.Journey)
		page.Steps = s.firstSteps(r.Context(), p, answer.Journey)
	}
	return s.show(w, r, http.StatusOK, "referred", view{Title: "Support has been asked for", Here: "/refer",
		Separate: separateWords(p.Organisation), Page: page})
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
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return problem.Status, &problemView{"This could not be kept just now. Nothing is lost: press the button " +
			"again in a minute. It counts once", "send"}
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return problem.Status, &problemView{"Something in the form could not be used. Look at the numbers and names: " +
			"each on one line, without unusual signs", "send"}
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
