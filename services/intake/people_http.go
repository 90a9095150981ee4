package intake

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
	"footbridge/services/intake/record"
)

// maxForm is the most that a person's request may hold, in bytes.
const maxForm = 64 << 10

// ReasonHeader carries why somebody looks at who a person is.
const ReasonHeader = schemas.ReasonHeader

// peopleRoutes are the routes about people: who they are, what they said, and how they may be reached.
func (s *Service) peopleRoutes() map[string]httpx.Handler {
	return map[string]httpx.Handler{
		"GET /api/journeys/{id}/consent":      s.getConsent,
		"POST /api/journeys/{id}/consent":     s.postConsent,
		"POST /api/journeys/{id}/contact":     s.postContact,
		"POST /api/journeys/{id}/preferences": s.postPreferences,
		"POST /api/journeys/{id}/facts":       s.postFacts,
		"POST /api/journeys/{id}/correction":  s.postCorrection,
		"POST /api/journeys/{id}/summary":     s.postSummary,
		"GET /api/journeys/{id}/identity":     s.getIdentity,
		"GET /api/calls/{id}/person":          s.getCallPerson,
		"GET /api/people/{ref}/access":        s.getAccess,
		"GET /api/journeys/{id}/access":       s.getAccessOfJourney,
		"POST /api/people/{ref}/merge": func(w http.ResponseWriter, r *http.Request) error {
			return s.postMerge(w, r, false)
		},
		"POST /api/people/{ref}/unmerge": func(w http.ResponseWriter, r *http.Request) error {
			return s.postMerge(w, r, true)
		},
		"POST /api/people/{ref}/legal-hold": s.postHold,
		"POST /api/people/{ref}/erase":      s.postErase,
	}
}

// command is what a request does in its transaction, and what it is answered with.
type command func(tx *flow.Tx, who principal.Principal) (status int, answer any, err error)

// once does a request once: with an Idempotency-Key, a repetition gets the first answer and does nothing.
func (s *Service) once(r *http.Request, body []byte, do command) (answer httpx.Answer, err error) {
	who, err := principal.Need(r.Context())
	if err != nil {
		return answer, err
	}
	key, err := httpx.ParseIdempotency(r, who.Key(), body)
	if err != nil {
		return answer, err
	}
	return s.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) { return do(tx, who) })
}

// handleOnce does a request once, and writes its answer.
func (s *Service) handleOnce(w http.ResponseWriter, r *http.Request, body []byte, do command) error {
	answer, err := s.once(r, body, do)
	if err != nil {
		return err
	}
	return answer.Write(w)
}

func pathRef(r *http.Request, name string, none func() *httpx.Problem) (string, error) {
	id, ok := httpx.PathID(r, name)
	if !ok {
		return "", none()
	}
	return id, nil
}

func (s *Service) today(now time.Time) string { return now.In(s.zone).Format(time.DateOnly) }

func unprocessable(detail string) *httpx.Problem {
	return httpx.NewProblem(http.StatusUnprocessableEntity, "%s", detail)
}

func gone() *httpx.Problem {
	return httpx.NewProblem(http.StatusGone, "What was kept about this person has been erased. Nothing can be read "+
		"or recorded under this reference any more.")
}

// consentRequest is what somebody recorded of what the person said.
type consentRequest struct {
	Answers []struct {
		Purpose      string              `json:"purpose"`
		Organisation string              `json:"organisation"` // a partner's opaque id; absent for any
		State        record.ConsentState `json:"state"`
		Until        string              `json:"until"`
	} `json:"answers"`
	Giver         string             `json:"giver"` // the person unless said otherwise
	How           string             `json:"how"`
	Told          []string           `json:"told"`
	CapacityDoubt bool               `json:"capacityDoubt"`
	MayConsent    *record.MayConsent `json:"mayConsent"`
}

// asked are what the answers are about that are told as they are recorded. A yes in doubt is not.
func (r consentRequest) asked() (keys []record.Question) {
	for _, a := range r.Answers {
		if !(a.State == record.ConsentGiven && r.CapacityDoubt) {
			keys = append(keys, record.Question{Purpose: a.Purpose, Towards: a.Organisation})
		}
	}
	return keys
}

// consentShown is how one answer stands. It says nothing that identifies anybody.
type consentShown struct {
	Purpose      string              `json:"purpose"`
	Organisation string              `json:"organisation,omitempty"`
	State        record.ConsentState `json:"state"`
	// Contested: the no is of a record that nobody has confirmed to be the same person. It holds a yes, and ends
	// nothing.
	Contested  bool       `json:"contested,omitempty"`
	Until      string     `json:"until,omitempty"`
	How        string     `json:"how,omitempty"`
	Giver      string     `json:"giver,omitempty"`
	Told       []string   `json:"told,omitempty"`
	RecordedBy string     `json:"recordedBy,omitempty"`
	StatedAt   *time.Time `json:"saidAt,omitempty"`
}

// postConsent records what the person said to each purpose.
func (s *Service) postConsent(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[consentRequest](w, r, maxForm)
	if err != nil {
		return err
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		records, err := recordsOfJourney(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		var sub *subjectOf
		err = s.around(tx, who, records, func(j *transaction) (map[string][]record.Question, error) {
			if sub, err = s.lockSubject(tx, who, journey); err != nil {
				return nil, err
			}
			return map[string][]record.Question{journey: request.asked()}, s.recordConsent(tx, j, who, sub, request)
		})
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, consentAnswer(sub, s.consentsOf(who, sub, tx.Now)), nil
	})
}

// consentsShown is how a journey's answers stand.
type consentsShown struct {
	Journey string         `json:"journey"`
	Consent []consentShown `json:"consent"`
	// ClinicianFirst: a young people's clinician records first who may answer; MayAnswer is who that is.
	ClinicianFirst bool   `json:"clinicianFirst,omitempty"`
	MayAnswer      string `json:"mayAnswer,omitempty"`
}

// consentAnswer shows how the answers stand, and for somebody under 18 who may give them.
func consentAnswer(sub *subjectOf, stand []consentShown) *consentsShown {
	return &consentsShown{sub.Journey, stand, sub.guard.First, sub.guard.Answers}
}

// recordConsent adds answers, and gives out what changed.
func (s *Service) recordConsent(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf,
	request consentRequest) error {
	if sub.erased {
		return gone()
	}
	if len(request.Answers) == 0 && request.MayConsent == nil {
		return unprocessable("There is no answer to record. Send at least one of answers, with purpose and state.")
	}
	if request.MayConsent != nil {
		if err := s.letAnswer(tx, j, who, sub, request.MayConsent); err != nil {
			return err
		}
	}
	ownPage := schemas.Role(who.Role) == schemas.Person
	if len(request.Answers) > 0 && !ownPage {
		if err := s.askedProtected(tx, j, who, sub); err != nil {
			return err
		}
	}
	giver, today := cmp.Or(request.Giver, "person"), s.today(tx.Now)
	var fresh []record.Answer
	age, aged := record.AgeOn(sub.identity.BirthDate, today)
	if giver == schemas.AnswersParent && aged && age >= record.Adult {
		return unprocessable("The person is 18 or older: nobody with parental responsibility answers for them. Ask " +
			"them.")
	}
	for _, given := range request.Answers {
		a := record.Answer{ID: clock.NewID(tx.Now), Person: sub.Person, Journey: sub.Journey, Purpose: given.Purpose,
			Towards: given.Organisation,
			State:   given.State, Giver: giver, How: request.How, Told: request.Told, By: recordedBy(who),
			Doubt: request.CapacityDoubt, Until: given.Until,
			Version: record.Version{StatedAt: tx.Now}, Organisation: sub.Organisation}
		before := record.Consent(sub.group, sub.answers, a.Purpose, a.Towards, today)
		if fault := record.ConsentFault(a, before, sub.guard, today); fault != "" {
			return unprocessable(fault)
		}
		if giver == schemas.AnswersParent {
			a.Until = record.EndsAtAdult(a.Until, sub.identity.BirthDate)
		}
		if kind, _ := schemas.KindNamed("partner"); a.Towards != "" && len(a.Towards) > kind.MaxLength {
			return unprocessable("The organisation is not a partner's opaque id.")
		}
		fresh = append(fresh, a)
	}
	if err := storeAnswers(tx, fresh); err != nil {
		return err
	}
	sub.answers = append(sub.answers, fresh...)
	j.tell(sub.Journey, emittedByAnswers(sub, fresh, today)...)
	if ownPage && slices.ContainsFunc(fresh, func(a record.Answer) bool { return a.State.Refuses() }) {
		j.tell(sub.Journey, sub.asksAboutOwnPage(schemas.OwnPageNo))
	}
	return nil
}

// letAnswer keeps a young people's clinician's record, and lifts what waited for it, on this journey.
func (s *Service) letAnswer(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf,
	noted *record.MayConsent) error {
	switch {
	case schemas.Role(who.Role) != schemas.YoungPeoplesClinician || who.Source != "":
		return httpx.NewProblem(http.StatusForbidden, "Who may consent is recorded by the young people's clinician "+
			"who decides it, signed in as themselves. Nobody records it for them.")
	case noted.Fault() != "":
		return unprocessable(noted.Fault())
	case sub.guard == record.Guard{}:
		return unprocessable("Nothing of this person waits for a young people's clinician: they answer for themselves.")
	}
	if err := storeNote(tx, sub.key, sub.Person, sub.Journey, "may-consent", noted, recordedBy(who),
		tx.Now); err != nil {
		return err
	}
	visits, err := j.visitsOf(tx, who, sub.Journey)
	if err != nil {
		return err
	}
	for _, v := range visits {
		j.tell(sub.Journey, record.JourneyEvent{Kind: schemas.DischargeCorrected,
			Data: v.Let(noted.Answers(), record.Version{StatedAt: tx.Now})})
	}
	j.change(visits...)
	sub.guard = record.Guard{Answers: noted.Answers()}
	return nil
}

// emittedByAnswers are the events of fresh answers, one for all purposes that were answered alike. A yes that is in
// doubt is kept, and is no event: nobody may act on it. One that a merged record's no forbids is none either.
func emittedByAnswers(sub *subjectOf, fresh []record.Answer, today string) []record.JourneyEvent {
	kinds := map[record.ConsentState]schemas.Type{record.ConsentGiven: schemas.ConsentGiven,
		record.ConsentDeclined: schemas.ConsentDeclined, record.ConsentWithdrawn: schemas.ConsentWithdrawn}
	var all []record.JourneyEvent
	for _, a := range fresh {
		if a.State == record.ConsentGiven && !record.Consent(sub.group, sub.answers, a.Purpose, a.Towards,
			today).Holds() {
			continue
		}
		alike := func(e record.JourneyEvent) bool {
			d, ok := e.Data.(*schemas.ConsentData)
			return ok && e.Kind == kinds[a.State] && d.Organisation == a.Towards
		}
		if i := slices.IndexFunc(all, alike); i >= 0 {
			d := all[i].Data.(*schemas.ConsentData)
			d.Purposes = append(d.Purposes, a.Purpose)
			continue
		}
		all = append(all, record.JourneyEvent{Kind: kinds[a.State],
			Data: &schemas.ConsentData{Purposes: []string{a.Purpose}, Organisation: a.Towards}})
	}
	return all
}

// consentsOf is how each answer stands, every purpose that has to be asked about at least once. Colleagues see who
// recorded it, the person in which role that was.
func (s *Service) consentsOf(who principal.Principal, sub *subjectOf, now time.Time) []consentShown {
	today := s.today(now)
	var shown []consentShown
	for _, purpose := range schemas.Values("purpose") {
		towards := []string{""}
		for _, a := range sub.answers {
			if a.Purpose == purpose && !slices.Contains(towards, a.Towards) {
				towards = append(towards, a.Towards)
			}
		}
		if purpose == schemas.PurposeTellReferrer && !slices.ContainsFunc(sub.answers, func(a record.Answer) bool {
			return a.Purpose == purpose
		}) {
			continue // nobody has to be asked
		}
		for _, to := range towards {
			line := consentShown{Purpose: purpose, Organisation: to, State: record.Consent(sub.group, sub.answers,
				purpose, to, today)}
			if line.Contested = line.State == record.ConsentContested; line.Contested {
				line.State = record.ConsentDeclined // the strictest is shown
			}
			if a, ok := record.Newest(sub.answers, purpose, to, sub.Person); ok {
				at := a.Version.StatedAt.In(s.zone)
				line.Until, line.How, line.Giver, line.Told, line.RecordedBy, line.StatedAt = a.Until, a.How, a.Giver,
					a.Told, a.By, &at
				if schemas.Role(who.Role) == schemas.Person {
					line.RecordedBy, _, _ = strings.Cut(a.By, ":")
				}
			}
			shown = append(shown, line)
		}
	}
	return shown
}

// getConsent shows how the answers of a journey's person stand; to staff treating them, for a stated reason that is
// kept.
func (s *Service) getConsent(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	var answer *consentsShown
	var refusal error
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		answer, refusal = nil, nil
		sub, err := s.lockForAccess(tx, who, journey)
		if err != nil {
			return err
		}
		if sub.notYoung(who) {
			return noSuchJourney()
		}
		if sub.hides(who) {
			s.storeAccess(tx, who, sub, record.SeesNothing, record.RefusedBarred, "", tx.Now)
			refusal = noSuchJourney()
			return nil
		}
		if schemas.Role(who.Role) == schemas.TreatingStaff {
			if refusal, err = s.treatingAccess(tx, who, sub, statedReason(r)); refusal != nil || err != nil {
				return err
			}
		}
		answer = consentAnswer(sub, s.consentsOf(who, sub, tx.Now))
		return nil
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return refusal
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// SeesConsent is how a look at what the person said is kept, beside those at who they are.
const SeesConsent = "consent"

// treatingAccess decides about a look of staff treating the person at what they said, and writes it down.
func (s *Service) treatingAccess(tx *flow.Tx, who principal.Principal, sub *subjectOf, reason string) (refusal,
	err error) {
	sees, refused := SeesConsent, ""
	if schemas.ReasonFault(reason) != "" {
		sees, refused, reason = record.SeesNothing, record.RefusedNoReason, ""
	}
	s.storeAccess(tx, who, sub, sees, refused, reason, tx.Now)
	if refused != "" {
		return sub.noReason(who), nil
	}
	return nil, s.emitSeen(tx, who, sub, "consent")
}

// noReason is the answer to a look without a reason of substance: to another organisation, as if nothing were there.
func (sub *subjectOf) noReason(who principal.Principal) error {
	if !scopeOf(who).Home(sub.Organisation) {
		return noSuchJourney()
	}
	return httpx.NewProblem(http.StatusForbidden, "%s", schemas.ReasonFault(""))
}

// emitSeen tells the journey's organisation that somebody of another one looked, and that a partner did for the first
// time by its offer.
func (s *Service) emitSeen(tx *flow.Tx, who principal.Principal, sub *subjectOf, what string) error {
	if schemas.Role(who.Role) == schemas.Partner {
		return s.emitShown(tx, who, sub)
	}
	if schemas.Role(who.Role) != schemas.TreatingStaff || scopeOf(who).Home(sub.Organisation) {
		return nil
	}
	j := newTransaction(s, nil)
	j.tell(sub.Journey, record.JourneyEvent{Kind: schemas.PersonSeen,
		Data: schemas.SeenData{Organisation: who.Organisation, What: what}})
	return j.end(tx)
}

// emitShown says that a partner looked at who the person is, once for each of its offers.
func (s *Service) emitShown(tx *flow.Tx, who principal.Principal, sub *subjectOf) error {
	offers, err := sub.shownBy(tx, who.Organisation)
	if err != nil || len(offers) == 0 {
		return err
	}
	j := newTransaction(s, nil)
	for _, offer := range offers {
		j.tell(sub.Journey, record.JourneyEvent{Kind: schemas.PersonShown,
			Data: schemas.ShownData{Offer: offer, Partner: who.Organisation}})
	}
	return j.end(tx)
}

// postContact records how the person may be reached, as they said. What the request leaves out stays as it was recorded
// before; null takes it back. That there is no safe channel ends all channels, and only saying so takes it back.
func (s *Service) postContact(w http.ResponseWriter, r *http.Request) error {
	return changeCard(s, w, r, func(tx *flow.Tx, _ *transaction, who principal.Principal, sub *subjectOf,
		said partial[record.Card]) error {
		if schemas.Role(who.Role) == schemas.Person {
			return proposeContact(sub, said)
		}
		if said.has("proposed") {
			return unprocessable("What was said on the person's page is written there alone.")
		}
		if said.has("wishes") {
			return unprocessable("Wishes are recorded under /preferences.")
		}
		card := said.over(sub.card)
		if card.ChannelsAt = sub.card.ChannelsAt; said.has("channels") || said.has("noSafeChannel") {
			card.ChannelsAt = tx.Now
		}
		if said.Value.NoSafeChannel && !said.has("channels") {
			card.Channels = nil
		}
		if sub.card.NoSafeChannel && !said.has("noSafeChannel") && len(said.Value.Channels) > 0 {
			return unprocessable("The person had no safe channel. Where they say now that there is one, send " +
				"noSafeChannel as false with it.")
		}
		if fault := record.CardFault(card); fault != "" {
			return unprocessable(fault)
		}
		if fault := record.BarredFault(card.MustNotKnow, sub.Organisation); fault != "" {
			return unprocessable(fault)
		}
		if said.has("channels") || said.Value.NoSafeChannel {
			card.Proposed = nil // they were asked
		}
		sub.card = card
		sub.reached = (said.has("channels") || said.Value.NoSafeChannel) && card.Reachable()
		return nil
	})
}

// postPreferences records what the person would like, as far as the request speaks of it; null takes back. What a
// service's criterion may speak of becomes a fact.
func (s *Service) postPreferences(w http.ResponseWriter, r *http.Request) error {
	return changeCard(s, w, r, func(tx *flow.Tx, j *transaction, who principal.Principal, sub *subjectOf,
		said partial[record.Preferences]) error {
		facts := said.Value.Facts(schemas.Facts{})
		if faults := facts.Validate(); len(faults) > 0 {
			return unprocessable("The preferences are not as expected: see errors.").With("errors", faults)
		}
		if fault := record.BarredFault(said.Value.Never, sub.Organisation); fault != "" {
			return unprocessable(fault)
		}
		sub.card.Wishes = said.over(sub.card.Wishes)
		var takenBack []string
		for name := range facts.Fields() {
			if said.Names[name] {
				takenBack = append(takenBack, name)
			}
		}
		if facts.IsZero() && len(takenBack) == 0 {
			return nil
		}
		sub.supplied = &schemas.InformationSuppliedData{Facts: facts, Retracted: takenBack}
		return keepFacts(tx, j, who, sub)
	})
}

func changeCard[T any](s *Service, w http.ResponseWriter, r *http.Request,
	change func(*flow.Tx, *transaction, principal.Principal, *subjectOf, T) error) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	request, body, err := httpx.ReadJSON[T](w, r, maxForm)
	if err != nil {
		return err
	}
	return s.handleOnce(w, r, body, func(tx *flow.Tx, who principal.Principal) (int, any, error) {
		records, err := recordsOfJourney(tx, who, journey)
		if err != nil {
			return 0, nil, err
		}
		var answer *cardShown
		err = s.around(tx, who, records, func(j *transaction) (map[string][]record.Question, error) {
			sub, err := s.lockSubject(tx, who, journey)
			if err != nil {
				return nil, err
			}
			if err := mayKeepCard(r, sub); err != nil {
				return nil, err
			}
			if err := change(tx, j, who, sub, request); err != nil {
				return nil, err
			}
			answer = cardAnswer(sub)
			return nil, s.keepCard(tx, j, sub)
		})
		return http.StatusOK, answer, err
	})
}

// mayKeepCard refuses to change the card of somebody who was erased, or one that is not as the caller last saw it.
func mayKeepCard(r *http.Request, sub *subjectOf) error {
	if sub.erased {
		return gone()
	}
	tag := ""
	if sub.cardVersion > 0 {
		tag = httpx.VersionTag(sub.cardVersion)
	}
	return httpx.CheckIfMatch(r, tag)
}

// cardShown says what is recorded of how somebody may be reached, without repeating it: an answer may be kept for a
// repetition.
type cardShown struct {
	Journey   string `json:"journey"`
	Version   int64  `json:"version"`
	Confirmed bool   `json:"confirmed"`
	// NoSafeChannel: nothing may be used. Channels is how many are recorded.
	NoSafeChannel bool `json:"noSafeChannel"`
	Channels      int  `json:"channels"`
}

func cardAnswer(sub *subjectOf) *cardShown {
	return &cardShown{sub.Journey, sub.cardVersion + 1, sub.card.Confirmed(), sub.card.NoSafeChannel,
		len(sub.card.Channels)}
}

// keepCard stores a card and gives out that it changed; who must not know is told by around, on every journey of
// theirs.
func (s *Service) keepCard(tx *flow.Tx, j *transaction, sub *subjectOf) error {
	if err := storeCard(tx, sub, tx.Now); err != nil {
		return err
	}
	data := schemas.PreferencesChangedData{NoSafeChannel: sub.card.NoSafeChannel, Needs: len(sub.card.Needs) > 0 ||
		sub.card.NeedsNote != "", Reachable: sub.reached}
	if sub.reached {
		data.Questions = []string{} // what the person would like answers no question about how to reach them
	}
	if len(sub.questions) > 0 {
		data.Questions = sub.questions
	}
	all := []record.JourneyEvent{{Kind: schemas.PreferencesChanged, Data: data}}
	if sub.supplied != nil {
		all = append(all, record.JourneyEvent{Kind: schemas.InformationSupplied, Data: *sub.supplied})
	}
	j.tell(sub.Journey, all...)
	return nil
}

// identityShown is who a person is, as far as the principal may see it.
type identityShown struct {
	Journey    string `json:"journey"`
	Person     string `json:"person,omitempty"` // to a partner, an id that it alone knows
	FamilyName string `json:"familyName,omitempty"`
	GivenName  string `json:"givenName,omitempty"`
	// Contact that the person confirmed, and only that, for a partner. NoSafeChannel: nothing may be used.
	Contact       []record.Channel     `json:"contact"`
	NoSafeChannel bool                 `json:"noSafeChannel,omitempty"`
	Arrangement   string               `json:"arrangement,omitempty"`
	Named         []record.NamedPerson `json:"named,omitempty"`
	// AskFirst: another record, merged and not confirmed, names somebody who must not know. Tell nobody anything yet.
	AskFirst  bool     `json:"askFirst,omitempty"`
	NeverTell []string `json:"neverTell,omitempty"`
	// MustNotKnow are organisations that the person excluded: they are never asked, and read nothing.
	MustNotKnow []string           `json:"mustNotKnow,omitempty"`
	Needs       []string           `json:"needs,omitempty"`
	NeedsNote   string             `json:"needsNote,omitempty"`
	Wishes      record.Preferences `json:"wishes,omitzero"`
	// Summary is what the person agreed to pass on, in their words; SummaryFor, to whom, is for the NHS's own staff.
	Summary    string   `json:"summary,omitempty"`
	SummaryFor []string `json:"summaryFor,omitempty"`
	// What follows is for the NHS's own staff and the person alone.
	BirthDate   string       `json:"birthDate,omitempty"`
	NHSNumber   string       `json:"nhsNumber,omitempty"`
	Verified    bool         `json:"nhsNumberVerified,omitempty"`
	LocalID     string       `json:"localId,omitempty"`
	Unconfirmed *Unconfirmed `json:"unconfirmed,omitempty"`
	Questions   []string     `json:"questions,omitempty"`
	// Proposed are ways to reach the person that were said on their page. Ask them first.
	Proposed []record.Channel `json:"proposed,omitempty"`
	// Stopped: nobody is to be in touch with the person at present.
	Stopped bool `json:"contactStopped,omitempty"`
}

// Unconfirmed is contact from a feed: no voicemail, text, letter or e-mail goes there, and no partner sees it.
type Unconfirmed struct {
	Phone    string `json:"phone,omitempty"`
	Email    string `json:"email,omitempty"`
	Address  string `json:"address,omitempty"`
	Postcode string `json:"postcode,omitempty"`
}

// statedReason is why somebody looks, as they say; empty where they do not.
func statedReason(r *http.Request) string { return strings.TrimSpace(r.Header.Get(ReasonHeader)) }

// getIdentity shows who the person of a journey is: one look, for a stated reason, kept where the person can read it.
func (s *Service) getIdentity(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	reason := statedReason(r)
	var shown *identityShown
	var refusal error
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		shown, refusal = nil, nil
		sub, err := s.lockForAccess(tx, who, journey)
		if err != nil {
			return err
		}
		if shown, refusal, err = s.readIdentity(tx, who, sub, reason); refusal != nil || err != nil {
			return err
		}
		return s.emitSeen(tx, who, sub, "identity")
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return refusal
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// readIdentity decides about one look and writes it down, a refused one too.
func (s *Service) readIdentity(tx *flow.Tx, who principal.Principal, sub *subjectOf,
	reason string) (shown *identityShown, refusal, err error) {
	asking := record.Asking{Organisation: who.Organisation, Role: who.Role, Reason: reason,
		Own:  who.Subject == sub.Person || slices.Contains(sub.group.Confirmed, who.Subject),
		Here: sub.Organisation == who.Organisation, Young: sub.guard != record.Guard{},
		Barred: sub.bars(who.Organisation)}
	var standing record.AccessState
	var offers []record.Offer
	own := ""
	if schemas.Role(who.Role) == schemas.Partner {
		if standing, offers, err = sub.loadOffers(tx, asking.Organisation); err != nil {
			return nil, nil, err
		}
	}
	sees, refused := record.MayRead(asking, sub.group, standing, offers, sub.answers, s.today(tx.Now))
	if sees != record.SeesNothing && sub.unplaced && !asking.Own {
		sees, refused = record.SeesNothing, record.RefusedUnplaced
	}
	if sees != record.SeesNothing && sub.erased {
		sees, refused = record.SeesNothing, record.RefusedErased
	}
	if refused == record.RefusedNoReason {
		reason = "" // what is none is not kept: it may be anything
	}
	if sees == record.SeesPartner {
		if own, err = sub.partnersOwn(tx, who.Organisation); err != nil {
			return nil, nil, err
		}
	}
	s.storeAccess(tx, who, sub, sees, refused, reason, tx.Now)
	switch {
	case refused == "":
		summary, err := sub.loadSummary(tx, who)
		if err != nil {
			return nil, nil, err
		}
		shown = sub.show(sees, own)
		shown.Summary, shown.SummaryFor = summary.shownTo(who)
		return shown, nil, nil
	case refused == record.RefusedErased && !scopeOf(who).ByOffer:
		return nil, gone(), nil
	case refused == record.RefusedUnplaced && !scopeOf(who).ByOffer:
		return nil, httpx.NewProblem(http.StatusConflict, "It is not agreed which organisation this came from, so "+
			"who it is about is hidden. Place it first: GET /api/facilities."), nil
	case refused == record.RefusedNoReason:
		return nil, sub.noReason(who), nil
	}
	return nil, noSuchJourney(), nil // as if it were not there
}

// bars says whether the person, under this record or one that a human confirmed to be theirs, said that an organisation
// must not know; to one where the journey did not begin, a record that is only presumed to be theirs counts too.
func (sub *subjectOf) bars(organisation string) bool {
	var presumed []string
	for _, card := range sub.otherCards {
		presumed = append(presumed, card.Barred()...)
	}
	joined := schemas.MustNotKnow{Barred: record.JoinBarred(sub.Organisation, append(sub.card.Barred(), sub.barred...),
		presumed)}
	return slices.Contains(append(sub.card.Barred(), sub.barred...), organisation) ||
		organisation != sub.Organisation && joined.Bars(organisation)
}

// show is what somebody sees; own is the id under which a partner knows the person.
func (sub *subjectOf) show(sees, own string) *identityShown {
	card, askFirst := sub.card.Strictest(sub.otherCards...)
	shown := &identityShown{Journey: sub.Journey, Person: sub.Person, FamilyName: sub.identity.FamilyName,
		GivenName: sub.identity.GivenName,
		Contact:   card.Usable(), NoSafeChannel: card.NoSafeChannel, Arrangement: card.Arrangement, Named: card.Named,
		NeverTell: card.NeverTell, MustNotKnow: card.Barred(),
		Needs: card.Needs, NeedsNote: card.NeedsNote, Wishes: card.Wishes, AskFirst: askFirst}
	if shown.Contact == nil {
		shown.Contact = []record.Channel{}
	}
	shown.Stopped = sub.Stopped
	if sub.Stopped {
		shown.Contact = []record.Channel{}
	}
	if sees != record.SeesAll { // a partner learns neither our id of the person, nor what they said about others
		shown.Person, shown.NeverTell, shown.MustNotKnow, shown.Wishes.Partners, shown.Wishes.Never = own, nil, nil,
			nil, nil
		return shown
	}
	if shown.Contact = card.Channels; sub.Stopped || shown.Contact == nil {
		shown.Contact = []record.Channel{}
	}
	shown.BirthDate, shown.NHSNumber, shown.Verified = sub.identity.BirthDate, sub.identity.NHSNumber,
		sub.identity.NHSNumberVerified
	shown.LocalID, shown.Questions = sub.identity.LocalID, sub.card.Questions(sub.identity)
	shown.Proposed = sub.card.Proposed
	if sub.unsafeSince() {
		shown.Questions = append(shown.Questions, record.NoSafeChannel)
	}
	fed := Unconfirmed{sub.identity.Phone, sub.identity.Email, sub.identity.Address, sub.identity.Postcode}
	if fed != (Unconfirmed{}) {
		shown.Unconfirmed = &fed
	}
	return shown
}

// getAccess lists who looked at a person.
func (s *Service) getAccess(w http.ResponseWriter, r *http.Request) error {
	ref, err := pathRef(r, "ref", noSuchPerson)
	if err != nil {
		return err
	}
	return s.giveAccess(w, r, "GET /api/people/{ref}/access",
		func(*flow.Tx, principal.Principal) (string, string, error) { return ref, "", nil })
}

// getAccessOfJourney lists who looked at the person of a journey, by that journey.
func (s *Service) getAccessOfJourney(w http.ResponseWriter, r *http.Request) error {
	journey, err := pathRef(r, "id", noSuchJourney)
	if err != nil {
		return err
	}
	return s.giveAccess(w, r, "GET /api/journeys/{id}/access",
		func(tx *flow.Tx, who principal.Principal) (string, string, error) {
			person, err := personOf(tx, who, journey)
			return person, journey, err
		})
}

// giveAccess lists who looked at a person, by one of their journeys or, where none is named, by any.
func (s *Service) giveAccess(w http.ResponseWriter, r *http.Request, route string,
	whose func(*flow.Tx, principal.Principal) (person, journey string, err error)) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits(route)
	page, err := httpx.ParsePage(r.URL.Query(), 1, usual, most)
	if err != nil {
		return err
	}
	var all []AccessLogEntry
	err = s.flow.Do(r.Context(), func(tx *flow.Tx) error {
		ref, journey, err := whose(tx, who)
		if err == nil {
			all, err = s.accessLog(tx, who, ref, journey, page)
		}
		return err
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK,
		httpx.NewList(all, page.Limit, func(l AccessLogEntry) []string { return []string{l.ID} }))
}
