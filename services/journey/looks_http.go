package journey

import (
	"net/http"
	"slices"
	"strings"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// looked records that staff treating the person looked, and why: a line that the journey's people and the person see.
// One of another organisation stands in it with that, and is reviewed.
func (a api) looked(r *http.Request, p principal.Principal, found *record, reason string) error {
	if found.Organisation == "" {
		return unknown() // nobody's yet: there is nobody to tell
	}
	if fault := schemas.ReasonFault(reason); fault != "" {
		return httpx.NewProblem(http.StatusForbidden, "%s", fault)
	}
	details := shown{"reason": strings.TrimSpace(reason)}
	return a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		w := a.writes(tx.Now)
		if scopeOf(p).Home(found.Organisation) {
			w.note(found, lineSeen, details)
			return w.store(tx)
		}
		records := map[string]*record{}
		lock(tx, []string{found.ID}, records)
		if err := tx.Flush(); err != nil || records[found.ID] == nil {
			return err
		}
		return w.seenFrom(tx, records[found.ID], p, details)
	})
}

// seenFrom notes a look from another organisation, and has it reviewed.
func (w *writes) seenFrom(tx *flow.Tx, r *record, p principal.Principal, details shown) error {
	details["organisation"] = p.Organisation
	w.note(r, lineSeenElsewhere, details)
	r.JourneyState.Looks.byOf(p.Subject, w.now.UTC())
	if err := w.compareNow(r); err != nil {
		return err
	}
	return w.give(tx)
}

// reviewLooks records what a navigator found of the looks from elsewhere that nobody has reviewed.
func (a api) reviewLooks(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string,
		said schemas.LookReviewRecord, p principal.Principal) error {
		if err := lookReviewFault(said); err != nil {
			return err
		}
		looks := j.JourneyState.Looks
		switch {
		case looks.waiting().IsZero():
			return conflict("No look at this journey waits for a review. Look at it again.")
		case slices.Contains(looks.By, p.Subject):
			return forbidden("You looked at this journey yourself. Somebody else reviews that.")
		}
		j.JourneyState.Looks = looks.reviewed(ws.now.UTC())
		for _, s := range openOnes(j.Steps) {
			if s.Kind == stepReviewLook {
				ws.close(j, s.ID, stateDone, named(p))
			}
		}
		ws.note(j, lineLookReviewed, shown{"finding": said.Finding, "passedTo": said.PassedTo})
		if err := ws.compareNow(j); err != nil {
			return err
		}
		return ws.give(tx)
	})
}
