package intake

import (
	"encoding/json"
	"fmt"

	"footbridge/libs/flow"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// A record that the hospital protects (PD1-12), or of which an indicator says what nobody knows (PID-30, PD1-12), lets
// nothing out until the person has been asked. Whoever records what they answered has asked them, whatever the answer
// was. Protection is lifted by no later message; an unknown indicator is, by one that says which.

// askedProtected notes that the person was asked, and says on their journey what that lifts.
func (s *Service) askedProtected(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf) error {
	if sub.erased {
		return nil
	}
	protected := sub.identity.Protected && !sub.identity.ProtectedAsked
	if protected {
		if err := noteAsked(tx, sub); err != nil {
			return err
		}
	}
	visits, err := j.visitsOf(tx, who, sub.Journey)
	if err != nil {
		return err
	}
	for _, v := range visits {
		if v.KnownAlive(tx.Now) || protected {
			v.RowVersion++
			v.Published.Flags = record.Without(v.Published.Flags, []string{schemas.FlagProtected,
				schemas.FlagIndicatorUnknown})
			j.correct(v, "")
		}
	}
	return nil
}

// noteAsked keeps that somebody whose record is protected was asked.
func noteAsked(tx *flow.Tx, sub *subjectOf) error {
	sub.identity.ProtectedAsked = true
	plain, err := json.Marshal(sub.identity)
	if err != nil {
		return fmt.Errorf("writing the identity of person %s: not as JSON", sub.Person)
	}
	defer clear(plain)
	storeIdentity(tx, sub.Person, sub.key.Seal(fieldIdentity, plain))
	return nil
}
