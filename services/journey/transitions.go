package journey

import (
	"fmt"
	"net/http"
	"strings"

	"footbridge/libs/calendar"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people do to a whole journey: hold, release, close and reopen it. Each takes a locked journey, gathers what is
// to be written, and keeps a turn: who decided what, when.

// transition is one such decision, kept for ever. Details are codes and days.
type transition struct {
	Journey, Organisation string
	At                    int64 // the journey's own sequence
	State                 string
	Reason                string
	By                    string // role and name of staff; "events" where news opened it
	Details               any
}

// named is how a person of staff is written beside what they decided.
func named(by principal.Principal) string { return by.String() + "/" + by.Subject }

func conflict(detail string) *httpx.Problem {
	return httpx.NewProblem(http.StatusConflict, "%s", detail)
}

func forbidden(detail string) *httpx.Problem {
	return httpx.NewProblem(http.StatusForbidden, "%s", detail)
}

func unprocessable(detail string) *httpx.Problem {
	return httpx.NewProblem(http.StatusUnprocessableEntity, "%s", detail)
}

func (w *writes) today() calendar.Day { return calendar.DayOf(w.now, w.zone) }

// hold holds a journey, or renews its hold: contact stops, and somebody looks again on a day.
func (w *writes) hold(r *record, h Hold, by principal.Principal) error {
	if fault := h.fault(w.today()); fault != "" {
		return unprocessable(fault)
	}
	switch {
	case r.State == journeyClosed:
		return conflict("This journey is closed. Reopen it first, with POST /api/journeys/{id}/reopen.")
	case !r.JourneyState.began():
		return conflict("What began this journey has not arrived, so nobody knows whom it is about. See to the step " +
			stepFindBeginning + " first.")
	}
	h.Owner, h.With = w.ownerOf(by), ""
	w.holdAs(r, h, named(by))
	return nil
}

// holdAs holds a journey as was decided by somebody.
func (w *writes) holdAs(r *record, h Hold, who string) {
	h.Subscribed = Subscribed{r.Version + 1, w.now.UTC()}
	r.State, r.JourneyState.Hold = journeyOnHold, &h
	w.transitioned(r, h.Place, who, h, schemas.JourneyHeld, shown{"place": h.Place, "heldBy": h.OnHoldBy,
		"reviewOn": h.ReviewOn},
		func(next schemas.NextStep) any {
			return schemas.JourneyHeldData{Next: next}
		}, nil)
}

// ownerOf is who reviews what somebody has held.
func (w *writes) ownerOf(by principal.Principal) string {
	if schemas.Role(by.Role) == schemas.SendingTeam {
		return teamLiaison
	}
	return w.owners.Navigator
}

// release lets a held journey go on.
func (w *writes) release(r *record, by principal.Principal) error {
	if r.State != journeyOnHold {
		return conflict("This journey is not held, so there is nothing to release. Look at it again.")
	}
	if r.JourneyState.Hold.With != "" {
		return conflict("This journey is held since another one of the same person is. It is released with that, or " +
			"when a human says that the two records are two people's.")
	}
	w.releaseAs(r, named(by))
	return nil
}

// releaseAs releases a journey as was decided by somebody.
func (w *writes) releaseAs(r *record, who string) {
	w.goOn(r)
	day := w.today().String()
	w.transitioned(r, "", who, nil, schemas.JourneyReleased, shown{"from": day}, func(next schemas.NextStep) any {
		return schemas.JourneyReleasedData{ReleasedOn: day, Next: next}
	}, nil)
}

// close closes a journey that is open or held. Whatever was still to be done for it is over; a question that closing
// would leave unanswered refuses it.
func (w *writes) closeJourney(r *record, c Closing, by principal.Principal) error {
	if fault := c.fault(r.JourneyState.beganOn(w.zone), w.today()); fault != "" {
		return unprocessable(fault)
	}
	if r.State == journeyClosed {
		return conflict("This journey is closed already. It can be reopened at any time, with POST " +
			"/api/journeys/{id}/reopen.")
	}
	if fault := r.JourneyState.opposes(c.Reason, r.Steps, w.zone); fault != "" {
		return conflict(fault)
	}
	if kinds := unanswered(r.Steps, c.Reason); len(kinds) > 0 {
		return conflict("Closing would leave a question unanswered. See to these steps first, each by the request "+
			"that ends it: "+
			strings.Join(kinds, ", ")+".").With("steps", kinds)
	}
	who := named(by)
	for _, s := range openOnes(r.Steps) {
		w.close(r, s.ID, stateReplaced, who)
	}
	r.State = journeyClosed
	r.JourneyState.close(r.Version+1, w.now.UTC(), c)
	w.records = append(w.records, r)
	w.note(r, string(schemas.JourneyClosed), shown{"reason": c.Reason, "told": c.Told, "wayBack": c.WayBack})
	w.emit(r, nil, schemas.JourneyClosed, schemas.JourneyClosedData{AnsweredUpTo: int(r.JourneyState.AnsweredUpTo)})
	w.transitions = append(w.transitions, transition{r.ID, r.Organisation, r.Version, r.State, c.Reason, who, c})
	return nil
}

// reopen opens a closed journey again, by staff or the person.
func (w *writes) reopen(r *record, by principal.Principal) error {
	if r.State != journeyClosed {
		return conflict("This journey is not closed, so there is nothing to reopen. Look at it again.")
	}
	reason := schemas.ReopenedByStaff
	if schemas.Role(by.Role) == schemas.Person {
		reason = schemas.ReopenedByPerson
	}
	w.goOn(r)
	w.reopened(r, reason, named(by), nil)
	return nil
}

// goOn lets a journey that was held or closed go on. Which steps are wanted then is for whoever calls it to compare.
func (w *writes) goOn(r *record) {
	r.JourneyState.goOn(r.Version+1, w.now.UTC())
	r.State = journeyOpen
}

// emitReopened says that news has opened a journey that was closed.
func (w *writes) emitReopened(r *record, reason string, cause *flow.Event) {
	w.reopened(r, reason, "events", cause)
}

func (w *writes) reopened(r *record, reason, who string, cause *flow.Event) {
	day := w.today().String()
	w.transitioned(r, reason, who, nil, schemas.JourneyReopened, shown{"reason": reason},
		func(next schemas.NextStep) any {
			return schemas.JourneyReopenedData{ReopenedOn: day, Next: next}
		}, cause)
}

// transitioned brings the steps in line with how the journey stands now, says what was decided with the step that comes
// next, and keeps the turn and its line.
func (w *writes) transitioned(r *record, reason, who string, details any, t schemas.Type, line shown,
	data func(schemas.NextStep) any, cause *flow.Event) {
	if cause == nil { // with a cause, the events that came with it are compared already
		w.compare(r, w.desired(r), whatNext(w.owners, fmt.Sprintf("turn-%d", r.Version+1), w.now, w.zone), who)
		w.records = append(w.records, r)
	}
	next, _ := holding(r.Steps) // compare leaves one open
	w.note(r, string(t), line)
	w.emit(r, cause, t, data(nextOf(next, w.zone)))
	w.transitions = append(w.transitions, transition{r.ID, r.Organisation, r.Version, r.State, reason, who, details})
}

func openOnes(steps []Step) []Step {
	var open []Step
	for _, s := range steps {
		if s.State == stateOpen {
			open = append(open, s)
		}
	}
	return open
}
