package bridging

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
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
	// Actions are the requests by which it is changed.
	Actions []schemas.Action `json:"actions,omitempty"`
}

// now is what stands there at present, by request and field: a form that changes it begins with that.
func (c callerShown) now() map[string][]string {
	return map[string][]string{"me.days": *c.Days, "me.fromHour": {strconv.Itoa(*c.FromHour)},
		"me.toHour": {strconv.Itoa(*c.ToHour)}, "me.most": {strconv.Itoa(*c.Most)}, "away.until": {c.AwayUntil},
		"me.channel": {cmp.Or(*c.Channel, schemas.ReminderByNothing)}, "me.address": {*c.Address}}
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
	if row.Channel == schemas.ReminderByNothing {
		row.Channel, row.Address = "", ""
	}
	switch {
	case row.FromHour < 0 || row.ToHour > 24 || row.FromHour >= row.ToHour:
		return "hours are from 0 to 23, until 1 to 24, the later last"
	case row.Most < 1 || row.Most > 60:
		return "calls a day are 1 to 60"
	case row.Channel != "" && (!has(row.Channel) || !isAddress(row.Address)), row.Address != "" &&
		!isAddress(row.Address):
		return "this channel is not set up here, or no address is given"
	}
	return ""
}

// awayShown is what becomes of the calls of somebody who is ill or away.
type awayShown struct {
	HandedOn []string `json:"handedOn"`
	// Calls says of each who makes it now: a colleague, or the team as a whole; and how many are being told.
	Calls []handedOn `json:"calls"`
	// Words are to be shown as they are.
	Words string `json:"words"`
}

type handedOn struct {
	Call  string    `json:"call"`
	DueAt time.Time `json:"dueAt"`
	To    string    `json:"to"`
	Told  int       `json:"told"`
}

// awayAsked is until which local date somebody is away; today where it is left out.
type awayAsked struct {
	Until string `json:"until"`
}

// away hands the calls of somebody who is ill or away on, until a day: to a colleague who works then and has room, who
// is told; else they are anybody's of the team, and the team is told. They stay the team's in either case.
func (a api) away(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[awayAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	var shown awayShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		today := calendar.DayOf(tx.Now, a.zone)
		until := today
		if body.Until != "" {
			if until, err = calendar.Between(body.Until, today, today+furthest); err != nil {
				return httpx.NewProblem(http.StatusBadRequest, "Say until which local date (YYYY-MM-DD) you are "+
					"away; today where it is left out.")
			}
		}
		shown, err = a.handOn(tx, p, until)
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

func (a api) handOn(tx *flow.Tx, p principal.Principal, until calendar.Day) (shown awayShown, err error) {
	var row callerRow
	readCaller(tx, p, calendar.DayOf(tx.Now, a.zone), &row)
	if err := tx.Flush(); err != nil {
		return shown, fmt.Errorf("reading who is away: %w", err)
	}
	row.AwayUntil = until.String()
	saveCaller(tx, p, row)
	var calls []callOpen
	var callers []Caller
	load := map[string]int{}
	lockCallsOf(tx, p, until.String(), func(c callOpen) { calls = append(calls, c) })
	// whoever is away is among them, as away
	callersOf(tx, []string{p.Organisation}, func(c Caller) { callers = append(callers, c) })
	loadsOf(tx, p.Organisation, until.String(), load)
	if err := tx.Flush(); err != nil {
		return shown, fmt.Errorf("reading the calls of who is away: %w", err)
	}
	given := reassign(calls, callers, load, a.zone)
	giveCalls(tx, given)
	shown = awayShown{HandedOn: []string{}, Calls: []handedOn{}}
	untold := 0
	for _, c := range calls {
		c.caller = given[c.id]
		told := c.notices(noticeHandedOn, callers, tx.Now, a.zone)
		storeNotices(tx, told, tx.Now)
		to := "team"
		if c.caller != "" {
			to = "colleague"
		}
		if len(told) == 0 {
			untold++
		}
		shown.HandedOn = append(shown.HandedOn, c.id)
		shown.Calls = append(shown.Calls, handedOn{Call: c.id, DueAt: c.due.In(a.zone), To: to, Told: len(told)})
	}
	shown.Words = awayWords(len(calls), untold)
	return shown, tx.Flush()
}

// callerLeft hands the calls of somebody who has left on, as of somebody who is away for good, and reminds them of
// nothing any more.
func (a api) callerLeft(tx *flow.Tx, p principal.Principal, left bool) error {
	var row callerRow
	var until calendar.Day
	today := calendar.DayOf(tx.Now, a.zone)
	readCaller(tx, p, today, &row)
	lastCallOf(tx, p, &until)
	if err := tx.Flush(); err != nil {
		return fmt.Errorf("reading who has left: %w", err)
	}
	if !left || !row.Kept && until == 0 {
		return nil
	}
	if _, err := a.handOn(tx, p, max(until, today+furthest)); err != nil {
		return err
	}
	forgetCaller(tx, p)
	return nil
}

// awayWords say what became of the calls, and what whoever is away has to do themselves.
func awayWords(calls, untold int) string {
	switch {
	case calls == 0:
		return "You have no calls until then. Get well soon."
	case untold == 0:
		return "Your calls are with your team now, and somebody is being told of each. Get well soon."
	}
	return fmt.Sprintf("Your calls are on your team's list now. Of %d of them this system can tell nobody: please "+
		"tell your team yourself. Get well soon.", untold)
}

func (a api) withCaller(w http.ResponseWriter, r *http.Request, p principal.Principal,
	do func(tx *flow.Tx, row *callerRow) error) error {
	var shown callerShown
	err := a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		var row callerRow
		var made, most int
		seeCaller(tx, p, calendar.DayOf(tx.Now, a.zone))
		readCaller(tx, p, calendar.DayOf(tx.Now, a.zone), &row)
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
		shown = callerShown{Days: &days, FromHour: &row.FromHour, ToHour: &row.ToHour, Most: &row.Most,
			Channel: &row.Channel, Address: &row.Address,
			Made: made, AwayUntil: row.AwayUntil, Calendar: row.HasCalendar}
		shown.Actions = schemas.CallerActions(schemas.Role(p.Role), shown.now())
		return nil
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}
