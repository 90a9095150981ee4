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
func (s *Service) askedProtected(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf) error {
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
	visits, err := j.visitsOf(tx, who, sub.Journey)
	if err != nil {
		return err
	}
	for _, v := range visits {
		v.RowVersion++
		v.Published.Flags = record.Without(v.Published.Flags, []string{schemas.FlagProtected})
		j.correct(v, "")
	}
	return nil
}
