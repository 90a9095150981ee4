package intake

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/libs/written"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// The page of the person. Staff give a code to whoever wants one, with a word that the person chose; the gateway asks
// here for whom a code and a word open, and for whom a session is. Whatever the reason that something does not open,
// the answer is one and the same. Code and word are kept as keyed hashes, and stand in no log, event or URL.

// ownPageRoutes are the routes of it.
func (s *Service) ownPageRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"GET /api/journeys/{id}/own-page":  s.getOwnPage,
		"POST /api/journeys/{id}/own-page": s.postOwnPage,
		"POST /api/journeys/{id}/letter":   s.postLetter,
		"POST /api/own-page/open":          s.openOwnPage,
		"POST /api/own-page/session":       s.sessionOfOwnPage,
		"POST /api/own-page/leave":         s.leaveOwnPage,
	}
}

// ownPageShown is how the page of a journey's person stands. The code is told once, to whoever hands it out.
type ownPageShown struct {
	Journey    string     `json:"journey"`
	Page       string     `json:"page,omitempty"`
	State      string     `json:"state"` // none, stands, ended or stopped
	Code       string     `json:"code,omitempty"`
	GivenAt    *time.Time `json:"givenAt,omitempty"`
	GivenBy    string     `json:"givenBy,omitempty"` // a role
	EndsAt     *time.Time `json:"endsAt,omitempty"`
	OpenedAt   *time.Time `json:"openedAt,omitempty"` // when it was opened last
	StoppedAt  *time.Time `json:"stoppedAt,omitempty"`
	StoppedWhy string     `json:"stoppedWhy,omitempty"`
	// WrongWords is how many words were tried that are not theirs.
	WrongWords int `json:"wrongWords,omitempty"`
	// OtherCodes is how many more codes open their page: two records that were joined may each have been given one. Who
	// stops the page, or gives a new code, stops them all.
	OtherCodes int `json:"otherCodes,omitempty"`
}

func (s *Service) ownPageShown(journey string, p *storedPage, others int, now time.Time) ownPageShown {
	shown := ownPageShown{Journey: journey, State: "none", OtherCodes: others}
	if p == nil {
		return shown
	}
	at := func(t *time.Time) *time.Time {
		if t == nil {
			return nil
		}
		local := t.In(s.zone)
		return &local
	}
	shown.Page, shown.GivenBy, shown.GivenAt, shown.EndsAt, shown.OpenedAt = p.ID, p.GivenBy, at(&p.GivenAt),
		at(&p.EndsAt), at(p.OpenedAt)
	shown.StoppedAt, shown.StoppedWhy, shown.WrongWords = at(p.StoppedAt), p.StoppedWhy, p.Wrong
	switch {
	case p.StoppedAt != nil:
		shown.State = "stopped"
	case p.Stands(now):
		shown.State = "stands"
	default:
		shown.State = "ended"
	}
	return shown
}

// getOwnPage shows how a person's page stands.
func (s *Service) getOwnPage(w http.ResponseWriter, r *http.Request) error {
	who, journey, err := principal.Asking(r, noSuchJourney())
	if err != nil {
		return err
	}
	var shown ownPageShown
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		sub, err := s.lockSubject(tx, who, journey)
		if err != nil {
			return err
		}
		page, others, err := sub.pageOf(tx, who)
		shown = s.ownPageShown(journey, page, others, tx.Now)
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// postOwnPage gives a person who wants one a page, or stops theirs. A new code stops the one before. The person may
// stop theirs, and give nobody one.
func (s *Service) postOwnPage(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	asked, body, err := httpx.ReadJSON[schemas.OwnPageRecord](w, r, maxForm)
	if err != nil {
		return err
	}
	answer, err := s.once(r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		sub, err := s.lockSubject(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		if asked.Stop {
			stopPages(tx, who, sub.Person, record.StoppedByHand, tx.Now)
			page, others, err := sub.pageOf(tx, who)
			return http.StatusOK, s.ownPageShown(journey, page, others, tx.Now), err
		}
		page, err := s.givePage(tx, who, sub, asked)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusCreated, s.ownPageShown(journey, &storedPage{OwnPage: page}, 0, tx.Now), nil
	})
	if err != nil {
		return err
	}
	return s.withCode(w, answer)
}

// withCode writes an answer with the code that is told once: what is kept for a repetition has none, as it is made anew
// from the page's id under a key of this system's.
func (s *Service) withCode(w http.ResponseWriter, answer httpx.Answer) error {
	if answer.Status != http.StatusCreated {
		return answer.Write(w)
	}
	var shown ownPageShown
	if err := json.Unmarshal(answer.Body, &shown); err != nil {
		return fmt.Errorf("reading what was answered about a page: %w", err)
	}
	var err error
	if shown.Code, err = s.ownPageCode(shown.Page); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, answer.Status, shown)
}

func (s *Service) ownPageCode(page string) (string, error) {
	random, err := s.vault.Lookup("own-page code", page)
	if err != nil {
		return "", err
	}
	return record.OwnPageCode(random), nil
}

// givePage decides whether a page is given, and stores it.
func (s *Service) givePage(tx *flow.Tx, who principal.Principal, sub *subjectOf,
	asked schemas.OwnPageRecord) (page record.OwnPage, err error) {
	if schemas.Role(who.Role) == schemas.Person {
		return page, httpx.NewProblem(http.StatusForbidden, "A new code is given by the team, on paper.")
	}
	holder, err := sub.holder(tx, who)
	if err != nil {
		return page, err
	}
	switch fault := record.MayHaveOwnPage(holder); {
	case fault != "":
		return page, httpx.NewProblem(http.StatusConflict, "%s", fault)
	case sub.guard.Answers != "" && schemas.Role(who.Role) != schemas.YoungPeoplesClinician:
		return page, httpx.NewProblem(http.StatusForbidden, "To somebody under 18 the young people's clinician "+
			"gives a page, signed in as themselves.")
	case !asked.Wanted || !asked.SafeToHave:
		return page, unprocessable("A page is for whoever wants one, and can safely have the paper. Ask the person, " +
			"and send wanted and safeToHave as true where they say so.")
	}
	if fault := record.OwnPageWordFault(asked.Word, sub.identity); fault != "" {
		return page, unprocessable(fault)
	}
	page = record.OwnPage{ID: clock.NewRandomID(), Journey: sub.Journey, Person: sub.Person, GivenBy: who.Role,
		GivenAt: tx.Now, EndsAt: tx.Now.Add(record.OwnPageLasts)}
	code, err := s.ownPageCode(page.ID)
	if err != nil {
		return page, err
	}
	kept, err := s.vault.Lookup("own-page", written.Code(code))
	if err != nil {
		return page, err
	}
	word, err := s.vault.Lookup("own-page word", page.ID, record.ReadOwnPageWord(asked.Word))
	if err != nil {
		return page, err
	}
	stopPages(tx, who, sub.Person, record.StoppedReplaced, tx.Now)
	addPage(tx, who, page, kept, word)
	s.storeAccess(tx, who, sub, SeesOwnPage, "", "", tx.Now)
	return page, nil
}

// SeesOwnPage is how giving somebody a page is kept beside the looks at who they are: the person can read it.
const SeesOwnPage = "gave-own-page"

// SeesLetter is how a printed letter is kept beside the looks at who they are, and SeesSlip a slip.
const SeesLetter, SeesSlip = "printed-letter", "printed-slip"

// postLetter keeps who printed what for the person, and when. Nothing is printed for somebody who may not be told yet.
func (s *Service) postLetter(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	printed, body, err := httpx.ReadJSON[schemas.LetterPrinted](w, r, maxForm)
	if err != nil {
		return err
	}
	if faults := schemas.Validate(printed); len(faults) > 0 {
		return unprocessable("What was printed is not as expected: see errors.").With("errors", faults)
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		sub, err := s.lockSubject(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		holder, err := sub.holder(tx, who)
		if err != nil {
			return 0, nil, err
		}
		if fault := record.MayHaveLetter(holder); fault != "" {
			return 0, nil, httpx.NewProblem(http.StatusConflict, "%s", fault)
		}
		sees := SeesLetter
		if printed.Kind == "slip" {
			sees = SeesSlip
		}
		s.storeAccess(tx, who, sub, sees, "", "", tx.Now)
		return http.StatusOK, letterKept{journey, printed.Kind, tx.Now.In(s.zone)}, nil
	})
}

// letterKept is that something was printed for a journey's person.
type letterKept struct {
	Journey   string    `json:"journey"`
	Kind      string    `json:"kind"`
	PrintedAt time.Time `json:"printedAt"`
}

// doesNotOpen is the one answer to whatever does not open.
func doesNotOpen() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "Nothing opens with this.")
}

// gatewayAsks lets the gateway alone ask: in the table these routes are open to no role.
func gatewayAsks(r *http.Request) (principal.Principal, error) {
	who, err := principal.Need(r.Context())
	if err == nil && (schemas.Role(who.Role) != schemas.ServiceItself || who.Subject != schemas.Gateway) {
		err = httpx.NewProblem(http.StatusForbidden, "This is between services.")
	}
	return who, err
}

// openOwnPage begins a session where code and word are those of a page that stands.
func (s *Service) openOwnPage(w http.ResponseWriter, r *http.Request) error {
	who, err := gatewayAsks(r)
	if err != nil {
		return err
	}
	tried, _, err := httpx.ReadJSON[schemas.OwnPageTried](w, r, maxForm)
	if err != nil {
		return err
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	session := base64.RawURLEncoding.EncodeToString(id)
	opened := false
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		opened = false
		page, err := s.tryPage(tx, who, tried)
		if err != nil || page == nil {
			return err
		}
		beginPageSession(tx, who, page.ID, sessionHash(session), tx.Now)
		opened = true
		return nil
	})
	switch {
	case err != nil:
		return err
	case !opened:
		return doesNotOpen()
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpx.WriteJSON(w, http.StatusOK, schemas.OwnPageOpened{Session: session})
}

func sessionHash(session string) []byte {
	sum := sha256.Sum256([]byte(session))
	return sum[:]
}

// tryPage finds the page that code and word open, or nil. A wrong word is counted.
func (s *Service) tryPage(tx *flow.Tx, who principal.Principal, tried schemas.OwnPageTried) (*storedPage, error) {
	hash, err := s.vault.Lookup("own-page", written.Code(tried.Code))
	if err != nil {
		return nil, err
	}
	page, err := pageByCode(tx, who, hash)
	if err != nil || page == nil {
		return nil, err
	}
	page, sub, may, err := s.lockPageOf(tx, who, page)
	if err != nil || page == nil || !page.Stands(tx.Now) {
		return nil, err
	}
	word, err := s.vault.Lookup("own-page word", page.ID, record.ReadOwnPageWord(tried.Word))
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(word, page.word) != 1 {
		countWrongWord(tx, who, page, tx.Now)
		if page.Wrong+1 >= record.OwnPageWrong {
			return nil, s.askAboutTries(tx, sub)
		}
		return nil, nil
	}
	if !may {
		return nil, nil
	}
	return page, nil
}

// askAboutTries has the person asked about a code that was stopped because others' words were tried.
func (s *Service) askAboutTries(tx *flow.Tx, sub *subjectOf) error {
	if sub.erased {
		return nil
	}
	j := newTransaction(s, nil)
	j.tell(sub.Journey, sub.asksAboutOwnPage(schemas.OwnPageTries))
	return j.end(tx)
}

// asksAboutOwnPage is the event by which a named human asks the person about what happened on their page.
func (sub *subjectOf) asksAboutOwnPage(matter string) record.JourneyEvent {
	return record.JourneyEvent{Kind: schemas.PreferencesChanged, Data: schemas.PreferencesChangedData{
		NoSafeChannel: sub.card.NoSafeChannel, Needs: len(sub.card.Needs) > 0 || sub.card.NeedsNote != "",
		OwnPage: matter}}
}

// proposeContact keeps what was said of contact on the person's own page as a question: what was agreed before stands,
// and nobody uses the new one before they were asked.
func proposeContact(sub *subjectOf, said partial[record.Card]) error {
	if len(said.Names) != 1 || !said.has("channels") || len(said.Value.Channels) == 0 {
		return unprocessable("On the page a new number or address can be said, and nothing else of contact. Say the " +
			"rest to the team.")
	}
	proposed := append([]record.Channel{}, sub.card.Proposed...)
	for _, channel := range said.Value.Channels {
		one := record.Channel{Channel: channel.Channel, Value: channel.Value}
		if !slices.Contains(proposed, one) {
			proposed = append(proposed, one)
		}
	}
	if len(proposed) > mostProposed {
		return unprocessable("Several are kept already, and somebody asks about them first.")
	}
	if fault := record.CardFault(record.Card{Channels: proposed}); fault != "" {
		return unprocessable(fault)
	}
	sub.card.Proposed = proposed
	sub.questions = sub.card.Questions(sub.identity)
	return nil
}

// mostProposed is how many ways are kept that nobody has asked about.
const mostProposed = 5

// lockPageOf locks a page's person and then the page, and says whether the person may have one as they are now: what
// has changed since it was given counts. nil where either is gone.
func (s *Service) lockPageOf(tx *flow.Tx, who principal.Principal, page *storedPage) (locked *storedPage,
	sub *subjectOf, may bool, err error) {
	sub, err = s.lockWithin(tx, schemas.Scope{All: true}, page.Journey)
	if missing := (*httpx.Problem)(nil); errors.As(err, &missing) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	holder, err := sub.holder(tx, who)
	if err != nil {
		return nil, nil, false, err
	}
	locked, err = lockPage(tx, who, page.ID)
	// the journey may have become another's since: then the page is not theirs any more
	return locked, sub, record.MayHaveOwnPage(holder) == "" && locked != nil && sub.Person == locked.Person, err
}

// sessionOfOwnPage says whose a session is, or that it is nobody's: it was left, has ended, or the page does not stand.
func (s *Service) sessionOfOwnPage(w http.ResponseWriter, r *http.Request) error {
	who, err := gatewayAsks(r)
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[schemas.OwnPageOpened](w, r, maxForm)
	if err != nil {
		return err
	}
	var holder *schemas.OwnPageHolder
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		holder = nil
		hash := sessionHash(asked.Session)
		page, err := pageBySession(tx, who, hash)
		if err != nil || page == nil {
			return err
		}
		page, _, may, err := s.lockPageOf(tx, who, page)
		if err != nil || page == nil || !may || !page.Stands(tx.Now) || !bytes.Equal(page.session, hash) ||
			!record.SessionHolds(*page.sessionBegan, *page.seenAt, tx.Now) {
			return err
		}
		if tx.Now.Sub(*page.seenAt) > sessionTouched {
			touchPageSession(tx, who, page.ID, hash, tx.Now)
		}
		holder = &schemas.OwnPageHolder{Person: page.Person, Journey: page.Journey}
		return nil
	})
	switch {
	case err != nil:
		return err
	case holder == nil:
		return doesNotOpen()
	}
	return httpx.WriteJSON(w, http.StatusOK, holder)
}

// sessionTouched bounds how often the last request is written down.
const sessionTouched = 20 * time.Second

// leaveOwnPage ends a session. One that is none is left already.
func (s *Service) leaveOwnPage(w http.ResponseWriter, r *http.Request) error {
	who, err := gatewayAsks(r)
	if err != nil {
		return err
	}
	asked, _, err := httpx.ReadJSON[schemas.OwnPageOpened](w, r, maxForm)
	if err != nil {
		return err
	}
	if err := s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		endPageSession(tx, who, sessionHash(asked.Session))
		return nil
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
