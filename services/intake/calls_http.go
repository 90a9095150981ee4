package intake

import (
	"net/http"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/services/intake/record"
)

func noSuchCall() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no call that you are about to make. Say that you ring "+
		"first: POST /api/calls/{id}/claim, from 15 minutes before it. After its outcome nothing is shown.")
}

// callPerson is whom somebody rings: the name and the contact that were agreed, and what a call takes. Nothing else of
// them.
type callPerson struct {
	FamilyName    string               `json:"familyName,omitempty"`
	GivenName     string               `json:"givenName,omitempty"`
	Contact       []record.Channel     `json:"contact"`
	NoSafeChannel bool                 `json:"noSafeChannel,omitempty"`
	Named         []record.NamedPerson `json:"named,omitempty"`
	Needs         []string             `json:"needs,omitempty"`
	NeedsNote     string               `json:"needsNote,omitempty"`
}

// getCallPerson shows whom somebody rings, from when they said that they do until an outcome. The grant, the yes to
// calls by their organisation, and whatever stops or holds contact are read in this transaction, and the look is kept.
func (s *Service) getCallPerson(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	call, err := pathRef(r, "id", noSuchCall)
	if err != nil {
		return err
	}
	var shown *callPerson
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		shown, err = s.readCallPerson(tx, who, call)
		return err
	})
	switch {
	case err != nil:
		return err
	case shown == nil:
		return noSuchCall()
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// readCallPerson decides about one look and writes it down, a refused one too; nil where nothing is shown.
func (s *Service) readCallPerson(tx *flow.Tx, who principal.Principal, call string) (*callPerson, error) {
	journey := ""
	findCallGrant(tx, who, call, tx.Now, func(found string) { journey = found })
	if err := tx.Flush(); err != nil || journey == "" {
		return nil, err
	}
	sub, err := s.lockForCall(tx, who, journey)
	if err != nil {
		return nil, err
	}
	still := false // under the person's lock it may be over
	findCallGrant(tx, who, call, tx.Now, func(string) { still = true })
	standing, _, err := sub.loadOffers(tx, who.Organisation)
	if err != nil || !still {
		return nil, err
	}
	refused := record.MayRing(who.Organisation, sub.bars(who.Organisation) || sub.unplaced || sub.erased, sub.group,
		standing, sub.answers, s.today(tx.Now))
	if refused != "" {
		s.storeAccess(tx, who, sub, record.SeesNothing, refused, "", tx.Now)
		return nil, nil
	}
	s.storeAccess(tx, who, sub, record.SeesPartner, "", "", tx.Now)
	return sub.callPerson(), nil
}

func (sub *subjectOf) callPerson() *callPerson {
	all := sub.show(record.SeesPartner, "")
	return &callPerson{FamilyName: all.FamilyName, GivenName: all.GivenName, Contact: all.Contact,
		NoSafeChannel: all.NoSafeChannel, Named: all.Named,
		Needs: all.Needs, NeedsNote: all.NeedsNote}
}
