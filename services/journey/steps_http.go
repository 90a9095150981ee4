package journey

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/calendar"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// stepListed is one open step of a list, with what is open to the caller.
type stepListed struct {
	stepShown
	Journey      string `json:"journey,omitempty"` // absent: it is about a message, or a service's line
	Organisation string `json:"organisation,omitempty"`
}

// stepList is a list of steps, with by what to ask for what has come to it since.
type stepList struct {
	httpx.List[stepListed]
	ReadAt string `json:"readAt"`
}

// stepFilter narrows the list of steps.
type stepFilter struct {
	Owners  []string  // any of them; nil for all
	Before  time.Time // due before; zero for all
	TakenBy string    // who has taken them on, by name; empty for all
	Since   *mark     // what has come to the list since; nil for all
}

// listSteps gives open steps by the time promised, one a line, of what the caller may see.
func (a api) listSteps(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/steps")
	page, err := httpx.ParsePage(r.URL.Query(), 2, usual, most)
	if err != nil {
		return err
	}
	after, err := cursorOf(page.After)
	if err != nil {
		return err
	}
	now := a.clock.Now()
	filter, err := a.filterOf(r.URL.Query(), p, now)
	if err != nil {
		return err
	}
	rows, batch, read := []stepListed{}, &pgx.Batch{}, mark{}
	listSteps(batch, p, filter, after, page.Limit+1, &read,
		func(s Step, about schemas.StepAbout) { rows = append(rows, a.listedOf(s, about, p, now)) })
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing steps: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, stepList{httpx.NewList(rows, page.Limit, func(s stepListed) []string {
		return []string{s.DueAt.UTC().Format(time.RFC3339Nano), s.Step}
	}), read.String()})
}

func (a api) listedOf(s Step, about schemas.StepAbout, p principal.Principal, now time.Time) stepListed {
	one := a.stepOf(s, now)
	a.explain(&one, s, about, p)
	return stepListed{one, s.Journey, s.Organisation}
}

// showStep gives one step, as it stands in the list. One that is done or was replaced is open to nothing any more.
func (a api) showStep(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, unknown())
	if err != nil {
		return err
	}
	var found *stepListed
	now, batch := a.clock.Now(), &pgx.Batch{}
	findStep(batch, p, id, func(s Step, about schemas.StepAbout) {
		one := a.listedOf(s, about, p, now)
		if s.State != stateOpen {
			one.Actions, one.May, one.TakeOn, one.Until = nil, nil, nil, ""
		}
		found = &one
	})
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading step %s: %w", id, err)
	}
	if found == nil {
		return unknown()
	}
	return httpx.WriteJSON(w, http.StatusOK, found)
}

// filterOf reads what somebody narrows the list by. A day that is named is over at its local midnight.
func (a api) filterOf(query url.Values, p principal.Principal, now time.Time) (f stepFilter, err error) {
	switch mine, team := query.Get("mine") == "true", query.Get("team"); {
	case team != "" && !ownerPattern.MatchString(team):
		return f, badOwner()
	case team != "":
		f.Owners = []string{team}
	case mine:
		f.Owners = append([]string{}, a.owners.postsOf(p)...)
	case query.Get("taken") == "true":
		f.TakenBy = named(p)
	}
	if since := query.Get("since"); since != "" {
		if f.Since, err = markOf(since); err != nil {
			return f, httpx.NewProblem(http.StatusBadRequest, "since is not as a list of steps gave it (readAt).")
		}
	}
	if due := strings.TrimSpace(query.Get("due")); due != "" {
		if f.Before, err = dueBy(due, a.zone); err != nil {
			return f, httpx.NewProblem(http.StatusBadRequest, "due is no local day (YYYY-MM-DD) and no time with an "+
				"offset.")
		}
	}
	if query.Get("past") == "true" && (f.Before.IsZero() || f.Before.After(now)) {
		f.Before = now
	}
	return f, nil
}

func dueBy(text string, zone *time.Location) (time.Time, error) {
	if day, err := calendar.ParseDay(text); err == nil {
		return (day + 1).At(0, 0, zone), nil
	}
	return time.Parse(time.RFC3339, text)
}
