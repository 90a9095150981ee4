package bridging

import (
	"fmt"
	"net/http"
	"slices"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

func noPlan() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such journey that you may see. Check its id.")
}

// planAsked is what the person agreed about their calls. What is left out stays as it was.
type planAsked struct {
	EveryDays *int      `json:"everyDays"`
	Monthly   *bool     `json:"monthly"`
	Minutes   *int      `json:"minutes"`
	FirstOn   *string   `json:"firstOn"`
	Windows   *[]Window `json:"windows"`
	Channel   *string   `json:"channel"`
	Nation    *string   `json:"nation"`
	// Unanswered is what they chose for when nobody answers.
	Unanswered   *string `json:"unanswered"`
	Team         *string `json:"team"`
	RemindPerson *bool   `json:"remindPerson"`
	// PausedUntil is the first local day on which calls go on; empty to go on now.
	PausedUntil *string `json:"pausedUntil"`
	// Reviewed: the plan was looked at with the person today.
	Reviewed bool `json:"reviewed"`
}

// planShown is how a plan stands.
type planShown struct {
	Journey   string    `json:"journey"`
	State     State     `json:"state,omitempty"`
	Because   string    `json:"because,omitempty"`
	Agreed    Agreement `json:"agreed"`
	EveryDays int       `json:"everyDays"`
	Monthly   bool      `json:"monthly,omitempty"`
	Minutes   int       `json:"minutes"`
	Team      string    `json:"team,omitempty"`
	LookOn    string    `json:"lookOn,omitempty"`
	Next      *nextCall `json:"next,omitempty"`
}

func pick[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}

// furthest is how far ahead a first call or the end of a pause may lie, in days.
const furthest = 366

// agree takes what was asked into an agreement; the fault says what is wrong with it.
func (o planAsked) agree(a Agreement, today calendar.Day) (Agreement, string) {
	ahead := func(day string) bool {
		_, err := calendar.Between(day, today, today+furthest)
		return err == nil
	}
	switch {
	case o.EveryDays != nil && (*o.EveryDays < 1 || *o.EveryDays > 92):
		return a, "calls are every 1 to 92 days"
	case o.Minutes != nil && (*o.Minutes < 5 || *o.Minutes > 60):
		return a, "a call is 5 to 60 minutes"
	case o.FirstOn != nil && !ahead(*o.FirstOn):
		return a, "the first call is on a local date (YYYY-MM-DD) from today, within a year"
	case o.PausedUntil != nil && *o.PausedUntil != "" && !ahead(*o.PausedUntil):
		return a, "a pause ends on a local date (YYYY-MM-DD) from today, within a year"
	case o.Channel != nil && !slices.Contains([]string{"phone", "text", "video"}, *o.Channel):
		return a, "the channel is phone, text or video"
	case o.Nation != nil && !slices.Contains([]string{calendar.NationEngland, calendar.NationWales,
		calendar.NationScotland, calendar.NationNorthernIreland}, *o.Nation):
		return a, "the nation is england, wales, scotland or northern-ireland"
	case o.Unanswered != nil && !slices.Contains([]string{"nothing", "text", "try-somebody-else"}, *o.Unanswered):
		return a, "what then is nothing, text or try-somebody-else"
	}
	if o.EveryDays != nil && *o.EveryDays != a.every() || o.Monthly != nil && *o.Monthly != a.Monthly {
		a.From = today.String() // another rhythm counts from the day it is agreed
	}
	pick(&a.EveryDays, o.EveryDays)
	pick(&a.Monthly, o.Monthly)
	pick(&a.Minutes, o.Minutes)
	pick(&a.From, o.FirstOn)
	pick(&a.Windows, o.Windows)
	pick(&a.Channel, o.Channel)
	pick(&a.Nation, o.Nation)
	pick(&a.Unanswered, o.Unanswered)
	pick(&a.Team, o.Team)
	pick(&a.RemindPerson, o.RemindPerson)
	pick(&a.PausedUntil, o.PausedUntil)
	if o.Reviewed {
		a.ReviewedOn = today.String()
	}
	return a, a.fault()
}

// fault says what is wrong with the hours of an agreement: each window has days and room for a call.
func (a Agreement) fault() string {
	kind, _ := schemas.KindNamed("organisation")
	if a.Team != "" && !kind.Allows(a.Team) {
		return "the team is an organisation's code or opaque id"
	}
	if len(a.Windows) > 14 {
		return "at most 14 windows are kept"
	}
	for _, w := range a.Windows {
		week, ok := weekOf(w.Days)
		if !ok || week.None() || w.FromHour < 0 || w.ToHour > 24 || (w.ToHour-w.FromHour)*60 < a.length() {
			return "a window has days (mon to sun), and hours from 0 to 24 with room for a call"
		}
	}
	return ""
}

// plan records what the person agreed about their calls, pauses them or lets them go on. It is no yes: calls begin by
// the person's yes, which is recorded as consent.
func (a api) plan(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noPlan())
	if err != nil {
		return err
	}
	body, _, err := httpx.ReadJSON[planAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	return a.withPlan(w, r, p, id, func(tx *flow.Tx, rec *record) error {
		agreed, fault := body.agree(rec.State.Agreed, calendar.DayOf(tx.Now, a.zone))
		if fault != "" {
			return httpx.NewProblem(http.StatusBadRequest, "Please look again: %s.", fault)
		}
		rec.State.Agreed = agreed
		return a.commit(tx, []*record{rec})
	})
}

func (a api) showPlan(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noPlan())
	if err != nil {
		return err
	}
	return a.withPlan(w, r, p, id, func(*flow.Tx, *record) error { return nil })
}

func (a api) withPlan(w http.ResponseWriter, r *http.Request, p principal.Principal, id string,
	do func(tx *flow.Tx, rec *record) error) error {
	var shown planShown
	err := a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		found := false
		findPlan(tx, p, id, func() { found = true })
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("finding journey %s: %w", id, err)
		}
		if !found {
			return noPlan()
		}
		records := store.Load(tx, []string{id})
		if err := tx.Flush(); err != nil {
			return fmt.Errorf("locking journey %s: %w", id, err)
		}
		if err := do(tx, records[id]); err != nil {
			return err
		}
		shown = a.planShown(records[id])
		return nil
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

func (a api) planShown(r *record) planShown {
	agreed := r.State.Agreed
	shown := planShown{Journey: r.Journey, Agreed: agreed, EveryDays: agreed.every(), Monthly: agreed.Monthly,
		Minutes: agreed.length()}
	if p := r.Plan; p != nil {
		shown.State, shown.Because, shown.Team = p.State, p.Because, p.Team
		if p.LookOn != 0 {
			shown.LookOn = p.LookOn.String()
		}
		if p.Call != nil {
			shown.Next = &nextCall{Call: p.Call.ID, DueAt: p.Call.DueAt.In(a.zone), Try: p.Call.Try}
		}
	}
	return shown
}
