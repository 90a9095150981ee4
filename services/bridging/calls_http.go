package bridging

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/calendar"
	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

func noCall() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such call that you may see. Check its id.")
}

// callShown is one call of a list: by its id and a journey's code, with how the last contact went; never a name or
// number.
type callShown struct {
	Call    string    `json:"call"`
	Journey string    `json:"journey"`
	DueAt   time.Time `json:"dueAt"`
	On      string    `json:"on"`
	Try     int       `json:"try"`
	Minutes int       `json:"minutes"`
	Channel string    `json:"channel,omitempty"`
	Team    string    `json:"team"`
	// Late: it was to be made before today.
	Late bool `json:"late,omitempty"`
	// Yours: you made the last one, or it is kept for you.
	Yours bool `json:"yours,omitempty"`
	// Claimed: somebody rings now.
	Claimed bool         `json:"claimed,omitempty"`
	Last    *lastContact `json:"last,omitempty"`
	// Over: its outcome is known, or nobody makes it any more.
	Over bool     `json:"over,omitempty"`
	May  []string `json:"may"`
	// Actions are the requests by which its outcome is recorded, with what each asks for; of one call.
	Actions []schemas.Action `json:"actions,omitempty"`
}

// lastContact is the day of the last contact, and whether the person was reached.
type lastContact struct {
	On      string `json:"on"`
	Reached bool   `json:"reached"`
}

// calls lists the calls of the caller's team that are open and fall due on a day (due; today) or before.
func (a api) calls(w http.ResponseWriter, r *http.Request) error {
	p, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/calls")
	page, err := httpx.ParsePage(r.URL.Query(), 2, usual, most)
	if err != nil {
		return err
	}
	now := a.clock.Now()
	day := calendar.DayOf(now, a.zone)
	if given := r.URL.Query().Get("due"); given != "" {
		if day, err = calendar.ParseDay(given); err != nil {
			return httpx.NewProblem(http.StatusBadRequest, "The day is not written as YYYY-MM-DD.")
		}
	}
	after, afterID := now, ""
	if page.After != nil {
		if after, err = time.Parse(time.RFC3339Nano, page.After[0]); err != nil || !clock.IsID(page.After[1]) {
			return httpx.NewProblem(http.StatusBadRequest, "The cursor is not one that was given out here. Begin "+
				"again without it.")
		}
		afterID = page.After[1]
	}
	var found []callListed
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		found = nil
		seeCaller(tx, p, calendar.DayOf(tx.Now, a.zone))
		hours, err := hoursOf(tx, r, p, day)
		if err != nil {
			return err
		}
		listCalls(tx, p, callsWanted{day: day.String(), today: calendar.DayOf(now, a.zone), hours: hours, now: now,
			zone: a.zone.String(), after: after,
			afterID: afterID, limit: page.Limit + 1}, func(c callListed) { found = append(found, c) })
		return tx.Flush()
	})
	if err != nil {
		return fmt.Errorf("listing calls: %w", err)
	}
	items := []callShown{}
	for _, c := range found {
		items = append(items, a.callShown(c, p, now))
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(items, page.Limit,
			func(c callShown) []string { return []string{c.DueAt.UTC().Format(time.RFC3339Nano), c.Call} }))
}

// hoursOf are the hours by which a caller's list is made; nil where it holds all: for everybody who looks after the
// list, for who never said when they work, and where all are asked for (all=true).
func hoursOf(tx *flow.Tx, r *http.Request, p principal.Principal, today calendar.Day) (*callerRow, error) {
	if p.Role != string(schemas.Caller) || r.URL.Query().Get("all") == "true" {
		return nil, nil
	}
	var row callerRow
	readCaller(tx, p, today, &row)
	if err := tx.Flush(); err != nil || !row.Kept {
		return nil, err
	}
	return &row, nil
}

// showCall gives one call, one that is over too.
func (a api) showCall(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noCall())
	if err != nil {
		return err
	}
	var shown *callShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		shown = nil
		listCalls(tx, p, callsWanted{id: id, today: calendar.DayOf(tx.Now, a.zone), limit: 1}, func(c callListed) {
			one := a.callShown(c, p, tx.Now)
			one.Actions = schemas.CallActions(schemas.Role(p.Role),
				schemas.StepAbout{IDs: map[string]string{"call": id}})
			if c.Ended {
				one.Over, one.May, one.Claimed = true, []string{"help", "outcome"}, false
			}
			shown = &one
		})
		return tx.Flush()
	})
	switch {
	case err != nil:
		return fmt.Errorf("reading call %s: %w", id, err)
	case shown == nil:
		return noCall()
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

func (a api) callShown(c callListed, p principal.Principal, now time.Time) callShown {
	claimed := c.ClaimUntil != nil && now.Before(*c.ClaimUntil)
	shown := callShown{Call: c.ID, Journey: c.Journey, DueAt: c.DueAt.In(a.zone), On: c.On, Try: c.Try,
		Minutes: c.Minutes, Channel: c.Channel, Team: c.Team,
		Late: c.On < calendar.DayOf(now, a.zone).String(), Yours: c.Caller == p.Mark(), Claimed: claimed &&
			c.ClaimMark != p.Mark(), May: []string{"help", "outcome"}}
	if now.After(c.DueAt.Add(-claimBefore)) && !shown.Claimed {
		shown.May = append(shown.May, "claim")
	}
	if c.LastAt != nil {
		shown.Last = &lastContact{On: calendar.DayOf(*c.LastAt, a.zone).String(),
			Reached: c.LastOutcome == OutcomeReached || c.LastOutcome == OutcomeHelp}
	}
	return shown
}

// withCall locks the journey of a call that p may see, does something about it, and commits what follows.
func (a api) withCall(tx *flow.Tx, p principal.Principal, id string, do func(r *record, c callFound) error) error {
	var found *callFound
	today := calendar.DayOf(tx.Now, a.zone)
	seeCaller(tx, p, today)
	findCall(tx, p, id, today, func(c callFound) { found = &c })
	if err := tx.Flush(); err != nil {
		return fmt.Errorf("finding call %s: %w", id, err)
	}
	if found == nil {
		return noCall()
	}
	records := store.Load(tx, []string{found.journey})
	var known partners
	loadPartners(tx, p, &known)
	findCall(tx, p, id, today, func(c callFound) { found = &c }) // under the journey's lock it may stand otherwise
	if err := tx.Flush(); err != nil {
		return fmt.Errorf("locking the journey of call %s: %w", id, err)
	}
	r := records[found.journey]
	r.callPlan, r.partners = found.plan, known
	if err := do(r, *found); err != nil {
		return err
	}
	return a.commit(tx, []*record{r})
}

// claimShown is what who rings gets: until when, what to say, and where name and number are read.
type claimShown struct {
	Call   string    `json:"call"`
	Until  time.Time `json:"until"`
	Try    int       `json:"try"`
	Person string    `json:"person"` // where name and number are read, until the outcome
	Script []string  `json:"script"`
}

// script confirms the person before anything is named, says what stays confidential, and asks one question.
var script = []string{
	"Withhold your number, unless the person agreed to see it.",
	"Ask for the person by the name that was agreed, and give your first name alone. To anybody else say nothing " +
		"more: not where you ring from, nor why.",
	"Once it is them: say where you ring from, and ask whether now is a good time. If it is not, ask when, and say " +
		"goodbye.",
	"Say what stays between you, and what could not: if you are worried that somebody is in danger, you would pass " +
		"that on, and tell them first where you can.",
	"Ask one question: how have things been since we last spoke? Listen. You need not solve anything.",
	"If help is needed now: 999 where a life is in danger. Press 'help needed now' whatever else you do.",
	"Say when the next call is, and that they can stop or change the calls at any time.",
}

// claim settles who rings, when the name is shown: one caller at a time, and only where the person may be rung at this
// moment. It is asked under the journey's lock, with the yes, the stop and the hours of now.
func (a api) claim(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noCall())
	if err != nil {
		return err
	}
	var shown claimShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		var made, most int
		loadOf(tx, p, calendar.DayOf(tx.Now, a.zone).At(0, 0, a.zone), &made, &most)
		return a.withCall(tx, p, id, func(rec *record, found callFound) error {
			call, refusal := rec.claimable(id, found, p, tx.Now, a.zone)
			if refusal == "" && call.Claim.Mark != p.Mark() && made >= most {
				refusal = fmt.Sprintf("You have made %d calls today, which is as many as you agreed to. Somebody "+
					"else of your team makes this one; take a breath, and talk with somebody if a call stays with you.",
					made)
			}
			if refusal != "" {
				return httpx.NewProblem(http.StatusConflict, "%s", refusal)
			}
			call.Claim = Claim{Of: p.Organisation, Mark: p.Mark(), Until: tx.Now.Add(claimFor)}
			storeClaim(tx, *call, tx.Now)
			rec.emit(schemas.CallClaimed, schemas.CallClaimedData{Call: id, Organisation: p.Organisation,
				Holder: p.Mark(), Until: call.Claim.Until.In(a.zone)})
			shown = claimShown{Call: id, Until: call.Claim.Until.In(a.zone), Try: call.Try, Person: "/api/calls/" + id +
				"/person", Script: script}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// claimable says whether somebody may ring now, or why not.
func (r *record) claimable(id string, found callFound, p principal.Principal, now time.Time,
	zone *time.Location) (*Call, string) {
	plan := r.Plan
	switch {
	case found.ended || plan == nil || plan.Call == nil || plan.Call.ID != id:
		return nil, "This call is over. Nothing of it is shown any more."
	case plan.State != Active:
		return nil, "Nobody is rung at the moment: the calls are paused."
	case !mayRing(plan.Only, plan.Never, plan.Organisation, p.Organisation),
		!r.partners.rings(p.Organisation, plan.Organisation, true, calendar.DayOf(now, zone)):
		return nil, "The person's yes is to others: your organisation may not ring."
	case now.Before(plan.Call.DueAt.Add(-claimBefore)):
		return nil, "It is too early: name and number are shown from 15 minutes before the call."
	case !r.State.agreed().may(now, zone):
		return nil, "It is outside the hours at which the person may be rung."
	case plan.Call.Claim.Mark != "" && plan.Call.Claim.Mark != p.Mark() && now.Before(plan.Call.Claim.Until):
		return nil, "Somebody else rings now."
	case r.State.busy()[calendar.DayOf(now, zone)]:
		return nil, "Somebody else is in touch with the person today."
	}
	return plan.Call, ""
}

// outcomeAsked is what somebody writes down about a call.
type outcomeAsked struct {
	Outcome    string     `json:"outcome"`
	Answer     string     `json:"answer"`
	Reason     string     `json:"reason"`
	By         string     `json:"by"`
	HappenedAt *time.Time `json:"happenedAt"`
}

// outcomeShown is what follows from it.
type outcomeShown struct {
	Call    string     `json:"call"`
	State   string     `json:"state"`
	Next    *nextCall  `json:"next,omitempty"`
	Help    *helpShown `json:"help,omitempty"`
	Debrief string     `json:"debrief,omitempty"`
}

type nextCall struct {
	Call  string    `json:"call"`
	DueAt time.Time `json:"dueAt"`
	Try   int       `json:"try"`
}

const debrief = "That may have been a hard call. Take a few minutes before the next one, and talk it over with " +
	"somebody of your team today."

// latestEntry is for how long after it happened an outcome may be written down.
const latestEntry = 31 * 24 * time.Hour

// try reads what was written down; the fault says what is wrong with it.
func (o outcomeAsked) try(call string, now time.Time) (t Try, fault string) {
	t = Try{Call: call, Outcome: o.Outcome, Answer: o.Answer, Reason: o.Reason, By: o.By, At: now, Written: now}
	if o.HappenedAt != nil {
		t.At = o.HappenedAt.UTC()
	}
	one := func(kind, value string) bool { return slices.Contains(schemas.Values(kind), value) }
	switch {
	case !slices.Contains(outcomes, o.Outcome):
		return t, "say what became of the call: " + strings.Join(outcomes, ", ")
	case o.Outcome == OutcomeReached && !one("call-answer", o.Answer):
		return t, "say what the person said: " + strings.Join(schemas.Values("call-answer"), ", ")
	case o.Outcome == OutcomeStop && !one("stopped-by", o.By):
		return t, "say who asked to stop: " + strings.Join(schemas.Values("stopped-by"), ", ")
	case o.Outcome == OutcomeNotMade && !one("not-made", o.Reason):
		return t, "say why it was not made: " + strings.Join(schemas.Values("not-made"), ", ")
	case t.At.After(now.Add(time.Minute)):
		return t, "it cannot have happened later than now"
	case t.At.Before(now.Add(-latestEntry)):
		return t, "it happened too long ago to be written down here"
	}
	if o.Outcome == OutcomeHelp && t.Answer == "" {
		t.Answer = schemas.AnswerNotSaid
	}
	t.At = t.At.Truncate(time.Second)
	return t, ""
}

// outcome records what became of a call. Where help is needed, or things are worse, that is stored first, by itself.
func (a api) outcome(w http.ResponseWriter, r *http.Request) error {
	p, id, err := principal.Asking(r, noCall())
	if err != nil {
		return err
	}
	body, text, err := httpx.ReadJSON[outcomeAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	key, err := httpx.ParseIdempotency(r, p.Key(), text)
	if err != nil {
		return err
	}
	t, fault := body.try(id, a.clock.Now())
	if fault != "" {
		return httpx.NewProblem(http.StatusBadRequest, "Please %s.", fault)
	}
	var shown outcomeShown
	if kind := t.helpKind(); kind != "" {
		if shown.Help, err = a.helpOnCall(r, p, t, kind, key); err != nil {
			return err
		}
	}
	answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
		err := a.enter(tx, p, t, &shown)
		return http.StatusOK, shown, err
	})
	if err != nil {
		return err
	}
	return answer.Write(w)
}

// helpKind says what kind of help an outcome asks for, or none.
func (t Try) helpKind() string {
	switch {
	case t.Outcome == OutcomeHelp:
		return schemas.HelpNow
	case t.Outcome == OutcomeReached && t.Answer == schemas.AnswerWorse:
		return schemas.HelpWorse
	}
	return ""
}

func (a api) helpOnCall(r *http.Request, p principal.Principal, t Try, kind string, key *httpx.Idempotency) (*helpShown,
	error) {
	what := t.Call + " " + t.Outcome + " " + t.At.String()
	if key != nil {
		what = p.Key() + " " + t.Call + " " + t.Outcome + " " + key.Key
	}
	sum := sha256.Sum256([]byte(what))
	request := hex.EncodeToString(sum[:])
	h := &Help{ID: clock.NewID(t.Written), About: schemas.HelpAboutCall, AboutID: t.Call, Kind: kind, At: t.Written,
		Role: p.Role, By: p.Organisation, Mark: p.Mark()}
	if err := storeHelp(r.Context(), a.pool, h, &request); err != nil {
		return nil, httpx.NewProblem(http.StatusServiceUnavailable, "%s This could NOT be stored, and nobody was "+
			"told. Ring yourself: %s.", noAmbulance, strings.Join(a.numbers, "; ")).Because(err)
	}
	if err := a.tellNow(r.Context(), h.ID); err != nil {
		a.log.Error("a request for help is stored and nobody could be told yet; it is tried again", schemas.AttrRunbook,
			"help.md", "error", err.Error())
	}
	shown, err := a.readShown(r.Context(), p, h.ID)
	if err != nil {
		shown = a.shownOf(*h, nil)
	}
	shown.Journey = ""
	return &shown, nil
}

// enter takes a try in under the journey's lock.
func (a api) enter(tx *flow.Tx, p principal.Principal, t Try, shown *outcomeShown) error {
	var rec *record
	var state string
	err := a.withCall(tx, p, t.Call, func(r *record, found callFound) error {
		rec, state = r, found.state
		if t.At.Before(found.scheduled.Add(-time.Minute)) {
			return httpx.NewProblem(http.StatusBadRequest, "This call was planned on %s: it cannot have been made "+
				"before.", found.scheduled.In(a.zone).Format("2 January at 15:04"))
		}
		if found.state == callCancelled && t.Outcome == OutcomeNotMade {
			return httpx.NewProblem(http.StatusConflict, "This call was cancelled: it was not to be made.")
		}
		if !r.State.addTry(t) {
			return nil
		}
		r.entered = &t
		if found.ended {
			state, _, _ = r.State.agreed().standing(r.State.triesOf(t.Call), r.Journey, r.State.busy(), a.zone)
			if state == callScheduled {
				state = OutcomeUnanswered
			}
			sayEnded(tx, t.Call, state)
		}
		return nil
	})
	if err != nil {
		return err
	}
	shown.Call, shown.State = t.Call, state
	if tries := rec.State.triesOf(t.Call); len(tries) > 0 && shown.State == callScheduled {
		shown.State = tries[len(tries)-1].Outcome
	}
	if t.helpKind() != "" || t.Outcome == OutcomeStop {
		shown.Debrief = debrief
	}
	if rec.Plan != nil && rec.Plan.Call != nil {
		c := rec.Plan.Call
		shown.Next = &nextCall{Call: c.ID, DueAt: c.DueAt.In(a.zone), Try: c.Try}
		if t.Outcome == OutcomeReached || t.Outcome == OutcomeHelp {
			keepCaller(tx, rec.Plan.ID, p.Mark(), a.zone.String())
		}
	}
	return nil
}
