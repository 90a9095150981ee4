package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The pages of offers: a partner's own, and to staff those of their organisation. What a partner may say of an offer,
// and what is known of the person before it has taken them on, is followup's answer.

type offer struct {
	ID           string     `json:"offer"`
	Partner      string     `json:"partner"`
	Organisation string     `json:"organisation"`
	State        string     `json:"state"`
	Reason       string     `json:"reason"`
	FirstDay     string     `json:"firstDay"`
	LastDay      string     `json:"lastDay"`
	Late         bool       `json:"late"`
	Paused       bool       `json:"paused"`
	Stop         bool       `json:"stop"`
	AnswerBy     *time.Time `json:"answerBy"`
	YesBy        *time.Time `json:"placeKeptUntil"`
	BookBy       *time.Time `json:"bookBy"`
	KnownTo      string     `json:"known"`
	Journey      string     `json:"journey"`
	About        *struct {
		AgeBand      string   `json:"ageBand"`
		Area         string   `json:"area"`
		Channels     []string `json:"channels"`
		Language     string   `json:"language"`
		Interpreter  bool     `json:"interpreter"`
		WorkerGender string   `json:"workerGender"`
		Hours        []string `json:"hours"`
		Access       []string `json:"access"`
		Group        string   `json:"group"`
		Withheld     bool     `json:"withheld"`
	} `json:"about"`
	Appointment *struct {
		StartsAt  time.Time `json:"startsAt"`
		Channel   string    `json:"channel"`
		Minutes   int       `json:"minutes"`
		OutcomeBy time.Time `json:"outcomeBy"`
	} `json:"appointment"`
	Questions []struct {
		About   string    `json:"about"`
		AskedAt time.Time `json:"askedAt"`
		Reply   string    `json:"reply"`
	} `json:"questions"`
	Considered []struct {
		Name  string `json:"name"`
		Asked bool   `json:"asked"`
		Why   string `json:"why"`
	} `json:"considered"`
	May      []string         `json:"may"`
	Actions  []schemas.Action `json:"actions"`
	Separate string           `json:"separate"`
}

func (c *client) offers(ctx context.Context, p principal.Principal, cursor string) (httpx.List[offer], error) {
	var list httpx.List[offer]
	err := c.get(ctx, p, schemas.Followup, "/api/offers"+query("cursor", cursor), &list)
	return list, err
}

func (c *client) offer(ctx context.Context, p principal.Principal, id string) (o offer, err error) {
	err = c.get(ctx, p, schemas.Followup, "/api/offers/"+url.PathEscape(id), &o)
	return o, err
}

// offerView is an offer in words.
type offerView struct {
	ID, Code, State, Known string
	What                   string // what is done next, and by when
	Short, DueISO, Away    string
	Late, Paused, Stop     bool
	Facts                  []factView
	Journey, JourneyCode   string
}

func (s *Console) viewOffer(o offer, role string) offerView {
	now := s.config.Clock.Now()
	partner := role == string(schemas.Partner)
	v := offerView{ID: o.ID, Code: codeOf(o.ID), State: wordsFor(offerStates, o.State), What: "Look at it",
		Paused: o.Paused, Stop: o.Stop, Journey: o.Journey}
	if o.Journey != "" {
		v.JourneyCode = codeOf(o.Journey)
	}
	if !partner {
		v.Known = wordsFor(knownWords, o.KnownTo)
	}
	what, by := "", (*time.Time)(nil)
	switch {
	case o.Appointment != nil:
		what, by = "Say how it went", &o.Appointment.OutcomeBy
	case o.YesBy != nil:
		what, by = "Wait for the person’s own yes", o.YesBy
	case o.BookBy != nil:
		what, by = "Agree on a time", o.BookBy
	case o.AnswerBy != nil:
		what, by = map[bool]string{true: "Answer", false: "Wait for the answer"}[partner], o.AnswerBy
	}
	if o.Stop && !o.Paused {
		what, by, v.What = "", nil, "Say what you did with what you know"
	}
	if by != nil {
		v.What, v.Short, v.DueISO, v.Away, v.Late = what, shortTime(*by, s.zone), by.In(s.zone).Format(time.RFC3339),
			distance(now, *by), now.After(*by)
	}
	v.Facts = s.factsOf(o)
	return v
}

// factsOf is what is known of an offer: its days, and of the person what may be known before their name.
func (s *Console) factsOf(o offer) (facts []factView) {
	add := func(name, words string) {
		if words != "" {
			facts = append(facts, factView{name, words})
		}
	}
	add("Days", "Between "+dayWords(o.FirstDay)+" and "+dayWords(o.LastDay)+
		map[bool]string{true: ". Few days are left"}[o.Late])
	if a := o.Appointment; a != nil {
		add("Session", timeWords(a.StartsAt, s.zone)+", "+lowerFirst(wordsFor(valueWords, a.Channel))+", "+
			plural(a.Minutes, "minute"))
	}
	if a := o.About; a != nil {
		add("Age", a.AgeBand)
		add("Area", a.Area)
		add("Likes to talk", listed(valueWords, a.Channels))
		add("Language", wordsIf(languageWords, a.Language))
		add("Would like to meet", wordsIf(valueWords, a.WorkerGender))
		add("Can meet", listed(valueWords, a.Hours))
		add("Access", listed(valueWords, a.Access))
		add("Group", wordsIf(valueWords, a.Group))
		if a.Interpreter {
			add("Interpreter", "Yes")
		}
		if a.Withheld {
			add("More", "Is shown once you have taken the person on: it would fit too few people")
		}
	}
	return facts
}

type offersView struct {
	Offers  []offerView
	Partner bool
	Next    string
	Later   bool
}

func (s *Console) listOffers(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	list, err := s.client.offers(r.Context(), p, cursor)
	if err != nil {
		return err
	}
	page := offersView{Partner: p.Role == string(schemas.Partner), Later: cursor != ""}
	for _, o := range list.Items {
		page.Offers = append(page.Offers, s.viewOffer(o, p.Role))
	}
	if list.Next != nil {
		page.Next = "/offers" + query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "offers", view{Title: "Offers", Here: "/offers", Separate: separateWords(""),
		Page: page})
}

type offerPageView struct {
	offerView
	Questions  []factView
	Considered []factView
	MayLook    bool // the partner may look at who the person is
	StaffLook  bool // staff do so from the journey
	Who        *identityView
	Acts       actionsView
	Help       helpBlock
}

func (s *Console) showOffer(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	o, err := s.client.offer(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.offerPage(w, r, p, o, nil)(http.StatusOK, filledIn{})
}

// offerPage shows one offer, and who the person is where the partner has just asked for that.
func (s *Console) offerPage(w http.ResponseWriter, r *http.Request, p principal.Principal, o offer,
	who *identity) again {
	return func(status int, f filledIn, more ...problemView) error {
		partner := p.Role == string(schemas.Partner)
		page := offerPageView{offerView: s.viewOffer(o, p.Role), MayLook: partner && o.Journey != "" &&
			o.State != "waiting", StaffLook: !partner && opens("POST", "/journeys/{id}/who", p.Role),
			Acts: formsOf("/offers/"+url.PathEscape(o.ID), "this offer", clock.NewRandomID(), o.Actions, f),
			Help: helpOn(p.Role, "offers", o.ID, "")}
		page.Questions = s.questionsOf(o)
		for _, c := range o.Considered {
			page.Considered = append(page.Considered,
				factView{c.Name, map[bool]string{true: "Asked. "}[c.Asked] + wordsFor(consideredWords, c.Why)})
		}
		if who != nil {
			page.Who = viewIdentity(*who)
		}
		separate := o.Separate
		if separate == "" {
			separate = s.separateFrom(r, p, o.Organisation)
		}
		return s.show(w, r, status, "offer",
			view{Title: "An offer", Here: "/offers", Problems: append(page.Acts.problems(), more...),
				Separate: separate,
				Done:     offerDone[r.URL.Query().Get("said")], Page: page})
	}
}

// questionsOf are what a partner asked about an offer, each with its answer.
func (s *Console) questionsOf(o offer) (all []factView) {
	for _, q := range o.Questions {
		reply := "Not answered yet"
		if q.Reply != "" {
			reply = wordsFor(valueWords, q.Reply)
		}
		all = append(all, factView{wordsFor(valueWords, q.About) + ", " + shortTime(q.AskedAt, s.zone), reply})
	}
	return all
}

// offerDone say what a button did, on the page that follows.
var offerDone = map[string]string{"recorded": "Thank you. It is recorded, and what happens next stands below."}

// answerOffer takes in what somebody says of an offer, or shows a partner that has taken it on who the person is.
func (s *Console) answerOffer(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	o, err := s.client.offer(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return err
	}
	show := s.offerPage(w, r, p, o, nil)
	if r.PostFormValue("do") == "who" && p.Role == string(schemas.Partner) && o.Journey != "" {
		who, err := s.client.identity(r.Context(), p, o.Journey, "")
		if statusOf(err) == http.StatusNotFound {
			return show(http.StatusConflict, filledIn{}, problemView{"Who the person is cannot be shown yet, or not " +
				"any more. Their yes has to name you, and your agreement has to be in force. Try again in a minute, " +
				"or ask the navigator", "who"})
		}
		if err != nil {
			return err
		}
		return s.offerPage(w, r, p, o, &who)(http.StatusOK, filledIn{})
	}
	if done, err := s.act(r, p, o.Actions, show, nil); err != nil || !done {
		return err
	}
	http.Redirect(w, r, "/offers/"+url.PathEscape(o.ID)+"?said=recorded", http.StatusSeeOther)
	return nil
}
