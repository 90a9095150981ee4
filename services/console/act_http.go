package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// again shows a page once more, with what was entered and what is the matter.
type again func(status int, f filledIn, more ...problemView) error

// Said of a form that is older than its thing: its action is not open any more, or it is and something has changed.
var (
	changedMeanwhile = problemView{"What can be done here has changed meanwhile: look at it as it is now", "next"}
	overtaken        = problemView{
		"Somebody else was faster, and this cannot be recorded here any more. What you had " +
			"entered is below", "next"}
	lookAgain = problemView{"Somebody else has recorded something since you opened this. Look at what has changed. " +
		"What " +
		"you entered is still here: press the button again if it is still right", "next"}
)

// send reads a form, sends it for one of the actions that are open, and leads on to where what was recorded is said.
func (s *Console) send(w http.ResponseWriter, r *http.Request, p principal.Principal, actions []schemas.Action,
	show again, next string) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	if done, err := s.act(r, p, actions, show, nil); err != nil || !done {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// act sends what somebody filled in for one of the actions that are open, read anew: a page may be older than its
// thing. done says that it was taken; otherwise the page was shown again, with what was entered. Pressed twice it is
// done once: the form carries a key.
func (s *Console) act(r *http.Request, p principal.Principal, actions []schemas.Action, show again,
	answer any) (done bool, err error) {
	return s.actOn(r, p, "", actions, show, answer)
}

// actOn is act about a thing of which is known how it stands: what was entered when it stood otherwise is shown again,
// with what has changed.
func (s *Console) actOn(r *http.Request, p principal.Principal, stands string, actions []schemas.Action, show again,
	answer any) (done bool, err error) {
	entered := r.PostForm
	i := openAction(entered, actions)
	if i < 0 {
		return false, show(http.StatusConflict, filledIn{entered: entered, changed: true, gone: true}, overtaken)
	}
	if stood := entered.Get("stood"); stood != "" && stood != markOf(stands, actions[i]) {
		return false, show(http.StatusConflict, filledIn{entered: entered, changed: true}, lookAgain)
	}
	a := newAnswers(entered, s.zone)
	body, err := bodyOf(entered.Get("action"), actions[i], a)
	if err != nil || len(a.matters) > 0 {
		return false, show(http.StatusUnprocessableEntity, filledIn{entered: entered, matters: a.matters})
	}
	switch {
	case entered.Get("change") != "":
		return false, show(http.StatusOK, filledIn{entered: entered})
	case entered.Get("checked") == "" && (leavesBy(actions[i], entered) || correctsWho(actions[i].Path)):
		return false, show(http.StatusOK, filledIn{entered: entered, check: true})
	}
	err = s.client.act(r.Context(), p, actions[i], requestOf(entered), body, answer)
	if status, shown := refusedBy(err, actions[i]); shown != nil {
		if status == http.StatusConflict {
			entered.Del("request") // whoever changes what was refused means a new request
		}
		return false, show(status, filledIn{entered: entered}, *shown)
	}
	return err == nil, err
}

// openAction is which of the actions that are open a form is of, -1 for none. What may be recorded besides changes
// without the person who fills it in having done anything; where that has moved a form's action to another place, and
// it is the only one of its request, what was entered moves with it.
func openAction(entered url.Values, actions []schemas.Action) (at int) {
	at, same := -1, 0
	for n, a := range actions {
		switch {
		case a.Path != entered.Get("does"):
		case keyOf(n) == entered.Get("action"):
			return n
		default:
			at, same = n, same+1
		}
	}
	if same != 1 {
		return -1
	}
	before := entered.Get("action") + "."
	for name, values := range entered {
		if rest, ok := strings.CutPrefix(name, before); ok {
			delete(entered, name)
			entered[keyOf(at)+"."+rest] = values
		}
	}
	entered.Set("action", keyOf(at))
	return at
}

// refusedBy says of a refusal what is to be done with a form that stays on the screen, in the words of the form.
func refusedBy(err error, action schemas.Action) (status int, shown *problemView) {
	var problem *httpx.Problem
	if !errors.As(err, &problem) {
		return 0, nil
	}
	switch problem.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusForbidden, http.StatusUnprocessableEntity:
		return problem.Status, &problemView{inWords(problem.Detail, action), "next"}
	}
	if notKept(problem.Status) {
		return problem.Status, &problemView{"This could not be kept just now. Nothing is lost: press the button " +
			"again in a minute. It counts once", "next"}
	}
	return 0, nil
}

// notKept says of what a service answered that it could not do it just now, for whatever reason: the same form may be
// sent again.
func notKept(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }
