package intake

import (
	"cmp"
	"net/http"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// messageShown is one message with what deciding about it takes.
type messageShown struct {
	LedgerLine
	// Says is what the message says beside who it is about; absent where it cannot be read, where its content has been
	// erased, and for whoever may not read messages.
	Says *messageContent `json:"says,omitempty"`
	// Named says that it is known whom the message is about, so that asking who it is makes sense.
	Named bool `json:"named,omitempty"`
	// Who is shown for a stated reason alone.
	Who *messageWho `json:"who,omitempty"`
}

type messageContent struct {
	Visit     string        `json:"visit,omitempty"`
	ArrivedAt *time.Time    `json:"arrivedAt,omitempty"`
	LeftAt    *time.Time    `json:"leftAt,omitempty"`
	Facts     schemas.Facts `json:"facts,omitzero"`
}

// messageWho is what it takes to find somebody in the hospital's own records.
type messageWho struct {
	FamilyName string `json:"familyName,omitempty"`
	GivenName  string `json:"givenName,omitempty"`
	BirthDate  string `json:"birthDate,omitempty"`
	LocalID    string `json:"localId,omitempty"`
	NHSNumber  string `json:"nhsNumber,omitempty"`
	Verified   bool   `json:"nhsNumberVerified,omitempty"`
}

// getMessage shows one message. Who it is about is told to whoever may read it and states why (the header
// Access-Reason): the look is kept with the person's record, a refused one too.
func (s *Service) getMessage(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	id, err := pathRef(r, "id", noSuchMessage)
	if err != nil {
		return err
	}
	reason := statedReason(r)
	var shown messageShown
	var refusal error
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		held, err := lockQuarantined(tx, who, id)
		if err != nil {
			return err
		}
		shown = messageShown{LedgerLine: held.LedgerLine}
		shown.explain()
		if who.Role == string(schemas.Operator) { // never what a message says
			return nil
		}
		shown.Says = s.contentOf(held)
		sub, err := s.subjectOfMessage(tx, who, id)
		if err != nil || sub == nil {
			return err
		}
		shown.Named = !sub.erased
		if reason != "" {
			shown.Who, refusal, err = s.readIdentityFromMessage(tx, who, held, sub, reason)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return refusal
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// contentOf reads a message as it came, by the profile as it is now.
func (s *Service) contentOf(held *quarantinedMessage) *messageContent {
	raw, err := s.openRaw(held)
	if err != nil {
		return nil
	}
	statement := s.readKept(held, raw).ClinicalEvent
	if statement == nil {
		return nil
	}
	says := &messageContent{Visit: statement.Visit, Facts: statement.Facts}
	if statement.Arrived.Known() {
		says.ArrivedAt = &statement.Arrived.At
	}
	if statement.Happened.Known() && statement.Kind == record.KindEnd {
		says.LeftAt = &statement.Happened.At
	}
	return says
}

// readIdentityFromMessage is one look at who a message is about; in the trail the message stands where a journey would.
func (s *Service) readIdentityFromMessage(tx *flow.Tx, who principal.Principal, held *quarantinedMessage,
	sub *subjectOf, reason string) (seen *messageWho, refusal, err error) {
	sub.Journey, sub.Organisation = held.ID, cmp.Or(sub.Organisation, held.Organisation)
	shown, refusal, err := s.readIdentity(tx, who, sub, reason)
	if refusal != nil || err != nil {
		return nil, refusal, err
	}
	return &messageWho{FamilyName: shown.FamilyName, GivenName: shown.GivenName, BirthDate: shown.BirthDate,
		LocalID:   shown.LocalID,
		NHSNumber: shown.NHSNumber, Verified: shown.Verified}, nil, nil
}
