package intake

import (
	"net/http"
	"slices"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// notAsked are facts that nobody is asked for: intake works them out, from birth dates and coded visits.
var notAsked = []string{"ageRisesOn", "lastSelfHarm", "route"}

// postFacts records what somebody asked the person, or found out, and what they would rather not say: that stays
// unknown, and the question is answered all the same.
func (s *Service) postFacts(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[schemas.FactsRecord](w, r, maxForm)
	if err != nil {
		return err
	}
	if fault := factsFault(request); fault != nil {
		return fault
	}
	request.Facts = request.Facts.Normal()
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		records, err := recordsOfJourney(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		err = s.around(tx, who, records, func(j *transaction) (map[string][]record.Question, error) {
			sub, err := s.lockSubject(tx, who, journey)
			if err != nil {
				return nil, err
			}
			if sub.erased {
				return nil, gone()
			}
			sub.supplied = &schemas.InformationSuppliedData{Facts: request.Facts, NotSaid: request.NotSaid}
			j.tell(sub.Journey, record.JourneyEvent{Kind: schemas.InformationSupplied, Data: *sub.supplied})
			return nil, keepFacts(tx, j, who, sub)
		})
		return http.StatusOK, factsKept{journey, len(request.NotSaid)}, err
	})
}

// factsFault says what is wrong with facts to be recorded, or nothing.
func factsFault(request schemas.FactsRecord) error {
	kind, _ := schemas.KindNamed("fact")
	for _, name := range request.NotSaid {
		if !kind.Allows(name) {
			return unprocessable("A fact in notSaid is not known. Use the names of facts, such as age or areaGP.")
		}
	}
	if request.Facts.IsZero() && len(request.NotSaid) == 0 {
		return unprocessable("There is nothing to record. Send facts, or in notSaid what the person would rather not " +
			"say.")
	}
	if faults := request.Facts.Validate(); len(faults) > 0 {
		return unprocessable("The facts are not as expected: see errors.").With("errors", faults)
	}
	for name, value := range request.Facts.Fields() {
		if slices.Contains(notAsked, name) && !value.IsZero() {
			return unprocessable("Nobody states " + name + " by hand: it is worked out from what hospitals sent.")
		}
	}
	return nil
}

// factsKept says of which journey facts were recorded, and how many the person would rather not say.
type factsKept struct {
	Journey string `json:"journey"`
	NotSaid int    `json:"notSaid"`
}
