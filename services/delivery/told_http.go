package delivery

import (
	"net/http"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// What partners were told of one person, for them and for the organisation that looks after them: it can be printed, so
// that the person knows what was passed on.

// partnerTold is one thing that a partner was told of a journey.
type partnerTold struct {
	Partner string `json:"partner"`
	Offer   string `json:"offer"`
	Type    string `json:"type"`
	// Shows are the members that it had: what they say is the offer's, such as a day or a state.
	Shows   []string  `json:"shows"`
	GivenAt time.Time `json:"givenAt"`
	// Ways are those by which it has come: webhook, email (a mail that says only that something waits), broker, or feed
	// (also as server-sent events). Empty: it went out, and its partner has not said yet that it came.
	Ways []string `json:"ways"`

	id string
}

func noJourney() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such journey that you may see. Check its id.")
}

// mayRead says whether what partners were told of a journey is open to who asks.
func (k *JourneyState) mayRead(who principal.Principal, journey string) bool {
	return k.OpenTo(schemas.ScopeOf(schemas.Role(who.Role), who.Organisation, who.Subject), k.MustNotKnow,
		schemas.JourneyOfOwnPage(who.Team) == journey)
}

// toldOf lists what each partner was told of a journey, the newest first. What has not been given out is not in it.
func (a api) toldOf(w http.ResponseWriter, r *http.Request) error {
	who, journey, err := principal.Asking(r, noJourney())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/journeys/{id}/told")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	before := clock.HighestID
	if len(page.After) == 1 {
		if before = page.After[0]; !clock.IsID(before) {
			return httpx.NewProblem(http.StatusBadRequest, "The cursor is not one of this list. Begin again without "+
				"it.")
		}
	}
	var all []partnerTold
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		all = nil
		records := store.Load(tx, []string{journey})
		if err := tx.Flush(); err != nil {
			return err
		}
		known := records[journey]
		if known == nil || !known.State.mayRead(who, journey) {
			return noJourney()
		}
		toldPartners(tx, who, known.State.Offers, before, page.Limit+1,
			func(one partnerTold) { all = append(all, one) })
		return tx.Flush()
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, httpx.NewList(all, page.Limit,
		func(one partnerTold) []string { return []string{one.id} }))
}
