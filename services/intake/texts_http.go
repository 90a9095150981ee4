package intake

import (
	"net/http"
	"slices"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// numberForText answers delivery with the number that one text may go to at this moment. Consent, whatever stops or
// holds contact, the confirmed number and its hours are read in one transaction; that it was used is kept, and shown to
// the person as any look.
func (s *Service) numberForText(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err == nil && (schemas.Role(who.Role) != schemas.ServiceItself || who.Subject != schemas.Delivery) {
		err = httpx.NewProblem(http.StatusNotFound, "Nothing is served under this path.")
	}
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[schemas.TextAsked](w, r, maxForm)
	if err != nil {
		return err
	}
	if !clock.IsID(asked.Journey) || !slices.Contains([]string{schemas.TextSession, schemas.TextCall,
		schemas.TextChanged}, asked.About) {
		return unprocessable("A text is about a session, a call or a change, of a journey.")
	}
	var to schemas.TextTo
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		to, err = s.readNumber(tx, who, asked)
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusOK, to)
}

// readNumber decides about one text and writes it down; only waiting for the person's hours leaves no trace.
func (s *Service) readNumber(tx *flow.Tx, who principal.Principal, asked schemas.TextAsked) (to schemas.TextTo,
	err error) {
	sub, err := s.lockWithin(tx, schemas.Scope{All: true}, asked.Journey)
	if err != nil {
		return to, err
	}
	who.Organisation = sub.Organisation // it is kept as theirs who look after the journey
	standing, offers, err := sub.loadOffers(tx, asked.Partner)
	if err != nil {
		return to, err
	}
	card, askFirst := sub.card.Strictest(sub.otherCards...)
	hidden := sub.unplaced || sub.erased || askFirst || asked.Partner != "" && sub.bars(asked.Partner)
	refused := record.MayText(asked, sub.Organisation, hidden, sub.group, standing, offers, sub.answers,
		s.today(tx.Now))
	channel, ok := card.TextsTo(asked.About)
	if refused == "" && !ok {
		refused = record.RefusedNoPhone
	}
	if refused != "" {
		s.storeAccess(tx, who, sub, record.SeesNothing, refused, "", tx.Now)
		return to, nil
	}
	if at := channel.OpensAt(tx.Now, s.zone); at.After(tx.Now) {
		to.NotBefore = &at
		return to, nil
	}
	s.storeAccess(tx, who, sub, record.SeesNumber, "", "", tx.Now)
	to.Number = channel.Value
	return to, nil
}
