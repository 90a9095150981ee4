package console

import (
	"net/http"
	"net/url"
)

func (s *Console) showOwn(w http.ResponseWriter, r *http.Request) error {
	return s.ownPage(w, r, http.StatusOK, url.Values{}, nil)
}

func (s *Console) ownPage(w http.ResponseWriter, r *http.Request, status int, entered url.Values,
	matters map[string]string, more ...problemView) error {
	f := ownForm().filled(entered, matters)
	f.Request = requestOf(entered)
	return s.show(w, r, status, "own", view{Title: ownTitle, Leave: leaveTo, Problems: append(f.problems(), more...),
		Page: f})
}

// askOwn sends somebody's own request on. What follows is the same whatever is known of them. Sent twice it is one
// request: a page of thanks that is opened again is sent with the same key.
func (s *Console) askOwn(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	a := newAnswers(r.PostForm, s.zone)
	asked := readOwn(a, s.config.Clock.Now())
	if len(a.matters) > 0 {
		return s.ownPage(w, r, http.StatusUnprocessableEntity, r.PostForm, a.matters)
	}
	_, err = s.client.refer(r.Context(), p, requestOf(r.PostForm), asked)
	if again, shown := sentAgain(err, r.PostForm); shown != nil {
		return s.ownPage(w, r, again, r.PostForm, nil, *shown)
	}
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "own-received", view{Title: "Thank you", Leave: leaveTo})
}

// ownReceived leads whoever opens the address of the thanks to the form: nobody is thanked for what did not come.
func (s *Console) ownReceived(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/get-support", http.StatusSeeOther)
	return nil
}
