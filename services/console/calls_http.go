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

// The pages of whoever makes short calls: today's list of their team, and one call, with name and number from 15
// minutes before it until its outcome. What identifies somebody is on the page alone that follows 'I am ringing now';
// afterwards the same address shows nothing of them.

// shortCall is one call as bridging lists it.
type shortCall struct {
	ID      string    `json:"call"`
	Journey string    `json:"journey"`
	DueAt   time.Time `json:"dueAt"`
	On      string    `json:"on"`
	Try     int       `json:"try"`
	Minutes int       `json:"minutes"`
	Channel string    `json:"channel"`
	Late    bool      `json:"late"`
	Yours   bool      `json:"yours"`
	Claimed bool      `json:"claimed"`
	Over    bool      `json:"over"`
	Last    *struct {
		On      string `json:"on"`
		Reached bool   `json:"reached"`
	} `json:"last"`
	May     []string         `json:"may"`
	Actions []schemas.Action `json:"actions"`
}

// claim is what whoever rings now is answered.
type claim struct {
	Until  time.Time `json:"until"`
	Script []string  `json:"script"`
}

// callPerson is whom somebody rings.
type callPerson struct {
	FamilyName    string        `json:"familyName"`
	GivenName     string        `json:"givenName"`
	Contact       []channel     `json:"contact"`
	NoSafeChannel bool          `json:"noSafeChannel"`
	Named         []namedPerson `json:"named"`
	Needs         []string      `json:"needs"`
	NeedsNote     string        `json:"needsNote"`
}

// callOutcome is what follows from a call's outcome.
type callOutcome struct {
	State string `json:"state"`
	Next  *struct {
		DueAt time.Time `json:"dueAt"`
		Try   int       `json:"try"`
	} `json:"next"`
	Help    *helpAnswer `json:"help"`
	Debrief string      `json:"debrief"`
}

func (c *client) calls(ctx context.Context, p principal.Principal, cursor string) (httpx.List[shortCall], error) {
	var list httpx.List[shortCall]
	err := c.get(ctx, p, schemas.Bridging, "/api/calls"+query("cursor", cursor), &list)
	return list, err
}

func (c *client) shortCall(ctx context.Context, p principal.Principal, id string) (found shortCall, err error) {
	err = c.get(ctx, p, schemas.Bridging, "/api/calls/"+url.PathEscape(id), &found)
	return found, err
}

func (c *client) claim(ctx context.Context, p principal.Principal, id string) (got claim, err error) {
	err = c.call(ctx, p, schemas.Bridging, http.MethodPost, "/api/calls/"+url.PathEscape(id)+"/claim", "", nil, &got)
	return got, err
}

func (c *client) callPerson(ctx context.Context, p principal.Principal, id string) (who callPerson, err error) {
	err = c.get(ctx, p, schemas.Intake, "/api/calls/"+url.PathEscape(id)+"/person", &who)
	return who, err
}

type callsView struct {
	Calls []callView
	Next  string
	Later bool
}

// callView is one call, without whom it is to.
type callView struct {
	ID, Code, Journey          string
	Due, Short, DueISO, Away   string
	Late, Yours, Claimed, Over bool
	Try                        int
	Minutes                    int
	Last                       string // how the last contact went
	MayRing                    bool
}

func (s *Console) viewCall(c shortCall, role string) callView {
	now := s.config.Clock.Now()
	v := callView{ID: c.ID, Code: codeOf(c.Journey), Due: timeWords(c.DueAt, s.zone), Short: shortTime(c.DueAt, s.zone),
		DueISO: c.DueAt.In(s.zone).Format(time.RFC3339),
		Away:   distance(now, c.DueAt), Late: c.Late, Yours: c.Yours, Claimed: c.Claimed, Over: c.Over, Try: c.Try,
		Minutes: c.Minutes, MayRing: slices.Contains(c.May, "claim")}
	if opens("GET", "/journeys/{id}", role) {
		v.Journey = c.Journey
	}
	switch {
	case c.Last == nil:
		v.Last = "This is the first contact"
	case c.Last.Reached:
		v.Last = "Reached on " + dayWords(c.Last.On)
	default:
		v.Last = "Not reached on " + dayWords(c.Last.On)
	}
	return v
}

func (s *Console) listCalls(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	list, err := s.client.calls(r.Context(), p, cursor)
	if err != nil {
		return err
	}
	page := callsView{Later: cursor != ""}
	for _, c := range list.Items {
		page.Calls = append(page.Calls, s.viewCall(c, p.Role))
	}
	if list.Next != nil {
		page.Next = "/calls" + query("cursor", *list.Next)
	}
	return s.show(w, r, http.StatusOK, "calls", view{Title: "Calls for today", Here: "/calls", Page: page})
}

type callPageView struct {
	callView
	Ringing bool // the caller said that they ring now
	Until   string
	Who     *identityView
	Called  string   // the name to ask for
	Script  []string // what to say, in its order
	Acts    actionsView
	Help    helpBlock
}

// ringing marks a form of the page that shows whom somebody rings, so that it shows it again where something is
// missing.
const ringing = "ringing"

func (s *Console) showCall(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	c, err := s.client.shortCall(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return callGone(err)
	}
	return s.callPage(w, r, p, c, nil)(http.StatusOK, filledIn{})
}

// callGone says of a call that is not there why that may be.
func callGone(err error) error {
	if statusOf(err) == http.StatusNotFound {
		problem := httpx.NewProblem(http.StatusNotFound, "This call is over, or it is not one of your team’s. "+
			"Nothing of it is shown any more.")
		problem.Type = ownWords
		return problem
	}
	return err
}

// callPage shows one call; rings is what whoever rings now was answered, or nil.
func (s *Console) callPage(w http.ResponseWriter, r *http.Request, p principal.Principal, c shortCall,
	rings *claim) again {
	return func(status int, f filledIn, more ...problemView) error {
		page := callPageView{callView: s.viewCall(c, p.Role), Help: helpOn(p.Role, "calls", c.ID, "")}
		if rings == nil && f.entered.Get("with") == ringing {
			got, err := s.client.claim(r.Context(), p, c.ID) // whoever rings already holds it
			if err == nil {
				rings = &got
			}
		}
		page.Acts = formsOf("/calls/"+url.PathEscape(c.ID), "this call", clock.NewRandomID(), c.Actions, f).
			inTwoPresses()
		if rings != nil {
			page.Ringing, page.Until, page.Script = true, rings.Until.In(s.zone).Format("3:04pm"), rings.Script
			page.Acts.With, page.Help.Request = ringing, clock.NewRandomID()
			for i := range page.Acts.Forms {
				page.Acts.Forms[i].With = ringing
			}
			if who := s.whomToRing(r.Context(), p, c.ID); who != nil {
				page.Called = who.GivenName
				page.Who = viewIdentity(identity{GivenName: who.GivenName, FamilyName: who.FamilyName,
					Contact: who.Contact, NoSafeChannel: who.NoSafeChannel,
					Named: who.Named, Needs: who.Needs, NeedsNote: who.NeedsNote})
			}
		}
		return s.show(w, r, status, "call",
			view{Title: "A call", Here: "/calls", Problems: append(page.Acts.problems(), more...), Page: page})
	}
}

// whomToRing asks for name and number until they may be read: that somebody rings now reaches the record in a moment.
// For two seconds at most; nil where they are not shown.
func (s *Console) whomToRing(ctx context.Context, p principal.Principal, call string) *callPerson {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for {
		who, err := s.client.callPerson(ctx, p, call)
		if err == nil {
			return &who
		}
		if statusOf(err) != http.StatusNotFound {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

type calledView struct {
	Code    string
	State   string
	Next    string
	Help    *helpView
	Debrief string
}

// makeCall takes in that somebody rings now, or what became of a call.
func (s *Console) makeCall(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	c, err := s.client.shortCall(r.Context(), p, r.PathValue("id"))
	if err != nil {
		return callGone(err)
	}
	show := s.callPage(w, r, p, c, nil)
	outcomeApart(r.PostForm)
	if r.PostFormValue("do") == "ring" {
		got, err := s.client.claim(r.Context(), p, c.ID)
		if status, shown := refusedBy(err, schemas.Action{}); shown != nil {
			shown.Anchor = "call"
			return show(status, filledIn{}, *shown)
		}
		if err != nil {
			return err
		}
		return s.callPage(w, r, p, c, &got)(http.StatusOK, filledIn{})
	}
	var followed callOutcome
	if done, err := s.act(r, p, c.Actions, show, &followed); err != nil || !done {
		return err
	}
	page := calledView{Code: codeOf(c.Journey), State: wordsFor(callStates, followed.State), Debrief: followed.Debrief}
	if followed.Next != nil {
		page.Next = timeWords(followed.Next.DueAt, s.zone)
	}
	if h := followed.Help; h != nil {
		help := s.viewHelp(*h)
		page.Help = &help
	}
	return s.show(w, r, http.StatusOK, "called", view{Title: "The call is recorded", Here: "/calls", Page: page})
}
