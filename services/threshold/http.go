package threshold

import (
	"net/http"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/httpx"
	"footbridge/schemas"
)

// factsLimit bounds the body of a check, in bytes.
const factsLimit = 64 << 10

// Routes adds the paths of this service.
func (e *Evaluator) Routes(mux *httpx.Mux) {
	a := api{e, clock.Real()}
	mux.Handle("GET /api/services", a.services)
	mux.Handle("POST /api/thresholds/check", a.check)
}

// api answers for the set of criteria that is in force. It reads no table and nothing about a person.
type api struct {
	*Evaluator
	clock clock.Clock
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
