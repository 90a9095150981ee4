package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The pages behind the link in a partner's mail. Whoever holds it is one offer's (schemas.OfferLink): they see what may
// be known before it is taken on, and answer in two presses, without an account and without scripts. Looking changes
// nothing: mail systems look first. Links that open nothing, whatever the reason, are answered alike.

// linkSays are what can be said by a link, in the order of the buttons.
var linkSays = []linkSay{
	{Say: "accept", May: "accept", Words: "Yes, we can meet this person", Ask: "Say yes?",
		About: "You take this person on for one session. Who they are is shown to somebody of yours who signs in as " +
			"themselves, once the person’s yes names you. You can take this back until then.",
		choices: func() []linkChoice { return []linkChoice{{"", "", "Yes, we take them on"}} }},
	{Say: "full", May: "decline", Words: "Too full just now", Ask: "Say that you are too full just now?",
		About:   "Nothing is held against you, and you are asked again about others.",
		choices: func() []linkChoice { return []linkChoice{{"code", "no-place", "We are too full just now"}} }},
	{Say: "decline", May: "decline", Words: "No, for another reason", Ask: "Why not this time?",
		About: "A no needs no more words than this, costs you nothing, and closes no door to the person.",
		choices: func() []linkChoice {
			return linkChoices("code", "offer-decline", "22", "no-place", "may-know")
		}},
	{Say: "may-know", May: "may-know", Words: "I may know this person", Ask: "Who should see to it instead?",
		About:   "This is nobody’s fault. You are not told more about them.",
		choices: func() []linkChoice { return linkChoices("who", "may-know") }},
	{Say: "question", May: "question", Words: "Ask something first", Ask: "What would you like to ask about?",
		About: "The hospital’s navigator answers here. Your time to answer goes on meanwhile.",
		choices: func() []linkChoice {
			return linkChoices("about", "offer-question")
		}},
}

type linkSay struct {
	Say, May, Words string
	Ask, About      string
	choices         func() []linkChoice
}

// Path is the request by which it is said of an offer.
func (l linkSay) path(offer string) string {
	return "/api/offers/" + url.PathEscape(offer) + "/" + l.May
}

// linkChoice is one button: pressing it says a code in a field.
type linkChoice struct{ Field, Code, Words string }

// linkChoices are the codes of a kind, but for some.
func linkChoices(field, kind string, without ...string) (all []linkChoice) {
	for _, code := range schemas.Values(kind) {
		if !slices.Contains(without, code) {
			all = append(all, linkChoice{field, code, wordsFor(valueWords, code)})
		}
	}
	return all
}

// linkedView is the page of an offer behind a link.
type linkedView struct {
	offerView
	Says      []linkSay // what can be said
	Chosen    *linkSay  // what has been pressed
	Choices   []linkChoice
	Questions []factView
	Answer    string // what was answered, where that can be taken back
	Navigator string // whose the navigator is
	PassedOn  bool   // no answer came in time, and another was asked
	Request   string
}

// showLink shows the offer, or the second press of what was pressed first.
func (s *Console) showLink(w http.ResponseWriter, r *http.Request) error {
	begun := time.Now()
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	o, err := s.linked(r.Context(), p)
	if err != nil {
		return s.noLink(w, r, begun, err)
	}
	return s.linkPage(w, r, http.StatusOK, o, r.URL.Query().Get("say"))
}

// linked is the offer that a link is to, where it opens anything.
func (s *Console) linked(ctx context.Context, p principal.Principal) (offer, error) {
	o, err := s.client.offer(ctx, p, p.Subject)
	if err == nil && len(o.May) == 0 && !o.Paused {
		err = httpx.NewProblem(http.StatusNotFound, "There is nothing to be said of this offer any more.")
	}
	return o, err
}

// noLinkAfter is how long after the request a page about a link that opens nothing is shown: whatever the reason, it
// takes as long.
const noLinkAfter = 200 * time.Millisecond

// noLink answers a link that opens nothing: unknown, over, spent, or another's. It is one page for all of them.
func (s *Console) noLink(w http.ResponseWriter, r *http.Request, begun time.Time, err error) error {
	if statusOf(err) != http.StatusNotFound {
		return err
	}
	select {
	case <-time.After(time.Until(begun.Add(noLinkAfter))):
	case <-r.Context().Done():
	}
	return s.show(w, r, http.StatusNotFound, "no-link", view{Title: "This link is not open"})
}

func (s *Console) linkPage(w http.ResponseWriter, r *http.Request, status int, o offer, say string,
	problems ...problemView) error {
	page := linkedView{offerView: s.viewOffer(o, string(schemas.Partner)), Questions: s.questionsOf(o),
		Navigator: o.Organisation, PassedOn: o.State == passedOn, Request: clock.NewRandomID()}
	for _, l := range linkSays {
		if !slices.Contains(o.May, l.May) {
			continue
		}
		page.Says = append(page.Says, l)
		if l.Say == say {
			page.Chosen, page.Choices = &l, l.choices()
		}
	}
	if slices.Contains(o.May, "undo") {
		page.Answer = linkAnswers[o.State]
	}
	title := "An offer"
	if page.Chosen != nil {
		title = page.Chosen.Ask
	}
	done := linkDone[r.URL.Query().Get("said")]
	if o.State == passedOn && r.URL.Query().Get("said") == "accept" {
		done = "Thank you. Your yes is noted, and the person chooses between you and another organisation."
	}
	return s.show(w, r, status, "link", view{Title: title, Separate: o.Separate, Problems: problems, Done: done,
		Page: page})
}

// passedOn is how an offer stands whose partner was silent, so that another was asked.
const passedOn = "passed-on"

// linkAnswers say what a partner answered, by how its offer stands.
var linkAnswers = map[string]string{
	"accepted": "You said yes: you take this person on",
	"waiting":  "You said yes: the place is kept while the person is asked whether they say yes to you",
	"declined": "You said no to this",
}

// linkDone say what a button did that leaves the offer open.
var linkDone = map[string]string{
	"question": "Thank you. The navigator answers here; open this link again to read it.",
	"may-know": "Thank you. It is noted that somebody else sees to it.",
}

// notPressed is said of what was sent without the mark that stands in the form: by whatever looks through mails.
var notPressed = problemView{"Nothing was done, as this did not come from a button of this page. Press the button here",
	"next"}

// answerLink takes in what was said by a link.
func (s *Console) answerLink(w http.ResponseWriter, r *http.Request) error {
	begun := time.Now()
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	o, err := s.linked(r.Context(), p)
	if err != nil {
		return s.noLink(w, r, begun, err)
	}
	if r.PostForm.Get(schemas.OpenedAs) != p.Mark() {
		return s.linkPage(w, r, http.StatusForbidden, o, "", notPressed)
	}
	if r.PostForm.Get("do") == "undo" {
		return s.undoLink(w, r, p, o)
	}
	// What is open now is followup's to decide: a second press of the same button is no other answer.
	i := slices.IndexFunc(linkSays, func(l linkSay) bool { return l.Say == r.PostForm.Get("do") })
	if i < 0 {
		return s.linkPage(w, r, http.StatusConflict, o, "", changedMeanwhile)
	}
	said := linkSays[i]
	body := map[string]string{}
	for _, c := range said.choices() {
		if c.Field != "" && r.PostForm.Get(c.Field) == c.Code {
			body[c.Field] = c.Code
		}
	}
	if len(body) == 0 && said.choices()[0].Field != "" {
		return s.linkPage(w, r, http.StatusUnprocessableEntity, o, said.Say, problemView{"Press one of these", "next"})
	}
	if err := s.client.say(r.Context(), p, said.path(p.Subject), requestOf(r.PostForm), body); err != nil {
		return s.linkRefused(w, r, p, err)
	}
	w.Header().Set("Location", "?said="+said.Say) // relative to the link's own address, which is not known here
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// undoLink takes an answer back. The offer is over then, and the link with it, so that the page that follows is this
// one.
func (s *Console) undoLink(w http.ResponseWriter, r *http.Request, p principal.Principal, o offer) error {
	path := "/api/offers/" + url.PathEscape(p.Subject) + "/undo"
	if err := s.client.say(r.Context(), p, path, requestOf(r.PostForm), map[string]string{}); err != nil {
		return s.linkRefused(w, r, p, err)
	}
	return s.show(w, r, http.StatusOK, "link-undone", view{Title: "Your answer has been taken back",
		Separate: o.Separate})
}

// linkRefused shows the offer as it stands now, and why what was said could not be done.
func (s *Console) linkRefused(w http.ResponseWriter, r *http.Request, p principal.Principal, refused error) error {
	var problem *httpx.Problem
	if !errors.As(refused, &problem) {
		return refused
	}
	words := problem.Detail
	switch {
	case problem.Status >= 500, problem.Status == http.StatusTooManyRequests:
		words = "This could not be kept just now. Nothing is lost: press the button again in a minute. It counts once"
	case strings.Contains(words, "/api/"):
		words = changedMeanwhile.Words
	}
	o, err := s.linked(r.Context(), p)
	if err != nil {
		return s.noLink(w, r, time.Now(), err)
	}
	return s.linkPage(w, r, problem.Status, o, "", problemView{words, "next"})
}

// say sends what is said of an offer. key makes a second press of the button harmless.
func (c *client) say(ctx context.Context, p principal.Principal, path, key string, body map[string]string) error {
	return c.call(ctx, p, schemas.Followup, http.MethodPost, path, key, body, nil)
}
