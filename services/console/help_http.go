package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Help needed now stands on the page of every journey, step, offer and call. Pressing it stores the request first; the
// numbers are on the page before anybody presses anything.

// helpBlock is what a page needs for it; without a Path it only shows the numbers.
type helpBlock struct {
	Path, Step, Back, Request string
}

// helpPages are where help is asked for, by what it is about.
var helpPages = map[string]string{"journeys": "/journeys/{id}/help", "offers": "/offers/{id}/help",
	"calls": "/calls/{id}/help"}

// helpOn is the block about one thing: of "journeys", "offers" or "calls".
func helpOn(role, of, id, step string) helpBlock {
	if id == "" || !opens("POST", helpPages[of], role) {
		return helpBlock{}
	}
	b := helpBlock{Path: "/" + of + "/" + url.PathEscape(id) + "/help", Back: "/" + of + "/" + url.PathEscape(id),
		Step: step, Request: clock.NewRandomID()}
	if step != "" {
		b.Back = "/steps/" + url.PathEscape(step)
	}
	return b
}

// helpAnswer is what the service says about a request for help.
type helpAnswer struct {
	StoredAt time.Time `json:"storedAt"`
	DueAt    time.Time `json:"dueAt"`
	Words    string    `json:"words"`
	Numbers  []string  `json:"numbers"`
	Told     []struct {
		Who   string `json:"who"`
		By    string `json:"by"`
		State string `json:"state"`
	} `json:"told"`
	Acknowledged *struct {
		By string    `json:"by"`
		At time.Time `json:"at"`
	} `json:"acknowledged"`
	PersonKnows string `json:"personKnows"`
	ID          string `json:"help"`
	Kind        string `json:"kind"`
	Journey     string `json:"journey"` // to whoever may take it on
}

func (c *client) help(ctx context.Context, p principal.Principal, of, id, key string,
	body map[string]string) (answer helpAnswer, err error) {
	err = c.call(ctx, p, schemas.Bridging, http.MethodPost, "/api/"+of+"/"+url.PathEscape(id)+"/help", key, body,
		&answer)
	return answer, err
}

func (c *client) helpAsked(ctx context.Context, p principal.Principal, id string) (answer helpAnswer, err error) {
	err = c.get(ctx, p, schemas.Bridging, "/api/help/"+url.PathEscape(id), &answer)
	return answer, err
}

func (c *client) takeHelp(ctx context.Context, p principal.Principal, id string) (answer helpAnswer, err error) {
	err = c.call(ctx, p, schemas.Bridging, http.MethodPost, "/api/help/"+url.PathEscape(id)+"/acknowledge", "",
		map[string]string{}, &answer)
	return answer, err
}

type helpView struct {
	Kept      bool // it is stored
	Words     string
	Numbers   []string
	Told      []string // who was told, and how that went
	Taken     string   // who has taken it on
	By        string   // by when somebody is to have taken it on
	Concern   bool
	Open      bool // nobody has taken it on, and the caller may
	ID        string
	Journey   string
	Asked     string // when it was asked for
	Back      string // the page it was asked from
	BackWords string
}

// askHelp passes a request for help on. It looks nothing up before: what is asked for is stored first.
func (s *Console) askHelp(of string) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := principal.Need(r.Context())
		if err != nil {
			return err
		}
		if err := readForm(w, r); err != nil {
			r.PostForm = url.Values{} // help is asked for whatever else was sent
		}
		kind := r.PostFormValue("kind")
		if !slices.Contains(schemas.Values("help-kind"), kind) {
			kind = schemas.HelpNow
		}
		id, body := r.PathValue("id"), map[string]string{"kind": kind}
		page := helpView{Concern: kind == schemas.HelpSafety, Back: "/" + of + "/" + url.PathEscape(id),
			BackWords: backWords[of]}
		if step := r.PostFormValue("step"); step != "" {
			body["step"], page.Back, page.BackWords = step, "/steps/"+url.PathEscape(step), "Back to the step"
		}
		if p.Role == string(schemas.TreatingStaff) {
			page.Back, page.BackWords = "/look", "Back"
		}
		if knows := r.PostFormValue("knows"); knows != "" {
			body["personKnows"] = knows
		}
		answer, err := s.client.help(r.Context(), p, of, id, requestOf(r.PostForm), body)
		status := http.StatusOK
		if err != nil {
			if status = statusOf(err); status == 0 {
				status = http.StatusServiceUnavailable
			}
			return s.show(w, r, status, "help", view{Title: helpFailed, Page: page})
		}
		shown := s.viewHelp(answer)
		shown.Concern, shown.Back, shown.BackWords = page.Concern, page.Back, page.BackWords
		return s.show(w, r, status, "help", view{Title: "Your request is kept", Page: shown})
	}
}

// viewHelp says what became of a request for help that is stored.
func (s *Console) viewHelp(answer helpAnswer) helpView {
	v := helpView{Kept: true, Words: answer.Words, Numbers: answer.Numbers, By: timeWords(answer.DueAt, s.zone)}
	for _, told := range answer.Told {
		v.Told = append(v.Told, sentenceCase(told.Who)+", "+lowerFirst(wordsFor(byWords, told.By))+": "+
			lowerFirst(wordsFor(toldWords, told.State)))
	}
	if taken := answer.Acknowledged; taken != nil {
		v.Taken = wordsFor(roleNames, taken.By) + ", " + timeWords(taken.At, s.zone)
	}
	return v
}

// showHelp shows a request for help to whoever may take it on: the message to those on call leads here.
func (s *Console) showHelp(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	answer, err := s.client.helpAsked(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.helpPage(w, r, answer)
}

// takeHelp takes a request on, for whoever is signed in. The first to say so is kept.
func (s *Console) takeHelp(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	answer, err := s.client.takeHelp(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.helpPage(w, r, answer)
}

func (s *Console) helpPage(w http.ResponseWriter, r *http.Request, answer helpAnswer) error {
	page := s.viewHelp(answer)
	page.ID, page.Open, page.Journey, page.Asked, page.Concern = answer.ID, answer.Acknowledged == nil, answer.Journey,
		timeWords(answer.StoredAt, s.zone), answer.Kind == schemas.HelpSafety
	return s.show(w, r, http.StatusOK, "help", view{Title: "Somebody asked for help", Here: "/steps", Page: page})
}

const helpFailed = "This could not be kept"
