package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

var codePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// maxBody bounds a request: it names a step and an owner.
const maxBody = 16 << 10

// api answers HTTP.
type api struct {
	*Service
	flow  *flow.Flow
	pool  *pgxpool.Pool
	clock clock.Clock
}

// Routes adds the service's paths to mux, each open to the roles of the route table. Changes go through f; reads use
// pool. The mux must have put a principal into the context (principal.Require).
func (s *Service) Routes(mux *httpx.Mux, f *flow.Flow, pool *pgxpool.Pool, c clock.Clock) error {
	a := api{Service: s, flow: f, pool: pool, clock: c}
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"GET /api/journeys":                     a.list,
		"GET /api/journeys/{id}":                a.show,
		"POST /api/journeys/{id}/hold":          a.hold,
		"POST /api/journeys/{id}/release":       a.release,
		"POST /api/journeys/{id}/close":         a.close,
		"POST /api/journeys/{id}/reopen":        a.reopen,
		"POST /api/journeys/{id}/assessment":    a.recordAssessment,
		"POST /api/journeys/{id}/first-contact": a.recordFirstContact,
		"POST /api/journeys/{id}/retold":        a.recordRetold,
		"POST /api/journeys/{id}/look-review":   a.reviewLooks,
		"GET /api/steps":                        a.listSteps,
		"GET /api/steps/{id}":                   a.showStep,
		"POST /api/steps/{id}/done":             a.done,
		"POST /api/steps/{id}/no-answer":        a.noAnswer,
		"POST /api/steps/{id}/reassign":         a.reassign,
		"POST /api/steps/{id}/acknowledge":      a.acknowledge,
	}, principal.Guard)
}

// stepShown is a step as a page shows it.
type stepShown struct {
	Step       string    `json:"step"`
	Kind       string    `json:"kind"`
	Owner      string    `json:"owner"`
	AlsoOwners []string  `json:"alsoOwners,omitempty"`
	DueAt      time.Time `json:"dueAt"`
	FirstDueAt time.Time `json:"firstDueAt"`
	Overdue    bool      `json:"overdue"`
	State      string    `json:"state,omitempty"`
	// Words say what is to be done, and about what.
	Words string `json:"words,omitempty"`
	// Service is the service an answer is awaited from. What a gap is about stands in threshold's decision
	// (GET /api/journeys/{id}/doors).
	Service string `json:"service,omitempty"`
	// May is what the caller may do with it beside ending it; TakeOn as which of its owners they may take it on.
	May    []string `json:"may,omitempty"`
	TakeOn []string `json:"takeOn,omitempty"`
	// Actions are the requests open to the caller by which it ends, or by which a try is recorded; Until is what ends
	// it beside them.
	Actions []schemas.Action `json:"actions,omitempty"`
	Until   string           `json:"until,omitempty"`
}

func (a api) stepOf(s Step, now time.Time) stepShown {
	return stepShown{Step: s.ID, Kind: s.Kind, Owner: s.Owner, AlsoOwners: s.Added, DueAt: s.DueAt.In(a.zone),
		FirstDueAt: s.FirstDueAt.In(a.zone), Overdue: s.State != stateDone && now.After(s.DueAt), State: s.State}
}

// explain adds what a step is about, and what is open to the caller.
func (a api) explain(s *stepShown, step Step, about schemas.StepAbout, p principal.Principal) {
	kind, _ := kindOf(step)
	s.Words, s.Service, s.Until = schemas.StepWords(step.Kind, about), about.IDs["service"], kind.Until
	s.Actions = kind.Actions(schemas.Role(p.Role), about)
	s.May, s.TakeOn = a.owners.mayWith(step, p)
}

// journeyListed is one journey of a list, with the step that holds it.
type journeyListed struct {
	Journey      string       `json:"journey"`
	Organisation string       `json:"organisation,omitempty"`
	State        string       `json:"state"`
	BeganAt      *time.Time   `json:"beganAt,omitempty"` // absent: arrived without its beginning
	Next         *stepShown   `json:"next,omitempty"`    // of one that is not closed
	Closed       *closedShown `json:"closed,omitempty"`
	// OverdueSinceAway is true where the step passed its grace while this system was stopped.
	OverdueSinceAway bool `json:"overdueSinceAway,omitempty"`
	at               cursor
}

// list gives journeys that have something to be done by the time promised, the longest overdue first; with void=true
// only those past their grace; with state=closed those that are closed instead.
func (a api) list(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/journeys")
	page, err := httpx.ParsePage(r.URL.Query(), 2, usual, most)
	if err != nil {
		return err
	}
	after, err := cursorOf(page.After)
	if err != nil {
		return err
	}
	switch state := r.URL.Query().Get("state"); {
	case state == "":
	case schemas.ParameterOf("GET /api/journeys", "state").Allows(state):
		return a.listClosed(w, r, p, after, page.Limit)
	default:
		return httpx.NewProblem(http.StatusBadRequest, "The state is not one to list by. Use state=closed, or leave "+
			"it out for what has something to be done.")
	}
	var found []listed
	now, batch := a.clock.Now(), &pgx.Batch{}
	list(batch, p, r.URL.Query().Get("void") == "true", now, after, page.Limit+1, func(all []listed) { found = all })
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing journeys: %w", err)
	}
	rows := make([]journeyListed, len(found))
	for i, l := range found {
		l.Step.State = stateOpen
		next := a.stepOf(l.Step, now)
		rows[i] = journeyListed{Journey: l.ID, Organisation: l.Organisation, State: l.State, BeganAt: l.BeganAt,
			Next: &next, OverdueSinceAway: l.Away, at: l.At}
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(rows, page.Limit, func(j journeyListed) []string {
		return []string{j.at.At.UTC().Format(time.RFC3339Nano), j.at.ID}
	}))
}

// listClosed gives closed journeys, the latest first.
func (a api) listClosed(w http.ResponseWriter, r *http.Request, p principal.Principal, after *cursor, limit int) error {
	rows, batch := []journeyListed{}, &pgx.Batch{}
	listClosed(batch, p, after, limit+1, func(j *record) {
		rows = append(rows, journeyListed{Journey: j.ID, Organisation: j.Organisation, State: j.State,
			BeganAt: j.BeganAt, Closed: a.closedOf(j)})
	})
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing closed journeys: %w", err)
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(rows, limit, func(j journeyListed) []string {
		return []string{j.Closed.At.UTC().Format(time.RFC3339Nano), j.Journey}
	}))
}

func cursorOf(after []string) (*cursor, error) {
	if after == nil {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339Nano, after[0])
	if err != nil || !clock.IsID(after[1]) {
		return nil, httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this list. Take it from next "+
			"of the page before, or leave it out to begin anew.")
	}
	return &cursor{At: at, ID: after[1]}, nil
}

// journeyShown is one journey with its steps and its timeline, in the order things happened.
type journeyShown struct {
	Journey      string       `json:"journey"`
	Organisation string       `json:"organisation,omitempty"`
	State        string       `json:"state"`
	BeganAt      *time.Time   `json:"beganAt,omitempty"`
	OnHold       *holdShown   `json:"held,omitempty"`
	Closed       *closedShown `json:"closed,omitempty"`
	Steps        []stepShown  `json:"steps"`
	Timeline     []lineShown  `json:"timeline"`
	// Assessment is who holds the last one; FirstContact an early voice that the person asked for; Retold how often
	// they had to tell it all again; At18 who looks after them from 18 on.
	Assessment   *assessmentShown   `json:"assessment,omitempty"`
	FirstContact *firstContactShown `json:"firstContact,omitempty"`
	Retold       retoldShown        `json:"retold"`
	At18         *at18Shown         `json:"at18,omitempty"`
	// May is what the caller may do next with the journey as a whole, by the last part of the path; Actions are all
	// that they may record of it, with what each asks for.
	May     []string         `json:"may,omitempty"`
	Actions []schemas.Action `json:"actions,omitempty"`
}

// at18Shown is how the change at 18 stands: by which day it comes, who takes over, and on which day they met.
type at18Shown struct {
	By        string `json:"by"`
	TakesOver string `json:"takesOver,omitempty"`
	Met       string `json:"met,omitempty"`
}

func (k *JourneyState) at18() *at18Shown {
	since, ok := k.turning()
	if !ok {
		return nil
	}
	return &at18Shown{By: since.RisesOn, TakesOver: k.TakesOver, Met: k.Met}
}

type lineShown struct {
	At       time.Time       `json:"at"`
	Type     string          `json:"type"`
	Event    string          `json:"event"`
	Sentence string          `json:"sentence"`
	Details  json.RawMessage `json:"details"`
}

// show gives one journey. Staff treating the person state a reason, which stays in the timeline. A journey that the
// caller may not see is answered as one that does not exist.
func (a api) show(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, unknown())
	if err != nil {
		return err
	}
	var found *record
	var entries []entry
	now, batch := a.clock.Now(), &pgx.Batch{}
	reason := r.Header.Get(schemas.ReasonHeader)
	show(batch, p, reason, id, func(j *record) { found = j }, func(all []entry) { entries = all })
	var retold retoldShown
	loadRetold(batch, p, reason, id, &retold)
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("reading journey %s: %w", id, err)
	}
	if found == nil {
		return unknown()
	}
	if schemas.Role(p.Role) == schemas.TreatingStaff {
		if err := a.looked(r, p, found, reason); err != nil {
			return err
		}
	}
	w.Header().Set("ETag", found.tag())
	answer := a.journeyOf(found, entries, p, now)
	answer.Retold = retold
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

func (a api) writes(now time.Time) *writes { return &writes{owners: a.owners, zone: a.zone, now: now} }

func (a api) journeyOf(j *record, entries []entry, p principal.Principal, now time.Time) journeyShown {
	s := journeyShown{Journey: j.ID, Organisation: j.Organisation, State: j.State, BeganAt: j.BeganAt,
		Steps: []stepShown{}, Timeline: []lineShown{},
		OnHold: a.onHoldOf(j), Closed: a.closedOf(j), Assessment: j.JourneyState.assessmentShown(),
		FirstContact: a.firstContactShown(j.JourneyState.FirstContact), At18: j.JourneyState.at18(),
		May:     mayDo(j.State, schemas.Role(p.Role)),
		Actions: schemas.JourneyActions(schemas.Role(p.Role), j.ID, j.State)}
	for _, step := range j.Steps {
		one := a.stepOf(step, now)
		a.explain(&one, step, j.JourneyState.about(step), p)
		s.Steps = append(s.Steps, one)
	}
	for _, e := range entries {
		s.Timeline = append(s.Timeline, lineShown{At: e.At.In(a.zone), Type: e.Type, Event: e.Event,
			Sentence: Sentence(e.Sentence, e.Details), Details: e.Details})
	}
	return s
}

// Sentence returns what the person reads about a line of a type, with its details.
func Sentence(key string, details json.RawMessage) string {
	if s, ok := lines[key]; ok {
		return s
	}
	switch key {
	case string(schemas.OfferDeletionConfirmed):
		return deletionSentence(details)
	case string(schemas.OfferNudged):
		return nudgeSentence(details)
	case string(schemas.ConsentGiven), string(schemas.ConsentDeclined), string(schemas.ConsentWithdrawn):
		return answerSentence(key, details)
	}
	return schemas.Sentence(key)
}

// answerSentence says what the person answered, and nothing that they did not: an answer may count otherwise since two
// records were joined or taken apart.
func answerSentence(key string, details json.RawMessage) string {
	var said struct {
		AsBefore bool `json:"asBefore"`
	}
	if json.Unmarshal(details, &said) == nil && said.AsBefore {
		return "We had mixed two records up, or taken one for two, so that what counts as your answer has changed. " +
			"You can change it at any time."
	}
	return schemas.Sentence(key)
}

// nudgeSentence says that a partner is waited for: by a reminder, and where it is over, by a human who writes to it.
func nudgeSentence(details json.RawMessage) string {
	var said struct {
		About string `json:"about"`
	}
	if json.Unmarshal(details, &said) == nil && said.About == schemas.NudgeDeletion {
		return "The organisation has not told us yet what it did with what it knew of you. Somebody here asks it."
	}
	return schemas.Sentence(string(schemas.OfferNudged))
}

// deletionSentence says what became of what a partner knew: deleted, or kept, what and why.
func deletionSentence(details json.RawMessage) string {
	var said struct {
		Kept        []string `json:"kept"`
		KeptBecause string   `json:"keptBecause"`
	}
	if json.Unmarshal(details, &said) != nil {
		said.Kept, said.KeptBecause = nil, ""
	}
	return schemas.DeletionSentence(said.Kept, said.KeptBecause)
}

func unknown() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such journey or step that you may see. Check its id. "+
		"Staff who treat the person elsewhere state why in the header %s.", schemas.ReasonHeader)
}

// done ends a step of a kind whose record is somebody's word.
func (a api) done(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockStep, func(tx *flow.Tx, ws *writes, j *record, id string, said schemas.StepDone,
		p principal.Principal) error {
		if err := ws.done(j, id, said, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// noAnswer records that the person was tried in vain.
func (a api) noAnswer(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockStep, func(tx *flow.Tx, ws *writes, j *record, id string, _ schemas.NoAnswerRecord,
		p principal.Principal) error {
		if err := ws.noAnswer(j, id, p); err != nil {
			return err
		}
		return ws.give(tx)
	})
}

// reassign hands a step on.
func (a api) reassign(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockStep, func(tx *flow.Tx, ws *writes, j *record, id string, body schemas.StepOwner,
		p principal.Principal) error {
		s, err := ws.handOn(j, id, body.Owner, p)
		if err != nil {
			return err
		}
		handOver(tx, s, command{"handed-on", body.Owner, named(p), ws.now})
		j.put(s)
		return ws.store(tx)
	})
}

// acknowledge takes a step on.
func (a api) acknowledge(w http.ResponseWriter, r *http.Request) error {
	return change(a, w, r, lockStep, func(tx *flow.Tx, ws *writes, j *record, id string, body schemas.StepOwner,
		p principal.Principal) error {
		s, err := ws.acknowledge(j, id, body.Owner, p)
		if err != nil {
			return err
		}
		handOver(tx, s, command{commandTaken, body.Owner, named(p), ws.now})
		j.put(s)
		return ws.store(tx)
	})
}

func (r *record) put(s Step) {
	for i := range r.Steps {
		if r.Steps[i].ID == s.ID {
			r.Steps[i] = s
		}
	}
}

// locking finds the journey that a path's id leads to, of those that p may change, and locks it with its steps.
type locking func(tx *flow.Tx, p principal.Principal, id string) (*record, error)

// change is what they have in common: read the body, lock the journey, see that it is as the caller last saw it
// (If-Match), do it, answer with the journey's steps; done once for one Idempotency-Key.
func change[B any](a api, w http.ResponseWriter, r *http.Request, lock locking,
	do func(*flow.Tx, *writes, *record, string, B, principal.Principal) error) error {
	p, id, err := principal.Asking(r, unknown())
	if err != nil {
		return err
	}
	var body B
	text, err := readBody(w, r, &body)
	if err != nil {
		return err
	}
	key, err := httpx.ParseIdempotency(r, p.Key(), text)
	if err != nil {
		return err
	}
	answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
		j, err := lock(tx, p, id)
		if err == nil {
			err = httpx.CheckIfMatch(r, j.tag())
		}
		if err != nil {
			return 0, nil, err
		}
		if err := do(tx, a.writes(tx.Now), j, id, body, p); err != nil {
			return 0, nil, err
		}
		w.Header().Set("ETag", j.tag())
		return http.StatusOK, a.changedOf(j, p, tx.Now), nil
	})
	if err != nil {
		return err
	}
	return answer.Write(w)
}

// readBody reads an optional JSON body.
func readBody(w http.ResponseWriter, r *http.Request, into any) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	text, err := httpx.ReadBody(w, r, maxBody, "application/json")
	if err != nil || len(text) == 0 {
		return nil, err
	}
	return text, httpx.DecodeJSON(text, into)
}

// lockStep locks the journey of a step that p may change. A message that was quarantined is closed by releasing or
// dismissing it, not here.
func lockStep(tx *flow.Tx, p principal.Principal, id string) (*record, error) {
	records := map[string]*record{}
	var alone []Step
	lockByStep(tx, p, id, records, func(s []Step) { alone = s })
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	for _, j := range records {
		return j, nil
	}
	if len(alone) > 0 {
		return nil, httpx.NewProblem(http.StatusConflict, "%s", refusalAlone(alone[0]))
	}
	return nil, unknown()
}

// refusalAlone says what ends a step that concerns no journey.
func refusalAlone(s Step) string {
	kind, _ := kindOf(s)
	return "This step concerns no journey. " + kind.Refusal(new(JourneyState).about(s))
}

// changedShown is a journey after somebody changed it: how it stands, with its steps, those that are done too.
type changedShown struct {
	Journey string       `json:"journey"`
	State   string       `json:"state"`
	OnHold  *holdShown   `json:"held,omitempty"`
	Closed  *closedShown `json:"closed,omitempty"`
	Steps   []stepShown  `json:"steps"`
	May     []string     `json:"may,omitempty"`
}

func (a api) changedOf(j *record, p principal.Principal, now time.Time) changedShown {
	steps := []stepShown{}
	for _, s := range j.Steps {
		steps = append(steps, a.stepOf(s, now))
	}
	return changedShown{Journey: j.ID, State: j.State, OnHold: a.onHoldOf(j), Closed: a.closedOf(j), Steps: steps,
		May: mayDo(j.State, schemas.Role(p.Role))}
}
