package intake

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// A search finds journeys of the caller's own organisation, by something exact that somebody in front of them said or
// wrote: never by a part of it, and never by similarity. It shows codes, and who nobody is.

// searchRequest is what somebody looks for: one of them. It comes in a body alone, never in an address.
type searchRequest struct {
	Code       string `json:"code"`  // a journey's, as on screens and paper, or its whole id
	Visit      string `json:"visit"` // PV1-19, at the caller's organisation
	NHSNumber  string `json:"nhsNumber"`
	FamilyName string `json:"familyName"` // with birthDate
	BirthDate  string `json:"birthDate"`
}

// The ways to look.
const (
	byCode   = "code"
	byVisit  = "visit"
	byNumber = "nhs-number"
	byName   = "name"
)

// SeesSearch is how being found by a search is kept, beside looks.
const SeesSearch = "search"

// codeLength is how many characters of a journey's id, its last ones, are its code.
const codeLength = 8

// mostFound is how many journeys a search shows; that there are more is said.
const mostFound = 20

// lookingFor is a search as it is done: by which way, and the value in its one spelling.
type lookingFor struct {
	By          string
	Value, Born string
}

// read tells by which one thing somebody searches, or what is wrong with the request.
func (r searchRequest) read() (looking lookingFor, fault string) {
	given := 0
	for _, text := range []string{r.Code, r.Visit, r.NHSNumber, r.FamilyName + r.BirthDate} {
		if strings.TrimSpace(text) != "" {
			given++
		}
	}
	if given != 1 {
		return looking, "Search by one thing: code, visit, nhsNumber, or familyName with birthDate."
	}
	switch {
	case r.Code != "":
		return readCode(r.Code)
	case r.Visit != "":
		number := written.Line(r.Visit)
		if len(number) > 64 || strings.HasPrefix(number, record.Numberless) {
			return looking, "This is no number of a visit."
		}
		return lookingFor{By: byVisit, Value: number}, ""
	case r.NHSNumber != "":
		number, valid := written.NHSNumber(r.NHSNumber)
		if !valid {
			return looking, "This is no NHS number: it has ten digits, the last of which checks the others. Look at " +
				"it again."
		}
		return lookingFor{By: byNumber, Value: number}, ""
	}
	name := written.SameName(r.FamilyName)
	if _, err := time.Parse(time.DateOnly, r.BirthDate); err != nil || name == "" {
		return looking, "A name is searched for with the date of birth: familyName, and birthDate as YYYY-MM-DD."
	}
	return lookingFor{By: byName, Value: name, Born: r.BirthDate}, ""
}

// readCode reads a journey's code in any case, with or without its hyphen, or a journey's whole id.
func readCode(text string) (looking lookingFor, fault string) {
	id := strings.ToLower(written.Line(text))
	if clock.IsID(id) {
		return lookingFor{By: byCode, Value: id}, ""
	}
	code := strings.NewReplacer("-", "", " ", "").Replace(id)
	if len(code) != codeLength || strings.Trim(code, "0123456789abcdef") != "" {
		return looking, "This is no code of a journey: it has eight digits and letters from A to F, such as " +
			"1A2B-3C4D."
	}
	return lookingFor{By: byCode, Value: code}, ""
}

// needsReason says that a search is a look at whether somebody known is here: why is stated, as for looking at who
// somebody is.
func (l lookingFor) needsReason() bool { return l.By == byNumber || l.By == byName }

// searchHashes are what a record is found by: of its number, and of its surname with birth date; nil where it has none.
func (s *Service) searchHashes(identity record.Identity) (number, surname []byte, err error) {
	if identity.NHSNumber != "" && !identity.NumberInvalid {
		if number, err = s.searchHash(lookingFor{By: byNumber, Value: identity.NHSNumber}); err != nil {
			return nil, nil, err
		}
	}
	if name := written.SameName(identity.FamilyName); name != "" && identity.BirthDate != "" {
		surname, err = s.searchHash(lookingFor{By: byName, Value: name, Born: identity.BirthDate})
	}
	return number, surname, err
}

func (s *Service) searchHash(looking lookingFor) ([]byte, error) {
	return s.vault.Lookup("person-search", looking.By, looking.Value, looking.Born)
}

// foundShown is one journey that a search found. It says nothing of who somebody is.
type foundShown struct {
	Journey      string    `json:"journey"`
	State        string    `json:"state"` // open, held or closed
	Organisation string    `json:"organisation"`
	BeganAt      time.Time `json:"beganAt"`
}

// searchAnswer is what a search found. Nothing and what the caller may not see are answered alike.
type searchAnswer struct {
	Items []foundShown `json:"items"`
	// More: there are others, of which nothing is shown.
	More bool `json:"more,omitempty"`
}

var aRole = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

// reviewFault says what is wrong with a review, or nothing.
func reviewFault(r schemas.SearchReviewRecord) string {
	kind, _ := schemas.KindNamed("access-finding")
	switch {
	case !clock.IsID(r.UpTo):
		return "Say in upTo which search was the newest that you looked at, by its id."
	case !kind.Allows(r.Finding):
		return "Say in finding what you found: in-order, or passed-on."
	case r.Finding == schemas.AccessPassedOn && !aRole.MatchString(r.PassedTo):
		return "Say in passedTo to which role it was passed on, in words joined by hyphens, such as privacy-officer."
	case r.Finding != schemas.AccessPassedOn && r.PassedTo != "":
		return "What is in order is passed on to nobody: leave passedTo out."
	}
	return ""
}

// SearchLine is one search in the list of whoever reviews them.
type SearchLine struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Role string    `json:"role"`
	By   string    `json:"by"` // who searched, as the organisation's sign-in names them
	// By what they looked: code, visit, nhs-number or name.
	LookedBy string `json:"lookedBy"`
	// How many journeys were shown.
	Found int `json:"found"`
	// Why, where nobody was found: else it stands with the looks at whom was found.
	Reason string `json:"reason,omitempty"`
	Own    bool   `json:"own,omitempty"` // the caller's own, which another reviews: not among those that wait
	// When it was reviewed.
	ReviewedAt *time.Time `json:"reviewedAt,omitempty"`
	Finding    string     `json:"finding,omitempty"`
}

// searchRoutes are the routes of searching, and of looking at what was searched for.
func (s *Service) searchRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"POST /api/people/search":          s.postSearch,
		"GET /api/people/searches":         s.getSearches,
		"POST /api/people/searches/review": s.postSearchReview,
	}
}

// postSearch finds journeys of the caller's own organisation. Every search is kept, and the person of each journey that
// it found can read it.
func (s *Service) postSearch(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	request, _, err := httpx.ReadJSON[searchRequest](w, r, maxForm)
	if err != nil {
		return err
	}
	looking, fault := request.read()
	if fault != "" {
		return unprocessable(fault)
	}
	reason := statedReason(r)
	if fault := schemas.ReasonFault(reason); fault != "" && (looking.needsReason() || reason != "") {
		return httpx.NewProblem(http.StatusForbidden, "%s", fault)
	}
	var answer searchAnswer
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		found, err := s.search(tx, who, looking)
		if err != nil {
			return err
		}
		answer = searchAnswer{Items: []foundShown{}}
		for _, one := range found {
			if err := s.addFound(tx, who, looking, one, reason, &answer); err != nil {
				return err
			}
		}
		return s.storeSearch(tx, who, looking, len(answer.Items), reason)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(answer.Items, func(a, b foundShown) int { return b.BeganAt.Compare(a.BeganAt) })
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// addFound shows one journey, and keeps that it was found; or keeps that it was not shown.
func (s *Service) addFound(tx *flow.Tx, who principal.Principal, looking lookingFor, one foundJourney, reason string,
	answer *searchAnswer) error {
	sub, err := s.lockWithin(tx, schemas.Scope{Organisations: scopeOf(who).Organisations}, one.id)
	if gone := new(httpx.Problem); errors.As(err, &gone) {
		return nil // it is another organisation's by now
	}
	if err != nil || sub.notYoung(who) || looking.needsReason() && (sub.unplaced || sub.erased) {
		return err
	}
	if sub.hides(who) {
		s.storeAccess(tx, who, sub, record.SeesNothing, record.RefusedBarred, "", tx.Now)
		return nil
	}
	if answer.More = len(answer.Items) == mostFound; answer.More {
		return nil
	}
	s.storeAccess(tx, who, sub, SeesSearch, "", reason, tx.Now)
	answer.Items = append(answer.Items, foundShown{one.id, sub.State, sub.Organisation, one.began.In(s.zone)})
	return nil
}

// getSearches lists what was searched for in the caller's organisation, for whoever reviews it.
func (s *Service) getSearches(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/people/searches")
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	lines := []SearchLine{}
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		found, err := s.searches(tx, who, r.URL.Query().Get("waiting") == "true", page)
		lines = append([]SearchLine{}, found...)
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(lines, page.Limit, func(l SearchLine) []string { return []string{l.ID} }))
}

// searchesReviewed says how many searches a review was of. One's own are not among them.
type searchesReviewed struct {
	// How many searches of others are reviewed by it.
	Reviewed int64 `json:"reviewed"`
}

// postSearchReview keeps what a reviewer found of the searches of others, up to and with one.
func (s *Service) postSearchReview(w http.ResponseWriter, r *http.Request) error {
	review, body, err := httpx.ReadJSON[schemas.SearchReviewRecord](w, r, maxForm)
	if err != nil {
		return err
	}
	if fault := reviewFault(review); fault != "" {
		return unprocessable(fault)
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		reviewed, err := reviewSearches(tx, who, review)
		return http.StatusOK, searchesReviewed{reviewed}, err
	})
}
