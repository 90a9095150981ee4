package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The page of a partner: its places and days, when it is away, a pause, and how it is told. It sees itself; a navigator
// sees each, and records its agreement.

type partnerOrganisation struct {
	ID        string `json:"partner"`
	Name      string `json:"name"`
	Agreement *struct {
		From         string `json:"from"`
		Until        string `json:"until"`
		OutwardName  string `json:"outwardName"`
		Safeguarding string `json:"safeguarding"`
		InForce      bool   `json:"inForce"`
		Rule         string `json:"rule"`
	} `json:"agreement"`
	Capacity struct {
		Weekly int      `json:"weekly"`
		AtMost int      `json:"atMost"`
		Works  []string `json:"works"`
	} `json:"capacity"`
	Held          int `json:"held"`
	TakenThisWeek int `json:"takenThisWeek"`
	Holidays      []struct {
		From  string `json:"from"`
		Until string `json:"until"`
	} `json:"holidays"`
	PausedUntil   string           `json:"pausedUntil"`
	HeldElsewhere bool             `json:"heldElsewhere"`
	Actions       []schemas.Action `json:"actions"`
	Notice        partnerNotice    `json:"-"` // delivery has it
}

// partnerNotice is how a partner is told, and what became of it.
type partnerNotice struct {
	By        string     `json:"by"`
	To        string     `json:"to"`
	Digest    bool       `json:"digest"`
	Trouble   string     `json:"trouble"`
	TroubleAt *time.Time `json:"troubleAt"`
	Mails     []struct {
		At    time.Time `json:"at"`
		Kind  string    `json:"kind"`
		State string    `json:"state"`
	} `json:"mails"`
	Actions []schemas.Action `json:"actions"`
}

func (c *client) partner(ctx context.Context, p principal.Principal, id string) (found partnerOrganisation, err error) {
	if err = c.get(ctx, p, schemas.Followup, "/api/partners/"+url.PathEscape(id), &found); err != nil {
		return found, err
	}
	if found.HeldElsewhere {
		return found, nil // how it is told is between it and whoever holds its agreement
	}
	err = c.get(ctx, p, schemas.Delivery, "/api/partners/"+url.PathEscape(id)+"/notice", &found.Notice)
	found.Actions = append(found.Actions, found.Notice.Actions...)
	return found, err
}

// partnerListed is an organisation that may be a partner.
type partnerListed struct {
	ID            string `json:"partner"`
	Name          string `json:"name"`
	From          string `json:"from"`
	Until         string `json:"until"`
	InForce       bool   `json:"inForce"`
	HeldElsewhere bool   `json:"heldElsewhere"`
}

type partnerLine struct{ Path, Name, State, What string }

// lineOfPartner says how it stands with one of them, and what a navigator does there.
func lineOfPartner(p partnerListed) partnerLine {
	line := partnerLine{Path: "/partners/" + url.PathEscape(p.ID), Name: p.Name, What: "Open it"}
	switch {
	case p.HeldElsewhere:
		line.State = "Another organisation’s partner: its navigators look after it"
	case p.Until == "":
		line.State, line.What = "No agreement: nothing is told to them", "Add it as a partner"
	case p.InForce:
		line.State = "An agreement is in force, until " + dayWords(p.Until)
	default:
		line.State = "The agreement, from " + dayWords(p.From) + " until " + dayWords(p.Until) +
			", is not in force today"
	}
	return line
}

// showPartners lists who may be asked for follow-up sessions, for whoever adds partners.
func (s *Console) showPartners(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	var found struct {
		Items []partnerListed `json:"items"`
	}
	if err := s.client.get(r.Context(), p, schemas.Followup, "/api/partners", &found); err != nil {
		return err
	}
	lines := []partnerLine{}
	for _, one := range found.Items {
		lines = append(lines, lineOfPartner(one))
	}
	return s.show(w, r, http.StatusOK, "partners", view{Title: "Partners", Here: "/partners",
		Separate: separateWords(""), Page: lines})
}

type partnerView struct {
	Name    string
	Facts   []factView
	Acts    actionsView
	Own     bool
	Foreign bool   // another organisation holds the agreement
	Workers string // the page of those who sign in
}

func viewPartner(o partnerOrganisation, zone *time.Location) (facts []factView) {
	add := func(name, words string) { facts = append(facts, factView{name, words}) }
	add("Places", placesInWords(o))
	add("Days", sentenceCase(all(named(dayNames, o.Capacity.Works))))
	for _, away := range o.Holidays {
		add("Away", "From "+dayWords(away.From)+" until "+dayWords(away.Until))
	}
	if o.PausedUntil != "" {
		add("Paused", "Until "+dayWords(o.PausedUntil)+": asked for nobody new")
	}
	if !o.HeldElsewhere {
		add("Told", toldInWords(o.Notice))
	}
	if words := troubleWords[o.Notice.Trouble]; words != "" {
		add("Trouble", words)
	}
	for i, m := range o.Notice.Mails {
		if i == mostMailsListed {
			break
		}
		add(shortTime(m.At, zone), mailKindWords[m.Kind]+": "+mailStateWords[m.State])
	}
	if a := o.Agreement; a == nil {
		add("Agreement", "None: nothing is told to them")
	} else {
		add("Agreement", "From "+dayWords(a.From)+" until "+dayWords(a.Until)+
			map[bool]string{false: ". Not in force today", true: ". In force"}[a.InForce])
		add("Outward name", a.OutwardName)
		add("Safeguarding desk", a.Safeguarding)
		add("Agreed", a.Rule)
	}
	return facts
}

// mostMailsListed is how many of the last mails the page lists.
const mostMailsListed = 5

func toldInWords(n partnerNotice) string {
	told := wordsFor(valueWords, n.By)
	if n.To != "" {
		told += ", to " + n.To
	}
	if n.Digest {
		told += ", once a day"
	}
	return told
}

// What came back from an address, and what became of a mail.
var (
	troubleWords = map[string]string{
		"refused":  "This address takes no mail. A navigator rings until it is changed",
		"returned": "A message came back from this address. A navigator rings until it is changed",
		"away":     "This address answered by itself that nobody is there. A navigator rings"}
	mailKindWords = map[string]string{"asks": "Something waits", "changed": "A change",
		"digest": "What waits that day"}
	mailStateWords = map[string]string{"waiting": "not sent yet", "sent": "sent", "withheld": "not needed any more",
		"refused": "refused by the address", "returned": "came back", "given-up": "could not be sent",
		"away": "answered by itself: nobody is there"}
)

func placesInWords(o partnerOrganisation) string {
	bound := func(n int) string {
		if n == 0 {
			return ""
		}
		return " of " + plural(n, "place")
	}
	return strings.Join([]string{people(o.Held) + " now" + bound(o.Capacity.AtMost),
		people(o.TakenThisWeek) + " taken on this week" + bound(o.Capacity.Weekly)}, "; ")
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return strconv.Itoa(n) + " people"
}

func (s *Console) partnerPage(w http.ResponseWriter, r *http.Request) (o partnerOrganisation, show again,
	p principal.Principal, err error) {
	if p, err = principal.Need(r.Context()); err != nil {
		return o, nil, p, err
	}
	if o, err = s.client.partner(r.Context(), p, r.PathValue("id")); err != nil {
		return o, nil, p, err
	}
	return o, func(status int, f filledIn, more ...problemView) error {
		page := partnerView{Name: o.Name, Facts: viewPartner(o, s.zone), Own: p.Role == string(schemas.Partner),
			Foreign: o.HeldElsewhere,
			Workers: "/partners/" + url.PathEscape(o.ID) + "/workers",
			Acts:    formsOf("/partners/"+url.PathEscape(o.ID), o.Name, clock.NewRandomID(), o.Actions, f)}
		if f.entered.Get("action") == "" && len(page.Acts.Forms) > 0 {
			page.Acts.Forms[0].Open = false // none of them is what somebody comes for
		}
		return s.show(w, r, status, "partner", view{Title: "A partner organisation", Here: "/partners",
			Problems: append(page.Acts.problems(), more...), Separate: separateWords(""),
			Done: partnerDone[r.URL.Query().Get("said")], Page: page})
	}, p, nil
}

var partnerDone = map[string]string{"recorded": "Thank you. It counts from now on."}

func (s *Console) showPartner(w http.ResponseWriter, r *http.Request) error {
	_, show, _, err := s.partnerPage(w, r)
	if err != nil {
		return err
	}
	return show(http.StatusOK, filledIn{})
}

func (s *Console) changePartner(w http.ResponseWriter, r *http.Request) error {
	o, show, p, err := s.partnerPage(w, r)
	if err != nil {
		return err
	}
	return s.send(w, r, p, o.Actions, show, "/partners/"+url.PathEscape(o.ID)+"?said=recorded")
}
