package intake

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/vault"
	"footbridge/schemas"
)

// FacilityLine is where messages came from that is agreed with no organisation.
type FacilityLine struct {
	ID      string    `json:"id"` // as in the ledger
	Sender  string    `json:"sender"`
	Host    string    `json:"host"` // whose it is to place
	FirstAt time.Time `json:"firstAt"`
	// Spelt is how the facility was written; for a navigator alone, while the message is kept.
	Spelt    string `json:"spelt,omitempty"`
	Placed   string `json:"placed,omitempty"` // with which organisation
	Journeys int    `json:"journeys"`
	Message  string `json:"message"`
}

// getFacilities lists what waits to be placed; with placed=true, what has been.
func (s *Service) getFacilities(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/facilities")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	after := ""
	if len(page.After) == 1 {
		after = page.After[0]
	}
	lines := []FacilityLine{}
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		facilitiesWithin(tx, who, r.URL.Query().Get("placed") == "true", after, page.Limit+1, &lines)
		if err := tx.Flush(); err != nil || who.Role != string(schemas.Navigator) {
			return err
		}
		for i := range lines {
			if lines[i].Spelt, err = s.spelling(tx, who, lines[i].Message); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(lines, page.Limit, func(l FacilityLine) []string { return []string{l.ID} }))
}

// spelling reads how a facility was written, from a message as it came; empty where that is not kept any more.
func (s *Service) spelling(tx *flow.Tx, who principal.Principal, message string) (string, error) {
	held, err := lockQuarantined(tx, who, message)
	if gone := new(httpx.Problem); errors.As(err, &gone) || err == nil && len(held.raw) == 0 {
		return "", nil
	} else if err != nil {
		return "", err
	}
	key, err := s.vault.Unwrap(held.ID, held.wrapped)
	if errors.Is(err, vault.ErrErased) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	raw, err := key.Open(fieldRaw, held.raw)
	if err != nil {
		return "", err
	}
	return s.readKept(held, raw).Organisation, nil
}

// placing says whose a facility is.
type placing struct {
	Organisation string `json:"organisation"`
}

// unplacing takes that back, and says why.
type unplacing struct {
	Reason string `json:"reason"`
}

// placedShown is whose a facility is now, empty where it is nobody's; Journeys is how many became theirs by it.
type placedShown struct {
	ID           string `json:"id"`
	Organisation string `json:"organisation"`
	Journeys     int    `json:"journeys"`
}

func noSuchFacility() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "There is no such facility that is yours to place. Take the id from "+
		"GET /api/facilities.")
}

// postPlace says whose a facility is. Its journeys become that organisation's in every service, and who they are about
// is shown again. Said a second time, it does nothing.
func (s *Service) postPlace(w http.ResponseWriter, r *http.Request) error {
	request, body, err := httpx.ReadJSON[placing](w, r, maxForm)
	if err != nil {
		return err
	}
	wanted := s.agreed[bareName(request.Organisation)]
	if wanted == "" {
		return unprocessable("There is no agreement with that organisation. Name one of FOOTBRIDGE_ORGANISATIONS, or " +
			"of a sender's profile.")
	}
	return s.performPlacing(w, r, body, wanted, "")
}

// postUnplace takes back that a facility was placed: its journeys are again the host's to place, in every service, and
// who they are about is hidden. Said a second time, it does nothing.
func (s *Service) postUnplace(w http.ResponseWriter, r *http.Request) error {
	request, body, err := httpx.ReadJSON[unplacing](w, r, maxForm)
	if err != nil {
		return err
	}
	if schemas.ReasonFault(request.Reason) != "" {
		return unprocessable("Say in reason, in a few words of your own, why it is not theirs; name nobody there, " +
			"and no number or address.")
	}
	return s.performPlacing(w, r, body, "", strings.TrimSpace(request.Reason))
}

func (s *Service) performPlacing(w http.ResponseWriter, r *http.Request, body []byte, wanted, reason string) error {
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		moved, err := s.decideFacility(tx, who, r.PathValue("id"), wanted, reason)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, placedShown{r.PathValue("id"), wanted, moved}, nil
	})
}
