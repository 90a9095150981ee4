package delivery

import (
	"net/http"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// openLink says which offer a link is to, and for which partner: to the gateway, which makes of it a principal for that
// offer alone. One that is unknown and one that opens nothing any more are answered alike.
func (a api) openLink(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	if who.Role != string(schemas.ServiceItself) || who.Subject != schemas.Gateway {
		return httpx.NewProblem(http.StatusNotFound, "Nothing is served under this path.")
	}
	asked, _, err := httpx.ReadJSON[schemas.LinkAsked](w, r, maxBody)
	if err != nil {
		return err
	}
	opened := schemas.LinkOpened{}
	if err := a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		opened = schemas.LinkOpened{}
		readLink(tx, who, hashToken(asked.Token), tx.Now, &opened)
		return tx.Flush()
	}); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, opened)
}
