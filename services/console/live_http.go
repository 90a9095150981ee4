package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The page on which it is decided whether anything is sent outward for an organisation: two named people turn it on,
// with what it rests on; one turns it off.

type liveState struct {
	Organisation string `json:"organisation"`
	On           bool   `json:"on"`
	Invented     bool   `json:"invented"`
	Rests        *struct {
		SafetyOfficer string `json:"safetyOfficer"`
		HazardLog     string `json:"hazardLog"`
		DPIA          string `json:"dpia"`
		Caldicott     string `json:"caldicott"`
	} `json:"rests"`
	AskedBy     string           `json:"askedBy"`
	AskedAt     *time.Time       `json:"askedAt"`
	ConfirmedBy string           `json:"confirmedBy"`
	ConfirmedAt *time.Time       `json:"confirmedAt"`
	OffBy       string           `json:"offBy"`
	OffAt       *time.Time       `json:"offAt"`
	Actions     []schemas.Action `json:"actions"`
}

func (c *client) live(ctx context.Context, p principal.Principal) (found liveState, err error) {
	err = c.get(ctx, p, schemas.Followup, "/api/organisations/"+url.PathEscape(p.Organisation)+"/going-live", &found)
	return found, err
}

type liveView struct {
	Lede  string
	Facts []factView
	Acts  actionsView
}

// ledeOfLive says in a sentence how it stands.
func ledeOfLive(l liveState) string {
	switch {
	case l.Invented:
		return "Everybody here is made up, so that offers go to made-up partners without a decision."
	case l.On:
		return "Sending is on: partners are told of offers that people here have said yes to."
	case l.OffAt != nil:
		return "Sending was turned off. Nothing goes to partners; offers that nobody has taken on are paused."
	case l.AskedAt != nil:
		return "Sending is off. Somebody has asked for it, and a second person confirms it."
	}
	return "Sending is off. Offers are prepared, and no partner is told of any."
}

func viewLive(l liveState, zone *time.Location) (facts []factView) {
	add := func(name, words string) { facts = append(facts, factView{name, words}) }
	if l.Rests != nil {
		add("Clinical safety officer", l.Rests.SafetyOfficer)
		add("Hazard log", l.Rests.HazardLog)
		add("Data protection impact assessment", l.Rests.DPIA)
		add("Caldicott approval", l.Rests.Caldicott)
	}
	for _, one := range []struct {
		name, by string
		at       *time.Time
	}{{"Asked for", l.AskedBy, l.AskedAt}, {"Confirmed", l.ConfirmedBy, l.ConfirmedAt},
		{"Turned off", l.OffBy, l.OffAt}} {
		if one.at != nil {
			add(one.name, "By "+one.by+", on "+timeWords(*one.at, zone))
		}
	}
	return facts
}

func (s *Console) livePage(w http.ResponseWriter, r *http.Request) (l liveState, show again, p principal.Principal,
	err error) {
	if p, err = principal.Need(r.Context()); err != nil {
		return l, nil, p, err
	}
	if l, err = s.client.live(r.Context(), p); err != nil {
		return l, nil, p, err
	}
	return l, func(status int, f filledIn, more ...problemView) error {
		page := liveView{Lede: ledeOfLive(l), Facts: viewLive(l, s.zone),
			Acts: formsOf("/going-live", l.Organisation, clock.NewRandomID(), l.Actions, f)}
		return s.show(w, r, status, "going-live", view{Title: "Going live", Here: "/going-live",
			Problems: append(page.Acts.problems(), more...), Done: partnerDone[r.URL.Query().Get("said")], Page: page})
	}, p, nil
}

func (s *Console) showLive(w http.ResponseWriter, r *http.Request) error {
	_, show, _, err := s.livePage(w, r)
	if err != nil {
		return err
	}
	return show(http.StatusOK, filledIn{})
}

func (s *Console) changeLive(w http.ResponseWriter, r *http.Request) error {
	l, show, p, err := s.livePage(w, r)
	if err != nil {
		return err
	}
	return s.send(w, r, p, l.Actions, show, "/going-live?said=recorded")
}

// mailView is one mail in the mailbox of development.
type mailView struct {
	At      string
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// showMailbox shows what was mailed, in development; elsewhere the service says that there is none.
func (s *Console) showMailbox(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	var found struct {
		Items []struct {
			mailView
			At time.Time `json:"at"`
		} `json:"items"`
	}
	if err := s.client.get(r.Context(), p, schemas.Delivery, "/api/outbox-mail", &found); err != nil {
		return err
	}
	var mails []mailView
	for _, one := range found.Items {
		one.mailView.At = timeWords(one.At, s.zone)
		mails = append(mails, one.mailView)
	}
	return s.show(w, r, http.StatusOK, "outbox-mail", view{Title: "Mail that was sent", Here: "/outbox-mail",
		Page: mails})
}
