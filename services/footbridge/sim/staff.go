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

// Teams that the simulation knows by name.
const (
	liaisonTeam = "team:liaison"
	callersTeam = "team:callers"
	duty        = "navigator:duty"
)

// team works through the list of its own steps, by the time promised, for as long as its hours last.
type team struct {
	*run
	Team
	who  Who
	left float64           // of the working time that has not been used, in steps
	days map[string]string // the day on which a step was last tried
}

// whoOf is somebody of a team. Whoever is of none that has a role of its own is a navigator.
func whoOf(organisation, name string) Who {
	who := Who{Organisation: organisation, Role: schemas.Navigator, Subject: "sim-" + strings.ReplaceAll(name, ":",
		"-"),
		Team: name}
	switch name {
	case liaisonTeam:
		who.Role, who.Team = schemas.SendingTeam, ""
	case callersTeam:
		who.Role, who.Team = schemas.Caller, ""
	case "team:young-people":
		who.Role, who.Team = schemas.YoungPeoplesClinician, ""
	case duty:
		who.Team = ""
	}
	return who
}

// step is a step of a list, as far as whoever does it looks.
type step struct {
	Step, Kind, Owner, Journey, Service string
	AlsoOwners                          []string
	DueAt                               time.Time
	Overdue                             bool
	May, TakeOn                         []string
	Actions                             []schemas.Action
}

// act does what the team gets done in this hour.
func (t *team) act(ctx context.Context) (done int, err error) {
	if !t.atWork(t.now, t.zone) {
		t.left = 0
		return 0, nil
	}
	if t.days == nil {
		t.days = map[string]string{}
	}
	t.left += t.People * 60 / float64(t.Minutes)
	before := t.now.Add(leadTime).UTC().Format(time.RFC3339)
	path := "/api/steps?team=" + t.Name + "&due=" + strings.ReplaceAll(before, "+", "%2B")
	err = pages(ctx, t.run, t.who, path, stepsAtOnce, func(steps []step) (bool, error) {
		for _, s := range t.inOrder(steps) {
			if t.left < 1 {
				break
			}
			did, err := t.does(ctx, s)
			if err != nil {
				return false, fmt.Errorf("%s of journey %s: %w", s.Kind, s.Journey, err)
			}
			if did {
				t.left--
				done++
			}
		}
		return t.left >= 1, nil
	})
	t.left = min(t.left, 1) // time that was not needed is over
	return done, err
}

// stepsAtOnce is how much of a list is read before what is in it is done: whoever has time for ten steps does not read
// a thousand.
const stepsAtOnce = 50

// leadTime is how long before its time somebody begins with a step.
const leadTime = 30 * time.Hour

// inOrder are steps by the time promised; those of one time by whom they are about, which is the same in every run.
func (t *team) inOrder(steps []step) []step {
	number := func(s step) int {
		if f := t.journeys[s.Journey]; f != nil && f.person != nil {
			return f.person.N
		}
		return -1
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		if order := a.DueAt.Truncate(time.Minute).Compare(b.DueAt.Truncate(time.Minute)); order != 0 {
			return order
		}
		return number(a) - number(b)
	})
	return steps
}

// does does one step, or tries to; it says whether that took time.
func (t *team) does(ctx context.Context, s step) (bool, error) {
	today := calendar.DayOf(t.now, t.zone).String()
	if t.days[s.Step] == today || s.Journey == "" && len(s.Actions) == 0 {
		return false, nil
	}
	f := t.follow(s.Journey)
	if s.Journey != "" {
		if err := t.look(ctx, f); err != nil {
			return false, err
		}
	}
	if s.Kind == "take-over" {
		t.days[s.Step] = today
		return true, t.takesOver(ctx, s, f)
	}
	kind, _ := schemas.StepKindOf(s.Kind)
	if kind.Asks && !t.mayRing(f) && !t.died(f) {
		return false, nil
	}
	action, ok := t.choose(s, f, kind.Asks)
	if !ok {
		return false, nil
	}
	t.days[s.Step] = today
	return true, t.sends(ctx, s, f, action)
}

// earliestAsk and latestAsk are the hours within which staff ring people who have named none.
const earliestAsk, latestAsk = 10, 19

// mayRing says whether somebody may be rung now: in their hours, not while contact is stopped, and of somebody under 18
// not before a clinician has recorded who may be.
func (r *run) mayRing(f *followed) bool {
	from, to := f.hours()
	hour := r.now.In(r.zone).Hour()
	young := f.person != nil && f.person.Age < 18 && f.kinds[clinicianDecides] == 0
	return hour >= from && hour < to && !f.stopped() && !young
}

// clinicianDecides is the step of a young people's clinician.
const clinicianDecides = "clinician-decides"

// stopped says whether nobody may be in touch with the person.
func (f *followed) stopped() bool {
	return f.events[schemas.ContactStopped] > f.events[schemas.ContactResumed]
}

// look reads who somebody is, once: whoever works on a journey has to know.
func (r *run) look(ctx context.Context, f *followed) error {
	if f.looked {
		return nil
	}
	f.looked = true
	who := whoOf(r.cfg.Organisation, duty)
	path := "/api/journeys/" + f.id + "/identity"
	answer, err := r.cfg.System.Ask(ctx, who, Request{Method: http.MethodGet, Path: path,
		Header: map[string]string{schemas.ReasonHeader: "to ring them about what they would like"}})
	if err != nil {
		return err
	}
	var shown struct{ LocalID string }
	if answer.ok() {
		if err := json.Unmarshal(answer.Body, &shown); err != nil {
			return err
		}
		f.person = r.world.byLocal[shown.LocalID]
	}
	r.log.write(line{At: r.now, Kind: "look", By: duty, Journey: f.id, Person: f.number(), Status: answer.Status})
	if f.person == nil {
		r.refused(duty, "identity", fmt.Sprintf("%s: nobody of the world (%d)", answer.problem(), answer.Status))
	} else {
		r.report.of(f.person).Journeys = append(r.report.of(f.person).Journeys, f.id)
	}
	return nil
}

// choose is the request by which a step is done, or a try of it recorded.
func (t *team) choose(s step, f *followed, asks bool) (schemas.Action, bool) {
	reached := true
	if asks = asks && !t.died(f); asks {
		reached = f.person != nil && t.world.answers(f.person, t.now, t.zone)
		f.tries++
	}
	ends := func(suffix string) (schemas.Action, bool) {
		i := slices.IndexFunc(s.Actions, func(a schemas.Action) bool { return strings.HasSuffix(a.Path, suffix) })
		if i < 0 {
			return schemas.Action{}, false
		}
		return s.Actions[i], true
	}
	if asks && reached {
		f.vain = 0
		if f.contacted.IsZero() {
			f.contacted = t.now
		}
	}
	for _, suffix := range t.preferred(s, f, reached) {
		if a, ok := ends(suffix); ok {
			return a, true
		}
	}
	return schemas.Action{}, false
}

// died says whether it is known that somebody has died: then nobody rings, and what is left is brought to a close.
func (t *team) died(f *followed) bool {
	return f.person != nil && f.person.gone(calendar.DayOf(t.now, t.zone)) && f.stopped()
}

// preferred are the ends of the paths of what somebody would do about a step, the first that is open to them.
func (t *team) preferred(s step, f *followed, reached bool) []string {
	p := f.person
	switch {
	case p != nil && p.gone(calendar.DayOf(t.now, t.zone)) && s.Kind == "confirm-contact-stopped":
		return []string{"/done"}
	case s.Kind == "confirm-contact-stopped":
		return []string{"/contact-resumed", "/done"}
	case t.died(f):
		return []string{"/close", "/done"}
	case s.Kind == "decide-how-to-reach" && !reached, !reached && mayEnd(s) && f.vain > 2:
		return []string{"/close", "/no-answer"}
	case s.Kind == "calls-unanswered" && !reached:
		return []string{"/done"}
	case s.Kind == "find-out" && f.kinds[s.Kind] > 2: // nobody can find out
		return []string{"/facts"}
	case s.Kind == "confirm-merge":
		return []string{"/merge"}
	case s.Kind == "are-these-one-person":
		return []string{"/unmerge"}
	case s.Kind == "find-the-beginning":
		return []string{"/close"}
	case s.Kind == "read-the-message":
		return []string{"/dismiss"}
	case !reached:
		return []string{"/no-answer"}
	case s.Kind == "decide-after-cancellation":
		return []string{"/close"}
	case s.Kind == "tell-the-partner", s.Kind == "reach-the-partner", s.Kind == "partner-answers":
		return t.ringsPartner(s, f)
	case s.Kind == "partner-arranges": // nobody there has agreed on a time
		return []string{"/hand-back"}
	case s.Kind == "what-next", mayEnd(s) && f.session != nil && !*f.session:
		return []string{"/close"}
	case s.Kind == "find-a-place" && f.kinds[s.Kind] > 1: // they still want one: agreed with them
		return []string{"/done"}
	}
	return []string{"/consent", "/facts", "/contact", "/acknowledge", "/answered", "/asked", "/assessment",
		"/first-contact", "/question", "/release", "/confirm-deletion", "/outcome", "/introduce", "/done", "/place",
		"/dead-line", "/look-review", "/searches/review"}
}

// ringsPartner rings the organisation of the newest offer, where its own system has not taken what it was sent.
func (t *team) ringsPartner(s step, f *followed) []string {
	known := f.newest
	if s.Kind == "reach-the-partner" || known == nil {
		return []string{"/done"}
	}
	for _, p := range t.partners {
		if p.id == known.partner && !away(p.Holidays, calendar.DayOf(t.now, t.zone)) {
			return p.answersTelephone(f, known)
		}
	}
	return nil
}

// mayEnd says whether a step may end with a journey whose person could not be reached: it asks them something, and the
// step table lets whoever asks bring the journey to a close.
func mayEnd(s step) bool {
	kind, _ := schemas.StepKindOf(s.Kind)
	return kind.Asks && slices.ContainsFunc(kind.Ends, func(e schemas.Ending) bool {
		return strings.HasSuffix(e.Route, "/close")
	})
}

// takesOver takes on the steps of a journey that are past their time.
func (t *team) takesOver(ctx context.Context, s step, f *followed) error {
	var j struct{ Steps []step }
	if err := t.read(ctx, t.who, "/api/journeys/"+f.id, &j); err != nil {
		return err
	}
	for _, late := range j.Steps {
		late.Journey = f.id
		if !late.Overdue || late.Kind == "take-over" {
			continue
		}
		if slices.Contains(late.May, "acknowledge") {
			body, _ := json.Marshal(schemas.StepOwner{Owner: late.TakeOn[0]})
			if _, err := t.asks(ctx, t.Name, t.who, f, late.Kind, http.MethodPost,
				"/api/steps/"+late.Step+"/acknowledge", body); err != nil {
				return err
			}
		}
		kind, _ := schemas.StepKindOf(late.Kind)
		if kind.Asks && !t.mayRing(f) { // it is theirs now, and is done in the hours at which the person may be rung
			continue
		}
		if action, ok := t.choose(late, f, kind.Asks); ok {
			if err := t.sends(ctx, late, f, action); err != nil {
				return err
			}
		}
	}
	return nil
}

// sends fills in the form of a request, and sends it.
func (t *team) sends(ctx context.Context, s step, f *followed, action schemas.Action) error {
	f.kinds[s.Kind]++
	body, err := action.Fill(t.filled(s, f, action))
	if err != nil {
		return err
	}
	answer, err := t.asks(ctx, t.Name, t.who, f, s.Kind, action.Method, action.Path, body)
	if err != nil || !answer.ok() {
		return err
	}
	if strings.HasSuffix(action.Path, "/no-answer") {
		f.vain++
	}
	if strings.HasSuffix(action.Path, "/consent") {
		return t.said(ctx, t.Name, t.who, f, body)
	}
	return nil
}

// asks sends one request about a journey, and keeps it and its answer.
func (r *run) asks(ctx context.Context, by string, who Who, f *followed, about, method, path string,
	body []byte) (Answer,
	error) {
	answer, err := r.cfg.System.Ask(ctx, who, Request{Method: method, Path: path, Body: body})
	if err != nil {
		return answer, err
	}
	one := line{At: r.now, Kind: "request", By: by, About: about, Method: method, Path: path, Status: answer.Status,
		Data: json.RawMessage(body)}
	if f != nil {
		one.Journey, one.Person = f.id, f.number()
	}
	r.log.write(one)
	r.report.Requests++
	if f != nil && strings.HasSuffix(path, "/close") && answer.ok() {
		var closed schemas.CloseRecord
		if err := json.Unmarshal(body, &closed); err != nil {
			return answer, err
		}
		f.closing = closed.Reason
	}
	if !answer.ok() {
		r.refused(by, about+" "+method+" "+path[strings.LastIndex(path, "/"):], answer.problem())
	}
	return answer, nil
}

// said notes what the person was recorded to have said; whoever is reached for the first time is asked how to be
// reached, and when.
func (r *run) said(ctx context.Context, by string, who Who, f *followed, body []byte) error {
	var record schemas.ConsentRecord
	if err := json.Unmarshal(body, &record); err != nil {
		return err
	}
	for _, a := range record.Answers {
		yes := a.State == "given"
		switch {
		case a.Purpose == schemas.PurposeBridging:
			f.calls = &yes
		case a.Organisation == "":
			f.session = &yes
		}
	}
	p := f.person
	if p == nil || f.recorded || who.Role != schemas.SendingTeam {
		return nil
	}
	f.recorded = true
	if p.WaitsOn != "" { // whoever waits on a list may have short calls meanwhile
		waits, _ := json.Marshal(map[string]any{"facts": map[string]any{"waitingOn": []string{p.WaitsOn}}})
		if _, err := r.asks(ctx, by, who, f, "waits", http.MethodPost, "/api/journeys/"+f.id+"/facts",
			waits); err != nil {
			return err
		}
	}
	if p.Phone != "" {
		contact, _ := json.Marshal(schemas.ContactRecord{Channels: []schemas.ContactChannel{{Channel: "phone",
			Value: p.Phone, Confirmed: true}}})
		if _, err := r.asks(ctx, by, who, f, "contact", http.MethodPost, "/api/journeys/"+f.id+"/contact",
			contact); err != nil {
			return err
		}
	}
	if p.FromHour > 0 {
		plan := fmt.Appendf(nil,
			`{"windows":[{"days":["mon","tue","wed","thu","fri","sat","sun"],"fromHour":%d,"toHour":%d}]}`, p.FromHour,
			p.ToHour)
		answer, err := r.asks(ctx, by, who, f, "plan", http.MethodPost, "/api/journeys/"+f.id+"/plan", plan)
		if answer.ok() {
			f.fromHour, f.toHour = p.FromHour, p.ToHour
		}
		return err
	}
	return nil
}
