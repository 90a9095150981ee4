package followup

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// Going live is a decision: nothing is sent outward for an organisation before two named people have turned it on, with
// what it rests on. One person turns it off, at once.

// liveAsked is what turning outward sending on rests on; from the second person, that they confirm it, with what they
// read: whoever asked may have asked for something else since.
type liveAsked struct {
	liveRests
	Confirm bool `json:"confirm"`
}

type liveRests struct {
	SafetyOfficer string `json:"safetyOfficer"`
	HazardLog     string `json:"hazardLog"`
	DPIA          string `json:"dpia"`
	Caldicott     string `json:"caldicott"`
}

// lines are what it rests on by name, in the order in which it is asked for.
func (l liveRests) lines() [4]restLine {
	return [4]restLine{{"safetyOfficer", "the safety officer", l.SafetyOfficer},
		{"hazardLog", "the hazard log", l.HazardLog}, {"dpia", "the impact assessment", l.DPIA},
		{"caldicott", "the Caldicott approval", l.Caldicott}}
}

// restLine is one line of what it rests on: its member of a body, what it is, and what it says.
type restLine struct{ name, what, says string }

// otherThan names what is not the same in another.
func (l liveRests) otherThan(other liveRests) (names []string) {
	for i, one := range l.lines() {
		if one != other.lines()[i] {
			names = append(names, one.what+" ("+one.name+")")
		}
	}
	return names
}

// missing names what is not said, in the order in which it is asked for.
func (l liveRests) missing() (names []string) {
	for _, one := range l.lines() {
		if !oneLine(one.says, 200) {
			names = append(names, one.name)
		}
	}
	return names
}

// liveShown is how outward sending stands. Invented: everybody is made up here, and it needs no decision.
type liveShown struct {
	Organisation string           `json:"organisation"`
	On           bool             `json:"on"`
	Invented     bool             `json:"invented,omitempty"`
	Rests        *liveRests       `json:"rests,omitempty"`
	AskedBy      string           `json:"askedBy,omitempty"`
	AskedAt      *time.Time       `json:"askedAt,omitempty"`
	ConfirmedBy  string           `json:"confirmedBy,omitempty"`
	ConfirmedAt  *time.Time       `json:"confirmedAt,omitempty"`
	OffBy        string           `json:"offBy,omitempty"`
	OffAt        *time.Time       `json:"offAt,omitempty"`
	Actions      []schemas.Action `json:"actions,omitempty"`
}

// mayDecide is the organisation of a request, where whoever asks may decide for it.
func mayDecide(r *http.Request) (who principal.Principal, organisation string, err error) {
	if who, err = principal.Need(r.Context()); err != nil {
		return who, "", err
	}
	organisation = r.PathValue("id")
	if !schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject).Home(organisation) {
		return who, "", httpx.NewProblem(http.StatusNotFound, "There is no such organisation that you may decide for. "+
			"Check its code.")
	}
	return who, organisation, nil
}

// person is one person in any letter case.
func person(who principal.Principal) string { return strings.ToLower(who.String() + "/" + who.Subject) }

// showLive shows how outward sending stands for an organisation.
func (a api) showLive(w http.ResponseWriter, r *http.Request) error {
	who, organisation, err := mayDecide(r)
	if err != nil {
		return err
	}
	shown := liveShown{Organisation: organisation}
	batch := &pgx.Batch{}
	readLive(batch, who, organisation, false, &shown)
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading how outward sending stands: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, shown.with(who, a.invented))
}

func (l liveShown) with(who principal.Principal, invented bool) liveShown {
	l.Invented = invented
	another := l.AskedBy != "" && l.OffAt == nil && l.AskedBy != person(who)
	rests := map[string]string{}
	if l.Rests != nil {
		for _, one := range l.Rests.lines() {
			rests[one.name] = one.says
		}
	}
	l.Actions = schemas.LiveActions(schemas.Role(who.Role), l.Organisation, l.On, another, rests)
	return l
}

// goLive turns outward sending on for an organisation, by two people: one asks, another confirms.
func (a api) goLive(w http.ResponseWriter, r *http.Request) error {
	return a.decideLive(w, r, func(tx *flow.Tx, who principal.Principal, organisation string, body liveAsked,
		before liveShown) (status int, err error) {
		if !body.Confirm {
			if missing := body.missing(); len(missing) > 0 {
				return 0, httpx.NewProblem(http.StatusUnprocessableEntity, "Name what going live rests on, one line "+
					"each: safetyOfficer, hazardLog, dpia and caldicott. Missing: %s.", strings.Join(missing, ", "))
			}
			askLive(tx, who, organisation, body.liveRests, person(who), tx.Now)
			if before.On { // what it rests on has changed: it is off until that is confirmed
				wakeLive(tx, organisation, tx.Now)
			}
			return http.StatusAccepted, nil
		}
		if before.Rests != nil && before.OffAt == nil {
			if changed := body.otherThan(*before.Rests); len(changed) > 0 {
				return 0, httpx.NewProblem(http.StatusConflict, "What sending rests on is not what you "+
					"confirm: %s. It may have been changed since you read it. Read it again, and confirm what stands "+
					"there now if you agree.", strings.Join(changed, ", "))
			}
		}
		on := false
		live := 0
		countLive(tx, who, &live)
		if err := tx.Flush(); err != nil {
			return 0, err
		}
		if !before.On && live >= mostLive {
			return 0, httpx.NewProblem(http.StatusConflict, "Sending is on for %d organisations, which is as many as "+
				"one installation serves. Turn it off for one that is not here any more, or use another installation.",
				live)
		}
		confirmLive(tx, who, organisation, person(who), tx.Now, &on)
		if err := tx.Flush(); err != nil {
			return 0, err
		}
		if !on {
			return 0, httpx.NewProblem(http.StatusConflict, "Somebody else asks for it first, and a second person "+
				"confirms. You cannot confirm what you asked for yourself.")
		}
		wakeWaiting(tx, tx.Now)
		wakeLive(tx, organisation, tx.Now)
		return http.StatusOK, nil
	})
}

// stopLive turns outward sending off, at once and by one person.
func (a api) stopLive(w http.ResponseWriter, r *http.Request) error {
	return a.decideLive(w, r, func(tx *flow.Tx, who principal.Principal, organisation string, _ liveAsked,
		_ liveShown) (status int, err error) {
		offLive(tx, who, organisation, person(who), tx.Now)
		wakeLive(tx, organisation, tx.Now)
		return http.StatusOK, nil
	})
}

// decideLive handles a decision about outward sending.
func (a api) decideLive(w http.ResponseWriter, r *http.Request, decide func(tx *flow.Tx, who principal.Principal,
	organisation string, body liveAsked, before liveShown) (status int, err error)) error {
	who, organisation, err := mayDecide(r)
	if err != nil {
		return err
	}
	body, key, err := httpx.ReadRequest[liveAsked](w, r, maxBody, who.Key())
	if err != nil {
		return err
	}
	answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
		before, after := liveShown{Organisation: organisation}, liveShown{Organisation: organisation}
		readLive(tx, who, organisation, true, &before)
		if err := tx.Flush(); err != nil {
			return 0, nil, err
		}
		status, err := decide(tx, who, organisation, body, before)
		if err != nil {
			return 0, nil, err
		}
		readLive(tx, who, organisation, true, &after)
		if err := tx.Flush(); err != nil {
			return 0, nil, err
		}
		return status, after.with(who, a.invented), nil
	})
	if err != nil {
		return err
	}
	return answer.Write(w)
}
