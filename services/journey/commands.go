package journey

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What people do to steps. Each takes a locked journey and gathers what is to be written.

// farthestStep is how far ahead a step may be due: nobody is put off for longer than the longest review, of six months.
const farthestStep = 184 * 24 * time.Hour

// checkNext says what is wrong with a next step that somebody names. A kind of the table opens by what is known, and
// never by hand: it would look like what it is not.
func checkNext(n schemas.StepNext, steps []Step, now time.Time) error {
	_, known := schemas.StepKindOf(n.Kind)
	switch {
	case !isCode(n.Kind):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step's kind is not a code of lower-case "+
			"words with hyphens, such as ring-back.")
	case known:
		return httpx.NewProblem(http.StatusUnprocessableEntity, "A step %s opens by itself when what it is for is "+
			"wanted. Name what happens next in words of your own, such as ring-back.", n.Kind)
	case slices.ContainsFunc(openOnes(steps), func(s Step) bool { return s.Kind == n.Kind }):
		return httpx.NewProblem(http.StatusConflict, "A step %s is open on this journey already.", n.Kind)
	case !ownerPattern.MatchString(n.Owner):
		return badOwner()
	case !n.DueAt.After(now):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step's due time has passed. Name one in "+
			"the future.")
	case n.DueAt.After(now.Add(farthestStep)):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The next step is due in more than six months. Name "+
			"a nearer time; whoever does it can put it off again.")
	}
	return nil
}

func badOwner() *httpx.Problem {
	return httpx.NewProblem(http.StatusUnprocessableEntity, "The owner is not written as kind:id, for instance "+
		"team:liaison.")
}

// find returns a step that can still be changed: one that is done already is returned with open false; one that
// events have overtaken, or a message's, is refused.
func (r *record) find(id string) (s Step, open bool, err error) {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.ID == id })
	if i < 0 {
		return Step{}, false, httpx.NewProblem(http.StatusConflict, "This step has been replaced by what happened "+
			"since. Look at the journey again.")
	}
	return r.Steps[i], r.Steps[i].State == stateOpen, nil
}

// done ends a step of one of the few kinds whose record is somebody's word, with what they say of it. Another open step
// must be left: the next one named, or one that is there, or the question what next, to the navigator.
func (w *writes) done(r *record, id string, said schemas.StepDone, by principal.Principal) error {
	s, open, err := r.find(id)
	if err != nil || !open {
		return err // done before: the same answer again
	}
	if err := w.mayEnd(r, s, said, by); err != nil {
		return err
	}
	who := named(by)
	w.close(r, id, stateDone, who)
	w.takeWord(r, s, said)
	if next := said.Next; next != nil {
		w.open(r, DesiredStep{Kind: next.Kind, Owner: next.Owner, DueAt: next.DueAt.UTC(), Basis: byHand + id}, who)
	}
	w.records = append(w.records, r)
	w.note(r, lineDone, shown{"kind": s.Kind})
	if r.State == journeyClosed {
		w.compareClosed(r, who)
		return nil
	}
	w.compare(r, w.desired(r), whatNext(w.owners, "after/"+id, w.now, w.zone), who)
	return nil
}

// mayEnd says why a step is not ended by this word of this caller, or nothing.
func (w *writes) mayEnd(r *record, s Step, said schemas.StepDone, by principal.Principal) error {
	kind, _ := kindOf(s)
	about := r.JourneyState.about(s)
	if refusal := kind.Refusal(about); refusal != "" {
		return httpx.NewProblem(http.StatusConflict, "%s", refusal).With("ends", kind.Records(about))
	}
	i := slices.IndexFunc(kind.Actions(schemas.Role(by.Role), about),
		func(a schemas.Action) bool { return strings.HasSuffix(a.Path, "/done") })
	if i < 0 {
		return httpx.NewProblem(http.StatusForbidden, "This step is not your team's to end.")
	}
	if missing := kind.Unsaid(said); len(missing) > 0 {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "Say what became of it: %s.",
			strings.Join(missing, ", ")).With("missing", missing)
	}
	if faults := schemas.Validate(said); len(faults) > 0 {
		return httpx.NewProblem(http.StatusUnprocessableEntity,
			"What was said is not as expected: see errors.").With("errors", faults)
	}
	if kind, _, _ := strings.Cut(said.TakesOver, ":"); s.Kind == stepTurns18 && kind != schemas.OwnerService &&
		kind != schemas.OwnerPartner {
		return unprocessable("Name the adults' service or the partner that takes over (takesOver): service:its-id or " +
			"partner:its-id. The team that has them now stays until they have met.")
	}
	if day, err := calendar.ParseDay(said.On); err == nil && day > w.today() {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The day lies in the future. Record it when it has "+
			"happened.")
	}
	if said.Next == nil {
		return nil
	}
	if r.State == journeyClosed {
		return conflict("This journey is closed, so nothing happens next by itself. Reopen it first, with POST " +
			"/api/journeys/{id}/reopen.")
	}
	return checkNext(*said.Next, r.Steps, w.now)
}

// takeWord keeps what somebody's word changes in what is known.
func (w *writes) takeWord(r *record, s Step, said schemas.StepDone) {
	switch s.Kind {
	case stepTellPerson, stepFindPlace:
		r.JourneyState.told()
	case stepReachPartner:
		r.JourneyState.heard(r.JourneyState.about(s).IDs["offer"])
	case stepTellReferrer:
		r.JourneyState.referrerHeard(r.JourneyState.about(s).IDs["referrer"])
	case stepTurns18:
		r.JourneyState.TakesOver = said.TakesOver
	case stepFirstMeeting:
		r.JourneyState.Met = said.On
	}
}

// kindOf is the kind of the table of a step that the rules or the sentinel opened. One that somebody named themselves
// has none, whatever it is called.
func kindOf(s Step) (schemas.StepKind, bool) {
	if strings.HasPrefix(s.Basis, byHand) && !strings.HasPrefix(s.Basis, byHand+"sentinel/") {
		return schemas.StepKind{}, false
	}
	return schemas.StepKindOf(s.Kind)
}

// noAnswer records that the person was tried and could not be reached. Where they are asked by a ladder, this rung is
// over and the next opens; any other question to them stays open.
func (w *writes) noAnswer(r *record, id string, by principal.Principal) error {
	s, open, err := r.find(id)
	if err != nil || !open {
		return err // recorded before: the same answer again
	}
	kind, _ := kindOf(s)
	switch {
	case !kind.Asks:
		return conflict("Nobody is asked anything by this step, so nobody can be tried in vain.")
	case r.State != journeyOpen:
		return conflict("This journey is not open, so nobody is to be contacted. Look at it again.")
	}
	r.JourneyState.Tries = append(r.JourneyState.Tries, w.now.UTC())
	w.records = append(w.records, r)
	next := askAgain(s, w.owners, &r.JourneyState, w.zone)
	if next.Kind == "" {
		w.note(r, lineTried, shown{"kind": s.Kind})
		return nil
	}
	w.note(r, lineTried, shown{"kind": s.Kind})
	w.close(r, id, stateDone, named(by))
	next.DueAt = latest(next.DueAt, w.now.Add(time.Hour)) // one tried late is not overdue when it is opened
	w.open(r, next, named(by))
	w.closeTakeOvers(r, "", named(by))
	return nil
}

// handOn adds an owner to a step; the former one stays answerable until the new one acknowledges.
func (w *writes) handOn(r *record, id, owner string, by principal.Principal) (Step, error) {
	s, open, err := r.find(id)
	if may, _ := w.owners.mayWith(s, by); err == nil && !slices.Contains(may, "reassign") {
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

// mayWith is what somebody may do with a step beside ending it, and as which of its owners they may take it on. A young
// people's clinician has to do with their own team's steps alone.
func (o Owners) mayWith(s Step, by principal.Principal) (may, takeOn []string) {
	owners := append([]string{s.Owner}, s.Added...)
	for _, owner := range owners {
		if slices.Contains(o.postsOf(by), owner) {
			takeOn = append(takeOn, owner)
		}
	}
	switch schemas.Role(by.Role) {
	case schemas.YoungPeoplesClinician:
		if len(takeOn) == 0 {
			return nil, nil
		}
	case schemas.Navigator, schemas.SendingTeam:
	default:
		return nil, nil
	}
	may = []string{"reassign"}
	if len(takeOn) > 0 {
		may = append(may, "acknowledge")
	}
	return may, takeOn
}

// postsOf are the owners that somebody is: their own team, or the post that they hold. An owner named in a request is
// nobody who acted, so nobody else's step is taken on in their name: not the deputy's, not a partner's.
func (o Owners) postsOf(by principal.Principal) []string {
	if by.Team != "" {
		return strings.Fields(by.Team)
	}
	switch schemas.Role(by.Role) {
	case schemas.SendingTeam:
		return []string{teamLiaison}
	case schemas.YoungPeoplesClinician:
		return []string{teamYoungPeople}
	case schemas.Navigator:
		return []string{o.Navigator}
	case schemas.Caller:
		return []string{teamCallers}
	}
	return nil
}

// acknowledge records that an owner has taken a step on.
func (w *writes) acknowledge(r *record, id, owner string, by principal.Principal) (Step, error) {
	s, open, err := r.find(id)
	if err == nil && !slices.Contains(w.owners.postsOf(by), owner) {
		err = httpx.NewProblem(http.StatusForbidden, "You cannot take this on for another: a step is taken on for a "+
			"team, or a post, of one's own.")
	}
	if err == nil && !open {
		err = isDone()
	}
	if err != nil {
		return s, err
	}
	taken, ok := acknowledge(s, owner)
	if !ok {
		return s, httpx.NewProblem(http.StatusConflict, "The step has not been handed to this owner. Reassign it "+
			"first, or acknowledge as one of its owners.")
	}
	w.note(r, lineAcknowledged, shown{"kind": s.Kind})
	if schemas.Role(by.Role) == schemas.Navigator && s.Kind != stepTakeOver {
		w.closeTakeOvers(r, s.ID, named(by))
		w.records = append(w.records, r)
	}
	return taken, nil
}

func isDone() *httpx.Problem {
	return httpx.NewProblem(http.StatusConflict, "This step has been done already. Look at the journey again.")
}

// Lines of a timeline that are no events, with their sentences.
const (
	lineDone         = "step.done"
	lineTried        = "step.tried"
	lineHandedOn     = "step.handed-on"
	lineAcknowledged = "step.acknowledged"
	lineAssessment   = "assessment.noted"
	lineFirstContact = "first-contact.noted"
	lineSeen         = "journey.seen"
	lineLookReviewed = "journey.look-reviewed"
	// lineSeenElsewhere is a look by staff of another organisation.
	lineSeenElsewhere = "journey.seen-elsewhere"
)

var lines = map[string]string{
	lineDone:         "A member of staff did what was to be done next.",
	lineTried:        "Somebody tried to reach you, and will try again.",
	lineHandedOn:     "What happens next was passed to somebody else; until they take it on, it stays with who had it.",
	lineAcknowledged: "Somebody has taken on what happens next.",
	lineAssessment: "It was written down who holds your assessment and what has changed since, so that nobody " +
		"need ask for it all again.",
	lineFirstContact: "It was written down that you would like to hear from somebody early, or that you have.",
	lineSeen:         "Staff who were treating you looked at this page.",
	lineLookReviewed: "Somebody here has looked at whether it was right that staff elsewhere looked at what is kept " +
		"about you.",
	lineSeenElsewhere: "Staff who were treating you elsewhere looked at this page, and said why.",
}

// note adds a line to the timeline that is no event.
func (w *writes) note(r *record, line string, details shown) {
	text, err := json.Marshal(details)
	if err != nil {
		text = []byte("{}") // maps of strings always marshal
	}
	w.entries = append(w.entries, entry{Journey: r.ID, Event: clock.NewID(w.now), Type: line, Sentence: line, At: w.now,
		Details: text})
}
