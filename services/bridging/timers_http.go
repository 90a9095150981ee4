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
)

// furthestTimers is how many hours ahead timers are shown at most.
const furthestTimers = 24 * 31

// timers shows what will fire in the hours ahead (hours; 24), by kind and hour, and what is late.
func (a api) timers(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	hours := 24
	if given := r.URL.Query().Get("hours"); given != "" {
		if hours, err = strconv.Atoi(given); err != nil || hours < 1 || hours > furthestTimers {
			return httpx.NewProblem(http.StatusBadRequest, "Hours ahead are 1 to %d.", furthestTimers)
		}
	}
	now := a.clock.Now()
	until := now.Add(time.Duration(hours) * time.Hour)
	items := []timerCount{}
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		items = []timerCount{}
		countTimers(tx, p, now, until, calendar.DayOf(now, a.zone).String(), calendar.DayOf(until, a.zone).String(), func(c timerCount) {
			c.Hour = c.Hour.In(a.zone)
			items = append(items, c)
		})
		return tx.Flush()
	})
	if err != nil {
		return fmt.Errorf("counting timers: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, map[string]any{"until": until.In(a.zone), "items": items})
}
