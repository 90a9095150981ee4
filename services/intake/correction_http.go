package intake

import (
	"cmp"
	"net/http"
	"slices"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/reading"
	"footbridge/services/intake/record"
)

// A request that somebody wrote down wrongly is corrected by the team that it was made to: who the person is goes the
// way of every message, so that the ledger has it, an age and an area that change are facts again, and a child is one
// from then on. What a hospital's system said is corrected there, or its next message would bring it back.

// SeesCorrection is how a correction is kept beside the looks at who somebody is.
const SeesCorrection = "correction"

// correctedShown says what was corrected, without repeating it.
type correctedShown struct {
	Journey string         `json:"journey"`
	Changed []string       `json:"changed"`           // the names of the fields
	Message string         `json:"message,omitempty"` // the ledger's id; absent where nothing is changed by it
	Outcome record.Outcome `json:"outcome,omitempty"`
}

// postCorrection corrects who a request is about. What the request leaves out stays.
func (s *Service) postCorrection(w http.ResponseWriter, r *http.Request) error {
	who, journey, err := principal.Asking(r, noSuchJourney())
	if err != nil {
		return err
	}
	said, body, err := httpx.ReadJSON[schemas.CorrectionRecord](w, r, maxForm)
	if err != nil {
		return err
	}
	if faults := schemas.Validate(said); len(faults) > 0 {
		return unprocessable("The correction is not as expected: see errors.").With("errors", faults)
	}
	identity := checkedIdentity(schemas.ReportedPerson{FamilyName: said.FamilyName, GivenName: said.GivenName,
		BirthDate: said.BirthDate, NHSNumber: said.NHSNumber})
	if said.NHSNumber != "" {
		if _, valid := written.NHSNumber(said.NHSNumber); !valid {
			return unprocessable("This is no NHS number: its last digit checks the others. Look at it again.")
		}
	}
	key, changed, err := s.correctable(r, who, journey, identity, said)
	switch {
	case err != nil:
		return err
	case len(changed) == 0:
		return httpx.WriteJSON(w, http.StatusOK, correctedShown{Journey: journey, Changed: changed})
	}
	parsed := reading.Reading{Organisation: key.organisation, Sender: formOf(who),
		ControlID: r.Header.Get("Idempotency-Key"), Type: string(schemas.ReferralSubmitted)}
	parsed.ClinicalEvent = &record.ClinicalEvent{Header: record.Header{Kind: record.KindPerson,
		Organisation: key.organisation, StatedAt: s.clock.Now(), PublishedBy: "form", By: recordedBy(who)},
		About: record.About{Person: vault.Conceal(identity)}}
	a, err := s.prepare(r.Context(), parsed, record.EndpointForm, slices.Concat([]byte(journey+" "), body))
	if err != nil {
		return err
	}
	a.keys = record.Keys{Person: key.lookup}
	result, err := s.keepWithPatience(r.Context(), a)
	if err != nil {
		return err
	}
	if result.Outcome == record.Rejected {
		return httpx.NewProblem(http.StatusConflict, "A request under this Idempotency-Key came before, with other "+
			"content. Give the changed one its own.").With("message", result.Message)
	}
	return httpx.WriteJSON(w, http.StatusOK, correctedShown{journey, changed, result.Message, result.Outcome})
}

// corrected is by what a record is found, and whose it is.
type corrected struct{ lookup, organisation string }

// correctable says whether who a journey is about may be corrected by somebody, what would change, and keeps that they
// do so, and why.
func (s *Service) correctable(r *http.Request, who principal.Principal, journey string, to record.Identity,
	said schemas.CorrectionRecord) (key corrected, changed []string, err error) {
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		key, changed = corrected{}, nil
		sub, err := s.lockSubject(tx, who, journey)
		if err != nil {
			return err
		}
		if sub.erased {
			return gone()
		}
		if sub.unplaced {
			return httpx.NewProblem(http.StatusConflict,
				"It is not agreed which organisation this came from. Place it first: GET /api/facilities.")
		}
		visits, err := lockVisitsOf(tx, who, journey)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(visits, func(v *record.Visit) bool { return v.IsRequested() }) {
			return httpx.NewProblem(http.StatusConflict, "This came from a hospital's system, whose next message "+
				"would bring it back. Have it corrected there: what it says then is taken in here.")
		}
		keys, err := keysOfRecords(tx, who, []string{sub.Person})
		if err != nil || len(keys) == 0 {
			return cmp.Or(err, error(noSuchJourney()))
		}
		if changed = sub.identity.Differs(to); len(changed) == 0 {
			changed = []string{}
			return nil // it was corrected before: the same answer again
		}
		key = corrected{keys[0], visits[0].Organisation}
		s.storeAccess(tx, who, sub, SeesCorrection, "", said.Reason, tx.Now)
		return nil
	})
	return key, changed, err
}
