package followup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/clock"
	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// maxBody bounds a request: codes, days, and a list of holidays.
const maxBody = 16 << 10

// theGateway is who says that somebody was signed out everywhere.
var theGateway = principal.Principal{Role: string(schemas.ServiceItself), Subject: schemas.Gateway}

// api answers HTTP.
type api struct {
	*Service
	flow  *flow.Flow
	pool  *pgxpool.Pool
	clock clock.Clock
}

// Routes adds the service's paths to mux, each open to the roles of the route table. Changes go through f; reads use
// pool. The mux must have put a principal into the context (principal.Require).
func (s *Service) Routes(mux *httpx.Mux, f *flow.Flow, pool *pgxpool.Pool, c clock.Clock) error {
	a := api{Service: s, flow: f, pool: pool, clock: c}
	a.calendars().Hear(mux, theGateway, nil)
	return httpx.Register(mux, schemas.RoutesOf(Name), map[string]httpx.Handler{
		"GET /api/offers":                           a.list,
		"GET /api/offers/{id}":                      a.show,
		"GET /api/journeys/{id}/shown":              a.showPassedOn,
		"POST /api/offers/{id}/accept":              said(a, (*command).accept),
		"POST /api/offers/{id}/decline":             said(a, (*command).decline),
		"POST /api/offers/{id}/undo":                said(a, (*command).undo),
		"POST /api/offers/{id}/appointment":         said(a, (*command).book),
		"POST /api/offers/{id}/outcome":             said(a, (*command).went),
		"POST /api/offers/{id}/hand-back":           said(a, (*command).handBack),
		"POST /api/offers/{id}/introduce":           said(a, (*command).introduce),
		"POST /api/offers/{id}/may-know":            said(a, (*command).mayKnow),
		"POST /api/offers/{id}/question":            said(a, (*command).question),
		"POST /api/offers/{id}/confirm-deletion":    said(a, (*command).confirmDeletion),
		"POST /api/workers/me/calendar":             a.calendars().Make,
		"POST /api/workers/me/calendar/revoke":      a.calendars().Revoke,
		"GET /api/sessions.ics":                     a.calendars().Give,
		"GET /api/partners":                         a.listPartners,
		"GET /api/partners/{id}":                    a.showPartner,
		"PUT /api/partners/{id}/capacity":           changed(a, setCapacity),
		"PUT /api/partners/{id}/agreement":          changed(a, setAgreement),
		"PUT /api/partners/{id}/holidays":           changed(a, setHolidays),
		"PUT /api/partners/{id}/pause":              changed(a, setPause),
		"GET /api/organisations/{id}/going-live":    a.showLive,
		"POST /api/organisations/{id}/going-live":   a.goLive,
		"DELETE /api/organisations/{id}/going-live": a.stopLive,
	}, principal.Guard)
}

// offerShown is an offer as its partner and staff see it. Who the person is is not in it: that is read by
// GET /api/journeys/{journey}/identity, under its own rule.
type offerShown struct {
	Offer        string     `json:"offer"`
	Partner      string     `json:"partner"`
	Organisation string     `json:"organisation"`
	State        string     `json:"state"`
	Reason       string     `json:"reason,omitempty"`
	FirstDay     string     `json:"firstDay"`
	LastDay      string     `json:"lastDay"`
	Late         bool       `json:"late,omitempty"`
	Paused       bool       `json:"paused,omitempty"`
	AnswerBy     *time.Time `json:"answerBy,omitempty"`
	YesBy        *time.Time `json:"placeKeptUntil,omitempty"`
	BookBy       *time.Time `json:"bookBy,omitempty"`
	// KnownTo says who knows of it: nobody yet, a channel's server took it, or it is with the partner.
	KnownTo string `json:"known"`
	// Journey is its code, once the partner has taken it on; to staff always.
	Journey string `json:"journey,omitempty"`
	// Introduced is how the person was introduced to whoever sees them there.
	Introduced string `json:"introduced,omitempty"`
	// About is what may be known before it is taken on, under the person's yes.
	About       *aboutShown       `json:"about,omitempty"`
	Appointment *appointmentShown `json:"appointment,omitempty"`
	Questions   []questionShown   `json:"questions,omitempty"`
	// Considered is, to staff, every partner that was looked at, and why it is asked or is not.
	Considered []consideredShown `json:"considered,omitempty"`
	// Stop: the partner has taken the person on, and nobody of it is to be in touch with them any more, or for the time
	// being: not for a session that was booked either.
	Stop bool     `json:"stop,omitempty"`
	May  []string `json:"may"`
	// Actions are the requests of May with what each asks for, so that a form can be built from them.
	Actions  []schemas.Action `json:"actions,omitempty"`
	Separate string           `json:"separate"`
}

// aboutShown is what a partner decides by: bands and codes of closed lists, never a name, an address or a word.
type aboutShown struct {
	AgeBand      string   `json:"ageBand,omitempty"`
	Area         string   `json:"area,omitempty"`
	Channels     []string `json:"channels,omitempty"`
	Language     string   `json:"language,omitempty"`
	Interpreter  bool     `json:"interpreter,omitempty"`
	WorkerGender string   `json:"workerGender,omitempty"`
	Hours        []string `json:"hours,omitempty"`
	Access       []string `json:"access,omitempty"`
	Group        string   `json:"group,omitempty"`
	// Withheld: more is known, and would fit too few people to be shown before the offer is taken on.
	Withheld bool `json:"withheld,omitempty"`
}

type appointmentShown struct {
	Appointment string    `json:"appointment"`
	StartsAt    time.Time `json:"startsAt"`
	Channel     string    `json:"channel"`
	Minutes     int       `json:"minutes"`
	OutcomeBy   time.Time `json:"outcomeBy"`
}

type questionShown struct {
	Question string    `json:"question"`
	About    string    `json:"about"`
	AskedAt  time.Time `json:"askedAt"`
	Reply    string    `json:"reply,omitempty"`
}

type consideredShown struct {
	Partner string `json:"partner"`
	Name    string `json:"name"`
	Asked   bool   `json:"asked"`
	Why     string `json:"why"`
}

// Who knows of an offer.
const (
	knownToNobody  = "nobody"
	knownToChannel = "channel"
	knownToPartner = "partner"
)

func (o *Offer) known() string {
	switch {
	case o.SentAt.IsZero():
		return knownToNobody
	case o.State == stateSent:
		return knownToChannel
	}
	return knownToPartner
}

// shown puts an offer into the form in which who may see it.
func (a api) shown(o Offer, facts schemas.Facts, p Partner, who principal.Principal, w Moment) offerShown {
	when := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		local := t.In(w.Zone)
		return &local
	}
	staff, link := !outside(who), schemas.Role(who.Role) == schemas.OfferLink
	s := offerShown{Offer: o.ID, Partner: o.Partner, Organisation: o.Organisation, State: o.State, Reason: o.Because,
		FirstDay: o.Window.First.String(),
		LastDay:  o.Window.Last.String(), Late: o.Window.Late, Paused: o.Paused, Introduced: o.Introduced,
		KnownTo: o.known(), May: []string{},
		Separate: schemas.SeparateFrom(o.Organisation)}
	if o.asked() || o.State == stateRaised {
		s.AnswerBy = when(o.AnswerBy)
	}
	if !link {
		s.YesBy, s.Stop = when(o.YesBy), o.stopped()
	}
	if (o.State == stateAccepted || o.State == stateNotKept) && !link {
		s.BookBy = when(o.BookBy)
	}
	if staff || o.taken() && !o.Paused && !link {
		s.Journey = o.Journey
	}
	if staff || o.open() && o.Consent == consentGiven && !o.Paused && (!link || o.asked()) {
		if s.About = aboutOf(facts); !staff {
			s.About = a.residents.few(*s.About)
		}
	}
	if o.Session != nil && !link {
		s.Appointment = &appointmentShown{o.Session.ID, o.Session.StartsAt.In(w.Zone), o.Session.Channel,
			o.Session.Minutes, outcomeBy(o.Session.Day, p, w).In(w.Zone)}
	}
	return s
}

// ageBands are from which age on they hold; the last has no end.
var ageBands = []int{0, 16, 18, 25, 65}

func aboutOf(f schemas.Facts) *aboutShown {
	about := &aboutShown{Channels: f.Channels, Hours: f.Hours, Access: f.Access,
		Interpreter: f.InterpreterNeeded != nil && *f.InterpreterNeeded}
	for into, fact := range map[*string]*string{&about.Area: f.AreaResidence, &about.Language: f.Language,
		&about.WorkerGender: f.WorkerGender, &about.Group: f.Group} {
		if fact != nil {
			*into = *fact
		}
	}
	if f.Age != nil {
		i := len(ageBands) - 1
		for i > 0 && ageBands[i] > *f.Age {
			i--
		}
		about.AgeBand = bandNames()[i]
	}
	return about
}

// bandNames are the bands of age, as they are shown.
func bandNames() (names []string) {
	for i, from := range ageBands {
		name := fmt.Sprintf("%d+", from)
		if i+1 < len(ageBands) {
			name = fmt.Sprintf("%d-%d", from, ageBands[i+1]-1)
		}
		names = append(names, name)
	}
	return names
}

// stopped says that a partner that has taken somebody on is not to be in touch with them.
func (o *Offer) stopped() bool {
	return o.taken() && o.Paused || o.State == stateWithdrawn && !o.AcceptedAt.IsZero()
}

// may is what can be said about an offer next, by whom it is open to. shown says that somebody at the partner has
// looked at who the person is, undoable that an answer can be taken back.
func (o *Offer) may(who principal.Principal, shown, undoable bool) []string {
	may := []string{}
	switch {
	case o.Paused:
		may = append(may, "hand-back")
	case o.asked():
		may = append(may, "accept", "decline", "may-know", "question")
	case o.State == stateRaised && o.mayBeSent():
		may = append(may, "accept", "decline") // by telephone: to a partner it is not there yet
	case o.State == statePassedOn:
		may = append(may, "accept")
	case o.State == stateWaiting:
		may = append(may, "hand-back", "may-know", "question")
	case o.State == stateAccepted, o.State == stateNotKept && o.NotKept < triesToBook:
		may = append(may, "appointment", "outcome", "hand-back", "may-know", "question")
	case o.State == stateBooked:
		may = append(may, "appointment", "outcome", "hand-back", "question")
	case o.State == stateKept, o.State == stateNotKept:
		may = append(may, "outcome", "hand-back")
	case !o.open() && !o.AcceptedAt.IsZero() && o.DeletedAt.IsZero() && (shown || o.Because != becauseUndone):
		may = append(may, "confirm-deletion")
	}
	if undoable {
		may = append(may, "undo")
	}
	if o.Introduced == "" && slices.Contains(may, "appointment") {
		may = append(may, "introduce")
	}
	role := schemas.Role(who.Role)
	return slices.DeleteFunc(may, func(what string) bool {
		return role == schemas.OfferLink && (!slices.Contains(byLink, what) || o.taken() && what != "undo") ||
			!outside(who) && role != schemas.Navigator
	})
}

// byLink is what may be said by the link in a mail: until the offer is taken on, and that this was a mistake.
var byLink = []string{"accept", "decline", "may-know", "question", "undo"}

// tag is how an offer stands for whoever changes it.
func (o *Offer) tag() string {
	sum := sha256.New()
	fmt.Fprintln(sum, o.ID, o.State, o.Paused, o.NotKept, o.AcceptedAt.UnixMicro(), o.EndedAt.UnixMicro(),
		o.DeletedAt.UnixMicro(), o.AnswerBy.UnixMicro())
	if o.Session != nil {
		fmt.Fprintln(sum, o.Session.ID)
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

func noOffer() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such offer that you may see. Check its id.")
}

func noPartner() error {
	return httpx.NewProblem(http.StatusNotFound, "There is no such partner that you may see. Check its id.")
}

// list gives offers that stand, those to be seen to first in front.
func (a api) list(w http.ResponseWriter, r *http.Request) error {
	who, err := principal.Need(r.Context())
	if err != nil {
		return err
	}
	usual, most := schemas.Limits("GET /api/offers")
	page, err := httpx.ParsePage(r.URL.Query(), 2, usual, most)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	var found []listed
	current := *a.Service
	loadPartners(batch, false, &current.partners)
	if err := listOffers(batch, who, page.After, page.Limit+1, func(all []listed) { found = all }); err != nil {
		return err
	}
	if err := a.pool.SendBatch(r.Context(), batch).Close(); err != nil {
		return fmt.Errorf("listing offers: %w", err)
	}
	m := current.writes(a.clock.Now())
	items := httpx.NewList(found, page.Limit,
		func(l listed) []string { return []string{l.AnswerBy.UTC().Format(time.RFC3339Nano), l.ID} })
	shown := httpx.List[offerShown]{Items: []offerShown{}, Next: items.Next}
	for _, l := range items.Items {
		one := a.shown(l.Offer, l.facts, m.partner(l.Partner), who, m.Moment)
		one.May = l.may(who, true, false) // whether an answer can be taken back stands with the one offer
		shown.Items = append(shown.Items, one)
	}
	noted := &pgx.Batch{}
	if notePages(noted, who, m.Now, shown.Items...); noted.Len() > 0 {
		if err := a.pool.SendBatch(r.Context(), noted).Close(); err != nil {
			return fmt.Errorf("noting what a partner is shown: %w", err)
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// show gives one offer.
func (a api) show(w http.ResponseWriter, r *http.Request) error {
	who, id, err := principal.Asking(r, noOffer())
	if err != nil {
		return err
	}
	var answer offerShown
	err = a.flow.Do(r.Context(), func(tx *flow.Tx) error {
		h, err := a.take(tx, who, id, false, false)
		if err != nil {
			return err
		}
		answer = a.whole(h, who)
		w.Header().Set("ETag", h.offer.tag())
		notePages(tx, who, tx.Now, answer)
		return tx.Flush()
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// whole is an offer with its questions, and to staff with why its partner is asked.
func (a api) whole(h *command, who principal.Principal) offerShown {
	s := a.shown(*h.offer, h.record.State.Facts.Facts, h.partner(h.offer.Partner), who, h.Moment)
	s.May = h.offer.may(who, h.shown(), h.undoable())
	about := schemas.StepAbout{IDs: map[string]string{"offer": s.Offer}}
	for _, q := range h.questions {
		q.AskedAt = q.AskedAt.In(h.Zone)
		s.Questions = append(s.Questions, q)
		if q.Reply == "" && about.IDs["question"] == "" {
			about.IDs["question"] = q.Question // the oldest is answered first
		}
	}
	s.Actions = schemas.OfferActions(schemas.Role(who.Role), s.May, about)
	if !outside(who) {
		wanted := desiredOffer(&h.record.State, h.record.Past, h.partners, h.Moment)
		for _, c := range considered(&h.record.State, h.record.Past, h.partners, h.Moment,
			windowFor(wanted, h.record.Past, h.today()).Last-daysForNext) {
			s.Considered = append(s.Considered, consideredShown{c.ID, c.Name, c.ID == h.offer.Partner, c.Why})
		}
	}
	return s
}

// said handles what somebody says about an offer: the journey is locked, the rules decide, and what follows is stored
// with the answer, once.
func said[B any](a api, say func(*command, B, principal.Principal) (against string, err error)) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, id, err := principal.Asking(r, noOffer())
		if err != nil {
			return err
		}
		body, key, err := httpx.ReadRequest[B](w, r, maxBody, who.Key())
		if err != nil {
			return err
		}
		every, all := any(body).(forAll)
		answer, err := a.flow.DoOnce(r.Context(), key, func(tx *flow.Tx) (int, any, error) {
			h, err := a.take(tx, who, id, true, all && every.everyOffer())
			if err == nil {
				err = httpx.CheckIfMatch(r, h.offer.tag())
			}
			if err != nil {
				return 0, nil, err
			}
			against, err := say(h, body, who)
			if err != nil {
				return 0, nil, err
			}
			if against != "" {
				return 0, nil, httpx.NewProblem(http.StatusConflict, "%s", against)
			}
			w.Header().Set("ETag", h.offer.tag())
			answer := a.whole(h, who)
			answer.About, answer.Considered = nil, nil // what is answered is kept, and may be asked for again later
			return http.StatusOK, answer, h.commit(tx)
		})
		if err != nil {
			return err
		}
		return answer.Write(w)
	}
}
