package bridging

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// timers shows what will fire in the hours ahead (hours; 24), by kind and hour, and what is late.
func (a api) timers(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	ahead := schemas.ParameterOf("GET /api/timers", "hours")
	hours := ahead.Usual
	if given := r.URL.Query().Get("hours"); given != "" {
		if hours, err = strconv.Atoi(given); err != nil || hours < ahead.Min || hours > ahead.Max {
			return httpx.NewProblem(http.StatusBadRequest, "Hours ahead are %d to %d.", ahead.Min, ahead.Max)
		}
	}
	now := a.clock.Now()
	until := now.Add(time.Duration(hours) * time.Hour)
	items := []timerCount{}
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		items = []timerCount{}
		countTimers(tx, p, now, until, calendar.DayOf(now, a.zone).String(), calendar.DayOf(until, a.zone).String(),
			func(c timerCount) {
				c.Hour = c.Hour.In(a.zone)
				items = append(items, c)
			})
		return tx.Flush()
	})
	if err != nil {
		return fmt.Errorf("counting timers: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, timersShown{until.In(a.zone), items})
}

// timersShown is what will fire until a time, by kind and hour.
type timersShown struct {
	Until time.Time    `json:"until"`
	Items []timerCount `json:"items"`
}

// spreadAsked is over how many minutes what is late goes out.
type spreadAsked struct {
	Minutes int `json:"minutes"`
}

// mostSpread is over how many minutes reminders are spread at most: a day's calls are not put off to another.
const mostSpread = 240

// spreadShown says how many were.
type spreadShown struct {
	Calls   int       `json:"calls"`
	Notices int       `json:"notices"`
	Until   time.Time `json:"until"`
}

// spread lets the reminders that are late go out over some minutes instead of all at once, as after a stop. Requests
// for help and pages are never put off.
func (a api) spread(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[spreadAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	if body.Minutes < 1 || body.Minutes > mostSpread {
		return httpx.NewProblem(http.StatusBadRequest, "Minutes to spread over are 1 to %d.", mostSpread)
	}
	over := time.Duration(body.Minutes) * time.Minute
	var shown spreadShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		shown = spreadShown{Until: tx.Now.Add(over).In(a.zone)}
		spreadTimers(tx, p, tx.Now, over, lateAfter, func(calls, notices int) {
			shown.Calls, shown.Notices = calls, notices
		})
		return tx.Flush()
	})
	if err != nil {
		return fmt.Errorf("spreading timers: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}
