package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/schemas"
)

// listedCall is a call of the callers' list.
type listedCall struct {
	Call, Journey string
	DueAt         time.Time
	May           []string
}

// callersAct makes the calls that are due.
func (r *run) callersAct(ctx context.Context) (done int, err error) {
	t := r.callers
	if t == nil || !t.atWork(r.now, r.zone) {
		return 0, nil
	}
	t.left = t.People * 60 / float64(t.Minutes)
	calls, err := all[listedCall](ctx, r, t.who, "/api/calls?all=true&due="+calendar.DayOf(r.now, r.zone).String())
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(calls, func(a, b listedCall) int {
		if order := a.DueAt.Compare(b.DueAt); order != 0 {
			return order
		}
		return numberOf(r.follow(a.Journey)) - numberOf(r.follow(b.Journey))
	})
	for _, c := range calls {
		if t.left < 1 {
			break
		}
		if c.DueAt.After(r.now) || !slices.Contains(c.May, "claim") {
			continue
		}
		did, err := r.rings(ctx, t, c)
		if err != nil {
			return done, fmt.Errorf("call %s: %w", c.Call, err)
		}
		if did {
			t.left--
			done++
		}
	}
	return done, nil
}

// rings makes one call, and writes down what became of it.
func (r *run) rings(ctx context.Context, t *team, c listedCall) (bool, error) {
	f := r.follow(c.Journey)
	if err := r.look(ctx, f); err != nil {
		return false, err
	}
	claim, err := r.asks(ctx, t.Name, t.who, f, "call", http.MethodPost, "/api/calls/"+c.Call+"/claim", []byte("{}"))
	if err != nil || !claim.ok() {
		return false, err
	}
	r.rung(f)
	body, err := json.Marshal(r.outcome(f))
	if err != nil {
		return false, err
	}
	_, err = r.asks(ctx, t.Name, t.who, f, "call", http.MethodPost, "/api/calls/"+c.Call+"/outcome", body)
	return true, err
}

// outcome is what becomes of a call.
func (r *run) outcome(f *followed) schemas.CallOutcomeRecord {
	f.tries++
	day := calendar.DayOf(r.now, r.zone)
	luck := r.world.luck("call", numberOf(f), day)
	switch {
	case f.person == nil || f.person.Phone == "":
		return schemas.CallOutcomeRecord{Outcome: "wrong-number"}
	case luck < 3:
		return schemas.CallOutcomeRecord{Outcome: "someone-else-answered"}
	case !r.world.answers(f.person, r.now, r.zone):
		return schemas.CallOutcomeRecord{Outcome: "unanswered"}
	}
	if f.contacted.IsZero() {
		f.contacted = r.now
	}
	switch {
	case luck > 97:
		return schemas.CallOutcomeRecord{Outcome: "help-needed-now"}
	case luck > 94:
		return schemas.CallOutcomeRecord{Outcome: "asked-to-stop", By: "person"}
	}
	return schemas.CallOutcomeRecord{Outcome: "reached", Answer: pickBy(luck, "better", "same", "same", "did-not-say",
		"same", "worse", "better")}
}

// tell has people say by themselves what has changed: they ring the hospital's team in the morning.
func (r *run) tell(ctx context.Context) (done int, err error) {
	if r.now.In(r.zone).Hour() != earliestAsk {
		return 0, nil
	}
	today := calendar.DayOf(r.now, r.zone)
	for _, p := range r.world.People {
		if p.Withdraws != today && p.Moves != today {
			continue
		}
		for _, id := range r.report.of(p).Journeys {
			f := r.follow(id)
			if f.closed != "" {
				continue
			}
			done++
			if err := r.says(ctx, p, f, today); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// says records that somebody wants no more of it, or has moved away and is looked after there.
func (r *run) says(ctx context.Context, p *Person, f *followed, today calendar.Day) error {
	who := whoOf(r.cfg.Organisation, liaisonTeam)
	if p.Moves == today {
		body, _ := json.Marshal(schemas.CloseRecord{Reason: schemas.ClosedMoved, Told: "phone", WayBack: "through-gp",
			On: today.String(), PersonAgrees: true, AcknowledgedBy: "team"})
		_, err := r.asks(ctx, liaisonTeam, who, f, "moved", http.MethodPost, "/api/journeys/"+f.id+"/close", body)
		return err
	}
	state := func(said *bool) string {
		if said != nil && *said {
			return "withdrawn"
		}
		return "declined"
	}
	body, _ := json.Marshal(schemas.ConsentRecord{How: "spoken", Answers: []schemas.ConsentAnswer{
		{Purpose: schemas.PurposeFollowUp, State: state(f.session)},
		{Purpose: schemas.PurposeBridging, State: state(f.calls)}}})
	answer, err := r.asks(ctx, liaisonTeam, who, f, "changed their mind", http.MethodPost,
		"/api/journeys/"+f.id+"/consent", body)
	if err != nil || !answer.ok() {
		return err
	}
	return r.said(ctx, liaisonTeam, who, f, []byte(strings.TrimSpace(string(body))))
}
