package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// everything asks for messages whatever became of them; without it, those are listed that wait.
const everything = "all"

type messagesView struct {
	Messages []messageView
	Waiting  bool // for somebody, by the time promised
	Found    bool // by the number of a visit
	Late     int
	Outcomes []outcomeView
	Filter   messageFilter
	Next     string
	Request  string
}

type outcomeView struct {
	Code, Words string
	Chosen      bool
}

// filterOf reads what of the messages somebody wants to see. What is no day is left out: the page shows an empty field.
func filterOf(values url.Values) messageFilter {
	day := func(name string) string {
		text := values.Get(name)
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return ""
		}
		return text
	}
	f := messageFilter{Outcome: values.Get("outcome"), Sender: strings.TrimSpace(values.Get("sender")),
		From: day("from"), To: day("to")}
	if f.Outcome != everything && !slices.Contains(outcomes, f.Outcome) {
		f.Outcome = ""
	}
	if f.Outcome == "" && (f.Sender != "" || f.From != "" || f.To != "") {
		f.Outcome = everything // what waits is listed by the time promised alone
	}
	return f
}

func (s *Console) listMessages(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	filter, cursor := filterOf(r.URL.Query()), r.URL.Query().Get("cursor")
	var list httpx.List[message]
	if filter.Outcome == "" {
		list, err = s.client.waiting(r.Context(), p, cursor)
		list.Items = byDue(list.Items)
	} else {
		asked := filter
		if asked.Outcome == everything {
			asked.Outcome = ""
		}
		list, err = s.client.messages(r.Context(), p, asked, cursor)
	}
	if err != nil {
		return err
	}
	page := s.viewMessageList(list.Items, filter)
	if list.Next != nil {
		page.Next = "/messages" + filter.query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "messages", view{Title: "Messages", Here: "/messages", Page: page})
}

func (s *Console) viewMessageList(messages []message, filter messageFilter) messagesView {
	page := messagesView{Messages: viewMessages(messages, s.config.Clock.Now(), s.zone), Filter: filter,
		Waiting: filter.Outcome == ""}
	for _, m := range page.Messages {
		if m.Late {
			page.Late++
		}
	}
	page.Outcomes = []outcomeView{{"", "Waiting for somebody", page.Waiting},
		{everything, "Anything", filter.Outcome == everything}}
	for _, code := range outcomes {
		page.Outcomes = append(page.Outcomes, outcomeView{code, wordsFor(outcomeWords, code), code == filter.Outcome})
	}
	return page
}

// findMessages lists the messages of a visit: what became of it. The number comes in a form, never in an address.
func (s *Console) findMessages(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	found, problems := []message{}, []problemView(nil)
	if visit := strings.TrimSpace(r.PostFormValue("visit")); visit == "" || len(visit) > 64 {
		problems = []problemView{{"Enter the number of a visit, as the hospital writes it", "visit"}}
	} else if found, err = s.client.messagesOfVisit(r.Context(), p, visit, ""); err != nil {
		return err
	}
	page := s.viewMessageList(found, messageFilter{Outcome: everything})
	page.Found = len(problems) == 0
	status := http.StatusOK
	if !page.Found {
		status = http.StatusUnprocessableEntity
	}
	return s.show(w, r, status, "messages", view{Title: "Messages", Here: "/messages", Problems: problems, Page: page})
}

// takenView is a message taken apart, for its page.
type takenView struct {
	messageTaken
	Visit   []messageView // the messages of its visit
	Events  []factView    // what was published after it
	Tried   *triedView    // by another profile
	Choices []outcomeView // profiles
}

type triedView struct {
	messageTried
	Became, Why string
}

// takenApart reads what a message consists of. Tried is what another profile makes of it, nil where none was asked for.
func (s *Console) takenApart(r *http.Request, p principal.Principal, id string, tried *messageTried) (*takenView,
	error) {
	taken, err := s.client.taken(r.Context(), p, id)
	if err != nil {
		return nil, err
	}
	page := &takenView{messageTaken: taken, Visit: viewMessages(taken.SameVisit, s.config.Clock.Now(), s.zone)}
	for _, e := range taken.Events {
		page.Events = append(page.Events, factView{shortTime(e.At, s.zone), strings.TrimPrefix(e.Type,
			"care.footbridge.")})
	}
	chosen := ""
	if tried != nil {
		chosen = tried.Profile
		page.Tried = &triedView{*tried, wordsFor(outcomeWords, tried.Outcome), tried.Words}
	}
	for _, name := range taken.Profiles {
		page.Choices = append(page.Choices, outcomeView{name, name, name == chosen})
	}
	return page, nil
}

// tryProfile shows what another profile would make of a message, on its page.
func (s *Console) tryProfile(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	tried, err := s.client.try(r.Context(), p, r.PathValue("id"), r.PostFormValue("profile"))
	if err != nil {
		return err
	}
	return s.showTried(w, r, &tried)
}

// readMessageAgain has a message read again as it came, in the name of whoever is signed in.
func (s *Console) readMessageAgain(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	return s.decided(w, r, p, "read-again", nil)
}

// Words name the place of a line in its profile. The names of code lists are left out: they say on a screen, to whoever
// passes by, what the visit was for.
func (l profileLine) Words() string {
	if key, _, listed := strings.Cut(l.Key, "."); listed && key == "codes" {
		return key
	}
	return l.Key
}
