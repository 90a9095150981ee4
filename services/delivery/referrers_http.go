package delivery

import (
	"net/http"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// referralFeed gives the asking organisation what became of those it referred.
func (a api) referralFeed(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if who.Organisation == "" {
		return httpx.NewProblem(http.StatusForbidden, "Only an organisation that refers people has news of them.")
	}
	who.Organisation = schemas.ReferrerLog(who.Organisation)
	return a.feedOf(w, r, who)
}
