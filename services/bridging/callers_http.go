package bridging

import (
	"fmt"
	"net/http"
	"strings"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
)

// mostCalls is how many calls a day somebody makes who agreed to no other number.
const mostCalls = 12

// callerShown is what somebody who makes calls says of themselves. What is left out of a change stays as it was.
type callerShown struct {
	Days     *[]string `json:"days"`
	FromHour *int      `json:"fromHour"`
	ToHour   *int      `json:"toHour"`
	// Most is how many calls a day they agreed to.
	Most *int `json:"most"`
	// Channel and Address are how they are reminded of their calls; empty for not at all.
	Channel *string `json:"channel"`
	Address *string `json:"address"`
	// Made is how many calls they have made today.
	Made      int    `json:"made"`
	AwayUntil string `json:"awayUntil,omitempty"`
	Calendar  bool   `json:"calendar"`
}

// caller shows what is kept of the caller of this request as somebody who makes calls.
func (a api) caller(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	return a.withCaller(w, r, p, func(*flow.Tx, *callerRow) error { return nil })
}

// keepCallerRow keeps it.
func (a api) keepCallerRow(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[callerShown](w, r, maxBody)
	if err != nil {
		return err
	}
	return a.withCaller(w, r, p, func(tx *flow.Tx, row *callerRow) error {
		if fault := body.into(row, a.notify.Has); fault != "" {
			return httpx.NewProblem(http.StatusBadRequest, "Please look again: %s.", fault)
		}
		saveCaller(tx, p, *row)
		return nil
	})
}

func (c callerShown) into(row *callerRow, has func(string) bool) string {
	if c.Days != nil {
		week, ok := weekOf(*c.Days)
		if !ok || week.None() {
			return "name at least one day: mon, tue, wed, thu, fri, sat, sun"
		}
		row.Days = nil
		for day, works := range week {
			if works {
				row.Days = append(row.Days, int32(day))
			}
		}
	}
	pick(&row.FromHour, c.FromHour)
	pick(&row.ToHour, c.ToHour)
	pick(&row.Most, c.Most)
	pick(&row.Channel, c.Channel)
	pick(&row.Address, c.Address)
	row.Address = strings.TrimSpace(row.Address)
	switch {
	case row.FromHour < 0 || row.ToHour > 24 || row.FromHour >= row.ToHour:
		return "hours are from 0 to 23, until 1 to 24, the later last"
	case row.Most < 1 || row.Most > 60:
		return "calls a day are 1 to 60"
	case row.Channel != "" && (!has(row.Channel) || !isAddress(row.Address)), row.Address != "" && !isAddress(row.Address):
		return "this channel is not set up here, or no address is given"
	}
	return ""
}

// away hands the calls of somebody who is ill or away on, until a day: they are anybody's of the team.
func (a api) away(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[struct {
		Until string `json:"until"`
	}](w, r, maxBody)
	if err != nil {
		return err
	}
	var handed []string
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		handed = []string{}
		today := calendar.DayOf(tx.Now, a.zone)
		until := today
		if body.Until != "" {
			if until, err = calendar.Between(body.Until, today, today+furthest); err != nil {
				return httpx.NewProblem(http.StatusBadRequest, "Say until which local date (YYYY-MM-DD) you are away; today where it is left out.")
			}
		}
		var row callerRow
		readCaller(tx, p, &row)
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("reading who is away: %w", err)
		}
		row.AwayUntil = until.String()
		saveCaller(tx, p, row)
		handCallsOn(tx, p, until.String(), func(id string) { handed = append(handed, id) })
		return tx.Flush()
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, map[string]any{"handedOn": handed})
}

func (a api) withCaller(w http.ResponseWriter, r *http.Request, p principal.Principal, do func(tx *flow.Tx, row *callerRow) error) error {
	var shown callerShown
	err := a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		var row callerRow
		var made, most int
		readCaller(tx, p, &row)
		loadOf(tx, p, calendar.DayOf(tx.Now, a.zone).At(0, 0, a.zone), &made, &most)
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("reading a caller: %w", err)
		}
		if err := do(tx, &row); err != nil {
			return err
		}
		var week calendar.Weekdays
		for _, day := range row.Days {
			week[day] = true
		}
		days := daysOf(week)
		shown = callerShown{Days: &days, FromHour: &row.FromHour, ToHour: &row.ToHour, Most: &row.Most, Channel: &row.Channel, Address: &row.Address,
			Made: made, AwayUntil: row.AwayUntil, Calendar: row.HasCalendar}
		return nil
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}
