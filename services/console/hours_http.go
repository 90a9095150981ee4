package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// The page of somebody who makes calls about themselves: when they do, that they are ill or away, and a calendar of
// their own. An address of a calendar is on the page alone that follows its making.

// callerOwn is what bridging keeps of somebody who makes calls.
type callerOwn struct {
	Days      []string         `json:"days"`
	FromHour  int              `json:"fromHour"`
	ToHour    int              `json:"toHour"`
	Most      int              `json:"most"`
	Made      int              `json:"made"`
	Channel   string           `json:"channel"`
	Address   string           `json:"address"`
	AwayUntil string           `json:"awayUntil"`
	Calendar  bool             `json:"calendar"`
	Actions   []schemas.Action `json:"actions"`
}

func (c *client) callerOwn(ctx context.Context, p principal.Principal) (found callerOwn, err error) {
	err = c.get(ctx, p, schemas.Bridging, "/api/callers/me", &found)
	return found, err
}

// ownDone is what is answered to whoever made a calendar, or is away.
type ownDone struct {
	URL       string `json:"url"`
	ReadUntil string `json:"readUntil"`
	Words     string `json:"words"`
	Calls     []struct {
		DueAt time.Time `json:"dueAt"`
		To    string    `json:"to"`
	} `json:"calls"`
}

type hoursView struct {
	Facts []factView
	Acts  actionsView
	Made  madeView
}

// madeView is what has just been made, or become of calls. The address of a calendar is in it this once.
type madeView struct {
	Words, Address, Until string
	Calls                 []string
}

func (s *Console) viewMade(done ownDone) madeView {
	made := madeView{Words: done.Words, Address: done.URL}
	if done.ReadUntil != "" {
		made.Until = dayWords(done.ReadUntil)
	}
	for _, c := range done.Calls {
		made.Calls = append(made.Calls, timeWords(c.DueAt, s.zone)+": "+
			map[string]string{"colleague": "a colleague makes it", "team": "anybody of your team makes it"}[c.To])
	}
	return made
}

func viewCaller(c callerOwn, today string) (facts []factView) {
	facts = []factView{{"Days", sentenceCase(all(named(dayNames, c.Days)))},
		{"Hours", fmt.Sprintf("From %d:00 until %d:00", c.FromHour, c.ToHour)},
		{"Calls", fmt.Sprintf("%d made today, of %d at most", c.Made, c.Most)},
		{"Reminders", reminderWords(c)}}
	if c.AwayUntil >= today {
		facts = append(facts, factView{"Away", "Until " + dayWords(c.AwayUntil) + ", that day too"})
	}
	return append(facts, factView{"Calendar", map[bool]string{true: "You have an address for your own calendar",
		false: "You have none"}[c.Calendar]})
}

// reminderWords say how somebody is told of their calls a day ahead and when one is due.
func reminderWords(c callerOwn) string {
	if c.Channel == "" {
		return "Nobody reminds you: look at your list. You can choose a way below"
	}
	return wordsFor(byWords, c.Channel) + ", a day ahead and when a call is due: " + c.Address
}

// hoursPage shows the page, with what has just been made.
func (s *Console) hoursPage(w http.ResponseWriter, r *http.Request, c callerOwn, done *ownDone) again {
	return func(status int, f filledIn, more ...problemView) error {
		page := hoursView{Facts: viewCaller(c, s.config.Clock.Now().In(s.zone).Format(time.DateOnly)),
			Acts: formsOf("/hours", "your hours", clock.NewRandomID(), c.Actions, f), Made: s.viewMade(*done)}
		if f.entered.Get("action") == "" && len(page.Acts.Forms) > 0 {
			page.Acts.Forms[0].Open = false // nobody is asked whether they are ill
		}
		return s.show(w, r, status, "hours", view{Title: "Your hours", Here: "/calls",
			Problems: append(page.Acts.problems(), more...), Done: partnerDone[r.URL.Query().Get("said")], Page: page})
	}
}

func (s *Console) showHours(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	c, err := s.client.callerOwn(r.Context(), p)
	if err != nil {
		return err
	}
	return s.hoursPage(w, r, c, &ownDone{})(http.StatusOK, filledIn{})
}

// changeHours takes in what somebody decides about their own hours, and says what became of their calls.
func (s *Console) changeHours(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	c, err := s.client.callerOwn(r.Context(), p)
	if err != nil {
		return err
	}
	done := &ownDone{}
	show := s.hoursPage(w, r, c, done)
	taken, err := s.act(r, p, c.Actions, show, answersOf(r, done))
	switch {
	case err != nil || !taken:
		return err
	case done.Words == "":
		http.Redirect(w, r, "/hours?said=recorded", http.StatusSeeOther)
		return nil
	}
	if c, err = s.client.callerOwn(r.Context(), p); err != nil {
		return err
	}
	return s.hoursPage(w, r, c, done)(http.StatusOK, filledIn{})
}

// answersOf is where what is answered to a form goes, where something is that has to be shown.
func answersOf(r *http.Request, done *ownDone) any {
	does := r.PostFormValue("does")
	if strings.HasSuffix(does, "/calendar") || strings.HasSuffix(does, "/away") {
		return done
	}
	return nil
}

// makeCalendar makes or ends the calendar of a partner's worker.
func (s *Console) makeCalendar(w http.ResponseWriter, r *http.Request) error {
	p, err := posted(w, r)
	if err != nil {
		return err
	}
	done := &ownDone{}
	show := s.calendarPage(w, r, p, done)
	taken, err := s.act(r, p, schemas.WorkerActions(schemas.Role(p.Role)), show, answersOf(r, done))
	switch {
	case err != nil || !taken:
		return err
	case done.Words == "":
		http.Redirect(w, r, "/calendar?said=recorded", http.StatusSeeOther)
		return nil
	}
	return show(http.StatusOK, filledIn{})
}
