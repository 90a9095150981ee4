package threshold

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

// factsLimit bounds the body of a request, in bytes; draftLimit that of a draft set of criteria.
const (
	factsLimit = 64 << 10
	draftLimit = 8 << 20
)

// Routes adds the paths of this service, each open to the roles of the route table. Changes go through f; reads use
// pool. The mux must have put a principal into the context (principal.Require).
func (e *Evaluator) Routes(mux *httpx.Mux, f *flow.Flow, pool *pgxpool.Pool, c clock.Clock) error {
	a := api{Evaluator: e, flow: f, pool: pool, clock: c}
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"GET /api/services":                 a.services,
		"POST /api/services/{id}/told":      a.told,
		"POST /api/services/{id}/dead-line": a.deadLine,
		"POST /api/thresholds/check":        a.check,
		"POST /api/thresholds/what-if":      a.whatIf,
		"POST /api/thresholds/gaps":         a.gaps,
		"GET /api/thresholds/told":          a.toldAgainstPublished,
		"GET /api/thresholds/turned":        a.turned,
		"GET /api/journeys/{id}/doors":      a.eligibilities,
		"POST /api/journeys/{id}/asked":     a.asked,
		"POST /api/journeys/{id}/answered":  a.answered,
		"POST /api/journeys/{id}/override":  a.override,
	}, principal.Guard)
}

// api answers for the set of criteria that is in force, and for decisions as they were made.
type api struct {
	*Evaluator
	flow  *flow.Flow
	pool  *pgxpool.Pool
	clock clock.Clock
}

// eligibilitiesShown are a journey's doors, and what stands beside them in the same decision. Near dates are for
// staff, as a reason to ask the service; no role that may ask here is the person.
type eligibilitiesShown struct {
	Items      []schemas.ServiceEligibility `json:"items"`
	Directory  string                       `json:"directory"`
	DecidedOn  criteria.Day                 `json:"decidedOn"`
	Gap        *criteria.Gap                `json:"gap,omitempty"`
	Nobody     bool                         `json:"nobody,omitempty"`
	LastResort []string                     `json:"lastResort"`
	AskFirst   []string                     `json:"askFirst,omitempty"`
	Tried      []criteria.Tried             `json:"tried,omitempty"`
	Held       []criteria.Satisfied         `json:"held,omitempty"`
	Near       []criteria.Near              `json:"near,omitempty"`
	Questions  []criteria.Question          `json:"questions,omitempty"`
}

// eligibilities shows the last decision about a journey, in the words of the criteria it was made under.
func (a api) eligibilities(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	journey, ok := httpx.PathID(r, "id")
	if !ok {
		return noDecision()
	}
	var decision *criteria.Decision
	if schemas.Role(who.Role) == schemas.TreatingStaff {
		decision, err = a.access(r, who, journey)
	} else {
		decision, err = lastDecision(r.Context(), a.pool, who, journey)
	}
	if err != nil {
		return err
	}
	if decision == nil {
		return noDecision()
	}
	w.Header().Set("ETag", `"`+decision.Directory+`"`)
	return httpx.WriteJSON(w, http.StatusOK, eligibilitiesShown{Items: decision.Eligibilities,
		Directory: decision.Directory, DecidedOn: decision.Today,
		Gap: decision.Gap, Nobody: decision.Nobody, LastResort: decision.LastResort, AskFirst: decision.AskFirst,
		Tried: decision.Tried,
		Held:  decision.Satisfied, Near: decision.Near, Questions: decision.Questions})
}

func noDecision() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no decision about this journey that you may see. Check "+
		"the journey's id. Staff who treat the person elsewhere state why in the header %s.", schemas.ReasonHeader)
}

// access reads the last decision for staff treating the person: for a stated reason, which is kept. The organisation
// of a journey that is another's is told.
func (a api) access(r *http.Request, who principal.Principal, journey string) (decision *criteria.Decision, err error) {
	reason := strings.TrimSpace(r.Header.Get(schemas.ReasonHeader))
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		records := lockRead(tx, who, reason, journey)
		if err := tx.Flush(); err != nil {
			return err
		}
		found := records[journey]
		if found == nil || found.Last == nil {
			return nil
		}
		if fault := schemas.ReasonFault(reason); fault != "" {
			return httpx.NewProblem(http.StatusForbidden, "%s", fault)
		}
		decision = found.Last
		addAccess(tx, who, clock.NewID(tx.Now), journey, reason, tx.Now)
		if scopeOf(who).Home(found.State.Sender) {
			return nil
		}
		found.EmitFirst(tx, string(schemas.PathwaySeen), schemas.SeenData{Organisation: who.Organisation,
			What: "doors"})
		return store.Save(tx, []*record{found})
	})
	return decision, err
}

// serviceShown is a service's document, with its lines that were reported to reach nobody.
type serviceShown struct {
	criteria.Document
	DeadLines []lineShown `json:"deadLines,omitempty"`
}

type lineShown struct {
	Line       string       `json:"line"`
	ReportedOn criteria.Day `json:"reportedOn"`
	DueAt      time.Time    `json:"dueAt"`
}

// services lists the directory as it runs, with its version.
func (a api) services(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/services")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	dead, err := deadLines(r.Context(), a.pool, who)
	if err != nil {
		return err
	}
	documents := a.directory.Documents()
	if len(page.After) == 1 {
		documents = slices.DeleteFunc(documents,
			func(d criteria.Document) bool { return d.Service.ID <= page.After[0] })
	}
	var shown []serviceShown
	for _, document := range documents[:min(len(documents), page.Limit+1)] {
		shown = append(shown, serviceShown{document, a.linesOf(document.Service.ID, dead)})
	}
	w.Header().Set("ETag", `"`+a.directory.Hash+`"`)
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(shown, page.Limit, func(d serviceShown) []string { return []string{d.Service.ID} }))
}

func (a api) linesOf(service string, dead []reported) []lineShown {
	var lines []lineShown
	for _, l := range dead {
		if l.Service == service {
			lines = append(lines, lineShown{l.Line, l.ReportedAt.In(a.zone).Format(time.DateOnly), l.DueAt.In(a.zone)})
		}
	}
	return lines
}

func (a api) today() criteria.Day { return a.clock.Now().In(a.zone).Format(time.DateOnly) }

// check evaluates facts that are given, and keeps nothing.
func (a api) check(w http.ResponseWriter, r *http.Request) error {
	facts, _, err := httpx.ReadJSON[schemas.Facts](w, r, factsLimit)
	if err != nil {
		return err
	}
	if faults := facts.Validate(); len(faults) > 0 {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The facts cannot be used: %s.",
			faults[0].String()).With("faults", faults)
	}
	return httpx.WriteJSON(w, http.StatusOK,
		criteria.Evaluate(a.directory, a.directory.Situation(facts, nil, a.today())))
}

// whatIfAnswer is a what-if with what it did not replay.
type whatIfAnswer struct {
	criteria.WhatIfReport
	// Unkept are journeys whose last decision was made before what it was made from was kept.
	Unkept int `json:"unkept,omitempty"`
}

// whatIf replays past decisions under a draft set: the body is its documents, as a list. It changes nothing: what it
// reads, it reads in a transaction that cannot write.
func (a api) whatIf(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, draftLimit, "application/json")
	if err != nil {
		return err
	}
	if httpx.HasDamagedText(body) {
		return httpx.DamagedText()
	}
	draft, err := criteria.Load(criteria.Source{Name: "draft", Content: body})
	if err != nil {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "%s", err)
	}
	since := time.Time{}
	if day := r.URL.Query().Get("since"); day != "" {
		if since, err = time.ParseInLocation(time.DateOnly, day, a.zone); err != nil {
			return httpx.NewProblem(http.StatusBadRequest, "since is not a local day, YYYY-MM-DD.")
		}
	}
	past, unkept, err := pastDecisions(r.Context(), a.pool, who, since)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, whatIfAnswer{criteria.WhatIf(a.directory, draft, past), unkept})
}

// gapsAsked bounds a search for gaps: how many combinations of facts it looks at, and on which day.
type gapsAsked struct {
	Budget int          `json:"budget"`
	On     criteria.Day `json:"on"`
}

// gaps searches the space of facts. The body may name a smaller budget and another day.
func (a api) gaps(w http.ResponseWriter, r *http.Request) error {
	wanted, _, err := httpx.ReadJSON[gapsAsked](w, r, factsLimit)
	if err != nil {
		return err
	}
	if wanted.On == "" {
		wanted.On = a.today()
	}
	if _, err := time.Parse(time.DateOnly, wanted.On); err != nil || wanted.Budget < 0 ||
		wanted.Budget > criteria.GapBudget {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "on is a day, YYYY-MM-DD, and budget at most %d "+
			"boxes; leave them out for today and all of it.", criteria.GapBudget)
	}
	if wanted.Budget == 0 {
		wanted.Budget = criteria.GapBudget
	}
	return httpx.WriteJSON(w, http.StatusOK, criteria.FindGaps(a.directory, wanted.On, wanted.Budget))
}

// toldAgainstPublished lists in which ways people are told something else than services publish.
func (a api) toldAgainstPublished(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	reports, err := toldReports(r.Context(), a.pool, who)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.List[criteria.Discrepancy]{Items: criteria.ToldAgainstPublished(a.directory, reports)})
}

// turnedMonths is over how many months it is counted how facts turned a criterion: always the same, so that no two
// answers can be held against each other to find the few between them.
const turnedMonths = 12

// turned says how often a fact turned one criterion in the last year, in numbers that lead to nobody.
func (a api) turned(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	rows, reads := a.directory.CriterionNamed(r.URL.Query().Get("service"), r.URL.Query().Get("criterion"))
	switch {
	case len(rows) == 0:
		return httpx.NewProblem(http.StatusNotFound, "No service has a criterion of this id that reads facts. GET "+
			"/api/services lists them.")
	case len(rows) > 1:
		return httpx.NewProblem(http.StatusUnprocessableEntity, "Several services have a criterion of this id. Name "+
			"the service beside it.")
	}
	now := a.clock.Now().In(a.zone)
	since := time.Date(now.Year(), now.Month()-turnedMonths+1, 1, 0, 0, 0, 0, a.zone)
	found, err := foundOf(r.Context(), a.pool, who, rows[0], since)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, criteria.Turns(rows[0], reads, since.Format(time.DateOnly), found))
}
