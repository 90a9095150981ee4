package threshold

import (
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// factsLimit bounds the body of a check, in bytes.
const factsLimit = 64 << 10

// Routes adds the paths of this service. The roles that may use them stand in schemas.Routes and are looked at by
// the gateway and here.
func (e *Evaluator) Routes(mux *httpx.Mux, pool *pgxpool.Pool, c clock.Clock) {
	a := api{e, pool, c}
	mux.Handle("GET /api/services", a.services)
	mux.Handle("POST /api/thresholds/check", a.check)
	mux.Handle("GET /api/journeys/{id}/doors", a.doors)
}

// api answers for the set of criteria that is in force, and for decisions as they were made.
type api struct {
	*Evaluator
	pool  *pgxpool.Pool
	clock clock.Clock
}

// doors shows the last decision about a journey, in the words of the criteria it was made under.
func (a api) doors(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	decision, err := lastDecision(r.Context(), a.pool, who, r.PathValue("id"))
	if err != nil {
		return err
	}
	if decision == nil {
		return httpx.NewProblem(http.StatusNotFound, "There is no decision about this journey that you may see. Check the journey's id, or look at the list of journeys.")
	}
	w.Header().Set("ETag", `"`+decision.Directory+`"`)
	return httpx.WriteJSON(w, http.StatusOK, httpx.List[schemas.ServiceDoor]{Items: decision.Doors})
}

// services lists the directory as it runs, with its version.
func (a api) services(w http.ResponseWriter, r *http.Request) error {
	documents := a.directory.Documents()
	page, err := httpx.ParsePage(r.URL.Query(), 1, 100, 500)
	if err != nil {
		return err
	}
	if len(page.After) == 1 {
		for len(documents) > 0 && documents[0].Service.ID <= page.After[0] {
			documents = documents[1:]
		}
	}
	w.Header().Set("ETag", `"`+a.directory.Hash+`"`)
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(documents[:min(len(documents), page.Limit+1)], page.Limit,
		func(d Document) []string { return []string{d.Service.ID} }))
}

// check evaluates facts that are given, and keeps nothing.
func (a api) check(w http.ResponseWriter, r *http.Request) error {
	facts, _, err := httpx.ReadJSON[schemas.Facts](w, r, factsLimit)
	if err != nil {
		return err
	}
	if faults := facts.Validate(); len(faults) > 0 {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "The facts cannot be used: %s.", faults[0].String()).With("faults", faults)
	}
	today := a.clock.Now().In(a.zone).Format(time.DateOnly)
	return httpx.WriteJSON(w, http.StatusOK, Evaluate(a.directory, Situation{
		Facts: facts, Today: today, Window: Window{FirstDay: today, LastDay: addDays(today, promiseDays)},
	}))
}
