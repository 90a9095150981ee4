package journey

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people do to steps. Each takes a locked journey and gathers what is to be written.

// NextDesired is the step that whoever does a step names as the next one.
type NextDesired struct {
	Kind  string    `json:"kind"`
	Owner string    `json:"owner"`
	DueAt time.Time `json:"dueAt"`
}

// farthestStep is how far ahead a step may be due: nobody is put off for longer than the longest review, of six months.
const farthestStep = 184 * 24 * time.Hour

func (n NextDesired) check(now time.Time) error {
	switch {
	case !codePattern.MatchString(n.Kind):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step's kind is not a code of lower-case words with hyphens, such as ring-back.")
	case !ownerPattern.MatchString(n.Owner):
		return badOwner()
	case !n.DueAt.After(now):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step's due time has passed. Name one in the future.")
	case n.DueAt.After(now.Add(farthestStep)):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step is due in more than six months. Name a nearer time; whoever does it can put it off again.")
	}
	return nil
}

func badOwner() *httpx.Problem {
	return httpx.NewProblem(http.StatusUnprocessableEntity, "The owner is not written as kind:id, for instance team:liaison.")
}

// find returns a step that can still be changed: one that is done already is returned with open false; one that
// events have overtaken, or a message's, is refused.
func (r *record) find(id string) (s Step, open bool, err error) {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.ID == id })
	if i < 0 {
		return Step{}, false, httpx.NewProblem(http.StatusConflict, "This step has been replaced by what happened since. Look at the journey again.")
	}
	return r.Steps[i], r.Steps[i].State == stateOpen, nil
}

// done closes a step by hand. Another open step must be left: the next one named, or one that is there, or the
// question what next, to the navigator.
func (w *writes) done(r *record, id string, next *NextDesired, by principal.Principal) error {
	s, open, err := r.find(id)
	if err != nil || !open {
		return err // done before: the same answer again
	}
	if s.endsByRecord() {
		return httpx.NewProblem(http.StatusConflict, "This ends by the young people's clinician's own record of who may answer: they send it as mayConsent, with POST /api/journeys/{id}/consent.")
	}
	if s.Kind == stepReviewHold && r.State == journeyOnHold {
		return httpx.NewProblem(http.StatusConflict, "Looking again ends in one of three ways: release the journey, hold it with a new day of review, or close it.")
	}
	if next != nil {
		if err := next.check(w.now); err != nil {
			return err
		}
	}
	who := named(by)
	w.close(r, id, stateDone, who)
	if next != nil {
		w.open(r, DesiredStep{Kind: next.Kind, Owner: next.Owner, DueAt: next.DueAt.UTC(), Basis: byHand + id}, who)
	} else if _, held := holding(r.Steps); !held && r.State != journeyClosed {
		w.open(r, whatNext(w.owners, byHand+id, w.now, w.zone), who)
	}
	w.note(r, lineDone, shown{"kind": s.Kind})
	w.records = append(w.records, r)
	return nil
}

// noAnswer records that the person was tried and could not be reached, and unless another step is named opens the rung
// above the step that asked them. Another kind of step has none.
func (w *writes) noAnswer(r *record, id string, nextNamed bool, by principal.Principal) {
	s, open, err := r.find(id)
	if err != nil || !open {
		return // done says so
	}
	r.JourneyState.Tries = append(r.JourneyState.Tries, w.now.UTC())
	next := askAgain(s, w.owners, r.JourneyState.askFrom(), w.zone)
	if next.Kind != "" && r.State == journeyOpen && !nextNamed {
		next.DueAt = latest(next.DueAt, w.now.Add(time.Hour)) // one tried late is not overdue when it is opened
		w.open(r, next, named(by))
	}
}

// handOn adds an owner to a step; the former one stays answerable until the new one acknowledges.
func (w *writes) handOn(r *record, id, owner string, by principal.Principal) (Step, error) {
	s, open, err := r.find(id)
	if may, _ := mayWith(s, schemas.Role(by.Role)); err == nil && !slices.Contains(may, "reassign") {
		err = httpx.NewProblem(http.StatusForbidden, "This step is not your team's to hand on.")
	}
	if err == nil && !open {
		err = isDone()
	}
	if err == nil && !ownerPattern.MatchString(owner) {
		err = badOwner()
	}
	if err != nil {
		return s, err
	}
	w.note(r, lineHandedOn, shown{"kind": s.Kind})
	return handOn(s, owner), nil
}

// command is that somebody handed a step on, or took it on: as which owner, and who they are.
type command struct {
	What, Owner, By string
	At              time.Time
}

const commandTaken = "taken-on"

// endsByRecord says that a step ends by what it was for being recorded, and never by anybody's word that it is done.
func (s Step) endsByRecord() bool { return s.Kind == stepClinician && followsFromEvents(s) }

// mayWith is what a role may do with a step, and as which of its owners it may take it on. A young people's clinician's
// step ends by their record alone, and they have to do with their own team's steps alone.
func mayWith(s Step, role schemas.Role) (may, takeOn []string) {
	owners := append([]string{s.Owner}, s.Added...)
	switch role {
	case schemas.YoungPeoplesClinician:
		if !slices.Contains(owners, teamYoungPeople) {
			return nil, nil
		}
		may = []string{"reassign"}
	case schemas.Navigator, schemas.SendingTeam:
		may = []string{"done", "reassign"}
		if s.endsByRecord() {
			may = []string{"reassign"}
		}
	default:
		return nil, nil
	}
	for _, owner := range owners {
		if actsFor(role, owner) {
			takeOn = append(takeOn, owner)
		}
	}
	if len(takeOn) > 0 {
		may = append(may, "acknowledge")
	}
	return may, takeOn
}

// actsFor says whether a role may take a step on as this owner. An owner named in a request is not somebody who acted:
// a team's steps are taken on by the team's staff, the young people's clinicians' by them alone, a navigator's by
// navigators, who may take any other team's; nobody else's is taken on here.
func actsFor(role schemas.Role, owner string) bool {
	if owner == teamYoungPeople || role == schemas.YoungPeoplesClinician {
		return owner == teamYoungPeople && role == schemas.YoungPeoplesClinician
	}
	kind, _, _ := strings.Cut(owner, ":")
	return role == schemas.Navigator && (kind == "navigator" || kind == "team") || role == schemas.SendingTeam && kind == "team"
}

// acknowledge records that an owner has taken a step on.
func (w *writes) acknowledge(r *record, id, owner string, by principal.Principal) (Step, error) {
	s, open, err := r.find(id)
	if err == nil && !actsFor(schemas.Role(by.Role), owner) {
		err = httpx.NewProblem(http.StatusForbidden, "You cannot take this on for another: a navigator's steps are taken on by navigators, a partner's or a service's by themselves.")
	}
	if err == nil && !open {
		err = isDone()
	}
	if err != nil {
		return s, err
	}
	taken, ok := acknowledge(s, owner)
	if !ok {
		return s, httpx.NewProblem(http.StatusConflict, "The step has not been handed to this owner. Reassign it first, or acknowledge as one of its owners.")
	}
	w.note(r, lineAcknowledged, shown{"kind": s.Kind})
	return taken, nil
}

func isDone() *httpx.Problem {
	return httpx.NewProblem(http.StatusConflict, "This step has been done already. Look at the journey again.")
}

// Lines of a timeline that are no events, with their sentences.
const (
	lineDone         = "step.done"
	lineHandedOn     = "step.handed-on"
	lineAcknowledged = "step.acknowledged"
	lineSeen         = "journey.seen"
	// lineSeenElsewhere is a look by staff of another organisation.
	lineSeenElsewhere = "journey.seen-elsewhere"
)

var lines = map[string]string{
	lineDone:          "A member of staff did what was to be done next.",
	lineHandedOn:      "What happens next was passed to somebody else; until they take it on, it stays with who had it.",
	lineAcknowledged:  "Somebody has taken on what happens next.",
	lineSeen:          "Staff who were treating you looked at this page.",
	lineSeenElsewhere: "Staff who were treating you elsewhere looked at this page, and said why.",
}

// note adds a line to the timeline that is no event.
func (w *writes) note(r *record, line string, details shown) {
	text, err := json.Marshal(details)
	if err != nil {
		text = []byte("{}") // maps of strings always marshal
	}
	w.entries = append(w.entries, entry{Journey: r.ID, Event: clock.NewID(w.now), Type: line, Sentence: line, At: w.now, Details: text})
}
