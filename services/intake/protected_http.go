package intake

import (
	"encoding/json"
	"fmt"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// A record that the hospital protects (PD1-12) lets nothing out until the person has been asked. Whoever records what
// they answered has asked them, whatever the answer was; no later message lifts it.

// askedProtected notes that the person was asked, and says on their journey what that lifts.
func (s *Service) askedProtected(tx *flow.Tx, who principal.Principal, sub *subjectOf) error {
	if sub.erased || !sub.identity.Protected || sub.identity.ProtectedAsked {
		return nil
	}
	sub.identity.ProtectedAsked = true
	plain, err := json.Marshal(sub.identity)
	if err != nil {
		return fmt.Errorf("writing the identity of person %s: not as JSON", sub.Person)
	}
	defer clear(plain)
	storeIdentity(tx, sub.Person, sub.key.Seal(fieldIdentity, plain))
	visits, err := lockVisitsOf(tx, who, sub.Journey)
	if err != nil {
		return err
	}
	var all []record.JourneyEvent
	for _, v := range visits {
		v.RowVersion++
		v.Published.Flags = record.Without(v.Published.Flags, []string{schemas.FlagProtected})
		all = append(all, record.JourneyEvent{Kind: schemas.DischargeCorrected, Data: schemas.DischargeCorrectedData{Visit: v.ID, Flags: record.OrNone(v.Published.Flags)}})
	}
	if err := storeVisits(tx, visits); err != nil {
		return err
	}
	return emitOn(tx, sub.Journey, all)
}
