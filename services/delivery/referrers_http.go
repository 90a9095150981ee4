package delivery

import (
	"net/http"

	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// referralFeed gives the asking organisation what became of those it referred.
func (a api) referralFeed(w http.ResponseWriter, r *http.Request) error {
	who, err := logAsking(r)
	if err != nil {
		return err
	}
	return a.feedOf(w, r, who)
}

// isReferrer says whether somebody asks for an organisation that refers people; everybody else who has a log is a
// partner.
func isReferrer(who principal.Principal) bool { return schemas.Role(who.Role) != schemas.Partner }

// logAsking is who asks, in the name of the log that is theirs: a partner's own, or that of what the asking
// organisation is told of those it referred.
func logAsking(r *http.Request) (principal.Principal, error) {
	who, err := principal.Need(r.Context())
	switch {
	case err != nil:
		return who, err
	case !isReferrer(who):
		return partnerAsking(r)
	case who.Organisation == "":
		return who, httpx.NewProblem(http.StatusForbidden, "Only an organisation that refers people has news of them.")
	}
	who.Organisation = schemas.ReferrerLog(who.Organisation)
	return who, nil
}
