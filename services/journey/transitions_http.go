package journey

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// holdShown is who has the person while a journey is held, and when somebody looks again.
type holdShown struct {
	Place    string    `json:"place"`
	OnHoldBy string    `json:"heldBy"`
	ReviewOn string    `json:"reviewOn"`
	Since    time.Time `json:"since"`
}

// closedShown is how a journey was closed. Who decided it is kept, and is not shown to everybody who may look.
type closedShown struct {
	At time.Time `json:"at"`
	Closing
}

func (a api) onHoldOf(j *record) *holdShown {
	h := j.JourneyState.Hold
	if h == nil {
		return nil
	}
	return &holdShown{Place: h.Place, OnHoldBy: h.OnHoldBy, ReviewOn: h.ReviewOn, Since: h.When.In(a.zone)}
}

func (a api) closedOf(j *record) *closedShown {
	c := j.JourneyState.Closed
	if c == nil {
		return nil
	}
	return &closedShown{At: c.When.In(a.zone), Closing: c.Closing}
}

// mayDo is what a role may do next with a journey as a whole.
func mayDo(state string, role schemas.Role) []string {
	may := map[string][]string{journeyOpen: {"hold", "close"}, journeyOnHold: {"release", "hold", "close"},
		journeyClosed: {"reopen"}}[state]
	return slices.DeleteFunc(slices.Clone(may), func(what string) bool {
		return !slices.ContainsFunc(schemas.RoutesOf(Name), func(r schemas.Route) bool {
			return r.Pattern == "/api/journeys/{id}/"+what && r.Allows(role)
		})
	})
}

// tag is how a journey stands for whoever changes it: another state, news of it, or another open step makes another
// tag. That a step gained an owner because it was overdue does not.
func (r *record) tag() string {
	sum := sha256.New()
	fmt.Fprintln(sum, r.State, r.Version, r.JourneyState.Last.UnixMicro(), len(r.JourneyState.Tries))
	var open []string
	for _, s := range openOnes(r.Steps) {
		open = append(open, s.ID)
	}
	slices.Sort(open)
	fmt.Fprintln(sum, open)
	return `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

// lockJourney locks a journey that p may change.
func lockJourney(tx *flow.Tx, p principal.Principal, id string) (*record, error) {
	records := map[string]*record{}
	lockVisible(tx, p, id, records)
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if records[id] == nil {
		return nil, unknown()
	}
	return records[id], nil
}

type holdAsked struct {
	Place    string `json:"place"`
	OnHoldBy string `json:"heldBy"`
	ReviewOn string `json:"reviewOn"`
}

// hold records that somebody else has the person for now.
func (a api) hold(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string, asked holdAsked,
		p principal.Principal) error {
		if err := ws.hold(j, Hold{Place: asked.Place, OnHoldBy: asked.OnHoldBy, ReviewOn: asked.ReviewOn},
			p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// release lets a held journey go on.
func (a api) release(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string, _ struct{},
		p principal.Principal) error {
		if err := ws.release(j, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// close closes a journey.
func (a api) close(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string, asked Closing,
		p principal.Principal) error {
		if err := ws.closeJourney(j, asked, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// reopen opens a closed journey again.
func (a api) reopen(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockJourney, func(tx *flow.Tx, ws *writes, j *record, _ string, _ struct{},
		p principal.Principal) error {
		if err := ws.reopen(j, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// give stores what has been gathered and gives its events out.
func (w *writes) give(tx *flow.Tx) error {
	for _, e := range w.emissions {
		tx.Emit(e)
	}
	return w.store(tx)
}
